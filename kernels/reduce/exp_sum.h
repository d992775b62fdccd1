/* Sums of exponentials that cannot overflow, for ReduceLogSumExp. */
#ifndef OX_REDUCE_EXP_SUM_H
#define OX_REDUCE_EXP_SUM_H

#include "kernels/math/ukernels.h"
#include "kernels/reduce/reduce.h"
#include <math.h>
#include <stdint.h>

/* exp(max) * sum: terms are kept relative to the largest. */
typedef struct exp_sum {
    double max, sum;
} exp_sum;
static const exp_sum NO_EXP = { -INFINITY, 0 };

static inline exp_sum one_exp(double x) { return (exp_sum){ x, 1 }; }
static inline exp_sum join_exp(exp_sum a, exp_sum b)
{
    if (b.max > a.max || b.max != b.max) {
        exp_sum swap = a;
        a = b;
        b = swap;
    }
    if (b.max > -INFINITY) /* equal infinities: the difference would be NaN */
        a.sum += b.max == a.max ? b.sum : b.sum * exp(b.max - a.max);
    return a;
}
static inline double log_of(exp_sum v) { return v.max + (v.sum > 0 ? log(v.sum) : 0); }

/* The same for many floats: n adjacent elements into one, or element j into accumulator j. */
typedef struct ox_exp_kernels {
    ox_uk_f32    *exp;
    ox_uk_reduce *max, *sum;
} ox_exp_kernels;
void ox_exp_run_f32(const ox_exp_kernels *k, int64_t n, const float *x, exp_sum *acc);
void ox_exp_rows_f32(const ox_exp_kernels *k, int64_t n, const float *x, exp_sum *acc);

#endif
