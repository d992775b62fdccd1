/* ConvTranspose.  X (N, C, D1 ...), W (C, M / group, k1 ...), B (M) -> Y (N, M, o1 ...): input i of
 * a dimension adds W[k] to output i * stride + k * dilation - pad.
 *
 * A plain path sums in double.  For speed: small images as one product (scatter.c); else an ordinary
 * convolution for each phase of the strides (phases.c); and for float64, few channels, or few inputs under a
 * large kernel, a matrix product that makes all products of an input with the filters, whose parts are then
 * added up output row by output row.  The onnxrun_* attributes
 * come from fusion (runtime/opt/fuse_conv.c): an activation. */
#ifdef T /* ---- once per dtype: see runtime/tensor/each_dtype.h ---- */

/* The activation of n finished outputs. */
static void FN(activate)(const ox_activation *act, int64_t n, T *y)
{
    if (act->kind == OX_ACTIVATION_MAP && sizeof(T) == sizeof(float))
        act->map((size_t)n, (const void *)y, (void *)y);
    else if (act->kind != OX_ACTIVATION_NONE)
        for (int64_t i = 0; i < n; i++)
            y[i] = (T)ox_activate(act, (double)y[i]);
}

/* acc += w * x over the whole channel, for one kernel position k[]. */
static void FN(add_channel)(const struct transpose *s, A *acc, const T *x, A w, const int64_t *k)
{
    const ox_window *g = &s->window;
    int last = g->n - 1;
    int64_t lo, hi, at[OX_MAX_RANK] = { 0 }, step = g->stride[last];
    int64_t offset = k[last] * g->dilation[last] - g->begin[last];
    ox_window_range(&lo, &hi, offset, step, g->out[last], g->in[last]);
    for (int64_t i = 0; i < s->in_size; i += g->in[last]) {
        int64_t row = 0;
        bool inside = true;
        for (int d = 0; d < last; d++) {
            int64_t o = at[d] * g->stride[d] + k[d] * g->dilation[d] - g->begin[d];
            inside = inside && o >= 0 && o < g->out[d];
            row = row * g->out[d] + o;
        }
        if (inside)
            for (int64_t j = lo; j < hi; j++)
                acc[row * g->out[last] + offset + j * step] += w * (A)x[i + j];
        for (int d = last - 1; d >= 0 && ++at[d] == g->in[d]; d--)
            at[d] = 0;
    }
}

static void FN(plain_channel)(void *ctx, int64_t block, int worker)
{
    const struct job *j = ctx;
    const struct transpose *s = j->r->state;
    const ox_window *g = &s->window;
    int64_t n = block / s->m, m = block % s->m, group = m / s->m_group;
    const T *x = (const T *)j->r->in[0]->data + (n * s->c + group * s->c_group) * s->in_size;
    const T *w = (const T *)j->r->in[1]->data +
                 (group * s->c_group * s->m_group + m % s->m_group) * s->k_size;
    const ox_tensor *b = j->r->n_in > 2 ? j->r->in[2] : NULL;
    T *y = (T *)j->r->out[0]->data + block * s->out_size;
    A *acc = (A *)j->scratch + (int64_t)worker * s->out_size;
    for (int64_t i = 0; i < s->out_size; i++)
        acc[i] = b ? (A)((const T *)b->data)[m] : 0;
    for (int64_t c = 0; c < s->c_group; c++) {
        int64_t k[OX_MAX_RANK] = { 0 };
        for (int64_t p = 0; p < s->k_size; p++) {
            FN(add_channel)(s, acc, x + c * s->in_size, (A)w[c * s->m_group * s->k_size + p], k);
            for (int d = g->n - 1; d >= 0 && ++k[d] == g->kernel[d]; d--)
                k[d] = 0;
        }
    }
    for (int64_t i = 0; i < s->out_size; i++)
        y[i] = (T)acc[i];
    FN(activate)(&s->act, s->out_size, y);
}

