/* The table of rules, and the language they are written in (see gradients.def). */
#include "runtime/opt/gradient.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_NAMES = 16, MAX_ARGS = 5, MAX_WORD = 32, MAX_LIST = 8 };

typedef struct eval {
    ox_tape       *t;
    const ox_node *n;
    const int     *dy;
    const char    *text, *at;     /* the rule, and where it is being read */
    struct { const char *start; int value; } known[MAX_NAMES]; /* names evaluated so far */
    int            n_known;
} eval;

static int expression(eval *e);

/* A mistake in gradients.def, not in the model. */
static int mistake(eval *e)
{
    if (e->t->code == OX_OK)
        e->t->code = OX_FAIL(e->t->err, OX_E_INTERNAL, "rule for %s at \"%.40s\"", e->n->op_type, e->at);
    return OX_ABSENT;
}

static bool next(eval *e, char c)
{
    while (*e->at == ' ')
        e->at++;
    if (*e->at != c)
        return false;
    e->at++;
    return true;
}
static void expect(eval *e, char c)
{
    if (!next(e, c))
        mistake(e);
}

static void word(eval *e, char to[MAX_WORD])
{
    size_t n = 0;
    while (*e->at == ' ')
        e->at++;
    while ((isalnum((unsigned char)*e->at) || *e->at == '_') && n + 1 < MAX_WORD)
        to[n++] = *e->at++;
    to[n] = '\0';
    if (n == 0)
        mistake(e);
}

/* ---- names ---- */
/* Where the text defines `name`; NULL: nowhere. */
static const char *definition(const eval *e, const char *name)
{
    size_t n = strlen(name);
    for (const char *p = e->text; p; p = strchr(p, ';'), p = p ? p + 1 : NULL) {
        p += strspn(p, " ");
        if (strncmp(p, name, n) != 0)
            continue;
        const char *rest = p + n + strspn(p + n, " ");
        if (*rest == '=')
            return rest + 1;
    }
    return NULL;
}

static int defined(eval *e, const char *start)
{
    for (int i = 0; i < e->n_known; i++)
        if (e->known[i].start == start)
            return e->known[i].value;
    const char *back = e->at;
    e->at = start;
    int v = expression(e);
    if (!next(e, ';') && *e->at)
        mistake(e);
    e->at = back;
    if (e->n_known == MAX_NAMES)
        return mistake(e);
    e->known[e->n_known].start = start;
    e->known[e->n_known++].value = v;
    return v;
}

static int named(eval *e, const char *name)
{
    if (!name[1] && name[0] >= 'a' && name[0] <= 'e')
        return name[0] - 'a' < e->n->n_in ? e->n->in[name[0] - 'a'] : OX_ABSENT;
    if (strcmp(name, "y") == 0)
        return e->n->out[0];
    if (strcmp(name, "dy") == 0)
        return e->dy[0];
    const char *start = definition(e, name);
    return start ? defined(e, start) : mistake(e);
}

/* ---- attributes of an added node: [name=value, ...], or [*] for those of the node itself ---- */
static int64_t integer(eval *e)
{
    char name[MAX_WORD], *end;
    bool inverse = next(e, '!');
    if (next(e, '@')) {
        word(e, name);
        int64_t i = ox_tape_find_int(e->n, name);
        return inverse ? !i : i;
    }
    int64_t i = strtoll(e->at, &end, 10);
    if (end == e->at)
        mistake(e);
    e->at = end;
    return i;
}

/* {1, -1, @axis}, after the brace */
static int list(eval *e, int64_t to[MAX_LIST])
{
    int n = 0;
    while (e->t->code == OX_OK && !next(e, '}')) {
        if (n)
            expect(e, ',');
        if (n == MAX_LIST)
            mistake(e);
        else
            to[n++] = integer(e);
    }
    return n;
}

static void own_attributes(eval *e, const char *op)
{
    const ox_schema *schema = ox_schema_find("", op, OX_TAPE_OPSET);
    for (int i = 0; i < e->n->n_attr; i++)
        if (!schema || ox_schema_attr_find(schema, e->n->attr[i].name))
            ox_tape_attr(e->t, &e->n->attr[i]);
}

