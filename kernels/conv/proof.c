/* Large convolutions: the driver in double gives the values, band by band.  With random signs r, sum over m
 * of r[m] y[m] is a convolution with the one filter sum over m of r[m] w[m], whose definition is computed
 * besides: where the driver erred in any element, the two differ (but for a chance of one half for each pair
 * of errors that are equal to the last digit), and the definition takes its place.
 *
 * The magnitude is bounded from above: sum |x||w| <= |x|_2 |w|_2 and <= max |x| |w|_1. */
#include "kernels/conv/algo.h"
#include "kernels/conv/oracle.h"
#include "runtime/tensor/spans.h"

#include <math.h>
#include <string.h>

enum { CACHE = 1 << 20, PARTS = 8, FILTERS = 64, ROWS = 8 };

typedef struct filters { /* a block of one group's */
    void   *packed;
    double *sum;    /* sum over m of sign[m] w[m] */
    double  length; /* sum of |w[m]|_2 */
} filters;

typedef struct proof {
    const ox_spans      *spans;
    const ox_conv_shape *s;
    const ox_activation *act;
    const double        *bias;
    ox_conv_plan         plan; /* of one band of one block */
    int     cut;             /* the dimension along which bands lie */
    int64_t tile;            /* rows and columns whose errors the run's own kernel mixes (Winograd); 1: none */
    int64_t groups, block, n_block; /* filters of a block, blocks of a group */
    int64_t rows, n_band;    /* rows: of outputs along the cut */
    int64_t row_in, row_out; /* elements of a row */
    int64_t in_rows;         /* of a band at most */
    filters *f;              /* [groups * n_block] */
    double  *one, *two;      /* [m] |w|_1 and |w|_2 from above */
    size_t   run;            /* bytes of the driver's scratch */
} proof;

typedef struct band {
    ox_conv_shape s; /* as if it were all; in_size may be 0: padding alone */
    int64_t       from, to, in_from;
    double       *x, *y, *norm, *most_in, *sum, *root, *most, *mag, *buffer;
    void         *run;
} band;

static uint64_t scramble(uint64_t v)
{
    v = (v ^ v >> 30) * 0xbf58476d1ce4e5b9;
    v = (v ^ v >> 27) * 0x94d049bb133111eb;
    return v ^ v >> 31;
}

static double sign_of(int64_t m) { return scramble((uint64_t)m + 1) & 1 ? 1 : -1; }

/* ---- one band ---- */

static band make_band(const proof *p, int64_t at)
{
    band b = { .s = *p->s, .from = at * p->rows };
    ox_window *g = &b.s.window;
    int d = p->cut;
    b.to = OX_MIN(g->out[d], b.from + p->rows);
    int64_t lo = b.from * g->stride[d] - g->begin[d];
    int64_t hi = (b.to - 1) * g->stride[d] - g->begin[d] + (g->kernel[d] - 1) * g->dilation[d] + 1;
    b.in_from = OX_MIN(OX_MAX(lo, 0), g->in[d]);
    int64_t in_to = OX_MAX(b.in_from, OX_MIN(hi, g->in[d]));
    g->in[d] = in_to - b.in_from;
    g->out[d] = b.to - b.from;
    g->begin[d] = b.in_from - lo;
    b.s.in_size = g->in[d] * p->row_in;
    b.s.out_size = g->out[d] * p->row_out;
    return b;
}

