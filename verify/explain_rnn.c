/* Causes in recurrent operators. */
#include "verify/explain.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Blocks of rows of W, R and B in another order. */
static double *reorder(ox_probe *p, int i, int axis, const int *perm, int gates)
{
    const ox_tensor *w = ox_probe_input(p, i);
    const double *v = ox_probe_values(p, i);
    double *y = v ? ox_probe_copy(p, v, (size_t)ox_count(w)) : NULL;
    if (!y || axis >= w->rank || w->dim[axis] % gates)
        return NULL;
    int64_t size = w->dim[axis] / gates * ox_numel(w, axis + 1, w->rank);
    int64_t many = ox_numel(w, 0, axis);
    int sets = i == 3 ? 2 : 1; /* B holds the biases of W, then those of R */
    size /= sets;
    for (int64_t m = 0; m < many * sets; m++)
        for (int g = 0; g < gates; g++)
            memcpy(y + (m * gates + g) * size, v + (m * gates + perm[g]) * size,
                   (size_t)size * sizeof(*y));
    return y;
}

void ox_cause_gates(ox_probe *p)
{
    int n = strcmp(p->s->node->op_type, "LSTM") == 0 ? 4 : 3, perm[] = { 0, 1, 2, 3 };
    char what[100];
    while (ox_next_permutation(perm, n)) {
        const double **in = ox_arena_array(p->a, (size_t)p->s->r->n_in + 1, sizeof(*in));
        if (!in)
            return;
        memcpy(in, p->s->in, (size_t)p->s->r->n_in * sizeof(*in));
        for (int i = 1; i < 4; i++)
            if (ox_probe_input(p, i))
                in[i] = reorder(p, i, 1, perm, n);
        int used = snprintf(what, sizeof what, "with its gates in the order");
        for (int g = 0; g < n; g++)
            used += snprintf(what + used, sizeof what - (size_t)used, " %d", perm[g]);
        ox_probe_replay(p, p->s->r->op, p->s->node, in, what);
    }
}

void ox_cause_direction(ox_probe *p)
{
    const char *now = ox_attr_str(p->s->r, "direction");
    ox_probe_with_word(p, "direction", now && strcmp(now, "reverse") == 0 ? "forward" : "reverse");
}

void ox_cause_no_state(ox_probe *p)
{
    const ox_tensor *h = ox_probe_input(p, 5);
    if (h)
        ox_probe_with_input(p, 5, ox_arena_array(p->a, (size_t)ox_count(h) + 1, sizeof(double)),
                   "with an initial state of zeros");
}

void ox_cause_linear_reset(ox_probe *p) { ox_probe_toggle(p, "linear_before_reset"); }
