/* Models built node by node.  One model at a time: start() makes it, ox_model_destroy(m) ends it. */
#ifndef TESTS_UNIT_BUILD_H
#define TESTS_UNIT_BUILD_H

#include "runtime/exec/session.h"

#include <check.h>
#include <math.h>
#include <string.h>

static __attribute__((unused)) ox_model *m;
static __attribute__((unused)) ox_graph *g;

static inline void start(void)
{
    ck_assert_ptr_nonnull(m = ox_model_create(0));
    static ox_opset opset[] = { { "", 17 } };
    m->opset = opset;
    m->n_opset = 1;
    ck_assert_ptr_nonnull(g = m->graph = ox_graph_create(m, NULL, "test"));
}

static inline int *one(int v)
{
    int *list = ox_arena_alloc(m->arena, sizeof(*list));
    ck_assert_ptr_nonnull(list);
    *list = v;
    return list;
}

static inline int value(const char *name)
{
    int v = ox_graph_add_value(g, name);
    ck_assert_int_ge(v, 0);
    return v;
}

static inline int input(const char *name, int rank, const int64_t *dim)
{
    int v = value(name), *more = ox_arena_array(m->arena, (size_t)g->n_in + 1, sizeof(*more));
    if (g->n_in)
        memcpy(more, g->in, (size_t)g->n_in * sizeof(*more));
    more[g->n_in++] = v;
    g->in = more;
    g->value[v].is_input = true;
    g->value[v].type = (ox_type){ .kind = OX_TENSOR, .dtype = OX_F32, .rank = rank };
    memcpy(g->value[v].type.dim, dim, (size_t)rank * sizeof(*dim));
    return v;
}

static inline void output(int v)
{
    int *more = ox_arena_array(m->arena, (size_t)g->n_out + 1, sizeof(*more));
    if (g->n_out)
        memcpy(more, g->out, (size_t)g->n_out * sizeof(*more));
    more[g->n_out++] = v;
    g->out = more;
    g->value[v].is_output = true;
}

static inline float wave(int i) { return (float)sin(0.7 * i + 0.3) * 1.5f; }

/* A constant with these sizes; rank 0 is the scalar x, else it is a wave around x. */
static inline int constant(double x, int rank, const int64_t *dim)
{
    int v = value("constant");
    int64_t n = 1;
    ox_tensor *t = ox_arena_alloc(m->arena, sizeof(*t));
    *t = (ox_tensor){ .dtype = OX_F32, .rank = rank };
    for (int d = 0; d < rank; d++)
        n *= t->dim[d] = dim[d];
    float *data = t->data = ox_arena_array(m->arena, (size_t)n, sizeof(float));
    for (int i = 0; i < n; i++)
        data[i] = (float)x + (rank ? wave(i + v) : 0);
    g->value[v].constant = t;
    return v;
}
static inline int scalar(double x) { return constant(x, 0, NULL); }
static inline int vector(int64_t n) { return constant(0, 1, &n); }

static inline ox_node *node(const char *op, int opset, int n_in, const int *in)
{
    ox_node *n = ox_graph_add_node(g);
    ck_assert_ptr_nonnull(n);
    n->name = n->op_type = op;
    n->opset = opset;
    n->in = ox_arena_array(m->arena, (size_t)n_in, sizeof(int));
    memcpy(n->in, in, (size_t)n_in * sizeof(int));
    n->n_in = n_in;
    n->out = one(value(op));
    n->n_out = 1;
    return n;
}
static inline int op1(const char *op, int a) { return node(op, 17, 1, (int[]){ a })->out[0]; }
static inline int op2(const char *op, int a, int b) { return node(op, 17, 2, (int[]){ a, b })->out[0]; }

/* An attribute of the node, to be filled in. */
static inline ox_attr *attribute(ox_node *n, const char *name, ox_attr_kind kind)
{
    ox_attr *a = ox_arena_array(m->arena, (size_t)n->n_attr + 1, sizeof(*a));
    if (n->n_attr)
        memcpy(a, n->attr, (size_t)n->n_attr * sizeof(*a));
    n->attr = a;
    a += n->n_attr++;
    a->name = name;
    a->kind = kind;
    return a;
}

static inline void ints(ox_node *n, const char *name, int count, const int64_t *list)
{
    ox_attr *a = attribute(n, name, OX_ATTR_INTS);
    a->n = count;
    a->ints = ox_arena_array(m->arena, (size_t)count, sizeof(int64_t));
    memcpy(a->ints, list, (size_t)count * sizeof(int64_t));
}

/* The outputs of one run, one behind the other, as float; their number.  Inputs are waves. */
static inline size_t run_model(const ox_options *o, float *to, size_t size, ox_session **session)
{
    ox_error err = { 0 };
    ox_session *s;
    ck_assert_msg(ox_session_create(m, o, &s, &err) == OX_OK, "%s", err.message);
    ox_value in[8] = { 0 };
    const ox_value *given[8], *out[8];
    ck_assert_int_le(g->n_in, 8);
    for (int i = 0; i < g->n_in; i++) {
        const ox_type *t = &g->value[g->in[i]].type;
        in[i].kind = OX_TENSOR;
        ck_assert(ox_tensor_alloc(&in[i].t, OX_F32, t->rank, t->dim, &err) == OX_OK);
        for (int64_t k = 0; k < ox_count(&in[i].t); k++)
            ((float *)in[i].t.data)[k] = wave((int)k * (i + 1));
        given[i] = &in[i];
    }
    ck_assert_msg(ox_session_run(s, given, out, &err) == OX_OK, "%s", err.message);
    size_t at = 0;
    for (int i = 0; i < g->n_out; i++)
        for (int64_t k = 0; k < ox_count(&out[i]->t); k++, at++) {
            ck_assert_uint_lt(at, size);
            to[at] = (float)ox_get_f64(&out[i]->t, k);
        }
    for (int i = 0; i < g->n_in; i++)
        ox_tensor_release(&in[i].t);
    if (session)
        *session = s;
    else
        ox_session_destroy(s);
    return at;
}

#endif
