/* Causes in recurrent operators. */
#include "verify/explain.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Blocks of rows of W, R and B in another order. */
static double *reorder(ox_probe *p, int i, const int *perm, int gates)
{
    const ox_tensor *w = ox_probe_input(p, i);
    const double *v = ox_probe_values(p, i);
    double *y = v ? ox_probe_copy(p, v, (size_t)ox_count(w)) : NULL;
    if (!y || w->rank < 2 || w->dim[1] % gates)
        return NULL;
    int64_t size = w->dim[1] / gates * ox_numel(w, 2, w->rank), many = w->dim[0];
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
    int n = ox_probe_is(p, "LSTM") ? 4 : 3, perm[] = { 0, 1, 2, 3 };
    char what[100];
    while (ox_next_permutation(perm, n)) {
        const double **in = ox_probe_inputs(p);
        if (!in)
            return;
        for (int i = 1; i < 4; i++)
            if (ox_probe_input(p, i))
                in[i] = reorder(p, i, perm, n);
        int used = snprintf(what, sizeof what, "with its gates in the order");
        for (int g = 0; g < n; g++)
            used += snprintf(what + used, sizeof what - (size_t)used, " %d", perm[g]);
        ox_probe_replay(p, p->s->r->op, p->s->node, in, what);
    }
}

void ox_cause_linear_reset(ox_probe *p) { ox_probe_toggle(p, "linear_before_reset"); }

/* ---- direction ---- */

/* What belongs to the one direction goes to the other. */
static void exchanged_directions(ox_probe *p)
{
    const double **in = ox_probe_inputs(p);
    for (int i = 1; in && i < p->s->r->n_in; i++) {
        const ox_tensor *t = i == 4 ? NULL : ox_probe_input(p, i);
        double *v = t ? ox_probe_values(p, i) : NULL, *y;
        if (!v || t->rank < 1 || t->dim[0] != 2 || !(y = ox_probe_copy(p, v, (size_t)ox_count(t))))
            continue;
        size_t half = (size_t)ox_count(t) / 2;
        memcpy(y, v + half, half * sizeof(*y));
        memcpy(y + half, v, half * sizeof(*y));
        in[i] = y;
    }
    if (in)
        ox_probe_replay(p, p->s->r->op, p->s->node, in,
                        "with the weights of its two directions exchanged");
}

void ox_cause_direction(ox_probe *p)
{
    const char *now = ox_attr_str(p->s->r, "direction");
    if (now && strcmp(now, "bidirectional") == 0)
        exchanged_directions(p);
    else
        ox_probe_with_word(p, "direction",
                           now && strcmp(now, "reverse") == 0 ? "forward" : "reverse");
}

/* ---- initial state ---- */

static void without_state(ox_probe *p)
{
    static const char *const what[] = { "with an initial state of zeros", "with initial_h of zeros",
                                        "with initial_c of zeros" };
    for (int variant = 0; variant < 3; variant++) {
        const double **in = ox_probe_inputs(p);
        for (int i = 5; in && i < 7; i++)
            if (ox_probe_input(p, i) && variant != 7 - i)
                in[i] = ox_probe_new(p, (size_t)ox_count(ox_probe_input(p, i)));
        if (in)
            ox_probe_replay(p, p->s->r->op, p->s->node, in, what[variant]);
    }
}

typedef struct states {
    int     n;           /* initial_h, initial_c */
    int64_t dirs, batch, hidden;
    double *v[2];        /* [dirs][batch][hidden], the current guess */
} states;

/* The node's output with the states; unit u of all sequences moved by `by` (u < 0: none). */
static double *with_states(ox_probe *p, const states *s, int64_t u, double by)
{
    const double **in = ox_probe_inputs(p);
    int64_t total = s->dirs * s->batch;
    for (int k = 0; in && k < s->n; k++) {
        double *v = ox_probe_copy(p, s->v[k], (size_t)(total * s->hidden));
        if (!v)
            return NULL;
        for (int64_t b = 0; b < total && u / s->hidden == k && u >= 0; b++)
            v[b * s->hidden + u % s->hidden] += by;
        in[5 + k] = v;
    }
    return in ? ox_probe_outcome(p, in) : NULL;
}

