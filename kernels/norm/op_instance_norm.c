/* InstanceNormalization and GroupNormalization: each image's channels, or groups of them, are brought
 * to mean 0 and variance 1.  GroupNormalization scales by group in version 18, by channel since 21. */
#include "kernels/norm/param.h"

#include <math.h>
#include <string.h>

struct group_norm {
    ox_norm_rows rows;
    int64_t             n, c, inner; /* X as a (n, c, inner) array */
    int64_t             groups, n_scale;
    double              epsilon;
};
struct job {
    ox_run       *r;
    const double *scale, *bias;
    int64_t       per_block;
};

static ox_code infer(ox_run *r)
{
    const ox_tensor *x = r->in[0];
    if (x->rank < 2)
        return OX_FAIL(r->err, OX_E_SHAPE, "X has rank %d, expected at least 2", x->rank);
    ox_out_shape(r, 0, x->rank, x->dim);
    return OX_OK;
}

static ox_code prepare(ox_run *r)
{
    struct group_norm *s = r->state;
    const ox_tensor *x = r->in[0];
    bool grouped = strcmp(r->op->name, "GroupNormalization") == 0;
    s->rows = ox_norm_rows_pick(x->dtype);
    s->n = x->dim[0];
    s->c = x->dim[1];
    s->inner = ox_numel(x, 2, x->rank);
    s->groups = grouped ? ox_attr_i64(r, "num_groups") : s->c;
    s->n_scale = grouped && r->since < 21 ? s->groups : s->c;
    s->epsilon = ox_attr_f64(r, "epsilon");
    if (s->groups < 1 || s->c % s->groups)
        return OX_FAIL(r->err, OX_E_VALUE, "num_groups %lld does not divide the %lld channels of X",
                       (long long)s->groups, (long long)s->c);
    return OX_OK;
}

static void block(void *ctx, int64_t b, int worker)
{
    const struct job *j = ctx;
    const struct group_norm *s = j->r->state;
    int64_t members = s->c / s->groups, size = (int64_t)ox_dtype_size(j->r->in[0]->dtype);
    int64_t n = members * s->inner;
    (void)worker;
    for (int64_t i = b * j->per_block; i < OX_MIN((b + 1) * j->per_block, s->n * s->groups); i++) {
        const char *x = (const char *)j->r->in[0]->data + i * n * size;
        char *y = (char *)j->r->out[0]->data + i * n * size;
        double mean, variance;
        ox_norm_moments(&s->rows, n, x, &mean, &variance);
        double inv = 1 / sqrt(variance + s->epsilon);
        for (int64_t m = 0; m < members; m++) {
            int64_t c = s->n_scale == s->c ? i % s->groups * members + m : i % s->groups;
            int64_t at = m * s->inner * size;
            ox_norm_affine(&s->rows, s->inner, x + at, mean, inv * j->scale[c], j->bias[c], y + at);
        }
    }
}

static ox_code run(ox_run *r)
{
    const struct group_norm *s = r->state;
    struct job j = { .r = r, .per_block = ox_norm_block(s->c / s->groups * s->inner) };
    OX_TRY(ox_norm_vector(r, 1, "scale", s->n_scale, &j.scale));
    OX_TRY(ox_norm_vector(r, 2, "B", s->n_scale, &j.bias));
    ox_parallel(r, (s->n * s->groups + j.per_block - 1) / j.per_block, block, &j);
    return OX_OK;
}

static ox_code oracle(ox_oracle *o)
{
    const struct group_norm *s = o->r->state;
    int64_t n = s->c / s->groups * s->inner;
    for (int64_t i = 0; i < s->n * s->groups; i++) {
        const double *x = o->in[0] + i * n;
        double mean = 0, var = 0;
        for (int64_t k = 0; k < n; k++)
            mean += x[k] / (double)n;
        for (int64_t k = 0; k < n; k++)
            var += (x[k] - mean) * (x[k] - mean) / (double)n;
        for (int64_t k = 0; k < n; k++) {
            int64_t c = (i * n + k) / s->inner % s->c, p = s->n_scale == s->c ? c : i % s->groups;
            double v = (x[k] - mean) / sqrt(var + s->epsilon) * o->in[1][p];
            o->out[0][i * n + k] = v + o->in[2][p];
            o->mag[0][i * n + k] = fabs(v) + fabs(o->in[2][p]);
        }
    }
    return OX_OK;
}

OX_OP(GroupNormalization, 18) .infer = infer, .prepare = prepare, .run = { [OX_F32] = run, [OX_F64] = run },
    .oracle = oracle, .error = { ERR_SUM, 4 }, .state_size = sizeof(struct group_norm),
    .flags = OX_SYMBOLIC | OX_INPLACE0 OX_END;

OX_OP(InstanceNormalization, 1) .infer = infer, .prepare = prepare, .run = { [OX_F32] = run, [OX_F64] = run },
    .oracle = oracle, .error = { ERR_SUM, 4 }, .state_size = sizeof(struct group_norm),
    .flags = OX_SYMBOLIC | OX_INPLACE0 OX_END;
