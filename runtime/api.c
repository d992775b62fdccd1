/* The public API over the runtime: process, models, sessions.  Thin: it renames, converts errors
 * and picks outputs; nothing is computed here. */
#include "runtime/api.h"
#include "runtime/base/cpu.h"
#include "runtime/base/log.h"
#include "runtime/graph/weights.h"
#include "runtime/io/out.h"
#include "runtime/load/load.h"
#include "runtime/peak.h"

#include <stdlib.h>
#include <string.h>

/* The public enumerations repeat internal ones, so that the header stands alone. */
#define CODE(id, text) _Static_assert((int)ONNXRUN_##id == (int)OX_##id, #id);
#include "runtime/base/codes.def"
#undef CODE
#define DTYPE(id, onnx, name, memory, file_bits, class, numpy)                                     \
    _Static_assert((int)ONNXRUN_##id == (int)OX_##id, name);
#include "runtime/tensor/dtype.def"
#undef DTYPE
_Static_assert((int)ONNXRUN_N_DTYPES == (int)OX_N_DTYPES,
               "an element type is missing in onnxrun.h");
_Static_assert((int)ONNXRUN_MAX_RANK == (int)OX_MAX_RANK, "ranks differ");
_Static_assert((int)ONNXRUN_SPARSE == (int)OX_SPARSE, "kinds differ");

/* ---- errors ---- */

onnxrun_code ox_api_give(onnxrun_error *err, const ox_error *e, const char *where, ox_code code)
{
    if (!err)
        return (onnxrun_code)code;
    memset(err, 0, sizeof *err);
    err->code = (onnxrun_code)code;
    if (code == OX_OK)
        return ONNXRUN_OK;
    char place[80] = "";
    if (ox_log_enabled() && e->file)
        snprintf(place, sizeof place, " [%.60s:%d]", e->file, e->line);
    snprintf(err->node, sizeof err->node, "%s", e->node);
    snprintf(err->op, sizeof err->op, "%s", e->op);
    bool node = *e->node, op = *e->op;
    snprintf(err->text, sizeof err->text, "%.300s%s%s%s%s%s%s%s%s%s", where ? where : "",
             where && *where ? ": " : "", node ? "node \"" : "", e->node, node ? "\"" : "",
             op ? node ? " (" : "(" : "", e->op,
             op     ? "): "
             : node ? ": "
                    : "",
             *e->message ? e->message : ox_code_text(code), place);
    for (char *p = err->text; *p; p++) /* names come from files */
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = ' ';
    return err->code;
}

/* ---- the process ---- */

const char *onnxrun_version(void) { return OX_VERSION; }
int onnxrun_newest_opset(const char *domain) { return ox_schema_newest_opset(domain); }
const char *onnxrun_dtype_name(onnxrun_dtype t) { return ox_dtype_name((ox_dtype)t); }
onnxrun_dtype onnxrun_dtype_from_name(const char *name)
{
    return (onnxrun_dtype)ox_dtype_from_name(name);
}
size_t onnxrun_dtype_size(onnxrun_dtype t) { return ox_dtype_size((ox_dtype)t); }
const char *onnxrun_isa(void) { return ox_cpu_name(ox_cpu()); }
int onnxrun_cores(void) { return ox_cpu_cores(); }
void onnxrun_set_max_memory(size_t n_bytes) { ox_buf_cap(n_bytes); }
void onnxrun_set_verbose(int level) { ox_log_level(level); }
void onnxrun_abandon_outputs(void) { ox_out_abandon(); }
int64_t onnxrun_clock_ns(void) { return ox_clock_ns(); }

onnxrun_code onnxrun_set_isa(const char *name, onnxrun_error *err)
{
    ox_error e = { 0 };
    if (ox_cpu_cap(name))
        return ox_api_give(err, &e, NULL, OX_OK);
    return ox_api_give(
        err, &e, NULL,
        OX_FAIL(&e, OX_E_USAGE, "this processor has no such level, or there is none of that name"));
}

/* ---- models ---- */

onnxrun_code onnxrun_model_load(const char *path, onnxrun_model **out, onnxrun_error *err)
{
    ox_error e = { 0 };
    ox_model *m = NULL;
    *out = NULL;
    ox_code code = ox_load_file(path, &(ox_load_options){ .defer = true }, &m, &e);
    if (code != OX_OK)
        return ox_api_give(err, &e, path, code);
    onnxrun_model *model = calloc(1, sizeof *model);
    if (model)
        model->arena = ox_arena_create(0);
    if (!model || !model->arena || !ox_api_model(model, m)) {
        if (model)
            ox_arena_destroy(model->arena);
        free(model);
        ox_model_destroy(m);
        return ox_api_give(err, &e, path, OX_FAIL(&e, OX_E_NOMEM, "out of memory"));
    }
    *out = model;
    return ox_api_give(err, &e, NULL, OX_OK);
}

void onnxrun_model_destroy(onnxrun_model *m)
{
    if (!m)
        return;
    ox_model_destroy(m->m);
    ox_arena_destroy(m->arena);
    free(m);
}

void onnxrun_model_dump(const onnxrun_model *m, FILE *to)
{
    if (ox_weights_fill_all(m->m, NULL) == OX_OK)
        ox_graph_dump(m->m->graph, to);
    else
        fputs("out of memory\n", to);
}

/* ---- sessions ---- */

struct onnxrun_session {
    const onnxrun_model  *model;
    ox_session           *s;
    ox_arena             *arena;
    onnxrun_info         *in, *out;
    int                   n_out;
    int                  *pick;      /* output i is the internal session's output pick[i] */
    const ox_value      **all;       /* [n_out of the internal session] */
    onnxrun_node_profile *profile;   /* borrowed by the caller until the next call */
    onnxrun_node_fn      *on_node;
    void                 *on_node_ctx;
};

void onnxrun_options_init(onnxrun_options *o)
{
    *o = (onnxrun_options){ .optimize = 2 };
}

static bool is_graph_output(const ox_graph *g, const char *name)
{
    for (int i = 0; i < g->n_out; i++)
        if (strcmp(g->value[g->out[i]].name, name) == 0)
            return true;
    return false;
}

/* Names that the internal session must keep besides the graph's outputs; each once. */
static const char **extra_names(onnxrun_session *s, const onnxrun_options *o, int *n)
{
    const char **extra = ox_arena_array(s->arena, (size_t)o->n_outputs + 1, sizeof *extra);
    *n = 0;
    for (int i = 0; i < o->n_outputs && extra; i++) {
        bool have = is_graph_output(s->model->m->graph, o->outputs[i]);
        for (int k = 0; k < *n; k++)
            have |= strcmp(extra[k], o->outputs[i]) == 0;
        if (!have)
            extra[(*n)++] = o->outputs[i];
    }
    return extra;
}

static int find_output(const onnxrun_session *s, const char *name)
{
    for (int i = 0; i < ox_session_n_out(s->s); i++)
        if (strcmp(ox_session_out(s->s, i)->name, name) == 0)
            return i;
    return -1;
}

/* Which of the internal session's outputs are ours, in which order. */
static bool pick_outputs(onnxrun_session *s, const onnxrun_options *o, const char **missing)
{
    int  n = ox_session_n_out(s->s);
    bool all = o->n_outputs == 0;
    for (int i = 0; i < o->n_outputs; i++)
        all |= strcmp(o->outputs[i], "all") == 0;
    s->n_out = !all ? o->n_outputs : o->n_outputs ? n : s->model->m->graph->n_out;
    s->pick = ox_arena_array(s->arena, (size_t)s->n_out + 1, sizeof *s->pick);
    for (int i = 0; i < s->n_out && s->pick; i++) {
        s->pick[i] = all ? i : find_output(s, o->outputs[i]);
        if (s->pick[i] < 0) {
            *missing = o->outputs[i];
            return false;
        }
    }
    return s->pick != NULL;
}

static bool describe(onnxrun_session *s)
{
    int n_in = ox_session_n_in(s->s);
    s->in = ox_arena_array(s->arena, (size_t)n_in + 1, sizeof *s->in);
    s->out = ox_arena_array(s->arena, (size_t)s->n_out + 1, sizeof *s->out);
    s->all = ox_arena_array(s->arena, (size_t)ox_session_n_out(s->s) + 1, sizeof *s->all);
    if (!s->in || !s->out || !s->all)
        return false;
    for (int i = 0; i < n_in; i++) {
        const ox_info *v = ox_session_in(s->s, i);
        if (!ox_api_info(&s->in[i], s->arena, s->model->m, v->name, &v->type))
            return false;
    }
    for (int i = 0; i < s->n_out; i++) {
        const ox_info *v = ox_session_out(s->s, s->pick[i]);
        if (!ox_api_info(&s->out[i], s->arena, s->model->m, v->name, &v->type))
            return false;
    }
    return true;
}

static ox_code create(onnxrun_session *s, const onnxrun_options *o, ox_error *e)
{
    int n_extra;
    const char *missing = NULL;
    if (!(s->arena = ox_arena_create(0)))
        return OX_FAIL(e, OX_E_NOMEM, "out of memory");
    const char **extra = extra_names(s, o, &n_extra);
    if (!extra)
        return OX_FAIL(e, OX_E_NOMEM, "out of memory");
    ox_options options = { .threads = o->threads,
                           .optimize = o->optimize,
                           .f64 = o->f64,
                           .float_qdq = o->float_qdq,
                           .seed = o->seed,
                           .seeded = o->seeded,
                           .override = o->override,
                           .n_override = o->n_override,
                           .extra = extra,
                           .n_extra = n_extra,
                           .observed = false };
    OX_TRY(ox_session_create(s->model->m, &options, &s->s, e));
    if (!pick_outputs(s, o, &missing))
        return missing ? OX_FAIL(e, OX_E_USAGE, "there is no value \"%.200s\"", missing)
                       : OX_FAIL(e, OX_E_NOMEM, "out of memory");
    return describe(s) ? OX_OK : OX_FAIL(e, OX_E_NOMEM, "out of memory");
}

onnxrun_code onnxrun_session_create(const onnxrun_model *m, const onnxrun_options *options,
                                    onnxrun_session **out, onnxrun_error *err)
{
    ox_error e = { 0 };
    onnxrun_options defaults;
    onnxrun_options_init(&defaults);
    *out = NULL;
    onnxrun_session *s = calloc(1, sizeof *s);
    if (!s)
        return ox_api_give(err, &e, m->m->path, OX_FAIL(&e, OX_E_NOMEM, "out of memory"));
    s->model = m;
    ox_code code = create(s, options ? options : &defaults, &e);
    if (code != OX_OK)
        onnxrun_session_destroy(s);
    else
        *out = s;
    return ox_api_give(err, &e, m->m->path, code);
}

void onnxrun_session_destroy(onnxrun_session *s)
{
    if (!s)
        return;
    ox_session_destroy(s->s);
    ox_arena_destroy(s->arena);
    free(s->profile);
    free(s);
}

int onnxrun_session_n_input(const onnxrun_session *s) { return ox_session_n_in(s->s); }
int onnxrun_session_n_output(const onnxrun_session *s) { return s->n_out; }
const onnxrun_info *onnxrun_session_input(const onnxrun_session *s, int i) { return &s->in[i]; }
const onnxrun_info *onnxrun_session_output(const onnxrun_session *s, int i) { return &s->out[i]; }

/* An array of pointers to onnxrun_value is one of pointers to ox_value, seen through the other
 * type; it is copied, not cast, so that the compiler may assume what it likes about both. */
static ox_code with_inputs(onnxrun_session *s, const onnxrun_value *const *in, bool run,
                           ox_error *e)
{
    int n = ox_session_n_in(s->s);
    const ox_value **v = calloc((size_t)n + 1, sizeof *v);
    if (!v)
        return OX_FAIL(e, OX_E_NOMEM, "out of memory");
    for (int i = 0; i < n; i++)
        v[i] = ox_api_value(in[i]);
    ox_code code = run ? ox_session_run(s->s, v, s->all, e) : ox_session_plan(s->s, v, e);
    free(v);
    return code;
}

onnxrun_code onnxrun_session_run(onnxrun_session *s, const onnxrun_value *const *in,
                                 const onnxrun_value **out, onnxrun_error *err)
{
    ox_error e = { 0 };
    ox_code code = with_inputs(s, in, true, &e);
    for (int i = 0; i < s->n_out && code == OX_OK; i++)
        out[i] = ox_api_lend(s->all[s->pick[i]]);
    return ox_api_give(err, &e, s->model->m->path, code);
}

onnxrun_code onnxrun_session_plan(onnxrun_session *s, const onnxrun_value *const *in,
                                  onnxrun_error *err)
{
    ox_error e = { 0 };
    ox_code code = with_inputs(s, in, false, &e);
    return ox_api_give(err, &e, s->model->m->path, code);
}

onnxrun_code onnxrun_session_dump(onnxrun_session *s, const char *stage, FILE *to,
                                  onnxrun_error *err)
{
    ox_error e = { 0 };
    ox_code code = ox_session_dump(s->s, stage, to, &e);
    return ox_api_give(err, &e, s->model->m->path, code);
}

onnxrun_memory onnxrun_session_memory(const onnxrun_session *s)
{
    ox_memory m = ox_session_memory(s->s);
    return (onnxrun_memory){ m.slab, m.live_bound, m.weights, m.packed, m.scratch, m.flops };
}

/* ---- what happened ---- */

/* "Conv-11", alive as long as the session. */
static const char *op_text(onnxrun_session *s, const ox_node *n)
{
    const char *text =
        ox_arena_printf(s->arena, "%s-%d", n->op_type, n->schema ? n->schema->since : n->opset);
    return text ? text : n->op_type;
}

void onnxrun_session_profile(onnxrun_session *s, bool on) { ox_session_profile(s->s, on); }

const onnxrun_node_profile *onnxrun_session_profiles(onnxrun_session *s, size_t *n)
{
    const ox_node_profile *p = ox_session_profiles(s->s, n);
    free(s->profile);
    s->profile = calloc(*n + 1, sizeof *s->profile);
    if (!s->profile)
        *n = 0;
    for (size_t i = 0; i < *n; i++)
        s->profile[i] = (onnxrun_node_profile){
            p[i].node->name, op_text(s, p[i].node), p[i].kernel, p[i].ns, p[i].calls, p[i].flops,
            p[i].bytes};
    return s->profile;
}

onnxrun_code onnxrun_measure_peak(int threads, onnxrun_peak *out, onnxrun_error *err)
{
    ox_error e = { 0 };
    ox_peak peak = { 0 };
    ox_pool *pool = ox_pool_create(threads > 0 ? threads : ox_cpu_cores());
    ox_code code = pool ? ox_peak_measure(pool, &peak, &e) : OX_FAIL(&e, OX_E_NOMEM, "out of memory");
    ox_pool_destroy(pool);
    *out = (onnxrun_peak){ peak.flops, peak.bytes };
    return ox_api_give(err, &e, NULL, code);
}

static ox_code observe(void *ctx, const ox_graph *g, const ox_node *n, ox_run *r)
{
    onnxrun_session *s = ctx;
    char op[128];
    (void)g;
    snprintf(op, sizeof op, "%.100s-%d", n->op_type, n->schema ? n->schema->since : n->opset);
    s->on_node(s->on_node_ctx, n->name, op, r->kernel, ox_clock_ns());
    return OX_OK;
}

void onnxrun_session_on_node(onnxrun_session *s, onnxrun_node_fn *fn, void *ctx)
{
    s->on_node = fn;
    s->on_node_ctx = ctx;
    ox_session_observe(s->s, fn ? observe : NULL, s);
}
