/* LSTM and GRU with constant weights and one sequence, which kernels/rnn/sequence.c computes: against
 * double precision, and the same bits for any number of threads. */
#include "tests/unit/build.h"

enum { LEN = 5, IN = 7, SIZE = 1 << 13 };

/* An LSTM (4 gates) or GRU (3) of `hidden` units in `dirs` directions; seq_len 0: not given. */
static void build(int gates, int64_t hidden, int64_t dirs, const char *direction, bool bias)
{
    start();
    int64_t all = gates * hidden, states[3] = { dirs, 1, hidden };
    int in[7] = { input("x", 3, (int64_t[]){ LEN, 1, IN }), constant(0, 3, (int64_t[]){ dirs, all, IN }),
                  constant(0, 3, (int64_t[]){ dirs, all, hidden }),
                  bias ? constant(0, 2, (int64_t[]){ dirs, 2 * all }) : OX_ABSENT, OX_ABSENT,
                  input("h", 3, states), gates == 4 ? input("c", 3, states) : OX_ABSENT };
    float *r = g->value[in[2]].constant->data;
    for (int64_t i = 0; i < dirs * all * hidden; i++) /* or the gates are all at their ends */
        r[i] /= (float)hidden;
    ox_node *n = node(gates == 4 ? "LSTM" : "GRU", 14, gates == 4 ? 7 : 6, in);
    attribute(n, "hidden_size", OX_ATTR_INT)->i = hidden;
    attribute(n, "direction", OX_ATTR_STRING)->s = (ox_str){ direction, strlen(direction) };
    if (gates == 3)
        attribute(n, "linear_before_reset", OX_ATTR_INT)->i = 1;
    int *out = ox_arena_array(m->arena, 3, sizeof(*out));
    for (int i = 0; i < gates - 1; i++) {
        out[i] = value("y");
        output(out[i]);
    }
    n->out = out;
    n->n_out = gates - 1;
}

static void compare(void)
{
    static float y[SIZE], exact[SIZE], two[SIZE];
    size_t n = run_model(&(ox_options){ .threads = 1, .optimize = 2 }, y, SIZE, NULL);
    ck_assert_uint_eq(run_model(&(ox_options){ .threads = 1, .f64 = true }, exact, SIZE, NULL), n);
    ck_assert_uint_eq(run_model(&(ox_options){ .threads = 2, .optimize = 2 }, two, SIZE, NULL), n);
    for (size_t i = 0; i < n; i++) {
        ck_assert_double_le(fabs((double)y[i] - exact[i]), 1e-6);
        ck_assert(y[i] == two[i]);
    }
    ck_assert_double_gt(fabs((double)y[0]), 1e-3);
    ox_model_destroy(m);
}

START_TEST(lstm)
{
    static const int64_t hidden[] = { 1, 32, 40, 200 };
    for (size_t i = 0; i < OX_COUNT(hidden); i++) {
        build(4, hidden[i], 1, "forward", true);
        compare();
        build(4, hidden[i], 1, "reverse", false);
        compare();
        build(4, hidden[i], 2, "bidirectional", true);
        compare();
    }
}
END_TEST

START_TEST(gru)
{
    static const int64_t hidden[] = { 1, 32, 40, 200 };
    for (size_t i = 0; i < OX_COUNT(hidden); i++) {
        build(3, hidden[i], 1, "forward", true);
        compare();
        build(3, hidden[i], 1, "reverse", false);
        compare();
        build(3, hidden[i], 2, "bidirectional", true);
        compare();
    }
}
END_TEST

Suite *suite_rnn(void);
Suite *suite_rnn(void)
{
    Suite *s = suite_create("rnn");
    TCase *c = tcase_create("rnn");
    tcase_add_test(c, lstm);
    tcase_add_test(c, gru);
    suite_add_tcase(s, c);
    return s;
}
