/* Half conversions, 16 at a time with masked tails. */
#include "kernels/move/move.h"
#include <immintrin.h>

void uk_f16_to_f32_avx512_f16c(size_t n, const uint16_t *x, float *y)
{
    size_t i = 0;
    for (; n - i >= 16; i += 16)
        _mm512_storeu_ps(y + i, _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(x + i))));
    if (i < n) {
        __mmask16 left = (__mmask16)((1u << (n - i)) - 1);
        _mm512_mask_storeu_ps(y + i, left, _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(left, x + i)));
    }
}
void uk_f32_to_f16_avx512_f16c(size_t n, const float *x, uint16_t *y)
{
    size_t i = 0;
    for (; n - i >= 16; i += 16)
        _mm256_storeu_si256((__m256i *)(y + i),
                            _mm512_cvtps_ph(_mm512_loadu_ps(x + i), _MM_FROUND_TO_NEAREST_INT));
    if (i < n) {
        __mmask16 left = (__mmask16)((1u << (n - i)) - 1);
        _mm256_mask_storeu_epi16(y + i, left,
                                 _mm512_cvtps_ph(_mm512_maskz_loadu_ps(left, x + i),
                                                 _MM_FROUND_TO_NEAREST_INT));
    }
}
