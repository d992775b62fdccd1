/* Integer tile, 4 x 16, by vpdpbusd on 256-bit vectors: processors with AVX-VNNI, which need not
 * have AVX-512. */
#include <immintrin.h>

#define VECTOR __m256i
#define VECTORS 2
#include "kernels/igemm/tile4.tmpl.h"

OX_INLINE void tile_step(const int32_t a[MR], const int8_t *b, VECTOR acc[MR][VECTORS])
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

OX_INLINE void tile_sums(VECTOR acc[MR][VECTORS], int32_t *sums)
{
    OX_UNROLL for (int i = 0; i < MR; i++) OX_UNROLL for (int v = 0; v < VECTORS; v++)
        _mm256_storeu_si256((__m256i *)(void *)(sums + i * NR + 8 * v), acc[i][v]);
}

void uk_igemm_avxvnni_4x16(const ox_itile *t) { tile(t); }
