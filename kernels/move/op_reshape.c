/* Reshape, Flatten, Squeeze, Unsqueeze: the same elements under another shape.  All are views: the
 * executor hands the memory on and calls no kernel, so only the shape rules are here. */
#include "kernels/move/args.h"

#include <string.h>

static ox_code too_deep(ox_run *r, int64_t rank)
{
    return OX_FAIL(r->err, OX_E_LIMIT, "rank %lld is more than %d", (long long)rank, OX_MAX_RANK);
}

/* ---- Reshape: 0 keeps the input's dimension (unless allowzero), one -1 takes what is left ---- */
static ox_code reshape_to(ox_run *r, const int64_t *shape, int64_t n, bool allow_zero)
{
    const ox_tensor *x = r->in[0];
    int64_t dim[OX_MAX_RANK], total = 1, left = 1;
    int infer = -1;
    if (n > OX_MAX_RANK)
        return too_deep(r, n);
    for (int i = 0; i < n; i++) {
        dim[i] = shape[i];
        if (dim[i] == 0 && !allow_zero) {
            if (i >= x->rank)
                return OX_FAIL(r->err, OX_E_SHAPE, "shape[%d] is 0 but the input has rank %d", i, x->rank);
            dim[i] = x->dim[i];
        } else if (dim[i] == -1) {
            if (infer >= 0)
                return OX_FAIL(r->err, OX_E_SHAPE, "shape has -1 at %d and at %d", infer, i);
            infer = i;
            continue;
        } else if (dim[i] < -1) {
            return OX_FAIL(r->err, OX_E_SHAPE, "shape[%d] is %lld", i, (long long)dim[i]);
        }
        left = ox_dim_mul(r, left, dim[i]);
    }
    bool cancelled = false;
    for (int i = 0; i < x->rank; i++)
        total = ox_dim_mul(r, total, x->dim[i]);
    if (total < 0 && infer >= 0) { /* symbols that are kept cancel out of the -1 */
        int64_t rest = 1, kept = 1;
        cancelled = true;
        for (int i = 0; i < x->rank; i++) {
            bool same = x->dim[i] < 0 && i < n && i != infer && dim[i] == x->dim[i];
            rest = same ? rest : ox_dim_mul(r, rest, x->dim[i]);
        }
        for (int i = 0; i < n; i++) {
            bool same = i != infer && dim[i] < 0 && i < x->rank && dim[i] == x->dim[i];
            kept = same || i == infer ? kept : ox_dim_mul(r, kept, dim[i]);
        }
        dim[infer] = kept > 0 ? ox_dim_div(r, rest, kept) : OX_DIM_UNKNOWN;
    }
    if (infer >= 0 && !cancelled) {
        if (left < 0)
            dim[infer] = OX_DIM_UNKNOWN;
        else if (left == 0 || total % left != 0)
            return OX_FAIL(r->err, OX_E_SHAPE, "%lld elements do not divide into %lld", (long long)total,
                           (long long)left);
        else
            dim[infer] = total / left;
    } else if (infer < 0 && total >= 0 && left >= 0 && total != left) {
        return OX_FAIL(r->err, OX_E_SHAPE, "%lld elements cannot have a shape of %lld", (long long)total,
                       (long long)left);
    }
    ox_out_shape(r, 0, (int)n, dim);
    return OX_OK;
}

static ox_code infer_reshape_1(ox_run *r)
{
    int n;
    const int64_t *shape = ox_attr_i64s(r, "shape", &n);
    return reshape_to(r, shape, n, false);
}

static ox_code infer_reshape_5(ox_run *r)
{
    int64_t n;
    if (!ox_in_known(r, 1))
        return ox_unknown_shape(r, 1);
    const int64_t *shape = ox_in_i64s(r, 1, &n);
    if (!shape && ox_count(r->in[1]) > 0)
        return OX_NO_MEMORY(r);
    return reshape_to(r, shape, n, ox_attr_i64(r, "allowzero") != 0);
}

/* ---- Flatten: [0, axis) x [axis, rank) ---- */
static ox_code infer_flatten(ox_run *r)
{
    const ox_tensor *x = r->in[0];
    int64_t axis = ox_attr_i64(r, "axis"), dim[2] = { 1, 1 };
    if (axis < (r->since < 11 ? 0 : -x->rank) || axis > x->rank)
        return OX_FAIL(r->err, OX_E_SHAPE, "axis %lld outside [%d, %d]", (long long)axis,
                       r->since < 11 ? 0 : -x->rank, x->rank);
    axis += axis < 0 ? x->rank : 0;
    for (int i = 0; i < x->rank; i++)
        dim[i >= axis] = ox_dim_mul(r, dim[i >= axis], x->dim[i]);
    ox_out_shape(r, 0, 2, dim);
    return OX_OK;
}

