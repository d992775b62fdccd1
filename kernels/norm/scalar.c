/* Normalisation; compiled once per instruction-set level.  Sums have LANES accumulators, so that their
 * order is the same at every level. */
#include "kernels/math/base.h"
#include "kernels/norm/norm.h"

#include <math.h>

/* Sum of x - c, and of its square */
enum { LANES = 16 };
static void sums(size_t n, const float *x, double c, double *sum, double *square)
{
    double a[LANES] = { 0 }, b[LANES] = { 0 };
    size_t i = 0;
    for (; n - i >= LANES; i += LANES)
        for (int l = 0; l < LANES; l++) {
            double d = x[i + (size_t)l] - c;
            a[l] += d;
            b[l] += d * d;
        }
    for (int l = 0; i < n; i++, l++) {
        double d = x[i] - c;
        a[l] += d;
        b[l] += d * d;
    }
    for (int half = LANES / 2; half; half /= 2)
        for (int l = 0; l < half; l++) {
            a[l] += a[l + half];
            b[l] += b[l + half];
        }
    *sum = a[0];
    *square = b[0];
}

/* One pass, shifted by an element: no element is further than sqrt(n) standard deviations from the
 * mean, so the difference below loses no more than a factor n of double's precision. */
void OX_UK(moments_f32)(size_t n, const float *x, double *mean, double *variance)
{
    double sum, square, c = x[0];
    sums(n, x, c, &sum, &square);
    sum /= (double)n;
    square = square / (double)n - sum * sum;
    *mean = c + sum;
    *variance = square > 0 || square != square ? square : 0;
}
double OX_UK(mean_square_f32)(size_t n, const float *x)
{
    double sum, square;
    sums(n, x, 0, &sum, &square);
    return square / (double)n;
}

#define LOOP(expr)                                                                                 \
    OX_INDEPENDENT                                                                                 \
    for (size_t i = 0; i < n; i++)                                                                 \
        y[i] = (float)(expr)

/* x a + b with a and b in two floats each: nearly one rounding, also where x a and b cancel.  Takes
 * fma, and numbers whose lower halves do not vanish below the smallest float. */
typedef struct line {
    float a, a_low, b, b_low;
    bool  fits;
} line;
static line line_of(double a, double b)
{
    line l = { .a = (float)a, .b = (float)b };
    l.a_low = (float)(a - l.a);
    l.b_low = (float)(b - l.b);
#if OX_HAS_FMA
    l.fits = fabs(a) > 0x1p-60 && fabs(a) < 0x1p60 && fabs(b) < 0x1p100;
#endif
    return l;
}
static inline float on_line(float x, line l)
{
    return ox_fma32(x, l.a, l.b) + ox_fma32(x, l.a_low, l.b_low);
}

void OX_UK(normalize_f32)(size_t n, const float *x, double mean, double inverse, const float *scale,
                          const float *bias, float *y)
{
    const line l = line_of(inverse, -mean * inverse);
    if (l.fits && scale && bias) {
        LOOP(ox_fma32(on_line(x[i], l), scale[i], bias[i]));
    } else if (l.fits && scale) {
        LOOP(on_line(x[i], l) * scale[i]);
    } else if (l.fits && bias) {
        LOOP(on_line(x[i], l) + bias[i]);
    } else if (l.fits) {
        LOOP(on_line(x[i], l));
    } else if (scale && bias) {
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
    const line l = line_of(a, b);
    if (l.fits) {
        LOOP(on_line(x[i], l));
    } else {
        LOOP(ox_fma64(x[i], a, b));
    }
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
