/* The public API: lint. */
#include "runtime/api.h"
#include "runtime/graph/weights.h"
#include "verify/lint.h"

#include <stdlib.h>

_Static_assert((int)ONNXRUN_FAULT == (int)OX_FAULT, "severities differ");

typedef struct lint_box { /* what onnxrun_lint points into; the public part comes first */
    onnxrun_lint          pub;
    ox_lint               l;
    onnxrun_lint_finding *finding;
} lint_box;

const char *onnxrun_severity_name(onnxrun_severity s) { return ox_severity_name((ox_severity)s); }

static onnxrun_lint_rule public_rule(const ox_lint_rule *r)
{
    return (onnxrun_lint_rule){ r->id, (onnxrun_severity)r->severity, r->text };
}

bool onnxrun_lint_rule_at(size_t i, onnxrun_lint_rule *out)
{
    const ox_lint_rule *r = ox_lint_rule_at(i);
    if (r)
        *out = public_rule(r);
    return r != NULL;
}

static void give(lint_box *b)
{
    for (size_t i = 0; i < b->l.n; i++) {
        const ox_lint_finding *f = &b->l.finding[i];
        b->finding[i] = (onnxrun_lint_finding){ public_rule(f->rule), f->node, f->op, f->value,
                                                f->detail };
        b->pub.n_fault += f->rule->severity == OX_FAULT;
        b->pub.n_warning += f->rule->severity == OX_WARNING;
        b->pub.n_note += f->rule->severity == OX_NOTE;
    }
    b->pub.finding = b->finding;
    b->pub.n = b->l.n;
}

onnxrun_code onnxrun_lint_run(const onnxrun_model *m, onnxrun_lint **out, onnxrun_error *err)
{
    ox_error  e = { 0 };
    lint_box *b = calloc(1, sizeof *b);
    ox_code code = b ? ox_weights_fill_all(m->m, &e) : OX_FAIL(&e, OX_E_NOMEM, "out of memory");
    *out = NULL;
    if (code == OX_OK)
        code = ox_lint_model(m->m, &b->l, &e);
    if (code == OX_OK && !(b->finding = calloc(b->l.n + 1, sizeof *b->finding)))
        code = OX_FAIL(&e, OX_E_NOMEM, "out of memory");
    if (code == OX_OK) {
        give(b);
        *out = &b->pub;
    } else if (b) {
        onnxrun_lint_destroy(&b->pub);
    }
    return ox_api_give(err, &e, m->m->path, code);
}

void onnxrun_lint_destroy(onnxrun_lint *l)
{
    lint_box *b = (lint_box *)(void *)l;
    if (!b)
        return;
    ox_lint_release(&b->l);
    free(b->finding);
    free(b);
}
