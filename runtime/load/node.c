/* NodeProto to ox_node, and the check against ONNX's definition of the operator. */
#include "runtime/base/log.h"
#include "runtime/load/build.h"

#include <limits.h>
#include <string.h>

const char *ox_build_domain(const char *domain)
{
    return domain && strcmp(domain, "ai.onnx") != 0 ? domain : "";
}

ox_code ox_build_opsets(ox_builder *b, OxPb__OperatorSetIdProto *const *p, size_t n,
                        ox_names *table)
{
    ox_names_init(table, b->a);
    for (size_t i = 0; i < n; i++) {
        const char *domain = ox_build_domain(p[i]->domain);
        int64_t version = p[i]->version;
        int known = ox_names_get(table, domain, 0), newest = ox_schema_newest_opset(domain);
        if (version < 1 || version > INT_MAX || (known && known != version))
            return OX_FAIL(b->err, OX_E_GRAPH, "opset import of '%.100s': version %lld%s",
                           *domain ? domain : "ai.onnx", (long long)version,
                           known ? ", and another one before" : "");
        if (newest && version > newest)
            ox_log("opset %lld of %s is newer than the newest known, %d", (long long)version,
                   *domain ? domain : "ai.onnx", newest);
        if (!ox_names_put(table, domain, (int)version))
            return ox_build_no_memory(b);
    }
    return OX_OK;
}

/* The version in force.  A model of IR 1 or 2 has none and means 1.  Later ones must say it; where
 * they do not, the newest version is taken, as ONNX Runtime does. */
int ox_build_opset_of(ox_builder *b, const ox_scope *s, const char *domain)
{
    int version = ox_names_get(s->opset, domain, 0);
    if (!version && s->opset != &b->opset)
        version = ox_names_get(&b->opset, domain, 0);
    if (version)
        return version;
    version = b->m->ir_version < 3 ? 1 : OX_MAX(ox_schema_newest_opset(domain), 1);
    ox_log("no opset import for '%s': version %d assumed", *domain ? domain : "ai.onnx", version);
    if (!ox_names_put(&b->opset, domain, version)) /* says so once; a failure only says it again */
        return version;
    return version;
}

const char *ox_build_node_name(ox_builder *b, const ox_scope *s, const OxPb__NodeProto *p,
                               size_t index)
{
    const char *sep = s->prefix ? "/" : "", *prefix = s->prefix ? s->prefix : "";
    if (p->name && *p->name && !s->prefix)
        return ox_arena_strndup(b->m->arena, p->name, strlen(p->name));
    if (p->name && *p->name)
        return ox_arena_printf(b->m->arena, "%s%s%s", prefix, sep, p->name);
    return ox_arena_printf(b->m->arena, "%s%s%s_%zu", prefix, sep, p->op_type ? p->op_type : "",
                           index);
}

static ox_code check_names(ox_builder *b, const ox_node *n, bool inputs)
{
    const ox_schema *s = n->schema;
    int n_given = inputs ? n->n_in : n->n_out;
    int min = inputs ? s->min_in : s->min_out, max = inputs ? s->max_in : s->max_out;
    const char *what = inputs ? "inputs" : "outputs";
    if (n_given > max)
        return OX_FAIL(b->err, OX_E_GRAPH, "%d %s, %s-%d takes at most %d", n_given, what, s->name,
                       s->since, max);
    if (n_given < min)
        return OX_FAIL(b->err, OX_E_GRAPH, "%d %s, %s-%d needs at least %d", n_given, what, s->name,
                       s->since, min);
    for (int i = 0; inputs && i < n_given; i++) {
        const ox_schema_param *p = ox_schema_in(s, i);
        if (n->in[i] == OX_ABSENT && p && !p->optional)
            return OX_FAIL(b->err, OX_E_GRAPH, "input %d ('%s' of %s-%d) must not be left out", i,
                           p->name, s->name, s->since);
    }
    return OX_OK;
}

static ox_code check_attr(ox_builder *b, const ox_schema *s, const ox_attr *a)
{
    const ox_schema_attr *known = ox_schema_attr_find(s, a->name);
    if (!known && strncmp(a->name, "__", 2) == 0) /* ONNX's mark for an exporter's own notes */
        return OX_OK;
    if (!known)
        return OX_FAIL(b->err, OX_E_GRAPH, "attribute '%.100s' is unknown to %s-%d", a->name,
                       s->name, s->since);
    if (known->kind != a->kind)
        return OX_FAIL(b->err, OX_E_GRAPH, "attribute '%.100s' is of kind %s, %s-%d wants %s",
                       a->name, ox_attr_kind_name(a->kind), s->name, s->since,
                       ox_attr_kind_name(known->kind));
    return OX_OK;
}

