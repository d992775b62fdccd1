/* Adding nodes to a graph that is not bound yet. */
#include "runtime/opt/gradient.h"

#include <string.h>

static void fail_memory(ox_tape *t)
{
    if (t->code == OX_OK)
        t->code = OX_FAIL(t->err, OX_E_NOMEM, "out of memory");
}

void ox_tape_fail(ox_tape *t, const ox_node *n, const char *why)
{
    if (t->code == OX_OK)
        t->code = OX_FAIL(t->err, OX_E_UNSUPPORTED, "no gradient goes through node \"%.60s\" (%s-%d): %s",
                          n->name, n->op_type, n->opset, why);
}

int ox_tape_value(ox_tape *t)
{
    if (t->code != OX_OK)
        return OX_ABSENT;
    char *name = ox_arena_printf(t->g->arena, "%s/%zu", t->name, t->g->n_value);
    int v = name ? ox_graph_add_value(t->g, name) : -1;
    if (v < 0)
        fail_memory(t);
    return v < 0 ? OX_ABSENT : v;
}

int ox_tape_node(ox_tape *t, const char *op, int n_in, const int *in, int n_out)
{
    int first = OX_ABSENT;
    bool onnx = ox_schema_first("", op) != NULL;
    while (n_in > 0 && in[n_in - 1] == OX_ABSENT)
        n_in--;
    int *list = t->code == OX_OK ? ox_arena_array(t->g->arena, (size_t)(n_in + n_out), sizeof(*list)) : NULL;
    for (int i = 0; list && i < n_out; i++) {
        list[n_in + i] = ox_tape_value(t);
        if (i == 0)
            first = list[n_in];
    }
    ox_node *n = list && t->code == OX_OK ? ox_graph_add_node(t->g) : NULL;
    if (!n) {
        fail_memory(t);
        return OX_ABSENT;
    }
    if (n_in)
        memcpy(list, in, (size_t)n_in * sizeof(*in));
    n->name = t->g->value[first].name;
    n->op_type = op;
    n->domain = onnx ? "" : "onnxrun";
    n->opset = onnx ? OX_TAPE_OPSET : 1;
    n->in = list;
    n->n_in = n_in;
    n->out = list + n_in;
    n->n_out = n_out;
    return first;
}

int ox_tape_node1(ox_tape *t, const char *op, int a) { return ox_tape_node(t, op, 1, &a, 1); }
int ox_tape_node2(ox_tape *t, const char *op, int a, int b)
{
    return ox_tape_node(t, op, 2, (int[]){ a, b }, 1);
}

/* ---- attributes ---- */
static void *copy(ox_tape *t, const void *from, size_t n, size_t size)
{
    void *to = ox_arena_array(t->g->arena, n + 1, size);
    if (!to)
        fail_memory(t);
    else if (n)
        memcpy(to, from, n * size);
    return to;
}

void ox_tape_attr(ox_tape *t, const ox_attr *a)
{
    if (t->code != OX_OK)
        return;
    ox_node *n = &t->g->node[t->g->n_node - 1];
    ox_attr *list = copy(t, n->attr, (size_t)n->n_attr, sizeof(*list));
    if (!list)
        return;
    ox_attr *to = &list[n->n_attr];
    *to = *a;
    if (a->kind == OX_ATTR_INTS)
        to->ints = copy(t, a->ints, (size_t)a->n, sizeof(*a->ints));
    if (a->kind == OX_ATTR_FLOATS)
        to->floats = copy(t, a->floats, (size_t)a->n, sizeof(*a->floats));
    if (a->kind == OX_ATTR_STRING)
        to->s.s = copy(t, a->s.s, a->s.n, 1);
    to->name = copy(t, a->name, strlen(a->name), 1);
    if (t->code == OX_OK) {
        n->attr = list;
        n->n_attr++;
    }
}

void ox_tape_attr_int(ox_tape *t, const char *name, int64_t i)
{
    ox_tape_attr(t, &(ox_attr){ .name = name, .kind = OX_ATTR_INT, .i = i });
}

void ox_tape_attr_str(ox_tape *t, const char *name, const char *s)
{
    ox_tape_attr(t, &(ox_attr){ .name = name, .kind = OX_ATTR_STRING, .s = { s, strlen(s) } });
}

bool ox_tape_find_attr(const ox_node *n, const char *name, ox_attr *a)
{
    const ox_attr *own = ox_node_attr(n, name);
    const ox_schema *schema = ox_schema_find(n->domain, n->op_type, n->opset);
    const ox_schema_attr *d = schema ? ox_schema_attr_find(schema, name) : NULL;
    if (own) {
        *a = *own;
        return true;
    }
    *a = (ox_attr){ .name = name, .kind = OX_ATTR_INT };
    if (!d || !d->has_default)
        return false;
    a->kind = d->kind;
    if (d->kind == OX_ATTR_INT)
        a->i = d->i;
    else if (d->kind == OX_ATTR_FLOAT)
        a->f = d->f;
    else if (d->kind == OX_ATTR_STRING)
        a->s = (ox_str){ d->s, d->n };
    else
        return false;
    return true;
}

int64_t ox_tape_find_int(const ox_node *n, const char *name)
{
    ox_attr a;
    return ox_tape_find_attr(n, name, &a) && a.kind == OX_ATTR_INT ? a.i : 0;
}

/* ---- constants ---- */
int ox_tape_ints(ox_tape *t, const int64_t *i, int n)
{
    int v = ox_tape_node(t, "Constant", 0, NULL, 1);
    ox_attr a = { .name = "value_ints", .kind = OX_ATTR_INTS, .n = n };
    a.ints = t->code == OX_OK ? copy(t, i, (size_t)n, sizeof(*i)) : NULL;
    ox_tape_attr(t, &a);
    return v;
}

int ox_tape_number(ox_tape *t, double v, int like)
{
    int c = ox_tape_node(t, "Constant", 0, NULL, 1);
    ox_tensor *number = t->code == OX_OK ? ox_arena_alloc(t->g->arena, sizeof(*number)) : NULL;
    double *data = number ? ox_arena_alloc64(t->g->arena, sizeof(*data)) : NULL;
    if (!data) {
        fail_memory(t);
        return OX_ABSENT;
    }
    *data = v;
    *number = (ox_tensor){ .dtype = OX_F64, .data = data };
    ox_tape_attr(t, &(ox_attr){ .name = "value", .kind = OX_ATTR_TENSOR, .tensor = number });
    return ox_tape_node2(t, "CastLike", c, like);
}

int ox_tape_filled(ox_tape *t, double v, int like)
{
    int number = ox_tape_number(t, v, like);
    return ox_tape_node2(t, "Expand", number, ox_tape_node1(t, "Shape", like));
}
