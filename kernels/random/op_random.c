/* RandomUniform, RandomNormal and their Like forms, Bernoulli, Multinomial.
 *
 * ONNX leaves the generator open; ours is Philox (philox.h), seeded by the attribute `seed` or by the
 * run.  Values are drawn in double and rounded once, which may reach the upper end of a uniform range. */
#include "kernels/random/philox.h"
#include "runtime/op.h"

#include <math.h>
#include <string.h>

enum { BLOCK = 1024 };

/* ---- shapes and types ---- */
/* Output 0 gets the type of attribute dtype, else that of the input. */
static ox_code set_type(ox_run *r)
{
    ox_dtype t = OX_UNDEFINED;
    if (r->n_in > 0 && !ox_attr_given(r, "dtype"))
        t = r->in[0]->dtype;
    else if (ox_attr_i64(r, "dtype") > 0 && ox_attr_i64(r, "dtype") < OX_N_DTYPES)
        t = (ox_dtype)ox_attr_i64(r, "dtype");
    if (!ox_dtype_converts(t))
        return OX_FAIL(r->err, OX_E_TYPE, "dtype is %lld, no type of numbers",
                       (long long)(t ? (int64_t)t : ox_attr_i64(r, "dtype")));
    if (r->out[0])
        r->out[0]->dtype = t;
    return OX_OK;
}

static ox_code float_type(ox_run *r)
{
    OX_TRY(set_type(r));
    if (r->out[0] && !ox_is_float(r->out[0]->dtype))
        return OX_FAIL(r->err, OX_E_TYPE, "the output would be of type %s", ox_dtype_name(r->out[0]->dtype));
    return OX_OK;
}

static ox_code infer_shape(ox_run *r)
{
    int n;
    const int64_t *dim = ox_attr_i64s(r, "shape", &n);
    OX_TRY(float_type(r));
    if (n > OX_MAX_RANK)
        return OX_FAIL(r->err, OX_E_LIMIT, "shape has %d dimensions, the limit is %d", n, OX_MAX_RANK);
    for (int i = 0; i < n; i++)
        if (dim[i] < 0)
            return OX_FAIL(r->err, OX_E_SHAPE, "shape[%d] is %lld", i, (long long)dim[i]);
    ox_out_shape(r, 0, n, dim);
    return OX_OK;
}

static ox_code infer_like(ox_run *r)
{
    OX_TRY(float_type(r));
    return ox_infer_like(r);
}

static ox_code infer_bernoulli(ox_run *r)
{
    OX_TRY(set_type(r));
    return ox_infer_like(r);
}

/* ---- element by element ---- */
typedef struct job {
    void   (*draw)(uint64_t seed, int64_t from, int64_t n, double *to);
    uint64_t seed;
    double   scale, shift;
    const ox_tensor *p; /* Bernoulli: probabilities */
    ox_tensor *y;
    int64_t  n;
} job;

static void block(void *ctx, int64_t b, int worker)
{
    const job *j = ctx;
    int64_t from = b * BLOCK, n = OX_MIN(BLOCK, j->n - from);
    double v[BLOCK];
    (void)worker;
    j->draw(j->seed, from, n, v);
    for (int64_t i = 0; i < n; i++)
        v[i] = j->p ? v[i] < ox_get_f64(j->p, from + i) : v[i] * j->scale + j->shift;
    ox_from_f64((char *)j->y->data + (size_t)from * ox_dtype_size(j->y->dtype), v, j->y->dtype, (size_t)n);
}

static ox_code fill(ox_run *r, job j)
{
    j.seed = ox_seed(r);
    j.y = r->out[0];
    j.n = ox_count(j.y);
    ox_parallel(r, (j.n + BLOCK - 1) / BLOCK, block, &j);
    return OX_OK;
}

static ox_code run_uniform(ox_run *r)
{
    double low = ox_attr_f64(r, "low"), high = ox_attr_f64(r, "high");
    return fill(r, (job){ .draw = ox_draw_uniform, .scale = high - low, .shift = low });
}

static ox_code run_normal(ox_run *r)
{
    return fill(r, (job){ .draw = ox_draw_normal, .scale = ox_attr_f64(r, "scale"),
                          .shift = ox_attr_f64(r, "mean") });
}

