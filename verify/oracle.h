/* A model's run beside its float64 truth, node by node.
 *
 * The graph runs as written.  Beside it goes a chain of doubles: each node's truth computed from the
 * truths of its inputs, or from what a reference holds for them.  A value of the chain lives until
 * its last reader has run.  Where a node has no truth (control flow, random, strings, integers) the
 * chain goes on from our own value, and the sighting says so. */
#ifndef OX_VERIFY_ORACLE_H
#define OX_VERIFY_ORACLE_H

#include "runtime/exec/session.h"
#include "verify/truth.h"

typedef struct ox_known { /* what a reference holds for a value */
    const char     *name;
    const ox_value *v;
} ox_known;

/* One output of one node of the main graph, while the node's run is there to be looked at. */
typedef struct ox_sighting {
    const ox_node *node;
    ox_run        *r;
    ox_arena      *arena;     /* emptied after the node */
    int            out;
    const char    *name;      /* of the value */
    size_t         n;         /* elements */
    const double  *ours;      /* NULL: not numeric */
    const double  *truth;     /* by the chain; NULL: none */
    const double  *bound;     /* the node's own rounding around `truth` */
    const double  *fresh;     /* truth from our own inputs, if asked for; NULL: none */
    const double  *fresh_bound;
    const double  *ref;       /* NULL: the reference holds no value of as many elements */
    bool           shape_differs; /* it holds it in another shape */
    bool           held;      /* all inputs that vary are the reference's own */
    const double *const *in;  /* the chain's inputs of the node; NULL entries: our own */
} ox_sighting;

typedef ox_code ox_sight_fn(void *ctx, const ox_sighting *s, ox_error *err);

typedef struct ox_walk {
    ox_options      run;      /* f64 and keep_all are the walk's own */
    const ox_known *ref;
    size_t          n_ref;
    bool            follow;   /* the chain takes the reference's values where it holds them */
    bool            fresh;    /* also the truth from our own inputs */
    int             bits;     /* not 0: the chain is rounded to so many significant bits */
} ox_walk;

ox_code ox_oracle_walk(ox_model *m, const ox_walk *w, const ox_value *const *in, ox_sight_fn *fn,
                       void *ctx, ox_error *err) OX_MUST_CHECK;

/* Root mean square of a[i] - b[i] over pairs that are both finite; b NULL: of a. */
double ox_rms(const double *a, const double *b, size_t n);
/* Largest |a[i] - b[i]|; infinite where one side alone is not finite.  *at may be NULL. */
double ox_max_error(const double *a, const double *b, size_t n, size_t *at);

#endif
