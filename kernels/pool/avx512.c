/* Folding rows that are often shorter than a few vectors: with masks, the last one costs no more than the
 * others. */
#include "kernels/pool/pooling.h"

#include <immintrin.h>

static __mmask16 first_of(int64_t n) { return n >= 16 ? 0xffff : (__mmask16)((1u << n) - 1); }

/* A maximum instruction forgets NaNs, so they are kept apart. */
void uk_pooling_fold_max_f32_avx512(const ox_pool_rows *r, const void *vx, void *vline)
{
    const float *x = vx;
    float *line = vline;
    for (int64_t i = 0; i < r->n; i += 16) {
        __mmask16 m = first_of(r->n - i);
        __m512 acc = _mm512_set1_ps(-__builtin_inff());
        if (!r->fresh)
            acc = _mm512_maskz_loadu_ps(m, line + i);
        __mmask16 nan = _mm512_cmp_ps_mask(acc, acc, _CMP_UNORD_Q);
        for (int64_t k = 0; k < r->rows; k++) {
            __m512 v = _mm512_maskz_loadu_ps(m, x + k * r->pitch + i);
            nan = _kor_mask16(nan, _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q));
            acc = _mm512_max_ps(acc, v);
        }
        acc = _mm512_mask_mov_ps(acc, nan, _mm512_set1_ps(__builtin_nanf("")));
        _mm512_mask_storeu_ps(line + i, m, acc);
    }
}

static __m512d lower(__m512 v) { return _mm512_cvtps_pd(_mm512_castps512_ps256(v)); }
static __m512d upper(__m512 v) { return _mm512_cvtps_pd(_mm512_extractf32x8_ps(v, 1)); }

void uk_pooling_fold_sum_f32_avx512(const ox_pool_rows *r, const void *vx, double *line)
{
    const float *x = vx;
    for (int64_t i = 0; i < r->n; i += 16) {
        __mmask16 m = first_of(r->n - i);
        __m512d lo = _mm512_setzero_pd(), hi = lo;
        if (!r->fresh) {
            lo = _mm512_maskz_loadu_pd((__mmask8)m, line + i);
            hi = _mm512_maskz_loadu_pd((__mmask8)(m >> 8), line + i + 8);
        }
        for (int64_t k = 0; k < r->rows; k++) {
            __m512 v = _mm512_maskz_loadu_ps(m, x + k * r->pitch + i);
            lo = _mm512_add_pd(lo, lower(v));
            hi = _mm512_add_pd(hi, upper(v));
        }
        _mm512_mask_storeu_pd(line + i, (__mmask8)m, lo);
        _mm512_mask_storeu_pd(line + i + 8, (__mmask8)(m >> 8), hi);
    }
}

double uk_pooling_global_sum_f32_avx512(int64_t n, const void *vx)
{
    const float *x = vx;
    __m512d a = _mm512_setzero_pd(), b = a, c = a, d = a;
    int64_t i = 0;
    for (; n - i >= 32; i += 32) {
        __m512 v = _mm512_loadu_ps(x + i), w = _mm512_loadu_ps(x + i + 16);
        a = _mm512_add_pd(a, lower(v));
        b = _mm512_add_pd(b, upper(v));
        c = _mm512_add_pd(c, lower(w));
        d = _mm512_add_pd(d, upper(w));
    }
    for (; i < n; i += 16) {
        __m512 v = _mm512_maskz_loadu_ps(first_of(n - i), x + i);
        a = _mm512_add_pd(a, lower(v));
        b = _mm512_add_pd(b, upper(v));
    }
    return _mm512_reduce_add_pd(_mm512_add_pd(_mm512_add_pd(a, c), _mm512_add_pd(b, d)));
}

void uk_pooling_mean_f32_avx512(int64_t n, const double *sum, double scale, const double *scales, void *vy)
{
    float *y = vy;
    __m512d factor = _mm512_set1_pd(scale);
    for (int64_t i = 0; i < n; i += 8) {
        __mmask8 m = (__mmask8)first_of(n - i);
        __m512d f = _mm512_mul_pd(factor, _mm512_maskz_loadu_pd(m, scales + i));
        __m512d v = _mm512_mul_pd(_mm512_maskz_loadu_pd(m, sum + i), f);
        _mm256_mask_storeu_ps(y + i, m, _mm512_cvtpd_ps(v));
    }
}
