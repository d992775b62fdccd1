/* Products, sums and their like between DequantizeLinear and QuantizeLinear become integer
 * operators.
 *
 *   Conv, MatMul, Gemm on 8-bit operands   QLinearConv, QLinearMatMul (kernels/conv,
 * kernels/quant), which take a float bias, Relu or Clip, and give floats where nothing quantises
 * them Add, Mul                               QAdd, QMul (kernels/quant/op_q8.c) a table behind any
 * of them             its last input
 *
 * Integer sums are exact, and one float32 multiplication and addition follow where the graph as
 * written rounds every product: the result may differ by one step where the exact one lies near the
 * middle of two. */
#include "runtime/opt/qdq.h"

#include <math.h>
#include <string.h>

/* ---- operands ---- */

/* A constant 8-bit operand of a product: one scale, or one for each of `n` filters or columns along
 * `axis`. */
static bool constant_operand(ox_graph *g, int v, int axis, ox_quant *q)
{
    const ox_node *n = ox_made_by(g, v, "DequantizeLinear");
    if (!n || n->n_in < 2 || n->in[0] < 0 || ox_int_attr(n, "block_size", 0) ||
        ox_int_attr(n, "output_dtype", OX_F32) != OX_F32)
        return false;
    const ox_tensor *x = g->value[n->in[0]].constant, *s = g->value[n->in[1]].constant;
    *q = (ox_quant){
        .x = n->in[0], .scale = n->in[1], .zero = n->n_in > 2 ? n->in[2] : OX_ABSENT, .s = s
    };
    q->z = q->zero >= 0 ? g->value[q->zero].constant : NULL;
    if (!x || !s || s->dtype != OX_F32 || (x->dtype != OX_I8 && x->dtype != OX_U8) ||
        (q->zero >= 0 && !q->z))
        return false;
    q->dtype = x->dtype;
    int64_t count = ox_count(s);
    if (q->z && (ox_count(q->z) != count || q->z->dtype != x->dtype))
        return false;
    if (count == 1)
        return true;
    int64_t at = ox_int_attr(n, "axis", 1);
    at += at < 0 ? x->rank : 0;
    return s->rank == 1 && at == axis && axis < x->rank && count == x->dim[axis];
}

/* A bias as floats, dequantised if need be, with n elements; -1: it is none. */
static int float_bias(ox_session *s, ox_graph *g, int v, int64_t n, ox_error *err)
{
    const ox_tensor *c = v >= 0 ? g->value[v].constant : NULL;
    const ox_node *dq = ox_made_by(g, v, "DequantizeLinear");
    if (c)
        return c->dtype == OX_F32 && ox_count(c) == n &&
                       (c->rank == 1 || (c->rank == 2 && c->dim[0] == 1))
                   ? v
                   : -1;
    if (!dq || dq->n_in < 2)
        return -1;
    const ox_tensor *x = g->value[dq->in[0]].constant, *k = g->value[dq->in[1]].constant;
    const ox_tensor *z = dq->n_in > 2 && dq->in[2] >= 0 ? g->value[dq->in[2]].constant : NULL;
    if (!x || !k || (dq->n_in > 2 && dq->in[2] >= 0 && !z) || k->dtype != OX_F32 || x->rank != 1 ||
        x->dim[0] != n || (ox_count(k) != 1 && ox_count(k) != n) ||
        (z && ox_count(z) != ox_count(k)) || !ox_is_int(x->dtype))
        return -1;
    ox_tensor t;
    if (ox_tensor_alloc(&t, OX_F32, 1, &n, err) != OX_OK)
        return -1;
    for (int64_t i = 0; i < n; i++) {
        int64_t at = ox_count(k) == 1 ? 0 : i;
        ((float *)t.data)[i] =
            (float)(ox_get_i64(x, i) - (z ? ox_get_i64(z, at) : 0)) * ((const float *)k->data)[at];
    }
    return ox_add_constant(s, g, ox_arena_printf(s->arena, "%s/float", g->value[v].name), &t);
}

/* ---- what stands behind ---- */

typedef struct behind {
    ox_node *act, *last; /* last: QuantizeLinear, or NULL */
    int bias;
    const char *name; /* of the activation */
    float alpha, beta;
    ox_quant y;
} behind;

