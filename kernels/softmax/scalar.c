/* Softmax; compiled once per instruction-set level.  Accumulators are LANES wide, so that the sum has
 * the same order at every level. */
#include "kernels/math/math.h"
#include "kernels/softmax/softmax.h"

enum { LANES = 32, BLOCK = 512 };

/* Fewer than LANES elements are not worth setting up lanes for. */
float OX_UK(row_max_f32)(size_t n, const float *x)
{
    float lane[LANES], max = -INFINITY;
    if (n < LANES) {
        for (size_t i = 0; i < n; i++)
            max = x[i] > max ? x[i] : max;
        return max;
    }
    for (int l = 0; l < LANES; l++)
        lane[l] = x[l] > -INFINITY ? x[l] : -INFINITY; /* NaN must not stay */
    size_t i = LANES;
    for (; n - i >= LANES; i += LANES)
        for (int l = 0; l < LANES; l++)
            lane[l] = x[i + (size_t)l] > lane[l] ? x[i + (size_t)l] : lane[l];
    for (int l = 0; i < n; i++, l++)
        lane[l] = x[i] > lane[l] ? x[i] : lane[l];
    for (int half = LANES / 2; half; half /= 2)
        for (int l = 0; l < half; l++)
            lane[l] = lane[l + half] > lane[l] ? lane[l + half] : lane[l];
    return lane[0];
}

static double sum(size_t n, const float *x)
{
    double lane[LANES], total = 0;
    if (n < LANES) {
        for (size_t i = 0; i < n; i++)
            total += x[i];
        return total;
    }
    for (int l = 0; l < LANES; l++)
        lane[l] = x[l];
    size_t i = LANES;
    for (; n - i >= LANES; i += LANES)
        for (int l = 0; l < LANES; l++)
            lane[l] += x[i + (size_t)l];
    for (int l = 0; i < n; i++, l++)
        lane[l] += x[i];
    for (int half = LANES / 2; half; half /= 2)
        for (int l = 0; l < half; l++)
            lane[l] += lane[l + half];
    return lane[0];
}

/* y may be a buffer for BLOCK elements that each block overwrites (step 0), or n elements (step 1). */
static inline double exp_sum(size_t n, const float *x, float shift, float *y, size_t step)
{
    double total = 0;
    for (size_t at = 0; at < n; at += BLOCK) {
        size_t m = n - at < BLOCK ? n - at : BLOCK;
        float *z = y + at * step;
        OX_INDEPENDENT
        for (size_t i = 0; i < m; i++)
            z[i] = ox_exp_f32(x[at + i] - shift);
        total += sum(m, z);
    }
    return total;
}
double OX_UK(exp_sum_f32)(size_t n, const float *x, float shift, float *y)
{
    return exp_sum(n, x, shift, y, 1);
}

void OX_UK(softmax_f32)(size_t n, const float *x, float *y)
{
    double scale = 1 / exp_sum(n, x, OX_UK(row_max_f32)(n, x), y, 1);
    for (size_t i = 0; i < n; i++)
        y[i] = (float)(y[i] * scale);
}
void OX_UK(log_softmax_f32)(size_t n, const float *x, float *y)
{
    float block[BLOCK], max = OX_UK(row_max_f32)(n, x);
    double shift = max + log(exp_sum(n, x, max, block, 0));
    OX_INDEPENDENT
    for (size_t i = 0; i < n; i++)
        y[i] = (float)(x[i] - shift);
}

/* Columns go BLOCK at a time. */
static inline void max_cols(size_t n, size_t cols, const float *x, size_t ld, float *max)
{
    for (size_t j = 0; j < cols; j++)
        max[j] = x[j];
    for (size_t i = 1; i < n; i++)
        for (size_t j = 0; j < cols; j++)
            max[j] = x[i * ld + j] > max[j] ? x[i * ld + j] : max[j];
}
void OX_UK(softmax_cols_f32)(size_t n, size_t cols, const float *x, float *y, size_t ld)
{
    float max[BLOCK];
    double sum[BLOCK];
    for (size_t w; cols; cols -= w, x += w, y += w) {
        w = cols < BLOCK ? cols : BLOCK;
        max_cols(n, w, x, ld, max);
        for (size_t j = 0; j < w; j++)
            sum[j] = 0;
        for (size_t i = 0; i < n; i++) {
            const float *from = x + i * ld;
            float *to = y + i * ld;
            OX_INDEPENDENT
            for (size_t j = 0; j < w; j++) {
                float e = ox_exp_f32(from[j] - max[j]);
                to[j] = e;
                sum[j] += e;
            }
        }
        for (size_t j = 0; j < w; j++)
            sum[j] = 1 / sum[j];
        for (size_t i = 0; i < n; i++)
            for (size_t j = 0; j < w; j++)
                y[i * ld + j] = (float)(y[i * ld + j] * sum[j]);
    }
}
void OX_UK(log_softmax_cols_f32)(size_t n, size_t cols, const float *x, float *y, size_t ld)
{
    float max[BLOCK];
    double sum[BLOCK];
    for (size_t w; cols; cols -= w, x += w, y += w) {
        w = cols < BLOCK ? cols : BLOCK;
        max_cols(n, w, x, ld, max);
        for (size_t j = 0; j < w; j++)
            sum[j] = 0;
        for (size_t i = 0; i < n; i++)
            for (size_t j = 0; j < w; j++)
                sum[j] += ox_exp_f32(x[i * ld + j] - max[j]);
        for (size_t j = 0; j < w; j++)
            sum[j] = max[j] + log(sum[j]);
        for (size_t i = 0; i < n; i++) {
            const float *from = x + i * ld;
            float *to = y + i * ld;
            OX_INDEPENDENT
            for (size_t j = 0; j < w; j++)
                to[j] = (float)(from[j] - sum[j]);
        }
    }
}
