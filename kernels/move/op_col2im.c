/* Col2Im: columns of blocks added back into an image; what lies in the padding is dropped. */
#ifdef T /* ---- once per dtype ---- */

#if BITS == 8 && !IS_SIGNED /* bool shares this pass */
#define PUT(y, v) ST(y, g->is_bool ? (v) != 0 : (C)(v))
#else
#define PUT(y, v) ST(y, (C)(v))
#endif

static void FN(plane)(void *ctx, int64_t plane, int worker)
{
    const col2im *g = ctx;
    int64_t parts = g->parts, n_in = g->n_block * g->n_col;
    const T *x = (const T *)g->x + plane * n_in * parts;
    T *y = (T *)g->y + plane * g->n_image * parts;
    A *sum = (A *)(void *)g->sums + worker * g->n_image * parts;
    for (int64_t i = 0; i < g->n_image * parts; i++)
        sum[i] = 0;
    for (int64_t i = 0; i < n_in; i++)
        for (int64_t k = 0; k < parts && g->to[i] >= 0; k++)
#if IS_FLOAT
            sum[g->to[i] * parts + k] += (A)LD(x + i * parts + k);
#else
            sum[g->to[i] * parts + k] =
                (A)((uint64_t)sum[g->to[i] * parts + k] + (uint64_t)LD(x + i * parts + k));
#endif
    for (int64_t i = 0; i < g->n_image * parts; i++)
        PUT(y + i, sum[i]);
}

static ox_code FN(run)(ox_run *r)
{
    col2im g;
    OX_TRY(get_col2im(r, &g));
    size_t n;
    if (!ox_mul_size(&n, (size_t)ox_pool_threads(r->pool), (size_t)(g.n_image * g.parts)) ||
        !(g.sums = ox_scratch_array(r, n, sizeof(A))))
        return OX_NO_MEMORY(r);
    ox_parallel(r, g.n_plane, FN(plane), &g);
    return OX_OK;
}
#undef PUT

#else /* ---- once ---- */
#include "kernels/move/args.h"

#include <math.h>
#include <string.h>

typedef struct col2im {
    int            rank; /* spatial dimensions */
    int64_t        image[OX_MAX_RANK], block[OX_MAX_RANK], col[OX_MAX_RANK];
    int64_t        stride[OX_MAX_RANK], dilation[OX_MAX_RANK], pad[OX_MAX_RANK];
    int64_t        n_image, n_block, n_col, n_plane;
    int64_t        parts; /* numbers in an element: 2 for complex ones */
    const int64_t *to;    /* [n_block, n_col]: position in the image, -1: in the padding */
    const void    *x;
    void          *y;
    char          *sums;  /* an image for each worker */
    bool           is_bool;
} col2im;

/* Attribute of that many entries, each at least `least`; `absent` where it is not given. */
static ox_code spatial(const ox_run *r, const char *name, int want, int64_t least, int64_t absent,
                       int64_t *v)
{
    ox_ints a = ox_arg_attr(r, name);
    if (a.given && a.n != want)
        return OX_FAIL(r->err, OX_E_SHAPE, "%s has %lld entries, expected %d", name, (long long)a.n,
                       want);
    for (int i = 0; i < want; i++) {
        v[i] = a.given ? a.v[i] : absent;
        if (v[i] < least || v[i] > INT32_MAX)
            return OX_FAIL(r->err, OX_E_VALUE, "%s[%d] is %lld", name, i, (long long)v[i]);
    }
    return OX_OK;
}

/* All but memory and offsets; *known is false while image_shape or block_shape has no value. */
static ox_code get_shape(ox_run *r, col2im *g, bool *known)
{
    ox_ints image, block;
    int64_t pads[2 * OX_MAX_RANK];
    const ox_tensor *x = r->in[0];
    memset(g, 0, sizeof(*g));
    OX_TRY(ox_arg_ints(r, 1, &image));
    OX_TRY(ox_arg_ints(r, 2, &block));
    if (x->rank != 3)
        return OX_FAIL(r->err, OX_E_SHAPE, "input has rank %d, expected 3 (N, C * block, L)",
                       x->rank);
    if (!(*known = image.known && block.known))
        return OX_OK;
    if (image.n != block.n || image.n < 1 || image.n > OX_MAX_RANK - 2)
        return OX_FAIL(r->err, OX_E_SHAPE, "image_shape has %lld entries, block_shape %lld",
                       (long long)image.n, (long long)block.n);
    g->rank = (int)image.n;
    OX_TRY(spatial(r, "strides", g->rank, 1, 1, g->stride));
    OX_TRY(spatial(r, "dilations", g->rank, 1, 1, g->dilation));
    OX_TRY(spatial(r, "pads", 2 * g->rank, 0, 0, pads));
    for (int d = 0; d < g->rank; d++) {
        if (image.v[d] < 1 || block.v[d] < 1 || image.v[d] > INT32_MAX || block.v[d] > INT32_MAX)
            return OX_FAIL(r->err, OX_E_VALUE, "dimension %d: image %lld, block %lld", d,
                           (long long)image.v[d], (long long)block.v[d]);
        int64_t span = g->dilation[d] * (block.v[d] - 1) + 1;
        int64_t room = image.v[d] + pads[d] + pads[d + g->rank] - span;
        g->image[d] = image.v[d];
        g->block[d] = block.v[d];
        g->pad[d] = pads[d];
        g->col[d] = room < 0 ? 0 : room / g->stride[d] + 1;
    }
    OX_TRY(ox_shape_count(&g->n_image, OX_F64, g->rank, g->image, r->err));
    OX_TRY(ox_shape_count(&g->n_block, OX_F64, g->rank, g->block, r->err));
    OX_TRY(ox_shape_count(&g->n_col, OX_F64, g->rank, g->col, r->err));
    if ((x->dim[1] >= 0 && x->dim[1] % g->n_block) || (x->dim[2] >= 0 && x->dim[2] != g->n_col))
        return OX_FAIL(r->err, OX_E_SHAPE,
                       "input is %lld x %lld, a block has %lld elements and the image %lld "
                       "blocks",
                       (long long)x->dim[1], (long long)x->dim[2], (long long)g->n_block,
                       (long long)g->n_col);
    return OX_OK;
}

