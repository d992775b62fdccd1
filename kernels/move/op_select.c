/* Where, Compress, NonZero, Trilu: elements kept by a condition. */
#include "kernels/math/base.h"
#include "kernels/move/args.h"
#include "kernels/move/box.h"

#include <string.h>

/* ---- Where ---- */
/* z may be x (in place): elements are independent, which the compiler cannot see.  Both sides are
 * loaded, since a load on one condition is no vector. */
#define WHERE_LOOP(c, x, y, type)                                                                  \
    do {                                                                                           \
        OX_INDEPENDENT_HINT                                                                        \
        for (size_t i = 0; i < n; i++) {                                                           \
            type u = (x), v = (y);                                                                 \
            z[i] = (c) ? u : v;                                                                    \
        }                                                                                          \
    } while (0)
#define WHERE(size, type)                                                                          \
    static void where_##size(size_t n, const void *const in[3], const int s[3], void *vz,          \
                             const void *params)                                                   \
    {                                                                                              \
        const uint8_t *c = in[0];                                                                  \
        const type *x = in[1], *y = in[2];                                                         \
        const type a = *x, b = *y;                                                                 \
        type *z = vz;                                                                              \
        (void)params;                                                                              \
        if (s[0] && s[1] && s[2])                                                                  \
            WHERE_LOOP(c[i], x[i], y[i], type);                                                    \
        else if (s[0] && s[1])                                                                     \
            WHERE_LOOP(c[i], x[i], b, type);                                                       \
        else if (s[0] && s[2])                                                                     \
            WHERE_LOOP(c[i], a, y[i], type);                                                       \
        else if (s[0])                                                                             \
            WHERE_LOOP(c[i], a, b, type);                                                          \
        else if (s[*c ? 1 : 2])                                                                    \
            memmove(z, *c ? x : y, n * sizeof(type));                                              \
        else                                                                                       \
            WHERE_LOOP(*c, a, b, type);                                                            \
    }
typedef struct wide { uint64_t v[2]; } wide;
WHERE(1, uint8_t)
WHERE(2, uint16_t)
WHERE(4, uint32_t)
WHERE(8, uint64_t)
WHERE(16, wide)

static ox_code where(ox_run *r)
{
    switch (ox_dtype_size(r->out[0]->dtype)) {
    case 1: return ox_map3(r, where_1, NULL);
    case 2: return ox_map3(r, where_2, NULL);
    case 4: return ox_map3(r, where_4, NULL);
    case 8: return ox_map3(r, where_8, NULL);
    default: return ox_map3(r, where_16, NULL);
    }
}

OX_OP(Where, 9) .infer = ox_infer_broadcast, .run_any = where, .key = OX_KEY_NONE,
    .flags = OX_SYMBOLIC | OX_INPLACE1, .error = { ERR_EXACT, 0 } OX_END;

/* ---- Compress: slices along axis (or elements of the flat input) whose condition is true ---- */
/* The input as [outer, n, inner]; what: true conditions among the first n, -1 while not known. */
static ox_code get_compress(const ox_run *r, int64_t *outer, int64_t *n, int64_t *inner,
                            int64_t *kept)
{
    const ox_tensor *x = r->in[0], *c = r->in[1];
    int axis;
    *outer = *inner = 1;
    if (c->rank != 1)
        return OX_FAIL(r->err, OX_E_SHAPE, "condition has rank %d, expected 1", c->rank);
    if (ox_attr_given(r, "axis")) {
        OX_TRY(ox_attr_axis(r, "axis", x->rank, &axis));
        *outer = ox_numel(x, 0, axis);
        *n = x->dim[axis];
        *inner = ox_numel(x, axis + 1, x->rank);
    } else {
        *n = ox_count(x);
    }
    if (!ox_in_known(r, 1)) {
        *kept = OX_DIM_UNKNOWN;
        return OX_OK;
    }
    const uint8_t *keep = c->data;
    *kept = 0;
    for (int64_t i = 0; i < OX_MAX(c->dim[0], 0); i++) {
        if (keep[i] && i >= *n)
            return OX_FAIL(r->err, OX_E_VALUE, "condition[%lld] is true, there are %lld elements",
                           (long long)i, (long long)*n);
        *kept += keep[i] != 0;
    }
    return OX_OK;
}

