/* Pad in all modes and versions, and CenterCropPad.  Negative pads cut; the other side then pads
 * what is left. */
#include "kernels/move/args.h"
#include "kernels/move/box.h"

#include <string.h>

/* Elements added before and after each dimension; negative ones are taken away. */
typedef struct pads {
    int64_t before[OX_MAX_RANK], after[OX_MAX_RANK];
    bool    known, known_axis[OX_MAX_RANK]; /* without values: axes that surely stay as they are */
} pads;

static const char *const modes[] = { "constant", "reflect", "edge", "wrap", NULL };
enum { CONSTANT, REFLECT, EDGE, WRAP };

/* pads is an attribute in versions 1 (as "paddings") and 2, an input since. */
static ox_code get_pads(ox_run *r, pads *p)
{
    int rank = r->in[0]->rank, axis[OX_MAX_RANK], n;
    ox_ints given, axes = { .known = true };
    memset(p, 0, sizeof(*p));
    if (r->since < 11) {
        given = ox_arg_attr(r, r->since == 1 ? "paddings" : "pads");
    } else {
        OX_TRY(ox_arg_ints(r, 1, &given));
        OX_TRY(ox_arg_ints(r, 3, &axes));
    }
    p->known = given.known && axes.known;
    if (axes.known && axes.given) {
        OX_TRY(ox_arg_axes(r, &axes, rank, 0, axis, &n));
        memset(p->known_axis, true, sizeof(p->known_axis));
        for (int i = 0; i < n; i++)
            p->known_axis[axis[i]] = false;
    }
    if (!p->known)
        return OX_OK;
    OX_TRY(ox_arg_axes(r, &axes, rank, rank, axis, &n));
    if (given.n != 2 * n)
        return OX_FAIL(r->err, OX_E_SHAPE, "pads has %lld entries, expected %d", (long long)given.n,
                       2 * n);
    for (int i = 0; i < n; i++) {
        p->before[axis[i]] = given.v[i];
        p->after[axis[i]] = given.v[n + i];
    }
    return OX_OK;
}

/* size + before + after; fails when that is negative or overflows, or when nothing is left to
 * repeat. */
static ox_code padded(const ox_run *r, const pads *p, int d, int mode, int64_t size, int64_t *out)
{
    int64_t n, kept = size + OX_MIN(p->before[d], 0);
    bool fits = !__builtin_add_overflow(size, p->before[d], &n) &&
                !__builtin_add_overflow(n, p->after[d], &n);
    kept = kept < 0 ? kept : kept + OX_MIN(p->after[d], 0);
    if (!fits || n < 0 || kept < 0)
        return OX_FAIL(r->err, OX_E_SHAPE,
                       "dimension %d of size %lld cannot be padded by %lld and %lld", d,
                       (long long)size, (long long)p->before[d], (long long)p->after[d]);
    if (kept == 0 && n > 0 && mode != CONSTANT)
        return OX_FAIL(r->err, OX_E_SHAPE, "dimension %d has nothing to pad with", d);
    *out = n;
    return OX_OK;
}

static ox_code infer(ox_run *r)
{
    const ox_tensor *x = r->in[0];
    int64_t dim[OX_MAX_RANK];
    int mode;
    pads p;
    OX_TRY(ox_attr_enum(r, "mode", modes, &mode));
    if (mode == WRAP && r->since < 19)
        return OX_FAIL(r->err, OX_E_VALUE, "mode \"wrap\" needs opset 19");
    OX_TRY(get_pads(r, &p));
    for (int d = 0; d < x->rank; d++) {
        dim[d] = x->dim[d];
        if (!p.known)
            dim[d] = p.known_axis[d] ? x->dim[d] : OX_DIM_UNKNOWN;
        else if (x->dim[d] >= 0)
            OX_TRY(padded(r, &p, d, mode, x->dim[d], &dim[d]));
        else if (p.before[d] >= 0 && p.after[d] >= 0 && p.before[d] <= INT32_MAX &&
                 p.after[d] <= INT32_MAX)
            dim[d] = ox_dim_add(r, x->dim[d], p.before[d] + p.after[d]);
        else
            dim[d] = OX_DIM_UNKNOWN;
    }
    ox_out_shape(r, 0, x->rank, dim);
    return OX_OK;
}

