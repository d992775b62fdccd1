/* Conv.  X (N, C, D1 ...), W (M, C / group, k1 ...), B (M) -> Y (N, M, o1 ...).
 *
 * Up to three spatial dimensions go through conv.h, which chooses the algorithm; --optimize 0
 * allows only those that add the products of the definition.  The typed half is the path for the
 * rest: more dimensions, and padding that crops.  It sums in double. Input 3 and the onnxrun_*
 * attributes come from fusion (runtime/opt/fuse_conv.c): a tensor added before the activation, and
 * the activation. */
#ifdef T /* ---- once per dtype: see runtime/tensor/each_dtype.h ---- */

/* acc[o] += w * x[o * stride + offset] over the outputs whose input exists. */
static void FN(add_row)(const struct conv *s, A *acc, const T *x, A w, int64_t k)
{
    const ox_window *g = &s->shape.window;
    int last = g->n - 1;
    int64_t lo, hi, step = g->stride[last], offset = k * g->dilation[last] - g->begin[last];
    ox_window_range(&lo, &hi, offset, step, g->in[last], g->out[last]);
    x += offset;
    if (step == 1)
        for (int64_t o = lo; o < hi; o++)
            acc[o] += w * (A)LD(x + o);
    else
        for (int64_t o = lo; o < hi; o++)
            acc[o] += w * (A)LD(x + o * step);
}

/* One row of outputs (the last spatial dimension) of channel m of image n. */
static void FN(row)(const struct conv *s, const T *x, const T *w, A *acc, const int64_t *at)
{
    const ox_window *g = &s->shape.window;
    int last = g->n - 1;
    for (int64_t c = 0; c < s->shape.c_group; c++) {
        for (int64_t k = 0; k < s->n_outer; k++) {
            int64_t rest = k, offset = 0, size = g->in[last];
            bool inside = true;
            for (int d = last - 1; d >= 0 && inside; d--) {
                int64_t i =
                    at[d] * g->stride[d] + rest % g->kernel[d] * g->dilation[d] - g->begin[d];
                inside = i >= 0 && i < g->in[d];
                rest /= g->kernel[d];
                offset += i * size;
                size *= g->in[d];
            }
            for (int64_t j = 0; j < g->kernel[last] && inside; j++)
                FN(add_row)(s, acc, x + offset, (A)LD(w + k * g->kernel[last] + j), j);
        }
        x += s->shape.in_size;
        w += s->shape.k_size;
    }
}

static void FN(channel)(void *ctx, int64_t block, int worker)
{
    const struct conv_run *c = ctx;
    const struct conv *s = c->r->state;
    const ox_window *g = &s->shape.window;
    int last = g->n - 1;
    int64_t n = block / s->shape.m, m = block % s->shape.m, row = g->out[last],
            at[OX_MAX_RANK] = { 0 };
    const T *x = (const T *)c->r->in[0]->data +
                 (n * s->shape.c + m / s->shape.m_group * s->shape.c_group) * s->shape.in_size;
    const T *w = (const T *)c->r->in[1]->data + m * s->shape.c_group * s->shape.k_size;
    const ox_tensor *b = c->r->n_in > 2 ? c->r->in[2] : NULL,
                    *add = c->r->n_in > 3 ? c->r->in[3] : NULL;
    T *y = (T *)c->r->out[0]->data + block * s->shape.out_size;
    const T *z = add ? (const T *)add->data + block * s->shape.out_size : NULL;
    A *acc = (A *)c->acc + worker * row;
    for (int64_t o = 0; o < s->shape.out_size; o += row) {
        for (int64_t i = 0; i < row; i++)
            acc[i] = (b ? (A)LD((const T *)b->data + m) : 0) + (z ? (A)LD(z + o + i) : 0);
        FN(row)(s, x, w, acc, at);
        for (int64_t i = 0; i < row; i++)
            ST(y + o + i, (C)ox_activate(&s->act, (double)acc[i]));
        for (int d = last - 1; d >= 0 && ++at[d] == g->out[d]; d--)
            at[d] = 0;
    }
}