static void attributes(eval *e, const char *op)
{
    char name[MAX_WORD], from[MAX_WORD];
    ox_attr a;
    do {
        if (next(e, '*')) {
            own_attributes(e, op);
            continue;
        }
        word(e, name);
        expect(e, '=');
        if (next(e, '\'')) {
            const char *end = strchr(e->at, '\'');
            if (!end) {
                mistake(e);
                return;
            }
            ox_str s = { e->at, (size_t)(end - e->at) };
            ox_tape_attr(e->t, &(ox_attr){ .name = name, .kind = OX_ATTR_STRING, .s = s });
            e->at = end + 1;
        } else if (next(e, '@')) {
            word(e, from);
            if (ox_tape_find_attr(e->n, from, &a)) {
                a.name = name;
                ox_tape_attr(e->t, &a);
            }
        } else {
            ox_tape_attr_int(e->t, name, integer(e));
        }
    } while (next(e, ','));
    expect(e, ']');
}

/* ---- functions of the language ---- */
/* Axes from `axis` to the last, as a value. */
static int tail(eval *e)
{
    int64_t from = integer(e), axes[OX_MAX_RANK];
    expect(e, ')');
    if (from < 0 && from >= -OX_MAX_RANK) {
        for (int64_t i = from; i < 0; i++)
            axes[i - from] = i;
        return ox_tape_ints(e->t, axes, (int)-from);
    }
    int scalar[3];
    for (int i = 0; i < 3; i += 2) {
        scalar[i] = ox_tape_ints(e->t, &(int64_t){ i ? 1 : from }, 1);
        scalar[i] = ox_tape_node1(e->t, "Squeeze", scalar[i]);
    }
    scalar[1] = ox_tape_node1(e->t, "Size", ox_tape_node1(e->t, "Shape", e->n->in[0]));
    return ox_tape_node(e->t, "Range", 3, scalar, 1);
}

/* A value of the output's shape with the axes that the node reduced back as 1. */
static int unreduced(eval *e)
{
    int v = expression(e), axes = e->n->n_in > 1 ? e->n->in[1] : OX_ABSENT;
    const ox_attr *own = ox_node_attr(e->n, "axes");
    expect(e, ')');
    if (ox_tape_find_int(e->n, "keepdims") || (!own && axes == OX_ABSENT))
        return v; /* reduced to a scalar: it broadcasts anyway */
    if (own && own->kind == OX_ATTR_INTS)
        axes = ox_tape_ints(e->t, own->ints, own->n);
    return ox_tape_node2(e->t, "Unsqueeze", v, axes);
}

/* Op[attributes](arguments); Op.1 is the second output. */
static int call(eval *e, char *op)
{
    const char *attrs = NULL;
    int in[MAX_ARGS], n_in = 0, output = 0;
    if (next(e, '.'))
        output = (int)integer(e);
    if (next(e, '[')) {
        attrs = e->at;
        e->at = strchr(e->at, ']');
        if (!e->at) {
            e->at = attrs;
            return mistake(e);
        }
        e->at++;
    }
    expect(e, '(');
    if (strcmp(op, "tail") == 0)
        return tail(e);
    if (strcmp(op, "unreduced") == 0)
        return unreduced(e);
    while (e->t->code == OX_OK && !next(e, ')')) {
        if (n_in)
            expect(e, ',');
        if (n_in == MAX_ARGS)
            return mistake(e);
        in[n_in++] = expression(e);
    }
    char *name = ox_arena_strndup(e->t->g->arena, op, strlen(op));
    int v = ox_tape_node(e->t, name ? name : "", n_in, in, output + 1);
    if (attrs && e->t->code == OX_OK) {
        const char *back = e->at;
        e->at = attrs;
        attributes(e, op);
        e->at = back;
    }
    return v == OX_ABSENT ? v : v + output;
}

