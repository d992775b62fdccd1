/* The walk over the part of a graph that a Gradient node differentiates. */
#include "runtime/opt/gradient.h"

#include <stdlib.h>
#include <string.h>

/* ---- the part of the graph that is differentiated ---- */
typedef struct part {
    int   node;      /* the Gradient node */
    int   y, n_x, n_z;
    int  *stop;      /* [n_x + n_z] values that xs and zs name */
    bool *in_part;   /* by node: between stop and y */
    bool *active;    /* by value: depends on an x */
    bool *changed;   /* by value: depends on one that is fed under another's name */
    int  *map;       /* by value: what stands for it in this gradient */
    int  *grad;      /* by value: its gradient so far, or OX_ABSENT */
    size_t n_node, n_value; /* of the graph before nodes were added */
} part;

static bool is_gradient(const ox_node *n)
{
    return n->op_type && strcmp(n->op_type, "Gradient") == 0 &&
           strcmp(n->domain, "ai.onnx.preview.training") == 0;
}

static ox_code find_named(const ox_graph *g, ox_str s, int *v, ox_error *err)
{
    *v = ox_graph_find_value(g, s.s);
    if (*v < 0)
        return OX_FAIL(err, OX_E_GRAPH, "'%.100s' is no value of the graph", s.s);
    return OX_OK;
}

static ox_code find_values(const ox_graph *g, part *p, ox_error *err)
{
    const ox_node *n = &g->node[p->node];
    const ox_attr *xs = ox_node_attr(n, "xs"), *zs = ox_node_attr(n, "zs"), *y = ox_node_attr(n, "y");
    if (!xs || xs->kind != OX_ATTR_STRINGS || !y || y->kind != OX_ATTR_STRING)
        return OX_FAIL(err, OX_E_GRAPH, "xs or y is missing");
    p->n_x = xs->n;
    p->n_z = zs && zs->kind == OX_ATTR_STRINGS ? zs->n : 0;
    if (n->n_in != p->n_x + p->n_z || n->n_out > p->n_x)
        return OX_FAIL(err, OX_E_GRAPH, "%d inputs and %d outputs for %d xs and %d zs", n->n_in,
                       n->n_out, p->n_x, p->n_z);
    if (!(p->stop = calloc((size_t)n->n_in + 1, sizeof(*p->stop))))
        return OX_FAIL(err, OX_E_NOMEM, "out of memory");
    for (int i = 0; i < n->n_in; i++) {
        if (n->in[i] == OX_ABSENT)
            return OX_FAIL(err, OX_E_GRAPH, "input %d is absent", i);
        OX_TRY(find_named(g, i < p->n_x ? xs->strs[i] : zs->strs[i - p->n_x], &p->stop[i], err));
    }
    return find_named(g, y->s, &p->y, err);
}

static bool is_stop(const part *p, int v)
{
    for (int i = 0; i < p->n_x + p->n_z; i++)
        if (p->stop[i] == v)
            return true;
    return false;
}

/* Nodes that y needs, not going beyond xs and zs; inner: another Gradient among them. */
static ox_code find_part(const ox_graph *g, part *p, bool *inner, ox_error *err)
{
    bool *needed = calloc(g->n_value + 1, sizeof(*needed));
    *inner = false;
    if (!needed)
        return OX_FAIL(err, OX_E_NOMEM, "out of memory");
    needed[p->y] = !is_stop(p, p->y);
    for (size_t k = g->n_node; k-- > 0;) {
        const ox_node *n = &g->node[k];
        for (int i = 0; i < n->n_out; i++)
            p->in_part[k] |= n->out[i] >= 0 && needed[n->out[i]];
        for (int i = 0, v; p->in_part[k] && (v = ox_node_read(n, i)) != OX_NO_MORE; i++)
            if (v >= 0 && !is_stop(p, v))
                needed[v] = true;
        *inner |= p->in_part[k] && is_gradient(n);
    }
    free(needed);
    return OX_OK;
}

