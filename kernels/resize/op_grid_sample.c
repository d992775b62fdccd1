/* GridSample: Y at each grid position is interpolated from X there.  Positions are normalised to [-1, 1]
 * and list the innermost dimension first.  For a few output pixels at a time the inputs and weights are
 * found, then used for every channel.
 *
 * Coordinates are computed in the grid's own precision (f32 for narrower ones), since `nearest` turns the
 * last bit into another pixel. */
#ifdef T /* ---- once per dtype: see runtime/tensor/each_dtype.h ---- */

static void FN(blend)(const struct taps *t, const void *vx, void *vy)
{
    const T *x = vx;
    T *y = vy;
    for (int64_t j = 0; j < t->n_pixels && t->n_taps == 4; j++) { /* bilinear: no loop, no jump */
        const int64_t *at = t->at + j * 4;
        const double *w = t->weight + j * 4;
        A v[4];
        for (int k = 0; k < 4; k++)
            v[k] = at[k] >= 0 ? (A)x[at[k]] : 0;
        y[j] = (T)((w[0] * v[0] + w[1] * v[1]) + (w[2] * v[2] + w[3] * v[3]));
    }
    for (int64_t j = 0; j < t->n_pixels && t->n_taps != 4; j++) {
        const int64_t *at = t->at + j * t->n_taps;
        const double *w = t->weight + j * t->n_taps;
        A sum = 0;
        for (int64_t k = 0; k < t->n_taps; k++)
            if (at[k] >= 0)
                sum += w[k] * (A)x[at[k]];
        y[j] = (T)sum;
    }
}

#else /* ---- once ---- */
#include "runtime/op.h"

#include <math.h>
#include <string.h>

enum { PIXELS = 64, MAX_TAPS = 4096 };
enum mode { LINEAR, NEAREST, CUBIC };
enum padding { ZEROS, BORDER, REFLECTION };

struct grid_sample {
    enum mode    mode;
    enum padding padding;
    bool         align_corners;
    int          n;                 /* spatial dimensions */
    int64_t      size[OX_MAX_RANK]; /* of X */
    int64_t      in_size, out_size; /* elements of a channel */
    int64_t      c, n_taps;
};

/* For some pixels: where each is read (-1: zero padding) and with which weights. */
struct taps {
    int64_t n_pixels, n_taps;
    int64_t *at;
    double  *weight;
};
struct job {
    ox_run     *r;
    const char *x;          /* X, or its elements as double */
    ox_dtype    dtype;      /* of those */
    int64_t     parts;      /* 2 for complex numbers read as pairs */
    int64_t     chunks;     /* of an image's pixels */
    struct taps *taps;      /* of each worker */
    double     *row;        /* results in double, of each worker */
    size_t      n_row;
};

/* ---- coordinates ---- */
static double denormalise(double v, int64_t size, bool align_corners, bool precise)
{
    double n = (double)size;
    float f = (float)v, m = (float)size;
    if (align_corners)
        return precise ? (v + 1) / 2 * (n - 1) : (double)((f + 1) / 2 * (m - 1));
    return precise ? ((v + 1) * n - 1) / 2 : (double)(((f + 1) * m - 1) / 2);
}

/* Mirrored at lo and hi until between them. */
static double reflect(double v, double lo, double hi)
{
    double range = hi - lo, past;
    if (range <= 0)
        return lo;
    past = v < lo ? lo - v : v > hi ? v - hi : 0;
    if (past == 0)
        return v;
    bool from_far = fmod(floor(past / range), 2) != 0; /* the mirror it comes back from */
    double rest = past - floor(past / range) * range;
    return (v < lo) == from_far ? hi - rest : lo + rest;
}

static void borders(const struct grid_sample *s, int d, double *lo, double *hi)
{
    *lo = s->align_corners ? 0 : -0.5;
    *hi = (double)s->size[d] - (s->align_corners ? 1 : 0.5);
}

/* Index that stands for i under the padding; -1: zero. */
static int64_t padded(const struct grid_sample *s, int d, double i)
{
    double last = (double)(s->size[d] - 1), lo, hi;
    if (i >= 0 && i <= last)
        return (int64_t)i;
    if (s->padding == ZEROS || isnan(i))
        return s->padding == ZEROS ? -1 : 0;
    if (s->padding == REFLECTION) {
        borders(s, d, &lo, &hi);
        i = trunc(reflect(i, lo, hi));
    }
    return (int64_t)fmin(fmax(i, 0), last);
}

