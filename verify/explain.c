/* Known conversion mistakes, replayed.  A hypothesis is a row: it makes one or more variants of the node
 * (other attributes, inputs or outputs) and the residual says how much of the difference between the
 * reference and the node's truth each one leaves. */
#include "verify/trace.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double good_enough = 0.1; /* of the difference may remain */

typedef struct probe {
    const ox_sighting *s;
    ox_trace          *t;
    ox_arena          *a;      /* of one hypothesis */
    const struct hypothesis *h;
    double             whole;  /* rms of reference minus truth */
    double             best;   /* residual of the hypothesis' best variant */
    char               text[300];
} probe;

typedef struct hypothesis {
    const char *cause, *ops; /* ops: " Conv Gemm "; NULL: every operator */
    void      (*run)(probe *p);
    const char *fix;
} hypothesis;

/* ---- trying ---- */

static void score(probe *p, const double *y, const char *what)
{
    double left = ox_rms(y, p->s->ref, p->s->n) / p->whole;
    for (size_t i = 0; i < p->s->n; i++)
        if (!isfinite(y[i]) && isfinite(p->s->ref[i]))
            return;
    if (left >= p->best)
        return;
    p->best = left;
    snprintf(p->text, sizeof p->text, "the reference is what the node gives %s", what);
}

static double *copy(probe *p, const double *v, size_t n)
{
    double *c = ox_arena_array(p->a, n + 1, sizeof(*c));
    if (c)
        memcpy(c, v, n * sizeof(*c));
    return c;
}

static const ox_tensor *input(const probe *p, int i)
{
    const ox_tensor *x = i < p->s->r->n_in ? p->s->r->in[i] : NULL;
    return x && x->data && ox_dtype_converts(x->dtype) ? x : NULL;
}

/* Input i as the chain has it; NULL: absent. */
static double *input_values(probe *p, int i)
{
    const ox_tensor *x = input(p, i);
    if (!x)
        return NULL;
    size_t n = (size_t)ox_count(x);
    double *v = ox_arena_array(p->a, n + 1, sizeof(*v));
    if (v && p->s->in[i])
        memcpy(v, p->s->in[i], n * sizeof(*v));
    else if (v)
        ox_to_f64(v, x->data, x->dtype, n);
    return v;
}

static void replay(probe *p, const ox_op *op, const ox_node *node, const double *const *in,
                   const char *what)
{
    ox_truth t;
    ox_tensor *const *out;
    ox_error err = { 0 };
    if (ox_truth_replay(p->a, p->s->r, op, node, in, &t, &out, &err) != OX_OK)
        return; /* a variant that the operator refuses explains nothing */
    if (out[p->s->out] && t.value[p->s->out] && (size_t)ox_count(out[p->s->out]) == p->s->n)
        score(p, t.value[p->s->out], what);
}

static void with_input(probe *p, int i, const double *v, const char *what)
{
    const double **in = ox_arena_array(p->a, (size_t)p->s->r->n_in + 1, sizeof(*in));
    if (!in || !v)
        return;
    memcpy(in, p->s->in, (size_t)p->s->r->n_in * sizeof(*in));
    in[i] = v;
    replay(p, p->s->r->op, p->s->node, in, what);
}

/* The node with `attr` in place of, or besides, its own of that name. */
static void with_attr(probe *p, ox_attr attr, const char *what)
{
    const ox_node *from = p->s->node;
    ox_node *n = ox_arena_array(p->a, 1, sizeof(*n));
    ox_attr *all = ox_arena_array(p->a, (size_t)from->n_attr + 1, sizeof(*all));
    if (!n || !all)
        return;
    *n = *from;
    n->attr = all;
    n->n_attr = 0;
    for (int i = 0; i < from->n_attr; i++)
        if (strcmp(from->attr[i].name, attr.name) != 0)
            all[n->n_attr++] = from->attr[i];
    all[n->n_attr++] = attr;
    replay(p, p->s->r->op, n, p->s->in, what);
}

static void with_int(probe *p, const char *name, int64_t v)
{
    char what[100];
    snprintf(what, sizeof what, "with %s %lld", name, (long long)v);
    with_attr(p, (ox_attr){ .name = name, .kind = OX_ATTR_INT, .i = v }, what);
}

static void with_float(probe *p, const char *name, double v)
{
    char what[100];
    snprintf(what, sizeof what, "with %s %.6g", name, v);
    with_attr(p, (ox_attr){ .name = name, .kind = OX_ATTR_FLOAT, .f = (float)v }, what);
}

