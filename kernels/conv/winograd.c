/* Winograd convolution, F(4x4,3x3), for 3x3 kernels of stride 1 on images whose rows of tiles fill vectors;
 * winograd_turned.c serves the others, and F(2x2,3x3).
 *
 * The output is cut into tiles of step x step, whose step + 2 square inputs are transformed (V), so
 * that for each of their (step + 2)^2 positions the channels are mixed by a matrix product with the
 * transformed weights (M = U V); a second transformation turns M into output.  A block is a run of
 * tiles short enough for its V and M to stay in the level-2 cache.  Where there are too few tiles
 * for that to occupy threads, the three stages are run one after the other over all tiles.
 *
 * Error.  With n = c / group products a position, for each output
 *   |y - exact| <= u * (n + E) * mag,  mag = |A^T| [ sum (|G| |g| |G^T|) . (|B^T| |d| |B|) ] |A|,
 * E = 20 covering the transformations (kerncheck uses 5 to 8 % of it).  mag exceeds the direct sum
 * of |x| |w|; measured against float64 on 128 x 128 pixels, 16 output channels, weights and inputs
 * N(0,1), the largest error over max |y| in units of u = 2^-24 is n = 64   n = 512 direct (gemm's K
 * blocks)             10.4      6.9 F(2x2)                                5.8      5.0 F(4x4), sums
 * in runs of 16           23.6     31.9 F(4x4), sums in runs of 64           34.9     28.2 and, on
 * real weights, the super-resolution network ends with an error of 3.2e-6 computed directly and
 * of 3.5e-6 with F(4x4) in its two large layers (4.1e-6 with runs of 64). */
#include "kernels/conv/algo.h"
#include "kernels/conv/winograd.h"

#include <string.h>

enum { STEP = 4, POSITIONS = (STEP + 2) * (STEP + 2), AHEAD = 2 /* channels to prefetch */ };

typedef struct job {
    const ox_conv_plan *p;
    const ox_conv_args *args;
    ox_conv_act act;
    size_t g;                /* the group */
    size_t tiles_y, tiles_x; /* of one image */
    size_t ld;               /* tiles in a row of V and M */
    size_t pos_v, pos_m;     /* floats from one position to the next */
    float *scratch, *v, *m;
    size_t worker; /* floats of scratch for each worker */
} job;

static size_t tiles_of(const ox_conv_plan *p) /* of the whole batch */
{
    return p->n * ox_ceil_div(p->out[1], p->step) * ox_ceil_div(p->out[2], p->step);
}

/* ---- shape ---- */

bool ox_wino_fits(const ox_conv_plan *p)
{
    return !p->f64 && p->in[0] == 1 && p->out[0] == 1 && p->k[0] == 1 && p->k[1] == 3 && p->k[2] == 3 &&
           p->stride[1] == 1 && p->stride[2] == 1 && p->dil[1] == 1 && p->dil[2] == 1 && p->pad[0] == 0;
}

static bool fit(ox_conv_plan *p, uint32_t isa)
{
    if (!ox_wino_fits(p))
        return false;
    p->step = STEP;
    p->uk_in = ox_uk_conv_pick(OX_UK_WINO4_IN, isa);
    p->uk_out = ox_uk_conv_pick(OX_UK_WINO4_OUT, isa);
    p->gemm.k = p->c / p->group; /* each position's product */
    ox_gemm_choose(&p->gemm, isa);

    /* V and M of a block in about 700 KB; whole panels. */
    size_t nr = (size_t)p->tile->nr, channels = (p->c + p->m) / p->group;
    size_t all = OX_PRODUCT(p->n, ox_ceil_div(p->out[1], STEP), ox_ceil_div(p->out[2], STEP));
    if (all > SIZE_MAX / 64)
        return false;
    size_t tiles = 700000 / (POSITIONS * channels * sizeof(float));
    p->bw = OX_MAX(nr, OX_MIN(tiles, 128) / nr * nr);
    p->n_bw = ox_ceil_div(all, p->bw);
    p->staged = p->n_bw < 6;
    if (p->staged)
        p->bw = all, p->n_bw = 1;
    return true;
}

static size_t pack_bytes(const ox_conv_plan *p)
{
    return OX_PRODUCT(POSITIONS, p->group, ox_gemm_pack_a_bytes(&p->gemm));
}

void ox_wino_kernels(size_t step, double g[9][OX_WINO_LANES], size_t rows, float *u, size_t stride)
{
    size_t r = step + 2;
    const double *gm = step == 4 ? ox_wino4_g[0] : ox_wino2_g[0];
    double half[3][OX_WINO_LANES];
    for (size_t i = 0; i < r; i++) {
        const double *a = gm + i * 3;
        for (size_t j = 0; j < 3; j++)
            for (size_t l = 0; l < OX_WINO_LANES; l++)
                half[j][l] = a[0] * g[j][l] + a[1] * g[3 + j][l] + a[2] * g[6 + j][l];
        for (size_t j = 0; j < r; j++, u += stride) {
            const double *b = gm + j * 3;
            for (size_t l = 0; l < rows; l++)
                u[l] = (float)(half[0][l] * b[0] + half[1][l] * b[1] + half[2][l] * b[2]);
        }
    }
}

