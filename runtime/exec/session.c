/* Sessions: options, inputs and outputs around the plans. */
#include "runtime/exec/internal.h"
#include "runtime/base/log.h"
#include "runtime/opt/gradient.h"

#include <stdlib.h>
#include <string.h>

/* ---- creation ---- */
static ox_code add_output(ox_session *s, int id, ox_error *err)
{
    ox_graph *g = s->graph;
    int *out = ox_arena_array(s->arena, (size_t)g->n_out + 1, sizeof(*out));
    if (!out)
        return OX_FAIL(err, OX_E_NOMEM, "out of memory");
    memcpy(out, g->out, (size_t)g->n_out * sizeof(*out));
    out[g->n_out++] = id;
    g->out = out;
    g->value[id].is_output = true;
    return OX_OK;
}

static ox_code add_extra(ox_session *s, const char *name, ox_error *err)
{
    ox_graph *g = s->graph;
    bool all = strcmp(name, "all") == 0;
    int id = all ? -1 : ox_graph_find_value(g, name);
    if (!all && id < 0)
        return OX_FAIL(err, OX_E_USAGE, "no value named '%s' in the graph", name);
    if (!all)
        return add_output(s, id, err);
    for (size_t i = 0; i < g->n_value; i++)
        if (g->value[i].producer >= 0 && !g->value[i].is_output)
            OX_TRY(add_output(s, (int)i, err));
    return OX_OK;
}

static ox_code add_override(ox_session *s, const char *name, ox_error *err)
{
    ox_graph *g = s->graph;
    int id = ox_graph_find_value(g, name);
    if (id < 0 || !g->value[id].constant || !g->value[id].is_input)
        return OX_FAIL(err, OX_E_USAGE, "no input named '%s'", name);
    int *in = ox_arena_array(s->arena, (size_t)g->n_in + 1, sizeof(*in));
    if (!in)
        return OX_FAIL(err, OX_E_NOMEM, "out of memory");
    memcpy(in, g->in, (size_t)g->n_in * sizeof(*in));
    in[g->n_in++] = id;
    g->in = in;
    const ox_tensor *c = g->value[id].constant;
    ox_type *type = &g->value[id].type;
    if (type->kind == OX_NONE) {
        *type = (ox_type){ .kind = OX_TENSOR, .dtype = c->dtype, .rank = c->rank };
        memcpy(type->dim, c->dim, sizeof(type->dim));
    }
    g->value[id].constant = NULL;
    return OX_OK;
}

static ox_code session_init(ox_session *s, ox_error *err)
{
    const ox_options *o = &s->options;
    s->arena = ox_arena_create(0);
    s->strings = ox_arena_create(0);
    s->pool = ox_pool_create(o->threads > 0 ? o->threads : ox_cpu_cores());
    if (!s->arena || !s->strings || !(s->graph = ox_graph_clone(s->arena, s->model->graph, NULL)))
        return OX_FAIL(err, OX_E_NOMEM, "out of memory");
    if (o->max_memory) /* else whatever the process has set */
        ox_buf_cap(o->max_memory);
    OX_TRY(ox_expand_gradients(s->graph, err));
    OX_TRY(ox_graph_bind(s->graph, err));
    for (int i = 0; i < o->n_override; i++)
        OX_TRY(add_override(s, o->override[i], err));
    for (int i = 0; i < o->n_extra; i++)
        OX_TRY(add_extra(s, o->extra[i], err));
    ox_graph_link(s->graph);
    OX_TRY(ox_session_settle(s, err));
    OX_TRY(ox_optimize(s, s->graph, err));
    OX_TRY(ox_session_settle(s, err));
    ox_session_prune_constants(s);
    s->random = o->seeded ? o->seed : (uint64_t)ox_clock_ns();
    return OX_OK;
}

