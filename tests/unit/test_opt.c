/* The fusing passes: what they make of a pattern, that they leave near misses alone, and that the results
 * stay those of the graph as written. */
#include "tests/unit/build.h"

enum { ROWS = 3, WIDTH = 8 };

static int mean(int x, int64_t axis)
{
    ox_node *n = node("ReduceMean", 17, 1, &x);
    ints(n, "axes", 1, &axis);
    return n->out[0];
}

/* Runs at levels 0 and 2, whose results must agree; the optimised graph's operators as text. */
static const char *fused_with(double tolerance)
{
    enum { SIZE = 1 << 14 };
    static char text[256];
    static float written[SIZE], y[SIZE];
    ox_options o = { .threads = 1 };
    ox_session *s;
    size_t n = run_model(&o, written, SIZE, NULL);
    o.optimize = 2;
    ck_assert_uint_eq(run_model(&o, y, SIZE, &s), n);
    for (size_t i = 0; i < n; i++)
        ck_assert_double_le(fabs((double)y[i] - written[i]), tolerance);
    const ox_graph *optimised = ox_session_graph(s);
    text[0] = '\0';
    for (size_t k = 0; k < optimised->n_node; k++) {
        const ox_node *node = &optimised->node[k];
        const ox_attr *act = ox_node_attr(node, "onnxrun_activation");
        size_t used = strlen(text);
        snprintf(text + used, sizeof(text) - used, "%s%s%s%s%s", k ? " " : "", node->op_type,
                 node->n_in > 2 && node->in[2] >= 0 ? "+b" : "", node->n_in > 3 ? "+r" : "", act ? act->s.s : "");
    }
    ox_session_destroy(s);
    ox_model_destroy(m);
    return text;
}
static const char *fused(void) { return fused_with(2e-6); }

/* ---- Gelu, Swish ---- */
static int start_x(void)
{
    start();
    return input("x", 2, (int64_t[]){ ROWS, WIDTH });
}

START_TEST(gelu_erf)
{
    int x = start_x(), e = op1("Erf", op2("Div", x, scalar(1.41421354)));
    output(op2("Mul", op2("Mul", x, op2("Add", e, scalar(1))), scalar(0.5)));
    ck_assert_str_eq(fused(), "Gelu");
    x = start_x(), e = op1("Erf", op2("Mul", scalar(0.707106769), x));
    output(op2("Mul", op2("Mul", scalar(0.5), x), op2("Add", scalar(1), e)));
    ck_assert_str_eq(fused(), "Gelu");
    x = start_x(), e = op1("Erf", op2("Div", x, scalar(1.41421354)));
    output(op2("Mul", x, op2("Mul", op2("Add", e, scalar(1)), scalar(0.5))));
    ck_assert_str_eq(fused(), "Gelu");
}
END_TEST

static int tanh_argument(int x, double cubic)
{
    int cube = op2("Mul", x, op2("Mul", x, x));
    return op2("Mul", scalar(0.797884583), op2("Add", x, op2("Mul", scalar(cubic), cube)));
}

START_TEST(gelu_tanh)
{
    int x = start_x(), t = op1("Tanh", tanh_argument(x, 0.044715));
    output(op2("Mul", op2("Mul", x, scalar(0.5)), op2("Add", t, scalar(1))));
    ck_assert_str_eq(fused(), "Gelu");
    x = start_x();
    int cube = op2("Pow", x, scalar(3));
    t = op1("Tanh", op2("Mul", op2("Add", x, op2("Mul", cube, scalar(0.044715))), scalar(0.797884583)));
    output(op2("Mul", scalar(0.5), op2("Mul", x, op2("Add", scalar(1), t))));
    ck_assert_str_eq(fused(), "Gelu");
    x = start_x();
    int line = op2("Add", scalar(1), op2("Mul", op2("Mul", x, x), scalar(0.044715)));
    t = op1("Tanh", op2("Mul", op2("Mul", x, scalar(0.797884583)), line));
    output(op2("Mul", x, op2("Add", scalar(0.5), op2("Mul", t, scalar(0.5)))));
    ck_assert_str_eq(fused(), "Gelu");
}
END_TEST

