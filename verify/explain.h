/* What the hypotheses of explain_*.c share.  A hypothesis makes one or more variants of the node
 * that departs (other attributes, inputs or outputs); each is scored by how much of the difference
 * between the reference and the node's truth it leaves.
 *
 * All values are doubles.  Integers have no truth of their own: what the node computed stands for
 * it. */
#ifndef OX_VERIFY_EXPLAIN_H
#define OX_VERIFY_EXPLAIN_H

#include "verify/trace.h"

typedef struct ox_probe {
    const ox_sighting *s;
    ox_arena          *keep;    /* of the whole search */
    ox_arena          *a;       /* of one hypothesis */
    ox_arena          *scratch; /* of one variant */
    const ox_tensor   *shape;   /* the reference's tensor */
    const double      *ref, *truth; /* truth is NULL where the node gives another size */
    size_t             n;       /* elements of ref */
    double             whole;   /* distance of reference and truth; without truth ref's size */
    double             off;     /* what an element that alone is not finite counts as */
    double             best;    /* residual of the hypothesis' best variant */
    char               text[300];
    char               hint[160]; /* what could not be tried, where nothing explains */
} ox_probe;

#define CAUSE(fn, name, ops, fix) void ox_cause_##fn(ox_probe *p);
#include "verify/causes.def"
#undef CAUSE

/* ---- the node's inputs, and what it stands among ---- */
const ox_tensor *ox_probe_input(const ox_probe *p, int i);  /* NULL: absent or not numeric */
double          *ox_probe_values(ox_probe *p, int i);       /* a copy, as the chain has them */
double          *ox_probe_copy(ox_probe *p, const double *v, size_t n);
double          *ox_probe_new(ox_probe *p, size_t n);       /* zeros */
bool             ox_probe_is(const ox_probe *p, const char *op_type);
bool             ox_probe_is_constant(const ox_probe *p, int i);
/* The tensor of a value that the file gives, by an initializer or Constant; NULL: it is computed. */
const ox_tensor *ox_constant_of(const ox_graph *g, int value);
const ox_graph  *ox_probe_graph(const ox_probe *p);
/* The number of the only input that is no constant; -1: none, or more than one. */
int              ox_probe_only_varying(const ox_probe *p);
/* Whether an operator of that name reads what this value becomes within some element-wise nodes. */
bool             ox_probe_leads_to(const ox_probe *p, const char *op_type);
/* Values before the node, `n` elements each, that the reference holds or the node reads; at most
 * `most`, nearest first.  Their number. */
int              ox_probe_before(ox_probe *p, double **v, int most);

/* ---- variants; `what` ends the sentence "the reference is what the node gives ..." ---- */
void ox_probe_score(ox_probe *p, const double *y, const char *what);
/* y was fitted with n_free numbers: too many of them explain anything. */
void ox_probe_score_fit(ox_probe *p, const double *y, size_t n_free, const char *what);
void ox_probe_replay(ox_probe *p, const ox_op *op, const ox_node *node, const double *const *in,
                     const char *what);
/* The same with other tensors in the place of the node's inputs. */
void ox_probe_replay_run(ox_probe *p, const ox_run *r, const ox_node *node, const double *const *in,
                         const char *what);
/* The node's output for other inputs, in p->a; NULL: it refuses, or has another size than ref. */
double *ox_probe_outcome(ox_probe *p, const double *const *in);
/* The inputs of the node as the chain has them, to be changed; NULL: out of memory. */
const double **ox_probe_inputs(ox_probe *p);
void ox_probe_with_input(ox_probe *p, int i, const double *v, const char *what);
/* The node with `attr` in place of, or besides, its own of that name. */
void ox_probe_with_attr(ox_probe *p, ox_attr attr, const char *what);
void ox_probe_with_attrs(ox_probe *p, const ox_attr *attr, int n, const char *what);
void ox_probe_with_int(ox_probe *p, const char *name, int64_t v);
void ox_probe_with_float(ox_probe *p, const char *name, double v);
void ox_probe_with_word(ox_probe *p, const char *name, const char *v);
void ox_probe_with_ints(ox_probe *p, const char *name, const int64_t *v, int n);
void ox_probe_toggle(ox_probe *p, const char *name);
/* The float attribute that leaves least between `least` and `most`. */
void ox_probe_solve(ox_probe *p, const char *name, double least, double most);

bool ox_next_permutation(int *v, int n);
/* Nearest number of so many significant bits. */
double ox_round_bits(double v, int bits);
bool   ox_all_fit_bits(const double *v, size_t n, int bits);

/* ---- explain_fit.c: least squares ---- */
/* Solves A x = B for m right sides: a is k x k and symmetric, b is k x m; both are overwritten, b
 * by x. */
bool ox_solve(double *a, double *b, size_t k, size_t m);
/* y' nearest to p->ref with y' = base + sum of coef[i] term[i]; k terms, base may be NULL. */
double *ox_fit_terms(ox_probe *p, const double *base, double *const *term, size_t k, double *coef);
/* The same for each channel on its own: channels of `axis`; coef is [channels][k].  With `one` a
 * constant term is the last. */
double *ox_fit_channels(ox_probe *p, const double *x, int axis, bool slope, double *coef);

#endif
