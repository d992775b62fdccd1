/* RoiAlign: regions cut into bins, each sampled on a grid by bilinear interpolation; the samples' mean or
 * maximum.  Versions before 16 lack the half pixel and widen regions to at least one pixel.
 * In mode max ONNX takes the largest of the four weighted neighbours, not of their sum. */
#ifdef T /* ---- once per dtype: see runtime/tensor/each_dtype.h ---- */

/* Coordinates are in X's type: ceil(size / bins) is how many samples there are, and a double would not
 * always agree with what others compute. */
static region FN(region_of)(const struct roi_align *s, const double *box)
{
    T offset = s->half_pixel ? (T)0.5 : 0, scale = (T)s->scale;
    T x1 = (T)box[0] * scale - offset, y1 = (T)box[1] * scale - offset;
    T width = (T)box[2] * scale - offset - x1, height = (T)box[3] * scale - offset - y1;
    if (!s->half_pixel) {
        width = width > 1 ? width : 1;
        height = height > 1 ? height : 1;
    }
    T bin_x = width / (T)s->columns, bin_y = height / (T)s->rows;
    return (region){ (double)x1, (double)y1, (double)bin_x, (double)bin_y,
                     s->samples > 0 ? (double)s->samples : ceil((double)bin_x),
                     s->samples > 0 ? (double)s->samples : ceil((double)bin_y) };
}

static void FN(channels)(void *ctx, int64_t block, int worker)
{
    const struct job *j = ctx;
    const struct roi_align *s = j->r->state;
    const region *g = &j->region[block / j->chunks];
    int64_t first = block % j->chunks * CHUNK, n = OX_MIN(CHUNK, s->c - first), roi = block / j->chunks;
    const T *x = (const T *)j->r->in[0]->data + (j->image[roi] * s->c + first) * s->h * s->w;
    T *y = (T *)j->r->out[0]->data + (roi * s->c + first) * s->rows * s->columns;
    (void)worker;
    for (int64_t bin = 0; bin < s->rows * s->columns; bin++) {
        A total[CHUNK] = { 0 };
        bool any = false;
        for (int64_t i = 0; i < (int64_t)(g->grid_x * g->grid_y); i++) {
            sample p = sample_of(s, g, bin, i);
            for (int64_t c = 0; c < n; c++) {
                const T *plane = x + c * s->h * s->w;
                A v[4];
                for (int k = 0; k < 4; k++)
                    v[k] = p.weight[k] * (A)plane[p.at[k]];
                A most = fmax(fmax(v[0], v[1]), fmax(v[2], v[3]));
                total[c] = !s->max ? total[c] + (v[0] + v[1] + v[2] + v[3]) : any ? fmax(total[c], most) : most;
            }
            any = true;
        }
        for (int64_t c = 0; c < n; c++)
            y[c * s->rows * s->columns + bin] = (T)(s->max ? total[c] : total[c] / fmax(g->grid_x * g->grid_y, 1));
    }
}

static ox_code FN(run)(ox_run *r)
{
    const struct roi_align *s = r->state;
    struct job j = { .r = r, .chunks = (s->c + CHUNK - 1) / CHUNK };
    OX_TRY(read_regions(r, &j, FN(region_of)));
    ox_parallel(r, r->out[0]->dim[0] * j.chunks, FN(channels), &j);
    return OX_OK;
}

#else /* ---- once ---- */
#include "runtime/op.h"

#include <math.h>

enum { CHUNK = 16 }; /* channels that share one computation of weights */

struct roi_align {
    int64_t c, h, w, rows, columns, samples;
    double  scale;
    bool    half_pixel, max;
};
typedef struct region { double x, y, bin_x, bin_y, grid_x, grid_y; } region;
typedef struct sample { int64_t at[4]; double weight[4]; } sample;
typedef region region_fn(const struct roi_align *s, const double *box);

struct job {
    ox_run  *r;
    region  *region;
    int64_t *image, chunks;
};

/* Sample i of a bin: four neighbours and their weights, all 0 outside the image. */
static sample sample_of(const struct roi_align *s, const region *g, int64_t bin, int64_t i)
{
    int64_t columns = (int64_t)g->grid_x;
    double y = g->y + ((double)(bin / s->columns) + ((double)(i / columns) + 0.5) / g->grid_y) * g->bin_y;
    double x = g->x + ((double)(bin % s->columns) + ((double)(i % columns) + 0.5) / g->grid_x) * g->bin_x;
    if (!(y >= -1 && y <= (double)s->h && x >= -1 && x <= (double)s->w))
        return (sample){ { 0 }, { 0 } };
    y = fmin(fmax(y, 0), (double)(s->h - 1));
    x = fmin(fmax(x, 0), (double)(s->w - 1));
    int64_t y0 = (int64_t)y, x0 = (int64_t)x;
    int64_t y1 = OX_MIN(y0 + 1, s->h - 1), x1 = OX_MIN(x0 + 1, s->w - 1);
    double v = y - (double)y0, u = x - (double)x0;
    return (sample){ { y0 * s->w + x0, y0 * s->w + x1, y1 * s->w + x0, y1 * s->w + x1 },
                     { (1 - v) * (1 - u), (1 - v) * u, v * (1 - u), v * u } };
}

