/* Transposed convolutions of small images: see scatter.h. */
#include "kernels/conv/scatter.h"

#include "kernels/conv/algo.h"

#include <stdio.h>
#include <string.h>

enum { MAX_PIXELS = 256, MAX_TERMS = 1 << 16, MIN_CHANNELS = 16, PIXELS = 32 /* of a block of outputs */ };

/* ---- where products meet ---- */

/* The output that input element i meets under kernel position k; -1: none. */
static int64_t output_of(const ox_window *g, int64_t i, int64_t k)
{
    int64_t at = 0, size = 1;
    for (int d = g->n - 1; d >= 0; d--) {
        int64_t o = i % g->in[d] * g->stride[d] + k % g->kernel[d] * g->dilation[d] - g->begin[d];
        if (o < 0 || o >= g->out[d])
            return -1;
        i /= g->in[d];
        k /= g->kernel[d];
        at += o * size;
        size *= g->out[d];
    }
    return at;
}

/* Terms of an output in the order of the kernel's positions. */
static ox_code find_terms(ox_run *r, const ox_window *g, ox_scatter *p)
{
    uint32_t *first = ox_state_alloc(r, p->out + 2, sizeof(*first));
    uint32_t *term = ox_state_alloc(r, p->in * p->kernel, sizeof(*term));
    if (!first || !term)
        return OX_NO_MEMORY(r);
    memset(first, 0, (p->out + 2) * sizeof(*first));
    for (int pass = 0; pass < 2; pass++) {
        for (size_t k = 0; k < p->kernel; k++)
            for (size_t i = 0; i < p->in; i++) {
                int64_t o = output_of(g, (int64_t)i, (int64_t)k);
                if (o < 0)
                    continue;
                uint32_t *at = &first[o + 2 - pass]; /* counts, then where the next term goes */
                if (pass)
                    term[*at] = (uint32_t)((i * p->kernel + k) * p->m_group);
                ++*at;
            }
        for (size_t o = 0; o < p->out && pass == 0; o++)
            first[o + 2] += first[o + 1];
    }
    p->first = first;
    p->term = term;
    return OX_OK;
}

/* ---- weights ---- */

struct packing {
    const ox_scatter *p;
    float *part; /* one group's, (C / group, kernel, M / group) */
};

/* W is (C, M / group, kernel). */
static void pack(void *to, const ox_tensor *w, const void *ctx)
{
    const struct packing *q = ctx;
    const ox_scatter *p = q->p;
    const float *from = w->data;
    for (size_t g = 0; g < p->group; g++, from += p->c_group * p->m_group * p->kernel) {
        float *part = q->part;
        for (size_t c = 0; c < p->c_group; c++)
            for (size_t k = 0; k < p->kernel; k++)
                for (size_t m = 0; m < p->m_group; m++)
                    *part++ = from[(c * p->m_group + m) * p->kernel + k];
        ox_gemm_pack_b(&p->gemm, q->part, p->gemm.n, (char *)to + g * ox_gemm_pack_b_bytes(&p->gemm));
    }
}