/* ---- Squeeze, Unsqueeze: axes are an attribute before opset 13, an input since ---- */
/* *axes is NULL where none are given; *known is false while an axes input has no value yet. */
static ox_code get_axes(ox_run *r, const int64_t **axes, int64_t *n, bool *known)
{
    *known = true;
    *n = 0;
    *axes = NULL;
    if (r->since < 13) {
        int count;
        *axes = ox_attr_i64s(r, "axes", &count);
        *n = count;
        return OX_OK;
    }
    if (r->n_in < 2 || !r->in[1])
        return OX_OK;
    if (!(*known = ox_in_known(r, 1)))
        return OX_OK;
    *axes = ox_in_i64s(r, 1, n);
    return *axes || ox_count(r->in[1]) == 0 ? OX_OK : OX_NO_MEMORY(r);
}

/* Marks axes of a tensor of that rank; fails on one out of range or named twice. */
static ox_code mark_axes(ox_run *r, const int64_t *axes, int64_t n, int rank, bool marked[OX_MAX_RANK])
{
    memset(marked, 0, OX_MAX_RANK * sizeof(*marked));
    for (int64_t i = 0; i < n; i++) {
        int axis;
        OX_TRY(ox_axis(r, axes[i], rank, &axis));
        if (marked[axis])
            return OX_FAIL(r->err, OX_E_SHAPE, "axis %d is named twice", axis);
        marked[axis] = true;
    }
    return OX_OK;
}

static ox_code infer_squeeze(ox_run *r)
{
    const ox_tensor *x = r->in[0];
    const int64_t *axes;
    int64_t n, dim[OX_MAX_RANK];
    bool known, drop[OX_MAX_RANK];
    int rank = 0;
    OX_TRY(get_axes(r, &axes, &n, &known));
    if (!known)
        return OX_OK;
    OX_TRY(mark_axes(r, axes, n, x->rank, drop));
    for (int i = 0; i < x->rank; i++) {
        if (n == 0 && x->dim[i] < 0)
            return OX_OK; /* whether a symbol is 1 decides the rank */
        if (n == 0)
            drop[i] = x->dim[i] == 1;
        if (drop[i] && x->dim[i] != 1 && x->dim[i] >= 0)
            return OX_FAIL(r->err, OX_E_SHAPE, "cannot squeeze dimension %d of size %lld", i,
                           (long long)x->dim[i]);
        if (!drop[i])
            dim[rank++] = x->dim[i];
    }
    ox_out_shape(r, 0, rank, dim);
    return OX_OK;
}

static ox_code infer_unsqueeze(ox_run *r)
{
    const ox_tensor *x = r->in[0];
    const int64_t *axes;
    int64_t n, dim[OX_MAX_RANK];
    bool known, added[OX_MAX_RANK];
    OX_TRY(get_axes(r, &axes, &n, &known));
    if (!known)
        return OX_OK;
    if (n > OX_MAX_RANK - x->rank)
        return too_deep(r, x->rank + n);
    int rank = x->rank + (int)n, from = 0;
    OX_TRY(mark_axes(r, axes, n, rank, added));
    for (int i = 0; i < rank; i++)
        dim[i] = added[i] ? 1 : x->dim[from++];
    ox_out_shape(r, 0, rank, dim);
    return OX_OK;
}

OX_OP(Reshape, 1) .infer = infer_reshape_1, .run_any = ox_run_view, .key = OX_KEY_NONE,
    .flags = OX_VIEW | OX_SYMBOLIC, .error = { ERR_EXACT, 0 } OX_END;
OX_OP(Reshape, 5) .infer = infer_reshape_5, .run_any = ox_run_view, .key = OX_KEY_NONE,
    .flags = OX_VIEW | OX_SYMBOLIC, .error = { ERR_EXACT, 0 } OX_END;
OX_OP(Flatten, 1) .infer = infer_flatten, .run_any = ox_run_view, .key = OX_KEY_NONE,
    .flags = OX_VIEW | OX_SYMBOLIC, .error = { ERR_EXACT, 0 } OX_END;
OX_OP(Squeeze, 1) .infer = infer_squeeze, .run_any = ox_run_view, .key = OX_KEY_NONE,
    .flags = OX_VIEW | OX_SYMBOLIC, .error = { ERR_EXACT, 0 } OX_END;
OX_OP(Unsqueeze, 1) .infer = infer_unsqueeze, .run_any = ox_run_view, .key = OX_KEY_NONE,
    .flags = OX_VIEW | OX_SYMBOLIC, .error = { ERR_EXACT, 0 } OX_END;
