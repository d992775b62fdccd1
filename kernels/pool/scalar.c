/* The loops of rows.inc for every element type; compiled once per instruction-set level. */
#include "kernels/math/base.h"
#include "kernels/pool/pooling.h"

#include <math.h>
#include <string.h>

#define TYPES (MASK_FLOAT | M_I8 | M_U8)
#define TMPL  "kernels/pool/rows.inc"
#include "runtime/tensor/each_dtype.h"

static inline void line_sum_of(int64_t n, const double *x, double *y, int64_t kernel, int64_t stride)
{
    OX_INDEPENDENT
    for (int64_t o = 0; o < n; o++) {
        double sum = x[o * stride];
        for (int64_t k = 1; k < kernel; k++)
            sum += x[o * stride + k];
        y[o] = sum;
    }
}

static void line_sum(const ox_pool_line *l, double *x, double *y)
{
    bool dense = l->dilation == 1;
    if (dense && l->kernel == 2 && l->stride == 2)
        line_sum_of(l->n, x, y, 2, 2);
    else if (dense && l->kernel == 3 && l->stride == 1)
        line_sum_of(l->n, x, y, 3, 1);
    else if (dense && l->kernel == 3 && l->stride == 2)
        line_sum_of(l->n, x, y, 3, 2);
    else if (l->n < l->kernel) /* short lines, wide windows */
        for (int64_t o = 0; o < l->n; o++) {
            double sum = 0;
            for (int64_t k = 0; k < l->kernel; k++)
                sum += x[o * l->stride + k * l->dilation];
            y[o] = sum;
        }
    else
        for (int64_t k = 0; k < l->kernel; k++, x += l->dilation)
            for (int64_t o = 0; o < l->n; o++)
                y[o] = k ? y[o] + x[o * l->stride] : x[o * l->stride];
}

/* The folds and sums of f32 are by hand where there are masks. */
#if defined(__AVX512F__)
#define BY_HAND(op) uk_pooling_##op##_f32_avx512
#elif defined(__AVX2__)
#define BY_HAND(op) uk_pooling_##op##_f32_avx2
#else
#define BY_HAND(op) op##_f32
#endif

#define MAXIMA(t, fold) \
    .lowest = lowest_##t, .fold_max = fold, .line_max = line_max_##t, .global_max = global_max_##t
#define SUMS(t, fold, global, div)                                                                          \
    .fold_sum = fold, .fold_power = fold_power_##t, .line_sum = line_sum, .mean = div,      \
    .root = root_##t, .global_sum = global

extern const ox_pool_kernels OX_UK(pooling)[OX_N_DTYPES];
const ox_pool_kernels OX_UK(pooling)[OX_N_DTYPES] = {
    [OX_F32] = { MAXIMA(f32, BY_HAND(fold_max)), SUMS(f32, BY_HAND(fold_sum), BY_HAND(global_sum), BY_HAND(mean)) },
    [OX_F64] = { MAXIMA(f64, fold_max_f64), SUMS(f64, fold_sum_f64, global_sum_f64, mean_f64) },
    [OX_I8] = { MAXIMA(i8, fold_max_i8) },
    [OX_U8] = { MAXIMA(u8, fold_max_u8) },
};
