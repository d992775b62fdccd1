/* Micro-kernels that apply a function of math.h to an array. */
#ifndef OX_MATH_UKERNELS_H
#define OX_MATH_UKERNELS_H

#include "runtime/base/cpu.h"
#include <stddef.h>

/* y[i] = f(x[i]), i < n.  No alignment asked; y may be x, and may not overlap it otherwise. */
typedef void ox_uk_f32(size_t n, const float *x, float *y);

typedef enum ox_math {
#define FN(name, ulp, exact) OX_MATH_##name,
#include "kernels/math/functions.def"
#undef FN
    OX_N_MATH
} ox_math;

#define UK(name, fn, isa) ox_uk_f32 fn;
#include "kernels/math/ukernels.def"

/* All rows, for tests and reports. */
typedef struct ox_uk_math {
    ox_math     fn;
    ox_uk_f32  *run;
    const char *name; /* "uk_exp_f32_avx2" */
    uint32_t    isa;  /* OX_ISA_... it needs */
} ox_uk_math;
extern const ox_uk_math ox_uk_math_rows[];
extern const size_t     ox_n_uk_math_rows;

/* The best row for this process's levels; never NULL.  Call it when planning, not per run. */
const ox_uk_math *ox_uk_math_pick(ox_math fn);

#endif
