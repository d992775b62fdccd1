/* Max, Min, Sum and Mean of any number of tensors.  NaN wins, as in numpy.
 *
 * More than three terms are summed in double: two roundings are the most that the error model allows. */
#ifdef T /* ---- once per dtype: see runtime/tensor/each_dtype.h ---- */

#if IS_FLOAT
#if BITS == 64
OX_LOOP2(FN(max_loop), T, T, T, ((a > b) | (a != a)) ? a : b)
OX_LOOP2(FN(min_loop), T, T, T, ((a < b) | (a != a)) ? a : b)
OX_LOOP2(FN(sum_loop), T, T, T, a + b)
#define LOOP(name) FN(name##_loop)
#else
#define LOOP(name) ox_used_loop2(r)
#endif
OX_LOOP2(FN(widen_loop), T, T, double, (double)a + b)
OX_LOOP2(FN(more_loop), double, T, double, a + b)
OX_LOOP2(FN(divide_loop), double, double, T, a / b)
OX_LOOP2(FN(middle_loop), T, T, T, ((double)a + b) / 2)
#else
OX_LOOP2(FN(max_loop), T, T, T, a > b ? a : b)
OX_LOOP2(FN(min_loop), T, T, T, a < b ? a : b)
#define LOOP(name) FN(name##_loop)
#endif

static ox_code FN(fold)(ox_run *r, ox_loop2 *loop)
{
    ox_tensor *z = r->out[0];
    if (r->n_in == 1)
        return copy(r);
    OX_TRY(ox_map2_of(r, r->in[0], r->in[1], z, loop, NULL));
    for (int i = 2; i < r->n_in; i++)
        OX_TRY(ox_map2_of(r, z, r->in[i], z, loop, NULL));
    return OX_OK;
}
static ox_code FN(max)(ox_run *r) { return FN(fold)(r, LOOP(max)); }
static ox_code FN(min)(ox_run *r) { return FN(fold)(r, LOOP(min)); }

#if IS_FLOAT
/* Sum of all inputs in double, divided. */
static ox_code FN(total)(ox_run *r, double divisor)
{
    ox_tensor wide = *r->out[0], scalar = { .dtype = OX_F64, .data = &divisor };
    wide.dtype = OX_F64;
    wide.buf = NULL;
    if (!(wide.data = ox_scratch_array(r, (size_t)ox_count(&wide), sizeof(double))))
        return OX_NO_MEMORY(r);
    OX_TRY(ox_map2_of(r, r->in[0], r->in[1], &wide, FN(widen_loop), NULL));
    for (int i = 2; i < r->n_in; i++)
        OX_TRY(ox_map2_of(r, &wide, r->in[i], &wide, FN(more_loop), NULL));
    return ox_map2_of(r, &wide, &scalar, r->out[0], FN(divide_loop), NULL);
}
static ox_code FN(sum)(ox_run *r)
{
    return r->n_in <= 3 ? FN(fold)(r, LOOP(sum)) : FN(total)(r, 1);
}
static ox_code FN(mean)(ox_run *r)
{
    if (r->n_in == 2)
        return ox_map2_of(r, r->in[0], r->in[1], r->out[0], FN(middle_loop), NULL);
    return r->n_in == 1 ? copy(r) : FN(total)(r, r->n_in);
}
#endif
#undef LOOP

#else /* ---- once ---- */
#include "kernels/elementwise/loop2.h"
#include "runtime/op.h"

#include <math.h>

static ox_code copy(ox_run *r)
{
    if (r->out[0]->data != r->in[0]->data)
        memcpy(r->out[0]->data, r->in[0]->data, ox_bytes(r->in[0]));
    return OX_OK;
}

/* Version 1 and 6 know no broadcasting. */
static ox_code infer(ox_run *r)
{
    for (int i = 1; i < r->n_in && r->since < 8; i++)
        if (!ox_shape_same(r->in[0], r->in[i])) {
            char a[128], b[128];
            return OX_FAIL(r->err, OX_E_SHAPE, "input %d has shape %s, input 0 %s", i,
                           ox_shape_text(b, sizeof(b), r->in[i]), ox_shape_text(a, sizeof(a), r->in[0]));
        }
    return ox_infer_broadcast(r);
}

static double exact_max(double a, double b, const void *p)
{
    (void)p;
    return a > b || a != a ? a : b;
}
static double exact_min(double a, double b, const void *p)
{
    (void)p;
    return a < b || a != a ? a : b;
}
static double exact_add(double a, double b, const void *p)
{
    (void)p;
    return a + b;
}
static double exact_add_abs(double a, double b, const void *p)
{
    (void)p;
    return a + fabs(b);
}
/* to[] = fn(to[], input i) for every i, to starting at `start`. */
static ox_code accumulate(const ox_oracle *o, double *to, double start, ox_exact2 *fn)
{
    ox_run r = *o->r;
    int64_t n = ox_count(r.out[0]);
    for (int64_t i = 0; i < n; i++)
        to[i] = start;
    for (int i = 0; i < o->r->n_in; i++) {
        const ox_tensor *in[2] = { r.out[0], o->r->in[i] };
        const double *x[2] = { to, o->in[i] };
        double *y[1] = { to };
        ox_run pair = r;
        pair.in = in;
        ox_oracle step = { &pair, x, y, NULL };
        OX_TRY(ox_map2_oracle(&step, fn, NULL));
    }
    return OX_OK;
}
static ox_code oracle_max(ox_oracle *o) { return accumulate(o, o->out[0], -INFINITY, exact_max); }
static ox_code oracle_min(ox_oracle *o) { return accumulate(o, o->out[0], INFINITY, exact_min); }
static ox_code oracle_sum(ox_oracle *o)
{
    OX_TRY(accumulate(o, o->out[0], 0, exact_add));
    return accumulate(o, o->mag[0], 0, exact_add_abs);
}
static ox_code oracle_mean(ox_oracle *o)
{
    double n = o->r->n_in;
    OX_TRY(oracle_sum(o));
    for (int64_t i = 0; i < ox_count(o->r->out[0]); i++) {
        o->out[0][i] /= n;
        o->mag[0][i] /= n;
    }
    return OX_OK;
}

#define TYPES MASK_NUM
#define TMPL  "kernels/elementwise/op_variadic.c"
#include "runtime/tensor/each_dtype.h"

#define RECORD(Op, name, set, kind, c, loop2)                                                      \
    static ox_code name##_prepare(ox_run *r) { return ox_use_loop2(r, loop2); }                    \
    OX_OP(Op, 1) .infer = infer, .prepare = name##_prepare, .run = { KERNELS(name, set) },         \
        .oracle = oracle_##name, .error = { kind, c }, .state_size = sizeof(ox_loop2 *),           \
        .flags = OX_INPLACE0 | OX_SYMBOLIC OX_END;
RECORD(Max, max, NUM, ERR_EXACT, 0, OX_LOOP2_max)
RECORD(Min, min, NUM, ERR_EXACT, 0, OX_LOOP2_min)
RECORD(Sum, sum, FLOAT, ERR_SUM, 2, OX_LOOP2_add)
RECORD(Mean, mean, FLOAT, ERR_SUM, 2, OX_LOOP2_add)
#endif
