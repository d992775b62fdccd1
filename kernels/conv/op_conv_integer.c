/* ConvInteger and QLinearConv.  Inputs less their zero points are held in 16 bits; for a tile of
 * output pixels the inputs under every kernel position become columns, which the integer
 * micro-kernel multiplies with tiles of filters.  QLinearConv then scales, rounds to even, adds the
 * zero point and saturates. */
#include "kernels/igemm/igemm.h"
#include "kernels/window.h"

#include <math.h>
#include <string.h>

struct conv_integer {
    ox_window window;
    const ox_uk_igemm *uk;
    int64_t groups, c, m, c_group, m_group;
    int64_t in_size, out_size, k_size;
    int64_t pairs;  /* of terms in a sum */
    int64_t panels; /* of mr filters in a group */
};
struct job {
    ox_run *r;
    const int16_t *x, *w; /* centred; w in panels */
    int16_t *columns;     /* of each worker */
    int64_t tiles;        /* of pixels in an image */
    const int64_t *bias;
    const double *scale; /* of each filter; NULL: ConvInteger */
    int64_t y_zero, lo, hi;
};

/* Which inputs are what. */
static bool is_qlinear(const ox_run *r) { return r->op->name[0] == 'Q'; }
static const ox_tensor *weights(const ox_run *r) { return r->in[is_qlinear(r) ? 3 : 1]; }

static ox_code check(ox_run *r)
{
    const ox_tensor *x = r->in[0], *w = weights(r);
    int64_t group = ox_attr_i64(r, "group");
    if (x->rank < 3 || w->rank != x->rank)
        return OX_FAIL(r->err, OX_E_SHAPE,
                       "x has rank %d and w has rank %d, expected the same, at least 3", x->rank,
                       w->rank);
    if (group < 1 || (w->dim[0] >= 0 && w->dim[0] % group))
        return OX_FAIL(r->err, OX_E_SHAPE, "group %lld does not divide the %lld filters of w",
                       (long long)group, (long long)w->dim[0]);
    if (x->dim[1] >= 0 && w->dim[1] >= 0 && (x->dim[1] % group || w->dim[1] != x->dim[1] / group))
        return OX_FAIL(r->err, OX_E_SHAPE, "x has %lld channels, w expects %lld in %lld group%s",
                       (long long)x->dim[1], (long long)w->dim[1], (long long)group,
                       group == 1 ? "" : "s");
    return OX_OK;
}

static ox_code infer(ox_run *r)
{
    ox_window g;
    int64_t dim[OX_MAX_RANK];
    OX_TRY(check(r));
    OX_TRY(ox_window_init(r, &g, r->in[0], weights(r)->dim + 2));
    dim[0] = r->in[0]->dim[0];
    dim[1] = weights(r)->dim[0];
    memcpy(dim + 2, g.out, (size_t)g.n * sizeof(*dim));
    ox_out_shape(r, 0, r->in[0]->rank, dim);
    return OX_OK;
}

static ox_code prepare(ox_run *r)
{
    struct conv_integer *s = r->state;
    const ox_tensor *x = r->in[0], *w = weights(r);
    OX_TRY(ox_window_init(r, &s->window, x, w->dim + 2));
    s->uk = ox_uk_igemm_pick();
    s->groups = ox_attr_i64(r, "group");
    s->c = x->dim[1];
    s->m = w->dim[0];
    s->c_group = w->dim[1];
    s->m_group = s->m / s->groups;
    s->in_size = ox_numel(x, 2, x->rank);
    s->k_size = ox_numel(w, 2, w->rank);
    s->out_size = ox_numel(r->out[0], 2, x->rank);
    s->pairs = (s->c_group * s->k_size + 1) / 2;
    s->panels = (s->m_group + s->uk->mr - 1) / s->uk->mr;
    r->kernel = s->uk->name;
    return OX_OK;
}

/* ---- operands ---- */

