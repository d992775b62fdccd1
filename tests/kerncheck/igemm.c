/* kernels/igemm: every row against plain sums, bit by bit, for all sizes of a tile and all ends of
 * a sum. */
#include "kernels/igemm/igemm.h"
#include "tests/kerncheck/kerncheck.h"

#include <math.h>
#include <string.h>

/* The rows of tiles, then those of depthwise pixels. */
static size_t n_rows(void)
{
    return ox_n_uk_igemm_rows + ox_n_uk_idepth_rows;
}
static kc_row row(size_t i)
{
    if (i < ox_n_uk_igemm_rows)
        return (kc_row){ ox_uk_igemm_rows[i].name, ox_uk_igemm_rows[i].isa };
    i -= ox_n_uk_igemm_rows;
    return (kc_row){ ox_uk_idepth_rows[i].name, ox_uk_idepth_rows[i].isa };
}

/* A tile with memory around it, and what the sums are. */
typedef struct trial {
    ox_itile t;
    int32_t *exact; /* m x n */
} trial;

static void bytes(kc *k, uint8_t *x, size_t n, bool extreme)
{
    static const uint8_t ends[] = { 0, 1, 127, 128, 129, 255 };
    for (size_t i = 0; i < n; i++)
        x[i] = extreme ? ends[kc_below(k, OX_COUNT(ends))] : (uint8_t)kc_random(k);
}

/* Panel of B as the contract has it, from n_run * k rows of n. */
static int8_t *panel(kc *k, const trial *s, size_t nr, const uint8_t *b)
{
    size_t groups = (s->t.k + 3) / 4;
    int8_t *to = kc_alloc(k, s->t.n_run * groups * nr * 4, 1, true);
    memset(to, 0, s->t.n_run * groups * nr * 4);
    for (size_t r = 0; r < s->t.n_run; r++)
        for (size_t p = 0; p < s->t.k; p++)
            for (size_t j = 0; j < s->t.n; j++)
                to[((r * groups + p / 4) * nr + j) * 4 + p % 4] =
                    (int8_t)b[(r * s->t.k + p) * s->t.n + j];
    return to;
}

static void make(kc *k, trial *s, const ox_uk_igemm *u, size_t m, size_t n, size_t runs,
                 size_t depth)
{
    size_t mr = (size_t)u->mr, nr = (size_t)u->nr, total = runs * depth;
    bool extreme = kc_below(k, 3) == 0;
    uint8_t *b = kc_alloc(k, total * n, 1, true);
    const uint8_t **at = kc_alloc(k, runs * mr * sizeof *at, sizeof *at, false);
    int32_t *col = kc_alloc(k, nr * sizeof *col, sizeof *col, true),
            *rows = kc_alloc(k, m * sizeof *rows, sizeof *rows, true);
    s->exact = kc_alloc(k, m * n * sizeof *s->exact, sizeof *s->exact, false);
    s->t = (ox_itile){ .m = m, .n = n, .n_run = runs, .k = depth, .a = at, .col = col };
    bytes(k, b, total * n, extreme);
    for (size_t j = 0; j < nr; j++)
        col[j] = (int32_t)(kc_random(k) % 20001) - 10000;
    for (size_t i = 0; i < m; i++)
        rows[i] = (int32_t)(kc_random(k) % 20001) - 10000;
    s->t.row = kc_below(k, 2) ? rows : NULL;
    for (size_t r = 0; r < runs; r++)
        for (size_t i = 0; i < mr; i++) {
            if (i >= m) {
                at[r * mr + i] = at[r * mr + m - 1];
                continue;
            }
            uint8_t *a = kc_alloc(k, depth, 1, kc_below(k, 2));
            bytes(k, a, depth, extreme);
            at[r * mr + i] = a;
        }
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++) {
            int64_t sum = col[j] + (s->t.row ? rows[i] : 0);
            for (size_t r = 0; r < runs; r++)
                for (size_t p = 0; p < depth; p++) {
                    uint8_t a = at[r * mr + i][p];
                    sum +=
                        (u->signed_a ? (int8_t)a : a) * (int64_t)(int8_t)b[(r * depth + p) * n + j];
                }
            s->exact[i * n + j] = (int32_t)(uint32_t)sum;
        }
    s->t.b = panel(k, s, nr, b);
}

static float scaled(const ox_itile *t, int32_t sum, size_t j)
{
    volatile float v = (float)sum * t->mul[j]; /* no fused multiply-add */
    v = v + t->add[j];
    v = v > t->lo ? v : t->lo;
    return v < t->hi ? v : t->hi;
}

