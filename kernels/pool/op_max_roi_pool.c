/* MaxRoiPool: a region (batch, x1, y1, x2, y2), ends included, cut into pooled_shape bins that may
 * overlap by one pixel; each gives its maximum, 0 where nothing of it lies in the image. */
#ifdef T /* ---- once per dtype: see runtime/tensor/each_dtype.h ---- */

static void FN(region)(void *ctx, int64_t block, int worker)
{
    const struct job *j = ctx;
    const ox_tensor *x = j->r->in[0], *y = j->r->out[0];
    int64_t c = x->dim[1], h = x->dim[2], w = x->dim[3], roi = block / c;
    int64_t rows = y->dim[2], columns = y->dim[3];
    const int64_t *box = j->box + roi * 5;
    const T *from = (const T *)x->data + (box[0] * c + block % c) * h * w;
    T *to = (T *)y->data + block * rows * columns;
    (void)worker;
    for (int64_t p = 0; p < rows; p++) {
        span v = bin_of(box[2], box[4], p, rows, h);
        for (int64_t q = 0; q < columns; q++) {
            span u = bin_of(box[1], box[3], q, columns, w);
            bool any = false;
            T best = 0;
            for (int64_t i = v.lo; i < v.hi; i++)
                for (int64_t k = u.lo; k < u.hi; k++) {
                    T value = from[i * w + k];
                    best = !any || value > best || value != value ? value : best;
                    any = true;
                }
            *to++ = best;
        }
    }
}

static ox_code FN(run)(ox_run *r)
{
    struct job j = { .r = r };
    OX_TRY(read_boxes(r, &j));
    ox_parallel(r, r->out[0]->dim[0] * r->in[0]->dim[1], FN(region), &j);
    return OX_OK;
}

#else /* ---- once ---- */
#include "runtime/op.h"

#include <math.h>

typedef struct span { int64_t lo, hi; } span;

struct job {
    ox_run  *r;
    int64_t *box; /* for each region: batch and the corners in pixels of X */
};

static int64_t floor_div(int64_t a, int64_t b) { return a / b - (a % b < 0); }

/* Pixels of bin i of n for a region from first to last, within [0, size). */
static span bin_of(int64_t first, int64_t last, int64_t i, int64_t n, int64_t size)
{
    int64_t length = OX_MAX(last - first + 1, 1);
    span s = { first + floor_div(i * length, n), first - floor_div(-(i + 1) * length, n) };
    s.lo = OX_MIN(OX_MAX(s.lo, 0), size);
    s.hi = OX_MIN(OX_MAX(s.hi, 0), size);
    return s;
}

static ox_code read_boxes(ox_run *r, struct job *j)
{
    int64_t n;
    const double *roi = ox_in_f64s(r, 1, &n);
    double scale = ox_attr_f64(r, "spatial_scale");
    if (!roi || !(j->box = ox_scratch_array(r, (size_t)n, sizeof(*j->box))))
        return OX_NO_MEMORY(r);
    for (int64_t i = 0; i < n; i++) {
        double v = i % 5 ? round(roi[i] * scale) : roi[i];
        if (i % 5 == 0 && !(v >= 0 && v < (double)r->in[0]->dim[0]))
            return OX_FAIL(r->err, OX_E_VALUE, "region %lld is of image %g of %lld", (long long)(i / 5), v,
                           (long long)r->in[0]->dim[0]);
        if (!(fabs(v) < 0x1p31))
            return OX_FAIL(r->err, OX_E_VALUE, "region %lld has a corner at %g", (long long)(i / 5), v);
        j->box[i] = (int64_t)v;
    }
    return OX_OK;
}

static ox_code infer(ox_run *r)
{
    const ox_tensor *x = r->in[0], *rois = r->in[1];
    int n;
    const int64_t *pooled = ox_attr_i64s(r, "pooled_shape", &n);
    if (x->rank != 4 || rois->rank != 2 || (rois->dim[1] >= 0 && rois->dim[1] != 5))
        return OX_FAIL(r->err, OX_E_SHAPE, "X has rank %d, expected 4; rois has rank %d, expected 2 with 5 columns",
                       x->rank, rois->rank);
    if (n != 2 || pooled[0] < 1 || pooled[1] < 1 || pooled[0] > 1 << 20 || pooled[1] > 1 << 20)
        return OX_FAIL(r->err, OX_E_VALUE, "pooled_shape has %d entries, expected 2 positive ones", n);
    ox_out_shape(r, 0, 4, (int64_t[]){ rois->dim[0], x->dim[1], pooled[0], pooled[1] });
    return OX_OK;
}

#define TYPES MASK_FLOAT
#define TMPL  "kernels/pool/op_max_roi_pool.c"
#include "runtime/tensor/each_dtype.h"

OX_OP(MaxRoiPool, 1) .infer = infer, .run = { KERNELS(run, FLOAT) }, .error = { ERR_EXACT, 0 },
    .flags = OX_SYMBOLIC OX_END;
#endif
