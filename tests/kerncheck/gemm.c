/* gemm's rows and its driver.  Oracle: sums in double, or in long double for the f64 rows. */
#include "kernels/gemm/gemm.h"
#include "tests/kerncheck/kerncheck.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static double get(const void *x, size_t i, bool f64)
{
    return f64 ? ((const double *)x)[i] : (double)((const float *)x)[i];
}

/* |error| <= (n + 3) u mag, and half a subnormal a rounding */
static double bound(size_t n, long double mag, bool f64)
{
    double u = f64 ? DBL_EPSILON / 2 : FLT_EPSILON / 2, tiny = f64 ? 0x1p-1074 : 0x1p-149;
    return (double)(n + 3) * (u * (double)mag + tiny);
}

/* Sum over p of a[p * sa] * b[p * sb], or * b[off[p]], and of the terms' magnitudes.  Wider than
 * double only where double would not do: long double is slow on machines that emulate it. */
typedef struct sum {
    long double y, mag;
} sum;

static sum dot(const void *a, size_t sa, const void *b, size_t sb, const int32_t *off, size_t k,
               bool f64)
{
    sum s = { 0, 0 };
    double y = 0, mag = 0;
    for (size_t p = 0; p < k; p++) {
        size_t ib = off ? (size_t)off[p] : p * sb;
        if (f64) {
            long double t = (long double)((const double *)a)[p * sa] * ((const double *)b)[ib];
            s.y += t, s.mag += fabsl(t);
        } else {
            double t = (double)((const float *)a)[p * sa] * ((const float *)b)[ib];
            y += t, mag += fabs(t);
        }
    }
    return f64 ? s : (sum){ y, mag };
}

static const void *at(const void *x, size_t i, bool f64)
{
    return (const char *)x + i * (f64 ? 8 : 4);
}

/* act(alpha * sum + beta * d + bias), and the magnitude of its terms */
typedef struct value {
    double y;
    long double mag;
} value;

static value finish(sum s, double d, double b_row, double b_col, const ox_tile *t)
{
    value v = { (double)(s.y * t->alpha + (long double)t->beta * d + b_row + b_col),
                s.mag * fabsl(t->alpha) + fabs(t->beta * d) + fabs(b_row) + fabs(b_col) };
    if (v.y < 0 && t->slope != 1)
        v.y *= t->slope;
    v.y = v.y < t->lo ? t->lo : v.y;
    v.y = v.y > t->hi ? t->hi : v.y;
    return v;
}

/* ---- micro-kernels ---- */