static void with_word(probe *p, const char *name, const char *v)
{
    char what[100];
    snprintf(what, sizeof what, "with %s %s", name, v);
    with_attr(p, (ox_attr){ .name = name, .kind = OX_ATTR_STRING, .s = { v, strlen(v) } }, what);
}

static void with_ints(probe *p, const char *name, const int64_t *v, int n)
{
    char what[200];
    size_t used = (size_t)snprintf(what, sizeof what, "with %s", name);
    int64_t *c = ox_arena_array(p->a, (size_t)n + 1, sizeof(*c));
    if (!c)
        return;
    memcpy(c, v, (size_t)n * sizeof(*c));
    for (int i = 0; i < n && used < sizeof what; i++)
        used += (size_t)snprintf(what + used, sizeof what - used, " %lld", (long long)v[i]);
    with_attr(p, (ox_attr){ .name = name, .kind = OX_ATTR_INTS, .n = n, .ints = c }, what);
}

/* ---- order of axes ---- */

/* to: v of shape dim with its axes in the order perm. */
static void permute(double *to, const double *v, int rank, const int64_t *dim, const int *perm)
{
    int64_t stride[OX_MAX_RANK], at[OX_MAX_RANK] = { 0 }, n = 1, offset = 0;
    for (int i = rank - 1; i >= 0; i--) {
        stride[i] = n;
        n *= dim[i];
    }
    for (int64_t k = 0; k < n; k++) {
        to[k] = v[offset];
        for (int i = rank - 1; i >= 0; i--) {
            offset += stride[perm[i]];
            if (++at[i] < dim[perm[i]])
                break;
            offset -= stride[perm[i]] * dim[perm[i]];
            at[i] = 0;
        }
    }
}

static bool next_permutation(int *v, int n)
{
    int i = n - 2, j = n - 1;
    while (i >= 0 && v[i] >= v[i + 1])
        i--;
    if (i < 0)
        return false;
    while (v[j] <= v[i])
        j--;
    int t = v[i];
    v[i] = v[j];
    v[j] = t;
    for (i++, j = n - 1; i < j; i++, j--) {
        t = v[i];
        v[i] = v[j];
        v[j] = t;
    }
    return true;
}

static void permutations(probe *p, const double *v, const ox_tensor *shape, const char *of)
{
    int perm[OX_MAX_RANK], rank = shape->rank;
    double *y = ox_arena_array(p->a, p->s->n + 1, sizeof(*y));
    for (int i = 0; i < rank; i++)
        perm[i] = i;
    if (!y || rank < 2 || rank > 5 || (size_t)ox_count(shape) != p->s->n)
        return;
    while (next_permutation(perm, rank)) {
        char what[160];
        size_t used = (size_t)snprintf(what, sizeof what, "with the axes of %s in the order", of);
        for (int i = 0; i < rank; i++)
            used += (size_t)snprintf(what + used, sizeof what - used, " %d", perm[i]);
        permute(y, v, rank, shape->dim, perm);
        score(p, y, what);
    }
}

static void layout(probe *p) { permutations(p, p->s->truth, p->s->r->out[p->s->out], "its output"); }

static void reshape_transpose(probe *p)
{
    const double *x = input_values(p, 0);
    if (!x || (size_t)ox_count(input(p, 0)) != p->s->n)
        return;
    if (strcmp(p->s->node->op_type, "Transpose") == 0)
        score(p, x, "if it only changes the shape and moves nothing");
    else
        permutations(p, x, input(p, 0), "its input (a transpose, not a reshape)");
}

static void reverse_channels(probe *p)
{
    const ox_tensor *x = input(p, 0);
    double *v = input_values(p, 0), *y;
    if (!v || x->rank < 3 || !(y = copy(p, v, (size_t)ox_count(x))))
        return;
    for (int axis = 1; axis < x->rank; axis += x->rank - 2) {
        int64_t outer = ox_numel(x, 0, axis), n = x->dim[axis], inner = ox_numel(x, axis + 1, x->rank);
        for (int64_t o = 0; o < outer; o++)
            for (int64_t c = 0; c < n; c++)
                memcpy(y + (o * n + c) * inner, v + (o * n + n - 1 - c) * inner,
                       (size_t)inner * sizeof(*y));
        with_input(p, 0, y, "with the channels of its input reversed (RGB and BGR)");
        if (x->rank == 2)
            break;
    }
}

