/* float16 and bfloat16 become float32 between a graph's inputs and outputs: kernels compute in float32 anyhow, and
 * converting at the edges of every node costs more than most nodes.  A result is rounded once, at the end, instead of
 * at every node, and everything that is fused for float32 is fused here, too.
 *
 * A node takes part if its schema lets float32 stand for the half type.  Others (casts to integers, whose inputs are
 * to be rounded; sequences; nodes with subgraphs) keep their types: every value that both kinds need exists twice,
 * with a Cast between. */
#include "runtime/opt/qdq.h"

#include <string.h>

typedef struct widening {
    ox_session *s;
    ox_graph   *g;
    size_t      n, n_node;           /* values and nodes there were */
    ox_type    *type;                /* of each value, as far as declarations decide it */
    int        *wide, *half, *to;    /* of each: its two forms, or -1; to: ox_replace_values' */
    bool       *want_wide, *want_half;
    bool       *takes_part;          /* nodes */
    bool        failed;
} widening;

static bool is_half_type(ox_dtype t) { return t == OX_F16 || t == OX_BF16; }

static const ox_type *type_of(const widening *w, int v)
{
    return v >= 0 && (size_t)v < w->n ? &w->type[v] : NULL;
}
static bool is_half(const widening *w, int v)
{
    const ox_type *t = type_of(w, v);
    return t && t->kind == OX_TENSOR && is_half_type(t->dtype);
}

/* A Cast reads v back into float32: the graph rounds on purpose, and may overflow. */
static bool is_read_back(const widening *w, int v)
{
    for (size_t i = 0; i < w->n_node; i++) {
        const ox_node *n = &w->g->node[i];
        bool reads = ox_is_op(n, "Cast") && n->n_in > 0 && n->n_out > 0 && n->in[0] == v;
        const ox_type *y = reads ? type_of(w, n->out[0]) : NULL;
        if (y && y->kind == OX_TENSOR && y->dtype == OX_F32)
            return true;
    }
    return false;
}

/* A Cast between float32 and half types: the same numbers to us. */
static bool is_float_cast(const widening *w, const ox_node *n)
{
    const ox_type *x = ox_is_op(n, "Cast") && n->n_in > 0 ? type_of(w, n->in[0]) : NULL;
    const ox_type *y = x && n->n_out > 0 ? type_of(w, n->out[0]) : NULL;
    return y && x->kind == OX_TENSOR && y->kind == OX_TENSOR && (x->dtype == OX_F32 || is_half_type(x->dtype)) &&
           (y->dtype == OX_F32 || is_half_type(y->dtype)) &&
           (is_half_type(x->dtype) || (is_half_type(y->dtype) && !is_read_back(w, n->out[0])));
}

static bool allows_f32(const ox_schema_param *p) { return p && p->types && (p->types->tensor >> OX_F32 & 1); }

/* An output's type must be that of a half input: others are named by attributes. */
static bool follows_input(const widening *w, const ox_node *n, const ox_schema_param *out)
{
    for (int i = 0; i < n->n_in; i++) {
        const ox_schema_param *p = ox_schema_in(n->schema, i);
        if (p && p->var == out->var && is_half(w, n->in[i]))
            return true;
    }
    return false;
}

static bool takes_part(const widening *w, const ox_node *n)
{
    static const char *const as_written[] = { "QuantizeLinear", "BitCast", "Cast" };
    bool any = false;
    if (!n->op_type || n->domain[0] || !n->schema || (n->op && (n->op->flags & OX_CONTROL)))
        return false;
    if (is_float_cast(w, n))
        return true;
    for (size_t i = 0; i < OX_COUNT(as_written); i++)
        if (ox_is_op(n, as_written[i]))
            return false;
    for (int i = 0; i < n->n_in; i++) {
        const ox_type *t = type_of(w, n->in[i]);
        if (t && t->kind != OX_TENSOR)
            return false;
        any = any || is_half(w, n->in[i]);
        if (is_half(w, n->in[i]) && !allows_f32(ox_schema_in(n->schema, i)))
            return false;
    }
    for (int i = 0; i < n->n_out; i++) {
        const ox_type *t = type_of(w, n->out[i]);
        const ox_schema_param *p = ox_schema_out(n->schema, i);
        if (t && t->kind != OX_TENSOR)
            return false;
        if (is_half(w, n->out[i]) && (!allows_f32(p) || p->var < 0 || !follows_input(w, n, p)))
            return false;
    }
    return any;
}

