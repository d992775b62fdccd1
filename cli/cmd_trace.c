/* Node by node against a reference: values by name, another model, or the float64 oracle. */
#include "cli/cli.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- printing ---- */

static void print_row(const onnxrun_trace_node *n)
{
    if (n->judged)
        printf("%-8s %-40.40s %-20.20s local %-10.3g propagated %-10.3g margin %.3g\n",
               n->departs ? "departs" : "ok", clean(n->node), n->op, n->local, n->propagated, n->margin);
    else
        printf("%-8s %-40.40s %-20.20s\n", n->held ? "no truth" : "-", clean(n->node), n->op);
}

static int by_margin(const void *a, const void *b)
{
    double x = (*(const onnxrun_trace_node *const *)a)->margin, y = (*(const onnxrun_trace_node *const *)b)->margin;
    return (x < y) - (x > y);
}

static int print_suspects(const onnxrun_trace *t)
{
    const onnxrun_trace_node **rank = calloc(t->n_node + 1, sizeof *rank);
    size_t n = 0;
    if (!rank)
        return complain("out of memory");
    for (size_t i = 0; i < t->n_node; i++)
        if (t->node[i].departs)
            rank[n++] = &t->node[i];
    qsort(rank, n, sizeof *rank, by_margin);
    if (n > 0)
        printf("suspects, the largest error over what rounding allows first:\n");
    for (size_t i = 0; i < n && i < 10; i++)
        printf("  %.3g  %s (%s) -> %s\n", rank[i]->margin, clean(rank[i]->node), rank[i]->op, clean(rank[i]->value));
    free(rank);
    return 0;
}

static int print_text(const args *a, const onnxrun_trace *t)
{
    for (size_t i = 0; i < t->n_node; i++)
        if (t->node[i].held || a->verbose)
            print_row(&t->node[i]);
    int status = print_suspects(t);
    for (int i = 0; i < t->n_explanation; i++) {
        const onnxrun_explanation *e = &t->explanation[i];
        printf("%s: %s (%.3g of the difference remains)%s%s\n", e->cause, clean(e->text), e->residual,
               *e->fix ? "; fix: " : "", e->fix);
    }
    if (t->n_unjudged > 0)
        printf("%zu of %zu values could not be judged: their operators have no float64 truth\n",
               t->n_unjudged, t->n_held);
    printf("%s\n%s\n", clean(t->reason), onnxrun_finding_name(t->verdict));
    return status;
}

static void json_row(json *o, const onnxrun_trace_node *n)
{
    json_open(o, NULL, '{');
    json_str(o, "node", n->node);
    json_str(o, "op", n->op);
    json_str(o, "value", n->value);
    json_num(o, "local", n->local);
    json_num(o, "propagated", n->propagated);
    json_num(o, "amplification", n->amplification);
    json_num(o, "margin", n->margin);
    json_num(o, "max_abs", n->max_abs);
    json_int(o, "elements", n->elements);
    json_bool(o, "held", n->held);
    json_bool(o, "judged", n->judged);
    json_bool(o, "departs", n->departs);
    json_close(o, '}');
}

static void print_json(const onnxrun_trace *t)
{
    json o = { .f = stdout };
    json_open(&o, NULL, '{');
    json_int(&o, "schema", 1);
    json_str(&o, "verdict", onnxrun_finding_name(t->verdict));
    json_str(&o, "reason", t->reason);
    if (t->first < 0) {
        json_null(&o, "first");
    } else {
        json_open(&o, "first", '{');
        json_str(&o, "node", t->node[t->first].node);
        json_str(&o, "op", t->node[t->first].op);
        json_str(&o, "value", t->node[t->first].value);
        json_close(&o, '}');
    }
    json_open(&o, "nodes", '[');
    for (size_t i = 0; i < t->n_node; i++)
        json_row(&o, &t->node[i]);
    json_close(&o, ']');
    json_open(&o, "explanations", '[');
    for (int i = 0; i < t->n_explanation; i++) {
        json_open(&o, NULL, '{');
        json_str(&o, "cause", t->explanation[i].cause);
        json_num(&o, "residual", t->explanation[i].residual);
        json_str(&o, "text", t->explanation[i].text);
        json_str(&o, "fix", t->explanation[i].fix);
        json_close(&o, '}');
    }
    json_close(&o, ']');
    json_close(&o, '}');
}

