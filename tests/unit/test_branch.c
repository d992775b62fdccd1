/* If whose condition follows from shapes: what PyTorch makes of squeeze(dim). */
#include "runtime/plan/plan.h"
#include "tests/unit/build.h"

/* A graph of one node on x, which it captures. */
static void branch(ox_node *n, const char *name, const char *op, int x)
{
    ox_graph *sub = ox_graph_create(m, g, name), *outer = g;
    ck_assert_ptr_nonnull(sub);
    sub->capture = ox_arena_array(m->arena, 1, sizeof(*sub->capture));
    sub->n_capture = sub->cap_capture = 1;
    g = sub;
    int inner = value("captured");
    sub->capture[0] = (ox_capture){ .outer = x, .inner = inner };
    ox_node *o = node(op, 11, 1, &inner);
    if (strcmp(op, "Squeeze") == 0)
        ints(o, "axes", 1, (int64_t[]){ 1 });
    output(o->out[0]);
    g = outer;
    attribute(n, name, OX_ATTR_GRAPH)->graph = sub;
}

static size_t run(int64_t size, float *y, ox_session **s)
{
    start();
    int x = input("x", 3, (int64_t[]){ 2, size, 4 });
    int one = value("one"), axis = value("axis");
    static int64_t ones[] = { 1 };
    for (int i = 0; i < 2; i++) {
        ox_tensor *t = ox_arena_alloc(m->arena, sizeof(*t));
        *t = (ox_tensor){ .dtype = OX_I64, .rank = i, .dim = { 1 }, .data = ones };
        g->value[i ? one : axis].constant = t;
    }
    int shape = op1("Shape", x), dim = op2("Gather", shape, axis), cond = op2("Equal", dim, one);
    ox_node *n = node("If", 11, 1, &cond);
    int v = n->out[0];
    branch(n, "then_branch", "Squeeze", x);
    branch(&g->node[g->n_node - 1], "else_branch", "Neg", x);
    output(op1("Abs", v));
    return run_model(&(ox_options){ .threads = 1, .optimize = 2 }, y, 64, s);
}

static void check(int64_t size, int rank)
{
    float y[64];
    ox_session *s;
    ck_assert_uint_eq(run(size, y, &s), (size_t)(8 * size));
    for (int i = 0; i < 8 * size; i++)
        ck_assert(y[i] == fabsf(wave(i)));
    const ox_plan *p = ox_session_graph(s)->plans;
    for (size_t k = 0; k < p->n_step; k++)
        ck_assert(p->step[k].is_static || p->step[k].done);
    ck_assert_int_eq(p->slot[ox_session_graph(s)->out[0]].v.t.rank, rank);
    ox_session_destroy(s);
    ox_model_destroy(m);
}

START_TEST(decided_by_shapes)
{
    check(1, 2);
    check(3, 3);
}
END_TEST

Suite *suite_branch(void);
Suite *suite_branch(void)
{
    Suite *s = suite_create("branch");
    TCase *c = tcase_create("branch");
    tcase_add_test(c, decided_by_shapes);
    suite_add_tcase(s, c);
    return s;
}
