/* BatchNormalization and activations behind Conv.
 *
 * BatchNormalization(conv(x, w) + b) = conv(x, w k) + (b - mean) k + beta with k = scale / sqrt(var +
 * epsilon) per output channel; computed in double and rounded once. */
#include "runtime/opt/opt.h"

#include <math.h>
#include <string.h>

static const ox_tensor *constant(const ox_graph *g, const ox_node *n, int i)
{
    return i < n->n_in && n->in[i] >= 0 ? g->value[n->in[i]].constant : NULL;
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

static ox_code scale_weights(ox_tensor *w2, const ox_tensor *w, const ox_tensor *const bn[4],
                             double epsilon, ox_error *err)
{
    int64_t m = w->dim[0], n = ox_numel(w, 1, w->rank);
    OX_TRY(ox_tensor_alloc(w2, OX_F32, w->rank, w->dim, err));
    for (int64_t c = 0; c < m; c++) {
        double k = channel_scale(bn, epsilon, c);
        for (int64_t i = 0; i < n; i++)
            ((float *)w2->data)[c * n + i] = (float)(((const float *)w->data)[c * n + i] * k);
    }
    return OX_OK;
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
    for (int i = 0; i < 4; i++)
        if (!p[i] || p[i]->rank != 1 || p[i]->dim[0] != w->dim[0])
            return OX_OK;
    if (b && ox_count(b) != w->dim[0])
        return OX_OK;
    const ox_attr *a = ox_node_attr(bn, "epsilon");
    double epsilon = a ? (double)a->f : (double)1e-5f;
    ox_tensor w2 = { 0 }, b2 = { 0 };
    OX_TRY(scale_weights(&w2, w, p, epsilon, err));
    ox_code code = shift_bias(&b2, b, w->dim[0], p, epsilon, err);
    if (code != OX_OK) {
        ox_tensor_release(&w2);
        return code;
    }
    const char *name = g->value[bn->out[0]].name;
    int vw = ox_add_constant(s, g, ox_arena_printf(s->arena, "%s/weights", name), &w2);
    int vb = ox_add_constant(s, g, ox_arena_printf(s->arena, "%s/bias", name), &b2);
    if (vw < 0 || vb < 0 || !ox_set_input(s, conv, 1, vw) || !ox_set_input(s, conv, 2, vb))
        return OX_FAIL(err, OX_E_NOMEM, "out of memory");
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
        if (!ox_is_op(conv, "Conv"))
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

ox_code ox_pass_fuse_conv_act(ox_session *s, ox_graph *g, ox_error *err)
{
    if (s->options.f64)
        return OX_OK;
    for (size_t k = 0; k < g->n_node; k++) {
        ox_node *conv = &g->node[k];
        const char *name;
        float alpha, beta;
        if (!ox_is_op(conv, "Conv") || ox_node_attr(conv, "onnxrun_activation"))
            continue;
        ox_node *act = ox_only_user(g, conv->out[0]);
        const ox_type *type = conv->n_in > 1 && conv->in[1] >= 0 && g->value[conv->in[1]].constant
                                  ? &g->value[conv->in[1]].type : NULL;
        if (!act || !type || g->value[conv->in[1]].constant->dtype != OX_F32 || act->in[0] != conv->out[0] ||
            !activation(g, act, &name, &alpha, &beta))
            continue;
        if (!ox_set_attr_str(s, conv, "onnxrun_activation", name) ||
            !ox_set_attr_f32(s, conv, "onnxrun_alpha", alpha) || !ox_set_attr_f32(s, conv, "onnxrun_beta", beta))
            return OX_FAIL(err, OX_E_NOMEM, "out of memory");
        conv->out[0] = act->out[0];
        ox_delete_node(act);
    }
    return OX_OK;
}
