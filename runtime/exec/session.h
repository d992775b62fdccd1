/* A session runs one model under fixed options.  Stages: the model's graph is copied and optimised
 * once (opt), then every new combination of input types and shapes gets a plan (infer, plan), and
 * every call executes one (exec).  A session is used by one thread at a time; create several for
 * concurrency (they share the model's weights). */
#ifndef OX_EXEC_SESSION_H
#define OX_EXEC_SESSION_H

#include "runtime/graph/graph.h"
#include <stdio.h>

typedef struct ox_session ox_session;

/* Called after each node of the main graph and of subgraphs: r holds inputs and outputs of the run. */
typedef ox_code ox_observe_fn(void *ctx, const ox_graph *g, const ox_node *n, ox_run *r);

/* Called around each run of a subgraph that the node of r asks for: before (out is NULL), and after it
 * gave these values. */
typedef ox_code ox_enter_fn(void *ctx, const ox_graph *g, ox_run *r, const ox_value *out);

typedef struct ox_options {
    int         threads;      /* 0: physical cores */
    int         optimize;     /* 0: the graph as written, 1: rewrites that keep every bit, 2: all */
    bool        float_qdq;    /* quantised graphs keep their float operators */
    bool        f64;          /* compute and keep every float value in double */
    bool        as_written;   /* no pass of opt/ runs; kernels are chosen as `optimize` says */
    bool        observed;     /* inputs outlive the node that reads them last: no kernel works in place */
    uint64_t    seed;         /* for random operators */
    bool        seeded;
    size_t      max_memory;   /* bytes of tensors, sets ox_buf_cap; 0: leaves it as it is */
    const char *const *override; int n_override; /* inputs with an initializer that runs will feed */
    const char *const *extra;    int n_extra;    /* values to keep besides the outputs ("all": every one) */
    const char *const *skip_pass; int n_skip_pass;
} ox_options;

/* The model must outlive the session.  Unknown operators fail here, all of them in one error. */
ox_code ox_session_create(ox_model *m, const ox_options *options, ox_session **out, ox_error *err)
    OX_MUST_CHECK;
void    ox_session_destroy(ox_session *s);

/* Inputs in the order of the graph's inputs without initializer, then options.override; outputs: the
 * graph's, then options.extra. */
int            ox_session_n_in(const ox_session *s);
int            ox_session_n_out(const ox_session *s);
const ox_info *ox_session_in(const ox_session *s, int i);
const ox_info *ox_session_out(const ox_session *s, int i);
const ox_graph *ox_session_graph(const ox_session *s); /* after opt */

/* Types and shapes are checked against the declaration.  out[i] is borrowed from the session and
 * valid until the next call or destroy; OX_NONE where the run produced nothing (empty optional). */
ox_code ox_session_run(ox_session *s, const ox_value *const *in, const ox_value **out, ox_error *err)
    OX_MUST_CHECK;
void ox_session_observe(ox_session *s, ox_observe_fn *fn, void *ctx); /* NULL: none */
void ox_session_observe_graphs(ox_session *s, ox_enter_fn *fn);       /* with the same ctx */

/* Plans without running: for `dump --stage plan`, `info`.  in[i] gives type and shape (data NULL). */
ox_code ox_session_plan(ox_session *s, const ox_value *const *in, ox_error *err) OX_MUST_CHECK;

/* ---- what happened ---- */
typedef struct ox_node_profile {
    const ox_node *node;
    const char    *kernel;   /* micro-kernel prepare named, or NULL */
    int64_t        ns, calls, flops, bytes; /* totals since profiling was switched on */
} ox_node_profile;
void                   ox_session_profile(ox_session *s, bool on);
const ox_node_profile *ox_session_profiles(ox_session *s, size_t *n);

typedef struct ox_memory {
    size_t slab;        /* bytes of planned activations */
    size_t live_bound;  /* largest sum of bytes alive at one node: no plan can be smaller */
    size_t weights, packed, scratch;
    int64_t flops;      /* of one run, where known at plan time */
} ox_memory;
ox_memory ox_session_memory(const ox_session *s); /* of the newest plan */

/* Stage dumps as text: "load", "infer", "opt", "plan". */
ox_code ox_session_dump(ox_session *s, const char *stage, FILE *to, ox_error *err) OX_MUST_CHECK;

#endif
