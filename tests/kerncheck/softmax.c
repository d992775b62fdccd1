/* kernels/softmax against the definition in double.  The bound is that of the operator's error model:
 * 4 u mag, where mag counts what rounding x - max does to exp. */
#include "kernels/softmax/softmax.h"
#include "tests/kerncheck/floats.h"
#include "tests/kerncheck/rows.h"

#define U 0x1p-24

/* max, sum of exp(x - max), and that sum weighted by 1 + |x - max|, over n elements `stride` apart */
typedef struct stats {
    double max, sum, weighted;
} stats;
static stats look(size_t n, const float *x, size_t stride)
{
    stats s = { -INFINITY, 0, 0 };
    for (size_t i = 0; i < n; i++)
        s.max = x[i * stride] > s.max ? x[i * stride] : s.max;
    for (size_t i = 0; i < n; i++) {
        double d = x[i * stride] - s.max, e = exp(d);
        s.sum += e;
        s.weighted += e == 0 ? 0 : e * (1 - d);
    }
    return s;
}

static void judge(kc *k, float y, float x, const stats *s, bool logarithm)
{
    double d = x - s->max, want = exp(d) / s->sum, mag = want == 0 ? 0 : want * (1 - d);
    if (logarithm) {
        want = d - log(s->sum);
        mag = fabs(want) + s->weighted / s->sum;
    }
    kc_compare(k, y, want, 4 * U * mag + 0x1p-149, 0, false);
}

static void fill(kc *k, float *x, size_t n)
{
    static const double scale[] = { 1, 20, 120 };
    double s = scale[kc_below(k, 3)];
    kc_fill_f32(k, x, n, (kc_values)kc_below(k, KC_N_VALUES));
    if (kc_below(k, 4))
        for (size_t i = 0; i < n; i++)
            x[i] = (float)(s * kc_unit(k));
    for (size_t i = 0; i < n; i++) /* as masks do */
        if (n > 3 && kc_below(k, 32) == 0)
            x[i] = -INFINITY;
}

static void check_length(kc *k, ox_uk_softmax *fn, size_t n, bool logarithm)
{
    bool in_place = kc_below(k, 2);
    float *x = kc_alloc(k, n * sizeof *x, sizeof *x, kc_below(k, 2));
    float *y = kc_alloc(k, n * sizeof *x, sizeof *x, kc_below(k, 2));
    fill(k, x, n);
    if (in_place)
        memcpy(y, x, n * sizeof *x);
    fn(n, in_place ? y : x, y);
    stats s = look(n, x, 1);
    for (size_t i = 0; i < n; i++)
        judge(k, y[i], x[i], &s, logarithm);
    if (kc_failed(k))
        kc_fail(k, "n %zu", n);
    kc_release(k);
}
static void check_ox_uk_softmax(kc *k, kc_any_fn *fn, const char *member)
{
    bool logarithm = strcmp(member, "log_softmax") == 0;
    for (size_t round = 0; round < 8; round++)
        for (size_t l = 1; l < KC_N_LENGTHS && !kc_failed(k); l++)
            check_length(k, (ox_uk_softmax *)fn, kc_lengths[l], logarithm);
    check_length(k, (ox_uk_softmax *)fn, 1000003, logarithm);
}

static void check_shape(kc *k, ox_uk_softmax_cols *fn, size_t n, size_t cols, bool logarithm)
{
    bool in_place = kc_below(k, 2);
    size_t ld = cols + kc_below(k, 3), size = (n - 1) * ld + cols;
    float *x = kc_alloc(k, size * sizeof *x, sizeof *x, kc_below(k, 2));
    float *y = kc_alloc(k, size * sizeof *x, sizeof *x, kc_below(k, 2));
    fill(k, x, size);
    memcpy(y, x, size * sizeof *x);
    fn(n, cols, in_place ? y : x, y, ld);
    for (size_t j = 0; j < ld; j++) {
        stats s = j < cols ? look(n, x + j, ld) : (stats){ 0 };
        for (size_t i = 0; i < n && i * ld + j < size; i++)
            if (j < cols)
                judge(k, y[i * ld + j], x[i * ld + j], &s, logarithm);
            else if (memcmp(y + i * ld + j, x + i * ld + j, sizeof *x) != 0)
                kc_fail(k, "wrote between rows");
    }
    if (kc_failed(k))
        kc_fail(k, "n %zu cols %zu", n, cols);
    kc_release(k);
}
static void check_ox_uk_softmax_cols(kc *k, kc_any_fn *fn, const char *member)
{
    for (size_t round = 0; round < 8; round++)
        for (size_t l = 1; l < KC_N_LENGTHS && !kc_failed(k); l++)
            check_shape(k, (ox_uk_softmax_cols *)fn, 1 + kc_below(k, 40), kc_lengths[l],
                        strcmp(member, "log_softmax_cols") == 0);
}

