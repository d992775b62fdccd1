/* ImageScaler, which ONNX dropped: y = scale * x + bias of the channel; x is (N, C, H, W). */
#ifdef T /* ---- once per dtype: see runtime/tensor/each_dtype.h ---- */

static void FN(plane)(void *ctx, int64_t plane, int worker)
{
    const scaler *s = ctx;
    const T *x = (const T *)s->r->in[0]->data + plane * s->n;
    T *y = (T *)s->r->out[0]->data + plane * s->n;
    double bias = (double)s->bias[plane % s->n_bias], scale = s->scale;
    (void)worker;
    OX_INDEPENDENT_HINT
    for (int64_t i = 0; i < s->n; i++)
        y[i] = (T)((double)x[i] * scale + bias);
}
static ox_code FN(run)(ox_run *r)
{
    scaler s;
    OX_TRY(init(r, &s));
    ox_parallel(r, ox_numel(r->in[0], 0, 2), FN(plane), &s);
    return OX_OK;
}

#else /* ---- once ---- */
#include "kernels/math/base.h"
#include "runtime/op.h"

typedef struct scaler {
    const ox_run *r;
    const float  *bias;
    int           n_bias;
    double        scale;
    int64_t       n; /* elements of a channel */
} scaler;

static ox_code init(const ox_run *r, scaler *s)
{
    const ox_tensor *x = r->in[0];
    *s = (scaler){ .r = r, .scale = ox_attr_f64(r, "scale") };
    s->bias = ox_attr_f32s(r, "bias", &s->n_bias);
    if (x->rank < 2 || s->n_bias != x->dim[1])
        return OX_FAIL(r->err, OX_E_SHAPE, "%d biases for x of rank %d with %lld channels", s->n_bias, x->rank,
                       (long long)(x->rank < 2 ? 0 : x->dim[1]));
    s->n = ox_numel(x, 2, x->rank);
    return OX_OK;
}

static ox_code oracle(ox_oracle *o)
{
    scaler s;
    OX_TRY(init(o->r, &s));
    for (int64_t i = 0; i < ox_count(o->r->in[0]); i++)
        o->out[0][i] = o->in[0][i] * s.scale + (double)s.bias[i / s.n % s.n_bias];
    return OX_OK;
}

#define TYPES MASK_FLOAT
#define TMPL  "kernels/elementwise/op_image_scaler.c"
#include "runtime/tensor/each_dtype.h"

OX_OP(ImageScaler, 1) .infer = ox_infer_like, .run = { KERNELS_FLOAT(run) }, .oracle = oracle,
    .error = { ERR_ULP, 0.51 }, .flags = OX_INPLACE0 | OX_SYMBOLIC OX_END;
#endif
