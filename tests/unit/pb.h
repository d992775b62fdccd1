/* Protobuf written by hand, so that tests can also write what no library would.  Field numbers are
 * onnx.proto's.  A message is built in a buffer of its own and then put into its parent. */
#ifndef TESTS_UNIT_PB_H
#define TESTS_UNIT_PB_H

#include <check.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef struct pb {
    uint8_t *b;
    size_t   n, size;
} pb;

static inline void pb_bytes(pb *m, const void *p, size_t n)
{
    if (m->n + n > m->size) {
        m->size = (m->n + n) * 2;
        m->b = realloc(m->b, m->size);
        ck_assert_ptr_nonnull(m->b);
    }
    if (n)
        memcpy(m->b + m->n, p, n);
    m->n += n;
}
static inline void pb_varint(pb *m, uint64_t v)
{
    for (; v >= 0x80; v >>= 7)
        pb_bytes(m, &(uint8_t){ (uint8_t)(v | 0x80) }, 1);
    pb_bytes(m, &(uint8_t){ (uint8_t)v }, 1);
}
static inline void pb_tag(pb *m, unsigned field, unsigned wire) { pb_varint(m, field << 3 | wire); }
static inline void pb_int(pb *m, unsigned field, int64_t v)
{
    pb_tag(m, field, 0);
    pb_varint(m, (uint64_t)v);
}
static inline void pb_data(pb *m, unsigned field, const void *p, size_t n)
{
    pb_tag(m, field, 2);
    pb_varint(m, n);
    pb_bytes(m, p, n);
}
static inline void pb_str(pb *m, unsigned field, const char *s) { pb_data(m, field, s, strlen(s)); }
/* Puts part into m and empties it. */
static inline void pb_put(pb *m, unsigned field, pb *part)
{
    pb_data(m, field, part->b, part->n);
    free(part->b);
    *part = (pb){ 0 };
}
static inline void pb_free(pb *m)
{
    free(m->b);
    *m = (pb){ 0 };
}
/* A 32-bit word in little-endian order, unpacked. */
static inline void pb_float(pb *m, unsigned field, float f)
{
    uint32_t u;
    memcpy(&u, &f, 4);
    pb_tag(m, field, 5);
    for (int i = 0; i < 4; i++)
        pb_bytes(m, &(uint8_t){ (uint8_t)(u >> (8 * i)) }, 1);
}

/* ---- ONNX ---- */

enum { /* fields */
    MODEL_IR = 1, MODEL_GRAPH = 7, MODEL_OPSET = 8, MODEL_FUNCTION = 25,
    GRAPH_NODE = 1, GRAPH_NAME = 2, GRAPH_INIT = 5, GRAPH_IN = 11, GRAPH_OUT = 12, GRAPH_INFO = 13,
    GRAPH_SPARSE = 15,
    NODE_IN = 1, NODE_OUT = 2, NODE_NAME = 3, NODE_OP = 4, NODE_ATTR = 5, NODE_DOMAIN = 7,
    NODE_OVERLOAD = 8,
    ATTR_NAME = 1, ATTR_F = 2, ATTR_I = 3, ATTR_S = 4, ATTR_T = 5, ATTR_G = 6, ATTR_FLOATS = 7,
    ATTR_INTS = 8, ATTR_STRINGS = 9, ATTR_TYPE = 20, ATTR_REF = 21, ATTR_SPARSE = 22,
    FUNCTION_NAME = 1, FUNCTION_IN = 4, FUNCTION_OUT = 5, FUNCTION_ATTR = 6, FUNCTION_NODE = 7,
    FUNCTION_OPSET = 9, FUNCTION_DOMAIN = 10, FUNCTION_DEFAULT = 11,
    TENSOR_DIM = 1, TENSOR_TYPE = 2, TENSOR_FLOATS = 4, TENSOR_INT32S = 5, TENSOR_STRINGS = 6,
    TENSOR_INT64S = 7, TENSOR_NAME = 8, TENSOR_RAW = 9, TENSOR_DOUBLES = 10, TENSOR_UINT64S = 11,
    TENSOR_EXTERNAL = 13, TENSOR_LOCATION = 14,
};

