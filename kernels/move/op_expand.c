/* Expand and Tile: elements repeated along dimensions, by source strides of 0. */
#include "kernels/move/args.h"
#include "kernels/move/box.h"

/* ---- Expand: numpy's broadcast of the input and a shape ---- */
static ox_code infer_expand(ox_run *r)
{
    const ox_tensor *x = r->in[0];
    ox_ints shape;
    int64_t dim[OX_MAX_RANK];
    int rank;
    OX_TRY(ox_arg_ints(r, 1, &shape));
    if (!shape.known) {
        const ox_tensor *s = r->in[1];
        return s->rank == 1 && s->dim[0] >= x->rank ? ox_unknown_shape(r, 1) : OX_OK;
    }
    OX_TRY(ox_arg_shape(r, &shape, &rank, dim));
    OX_TRY(ox_broadcast(r, &rank, dim, x->rank, x->dim));
    ox_out_shape(r, 0, rank, dim);
    return OX_OK;
}

static ox_code expand(ox_run *r)
{
    const ox_tensor *x = r->in[0], *y = r->out[0];
    int64_t sx[OX_MAX_RANK], sy[OX_MAX_RANK];
    ox_box b = { 0 };
    ox_dense_strides(sx, x->rank, x->dim);
    ox_dense_strides(sy, y->rank, y->dim);
    for (int d = 0; d < y->rank; d++) {
        int k = d - (y->rank - x->rank);
        ox_box_add(&b, y->dim[d], k < 0 || x->dim[k] == 1 ? 0 : sx[k], sy[d]);
    }
    ox_box_copy(r, ox_dtype_size(x->dtype), &b, x->data, y->data);
    return OX_OK;
}

OX_OP(Expand, 8) .infer = infer_expand, .run_any = expand, .key = OX_KEY_NONE, .flags = OX_SYMBOLIC,
    .error = { ERR_EXACT, 0 } OX_END;

/* ---- Tile: repeats[d] copies side by side in dimension d; version 1 names one axis ---- */
static ox_code get_repeats(ox_run *r, int64_t repeats[OX_MAX_RANK], bool *known)
{
    int rank = r->in[0]->rank, axis;
    ox_ints a, b = { .known = true };
    OX_TRY(ox_arg_ints(r, 1, &a));
    if (r->since == 1)
        OX_TRY(ox_arg_ints(r, 2, &b));
    if (!(*known = a.known && b.known))
        return OX_OK;
    for (int d = 0; d < rank; d++)
        repeats[d] = 1;
    if (r->since == 1) {
        if (a.n != 1 || b.n != 1)
            return OX_FAIL(r->err, OX_E_SHAPE,
                           "tiles and axis have %lld and %lld elements, expected 1", (long long)a.n,
                           (long long)b.n);
        OX_TRY(ox_axis(r, b.v[0], rank, &axis));
        repeats[axis] = a.v[0];
    } else if (a.n != rank) {
        return OX_FAIL(r->err, OX_E_SHAPE, "repeats has %lld elements, the input has rank %d",
                       (long long)a.n, rank);
    } else {
        for (int d = 0; d < rank; d++)
            repeats[d] = a.v[d];
    }
    for (int d = 0; d < rank; d++)
        if (repeats[d] < 0)
            return OX_FAIL(r->err, OX_E_VALUE, "repeats[%d] is %lld", d, (long long)repeats[d]);
    return OX_OK;
}

static ox_code infer_tile(ox_run *r)
{
    const ox_tensor *x = r->in[0];
    int64_t repeats[OX_MAX_RANK], dim[OX_MAX_RANK];
    bool known;
    OX_TRY(get_repeats(r, repeats, &known));
    for (int d = 0; d < x->rank; d++) {
        dim[d] = known ? ox_dim_mul(r, x->dim[d], repeats[d]) : OX_DIM_UNKNOWN;
        if (known && x->dim[d] >= 0 && dim[d] < 0)
            return OX_FAIL(r->err, OX_E_LIMIT, "%lld times %lld overflows", (long long)repeats[d],
                           (long long)x->dim[d]);
    }
    ox_out_shape(r, 0, x->rank, dim);
    return OX_OK;
}

static ox_code tile(ox_run *r)
{
    const ox_tensor *x = r->in[0], *y = r->out[0];
    int64_t repeats[OX_MAX_RANK], sx[OX_MAX_RANK], sy[OX_MAX_RANK];
    ox_box b = { 0 };
    bool known;
    OX_TRY(get_repeats(r, repeats, &known));
    ox_dense_strides(sx, x->rank, x->dim);
    ox_dense_strides(sy, y->rank, y->dim);
    for (int d = 0; d < y->rank; d++) {
        ox_box_add(&b, repeats[d], 0, x->dim[d] * sy[d]);
        ox_box_add(&b, x->dim[d], sx[d], sy[d]);
    }
    ox_box_copy(r, ox_dtype_size(x->dtype), &b, x->data, y->data);
    return OX_OK;
}

OX_OP(Tile, 1) .infer = infer_tile, .run_any = tile, .key = OX_KEY_NONE, .flags = OX_SYMBOLIC,
    .error = { ERR_EXACT, 0 } OX_END;