static ox_code infer_compress(ox_run *r)
{
    const ox_tensor *x = r->in[0];
    int64_t outer, n, inner, kept, dim[OX_MAX_RANK];
    int axis;
    OX_TRY(get_compress(r, &outer, &n, &inner, &kept));
    if (!ox_attr_given(r, "axis")) {
        ox_out_shape(r, 0, 1, &kept);
        return OX_OK;
    }
    OX_TRY(ox_attr_axis(r, "axis", x->rank, &axis));
    for (int d = 0; d < x->rank; d++)
        dim[d] = d == axis ? kept : x->dim[d];
    ox_out_shape(r, 0, x->rank, dim);
    return OX_OK;
}

static ox_code compress(ox_run *r)
{
    const ox_tensor *c = r->in[1];
    const uint8_t *keep = c->data;
    int64_t outer, n, inner, kept;
    OX_TRY(get_compress(r, &outer, &n, &inner, &kept));
    size_t bytes = (size_t)inner * ox_dtype_size(r->in[0]->dtype);
    const char *x = r->in[0]->data;
    char *y = r->out[0]->data;
    for (int64_t o = 0; o < outer; o++, x += (size_t)n * bytes)
        for (int64_t i = 0; i < OX_MIN(n, c->dim[0]); i++)
            if (keep[i]) {
                memcpy(y, x + (size_t)i * bytes, bytes);
                y += bytes;
            }
    return OX_OK;
}

OX_OP(Compress, 9) .infer = infer_compress, .run_any = compress, .key = OX_KEY_NONE,
    .error = { ERR_EXACT, 0 } OX_END;

/* ---- NonZero: the coordinates, one row a dimension, of what is not zero, empty or false ---- */
/* NaN is not zero and -0.0 is: the sign bits of floats are masked off, the rest compared as bits.
 * Marks elements [from, from + n) with 0 or 1; complex numbers are two words, strings lengths. */
#define MARK(size, type)                                                                           \
    static void mark_##size(const void *vx, uint64_t mask, int64_t n, uint8_t *to)                 \
    {                                                                                              \
        const type *x = vx;                                                                        \
        for (int64_t i = 0; i < n; i++)                                                            \
            to[i] = (x[i] & (type)mask) != 0;                                                      \
    }
MARK(1, uint8_t)
MARK(2, uint16_t)
MARK(4, uint32_t)
MARK(8, uint64_t)

static void mark(const ox_tensor *x, int64_t from, int64_t n, uint8_t *to)
{
    size_t size = ox_dtype_size(x->dtype);
    const char *p = (const char *)x->data + (size_t)from * size;
    uint64_t mask = UINT64_MAX;
    switch (ox_dtype_class(x->dtype)) {
    case OX_CLASS_STRING:
        for (int64_t i = 0; i < n; i++)
            to[i] = ((const ox_str *)(const void *)p)[i].n > 0;
        return;
    case OX_CLASS_COMPLEX:
        for (int64_t i = 0; i < n; i++)
            to[i] = size == 8 ? ((const float *)(const void *)p)[2 * i] != 0 ||
                                    ((const float *)(const void *)p)[2 * i + 1] != 0
                              : ((const double *)(const void *)p)[2 * i] != 0 ||
                                    ((const double *)(const void *)p)[2 * i + 1] != 0;
        return;
    case OX_CLASS_FLOAT:
        if (x->dtype == OX_F8E8M0) /* has no zero */
            break;
        mask = ((uint64_t)1 << (x->dtype == OX_F4E2M1 ? 3 : 8 * size - 1)) - 1;
        break;
    default: break;
    }
    (size == 1 ? mark_1 : size == 2 ? mark_2 : size == 4 ? mark_4 : mark_8)(p, mask, n, to);
}

