/* Normalisation over the last dimension as exporters write it.  With d = x - mean(x), or d = x for
 * RMSNormalization, and s = sqrt(mean(d^2) + epsilon):
 *   d / s, or d times 1 / s, then times scale, then plus bias
 *   x g + (bias - mean(x) g) with g = scale / s (TensorFlow) */
#include "runtime/opt/match.h"

#include <math.h>

typedef struct norm {
    int    x, mean; /* mean -1: RMS */
    int    scale, bias;
    double epsilon;
    ox_node *last;
} norm;

/* v is x - mean, or x itself for RMS. */
static bool is_centred(ox_graph *g, const norm *m, int v)
{
    const ox_node *n = ox_made_by(g, v, "Sub");
    return m->mean < 0 ? v == m->x : n && n->in[0] == m->x && n->in[1] == m->mean;
}

/* x and mean from the square root's argument. */
static bool read_variance(ox_graph *g, int v, norm *m)
{
    double two = 0;
    const ox_node *n = ox_made_by(g, v, "Add");
    int variance = n && ox_scalar(g, n->in[1], n->in[0], &m->epsilon)   ? n->in[0]
                   : n && ox_scalar(g, n->in[0], n->in[1], &m->epsilon) ? n->in[1] : -1;
    n = ox_made_by(g, variance, "ReduceMean");
    if (!n || !ox_means_last(g, n))
        return false;
    int square = n->in[0], d;
    if ((n = ox_made_by(g, square, "Pow")) && ox_scalar(g, n->in[1], n->in[0], &two) && two == 2)
        d = n->in[0];
    else if ((n = ox_made_by(g, square, "Mul")) && n->in[0] == n->in[1])
        d = n->in[0];
    else
        return false;
    n = ox_made_by(g, d, "Sub");
    const ox_node *mean = n ? ox_made_by(g, n->in[1], "ReduceMean") : NULL;
    if (mean && mean->in[0] == n->in[0] && ox_means_last(g, mean))
        *m = (norm){ .x = n->in[0], .mean = mean->out[0], .epsilon = m->epsilon };
    else
        *m = (norm){ .x = d, .mean = -1, .epsilon = m->epsilon };
    return true;
}

/* A constant that scales or shifts the last dimension: as long as that is. */
static bool fits(const ox_graph *g, const norm *m, int v)
{
    const ox_tensor *t = ox_vector(g, v);
    return t && t->dim[0] == ox_size(g, m->x, -1);
}

/* The bias of the node behind n, if there is one: m->last moves on. */
static void take_bias(ox_graph *g, norm *m)
{
    ox_node *n = ox_only_user(g, m->last->out[0]);
    int bias = ox_is_op(n, "Add") ? ox_other(n, m->last->out[0]) : -1;
    m->bias = -1;
    if (bias >= 0 && m->mean >= 0 && fits(g, m, bias)) {
        m->bias = bias;
        m->last = n;
    }
}

/* (d / s) scale + bias; v is d / s. */
static bool read_plain(ox_graph *g, int v, norm *m)
{
    ox_node *n = ox_only_user(g, v);
    m->scale = ox_is_op(n, "Mul") ? ox_other(n, v) : -1;
    if (m->scale < 0 || !fits(g, m, m->scale))
        return false;
    m->last = n;
    take_bias(g, m);
    return true;
}

/* x gain + (bias - mean gain); gain is scale / s. */
static bool read_folded(ox_graph *g, int gain, norm *m)
{
    if (m->mean < 0 || g->value[gain].n_uses != 2)
        return false;
    for (size_t k = 0; k < g->n_node; k++) {
        ox_node *n = &g->node[k];
        int other = ox_is_op(n, "Mul") ? ox_other(n, gain) : -1;
        if (other != m->x)
            continue;
        ox_node *sum = ox_only_user(g, n->out[0]);
        int rest = ox_is_op(sum, "Add") ? ox_other(sum, n->out[0]) : -1;
        const ox_node *sub = ox_made_by(g, rest, "Sub");
        const ox_node *mul = sub ? ox_made_by(g, sub->in[1], "Mul") : NULL;
        if (!mul || ox_other(mul, gain) != m->mean || !fits(g, m, sub->in[0]))
            return false;
        m->bias = sub->in[0];
        m->last = sum;
        return true;
    }
    return false;
}

/* Everything behind s. */
static bool read_rest(ox_graph *g, int s, norm *m)
{
    ox_node *n = ox_only_user(g, s);
    double one;
    if (ox_is_op(n, "Div") && n->in[1] == s && is_centred(g, m, n->in[0]))
        return read_plain(g, n->out[0], m);
    bool inverse = ox_is_op(n, "Reciprocal") ||
                   (ox_is_op(n, "Div") && n->in[1] == s && ox_scalar(g, n->in[0], s, &one) && one == 1);
    ox_node *mul = inverse ? ox_only_user(g, n->out[0]) : NULL;
    int other = ox_is_op(mul, "Mul") ? ox_other(mul, n->out[0]) : -1;
    if (other < 0)
        return false;
    if (is_centred(g, m, other))
        return read_plain(g, mul->out[0], m);
    m->scale = other;
    if (!fits(g, m, other))
        return false;
    if (read_folded(g, mul->out[0], m))
        return true;
    m->last = ox_only_user(g, mul->out[0]);
    other = ox_is_op(m->last, "Mul") ? ox_other(m->last, mul->out[0]) : -1;
    if (other < 0 || !is_centred(g, m, other))
        return false;
    take_bias(g, m);
    return true;
}

ox_code ox_pass_fuse_norm(ox_session *s, ox_graph *g, ox_error *err)
{
    if (s->options.f64)
        return OX_OK;
    for (size_t k = 0; k < g->n_node; k++) {
        ox_node *n = &g->node[k];
        norm m;
        if (!ox_is_op(n, "Sqrt") || !read_variance(g, n->in[0], &m) || !ox_is_f32(g, m.x) ||
            !read_rest(g, n->out[0], &m))
            continue;
        const int in[3] = { m.x, m.scale, m.bias };
        bool layer = m.mean >= 0;
        ox_node *y = m.last;
        if (!ox_become(s, y, "", layer ? "LayerNormalization" : "RMSNormalization", layer ? 17 : 23, in,
                       layer && m.bias >= 0 ? 3 : 2))
            continue;
        if (!ox_set_attr_f32(s, y, "epsilon", (float)m.epsilon))
            return OX_FAIL(err, OX_E_NOMEM, "out of memory");
    }
    return OX_OK;
}
