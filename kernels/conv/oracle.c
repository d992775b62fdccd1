/* The definition, output by output; mag = sum |x||w| + |b|. */
#include "kernels/conv/oracle.h"
#include "kernels/conv/algo.h"

#include <math.h>
#include <string.h>

enum { SMALL = 1 << 18 }; /* products of a group up to which the definition alone serves */

/* The parts of what is computed by the definition alone: one channel each. */
typedef struct defined {
    const ox_conv_shape *s;
    const ox_activation *act;
    const double        *bias;
} defined;

void ox_conv_oracle_activate(const ox_activation *act, int64_t n, double *y, double *mag)
{
    for (int64_t i = 0; i < n && act->kind != OX_ACTIVATION_NONE; i++) {
        y[i] = ox_activate(act, y[i]);
        mag[i] = act->kind == OX_ACTIVATION_MAP ? fmax(mag[i], fabs(y[i])) : mag[i];
    }
}

/* sum[i] += w * x[i * step] and mag[i] += |w * x[i * step]|. */
static void add(double *restrict sum, double *restrict mag, const double *restrict x,
                       double w, int64_t step, int64_t n)
{
    if (step == 1)
        for (int64_t i = 0; i < n; i++) {
            double v = w * x[i];
            sum[i] += v;
            mag[i] += fabs(v);
        }
    else
        for (int64_t i = 0; i < n; i++) {
            double v = w * x[i * step];
            sum[i] += v;
            mag[i] += fabs(v);
        }
}

/* The same for three neighbouring taps at step 1: sum and mag are read and written once. */
static void add3(double *restrict sum, double *restrict mag, const double *restrict x,
                        const double *restrict w, int64_t dilation, int64_t n)
{
    const double *y = x + dilation, *z = y + dilation;
    double w0 = w[0], w1 = w[1], w2 = w[2];
    for (int64_t i = 0; i < n; i++) {
        double a = w0 * x[i], b = w1 * y[i], c = w2 * z[i];
        sum[i] += a + b + c;
        mag[i] += fabs(a) + fabs(b) + fabs(c);
    }
}

/* What one row of the input gives to one row of the output, under one row of the kernel. */
static void taps(const ox_window *g, double *sum, double *mag, const double *x,
                        const double *w)
{
    int last = g->n - 1;
    int64_t step = g->stride[last], dilation = g->dilation[last];
    for (int64_t k = 0; k < g->kernel[last];) {
        int64_t lo, hi, lo3, hi3, offset = k * dilation - g->begin[last];
        ox_window_range(&lo, &hi, offset, step, g->in[last], g->out[last]);
        if (step != 1 || k + 3 > g->kernel[last]) {
            add(sum + lo, mag + lo, x + lo * step + offset, w[k], step, hi - lo);
            k++;
            continue;
        }
        ox_window_range(&lo3, &hi3, offset + 2 * dilation, 1, g->in[last], g->out[last]);
        int64_t from = OX_MAX(lo, lo3), to = OX_MAX(from, OX_MIN(hi, hi3));
        add3(sum + from, mag + from, x + from + offset, w + k, dilation, to - from);
        for (int64_t j = 0; j < 3; j++, k++) { /* the edges, where not all three exist */
            offset = k * dilation - g->begin[last];
            ox_window_range(&lo, &hi, offset, 1, g->in[last], g->out[last]);
            int64_t left = OX_MAX(lo, OX_MIN(hi, from)), right = OX_MAX(left, OX_MIN(hi, to));
            add(sum + lo, mag + lo, x + lo + offset, w[k], 1, left - lo);
            add(sum + right, mag + right, x + right + offset, w[k], 1, hi - right);
        }
    }
}

int64_t ox_conv_row_offset(const ox_window *g, const int64_t *at, int64_t k)
{
    int64_t offset = 0, size = g->in[g->n - 1];
    for (int d = g->n - 2; d >= 0; d--) {
        int64_t i = at[d] * g->stride[d] + k % g->kernel[d] * g->dilation[d] - g->begin[d];
        if (i < 0 || i >= g->in[d])
            return -1;
        k /= g->kernel[d];
        offset += i * size;
        size *= g->in[d];
    }
    return offset;
}

static void next_row(const ox_window *g, int64_t *at)
{
    for (int d = g->n - 2; d >= 0 && ++at[d] == g->out[d]; d--)
        at[d] = 0;
}

void ox_conv_define(const ox_conv_shape *s, const double *x, const double *w, double *sum, double *mag)
{
    const ox_window *g = &s->window;
    int64_t width = g->out[g->n - 1], k_width = g->kernel[g->n - 1], at[OX_MAX_RANK] = { 0 };
    for (int64_t p = 0; p < s->out_size; p += width) {
        for (int64_t k = 0; k < s->k_size / k_width; k++) {
            int64_t offset = ox_conv_row_offset(g, at, k);
            for (int64_t ch = 0; ch < s->c_group && offset >= 0; ch++)
                taps(g, sum + p, mag + p, x + ch * s->in_size + offset, w + ch * s->k_size + k * k_width);
        }
        next_row(g, at);
    }
}