/* Relu or Clip, which commute with rounding to a grid. */
static bool is_clamp(const char *name)
{
    return strcmp(name, "Relu") == 0 || strcmp(name, "Clip") == 0;
}

static void look_behind(ox_graph *g, int v, behind *b)
{
    ox_node *n = ox_only_user(g, v);
    if (n && n->n_in > 0 && n->in[0] == v &&
        ox_epilogue_activation(g, n, &b->name, &b->alpha, &b->beta) && is_clamp(b->name) &&
        n->n_out == 1) {
        b->act = n;
        n = ox_only_user(g, n->out[0]);
    }
    if (n && ox_quantises(g, n, &b->y) && n->in[0] == (b->act ? b->act->out[0] : v))
        b->last = n;
}

/* The node takes over everything behind it. */
static bool take_over(ox_session *s, ox_node *n, const behind *b)
{
    const ox_node *last = b->last ? b->last : b->act;
    if (b->act && (!ox_set_attr_str(s, n, "onnxrun_activation", b->name) ||
                   !ox_set_attr_f32(s, n, "onnxrun_alpha", b->alpha) ||
                   !ox_set_attr_f32(s, n, "onnxrun_beta", b->beta)))
        return false;
    if (!b->last && !ox_set_attr_f32(s, n, "onnxrun_float", 1))
        return false;
    if (last) {
        n->out[0] = last->out[0];
        if (b->act)
            ox_delete_node(b->act);
        if (b->last)
            ox_delete_node(b->last);
    }
    return true;
}

/* Zero point and scale of the result: 1 and a zero of 8 bits where it stays a float. */
static bool result(ox_session *s, ox_graph *g, const behind *b, const char *name, int *scale,
                   int *zero, ox_error *err)
{
    *scale = b->last
                 ? b->y.scale
                 : ox_add_number(s, g, ox_arena_printf(s->arena, "%s/one", name), OX_F32, 1, err);
    *zero = b->last && b->y.zero >= 0
                ? b->y.zero
                : ox_add_number(s, g, ox_arena_printf(s->arena, "%s/zero", name),
                                b->last ? b->y.dtype : OX_U8, 0, err);
    return *scale >= 0 && *zero >= 0;
}

/* Turns a node into an operator of ONNX, attributes kept. */
static bool retitle(ox_session *s, ox_node *n, const char *op_type, const int *in, int n_in)
{
    ox_node old = *n;
    if (!ox_become(s, n, "", op_type, OX_MAX(n->opset, 10), in, n_in))
        return false;
    n->attr = old.attr;
    n->n_attr = old.n_attr;
    return true;
}

/* ---- Conv ---- */

static ox_code fuse_conv(ox_session *s, ox_graph *g, size_t k, ox_error *err)
{
    ox_node *n = &g->node[k];
    ox_quant x, w;
    behind b = { .bias = -1 };
    if (n->n_in < 2 || n->n_in > 3 || n->n_out != 1 || ox_node_attr(n, "onnxrun_activation") ||
        !ox_dequantised(g, n->in[0], &x) || !constant_operand(g, n->in[1], 0, &w))
        return OX_OK;
    const ox_tensor *wt = g->value[w.x].constant;
    bool biased = n->n_in > 2 && n->in[2] >= 0;
    if (wt->rank < 3 || ox_count(wt) == 0)
        return OX_OK;
    if (biased && (b.bias = float_bias(s, g, n->in[2], wt->dim[0], err)) < 0)
        return OX_OK;
    n = &g->node[k];
    look_behind(g, n->out[0], &b);
    int ys, yz;
    if (!result(s, g, &b, n->name, &ys, &yz, err))
        return OX_FAIL(err, OX_E_NOMEM, "out of memory");
    int in[] = { x.x, x.scale, x.zero, w.x, w.scale, w.zero, ys, yz, OX_ABSENT, b.bias };
    if (!retitle(s, n, "QLinearConv", in, biased ? 10 : 8) || !take_over(s, n, &b))
        return OX_FAIL(err, OX_E_NOMEM, "out of memory");
    return OX_OK;
}

/* ---- MatMul, Gemm ---- */