/* The element that constant mode writes: 16 bytes of the tensor's type. */
static ox_code get_value(const ox_run *r, char value[16])
{
    ox_dtype t = r->in[0]->dtype;
    memset(value, 0, 16);
    if (r->since < 11) {
        double v = ox_attr_f64(r, "value");
        ox_from_f64(value, &v, t, 1);
        return OX_OK;
    }
    const ox_tensor *c = r->n_in > 2 ? r->in[2] : NULL;
    if (!c || ox_count(c) == 0)
        return OX_OK;
    if (ox_count(c) != 1)
        return OX_FAIL(r->err, OX_E_SHAPE, "constant_value has %lld elements, expected 1",
                       (long long)ox_count(c));
    memcpy(value, c->data, ox_dtype_size(t));
    return OX_OK;
}

/* The part of y that x fills: y from `first` on, x from `skip` on, `kept` elements a dimension. */
typedef struct inside {
    int64_t first[OX_MAX_RANK], skip[OX_MAX_RANK], kept[OX_MAX_RANK];
} inside;

static void find_inside(const ox_tensor *x, const ox_tensor *y, const pads *p, inside *in)
{
    for (int d = 0; d < x->rank; d++) {
        in->first[d] = OX_MAX(p->before[d], 0);
        in->skip[d] = OX_MAX(-p->before[d], 0);
        in->kept[d] = OX_MAX(0, OX_MIN(x->dim[d] - in->skip[d], y->dim[d] - in->first[d]));
    }
}

/* Positions [at, at + n) of dimension d, where dimensions before d have their inside and those
 * after d their full size: such slabs, for all d, make up all that x does not fill.  Their source
 * is `from`, with stride step along d; step ANY_VALUE: one element for all. */
enum { ANY_VALUE = 2 };
static void slab(const ox_run *r, const inside *in, int d, int64_t at, int64_t n, const char *from,
                 int64_t from_at, int step)
{
    const ox_tensor *y = r->out[0];
    size_t size = ox_dtype_size(y->dtype);
    int64_t s[OX_MAX_RANK], base = 0;
    ox_box b = { 0 };
    ox_dense_strides(s, y->rank, y->dim);
    for (int k = 0; k < y->rank; k++) {
        int64_t sx = step == ANY_VALUE ? 0 : k == d ? step * s[k] : s[k];
        ox_box_add(&b, k < d ? in->kept[k] : k == d ? n : y->dim[k], sx, s[k]);
        base += k < d ? in->first[k] * s[k] : 0;
    }
    if (step != ANY_VALUE)
        from += (base + from_at * s[d]) * (int64_t)size;
    ox_box_copy(r, size, &b, from, (char *)y->data + (base + at * s[d]) * (int64_t)size);
}

static int64_t modulo(int64_t a, int64_t n)
{
    return (a % n + n) % n;
}

/* Position among n elements that position i (outside [0, n)) repeats. */
static int64_t repeated(int mode, int64_t i, int64_t n)
{
    if (mode == EDGE || n == 1)
        return i < 0 ? 0 : n - 1;
    if (mode == WRAP)
        return modulo(i, n);
    i = modulo(i, 2 * (n - 1));
    return i < n ? i : 2 * (n - 1) - i;
}

/* [at, end) of dimension d from elements inside: one slab for every stretch with a constant step.
 */
static void repeat(const ox_run *r, const inside *in, int mode, int d, int64_t at, int64_t end)
{
    const char *y = r->out[0]->data;
    int64_t first = in->first[d], n = in->kept[d];
    while (at < end) {
        int64_t from = repeated(mode, at - first, n), stop = at + 1;
        int64_t step = stop < end ? repeated(mode, stop - first, n) - from : 0;
        if (step < -1 || step > 1)
            step = 0;
        else
            while (stop < end && repeated(mode, stop - first, n) == from + (stop - at) * step)
                stop++;
        slab(r, in, d, at, stop - at, y, first + from, (int)step);
        at = stop;
    }
}

