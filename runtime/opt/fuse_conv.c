/* BatchNormalization, addends and activations behind Conv and ConvTranspose.
 *
 * BatchNormalization(conv(x, w) + b) = conv(x, w k) + (b - mean) k + beta with k = scale / sqrt(var +
 * epsilon) per output channel; computed in double and rounded once. */
#include "runtime/graph/weights.h"
#include "runtime/opt/opt.h"

#include <math.h>
#include <string.h>

static const ox_tensor *constant(const ox_graph *g, const ox_node *n, int i)
{
    return i < n->n_in && n->in[i] >= 0 ? g->value[n->in[i]].constant : NULL;
}

static bool is_conv(const ox_node *n) { return ox_is_op(n, "Conv") || ox_is_op(n, "ConvTranspose"); }

/* Where output channels lie in the weights: Conv has (M, C / group, k ...), ConvTranspose (C, M / group,
 * k ...). */
typedef struct channels {
    int64_t m, n, m_group, c_group; /* output channels; elements of one in a row of them */
} channels;

static channels channels_of(const ox_node *conv, const ox_tensor *w)
{
    const ox_attr *a = ox_node_attr(conv, "group");
    int64_t group = a && a->i > 0 && a->i <= w->dim[0] ? a->i : 1;
    if (ox_is_op(conv, "Conv"))
        return (channels){ w->dim[0], ox_numel(w, 1, w->rank), w->dim[0], 1 };
    return (channels){ w->dim[1] * group, ox_numel(w, 2, w->rank), w->dim[1], OX_MAX(w->dim[0] / group, 1) };
}

/* The output channel of row i of the weights, of at->n elements; there are at->m where the shapes fit. */
static int64_t channel_at(const channels *at, int64_t i)
{
    return i / at->m_group / at->c_group % OX_MAX(at->m / at->m_group, 1) * at->m_group + i % at->m_group;
}

static bool is_training(const ox_node *bn)
{
    const ox_attr *mode = ox_node_attr(bn, "training_mode"), *test = ox_node_attr(bn, "is_test"),
                  *spatial = ox_node_attr(bn, "spatial");
    if (spatial && !spatial->i)
        return true; /* per-element statistics: not a channel scale */
    if (bn->schema && bn->schema->since < 7)
        return !test || !test->i;
    return (mode && mode->i) || (bn->n_out > 1 && bn->out[1] >= 0);
}

/* Scale and shift of one BatchNormalization, as double per channel. */
static double channel_scale(const ox_tensor *const bn[4], double epsilon, int64_t c)
{
    return ox_get_f64(bn[0], c) / sqrt(ox_get_f64(bn[3], c) + epsilon);
}

/* The weights of conv as they may be changed: themselves, or a copy that takes their place. */
static ox_code own_weights(ox_session *s, ox_graph *g, ox_node *conv, const char *name, ox_tensor **own, ox_error *err)
{
    int v = conv->in[1];
    const ox_tensor *w = g->value[v].constant;
    if (!ox_constant_private(g, v)) {
        ox_tensor copy;
        OX_TRY(ox_tensor_alloc(&copy, OX_F32, w->rank, w->dim, err));
        if (ox_bytes(w)) /* they may still be in their file */
            ox_weights_copy(s->model, copy.data, ox_weights_bytes(s->model, w), ox_bytes(w));
        v = ox_add_constant(s, g, ox_arena_printf(s->arena, "%s/weights", name), &copy);
        if (v < 0 || !ox_set_input(s, conv, 1, v))
            return OX_FAIL(err, OX_E_NOMEM, "out of memory");
    }
    *own = g->value[v].constant;
    return OX_OK;
}

static void scale_weights(ox_tensor *w, const channels *at, const ox_tensor *const bn[4], double epsilon)
{
    for (int64_t i = 0; i * at->n < ox_count(w); i++) {
        double k = channel_scale(bn, epsilon, channel_at(at, i));
        float *row = (float *)w->data + i * at->n;
        for (int64_t j = 0; j < at->n; j++)
            row[j] = (float)(row[j] * k);
    }
}

static ox_code shift_bias(ox_tensor *b2, const ox_tensor *b, int64_t m, const ox_tensor *const bn[4],
                          double epsilon, ox_error *err)
{
    OX_TRY(ox_tensor_alloc(b2, OX_F32, 1, &m, err));
    for (int64_t c = 0; c < m; c++) {
        double old = b ? ((const float *)b->data)[c] : 0;
        ((float *)b2->data)[c] = (float)((old - ox_get_f64(bn[2], c)) * channel_scale(bn, epsilon, c) +
                                         ox_get_f64(bn[1], c));
    }
    return OX_OK;
}

