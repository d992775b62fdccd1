/* Dropout.  At inference a copy with a mask of ones.  In training elements survive with probability
 * 1 - ratio and are scaled by its inverse.  When it trains: versions 1 and 6 unless is_test, 7 and
 * 10 never, 12 on if the input training_mode says so. */
#ifdef T /* ---- once per dtype ---- */

static ox_code FN(run)(ox_run *r)
{
    dropout d;
    const T *x = r->in[0]->data;
    T *y = r->out[0] ? r->out[0]->data : NULL;
    ox_tensor *mask = r->n_out > 1 ? r->out[1] : NULL;
    int64_t n = ox_count(r->in[0]);
    OX_TRY(get_dropout(r, &d));
    if (!d.training || d.ratio == 0) {
        if (y && y != x)
            memcpy(y, x, (size_t)n * sizeof(T));
        return fill_mask(r, mask, n);
    }
    ox_mt19937 *g = ox_scratch(r, sizeof(*g));
    if (!g)
        return OX_NO_MEMORY(r);
    ox_mt19937_init(g, d.seed);
    C scale = (C)(1 / (1 - d.ratio));
    for (int64_t i = 0; i < n; i++) {
        bool kept = ox_mt19937_uniform(g) >= d.ratio;
        if (y)
            ST(y + i, kept ? LD(x + i) * scale : 0);
        set_mask(mask, i, kept);
    }
    return OX_OK;
}

#else /* ---- once ---- */
#include "kernels/random/mt19937.h"
#include "runtime/op.h"

#include <string.h>

typedef struct dropout {
    bool     training;
    double   ratio;
    uint32_t seed;
} dropout;

static ox_code infer(ox_run *r)
{
    if (r->n_out > 1 && r->out[1] && r->since < 10) /* ONNX gives it the data's type until then */
        r->out[1]->dtype = r->in[0]->dtype;
    return ox_infer_like(r);
}

/* ratio and whether elements are dropped at all; no seed */
static ox_code get_mode(const ox_run *r, dropout *d)
{
    *d = (dropout){ .ratio = 0.5 };
    if (r->since < 12) {
        d->ratio = ox_attr_f64(r, "ratio");
        d->training = r->since < 7 && !ox_attr_i64(r, "is_test");
    } else {
        const ox_tensor *ratio = r->n_in > 1 ? r->in[1] : NULL,
                        *mode = r->n_in > 2 ? r->in[2] : NULL;
        if ((ratio && ox_count(ratio) != 1) || (mode && ox_count(mode) != 1))
            return OX_FAIL(r->err, OX_E_SHAPE, "ratio and training_mode are not scalars");
        if (ratio)
            d->ratio = ox_get_f64(ratio, 0);
        d->training = mode && ox_get_i64(mode, 0) != 0;
    }
    if (d->training && !(d->ratio >= 0 && d->ratio < 1))
        return OX_FAIL(r->err, OX_E_VALUE, "ratio is %g, expected [0, 1)", d->ratio);
    return OX_OK;
}

static ox_code get_dropout(ox_run *r, dropout *d)
{
    OX_TRY(get_mode(r, d));
    if (d->training)
        d->seed =
            (uint32_t)(ox_attr_given(r, "seed") ? (uint64_t)ox_attr_i64(r, "seed") : ox_seed(r));
    return OX_OK;
}

static void set_mask(ox_tensor *mask, int64_t i, bool kept)
{
    if (!mask)
        return;
    switch (mask->dtype) {
    case OX_F32: ((float *)mask->data)[i] = kept; break;
    case OX_F64: ((double *)mask->data)[i] = kept; break;
    default: ((uint8_t *)mask->data)[i] = kept; break;
    }
}

static ox_code fill_mask(ox_run *r, ox_tensor *mask, int64_t n)
{
    if (mask && mask->dtype != OX_F32 && mask->dtype != OX_F64 && mask->dtype != OX_BOOL)
        return OX_FAIL(r->err, OX_E_INTERNAL, "a mask of %s", ox_dtype_name(mask->dtype));
    for (int64_t i = 0; i < n && mask; i++)
        set_mask(mask, i, true);
    return OX_OK;
}

/* Which elements survive is chance; what they become is not. */
static ox_code oracle(ox_oracle *o)
{
    const ox_tensor *y = o->r->out[0];
    dropout d;
    OX_TRY(get_mode(o->r, &d));
    for (int64_t i = 0; i < ox_count(o->r->in[0]); i++) {
        bool kept = !d.training || (y && y->data && ox_get_f64(y, i) != 0);
        if (o->out[0])
            o->out[0][i] = !kept ? 0 : d.training ? o->in[0][i] / (1 - d.ratio) : o->in[0][i];
        if (o->r->n_out > 1 && o->out[1])
            o->out[1][i] = kept;
    }
    return OX_OK;
}

#define TYPES MASK_FLOAT
#define TMPL  "kernels/random/op_dropout.c"
#include "runtime/tensor/each_dtype.h"

#define RECORD(since_, flags_)                                                                     \
    OX_OP(Dropout, since_) .infer = infer, .run = { KERNELS(run, FLOAT) }, .oracle = oracle,       \
        .error = { ERR_ULP, 2 }, .flags = OX_SYMBOLIC | OX_INPLACE0 | (flags_) OX_END
RECORD(1, OX_IMPURE);
RECORD(7, 0);
RECORD(12, OX_IMPURE);
#endif
