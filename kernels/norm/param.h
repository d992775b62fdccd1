/* Scale, bias and their like, as the row loops want them. */
#ifndef OX_NORM_PARAM_H
#define OX_NORM_PARAM_H

#include "kernels/norm/rows.h"
#include "runtime/op.h"

/* Input i broadcast to the last dimensions of X (input 0), from `axis` on, in elements of type dtype:
 * element j of row k is data[k * step + j].  step is 0 where all rows share one vector.
 * data is NULL when the input is absent. */
ox_code ox_norm_param(ox_run *r, int i, int axis, ox_dtype dtype, const void **data, int64_t *step)
    OX_MUST_CHECK;

/* Input i, of n elements whatever its shape, as double. */
ox_code ox_norm_vector(ox_run *r, int i, const char *name, int64_t n, const double **data) OX_MUST_CHECK;

/* Rows of n elements in a parallel block. */
static inline int64_t ox_norm_block(int64_t n) { return OX_MAX((1 << 14) / OX_MAX(n, 1), 1); }

#endif
