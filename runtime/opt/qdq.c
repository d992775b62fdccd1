#include "runtime/opt/qdq.h"

#include <math.h>
#include <string.h>

static const ox_tensor *one_scale(const ox_graph *g, int v)
{
    const ox_tensor *c = v >= 0 ? g->value[v].constant : NULL;
    if (!c || c->dtype != OX_F32 || ox_count(c) != 1)
        return NULL;
    float s = *(const float *)c->data;
    return s > 0 && s < INFINITY ? c : NULL;
}

static bool is_8bit(ox_dtype t)
{
    return t == OX_I8 || t == OX_U8;
}

static bool read(const ox_graph *g, const ox_node *n, ox_quant *q)
{
    if (n->n_in < 2 || n->n_out != 1 || ox_int_attr(n, "block_size", 0) ||
        ox_int_attr(n, "precision", 0))
        return false;
    q->scale = n->in[1];
    q->zero = n->n_in > 2 ? n->in[2] : OX_ABSENT;
    q->s = one_scale(g, q->scale);
    q->z = q->zero >= 0 ? g->value[q->zero].constant : NULL;
    if (!q->s || (q->zero >= 0 && (!q->z || !is_8bit(q->z->dtype) || ox_count(q->z) != 1)))
        return false;
    q->dtype = q->z ? q->z->dtype : OX_UNDEFINED;
    return true;
}

bool ox_dequantised(ox_graph *g, int v, ox_quant *q)
{
    ox_node *n = ox_made_by(g, v, "DequantizeLinear");
    int64_t to = n ? ox_int_attr(n, "output_dtype", 0) : 0;
    if (!n || !read(g, n, q) || (to && to != OX_F32) || n->in[0] < 0)
        return false;
    q->x = n->in[0];
    const ox_info *x = &g->value[q->x];
    if (!q->z)
        q->dtype = x->constant ? x->constant->dtype : x->inferred ? x->type.dtype : OX_UNDEFINED;
    return is_8bit(q->dtype);
}

bool ox_quantises(const ox_graph *g, const ox_node *n, ox_quant *q)
{
    if (!ox_is_op(n, "QuantizeLinear") || !read(g, n, q) || n->in[0] < 0 || n->out[0] < 0)
        return false;
    int64_t to = ox_int_attr(n, "output_dtype", 0);
    if (!q->z)
        q->dtype = to ? (ox_dtype)to : OX_U8;
    q->x = n->out[0];
    return is_8bit(q->dtype) && (!to || to == (int64_t)q->dtype);
}

bool ox_same_quant(const ox_quant *a, const ox_quant *b)
{
    int64_t za = a->z ? ox_get_i64(a->z, 0) : 0, zb = b->z ? ox_get_i64(b->z, 0) : 0;
    return a->dtype == b->dtype && za == zb &&
           *(const float *)a->s->data == *(const float *)b->s->data;
}

int ox_add_node(ox_session *s, ox_graph *g, const char *domain, const char *op_type, int opset,
                const int *in, int n_in, int out, const char *name)
{
    int *outs = ox_arena_array(s->arena, 1, sizeof(*outs));
    ox_node *n = outs ? ox_graph_add_node(g) : NULL;
    if (!n)
        return -1;
    *outs = out;
    n->name = name;
    n->out = outs;
    n->n_out = 1;
    if (!ox_become(s, n, domain, op_type, opset, in, n_in)) {
        ox_delete_node(n);
        return -1;
    }
    g->value[out].producer = (int)(n - g->node);
    return (int)(n - g->node);
}

int ox_add_made(ox_session *s, ox_graph *g, int like, const char *suffix, int producer)
{
    char *name = ox_arena_printf(s->arena, "%s/%s", g->value[like].name, suffix);
    int v = name ? ox_graph_add_value(g, name) : -1;
    if (v >= 0)
        g->value[v].producer = producer;
    return v;
}

int ox_add_number(ox_session *s, ox_graph *g, const char *name, ox_dtype dtype, double value,
                  ox_error *err)
{
    ox_tensor t;
    if (ox_tensor_alloc(&t, dtype, 0, NULL, err) != OX_OK)
        return -1;
    ox_from_f64(t.data, &value, dtype, 1);
    return ox_add_constant(s, g, name, &t);
}

/* ---- qdq_move: movement happens on 8 bits ---- */

static bool is_one_of(const ox_node *n, const char *const *names)
{
    if (n->n_in < 1 || n->n_out != 1 || n->in[0] < 0 || n->out[0] < 0)
        return false;
    for (; *names; names++)
        if (ox_is_op(n, *names))
            return true;
    return false;
}

/* Operators that take 8 bits and put the elements of input 0 into another order. */
static bool reorders(const ox_node *n)
{
    static const char *const names[] = { "Reshape",      "Transpose",    "Flatten",
                                         "Squeeze",      "Unsqueeze",    "Identity",
                                         "DepthToSpace", "SpaceToDepth", NULL };
    return is_one_of(n, names);
}