static bool plain_gemm(const ox_node *n)
{
    const ox_attr *alpha = ox_node_attr(n, "alpha"), *beta = ox_node_attr(n, "beta");
    return (!alpha || alpha->f == 1) && (!beta || beta->f == 1) && !ox_int_attr(n, "transA", 0);
}

/* MatMul's second operand where it is no constant: columns have one scale. */
static bool operand(ox_graph *g, int v, int axis, ox_quant *q, int64_t *columns)
{
    *columns = -1;
    if (constant_operand(g, v, axis, q)) {
        const ox_tensor *c = g->value[q->x].constant;
        *columns = c->rank == 2 ? c->dim[axis] : -1;
        return c->rank == 2 || ox_count(q->s) == 1;
    }
    return ox_dequantised(g, v, q);
}

static ox_code fuse_product(ox_session *s, ox_graph *g, size_t k, bool gemm, ox_error *err)
{
    ox_node *n = &g->node[k];
    ox_quant a, w;
    behind b = { .bias = -1 };
    bool turned = gemm && ox_int_attr(n, "transB", 0);
    int64_t columns;
    if (n->n_in < 2 || n->n_in > (gemm ? 3 : 2) || n->n_out != 1 || (gemm && !plain_gemm(n)) ||
        !ox_dequantised(g, n->in[0], &a) || !operand(g, n->in[1], turned ? 0 : 1, &w, &columns))
        return OX_OK;
    bool biased = gemm && n->n_in > 2 && n->in[2] >= 0;
    if (biased && (columns < 0 || (b.bias = float_bias(s, g, n->in[2], columns, err)) < 0))
        return OX_OK;
    n = &g->node[k];
    int y = n->out[0];
    ox_node *add = ox_only_user(g, y);
    int other =
        ox_is_op(add, "Add") && add->schema && add->schema->since >= 7 ? ox_other(add, y) : -1;
    const ox_tensor *bias = other >= 0 ? ox_vector(g, other) : NULL;
    if (!biased && !gemm && bias && columns > 0 && bias->dim[0] == columns) {
        b.bias = other;
        biased = true;
        n->out[0] = y = add->out[0];
        ox_delete_node(add);
    }
    look_behind(g, y, &b);
    int ys, yz;
    if (!result(s, g, &b, n->name, &ys, &yz, err))
        return OX_FAIL(err, OX_E_NOMEM, "out of memory");
    int in[] = { a.x, a.scale, a.zero, w.x, w.scale, w.zero, ys, yz, b.bias };
    if (!ox_become(s, n, "", "QLinearMatMul", OX_MAX(n->opset, 10), in, biased ? 9 : 8) ||
        !take_over(s, n, &b) || (turned && !ox_set_attr_f32(s, n, "onnxrun_transb", 1)))
        return OX_FAIL(err, OX_E_NOMEM, "out of memory");
    return OX_OK;
}

/* ---- Add, Mul ---- */

/* round(v / scale) + zero, saturated. */
static int quantise(const ox_quant *q, double v)
{
    int zero = q->z ? (int)ox_get_i64(q->z, 0) : 0, lo = q->dtype == OX_I8 ? -128 : 0;
    double r = nearbyint(v / (double)*(const float *)q->s->data) + zero;
    return r > lo ? r < lo + 255 ? (int)r : lo + 255 : lo;
}

/* Relu or Clip as a table of what it does to quantised numbers: rounding and saturating keep their
 * order. */
static int clamp_table(ox_session *s, ox_graph *g, const behind *b, ox_error *err)
{
    static const int64_t n = 256;
    bool relu = strcmp(b->name, "Relu") == 0;
    int lo = quantise(&b->y, relu ? 0 : b->alpha), hi = quantise(&b->y, relu ? INFINITY : b->beta);
    ox_tensor t;
    if (ox_tensor_alloc(&t, b->y.dtype, 1, &n, err) != OX_OK)
        return -1;
    for (int i = 0; i < n; i++) {
        int v = b->y.dtype == OX_I8 ? (int8_t)i : i;
        ((uint8_t *)t.data)[i] = (uint8_t)(v < lo ? lo : v > hi ? hi : v);
    }
    return ox_add_constant(s, g, ox_arena_printf(s->arena, "%s/table", b->act->name), &t);
}