static void judge(kc *k, const trial *s)
{
    const ox_itile *t = &s->t;
    for (size_t i = 0; i < t->m; i++)
        for (size_t j = 0; j < t->n && !kc_failed(k); j++) {
            size_t at = i * t->ldc + j;
            int32_t sum = s->exact[i * t->n + j];
            if (t->out == OX_IOUT_I32 && ((int32_t *)t->c)[at] != sum)
                kc_fail(k, "m %zu n %zu k %zux%zu: [%zu,%zu] is %d, expected %d", t->m, t->n,
                        t->n_run, t->k, i, j, ((int32_t *)t->c)[at], sum);
            if (t->out == OX_IOUT_F32) {
                float want = scaled(t, sum, j), is = ((float *)t->c)[at];
                if (memcmp(&want, &is, sizeof is) != 0)
                    kc_fail(k, "m %zu n %zu k %zux%zu: [%zu,%zu] is %a, expected %a", t->m, t->n,
                            t->n_run, t->k, i, j, (double)is, (double)want);
            }
            if (t->out == OX_IOUT_8) {
                uint8_t want = (uint8_t)((int32_t)nearbyintf(scaled(t, sum, j)) + t->zero),
                        is = ((uint8_t *)t->c)[at];
                want = t->table ? t->table[want] : want;
                if (want != is)
                    kc_fail(k, "m %zu n %zu k %zux%zu: [%zu,%zu] is %u, expected %u", t->m, t->n,
                            t->n_run, t->k, i, j, is, want);
            }
        }
}

/* An epilogue, and memory for its results. */
static void set_out(kc *k, trial *s, const ox_uk_igemm *u, ox_iout out)
{
    size_t nr = (size_t)u->nr, size = out == OX_IOUT_8 ? 1 : 4;
    float *mul = kc_alloc(k, nr * sizeof *mul, sizeof *mul, true),
          *add = kc_alloc(k, nr * sizeof *add, sizeof *add, true);
    uint8_t *table = kc_alloc(k, 256, 1, true);
    bytes(k, table, 256, false);
    /* small powers of two make ties */
    float scale = kc_below(k, 2) ? 0x1p-9f : (float)(0.01 * kc_unit(k));
    for (size_t j = 0; j < nr; j++) {
        mul[j] = kc_below(k, 50) ? scale : (float)NAN;
        add[j] = kc_below(k, 2) ? 0 : (float)(20 * kc_unit(k));
    }
    bool is_signed = kc_below(k, 2);
    s->t.zero = (int32_t)kc_below(k, 256) - (is_signed ? 128 : 0);
    s->t.lo = (float)((is_signed ? -128 : 0) - s->t.zero);
    s->t.hi = (float)((is_signed ? 127 : 255) - s->t.zero);
    s->t.table = kc_below(k, 2) ? table : NULL;
    s->t.mul = mul;
    s->t.add = add;
    s->t.out = out;
    s->t.ldc = s->t.n; /* canaries follow the last element */
    s->t.c = kc_alloc(k, s->t.m * s->t.n * size, size, true);
}

static void check_one(kc *k, const ox_uk_igemm *u, size_t m, size_t n, size_t runs, size_t depth)
{
    trial s;
    make(k, &s, u, m, n, runs, depth);
    for (int out = OX_IOUT_I32; out <= OX_IOUT_8; out++) {
        set_out(k, &s, u, (ox_iout)out);
        u->fn(&s.t);
        judge(k, &s);
    }
    kc_release(k);
}

/* A depthwise pixel is a row whose columns have inputs of their own: judged as a tile of m pixels.
 */
static void check_depth(kc *k, const ox_uk_idepth *u, size_t n, size_t pixels, size_t groups)
{
    ox_uk_igemm plain = { .mr = 1, .nr = (int)n };
    trial s = { .t = { .m = pixels, .n = n, .n_run = 1, .k = 4 * groups } };
    size_t taps = 4 * groups;
    int8_t *w = kc_alloc(k, groups * n * 4, 1, true);
    const uint8_t **at = kc_alloc(k, pixels * taps * sizeof *at, sizeof *at, false);
    int32_t *col = kc_alloc(k, n * sizeof *col, sizeof *col, true);
    bool extreme = kc_below(k, 3) == 0;
    s.exact = kc_alloc(k, pixels * n * sizeof *s.exact, sizeof *s.exact, false);
    s.t.col = col;
    bytes(k, (uint8_t *)w, groups * n * 4, extreme);
    for (size_t i = 0; i < pixels * taps; i++) {
        uint8_t *a = kc_alloc(k, n, 1, kc_below(k, 2));
        bytes(k, a, n, extreme);
        at[i] = a;
    }
    size_t missing = kc_below(k, 4);
    for (size_t i = 0; i < n * missing; i++)
        w[((groups - 1) * n + i / missing) * 4 + 3 - i % missing] = 0;
    for (size_t c = 0; c < n; c++) {
        col[c] = (int32_t)(kc_random(k) % 20001) - 10000;
        for (size_t i = 0; i < pixels; i++) {
            s.exact[i * n + c] = col[c];
            for (size_t t = 0; t < taps; t++)
                s.exact[i * n + c] += at[i * taps + t][c] * w[(t / 4 * n + c) * 4 + t % 4];
        }
    }
    for (int out = OX_IOUT_I32; out <= OX_IOUT_8; out++) {
        set_out(k, &s, &plain, (ox_iout)out);
        ox_idepth d = { .n = n,
                        .n_pixel = pixels,
                        .n_tap = taps - missing,
                        .n_group = groups,
                        .a = at,
                        .w = w,
                        .col = col,
                        .out = s.t.out,
                        .mul = s.t.mul,
                        .add = s.t.add,
                        .lo = s.t.lo,
                        .hi = s.t.hi,
                        .zero = s.t.zero,
                        .table = s.t.table,
                        .c = s.t.c,
                        .ldc = s.t.ldc };
        u->fn(&d);
        judge(k, &s);
    }
    kc_release(k);
}

