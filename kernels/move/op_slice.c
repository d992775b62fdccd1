/* Slice in all its forms, the DynamicSlice that ONNX once tried, and the image Crop of old
 * exporters. */
#include "kernels/move/args.h"
#include "kernels/move/box.h"

#include <string.h>

typedef struct slice {
    ox_ints starts, ends, axes, steps;
    int     axis[OX_MAX_RANK], n;
} slice;

/* Bounds are attributes in version 1, inputs since.  Fills axis only where axes are known. */
static ox_code get_slice(ox_run *r, slice *s)
{
    int rank = r->in[0]->rank;
    bool attrs = r->since == 1 && strcmp(r->op->name, "Slice") == 0;
    memset(s, 0, sizeof(*s));
    if (attrs) {
        s->starts = ox_arg_attr(r, "starts");
        s->ends = ox_arg_attr(r, "ends");
        s->axes = ox_arg_attr(r, "axes");
        s->axes.given = s->axes.n > 0;
        s->steps.known = true;
    } else {
        OX_TRY(ox_arg_ints(r, 1, &s->starts));
        OX_TRY(ox_arg_ints(r, 2, &s->ends));
        OX_TRY(ox_arg_ints(r, 3, &s->axes));
        OX_TRY(ox_arg_ints(r, 4, &s->steps));
    }
    s->n = -1;
    if (!s->axes.known || (!s->axes.given && !s->starts.known))
        return OX_OK;
    OX_TRY(ox_arg_axes(r, &s->axes, rank, s->starts.n, s->axis, &s->n));
    if (!s->starts.known || !s->ends.known || !s->steps.known)
        return OX_OK;
    if (s->starts.n != s->n || s->ends.n != s->n || (s->steps.given && s->steps.n != s->n))
        return OX_FAIL(r->err, OX_E_SHAPE, "%lld starts, %lld ends, %lld steps for %d axes",
                       (long long)s->starts.n, (long long)s->ends.n,
                       (long long)(s->steps.given ? s->steps.n : s->n), s->n);
    for (int i = 0; i < s->n; i++)
        if (s->steps.given && s->steps.v[i] == 0)
            return OX_FAIL(r->err, OX_E_VALUE, "steps[%d] is 0", i);
    return OX_OK;
}

static bool bounds_known(const slice *s)
{
    return s->n >= 0 && s->starts.known && s->ends.known && s->steps.known;
}

static int64_t clamp(int64_t v, int64_t low, int64_t high)
{
    return v < low ? low : v > high ? high : v;
}

/* First element, step and number of elements taken from a dimension of that size. */
static void resolve(const slice *s, int i, int64_t size, int64_t *start, int64_t *step, int64_t *n)
{
    int64_t far = OX_MAX(size, 1), from = s->starts.v[i], to = s->ends.v[i];
    *step = s->steps.given ? clamp(s->steps.v[i], -far, far)
                           : 1; /* beyond the size: the same elements */
    from += from < 0 ? size : 0;
    to += to < 0 ? size : 0;
    if (*step > 0) {
        from = clamp(from, 0, size);
        to = clamp(to, 0, size);
        *n = to > from ? (to - from + *step - 1) / *step : 0;
    } else {
        from = size ? clamp(from, 0, size - 1) : -1;
        to = clamp(to, -1, size - 1);
        *n = from > to ? (from - to - *step - 1) / -*step : 0;
    }
    *start = from;
}

static ox_code infer(ox_run *r)
{
    const ox_tensor *x = r->in[0];
    slice s;
    int64_t dim[OX_MAX_RANK];
    OX_TRY(get_slice(r, &s));
    for (int d = 0; d < x->rank; d++)
        dim[d] = s.n < 0 ? OX_DIM_UNKNOWN : x->dim[d];
    for (int i = 0; i < s.n; i++) {
        int64_t start, step, size = x->dim[s.axis[i]];
        if (!bounds_known(&s)) {
            dim[s.axis[i]] = OX_DIM_UNKNOWN;
        } else if (size >= 0) {
            resolve(&s, i, size, &start, &step, &dim[s.axis[i]]);
        } else { /* a symbol survives being taken whole */
            bool whole = s.starts.v[i] == 0 && s.ends.v[i] >= INT32_MAX &&
                         (!s.steps.given || s.steps.v[i] == 1);
            dim[s.axis[i]] = whole ? size : OX_DIM_UNKNOWN;
        }
    }
    ox_out_shape(r, 0, x->rank, dim);
    return OX_OK;
}

