/* DequantizeLinear: y = (x - zero point) * scale, rounded once to the output's type. */
#ifdef T /* ---- once per dtype: see runtime/tensor/each_dtype.h ---- */

/* Integers of at most 16 bits: the difference is exact in T. */
#define EACH(type)                                                                                 \
    do {                                                                                           \
        const type *v = (const type *)x->data + at;                                                \
        if (si) {                                                                                  \
            OX_INDEPENDENT_HINT                                                                    \
            for (size_t i = 0; i < n; i++)                                                         \
                y[i] = (T)((int32_t)v[i] - z[i]) * s[i];                                           \
        } else {                                                                                   \
            int32_t zero = *z;                                                                     \
            T factor = *s;                                                                         \
            OX_INDEPENDENT_HINT                                                                    \
            for (size_t i = 0; i < n; i++)                                                         \
                y[i] = (T)((int32_t)v[i] - zero) * factor;                                         \
        }                                                                                          \
    } while (0);                                                                                   \
    break

static void FN(piece)(const dequantize *q, int64_t at, int64_t scale, size_t n, T *y)
{
    const ox_tensor *x = q->r->in[0];
    const T *s = (const T *)q->scale + scale;
    static const int32_t zeros[STEP];
    const int32_t *z = q->zero ? q->zero + scale : zeros;
    size_t si = q->rows.s_in ? 1 : 0;
    double wide[STEP];
    switch (q->how) {
    case OX_I8: EACH(int8_t);
    case OX_U8: EACH(uint8_t);
    case OX_I16: EACH(int16_t);
    case OX_U16: EACH(uint16_t);
    default:
        ox_to_f64(wide, (const char *)x->data + (size_t)at * ox_dtype_size(x->dtype), x->dtype, n);
        for (size_t i = 0; i < n; i++)
            y[i] = (T)((wide[i] - (q->zero_f ? q->zero_f[scale + (int64_t)(si * i)] : 0)) * (double)s[si * i]);
    }
}
#undef EACH

static void FN(block)(void *ctx, int64_t block, int worker)
{
    const dequantize *q = ctx;
    ox_tensor *y = q->r->out[0];
    int64_t end = OX_MIN((block + 1) * q->rows.per_block, q->rows.outer * q->rows.n_row);
    (void)worker;
    for (int64_t i = block * q->rows.per_block; i < end; i++) {
        int64_t at, left, scale;
        ox_row(&q->rows, i, &at, &left, &scale);
        while (left > 0) {
            T v[STEP], *to = y->dtype == DT ? (T *)y->data + at : v;
            size_t n = (size_t)OX_MIN(left, STEP);
            FN(piece)(q, at, scale, n, to);
            if (to == v)
                FROM((char *)y->data + (size_t)at * ox_dtype_size(y->dtype), v, y->dtype, n);
            at += (int64_t)n;
            left -= (int64_t)n;
            scale += q->rows.s_in ? (int64_t)n : 0;
        }
    }
}

#else /* ---- once ---- */
#include "kernels/math/base.h"
#include "kernels/quant/granularity.h"
#include "kernels/quant/quant.h"

enum { STEP = 512 };

typedef struct dequantize {
    const ox_run  *r;
    ox_rows        rows;
    ox_dtype       how;    /* the integer type that x is stored as; others go by double */
    const void    *scale;  /* float or double */
    const int32_t *zero;   /* NULL: 0 */
    const double  *zero_f; /* the same for the types that go by double */
    ox_quant_kernels kernels;
} dequantize;

#define FROM(y, v, t, n) _Generic((v), float *: ox_from_f32, double *: ox_from_f64)(y, v, t, n)

#define TYPES MASK_FLOAT
#define TMPL  "kernels/quant/op_dequantize_linear.c"
#include "runtime/tensor/each_dtype.h"

