/* Which scale belongs to which element, for QuantizeLinear and DequantizeLinear.
 *
 * One scale for all, one for each index of an axis, or (opset 21) one for each block of block_size
 * indices of it, separately for all other indices.  All three are rows of consecutive elements whose
 * scale index starts somewhere and advances by 0 or 1. */
#ifndef OX_QUANT_GRANULARITY_H
#define OX_QUANT_GRANULARITY_H

#include "runtime/op.h"

typedef struct ox_rows {
    int64_t outer, n_row;       /* rows: outer times n_row */
    int64_t step, span;         /* row k starts at k * step within span = elements of one outer index */
    int64_t group, s_outer, s_row; /* first scale: outer * s_outer + k / group * s_row */
    int     s_in;               /* scale index per element: 0 or 1 */
    int64_t per_block;          /* rows that one block of ox_parallel takes */
} ox_rows;

/* From x, scale and zero point (inputs 0, 1, 2) and the attributes axis and block_size; checks them. */
ox_code ox_rows_init(const ox_run *r, ox_rows *rows) OX_MUST_CHECK;
static inline int64_t ox_rows_blocks(const ox_rows *w)
{
    return (w->outer * w->n_row + w->per_block - 1) / w->per_block;
}
/* Row i: its first element, length, first scale. */
static inline void ox_row(const ox_rows *w, int64_t i, int64_t *at, int64_t *n, int64_t *scale)
{
    int64_t o = i / w->n_row, k = i % w->n_row;
    *at = o * w->span + k * w->step;
    *n = OX_MIN(w->step, w->span - k * w->step);
    *scale = o * w->s_outer + k / w->group * w->s_row;
}

#endif
