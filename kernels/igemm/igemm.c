/* Table and choice of the integer micro-kernels, packing, and the driver: blocks of rows by panels
 * of columns, cut by shape alone. */
#include "kernels/igemm/igemm.h"
#include "kernels/igemm/store.h"

#include <string.h>

const ox_uk_igemm ox_uk_igemm_rows[] = {
#define UK(fn, isa, mr, nr, signed_a) { fn, #fn, OX_ISA_##isa, mr, nr, signed_a },
#include "kernels/igemm/ukernels.def"
};
const size_t ox_n_uk_igemm_rows = OX_COUNT(ox_uk_igemm_rows);

const ox_uk_igemm *ox_uk_igemm_pick(uint32_t isa)
{
    const ox_uk_igemm *best = ox_uk_igemm_rows;
    for (size_t i = 0; i < ox_n_uk_igemm_rows; i++)
        if ((ox_uk_igemm_rows[i].isa & ~isa) == 0)
            best = &ox_uk_igemm_rows[i];
    return best;
}

const ox_uk_idepth ox_uk_idepth_rows[] = {
#define UK_DEPTH(fn, isa) { fn, #fn, OX_ISA_##isa },
#include "kernels/igemm/ukernels.def"
};
const size_t ox_n_uk_idepth_rows = OX_COUNT(ox_uk_idepth_rows);

const ox_uk_idepth *ox_uk_idepth_pick(uint32_t isa)
{
    const ox_uk_idepth *best = ox_uk_idepth_rows;
    for (size_t i = 0; i < ox_n_uk_idepth_rows; i++)
        if ((ox_uk_idepth_rows[i].isa & ~isa) == 0)
            best = &ox_uk_idepth_rows[i];
    return best;
}

static size_t ceil_div(size_t a, size_t b)
{
    return a / b + (a % b != 0);
}

/* ---- packing ---- */

static size_t sums_bytes(const ox_igemm *p)
{
    return (size_t)p->uk->nr * sizeof(int32_t);
}

void ox_igemm_choose(ox_igemm *p, uint32_t isa)
{
    p->uk = ox_uk_igemm_pick(isa);
    size_t nr = (size_t)p->uk->nr, all;
    p->panels = ceil_div(p->n, nr);
    p->ok = p->k < SIZE_MAX / 8 && ox_mul_size(&p->panel_bytes, ceil_div(p->k, 4) * 4, p->n_run) &&
            ox_mul_size(&p->panel_bytes, p->panel_bytes, nr) &&
            ox_add_size(&p->panel_bytes, p->panel_bytes, sums_bytes(p)) &&
            ox_mul_size(&all, p->panel_bytes, p->panels) && p->n <= SIZE_MAX / 8;
}

size_t ox_igemm_pack_bytes(const ox_igemm *p)
{
    return p->ok ? p->panels * p->panel_bytes : SIZE_MAX;
}

/* n columns of elements k.., of which `rows` exist, of several runs in one; from is the first
 * column. */
static void pack_taps(const ox_igemm *p, const ox_igemm_b *b, const uint8_t *from, size_t k,
                      size_t rows, size_t n, uint8_t flip, int8_t *to)
{
    size_t channels = p->k / b->taps;
    for (size_t q = 0; q < rows; q++) {
        const uint8_t *x = from + (k + q) / channels * b->run + (k + q) % channels * b->row;
        for (size_t j = 0; j < n; j++)
            to[4 * j + q] = (int8_t)(x[j * b->col] ^ flip);
    }
}

/* The same where rows are evenly spaced; from is the first of them. */
static void pack_group(const ox_igemm_b *b, const uint8_t *from, size_t rows, size_t n,
                       uint8_t flip, int8_t *to)
{
    if (rows == 4 && b->row == 1) {
        for (size_t j = 0; j < n; j++)
            for (size_t q = 0; q < 4; q++)
                to[4 * j + q] = (int8_t)(from[j * b->col + q] ^ flip);
    } else if (rows == 4 && b->col == 1) {
        const uint8_t *r0 = from, *r1 = from + b->row, *r2 = from + 2 * b->row,
                      *r3 = from + 3 * b->row;
        for (size_t j = 0; j < n; j++) {
            to[4 * j] = (int8_t)(r0[j] ^ flip);
            to[4 * j + 1] = (int8_t)(r1[j] ^ flip);
            to[4 * j + 2] = (int8_t)(r2[j] ^ flip);
            to[4 * j + 3] = (int8_t)(r3[j] ^ flip);
        }
    } else {
        for (size_t j = 0; j < n; j++)
            for (size_t q = 0; q < rows; q++)
                to[4 * j + q] = (int8_t)(from[j * b->col + q * b->row] ^ flip);
    }
}

