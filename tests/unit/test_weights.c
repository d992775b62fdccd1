/* Weights at odd addresses of a file: deferred, packed from where they lie, or filled. */
#include "runtime/exec/session.h"
#include "runtime/graph/weights.h"
#include "runtime/load/load.h"
#include "tests/unit/pb.h"

#include <stdio.h>
#include <unistd.h>

enum { SIDE = 136, COUNT = SIDE * SIDE }; /* 74 KB: large enough to be deferred */

static ox_error err;

static float weight(int i) { return (float)(i * 37 % 101) / 64 - 0.5f; }

/* The node uses x and w[SIDE,SIDE], or v, which is w transposed; `shift` bytes in front move the weights. */
static ox_model *load_shaped(const char *x, const char *op, const char *in, const char *outs, int shift, bool defer)
{
    char path[] = "/tmp/onnxrun-weights-XXXXXX", pad[8] = "aaaaaaa";
    static float w[COUNT];
    pb g = { 0 }, t = { 0 };
    ox_model *model;
    pad[shift] = 0;
    for (int i = 0; i < COUNT; i++)
        w[i] = weight(i);
    pb_str(&g, GRAPH_NAME, pad);
    pb_int(&t, TENSOR_DIM, SIDE);
    pb_int(&t, TENSOR_DIM, SIDE);
    pb_int(&t, TENSOR_TYPE, 1);
    pb_str(&t, TENSOR_NAME, "w");
    pb_data(&t, TENSOR_RAW, w, sizeof w);
    pb_put(&g, GRAPH_INIT, &t);
    pb_value(&g, GRAPH_IN, "x", 1, x);
    if (strchr(in, 'v'))
        pb_add_node(&g, "t", "Transpose", "w", "v", NULL);
    pb_add_node(&g, "a", op, in, "y", NULL);
    for (const char *p = outs; *p; p++)
        pb_value(&g, GRAPH_OUT, (char[]){ *p, 0 }, 1, NULL);
    pb m = pb_model(&g, 13);
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, m.b, m.n), (ssize_t)m.n);
    close(fd);
    pb_free(&m);
    ck_assert_msg(ox_load_file(path, &(ox_load_options){ .defer = defer }, &model, &err) == OX_OK, "%s", err.message);
    unlink(path);
    return model;
}

static ox_model *load(const char *op, const char *in, const char *outs, int shift, bool defer)
{
    return load_shaped("N,136", op, in, outs, shift, defer);
}

static const ox_tensor *weights(const ox_model *m)
{
    return m->graph->value[ox_graph_find_value(m->graph, "w")].constant;
}

/* Both outputs of a run with that many rows, as far as there are two, into y. */
static size_t run(ox_session *s, int rows, float *y)
{
    static float x[5 * SIDE];
    for (int i = 0; i < rows * SIDE; i++)
        x[i] = (float)(i % 13) - 6;
    ox_value in = { .kind = OX_TENSOR, .t = { .dtype = OX_F32, .rank = 2, .dim = { rows, SIDE }, .data = x } };
    const ox_value *list[] = { &in }, *out[2];
    size_t n = 0;
    ck_assert_msg(ox_session_run(s, list, out, &err) == OX_OK, "%s", err.message);
    for (int i = 0; i < ox_session_n_out(s); i++) {
        memcpy(y + n, out[i]->t.data, ox_bytes(&out[i]->t));
        n += (size_t)ox_count(&out[i]->t);
    }
    return n;
}

START_TEST(loaded)
{
    for (int shift = 0, odd = 0; shift < 4; shift++, odd = 0) {
        ox_model *m = load("MatMul", "x,w", "y", shift, true);
        ox_tensor t = *weights(m);
        ck_assert_uint_eq((uintptr_t)t.data % 4, 0);
        odd = ox_weights_deferred(m, &t);
        ck_assert_int_eq(odd, (uintptr_t)ox_weights_bytes(m, &t) % 4 != 0);
        for (int i = 0; i < COUNT; i++) {
            float v;
            memcpy(&v, (const char *)ox_weights_bytes(m, &t) + 4 * (size_t)i, 4);
            ck_assert(v == weight(i));
        }
        ck_assert_int_eq(ox_weights_fill(m, &t, &err), OX_OK);
        ck_assert_int_eq(ox_weights_fill_all(m, &err), OX_OK);
        ck_assert(!ox_weights_deferred(m, &t) && ox_weights_bytes(m, &t) == t.data);
        for (int i = 0; i < COUNT; i++)
            ck_assert(((const float *)t.data)[i] == weight(i));
        ox_model_destroy(m);
    }
}
END_TEST

