/* LayerNormalization and RMSNormalization over the dimensions from `axis` on.
 * Statistics are in double whatever stash_type says; it only decides the type of Mean and InvStdDev. */
#include "kernels/norm/param.h"

#include <math.h>

struct layer_norm {
    ox_norm_rows rows;
    int                 axis;
    int64_t             n_rows, n; /* X as rows of n elements */
    double              epsilon;
    bool                centred;   /* LayerNormalization takes the mean away first */
};
struct job {
    ox_run     *r;
    const char *scale, *bias;
    int64_t     scale_step, bias_step, per_block;
    char       *y;         /* rows of X's type: the output, or scratch where Y has another type */
    double     *mean, *inv; /* of each row; NULL: not wanted */
};

static ox_code infer(ox_run *r, bool centred)
{
    const ox_tensor *x = r->in[0];
    int64_t dim[OX_MAX_RANK];
    int axis;
    OX_TRY(ox_attr_axis(r, "axis", x->rank, &axis));
    ox_out_shape(r, 0, x->rank, x->dim);
    for (int d = 0; d < x->rank; d++)
        dim[d] = d < axis ? x->dim[d] : 1;
    int64_t stash = ox_attr_i64(r, "stash_type");
    for (int i = 1; i < r->n_out && centred; i++) {
        ox_out_shape(r, i, x->rank, dim);
        if (r->out[i] && stash != OX_F32 && stash != OX_BF16)
            return OX_FAIL(r->err, OX_E_VALUE, "stash_type is %lld, expected 1 or 16", (long long)stash);
        if (r->out[i])
            r->out[i]->dtype = (ox_dtype)stash;
    }
    return OX_OK;
}
static ox_code infer_layer(ox_run *r) { return infer(r, true); }
static ox_code infer_rms(ox_run *r) { return infer(r, false); }

static ox_code prepare(ox_run *r, bool centred)
{
    struct layer_norm *s = r->state;
    const ox_tensor *x = r->in[0];
    OX_TRY(ox_attr_axis(r, "axis", x->rank, &s->axis));
    s->rows = ox_norm_rows_pick(x->dtype);
    s->n_rows = ox_numel(x, 0, s->axis);
    s->n = ox_numel(x, s->axis, x->rank);
    s->epsilon = ox_attr_f64(r, "epsilon");
    s->centred = centred;
    return OX_OK;
}
static ox_code prepare_layer(ox_run *r) { return prepare(r, true); }
static ox_code prepare_rms(ox_run *r) { return prepare(r, false); }

static void block(void *ctx, int64_t b, int worker)
{
    const struct job *j = ctx;
    const struct layer_norm *s = j->r->state;
    int64_t size = (int64_t)ox_dtype_size(j->r->in[0]->dtype), row = s->n * size;
    (void)worker;
    for (int64_t i = b * j->per_block; i < OX_MIN((b + 1) * j->per_block, s->n_rows); i++) {
        const char *x = (const char *)j->r->in[0]->data + i * row;
        double mean = 0, variance;
        if (s->centred)
            ox_norm_moments(&s->rows, s->n, x, &mean, &variance);
        else
            variance = ox_norm_mean_square(&s->rows, s->n, x);
        double inv = 1 / sqrt(variance + s->epsilon);
        if (j->y)
            ox_norm_normalize(&s->rows, s->n, x, mean, inv, j->scale + i * j->scale_step * size,
                              j->bias ? j->bias + i * j->bias_step * size : NULL, j->y + i * row);
        if (j->mean)
            j->mean[i] = mean;
        if (j->inv)
            j->inv[i] = inv;
    }
}

static double *row_values(ox_run *r, int i)
{
    const struct layer_norm *s = r->state;
    return i < r->n_out && r->out[i] ? ox_scratch_array(r, (size_t)s->n_rows, sizeof(double)) : NULL;
}

