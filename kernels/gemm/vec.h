/* Vectors of float (vf_) and double (vd_) in the widest form the translation unit was compiled for;
 * gemm's and conv's <isa>.c share their algorithms through it.  Only what those need.
 * x_load_n / x_store_n touch n lanes (0 <= n <= lanes) and no other memory; loads give 0 elsewhere.
 * x_load4 takes 4*lanes values apart by index mod 4; x_store4 is its inverse; x_split2 and x_store2
 * do so by index mod 2.  vf_load_m loads the lanes of a mask; vf_inside makes the mask of the lanes l with
 * 0 <= first + l < width.
 * max and min return their second operand when either is NaN: vf_max(limit, v) keeps a NaN in v. */
#ifndef OX_GEMM_VEC_H
#define OX_GEMM_VEC_H

#include <stddef.h>
#include <stdint.h>

#if defined(__clang__)
#define OX_UNROLL _Pragma("clang loop unroll(full)")
#else
#define OX_UNROLL _Pragma("GCC unroll 64")
#endif
#define OX_INLINE static inline __attribute__((always_inline, unused))

#if defined(__AVX512F__)
#include <immintrin.h>

typedef __m512  vf;
typedef __m512d vd;
enum { VF_N = 16, VD_N = 8 };

OX_INLINE vf vf_zero(void) { return _mm512_setzero_ps(); }
OX_INLINE vf vf_set1(float x) { return _mm512_set1_ps(x); }
OX_INLINE vf vf_load(const float *p) { return _mm512_loadu_ps(p); }
OX_INLINE void vf_store(float *p, vf v) { _mm512_storeu_ps(p, v); }
OX_INLINE vf vf_add(vf a, vf b) { return _mm512_add_ps(a, b); }
OX_INLINE vf vf_sub(vf a, vf b) { return _mm512_sub_ps(a, b); }
OX_INLINE vf vf_mul(vf a, vf b) { return _mm512_mul_ps(a, b); }
OX_INLINE vf vf_fma(vf a, vf b, vf c) { return _mm512_fmadd_ps(a, b, c); }
OX_INLINE vf vf_fnma(vf a, vf b, vf c) { return _mm512_fnmadd_ps(a, b, c); } /* c - a b */
OX_INLINE vf vf_max(vf a, vf b) { return _mm512_max_ps(a, b); }
OX_INLINE vf vf_min(vf a, vf b) { return _mm512_min_ps(a, b); }
/* v where it is not negative (NaN included), else v * slope */
OX_INLINE vf vf_leak(vf v, vf slope)
{
    __mmask16 neg = _mm512_cmp_ps_mask(v, _mm512_setzero_ps(), _CMP_LT_OQ);
    return _mm512_mask_mul_ps(v, neg, v, slope);
}
OX_INLINE __mmask16 vf_mask(size_t n) { return (__mmask16)((1u << n) - 1); }
OX_INLINE vf vf_load_n(const float *p, size_t n) { return _mm512_maskz_loadu_ps(vf_mask(n), p); }
OX_INLINE void vf_store_n(float *p, vf v, size_t n) { _mm512_mask_storeu_ps(p, vf_mask(n), v); }

OX_INLINE vf vf_load_m(const float *p, __mmask16 m) { return _mm512_maskz_loadu_ps(m, p); }
typedef __mmask16 vm;
OX_INLINE vm vf_inside(ptrdiff_t first, size_t width)
{
    ptrdiff_t lo = first < 0 ? -first : 0, hi = (ptrdiff_t)width - first;
    lo = lo > 16 ? 16 : lo, hi = hi < 0 ? 0 : hi > 16 ? 16 : hi;
    return (vm)(((1u << hi) - 1) & ~((1u << lo) - 1));
}
OX_INLINE void vf_store_m(float *p, vf v, __mmask16 m) { _mm512_mask_storeu_ps(p, m, v); }

