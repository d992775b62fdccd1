/* Model-local functions.  Every call is replaced by the nodes of the function's body, so that no
 * later stage knows of functions.  The body's names are its own; values get names made of the
 * call's name and theirs. */
#include "runtime/load/build.h"

#include <limits.h>
#include <string.h>

enum { UNKNOWN = -2 };

/* Identity of a function.  The separator cannot be in a name of a sane file; a file that has it
 * there confuses only itself. */
static const char *key_of(ox_arena *a, const char *domain, const char *name, const char *overload)
{
    return ox_arena_printf(a, "%s\x1f%s\x1f%s", ox_build_domain(domain), name ? name : "",
                           overload ? overload : "");
}

ox_code ox_build_functions(ox_builder *b)
{
    const OxPb__ModelProto *p = b->proto;
    ox_names_init(&b->function, b->a);
    b->function_state = ox_arena_array(b->a, p->n_functions, sizeof *b->function_state);
    if (!b->function_state || p->n_functions > INT_MAX)
        return ox_build_no_memory(b);
    for (size_t i = 0; i < p->n_functions; i++) {
        const OxPb__FunctionProto *f = p->functions[i];
        const char *key = key_of(b->a, f->domain, f->name, f->overload);
        if (!key)
            return ox_build_no_memory(b);
        if (ox_names_get(&b->function, key, -1) >= 0)
            return OX_FAIL(b->err, OX_E_GRAPH,
                           "function '%.100s' of domain '%.100s' is defined twice",
                           f->name ? f->name : "", f->domain ? f->domain : "");
        if (!ox_names_put(&b->function, key, (int)i))
            return ox_build_no_memory(b);
        OX_TRY(ox_build_opsets(b, f->opset_import, f->n_opset_import, &b->function_state[i].opset));
    }
    return OX_OK;
}

int ox_build_function(ox_builder *b, const OxPb__NodeProto *p)
{
    char buffer[512];
    if (b->function.n == 0)
        return -1;
    int n = snprintf(buffer, sizeof buffer, "%s\x1f%s\x1f%s", ox_build_domain(p->domain),
                     p->op_type ? p->op_type : "", p->overload ? p->overload : "");
    if (n < 0 || (size_t)n < sizeof buffer)
        return ox_names_get(&b->function, buffer, -1);
    const char *key = key_of(b->a, p->domain, p->op_type, p->overload);
    return key ? ox_names_get(&b->function, key, -1) : -1;
}

/* The formal inputs stand for what the caller passes. */
static ox_code bind_inputs(ox_builder *b, ox_scope *s, const OxPb__NodeProto *p,
                           const OxPb__FunctionProto *f, ox_scope *body)
{
    size_t n = p->n_input;
    while (n && !*p->input[n - 1])
        n--;
    if (n > f->n_input)
        return OX_FAIL(b->err, OX_E_GRAPH, "%zu inputs, the function takes %zu", n, f->n_input);
    for (size_t i = 0; i < f->n_input; i++) {
        int v = OX_ABSENT;
        if (i < n && *p->input[i])
            OX_TRY(ox_build_value(b, s, p->input[i], &v));
        if (ox_names_get(&body->names, f->input[i], UNKNOWN) != UNKNOWN)
            return OX_FAIL(b->err, OX_E_GRAPH, "the function has two inputs '%.100s'", f->input[i]);
        if (!ox_names_put(&body->names, f->input[i], v))
            return ox_build_no_memory(b);
    }
    return OX_OK;
}

/* An input that is an output as well needs a node that hands it on. */
static ox_code pass_through(ox_builder *b, ox_scope *body, int from, int to)
{
    ox_node *n = from == OX_ABSENT ? NULL : ox_graph_add_node(body->gb->g);
    int *slots = ox_arena_array(b->m->arena, 2, sizeof *slots);
    if (from == OX_ABSENT)
        return OX_FAIL(b->err, OX_E_GRAPH,
                       "the function returns an input that the caller left out");
    if (!n || !slots)
        return ox_build_no_memory(b);
    slots[0] = from;
    slots[1] = to;
    n->name = ox_arena_printf(b->m->arena, "%s/Identity", body->prefix);
    n->op_type = "Identity";
    n->opset = ox_build_opset_of(b, body, "");
    n->schema = ox_schema_find("", n->op_type, n->opset);
    n->n_in = n->n_out = 1;
    n->in = slots;
    n->out = slots + 1;
    return n->name ? OX_OK : ox_build_no_memory(b);
}

