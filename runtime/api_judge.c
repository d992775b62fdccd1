/* The public API: verdicts, traces, reproducers. */
#include "runtime/api.h"
#include "runtime/graph/weights.h"
#include "verify/reduce.h"
#include "verify/report.h"
#include "verify/trace.h"

#include <stdlib.h>
#include <string.h>

_Static_assert((int)ONNXRUN_OURS_WRONG == (int)OX_OURS_WRONG, "findings differ");
_Static_assert((int)ONNXRUN_LOW_PRECISION == (int)OX_LOW_PRECISION, "findings differ");

const char *onnxrun_finding_name(onnxrun_finding f) { return ox_finding_name((ox_finding)f); }

static ox_options internal_options(const onnxrun_options *o)
{
    return (ox_options){.threads = o->threads,
                        .optimize = o->optimize,
                        .float_qdq = o->float_qdq,
                        .seed = o->seed,
                        .seeded = o->seeded,
                        .override = o->override,
                        .n_override = o->n_override};
}

/* Pointers seen through the other type are copied, not cast; NULL: out of memory. */
static const ox_value **values(const onnxrun_value *const *v, size_t n)
{
    const ox_value **to = calloc(n + 1, sizeof *to);
    for (size_t i = 0; i < n && to; i++)
        to[i] = ox_api_value(v[i]);
    return to;
}

static void give(onnxrun_judgement *to, const ox_judgement *j)
{
    *to = (onnxrun_judgement){.judged = j->judged,
                              .finding = (onnxrun_finding)j->finding,
                              .actual_error = j->actual_error,
                              .expected_error = j->expected_error,
                              .actual_margin = j->actual_margin,
                              .expected_margin = j->expected_margin,
                              .bound = j->bound,
                              .roundoff = j->roundoff};
    snprintf(to->reason, sizeof to->reason, "%s", j->reason);
    snprintf(to->node, sizeof to->node, "%s", j->node);
}

onnxrun_code onnxrun_judge(const onnxrun_model *m, const onnxrun_options *options,
                           const onnxrun_value *const *in, int n, const char *const *names,
                           const onnxrun_value *const *actual,
                           const onnxrun_value *const *expected, const bool *equal,
                           onnxrun_judgement *out, onnxrun_error *err)
{
    ox_error   e = { 0 };
    ox_options o = internal_options(options);
    size_t     n_in = (size_t)(m->m->graph->n_in + options->n_override);
    const ox_value **vin = values(in, n_in), **va = values(actual, (size_t)n),
                   **ve = values(expected, (size_t)n);
    bool         *none = calloc((size_t)n + 1, sizeof *none);
    ox_judgement *j = calloc((size_t)n + 1, sizeof *j);
    ox_code code = OX_E_NOMEM;
    if (!vin || !va || !ve || !none || !j) {
        code = OX_FAIL(&e, OX_E_NOMEM, "out of memory");
    } else {
        ox_judge_case c = { n, names, va, ve, equal ? equal : none };
        code = ox_weights_fill_all(m->m, &e);
        if (code == OX_OK)
            code = ox_judge(m->m, &o, vin, &c, j, &e);
    }
    for (int i = 0; i < n && code == OX_OK; i++)
        give(&out[i], &j[i]);
    free(vin);
    free(va);
    free(ve);
    free(none);
    free(j);
    return ox_api_give(err, &e, m->m->path, code);
}

/* ---- reproducers ---- */

static void give_reduction(onnxrun_reduction *to, const ox_reduction *r)
{
    *to = (onnxrun_reduction){.written = r->written,
                              .no_truth = r->no_truth,
                              .n_node = r->n_node,
                              .n_input = r->n_input,
                              .n_weight = r->n_weight,
                              .n_output = r->n_output,
                              .n_bytes = r->n_bytes,
                              .tolerance = r->tolerance};
    snprintf(to->node, sizeof to->node, "%s", r->node);
    snprintf(to->op, sizeof to->op, "%s", r->op);
    snprintf(to->value, sizeof to->value, "%s", r->value);
    snprintf(to->reason, sizeof to->reason, "%s", r->reason);
}

