/* The public API: what models and the program itself contain. */
#include "runtime/api.h"
#include "runtime/base/text.h"
#include "runtime/plan/support.h"
#include "verify/suite.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- types as people write them ---- */

static void put_type(ox_text *to, const ox_model *m, const ox_type *t)
{
    if (t->optional)
        ox_text_puts(to, "optional(");
    switch (t->kind) {
    case OX_SEQUENCE:
        ox_text_puts(to, "seq(");
        if (t->elem)
            put_type(to, m, t->elem);
        ox_text_puts(to, ")");
        break;
    case OX_MAP:
        ox_text_printf(to, "map(%s,", ox_dtype_name(t->key));
        if (t->elem)
            put_type(to, m, t->elem);
        else
            ox_text_puts(to, ox_dtype_name(t->dtype));
        ox_text_puts(to, ")");
        break;
    case OX_NONE: ox_text_puts(to, "?"); break;
    default:
        ox_text_printf(to, "%s%s", t->kind == OX_SPARSE ? "sparse " : "", ox_dtype_name(t->dtype));
        if (t->rank < 0)
            break;
        ox_text_puts(to, "[");
        for (int i = 0; i < t->rank; i++) {
            const char *symbol =
                t->dim[i] < OX_DIM_UNKNOWN && m ? ox_model_symbol_name(m, t->dim[i]) : NULL;
            ox_text_puts(to, i ? "," : "");
            if (t->dim[i] >= 0)
                ox_text_printf(to, "%" PRId64, t->dim[i]);
            else
                ox_text_puts(to, symbol ? symbol : "?");
        }
        ox_text_puts(to, "]");
    }
    if (t->optional)
        ox_text_puts(to, ")");
}

bool ox_api_info(onnxrun_info *out, ox_arena *a, const ox_model *m, const char *name,
                 const ox_type *t)
{
    ox_text  text = { 0 };
    ox_type *copy = ox_arena_alloc(a, sizeof *copy);
    put_type(&text, m, t);
    char *type = ox_arena_strndup(a, ox_text_str(&text), text.n);
    bool  ok = copy && type && !text.failed;
    ox_text_release(&text);
    if (!ok)
        return false;
    *copy = *t;
    *out = (onnxrun_info){ .name = name,
                           .type = type,
                           .kind = (onnxrun_kind)t->kind,
                           .optional = t->optional,
                           .dtype = (onnxrun_dtype)t->dtype,
                           .rank = t->kind == OX_TENSOR ? t->rank : -1,
                           .internal = copy };
    for (int i = 0; i < out->rank; i++) {
        out->dim[i] = t->dim[i] >= 0 ? t->dim[i] : -1;
        if (t->dim[i] < OX_DIM_UNKNOWN && m)
            out->symbol[i] = ox_model_symbol_name(m, t->dim[i]);
    }
    return true;
}

const ox_type *ox_api_type(const onnxrun_info *info, ox_type *tmp)
{
    if (!info)
        return NULL;
    if (info->internal)
        return info->internal;
    *tmp = (ox_type){ .kind = (ox_kind)info->kind,
                      .optional = info->optional,
                      .dtype = (ox_dtype)info->dtype,
                      .rank = -1 };
    return tmp;
}

/* ---- models ---- */

typedef struct count {
    size_t  n_node, n_initializer, bytes;
    int64_t elements;
} count;

static const ox_graph *subgraph(const ox_node *n, int i)
{
    return n->attr[i].kind == OX_ATTR_GRAPH ? n->attr[i].graph : NULL;
}

static void count_graph(const ox_graph *g, count *c)
{
    c->n_node += g->n_node;
    for (size_t i = 0; i < g->n_value; i++) {
        const ox_info *v = &g->value[i];
        if (!v->from_initializer || !v->constant)
            continue;
        c->n_initializer++;
        c->elements += ox_count(v->constant);
        c->bytes += ox_bytes(v->constant);
    }
    for (size_t k = 0; k < g->n_node; k++)
        for (int i = 0; i < g->node[k].n_attr; i++)
            if (subgraph(&g->node[k], i))
                count_graph(subgraph(&g->node[k], i), c);
}

static int by_operator(const void *pa, const void *pb)
{
    const onnxrun_op_use *a = pa, *b = pb;
    int order = strcmp(a->domain, b->domain);
    if (order == 0)
        order = strcmp(a->name, b->name);
    return order ? order : a->opset - b->opset;
}

/* One entry a node, to be sorted and merged. */
static void list_ops(const ox_graph *g, onnxrun_op_use *to, size_t *n)
{
    for (size_t k = 0; k < g->n_node; k++) {
        const ox_node   *node = &g->node[k];
        const char      *domain = *node->domain ? node->domain : "ai.onnx";
        const ox_schema *s = ox_schema_find(domain, node->op_type, node->opset);
        to[(*n)++] = (onnxrun_op_use){
            domain,      node->op_type,
            node->opset, s ? s->since : 0,
            1,           ox_op_find(node->domain, node->op_type, node->opset) != NULL,
            node->name};
        for (int i = 0; i < node->n_attr; i++)
            if (subgraph(node, i))
                list_ops(subgraph(node, i), to, n);
    }
}

static bool count_ops(onnxrun_model *to, const ox_graph *g)
{
    count c = { 0 };
    size_t n = 0, kept = 0;
    count_graph(g, &c);
    onnxrun_op_use *op = ox_arena_array(to->arena, c.n_node + 1, sizeof *op);
    if (!op)
        return false;
    list_ops(g, op, &n);
    qsort(op, n, sizeof *op, by_operator);
    for (size_t i = 0; i < n; i++)
        if (kept > 0 && by_operator(&op[kept - 1], &op[i]) == 0)
            op[kept - 1].count++;
        else
            op[kept++] = op[i];
    to->op = op;
    to->n_op = kept;
    return true;
}