static ox_code FN(general)(ox_run *r)
{
    const struct conv *s = r->state;
    if (s->fast)
        return run_fast(r, s);
    size_t n =
        (size_t)ox_pool_threads(r->pool) * (size_t)s->shape.window.out[s->shape.window.n - 1];
    struct conv_run c = { r, ox_scratch_array(r, n, sizeof(A)) };
    if (!c.acc)
        return OX_NO_MEMORY(r);
    ox_parallel(r, r->out[0]->dim[0] * s->shape.m, FN(channel), &c);
    return OX_OK;
}

#else /* ---- once ---- */
#include "kernels/conv/act.h"
#include "kernels/conv/oracle.h"

#include <stdio.h>
#include <string.h>

struct conv {
    ox_conv_shape shape;
    ox_activation act;
    int64_t n_outer; /* kernel positions of all spatial dimensions but the last */
    bool fast;       /* by conv.h */
    const ox_uk_conv *smooth; /* the activation, where conv.h has it; or NULL */
    ox_conv_plan plan;
    const void *packed; /* weights as the plan wants them; NULL: they are no constant */
};
struct conv_run {
    ox_run *r;
    void *acc;
};

/* X and W against each other and group; a missing spatial dimension is taken as one of size 1. */
static ox_code check(ox_run *r, const ox_tensor *x, const ox_tensor *w, int64_t group)
{
    if (x->rank < 3 || w->rank != x->rank)
        return OX_FAIL(r->err, OX_E_SHAPE,
                       "X has rank %d and W has rank %d, expected the same, at least 3", x->rank,
                       w->rank);
    if (group < 1 || (w->dim[0] >= 0 && w->dim[0] % group))
        return OX_FAIL(r->err, OX_E_SHAPE, "group %lld does not divide the %lld filters of W",
                       (long long)group, (long long)w->dim[0]);
    if (x->dim[1] >= 0 && w->dim[1] >= 0 &&
        (w->dim[1] > x->dim[1] || w->dim[1] * group != x->dim[1]))
        return OX_FAIL(r->err, OX_E_SHAPE, "X has %lld channels, W expects %lld in %lld group%s",
                       (long long)x->dim[1], (long long)w->dim[1], (long long)group,
                       group == 1 ? "" : "s");
    const ox_tensor *b = r->n_in > 2 ? r->in[2] : NULL;
    if (b && (b->rank != 1 || (b->dim[0] >= 0 && w->dim[0] >= 0 && b->dim[0] != w->dim[0])))
        return OX_FAIL(r->err, OX_E_SHAPE, "B has %lld elements, W has %lld filters",
                       (long long)ox_count(b), (long long)w->dim[0]);
    return OX_OK;
}

static ox_code infer(ox_run *r)
{
    const ox_tensor *x = r->in[0], *w = r->in[1];
    ox_window g;
    int64_t dim[OX_MAX_RANK];
    OX_TRY(check(r, x, w, ox_attr_i64(r, "group")));
    OX_TRY(ox_window_init(r, &g, x, w->dim + 2));
    dim[0] = x->dim[0];
    dim[1] = w->dim[0];
    memcpy(dim + 2, g.out, (size_t)g.n * sizeof(*dim));
    ox_out_shape(r, 0, x->rank, dim);
    return OX_OK;
}

struct packing {
    const ox_conv_plan *plan;
    ox_pool *pool;
};

static void pack(void *to, const ox_tensor *w, const void *ctx)
{
    const struct packing *p = ctx;
    ox_conv_pack(p->plan, w->data, to, p->pool);
}

/* Rows of a few pixels that no kernel position crosses, as in convolutions over time that were written for images of
 * width 1, are taken as one long row: a step in the dimension before is then a row's length. */
