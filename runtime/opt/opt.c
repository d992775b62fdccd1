/* Running the passes, and the small edits they share. */
#include "runtime/opt/opt.h"

#include <stdlib.h>
#include <string.h>

static const struct pass {
    const char *name;
    int         level;
    ox_pass_fn *run;
} passes[] = {
#define PASS(name, level, what) { #name, level, ox_pass_##name },
#include "runtime/opt/passes.def"
#undef PASS
};

static bool skipped(const ox_session *s, const char *name)
{
    for (int i = 0; i < s->options.n_skip_pass; i++)
        if (strcmp(s->options.skip_pass[i], name) == 0)
            return true;
    return false;
}

static ox_code run_pass(ox_session *s, ox_graph *g, const struct pass *pass, ox_error *err)
{
    OX_TRY(pass->run(s, g, err));
    ox_graph_prune(g);
    ox_graph_link(g);
    for (size_t k = 0; k < g->n_node; k++)
        for (int i = 0; i < g->node[k].n_attr; i++)
            if (g->node[k].attr[i].kind == OX_ATTR_GRAPH)
                OX_TRY(run_pass(s, g->node[k].attr[i].graph, pass, err));
    return OX_OK;
}

ox_code ox_optimize(ox_session *s, ox_graph *g, ox_error *err)
{
    for (size_t i = 0; i < OX_COUNT(passes); i++)
        if (passes[i].level <= s->options.optimize && !s->options.as_written &&
            !skipped(s, passes[i].name))
            OX_TRY(run_pass(s, g, &passes[i], err));
    ox_graph_check(g);
    return OX_OK;
}

bool ox_is_op(const ox_node *n, const char *op_type)
{
    return n && n->op_type && n->domain[0] == '\0' && strcmp(n->op_type, op_type) == 0;
}

ox_node *ox_producer(ox_graph *g, int value)
{
    int k = value >= 0 ? g->value[value].producer : -1;
    return k >= 0 && g->node[k].op_type ? &g->node[k] : NULL;
}

ox_node *ox_only_user(ox_graph *g, int value)
{
    if (value < 0 || g->value[value].is_output || g->value[value].n_uses != 1 || g->value[value].user < 0)
        return NULL;
    ox_node *n = &g->node[g->value[value].user];
    return n->op_type ? n : NULL;
}

void ox_replace_values(ox_graph *g, const int *to)
{
    for (size_t k = 0; k < g->n_node; k++) {
        ox_node *n = &g->node[k];
        for (int i = 0; i < n->n_in; i++)
            if (n->in[i] >= 0)
                n->in[i] = to[n->in[i]];
        for (int i = 0; i < n->n_attr; i++) {
            ox_graph *sub = n->attr[i].kind == OX_ATTR_GRAPH ? n->attr[i].graph : NULL;
            for (size_t c = 0; sub && c < sub->n_capture; c++)
                sub->capture[c].outer = to[sub->capture[c].outer];
        }
    }
}

int ox_add_constant(ox_session *s, ox_graph *g, const char *name, ox_tensor *take_t)
{
    ox_tensor *t = ox_arena_alloc(s->arena, sizeof(*t));
    int id = t ? ox_graph_add_value(g, name) : -1;
    if (id < 0 || !ox_session_keep(s, take_t->buf)) {
        ox_tensor_release(take_t);
        return -1;
    }
    *t = *take_t;
    g->value[id].constant = t;
    g->value[id].producer = -1;
    g->value[id].type = (ox_type){ .kind = OX_TENSOR, .dtype = t->dtype, .rank = t->rank };
    memcpy(g->value[id].type.dim, t->dim, sizeof(t->dim));
    return id;
}

bool ox_session_keep(ox_session *s, ox_buf *buf)
{
    if (s->n_kept == s->cap_kept &&
        !ox_arena_grow(s->arena, (void **)&s->kept, s->n_kept, &s->cap_kept, sizeof(*s->kept)))
        return false;
    s->kept[s->n_kept++] = buf;
    return true;
}

void ox_delete_node(ox_node *n) { n->op_type = NULL; }

static ox_attr *add_attr(ox_session *s, ox_node *n, const char *name)
{
    ox_attr *more = ox_arena_array(s->arena, (size_t)n->n_attr + 1, sizeof(*more));
    if (!more)
        return NULL;
    if (n->n_attr)
        memcpy(more, n->attr, (size_t)n->n_attr * sizeof(*more));
    n->attr = more;
    more[n->n_attr].name = name;
    return &more[n->n_attr++];
}

bool ox_set_attr_str(ox_session *s, ox_node *n, const char *name, const char *value)
{
    ox_attr *a = add_attr(s, n, name);
    if (!a)
        return false;
    a->kind = OX_ATTR_STRING;
    a->s = (ox_str){ value, strlen(value) };
    return true;
}

bool ox_set_attr_i64s(ox_session *s, ox_node *n, const char *name, int count, const int64_t *values)
{
    int64_t *own = ox_arena_array(s->arena, (size_t)OX_MAX(count, 1), sizeof(*own));
    ox_attr *a = own ? add_attr(s, n, name) : NULL;
    if (!a)
        return false;
    memcpy(own, values, (size_t)count * sizeof(*own));
    a->kind = OX_ATTR_INTS;
    a->ints = own;
    a->n = count;
    return true;
}

bool ox_set_attr_f32(ox_session *s, ox_node *n, const char *name, float value)
{
    ox_attr *a = add_attr(s, n, name);
    if (!a)
        return false;
    a->kind = OX_ATTR_FLOAT;
    a->f = value;
    return true;
}

bool ox_set_attr_i64(ox_session *s, ox_node *n, const char *name, int64_t value)
{
    ox_attr *a = add_attr(s, n, name);
    if (!a)
        return false;
    a->kind = OX_ATTR_INT;
    a->i = value;
    return true;
}

bool ox_set_input(ox_session *s, ox_node *n, int i, int v)
{
    if (i >= n->n_in) {
        int *in = ox_arena_array(s->arena, (size_t)i + 1, sizeof(*in));
        if (!in)
            return false;
        memcpy(in, n->in, (size_t)n->n_in * sizeof(*in));
        for (int k = n->n_in; k <= i; k++)
            in[k] = OX_ABSENT;
        n->in = in;
        n->n_in = i + 1;
    }
    n->in[i] = v;
    return true;
}
