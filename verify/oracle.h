/* A model's run beside its float64 truth, node by node.
 *
 * The graph runs as written.  Beside it goes a chain of doubles: each node's truth computed from the
 * truths of its inputs, or from what a reference holds for them.  The chain is kept as its difference from
 * our own values, in float, which loses nothing where the two are close; a difference lives until its last
 * reader has run.  The bodies of If, Loop and Scan are walked too.  Where a node has no truth (random,
 * strings, integers) the chain goes on from our own value, and the sighting says so. */
#ifndef OX_VERIFY_ORACLE_H
#define OX_VERIFY_ORACLE_H

#include "runtime/exec/session.h"
#include "verify/steps.h"

typedef struct ox_known { /* what a reference holds for a value */
    const char     *name;
    const ox_value *v;
} ox_known;

/* One output of one node, while the node's run is there to be looked at. */
typedef struct ox_sighting {
    const ox_node *node;
    ox_run        *r;
    ox_arena      *arena;     /* emptied after the node */
    int            out;
    const char    *name;      /* of the value */
    size_t         n;         /* elements */
    bool           inner;     /* of a node in the body of a loop or branch: seen once a turn, no ref */

    /* What was measured of every element, if the chain has a truth for it (known). */
    bool           known;
    double         size, error;    /* rms of the truth, and of ours - truth */
    double         most;           /* largest |ours - truth| */
    double         in_error;       /* the largest error / size among the inputs */
    /* ... and of our value against the truth from our own inputs (judged): the node's own rounding. */
    bool           judged;
    double         local, margin;  /* largest |ours - fresh|, and |ours - fresh| / bound */
    double         doubt;          /* the largest margin so far, at least 1 */
    size_t         first_bad;      /* our first NaN or infinity; n: none */
    bool           overflow;       /* it is infinite where the truth is not */
    int            bad_in;         /* an input that has some, as far as nodes made it; -1: none */

    /* Arrays; in a lean walk only where the reference holds the value. */
    const double  *ours;      /* NULL: not numeric */
    const double  *truth;     /* by the chain; NULL: none, or integers that are ours */
    const ox_steps *steps;    /* of an integer output that rounding decides; NULL: none */
    bool           tipped;    /* integers that rounding tipped over went into it */
    const double  *bound;     /* the node's own rounding around `truth` */
    double         stretch;   /* of the bound (truth.h) */
    const double  *fresh;     /* truth from our own inputs, if asked for; NULL: none */
    const double  *fresh_bound;
    const double  *ref;       /* NULL: the reference holds no value of as many elements */
    bool           shape_differs; /* it holds it in another shape */
    const ox_tensor *held_as; /* what the reference holds, whatever its shape; NULL: nothing numeric */
    const struct ox_walk *walk; /* all that the reference holds */
    bool           held;      /* all inputs that vary are the reference's own */
    const double *const *in;  /* the chain's inputs of the node; NULL entries: our own */
} ox_sighting;

typedef ox_code ox_sight_fn(void *ctx, const ox_sighting *s, ox_error *err);
/* For tests: may change a node's outputs, as a faulty kernel would. */
typedef void ox_spoil_fn(void *ctx, const ox_node *n, ox_run *r);

typedef struct ox_walk {
    ox_options      run;      /* f64 and observed are the walk's own */
    const ox_known *ref;
    size_t          n_ref;
    bool            follow;   /* the chain takes the reference's values where it holds them */
    bool            fresh;    /* also the truth from our own inputs */
    bool            lean;     /* no arrays where nothing is compared */
    int             bits;     /* not 0: the chain is rounded to so many significant bits */
    ox_spoil_fn    *spoil;    /* NULL: none */
    void           *spoil_ctx;
} ox_walk;

ox_code ox_oracle_walk(ox_model *m, const ox_walk *w, const ox_value *const *in, ox_sight_fn *fn,
                       void *ctx, ox_error *err) OX_MUST_CHECK;

/* Root mean square of a[i] - b[i] over pairs that are both finite; b NULL: of a. */
double ox_rms(const double *a, const double *b, size_t n);
/* Largest |a[i] - b[i]|; infinite where one side alone is not finite.  *at may be NULL. */
double ox_max_error(const double *a, const double *b, size_t n, size_t *at);

#endif
