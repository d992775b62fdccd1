/* What a Concat joins is made where it is to lie: the same bits as without, no more memory, and no copy of a value
 * that others change or read later. */
#include "tests/unit/build.h"

static int concat(int64_t axis, int n, const int *in)
{
    ox_node *c = node("Concat", 13, n, in);
    attribute(c, "axis", OX_ATTR_INT)->i = axis;
    return c->out[0];
}

/* The graph as written and as planned give the same; bytes of the planned activations. */
static size_t check_same(void)
{
    static float plain[1 << 16], planned[1 << 16];
    ox_options none = { .threads = 1, .optimize = 0 }, all = { .threads = 1, .optimize = 2 };
    ox_session *s = NULL;
    size_t n = run_model(&none, plain, OX_COUNT(plain), NULL);
    ck_assert_uint_eq(run_model(&all, planned, OX_COUNT(planned), &s), n);
    ck_assert_mem_eq(plain, planned, n * sizeof(float));
    size_t slab = ox_session_memory(s).slab;
    ox_session_destroy(s);
    ox_model_destroy(m);
    return slab;
}

enum { N = 1024 };
static const int64_t dim[] = { 1, 4, 16, 16 }; /* N floats */

START_TEST(made_in_place)
{
    start();
    int x = input("x", 4, dim), a = op1("Sin", x), b = op1("Cos", x);
    int c = concat(1, 2, (int[]){ a, b }), d = concat(1, 2, (int[]){ c, op1("Tan", c) });
    output(op1("ReduceSum", d));
    /* Tan reads half of what the second Concat joins, so all four parts lie in one block. */
    ck_assert_uint_le(check_same(), (4 * N + 64) * sizeof(float));
}
END_TEST

START_TEST(read_again)
{
    start();
    int x = input("x", 4, dim), a = op1("Sin", x), b = op1("Cos", x);
    int c = concat(1, 3, (int[]){ a, b, a }), e = op1("Neg", c); /* may overwrite c */
    int f = concat(1, 2, (int[]){ b, a });                       /* but not what this reads */
    output(op2("Add", op1("Relu", a), b));
    output(concat(1, 2, (int[]){ e, f }));
    output(op1("Exp", f));
    (void)check_same();
}
END_TEST

START_TEST(other_axes)
{
    for (int64_t axis = -4; axis < 4; axis++) {
        start();
        int x = input("x", 4, dim), a = op1("Sin", x), b = op1("Relu", op1("Cos", x));
        int c = concat(axis, 4, (int[]){ a, x, b, scalar(0) });
        g->node[g->n_node - 1].in[3] = constant(1, 4, dim);
        output(op1("Neg", c));
        output(c);
        (void)check_same();
    }
}
END_TEST

/* An early part would keep all of a large output alive meanwhile. */
START_TEST(no_more_memory)
{
    static const int64_t large[] = { 1, 64, 16, 16 };
    start();
    int x = input("x", 4, dim), y = input("y", 4, large), early = op1("Sin", x), v = y;
    for (int i = 0; i < 6; i++)
        v = op2("Add", op1("Sin", v), op1("Cos", v));
    output(op1("ReduceSum", concat(1, 2, (int[]){ early, v })));
    ck_assert_uint_le(check_same(), (3 * 16 * N + 2 * N) * sizeof(float));
}
END_TEST

Suite *suite_joint(void);
Suite *suite_joint(void)
{
    Suite *s = suite_create("joint");
    TCase *t = tcase_create("concat");
    tcase_add_test(t, made_in_place);
    tcase_add_test(t, read_again);
    tcase_add_test(t, other_axes);
    tcase_add_test(t, no_more_memory);
    suite_add_tcase(s, t);
    return s;
}
