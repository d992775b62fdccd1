/* Loops over the functions of avx512.h. */
#include "kernels/math/avx512.h"
#include "kernels/math/ukernels.h"

#define LOOP(name)                                                                                 \
    void uk_##name##_f32_avx512_table(size_t n, const float *x, float *y)                          \
    {                                                                                              \
        size_t i = 0;                                                                              \
        for (; n - i >= 16; i += 16)                                                               \
            _mm512_storeu_ps(y + i, ox_##name##_avx512(_mm512_loadu_ps(x + i)));                   \
        __mmask16 rest = ox_rest512(n - i);                                                        \
        if (rest)                                                                                  \
            _mm512_mask_storeu_ps(y + i, rest,                                                     \
                                  ox_##name##_avx512(_mm512_maskz_loadu_ps(rest, x + i)));         \
    }
LOOP(erf)
LOOP(exp)
LOOP(gelu)
LOOP(gelu_tanh)
LOOP(sigmoid)
LOOP(silu)
LOOP(tanh)
