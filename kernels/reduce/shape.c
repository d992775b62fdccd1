/* Axes, shapes and the oracle of the reductions. */
#include "kernels/reduce/shape.h"

#include <math.h>
#include <string.h>

static const char *const names[N_KINDS] = {
    [SUM] = "ReduceSum", [MEAN] = "ReduceMean", [MAX] = "ReduceMax", [MIN] = "ReduceMin",
    [PROD] = "ReduceProd", [L1] = "ReduceL1", [L2] = "ReduceL2", [LOG_SUM] = "ReduceLogSum",
    [LOG_SUM_EXP] = "ReduceLogSumExp", [SUM_SQUARE] = "ReduceSumSquare",
};

static int kind_of(const ox_run *r)
{
    int kind = 0;
    while (kind < N_KINDS - 1 && strcmp(names[kind], r->op->name) != 0)
        kind++;
    return kind;
}

/* Which dimensions are reduced.  axes is an attribute before opset 18 (ReduceSum: 13), an input
 * since; *known is false while that has no value. */
static ox_code get_axes(ox_run *r, bool reduced[OX_MAX_RANK], bool *known)
{
    int rank = r->in[0]->rank, count;
    const int64_t *axes;
    int64_t n;
    *known = true;
    memset(reduced, 0, OX_MAX_RANK * sizeof(*reduced));
    if (r->since < (kind_of(r) == SUM ? 13 : 18)) {
        axes = ox_attr_i64s(r, "axes", &count);
        n = count;
    } else {
        if (!(*known = ox_in_known(r, 1)))
            return OX_OK;
        axes = ox_in_i64s(r, 1, &n);
        if (!axes && r->n_in > 1 && r->in[1] && ox_count(r->in[1]) > 0)
            return OX_NO_MEMORY(r);
    }
    if (n == 0 && !ox_attr_i64(r, "noop_with_empty_axes"))
        memset(reduced, true, (size_t)rank * sizeof(*reduced));
    for (int64_t i = 0; i < n; i++) {
        int axis;
        OX_TRY(ox_axis(r, axes[i], rank, &axis));
        if (reduced[axis])
            return OX_FAIL(r->err, OX_E_SHAPE, "axis %d is named twice", axis);
        reduced[axis] = true;
    }
    return OX_OK;
}

ox_code ox_infer_reduce(ox_run *r)
{
    const ox_tensor *x = r->in[0];
    bool reduced[OX_MAX_RANK], known, keep = ox_attr_i64(r, "keepdims") != 0;
    int64_t dim[OX_MAX_RANK];
    int rank = 0;
    OX_TRY(get_axes(r, reduced, &known));
    if (!known) { /* how many axes there are decides the rank */
        for (int d = 0; d < x->rank; d++)
            dim[d] = OX_DIM_UNKNOWN;
        if (keep)
            ox_out_shape(r, 0, x->rank, dim);
        return OX_OK;
    }
    for (int d = 0; d < x->rank; d++)
        if (!reduced[d] || keep)
            dim[rank++] = reduced[d] ? 1 : x->dim[d];
    ox_out_shape(r, 0, rank, dim);
    return OX_OK;
}

static void add(dims *d, int64_t size, int64_t stride)
{
    d->dim[d->rank] = size;
    d->stride[d->rank++] = stride;
}

/* Runs of dimensions of one kind become one; those of a single element go. */
static void collapse(plan *p, const ox_tensor *x, const bool *reduced)
{
    int64_t size[OX_MAX_RANK], stride = 1;
    bool kind[OX_MAX_RANK];
    int n = 0;
    for (int d = 0; d < x->rank; d++) {
        if (x->dim[d] == 1)
            continue;
        if (n > 0 && kind[n - 1] == reduced[d]) {
            size[n - 1] *= x->dim[d];
        } else {
            kind[n] = reduced[d];
            size[n++] = x->dim[d];
        }
    }
    p->rows = n == 0 || !kind[n - 1];
    p->n = n ? size[n - 1] : 1;
    for (int d = 0; d < n - 1; d++)
        stride *= size[d + 1];
    for (int d = 0; d < n - 1; d++) {
        add(kind[d] ? &p->reduced : &p->kept, size[d], stride);
        stride /= OX_MAX(size[d + 1], 1);
    }
}

static int64_t product(const dims *d)
{
    int64_t n = 1;
    for (int i = 0; i < d->rank; i++)
        n *= d->dim[i];
    return n;
}

static const ox_uk_reduce_row *micro_kernel(int kind)
{
    static const int reduction[N_KINDS] = {
        [SUM] = OX_REDUCE_sum, [MEAN] = OX_REDUCE_sum, [LOG_SUM] = OX_REDUCE_sum,
        [L1] = OX_REDUCE_sum_abs, [L2] = OX_REDUCE_sum_square, [SUM_SQUARE] = OX_REDUCE_sum_square,
        [PROD] = OX_REDUCE_prod, [MAX] = OX_REDUCE_max, [MIN] = OX_REDUCE_min,
    };
    return kind == LOG_SUM_EXP ? NULL : ox_uk_reduce_pick((ox_reduction)reduction[kind]);
}