static void check_tile(kc *k, const ox_uk_gemm *row, size_t m, size_t n, size_t depth)
{
    bool f64 = row->f64, gather = row->kind == OX_UK_GATHER, odd = kc_below(k, 2);
    size_t e = f64 ? 8 : 4, nr = (size_t)row->nr;
    kc_values values = (kc_values)kc_below(k, KC_N_VALUES);
    bool by_rows = !gather && kc_below(k, 2);
    ox_tile t = { OX_TILE_INIT, .m = m, .n = n, .k = depth };
    int32_t *off = kc_alloc(k, (depth + 1) * sizeof *off, sizeof *off, false);

    t.rs_a = by_rows ? depth + kc_below(k, 3) : 1;
    t.cs_a = by_rows ? 1 : m + kc_below(k, 2);
    t.ldb = (row->exact ? n : nr) + kc_below(k, 5);
    t.ldc = n + kc_below(k, 9);
    t.ldd = n + kc_below(k, 9);
    size_t n_a = (m - 1) * t.rs_a + (depth ? (depth - 1) * t.cs_a : 0) + 1,
           n_b = depth ? (depth - 1) * t.ldb + (row->exact ? n : nr) : 0;
    size_t n_c = (m - 1) * t.ldc + n, n_d = (m - 1) * t.ldd + n;
    void *a = kc_alloc(k, n_a * e, e, odd), *b = kc_alloc(k, n_b * e, e, odd);
    void *c = kc_alloc(k, n_c * e, e, odd), *was = kc_alloc(k, n_c * e, e, false);
    void *d = kc_alloc(k, n_d * e, e, odd), *row_bias = kc_alloc(k, m * e, e, odd);
    void *col_bias = kc_alloc(k, n * e, e, odd);
    kc_fill(k, a, n_a, f64, values);
    kc_fill(k, b, n_b, f64, values == KC_SPECIAL ? KC_NORMAL : values);
    kc_fill(k, c, n_c, f64, KC_NORMAL);
    kc_fill(k, d, n_d, f64, KC_NORMAL);
    kc_fill(k, row_bias, m, f64, KC_NORMAL);
    kc_fill(k, col_bias, n, f64, KC_NORMAL);
    memcpy(was, c, n_c * e);
    for (size_t p = 0; p < depth; p++)
        off[p] = (int32_t)(kc_below(k, depth) * t.ldb);
    t.a = a, t.b = b, t.c = c;
    t.off = gather ? off : NULL;
    switch (kc_below(k, 3)) {
    case 0:
        t.d = d;
        break;
    case 1:
        t.d = c, t.ldd = t.ldc, d = was;
        break;
    default:
        d = NULL;
    }
    t.bias_row = kc_below(k, 2) ? row_bias : NULL;
    t.bias_col = kc_below(k, 3) == 0 ? col_bias : NULL;
    if (kc_below(k, 2))
        t.alpha = -0.75, t.beta = 1.5;
    else
        t.run = kc_below(k, depth + 2);
    if (kc_below(k, 2))
        t.lo = -0.25, t.hi = 2;
    if (kc_below(k, 4) == 0)
        t.slope = 0.125;
    row->fn(&t);

    for (size_t i = 0; i < m; i++) {
        for (size_t j = 0; j < n; j++) {
            sum s = dot(at(a, i * t.rs_a, f64), t.cs_a, at(b, j, f64), t.ldb, t.off, depth, f64);
            value v = finish(s, d ? get(d, i * t.ldd + j, f64) : 0,
                             t.bias_row ? get(row_bias, i, f64) : 0,
                             t.bias_col ? get(col_bias, j, f64) : 0, &t);
            kc_compare(k, get(c, i * t.ldc + j, f64), v.y, bound(depth + 1, v.mag, f64), v.mag,
                       f64);
        }
        for (size_t j = n; j < t.ldc && i + 1 < m; j++) /* between rows nothing is written */
            if (get(c, i * t.ldc + j, f64) != get(was, i * t.ldc + j, f64))
                kc_fail(k, "wrote past row %zu of a %zu x %zu tile", i, m, n);
    }
    if (kc_failed(k))
        kc_fail(k, "m %zu n %zu k %zu", m, n, depth);
    kc_release(k);
}

static void check_gemv_n(kc *k, const ox_uk_gemm *row, size_t n, size_t depth, bool packed, double beta)
{
    bool f64 = row->f64, odd = kc_below(k, 2);
    size_t e = f64 ? 8 : 4, nr = (size_t)row->nr, panels = (n + nr - 1) / nr;
    kc_values values = (kc_values)kc_below(k, KC_N_VALUES);
    ox_tile t = { .m = 1, .n = n, .k = depth, .cs_a = 1 + kc_below(k, 3), .beta = beta };
    t.ldb = packed ? nr : n + kc_below(k, 3);
    t.ldd = packed ? nr * depth : nr;
    size_t n_b = packed ? panels * nr * depth : depth ? (depth - 1) * t.ldb + n : 0;
    void *a = kc_alloc(k, (depth * t.cs_a + 1) * e, e, odd), *b = kc_alloc(k, n_b * e, e, odd);
    void *c = kc_alloc(k, n * e, e, odd), *was = kc_alloc(k, n * e, e, odd);
    kc_fill(k, a, depth * t.cs_a, f64, values);
    kc_fill(k, b, n_b, f64, values == KC_SPECIAL ? KC_NORMAL : values);
    kc_fill(k, c, n, f64, KC_NORMAL);
    memcpy(was, c, n * e);
    t.a = a, t.b = b, t.c = c;
    row->fn(&t);
    for (size_t j = 0; j < n; j++) {
        double add = t.beta != 0 ? get(was, j, f64) : 0;
        sum s = dot(a, t.cs_a, at(b, j / nr * t.ldd + j % nr, f64), t.ldb, NULL, depth, f64);
        s = (sum){ s.y + add, s.mag + fabs(add) };
        kc_compare(k, get(c, j, f64), (double)s.y, bound(depth, s.mag, f64), s.mag, f64);
    }
    kc_release(k);
}