/* The position in dimension d of a normalised coordinate. */
static double position(const struct grid_sample *s, int d, double v, bool precise)
{
    double x = denormalise(v, s->size[d], s->align_corners, precise), lo, hi;
    if (s->mode == NEAREST)
        x = rint(x);
    borders(s, d, &lo, &hi);
    if (x < lo || x > hi) {
        if (s->padding == BORDER)
            x = fmin(fmax(x, 0), (double)(s->size[d] - 1));
        else if (s->padding == REFLECTION)
            x = reflect(x, lo, hi);
    }
    return x;
}

/* Taps of one dimension: indices and weights; returns how many. */
static int taps_of(const struct grid_sample *s, int d, double x, int64_t *at, double *w)
{
    double base = floor(x), t = x - base, a = -0.75;
    if (!isfinite(x))
        base = t = 0;
    switch (s->mode) {
    case NEAREST:
        at[0] = padded(s, d, isnan(x) ? x : trunc(x));
        w[0] = 1;
        return 1;
    case LINEAR:
        for (int k = 0; k < 2; k++)
            at[k] = isfinite(x) ? padded(s, d, base + k) : padded(s, d, x);
        w[0] = 1 - t;
        w[1] = t;
        return 2;
    case CUBIC:
        for (int k = 0; k < 4; k++)
            at[k] = isfinite(x) ? padded(s, d, base + k - 1) : padded(s, d, x);
        break;
    }
    double u = 1 - t;
    w[0] = ((a * (t + 1) - 5 * a) * (t + 1) + 8 * a) * (t + 1) - 4 * a;
    w[1] = ((a + 2) * t - (a + 3)) * t * t + 1;
    w[2] = ((a + 2) * u - (a + 3)) * u * u + 1;
    w[3] = ((a * (u + 1) - 5 * a) * (u + 1) + 8 * a) * (u + 1) - 4 * a;
    return 4;
}

/* All taps of one pixel: the product over dimensions.  grid: its coordinates, innermost first. */
static void pixel_taps(const struct grid_sample *s, const double *grid, bool precise, int64_t *at, double *w)
{
    int64_t n = 1;
    at[0] = 0;
    w[0] = 1;
    for (int d = 0; d < s->n; d++) {
        int64_t index[4];
        double weight[4];
        int k = taps_of(s, d, position(s, d, grid[s->n - 1 - d], precise), index, weight);
        for (int64_t i = n - 1; i >= 0; i--) { /* from the back: entry i becomes k entries */
            int64_t before = at[i];
            double product = w[i];
            for (int j = 0; j < k; j++) {
                at[i * k + j] = before < 0 || index[j] < 0 ? -1 : before * s->size[d] + index[j];
                w[i * k + j] = product * weight[j];
            }
        }
        n *= k;
    }
}

/* ---- shapes ---- */
static ox_code infer(ox_run *r)
{
    const ox_tensor *x = r->in[0], *grid = r->in[1];
    int64_t dim[OX_MAX_RANK];
    if (x->rank < 3 || grid->rank != x->rank || (r->since < 20 && x->rank != 4))
        return OX_FAIL(r->err, OX_E_SHAPE, "X has rank %d and grid %d, expected %s", x->rank, grid->rank,
                       r->since < 20 ? "4 and 4" : "the same, at least 3");
    if (grid->dim[x->rank - 1] >= 0 && grid->dim[x->rank - 1] != x->rank - 2)
        return OX_FAIL(r->err, OX_E_SHAPE, "grid has %lld coordinates for %d spatial dimensions",
                       (long long)grid->dim[x->rank - 1], x->rank - 2);
    if (x->dim[0] >= 0 && grid->dim[0] >= 0 && x->dim[0] != grid->dim[0])
        return OX_FAIL(r->err, OX_E_SHAPE, "X has %lld images, grid %lld", (long long)x->dim[0],
                       (long long)grid->dim[0]);
    dim[0] = x->dim[0];
    dim[1] = x->dim[1];
    for (int d = 2; d < x->rank; d++)
        dim[d] = grid->dim[d - 1];
    ox_out_shape(r, 0, x->rank, dim);
    return OX_OK;
}

