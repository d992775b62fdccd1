/* What the hypotheses of explain_*.c share.  A hypothesis makes one or more variants of the node that
 * departs (other attributes, inputs or outputs); each is scored by how much of the difference between
 * the reference and the node's truth it leaves. */
#ifndef OX_VERIFY_EXPLAIN_H
#define OX_VERIFY_EXPLAIN_H

#include "verify/trace.h"

typedef struct ox_probe {
    const ox_sighting *s;
    ox_arena          *a;     /* of one hypothesis */
    double             whole; /* rms of reference minus truth */
    double             best;  /* residual of the hypothesis' best variant */
    char               text[300];
} ox_probe;

#define CAUSE(fn, name, ops, fix) void ox_cause_##fn(ox_probe *p);
#include "verify/causes.def"
#undef CAUSE

/* ---- the node's inputs in double ---- */
const ox_tensor *ox_probe_input(const ox_probe *p, int i);  /* NULL: absent or not numeric */
double          *ox_probe_values(ox_probe *p, int i);       /* a copy, as the chain has them */
double          *ox_probe_copy(ox_probe *p, const double *v, size_t n);

/* ---- variants; `what` ends the sentence "the reference is what the node gives ..." ---- */
void ox_probe_score(ox_probe *p, const double *y, const char *what);
void ox_probe_replay(ox_probe *p, const ox_op *op, const ox_node *node, const double *const *in,
                     const char *what);
void ox_probe_with_input(ox_probe *p, int i, const double *v, const char *what);
/* The node with `attr` in place of, or besides, its own of that name. */
void ox_probe_with_attr(ox_probe *p, ox_attr attr, const char *what);
void ox_probe_with_int(ox_probe *p, const char *name, int64_t v);
void ox_probe_with_float(ox_probe *p, const char *name, double v);
void ox_probe_with_word(ox_probe *p, const char *name, const char *v);
void ox_probe_with_ints(ox_probe *p, const char *name, const int64_t *v, int n);
void ox_probe_toggle(ox_probe *p, const char *name);
/* The float attribute that leaves least between `least` and `most`. */
void ox_probe_solve(ox_probe *p, const char *name, double least, double most);

bool ox_next_permutation(int *v, int n);

#endif
