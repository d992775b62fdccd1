/* Winograd convolution, F(4x4,3x3) and F(2x2,3x3), with channels in the lanes, so that images of any width fill
 * them: see winograd.c, which holds the errors, too.
 *
 * A row of V and M is a tile: all positions of all its channels.  For each position the channels are mixed by a
 * matrix product with the transformed weights, M = V U.  A block is a run of tiles short enough for its V and M
 * to stay in the level-2 cache, and long enough to be worth reading U. */
#include "kernels/conv/algo.h"

/* Channels summed in one go. */
static size_t run_of(const ox_conv_plan *p) { return p->step == 4 ? OX_WINO4_RUN : 64; }

typedef struct job {
    const ox_conv_plan *p;
    const ox_conv_args *args;
    ox_conv_act act;
    size_t g;                /* the group */
    size_t tiles_y, tiles_x; /* of one image */
    size_t pos_v, pos_m;     /* floats from one position of a tile to the next */
    size_t tile_v, tile_m;   /* and from one tile to the next */
    float *scratch, *v, *m;
    size_t worker; /* floats of scratch for each worker */
} job;

static size_t positions(const ox_conv_plan *p) { return (p->step + 2) * (p->step + 2); }
static size_t tiles_of(const ox_conv_plan *p) /* of the whole batch */
{
    return p->n * ox_ceil_div(p->out[1], p->step) * ox_ceil_div(p->out[2], p->step);
}

/* ---- shape ---- */

/* Floats from one position to the next, whole vectors; and from one tile to the next, an odd number of
 * cache lines, or the rows of a product would fight for one set. */
static size_t pos_floats(size_t channels) { return ox_round_up(channels, OX_WINO_LANES); }
static size_t tile_floats(const ox_conv_plan *p, size_t channels)
{
    return OX_PRODUCT(positions(p), pos_floats(channels)) / 32 * 32 + 16;
}

/* Tiles of a block: V and M in about a megabyte, but at least four panels where U is read from afar. */
static void fit_blocks(ox_conv_plan *p, size_t all)
{
    enum { CACHE = 1 << 20, BLOCKS = 6 };
    size_t c = p->gemm.k, m = p->gemm.m, mr = (size_t)p->tile->mr;
    size_t tile = (tile_floats(p, c) + tile_floats(p, m)) * sizeof(float);
    size_t least = positions(p) * c * m * sizeof(float) > CACHE ? 4 : 1;
    size_t panels = OX_MAX(least, OX_MIN(8, CACHE / tile / mr));
    panels = OX_MAX(least, OX_MIN(panels, all / (BLOCKS * mr)));
    p->bw = panels * mr;
    p->n_bw = ox_ceil_div(all, p->bw);
    p->staged = p->n_bw < BLOCKS;
    if (p->staged)
        p->bw = all, p->n_bw = 1;
}

static bool fit(ox_conv_plan *p, uint32_t isa, size_t step)
{
    if (!ox_wino_fits(p))
        return false;
    p->step = step;
    p->uk_in = ox_uk_conv_pick(step == 4 ? OX_UK_WINOC4_IN : OX_UK_WINOC2_IN, isa);
    p->uk_out = ox_uk_conv_pick(step == 4 ? OX_UK_WINOC4_OUT : OX_UK_WINOC2_OUT, isa);
    p->gemm.k = p->c / p->group; /* each position's product */
    size_t all = OX_PRODUCT(p->n, ox_ceil_div(p->out[1], step), ox_ceil_div(p->out[2], step));
    if (all > SIZE_MAX / 64 || OX_PRODUCT(positions(p), p->c, p->m, sizeof(float)) > SIZE_MAX / 64)
        return false;
    fit_blocks(p, all);
    return true;
}
static bool fit4(ox_conv_plan *p, uint32_t isa) { return fit(p, isa, 4); }
static bool fit2(ox_conv_plan *p, uint32_t isa) { return fit(p, isa, 2); }

