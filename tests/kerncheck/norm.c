/* kernels/norm: statistics against long double, results against the formula in double. */
#include "kernels/norm/norm.h"
#include "tests/kerncheck/floats.h"
#include "tests/kerncheck/rows.h"

static float *numbers(kc *k, size_t n)
{
    float *x = kc_alloc(k, n * sizeof *x, sizeof *x, kc_below(k, 2));
    double shift = kc_below(k, 2) ? 1000 * kc_unit(k) : 0; /* a mean far from 0 */
    kc_fill_f32(k, x, n, KC_WIDE);
    for (size_t i = 0; i < n; i++)
        x[i] = (float)(x[i] + shift);
    return x;
}

static void moments(kc *k, ox_uk_moments *fn, size_t n)
{
    float *x = numbers(k, n);
    long double sum = 0, abs = 0, square = 0;
    double mean, variance, n1 = (double)n;
    for (size_t i = 0; i < n; i++)
        sum += x[i], abs += fabsf(x[i]);
    for (size_t i = 0; i < n; i++)
        square += (x[i] - sum / n1) * (x[i] - sum / n1);
    fn(n, x, &mean, &variance);
    double m = (double)(sum / n1), v = (double)(square / n1), off = x[0] - m;
    kc_compare(k, mean, m, 0x1p-52 * (double)abs, 0, true);
    /* the variance is a difference of numbers up to v + off^2, with off^2 <= n v */
    kc_compare(k, variance, v, 0x1p-50 * (v + off * off), 0, true);
    kc_release(k);
}
static void check_ox_uk_moments(kc *k, kc_any_fn *fn, const char *member)
{
    (void)member;
    for (size_t round = 0; round < 4; round++)
        for (size_t l = 1; l < KC_N_LENGTHS && !kc_failed(k); l++)
            moments(k, (ox_uk_moments *)fn, kc_lengths[l]);
}
static void check_ox_uk_mean_square(kc *k, kc_any_fn *fn, const char *member)
{
    (void)member;
    for (size_t l = 1; l < KC_N_LENGTHS && !kc_failed(k); l++) {
        size_t n = kc_lengths[l];
        float *x = numbers(k, n);
        long double square = 0;
        for (size_t i = 0; i < n; i++)
            square += (long double)x[i] * x[i];
        double want = (double)(square / (long double)n);
        kc_compare(k, ((ox_uk_mean_square *)fn)(n, x), want, 0x1p-50 * want, 0, true);
        kc_release(k);
    }
}

/* y against the exact value within so many ULP of its own, and a slack; 0 of either sign */
static void judge(kc *k, float y, double want, double ulps, double slack)
{
    kc_near(k, y, want == 0 ? copysign(want, y) : want, ulps, slack);
}

