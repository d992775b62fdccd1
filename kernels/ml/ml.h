/* What the operators of ai.onnx.ml share: input rows in double, post transforms, class labels, lookup.
 *
 * All of them compute in double and round once on the way out.  Where ONNX does not say what a
 * transform means, the reference evaluator and ONNX Runtime agree on: softmax_zero leaves zeros alone,
 * probit is Winitzki's approximation of the inverse error function.
 *
 * A classifier of two classes with a single score s stands for the pair { -s, s } (or, where the
 * scores are probabilities, { 1 - s, s }); the label is the class of the greater one, taken before the
 * transform, whose rounding could make ties. */
#ifndef OX_ML_ML_H
#define OX_ML_ML_H

#include "runtime/op.h"

typedef enum ox_ml_post {
    OX_ML_NONE,
    OX_ML_SOFTMAX,
    OX_ML_LOGISTIC,
    OX_ML_SOFTMAX_ZERO,
    OX_ML_PROBIT,
    OX_ML_N_POST
} ox_ml_post;

/* Attribute post_transform, a word. */
ox_code ox_ml_post_attr(const ox_run *r, ox_ml_post *post) OX_MUST_CHECK;
/* One row of scores, in place. */
void    ox_ml_transform(ox_ml_post post, double *v, int64_t n);
double  ox_ml_logistic(double v);
int64_t ox_ml_argmax(const double *v, int64_t n); /* the first of equals; 0 where all are NaN */

/* Input 0 as [n, width]; a vector is one row. */
typedef struct ox_ml_rows {
    int64_t       n, width;
    const double *x; /* run only */
} ox_ml_rows;
ox_code ox_ml_shape(const ox_run *r, ox_ml_rows *m) OX_MUST_CHECK;
ox_code ox_ml_rows_of(ox_run *r, ox_ml_rows *m) OX_MUST_CHECK;

/* Outputs of a classifier: labels (strings if `strings` is set, else integers; neither: the index). */
typedef struct ox_ml_labels {
    const int64_t *ints;
    const ox_str  *strs;
    int            n;
} ox_ml_labels;
ox_code ox_ml_labels_of(const ox_run *r, const char *ints, const char *strings, ox_ml_labels *l)
    OX_MUST_CHECK;
/* infer: labels [n], scores [n, n_score]. */
ox_code ox_ml_infer_classes(ox_run *r, const ox_ml_labels *l, int64_t n, int64_t n_score) OX_MUST_CHECK;
void    ox_ml_set_label(const ox_run *r, const ox_ml_labels *l, int64_t row, int64_t k);
/* Without two classes to choose from: the only label (1 without labels) or none (0, ""). */
void    ox_ml_set_sign(const ox_run *r, const ox_ml_labels *l, int64_t row, bool positive);

/* Output i of any float type from doubles. */
void ox_ml_store(const ox_run *r, int i, const double *y, int64_t n);
/* Floats of attribute `name`, or of the tensor attribute name_as_tensor, as doubles in the state;
 * n = 0 where neither is given. */
ox_code ox_ml_doubles(ox_run *r, const char *name, const double **v, int64_t *n) OX_MUST_CHECK;

/* ---- lookup: from integers, floats (by their bits) or strings to a position ---- */
typedef struct ox_ml_lookup {
    const uint64_t *bits; /* one of the two; borrowed */
    const ox_str   *strs;
    int64_t         n;
    int64_t        *slot; /* position + 1; 0: free */
    uint64_t        mask;
} ox_ml_lookup;
/* Of equal keys the last one counts.  Memory is the state's (prepare) or the scratch (run). */
ox_code ox_ml_lookup_init(ox_run *r, ox_ml_lookup *l, const uint64_t *bits, const ox_str *strs,
                          int64_t n, bool in_state) OX_MUST_CHECK;
int64_t ox_ml_find_bits(const ox_ml_lookup *l, uint64_t key); /* -1: not there */
int64_t ox_ml_find_str(const ox_ml_lookup *l, ox_str key);

#endif