static void merge_rows(ox_conv_plan *p)
{
    enum { LAST = OX_CONV_DIMS - 1, SHORT = 16 };
    bool point = p->k[0] == 1 && p->k[1] == 1 && p->k[2] == 1;
    for (int pass = 0; pass < LAST && !point; pass++) {
        size_t row = p->in[LAST], dil, pad;
        const int up = LAST - 1;
        if (row >= SHORT || p->k[LAST] != 1 || p->pad[LAST] != 0 || p->out[LAST] != row ||
            (p->stride[up] != 1 && row != 1) || !ox_mul_size(&dil, p->dil[up], row) ||
            !ox_mul_size(&pad, p->pad[up], row))
            return;
        p->in[LAST] = p->in[up] * row;
        p->out[LAST] = p->out[up] * row;
        p->k[LAST] = p->k[up];
        p->stride[LAST] = p->stride[up];
        p->dil[LAST] = dil;
        p->pad[LAST] = pad;
        for (int d = up; d >= 0; d--) {
            p->in[d] = d ? p->in[d - 1] : 1;
            p->out[d] = d ? p->out[d - 1] : 1;
            p->k[d] = d ? p->k[d - 1] : 1;
            p->stride[d] = d ? p->stride[d - 1] : 1;
            p->dil[d] = d ? p->dil[d - 1] : 1;
            p->pad[d] = d ? p->pad[d - 1] : 0;
        }
    }
}

/* The plan of conv.h, where it applies. */
static ox_code plan_fast(ox_run *r, struct conv *s, size_t group)
{
    const ox_window *g = &s->shape.window;
    ox_conv_plan *p = &s->plan;
    bool fits =
        g->n <= OX_CONV_DIMS && ox_count(r->in[0]) && ox_count(r->in[1]) && ox_count(r->out[0]);
    for (int i = 0; i < g->n; i++)
        fits = fits && g->begin[i] >= 0 && g->end[i] >= 0;
    if (!fits)
        return OX_OK;
    *p = (ox_conv_plan){ .n = (size_t)r->in[0]->dim[0],
                         .c = (size_t)s->shape.c,
                         .m = (size_t)s->shape.m,
                         .group = group,
                         .f64 = r->in[0]->dtype == OX_F64 };
    for (int i = 0; i < OX_CONV_DIMS; i++) {
        int from = i - (OX_CONV_DIMS - g->n);
        p->in[i] = from < 0 ? 1 : (size_t)g->in[from];
        p->out[i] = from < 0 ? 1 : (size_t)g->out[from];
        p->k[i] = from < 0 ? 1 : (size_t)g->kernel[from];
        p->stride[i] = from < 0 ? 1 : (size_t)g->stride[from];
        p->dil[i] = from < 0 ? 1 : (size_t)g->dilation[from];
        p->pad[i] = from < 0 ? 0 : (size_t)g->begin[from];
    }
    merge_rows(p);
    s->fast = ox_conv_choose(p, ox_cpu(), r->optimize > 0);
    if (!s->fast)
        return OX_OK;
    r->kernel = p->name;
    if (!(r->in_const & 2) || !r->in[1]->data)
        return OX_OK;
    char key[96];
    snprintf(key, sizeof(key), "%s %zu %zu %zu %zu", p->name, p->gemm.mr, p->step, p->bm, group);
    s->packed = ox_packed(r, 1, key, ox_conv_pack_bytes(p), pack, &(struct packing){ p, r->pool });
    return s->packed ? OX_OK : OX_NO_MEMORY(r);
}

