/* A 1 x 1 convolution and the depthwise one behind it, some channels and rows at a time: what lies between
 * stays in the level-2 cache.  Expanding blocks of mobile networks write and read millions of elements there
 * otherwise.  Each element is computed as by the two alone, so the bits are theirs. */
#include "kernels/conv/algo.h"

typedef struct job {
    const ox_conv_plan *a, *b;
    const ox_conv_args *a_args, *b_args;
    ox_conv_act act;
    size_t channels, n_groups; /* of a block: whole panels of a's weights */
    size_t rows, n_bands;      /* output rows of b */
    char *scratch;
    size_t between, worker;    /* bytes of the channels between; of all of a worker's scratch */
} job;

enum {
    SMALL = 1 << 20,   /* bytes between that are as well written and read as a whole */
    BETWEEN = 400000,  /* of a block */
    INPUT = 1 << 20    /* bytes of a's input rows that all channels of a band read again */
};

/* Output rows of b that a block makes: what it reads and what lies between shall stay in the cache. */
static size_t rows_of(const ox_conv_plan *a, const ox_conv_plan *b)
{
    size_t row = b->in[2] * sizeof(float), panel = a->gemm.mr * b->in[1] * row, input = a->c * b->in[1] * row;
    size_t bands = OX_MAX(ox_ceil_div(panel, BETWEEN), ox_ceil_div(input, INPUT));
    bands = OX_MIN(bands, OX_MAX(1, b->out[1] / 8));
    return ox_ceil_div(b->out[1], bands);
}

/* Input rows of b under its output rows [y0, y1). */
static size_t first_row(const ox_conv_plan *b, size_t y0)
{
    size_t at = y0 * b->stride[1];
    return at > b->pad[1] ? at - b->pad[1] : 0;
}
static size_t end_row(const ox_conv_plan *b, size_t y1)
{
    size_t end = (y1 - 1) * b->stride[1] + b->k[1];
    return end > b->pad[1] ? OX_MIN(b->in[1], end - b->pad[1]) : 0;
}

bool ox_conv_pair_fits(const ox_conv_plan *a, const ox_conv_plan *b)
{
    size_t bytes = OX_PRODUCT(b->in[1], b->in[2], sizeof(float));
    return a->algo == &ox_conv_gemm && b->algo == &ox_conv_plane && !a->f64 && a->group == 1 && a->gemm.packed_a &&
           a->gemm.path == OX_GEMM_TILES && a->gemm.n_kb == 1 && a->m == b->c && b->m == b->c && bytes < SIZE_MAX / 64 &&
           OX_PRODUCT(a->m, bytes) > SMALL && b->in[1] >= b->k[1] && b->pad[1] < b->k[1];
}

/* Blocks by shape alone; false: a size overflows. */
static bool cut(job *w, const ox_conv_plan *a, const ox_conv_plan *b)
{
    size_t panel = a->gemm.mr * b->in[1] * b->in[2] * sizeof(float), panels = ox_ceil_div(a->m, a->gemm.mr);
    w->a = a;
    w->b = b;
    w->channels = a->gemm.mr * OX_MAX(1, OX_MIN(panels / 8, BETWEEN / panel));
    w->n_groups = ox_ceil_div(a->m, w->channels);
    w->rows = rows_of(a, b);
    w->n_bands = ox_ceil_div(b->out[1], w->rows);
    size_t most = OX_MIN(b->in[1], (w->rows - 1) * b->stride[1] + b->k[1]);
    w->between = OX_PRODUCT(w->channels, most, b->in[2], sizeof(float));
    size_t gemm = ox_gemm_scratch_bytes(&a->gemm, 1);
    if (w->between > SIZE_MAX / 8 || gemm > SIZE_MAX / 8)
        return false;
    w->between = ox_round_up(w->between, 64);
    w->worker = w->between + ox_round_up(gemm, 64);
    return true;
}

