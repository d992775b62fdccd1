/* AveragePool and LpPool.  Padding never counts as a value: a mean divides by the elements inside the
 * input, or, with count_include_pad, by those inside the padded input. */
#include "kernels/pool/slide.h"

#include <math.h>
#include <string.h>

static void mean_row(const ox_slide *s, const char *x, char *y, const int64_t *at, void *line)
{
    double *sum = line, rows = 1;
    int64_t from, to, n, offset;
    ox_slide_walk walk = { 0 };
    ox_slide_clip(s, &from, &to, &n);
    memset(sum, 0, (size_t)s->n_line * sizeof(*sum));
    while ((offset = ox_slide_next(s, at, &walk)) >= 0)
        s->rows->fold_sum(n, x + (offset + from) * (int64_t)s->size, sum + to);
    for (int d = 0; d < s->window.n - 1; d++)
        rows *= (double)ox_slide_count(s, d, at[d]);
    s->rows->line_mean(&s->line, sum, rows, y);
}

static ox_code mean(ox_run *r) { return ox_slide_run(r, mean_row, sizeof(double)); }

static void norm_row(const ox_slide *s, const char *x, char *y, const int64_t *at, void *line)
{
    double *sum = line;
    int64_t from, to, n, offset;
    ox_slide_walk walk = { 0 };
    ox_slide_clip(s, &from, &to, &n);
    memset(sum, 0, (size_t)s->n_line * sizeof(*sum));
    while ((offset = ox_slide_next(s, at, &walk)) >= 0)
        s->rows->fold_power(n, x + (offset + from) * (int64_t)s->size, s->p, sum + to);
    s->rows->line_root(&s->line, sum, s->p, y);
}

static ox_code norm(ox_run *r) { return ox_slide_run(r, norm_row, sizeof(double)); }

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
    int64_t k[OX_MAX_RANK] = { 0 }, size = 1;
    for (int d = 0; d < w->n; d++) {
        t.count *= ox_slide_count(s, d, at[d]);
        size *= w->in[d];
    }
    for (int64_t i = 0; i < size; i++, k[w->n - 1]++) { /* every input: is it under the window? */
        bool under = true;
        for (int d = w->n - 1; d > 0 && k[d] == w->in[d]; d--) {
            k[d] = 0;
            k[d - 1]++;
        }
        for (int d = 0; d < w->n && under; d++) {
            int64_t off = k[d] - (at[d] * w->stride[d] - w->begin[d]);
            under = off >= 0 && off % w->dilation[d] == 0 && off / w->dilation[d] < w->kernel[d];
        }
        if (under) {
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