static void check_gemv_t(kc *k, const ox_uk_gemm *row, size_t m, size_t depth)
{
    bool f64 = row->f64, odd = kc_below(k, 2);
    size_t e = f64 ? 8 : 4, ld = depth + kc_below(k, 3), n_a = m ? (m - 1) * ld + depth : 0;
    kc_values values = (kc_values)kc_below(k, KC_N_VALUES);
    ox_tile t = { .m = m, .n = 1, .k = depth, .rs_a = ld, .beta = (double)kc_below(k, 2) };
    void *a = kc_alloc(k, n_a * e, e, odd), *b = kc_alloc(k, depth * e, e, odd);
    void *c = kc_alloc(k, m * e, e, odd), *was = kc_alloc(k, m * e, e, odd);
    kc_fill(k, a, n_a, f64, values == KC_SPECIAL ? KC_NORMAL : values);
    kc_fill(k, b, depth, f64, values);
    kc_fill(k, c, m, f64, KC_NORMAL);
    memcpy(was, c, m * e);
    t.a = a, t.b = b, t.c = c;
    row->fn(&t);
    for (size_t i = 0; i < m; i++) {
        double add = t.beta != 0 ? get(was, i, f64) : 0;
        sum s = dot(at(a, i * ld, f64), 1, b, 1, NULL, depth, f64);
        s = (sum){ s.y + add, s.mag + fabs(add) };
        kc_compare(k, get(c, i, f64), (double)s.y, bound(depth, s.mag, f64), s.mag, f64);
    }
    kc_release(k);
}

static void check_pack(kc *k, const ox_uk_gemm *row, size_t n, size_t ldc, size_t depth)
{
    bool f64 = row->f64, odd = kc_below(k, 2);
    size_t e = f64 ? 8 : 4, ld = depth + kc_below(k, 3);
    size_t n_b = n ? (n - 1) * ld + depth : 0;
    void *b = kc_alloc(k, n_b * e, e, odd), *c = kc_alloc(k, depth * ldc * e, e, odd);
    kc_fill(k, b, n_b, f64, KC_WIDE);
    row->fn(&(ox_tile){ .n = n, .k = depth, .b = b, .ldb = ld, .c = c, .ldc = ldc });
    for (size_t p = 0; p < depth; p++)
        for (size_t j = 0; j < ldc; j++)
            if (get(c, p * ldc + j, f64) != (j < n ? get(b, j * ld + p, f64) : 0))
                kc_fail(k, "element %zu of row %zu, n %zu ldc %zu k %zu", j, p, n, ldc, depth);
    kc_release(k);
}

