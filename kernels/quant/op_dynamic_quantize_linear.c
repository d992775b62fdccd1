/* DynamicQuantizeLinear: quantizes to u8 with a scale that just holds the smallest and largest element
 * and 0.  Where all are 0, which ONNX leaves undefined, the scale is 1. */
#ifdef T /* ---- once per dtype: see runtime/tensor/each_dtype.h ---- */

typedef struct FN(job) {
    const T *x;
    uint8_t *y;
    T       *range; /* two a block */
    int64_t  n;
    T        scale, zero;
    ox_quant_kernels kernels; /* for float */
} FN(job);

static void FN(find_range)(void *ctx, int64_t block, int worker)
{
    const FN(job) *j = ctx;
    int64_t at = block * BLOCK, end = OX_MIN(at + BLOCK, j->n);
    T low = 0, high = 0;
    (void)worker;
    if (IN_FLOAT) {
        j->kernels.range((size_t)(end - at), (const void *)(j->x + at), (void *)(j->range + 2 * block));
        return;
    }
    for (int64_t i = at; i < end; i++) {
        low = j->x[i] < low ? j->x[i] : low;
        high = j->x[i] > high ? j->x[i] : high;
    }
    j->range[2 * block] = low;
    j->range[2 * block + 1] = high;
}

static void FN(quantize)(void *ctx, int64_t block, int worker)
{
    const FN(job) *j = ctx;
    int64_t at = block * BLOCK, end = OX_MIN(at + BLOCK, j->n);
    (void)worker;
    if (IN_FLOAT) {
        const ox_q8 q = { .scale = (float)j->scale, .zero = (int32_t)j->zero };
        j->kernels.quantize((size_t)(end - at), (const void *)(j->x + at), j->y + at, &q);
        return;
    }
    for (int64_t i = at; i < end; i++) {
        T v = j->x[i] / j->scale;
        v = v > 0 - j->zero ? v : 0 - j->zero; /* NaN too */
        v = v < 255 - j->zero ? v : 255 - j->zero;
        j->y[i] = (uint8_t)(int32_t)(((v + MAGIC) - MAGIC) + j->zero);
    }
}

static ox_code FN(run)(ox_run *r)
{
    int64_t n = ox_count(r->in[0]), n_block = (n + BLOCK - 1) / BLOCK;
    FN(job) j = { .x = r->in[0]->data, .n = n, .range = ox_scratch_array(r, (size_t)n_block * 2, sizeof(T)),
                  .kernels = ox_quant_pick() };
    T low = 0, high = 0;
    if (n_block && !j.range)
        return OX_NO_MEMORY(r);
    ox_parallel(r, n_block, FN(find_range), &j);
    for (int64_t i = 0; i < n_block; i++) {
        low = OX_MIN(low, j.range[2 * i]);
        high = OX_MAX(high, j.range[2 * i + 1]);
    }
    j.scale = high == low ? 1 : (high - low) / 255;
    j.zero = 0 - low / j.scale;
    j.zero = j.zero <= 255 ? (j.zero + MAGIC) - MAGIC : j.zero > 255 ? 255 : 0; /* NaN beside infinities */
    if (r->out[1])
        *(T *)r->out[1]->data = j.scale;
    if (r->out[2])
        *(uint8_t *)r->out[2]->data = (uint8_t)j.zero;
    if (r->out[0] && (j.y = r->out[0]->data))
        ox_parallel(r, n_block, FN(quantize), &j);
    return OX_OK;
}

#else /* ---- once ---- */
#include "kernels/quant/quant.h"
#include "runtime/op.h"

enum { BLOCK = 1 << 14 };
#define IN_FLOAT (sizeof(T) == sizeof(float))
#define MAGIC ((T)(sizeof(T) == 8 ? 0x1.8p52 : 0x1.8p23)) /* added and subtracted: rounds to integer */

#define TYPES MASK_FLOAT
#define TMPL  "kernels/quant/op_dynamic_quantize_linear.c"
#include "runtime/tensor/each_dtype.h"

static ox_code infer(ox_run *r)
{
    ox_out_shape(r, 0, r->in[0]->rank, r->in[0]->dim);
    ox_out_shape(r, 1, 0, NULL);
    ox_out_shape(r, 2, 0, NULL);
    return OX_OK;
}

static ox_code oracle(ox_oracle *o)
{
    double low = 0, high = 0;
    for (int64_t i = 0; i < ox_count(o->r->in[0]); i++) {
        low = OX_MIN(low, o->in[0][i]);
        high = OX_MAX(high, o->in[0][i]);
    }
    if (o->r->n_out > 1 && o->out[1])
        *o->out[1] = high == low ? 1 : (high - low) / 255;
    return OX_OK;
}

OX_OP(DynamicQuantizeLinear, 11) .infer = infer, .run = { KERNELS_FLOAT(run) }, .oracle = oracle,
    .error = { ERR_ULP, 1.01 }, .flags = OX_SYMBOLIC OX_END;
#endif
