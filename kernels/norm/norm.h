/* Micro-kernels for normalisation.  Statistics are in double.  Results are within 1.5 ULP of (x -
 * mean) inverse and of x a + b, even where their terms cancel; scale and bias cost a rounding each.
 * Layer normalisation of a row is moments, then normalize with 1 / sqrt(variance + epsilon); RMS
 * normalisation is mean_square, then normalize with mean 0. */
#ifndef OX_NORM_NORM_H
#define OX_NORM_NORM_H

#include "runtime/base/cpu.h"
#include <stddef.h>

/* Mean and biased variance; n >= 1 */
typedef void ox_uk_moments(size_t n, const float *x, double *mean, double *variance);
typedef double ox_uk_mean_square(size_t n, const float *x);
/* y = (x - mean) * inverse * scale[i] + bias[i]; scale and bias may be NULL (all 1, all 0).  In all of
 * these y may be x, and may not overlap it otherwise. */
typedef void ox_uk_normalize(size_t n, const float *x, double mean, double inverse,
                             const float *scale, const float *bias, float *y);
/* y = x a + b: one channel, channels first */
typedef void ox_uk_affine(size_t n, const float *x, double a, double b, float *y);
/* y = x a[i] + b[i]: one pixel, channels last */
typedef void ox_uk_affine_each(size_t n, const float *x, const double *a, const double *b, float *y);

/* LRN: sum[i] += x^2, then y = x / (bias + alpha sum[i])^beta */
typedef struct ox_norm_response {
    double alpha, beta, bias;
} ox_norm_response;
typedef void ox_uk_add_squares(size_t n, const float *x, double *sum);
typedef void ox_uk_respond(size_t n, const float *x, const double *sum, const ox_norm_response *p,
                           float *y);

typedef struct ox_norm_kernels {
    ox_uk_moments     *moments;
    ox_uk_mean_square *mean_square;
    ox_uk_normalize   *normalize;
    ox_uk_affine      *affine;
    ox_uk_affine_each *affine_each;
    ox_uk_add_squares *add_squares;
    ox_uk_respond     *respond;
} ox_norm_kernels;

#define UK(type, member, fn, isa) type fn;
#include "kernels/norm/ukernels.def"

/* Those that dispatch takes for this process's levels; call it when planning. */
ox_norm_kernels ox_norm_pick(void);

#endif
