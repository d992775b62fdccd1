/* The functions that models spend time in, for AVX-512: tables in registers instead of the longer
 * polynomials of math.h, exponents by vscalefps; two to four times as fast as math.h recompiled.  Errors
 * are in docs/accuracy.md, as for all.  Masked loops treat tails like the rest. */
#ifndef OX_MATH_AVX512_H
#define OX_MATH_AVX512_H

#include "kernels/math/tables.h"
#include <immintrin.h>
#include <stddef.h>

#define OX_C(x) _mm512_set1_ps(x)

static inline __m512 ox_look16(const float table[16], __m512i i)
{
    return _mm512_permutexvar_ps(i, _mm512_loadu_ps(table));
}
static inline __m512 ox_look32(const float table[32], __m512i i)
{
    return _mm512_permutex2var_ps(_mm512_loadu_ps(table), i, _mm512_loadu_ps(table + 16));
}
/* |y| with the sign of x, for y >= 0 or of that sign already */
static inline __m512 ox_signed512(__m512 y, __m512 x)
{
    return _mm512_castsi512_ps(_mm512_ternarylogic_epi32(
        _mm512_castps_si512(y), _mm512_castps_si512(x), _mm512_set1_epi32((int)0x80000000u), 0xf8));
}
/* y, but NaN where x is -inf, and x where x is 0 or +inf: what x g(x) is with g(-inf) = 0, g(inf) = 1 */
static inline __m512 ox_gated512(__m512 y, __m512 x)
{
    return _mm512_fixupimm_ps(y, x, _mm512_set1_epi32(3 << 16 | 1 << 20 | 1 << 8), 0);
}

/* 2^k (t + m), t from a table and m small, is e^x.  k is rounded to sixteenths, r is what is left of
 * the argument; the table's index is the last four bits of `rounded`. */
typedef struct ox_exp512 {
    __m512 t, m, k;
} ox_exp512;
static inline ox_exp512 ox_exp512_of(__m512 rounded, __m512 k, __m512 r)
{
    __m512 q = _mm512_fmadd_ps(OX_C(0x1.555726p-3f), r, OX_C(0x1.000228p-1f));
    __m512i i = _mm512_castps_si512(rounded);
    ox_exp512 e = { .t = ox_look16(ox_exp2_table[0], i), .k = k };
    q = _mm512_fmadd_ps(_mm512_mul_ps(r, r), q, r);
    e.m = _mm512_fmadd_ps(e.t, q, ox_look16(ox_exp2_table[1], i));
    return e;
}
#define OX_LN2_HIGH 0x1.62e4p-1f
#define OX_LN2_LOW  0x1.7f7d1cp-20f
#define OX_MAGIC512 OX_C(0x1.8p19f) /* adding it leaves sixteenths in the low bits */

/* Results below the normal numbers take vscalefps (and whatever computes with them) twenty times as long.  Where
 * they are known to be 0 a mask leaves them out: x at or above `least`, or NaN. */
static inline __mmask16 ox_above512(__m512 x, float least) { return _mm512_cmp_ps_mask(x, OX_C(least), _CMP_NLT_UQ); }

/* x in [-250, 250] */
static inline ox_exp512 ox_exp512_parts(__m512 x)
{
    __m512 rounded = _mm512_fmadd_ps(x, OX_C(0x1.715476p+0f), OX_MAGIC512);
    __m512 k = _mm512_sub_ps(rounded, OX_MAGIC512);
    __m512 r = _mm512_fnmadd_ps(k, OX_C(OX_LN2_HIGH), x);
    return ox_exp512_of(rounded, k, _mm512_fnmadd_ps(k, OX_C(OX_LN2_LOW), r));
}
/* of min(max(x, -104), 89): the order of operands keeps NaN */
static inline __m512 ox_exp_avx512(__m512 x)
{
    ox_exp512 e = ox_exp512_parts(_mm512_max_ps(OX_C(-104), _mm512_min_ps(OX_C(89), x)));
    return _mm512_maskz_scalef_ps(ox_above512(x, -104), _mm512_add_ps(e.t, e.m), e.k);
}

/* 1 / (1 + E) to more than float precision: d + d_low = 1 + E, inverse is near 1 / d. */
typedef struct ox_divisor512 {
    __m512 d, d_low, inverse;
} ox_divisor512;
static inline ox_divisor512 ox_divisor512_of(__m512 e)
{
    ox_divisor512 v = { .d = _mm512_add_ps(OX_C(1), e) };
    v.d_low = _mm512_add_ps(_mm512_sub_ps(OX_C(1), v.d), e);
    v.inverse = _mm512_rcp14_ps(v.d);
    return v;
}
/* What is missing from q d = n, besides what n lacks */
static inline __m512 ox_remainder512(__m512 n, __m512 q, ox_divisor512 v)
{
    return _mm512_fnmadd_ps(q, v.d_low, _mm512_fnmadd_ps(q, v.d, n));
}