/* Those whose output elements are elements of input 0; of MaxPool, padding is never one. */
static bool moves(const ox_node *n)
{
    static const char *const names[] = { "Slice", "Gather", "Expand", "MaxPool", NULL };
    return reorders(n) || (is_one_of(n, names) &&
                           (!ox_is_op(n, "MaxPool") || (n->schema && n->schema->since >= 12)));
}

/* move(dequantised x) becomes dequantised move(x). */
static ox_code sink(ox_session *s, ox_graph *g, size_t k, const ox_quant *q, ox_error *err)
{
    int old = g->node[k].out[0], in[3], t = ox_add_made(s, g, old, "quantised", (int)k);
    const ox_node *dq = ox_producer(g, g->node[k].in[0]);
    in[0] = t, in[1] = q->scale, in[2] = q->zero;
    if (t < 0 || ox_add_node(s, g, "", "DequantizeLinear", dq->opset, in, q->zero >= 0 ? 3 : 2, old,
                             g->value[old].name) < 0)
        return OX_FAIL(err, OX_E_NOMEM, "out of memory");
    g->value[t].type = g->value[old].type;
    g->value[t].type.dtype = q->dtype;
    g->value[t].inferred = g->value[old].inferred;
    g->node[k].in[0] = q->x;
    g->node[k].out[0] = t;
    return OX_OK;
}

/* quantised move(v) becomes move(quantised v): the nodes change places. */
static ox_code rise(ox_session *s, ox_graph *g, size_t m, size_t k, ox_dtype dtype, ox_error *err)
{
    int v = g->node[m].in[0], y = g->node[k].out[0], t = ox_add_made(s, g, v, "quantised", (int)m);
    if (t < 0)
        return OX_FAIL(err, OX_E_NOMEM, "out of memory");
    ox_node mover = g->node[m], quantiser = g->node[k];
    g->value[t].type = g->value[v].type;
    g->value[t].type.dtype = dtype;
    g->value[t].inferred = g->value[v].inferred;
    quantiser.in[0] = v;
    quantiser.out[0] = t;
    mover.in[0] = t;
    mover.out[0] = y;
    g->node[m] = quantiser;
    g->node[k] = mover;
    g->value[y].producer = (int)k;
    g->value[y].user = g->value[y].n_uses == 1 ? g->value[y].user : -1;
    g->value[t].n_uses = 1;
    g->value[t].user = (int)k;
    if (g->value[v].n_uses == 1)
        g->value[v].user = (int)m;
    return OX_OK;
}

/* Casts to the type that QuantizeLinear gives, as PyTorch writes behind each. */
static ox_code drop_casts(ox_graph *g, ox_error *err)
{
    int *to = ox_arena_array(g->arena, g->n_value + 1, sizeof(*to));
    if (!to)
        return OX_FAIL(err, OX_E_NOMEM, "out of memory");
    for (size_t i = 0; i < g->n_value; i++)
        to[i] = (int)i;
    for (size_t k = 0; k < g->n_node; k++) {
        ox_node *n = &g->node[k];
        ox_quant q;
        if (!ox_is_op(n, "Cast") || n->in[0] < 0 || g->value[n->out[0]].is_output)
            continue;
        ox_node *made = ox_producer(g, to[n->in[0]]);
        if (!made || !ox_quantises(g, made, &q) || ox_int_attr(n, "to", 0) != (int64_t)q.dtype)
            continue;
        to[n->out[0]] = to[n->in[0]];
        ox_delete_node(n);
    }
    ox_replace_values(g, to);
    ox_graph_prune(g);
    ox_graph_link(g);
    return OX_OK;
}

ox_code ox_pass_qdq_move(ox_session *s, ox_graph *g, ox_error *err)
{
    if (s->options.f64 || s->options.float_qdq)
        return OX_OK;
    OX_TRY(drop_casts(g, err));
    for (size_t k = 0, n = g->n_node; k < n; k++) {
        ox_quant q;
        if (g->node[k].op_type && moves(&g->node[k]) && ox_dequantised(g, g->node[k].in[0], &q))
            OX_TRY(sink(s, g, k, &q, err));
    }
    OX_TRY(ox_graph_sort(g, err));
    ox_graph_prune(g);
    ox_graph_link(g);
    for (size_t k = g->n_node; k-- > 0;) {
        ox_quant q;
        const ox_node *n = &g->node[k];
        if (!ox_quantises(g, n, &q))
            continue;
        const ox_node *m = ox_producer(g, n->in[0]);
        if (m && (reorders(m) || (ox_is_op(m, "MaxPool") && moves(m))) &&
            ox_only_user(g, m->out[0]) == n)
            OX_TRY(rise(s, g, (size_t)(m - g->node), k, q.dtype, err));
    }
    return ox_graph_sort(g, err);
}
