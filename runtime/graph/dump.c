/* The graph as text, for people: one line a node, `%3 conv1: Conv-11(x, w) {group=1} -> y
 * f32[1,64]`. Names come from the file: bytes that a terminal could act on are written as \xNN. */
#include "runtime/graph/graph.h"

#include <inttypes.h>
#include <string.h>

enum { MAX_ITEMS = 8, MAX_STRING = 40, INDENT = 4 };

static void put_bytes(FILE *to, const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)s[i];
        if (c < 0x20 || c == 0x7f)
            fprintf(to, "\\x%02x", c);
        else
            fputc(c, to);
    }
}
static void put(FILE *to, const char *s)
{
    put_bytes(to, s, strlen(s));
}

static void put_quoted(FILE *to, ox_str s)
{
    fputc('"', to);
    put_bytes(to, s.s, OX_MIN(s.n, (size_t)MAX_STRING));
    fputs(s.n > MAX_STRING ? "...\"" : "\"", to);
}

static void put_dims(FILE *to, const ox_model *m, int rank, const int64_t *dim)
{
    if (rank < 0) {
        fputs("[...]", to);
        return;
    }
    fputc('[', to);
    for (int i = 0; i < rank; i++) {
        fputs(i ? "," : "", to);
        if (dim[i] >= 0)
            fprintf(to, "%" PRId64, dim[i]);
        else
            put(to, ox_model_symbol_name(m, dim[i]));
    }
    fputc(']', to);
}

static void put_type(FILE *to, const ox_model *m, const ox_type *t)
{
    if (t->optional)
        fputs("optional(", to);
    switch (t->kind) {
    case OX_NONE:
        fputc('?', to);
        break;
    case OX_SPARSE:
        fputs("sparse ", to);
        /* fall through */
    case OX_TENSOR:
        fputs(ox_dtype_name(t->dtype), to);
        put_dims(to, m, t->rank, t->dim);
        break;
    case OX_SEQUENCE:
    case OX_MAP:
        fputs(t->kind == OX_MAP ? "map(" : "seq(", to);
        if (t->kind == OX_MAP)
            fprintf(to, "%s,", ox_dtype_name(t->key));
        if (t->elem)
            put_type(to, m, t->elem);
        else
            fputc('?', to);
        fputc(')', to);
        break;
    }
    if (t->optional)
        fputc(')', to);
}

/* The elements where they are few, the shape always. */
static void put_tensor(FILE *to, const ox_model *m, const ox_tensor *t)
{
    fputs(ox_dtype_name(t->dtype), to);
    put_dims(to, m, t->rank, t->dim);
    int64_t n = ox_count(t);
    ox_class c = ox_dtype_class(t->dtype);
    if (n > MAX_ITEMS || c == OX_CLASS_COMPLEX)
        return;
    fputc('(', to);
    for (int64_t i = 0; i < n; i++) {
        fputs(i ? "," : "", to);
        if (c == OX_CLASS_STRING)
            put_quoted(to, ((const ox_str *)t->data)[i]);
        else if (c == OX_CLASS_FLOAT)
            fprintf(to, "%.9g", ox_get_f64(t, i));
        else if (t->dtype == OX_U64)
            fprintf(to, "%" PRIu64, (uint64_t)ox_get_i64(t, i));
        else
            fprintf(to, "%" PRId64, ox_get_i64(t, i));
    }
    fputc(')', to);
}

static void put_item(FILE *to, const ox_attr *a, int i)
{
    if (a->kind == OX_ATTR_INTS)
        fprintf(to, "%" PRId64, a->ints[i]);
    else if (a->kind == OX_ATTR_FLOATS)
        fprintf(to, "%.9g", (double)a->floats[i]);
    else
        put_quoted(to, a->strs[i]);
}