ox_code ox_session_create(ox_model *m, const ox_options *options, ox_session **out, ox_error *err)
{
    ox_session *s = calloc(1, sizeof(*s));
    if (!s)
        return OX_FAIL(err, OX_E_NOMEM, "out of memory");
    s->model = m;
    if (options)
        s->options = *options;
    ox_code code = session_init(s, err);
    /* the caller's name lists need not outlive this call */
    s->options.override = s->options.extra = s->options.skip_pass = NULL;
    if (code != OX_OK) {
        ox_session_destroy(s);
        return code;
    }
    *out = s;
    return OX_OK;
}

static void destroy_plans(ox_graph *g)
{
    for (ox_plan *p = g->plans, *next; p; p = next) {
        next = p->next;
        ox_plan_destroy(p);
    }
    g->plans = NULL;
    for (size_t k = 0; k < g->n_node; k++)
        for (int i = 0; i < g->node[k].n_attr; i++)
            if (g->node[k].attr[i].kind == OX_ATTR_GRAPH)
                destroy_plans(g->node[k].attr[i].graph);
}

void ox_session_destroy(ox_session *s)
{
    if (!s)
        return;
    if (s->graph)
        destroy_plans(s->graph);
    for (int i = 0; i < s->n_wide; i++)
        ox_value_release(&s->wide[i]);
    for (size_t i = 0; i < s->n_kept; i++)
        ox_buf_unref(s->kept[i]);
    ox_packs_release(s);
    ox_session_constants_release(s);
    ox_pool_destroy(s->pool);
    ox_arena_destroy(s->strings);
    ox_arena_destroy(s->arena);
    free(s->profiles);
    free(s);
}

/* ---- what it takes and gives ---- */
int ox_session_n_in(const ox_session *s) { return s->graph->n_in; }
int ox_session_n_out(const ox_session *s) { return s->graph->n_out; }
const ox_info *ox_session_in(const ox_session *s, int i) { return &s->graph->value[s->graph->in[i]]; }
const ox_info *ox_session_out(const ox_session *s, int i) { return &s->graph->value[s->graph->out[i]]; }
const ox_graph *ox_session_graph(const ox_session *s) { return s->graph; }

void ox_session_observe(ox_session *s, ox_observe_fn *fn, void *ctx)
{
    s->observe = fn;
    s->observe_ctx = ctx;
}

void ox_session_observe_graphs(ox_session *s, ox_enter_fn *fn) { s->enter = fn; }

/* ---- inputs ---- */
typedef struct bound { int64_t symbol, size; int input; } bound;

static ox_code check_dims(const ox_session *s, int i, const ox_tensor *t, bound *bounds, int *n_bounds,
                          ox_error *err)
{
    const ox_info *info = ox_session_in(s, i);
    char is[160], declared[160];
    ox_tensor want = { .rank = info->type.rank };
    memcpy(want.dim, info->type.dim, sizeof(want.dim));
    ox_shape_text(is, sizeof(is), t);
    ox_shape_text(declared, sizeof(declared), &want);
    if (info->type.rank < 0)
        return OX_OK;
    if (t->rank != info->type.rank)
        return OX_FAIL(err, OX_E_SHAPE, "input '%s' has shape %s (rank %d), the model declares %s (rank %d)",
                       info->name, is, t->rank, declared, info->type.rank);
    for (int d = 0; d < t->rank; d++) {
        int64_t dim = info->type.dim[d];
        if (dim >= 0 && dim != t->dim[d])
            return OX_FAIL(err, OX_E_SHAPE, "input '%s' has shape %s, the model declares %s", info->name,
                           is, declared);
        if (dim >= OX_DIM_UNKNOWN)
            continue;
        int k = 0;
        while (k < *n_bounds && bounds[k].symbol != dim)
            k++;
        if (k == *n_bounds && k < 64)
            bounds[(*n_bounds)++] = (bound){ dim, t->dim[d], i };
        else if (k < *n_bounds && bounds[k].size != t->dim[d])
            return OX_FAIL(err, OX_E_SHAPE, "input '%s' has %s = %lld but input '%s' has %lld", info->name,
                           ox_model_symbol_name(s->model, dim), (long long)t->dim[d],
                           ox_session_in(s, bounds[k].input)->name, (long long)bounds[k].size);
    }
    return OX_OK;
}

