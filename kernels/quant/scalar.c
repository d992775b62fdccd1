/* Loops over 8-bit numbers; compiled once per instruction-set level.  No fused multiply-adds: every
 * level gives the same bits. */
#include "kernels/math/base.h"
#include "kernels/quant/quant.h"

/* Adding and taking off 1.5 * 2^23 rounds half to even where |v| < 2^22. */
#define MAGIC 0x1.8p23f

static inline uint8_t narrow(float v, float lo, float hi, int32_t zero, uint8_t flip)
{
    v = v > lo ? v : lo; /* NaN too */
    v = v < hi ? v : hi;
    return (uint8_t)((int32_t)((v + MAGIC) - MAGIC) + zero) ^ flip;
}

void OX_UK(range)(size_t n, const float *x, float range[2])
{
    enum { LANES = 64 };
    float low[LANES] = { 0 }, high[LANES] = { 0 };
    size_t i = 0;
    for (; n - i >= LANES; i += LANES)
        for (size_t l = 0; l < LANES; l++) {
            low[l] = x[i + l] < low[l] ? x[i + l] : low[l];
            high[l] = x[i + l] > high[l] ? x[i + l] : high[l];
        }
    for (size_t l = 0; i < n; i++, l++) {
        low[l] = x[i] < low[l] ? x[i] : low[l];
        high[l] = x[i] > high[l] ? x[i] : high[l];
    }
    for (size_t l = 1; l < LANES; l++) {
        low[0] = low[l] < low[0] ? low[l] : low[0];
        high[0] = high[l] > high[0] ? high[l] : high[0];
    }
    range[0] = low[0];
    range[1] = high[0];
}

void OX_UK(dequantize8)(size_t n, const uint8_t *x, float *y, const ox_q8 *q)
{
    float scale = q->scale;
    int32_t zero = q->zero;
    uint8_t flip = q->flip;
    OX_INDEPENDENT
    for (size_t i = 0; i < n; i++)
        y[i] = (float)((int32_t)(uint8_t)(x[i] ^ flip) - zero) * scale;
}

void OX_UK(quantize8)(size_t n, const float *x, uint8_t *y, const ox_q8 *q)
{
    float scale = q->scale, lo = (float)-q->zero, hi = (float)(255 - q->zero);
    int32_t zero = q->zero;
    uint8_t flip = q->flip;
    OX_INDEPENDENT
    for (size_t i = 0; i < n; i++)
        y[i] = narrow(x[i] / scale, lo, hi, zero, flip);
}

#define WIDE(v, q) ((float)((int32_t)(uint8_t)((v) ^ (q).flip) - (q).zero) * (q).scale)
#define LOOP(i, j, expr)                                                                           \
    OX_INDEPENDENT                                                                                 \
    for (size_t k = 0; k < n; k++)                                                                 \
        y[k] = narrow(expr, lo, hi, out.zero, out.flip);
/* One loop for each way of stepping, so that each can be vectorised. */
#define PAIR(name, type, expr)                                                                     \
    void OX_UK(name)(size_t n, const uint8_t *a, size_t step_a, const type *b, size_t step_b,      \
                     uint8_t *y, const ox_qpair *p)                                                \
    {                                                                                              \
        const ox_q8 qa = p->a, qb = p->b, out = p->y;                                              \
        const float lo = (float)-out.zero, hi = (float)(255 - out.zero);                           \
        (void)qb;                                                                                  \
        if (step_a && step_b) {                                                                    \
            LOOP(k, k, expr(a[k], b[k]))                                                           \
        } else if (step_a) {                                                                       \
            const type one = *b;                                                                   \
            LOOP(k, 0, expr(a[k], one))                                                            \
        } else {                                                                                   \
            const uint8_t one = *a;                                                                \
            LOOP(0, k, expr(one, b[step_b ? k : 0]))                                               \
        }                                                                                          \
    }
#define ADD(u, v) (WIDE(u, qa) + WIDE(v, qb))
#define MUL(u, v) (WIDE(u, qa) * WIDE(v, qb))
#define ADD_F32(u, v) (WIDE(u, qa) + (v))
#define MUL_F32(u, v) (WIDE(u, qa) * (v))
PAIR(qadd, uint8_t, ADD)
PAIR(qmul, uint8_t, MUL)
PAIR(qadd_f32, float, ADD_F32)
PAIR(qmul_f32, float, MUL_F32)
