/* Causes in weights: left out, transposed, of another layer, of low precision. */
#include "verify/explain.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* The axis of a linear node's output that its bias runs along. */
static int channel_axis(const ox_probe *p)
{
    bool conv = ox_probe_is(p, "Conv") || ox_probe_is(p, "ConvTranspose");
    return conv ? 1 : p->shape->rank - 1;
}

static bool has_bias(ox_probe *p)
{
    const double *b = ox_probe_is(p, "MatMul") ? NULL : ox_probe_values(p, 2);
    size_t n = b ? (size_t)ox_count(ox_probe_input(p, 2)) : 0;
    for (size_t i = 0; i < n; i++)
        if (b[i] != 0)
            return true;
    return false;
}

/* A constant of the model that is exactly what the reference adds to each row. */
static void constant_as_bias(ox_probe *p, int axis)
{
    const ox_graph *g = ox_probe_graph(p);
    int64_t c = p->shape->dim[axis], inner = ox_numel(p->shape, axis + 1, p->shape->rank);
    double *y = ox_probe_new(p, p->n), *b = ox_probe_new(p, (size_t)c);
    for (size_t i = 0; y && b && i < g->n_value; i++) {
        const ox_tensor *t = ox_constant_of(g, (int)i);
        char what[160];
        if (!t || !t->data || !ox_is_float(t->dtype) || ox_count(t) != c)
            continue;
        ox_to_f64(b, t->data, t->dtype, (size_t)c);
        for (size_t k = 0; k < p->n; k++)
            y[k] = p->truth[k] + b[(int64_t)k / inner % c];
        snprintf(what, sizeof what, "plus the constant %.100s", g->value[i].name);
        ox_probe_score(p, y, what);
    }
}

void ox_cause_bias(ox_probe *p)
{
    int axis = channel_axis(p);
    if (has_bias(p)) {
        double *zero = ox_probe_new(p, (size_t)ox_count(ox_probe_input(p, 2)));
        if (zero)
            ox_probe_with_input(p, 2, zero, "without its bias");
        return;
    }
    if (!p->truth || p->shape->rank < 1 || axis >= p->shape->rank)
        return;
    size_t c = (size_t)p->shape->dim[axis];
    double *coef = ox_probe_new(p, 2 * c);
    double *y = coef ? ox_fit_channels(p, p->truth, axis, false, coef) : NULL;
    if (y)
        ox_probe_score_fit(p, y, c,
                           "plus one number for each channel, a bias that the model lacks");
    constant_as_bias(p, axis);
}

static void round_all(double *v, size_t n, int bits)
{
    for (size_t i = 0; i < n; i++)
        v[i] = ox_round_bits(v[i], bits);
}

static const struct {
    int         bits;
    const char *name;
} narrow[] = { { 11, "float16" }, { 8, "bfloat16" } };

static void rounded_inputs(ox_probe *p, bool weights)
{
    char what[100];
    for (int b = 0; b < 2; b++)
        for (int i = 0; i < p->s->r->n_in && i < 3; i++) {
            const ox_tensor *x = ox_probe_input(p, i);
            if (!x || !ox_is_float(x->dtype) || ox_probe_is_constant(p, i) != weights)
                continue;
            double *v = ox_probe_values(p, i);
            if (!v)
                continue;
            round_all(v, (size_t)ox_count(x), narrow[b].bits);
            snprintf(what, sizeof what, "with input %d rounded to %s", i, narrow[b].name);
            ox_probe_with_input(p, i, v, what);
        }
}

/* The model's weights have few bits, and the difference is what that many can have cost. */
static void rounded_model(ox_probe *p, int i, int bits, const char *type)
{
    const ox_tensor *w = ox_probe_input(p, i);
    size_t n = w ? (size_t)ox_count(w) : 0;
    double *v = ox_probe_values(p, i), *y;
    const double **in = ox_probe_inputs(p);
    char what[160];
    if (!v || !in || n < 16 || !ox_all_fit_bits(v, n, bits) || ox_all_fit_bits(v, n, bits - 3))
        return;
    for (size_t k = 0; k < n; k++)
        v[k] = v[k] == 0 ? 0 : ldexp(1, ilogb(v[k]) - bits); /* half a unit */
    in[i] = v;
    int x = 1 - i;
    double *other = ox_probe_input(p, x) ? ox_probe_values(p, x) : NULL;
    for (int64_t k = 0; other && k < ox_count(ox_probe_input(p, x)); k++)
        other[k] = fabs(other[k]);
    const ox_tensor *bias = ox_probe_input(p, 2);
    double *none = bias ? ox_probe_new(p, (size_t)ox_count(bias)) : NULL;
    in[x] = other;
    if (none)
        in[2] = none;
    if (!other || !(y = ox_probe_outcome(p, in)))
        return;
    for (size_t k = 0; k < p->n; k++) {
        double most = 1.01 * y[k] + 1e-6 * fabs(p->truth[k]), d = p->ref[k] - p->truth[k];
        y[k] = p->truth[k] + fmax(-most, fmin(d, most));
    }
    snprintf(what, sizeof what,
             "with weights that have not been rounded to %s, as the model's have", type);
    ox_probe_score(p, y, what);
}

