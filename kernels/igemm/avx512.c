/* Integer tile, 8 x 32: pmaddwd multiplies and adds a pair at once. */
#include "kernels/igemm/igemm.h"

#include <immintrin.h>
#include <string.h>

void uk_igemm_avx512(size_t pairs, const int16_t *a, const int16_t *b, int32_t *c)
{
    enum { MR = 8, NR = 32 };
    __m512i acc[MR][2];
    for (int i = 0; i < MR; i++)
        acc[i][0] = acc[i][1] = _mm512_setzero_si512();
    for (size_t p = 0; p < pairs; p++, a += 2 * MR, b += 2 * NR) {
        __m512i b0 = _mm512_loadu_si512(b), b1 = _mm512_loadu_si512(b + NR);
        for (int i = 0; i < MR; i++) {
            int32_t pair;
            memcpy(&pair, a + 2 * i, sizeof pair);
            __m512i v = _mm512_set1_epi32(pair);
            acc[i][0] = _mm512_add_epi32(acc[i][0], _mm512_madd_epi16(v, b0));
            acc[i][1] = _mm512_add_epi32(acc[i][1], _mm512_madd_epi16(v, b1));
        }
    }
    for (int i = 0; i < MR; i++)
        for (int h = 0; h < 2; h++)
            _mm512_storeu_si512(c + i * NR + h * 16, acc[i][h]);
}