/* Y is [time][dirs][batch][hidden]: the row of one sequence in one direction. */
static size_t at(const states *s, int64_t t, int64_t b, int64_t h)
{
    return (size_t)((t * s->dirs * s->batch + b) * s->hidden + h);
}

/* One damped step of Gauss and Newton for one sequence; a backward direction begins at the end. */
static bool step(ox_probe *p, states *s, double **slope, const double *now, int64_t b,
                 double damping)
{
    size_t k = (size_t)(s->n * s->hidden);
    int64_t all = (int64_t)p->n / (s->dirs * s->batch * s->hidden), time = OX_MIN(all, s->n + 1);
    const char *word = ox_attr_str(p->s->r, "direction");
    bool back = b / s->batch == 1 || (word && strcmp(word, "reverse") == 0);
    double *a = ox_probe_new(p, k * k), *r = ox_probe_new(p, k);
    if (!a || !r)
        return false;
    for (int64_t t = 0; t < time; t++)
        for (int64_t h = 0; h < s->hidden; h++) {
            size_t e = at(s, back ? all - 1 - t : t, b, h);
            for (size_t i = 0; i < k; i++) {
                r[i] += slope[i][e] * (p->ref[e] - now[e]);
                for (size_t j = 0; j <= i; j++)
                    a[i * k + j] += slope[i][e] * slope[j][e];
            }
        }
    for (size_t i = 0; i < k; i++)
        a[i * k + i] *= 1 + damping;
    if (!ox_solve(a, r, k, 1))
        return false;
    for (int64_t i = 0; i < (int64_t)k; i++)
        s->v[i / s->hidden][b * s->hidden + i % s->hidden] += fmax(-1, fmin(r[i], 1));
    return true;
}

/* An initial state that the model does not have: solved for, if the sequence is long enough. */
static void solved_state(ox_probe *p)
{
    enum { ROUNDS = 14, MOST = 64 };
    const ox_tensor *r = ox_probe_input(p, 2), *x = ox_probe_input(p, 0);
    states s = { .n = ox_probe_is(p, "LSTM") ? 2 : 1 };
    double *slope[2 * MOST];
    if (!r || !x || r->rank != 3 || x->rank != 3 || p->s->out != 0 || r->dim[2] > MOST ||
        ox_attr_i64(p->s->r, "layout") || p->s->r->n_in < 5 + s.n)
        return;
    s.dirs = r->dim[0];
    s.batch = x->dim[1];
    s.hidden = r->dim[2];
    size_t size = (size_t)(s.dirs * s.batch * s.hidden), k = (size_t)(s.n * s.hidden);
    for (int i = 0; i < s.n; i++)
        if (!ox_probe_input(p, 5 + i) || !(s.v[i] = ox_probe_values(p, 5 + i)))
            return;
    for (int round = 0; round < ROUNDS; round++) {
        double *now = with_states(p, &s, -1, 0);
        if (!now)
            return;
        ox_probe_score_fit(p, now, size * (size_t)s.n, "with another initial state, solved for");
        for (size_t u = 0; u < k; u++) {
            if (!(slope[u] = with_states(p, &s, (int64_t)u, 1e-4)))
                return;
            for (size_t i = 0; i < p->n; i++)
                slope[u][i] = (slope[u][i] - now[i]) / 1e-4;
        }
        for (int64_t b = 0; b < s.dirs * s.batch; b++)
            if (!step(p, &s, slope, now, b, round < 8 ? ldexp(1, -2 * round) : 0))
                return;
    }
}

void ox_cause_state(ox_probe *p)
{
    without_state(p);
    if (p->best > 0.1)
        solved_state(p);
}
