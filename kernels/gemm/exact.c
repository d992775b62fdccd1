#include "kernels/gemm/dense.h"

#include <math.h>
#include <string.h>

enum { SMALL = 1 << 17, FEW = 4 };

/* Of each row of op(a), or each column of op(b): |v|_2, |v|_1, max |v|. */
typedef struct norms { double *two, *one, *most; } norms;

typedef struct work {
    ox_exact e;
    norms    a, b;
    double  *sign, *signed_b; /* r and b r */
} work;

static void define_row(void *ctx, int64_t i, int worker)
{
    const ox_exact *e = &((const work *)ctx)->e;
    int64_t step_a = e->trans_a ? e->m : 1;
    const double *a = e->a + (e->trans_a ? i : i * e->k);
    double *c = e->c + i * e->n, *mag = e->mag + i * e->n;
    (void)worker;
    memset(c, 0, (size_t)e->n * sizeof(*c));
    memset(mag, 0, (size_t)e->n * sizeof(*mag));
    for (int64_t j = 0; j < e->n && e->trans_b; j++)
        for (int64_t p = 0; p < e->k; p++) {
            double v = a[p * step_a] * e->b[j * e->k + p];
            c[j] += v;
            mag[j] += fabs(v);
        }
    for (int64_t p = 0; p < e->k && !e->trans_b; p++)
        for (int64_t j = 0; j < e->n; j++) {
            double v = a[p * step_a] * e->b[p * e->n + j];
            c[j] += v;
            mag[j] += fabs(v);
        }
}

/* x is rows x columns.  Norms of its rows, or (across) of its columns. */
static void take_norms(norms *to, const double *x, int64_t rows, int64_t columns, bool across)
{
    int64_t n = across ? columns : rows;
    for (int64_t i = 0; i < n; i++)
        to->two[i] = to->one[i] = to->most[i] = 0;
    for (int64_t i = 0; i < rows; i++, x += columns) {
        if (across) {
            for (int64_t j = 0; j < columns; j++) {
                double v = fabs(x[j]);
                to->two[j] += v * v;
                to->one[j] += v;
                to->most[j] = v > to->most[j] ? v : to->most[j];
            }
            continue;
        }
        double two = 0, one = 0, most = 0;
        for (int64_t j = 0; j < columns; j++) {
            double v = fabs(x[j]);
            two += v * v;
            one += v;
            most = v > most ? v : most;
        }
        to->two[i] = two;
        to->one[i] = one;
        to->most[i] = most;
    }
    for (int64_t i = 0; i < n; i++) {
        to->two[i] = sqrt(to->two[i]) * (1 + 0x1p-30);
        to->one[i] *= 1 + 0x1p-30;
    }
}

static bool allocate_norms(ox_run *r, norms *to, int64_t n)
{
    double *v = ox_scratch_array(r, 3 * (size_t)n, sizeof(*v));
    if (!v)
        return false;
    *to = (norms){ v, v + n, v + 2 * n };
    return true;
}

/* signed_b[p] = sum of b[p][j] sign[j] */
static void fold_b(work *w)
{
    const ox_exact *e = &w->e;
    memset(w->signed_b, 0, (size_t)e->k * sizeof(double));
    for (int64_t j = 0; j < e->n && e->trans_b; j++)
        for (int64_t p = 0; p < e->k; p++)
            w->signed_b[p] += e->b[j * e->k + p] * w->sign[j];
    for (int64_t p = 0; p < e->k && !e->trans_b; p++)
        for (int64_t j = 0; j < e->n; j++)
            w->signed_b[p] += e->b[p * e->n + j] * w->sign[j];
}

static void prove_row(void *ctx, int64_t i, int worker)
{
    const work *w = ctx;
    const ox_exact *e = &w->e;
    const double *a = e->a + (e->trans_a ? i : i * e->k), *c = e->c + i * e->n;
    double *mag = e->mag + i * e->n, want = 0, is = 0, total = 0;
    double two = w->a.two[i], one = w->a.one[i], most = w->a.most[i];
    int64_t step = e->trans_a ? e->m : 1;
    for (int64_t p = 0; p < e->k; p++)
        want += a[p * step] * w->signed_b[p];
    for (int64_t j = 0; j < e->n; j++) {
        double length = two * w->b.two[j], x = one * w->b.most[j], y = most * w->b.one[j];
        double least = x < y ? x : y;
        mag[j] = length < least ? length : least;
        total += length;
        is += c[j] * w->sign[j];
    }
    if (!(fabs(want - is) <= (double)(e->n + e->k) * 0x1p-51 * total + 1e-290))
        define_row(ctx, i, worker);
}

/* The i-th product. */
static ox_exact product(const ox_exact *all, int64_t i)
{
    ox_exact e = *all;
    e.a += e.at_a ? e.at_a[i] : 0;
    e.b += e.at_b ? e.at_b[i] : 0;
    e.c += i * e.m * e.n;
    e.mag += i * e.m * e.n;
    return e;
}

static void one_product(ox_run *r, work *w, const ox_gemm_plan *p, void *scratch)
{
    const ox_exact *e = &w->e;
    ox_gemm_run(p, &(ox_gemm_args){ .a = e->a, .b = e->b, .c = e->c, .ldc = p->n,
                                    .lda = e->trans_a ? p->m : p->k, .ldb = e->trans_b ? p->k : p->n },
                scratch, r->pool);
    take_norms(&w->a, e->a, e->trans_a ? e->k : e->m, e->trans_a ? e->m : e->k, e->trans_a);
    take_norms(&w->b, e->b, e->trans_b ? e->n : e->k, e->trans_b ? e->k : e->n, !e->trans_b);
    fold_b(w);
    ox_parallel(r, e->m, prove_row, w);
}

static ox_code by_driver(ox_run *r, const ox_exact *e)
{
    work all = { .e = *e }, *w = &all;
    ox_gemm_plan p = { .m = (size_t)e->m, .n = (size_t)e->n, .k = (size_t)e->k, .f64 = true,
                       .trans_a = e->trans_a, .trans_b = e->trans_b };
    ox_gemm_choose(&p, ox_cpu());
    void *scratch = ox_scratch(r, ox_gemm_scratch_bytes(&p, ox_pool_threads(r->pool)));
    w->sign = ox_scratch_array(r, (size_t)e->n, sizeof(double));
    w->signed_b = ox_scratch_array(r, (size_t)e->k, sizeof(double));
    if (!scratch || !w->sign || !w->signed_b || !allocate_norms(r, &w->a, e->m) || !allocate_norms(r, &w->b, e->n))
        return OX_NO_MEMORY(r);
    uint64_t bits = 0x9e3779b97f4a7c15;
    for (int64_t j = 0; j < e->n; j++) { /* xorshift64 */
        bits ^= bits << 13;
        bits ^= bits >> 7;
        bits ^= bits << 17;
        w->sign[j] = bits >> 63 ? 1 : -1;
    }
    for (int64_t i = 0; i < e->batch; i++) {
        w->e = product(e, i);
        one_product(r, w, &p, scratch);
    }
    return OX_OK;
}

double ox_exact_terms(double k) { return OX_MIN(k, (double)OX_GEMM_KC) + k / OX_GEMM_KC; }

ox_code ox_exact_product(ox_run *r, const ox_exact *e)
{
    if (e->m >= FEW && e->n >= FEW && (double)e->m * (double)e->n * (double)e->k > SMALL)
        return by_driver(r, e);
    for (int64_t i = 0; i < e->batch; i++) {
        work w = { .e = product(e, i) };
        ox_parallel(r, e->m, define_row, &w);
    }
    return OX_OK;
}
