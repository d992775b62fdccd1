/* The verdict: honest runs pass, a faulty kernel is found even where every run of ours shares it; bodies of
 * loops have a truth; a trace needs little more memory than a run. */
#include "tests/unit/build.h"
#include "verify/trace.h"

#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SIZE = 12 * 12 * 8 };

/* x -> Conv -> Relu -> Conv -> Add x -> Sigmoid -> y */
static void small_model(void)
{
    static const char *const names[] = { "a", "b", "c", "d", "y" };
    start();
    int x = input("x", 4, (int64_t[]){ 1, 8, 12, 12 }), w = constant(0, 4, (int64_t[]){ 8, 8, 3, 3 }), v[5];
    for (int64_t k = 0; k < ox_count(g->value[w].constant); k++)
        ((float *)g->value[w].constant->data)[k] *= 0.05f;
    ox_node *n = node("Conv", 11, 3, (int[]){ x, w, vector(8) });
    ints(n, "pads", 4, (int64_t[]){ 1, 1, 1, 1 });
    v[0] = n->out[0];
    v[1] = op1("Relu", v[0]);
    n = node("Conv", 11, 2, (int[]){ v[1], w });
    ints(n, "pads", 4, (int64_t[]){ 1, 1, 1, 1 });
    v[2] = n->out[0];
    v[3] = op2("Add", v[2], x);
    v[4] = op1("Sigmoid", v[3]);
    for (int i = 0; i < 5; i++)
        g->node[i].name = g->value[v[i]].name = names[i];
    output(v[4]);
}

static void fill_input(ox_value *x)
{
    ox_error err = { 0 };
    const ox_type *t = &g->value[g->in[0]].type;
    x->kind = OX_TENSOR;
    ck_assert(ox_tensor_alloc(&x->t, OX_F32, t->rank, t->dim, &err) == OX_OK);
    for (int64_t k = 0; k < ox_count(&x->t); k++)
        ((float *)x->t.data)[k] = wave((int)k);
}

/* Element 3 of this node's output is off by a thousandth of itself and a little. */
static void spoil(void *ctx, const ox_node *n, ox_run *r)
{
    const char *name = ctx;
    if (name && strcmp(n->name, name) == 0) {
        float *y = r->out[0]->data;
        y[3] = y[3] * 1.001f + 1e-3f;
    }
}

static ox_code spoil_run(void *ctx, const ox_graph *of, const ox_node *n, ox_run *r)
{
    (void)of;
    spoil(ctx, n, r);
    return OX_OK;
}

/* y by a run whose kernel of node `bad` (NULL: none) is faulty. */
static void run_with(const char *bad, int optimize, bool f64, const ox_value *x, ox_value *y)
{
    ox_error err = { 0 };
    ox_options o = { .threads = 1, .optimize = optimize, .f64 = f64, .observed = true };
    ox_session *s;
    const ox_value *out[1];
    ck_assert(ox_session_create(m, &o, &s, &err) == OX_OK);
    ox_session_observe(s, spoil_run, (void *)(uintptr_t)bad);
    ck_assert_msg(ox_session_run(s, &x, out, &err) == OX_OK, "%s", err.message);
    y->kind = OX_TENSOR;
    ck_assert(ox_tensor_convert(&y->t, &out[0]->t, OX_F32, &err) == OX_OK);
    ox_session_destroy(s);
}

static void judge(const ox_value *x, const ox_value *actual, const ox_value *expected, const char *bad,
                  ox_judgement *out)
{
    ox_error err = { 0 };
    ox_options o = { .threads = 2, .optimize = 2 };
    const char *names[] = { "y" };
    bool equal[] = { false };
    ox_judge_case c = { 1, names, &actual, &expected, equal, spoil, (void *)(uintptr_t)bad };
    ck_assert_msg(ox_judge(m, &o, &x, &c, out, &err) == OX_OK, "%s", err.message);
}

START_TEST(honest)
{
    ox_value x = { 0 }, y = { 0 }, truth = { 0 };
    ox_judgement j;
    small_model();
    fill_input(&x);
    run_with(NULL, 2, false, &x, &y);
    run_with(NULL, 0, true, &x, &truth);
    judge(&x, &y, &truth, NULL, &j);
    ck_assert_msg(j.finding == OX_ROUNDING, "%s", j.reason);
    judge(&x, &truth, &y, NULL, &j);
    ck_assert_msg(j.finding == OX_ROUNDING, "%s", j.reason);
    ox_value_release(&x);
    ox_value_release(&y);
    ox_value_release(&truth);
    ox_model_destroy(m);
}
END_TEST