static void check_ox_uk_normalize(kc *k, kc_any_fn *fn, const char *member)
{
    (void)member;
    for (size_t round = 0; round < 8; round++)
        for (size_t l = 0; l < KC_N_LENGTHS && !kc_failed(k); l++) {
            size_t n = kc_lengths[l];
            bool in_place = kc_below(k, 2), scaled = kc_below(k, 2), biased = kc_below(k, 2);
            float *x = numbers(k, n), *scale = numbers(k, n), *bias = numbers(k, n);
            float *y = kc_alloc(k, n * sizeof *y, sizeof *y, kc_below(k, 2));
            double mean = 100 * kc_unit(k), inverse = 1 + kc_unit(k);
            if (in_place)
                memcpy(y, x, n * sizeof *x);
            ((ox_uk_normalize *)fn)(n, in_place ? y : x, mean, inverse, scaled ? scale : NULL,
                                    biased ? bias : NULL, y);
            for (size_t i = 0; i < n; i++) {
                double t = (x[i] - mean) * inverse, s = scaled ? scale[i] : 1, b = biased ? bias[i] : 0;
                double lost = 0x1p-45 * fabs(s * inverse) * (fabs(x[i]) + fabs(mean));
                if (scaled || biased) /* t was a float, within 1.5 ULP: they add half an ULP each */
                    judge(k, y[i], t * s + b, 0.5, 1.5 * kc_spacing(t) * fabs(s) + lost);
                else
                    judge(k, y[i], t, 1.5, lost);
            }
            kc_release(k);
        }
}
static void check_ox_uk_affine(kc *k, kc_any_fn *fn, const char *member)
{
    (void)member;
    for (size_t l = 0; l < KC_N_LENGTHS && !kc_failed(k); l++) {
        size_t n = kc_lengths[l];
        float *x = numbers(k, n), *y = kc_alloc(k, n * sizeof *y, sizeof *y, kc_below(k, 2));
        double a = kc_unit(k), b = 10 * kc_unit(k);
        ((ox_uk_affine *)fn)(n, x, a, b, y);
        for (size_t i = 0; i < n; i++)
            judge(k, y[i], x[i] * a + b, 1.5, 0x1p-45 * (fabs(x[i] * a) + fabs(b)));
        ((ox_uk_affine *)fn)(n, x, a, b, x);
        if (memcmp(x, y, n * sizeof *x) != 0)
            kc_fail(k, "in place gives something else, n %zu", n);
        kc_release(k);
    }
}
static void check_ox_uk_affine_each(kc *k, kc_any_fn *fn, const char *member)
{
    (void)member;
    for (size_t l = 0; l < KC_N_LENGTHS && !kc_failed(k); l++) {
        size_t n = kc_lengths[l];
        float *x = numbers(k, n), *y = kc_alloc(k, n * sizeof *y, sizeof *y, kc_below(k, 2));
        double *a = kc_alloc(k, n * sizeof *a, sizeof *a, kc_below(k, 2));
        double *b = kc_alloc(k, n * sizeof *b, sizeof *b, kc_below(k, 2));
        kc_fill_f64(k, a, n, KC_WIDE);
        kc_fill_f64(k, b, n, KC_WIDE);
        ((ox_uk_affine_each *)fn)(n, x, a, b, y);
        for (size_t i = 0; i < n; i++)
            judge(k, y[i], x[i] * a[i] + b[i], 0.5, 0x1p-50 * (fabs(x[i] * a[i]) + fabs(b[i])));
        kc_release(k);
    }
}

static void check_ox_uk_add_squares(kc *k, kc_any_fn *fn, const char *member)
{
    (void)member;
    for (size_t l = 0; l < KC_N_LENGTHS && !kc_failed(k); l++) {
        size_t n = kc_lengths[l];
        float *x = numbers(k, n);
        double *sum = kc_alloc(k, n * sizeof *sum, sizeof *sum, kc_below(k, 2));
        double *was = kc_alloc(k, n * sizeof *sum, sizeof *sum, false);
        kc_fill_f64(k, sum, n, KC_WIDE);
        memcpy(was, sum, n * sizeof *sum);
        ((ox_uk_add_squares *)fn)(n, x, sum);
        for (size_t i = 0; i < n; i++) {
            double square = (double)x[i] * x[i];
            kc_compare(k, sum[i], was[i] + square, 0x1p-52 * (square + fabs(was[i])), 0, true);
        }
        kc_release(k);
    }
}
static void check_ox_uk_respond(kc *k, kc_any_fn *fn, const char *member)
{
    static const double betas[] = { 0.5, 0.75, 0.6 };
    (void)member;
    for (size_t l = 0; l < 3 * KC_N_LENGTHS && !kc_failed(k); l++) {
        size_t n = kc_lengths[l / 3];
        ox_norm_response p = { 1e-4 + 0.1 * fabs(kc_unit(k)), betas[l % 3], 1 + kc_unit(k) };
        float *x = numbers(k, n), *y = kc_alloc(k, n * sizeof *y, sizeof *y, kc_below(k, 2));
        double *sum = kc_alloc(k, n * sizeof *sum, sizeof *sum, kc_below(k, 2));
        for (size_t i = 0; i < n; i++)
            sum[i] = 1000 * fabs(kc_unit(k));
        ((ox_uk_respond *)fn)(n, x, sum, &p, y);
        for (size_t i = 0; i < n; i++)
            judge(k, y[i], x[i] / pow(p.bias + p.alpha * sum[i], p.beta), 0.51, 0);
        kc_release(k);
    }
}

