/* BatchNormalization.  Training is asked for by is_test = 0 before version 7, by more than one output
 * up to 13, by training_mode since 14.  The second to fifth outputs are the running statistics and, up
 * to 13, those of the batch.  spatial = 0 (before 9) keeps statistics for each element of an image. */
#include "kernels/norm/param.h"

#include <math.h>

struct batch_norm {
    ox_norm_rows rows;
    int64_t             n, c, inner; /* X as a (n, c, inner) array */
    double              epsilon, momentum;
    bool                training;
};

static void view(const ox_run *r, struct batch_norm *s)
{
    const ox_tensor *x = r->in[0];
    int channels = r->since < 9 && ox_attr_i64(r, "spatial") == 0 ? x->rank : 2;
    bool vector = x->rank < 2; /* N values of one channel */
    s->n = vector ? ox_count(x) : x->dim[0];
    s->c = vector ? 1 : ox_numel(x, 1, channels);
    s->inner = vector ? 1 : ox_numel(x, channels, x->rank);
}

static ox_code infer(ox_run *r)
{
    const ox_tensor *x = r->in[0], *scale = r->in[1];
    ox_out_shape(r, 0, x->rank, x->dim);
    for (int i = 1; i < r->n_out; i++)
        ox_out_shape(r, i, scale->rank, scale->dim);
    return OX_OK;
}

static ox_code prepare(ox_run *r)
{
    struct batch_norm *s = r->state;
    view(r, s);
    s->rows = ox_norm_rows_pick(r->in[0]->dtype);
    s->epsilon = ox_attr_f64(r, "epsilon");
    s->momentum = ox_attr_f64(r, "momentum");
    if (r->since >= 14)
        s->training = ox_attr_i64(r, "training_mode") != 0;
    else if (r->since >= 7)
        for (int i = 1; i < r->n_out; i++)
            s->training = s->training || r->out[i];
    else
        s->training = ox_attr_i64(r, "is_test") == 0;
    return OX_OK;
}

/* Everything for one channel, in double. */
struct channels {
    const double *scale, *bias, *mean, *var;
    double       *batch_mean, *batch_var;
};
struct job {
    ox_run          *r;
    struct channels  in;
    const double    *mean, *slope, *offset; /* y = (x - mean) slope + offset */
    const double    *shift;                 /* y = x slope + shift */
    int64_t          per_block;
};

/* Moments of one channel from those of its planes. */
static void statistics_of(void *ctx, int64_t c, int worker)
{
    struct job *j = ctx;
    const struct batch_norm *s = j->r->state;
    const ox_tensor *x = j->r->in[0];
    int64_t size = (int64_t)ox_dtype_size(x->dtype);
    double mean = 0, var = 0, m, v;
    (void)worker;
    for (int64_t i = 0; i < s->n; i++) {
        ox_norm_moments(&s->rows, s->inner, (const char *)x->data + (i * s->c + c) * s->inner * size, &m, &v);
        /* Chan's update with i planes behind and one new */
        double step = (m - mean) / (double)(i + 1);
        var += (v + (m - mean) * (m - mean - step) - var) / (double)(i + 1);
        mean += step;
    }
    j->in.batch_mean[c] = mean;
    j->in.batch_var[c] = var;
}

/* running = running * momentum + batch * (1 - momentum); outputs 3 and 4 are the batch's own */
static ox_code store_statistics(ox_run *r, const struct channels *in)
{
    const struct batch_norm *s = r->state;
    double *v = ox_scratch_array(r, (size_t)s->c, sizeof(*v));
    if (!v)
        return OX_NO_MEMORY(r);
    for (int i = 1; i < r->n_out; i++) {
        if (!r->out[i])
            continue;
        const double *old = i == 1 ? in->mean : in->var;
        const double *batch = i % 2 ? in->batch_mean : in->batch_var;
        for (int64_t c = 0; c < s->c; c++)
            v[c] = i < 3 && s->training ? old[c] * s->momentum + batch[c] * (1 - s->momentum) : batch[c];
        ox_from_f64(r->out[i]->data, v, r->out[i]->dtype, (size_t)s->c);
    }
    return OX_OK;
}

static void planes(void *ctx, int64_t block, int worker)
{
    const struct job *j = ctx;
    const struct batch_norm *s = j->r->state;
    int64_t size = (int64_t)ox_dtype_size(j->r->in[0]->dtype), n = s->n * s->c;
    (void)worker;
    for (int64_t i = block * j->per_block; i < OX_MIN((block + 1) * j->per_block, n); i++) {
        int64_t c = i % s->c, at = i * s->inner * size;
        ox_norm_affine(&s->rows, s->inner, (const char *)j->r->in[0]->data + at, j->mean[c], j->slope[c],
                        j->offset[c], (char *)j->r->out[0]->data + at);
    }
}

