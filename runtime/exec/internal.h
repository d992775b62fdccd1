/* What the executor's own files share. */
#ifndef OX_EXEC_INTERNAL_H
#define OX_EXEC_INTERNAL_H

#include "runtime/plan/plan.h"

/* Scratch: a stack of blocks; nodes nest (If runs nodes), so each releases down to its own mark. */
typedef struct ox_chunk {
    struct ox_chunk *below;
    ox_buf          *buf;
    size_t           used, size;
} ox_chunk;
typedef struct ox_mark { ox_chunk *chunk; size_t used; } ox_mark;

struct ox_session {
    ox_model      *model;
    ox_options     options;
    ox_arena      *arena;      /* the session's copy of the graph, converted constants */
    ox_arena      *strings;    /* string elements made by a run; reset when the next one starts */
    ox_pool       *pool;
    ox_graph      *graph;
    ox_type       *signature;  /* of the inputs of the call under way */
    ox_value      *wide; int n_wide;  /* inputs converted for --precision f64 */
    ox_buf       **kept; size_t n_kept, cap_kept; /* owners of folded constants */
    ox_plan       *current;
    ox_chunk      *scratch;
    size_t         scratch_peak;
    uint64_t       random;     /* state of the seed generator */
    bool           profiling;
    bool        half_constants; /* float32 constants that were float16 in the file (opt/widen_half.c) */
    bool           keep_quantised; /* while optimising: constants stay behind DequantizeLinear */
    int64_t        inner_ns;  /* profiling: of the steps that the current one ran in its subgraphs */
    ox_node_profile *profiles; size_t n_profile, cap_profile;
    ox_observe_fn *observe;
    ox_enter_fn   *enter;
    void          *observe_ctx;
    struct ox_pack *packs;     /* rearranged weights (ox_packed) */
    ox_buf        *bounce;     /* weights on their way from a file to there, while a plan is made */
    struct ox_widened_const *wide_const; /* constants converted for --precision f64 */
};

/* 64-byte aligned; NULL when out of memory or over the cap. */
void   *ox_session_scratch(ox_session *s, size_t n_bytes);
ox_mark ox_session_mark(ox_session *s);
void    ox_session_release(ox_session *s, ox_mark mark);

/* Runs a plan whose input slots are filled. */
ox_code ox_plan_run(ox_plan *p, ox_error *err) OX_MUST_CHECK;
/* Gives an input slot its value for one run. */
ox_code ox_slot_feed(ox_slot *s, const ox_value *v, ox_error *err) OX_MUST_CHECK;
void    ox_type_of_value(ox_type *type, const ox_value *v);
/* Drops everything the last run left in slots that own memory. */
void ox_plan_clear(ox_plan *p);

/* Runs opt/passes.def over g and its subgraphs. */
ox_code ox_optimize(ox_session *s, ox_graph *g, ox_error *err) OX_MUST_CHECK;
/* c, or its double twin under --precision f64; NULL: out of memory. */
const ox_tensor *ox_session_constant(ox_session *s, const ox_tensor *c, ox_error *err);

void ox_session_constants_release(ox_session *s);
void ox_packs_release(ox_session *s);
/* Weights that wait in the file (graph/weights.h) are filled where a pass or a kernel could read them
 * unasked: before passes run and after. */
ox_code ox_session_settle(ox_session *s, ox_error *err) OX_MUST_CHECK;
void    ox_session_unbounce(ox_session *s);
/* Whether value v is a constant that this session made and one node at most reads, views included. */
bool ox_constant_private(const ox_graph *g, int v);
/* Drops constants that passes made and nobody reads any more. */
void ox_session_prune_constants(ox_session *s);
size_t ox_packs_bytes(const ox_session *s);
/* The session drops buf at its end.  false: out of memory. */
bool ox_session_keep(ox_session *s, ox_buf *buf);
void ox_error_node(ox_error *err, const ox_node *n);

#endif