ox_code ox_prepare_reduce(ox_run *r)
{
    plan *p = r->state;
    bool reduced[OX_MAX_RANK], known;
    OX_TRY(get_axes(r, reduced, &known));
    p->kind = kind_of(r);
    if (r->in[0]->dtype == OX_F32 && (p->uk = micro_kernel(p->kind)))
        r->kernel = p->uk->name;
    p->exp =
        (ox_exp_kernels){ ox_uk_math_pick(OX_MATH_exp)->run, ox_uk_reduce_pick(OX_REDUCE_max)->row,
                          ox_uk_reduce_pick(OX_REDUCE_sum)->row };
    collapse(p, r->in[0], reduced);
    p->n_chunk = p->rows ? 1 : OX_MAX((p->n + PIECE - 1) / PIECE, 1);
    p->count = product(&p->reduced) * (p->rows ? 1 : p->n);
    p->n_pieces = p->count ? product(&p->reduced) * p->n_chunk : 0;
    p->n_cut = p->rows ? (p->n + COLUMNS - 1) / COLUMNS : 1;
    p->n_units = product(&p->kept) * p->n_cut;
    int64_t work = p->count * (p->rows ? OX_MIN(p->n, COLUMNS) : 1);
    p->units = BLOCK / OX_MAX(work, 1) + 1;
    p->n_parts = 1;
    if (p->n_units < MOST_PARTS)
        p->n_parts = OX_MAX(1, OX_MIN(OX_MIN(work / PART, MOST_PARTS), p->n_pieces));
    return OX_OK;
}

/* One output by its definition, in long double; sum_abs and weighted feed the permitted error. */
typedef struct exact {
    long double sum, sum_abs, sum_square, product, exp, weighted;
    double      max, min;
} exact;

static void include(exact *e, double x, double largest)
{
    e->sum += x;
    e->sum_abs += fabs(x);
    e->sum_square += (long double)x * x;
    e->product *= x;
    e->max = x > e->max || x != x ? x : e->max;
    e->min = x < e->min || x != x ? x : e->min;
    if (x == largest) {
        e->exp += 1;
    } else {
        e->exp += expl((long double)x - largest);
        e->weighted += expl((long double)x - largest) * fabs(x - largest);
    }
}

static double result(const plan *p, const exact *e, double largest, double *mag, double per_factor)
{
    double y;
    switch (p->kind) {
    case SUM: *mag = (double)e->sum_abs; return (double)e->sum;
    case MEAN: *mag = (double)(e->sum_abs / p->count); return (double)(e->sum / p->count);
    case MAX: return e->max;
    case MIN: return e->min;
    case PROD:
        y = (double)e->product;
        *mag = fabs(y) * (1 + (double)p->count * per_factor);
        return y;
    case L1: return (double)e->sum_abs;
    case L2: return (double)sqrtl(e->sum_square);
    case LOG_SUM: /* log turns the relative error of the sum into an absolute one */
        y = (double)logl(e->sum);
        *mag = fabs(y) + (double)(e->sum_abs / fabsl(e->sum));
        return y;
    case LOG_SUM_EXP:
        y = isinf(largest) ? largest : (double)(logl(e->exp) + largest);
        *mag = 1 + fabs(y) + (e->exp > 0 ? (double)(e->weighted / e->exp) : 0);
        return y;
    default: return (double)e->sum_square;
    }
}

/* Offset of combination i of the dimensions of d. */
static int64_t offset(const dims *d, int64_t i)
{
    int64_t at = 0;
    for (int k = d->rank - 1; k >= 0; k--) {
        at += i % d->dim[k] * d->stride[k];
        i /= d->dim[k];
    }
    return at;
}

ox_code ox_oracle_reduce(ox_oracle *o)
{
    const plan *p = o->r->state;
    int64_t rows = p->count ? product(&p->reduced) : 0, runs = p->rows ? 1 : p->n,
            wide = p->rows ? p->n : 1;
    double per_factor = o->r->out[0]->dtype == OX_F64 ? 1 : 0x1p-29;
    for (int64_t i = 0; i < ox_count(o->r->out[0]); i++) {
        const double *x = o->in[0] + (p->count ? offset(&p->kept, i / wide) + i % wide : 0);
        exact e = { .product = 1, .max = -INFINITY, .min = INFINITY };
        double largest = -INFINITY;
        for (int64_t k = 0; k < rows; k++)
            for (int64_t j = 0; j < runs; j++)
                largest = fmax(largest, x[offset(&p->reduced, k) + j]);
        for (int64_t k = 0; k < rows; k++)
            for (int64_t j = 0; j < runs; j++)
                include(&e, x[offset(&p->reduced, k) + j], largest);
        o->out[0][i] = result(p, &e, largest, &o->mag[0][i], per_factor);
    }
    return OX_OK;
}

int64_t ox_flops_reduce(const ox_run *r) { return ox_count(r->in[0]); }
