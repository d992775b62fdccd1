/* Gradient nodes (ai.onnx.preview.training) written out as ordinary nodes: the part of the graph
 * between xs and y is followed backwards, node by node.
 *
 * y need not be a scalar: the result is the gradient of the sum of its elements.  Where the values fed
 * to the node are not those its attributes name, that part of the graph is repeated with them.
 *
 * gradient.c walks the graph, gradient_rule.c evaluates what gradients.def says of an operator,
 * gradient_special.c holds what a line cannot say, gradient_tape.c adds nodes. */
#ifndef OX_OPT_GRADIENT_H
#define OX_OPT_GRADIENT_H

#include "runtime/graph/graph.h"

/* For a graph that is not bound yet; leaves it sorted.  Fails on an operator without a rule. */
ox_code ox_expand_gradients(ox_graph *g, ox_error *err) OX_MUST_CHECK;

/* ---- adding nodes: after a failure (code) nothing is added and values are OX_ABSENT ---- */
typedef struct ox_tape {
    ox_graph   *g;
    ox_error   *err;
    const char *name; /* of the Gradient node */
    ox_code     code; /* the first failure */
} ox_tape;

enum { OX_TAPE_OPSET = 22 }; /* of ai.onnx, for added nodes */

int ox_tape_value(ox_tape *t);
/* A node of ai.onnx, or of ours; its first output, the others are numbered behind it.  Absent inputs
 * at the end are left out. */
int  ox_tape_node(ox_tape *t, const char *op, int n_in, const int *in, int n_out);
int  ox_tape_node1(ox_tape *t, const char *op, int a);
int  ox_tape_node2(ox_tape *t, const char *op, int a, int b);
/* Attributes for the node added last; everything is copied. */
void ox_tape_attr(ox_tape *t, const ox_attr *a);
void ox_tape_attr_int(ox_tape *t, const char *name, int64_t i);
void ox_tape_attr_str(ox_tape *t, const char *name, const char *s);
int  ox_tape_ints(ox_tape *t, const int64_t *i, int n);  /* a constant, i64[n] */
int  ox_tape_number(ox_tape *t, double v, int like);     /* a scalar of the type of `like` */
int  ox_tape_filled(ox_tape *t, double v, int like);     /* ... and of its shape */
void ox_tape_fail(ox_tape *t, const ox_node *n, const char *why);

/* An attribute of n, its own or the schema's default.  false: neither. */
bool    ox_tape_find_attr(const ox_node *n, const char *name, ox_attr *a);
int64_t ox_tape_find_int(const ox_node *n, const char *name);

/* ---- rules ---- */
/* n with the values that stand for its inputs and outputs; dy: gradients of its outputs, OX_ABSENT
 * where there is none.  dx[i] on entry: whether input i wants one (anything but OX_ABSENT); on return:
 * it, or OX_ABSENT where the output does not depend smoothly on it. */
typedef void ox_grad_rule(ox_tape *t, const ox_node *n, const int *dy, int *dx);
ox_grad_rule ox_grad_of_node;
/* The rule written as text (see gradients.def). */
void ox_grad_text(ox_tape *t, const ox_node *n, const int *dy, int *dx, const char *text);

#define GRADIENT(op, since, when, text)
#define GRADIENT_IN_C(op, since, fn) ox_grad_rule ox_grad_##fn;
#include "runtime/opt/gradients.def"
#undef GRADIENT
#undef GRADIENT_IN_C

#endif