/* 1 / v to an ULP, for normal v whose inverse is normal */
OX_INLINE vf vf_reciprocal(vf v)
{
    vf r = _mm512_rcp14_ps(v);
    return _mm512_fmadd_ps(r, _mm512_fnmadd_ps(r, v, _mm512_set1_ps(1)), r);
}
/* 2^n, n + 127 being in the lowest bits of v */
OX_INLINE vf vf_pow2(vf v) { return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_castps_si512(v), 23)); }
/* NaN where x is `value`, else v */
OX_INLINE vf vf_nan_at(vf v, vf x, float value)
{
    __mmask16 m = _mm512_cmp_ps_mask(x, _mm512_set1_ps(value), _CMP_EQ_OQ);
    return _mm512_mask_mov_ps(v, m, _mm512_set1_ps(__builtin_nanf("")));
}

OX_INLINE void vf_load4(const float *p, vf out[4])
{
    const __m512i even =
        _mm512_setr_epi32(0, 4, 8, 12, 16, 20, 24, 28, 1, 5, 9, 13, 17, 21, 25, 29);
    const __m512i odd =
        _mm512_setr_epi32(2, 6, 10, 14, 18, 22, 26, 30, 3, 7, 11, 15, 19, 23, 27, 31);
    vf a = vf_load(p), b = vf_load(p + 16), c = vf_load(p + 32), d = vf_load(p + 48);
    vf ab01 = _mm512_permutex2var_ps(a, even, b), ab23 = _mm512_permutex2var_ps(a, odd, b);
    vf cd01 = _mm512_permutex2var_ps(c, even, d), cd23 = _mm512_permutex2var_ps(c, odd, d);
    out[0] = _mm512_shuffle_f32x4(ab01, cd01, 0x44);
    out[1] = _mm512_shuffle_f32x4(ab01, cd01, 0xee);
    out[2] = _mm512_shuffle_f32x4(ab23, cd23, 0x44);
    out[3] = _mm512_shuffle_f32x4(ab23, cd23, 0xee);
}
OX_INLINE void vf_store4(vf a, vf b, vf c, vf d, vf out[4])
{
    /* within each 128-bit part: a 4x4 transposition; then parts to their place */
    vf ab0 = _mm512_unpacklo_ps(a, b), ab1 = _mm512_unpackhi_ps(a, b);
    vf cd0 = _mm512_unpacklo_ps(c, d), cd1 = _mm512_unpackhi_ps(c, d);
    vf q0 = _mm512_shuffle_ps(ab0, cd0, 0x44), q1 = _mm512_shuffle_ps(ab0, cd0, 0xee);
    vf q2 = _mm512_shuffle_ps(ab1, cd1, 0x44), q3 = _mm512_shuffle_ps(ab1, cd1, 0xee);
    vf lo01 = _mm512_shuffle_f32x4(q0, q1, 0x44), hi01 = _mm512_shuffle_f32x4(q0, q1, 0xee);
    vf lo23 = _mm512_shuffle_f32x4(q2, q3, 0x44), hi23 = _mm512_shuffle_f32x4(q2, q3, 0xee);
    out[0] = _mm512_shuffle_f32x4(lo01, lo23, 0x88);
    out[1] = _mm512_shuffle_f32x4(lo01, lo23, 0xdd);
    out[2] = _mm512_shuffle_f32x4(hi01, hi23, 0x88);
    out[3] = _mm512_shuffle_f32x4(hi01, hi23, 0xdd);
}
/* elements 0, 2, ... and 1, 3, ... of a and b in a row */
OX_INLINE void vf_split2(vf a, vf b, vf out[2])
{
    const __m512i even =
        _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    const __m512i odd =
        _mm512_setr_epi32(1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
    out[0] = _mm512_permutex2var_ps(a, even, b);
    out[1] = _mm512_permutex2var_ps(a, odd, b);
}
OX_INLINE void vf_store2(vf a, vf b, vf out[2])
{
    const __m512i lo =
        _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    const __m512i hi =
        _mm512_setr_epi32(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
    out[0] = _mm512_permutex2var_ps(a, lo, b);
    out[1] = _mm512_permutex2var_ps(a, hi, b);
}
/* (a[1] .. a[15], b[0]) */
OX_INLINE vf vf_next(vf a, vf b)
{
    return _mm512_castsi512_ps(
        _mm512_alignr_epi32(_mm512_castps_si512(b), _mm512_castps_si512(a), 1));
}
OX_INLINE void vf_transpose(vf r[16])
{
    vf t[16];
    OX_UNROLL for (int i = 0; i < 16; i += 2) {
        t[i] = _mm512_unpacklo_ps(r[i], r[i + 1]);
        t[i + 1] = _mm512_unpackhi_ps(r[i], r[i + 1]);
    }
    OX_UNROLL for (int i = 0; i < 16; i += 4) {
        r[i] = _mm512_shuffle_ps(t[i], t[i + 2], 0x44);
        r[i + 1] = _mm512_shuffle_ps(t[i], t[i + 2], 0xee);
        r[i + 2] = _mm512_shuffle_ps(t[i + 1], t[i + 3], 0x44);
        r[i + 3] = _mm512_shuffle_ps(t[i + 1], t[i + 3], 0xee);
    }
    OX_UNROLL for (int i = 0; i < 4; i++) {
        t[i] = _mm512_shuffle_f32x4(r[i], r[i + 4], 0x88);
        t[i + 4] = _mm512_shuffle_f32x4(r[i], r[i + 4], 0xdd);
        t[i + 8] = _mm512_shuffle_f32x4(r[i + 8], r[i + 12], 0x88);
        t[i + 12] = _mm512_shuffle_f32x4(r[i + 8], r[i + 12], 0xdd);
    }
    OX_UNROLL for (int i = 0; i < 4; i++) {
        r[i] = _mm512_shuffle_f32x4(t[i], t[i + 8], 0x88);
        r[i + 8] = _mm512_shuffle_f32x4(t[i], t[i + 8], 0xdd);
        r[i + 4] = _mm512_shuffle_f32x4(t[i + 4], t[i + 12], 0x88);
        r[i + 12] = _mm512_shuffle_f32x4(t[i + 4], t[i + 12], 0xdd);
    }
}

OX_INLINE vd vd_zero(void) { return _mm512_setzero_pd(); }
OX_INLINE vd vd_set1(double x) { return _mm512_set1_pd(x); }
OX_INLINE vd vd_load(const double *p) { return _mm512_loadu_pd(p); }
OX_INLINE void vd_store(double *p, vd v) { _mm512_storeu_pd(p, v); }
OX_INLINE vd vd_add(vd a, vd b) { return _mm512_add_pd(a, b); }
OX_INLINE vd vd_mul(vd a, vd b) { return _mm512_mul_pd(a, b); }
OX_INLINE vd vd_fma(vd a, vd b, vd c) { return _mm512_fmadd_pd(a, b, c); }
OX_INLINE vd vd_max(vd a, vd b) { return _mm512_max_pd(a, b); }
OX_INLINE vd vd_min(vd a, vd b) { return _mm512_min_pd(a, b); }
OX_INLINE vd vd_leak(vd v, vd slope)
{
    __mmask8 neg = _mm512_cmp_pd_mask(v, _mm512_setzero_pd(), _CMP_LT_OQ);
    return _mm512_mask_mul_pd(v, neg, v, slope);
}
OX_INLINE __mmask8 vd_mask(size_t n) { return (__mmask8)((1u << n) - 1); }
OX_INLINE vd vd_load_n(const double *p, size_t n) { return _mm512_maskz_loadu_pd(vd_mask(n), p); }
OX_INLINE void vd_store_n(double *p, vd v, size_t n) { _mm512_mask_storeu_pd(p, vd_mask(n), v); }
OX_INLINE vd vd_load_m(const double *p, __mmask8 m) { return _mm512_maskz_loadu_pd(m, p); }
OX_INLINE void vd_store_m(double *p, vd v, __mmask8 m) { _mm512_mask_storeu_pd(p, m, v); }
OX_INLINE void vd_transpose(vd r[8])
{
    vd t[8];
    OX_UNROLL for (int i = 0; i < 8; i += 2) {
        t[i] = _mm512_unpacklo_pd(r[i], r[i + 1]);
        t[i + 1] = _mm512_unpackhi_pd(r[i], r[i + 1]);
    }
    OX_UNROLL for (int i = 0; i < 2; i++) {
        r[i] = _mm512_shuffle_f64x2(t[i], t[i + 2], 0x88);
        r[i + 2] = _mm512_shuffle_f64x2(t[i], t[i + 2], 0xdd);
        r[i + 4] = _mm512_shuffle_f64x2(t[i + 4], t[i + 6], 0x88);
        r[i + 6] = _mm512_shuffle_f64x2(t[i + 4], t[i + 6], 0xdd);
    }
    OX_UNROLL for (int i = 0; i < 4; i++) {
        t[i] = _mm512_shuffle_f64x2(r[i], r[i + 4], 0x88);
        t[i + 4] = _mm512_shuffle_f64x2(r[i], r[i + 4], 0xdd);
    }
    OX_UNROLL for (int i = 0; i < 8; i++)
        r[i] = t[i];
}

#elif defined(__AVX2__)
#include <immintrin.h>

typedef __m256  vf;
typedef __m256d vd;
enum { VF_N = 8, VD_N = 4 };

OX_INLINE vf vf_zero(void) { return _mm256_setzero_ps(); }
OX_INLINE vf vf_set1(float x) { return _mm256_set1_ps(x); }
OX_INLINE vf vf_load(const float *p) { return _mm256_loadu_ps(p); }
OX_INLINE void vf_store(float *p, vf v) { _mm256_storeu_ps(p, v); }
OX_INLINE vf vf_add(vf a, vf b) { return _mm256_add_ps(a, b); }
OX_INLINE vf vf_sub(vf a, vf b) { return _mm256_sub_ps(a, b); }
OX_INLINE vf vf_mul(vf a, vf b) { return _mm256_mul_ps(a, b); }
OX_INLINE vf vf_fma(vf a, vf b, vf c) { return _mm256_fmadd_ps(a, b, c); }
OX_INLINE vf vf_fnma(vf a, vf b, vf c) { return _mm256_fnmadd_ps(a, b, c); }
OX_INLINE vf vf_max(vf a, vf b) { return _mm256_max_ps(a, b); }
OX_INLINE vf vf_min(vf a, vf b) { return _mm256_min_ps(a, b); }
OX_INLINE vf vf_leak(vf v, vf slope)
{
    vf neg = _mm256_cmp_ps(v, _mm256_setzero_ps(), _CMP_LT_OQ);
    return _mm256_blendv_ps(v, _mm256_mul_ps(v, slope), neg);
}
OX_INLINE __m256i vf_mask(size_t n)
{
    const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), lane);
}
OX_INLINE vf vf_load_n(const float *p, size_t n) { return _mm256_maskload_ps(p, vf_mask(n)); }
typedef __m256i vm;
OX_INLINE vf vf_load_m(const float *p, vm m) { return _mm256_maskload_ps(p, m); }
OX_INLINE vm vf_inside(ptrdiff_t first, size_t width)
{
    ptrdiff_t lo = first < 0 ? -first : 0, hi = (ptrdiff_t)width - first;
    lo = lo > 8 ? 8 : lo, hi = hi < 0 ? 0 : hi > 8 ? 8 : hi;
    return _mm256_andnot_si256(vf_mask((size_t)lo), vf_mask((size_t)hi));
}
OX_INLINE void vf_store_n(float *p, vf v, size_t n) { _mm256_maskstore_ps(p, vf_mask(n), v); }
OX_INLINE vf vf_reciprocal(vf v) { return _mm256_div_ps(_mm256_set1_ps(1), v); }
OX_INLINE vf vf_pow2(vf v) { return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_castps_si256(v), 23)); }
OX_INLINE vf vf_nan_at(vf v, vf x, float value)
{
    vf m = _mm256_cmp_ps(x, _mm256_set1_ps(value), _CMP_EQ_OQ);
    return _mm256_blendv_ps(v, _mm256_set1_ps(__builtin_nanf("")), m);
}
OX_INLINE void vf_quad(vf r[4]) /* 4x4 transposition within each 128-bit half */
{
    vf ab0 = _mm256_unpacklo_ps(r[0], r[1]), ab1 = _mm256_unpackhi_ps(r[0], r[1]);
    vf cd0 = _mm256_unpacklo_ps(r[2], r[3]), cd1 = _mm256_unpackhi_ps(r[2], r[3]);
    r[0] = _mm256_shuffle_ps(ab0, cd0, 0x44);
    r[1] = _mm256_shuffle_ps(ab0, cd0, 0xee);
    r[2] = _mm256_shuffle_ps(ab1, cd1, 0x44);
    r[3] = _mm256_shuffle_ps(ab1, cd1, 0xee);
}
OX_INLINE void vf_load4(const float *p, vf out[4])
{
    vf a = vf_load(p), b = vf_load(p + 8), c = vf_load(p + 16), d = vf_load(p + 24);
    out[0] = _mm256_permute2f128_ps(a, c, 0x20);
    out[1] = _mm256_permute2f128_ps(a, c, 0x31);
    out[2] = _mm256_permute2f128_ps(b, d, 0x20);
    out[3] = _mm256_permute2f128_ps(b, d, 0x31);
    vf_quad(out);
}
OX_INLINE void vf_store4(vf a, vf b, vf c, vf d, vf out[4])
{
    vf r[4] = { a, b, c, d };
    vf_quad(r);
    out[0] = _mm256_permute2f128_ps(r[0], r[1], 0x20);
    out[1] = _mm256_permute2f128_ps(r[2], r[3], 0x20);
    out[2] = _mm256_permute2f128_ps(r[0], r[1], 0x31);
    out[3] = _mm256_permute2f128_ps(r[2], r[3], 0x31);
}
OX_INLINE void vf_split2(vf a, vf b, vf out[2])
{
    vf lo = _mm256_permute2f128_ps(a, b, 0x20), hi = _mm256_permute2f128_ps(a, b, 0x31);
    out[0] = _mm256_shuffle_ps(lo, hi, 0x88);
    out[1] = _mm256_shuffle_ps(lo, hi, 0xdd);
}
OX_INLINE void vf_store2(vf a, vf b, vf out[2])
{
    vf lo = _mm256_unpacklo_ps(a, b), hi = _mm256_unpackhi_ps(a, b);
    out[0] = _mm256_permute2f128_ps(lo, hi, 0x20);
    out[1] = _mm256_permute2f128_ps(lo, hi, 0x31);
}
OX_INLINE vf vf_next(vf a, vf b)
{
    vf mid = _mm256_permute2f128_ps(a, b, 0x21);
    return _mm256_castsi256_ps(
        _mm256_alignr_epi8(_mm256_castps_si256(mid), _mm256_castps_si256(a), 4));
}
OX_INLINE void vf_transpose(vf r[8])
{
    vf t[8];
    vf_quad(r);
    vf_quad(r + 4);
    OX_UNROLL for (int i = 0; i < 4; i++) {
        t[i] = _mm256_permute2f128_ps(r[i], r[i + 4], 0x20);
        t[i + 4] = _mm256_permute2f128_ps(r[i], r[i + 4], 0x31);
    }
    OX_UNROLL for (int i = 0; i < 8; i++)
        r[i] = t[i];
}

