/* Normalisation; compiled once per instruction-set level.  Sums have LANES accumulators, so that their
 * order is the same at every level. */
#include "kernels/math/base.h"
#include "kernels/norm/norm.h"

#include <math.h>

enum { LANES = 32 };

static double total(double lane[LANES])
{
    for (int half = LANES / 2; half; half /= 2)
        for (int l = 0; l < half; l++)
            lane[l] += lane[l + half];
    return lane[0];
}
static double sum(size_t n, const float *x)
{
    double lane[LANES] = { 0 };
    size_t i = 0;
    for (; n - i >= LANES; i += LANES)
        for (int l = 0; l < LANES; l++)
            lane[l] += x[i + (size_t)l];
    for (int l = 0; i < n; i++, l++)
        lane[l] += x[i];
    return total(lane);
}
/* sum (x - c)^2 */
static double sum_square(size_t n, const float *x, double c)
{
    double lane[LANES] = { 0 };
    size_t i = 0;
    for (; n - i >= LANES; i += LANES)
        for (int l = 0; l < LANES; l++) {
            double d = x[i + (size_t)l] - c;
            lane[l] += d * d;
        }
    for (int l = 0; i < n; i++, l++)
        lane[l] += (x[i] - c) * (x[i] - c);
    return total(lane);
}

void OX_UK(moments_f32)(size_t n, const float *x, double *mean, double *variance)
{
    *mean = sum(n, x) / (double)n;
    *variance = sum_square(n, x, *mean) / (double)n;
}
double OX_UK(mean_square_f32)(size_t n, const float *x)
{
    return sum_square(n, x, 0) / (double)n;
}

#define LOOP(expr)                                                                                 \
    OX_INDEPENDENT                                                                                 \
    for (size_t i = 0; i < n; i++)                                                                 \
        y[i] = (float)(expr)

void OX_UK(normalize_f32)(size_t n, const float *x, double mean, double inverse, const float *scale,
                          const float *bias, float *y)
{
    if (scale && bias) {
        LOOP(ox_fma64((x[i] - mean) * inverse, scale[i], bias[i]));
    } else if (scale) {
        LOOP((x[i] - mean) * inverse * scale[i]);
    } else if (bias) {
        LOOP(ox_fma64(x[i] - mean, inverse, bias[i]));
    } else {
        LOOP((x[i] - mean) * inverse);
    }
}
void OX_UK(affine_f32)(size_t n, const float *x, double a, double b, float *y)
{
    LOOP(ox_fma64(x[i], a, b));
}
void OX_UK(affine_each_f32)(size_t n, const float *x, const double *a, const double *b, float *y)
{
    LOOP(ox_fma64(x[i], a[i], b[i]));
}

void OX_UK(add_squares_f32)(size_t n, const float *x, double *to)
{
    for (size_t i = 0; i < n; i++)
        to[i] = ox_fma64(x[i], x[i], to[i]);
}
void OX_UK(respond_f32)(size_t n, const float *x, const double *to, const ox_norm_response *p, float *y)
{
    double alpha = p->alpha, bias = p->bias;
    if (p->beta == 0.75) { /* AlexNet's: two square roots */
        OX_INDEPENDENT
        for (size_t i = 0; i < n; i++) {
            double root = sqrt(ox_fma64(alpha, to[i], bias));
            y[i] = (float)(x[i] / (root * sqrt(root)));
        }
    } else if (p->beta == 0.5) {
        LOOP(x[i] / sqrt(ox_fma64(alpha, to[i], bias)));
    } else {
        LOOP(x[i] / pow(ox_fma64(alpha, to[i], bias), p->beta));
    }
}