static void check(kc *k, size_t i)
{
    if (i >= ox_n_uk_igemm_rows) {
        for (size_t n = 1; n < 200 && !kc_failed(k); n += 1 + kc_below(k, 9))
            check_depth(k, &ox_uk_idepth_rows[i - ox_n_uk_igemm_rows], n, 1 + kc_below(k, 3),
                        1 + kc_below(k, 4));
        return;
    }
    const ox_uk_igemm *u = &ox_uk_igemm_rows[i];
    size_t mr = (size_t)u->mr, nr = (size_t)u->nr;
    for (size_t m = 1; m <= mr; m++)
        for (size_t n = 1; n <= nr && !kc_failed(k); n += 1 + kc_below(k, 5))
            check_one(k, u, m, n, 1 + kc_below(k, 3), 1 + kc_below(k, 21));
    for (size_t depth = 1; depth < 40 && !kc_failed(k); depth++)
        check_one(k, u, 1 + kc_below(k, mr), nr - kc_below(k, nr), 1 + kc_below(k, 2), depth);
    check_one(k, u, mr, nr, 9, 512);
}

/* ---- bench ---- */

enum { ROWS = 48 };
typedef struct call {
    const ox_uk_igemm *u;
    ox_itile t;
    const uint8_t *rows[ROWS + OX_IGEMM_MR];
} call;

static void run(void *ctx)
{
    call *c = ctx;
    for (size_t i = 0; i < ROWS; i += (size_t)c->u->mr)
        for (size_t j = 0; j < 64; j += (size_t)c->u->nr) {
            ox_itile t = c->t;
            t.a = c->rows + i;
            t.c = (uint8_t *)c->t.c + i * 64 + j;
            t.b = c->t.b + j * 4 * (c->t.k / 4);
            c->u->fn(&t);
        }
}

static void bench(kc *k)
{
    static const size_t depths[] = { 16, 64, 256, 1024 };
    uint8_t *a = kc_alloc(k, ROWS * 1024, 64, false), *b = kc_alloc(k, 64 * 1024, 64, false);
    uint8_t *y = kc_alloc(k, ROWS * 64, 64, false);
    int32_t *col = kc_alloc(k, 64 * sizeof *col, 64, false);
    float *mul = kc_alloc(k, 64 * sizeof *mul, 64, false);
    bytes(k, a, ROWS * 1024, false);
    bytes(k, b, 64 * 1024, false);
    memset(col, 0, 64 * sizeof *col);
    for (int j = 0; j < 64; j++)
        mul[j] = 1e-4f;
    for (size_t d = 0; d < OX_COUNT(depths); d++) {
        call calls[8];
        const ox_uk_igemm *pick = ox_uk_igemm_pick(ox_cpu());
        if (!kc_problem(k, 2.0 * ROWS * 64 * (double)depths[d], "igemm/m48n64k%zu", depths[d]))
            continue;
        for (size_t i = 0, n = 0; i < ox_n_uk_igemm_rows && n < 8; i++) {
            const ox_uk_igemm *u = &ox_uk_igemm_rows[i];
            if (u->isa & ~ox_cpu())
                continue;
            calls[n].u = u;
            calls[n].t = (ox_itile){ .m = (size_t)u->mr,
                                     .n = (size_t)u->nr,
                                     .n_run = 1,
                                     .k = depths[d],
                                     .b = (const int8_t *)b,
                                     .col = col,
                                     .out = OX_IOUT_8,
                                     .mul = mul,
                                     .add = mul,
                                     .lo = -128,
                                     .hi = 127,
                                     .c = y,
                                     .ldc = 64 };
            for (size_t r = 0; r < ROWS + OX_IGEMM_MR; r++)
                calls[n].rows[r] = a + OX_MIN(r, (size_t)ROWS - 1) * depths[d];
            kc_candidate(k, u->name, u == pick, run, &calls[n++]);
        }
        kc_race(k);
    }
    kc_release(k);
}

const kc_family kc_family_igemm = { "igemm", n_rows, row, check, bench };