static ox_code infer(ox_run *r)
{
    col2im g;
    bool known;
    int64_t dim[OX_MAX_RANK] = { r->in[0]->dim[0] };
    OX_TRY(get_shape(r, &g, &known));
    if (!known)
        return OX_OK;
    dim[1] = ox_dim_div(r, r->in[0]->dim[1], g.n_block);
    memcpy(dim + 2, g.image, (size_t)g.rank * sizeof(*dim));
    ox_out_shape(r, 0, 2 + g.rank, dim);
    return OX_OK;
}

/* Position in the image of element b of the block at column c; -1: in the padding. */
static int64_t position(const col2im *g, int64_t b, int64_t c)
{
    int64_t at = 0, step = 1;
    for (int d = g->rank - 1; d >= 0; d--) {
        int64_t i = c % g->col[d] * g->stride[d] + b % g->block[d] * g->dilation[d] - g->pad[d];
        if (i < 0 || i >= g->image[d])
            return -1;
        at += i * step;
        step *= g->image[d];
        c /= g->col[d];
        b /= g->block[d];
    }
    return at;
}

static ox_code get_col2im(ox_run *r, col2im *g)
{
    const ox_tensor *x = r->in[0];
    bool known;
    OX_TRY(get_shape(r, g, &known));
    int64_t *to = ox_scratch_array(r, (size_t)(g->n_block * g->n_col), sizeof(*to));
    if (!to)
        return OX_NO_MEMORY(r);
    for (int64_t b = 0; b < g->n_block; b++)
        for (int64_t c = 0; c < g->n_col; c++)
            to[b * g->n_col + c] = position(g, b, c);
    g->to = to;
    g->x = x->data;
    g->y = r->out[0]->data;
    g->n_plane = x->dim[0] * (x->dim[1] / g->n_block);
    g->is_bool = x->dtype == OX_BOOL;
    g->parts = ox_dtype_class(x->dtype) == OX_CLASS_COMPLEX ? 2 : 1;
    return OX_OK;
}

/* Strings cannot be added: they only move, and two in one place are an error. */
static ox_code run_str(ox_run *r)
{
    col2im g;
    OX_TRY(get_col2im(r, &g));
    const ox_str *x = g.x;
    ox_str *y = g.y;
    bool *taken = ox_scratch_array(r, (size_t)g.n_image, sizeof(*taken));
    if (!taken)
        return OX_NO_MEMORY(r);
    memset(y, 0, (size_t)(g.n_plane * g.n_image) * sizeof(*y));
    for (int64_t p = 0; p < g.n_plane; p++) {
        memset(taken, 0, (size_t)g.n_image * sizeof(*taken));
        for (int64_t i = 0; i < g.n_block * g.n_col; i++, x++) {
            if (g.to[i] < 0)
                continue;
            if (taken[g.to[i]])
                return OX_FAIL(r->err, OX_E_TYPE,
                               "two strings meet at position %lld and cannot be added",
                               (long long)g.to[i]);
            taken[g.to[i]] = true;
            y[p * g.n_image + g.to[i]] = *x;
        }
    }
    return OX_OK;
}

static ox_code oracle(ox_oracle *o)
{
    const ox_run *r = o->r;
    col2im g;
    bool known;
    ox_run copy = *r;
    OX_TRY(get_shape(&copy, &g, &known));
    int64_t n_y = ox_count(r->out[0]), n_in = g.n_block * g.n_col;
    for (int64_t i = 0; i < n_y; i++)
        o->out[0][i] = o->mag[0][i] = 0;
    for (int64_t i = 0; i < ox_count(r->in[0]); i++) {
        int64_t at = position(&g, i % n_in / g.n_col, i % g.n_col);
        if (at < 0)
            continue;
        o->out[0][i / n_in * g.n_image + at] += o->in[0][i];
        o->mag[0][i / n_in * g.n_image + at] += fabs(o->in[0][i]);
    }
    return OX_OK;
}

#define TYPES MASK_NUM
#define TMPL  "kernels/move/op_col2im.c"
#include "runtime/tensor/each_dtype.h"

OX_OP(Col2Im, 18) .infer = infer, .oracle = oracle, .error = { ERR_SUM, 2 }, .flags = OX_SYMBOLIC,
    .run = { KERNELS(run, NUM), [OX_BOOL] = run_u8, [OX_C64] = run_f32, [OX_C128] = run_f64,
             [OX_STR] = run_str } OX_END;
#endif
