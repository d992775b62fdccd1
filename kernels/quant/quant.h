/* Micro-kernels on 8-bit numbers.  A number of either sign is read as u8: flip is 0x80 for s8, 0 for u8, and zero points
 * count from there (128 more for s8). */
#ifndef OX_QUANT_QUANT_H
#define OX_QUANT_QUANT_H

#include "runtime/base/cpu.h"
#include <stddef.h>
#include <stdint.h>

typedef struct ox_q8 {
    float   scale;
    int32_t zero;
    uint8_t flip;
} ox_q8;

/* The smallest and the largest of 0 and all x but NaN */
typedef void ox_uk_range(size_t n, const float *x, float range[2]);
/* y = (x - zero) * scale */
typedef void ox_uk_dequantize(size_t n, const uint8_t *x, float *y, const ox_q8 *q);
/* y = saturate(round half to even(x / scale) + zero); NaN gives the smallest */
typedef void ox_uk_quantize(size_t n, const float *x, uint8_t *y, const ox_q8 *q);

/* y = saturate(round((a - za) sa + (b - zb) sb) + zero), or of the product; the scales of a and b (of a
 * product: a's) have been divided by y's.  Operands with step 0 are one element. */
typedef struct ox_qpair {
    ox_q8 a, b, y;
} ox_qpair;
typedef void ox_uk_qpair(size_t n, const uint8_t *a, size_t step_a, const uint8_t *b, size_t step_b, uint8_t *y,
                         const ox_qpair *p);
/* The same where b is floats, already in y's scale. */
typedef void ox_uk_qpair_f32(size_t n, const uint8_t *a, size_t step_a, const float *b, size_t step_b, uint8_t *y,
                             const ox_qpair *p);
/* y = table[x]; y may be x */
typedef void ox_uk_lookup(size_t n, const uint8_t *x, uint8_t *y, const uint8_t *table);

typedef struct ox_quant_kernels {
    ox_uk_range      *range;
    ox_uk_dequantize *dequantize;
    ox_uk_quantize   *quantize;
    ox_uk_qpair      *add, *mul;
    ox_uk_qpair_f32  *add_f32, *mul_f32;
    ox_uk_lookup     *lookup;
} ox_quant_kernels;

#define UK(type, member, fn, isa) type fn;
#include "kernels/quant/ukernels.def"

/* Those that dispatch takes for this process's levels. */
ox_quant_kernels ox_quant_pick(void);

#endif