/* Element i of an 8-bit tensor. */
static int element(const ox_tensor *t, int64_t i)
{
    return t->dtype == OX_I8 ? ((const int8_t *)t->data)[i] : ((const uint8_t *)t->data)[i];
}

/* Zero point input i: 1 element or, for w, m of them. */
static ox_code read_zero(ox_run *r, int i, int64_t most, const int64_t **zero, int64_t *n)
{
    static const int64_t none = 0;
    *zero = &none;
    *n = 1;
    if (i >= r->n_in || !r->in[i])
        return OX_OK;
    *zero = ox_in_i64s(r, i, n);
    if (!*zero)
        return *n == 0 && ox_count(r->in[i]) == 0
                   ? OX_FAIL(r->err, OX_E_SHAPE, "input %d, a zero point, has no element", i)
                   : OX_NO_MEMORY(r);
    if (*n != 1 && *n != most)
        return OX_FAIL(r->err, OX_E_SHAPE,
                       "input %d, a zero point, has %lld elements, expected 1%s", i, (long long)*n,
                       most > 1 ? " or one a filter" : "");
    return OX_OK;
}

struct centre {
    const ox_tensor *t;
    int zero;
    int16_t *to;
};
enum { CENTRE = 1 << 15 };

static void centre_block(void *ctx, int64_t block, int worker)
{
    const struct centre *c = ctx;
    int64_t first = block * CENTRE, end = OX_MIN(first + CENTRE, ox_count(c->t));
    (void)worker;
    if (c->t->dtype == OX_I8)
        for (int64_t i = first; i < end; i++)
            c->to[i] = (int16_t)(((const int8_t *)c->t->data)[i] - c->zero);
    else
        for (int64_t i = first; i < end; i++)
            c->to[i] = (int16_t)(((const uint8_t *)c->t->data)[i] - c->zero);
}

static ox_code centre_x(ox_run *r, struct job *j, int zero_input)
{
    const int64_t *zero;
    int64_t n;
    OX_TRY(read_zero(r, zero_input, 1, &zero, &n));
    int16_t *to = ox_scratch_array(r, (size_t)OX_MAX(ox_count(r->in[0]), 1), sizeof(*to));
    if (!to)
        return OX_NO_MEMORY(r);
    struct centre c = { r->in[0], (int)zero[0], to };
    ox_parallel(r, (ox_count(r->in[0]) + CENTRE - 1) / CENTRE, centre_block, &c);
    j->x = to;
    return OX_OK;
}

/* Filters as [group][panel][pair][mr][2], missing ones zero. */
static ox_code pack_w(ox_run *r, struct job *j, int zero_input)
{
    const struct conv_integer *s = r->state;
    const ox_tensor *w = weights(r);
    const int64_t *zero;
    int64_t n, terms = s->c_group * s->k_size, mr = s->uk->mr;
    size_t panel = (size_t)(s->pairs * mr * 2), all;
    OX_TRY(read_zero(r, zero_input, s->m, &zero, &n));
    if (!ox_mul_size(&all, panel, (size_t)(s->panels * s->groups)))
        return OX_NO_MEMORY(r);
    int16_t *to = ox_scratch_array(r, all, sizeof(*to));
    if (!to)
        return OX_NO_MEMORY(r);
    memset(to, 0, all * sizeof(*to));
    for (int64_t m = 0; m < s->m; m++) {
        int64_t in_group = m % s->m_group,
                at = (m / s->m_group * s->panels + in_group / mr) * (int64_t)panel;
        int z = (int)zero[n == 1 ? 0 : m];
        for (int64_t k = 0; k < terms; k++)
            to[at + (k / 2 * mr + in_group % mr) * 2 + k % 2] =
                (int16_t)(element(w, m * terms + k) - z);
    }
    j->w = to;
    return OX_OK;
}

/* ---- columns ---- */

/* For kernel position k: where each of n pixels reads in a channel, or -1; true if all follow each
 * other. */
