/* A bias or residual, then an activation of kernels/math/avx512.h. */
#include "kernels/elementwise/elementwise.h"
#include "kernels/math/avx512.h"

/* An operand's next elements: loaded, or the one that is repeated */
static inline __m512 next(const float *x, size_t i, int stride, __mmask16 mask)
{
    return stride ? _mm512_maskz_loadu_ps(mask, x + i) : OX_C(*x);
}

#define LOOP(name)                                                                                 \
    void uk_add_##name##_f32_avx512_table(size_t n, const void *vx, int sx, const void *vy,        \
                                          int sy, void *vz, const void *params)                    \
    {                                                                                              \
        const float x0 = n ? *(const float *)vx : 0, y0 = n ? *(const float *)vy : 0;              \
        const float *x = sx ? vx : &x0, *y = sy ? vy : &y0;                                        \
        float       *z = vz;                                                                       \
        (void)params;                                                                              \
        for (size_t i = 0; i < n; i += 16) {                                                       \
            __mmask16 mask = n - i < 16 ? ox_rest512(n - i) : (__mmask16)0xffff;                   \
            __m512    s = _mm512_add_ps(next(x, i, sx, mask), next(y, i, sy, mask));               \
            _mm512_mask_storeu_ps(z + i, mask, ox_##name##_avx512(s));                             \
        }                                                                                          \
    }
LOOP(gelu)
LOOP(gelu_tanh)
LOOP(sigmoid)
LOOP(silu)
LOOP(tanh)