bool ox_api_model(onnxrun_model *to, ox_model *m)
{
    const ox_graph *g = m->graph;
    int n_in = g->n_in + g->n_overridable;
    to->m = m;
    to->in = ox_arena_array(to->arena, (size_t)n_in + 1, sizeof *to->in);
    to->out = ox_arena_array(to->arena, (size_t)g->n_out + 1, sizeof *to->out);
    if (!to->in || !to->out)
        return false;
    for (int i = 0; i < n_in; i++) {
        const ox_info *v = &g->value[i < g->n_in ? g->in[i] : g->overridable[i - g->n_in]];
        if (!ox_api_info(&to->in[i], to->arena, m, v->name, &v->type))
            return false;
    }
    for (int i = 0; i < g->n_out; i++) {
        const ox_info *v = &g->value[g->out[i]];
        if (!ox_api_info(&to->out[i], to->arena, m, v->name, &v->type))
            return false;
    }
    return count_ops(to, g);
}

static const char *text_of(const char *s) { return s ? s : ""; }

void onnxrun_model_describe(const onnxrun_model *model, onnxrun_model_info *out)
{
    const ox_model *m = model->m;
    count c = { 0 };
    count_graph(m->graph, &c);
    *out = (onnxrun_model_info){
        .path = text_of(m->path),
        .producer = text_of(m->producer),
        .producer_version = text_of(m->producer_version),
        .domain = text_of(m->model_domain),
        .doc = text_of(m->doc),
        .graph = text_of(m->graph->name),
        .ir_version = m->ir_version,
        .model_version = m->model_version,
        .n_opset = m->n_opset,
        .n_meta = m->n_meta,
        .n_input = m->graph->n_in,
        .n_override = m->graph->n_overridable,
        .n_output = m->graph->n_out,
        .n_function = m->n_function,
        .n_node = c.n_node,
        .n_initializer = c.n_initializer,
        .n_parameter = c.elements,
        .parameter_bytes = c.bytes,
        .file_bytes = m->n_bytes,
        .n_op = model->n_op,
    };
}

const char *onnxrun_model_opset(const onnxrun_model *m, int i, int *version)
{
    const ox_opset *o = &m->m->opset[i];
    *version = o->version;
    return *o->domain ? o->domain : "ai.onnx";
}

const char *onnxrun_model_meta(const onnxrun_model *m, int i, const char **value)
{
    *value = m->m->meta[i].value;
    return m->m->meta[i].key;
}

const onnxrun_info *onnxrun_model_input(const onnxrun_model *m, int i) { return &m->in[i]; }
const onnxrun_info *onnxrun_model_output(const onnxrun_model *m, int i) { return &m->out[i]; }
const onnxrun_op_use *onnxrun_model_op(const onnxrun_model *m, size_t i) { return &m->op[i]; }

/* ---- the program ---- */

bool onnxrun_op_at(size_t i, onnxrun_op_row *row)
{
    ox_support s;
    if (!ox_support_at(i, &s))
        return false;
    unsigned flags = s.schema->flags;
    *row = (onnxrun_op_row){ .domain = s.schema->domain,
                             .name = s.schema->name,
                             .since = s.schema->since,
                             .until = s.schema->until,
                             .deprecated = (flags & OX_SCHEMA_DEPRECATED) != 0,
                             .removed = (flags & OX_SCHEMA_REMOVED) != 0,
                             .function = (flags & OX_SCHEMA_FUNCTION) != 0,
                             .supported = s.op != NULL,
                             .n_var = s.n_var };
    static_assert(OX_SUPPORT_VARS == sizeof row->var / sizeof *row->var, "the same number of variables");
    for (int v = 0; v < s.n_var; v++)
        row->var[v] = (onnxrun_op_types){ .name = s.var[v].name,
                                          .types = s.var[v].types,
                                          .served = s.var[v].served,
                                          .other = s.var[v].other,
                                          .other_served = s.var[v].other_served };
    return true;
}

/* ---- test cases ---- */

_Static_assert(sizeof(onnxrun_margins) == sizeof(ox_margins), "margins differ");

static ox_options of_test(const onnxrun_options *o)
{
    onnxrun_options defaults;
    onnxrun_options_init(&defaults);
    if (!o)
        o = &defaults;
    return (ox_options){ .threads = o->threads,
                         .optimize = o->optimize,
                         .f64 = o->f64,
                         .float_qdq = o->float_qdq,
                         .seed = o->seed,
                         .seeded = o->seeded };
}

static onnxrun_verdict verdict_of(ox_outcome o)
{
    switch (o) {
    case OX_PASSED: return ONNXRUN_PASSED;
    case OX_WRONG: return ONNXRUN_WRONG;
    case OX_NO_KERNEL: return ONNXRUN_NO_KERNEL;
    default: return ONNXRUN_FAILED;
    }
}

onnxrun_verdict onnxrun_test_case(const char *dir, const onnxrun_options *o, char *text,
                                  size_t n_text)
{
    ox_options options = of_test(o);
    return verdict_of(ox_suite_case(dir, &options, text, n_text));
}

onnxrun_verdict onnxrun_test_bounds(const char *dir, const onnxrun_options *o, onnxrun_margins *m,
                                    char *text, size_t n_text)
{
    ox_options options = of_test(o);
    ox_margins own;
    onnxrun_verdict v = verdict_of(ox_suite_bounds(dir, &options, &own, text, n_text));
    memcpy(m, &own, sizeof *m);
    return v;
}