static size_t panels_of(const ox_conv_plan *p) { return ox_ceil_div(p->gemm.m, (size_t)p->tile->nr); }

static size_t pack_bytes(const ox_conv_plan *p)
{
    return OX_PRODUCT(positions(p), p->group, panels_of(p), (size_t)p->tile->nr, p->gemm.k, sizeof(float));
}

/* U: group after group, position after position; in each, panels of nr output channels, c / group x nr,
 * zeros behind the last channel. */
typedef struct packing {
    const ox_conv_plan *p;
    const float *w;
    float *u;
    size_t n_parts; /* of a panel's channels */
} packing;

enum { PART = 64, LANES = OX_WINO_LANES }; /* input channels of a block; kernels transformed together */

static void pack_block(void *ctx, int64_t block, int worker)
{
    const packing *t = ctx;
    const ox_gemm_plan *q = &t->p->gemm;
    size_t nr = (size_t)t->p->tile->nr, panels = panels_of(t->p), one = panels * nr * q->k;
    size_t at = (size_t)block, c0 = at % t->n_parts * PART, j0 = at / t->n_parts % panels * nr;
    size_t g = at / t->n_parts / panels;
    const float *w = t->w + (g * q->m + j0) * q->k * 9;
    float *u = t->u + g * positions(t->p) * one + j0 * q->k;
    (void)worker;
    for (size_t c = c0; c < OX_MIN(q->k, c0 + PART); c++)
        for (size_t o = 0; o < nr; o += LANES) {
            double k3[9][LANES] = { { 0 } };
            for (size_t l = 0; l < OX_MIN(LANES, nr - o) && j0 + o + l < q->m; l++)
                for (size_t i = 0; i < 9; i++)
                    k3[i][l] = (double)w[((o + l) * q->k + c) * 9 + i];
            ox_wino_kernels(t->p->step, k3, OX_MIN(LANES, nr - o), u + c * nr + o, one);
        }
}

static void pack(const ox_conv_plan *p, const void *w, void *packed, ox_pool *pool)
{
    packing t = { .p = p, .w = w, .u = packed, .n_parts = ox_ceil_div(p->gemm.k, PART) };
    ox_pool_run(pool, (int64_t)(p->group * panels_of(p) * t.n_parts), pack_block, &t);
}

enum { STRETCH = 62 }; /* columns of a stretch of tiles: with those behind them four vectors of 16 */

/* Floats of V, of M, and of one worker's lines. */
static bool sizes(const ox_conv_plan *p, job *w, size_t *v, size_t *m, size_t *line)
{
    w->pos_v = pos_floats(p->gemm.k);
    w->pos_m = pos_floats(p->gemm.m);
    w->tile_v = tile_floats(p, p->gemm.k);
    w->tile_m = tile_floats(p, p->gemm.m);
    *v = OX_PRODUCT(p->bw, w->tile_v);
    *m = OX_PRODUCT(p->bw, w->tile_m);
    *line = OX_WINOC_LINE(p->step, STRETCH / p->step);
    return *v <= SIZE_MAX / 16 && *m <= SIZE_MAX / 16;
}

static size_t scratch_bytes(const ox_conv_plan *p, int n_workers)
{
    job w;
    size_t v, m, line;
    if (!sizes(p, &w, &v, &m, &line))
        return SIZE_MAX;
    size_t shared = p->staged ? v + m : 0, each = p->staged ? line : v + m + line;
    return OX_PRODUCT(sizeof(float), ox_conv_sum(shared, OX_PRODUCT((size_t)n_workers, each)));
}

/* ---- the stages, each over tiles [t0, t1) of the batch ---- */

/* A stretch of tiles in one row of one image. */
typedef struct stretch {
    size_t image, ty, tx, n;
} stretch;

static stretch stretch_at(const job *w, size_t t, size_t t1)
{
    size_t row = t / w->tiles_x;
    stretch s = { row / w->tiles_y, row % w->tiles_y, t % w->tiles_x, 0 };
    s.n = OX_MIN(OX_MIN(w->tiles_x - s.tx, t1 - t), STRETCH / w->p->step);
    return s;
}

