/* Convolution as a matrix product: for each group, Y (M x P) = W (M x K) columns (K x P), where column p
 * holds the K inputs that output position p looks at.  Columns are written for one block of positions at a
 * time, small enough to stay in the cache, and never as a whole.  1x1 kernels with stride 1 need none.
 * Accumulation is the product's (gemm.h): blocks of OX_GEMM_KC terms in the tensors' own type. */
#ifndef OX_CONV_COLUMNS_H
#define OX_CONV_COLUMNS_H

#include "kernels/activation.h"
#include "kernels/gemm/gemm.h"
#include "kernels/window.h"

typedef struct ox_columns {
    ox_gemm_plan plan, tail;    /* of a whole block of positions, and of the last, shorter one */
    const void  *packed;        /* all groups' weights, or NULL */
    size_t       group_bytes;   /* of one group's packed weights */
    int64_t      block, n_block;/* positions in a block; blocks of one image and group */
    size_t       columns_bytes, scratch_bytes; /* per worker */
    bool         direct;        /* the input itself is the columns */
} ox_columns;

/* Shape of the convolution as op_conv.c keeps it. */
typedef struct ox_conv_shape {
    ox_window window;
    int64_t   batch, c, m, group;            /* images, channels in and out, groups */
    int64_t   c_group, m_group;
    int64_t   in_size, out_size, k_size;     /* elements of one channel, one filter plane */
} ox_conv_shape;

/* prepare: float tensors, input 1 the weights. */
ox_code ox_columns_prepare(ox_run *r, const ox_conv_shape *s, ox_columns *c) OX_MUST_CHECK;
ox_code ox_columns_run(ox_run *r, const ox_conv_shape *s, const ox_columns *c, const ox_activation *act)
    OX_MUST_CHECK;

#endif