/* inner is 1: a row holds one value of each channel. */
static void vectors(void *ctx, int64_t block, int worker)
{
    const struct job *j = ctx;
    const struct batch_norm *s = j->r->state;
    int64_t row = s->c * (int64_t)ox_dtype_size(j->r->in[0]->dtype);
    (void)worker;
    for (int64_t i = block * j->per_block; i < OX_MIN((block + 1) * j->per_block, s->n); i++)
        ox_norm_affine_each(&s->rows, s->c, (const char *)j->r->in[0]->data + i * row, j->slope, j->shift,
                            (char *)j->r->out[0]->data + i * row);
}

static ox_code normalise(struct job *j)
{
    ox_run *r = j->r;
    const struct batch_norm *s = r->state;
    if (s->inner > 1 || s->c == 1) {
        j->per_block = ox_norm_block(s->inner);
        ox_parallel(r, (s->n * s->c + j->per_block - 1) / j->per_block, planes, j);
        return OX_OK;
    }
    double *shift = ox_scratch_array(r, (size_t)s->c, sizeof(*shift));
    if (!shift)
        return OX_NO_MEMORY(r);
    for (int64_t c = 0; c < s->c; c++)
        shift[c] = j->offset[c] - j->mean[c] * j->slope[c];
    j->shift = shift;
    j->per_block = ox_norm_block(s->c);
    ox_parallel(r, (s->n + j->per_block - 1) / j->per_block, vectors, j);
    return OX_OK;
}

static ox_code read_channels(ox_run *r, struct channels *in)
{
    const struct batch_norm *s = r->state;
    OX_TRY(ox_norm_vector(r, 1, "scale", s->c, &in->scale));
    OX_TRY(ox_norm_vector(r, 2, "B", s->c, &in->bias));
    OX_TRY(ox_norm_vector(r, 3, "mean", s->c, &in->mean));
    return ox_norm_vector(r, 4, "var", s->c, &in->var);
}

static ox_code run(ox_run *r)
{
    const struct batch_norm *s = r->state;
    struct job j = { .r = r };
    OX_TRY(read_channels(r, &j.in));
    double *v = ox_scratch_array(r, (size_t)s->c, 4 * sizeof(*v)), *slope = v + 2 * s->c, *offset = v + 3 * s->c;
    if (!v)
        return OX_NO_MEMORY(r);
    j.in.batch_mean = v;
    j.in.batch_var = v + s->c;
    if (s->training)
        ox_parallel(r, s->c, statistics_of, &j);
    for (int64_t c = 0; c < s->c; c++) {
        if (!s->training) {
            j.in.batch_mean[c] = j.in.mean[c];
            j.in.batch_var[c] = j.in.var[c];
        }
        slope[c] = j.in.scale[c] / sqrt(j.in.batch_var[c] + s->epsilon);
        offset[c] = j.in.bias[c];
    }
    OX_TRY(store_statistics(r, &j.in));
    if (!r->out[0])
        return OX_OK;
    j.mean = j.in.batch_mean;
    j.slope = slope;
    j.offset = offset;
    return normalise(&j);
}

/* mag: (x - mean) scale / sqrt(var + epsilon) and bias may cancel. */
static void oracle_y(ox_oracle *o, int64_t c, double mean, double var)
{
    const struct batch_norm *s = o->r->state;
    double scale = o->in[1][c], bias = o->in[2][c];
    for (int64_t i = 0; i < s->n && o->out[0]; i++) {
        for (int64_t k = 0; k < s->inner; k++) {
            int64_t at = (i * s->c + c) * s->inner + k;
            double v = (o->in[0][at] - mean) / sqrt(var + s->epsilon) * scale;
            o->out[0][at] = v + bias;
            o->mag[0][at] = fabs(v) + fabs(bias);
        }
    }
}

static ox_code oracle(ox_oracle *o)
{
    const struct batch_norm *s = o->r->state;
    double n = (double)(s->n * s->inner);
    for (int64_t c = 0; c < s->c; c++) {
        double mean = o->in[3][c], var = o->in[4][c], batch_mean = 0, batch_var = 0;
        for (int64_t i = 0; i < s->n * s->inner; i++)
            batch_mean += o->in[0][(i / s->inner * s->c + c) * s->inner + i % s->inner] / n;
        for (int64_t i = 0; i < s->n * s->inner; i++)
            batch_var += pow(o->in[0][(i / s->inner * s->c + c) * s->inner + i % s->inner] - batch_mean, 2) / n;
        if (!s->training) {
            batch_mean = mean;
            batch_var = var;
        }
        oracle_y(o, c, batch_mean, batch_var);
        double out[5] = { 0, mean * s->momentum + batch_mean * (1 - s->momentum),
                          var * s->momentum + batch_var * (1 - s->momentum), batch_mean, batch_var };
        for (int i = 1; i < o->r->n_out; i++)
            if (o->out[i])
                o->out[i][c] = s->training ? out[i] : i % 2 ? batch_mean : batch_var;
    }
    return OX_OK;
}

OX_OP(BatchNormalization, 1) .infer = infer, .prepare = prepare, .run = { [OX_F32] = run, [OX_F64] = run },
    .oracle = oracle, .error = { ERR_SUM, 4 }, .state_size = sizeof(struct batch_norm),
    .flags = OX_SYMBOLIC | OX_INPLACE0 OX_END;