OX_INLINE vd vd_zero(void) { return _mm256_setzero_pd(); }
OX_INLINE vd vd_set1(double x) { return _mm256_set1_pd(x); }
OX_INLINE vd vd_load(const double *p) { return _mm256_loadu_pd(p); }
OX_INLINE void vd_store(double *p, vd v) { _mm256_storeu_pd(p, v); }
OX_INLINE vd vd_add(vd a, vd b) { return _mm256_add_pd(a, b); }
OX_INLINE vd vd_mul(vd a, vd b) { return _mm256_mul_pd(a, b); }
OX_INLINE vd vd_fma(vd a, vd b, vd c) { return _mm256_fmadd_pd(a, b, c); }
OX_INLINE vd vd_max(vd a, vd b) { return _mm256_max_pd(a, b); }
OX_INLINE vd vd_min(vd a, vd b) { return _mm256_min_pd(a, b); }
OX_INLINE vd vd_leak(vd v, vd slope)
{
    vd neg = _mm256_cmp_pd(v, _mm256_setzero_pd(), _CMP_LT_OQ);
    return _mm256_blendv_pd(v, _mm256_mul_pd(v, slope), neg);
}
OX_INLINE __m256i vd_mask(size_t n)
{
    return _mm256_cmpgt_epi64(_mm256_set1_epi64x((int)n), _mm256_setr_epi64x(0, 1, 2, 3));
}
OX_INLINE vd vd_load_n(const double *p, size_t n) { return _mm256_maskload_pd(p, vd_mask(n)); }
OX_INLINE void vd_store_n(double *p, vd v, size_t n) { _mm256_maskstore_pd(p, vd_mask(n), v); }
OX_INLINE void vd_transpose(vd r[4])
{
    vd ab0 = _mm256_unpacklo_pd(r[0], r[1]), ab1 = _mm256_unpackhi_pd(r[0], r[1]);
    vd cd0 = _mm256_unpacklo_pd(r[2], r[3]), cd1 = _mm256_unpackhi_pd(r[2], r[3]);
    r[0] = _mm256_permute2f128_pd(ab0, cd0, 0x20);
    r[1] = _mm256_permute2f128_pd(ab1, cd1, 0x20);
    r[2] = _mm256_permute2f128_pd(ab0, cd0, 0x31);
    r[3] = _mm256_permute2f128_pd(ab1, cd1, 0x31);
}

