/* Shapes of matmul on quantised operands, and their zero points. */
#ifndef OX_QUANT_MATRIX_H
#define OX_QUANT_MATRIX_H

#include "runtime/op.h"

typedef struct ox_matrix {
    int64_t  m, n, k, batch;
    int64_t *at_a, *at_b; /* where each product's operands begin, in elements */
} ox_matrix;

/* Inputs a and b by numpy's matmul rule. */
ox_code ox_matrix_infer(ox_run *r, int a, int b) OX_MUST_CHECK;
ox_code ox_matrix_prepare(ox_run *r, ox_matrix *s, int a, int b) OX_MUST_CHECK;
/* Input i less zero point input z (absent: 0), as int32; scratch. */
ox_code ox_matrix_centred(ox_run *r, const ox_matrix *s, int i, int z, bool is_b, const int32_t **out)
    OX_MUST_CHECK;

/* Whether n quantisation parameters suit operand a (or b), and which one belongs to a row or column. */
bool    ox_matrix_fits(const ox_matrix *s, int64_t n, bool is_b);
int64_t ox_matrix_row(const ox_matrix *s, int64_t n, int64_t row);
int64_t ox_matrix_column(const ox_matrix *s, int64_t n, int64_t row, int64_t column);

#endif
