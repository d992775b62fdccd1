/* Range: start, start + delta, ... before limit.  Floats are start + i * delta in double, rounded
 * once, which is what stash_type asks for and more. */
#ifdef T /* ---- once per dtype ---- */

static ox_code FN(range)(ox_run *r)
{
    const T *start = r->in[0]->data, *delta = r->in[2]->data;
    T *y = r->out[0]->data;
    int64_t n = ox_count(r->out[0]);
#if IS_FLOAT
    double first = (double)LD(start), step = (double)LD(delta);
    for (int64_t i = 0; i < n; i++)
        ST(y + i, (C)(first + (double)i * step));
#else
    W first = (W)LD(start), step = (W)LD(delta);
    for (int64_t i = 0; i < n; i++)
        ST(y + i, (C)(first + (W)i * step));
#endif
    return OX_OK;
}

#else /* ---- once ---- */
#include "runtime/op.h"

#include <math.h>

#define TYPES (M_F32 | M_F64 | M_I16 | M_I32 | M_I64)
#define TMPL  "kernels/move/op_range.c"
#include "runtime/tensor/each_dtype.h"

/* max(ceil((limit - start) / delta), 0); -1 where that is no number of elements. */
static int64_t count_f64(double start, double limit, double delta)
{
    double n = ceil((limit - start) / delta);
    return !(fabs(n) < 0x1p62) ? -1 : n > 0 ? (int64_t)n : 0;
}

static int64_t count_i64(int64_t start, int64_t limit, int64_t delta)
{
    if (delta > 0 ? start >= limit : start <= limit)
        return 0;
    uint64_t far =
        delta > 0 ? (uint64_t)limit - (uint64_t)start : (uint64_t)start - (uint64_t)limit;
    uint64_t step = delta > 0 ? (uint64_t)delta : 0 - (uint64_t)delta, n = (far - 1) / step + 1;
    return n < (uint64_t)1 << 62 ? (int64_t)n : -1;
}

static ox_code infer(ox_run *r)
{
    int64_t n = OX_DIM_UNKNOWN;
    for (int i = 0; i < 3; i++)
        if (ox_shape_known(r->in[i]) && ox_count(r->in[i]) != 1)
            return OX_FAIL(r->err, OX_E_SHAPE, "input %d has %lld elements, expected 1", i,
                           (long long)ox_count(r->in[i]));
    if (ox_in_known(r, 0) && ox_in_known(r, 1) && ox_in_known(r, 2)) {
        bool is_float = ox_is_float(r->in[0]->dtype);
        if (ox_get_f64(r->in[2], 0) == 0)
            return OX_FAIL(r->err, OX_E_VALUE, "delta is 0");
        n = is_float ? count_f64(ox_get_f64(r->in[0], 0), ox_get_f64(r->in[1], 0),
                                 ox_get_f64(r->in[2], 0))
                     : count_i64(ox_get_i64(r->in[0], 0), ox_get_i64(r->in[1], 0),
                                 ox_get_i64(r->in[2], 0));
        if (n < 0)
            return OX_FAIL(r->err, OX_E_VALUE,
                           "start, limit and delta give no finite number of elements");
    }
    ox_out_shape(r, 0, 1, &n);
    return OX_OK;
}

static ox_code oracle(ox_oracle *o)
{
    int64_t n = ox_count(o->r->out[0]);
    for (int64_t i = 0; i < n; i++)
        o->out[0][i] = fma((double)i, o->in[2][0], o->in[0][0]);
    for (int64_t i = 0; i < n; i++) /* cancellation: what is added decides */
        o->mag[0][i] = fabs(o->in[0][0]) + fabs((double)i * o->in[2][0]);
    return OX_OK;
}

OX_OP(Range, 11) .infer = infer, .oracle = oracle, .error = { ERR_SUM, 2 }, .flags = OX_SYMBOLIC,
    .run = { [OX_F32] = range_f32, [OX_F64] = range_f64, [OX_I16] = range_i16, [OX_I32] = range_i32,
             [OX_I64] = range_i64 } OX_END;
#endif