static ox_code run(ox_run *r)
{
    const struct layer_norm *s = r->state;
    const ox_tensor *x = r->in[0];
    ox_tensor *y = r->out[0];
    struct job j = { .r = r, .per_block = ox_norm_block(s->n), .mean = row_values(r, 1), .inv = row_values(r, 2) };
    const void *scale, *bias;
    OX_TRY(ox_norm_param(r, 1, s->axis, x->dtype, &scale, &j.scale_step));
    OX_TRY(ox_norm_param(r, 2, s->axis, x->dtype, &bias, &j.bias_step));
    j.scale = scale;
    j.bias = bias;
    bool direct = y && y->dtype == x->dtype;
    if (y)
        j.y = direct ? y->data : ox_scratch_array(r, (size_t)ox_count(x), ox_dtype_size(x->dtype));
    if ((y && !j.y) || (r->n_out > 1 && r->out[1] && !j.mean) || (r->n_out > 2 && r->out[2] && !j.inv))
        return OX_NO_MEMORY(r);
    ox_parallel(r, (s->n_rows + j.per_block - 1) / j.per_block, block, &j);
    if (y && !direct)
        ox_convert(y->data, y->dtype, j.y, x->dtype, (size_t)ox_count(x));
    if (j.mean)
        ox_from_f64(r->out[1]->data, j.mean, r->out[1]->dtype, (size_t)s->n_rows);
    if (j.inv)
        ox_from_f64(r->out[2]->data, j.inv, r->out[2]->dtype, (size_t)s->n_rows);
    return OX_OK;
}

/* Element k of row i of a parameter broadcast to X, looked up from its own shape. */
static double param_at(const ox_oracle *o, int which, int64_t at)
{
    const ox_tensor *x = o->r->in[0], *t = which < o->r->n_in ? o->r->in[which] : NULL;
    int64_t offset = 0, step = 1;
    if (!t || !o->in[which])
        return 0;
    for (int d = x->rank - 1, e = t->rank - 1; e >= 0; d--, e--) {
        offset += t->dim[e] == 1 ? 0 : at % x->dim[d] * step;
        step *= t->dim[e];
        at /= x->dim[d];
    }
    return o->in[which][offset];
}

static ox_code oracle(ox_oracle *o)
{
    const struct layer_norm *s = o->r->state;
    double n = (double)s->n;
    for (int64_t i = 0; i < s->n_rows; i++) {
        const double *x = o->in[0] + i * s->n;
        double mean = 0, var = 0;
        for (int64_t k = 0; k < s->n && s->centred; k++)
            mean += x[k] / n;
        for (int64_t k = 0; k < s->n; k++)
            var += (x[k] - mean) * (x[k] - mean) / n;
        for (int64_t k = 0; k < s->n && o->out[0]; k++) {
            double v = (x[k] - mean) / sqrt(var + s->epsilon) * param_at(o, 1, i * s->n + k);
            double bias = param_at(o, 2, i * s->n + k);
            o->out[0][i * s->n + k] = v + bias;
            o->mag[0][i * s->n + k] = fabs(v) + fabs(bias);
        }
        if (o->r->n_out > 1 && o->out[1])
            o->out[1][i] = mean;
        if (o->r->n_out > 2 && o->out[2])
            o->out[2][i] = 1 / sqrt(var + s->epsilon);
    }
    return OX_OK;
}

OX_OP(LayerNormalization, 17) .infer = infer_layer, .prepare = prepare_layer,
    .run = { [OX_F32] = run, [OX_F64] = run }, .oracle = oracle, .error = { ERR_SUM, 4 },
    .state_size = sizeof(struct layer_norm), .flags = OX_SYMBOLIC | OX_INPLACE0 OX_END;

OX_OP(RMSNormalization, 23) .infer = infer_rms, .prepare = prepare_rms,
    .run = { [OX_F32] = run, [OX_F64] = run }, .oracle = oracle, .error = { ERR_SUM, 4 },
    .state_size = sizeof(struct layer_norm), .flags = OX_SYMBOLIC | OX_INPLACE0 OX_END;
