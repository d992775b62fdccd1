/* Micro-kernels that reduce float arrays, one kind for each row of reductions.def.  Sums are kept
 * in double, so their error is that of the caller's rounding, for any length that fits in memory.
 */
#ifndef OX_REDUCE_REDUCE_H
#define OX_REDUCE_REDUCE_H

#include "runtime/base/cpu.h"
#include <stddef.h>

/* Over n adjacent elements; of none: the start. */
typedef double ox_uk_reduce(size_t n, const float *x);
/* Down the columns of a rows x cols matrix whose rows are ld elements apart: acc[j] takes in all
 * x[i * ld + j].  The caller sets acc to the start first. */
typedef void ox_uk_reduce_cols(size_t rows, size_t cols, const float *x, size_t ld, double *acc);

/* m short runs of n elements, one behind the other: acc[i] takes in run i. */
typedef void ox_uk_reduce_runs(size_t m, size_t n, const float *x, double *acc);

#define UK(name, row, cols, runs, isa)                                                             \
    ox_uk_reduce      row;                                                                         \
    ox_uk_reduce_cols cols;                                                                        \
    ox_uk_reduce_runs runs;
#include "kernels/reduce/ukernels.def"

typedef enum ox_reduction {
#define R(name, type, start, step, join) OX_REDUCE_##name,
#include "kernels/reduce/reductions.def"
    OX_N_REDUCTIONS
} ox_reduction;

extern const double ox_reduce_start[OX_N_REDUCTIONS];

typedef struct ox_uk_reduce_row {
    ox_reduction       kind;
    ox_uk_reduce      *row;
    ox_uk_reduce_cols *cols;
    ox_uk_reduce_runs *runs;
    const char        *name; /* of row: "uk_sum_f32_avx2" */
    uint32_t           isa;
} ox_uk_reduce_row;
extern const ox_uk_reduce_row ox_uk_reduce_rows[];
extern const size_t           ox_n_uk_reduce_rows;

/* The best row for this process's levels; never NULL. */
const ox_uk_reduce_row *ox_uk_reduce_pick(ox_reduction kind);

#endif
