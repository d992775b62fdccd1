/* MatMul: numpy's matmul.  (..., m, k) x (..., k, n) -> (..., m, n), leading dimensions broadcast, a
 * rank-1 operand taken as a row or a column that disappears again.
 *
 * Floats go through the blocked driver (gemm.h); integers through the typed loop, wrapping.
 * Inputs 2 and 3 and the onnxrun_* attributes come from fusion: a bias per column, a tensor added
 * before the activation (broadcast with the product if need be), and the activation. */
#ifdef T /* ---- once per integer dtype ---- */

static void FN(product)(void *ctx, int64_t block, int worker)
{
    const ox_run *r = ctx;
    const struct matmul *s = r->state;
    int64_t b = block / s->m, i = block % s->m, n = s->n, k = s->k;
    const T *x = (const T *)r->in[0]->data + s->at_a[b] + i * k;
    const T *w = (const T *)r->in[1]->data + s->at_b[b];
    T *y = (T *)r->out[0]->data + (b * s->m + i) * n;
    (void)worker;
    for (int64_t j = 0; j < n; j++) {
        W sum = 0;
        for (int64_t p = 0; p < k; p++)
            sum += (W)x[p] * (W)w[p * n + j];
        y[j] = (T)sum;
    }
}

static ox_code FN(matmul)(ox_run *r)
{
    const struct matmul *s = r->state;
    ox_parallel(r, s->batch * s->m, FN(product), r);
    return OX_OK;
}

#else /* ---- once ---- */
#include "kernels/elementwise/elementwise.h"
#include "kernels/gemm/dense.h"
#include "kernels/product.h"

#include <math.h>
#include <string.h>

struct matmul {
    int64_t  m, n, k, batch;
    int64_t *at_a, *at_b; /* offsets of each product's operands, in elements */
    int64_t  step_a, step_b; /* ... where they are evenly spaced; -1: not */
    ox_tensor product;       /* shape of the product without what is added */
    ox_loop2 *add;           /* where input 3 has another shape than the product */
    ox_dense dense;
};

static ox_code infer(ox_run *r)
{
    ox_product s;
    OX_TRY(ox_product_read(r, 0, 1, false, &s));
    ox_product_shape(r, 0, 1, &s);
    if (r->n_in > 3 && r->in[3])
        OX_TRY(ox_broadcast(r, &s.rank, s.lead, r->in[3]->rank, r->in[3]->dim));
    ox_out_shape(r, 0, s.rank, s.lead);
    return OX_OK;
}

static int64_t even_step(const int64_t *at, int64_t n)
{
    int64_t step = n > 1 ? at[1] - at[0] : 0;
    for (int64_t i = 1; i < n; i++)
        if (at[i] - at[i - 1] != step)
            return -1;
    return step < 0 ? -1 : step;
}

static ox_code prepare(ox_run *r)
{
    struct matmul *s = r->state;
    ox_product d;
    OX_TRY(ox_product_read(r, 0, 1, false, &d));
    s->m = d.m;
    s->n = d.n;
    s->k = d.k;
    s->batch = ox_product_batch(&d);
    if (d.rank_b == 0 && r->in[0]->rank > 1) { /* one B for all: a taller A */
        s->m *= s->batch;
        s->batch = 1;
    }
    OX_TRY(ox_product_offsets(r, 0, 1, &d, s->batch, &s->at_a, &s->at_b));
    s->step_a = even_step(s->at_a, s->batch);
    s->step_b = even_step(s->at_b, s->batch);
    if (!ox_is_float(r->out[0]->dtype))
        return OX_OK;
    ox_product_shape(r, 0, 1, &d);
    s->product = (ox_tensor){ .dtype = r->in[0]->dtype, .rank = d.rank };
    memcpy(s->product.dim, d.lead, sizeof(d.lead));
    if (r->n_in > 3 && r->in[3] && !ox_shape_same(r->in[3], &s->product)) {
        if (r->in[0]->dtype != OX_F32)
            return OX_FAIL(r->err, OX_E_TYPE, "only float32 is added in another shape");
        s->add = ox_uk_loop2_pick(OX_LOOP2_add)->run2;
    }
    return ox_dense_prepare(r, &s->dense, s->m, s->n, s->k, false, false);
}

static ox_code run_product(ox_run *r, const ox_gemm_args *epilogue, char *y)
{
    const struct matmul *s = r->state;
    ox_gemm_args args = *epilogue;
    size_t size = ox_dtype_size(r->in[0]->dtype), out = (size_t)(s->m * s->n);
    const char *a = r->in[0]->data, *b = r->in[1]->data, *add = args.ep.residual;
    if (s->step_a >= 0 && s->step_b >= 0) {
        args.stride_a = (size_t)s->step_a;
        args.stride_b = (size_t)s->step_b;
        args.stride_c = args.stride_residual = out;
        args.batch = (size_t)s->batch;
        return ox_dense_run(r, &s->dense, &args, a, b, y);
    }
    args.batch = 1;
    for (int64_t i = 0; i < s->batch; i++) {
        args.ep.residual = add ? add + (size_t)i * out * size : NULL;
        OX_TRY(ox_dense_run(r, &s->dense, &args, a + (size_t)s->at_a[i] * size,
                            b + (size_t)s->at_b[i] * size, y + (size_t)i * out * size));
    }
    return OX_OK;
}

