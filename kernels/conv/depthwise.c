/* Depthwise convolution: one input channel a group.  Each block copies a band of a channel (band.h)
 * and makes m / c output channels of it. */
#include "kernels/conv/band.h"

#include <string.h>

typedef struct job {
    const ox_conv_plan *p;
    const ox_conv_args *args;
    ox_conv_act act;
    ox_band band;
    int32_t *off;
    float *scratch;
} job;

static bool band_fit(const ox_conv_plan *p, size_t bh, ox_band *b)
{
    return ox_band_fit(p, bh, ox_round_up(p->out[2], 2 * OX_WINO_LANES), 0, b);
}

static bool fit(ox_conv_plan *p, uint32_t isa)
{
    ox_band b;
    if (p->f64 || p->group != p->c || OX_PRODUCT(p->n, p->c, p->out[0]) > INT64_MAX / 64)
        return false;
    p->uk_in = ox_uk_conv_pick(OX_UK_DEPTHWISE, isa);
    /* Rows: the band should stay in the level-1 cache. */
    for (p->bh = p->out[1]; p->bh > 8; p->bh = ox_ceil_div(p->bh, 2))
        if (band_fit(p, p->bh, &b) && b.channel <= 6144)
            break;
    p->bh = OX_MIN(p->out[1], ox_round_up(p->bh, 4));
    p->n_bh = ox_ceil_div(p->out[1], p->bh);
    return band_fit(p, p->bh, &b);
}

static size_t pack_bytes(const ox_conv_plan *p)
{
    return OX_PRODUCT(p->m, ox_volume(p->k), sizeof(float));
}
static void pack(const ox_conv_plan *p, const void *w, void *packed, ox_pool *pool)
{
    (void)pool;
    memcpy(packed, w, pack_bytes(p));
}

static size_t off_bytes(const ox_conv_plan *p)
{
    return ox_round_up(ox_volume(p->k) * sizeof(int32_t), 64);
}
static size_t scratch_bytes(const ox_conv_plan *p, int n_workers)
{
    ox_band b;
    if (!band_fit(p, p->bh, &b))
        return SIZE_MAX;
    return ox_conv_sum(off_bytes(p),
                       OX_PRODUCT((size_t)n_workers, ox_round_up(b.channel, 16), sizeof(float)));
}

static void run_block(void *ctx, int64_t block, int worker)
{
    const job *w = ctx;
    const ox_conv_plan *p = w->p;
    const ox_epilogue *ep = &w->args->ep;
    size_t at = (size_t)block, y0 = at % p->n_bh * p->bh, width = p->out[2], taps = ox_volume(p->k);
    at /= p->n_bh;
    size_t z = at % p->out[0], c = at / p->out[0] % p->c, image = at / p->out[0] / p->c;
    size_t mult = p->m / p->c, volume = ox_volume(p->in);
    float *band = w->scratch + (size_t)worker * ox_round_up(w->band.channel, 16);
    ox_depthwise t = { .x = band,
                       .step = w->band.step,
                       .off = w->off,
                       .n_taps = taps,
                       .n_cols = width,
                       .ldy = width,
                       .act = w->act };

    t.n_rows = OX_MIN(p->bh, p->out[1] - y0);
    ox_band_load(p, &w->band, (const float *)w->args->x + (image * p->c + c) * volume, z, y0, 0,
                 band);
    for (size_t o = c * mult; o < (c + 1) * mult; o++) {
        size_t to = (((image * p->m + o) * p->out[0] + z) * p->out[1] + y0) * width;
        t.w = (const float *)w->args->w + o * taps;
        t.bias = ep->bias_row ? ((const float *)ep->bias_row)[o] : 0;
        t.d = ep->residual ? (const float *)ep->residual + to : NULL;
        t.y = (float *)w->args->y + to;
        p->uk_in->fn.depthwise(&t);
        if (ep->act == OX_ACT_MAP)
            ep->map(t.n_rows * width, t.y, t.y, ep->params);
    }
}

static void run(const ox_conv_plan *p, const ox_conv_args *args, void *scratch, ox_pool *pool)
{
    job w = { .p = p, .args = args, .act = ox_conv_activation(&args->ep), .off = scratch };
    (void)band_fit(p, p->bh, &w.band); /* did fit */
    w.scratch = (float *)(void *)((char *)scratch + off_bytes(p));
    ox_band_offsets(p, &w.band, w.off);
    ox_pool_run(pool, (int64_t)(p->n * p->c * p->out[0] * p->n_bh), run_block, &w);
}

const ox_conv_algo ox_conv_depthwise = { "depthwise", fit, pack_bytes, pack, scratch_bytes, run };
