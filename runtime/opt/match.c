#include "runtime/opt/match.h"

#include <math.h>
#include <string.h>

int ox_rank(const ox_graph *g, int v)
{
    const ox_info *i = v >= 0 ? &g->value[v] : NULL;
    return !i ? -1 : i->constant ? i->constant->rank : i->inferred ? i->type.rank : -1;
}

int64_t ox_size(const ox_graph *g, int v, int d)
{
    int rank = ox_rank(g, v);
    if (d < 0)
        d += rank;
    if (rank < 0 || d < 0 || d >= rank)
        return OX_DIM_UNKNOWN;
    const ox_info *i = &g->value[v];
    return i->constant ? i->constant->dim[d] : i->type.dim[d];
}

bool ox_is_f32(const ox_graph *g, int v)
{
    const ox_info *i = v >= 0 ? &g->value[v] : NULL;
    if (!i)
        return false;
    return i->constant ? i->constant->dtype == OX_F32
                       : i->inferred && i->type.kind == OX_TENSOR && i->type.dtype == OX_F32;
}

bool ox_scalar(const ox_graph *g, int v, int like, double *x)
{
    const ox_tensor *c = v >= 0 ? g->value[v].constant : NULL;
    if (!c || c->dtype != OX_F32 || ox_count(c) != 1 || (c->rank > 0 && ox_rank(g, like) < c->rank))
        return false;
    *x = ox_get_f64(c, 0);
    return true;
}

/* Exporters compute constants in float32 or write them with seven digits. */
bool ox_about(double x, double want) { return fabs(x - want) <= 1e-6 * fabs(want); }

const ox_tensor *ox_vector(const ox_graph *g, int v)
{
    const ox_tensor *c = v >= 0 ? g->value[v].constant : NULL;
    return c && c->dtype == OX_F32 && c->rank == 1 ? c : NULL;
}

ox_node *ox_made_by(ox_graph *g, int v, const char *op_type)
{
    ox_node *n = ox_producer(g, v);
    return ox_is_op(n, op_type) && n->n_out > 0 && n->out[0] == v ? n : NULL;
}

int ox_other(const ox_node *n, int v)
{
    if (!n || n->n_in != 2 || (n->in[0] != v && n->in[1] != v))
        return -1;
    return n->in[0] == v ? n->in[1] : n->in[0];
}

int ox_scaled(const ox_graph *g, const ox_node *n, double *factor)
{
    double c;
    bool times = ox_is_op(n, "Mul");
    if ((!times && !ox_is_op(n, "Div")) || n->n_in != 2)
        return -1;
    if (ox_scalar(g, n->in[1], n->in[0], &c) && (times || c != 0)) {
        *factor = times ? *factor * c : *factor / c;
        return n->in[0];
    }
    if (times && ox_scalar(g, n->in[0], n->in[1], &c)) {
        *factor *= c;
        return n->in[1];
    }
    return -1;
}

int64_t ox_int_attr(const ox_node *n, const char *name, int64_t otherwise)
{
    const ox_attr *a = ox_node_attr(n, name);
    return a && a->kind == OX_ATTR_INT ? a->i : otherwise;
}

bool ox_means_last(const ox_graph *g, const ox_node *n)
{
    if (!ox_is_op(n, "ReduceMean") || n->n_in < 1 || !ox_int_attr(n, "keepdims", 1))
        return false;
    const ox_attr *a = ox_node_attr(n, "axes");
    const ox_tensor *t = n->n_in > 1 && n->in[1] >= 0 ? g->value[n->in[1]].constant : NULL;
    int64_t axis;
    if (a && a->kind == OX_ATTR_INTS && a->n == 1)
        axis = a->ints[0];
    else if (!a && t && t->dtype == OX_I64 && t->rank == 1 && t->dim[0] == 1)
        axis = *(const int64_t *)t->data;
    else
        return false;
    return axis == -1 || (ox_rank(g, n->in[0]) > 0 && axis == ox_rank(g, n->in[0]) - 1);
}

