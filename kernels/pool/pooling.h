/* Micro-kernels of pooling: loops over rows, for every element type and level. */
#ifndef OX_POOL_POOLING_H
#define OX_POOL_POOLING_H

#include "runtime/base/cpu.h"
#include "runtime/tensor/dtype.h"

/* The last spatial dimension: output o covers line[o * stride + k * dilation], k < kernel. */
typedef struct ox_slide_line {
    int64_t       n_out, kernel, stride, dilation;
    const double *count; /* [n_out] elements a mean divides by, in this dimension */
} ox_slide_line;

/* For one element type T; lines of means and norms are double.  NULL for types that have none. */
typedef struct ox_slide_rows {
    void   (*lowest)(int64_t n, void *line);                            /* line[i] = -inf, INT_MIN */
    void   (*fold_max)(int64_t n, const void *x, void *line);           /* line[i] = max(line[i], x[i]) */
    void   (*line_max)(const ox_slide_line *l, const void *line, void *y);
    void   (*global_max)(int64_t n, const void *x, void *y);            /* one element */
    void   (*fold_sum)(int64_t n, const void *x, double *line);
    void   (*line_mean)(const ox_slide_line *l, const double *line, double rows, void *y);
    void   (*fold_power)(int64_t n, const void *x, double p, double *line); /* += |x|^p */
    void   (*line_root)(const ox_slide_line *l, const double *line, double p, void *y); /* sum^(1/p) */
    double (*global_sum)(int64_t n, const void *x);
} ox_slide_rows;

typedef struct ox_uk_pooling {
    const char         *name; /* "uk_pooling_avx2" */
    uint32_t            isa;
    const ox_slide_rows *rows; /* [OX_N_DTYPES] */
} ox_uk_pooling;
extern const ox_uk_pooling ox_uk_pooling_rows[];
extern const size_t     ox_n_uk_pooling_rows;

/* The best set for this process's levels; never NULL. */
const ox_uk_pooling *ox_uk_pooling_pick(void);

#endif