START_TEST(gelu_near_misses)
{
    int x = start_x(), e = op1("Erf", op2("Div", x, scalar(1.415))); /* no square root of 2 */
    output(op2("Mul", op2("Mul", x, op2("Add", e, scalar(1))), scalar(0.5)));
    ck_assert_str_eq(fused(), "Div Erf Add Mul Mul");
    x = start_x(), e = op1("Erf", op2("Div", x, scalar(1.41421354)));
    output(op2("Mul", op2("Mul", x, op2("Add", e, scalar(1))), scalar(0.6)));
    ck_assert_str_eq(fused(), "Div Erf Add Mul Mul");
    x = start_x();
    int y = op1("Neg", x); /* multiplied by something else */
    e = op1("Erf", op2("Div", x, scalar(1.41421354)));
    output(op2("Mul", op2("Mul", y, op2("Add", e, scalar(1))), scalar(0.5)));
    ck_assert_str_eq(fused(), "Neg Div Erf Add Mul Mul");
    x = start_x();
    int t = op1("Tanh", tanh_argument(x, 0.0447));
    output(op2("Mul", op2("Mul", x, scalar(0.5)), op2("Add", t, scalar(1))));
    ck_assert_ptr_null(strstr(fused(), "Gelu"));
    x = start_x(), e = op1("Erf", op2("Div", x, scalar(1.41421354))); /* a constant that adds a dimension */
    output(op2("Mul", op2("Mul", x, op2("Add", e, scalar(1))), constant(0.5, 3, (int64_t[]){ 1, 1, 1 })));
    ck_assert_ptr_null(strstr(fused(), "Gelu"));
}
END_TEST

START_TEST(gelu_other_readers)
{
    int x = start_x(), e = op1("Erf", op2("Div", x, scalar(1.41421354))), a = op2("Add", e, scalar(1));
    output(a); /* in the middle */
    output(op2("Mul", op2("Mul", x, a), scalar(0.5)));
    ck_assert_ptr_null(strstr(fused(), "Gelu"));
    x = start_x(), e = op1("Erf", op2("Div", x, scalar(1.41421354)));
    int half = op2("Mul", x, scalar(0.5)); /* beside the chain: stays for its other reader */
    output(op2("Mul", half, op2("Add", e, scalar(1))));
    output(half);
    ck_assert_str_eq(fused(), "Mul Gelu");
}
END_TEST

START_TEST(swish)
{
    int x = start_x();
    output(op2("Mul", x, op1("Sigmoid", x)));
    ck_assert_str_eq(fused(), "Swish");
    x = start_x();
    int y = op1("Neg", x);
    output(op2("Mul", y, op1("Sigmoid", x)));
    ck_assert_str_eq(fused(), "Neg Sigmoid Mul");
}
END_TEST

/* ---- normalisation ---- */
static int variance(int d) { return mean(op2("Pow", d, scalar(2)), -1); }

START_TEST(layer_norm)
{
    int x = start_x(), d = op2("Sub", x, mean(x, -1));
    int s = op1("Sqrt", op2("Add", variance(d), scalar(1e-5)));
    output(op2("Add", op2("Mul", op2("Div", d, s), vector(WIDTH)), vector(WIDTH)));
    ck_assert_str_eq(fused(), "LayerNormalization+b");
    x = start_x(), d = op2("Sub", x, mean(x, 1)); /* the last one, named otherwise; no bias */
    s = op1("Sqrt", op2("Add", scalar(1e-5), mean(op2("Mul", d, d), 1)));
    output(op2("Mul", vector(WIDTH), op2("Mul", op1("Reciprocal", s), op2("Sub", x, mean(x, 1)))));
    ck_assert_ptr_null(strstr(fused(), "LayerNormalization")); /* another mean of the same: not looked at */
}
END_TEST