static const kc_member members[] = {
#define UK(type, member, fn, isa) KC_MEMBER(type, member, fn, isa)
#include "kernels/norm/ukernels.def"
};
static size_t n_rows(void) { return sizeof members / sizeof *members; }
static kc_row row(size_t i) { return (kc_row){ members[i].name, members[i].isa }; }
static void check(kc *k, size_t i) { members[i].check(k, members[i].fn, members[i].member); }

/* ---- bench: layer normalisation of one token of BERT-base, batch normalisation of a channel ---- */

enum { N = 768, PIXELS = 3136 };
typedef struct call {
    ox_norm_kernels kernels;
    float          *x, *scale, *y;
    double         *a;
} call;
static void run_layer(void *ctx)
{
    const call *c = ctx;
    double mean, variance;
    c->kernels.moments(N, c->x, &mean, &variance);
    c->kernels.normalize(N, c->x, mean, 1 / sqrt(variance + 1e-5), c->scale, c->scale, c->y);
}
static void run_affine(void *ctx)
{
    const call *c = ctx;
    c->kernels.affine(PIXELS, c->x, 0.5, 1.5, c->y);
}
static void run_affine_each(void *ctx)
{
    const call *c = ctx;
    c->kernels.affine_each(N, c->x, c->a, c->a, c->y);
}
/* The kernels of one level: rows in order, up to the last that the level can run. */
static ox_norm_kernels at_level(uint32_t isa)
{
    ox_norm_kernels k = { 0 };
#define UK(type, member, fn, need)                                                                 \
    if ((OX_ISA_##need & ~isa) == 0)                                                               \
        k.member = fn;
#include "kernels/norm/ukernels.def"
    return k;
}
static void bench(kc *k)
{
    static const struct {
        const char *name;
        double      n;
        void (*run)(void *);
    } problems[] = { { "layer768", N, run_layer }, { "affine3136", PIXELS, run_affine },
                     { "affine_each768", N, run_affine_each } };
    static const uint32_t levels[] = { OX_ISA_SCALAR, OX_ISA_AVX2, OX_ISA_AVX2 | OX_ISA_AVX512 };
    static const char *const names[] = { "scalar", "avx2", "avx512" };
    call calls[3];
    float *x = kc_alloc(k, PIXELS * sizeof *x, sizeof *x, false);
    float *y = kc_alloc(k, PIXELS * sizeof *x, sizeof *x, false);
    double *a = kc_alloc(k, N * sizeof *a, sizeof *a, false);
    kc_fill_f32(k, x, PIXELS, KC_NORMAL);
    kc_fill_f64(k, a, N, KC_NORMAL);
    for (size_t p = 0; p < sizeof problems / sizeof *problems; p++) {
        if (!kc_problem(k, problems[p].n, "norm/%s", problems[p].name))
            continue;
        for (size_t l = 0; l < 3 && (levels[l] & ~ox_cpu()) == 0; l++) {
            bool last = l == 2 || (levels[l + 1] & ~ox_cpu()) != 0;
            calls[l] = (call){ at_level(levels[l]), x, x, y, a };
            kc_candidate(k, names[l], last, problems[p].run, &calls[l]);
        }
        kc_race(k);
    }
    kc_release(k);
}

const kc_family kc_family_norm = { "norm", n_rows, row, check, bench };
