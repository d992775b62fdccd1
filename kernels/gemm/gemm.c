/* The driver: cuts a product into blocks (by shape), feeds the micro-kernels, packs what they need.
 *
 * A block is mc x nc of C.  For each K block it walks panels of nr columns: the panel of B (kc x
 * nr, 40 KB at most) stays in the level-1 cache while the panels of A stream past from level 2. The
 * epilogue is part of the micro-kernel and comes with the last K block; a residual that is C itself
 * enters with the first. */
#include "kernels/gemm/gemm.h"

#include <assert.h>
#include <math.h>
#include <string.h>

const ox_uk_gemm ox_uk_gemm_rows[] = {
#define UK(kind, dtype, fn, isa, mr, nr, exact)                                                    \
    { #fn, OX_UK_##kind, #dtype[1] == '6', OX_ISA_##isa, mr, nr, exact, fn },
#include "kernels/gemm/ukernels.def"
#undef UK
};
const size_t ox_uk_gemm_n_rows = OX_COUNT(ox_uk_gemm_rows);

const ox_uk_gemm *ox_uk_gemm_pick(ox_uk_kind kind, bool f64, uint32_t isa)
{
    const ox_uk_gemm *best = NULL;
    for (size_t i = 0; i < ox_uk_gemm_n_rows; i++) {
        const ox_uk_gemm *r = &ox_uk_gemm_rows[i];
        if (r->kind == kind && r->f64 == f64 && (r->isa & ~isa) == 0)
            best = r;
    }
    return best;
}

static size_t ceil_div(size_t a, size_t b) { return a / b + (a % b != 0); }
static size_t round_up(size_t a, size_t b) { return ceil_div(a, b) * b; }
static size_t elem_size(const ox_gemm_plan *p) { return p->f64 ? sizeof(double) : sizeof(float); }

/* ---- choice ---- */

/* Matrix times vector, where the matrix can be streamed as it lies. */
static bool choose_gemv(ox_gemm_plan *p, uint32_t isa)
{
    bool row = p->m == 1, stored_t = row ? p->trans_b : !p->trans_a;
    if ((p->m != 1 && p->n != 1) || p->packed_a || (!row && p->packed_b))
        return false;
    stored_t = stored_t && !p->packed_b;
    p->swap = !row;
    p->path = stored_t ? OX_GEMM_GEMV_T : OX_GEMM_GEMV_N;
    p->gemv = ox_uk_gemm_pick(stored_t ? OX_UK_GEMV_T : OX_UK_GEMV_N, p->f64, isa);
    if (stored_t) { /* the kernel keeps at least 4 sums a row: its K blocks may be longer */
        p->kc = 4 * OX_GEMM_KC;
        p->n_kb = OX_MAX(1, ceil_div(p->k, p->kc));
    }
    size_t n_out = row ? p->n : p->m;
    /* A few strips, a multiple of every nr, a buffer on the stack; fewer outputs where each has a long row. */
    p->nc = stored_t && p->k >= 512 ? 64 : 384;
    p->mc = 1;
    p->n_mb = 1;
    p->n_nb = ceil_div(n_out, p->nc);
    p->name = p->gemv->name;
    return true;
}

void ox_gemm_choose(ox_gemm_plan *p, uint32_t isa)
{
    p->tile = ox_uk_gemm_pick(OX_UK_GEMM, p->f64, isa);
    p->pack = ox_uk_gemm_pick(OX_UK_PACK_T, p->f64, isa);
    p->gemv = NULL;
    p->path = OX_GEMM_TILES;
    p->swap = false;
    p->name = p->tile->name;

    size_t nr = (size_t)p->tile->nr, max_mr = (size_t)p->tile->mr, elem = elem_size(p);
    p->n_kb = OX_MAX(1, ceil_div(p->k, OX_GEMM_KC));
    p->kc = OX_MAX(1, round_up(ceil_div(p->k, p->n_kb), 16));
    p->n_kb = OX_MAX(1, ceil_div(p->k, p->kc));
    p->mr = OX_MAX(1, ceil_div(p->m, OX_MAX(1, ceil_div(p->m, max_mr))));
    p->copy_b = false;
    if (choose_gemv(p, isa))
        return;

    /* B is read where it lies unless its rows are far apart and read often, or have to be turned.
     */
    size_t row = p->n * elem, b_bytes = row * p->k; /* wraps only where no such matrix exists */
    p->copy_b =
        !p->packed_b && (p->trans_b || (p->m > 2 * max_mr && (row >= 32768 || row % 2048 == 0)) ||
                         (p->m > 8 * max_mr && b_bytes > (1 << 18)));

    /* Blocks of about 2^19 multiplications, 32 at most.  Columns are cut first: a cut of rows reads
     * B once more (and copies it).  Rows above 512 are cut so that mc x kc of A stay in half of level 2. */
    double work = (double)p->m * (double)p->n * (double)OX_MAX(p->k, 1);
    size_t want = (size_t)fmin(fmax(work / (1 << 19), 1), 32), min_mc = (p->copy_b ? 8 : 4) * p->mr;
    size_t min_nc = (double)p->m * (double)p->k * (double)elem > (1 << 20) ? 2 * nr : nr;
    p->n_nb = OX_MAX(1, OX_MIN(want, p->n / min_nc));
    p->n_mb = OX_MAX(1, OX_MIN(ceil_div(want, p->n_nb), p->m / min_mc));
    p->n_mb = OX_MAX(p->n_mb, ceil_div(p->m, 512));
    p->nc = OX_MAX(nr, round_up(ceil_div(p->n, p->n_nb), nr));
    p->mc = OX_MAX(p->mr, round_up(ceil_div(p->m, p->n_mb), p->mr));
    p->n_nb = ceil_div(p->n, p->nc);
    p->n_mb = ceil_div(p->m, p->mc);
}

/* ---- packing ----
 * A: K block after K block; in each, panels of mr rows (the last may be lower), kc x rows.
 * B: K block after K block; in each, panels of nr columns (the last filled with zeros), kc x nr. */

static size_t bytes_of(size_t rows, size_t cols, size_t elem)
{
    size_t n;
    if (!ox_mul_size(&n, rows, cols) || !ox_mul_size(&n, n, elem))
        return SIZE_MAX;
    return n;
}

size_t ox_gemm_pack_a_bytes(const ox_gemm_plan *p) { return bytes_of(p->m, p->k, elem_size(p)); }

size_t ox_gemm_pack_b_bytes(const ox_gemm_plan *p)
{
    size_t nr = (size_t)p->tile->nr, n;
    if (!ox_add_size(&n, p->n, nr - 1))
        return SIZE_MAX;
    return bytes_of(n / nr * nr, p->k, elem_size(p));
}

/* dst[q * ld + i] = src(i, q) for i < n (then zeros up to ld), q < k, where src(i, q) is
 * src[i * stride + q] (transposing) or src[q * stride + i]. */
static void pack_panel(const ox_gemm_plan *p, bool transposing, const char *src, size_t stride,
                       size_t n, size_t k, char *dst, size_t ld)
{
    size_t elem = elem_size(p);
    if (transposing) {
        p->pack->fn(&(ox_tile){ .n = n, .k = k, .b = src, .ldb = stride, .c = dst, .ldc = ld });
        return;
    }
    enum { USUAL = 128 }; /* bytes of a row of AVX-512's panels: a copy of known size is no call */
    for (; n == ld && n * elem == USUAL && k > 0; k--, src += stride * elem, dst += USUAL)
        memcpy(dst, src, USUAL);
    for (size_t q = 0; q < k; q++, src += stride * elem, dst += ld * elem) {
        memcpy(dst, src, n * elem);
        if (n < ld)
            memset(dst + n * elem, 0, (ld - n) * elem);
    }
}

void ox_gemm_pack_a(const ox_gemm_plan *p, const void *a, size_t lda, void *packed)
{
    size_t elem = elem_size(p), kn;
    char *to = packed;
    for (size_t k0 = 0; k0 < p->k; k0 += p->kc) {
        kn = OX_MIN(p->kc, p->k - k0);
        for (size_t i = 0; i < p->m; i += p->mr) {
            size_t rows = OX_MIN(p->mr, p->m - i);
            size_t at = p->trans_a ? k0 * lda + i : i * lda + k0;
            pack_panel(p, !p->trans_a, (const char *)a + at * elem, lda, rows, kn, to, rows);
            to += rows * kn * elem;
        }
    }
}

void ox_gemm_pack_b(const ox_gemm_plan *p, const void *b, size_t ldb, void *packed)
{
    size_t elem = elem_size(p), nr = (size_t)p->tile->nr, kn;
    char *to = packed;
    for (size_t k0 = 0; k0 < p->k; k0 += p->kc) {
        kn = OX_MIN(p->kc, p->k - k0);
        for (size_t j = 0; j < p->n; j += nr) {
            size_t at = p->trans_b ? j * ldb + k0 : k0 * ldb + j;
            pack_panel(p, p->trans_b, (const char *)b + at * elem, ldb, OX_MIN(nr, p->n - j), kn,
                       to, nr);
            to += nr * kn * elem;
        }
    }
}

/* ---- running ---- */

typedef struct job {
    const ox_gemm_plan *p;
    const ox_gemm_args *args;
    const char *a, *b; /* of the product that the block belongs to: set by begin_block */
    char *c;
    const char *residual, *bias_row;
    char *scratch;
    size_t scratch_bytes; /* of one worker */
} job;

/* One worker's scratch: one panel of B, or the vector of a matrix-vector product. */
static bool worker_scratch(const ox_gemm_plan *p, size_t *all)
{
    size_t n = p->path == OX_GEMM_GEMV_T ? bytes_of(p->k, 1, elem_size(p))
                                         : bytes_of(p->kc, (size_t)p->tile->nr, elem_size(p));
    if (n > SIZE_MAX - 64)
        return false;
    *all = round_up(n, 64);
    return true;
}

size_t ox_gemm_scratch_bytes(const ox_gemm_plan *p, int n_workers)
{
    size_t all, n;
    if (!worker_scratch(p, &all) || !ox_mul_size(&n, all, (size_t)n_workers))
        return SIZE_MAX;
    return n;
}

/* What the tile that covers K block kb of rows i.., columns j.. has to do besides multiplying. */
static void set_epilogue(ox_tile *t, const job *w, size_t kb, size_t i, size_t j)
{
    const ox_gemm_plan *p = w->p;
    const ox_epilogue *ep = &w->args->ep;
    size_t elem = elem_size(p);
    bool first = kb == 0, last = kb + 1 == p->n_kb;

    t->c = w->c + (i * w->args->ldc + j) * elem;
    t->ldc = w->args->ldc;
    t->alpha = w->args->alpha == 0 ? 1 : w->args->alpha;
    t->beta = 1;
    t->d = t->e = t->bias_row = t->bias_col = NULL;
    /* Behind the sums, where they take part in one rounding each; but C's own value is gone by then. */
    bool late = (ep->residual_scale == 0 || ep->residual_scale == 1) && w->residual != w->c;
    const char *residual = w->residual ? w->residual + (i * ep->ld_residual + j) * elem : NULL;
    if (!first) {
        t->d = t->c;
        t->ldd = t->ldc;
    } else if (residual && !late) {
        t->d = residual;
        t->ldd = ep->ld_residual;
        t->beta = ep->residual_scale == 0 ? 1 : ep->residual_scale;
    }
    if (last) {
        t->e = late ? residual : NULL;
        t->lde = ep->ld_residual;
        t->bias_row = w->bias_row ? w->bias_row + i * elem : NULL;
        t->bias_col = ep->bias_col ? (const char *)ep->bias_col + j * elem : NULL;
    }
    t->slope = last && ep->act == OX_ACT_LEAKY ? ep->slope : 1;
    t->lo = last && ep->act == OX_ACT_CLAMP ? ep->lo : -INFINITY;
    t->hi = last && ep->act == OX_ACT_CLAMP ? ep->hi : INFINITY;
}

/* Points t->b at columns j.. of K rows k0..: in the packed B, in B itself, or packed just now. */
static void set_b(ox_tile *t, const job *w, size_t k0, size_t j, char *panel)
{
    const ox_gemm_plan *p = w->p;
    size_t elem = elem_size(p), nr = (size_t)p->tile->nr, ldb = w->args->ldb;

    t->n = OX_MIN(nr, p->n - j);
    if (p->packed_b) {
        t->b = w->b + (round_up(p->n, nr) * k0 + j * t->k) * elem;
        t->ldb = nr;
        return;
    }
    t->b = w->b + (p->trans_b ? j * ldb + k0 : k0 * ldb + j) * elem;
    t->ldb = ldb;
    if (p->copy_b || (t->n < nr && !p->tile->exact)) {
        pack_panel(p, p->trans_b, t->b, ldb, t->n, t->k, panel, nr);
        t->b = panel;
        t->ldb = nr;
    }
}

/* What tile `tile` of n_tiles fetches meanwhile: its share of the panel of packed B that comes next, for
 * which that panel's first tile would wait; the next columns of B where it lies, of which each row has two
 * cache lines for the last two tiles; or the next panel of packed A.  Hardware stops at each page. */
static void set_ahead(ox_tile *t, const job *w, size_t tile, size_t n_tiles, const char *next)
{
    enum { LINE = 64, NEAR = 6144 }; /* bytes; a panel read once streams by, and twice level 1 would be too far */
    const ox_gemm_plan *p = w->p;
    size_t elem = elem_size(p), nr = (size_t)p->tile->nr, left = n_tiles - 1 - tile;
    t->ahead = NULL;
    if (p->packed_b) {
        size_t panel = t->k * nr * elem;
        t->ahead_step = (nr * elem + n_tiles - 1) / n_tiles;
        t->ahead = (const char *)t->b + (n_tiles == 1 ? OX_MIN(panel, NEAR) : panel + t->k * tile * t->ahead_step);
    } else if (next && left < 2) {
        t->ahead = next + left * LINE;
        t->ahead_step = w->args->ldb * elem;
    } else if (p->packed_a) {
        t->ahead = (const char *)t->a + t->k * t->m * elem;
        t->ahead_step = t->m * elem;
    }
}

static void run_tiles(const job *w, size_t i0, size_t i1, size_t j0, size_t j1, char *panel)
{
    const ox_gemm_plan *p = w->p;
    size_t elem = elem_size(p), nr = (size_t)p->tile->nr, lda = w->args->lda;
    size_t n_tiles = ceil_div(i1 - i0, p->mr);
    ox_tile t = { OX_TILE_INIT };

    for (size_t kb = 0; kb < p->n_kb; kb++) {
        size_t k0 = kb * p->kc;
        t.k = OX_MIN(p->kc, p->k - k0);
        for (size_t j = j0; j < j1; j += nr) {
            const char *next = p->packed_b || p->trans_b || j + nr >= j1 ? NULL : w->b + (k0 * w->args->ldb + j + nr) * elem;
            set_b(&t, w, k0, j, panel);
            for (size_t i = i0; i < i1; i += p->mr) {
                t.m = OX_MIN(p->mr, i1 - i);
                t.rs_a = 1;
                t.cs_a = t.m;
                if (p->packed_a) {
                    t.a = w->a + (p->m * k0 + i * t.k) * elem;
                } else {
                    t.a = w->a + (p->trans_a ? k0 * lda + i : i * lda + k0) * elem;
                    t.rs_a = p->trans_a ? 1 : lda;
                    t.cs_a = p->trans_a ? lda : 1;
                }
                set_epilogue(&t, w, kb, i, j);
                set_ahead(&t, w, (i - i0) / p->mr, n_tiles, next);
                p->tile->fn(&t);
            }
        }
    }
}

/* sum[0..n) = outputs o.. of the matrix-vector product */
static void run_gemv(const job *w, size_t o, size_t n, char *vector, char *sum)
{
    const ox_gemm_plan *p = w->p;
    size_t elem = elem_size(p), nr = (size_t)p->tile->nr;
    const char *mat = p->swap ? w->a : w->b, *vec = p->swap ? w->b : w->a;
    size_t ld = p->swap ? w->args->lda : w->args->ldb;
    bool vec_row = p->swap ? p->trans_b : !p->trans_a; /* stored contiguously */
    size_t vec_step = vec_row ? 1 : p->swap ? w->args->ldb : w->args->lda;

    if (p->path == OX_GEMM_GEMV_T && vec_step != 1) {
        for (size_t q = 0; q < p->k; q++)
            memcpy(vector + q * elem, vec + q * vec_step * elem, elem);
        vec = vector;
    }
    for (size_t kb = 0; kb < p->n_kb; kb++) {
        size_t k0 = kb * p->kc, kn = OX_MIN(p->kc, p->k - k0);
        ox_tile t = { .k = kn, .c = sum, .beta = kb > 0 };
        if (p->path == OX_GEMM_GEMV_T) {
            t.m = n, t.n = 1;
            t.a = mat + (o * ld + k0) * elem, t.rs_a = ld;
            t.b = vec + k0 * elem;
        } else {
            t.m = 1, t.n = n;
            t.a = vec + k0 * vec_step * elem, t.cs_a = vec_step;
            t.ldb = p->packed_b ? nr : ld;
            t.ldd = p->packed_b ? nr * kn : (size_t)p->gemv->nr;
            t.b = mat + (p->packed_b ? round_up(p->n, nr) * k0 + o * kn : k0 * ld + o) * elem;
        }
        p->gemv->fn(&t);
    }
}

/* The epilogue of a matrix-vector product: sum is a factor of a product with k = 1. */
static void finish_gemv(const job *w, size_t o, size_t n, const char *sum)
{
    const ox_gemm_plan *p = w->p;
    size_t elem = elem_size(p), nr = (size_t)p->tile->nr, mr = (size_t)p->tile->mr;
    double one64[64] = { 1 };
    float one32[64] = { 1 };
    const void *one = p->f64 ? (const void *)one64 : one32;
    ox_gemm_plan whole = *p;
    job v = *w;
    ox_tile t = { OX_TILE_INIT, .k = 1, .m = 1, .n = 1, .rs_a = 1, .a = one, .b = one };

    assert(nr <= OX_COUNT(one64));
    whole.n_kb = 1; /* one epilogue for all of k */
    v.p = &whole;
    for (size_t j = 0; j < n; j += p->swap ? mr : nr) {
        if (p->swap) {
            t.m = OX_MIN(mr, n - j);
            t.a = sum + j * elem;
        } else {
            t.n = OX_MIN(nr, n - j);
            t.b = sum + j * elem;
        }
        set_epilogue(&t, &v, 0, p->swap ? o + j : 0, p->swap ? 0 : o + j);
        p->tile->fn(&t);
    }
}

static void map_rows(const job *w, size_t i0, size_t i1, size_t j0, size_t j1)
{
    const ox_epilogue *ep = &w->args->ep;
    size_t elem = elem_size(w->p), ldc = w->args->ldc;
    for (size_t i = i0; i < i1; i++) {
        char *y = w->c + (i * ldc + j0) * elem;
        ep->map(j1 - j0, y, y, ep->params);
    }
}

static void run_block(void *ctx, int64_t block, int worker)
{
    job w = *(const job *)ctx;
    const ox_gemm_plan *p = w.p;
    const ox_gemm_args *args = w.args;
    size_t elem = elem_size(p), at = (size_t)block;
    size_t jb = at % p->n_nb, ib = at / p->n_nb % p->n_mb, q = at / p->n_nb / p->n_mb;
    size_t all = 0;

    (void)worker_scratch(p, &all); /* did not overflow in scratch_bytes */
    char *buf = w.scratch + (size_t)worker * all;
    w.a = (const char *)args->a + q * args->stride_a * (p->packed_a ? 1 : elem);
    w.b = (const char *)args->b + q * args->stride_b * (p->packed_b ? 1 : elem);
    w.c = (char *)args->c + q * args->stride_c * elem;
    w.residual = args->ep.residual;
    if (w.residual)
        w.residual += q * args->stride_residual * elem;
    w.bias_row = args->ep.bias_row;
    if (w.bias_row)
        w.bias_row += q * args->stride_bias_row * elem;

    size_t i0 = ib * p->mc, i1 = OX_MIN(p->m, i0 + p->mc);
    size_t j0 = jb * p->nc, j1 = OX_MIN(p->n, j0 + p->nc);
    if (p->path == OX_GEMM_TILES) {
        run_tiles(&w, i0, i1, j0, j1, buf);
    } else {
        double sum[384 + 64]; /* nc, and what a tile may read past it */
        size_t n_out = p->swap ? p->m : p->n, n = OX_MIN(p->nc, n_out - j0);
        memset((char *)sum + n * elem, 0, 64 * elem);
        run_gemv(&w, j0, n, buf, (char *)sum);
        finish_gemv(&w, j0, n, (const char *)sum);
        if (p->swap)
            i0 = j0, i1 = j0 + n, j0 = 0, j1 = 1;
    }
    if (args->ep.act == OX_ACT_MAP)
        map_rows(&w, i0, i1, j0, j1);
}

void ox_gemm_run(const ox_gemm_plan *p, const ox_gemm_args *args, void *scratch, ox_pool *pool)
{
    job w = { .p = p, .args = args, .scratch = scratch };
    size_t batch = args->batch == 0 ? 1 : args->batch;
    if (p->m == 0 || p->n == 0)
        return;
    ox_pool_run(pool, (int64_t)(batch * p->n_mb * p->n_nb), run_block, &w);
}
