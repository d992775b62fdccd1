/* RNN, GRU and LSTM in float32, which kernels/rnn/sequence.c computes: against double precision, and the same bits
 * for any number of threads. */
#include "tests/unit/build.h"

enum { LEN = 5, IN = 7, SIZE = 1 << 17 };

typedef struct network {
    int     gates; /* 1 RNN, 3 GRU, 4 LSTM */
    int64_t hidden, batch;
    const char *direction;
    bool bias, reset_before, peepholes, coupled, lengths, batch_first, other_activations, computed;
    float clip; /* 0: none */
} network;

static int lengths(int64_t batch)
{
    int v = value("lengths");
    ox_tensor *t = ox_arena_alloc(m->arena, sizeof(*t));
    *t = (ox_tensor){ .dtype = OX_I32, .rank = 1, .dim = { batch } };
    int32_t *data = t->data = ox_arena_array(m->arena, (size_t)batch, sizeof(*data));
    for (int64_t i = 0; i < batch; i++)
        data[i] = (int32_t)(i * 2 % (LEN + 1));
    g->value[v].constant = t;
    return v;
}

static void text(ox_node *n, const char *name, const char *s)
{
    attribute(n, name, OX_ATTR_STRING)->s = (ox_str){ s, strlen(s) };
}

static void build(const network *w)
{
    start();
    static const char *const names[] = { [1] = "RNN", [3] = "GRU", [4] = "LSTM" };
    int64_t n = w->hidden, all = w->gates * n, dirs = w->direction[0] == 'b' ? 2 : 1, b = w->batch;
    int64_t states[3] = { w->batch_first ? b : dirs, w->batch_first ? dirs : b, n };
    int64_t x[3] = { w->batch_first ? b : LEN, w->batch_first ? LEN : b, IN }, weights[3] = { dirs, all, n };
    int in[8] = { input("x", 3, x), constant(0, 3, (int64_t[]){ dirs, all, IN }), constant(0, 3, weights),
                  w->bias ? constant(0, 2, (int64_t[]){ dirs, 2 * all }) : OX_ABSENT,
                  w->lengths ? lengths(b) : OX_ABSENT, input("h", 3, states),
                  w->gates == 4 ? input("c", 3, states) : OX_ABSENT,
                  w->peepholes ? constant(0, 2, (int64_t[]){ dirs, 3 * n }) : OX_ABSENT };
    float *r = g->value[in[2]].constant->data;
    for (int64_t i = 0; i < dirs * all * n; i++) /* or the gates are all at their ends */
        r[i] /= (float)n;
    if (w->computed) /* R is no constant */
        in[2] = op2("Mul", in[2], op2("Div", in[5], in[5]));
    ox_node *o = node(names[w->gates], 14, w->gates == 4 ? 8 : 6, in);
    attribute(o, "hidden_size", OX_ATTR_INT)->i = n;
    attribute(o, "linear_before_reset", OX_ATTR_INT)->i = !w->reset_before;
    attribute(o, "input_forget", OX_ATTR_INT)->i = w->coupled;
    attribute(o, "layout", OX_ATTR_INT)->i = w->batch_first;
    text(o, "direction", w->direction);
    if (w->clip > 0) {
        ox_attr *a = attribute(o, "clip", OX_ATTR_FLOAT);
        a->f = w->clip;
    }
    if (w->other_activations) {
        static ox_str list[] = { { "Softsign", 8 }, { "HardSigmoid", 11 }, { "Elu", 3 } };
        ox_attr *a = attribute(o, "activations", OX_ATTR_STRINGS);
        a->strs = list;
        a->n = w->gates == 1 ? 1 : w->gates - 1;
    }
    int n_out = w->gates == 4 ? 3 : 2, *out = ox_arena_array(m->arena, 3, sizeof(*out));
    for (int i = 0; i < n_out; i++) {
        out[i] = value("y");
        output(out[i]);
    }
    o->out = out;
    o->n_out = n_out;
}

