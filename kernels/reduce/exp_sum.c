#include "kernels/reduce/exp_sum.h"

#include "runtime/base/status.h"

enum { BLOCK = 1024 };

void ox_exp_run_f32(const ox_exp_kernels *k, int64_t n, const float *x, exp_sum *acc)
{
    float e[BLOCK];
    for (int64_t at = 0; at < n; at += BLOCK) {
        int64_t m = OX_MIN(BLOCK, n - at);
        float max = (float)k->max((size_t)m, x + at);
        if (!(fabsf(max) < INFINITY)) { /* infinities and NaN go the careful way */
            for (int64_t i = 0; i < m; i++)
                *acc = join_exp(*acc, one_exp(x[at + i]));
            continue;
        }
        for (int64_t i = 0; i < m; i++)
            e[i] = x[at + i] - max;
        k->exp((size_t)m, e, e);
        *acc = join_exp(*acc, (exp_sum){ max, k->sum((size_t)m, e) });
    }
}

/* exp(-|x - max|) is what either the new term or the sum so far is worth beside the larger of both.
 */
void ox_exp_rows_f32(const ox_exp_kernels *k, int64_t n, const float *x, exp_sum *acc)
{
    float e[BLOCK];
    for (int64_t at = 0; at < n; at += BLOCK) {
        int64_t m = OX_MIN(BLOCK, n - at);
        exp_sum *a = acc + at;
        for (int64_t i = 0; i < m; i++)
            e[i] = -fabsf(x[at + i] - (float)a[i].max);
        k->exp((size_t)m, e, e);
        for (int64_t i = 0; i < m; i++) {
            double v = x[at + i];
            if (!(fabs(v) < INFINITY) || !(fabs(a[i].max) < INFINITY))
                a[i] = join_exp(a[i], one_exp(v));
            else if (v > a[i].max)
                a[i] = (exp_sum){ v, a[i].sum * e[i] + 1 };
            else
                a[i].sum += e[i];
        }
    }
}
