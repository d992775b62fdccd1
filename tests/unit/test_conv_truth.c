/* The truth of a convolution, whole and part by part, against sums written down in the plainest way. */
#include "tests/unit/build.h"
#include "verify/truth.h"

#include <stdlib.h>

typedef struct shape {
    int     rank; /* of space */
    int64_t n, c, m, group, in[3], k[3], step, dil, begin, end;
} shape;

static const shape shapes[] = {
    { 2, 2, 8, 12, 1, { 70, 61 }, { 3, 3 }, 1, 1, 1, 1 },     /* Winograd; rows and columns left over */
    { 2, 1, 8, 8, 1, { 40, 30 }, { 5, 5 }, 1, 1, 2, 2 },      /* by patches */
    { 2, 1, 12, 24, 2, { 33, 64 }, { 3, 3 }, 2, 1, 1, 0 },    /* groups, directly */
    { 2, 1, 6, 8, 1, { 20, 70 }, { 3, 2 }, 1, 3, 30, 3 },     /* bands of padding alone */
    { 2, 1, 24, 24, 1, { 34, 8 }, { 3, 1 }, 1, 1, 0, 0 },     /* which runs as a convolution along one dimension */
    { 1, 2, 16, 16, 1, { 3000 }, { 7 }, 1, 2, 6, 6 },
    { 3, 1, 4, 8, 1, { 9, 14, 15 }, { 3, 3, 3 }, 1, 1, 1, 1 },
    { 2, 1, 32, 300, 1, { 12, 12 }, { 3, 3 }, 1, 1, 1, 1 },   /* blocks of filters */
    { 2, 1, 32, 2, 2, { 200, 100 }, { 3, 3 }, 1, 1, 1, 1 },   /* few filters: the definition alone */
};

/* Sum and sum of sizes for one output, by the indices of the definition. */
static void define(const shape *s, const float *x, const float *w, const int64_t *out, int64_t n, int64_t o,
                   double *y, double *mag)
{
    int64_t per = s->c / s->group, in = 1, taps = 1;
    for (int d = 0; d < s->rank; d++) {
        in *= s->in[d];
        taps *= s->k[d];
    }
    *y = *mag = 0;
    for (int64_t c = 0; c < per; c++)
        for (int64_t t = 0; t < taps; t++) {
            int64_t at = 0, rest = t, k[3];
            bool inside = true;
            for (int d = s->rank - 1; d >= 0; rest /= s->k[d--])
                k[d] = rest % s->k[d];
            for (int d = 0; d < s->rank; d++) {
                int64_t i = out[d] * s->step + k[d] * s->dil - s->begin;
                inside = inside && i >= 0 && i < s->in[d];
                at = at * s->in[d] + i;
            }
            if (!inside)
                continue;
            double p = (double)x[(n * s->c + o / (s->m / s->group) * per + c) * in + at] *
                       (double)w[(o * per + c) * taps + t];
            *y += p;
            *mag += fabs(p);
        }
}

typedef struct check {
    const shape *s;
    double      *seen; /* by parts; NAN: not yet */
    int          runs;
} check;

static void note(void *ctx, int64_t from, int64_t n, const double *value, double *mag)
{
    check *k = ctx;
    (void)mag;
    for (int64_t i = 0; i < n; i++) {
        ck_assert(isnan(k->seen[from + i]));
        k->seen[from + i] = value[i];
    }
}

static ox_code look(void *ctx, const ox_graph *of, const ox_node *node, ox_run *r)
{
    check *k = ctx;
    const shape *s = k->s;
    ox_arena *a = ox_arena_create(0);
    ox_truth t;
    ox_parts p;
    ox_error err = { 0 };
    const ox_tensor *y = r->out[0];
    int64_t count = ox_count(y), size = ox_numel(y, 2, y->rank);
    (void)of, (void)node;
    k->runs++;
    k->seen = malloc((size_t)count * sizeof(double));
    ck_assert_ptr_nonnull(k->seen);
    for (int64_t i = 0; i < count; i++)
        k->seen[i] = NAN;
    ck_assert_msg(ox_truth_of(a, r, NULL, &t, &err) == OX_OK, "%s", err.message);
    ck_assert(ox_truth_parts(r, &p, &err) == OX_OK && p.n > 1);
    char *scratch = ox_scratch(r, p.scratch);
    for (int64_t i = 0; i < p.n; i++)
        p.part(&p, i, scratch, note, k);
    for (int64_t i = 0; i < count; i++) {
        int64_t out[3], rest = i % size;
        double exact, mag, u = ox_dtype_roundoff(OX_F32) * r->op->error.c * t.stretch;
        for (int d = s->rank - 1; d >= 0; rest /= y->dim[2 + d--])
            out[d] = rest % y->dim[2 + d];
        define(s, r->in[0]->data, r->in[1]->data, out, i / size / s->m, i / size % s->m, &exact, &mag);
        ck_assert_double_eq(k->seen[i], t.value[0][i]);
        ck_assert_msg(fabs(t.value[0][i] - exact) <= 1e-13 * mag, "element %d: %g, not %g", (int)i, t.value[0][i], exact);
        ck_assert_double_ge(t.bound[0][i], 0.999 * u * mag);
        ck_assert_double_le(t.bound[0][i], 50 * u * (mag + 1));
    }
    free(k->seen);
    ox_arena_destroy(a);
    return OX_OK;
}

START_TEST(definition)
{
    const shape *s = &shapes[_i];
    check k = { .s = s };
    ox_error err = { 0 };
    ox_options o = { .threads = 2, .optimize = 2, .observed = true };
    ox_session *session;
    ox_value x = { 0 };
    int64_t dim[5] = { s->n, s->c }, w_dim[5] = { s->m, s->c / s->group }, pads[6], step[3], dil[3];
    const ox_value *out[1];
    for (int d = 0; d < s->rank; d++) {
        dim[2 + d] = s->in[d];
        w_dim[2 + d] = s->k[d];
        pads[d] = s->begin;
        pads[s->rank + d] = s->end;
        step[d] = s->step;
        dil[d] = s->dil;
    }
    start();
    int in = input("x", 2 + s->rank, dim);
    ox_node *n = node("Conv", 11, 2, (int[]){ in, constant(0, 2 + s->rank, w_dim) });
    ints(n, "pads", 2 * s->rank, pads);
    ints(n, "strides", s->rank, step);
    ints(n, "dilations", s->rank, dil);
    attribute(n, "group", OX_ATTR_INT)->i = s->group;
    output(n->out[0]);
    x.kind = OX_TENSOR;
    ck_assert(ox_tensor_alloc(&x.t, OX_F32, 2 + s->rank, dim, &err) == OX_OK);
    for (int64_t i = 0; i < ox_count(&x.t); i++)
        ((float *)x.t.data)[i] = wave((int)i);
    ck_assert_msg(ox_session_create(m, &o, &session, &err) == OX_OK, "%s", err.message);
    ox_session_observe(session, look, &k);
    ck_assert_msg(ox_session_run(session, (const ox_value *[]){ &x }, out, &err) == OX_OK, "%s", err.message);
    ck_assert_int_eq(k.runs, 1);
    ox_session_destroy(session);
    ox_value_release(&x);
    ox_model_destroy(m);
}
END_TEST

Suite *suite_conv_truth(void);
Suite *suite_conv_truth(void)
{
    Suite *s = suite_create("conv_truth");
    TCase *t = tcase_create("conv_truth");
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, definition, 0, OX_COUNT(shapes));
    suite_add_tcase(s, t);
    return s;
}
