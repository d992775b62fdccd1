/* DeformConv: a convolution whose kernel positions are each moved by an offset of their own, for
 * every output pixel; X is interpolated linearly there, zero outside.  For some pixels at a time
 * the moved inputs of all channels are gathered, then multiplied with the filters. */
#ifdef T /* ---- once per dtype: see runtime/tensor/each_dtype.h ---- */

/* Rows of `column`: one for each channel of the group and kernel position; one entry for each
 * pixel. */
static void FN(gather)(const struct job *j, int64_t image, int64_t group, int64_t first, int64_t n,
                       A *column)
{
    const struct deform *s = j->r->state;
    const T *x = (const T *)j->r->in[0]->data + (image * s->c + group * s->c_group) * s->in_size;
    const T *offset = (const T *)j->r->in[2]->data +
                      image * s->offset_groups * s->k_size * s->window.n * s->out_size;
    const T *mask =
        j->mask ? (const T *)j->mask + image * s->offset_groups * s->k_size * s->out_size : NULL;
    int64_t per = s->c / s->offset_groups, corners = (int64_t)1 << s->window.n;
    for (int64_t k = 0; k < s->k_size; k++) {
        int64_t last = -1, at[PIXELS << MAX_DIMS];
        A weight[PIXELS << MAX_DIMS];
        for (int64_t c = 0; c < s->c_group; c++) {
            int64_t g = (group * s->c_group + c) / per;
            for (int64_t p = 0; p < n && g != last; p++) {
                A move[MAX_DIMS],
                    factor = mask ? (A)mask[(g * s->k_size + k) * s->out_size + first + p] : 1;
                for (int d = 0; d < s->window.n; d++)
                    move[d] = (A)
                        offset[((g * s->k_size + k) * s->window.n + d) * s->out_size + first + p];
                corners_of(s, first + p, k, move, factor, at + p * corners, weight + p * corners);
            }
            last = g;
            A *row = column + (c * s->k_size + k) * PIXELS;
            for (int64_t p = 0; p < n; p++) {
                A sum = 0;
                for (int64_t i = p * corners; i < (p + 1) * corners; i++)
                    if (at[i] >= 0)
                        sum += weight[i] * (A)x[c * s->in_size + at[i]];
                row[p] = sum;
            }
        }
    }
}

static void FN(block)(void *ctx, int64_t b, int worker)
{
    const struct job *j = ctx;
    const struct deform *s = j->r->state;
    int64_t chunk = b % j->chunks, group = b / j->chunks % s->groups,
            image = b / j->chunks / s->groups;
    int64_t first = chunk * PIXELS, n = OX_MIN(PIXELS, s->out_size - first),
            rows = s->c_group * s->k_size;
    const ox_tensor *bias = j->r->n_in > 3 ? j->r->in[3] : NULL;
    A *column = (A *)j->columns + (int64_t)worker * rows * PIXELS, acc[PIXELS];
    FN(gather)(j, image, group, first, n, column);
    for (int64_t m = group * s->m_group; m < (group + 1) * s->m_group; m++) {
        const T *w = (const T *)j->r->in[1]->data + m * rows;
        T *y = (T *)j->r->out[0]->data + (image * s->m + m) * s->out_size + first;
        for (int p = 0; p < PIXELS; p++)
            acc[p] = bias ? (A)((const T *)bias->data)[m] : 0;
        for (int64_t i = 0; i < rows; i++)
            for (int p = 0; p < PIXELS; p++)
                acc[p] += (A)w[i] * column[i * PIXELS + p];
        for (int64_t p = 0; p < n; p++)
            y[p] = (T)acc[p];
    }
}

static ox_code FN(run)(ox_run *r)
{
    const struct deform *s = r->state;
    struct job j = { .r = r,
                     .chunks = (s->out_size + PIXELS - 1) / PIXELS,
                     .mask = r->n_in > 4 && r->in[4] ? r->in[4]->data : NULL };
    size_t n;
    if (!ox_mul_size(&n, (size_t)(s->c_group * s->k_size),
                     (size_t)ox_pool_threads(r->pool) * PIXELS) ||
        !(j.columns = ox_scratch_array(r, n, sizeof(A))))
        return OX_NO_MEMORY(r);
    memset(j.columns, 0, n * sizeof(A));
    ox_parallel(r, r->out[0]->dim[0] * s->groups * j.chunks, FN(block), &j);
    return OX_OK;
}

