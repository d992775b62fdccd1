/* Graph rewrites.  Each pass is one function over one graph (subgraphs are visited too) and one line
 * of passes.def.  A pass that cannot prove its rewrite declines: it never fails for that. */
#ifndef OX_OPT_OPT_H
#define OX_OPT_OPT_H

#include "runtime/exec/internal.h"

typedef ox_code ox_pass_fn(ox_session *s, ox_graph *g, ox_error *err);
#define PASS(name, level, what) ox_pass_fn ox_pass_##name;
#include "runtime/opt/passes.def"
#undef PASS

/* The value's producer; NULL: input, capture or constant. */
ox_node *ox_producer(ox_graph *g, int value);
/* The only reader of `value`, as an input; NULL if there are more, none, a subgraph's capture, or if
 * it is a graph output.  As of the last ox_graph_link. */
ox_node *ox_only_user(ox_graph *g, int value);
bool     ox_is_op(const ox_node *n, const char *op_type); /* of ai.onnx */
/* Every reader of value v reads to[v], subgraphs' captures too. */
void     ox_replace_values(ox_graph *g, const int *to);
/* A new constant value of the graph; takes t.  -1: out of memory. */
int      ox_add_constant(ox_session *s, ox_graph *g, const char *name, ox_tensor *take_t);
/* Marks a node for ox_graph_prune. */
void     ox_delete_node(ox_node *n);
/* Gives a node an attribute of ours (kernels read it like any other).  false: out of memory. */
bool     ox_set_attr_str(ox_session *s, ox_node *n, const char *name, const char *value);
bool     ox_set_attr_i64s(ox_session *s, ox_node *n, const char *name, int count, const int64_t *values);
bool     ox_set_attr_i64(ox_session *s, ox_node *n, const char *name, int64_t value);
bool     ox_set_attr_f32(ox_session *s, ox_node *n, const char *name, float value);
/* An activation that convolutions and matrix products take over as onnxrun_activation, _alpha, _beta;
 * false: n is none. */
bool     ox_epilogue_activation(const ox_graph *g, const ox_node *n, const char **name, float *alpha, float *beta);
/* Input i of n becomes value v, the list growing with absent inputs as needed. */
bool     ox_set_input(ox_session *s, ox_node *n, int i, int v);

#endif
