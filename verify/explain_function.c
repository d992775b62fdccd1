/* Causes in element-wise functions and their numbers. */
#include "verify/explain.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static double gelu(double x) { return 0.5 * x * (1 + erf(x / sqrt(2))); }
static double gelu_tanh(double x)
{
    return 0.5 * x * (1 + tanh(0.79788456080286536 * (x + 0.044715 * x * x * x)));
}
static double identity(double x) { return x; }
static double relu(double x) { return x > 0 ? x : 0; }
static double relu6(double x) { return fmin(relu(x), 6); }
static double leaky(double x) { return x > 0 ? x : 0.01 * x; }
static double sigmoid(double x) { return 1 / (1 + exp(-x)); }
static double silu(double x) { return x * sigmoid(x); }
static double quick_gelu(double x) { return x * sigmoid(1.702 * x); }
static double elu(double x) { return x > 0 ? x : expm1(x); }
static double softplus(double x) { return fmax(x, 0) + log1p(exp(-fabs(x))); }
static double hard_sigmoid(double x) { return fmin(fmax(x / 6 + 0.5, 0), 1); }
static double hard_swish(double x) { return x * hard_sigmoid(x); }

static void mapped(ox_probe *p, const double *x, double (*f)(double), const char *what)
{
    double *y = x ? ox_arena_array(p->a, p->s->n + 1, sizeof(*y)) : NULL;
    for (size_t i = 0; y && i < p->s->n; i++)
        y[i] = f(x[i]);
    if (y)
        ox_probe_score(p, y, what);
}

void ox_cause_gelu_form(ox_probe *p)
{
    const double *x = ox_probe_values(p, 0);
    if (!x || (size_t)ox_count(ox_probe_input(p, 0)) != p->s->n)
        return;
    mapped(p, x, gelu_tanh, "with the tanh approximation of GELU");
    mapped(p, x, gelu, "with the exact (erf) GELU");
    mapped(p, x, quick_gelu, "with x sigmoid(1.702 x) for GELU");
}

void ox_cause_activation(ox_probe *p)
{
    static const struct { double (*f)(double); const char *name; } row[] = {
        { identity, "no activation" }, { relu, "Relu" }, { relu6, "Relu6" },
        { leaky, "LeakyRelu 0.01" },
        { sigmoid, "Sigmoid" }, { tanh, "Tanh" }, { silu, "SiLU" }, { elu, "Elu" },
        { softplus, "Softplus" }, { hard_sigmoid, "HardSigmoid" }, { hard_swish, "HardSwish" },
    };
    const double *x = ox_probe_values(p, 0);
    char what[100];
    bool same = x && (size_t)ox_count(ox_probe_input(p, 0)) == p->s->n && p->s->r->n_in <= 3 &&
                p->s->r->op->error.kind != ERR_SUM;
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        snprintf(what, sizeof what, "with %s in its place", row[i].name);
        if (same)
            mapped(p, x, row[i].f, what);
        snprintf(what, sizeof what, "followed by %s", row[i].name);
        if (i > 0)
            mapped(p, p->s->truth, row[i].f, what);
    }
}

void ox_cause_alpha(ox_probe *p) { ox_probe_solve(p, "alpha", 1e-4, 20); }

/* The reference is the truth times one number. */
void ox_cause_scaled(ox_probe *p)
{
    double rt = 0, tt = 0;
    char what[100];
    double *y = ox_probe_copy(p, p->s->truth, p->s->n);
    for (size_t i = 0; i < p->s->n; i++) {
        rt += p->s->ref[i] * p->s->truth[i];
        tt += p->s->truth[i] * p->s->truth[i];
    }
    if (!y || !(tt > 0) || p->s->n < 3)
        return;
    for (size_t i = 0; i < p->s->n; i++)
        y[i] *= rt / tt;
    snprintf(what, sizeof what, "times %.7g", rt / tt);
    ox_probe_score(p, y, what);
}

/* The reference is the truth plus one number: (q - zero_point) * scale. */
void ox_cause_shifted(ox_probe *p)
{
    double sum = 0;
    char what[100];
    double *y = ox_probe_copy(p, p->s->truth, p->s->n);
    for (size_t i = 0; i < p->s->n; i++)
        sum += p->s->ref[i] - p->s->truth[i];
    if (!y || p->s->n < 3)
        return;
    for (size_t i = 0; i < p->s->n; i++)
        y[i] += sum / (double)p->s->n;
    snprintf(what, sizeof what, "plus %.7g", sum / (double)p->s->n);
    ox_probe_score(p, y, what);
}
void ox_cause_polarity(ox_probe *p)
{
    const ox_tensor *c = ox_probe_input(p, 0), *a = ox_probe_input(p, 1), *b = ox_probe_input(p, 2);
    const double **in = ox_arena_array(p->a, 3, sizeof(*in));
    if (!c || !a || !b || !in || !ox_shape_same(a, b))
        return;
    in[1] = ox_probe_values(p, 2);
    in[2] = ox_probe_values(p, 1);
    if (in[1] && in[2])
        ox_probe_replay(p, p->s->r->op, p->s->node, in, "with the condition negated");
}