void ox_cause_low_weights(ox_probe *p)
{
    rounded_inputs(p, true);
    for (int b = 1; b >= 0 && p->truth; b--)
        for (int i = 0; i < 2; i++)
            if (ox_probe_is_constant(p, i) && !ox_probe_is_constant(p, 1 - i))
                rounded_model(p, i, narrow[b].bits, narrow[b].name);
}

/* The reference's values have few bits; each is a neighbour of the truth. */
static void rounded_output(ox_probe *p, int bits, const char *type)
{
    double *y = p->truth && p->n >= 8 ? ox_probe_new(p, p->n) : NULL;
    char what[100];
    if (!y || !ox_all_fit_bits(p->ref, p->n, bits) || ox_all_fit_bits(p->truth, p->n, bits))
        return;
    for (size_t i = 0; i < p->n; i++) {
        double low = ox_round_bits(p->truth[i], bits), d = fabs(p->ref[i] - p->truth[i]);
        double half = ldexp(1, ilogb(fmax(fabs(p->truth[i]), 1e-300)) - bits);
        y[i] = d <= 1.01 * half + (p->s->bound ? p->s->bound[i] : 0) ? p->ref[i] : low;
    }
    snprintf(what, sizeof what, "rounded to %s", type);
    ox_probe_score(p, y, what);
}

void ox_cause_low_activations(ox_probe *p)
{
    rounded_inputs(p, false);
    for (int b = 1; b >= 0; b--)
        rounded_output(p, narrow[b].bits, narrow[b].name);
}

void ox_cause_transposed(ox_probe *p)
{
    const ox_tensor *w = ox_probe_input(p, 1);
    double *v = ox_probe_values(p, 1), *y;
    if (!v || w->rank < 2 || w->dim[w->rank - 1] != w->dim[w->rank - 2] ||
        !(y = ox_probe_copy(p, v, (size_t)ox_count(w))))
        return;
    int64_t n = w->dim[w->rank - 1], many = ox_count(w) / OX_MAX(n * n, 1);
    for (int64_t m = 0; m < many; m++)
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = 0; j < n; j++)
                y[m * n * n + i * n + j] = v[m * n * n + j * n + i];
    ox_probe_with_input(p, 1, y, "with its weight transposed");
}

/* The bias of the node that reads constant c as its weight; NULL: none. */
static const ox_tensor *bias_beside(const ox_graph *g, size_t c)
{
    int user = g->value[c].user;
    const ox_node *n = user >= 0 ? &g->node[user] : NULL;
    if (!n || n->n_in < 3 || n->in[2] < 0)
        return NULL;
    return ox_constant_of(g, n->in[2]);
}

static void with_weight_of(ox_probe *p, int i, size_t c)
{
    const ox_graph *g = ox_probe_graph(p);
    const ox_tensor *t = ox_constant_of(g, (int)c), *b = bias_beside(g, c);
    const ox_tensor *own = ox_probe_input(p, 2);
    const double **in = ox_probe_inputs(p);
    double *v = ox_probe_new(p, (size_t)ox_count(t)), *bias;
    char what[200];
    if (!in || !v)
        return;
    ox_to_f64(v, t->data, t->dtype, (size_t)ox_count(t));
    in[i] = v;
    snprintf(what, sizeof what, "with the weight %.120s", g->value[c].name);
    ox_probe_replay(p, p->s->r->op, p->s->node, in, what);
    if (!b || !own || ox_count(b) != ox_count(own) ||
        !(bias = ox_probe_new(p, (size_t)ox_count(b))))
        return;
    ox_to_f64(bias, b->data, b->dtype, (size_t)ox_count(b));
    in[2] = bias;
    snprintf(what, sizeof what, "with the weight %.100s and the bias beside it", g->value[c].name);
    ox_probe_replay(p, p->s->r->op, p->s->node, in, what);
}

void ox_cause_swapped(ox_probe *p)
{
    const ox_graph *g = ox_probe_graph(p);
    int which = ox_probe_is_constant(p, 1) ? 1 : 0, tried = 0;
    const ox_tensor *w = ox_probe_input(p, which);
    for (size_t i = 0; w && i < g->n_value && tried < 48; i++) {
        const ox_tensor *c = ox_constant_of(g, (int)i);
        if (!c || !c->data || c->data == w->data || c->dtype != w->dtype || !ox_shape_same(c, w) ||
            ox_count(c) < 2)
            continue;
        with_weight_of(p, which, i);
        tried++;
    }
}
