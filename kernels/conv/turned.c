/* Convolution with output channels in the vector lanes: the product is formed transposed, pixels by
 * channels, and turned on its way into y.  For images of so few pixels that lanes over pixels would
 * go to waste: 7 x 7 fills 49 of 64. */
#include "kernels/conv/patch.h"

typedef struct job {
    const ox_conv_plan *p;
    const ox_conv_args *args;
    const void *x; /* of one image and group */
    size_t g, image;
    ox_patch patch;
    float *patches, *product; /* gemm.k x pixels; pixels x gemm.n */
    char *gemm_scratch;
} job;

enum {
    CHANNELS = 16,
    TURN = 32
}; /* of a block when patches are made; when the product is turned */

static bool is_product(const ox_conv_plan *p) /* x itself is the matrix of patches */
{
    for (int d = 0; d < OX_CONV_DIMS; d++)
        if (p->k[d] != 1 || p->stride[d] != 1 || p->pad[d] != 0 || p->in[d] != p->out[d])
            return false;
    return true;
}

static bool fit(ox_conv_plan *p, uint32_t isa)
{
    size_t pixels = OX_PRODUCT(p->out[0], p->out[1], p->out[2]);
    if (p->f64 || pixels > 4096 || OX_PRODUCT(p->in[0], p->in[1], p->in[2]) > INT32_MAX ||
        ox_patch_bytes(p, pixels) == SIZE_MAX)
        return false;
    p->uk_in = ox_uk_conv_pick(OX_UK_PATCH_F32, isa);
    p->uk_out = ox_uk_conv_pick(OX_UK_TURN, isa);
    p->gemm = (ox_gemm_plan){ .m = pixels,
                              .n = p->m / p->group,
                              .k = p->gemm.k,
                              .trans_a = true,
                              .trans_b = true,
                              .packed_b = true };
    ox_gemm_choose(&p->gemm, isa);
    return true;
}

static size_t pack_bytes(const ox_conv_plan *p)
{
    return OX_PRODUCT(p->group, ox_gemm_pack_b_bytes(&p->gemm));
}
static void pack(const ox_conv_plan *p, const void *w, void *packed, ox_pool *pool)
{
    (void)pool;
    size_t group = p->gemm.n * p->gemm.k, bytes = ox_gemm_pack_b_bytes(&p->gemm);
    for (size_t g = 0; g < p->group; g++)
        ox_gemm_pack_b(&p->gemm, (const float *)w + g * group, p->gemm.k,
                       (char *)packed + g * bytes);
}

/* Where nothing has to be made for a group, all of an image are one job. */
static size_t groups_at_once(const ox_conv_plan *p) { return is_product(p) ? p->group : 1; }

/* The parts of scratch, in order; false: overflow. */
typedef struct parts {
    size_t table, patches, product, gemm, all;
} parts;
static bool sizes(const ox_conv_plan *p, int n_workers, parts *s)
{
    const ox_gemm_plan *q = &p->gemm;
    s->table = ox_patch_bytes(p, q->m);
    s->patches = is_product(p) ? 0 : OX_PRODUCT(q->m, q->k, sizeof(float));
    s->product = OX_PRODUCT(q->m, q->n, groups_at_once(p), sizeof(float));
    s->gemm = ox_gemm_scratch_bytes(q, n_workers);
    if (s->table > SIZE_MAX / 8 || s->patches > SIZE_MAX / 8 || s->product > SIZE_MAX / 8 ||
        s->gemm > SIZE_MAX / 8)
        return false;
    s->patches = ox_round_up(s->patches, 64);
    s->product = ox_round_up(s->product, 64);
    s->all = s->table + s->patches + s->product + s->gemm;
    return true;
}
static size_t scratch_bytes(const ox_conv_plan *p, int n_workers)
{
    parts s;
    return sizes(p, n_workers, &s) ? s.all : SIZE_MAX;
}

static void make_patches(void *ctx, int64_t block, int worker)
{
    const job *w = ctx;
    size_t taps = w->patch.n_taps, channels = w->p->c / w->p->group;
    size_t c0 = (size_t)block * CHANNELS, c1 = OX_MIN(channels, c0 + CHANNELS);
    ox_patch t = w->patch;
    (void)worker;
    t.x = w->x;
    t.k0 = c0 * taps;
    t.k = (c1 - c0) * taps;
    t.ld = w->p->gemm.m;
    t.dst = w->patches + t.k0 * t.ld;
    w->p->uk_in->fn.patch(&t);
}

static void turn(void *ctx, int64_t block, int worker)
{
    const job *w = ctx;
    const ox_gemm_plan *q = &w->p->gemm;
    const ox_epilogue *ep = &w->args->ep;
    size_t strips = ox_ceil_div(q->n, TURN), g = (size_t)block / strips, o0 = (size_t)block % strips * TURN;
    size_t channel = (w->g + g) * q->n + o0, at = (w->image * w->p->m + channel) * q->m;
    ox_turn t = {
        .c = w->product + g * q->m * q->n + o0, .ldc = q->n, .m = OX_MIN(TURN, q->n - o0), .n = q->m, .ldy = q->m
    };
    (void)worker;
    t.bias = ep->bias_row ? (const float *)ep->bias_row + channel : NULL;
    t.d = ep->residual ? (const float *)ep->residual + at : NULL;
    t.y = (float *)w->args->y + at;
    t.act = ox_conv_activation(ep);
    w->p->uk_out->fn.turn(&t);
    if (ep->act == OX_ACT_MAP)
        ep->map(t.m * t.n, t.y, t.y, ep->params);
}

static void run(const ox_conv_plan *p, const ox_conv_args *args, void *scratch, ox_pool *pool)
{
    const ox_gemm_plan *q = &p->gemm;
    size_t channels = p->c / p->group, volume = ox_volume(p->in), groups = groups_at_once(p);
    job w = { .p = p, .args = args };
    parts s;

    (void)sizes(p, ox_pool_threads(pool), &s); /* did not overflow in scratch_bytes */
    w.patches = (float *)(void *)((char *)scratch + s.table);
    w.product = (float *)(void *)((char *)w.patches + s.patches);
    ox_patch_init(p, 0, q->m, scratch, &w.patch);
    for (w.image = 0; w.image < p->n; w.image++)
        for (w.g = 0; w.g < p->group; w.g += groups) {
            ox_gemm_args a = { .lda = q->m, .c = w.product, .ldc = q->n, .batch = groups };
            a.a = w.x = (const float *)args->x + (w.image * p->group + w.g) * channels * volume;
            a.b = (const char *)args->w + w.g * ox_gemm_pack_b_bytes(q);
            if (s.patches > 0) {
                ox_pool_run(pool, (int64_t)ox_ceil_div(channels, CHANNELS), make_patches, &w);
                a.a = w.patches;
            }
            a.stride_a = channels * volume;
            a.stride_b = ox_gemm_pack_b_bytes(q);
            a.stride_c = q->m * q->n;
            ox_gemm_run(q, &a, (char *)w.product + s.product, pool);
            ox_pool_run(pool, (int64_t)(groups * ox_ceil_div(q->n, TURN)), turn, &w);
        }
}

const ox_conv_algo ox_conv_turned = { "turned", fit, pack_bytes, pack, scratch_bytes, run };
