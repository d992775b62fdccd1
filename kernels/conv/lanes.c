/* Depthwise convolution with channels in the lanes, for images whose rows would leave lanes empty: a vector of
 * channels is turned into a buffer with its padding, convolved there, and turned back on its way into y. */
#include "kernels/conv/algo.h"

#include <string.h>

enum { LANES = OX_WINO_LANES, BLOCK = 1 << 15 /* multiplications of a block, at least */ };

typedef struct job {
    const ox_conv_plan *p;
    const ox_conv_args *args;
    float *scratch;
} job;

/* Rows and columns of the buffer: what the outputs read. */
static size_t reach(const ox_conv_plan *p, int d) { return (p->out[d] - 1) * p->stride[d] + (p->k[d] - 1) * p->dil[d] + 1; }

static bool fit(ox_conv_plan *p, uint32_t isa)
{
    size_t taps = OX_PRODUCT(p->k[1], p->k[2]), out = OX_PRODUCT(p->out[1], p->out[2]);
    if (p->f64 || p->group != p->c || p->m != p->c || p->in[0] != 1 || p->out[0] != 1 || p->k[0] != 1 ||
        p->pad[0] != 0 || p->stride[2] > 2 || taps > 1024 || out > 1 << 20 || OX_PRODUCT(p->in[1], p->in[2]) > 1 << 20 ||
        OX_PRODUCT(p->stride[1], p->out[1]) > 1 << 12 || p->out[2] > 1 << 12 || OX_PRODUCT(p->dil[1], p->k[1]) > 1 << 10 ||
        OX_PRODUCT(p->dil[2], p->k[2]) > 1 << 10 || OX_PRODUCT(p->n, p->c, out) > INT64_MAX / 64)
        return false;
    p->uk_in = ox_uk_conv_pick(OX_UK_SPREAD, isa);
    p->uk_mid = ox_uk_conv_pick(OX_UK_LANES, isa);
    p->uk_out = ox_uk_conv_pick(OX_UK_TURN, isa);
    p->bm = OX_MIN(ox_round_up(p->c, LANES), LANES * ox_ceil_div(BLOCK, LANES * taps * out));
    p->n_bm = ox_ceil_div(p->c, p->bm);
    return true;
}

/* Groups of LANES channels; in each, tap after tap, zeros behind the last channel. */
static size_t pack_bytes(const ox_conv_plan *p)
{
    return OX_PRODUCT(ox_round_up(p->c, LANES), p->k[1], p->k[2], sizeof(float));
}
static void pack(const ox_conv_plan *p, const void *w, void *packed, ox_pool *pool)
{
    size_t taps = p->k[1] * p->k[2];
    float *to = packed;
    (void)pool;
    for (size_t c = 0; c < ox_round_up(p->c, LANES); c++)
        for (size_t q = 0; q < taps; q++)
            to[(c / LANES * taps + q) * LANES + c % LANES] = c < p->c ? ((const float *)w)[c * taps + q] : 0;
}

/* Floats of the parts of one worker's scratch: the buffer, with one pixel for what no output reads; outputs;
 * offsets of taps, and of pixels. */
typedef struct parts {
    size_t buffer, product, off, to, all;
} parts;
static parts sizes(const ox_conv_plan *p)
{
    parts s = { .buffer = (reach(p, 1) * reach(p, 2) + 1) * LANES, .product = p->out[1] * p->out[2] * LANES };
    s.off = ox_round_up(p->k[1] * p->k[2], LANES);
    s.to = ox_round_up(p->in[1] * p->in[2], LANES);
    s.all = s.buffer + s.product + s.off + s.to;
    return s;
}
static size_t scratch_bytes(const ox_conv_plan *p, int n_workers)
{
    return OX_PRODUCT((size_t)n_workers, sizes(p).all, sizeof(float));
}

/* Where taps lie behind an output's first one, and input pixels in the buffer; its padding. */
static void lay_out(const ox_conv_plan *p, float *buffer, int32_t *off, int32_t *to)
{
    size_t height = reach(p, 1), width = reach(p, 2);
    memset(buffer, 0, sizes(p).buffer * sizeof(float));
    for (size_t q = 0; q < p->k[1] * p->k[2]; q++)
        off[q] = (int32_t)((q / p->k[2] * p->dil[1] * width + q % p->k[2] * p->dil[2]) * LANES);
    for (size_t y = 0; y < p->in[1]; y++)
        for (size_t x = 0; x < p->in[2]; x++, to++) {
            bool read = y + p->pad[1] < height && x + p->pad[2] < width;
            *to = (int32_t)((read ? (y + p->pad[1]) * width + x + p->pad[2] : height * width) * LANES);
        }
}

static void turn_out(const job *w, size_t image, size_t c, size_t n, const float *product)
{
    const ox_conv_plan *p = w->p;
    const ox_epilogue *ep = &w->args->ep;
    size_t pixels = p->out[1] * p->out[2], at = (image * p->c + c) * pixels;
    ox_turn t = { .c = product, .ldc = LANES, .m = n, .n = pixels, .ldy = pixels };
    t.bias = ep->bias_row ? (const float *)ep->bias_row + c : NULL;
    t.d = ep->residual ? (const float *)ep->residual + at : NULL;
    t.y = (float *)w->args->y + at;
    t.act = ox_conv_activation(ep);
    p->uk_out->fn.turn(&t);
    if (ep->act == OX_ACT_MAP)
        ep->map(n * pixels, t.y, t.y, ep->params);
}

static void run_block(void *ctx, int64_t block, int worker)
{
    const job *w = ctx;
    const ox_conv_plan *p = w->p;
    const parts s = sizes(p);
    size_t image = (size_t)block / p->n_bm, c0 = (size_t)block % p->n_bm * p->bm, plane = p->in[1] * p->in[2];
    float *buffer = w->scratch + (size_t)worker * s.all, *product = buffer + s.buffer;
    int32_t *off = (int32_t *)(void *)(product + s.product), *to = off + s.off;
    ox_spread in = { .plane = plane, .n = plane, .to = to, .y = buffer };
    ox_lanes t = { .step = p->stride[2], .off = off, .n_taps = p->k[1] * p->k[2], .n_cols = p->out[2] };

    lay_out(p, buffer, off, to);
    for (size_t c = c0; c < OX_MIN(p->c, c0 + p->bm); c += LANES) {
        in.n_ch = OX_MIN(LANES, p->c - c);
        in.x = (const float *)w->args->x + (image * p->c + c) * plane;
        p->uk_in->fn.spread(&in);
        t.w = (const float *)w->args->w + c * t.n_taps;
        for (size_t y = 0; y < p->out[1]; y++) {
            t.x = buffer + y * p->stride[1] * reach(p, 2) * LANES;
            t.y = product + y * p->out[2] * LANES;
            p->uk_mid->fn.lanes(&t);
        }
        turn_out(w, image, c, in.n_ch, product);
    }
}

static void run(const ox_conv_plan *p, const ox_conv_args *args, void *scratch, ox_pool *pool)
{
    job w = { .p = p, .args = args, .scratch = scratch };
    ox_pool_run(pool, (int64_t)(p->n * p->n_bm), run_block, &w);
}

const ox_conv_algo ox_conv_lanes = { "depthwise_lanes", fit, pack_bytes, pack, scratch_bytes, run };