START_TEST(layer_norm_tensorflow)
{
    int x = start_x(), mu = mean(x, 1), d = op2("Sub", x, mu);
    int s = op1("Sqrt", op2("Add", mean(op2("Mul", d, d), 1), scalar(1e-3)));
    int gain = op2("Mul", op1("Reciprocal", s), vector(WIDTH));
    int shift = op2("Sub", vector(WIDTH), op2("Mul", mu, gain));
    output(op2("Add", op2("Mul", x, gain), shift));
    ck_assert_str_eq(fused_with(1e-5), "LayerNormalization+b");
}
END_TEST

START_TEST(rms_norm)
{
    int x = start_x(), s = op1("Sqrt", op2("Add", variance(x), scalar(1e-6)));
    output(op2("Mul", vector(WIDTH), op2("Mul", x, op2("Div", scalar(1), s))));
    ck_assert_str_eq(fused(), "RMSNormalization");
}
END_TEST

START_TEST(norm_near_misses)
{
    int x = start_x(), d = op2("Sub", x, mean(x, 0)); /* means over rows */
    int s = op1("Sqrt", op2("Add", variance(d), scalar(1e-5)));
    output(op2("Mul", op2("Div", d, s), vector(WIDTH)));
    ck_assert_ptr_null(strstr(fused(), "LayerNorm"));
    x = start_x(), d = op2("Sub", x, mean(x, -1)); /* a power of 3 */
    s = op1("Sqrt", op2("Add", mean(op2("Pow", d, scalar(3)), -1), scalar(10)));
    output(op2("Mul", op2("Div", d, s), vector(WIDTH)));
    ck_assert_ptr_null(strstr(fused(), "Norm"));
    start();
    x = input("x", 2, (int64_t[]){ ROWS, 1 }); /* a scale that broadcasts x */
    d = op2("Sub", x, mean(x, -1));
    s = op1("Sqrt", op2("Add", variance(d), scalar(1e-5)));
    output(op2("Mul", op2("Div", d, s), vector(WIDTH)));
    ck_assert_ptr_null(strstr(fused(), "Norm"));
    x = start_x(), d = op2("Sub", x, mean(x, -1));
    s = op1("Sqrt", op2("Add", variance(d), scalar(1e-5)));
    output(op2("Mul", op2("Div", op1("Neg", d), s), vector(WIDTH)));
    ck_assert_ptr_null(strstr(fused(), "Norm"));
}
END_TEST

/* ---- products ---- */
static int weights(int64_t k, int64_t n) { return constant(0, 2, (int64_t[]){ k, n }); }

START_TEST(matmul_epilogue)
{
    int x = start_x(), y = op2("Add", vector(5), op2("MatMul", x, weights(WIDTH, 5)));
    output(op1("Relu", op2("Add", y, input("z", 2, (int64_t[]){ ROWS, 5 }))));
    ck_assert_str_eq(fused_with(1e-5), "MatMul+b+rRelu");
    x = start_x(), y = op2("MatMul", x, weights(WIDTH, 5));
    output(op1("Tanh", op2("Add", y, input("z", 2, (int64_t[]){ ROWS, 5 }))));
    ck_assert_str_eq(fused_with(1e-5), "MatMul+rTanh");
    x = start_x();
    output(op1("Sigmoid", node("Gemm", 17, 3, (int[]){ x, weights(WIDTH, 5), vector(5) })->out[0]));
    ck_assert_str_eq(fused_with(1e-5), "Gemm+bSigmoid");
    x = start_x(), y = op2("Add", op2("MatMul", x, weights(WIDTH, 5)), vector(5));
    output(op2("Mul", y, op1("Sigmoid", y)));
    ck_assert_str_eq(fused_with(1e-5), "MatMul+bSwish");
}
END_TEST

