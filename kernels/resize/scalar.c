/* Interpolation of float rows; compiled once per instruction-set level. */
#include "kernels/math/base.h"
#include "kernels/resize/ukernels.h"

#define LOOP(expr)                                                                                 \
    if (add) {                                                                                     \
        OX_INDEPENDENT                                                                             \
        for (int64_t i = 0; i < n; i++)                                                            \
            line[i] += (expr);                                                                     \
    } else {                                                                                       \
        OX_INDEPENDENT                                                                             \
        for (int64_t i = 0; i < n; i++)                                                            \
            line[i] = (expr);                                                                      \
    }                                                                                              \
    break

void OX_UK(blend_f32)(int64_t n, int rows, const float *const x[4], const float w[4], int add, float *line)
{
    const float *x0 = x[0], *x1 = x[1], *x2 = x[2], *x3 = x[3];
    float w0 = w[0], w1 = w[1], w2 = w[2], w3 = w[3];
    switch (rows) {
    case 1: LOOP(w0 * x0[i]);
    case 2: LOOP(ox_fma32(w1, x1[i], w0 * x0[i]));
    case 3: LOOP(ox_fma32(w2, x2[i], ox_fma32(w1, x1[i], w0 * x0[i])));
    default: LOOP(ox_fma32(w1, x1[i], w0 * x0[i]) + ox_fma32(w3, x3[i], w2 * x2[i]));
    }
}

void OX_UK(gather2_f32)(int64_t n, const float *line, const int32_t *at, const float *w, float *y)
{
    OX_INDEPENDENT
    for (int64_t o = 0; o < n; o++)
        y[o] = ox_fma32(w[2 * o + 1], line[at[2 * o + 1]], w[2 * o] * line[at[2 * o]]);
}

void OX_UK(gather4_f32)(int64_t n, const float *line, const int32_t *at, const float *w, float *y)
{
    OX_INDEPENDENT
    for (int64_t o = 0; o < n; o++)
        y[o] = ox_fma32(w[4 * o + 1], line[at[4 * o + 1]], w[4 * o] * line[at[4 * o]]) +
               ox_fma32(w[4 * o + 3], line[at[4 * o + 3]], w[4 * o + 2] * line[at[4 * o + 2]]);
}
