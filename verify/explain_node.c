/* The node that departs: its inputs, what comes before it, what it leads to. */
#include "verify/explain.h"

#include <string.h>

double *ox_probe_new(ox_probe *p, size_t n)
{
    return ox_arena_array(p->a, n + 1, sizeof(double));
}

double *ox_probe_copy(ox_probe *p, const double *v, size_t n)
{
    double *c = ox_probe_new(p, n);
    if (c)
        memcpy(c, v, n * sizeof(*c));
    return c;
}

const ox_tensor *ox_probe_input(const ox_probe *p, int i)
{
    const ox_tensor *x = i < p->s->r->n_in ? p->s->r->in[i] : NULL;
    return x && x->data && ox_dtype_converts(x->dtype) ? x : NULL;
}

double *ox_probe_values(ox_probe *p, int i)
{
    const ox_tensor *x = ox_probe_input(p, i);
    if (!x)
        return NULL;
    size_t n = (size_t)ox_count(x);
    double *v = ox_probe_new(p, n);
    if (v && p->s->in[i])
        memcpy(v, p->s->in[i], n * sizeof(*v));
    else if (v)
        ox_to_f64(v, x->data, x->dtype, n);
    return v;
}

bool ox_probe_is(const ox_probe *p, const char *op_type)
{
    return strcmp(p->s->node->op_type, op_type) == 0;
}

const ox_graph *ox_probe_graph(const ox_probe *p) { return p->s->r->frame->plan->graph; }

const ox_tensor *ox_constant_of(const ox_graph *g, int value)
{
    const ox_info *v = &g->value[value];
    const ox_node *n = v->producer >= 0 ? &g->node[v->producer] : NULL;
    const ox_attr *a = n && strcmp(n->op_type, "Constant") == 0 ? ox_node_attr(n, "value") : NULL;
    return v->constant ? v->constant : a ? a->tensor : NULL;
}

/* Also what a few nodes make of constants alone: a weight that is converted or transposed first. */
static bool constant(const ox_graph *g, int value, int depth)
{
    const ox_info *v = &g->value[value];
    const ox_node *n = v->producer >= 0 ? &g->node[v->producer] : NULL;
    bool all = n && n->n_in > 0 && depth > 0;
    for (int i = 0; all && i < n->n_in; i++)
        all = n->in[i] < 0 || constant(g, n->in[i], depth - 1);
    return all || ox_constant_of(g, value);
}

bool ox_probe_is_constant(const ox_probe *p, int i)
{
    const ox_node *n = p->s->node;
    return i < n->n_in && n->in[i] >= 0 && constant(ox_probe_graph(p), n->in[i], 3);
}

int ox_probe_only_varying(const ox_probe *p)
{
    int found = -1;
    for (int i = 0; i < p->s->node->n_in; i++) {
        if (p->s->node->in[i] < 0 || ox_probe_is_constant(p, i))
            continue;
        if (found >= 0)
            return -1;
        found = i;
    }
    return found;
}

bool ox_probe_leads_to(const ox_probe *p, const char *op_type)
{
    static const char passed[] = " Add Sub Mul Div Where Cast Identity Reshape Squeeze Unsqueeze ";
    const ox_graph *g = ox_probe_graph(p);
    int v = p->s->node->out[p->s->out];
    for (int step = 0; step < 5 && v >= 0 && g->value[v].user >= 0; step++) {
        const ox_node *n = &g->node[g->value[v].user];
        char word[80];
        if (strcmp(n->op_type, op_type) == 0)
            return true;
        snprintf(word, sizeof word, " %.60s ", n->op_type);
        if (!strstr(passed, word) || n->n_out < 1)
            return false;
        v = n->out[0];
    }
    return false;
}

/* ---- what comes before ---- */

static const ox_tensor *held(const ox_probe *p, const char *name)
{
    const ox_walk *w = p->s->walk;
    for (size_t i = 0; i < w->n_ref; i++)
        if (strcmp(w->ref[i].name, name) == 0 && w->ref[i].v->kind == OX_TENSOR)
            return &w->ref[i].v->t;
    return NULL;
}

/* Value v of the graph in double, where the reference holds it or the model does. */
static double *value_before(ox_probe *p, int v)
{
    const ox_info *info = &ox_probe_graph(p)->value[v];
    const ox_tensor *t = held(p, info->name);
    for (int i = 0; i < p->s->node->n_in && !t; i++)
        if (p->s->node->in[i] == v)
            return ox_probe_input(p, i) && (size_t)ox_count(ox_probe_input(p, i)) == p->n
                       ? ox_probe_values(p, i) : NULL;
    if (!t || !t->data || !ox_is_float(t->dtype) || (size_t)ox_count(t) != p->n)
        return NULL;
    double *y = ox_probe_new(p, p->n);
    if (y)
        ox_to_f64(y, t->data, t->dtype, p->n);
    return y;
}

int ox_probe_before(ox_probe *p, double **out, int most)
{
    enum { REACH = 64 };
    const ox_graph *g = ox_probe_graph(p);
    int queue[REACH], n_queue = 0, found = 0;
    for (int i = 0; i < p->s->node->n_in && n_queue < REACH; i++)
        if (p->s->node->in[i] >= 0)
            queue[n_queue++] = p->s->node->in[i];
    for (int k = 0; k < n_queue && found < most; k++) {
        const ox_info *v = &g->value[queue[k]];
        double *y = ox_constant_of(g, queue[k]) ? NULL : value_before(p, queue[k]);
        if (y)
            out[found++] = y;
        const ox_node *n = v->producer >= 0 ? &g->node[v->producer] : NULL;
        for (int i = 0; n && i < n->n_in; i++) {
            bool seen = n->in[i] < 0;
            for (int j = 0; j < n_queue && !seen; j++)
                seen = queue[j] == n->in[i];
            if (!seen && n_queue < REACH)
                queue[n_queue++] = n->in[i];
        }
    }
    return found;
}