static ox_code fuse_bn(ox_session *s, ox_graph *g, ox_node *conv, ox_node *bn, ox_error *err)
{
    const ox_tensor *w = constant(g, conv, 1), *b = constant(g, conv, 2);
    const ox_tensor *p[4] = { constant(g, bn, 1), constant(g, bn, 2), constant(g, bn, 3), constant(g, bn, 4) };
    bool has_bias = conv->n_in > 2 && conv->in[2] >= 0;
    if (!w || w->dtype != OX_F32 || w->rank < 3 || (has_bias && (!b || b->dtype != OX_F32)) || is_training(bn))
        return OX_OK;
    channels at = channels_of(conv, w);
    for (int i = 0; i < 4; i++)
        if (!p[i] || p[i]->rank != 1 || p[i]->dim[0] != at.m)
            return OX_OK;
    if ((b && ox_count(b) != at.m) || ox_count(w) == 0)
        return OX_OK;
    const ox_attr *a = ox_node_attr(bn, "epsilon");
    double epsilon = a ? (double)a->f : (double)1e-5f;
    ox_tensor *own, b2;
    const char *name = g->value[bn->out[0]].name;
    OX_TRY(shift_bias(&b2, b, at.m, p, epsilon, err));
    int vb = ox_add_constant(s, g, ox_arena_printf(s->arena, "%s/bias", name), &b2);
    if (vb < 0 || !ox_set_input(s, conv, 2, vb))
        return OX_FAIL(err, OX_E_NOMEM, "out of memory");
    OX_TRY(own_weights(s, g, conv, name, &own, err));
    scale_weights(own, &at, p, epsilon);
    conv->out[0] = bn->out[0];
    ox_delete_node(bn);
    return OX_OK;
}

ox_code ox_pass_fuse_conv_bn(ox_session *s, ox_graph *g, ox_error *err)
{
    if (s->options.f64)
        return OX_OK;
    for (size_t k = 0; k < g->n_node; k++) {
        ox_node *conv = &g->node[k];
        if (!is_conv(conv))
            continue;
        ox_node *bn = ox_only_user(g, conv->out[0]);
        if (ox_is_op(bn, "BatchNormalization") && bn->in[0] == conv->out[0])
            OX_TRY(fuse_bn(s, g, conv, bn, err));
    }
    return OX_OK;
}

/* The activation's two parameters in the terms of kernels (see kernels/conv/op_conv.c); false: not one
 * that an epilogue knows. */
static bool activation(const ox_graph *g, const ox_node *n, const char **name, float *alpha, float *beta)
{
    const ox_attr *a = ox_node_attr(n, "alpha"), *lo = ox_node_attr(n, "min"), *hi = ox_node_attr(n, "max");
    *alpha = *beta = 0;
    if (ox_is_op(n, "Relu")) {
        *name = "Relu";
        return true;
    }
    if (ox_is_op(n, "LeakyRelu")) {
        *name = "LeakyRelu";
        *alpha = a ? a->f : 0.01f;
        return true;
    }
    if (!ox_is_op(n, "Clip"))
        return false;
    *name = "Clip";
    *alpha = lo ? lo->f : -INFINITY;
    *beta = hi ? hi->f : INFINITY;
    for (int i = 1; i < n->n_in && i < 3; i++) {
        if (n->in[i] < 0)
            continue;
        const ox_tensor *c = g->value[n->in[i]].constant;
        if (!c || c->dtype != OX_F32 || ox_count(c) != 1)
            return false;
        *(i == 1 ? alpha : beta) = *(const float *)c->data;
    }
    return *alpha <= *beta; /* Clip with min > max has its own rule */
}

/* Smooth activations: the operator's name is the kernels'; NULL: not one of them. */
static const char *smooth(const ox_node *n)
{
    static const char *const names[] = { "Sigmoid", "Tanh", "HardSwish", "Mish" };
    const ox_attr *form = ox_node_attr(n, "approximate"), *alpha = ox_node_attr(n, "alpha");
    for (size_t i = 0; i < OX_COUNT(names); i++)
        if (ox_is_op(n, names[i]))
            return names[i];
    if (ox_is_op(n, "Gelu"))
        return form && form->s.n && strcmp(form->s.s, "tanh") == 0 ? "GeluTanh" : "Gelu";
    return ox_is_op(n, "Swish") && (!alpha || alpha->f == 1) ? "Swish" : NULL;
}

bool ox_epilogue_activation(const ox_graph *g, const ox_node *n, const char **name, float *alpha, float *beta)
{
    return activation(g, n, name, alpha, beta) || (*name = smooth(n)) != NULL;
}

/* A float32 constant of one element that broadcasts into `rank` dimensions. */
static bool scalar(const ox_graph *g, const ox_node *n, int i, int rank, double *x)
{
    const ox_tensor *c = constant(g, n, i);
    if (!c || c->dtype != OX_F32 || ox_count(c) != 1 || c->rank > rank)
        return false;
    *x = ox_get_f64(c, 0);
    return true;
}

