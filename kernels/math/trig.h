/* Circular functions and their inverses, in double, rounded once.
 *
 * Arguments up to 2^20 lose k pi/2 in two steps.  Above, 2/pi times the argument is taken modulo 4
 * from a table by exponent; the gathers cost more than all the rest, so loops ask first
 * (ox_any_large32) whether any element needs that.  Either way an element's bits are the same. */
#ifndef OX_MATH_TRIG_H
#define OX_MATH_TRIG_H

#include "kernels/math/base.h"
#include "kernels/math/two_over_pi.h"
#include <math.h>

#define OX_LARGE32 0x1p20f
#define OX_PI_2    0x1.921fb54442d18p+0

static inline bool ox_any_large32(size_t n, const float *x)
{
    uint32_t worst = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t a = ox_bits32(x[i]) & 0x7fffffffu;
        worst = a > worst ? a : worst;
    }
    return worst > ox_bits32(OX_LARGE32);
}

/* a = q pi/2 + r with |r| <= pi/4, for 0 <= a <= OX_LARGE32; NaN, infinity: r is NaN.  Only the low
 * two bits of the result q matter. */
static inline uint64_t ox_reduce_small(float a, double *r)
{
    double x = a, magic = 0x1.8p52, t = x * (1 / OX_PI_2) + magic, k = t - magic;
    /* k times the upper part of pi/2 is exact: 33 and 20 bits */
    *r = x - k * 0x1.921fb544p+0 - k * 0x1.0b4611a626331p-34;
    return ox_bits64(t);
}
static inline uint64_t ox_reduce_large(float a, double *r)
{
    uint32_t bits = ox_bits32(a), e = bits >> 23;
    e = e < 147 ? 147 : e > 254 ? 254 : e;
    const double *part = ox_two_over_pi[e - 147];
    double m = (double)(int32_t)((bits & 0x7fffffu) | 0x800000u) + 0 * a; /* keeps NaN, makes it of inf */
    double magic = 0x1.8p52, u = m * part[0], v = m * part[1], t = u + v + magic;
    *r = ((u - (t - magic)) + v + m * part[2]) * OX_PI_2;
    return ox_bits64(t);
}
static inline uint64_t ox_reduce(float a, double *r)
{
    return a > OX_LARGE32 ? ox_reduce_large(a, r) : ox_reduce_small(a, r);
}

/* On [-pi/4, pi/4], relative error 2^-37 and 2^-33. */
static inline double ox_sin_core(double r)
{
    double z = r * r;
    return ox_fma64(r * z, OX_POLY_3(z, 0x1.6cd1b2193c254p-19, -0x1.a00f7e23d4fe0p-13,
                                     0x1.11110869304afp-7, -0x1.5555554c7053bp-3), r);
}
static inline double ox_cos_core(double r)
{
    double z = r * r;
    return ox_fma64(z, OX_POLY_3(z, 0x1.991646b54c1cdp-16, -0x1.6c07eff02910ap-10,
                                 0x1.55553c74dc6b7p-5, -0x1.ffffffcb781b4p-2), 1);
}

/* sin(r + q pi/2) and tan; in 64 bits throughout, since mixing widths keeps gcc from vectorising. */
static inline double ox_sin_of(double r, uint64_t q)
{
    double y = ox_select_bit64(q, ox_cos_core(r), ox_sin_core(r));
    return ox_float64(ox_bits64(y) ^ (q & 2) << 62);
}
static inline double ox_tan_of(double r, uint64_t q)
{
    double s = ox_sin_core(r), c = ox_cos_core(r);
    return ox_select_bit64(q, -c, s) / ox_select_bit64(q, s, c);
}
static inline float ox_flip_sign32(float y, float x)
{
    return ox_float32(ox_bits32(y) ^ (ox_bits32(x) & 0x80000000u));
}

/* Any argument, and those up to OX_LARGE32 only. */
#define OX_CIRCULAR(reduce, suffix)                                                                \
    static inline float ox_sin##suffix(float x)                                                    \
    {                                                                                              \
        double   r;                                                                                \
        uint64_t q = reduce(ox_abs32(x), &r);                                                      \
        return ox_flip_sign32((float)ox_sin_of(r, q), x);                                          \
    }                                                                                              \
    static inline float ox_cos##suffix(float x)                                                    \
    {                                                                                              \
        double   r;                                                                                \
        uint64_t q = reduce(ox_abs32(x), &r);                                                      \
        return (float)ox_sin_of(r, q + 1);                                                         \
    }                                                                                              \
    static inline float ox_tan##suffix(float x)                                                    \
    {                                                                                              \
        double   r;                                                                                \
        uint64_t q = reduce(ox_abs32(x), &r);                                                      \
        return ox_flip_sign32((float)ox_tan_of(r, q), x);                                          \
    }
OX_CIRCULAR(ox_reduce, _f32)
OX_CIRCULAR(ox_reduce_small, _small_f32)
#undef OX_CIRCULAR

/* ---- inverses ---- */

/* asin(t) for t in [0, 1/2] */
static inline double ox_asin_core(double t)
{
    double z = t * t;
    return t * OX_POLY_7(z, 0x1.1e529a3b7e6a5p-5, 0x1.d96c30bff405fp-8, 0x1.94dfb869fafb2p-6,
                         0x1.ed07ddcbffbf7p-6, 0x1.6ddf13f138d69p-5, 0x1.33328d4c3740ep-4,
                         0x1.55555658c4420p-3, 0x1.ffffffffdecf3p-1);
}
/* Past 1/2: asin(a) = pi/2 - 2 asin(sqrt((1 - a) / 2)). */
static inline float ox_asin_f32(float x)
{
    double a = ox_abs32(x);
    bool big = a > 0.5;
    double p = ox_asin_core(ox_select64(big, sqrt(0.5 * (1 - a)), a));
    return ox_copysign32((float)ox_select64(big, OX_PI_2 - 2 * p, p), x);
}
static inline float ox_acos_f32(float x)
{
    double a = ox_abs32(x);
    bool big = a > 0.5;
    double p = ox_asin_core(ox_select64(big, sqrt(0.5 * (1 - a)), a));
    double from_0 = ox_select64(big, 2 * p, OX_PI_2 - p); /* acos(a) */
    return (float)ox_select64(x < 0, 2 * OX_PI_2 - from_0, from_0);
}
/* Past 1: atan(a) = pi/2 - atan(1/a). */
static inline float ox_atan_f32(float x)
{
    double a = ox_abs32(x);
    bool big = a > 1;
    double t = ox_select64(big, 1, a) / ox_select64(big, a, 1), z = t * t;
    double p = t * OX_POLY_11(z, -0x1.6706cbb890208p-11, 0x1.3de8e4edca994p-8,
                              -0x1.07f92ce55354ep-6, 0x1.183eb5ef2d7c1p-5, -0x1.bca78aa881132p-5,
                              0x1.28c8dfd598a48p-4, -0x1.6fd4a3c9cac3cp-4, 0x1.c6611174295d2p-4,
                              -0x1.248932826eed7p-3, 0x1.999923908479ep-3, -0x1.55555426a6bbap-2,
                              0x1.ffffffff7ed36p-1);
    return ox_copysign32((float)ox_select64(big, OX_PI_2 - p, p), x);
}

#endif
