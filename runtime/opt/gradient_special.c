/* Rules that take more than a line of gradients.def. */
#include "runtime/opt/gradient.h"

#include <string.h>

/* ---- element-wise ---- */
/* Nothing flows back through integers. */
void ox_grad_cast(ox_tape *t, const ox_node *n, const int *dy, int *dx)
{
    int64_t to = ox_tape_find_int(n, "to");
    bool is_float = to > 0 && to < OX_N_DTYPES && ox_is_float((ox_dtype)to);
    dx[0] = is_float ? ox_tape_node2(t, "CastLike", dy[0], n->in[0]) : OX_ABSENT;
}

void ox_grad_dropout(ox_tape *t, const ox_node *n, const int *dy, int *dx)
{
    if (n->n_in > 2 && n->in[2] != OX_ABSENT)
        ox_tape_fail(t, n, "it may be in training mode");
    ox_grad_text(t, n, dy, dx, "da = dy");
}

void ox_grad_sum(ox_tape *t, const ox_node *n, const int *dy, int *dx)
{
    for (int i = 0; i < n->n_in; i++)
        if (dx[i] != OX_ABSENT)
            dx[i] = ox_tape_node2(t, "SumTo", dy[0], n->in[i]);
}

void ox_grad_mean(ox_tape *t, const ox_node *n, const int *dy, int *dx)
{
    int share = ox_tape_node2(t, "Div", dy[0], ox_tape_number(t, n->n_in, dy[0]));
    ox_grad_sum(t, n, &share, dx);
}

/* Max, Min: inputs that share the extreme share the gradient. */
void ox_grad_extreme(ox_tape *t, const ox_node *n, const int *dy, int *dx)
{
    int ties = OX_ABSENT;
    for (int i = 0; i < n->n_in; i++) {
        int is = ox_tape_node2(t, "CastLike", ox_tape_node2(t, "Equal", n->in[i], n->out[0]), dy[0]);
        ties = i ? ox_tape_node2(t, "Add", ties, is) : is;
    }
    int share = ox_tape_node2(t, "Div", dy[0], ties);
    for (int i = 0; i < n->n_in; i++) {
        if (dx[i] == OX_ABSENT)
            continue;
        int is = ox_tape_node2(t, "CastLike", ox_tape_node2(t, "Equal", n->in[i], n->out[0]), dy[0]);
        dx[i] = ox_tape_node2(t, "SumTo", ox_tape_node2(t, "Mul", share, is), n->in[i]);
    }
}

/* ---- Einsum: with operand i's place taken by the output, and ones for what only operand i has ---- */
enum { MAX_EQUATION = 500 };

/* The terms of an explicit equation without blanks: term i is [at[i], at[i + 1] - 1), the output last
 * (and after "->").  Returns how many, 0 if it is of another kind. */
static int terms_of(const char *s, const char *term[], size_t size[], int room)
{
    int n = 0;
    const char *arrow = strstr(s, "->");
    if (!arrow)
        return 0;
    for (const char *p = s; p <= arrow; p += size[n++] + 1) {
        if (n == room - 1)
            return 0;
        term[n] = p;
        size[n] = strcspn(p, ",-");
    }
    term[n] = arrow + 2;
    size[n] = strlen(arrow + 2);
    return n + 1;
}

static bool repeats(const char *term, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (term[i] != '.' && memchr(term + i + 1, term[i], n - i - 1))
            return true;
    return false;
}

void ox_grad_einsum(ox_tape *t, const ox_node *n, const int *dy, int *dx)
{
    enum { ROOM = 10 };
    char plain[MAX_EQUATION / 4], equation[MAX_EQUATION];
    const char *term[ROOM];
    size_t size[ROOM], n_plain = 0;
    ox_attr a;
    const char *s = ox_tape_find_attr(n, "equation", &a) && a.kind == OX_ATTR_STRING ? a.s.s : "";
    for (; *s && n_plain + 1 < sizeof(plain); s++)
        if (*s != ' ')
            plain[n_plain++] = *s;
    plain[n_plain] = '\0';
    int n_term = terms_of(plain, term, size, ROOM), in[ROOM];
    bool fits = !*s && n_term == n->n_in + 1;
    for (int i = 0; i < n_term; i++)
        fits = fits && !repeats(term[i], size[i]);
    if (!fits) {
        ox_tape_fail(t, n, "no rule for this equation");
        return;
    }
    for (int i = 0; i < n->n_in; i++) {
        if (dx[i] == OX_ABSENT)
            continue;
        size_t used = 0;
        for (int k = 0; k < n->n_in; k++) {
            int from = k == i ? n->n_in : k;
            used += (size_t)snprintf(equation + used, sizeof(equation) - used, "%.*s,", (int)size[from], term[from]);
            in[k] = k == i ? dy[0] : n->in[k];
        }
        in[n->n_in] = ox_tape_filled(t, 1, n->in[i]);
        snprintf(equation + used, sizeof(equation) - used, "%.*s->%.*s", (int)size[i], term[i], (int)size[i],
                 term[i]);
        dx[i] = ox_tape_node(t, "Einsum", n->n_in + 1, in, 1);
        ox_tape_attr_str(t, "equation", equation);
        dx[i] = ox_tape_node2(t, "SumTo", dx[i], n->in[i]); /* dimensions of 1 behind an ellipsis */
    }
}

