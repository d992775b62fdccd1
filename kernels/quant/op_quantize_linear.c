/* QuantizeLinear: y = saturate(round(x / scale) + zero point), ties to even; NaN gives the smallest value.
 *
 * The division is done in the type of the scale, or in the attribute `precision`: rounding to f16 there
 * decides ties.  Float outputs are rounded by Cast's rules instead. */
#ifdef T /* ---- once per dtype: see runtime/tensor/each_dtype.h ---- */

/* v clamped to [low, high] - zero point, rounded, plus zero point.  NaN gives the lower limit. */
static inline int32_t FN(to_integer)(T v, int32_t low, int32_t high, int32_t zero)
{
    T least = (T)(low - zero), most = (T)(high - zero);
    v = v > least ? v : least;
    v = v < most ? v : most;
    return (int32_t)((v + MAGIC) - MAGIC) + zero;
}

static void FN(to_integers)(const quantize *q, const T *v, const int32_t *zero, size_t n, int32_t *out)
{
    int32_t low = q->low, high = q->high;
    if (zero && q->rows.s_in) {
        OX_INDEPENDENT_HINT
        for (size_t i = 0; i < n; i++)
            out[i] = FN(to_integer)(v[i], low, high, zero[i]);
    } else {
        int32_t z = zero ? *zero : 0;
        OX_INDEPENDENT_HINT
        for (size_t i = 0; i < n; i++)
            out[i] = FN(to_integer)(v[i], low, high, z);
    }
}

static void FN(to_floats)(const quantize *q, T *v, int64_t scale, size_t n, uint8_t *y)
{
    for (size_t i = 0; q->zero_f && i < n; i++) {
        double z = q->zero_f[scale + (q->rows.s_in ? (int64_t)i : 0)];
        v[i] = z == 0 ? v[i] : (T)(v[i] + z); /* -0 stays */
    }
    if (q->saturate)
        FROM(y, v, q->to, n);
    for (size_t i = 0; !q->saturate && i < n; i++)
        y[i] = ox_f8_from_f32(ox_f64_to_f32_odd((double)v[i]), q->to, false);
}

static void FN(divide)(const quantize *q, const char *x, int64_t scale, size_t n, T *v)
{
    const T *s = (const T *)q->scale + scale;
    TO(v, x, q->r->in[0]->dtype, n);
    ROUND_TO(v, q->work, n);
    if (q->rows.s_in) {
        OX_INDEPENDENT_HINT
        for (size_t i = 0; i < n; i++)
            v[i] = v[i] / s[i];
    } else {
        T one = *s;
        OX_INDEPENDENT_HINT
        for (size_t i = 0; i < n; i++)
            v[i] = v[i] / one;
    }
    ROUND_TO(v, q->work, n);
}

