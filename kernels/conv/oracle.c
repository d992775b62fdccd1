#include "kernels/conv/oracle.h"

#include <math.h>
#include <string.h>

enum { SMALL = 1 << 18 }; /* products of a group up to which the definition alone serves */

/* ---- the definition, output by output; mag = sum |x||w| + |b| ---- */

typedef struct work {
    ox_oracle            *o;
    const ox_conv_shape  *s;
    const ox_activation  *act;
    /* of the proof of one group of one image */
    const double *x, *sign, *signed_w, *root, *most; /* see prove() */
    double       *sum, *norm, *absolute;
    const double *w;
    double       *y, *y_mag;
    double        length; /* sum of |w[m]|_2 */
    int64_t       m0, at, first;
    int          *wrong;
    const ox_conv_plan *tiles; /* of Winograd; else NULL */
} work;

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

/* Offset of the input row that the output row at `at` meets under kernel row k; -1: padding. */
static int64_t row_offset(const ox_window *g, const int64_t *at, int64_t k)
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

static void channel(void *ctx, int64_t block, int worker)
{
    const work *c = ctx;
    const ox_conv_shape *s = c->s;
    const ox_window *g = &s->window;
    ox_oracle *o = c->o;
    block += c->first;
    int64_t n = block / s->m, m = block % s->m, at[OX_MAX_RANK] = { 0 };
    int64_t width = g->out[g->n - 1], k_width = g->kernel[g->n - 1];
    const double *x = o->in[0] + (n * s->c + m / s->m_group * s->c_group) * s->in_size;
    const double *w = o->in[1] + m * s->c_group * s->k_size;
    const double *bias = o->r->n_in > 2 ? o->in[2] : NULL, *more = o->r->n_in > 3 ? o->in[3] : NULL;
    (void)worker;
    for (int64_t p = block * s->out_size; p < (block + 1) * s->out_size; p += width) {
        double *sum = o->out[0] + p, *mag = o->mag[0] + p;
        for (int64_t i = 0; i < width; i++) {
            sum[i] = (bias ? bias[m] : 0) + (more ? more[p + i] : 0);
            mag[i] = (bias ? fabs(bias[m]) : 0) + (more ? fabs(more[p + i]) : 0);
        }
        for (int64_t k = 0; k < s->k_size / k_width; k++) {
            int64_t offset = row_offset(g, at, k);
            for (int64_t ch = 0; ch < s->c_group && offset >= 0; ch++)
                taps(g, sum, mag, x + ch * s->in_size + offset, w + ch * s->k_size + k * k_width);
        }
        ox_conv_oracle_activate(c->act, width, sum, mag);
        next_row(g, at);
    }
}

/* ---- large convolutions ----
 * The driver in double gives the values.  With random signs r, sum over m of r[m] y[m] is a convolution
 * with the one filter sum over m of r[m] w[m], whose definition is computed besides: where the driver erred
 * in any element, the two differ (but for a chance of one half for each pair of errors that are equal to the
 * last digit).
 * The magnitude is bounded from above: sum |x||w| <= |x|_2 |w|_2 and <= max |x| |w|_1. */

static uint64_t scramble(uint64_t v)
{
    v = (v ^ v >> 30) * 0xbf58476d1ce4e5b9;
    v = (v ^ v >> 27) * 0x94d049bb133111eb;
    return v ^ v >> 31;
}

/* Over all channels of a pixel: the sum of squares and the largest |x|. */
static void fold_channels(void *ctx, int64_t block, int worker)
{
    const work *c = ctx;
    int64_t from = block * 4096, n = OX_MIN(c->s->in_size - from, (int64_t)4096);
    double *square = c->norm + from, *most = c->absolute + from;
    (void)worker;
    memset(square, 0, (size_t)n * sizeof(*square));
    memset(most, 0, (size_t)n * sizeof(*most));
    for (int64_t ch = 0; ch < c->s->c_group; ch++) {
        const double *x = c->x + ch * c->s->in_size + from;
        for (int64_t i = 0; i < n; i++) {
            double v = fabs(x[i]);
            square[i] += v * v;
            most[i] = v > most[i] ? v : most[i];
        }
    }
}

