/* The chain of doubles beside a run: for each value of a graph what the truth differs from ours by, and
 * the same for the graphs inside If, Loop and Scan while they run. */
#ifndef OX_VERIFY_CHAIN_H
#define OX_VERIFY_CHAIN_H

#include "verify/oracle.h"

typedef struct ox_link {
    const ox_tensor *ref;   /* the reference's own value, from which the chain goes on; or */
    float           *change; /* chain - ours; or */
    double          *whole; /* the chain where a difference would not tell it; or none: our own value */
    size_t           n;     /* elements */
    size_t           last;  /* the node that reads it last */
    double           error; /* rms(ours - truth) / rms(truth) */
    bool             held;  /* the reference's own, or nothing that rounding has touched */
    bool             tipped; /* integers that rounding tipped over went into it */
    bool             bad;   /* ours has NaN or infinities */
    bool             borrowed;
} ox_link;

void ox_link_drop(ox_link *l);
static inline bool ox_link_moved(const ox_link *l) { return l->ref || l->change || l->whole; }
/* The chain's value in doubles, in a: NULL where ours serves, or (*code set) out of memory. */
const double *ox_link_value(const ox_link *l, const ox_tensor *ours, ox_arena *a, ox_code *code);

typedef struct ox_turns ox_turns; /* what the body of the control node under way has given so far */
typedef struct ox_scope {
    struct ox_scope *up;
    const ox_graph  *g;
    ox_link         *link;  /* [g->n_value] */
    ox_turns        *turns;
} ox_scope;

/* The scope of g inside `up`; r is the control node's run (NULL: the main graph).  NULL: no memory. */
ox_scope *ox_scope_enter(ox_scope *up, const ox_graph *g, const ox_run *r);
/* Ends it; the surrounding scope remembers what the graph's outputs differ by.  Without out they are
 * forgotten.  false: no memory. */
bool      ox_scope_leave(ox_scope *s, const ox_run *r, const ox_value *out);
/* Moves the link of output i of the control node that has run to *to.  false: it has none. */
bool      ox_scope_result(ox_scope *s, const ox_run *r, int i, ox_link *to);
void      ox_scope_forget(ox_scope *s);  /* the turns of the node that has run */

/* ---- one pass over the elements of an output ---- */

/* A node whose truth is computed block by block (OX_POINTWISE). */
enum { OX_POINTWISE_IN = 3 };
typedef struct ox_pointwise {
    ox_run               *r;
    const ox_link *const *link;   /* [n_in] with a change or without; NULL: no chain */
    double               *buffer; /* ox_pointwise_buffer doubles for each worker of the pool */
} ox_pointwise;
size_t ox_pointwise_buffer(int n_in);

/* A node whose truth from our own inputs comes in parts (ox_op.parts). */
typedef struct ox_by_parts {
    ox_parts parts;
    char    *scratch; /* parts.scratch bytes for each worker of the pool */
} ox_by_parts;

/* What the pass starts from, and the chain's difference from ours.  One of these tells the truth: by;
 * chain (with fresh, if judged); fresh or parts, plus more where not NULL. */
typedef struct ox_measure {
    const ox_tensor    *ours;
    size_t              n;
    const ox_pointwise *by;
    const ox_by_parts  *parts;
    const double       *chain;
    const float        *more;          /* may be change */
    const double       *fresh, *bound; /* from our own inputs; bound NULL: not judged */
    float              *change;        /* out: chain - ours; NULL: not wanted */
    bool                told;          /* change is given: the chain is ours + change */
    bool                odd;           /* out: a change could not be told (overflow) */
} ox_measure;
/* Fills in what a sighting measures. */
ox_code ox_measure_run(ox_measure *m, ox_pool *pool, ox_arena *a, ox_sighting *s, ox_error *err) OX_MUST_CHECK;

#endif
