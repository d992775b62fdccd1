/* Movement in plain C.  Compiled again per instruction-set level, for what gains by it: bf16, weaving. */
#ifndef ISA
#define REFERENCE 1
#endif
#include "kernels/math/base.h"
#include "kernels/move/move.h"

void OX_UK(bf16_to_f32)(size_t n, const uint16_t *x, float *y)
{
    for (size_t i = 0; i < n; i++)
        y[i] = ox_float32((uint32_t)x[i] << 16);
}
void OX_UK(f32_to_bf16)(size_t n, const float *x, uint16_t *y)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t u = ox_bits32(x[i]), even = (u + 0x7fff + (u >> 16 & 1)) >> 16;
        y[i] = (uint16_t)((u & 0x7fffffffu) > 0x7f800000u ? u >> 16 | 0x40 : even);
    }
}

/* One loop over all planes: the compiler then loads whole vectors of tuples and shuffles. */
#define WEAVE(bits)                                                                                \
    void OX_UK(weave2_##bits)(size_t n, const void *vx, void *vy, size_t ld)                       \
    {                                                                                              \
        const ox_any##bits *a = vx, *b = a + ld;                                                   \
        ox_any##bits       *y = vy;                                                                \
        OX_INDEPENDENT                                                                             \
        for (size_t i = 0; i < n; i++)                                                             \
            y[2 * i] = a[i], y[2 * i + 1] = b[i];                                                  \
    }                                                                                              \
    void OX_UK(weave3_##bits)(size_t n, const void *vx, void *vy, size_t ld)                       \
    {                                                                                              \
        const ox_any##bits *a = vx, *b = a + ld, *c = b + ld;                                      \
        ox_any##bits       *y = vy;                                                                \
        OX_INDEPENDENT                                                                             \
        for (size_t i = 0; i < n; i++)                                                             \
            y[3 * i] = a[i], y[3 * i + 1] = b[i], y[3 * i + 2] = c[i];                             \
    }                                                                                              \
    void OX_UK(weave4_##bits)(size_t n, const void *vx, void *vy, size_t ld)                       \
    {                                                                                              \
        const ox_any##bits *a = vx, *b = a + ld, *c = b + ld, *d = c + ld;                         \
        ox_any##bits       *y = vy;                                                                \
        OX_INDEPENDENT                                                                             \
        for (size_t i = 0; i < n; i++)                                                             \
            y[4 * i] = a[i], y[4 * i + 1] = b[i], y[4 * i + 2] = c[i], y[4 * i + 3] = d[i];        \
    }                                                                                              \
    void OX_UK(unweave2_##bits)(size_t n, const void *vx, void *vy, size_t ld)                     \
    {                                                                                              \
        const ox_any##bits *x = vx;                                                                \
        ox_any##bits       *a = vy, *b = a + ld;                                                   \
        OX_INDEPENDENT                                                                             \
        for (size_t i = 0; i < n; i++)                                                             \
            a[i] = x[2 * i], b[i] = x[2 * i + 1];                                                  \
    }                                                                                              \
    void OX_UK(unweave3_##bits)(size_t n, const void *vx, void *vy, size_t ld)                     \
    {                                                                                              \
        const ox_any##bits *x = vx;                                                                \
        ox_any##bits       *a = vy, *b = a + ld, *c = b + ld;                                      \
        OX_INDEPENDENT                                                                             \
        for (size_t i = 0; i < n; i++)                                                             \
            a[i] = x[3 * i], b[i] = x[3 * i + 1], c[i] = x[3 * i + 2];                             \
    }                                                                                              \
    void OX_UK(unweave4_##bits)(size_t n, const void *vx, void *vy, size_t ld)                     \
    {                                                                                              \
        const ox_any##bits *x = vx;                                                                \
        ox_any##bits       *a = vy, *b = a + ld, *c = b + ld, *d = c + ld;                         \
        OX_INDEPENDENT                                                                             \
        for (size_t i = 0; i < n; i++)                                                             \
            a[i] = x[4 * i], b[i] = x[4 * i + 1], c[i] = x[4 * i + 2], d[i] = x[4 * i + 3];        \
    }
WEAVE(8)
WEAVE(16)
WEAVE(32)
WEAVE(64)

#if defined(REFERENCE)
enum { TILE = 16 };
#define TRANSPOSE(bits)                                                                            \
    void uk_transpose##bits##_scalar(size_t rows, size_t cols, const void *vx, size_t ld_x,        \
                                     void *vy, size_t ld_y)                                        \
    {                                                                                              \
        const ox_any##bits *x = vx;                                                                \
        ox_any##bits       *y = vy;                                                                \
        for (size_t i0 = 0; i0 < rows; i0 += TILE)                                                 \
            for (size_t j0 = 0; j0 < cols; j0 += TILE)                                             \
                for (size_t j = j0; j < j0 + TILE && j < cols; j++)                                \
                    for (size_t i = i0; i < i0 + TILE && i < rows; i++)                            \
                        y[j * ld_y + i] = x[i * ld_x + j];                                         \
    }
TRANSPOSE(8)
TRANSPOSE(16)
TRANSPOSE(32)
TRANSPOSE(64)

void uk_f16_to_f32_scalar(size_t n, const uint16_t *x, float *y)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t sign = (uint32_t)(x[i] & 0x8000) << 16, rest = x[i] & 0x7fff;
        uint32_t small = ox_bits32((float)(int32_t)rest * 0x1p-24f); /* subnormal half */
        uint32_t u = rest < 0x400 ? small : (rest << 13) + (112u << 23);
        u = rest >= 0x7c00 ? u | 0x7f800000u : u;
        u = rest > 0x7c00 ? u | 0x400000u : u;
        y[i] = ox_float32(u | sign);
    }
}
void uk_f32_to_f16_scalar(size_t n, const float *x, uint16_t *y)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t u = ox_bits32(x[i]), sign = u >> 16 & 0x8000, a = u & 0x7fffffffu;
        /* a subnormal half is a multiple of 2^-24: adding 1/2 leaves it in the low bits, rounded */
        uint32_t small = ox_bits32(ox_float32(a < 0x38800000u ? a : 0) + 0.5f) - 0x3f000000u;
        uint32_t normal = (a - 0x38000000u + 0xfff + (a >> 13 & 1)) >> 13;
        uint32_t h = a < 0x38800000u ? small : normal;
        h = a >= 0x477ff000u ? 0x7c00 : h; /* rounds past 65504 */
        h = a > 0x7f800000u ? 0x7e00 | (a >> 13 & 0x1ff) : h;
        y[i] = (uint16_t)(sign | h);
    }
}
#endif