/* Repeats node k with the values that stand for its inputs. */
static ox_code repeat(ox_tape *t, part *p, size_t k)
{
    ox_node n = t->g->node[k];
    int *list = ox_arena_array(t->g->arena, (size_t)(n.n_in + n.n_out) + 1, sizeof(*list));
    if (!list)
        return OX_FAIL(t->err, OX_E_NOMEM, "out of memory");
    for (int i = 0; i < n.n_out; i++) {
        list[n.n_in + i] = n.out[i] < 0 ? OX_ABSENT : ox_tape_value(t);
        if (n.out[i] >= 0 && !is_stop(p, n.out[i]))
            p->map[n.out[i]] = list[n.n_in + i];
    }
    OX_TRY(t->code);
    for (int i = 0; i < n.n_in; i++)
        list[i] = n.in[i] < 0 ? OX_ABSENT : p->map[n.in[i]];
    ox_node *copy = ox_graph_add_node(t->g);
    if (!copy)
        return OX_FAIL(t->err, OX_E_NOMEM, "out of memory");
    *copy = n;
    copy->in = list;
    copy->out = list + n.n_in;
    return OX_OK;
}

static bool has_subgraph(const ox_node *n)
{
    for (int i = 0; i < n->n_attr; i++)
        if (n->attr[i].kind == OX_ATTR_GRAPH)
            return true;
    return false;
}

static bool reads_any(const ox_node *n, const bool *of)
{
    for (int i = 0, v; (v = ox_node_read(n, i)) != OX_NO_MORE; i++)
        if (v >= 0 && of[v])
            return true;
    return false;
}

/* Which values depend on an x.  What depends on a value fed to the node that is not the one named is
 * computed again. */
static ox_code forward(ox_tape *t, part *p)
{
    const ox_node *gradient = &t->g->node[p->node];
    for (size_t v = 0; v < p->n_value; v++)
        p->map[v] = (int)v;
    for (int i = 0; i < gradient->n_in; i++) {
        p->changed[p->stop[i]] = gradient->in[i] != p->stop[i];
        p->map[p->stop[i]] = gradient->in[i];
        p->active[p->stop[i]] = i < p->n_x;
    }
    for (size_t k = 0; k < p->n_node; k++) {
        const ox_node *n = &t->g->node[k];
        if (!p->in_part[k])
            continue;
        bool active = reads_any(n, p->active), changed = reads_any(n, p->changed);
        if ((active || changed) && has_subgraph(n))
            ox_tape_fail(t, n, "no rule for this operator");
        OX_TRY(t->code);
        for (int i = 0; i < n->n_out; i++)
            if (n->out[i] >= 0 && !is_stop(p, n->out[i])) {
                p->active[n->out[i]] = active;
                p->changed[n->out[i]] = changed;
            }
        if (changed)
            OX_TRY(repeat(t, p, k));
    }
    return OX_OK;
}

/* What node k hands to its inputs.  list has room for its inputs twice and its outputs twice. */
static ox_code hand_back(ox_tape *t, const part *p, size_t k, int *list)
{
    ox_node n = t->g->node[k], seen = n; /* the rule sees the values that stand for those of the graph */
    int *dx = list, *dy = dx + 2 * n.n_in;
    bool any = false, some = false;
    seen.in = dx + n.n_in;
    seen.out = dy + n.n_out;
    for (int i = 0; i < n.n_in; i++) {
        dx[i] = n.in[i] >= 0 && p->active[n.in[i]] ? 0 : OX_ABSENT;
        seen.in[i] = n.in[i] < 0 ? OX_ABSENT : p->map[n.in[i]];
        any |= dx[i] == 0;
    }
    for (int i = 0; i < n.n_out; i++) {
        bool made = n.out[i] >= 0 && !is_stop(p, n.out[i]);
        dy[i] = made ? p->grad[n.out[i]] : OX_ABSENT;
        seen.out[i] = n.out[i] < 0 ? OX_ABSENT : p->map[n.out[i]];
        some |= dy[i] != OX_ABSENT;
    }
    if (any && some)
        ox_grad_of_node(t, &seen, dy, dx);
    for (int i = 0; i < n.n_in && any && some && t->code == OX_OK; i++) {
        int *sum = dx[i] != OX_ABSENT ? &p->grad[n.in[i]] : NULL;
        if (sum)
            *sum = *sum == OX_ABSENT ? dx[i] : ox_tape_node2(t, "Add", *sum, dx[i]);
    }
    return t->code;
}