/* U: group after group, position after position; in each, panels of mr output channels (the last
 * may be lower), c / group x rows. */
typedef struct packing {
    const ox_conv_plan *p;
    const float *w;
    float *u;
    size_t n_panels, n_parts; /* of a group; of a panel's channels */
} packing;

enum { PART = 64, LANES = OX_WINO_LANES }; /* input channels of a block; kernels transformed together */

static void pack_block(void *ctx, int64_t block, int worker)
{
    const packing *t = ctx;
    const ox_gemm_plan *q = &t->p->gemm;
    size_t at = (size_t)block, c0 = at % t->n_parts * PART, i0 = at / t->n_parts % t->n_panels * q->mr;
    size_t g = at / t->n_parts / t->n_panels, one = q->m * q->k, rows = OX_MIN(q->mr, q->m - i0);
    const float *w = t->w + (g * one + i0 * q->k) * 9;
    float *u = t->u + g * POSITIONS * one + i0 * q->k;
    double k3[9][LANES] = { { 0 } };
    (void)worker;
    for (size_t c = c0; c < OX_MIN(q->k, c0 + PART); c++)
        for (size_t o = 0; o < rows; o += LANES) {
            size_t n = OX_MIN(LANES, rows - o);
            for (size_t l = 0; l < n; l++)
                for (size_t i = 0; i < 9; i++)
                    k3[i][l] = (double)w[((o + l) * q->k + c) * 9 + i];
            ox_wino_kernels(STEP, k3, n, u + c * rows + o, one);
        }
}

static void pack(const ox_conv_plan *p, const void *w, void *packed, ox_pool *pool)
{
    packing t = { .p = p, .w = w, .u = packed };
    t.n_panels = ox_ceil_div(p->gemm.m, p->gemm.mr);
    t.n_parts = ox_ceil_div(p->gemm.k, PART);
    ox_pool_run(pool, (int64_t)(p->group * t.n_panels * t.n_parts), pack_block, &t);
}

/* Floats of V, of M, and of one worker's lines; a row of V is readable to whole panels.  Positions
 * are an odd number of cache lines apart, or the transformations' streams would fight for one set.
 */
static bool sizes(const ox_conv_plan *p, job *w, size_t *v, size_t *m, size_t *line)
{
    w->ld = ox_round_up(p->bw, (size_t)p->tile->nr);
    w->pos_v = ox_conv_sum(OX_PRODUCT(p->gemm.k, w->ld), 31) / 32 * 32 + 16;
    w->pos_m = ox_conv_sum(OX_PRODUCT(p->gemm.m, w->ld), 31) / 32 * 32 + 16;
    *v = OX_PRODUCT(POSITIONS, w->pos_v);
    *m = OX_PRODUCT(POSITIONS, w->pos_m);
    *line = OX_PRODUCT(STEP + 2, ox_conv_sum(OX_PRODUCT(4, w->ld), 96));
    if (w->pos_v < w->ld || w->pos_m < w->ld || *v > SIZE_MAX / 16 || *m > SIZE_MAX / 16 ||
        *line > SIZE_MAX / 16)
        return false;
    *line = ox_round_up(*line, 16);
    return true;
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
    s.n = OX_MIN(w->tiles_x - s.tx, t1 - t);
    return s;
}

static void input_stage(const job *w, size_t t0, size_t t1, size_t c, float *line)
{
    const ox_conv_plan *p = w->p;
    size_t height = p->in[1], width = p->in[2], n;
    for (size_t t = t0; t < t1; t += n) {
        stretch s = stretch_at(w, t, t1);
        size_t channel = s.image * p->c + w->g * p->gemm.k + c;
        const float *x = (const float *)w->args->x + channel * height * width;
        size_t first = s.tx * STEP, need = s.n * STEP + 2; /* columns, counted with the padding */
        size_t skip = first > p->pad[2] ? first - p->pad[2] : 0;
        ox_wino_in in = { .n_tiles = s.n, .line = line, .v = w->v + c * w->ld + (t - t0) };
        n = s.n;
        in.stride = w->pos_v;
        in.lead = first < p->pad[2] ? OX_MIN(p->pad[2] - first, need) : 0;
        if (skip < width)
            in.n_cols = OX_MIN(width - skip, need - in.lead);
        for (size_t i = 0; i < STEP + 2; i++) {
            size_t y = s.ty * STEP + i; /* counted with the padding */
            if (y >= p->pad[1] && y - p->pad[1] < height && in.n_cols > 0)
                in.row[i] = x + (y - p->pad[1]) * width + skip;
        }
        /* The next channels' rows are far away: fetch them meanwhile. */
        for (size_t i = 0; c + AHEAD < p->gemm.k && i < STEP + 2; i++)
            for (size_t j = 0; in.row[i] && j < in.n_cols; j += 16)
                __builtin_prefetch(in.row[i] + AHEAD * height * width + j);
        p->uk_in->fn.wino_in(&in);
    }
}