/* ---- arithmetic ---- */
static int factor(eval *e)
{
    char name[MAX_WORD];
    int64_t ints[MAX_LIST];
    ox_attr a;
    if (e->t->code != OX_OK)
        return OX_ABSENT;
    if (next(e, '-'))
        return ox_tape_node1(e->t, "Neg", factor(e));
    if (next(e, '(')) {
        int v = expression(e);
        expect(e, ')');
        return v;
    }
    if (next(e, '{')) {
        int n = list(e, ints);
        return ox_tape_ints(e->t, ints, n);
    }
    if (next(e, '@')) {
        word(e, name);
        bool found = ox_tape_find_attr(e->n, name, &a);
        return ox_tape_number(e->t, !found ? 0 : a.kind == OX_ATTR_FLOAT ? (double)a.f : (double)a.i, e->dy[0]);
    }
    if (isdigit((unsigned char)*e->at)) {
        char *end;
        double v = strtod(e->at, &end);
        e->at = end;
        return ox_tape_number(e->t, v, e->dy[0]);
    }
    word(e, name);
    if (*e->at == '(' || *e->at == '[' || *e->at == '.')
        return call(e, name);
    return named(e, name);
}

static int term(eval *e)
{
    int v = factor(e);
    for (;;)
        if (next(e, '*'))
            v = ox_tape_node2(e->t, "Mul", v, factor(e));
        else if (next(e, '/'))
            v = ox_tape_node2(e->t, "Div", v, factor(e));
        else
            return v;
}

static int expression(eval *e)
{
    int v = term(e);
    for (;;)
        if (next(e, '+'))
            v = ox_tape_node2(e->t, "Add", v, term(e));
        else if (next(e, '-'))
            v = ox_tape_node2(e->t, "Sub", v, term(e));
        else
            return v;
}

void ox_grad_text(ox_tape *t, const ox_node *n, const int *dy, int *dx, const char *text)
{
    eval e = { .t = t, .n = n, .dy = dy, .text = text, .at = text };
    for (int i = 0; i < n->n_in; i++) {
        const char name[] = { 'd', (char)('a' + i), '\0' };
        const char *start = i < 5 ? definition(&e, name) : NULL;
        if (dx[i] != OX_ABSENT)
            dx[i] = start ? defined(&e, start) : OX_ABSENT;
    }
}

/* ---- the table ---- */
static const struct rule {
    const char   *op;
    int           since;
    const char   *when; /* "attribute=value, ...": what a row is for */
    const char   *text;
    ox_grad_rule *fn;
} rules[] = {
#define GRADIENT(op, since, when, text) { #op, since, when, text, NULL },
#define GRADIENT_IN_C(op, since, fn) { #op, since, "", NULL, ox_grad_##fn },
#include "runtime/opt/gradients.def"
};

static bool applies(const struct rule *rule, const ox_node *n)
{
    char name[MAX_WORD], is[MAX_WORD];
    for (const char *p = rule->when; *p; p += strspn(p, ", ")) {
        size_t n_name = strcspn(p, "="), n_value;
        ox_attr a;
        snprintf(name, sizeof(name), "%.*s", (int)n_name, p);
        p += n_name + 1;
        n_value = strcspn(p, ",");
        if (ox_tape_find_attr(n, name, &a) && a.kind == OX_ATTR_STRING)
            snprintf(is, sizeof(is), "%.*s", (int)OX_MIN(a.s.n, sizeof(is) - 1), a.s.s);
        else if (a.kind != OX_ATTR_INT)
            return false;
        else
            snprintf(is, sizeof(is), "%lld", (long long)a.i);
        if (strlen(is) != n_value || strncmp(p, is, n_value) != 0)
            return false;
        p += n_value;
    }
    return true;
}

static void text_rule(ox_tape *t, const ox_node *n, const int *dy, int *dx, const char *text)
{
    for (int i = 1; i < n->n_out; i++)
        if (dy[i] != OX_ABSENT)
            ox_tape_fail(t, n, "no rule for its further outputs");
    ox_grad_text(t, n, dy, dx, text);
}

void ox_grad_of_node(ox_tape *t, const ox_node *n, const int *dy, int *dx)
{
    const char *why = "no rule for this operator";
    bool known = n->domain[0] == '\0' || strcmp(n->domain, "onnxrun") == 0;
    for (size_t i = 0; known && i < OX_COUNT(rules); i++) {
        if (strcmp(n->op_type, rules[i].op) != 0)
            continue;
        why = n->opset < rules[i].since ? "no rule for so old a version" : "no rule for these attributes";
        if (n->opset < rules[i].since || !applies(&rules[i], n))
            continue;
        if (rules[i].fn)
            rules[i].fn(t, n, dy, dx);
        else
            text_rule(t, n, dy, dx, rules[i].text);
        return;
    }
    ox_tape_fail(t, n, why);
}
