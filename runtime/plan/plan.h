/* A plan: one graph made ready for one combination of input types and shapes.
 *
 * Each value has a slot.  Where a shape is known when the plan is made, the slot points into the slab
 * (ox_plan_memory) and the node is *static*: inferred and prepared once.  A node whose output shapes
 * depend on data is *dynamic*: inferred, prepared and given memory each time it runs.  Both use the
 * operator's same three functions. */
#ifndef OX_PLAN_PLAN_H
#define OX_PLAN_PLAN_H

#include "runtime/exec/session.h"

typedef struct ox_plan ox_plan;
typedef struct ox_step ox_step;

/* What op.h's functions need to know about the node they are called for. */
struct ox_frame {
    ox_plan       *plan;
    const ox_node *node;
    ox_step       *step;
};

/* A node whose kernel computes in a wider type than its tensors have (op.h, "Widening"). */
typedef struct ox_widened {
    ox_dtype          from, to;
    ox_tensor        *in_copy, *out_copy;   /* the converted tensors; unused where types differ */
    const ox_tensor **in;
    ox_tensor       **out;
    bool             *in_fixed;             /* in_copy[i] holds a converted constant already */
} ox_widened;

struct ox_step {
    struct ox_frame   frame;
    ox_run            run;
    ox_run_fn        *fn;
    ox_widened       *wide;      /* NULL: types as they are */
    const ox_tensor **in;        /* the arrays run points to */
    ox_tensor       **out;
    const ox_value  **vin;
    ox_value        **vout;
    const ox_type   **tin;
    ox_type         **tout;
    bool              is_static, is_view, done; /* done: computed while planning */
    uint64_t          packed;    /* inputs that prepare took from ox_packed */
    bool              joined;    /* the step that reads the output runs this one (ox_op.joins) */
    ox_step          *feeder;    /* the step that this one runs so, or NULL */
    int              *release;   /* slots nobody needs after this step and that own memory */
    int               n_release;
    ox_node_profile   profile;
};

enum ox_place {
    OX_PLACE_NONE,     /* absent or filled at run time with memory of its own */
    OX_PLACE_CONST,    /* model constant, or computed while planning */
    OX_PLACE_INPUT,    /* graph input or capture: the caller's memory */
    OX_PLACE_SLAB,     /* slab + offset */
    OX_PLACE_VIEW,     /* the memory of `root` */
};

typedef struct ox_slot {
    ox_value      v;
    ox_type       type;       /* as inferred; dims may be unknown */
    enum ox_place place;
    bool          owned;      /* v holds references that the run must release */
    bool          fixed;      /* OX_PLACE_CONST that the model owns (in_const) */
    int           root;       /* of views, in place, part of a joint output: whose memory this is; else self */
    size_t        within;     /* bytes behind where the memory of `root` starts */
    size_t        offset, bytes;
    int           first, last; /* steps between which the memory is needed */
} ox_slot;

struct ox_plan {
    ox_plan        *next;
    ox_session     *session;
    const ox_graph *graph;
    ox_plan        *parent;   /* plan of the graph around; NULL for the main graph */
    ox_arena       *arena;
    ox_type        *signature; /* of inputs, overrides and captures */
    int             n_signature;
    bool            dynamic;  /* made for any shape */
    bool            building; /* to be kept, and not yet done */
    size_t          fold_bytes; /* largest result that is folded */
    ox_slot        *slot;     /* [graph->n_value] */
    ox_step        *step;
    size_t          n_step;
    ox_buf         *slab;
    ox_memory       memory;
};

/* The plan of g for these types, made if need be. */
ox_code ox_plan_get(ox_session *s, ox_graph *g, ox_plan *parent, const ox_type *signature, int n,
                    ox_plan **out, ox_error *err) OX_MUST_CHECK;
/* Types only, from the declared types of g's inputs (symbols stay symbols); not kept, cannot run. */
ox_code ox_plan_declared(ox_session *s, ox_graph *g, ox_plan **out, ox_error *err) OX_MUST_CHECK;
/* A plan of g for inputs of unknown shape with everything folded that constants decide; not kept.
 * Memory is not planned: it cannot run. */
ox_code ox_plan_folded(ox_session *s, ox_graph *g, size_t max_bytes, ox_plan **out, ox_error *err)
    OX_MUST_CHECK;
void    ox_plan_destroy(ox_plan *p);

/* Types and shapes of all values as far as signature and constants decide them; runs nothing unless
 * `fold`.  Fills slots and steps. */
ox_code ox_plan_infer(ox_plan *p, bool fold, ox_error *err) OX_MUST_CHECK;
/* Offsets in the slab for all OX_PLACE_SLAB slots, in-place and view merges. */
ox_code ox_plan_memory(ox_plan *p, ox_error *err) OX_MUST_CHECK;
/* Where value v, whose memory lies there, starts in the slab. */
size_t ox_slot_offset(const ox_plan *p, int v);

/* The kernel of op for element type t, the type it computes in (*to == t: no widening); NULL: none. */
ox_run_fn *ox_kernel_find(const ox_op *op, ox_dtype t, ox_dtype *to);
/* Element type that decides the kernel of this run. */
ox_dtype   ox_kernel_key(const ox_run *r);

/* Executes one step's operator (exec/run.c); also used to fold while planning. */
/* The step's tensor inputs are what its slots hold now. */
void    ox_step_refresh(ox_step *t);
ox_code ox_step_check_types(ox_step *t, ox_error *err) OX_MUST_CHECK; /* against the schema */
void    ox_step_output_types(ox_step *t);  /* output element types by the schema; shapes unknown */
ox_code ox_step_kernel(ox_step *t, ox_error *err) OX_MUST_CHECK; /* fn and wide */
ox_code ox_step_infer(ox_step *t, ox_error *err) OX_MUST_CHECK;
ox_code ox_step_prepare(ox_step *t, ox_error *err) OX_MUST_CHECK;
/* Constant inputs that prepare has not packed are where their tensors say. */
ox_code ox_step_settle(ox_step *t, ox_error *err) OX_MUST_CHECK;
void    ox_step_drop_packed(ox_step *t);
ox_code ox_step_call(ox_step *t, ox_error *err) OX_MUST_CHECK;

#endif
