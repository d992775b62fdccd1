/* Node by node against a reference: what each node does to the reference's own inputs, the first node
 * that departs from it, and which conversion mistake that looks like. */
#ifndef OX_VERIFY_TRACE_H
#define OX_VERIFY_TRACE_H

#include "verify/detail.h"

typedef struct ox_trace_node {
    const char *node, *op, *value;
    bool        held, judged, departs;
    double      local, propagated, amplification, margin, max_abs;
    double      relative; /* rms of the local error over u rms(truth) */
    int         bits;     /* of a reference whose values are of so few: 8, 11; else 24, 0 unknown */
    int64_t     elements;
    const ox_node *inner;  /* of a node in the body of a loop or branch: all its turns in one row */
    const ox_detail *detail; /* for the report; NULL: no judgement */
} ox_trace_node;

typedef struct ox_explanation {
    const char *cause;
    double      residual;
    char        text[300], fix[200];
} ox_explanation;

enum { OX_MAX_EXPLANATIONS = 10 };

typedef struct ox_trace {
    ox_arena      *arena;
    ox_finding     verdict;
    char           reason[700];
    int            first;
    ox_trace_node *node;
    size_t         n_node, cap_node, n_held, n_unjudged;
    ox_explanation explanation[OX_MAX_EXPLANATIONS];
    int            n_explanation, n_picture;
    bool           oracle;   /* our own run against its truth */
} ox_trace;

enum { OX_TRACE_EXPLAIN = 1, OX_TRACE_REPORT = 2 }; /* what, besides the rows */

/* n_ref 0: our own run against its truth.  t is initialised here; release it in any case. */
ox_code ox_trace_run(ox_model *m, const ox_options *options, const ox_value *const *in,
                     const ox_known *ref, size_t n_ref, unsigned what, ox_trace *t, ox_error *err)
    OX_MUST_CHECK;
void    ox_trace_release(ox_trace *t);

/* Replays the node under known conversion mistakes and adds those that come close, the most specific
 * first.  s->held_as is not NULL. */
ox_code ox_explain(const ox_sighting *s, ox_trace *t, ox_error *err) OX_MUST_CHECK;

#endif