static void check_row(kc *k, const ox_uk_gemm *row)
{
    static const size_t depths[] = { 0, 1, 2, 3, 7, 16, 31, 32, 33, 64, 97, 320 };
    static const size_t sizes[] = { 1, 2, 3, 7, 8, 15, 16, 17, 31, 32, 33, 63, 127, 128, 131, 263 };
    size_t mr = (size_t)row->mr, nr = (size_t)row->nr;
    for (size_t d = 0; d < OX_COUNT(depths) && !kc_failed(k); d++) {
        size_t depth = depths[d];
        switch (row->kind) {
        case OX_UK_GEMM:
        case OX_UK_GATHER:
            for (size_t m = 1; m <= mr; m++)
                for (size_t n = 1; n <= nr; n++)
                    if (n == 1 || n >= nr - 1 || m == mr || kc_below(k, 4) == 0)
                        check_tile(k, row, m, n, depth);
            break;
        case OX_UK_GEMV_N:
            for (size_t i = 0; i < OX_COUNT(sizes); i++)
                for (int way = 0; way < 4; way++)
                    check_gemv_n(k, row, sizes[i], depth, way & 1, way >> 1);
            break;
        case OX_UK_GEMV_T:
            for (size_t i = 0; i < 11; i++)
                check_gemv_t(k, row, i, depth);
            break;
        case OX_UK_PACK_T:
            for (size_t ldc = 1; ldc <= nr; ldc++)
                check_pack(k, row, kc_below(k, ldc + 1), ldc, depth);
            break;
        }
    }
}

/* ---- the driver ---- */

typedef struct call {
    ox_gemm_plan plan;
    ox_gemm_args args;
    void *a, *b, *c, *d, *packed_a, *packed_b, *bias_row, *bias_col, *scratch;
    size_t n_c;
    ox_pool *pool;
} call;

static void halve(size_t n, const void *x, void *y, const void *params)
{
    bool f64 = *(const bool *)params;
    for (size_t i = 0; i < n; i++)
        if (f64)
            ((double *)y)[i] = ((const double *)x)[i] / 2;
        else
            ((float *)y)[i] = ((const float *)x)[i] / 2;
}

static void make_call(kc *k, call *w, uint32_t isa, bool f64, size_t m, size_t n, size_t depth,
                      size_t batch)
{
    static const bool types[2] = { false, true };
    size_t e = f64 ? 8 : 4;
    bool odd = kc_below(k, 2);
    *w = (call){ .plan = { .m = m, .n = n, .k = depth, .f64 = f64 } };
    ox_gemm_plan *p = &w->plan;
    p->trans_a = kc_below(k, 2), p->trans_b = kc_below(k, 2);
    p->packed_a = kc_below(k, 3) == 0, p->packed_b = kc_below(k, 3) == 0;
    ox_gemm_choose(p, isa);

    size_t lda = (p->trans_a ? m : depth) + kc_below(k, 4),
           ldb = (p->trans_b ? depth : n) + kc_below(k, 4);
    size_t ldc = n + kc_below(k, 4), ldd = n + kc_below(k, 4);
    size_t n_a = (p->trans_a ? depth : m) * lda, n_b = (p->trans_b ? n : depth) * ldb;
    w->n_c = m * ldc;
    w->a = kc_alloc(k, batch * n_a * e, e, odd);
    w->b = kc_alloc(k, batch * n_b * e, e, odd);
    w->c = kc_alloc(k, batch * w->n_c * e, e, odd);
    w->d = kc_alloc(k, batch * m * ldd * e, e, odd);
    w->bias_row = kc_alloc(k, m * e, e, odd);
    w->bias_col = kc_alloc(k, n * e, e, odd);
    w->packed_a = kc_alloc(k, batch * ox_gemm_pack_a_bytes(p), e, false);
    w->packed_b = kc_alloc(k, batch * ox_gemm_pack_b_bytes(p), e, false);
    w->scratch = kc_alloc(k, ox_gemm_scratch_bytes(p, 8), e, false);
    kc_fill(k, w->a, batch * n_a, f64, KC_NORMAL);
    kc_fill(k, w->b, batch * n_b, f64, KC_NORMAL);
    kc_fill(k, w->c, batch * w->n_c, f64, KC_SPECIAL);
    kc_fill(k, w->d, batch * m * ldd, f64, KC_NORMAL);
    kc_fill(k, w->bias_row, m, f64, KC_NORMAL);
    kc_fill(k, w->bias_col, n, f64, KC_NORMAL);
    for (size_t q = 0; q < batch; q++) {
        ox_gemm_pack_a(p, (char *)w->a + q * n_a * e, lda,
                       (char *)w->packed_a + q * ox_gemm_pack_a_bytes(p));
        ox_gemm_pack_b(p, (char *)w->b + q * n_b * e, ldb,
                       (char *)w->packed_b + q * ox_gemm_pack_b_bytes(p));
    }
    w->args = (ox_gemm_args){
        .a = p->packed_a ? w->packed_a : w->a,
        .b = p->packed_b ? w->packed_b : w->b,
        .c = w->c,
        .lda = lda,
        .ldb = ldb,
        .ldc = ldc,
        .batch = batch,
        .stride_a = p->packed_a ? ox_gemm_pack_a_bytes(p) : n_a,
        .stride_b = p->packed_b ? ox_gemm_pack_b_bytes(p) : n_b,
        .stride_c = w->n_c,
        .stride_residual = m * ldd,
    };
    ox_epilogue *ep = &w->args.ep;
    ep->bias_row = kc_below(k, 2) ? w->bias_row : NULL;
    ep->bias_col = kc_below(k, 2) ? w->bias_col : NULL;
    if (kc_below(k, 2))
        ep->residual = w->d, ep->ld_residual = ldd, ep->residual_scale = kc_below(k, 2) ? 0 : -2;
    w->args.alpha = kc_below(k, 2) ? 0 : 0.5;
    ep->act = (ox_act)kc_below(k, 4);
    ep->lo = -0.5, ep->hi = 4, ep->slope = 0.25;
    ep->map = halve, ep->params = &types[f64];
}

