/* GraphProto to ox_graph: declares all names of a graph, then builds its nodes, so that their order
 * in the file does not matter; sorts at the end. */
#include "runtime/load/build.h"

#include <limits.h>
#include <string.h>

enum { UNKNOWN = -2 }; /* in lookups: no such name.  OX_ABSENT is a name without a value. */

ox_code ox_build_no_memory(ox_builder *b)
{
    return OX_FAIL(b->err, OX_E_LIMIT, "the model's structure needs more memory than may be used");
}

const char *ox_build_text(ox_builder *b, const char *s)
{
    int k = ox_names_get(&b->text, s, -1);
    if (k >= 0)
        return b->texts[k];
    char *copy = ox_arena_strndup(b->m->arena, s, strlen(s));
    if (!copy || b->n_texts >= INT_MAX ||
        !ox_arena_grow(b->a, (void **)&b->texts, b->n_texts, &b->cap_texts, sizeof *b->texts) ||
        !ox_names_put(&b->text, copy, (int)b->n_texts))
        return NULL;
    return b->texts[b->n_texts++] = copy;
}

/* ---- names ---- */

/* A name that no value of the graph has yet.  The counter grows with each try: n names cost n
 * tries. */
static const char *unique_name(ox_builder *b, ox_graph_build *gb, const char *prefix,
                               const char *name)
{
    const ox_graph *g = gb->g;
    for (; gb->n_taken < g->n_value; gb->n_taken++)
        if (!ox_names_put(&gb->taken, g->value[gb->n_taken].name, 0))
            return NULL;
    const char *made = prefix ? ox_arena_printf(b->m->arena, "%s/%s", prefix, name)
                              : ox_arena_strndup(b->m->arena, name, strlen(name));
    const char *first = made;
    while (made && ox_names_get(&gb->taken, made, -1) >= 0)
        made = ox_arena_printf(b->m->arena, "%s_%zu", first, ++b->n_made_up);
    return made;
}

ox_code ox_build_temporary(ox_builder *b, ox_graph_build *gb, const char *prefix, const char *name,
                           int *out)
{
    const char *made = unique_name(b, gb, prefix, name);
    *out = made ? ox_graph_add_value(gb->g, made) : -1;
    return *out < 0 ? ox_build_no_memory(b) : OX_OK;
}

/* Value v of the graph `from`, as a value of the graph `to` further in: a capture at every level.
 */
static ox_code import(ox_builder *b, ox_graph_build *to, const ox_graph_build *from, int v,
                      int *out)
{
    *out = v;
    if (to == from)
        return OX_OK;
    int outer;
    OX_TRY(import(b, to->parent, from, v, &outer));
    ox_graph *g = to->g;
    const ox_info *info = &g->parent->value[outer];
    *out = ox_names_get(&to->captured, info->name, -1);
    if (*out >= 0)
        return OX_OK;
    OX_TRY(ox_build_temporary(b, to, NULL, info->name, out));
    g->value[*out].type = info->type;
    if (!ox_names_put(&to->captured, info->name, *out) ||
        !ox_arena_grow(b->m->arena, (void **)&g->capture, g->n_capture, &g->cap_capture,
                       sizeof *g->capture))
        return ox_build_no_memory(b);
    g->capture[g->n_capture++] = (ox_capture){outer, *out};
    return OX_OK;
}

/* *out is UNKNOWN where no scope has the name. */
static ox_code look_up(ox_builder *b, ox_scope *s, const char *name, int *out)
{
    *out = ox_names_get(&s->names, name, UNKNOWN);
    if (*out != UNKNOWN || !s->up)
        return OX_OK;
    int outer;
    OX_TRY(look_up(b, s->up, name, &outer));
    if (outer < 0) {
        *out = outer;
        return OX_OK;
    }
    OX_TRY(import(b, s->gb, s->up->gb, outer, out));
    return ox_names_put(&s->names, name, *out) ? OX_OK : ox_build_no_memory(b);
}

ox_code ox_build_value(ox_builder *b, ox_scope *s, const char *name, int *out)
{
    OX_TRY(look_up(b, s, name, out));
    if (*out == UNKNOWN)
        return OX_FAIL(b->err, OX_E_GRAPH,
                       "'%.200s' is no input, initializer or output of any node", name);
    return OX_OK;
}

