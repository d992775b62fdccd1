/* Variants of the node that departs, and what each leaves of the difference. */
#include "verify/explain.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

void ox_probe_score(ox_probe *p, const double *y, const char *what)
{
    double left = ox_rms(y, p->s->ref, p->s->n) / p->whole;
    for (size_t i = 0; i < p->s->n; i++)
        if (!isfinite(y[i]) && isfinite(p->s->ref[i]))
            return;
    if (left >= p->best)
        return;
    p->best = left;
    snprintf(p->text, sizeof p->text, "the reference is what the node gives %s", what);
}

double *ox_probe_copy(ox_probe *p, const double *v, size_t n)
{
    double *c = ox_arena_array(p->a, n + 1, sizeof(*c));
    if (c)
        memcpy(c, v, n * sizeof(*c));
    return c;
}

const ox_tensor *ox_probe_input(const ox_probe *p, int i)
{
    const ox_tensor *x = i < p->s->r->n_in ? p->s->r->in[i] : NULL;
    return x && x->data && ox_dtype_converts(x->dtype) ? x : NULL;
}

/* Input i as the chain has it; NULL: absent. */
double *ox_probe_values(ox_probe *p, int i)
{
    const ox_tensor *x = ox_probe_input(p, i);
    if (!x)
        return NULL;
    size_t n = (size_t)ox_count(x);
    double *v = ox_arena_array(p->a, n + 1, sizeof(*v));
    if (v && p->s->in[i])
        memcpy(v, p->s->in[i], n * sizeof(*v));
    else if (v)
        ox_to_f64(v, x->data, x->dtype, n);
    return v;
}

void ox_probe_replay(ox_probe *p, const ox_op *op, const ox_node *node, const double *const *in,
                   const char *what)
{
    ox_truth t;
    ox_tensor *const *out;
    ox_error err = { 0 };
    if (ox_truth_replay(p->a, p->s->r, op, node, in, &t, &out, &err) != OX_OK)
        return; /* a variant that the operator refuses explains nothing */
    if (out[p->s->out] && t.value[p->s->out] && (size_t)ox_count(out[p->s->out]) == p->s->n)
        ox_probe_score(p, t.value[p->s->out], what);
}

void ox_probe_with_input(ox_probe *p, int i, const double *v, const char *what)
{
    const double **in = ox_arena_array(p->a, (size_t)p->s->r->n_in + 1, sizeof(*in));
    if (!in || !v)
        return;
    memcpy(in, p->s->in, (size_t)p->s->r->n_in * sizeof(*in));
    in[i] = v;
    ox_probe_replay(p, p->s->r->op, p->s->node, in, what);
}

void ox_probe_with_attr(ox_probe *p, ox_attr attr, const char *what)
{
    const ox_node *from = p->s->node;
    ox_node *n = ox_arena_array(p->a, 1, sizeof(*n));
    ox_attr *all = ox_arena_array(p->a, (size_t)from->n_attr + 1, sizeof(*all));
    if (!n || !all)
        return;
    *n = *from;
    n->attr = all;
    n->n_attr = 0;
    for (int i = 0; i < from->n_attr; i++)
        if (strcmp(from->attr[i].name, attr.name) != 0)
            all[n->n_attr++] = from->attr[i];
    all[n->n_attr++] = attr;
    ox_probe_replay(p, p->s->r->op, n, p->s->in, what);
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
    double step = 10, at = -1;
    for (double e = least; e < most; e *= step) {
        double before = p->best;
        ox_probe_with_float(p, name, e);
        at = p->best < before ? e : at;
    }
    for (; at > 0 && step > 1.0001; step = sqrt(step)) /* steps of a factor that shrinks */
        for (int side = 0; side < 2; side++) {
            double before = p->best, e = side ? at * step : at / step;
            ox_probe_with_float(p, name, e);
            at = p->best < before ? e : at;
        }
}