static ox_code check_input(const ox_session *s, int i, const ox_value *v, bound *bounds, int *n_bounds,
                           ox_error *err)
{
    const ox_info *info = ox_session_in(s, i);
    const ox_type *type = &info->type;
    if (!v || (v->kind == OX_NONE && !type->optional))
        return OX_FAIL(err, OX_E_USAGE, "input '%s' is missing", info->name);
    if (v->kind == OX_NONE || type->kind == OX_NONE)
        return OX_OK;
    if (v->kind != type->kind)
        return OX_FAIL(err, OX_E_TYPE, "input '%s' is a %s, the model declares a %s", info->name,
                       v->kind == OX_TENSOR ? "tensor" : v->kind == OX_SEQUENCE ? "sequence" : "map",
                       type->kind == OX_TENSOR ? "tensor" : type->kind == OX_SEQUENCE ? "sequence" : "map");
    if (v->kind != OX_TENSOR)
        return OX_OK;
    if (type->dtype && v->t.dtype != type->dtype && !(s->options.f64 && v->t.dtype == OX_F64))
        return OX_FAIL(err, OX_E_TYPE, "input '%s' is %s, the model declares %s", info->name,
                       ox_dtype_name(v->t.dtype), ox_dtype_name(type->dtype));
    return check_dims(s, i, &v->t, bounds, n_bounds, err);
}

static bool widens(ox_dtype t) { return t == OX_F32 || t == OX_F16 || t == OX_BF16; }

static ox_code widen(ox_value *to, const ox_value *v, ox_error *err)
{
    *to = (ox_value){ 0 };
    if (v->kind == OX_TENSOR && widens(v->t.dtype)) {
        to->kind = OX_TENSOR;
        return ox_tensor_convert(&to->t, &v->t, OX_F64, err);
    }
    if (v->kind != OX_SEQUENCE)
        return ox_value_keep(to, v, err);
    size_t n = ox_seq_size(v->seq);
    ox_code code = OX_OK;
    if (!(to->seq = ox_seq_create(n)))
        return OX_FAIL(err, OX_E_NOMEM, "out of memory");
    to->kind = OX_SEQUENCE;
    for (size_t i = 0; i < n && code == OX_OK; i++) {
        ox_value part;
        code = widen(&part, ox_seq_at(v->seq, i), err);
        if (code == OX_OK)
            code = ox_seq_push(to->seq, &part, err);
    }
    if (code != OX_OK)
        ox_value_release(to);
    return code;
}

/* Under --precision f64 float inputs are converted into values that the session keeps. */
static ox_code feed_input(ox_session *s, int i, const ox_value *v, const ox_value **fed, ox_error *err)
{
    *fed = v;
    if (!s->options.f64 || !(v->kind == OX_SEQUENCE || (v->kind == OX_TENSOR && widens(v->t.dtype))))
        return OX_OK;
    ox_value_release(&s->wide[i]);
    OX_TRY(widen(&s->wide[i], v, err));
    *fed = &s->wide[i];
    return OX_OK;
}

static ox_code select_plan(ox_session *s, const ox_value *const *in, ox_error *err)
{
    int n = s->graph->n_in;
    if (!s->signature) {
        s->signature = ox_arena_array(s->arena, (size_t)OX_MAX(n, 1), sizeof(*s->signature));
        s->wide = ox_arena_array(s->arena, (size_t)OX_MAX(n, 1), sizeof(*s->wide));
        s->n_wide = s->wide ? n : 0;
        if (!s->signature || !s->wide)
            return OX_FAIL(err, OX_E_NOMEM, "out of memory");
    }
    bound bounds[64];
    int n_bounds = 0;
    for (int i = 0; i < n; i++) {
        OX_TRY(check_input(s, i, in[i], bounds, &n_bounds, err));
        ox_type_of_value(&s->signature[i], in[i]);
        ox_dtype t = s->signature[i].dtype;
        if (s->options.f64 && widens(t))
            s->signature[i].dtype = OX_F64;
    }
    return ox_plan_get(s, s->graph, NULL, s->signature, n, &s->current, err);
}