static ox_code FN(plain)(ox_run *r)
{
    const struct transpose *s = r->state;
    struct job j = { .r = r };
    size_t n;
    if (!ox_mul_size(&n, (size_t)ox_pool_threads(r->pool), (size_t)s->out_size) ||
        !(j.scratch = ox_scratch_array(r, n, sizeof(A))))
        return OX_NO_MEMORY(r);
    ox_parallel(r, r->out[0]->dim[0] * s->m, FN(plain_channel), &j);
    return OX_OK;
}

/* Adds what one row of input positions gives to an output row, which is held phase by phase: output
 * o = j * stride + p is phase[p * n_phase + j].  col has one input channel's size for each kernel
 * position. */
static void FN(add_row)(const struct job *j, const T *col, T *phase)
{
    const struct transpose *s = j->r->state;
    for (int64_t k = 0; k < s->window.kernel[s->window.n - 1]; k++) {
        const struct tap *t = &j->taps[k];
        const T *from = col + k * s->in_size + t->from;
        T *to = phase + t->to;
        for (int64_t i = 0; i < t->n; i++)
            to[i] += from[i];
    }
}

static void FN(interleave)(const struct transpose *s, const T *phase, T *y)
{
    int64_t n = s->window.out[s->window.n - 1], step = s->window.stride[s->window.n - 1];
    if (step == 1) {
        memcpy(y, phase, (size_t)n * sizeof(T));
    } else if (step == 2) {
        const T *odd = phase + s->n_phase;
        for (int64_t j = 0; j < n / 2; j++) {
            y[2 * j] = phase[j];
            y[2 * j + 1] = odd[j];
        }
        if (n % 2)
            y[n - 1] = phase[n / 2];
    } else {
        for (int64_t p = 0; p < OX_MIN(step, n); p++)
            for (int64_t o = p, j = 0; o < n; o += step, j++)
                y[o] = phase[p * s->n_phase + j];
    }
}

/* Output rows [block * rows, ...) of the channels of one product. */
static void FN(fold_rows)(void *ctx, int64_t block, int worker)
{
    const struct job *j = ctx;
    const struct transpose *s = j->r->state;
    const ox_window *g = &s->window;
    int last = g->n - 1;
    int64_t width = g->out[last], per_channel = s->out_size / width, k_rows = s->k_size / g->kernel[last];
    int64_t n_phases = s->n_phase * g->stride[last];
    T *phase = (T *)j->scratch + (int64_t)worker * n_phases;
    for (int64_t i = block * j->rows; i < OX_MIN((block + 1) * j->rows, j->n_rows); i++) {
        int64_t m = i / per_channel;
        const int64_t *row = j->row_of + (i - m * per_channel) * k_rows;
        T start = j->bias ? ((const T *)j->bias)[m] : 0;
        for (int64_t o = 0; o < n_phases; o++)
            phase[o] = start;
        for (int64_t q = 0; q < k_rows; q++)
            if (row[q] >= 0)
                FN(add_row)
                (j, (const T *)j->col + (m * s->k_size + q * g->kernel[last]) * s->in_size + row[q], phase);
        FN(interleave)(s, phase, (T *)j->y + i * width);
        FN(activate)(&s->act, width, (T *)j->y + i * width);
    }
}

/* An input of one element that all of the kernel reaches: the product is the output, but for the rest. */
static void FN(finish_channels)(void *ctx, int64_t block, int worker)
{
    const struct job *j = ctx;
    const struct transpose *s = j->r->state;
    (void)worker;
    for (int64_t m = block * j->rows; m < OX_MIN((block + 1) * j->rows, j->n_rows); m++) {
        T *y = (T *)j->y + m * s->out_size, bias = j->bias ? ((const T *)j->bias)[m] : 0;
        for (int64_t i = 0; i < s->out_size; i++)
            y[i] += bias;
    }
    int64_t first = block * j->rows, n = OX_MIN(j->rows, j->n_rows - first);
    FN(activate)(&s->act, n * s->out_size, (T *)j->y + first * s->out_size);
}