static ox_code run(ox_run *r)
{
    const ox_tensor *x = r->in[0], *y = r->out[0];
    size_t size = ox_dtype_size(x->dtype);
    slice s;
    int64_t sx[OX_MAX_RANK], sy[OX_MAX_RANK], at = 0;
    ox_box b = { 0 };
    OX_TRY(get_slice(r, &s));
    ox_dense_strides(sx, x->rank, x->dim);
    ox_dense_strides(sy, y->rank, y->dim);
    for (int i = 0; i < s.n; i++) {
        int d = s.axis[i];
        int64_t start, step, n;
        resolve(&s, i, x->dim[d], &start, &step, &n);
        at += start * sx[d];
        sx[d] *= step;
    }
    for (int d = 0; d < y->rank; d++)
        ox_box_add(&b, y->dim[d], sx[d], sy[d]);
    ox_box_copy(r, size, &b, (const char *)x->data + (size_t)at * size, y->data);
    return OX_OK;
}

OX_OP(Slice, 1) .infer = infer, .run_any = run, .key = OX_KEY_NONE, .flags = OX_SYMBOLIC,
    .error = { ERR_EXACT, 0 } OX_END;
OX_OP(DynamicSlice, 1) .infer = infer, .run_any = run, .key = OX_KEY_NONE, .flags = OX_SYMBOLIC,
    .error = { ERR_EXACT, 0 } OX_END;

/* ---- Crop: border is left, top, right, bottom; scale, if given, is the height and width kept from
 * the left top corner that the border leaves ---- */
static ox_code get_crop(const ox_run *r, int64_t *top, int64_t *left, int64_t size[2])
{
    const ox_tensor *x = r->in[0];
    int n_border, n_scale;
    const int64_t *border = ox_attr_i64s(r, "border", &n_border),
                  *scale = ox_attr_i64s(r, "scale", &n_scale);
    if (x->rank != 4)
        return OX_FAIL(r->err, OX_E_SHAPE, "input has rank %d, expected 4 (N,C,H,W)", x->rank);
    if ((n_border != 4 && n_border != 0) || (n_scale != 2 && n_scale != 0))
        return OX_FAIL(r->err, OX_E_VALUE,
                       "border has %d entries, expected 4; scale has %d, expected 2", n_border,
                       n_scale);
    int64_t edge[4] = { 0 };
    for (int i = 0; i < n_border; i++) {
        edge[i] = border[i];
        if (edge[i] < 0 || edge[i] > x->dim[i % 2 ? 2 : 3])
            return OX_FAIL(r->err, OX_E_VALUE, "border[%d] is %lld", i, (long long)edge[i]);
    }
    for (int d = 0; d < 2; d++) {
        int64_t full = x->dim[2 + d], near = edge[d ? 0 : 1], far = edge[d ? 2 : 3];
        size[d] = n_scale ? scale[d] : full - near - far;
        if (size[d] < 0 || size[d] > full - near)
            return OX_FAIL(
                r->err, OX_E_SHAPE, "%lld of %lld %s are to be kept after a border of %lld",
                (long long)size[d], (long long)full, d ? "columns" : "rows", (long long)near);
    }
    *top = edge[1];
    *left = edge[0];
    return OX_OK;
}

static ox_code infer_crop(ox_run *r)
{
    int64_t top, left, size[2];
    OX_TRY(get_crop(r, &top, &left, size));
    ox_out_shape(r, 0, 4, (int64_t[]){ r->in[0]->dim[0], r->in[0]->dim[1], size[0], size[1] });
    return OX_OK;
}

static ox_code crop(ox_run *r)
{
    const ox_tensor *x = r->in[0];
    int64_t top, left, size[2], w = x->dim[3], h = x->dim[2];
    size_t bytes = ox_dtype_size(x->dtype);
    OX_TRY(get_crop(r, &top, &left, size));
    ox_box b = { 3, { x->dim[0] * x->dim[1], size[0], size[1] }, { h * w, w, 1 },
                 { size[0] * size[1], size[1], 1 } };
    ox_box_copy(r, bytes, &b, (const char *)x->data + (size_t)(top * w + left) * bytes,
                r->out[0]->data);
    return OX_OK;
}

OX_OP(Crop, 1).infer = infer_crop, .run_any = crop, .key = OX_KEY_NONE,
            .error = {ERR_EXACT, 0} OX_END;
