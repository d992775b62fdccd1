/* Elementary functions of floats: branch-free and inline, so that any loop over them is vectorised at
 * every instruction-set level with one algorithm.
 *
 * Except for exp they compute in double and round once, at the end.  That is as fast as float with the
 * compensations that one ULP would need (measured; AVX-512 has better ways: avx512.h), keeps
 * subnormals, overflow and most special values right by itself, and leaves errors barely above half an
 * ULP; docs/accuracy.md has the maximum over all 2^32 arguments. */
#ifndef OX_MATH_MATH_H
#define OX_MATH_MATH_H

#include "kernels/math/core.h"

/* ---- exponentials ---- */

/* In float, since softmax lives on it: exp(r) = 1 + r + r^2 q(r) after x = k ln 2 + r, with what
 * rounding r and 1 + r loses added back. */
static inline float ox_exp_f32(float x)
{
    x = ox_clamp32(x, -104, 89);
    float magic = 0x1.8p23f, t = ox_fma32(x, 0x1.715476p+0f, magic), k = t - magic;
    /* k times the upper part of ln 2 is exact: 15 and 9 bits */
    float r0 = x - k * 0x1.62e4p-1f, k1 = k * -0x1.7f7d1cp-20f, r = r0 + k1;
    float lost = (r0 - r) + k1;
    float q = 0x1.6aef8ep-10f;
    q = ox_fma32(q, r, 0x1.123f26p-7f);
    q = ox_fma32(q, r, 0x1.55584cp-5f);
    q = ox_fma32(q, r, 0x1.55548ap-3f);
    q = ox_fma32(q, r, 0x1.fffffcp-2f);
    float s = 1 + r;
    lost += r - (s - 1);
    float y = ox_fma32(q, r * r, lost) + s;
    /* 2^k in two factors: the second product overflows or becomes subnormal, in one rounding */
    uint32_t n = ox_bits32(t) - ox_bits32(magic), n1 = (uint32_t)((int32_t)n >> 1);
    return y * ox_float32((n1 + 127) << 23) * ox_float32((n - n1 + 127) << 23);
}
static inline float ox_exp2_f32(float x) { return (float)ox_exp2_core(ox_clamp32(x, -160, 160)); }
static inline float ox_expm1_f32(float x)
{
    return ox_copysign32((float)ox_exp2m1_core(ox_clamp32(x, -104, 104) * OX_LOG2E), x);
}
/* (E + E / (E + 1)) / 2 with E = e^|x| - 1 */
static inline float ox_sinh_f32(float x)
{
    double e = ox_exp2m1_core(ox_abs32(ox_clamp32(x, -104, 104)) * OX_LOG2E);
    return ox_copysign32((float)(0.5 * (e + e / (e + 1))), x);
}
static inline float ox_cosh_f32(float x)
{
    double e = ox_exp2_core(ox_abs32(ox_clamp32(x, -104, 104)) * OX_LOG2E);
    return (float)(0.5 * (e + 1 / e));
}
/* (e^2x - 1) / (e^2x + 1) */
static inline float ox_tanh_f32(float x)
{
    double e = ox_exp2m1_core(ox_clamp32(x, -10, 10) * (2 * OX_LOG2E));
    return ox_copysign32((float)(e / (e + 2)), x);
}

/* ---- logarithms ---- */

/* y for positive finite x, else what a logarithm has there */
static inline float ox_log_special(float x, float y)
{
    y = ox_select32(x < INFINITY, y, x);
    y = ox_select32(x < 0, NAN, y);
    return ox_select32(x == 0, -INFINITY, y);
}
static inline float ox_log_f32(float x) { return ox_log_special(x, (float)ox_log_core(x)); }
static inline float ox_log2_f32(float x)
{
    double k, f = ox_log_parts(x, &k);
    return ox_log_special(x, (float)ox_fma64(f * ox_log1p_poly(f), OX_LOG2E, k));
}
static inline float ox_log1p_f32(float x)
{
    float y = ox_copysign32((float)ox_log1p_core(x), x);
    y = ox_select32(x < INFINITY, y, x);
    y = ox_select32(x < -1, NAN, y);
    return ox_select32(x == -1, -INFINITY, y);
}
/* log(a + sqrt(a^2 + 1)) */
static inline float ox_asinh_f32(float x)
{
    float a = ox_abs32(x);
    double d = a, square = d * d;
    float y = (float)ox_log1p_core(d + square / (1 + sqrt(1 + square)));
    return ox_copysign32(ox_select32(a < INFINITY, y, a), x);
}
static inline float ox_acosh_f32(float x)
{
    double d = x - 1.0;
    float y = (float)ox_log1p_core(d + sqrt(d * (d + 2)));
    y = ox_select32(x < INFINITY, y, x);
    return ox_select32(x < 1, NAN, y);
}
static inline float ox_atanh_f32(float x)
{
    float a = ox_abs32(x);
    double d = a;
    float y = (float)(0.5 * ox_log1p_core(2 * d / (1 - d)));
    y = ox_select32(a == 1, INFINITY, y);
    y = ox_select32(a > 1, NAN, y);
    return ox_copysign32(ox_select32(a == a, y, a), x);
}

/* ---- error function, activations ---- */

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
static inline float ox_erfc_f32(float x)
{
    double y = ox_erfc_core(ox_abs32(ox_clamp32(x, -10.25f, 10.25f)));
    return (float)ox_select64(x < 0, 2 - y, y);
}
static inline float ox_sigmoid_f32(float x)
{
    return (float)(1 / (1 + ox_exp2_core(ox_clamp32(x, -104, 104) * -OX_LOG2E)));
}

