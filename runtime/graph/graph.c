/* Models, graphs, and the growth of their tables. */
#include "runtime/graph/graph.h"
#include "runtime/graph/names.h"
#include "runtime/graph/weights.h"

#include <assert.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct ox_deferred {
    struct ox_deferred *next;
    void (*release)(void *data, size_t n_bytes);
    void *data;
    size_t n_bytes;
};

ox_model *ox_model_create(size_t budget)
{
    ox_arena *a = ox_arena_create(budget);
    ox_model *m = a ? ox_arena_alloc(a, sizeof *m) : NULL;
    ox_names *symbols = m ? ox_arena_alloc(a, sizeof *symbols) : NULL;
    pthread_mutex_t *lock = symbols ? ox_arena_alloc(a, sizeof *lock) : NULL;
    if (!lock || pthread_mutex_init(lock, NULL)) {
        ox_arena_destroy(a);
        return NULL;
    }
    ox_names_init(symbols, a);
    *m = (ox_model){.arena = a,
                    .path = "",
                    .producer = "",
                    .producer_version = "",
                    .model_domain = "",
                    .doc = "",
                    .symbol_index = symbols,
                    .symbol_lock = lock};
    return m;
}

void ox_model_destroy(ox_model *m)
{
    if (!m)
        return;
    for (struct ox_deferred *d = m->deferred; d; d = d->next)
        d->release(d->data, d->n_bytes);
    ox_weights_release(m);
    pthread_mutex_destroy(m->symbol_lock);
    ox_arena_destroy(m->arena); /* the model itself goes with it */
}

bool ox_model_defer(ox_model *m, void (*release)(void *data, size_t n_bytes), void *data,
                    size_t n_bytes)
{
    struct ox_deferred *d = ox_arena_alloc(m->arena, sizeof *d);
    if (!d)
        return false;
    *d = (struct ox_deferred){m->deferred, release, data, n_bytes};
    m->deferred = d;
    return true;
}

static int intern(ox_model *m, const char *name)
{
    int k = ox_names_get(m->symbol_index, name, -1);
    if (k >= 0)
        return k;
    char *copy = ox_arena_strndup(m->arena, name, strlen(name));
    if (!copy || m->n_symbol >= INT_MAX - 2 ||
        !ox_arena_grow(m->arena, (void **)&m->symbol, m->n_symbol, &m->cap_symbol,
                       sizeof *m->symbol) ||
        !ox_names_put(m->symbol_index, copy, (int)m->n_symbol))
        return -1;
    m->symbol[m->n_symbol] = copy;
    return (int)m->n_symbol++;
}

int64_t ox_model_symbol(ox_model *m, const char *name)
{
    pthread_mutex_lock(m->symbol_lock);
    int k = intern(m, name);
    pthread_mutex_unlock(m->symbol_lock);
    return k < 0 ? OX_DIM_UNKNOWN : -2 - (int64_t)k;
}

const char *ox_model_symbol_name(const ox_model *m, int64_t dim)
{
    const char *name = "?";
    pthread_mutex_lock(m->symbol_lock);
    if (dim <= -2 && (uint64_t)(-2 - dim) < m->n_symbol)
        name = m->symbol[-2 - dim];
    pthread_mutex_unlock(m->symbol_lock);
    return name;
}

ox_graph *ox_graph_create(ox_model *m, ox_graph *parent, const char *name)
{
    ox_graph *g = ox_arena_alloc(m->arena, sizeof *g);
    if (g) {
        g->model = m;
        g->arena = m->arena;
        g->parent = parent;
        g->name = name;
    }
    return g;
}

int ox_graph_add_value(ox_graph *g, const char *name)
{
    if (g->n_value >= INT_MAX ||
        !ox_arena_grow(g->arena, (void **)&g->value, g->n_value, &g->cap_value, sizeof *g->value))
        return -1;
    g->value[g->n_value] = (ox_info){.name = name, .type = {.rank = -1}, .producer = -1};
    return (int)g->n_value++;
}

ox_node *ox_graph_add_node(ox_graph *g)
{
    if (g->n_node >= INT_MAX ||
        !ox_arena_grow(g->arena, (void **)&g->node, g->n_node, &g->cap_node, sizeof *g->node))
        return NULL;
    ox_node *n = &g->node[g->n_node];
    *n = (ox_node){.name = "", .op_type = "", .domain = "", .index = (int)g->n_node};
    g->n_node++;
    return n;
}

int ox_graph_find_value(const ox_graph *g, const char *name)
{
    for (size_t i = 0; i < g->n_value; i++)
        if (strcmp(g->value[i].name, name) == 0)
            return (int)i;
    return -1;
}

const ox_attr *ox_node_attr(const ox_node *n, const char *name)
{
    for (int i = 0; i < n->n_attr; i++)
        if (strcmp(n->attr[i].name, name) == 0)
            return &n->attr[i];
    return NULL;
}

int ox_node_read(const ox_node *n, int k)
{
    if (k < n->n_in)
        return n->in[k];
    k -= n->n_in;
    for (int i = 0; i < n->n_attr; i++) {
        const ox_graph *sub = n->attr[i].kind == OX_ATTR_GRAPH ? n->attr[i].graph : NULL;
        if (sub && (size_t)k < sub->n_capture)
            return sub->capture[k].outer;
        k -= sub ? (int)sub->n_capture : 0;
    }
    return OX_NO_MORE;
}

void ox_graph_link(ox_graph *g)
{
    for (size_t i = 0; i < g->n_value; i++) {
        g->value[i].producer = -1;
        g->value[i].n_uses = 0;
        g->value[i].user = -1;
    }
    for (size_t k = 0; k < g->n_node; k++) {
        const ox_node *n = &g->node[k];
        if (!n->op_type)
            continue;
        for (int i = 0, v; (v = ox_node_read(n, i)) != OX_NO_MORE; i++) {
            if (v == OX_ABSENT)
                continue;
            g->value[v].n_uses++;
            if (i < n->n_in)
                g->value[v].user = (int)k;
        }
        for (int i = 0; i < n->n_out; i++)
            if (n->out[i] != OX_ABSENT)
                g->value[n->out[i]].producer = (int)k;
    }
    for (int i = 0; i < g->n_out; i++)
        if (g->out[i] != OX_ABSENT)
            g->value[g->out[i]].n_uses++;
}
