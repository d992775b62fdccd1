#include "kernels/norm/rows.h"

#include <math.h>

ox_norm_rows ox_norm_rows_pick(ox_dtype dtype) { return (ox_norm_rows){ dtype, ox_norm_pick() }; }

void ox_norm_moments(const ox_norm_rows *k, int64_t n, const void *x, double *mean, double *variance)
{
    if (k->dtype == OX_F32) {
        k->f32.moments((size_t)n, x, mean, variance);
        return;
    }
    const double *v = x;
    double sum = 0, squares = 0;
    for (int64_t i = 0; i < n; i++)
        sum += v[i];
    *mean = sum / (double)n;
    for (int64_t i = 0; i < n; i++)
        squares += (v[i] - *mean) * (v[i] - *mean);
    *variance = squares / (double)n;
}

double ox_norm_mean_square(const ox_norm_rows *k, int64_t n, const void *x)
{
    if (k->dtype == OX_F32)
        return k->f32.mean_square((size_t)n, x);
    const double *v = x;
    double squares = 0;
    for (int64_t i = 0; i < n; i++)
        squares += v[i] * v[i];
    return squares / (double)n;
}

void ox_norm_normalize(const ox_norm_rows *k, int64_t n, const void *x, double mean, double inverse,
                       const void *scale, const void *bias, void *y)
{
    if (k->dtype == OX_F32) {
        k->f32.normalize((size_t)n, x, mean, inverse, scale, bias, y);
        return;
    }
    const double *v = x, *s = scale, *b = bias;
    double *to = y;
    for (int64_t i = 0; i < n; i++)
        to[i] = (v[i] - mean) * inverse * s[i] + (b ? b[i] : 0);
}

void ox_norm_affine(const ox_norm_rows *k, int64_t n, const void *x, double mean, double a, double b,
                    void *y)
{
    if (k->dtype == OX_F32) {
        k->f32.affine((size_t)n, x, a, b - mean * a, y);
        return;
    }
    const double *v = x;
    double *to = y;
    for (int64_t i = 0; i < n; i++)
        to[i] = (v[i] - mean) * a + b;
}

void ox_norm_affine_each(const ox_norm_rows *k, int64_t n, const void *x, const double *a,
                         const double *b, void *y)
{
    if (k->dtype == OX_F32) {
        k->f32.affine_each((size_t)n, x, a, b, y);
        return;
    }
    const double *v = x;
    double *to = y;
    for (int64_t i = 0; i < n; i++)
        to[i] = v[i] * a[i] + b[i];
}

void ox_norm_add_squares(const ox_norm_rows *k, int64_t n, const void *x, double *sum)
{
    if (k->dtype == OX_F32) {
        k->f32.add_squares((size_t)n, x, sum);
        return;
    }
    const double *v = x;
    for (int64_t i = 0; i < n; i++)
        sum[i] += v[i] * v[i];
}

void ox_norm_respond(const ox_norm_rows *k, int64_t n, const void *x, const double *sum,
                     const ox_norm_response *p, void *y)
{
    if (k->dtype == OX_F32) {
        k->f32.respond((size_t)n, x, sum, p, y);
        return;
    }
    const double *v = x;
    double *to = y;
    for (int64_t i = 0; i < n; i++)
        to[i] = v[i] / pow(p->bias + p->alpha * sum[i], p->beta);
}
