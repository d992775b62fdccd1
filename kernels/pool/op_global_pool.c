/* GlobalAveragePool, GlobalMaxPool and GlobalLpPool: one value for each channel. */
#ifdef T /* ---- once per dtype: see runtime/tensor/each_dtype.h ---- */

static void FN(mean_channel)(const struct global *g, const void *x, void *y)
{
    *(T *)y = (T)(g->uk->global_sum(g->size, x) / (double)g->size);
}

static void FN(max_channel)(const struct global *g, const void *x, void *y)
{
    g->uk->global_max(g->size, x, y);
}

static void FN(norm_channel)(const struct global *g, const void *vx, void *y)
{
    const T *x = vx;
    double sum = 0;
    for (int64_t i = 0; i < g->size; i++)
        sum += power(fabs((double)x[i]), g->p);
    *(T *)y = (T)power(sum, 1 / g->p);
}

static ox_code FN(mean)(ox_run *r) { return channels(r, FN(mean_channel)); }
static ox_code FN(max)(ox_run *r) { return channels(r, FN(max_channel)); }
static ox_code FN(norm)(ox_run *r) { return channels(r, FN(norm_channel)); }

#else /* ---- once ---- */
#include "kernels/pool/pooling.h"
#include "runtime/op.h"

#include <math.h>

enum { BLOCK = 1 << 14 };

struct global {
    const ox_pool_kernels *uk;
    int64_t                size; /* elements of a channel */
    double                 p;
};
typedef void channel_fn(const struct global *g, const void *x, void *y);

static double power(double x, double p) { return p == 1 ? x : p == 2 ? x * x : p == 0.5 ? sqrt(x) : pow(x, p); }

static ox_code infer(ox_run *r)
{
    const ox_tensor *x = r->in[0];
    int64_t dim[OX_MAX_RANK];
    if (x->rank < 2)
        return OX_FAIL(r->err, OX_E_SHAPE, "X has rank %d, expected at least 2", x->rank);
    for (int i = 0; i < x->rank; i++)
        dim[i] = i < 2 ? x->dim[i] : 1;
    ox_out_shape(r, 0, x->rank, dim);
    return OX_OK;
}

static ox_code prepare(ox_run *r)
{
    struct global *g = r->state;
    const ox_uk_pooling *uk = ox_uk_pooling_pick();
    g->uk = &uk->of[r->in[0]->dtype];
    g->size = ox_numel(r->in[0], 2, r->in[0]->rank);
    r->kernel = uk->name;
    return OX_OK;
}

static ox_code prepare_norm(ox_run *r)
{
    struct global *g = r->state;
    g->p = r->since < 2 ? ox_attr_f64(r, "p") : (double)ox_attr_i64(r, "p");
    if (!(g->p > 0))
        return OX_FAIL(r->err, OX_E_VALUE, "p is %g, expected a positive number", g->p);
    return prepare(r);
}

struct job { const ox_run *r; channel_fn *fn; int64_t n, per_block; };

static void block(void *ctx, int64_t b, int worker)
{
    const struct job *j = ctx;
    const struct global *g = j->r->state;
    int64_t size = (int64_t)ox_dtype_size(j->r->in[0]->dtype);
    (void)worker;
    for (int64_t i = b * j->per_block; i < OX_MIN((b + 1) * j->per_block, j->n); i++)
        j->fn(g, (const char *)j->r->in[0]->data + i * g->size * size, (char *)j->r->out[0]->data + i * size);
}

static ox_code channels(ox_run *r, channel_fn *fn)
{
    const struct global *g = r->state;
    struct job j = { r, fn, ox_count(r->out[0]), OX_MAX(BLOCK / OX_MAX(g->size, 1), 1) };
    ox_parallel(r, (j.n + j.per_block - 1) / j.per_block, block, &j);
    return OX_OK;
}

static int64_t flops(const ox_run *r) { return ox_count(r->in[0]); }

static ox_code mean_oracle(ox_oracle *o)
{
    const struct global *g = o->r->state;
    for (int64_t c = 0; c < ox_count(o->r->out[0]); c++) {
        double sum = 0, mag = 0;
        for (int64_t i = 0; i < g->size; i++) {
            sum += o->in[0][c * g->size + i];
            mag += fabs(o->in[0][c * g->size + i]);
        }
        o->out[0][c] = sum / (double)g->size;
        o->mag[0][c] = mag / (double)g->size;
    }
    return OX_OK;
}

static ox_code norm_oracle(ox_oracle *o)
{
    const struct global *g = o->r->state;
    for (int64_t c = 0; c < ox_count(o->r->out[0]); c++) {
        double sum = 0;
        for (int64_t i = 0; i < g->size; i++)
            sum += pow(fabs(o->in[0][c * g->size + i]), g->p);
        o->out[0][c] = pow(sum, 1 / g->p);
    }
    return OX_OK;
}

#define TYPES MASK_FLOAT
#define TMPL  "kernels/pool/op_global_pool.c"
#include "runtime/tensor/each_dtype.h"

OX_OP(GlobalAveragePool, 1) .infer = infer, .prepare = prepare, .run = { KERNELS(mean, FLOAT) },
    .oracle = mean_oracle, .error = { ERR_SUM, 2 }, .state_size = sizeof(struct global), .flags = OX_SYMBOLIC,
    .flops = flops OX_END;

OX_OP(GlobalMaxPool, 1) .infer = infer, .prepare = prepare, .run = { KERNELS(max, FLOAT) },
    .error = { ERR_EXACT, 0 }, .state_size = sizeof(struct global), .flags = OX_SYMBOLIC,
    .flops = flops OX_END;

OX_OP(GlobalLpPool, 1) .infer = infer, .prepare = prepare_norm, .run = { KERNELS(norm, FLOAT) },
    .oracle = norm_oracle, .error = { ERR_SUM, 2 }, .state_size = sizeof(struct global), .flags = OX_SYMBOLIC,
    .flops = flops OX_END;
#endif
