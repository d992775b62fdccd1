/* Causes in weights: left out, transposed, of another layer, of low precision. */
#include "verify/explain.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

void ox_cause_no_bias(ox_probe *p)
{
    const ox_tensor *b = ox_probe_input(p, 2);
    double *zero = b ? ox_arena_array(p->a, (size_t)ox_count(b) + 1, sizeof(*zero)) : NULL;
    if (zero)
        ox_probe_with_input(p, 2, zero, "without its bias");
}

static void round_bits(double *v, size_t n, int bits)
{
    for (size_t i = 0; i < n; i++) {
        int e;
        double m = frexp(v[i], &e);
        if (isfinite(v[i]))
            v[i] = ldexp(rint(ldexp(m, bits)), e - bits);
    }
}

static void rounded(ox_probe *p, bool weights)
{
    static const int bits[] = { 11, 8 };
    char what[100];
    for (int b = 0; b < 2; b++)
        for (int i = 0; i < p->s->r->n_in && i < 3; i++) {
            bool constant = p->s->r->in_const >> i & 1;
            double *v = constant == weights && ox_probe_input(p, i) ? ox_probe_values(p, i) : NULL;
            if (!v)
                continue;
            round_bits(v, (size_t)ox_count(ox_probe_input(p, i)), bits[b]);
            snprintf(what, sizeof what, "with input %d rounded to %s", i,
                     b ? "bfloat16" : "float16");
            ox_probe_with_input(p, i, v, what);
        }
    for (int b = 0; b < 2 && !weights; b++) {
        double *y = ox_probe_copy(p, p->s->truth, p->s->n);
        if (y)
            round_bits(y, p->s->n, bits[b]);
        if (y)
            ox_probe_score(p, y, b ? "rounded to bfloat16" : "rounded to float16");
    }
}

void ox_cause_low_weights(ox_probe *p) { rounded(p, true); }
void ox_cause_low_activations(ox_probe *p) { rounded(p, false); }

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

void ox_cause_swapped(ox_probe *p)
{
    const ox_graph *g = p->s->r->frame->plan->graph;
    const ox_tensor *w = ox_probe_input(p, 1);
    char what[200];
    int tried = 0;
    for (size_t i = 0; w && i < g->n_value && tried < 24; i++) {
        const ox_tensor *c = g->value[i].constant;
        if (!c || c->data == w->data || c->dtype != w->dtype || !ox_shape_same(c, w) ||
            ox_count(c) < 2)
            continue;
        double *v = ox_arena_array(p->a, (size_t)ox_count(c), sizeof(*v));
        if (!v)
            return;
        ox_to_f64(v, c->data, c->dtype, (size_t)ox_count(c));
        snprintf(what, sizeof what, "with the weight %.120s", g->value[i].name);
        ox_probe_with_input(p, 1, v, what);
        tried++;
    }
}