#else /* ---- once ---- */
#include "kernels/window.h"

#include <math.h>
#include <string.h>

enum { PIXELS = 32, MAX_DIMS = 6 };

struct deform {
    ox_window window;
    int64_t c, m, c_group, m_group, groups, offset_groups;
    int64_t in_size, out_size, k_size;
};
struct job {
    ox_run *r;
    void *columns;
    const void *mask;
    int64_t chunks; /* of an image's pixels */
};

/* The neighbours of kernel position k, moved, of output pixel p, and their weights times factor;
 * -1: outside. */
static void corners_of(const struct deform *s, int64_t p, int64_t k, const double *move,
                       double factor, int64_t *at, double *weight)
{
    const ox_window *g = &s->window;
    double x[MAX_DIMS];
    for (int d = g->n - 1; d >= 0; d--) {
        int64_t start =
            p % g->out[d] * g->stride[d] + k % g->kernel[d] * g->dilation[d] - g->begin[d];
        x[d] = (double)start + move[d];
        p /= g->out[d];
        k /= g->kernel[d];
    }
    for (int i = 0; i < 1 << g->n; i++) {
        at[i] = 0;
        weight[i] = factor;
        for (int d = 0; d < g->n; d++) {
            bool upper = i >> d & 1;
            double base = floor(x[d]), index = base + (upper ? 1 : 0);
            bool inside = index >= 0 && index < (double)g->in[d];
            at[i] = inside && at[i] >= 0 ? at[i] * g->in[d] + (int64_t)index : -1;
            weight[i] *= upper ? x[d] - base : 1 - (x[d] - base);
        }
    }
}

static ox_code check(ox_run *r, const ox_window *g)
{
    const ox_tensor *x = r->in[0], *w = r->in[1], *offset = r->in[2],
                    *mask = r->n_in > 4 ? r->in[4] : NULL;
    const ox_tensor *b = r->n_in > 3 ? r->in[3] : NULL;
    int64_t group = ox_attr_i64(r, "group"), offset_group = ox_attr_i64(r, "offset_group"), k = 1;
    if (group < 1 || offset_group < 1 || x->dim[1] % group || x->dim[1] % offset_group ||
        w->dim[0] % group || w->dim[1] != x->dim[1] / group)
        return OX_FAIL(r->err, OX_E_SHAPE,
                       "X has %lld channels, W %lld filters of %lld, in %lld groups and %lld "
                       "offset groups",
                       (long long)x->dim[1], (long long)w->dim[0], (long long)w->dim[1],
                       (long long)group, (long long)offset_group);
    for (int d = 0; d < g->n; d++)
        k *= g->kernel[d];
    bool fits = offset->rank == x->rank && offset->dim[0] == x->dim[0] &&
                offset->dim[1] == offset_group * k * g->n;
    bool mask_fits = !mask || (mask->rank == x->rank && mask->dim[0] == x->dim[0] &&
                               mask->dim[1] == offset_group * k);
    for (int d = 0; d < g->n && fits && mask_fits; d++) {
        fits = offset->dim[d + 2] == g->out[d];
        mask_fits = !mask || mask->dim[d + 2] == g->out[d];
    }
    if (!fits || !mask_fits)
        return OX_FAIL(r->err, OX_E_SHAPE,
                       "%s does not fit: expected [%lld,%lld] and the output's spatial shape",
                       fits ? "mask" : "offset", (long long)x->dim[0],
                       (long long)(offset_group * k * (fits ? 1 : g->n)));
    if (b && (b->rank != 1 || b->dim[0] != w->dim[0]))
        return OX_FAIL(r->err, OX_E_SHAPE, "B has %lld elements, W %lld filters",
                       (long long)ox_count(b), (long long)w->dim[0]);
    return OX_OK;
}

