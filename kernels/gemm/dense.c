#include "kernels/gemm/dense.h"
#include "kernels/gemm/epilogue.h"

#include <math.h>

static void pack_b(void *to, const ox_tensor *from, const void *ctx)
{
    const ox_dense *d = ctx;
    ox_gemm_pack_b(&d->plan, from->data, d->ldb, to);
}

ox_code ox_dense_prepare(ox_run *r, ox_dense *d, int64_t m, int64_t n, int64_t k, bool trans_a, bool trans_b)
{
    const ox_tensor *b = r->in[1];
    /* One row reads each weight once: packing would cost more than it saves, and as much memory again. */
    bool constant = (r->in_const & 2) != 0 && b->data && ox_count(b) == k * n && m > 1;
    d->plan = (ox_gemm_plan){ .m = (size_t)m, .n = (size_t)n, .k = (size_t)k, .f64 = b->dtype == OX_F64,
                              .trans_a = trans_a, .trans_b = trans_b, .packed_b = constant };
    d->lda = (size_t)(trans_a ? m : k);
    d->ldb = (size_t)(trans_b ? k : n);
    ox_gemm_choose(&d->plan, ox_cpu());
    r->kernel = d->plan.name;
    if (constant && m * n * k > 0) {
        d->packed = ox_packed(r, 1, trans_b ? "gemm_bt" : "gemm_b", ox_gemm_pack_b_bytes(&d->plan), pack_b, d);
        if (!d->packed)
            return OX_NO_MEMORY(r);
    }
    return ox_activation_read(r, &d->act);
}

ox_code ox_dense_epilogue(ox_run *r, const ox_dense *d, ox_gemm_args *args, const ox_tensor *bias,
                          const void *add)
{
    (void)r;
    args->lda = d->lda;
    args->ldb = d->ldb;
    args->ldc = d->plan.n;
    args->ep.bias_col = bias ? bias->data : NULL;
    args->ep.residual = add;
    args->ep.ld_residual = d->plan.n;
    ox_epilogue_activate(&args->ep, &d->act, NULL, d->plan.f64);
    return OX_OK;
}

ox_code ox_dense_run(ox_run *r, const ox_dense *d, ox_gemm_args *args, const void *a, const void *b, void *c)
{
    size_t bytes = ox_gemm_scratch_bytes(&d->plan, ox_pool_threads(r->pool));
    void *scratch = ox_scratch(r, bytes);
    if (!scratch)
        return OX_NO_MEMORY(r);
    args->a = a;
    args->b = d->packed ? d->packed : b;
    args->c = c;
    ox_gemm_run(&d->plan, args, scratch, r->pool);
    return OX_OK;
}

void ox_dense_oracle(ox_oracle *o, const ox_dense *d, int64_t at, int64_t n, int bias, int add)
{
    const double *b = bias < o->r->n_in ? o->in[bias] : NULL, *z = add < o->r->n_in ? o->in[add] : NULL;
    for (int64_t j = 0; j < n; j++) {
        double v = o->out[0][at + j], extra = (b ? b[j] : 0) + (z ? z[at + j] : 0);
        o->mag[0][at + j] += (b ? fabs(b[j]) : 0) + (z ? fabs(z[at + j]) : 0);
        o->out[0][at + j] = ox_activate(&d->act, v + extra);
    }
}
