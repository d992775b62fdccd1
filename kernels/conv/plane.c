/* Depthwise convolution on channels as they lie, for the kernels and strides that the micro-kernel knows:
 * one input channel a group, one or two dimensions.  depthwise.c serves the others. */
#include "kernels/conv/algo.h"

#include <string.h>

typedef struct job {
    const ox_conv_plan *p;
    const ox_conv_args *args;
    ox_conv_act act;
} job;

enum { BLOCK = 1 << 15 }; /* multiplications of a block, at least */

static bool fit(ox_conv_plan *p, uint32_t isa)
{
    size_t kh = p->k[1], step = p->stride[2];
    if (p->f64 || p->group != p->c || p->in[0] != 1 || p->out[0] != 1 || p->k[0] != 1 || p->pad[0] != 0 ||
        kh > 5 || kh % 2 == 0 || p->k[2] > 7 || (kh > 1 && p->dil[1] != 1) || (step != 1 && (step != 2 || p->dil[2] != 1)) ||
        (p->stride[1] != step && p->out[1] != 1) || OX_PRODUCT(p->n, p->c, p->out[1]) > INT64_MAX / 64 ||
        OX_PRODUCT(p->in[1], p->in[2]) > INT32_MAX || p->pad[1] > INT32_MAX || p->pad[2] > INT32_MAX ||
        OX_PRODUCT(p->k[2], p->dil[2]) > INT32_MAX || OX_PRODUCT(p->out[1], p->out[2]) > INT32_MAX)
        return false;
    /* Rows that half a vector holds: longer ones would straddle more cache lines. */
    p->uk_in = ox_uk_conv_pick(OX_UK_PLANE, p->out[2] <= 8 && step == 1 ? isa & ~(uint32_t)OX_ISA_AVX512 : isa);
    /* Some channels, or some rows of one. */
    size_t row = OX_MIN(p->out[2] * kh * p->k[2] * (p->m / p->c), BLOCK);
    size_t rows = ox_ceil_div(BLOCK, row);
    p->bh = OX_MIN(p->out[1], ox_round_up(rows, 8));
    p->n_bh = ox_ceil_div(p->out[1], p->bh);
    p->bm = OX_MIN(p->c, p->n_bh > 1 ? 1 : ox_ceil_div(rows, p->out[1]));
    p->n_bm = ox_ceil_div(p->c, p->bm);
    return true;
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

static size_t scratch_bytes(const ox_conv_plan *p, int n_workers)
{
    (void)p;
    (void)n_workers;
    return 0;
}

static void run_channel(const job *w, size_t image, size_t c, ox_plane *t)
{
    const ox_conv_plan *p = w->p;
    const ox_epilogue *ep = &w->args->ep;
    size_t mult = p->m / p->c, plane = p->out[1] * p->out[2], taps = ox_volume(p->k);
    t->x = (const float *)w->args->x + (image * p->c + c) * p->in[1] * p->in[2];
    for (size_t o = c * mult; o < (c + 1) * mult; o++) {
        size_t to = (image * p->m + o) * plane;
        t->w = (const float *)w->args->w + o * taps;
        t->bias = ep->bias_row ? ((const float *)ep->bias_row)[o] : 0;
        t->d = ep->residual ? (const float *)ep->residual + to : NULL;
        t->y = (float *)w->args->y + to;
        p->uk_in->fn.plane(t);
        if (ep->act == OX_ACT_MAP) {
            float *y = t->y + t->y0 * p->out[2];
            ep->map((t->y1 - t->y0) * p->out[2], y, y, ep->params);
        }
    }
}

static void run_block(void *ctx, int64_t block, int worker)
{
    const job *w = ctx;
    const ox_conv_plan *p = w->p;
    size_t at = (size_t)block, y0 = at % p->n_bh * p->bh, c0 = at / p->n_bh % p->n_bm * p->bm;
    size_t image = at / p->n_bh / p->n_bm;
    ox_plane t = { .height = p->in[1], .width = p->in[2], .top = p->pad[1], .left = p->pad[2],
                   .step = p->stride[2], .dil = p->dil[2], .kh = p->k[1], .kw = p->k[2],
                   .y0 = y0, .y1 = OX_MIN(p->out[1], y0 + p->bh), .n_cols = p->out[2], .act = w->act };
    (void)worker;
    for (size_t c = c0; c < OX_MIN(p->c, c0 + p->bm); c++)
        run_channel(w, image, c, &t);
}

static void run(const ox_conv_plan *p, const ox_conv_args *args, void *scratch, ox_pool *pool)
{
    job w = { .p = p, .args = args, .act = ox_conv_activation(&args->ep) };
    (void)scratch;
    ox_pool_run(pool, (int64_t)(p->n * p->n_bm * p->n_bh), run_block, &w);
}

const ox_conv_algo ox_conv_plane = { "depthwise_plane", fit, pack_bytes, pack, scratch_bytes, run };
