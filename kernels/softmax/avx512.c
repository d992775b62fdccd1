/* Softmax for AVX-512: exp from a table in registers, masked tails.  Sums are in double; quotients are
 * products with an inverse in two floats, rounded once. */
#include "kernels/math/avx512.h"
#include "kernels/softmax/softmax.h"
#include <math.h>

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

/* e^(x - shift), stored if y is given.  Softmax never exceeds e^0: nothing to limit there. */
static inline __m512 exp_step(__mmask16 mask, const float *x, __m512 shift, float *y, bool below_0)
{
    __m512 d = _mm512_sub_ps(_mm512_maskz_loadu_ps(mask, x), shift);
    if (!below_0)
        d = _mm512_min_ps(OX_C(89), d);
    ox_exp512 parts = ox_exp512_parts(_mm512_max_ps(OX_C(-104), d));
    __m512 e = _mm512_maskz_scalef_ps(mask, _mm512_add_ps(parts.t, parts.m), parts.k);
    if (y)
        _mm512_mask_storeu_ps(y, mask, e);
    return e;
}
/* Two vectors meet in float before they go to double: one more rounding, a tenth faster. */
static inline double exp_sum(size_t n, const float *x, float shift, float *y, bool below_0)
{
    sum512 s = { _mm512_setzero_pd(), _mm512_setzero_pd() };
    const __m512 c = OX_C(shift);
    size_t i = 0;
    for (; n - i >= 32; i += 32) {
        __m512 e = exp_step(WHOLE, x + i, c, y ? y + i : NULL, below_0);
        s = add(s, _mm512_add_ps(
                       e, exp_step(WHOLE, x + i + 16, c, y ? y + i + 16 : NULL, below_0)));
    }
    for (; i < n; i += 16) {
        __mmask16 mask = n - i < 16 ? ox_rest512(n - i) : WHOLE;
        s = add(s, exp_step(mask, x + i, c, y ? y + i : NULL, below_0));
    }
    return total(s);
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

void uk_softmax_f32_avx512_table(size_t n, const float *x, float *y)
{
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
