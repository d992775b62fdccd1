/* Gradient never runs: a session replaces it by ordinary nodes (runtime/opt/gradient.c).  Its record
 * says that it is served.  Behind it are the operators that those nodes need and ONNX lacks: the
 * transposes of broadcasting, of convolution and of the mean under a window.  All sum in double. */
#include "kernels/window.h"

#include <string.h>

static ox_code not_replaced(ox_run *r)
{
    return OX_FAIL(r->err, OX_E_INTERNAL, "a Gradient node is left in the graph");
}

OX_OP(Gradient, 1) .domain = "ai.onnx.preview.training", .infer = not_replaced,
    .run_any = not_replaced, .key = OX_KEY_NONE, .error = { ERR_EXACT, 0 } OX_END;

/* No schema speaks for our own operators, and a file may hold anything. */
static ox_code check_inputs(ox_run *r, int n)
{
    bool all = r->n_in == n && r->n_out == 1;
    for (int i = 0; i < n && all; i++)
        all = r->in[i] && ox_is_float(r->in[i]->dtype);
    return all ? OX_OK : OX_FAIL(r->err, OX_E_GRAPH, "%s takes %d float tensors", r->op->name, n);
}

/* Input i and memory for output 0, in double. */
static ox_code doubles(ox_run *r, int i, const double **x)
{
    int64_t n;
    *x = ox_in_f64s(r, i, &n);
    return *x || ox_count(r->in[i]) == 0 ? OX_OK : OX_NO_MEMORY(r);
}

static ox_code result(ox_run *r, double **y)
{
    size_t n = (size_t)ox_count(r->out[0]);
    *y = ox_scratch_array(r, OX_MAX(n, 1), sizeof(**y));
    if (!*y)
        return OX_NO_MEMORY(r);
    memset(*y, 0, n * sizeof(**y));
    return OX_OK;
}

static ox_code done(ox_run *r, const double *y)
{
    ox_from_f64(r->out[0]->data, y, r->out[0]->dtype, (size_t)ox_count(r->out[0]));
    return OX_OK;
}

/* ---- SumTo(x, like): the transpose of broadcasting `like` to the shape of x ---- */
static ox_code sum_to_infer(ox_run *r)
{
    OX_TRY(check_inputs(r, 2));
    const ox_tensor *x = r->in[0], *like = r->in[1];
    for (int d = 0; d < like->rank; d++) {
        int64_t n = d < like->rank - x->rank ? -1 : x->dim[d - (like->rank - x->rank)];
        if (like->dim[d] != n && like->dim[d] != 1)
            return OX_FAIL(r->err, OX_E_SHAPE, "dimension %d: %lld was not broadcast to %lld", d,
                           (long long)like->dim[d], (long long)n);
    }
    ox_out_shape(r, 0, like->rank, like->dim);
    return OX_OK;
}

static ox_code sum_to(ox_run *r)
{
    const ox_tensor *x = r->in[0], *y = r->out[0];
    const double *from;
    double *to;
    if (ox_shape_same(x, y)) {
        if (ox_count(y))
            memcpy(y->data, x->data, ox_bytes(y));
        return OX_OK;
    }
    OX_TRY(doubles(r, 0, &from));
    OX_TRY(result(r, &to));
    int64_t stride[OX_MAX_RANK], at[OX_MAX_RANK] = { 0 }, step = 1, k = 0;
    for (int d = x->rank - 1, e = y->rank - 1; d >= 0; d--, e--) {
        stride[d] = e < 0 || y->dim[e] == 1 ? 0 : step;
        step *= e < 0 ? 1 : y->dim[e];
    }
    for (int64_t i = 0, n = ox_count(x); i < n; i++) {
        to[k] += from[i];
        for (int d = x->rank - 1; d >= 0; d--) {
            k += stride[d];
            if (++at[d] < x->dim[d])
                break;
            k -= stride[d] * x->dim[d];
            at[d] = 0;
        }
    }
    return done(r, to);
}

OX_OP(SumTo, 1) .domain = "onnxrun", .infer = sum_to_infer, .run_any = sum_to, .key = OX_KEY_NONE,
    .error = { ERR_ULP, 1 } OX_END;

/* ---- windows ---- */
typedef struct job {
    const ox_run *r;
    ox_window     g;
    int64_t       c, m, c_group, m_group;   /* channels of x and of dy */
    int64_t       in, out, kernel;          /* elements of a plane */
    const double *x, *w, *dy;
    double       *to;
} job;