/* The channels of the band in double; over all of a pixel: the sum of squares and the largest |x|. */
static void load(const ox_parts *parts, const proof *p, int64_t channel, band *b)
{
    int64_t n = b->s.in_size;
    memset(b->norm, 0, (size_t)n * sizeof(*b->norm));
    memset(b->most_in, 0, (size_t)n * sizeof(*b->most_in));
    for (int64_t ch = 0; ch < p->s->c_group; ch++) {
        double *to = b->x + ch * n;
        const double *x = ox_part_input(parts, 0, (channel + ch) * p->s->in_size + b->in_from * p->row_in, n, to);
        if (x != to)
            memcpy(to, x, (size_t)n * sizeof(*to));
        p->spans->fold((size_t)n, to, b->norm, b->most_in);
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
static void sum_taps(const ox_spans *spans, const ox_window *g, double *sum, const double *x, const double *w)
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
                spans->add3((size_t)(hi3 - lo), w + k, x + lo + offset, (size_t)d, sum + lo);
                for (int64_t i = hi3; i < hi; i++)
                    sum[i] += w[k] * x[i + offset];
                edge(g, sum, x, w, k + 1, lo, hi3);
                edge(g, sum, x, w, k + 2, lo, hi3);
                k += 2;
                continue;
            }
        }
        if (step == 1)
            spans->add((size_t)(hi - lo), w[k], x + lo + offset, sum + lo);
        for (int64_t i = lo; i < hi && step != 1; i++)
            sum[i] += w[k] * x[i * step + offset];
    }
}

/* One row of outputs: the summed filter, the window's |x|_2 and max |x|. */
static void fold_row(const ox_spans *spans, const band *b, const filters *f, const int64_t *at, int64_t to)
{
    const ox_window *g = &b->s.window;
    int last = g->n - 1;
    int64_t width = g->out[last], k_width = g->kernel[last], step = g->stride[last];
    double *sum = b->sum + to, *root = b->root + to, *most = b->most + to;
    for (int64_t i = 0; i < width; i++)
        sum[i] = root[i] = most[i] = 0;
    for (int64_t k = 0; k < b->s.k_size / k_width; k++) {
        int64_t offset = ox_conv_row_offset(g, at, k);
        if (offset < 0)
            continue;
        for (int64_t ch = 0; ch < b->s.c_group; ch++)
            sum_taps(spans, g, sum, b->x + ch * b->s.in_size + offset, f->sum + ch * b->s.k_size + k * k_width);
        for (int64_t j = 0; j < k_width; j++) {
            int64_t lo, hi, shift = j * g->dilation[last] - g->begin[last];
            ox_window_range(&lo, &hi, shift, step, g->in[last], g->out[last]);
            const double *square = b->norm + offset + shift, *largest = b->most_in + offset + shift;
            for (int64_t i = lo; i < hi; i++) {
                root[i] += square[i * step];
                most[i] = largest[i * step] > most[i] ? largest[i * step] : most[i];
            }
        }
    }
    for (int64_t i = 0; i < width; i++)
        root[i] = sqrt(root[i]);
}

static void fold(const ox_spans *spans, const band *b, const filters *f)
{
    const ox_window *g = &b->s.window;
    int64_t at[OX_MAX_RANK] = { 0 };
    for (int64_t to = 0; to < b->s.out_size; to += g->out[g->n - 1]) {
        fold_row(spans, b, f, at, to);
        for (int d = g->n - 2; d >= 0 && ++at[d] == g->out[d]; d--)
            at[d] = 0;
    }
}

/* Winograd mixes the pixels of a tile, and so do its errors: the largest of each tile's.  Under a dilated kernel
 * those of a tile lie apart, and the largest is of the tiles between them, too. */
static void spread_over_tiles(const proof *p, const band *b, double *v)
{
    const ox_window *g = &b->s.window;
    int64_t w = g->out[g->n - 1], h = b->s.out_size / w;
    for (int64_t y = 0; y < h; y += p->tile)
        for (int64_t x = 0; x < w; x += p->tile) {
            int64_t to_y = OX_MIN(h, y + p->tile), to_x = OX_MIN(w, x + p->tile);
            double most = 0;
            for (int64_t i = y; i < to_y; i++)
                for (int64_t j = x; j < to_x; j++)
                    most = v[i * w + j] > most ? v[i * w + j] : most;
            for (int64_t i = y; i < to_y; i++)
                for (int64_t j = x; j < to_x; j++)
                    v[i * w + j] = most;
        }
}

