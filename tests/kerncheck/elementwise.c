/* kernels/elementwise: every loop at every level against its exact expression in double, with repeated
 * operands, in place, at any alignment. */
#include "kernels/elementwise/elementwise.h"
#include "tests/kerncheck/floats.h"

/* The words that loops1.def and loops2.def expect, on doubles. */
static double relu(double x) { return x < 0 ? 0 : x; }
static double clip(double x, const float *p) { return x < p[0] ? p[0] : x > p[1] ? p[1] : x; }
static double leaky(double x, const float *p) { return x < 0 ? x * p[0] : x; }
static double gate(double x) { return x < 0 ? 0 : x > 1 ? 1 : x; }

static double exact1(int kind, double x, const float *p, double *bound)
{
    switch (kind) {
#define L1(name, ulp, expr, exact)                                                                      \
    case OX_LOOP1_##name:                                                                          \
        *bound = ulp;                                                                             \
        return exact;
#include "kernels/elementwise/loops1.def"
    default:
        return NAN;
    }
}
static double exact2(int kind, float fa, float fb, const float *p, double *bound)
{
    double a = fa, b = fb, s = fa + fb;
    switch (kind) {
#define L2(name, ulp, expr, exact)                                                                      \
    case OX_LOOP2_##name:                                                                          \
        *bound = ulp;                                                                             \
        return exact;
#include "kernels/elementwise/loops2.def"
    default:
        return NAN;
    }
}

/* -0 is as good as 0 here. */
static void judge(kc *k, float y, double want, double ulp)
{
    kc_near(k, want == 0 && y == 0 ? (float)want : y, want, ulp, 0);
}

static void check_one(kc *k, const ox_uk_elementwise *row, size_t n)
{
    bool in_place = kc_below(k, 2);
    float p[2] = { 0.75f, 1.5f };
    float *x = kc_alloc(k, n * sizeof *x, sizeof *x, kc_below(k, 2));
    float *out = kc_alloc(k, n * sizeof *x, sizeof *x, kc_below(k, 2));
    kc_fill_any(k, x, n);
    if (in_place)
        memcpy(out, x, n * sizeof *x);
    row->run1(n, in_place ? out : x, out, p);
    for (size_t i = 0; i < n && !kc_failed(k); i++) {
        double ulp = 0, want = exact1(row->kind, x[i], p, &ulp);
        judge(k, out[i], want, ulp);
        if (kc_failed(k))
            kc_fail(k, "at %a", (double)x[i]);
    }
    kc_release(k);
}

static void check_two(kc *k, const ox_uk_elementwise *row, size_t n)
{
    int sx = kc_below(k, 3) != 0, sy = kc_below(k, 3) != 0;
    size_t n_x = sx ? n : 1, n_y = sy ? n : 1, in_place = kc_below(k, 3);
    float p[2] = { 0.75f, 1.5f };
    float *x = kc_alloc(k, n_x * sizeof *x, sizeof *x, kc_below(k, 2));
    float *y = kc_alloc(k, n_y * sizeof *x, sizeof *x, kc_below(k, 2));
    float *out = kc_alloc(k, n * sizeof *x, sizeof *x, kc_below(k, 2));
    const float *from_x = x, *from_y = y;
    kc_fill_any(k, x, n_x);
    kc_fill_any(k, y, n_y);
    for (size_t i = 0; i < n_x && n_y; i++) /* make some pairs meet: small integers */
        if (kc_below(k, 4) == 0)
            x[i] = (float)kc_below(k, 7) - 3, y[sy ? i % n_y : 0] = (float)kc_below(k, 7) - 3;
    if (in_place == 1 && sx)
        from_x = memcpy(out, x, n * sizeof *x);
    if (in_place == 2 && sy)
        from_y = memcpy(out, y, n * sizeof *x);
    row->run2(n, from_x, sx, from_y, sy, out, p);
    for (size_t i = 0; i < n && !kc_failed(k); i++) {
        float a = x[sx ? i : 0], b = y[sy ? i : 0];
        double ulp = 0, want = exact2(row->kind, a, b, p, &ulp);
        judge(k, out[i], want, ulp);
        if (kc_failed(k))
            kc_fail(k, "at %a, %a", (double)a, (double)b);
    }
    kc_release(k);
}

static size_t n_rows(void) { return ox_n_uk_elementwise_rows; }
static kc_row row(size_t i)
{
    return (kc_row){ ox_uk_elementwise_rows[i].name, ox_uk_elementwise_rows[i].isa };
}
static void check(kc *k, size_t i)
{
    const ox_uk_elementwise *r = &ox_uk_elementwise_rows[i];
    for (size_t round = 0; round < 8; round++)
        for (size_t l = 0; l < KC_N_LENGTHS && !kc_failed(k); l++)
            (r->run1 ? check_one : check_two)(k, r, kc_lengths[l]);
}

/* ---- bench ---- */

typedef struct call {
    const ox_uk_elementwise *row;
    const float             *x, *y;
    float                   *z;
} call;
enum { N = 16384 };
static void run(void *ctx)
{
    static const float p[2] = { 0.75f, 1.5f };
    const call *c = ctx;
    if (c->row->run1)
        c->row->run1(N, c->x, c->z, p);
    else
        c->row->run2(N, c->x, 1, c->y, 1, c->z, p);
}
static void bench_kind(kc *k, const ox_uk_elementwise *pick, const float *x, const float *y, float *z)
{
    call calls[8];
    size_t n = 0;
    if (!kc_problem(k, N, "elementwise/%s", pick->name + 3))
        return;
    for (size_t i = 0; i < ox_n_uk_elementwise_rows && n < 8; i++) {
        const ox_uk_elementwise *r = &ox_uk_elementwise_rows[i];
        if (r->kind != pick->kind || !r->run1 != !pick->run1 || (r->isa & ~ox_cpu()) != 0)
            continue;
        calls[n] = (call){ r, x, y, z };
        kc_candidate(k, r->name, r == pick, run, &calls[n++]);
    }
    kc_race(k);
}
static void bench(kc *k)
{
    float *x = kc_alloc(k, N * sizeof *x, sizeof *x, false);
    float *y = kc_alloc(k, N * sizeof *x, sizeof *x, false);
    float *z = kc_alloc(k, N * sizeof *x, sizeof *x, false);
    for (size_t i = 0; i < N; i++)
        x[i] = (float)(4 * kc_unit(k)), y[i] = (float)(2 + kc_unit(k));
    for (int f = 0; f < OX_N_LOOP1; f++)
        bench_kind(k, ox_uk_loop1_pick((ox_loop1_kind)f), x, y, z);
    for (int f = 0; f < OX_N_LOOP2; f++)
        bench_kind(k, ox_uk_loop2_pick((ox_loop2_kind)f), x, y, z);
    kc_release(k);
}

const kc_family kc_family_elementwise = { "elementwise", n_rows, row, check, bench };