/* (x < 0 ? E : 1) / (1 + E), E = e^-|x|, in three: (q + rest) 2^scale; a product with it can then be scaled
 * last, and once.  Beside 1 an E below 2^-64 is nothing. */
typedef struct ox_gate512 {
    __m512 q, rest, scale;
} ox_gate512;
static inline ox_gate512 ox_gate512_of(ox_exp512 e, __m512 x)
{
    __mmask16 negative = _mm512_movepi32_mask(_mm512_castps_si512(x));
    __m512 high = _mm512_add_ps(e.t, e.m), low = _mm512_add_ps(_mm512_sub_ps(e.t, high), e.m);
    ox_divisor512 v = ox_divisor512_of(_mm512_scalef_ps(high, _mm512_max_ps(OX_C(-64), e.k)));
    __m512 n = _mm512_mask_mov_ps(OX_C(1), negative, high), q = _mm512_mul_ps(n, v.inverse);
    __m512 rest = ox_remainder512(n, q, v);
    rest = _mm512_mask_add_ps(rest, negative, rest, low);
    return (ox_gate512){ q, _mm512_mul_ps(rest, v.inverse), _mm512_maskz_mov_ps(negative, e.k) };
}
static inline __m512 ox_sigmoid_avx512(__m512 x)
{
    ox_gate512 g = ox_gate512_of(ox_exp512_parts(_mm512_max_ps(OX_C(-104), _mm512_or_ps(x, OX_C(-0.0f)))), x);
    return _mm512_maskz_scalef_ps(ox_above512(x, -104), _mm512_add_ps(g.q, g.rest), g.scale);
}
/* x times such a gate; results far below the subnormals may come from a smaller x */
static inline __m512 ox_times_gate512(ox_gate512 g, __m512 x)
{
    __m512 c = _mm512_max_ps(OX_C(-0x1p100f), x), y = _mm512_mul_ps(c, g.q);
    __m512 low = _mm512_fmadd_ps(c, g.rest, _mm512_fmsub_ps(c, g.q, y));
    y = _mm512_add_ps(y, low);
    y = _mm512_mask_scalef_ps(_mm512_and_ps(x, OX_C(-0.0f)), ox_above512(g.scale, -160), y, g.scale);
    return ox_gated512(y, x);
}
static inline __m512 ox_silu_avx512(__m512 x)
{
    __m512 minus = _mm512_max_ps(OX_C(-250), _mm512_or_ps(x, OX_C(-0.0f)));
    return ox_times_gate512(ox_gate512_of(ox_exp512_parts(minus), x), x);
}
/* x sigmoid(u), u = 2 sqrt(2/pi) (x + 0.044715 x^3), with u in two floats: u + u_low */
static inline __m512 ox_gelu_tanh_avx512(__m512 x)
{
    const __m512 c1 = OX_C(0x1.988454p+0f), c3 = OX_C(0x1.2444f2p-4f);
    __m512 a = _mm512_min_ps(OX_C(14.5f), _mm512_abs_ps(x));
    __m512 square = _mm512_mul_ps(a, a), square_low = _mm512_fmsub_ps(a, a, square);
    /* w = c1 + c3 a^2, exact but for the last terms */
    __m512 p = _mm512_mul_ps(c3, square), p_low = _mm512_fmsub_ps(c3, square, p);
    __m512 w = _mm512_add_ps(p, c1);
    __m512 w_low = _mm512_sub_ps(_mm512_min_ps(p, c1), _mm512_sub_ps(w, _mm512_max_ps(p, c1)));
    p_low = _mm512_fmadd_ps(c3, square_low, p_low);
    p_low = _mm512_fmadd_ps(OX_C(0x1.49b16ap-29f), square, p_low);
    w_low = _mm512_add_ps(w_low, _mm512_add_ps(p_low, OX_C(-0x1.857936p-25f)));
    __m512 u = _mm512_mul_ps(a, w);
    __m512 u_low = _mm512_fmadd_ps(a, w_low, _mm512_fmsub_ps(a, w, u));

    __m512 rounded = _mm512_fnmadd_ps(u, OX_C(0x1.715476p+0f), OX_MAGIC512);
    __m512 k = _mm512_sub_ps(rounded, OX_MAGIC512);
    __m512 r = _mm512_fnmsub_ps(k, OX_C(OX_LN2_HIGH), u);
    r = _mm512_sub_ps(_mm512_fnmadd_ps(k, OX_C(OX_LN2_LOW), r), u_low);
    return ox_times_gate512(ox_gate512_of(ox_exp512_of(rounded, k, r), x), x);
}