static void judge_call(kc *k, const call *w, size_t batch)
{
    const ox_gemm_plan *p = &w->plan;
    const ox_epilogue *ep = &w->args.ep;
    ox_tile t = { OX_TILE_INIT };
    t.alpha = w->args.alpha == 0 ? 1 : w->args.alpha;
    if (ep->act == OX_ACT_CLAMP)
        t.lo = ep->lo, t.hi = ep->hi;
    if (ep->act == OX_ACT_LEAKY)
        t.slope = ep->slope;
    t.beta = ep->residual_scale == 0 ? 1 : ep->residual_scale;
    size_t lda = w->args.lda, ldb = w->args.ldb;
    size_t n_a = (p->trans_a ? p->k : p->m) * lda, n_b = (p->trans_b ? p->n : p->k) * ldb;
    for (size_t q = 0; q < batch; q++)
        for (size_t i = 0; i < p->m; i++)
            for (size_t j = 0; j < p->n; j++) {
                size_t at_a = q * n_a + (p->trans_a ? i : i * lda);
                size_t at_b = q * n_b + (p->trans_b ? j * ldb : j);
                sum s = dot(at(w->a, at_a, p->f64), p->trans_a ? lda : 1, at(w->b, at_b, p->f64),
                            p->trans_b ? 1 : ldb, NULL, p->k, p->f64);
                size_t at_d = q * w->args.stride_residual + i * ep->ld_residual + j;
                value v = finish(s, ep->residual ? get(w->d, at_d, p->f64) : 0,
                                 ep->bias_row ? get(w->bias_row, i, p->f64) : 0,
                                 ep->bias_col ? get(w->bias_col, j, p->f64) : 0, &t);
                v.y = ep->act == OX_ACT_MAP ? v.y / 2 : v.y;
                size_t depth = OX_MIN(p->k, OX_GEMM_KC) + p->k / OX_GEMM_KC + 1;
                kc_compare(k, get(w->c, q * w->n_c + i * w->args.ldc + j, p->f64), v.y,
                           bound(depth, v.mag, p->f64), v.mag, p->f64);
            }
}