static void want(widening *w)
{
    const ox_graph *g = w->g;
    for (size_t k = 0; k < g->n_node; k++) {
        const ox_node *n = &g->node[k];
        if (!n->op_type)
            continue;
        w->takes_part[k] = takes_part(w, n);
        for (int i = 0, v; (v = ox_node_read(n, i)) != OX_NO_MORE; i++)
            if (is_half(w, v))
                (w->takes_part[k] ? w->want_wide : w->want_half)[v] = true;
    }
    for (size_t v = 0; v < w->n; v++)
        if (g->value[v].is_output && is_half(w, (int)v))
            w->want_half[v] = true;
}

/* A value like v of another type. */
static int twin(widening *w, int v, ox_dtype dtype, const char *suffix)
{
    int t = ox_add_made(w->s, w->g, v, suffix, -1);
    if (t < 0) {
        w->failed = true;
        return v;
    }
    w->g->value[t].type = *type_of(w, v);
    w->g->value[t].type.dtype = dtype;
    w->g->value[t].inferred = w->g->value[v].inferred;
    return t;
}

static void add_cast(widening *w, int from, int to, ox_dtype dtype)
{
    int k = ox_add_node(w->s, w->g, "", "Cast", 13, &from, 1, to, w->g->value[to].name);
    if (k < 0 || !ox_set_attr_i64(w->s, &w->g->node[k], "to", dtype))
        w->failed = true;
}

static int wide_constant(widening *w, int v, ox_error *err)
{
    ox_tensor t;
    if (ox_tensor_convert(&t, w->g->value[v].constant, OX_F32, err) != OX_OK) {
        w->failed = true;
        return v;
    }
    int c = ox_add_constant(w->s, w->g, ox_arena_printf(w->s->arena, "%s/float", w->g->value[v].name), &t);
    w->failed = w->failed || c < 0;
    return c;
}

/* The float32 form of v, which may be v itself under another type. */
static int wide_of(widening *w, int v, ox_error *err)
{
    if (!is_half(w, v) || w->wide[v] >= 0)
        return is_half(w, v) ? w->wide[v] : v;
    bool constant = w->g->value[v].constant && !w->g->value[v].is_input;
    w->s->half_constants = w->s->half_constants || (constant && type_of(w, v)->dtype == OX_F16);
    return w->wide[v] = constant ? wide_constant(w, v, err) : twin(w, v, OX_F32, "float");
}

/* Inputs and what other nodes make: half already. */
static void widen_from_half(widening *w, int v, ox_error *err)
{
    if (!is_half(w, v) || !w->want_wide[v])
        return;
    int f = wide_of(w, v, err);
    if (!w->failed)
        add_cast(w, v, f, OX_F32);
}

/* Output i of a node that takes part. */
static void widen_output(widening *w, size_t k, int i)
{
    int v = w->g->node[k].out[i];
    ox_dtype dtype = type_of(w, v)->dtype;
    bool kept = w->g->value[v].is_output; /* the name is the graph's */
    int f = kept ? twin(w, v, OX_F32, "float") : v, h = kept ? v : w->want_half[v] ? twin(w, v, dtype, "half") : -1;
    if (w->failed)
        return;
    w->wide[v] = f;
    w->half[v] = h;
    w->g->value[f].type.dtype = OX_F32;
    w->g->node[k].out[i] = f;
    w->g->value[f].producer = (int)k;
    if (h >= 0)
        add_cast(w, f, h, dtype);
}

/* Its output is its input, unless it must stay for those that want the half form. */
static void pass_cast(widening *w, size_t k, ox_error *err)
{
    ox_node *n = &w->g->node[k];
    int x = wide_of(w, n->in[0], err), y = n->out[0];
    if (w->failed)
        return;
    if (!is_half(w, y)) {
        w->g->node[k].in[0] = x;
        if (!w->g->value[y].is_output)
            w->to[y] = x;
        return;
    }
    w->wide[y] = x;
    w->g->node[k].in[0] = x;
    if (!w->want_half[y])
        ox_delete_node(&w->g->node[k]);
}