/* ---- running ---- */
ox_code ox_session_run(ox_session *s, const ox_value *const *in, const ox_value **out, ox_error *err)
{
    OX_TRY(select_plan(s, in, err));
    ox_plan *p = s->current;
    ox_plan_clear(p);
    ox_arena_reset(s->strings);
    for (int i = 0; i < s->graph->n_in; i++) {
        const ox_value *fed;
        OX_TRY(feed_input(s, i, in[i], &fed, err));
        OX_TRY(ox_slot_feed(&p->slot[s->graph->in[i]], fed, err));
    }
    ox_pool_begin(s->pool);
    ox_code code = ox_plan_run(p, err);
    ox_pool_end(s->pool);
    OX_TRY(code);
    for (int i = 0; i < s->graph->n_out; i++)
        out[i] = &p->slot[s->graph->out[i]].v;
    return OX_OK;
}

ox_code ox_session_plan(ox_session *s, const ox_value *const *in, ox_error *err)
{
    return select_plan(s, in, err);
}

/* ---- what happened ---- */
static void each_plan(ox_graph *g, void (*fn)(ox_plan *p, void *ctx), void *ctx)
{
    for (ox_plan *p = g->plans; p; p = p->next)
        fn(p, ctx);
    for (size_t k = 0; k < g->n_node; k++)
        for (int i = 0; i < g->node[k].n_attr; i++)
            if (g->node[k].attr[i].kind == OX_ATTR_GRAPH)
                each_plan(g->node[k].attr[i].graph, fn, ctx);
}

static void clear_profile(ox_plan *p, void *ctx)
{
    (void)ctx;
    for (size_t k = 0; k < p->n_step; k++)
        p->step[k].profile.ns = p->step[k].profile.calls = p->step[k].profile.bytes = 0;
}

void ox_session_profile(ox_session *s, bool on)
{
    if (on)
        each_plan(s->graph, clear_profile, NULL);
    s->profiling = on;
}

static void add_profile(ox_plan *p, void *ctx)
{
    ox_session *s = ctx;
    for (size_t k = 0; k < p->n_step; k++) {
        const ox_node_profile *from = &p->step[k].profile;
        if (!from->calls)
            continue;
        if (s->n_profile == s->cap_profile) {
            size_t cap = s->cap_profile ? 2 * s->cap_profile : 64;
            ox_node_profile *more = realloc(s->profiles, cap * sizeof(*more));
            if (!more)
                return; /* a shorter report */
            s->profiles = more;
            s->cap_profile = cap;
        }
        s->profiles[s->n_profile] = *from;
        s->profiles[s->n_profile++].flops *= from->calls;
    }
}

static void collect_profile(ox_session *s)
{
    s->n_profile = 0;
    each_plan(s->graph, add_profile, s);
}

const ox_node_profile *ox_session_profiles(ox_session *s, size_t *n)
{
    collect_profile(s);
    *n = s->n_profile;
    return s->profiles;
}

ox_memory ox_session_memory(const ox_session *s)
{
    ox_memory m = s->current ? s->current->memory : (ox_memory){ 0 };
    m.scratch = s->scratch_peak;
    m.packed = ox_packs_bytes(s);
    for (size_t i = 0; i < s->graph->n_value; i++)
        if (s->graph->value[i].constant)
            m.weights += ox_bytes(s->graph->value[i].constant);
    return m;
}
