/* Random numbers: the generator against its published answers, the distributions against theory, and
 * the operators through a session.  Seeds are fixed: bounds are those of a one in a million event or
 * rarer, and none of them depends on luck any more. */
#include "kernels/random/philox.h"
#include "runtime/exec/session.h"
#include "runtime/load/load.h"
#include "tests/unit/pb.h"

#include <math.h>

enum { N = 200000, BINS = 64 };

/* Random123's known answers. */
START_TEST(known_answers)
{
    static const struct { uint32_t c[4], k[2], y[4]; } kat[] = {
        { { 0, 0, 0, 0 }, { 0, 0 }, { 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8 } },
        { { ~0u, ~0u, ~0u, ~0u }, { ~0u, ~0u }, { 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd } },
        { { 0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344 },
          { 0xa4093822, 0x299f31d0 },
          { 0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1 } },
    };
    for (size_t i = 0; i < OX_COUNT(kat); i++) {
        uint32_t y[4];
        ox_philox(kat[i].c, kat[i].k, y);
        ck_assert_mem_eq(y, kat[i].y, sizeof(y));
    }
}
END_TEST

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double uniform_cdf(double x) { return x < 0 ? 0 : x > 1 ? 1 : x; }
static double normal_cdf(double x) { return erfc(-x / sqrt(2)) / 2; }

/* Kolmogorov and Smirnov: sqrt(n) D stays below 2.7 but once in a million samples. */
static void check_ks(double *v, size_t n, double (*cdf)(double))
{
    double d = 0;
    qsort(v, n, sizeof(*v), ascending);
    for (size_t i = 0; i < n; i++) {
        double f = cdf(v[i]);
        d = fmax(d, fmax(f - (double)i / (double)n, (double)(i + 1) / (double)n - f));
    }
    ck_assert_double_lt(sqrt((double)n) * d, 2.7);
    ck_assert_double_gt(sqrt((double)n) * d, 0.2); /* suspiciously even */
}

static void check_moments(const double *v, size_t n, double mean, double variance, double kurtosis)
{
    double m = 0, s = 0;
    for (size_t i = 0; i < n; i++)
        m += v[i];
    m /= (double)n;
    for (size_t i = 0; i < n; i++)
        s += (v[i] - m) * (v[i] - m);
    s /= (double)n - 1;
    ck_assert_double_lt(fabs(m - mean), 5 * sqrt(variance / (double)n));
    ck_assert_double_lt(fabs(s - variance), 5 * variance * sqrt((kurtosis - 1) / (double)n));
}

/* Neighbours are independent: their correlation is that of chance. */
static void check_serial(const double *v, size_t n, double mean, double variance)
{
    double s = 0;
    for (size_t i = 0; i + 1 < n; i++)
        s += (v[i] - mean) * (v[i + 1] - mean);
    ck_assert_double_lt(fabs(s / (double)(n - 1)), 5 * variance / sqrt((double)n));
}

/* Pearson's chi-square over `bins` cells with the same expected number: five deviations at most. */
static void check_chi(const int *count, int bins, double expected)
{
    double chi = 0;
    for (int i = 0; i < bins; i++)
        chi += (count[i] - expected) * (count[i] - expected) / expected;
    ck_assert_double_lt(fabs(chi - (bins - 1)), 5 * sqrt(2.0 * (bins - 1)));
}

START_TEST(uniform)
{
    double *v = malloc(N * sizeof(*v));
    int count[BINS] = { 0 };
    ox_draw_uniform(12345, 0, N, v);
    check_moments(v, N, 0.5, 1.0 / 12, 1.8);
    check_serial(v, N, 0.5, 1.0 / 12);
    for (int i = 0; i < N; i++) {
        ck_assert(v[i] >= 0 && v[i] < 1);
        count[(int)(v[i] * BINS)]++;
    }
    check_chi(count, BINS, (double)N / BINS);
    check_ks(v, N, uniform_cdf);
    free(v);
}
END_TEST

START_TEST(normal)
{
    double *v = malloc(N * sizeof(*v));
    ox_draw_normal(99, 0, N, v);
    check_moments(v, N, 0, 1, 3);
    check_serial(v, N, 0, 1);
    check_ks(v, N, normal_cdf);
    ck_assert_double_lt(v[0], -3.9);
    ck_assert_double_gt(v[N - 1], 3.9);
    free(v);
}
END_TEST

START_TEST(by_position)
{
    double all[101], part[101];
    ox_draw_normal(7, 50, 101, all);
    for (int from = 0; from < 101; from += 7) {
        int n = OX_MIN(7, 101 - from);
        ox_draw_normal(7, 50 + from, n, part);
        ck_assert_mem_eq(part, all + from, (size_t)n * sizeof(double));
    }
    ox_draw_normal(8, 50, 101, part);
    ck_assert(memcmp(part, all, sizeof(all)) != 0);
}
END_TEST

/* ---- operators ---- */
static void attr_float(pb *attrs, const char *name, float f)
{
    pb a = { 0 };
    pb_str(&a, ATTR_NAME, name);
    pb_float(&a, ATTR_F, f);
    pb_int(&a, ATTR_TYPE, 1);
    pb_put(attrs, NODE_ATTR, &a);
}

typedef struct fixture {
    ox_model       *model;
    ox_session     *session;
    const ox_value *out;
} fixture;