/* The channels [m, m + n_m) of image n, all in one group. */
static void FN(product)(struct job *j, int64_t n, int64_t m, int64_t n_m)
{
    const struct transpose *s = j->r->state;
    int64_t group = m / s->m_group;
    const ox_tensor *b = j->r->n_in > 2 ? j->r->in[2] : NULL;
    ox_gemm_plan plan = { .m = (size_t)(n_m * s->k_size),
                          .n = (size_t)s->in_size,
                          .k = (size_t)s->c_group,
                          .f64 = sizeof(T) == sizeof(double),
                          .trans_a = true };
    ox_gemm_args args = {
        .a = (const T *)j->r->in[1]->data +
             (group * s->c_group * s->m_group + m % s->m_group) * s->k_size,
        .b = (const T *)j->r->in[0]->data + (n * s->c + group * s->c_group) * s->in_size,
        .c = s->single ? (T *)j->r->out[0]->data + (n * s->m + m) * s->out_size : (T *)j->col,
        .lda = (size_t)(s->m_group * s->k_size),
        .ldb = (size_t)s->in_size,
        .ldc = (size_t)s->in_size,
    };
    ox_gemm_choose(&plan, ox_cpu());
    ox_gemm_run(&plan, &args, j->gemm, j->r->pool);
    j->bias = b ? (const T *)b->data + m : NULL;
    j->y = (T *)j->r->out[0]->data + (n * s->m + m) * s->out_size;
    if (s->single) {
        j->n_rows = n_m;
        j->rows = OX_MAX((1 << 13) / s->out_size, 1);
        ox_parallel(j->r, (n_m + j->rows - 1) / j->rows, FN(finish_channels), j);
        return;
    }
    j->n_rows = n_m * (s->out_size / s->window.out[s->window.n - 1]);
    j->rows = OX_MAX((1 << 13) / (s->n_phase * s->window.stride[s->window.n - 1]), 1);
    ox_parallel(j->r, (j->n_rows + j->rows - 1) / j->rows, FN(fold_rows), j);
}

static ox_code FN(run)(ox_run *r)
{
    const struct transpose *s = r->state;
    struct job j = { .r = r };
    if (s->phases.n_phases || s->scatter.used)
        return run_fast(r, s);
    if (!s->by_product)
        return FN(plain)(r);
    OX_TRY(product_memory(r, &j, sizeof(T)));
    for (int64_t n = 0; n < r->out[0]->dim[0]; n++)
        for (int64_t m = 0; m < s->m; m += s->m_group)
            for (int64_t i = 0; i < s->m_group; i += s->m_block)
                FN(product)(&j, n, m + i, OX_MIN(s->m_block, s->m_group - i));
    return OX_OK;
}

#else /* ---- once ---- */
#include "kernels/conv/act.h"
#include "kernels/conv/oracle.h"
#include "kernels/conv/phases.h"
#include "kernels/conv/scatter.h"
#include "kernels/gemm/gemm.h"

#include <math.h>
#include <string.h>

enum { MAX_TERMS = 32, COL_BYTES = 4 << 20 };

struct transpose {
    ox_window window; /* in and out as of ConvTranspose */
    int64_t c, m, c_group, m_group;
    int64_t in_size, out_size, k_size; /* elements of one channel, of one filter plane */
    int64_t n_phase;                   /* outputs of a row that share o % stride */
    int64_t m_block;                   /* channels made by one matrix product */
    bool by_product;
    bool single; /* one input, and every output is one product with it */
    ox_activation act;
    const ox_uk_conv *smooth;
    ox_phases phases;
    ox_scatter scatter;
};
/* What a kernel position of the last dimension adds: n elements of a row of `col` to a phase of the output row. */
struct tap {
    int64_t from, to, n;
};
struct job {
    ox_run *r;
    struct tap *taps; /* kernel positions of the last dimension */
    int64_t *row_of;  /* (output row, kernel row): where the input row that they meet in begins, or -1 */
    void *scratch, *gemm;
    void *col; /* (channel, kernel position, input position) */
    const void *bias;
    void *y;
    int64_t rows, n_rows;
};

