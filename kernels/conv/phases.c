/* Transposed convolutions, phase by phase: see phases.h. */
#include "kernels/conv/phases.h"

#include "kernels/conv/algo.h"

#include <stdio.h>
#include <string.h>

enum { MAX_PHASES = 64, BLOCK = 1 << 14 /* outputs that are put in order at a time */ };

static int64_t common_divisor(int64_t a, int64_t b)
{
    while (b) {
        int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* ---- choice ---- */

/* Dimension d of the window within OX_CONV_DIMS; -1: not there, of size 1. */
static int window_dim(const ox_window *g, int d) { return d - (OX_CONV_DIMS - g->n); }

/* Phase p of dimension d: output j * stride + p meets kernel position k at the input (j * stride + p + pad
 * - k * dilation) / stride, where that is whole.  false: it begins behind the first input, which
 * convolutions know no way to say. */
static bool fit_phase(const ox_window *g, int d, int64_t p, ox_phase *h)
{
    int w = window_dim(g, d);
    ox_conv_plan *c = &h->plan;
    if (w < 0) {
        c->in[d] = c->out[d] = c->k[d] = c->stride[d] = c->dil[d] = h->step[d] = 1;
        return true;
    }
    int64_t stride = g->stride[w], divisor = common_divisor(stride, g->dilation[w]), step = stride / divisor, k = 0;
    int64_t from = p + g->begin[w];
    while (k < OX_MIN(step, g->kernel[w]) && (from - k * g->dilation[w]) % stride)
        k++;
    int64_t taps = k < OX_MIN(step, g->kernel[w]) ? (g->kernel[w] - k + step - 1) / step : 0;
    c->in[d] = (size_t)g->in[w];
    c->out[d] = (size_t)((g->out[w] - p + stride - 1) / stride);
    c->k[d] = (size_t)taps;
    c->stride[d] = 1;
    c->dil[d] = (size_t)(g->dilation[w] / divisor);
    h->first[d] = (size_t)k;
    h->step[d] = (size_t)step;
    h->empty = h->empty || taps == 0;
    if (h->empty)
        return true;
    int64_t first_input = (from - k * g->dilation[w]) / stride - (taps - 1) * (g->dilation[w] / divisor);
    c->pad[d] = (size_t)-first_input;
    return first_input <= 0;
}

/* All but the weights; without Winograd, whose errors the oracle of the definition does not expect.  false: not for this shape.  *work: products that it takes. */
static bool fit(ox_phases *p, const ox_window *g, double *work)
{
    size_t at = 0, size;
    *work = 0;
    for (size_t i = 0; i < p->n_phases; i++) {
        ox_phase *h = &p->phase[i];
        size_t rest = i;
        h->plan = (ox_conv_plan){ .n = p->n, .c = p->c_group * p->group, .m = p->m_group * p->group,
                                  .group = p->group };
        for (int d = OX_CONV_DIMS - 1; d >= 0; d--) {
            if (!fit_phase(g, d, (int64_t)(rest % p->count[d]), h))
                return false;
            rest /= p->count[d];
        }
        h->at = at;
        if (!ox_mul_size(&size, p->n * p->m_group * p->group, ox_volume(h->plan.out)) ||
            !ox_add_size(&at, at, size))
            return false;
        *work += h->empty ? 0 : (double)ox_volume(h->plan.out) * (double)ox_volume(h->plan.k);
        if (!h->empty && !ox_conv_choose(&h->plan, ox_cpu(), false))
            return false;
    }
    return true;
}

/* ---- weights ---- */

struct packing {
    const ox_phases *p;
    const ox_phase *h;
    float *part; /* the phase's weights as a convolution's, (M, C / group, k) */
    ox_pool *pool;
};

/* W is (C, M / group, k); to (M, C / group, phase's k), turned round. */
static void gather(const ox_phases *p, const ox_phase *h, const float *w, float *to)
{
    const size_t *k = h->plan.k;
    size_t plane = ox_volume(p->kernel);
    for (size_t m = 0; m < p->m_group * p->group; m++)
        for (size_t c = 0; c < p->c_group; c++) {
            const float *from = w + ((m / p->m_group * p->c_group + c) * p->m_group + m % p->m_group) * plane;
            for (size_t i = k[0]; i-- > 0;)
                for (size_t j = k[1]; j-- > 0;)
                    for (size_t l = k[2]; l-- > 0;)
                        *to++ = from[((h->first[0] + i * h->step[0]) * p->kernel[1] + h->first[1] + j * h->step[1]) *
                                         p->kernel[2] + h->first[2] + l * h->step[2]];
        }
}

static void pack(void *to, const ox_tensor *w, const void *ctx)
{
    const struct packing *q = ctx;
    gather(q->p, q->h, w->data, q->part);
    ox_conv_pack(&q->h->plan, q->part, to, q->pool);
}

static float *part_memory(ox_run *r, const ox_phases *p)
{
    size_t most = 1;
    for (size_t i = 0; i < p->n_phases; i++)
        most = OX_MAX(most, ox_volume(p->phase[i].plan.k)); /* of a part of W, which exists */
    return ox_scratch_array(r, most * p->c_group, p->m_group * p->group * sizeof(float));
}

static ox_code pack_constant(ox_run *r, ox_phases *p)
{
    struct packing q = { .p = p, .part = part_memory(r, p), .pool = r->pool };
    char key[128];
    if (!q.part)
        return OX_NO_MEMORY(r);
    for (size_t i = 0; i < p->n_phases; i++) {
        ox_phase *h = &p->phase[i];
        const ox_conv_plan *c = &h->plan;
        if (h->empty)
            continue;
        snprintf(key, sizeof(key), "phase %s %zu %zu %zu %zu from %zu %zu %zu by %zu %zu %zu", c->name, c->gemm.mr,
                 c->step, c->bm, c->group, h->first[0], h->first[1], h->first[2], h->step[0], h->step[1],
                 h->step[2]);
        q.h = h;
        h->packed = ox_packed(r, 1, key, ox_conv_pack_bytes(c), pack, &q);
        if (!h->packed)
            return OX_NO_MEMORY(r);
    }
    return OX_OK;
}

ox_code ox_phases_prepare(ox_run *r, const ox_window *g, int64_t group, ox_phases *p)
{
    double work, plain = 1;
    size_t n = 1;
    *p = (ox_phases){ .n = (size_t)r->in[0]->dim[0], .group = (size_t)group,
                      .m_group = (size_t)r->in[1]->dim[1], .c_group = (size_t)(r->in[1]->dim[0] / group) };
    if (g->n > OX_CONV_DIMS || !ox_count(r->in[0]) || !ox_count(r->in[1]) || !ox_count(r->out[0]))
        return OX_OK;
    for (int d = 0; d < OX_CONV_DIMS; d++) {
        int w = window_dim(g, d);
        p->kernel[d] = w < 0 ? 1 : (size_t)g->kernel[w];
        p->out[d] = w < 0 ? 1 : (size_t)g->out[w];
        p->stride[d] = w < 0 ? 1 : (size_t)g->stride[w];
        p->count[d] = OX_MIN(p->stride[d], p->out[d]);
        if (p->count[d] > MAX_PHASES || n * p->count[d] > MAX_PHASES)
            return OX_OK;
        n *= p->count[d];
        plain *= w < 0 ? 1 : (double)g->in[w] * (double)g->kernel[w];
    }
    p->phase = ox_state_alloc(r, n, sizeof(*p->phase));
    if (!p->phase)
        return OX_NO_MEMORY(r);
    memset(p->phase, 0, n * sizeof(*p->phase));
    p->n_phases = n;
    /* Of few inputs under a large kernel most products are with zeros. */
    if (!fit(p, g, &work) || work > 1.5 * plain)
        p->n_phases = 0;
    return p->n_phases && (r->in_const & 2) && r->in[1]->data ? pack_constant(r, p) : OX_OK;
}

/* ---- running ---- */

struct weaving {
    const ox_phases *p;
    const float *parts;
    float *y;
    size_t rows, per_block; /* of outputs: of all channels, of a block */
};

/* One output row from the rows of its phases, which lie `from` and `ld` elements on. */
static void weave_row(const ox_phases *p, const float *const *from, float *y)
{
    size_t width = p->out[2], count = p->count[2];
    if (count == 1) {
        memcpy(y, from[0], width * sizeof(*y));
    } else if (count == 2) {
        const float *even = from[0], *odd = from[1];
        for (size_t j = 0; j < width / 2; j++) {
            y[2 * j] = even[j];
            y[2 * j + 1] = odd[j];
        }
        if (width % 2)
            y[width - 1] = even[width / 2];
    } else {
        for (size_t q = 0; q < count; q++)
            for (size_t o = q, j = 0; o < width; o += count, j++)
                y[o] = from[q][j];
    }
}

static void weave(void *ctx, int64_t block, int worker)
{
    const struct weaving *v = ctx;
    const ox_phases *p = v->p;
    const float *from[MAX_PHASES];
    size_t end = OX_MIN(v->rows, ((size_t)block + 1) * v->per_block);
    (void)worker;
    for (size_t row = (size_t)block * v->per_block; row < end; row++) {
        size_t o1 = row % p->out[1], o0 = row / p->out[1] % p->out[0], channel = row / p->out[1] / p->out[0];
        const ox_phase *h = p->phase + (o0 % p->count[0] * p->count[1] + o1 % p->count[1]) * p->count[2];
        for (size_t q = 0; q < p->count[2]; q++) {
            const size_t *out = h[q].plan.out;
            from[q] = v->parts + h[q].at +
                      ((channel * out[0] + o0 / p->count[0]) * out[1] + o1 / p->count[1]) * out[2];
        }
        weave_row(p, from, v->y + row * p->out[2]);
    }
}

/* Outputs that nothing reaches. */
static void fill(const ox_phase *h, const ox_epilogue *ep, float *y)
{
    size_t size = ox_volume(h->plan.out);
    ox_conv_act act = ox_conv_activation(ep);
    for (size_t i = 0; i < h->plan.n * h->plan.m; i++) {
        float v = ep->bias_row ? ((const float *)ep->bias_row)[i % h->plan.m] : 0;
        v = v < 0 ? v * act.slope : v;
        v = v < act.lo ? act.lo : v > act.hi ? act.hi : v;
        if (ep->act == OX_ACT_MAP)
            ep->map(1, &v, &v, ep->params);
        for (size_t k = 0; k < size; k++)
            *y++ = v;
    }
}

/* Weights of phase h, packed now if they are no constant. */
static ox_code get_weights(ox_run *r, const ox_phases *p, const ox_phase *h, float *part, const void **w)
{
    *w = h->packed;
    if (*w)
        return OX_OK;
    void *packed = ox_scratch(r, ox_conv_pack_bytes(&h->plan));
    if (!packed)
        return OX_NO_MEMORY(r);
    pack(packed, r->in[1], &(struct packing){ p, h, part, r->pool });
    *w = packed;
    return OX_OK;
}

ox_code ox_phases_run(ox_run *r, const ox_phases *p, const ox_epilogue *ep)
{
    float *y = r->out[0]->data, *parts = y, *part = NULL;
    size_t most = 1;
    for (size_t i = 0; i < p->n_phases; i++)
        if (!p->phase[i].empty)
            most = OX_MAX(most, ox_conv_scratch_bytes(&p->phase[i].plan, ox_pool_threads(r->pool)));
    void *scratch = ox_scratch(r, most);
    if (p->n_phases > 1)
        parts = ox_scratch(r, ox_bytes(r->out[0]));
    if (!scratch || !parts || (!(r->in_const & 2) && !(part = part_memory(r, p))))
        return OX_NO_MEMORY(r);
    for (size_t i = 0; i < p->n_phases; i++) {
        const ox_phase *h = &p->phase[i];
        ox_conv_args args = { .x = r->in[0]->data, .y = parts + h->at, .ep = *ep };
        if (h->empty) {
            fill(h, ep, args.y);
            continue;
        }
        OX_TRY(get_weights(r, p, h, part, &args.w));
        ox_conv_run(&h->plan, &args, scratch, r->pool);
    }
    if (p->n_phases == 1)
        return OX_OK;
    struct weaving v = { .p = p, .parts = parts, .y = y,
                         .rows = p->n * p->m_group * p->group * p->out[0] * p->out[1],
                         .per_block = OX_MAX(1, BLOCK / p->out[2]) };
    ox_parallel(r, (int64_t)((v.rows + v.per_block - 1) / v.per_block), weave, &v);
    return OX_OK;
}