/* What is added broadcasts the product to more, or is itself broadcast. */
START_TEST(matmul_spread)
{
    int x = start_x(), y = op2("MatMul", x, weights(WIDTH, 5));
    output(op1("Relu", op2("Add", y, input("z", 3, (int64_t[]){ 2, ROWS, 5 }))));
    ck_assert_str_eq(fused_with(1e-5), "MatMul+rRelu");
    x = start_x(), y = op2("Add", op2("MatMul", x, weights(WIDTH, 5)), vector(5));
    output(op1("Tanh", op2("Add", y, input("z", 2, (int64_t[]){ ROWS, 1 }))));
    ck_assert_str_eq(fused_with(1e-5), "MatMul+b+rTanh");
    x = start_x(), y = op2("MatMul", x, weights(WIDTH, 1));
    output(op2("Add", y, vector(5))); /* as long as no column */
    ck_assert_str_eq(fused_with(1e-5), "MatMul+r");
}
END_TEST

START_TEST(matmul_near_misses)
{
    int x = start_x(), y = op2("MatMul", x, weights(WIDTH, 5));
    output(y); /* an output in the middle */
    output(op1("Relu", y));
    ck_assert_str_eq(fused_with(1e-5), "MatMul Relu");
    x = start_x(), y = op2("MatMul", x, weights(WIDTH, 5));
    output(op2("Add", y, op1("Relu", y))); /* two readers */
    ck_assert_str_eq(fused_with(1e-5), "MatMul Relu Add");
    x = start_x(), y = op2("MatMul", x, input("w", 2, (int64_t[]){ WIDTH, 5 }));
    output(op2("Add", y, vector(5))); /* no constant */
    ck_assert_str_eq(fused_with(1e-5), "MatMul Add");
    x = start_x(), y = op1("Relu", op2("MatMul", x, weights(WIDTH, 5)));
    output(op2("Add", y, vector(5))); /* behind the activation */
    ck_assert_str_eq(fused_with(1e-5), "MatMulRelu Add");
    x = start_x(), y = op2("MatMul", x, weights(WIDTH, 5));
    output(op2("Sub", y, vector(5)));
    ck_assert_str_eq(fused_with(1e-5), "MatMul Sub");
}
END_TEST

/* Two products of one sum: the one takes the other's result, not both each other's. */
START_TEST(matmul_both_sides)
{
    int x = start_x(), y = op2("MatMul", x, weights(WIDTH, 5)), z = op2("MatMul", x, weights(WIDTH, 5));
    output(op2("Add", y, z));
    ck_assert_str_eq(fused_with(1e-5), "MatMul MatMul+r");
}
END_TEST

/* ---- attention: 2 sequences, 3 heads, 5 queries, 7 keys of 4 ---- */
static int heads(const char *name, int64_t rows) { return input(name, 4, (int64_t[]){ 2, rows, 3, 4 }); }

static int transpose(int x, int rank, const int64_t *perm)
{
    ox_node *n = node("Transpose", 17, 1, &x);
    ints(n, "perm", rank, perm);
    return n->out[0];
}
static int swapped(int x) { return transpose(x, 4, (int64_t[]){ 0, 2, 1, 3 }); }

static int softmax(int x, int64_t axis)
{
    ox_node *n = node("Softmax", 17, 1, &x);
    attribute(n, "axis", OX_ATTR_INT)->i = axis;
    return n->out[0];
}

/* Q K' of (batch, heads, rows, d), K turned by one transposition. */
static int scores(void)
{
    start();
    int q = swapped(heads("q", 5)), k = transpose(heads("k", 7), 4, (int64_t[]){ 0, 2, 3, 1 });
    return op2("MatMul", q, k);
}
static int values(void) { return swapped(heads("v", 7)); }

START_TEST(attention)
{
    int x = scores();
    x = op2("Add", op2("Div", x, scalar(2)), input("mask", 4, (int64_t[]){ 2, 1, 1, 7 }));
    output(swapped(op2("MatMul", softmax(x, -1), values())));
    ck_assert_str_eq(fused(), "FusedAttention+b+r");
    x = scores(); /* no mask; the output as it is; the axis counted from the start */
    x = op2("Mul", scalar(0.5), x);
    output(op2("MatMul", softmax(x, 3), values()));
    ck_assert_str_eq(fused(), "FusedAttention+b");
    x = scores(); /* a mask for each query and key of one head */
    output(op2("MatMul", softmax(op2("Add", input("mask", 2, (int64_t[]){ 5, 7 }), x), -1), values()));
    ck_assert_str_eq(fused(), "FusedAttention+b+r");
}
END_TEST