static ox_code infer(ox_run *r)
{
    int64_t to = r->since < 23 ? 0 : ox_attr_i64(r, "output_dtype");
    ox_dtype scale = r->in[1]->dtype;
    if (!to && r->since >= 24 && scale == OX_F8E8M0)
        return OX_FAIL(r->err, OX_E_TYPE, "x_scale is f8e8m0, so output_dtype must be given");
    r->out[0]->dtype = to ? (ox_dtype)to : scale;
    if (!ox_is_float(r->out[0]->dtype) || ox_dtype_file_bits(r->out[0]->dtype) < 16)
        return OX_FAIL(r->err, OX_E_TYPE, "%s is no type to dequantize to", ox_dtype_name(r->out[0]->dtype));
    return ox_infer_like(r);
}

/* Types below a byte lie in a byte each. */
static ox_dtype stored_as(ox_dtype t)
{
    switch (t) {
    case OX_I8: case OX_I4: case OX_I2: return OX_I8;
    case OX_U8: case OX_U4: case OX_U2: return OX_U8;
    case OX_I16: case OX_U16: return t;
    default: return OX_UNDEFINED;
    }
}

/* 8 bits to float32 where a row has one scale. */
static void block_q8(void *ctx, int64_t block, int worker)
{
    const dequantize *q = ctx;
    const uint8_t *x = q->r->in[0]->data;
    float *y = q->r->out[0]->data;
    const float *scale = q->scale;
    int64_t end = OX_MIN((block + 1) * q->rows.per_block, q->rows.outer * q->rows.n_row);
    bool is_signed = q->how == OX_I8;
    (void)worker;
    for (int64_t i = block * q->rows.per_block; i < end; i++) {
        int64_t at, n, s;
        ox_row(&q->rows, i, &at, &n, &s);
        ox_q8 one = { scale[s], (q->zero ? q->zero[s] : 0) + (is_signed ? 128 : 0), is_signed ? 0x80 : 0 };
        q->kernels.dequantize((size_t)n, x + at, y + at, &one);
    }
}

static ox_code run(ox_run *r)
{
    dequantize q = { .r = r, .how = stored_as(r->in[0]->dtype) };
    const ox_tensor *s = r->in[1], *z = r->n_in > 2 ? r->in[2] : NULL;
    size_t n = (size_t)ox_count(s);
    bool wide = r->out[0]->dtype == OX_F64;
    OX_TRY(ox_rows_init(r, &q.rows));
    void *scale = ox_scratch_array(r, n, sizeof(double)), *zero = z ? ox_scratch_array(r, n, sizeof(double)) : NULL;
    if (!scale || (z && !zero))
        return OX_NO_MEMORY(r);
    ox_convert(scale, wide ? OX_F64 : OX_F32, s->data, s->dtype, n);
    q.scale = scale;
    if (z && q.how) {
        ox_convert(zero, OX_I32, z->data, z->dtype, n);
        q.zero = zero;
    } else if (z) {
        ox_to_f64(zero, z->data, z->dtype, n);
        q.zero_f = zero;
    }
    q.kernels = ox_quant_pick();
    if (r->out[0]->dtype == OX_F32 && (q.how == OX_I8 || q.how == OX_U8) && !q.rows.s_in) {
        ox_parallel(r, ox_rows_blocks(&q.rows), block_q8, &q);
        return OX_OK;
    }
    ox_parallel(r, ox_rows_blocks(&q.rows), wide ? block_f64 : block_f32, &q);
    return OX_OK;
}

static ox_code oracle(ox_oracle *o)
{
    ox_rows rows;
    OX_TRY(ox_rows_init(o->r, &rows));
    for (int64_t i = 0; i < rows.outer * rows.n_row; i++) {
        int64_t at, n, scale;
        ox_row(&rows, i, &at, &n, &scale);
        for (int64_t k = 0; k < n; k++) {
            int64_t s = scale + k * rows.s_in;
            double zero = o->r->n_in > 2 && o->in[2] ? o->in[2][s] : 0;
            o->out[0][at + k] = (o->in[0][at + k] - zero) * o->in[1][s];
        }
    }
    return OX_OK;
}

OX_OP(DequantizeLinear, 10) .infer = infer, .run_any = run, .key = OX_KEY_NONE, .oracle = oracle,
    .error = { ERR_ULP, 0.51 }, .flags = OX_SYMBOLIC OX_END;
#endif