/* ---- windows ---- */

static void padding(probe *p)
{
    int n;
    const int64_t *pads = ox_attr_i64s(p->s->r, "pads", &n);
    int64_t v[2 * OX_MAX_RANK];
    if (!pads || n < 2 || n > 2 * OX_MAX_RANK)
        return;
    for (int variant = 0; variant < 3; variant++) {
        for (int i = 0; i < n / 2; i++) {
            int64_t a = pads[i], b = pads[i + n / 2];
            v[i] = variant == 0 ? b : variant == 1 ? a + b : 0;
            v[i + n / 2] = variant == 0 ? a : variant == 1 ? 0 : a + b;
        }
        with_ints(p, "pads", v, n);
    }
}

static void auto_pad(probe *p)
{
    static const char *const word[] = { "SAME_UPPER", "SAME_LOWER", "VALID" };
    for (int i = 0; i < 3; i++)
        with_word(p, "auto_pad", word[i]);
}

static void toggle(probe *p, const char *name) { with_int(p, name, !ox_attr_i64(p->s->r, name)); }
static void ceil_mode(probe *p) { toggle(p, "ceil_mode"); }
static void count_pad(probe *p) { toggle(p, "count_include_pad"); }
static void linear_reset(probe *p) { toggle(p, "linear_before_reset"); }

static void spatial(probe *p, const char *name)
{
    const ox_tensor *x = input(p, 0);
    int64_t v[OX_MAX_RANK];
    for (int64_t k = 1; x && k <= 4; k++) {
        for (int i = 0; i < x->rank - 2; i++)
            v[i] = k;
        with_ints(p, name, v, x->rank - 2);
    }
}

static void dilation(probe *p) { spatial(p, "dilations"); }
static void stride(probe *p) { spatial(p, "strides"); }

static void group(probe *p)
{
    const ox_tensor *w = input(p, 1);
    for (int64_t g = 1; w && g <= w->dim[0] && g <= 64; g *= 2)
        with_int(p, "group", g);
}

/* ---- weights and precision ---- */

static void no_bias(probe *p)
{
    const ox_tensor *b = input(p, 2);
    if (b)
        with_input(p, 2, ox_arena_array(p->a, (size_t)ox_count(b) + 1, sizeof(double)), "without its bias");
}

static void round_bits(double *v, size_t n, int bits)
{
    for (size_t i = 0; i < n; i++) {
        int e;
        double m = frexp(v[i], &e);
        if (isfinite(v[i]))
            v[i] = ldexp(rint(ldexp(m, bits)), e - bits);
    }
}

static void rounded(probe *p, bool weights)
{
    static const int bits[] = { 11, 8 };
    char what[100];
    for (int b = 0; b < 2; b++)
        for (int i = 0; i < p->s->r->n_in && i < 3; i++) {
            bool constant = p->s->r->in_const >> i & 1;
            double *v = constant == weights && input(p, i) ? input_values(p, i) : NULL;
            if (!v)
                continue;
            round_bits(v, (size_t)ox_count(input(p, i)), bits[b]);
            snprintf(what, sizeof what, "with input %d rounded to %s", i, b ? "bfloat16" : "float16");
            with_input(p, i, v, what);
        }
    for (int b = 0; b < 2 && !weights; b++) {
        double *y = copy(p, p->s->truth, p->s->n);
        if (y)
            round_bits(y, p->s->n, bits[b]);
        if (y)
            score(p, y, b ? "rounded to bfloat16" : "rounded to float16");
    }
}

static void low_weights(probe *p) { rounded(p, true); }
static void low_activations(probe *p) { rounded(p, false); }

static void transposed(probe *p)
{
    const ox_tensor *w = input(p, 1);
    double *v = input_values(p, 1), *y;
    if (!v || w->rank < 2 || w->dim[w->rank - 1] != w->dim[w->rank - 2] ||
        !(y = copy(p, v, (size_t)ox_count(w))))
        return;
    int64_t n = w->dim[w->rank - 1], many = ox_count(w) / OX_MAX(n * n, 1);
    for (int64_t m = 0; m < many; m++)
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = 0; j < n; j++)
                y[m * n * n + i * n + j] = v[m * n * n + j * n + i];
    with_input(p, 1, y, "with its weight transposed");
}