void ox_igemm_pack(const ox_igemm *p, const ox_igemm_b *b, void *to)
{
    size_t nr = (size_t)p->uk->nr;
    uint8_t flip = b->is_signed ? 0 : 0x80;
    for (size_t j0 = 0, at = 0; j0 < p->n; j0 += nr, at++) {
        char *panel = (char *)to + at * p->panel_bytes;
        int32_t *sum = (int32_t *)(void *)panel;
        int8_t *dst = (int8_t *)panel + sums_bytes(p);
        size_t n = OX_MIN(nr, p->n - j0);
        memset(panel, 0, sums_bytes(p));
        for (size_t s = 0; s < p->n_run; s++)
            for (size_t k = 0; k < p->k; k += 4, dst += 4 * nr) {
                size_t rows = OX_MIN(4, p->k - k);
                if (n < nr || rows < 4)
                    memset(dst, 0, 4 * nr);
                const uint8_t *from = (const uint8_t *)b->b + j0 * b->col;
                if (b->taps)
                    pack_taps(p, b, from, k, rows, n, flip, dst);
                else
                    pack_group(b, from + s * b->run + k * b->row, rows, n, flip, dst);
                for (size_t j = 0; j < n; j++)
                    sum[j] += dst[4 * j] + dst[4 * j + 1] + dst[4 * j + 2] + dst[4 * j + 3];
            }
    }
}

void ox_igemm_col(const ox_igemm *p, const void *packed, const int32_t *bias, int32_t zero_a,
                  const ox_igemm_ep *ep, int32_t *col)
{
    size_t nr = (size_t)p->uk->nr, k = p->k * p->n_run;
    for (size_t j = 0; j < p->panels * nr; j++) {
        const char *panel = (const char *)packed + j / nr * p->panel_bytes;
        uint32_t sum = (uint32_t)((const int32_t *)(const void *)panel)[j % nr];
        uint32_t zb = (uint32_t)(j >= p->n ? 0 : ep->zero_bs ? ep->zero_bs[j] : ep->zero_b);
        uint32_t b = bias && j < p->n ? (uint32_t)bias[j] : 0;
        col[j] = (int32_t)(b - (uint32_t)zero_a * sum + (uint32_t)k * (uint32_t)zero_a * zb);
    }
}

typedef struct flipped {
    const uint8_t *from;
    uint8_t *to;
    size_t n;
} flipped;
enum { FLIP = 1 << 15 }; /* bytes of a block */

static void flip_block(void *ctx, int64_t block, int worker)
{
    const flipped *f = ctx;
    size_t at = (size_t)block * FLIP, end = OX_MIN(at + FLIP, f->n);
    (void)worker;
    for (size_t i = at; i < end; i++)
        f->to[i] = f->from[i] ^ 0x80;
}

void ox_igemm_flip(size_t n, const void *from, void *to, ox_pool *pool)
{
    flipped f = { from, to, n };
    ox_pool_run(pool, (int64_t)((n + FLIP - 1) / FLIP), flip_block, &f);
}

/* ---- running ---- */

/* Sums of A's rows of one tile, as the micro-kernel reads them. */
static void row_sums(const ox_igemm *p, const ox_itile *t, int32_t *sum)
{
    size_t mr = (size_t)p->uk->mr;
    for (size_t i = 0; i < t->m; i++) {
        uint32_t total = 0;
        for (size_t s = 0; s < p->n_run; s++) {
            const uint8_t *a = t->a[s * mr + i];
            uint32_t part = 0;
            if (p->uk->signed_a)
                for (size_t k = 0; k < p->k; k++)
                    part += (uint32_t)(int8_t)a[k];
            else
                for (size_t k = 0; k < p->k; k++)
                    part += a[k];
            total += part;
        }
        sum[i] = (int32_t)total;
    }
}

/* A tile whose columns have zero points of their own. */
static void tile_by_column(const ox_igemm *p, const ox_itile *t, const int32_t *zero,
                           const int32_t *row_sum)
{
    size_t nr = (size_t)p->uk->nr;
    int32_t sums[OX_IGEMM_MR * OX_IGEMM_NR], none[OX_IGEMM_NR] = { 0 };
    ox_itile raw = *t, rest = *t;
    raw.out = OX_IOUT_I32;
    raw.c = sums;
    raw.ldc = nr;
    p->uk->fn(&raw);
    for (size_t i = 0; i < t->m; i++)
        for (size_t j = 0; j < t->n; j++)
            sums[i * nr + j] =
                (int32_t)((uint32_t)sums[i * nr + j] - (uint32_t)zero[j] * (uint32_t)row_sum[i]);
    rest.col = none;
    ox_itile_store(&rest, sums, nr);
}

