/* The invariants of graph.h, as asserts: what breaks here is our own fault, never the file's. */
#include "runtime/graph/graph.h"

#include <assert.h>
#include <stdlib.h>

#ifdef NDEBUG
void ox_graph_check(const ox_graph *g)
{
    (void)g;
}
#else

static void check_value(const ox_graph *g, int v)
{
    (void)g, (void)v;
    assert(v >= 0 && (size_t)v < g->n_value);
}

static void check_node(const ox_graph *g, size_t k, const bool *has, int *uses)
{
    const ox_node *n = &g->node[k];
    assert(n->op_type && n->name && n->domain);
    for (int i = 0; i < n->n_in; i++) {
        if (n->in[i] == OX_ABSENT)
            continue;
        check_value(g, n->in[i]);
        assert(has[n->in[i]]); /* topological order */
        uses[n->in[i]]++;
    }
    for (int i = 0; i < n->n_attr; i++) {
        const ox_graph *sub = n->attr[i].graph;
        if (!sub)
            continue;
        assert(sub->parent == g && sub->model == g->model);
        for (size_t c = 0; c < sub->n_capture; c++) {
            check_value(g, sub->capture[c].outer);
            check_value(sub, sub->capture[c].inner);
            assert(has[sub->capture[c].outer]);
            uses[sub->capture[c].outer]++;
        }
        ox_graph_check(sub);
    }
}

/* Marks v as having a value from now on; it must not have had one. */
static void give(const ox_graph *g, bool *has, int v)
{
    check_value(g, v);
    assert(!has[v]);
    has[v] = true;
}

void ox_graph_check(const ox_graph *g)
{
    bool *has = calloc(g->n_value + 1, sizeof *has);
    int *uses = calloc(g->n_value + 1, sizeof *uses);
    if (has && uses) {
        for (int i = 0; i < g->n_in; i++)
            give(g, has, g->in[i]);
        for (size_t i = 0; i < g->n_capture; i++)
            give(g, has, g->capture[i].inner);
        for (size_t i = 0; i < g->n_value; i++)
            if (g->value[i].constant || g->value[i].constant_value)
                give(g, has, (int)i);
        for (size_t k = 0; k < g->n_node; k++) {
            check_node(g, k, has, uses);
            for (int i = 0; i < g->node[k].n_out; i++) {
                if (g->node[k].out[i] == OX_ABSENT)
                    continue;
                give(g, has, g->node[k].out[i]);
                assert(g->value[g->node[k].out[i]].producer == (int)k);
            }
        }
        for (int i = 0; i < g->n_out; i++) {
            check_value(g, g->out[i]);
            assert(has[g->out[i]]);
            uses[g->out[i]]++;
        }
        for (size_t i = 0; i < g->n_value; i++)
            assert(uses[i] == g->value[i].n_uses);
    }
    free(uses);
    free(has);
}
#endif
