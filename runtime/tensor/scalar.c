/* The loops of spans.h; compiled once for each level, which changes no bit: sums go in the same lanes anywhere. */
#include "runtime/tensor/spans.h"

#include <math.h>

#ifndef ISA
#define ISA scalar
#endif
#define PASTE(isa)  ox_spans_##isa
#define EXPAND(isa) PASTE(isa)
enum { LANES = 64 };

static void widen(size_t n, const float *restrict x, double *restrict y)
{
    for (size_t i = 0; i < n; i++)
        y[i] = (double)x[i];
}

static void sum(size_t n, const double *restrict a, const float *restrict b, double *restrict y)
{
    for (size_t i = 0; i < n; i++)
        y[i] = a[i] + (double)b[i];
}

static void difference(size_t n, const double *restrict a, const double *restrict b, float *restrict y)
{
    for (size_t i = 0; i < n; i++)
        y[i] = (float)(a[i] - b[i]);
}

/* As many lanes as make the inner loop one that compilers turn into vectors. */
static void lanes(size_t n, const double *restrict a, const double *restrict b, double *restrict s,
                  double *restrict e, double *restrict m)
{
    for (size_t j = 0; j < n; j++) {
        double d = a[j] - b[j], size = fabs(d);
        s[j] += a[j] * a[j];
        e[j] += d * d;
        m[j] = size > m[j] ? size : m[j];
    }
}

static void sizes(size_t n, const double *restrict a, const double *restrict b, double to[3])
{
    double s[LANES] = { 0 }, e[LANES] = { 0 }, m[LANES] = { 0 };
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        lanes(LANES, a + i, b + i, s, e, m);
    lanes(n - i, a + i, b + i, s, e, m);
    for (size_t j = 0; j < LANES; j++) {
        to[0] += s[j];
        to[1] += e[j];
        to[2] = m[j] > to[2] ? m[j] : to[2];
    }
}

static bool within(size_t n, const double *restrict a, const double *restrict b, const double *restrict bound,
                   double times, double most)
{
    long long worse = 0;
    for (size_t i = 0; i < n; i++) {
        double d = fabs(a[i] - b[i]), allowed = times * bound[i];
        worse |= !(d <= allowed) | !(d <= most);
    }
    return !worse;
}

static void fold(size_t n, const double *restrict x, double *restrict square, double *restrict most)
{
    for (size_t i = 0; i < n; i++) {
        double v = fabs(x[i]);
        square[i] += v * v;
        most[i] = v > most[i] ? v : most[i];
    }
}

static void add(size_t n, double w, const double *restrict x, double *restrict y)
{
    for (size_t i = 0; i < n; i++)
        y[i] += w * x[i];
}

static void add3(size_t n, const double w[3], const double *restrict x, size_t step, double *restrict y)
{
    double a = w[0], b = w[1], c = w[2];
    for (size_t i = 0; i < n; i++)
        y[i] += a * x[i] + b * x[i + step] + c * x[i + 2 * step];
}

static void least(size_t n, double u, const double *restrict a, double v, const double *restrict b,
                  double *restrict y)
{
    for (size_t i = 0; i < n; i++) {
        double p = u * a[i], q = v * b[i];
        y[i] = p < q ? p : q;
    }
}

static void bounds(size_t n, double c, double tiny, const double *restrict y, double *restrict mag)
{
    for (size_t i = 0; i < n; i++)
        mag[i] = c * (mag[i] == mag[i] ? mag[i] : fabs(y[i])) + tiny;
}

const ox_spans EXPAND(ISA) = { widen, sum, difference, sizes, within, fold, add, add3, least, bounds };
