/* MeanVarianceNormalization: (x - mean) / (deviation + 1e-9) over some axes.  The experimental
 * version named them by across_channels and could leave out the division. */
#ifdef T /* ---- once per dtype ---- */

/* Sums in LANES, so that they need not wait for one another. */
static double FN(sum)(const T *x, int64_t n, int64_t stride, double mean, bool square)
{
    enum { LANES = 8 };
    double lane[LANES] = { 0 }, sum = 0;
    int64_t i = 0;
    if (stride == 1)
        for (; i + LANES <= n; i += LANES)
            for (int l = 0; l < LANES; l++) {
                double d = (double)LD(x + i + l) - mean;
                lane[l] += square ? d * d : d;
            }
    for (; i < n; i++) {
        double d = (double)LD(x + i * stride) - mean;
        lane[0] += square ? d * d : d;
    }
    for (int l = 0; l < LANES; l++)
        sum += lane[l];
    return sum;
}

static void FN(group)(const mvn *m, int64_t group)
{
    int64_t index[OX_MAX_RANK], base = seek(&m->kept, group, index), n = m->run, stride = m->stride;
    const T *x = (const T *)m->x + base;
    T *y = (T *)m->y + base;
    double sum = 0, square = 0;
    int64_t at = seek(&m->reduced, 0, index);
    for (int64_t i = 0; i < m->n_reduced; i += n, at = next(&m->reduced, at, index))
        sum += FN(sum)(x + at, n, stride, 0, false);
    double mean = sum / (double)m->n_reduced;
    at = seek(&m->reduced, 0, index);
    for (int64_t i = 0; i < m->n_reduced; i += n, at = next(&m->reduced, at, index))
        square += FN(sum)(x + at, n, stride, mean, true);
    double scale = m->divide ? 1 / (sqrt(square / (double)m->n_reduced) + EPSILON) : 1;
    at = seek(&m->reduced, 0, index);
    for (int64_t i = 0; i < m->n_reduced; i += n, at = next(&m->reduced, at, index))
        for (int64_t k = 0; k < n; k++)
            ST(y + at + k * stride, (C)(((double)LD(x + at + k * stride) - mean) * scale));
}

static void FN(block)(void *ctx, int64_t block, int worker)
{
    const mvn *m = ctx;
    int64_t end = OX_MIN((block + 1) * m->groups, m->n_kept);
    (void)worker;
    for (int64_t g = block * m->groups; g < end; g++)
        FN(group)(m, g);
}

static ox_code FN(run)(ox_run *r)
{
    mvn m = *(const mvn *)r->state;
    m.x = r->in[0]->data;
    m.y = r->out[0]->data;
    ox_parallel(r, (m.n_kept + m.groups - 1) / m.groups, FN(block), &m);
    return OX_OK;
}

#else /* ---- once ---- */
#include "runtime/op.h"

#include <math.h>
#include <string.h>

#define EPSILON 1e-9 /* that of the function body in ONNX */
enum { BLOCK = 1 << 12 };

typedef struct dims {
    int     rank;
    int64_t dim[OX_MAX_RANK], stride[OX_MAX_RANK];
} dims;

typedef struct mvn {
    dims        kept, reduced; /* reduced: without the innermost run */
    int64_t     run, stride;
    int64_t     n_kept, n_reduced, groups; /* groups: of kept, that a parallel block does */
    bool        divide;
    const void *x;
    void       *y;
} mvn;

static ox_code get_axes(const ox_run *r, bool reduced[OX_MAX_RANK])
{
    int n, rank = r->in[0]->rank;
    memset(reduced, 0, OX_MAX_RANK * sizeof(*reduced));
    if (r->since < 9 && !ox_attr_given(r, "axes")) {
        bool across = ox_attr_i64(r, "across_channels") != 0;
        for (int d = 0; d < rank; d++)
            reduced[d] = across || d != 1;
        return OX_OK;
    }
    const int64_t *axes = ox_attr_i64s(r, "axes", &n);
    for (int i = 0; i < n; i++) {
        int axis;
        OX_TRY(ox_axis(r, axes[i], rank, &axis));
        reduced[axis] = true;
    }
    return OX_OK;
}