/* A table's polynomial at a: c0 + rest. */
typedef struct ox_segment512 {
    __m512 c0, d, slope; /* rest = d slope */
} ox_segment512;
static inline ox_segment512 ox_segment512_of(__m512 a, const float t[7][32])
{
    __m512i least = _mm512_set1_epi32(0x3dffffff); /* 1/8 - an ULP: all below is entry 15 */
    __m512i i = _mm512_srli_epi32(_mm512_max_epi32(_mm512_castps_si512(a), least), 21);
    ox_segment512 s = { .c0 = ox_look32(t[1], i), .d = _mm512_sub_ps(a, ox_look32(t[0], i)) };
    __m512 p = _mm512_fmadd_ps(ox_look32(t[6], i), s.d, ox_look32(t[5], i));
    p = _mm512_fmadd_ps(p, s.d, ox_look32(t[4], i));
    p = _mm512_fmadd_ps(p, s.d, ox_look32(t[3], i));
    s.slope = _mm512_fmadd_ps(p, s.d, ox_look32(t[2], i));
    return s;
}
/* For odd functions, whose table leaves `at_0` a to be added where a < 1/8 */
static inline __m512 ox_odd512(__m512 x, __m512 a, const float table[7][32], __m512 at_0)
{
    ox_segment512 s = ox_segment512_of(a, table);
    __mmask16 small = _mm512_cmp_ps_mask(a, OX_C(0.125f), _CMP_LT_OQ);
    __m512 y = _mm512_fmadd_ps(s.slope, s.d, s.c0);
    return ox_signed512(_mm512_mask3_fmadd_ps(a, at_0, y, small), x);
}
static inline __m512 ox_tanh_avx512(__m512 x)
{
    return ox_odd512(x, _mm512_min_ps(OX_C(9.02f), _mm512_abs_ps(x)), ox_tanh_table, OX_C(1));
}
static inline __m512 ox_erf_avx512(__m512 x)
{
    return ox_odd512(x, _mm512_min_ps(OX_C(3.93f), _mm512_abs_ps(x)), ox_erf_table,
                     OX_C(0x1.20dd76p+0f)); /* 2 / sqrt(pi) */
}
/* max(x, 0) - w e^(-a^2 / 2), a = |x|, w from the table in two floats, a^2 too */
static inline __m512 ox_gelu_avx512(__m512 x)
{
    __m512 a = _mm512_min_ps(OX_C(14.6f), _mm512_abs_ps(x));
    ox_segment512 s = ox_segment512_of(a, ox_gelu_table);
    __m512 w = _mm512_fmadd_ps(s.slope, s.d, s.c0);
    __m512 w_low = _mm512_fmadd_ps(s.slope, s.d, _mm512_sub_ps(s.c0, w));

    __m512 square = _mm512_mul_ps(a, a), square_low = _mm512_fmsub_ps(a, a, square);
    __m512 rounded = _mm512_fmadd_ps(square, OX_C(-0x1.715476p-1f), OX_MAGIC512);
    __m512 k = _mm512_sub_ps(rounded, OX_MAGIC512);
    __m512 r = _mm512_fnmadd_ps(k, OX_C(OX_LN2_HIGH), _mm512_mul_ps(square, OX_C(-0.5f)));
    r = _mm512_fnmadd_ps(k, OX_C(OX_LN2_LOW), r);
    r = _mm512_fnmadd_ps(square_low, OX_C(0.5f), r);
    ox_exp512 e = ox_exp512_of(rounded, k, r);
    __m512 high = _mm512_add_ps(e.t, e.m);
    __m512 y = _mm512_fmadd_ps(w, high, _mm512_mul_ps(w_low, high));
    /* beyond -14.5 it is 0, and beside x > 6 nothing */
    __mmask16 some = _mm512_mask_cmp_ps_mask(ox_above512(x, -14.5f), x, OX_C(6), _CMP_NGT_UQ);
    y = _mm512_sub_ps(_mm512_max_ps(OX_C(0), x), _mm512_maskz_scalef_ps(some, y, e.k));
    return ox_gated512(ox_signed512(y, x), x);
}

/* Mask of the n < 16 elements that whole vectors leave */
static inline __mmask16 ox_rest512(size_t n) { return (__mmask16)((1u << n) - 1); }

#endif