/* Input channels c0.. of the group */
static void input_stage(const job *w, size_t t0, size_t t1, size_t c0, size_t c1, float *line)
{
    const ox_conv_plan *p = w->p;
    size_t step = p->step, height = p->in[1], width = p->in[2], n;
    for (size_t t = t0; t < t1; t += n) {
        stretch s = stretch_at(w, t, t1);
        size_t channel = s.image * p->c + w->g * p->gemm.k + c0;
        const float *x = (const float *)w->args->x + channel * height * width;
        size_t first = s.tx * step, need = s.n * step + 2; /* columns, counted with the padding */
        size_t skip = first > p->pad[2] ? first - p->pad[2] : 0;
        ox_winoc_in in = { .n_tiles = s.n, .line = line, .plane = height * width, .n_ch = c1 - c0 };
        n = s.n;
        in.v = w->v + (t - t0) * w->tile_v + c0;
        in.stride = w->pos_v;
        in.tile = w->tile_v;
        in.lead = first < p->pad[2] ? OX_MIN(p->pad[2] - first, need) : 0;
        if (skip < width)
            in.n_cols = OX_MIN(width - skip, need - in.lead);
        for (size_t i = 0; i < step + 2; i++) {
            size_t y = s.ty * step + i; /* counted with the padding */
            if (y >= p->pad[1] && y - p->pad[1] < height && in.n_cols > 0)
                in.row[i] = x + (y - p->pad[1]) * width + skip;
        }
        p->uk_in->fn.winoc_in(&in);
    }
}

/* M = V U for one position; n tiles. */
static void product_stage(const job *w, size_t pos, size_t n)
{
    const ox_conv_plan *p = w->p;
    size_t nr = (size_t)p->tile->nr, mr = (size_t)p->tile->mr, m = p->gemm.m, k = p->gemm.k;
    size_t n_rows = ox_ceil_div(n, mr), rows = ox_ceil_div(n, n_rows); /* tiles in equal parts */
    const float *u = (const float *)w->args->w + (w->g * positions(p) + pos) * panels_of(p) * nr * k;
    ox_tile t = { OX_TILE_INIT, .rs_a = w->tile_v, .cs_a = 1, .ldb = nr, .ldc = w->tile_m, .k = k };

    t.run = run_of(p);
    t.ahead_step = ox_ceil_div(nr, n_rows) * sizeof(float);
    for (size_t j = 0; j < m; j += nr, u += nr * k) {
        t.n = OX_MIN(nr, m - j);
        t.b = u;
        t.ahead = (const char *)(u + nr * k); /* the next panel: a share of it for each tile */
        for (size_t i = 0; i < n; i += rows) {
            t.m = OX_MIN(rows, n - i);
            t.a = w->v + i * w->tile_v + pos * w->pos_v;
            t.c = w->m + i * w->tile_m + pos * w->pos_m + j;
            p->tile->fn(&t);
            t.ahead = (const char *)t.ahead + k * t.ahead_step;
        }
    }
}

/* Output channels o0.. of the group */
static void output_stage(const job *w, size_t t0, size_t t1, size_t o0, size_t o1, float *line)
{
    const ox_conv_plan *p = w->p;
    const ox_epilogue *ep = &w->args->ep;
    size_t step = p->step, height = p->out[1], width = p->out[2], n, channel = w->g * p->gemm.m + o0;
    for (size_t t = t0; t < t1; t += n) {
        stretch s = stretch_at(w, t, t1);
        size_t at = ((s.image * p->m + channel) * height + s.ty * step) * width + s.tx * step;
        ox_winoc_out out = { .n_tiles = s.n, .ldy = width, .plane = height * width, .line = line };
        n = s.n;
        out.act = w->act;
        out.n_ch = o1 - o0;
        out.m = w->m + (t - t0) * w->tile_m + o0;
        out.stride = w->pos_m;
        out.tile = w->tile_m;
        out.n_rows = OX_MIN(step, height - s.ty * step);
        out.n_cols = OX_MIN(s.n * step, width - s.tx * step);
        out.bias = ep->bias_row ? (const float *)ep->bias_row + channel : NULL;
        out.d = ep->residual ? (const float *)ep->residual + at : NULL;
        out.y = (float *)w->args->y + at;
        p->uk_out->fn.winoc_out(&out);
        for (size_t r = 0; ep->act == OX_ACT_MAP && r < out.n_ch * out.n_rows; r++) {
            float *y = out.y + r / out.n_rows * out.plane + r % out.n_rows * width;
            ep->map(out.n_cols, y, y, ep->params);
        }
    }
}

