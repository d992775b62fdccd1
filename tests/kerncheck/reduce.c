/* kernels/reduce: rows and columns against long double, with as much error as double sums may have.
 */
#include "kernels/reduce/reduce.h"
#include "tests/kerncheck/floats.h"

typedef struct result {
    long double value, mag; /* mag: what the error of a double sum is proportional to */
} result;

static result reduce(ox_reduction kind, size_t n, const float *x, size_t stride, double start)
{
    result r = { start, fabsl(start) };
    for (size_t i = 0; i < n; i++) {
        long double v = x[i * stride], a = r.value;
        switch (kind) {
        case OX_REDUCE_sum:
            r.value += v, r.mag += fabsl(v);
            break;
        case OX_REDUCE_sum_abs:
            r.value += fabsl(v), r.mag = r.value;
            break;
        case OX_REDUCE_sum_square:
            r.value += v * v, r.mag = r.value;
            break;
        case OX_REDUCE_prod:
            r.value *= v, r.mag = fabsl(r.value);
            break;
        case OX_REDUCE_max:
            r.value = isnan(a) || isnan(v) ? NAN : v > a ? v : a, r.mag = 0;
            break;
        default:
            r.value = isnan(a) || isnan(v) ? NAN : v < a ? v : a, r.mag = 0;
        }
    }
    return r;
}

static void judge(kc *k, double y, result want, size_t n)
{
    kc_compare(k, y, (double)want.value, (double)want.mag * 0x1p-52 * (double)(n + 1), 0, true);
    if (kc_failed(k))
        kc_fail(k, "n %zu", n);
}

static void fill(kc *k, ox_reduction kind, float *x, size_t n)
{
    kc_fill_f32(k, x, n, (kc_values)kc_below(k, KC_N_VALUES));
    for (size_t i = 0; kind == OX_REDUCE_prod && i < n; i++) /* no overflow on the way */
        x[i] = (float)(1 + 0.5 * kc_unit(k));
}

static void check_row(kc *k, const ox_uk_reduce_row *r, size_t n)
{
    float *x = kc_alloc(k, n * sizeof *x, sizeof *x, kc_below(k, 2));
    fill(k, r->kind, x, n);
    judge(k, r->row(n, x), reduce(r->kind, n, x, 1, ox_reduce_start[r->kind]), n);
    kc_release(k);
}
static void check_cols(kc *k, const ox_uk_reduce_row *r, size_t rows, size_t cols)
{
    size_t ld = cols + kc_below(k, 4), n = rows ? (rows - 1) * ld + cols : 0;
    float *x = kc_alloc(k, n * sizeof *x, sizeof *x, kc_below(k, 2));
    double *acc = kc_alloc(k, cols * sizeof *acc, sizeof *acc, kc_below(k, 2));
    double first = kc_below(k, 2) ? ox_reduce_start[r->kind] : 0.75;
    fill(k, r->kind, x, n);
    for (size_t j = 0; j < cols; j++)
        acc[j] = first;
    r->cols(rows, cols, x, ld, acc);
    for (size_t j = 0; j < cols; j++)
        judge(k, acc[j], reduce(r->kind, rows, x + j, ld, first), rows);
    kc_release(k);
}

static void check_runs(kc *k, const ox_uk_reduce_row *r, size_t m, size_t n)
{
    float *x = kc_alloc(k, m * n * sizeof *x, sizeof *x, kc_below(k, 2));
    double *acc = kc_alloc(k, m * sizeof *acc, sizeof *acc, kc_below(k, 2));
    double first = kc_below(k, 2) ? ox_reduce_start[r->kind] : 0.75;
    fill(k, r->kind, x, m * n);
    for (size_t j = 0; j < m; j++)
        acc[j] = first;
    r->runs(m, n, x, acc);
    for (size_t j = 0; j < m; j++)
        judge(k, acc[j], reduce(r->kind, n, x + j * n, 1, first), n);
    kc_release(k);
}

static size_t n_rows(void) { return ox_n_uk_reduce_rows; }
static kc_row row(size_t i)
{
    return (kc_row){ ox_uk_reduce_rows[i].name, ox_uk_reduce_rows[i].isa };
}
static void check(kc *k, size_t i)
{
    const ox_uk_reduce_row *r = &ox_uk_reduce_rows[i];
    for (size_t round = 0; round < 4; round++)
        for (size_t l = 0; l < KC_N_LENGTHS && !kc_failed(k); l++) {
            check_row(k, r, kc_lengths[l]);
            check_cols(k, r, kc_below(k, 40), kc_lengths[l]);
            check_runs(k, r, kc_below(k, 10), kc_lengths[l]);
        }
    check_row(k, r, 1000003);
}

/* ---- bench ---- */

typedef struct call {
    const ox_uk_reduce_row *row;
    const float            *x;
    double                 *acc;
} call;
enum { N = 16384, COLS = 256 };
static void run_row(void *ctx)
{
    const call *c = ctx;
    c->acc[0] = c->row->row(N, c->x);
}
static void run_cols(void *ctx)
{
    const call *c = ctx;
    c->row->cols(N / COLS, COLS, c->x, COLS, c->acc);
}
static void run_runs(void *ctx)
{
    const call *c = ctx;
    c->row->runs(COLS, N / COLS, c->x, c->acc);
}
static void bench(kc *k)
{
    static void (*const run[])(void *) = { run_row, run_cols, run_runs };
    static const char *const how[] = { "", "/cols", "/runs" };
    float *x = kc_alloc(k, N * sizeof *x, sizeof *x, false);
    double *acc = kc_alloc(k, COLS * sizeof *acc, sizeof *acc, false);
    kc_fill_f32(k, x, N, KC_NORMAL);
    memset(acc, 0, COLS * sizeof *acc);
    for (int f = 0; f < 3 * OX_N_REDUCTIONS; f++) {
        const ox_uk_reduce_row *pick = ox_uk_reduce_pick((ox_reduction)(f / 3));
        call calls[8];
        size_t n = 0;
        if (!kc_problem(k, N, "reduce/%s%s", pick->name + 3, how[f % 3]))
            continue;
        for (size_t i = 0; i < ox_n_uk_reduce_rows && n < 8; i++) {
            const ox_uk_reduce_row *r = &ox_uk_reduce_rows[i];
            if (r->kind != pick->kind || (r->isa & ~ox_cpu()) != 0)
                continue;
            calls[n] = (call){ r, x, acc };
            kc_candidate(k, r->name, r == pick, run[f % 3], &calls[n++]);
        }
        kc_race(k);
    }
    kc_release(k);
}

const kc_family kc_family_reduce = { "reduce", n_rows, row, check, bench };
