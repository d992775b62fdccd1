/* Micro-kernels of pooling: loops over some rows of a channel, for every element type and level. */
#ifndef OX_POOL_POOLING_H
#define OX_POOL_POOLING_H

#include "runtime/base/cpu.h"
#include "runtime/tensor/dtype.h"

/* Some rows of n elements, `pitch` apart, at least one, to be folded into one; `fresh`: what the result held before does
 * not count. */
typedef struct ox_pool_rows {
    int64_t rows, n, pitch;
    bool    fresh;
} ox_pool_rows;

/* A window along a line: result i covers line[i * stride + k * dilation], k < kernel. */
typedef struct ox_pool_line {
    int64_t n, kernel, stride, dilation;
} ox_pool_line;

/* For one element type T; lines of sums are double.  NULL for types that have none.  The line_
 * functions may destroy the line. */
typedef struct ox_pool_kernels {
    void   (*lowest)(int64_t n, void *line);                                /* line[i] = -inf, INT_MIN */
    void   (*fold_max)(const ox_pool_rows *r, const void *x, void *line);   /* maxima of the rows */
    void   (*line_max)(const ox_pool_line *l, void *line, void *y);
    void   (*global_max)(int64_t n, const void *x, void *y);                /* one element */
    void   (*fold_sum)(const ox_pool_rows *r, const void *x, double *line); /* their sums */
    void   (*fold_power)(const ox_pool_rows *r, const void *x, double p, double *line); /* of |x|^p */
    void   (*line_sum)(const ox_pool_line *l, double *line, double *y);
    void   (*mean)(int64_t n, const double *sum, double scale, const double *scales, void *y);
    void   (*root)(int64_t n, const double *sum, double p, void *y);        /* sum^(1/p) */
    double (*global_sum)(int64_t n, const void *x);
} ox_pool_kernels;

/* Hand-written parts of the tables. */
#define OX_POOL_FOLDS(level)                                                                       \
    void uk_pooling_fold_max_f32_##level(const ox_pool_rows *r, const void *x, void *line);        \
    void uk_pooling_fold_sum_f32_##level(const ox_pool_rows *r, const void *x, double *line);      \
    double uk_pooling_global_sum_f32_##level(int64_t n, const void *x);                            \
    void uk_pooling_mean_f32_##level(int64_t n, const double *sum, double scale, const double *scales, void *y)
#if OX_X86_64
OX_POOL_FOLDS(avx2);
OX_POOL_FOLDS(avx512);
#endif

typedef struct ox_uk_pooling {
    const char            *name; /* "uk_pooling_avx2" */
    uint32_t               isa;
    const ox_pool_kernels *of;   /* [OX_N_DTYPES] */
} ox_uk_pooling;
extern const ox_uk_pooling ox_uk_pooling_rows[];
extern const size_t        ox_n_uk_pooling_rows;

/* The best set for this process's levels; never NULL. */
const ox_uk_pooling *ox_uk_pooling_pick(void);

#endif
