/* Ties nodes to what ONNX says of their operator and to the kernels that compute it. */
#include "runtime/base/log.h"
#include "runtime/graph/graph.h"

#include <string.h>

static const char *plain_domain(const char *domain)
{
    return domain && strcmp(domain, "ai.onnx") != 0 ? domain : "";
}

const ox_op *ox_op_find(const char *domain, const char *name, int version)
{
    size_t low = 0, high = ox_n_ops;
    while (low < high) { /* first row of that name */
        size_t mid = low + (high - low) / 2;
        if (strcmp(ox_ops[mid]->name, name) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    const ox_op *best = NULL;
    domain = plain_domain(domain);
    for (; low < ox_n_ops && strcmp(ox_ops[low]->name, name) == 0; low++)
        if (ox_ops[low]->since <= version && strcmp(plain_domain(ox_ops[low]->domain), domain) == 0)
            best = ox_ops[low];
    return best;
}

/* The operators that are missing, each once, with the first node that wants it. */
typedef struct missing {
    char text[400];
    size_t n_text, n_kinds, n_nodes, n_more; /* n_more: kinds that did not fit */
} missing;

static bool same_operator(const ox_node *a, const ox_node *b)
{
    return a->opset == b->opset && strcmp(a->op_type, b->op_type) == 0 &&
           strcmp(a->domain, b->domain) == 0;
}

static void note(missing *m, const ox_node *n, bool seen)
{
    m->n_nodes++;
    ox_log("missing operator %s %s-%d at node \"%s\"", *n->domain ? n->domain : "ai.onnx",
           n->op_type, n->opset, n->name);
    if (seen)
        return;
    m->n_kinds++;
    const ox_schema *first = n->schema ? n->schema : ox_schema_first(n->domain, n->op_type);
    char item[200];
    const char *why = n->schema ? "" : first ? ", not in that opset" : ", not an ONNX operator";
    int len = snprintf(item, sizeof item, "%s%.40s %.40s-%d (node \"%.40s\"%s)",
                       m->n_text ? "; " : "", *n->domain ? n->domain : "ai.onnx", n->op_type,
                       n->schema ? n->schema->since : n->opset, n->name, why);
    if (len < 0 || m->n_more || m->n_text + (size_t)len >= sizeof m->text) {
        m->n_more++;
        return;
    }
    memcpy(m->text + m->n_text, item, (size_t)len + 1);
    m->n_text += (size_t)len;
}

/* Was an operator like node k's already missing earlier in this graph?  Missing nodes are chained
 * in `kinds`, one a kind, so that a thousand nodes of one unknown operator cost a thousand steps.
 */
enum { MAX_KINDS = 256 };

static bool known_kind(const ox_node *kinds[MAX_KINDS], size_t *n_kinds, const ox_node *n)
{
    for (size_t i = 0; i < *n_kinds; i++)
        if (same_operator(kinds[i], n))
            return true;
    if (*n_kinds < MAX_KINDS)
        kinds[(*n_kinds)++] = n;
    return false;
}

static void bind_graph(ox_graph *g, missing *m, const ox_node *kinds[MAX_KINDS], size_t *n_kinds)
{
    for (size_t k = 0; k < g->n_node; k++) {
        ox_node *n = &g->node[k];
        if (!n->op_type)
            continue;
        n->schema = ox_schema_find(n->domain, n->op_type, n->opset);
        n->op = ox_op_find(n->domain, n->op_type, n->opset);
        if (!n->op)
            note(m, n, known_kind(kinds, n_kinds, n));
        for (int i = 0; i < n->n_attr; i++)
            if (n->attr[i].graph)
                bind_graph(n->attr[i].graph, m, kinds, n_kinds);
    }
}

ox_code ox_graph_bind(ox_graph *g, ox_error *err)
{
    const ox_node *kinds[MAX_KINDS];
    size_t n_kinds = 0;
    missing m = {.n_text = 0};
    bind_graph(g, &m, kinds, &n_kinds);
    if (m.n_nodes == 0)
        return OX_OK;
    char more[40] = "";
    if (m.n_more)
        snprintf(more, sizeof more, "; ... and %zu more", m.n_more);
    return OX_FAIL(err, OX_E_UNSUPPORTED, "%zu unsupported operator%s at %zu node%s: %s%s",
                   m.n_kinds, m.n_kinds == 1 ? "" : "s", m.n_nodes, m.n_nodes == 1 ? "" : "s",
                   m.text, more);
}
