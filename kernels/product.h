/* Shapes of numpy's matmul, for all operators that multiply matrices by it. */
#ifndef OX_PRODUCT_H
#define OX_PRODUCT_H

#include "runtime/op.h"

/* (..., m, k) x (..., k, n): lead[rank] are the leading dimensions, broadcast; a rank-1 operand is a
 * row or a column. */
typedef struct ox_product {
    int64_t m, n, k;
    int     rank, rank_a, rank_b; /* leading dimensions of the result and of each operand */
    int64_t lead[OX_MAX_RANK];
} ox_product;

/* Inputs a and b; turned: b is given as (..., n, k) unless it has rank 1. */
ox_code ox_product_read(ox_run *r, int a, int b, bool turned, ox_product *s) OX_MUST_CHECK;

/* Appends m and n to the leading dimensions where the operands have them: the shape of the result. */
void ox_product_shape(const ox_run *r, int a, int b, ox_product *s);

/* Where each of the products finds its operands, in elements: arrays of as many numbers as there are
 * products (at least one, the first of them 0), owned by the node's state. */
ox_code ox_product_offsets(ox_run *r, int a, int b, const ox_product *s, int64_t batch, int64_t **at_a,
                           int64_t **at_b) OX_MUST_CHECK;

/* The product of the leading dimensions. */
int64_t ox_product_batch(const ox_product *s);

#endif
