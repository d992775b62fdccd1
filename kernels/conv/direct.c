/* Convolution as a matrix product whose right operand is never built: the tile kernel reads the
 * taps of 1 x nr output pixels of a row where they lie in a padded copy of the input (band.h),
 * through a table of offsets.  For rows long enough to fill vectors; any stride, dilation, padding,
 * group. */
#include "kernels/conv/band.h"

typedef struct job {
    const ox_conv_plan *p;
    const ox_conv_args *args;
    const ox_uk_gemm *tile;
    ox_band band;
    int32_t *off; /* gemm.k of them */
    char *scratch;
    size_t worker; /* bytes of scratch for each worker */
} job;

static const ox_uk_gemm *gather_kernel(const ox_conv_plan *p)
{
    return ox_uk_gemm_pick(OX_UK_GATHER, p->f64, p->tile->isa);
}

/* Bytes of a block's band; SIZE_MAX: overflow, or offsets past 2^31. */
static size_t band_bytes(const ox_conv_plan *p, size_t bh, size_t bw, ox_band *b)
{
    size_t nr = (size_t)p->tile->nr, elems;
    if (!ox_band_fit(p, bh, ox_round_up(bw, nr), 0, b))
        return SIZE_MAX;
    elems = OX_PRODUCT(p->c / p->group, b->channel);
    return elems > INT32_MAX ? SIZE_MAX : elems * ox_conv_elem(p);
}

static bool fit(ox_conv_plan *p, uint32_t isa)
{
    size_t nr = (size_t)p->tile->nr, planes = OX_PRODUCT(p->n, p->group, p->out[0]);
    ox_band b;
    (void)isa;
    if (planes > INT64_MAX / 64)
        return false;
    /* Columns: up to 512 at a time. */
    p->n_bw = ox_ceil_div(p->out[2], 512);
    p->bw = ox_round_up(ox_ceil_div(p->out[2], p->n_bw), nr);
    p->n_bw = ox_ceil_div(p->out[2], p->bw);
    /* Rows: as many as keep the band in about half a level-2 cache, but at least 16 blocks in all.
     */
    size_t want = ox_ceil_div(16, OX_MIN(16, planes * p->n_bw));
    p->bh = OX_MAX(OX_MIN(4, p->out[1]), p->out[1] / want);
    while (p->bh > 1 && band_bytes(p, p->bh, p->bw, &b) > (512 << 10))
        p->bh = p->bh / 2;
    p->n_bh = ox_ceil_div(p->out[1], p->bh);
    p->bm = p->gemm.m;
    p->n_bm = 1;
    return band_bytes(p, p->bh, p->bw, &b) != SIZE_MAX;
}

static size_t scratch_bytes(const ox_conv_plan *p, int n_workers)
{
    ox_band b;
    size_t band = band_bytes(p, p->bh, p->bw, &b), off = OX_PRODUCT(p->gemm.k, sizeof(int32_t));
    if (band > SIZE_MAX / 2 || off > SIZE_MAX / 2)
        return SIZE_MAX;
    return ox_conv_sum(ox_round_up(off, 64), OX_PRODUCT((size_t)n_workers, ox_round_up(band, 64)));
}

static void run_block(void *ctx, int64_t block, int worker)
{
    const job *w = ctx;
    const ox_conv_plan *p = w->p;
    const ox_gemm_plan *q = &p->gemm;
    size_t at = (size_t)block, elem = ox_conv_elem(p), nr = (size_t)p->tile->nr, m = q->m;
    size_t x0 = at % p->n_bw * p->bw, y0 = at / p->n_bw % p->n_bh * p->bh,
           channels = p->c / p->group;
    at = at / p->n_bw / p->n_bh;
    size_t z = at % p->out[0], g = at / p->out[0] % p->group, image = at / p->out[0] / p->group;
    size_t x1 = OX_MIN(p->out[2], x0 + p->bw), y1 = OX_MIN(p->out[1], y0 + p->bh);
    size_t volume = ox_volume(p->in), plane = p->out[1] * p->out[2];
    char *band = w->scratch + (size_t)worker * w->worker;
    ox_tile t = { OX_TILE_INIT, .rs_a = 1 };

    for (size_t c = 0; c < channels; c++) {
        const char *x =
            (const char *)w->args->x + ((image * p->group + g) * channels + c) * volume * elem;
        ox_band_load(p, &w->band, x, z, y0, x0, band + c * w->band.channel * elem);
    }
    for (size_t kb = 0; kb < q->n_kb; kb++) {
        size_t k0 = kb * q->kc;
        const char *a = (const char *)w->args->w + (g * q->k + k0) * m * elem;
        t.k = OX_MIN(q->kc, q->k - k0);
        t.off = w->off + k0;
        for (size_t y = y0; y < y1; y++)
            for (size_t x = x0; x < x1; x += nr) {
                t.n = OX_MIN(nr, x1 - x);
                t.b = band + ((y - y0) * w->band.step + (x - x0)) * elem;
                for (size_t i = 0; i < m; i += q->mr) {
                    size_t o = g * m + i, to = (image * p->m + o) * p->out[0] + z;
                    t.m = t.cs_a = OX_MIN(q->mr, m - i);
                    t.a = a + i * t.k * elem;
                    t.ahead = (const char *)t.a + t.k * t.m * elem;
                    t.ahead_step = t.m * elem;
                    ox_conv_epilogue(&t, p, w->args, kb, o, to * plane + y * p->out[2] + x);
                    w->tile->fn(&t);
                }
            }
    }
    for (size_t i = 0; w->args->ep.act == OX_ACT_MAP && i < m; i++)
        for (size_t y = y0; y < y1; y++) {
            size_t to = ((image * p->m + g * m + i) * p->out[0] + z) * plane + y * p->out[2] + x0;
            char *row = (char *)w->args->y + to * elem;
            w->args->ep.map(x1 - x0, row, row, w->args->ep.params);
        }
}

static void run(const ox_conv_plan *p, const ox_conv_args *args, void *scratch, ox_pool *pool)
{
    job w = { .p = p, .args = args, .tile = gather_kernel(p), .off = scratch };
    size_t taps = ox_volume(p->k), bytes = band_bytes(p, p->bh, p->bw, &w.band);

    w.scratch = (char *)scratch + ox_round_up(p->gemm.k * sizeof(int32_t), 64);
    w.worker = ox_round_up(bytes, 64);
    ox_band_offsets(p, &w.band, w.off);
    for (size_t i = taps; i < p->gemm.k; i++)
        w.off[i] = w.off[i - taps] + (int32_t)w.band.channel;
    ox_pool_run(pool, (int64_t)(p->n * p->group * p->out[0] * p->n_bh * p->n_bw), run_block, &w);
}

const ox_conv_algo ox_conv_direct = {
    "direct", fit, ox_conv_weights_bytes, ox_conv_weights_pack, scratch_bytes, run,
};
