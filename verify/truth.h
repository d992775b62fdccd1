/* The float64 truth of one node: its outputs computed in double from given inputs, and for each
 * element the largest error that rounding explains (the operator's error model, runtime/op.h).
 *
 * |y - value| <= bound: rounding.  margin = |y - value| / bound is a number without units. */
#ifndef OX_VERIFY_TRUTH_H
#define OX_VERIFY_TRUTH_H

#include "runtime/plan/plan.h"

typedef struct ox_truth {
    int      n_out;
    double **value; /* [n_out], NULL where the output is absent or no float tensor */
    double **bound; /* the permitted |error| of each element; 0: exact */
    double   stretch; /* bounds are so many times the error model's, for long sums; at least 1 */
    const double **in; /* [n_in] the inputs in double; NULL where absent or not numeric */
} ox_truth;

/* r is a node that has run (an observer's); in[i] overrides input i with doubles where not NULL (NULL
 * array: the run's own inputs).  Everything lives in `a`.  E_UNSUPPORTED: the node has no float output or
 * the operator no truth (random, control flow, strings). */
ox_code ox_truth_of(ox_arena *a, ox_run *r, const double *const *in, ox_truth *t, ox_error *err)
    OX_MUST_CHECK;

/* The same truth of output 0 from the run's own inputs, part by part; p->n is 0 for operators that have no
 * parts.  Bounds: the operator's error model, stretched by p->terms, on the magnitudes. */
ox_code ox_truth_parts(ox_run *r, ox_parts *p, ox_error *err) OX_MUST_CHECK;

/* What changes of the inputs make of output 0, where the node is linear in each of them (convolutions and
 * matrix products of two tensors): change[i] is like input i, NULL where that stays.  *out: elements like
 * output 0, on the heap, by the run's own kernel, which is enough for what is small.  E_UNSUPPORTED: another node. */
bool    ox_truth_linear(const ox_run *r);
ox_code ox_truth_change(ox_arena *a, ox_run *r, const float *const *change, float **out, ox_error *err)
    OX_MUST_CHECK;

/* The truth of the node as it might have been: another operator version, a node with other attributes,
 * a run with other tensors.  *out: the outputs' shapes; NULL where they are no float tensors. */
ox_code ox_truth_replay(ox_arena *a, const ox_run *from, const ox_op *op, const ox_node *node,
                        const double *const *in, ox_truth *t, ox_tensor *const **out, ox_error *err)
    OX_MUST_CHECK;

/* What the node's own kernel makes of other inputs, integers among them, in its integer outputs: value[i] is
 * left NULL where it cannot be had (another shape, no kernel in double, beyond what a double holds). */
ox_code ox_truth_integers(ox_arena *a, ox_run *r, const double *const *in, double **value, ox_error *err)
    OX_MUST_CHECK;

/* Bound of one element under an error model: y exact, mag the oracle's magnitude (NaN: |y|). */
double ox_error_bound(ox_error_model m, ox_dtype dtype, double y, double mag);
/* The same for n elements; the bounds replace the magnitudes. */
void   ox_error_bounds(ox_error_model m, ox_dtype dtype, size_t n, const double *y, double *mag);
/* How much wider the bound of a sum of so many terms is.  Rounding errors scatter, so their sum grows like
 * sqrt(terms) (Higham and Mary 2019); 4 sqrt(terms) u mag is not exceeded in practice, but where all terms are
 * alike, and so all errors: then it is terms / 2, which twice as much covers up to a product's K block. */
double ox_error_stretch(ox_error_model m, double terms);

#endif
