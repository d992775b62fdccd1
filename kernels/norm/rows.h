/* Row loops of normalisation for the element types that the operators compute in: f32 by the
 * micro-kernels, f64 by plain loops. */
#ifndef OX_NORM_ROWS_H
#define OX_NORM_ROWS_H

#include "kernels/norm/norm.h"
#include "runtime/tensor/dtype.h"

typedef struct ox_norm_rows {
    ox_dtype        dtype; /* of x and y: OX_F32 or OX_F64 */
    ox_norm_kernels f32;
} ox_norm_rows;

ox_norm_rows ox_norm_rows_pick(ox_dtype dtype);

/* Mean and biased variance of n elements; n >= 1. */
void   ox_norm_moments(const ox_norm_rows *k, int64_t n, const void *x, double *mean, double *variance);
double ox_norm_mean_square(const ox_norm_rows *k, int64_t n, const void *x);
/* y = (x - mean) inverse scale[i] + bias[i]; bias may be NULL; both are elements of x's type. */
void ox_norm_normalize(const ox_norm_rows *k, int64_t n, const void *x, double mean, double inverse,
                       const void *scale, const void *bias, void *y);
/* y = (x - mean) a + b */
void ox_norm_affine(const ox_norm_rows *k, int64_t n, const void *x, double mean, double a, double b,
                    void *y);
/* y = x a[i] + b[i] */
void ox_norm_affine_each(const ox_norm_rows *k, int64_t n, const void *x, const double *a,
                         const double *b, void *y);
/* sum[i] += x^2 */
void ox_norm_add_squares(const ox_norm_rows *k, int64_t n, const void *x, double *sum);
/* y = x / (bias + alpha sum[i])^beta */
void ox_norm_respond(const ox_norm_rows *k, int64_t n, const void *x, const double *sum,
                     const ox_norm_response *p, void *y);

#endif