#elif defined(__aarch64__)
#include <arm_neon.h>

typedef float32x4_t vf;
typedef float64x2_t vd;
enum { VF_N = 4, VD_N = 2 };

OX_INLINE vf vf_zero(void) { return vdupq_n_f32(0); }
OX_INLINE vf vf_set1(float x) { return vdupq_n_f32(x); }
OX_INLINE vf vf_load(const float *p) { return vld1q_f32(p); }
OX_INLINE void vf_store(float *p, vf v) { vst1q_f32(p, v); }
OX_INLINE vf vf_add(vf a, vf b) { return vaddq_f32(a, b); }
OX_INLINE vf vf_sub(vf a, vf b) { return vsubq_f32(a, b); }
OX_INLINE vf vf_mul(vf a, vf b) { return vmulq_f32(a, b); }
OX_INLINE vf vf_fma(vf a, vf b, vf c) { return vfmaq_f32(c, a, b); }
OX_INLINE vf vf_fnma(vf a, vf b, vf c) { return vfmsq_f32(c, a, b); }
OX_INLINE vf vf_max(vf a, vf b) { return vmaxq_f32(a, b); } /* NaN in either gives NaN */
OX_INLINE vf vf_min(vf a, vf b) { return vminq_f32(a, b); }
OX_INLINE vf vf_leak(vf v, vf slope) { return vbslq_f32(vcltzq_f32(v), vmulq_f32(v, slope), v); }
OX_INLINE vf vf_load_n(const float *p, size_t n)
{
    float t[4] = { 0 };
    for (size_t i = 0; i < n; i++)
        t[i] = p[i];
    return vld1q_f32(t);
}
typedef struct vm {
    int lo, hi;
} vm;
OX_INLINE vf vf_load_m(const float *p, vm m)
{
    float t[4] = { 0 };
    if (m.lo == 0 && m.hi == 4)
        return vld1q_f32(p);
    for (int i = m.lo; i < m.hi; i++)
        t[i] = p[i];
    return vld1q_f32(t);
}
OX_INLINE vm vf_inside(ptrdiff_t first, size_t width)
{
    ptrdiff_t lo = first < 0 ? -first : 0, hi = (ptrdiff_t)width - first;
    return (vm){ (int)(lo > 4 ? 4 : lo), (int)(hi < 0 ? 0 : hi > 4 ? 4 : hi) };
}
OX_INLINE void vf_store_n(float *p, vf v, size_t n)
{
    float t[4];
    vst1q_f32(t, v);
    for (size_t i = 0; i < n; i++)
        p[i] = t[i];
}
OX_INLINE vf vf_reciprocal(vf v) { return vdivq_f32(vdupq_n_f32(1), v); }
OX_INLINE vf vf_pow2(vf v) { return vreinterpretq_f32_s32(vshlq_n_s32(vreinterpretq_s32_f32(v), 23)); }
OX_INLINE vf vf_nan_at(vf v, vf x, float value)
{
    return vbslq_f32(vceqq_f32(x, vdupq_n_f32(value)), vdupq_n_f32(__builtin_nanf("")), v);
}
OX_INLINE void vf_load4(const float *p, vf out[4])
{
    float32x4x4_t t = vld4q_f32(p);
    OX_UNROLL for (int i = 0; i < 4; i++)
        out[i] = t.val[i];
}
OX_INLINE void vf_transpose(vf r[4])
{
    float64x2_t t0 = vreinterpretq_f64_f32(vtrn1q_f32(r[0], r[1]));
    float64x2_t t1 = vreinterpretq_f64_f32(vtrn2q_f32(r[0], r[1]));
    float64x2_t t2 = vreinterpretq_f64_f32(vtrn1q_f32(r[2], r[3]));
    float64x2_t t3 = vreinterpretq_f64_f32(vtrn2q_f32(r[2], r[3]));
    r[0] = vreinterpretq_f32_f64(vtrn1q_f64(t0, t2));
    r[1] = vreinterpretq_f32_f64(vtrn1q_f64(t1, t3));
    r[2] = vreinterpretq_f32_f64(vtrn2q_f64(t0, t2));
    r[3] = vreinterpretq_f32_f64(vtrn2q_f64(t1, t3));
}
OX_INLINE void vf_store4(vf a, vf b, vf c, vf d, vf out[4])
{
    out[0] = a, out[1] = b, out[2] = c, out[3] = d;
    vf_transpose(out);
}
OX_INLINE void vf_split2(vf a, vf b, vf out[2])
{
    out[0] = vuzp1q_f32(a, b), out[1] = vuzp2q_f32(a, b);
}
OX_INLINE void vf_store2(vf a, vf b, vf out[2])
{
    out[0] = vzip1q_f32(a, b), out[1] = vzip2q_f32(a, b);
}
OX_INLINE vf vf_next(vf a, vf b) { return vextq_f32(a, b, 1); }

