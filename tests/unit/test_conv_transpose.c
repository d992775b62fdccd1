/* ConvTranspose with what is fused behind it, on each of its paths: against the graph as written in double,
 * about as accurate as sums in double, and the same bits for any number of threads. */
#include "tests/unit/build.h"

enum { SIZE = 1 << 16 };

static const struct shape {
    int64_t in, c, m, k, stride, pad, group;
} shapes[] = {
    { 5, 32, 32, 4, 2, 1, 1 }, { 3, 64, 32, 3, 1, 0, 2 },                            /* scatter */
    { 1, 20, 18, 4, 1, 0, 1 }, { 20, 16, 3, 4, 2, 1, 1 },                            /* product */
    { 18, 24, 12, 4, 2, 1, 2 }, { 18, 8, 8, 2, 3, 0, 8 }, { 17, 8, 9, 5, 1, 2, 1 }, /* phases */
};

enum { PLAIN, NORM, FACTOR, ADDEND, N_BEHIND };
static const char *const activations[] = { NULL, "Relu", "LeakyRelu", "Tanh" };

static void build(const struct shape *t, int behind, const char *act, bool bias)
{
    start();
    ox_node *n = node("ConvTranspose", 11, bias ? 3 : 2,
                      (int[]){ input("x", 4, (int64_t[]){ 2, t->c, t->in, t->in }),
                               constant(0, 4, (int64_t[]){ t->c, t->m / t->group, t->k, t->k }),
                               bias ? vector(t->m) : OX_ABSENT });
    int v = n->out[0];
    float *w = g->value[n->in[1]].constant->data;
    for (int64_t i = 0; i < t->c * t->m / t->group * t->k * t->k; i++)
        w[i] /= (float)(t->c / t->group);
    ints(n, "strides", 2, (int64_t[]){ t->stride, t->stride });
    ints(n, "pads", 4, (int64_t[]){ t->pad, t->pad, t->pad, t->pad });
    attribute(n, "group", OX_ATTR_INT)->i = t->group;
    if (behind == NORM) {
        int var = constant(3, 1, &t->m); /* waves reach down to 1.5 */
        v = node("BatchNormalization", 15, 5, (int[]){ v, vector(t->m), vector(t->m), vector(t->m), var })->out[0];
    } else if (behind != PLAIN) {
        v = op2(behind == FACTOR ? "Mul" : "Add", v, constant(0, 3, (int64_t[]){ t->m, 1, 1 }));
    }
    output(act ? op1(act, v) : v);
}

static void compare(const struct shape *t, int behind, const char *act)
{
    static float y[SIZE], exact[SIZE], plain[SIZE], three[SIZE];
    ox_session *s;
    double worst = 0, worst_plain = 0;
    size_t n = run_model(&(ox_options){ .threads = 1, .optimize = 2 }, y, SIZE, &s);
    const ox_graph *fused = ox_session_graph(s);
    ck_assert_uint_eq(fused->n_node, 1);
    const ox_attr *name = ox_node_attr(&fused->node[0], "onnxrun_activation");
    ck_assert_str_eq(name ? name->s.s : "", act ? act : "");
    ox_session_destroy(s);
    ck_assert_uint_eq(run_model(&(ox_options){ .threads = 1, .f64 = true }, exact, SIZE, NULL), n);
    ck_assert_uint_eq(run_model(&(ox_options){ .threads = 1 }, plain, SIZE, NULL), n);
    ck_assert_uint_eq(run_model(&(ox_options){ .threads = 3, .optimize = 2 }, three, SIZE, NULL), n);
    for (size_t i = 0; i < n; i++) {
        ck_assert_msg(y[i] == three[i], "threads change element %zu", i);
        worst = fmax(worst, fabs((double)y[i] - exact[i]));
        worst_plain = fmax(worst_plain, fabs((double)plain[i] - exact[i]));
    }
    /* the plain path sums in double: what 500 terms of float lose, where a tenth of it was seen, comes on top */
    ck_assert_msg(worst <= 2.5 * worst_plain + 3e-6, "%d %s, %d -> %d channels: error %g, plainly %g", behind,
                  act ? act : "", (int)t->c, (int)t->m, worst, worst_plain);
    ox_model_destroy(m);
}

START_TEST(fused)
{
    for (size_t i = 0; i < OX_COUNT(shapes); i++)
        for (int behind = PLAIN; behind < N_BEHIND; behind++)
            for (size_t a = 0; a < OX_COUNT(activations); a++) {
                build(&shapes[i], behind, activations[a], a % 2);
                compare(&shapes[i], behind, activations[a]);
            }
}
END_TEST

/* A tensor is added behind, not within. */
START_TEST(residual)
{
    build(&shapes[0], PLAIN, NULL, true);
    int v = g->out[0];
    g->n_out = 0;
    g->value[v].is_output = false;
    output(op2("Add", v, input("z", 4, (int64_t[]){ 2, 32, 10, 10 })));
    static float y[SIZE], plain[SIZE];
    size_t n = run_model(&(ox_options){ .threads = 1, .optimize = 2 }, y, SIZE, NULL);
    ck_assert_uint_eq(run_model(&(ox_options){ .threads = 1 }, plain, SIZE, NULL), n);
    for (size_t i = 0; i < n; i++)
        ck_assert_double_le(fabs((double)y[i] - plain[i]), 1e-5);
    ox_model_destroy(m);
}
END_TEST

Suite *suite_conv_transpose(void);
Suite *suite_conv_transpose(void)
{
    Suite *s = suite_create("conv_transpose");
    TCase *c = tcase_create("conv_transpose");
    tcase_add_test(c, fused);
    tcase_add_test(c, residual);
    tcase_set_timeout(c, 60);
    suite_add_tcase(s, c);
    return s;
}
