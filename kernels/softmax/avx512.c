/* Softmax for AVX-512: exp from a table in registers, masked tails.  Sums are in double; quotients are
 * products with an inverse in two floats, rounded once. */
#include "kernels/math/avx512.h"
#include "kernels/softmax/softmax.h"
#include <math.h>
#include <stdbool.h>

#define WHOLE ((__mmask16)0xffff)

/* Lanes outside of the mask count as -inf; the order of operands ignores NaN in x. */
static inline __m512 max_step(__m512 max, __mmask16 mask, const float *x)
{
    return _mm512_max_ps(_mm512_mask_loadu_ps(OX_C(-INFINITY), mask, x), max);
}
float uk_row_max_f32_avx512_table(size_t n, const float *x)
{
    __m512 a = OX_C(-INFINITY), b = a, c = a, d = a;
    size_t i = 0;
    for (; n - i >= 64; i += 64) {
        a = max_step(a, WHOLE, x + i);
        b = max_step(b, WHOLE, x + i + 16);
        c = max_step(c, WHOLE, x + i + 32);
        d = max_step(d, WHOLE, x + i + 48);
    }
    for (; n - i >= 16; i += 16)
        a = max_step(a, WHOLE, x + i);
    if (i < n)
        b = max_step(b, ox_rest512(n - i), x + i);
    return _mm512_reduce_max_ps(_mm512_max_ps(_mm512_max_ps(a, b), _mm512_max_ps(c, d)));
}

typedef struct sum512 {
    __m512d low, high; /* of lanes 0 to 7, 8 to 15 */
} sum512;
static inline sum512 add(sum512 s, __m512 e)
{
    s.low = _mm512_add_pd(s.low, _mm512_cvtps_pd(_mm512_castps512_ps256(e)));
    s.high = _mm512_add_pd(s.high, _mm512_cvtps_pd(_mm512_extractf32x8_ps(e, 1)));
    return s;
}
static inline double total(sum512 s) { return _mm512_reduce_add_pd(_mm512_add_pd(s.low, s.high)); }

/* e^d in the lanes of the mask.  What is 0 for sure is set to 0: masked-out keys are such lanes, and an
 * underflowing scalef takes ten times as long. */
static inline __m512 exp_lanes(__mmask16 mask, __m512 d)
{
    ox_exp512 parts = ox_exp512_parts(_mm512_max_ps(OX_C(-104), d));
    mask = _mm512_mask_cmp_ps_mask(mask, d, OX_C(-104), _CMP_NLT_UQ);
    return _mm512_maskz_scalef_ps(mask, _mm512_add_ps(parts.t, parts.m), parts.k);
}

/* e^(x - shift), stored if y is given.  Softmax never exceeds e^0: nothing to limit there. */
static inline __m512 exp_step(__mmask16 mask, const float *x, __m512 shift, float *y, bool below_0)
{
    __m512 d = _mm512_sub_ps(_mm512_maskz_loadu_ps(mask, x), shift);
    if (!below_0)
        d = _mm512_min_ps(OX_C(89), d);
    __m512 e = exp_lanes(mask, d);
    if (y)
        _mm512_mask_storeu_ps(y, mask, e);
    return e;
}
/* Up to four vectors meet in float before they go to double: two more roundings, a tenth faster. */
static inline double exp_sum(size_t n, const float *x, float shift, float *y, bool below_0)
{
    sum512 s = { _mm512_setzero_pd(), _mm512_setzero_pd() };
    const __m512 c = OX_C(shift);
    size_t i = 0;
    for (; n - i >= 64; i += 64) {
        __m512 e[4];
        for (size_t k = 0; k < 4; k++)
            e[k] = exp_step(WHOLE, x + i + 16 * k, c, y ? y + i + 16 * k : NULL, below_0);
        s = add(s, _mm512_add_ps(_mm512_add_ps(e[0], e[1]), _mm512_add_ps(e[2], e[3])));
    }
    __m512 left = _mm512_setzero_ps();
    for (; i < n; i += 16) {
        __mmask16 mask = n - i < 16 ? ox_rest512(n - i) : WHOLE;
        left = _mm512_add_ps(left, exp_step(mask, x + i, c, y ? y + i : NULL, below_0));
    }
    return total(add(s, left));
}
double uk_exp_sum_f32_avx512_table(size_t n, const float *x, float shift, float *y)
{
    return exp_sum(n, x, shift, y, false);
}

