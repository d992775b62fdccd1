/* Building the IR from protobuf messages: what graphs, nodes, attributes and functions share. */
#ifndef OX_LOAD_BUILD_H
#define OX_LOAD_BUILD_H

#include "runtime/load/proto.h"

enum { /* each named in the error that it causes */
    OX_MAX_NODES = 10000000, /* after functions are expanded */
    OX_MAX_GRAPH_DEPTH = 64,
    OX_MAX_CALL_DEPTH = 64,
    OX_MAX_ATTRS = 1000, /* of a node */
};

/* A graph while it is built. */
typedef struct ox_graph_build {
    ox_graph *g;
    struct ox_graph_build *parent;
    int       depth;
    ox_names  taken;     /* names of values [0, n_taken) */
    size_t    n_taken;
    ox_names  captured;  /* name of the parent's value -> value here */
} ox_graph_build;

/* A call of a model-local function: the node, and where it stands. */
typedef struct ox_call {
    const OxPb__NodeProto     *node;
    struct ox_scope           *at;
    const OxPb__FunctionProto *function;
} ox_call;

/* The names that nodes see.  A graph has a scope; so has the body of a function, whose values are
 * in the graph of the call but whose names are its own. */
typedef struct ox_scope {
    ox_names        names; /* -> value of gb->g, or OX_ABSENT: an input the caller left out */
    ox_graph_build *gb;
    struct ox_scope *up;   /* around it in the file; in a graph further out.  NULL: none */
    const ox_call  *call;  /* whose body this is part of; NULL: none */
    const ox_names *opset; /* domain -> version */
    const char     *prefix; /* of the names of nodes and values; NULL: none */
} ox_scope;

typedef struct ox_builder {
    ox_model *m;
    ox_arena *a; /* for what is needed during loading only */
    ox_place  place;
    bool      defer; /* place.defer while initializers are read */
    const OxPb__ModelProto *proto;
    ox_names  opset;
    ox_names  function; /* ox_function_key -> index in proto->functions */
    struct ox_function_state {
        bool     active;
        ox_names opset;
    } *function_state;
    ox_names  text; /* interned strings -> index */
    const char **texts;
    size_t    n_texts, cap_texts;
    size_t    n_nodes, n_made_up;
    int       call_depth;
    ox_error *err;
} ox_builder;

/* The copy of a string that the whole model shares; NULL when out of memory. */
const char *ox_build_text(ox_builder *b, const char *s);
ox_code     ox_build_no_memory(ox_builder *b);
/* "" for ai.onnx. */
const char *ox_build_domain(const char *domain);
/* Fills a table of domain -> version. */
ox_code ox_build_opsets(ox_builder *b, OxPb__OperatorSetIdProto *const *p, size_t n,
                        ox_names *table) OX_MUST_CHECK;
int ox_build_opset_of(ox_builder *b, const ox_scope *s, const char *domain);

/* The graph p, part of parent (NULL: the model's).  s is what its nodes see besides. */
ox_code ox_build_graph(ox_builder *b, const OxPb__GraphProto *p, ox_graph_build *parent,
                       ox_scope *up, ox_graph **out) OX_MUST_CHECK;
ox_code ox_build_node(ox_builder *b, ox_scope *s, const OxPb__NodeProto *p, size_t index)
    OX_MUST_CHECK;
/* Value number for a name in use; fails if there is none. */
ox_code ox_build_value(ox_builder *b, ox_scope *s, const char *name, int *out) OX_MUST_CHECK;
/* A new value called `name`, or so but made unique in its graph. */
ox_code ox_build_temporary(ox_builder *b, ox_graph_build *gb, const char *prefix, const char *name,
                           int *out) OX_MUST_CHECK;
/* The node's name, or one made of operator and index. */
const char *ox_build_node_name(ox_builder *b, const ox_scope *s, const OxPb__NodeProto *p,
                               size_t index);
ox_code ox_build_attrs(ox_builder *b, ox_scope *s, const OxPb__NodeProto *p, ox_node *n)
    OX_MUST_CHECK;
/* Arity, attribute names and kinds against what ONNX says.  Unknown operators pass: see bind. */
ox_code ox_build_check(ox_builder *b, const ox_node *n) OX_MUST_CHECK;

/* Index of the model-local function that the node calls; -1: it is an operator. */
int     ox_build_function(ox_builder *b, const OxPb__NodeProto *p);
ox_code ox_build_functions(ox_builder *b) OX_MUST_CHECK; /* the table of them */
ox_code ox_build_call(ox_builder *b, ox_scope *s, const OxPb__NodeProto *p, int function,
                      size_t index) OX_MUST_CHECK;

#endif