/* sum of sign[m] y[m] against the definition, pixel by pixel; mag is free yet. */
static bool proved(const ox_spans *spans, const band *b, const filters *f, int64_t first, int64_t n)
{
    double slack = (double)(b->s.c_group * b->s.k_size + n) * 0x1p-51 * f->length, *sum = b->mag;
    int64_t size = b->s.out_size;
    bool wrong = false;
    memset(sum, 0, (size_t)size * sizeof(*sum));
    for (int64_t m = 0; m < n; m++)
        spans->add((size_t)size, sign_of(first + m), b->y + m * size, sum);
    for (int64_t i = 0; i < size; i++)
        wrong |= !(fabs(sum[i] - b->sum[i]) <= slack * b->root[i] + 1e-290);
    return !wrong;
}

static void drive(const proof *p, const band *b, const filters *f, int64_t n)
{
    ox_conv_plan plan = p->plan;
    int d = p->cut + OX_CONV_DIMS - p->s->window.n;
    plan.m = (size_t)n;
    plan.in[d] = (size_t)b->s.window.in[p->cut];
    plan.out[d] = (size_t)b->s.window.out[p->cut];
    plan.pad[d] = (size_t)b->s.window.begin[p->cut];
    if (b->s.in_size > 0 && ox_conv_use(&plan, p->plan.algo, ox_cpu()))
        ox_conv_run(&plan, &(ox_conv_args){ .x = b->x, .w = f->packed, .y = b->y }, b->run, NULL);
    else
        memset(b->y, 0, (size_t)(n * b->s.out_size) * sizeof(*b->y)); /* what that misses is not proved */
}

static void lay_out(const proof *p, band *b, void *scratch)
{
    int64_t in = p->in_rows * p->row_in, out = p->rows * p->row_out;
    b->x = scratch;
    b->y = b->x + p->s->c_group * in;
    b->norm = b->y + p->block * out;
    b->most_in = b->norm + in;
    b->sum = b->most_in + in;
    b->root = b->sum + out;
    b->most = b->root + out;
    b->mag = b->most + out;
    b->buffer = b->mag + out;
    uintptr_t end = (uintptr_t)(b->buffer + OX_MAX(out, p->s->c_group * p->s->k_size));
    b->run = (void *)((end + 63) / 64 * 64);
}

static void part(const ox_parts *parts, int64_t i, void *scratch, ox_stretch_fn *fn, void *ctx)
{
    const proof *p = parts->state;
    const ox_conv_shape *s = p->s;
    const ox_conv_finish finish = { parts, p->act, p->bias, fn, ctx };
    band b = make_band(p, i % p->n_band);
    int64_t block = i / p->n_band % p->n_block, g = i / p->n_band / p->n_block % p->groups;
    int64_t image = i / p->n_band / p->n_block / p->groups, k = s->c_group * s->k_size;
    const filters *f = &p->f[g * p->n_block + block];
    int64_t first = block * p->block, n = OX_MIN(p->block, s->m_group - first), m0 = g * s->m_group + first;
    lay_out(p, &b, scratch);
    load(parts, p, image * s->c + g * s->c_group, &b);
    drive(p, &b, f, n);
    fold(p->spans, &b, f);
    bool right = proved(p->spans, &b, f, first, n);
    if (p->tile > 1) {
        spread_over_tiles(p, &b, b.root);
        spread_over_tiles(p, &b, b.most);
    }
    for (int64_t m = 0; m < n; m++) {
        double *y = b.y + m * b.s.out_size;
        if (right) {
            p->spans->least((size_t)b.s.out_size, p->two[m0 + m], b.root, p->one[m0 + m], b.most, b.mag);
        } else {
            memset(y, 0, (size_t)b.s.out_size * sizeof(*y));
            memset(b.mag, 0, (size_t)b.s.out_size * sizeof(*y));
            ox_conv_define(&b.s, b.x, ox_part_input(parts, 1, (m0 + m) * k, k, b.buffer), y, b.mag);
        }
        ox_conv_give(&finish, m0 + m, (image * s->m + m0 + m) * s->out_size + b.from * p->row_out,
                     b.s.out_size, y, b.mag, b.buffer);
    }
}

/* ---- how it is cut, by shape ---- */

