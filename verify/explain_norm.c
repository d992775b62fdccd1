/* Causes in normalisation. */
#include "verify/explain.h"

#include <math.h>
#include <string.h>

void ox_cause_epsilon(ox_probe *p) { ox_probe_solve(p, "epsilon", 1e-12, 2); }

void ox_cause_training(ox_probe *p)
{
    const ox_tensor *x = ox_probe_input(p, 0);
    const double *v = ox_probe_values(p, 0);
    double *mean = ox_probe_values(p, 3), *var = ox_probe_values(p, 4);
    const double **in = ox_arena_array(p->a, (size_t)p->s->r->n_in + 1, sizeof(*in));
    if (!v || !mean || !var || !in || x->rank < 2 || ox_count(ox_probe_input(p, 3)) != x->dim[1])
        return;
    int64_t batch = x->dim[0], c = x->dim[1], size = ox_numel(x, 2, x->rank);
    for (int64_t k = 0; k < c; k++) {
        double sum = 0, square = 0, n = (double)(batch * size);
        for (int64_t b = 0; b < batch; b++)
            for (int64_t i = 0; i < size; i++)
                sum += v[(b * c + k) * size + i];
        for (int64_t b = 0; b < batch; b++)
            for (int64_t i = 0; i < size; i++)
                square += pow(v[(b * c + k) * size + i] - sum / n, 2);
        mean[k] = sum / n;
        var[k] = square / n;
    }
    memcpy(in, p->s->in, (size_t)p->s->r->n_in * sizeof(*in));
    in[3] = mean;
    in[4] = var;
    ox_probe_replay(p, p->s->r->op, p->s->node, in,
                    "with the mean and variance of the batch itself");
}