/* y = x (high + low), x - high - low */
static inline void scale_step(__mmask16 mask, const float *x, __m512 high, __m512 low, float *y)
{
    __m512 e = _mm512_maskz_loadu_ps(mask, x);
    _mm512_mask_storeu_ps(y, mask, _mm512_fmadd_ps(e, high, _mm512_mul_ps(e, low)));
}
static inline void shift_step(__mmask16 mask, const float *x, __m512 high, __m512 low, float *y)
{
    __m512 d = _mm512_sub_ps(_mm512_maskz_loadu_ps(mask, x), high);
    _mm512_mask_storeu_ps(y, mask, _mm512_sub_ps(d, low));
}

/* A row of 16 (n - 1) < count <= 16 n elements that never leaves the registers; n is a constant to the
 * compiler, `last` masks the last vector. */
static inline __attribute__((always_inline)) void few(int n, __mmask16 last, const float *x, float *y)
{
    __m512 v[8], max, sum;
    for (int k = 0; k < n; k++)
        v[k] = _mm512_mask_loadu_ps(OX_C(-INFINITY), k + 1 < n ? WHOLE : last, x + 16 * k);
    max = v[0];
    for (int k = 1; k < n; k++)
        max = _mm512_max_ps(v[k], max);
    max = OX_C(_mm512_reduce_max_ps(max));
    for (int k = 0; k < n; k++)
        v[k] = exp_lanes(k + 1 < n ? WHOLE : last, _mm512_sub_ps(v[k], max));
    sum512 s = { _mm512_setzero_pd(), _mm512_setzero_pd() };
    for (int k = 0; k < n; k += 4) {
        sum = v[k];
        for (int j = k + 1; j < n && j < k + 4; j++)
            sum = _mm512_add_ps(sum, v[j]);
        s = add(s, sum);
    }
    double inverse = 1 / total(s);
    __m512 high = OX_C((float)inverse), low = OX_C((float)(inverse - (float)inverse));
    for (int k = 0; k < n; k++)
        _mm512_mask_storeu_ps(y + 16 * k, k + 1 < n ? WHOLE : last,
                              _mm512_fmadd_ps(v[k], high, _mm512_mul_ps(v[k], low)));
}

void uk_softmax_f32_avx512_table(size_t n, const float *x, float *y)
{
    size_t rest = n % 16;
    __mmask16 last = rest ? ox_rest512(rest) : WHOLE;
    switch ((n + 15) / 16) {
    case 1: few(1, last, x, y); return;
    case 2: few(2, last, x, y); return;
    case 3: few(3, last, x, y); return;
    case 4: few(4, last, x, y); return;
    case 5: few(5, last, x, y); return;
    case 6: few(6, last, x, y); return;
    case 7: few(7, last, x, y); return;
    case 8: few(8, last, x, y); return;
    }
    double inverse = 1 / exp_sum(n, x, uk_row_max_f32_avx512_table(n, x), y, true);
    __m512 high = OX_C((float)inverse), low = OX_C((float)(inverse - (float)inverse));
    size_t i = 0;
    for (; n - i >= 16; i += 16)
        scale_step(WHOLE, y + i, high, low, y + i);
    if (i < n)
        scale_step(ox_rest512(n - i), y + i, high, low, y + i);
}
void uk_log_softmax_f32_avx512_table(size_t n, const float *x, float *y)
{
    float max = uk_row_max_f32_avx512_table(n, x);
    double shift = max + log(exp_sum(n, x, max, NULL, true));
    __m512 high = OX_C((float)shift), low = OX_C((float)(shift - (float)shift));
    size_t i = 0;
    for (; n - i >= 16; i += 16)
        shift_step(WHOLE, x + i, high, low, y + i);
    if (i < n)
        shift_step(ox_rest512(n - i), x + i, high, low, y + i);
}

