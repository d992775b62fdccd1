/* The table of micro-kernels, the choice of an algorithm, and what the algorithms share. */
#include "kernels/conv/algo.h"

#include <math.h>
#include <stdio.h>

const ox_uk_conv ox_uk_conv_rows[] = {
#define UK(kind, member, function, isa)                                                            \
    { #function, OX_UK_##kind, OX_ISA_##isa, { .member = function } },
#include "kernels/conv/ukernels.def"
#undef UK
};
const size_t ox_uk_conv_n_rows = OX_COUNT(ox_uk_conv_rows);

const ox_uk_conv *ox_uk_conv_pick(ox_uk_conv_kind kind, uint32_t isa)
{
    const ox_uk_conv *best = NULL;
    for (size_t i = 0; i < ox_uk_conv_n_rows; i++) {
        const ox_uk_conv *r = &ox_uk_conv_rows[i];
        if (r->kind == kind && (r->isa & ~isa) == 0)
            best = r;
    }
    return best;
}

/* ---- choice ---- */

const ox_conv_algo *const ox_conv_algos[] = {
    &ox_conv_depthwise, &ox_conv_plane,     &ox_conv_lanes,     &ox_conv_gemm,
    &ox_conv_direct,    &ox_conv_im2col,    &ox_conv_turned,
    &ox_conv_winograd4, &ox_conv_winograd4_turned, &ox_conv_winograd2_turned,
    &ox_conv_dilated4,  &ox_conv_dilated4_turned,  &ox_conv_dilated2_turned, NULL,
};

bool ox_conv_use(ox_conv_plan *p, const ox_conv_algo *algo, uint32_t isa)
{
    p->algo = algo;
    p->uk_in = p->uk_out = NULL;
    p->tile = ox_uk_gemm_pick(OX_UK_GEMM, p->f64, isa);
    p->staged = false;
    ox_conv_fit_weights(p, isa);
    if (!algo->fit(p, isa))
        return false;
    snprintf(p->name, sizeof p->name, "%s%s_%s", algo->name, p->f64 ? "_f64" : "",
             ox_cpu_name(p->tile->isa));
    return true;
}

/* What a convolution takes, in nanoseconds of a machine that does nr * 2.5 multiplications in one and
 * reads 16 bytes of weights (64 where they stay in the level-2 cache): measured; only ratios count. */
static double rate(const ox_conv_plan *p) { return 2.5 * p->tile->nr; }
static double weights_cost(double n)
{
    double bytes = n * sizeof(float), near = OX_MIN(bytes, 2e6);
    return near / 64 + (bytes - near) / 16;
}

/* Tiles in the lanes, where their rows fill them: nothing has to be turned. */
static bool tiles_fill(const ox_conv_plan *p, size_t step)
{
    size_t lanes = (size_t)p->tile->nr / 2, row = ox_ceil_div(p->out[2], step);
    return step == 4 && row >= lanes && 5 * row > 4 * ox_round_up(row, lanes);
}

static double winograd_cost(const ox_conv_plan *p, size_t step)
{
    bool fill = tiles_fill(p, step);
    double tiles = (double)OX_PRODUCT(p->n, ox_ceil_div(p->out[1], step), ox_ceil_div(p->out[2], step));
    double c = (double)(p->c / p->group), m = (double)(p->m / p->group), positions = (double)((step + 2) * (step + 2));
    double c_lanes = fill ? c : (double)ox_round_up(p->c / p->group, OX_WINO_LANES);
    double m_lanes = fill ? m : (double)ox_round_up(p->m / p->group, OX_WINO_LANES);
    double all = (double)p->group * positions;
    return all * tiles * (c * m_lanes + 20 * (c_lanes + m_lanes)) / rate(p) + weights_cost(all * c * m);
}

static double direct_cost(const ox_conv_plan *p)
{
    double weights = (double)p->group * (double)p->gemm.k * (double)p->gemm.m;
    double pixels = (double)OX_PRODUCT(p->n, p->out[1], p->out[2]);
    return pixels * weights / (0.8 * rate(p)) + weights_cost(weights);
}

/* Fewer multiplications, if they pay for the transformations and for reading more weights. */
static bool choose_winograd(ox_conv_plan *p, uint32_t isa)
{
    if (!ox_conv_use(p, &ox_conv_im2col, isa)) /* sizes of the plain product */
        return false;
    ox_conv_plan q = *p;
    bool dilated = p->dil[1] > 1 || p->dil[2] > 1;
    if (dilated && !ox_conv_phases_of(p, &q))
        return false;
    double direct = direct_cost(p), cost2 = winograd_cost(&q, 2), cost4 = winograd_cost(&q, 4);
    double copies = dilated ? (double)q.n * (double)(q.c * ox_volume(q.in) + q.m * ox_volume(q.out)) : 0;
    if (OX_MIN(cost2, cost4) + copies > direct)
        return false;
    bool fill = tiles_fill(&q, 4);
    if (cost4 > cost2)
        return ox_conv_use(p, dilated ? &ox_conv_dilated2_turned : &ox_conv_winograd2_turned, isa);
    if (dilated)
        return ox_conv_use(p, fill ? &ox_conv_dilated4 : &ox_conv_dilated4_turned, isa);
    return ox_conv_use(p, fill ? &ox_conv_winograd4 : &ox_conv_winograd4_turned, isa);
}

/* Small images: channels in the lanes, which they fill better than pixels that leave an eighth of them empty,
 * or whose product is long enough to pay for turning it. */
static bool better_turned(const ox_conv_plan *p)
{
    size_t pixels = OX_PRODUCT(p->out[0], p->out[1], p->out[2]), lanes = (size_t)p->tile->nr / 2;
    if (pixels < 8 || pixels > 256 || p->m / p->group < 64)
        return false;
    return p->gemm.k >= 384 || (pixels < 8 * lanes && 7 * pixels < 6 * ox_round_up(pixels, lanes));
}

/* Few output channels, mostly of a group: patches packed for so few cost more than lanes left empty do. */
static bool choose_narrow(ox_conv_plan *p, uint32_t isa)
{
    size_t lanes = (size_t)p->tile->nr / 2, w = p->out[2], m = p->m / p->group;
    if (m > 32 || m < lanes / 2)
        return false;
    if (p->stride[2] > 1 && w < 24 && m % lanes == 0 && ox_conv_use(p, &ox_conv_turned, isa))
        return true;
    return 4 * w >= 3 * ox_round_up(w, lanes) && ox_conv_use(p, &ox_conv_direct, isa);
}

/* Depthwise: turned are rows that would leave many lanes empty, or none of them more than a vector, and where
 * turning is little beside the products; the rest goes as it lies. */
static bool choose_depthwise(ox_conv_plan *p, uint32_t isa)
{
    size_t w = p->out[2], lanes = (size_t)p->tile->nr / 2, all = ox_round_up(w, lanes);
    bool small = w <= OX_WINO_LANES && p->in[1] * p->in[2] <= 256, empty = p->stride[2] == 1 && 3 * w < 2 * all;
    bool turn = 4 * p->c >= 3 * ox_round_up(p->c, OX_WINO_LANES) && p->in[1] * p->in[2] <= 1 << 14;
    if (turn && (small || empty || p->k[1] * p->k[2] > 25) && ox_conv_use(p, &ox_conv_lanes, isa))
        return true;
    return ox_conv_use(p, &ox_conv_plane, isa) || (turn && ox_conv_use(p, &ox_conv_lanes, isa)) ||
           ox_conv_use(p, &ox_conv_depthwise, isa);
}

bool ox_conv_choose(ox_conv_plan *p, uint32_t isa, bool allow_winograd)
{
    p->tile = ox_uk_gemm_pick(OX_UK_GEMM, p->f64, isa);
    if (p->m / p->group < 4 && choose_depthwise(p, isa))
        return true;
    if (ox_conv_use(p, &ox_conv_gemm, isa))
        return !better_turned(p) || ox_conv_use(p, &ox_conv_turned, isa) || ox_conv_use(p, &ox_conv_gemm, isa);
    if (allow_winograd && p->m / p->group >= 8 && p->c / p->group >= 8 && choose_winograd(p, isa))
        return true;
    if (choose_narrow(p, isa))
        return true;
    /* Long rows go directly, of at least three quarters of whole vectors: others waste too many lanes. */
    size_t lanes = (size_t)p->tile->nr / 2, w = p->out[2];
    if (4 * w >= 3 * ox_round_up(w, lanes) && (w >= 48 || p->gemm.k < 64) && ox_conv_use(p, &ox_conv_direct, isa))
        return true;
    if (better_turned(p) && ox_conv_use(p, &ox_conv_turned, isa))
        return true;
    return ox_conv_use(p, &ox_conv_im2col, isa) || ox_conv_use(p, &ox_conv_direct, isa);
}

size_t ox_conv_pack_bytes(const ox_conv_plan *p) { return p->algo->pack_bytes(p); }
void ox_conv_pack(const ox_conv_plan *p, const void *w, void *packed, ox_pool *pool)
{
    p->algo->pack(p, w, packed, pool);
}
size_t ox_conv_scratch_bytes(const ox_conv_plan *p, int n_workers)
{
    return p->algo->scratch_bytes(p, n_workers);
}
void ox_conv_run(const ox_conv_plan *p, const ox_conv_args *args, void *scratch, ox_pool *pool)
{
    p->algo->run(p, args, scratch, pool);
}

/* ---- shared by the algorithms ---- */

size_t ox_conv_product(int n, const size_t *size)
{
    size_t all = 1;
    for (int i = 0; i < n; i++)
        if (size[i] == SIZE_MAX || !ox_mul_size(&all, all, size[i]))
            return SIZE_MAX;
    return all;
}

size_t ox_conv_sum(size_t a, size_t b) { return a > SIZE_MAX - b ? SIZE_MAX : a + b; }

void ox_conv_fit_weights(ox_conv_plan *p, uint32_t isa)
{
    p->gemm =
        (ox_gemm_plan){ .m = p->m / p->group, .n = SIZE_MAX / 64, .f64 = p->f64, .packed_a = true };
    p->gemm.k = p->c / p->group * ox_volume(p->k); /* the product that w's own size is made of */
    ox_gemm_choose(&p->gemm, isa);
}

size_t ox_conv_weights_bytes(const ox_conv_plan *p)
{
    return OX_PRODUCT(p->group, ox_gemm_pack_a_bytes(&p->gemm));
}

void ox_conv_weights_pack(const ox_conv_plan *p, const void *w, void *packed, ox_pool *pool)
{
    size_t group = p->gemm.m * p->gemm.k * ox_conv_elem(p);
    (void)pool; /* runs at the speed of memory */
    for (size_t g = 0; g < p->group; g++)
        ox_gemm_pack_a(&p->gemm, (const char *)w + g * group, p->gemm.k,
                       (char *)packed + g * group);
}

void ox_conv_epilogue(ox_tile *t, const ox_conv_plan *p, const ox_conv_args *args, size_t kb,
                      size_t o, size_t at)
{
    const ox_epilogue *ep = &args->ep;
    size_t elem = ox_conv_elem(p);
    bool last = kb + 1 == p->gemm.n_kb;

    t->c = (char *)args->y + at * elem;
    t->ldc = t->ldd = ox_volume(p->out);
    t->d = t->bias_row = NULL;
    t->beta = 1;
    if (kb == 0) {
        t->bias_row = ep->bias_row ? (const char *)ep->bias_row + o * elem : NULL;
        t->d = ep->residual ? (const char *)ep->residual + at * elem : NULL;
    } else {
        t->d = t->c;
    }
    t->slope = last && ep->act == OX_ACT_LEAKY ? ep->slope : 1;
    t->lo = last && ep->act == OX_ACT_CLAMP ? ep->lo : -INFINITY;
    t->hi = last && ep->act == OX_ACT_CLAMP ? ep->hi : INFINITY;
}

ox_conv_act ox_conv_activation(const ox_epilogue *ep)
{
    ox_conv_act a = { .slope = 1, .lo = -INFINITY, .hi = INFINITY };
    if (ep->act == OX_ACT_LEAKY)
        a.slope = (float)ep->slope;
    if (ep->act == OX_ACT_CLAMP)
        a.lo = (float)ep->lo, a.hi = (float)ep->hi;
    return a;
}
