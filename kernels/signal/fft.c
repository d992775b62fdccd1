#include "kernels/signal/fft.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

static const double pi = 3.141592653589793238462643383279502884;

static size_t power_of_two(size_t n)
{
    size_t m = 1;
    while (m < n)
        m *= 2;
    return m;
}

size_t ox_fft_work(size_t n)
{
    if (n > SIZE_MAX / 128)
        return SIZE_MAX;
    size_t m = power_of_two(n) == n ? n : power_of_two(2 * n);
    return m + (m == n ? 0 : 4 * m + 2 * n); /* twiddles; two sequences and the chirp */
}

static void swap(double *a, double *b)
{
    double re = a[0], im = a[1];
    a[0] = b[0], a[1] = b[1];
    b[0] = re, b[1] = im;
}

/* n a power of two; w: n / 2 complex twiddles of that sign. */
static void radix2(double *x, size_t n, const double *w)
{
    for (size_t i = 1, j = 0; i < n; i++) {
        size_t bit = n / 2;
        for (; j & bit; bit /= 2)
            j ^= bit;
        j ^= bit;
        if (i < j)
            swap(x + 2 * i, x + 2 * j);
    }
    for (size_t len = 2; len <= n; len *= 2) {
        size_t half = len / 2, step = n / len;
        for (size_t i = 0; i < n; i += len)
            for (size_t k = 0; k < half; k++) {
                double *a = x + 2 * (i + k), *b = a + 2 * half, c = w[2 * k * step], s = w[2 * k * step + 1];
                double re = b[0] * c - b[1] * s, im = b[0] * s + b[1] * c;
                b[0] = a[0] - re, b[1] = a[1] - im;
                a[0] += re, a[1] += im;
            }
    }
}

static void twiddles(double *w, size_t n, int sign)
{
    for (size_t k = 0; k < n / 2; k++) {
        w[2 * k] = cos(2 * pi * (double)k / (double)n);
        w[2 * k + 1] = sign * sin(2 * pi * (double)k / (double)n);
    }
}

/* a[i] *= b[i], or its conjugate. */
static void multiply(double *a, const double *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        double re = a[2 * i] * b[2 * i] - a[2 * i + 1] * b[2 * i + 1];
        a[2 * i + 1] = a[2 * i] * b[2 * i + 1] + a[2 * i + 1] * b[2 * i];
        a[2 * i] = re;
    }
}

static void bluestein(double *x, size_t n, int sign, double *work)
{
    size_t m = power_of_two(2 * n);
    double *w = work, *a = w + m, *b = a + 2 * m, *chirp = b + 2 * m;
    for (size_t k = 0; k < n; k++) { /* k^2 mod 2n keeps the angle exact */
        double angle = pi * (double)((unsigned long long)k * k % (2 * n)) / (double)n;
        chirp[2 * k] = cos(angle);
        chirp[2 * k + 1] = sign * sin(angle);
    }
    memset(a, 0, 4 * m * sizeof(*a));
    memcpy(a, x, 2 * n * sizeof(*a));
    multiply(a, chirp, n);
    for (size_t k = 0; k < n; k++) {
        size_t mirror = k ? m - k : 0;
        b[2 * k] = b[2 * mirror] = chirp[2 * k];
        b[2 * k + 1] = b[2 * mirror + 1] = -chirp[2 * k + 1];
    }
    twiddles(w, m, -1);
    radix2(a, m, w);
    radix2(b, m, w);
    multiply(a, b, m);
    twiddles(w, m, 1);
    radix2(a, m, w);
    for (size_t k = 0; k < n; k++) {
        x[2 * k] = a[2 * k] / (double)m;
        x[2 * k + 1] = a[2 * k + 1] / (double)m;
    }
    multiply(x, chirp, n);
}

void ox_fft(double *x, size_t n, int sign, double *work)
{
    if (n < 2)
        return;
    if (power_of_two(n) != n) {
        bluestein(x, n, sign, work);
        return;
    }
    twiddles(work, n, sign);
    radix2(x, n, work);
}