static void put_attr(FILE *to, const ox_model *m, const ox_attr *a)
{
    put(to, a->name);
    fputc('=', to);
    switch (a->kind) {
    case OX_ATTR_INT:
        fprintf(to, "%" PRId64, a->i);
        break;
    case OX_ATTR_FLOAT:
        fprintf(to, "%.9g", (double)a->f);
        break;
    case OX_ATTR_STRING:
        put_quoted(to, a->s);
        break;
    case OX_ATTR_INTS:
    case OX_ATTR_FLOATS:
    case OX_ATTR_STRINGS:
        fputc('[', to);
        for (int i = 0; i < a->n && i < MAX_ITEMS; i++) {
            fputs(i ? "," : "", to);
            put_item(to, a, i);
        }
        if (a->n > MAX_ITEMS)
            fprintf(to, ",... %d", a->n);
        fputc(']', to);
        break;
    case OX_ATTR_TENSOR:
        put_tensor(to, m, a->tensor);
        break;
    case OX_ATTR_TYPE_PROTO:
        put_type(to, m, a->type);
        break;
    default:
        fprintf(to, "<%s>", ox_attr_kind_name(a->kind));
    }
}

static void put_value(FILE *to, const ox_graph *g, int v)
{
    if (v != OX_ABSENT)
        put(to, g->value[v].name);
}

static void dump_graph(const ox_graph *g, FILE *to, int indent);

static void dump_node(const ox_graph *g, const ox_node *n, size_t k, FILE *to, int indent)
{
    const ox_model *m = g->model;
    fprintf(to, "%*s%%%zu ", indent, "", k);
    put(to, n->name);
    fputs(": ", to);
    if (*n->domain) {
        put(to, n->domain);
        fputc('.', to);
    }
    put(to, n->op_type);
    fprintf(to, "-%d(", n->schema ? n->schema->since : n->opset);
    for (int i = 0; i < n->n_in; i++) {
        fputs(i ? ", " : "", to);
        put_value(to, g, n->in[i]);
    }
    fputc(')', to);
    for (int i = 0; i < n->n_attr; i++) {
        fputs(i ? ", " : " {", to);
        put_attr(to, m, &n->attr[i]);
    }
    fputs(n->n_attr ? "} ->" : " ->", to);
    for (int i = 0; i < n->n_out; i++) {
        fputs(i ? ", " : " ", to);
        put_value(to, g, n->out[i]);
        if (n->out[i] != OX_ABSENT && g->value[n->out[i]].type.kind != OX_NONE) {
            fputc(' ', to);
            put_type(to, m, &g->value[n->out[i]].type);
        }
    }
    fputc('\n', to);
    for (int i = 0; i < n->n_attr; i++)
        if (n->attr[i].graph) {
            fprintf(to, "%*s%s:\n", indent + INDENT, "", n->attr[i].name);
            dump_graph(n->attr[i].graph, to, indent + INDENT);
        }
}

static void dump_values(const ox_graph *g, const char *what, const int *v, int n, FILE *to,
                        int indent)
{
    for (int i = 0; i < n; i++) {
        fprintf(to, "%*s%s ", indent, "", what);
        put_value(to, g, v[i]);
        fputs(": ", to);
        put_type(to, g->model, &g->value[v[i]].type);
        fputc('\n', to);
    }
}

static void dump_graph(const ox_graph *g, FILE *to, int indent)
{
    dump_values(g, "input", g->in, g->n_in, to, indent);
    dump_values(g, "input with default", g->overridable, g->n_overridable, to, indent);
    for (size_t i = 0; i < g->n_capture; i++) {
        fprintf(to, "%*scapture ", indent, "");
        put_value(to, g->parent, g->capture[i].outer);
        fputs(" as ", to);
        put_value(to, g, g->capture[i].inner);
        fputc('\n', to);
    }
    for (size_t i = 0; i < g->n_value; i++) {
        if (!g->value[i].constant)
            continue;
        fprintf(to, "%*sconstant ", indent, "");
        put(to, g->value[i].name);
        fputs(": ", to);
        put_tensor(to, g->model, g->value[i].constant);
        fputc('\n', to);
    }
    for (size_t k = 0; k < g->n_node; k++)
        dump_node(g, &g->node[k], k, to, indent);
    dump_values(g, "output", g->out, g->n_out, to, indent);
}

void ox_graph_dump(const ox_graph *g, FILE *to)
{
    for (int i = 0; i < g->model->n_opset; i++) {
        fputs(i ? ", " : "opset ", to);
        put(to, *g->model->opset[i].domain ? g->model->opset[i].domain : "ai.onnx");
        fprintf(to, " %d", g->model->opset[i].version);
    }
    fputs(g->model->n_opset ? "\n" : "", to);
    dump_graph(g, to, 0);
}
