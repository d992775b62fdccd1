/* Causes in normalisation. */
#include "verify/explain.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

void ox_cause_epsilon(ox_probe *p) { ox_probe_solve(p, "epsilon", 1e-12, 2); }

/* Mean and variance of each channel over batch and space. */
static void moments(const double *v, const ox_tensor *x, double *mean, double *var)
{
    int64_t batch = x->dim[0], c = x->dim[1], size = ox_numel(x, 2, x->rank);
    double n = (double)(batch * size);
    for (int64_t k = 0; k < c; k++) {
        double sum = 0, square = 0;
        for (int64_t b = 0; b < batch; b++)
            for (int64_t i = 0; i < size; i++)
                sum += v[(b * c + k) * size + i];
        for (int64_t b = 0; b < batch; b++)
            for (int64_t i = 0; i < size; i++)
                square += pow(v[(b * c + k) * size + i] - sum / n, 2);
        mean[k] = sum / n;
        var[k] = square / n;
    }
}

static void with_moments(ox_probe *p, const double *mean, const double *var, const char *what)
{
    const double **in = ox_probe_inputs(p);
    if (!in)
        return;
    in[3] = mean;
    in[4] = var;
    ox_probe_replay(p, p->s->r->op, p->s->node, in, what);
}

void ox_cause_training(ox_probe *p)
{
    const ox_tensor *x = ox_probe_input(p, 0);
    const double *v = ox_probe_values(p, 0);
    double *mean = ox_probe_values(p, 3), *var = ox_probe_values(p, 4);
    if (ox_attr_i64(p->s->r, "training_mode")) {
        ox_attr off = { .name = "training_mode", .kind = OX_ATTR_INT };
        ox_probe_with_attr(p, off, "with the mean and variance that it holds, not the batch's "
                                   "(evaluation mode)");
        return;
    }
    if (!v || !mean || !var || x->rank < 2 || ox_count(ox_probe_input(p, 3)) != x->dim[1])
        return;
    moments(v, x, mean, var);
    with_moments(p, mean, var, "with the mean and variance of the batch itself (training mode)");
}

/* Statistics nobody has trained, or any others: one slope and one number for each channel. */
void ox_cause_statistics(ox_probe *p)
{
    const ox_tensor *x = ox_probe_input(p, 0), *m = ox_probe_input(p, 3);
    const double *v = ox_probe_values(p, 0);
    if (!v || !m || x->rank < 2 || (size_t)ox_count(x) != p->n || p->shape->rank < 2)
        return;
    size_t c = (size_t)ox_count(m);
    double *zero = ox_probe_new(p, c), *one = ox_probe_new(p, c), *coef = ox_probe_new(p, 2 * c);
    if (!zero || !one || !coef || (int64_t)c != p->shape->dim[1])
        return;
    for (size_t i = 0; i < c; i++)
        one[i] = 1;
    with_moments(p, zero, one, "with a mean of 0 and a variance of 1, as before any training");
    double *y = ox_fit_channels(p, v, 1, true, coef);
    if (y)
        ox_probe_score_fit(p, y, 2 * c, "with another mean and variance (or scale and bias) for "
                                        "each channel, solved for");
}

/* variance + epsilon, written out: the constant solved for. */
void ox_cause_epsilon_added(ox_probe *p)
{
    double sum = 0;
    double *y = p->truth ? ox_probe_copy(p, p->truth, p->n) : NULL;
    const ox_graph *g = ox_probe_graph(p);
    int user = g->value[p->s->node->out[p->s->out]].user;
    char what[100];
    if (!y || p->n < 3 || user < 0 || strcmp(g->node[user].op_type, "Sqrt") != 0)
        return;
    for (size_t i = 0; i < p->n; i++)
        sum += p->ref[i] - p->truth[i];
    for (size_t i = 0; i < p->n; i++)
        y[i] += sum / (double)p->n;
    snprintf(what, sizeof what, "with an epsilon that is %.6g larger", sum / (double)p->n);
    ox_probe_score_fit(p, y, 1, what);
}
