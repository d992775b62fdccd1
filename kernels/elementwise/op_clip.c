/* Clip: limits are attributes before opset 11 (any float type), scalar inputs since.  A NaN stays, and
 * where min > max, max wins.  A limit that is not given does not limit: infinities pass. */
#ifdef T /* ---- once per dtype: see runtime/tensor/each_dtype.h ---- */

typedef struct FN(limits) { T low, high; bool has_low, has_high; } FN(limits);

#if IS_FLOAT && BITS == 32
static ox_code FN(map)(ox_run *r, const FN(limits) *l)
{
    float p[2] = { l->has_low ? l->low : -INFINITY, l->has_high ? l->high : INFINITY };
    if (p[0] > p[1])
        p[0] = p[1];
    return ox_map1(r, *(ox_loop1 *const *)r->state, p);
}
#else
static void FN(loop)(size_t n, const void *vx, void *vy, const void *params)
{
    const FN(limits) *l = params;
    const T *x = vx;
    T *y = vy, low = l->low, high = l->high;
    if (l->has_low && l->has_high) {
        OX_INDEPENDENT
        for (size_t i = 0; i < n; i++) {
            T v = x[i] < low ? low : x[i];
            y[i] = v > high ? high : v;
        }
    } else if (l->has_low) {
        OX_INDEPENDENT
        for (size_t i = 0; i < n; i++)
            y[i] = x[i] < low ? low : x[i];
    } else if (l->has_high) {
        OX_INDEPENDENT
        for (size_t i = 0; i < n; i++)
            y[i] = x[i] > high ? high : x[i];
    } else {
        memmove(y, x, n * sizeof(T));
    }
}
static ox_code FN(map)(ox_run *r, const FN(limits) *l) { return ox_map1(r, FN(loop), l); }
#endif

static ox_code FN(limit)(const ox_run *r, int i, T *value, bool *given)
{
    *given = i < r->n_in && r->in[i];
    if (*given && ox_count(r->in[i]) != 1)
        return OX_FAIL(r->err, OX_E_SHAPE, "%s has %lld elements, expected one", i == 1 ? "min" : "max",
                       (long long)ox_count(r->in[i]));
    if (*given)
        *value = *(const T *)r->in[i]->data;
    return OX_OK;
}

static ox_code FN(run)(ox_run *r)
{
    FN(limits) l = { 0 };
#if IS_FLOAT
    if (r->since < 11) { /* version 6 has defaults, version 1 has not */
        l.low = (T)ox_attr_f64(r, "min");
        l.high = (T)ox_attr_f64(r, "max");
        l.has_low = r->since >= 6 || ox_attr_given(r, "min");
        l.has_high = r->since >= 6 || ox_attr_given(r, "max");
        return FN(map)(r, &l);
    }
#endif
    OX_TRY(FN(limit)(r, 1, &l.low, &l.has_low));
    OX_TRY(FN(limit)(r, 2, &l.high, &l.has_high));
    return FN(map)(r, &l);
}

#else /* ---- once ---- */
#include "kernels/elementwise/elementwise.h"
#include "kernels/math/base.h"
#include "runtime/op.h"

#include <math.h>

#define TYPES MASK_NUM
#define TMPL  "kernels/elementwise/op_clip.c"
#include "runtime/tensor/each_dtype.h"

/* state: the micro-kernel of f32 */
static ox_code prepare(ox_run *r)
{
    const ox_uk_elementwise *row = ox_uk_loop1_pick(OX_LOOP1_clip);
    *(ox_loop1 **)r->state = row->run1;
    if (r->in[0]->dtype == OX_F32)
        r->kernel = row->name;
    return OX_OK;
}

OX_OP(Clip, 1) .infer = ox_infer_like, .prepare = prepare, .run = { KERNELS(run, NUM) }, .error = { ERR_EXACT, 0 },
    .state_size = sizeof(ox_loop1 *), .flags = OX_INPLACE0 | OX_SYMBOLIC OX_END;
#endif