static void swapped(probe *p)
{
    const ox_graph *g = p->s->r->frame->plan->graph;
    const ox_tensor *w = input(p, 1);
    char what[200];
    int tried = 0;
    for (size_t i = 0; w && i < g->n_value && tried < 24; i++) {
        const ox_tensor *c = g->value[i].constant;
        if (!c || c->data == w->data || c->dtype != w->dtype || !ox_shape_same(c, w) || ox_count(c) < 2)
            continue;
        double *v = ox_arena_array(p->a, (size_t)ox_count(c), sizeof(*v));
        if (!v)
            return;
        ox_to_f64(v, c->data, c->dtype, (size_t)ox_count(c));
        snprintf(what, sizeof what, "with the weight %.120s", g->value[i].name);
        with_input(p, 1, v, what);
        tried++;
    }
}

/* ---- normalisation ---- */

/* The epsilon that leaves least, by steps of a factor that shrink. */
static void epsilon(probe *p)
{
    double step = 10, at = -1;
    for (double e = 1e-12; e < 2; e *= step) {
        double before = p->best;
        with_float(p, "epsilon", e);
        at = p->best < before ? e : at;
    }
    for (; at > 0 && step > 1.0001; step = sqrt(step))
        for (int side = 0; side < 2; side++) {
            double before = p->best, e = side ? at * step : at / step;
            with_float(p, "epsilon", e);
            at = p->best < before ? e : at;
        }
}

static void training(probe *p)
{
    const ox_tensor *x = input(p, 0);
    const double *v = input_values(p, 0);
    double *mean = input_values(p, 3), *var = input_values(p, 4);
    const double **in = ox_arena_array(p->a, (size_t)p->s->r->n_in + 1, sizeof(*in));
    if (!v || !mean || !var || !in || x->rank < 2 || ox_count(input(p, 3)) != x->dim[1])
        return;
    int64_t batch = x->dim[0], c = x->dim[1], size = ox_numel(x, 2, x->rank);
    for (int64_t k = 0; k < c; k++) {
        double sum = 0, square = 0, n = (double)(batch * size);
        for (int64_t b = 0; b < batch; b++)
            for (int64_t i = 0; i < size; i++)
                sum += v[(b * c + k) * size + i];
        for (int64_t b = 0; b < batch; b++)
            for (int64_t i = 0; i < size; i++)
                square += pow(v[(b * c + k) * size + i] - sum / n, 2);
        mean[k] = sum / n;
        var[k] = square / n;
    }
    memcpy(in, p->s->in, (size_t)p->s->r->n_in * sizeof(*in));
    in[3] = mean;
    in[4] = var;
    replay(p, p->s->r->op, p->s->node, in, "with the mean and variance of the batch itself");
}

static void each_axis(probe *p)
{
    const ox_tensor *x = input(p, 0);
    const ox_op *old = ox_op_find("", p->s->node->op_type, 1);
    for (int i = 0; x && i < x->rank; i++)
        with_int(p, "axis", i);
    if (old && old != p->s->r->op && old->since < 13)
        replay(p, old, p->s->node, p->s->in, "as before opset 13, where all axes behind `axis` are one");
}

/* ---- functions ---- */

static double gelu(double x) { return 0.5 * x * (1 + erf(x / sqrt(2))); }
static double gelu_tanh(double x)
{
    return 0.5 * x * (1 + tanh(0.79788456080286536 * (x + 0.044715 * x * x * x)));
}
static double identity(double x) { return x; }
static double relu(double x) { return x > 0 ? x : 0; }
static double relu6(double x) { return fmin(relu(x), 6); }
static double leaky(double x) { return x > 0 ? x : 0.01 * x; }
static double sigmoid(double x) { return 1 / (1 + exp(-x)); }
static double silu(double x) { return x * sigmoid(x); }
static double quick_gelu(double x) { return x * sigmoid(1.702 * x); }
static double elu(double x) { return x > 0 ? x : expm1(x); }
static double softplus(double x) { return fmax(x, 0) + log1p(exp(-fabs(x))); }
static double hard_sigmoid(double x) { return fmin(fmax(x / 6 + 0.5, 0), 1); }
static double hard_swish(double x) { return x * hard_sigmoid(x); }

static void mapped(probe *p, const double *x, double (*f)(double), const char *what)
{
    double *y = x ? ox_arena_array(p->a, p->s->n + 1, sizeof(*y)) : NULL;
    for (size_t i = 0; y && i < p->s->n; i++)
        y[i] = f(x[i]);
    if (y)
        score(p, y, what);
}

