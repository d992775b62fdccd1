/* Convolution as a matrix product whose right operand, the patches of the input, is packed panel by
 * panel of nr output pixels just before it is used.  Pixels are counted across rows: short rows
 * waste nothing.  Any shape; the fall-back of all others. */
#include "kernels/conv/patch.h"

#include <string.h>

typedef struct job {
    const ox_conv_plan *p;
    const ox_conv_args *args;
    char *scratch;
    size_t worker, table; /* bytes: of each worker; of the table of one panel */
} job;

enum { PANELS = 8 }; /* of a block: a K block of the weights is read once for all of them */

static bool fit(ox_conv_plan *p, uint32_t isa)
{
    size_t nr = (size_t)p->tile->nr, pixels = ox_volume(p->out);
    p->uk_in = ox_uk_conv_pick(p->f64 ? OX_UK_PATCH_F64 : OX_UK_PATCH_F32, isa);
    if (OX_PRODUCT(p->in[0], p->in[1], p->in[2]) > INT32_MAX ||
        OX_PRODUCT(p->n, p->group, pixels) > INT64_MAX / 64 || ox_patch_bytes(p, nr) > INT32_MAX)
        return false;
    /* At least 8 blocks, by pixels first, then by output channels (which packs patches twice). */
    size_t panels = ox_ceil_div(pixels, nr), images = p->n * p->group;
    size_t want = ox_ceil_div(8, OX_MIN(8, images));
    p->n_bw = OX_MAX(ox_ceil_div(panels, PANELS), OX_MIN(want, panels));
    p->bw = ox_ceil_div(panels, p->n_bw) * nr;
    p->n_bw = ox_ceil_div(pixels, p->bw);
    p->n_bm = OX_MAX(1, OX_MIN(ox_ceil_div(want, p->n_bw), p->gemm.m / 256));
    p->bm = ox_round_up(ox_ceil_div(p->gemm.m, p->n_bm), p->gemm.mr);
    p->n_bm = ox_ceil_div(p->gemm.m, p->bm);
    p->n_bh = 1;
    p->bh = 1;
    return true;
}

static size_t panel_bytes(const ox_conv_plan *p)
{
    return ox_round_up(p->gemm.kc * (size_t)p->tile->nr * ox_conv_elem(p), 64);
}
static size_t worker_bytes(const ox_conv_plan *p) /* one worker's tables and panel */
{
    return p->bw / (size_t)p->tile->nr * ox_patch_bytes(p, (size_t)p->tile->nr) + panel_bytes(p);
}
static size_t scratch_bytes(const ox_conv_plan *p, int n_workers)
{
    return OX_PRODUCT((size_t)n_workers, worker_bytes(p));
}

static void run_block(void *ctx, int64_t block, int worker)
{
    const job *w = ctx;
    const ox_conv_plan *p = w->p;
    const ox_gemm_plan *q = &p->gemm;
    size_t at = (size_t)block, elem = ox_conv_elem(p), nr = (size_t)p->tile->nr, m = q->m;
    size_t i0 = at % p->n_bm * p->bm, j0 = at / p->n_bm % p->n_bw * p->bw;
    at = at / p->n_bm / p->n_bw;
    size_t g = at % p->group, image = at / p->group, pixels = ox_volume(p->out);
    size_t i1 = OX_MIN(m, i0 + p->bm), j1 = OX_MIN(pixels, j0 + p->bw), in = ox_volume(p->in);
    char *panel = w->scratch + (size_t)worker * w->worker, *tables = panel + panel_bytes(p);
    ox_tile t = { OX_TILE_INIT, .rs_a = 1, .ldb = nr, .b = panel };
    ox_patch patch[PANELS];

    for (size_t j = j0, n = 0; j < j1; j += nr, n++) {
        ox_patch_init(p, j, OX_MIN(j + nr, j1), tables + n * w->table, &patch[n]);
        patch[n].x =
            (const char *)w->args->x + (image * p->group + g) * (p->c / p->group) * in * elem;
        patch[n].ld = nr;
        patch[n].dst = panel;
    }
    for (size_t kb = 0; kb < q->n_kb; kb++) {
        size_t k0 = kb * q->kc;
        const char *a = (const char *)w->args->w + (g * q->k + k0) * m * elem;
        t.k = OX_MIN(q->kc, q->k - k0);
        for (size_t j = j0; j < j1; j += nr) {
            ox_patch *of = &patch[(j - j0) / nr];
            of->k0 = k0;
            of->k = t.k;
            p->uk_in->fn.patch(of);
            t.n = OX_MIN(nr, j1 - j);
            for (size_t i = i0; i < i1; i += q->mr) {
                size_t o = g * m + i;
                t.m = t.cs_a = OX_MIN(q->mr, i1 - i);
                t.a = a + i * t.k * elem;
                t.ahead = (const char *)t.a + t.k * t.m * elem;
                t.ahead_step = t.m * elem;
                ox_conv_epilogue(&t, p, w->args, kb, o, (image * p->m + o) * pixels + j);
                p->tile->fn(&t);
            }
        }
    }
    for (size_t i = i0; w->args->ep.act == OX_ACT_MAP && i < i1; i++) {
        char *y = (char *)w->args->y + ((image * p->m + g * m + i) * pixels + j0) * elem;
        w->args->ep.map(j1 - j0, y, y, w->args->ep.params);
    }
}

