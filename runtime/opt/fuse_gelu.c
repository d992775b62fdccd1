/* Activations of the form x g(x) as exporters write them:
 *   Gelu    0.5 x (1 + erf(x / sqrt 2)), in whatever order and grouping the factors come
 *   Gelu    0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))), the form with approximate = "tanh"
 *   Swish   x sigmoid(x)
 * The one node rounds once where the chain rounds at each step, and 1 + erf no longer cancels. */
#include "runtime/opt/match.h"

enum { DEPTH = 6, MAX_LEAVES = 16 };

/* Constants that were float16 are off by up to 2^-11 each, which their results are rounded by, too. */
static double slack(const ox_session *s) { return s->half_constants ? 2e-3 : 1e-6; }

/* Values that the argument of erf or tanh depends on: x must be one of them. */
static void leaves(ox_graph *g, int v, int depth, int *list, int *n)
{
    for (int i = 0; i < *n; i++)
        if (list[i] == v)
            return;
    if (v < 0 || g->value[v].constant || *n == MAX_LEAVES)
        return;
    list[(*n)++] = v;
    const ox_node *p = ox_producer(g, v);
    for (int i = 0; p && depth > 0 && i < p->n_in && i < 2; i++)
        leaves(g, p->in[i], depth - 1, list, n);
}

/* The node behind value e that computes 0.5 x (1 + e). */
static ox_node *find_product(ox_graph *g, int x, int e, double most)
{
    const ox_poly want = { .c[1] = { 0.5, 0.5 } };
    ox_poly p;
    int v = e;
    for (int hop = 0; hop < 4; hop++) {
        ox_node *n = ox_only_user(g, v);
        if (!n || n->n_out != 1)
            return NULL;
        v = n->out[0];
        if (ox_poly_of(g, v, x, e, DEPTH, &p) && ox_poly_is(&p, &want, most))
            return n;
    }
    return NULL;
}

static ox_code fuse_gelu(ox_session *s, ox_graph *g, const ox_node *n, ox_error *err)
{
    const double k = 0.79788456080286535588; /* sqrt(2 / pi) */
    bool erf = ox_is_op(n, "Erf");
    const ox_poly by_erf = { .c[1][0] = 0.70710678118654752440 };
    const ox_poly by_tanh = { .c[1][0] = k, .c[3][0] = 0.044715 * k }, *want = erf ? &by_erf : &by_tanh;
    int list[MAX_LEAVES], count = 0, arg = n->in[0], e = n->out[0];
    ox_poly p;
    leaves(g, arg, DEPTH, list, &count);
    for (int i = 1; i < count; i++) { /* list[0] is the argument */
        if (!ox_poly_of(g, arg, list[i], -1, DEPTH, &p) || !ox_poly_is(&p, want, slack(s)))
            continue;
        ox_node *y = find_product(g, list[i], e, slack(s));
        if (!y || !ox_become(s, y, "", "Gelu", 20, &list[i], 1))
            return OX_OK;
        if (!erf && !ox_set_attr_str(s, y, "approximate", "tanh"))
            return OX_FAIL(err, OX_E_NOMEM, "out of memory");
        return OX_OK;
    }
    return OX_OK;
}

ox_code ox_pass_fuse_gelu(ox_session *s, ox_graph *g, ox_error *err)
{
    if (s->options.f64)
        return OX_OK;
    for (size_t k = 0; k < g->n_node; k++) {
        ox_node *n = &g->node[k];
        if (n->n_in != 1 || n->n_out != 1)
            continue;
        if (ox_is_op(n, "Erf") || ox_is_op(n, "Tanh")) {
            OX_TRY(fuse_gelu(s, g, n, err));
        } else if (ox_is_op(n, "Sigmoid") && ox_is_f32(g, n->in[0])) {
            ox_node *y = ox_only_user(g, n->out[0]);
            if (ox_is_op(y, "Mul") && ox_other(y, n->out[0]) == n->in[0])
                (void)ox_become(s, y, "", "Swish", 24, &n->in[0], 1);
        }
    }
    return OX_OK;
}
