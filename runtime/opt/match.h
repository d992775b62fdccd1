/* What the passes that look for patterns share.  They start at the one node that marks a pattern and look
 * along producers and only users, so that it does not matter in which order an exporter wrote operands,
 * or whether it multiplied or divided.  Nodes that a rewrite leaves without a reader are pruned; those
 * that something else reads stay, so other readers never make a rewrite wrong. */
#ifndef OX_OPT_MATCH_H
#define OX_OPT_MATCH_H

#include "runtime/opt/opt.h"

/* Rank of a value where the model's inputs and constants decide it, else -1. */
int  ox_rank(const ox_graph *g, int v);
/* Its size along dimension d (negative: from the end); OX_DIM_UNKNOWN where not known.  Other negative
 * sizes are symbols: equal ones are equal sizes. */
int64_t ox_size(const ox_graph *g, int v, int d);
bool ox_is_f32(const ox_graph *g, int v); /* known to be of type float32 */

/* v is a float32 constant with one element, which leaves the shape of whatever has the rank of `like` (or
 * more) as it is; *x is it. */
bool ox_scalar(const ox_graph *g, int v, int like, double *x);
/* Whether x is the constant `want` as float32 arithmetic may have rounded it. */
bool ox_about(double x, double want);
/* A float32 constant of rank 1. */
const ox_tensor *ox_vector(const ox_graph *g, int v);

/* Producer of v if it is that operator. */
ox_node *ox_made_by(ox_graph *g, int v, const char *op_type);
/* The other input of a node with two, one of which is v; -1: neither is. */
int  ox_other(const ox_node *n, int v);
/* n is Mul or Div of a value by a scalar: the value, and the factor multiplied into *factor; else -1. */
int  ox_scaled(const ox_graph *g, const ox_node *n, double *factor);
/* n takes the mean over the last dimension and keeps it as 1. */
bool ox_means_last(const ox_graph *g, const ox_node *n);
/* An integer attribute, or `otherwise`. */
int64_t ox_int_attr(const ox_node *n, const char *name, int64_t otherwise);
/* n is a Transpose with this permutation of `rank` dimensions. */
bool ox_permutes(const ox_node *n, int rank, const int *perm);

/* Value v as a polynomial in value x (degree 3) and value e (degree 1): sum of c[i][j] x^i e^j. */
typedef struct ox_poly { double c[4][2]; } ox_poly;
bool ox_poly_of(ox_graph *g, int v, int x, int e, int depth, ox_poly *p);
/* The same but for `slack`, relative to each coefficient. */
bool ox_poly_is(const ox_poly *p, const ox_poly *want, double slack);

/* Turns n into another operator with one output, its last; false: none of that name and version, or out
 * of memory.  Attributes are dropped. */
bool ox_become(ox_session *s, ox_node *n, const char *domain, const char *op_type, int opset, const int *in,
               int n_in);

#endif