ox_code ox_build_check(ox_builder *b, const ox_node *n)
{
    const ox_schema *s = n->schema;
    if (!s)
        return OX_OK;
    OX_TRY(check_names(b, n, true));
    OX_TRY(check_names(b, n, false));
    for (int i = 0; i < n->n_attr; i++)
        OX_TRY(check_attr(b, s, &n->attr[i]));
    for (int i = 0; i < s->n_attr; i++)
        if (s->attr[i].required && !ox_node_attr(n, s->attr[i].name))
            return OX_FAIL(b->err, OX_E_GRAPH, "attribute '%s' is missing, %s-%d needs it",
                           s->attr[i].name, s->name, s->since);
    return OX_OK;
}

static ox_code connect(ox_builder *b, ox_scope *s, const OxPb__NodeProto *p, ox_node *n)
{
    n->n_in = (int)p->n_input;
    while (n->n_in && !*p->input[n->n_in - 1]) /* left out at the end: the same as not listed */
        n->n_in--;
    n->n_out = (int)p->n_output;
    n->in = ox_arena_array(b->m->arena, (size_t)n->n_in, sizeof *n->in);
    n->out = ox_arena_array(b->m->arena, (size_t)n->n_out, sizeof *n->out);
    if (!n->in || !n->out)
        return ox_build_no_memory(b);
    for (int i = 0; i < n->n_in; i++) {
        n->in[i] = OX_ABSENT;
        if (*p->input[i])
            OX_TRY(ox_build_value(b, s, p->input[i], &n->in[i]));
    }
    for (int i = 0; i < n->n_out; i++) {
        n->out[i] = OX_ABSENT;
        if (*p->output[i]) /* declared before: found */
            OX_TRY(ox_build_value(b, s, p->output[i], &n->out[i]));
    }
    return OX_OK;
}

static ox_code build(ox_builder *b, ox_scope *s, const OxPb__NodeProto *p, ox_node *n)
{
    if (!*n->op_type)
        return OX_FAIL(b->err, OX_E_GRAPH, "node without an operator");
    if (p->n_input > INT_MAX || p->n_output > INT_MAX || p->n_attribute > OX_MAX_ATTRS)
        return OX_FAIL(b->err, OX_E_LIMIT,
                       "%zu inputs, %zu outputs, %zu attributes; the limit is %d attributes",
                       p->n_input, p->n_output, p->n_attribute, OX_MAX_ATTRS);
    n->opset = ox_build_opset_of(b, s, n->domain);
    n->schema = ox_schema_find(n->domain, n->op_type, n->opset);
    OX_TRY(connect(b, s, p, n));
    OX_TRY(ox_build_attrs(b, s, p, n));
    return ox_build_check(b, n);
}

/* Errors name the innermost node they come from. */
static void name_node(ox_error *err, const ox_node *n)
{
    if (!err || *err->node || *err->op)
        return;
    snprintf(err->node, sizeof err->node, "%s", n->name);
    snprintf(err->op, sizeof err->op, "%s-%d", n->op_type, n->schema ? n->schema->since : n->opset);
}

ox_code ox_build_node(ox_builder *b, ox_scope *s, const OxPb__NodeProto *p, size_t index)
{
    if (++b->n_nodes > OX_MAX_NODES)
        return OX_FAIL(b->err, OX_E_LIMIT,
                       "more than %d nodes (functions expanded); that is the limit", OX_MAX_NODES);
    ox_node n = {.index = (int)index,
                 .name = ox_build_node_name(b, s, p, index),
                 .op_type = ox_build_text(b, p->op_type ? p->op_type : ""),
                 .domain = ox_build_text(b, ox_build_domain(p->domain))};
    if (!n.name || !n.op_type || !n.domain)
        return ox_build_no_memory(b);
    int function = ox_build_function(b, p);
    ox_code code = function >= 0 ? ox_build_call(b, s, p, function, index) : build(b, s, p, &n);
    if (code != OX_OK) {
        name_node(b->err, &n);
        return code;
    }
    if (function >= 0)
        return OX_OK;
    ox_node *added = ox_graph_add_node(s->gb->g);
    if (!added)
        return ox_build_no_memory(b);
    *added = n;
    return OX_OK;
}