/* M = U V for one position; n tiles. */
static void product_stage(const job *w, size_t pos, size_t n)
{
    const ox_conv_plan *p = w->p;
    const ox_gemm_plan *q = &p->gemm;
    size_t nr = (size_t)p->tile->nr, m = q->m, k = q->k;
    const float *u = (const float *)w->args->w + (w->g * POSITIONS + pos) * m * k;
    const float *v = w->v + pos * w->pos_v;
    ox_tile t = { OX_TILE_INIT, .rs_a = 1, .ldb = w->ld, .ldc = w->ld, .k = k, .run = OX_WINO4_RUN };

    for (size_t j = 0; j < n; j += nr) {
        t.n = OX_MIN(nr, n - j);
        t.b = v + j;
        for (size_t i = 0; i < m; i += q->mr) {
            t.m = t.cs_a = OX_MIN(q->mr, m - i);
            t.c = w->m + pos * w->pos_m + i * w->ld + j;
            t.a = u + i * k;
            t.ahead = u + (i + t.m) * k;
            t.ahead_step = t.m * sizeof(float);
            p->tile->fn(&t);
        }
    }
}

static void output_stage(const job *w, size_t t0, size_t t1, size_t o)
{
    const ox_conv_plan *p = w->p;
    const ox_epilogue *ep = &w->args->ep;
    size_t height = p->out[1], width = p->out[2], n, channel = w->g * p->gemm.m + o;
    for (size_t t = t0; t < t1; t += n) {
        stretch s = stretch_at(w, t, t1);
        size_t at = ((s.image * p->m + channel) * height + s.ty * STEP) * width + s.tx * STEP;
        ox_wino_out out = { .n_tiles = s.n, .ldy = width, .act = w->act };
        n = s.n;
        out.m = w->m + o * w->ld + (t - t0);
        out.stride = w->pos_m;
        out.n_rows = OX_MIN(STEP, height - s.ty * STEP);
        out.n_cols = OX_MIN(s.n * STEP, width - s.tx * STEP);
        out.bias = ep->bias_row ? ((const float *)ep->bias_row)[channel] : 0;
        out.d = ep->residual ? (const float *)ep->residual + at : NULL;
        out.y = (float *)w->args->y + at;
        p->uk_out->fn.wino_out(&out);
        for (size_t r = 0; ep->act == OX_ACT_MAP && r < out.n_rows; r++)
            ep->map(out.n_cols, out.y + r * width, out.y + r * width, ep->params);
    }
}

/* ---- running ---- */

static void run_block(void *ctx, int64_t block, int worker)
{
    job w = *(const job *)ctx;
    const ox_conv_plan *p = w.p;
    size_t t0 = (size_t)block * p->bw, t1 = OX_MIN(t0 + p->bw, tiles_of(p));
    float *line = w.scratch + (size_t)worker * w.worker;

    w.m = line + w.worker - POSITIONS * w.pos_m;
    w.v = w.m - POSITIONS * w.pos_v;
    for (size_t c = 0; c < p->gemm.k; c++)
        input_stage(&w, t0, t1, c, line);
    for (size_t pos = 0; pos < POSITIONS; pos++)
        product_stage(&w, pos, t1 - t0);
    for (size_t o = 0; o < p->gemm.m; o++)
        output_stage(&w, t0, t1, o);
}

enum { CHANNELS = 8 }; /* of one block of the input and output stages */

static void run_input(void *ctx, int64_t block, int worker)
{
    const job *w = ctx;
    size_t c1 = OX_MIN(w->p->gemm.k, ((size_t)block + 1) * CHANNELS);
    for (size_t c = (size_t)block * CHANNELS; c < c1; c++)
        input_stage(w, 0, tiles_of(w->p), c, w->scratch + (size_t)worker * w->worker);
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
    size_t o1 = OX_MIN(w->p->gemm.m, ((size_t)block + 1) * CHANNELS);
    (void)worker;
    for (size_t o = (size_t)block * CHANNELS; o < o1; o++)
        output_stage(w, 0, tiles_of(w->p), o);
}

static void run(const ox_conv_plan *p, const ox_conv_args *args, void *scratch, ox_pool *pool)
{
    job w = { .p = p, .args = args, .act = ox_conv_activation(&args->ep), .scratch = scratch };
    size_t v, m, line;

    (void)sizes(p, &w, &v, &m, &line); /* did not overflow in scratch_bytes */
    w.tiles_y = ox_ceil_div(p->out[1], STEP);
    w.tiles_x = ox_ceil_div(p->out[2], STEP);
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
        ox_pool_run(pool, (int64_t)POSITIONS, run_product, &w);
        ox_pool_run(pool, (int64_t)ox_ceil_div(p->gemm.m, CHANNELS), run_output, &w);
    }
}

const ox_conv_algo ox_conv_winograd4 = { "winograd_f4x3", fit, pack_bytes, pack, scratch_bytes, run };