static void cut(proof *p, int64_t images)
{
    const ox_window *g = &p->s->window;
    while (p->cut < g->n - 1 && g->in[p->cut] == 1 && g->out[p->cut] == 1)
        p->cut++;
    int d = p->cut;
    p->row_in = p->s->in_size / g->in[d];
    p->row_out = p->s->out_size / g->out[d];
    int64_t want = OX_MAX(1, PARTS / OX_MAX(1, images * p->groups)), m = p->s->m_group;
    double in = 8.0 * (double)(p->s->c_group * p->row_in), out = 8.0 * (double)p->row_out;
    double natural = ((double)g->in[d] * in + (double)(g->out[d] * m) * out) / CACHE;
    p->n_block = natural >= (double)want ? 1 : OX_MAX(1, OX_MIN(want, m / FILTERS));
    p->block = (m + p->n_block - 1) / p->n_block;
    p->n_block = (m + p->block - 1) / p->block;
    double rows = CACHE / ((double)g->stride[d] * in + (double)p->block * out);
    p->rows = rows < (double)g->out[d] ? OX_MAX(1, (int64_t)rows) : g->out[d];
    if (want > p->n_block) /* a band for each thread at least, unless it would be very flat */
        p->rows = OX_MIN(p->rows, OX_MAX(ROWS, g->out[d] * p->n_block / want));
    p->rows = OX_MAX(p->rows / p->tile, 1) * p->tile;
    p->n_band = (g->out[d] + p->rows - 1) / p->rows;
    p->rows = OX_MIN(p->rows, g->out[d]);
    p->in_rows = OX_MIN(g->in[d], (p->rows - 1) * g->stride[d] + (g->kernel[d] - 1) * g->dilation[d] + 1);
}

/* Direct or by patches: their packed weights do not depend on a band's height.  By the window: the run's plan
 * may have other dimensions that come to the same. */
static bool choose(proof *p)
{
    ox_conv_plan *q = &p->plan;
    const ox_window *g = &p->s->window;
    int d = p->cut + OX_CONV_DIMS - g->n;
    *q = (ox_conv_plan){ .n = 1, .c = (size_t)p->s->c_group, .m = (size_t)p->block, .group = 1, .f64 = true };
    for (int i = 0; i < OX_CONV_DIMS; i++) {
        int from = i - (OX_CONV_DIMS - g->n);
        q->in[i] = from < 0 ? 1 : (size_t)g->in[from];
        q->out[i] = from < 0 ? 1 : (size_t)g->out[from];
        q->k[i] = from < 0 ? 1 : (size_t)g->kernel[from];
        q->stride[i] = from < 0 ? 1 : (size_t)g->stride[from];
        q->dil[i] = from < 0 ? 1 : (size_t)g->dilation[from];
        q->pad[i] = from < 0 ? 0 : (size_t)g->begin[from];
    }
    q->in[d] = (size_t)p->in_rows;
    q->out[d] = (size_t)p->rows;
    if (q->out[2] < 48 || !ox_conv_use(q, &ox_conv_direct, ox_cpu()))
        if (!ox_conv_use(q, &ox_conv_im2col, ox_cpu()))
            return false;
    for (int64_t last = g->out[p->cut] % p->rows, k = 0; k < 2; k++) {
        ox_conv_plan end = *q;
        end.out[d] = k && last ? (size_t)last : (size_t)p->rows;
        if (!ox_conv_use(&end, q->algo, ox_cpu()))
            return false;
        p->run = OX_MAX(p->run, ox_conv_scratch_bytes(&end, 1));
    }
    return p->run != SIZE_MAX;
}

static size_t scratch_bytes(const proof *p)
{
    size_t in = OX_PRODUCT((size_t)p->in_rows, (size_t)p->row_in), out = OX_PRODUCT((size_t)p->rows, (size_t)p->row_out);
    size_t all = OX_PRODUCT((size_t)p->s->c_group + 2, in);
    all = ox_conv_sum(all, OX_PRODUCT((size_t)p->block + 5, out));
    all = ox_conv_sum(all, OX_PRODUCT((size_t)p->s->c_group, (size_t)p->s->k_size));
    return ox_conv_sum(OX_PRODUCT(all, sizeof(double)), ox_conv_sum(p->run, 64));
}

