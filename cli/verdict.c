/* Verdicts of check and diff. */
#include "cli/cli.h"

#include <math.h>

onnxrun_finding finding_of(const verdict *v)
{
    return v->judged ? v->j.finding : v->c.equal ? ONNXRUN_EQUAL : ONNXRUN_DIFFERENT;
}

static onnxrun_finding worst_of(const verdict *v, int n)
{
    onnxrun_finding worst = ONNXRUN_EQUAL;
    for (int i = 0; i < n; i++)
        worst = finding_of(&v[i]) > worst ? finding_of(&v[i]) : worst;
    return worst;
}

static void print_judgement(const onnxrun_judgement *j)
{
    printf("  reason: %s\n", clean(j->reason));
    if (j->judged)
        printf("  against the float64 truth: ours errs by %.4g (%.3g of what rounding allows), the "
               "reference by %.4g (%.3g)\n",
               j->actual_error, j->actual_margin, j->expected_error, j->expected_margin);
}

static void print_numbers(const onnxrun_comparison *c)
{
    const onnxrun_worst *w = &c->worst, *r = &c->worst_rel;
    printf("  max abs %s", short_text(c->max_abs));
    if (w->known)
        printf(" at %s: %s, expected %s", shape_text(w->rank, w->index), short_text(w->actual),
               short_text(w->expected));
    printf("\n  max rel %.4g", c->max_rel);
    if (r->known)
        printf(" at %s: %s, expected %s", shape_text(r->rank, r->index), short_text(r->actual),
               short_text(r->expected));
    printf("\n  rms %.4g, max ulp %.10g, cosine %.12g, %lld of %lld out of tolerance\n", c->rms,
           c->max_ulp, c->cosine, (long long)c->out_of_tolerance,
           (long long)c->elements);
}

static void print_text(const verdict *v, int n)
{
    for (int i = 0; i < n; i++) {
        const onnxrun_comparison *c = &v[i].c;
        printf("%s  %s  %s%s%s\n", clean(v[i].name), v[i].type, onnxrun_finding_name(finding_of(&v[i])),
               *c->text ? ": " : "", clean(c->text));
        if (c->numeric && c->elements > 0)
            print_numbers(c);
        if (c->exact)
            puts("  rule: equal, type and shape included");
        else if (c->elements > 0)
            printf("  rule: |actual - expected| <= %s + %s * |expected|, NaN equals NaN, "
                   "infinities by sign\n",
                   number_text(c->atol), number_text(c->rtol));
        if (v[i].judged)
            print_judgement(&v[i].j);
    }
    puts(onnxrun_finding_name(worst_of(v, n)));
}

static void json_worst(json *o, const char *key, const onnxrun_worst *w)
{
    if (!w->known) {
        json_null(o, key);
        return;
    }
    json_open(o, key, '{');
    json_shape(o, "index", w->rank, w->index);
    json_num(o, "actual", w->actual);
    json_num(o, "expected", w->expected);
    json_close(o, '}');
}

static void json_number(json *o, const char *key, bool known, double v)
{
    if (known)
        json_num(o, key, v);
    else
        json_null(o, key);
}

static void json_judgement(json *o, const onnxrun_judgement *j)
{
    json_open(o, "judgement", '{');
    json_str(o, "reason", j->reason);
    json_str(o, "node", *j->node ? j->node : NULL);
    json_bool(o, "judged", j->judged);
    json_num(o, "actual_error", j->actual_error);
    json_num(o, "expected_error", j->expected_error);
    json_num(o, "actual_margin", j->actual_margin);
    json_num(o, "expected_margin", j->expected_margin);
    json_num(o, "bound", j->bound);
    json_num(o, "roundoff", j->roundoff);
    json_close(o, '}');
}

static void print_json(const verdict *v, int n, const char *data_set)
{
    json o = { .f = stdout };
    json_open(&o, NULL, '{');
    json_int(&o, "schema", 1);
    json_str(&o, "verdict", onnxrun_finding_name(worst_of(v, n)));
    if (data_set)
        json_str(&o, "case", data_set);
    json_str(&o, "rule",
             "|actual - expected| <= atol + rtol * |expected|, NaN equals NaN, infinities by sign; "
             "integers, strings, type and shape exact");
    json_open(&o, "outputs", '[');
    for (int i = 0; i < n; i++) {
        const onnxrun_comparison *c = &v[i].c;
        bool numbers = c->numeric;
        json_open(&o, NULL, '{');
        json_str(&o, "name", v[i].name);
        json_str(&o, "verdict", onnxrun_finding_name(finding_of(&v[i])));
        json_str(&o, "type", v[i].type);
        json_str(&o, "reason", *c->text ? c->text : NULL);
        json_num(&o, "rtol", c->rtol);
        json_num(&o, "atol", c->atol);
        json_number(&o, "max_abs", numbers, c->max_abs);
        json_number(&o, "max_rel", numbers, c->max_rel);
        json_number(&o, "max_ulp", numbers, c->max_ulp);
        json_number(&o, "rms", numbers, c->rms);
        json_number(&o, "cosine", numbers, c->cosine);
        json_int(&o, "out_of_tolerance", c->out_of_tolerance);
        json_int(&o, "elements", c->elements);
        json_worst(&o, "worst", &c->worst);
        json_worst(&o, "worst_rel", &c->worst_rel);
        if (v[i].judged)
            json_judgement(&o, &v[i].j);
        json_close(&o, '}');
    }
    json_close(&o, ']');
    json_close(&o, '}');
}

int print_verdicts(const args *a, const verdict *v, int n, const char *data_set)
{
    onnxrun_finding worst = worst_of(v, n);
    if (a->json) {
        print_json(v, n, data_set);
    } else {
        if (data_set)
            printf("%s\n", clean(data_set));
        print_text(v, n);
    }
    return worst == ONNXRUN_EQUAL || (worst == ONNXRUN_ROUNDING && !a->strict) ? STATUS_OK
                                                                              : STATUS_DIFFERENT;
}
