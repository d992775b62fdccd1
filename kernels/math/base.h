/* What every micro-kernel that is plain C needs: names per instruction-set level, fma, selection.
 * Loops are vectorised by the compiler, so all of this is branch-free on purpose. */
#ifndef OX_MATH_BASE_H
#define OX_MATH_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* OX_UK(exp_f32) is uk_exp_f32_avx2 where the Makefile compiles scalar.c again with -DISA=avx2. */
#ifndef ISA
#define ISA scalar
#endif
#define OX_UK_PASTE(name, isa) uk_##name##_##isa
#define OX_UK_EXPAND(name, isa) OX_UK_PASTE(name, isa)
#define OX_UK(name) OX_UK_EXPAND(name, ISA)

/* Before a loop whose iterations are independent: outputs may be exactly the inputs (in place), but
 * may not overlap them otherwise. */
#if defined(__clang__)
#define OX_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#elif defined(__GNUC__)
#define OX_INDEPENDENT _Pragma("GCC ivdep")
#else
#define OX_INDEPENDENT
#endif
/* The same where it may be that the loop cannot be vectorised (calls in it): clang would warn. */
#if defined(__clang__)
#define OX_INDEPENDENT_HINT
#else
#define OX_INDEPENDENT_HINT OX_INDEPENDENT
#endif

/* a b + c in one rounding where the level has it in hardware, in two elsewhere: so the bits of a
 * result may differ between levels, never between thread counts or positions in an array. */
#if defined(__FMA__) || defined(__ARM_FEATURE_FMA) || defined(__FP_FAST_FMA)
#define OX_HAS_FMA 1
static inline float ox_fma32(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
static inline float ox_line32(float x, float a, float b) { return __builtin_fmaf(x, a, b); }
static inline double ox_fma64(double a, double b, double c) { return __builtin_fma(a, b, c); }
#else
static inline float ox_fma32(float a, float b, float c) { return a * b + c; }
static inline float ox_line32(float x, float a, float b) { return (float)((double)x * a + b); }
static inline double ox_fma64(double a, double b, double c) { return a * b + c; }
#endif

static inline uint32_t ox_bits32(float x)
{
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    return u;
}
static inline float ox_float32(uint32_t u)
{
    float x;
    memcpy(&x, &u, sizeof x);
    return x;
}
static inline uint64_t ox_bits64(double x)
{
    uint64_t u;
    memcpy(&u, &x, sizeof u);
    return u;
}
static inline double ox_float64(uint64_t u)
{
    double x;
    memcpy(&x, &u, sizeof x);
    return x;
}

/* c ? a : b.  In float through integer masks: given `c ? constant : x`, gcc computes what follows once
 * for the constant and once for x, and blends too late.  In double gcc needs the plain form. */
static inline float ox_select32(bool c, float a, float b)
{
    uint32_t mask = 0u - (uint32_t)c;
    return ox_float32((ox_bits32(a) & mask) | (ox_bits32(b) & ~mask));
}
static inline double ox_select64(bool c, double a, double b) { return c ? a : b; }
/* The same for a lowest bit at hand. */
static inline double ox_select_bit64(uint64_t u, double a, double b)
{
    uint64_t mask = 0u - (u & 1);
    return ox_float64((ox_bits64(a) & mask) | (ox_bits64(b) & ~mask));
}
/* x limited to [lo, hi]; NaN stays NaN. */
static inline float ox_clamp32(float x, float lo, float hi)
{
    x = ox_select32(x > hi, hi, x);
    return ox_select32(x < lo, lo, x);
}
static inline float ox_abs32(float x) { return ox_float32(ox_bits32(x) & 0x7fffffffu); }
/* To the nearest integer, ties to even; down; up. */
#if defined(__SSE4_1__) || !defined(__x86_64__)
static inline float ox_rint32(float x) { return __builtin_rintf(x); }
static inline float ox_floor32(float x) { return __builtin_floorf(x); }
static inline float ox_ceil32(float x) { return __builtin_ceilf(x); }
#else
static inline float ox_rint32(float x)
{
    float a = ox_abs32(x), r = (a + 0x1p23f) - 0x1p23f; /* NaN and beyond 2^23: x is its own */
    r = ox_float32(ox_bits32(r) | (ox_bits32(x) & 0x80000000u));
    return ox_select32(a < 0x1p23f, r, x);
}
static inline float ox_floor32(float x)
{
    float r = ox_rint32(x);
    return r > x ? r - 1 : r;
}
static inline float ox_ceil32(float x)
{
    float r = ox_rint32(x);
    return r < x ? r + 1 : r;
}
#endif
static inline float ox_copysign32(float y, float x)
{
    return ox_float32((ox_bits32(y) & 0x7fffffffu) | (ox_bits32(x) & 0x80000000u));
}

/* Polynomials by Horner's rule, highest coefficient first: OX_POLY_2(x, a, b, c) = (a x + b) x + c. */
#define OX_POLY_1(x, p, c) ox_fma64(p, x, c)
#define OX_POLY_2(x, p, c, ...) OX_POLY_1(x, ox_fma64(p, x, c), __VA_ARGS__)
#define OX_POLY_3(x, p, c, ...) OX_POLY_2(x, ox_fma64(p, x, c), __VA_ARGS__)
#define OX_POLY_4(x, p, c, ...) OX_POLY_3(x, ox_fma64(p, x, c), __VA_ARGS__)
#define OX_POLY_5(x, p, c, ...) OX_POLY_4(x, ox_fma64(p, x, c), __VA_ARGS__)
#define OX_POLY_6(x, p, c, ...) OX_POLY_5(x, ox_fma64(p, x, c), __VA_ARGS__)
#define OX_POLY_7(x, p, c, ...) OX_POLY_6(x, ox_fma64(p, x, c), __VA_ARGS__)
#define OX_POLY_8(x, p, c, ...) OX_POLY_7(x, ox_fma64(p, x, c), __VA_ARGS__)
#define OX_POLY_9(x, p, c, ...) OX_POLY_8(x, ox_fma64(p, x, c), __VA_ARGS__)
#define OX_POLY_10(x, p, c, ...) OX_POLY_9(x, ox_fma64(p, x, c), __VA_ARGS__)
#define OX_POLY_11(x, p, c, ...) OX_POLY_10(x, ox_fma64(p, x, c), __VA_ARGS__)
#define OX_POLY_12(x, p, c, ...) OX_POLY_11(x, ox_fma64(p, x, c), __VA_ARGS__)
#define OX_POLY_13(x, p, c, ...) OX_POLY_12(x, ox_fma64(p, x, c), __VA_ARGS__)
#define OX_POLY_14(x, p, c, ...) OX_POLY_13(x, ox_fma64(p, x, c), __VA_ARGS__)
#define OX_POLY_15(x, p, c, ...) OX_POLY_14(x, ox_fma64(p, x, c), __VA_ARGS__)
#define OX_POLY_16(x, p, c, ...) OX_POLY_15(x, ox_fma64(p, x, c), __VA_ARGS__)

#endif