/* A value of this scope's graph that nothing else has declared. */
static ox_code declare(ox_builder *b, ox_scope *s, const char *name, const char *what, int *out)
{
    ox_graph *g = s->gb->g;
    if (!name || !*name)
        return OX_FAIL(b->err, OX_E_GRAPH, "graph '%.100s': %s without a name", g->name, what);
    if (ox_names_get(&s->names, name, UNKNOWN) != UNKNOWN)
        return OX_FAIL(b->err, OX_E_GRAPH,
                       "graph '%.100s': %s '%.200s': that name is defined already", g->name, what,
                       name);
    const char *copy = ox_arena_strndup(b->m->arena, name, strlen(name));
    *out = copy ? ox_graph_add_value(g, copy) : -1;
    return *out >= 0 && ox_names_put(&s->names, copy, *out) ? OX_OK : ox_build_no_memory(b);
}

/* ---- parts of a graph ---- */

static ox_code add_inputs(ox_builder *b, ox_scope *s, const OxPb__GraphProto *p)
{
    for (size_t i = 0; i < p->n_input; i++) {
        int v;
        OX_TRY(declare(b, s, p->input[i]->name, "input", &v));
        ox_info *info = &s->gb->g->value[v];
        info->is_input = true;
        OX_TRY(ox_load_type(p->input[i]->type, info->name, b->m, &info->type, b->err));
    }
    return OX_OK;
}

static ox_type type_of_tensor(const ox_tensor *t)
{
    ox_type type = {.kind = OX_TENSOR, .dtype = t->dtype, .rank = t->rank};
    memcpy(type.dim, t->dim, sizeof type.dim);
    return type;
}

/* The value that an initializer sets: an input's default, or its own. */
static ox_code initialized_value(ox_builder *b, ox_scope *s, const char *name, int *v)
{
    ox_graph *g = s->gb->g;
    *v = name ? ox_names_get(&s->names, name, UNKNOWN) : UNKNOWN;
    if (*v < 0 || !g->value[*v].is_input || g->value[*v].from_initializer)
        OX_TRY(declare(b, s, name, "initializer", v));
    g->value[*v].from_initializer = true;
    return OX_OK;
}

static ox_code set_constant(ox_builder *b, ox_info *info, const ox_tensor *t)
{
    ox_type *declared = &info->type;
    if (declared->kind == OX_TENSOR && declared->dtype != t->dtype &&
        declared->dtype != OX_UNDEFINED)
        return OX_FAIL(b->err, OX_E_TYPE, "initializer '%.100s' is %s, the input of that name %s",
                       info->name, ox_dtype_name(t->dtype), ox_dtype_name(declared->dtype));
    info->constant = ox_arena_alloc(b->m->arena, sizeof *info->constant);
    if (!info->constant)
        return ox_build_no_memory(b);
    *info->constant = *t;
    *declared = type_of_tensor(t);
    return OX_OK;
}

static ox_code add_initializers(ox_builder *b, ox_scope *s, const OxPb__GraphProto *p)
{
    ox_graph *g = s->gb->g;
    int v;
    ox_tensor t;
    for (size_t i = 0; i < p->n_initializer; i++) {
        OX_TRY(initialized_value(b, s, p->initializer[i]->name, &v));
        b->place.defer = b->defer; /* attributes are read by whom they belong to */
        ox_code code = ox_load_tensor(p->initializer[i], "initializer", &b->place, &t, b->err);
        b->place.defer = false;
        OX_TRY(code);
        OX_TRY(set_constant(b, &g->value[v], &t));
    }
    for (size_t i = 0; i < p->n_sparse_initializer; i++) {
        const OxPb__SparseTensorProto *sp = p->sparse_initializer[i];
        ox_value sparse;
        OX_TRY(initialized_value(b, s, sp->values ? sp->values->name : NULL, &v));
        OX_TRY(ox_load_sparse(sp, "sparse initializer", &b->place, &sparse, b->err));
        /* No operator takes sparse tensors, so the value is what it stands for. */
        ox_code code =
            ox_load_dense(&sparse, "sparse initializer", sp->values->name, &b->place, &t, b->err);
        ox_value_release(&sparse);
        OX_TRY(code);
        OX_TRY(set_constant(b, &g->value[v], &t));
    }
    return OX_OK;
}

static ox_code list_inputs(ox_builder *b, ox_scope *s, const OxPb__GraphProto *p)
{
    ox_graph *g = s->gb->g;
    g->in = ox_arena_array(b->m->arena, p->n_input, sizeof *g->in);
    g->overridable = ox_arena_array(b->m->arena, p->n_input, sizeof *g->overridable);
    if (!g->in || !g->overridable)
        return ox_build_no_memory(b);
    for (size_t i = 0; i < p->n_input; i++) {
        int v = ox_names_get(&s->names, p->input[i]->name, UNKNOWN);
        if (g->value[v].constant)
            g->overridable[g->n_overridable++] = v;
        else
            g->in[g->n_in++] = v;
    }
    return OX_OK;
}