static void gelu_form(probe *p)
{
    const double *x = input_values(p, 0);
    if (!x || (size_t)ox_count(input(p, 0)) != p->s->n)
        return;
    mapped(p, x, gelu_tanh, "with the tanh approximation of GELU");
    mapped(p, x, gelu, "with the exact (erf) GELU");
    mapped(p, x, quick_gelu, "with x sigmoid(1.702 x) for GELU");
}

static void activation(probe *p)
{
    static const struct { double (*f)(double); const char *name; } row[] = {
        { identity, "no activation" }, { relu, "Relu" }, { relu6, "Relu6" }, { leaky, "LeakyRelu 0.01" },
        { sigmoid, "Sigmoid" }, { tanh, "Tanh" }, { silu, "SiLU" }, { elu, "Elu" },
        { softplus, "Softplus" }, { hard_sigmoid, "HardSigmoid" }, { hard_swish, "HardSwish" },
    };
    const double *x = input_values(p, 0);
    char what[100];
    bool same = x && (size_t)ox_count(input(p, 0)) == p->s->n && p->s->r->n_in <= 3 &&
                p->s->r->op->error.kind != ERR_SUM;
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        snprintf(what, sizeof what, "with %s in its place", row[i].name);
        if (same)
            mapped(p, x, row[i].f, what);
        snprintf(what, sizeof what, "followed by %s", row[i].name);
        if (i > 0)
            mapped(p, p->s->truth, row[i].f, what);
    }
}

static void alpha(probe *p)
{
    double step = 10, at = -1;
    for (double e = 1e-4; e < 20; e *= step) {
        double before = p->best;
        with_float(p, "alpha", e);
        at = p->best < before ? e : at;
    }
    for (; at > 0 && step > 1.0001; step = sqrt(step))
        for (int side = 0; side < 2; side++) {
            double before = p->best, e = side ? at * step : at / step;
            with_float(p, "alpha", e);
            at = p->best < before ? e : at;
        }
}

/* The reference is the truth times one number. */
static void scaled(probe *p)
{
    double rt = 0, tt = 0;
    char what[100];
    double *y = copy(p, p->s->truth, p->s->n);
    for (size_t i = 0; i < p->s->n; i++) {
        rt += p->s->ref[i] * p->s->truth[i];
        tt += p->s->truth[i] * p->s->truth[i];
    }
    if (!y || !(tt > 0) || p->s->n < 3)
        return;
    for (size_t i = 0; i < p->s->n; i++)
        y[i] *= rt / tt;
    snprintf(what, sizeof what, "times %.7g", rt / tt);
    score(p, y, what);
}

/* The reference is the truth plus one number: (q - zero_point) * scale. */
static void shifted(probe *p)
{
    double sum = 0;
    char what[100];
    double *y = copy(p, p->s->truth, p->s->n);
    for (size_t i = 0; i < p->s->n; i++)
        sum += p->s->ref[i] - p->s->truth[i];
    if (!y || p->s->n < 3)
        return;
    for (size_t i = 0; i < p->s->n; i++)
        y[i] += sum / (double)p->s->n;
    snprintf(what, sizeof what, "plus %.7g", sum / (double)p->s->n);
    score(p, y, what);
}

static void operands(probe *p)
{
    const ox_sighting *own = p->s;
    const double **in = ox_arena_array(p->a, 2, sizeof(*in));
    if (!in || own->r->n_in != 2 || !input(p, 0) || !input(p, 1))
        return;
    const ox_tensor *tensors[] = { own->r->in[1], own->r->in[0] };
    ox_run r = *own->r;
    ox_sighting exchanged = *own;
    in[0] = own->in[1];
    in[1] = own->in[0];
    r.in = tensors;
    exchanged.r = &r;
    p->s = &exchanged;
    replay(p, r.op, own->node, in, "with its operands exchanged");
    p->s = own;
}

static void polarity(probe *p)
{
    const ox_tensor *c = input(p, 0), *a = input(p, 1), *b = input(p, 2);
    const double **in = ox_arena_array(p->a, 3, sizeof(*in));
    if (!c || !a || !b || !in || !ox_shape_same(a, b))
        return;
    in[1] = input_values(p, 2);
    in[2] = input_values(p, 1);
    if (in[1] && in[2])
        replay(p, p->s->r->op, p->s->node, in, "with the condition negated");
}