static bool about(double x, double want) { return fabs(x - want) <= 1e-6 * fabs(want); }

/* n divides by six; *from is what it divides. */
static bool sixth(const ox_graph *g, const ox_node *n, int rank, int *from)
{
    double x;
    bool div = ox_is_op(n, "Div");
    if ((!div && !ox_is_op(n, "Mul")) || n->n_in != 2)
        return false;
    for (int i = div ? 1 : 0; i < 2; i++)
        if (scalar(g, n, i, rank, &x) && (div ? x == 6 : about(x, 1 / 6.0))) {
            *from = n->in[!i];
            return true;
        }
    return false;
}

/* n is min(max(v + 3, 0), 6), and nobody else reads its parts. */
static bool relu6_of(ox_graph *g, const ox_node *n, int v, int rank)
{
    const char *name;
    float lo, hi;
    double three;
    const ox_node *add = n && n->n_in > 0 ? ox_producer(g, n->in[0]) : NULL;
    if (!ox_is_op(n, "Clip") || !activation(g, n, &name, &lo, &hi) || lo != 0 || hi != 6 || !ox_is_op(add, "Add") ||
        ox_only_user(g, n->in[0]) != n)
        return false;
    return (add->in[0] == v && scalar(g, add, 1, rank, &three) && three == 3) ||
           (add->in[1] == v && scalar(g, add, 0, rank, &three) && three == 3);
}

static bool hard_sigmoid_of(const ox_node *n, int v)
{
    const ox_attr *a = ox_node_attr(n, "alpha"), *b = ox_node_attr(n, "beta");
    return ox_is_op(n, "HardSigmoid") && n->in[0] == v && a && about((double)a->f, 1 / 6.0) && (!b || b->f == 0.5f);
}

/* v g(v) written out, v having no other readers: the name of that activation and its last node. */
static const char *gated(ox_graph *g, int v, int rank, ox_node **last)
{
    if (v < 0 || g->value[v].is_output || g->value[v].n_uses != 2 || g->value[v].user < 0)
        return NULL;
    ox_node *mul = &g->node[g->value[v].user], *gate, *end;
    if (!ox_is_op(mul, "Mul") || (mul->in[0] != v && mul->in[1] != v) || mul->in[0] == mul->in[1])
        return NULL;
    int other = mul->in[0] == v ? mul->in[1] : mul->in[0], from;
    gate = ox_producer(g, other);
    *last = mul;
    if (!gate || ox_only_user(g, other) != mul)
        return NULL;
    if (ox_is_op(gate, "Sigmoid") && gate->in[0] == v)
        return "Swish";
    if (hard_sigmoid_of(gate, v))
        return "HardSwish";
    if (sixth(g, gate, rank, &from) && ox_only_user(g, from) == gate && relu6_of(g, ox_producer(g, from), v, rank))
        return "HardSwish";
    end = ox_only_user(g, mul->out[0]);
    if (!end || !relu6_of(g, gate, v, rank) || !sixth(g, end, rank, &from) || from != mul->out[0])
        return NULL;
    *last = end;
    return "HardSwish";
}

/* The weights, if the node is a convolution of float32 whose epilogue is free. */
static const ox_tensor *open_conv(const ox_graph *g, const ox_node *conv)
{
    const ox_tensor *w = is_conv(conv) ? constant(g, conv, 1) : NULL;
    return w && w->dtype == OX_F32 && w->rank >= 3 && !ox_node_attr(conv, "onnxrun_activation") ? w : NULL;
}

ox_code ox_pass_fuse_conv_act(ox_session *s, ox_graph *g, ox_error *err)
{
    if (s->options.f64)
        return OX_OK;
    for (size_t k = 0; k < g->n_node; k++) {
        ox_node *conv = &g->node[k], *last;
        const char *name = NULL;
        float alpha = 0, beta = 0;
        const ox_tensor *w = open_conv(g, conv);
        if (!w)
            continue;
        if ((last = ox_only_user(g, conv->out[0])) != NULL) {
            if (last->in[0] != conv->out[0] || !ox_epilogue_activation(g, last, &name, &alpha, &beta))
                continue;
        } else if (s->options.optimize < 2 || !(name = gated(g, conv->out[0], w->rank, &last))) {
            continue;
        }
        if (!ox_set_attr_str(s, conv, "onnxrun_activation", name) ||
            !ox_set_attr_f32(s, conv, "onnxrun_alpha", alpha) || !ox_set_attr_f32(s, conv, "onnxrun_beta", beta))
            return OX_FAIL(err, OX_E_NOMEM, "out of memory");
        conv->out[0] = last->out[0]; /* what lies between is pruned */
        ox_delete_node(last);
    }
    return OX_OK;
}

