/* Known conversion mistakes, replayed: causes.def lists them, explain_*.c makes their variants. */
#include "verify/explain.h"

#include <stdio.h>
#include <string.h>

static const double good_enough = 0.1; /* of the difference may remain */

typedef struct cause {
    void      (*replay)(ox_probe *p);
    const char *name, *ops, *fix; /* ops: " Conv Gemm "; NULL: every operator */
} cause;

#define ANY     NULL
#define POOLS   " MaxPool AveragePool LpPool "
#define WINDOWS " Conv ConvTranspose MaxPool AveragePool LpPool "
#define NORMS   " LayerNormalization GroupNormalization InstanceNormalization RMSNormalization "
#define LINEAR  " Conv ConvTranspose Gemm MatMul "
#define RNN     " GRU LSTM RNN "
#define CAUSE(fn, name, ops, fix) { ox_cause_##fn, name, ops, fix },
static const cause causes[] = {
#include "verify/causes.def"
};

static void add(ox_trace *t, const char *name, double residual, const char *text, const char *fix)
{
    int at = t->n_explanation;
    while (at > 0 && t->explanation[at - 1].residual > residual)
        at--;
    if (at == OX_MAX_EXPLANATIONS)
        return;
    int n = OX_MIN(t->n_explanation, OX_MAX_EXPLANATIONS - 1);
    memmove(&t->explanation[at + 1], &t->explanation[at],
            (size_t)(n - at) * sizeof(*t->explanation));
    t->n_explanation = n + 1;
    t->explanation[at] = (ox_explanation){ .cause = name, .residual = residual };
    snprintf(t->explanation[at].text, sizeof t->explanation[at].text, "%s", text);
    snprintf(t->explanation[at].fix, sizeof t->explanation[at].fix, "%s", fix);
}

static bool applies(const cause *c, const char *op)
{
    char word[120];
    snprintf(word, sizeof word, " %s ", op);
    return !c->ops || strstr(c->ops, word);
}

ox_code ox_explain(const ox_sighting *s, ox_trace *t, ox_error *err)
{
    ox_probe p = { .s = s, .whole = ox_rms(s->ref, s->truth, s->n) };
    if (!(p.a = ox_arena_create(0)))
        return OX_FAIL(err, OX_E_NOMEM, "out of memory");
    for (size_t i = 0; i < sizeof causes / sizeof *causes && p.whole > 0; i++) {
        if (!applies(&causes[i], s->node->op_type))
            continue;
        p.best = 1;
        causes[i].replay(&p);
        if (p.best < good_enough)
            add(t, causes[i].name, p.best, p.text, causes[i].fix);
        ox_arena_reset(p.a);
    }
    if (t->n_explanation == 0)
        add(t, "unknown", 1, "no known conversion mistake reproduces the reference at this node",
            "");
    ox_arena_destroy(p.a);
    return OX_OK;
}