static ox_code read_regions(ox_run *r, struct job *j, region_fn *region_of)
{
    const struct roi_align *s = r->state;
    int64_t n = r->in[1]->dim[0], n_box, n_image;
    const double *box = ox_in_f64s(r, 1, &n_box);
    const int64_t *image = ox_in_i64s(r, 2, &n_image);
    j->region = ox_scratch_array(r, (size_t)n, sizeof(*j->region));
    j->image = ox_scratch_array(r, (size_t)n, sizeof(*j->image));
    if (!box || !image || !j->region || !j->image)
        return OX_NO_MEMORY(r);
    for (int64_t i = 0; i < n; i++) {
        region g = region_of(s, box + i * 4);
        if (image[i] < 0 || image[i] >= r->in[0]->dim[0])
            return OX_FAIL(r->err, OX_E_VALUE, "batch_indices[%lld] is %lld, X has %lld images", (long long)i,
                           (long long)image[i], (long long)r->in[0]->dim[0]);
        if (!isfinite(g.x + g.y + g.bin_x + g.bin_y) || g.grid_x > 0x1p16 || g.grid_y > 0x1p16)
            return OX_FAIL(r->err, OX_E_VALUE, "region %lld is [%g, %g, %g, %g]", (long long)i, box[i * 4],
                           box[i * 4 + 1], box[i * 4 + 2], box[i * 4 + 3]);
        if (g.grid_x < 0 || g.grid_y < 0) /* turned inside out: no sample */
            g.grid_x = g.grid_y = 0;
        j->region[i] = g;
        j->image[i] = image[i];
    }
    return OX_OK;
}

static ox_code infer(ox_run *r)
{
    const ox_tensor *x = r->in[0], *rois = r->in[1], *images = r->in[2];
    int64_t rows = ox_attr_i64(r, "output_height"), columns = ox_attr_i64(r, "output_width");
    if (x->rank != 4 || rois->rank != 2 || (rois->dim[1] >= 0 && rois->dim[1] != 4) || images->rank != 1)
        return OX_FAIL(r->err, OX_E_SHAPE, "X has rank %d, rois %d, batch_indices %d, expected 4, 2 with 4 columns, 1",
                       x->rank, rois->rank, images->rank);
    if (rois->dim[0] >= 0 && images->dim[0] >= 0 && rois->dim[0] != images->dim[0])
        return OX_FAIL(r->err, OX_E_SHAPE, "rois has %lld rows, batch_indices %lld elements",
                       (long long)rois->dim[0], (long long)images->dim[0]);
    if (rows < 1 || columns < 1 || rows > 1 << 20 || columns > 1 << 20)
        return OX_FAIL(r->err, OX_E_VALUE, "output_height is %lld and output_width %lld", (long long)rows,
                       (long long)columns);
    ox_out_shape(r, 0, 4, (int64_t[]){ rois->dim[0], x->dim[1], rows, columns });
    return OX_OK;
}

static ox_code prepare(ox_run *r)
{
    static const char *const modes[] = { "avg", "max", NULL };
    static const char *const coords[] = { "output_half_pixel", "half_pixel", NULL };
    struct roi_align *s = r->state;
    int max, half = 0;
    OX_TRY(ox_attr_enum(r, "mode", modes, &max));
    if (r->since >= 16)
        OX_TRY(ox_attr_enum(r, "coordinate_transformation_mode", coords, &half));
    const ox_tensor *x = r->in[0];
    *s = (struct roi_align){ x->dim[1], x->dim[2], x->dim[3], ox_attr_i64(r, "output_height"),
                             ox_attr_i64(r, "output_width"), ox_attr_i64(r, "sampling_ratio"),
                             ox_attr_f64(r, "spatial_scale"), half != 0, max != 0 };
    if (s->samples < 0 || s->samples > 1 << 16)
        return OX_FAIL(r->err, OX_E_VALUE, "sampling_ratio is %lld", (long long)s->samples);
    return OX_OK;
}

#define TYPES MASK_FLOAT
#define TMPL  "kernels/pool/op_roi_align.c"
#include "runtime/tensor/each_dtype.h"

/* One bin of one channel; coordinates as the operator has them (see region_of), the rest in double. */
static void oracle_bin(const ox_oracle *o, const region *g, int64_t image, int64_t c, int64_t bin, double *y,
                       double *mag)
{
    const struct roi_align *s = o->r->state;
    const double *x = o->in[0] + (image * s->c + c) * s->h * s->w;
    int64_t n = (int64_t)(g->grid_x * g->grid_y);
    double sum = 0, absolute = 0, most = n ? -INFINITY : 0;
    for (int64_t i = 0; i < n; i++) {
        sample p = sample_of(s, g, bin, i);
        for (int k = 0; k < 4; k++) {
            double v = p.weight[k] * x[p.at[k]];
            sum += v;
            absolute += fabs(v);
            most = fmax(most, v);
        }
    }
    *y = s->max ? most : sum / (double)OX_MAX(n, 1);
    *mag = s->max ? fabs(most) : absolute / (double)OX_MAX(n, 1);
}

static ox_code oracle(ox_oracle *o)
{
    ox_run r = *o->r;
    const struct roi_align *s = r.state;
    struct job j = { .r = &r };
    int64_t bins = s->rows * s->columns;
    OX_TRY(read_regions(&r, &j, r.in[0]->dtype == OX_F64 ? region_of_f64 : region_of_f32));
    for (int64_t i = 0; i < ox_count(r.out[0]); i++) {
        int64_t roi = i / bins / s->c;
        oracle_bin(o, &j.region[roi], j.image[roi], i / bins % s->c, i % bins, &o->out[0][i], &o->mag[0][i]);
    }
    return OX_OK;
}

OX_OP(RoiAlign, 10) .infer = infer, .prepare = prepare, .run = { KERNELS(run, FLOAT) }, .oracle = oracle,
    .error = { ERR_SUM, 4 }, .state_size = sizeof(struct roi_align), .flags = OX_SYMBOLIC OX_END;
#endif
