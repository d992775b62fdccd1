/* Scalar conversions between float and the narrow float types, rounding to nearest even.
 * f16 and bf16 are inline since kernels use them per element; the rest go through tables or code in
 * dtype.c, arrays through half.c. */
#ifndef OX_TENSOR_HALF_H
#define OX_TENSOR_HALF_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#if defined(__F16C__)
#include <immintrin.h>
#endif

typedef struct ox_f16 { uint16_t bits; } ox_f16;
typedef struct ox_bf16 { uint16_t bits; } ox_bf16;

static inline float ox_bf16_to_f32(ox_bf16 h)
{
    uint32_t u = (uint32_t)h.bits << 16;
    float f;
    memcpy(&f, &u, 4);
    return f;
}
static inline ox_bf16 ox_f32_to_bf16(float f)
{
    uint32_t u;
    memcpy(&u, &f, 4);
    if ((u & 0x7fffffffu) > 0x7f800000u)
        return (ox_bf16){ (uint16_t)(u >> 16 | 0x40) };
    return (ox_bf16){ (uint16_t)((u + 0x7fff + (u >> 16 & 1)) >> 16) };
}

#if defined(__F16C__)
static inline float ox_f16_to_f32(ox_f16 h) { return _cvtsh_ss(h.bits); }
static inline ox_f16 ox_f32_to_f16(float f)
{
    return (ox_f16){ _cvtss_sh(f, _MM_FROUND_TO_NEAREST_INT) };
}
#else
static inline float ox_f16_to_f32(ox_f16 h)
{
    uint32_t sign = (uint32_t)(h.bits & 0x8000) << 16, rest = h.bits & 0x7fff, u;
    float f;
    if (rest >= 0x7c00) { /* infinity, NaN */
        u = sign | 0x7f800000u | (rest & 0x3ff) << 13 | (rest & 0x3ff ? 0x400000u : 0);
    } else if (rest >= 0x400) {
        u = sign | ((rest << 13) + (112u << 23));
    } else { /* subnormal: rest * 2^-24 exactly */
        f = (float)rest * 0x1p-24f;
        memcpy(&u, &f, 4);
        u |= sign;
    }
    memcpy(&f, &u, 4);
    return f;
}
static inline ox_f16 ox_f32_to_f16(float f)
{
    uint32_t u;
    memcpy(&u, &f, 4);
    uint32_t sign = u >> 16 & 0x8000, abs = u & 0x7fffffffu;
    if (abs > 0x7f800000u)
        return (ox_f16){ (uint16_t)(sign | 0x7e00 | (abs >> 13 & 0x1ff)) };
    if (abs >= 0x477ff000u) /* rounds past 65504 */
        return (ox_f16){ (uint16_t)(sign | 0x7c00) };
    if (abs < 0x38800000u) { /* subnormal half: let float addition round at 2^-24 */
        float a, magic = 0.5f;
        uint32_t r;
        memcpy(&a, &abs, 4);
        a += magic;
        memcpy(&r, &a, 4);
        return (ox_f16){ (uint16_t)(sign | (r - 0x3f000000u)) };
    }
    abs += 0xfff + (abs >> 13 & 1);
    return (ox_f16){ (uint16_t)(sign | ((abs - 0x38000000u) >> 13)) };
}
#endif

/* Arrays, with the CPU's own conversion where it has one: the same bits. */
void ox_f16_to_f32s(float *to, const ox_f16 *from, size_t n);
void ox_f32_to_f16s(ox_f16 *to, const float *from, size_t n);

#endif