static void check_ox_uk_row_max(kc *k, kc_any_fn *fn, const char *member)
{
    (void)member;
    for (size_t l = 1; l < KC_N_LENGTHS && !kc_failed(k); l++) {
        size_t n = kc_lengths[l];
        float *x = kc_alloc(k, n * sizeof *x, sizeof *x, kc_below(k, 2));
        fill(k, x, n);
        if (((ox_uk_row_max *)fn)(n, x) != (float)look(n, x, 1).max)
            kc_fail(k, "wrong maximum, n %zu", n);
        kc_release(k);
    }
}

static void check_ox_uk_exp_sum(kc *k, kc_any_fn *fn, const char *member)
{
    (void)member;
    for (size_t l = 0; l < KC_N_LENGTHS && !kc_failed(k); l++) {
        size_t n = kc_lengths[l];
        float shift = (float)kc_unit(k);
        float *x = kc_alloc(k, n * sizeof *x, sizeof *x, kc_below(k, 2));
        float *y = kc_alloc(k, n * sizeof *x, sizeof *x, kc_below(k, 2));
        double sum = 0;
        for (size_t i = 0; i < n; i++)
            x[i] = (float)(20 * kc_unit(k));
        double got = ((ox_uk_exp_sum *)fn)(n, x, shift, y);
        for (size_t i = 0; i < n; i++) {
            sum += y[i];
            kc_near(k, y[i], exp((double)(x[i] - shift)), 0.8, 0);
        }
        kc_compare(k, got, sum, sum * 0x1p-24, 0, true); /* a level may add pairs in float */
        kc_release(k);
    }
}

static const kc_member members[] = {
#define UK(type, member, fn, isa) KC_MEMBER(type, member, fn, isa)
#include "kernels/softmax/ukernels.def"
};
static size_t n_rows(void) { return sizeof members / sizeof *members; }
static kc_row row(size_t i) { return (kc_row){ members[i].name, members[i].isa }; }
static void check(kc *k, size_t i) { members[i].check(k, members[i].fn, members[i].member); }

/* ---- bench: what attention and classifiers do ---- */

typedef struct call {
    const kc_member *m;
    size_t           n, cols; /* cols rows of n, or columns where cols are adjacent */
    float           *x, *y;
} call;
static void run(void *ctx)
{
    const call *c = ctx;
    if (strstr(c->m->member, "cols"))
        ((ox_uk_softmax_cols *)c->m->fn)(c->n, c->cols, c->x, c->y, c->cols);
    else
        for (size_t i = 0; i < c->cols; i++)
            ((ox_uk_softmax *)c->m->fn)(c->n, c->x + i * c->n, c->y + i * c->n);
}
static void bench_shape(kc *k, const char *member, size_t n, size_t cols, kc_any_fn *pick)
{
    call calls[8];
    size_t used = 0;
    float *x = kc_alloc(k, n * cols * sizeof *x, sizeof *x, false);
    float *y = kc_alloc(k, n * cols * sizeof *x, sizeof *x, false);
    kc_fill_f32(k, x, n * cols, KC_NORMAL);
    if (kc_problem(k, (double)(n * cols), "softmax/%s/n%zux%zu", member, n, cols)) {
        for (size_t i = 0; i < n_rows() && used < 8; i++) {
            if (strcmp(members[i].member, member) != 0 || (members[i].isa & ~ox_cpu()) != 0)
                continue;
            calls[used] = (call){ &members[i], n, cols, x, y };
            kc_candidate(k, members[i].name, members[i].fn == pick, run, &calls[used++]);
        }
        kc_race(k);
    }
    kc_release(k);
}
static void bench(kc *k)
{
    ox_softmax_kernels best = ox_softmax_pick();
    static const size_t lengths[] = { 10, 49, 128, 197, 1000 };
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
        bench_shape(k, "softmax", lengths[i], 16384 / lengths[i], (kc_any_fn *)best.softmax);
    bench_shape(k, "log_softmax", 1000, 16, (kc_any_fn *)best.log_softmax);
    bench_shape(k, "softmax_cols", 21, 784, (kc_any_fn *)best.softmax_cols);
    bench_shape(k, "log_softmax_cols", 21, 784, (kc_any_fn *)best.log_softmax_cols);
}

const kc_family kc_family_softmax = { "softmax", n_rows, row, check, bench };