/* The fault is in every run of ours, at every optimisation level. */
START_TEST(shared_fault)
{
    static const char *const where[] = { "a", "b", "c", "d", "y" };
    ox_value x = { 0 }, y = { 0 }, truth = { 0 };
    ox_judgement j;
    small_model();
    fill_input(&x);
    run_with(where[_i], 0, false, &x, &y);
    run_with(NULL, 0, true, &x, &truth);
    judge(&x, &y, &truth, where[_i], &j);
    ck_assert_msg(j.finding == OX_OURS_WRONG, "%s: %s", where[_i], j.reason);
    char named[40];
    snprintf(named, sizeof named, "node %s (", where[_i]);
    ck_assert_msg(strstr(j.reason, named) != NULL, "%s: %s", where[_i], j.reason);
    ox_value_release(&x);
    ox_value_release(&y);
    ox_value_release(&truth);
    ox_model_destroy(m);
}
END_TEST

/* A reference with a fault is not excused by rounding. */
START_TEST(foreign_fault)
{
    ox_value x = { 0 }, y = { 0 }, bad = { 0 };
    ox_judgement j;
    small_model();
    fill_input(&x);
    run_with(NULL, 2, false, &x, &y);
    run_with("c", 0, false, &x, &bad);
    judge(&x, &y, &bad, NULL, &j);
    ck_assert_msg(j.finding == OX_DIFFERENT, "%s", j.reason);
    ox_value_release(&x);
    ox_value_release(&y);
    ox_value_release(&bad);
    ox_model_destroy(m);
}
END_TEST

/* ---- memory ---- */

enum { BLOCKS = 100, CHANNELS = 16, SIDE = 96 };

/* BLOCKS times Conv -> Relu -> Conv -> Add -> Relu: 500 nodes. */
static void deep_model(void)
{
    start();
    int64_t filter[] = { CHANNELS, CHANNELS, 3, 3 };
    int x = input("x", 4, (int64_t[]){ 1, CHANNELS, SIDE, SIDE });
    for (int i = 0; i < BLOCKS; i++) {
        int w = constant(0, 4, filter), old = x;
        for (int64_t k = 0; k < ox_count(g->value[w].constant); k++)
            ((float *)g->value[w].constant->data)[k] *= 0.01f;
        ox_node *n = node("Conv", 11, 2, (int[]){ x, w });
        ints(n, "pads", 4, (int64_t[]){ 1, 1, 1, 1 });
        x = op1("Relu", n->out[0]);
        n = node("Conv", 11, 2, (int[]){ x, w });
        ints(n, "pads", 4, (int64_t[]){ 1, 1, 1, 1 });
        x = op1("Relu", op2("Add", n->out[0], old));
    }
    output(x);
}

static void plain_run(const ox_value *x)
{
    ox_error err = { 0 };
    ox_options o = { .threads = 1, .optimize = 2 };
    ox_session *s;
    const ox_value *out[1];
    ck_assert(ox_session_create(m, &o, &s, &err) == OX_OK);
    ck_assert_msg(ox_session_run(s, &x, out, &err) == OX_OK, "%s", err.message);
    ox_session_destroy(s);
}

static void trace_run(const ox_value *x)
{
    ox_error err = { 0 };
    ox_options o = { .threads = 1, .optimize = 2 };
    ox_trace t;
    ck_assert_msg(ox_trace_run(m, &o, &x, NULL, 0, false, &t, &err) == OX_OK, "%s", err.message);
    ck_assert_msg(t.first < 0, "%s", t.reason);
    ck_assert_uint_ge(t.n_node, 2 * BLOCKS);
    ox_trace_release(&t);
}

/* Peak bytes of a process that does this alone. */
static size_t peak_of(void (*fn)(const ox_value *))
{
    struct rusage use;
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) {
        ox_value x = { 0 };
        deep_model();
        fill_input(&x);
        fn(&x);
        _exit(0);
    }
    ck_assert_int_eq(wait4(pid, &status, 0, &use), pid);
    ck_assert_int_eq(status, 0);
    return (size_t)use.ru_maxrss * 1024;
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { SHADOWED = true }; /* a sanitizer's own memory counts, too */
#else
enum { SHADOWED = false };
#endif

START_TEST(memory_of_a_trace)
{
    if (SHADOWED)
        return;
    size_t plain = peak_of(plain_run), traced = peak_of(trace_run);
    size_t largest = (size_t)CHANNELS * SIDE * SIDE * sizeof(float);
    ck_assert_msg(traced <= 2 * plain + largest, "a run needs %zu bytes, a trace %zu", plain, traced);
}
END_TEST

Suite *suite_judge(void);
Suite *suite_judge(void)
{
    Suite *s = suite_create("judge");
    TCase *c = tcase_create("judge");
    tcase_set_timeout(c, 120);
    tcase_add_test(c, honest);
    tcase_add_loop_test(c, shared_fault, 0, 5);
    tcase_add_test(c, foreign_fault);
    tcase_add_test(c, memory_of_a_trace);
    suite_add_tcase(s, c);
    return s;
}
