#include "verify/lint.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { NOTE = OX_NOTE, WARNING = OX_WARNING, FAULT = OX_FAULT };

typedef struct row {
    ox_lint_rule   rule;
    ox_lint_check *check;
} row;

static const row rows[] = {
#define NODE(id, severity, operators, check, text)                                                 \
    { { id, (ox_severity)severity, operators, text }, ox_lint_##check },
#define GRAPH(id, severity, check, text)                                                           \
    { { id, (ox_severity)severity, NULL, text }, ox_lint_##check },
#include "verify/lint.def"
#undef NODE
#undef GRAPH
};

const ox_lint_rule *ox_lint_rule_at(size_t i) { return i < OX_COUNT(rows) ? &rows[i].rule : NULL; }

const char *ox_severity_name(ox_severity s)
{
    return s == OX_FAULT ? "error" : s == OX_WARNING ? "warning" : "note";
}

/* ---- what the checks ask ---- */

void ox_lint_detail(ox_look *k, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    vsnprintf(k->detail, sizeof k->detail, format, ap);
    va_end(ap);
}

static const char *copy(ox_look *k, const char *s)
{
    char *c = ox_arena_strndup(k->l->arena, s ? s : "", s ? strlen(s) : 0);
    k->failed |= !c;
    return c;
}

void ox_lint_add(ox_look *k, const char *node, const char *op, const char *value)
{
    ox_lint *l = k->l;
    if (!ox_arena_grow(l->arena, (void **)&l->finding, l->n, &l->cap, sizeof(*l->finding))) {
        k->failed = true;
        return;
    }
    ox_lint_finding *f = &l->finding[l->n];
    *f = (ox_lint_finding){ .rule = k->rule, .node = copy(k, node), .op = copy(k, op),
                            .value = copy(k, value), .order = l->n };
    memcpy(f->detail, k->detail, sizeof f->detail);
    l->n += !k->failed;
    k->detail[0] = 0;
    k->value = NULL;
}

static const ox_schema_attr *default_of(const ox_node *n, const char *name, ox_attr_kind kind)
{
    const ox_schema_attr *a = n->schema ? ox_schema_attr_find(n->schema, name) : NULL;
    return a && a->has_default && a->kind == kind ? a : NULL;
}

bool ox_lint_given(const ox_node *n, const char *name) { return ox_node_attr(n, name) != NULL; }

int64_t ox_lint_i64(const ox_node *n, const char *name)
{
    const ox_attr *a = ox_node_attr(n, name);
    const ox_schema_attr *d = default_of(n, name, OX_ATTR_INT);
    return a ? a->i : d ? d->i : 0;
}

double ox_lint_f64(const ox_node *n, const char *name)
{
    const ox_attr *a = ox_node_attr(n, name);
    const ox_schema_attr *d = default_of(n, name, OX_ATTR_FLOAT);
    return a ? a->f : d ? d->f : 0;
}

const char *ox_lint_str(const ox_node *n, const char *name)
{
    const ox_attr *a = ox_node_attr(n, name);
    const ox_schema_attr *d = default_of(n, name, OX_ATTR_STRING);
    return a && a->kind == OX_ATTR_STRING ? a->s.s : d ? d->s : "";
}

int ox_lint_since(const ox_node *n) { return n->schema ? n->schema->since : n->opset; }

/* What a value of a subgraph is in the graph where it was made. */
static void resolve(const ox_graph **g, int *v)
{
    for (size_t i = 0; (*g)->parent && i < (*g)->n_capture; i++)
        if ((*g)->capture[i].inner == *v) {
            *v = (*g)->capture[i].outer;
            *g = (*g)->parent;
            i = (size_t)-1; /* again, one level out */
        }
}

const ox_tensor *ox_lint_constant(const ox_graph *g, int v)
{
    if (v < 0)
        return NULL;
    resolve(&g, &v);
    const ox_info *info = &g->value[v];
    if (info->constant)
        return info->constant;
    const ox_node *n = info->producer >= 0 ? &g->node[info->producer] : NULL;
    const ox_attr *a = n && strcmp(n->op_type, "Constant") == 0 ? ox_node_attr(n, "value") : NULL;
    return a && a->kind == OX_ATTR_TENSOR ? a->tensor : NULL;
}

const ox_tensor *ox_lint_input(const ox_look *k, int i)
{
    const ox_tensor *t = i < k->n->n_in ? ox_lint_constant(k->g, k->n->in[i]) : NULL;
    return t && (t->data || ox_count(t) == 0) ? t : NULL;
}

const ox_type *ox_lint_type(const ox_graph *g, const ox_node *n, int i)
{
    int v = i < n->n_in ? n->in[i] : OX_ABSENT;
    if (v < 0)
        return NULL;
    resolve(&g, &v);
    return g->value[v].type.kind == OX_TENSOR ? &g->value[v].type : NULL;
}

int ox_lint_rank(const ox_look *k, int i)
{
    const ox_type   *t = ox_lint_type(k->g, k->n, i);
    const ox_tensor *c = ox_lint_input(k, i);
    return c ? c->rank : t ? t->rank : -1;
}

/* ---- the walk ---- */

static bool listed(const char *list, const char *word)
{
    size_t n = strlen(word);
    for (const char *p = list; (p = strstr(p, word)); p += n)
        if ((p == list || p[-1] == ' ') && (p[n] == ' ' || p[n] == 0))
            return true;
    return false;
}

static bool concerns(const ox_lint_rule *r, const ox_node *n)
{
    return r->operators &&
           (strcmp(r->operators, "*") == 0 || (!*n->domain && listed(r->operators, n->op_type)));
}

static void look_at(ox_look *k)
{
    for (size_t i = 0; i < OX_COUNT(rows); i++) {
        k->rule = &rows[i].rule;
        k->n = NULL;
        k->detail[0] = 0;
        if (!k->rule->operators)
            rows[i].check(k);
        for (size_t j = 0; k->rule->operators && j < k->g->n_node && !k->failed; j++) {
            k->n = &k->g->node[j];
            k->detail[0] = 0;
            if (concerns(k->rule, k->n) && rows[i].check(k))
                ox_lint_add(k, k->n->name, k->n->op_type, k->value);
        }
    }
    const ox_graph *g = k->g;
    for (size_t j = 0; j < g->n_node && !k->failed; j++)
        for (int i = 0; i < g->node[j].n_attr; i++)
            if (g->node[j].attr[i].graph) {
                k->g = g->node[j].attr[i].graph;
                look_at(k); /* as deep as the loader allows graphs to be */
                k->g = g;
            }
}

static int by_severity(const void *a, const void *b)
{
    const ox_lint_finding *x = a, *y = b;
    int s = (int)y->rule->severity - (int)x->rule->severity;
    return s ? s : x->order > y->order ? 1 : -1;
}

ox_code ox_lint_model(const ox_model *m, ox_lint *l, ox_error *err)
{
    *l = (ox_lint){ .arena = ox_arena_create(0) };
    ox_look k = { .l = l, .m = m, .g = m->graph };
    if (!l->arena)
        return OX_FAIL(err, OX_E_NOMEM, "out of memory");
    look_at(&k);
    if (k.failed)
        return OX_FAIL(err, OX_E_NOMEM, "out of memory");
    if (l->n > 1)
        qsort(l->finding, l->n, sizeof(*l->finding), by_severity);
    return OX_OK;
}

void ox_lint_release(ox_lint *l)
{
    ox_arena_destroy(l->arena);
    *l = (ox_lint){ 0 };
}