enum { CHUNK = 1024 };

static ox_code infer_nonzero(ox_run *r)
{
    const ox_tensor *x = r->in[0];
    uint8_t marks[CHUNK];
    int64_t n = 0;
    if (!ox_in_known(r, 0)) {
        ox_out_shape(r, 0, 2, (int64_t[]){ x->rank, OX_DIM_UNKNOWN });
        return OX_OK;
    }
    for (int64_t at = 0, count = ox_count(x); at < count; at += CHUNK) {
        int64_t m = OX_MIN(CHUNK, count - at);
        mark(x, at, m, marks);
        for (int64_t i = 0; i < m; i++)
            n += marks[i];
    }
    ox_out_shape(r, 0, 2, (int64_t[]){ x->rank, n });
    return OX_OK;
}

static ox_code run_nonzero(ox_run *r)
{
    const ox_tensor *x = r->in[0];
    uint8_t marks[CHUNK];
    int64_t index[OX_MAX_RANK] = { 0 }, *y = r->out[0]->data, n = r->out[0]->dim[1], at = 0;
    int last = x->rank - 1; /* not a scalar: that has no coordinates, and no output element */
    int64_t row = x->dim[last];
    for (int64_t start = 0; at < n; start += row) {
        for (int64_t j = 0; j < row; j++) {
            if (j % CHUNK == 0)
                mark(x, start + j, OX_MIN(CHUNK, row - j), marks);
            if (!marks[j % CHUNK])
                continue;
            for (int d = 0; d < last; d++)
                y[d * n + at] = index[d];
            y[last * n + at++] = j;
        }
        for (int d = last - 1; d >= 0 && ++index[d] == x->dim[d]; d--)
            index[d] = 0;
    }
    return OX_OK;
}

OX_OP(NonZero, 9) .infer = infer_nonzero, .run_any = run_nonzero, .key = OX_KEY_NONE,
    .error = { ERR_EXACT, 0 } OX_END;

/* ---- Trilu: the triangle on one side of the k-th diagonal, zeros elsewhere ---- */
static ox_code infer_trilu(ox_run *r)
{
    if (r->in[0]->rank < 2)
        return OX_FAIL(r->err, OX_E_SHAPE, "input has rank %d, expected 2 or more", r->in[0]->rank);
    return ox_infer_like(r);
}

static ox_code trilu(ox_run *r)
{
    const ox_tensor *x = r->in[0];
    bool upper = ox_attr_i64(r, "upper") != 0;
    size_t size = ox_dtype_size(x->dtype);
    int64_t k, rows = x->dim[x->rank - 2], cols = x->dim[x->rank - 1];
    OX_TRY(ox_arg_scalar(r, 1, "k", 0, &k));
    k = OX_MAX(-rows, OX_MIN(k, cols));
    for (int64_t i = 0; i < ox_numel(x, 0, x->rank - 1); i++) {
        /* upper keeps j >= i + k, lower j <= i + k */
        int64_t cut = OX_MAX(0, OX_MIN(i % rows + k + (upper ? 0 : 1), cols));
        const char *from = (const char *)x->data + (size_t)(i * cols) * size;
        char *to = (char *)r->out[0]->data + (size_t)(i * cols) * size;
        size_t left = (size_t)cut * size, right = (size_t)(cols - cut) * size;
        if (upper) {
            memset(to, 0, left);
            memcpy(to + left, from + left, right);
        } else {
            memcpy(to, from, left);
            memset(to + left, 0, right);
        }
    }
    return OX_OK;
}

OX_OP(Trilu, 14) .infer = infer_trilu, .run_any = trilu, .key = OX_KEY_NONE, .flags = OX_SYMBOLIC,
    .error = { ERR_EXACT, 0 } OX_END;
