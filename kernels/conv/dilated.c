/* Winograd for dilated kernels.  Outputs whose positions leave the same remainders by the dilation read inputs
 * that do so, too: each such phase is an image of its own under the undilated kernel.  The phases are laid out
 * as images of one batch, which any of Winograd's algorithms takes; zeros fill what the last ones lack. */
#include "kernels/conv/algo.h"

#include <string.h>

typedef struct job {
    const ox_conv_plan *p;
    const float *from;
    float *to;
    const size_t *size, *part; /* [OX_CONV_DIMS]: of an image, of a phase's */
    size_t channels;
} job;

static const ox_conv_algo *inner_algo(const ox_conv_plan *p)
{
    return p->algo == &ox_conv_dilated4          ? &ox_conv_winograd4
           : p->algo == &ox_conv_dilated4_turned ? &ox_conv_winograd4_turned
                                                 : &ox_conv_winograd2_turned;
}

/* The shape of the phases' convolution; false: there is none. */
bool ox_conv_phases_of(const ox_conv_plan *p, ox_conv_plan *q)
{
    size_t n_phases = p->dil[1] * p->dil[2];
    if (p->f64 || p->in[0] != 1 || p->out[0] != 1 || p->k[0] != 1 || p->pad[0] || n_phases < 2 || n_phases > 1024 ||
        OX_PRODUCT(p->n, n_phases) > SIZE_MAX / 64)
        return false;
    *q = *p;
    q->n = p->n * n_phases;
    for (int d = 1; d < OX_CONV_DIMS; d++) {
        if (p->pad[d] % p->dil[d])
            return false;
        q->in[d] = ox_ceil_div(p->in[d], p->dil[d]);
        q->out[d] = ox_ceil_div(p->out[d], p->dil[d]);
        q->pad[d] = p->pad[d] / p->dil[d];
        q->dil[d] = 1;
    }
    return true;
}

/* All choices are the inner convolution's, so that it can be made of the plan again. */
static bool fit(ox_conv_plan *p, uint32_t isa)
{
    ox_conv_plan q, shape = *p;
    if (!ox_conv_phases_of(p, &q) || !ox_conv_use(&q, inner_algo(p), isa))
        return false;
    *p = q;
    p->algo = shape.algo;
    p->n = shape.n;
    memcpy(p->in, shape.in, sizeof(p->in));
    memcpy(p->out, shape.out, sizeof(p->out));
    memcpy(p->dil, shape.dil, sizeof(p->dil));
    memcpy(p->pad, shape.pad, sizeof(p->pad));
    return true;
}

static ox_conv_plan inner(const ox_conv_plan *p)
{
    ox_conv_plan q;
    (void)ox_conv_phases_of(p, &q); /* it fits */
    q.algo = inner_algo(p);
    return q;
}

static size_t pack_bytes(const ox_conv_plan *p)
{
    ox_conv_plan q = inner(p);
    return ox_conv_pack_bytes(&q);
}

static void pack(const ox_conv_plan *p, const void *w, void *packed, ox_pool *pool)
{
    ox_conv_plan q = inner(p);
    ox_conv_pack(&q, w, packed, pool);
}

/* Bytes of the phases of x and of y, in whole cache lines. */
static bool sizes(const ox_conv_plan *q, size_t *x, size_t *y)
{
    *x = OX_PRODUCT(q->n, q->c, ox_volume(q->in), sizeof(float));
    *y = OX_PRODUCT(q->n, q->m, ox_volume(q->out), sizeof(float));
    if (*x > SIZE_MAX / 4 || *y > SIZE_MAX / 4)
        return false;
    *x = ox_round_up(*x, 64);
    *y = ox_round_up(*y, 64);
    return true;
}

static size_t scratch_bytes(const ox_conv_plan *p, int n_workers)
{
    ox_conv_plan q = inner(p);
    size_t x, y;
    return sizes(&q, &x, &y) ? ox_conv_sum(x + y, ox_conv_scratch_bytes(&q, n_workers)) : SIZE_MAX;
}

/* One channel of one image to its phases, (y, x) within (n, phase y, phase x, channel). */
static void split(void *ctx, int64_t block, int worker)
{
    const job *j = ctx;
    size_t dy = j->p->dil[1], dx = j->p->dil[2], h = j->size[1], w = j->size[2], ph = j->part[1], pw = j->part[2];
    size_t n = (size_t)block / j->channels, c = (size_t)block % j->channels;
    const float *from = j->from + (size_t)block * h * w;
    (void)worker;
    for (size_t py = 0; py < dy; py++)
        for (size_t px = 0; px < dx; px++) {
            float *to = j->to + (((n * dy + py) * dx + px) * j->channels + c) * ph * pw;
            size_t width = px < w ? (w - px + dx - 1) / dx : 0;
            for (size_t y = 0; y < ph; y++, to += pw) {
                const float *row = from + (y * dy + py) * w + px;
                size_t there = y * dy + py < h ? width : 0;
                for (size_t x = 0; x < there; x++)
                    to[x] = row[x * dx];
                memset(to + there, 0, (pw - there) * sizeof(*to));
            }
        }
}

/* And back. */
static void join(void *ctx, int64_t block, int worker)
{
    const job *j = ctx;
    size_t dy = j->p->dil[1], dx = j->p->dil[2], h = j->size[1], w = j->size[2], ph = j->part[1], pw = j->part[2];
    size_t n = (size_t)block / j->channels, c = (size_t)block % j->channels;
    (void)worker;
    for (size_t y = 0; y < h; y++) {
        float *row = j->to + ((size_t)block * h + y) * w;
        for (size_t px = 0; px < OX_MIN(dx, w); px++) {
            const float *from =
                j->from + ((((n * dy + y % dy) * dx + px) * j->channels + c) * ph + y / dy) * pw;
            for (size_t x = px; x < w; x += dx)
                row[x] = *from++;
        }
    }
}

static void run(const ox_conv_plan *p, const ox_conv_args *args, void *scratch, ox_pool *pool)
{
    ox_conv_plan q = inner(p);
    size_t x_bytes = 0, y_bytes = 0;
    (void)sizes(&q, &x_bytes, &y_bytes); /* did not overflow in scratch_bytes */
    float *x = scratch, *y = (float *)((char *)scratch + x_bytes);
    ox_conv_args phases = *args;
    phases.x = x;
    phases.y = y;
    job j = { p, args->x, x, p->in, q.in, p->c };
    ox_pool_run(pool, (int64_t)(p->n * p->c), split, &j);
    if (args->ep.residual) {
        phases.ep.residual = y;
        j = (job){ p, args->ep.residual, y, p->out, q.out, p->m };
        ox_pool_run(pool, (int64_t)(p->n * p->m), split, &j);
    }
    ox_conv_run(&q, &phases, (char *)scratch + x_bytes + y_bytes, pool);
    j = (job){ p, y, args->y, p->out, q.out, p->m };
    ox_pool_run(pool, (int64_t)(p->n * p->m), join, &j);
}

#define DILATED(symbol, name)                                                                      \
    const ox_conv_algo symbol = { name, fit, pack_bytes, pack, scratch_bytes, run };
DILATED(ox_conv_dilated4, "winograd_f4x3_dilated")
DILATED(ox_conv_dilated4_turned, "winograd_f4x3_turned_dilated")
DILATED(ox_conv_dilated2_turned, "winograd_f2x3_turned_dilated")