static ox_code pack_block(const ox_parts *parts, proof *p, int64_t m0, int64_t n, filters *f, double *buffer)
{
    int64_t k = p->s->c_group * p->s->k_size;
    const double *w = ox_part_input(parts, 1, m0 * k, n * k, buffer);
    ox_conv_plan plan = p->plan;
    plan.m = (size_t)n;
    if (!ox_conv_use(&plan, p->plan.algo, ox_cpu()))
        return OX_FAIL(parts->r->err, OX_E_INTERNAL, "a block of filters has no kernel");
    f->packed = ox_scratch(parts->r, ox_conv_pack_bytes(&plan));
    f->sum = ox_scratch_array(parts->r, (size_t)k, sizeof(*f->sum));
    if (!f->packed || !f->sum)
        return OX_NO_MEMORY(parts->r);
    ox_conv_pack(&plan, w, f->packed, parts->r->pool);
    memset(f->sum, 0, (size_t)k * sizeof(*f->sum));
    f->length = 0;
    for (int64_t m = 0; m < n; m++) {
        double square = 0, size = 0, r = sign_of(m0 % p->s->m_group + m);
        for (int64_t i = 0; i < k; i++) {
            double v = w[m * k + i];
            f->sum[i] += r * v;
            square += v * v;
            size += fabs(v);
        }
        f->length += sqrt(square);
        p->two[m0 + m] = sqrt(square) * (1 + 0x1p-30);
        p->one[m0 + m] = size * (1 + 0x1p-30);
    }
    return OX_OK;
}

static ox_code pack(const ox_parts *parts, proof *p)
{
    ox_run *r = parts->r;
    size_t block;
    p->f = ox_scratch_array(r, (size_t)(p->groups * p->n_block), sizeof(*p->f));
    p->one = ox_scratch_array(r, (size_t)p->s->m, sizeof(double));
    p->two = ox_scratch_array(r, (size_t)p->s->m, sizeof(double));
    if ((block = OX_PRODUCT((size_t)p->block, (size_t)p->s->c_group, (size_t)p->s->k_size)) == SIZE_MAX)
        return OX_NO_MEMORY(r);
    double *buffer = ox_scratch_array(r, block, sizeof(double));
    if (!p->f || !p->one || !p->two || !buffer)
        return OX_NO_MEMORY(r);
    for (int64_t g = 0; g < p->groups; g++)
        for (int64_t b = 0; b < p->n_block; b++) {
            int64_t first = b * p->block, n = OX_MIN(p->block, p->s->m_group - first);
            OX_TRY(pack_block(parts, p, g * p->s->m_group + first, n, &p->f[g * p->n_block + b], buffer));
        }
    return OX_OK;
}

ox_code ox_conv_proved_parts(ox_parts *parts, const ox_conv_shape *s, const ox_conv_plan *plan,
                             const ox_activation *act, const double *bias)
{
    proof *p = ox_scratch(parts->r, sizeof(*p));
    int64_t images = parts->r->in[0]->dim[0];
    size_t dy = plan->dil[OX_CONV_DIMS - 2], dx = plan->dil[OX_CONV_DIMS - 1], apart = dy == dx ? dy : dy * dx;
    if (!p)
        return OX_NO_MEMORY(parts->r);
    *p = (proof){ .spans = ox_spans_pick(), .s = s, .act = act, .bias = bias, .groups = s->m / s->m_group,
                  .tile = plan->step ? (int64_t)(plan->step * apart) : 1 };
    cut(p, images);
    if (!choose(p))
        return OX_OK;
    OX_TRY(pack(parts, p));
    parts->scratch = scratch_bytes(p);
    parts->state = p;
    parts->part = part;
    parts->n = images * p->groups * p->n_block * p->n_band;
    return OX_OK;
}