static ox_code read_window(ox_run *r, ox_window *g)
{
    const ox_tensor *x = r->in[0], *w = r->in[1];
    if (x->rank < 3 || w->rank != x->rank)
        return OX_FAIL(r->err, OX_E_SHAPE,
                       "X has rank %d and W has rank %d, expected the same, at least 3", x->rank,
                       w->rank);
    if (x->rank > 2 + MAX_DIMS)
        return OX_FAIL(r->err, OX_E_UNSUPPORTED, "%d spatial dimensions, at most %d are supported",
                       x->rank - 2, MAX_DIMS);
    return ox_window_init(r, g, x, w->dim + 2);
}

static ox_code infer(ox_run *r)
{
    ox_window g;
    int64_t dim[OX_MAX_RANK];
    OX_TRY(read_window(r, &g));
    dim[0] = r->in[0]->dim[0];
    dim[1] = r->in[1]->dim[0];
    memcpy(dim + 2, g.out, (size_t)g.n * sizeof(*dim));
    ox_out_shape(r, 0, r->in[0]->rank, dim);
    return OX_OK;
}

static ox_code prepare(ox_run *r)
{
    struct deform *s = r->state;
    const ox_tensor *x = r->in[0], *w = r->in[1];
    OX_TRY(read_window(r, &s->window));
    OX_TRY(check(r, &s->window));
    s->groups = ox_attr_i64(r, "group");
    s->offset_groups = ox_attr_i64(r, "offset_group");
    s->c = x->dim[1];
    s->m = w->dim[0];
    s->c_group = s->c / s->groups;
    s->m_group = s->m / s->groups;
    s->in_size = ox_numel(x, 2, x->rank);
    s->k_size = ox_numel(w, 2, w->rank);
    s->out_size = ox_numel(r->out[0], 2, x->rank);
    return OX_OK;
}

static int64_t flops(const ox_run *r)
{
    const struct deform *s = r->state;
    return 2 * ox_count(r->out[0]) * s->c_group * s->k_size;
}

/* ---- the definition, output by output ---- */
static void oracle_channel(void *ctx, int64_t block, int worker)
{
    ox_oracle *o = ctx;
    const struct deform *s = o->r->state;
    int64_t image = block / s->m, m = block % s->m, corners = (int64_t)1 << s->window.n;
    (void)worker;
    for (int64_t p = 0; p < s->out_size; p++) {
        double sum = o->r->n_in > 3 && o->in[3] ? o->in[3][m] : 0, mag = fabs(sum);
        for (int64_t i = 0; i < s->c_group * s->k_size; i++) {
            int64_t c = m / s->m_group * s->c_group + i / s->k_size, k = i % s->k_size,
                    at[1 << MAX_DIMS];
            int64_t tap =
                (image * s->offset_groups + c / (s->c / s->offset_groups)) * s->k_size + k;
            double move[MAX_DIMS], weight[1 << MAX_DIMS], factor = 1;
            for (int d = 0; d < s->window.n; d++)
                move[d] = o->in[2][(tap * s->window.n + d) * s->out_size + p];
            if (o->r->n_in > 4 && o->in[4])
                factor = o->in[4][tap * s->out_size + p];
            corners_of(s, p, k, move, factor, at, weight);
            for (int64_t q = 0; q < corners; q++) {
                double x = at[q] < 0 ? 0 : o->in[0][(image * s->c + c) * s->in_size + at[q]];
                double v = weight[q] * x * o->in[1][m * s->c_group * s->k_size + i];
                sum += v;
                mag += fabs(v);
            }
        }
        o->out[0][block * s->out_size + p] = sum;
        o->mag[0][block * s->out_size + p] = mag;
    }
}

static ox_code oracle(ox_oracle *o)
{
    const struct deform *s = o->r->state;
    ox_parallel(o->r, o->r->out[0]->dim[0] * s->m, oracle_channel, o);
    return OX_OK;
}

#define TYPES MASK_FLOAT
#define TMPL "kernels/conv/op_deform_conv.c"
#include "runtime/tensor/each_dtype.h"

OX_OP(DeformConv, 19).infer = infer, .prepare = prepare, .run = { KERNELS(run, FLOAT) },
                  .oracle = oracle, .error = { ERR_SUM, 4 }, .state_size = sizeof(struct deform),
                  .flags = OX_SYMBOLIC, .flops = flops OX_END;
#endif