onnxrun_code onnxrun_reduce(const onnxrun_model *m, const onnxrun_options *options,
                            const onnxrun_value *const *in, size_t n, const char *const *names,
                            const onnxrun_value *const *v, const char *node, const char *folder,
                            onnxrun_reduction *out, onnxrun_error *err)
{
    ox_error     e = { 0 };
    ox_options   o = internal_options(options);
    ox_reduction r = { 0 };
    const ox_value **vin = values(in, (size_t)(m->m->graph->n_in + options->n_override));
    ox_known *ref = calloc(n + 1, sizeof *ref);
    ox_code code = vin && ref ? ox_weights_fill_all(m->m, &e) : OX_FAIL(&e, OX_E_NOMEM, "out of memory");
    for (size_t i = 0; i < n && code == OX_OK; i++)
        ref[i] = (ox_known){ names[i], ox_api_value(v[i]) };
    if (code == OX_OK)
        code = ox_reduce(m->m, &o, vin, ref, n, node, folder, &r, &e);
    if (code == OX_OK)
        give_reduction(out, &r);
    free(vin);
    free(ref);
    return ox_api_give(err, &e, m->m->path, code);
}

/* ---- traces ---- */

typedef struct trace_box { /* what onnxrun_trace points into; the public part comes first */
    onnxrun_trace        pub;
    ox_trace             t;
    onnxrun_trace_node  *node;
    onnxrun_explanation  explanation[OX_MAX_EXPLANATIONS];
} trace_box;

static void give_trace(trace_box *b)
{
    const ox_trace *t = &b->t;
    for (size_t i = 0; i < t->n_node; i++) {
        const ox_trace_node *n = &t->node[i];
        b->node[i] = (onnxrun_trace_node){ n->node, n->op, n->value, n->held, n->judged, n->departs,
                                           n->local, n->propagated, n->amplification, n->margin,
                                           n->max_abs, n->elements };
    }
    for (int i = 0; i < t->n_explanation; i++) {
        const ox_explanation *e = &t->explanation[i];
        b->explanation[i] = (onnxrun_explanation){ .cause = e->cause, .residual = e->residual };
        snprintf(b->explanation[i].text, sizeof e->text, "%s", e->text);
        snprintf(b->explanation[i].fix, sizeof e->fix, "%s", e->fix);
    }
    b->pub = (onnxrun_trace){ .verdict = (onnxrun_finding)t->verdict, .first = t->first,
                              .node = b->node, .n_node = t->n_node, .explanation = b->explanation,
                              .n_explanation = t->n_explanation, .n_unjudged = t->n_unjudged,
                              .n_held = t->n_held };
    snprintf(b->pub.reason, sizeof b->pub.reason, "%s", t->reason);
}

onnxrun_code onnxrun_trace_run(const onnxrun_model *m, const onnxrun_options *options,
                               const onnxrun_value *const *in, size_t n, const char *const *names,
                               const onnxrun_value *const *v, unsigned what, onnxrun_trace **out,
                               onnxrun_error *err)
{
    ox_error   e = { 0 };
    ox_options o = internal_options(options);
    const ox_value **vin = values(in, (size_t)(m->m->graph->n_in + options->n_override));
    ox_known  *ref = calloc(n + 1, sizeof *ref);
    trace_box *b = calloc(1, sizeof *b);
    ox_code code = vin && ref && b ? ox_weights_fill_all(m->m, &e) : OX_FAIL(&e, OX_E_NOMEM, "out of memory");
    *out = NULL;
    for (size_t i = 0; i < n && code == OX_OK; i++)
        ref[i] = (ox_known){ names[i], ox_api_value(v[i]) };
    if (code == OX_OK)
        code = ox_trace_run(m->m, &o, vin, ref, n, what, &b->t, &e);
    if (code == OX_OK && !(b->node = calloc(b->t.n_node + 1, sizeof *b->node)))
        code = OX_FAIL(&e, OX_E_NOMEM, "out of memory");
    free(vin);
    free(ref);
    if (code == OX_OK) {
        give_trace(b);
        *out = &b->pub;
    } else if (b) {
        onnxrun_trace_destroy(&b->pub);
    }
    return ox_api_give(err, &e, m->m->path, code);
}

onnxrun_code onnxrun_trace_report(const onnxrun_trace *t, const onnxrun_model *m, const char *reference,
                                  FILE *to, onnxrun_error *err)
{
    ox_error e = { 0 };
    const trace_box *b = (const trace_box *)(const void *)t;
    return ox_api_give(err, &e, m->m->path, ox_report(&b->t, m->m, reference, to, &e));
}

void onnxrun_trace_destroy(onnxrun_trace *t)
{
    trace_box *b = (trace_box *)(void *)t;
    if (!b)
        return;
    ox_trace_release(&b->t);
    free(b->node);
    free(b);
}
