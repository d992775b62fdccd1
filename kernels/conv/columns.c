#include "kernels/conv/columns.h"

#include <stdio.h>
#include <string.h>

enum { COLUMNS_BYTES = 1 << 19, MOST = 1024, LEAST = 48 };

struct pack_ctx {
    const ox_gemm_plan *plan;
    int64_t             group;
    size_t              group_bytes;
};

static void pack_weights(void *to, const ox_tensor *w, const void *vctx)
{
    const struct pack_ctx *ctx = vctx;
    size_t size = ox_dtype_size(w->dtype), one = ctx->plan->m * ctx->plan->k * size;
    for (int64_t g = 0; g < ctx->group; g++)
        ox_gemm_pack_a(ctx->plan, (const char *)w->data + (size_t)g * one, ctx->plan->k,
                       (char *)to + (size_t)g * ctx->group_bytes);
}

/* Positions in a block: what keeps the columns in the level-2 cache, a multiple of the tile's width. */
static int64_t block_size(const ox_conv_shape *s, int64_t k, size_t size)
{
    int64_t n = COLUMNS_BYTES / (int64_t)size / OX_MAX(k, 1);
    n = OX_MAX(LEAST, OX_MIN(n, MOST)) / LEAST * LEAST;
    return OX_MIN(n, s->out_size);
}

static bool is_direct(const ox_window *g)
{
    for (int i = 0; i < g->n; i++)
        if (g->kernel[i] != 1 || g->stride[i] != 1 || g->begin[i] || g->end[i])
            return false;
    return true;
}

ox_code ox_columns_prepare(ox_run *r, const ox_conv_shape *s, ox_columns *c)
{
    int64_t k = s->c_group * s->k_size;
    bool constant = (r->in_const & 2) != 0 && r->in[1]->data;
    size_t size = ox_dtype_size(r->in[0]->dtype);
    *c = (ox_columns){ .direct = is_direct(&s->window), .block = block_size(s, k, size) };
    c->n_block = (s->out_size + c->block - 1) / c->block;
    c->plan = (ox_gemm_plan){ .m = (size_t)s->m_group, .n = (size_t)c->block, .k = (size_t)k,
                              .f64 = size == 8, .packed_a = constant };
    c->tail = c->plan;
    c->tail.n = (size_t)(s->out_size - (c->n_block - 1) * c->block);
    ox_gemm_choose(&c->plan, ox_cpu());
    ox_gemm_choose(&c->tail, ox_cpu());
    size_t a = ox_gemm_scratch_bytes(&c->plan, 1), b = ox_gemm_scratch_bytes(&c->tail, 1);
    size_t columns = c->direct ? 0 : (size_t)(k * c->block) * size + 64;
    if (a == SIZE_MAX || b == SIZE_MAX)
        return OX_NO_MEMORY(r);
    c->scratch_bytes = (OX_MAX(a, b) + 127) & ~(size_t)63;
    c->columns_bytes = (columns + 63) & ~(size_t)63;
    r->kernel = c->plan.name;
    if (!constant)
        return OX_OK;
    c->group_bytes = (ox_gemm_pack_a_bytes(&c->plan) + 63) & ~(size_t)63;
    struct pack_ctx ctx = { &c->plan, s->group, c->group_bytes };
    char key[64];
    size_t bytes;
    snprintf(key, sizeof(key), "conv %lld %zu", (long long)s->group, c->plan.mr);
    if (!ox_mul_size(&bytes, c->group_bytes, (size_t)s->group))
        return OX_NO_MEMORY(r);
    c->packed = ox_packed(r, 1, key, bytes, pack_weights, &ctx);
    return c->packed ? OX_OK : OX_NO_MEMORY(r);
}

struct job {
    ox_run              *r;
    const ox_conv_shape *s;
    const ox_columns    *c;
    const ox_activation *act;
    char                *columns, *scratch;
};

/* n inputs from x on, `stride` elements apart. */
static void copy_strided(char *to, const char *x, int64_t n, int64_t stride, size_t size)
{
    if (size == 4)
        for (int64_t i = 0; i < n; i++)
            ((float *)to)[i] = ((const float *)x)[i * stride];
    else
        for (int64_t i = 0; i < n; i++)
            ((double *)to)[i] = ((const double *)x)[i * stride];
}