static void run(const ox_conv_plan *p, const ox_conv_args *args, void *scratch, ox_pool *pool)
{
    job w = { .p = p, .args = args, .scratch = scratch, .worker = worker_bytes(p) };
    w.table = ox_patch_bytes(p, (size_t)p->tile->nr);
    ox_pool_run(pool, (int64_t)(p->n * p->group * p->n_bm * p->n_bw), run_block, &w);
}

const ox_conv_algo ox_conv_im2col = {
    "im2col", fit, ox_conv_weights_bytes, ox_conv_weights_pack, scratch_bytes, run,
};

/* ---- 1 x 1 kernels: the input is the patch matrix ---- */

static bool fit_gemm(ox_conv_plan *p, uint32_t isa)
{
    for (int d = 0; d < OX_CONV_DIMS; d++)
        if (p->k[d] != 1 || p->stride[d] != 1 || p->pad[d] != 0 || p->in[d] != p->out[d])
            return false;
    if (OX_PRODUCT(p->out[0], p->out[1], p->out[2]) > INT64_MAX / 64)
        return false;
    p->gemm.n = ox_volume(p->out);
    p->gemm.packed_a = p->gemm.n > 1; /* one pixel: the weights are a matrix to stream as it is */
    ox_gemm_choose(&p->gemm, isa);
    return true;
}

static void pack_gemm(const ox_conv_plan *p, const void *w, void *packed, ox_pool *pool)
{
    if (p->gemm.packed_a)
        ox_conv_weights_pack(p, w, packed, pool);
    else
        memcpy(packed, w, ox_conv_weights_bytes(p));
}

static size_t scratch_gemm(const ox_conv_plan *p, int n_workers)
{
    return ox_gemm_scratch_bytes(&p->gemm, n_workers);
}

/* All groups of an image at once, or all images of the only group. */
static void run_gemm(const ox_conv_plan *p, const ox_conv_args *args, void *scratch, ox_pool *pool)
{
    const ox_gemm_plan *q = &p->gemm;
    size_t pixels = q->n, elem = ox_conv_elem(p), images = p->group > 1 ? p->n : 1;
    ox_gemm_args a = {
        .lda = q->k,
        .ldb = pixels,
        .ldc = pixels,
        .batch = p->group > 1 ? p->group : p->n,
        .stride_b = q->k * pixels,
        .stride_c = q->m * pixels,
        .stride_residual = q->m * pixels,
        .ep = args->ep,
    };
    a.a = args->w;
    a.ep.ld_residual = pixels;
    if (p->group > 1) {
        a.stride_a = q->m * q->k * (q->packed_a ? elem : 1);
        a.stride_bias_row = q->m;
    }
    for (size_t i = 0; i < images; i++) {
        a.b = (const char *)args->x + i * p->c * pixels * elem;
        a.c = (char *)args->y + i * p->m * pixels * elem;
        if (args->ep.residual)
            a.ep.residual = (const char *)args->ep.residual + i * p->m * pixels * elem;
        ox_gemm_run(q, &a, scratch, pool);
    }
}

const ox_conv_algo ox_conv_gemm = {
    "gemm_1x1", fit_gemm, ox_conv_weights_bytes, pack_gemm, scratch_gemm, run_gemm,
};