size_t ox_conv_pair_scratch_bytes(const ox_conv_plan *a, const ox_conv_plan *b, int n_workers)
{
    job w;
    return cut(&w, a, b) ? OX_PRODUCT((size_t)n_workers, w.worker) : SIZE_MAX;
}

/* Channels c0.., rows [r0, r1) of a's output. */
static void expand(const job *w, size_t image, size_t c0, size_t n, size_t r0, size_t r1, char *between)
{
    const ox_conv_plan *a = w->a;
    size_t width = w->b->in[2], pixels = ox_volume(a->in), elem = sizeof(float);
    ox_gemm_plan q = { .m = n, .n = (r1 - r0) * width, .k = a->gemm.k, .packed_a = true };
    ox_gemm_args g = { .ldb = pixels, .ldc = (r1 - r0) * width, .c = between, .ep = w->a_args->ep };
    ox_gemm_choose(&q, a->tile->isa);
    q.mr = a->gemm.mr; /* as packed; and one block of rows */
    q.mc = ox_round_up(n, q.mr);
    q.n_mb = 1;
    g.a = (const char *)w->a_args->w + c0 * q.k * elem; /* one K block: panel after panel */
    g.b = (const char *)w->a_args->x + (image * a->c * pixels + r0 * width) * elem;
    if (g.ep.bias_row)
        g.ep.bias_row = (const char *)g.ep.bias_row + c0 * elem;
    ox_gemm_run(&q, &g, between + w->between, NULL);
}

static void run_block(void *ctx, int64_t block, int worker)
{
    const job *w = ctx;
    const ox_conv_plan *b = w->b;
    const ox_epilogue *ep = &w->b_args->ep;
    size_t at = (size_t)block, c0 = at % w->n_groups * w->channels, y0 = at / w->n_groups % w->n_bands * w->rows;
    size_t image = at / w->n_groups / w->n_bands, n = OX_MIN(w->channels, b->c - c0);
    size_t y1 = OX_MIN(b->out[1], y0 + w->rows), r0 = first_row(b, y0), r1 = end_row(b, y1);
    size_t plane = b->out[1] * b->out[2], taps = b->k[1] * b->k[2];
    char *between = w->scratch + (size_t)worker * w->worker;
    ox_plane t = { .height = r1 - r0, .width = b->in[2], .top = b->pad[1] + r0, .left = b->pad[2],
                   .step = b->stride[2], .dil = b->dil[2], .kh = b->k[1], .kw = b->k[2],
                   .y0 = y0, .y1 = y1, .n_cols = b->out[2], .act = w->act };

    expand(w, image, c0, n, r0, r1, between);
    for (size_t c = c0; c < c0 + n; c++) {
        size_t to = (image * b->m + c) * plane;
        t.x = (const float *)(void *)between + (c - c0) * t.height * t.width;
        t.w = (const float *)w->b_args->w + c * taps;
        t.bias = ep->bias_row ? ((const float *)ep->bias_row)[c] : 0;
        t.d = ep->residual ? (const float *)ep->residual + to : NULL;
        t.y = (float *)w->b_args->y + to;
        b->uk_in->fn.plane(&t);
        if (ep->act == OX_ACT_MAP)
            ep->map((y1 - y0) * b->out[2], t.y + y0 * b->out[2], t.y + y0 * b->out[2], ep->params);
    }
}

void ox_conv_pair_run(const ox_conv_plan *a, const ox_conv_args *a_args, const ox_conv_plan *b,
                      const ox_conv_args *b_args, void *scratch, ox_pool *pool)
{
    job w = { .a_args = a_args, .b_args = b_args, .act = ox_conv_activation(&b_args->ep), .scratch = scratch };
    (void)cut(&w, a, b); /* did not overflow in scratch_bytes */
    ox_pool_run(pool, (int64_t)(b->n * w.n_groups * w.n_bands), run_block, &w);
}