/* Every pair of an input and an output element that kernel position k[] ties together: adds w * dy to
 * dx, or, without dx, returns the sum of x * dy. */
static double plane(const ox_window *g, const int64_t *k, const double *dy, double w, double *dx,
                    const double *x)
{
    int last = g->n - 1;
    int64_t at[OX_MAX_RANK] = { 0 }, lo, hi, rows = 1, step = g->stride[last];
    int64_t offset = k[last] * g->dilation[last] - g->begin[last];
    double sum = 0;
    ox_window_range(&lo, &hi, offset, step, g->in[last], g->out[last]);
    for (int d = 0; d < last; d++)
        rows *= g->out[d];
    for (int64_t row = 0; row < rows; row++, dy += g->out[last]) {
        int64_t from = 0;
        bool inside = true;
        for (int d = 0; d < last; d++) {
            int64_t i = at[d] * g->stride[d] + k[d] * g->dilation[d] - g->begin[d];
            inside = inside && i >= 0 && i < g->in[d];
            from = from * g->in[d] + i;
        }
        from = from * g->in[last] + offset;
        for (int64_t o = lo; o < hi && inside && dx; o++)
            dx[from + o * step] += w * dy[o];
        for (int64_t o = lo; o < hi && inside && !dx; o++)
            sum += x[from + o * step] * dy[o];
        for (int d = last - 1; d >= 0 && ++at[d] == g->out[d]; d--)
            at[d] = 0;
    }
    return sum;
}

static void next_position(const ox_window *g, int64_t *k)
{
    for (int d = g->n - 1; d >= 0 && ++k[d] == g->kernel[d]; d--)
        k[d] = 0;
}

/* x and dy: the tensors, or those of their shape. */
static ox_code measure(ox_run *r, job *j, const ox_tensor *x, const ox_tensor *dy, const ox_tensor *w)
{
    int64_t group = ox_attr_given(r, "group") ? ox_attr_i64(r, "group") : 1;
    if (x->rank < 3 || dy->rank != x->rank || (w && w->rank != x->rank))
        return OX_FAIL(r->err, OX_E_SHAPE, "ranks %d, %d and %d of a convolution", x->rank, dy->rank,
                       w ? w->rank : x->rank);
    j->r = r;
    OX_TRY(ox_window_init(r, &j->g, x, w ? w->dim + 2 : NULL));
    bool fits = dy->dim[0] == x->dim[0];
    for (int d = 0; d < j->g.n; d++)
        fits = fits && j->g.out[d] == dy->dim[2 + d];
    if (w)
        fits = fits && group > 0 && w->dim[0] == dy->dim[1] && w->dim[0] % group == 0 &&
               w->dim[1] * group == x->dim[1];
    if (!fits)
        return OX_FAIL(r->err, OX_E_SHAPE, "the gradient has another shape than the output");
    j->c = x->dim[1];
    j->m = dy->dim[1];
    j->c_group = w ? j->c / group : 1;
    j->m_group = w ? j->m / group : 1;
    j->in = ox_numel(x, 2, x->rank);
    j->out = ox_numel(dy, 2, dy->rank);
    j->kernel = 1;
    for (int d = 0; d < j->g.n; d++)
        if (__builtin_mul_overflow(j->kernel, j->g.kernel[d], &j->kernel))
            return OX_FAIL(r->err, OX_E_LIMIT, "the kernel is too large");
    return OX_OK;
}

/* One channel of one image of dx. */
static void input_channel(void *ctx, int64_t block, int worker)
{
    const job *j = ctx;
    int64_t n = block / j->c, c = block % j->c, group = c / j->c_group;
    (void)worker;
    for (int64_t m = group * j->m_group; m < (group + 1) * j->m_group; m++) {
        const double *w = j->w ? j->w + (m * j->c_group + c % j->c_group) * j->kernel : NULL;
        int64_t k[OX_MAX_RANK] = { 0 };
        for (int64_t p = 0; p < j->kernel; p++, next_position(&j->g, k))
            plane(&j->g, k, j->dy + (n * j->m + m) * j->out, w ? w[p] : 1, j->to + block * j->in, NULL);
    }
}

