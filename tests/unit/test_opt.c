/* The fusing passes: what they make of a pattern, that they leave near misses alone, and that the results
 * stay those of the graph as written. */
#include "runtime/exec/session.h"

#include <check.h>
#include <math.h>
#include <string.h>

enum { ROWS = 3, WIDTH = 8 };

static ox_model *m;
static ox_graph *g;

static void start(void)
{
    ck_assert_ptr_nonnull(m = ox_model_create(0));
    static ox_opset opset[] = { { "", 17 } };
    m->opset = opset;
    m->n_opset = 1;
    ck_assert_ptr_nonnull(g = m->graph = ox_graph_create(m, NULL, "test"));
}

static int *one(int v)
{
    int *list = ox_arena_alloc(m->arena, sizeof(*list));
    ck_assert_ptr_nonnull(list);
    *list = v;
    return list;
}

static int value(const char *name)
{
    int v = ox_graph_add_value(g, name);
    ck_assert_int_ge(v, 0);
    return v;
}

static int input(const char *name, int rank, const int64_t *dim)
{
    int v = value(name), *more = ox_arena_array(m->arena, (size_t)g->n_in + 1, sizeof(*more));
    memcpy(more, g->in, (size_t)g->n_in * sizeof(*more));
    more[g->n_in++] = v;
    g->in = more;
    g->value[v].is_input = true;
    g->value[v].type = (ox_type){ .kind = OX_TENSOR, .dtype = OX_F32, .rank = rank };
    memcpy(g->value[v].type.dim, dim, (size_t)rank * sizeof(*dim));
    return v;
}

static void output(int v)
{
    int *more = ox_arena_array(m->arena, (size_t)g->n_out + 1, sizeof(*more));
    memcpy(more, g->out, (size_t)g->n_out * sizeof(*more));
    more[g->n_out++] = v;
    g->out = more;
    g->value[v].is_output = true;
}

static float wave(int i) { return (float)sin(0.7 * i + 0.3) * 1.5f; }

/* A constant with these sizes; rank 0 is the scalar x, else it is a wave around x. */
static int constant(double x, int rank, const int64_t *dim)
{
    int v = value("constant");
    int64_t n = 1;
    ox_tensor *t = ox_arena_alloc(m->arena, sizeof(*t));
    *t = (ox_tensor){ .dtype = OX_F32, .rank = rank };
    for (int d = 0; d < rank; d++)
        n *= t->dim[d] = dim[d];
    float *data = t->data = ox_arena_array(m->arena, (size_t)n, sizeof(float));
    for (int i = 0; i < n; i++)
        data[i] = (float)x + (rank ? wave(i + v) : 0);
    g->value[v].constant = t;
    return v;
}
static int scalar(double x) { return constant(x, 0, NULL); }
static int vector(int64_t n) { return constant(0, 1, &n); }

static ox_node *node(const char *op, int opset, int n_in, const int *in)
{
    ox_node *n = ox_graph_add_node(g);
    ck_assert_ptr_nonnull(n);
    n->name = n->op_type = op;
    n->opset = opset;
    n->in = ox_arena_array(m->arena, (size_t)n_in, sizeof(int));
    memcpy(n->in, in, (size_t)n_in * sizeof(int));
    n->n_in = n_in;
    n->out = one(value(op));
    n->n_out = 1;
    return n;
}
static int op1(const char *op, int a) { return node(op, 17, 1, (int[]){ a })->out[0]; }
static int op2(const char *op, int a, int b) { return node(op, 17, 2, (int[]){ a, b })->out[0]; }

static void ints(ox_node *n, const char *name, int count, const int64_t *list)
{
    ox_attr *a = ox_arena_array(m->arena, (size_t)n->n_attr + 1, sizeof(*a));
    memcpy(a, n->attr, (size_t)n->n_attr * sizeof(*a));
    n->attr = a;
    a += n->n_attr++;
    a->name = name;
    a->kind = OX_ATTR_INTS;
    a->n = count;
    a->ints = ox_arena_array(m->arena, (size_t)count, sizeof(int64_t));
    memcpy(a->ints, list, (size_t)count * sizeof(int64_t));
}

static int mean(int x, int64_t axis)
{
    ox_node *n = node("ReduceMean", 17, 1, &x);
    ints(n, "axes", 1, &axis);
    return n->out[0];
}

/* Runs at levels 0 and 2; the optimised graph's operators as text, "" between; results must agree. */
static const char *fused_with(double tolerance)
{
    static char text[256];
    static float first[4096];
    ox_error err = { 0 };
    size_t n_first = 0;
    for (size_t k = 0; k < g->n_node; k++) /* what the loader does */
        ck_assert(g->node[k].op_type != NULL);
    for (int level = 0; level <= 2; level += 2) {
        ox_session *s;
        ox_options o = { .threads = 1, .optimize = level };
        ck_assert_msg(ox_session_create(m, &o, &s, &err) == OX_OK, "%s", err.message);
        ox_value in[4] = { 0 };
        const ox_value *given[4], *out[4];
        static float data[4][4096];
        for (int i = 0; i < g->n_in; i++) {
            const ox_type *t = &g->value[g->in[i]].type;
            in[i].kind = OX_TENSOR;
            in[i].t = (ox_tensor){ .dtype = OX_F32, .rank = t->rank, .data = data[i] };
            memcpy(in[i].t.dim, t->dim, sizeof(t->dim));
            for (int k = 0; k < 4096; k++)
                data[i][k] = wave(k * (i + 1));
            given[i] = &in[i];
        }
        ck_assert_msg(ox_session_run(s, given, out, &err) == OX_OK, "%s", err.message);
        size_t at = 0;
        for (int i = 0; i < g->n_out; i++) {
            int64_t n = ox_count(&out[i]->t);
            const float *y = out[i]->t.data;
            for (int64_t k = 0; k < n; k++, at++) {
                if (level == 0)
                    first[at] = y[k];
                else
                    ck_assert_double_le(fabs((double)y[k] - first[at]), tolerance);
            }
        }
        if (level == 0)
            n_first = at;
        ck_assert_uint_eq(at, n_first);
        const ox_graph *optimised = ox_session_graph(s);
        text[0] = '\0';
        for (size_t k = 0; k < optimised->n_node; k++) {
            const ox_node *n = &optimised->node[k];
            const ox_attr *act = ox_node_attr(n, "onnxrun_activation");
            size_t used = strlen(text);
            snprintf(text + used, sizeof(text) - used, "%s%s%s%s%s", k ? " " : "", n->op_type,
                     n->n_in > 2 && n->in[2] >= 0 ? "+b" : "", n->n_in > 3 ? "+r" : "", act ? act->s.s : "");
        }
        ox_session_destroy(s);
    }
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
    suite_add_tcase(s, c);
    return s;
}
