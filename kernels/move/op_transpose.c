/* Transpose, DepthToSpace, SpaceToDepth: the elements of the input in another order of dimensions.
 */
#include "kernels/move/box.h"

#include <string.h>

/* ---- Transpose: dimension i of the output is dimension perm[i] of the input ---- */
static ox_code get_perm(const ox_run *r, int perm[OX_MAX_RANK])
{
    int n, rank = r->in[0]->rank;
    const int64_t *given = ox_attr_i64s(r, "perm", &n);
    bool seen[OX_MAX_RANK] = { false };
    if (!ox_attr_given(r, "perm")) {
        for (int i = 0; i < rank; i++)
            perm[i] = rank - 1 - i;
        return OX_OK;
    }
    if (n != rank)
        return OX_FAIL(r->err, OX_E_SHAPE, "perm has %d entries, the input has rank %d", n, rank);
    for (int i = 0; i < n; i++) {
        if (given[i] < 0 || given[i] >= rank || seen[given[i]])
            return OX_FAIL(r->err, OX_E_SHAPE, "perm[%d] is %lld: no permutation of [0, %d)", i,
                           (long long)given[i], rank);
        perm[i] = (int)given[i];
        seen[perm[i]] = true;
    }
    return OX_OK;
}

static ox_code infer_transpose(ox_run *r)
{
    const ox_tensor *x = r->in[0];
    int perm[OX_MAX_RANK];
    int64_t dim[OX_MAX_RANK];
    OX_TRY(get_perm(r, perm));
    for (int i = 0; i < x->rank; i++)
        dim[i] = x->dim[perm[i]];
    ox_out_shape(r, 0, x->rank, dim);
    return OX_OK;
}

static ox_code transpose(ox_run *r)
{
    const ox_tensor *x = r->in[0], *y = r->out[0];
    int perm[OX_MAX_RANK];
    int64_t sx[OX_MAX_RANK], sy[OX_MAX_RANK];
    ox_box b = { 0 };
    OX_TRY(get_perm(r, perm));
    ox_dense_strides(sx, x->rank, x->dim);
    ox_dense_strides(sy, y->rank, y->dim);
    for (int i = 0; i < y->rank; i++)
        ox_box_add(&b, y->dim[i], sx[perm[i]], sy[i]);
    ox_box_copy(r, ox_dtype_size(x->dtype), &b, x->data, y->data);
    return OX_OK;
}

OX_OP(Transpose, 1) .infer = infer_transpose, .run_any = transpose, .key = OX_KEY_NONE,
    .flags = OX_SYMBOLIC, .error = { ERR_EXACT, 0 } OX_END;

/* ---- DepthToSpace, SpaceToDepth: blocks of b x b pixels from or to channels ---- */
static const char *const modes[] = { "DCR", "CRD", NULL };

/* Block size and order; neither may be trusted. */
static ox_code get_block(const ox_run *r, int64_t *block, int *crd)
{
    *block = ox_attr_i64(r, "blocksize");
    *crd = 0;
    if (r->in[0]->rank != 4)
        return OX_FAIL(r->err, OX_E_SHAPE, "input has rank %d, expected 4 (N,C,H,W)",
                       r->in[0]->rank);
    if (*block < 1 || *block > INT32_MAX)
        return OX_FAIL(r->err, OX_E_VALUE, "blocksize is %lld", (long long)*block);
    if (ox_attr_str(r, "mode"))
        OX_TRY(ox_attr_enum(r, "mode", modes, crd));
    return OX_OK;
}

static ox_code infer_d2s(ox_run *r)
{
    const int64_t *d = r->in[0]->rank == 4 ? r->in[0]->dim : NULL;
    int64_t b;
    int crd;
    OX_TRY(get_block(r, &b, &crd));
    if (d[1] >= 0 && d[1] % (b * b))
        return OX_FAIL(r->err, OX_E_SHAPE, "%lld channels do not divide by blocksize^2 = %lld",
                       (long long)d[1], (long long)(b * b));
    int64_t dim[4] = {d[0], ox_dim_div(r, d[1], b * b), ox_dim_mul(r, d[2], b),
                      ox_dim_mul(r, d[3], b)};
    ox_out_shape(r, 0, 4, dim);
    return OX_OK;
}

static ox_code infer_s2d(ox_run *r)
{
    const int64_t *d = r->in[0]->rank == 4 ? r->in[0]->dim : NULL;
    int64_t b;
    int crd;
    OX_TRY(get_block(r, &b, &crd));
    if ((d[2] >= 0 && d[2] % b) || (d[3] >= 0 && d[3] % b))
        return OX_FAIL(r->err, OX_E_SHAPE, "%lld x %lld pixels do not divide by blocksize %lld",
                       (long long)d[2], (long long)d[3], (long long)b);
    int64_t dim[4] = {d[0], ox_dim_mul(r, d[1], b * b), ox_dim_div(r, d[2], b),
                      ox_dim_div(r, d[3], b)};
    ox_out_shape(r, 0, 4, dim);
    return OX_OK;
}

/* y is (n, c, h, i, w, j): pixel (i, j) of each block comes from channel (i, j, c), or (c, i, j) */
static ox_code depth_to_space(ox_run *r)
{
    const ox_tensor *x = r->in[0], *y = r->out[0];
    int64_t b, c = y->dim[1], h = x->dim[2], w = x->dim[3], plane = h * w;
    int crd;
    ox_box box = { 0 };
    OX_TRY(get_block(r, &b, &crd));
    ox_box_add(&box, y->dim[0], c * b * b * plane, c * b * b * plane);
    ox_box_add(&box, c, crd ? b * b * plane : plane, b * b * plane);
    ox_box_add(&box, h, w, b * w * b);
    ox_box_add(&box, b, crd ? b * plane : b * c * plane, w * b);
    ox_box_add(&box, w, 1, b);
    ox_box_add(&box, b, crd ? plane : c * plane, 1);
    ox_box_copy(r, ox_dtype_size(x->dtype), &box, x->data, y->data);
    return OX_OK;
}

/* The same with source and target exchanged, in the order of the target. */
static ox_code space_to_depth(ox_run *r)
{
    const ox_tensor *x = r->in[0], *y = r->out[0];
    int64_t b, c = x->dim[1], h = y->dim[2], w = y->dim[3], plane = h * w;
    int crd;
    ox_box box = { 0 };
    OX_TRY(get_block(r, &b, &crd));
    ox_box_add(&box, x->dim[0], c * b * b * plane, c * b * b * plane);
    if (crd)
        ox_box_add(&box, c, b * b * plane, b * b * plane);
    ox_box_add(&box, b, w * b, crd ? b * plane : b * c * plane);
    ox_box_add(&box, b, 1, crd ? plane : c * plane);
    if (!crd)
        ox_box_add(&box, c, b * b * plane, plane);
    ox_box_add(&box, h, b * w * b, w);
    ox_box_add(&box, w, b, 1);
    ox_box_copy(r, ox_dtype_size(x->dtype), &box, x->data, y->data);
    return OX_OK;
}

OX_OP(DepthToSpace, 1) .infer = infer_d2s, .run_any = depth_to_space, .key = OX_KEY_NONE,
    .flags = OX_SYMBOLIC, .error = { ERR_EXACT, 0 } OX_END;
OX_OP(SpaceToDepth, 1) .infer = infer_s2d, .run_any = space_to_depth, .key = OX_KEY_NONE,
    .flags = OX_SYMBOLIC, .error = { ERR_EXACT, 0 } OX_END;