/* ---- addends ---- */

/* A constant that adds one number to each of the m channels of a tensor of that rank. */
static bool is_channel_bias(const ox_tensor *c, int rank, int64_t m)
{
    if (!c || c->dtype != OX_F32 || c->rank > rank || ox_count(c) != m)
        return false;
    for (int d = 0; d < c->rank; d++)
        if (c->dim[d] != 1 && d != c->rank - rank + 1)
            return false;
    return true;
}

/* conv + c, or conv * c (`times`), c one number a channel: into bias, or weights and bias. */
static ox_code fold_channel(ox_session *s, ox_graph *g, ox_node *conv, ox_node *last, const ox_tensor *c, bool times,
                            ox_error *err)
{
    const ox_tensor *w = constant(g, conv, 1), *b = constant(g, conv, 2);
    const char *name = g->value[last->out[0]].name;
    channels at = channels_of(conv, w);
    int64_t m = at.m;
    ox_tensor t = { 0 };
    if (times) {
        ox_tensor *own;
        OX_TRY(own_weights(s, g, conv, name, &own, err));
        for (int64_t k = 0; k * at.n < ox_count(own); k++) {
            float by = ((const float *)c->data)[channel_at(&at, k)], *row = (float *)own->data + k * at.n;
            for (int64_t i = 0; i < at.n; i++)
                row[i] *= by;
        }
    }
    if (b || !times) {
        OX_TRY(ox_tensor_alloc(&t, OX_F32, 1, &m, err));
        for (int64_t i = 0; i < m; i++) {
            double old = b ? ox_get_f64(b, i) : 0, x = ox_get_f64(c, i);
            ((float *)t.data)[i] = (float)(times ? old * x : old + x);
        }
        int v = ox_add_constant(s, g, ox_arena_printf(s->arena, "%s/bias", name), &t);
        if (v < 0 || !ox_set_input(s, conv, 2, v))
            return OX_FAIL(err, OX_E_NOMEM, "out of memory");
    }
    conv->out[0] = last->out[0];
    ox_delete_node(last);
    return OX_OK;
}

/* Both of the same float32 shape, whatever the inputs. */
static bool same_shape(const ox_graph *g, int a, int b)
{
    const ox_info *x = &g->value[a], *y = &g->value[b];
    if (!x->inferred || !y->inferred || x->type.kind != OX_TENSOR || y->type.kind != OX_TENSOR ||
        x->type.dtype != OX_F32 || y->type.dtype != OX_F32 || x->type.rank != y->type.rank || x->type.rank < 0)
        return false;
    for (int d = 0; d < x->type.rank; d++)
        if (x->type.dim[d] != y->type.dim[d] || x->type.dim[d] == OX_DIM_UNKNOWN)
            return false;
    return true;
}

/* The convolution moves to the place of the addition, where both operands exist. */
static ox_code add_residual(ox_session *s, ox_node *conv, ox_node *add, int other, ox_error *err)
{
    if (!ox_set_input(s, conv, 3, other))
        return OX_FAIL(err, OX_E_NOMEM, "out of memory");
    conv->out[0] = add->out[0];
    *add = *conv;
    ox_delete_node(conv);
    return OX_OK;
}

/* What stands behind a convolution, as long as it can be taken in. */
static ox_code take_addends(ox_session *s, ox_graph *g, ox_node *conv, ox_error *err)
{
    for (;;) {
        const ox_tensor *w = open_conv(g, conv), *c;
        ox_node *n = w && conv->n_in <= 3 ? ox_only_user(g, conv->out[0]) : NULL;
        bool times = ox_is_op(n, "Mul"), plus = ox_is_op(n, "Add") || ox_is_op(n, "Sum");
        if ((!times && !plus) || n->n_in != 2 || n->in[0] == n->in[1] || ox_node_attr(n, "axis") ||
            ox_node_attr(n, "broadcast"))
            return OX_OK;
        bool bias_known = conv->n_in < 3 || conv->in[2] < 0 || constant(g, conv, 2);
        int other = n->in[n->in[0] == conv->out[0]];
        c = other >= 0 ? g->value[other].constant : NULL;
        if (is_channel_bias(c, w->rank, channels_of(conv, w).m) && ox_count(w) && bias_known) {
            OX_TRY(fold_channel(s, g, conv, n, c, times, err));
        } else {
            if (plus && !c && other >= 0 && ox_is_op(conv, "Conv") && same_shape(g, conv->out[0], other))
                return add_residual(s, conv, n, other, err);
            return OX_OK;
        }
    }
}

ox_code ox_pass_fuse_conv_add(ox_session *s, ox_graph *g, ox_error *err)
{
    for (size_t k = 0; k < g->n_node && !s->options.f64; k++)
        OX_TRY(take_addends(s, g, &g->node[k], err));
    return OX_OK;
}