static size_t out_size(ox_iout out)
{
    return out == OX_IOUT_8 ? 1 : 4;
}

void ox_igemm_tiles(const ox_igemm *p, const void *packed, const ox_igemm_ep *ep,
                    const uint8_t *const *rows, size_t m, size_t panel0, size_t panel1, void *c,
                    size_t ldc)
{
    size_t nr = (size_t)p->uk->nr, mr = (size_t)p->uk->mr, elem = out_size(ep->out);
    ox_itile t = { .n_run = p->n_run,
                   .k = p->k,
                   .out = ep->out,
                   .lo = ep->lo,
                   .hi = ep->hi,
                   .zero = ep->zero,
                   .table = ep->table,
                   .ldc = ldc };
    for (size_t panel = panel0; panel < panel1; panel++) {
        size_t j = panel * nr;
        t.n = OX_MIN(nr, p->n - j);
        t.b = (const int8_t *)packed + panel * p->panel_bytes + sums_bytes(p);
        t.col = ep->col + j;
        t.mul = ep->mul ? ep->mul + j : NULL;
        t.add = ep->add ? ep->add + j : NULL;
        for (size_t i = 0; i < m; i += mr) {
            int32_t sum[OX_IGEMM_MR];
            t.m = OX_MIN(mr, m - i);
            t.a = rows + i * p->n_run;
            t.c = (char *)c + (i * ldc + j) * elem;
            t.row = NULL;
            if (ep->zero_bs) {
                row_sums(p, &t, sum);
                tile_by_column(p, &t, ep->zero_bs + j, sum);
                continue;
            }
            if (ep->zero_b) {
                row_sums(p, &t, sum);
                for (size_t r = 0; r < t.m; r++)
                    sum[r] = (int32_t)(0u - (uint32_t)ep->zero_b * (uint32_t)sum[r]);
                t.row = sum;
            }
            p->uk->fn(&t);
        }
    }
}

typedef struct job {
    const ox_igemm *p;
    const ox_igemm_args *args;
    size_t bm, n_bm, bp, n_bp; /* rows and panels of a block, and how many of them */
} job;

enum { MOST_ROWS = 96 };

static void run_block(void *ctx, int64_t block, int worker)
{
    const job *w = ctx;
    const ox_igemm *p = w->p;
    const ox_igemm_args *g = w->args;
    size_t at = (size_t)block, mr = (size_t)p->uk->mr;
    size_t panel = at % w->n_bp * w->bp, i0 = at / w->n_bp % w->n_bm * w->bm,
           batch = at / w->n_bp / w->n_bm;
    size_t m = OX_MIN(w->bm, g->m - i0);
    const uint8_t *rows[MOST_ROWS + OX_IGEMM_MR],
        *a = g->a + (g->at_a ? g->at_a[batch] : 0) + i0 * g->lda;
    const ox_igemm_ep *ep = g->eps ? g->ep + batch : g->ep;
    (void)worker;
    for (size_t i = 0; i < ceil_div(m, mr) * mr; i++)
        rows[i] = a + OX_MIN(i, m - 1) * g->lda;
    char *c = (char *)g->c + (batch * g->m + i0) * g->ldc * out_size(ep->out);
    const char *packed = (const char *)g->packed + (g->at_packed ? g->at_packed[batch] : 0);
    ox_igemm_tiles(p, packed, ep, rows, m, panel, OX_MIN(panel + w->bp, p->panels), c, g->ldc);
}

void ox_igemm_run(const ox_igemm *p, const ox_igemm_args *args, ox_pool *pool)
{
    size_t mr = (size_t)p->uk->mr, batch = args->batch;
    if (!args->m || !p->n || !batch)
        return;
    job w = { .p = p, .args = args };
    w.n_bm = ceil_div(args->m, MOST_ROWS / mr * mr);
    w.bm = ceil_div(ceil_div(args->m, w.n_bm), mr) * mr;
    w.n_bm = ceil_div(args->m, w.bm);
    /* about 16 blocks, of at least 2^16 multiplications */
    double work = (double)args->m * (double)p->n * (double)p->k * (double)batch;
    size_t want = work > 16.0 * 65536 ? 16 : 1 + (size_t)(work / 65536);
    w.n_bp = OX_MIN(p->panels, ceil_div(want, w.n_bm * batch));
    w.bp = ceil_div(p->panels, w.n_bp);
    w.n_bp = ceil_div(p->panels, w.bp);
    ox_pool_run(pool, (int64_t)(w.n_bm * w.n_bp * batch), run_block, &w);
}
