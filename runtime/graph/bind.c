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

/* The operators that are missing, each once, with the first nodes that want it. */
enum { MAX_KINDS = 256, MAX_NAMES = 3 };
typedef struct kind {
    const ox_node *node[MAX_NAMES];
    size_t         n;
} kind;
typedef struct missing {
    kind   of[MAX_KINDS];
    size_t n_kinds, n_nodes; /* kinds beyond MAX_KINDS count once a node */
} missing;

static bool same_operator(const ox_node *a, const ox_node *b)
{
    return a->opset == b->opset && strcmp(a->op_type, b->op_type) == 0 &&
           strcmp(a->domain, b->domain) == 0;
}

static void note(missing *m, const ox_node *n)
{
    size_t i = 0;
    m->n_nodes++;
    ox_log("missing operator %s %s-%d at node \"%s\"", *n->domain ? n->domain : "ai.onnx",
           n->op_type, n->opset, n->name);
    while (i < OX_MIN(m->n_kinds, (size_t)MAX_KINDS) && !same_operator(m->of[i].node[0], n))
        i++;
    if (i == MAX_KINDS || i == m->n_kinds)
        m->n_kinds++;
    if (i == MAX_KINDS)
        return;
    if (m->of[i].n < MAX_NAMES)
        m->of[i].node[m->of[i].n] = n;
    m->of[i].n++;
}

/* ai.onnx Nonsense-18 (nodes "a", "b", "c" and 4 more, not an ONNX operator) */
static int describe(char *to, size_t size, const kind *k)
{
    const ox_node *n = k->node[0];
    const ox_schema *first = n->schema ? n->schema : ox_schema_first(n->domain, n->op_type);
    const char *why = n->schema ? "" : first ? ", not in that opset" : ", not an ONNX operator";
    char names[200] = "", more[40] = "";
    for (size_t i = 0, at = 0; i < OX_MIN(k->n, (size_t)MAX_NAMES); i++)
        at += (size_t)snprintf(names + at, sizeof names - at, "%s\"%.40s\"", i ? ", " : "", k->node[i]->name);
    if (k->n > MAX_NAMES)
        snprintf(more, sizeof more, " and %zu more", k->n - MAX_NAMES);
    return snprintf(to, size, "%.40s %.40s-%d (node%s %s%s%s)", *n->domain ? n->domain : "ai.onnx",
                    n->op_type, n->schema ? n->schema->since : n->opset, k->n > 1 ? "s" : "", names, more, why);
}

/* As many as fit, then how many there are besides. */
static void describe_all(char *to, size_t size, const missing *m)
{
    size_t at = 0, i = 0;
    for (; i < OX_MIN(m->n_kinds, (size_t)MAX_KINDS); i++) {
        char item[400];
        int n = describe(item, sizeof item, &m->of[i]);
        if (n < 0 || at + (size_t)n + 3 > size - 40)
            break;
        at += (size_t)snprintf(to + at, size - at, "%s%s", i ? "; " : "", item);
    }
    if (i < m->n_kinds)
        snprintf(to + at, size - at, "%s... and %zu more", i ? "; " : "", m->n_kinds - i);
}

static void bind_graph(ox_graph *g, missing *m)
{
    for (size_t k = 0; k < g->n_node; k++) {
        ox_node *n = &g->node[k];
        if (!n->op_type)
            continue;
        n->schema = ox_schema_find(n->domain, n->op_type, n->opset);
        n->op = ox_op_find(n->domain, n->op_type, n->opset);
        if (!n->op)
            note(m, n);
        for (int i = 0; i < n->n_attr; i++)
            if (n->attr[i].graph)
                bind_graph(n->attr[i].graph, m);
    }
}

ox_code ox_graph_bind(ox_graph *g, ox_error *err)
{
    missing m = { .n_kinds = 0 };
    char text[480];
    bind_graph(g, &m);
    if (m.n_nodes == 0)
        return OX_OK;
    describe_all(text, sizeof text, &m);
    return OX_FAIL(err, OX_E_UNSUPPORTED, "%zu unsupported operator%s at %zu node%s: %s", m.n_kinds,
                   m.n_kinds == 1 ? "" : "s", m.n_nodes, m.n_nodes == 1 ? "" : "s", text);
}
