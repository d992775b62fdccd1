/* Verdicts of check and diff. */
#include "cli/cli.h"

#include <math.h>

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

static void print_text(const verdict *v, int n, bool equal)
{
    for (int i = 0; i < n; i++) {
        const onnxrun_comparison *c = &v[i].c;
        printf("%s  %s  %s%s%s\n", clean(v[i].name), v[i].type, c->equal ? "equal" : "different",
               *c->text ? ": " : "", clean(c->text));
        if (c->numeric && c->elements > 0)
            print_numbers(c);
        if (c->exact)
            puts("  rule: equal, type and shape included");
        else if (c->elements > 0)
            printf("  rule: |actual - expected| <= %s + %s * |expected|, NaN equals NaN, "
                   "infinities by sign\n",
                   number_text(c->atol), number_text(c->rtol));
    }
    puts(equal ? "equal" : "different");
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

static void print_json(const verdict *v, int n, bool equal)
{
    json o = { .f = stdout };
    json_open(&o, NULL, '{');
    json_int(&o, "schema", 1);
    json_str(&o, "verdict", equal ? "equal" : "different");
    json_str(&o, "rule",
             "|actual - expected| <= atol + rtol * |expected|, NaN equals NaN, infinities by sign; "
             "integers, strings, type and shape exact");
    json_open(&o, "outputs", '[');
    for (int i = 0; i < n; i++) {
        const onnxrun_comparison *c = &v[i].c;
        bool numbers = c->numeric;
        json_open(&o, NULL, '{');
        json_str(&o, "name", v[i].name);
        json_str(&o, "verdict", c->equal ? "equal" : "different");
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
        json_close(&o, '}');
    }
    json_close(&o, ']');
    json_close(&o, '}');
}

int print_verdicts(const args *a, const verdict *v, int n)
{
    bool equal = true;
    for (int i = 0; i < n; i++)
        equal &= v[i].c.equal;
    if (a->json)
        print_json(v, n, equal);
    else
        print_text(v, n, equal);
    return equal ? STATUS_OK : STATUS_DIFFERENT;
}