static void rewrite(widening *w, ox_error *err)
{
    ox_graph *g = w->g;
    for (int i = 0; i < g->n_in; i++)
        widen_from_half(w, g->in[i], err);
    for (int i = 0; i < g->n_overridable; i++)
        widen_from_half(w, g->overridable[i], err);
    for (size_t k = 0; k < w->n_node && !w->failed; k++) { /* in topological order */
        if (!g->node[k].op_type)
            continue;
        if (is_float_cast(w, &g->node[k])) {
            pass_cast(w, k, err);
            continue;
        }
        for (int i = 0; i < g->node[k].n_in && !w->failed; i++) {
            int v = g->node[k].in[i];
            if (v >= 0 && is_half(w, v) && w->takes_part[k]) {
                int f = wide_of(w, v, err);
                g->node[k].in[i] = f;
            }
        }
        for (int i = 0; i < g->node[k].n_out && !w->failed; i++) {
            if (!is_half(w, g->node[k].out[i]))
                continue;
            if (w->takes_part[k])
                widen_output(w, k, i);
            else
                widen_from_half(w, g->node[k].out[i], err);
        }
    }
}

/* Where a value kept its name and became float32, readers of the half form take the other one. */
static void read_half(widening *w)
{
    ox_graph *g = w->g;
    for (size_t k = 0; k < w->n_node; k++) {
        ox_node *n = &g->node[k];
        if (!n->op_type || w->takes_part[k])
            continue;
        for (int i = 0; i < n->n_in; i++)
            if (n->in[i] >= 0 && (size_t)n->in[i] < w->n && w->half[n->in[i]] >= 0)
                n->in[i] = w->half[n->in[i]];
        for (int i = 0; i < n->n_attr; i++) {
            ox_graph *sub = n->attr[i].kind == OX_ATTR_GRAPH ? n->attr[i].graph : NULL;
            for (size_t c = 0; sub && c < sub->n_capture; c++) {
                int v = sub->capture[c].outer;
                if ((size_t)v < w->n && w->half[v] >= 0)
                    sub->capture[c].outer = w->half[v];
            }
        }
    }
}

static bool has_half(const ox_graph *g)
{
    for (size_t v = 0; v < g->n_value; v++)
        if ((g->value[v].constant && is_half_type(g->value[v].constant->dtype)) ||
            (g->value[v].type.kind == OX_TENSOR && is_half_type(g->value[v].type.dtype)))
            return true;
    return false;
}

static bool allocate(widening *w)
{
    ox_arena *a = w->s->arena;
    size_t n = w->n + 1;
    w->type = ox_arena_array(a, n, sizeof(*w->type));
    w->wide = ox_arena_array(a, n, sizeof(*w->wide));
    w->half = ox_arena_array(a, n, sizeof(*w->half));
    w->to = ox_arena_array(a, n, sizeof(*w->to));
    w->want_wide = ox_arena_array(a, n, sizeof(bool));
    w->want_half = ox_arena_array(a, n, sizeof(bool));
    w->takes_part = ox_arena_array(a, w->n_node + 1, sizeof(bool));
    if (!w->type || !w->wide || !w->half || !w->to || !w->want_wide || !w->want_half || !w->takes_part)
        return false;
    for (size_t v = 0; v < w->n; v++)
        w->wide[v] = w->half[v] = w->to[v] = -1;
    return true;
}

static ox_code finish(widening *w, ox_error *err)
{
    ox_graph *g = w->g;
    int *to = ox_arena_array(w->s->arena, g->n_value + 1, sizeof(*to));
    if (!to)
        return OX_FAIL(err, OX_E_NOMEM, "out of memory");
    for (size_t v = 0; v < g->n_value; v++)
        to[v] = (int)v;
    for (size_t v = 0; v < w->n; v++) /* through casts of casts */
        while ((size_t)to[v] < w->n && w->to[to[v]] >= 0)
            to[v] = w->to[to[v]];
    ox_replace_values(g, to);
    return ox_graph_sort(g, err);
}

ox_code ox_pass_widen_half(ox_session *s, ox_graph *g, ox_error *err)
{
    widening w = { .s = s, .g = g, .n = g->n_value, .n_node = g->n_node };
    ox_plan *p;
    if (g->parent || s->options.f64 || s->options.float_qdq || !has_half(g) ||
        ox_plan_declared(s, g, &p, NULL) != OX_OK)
        return OX_OK;
    bool room = allocate(&w);
    for (size_t v = 0; room && v < w.n; v++)
        w.type[v] = p->slot[v].type;
    ox_plan_destroy(p);
    if (room) {
        want(&w);
        rewrite(&w, err);
    }
    if (!room || w.failed)
        return OX_FAIL(err, OX_E_NOMEM, "out of memory");
    read_half(&w);
    return finish(&w, err);
}