/* Strings of a list "a,b,,c" as entries of a repeated field. */
static inline void pb_list(pb *m, unsigned field, const char *list)
{
    for (const char *p = list; *list && p;) {
        size_t n = strcspn(p, ",");
        pb_data(m, field, p, n);
        p = p[n] ? p + n + 1 : NULL;
    }
}
/* A node; attr (emptied, may be NULL) holds whole attribute fields, NODE_ATTR tags included. */
static inline pb pb_node(const char *name, const char *op, const char *in, const char *out,
                         pb *attr)
{
    pb n = { 0 };
    pb_list(&n, NODE_IN, in);
    pb_list(&n, NODE_OUT, out);
    pb_str(&n, NODE_NAME, name);
    pb_str(&n, NODE_OP, op);
    if (attr) {
        pb_bytes(&n, attr->b, attr->n);
        pb_free(attr);
    }
    return n;
}
static inline void pb_add_node(pb *graph, const char *name, const char *op, const char *in,
                               const char *out, pb *attr)
{
    pb n = pb_node(name, op, in, out, attr);
    pb_put(graph, GRAPH_NODE, &n);
}
/* Appends attribute `name` with the integer i to a node's attributes. */
static inline void pb_attr_int(pb *attrs, const char *name, int64_t i)
{
    pb a = { 0 };
    pb_str(&a, ATTR_NAME, name);
    pb_int(&a, ATTR_I, i);
    pb_int(&a, ATTR_TYPE, 2);
    pb_put(attrs, NODE_ATTR, &a);
}
static inline void pb_attr_graph(pb *attrs, const char *name, pb *graph)
{
    pb a = { 0 };
    pb_str(&a, ATTR_NAME, name);
    pb_put(&a, ATTR_G, graph);
    pb_int(&a, ATTR_TYPE, 5);
    pb_put(attrs, NODE_ATTR, &a);
}
/* A float tensor value; dims like "2,N,?" or "" for a scalar, NULL for an unknown rank. */
static inline void pb_value(pb *graph, unsigned field, const char *name, int dtype,
                            const char *dims)
{
    pb v = { 0 }, type = { 0 }, tensor = { 0 }, shape = { 0 };
    pb_int(&tensor, 1, dtype);
    for (const char *p = dims; dims && *dims && p;) {
        size_t n = strcspn(p, ",");
        pb d = { 0 };
        if (*p >= '0' && *p <= '9')
            pb_int(&d, 1, strtoll(p, NULL, 10));
        else if (*p != '?')
            pb_data(&d, 2, p, n);
        pb_put(&shape, 1, &d);
        p = p[n] ? p + n + 1 : NULL;
    }
    if (dims)
        pb_put(&tensor, 2, &shape);
    pb_put(&type, 1, &tensor);
    pb_str(&v, 1, name);
    pb_put(&v, 2, &type);
    pb_put(graph, field, &v);
}
/* A tensor with raw_data; rank 1, or a scalar if dim < 0. */
static inline pb pb_tensor(const char *name, int dtype, int64_t dim, const void *raw, size_t n)
{
    pb t = { 0 };
    if (dim >= 0)
        pb_int(&t, TENSOR_DIM, dim);
    pb_int(&t, TENSOR_TYPE, dtype);
    if (name)
        pb_str(&t, TENSOR_NAME, name);
    pb_data(&t, TENSOR_RAW, raw, n);
    return t;
}
/* x -> y, both f32[2,N]. */
static inline pb pb_graph_xy(void)
{
    pb g = {0};
    pb_str(&g, GRAPH_NAME, "g");
    pb_value(&g, GRAPH_IN, "x", 1, "2,N");
    pb_value(&g, GRAPH_OUT, "y", 1, "2,N");
    return g;
}
/* Empties graph. */
static inline pb pb_model(pb *graph, int opset)
{
    pb m = { 0 }, o = { 0 };
    pb_int(&m, MODEL_IR, 8);
    pb_int(&o, 2, opset);
    pb_put(&m, MODEL_OPSET, &o);
    pb_put(&m, MODEL_GRAPH, graph);
    return m;
}

#endif