static bool positions(const struct conv_integer *s, int64_t first, int n, int64_t k, int64_t *at)
{
    const ox_window *g = &s->window;
    int64_t o[OX_MAX_RANK], off[OX_MAX_RANK], rest = first;
    for (int d = g->n - 1; d >= 0; d--) {
        o[d] = rest % g->out[d];
        rest /= g->out[d];
        off[d] = k % g->kernel[d] * g->dilation[d] - g->begin[d];
        k /= g->kernel[d];
    }
    bool dense = true;
    for (int j = 0; j < n; j++) {
        int64_t offset = 0;
        bool inside = true;
        for (int d = 0; d < g->n; d++) {
            int64_t i = o[d] * g->stride[d] + off[d];
            inside = inside && i >= 0 && i < g->in[d];
            offset = offset * g->in[d] + i;
        }
        at[j] = inside ? offset : -1;
        dense = dense && inside && (j == 0 || at[j] == at[j - 1] + 1);
        for (int d = g->n - 1; d >= 0 && ++o[d] == g->out[d]; d--)
            o[d] = 0;
    }
    return dense;
}

/* to[pair][nr][2] for n pixels from `first` on; x is the group's first channel. */
static void gather(const struct conv_integer *s, const int16_t *x, int64_t first, int n,
                   int16_t *to)
{
    int64_t at[OX_IGEMM_NR], nr = s->uk->nr;
    for (int64_t k = 0; k < s->k_size; k++) {
        bool dense = positions(s, first, n, k, at);
        for (int64_t c = 0; c < s->c_group; c++) {
            int64_t term = c * s->k_size + k;
            const int16_t *from = x + c * s->in_size;
            int16_t *row = to + term / 2 * nr * 2 + term % 2;
            if (dense)
                for (int j = 0; j < n; j++)
                    row[2 * j] = from[at[0] + j];
            else
                for (int j = 0; j < n; j++)
                    row[2 * j] = at[j] < 0 ? 0 : from[at[j]];
        }
    }
}

/* ---- results ---- */
static void store(const struct job *j, int64_t m, int64_t at, int n, const int32_t *sum)
{
    const ox_tensor *y = j->r->out[0];
    if (!j->scale) {
        memcpy((int32_t *)y->data + at, sum, (size_t)n * sizeof(*sum));
        return;
    }
    for (int i = 0; i < n; i++) {
        int32_t total = (int32_t)((uint32_t)sum[i] + (j->bias ? (uint32_t)j->bias[m] : 0));
        double v = rint((double)total * j->scale[m]) + (double)j->y_zero;
        v = fmin(fmax(v, (double)j->lo), (double)j->hi); /* a NaN scale gives lo */
        if (y->dtype == OX_I8)
            ((int8_t *)y->data)[at + i] = (int8_t)v;
        else
            ((uint8_t *)y->data)[at + i] = (uint8_t)v;
    }
}

static void block(void *ctx, int64_t b, int worker)
{
    const struct job *j = ctx;
    const struct conv_integer *s = j->r->state;
    int64_t nr = s->uk->nr, mr = s->uk->mr, first = b % j->tiles * nr;
    int64_t group = b / j->tiles % s->groups, image = b / j->tiles / s->groups;
    int n = (int)OX_MIN(nr, s->out_size - first);
    int16_t *columns = j->columns + worker * s->pairs * nr * 2;
    int32_t sum[OX_IGEMM_MR * OX_IGEMM_NR];
    gather(s, j->x + (image * s->c + group * s->c_group) * s->in_size, first, n, columns);
    for (int64_t p = 0; p < s->panels; p++) {
        const int16_t *w = j->w + (group * s->panels + p) * s->pairs * mr * 2;
        s->uk->fn((size_t)s->pairs, w, columns, sum);
        for (int64_t i = 0; i < OX_MIN(mr, s->m_group - p * mr); i++) {
            int64_t m = group * s->m_group + p * mr + i;
            store(j, m, (image * s->m + m) * s->out_size + first, n, sum + i * nr);
        }
    }
}