static void copy_inside(const ox_run *r, const inside *in)
{
    const ox_tensor *x = r->in[0], *y = r->out[0];
    size_t size = ox_dtype_size(x->dtype);
    int64_t sx[OX_MAX_RANK], sy[OX_MAX_RANK], from = 0, to = 0;
    ox_box b = { 0 };
    if (ox_count(x) == 0)
        return;
    ox_dense_strides(sx, x->rank, x->dim);
    ox_dense_strides(sy, y->rank, y->dim);
    for (int d = 0; d < y->rank; d++) {
        ox_box_add(&b, in->kept[d], sx[d], sy[d]);
        from += in->skip[d] * sx[d];
        to += in->first[d] * sy[d];
    }
    ox_box_copy(r, size, &b, (const char *)x->data + from * (int64_t)size,
                (char *)y->data + to * (int64_t)size);
}

static void pad(const ox_run *r, const pads *p, int mode, const char *value)
{
    const ox_tensor *y = r->out[0];
    inside in;
    find_inside(r->in[0], y, p, &in);
    copy_inside(r, &in);
    for (int d = y->rank - 1; d >= 0; d--) {
        int64_t end = in.first[d] + in.kept[d];
        if (mode == CONSTANT) {
            slab(r, &in, d, 0, in.first[d], value, 0, ANY_VALUE);
            slab(r, &in, d, end, y->dim[d] - end, value, 0, ANY_VALUE);
        } else {
            repeat(r, &in, mode, d, 0, in.first[d]);
            repeat(r, &in, mode, d, end, y->dim[d]);
        }
    }
}

static ox_code run(ox_run *r)
{
    pads p;
    int mode;
    char value[16];
    OX_TRY(ox_attr_enum(r, "mode", modes, &mode));
    OX_TRY(get_pads(r, &p));
    OX_TRY(get_value(r, value));
    pad(r, &p, mode, value);
    return OX_OK;
}

OX_OP(Pad, 1) .infer = infer, .run_any = run, .key = OX_KEY_NONE, .flags = OX_SYMBOLIC,
    .error = { ERR_EXACT, 0 } OX_END;

/* ---- CenterCropPad: each axis is cut or padded with zeros around its middle; of an odd difference
 * the larger half is on the right ---- */
static ox_code infer_center(ox_run *r)
{
    const ox_tensor *x = r->in[0];
    ox_ints shape, axes = ox_arg_attr(r, "axes");
    int axis[OX_MAX_RANK], n;
    int64_t dim[OX_MAX_RANK];
    OX_TRY(ox_arg_ints(r, 1, &shape));
    OX_TRY(ox_arg_axes(r, &axes, x->rank, x->rank, axis, &n));
    if (shape.known && shape.n != n)
        return OX_FAIL(r->err, OX_E_SHAPE, "shape has %lld entries for %d axes", (long long)shape.n,
                       n);
    for (int d = 0; d < x->rank; d++)
        dim[d] = x->dim[d];
    for (int i = 0; i < n; i++) {
        dim[axis[i]] = shape.known ? shape.v[i] : OX_DIM_UNKNOWN;
        if (shape.known && shape.v[i] < 0)
            return OX_FAIL(r->err, OX_E_SHAPE, "shape[%d] is %lld", i, (long long)shape.v[i]);
    }
    ox_out_shape(r, 0, x->rank, dim);
    return OX_OK;
}

static ox_code run_center(ox_run *r)
{
    const ox_tensor *x = r->in[0], *y = r->out[0];
    static const char zero[16];
    pads p = { 0 };
    for (int d = 0; d < x->rank; d++) {
        int64_t more = y->dim[d] - x->dim[d];
        p.before[d] = more < 0 ? -(-more / 2) : more / 2;
        p.after[d] = more - p.before[d];
    }
    pad(r, &p, CONSTANT, zero);
    return OX_OK;
}

OX_OP(CenterCropPad, 18) .infer = infer_center, .run_any = run_center, .key = OX_KEY_NONE,
    .flags = OX_SYMBOLIC, .error = { ERR_EXACT, 0 } OX_END;
