/* What can be said against a model before anything runs. */
#include "cli/cli.h"

#include <string.h>

enum { SHOWN = 5 }; /* findings of one rule; -v shows all */

void print_finding(const onnxrun_lint_finding *f)
{
    printf("%-7s %s: ", onnxrun_severity_name(f->rule.severity), f->rule.id);
    if (*f->node)
        printf("node \"%s\" (%s): ", clean(f->node), clean(f->op));
    else if (*f->value)
        printf("\"%s\": ", clean(f->value));
    printf("%s%s%s%s\n", f->rule.text, *f->detail ? " (" : "", clean(f->detail), *f->detail ? ")" : "");
}

static void print_text(const args *a, const onnxrun_lint *l)
{
    size_t of_rule = 0;
    for (size_t i = 0; i < l->n; i++) {
        bool first = i == 0 || strcmp(l->finding[i].rule.id, l->finding[i - 1].rule.id) != 0;
        bool last = i + 1 == l->n || strcmp(l->finding[i].rule.id, l->finding[i + 1].rule.id) != 0;
        of_rule = first ? 1 : of_rule + 1;
        if (of_rule <= SHOWN || a->verbose)
            print_finding(&l->finding[i]);
        else if (last)
            printf("%-7s %s: %zu more (-v shows them)\n",
                   onnxrun_severity_name(l->finding[i].rule.severity), l->finding[i].rule.id,
                   of_rule - SHOWN);
    }
    printf("%zu error%s, %zu warning%s, %zu note%s\n", l->n_fault, l->n_fault == 1 ? "" : "s",
           l->n_warning, l->n_warning == 1 ? "" : "s", l->n_note, l->n_note == 1 ? "" : "s");
}

static void word_or_null(json *o, const char *key, const char *s) { json_str(o, key, *s ? s : NULL); }

void json_findings(json *o, const onnxrun_lint *l)
{
    json_open(o, "findings", '[');
    for (size_t i = 0; i < l->n; i++) {
        const onnxrun_lint_finding *f = &l->finding[i];
        json_open(o, NULL, '{');
        json_str(o, "rule", f->rule.id);
        json_str(o, "severity", onnxrun_severity_name(f->rule.severity));
        json_str(o, "text", f->rule.text);
        word_or_null(o, "node", f->node);
        word_or_null(o, "op", f->op);
        word_or_null(o, "value", f->value);
        word_or_null(o, "detail", f->detail);
        json_close(o, '}');
    }
    json_close(o, ']');
}

static void print_json(const onnxrun_lint *l)
{
    json o = { .f = stdout };
    json_open(&o, NULL, '{');
    json_int(&o, "schema", 1);
    json_int(&o, "errors", (int64_t)l->n_fault);
    json_int(&o, "warnings", (int64_t)l->n_warning);
    json_int(&o, "notes", (int64_t)l->n_note);
    json_findings(&o, l);
    json_close(&o, '}');
}

static int print_rules(void)
{
    onnxrun_lint_rule r;
    for (size_t i = 0; onnxrun_lint_rule_at(i, &r); i++)
        printf("%-7s  %-24s %s\n", onnxrun_severity_name(r.severity), r.id, r.text);
    return STATUS_OK;
}

int cmd_lint(const args *a)
{
    onnxrun_error  err;
    onnxrun_model *m = NULL;
    onnxrun_lint  *l = NULL;
    int status = STATUS_OK;
    if (a->rules)
        return print_rules();
    if (a->positional.n == 0)
        return complain("something is missing: onnxrun lint MODEL");
    const char *path = a->positional.v[0];
    if (onnxrun_model_load(path, &m, &err) || onnxrun_lint_run(m, &l, &err))
        status = complain_of(path, &err);
    else if (a->json)
        print_json(l);
    else
        print_text(a, l);
    if (l && a->strict && l->n_fault + l->n_warning > 0)
        status = STATUS_DIFFERENT;
    onnxrun_lint_destroy(l);
    onnxrun_model_destroy(m);
    return status;
}
