/* AffineGrid: the positions, evenly spaced in [-1, 1] along every dimension, that theta maps each output
 * pixel to; (x, y) or (x, y, z), innermost dimension first. */
#ifdef T /* ---- once per dtype: see runtime/tensor/each_dtype.h ---- */

/* One line of the innermost dimension. */
static void FN(line)(void *ctx, int64_t line, int worker)
{
    const ox_run *r = ctx;
    const struct affine *s = r->state;
    int64_t width = s->size[s->n - 1], rest = line % s->n_lines;
    const T *theta = (const T *)r->in[0]->data + line / s->n_lines * s->n * (s->n + 1);
    T *y = (T *)r->out[0]->data + line * width * s->n;
    double at[3];
    (void)worker;
    for (int d = s->n - 2; d >= 0; d--) {
        at[s->n - 1 - d] = position(s, d, rest % s->size[d]);
        rest /= s->size[d];
    }
    for (int64_t i = 0; i < width; i++) {
        at[0] = position(s, s->n - 1, i);
        for (int k = 0; k < s->n; k++) {
            A sum = (A)theta[k * (s->n + 1) + s->n];
            for (int d = 0; d < s->n; d++)
                sum += (A)theta[k * (s->n + 1) + d] * at[d];
            *y++ = (T)sum;
        }
    }
}

static ox_code FN(run)(ox_run *r)
{
    const struct affine *s = r->state;
    ox_parallel(r, r->out[0]->dim[0] * s->n_lines, FN(line), r);
    return OX_OK;
}

#else /* ---- once ---- */
#include "runtime/op.h"

#include <math.h>

struct affine {
    int     n; /* spatial dimensions: 2 or 3 */
    int64_t size[3], n_lines;
    bool    align_corners;
};

/* The two ends, or the middles of the outermost pixels; the centre where there is but one. */
static double position(const struct affine *s, int d, int64_t i)
{
    double n = (double)s->size[d];
    if (!s->align_corners)
        return (2 * (double)i + 1) / n - 1;
    return n > 1 ? 2 * (double)i / (n - 1) - 1 : 0;
}

static ox_code infer(ox_run *r)
{
    const ox_tensor *theta = r->in[0];
    int64_t n, dim[5];
    if (!ox_in_known(r, 1))
        return OX_OK;
    const int64_t *size = ox_in_i64s(r, 1, &n);
    if (n != 4 && n != 5)
        return OX_FAIL(r->err, OX_E_SHAPE, "size has %lld elements, expected 4 or 5", (long long)n);
    if (!size)
        return OX_NO_MEMORY(r);
    if (theta->rank != 3 || (theta->dim[1] >= 0 && theta->dim[1] != n - 2) ||
        (theta->dim[2] >= 0 && theta->dim[2] != n - 1))
        return OX_FAIL(r->err, OX_E_SHAPE, "theta has rank %d, expected 3 with matrices of %lld x %lld",
                       theta->rank, (long long)(n - 2), (long long)(n - 1));
    dim[0] = theta->dim[0];
    for (int64_t d = 2; d < n; d++) {
        if (size[d] < 0)
            return OX_FAIL(r->err, OX_E_VALUE, "size[%lld] is %lld", (long long)d, (long long)size[d]);
        dim[d - 1] = size[d];
    }
    dim[n - 1] = n - 2;
    ox_out_shape(r, 0, (int)n, dim);
    return OX_OK;
}

static ox_code prepare(ox_run *r)
{
    struct affine *s = r->state;
    const ox_tensor *y = r->out[0];
    s->n = y->rank - 2;
    s->n_lines = 1;
    for (int d = 0; d < s->n; d++) {
        s->size[d] = y->dim[d + 1];
        s->n_lines *= d < s->n - 1 ? s->size[d] : 1;
    }
    s->align_corners = ox_attr_i64(r, "align_corners") != 0;
    return OX_OK;
}

static ox_code oracle(ox_oracle *o)
{
    const struct affine *s = o->r->state;
    int64_t per_image = s->n_lines * s->size[s->n - 1];
    for (int64_t i = 0; i < ox_count(o->r->out[0]); i++) {
        int64_t pixel = i / s->n, k = i % s->n, image = pixel / per_image;
        const double *row = o->in[0] + (image * s->n + k) * (s->n + 1);
        double sum = row[s->n], mag = fabs(sum);
        for (int d = s->n - 1; d >= 0; d--) {
            double v = row[s->n - 1 - d] * position(s, d, pixel % s->size[d]);
            sum += v;
            mag += fabs(v);
            pixel /= s->size[d];
        }
        o->out[0][i] = sum;
        o->mag[0][i] = mag;
    }
    return OX_OK;
}

#define TYPES MASK_FLOAT
#define TMPL  "kernels/resize/op_affine_grid.c"
#include "runtime/tensor/each_dtype.h"

OX_OP(AffineGrid, 20) .infer = infer, .prepare = prepare, .run = { KERNELS(run, FLOAT) }, .oracle = oracle,
    .error = { ERR_SUM, 2 }, .state_size = sizeof(struct affine), .flags = OX_SYMBOLIC OX_END;
#endif