static ox_code fuse_pair(ox_session *s, ox_graph *g, size_t k, const char *op_type, ox_error *err)
{
    ox_node *n = &g->node[k];
    ox_quant a, c;
    behind b = { .bias = -1 };
    if (n->n_in != 2 || n->n_out != 1 || !n->schema || n->schema->since < 7)
        return OX_OK;
    int first = 0;
    if (!ox_dequantised(g, n->in[0], &a)) {
        first = 1;
        if (!ox_dequantised(g, n->in[1], &a))
            return OX_OK;
    }
    int other = n->in[1 - first];
    bool quantised = ox_dequantised(g, other, &c);
    look_behind(g, n->out[0], &b);
    if (!b.last || (!quantised && !ox_is_f32(g, other)))
        return OX_OK;
    int ys, yz, table = b.act ? clamp_table(s, g, &b, err) : OX_ABSENT;
    if ((b.act && table < 0) || !result(s, g, &b, n->name, &ys, &yz, err))
        return OX_FAIL(err, OX_E_NOMEM, "out of memory");
    int in[] = { a.x,
                 a.scale,
                 a.zero,
                 quantised ? c.x : other,
                 quantised ? c.scale : OX_ABSENT,
                 quantised ? c.zero : OX_ABSENT,
                 ys,
                 yz,
                 table };
    if (!ox_become(s, n, "onnxrun", op_type, 1, in, b.act ? 9 : 8) || !take_over(s, n, &b))
        return OX_FAIL(err, OX_E_NOMEM, "out of memory");
    return OX_OK;
}

/* ---- dynamic quantisation ---- */

/* v = x_scale * w_scale, w_scale a constant. */
static bool two_scales(ox_graph *g, int v, int *x, int *w)
{
    const ox_node *n = ox_made_by(g, v, "Mul");
    if (!n || n->n_in != 2 || n->in[0] < 0 || n->in[1] < 0)
        return false;
    int first = g->value[n->in[0]].constant ? 1 : 0;
    const ox_tensor *c = g->value[n->in[1 - first]].constant;
    const ox_node *maker = ox_producer(g, n->in[first]);
    *x = n->in[first];
    *w = n->in[1 - first];
    return c && c->dtype == OX_F32 && c->rank <= 1 && ox_is_op(maker, "DynamicQuantizeLinear") &&
           maker->n_out > 1 && maker->out[1] == *x;
}

