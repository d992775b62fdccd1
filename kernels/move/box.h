/* Copying boxes of elements between two strided layouts: what all operators of this folder come
 * down to.  Transposition is a box whose source strides are permuted, broadcasting one with source
 * strides of 0, reversal one with negative ones. */
#ifndef OX_MOVE_BOX_H
#define OX_MOVE_BOX_H

#include "runtime/op.h"

enum { OX_BOX_RANK = 2 * OX_MAX_RANK };

/* Dimension 0 is outermost.  Dimensions are given in the order in which y's elements lie (sy
 * falls), which is the order it is fastest to write them in.  Strides count elements. */
typedef struct ox_box {
    int     rank;
    int64_t dim[OX_BOX_RANK], sx[OX_BOX_RANK], sy[OX_BOX_RANK];
} ox_box;

/* Appends a dimension inside those that b has. */
static inline void ox_box_add(ox_box *b, int64_t dim, int64_t sx, int64_t sy)
{
    b->dim[b->rank] = dim;
    b->sx[b->rank] = sx;
    b->sy[b->rank++] = sy;
}

/* y[...] = x[...] for every element of the box; x and y are its first elements, and the two do not
 * overlap.  size: bytes of an element.  An empty box is legal. */
void ox_box_copy(const ox_run *r, size_t size, const ox_box *b, const void *x, void *y);

/* Strides of a dense tensor in elements. */
void ox_dense_strides(int64_t stride[OX_MAX_RANK], int rank, const int64_t *dim);

/* n elements of y become the one at `value`. */
void ox_fill(const ox_run *r, size_t size, int64_t n, const void *value, void *y);

#endif