/* ---- Resize ---- */

static void coordinates(probe *p)
{
    static const char *const word[] = { "half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric",
                                        "half_pixel_symmetric" };
    for (int i = 0; i < 5; i++)
        with_word(p, "coordinate_transformation_mode", word[i]);
}

static void nearest(probe *p)
{
    static const char *const word[] = { "round_prefer_floor", "round_prefer_ceil", "floor", "ceil" };
    for (int i = 0; i < 4; i++)
        with_word(p, "nearest_mode", word[i]);
}

static void cubic(probe *p)
{
    with_float(p, "cubic_coeff_a", -0.5);
    with_float(p, "cubic_coeff_a", -0.75);
    with_int(p, "exclude_outside", !ox_attr_i64(p->s->r, "exclude_outside"));
}

/* ---- recurrent ---- */

/* Blocks of rows of W, R and B in another order. */
static double *reorder(probe *p, int i, int axis, const int *perm, int gates)
{
    const ox_tensor *w = input(p, i);
    const double *v = input_values(p, i);
    double *y = v ? copy(p, v, (size_t)ox_count(w)) : NULL;
    if (!y || axis >= w->rank || w->dim[axis] % gates)
        return NULL;
    int64_t size = w->dim[axis] / gates * ox_numel(w, axis + 1, w->rank), many = ox_numel(w, 0, axis);
    int sets = i == 3 ? 2 : 1; /* B holds the biases of W, then those of R */
    size /= sets;
    for (int64_t m = 0; m < many * sets; m++)
        for (int g = 0; g < gates; g++)
            memcpy(y + (m * gates + g) * size, v + (m * gates + perm[g]) * size, (size_t)size * sizeof(*y));
    return y;
}

static void gates(probe *p)
{
    int n = strcmp(p->s->node->op_type, "LSTM") == 0 ? 4 : 3, perm[] = { 0, 1, 2, 3 };
    char what[100];
    while (next_permutation(perm, n)) {
        const double **in = ox_arena_array(p->a, (size_t)p->s->r->n_in + 1, sizeof(*in));
        if (!in)
            return;
        memcpy(in, p->s->in, (size_t)p->s->r->n_in * sizeof(*in));
        for (int i = 1; i < 4; i++)
            if (input(p, i))
                in[i] = reorder(p, i, 1, perm, n);
        snprintf(what, sizeof what, "with its gates in the order %d %d %d%s", perm[0], perm[1], perm[2],
                 n == 4 ? perm[3] == 3 ? " 3" : perm[3] == 2 ? " 2" : perm[3] == 1 ? " 1" : " 0" : "");
        replay(p, p->s->r->op, p->s->node, in, what);
    }
}

static void direction(probe *p)
{
    const char *now = ox_attr_str(p->s->r, "direction");
    with_word(p, "direction", now && strcmp(now, "reverse") == 0 ? "forward" : "reverse");
}

static void no_state(probe *p)
{
    const ox_tensor *h = input(p, 5);
    if (h)
        with_input(p, 5, ox_arena_array(p->a, (size_t)ox_count(h) + 1, sizeof(double)),
                   "with an initial state of zeros");
}