static ox_code backward(ox_tape *t, const part *p)
{
    for (size_t k = p->n_node; k-- > 0;) {
        if (!p->in_part[k])
            continue;
        const ox_node *n = &t->g->node[k];
        int *list = calloc(2 * (size_t)n->n_in + 2 * (size_t)n->n_out + 1, sizeof(*list));
        ox_code code = list ? hand_back(t, p, k, list) : OX_FAIL(t->err, OX_E_NOMEM, "out of memory");
        free(list);
        OX_TRY(code);
    }
    return OX_OK;
}

/* The results get the names of the outputs; the Gradient node becomes the first Identity that does so. */
static ox_code finish(ox_tape *t, const part *p)
{
    const ox_node gradient = t->g->node[p->node];
    bool placed = false;
    for (int i = 0; i < gradient.n_out; i++) {
        if (gradient.out[i] < 0)
            continue;
        int d = p->grad[p->stop[i]];
        ox_tape_node1(t, "Identity", d != OX_ABSENT ? d : ox_tape_filled(t, 0, gradient.in[i]));
        OX_TRY(t->code);
        ox_node *last = &t->g->node[t->g->n_node - 1];
        last->out[0] = gradient.out[i];
        last->name = gradient.name;
        if (!placed) {
            t->g->node[p->node] = *last;
            t->g->n_node--;
        }
        placed = true;
    }
    if (!placed) { /* nobody wants anything */
        t->g->node[p->node].op_type = NULL;
        ox_graph_prune(t->g);
    }
    return OX_OK;
}

static ox_code differentiate(ox_tape *t, part *p)
{
    OX_TRY(forward(t, p));
    p->grad[p->y] = ox_tape_filled(t, 1, p->map[p->y]);
    OX_TRY(t->code);
    OX_TRY(backward(t, p));
    return finish(t, p);
}

/* Expands node k unless the part it differentiates holds another Gradient. */
static ox_code expand(ox_graph *g, int k, bool *done, ox_error *err)
{
    part p = { .node = k, .n_node = g->n_node, .n_value = g->n_value };
    ox_tape t = { .g = g, .err = err, .name = g->node[k].name };
    bool inner = false;
    p.in_part = calloc(g->n_node + 1, sizeof(*p.in_part));
    p.active = calloc(g->n_value + 1, sizeof(*p.active));
    p.changed = calloc(g->n_value + 1, sizeof(*p.changed));
    p.map = calloc(g->n_value + 1, sizeof(*p.map));
    p.grad = malloc((g->n_value + 1) * sizeof(*p.grad));
    ox_code code = OX_OK;
    if (!p.in_part || !p.active || !p.changed || !p.map || !p.grad)
        code = OX_FAIL(err, OX_E_NOMEM, "out of memory");
    for (size_t v = 0; code == OX_OK && v < g->n_value; v++)
        p.grad[v] = OX_ABSENT;
    if (code == OX_OK)
        code = find_values(g, &p, err);
    if (code == OX_OK)
        code = find_part(g, &p, &inner, err);
    if (code == OX_OK && !inner)
        code = differentiate(&t, &p);
    *done = !inner;
    free(p.stop);
    free(p.in_part);
    free(p.active);
    free(p.changed);
    free(p.map);
    free(p.grad);
    if (code != OX_OK && err) {
        snprintf(err->node, sizeof(err->node), "%s", t.name);
        snprintf(err->op, sizeof(err->op), "Gradient-1");
    }
    return code == OX_OK && !inner ? ox_graph_sort(g, err) : code;
}

ox_code ox_expand_gradients(ox_graph *g, ox_error *err)
{
    for (size_t i = 0; i < g->n_node; i++)
        for (int a = 0; a < g->node[i].n_attr; a++)
            if (g->node[i].attr[a].kind == OX_ATTR_GRAPH)
                OX_TRY(ox_expand_gradients(g->node[i].attr[a].graph, err));
    for (;;) {
        size_t left = 0;
        bool any = false;
        for (size_t k = 0; k < g->n_node && !any; k++) {
            if (!is_gradient(&g->node[k]))
                continue;
            left++;
            OX_TRY(expand(g, (int)k, &any, err)); /* sorts: the loop starts again */
        }
        if (left == 0)
            return OX_OK;
        if (!any)
            return OX_FAIL(err, OX_E_GRAPH, "Gradient nodes differentiate each other");
    }
}
