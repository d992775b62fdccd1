/* Integer tile, 4 x 16: bytes widened to 16 bits, for pmaddwd is exact where pmaddubsw saturates.
 * An accumulator holds two partial sums of each of four columns. */
#include "kernels/igemm/load4.h"
#include "kernels/igemm/store.h"

#include <immintrin.h>

enum { MR = 4, NR = 16 };

OX_INLINE void step(const int32_t a[MR], const int8_t *b, __m256i acc[MR][NR / 4])
{
    __m256i w[MR];
    OX_UNROLL for (int i = 0; i < MR; i++) w[i] = _mm256_cvtepu8_epi16(_mm_set1_epi32(a[i]));
    OX_UNROLL for (int v = 0; v < NR / 4; v++)
    {
        __m256i bv =
            _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(const void *)(b + 16 * v)));
        OX_UNROLL for (int i = 0; i < MR; i++) acc[i][v] =
            _mm256_add_epi32(acc[i][v], _mm256_madd_epi16(w[i], bv));
    }
}

void uk_igemm_avx2_4x16(const ox_itile *t)
{
    __m256i acc[MR][NR / 4];
    const int8_t *b = t->b;
    size_t whole = t->k & ~(size_t)3;
    int32_t a[MR], sums[MR * NR];
    OX_UNROLL for (int i = 0; i < MR; i++) OX_UNROLL for (int v = 0; v < NR / 4; v++) acc[i][v] =
        _mm256_setzero_si256();
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
    OX_UNROLL for (int i = 0; i < MR; i++) OX_UNROLL for (int v = 0; v < NR / 4; v += 2)
    {
        __m256i h = _mm256_hadd_epi32(acc[i][v], acc[i][v + 1]); /* columns 0 1 4 5 2 3 6 7 */
        h = _mm256_permute4x64_epi64(h, 0xd8);
        _mm256_storeu_si256((__m256i *)(void *)(sums + i * NR + 4 * v), h);
    }
    ox_itile_store(t, sums, NR);
}