OX_INLINE vd vd_zero(void) { return vdupq_n_f64(0); }
OX_INLINE vd vd_set1(double x) { return vdupq_n_f64(x); }
OX_INLINE vd vd_load(const double *p) { return vld1q_f64(p); }
OX_INLINE void vd_store(double *p, vd v) { vst1q_f64(p, v); }
OX_INLINE vd vd_add(vd a, vd b) { return vaddq_f64(a, b); }
OX_INLINE vd vd_mul(vd a, vd b) { return vmulq_f64(a, b); }
OX_INLINE vd vd_fma(vd a, vd b, vd c) { return vfmaq_f64(c, a, b); }
OX_INLINE vd vd_max(vd a, vd b) { return vmaxq_f64(a, b); }
OX_INLINE vd vd_min(vd a, vd b) { return vminq_f64(a, b); }
OX_INLINE vd vd_leak(vd v, vd slope) { return vbslq_f64(vcltzq_f64(v), vmulq_f64(v, slope), v); }
OX_INLINE vd vd_load_n(const double *p, size_t n)
{
    double t[2] = { 0 };
    for (size_t i = 0; i < n; i++)
        t[i] = p[i];
    return vld1q_f64(t);
}
OX_INLINE void vd_store_n(double *p, vd v, size_t n)
{
    double t[2];
    vst1q_f64(t, v);
    for (size_t i = 0; i < n; i++)
        p[i] = t[i];
}
OX_INLINE void vd_transpose(vd r[2])
{
    vd a = vtrn1q_f64(r[0], r[1]), b = vtrn2q_f64(r[0], r[1]);
    r[0] = a, r[1] = b;
}
#else
#error "vec.h: no vectors for this target; only <isa>.c files may include it"
#endif

#endif
