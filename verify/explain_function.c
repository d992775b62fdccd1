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
static double mish(double x) { return x * tanh(softplus(x)); }
static double hard_sigmoid(double x) { return fmin(fmax(x / 6 + 0.5, 0), 1); }
static double hard_sigmoid_keras(double x) { return fmin(fmax(0.2 * x + 0.5, 0), 1); }
static double hard_swish(double x) { return x * hard_sigmoid(x); }

static void mapped(ox_probe *p, const double *x, double (*f)(double), const char *what)
{
    double *y = x ? ox_probe_new(p, p->n) : NULL;
    for (size_t i = 0; y && i < p->n; i++)
        y[i] = f(x[i]);
    if (y)
        ox_probe_score(p, y, what);
}

/* z such that tanh(2 / sqrt(pi) (z + 0.08943 z^3)) is near erf(z): x / sqrt(2) of GELU. */
static double tanh_argument(double z) { return 1.1283791670955126 * (z + 0.08943 * z * z * z); }
static double tanh_for_erf(double z) { return tanh(tanh_argument(z)); }
static double erf_for_tanh(double s)
{
    double z = s / 1.1283791670955126;
    for (int i = 0; i < 30; i++)
        z -= (tanh_argument(z) - s) / (1.1283791670955126 * (1 + 0.26829 * z * z));
    return erf(z);
}

/* GELU is one node, or written out: then the part with erf or tanh, or the product at its end. */
void ox_cause_gelu_form(ox_probe *p)
{
    enum { MOST = 8 };
    double *x[MOST];
    const double *first = ox_probe_values(p, 0);
    int n = ox_probe_before(p, x, MOST);
    bool same = first && (size_t)ox_count(ox_probe_input(p, 0)) == p->n;
    if (same && ox_probe_is(p, "Erf"))
        mapped(p, first, tanh_for_erf, "in the tanh approximation of GELU");
    else if (same && ox_probe_is(p, "Tanh"))
        mapped(p, first, erf_for_tanh, "in the exact (erf) GELU");
    for (int i = 0; i < n; i++) {
        mapped(p, x[i], gelu_tanh, "with the tanh approximation of GELU");
        mapped(p, x[i], gelu, "with the exact (erf) GELU");
        mapped(p, x[i], quick_gelu, "with x sigmoid(1.702 x) for GELU");
    }
}

static const struct { double (*f)(double); const char *name, *op; } functions[] = {
    { identity, "no activation", "Identity" }, { relu, "Relu", "Relu" }, { relu6, "Relu6", "" },
    { leaky, "LeakyRelu 0.01", "LeakyRelu" }, { sigmoid, "Sigmoid", "Sigmoid" },
    { tanh, "Tanh", "Tanh" }, { silu, "SiLU", "Swish" }, { elu, "Elu", "Elu" },
    { softplus, "Softplus", "Softplus" }, { hard_sigmoid, "HardSigmoid", "HardSigmoid" },
    { hard_sigmoid_keras, "HardSigmoid 0.2", "HardSigmoid" },
    { hard_swish, "HardSwish", "HardSwish" },
    { gelu, "Gelu", "Gelu" }, { mish, "Mish", "Mish" },
};

static bool is_activation(const ox_probe *p)
{
    static const char all[] = " Relu LeakyRelu Sigmoid Tanh Swish Elu Softplus HardSigmoid Gelu "
                              "HardSwish Mish Clip PRelu Selu Celu ThresholdedRelu Erf Mul ";
    char word[80];
    snprintf(word, sizeof word, " %.60s ", p->s->node->op_type);
    return strstr(all, word) != NULL;
}

/* The slope below 0 that leaves least. */
static double fit_slope(const ox_probe *p, const double *x)
{
    double xx = 0, xr = 0;
    for (size_t i = 0; i < p->n; i++) {
        double neg = fmin(x[i], 0);
        xx += neg * neg;
        xr += neg * p->ref[i];
    }
    return xx > 0 ? xr / xx : 0;
}

static void leaky_fit(ox_probe *p, const double *x, bool in_place)
{
    double *y = ox_probe_new(p, p->n), slope = fit_slope(p, x);
    char what[100];
    for (size_t i = 0; y && i < p->n; i++)
        y[i] = fmax(x[i], 0) + slope * fmin(x[i], 0);
    snprintf(what, sizeof what, in_place ? "with LeakyRelu %.6g in its place"
                                         : "followed by LeakyRelu %.6g", slope);
    if (y)
        ox_probe_score_fit(p, y, 1, what);
}