static void run_call(void *ctx, ox_pool *pool)
{
    const call *w = ctx;
    ox_gemm_run(&w->plan, &w->args, w->scratch, pool);
}

/* Random shapes, and for each the same bits from any number of threads. */
static void check_driver(kc *k, uint32_t isa, bool f64)
{
    for (int round = 0; round < 12 * kc_thoroughness(k) && !kc_failed(k); round++) {
        size_t most = round % 12 == 0 ? 500 : 80, batch = 1 + kc_below(k, 3);
        size_t m = kc_below(k, 4) ? 1 + kc_below(k, most) : 1;
        size_t n = kc_below(k, 4) ? 1 + kc_below(k, most) : 1;
        size_t depth = kc_below(k, 8) ? 1 + kc_below(k, most) : kc_below(k, 2) * 1500;
        call w;
        make_call(k, &w, isa, f64, m, n, depth, batch);
        size_t bytes = batch * w.n_c * (f64 ? 8 : 4);
        kc_same_bits(k, w.c, bytes, run_call, &w);
        judge_call(k, &w, batch);
        kc_release(k);
        if (kc_failed(k))
            kc_fail(k, "-");
    }
}

/* ---- the rows: the micro-kernels, then the driver at every level ---- */

static const struct {
    kc_row row;
    bool f64;
} drivers[] = {
    { { "ox_gemm_run f32, scalar", OX_ISA_SCALAR }, false },
    { { "ox_gemm_run f64, scalar", OX_ISA_SCALAR }, true },
#if OX_X86_64
    { { "ox_gemm_run f32, avx2", OX_ISA_AVX2 }, false },
    { { "ox_gemm_run f64, avx2", OX_ISA_AVX2 }, true },
    { { "ox_gemm_run f32, avx512", OX_ISA_AVX2 | OX_ISA_AVX512 }, false },
    { { "ox_gemm_run f64, avx512", OX_ISA_AVX2 | OX_ISA_AVX512 }, true },
#elif OX_AARCH64
    { { "ox_gemm_run f32, neon", OX_ISA_NEON }, false },
    { { "ox_gemm_run f64, neon", OX_ISA_NEON }, true },
#endif
};

static size_t n_rows(void) { return ox_uk_gemm_n_rows + OX_COUNT(drivers); }
static kc_row row(size_t i)
{
    if (i < ox_uk_gemm_n_rows)
        return (kc_row){ ox_uk_gemm_rows[i].name, ox_uk_gemm_rows[i].isa };
    return drivers[i - ox_uk_gemm_n_rows].row;
}
static void check(kc *k, size_t i)
{
    if (i < ox_uk_gemm_n_rows)
        check_row(k, &ox_uk_gemm_rows[i]);
    else
        check_driver(k, drivers[i - ox_uk_gemm_n_rows].row.isa, drivers[i - ox_uk_gemm_n_rows].f64);
}

/* ---- bench ---- */

static void run_tile(void *ctx)
{
    const ox_tile *t = ((void **)ctx)[0];
    ((const ox_uk_gemm *)((void **)ctx)[1])->fn(t);
}