/* Tap k at outputs before `from` and from `to` on; step 1. */
static void edge(const ox_window *g, double *sum, const double *x, const double *w, int64_t k, int64_t from,
                 int64_t to)
{
    int64_t lo, hi, last = g->n - 1, offset = k * g->dilation[last] - g->begin[last];
    ox_window_range(&lo, &hi, offset, 1, g->in[last], g->out[last]);
    for (int64_t i = lo; i < OX_MIN(hi, from); i++)
        sum[i] += w[k] * x[i + offset];
    for (int64_t i = OX_MAX(lo, to); i < hi; i++)
        sum[i] += w[k] * x[i + offset];
}

/* taps() without the magnitude. */
static void sum_taps(const ox_window *g, double *restrict sum, const double *restrict x, const double *w)
{
    int last = g->n - 1;
    int64_t step = g->stride[last], kernel = g->kernel[last], lo = 0, hi = 0, lo3, hi3;
    for (int64_t k = 0; k < kernel; k++) {
        int64_t offset = k * g->dilation[last] - g->begin[last];
        ox_window_range(&lo, &hi, offset, step, g->in[last], g->out[last]);
        if (step == 1 && k + 3 <= kernel) {
            int64_t d = g->dilation[last];
            ox_window_range(&lo3, &hi3, offset + 2 * d, 1, g->in[last], g->out[last]);
            if (hi3 > lo && hi >= hi3 && lo >= lo3) { /* where all three taps exist */
                double w0 = w[k], w1 = w[k + 1], w2 = w[k + 2];
                for (int64_t i = lo; i < hi3; i++)
                    sum[i] += w0 * x[i + offset] + w1 * x[i + offset + d] + w2 * x[i + offset + 2 * d];
                for (int64_t i = hi3; i < hi; i++)
                    sum[i] += w0 * x[i + offset];
                edge(g, sum, x, w, k + 1, lo, hi3);
                edge(g, sum, x, w, k + 2, lo, hi3);
                k += 2;
                continue;
            }
        }
        for (int64_t i = lo; i < hi; i++)
            sum[i] += w[k] * x[i * step + offset];
    }
}

/* One row of outputs of the one-channel work: the signed filter, the window's |x|_2 and max |x|. */
static void fold_row(void *ctx, int64_t block, int worker)
{
    const work *c = ctx;
    const ox_conv_shape *s = c->s;
    const ox_window *g = &s->window;
    int64_t width = g->out[g->n - 1], k_width = g->kernel[g->n - 1], at[OX_MAX_RANK] = { 0 }, rest = block;
    double *sum = c->sum + block * width;
    double *root = (double *)c->root + block * width, *most = (double *)c->most + block * width;
    (void)worker;
    for (int d = g->n - 2; d >= 0; rest /= g->out[d--])
        at[d] = rest % g->out[d];
    for (int64_t i = 0; i < width; i++)
        sum[i] = root[i] = most[i] = 0;
    for (int64_t k = 0; k < s->k_size / k_width; k++) {
        int64_t offset = row_offset(g, at, k), last = g->n - 1;
        if (offset < 0)
            continue;
        for (int64_t ch = 0; ch < s->c_group; ch++)
            sum_taps(g, sum, c->x + ch * s->in_size + offset, c->signed_w + ch * s->k_size + k * k_width);
        for (int64_t j = 0; j < k_width; j++) {
            int64_t lo, hi, shift = j * g->dilation[last] - g->begin[last], step = g->stride[last];
            ox_window_range(&lo, &hi, shift, step, g->in[last], g->out[last]);
            const double *square = c->norm + offset + shift, *largest = c->absolute + offset + shift;
            for (int64_t i = lo; i < hi; i++) {
                root[i] += square[i * step];
                most[i] = largest[i * step] > most[i] ? largest[i * step] : most[i];
            }
        }
    }
    for (int64_t i = 0; i < width; i++)
        root[i] = sqrt(root[i]);
}