static void FN(block)(void *ctx, int64_t block, int worker)
{
    const quantize *q = ctx;
    const char *x = q->r->in[0]->data;
    char *y = q->r->out[0]->data;
    size_t size = ox_dtype_size(q->r->in[0]->dtype), out_size = ox_dtype_size(q->to);
    int64_t end = OX_MIN((block + 1) * q->rows.per_block, q->rows.outer * q->rows.n_row);
    (void)worker;
    for (int64_t i = block * q->rows.per_block; i < end; i++) {
        int64_t at, left, scale;
        ox_row(&q->rows, i, &at, &left, &scale);
        while (left > 0) {
            T v[STEP];
            int32_t whole[STEP];
            size_t n = (size_t)OX_MIN(left, STEP);
            FN(divide)(q, x + (size_t)at * size, scale, n, v);
            if (q->is_float) {
                FN(to_floats)(q, v, scale, n, (uint8_t *)y + at);
            } else {
                FN(to_integers)(q, v, q->zero ? q->zero + scale : NULL, n, whole);
                store(y + (size_t)at * out_size, whole, out_size, n);
            }
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

#include <math.h>
#include <string.h>

enum { STEP = 512 };

typedef struct quantize {
    const ox_run  *r;
    ox_rows        rows;
    ox_dtype       to, work;
    bool           is_float, saturate;
    int32_t        low, high;
    const void    *scale;  /* float or double */
    const int32_t *zero;   /* NULL: 0 */
    const double  *zero_f; /* the same for float outputs */
    ox_quant_kernels kernels;
} quantize;

/* Values that may be bytes or 16-bit words; they are in range. */
static void store(char *to, const int32_t *from, size_t size, size_t n)
{
    if (size == 1)
        for (size_t i = 0; i < n; i++)
            to[i] = (char)(uint8_t)from[i];
    else
        for (size_t i = 0; i < n; i++)
            ((uint16_t *)(void *)to)[i] = (uint16_t)from[i];
}

static void round_f32(float *v, ox_dtype work, size_t n)
{
    uint16_t narrow[STEP];
    if (work == OX_F32)
        return;
    ox_from_f32(narrow, v, work, n);
    ox_to_f32(v, narrow, work, n);
}

/* ---- what to do ---- */

static bool known_precision(ox_dtype t) { return t == OX_F64 || t == OX_F32 || t == OX_F16 || t == OX_BF16; }

static ox_code infer(ox_run *r)
{
    const ox_tensor *zero = r->n_in > 2 ? r->in[2] : NULL;
    int64_t to = r->since < 21 ? 0 : ox_attr_i64(r, "output_dtype");
    if (to < 0 || to >= OX_N_DTYPES)
        return OX_FAIL(r->err, OX_E_VALUE, "output_dtype is %lld", (long long)to);
    if (to && zero && zero->dtype != (ox_dtype)to && !r->f64)
        return OX_FAIL(r->err, OX_E_TYPE, "output_dtype is %s, the zero point %s", ox_dtype_name((ox_dtype)to),
                       ox_dtype_name(zero->dtype));
    r->out[0]->dtype = to ? (ox_dtype)to : zero ? zero->dtype : OX_U8;
    return ox_infer_like(r);
}

static ox_code range(const ox_run *r, quantize *q)
{
    int bits = ox_dtype_file_bits(q->to);
    q->is_float = ox_is_float(q->to) && bits <= 8 && q->to != OX_F8E8M0;
    if (!q->is_float && (!ox_is_int(q->to) || bits > 16))
        return OX_FAIL(r->err, OX_E_TYPE, "%s is no type to quantize to", ox_dtype_name(q->to));
    bool is_signed = ox_dtype_class(q->to) == OX_CLASS_INT;
    q->low = is_signed ? -(1 << (bits - 1)) : 0;
    q->high = is_signed ? (1 << (bits - 1)) - 1 : (1 << bits) - 1;
    q->saturate = r->since < 19 || ox_attr_i64(r, "saturate") || !(q->to >= OX_F8E4M3FN && q->to <= OX_F8E5M2FNUZ);
    return OX_OK;
}

static ox_code convert_scales(ox_run *r, quantize *q)
{
    const ox_tensor *s = r->in[1], *z = r->n_in > 2 ? r->in[2] : NULL;
    size_t n = (size_t)ox_count(s);
    void *scale = ox_scratch_array(r, n, sizeof(double));
    if (!scale)
        return OX_NO_MEMORY(r);
    if (q->work == OX_F64) {
        ox_to_f64(scale, s->data, s->dtype, n);
    } else {
        ox_to_f32(scale, s->data, s->dtype, n);
        for (size_t at = 0; at < n; at += STEP)
            round_f32((float *)scale + at, q->work, OX_MIN(n - at, (size_t)STEP));
    }
    q->scale = scale;
    if (!z)
        return OX_OK;
    void *zero = ox_scratch_array(r, n, sizeof(double));
    if (!zero)
        return OX_NO_MEMORY(r);
    if (q->is_float) {
        ox_to_f64(zero, z->data, z->dtype, n);
        q->zero_f = zero;
    } else {
        ox_convert(zero, OX_I32, z->data, z->dtype, n);
        q->zero = zero;
    }
    return OX_OK;
}

#define MAGIC ((T)(sizeof(T) == 8 ? 0x1.8p52 : 0x1.8p23)) /* added and subtracted: rounds to integer */
#define FROM(y, v, t, n) _Generic((v), float *: ox_from_f32, double *: ox_from_f64)(y, v, t, n)
#define TO(v, x, t, n)   _Generic((v), float *: ox_to_f32, double *: ox_to_f64)(v, x, t, n)
#define ROUND_TO(v, t, n) _Generic((v), float *: round_f32, double *: keep_f64)(v, t, n)
static void keep_f64(double *v, ox_dtype work, size_t n) { (void)v, (void)work, (void)n; }

#define TYPES MASK_FLOAT
#define TMPL  "kernels/quant/op_quantize_linear.c"
#include "runtime/tensor/each_dtype.h"

static ox_code prepare(ox_run *r, quantize *q)
{
    int64_t precision = r->since < 23 ? 0 : ox_attr_i64(r, "precision");
    *q = (quantize){ .r = r, .to = r->out[0]->dtype };
    q->work = precision ? (ox_dtype)precision : r->in[1]->dtype;
    if (precision && !known_precision(q->work))
        return OX_FAIL(r->err, OX_E_VALUE, "precision is %lld, expected a float type", (long long)precision);
    if (r->f64 || q->work == OX_I32)
        q->work = OX_F64;
    if (!known_precision(q->work)) /* f8e8m0 */
        q->work = OX_F32;
    OX_TRY(range(r, q));
    return ox_rows_init(r, &q->rows);
}

/* float32 to 8 bits where a row has one scale. */
static void block_q8(void *ctx, int64_t block, int worker)
{
    const quantize *q = ctx;
    const float *x = q->r->in[0]->data, *scale = q->scale;
    uint8_t *y = q->r->out[0]->data;
    int64_t end = OX_MIN((block + 1) * q->rows.per_block, q->rows.outer * q->rows.n_row);
    bool is_signed = q->to == OX_I8;
    (void)worker;
    for (int64_t i = block * q->rows.per_block; i < end; i++) {
        int64_t at, n, s;
        ox_row(&q->rows, i, &at, &n, &s);
        ox_q8 one = { scale[s], (q->zero ? q->zero[s] : 0) + (is_signed ? 128 : 0), is_signed ? 0x80 : 0 };
        q->kernels.quantize((size_t)n, x + at, y + at, &one);
    }
}

static ox_code run(ox_run *r)
{
    quantize q;
    OX_TRY(prepare(r, &q));
    OX_TRY(convert_scales(r, &q));
    q.kernels = ox_quant_pick();
    if (q.work == OX_F32 && r->in[0]->dtype == OX_F32 && (q.to == OX_I8 || q.to == OX_U8) && !q.rows.s_in) {
        ox_parallel(r, ox_rows_blocks(&q.rows), block_q8, &q);
        return OX_OK;
    }
    ox_parallel(r, ox_rows_blocks(&q.rows), q.work == OX_F64 ? block_f64 : block_f32, &q);
    return OX_OK;
}

/* The quotient in the type that is divided in, for float outputs; where the output's type saturates, its
 * largest value. */
static double quotient(double x, double scale, ox_dtype work)
{
    uint64_t narrow;
    double y = x / scale;
    ox_from_f64(&narrow, &y, work, 1);
    ox_to_f64(&y, &narrow, work, 1);
    return y;
}
static ox_code oracle(ox_oracle *o)
{
    quantize q;
    ox_run r = *o->r;
    if (!o->out[0])
        return OX_OK;
    OX_TRY(prepare(&r, &q));
    double huge = ox_dtype_huge(q.to);
    for (int64_t i = 0; i < q.rows.outer * q.rows.n_row; i++) {
        int64_t at, n, scale;
        ox_row(&q.rows, i, &at, &n, &scale);
        for (int64_t k = 0; k < n; k++) {
            int64_t s = scale + k * q.rows.s_in;
            double y = quotient(o->in[0][at + k], o->in[1][s], q.work) + (r.n_in > 2 && o->in[2] ? o->in[2][s] : 0);
            bool over = fabs(y) > huge, special = isnan(y) || (over && !q.saturate);
            uint8_t code = special ? ox_f8_from_f32((float)y, q.to, q.saturate) : 0;
            o->out[0][at + k] = special ? (double)ox_f8_to_f32(code, q.to) : over ? copysign(huge, y) : y;
        }
    }
    return OX_OK;
}

OX_OP(QuantizeLinear, 10) .infer = infer, .run_any = run, .key = OX_KEY_NONE, .oracle = oracle,
    .error = { ERR_ULP, 1 }, .flags = OX_SYMBOLIC OX_END;
#endif