/* ---- shapes ---- */
void ox_grad_transpose(ox_tape *t, const ox_node *n, const int *dy, int *dx)
{
    const ox_attr *perm = ox_node_attr(n, "perm");
    int64_t inverse[OX_MAX_RANK] = { 0 };
    dx[0] = ox_tape_node1(t, "Transpose", dy[0]);
    if (!perm || perm->kind != OX_ATTR_INTS || perm->n > OX_MAX_RANK)
        return;
    for (int i = 0; i < perm->n; i++)
        if (perm->ints[i] >= 0 && perm->ints[i] < perm->n)
            inverse[perm->ints[i]] = i; /* else the node itself will say what is wrong */
    ox_tape_attr(t, &(ox_attr){ .name = "perm", .kind = OX_ATTR_INTS, .n = perm->n, .ints = inverse });
}

void ox_grad_concat(ox_tape *t, const ox_node *n, const int *dy, int *dx)
{
    int64_t axis = ox_tape_find_int(n, "axis");
    int sizes = OX_ABSENT;
    if (n->opset < 4 && !ox_node_attr(n, "axis"))
        axis = 1;
    for (int i = 0; i < n->n_in; i++) {
        int size = ox_tape_node1(t, "Shape", n->in[i]);
        ox_tape_attr_int(t, "start", axis);
        if (axis != -1)
            ox_tape_attr_int(t, "end", axis + 1);
        if (i)
            size = ox_tape_node2(t, "Concat", sizes, size);
        if (i)
            ox_tape_attr_int(t, "axis", 0);
        sizes = size;
    }
    int first = ox_tape_node(t, "Split", 2, (int[]){ dy[0], sizes }, n->n_in);
    ox_tape_attr_int(t, "axis", axis);
    for (int i = 0; i < n->n_in; i++)
        if (dx[i] != OX_ABSENT)
            dx[i] = first == OX_ABSENT ? first : first + i;
}

void ox_grad_split(ox_tape *t, const ox_node *n, const int *dy, int *dx)
{
    int *parts = t->code == OX_OK ? ox_arena_array(t->g->arena, (size_t)n->n_out, sizeof(*parts)) : NULL;
    for (int i = 0; parts && i < n->n_out; i++) {
        if (n->out[i] == OX_ABSENT)
            ox_tape_fail(t, n, "an output is left out");
        parts[i] = dy[i] != OX_ABSENT ? dy[i] : ox_tape_filled(t, 0, n->out[i]);
    }
    dx[0] = parts ? ox_tape_node(t, "Concat", n->n_out, parts, 1) : OX_ABSENT;
    ox_tape_attr_int(t, "axis", ox_tape_find_int(n, "axis"));
    for (int i = 1; i < n->n_in; i++)
        dx[i] = OX_ABSENT;
}

/* ---- movement: the node itself moves the numbers of its elements, from 1; then dy is added up by
 * these numbers.  0 is what fills gaps, and dropped. ---- */
