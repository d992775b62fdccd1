/* Causes in attention: scale and mask, in the operator or written out. */
#include "verify/explain.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* The reference is the truth times one number. */
static void scaled(ox_probe *p)
{
    double rt = 0, tt = 0;
    char what[100];
    double *y = p->truth ? ox_probe_copy(p, p->truth, p->n) : NULL;
    for (size_t i = 0; y && i < p->n; i++) {
        rt += p->ref[i] * p->truth[i];
        tt += p->truth[i] * p->truth[i];
    }
    if (!y || !(tt > 0))
        return;
    for (size_t i = 0; i < p->n; i++)
        y[i] *= rt / tt;
    snprintf(what, sizeof what, "times %.7g", rt / tt);
    ox_probe_score_fit(p, y, 1, what);
}

void ox_cause_attention_scale(ox_probe *p)
{
    const ox_tensor *q = ox_probe_input(p, 0);
    if (!ox_probe_is(p, "Attention")) {
        if (ox_probe_leads_to(p, "Softmax"))
            scaled(p);
        return;
    }
    int64_t heads = OX_MAX(ox_attr_i64(p->s->r, "q_num_heads"), 1);
    double d = q && q->rank > 0 ? (double)q->dim[q->rank - 1] : 1;
    d /= q && q->rank == 3 ? (double)heads : 1;
    ox_probe_with_float(p, "scale", 1);
    ox_probe_with_float(p, "scale", 1 / sqrt(d));
    ox_probe_with_float(p, "scale", 1 / d);
    ox_probe_solve(p, "scale", 1e-4, 20);
}

/* ---- masks ---- */

/* The node with tensor t in the place of input i. */
static void with_tensor(ox_probe *p, int i, const ox_tensor *t, const double *v, const char *what)
{
    const ox_tensor **tensors = ox_arena_array(p->a, (size_t)p->s->r->n_in + 1, sizeof(*tensors));
    const double **in = ox_probe_inputs(p);
    ox_run r = *p->s->r;
    if (!tensors || !in)
        return;
    memcpy(tensors, r.in, (size_t)r.n_in * sizeof(*tensors));
    tensors[i] = t;
    in[i] = v;
    r.in = tensors;
    ox_probe_replay_run(p, &r, p->s->node, in, what);
}

static void negated_bools(ox_probe *p, int i)
{
    const ox_tensor *m = ox_probe_input(p, i);
    ox_tensor t = *m;
    size_t n = (size_t)ox_count(m);
    bool *v = ox_arena_array(p->a, n + 1, sizeof(*v));
    if (!v)
        return;
    for (size_t k = 0; k < n; k++)
        v[k] = !((const bool *)m->data)[k];
    t.data = v;
    t.buf = NULL;
    with_tensor(p, i, &t, NULL, "with the mask negated");
}

/* A large negative number where there was none, and none where it was. */
static bool inverted(double *m, size_t n)
{
    double low = 0, high = -INFINITY;
    for (size_t k = 0; k < n; k++) {
        low = fmin(low, m[k]);
        high = fmax(high, m[k]);
    }
    bool mask = n > 1 && low <= -1e3 && high == 0;
    for (size_t k = 0; mask && k < n; k++)
        m[k] = m[k] == 0 ? low : 0;
    return mask;
}

static void attention_mask(ox_probe *p)
{
    const ox_tensor *m = ox_probe_input(p, 3);
    double *v = m ? ox_probe_values(p, 3) : NULL;
    if (!m)
        return;
    with_tensor(p, 3, NULL, NULL, "without a mask");
    if (m->dtype == OX_BOOL)
        negated_bools(p, 3);
    else if (v && inverted(v, (size_t)ox_count(m)))
        ox_probe_with_input(p, 3, v, "with the mask inverted");
    ox_probe_toggle(p, "is_causal");
}

static void added_mask(ox_probe *p)
{
    for (int i = 0; i < 2; i++) {
        const ox_tensor *m = ox_probe_input(p, i), *x = ox_probe_input(p, 1 - i);
        double *v = m ? ox_probe_values(p, i) : NULL, *other = x ? ox_probe_values(p, 1 - i) : NULL;
        if (!v || !inverted(v, (size_t)ox_count(m)))
            continue;
        ox_probe_with_input(p, i, v, "with the mask inverted");
        if (other && (size_t)ox_count(x) == p->n)
            ox_probe_score(p, other, "without the mask");
    }
}

static void exchanged_choices(ox_probe *p)
{
    const ox_sighting *s = p->s;
    const double **in = ox_probe_inputs(p);
    if (!in || s->r->n_in != 3 || !ox_probe_input(p, 1) || !ox_probe_input(p, 2))
        return;
    const ox_tensor *tensors[] = { s->r->in[0], s->r->in[2], s->r->in[1] };
    ox_run r = *s->r;
    in[1] = s->in[2];
    in[2] = s->in[1];
    r.in = tensors;
    ox_probe_replay_run(p, &r, s->node, in, "with the condition negated");
}

/* The truth holds 0 and 1 alone, and the reference the opposite. */
static void complement(ox_probe *p)
{
    double *y = p->truth ? ox_probe_copy(p, p->truth, p->n) : NULL;
    for (size_t i = 0; y && i < p->n; i++) {
        if (y[i] != 0 && y[i] != 1)
            return;
        y[i] = 1 - y[i];
    }
    if (y)
        ox_probe_score(p, y, "with 0 for 1 and 1 for 0: the mask is inverted");
}

void ox_cause_polarity(ox_probe *p)
{
    if (ox_probe_is(p, "Where"))
        exchanged_choices(p);
    else if (ox_probe_is(p, "Attention"))
        attention_mask(p);
    else if (ox_probe_is(p, "Add"))
        added_mask(p);
    complement(p);
}