const double *ox_part_input(const ox_parts *p, int i, int64_t from, int64_t n, double *buffer)
{
    const ox_tensor *t = p->r->in[i];
    if (p->in && p->in[i])
        return p->in[i] + from;
    if (n > 0)
        ox_to_f64(buffer, (const char *)t->data + (size_t)from * ox_dtype_size(t->dtype), t->dtype, (size_t)n);
    return buffer;
}

void ox_conv_give(const ox_conv_finish *f, int64_t m, int64_t at, int64_t n, double *y, double *mag, double *buffer)
{
    const ox_run *r = f->p->r;
    double b = f->bias ? f->bias[m] : 0;
    for (int64_t i = 0; i < n && f->bias; i++) {
        y[i] += b;
        mag[i] += fabs(b);
    }
    if (r->n_in > 3 && r->in[3]) {
        const double *more = ox_part_input(f->p, 3, at, n, buffer);
        for (int64_t i = 0; i < n; i++) {
            y[i] += more[i];
            mag[i] += fabs(more[i]);
        }
    }
    ox_conv_oracle_activate(f->act, n, y, mag);
    f->fn(f->ctx, at, n, y, mag);
}

/* ---- one channel a part ---- */

static void channel(const ox_parts *p, int64_t i, void *scratch, ox_stretch_fn *fn, void *ctx)
{
    const defined *d = p->state;
    const ox_conv_shape *s = d->s;
    const ox_conv_finish finish = { p, d->act, d->bias, fn, ctx };
    int64_t n = i / s->m, m = i % s->m, k = s->c_group * s->k_size, in = s->c_group * s->in_size;
    double *y = scratch, *mag = y + s->out_size, *buffer = mag + s->out_size, *w = buffer + s->out_size;
    const double *x = ox_part_input(p, 0, (n * s->c + m / s->m_group * s->c_group) * s->in_size, in, w + k);
    memset(y, 0, 2 * (size_t)s->out_size * sizeof(*y));
    ox_conv_define(s, x, ox_part_input(p, 1, m * k, k, w), y, mag);
    ox_conv_give(&finish, m, i * s->out_size, s->out_size, y, mag, buffer);
}

static ox_code channels(ox_parts *p, const ox_conv_shape *s, const ox_activation *act, const double *bias)
{
    defined *d = ox_scratch(p->r, sizeof(*d));
    if (!d)
        return OX_NO_MEMORY(p->r);
    *d = (defined){ s, act, bias };
    size_t filter = OX_PRODUCT((size_t)s->c_group, (size_t)s->k_size);
    size_t in = p->in && p->in[0] ? 0 : OX_PRODUCT((size_t)s->c_group, (size_t)s->in_size);
    size_t all = ox_conv_sum(OX_PRODUCT(3, (size_t)s->out_size), ox_conv_sum(filter, in));
    p->scratch = OX_PRODUCT(all, sizeof(double));
    p->state = d;
    p->part = channel;
    p->n = p->r->out[0]->dim[0] * s->m;
    return OX_OK;
}

ox_code ox_conv_parts(ox_parts *p, const ox_conv_shape *s, const ox_conv_plan *plan, const ox_activation *act)
{
    ox_run *r = p->r;
    double depth = (double)(s->c_group * s->k_size), *bias = NULL;
    double products = (double)s->m_group * (double)s->out_size * depth;
    p->n = 0;
    p->terms = OX_MIN(depth, (double)OX_GEMM_KC) + depth / OX_GEMM_KC;
    if (r->n_in > 2 && r->in[2]) {
        if (!(bias = ox_scratch_array(r, (size_t)s->m, sizeof(*bias))))
            return OX_NO_MEMORY(r);
        const double *b = ox_part_input(p, 2, 0, s->m, bias);
        memmove(bias, b, (size_t)s->m * sizeof(*bias));
    }
    if (plan && s->m_group >= 4 && products > SMALL)
        OX_TRY(ox_conv_proved_parts(p, s, plan, act, bias));
    return p->n ? OX_OK : channels(p, s, act, bias);
}

/* ---- all of them ---- */

typedef struct whole {
    ox_oracle *o;
    ox_parts   parts;
    char      *scratch;
} whole;

static void store(void *ctx, int64_t from, int64_t n, const double *value, double *mag)
{
    const ox_oracle *o = ctx;
    memcpy(o->out[0] + from, value, (size_t)n * sizeof(*value));
    memcpy(o->mag[0] + from, mag, (size_t)n * sizeof(*mag));
}

static void store_part(void *ctx, int64_t i, int worker)
{
    const whole *w = ctx;
    w->parts.part(&w->parts, i, w->scratch + (size_t)worker * w->parts.scratch, store, w->o);
}

ox_code ox_conv_oracle(ox_oracle *o, const ox_conv_shape *s, const ox_conv_plan *plan,
                       const ox_activation *act)
{
    whole w = { .o = o, .parts = { .r = o->r, .in = o->in } };
    OX_TRY(ox_conv_parts(&w.parts, s, plan, act));
    o->terms = w.parts.terms;
    size_t n = (size_t)ox_pool_threads(o->r->pool);
    w.parts.scratch = ox_conv_sum(w.parts.scratch, 63) / 64 * 64;
    if (!(w.scratch = ox_scratch_array(o->r, n, w.parts.scratch)))
        return OX_NO_MEMORY(o->r);
    ox_parallel(o->r, w.parts.n, store_part, &w);
    return OX_OK;
}