#define POOLS   " MaxPool AveragePool LpPool "
#define WINDOWS " Conv ConvTranspose MaxPool AveragePool LpPool "
#define RNN     " GRU LSTM RNN "
static const hypothesis rows[] = {
    { "reshape-for-transpose", " Transpose Reshape ", reshape_transpose, "use a Transpose where the framework permutes, a Reshape where it views" },
    { "layout", NULL, layout, "export with the axes that the node expects (NCHW)" },
    { "missing-bias", " Conv ConvTranspose Gemm ", no_bias, "keep the layer's bias" },
    { "padding-side", WINDOWS, padding, "pads are all begins, then all ends" },
    { "auto-pad", WINDOWS, auto_pad, "write explicit pads" },
    { "ceil-mode", POOLS, ceil_mode, "set ceil_mode as the framework has it" },
    { "count-include-pad", " AveragePool LpPool ", count_pad, "set count_include_pad as the framework has it" },
    { "dilation", WINDOWS, dilation, "set dilations" },
    { "stride", WINDOWS, stride, "set strides" },
    { "group", " Conv ConvTranspose ", group, "set group" },
    { "bn-epsilon", " BatchNormalization ", epsilon, "set epsilon to the framework's" },
    { "bn-training", " BatchNormalization ", training, "export in evaluation mode" },
    { "ln-epsilon", " LayerNormalization GroupNormalization InstanceNormalization RMSNormalization ", epsilon, "set epsilon to the framework's" },
    { "ln-axis", " LayerNormalization RMSNormalization ", each_axis, "set axis" },
    { "softmax-axis", " Softmax LogSoftmax Hardmax ", each_axis, "set axis, and mind that its meaning changed at opset 13" },
    { "gelu-approximation", " Gelu Erf Mul Tanh ", gelu_form, "set Gelu's approximate attribute" },
    { "resize-coordinates", " Resize ", coordinates, "set coordinate_transformation_mode" },
    { "resize-rounding", " Resize ", nearest, "set nearest_mode" },
    { "resize-cubic", " Resize ", cubic, "set cubic_coeff_a (PyTorch: -0.75)" },
    { "gru-linear-before-reset", " GRU ", linear_reset, "PyTorch's GRU is linear_before_reset = 1" },
    { "gate-order", " GRU LSTM ", gates, "ONNX orders the gates z r h (GRU), i o f c (LSTM)" },
    { "rnn-direction", RNN, direction, "set direction" },
    { "rnn-initial-state", RNN, no_state, "feed the initial state" },
    { "transposed-weight", " Gemm MatMul ", transposed, "transpose the weight, or set transB" },
    { "swapped-weights", " Conv ConvTranspose Gemm MatMul ", swapped, "give each layer its own weights" },
    { "channel-order", " Conv ", reverse_channels, "feed the channels in the order of training" },
    { "activation-parameter", " LeakyRelu Elu HardSigmoid ThresholdedRelu Celu Selu ", alpha, "set alpha" },
    { "activation", NULL, activation, "use the framework's activation" },
    { "mask-polarity", " Where ", polarity, "negate the mask" },
    { "operator-order", " Sub Div Pow ", operands, "exchange the operands" },
    { "quant-scale", " DequantizeLinear QuantizeLinear ", scaled, "set the scale" },
    { "quant-zero-point", " DequantizeLinear QuantizeLinear ", shifted, "set the zero point" },
    { "attention-scale", " Mul Div MatMul Attention ", scaled, "scale by 1 / sqrt(head size), once" },
    { "low-precision-weights", " Conv ConvTranspose Gemm MatMul ", low_weights, "store the weights in float32" },
    { "low-precision-activations", NULL, low_activations, "compute the reference in float32" },
};

/* ---- ranking ---- */

static void add(ox_trace *t, const char *cause, double residual, const char *text, const char *fix)
{
    int at = t->n_explanation;
    while (at > 0 && t->explanation[at - 1].residual > residual)
        at--;
    if (at == OX_MAX_EXPLANATIONS)
        return;
    int n = OX_MIN(t->n_explanation, OX_MAX_EXPLANATIONS - 1);
    memmove(&t->explanation[at + 1], &t->explanation[at], (size_t)(n - at) * sizeof(*t->explanation));
    t->n_explanation = n + 1;
    t->explanation[at] = (ox_explanation){ .cause = cause, .residual = residual };
    snprintf(t->explanation[at].text, sizeof t->explanation[at].text, "%s", text);
    snprintf(t->explanation[at].fix, sizeof t->explanation[at].fix, "%s", fix);
}

static bool applies(const hypothesis *h, const char *op)
{
    char word[120];
    snprintf(word, sizeof word, " %s ", op);
    return !h->ops || strstr(h->ops, word);
}

ox_code ox_explain(const ox_sighting *s, ox_trace *t, ox_error *err)
{
    probe p = { .s = s, .t = t, .whole = ox_rms(s->ref, s->truth, s->n) };
    if (!(p.a = ox_arena_create(0)))
        return OX_FAIL(err, OX_E_NOMEM, "out of memory");
    for (size_t i = 0; i < sizeof rows / sizeof *rows && p.whole > 0; i++) {
        if (!applies(&rows[i], s->node->op_type))
            continue;
        p.h = &rows[i];
        p.best = 1;
        rows[i].run(&p);
        if (p.best < good_enough)
            add(t, rows[i].cause, p.best, p.text, rows[i].fix);
        ox_arena_reset(p.a);
    }
    if (t->n_explanation == 0)
        add(t, "unknown", 1, "no known conversion mistake reproduces the reference at this node", "");
    ox_arena_destroy(p.a);
    return OX_OK;
}
