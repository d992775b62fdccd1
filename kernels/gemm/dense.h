/* What MatMul and Gemm share: a driver plan with packed constant weights and a fused epilogue. */
#ifndef OX_GEMM_DENSE_H
#define OX_GEMM_DENSE_H

#include "kernels/activation.h"
#include "kernels/gemm/gemm.h"
#include "runtime/op.h"

typedef struct ox_dense {
    ox_gemm_plan  plan;
    ox_activation act;
    const void   *packed; /* B as the driver wants it, or NULL */
    size_t        lda, ldb;
} ox_dense;

/* prepare: in[0] is m x k (k x m if trans_a), in[1] is k x n (n x k if trans_b), float. */
ox_code ox_dense_prepare(ox_run *r, ox_dense *d, int64_t m, int64_t n, int64_t k, bool trans_a,
                         bool trans_b) OX_MUST_CHECK;
/* run: bias per column (n values) or NULL; `add` like the output or NULL. */
ox_code ox_dense_epilogue(ox_run *r, const ox_dense *d, ox_gemm_args *args, const ox_tensor *bias,
                          const void *add) OX_MUST_CHECK;
ox_code ox_dense_run(ox_run *r, const ox_dense *d, ox_gemm_args *args, const void *a, const void *b, void *c)
    OX_MUST_CHECK;
/* Adds bias input `bias` and residual input `add` to n oracle outputs from `at` on (the start of a row),
 * then activates. */
void ox_dense_oracle(ox_oracle *o, const ox_dense *d, int64_t at, int64_t n, int bias, int add);

/* ---- products in double, for oracles ----
 * c = op(a) op(b), and mag, for every element an upper bound of sum |a||b|.  Small products are the
 * definition.  Large ones come from the driver, and every row is proved: with random signs r, the sum of
 * c[j] r[j] must be a (b r); a row that fails is computed by the definition. */
typedef struct ox_exact {
    int64_t       m, n, k;
    bool          trans_a, trans_b;
    const double *a, *b; /* m x k and k x n, or transposed */
    double       *c, *mag;
    int64_t        batch;       /* of products; c and mag follow each other */
    const int64_t *at_a, *at_b; /* where each finds its operands; NULL: batch is 1 */
} ox_exact;
ox_code ox_exact_product(ox_run *r, const ox_exact *e) OX_MUST_CHECK;
double  ox_exact_terms(double k); /* what ox_oracle's `terms` is for a product of that depth */

#endif