/* Number of the input row that kernel position k[] puts on output row at[]; -1: none. */
static int64_t row_under(const ox_window *g, const int64_t *at, const int64_t *k)
{
    int64_t row = 0;
    for (int d = 0; d < g->n - 1; d++) {
        int64_t i = at[d] + g->begin[d] - k[d] * g->dilation[d];
        if (i < 0 || i % g->stride[d] || i / g->stride[d] >= g->in[d])
            return -1;
        row = row * g->in[d] + i / g->stride[d];
    }
    return row;
}

/* Both tables: the same for all channels. */
static void fill_tables(struct job *j)
{
    const struct transpose *s = j->r->state;
    const ox_window *g = &s->window;
    int last = g->n - 1;
    int64_t at[OX_MAX_RANK] = { 0 }, k[OX_MAX_RANK] = { 0 }, step = g->stride[last], *row = j->row_of;
    for (int64_t q = 0; q < g->kernel[last]; q++) {
        int64_t lo, hi, offset = q * g->dilation[last] - g->begin[last];
        int64_t p = offset % step < 0 ? offset % step + step : offset % step;
        ox_window_range(&lo, &hi, offset, step, g->out[last], g->in[last]);
        j->taps[q] = (struct tap){ lo, p * s->n_phase + (offset - p) / step + lo, OX_MAX(hi - lo, 0) };
    }
    for (int64_t i = 0; i < s->out_size / g->out[last]; i++) {
        for (int64_t q = 0; q < s->k_size / g->kernel[last]; q++) {
            int64_t in = row_under(g, at, k);
            *row++ = in < 0 ? -1 : in * g->in[last];
            for (int d = last - 1; d >= 0 && ++k[d] == g->kernel[d]; d--)
                k[d] = 0;
        }
        for (int d = last - 1; d >= 0 && ++at[d] == g->out[d]; d--)
            at[d] = 0;
    }
}

static ox_code run_fast(ox_run *r, const struct transpose *s)
{
    const ox_tensor *b = r->n_in > 2 ? r->in[2] : NULL;
    ox_epilogue ep = { .bias_row = b ? b->data : NULL };
    ox_conv_set_activation(&s->act, s->smooth, false, &ep);
    return s->scatter.used ? ox_scatter_run(r, &s->scatter, &ep) : ox_phases_run(r, &s->phases, &ep);
}

/* ---- shapes ---- */
static ox_code check(ox_run *r, const ox_tensor *x, const ox_tensor *w, int64_t group)
{
    const ox_tensor *b = r->n_in > 2 ? r->in[2] : NULL;
    if (x->rank < 3 || w->rank != x->rank)
        return OX_FAIL(r->err, OX_E_SHAPE,
                       "X has rank %d and W has rank %d, expected the same, at least 3", x->rank,
                       w->rank);
    if (group < 1 || (w->dim[0] >= 0 && w->dim[0] % group))
        return OX_FAIL(r->err, OX_E_SHAPE, "group %lld does not divide the %lld channels of W",
                       (long long)group, (long long)w->dim[0]);
    if (x->dim[1] >= 0 && w->dim[0] >= 0 && x->dim[1] != w->dim[0])
        return OX_FAIL(r->err, OX_E_SHAPE, "X has %lld channels, W is for %lld",
                       (long long)x->dim[1], (long long)w->dim[0]);
    if (b && (b->rank != 1 || (b->dim[0] >= 0 && w->dim[1] >= 0 &&
                               (b->dim[0] % group || b->dim[0] / group != w->dim[1]))))
        return OX_FAIL(r->err, OX_E_SHAPE,
                       "B has %lld elements, W makes %lld channels in %lld groups",
                       (long long)ox_count(b), (long long)w->dim[1], (long long)group);
    return OX_OK;
}

