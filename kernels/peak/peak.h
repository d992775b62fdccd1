/* Loops that do nothing but multiply and add in registers, or read: no kernel can be faster. */
#ifndef OX_KERNELS_PEAK_H
#define OX_KERNELS_PEAK_H

#include "runtime/base/cpu.h"

#include <stddef.h>

/* to[i] = a * to[i] + b for all `width` lanes, n times over; rounding as the level's multiply-add does. */
typedef void  ox_uk_peak_fma(size_t n, float a, float b, float *to);
/* The sum of x[0..n), n a multiple of 64, in no particular order. */
typedef float ox_uk_peak_read(size_t n, const float *x);

typedef struct ox_uk_peak {
    const char      *name;
    uint32_t         isa;
    size_t           width;
    ox_uk_peak_fma  *fma;
    ox_uk_peak_read *read;
} ox_uk_peak;

extern const ox_uk_peak ox_uk_peak_rows[];
extern const size_t     ox_n_uk_peak_rows;

#define UK(stem, isa, width) ox_uk_peak_fma stem##_fma; ox_uk_peak_read stem##_read;
#include "kernels/peak/ukernels.def"
#undef UK

#endif