/* ---- the command ---- */

static int write_report(job *j, const onnxrun_trace *t, onnxrun_output *to)
{
    const char *against = strcmp(j->a->against, "oracle") == 0 ? NULL : j->a->against;
    FILE *f;
    if (onnxrun_output_stream(to, &f, &j->err) ||
        onnxrun_trace_report(t, j->model, against, f, &j->err) || onnxrun_output_commit(to, &j->err))
        return complain_of(j->a->report, &j->err);
    return 0;
}

static int trace(job *j, holdings *k)
{
    const args *a = j->a;
    onnxrun_trace  *t;
    onnxrun_output *to = NULL;
    unsigned what = (a->no_explain ? 0 : ONNXRUN_TRACE_EXPLAIN) | (a->report ? ONNXRUN_TRACE_REPORT : 0);
    int status = load_known(j, k);
    if (status)
        return status;
    if (a->report && onnxrun_output_open(a->report, ONNXRUN_STREAM, &to, &j->err))
        return complain_of(a->report, &j->err);
    if (onnxrun_trace_run(j->model, &j->options, j->in, k->n, k->name, k->value, what, &t, &j->err)) {
        onnxrun_output_destroy(to);
        return complain_of(j->path, &j->err);
    }
    if (to)
        status = write_report(j, t, to);
    if (status == 0 && a->json)
        print_json(t);
    else if (status == 0)
        status = print_text(a, t);
    if (status == 0)
        status = t->first >= 0 ? STATUS_DIFFERENT : STATUS_OK;
    onnxrun_output_destroy(to);
    onnxrun_trace_destroy(t);
    return status;
}

static bool same_bits(const onnxrun_value *a, const onnxrun_value *b)
{
    size_t n = onnxrun_value_bytes(a);
    return n == onnxrun_value_bytes(b) &&
           (n == 0 || memcmp(onnxrun_value_data(a), onnxrun_value_data(b), n) == 0);
}

/* Every value with 1, 2, 3 and 8 threads; of a random operator too, since the seed is the same. */
static int determinism(job *j)
{
    static const char *const all[] = { "all" };
    static const int threads[] = { 1, 2, 3, 8 };
    onnxrun_session *s[4] = { 0 };
    const onnxrun_value **out[4] = { 0 };
    onnxrun_options o = j->options;
    o.outputs = all;
    o.n_outputs = 1;
    o.seeded = true;
    int status = 0, differ = 0, n = 0;
    for (int i = 0; i < 4 && status == 0; i++) {
        o.threads = threads[i];
        if (onnxrun_session_create(j->model, &o, &s[i], &j->err))
            return complain_of(j->path, &j->err);
        n = onnxrun_session_n_output(s[i]);
        if (!(out[i] = calloc((size_t)n + 1, sizeof *out[i])))
            status = complain("out of memory");
        else if (onnxrun_session_run(s[i], j->in, out[i], &j->err))
            status = complain_of(j->path, &j->err);
        for (int v = 0; v < n && status == 0 && i > 0; v++)
            if (!same_bits(out[0][v], out[i][v]) && ++differ <= 10)
                printf("value %s differs between 1 and %d threads\n",
                       clean(onnxrun_session_output(s[i], v)->name), threads[i]);
    }
    for (int i = 0; i < 4; i++) {
        onnxrun_session_destroy(s[i]);
        free(out[i]);
    }
    if (status)
        return status;
    printf("%d values, 1, 2, 3 and 8 threads: %s\n", n, differ ? "different bits" : "the same bits");
    return differ ? STATUS_DIFFERENT : STATUS_OK;
}

int cmd_trace(const args *a)
{
    holdings k = { 0 };
    job j;
    list files = { a->positional.v + 1, a->positional.n - 1 };
    if (!a->against && !a->determinism)
        return complain("trace: --against REF is missing");
    int status = open_job(&j, a, a->positional.v[0]);
    if (status == 0)
        status = feed_job(&j, &files);
    for (int i = 0, n = 0; i < j.n_in && status == 0; i++)
        if (i < j.info.n_input || j.given[i])
            j.in[n++] = j.given[i];
    if (status == 0)
        status = a->determinism ? determinism(&j) : trace(&j, &k);
    release_known(&k);
    close_job(&j);
    return status;
}
