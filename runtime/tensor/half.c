/* Arrays of f16 from and to f32: the edge of every node that computes f16 in f32.
 *
 * The one place outside kernels/ that looks at the CPU: the executor converts there, and the
 * portable code takes 15 times as long. */
#include "runtime/tensor/half.h"
#include "runtime/base/cpu.h"

static void widen(float *restrict to, const ox_f16 *restrict from, size_t n)
{
    for (size_t i = 0; i < n; i++)
        to[i] = ox_f16_to_f32(from[i]);
}

static void narrow(ox_f16 *restrict to, const float *restrict from, size_t n)
{
    for (size_t i = 0; i < n; i++)
        to[i] = ox_f32_to_f16(from[i]);
}

#if defined(OX_X86_64) && defined(__GNUC__)
#include <immintrin.h>

#define F16C __attribute__((target("avx,f16c")))
enum { LEVEL = OX_ISA_AVX2 }; /* which includes F16C */

F16C static size_t widen_level(float *to, const ox_f16 *from, size_t n)
{
    size_t i = 0;
    for (; i + 8 <= n; i += 8)
        _mm256_storeu_ps(to + i, _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(from + i))));
    return i;
}

F16C static size_t narrow_level(ox_f16 *to, const float *from, size_t n)
{
    size_t i = 0;
    for (; i + 8 <= n; i += 8)
        _mm_storeu_si128((__m128i *)(to + i), _mm256_cvtps_ph(_mm256_loadu_ps(from + i),
                                                              _MM_FROUND_TO_NEAREST_INT));
    return i;
}
#else
enum { LEVEL = 0 };
static size_t widen_level(float *to, const ox_f16 *from, size_t n)
{
    (void)to, (void)from, (void)n;
    return 0;
}
static size_t narrow_level(ox_f16 *to, const float *from, size_t n)
{
    (void)to, (void)from, (void)n;
    return 0;
}
#endif

void ox_f16_to_f32s(float *to, const ox_f16 *from, size_t n)
{
    size_t done = ox_cpu() & LEVEL ? widen_level(to, from, n) : 0;
    widen(to + done, from + done, n - done);
}

void ox_f32_to_f16s(ox_f16 *to, const float *from, size_t n)
{
    size_t done = ox_cpu() & LEVEL ? narrow_level(to, from, n) : 0;
    narrow(to + done, from + done, n - done);
}
