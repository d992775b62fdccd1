/* Integer tile, 4 x 16: pmaddwd multiplies and adds a pair at once. */
#include "kernels/igemm/igemm.h"

#include <immintrin.h>
#include <string.h>

void uk_igemm_avx2(size_t pairs, const int16_t *a, const int16_t *b, int32_t *c)
{
    enum { MR = 4, NR = 16 };
    __m256i acc[MR][2];
    for (int i = 0; i < MR; i++)
        acc[i][0] = acc[i][1] = _mm256_setzero_si256();
    for (size_t p = 0; p < pairs; p++, a += 2 * MR, b += 2 * NR) {
        __m256i b0 = _mm256_loadu_si256((const __m256i *)(const void *)b);
        __m256i b1 = _mm256_loadu_si256((const __m256i *)(const void *)(b + NR));
        for (int i = 0; i < MR; i++) {
            int32_t pair;
            memcpy(&pair, a + 2 * i, sizeof pair);
            __m256i v = _mm256_set1_epi32(pair);
            acc[i][0] = _mm256_add_epi32(acc[i][0], _mm256_madd_epi16(v, b0));
            acc[i][1] = _mm256_add_epi32(acc[i][1], _mm256_madd_epi16(v, b1));
        }
    }
    for (int i = 0; i < MR; i++)
        for (int h = 0; h < 2; h++)
            _mm256_storeu_si256((__m256i *)(void *)(c + i * NR + h * 8), acc[i][h]);
}