/* v[i] = max of v[i - radius ... i + radius], n elements `step` apart. */
static void dilate(double *v, double *line, int64_t n, int64_t step, int64_t radius)
{
    for (int64_t i = 0; i < n; i++)
        line[i] = v[i * step];
    for (int64_t i = 0; i < n; i++) {
        double most = line[i];
        for (int64_t j = OX_MAX(i - radius, 0); j <= OX_MIN(i + radius, n - 1); j++)
            most = line[j] > most ? line[j] : most;
        v[i * step] = most;
    }
}

/* Winograd mixes the pixels of a tile, and so do its errors. */
static void spread_over_tiles(work *c, const ox_conv_plan *p)
{
    int64_t h = (int64_t)p->out[1], w = (int64_t)p->out[2], radius = (int64_t)p->step - 1;
    for (int which = 0; which < 2; which++) {
        double *v = (double *)(which ? c->most : c->root);
        for (int64_t i = 0; i < h; i++)
            dilate(v + i * w, c->sum, w, 1, radius);
        for (int64_t i = 0; i < w; i++)
            dilate(v + i, c->sum, h, w, radius);
    }
}

/* sum of sign[m] y[m] against the definition, at some pixels. */
static void prove_pixels(void *ctx, int64_t block, int worker)
{
    enum { MANY = 512 };
    const work *c = ctx;
    const ox_conv_shape *s = c->s;
    int64_t from = block * MANY, n = OX_MIN(s->out_size - from, (int64_t)MANY);
    double sum[MANY] = { 0 }, slack = (double)(s->c_group * s->k_size + s->m_group) * 0x1p-51;
    (void)worker;
    for (int64_t m = 0; m < s->m_group; m++) {
        const double *y = c->y + m * s->out_size + from, r = c->sign[m];
        for (int64_t i = 0; i < n; i++)
            sum[i] += r * y[i];
    }
    for (int64_t i = 0; i < n; i++)
        if (!(fabs(sum[i] - c->sum[from + i]) <= slack * c->length * c->root[from + i] + 1e-290))
            __atomic_store_n(c->wrong, 1, __ATOMIC_RELAXED);
}

/* Adds bias and residual, activates, and writes the magnitude of one channel. */
static void finish_channel(void *ctx, int64_t block, int worker)
{
    const work *c = ctx;
    const ox_conv_shape *s = c->s;
    const ox_oracle *o = c->o;
    const double *w = c->w + block * s->c_group * s->k_size;
    const double *bias = o->r->n_in > 2 ? o->in[2] : NULL, *more = o->r->n_in > 3 ? o->in[3] : NULL;
    double b = bias ? bias[c->m0 + block] : 0, two = 0, one = 0;
    double *y = c->y + block * s->out_size, *mag = c->y_mag + block * s->out_size;
    (void)worker;
    for (int64_t i = 0; i < s->c_group * s->k_size; i++) {
        two += w[i] * w[i];
        one += fabs(w[i]);
    }
    two = sqrt(two) * (1 + 0x1p-30);
    one *= 1 + 0x1p-30;
    for (int64_t i = 0; i < s->out_size; i++) {
        double p = two * c->root[i], q = one * c->most[i];
        mag[i] = (p < q ? p : q) + fabs(b);
        y[i] += b;
    }
    if (more) {
        more += c->at + block * s->out_size;
        for (int64_t i = 0; i < s->out_size; i++) {
            mag[i] += fabs(more[i]);
            y[i] += more[i];
        }
    }
    ox_conv_oracle_activate(c->act, s->out_size, y, mag);
}