void ox_grad_moved(ox_tape *t, const ox_node *n, const int *dy, int *dx)
{
    static const char number[] = "z = Size(a); o = Squeeze({1});"
                                 "da = Reshape[allowzero=1](Range(o, z + o, o), Shape(a))";
    static const char add[] = "da = Reshape[allowzero=1](Slice(ScatterElements[reduction='add']("
                              "Expand(0, Reshape(Size(a), {1}) + {1}), Reshape(b, {-1}), Reshape(dy, {-1})),"
                              " {1}, {9223372036854775807}), Shape(a))";
    int *in = t->code == OX_OK ? ox_arena_array(t->g->arena, (size_t)n->n_in, sizeof(*in)) : NULL;
    if (!in || dx[0] == OX_ABSENT) {
        for (int i = 0; i < n->n_in; i++)
            dx[i] = OX_ABSENT;
        return;
    }
    memcpy(in, n->in, (size_t)n->n_in * sizeof(*in));
    in[0] = 0;
    ox_grad_text(t, &(ox_node){ .name = n->name, .op_type = n->op_type, .domain = "", .in = n->in, .n_in = 1,
                                .out = n->out, .n_out = 1 }, dy, in, number);
    if (strcmp(n->op_type, "Pad") == 0 && n->n_in > 2)
        in[2] = OX_ABSENT; /* of the type of the data: the default 0 serves */
    int moved = ox_tape_node(t, n->op_type, n->n_in, in, 1);
    if (t->code == OX_OK)
        t->g->node[t->g->n_node - 1].opset = n->opset;
    for (int i = 0; i < n->n_attr; i++)
        ox_tape_attr(t, &n->attr[i]);
    int pair[2] = { n->in[0], moved }, d[2] = { 0, OX_ABSENT };
    ox_grad_text(t, &(ox_node){ .name = n->name, .op_type = n->op_type, .domain = "", .in = pair, .n_in = 2,
                                .out = n->out, .n_out = 1 }, dy, d, add);
    dx[0] = d[0];
    for (int i = 1; i < n->n_in; i++)
        dx[i] = OX_ABSENT;
}

void ox_grad_nearest(ox_tape *t, const ox_node *n, const int *dy, int *dx)
{
    ox_attr mode;
    bool nearest = ox_tape_find_attr(n, "mode", &mode) && mode.kind == OX_ATTR_STRING &&
                   strcmp(mode.s.s, "nearest") == 0;
    if (nearest)
        ox_grad_moved(t, n, dy, dx);
    else
        ox_tape_fail(t, n, "no rule for this mode");
}

/* ---- losses: inputs scores or their logarithms (N, C, ...), classes (N, ...), weights (C) ---- */
static int loss(ox_tape *t, const ox_node *n, const int *dy)
{
    char text[600];
    ox_attr reduction;
    bool known = ox_tape_find_attr(n, "reduction", &reduction) && reduction.kind == OX_ATTR_STRING;
    const char *how = known ? reduction.s.s : "mean";
    bool ignores = ox_node_attr(n, "ignore_index") != NULL, weighs = n->n_in > 2 && n->in[2] != OX_ABSENT;
    int d[3] = { 0, OX_ABSENT, OX_ABSENT };
    snprintf(text, sizeof(text),
             "t = Unsqueeze(b, {1}); k = %s; s = Where(k, t, CastLike({0}, t)); u = %s * CastLike(k, dy);"
             "da = ScatterElements[axis=1](Expand(0, Shape(a)), s, -%s * %s)",
             ignores ? "Not(Equal(t, CastLike({@ignore_index}, t)))" : "Equal(t, t)",
             weighs ? "Gather(c, s)" : "Expand(1, Shape(s))",
             strcmp(how, "none") == 0 ? "Unsqueeze(dy, {1})" : "dy",
             strcmp(how, "mean") == 0 ? "(u / ReduceSum[keepdims=0](u))" : "u");
    ox_grad_text(t, n, dy, d, text);
    return d[0];
}

void ox_grad_likelihood(ox_tape *t, const ox_node *n, const int *dy, int *dx)
{
    int d = loss(t, n, dy);
    for (int i = 0; i < n->n_in; i++)
        dx[i] = i ? OX_ABSENT : d;
}

void ox_grad_cross_entropy(ox_tape *t, const ox_node *n, const int *dy, int *dx)
{
    int pair[2] = { n->in[0], loss(t, n, dy) }, d[2] = { 0, OX_ABSENT };
    ox_grad_text(t, &(ox_node){ .name = n->name, .op_type = n->op_type, .domain = "", .in = pair, .n_in = 2,
                                .out = n->out, .n_out = 1 }, dy, d,
                 "da = b - Softmax[axis=1](a) * ReduceSum(b, {1})");
    for (int i = 0; i < n->n_in; i++)
        dx[i] = i ? OX_ABSENT : d[0];
}
