/* Micro-kernels for softmax over adjacent floats and down columns.
 *
 * exp is kernels/math's (within 0.7 ULP for results that are no subnormals), its sum is kept in double
 * (AVX-512 adds pairs in float first), the quotient is rounded once: the relative error stays at 2 ULP
 * for any n, apart from what rounding x - max does, which moves exp by up to |x - max| half-ULP.  A NaN
 * or +inf makes a row NaN, and so does a row of -inf only. */
#ifndef OX_SOFTMAX_SOFTMAX_H
#define OX_SOFTMAX_SOFTMAX_H

#include "runtime/base/cpu.h"
#include <stddef.h>

/* n >= 1; y may be x, and may not overlap it otherwise */
typedef void ox_uk_softmax(size_t n, const float *x, float *y);
/* The same for every column of an n x cols matrix; rows of both are ld elements apart. */
typedef void ox_uk_softmax_cols(size_t n, size_t cols, const float *x, float *y, size_t ld);
/* max(x), ignoring NaN; n >= 1 */
typedef float ox_uk_row_max(size_t n, const float *x);
/* y = exp(x - shift); the sum of y.  For softmax in pieces (attention). */
typedef double ox_uk_exp_sum(size_t n, const float *x, float shift, float *y);

/* The kernels of one level, or the best of each. */
typedef struct ox_softmax_kernels {
    ox_uk_softmax      *softmax, *log_softmax;
    ox_uk_softmax_cols *softmax_cols, *log_softmax_cols;
    ox_uk_row_max      *row_max;
    ox_uk_exp_sum      *exp_sum;
} ox_softmax_kernels;

#define UK(type, member, fn, isa) type fn;
#include "kernels/softmax/ukernels.def"

/* Those that dispatch takes for this process's levels; call it when planning. */
ox_softmax_kernels ox_softmax_pick(void);

#endif