static ox_code prepare(ox_run *r)
{
    const ox_tensor *x = r->in[0];
    mvn *m = r->state;
    bool reduced[OX_MAX_RANK];
    int64_t stride = ox_count(x);
    OX_TRY(get_axes(r, reduced));
    m->n_kept = m->n_reduced = 1;
    for (int i = 0; i < x->rank; i++) {
        dims *d = reduced[i] ? &m->reduced : &m->kept;
        stride /= OX_MAX(x->dim[i], 1);
        if (d->rank && d->stride[d->rank - 1] == stride * x->dim[i]) { /* dense: one dimension */
            d->dim[d->rank - 1] *= x->dim[i];
            d->stride[d->rank - 1] = stride;
        } else {
            d->dim[d->rank] = x->dim[i];
            d->stride[d->rank++] = stride;
        }
        *(reduced[i] ? &m->n_reduced : &m->n_kept) *= x->dim[i];
    }
    int last = m->reduced.rank - 1;
    m->run = last < 0 ? 1 : m->reduced.dim[last];
    m->stride = last < 0 ? 1 : m->reduced.stride[last];
    m->reduced.rank = OX_MAX(last, 0);
    m->groups = BLOCK / OX_MAX(m->n_reduced, 1) + 1;
    m->divide = r->since >= 9 || ox_attr_i64(r, "normalize_variance") != 0;
    return OX_OK;
}

static int64_t seek(const dims *d, int64_t i, int64_t index[OX_MAX_RANK])
{
    int64_t at = 0;
    for (int k = d->rank - 1; k >= 0; k--) {
        index[k] = i % d->dim[k];
        at += index[k] * d->stride[k];
        i /= d->dim[k];
    }
    return at;
}

static inline int64_t next(const dims *d, int64_t at, int64_t index[OX_MAX_RANK])
{
    for (int k = d->rank - 1; k >= 0; k--) {
        at += d->stride[k];
        if (++index[k] < d->dim[k])
            break;
        index[k] = 0;
        at -= d->dim[k] * d->stride[k];
    }
    return at;
}

static int64_t reduced_at(const mvn *m, int64_t i)
{
    int64_t index[OX_MAX_RANK];
    return seek(&m->reduced, i / m->run, index) + i % m->run * m->stride;
}

/* The definition in long double.  What x - mean cancels was exact: errors are those of the mean. */
static ox_code oracle(ox_oracle *o)
{
    const mvn *m = o->r->state;
    for (int64_t g = 0; g < m->n_kept; g++) {
        int64_t index[OX_MAX_RANK], base = seek(&m->kept, g, index);
        const double *x = o->in[0] + base;
        long double mean = 0, square = 0, absolute = 0;
        for (int64_t i = 0; i < m->n_reduced; i++) {
            mean += x[reduced_at(m, i)];
            absolute += fabs(x[reduced_at(m, i)]);
        }
        mean /= m->n_reduced;
        for (int64_t i = 0; i < m->n_reduced; i++) {
            long double d = x[reduced_at(m, i)] - mean;
            square += d * d;
        }
        double divisor = m->divide ? (double)(sqrtl(square / m->n_reduced) + EPSILON) : 1;
        double blur =
            o->r->out[0]->dtype == OX_F64 ? 1 : 0x1p-29; /* of double beside the output's type */
        for (int64_t i = 0; i < m->n_reduced; i++) {
            int64_t at = reduced_at(m, i);
            o->out[0][base + at] = (double)(x[at] - mean) / divisor;
            o->mag[0][base + at] = fabs(o->out[0][base + at]) +
                                   blur * (double)(absolute / m->n_reduced + fabsl(mean)) / divisor;
        }
    }
    return OX_OK;
}

#define TYPES MASK_FLOAT
#define TMPL  "kernels/norm/op_mean_variance_normalization.c"
#include "runtime/tensor/each_dtype.h"

OX_OP(MeanVarianceNormalization, 1) .infer = ox_infer_like, .prepare = prepare,
    .run = { KERNELS(run, FLOAT) }, .oracle = oracle, .error = { ERR_SUM, 4 },
    .state_size = sizeof(mvn), .flags = OX_SYMBOLIC OX_END;
#endif
