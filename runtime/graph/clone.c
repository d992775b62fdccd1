/* Copies of graphs: a session rewrites its own, never the model's. */
#include "runtime/graph/graph.h"

#include <string.h>

static void *copy(ox_arena *a, const void *from, size_t n, size_t size)
{
    void *to = ox_arena_array(a, n ? n : 1, size);
    if (to && n)
        memcpy(to, from, n * size);
    return to;
}

ox_graph *ox_graph_clone(ox_arena *a, const ox_graph *g, ox_graph *parent)
{
    ox_graph *c = copy(a, g, 1, sizeof(*g));
    if (!c)
        return NULL;
    c->arena = a;
    c->parent = parent;
    c->plans = NULL;
    c->node = copy(a, g->node, g->n_node, sizeof(*g->node));
    c->value = copy(a, g->value, g->n_value, sizeof(*g->value));
    c->in = copy(a, g->in, (size_t)g->n_in, sizeof(*g->in));
    c->out = copy(a, g->out, (size_t)g->n_out, sizeof(*g->out));
    c->capture = copy(a, g->capture, g->n_capture, sizeof(*g->capture));
    c->cap_node = g->n_node;
    c->cap_value = g->n_value;
    c->cap_capture = g->n_capture;
    if (!c->node || !c->value || !c->in || !c->out || !c->capture)
        return NULL;
    for (size_t k = 0; k < c->n_node; k++) {
        ox_node *n = &c->node[k];
        n->in = copy(a, n->in, (size_t)n->n_in, sizeof(*n->in));
        n->out = copy(a, n->out, (size_t)n->n_out, sizeof(*n->out));
        n->attr = copy(a, n->attr, (size_t)n->n_attr, sizeof(*n->attr));
        if (!n->in || !n->out || !n->attr)
            return NULL;
        for (int i = 0; i < n->n_attr; i++)
            if (n->attr[i].kind == OX_ATTR_GRAPH &&
                !(n->attr[i].graph = ox_graph_clone(a, n->attr[i].graph, c)))
                return NULL;
    }
    return c;
}
