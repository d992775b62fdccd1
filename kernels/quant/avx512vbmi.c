/* A table of 256 bytes in four registers: vpermi2b reads two of them. */
#include "kernels/quant/quant.h"

#include <immintrin.h>

void uk_lookup8_avx512vbmi(size_t n, const uint8_t *x, uint8_t *y, const uint8_t *table)
{
    __m512i t[4];
    for (size_t i = 0; i < 4; i++)
        t[i] = _mm512_loadu_si512(table + 64 * i);
    for (size_t i = 0; i < n; i += 64) {
        __mmask64 m = n - i < 64 ? ((__mmask64)1 << (n - i)) - 1 : ~(__mmask64)0;
        __m512i v = _mm512_maskz_loadu_epi8(m, x + i);
        __m512i low = _mm512_permutex2var_epi8(t[0], v, t[1]), high = _mm512_permutex2var_epi8(t[2], v, t[3]);
        _mm512_mask_storeu_epi8(y + i, m, _mm512_mask_blend_epi8(_mm512_movepi8_mask(v), low, high));
    }
}