/* A list attribute of one non-negative number a spatial dimension; of output_shape, those of a full
 * shape's last dimensions.  NULL: not given. */
static ox_code read_sizes(ox_run *r, const char *name, int n, const int64_t **out)
{
    int given;
    const int64_t *v = ox_attr_i64s(r, name, &given);
    *out = NULL;
    if (!given)
        return OX_OK;
    if (given == n + 2 && strcmp(name, "output_shape") == 0)
        v += 2;
    else if (given != n)
        return OX_FAIL(r->err, OX_E_SHAPE, "%s has %d entries for %d spatial dimensions", name,
                       given, n);
    for (int i = 0; i < n; i++)
        if (v[i] < 0 || v[i] > 1 << 30)
            return OX_FAIL(r->err, OX_E_VALUE, "%s[%d] is %lld", name, i, (long long)v[i]);
    *out = v;
    return OX_OK;
}

/* window.out and the pads that follow from it; dimensions of X may be symbolic. */
static ox_code read_window(ox_run *r, ox_window *g)
{
    static const char *const modes[] = { "NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID", NULL };
    const int64_t *extra, *shape;
    int mode = 0;
    const char *given = ox_attr_str(r, "auto_pad");
    OX_TRY(ox_window_init(r, g, r->in[0], r->in[1]->dim + 2));
    OX_TRY(read_sizes(r, "output_padding", g->n, &extra));
    OX_TRY(read_sizes(r, "output_shape", g->n, &shape));
    if (given && *given)
        OX_TRY(ox_attr_enum(r, "auto_pad", modes, &mode));
    bool same = mode == 1 || mode == 2;
    for (int d = 0; d < g->n; d++) {
        int64_t fixed =
            (g->kernel[d] - 1) * g->dilation[d] + 1 + (extra ? extra[d] : 0) - g->stride[d];
        int64_t spread = ox_dim_mul(r, g->in[d], g->stride[d]);
        if (!shape && !same) {
            fixed -= g->begin[d] + g->end[d];
            if (spread >= 0 && spread + fixed < 0)
                return OX_FAIL(r->err, OX_E_SHAPE,
                               "pads %lld and %lld leave nothing of dimension %d",
                               (long long)g->begin[d], (long long)g->end[d], d);
            g->out[d] = spread >= 0  ? spread + fixed
                        : fixed >= 0 ? ox_dim_add(r, spread, fixed)
                                     : OX_DIM_UNKNOWN;
            continue;
        }
        g->out[d] = shape ? shape[d] : spread;
        int64_t total = spread >= 0 ? OX_MAX(spread + fixed - g->out[d], 0) : 0;
        g->begin[d] = mode == 1 ? total / 2 : total - total / 2;
        g->end[d] = total - g->begin[d];
    }
    return OX_OK;
}

static ox_code infer(ox_run *r)
{
    const ox_tensor *x = r->in[0], *w = r->in[1];
    ox_window g;
    int64_t dim[OX_MAX_RANK], group = ox_attr_i64(r, "group");
    OX_TRY(check(r, x, w, group));
    OX_TRY(read_window(r, &g));
    dim[0] = x->dim[0];
    dim[1] = ox_dim_mul(r, w->dim[1], group);
    memcpy(dim + 2, g.out, (size_t)g.n * sizeof(*dim));
    ox_out_shape(r, 0, x->rank, dim);
    return OX_OK;
}

static ox_code choose(ox_run *r, struct transpose *s, int64_t group)
{
    OX_TRY(ox_scatter_prepare(r, &s->window, group, &s->scatter));
    if (s->scatter.used) {
        r->kernel = "scatter";
        return OX_OK;
    }
    /* A convolution of few channels leaves most of its tiles empty; a product has all positions' as well. */
    if (s->by_product && s->m_group < 8 && s->c_group >= 8)
        return OX_OK;
    OX_TRY(ox_phases_prepare(r, &s->window, group, &s->phases));
    if (s->phases.n_phases)
        r->kernel = s->phases.phase[0].empty ? "phases" : s->phases.phase[0].plan.name;
    return OX_OK;
}