static bool allocate(ox_run *r, work *c)
{
    const ox_conv_shape *s = c->s;
    size_t out = (size_t)s->out_size, in = (size_t)s->in_size, k = (size_t)(s->c_group * s->k_size);
    double *sign = ox_scratch_array(r, (size_t)s->m_group, sizeof(double));
    c->signed_w = ox_scratch_array(r, k, sizeof(double));
    c->sum = ox_scratch_array(r, out, sizeof(double));
    c->root = ox_scratch_array(r, out, sizeof(double));
    c->most = ox_scratch_array(r, out, sizeof(double));
    c->norm = ox_scratch_array(r, in, sizeof(double));
    c->absolute = ox_scratch_array(r, in, sizeof(double));
    for (int64_t m = 0; sign && m < s->m_group; m++)
        sign[m] = scramble((uint64_t)m + 1) & 1 ? 1 : -1;
    c->sign = sign;
    return sign && c->signed_w && c->sum && c->root && c->most && c->norm && c->absolute;
}

/* One group of one image: the driver's values proved and finished, or the definition's. */
static void prove(work *c, int64_t n, int64_t g)
{
    const ox_conv_shape *s = c->s;
    ox_oracle *o = c->o;
    int wrong = 0;
    int64_t k = s->c_group * s->k_size, rows = s->out_size / s->window.out[s->window.n - 1];
    double *w = (double *)c->signed_w;
    c->m0 = g * s->m_group;
    c->at = (n * s->m + c->m0) * s->out_size;
    c->x = o->in[0] + (n * s->c + g * s->c_group) * s->in_size;
    c->w = o->in[1] + c->m0 * k;
    c->y = o->out[0] + c->at;
    c->y_mag = o->mag[0] + c->at;
    c->wrong = &wrong;
    memset(w, 0, (size_t)k * sizeof(*w));
    c->length = 0;
    for (int64_t m = 0; m < s->m_group; m++) {
        double square = 0;
        for (int64_t i = 0; i < k; i++) {
            double v = c->w[m * k + i];
            w[i] += c->sign[m] * v;
            square += v * v;
        }
        c->length += sqrt(square);
    }
    ox_parallel(o->r, (s->in_size + 4095) / 4096, fold_channels, c);
    ox_parallel(o->r, rows, fold_row, c);
    ox_parallel(o->r, (s->out_size + 511) / 512, prove_pixels, c);
    if (c->tiles && !wrong) /* sum is free now */
        spread_over_tiles(c, c->tiles);
    c->first = n * s->m + c->m0;
    ox_parallel(o->r, s->m_group, wrong ? channel : finish_channel, c);
}

static ox_code by_driver(work *c, ox_conv_plan *p)
{
    ox_oracle *o = c->o;
    ox_run *r = o->r;
    void *packed = ox_scratch(r, ox_conv_pack_bytes(p));
    void *scratch = ox_scratch(r, ox_conv_scratch_bytes(p, ox_pool_threads(r->pool)));
    if (!packed || !scratch || !allocate(r, c))
        return OX_NO_MEMORY(r);
    ox_conv_pack(p, o->in[1], packed, o->r->pool);
    ox_conv_run(p, &(ox_conv_args){ .x = o->in[0], .w = packed, .y = o->out[0] }, scratch, r->pool);
    for (int64_t n = 0; n < (int64_t)p->n; n++)
        for (int64_t g = 0; g < (int64_t)p->group; g++)
            prove(c, n, g);
    return OX_OK;
}

ox_code ox_conv_oracle(ox_oracle *o, const ox_conv_shape *s, const ox_conv_plan *plan,
                       const ox_activation *act)
{
    work c = { .o = o, .s = s, .act = act };
    double depth = (double)(s->c_group * s->k_size);
    double products = (double)s->m_group * (double)s->out_size * depth;
    o->terms = OX_MIN(depth, (double)OX_GEMM_KC) + depth / OX_GEMM_KC;
    if (plan && s->m_group >= 4 && products > SMALL) {
        ox_conv_plan p = *plan;
        c.tiles = plan->step ? plan : NULL;
        p.f64 = true;
        if (ox_conv_choose(&p, ox_cpu(), false))
            return by_driver(&c, &p);
    }
    ox_parallel(o->r, o->r->out[0]->dim[0] * s->m, channel, &c);
    return OX_OK;
}