bool ox_permutes(const ox_node *n, int rank, const int *perm)
{
    const ox_attr *a = ox_is_op(n, "Transpose") ? ox_node_attr(n, "perm") : NULL;
    if (!a || a->kind != OX_ATTR_INTS || a->n != rank)
        return false;
    for (int i = 0; i < rank; i++)
        if (a->ints[i] != perm[i])
            return false;
    return true;
}

/* ---- polynomials ---- */
static bool poly_mul(ox_poly *z, const ox_poly *a, const ox_poly *b)
{
    *z = (ox_poly){ 0 };
    for (int i = 0; i < 8; i++)
        for (int j = 0; j < 8; j++) {
            double v = a->c[i / 2][i % 2] * b->c[j / 2][j % 2];
            int x = i / 2 + j / 2, e = i % 2 + j % 2;
            if (v == 0)
                continue;
            if (x > 3 || e > 1)
                return false;
            z->c[x][e] += v;
        }
    return true;
}

static void poly_add(ox_poly *z, const ox_poly *a, const ox_poly *b, double sign)
{
    for (int i = 0; i < 8; i++)
        z->c[i / 2][i % 2] = a->c[i / 2][i % 2] + sign * b->c[i / 2][i % 2];
}

static bool poly_node(const ox_node *n, const ox_poly *a, const ox_poly *b, ox_poly *p)
{
    ox_poly square, inverse = { .c[0][0] = 1 / b->c[0][0] }, c = { .c[0][0] = b->c[0][0] };
    bool constant = ox_poly_is(b, &c, 0);
    if (ox_is_op(n, "Add") || ox_is_op(n, "Sub")) {
        poly_add(p, a, b, ox_is_op(n, "Add") ? 1 : -1);
        return true;
    }
    if (ox_is_op(n, "Mul"))
        return poly_mul(p, a, b);
    if (ox_is_op(n, "Div"))
        return constant && c.c[0][0] != 0 && poly_mul(p, a, &inverse);
    if (!constant || !poly_mul(&square, a, a))
        return false;
    *p = square;
    return c.c[0][0] == 2 || (c.c[0][0] == 3 && poly_mul(p, &square, a));
}

bool ox_poly_of(ox_graph *g, int v, int x, int e, int depth, ox_poly *p)
{
    ox_poly a, b;
    double c;
    *p = (ox_poly){ 0 };
    if (v == x || v == e) {
        p->c[v == x][v != x] = 1;
        return true;
    }
    if (ox_scalar(g, v, x, &c)) {
        p->c[0][0] = c;
        return true;
    }
    const ox_node *n = ox_producer(g, v);
    bool known = ox_is_op(n, "Add") || ox_is_op(n, "Sub") || ox_is_op(n, "Mul") || ox_is_op(n, "Div") ||
                 ox_is_op(n, "Pow");
    return known && depth > 0 && n->n_in == 2 && ox_poly_of(g, n->in[0], x, e, depth - 1, &a) &&
           ox_poly_of(g, n->in[1], x, e, depth - 1, &b) && poly_node(n, &a, &b, p);
}

bool ox_poly_is(const ox_poly *p, const ox_poly *want, double slack)
{
    for (int i = 0; i < 8; i++) {
        double c = want->c[i / 2][i % 2];
        if (!(fabs(p->c[i / 2][i % 2] - c) <= slack * fabs(c)))
            return false;
    }
    return true;
}

/* ---- rewriting ---- */
bool ox_become(ox_session *s, ox_node *n, const char *domain, const char *op_type, int opset, const int *in,
               int n_in)
{
    const ox_op *op = ox_op_find(domain, op_type, opset);
    int *own = ox_arena_array(s->arena, (size_t)n_in, sizeof(*own));
    if (!op || !own)
        return false;
    memcpy(own, in, (size_t)n_in * sizeof(*own));
    n->domain = domain;
    n->op_type = op->name;
    n->opset = opset;
    n->schema = ox_schema_find(domain, op_type, opset);
    n->op = op;
    n->in = own;
    n->n_in = n_in;
    n->n_attr = 0;
    return true;
}
