/* Complex transforms in single precision, the way FFTPACK's descendants (numpy's among them) order them:
 * self-sorting passes of radix 4, 2 and small odd numbers, twiddles rounded once.  A float32 spectrum computed so
 * agrees with theirs to the last bits, zeros included, where a double one would not show their rounding. */
#include "kernels/signal/fft.h"

#include <math.h>
#include <string.h>

static const double pi = 3.141592653589793238462643383279502884;

enum { MOST_FACTORS = 40, LARGEST = 11 };

typedef struct cf { float re, im; } cf;

static cf add(cf a, cf b) { return (cf){ a.re + b.re, a.im + b.im }; }
static cf sub(cf a, cf b) { return (cf){ a.re - b.re, a.im - b.im }; }
static cf mul(cf a, cf b) { return (cf){ a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re }; }

/* Radices in the order of the passes: fours, a two put in front, odd ones; 0 if one is too large. */
static int factors(size_t n, int *radix)
{
    int count = 0;
    for (; n % 4 == 0; n /= 4)
        radix[count++] = 4;
    if (n % 2 == 0) {
        n /= 2;
        radix[count++] = 2;
        int first = radix[0];
        radix[0] = 2;
        radix[count - 1] = first;
    }
    for (int p = 3; p <= LARGEST; p += 2)
        for (; n % (size_t)p == 0; n /= (size_t)p)
            radix[count++] = p;
    return n == 1 ? count : 0;
}

bool ox_fft32_fits(size_t n)
{
    int radix[MOST_FACTORS];
    return n > 1 && n < (size_t)1 << 30 && factors(n, radix) > 0;
}

/* The transform of r numbers in place. */
static void butterfly(cf *a, int r, int sign)
{
    if (r == 2) {
        cf t = a[0];
        a[0] = add(t, a[1]);
        a[1] = sub(t, a[1]);
    } else if (r == 4) {
        cf t2 = add(a[0], a[2]), t1 = sub(a[0], a[2]), t3 = add(a[1], a[3]), d = sub(a[1], a[3]);
        cf t4 = sign > 0 ? (cf){ -d.im, d.re } : (cf){ d.im, -d.re };
        a[0] = add(t2, t3);
        a[2] = sub(t2, t3);
        a[1] = add(t1, t4);
        a[3] = sub(t1, t4);
    } else { /* odd: pairs j, r - j share their products */
        cf t[LARGEST], d[LARGEST], all = a[0], first = a[0];
        for (int j = 1; j <= r / 2; j++) {
            t[j] = add(a[j], a[r - j]);
            d[j] = sub(a[j], a[r - j]);
            all = add(all, t[j]);
        }
        for (int l = 1; l <= r / 2; l++) {
            cf c = first, s = { 0, 0 };
            for (int j = 1; j <= r / 2; j++) {
                float cs = (float)cos(2 * pi * (l * j % r) / r), sn = (float)(sign * sin(2 * pi * (l * j % r) / r));
                c = (cf){ c.re + cs * t[j].re, c.im + cs * t[j].im };
                s = j == 1 ? (cf){ -(sn * d[j].im), sn * d[j].re } : (cf){ s.re - sn * d[j].im, s.im + sn * d[j].re };
            }
            a[l] = add(c, s);
            a[r - l] = sub(c, s);
        }
        a[0] = all;
    }
}

void ox_fft32(float *x, size_t n, int sign, float *work)
{
    int radix[MOST_FACTORS], count = factors(n, radix);
    cf *from = (cf *)x, *to = (cf *)work;
    size_t l1 = 1;
    for (int p = 0; p < count; p++) {
        size_t r = (size_t)radix[p], ido = n / (l1 * r);
        for (size_t i = 0; i < ido; i++) {
            cf w[LARGEST];
            for (size_t j = 1; j < r; j++) {
                double angle = 2 * pi * (double)(j * l1 * i) / (double)n;
                w[j] = (cf){ (float)cos(angle), (float)(sign * sin(angle)) };
            }
            for (size_t k = 0; k < l1; k++) {
                cf a[LARGEST];
                for (size_t j = 0; j < r; j++)
                    a[j] = from[i + ido * (j + r * k)];
                butterfly(a, (int)r, sign);
                for (size_t j = 0; j < r; j++)
                    to[i + ido * (k + l1 * j)] = j && i ? mul(a[j], w[j]) : a[j];
            }
        }
        cf *swap = from;
        from = to;
        to = swap;
        l1 *= r;
    }
    if (from != (cf *)x)
        memcpy(x, from, n * sizeof(cf));
}
