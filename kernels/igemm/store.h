/* What follows the sums of a tile, in plain C: for rows whose vectors the compiler can make itself.
 */
#ifndef OX_IGEMM_STORE_H
#define OX_IGEMM_STORE_H

#include "kernels/igemm/igemm.h"

#if defined(__clang__)
#define OX_UNROLL _Pragma("clang loop unroll(full)")
#else
#define OX_UNROLL _Pragma("GCC unroll 64")
#endif
#define OX_INLINE static inline __attribute__((always_inline))

/* Adding and taking off 1.5 * 2^23 rounds half to even where |v| < 2^22. */
#define OX_ROUND_MAGIC 0x1.8p23f

OX_INLINE float ox_iclamp(float v, float lo, float hi)
{
    v = v > lo ? v : lo;
    return v < hi ? v : hi;
}

/* One row: s[n] are its sums. */
OX_INLINE void ox_itile_store_row(const ox_itile *t, size_t i, const int32_t *restrict s, size_t n)
{
    const float *restrict mul = t->mul, *restrict add = t->add, lo = t->lo, hi = t->hi;
    const int32_t zero = t->zero;
    if (t->out == OX_IOUT_I32) {
        int32_t *restrict c = (int32_t *)t->c + i * t->ldc;
        for (size_t j = 0; j < n; j++)
            c[j] = s[j];
    } else if (t->out == OX_IOUT_F32) {
        float *restrict c = (float *)t->c + i * t->ldc;
        for (size_t j = 0; j < n; j++)
            c[j] = ox_iclamp((float)s[j] * mul[j] + add[j], lo, hi);
    } else {
        uint8_t *restrict c = (uint8_t *)t->c + i * t->ldc;
        for (size_t j = 0; j < n; j++) {
            float v = ox_iclamp((float)s[j] * mul[j] + add[j], lo, hi);
            c[j] = (uint8_t)((int32_t)((v + OX_ROUND_MAGIC) - OX_ROUND_MAGIC) + zero);
        }
        for (size_t j = 0; t->table && j < n; j++)
            c[j] = t->table[c[j]];
    }
}

/* sums: m rows of nr sums. */
static inline void ox_itile_store(const ox_itile *t, const int32_t *restrict sums, size_t nr)
{
    const int32_t *restrict col = t->col;
    for (size_t i = 0; i < t->m; i++, sums += nr) {
        uint32_t row = t->row ? (uint32_t)t->row[i] : 0;
        int32_t s[OX_IGEMM_NR];
        for (size_t j = 0; j < t->n; j++)
            s[j] = (int32_t)((uint32_t)sums[j] + (uint32_t)col[j] + row);
        if (t->n == nr)
            ox_itile_store_row(t, i, s, nr);
        else
            ox_itile_store_row(t, i, s, t->n);
    }
}

#endif