static void compare(network w)
{
    static float y[SIZE], exact[SIZE], two[SIZE];
    static const char *const directions[] = { "forward", "reverse", "bidirectional" };
    static const int64_t hidden[] = { 1, 32, 40, 200 };
    for (size_t i = 0; i < OX_COUNT(hidden) * OX_COUNT(directions); i++) {
        w.hidden = hidden[i / OX_COUNT(directions)];
        w.direction = directions[i % OX_COUNT(directions)];
        if (w.other_activations && w.direction[0] == 'b')
            continue; /* would need twice the list */
        build(&w);
        size_t n = run_model(&(ox_options){ .threads = 1, .optimize = 2 }, y, SIZE, NULL);
        ck_assert_uint_eq(run_model(&(ox_options){ .threads = 1, .f64 = true }, exact, SIZE, NULL), n);
        ck_assert_uint_eq(run_model(&(ox_options){ .threads = 3, .optimize = 2 }, two, SIZE, NULL), n);
        for (size_t k = 0; k < n; k++) {
            ck_assert_double_le(fabs((double)y[k] - exact[k]), 1e-6);
            ck_assert(y[k] == two[k]);
        }
        ox_model_destroy(m);
    }
}

START_TEST(one_sequence)
{
    for (int gates = 1; gates <= 4; gates += gates == 1 ? 2 : 1)
        for (int bias = 0; bias < 2; bias++)
            compare((network){ .gates = gates, .batch = 1, .bias = bias });
    compare((network){ .gates = 3, .batch = 1, .bias = true, .reset_before = true });
    compare((network){ .gates = 4, .batch = 1, .peepholes = true, .bias = true });
}
END_TEST

START_TEST(many_sequences)
{
    for (int gates = 1; gates <= 4; gates += gates == 1 ? 2 : 1)
        for (int k = 0; k < 4; k++)
            compare((network){ .gates = gates, .batch = k == 3 ? 17 : 2 + k, .bias = k & 1, .lengths = k & 2,
                               .batch_first = k & 1 });
}
END_TEST

START_TEST(variants)
{
    for (int64_t batch = 1; batch < 6; batch += 2) {
        compare((network){ .gates = 3, .batch = batch, .bias = true, .reset_before = true, .lengths = batch > 3 });
        compare((network){ .gates = 4, .batch = batch, .bias = true, .peepholes = true, .clip = 0.75f });
        compare((network){ .gates = 4, .batch = batch, .coupled = true, .lengths = batch > 3 });
        compare((network){ .gates = 4, .batch = batch, .coupled = true, .peepholes = true });
        compare((network){ .gates = 1, .batch = batch, .other_activations = true, .clip = 0.5f });
        compare((network){ .gates = 3, .batch = batch, .other_activations = true, .bias = true });
        compare((network){ .gates = 4, .batch = batch, .other_activations = true });
    }
}
END_TEST

/* R computed by the graph */
START_TEST(computed_weights)
{
    for (int gates = 1; gates <= 4; gates += gates == 1 ? 2 : 1) {
        static float y[SIZE], exact[SIZE];
        network w = { .gates = gates, .batch = 1, .hidden = 40, .direction = "forward", .computed = true };
        build(&w);
        size_t n = run_model(&(ox_options){ .threads = 2, .optimize = 2 }, y, SIZE, NULL);
        ck_assert_uint_eq(run_model(&(ox_options){ .threads = 1, .f64 = true }, exact, SIZE, NULL), n);
        for (size_t k = 0; k < n; k++)
            ck_assert_double_le(fabs((double)y[k] - exact[k]), 1e-6);
        ox_model_destroy(m);
    }
}
END_TEST

Suite *suite_rnn(void);
Suite *suite_rnn(void)
{
    Suite *s = suite_create("rnn");
    TCase *c = tcase_create("rnn");
    tcase_set_timeout(c, 60);
    tcase_add_test(c, one_sequence);
    tcase_add_test(c, many_sequences);
    tcase_add_test(c, variants);
    tcase_add_test(c, computed_weights);
    suite_add_tcase(s, c);
    return s;
}