static ox_code prepare(ox_run *r)
{
    static const char *const modes16[] = { "bilinear", "nearest", "bicubic", NULL };
    static const char *const modes20[] = { "linear", "nearest", "cubic", NULL };
    static const char *const paddings[] = { "zeros", "border", "reflection", NULL };
    struct grid_sample *s = r->state;
    const ox_tensor *x = r->in[0];
    int mode, padding;
    OX_TRY(ox_attr_enum(r, "mode", r->since < 20 ? modes16 : modes20, &mode));
    OX_TRY(ox_attr_enum(r, "padding_mode", paddings, &padding));
    s->mode = (enum mode)mode;
    s->padding = (enum padding)padding;
    s->align_corners = ox_attr_i64(r, "align_corners") != 0;
    s->n = x->rank - 2;
    s->c = x->dim[1];
    s->n_taps = 1;
    for (int d = 0; d < s->n; d++) {
        s->size[d] = x->dim[d + 2];
        s->n_taps *= s->mode == NEAREST ? 1 : s->mode == LINEAR ? 2 : 4;
    }
    s->in_size = ox_numel(x, 2, x->rank);
    s->out_size = ox_numel(r->out[0], 2, x->rank);
    if (s->n_taps > MAX_TAPS)
        return OX_FAIL(r->err, OX_E_LIMIT, "%d spatial dimensions", s->n);
    return OX_OK;
}

/* ---- running ---- */
#define TYPES MASK_FLOAT
#define TMPL  "kernels/resize/op_grid_sample.c"
#include "runtime/tensor/each_dtype.h"

static void find_taps(const struct job *j, int64_t image, int64_t first, struct taps *t)
{
    const struct grid_sample *s = j->r->state;
    const ox_tensor *grid = j->r->in[1];
    size_t size = ox_dtype_size(grid->dtype);
    double at[OX_MAX_RANK];
    for (int64_t i = 0; i < t->n_pixels; i++) {
        int64_t offset = (image * s->out_size + first + i) * s->n;
        ox_to_f64(at, (const char *)grid->data + (size_t)offset * size, grid->dtype, (size_t)s->n);
        pixel_taps(s, at, grid->dtype == OX_F64, t->at + i * t->n_taps, t->weight + i * t->n_taps);
    }
}

/* Elements are moved as they are: any type. */
static void copy_pixels(const struct taps *t, const char *x, size_t size, char *y)
{
    for (int64_t i = 0; i < t->n_pixels; i++) {
        if (t->at[i] < 0)
            memset(y + (size_t)i * size, 0, size);
        else
            memcpy(y + (size_t)i * size, x + (size_t)t->at[i] * size, size);
    }
}

/* Through doubles, towards zero for integers. */
static void blend_parts(const struct job *j, const struct taps *t, const double *x, double *row, char *y,
                        ox_dtype to)
{
    for (int64_t i = 0; i < t->n_pixels; i++)
        for (int64_t p = 0; p < j->parts; p++) {
            double sum = 0;
            for (int64_t k = 0; k < t->n_taps; k++)
                if (t->at[i * t->n_taps + k] >= 0)
                    sum += t->weight[i * t->n_taps + k] * x[t->at[i * t->n_taps + k] * j->parts + p];
            row[i * j->parts + p] = sum;
        }
    ox_from_f64(y, row, to, (size_t)(t->n_pixels * j->parts));
}

static ox_dtype part_type(ox_dtype t) { return t == OX_C64 ? OX_F32 : t == OX_C128 ? OX_F64 : t; }

static void block(void *ctx, int64_t b, int worker)
{
    const struct job *j = ctx;
    const struct grid_sample *s = j->r->state;
    const ox_tensor *y = j->r->out[0];
    int64_t image = b / j->chunks, first = b % j->chunks * PIXELS;
    struct taps *t = &j->taps[worker];
    size_t size = ox_dtype_size(y->dtype);
    t->n_pixels = OX_MIN(PIXELS, s->out_size - first);
    find_taps(j, image, first, t);
    for (int64_t c = 0; c < s->c; c++) {
        int64_t channel = image * s->c + c, from = channel * s->in_size;
        char *to = (char *)y->data + (size_t)(channel * s->out_size + first) * size;
        if (s->mode == NEAREST)
            copy_pixels(t, j->x + (size_t)from * size, size, to);
        else if (y->dtype == OX_F32)
            blend_f32(t, (const float *)(const void *)j->x + from, to);
        else if (y->dtype == OX_F64)
            blend_f64(t, (const double *)(const void *)j->x + from, to);
        else
            blend_parts(j, t, (const double *)(const void *)j->x + from * j->parts,
                        j->row + (size_t)worker * j->n_row, to, part_type(y->dtype));
    }
}