ox_code ox_scatter_prepare(ox_run *r, const ox_window *g, int64_t group, ox_scatter *p)
{
    const ox_tensor *x = r->in[0], *w = r->in[1];
    size_t bytes;
    *p = (ox_scatter){ .n = (size_t)x->dim[0], .group = (size_t)group, .m_group = (size_t)w->dim[1],
                      .c_group = (size_t)(w->dim[0] / group), .in = (size_t)ox_numel(x, 2, x->rank),
                      .out = (size_t)ox_numel(r->out[0], 2, x->rank), .kernel = (size_t)ox_numel(w, 2, w->rank) };
    if (!(r->in_const & 2) || !w->data || !ox_count(w) || !ox_count(r->out[0]) || p->in == 0 || p->in > MAX_PIXELS ||
        p->kernel > MAX_TERMS / p->in || p->m_group < MIN_CHANNELS || p->c_group < MIN_CHANNELS ||
        p->in * p->kernel > UINT32_MAX / p->m_group)
        return OX_OK;
    p->gemm = (ox_gemm_plan){ .m = p->in, .n = p->kernel * p->m_group, .k = p->c_group, .trans_a = true,
                              .packed_b = true };
    ox_gemm_choose(&p->gemm, ox_cpu());
    p->turn = ox_uk_conv_pick(OX_UK_TURN, ox_cpu());
    OX_TRY(find_terms(r, g, p));
    struct packing q = { p, ox_scratch_array(r, p->c_group * p->gemm.n, sizeof(float)) };
    char key[48];
    snprintf(key, sizeof(key), "scatter %zu by %zu", p->group, p->kernel);
    if (!q.part || !ox_mul_size(&bytes, p->group, ox_gemm_pack_b_bytes(&p->gemm)) ||
        !(p->packed = ox_packed(r, 1, key, bytes, pack, &q)))
        return OX_NO_MEMORY(r);
    p->used = true;
    return OX_OK;
}

/* ---- running ---- */

struct job {
    const ox_scatter *p;
    const ox_epilogue *ep;
    const float *product, *bias; /* of one image and group */
    float *sums, *y;             /* sums: [worker][PIXELS][m_group] */
};

static void add(size_t n, const float *x, float *y)
{
    for (size_t i = 0; i < n; i++)
        y[i] += x[i];
}

static void fold(void *ctx, int64_t block, int worker)
{
    const struct job *j = ctx;
    const ox_scatter *p = j->p;
    size_t m = p->m_group, start = (size_t)block * PIXELS, n = OX_MIN(p->out - start, (size_t)PIXELS);
    float *sums = j->sums + (size_t)worker * PIXELS * m;
    for (size_t o = 0; o < n; o++) {
        const uint32_t *t = p->term + p->first[start + o], *end = p->term + p->first[start + o + 1];
        float *sum = sums + o * m;
        if (t == end)
            memset(sum, 0, m * sizeof(*sum));
        else
            memcpy(sum, j->product + *t++, m * sizeof(*sum));
        for (; t < end; t++)
            add(m, j->product + *t, sum);
    }
    p->turn->fn.turn(&(ox_turn){ .c = sums, .ldc = m, .m = m, .n = n, .bias = j->bias, .y = j->y + start,
                                 .ldy = p->out, .act = ox_conv_activation(j->ep) });
    for (size_t c = 0; c < m && j->ep->act == OX_ACT_MAP; c++)
        j->ep->map(n, j->y + c * p->out + start, j->y + c * p->out + start, j->ep->params);
}

ox_code ox_scatter_run(ox_run *r, const ox_scatter *p, const ox_epilogue *ep)
{
    size_t threads = (size_t)ox_pool_threads(r->pool), pack_bytes = ox_gemm_pack_b_bytes(&p->gemm);
    float *product = ox_scratch_array(r, p->in * p->gemm.n, sizeof(*product));
    float *sums = ox_scratch_array(r, threads * PIXELS, p->m_group * sizeof(*sums));
    void *scratch = ox_scratch(r, ox_gemm_scratch_bytes(&p->gemm, ox_pool_threads(r->pool)));
    if (!product || !sums || !scratch)
        return OX_NO_MEMORY(r);
    for (size_t i = 0; i < p->n * p->group; i++) {
        size_t g = i % p->group, m = g * p->m_group;
        ox_gemm_args args = { .a = (const float *)r->in[0]->data + i * p->c_group * p->in, .lda = p->in,
                              .b = (const char *)p->packed + g * pack_bytes, .c = product, .ldc = p->gemm.n };
        struct job j = { p, ep, product, ep->bias_row ? (const float *)ep->bias_row + m : NULL, sums,
                         (float *)r->out[0]->data + i * p->m_group * p->out };
        ox_gemm_run(&p->gemm, &args, scratch, r->pool);
        ox_parallel(r, (int64_t)((p->out + PIXELS - 1) / PIXELS), fold, &j);
    }
    return OX_OK;
}
