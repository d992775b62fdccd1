/* What can be said against a model before anything runs.  verify/lint.def lists the rules; each is an id,
 * a severity, a sentence and a check. */
#ifndef OX_VERIFY_LINT_H
#define OX_VERIFY_LINT_H

#include "runtime/graph/graph.h"

typedef enum ox_severity {
    OX_NOTE,    /* frameworks differ here: look at it first when results differ */
    OX_WARNING, /* rarely what was meant */
    OX_FAULT,   /* the result is undefined or the model is not valid */
} ox_severity;
const char *ox_severity_name(ox_severity s); /* "note", "warning", "error" */

typedef struct ox_lint_rule {
    const char *id;
    ox_severity severity;
    const char *operators; /* "Softmax LogSoftmax"; "*": every node; NULL: the graph as a whole */
    const char *text;
} ox_lint_rule;

typedef struct ox_lint_finding {
    const ox_lint_rule *rule;
    const char *node, *op, *value; /* "" where none */
    char        detail[160];       /* the numbers; "" where none */
    size_t      order;             /* as found */
} ox_lint_finding;

typedef struct ox_lint {
    ox_arena        *arena;
    ox_lint_finding *finding; /* by severity, the worst first; then as found */
    size_t           n, cap;
} ox_lint;

/* l is initialised here; release it in any case. */
ox_code ox_lint_model(const ox_model *m, ox_lint *l, ox_error *err) OX_MUST_CHECK;
void    ox_lint_release(ox_lint *l);

const ox_lint_rule *ox_lint_rule_at(size_t i); /* NULL past the end */

/* ---- for the checks ---- */

typedef struct ox_look {
    ox_lint            *l;
    const ox_model     *m;
    const ox_graph     *g;
    const ox_node      *n;    /* NULL in checks of the graph */
    const ox_lint_rule *rule;
    const char         *value;
    char                detail[160];
    bool                failed; /* out of memory */
} ox_look;

/* A check of a node: whether the rule applies.  A check of a graph: calls ox_lint_add itself. */
typedef bool ox_lint_check(ox_look *k);

#define NODE(id, severity, operators, check, text)  ox_lint_check ox_lint_##check;
#define GRAPH(id, severity, check, text)            ox_lint_check ox_lint_##check;
#include "verify/lint.def"
#undef NODE
#undef GRAPH

void ox_lint_add(ox_look *k, const char *node, const char *op, const char *value);
void ox_lint_detail(ox_look *k, const char *format, ...) OX_PRINTF(2, 3);

/* The node's attribute, else the schema's default, else 0 / "". */
bool        ox_lint_given(const ox_node *n, const char *name);
int64_t     ox_lint_i64(const ox_node *n, const char *name);
double      ox_lint_f64(const ox_node *n, const char *name);
const char *ox_lint_str(const ox_node *n, const char *name);
/* Version of the operator that the node means. */
int         ox_lint_since(const ox_node *n);
/* Of input i; NULL: not there, or not known. */
const ox_type   *ox_lint_type(const ox_graph *g, const ox_node *n, int i);
const ox_tensor *ox_lint_constant(const ox_graph *g, int value); /* initializer or Constant node */
const ox_tensor *ox_lint_input(const ox_look *k, int i);
int              ox_lint_rank(const ox_look *k, int i); /* of input i; -1 unknown */

#endif
