/* Variants of the node that departs, and what each leaves of the difference. */
#include "verify/explain.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- scoring ---- */

static double distance(const ox_probe *p, const double *y)
{
    double sum = 0;
    for (size_t i = 0; i < p->n; i++) {
        double d = y[i] == p->ref[i] || (isnan(y[i]) && isnan(p->ref[i])) ? 0 : y[i] - p->ref[i];
        d = isfinite(d) ? d : p->off;
        sum += d * d;
    }
    return sqrt(sum / (double)OX_MAX(p->n, 1));
}

void ox_probe_score(ox_probe *p, const double *y, const char *what)
{
    double left = distance(p, y) / p->whole;
    if (!(left < p->best))
        return;
    p->best = left;
    snprintf(p->text, sizeof p->text, "the reference is what the node gives %s", what);
}

void ox_probe_score_fit(ox_probe *p, const double *y, size_t n_free, const char *what)
{
    if (p->n < n_free + 2 || 4 * p->n < 5 * n_free)
        return;
    double left = distance(p, y) / p->whole;
    left *= sqrt((double)p->n / (double)(p->n - n_free));
    if (!(left < p->best) || (p->n < 4 * n_free && left > 0.02))
        return;
    p->best = left;
    snprintf(p->text, sizeof p->text, "the reference is what the node gives %s", what);
}

/* ---- replaying ---- */

/* In p->scratch. */
static const double *outcome(ox_probe *p, const ox_run *r, const ox_op *op, const ox_node *node,
                             const double *const *in)
{
    ox_truth t;
    ox_tensor *const *out;
    ox_error err = { 0 };
    int o = p->s->out;
    if (ox_truth_replay(p->scratch, r, op, node, in, &t, &out, &err) != OX_OK)
        return NULL; /* a variant that the operator refuses explains nothing */
    if (o >= t.n_out || !out[o] || !t.value[o] || (size_t)ox_count(out[o]) != p->n)
        return NULL;
    return t.value[o];
}

static void replay(ox_probe *p, const ox_run *r, const ox_op *op, const ox_node *node,
                   const double *const *in, const char *what)
{
    const double *y = in ? outcome(p, r, op, node, in) : NULL;
    if (y)
        ox_probe_score(p, y, what);
    ox_arena_reset(p->scratch);
}

void ox_probe_replay(ox_probe *p, const ox_op *op, const ox_node *node, const double *const *in,
                     const char *what)
{
    replay(p, p->s->r, op, node, in, what);
}

void ox_probe_replay_run(ox_probe *p, const ox_run *r, const ox_node *node, const double *const *in,
                         const char *what)
{
    replay(p, r, r->op, node, in, what);
}

double *ox_probe_outcome(ox_probe *p, const double *const *in)
{
    const double *y = outcome(p, p->s->r, p->s->r->op, p->s->node, in);
    double *c = y ? ox_probe_copy(p, y, p->n) : NULL;
    ox_arena_reset(p->scratch);
    return c;
}

const double **ox_probe_inputs(ox_probe *p)
{
    size_t n = (size_t)p->s->r->n_in;
    const double **in = ox_arena_array(p->a, n + 1, sizeof(*in));
    if (in)
        memcpy(in, p->s->in, n * sizeof(*in));
    return in;
}

void ox_probe_with_input(ox_probe *p, int i, const double *v, const char *what)
{
    const double **in = ox_probe_inputs(p);
    if (!in || !v)
        return;
    in[i] = v;
    ox_probe_replay(p, p->s->r->op, p->s->node, in, what);
}

/* ---- attributes ---- */