void ox_cause_leaky(ox_probe *p)
{
    const double *x = is_activation(p) ? ox_probe_values(p, 0) : NULL;
    if (x && (size_t)ox_count(ox_probe_input(p, 0)) == p->n)
        leaky_fit(p, x, true);
    if (p->truth)
        leaky_fit(p, p->truth, false);
}

void ox_cause_activation(ox_probe *p)
{
    const double *x = is_activation(p) ? ox_probe_values(p, 0) : NULL;
    bool same = x && (size_t)ox_count(ox_probe_input(p, 0)) == p->n;
    char what[100];
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        snprintf(what, sizeof what, "with %s in its place", functions[i].name);
        if (same && !ox_probe_is(p, functions[i].op))
            mapped(p, x, functions[i].f, what);
        snprintf(what, sizeof what, "followed by %s", functions[i].name);
        if (i > 0 && p->truth)
            mapped(p, p->truth, functions[i].f, what);
    }
}

void ox_cause_alpha(ox_probe *p) { ox_probe_solve(p, "alpha", 1e-4, 20); }

/* PRelu: one slope for all or for each channel; Clip: other ends. */
void ox_cause_slope(ox_probe *p)
{
    const double *x = ox_probe_values(p, 0);
    double *y = x ? ox_probe_new(p, p->n) : NULL, low = INFINITY, high = -INFINITY;
    bool clip = ox_probe_is(p, "Clip");
    char what[100];
    if (!y || (size_t)ox_count(ox_probe_input(p, 0)) != p->n)
        return;
    double slope = fit_slope(p, x);
    for (size_t i = 0; i < p->n; i++) {
        low = fmin(low, p->ref[i]);
        high = fmax(high, p->ref[i]);
    }
    for (size_t i = 0; i < p->n; i++)
        y[i] = clip ? fmin(fmax(x[i], low), high) : fmax(x[i], 0) + slope * fmin(x[i], 0);
    if (clip)
        snprintf(what, sizeof what, "with ends %.6g and %.6g", low, high);
    else
        snprintf(what, sizeof what, "with a slope of %.6g", slope);
    ox_probe_score_fit(p, y, clip ? 2 : 1, what);
}

/* ---- a constant operand, solved for ---- */

/* Index of the constant's element behind element i of the output. */
static size_t broadcast_index(const ox_tensor *c, const ox_tensor *y, size_t i)
{
    size_t at = 0, stride = 1;
    int64_t rest = (int64_t)i;
    for (int d = y->rank - 1; d >= 0; d--) {
        int64_t k = rest % y->dim[d];
        int e = d - (y->rank - c->rank);
        rest /= y->dim[d];
        if (e < 0)
            continue;
        at += (size_t)(c->dim[e] == 1 ? 0 : k) * stride;
        stride *= (size_t)c->dim[e];
    }
    return at;
}

void ox_cause_constant(ox_probe *p)
{
    int vary = ox_probe_only_varying(p);
    const ox_tensor *c = vary < 0 || p->s->r->n_in != 2 ? NULL : ox_probe_input(p, 1 - vary);
    const ox_tensor *y = p->s->r->out[p->s->out];
    const double *x = c ? ox_probe_values(p, vary) : NULL;
    bool product = ox_probe_is(p, "Mul") || ox_probe_is(p, "Div");
    if (!x || p->s->shape_differs || (size_t)ox_count(ox_probe_input(p, vary)) != p->n ||
        (vary == 1 && !ox_probe_is(p, "Add") && !ox_probe_is(p, "Mul")))
        return;
    size_t n = (size_t)ox_count(c);
    double *num = ox_probe_new(p, n), *den = ox_probe_new(p, n), *fit = ox_probe_new(p, p->n);
    if (!num || !den || !fit)
        return;
    for (size_t i = 0; i < p->n; i++) {
        size_t k = broadcast_index(c, y, i);
        num[k] += product ? x[i] * p->ref[i] : p->ref[i] - x[i];
        den[k] += product ? x[i] * x[i] : 1;
    }
    for (size_t i = 0; i < p->n; i++) {
        size_t k = broadcast_index(c, y, i);
        double v = num[k] / fmax(den[k], 1e-300);
        fit[i] = product ? x[i] * v : x[i] + v;
    }
    char what[100] = "with other numbers in its constant, solved for";
    if (n == 1)
        snprintf(what, sizeof what, "%s %.7g in place of its constant", product ? "times" : "plus",
                 num[0] / fmax(den[0], 1e-300));
    ox_probe_score_fit(p, fit, n, what);
}
