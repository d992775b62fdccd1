/* AveragePool and LpPool.  Padding never counts as a value: a mean divides by the elements inside the
 * input, or, with count_include_pad, by those inside the padded input. */
#include "kernels/pool/slide.h"

#include <math.h>
#include <string.h>

enum { CHANNELS = 64 }; /* in a parallel block */

static void fold_sum(const ox_slide *s, const ox_pool_rows *r, const char *x, char *line)
{
    s->uk->fold_sum(r, x, (double *)(void *)line);
}

static void fold_power(const ox_slide *s, const ox_pool_rows *r, const char *x, char *line)
{
    s->uk->fold_power(r, x, s->p, (double *)(void *)line);
}

/* Sums under the windows of a group: row i, output o at results[i * pitch / stride + o]. */
static void sums(const ox_slide *s, const ox_slide_group *g, ox_slide_fold *fold)
{
    ox_pool_line l = ox_slide_line(s, g);
    memset(g->lines, 0, (size_t)(g->n * s->pitch) * sizeof(double));
    ox_slide_fold_rows(s, g, sizeof(double), fold);
    s->uk->line_sum(&l, g->lines, g->results);
}

static void mean_group(const ox_slide *s, const ox_slide_group *g)
{
    const ox_window *w = &s->window;
    int last = w->n - 1;
    int64_t pitch = s->pitch / w->stride[last];
    double planes = 1;
    sums(s, g, fold_sum);
    for (int d = 0; d < last - 1; d++)
        planes *= (double)ox_slide_count(s, d, g->at[d]);
    for (int64_t i = 0; i < g->n; i++) {
        double rows = planes * s->row[g->first + i].count;
        s->uk->mean(w->out[last], (double *)g->results + i * pitch, 1 / rows, s->columns,
                    g->y + i * w->out[last] * (int64_t)s->size);
    }
}

static void norm_group(const ox_slide *s, const ox_slide_group *g)
{
    const ox_window *w = &s->window;
    int last = w->n - 1;
    sums(s, g, fold_power);
    for (int64_t i = 0; i < g->n; i++)
        s->uk->root(w->out[last], (double *)g->results + i * (s->pitch / w->stride[last]), s->p,
                    g->y + i * w->out[last] * (int64_t)s->size);
}

/* One window over all there is: no lines needed. */
static void whole_channels(void *ctx, int64_t block, int worker)
{
    const ox_run *r = ctx;
    const ox_slide *s = r->state;
    int64_t n = OX_MIN(CHANNELS, ox_count(r->out[0]) - block * CHANNELS), step = s->in_size * (int64_t)s->size;
    const char *x = (const char *)r->in[0]->data + block * CHANNELS * step;
    double sum[CHANNELS], scale = 1, each[CHANNELS];
    (void)worker;
    for (int d = 0; d < s->window.n; d++)
        scale /= (double)ox_slide_count(s, d, 0);
    for (int64_t i = 0; i < n; i++) {
        sum[i] = s->uk->global_sum(s->in_size, x + i * step);
        each[i] = 1;
    }
    s->uk->mean(n, sum, scale, each, (char *)r->out[0]->data + block * CHANNELS * (int64_t)s->size);
}

static bool covers_all(const ox_slide *s)
{
    bool all = s->out_size == 1;
    for (int d = 0; d < s->window.n && all; d++) {
        int64_t lo, hi;
        ox_slide_range(&s->window, d, 0, &lo, &hi);
        all = s->window.dilation[d] == 1 && hi - lo == s->window.in[d];
    }
    return all;
}

static ox_code mean(ox_run *r)
{
    if (!covers_all(r->state))
        return ox_slide_run(r, mean_group, sizeof(double));
    ox_parallel(r, (ox_count(r->out[0]) + CHANNELS - 1) / CHANNELS, whole_channels, r);
    return OX_OK;
}

static ox_code norm(ox_run *r) { return ox_slide_run(r, norm_group, sizeof(double)); }

static ox_code prepare_norm(ox_run *r)
{
    ox_slide *s = r->state;
    OX_TRY(ox_slide_prepare(r));
    s->p = r->since < 2 ? ox_attr_f64(r, "p") : (double)ox_attr_i64(r, "p");
    if (!(s->p > 0))
        return OX_FAIL(r->err, OX_E_VALUE, "p is %g, expected a positive number", s->p);
    return OX_OK;
}

/* ---- the definitions, element by element ---- */
typedef struct totals { double sum, mag; int64_t count; } totals;

/* Over the inputs under the window at `at`: of x, |x| and 1, or of |x|^p where p is not 0. */
static totals total(const ox_slide *s, const double *x, const int64_t *at, double p)
{
    const ox_window *w = &s->window;
    totals t = { 0, 0, 1 };
    int64_t taps = 1;
    for (int d = 0; d < w->n; d++) {
        t.count *= ox_slide_count(s, d, at[d]);
        taps *= w->kernel[d];
    }
    for (int64_t k = 0; k < taps; k++) {
        int64_t rest = k, i = 0, size = 1;
        bool inside = true;
        for (int d = w->n - 1; d >= 0 && inside; d--) {
            int64_t c = at[d] * w->stride[d] + rest % w->kernel[d] * w->dilation[d] - w->begin[d];
            inside = c >= 0 && c < w->in[d];
            i += c * size;
            size *= w->in[d];
            rest /= w->kernel[d];
        }
        if (inside) {
            t.sum += p != 0 ? pow(fabs(x[i]), p) : x[i];
            t.mag += fabs(x[i]);
        }
    }
    return t;
}

static void oracle_channel(void *ctx, int64_t channel, int worker)
{
    ox_oracle *o = ctx;
    const ox_slide *s = o->r->state;
    int64_t at[OX_MAX_RANK] = { 0 };
    (void)worker;
    for (int64_t i = 0; i < s->out_size; i++) {
        totals t = total(s, o->in[0] + channel * s->in_size, at, s->p);
        double y = s->p != 0 ? pow(t.sum, 1 / s->p) : t.sum / (double)t.count;
        o->out[0][channel * s->out_size + i] = y;
        o->mag[0][channel * s->out_size + i] = s->p != 0 ? y : t.mag / (double)t.count;
        for (int d = s->window.n - 1; d >= 0 && ++at[d] == s->window.out[d]; d--)
            at[d] = 0;
    }
}

static ox_code oracle(ox_oracle *o)
{
    const ox_tensor *y = o->r->out[0];
    ox_parallel(o->r, y->dim[0] * y->dim[1], oracle_channel, o);
    return OX_OK;
}

OX_OP(AveragePool, 1) .infer = ox_slide_infer, .prepare = ox_slide_prepare,
    .run = { [OX_F32] = mean, [OX_F64] = mean }, .oracle = oracle, .error = { ERR_SUM, 2 },
    .state_size = sizeof(ox_slide), .flags = OX_SYMBOLIC, .flops = ox_slide_flops OX_END;

OX_OP(LpPool, 1) .infer = ox_slide_infer, .prepare = prepare_norm,
    .run = { [OX_F32] = norm, [OX_F64] = norm }, .oracle = oracle, .error = { ERR_SUM, 2 },
    .state_size = sizeof(ox_slide), .flags = OX_SYMBOLIC, .flops = ox_slide_flops OX_END;
