/* Folding rows that are often shorter than a few vectors: with masks, the last one costs no more than the
 * others. */
#include "kernels/pool/pooling.h"

#include <immintrin.h>

/* All ones in the first n of 8 lanes. */
static __m256i first_of(int64_t n)
{
    __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n > 8 ? 8 : (int)n), lane);
}

/* A maximum instruction forgets NaNs, so they are kept apart. */
void uk_pooling_fold_max_f32_avx2(const ox_pool_rows *r, const void *vx, void *vline)
{
    const float *x = vx;
    float *line = vline;
    for (int64_t i = 0; i < r->n; i += 8) {
        __m256i m = first_of(r->n - i);
        __m256 acc = _mm256_set1_ps(-__builtin_inff());
        if (!r->fresh)
            acc = _mm256_maskload_ps(line + i, m);
        __m256 nan = _mm256_cmp_ps(acc, acc, _CMP_UNORD_Q);
        for (int64_t k = 0; k < r->rows; k++) {
            __m256 v = _mm256_maskload_ps(x + k * r->pitch + i, m);
            nan = _mm256_or_ps(nan, _mm256_cmp_ps(v, v, _CMP_UNORD_Q));
            acc = _mm256_max_ps(acc, v);
        }
        acc = _mm256_blendv_ps(acc, _mm256_set1_ps(__builtin_nanf("")), nan);
        _mm256_maskstore_ps(line + i, m, acc);
    }
}

static __m256d lower(__m256 v) { return _mm256_cvtps_pd(_mm256_castps256_ps128(v)); }
static __m256d upper(__m256 v) { return _mm256_cvtps_pd(_mm256_extractf128_ps(v, 1)); }

void uk_pooling_fold_sum_f32_avx2(const ox_pool_rows *r, const void *vx, double *line)
{
    const float *x = vx;
    for (int64_t i = 0; i < r->n; i += 8) {
        __m256i m = first_of(r->n - i);
        __m256i m_lo = _mm256_cvtepi32_epi64(_mm256_castsi256_si128(m));
        __m256i m_hi = _mm256_cvtepi32_epi64(_mm256_extracti128_si256(m, 1));
        __m256d lo = _mm256_setzero_pd(), hi = lo;
        if (!r->fresh) {
            lo = _mm256_maskload_pd(line + i, m_lo);
            hi = _mm256_maskload_pd(line + i + 4, m_hi);
        }
        for (int64_t k = 0; k < r->rows; k++) {
            __m256 v = _mm256_maskload_ps(x + k * r->pitch + i, m);
            lo = _mm256_add_pd(lo, lower(v));
            hi = _mm256_add_pd(hi, upper(v));
        }
        _mm256_maskstore_pd(line + i, m_lo, lo);
        _mm256_maskstore_pd(line + i + 4, m_hi, hi);
    }
}

double uk_pooling_global_sum_f32_avx2(int64_t n, const void *vx)
{
    const float *x = vx;
    __m256d a = _mm256_setzero_pd(), b = a, c = a, d = a;
    int64_t i = 0;
    double lane[4];
    for (; n - i >= 16; i += 16) {
        __m256 v = _mm256_loadu_ps(x + i), w = _mm256_loadu_ps(x + i + 8);
        a = _mm256_add_pd(a, lower(v));
        b = _mm256_add_pd(b, upper(v));
        c = _mm256_add_pd(c, lower(w));
        d = _mm256_add_pd(d, upper(w));
    }
    for (; i < n; i += 8) {
        __m256 v = _mm256_maskload_ps(x + i, first_of(n - i));
        a = _mm256_add_pd(a, lower(v));
        b = _mm256_add_pd(b, upper(v));
    }
    _mm256_storeu_pd(lane, _mm256_add_pd(_mm256_add_pd(a, c), _mm256_add_pd(b, d)));
    return (lane[0] + lane[1]) + (lane[2] + lane[3]);
}

void uk_pooling_mean_f32_avx2(int64_t n, const double *sum, double scale, const double *scales, void *vy)
{
    float *y = vy;
    __m256d factor = _mm256_set1_pd(scale);
    for (int64_t i = 0; i < n; i += 4) {
        __m128i m = _mm256_castsi256_si128(first_of(n - i));
        __m256i wide = _mm256_cvtepi32_epi64(m);
        __m256d f = _mm256_mul_pd(factor, _mm256_maskload_pd(scales + i, wide));
        __m256d v = _mm256_mul_pd(_mm256_maskload_pd(sum + i, wide), f);
        _mm_maskstore_ps(y + i, m, _mm256_cvtpd_ps(v));
    }
}