/* All rows of a kind on one tile of k = 256, each at its own tile size: GFLOP/s are comparable. */
static void bench_tiles(kc *k, ox_uk_kind kind, bool f64)
{
    enum { K = 256, MAX = 32 };
    size_t e = f64 ? 8 : 4;
    const ox_uk_gemm *pick = ox_uk_gemm_pick(kind, f64, ox_cpu());
    void *a = kc_alloc(k, K * MAX * e, e, false), *b = kc_alloc(k, K * MAX * e, e, false);
    void *c = kc_alloc(k, MAX * MAX * e, e, false);
    static int32_t off[K];
    kc_fill(k, a, K * MAX, f64, KC_NORMAL);
    kc_fill(k, b, K * MAX, f64, KC_NORMAL);
    for (size_t i = 0; i < ox_uk_gemm_n_rows; i++) {
        const ox_uk_gemm *r = &ox_uk_gemm_rows[i];
        if (r->kind != kind || r->f64 != f64 || (r->isa & ~ox_cpu()) != 0)
            continue;
        size_t mr = (size_t)r->mr, nr = (size_t)r->nr;
        for (size_t p = 0; p < K; p++)
            off[p] = (int32_t)(p * nr);
        ox_tile t = {
            OX_TILE_INIT, .m = mr,    .n = nr, .k = K,    .a = a,
            .rs_a = 1,    .cs_a = mr, .b = b,  .ldb = nr, .off = kind == OX_UK_GATHER ? off : NULL,
            .c = c,       .ldc = nr
        };
        void *ctx[2] = { &t, (void *)(uintptr_t)r };
        if (kc_problem(k, 2.0 * (double)(mr * nr * K), "tile/%s", r->name)) {
            kc_candidate(k, r->name, r == pick, run_tile, ctx);
            kc_race(k);
        }
    }
    kc_release(k);
}

typedef struct whole {
    ox_gemm_plan plan;
    ox_gemm_args args;
    void *scratch;
    const void *a, *b;
    void *c;
} whole;

static void run_whole(void *ctx)
{
    whole *w = ctx;
    ox_gemm_run(&w->plan, &w->args, w->scratch, NULL);
}
static void run_blas(void *ctx)
{
    whole *w = ctx;
    const ox_gemm_plan *p = &w->plan;
    ox_blas_gemm(p->f64, p->trans_a, p->trans_b, p->m, p->n, p->k, 1, w->a, w->args.lda, w->b,
                 w->args.ldb, 0, w->c, p->n);
}

/* One product at every level, weights packed or not, against OpenBLAS. */
static void bench_product(kc *k, bool f64, size_t m, size_t n, size_t depth, bool tb, bool pa,
                          bool pb)
{
    static const struct {
        const char *name;
        uint32_t isa;
    } levels[] = {
        { "scalar", 0 },
#if OX_X86_64
        { "avx2", OX_ISA_AVX2 },
        { "avx512", OX_ISA_AVX2 | OX_ISA_AVX512 },
#elif OX_AARCH64
        { "neon", OX_ISA_NEON },
#endif
    };
    enum { N = OX_COUNT(levels) };
    size_t e = f64 ? 8 : 4;
    whole w[N];
    if (!kc_problem(k, 2.0 * (double)m * (double)n * (double)depth, "gemm/%s/m%zu_n%zu_k%zu%s%s%s",
                    f64 ? "f64" : "f32", m, n, depth, tb ? "_tb" : "", pa ? "_pa" : "",
                    pb ? "_pb" : ""))
        return;
    void *a = kc_alloc(k, m * depth * e, e, false), *b = kc_alloc(k, n * depth * e, e, false);
    void *c = kc_alloc(k, m * n * e, e, false);
    kc_fill(k, a, m * depth, f64, KC_NORMAL);
    kc_fill(k, b, n * depth, f64, KC_NORMAL);
    for (size_t l = 0; l < N; l++) {
        if ((levels[l].isa & ~ox_cpu()) != 0)
            continue;
        w[l] = (whole){
            .plan = { .m = m,
                      .n = n,
                      .k = depth,
                      .f64 = f64,
                      .trans_b = tb,
                      .packed_a = pa,
                      .packed_b = pb },
            .args = { .a = a, .b = b, .c = c, .lda = depth, .ldb = tb ? depth : n, .ldc = n },
            .a = a,
            .b = b,
            .c = c
        };
        ox_gemm_plan *p = &w[l].plan;
        ox_gemm_choose(p, levels[l].isa);
        w[l].scratch = kc_alloc(k, ox_gemm_scratch_bytes(p, 1), e, false);
        if (pa) {
            void *q = kc_alloc(k, ox_gemm_pack_a_bytes(p), e, false);
            ox_gemm_pack_a(p, a, depth, q);
            w[l].args.a = q;
        }
        if (pb) {
            void *q = kc_alloc(k, ox_gemm_pack_b_bytes(p), e, false);
            ox_gemm_pack_b(p, b, w[l].args.ldb, q);
            w[l].args.b = q;
        }
        bool best = l + 1 == N || (levels[l + 1].isa & ~ox_cpu()) != 0;
        kc_candidate(k, levels[l].name, best, run_whole, &w[l]);
    }
    if (ox_blas_gemm(f64, false, tb, 1, 1, 1, 1, a, depth, b, tb ? depth : n, 0, c, n))
        kc_candidate(k, "openblas", false, run_blas, &w[0]);
    kc_race(k);
    kc_release(k);
}