static ox_code prepare(ox_run *r)
{
    struct transpose *s = r->state;
    const ox_tensor *x = r->in[0], *w = r->in[1];
    int64_t group = ox_attr_i64(r, "group");
    OX_TRY(read_window(r, &s->window));
    const ox_window *g = &s->window;
    int last = g->n - 1;
    s->c = x->dim[1];
    s->c_group = s->c / group;
    s->m_group = w->dim[1];
    s->m = s->m_group * group;
    s->in_size = ox_numel(x, 2, x->rank);
    s->k_size = ox_numel(w, 2, w->rank);
    s->out_size = ox_numel(r->out[0], 2, x->rank);
    s->n_phase = (g->out[last] + g->stride[last] - 1) / g->stride[last];
    s->m_block = OX_MAX(COL_BYTES / 4 / OX_MAX(s->k_size * s->in_size, 1), OX_MIN(8, s->m_group));
    int64_t terms = 1; /* kernel positions that meet in one output */
    for (int d = 0; d < g->n; d++)
        terms *= OX_MIN((g->kernel[d] + g->stride[d] - 1) / g->stride[d], MAX_TERMS + 1);
    s->by_product = r->optimize > 0 && terms <= MAX_TERMS && s->c_group >= 4 && g->n <= 4;
    s->single = s->in_size == 1 && s->out_size == s->k_size;
    for (int d = 0; d < g->n; d++)
        s->single = s->single && g->begin[d] == 0 && g->out[d] == g->kernel[d] && g->dilation[d] == 1;
    r->kernel = s->by_product ? "product" : "plain";
    OX_TRY(ox_activation_read(r, &s->act));
    s->smooth = ox_conv_quick_activation(r, &s->act);
    return r->optimize > 0 && x->dtype == OX_F32 && !s->single ? choose(r, s, group) : OX_OK;
}

static ox_code product_memory(ox_run *r, struct job *j, size_t size)
{
    const struct transpose *s = r->state;
    const ox_window *g = &s->window;
    int threads = ox_pool_threads(r->pool);
    int64_t n_m = OX_MIN(s->m_block, s->m_group);
    size_t rows, bytes, phases, tail = 0;
    ox_gemm_plan plan = { .m = (size_t)(n_m * s->k_size),
                          .n = (size_t)s->in_size,
                          .k = (size_t)s->c_group,
                          .f64 = size == sizeof(double),
                          .trans_a = true };
    ox_gemm_choose(&plan, ox_cpu());
    bytes = ox_gemm_scratch_bytes(&plan, threads);
    if (s->m_group % n_m) {
        plan = (ox_gemm_plan){ .m = (size_t)(s->m_group % n_m * s->k_size),
                               .n = plan.n,
                               .k = plan.k,
                               .f64 = plan.f64,
                               .trans_a = true };
        ox_gemm_choose(&plan, ox_cpu());
        tail = ox_gemm_scratch_bytes(&plan, threads);
    }
    if (!ox_mul_size(&rows, (size_t)(n_m * s->k_size), (size_t)s->in_size) ||
        !ox_mul_size(&phases, (size_t)(s->n_phase * g->stride[g->n - 1]), (size_t)threads))
        return OX_NO_MEMORY(r);
    j->gemm = ox_scratch(r, OX_MAX(bytes, tail));
    j->col = ox_scratch_array(r, rows, size);
    j->scratch = ox_scratch_array(r, phases, size);
    size_t k_row = (size_t)g->kernel[g->n - 1], k_rows = (size_t)s->k_size / k_row, table;
    if (!ox_mul_size(&table, (size_t)(s->out_size / g->out[g->n - 1]), k_rows))
        return OX_NO_MEMORY(r);
    j->taps = ox_scratch_array(r, k_row, sizeof(*j->taps));
    j->row_of = ox_scratch_array(r, table, sizeof(*j->row_of));
    if (!j->gemm || !j->col || !j->scratch || !j->taps || !j->row_of)
        return OX_NO_MEMORY(r);
    fill_tables(j);
    return OX_OK;
}

