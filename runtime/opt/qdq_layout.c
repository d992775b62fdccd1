/* Integer convolutions have channels last: what lies between them gets that layout, too.
 *
 * A value that QLinearConv makes has channels last; a Transpose makes the ONNX form of it only
 * where somebody else wants that.  QTable, QAdd, QMul and MaxPool on 8 bits take whatever layout
 * their inputs have. */
#include "runtime/opt/qdq.h"

#include <string.h>

typedef struct layout {
    ox_session *s;
    ox_graph *g;
    size_t n;    /* values when the pass began: the arrays' size */
    int *last;   /* of each value: its twin with channels last, or -1 */
    int *rank;   /* of those */
    bool *made;  /* it is also there as ONNX has it */
    bool failed; /* out of memory */
} layout;

static bool is_ours(const ox_node *n, const char *op_type)
{
    return n->op_type && strcmp(n->domain, "onnxrun") == 0 && strcmp(n->op_type, op_type) == 0;
}

static int transpose(layout *l, int from, int to, int rank, bool to_last)
{
    int64_t perm[OX_MAX_RANK];
    for (int i = 0; i < rank; i++)
        perm[i] = to_last ? (i == 0          ? 0
                             : i == rank - 1 ? 1
                                             : i + 1)
                          : (i == 0   ? 0
                             : i == 1 ? rank - 1
                                      : i - 1);
    int k = ox_add_node(l->s, l->g, "", "Transpose", 13, &from, 1, to, l->g->value[to].name);
    if (k < 0 || !ox_set_attr_i64s(l->s, &l->g->node[k], "perm", rank, perm))
        l->failed = true;
    return k;
}

static bool has_last(const layout *l, int v)
{
    return v >= 0 && (size_t)v < l->n && l->last[v] >= 0;
}

/* v with channels last; made by a Transpose where there is none yet. */
static int want_last(layout *l, int v, int rank)
{
    if ((size_t)v < l->n && l->last[v] >= 0)
        return l->last[v];
    int twin = ox_add_made(l->s, l->g, v, "channels_last", -1);
    if (twin < 0 || (size_t)v >= l->n) {
        l->failed = true;
        return v;
    }
    l->last[v] = twin;
    l->rank[v] = rank;
    l->made[v] = true;
    transpose(l, v, twin, rank, true);
    return twin;
}

/* Output 0 of node k has channels last. */
static void gives_last(layout *l, size_t k, int rank)
{
    int y = l->g->node[k].out[0], twin = ox_add_made(l->s, l->g, y, "channels_last", (int)k);
    if (twin < 0) {
        l->failed = true;
        return;
    }
    l->g->node[k].out[0] = twin;
    l->g->value[y].producer = -1;
    l->last[y] = twin;
    l->rank[y] = rank;
    l->made[y] = false;
}

/* Somebody reads v as ONNX has it. */
static void want_first(layout *l, int v)
{
    if (!has_last(l, v) || l->made[v])
        return;
    l->made[v] = true;
    transpose(l, l->last[v], v, l->rank[v], false);
}

/* ---- node by node ---- */

static bool takes_conv(layout *l, size_t k)
{
    ox_node *n = &l->g->node[k];
    const ox_tensor *w = ox_is_op(n, "QLinearConv") && n->n_in > 3 && n->in[3] >= 0
                             ? l->g->value[n->in[3]].constant
                             : NULL;
    if (!w || w->rank < 3 || n->in[0] < 0 || ox_node_attr(n, "onnxrun_nhwc") ||
        l->g->value[n->in[0]].constant)
        return false;
    int rank = w->rank, x = want_last(l, n->in[0], rank);
    l->g->node[k].in[0] = x;
    if (!ox_set_attr_f32(l->s, &l->g->node[k], "onnxrun_nhwc", 1))
        l->failed = true;
    gives_last(l, k, rank);
    return true;
}

static bool takes_table(layout *l, size_t k)
{
    ox_node *n = &l->g->node[k];
    if (!is_ours(n, "QTable") || n->n_in != 2 || !has_last(l, n->in[0]))
        return false;
    int rank = l->rank[n->in[0]];
    n->in[0] = l->last[n->in[0]];
    gives_last(l, k, rank);
    return true;
}

static bool is_number(const layout *l, int v)
{
    const ox_tensor *c = l->g->value[v].constant;
    return c && ox_count(c) == 1 && c->rank == 0;
}

static bool takes_pair(layout *l, size_t k)
{
    ox_node *n = &l->g->node[k];
    if ((!is_ours(n, "QAdd") && !is_ours(n, "QMul")) || n->n_in < 8 || n->in[0] < 0 || n->in[3] < 0)
        return false;
    int a = n->in[0], b = n->in[3];
    bool la = has_last(l, a), lb = has_last(l, b);
    int rank = la ? l->rank[a] : lb ? l->rank[b] : -1;
    if ((!la && !is_number(l, a)) || (!lb && !is_number(l, b)) || rank < 0 ||
        (la && lb && l->rank[a] != l->rank[b]))
        return false;
    n->in[0] = la ? l->last[a] : a;
    n->in[3] = lb ? l->last[b] : b;
    gives_last(l, k, rank);
    return true;
}

static bool takes_pool(layout *l, size_t k)
{
    ox_node *n = &l->g->node[k];
    if (!ox_is_op(n, "MaxPool") || n->n_in != 1 || n->n_out != 1 || !has_last(l, n->in[0]) ||
        !n->schema || n->schema->since < 12)
        return false;
    ox_attr *attr = n->attr;
    int n_attr = n->n_attr, x = n->in[0], rank = l->rank[x];
    if (!ox_become(l->s, n, "onnxrun", "QMaxPool", 1, (int[]){ l->last[x] }, 1))
        return false;
    n->attr = attr;
    n->n_attr = n_attr;
    gives_last(l, k, rank);
    return true;
}

static void others(layout *l, size_t k)
{
    for (int i = 0, v; (v = ox_node_read(&l->g->node[k], i)) != OX_NO_MORE; i++)
        want_first(l, v);
}

ox_code ox_pass_qdq_layout(ox_session *s, ox_graph *g, ox_error *err)
{
    if (s->options.f64 || s->options.float_qdq)
        return OX_OK;
    layout l = { .s = s,
                 .g = g,
                 .n = g->n_value,
                 .last = ox_arena_array(s->arena, g->n_value + 1, sizeof(int)),
                 .rank = ox_arena_array(s->arena, g->n_value + 1, sizeof(int)),
                 .made = ox_arena_array(s->arena, g->n_value + 1, sizeof(bool)) };
    if (!l.last || !l.rank || !l.made)
        return OX_FAIL(err, OX_E_NOMEM, "out of memory");
    for (size_t i = 0; i < l.n; i++)
        l.last[i] = -1;
    for (size_t k = 0, n = g->n_node; k < n && !l.failed; k++)
        if (g->node[k].op_type && !takes_conv(&l, k) && !takes_table(&l, k) && !takes_pair(&l, k) &&
            !takes_pool(&l, k))
            others(&l, k);
    for (size_t v = 0; v < l.n && !l.failed; v++)
        if (g->value[v].is_output)
            want_first(&l, (int)v);
    if (l.failed)
        return OX_FAIL(err, OX_E_NOMEM, "out of memory");
    return ox_graph_sort(g, err);
}
