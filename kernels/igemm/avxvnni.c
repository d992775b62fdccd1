/* Integer tile, 4 x 16, by vpdpbusd on 256-bit vectors: processors with AVX-VNNI, which need not
 * have AVX-512. */
#include "kernels/igemm/load4.h"
#include "kernels/igemm/store.h"

#include <immintrin.h>

enum { MR = 4, NR = 16 };

OX_INLINE void step(const int32_t a[MR], const int8_t *b, __m256i acc[MR][2])
{
    __m256i b0 = _mm256_loadu_si256((const __m256i *)(const void *)b);
    __m256i b1 = _mm256_loadu_si256((const __m256i *)(const void *)(b + 32));
    OX_UNROLL for (int i = 0; i < MR; i++)
    {
        __m256i v = _mm256_set1_epi32(a[i]);
        acc[i][0] = _mm256_dpbusd_avx_epi32(acc[i][0], v, b0);
        acc[i][1] = _mm256_dpbusd_avx_epi32(acc[i][1], v, b1);
    }
}

void uk_igemm_avxvnni_4x16(const ox_itile *t)
{
    __m256i acc[MR][2];
    const int8_t *b = t->b;
    size_t whole = t->k & ~(size_t)3;
    int32_t a[MR], sums[MR * NR];
    OX_UNROLL for (int i = 0; i < MR; i++) acc[i][0] = acc[i][1] = _mm256_setzero_si256();
    for (size_t s = 0; s < t->n_run; s++) {
        const uint8_t *const *from = t->a + s * MR;
        for (size_t p = 0; p < whole; p += 4, b += 4 * NR) {
            OX_UNROLL for (int i = 0; i < MR; i++) a[i] = ox_load4(from[i] + p);
            step(a, b, acc);
        }
        if (whole < t->k) {
            for (int i = 0; i < MR; i++)
                a[i] = ox_load_tail(from[i] + whole, t->k - whole);
            step(a, b, acc);
            b += 4 * NR;
        }
    }
    OX_UNROLL for (int i = 0; i < MR; i++) OX_UNROLL for (int v = 0; v < 2; v++)
        _mm256_storeu_si256((__m256i *)(void *)(sums + i * NR + 8 * v), acc[i][v]);
    ox_itile_store(t, sums, NR);
}