void ox_probe_with_attrs(ox_probe *p, const ox_attr *attr, int n_new, const char *what)
{
    const ox_node *from = p->s->node;
    ox_node *n = ox_arena_array(p->a, 1, sizeof(*n));
    ox_attr *all = ox_arena_array(p->a, (size_t)(from->n_attr + n_new), sizeof(*all));
    if (!n || !all)
        return;
    *n = *from;
    n->attr = all;
    n->n_attr = 0;
    for (int i = 0; i < from->n_attr; i++) {
        bool replaced = false;
        for (int k = 0; k < n_new; k++)
            replaced |= strcmp(from->attr[i].name, attr[k].name) == 0;
        if (!replaced)
            all[n->n_attr++] = from->attr[i];
    }
    for (int k = 0; k < n_new; k++)
        all[n->n_attr++] = attr[k];
    ox_probe_replay(p, p->s->r->op, n, p->s->in, what);
}

void ox_probe_with_attr(ox_probe *p, ox_attr attr, const char *what)
{
    ox_probe_with_attrs(p, &attr, 1, what);
}

void ox_probe_with_int(ox_probe *p, const char *name, int64_t v)
{
    char what[100];
    snprintf(what, sizeof what, "with %s %lld", name, (long long)v);
    ox_probe_with_attr(p, (ox_attr){ .name = name, .kind = OX_ATTR_INT, .i = v }, what);
}

void ox_probe_with_float(ox_probe *p, const char *name, double v)
{
    char what[100];
    snprintf(what, sizeof what, "with %s %.6g", name, v);
    ox_probe_with_attr(p, (ox_attr){ .name = name, .kind = OX_ATTR_FLOAT, .f = (float)v }, what);
}

void ox_probe_with_word(ox_probe *p, const char *name, const char *v)
{
    char what[100];
    snprintf(what, sizeof what, "with %s %s", name, v);
    ox_attr attr = { .name = name, .kind = OX_ATTR_STRING, .s = { v, strlen(v) } };
    ox_probe_with_attr(p, attr, what);
}

void ox_probe_toggle(ox_probe *p, const char *name)
{
    ox_probe_with_int(p, name, !ox_attr_i64(p->s->r, name));
}

void ox_probe_with_ints(ox_probe *p, const char *name, const int64_t *v, int n)
{
    char what[200];
    size_t used = (size_t)snprintf(what, sizeof what, "with %s", name);
    int64_t *c = ox_arena_array(p->a, (size_t)n + 1, sizeof(*c));
    if (!c)
        return;
    memcpy(c, v, (size_t)n * sizeof(*c));
    for (int i = 0; i < n && used < sizeof what; i++)
        used += (size_t)snprintf(what + used, sizeof what - used, " %lld", (long long)v[i]);
    ox_attr attr = { .name = name, .kind = OX_ATTR_INTS, .n = n, .ints = c };
    ox_probe_with_attr(p, attr, what);
}

void ox_probe_solve(ox_probe *p, const char *name, double least, double most)
{
    double step = 10, at = ox_attr_f64(p->s->r, name);
    for (double e = least; e < most; e *= step) {
        double before = p->best;
        ox_probe_with_float(p, name, e);
        at = p->best < before ? e : at;
    }
    for (; at > 0 && step > 1.000001; step = sqrt(step)) /* steps of a factor that shrinks */
        for (int side = 0; side < 2; side++) {
            double before = p->best, e = side ? at * step : at / step;
            ox_probe_with_float(p, name, e);
            at = p->best < before ? e : at;
        }
}

/* ---- numbers ---- */

double ox_round_bits(double v, int bits)
{
    int e;
    double m = frexp(v, &e);
    return isfinite(v) ? ldexp(rint(ldexp(m, bits)), e - bits) : v;
}

bool ox_all_fit_bits(const double *v, size_t n, int bits)
{
    for (size_t i = 0; i < n; i++)
        if (isfinite(v[i]) && ox_round_bits(v[i], bits) != v[i])
            return false;
    return true;
}

bool ox_next_permutation(int *v, int n)
{
    int i = n - 2, j = n - 1;
    while (i >= 0 && v[i] >= v[i + 1])
        i--;
    if (i < 0)
        return false;
    while (v[j] <= v[i])
        j--;
    int t = v[i];
    v[i] = v[j];
    v[j] = t;
    for (i++, j = n - 1; i < j; i++, j--) {
        t = v[i];
        v[i] = v[j];
        v[j] = t;
    }
    return true;
}
