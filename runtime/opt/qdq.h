/* What the passes over quantised graphs share.  A quantised value is float32 q = (x - zero) * scale made by
 * DequantizeLinear from an 8-bit x. */
#ifndef OX_OPT_QDQ_H
#define OX_OPT_QDQ_H

#include "runtime/opt/match.h"

typedef struct ox_quant {
    int              x;           /* the 8-bit value */
    int              scale, zero; /* values; zero may be OX_ABSENT */
    const ox_tensor *s, *z;       /* the same as constants; z NULL: 0 */
    ox_dtype         dtype;       /* of x */
} ox_quant;

/* v is made by DequantizeLinear with one constant scale, float32 and positive, from 8 bits. */
bool ox_dequantised(ox_graph *g, int v, ox_quant *q);
/* n is QuantizeLinear with one constant scale, float32 and positive, to 8 bits; q->x is its output. */
bool ox_quantises(const ox_graph *g, const ox_node *n, ox_quant *q);
/* The same scale, zero point and type. */
bool ox_same_quant(const ox_quant *a, const ox_quant *b);

/* A new node with one output; -1: out of memory.  Pointers to nodes go stale. */
int  ox_add_node(ox_session *s, ox_graph *g, const char *domain, const char *op_type, int opset, const int *in,
                 int n_in, int out, const char *name);
/* A new value made by node `producer`, named after `like`; -1: out of memory. */
int  ox_add_made(ox_session *s, ox_graph *g, int like, const char *suffix, int producer);
/* A constant of one number. */
int  ox_add_number(ox_session *s, ox_graph *g, const char *name, ox_dtype dtype, double value, ox_error *err);

#endif
