/* Known conversion mistakes, replayed: causes.def lists them, explain_*.c makes their variants. */
#include "verify/explain.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const double good_enough = 0.1; /* of the difference may remain */

typedef struct cause {
    void      (*replay)(ox_probe *p);
    const char *name, *ops, *fix; /* ops: " Conv Gemm "; NULL: every operator */
} cause;

#define ANY      NULL
#define POOLS    " MaxPool AveragePool LpPool "
#define WINDOWS  " Conv ConvTranspose MaxPool AveragePool LpPool "
#define NORMS    " LayerNormalization GroupNormalization InstanceNormalization RMSNormalization "
#define LINEAR   " Conv ConvTranspose Gemm MatMul "
#define RNN      " GRU LSTM RNN "
#define CAUSE(fn, name, ops, fix) { ox_cause_##fn, name, ops, fix },
static const cause causes[] = {
#include "verify/causes.def"
};
enum { N_CAUSES = sizeof causes / sizeof *causes };

typedef struct found {
    const cause *c;
    bool         complete;
    double       residual;
    char         text[300];
} found;

/* Of causes that leave nothing the one listed first is the most specific; else less is better. */
static bool before(const found *a, const found *b)
{
    if (a->complete != b->complete)
        return a->complete;
    return a->complete ? a->c < b->c : a->residual < b->residual;
}

static void rank(ox_trace *t, found *f, int n)
{
    for (int i = 1; i < n; i++)
        for (int k = i; k > 0 && before(&f[k], &f[k - 1]); k--) {
            found swap = f[k];
            f[k] = f[k - 1];
            f[k - 1] = swap;
        }
    t->n_explanation = 0;
    for (int i = 0; i < n && t->n_explanation < OX_MAX_EXPLANATIONS; i++) {
        bool named = false; /* rows of one name are one cause */
        for (int k = 0; k < i; k++)
            named |= strcmp(f[k].c->name, f[i].c->name) == 0;
        if (named)
            continue;
        ox_explanation *e = &t->explanation[t->n_explanation++];
        *e = (ox_explanation){ .cause = f[i].c->name, .residual = f[i].residual };
        snprintf(e->text, sizeof e->text, "%s", f[i].text);
        snprintf(e->fix, sizeof e->fix, "%s", f[i].c->fix);
    }
}

static bool applies(const cause *c, const char *op)
{
    char word[120];
    snprintf(word, sizeof word, " %.100s ", op);
    return !c->ops || strstr(c->ops, word);
}

/* A remainder that is mere rounding of the reference. */
static double rounding(const ox_probe *p)
{
    ox_dtype t = p->shape->dtype;
    return ox_is_float(t) ? 64 * ox_dtype_roundoff(t) * ox_rms(p->ref, NULL, p->n) : 0;
}

/* Complete is what leaves mere rounding, or hardly more than the best. */
static void mark_complete(const ox_probe *p, found *f, int n)
{
    double least = 1;
    for (int i = 0; i < n; i++)
        least = fmin(least, f[i].residual);
    for (int i = 0; i < n; i++)
        f[i].complete = f[i].residual * p->whole <= rounding(p) || f[i].residual <= 30 * least;
}

static int search(ox_probe *p, found *f)
{
    int n = 0;
    for (int i = 0; i < N_CAUSES; i++) {
        if (!applies(&causes[i], p->s->node->op_type))
            continue;
        p->best = 1;
        causes[i].replay(p);
        ox_arena_reset(p->a);
        if (p->best >= good_enough)
            continue;
        f[n] = (found){ .c = &causes[i], .residual = p->best };
        snprintf(f[n].text, sizeof f[n].text, "%s", p->text);
        n++;
    }
    mark_complete(p, f, n);
    return n;
}

static ox_code begin(ox_probe *p, ox_error *err)
{
    const ox_sighting *s = p->s;
    p->keep = ox_arena_create(0);
    p->a = ox_arena_create(0);
    p->scratch = ox_arena_create(0);
    p->n = (size_t)ox_count(s->held_as);
    double *ref = p->keep ? ox_arena_array(p->keep, p->n + 1, sizeof(*ref)) : NULL;
    if (!p->a || !p->scratch || !ref)
        return OX_FAIL(err, OX_E_NOMEM, "out of memory");
    ox_to_f64(ref, s->held_as->data, s->held_as->dtype, p->n);
    p->ref = ref;
    p->shape = s->shape_differs ? s->held_as : s->r->out[s->out];
    if (s->n == p->n)
        p->truth = s->truth ? s->truth : s->ours;
    p->off = 100 * ox_rms(ref, NULL, p->n) + 1;
    for (size_t i = 0; i < p->n; i++) {
        double d = p->truth ? p->truth[i] == ref[i] ? 0 : p->truth[i] - ref[i] : ref[i];
        p->whole += isfinite(d) ? d * d : p->off * p->off;
    }
    p->whole = sqrt(p->whole / (double)OX_MAX(p->n, 1));
    return OX_OK;
}

ox_code ox_explain(const ox_sighting *s, ox_trace *t, ox_error *err)
{
    found f[N_CAUSES];
    ox_probe p = { .s = s };
    ox_code code = begin(&p, err);
    if (code == OX_OK) {
        rank(t, f, p.whole > 0 && p.n > 0 ? search(&p, f) : 0);
        if (t->n_explanation == 0) {
            ox_explanation *e = &t->explanation[t->n_explanation++];
            *e = (ox_explanation){ .cause = "unknown", .residual = 1 };
            snprintf(e->text, sizeof e->text,
                     "no known conversion mistake reproduces the reference at this node%s", p.hint);
        }
    }
    ox_arena_destroy(p.scratch);
    ox_arena_destroy(p.a);
    ox_arena_destroy(p.keep);
    return code;
}