/* ---- running ---- */

static void run_block(void *ctx, int64_t block, int worker)
{
    job w = *(const job *)ctx;
    const ox_conv_plan *p = w.p;
    size_t t0 = (size_t)block * p->bw, t1 = OX_MIN(t0 + p->bw, tiles_of(p));
    float *line = w.scratch + (size_t)worker * w.worker;

    w.v = line + w.worker - p->bw * (w.tile_v + w.tile_m);
    w.m = w.v + p->bw * w.tile_v;
    input_stage(&w, t0, t1, 0, p->gemm.k, line);
    for (size_t pos = 0; pos < positions(p); pos++)
        product_stage(&w, pos, t1 - t0);
    output_stage(&w, t0, t1, 0, p->gemm.m, line);
}

enum { CHANNELS = OX_WINO_LANES }; /* of one block of the input and output stages */

static void run_input(void *ctx, int64_t block, int worker)
{
    const job *w = ctx;
    size_t c = (size_t)block * CHANNELS;
    input_stage(w, 0, tiles_of(w->p), c, OX_MIN(w->p->gemm.k, c + CHANNELS),
                w->scratch + (size_t)worker * w->worker);
}
static void run_product(void *ctx, int64_t block, int worker)
{
    const job *w = ctx;
    (void)worker;
    product_stage(w, (size_t)block, tiles_of(w->p));
}
static void run_output(void *ctx, int64_t block, int worker)
{
    const job *w = ctx;
    size_t o = (size_t)block * CHANNELS;
    output_stage(w, 0, tiles_of(w->p), o, OX_MIN(w->p->gemm.m, o + CHANNELS),
                 w->scratch + (size_t)worker * w->worker);
}

static void run(const ox_conv_plan *p, const ox_conv_args *args, void *scratch, ox_pool *pool)
{
    job w = { .p = p, .args = args, .act = ox_conv_activation(&args->ep), .scratch = scratch };
    size_t v, m, line;

    (void)sizes(p, &w, &v, &m, &line); /* did not overflow in scratch_bytes */
    w.tiles_y = ox_ceil_div(p->out[1], p->step);
    w.tiles_x = ox_ceil_div(p->out[2], p->step);
    if (p->staged) {
        w.v = scratch;
        w.m = w.v + v;
        w.scratch = w.m + m;
        w.worker = line;
    } else {
        w.worker = line + v + m;
    }
    for (w.g = 0; w.g < p->group; w.g++) {
        if (!p->staged) {
            ox_pool_run(pool, (int64_t)p->n_bw, run_block, &w);
            continue;
        }
        ox_pool_run(pool, (int64_t)ox_ceil_div(p->gemm.k, CHANNELS), run_input, &w);
        ox_pool_run(pool, (int64_t)positions(p), run_product, &w);
        ox_pool_run(pool, (int64_t)ox_ceil_div(p->gemm.m, CHANNELS), run_output, &w);
    }
}

const ox_conv_algo ox_conv_winograd4_turned = {
    "winograd_f4x3_turned", fit4, pack_bytes, pack, scratch_bytes, run
};
const ox_conv_algo ox_conv_winograd2_turned = {
    "winograd_f2x3_turned", fit2, pack_bytes, pack, scratch_bytes, run
};