START_TEST(attention_factors)
{
    start(); /* of Q and of K, on both sides of the transposition; K as (batch, heads, rows, d) */
    int q = op2("Mul", input("q", 3, (int64_t[]){ 2, 5, 4 }), scalar(0.8));
    int k = transpose(op2("Div", input("k", 3, (int64_t[]){ 1, 7, 4 }), scalar(1.25)), 3, (int64_t[]){ 0, 2, 1 });
    output(op2("MatMul", softmax(op2("MatMul", q, op2("Mul", k, scalar(0.9))), -1), input("v", 2, (int64_t[]){ 7, 6 })));
    ck_assert_str_eq(fused(), "FusedAttention+b");
    start(); /* K' given as such */
    q = input("q", 2, (int64_t[]){ 5, 4 });
    output(op2("MatMul", softmax(op2("MatMul", q, input("k", 2, (int64_t[]){ 4, 7 })), -1),
               input("v", 2, (int64_t[]){ 7, 6 })));
    ck_assert_str_eq(fused(), "FusedAttention+b");
}
END_TEST

/* The mask has more rows than Q, more keys than K, and more batches than both. */
START_TEST(attention_mask_broadcasts)
{
    start();
    int q = input("q", 3, (int64_t[]){ 1, 1, 4 }), k = input("k", 3, (int64_t[]){ 1, 4, 1 });
    int x = op2("Add", op2("MatMul", q, k), input("mask", 3, (int64_t[]){ 2, 5, 7 }));
    output(op2("MatMul", softmax(x, -1), input("v", 3, (int64_t[]){ 2, 7, 6 })));
    ck_assert_str_eq(fused(), "FusedAttention+b+r");
}
END_TEST

START_TEST(attention_where)
{
    for (int side = 1; side < 3; side++) {
        int x = scores();
        x = op2("Mul", x, scalar(0.5));
        int keep = op2("Greater", input("mask", 4, (int64_t[]){ 1, 1, 5, 7 }), scalar(0));
        int in[3] = { keep, side == 1 ? x : scalar(-1e4), side == 1 ? scalar(-1e4) : x };
        output(op2("MatMul", softmax(node("Where", 17, 3, in)->out[0], -1), values()));
        ck_assert_str_eq(fused(), "Greater FusedAttention+b+r");
    }
}
END_TEST

/* A query whose keys are all masked has NaN for probabilities, which exporters of PyTorch replace. */
static int guarded(int x, double instead)
{
    int in[3] = { node("IsNaN", 17, 1, &x)->out[0], scalar((float)instead), x };
    return node("Where", 17, 3, in)->out[0];
}

START_TEST(attention_guarded)
{
    int x = scores();
    x = op2("Add", x, op1("Log", input("mask", 2, (int64_t[]){ 5, 1 }))); /* NaN where negative */
    output(op2("MatMul", guarded(softmax(x, -1), 0.25), values()));
    ck_assert_str_eq(fused(), "Log FusedAttention+b+r");
    x = softmax(scores(), -1); /* read by a third */
    output(op2("MatMul", guarded(x, 0), values()));
    output(op2("Add", x, scalar(1)));
    ck_assert_ptr_null(strstr(fused(), "FusedAttention"));
}
END_TEST

START_TEST(attention_strips)
{
    start(); /* more rows than a strip has */
    int q = input("q", 3, (int64_t[]){ 1, 300, 4 }), k = input("k", 3, (int64_t[]){ 1, 4, 200 });
    output(op2("MatMul", softmax(op2("MatMul", q, k), -1), input("v", 3, (int64_t[]){ 1, 200, 6 })));
    ck_assert_str_eq(fused(), "FusedAttention+b");
}
END_TEST