static ox_code run_bernoulli(ox_run *r)
{
    const ox_tensor *p = r->in[0];
    for (int64_t i = 0; i < ox_count(p); i++) {
        double v = ox_get_f64(p, i);
        if (!(v >= 0 && v <= 1))
            return OX_FAIL(r->err, OX_E_VALUE, "input[%lld] is %g, no probability", (long long)i, v);
    }
    return fill(r, (job){ .draw = ox_draw_uniform, .p = p });
}

/* ---- Multinomial ---- */
static ox_code infer_multinomial(ox_run *r)
{
    int64_t n = ox_attr_i64(r, "sample_size");
    if (r->in[0]->rank != 2)
        return OX_FAIL(r->err, OX_E_SHAPE, "input has rank %d, expected 2", r->in[0]->rank);
    if (n < 0)
        return OX_FAIL(r->err, OX_E_VALUE, "sample_size is %lld", (long long)n);
    ox_dtype t = (ox_dtype)ox_attr_i64(r, "dtype");
    if (t != OX_I32 && t != OX_I64)
        return OX_FAIL(r->err, OX_E_TYPE, "dtype is %d, expected int32 or int64", (int)t);
    if (r->out[0])
        r->out[0]->dtype = t;
    ox_out_shape(r, 0, 2, (int64_t[]){ r->in[0]->dim[0], n });
    return OX_OK;
}

/* Cumulated probabilities (not yet divided by their sum) of n logarithms. */
static ox_code cumulate(const ox_run *r, int64_t row, const double *x, int64_t n, double *sum)
{
    double max = -INFINITY, total = 0;
    for (int64_t k = 0; k < n; k++)
        max = x[k] > max ? x[k] : max;
    for (int64_t k = 0; k < n; k++) {
        total += exp(x[k] - max);
        sum[k] = total;
    }
    if (!(total > 0 && total < INFINITY))
        return OX_FAIL(r->err, OX_E_VALUE, "row %lld holds no distribution", (long long)row);
    return OX_OK;
}

/* The first class whose cumulated probability is above v. */
static int64_t pick(const double *sum, int64_t n, double v)
{
    int64_t low = 0, high = n - 1;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (sum[middle] > v)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static ox_code run_multinomial(ox_run *r)
{
    ox_tensor *y = r->out[0];
    int64_t rows = y->dim[0], n = y->dim[1], classes = r->in[0]->dim[1], count;
    uint64_t seed = ox_seed(r);
    if (classes == 0)
        return OX_FAIL(r->err, OX_E_SHAPE, "there are no classes");
    const double *x = ox_in_f64s(r, 0, &count);
    double *sum = ox_scratch_array(r, (size_t)classes, sizeof(*sum));
    if (!x || !sum)
        return OX_NO_MEMORY(r);
    for (int64_t i = 0; i < rows; i++) {
        OX_TRY(cumulate(r, i, x + i * classes, classes, sum));
        for (int64_t k = 0; k < n; k++) {
            double u;
            ox_draw_uniform(seed, i * n + k, 1, &u);
            int64_t at = pick(sum, classes, u * sum[classes - 1]);
            ox_from_i64((char *)y->data + (size_t)(i * n + k) * ox_dtype_size(y->dtype), &at, y->dtype, 1);
        }
    }
    return OX_OK;
}

#define RANDOM(Op, since, infer_fn, run_fn, more)                                                  \
    OX_OP(Op, since) .infer = infer_fn, .run_any = run_fn, .key = OX_KEY_NONE,                     \
        .error = { ERR_RANDOM, 0 }, .flags = OX_IMPURE | (more) OX_END;
RANDOM(RandomUniform, 1, infer_shape, run_uniform, 0)
RANDOM(RandomNormal, 1, infer_shape, run_normal, 0)
RANDOM(RandomUniformLike, 1, infer_like, run_uniform, OX_SYMBOLIC | OX_SHAPE_ONLY)
RANDOM(RandomNormalLike, 1, infer_like, run_normal, OX_SYMBOLIC | OX_SHAPE_ONLY)
RANDOM(Bernoulli, 15, infer_bernoulli, run_bernoulli, OX_SYMBOLIC)
RANDOM(Multinomial, 7, infer_multinomial, run_multinomial, 0)
