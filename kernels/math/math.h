/* Elementary functions of one float: branch-free and inline, so that any loop over them is vectorised
 * at every instruction-set level with one algorithm.
 *
 * Except for exp they compute in double and round once at the end.  That is as fast as float with the
 * compensations that one ULP would need (measured), keeps subnormals, overflow and signed zeros right
 * without special cases, and leaves errors barely above half an ULP; docs/accuracy.md has the maximum
 * over all 2^32 arguments.  Polynomials are minimax fits by kernels/math/remez.py. */
#ifndef OX_MATH_MATH_H
#define OX_MATH_MATH_H

#include "kernels/math/base.h"
#include <math.h>

#define OX_LOG2E 0x1.71547652b82fep+0
#define OX_LN2   0x1.62e42fefa39efp-1

/* ---- cores in double: |relative error| <= 2^-31 ---- */

/* 2^u = scale * (1 + tail), u in [-1000, 1000]; tail is accurate relative to itself. */
static inline double ox_exp2_parts(double u, double *scale)
{
    /* Adding 1.5 2^52 leaves round(u) in the low bits; 1023 makes that the biased exponent. */
    double magic = 0x1.8p52 + 1023, t = u + magic, r = u - (t - magic);
    *scale = ox_float64(ox_bits64(t) << 52);
    return r * OX_POLY_6(r, 0x1.ffcbe6c23c546p-17, 0x1.443f837476b9cp-13, 0x1.5d88bdd6d6ec0p-10,
                         0x1.3b2a1c14ec6b1p-7, 0x1.c6b08cb128f79p-5, 0x1.ebfbe04548edfp-3,
                         0x1.62e42fefd33d3p-1);
}
static inline double ox_exp2_core(double u)
{
    double scale, tail = ox_exp2_parts(u, &scale);
    return ox_fma64(scale, tail, scale);
}
/* 2^u - 1, also relative to itself near 0 */
static inline double ox_exp2m1_core(double u)
{
    double scale, tail = ox_exp2_parts(u, &scale);
    return ox_fma64(scale, tail, scale - 1);
}

/* x = 2^k (1 + f) with 1 + f in [sqrt 1/2, sqrt 2), x positive and normal as a double */
static inline double ox_log_parts(double x, double *k)
{
    uint64_t half = 0x3fe6a09e667f3bcd, i = ox_bits64(x) - half;
    /* (i >> 52) as a signed number: it is 12 bits wide, biased here to stay positive */
    *k = ox_float64((((i >> 52) + 2048) & 4095) | 0x4330000000000000) - (0x1p52 + 2048);
    return ox_float64((i & 0x000fffffffffffff) + half) - 1;
}
/* log(1 + f) / f for f in [sqrt 1/2 - 1, sqrt 2 - 1] */
static inline double ox_log1p_poly(double f)
{
    return OX_POLY_11(f, -0x1.ea4ae0819cceap-5, 0x1.b7a8dc7372526p-4, -0x1.bdb1743fe6561p-4,
                      0x1.c36d2342f8334p-4, -0x1.fc5678c5b4049p-4, 0x1.24912e237af1ep-3,
                      -0x1.556951fa6025bp-3, 0x1.999a31c1fb707p-3, -0x1.ffffa6ba366c2p-3,
                      0x1.5555541cf2422p-2, -0x1.0000001c63557p-1, 0x1.0000000026644p+0);
}

/* ---- exp ---- */

/* In float, since softmax lives on it: exp(r) = 1 + r + r^2 q(r) after x = k ln 2 + r, with what
 * rounding r and 1 + r loses added back. */
static inline float ox_exp_f32(float x)
{
    x = ox_clamp32(x, -104, 89);
    float magic = 0x1.8p23f, t = ox_fma32(x, 0x1.715476p+0f, magic), k = t - magic;
    /* k times the upper part of ln 2 is exact: 15 and 9 bits */
    float r0 = x - k * 0x1.62e4p-1f, k1 = k * -0x1.7f7d1cp-20f, r = r0 + k1;
    float lost = (r0 - r) + k1;
    float q = 0x1.6ff980p-10f;
    q = ox_fma32(q, r, 0x1.125932p-7f);
    q = ox_fma32(q, r, 0x1.5552fap-5f);
    q = ox_fma32(q, r, 0x1.555464p-3f);
    q = ox_fma32(q, r, 0x1p-1f);
    float s = 1 + r;
    lost += r - (s - 1);
    float y = ox_fma32(q, r * r, lost) + s;
    /* 2^k in two factors: the second product overflows or becomes subnormal, in one rounding */
    uint32_t n = ox_bits32(t) - ox_bits32(magic), n1 = (uint32_t)((int32_t)n >> 1);
    return y * ox_float32((n1 + 127) << 23) * ox_float32((n - n1 + 127) << 23);
}

/* ---- log ---- */

/* y for positive finite x, else what log has there */
static inline float ox_log_special(float x, float y)
{
    y = ox_select32(x < INFINITY, y, x);
    y = ox_select32(x < 0, NAN, y);
    return ox_select32(x == 0, -INFINITY, y);
}
static inline float ox_log_f32(float x)
{
    double k, f = ox_log_parts(x, &k);
    return ox_log_special(x, (float)ox_fma64(k, OX_LN2, f * ox_log1p_poly(f)));
}

/* ---- saturating functions ---- */

static inline float ox_sigmoid_f32(float x)
{
    return (float)(1 / (1 + ox_exp2_core(ox_clamp32(x, -104, 104) * -OX_LOG2E)));
}
/* (e^2x - 1) / (e^2x + 1) */
static inline float ox_tanh_f32(float x)
{
    double e = ox_exp2m1_core(ox_clamp32(x, -10, 10) * (2 * OX_LOG2E));
    return ox_copysign32((float)(e / (e + 2)), x);
}
/* 1 - erfc(x), where log2 erfc(x) = -x q(x) with q smooth on [0, 4] */
static inline float ox_erf_f32(float x)
{
    double a = ox_abs32(ox_clamp32(x, -4, 4));
    double q = OX_POLY_10(a, 0x1.1e10c35da2088p-23, 0x1.fd9d62a790c6dp-23, -0x1.91e16f5f0bbb0p-16,
                          0x1.d6ef17ab03c36p-13, -0x1.11942f957f848p-10, 0x1.51609bc59dcb3p-9,
                          -0x1.72e93a218b57ap-12, -0x1.c3f0cf22bb4ecp-6, 0x1.2fa72b9a64b54p-3,
                          0x1.d63ed97e45f08p-1, 0x1.a0be83d6c445bp+0);
    return ox_copysign32((float)-ox_exp2m1_core(-a * q), x);
}

#endif
