/* What checks of float functions share: arguments of all kinds, and errors in ULP. */
#ifndef KERNCHECK_FLOATS_H
#define KERNCHECK_FLOATS_H

#include "tests/kerncheck/kerncheck.h"
#include <math.h>
#include <string.h>

/* Lengths around what kernels work in: vectors, unrolled vectors, blocks. */
static const size_t kc_lengths[] = { 0,  1,  2,  3,  7,   8,   9,   15,  16,  17,  31,   32,  33,
                                     47, 63, 64, 65, 127, 128, 129, 255, 256, 257, 1000, 1021 };
#define KC_N_LENGTHS (sizeof kc_lengths / sizeof *kc_lengths)

/* Any float at all: bit patterns, numbers of ordinary size, special values. */
static inline void kc_fill_any(kc *k, float *x, size_t n)
{
    static const float special[] = { 0.0f,      -0.0f,     1,         -1,       INFINITY,  -INFINITY,
                                     NAN,       0x1p-149f, -0x1p-149f, 0x1p-126f, 0x1.fffffep127f,
                                     -0x1.fffffep127f, 0.5f, -0.5f,   2,        -2 };
    for (size_t i = 0; i < n; i++) {
        uint32_t bits = (uint32_t)kc_random(k);
        switch (kc_below(k, 8)) {
        case 0:
            memcpy(x + i, &bits, sizeof bits);
            break;
        case 1:
            x[i] = special[kc_below(k, sizeof special / sizeof *special)];
            break;
        case 2:
            x[i] = (float)(100 * kc_unit(k));
            break;
        default:
            x[i] = (float)(8 * kc_unit(k));
        }
    }
}

/* Spacing of floats at y. */
static inline double kc_spacing(double y)
{
    int e;
    frexp(fabs(y), &e);
    return ldexp(1, (e < -125 ? -125 : e) - 24);
}

/* y is the exact value within so many ULP plus `slack`, rounded to float where that overflows. */
static inline void kc_near(kc *k, float y, double exact, double ulps, double slack)
{
    float rounded = (float)exact;
    if (isinf(rounded))
        exact = rounded;
    if (y == 0 && exact == 0 && !signbit(y) != !signbit(exact))
        kc_fail(k, "%g where %g is right", (double)y, exact);
    kc_compare(k, y, exact, isfinite(exact) ? ulps * kc_spacing(rounded) + slack : 0, 0, false);
}

#endif