static int64_t flops(const ox_run *r)
{
    const struct transpose *s = r->state;
    return 2 * ox_count(r->in[0]) * s->m_group * s->k_size;
}

/* ---- the definition, product by product: mag = sum |x||w| + |b| ---- */

/* One row of the input under one position of the kernel: y[i * step] += w x[i]. */
static void oracle_add(double *y, double *mag, const double *x, double w, int64_t step, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        double v = w * x[i];
        y[i * step] += v;
        mag[i * step] += fabs(v);
    }
}

/* Where the row of outputs begins that input row `row` meets under kernel row k; -1: none. */
static int64_t oracle_row(const ox_window *g, int64_t row, int64_t k)
{
    int64_t offset = 0, size = g->out[g->n - 1];
    for (int d = g->n - 2; d >= 0; d--) {
        int64_t o = row % g->in[d] * g->stride[d] + k % g->kernel[d] * g->dilation[d] - g->begin[d];
        if (o < 0 || o >= g->out[d])
            return -1;
        row /= g->in[d];
        k /= g->kernel[d];
        offset += o * size;
        size *= g->out[d];
    }
    return offset;
}

static void oracle_plane(const struct transpose *s, double *y, double *mag, const double *x, const double *w)
{
    const ox_window *g = &s->window;
    int last = g->n - 1;
    int64_t width = g->in[last], k_width = g->kernel[last], lo, hi;
    for (int64_t k = 0; k < s->k_size; k++) {
        int64_t shift = k % k_width * g->dilation[last] - g->begin[last];
        ox_window_range(&lo, &hi, shift, g->stride[last], g->out[last], width);
        for (int64_t row = 0; row < s->in_size / OX_MAX(width, 1); row++) {
            int64_t at = oracle_row(g, row, k / k_width);
            if (at < 0 || lo >= hi)
                continue;
            at += lo * g->stride[last] + shift;
            oracle_add(y + at, mag + at, x + row * width + lo, w[k], g->stride[last], hi - lo);
        }
    }
}

static void oracle_channel(void *ctx, int64_t block, int worker)
{
    ox_oracle *o = ctx;
    const struct transpose *s = o->r->state;
    int64_t n = block / s->m, m = block % s->m, group = m / s->m_group;
    double *y = o->out[0] + block * s->out_size, *mag = o->mag[0] + block * s->out_size;
    double bias = o->r->n_in > 2 && o->in[2] ? o->in[2][m] : 0;
    (void)worker;
    for (int64_t i = 0; i < s->out_size; i++) {
        y[i] = bias;
        mag[i] = fabs(bias);
    }
    for (int64_t c = group * s->c_group; c < (group + 1) * s->c_group; c++)
        oracle_plane(s, y, mag, o->in[0] + (n * s->c + c) * s->in_size,
                     o->in[1] + (c * s->m_group + m % s->m_group) * s->k_size);
    ox_conv_oracle_activate(&s->act, s->out_size, y, mag);
}

static ox_code oracle(ox_oracle *o)
{
    const struct transpose *s = o->r->state;
    o->terms = (double)(s->c_group * s->k_size);
    ox_parallel(o->r, o->r->out[0]->dim[0] * s->m, oracle_channel, o);
    return OX_OK;
}

#define TYPES MASK_FLOAT
#define TMPL "kernels/conv/op_conv_transpose.c"
#include "runtime/tensor/each_dtype.h"

OX_OP(ConvTranspose, 1).infer = infer, .prepare = prepare, .run = { KERNELS(run, FLOAT) },
                     .oracle = oracle, .error = { ERR_SUM, 8 },
                     .state_size = sizeof(struct transpose), .flags = OX_SYMBOLIC,
                     .flops = flops OX_END;
#endif
