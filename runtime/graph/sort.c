/* Order of nodes: topological sorting, and dropping what nobody needs. */
#include "runtime/graph/graph.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum { WAITING, OPEN, DONE }; /* of a node in the depth-first walk */

/* What a node depends on, one after the other: its inputs, then what its subgraphs capture. */
typedef struct cursor {
    int node, input, attr;
    size_t capture;
} cursor;

/* The next value the node depends on; OX_ABSENT at the end. */
static int next_dependency(const ox_graph *g, cursor *c)
{
    const ox_node *n = &g->node[c->node];
    while (c->input < n->n_in) {
        int v = n->in[c->input++];
        if (v != OX_ABSENT)
            return v;
    }
    for (; c->attr < n->n_attr; c->attr++, c->capture = 0) {
        const ox_graph *sub = n->attr[c->attr].graph;
        if (sub && c->capture < sub->n_capture)
            return sub->capture[c->capture++].outer;
    }
    return OX_ABSENT;
}

static bool is_sorted(const ox_graph *g)
{
    for (size_t k = 0; k < g->n_node; k++) {
        cursor c = {.node = (int)k};
        for (int v; (v = next_dependency(g, &c)) != OX_ABSENT;)
            if (g->value[v].producer >= (int)k)
                return false;
    }
    return true;
}

/* The nodes of stack[from..top] wait for one another. */
static ox_code cycle(const ox_graph *g, const cursor *stack, size_t from, size_t top, ox_error *err)
{
    char text[320];
    size_t used = 0, k = from;
    for (; k <= top && used < sizeof text - 100; k++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s\"%.60s\" (%.24s)",
                                 k == from ? "" : " <- ", g->node[stack[k].node].name,
                                 g->node[stack[k].node].op_type);
    if (k <= top)
        snprintf(text + used, sizeof text - used, " <- %zu more", top - k + 1);
    return OX_FAIL(err, OX_E_GRAPH, "cycle of %zu node%s: %s", top - from + 1,
                   top == from ? "" : "s", text);
}

/* Depth first in file order, each node after those it depends on: a sorted graph keeps its order.
 */
static ox_code order_nodes(const ox_graph *g, int *order, char *state, cursor *stack, ox_error *err)
{
    size_t n_done = 0;
    for (size_t k = 0; k < g->n_node; k++) {
        if (state[k] != WAITING)
            continue;
        size_t top = 0;
        stack[0] = (cursor){.node = (int)k};
        state[k] = OPEN;
        for (;;) {
            int v = next_dependency(g, &stack[top]);
            if (v == OX_ABSENT) {
                state[stack[top].node] = DONE;
                order[n_done++] = stack[top].node;
                if (top-- == 0)
                    break;
                continue;
            }
            int p = g->value[v].producer;
            if (p < 0 || state[p] == DONE)
                continue;
            if (state[p] == OPEN) {
                size_t from = top;
                while (stack[from].node != p)
                    from--;
                return cycle(g, stack, from, top, err);
            }
            state[p] = OPEN;
            stack[++top] = (cursor){.node = p};
        }
    }
    return OX_OK;
}

ox_code ox_graph_sort(ox_graph *g, ox_error *err)
{
    ox_graph_link(g);
    if (is_sorted(g))
        return OX_OK;
    int *order = calloc(g->n_node, sizeof *order);
    char *state = calloc(g->n_node, 1);
    cursor *stack = calloc(g->n_node, sizeof *stack);
    ox_node *moved = calloc(g->n_node, sizeof *moved);
    ox_code code = OX_E_NOMEM;
    if (order && state && stack && moved) {
        code = order_nodes(g, order, state, stack, err);
        if (code == OX_OK) {
            for (size_t k = 0; k < g->n_node; k++)
                moved[k] = g->node[order[k]];
            memcpy(g->node, moved, g->n_node * sizeof *moved);
            ox_graph_link(g);
        }
    } else {
        code = OX_FAIL(err, code, "out of memory");
    }
    free(moved);
    free(stack);
    free(state);
    free(order);
    return code;
}

void ox_graph_prune(ox_graph *g)
{
    ox_graph_link(g);
    for (size_t k = g->n_node; k-- > 0;) {
        ox_node *n = &g->node[k];
        if (!n->op_type)
            continue;
        bool used = false;
        for (int i = 0; i < n->n_out; i++)
            used |= n->out[i] != OX_ABSENT && g->value[n->out[i]].n_uses > 0;
        if (used)
            continue;
        cursor c = {.node = (int)k};
        for (int v; (v = next_dependency(g, &c)) != OX_ABSENT;)
            g->value[v].n_uses--;
        n->op_type = NULL;
    }
    size_t n_kept = 0;
    for (size_t k = 0; k < g->n_node; k++)
        if (g->node[k].op_type)
            g->node[n_kept++] = g->node[k];
    g->n_node = n_kept;
    ox_graph_link(g);
}