/* Mul(Cast(MatMulInteger or ConvInteger), x_scale * w_scale), as dynamic quantisation writes it. */
static ox_code fuse_dynamic(ox_session *s, ox_graph *g, size_t k, ox_error *err)
{
    ox_node *mul = &g->node[k];
    int xs, ws, at = mul->n_in == 2 && ox_made_by(g, mul->in[0], "Cast") ? 0 : 1;
    ox_node *cast = mul->n_in == 2 ? ox_made_by(g, mul->in[at], "Cast") : NULL;
    ox_node *n = cast && cast->in[0] >= 0 ? ox_producer(g, cast->in[0]) : NULL;
    bool conv = ox_is_op(n, "ConvInteger");
    if (!n || (!conv && !ox_is_op(n, "MatMulInteger")) || ox_int_attr(cast, "to", 0) != OX_F32 ||
        n->n_in < 2 || ox_only_user(g, cast->out[0]) != mul || ox_only_user(g, n->out[0]) != cast ||
        !two_scales(g, mul->in[1 - at], &xs, &ws))
        return OX_OK;
    const ox_tensor *w = n->in[1] >= 0 ? g->value[n->in[1]].constant : NULL,
                    *c = g->value[ws].constant;
    const ox_tensor *z = n->n_in > 3 && n->in[3] >= 0 ? g->value[n->in[3]].constant : NULL;
    const ox_node *source = ox_producer(g, xs);
    /* one scale of x; those of w are of columns, which a convolution's are not as Mul broadcasts
     * them */
    if (!w || (n->n_in > 3 && n->in[3] >= 0 && !z) || n->in[0] != source->out[0] || n->n_in < 3 ||
        n->in[2] != source->out[2] || (conv ? w->rank < 3 : w->rank != 2) ||
        (ox_count(c) != 1 && (conv || ox_count(c) != w->dim[1])) ||
        (z && ox_count(z) != 1 && (conv || ox_count(z) != w->dim[1])))
        return OX_OK;
    int one = ox_add_number(s, g, ox_arena_printf(s->arena, "%s/one", mul->name), OX_F32, 1, err);
    int zero = ox_add_number(s, g, ox_arena_printf(s->arena, "%s/zero", mul->name), OX_U8, 0, err);
    if (one < 0 || zero < 0)
        return OX_FAIL(err, OX_E_NOMEM, "out of memory");
    int in[] = { n->in[0], xs,   n->in[2], n->in[1], ws, n->n_in > 3 ? n->in[3] : OX_ABSENT,
                 one,      zero, OX_ABSENT };
    ox_attr *attr = n->attr;
    int n_attr = n->n_attr, n_in = 8;
    ox_node *last = mul, *add = ox_only_user(g, mul->out[0]);
    int other = ox_is_op(add, "Add") && add->schema && add->schema->since >= 7
                    ? ox_other(add, mul->out[0])
                    : -1;
    const ox_tensor *bias = other >= 0 ? ox_vector(g, other) : NULL;
    if (!conv && bias && bias->dim[0] == w->dim[1]) {
        in[8] = other;
        n_in = 9;
        last = add;
    }
    /* in place of the last node: both scales are there */
    if (!ox_become(s, last, "", conv ? "QLinearConv" : "QLinearMatMul", OX_MAX(n->opset, 10), in,
                   n_in))
        return OX_FAIL(err, OX_E_NOMEM, "out of memory");
    if (conv) {
        last->attr = attr;
        last->n_attr = n_attr;
    }
    if (!ox_set_attr_f32(s, last, "onnxrun_float", 1))
        return OX_FAIL(err, OX_E_NOMEM, "out of memory");
    return OX_OK;
}

/* ---- tables behind ---- */

static ox_code fuse_table(ox_session *s, ox_graph *g, size_t k, ox_error *err)
{
    ox_node *n = &g->node[k], *made = ox_producer(g, n->in[0]);
    int slot = ox_is_op(made, "QLinearConv") ? 10 : ox_is_op(made, "QLinearMatMul") ? 9 : -1;
    if (made && strcmp(made->domain, "onnxrun") == 0 && strcmp(made->op_type, "QTable") != 0)
        slot = 8;
    if (slot < 0 || ox_only_user(g, n->in[0]) != n || (slot < made->n_in && made->in[slot] >= 0) ||
        ox_node_attr(made, "onnxrun_float"))
        return OX_OK;
    if (!ox_set_input(s, made, slot, n->in[1]))
        return OX_FAIL(err, OX_E_NOMEM, "out of memory");
    made->out[0] = n->out[0];
    ox_delete_node(n);
    return OX_OK;
}

ox_code ox_pass_qdq_compute(ox_session *s, ox_graph *g, ox_error *err)
{
    if (s->options.f64 || s->options.float_qdq)
        return OX_OK;
    for (size_t k = 0, n = g->n_node; k < n; k++) {
        const ox_node *node = &g->node[k];
        if (ox_is_op(node, "Conv"))
            OX_TRY(fuse_conv(s, g, k, err));
        else if (ox_is_op(node, "MatMul") || ox_is_op(node, "Gemm"))
            OX_TRY(fuse_product(s, g, k, ox_is_op(node, "Gemm"), err));
        else if (ox_is_op(node, "Add") || ox_is_op(node, "Mul"))
            OX_TRY(fuse_pair(s, g, k, ox_is_op(node, "Add") ? "QAdd" : "QMul", err));
        if (ox_is_op(&g->node[k], "Mul"))
            OX_TRY(fuse_dynamic(s, g, k, err));
    }
    OX_TRY(ox_graph_sort(g, err));
    ox_graph_prune(g);
    ox_graph_link(g);
    for (size_t k = 0; k < g->n_node; k++)
        if (g->node[k].op_type && strcmp(g->node[k].op_type, "QTable") == 0 && g->node[k].n_in == 2)
            OX_TRY(fuse_table(s, g, k, err));
    return OX_OK;
}