static void bench(kc *k)
{
    for (int f64 = 0; f64 < 2; f64++) {
        bench_tiles(k, OX_UK_GEMM, f64);
        bench_tiles(k, OX_UK_GATHER, f64);
    }
    static const struct {
        size_t m, n, k;
        bool tb, pa, pb, f64;
    } s[] = {
        { 64, 50176, 64, 0, 1, 0, 0 }, /* 1x1 convolutions: weights are A */
        { 256, 3136, 64, 0, 1, 0, 0 },    { 64, 3136, 256, 0, 1, 0, 0 },
        { 512, 784, 128, 0, 1, 0, 0 },    { 128, 784, 512, 0, 1, 0, 0 },
        { 1024, 196, 256, 0, 1, 0, 0 },   { 256, 196, 1024, 0, 1, 0, 0 },
        { 2048, 49, 512, 0, 1, 0, 0 },    { 512, 49, 2048, 0, 1, 0, 0 },
        { 24, 3136, 144, 0, 1, 0, 0 },    { 64, 112, 64, 0, 1, 0, 0 },
        { 128, 768, 768, 0, 0, 1, 0 }, /* transformers: weights are B */
        { 128, 3072, 768, 0, 0, 1, 0 },   { 128, 768, 3072, 0, 0, 1, 0 },
        { 197, 384, 384, 0, 0, 1, 0 },    { 197, 1536, 384, 0, 0, 1, 0 },
        { 128, 128, 64, 1, 0, 0, 0 }, /* attention: scores, values */
        { 128, 64, 128, 0, 0, 0, 0 },     { 512, 512, 64, 1, 0, 0, 0 },
        { 1, 2304, 768, 0, 0, 1, 0 }, /* decoding: matrix times vector */
        { 1, 3072, 768, 1, 0, 0, 0 },     { 1, 1000, 2048, 1, 0, 0, 0 },
        { 1, 50257, 768, 1, 0, 0, 0 },    { 1000, 1, 2048, 0, 0, 0, 0 },
        { 4, 2048, 512, 0, 0, 1, 0 },     { 8, 8, 8, 0, 0, 0, 0 },
        { 16, 16, 16, 0, 0, 0, 0 },       { 32, 32, 32, 0, 0, 0, 0 },
        { 64, 64, 64, 0, 0, 0, 0 },       { 100, 100, 100, 0, 0, 0, 0 },
        { 256, 256, 256, 0, 0, 0, 0 },    { 512, 512, 512, 0, 0, 0, 0 },
        { 1024, 1024, 1024, 0, 0, 0, 0 }, { 1024, 1024, 1024, 1, 0, 0, 0 },
        { 256, 256, 256, 0, 0, 0, 1 },    { 1024, 1024, 1024, 0, 0, 0, 1 },
    };
    for (size_t i = 0; i < OX_COUNT(s); i++)
        bench_product(k, s[i].f64, s[i].m, s[i].n, s[i].k, s[i].tb, s[i].pa, s[i].pb);
}

const kc_family kc_family_gemm = { "gemm", n_rows, row, check, bench };
