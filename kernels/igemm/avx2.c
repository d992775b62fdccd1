/* Integer tile, 4 x 16: bytes widened to 16 bits, for pmaddwd is exact where pmaddubsw saturates.
 * An accumulator holds two partial sums of each of four columns. */
#include <immintrin.h>

#define VECTOR __m256i
#define VECTORS 4
#include "kernels/igemm/tile4.tmpl.h"

OX_INLINE void tile_step(const int32_t a[MR], const int8_t *b, VECTOR acc[MR][VECTORS])
{
    __m256i w[MR];
    OX_UNROLL for (int i = 0; i < MR; i++) w[i] = _mm256_cvtepu8_epi16(_mm_set1_epi32(a[i]));
    OX_UNROLL for (int v = 0; v < VECTORS; v++)
    {
        __m256i bv =
            _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(const void *)(b + 16 * v)));
        OX_UNROLL for (int i = 0; i < MR; i++) acc[i][v] =
            _mm256_add_epi32(acc[i][v], _mm256_madd_epi16(w[i], bv));
    }
}

OX_INLINE void tile_sums(VECTOR acc[MR][VECTORS], int32_t *sums)
{
    OX_UNROLL for (int i = 0; i < MR; i++) OX_UNROLL for (int v = 0; v < VECTORS; v += 2)
    {
        __m256i h = _mm256_hadd_epi32(acc[i][v], acc[i][v + 1]); /* columns 0 1 4 5 2 3 6 7 */
        h = _mm256_permute4x64_epi64(h, 0xd8);
        _mm256_storeu_si256((__m256i *)(void *)(sums + i * NR + 4 * v), h);
    }
}

void uk_igemm_avx2_4x16(const ox_itile *t) { tile(t); }