static ox_code add_node_outputs(ox_builder *b, ox_scope *s, const OxPb__GraphProto *p)
{
    int v;
    for (size_t k = 0; k < p->n_node; k++)
        for (size_t i = 0; i < p->node[k]->n_output; i++)
            if (*p->node[k]->output[i])
                OX_TRY(declare(b, s, p->node[k]->output[i], "node output", &v));
    return OX_OK;
}

/* Declared types are hints for values that are computed; inputs and constants have theirs. */
static ox_code add_value_types(ox_builder *b, ox_scope *s, OxPb__ValueInfoProto *const *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int v = p[i]->name ? ox_names_get(&s->names, p[i]->name, UNKNOWN) : UNKNOWN;
        if (v < 0)
            continue;
        ox_info *info = &s->gb->g->value[v];
        if (!info->is_input && !info->constant && p[i]->type)
            OX_TRY(ox_load_type(p[i]->type, info->name, b->m, &info->type, b->err));
    }
    return OX_OK;
}

static ox_code add_outputs(ox_builder *b, ox_scope *s, const OxPb__GraphProto *p)
{
    ox_graph *g = s->gb->g;
    g->out = ox_arena_array(b->m->arena, p->n_output, sizeof *g->out);
    if (!g->out)
        return ox_build_no_memory(b);
    for (size_t i = 0; i < p->n_output; i++) {
        const char *name = p->output[i]->name ? p->output[i]->name : "";
        int v;
        OX_TRY(look_up(b, s, name, &v));
        if (v < 0)
            return OX_FAIL(
                b->err, OX_E_GRAPH,
                "graph '%.100s': output '%.200s' is no input, initializer or output of any node",
                g->name, name);
        g->value[v].is_output = true;
        g->out[g->n_out++] = v;
    }
    return OX_OK;
}

/* Room for all that the file has, so that growth copies nothing. */
static ox_code reserve(ox_builder *b, ox_graph *g, const OxPb__GraphProto *p)
{
    size_t n_value = p->n_input + p->n_initializer + p->n_sparse_initializer;
    for (size_t k = 0; k < p->n_node; k++)
        n_value += p->node[k]->n_output;
    if (n_value > INT_MAX || p->n_node > INT_MAX || p->n_output > INT_MAX)
        return OX_FAIL(b->err, OX_E_LIMIT, "graph '%.100s' has more than %d values", g->name,
                       INT_MAX);
    g->cap_value = n_value;
    g->cap_node = p->n_node;
    g->value = ox_arena_array(b->m->arena, n_value, sizeof *g->value);
    g->node = ox_arena_array(b->m->arena, p->n_node, sizeof *g->node);
    return g->value && g->node ? OX_OK : ox_build_no_memory(b);
}

ox_code ox_build_graph(ox_builder *b, const OxPb__GraphProto *p, ox_graph_build *parent,
                       ox_scope *up, ox_graph **out)
{
    ox_graph_build gb = {.parent = parent, .depth = parent ? parent->depth + 1 : 0};
    ox_scope s = {
        .gb = &gb, .up = up, .call = up ? up->call : NULL, .opset = up ? up->opset : &b->opset};
    if (gb.depth > OX_MAX_GRAPH_DEPTH)
        return OX_FAIL(b->err, OX_E_LIMIT, "graphs are nested more than %d deep; that is the limit",
                       OX_MAX_GRAPH_DEPTH);
    ox_names_init(&gb.taken, b->a);
    ox_names_init(&gb.captured, b->a);
    ox_names_init(&s.names, b->a);
    const char *name = ox_build_text(b, p->name ? p->name : "");
    gb.g = name ? ox_graph_create(b->m, parent ? parent->g : NULL, name) : NULL;
    if (!gb.g)
        return ox_build_no_memory(b);
    *out = gb.g;
    OX_TRY(reserve(b, gb.g, p));
    OX_TRY(add_inputs(b, &s, p));
    OX_TRY(add_initializers(b, &s, p));
    OX_TRY(list_inputs(b, &s, p));
    OX_TRY(add_node_outputs(b, &s, p));
    OX_TRY(add_value_types(b, &s, p->value_info, p->n_value_info));
    OX_TRY(add_value_types(b, &s, p->output, p->n_output));
    for (size_t k = 0; k < p->n_node; k++)
        OX_TRY(ox_build_node(b, &s, p->node[k], k));
    OX_TRY(add_outputs(b, &s, p));
    return ox_graph_sort(gb.g, b->err);
}