static ox_code convolve(ox_run *r, struct job *j)
{
    const struct conv_integer *s = r->state;
    size_t n;
    j->tiles = (s->out_size + s->uk->nr - 1) / s->uk->nr;
    if (!ox_mul_size(&n, (size_t)(s->pairs * s->uk->nr * 2), (size_t)ox_pool_threads(r->pool)) ||
        !(j->columns = ox_scratch_array(r, n, sizeof(*j->columns))))
        return OX_NO_MEMORY(r);
    memset(j->columns, 0, n * sizeof(*j->columns)); /* the odd half of the last pair stays zero */
    ox_parallel(r, r->out[0]->dim[0] * s->groups * j->tiles, block, j);
    return OX_OK;
}

static ox_code run_integer(ox_run *r)
{
    struct job j = { .r = r };
    OX_TRY(centre_x(r, &j, 2));
    OX_TRY(pack_w(r, &j, 3));
    return convolve(r, &j);
}

/* x_scale w_scale / y_scale of each filter, in float as its factors are. */
static ox_code read_scales(ox_run *r, struct job *j)
{
    const struct conv_integer *s = r->state;
    int64_t n_x, n_w, n_y;
    const double *x = ox_in_f64s(r, 1, &n_x), *w = ox_in_f64s(r, 4, &n_w),
                 *y = ox_in_f64s(r, 6, &n_y);
    double *scale = ox_scratch_array(r, (size_t)s->m, sizeof(*scale));
    if (n_x != 1 || (n_w != 1 && n_w != s->m) || n_y != 1)
        return OX_FAIL(r->err, OX_E_SHAPE,
                       "x_scale has %lld elements, w_scale %lld, y_scale %lld for %lld filters",
                       (long long)n_x, (long long)n_w, (long long)n_y, (long long)s->m);
    if (!x || !w || !y || !scale)
        return OX_NO_MEMORY(r);
    for (int64_t m = 0; m < s->m; m++)
        scale[m] = (double)((float)x[0] * (float)w[n_w == 1 ? 0 : m] / (float)y[0]);
    j->scale = scale;
    return OX_OK;
}

static ox_code run_qlinear(ox_run *r)
{
    const struct conv_integer *s = r->state;
    struct job j = { .r = r };
    const int64_t *zero;
    int64_t n;
    bool is_signed = r->out[0]->dtype == OX_I8;
    OX_TRY(centre_x(r, &j, 2));
    OX_TRY(pack_w(r, &j, 5));
    OX_TRY(read_scales(r, &j));
    OX_TRY(read_zero(r, 7, 1, &zero, &n));
    j.y_zero = zero[0];
    j.lo = is_signed ? -128 : 0;
    j.hi = is_signed ? 127 : 255;
    if (r->n_in > 8 && r->in[8]) {
        j.bias = ox_in_i64s(r, 8, &n);
        if (n != s->m)
            return OX_FAIL(r->err, OX_E_SHAPE, "B has %lld elements, w %lld filters", (long long)n,
                           (long long)s->m);
        if (!j.bias)
            return OX_NO_MEMORY(r);
    }
    return convolve(r, &j);
}

static int64_t flops(const ox_run *r)
{
    const struct conv_integer *s = r->state;
    return 2 * ox_count(r->out[0]) * s->c_group * s->k_size;
}

OX_OP(ConvInteger, 10).infer = infer, .prepare = prepare,
                   .run = { [OX_I8] = run_integer, [OX_U8] = run_integer },
                   .error = { ERR_EXACT, 0 }, .state_size = sizeof(struct conv_integer),
                   .flags = OX_SYMBOLIC | OX_NO_WIDEN, .flops = flops OX_END;

OX_OP(QLinearConv, 10).infer = infer, .prepare = prepare,
                   .run = { [OX_I8] = run_qlinear, [OX_U8] = run_qlinear },
                   .error = { ERR_EXACT, 0 }, .state_size = sizeof(struct conv_integer),
                   .flags = OX_SYMBOLIC | OX_NO_WIDEN, .flops = flops OX_END;