/* ---- 16 columns at a time, or what the mask leaves of them ---- */

static inline sum512 exp_sum_cols(size_t n, __mmask16 mask, const float *x, float *y, size_t ld,
                                  __m512 *max)
{
    sum512 s = { _mm512_setzero_pd(), _mm512_setzero_pd() };
    *max = OX_C(-INFINITY);
    for (size_t i = 0; i < n; i++)
        *max = max_step(*max, mask, x + i * ld);
    for (size_t i = 0; i < n; i++)
        s = add(s, exp_step(mask, x + i * ld, *max, y ? y + i * ld : NULL, true));
    return s;
}
/* Two doubles a lane as two floats */
static inline void split(__m512d low_lanes, __m512d high_lanes, __m512 *high, __m512 *low)
{
    __m256 a = _mm512_cvtpd_ps(low_lanes), b = _mm512_cvtpd_ps(high_lanes);
    __m256 a_low = _mm512_cvtpd_ps(_mm512_sub_pd(low_lanes, _mm512_cvtps_pd(a)));
    __m256 b_low = _mm512_cvtpd_ps(_mm512_sub_pd(high_lanes, _mm512_cvtps_pd(b)));
    *high = _mm512_insertf32x8(_mm512_castps256_ps512(a), b, 1);
    *low = _mm512_insertf32x8(_mm512_castps256_ps512(a_low), b_low, 1);
}
static inline void softmax_cols(size_t n, __mmask16 mask, const float *x, float *y, size_t ld)
{
    const __m512d one = _mm512_set1_pd(1);
    __m512 max, high, low;
    sum512 s = exp_sum_cols(n, mask, x, y, ld, &max);
    split(_mm512_div_pd(one, s.low), _mm512_div_pd(one, s.high), &high, &low);
    for (size_t i = 0; i < n; i++)
        scale_step(mask, y + i * ld, high, low, y + i * ld);
}
static inline void log_softmax_cols(size_t n, __mmask16 mask, const float *x, float *y, size_t ld)
{
    __m512 max, high, low;
    double sum[16];
    float  top[16];
    sum512 s = exp_sum_cols(n, mask, x, NULL, ld, &max);
    _mm512_storeu_pd(sum, s.low);
    _mm512_storeu_pd(sum + 8, s.high);
    _mm512_storeu_ps(top, max);
    for (int l = 0; l < 16; l++)
        sum[l] = top[l] + log(sum[l]);
    split(_mm512_loadu_pd(sum), _mm512_loadu_pd(sum + 8), &high, &low);
    for (size_t i = 0; i < n; i++)
        shift_step(mask, x + i * ld, high, low, y + i * ld);
}
void uk_softmax_cols_f32_avx512_table(size_t n, size_t cols, const float *x, float *y, size_t ld)
{
    size_t j = 0;
    for (; cols - j >= 16; j += 16)
        softmax_cols(n, WHOLE, x + j, y + j, ld);
    if (j < cols)
        softmax_cols(n, ox_rest512(cols - j), x + j, y + j, ld);
}
void uk_log_softmax_cols_f32_avx512_table(size_t n, size_t cols, const float *x, float *y, size_t ld)
{
    size_t j = 0;
    for (; cols - j >= 16; j += 16)
        log_softmax_cols(n, WHOLE, x + j, y + j, ld);
    if (j < cols)
        log_softmax_cols(n, ox_rest512(cols - j), x + j, y + j, ld);
}