static ox_code widen_x(ox_run *r, struct job *j)
{
    const struct grid_sample *s = r->state;
    const ox_tensor *x = r->in[0];
    ox_dtype part = part_type(x->dtype);
    j->x = x->data;
    j->parts = part == x->dtype ? 1 : 2;
    if (s->mode == NEAREST || x->dtype == OX_F32 || x->dtype == OX_F64)
        return OX_OK;
    if (!ox_dtype_converts(part))
        return OX_FAIL(r->err, OX_E_UNSUPPORTED, "elements of type %s cannot be interpolated",
                       ox_dtype_name(x->dtype));
    size_t n = (size_t)(ox_count(x) * j->parts);
    double *wide = ox_scratch_array(r, n, sizeof(*wide));
    j->n_row = (size_t)(PIXELS * j->parts);
    j->row = ox_scratch_array(r, (size_t)ox_pool_threads(r->pool), j->n_row * sizeof(*j->row));
    if (!wide || !j->row)
        return OX_NO_MEMORY(r);
    ox_to_f64(wide, x->data, part, n);
    j->x = (const char *)wide;
    return OX_OK;
}

static ox_code run(ox_run *r)
{
    const struct grid_sample *s = r->state;
    int threads = ox_pool_threads(r->pool);
    struct job j = { .r = r, .chunks = (s->out_size + PIXELS - 1) / PIXELS };
    size_t n = (size_t)threads * (size_t)s->n_taps * PIXELS;
    OX_TRY(widen_x(r, &j));
    int64_t *at = ox_scratch_array(r, n, sizeof(*at));
    double *weight = ox_scratch_array(r, n, sizeof(*weight));
    j.taps = ox_scratch_array(r, (size_t)threads, sizeof(*j.taps));
    if (!at || !weight || !j.taps)
        return OX_NO_MEMORY(r);
    for (int w = 0; w < threads; w++)
        j.taps[w] = (struct taps){ 0, s->n_taps, at + w * s->n_taps * PIXELS, weight + w * s->n_taps * PIXELS };
    ox_parallel(r, r->out[0]->dim[0] * j.chunks, block, &j);
    return OX_OK;
}

/* The definition, pixel by pixel: a sum over all taps. */
static ox_code oracle(ox_oracle *o)
{
    ox_run r = *o->r;
    const struct grid_sample *s = r.state;
    const ox_tensor *y = r.out[0];
    int64_t *at = ox_scratch_array(&r, (size_t)s->n_taps, sizeof(*at));
    double *w = ox_scratch_array(&r, (size_t)s->n_taps, sizeof(*w));
    if (!at || !w)
        return OX_NO_MEMORY(&r);
    for (int64_t i = 0; i < y->dim[0] * s->out_size; i++) {
        int64_t image = i / s->out_size;
        pixel_taps(s, o->in[1] + i * s->n, r.in[1]->dtype == OX_F64, at, w);
        for (int64_t c = 0; c < s->c; c++) {
            int64_t to = (image * s->c + c) * s->out_size + i % s->out_size;
            double sum = 0, mag = 0;
            for (int64_t k = 0; k < s->n_taps; k++) {
                double v = at[k] < 0 ? 0 : w[k] * o->in[0][(image * s->c + c) * s->in_size + at[k]];
                sum += v;
                mag += fabs(v);
            }
            o->out[0][to] = sum;
            o->mag[0][to] = mag;
        }
    }
    return OX_OK;
}

OX_OP(GridSample, 16) .infer = infer, .prepare = prepare, .run_any = run, .key = OX_KEY_NONE, .oracle = oracle,
    .error = { ERR_SUM, 4 }, .state_size = sizeof(struct grid_sample), .flags = OX_SYMBOLIC OX_END;
#endif