START_TEST(limited)
{
    ox_model *m = load("MatMul", "x,w", "y", 0, true);
    for (int shift = 1; !ox_weights_deferred(m, weights(m)); shift++) {
        ox_model_destroy(m);
        m = load("MatMul", "x,w", "y", shift, true);
    }
    size_t live = ox_buf_live();
    ox_buf_cap(live + 1000);
    ck_assert_int_eq(ox_weights_fill_all(m, &err), OX_E_LIMIT);
    ck_assert(ox_weights_deferred(m, weights(m)));
    ox_buf_cap(0);
    ck_assert_int_eq(ox_weights_fill_all(m, &err), OX_OK);
    ck_assert_uint_eq(ox_buf_live(), live + COUNT * sizeof(float));
    ox_model_destroy(m);
    ck_assert_uint_lt(ox_buf_live(), live + COUNT * sizeof(float));
}
END_TEST

/* The same numbers whether weights wait or not, for who packs them, who does not, and both in turn. */
START_TEST(used)
{
    static const struct { const char *op, *in, *outs; } cases[] = {
        { "MatMul", "x,w", "y" }, { "Gemm", "x,w", "wy" }, { "MatMul", "w,w", "y" },
        { "Add", "w,w", "y" },
    };
    static const int rows[] = { 3, 1, 5, 1 };
    static float want[COUNT + 5 * SIDE], got[COUNT + 5 * SIDE];
    for (size_t c = 0; c < OX_COUNT(cases); c++)
        for (int shift = 0; shift < 4; shift++)
            for (int optimize = 0; optimize <= 2; optimize++)
                for (size_t first = 0; first < OX_COUNT(rows); first++) {
                    ox_options o = { .threads = 1, .optimize = optimize };
                    ox_model *m[2];
                    ox_session *s[2];
                    for (int k = 0; k < 2; k++) {
                        m[k] = load(cases[c].op, cases[c].in, cases[c].outs, shift, k == 1);
                        ck_assert_msg(ox_session_create(m[k], &o, &s[k], &err) == OX_OK, "%s", err.message);
                    }
                    for (size_t i = first; i < OX_COUNT(rows); i++) {
                        size_t n = run(s[0], rows[i], want);
                        ck_assert_uint_eq(run(s[1], rows[i], got), n);
                        ck_assert_int_eq(memcmp(want, got, n * sizeof(float)), 0);
                    }
                    for (int k = 0; k < 2; k++) {
                        ox_session_destroy(s[k]);
                        ox_model_destroy(m[k]);
                    }
                }
}
END_TEST

/* Where the inputs' shapes are fixed, nothing but the packed form stays of weights that a pass made. */
START_TEST(dropped)
{
    static const struct { const char *x, *in, *outs; bool dropped; } cases[] = {
        { "3,136", "x,v", "y", true },  { "N,136", "x,v", "y", false }, { "3,136", "x,v", "vy", false },
        { "1,136", "x,v", "y", false }, { "3,136", "x,w", "y", false },
    };
    static float want[COUNT + 5 * SIDE], got[COUNT + 5 * SIDE];
    for (size_t c = 0; c < OX_COUNT(cases); c++) {
        int rows = cases[c].x[0] == '1' ? 1 : 3;
        ox_model *m = load_shaped(cases[c].x, "MatMul", cases[c].in, cases[c].outs, 1, true);
        ox_session *s;
        bool found = false;
        ck_assert_int_eq(ox_session_create(m, &(ox_options){ .threads = 1, .optimize = 2 }, &s, &err), OX_OK);
        size_t n = run(s, rows, got);
        for (size_t v = 0; v < ox_session_graph(s)->n_value; v++)
            found |= ox_session_graph(s)->value[v].dropped;
        ck_assert_msg(found == cases[c].dropped, "case %zu", c);
        ck_assert_uint_eq(run(s, rows, got), n);
        ox_session_destroy(s);
        ck_assert_int_eq(ox_session_create(m, &(ox_options){ .threads = 1, .optimize = 2, .observed = true }, &s, &err),
                         OX_OK);
        ck_assert_uint_eq(run(s, rows, want), n);
        ck_assert_int_eq(memcmp(want, got, n * sizeof(float)), 0);
        ox_session_destroy(s);
        ox_model_destroy(m);
    }
}
END_TEST

Suite *suite_weights(void);
Suite *suite_weights(void)
{
    Suite *s = suite_create("weights");
    TCase *c = tcase_create("weights");
    tcase_set_timeout(c, 60);
    tcase_add_test(c, loaded);
    tcase_add_test(c, limited);
    tcase_add_test(c, used);
    tcase_add_test(c, dropped);
    suite_add_tcase(s, c);
    return s;
}