/* Input 3 broadcasts: the product first, then the sum, then the activation. */
static ox_code run_spread(ox_run *r, const ox_gemm_args *epilogue)
{
    const struct matmul *s = r->state;
    ox_gemm_args args = *epilogue;
    ox_tensor product = s->product;
    float *y = r->out[0]->data;
    size_t n = (size_t)ox_count(r->out[0]);
    product.data = ox_scratch_array(r, (size_t)OX_MAX(ox_count(&product), 1), sizeof(float));
    if (!product.data)
        return OX_NO_MEMORY(r);
    args.ep.residual = NULL;
    args.ep.act = OX_ACT_NONE;
    OX_TRY(run_product(r, &args, product.data));
    OX_TRY(ox_map2_of(r, &product, r->in[3], r->out[0], s->add, NULL));
    if (s->dense.act.kind == OX_ACTIVATION_MAP)
        s->dense.act.map(n, y, y);
    else
        for (size_t i = 0; i < n; i++)
            y[i] = (float)ox_activate(&s->dense.act, y[i]);
    return OX_OK;
}

static ox_code run_float(ox_run *r)
{
    const struct matmul *s = r->state;
    ox_gemm_args args = { .batch = 1 };
    const void *add = r->n_in > 3 && r->in[3] ? r->in[3]->data : NULL;
    OX_TRY(ox_dense_epilogue(r, &s->dense, &args, r->n_in > 2 ? r->in[2] : NULL, add));
    return s->add ? run_spread(r, &args) : run_product(r, &args, r->out[0]->data);
}

static int64_t flops(const ox_run *r)
{
    const struct matmul *s = r->state;
    return 2 * s->batch * s->m * s->n * s->k;
}

static double plus(double a, double b, const void *params)
{
    (void)params;
    return a + b;
}
static double plus_size(double a, double b, const void *params)
{
    (void)params;
    return fabs(a) + fabs(b);
}

/* Input 3 broadcasts with the product, either way: then the product is made apart, as the kernel does. */
static ox_code oracle_spread(ox_oracle *o, const struct matmul *s)
{
    size_t n = (size_t)OX_MAX(ox_count(&s->product), 1);
    double *y = ox_scratch_array(o->r, n, sizeof(*y)), *mag = ox_scratch_array(o->r, n, sizeof(*mag));
    if (!y || !mag)
        return OX_NO_MEMORY(o->r);
    OX_TRY(ox_exact_product(o->r, &(ox_exact){ .m = s->m, .n = s->n, .k = s->k, .a = o->in[0], .b = o->in[1],
                                               .c = y, .mag = mag, .batch = s->batch, .at_a = s->at_a,
                                               .at_b = s->at_b }));
    const double *bias = o->in[2];
    for (int64_t i = 0; bias && i < s->batch * s->m * s->n; i++) {
        y[i] += bias[i % s->n];
        mag[i] += fabs(bias[i % s->n]);
    }
    const ox_tensor *in[] = { &s->product, o->r->in[3] };
    ox_run sum = *o->r;
    sum.in = in;
    OX_TRY(ox_map2_oracle(&(ox_oracle){ .r = &sum, .in = (const double *const[]){ y, o->in[3] }, .out = o->out },
                          plus, NULL));
    OX_TRY(ox_map2_oracle(&(ox_oracle){ .r = &sum, .in = (const double *const[]){ mag, o->in[3] }, .out = o->mag },
                          plus_size, NULL));
    for (int64_t i = 0; i < ox_count(o->r->out[0]); i++)
        o->out[0][i] = ox_activate(&s->dense.act, o->out[0][i]);
    return OX_OK;
}

static ox_code oracle(ox_oracle *o)
{
    const struct matmul *s = o->r->state;
    if (s->add && o->r->n_in > 3 && o->in[3]) {
        o->terms = ox_exact_terms((double)s->k);
        return oracle_spread(o, s);
    }
    OX_TRY(ox_exact_product(o->r, &(ox_exact){ .m = s->m, .n = s->n, .k = s->k, .a = o->in[0], .b = o->in[1],
                                               .c = o->out[0], .mag = o->mag[0], .batch = s->batch,
                                               .at_a = s->at_a, .at_b = s->at_b }));
    o->terms = ox_exact_terms((double)s->k);
    for (int64_t i = 0; i < s->batch * s->m; i++)
        ox_dense_oracle(o, &s->dense, i * s->n, s->n, 2, 3);
    return OX_OK;
}

#define TYPES (M_I32 | M_I64 | M_U32 | M_U64)
#define TMPL  "kernels/gemm/op_matmul.c"
#include "runtime/tensor/each_dtype.h"

OX_OP(MatMul, 1) .infer = infer, .prepare = prepare,
    .run = { [OX_F32] = run_float, [OX_F64] = run_float, [OX_I32] = matmul_i32, [OX_I64] = matmul_i64,
             [OX_U32] = matmul_u32, [OX_U64] = matmul_u64 },
    .oracle = oracle, .error = { ERR_SUM, 8 }, .state_size = sizeof(struct matmul), .flags = OX_SYMBOLIC | OX_PACKS1,
    .flops = flops OX_END;
#endif
