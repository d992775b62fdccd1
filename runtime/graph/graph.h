/* The intermediate representation: a model is a graph of nodes over numbered values.
 *
 * Invariants (graph/check.c asserts them after load and after every pass):
 *   nodes are in topological order; each value has at most one producer (a node output, a graph
 *   input, a capture or a constant); n_uses counts node inputs, graph outputs and what the captures
 *   of subgraphs take.
 * A subgraph sees outer values only through its captures: value `inner` of the subgraph takes what
 * value `outer` of the parent holds.  The node that owns the subgraph depends on `outer`. */
#ifndef OX_GRAPH_GRAPH_H
#define OX_GRAPH_GRAPH_H

#include "proto/schema.h"
#include "runtime/op.h"

#include <pthread.h>
#include <stdio.h>

typedef struct ox_graph ox_graph;
typedef struct ox_model ox_model;

enum { OX_ABSENT = -1 }; /* an optional input or output that is not there */

/* Attribute kinds (ox_attr_kind) are those of proto/schema.h. */
typedef struct ox_attr {
    const char  *name;
    ox_attr_kind kind;
    int          n;        /* of the plural kinds */
    int64_t      i;
    float        f;
    ox_str       s;        /* NUL-terminated besides */
    int64_t     *ints;
    float       *floats;
    ox_str      *strs;
    ox_tensor   *tensor;
    ox_value    *sparse;
    ox_type     *type;
    ox_graph    *graph;
} ox_attr;

typedef struct ox_node {
    const char      *name;    /* never NULL; made up from operator and index where the file has none */
    const char      *op_type;
    const char      *domain;  /* "" for ai.onnx */
    int              opset;
    const ox_schema *schema;  /* NULL: unknown operator */
    const ox_op     *op;      /* NULL: no kernel */
    int              n_in, n_out, n_attr;
    int             *in, *out; /* value numbers or OX_ABSENT */
    ox_attr         *attr;
    int              index;   /* in the file, for reports */
} ox_node;

typedef struct ox_info {      /* a value */
    const char *name;         /* "" never; made up for temporaries */
    ox_type     type;         /* declared by the file or inferred */
    bool        inferred;     /* the latter: from the inputs' declarations, which runs are held to */
    ox_tensor  *constant;     /* initializer or folded; NULL otherwise */
    ox_value   *constant_value; /* sparse or sequence constants */
    int         producer;     /* node number; -1 input, capture, constant */
    int         n_uses;
    int         user;         /* a node that reads it as an input; -1 none */
    bool        is_input, is_output, from_initializer;
    bool        dropped;      /* the constant has been packed, its elements are gone (session's copy only) */
} ox_info;

typedef struct ox_capture { int outer, inner; } ox_capture;

struct ox_graph {
    ox_model   *model;
    ox_arena   *arena;        /* what is added comes from here: the model's, or the one of a copy */
    ox_graph   *parent;       /* NULL: the main graph */
    const char *name;
    ox_node    *node;    size_t n_node, cap_node;
    ox_info    *value;   size_t n_value, cap_value;
    int        *in;      int n_in;   /* graph inputs without initializer, in file order */
    int        *out;     int n_out;
    int        *overridable; int n_overridable; /* inputs that have an initializer */
    ox_capture *capture; size_t n_capture, cap_capture;
    struct ox_plan *plans;    /* a session's, newest first */
};

typedef struct ox_opset { const char *domain; int version; } ox_opset;
typedef struct ox_meta { const char *key, *value; } ox_meta;

struct ox_model {
    ox_arena   *arena;        /* IR, attributes, small constants */
    const char *path;         /* for messages; "" for bytes in memory */
    int         ir_version;
    const char *producer, *producer_version, *model_domain, *doc;
    int64_t     model_version;
    ox_opset   *opset;   int n_opset;
    ox_meta    *meta;    int n_meta;
    ox_graph   *graph;
    int         n_function;   /* model-local functions inlined at load */
    const char **symbol; size_t n_symbol, cap_symbol; /* symbol k is dim value -2 - k */
    struct ox_names   *symbol_index;
    pthread_mutex_t   *symbol_lock; /* inference in several sessions makes symbols, and fills weights */
    struct ox_weights  *weights;  /* graph/weights.h; NULL: no file is mapped */
    struct ox_deferred *deferred; /* what to release with the model: mappings, weight buffers */
    size_t      n_bytes;      /* of the file and its external data */
};

/* dim value of a symbol name, new or known; OX_DIM_UNKNOWN when out of memory.  Name of a dim value. */
int64_t     ox_model_symbol(ox_model *m, const char *name);
const char *ox_model_symbol_name(const ox_model *m, int64_t dim);

/* An empty model whose arena has this budget (0: none); NULL when out of memory. */
ox_model *ox_model_create(size_t budget);
/* Releases what was deferred (last one first), then the arena.  NULL is legal. */
void ox_model_destroy(ox_model *m);
/* Has release(data, n_bytes) called when the model is destroyed; false when out of memory. */
bool ox_model_defer(ox_model *m, void (*release)(void *data, size_t n_bytes), void *data,
                    size_t n_bytes);

/* A graph with nothing in it; NULL when out of memory.  The name is borrowed. */
ox_graph *ox_graph_create(ox_model *m, ox_graph *parent, const char *name);
/* Appends; -1 / NULL when out of memory.  Names are borrowed.  Pointers to nodes and values go stale
 * when more are added. */
int      ox_graph_add_value(ox_graph *g, const char *name);
ox_node *ox_graph_add_node(ox_graph *g);
int      ox_graph_find_value(const ox_graph *g, const char *name); /* linear; -1 */
const ox_attr *ox_node_attr(const ox_node *n, const char *name);   /* the node's own; NULL */

/* An independent copy of a graph and its subgraphs in `a`; constants are shared.  NULL: no memory. */
ox_graph *ox_graph_clone(ox_arena *a, const ox_graph *g, ox_graph *parent);

/* The k-th value that a node reads: its inputs, then what its subgraphs capture; OX_ABSENT for an absent
 * input, OX_NO_MORE behind the last. */
enum { OX_NO_MORE = -2 };
int ox_node_read(const ox_node *n, int k);

/* Recomputes producer and n_uses of every value. */
void    ox_graph_link(ox_graph *g);
/* Puts nodes in topological order (stable); fails naming the nodes of a cycle. */
ox_code ox_graph_sort(ox_graph *g, ox_error *err) OX_MUST_CHECK;
/* Drops nodes marked by op_type == NULL and those whose outputs nobody uses (impure ones too). */
void ox_graph_prune(ox_graph *g);
/* Binds schema and op of every node, in subgraphs too; lists all that is missing in one error. */
ox_code ox_graph_bind(ox_graph *g, ox_error *err) OX_MUST_CHECK;
/* One line a node, subgraphs indented. */
void ox_graph_dump(const ox_graph *g, FILE *to);
/* Asserts the invariants above. */
void ox_graph_check(const ox_graph *g);

/* Newest ox_op record of that name and domain with since <= version; NULL: none. */
const ox_op *ox_op_find(const char *domain, const char *name, int version);

#endif