/* One filter's plane for one input channel. */
static void weight_channel(void *ctx, int64_t block, int worker)
{
    const job *j = ctx;
    int64_t m = block / j->c_group, c = m / j->m_group * j->c_group + block % j->c_group;
    (void)worker;
    for (int64_t n = 0; n < j->r->in[0]->dim[0]; n++) {
        int64_t k[OX_MAX_RANK] = { 0 };
        for (int64_t p = 0; p < j->kernel; p++, next_position(&j->g, k))
            j->to[block * j->kernel + p] += plane(&j->g, k, j->dy + (n * j->m + m) * j->out, 0, NULL,
                                                  j->x + (n * j->c + c) * j->in);
    }
}

/* ---- ConvInput(dy, w, x): what Conv(x, w) hands back to x, of which only the shape counts ---- */
static ox_code infer_last(ox_run *r, int n)
{
    OX_TRY(check_inputs(r, n));
    ox_out_shape(r, 0, r->in[n - 1]->rank, r->in[n - 1]->dim);
    return OX_OK;
}
static ox_code infer_of_2(ox_run *r) { return infer_last(r, 2); }
static ox_code infer_of_3(ox_run *r) { return infer_last(r, 3); }

static ox_code conv_input(ox_run *r)
{
    job j = { 0 };
    OX_TRY(measure(r, &j, r->in[2], r->in[0], r->in[1]));
    OX_TRY(doubles(r, 0, &j.dy));
    OX_TRY(doubles(r, 1, &j.w));
    OX_TRY(result(r, &j.to));
    ox_parallel(r, r->in[0]->dim[0] * j.c, input_channel, &j);
    return done(r, j.to);
}

/* ---- ConvWeights(x, dy, w): what it hands back to w ---- */
static ox_code conv_weights(ox_run *r)
{
    job j = { 0 };
    OX_TRY(measure(r, &j, r->in[0], r->in[1], r->in[2]));
    OX_TRY(doubles(r, 0, &j.x));
    OX_TRY(doubles(r, 1, &j.dy));
    OX_TRY(result(r, &j.to));
    ox_parallel(r, j.m * j.c_group, weight_channel, &j);
    return done(r, j.to);
}

/* ---- AveragePoolInput(dy, x) ---- */
static double divisor(const ox_run *r, const ox_window *g, int d, int64_t o)
{
    bool include_pad = ox_attr_i64(r, "count_include_pad") != 0;
    int64_t lo = include_pad ? -g->begin[d] : 0, hi = g->in[d] + (include_pad ? g->end[d] : 0), n = 0;
    for (int64_t k = 0; k < g->kernel[d]; k++) {
        int64_t i = o * g->stride[d] + k * g->dilation[d] - g->begin[d];
        n += i >= lo && i < hi;
    }
    return (double)OX_MAX(n, 1);
}

static ox_code average_pool_input(ox_run *r)
{
    job j = { 0 };
    OX_TRY(measure(r, &j, r->in[1], r->in[0], NULL));
    OX_TRY(doubles(r, 0, &j.dy));
    OX_TRY(result(r, &j.to));
    int64_t n = ox_count(r->in[0]), at[OX_MAX_RANK] = { 0 };
    double *each = ox_scratch_array(r, (size_t)OX_MAX(n, 1), sizeof(*each));
    if (!each)
        return OX_NO_MEMORY(r);
    for (int64_t i = 0; i < n; i++) {
        each[i] = j.dy[i];
        for (int d = 0; d < j.g.n; d++)
            each[i] /= divisor(r, &j.g, d, at[d]);
        for (int d = j.g.n - 1; d >= 0 && ++at[d] == j.g.out[d]; d--)
            at[d] = 0;
    }
    j.dy = each;
    ox_parallel(r, r->in[0]->dim[0] * j.c, input_channel, &j);
    return done(r, j.to);
}

OX_OP(ConvInput, 1) .domain = "onnxrun", .infer = infer_of_3, .run_any = conv_input, .key = OX_KEY_NONE,
    .error = { ERR_ULP, 1 } OX_END;
OX_OP(ConvWeights, 1) .domain = "onnxrun", .infer = infer_of_3, .run_any = conv_weights, .key = OX_KEY_NONE,
    .error = { ERR_ULP, 1 } OX_END;
OX_OP(AveragePoolInput, 1) .domain = "onnxrun", .infer = infer_of_2, .run_any = average_pool_input,
    .key = OX_KEY_NONE, .error = { ERR_ULP, 1 } OX_END;