/* What conv.h needs to know of a node; weights that are no constant are packed here. */
static ox_code fast_args(ox_run *r, const ox_run *of, ox_conv_args *args)
{
    const struct conv *s = of->state;
    const ox_tensor *b = of->n_in > 2 ? of->in[2] : NULL, *add = of->n_in > 3 ? of->in[3] : NULL;
    *args = (ox_conv_args){ .x = of->in[0]->data, .w = s->packed, .y = of->out[0]->data,
                            .ep = { .bias_row = b ? b->data : NULL, .residual = add ? add->data : NULL } };
    ox_conv_set_activation(&s->act, s->smooth, s->plan.f64, &args->ep);
    if (s->packed)
        return OX_OK;
    void *packed = ox_scratch(r, ox_conv_pack_bytes(&s->plan));
    if (!packed)
        return OX_NO_MEMORY(r);
    ox_conv_pack(&s->plan, of->in[1]->data, packed, r->pool);
    args->w = packed;
    return OX_OK;
}

static ox_code run_fast(ox_run *r, const struct conv *s)
{
    const struct conv *f = r->feeder ? r->feeder->state : NULL;
    int n = ox_pool_threads(r->pool);
    ox_conv_args args, feeder;
    OX_TRY(fast_args(r, r, &args));
    if (f)
        OX_TRY(fast_args(r, r->feeder, &feeder));
    void *scratch = ox_scratch(r, f ? ox_conv_pair_scratch_bytes(&f->plan, &s->plan, n)
                                    : ox_conv_scratch_bytes(&s->plan, n));
    if (!scratch)
        return OX_NO_MEMORY(r);
    if (f)
        ox_conv_pair_run(&f->plan, &feeder, &s->plan, &args, scratch, r->pool);
    else
        ox_conv_run(&s->plan, &args, scratch, r->pool);
    return OX_OK;
}

static const char *joins(const ox_run *r, const ox_run *feeder)
{
    const struct conv *s = r->state, *f = feeder->state;
    bool residual = feeder->n_in > 3 && feeder->in[3];
    if (!s->fast || !f->fast || residual || r->in[0]->dtype != OX_F32)
        return NULL;
    return ox_conv_pair_fits(&f->plan, &s->plan) ? "gemm_1x1, depthwise_plane" : NULL;
}

static ox_code prepare(ox_run *r)
{
    struct conv *s = r->state;
    const ox_tensor *x = r->in[0], *w = r->in[1];
    int64_t group = ox_attr_i64(r, "group");
    OX_TRY(ox_window_init(r, &s->shape.window, x, w->dim + 2));
    s->shape.c = x->dim[1];
    s->shape.m = w->dim[0];
    s->shape.c_group = w->dim[1];
    s->shape.m_group = s->shape.m / group;
    s->shape.in_size = ox_numel(x, 2, x->rank);
    s->shape.k_size = ox_numel(w, 2, w->rank);
    s->shape.out_size = ox_numel(r->out[0], 2, x->rank);
    s->n_outer = s->shape.k_size / OX_MAX(s->shape.window.kernel[s->shape.window.n - 1], 1);
    r->kernel = "general";
    OX_TRY(ox_activation_read(r, &s->act));
    s->smooth = ox_conv_quick_activation(r, &s->act);
    return plan_fast(r, s, (size_t)group);
}

static int64_t flops(const ox_run *r)
{
    const struct conv *s = r->state;
    return 2 * ox_count(r->out[0]) * s->shape.c_group * s->shape.k_size;
}

static ox_code oracle(ox_oracle *o)
{
    const struct conv *s = o->r->state;
    return ox_conv_oracle(o, &s->shape, s->fast ? &s->plan : NULL, &s->act);
}

static ox_code parts(ox_parts *p)
{
    const struct conv *s = p->r->state;
    return ox_conv_parts(p, &s->shape, s->fast ? &s->plan : NULL, &s->act);
}

#define TYPES MASK_FLOAT
#define TMPL "kernels/conv/op_conv.c"
#include "runtime/tensor/each_dtype.h"

OX_OP(Conv, 1).infer = infer, .prepare = prepare, .run = { KERNELS(general, FLOAT) },
            .oracle = oracle, .parts = parts, .error = { ERR_SUM, 8 }, .state_size = sizeof(struct conv),
            .flags = OX_SYMBOLIC | OX_PACKS1,
    .flops = flops, .joins = joins OX_END;
#endif