/* One row of the columns: what kernel position k of channel x contributes to positions [p, p + n). */
static void write_row(const ox_conv_shape *s, char *to, const char *x, int64_t k, int64_t p, int64_t n, size_t size)
{
    const ox_window *g = &s->window;
    int last = g->n - 1;
    int64_t at[OX_MAX_RANK], offset[OX_MAX_RANK], rest = p / g->out[last], o = p % g->out[last];
    for (int d = last; d >= 0; d--) {
        offset[d] = k % g->kernel[d] * g->dilation[d] - g->begin[d];
        k /= g->kernel[d];
    }
    for (int d = last - 1; d >= 0; d--) {
        at[d] = rest % g->out[d];
        rest /= g->out[d];
    }
    int64_t lo, hi, step = g->stride[last];
    ox_window_range(&lo, &hi, offset[last], step, g->in[last], g->out[last]);
    while (n > 0) {
        int64_t end = OX_MIN(g->out[last], o + n), base = 0, width = end - o;
        bool inside = true;
        for (int d = 0; d < last; d++) {
            int64_t i = at[d] * g->stride[d] + offset[d];
            inside = inside && i >= 0 && i < g->in[d];
            base = base * g->in[d] + i;
        }
        int64_t from = inside ? OX_MIN(OX_MAX(lo, o), end) : end, to_end = inside ? OX_MAX(from, OX_MIN(hi, end)) : end;
        memset(to, 0, (size_t)(from - o) * size);
        if (from < to_end) {
            const char *row = x + (base * g->in[last] + from * step + offset[last]) * (int64_t)size;
            char *put = to + (size_t)(from - o) * size;
            if (step == 1)
                memcpy(put, row, (size_t)(to_end - from) * size);
            else
                copy_strided(put, row, to_end - from, step, size);
        }
        memset(to + (size_t)(to_end - o) * size, 0, (size_t)(end - to_end) * size);
        to += (size_t)width * size;
        n -= width;
        o = 0;
        for (int d = last - 1; d >= 0 && ++at[d] == g->out[d]; d--)
            at[d] = 0;
    }
}

static void set_activation(ox_epilogue *ep, const ox_activation *act)
{
    if (act->kind == OX_ACTIVATION_CLIP) {
        ep->act = OX_ACT_CLAMP;
        ep->lo = act->lo;
        ep->hi = act->hi;
    } else if (act->kind == OX_ACTIVATION_LEAKY) {
        ep->act = OX_ACT_LEAKY;
        ep->slope = act->slope;
    }
}

static void run_block(void *ctx, int64_t block, int worker)
{
    const struct job *j = ctx;
    const ox_conv_shape *s = j->s;
    const ox_columns *c = j->c;
    const ox_run *r = j->r;
    size_t size = ox_dtype_size(r->in[0]->dtype);
    int64_t b = block % c->n_block, g = block / c->n_block % s->group, n = block / c->n_block / s->group;
    int64_t p = b * c->block, count = OX_MIN(c->block, s->out_size - p), m0 = g * s->m_group;
    const ox_gemm_plan *plan = b == c->n_block - 1 ? &c->tail : &c->plan;
    const char *x = (const char *)r->in[0]->data + (size_t)((n * s->c + g * s->c_group) * s->in_size) * size;
    size_t out = (size_t)((n * s->m + m0) * s->out_size + p) * size;
    const ox_tensor *bias = r->n_in > 2 ? r->in[2] : NULL, *add = r->n_in > 3 ? r->in[3] : NULL;
    char *columns = j->columns + (size_t)worker * c->columns_bytes;
    for (int64_t k = 0; k < (int64_t)plan->k && !c->direct; k++)
        write_row(s, columns + (size_t)(k * count) * size, x + (size_t)(k / s->k_size * s->in_size) * size,
                  k % s->k_size, p, count, size);
    ox_gemm_args args = {
        .a = c->packed ? (const char *)c->packed + (size_t)g * c->group_bytes
                       : (const char *)r->in[1]->data + (size_t)(m0 * (int64_t)plan->k) * size,
        .lda = plan->k,
        .b = c->direct ? x + (size_t)p * size : columns,
        .ldb = c->direct ? (size_t)s->in_size : (size_t)count,
        .c = (char *)r->out[0]->data + out, .ldc = (size_t)s->out_size,
        .ep = { .bias_row = bias ? (const char *)bias->data + (size_t)m0 * size : NULL,
                .residual = add ? (const char *)add->data + out : NULL,
                .ld_residual = (size_t)s->out_size },
    };
    set_activation(&args.ep, j->act);
    ox_gemm_run(plan, &args, j->scratch + (size_t)worker * c->scratch_bytes, NULL);
}

ox_code ox_columns_run(ox_run *r, const ox_conv_shape *s, const ox_columns *c, const ox_activation *act)
{
    size_t threads = (size_t)ox_pool_threads(r->pool);
    struct job j = { r, s, c, act, ox_scratch_array(r, threads, OX_MAX(c->columns_bytes, 64)),
                     ox_scratch_array(r, threads, c->scratch_bytes) };
    if (!j.columns || !j.scratch)
        return OX_NO_MEMORY(r);
    ox_parallel(r, s->batch * s->group * c->n_block, run_block, &j);
    return OX_OK;
}