/* Activations x g(x) with g(-inf) = 0.  g is limited to a value below 2^-300, which every float turns
 * into 0; only -inf must be told: there the product is NaN, as the formulas have it. */
static inline float ox_gated(float x, double g)
{
    return ox_select32(x == -INFINITY, NAN, (float)(x * g));
}

/* g is the normal distribution function */
static inline float ox_gelu_f32(float x)
{
    double half = 0.5 * ox_erfc_core(ox_abs32(ox_clamp32(x, -14.5f, 14.5f)) * 0x1.6a09e667f3bcdp-1);
    return (float)(x * ox_select64(x < -14.5f, 0, ox_select64(x < 0, half, 1 - half)));
}
/* g = (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) / 2, which is a sigmoid */
static inline float ox_gelu_tanh_f32(float x)
{
    double c = ox_clamp32(x, -14.5f, 14.5f);
    double u = c * ox_fma64(c * c, 0.044715, 1) * (-2 * OX_LOG2E * 0x1.9884533d43651p-1);
    return ox_gated(x, 1 / (1 + ox_exp2_core(u)));
}
/* g = sigmoid(x) */
static inline float ox_hard_swish_f32(float x)
{
    double gate = x * (1.0 / 6) + 0.5;
    gate = gate < 0 ? 0 : gate;
    gate = gate > 1 ? 1 : gate;
    return (float)(x * gate);
}
static inline float ox_silu_f32(float x)
{
    return ox_gated(x, 1 / (1 + ox_exp2_core(ox_clamp32(x, -250, 250) * -OX_LOG2E)));
}
/* g = sigmoid(alpha x) */
static inline double ox_swish_core(float x, float alpha)
{
    double u = (double)x * alpha * -OX_LOG2E;
    u = ox_select64(u > 1000, 1000, u);
    u = ox_select64(u < -1000, -1000, u);
    double g = 1 / (1 + ox_exp2_core(u));
    return x * ox_select64(u >= 1000, 0, g);
}
static inline float ox_swish_f32(float x, float alpha) { return (float)ox_swish_core(x, alpha); }
/* g = tanh(log(1 + e^x)) = n / (n + 2), n = e^2x + 2 e^x */
static inline float ox_mish_f32(float x)
{
    double e = ox_exp2_core(ox_clamp32(x, -250, 40) * OX_LOG2E), n = e * (e + 2);
    return ox_gated(x, n / (n + 2));
}
/* log(1 + e^x) = max(x, 0) + log(1 + e^-|x|) */
static inline float ox_softplus_f32(float x)
{
    double e = ox_exp2_core(ox_abs32(ox_clamp32(x, -104, 104)) * -OX_LOG2E);
    return (float)(ox_select32(x < 0, 0, x) + ox_log1p_core(e));
}
static inline float ox_elu_f32(float x, float alpha)
{
    double e = ox_exp2m1_core(ox_clamp32(x, -104, 104) * OX_LOG2E);
    return ox_select32(x < 0, (float)(alpha * e), x);
}
static inline float ox_selu_f32(float x, float alpha, float gamma)
{
    double e = ox_exp2m1_core(ox_clamp32(x, -104, 104) * OX_LOG2E);
    return (float)(gamma * ox_select64(x < 0, alpha * e, x));
}
/* max(x, 0) + min(0, alpha (e^(x / alpha) - 1)) */
static inline float ox_celu_f32(float x, float alpha)
{
    double u = x * (OX_LOG2E / alpha);
    u = ox_select64(u > 200, 200, u);
    u = ox_select64(u < -200, -200, u);
    double low = alpha * ox_exp2m1_core(u);
    float y = ox_select32(x > 0, x, 0) + (float)ox_select64(low < 0, low, 0);
    return ox_select32(x == x, y, x);
}

/* ---- powers ---- */

static inline float ox_sqrt_f32(float x) { return sqrtf(x); }
static inline float ox_rcp_f32(float x) { return 1 / x; }

/* C's pow, special values included. */
static inline float ox_pow_f32(float x, float y)
{
    float a = ox_abs32(x), b = ox_abs32(y);
    double k, f = ox_log_parts(a, &k);
    double l = ox_fma64(f * ox_log1p_poly_fine(f), OX_LOG2E, k);
    l = ox_select64(a < INFINITY, l, a);
    l = ox_select64(a == 0, -INFINITY, l);
    double u = l * y;
    u = ox_select64(u > 200, 200, u);
    u = ox_select64(u < -200, -200, u);
    float z = (float)ox_exp2_core(u);
    /* an exponent beyond 2^24 is an even number, like 2^25 */
    double n = ox_clamp32(y, -0x1p25f, 0x1p25f), magic = 0x1.8p52, t = n + magic;
    bool whole = t - magic == n;
    uint32_t odd = whole ? (uint32_t)ox_bits64(t) & 1 : 0;
    z = ox_select32((x < 0) & (a < INFINITY) & !whole & (b < INFINITY), NAN, z);
    z = ox_float32(ox_bits32(z) ^ (odd << 31 & ox_bits32(x)));
    z = ox_select32((a == 1) & (b == INFINITY), 1, z);
    return ox_select32((x == 1) | (y == 0), 1, z);
}

#endif
