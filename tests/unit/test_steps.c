/* Quantisers: a step of difference is rounding where the value before rounding lies at a tie, and so is what
 * comes of it; elsewhere it is a difference. */
#include "tests/unit/build.h"
#include "verify/trace.h"

#include <stdlib.h>

enum { ROWS = 4, COLUMNS = 8, TIE = 3, OTHER = 13 }; /* elements of the quantiser's input */

/* x -> Mul 0.3 -> QuantizeLinear (scale 0.1) -> q -> Transpose -> DequantizeLinear -> MatMul -> y */
static void quantised_model(void)
{
    start();
    int x = input("x", 2, (int64_t[]){ ROWS, COLUMNS }), scale = scalar(0.1f), zero = scalar(0);
    static uint8_t z = 100;
    g->value[zero].constant->dtype = OX_U8;
    g->value[zero].constant->data = &z;
    int product = op2("Mul", x, scalar(0.3f));
    int q = node("QuantizeLinear", 13, 3, (int[]){ product, scale, zero })->out[0];
    ox_node *n = node("Transpose", 13, 1, &q);
    ints(n, "perm", 2, (int64_t[]){ 1, 0 });
    int d = node("DequantizeLinear", 13, 3, (int[]){ n->out[0], scale, zero })->out[0];
    int y = op2("MatMul", constant(0, 2, (int64_t[]){ 5, COLUMNS }), d);
    g->value[product].name = "p";
    g->value[q].name = "q";
    g->value[y].name = "y";
    g->node[1].name = "quantiser";
    output(q);
    output(y);
}

/* Element TIE of the product is `tie` and a half steps as well as floats can tell (-1: it is like the others,
 * which are far from a tie). */
static void fill(ox_value *x, int tie)
{
    ox_error err = { 0 };
    x->kind = OX_TENSOR;
    ck_assert(ox_tensor_alloc(&x->t, OX_F32, 2, (int64_t[]){ ROWS, COLUMNS }, &err) == OX_OK);
    for (int k = 0; k < ROWS * COLUMNS; k++)
        ((float *)x->t.data)[k] = (float)((k % 7 - 3 + 0.2) * 0.1 / 0.3);
    if (tie >= 0)
        ((float *)x->t.data)[TIE] = (float)((tie + 0.5) * (double)0.1f / (double)0.3f);
}

typedef struct change { int at, by, tie; } change;

/* Another implementation's quantiser. */
static ox_code other_rounding(void *ctx, const ox_graph *of, const ox_node *n, ox_run *r)
{
    const change *c = ctx;
    (void)of;
    if (strcmp(n->name, "quantiser") == 0) {
        uint8_t *q = r->out[0]->data;
        int down = c->at == TIE && q[TIE] > 100 + c->tie ? -c->by : c->by; /* whichever side ours is on */
        q[c->at] = (uint8_t)(q[c->at] + down);
    }
    return OX_OK;
}

static void run_with(change c, const ox_value *x, ox_value y[2])
{
    ox_error err = { 0 };
    ox_options o = { .threads = 1, .observed = true };
    ox_session *s;
    const ox_value *out[2];
    ck_assert(ox_session_create(m, &o, &s, &err) == OX_OK);
    ox_session_observe(s, other_rounding, &c);
    ck_assert_msg(ox_session_run(s, &x, out, &err) == OX_OK, "%s", err.message);
    for (int i = 0; i < 2; i++) {
        y[i].kind = OX_TENSOR;
        ck_assert(ox_tensor_convert(&y[i].t, &out[i]->t, out[i]->t.dtype, &err) == OX_OK);
    }
    ox_session_destroy(s);
}

/* The verdicts on q and y of a reference whose quantiser is off by c, and whether a trace finds it. */
static bool verdicts(int tie, change c, ox_finding out[2])
{
    ox_error err = { 0 };
    ox_options o = { .threads = 2, .optimize = 2 };
    ox_value x = { 0 }, ours[2] = { { 0 } }, theirs[2] = { { 0 } };
    const ox_value *in = &x, *actual[] = { &ours[0], &ours[1] }, *expected[] = { &theirs[0], &theirs[1] };
    const char *names[] = { "q", "y" };
    ox_known ref[] = { { "q", &theirs[0] }, { "y", &theirs[1] } };
    ox_judgement j[2];
    ox_trace t;
    quantised_model();
    fill(&x, tie);
    run_with((change){ 0, 0, 0 }, &x, ours);
    run_with(c, &x, theirs);
    ox_judge_case k = { .n = 2, .names = names, .actual = actual, .expected = expected,
                        .equal = (bool[]){ false, false } };
    ck_assert_msg(ox_judge(m, &o, &in, &k, j, &err) == OX_OK, "%s", err.message);
    ck_assert_msg(ox_trace_run(m, &o, &in, ref, 2, 0, &t, &err) == OX_OK, "%s", err.message);
    bool found = t.first >= 0 && strcmp(t.node[t.first].value, "q") == 0;
    ck_assert_msg(found || t.first < 0, "%s", t.reason);
    for (int i = 0; i < 2; i++) {
        out[i] = j[i].finding;
        ox_value_release(&ours[i]);
        ox_value_release(&theirs[i]);
    }
    ox_trace_release(&t);
    ox_value_release(&x);
    ox_model_destroy(m);
    return found;
}

START_TEST(a_step_at_a_tie)
{
    ox_finding f[2];
    for (int tie = 0; tie < 40; tie++) { /* the float run falls on either side of the exact number */
        ck_assert(!verdicts(tie, (change){ TIE, 1, tie }, f));
        ck_assert_int_eq(f[0], OX_ROUNDING);
        ck_assert_int_eq(f[1], OX_ROUNDING);
    }
}
END_TEST

START_TEST(a_step_elsewhere)
{
    ox_finding f[2];
    ck_assert(verdicts(-1, (change){ OTHER, 1, 0 }, f));
    ck_assert_int_eq(f[0], OX_DIFFERENT);
    ck_assert_int_eq(f[1], OX_DIFFERENT);
    ck_assert(verdicts(2, (change){ OTHER, 1, 0 }, f));
    ck_assert_int_eq(f[0], OX_DIFFERENT);
}
END_TEST

START_TEST(many_steps)
{
    ox_finding f[2];
    ck_assert(verdicts(2, (change){ OTHER, 20, 0 }, f));
    ck_assert_int_eq(f[0], OX_DIFFERENT);
    ck_assert_int_eq(f[1], OX_DIFFERENT);
}
END_TEST

Suite *suite_steps(void);
Suite *suite_steps(void)
{
    Suite *s = suite_create("steps");
    TCase *t = tcase_create("steps");
    tcase_add_test(t, a_step_at_a_tie);
    tcase_add_test(t, a_step_elsewhere);
    tcase_add_test(t, many_steps);
    suite_add_tcase(s, t);
    return s;
}