/* One node op(x) -> y, x an f32 constant of n elements as [1, n]. */
static void run_op(fixture *f, const char *op, const float *x, size_t n, pb *attrs, int dtype, int threads)
{
    pb g = { 0 }, t = pb_tensor(NULL, 1, -1, x, n * sizeof(*x));
    ox_error err = { 0 };
    pb_str(&g, GRAPH_NAME, "g");
    pb_int(&t, TENSOR_DIM, 1);
    pb_int(&t, TENSOR_DIM, (int64_t)n);
    pb_str(&t, TENSOR_NAME, "x");
    pb_put(&g, GRAPH_INIT, &t);
    pb_value(&g, GRAPH_OUT, "y", dtype, NULL);
    pb_add_node(&g, "n", op, "x", "y", attrs);
    pb m = pb_model(&g, 22);
    *f = (fixture){ 0 };
    ck_assert_msg(ox_load_bytes(m.b, m.n, NULL, &f->model, &err) == OX_OK, "%s", err.message);
    pb_free(&m);
    ox_options options = { .threads = threads, .optimize = 2, .seed = 1, .seeded = true };
    ck_assert_msg(ox_session_create(f->model, &options, &f->session, &err) == OX_OK, "%s", err.message);
    ck_assert_msg(ox_session_run(f->session, NULL, &f->out, &err) == OX_OK, "%s", err.message);
}

static void drop(fixture *f)
{
    ox_session_destroy(f->session);
    ox_model_destroy(f->model);
}

START_TEST(multinomial)
{
    static const float p[] = { 0.1f, 0, 0.4f, 0.2f, 0.3f };
    float x[5];
    int count[5] = { 0 };
    double chi = 0;
    pb attrs = { 0 };
    fixture f;
    for (int i = 0; i < 5; i++)
        x[i] = logf(p[i]) + 7; /* not normalised */
    pb_attr_int(&attrs, "sample_size", N);
    pb_attr_int(&attrs, "dtype", 7);
    attr_float(&attrs, "seed", 3);
    run_op(&f, "Multinomial", x, 5, &attrs, 7, 1);
    ck_assert_int_eq(f.out->t.dtype, OX_I64);
    for (int i = 0; i < N; i++) {
        int64_t k = ox_get_i64(&f.out->t, i);
        ck_assert(k >= 0 && k < 5);
        count[k]++;
    }
    ck_assert_int_eq(count[1], 0);
    for (int i = 0; i < 5; i++)
        chi += p[i] > 0 ? pow(count[i] - (double)p[i] * N, 2) / ((double)p[i] * N) : 0;
    ck_assert_double_lt(chi, 30.7); /* 3 degrees of freedom, one in a million */
    drop(&f);
}
END_TEST

START_TEST(bernoulli)
{
    float *x = malloc(N * sizeof(*x));
    double got = 0, expected = 0, variance = 0;
    pb attrs = { 0 };
    fixture f;
    for (int i = 0; i < N; i++) {
        x[i] = (float)(i % 11) / 10;
        expected += (double)x[i];
        variance += (double)x[i] * (1 - (double)x[i]);
    }
    pb_attr_int(&attrs, "dtype", 9);
    attr_float(&attrs, "seed", 5);
    run_op(&f, "Bernoulli", x, N, &attrs, 9, 1);
    for (int i = 0; i < N; i++) {
        int64_t v = ox_get_i64(&f.out->t, i);
        ck_assert(v == 0 || v == 1);
        ck_assert(i % 11 != 0 || v == 0);
        ck_assert(i % 11 != 10 || v == 1);
        got += (double)v;
    }
    ck_assert_double_lt(fabs(got - expected), 5 * sqrt(variance));
    free(x);
    drop(&f);
}
END_TEST

/* The same seed gives the same bits for any number of threads; mean and scale are applied. */
START_TEST(normal_like)
{
    float *x = calloc(N, sizeof(*x));
    double *v = malloc(N * sizeof(*v));
    fixture f[2];
    for (int i = 0; i < 2; i++) {
        pb attrs = { 0 };
        attr_float(&attrs, "seed", 11);
        attr_float(&attrs, "mean", 3);
        attr_float(&attrs, "scale", 2);
        run_op(&f[i], "RandomNormalLike", x, N, &attrs, 1, i ? 4 : 1);
    }
    ck_assert_int_eq(ox_count(&f[0].out->t), N);
    ck_assert_mem_eq(f[0].out->t.data, f[1].out->t.data, N * sizeof(float));
    ox_to_f64(v, f[0].out->t.data, OX_F32, N);
    check_moments(v, N, 3, 4, 3);
    free(v);
    free(x);
    drop(&f[0]);
    drop(&f[1]);
}
END_TEST

START_TEST(uniform_like)
{
    float *x = calloc(N, sizeof(*x));
    double *v = malloc(N * sizeof(*v));
    pb attrs = { 0 };
    fixture f;
    attr_float(&attrs, "low", -4);
    attr_float(&attrs, "high", 8);
    run_op(&f, "RandomUniformLike", x, N, &attrs, 1, 1); /* seeded by the session */
    ox_to_f64(v, f.out->t.data, OX_F32, N);
    check_moments(v, N, 2, 12, 1.8);
    for (int i = 0; i < N; i++)
        ck_assert(v[i] >= -4 && v[i] <= 8);
    free(v);
    free(x);
    drop(&f);
}
END_TEST

Suite *suite_random(void);
Suite *suite_random(void)
{
    Suite *s = suite_create("random");
    TCase *c = tcase_create("random");
    tcase_set_timeout(c, 60);
    tcase_add_test(c, known_answers);
    tcase_add_test(c, uniform);
    tcase_add_test(c, normal);
    tcase_add_test(c, by_position);
    tcase_add_test(c, multinomial);
    tcase_add_test(c, bernoulli);
    tcase_add_test(c, normal_like);
    tcase_add_test(c, uniform_like);
    suite_add_tcase(s, c);
    return s;
}