/* Table of formal outputs -> the caller's values. */
static ox_code bind_outputs(ox_builder *b, ox_scope *s, const OxPb__NodeProto *p,
                            const OxPb__FunctionProto *f, ox_scope *body, ox_names *outputs)
{
    ox_names_init(outputs, b->a);
    if (p->n_output > f->n_output)
        return OX_FAIL(b->err, OX_E_GRAPH, "%zu outputs, the function has %zu", p->n_output,
                       f->n_output);
    for (size_t i = 0; i < f->n_output; i++) {
        int v = OX_ABSENT;
        if (i < p->n_output && *p->output[i])
            OX_TRY(ox_build_value(b, s, p->output[i], &v));
        int input = ox_names_get(&body->names, f->output[i], UNKNOWN);
        if (input != UNKNOWN) {
            if (v != OX_ABSENT)
                OX_TRY(pass_through(b, body, input, v));
            continue;
        }
        if (ox_names_get(outputs, f->output[i], UNKNOWN) != UNKNOWN)
            return OX_FAIL(b->err, OX_E_GRAPH, "the function has two outputs '%.100s'",
                           f->output[i]);
        if (!ox_names_put(outputs, f->output[i], v))
            return ox_build_no_memory(b);
    }
    return OX_OK;
}

static ox_code declare_values(ox_builder *b, const OxPb__FunctionProto *f, ox_scope *body,
                              const ox_names *outputs)
{
    for (size_t k = 0; k < f->n_node; k++)
        for (size_t i = 0; i < f->node[k]->n_output; i++) {
            const char *name = f->node[k]->output[i];
            if (!*name)
                continue;
            if (ox_names_get(&body->names, name, UNKNOWN) != UNKNOWN)
                return OX_FAIL(b->err, OX_E_GRAPH, "the function defines '%.100s' twice", name);
            int v = ox_names_get(outputs, name, OX_ABSENT);
            if (v == OX_ABSENT)
                OX_TRY(ox_build_temporary(b, body->gb, body->prefix, name, &v));
            if (!ox_names_put(&body->names, name, v))
                return ox_build_no_memory(b);
        }
    for (size_t i = 0; i < f->n_output; i++)
        if (ox_names_get(&body->names, f->output[i], UNKNOWN) == UNKNOWN)
            return OX_FAIL(b->err, OX_E_GRAPH, "no node of the function makes its output '%.100s'",
                           f->output[i]);
    return OX_OK;
}

static ox_code expand(ox_builder *b, ox_scope *s, const OxPb__NodeProto *p,
                      const OxPb__FunctionProto *f, ox_scope *body, size_t index)
{
    ox_names outputs;
    OX_TRY(bind_inputs(b, s, p, f, body));
    OX_TRY(bind_outputs(b, s, p, f, body, &outputs));
    OX_TRY(declare_values(b, f, body, &outputs));
    for (size_t k = 0; k < f->n_node; k++) {
        size_t first = body->gb->g->n_node;
        OX_TRY(ox_build_node(b, body, f->node[k], k));
        for (; first < body->gb->g->n_node; first++)
            body->gb->g->node[first].index = (int)index;
    }
    return OX_OK;
}

ox_code ox_build_call(ox_builder *b, ox_scope *s, const OxPb__NodeProto *p, int function,
                      size_t index)
{
    const OxPb__FunctionProto *f = b->proto->functions[function];
    struct ox_function_state *state = &b->function_state[function];
    if (state->active)
        return OX_FAIL(b->err, OX_E_GRAPH, "function '%.100s' calls itself", p->op_type);
    if (b->call_depth >= OX_MAX_CALL_DEPTH)
        return OX_FAIL(b->err, OX_E_LIMIT,
                       "functions call one another more than %d deep; that is the limit",
                       OX_MAX_CALL_DEPTH);
    ox_call call = {.node = p, .at = s, .function = f};
    ox_scope body = {.gb = s->gb,
                     .call = &call,
                     .opset = &state->opset,
                     .prefix = ox_build_node_name(b, s, p, index)};
    if (!body.prefix)
        return ox_build_no_memory(b);
    ox_names_init(&body.names, b->a);
    state->active = true;
    b->call_depth++;
    ox_code code = expand(b, s, p, f, &body, index);
    b->call_depth--;
    state->active = false;
    b->m->n_function += code == OX_OK;
    return code;
}