START_TEST(attention_near_misses)
{
    int x = scores();
    output(op2("MatMul", softmax(x, 1), values())); /* over heads */
    ck_assert_ptr_null(strstr(fused(), "FusedAttention"));
    x = softmax(scores(), -1);
    output(x); /* the probabilities are wanted */
    output(op2("MatMul", x, values()));
    ck_assert_ptr_null(strstr(fused(), "FusedAttention"));
    x = scores();
    output(x); /* the scores are */
    output(op2("MatMul", softmax(x, -1), values()));
    ck_assert_ptr_null(strstr(fused(), "FusedAttention"));
    x = scores();
    x = op2("Add", x, input("mask", 2, (int64_t[]){ 5, 7 })); /* scaled behind the mask */
    output(op2("MatMul", softmax(op2("Mul", x, scalar(0.5)), -1), values()));
    ck_assert_ptr_null(strstr(fused(), "FusedAttention"));
    x = softmax(scores(), -1);
    output(op2("MatMul", input("w", 2, (int64_t[]){ 7, 5 }), x)); /* the second factor */
    ck_assert_ptr_null(strstr(fused(), "FusedAttention"));
}
END_TEST

/* ---- float16 ---- */
static int cast(int v, ox_dtype to)
{
    ox_node *n = node("Cast", 17, 1, &v);
    attribute(n, "to", OX_ATTR_INT)->i = to;
    return n->out[0];
}

START_TEST(half)
{
    int x = cast(start_x(), OX_F16), w = cast(constant(0, 2, (int64_t[]){ WIDTH, 5 }), OX_F16);
    int y = op1("Relu", op2("Add", op2("MatMul", x, w), cast(vector(5), OX_F16)));
    output(cast(y, OX_F32));
    output(y); /* declared by nobody: stays float16 */
    ck_assert_str_eq(fused_with(2e-2), "MatMul+bRelu Cast Cast");
    x = cast(start_x(), OX_BF16);
    output(cast(op1("Neg", op1("Abs", x)), OX_F32));
    ck_assert_str_eq(fused_with(2e-2), "Abs Neg Cast"); /* the output keeps its node */
    x = cast(start_x(), OX_F16); /* 1.4142 as a half is 1.4140625 */
    int e = op1("Erf", op2("Div", x, cast(scalar(1.41421354), OX_F16)));
    output(op2("Mul", op2("Mul", x, op2("Add", e, cast(scalar(1), OX_F16))), cast(scalar(0.5), OX_F16)));
    ck_assert_str_eq(fused_with(2e-3), "Gelu Cast");
}
END_TEST

/* What casts to integers read is rounded as written, and what a subgraph or a sequence may see. */
START_TEST(half_as_written)
{
    int x = cast(start_x(), OX_F16), y = op2("Mul", x, cast(scalar(3), OX_F16));
    output(cast(cast(y, OX_I64), OX_F32));
    output(cast(y, OX_F32));
    ck_assert_str_eq(fused_with(1e-2), "Mul Cast Cast Cast Cast");
}
END_TEST

Suite *suite_opt(void);
Suite *suite_opt(void)
{
    Suite *s = suite_create("opt");
    TCase *c = tcase_create("opt");
    tcase_add_test(c, gelu_erf);
    tcase_add_test(c, gelu_tanh);
    tcase_add_test(c, gelu_near_misses);
    tcase_add_test(c, gelu_other_readers);
    tcase_add_test(c, swish);
    tcase_add_test(c, layer_norm);
    tcase_add_test(c, layer_norm_tensorflow);
    tcase_add_test(c, rms_norm);
    tcase_add_test(c, norm_near_misses);
    tcase_add_test(c, matmul_epilogue);
    tcase_add_test(c, matmul_spread);
    tcase_add_test(c, matmul_near_misses);
    tcase_add_test(c, matmul_both_sides);
    tcase_add_test(c, attention);
    tcase_add_test(c, attention_factors);
    tcase_add_test(c, attention_mask_broadcasts);
    tcase_add_test(c, attention_where);
    tcase_add_test(c, attention_strips);
    tcase_add_test(c, attention_guarded);
    tcase_add_test(c, attention_near_misses);
    tcase_add_test(c, half);
    tcase_add_test(c, half_as_written);
    suite_add_tcase(s, c);
    return s;
}
