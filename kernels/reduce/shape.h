/* What a reduction does to its input's dimensions. */
#ifndef OX_REDUCE_SHAPE_H
#define OX_REDUCE_SHAPE_H

#include "kernels/reduce/exp_sum.h"
#include "kernels/reduce/reduce.h"
#include "runtime/op.h"

enum { SUM, MEAN, MAX, MIN, PROD, L1, L2, LOG_SUM, LOG_SUM_EXP, SUM_SQUARE, N_KINDS };
enum {
    COLUMNS = 128,    /* outputs that are added up side by side */
    PIECE = 1 << 12,  /* elements of a run that are added up before they are added to the rest, */
    ROWS = 256,       /* ... and rows */
    SHORT = 256,      /* elements of a run up to which its overhead matters */
    BLOCK = 1 << 14,  /* elements a parallel block reads at least */
    PART = 1 << 16,   /* ... and those of a part, where one output is cut into parts */
    MOST_PARTS = 64,
};

typedef struct dims {
    int     rank;
    int64_t dim[OX_MAX_RANK], stride[OX_MAX_RANK]; /* of the input, in elements; outermost first */
} dims;

/* A unit is one output (runs) or up to COLUMNS neighbouring ones (rows). */
typedef struct plan {
    int     kind;
    bool    rows;               /* the innermost dimension is kept */
    int64_t n;                  /* its size */
    dims    kept, reduced;      /* the others */
    int64_t count;              /* elements an output is made of */
    int64_t n_chunk, n_pieces;  /* runs are cut into chunks of PIECE; chunks or rows of a unit */
    int64_t n_cut, n_units;     /* units a row is cut into; in all */
    int64_t units, n_parts;     /* units a block does; or parts that a unit is cut into */
    const ox_uk_reduce_row *uk; /* float only; NULL: none of that kind */
    ox_exp_kernels exp;         /* float ReduceLogSumExp */
} plan;

ox_run_fn    ox_infer_reduce, ox_prepare_reduce;
ox_oracle_fn ox_oracle_reduce;
int64_t      ox_flops_reduce(const ox_run *r);

#endif
