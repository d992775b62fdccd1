/* kernels/math: every function at every level against libm's double, on any floats, any alignment, in
 * place; and the same bits wherever an element stands.  `make accuracy` looks at all floats. */
#include "kernels/math/ukernels.h"
#include "tests/kerncheck/floats.h"

static double exact(ox_math fn, double x, double *ulp)
{
    switch (fn) {
#define FN(name, bound, expr)                                                                      \
    case OX_MATH_##name:                                                                           \
        *ulp = bound;                                                                              \
        return expr;
#include "kernels/math/functions.def"
#undef FN
    default:
        return NAN;
    }
}

static void check_length(kc *k, const ox_uk_math *row, size_t n)
{
    bool in_place = kc_below(k, 2);
    float *x = kc_alloc(k, n * sizeof *x, sizeof *x, kc_below(k, 2));
    float *out = kc_alloc(k, n * sizeof *x, sizeof *x, kc_below(k, 2));
    float *alone = kc_alloc(k, n * sizeof *x, sizeof *x, false);
    kc_fill_any(k, x, n);
    if (in_place)
        memcpy(out, x, n * sizeof *x);
    row->run(n, in_place ? out : x, out);
    for (size_t i = 0; i < n; i++) {
        double ulp = 0, want = exact(row->fn, x[i], &ulp);
        kc_near(k, out[i], want, ulp, 0);
        if (kc_failed(k))
            kc_fail(k, "at %a", (double)x[i]);
        row->run(1, x + i, alone + i);
    }
    if (memcmp(out, alone, n * sizeof *x) != 0)
        kc_fail(k, "bits depend on the place in the array (n %zu)", n);
    kc_release(k);
}

static size_t n_rows(void) { return ox_n_uk_math_rows; }
static kc_row row(size_t i) { return (kc_row){ ox_uk_math_rows[i].name, ox_uk_math_rows[i].isa }; }
static void check(kc *k, size_t i)
{
    for (size_t round = 0; round < 4; round++)
        for (size_t l = 0; l < KC_N_LENGTHS && !kc_failed(k); l++)
            check_length(k, &ox_uk_math_rows[i], kc_lengths[l]);
}

/* ---- bench ---- */

typedef struct call {
    const ox_uk_math *row;
    const float      *x;
    float            *y;
} call;
enum { N = 16384 };
static void run(void *ctx)
{
    const call *c = ctx;
    c->row->run(N, c->x, c->y);
}
static void bench(kc *k)
{
    float *x = kc_alloc(k, N * sizeof *x, sizeof *x, false);
    float *y = kc_alloc(k, N * sizeof *x, sizeof *x, false);
    for (size_t i = 0; i < N; i++)
        x[i] = (float)(4 * kc_unit(k));
    for (int f = 0; f < OX_N_MATH; f++) {
        const ox_uk_math *pick = ox_uk_math_pick((ox_math)f);
        call calls[8];
        size_t n = 0;
        if (!kc_problem(k, N, "math/%s", pick->name + 3))
            continue;
        for (size_t i = 0; i < ox_n_uk_math_rows && n < 8; i++) {
            const ox_uk_math *r = &ox_uk_math_rows[i];
            if (r->fn != (ox_math)f || (r->isa & ~ox_cpu()) != 0)
                continue;
            calls[n] = (call){ r, x, y };
            kc_candidate(k, r->name, r == pick, run, &calls[n++]);
        }
        kc_race(k);
    }
    kc_release(k);
}

const kc_family kc_family_math = { "math", n_rows, row, check, bench };
