/* Scatter, ScatterElements, ScatterND, TensorScatter: a copy of the data with updates written into
 * it. Where two updates without reduction name the same place the later one stays. */
#include "kernels/move/args.h"
#include "kernels/move/box.h"
#include "kernels/move/index.h"
#include "kernels/move/scatter.h"

#include <string.h>

static const char *const reductions[] = { "none", "add", "mul", "max", "min", NULL };

static ox_code get_reduction(const ox_run *r, int *reduction)
{
    *reduction = OX_SCATTER_NONE;
    if (!ox_attr_str(r, "reduction"))
        return OX_OK;
    OX_TRY(ox_attr_enum(r, "reduction", reductions, reduction));
    if (r->since < 18 && *reduction > OX_SCATTER_MUL)
        return OX_FAIL(r->err, OX_E_VALUE, "reduction \"%s\" needs opset 18",
                       reductions[*reduction]);
    return OX_OK;
}

static void copy_data(const ox_run *r)
{
    const ox_tensor *x = r->in[0];
    ox_box b = { 1, { ox_count(x) }, { 1 }, { 1 } };
    ox_box_copy(r, ox_dtype_size(x->dtype), &b, x->data, r->out[0]->data);
}

static ox_code scatter(ox_run *r, const int64_t *at, int64_t n, int64_t slice)
{
    const ox_tensor *x = r->in[0], *y = r->out[0], *u = r->in[2];
    size_t bytes = (size_t)slice * ox_dtype_size(x->dtype);
    int reduction;
    OX_TRY(get_reduction(r, &reduction));
    copy_data(r);
    if (n == 0 || slice == 0)
        return OX_OK;
    if (reduction != OX_SCATTER_NONE)
        return ox_scatter_reduce(r, (ox_scatter){.reduction = reduction,
                                                 .n = n,
                                                 .slice = slice,
                                                 .at = at,
                                                 .updates = u->data,
                                                 .y = y->data,
                                                 .n_y = ox_count(y)});
    for (int64_t k = 0; k < n; k++)
        memcpy((char *)y->data + (size_t)at[k] * bytes, (const char *)u->data + (size_t)k * bytes,
               bytes);
    return OX_OK;
}

/* ---- Scatter, ScatterElements ---- */
static ox_code infer_elements(ox_run *r)
{
    const ox_tensor *x = r->in[0], *index = r->in[1];
    int axis;
    OX_TRY(ox_attr_axis(r, "axis", x->rank, &axis));
    OX_TRY(ox_check_elements(r, x, index, axis));
    if (!ox_shape_same(index, r->in[2]))
        return OX_FAIL(r->err, OX_E_SHAPE, "indices and updates differ in shape");
    return ox_infer_like(r);
}

static ox_code run_elements(ox_run *r)
{
    const ox_tensor *x = r->in[0], *index = r->in[1];
    const int64_t *at;
    int axis;
    int64_t n = ox_count(index);
    OX_TRY(ox_attr_axis(r, "axis", x->rank, &axis));
    OX_TRY(ox_checked_indices(r, 1, x->dim[axis], &at));
    int64_t *where = ox_scratch_array(r, (size_t)n, sizeof(*where));
    if (!where)
        return OX_NO_MEMORY(r);
    if (n > 0)
        ox_element_offsets(x, index, axis, at, where);
    return scatter(r, where, n, 1);
}

OX_OP(Scatter, 9) .infer = infer_elements, .run_any = run_elements, .key = OX_KEY_NONE,
    .error = { ERR_EXACT, 0 } OX_END;
OX_OP(ScatterElements, 11) .infer = infer_elements, .run_any = run_elements, .key = OX_KEY_NONE,
    .error = { ERR_EXACT, 0 } OX_END;
OX_OP(ScatterElements, 16) .infer = infer_elements, .run_any = run_elements, .key = OX_KEY_NONE,
    .error = { ERR_ULP, 1 } OX_END;

/* ---- ScatterND: the last dimension of indices holds tuples ---- */
static ox_code infer_nd(ox_run *r)
{
    const ox_tensor *x = r->in[0], *index = r->in[1], *u = r->in[2];
    int outer = index->rank - 1;
    int64_t tuple = outer >= 0 ? index->dim[outer] : -1;
    if (tuple < 0 || tuple > x->rank)
        return OX_FAIL(r->err, OX_E_SHAPE, "index tuples of %lld into %d dimensions",
                       (long long)tuple, x->rank);
    if (u->rank != outer + x->rank - (int)tuple)
        return OX_FAIL(r->err, OX_E_SHAPE, "updates have rank %d, expected %d", u->rank,
                       outer + x->rank - (int)tuple);
    for (int d = 0; d < u->rank; d++) {
        int64_t want = d < outer ? index->dim[d] : x->dim[d - outer + tuple];
        if (u->dim[d] != want)
            return OX_FAIL(r->err, OX_E_SHAPE, "dimension %d of updates is %lld, expected %lld", d,
                           (long long)u->dim[d], (long long)want);
    }
    return ox_infer_like(r);
}

static ox_code run_nd(ox_run *r)
{
    const ox_tensor *x = r->in[0], *index = r->in[1];
    int tuple = (int)index->dim[index->rank - 1];
    int64_t n = ox_numel(index, 0, index->rank - 1);
    int64_t *at = ox_scratch_array(r, (size_t)n, sizeof(*at));
    if (!at)
        return OX_NO_MEMORY(r);
    OX_TRY(ox_tuple_offsets(r, x, 1, 0, at));
    return scatter(r, at, n, ox_numel(x, tuple, x->rank));
}

OX_OP(ScatterND, 11) .infer = infer_nd, .run_any = run_nd, .key = OX_KEY_NONE,
    .error = { ERR_EXACT, 0 } OX_END;
OX_OP(ScatterND, 16) .infer = infer_nd, .run_any = run_nd, .key = OX_KEY_NONE,
    .error = { ERR_ULP, 1 } OX_END;

/* ---- TensorScatter: new rows of a cache, per batch entry from its own index on ---- */
static ox_code cache_axis(const ox_run *r, int *axis)
{
    const ox_tensor *x = r->in[0], *u = r->in[1];
    OX_TRY(ox_attr_axis(r, "axis", x->rank, axis));
    if (*axis == 0)
        return OX_FAIL(r->err, OX_E_SHAPE, "axis is 0, the batch dimension");
    if (u->rank != x->rank)
        return OX_FAIL(r->err, OX_E_SHAPE, "update has rank %d, past_cache has rank %d", u->rank,
                       x->rank);
    for (int d = 0; d < x->rank; d++)
        if (d == *axis ? u->dim[d] > x->dim[d] : u->dim[d] != x->dim[d])
            return OX_FAIL(r->err, OX_E_SHAPE, "dimension %d is %lld in update, %lld in past_cache",
                           d, (long long)u->dim[d], (long long)x->dim[d]);
    return OX_OK;
}

static ox_code infer_cache(ox_run *r)
{
    int axis;
    OX_TRY(cache_axis(r, &axis));
    return ox_infer_like(r);
}

static ox_code run_cache(ox_run *r)
{
    static const char *const modes[] = { "linear", "circular", NULL };
    const ox_tensor *x = r->in[0], *u = r->in[1];
    ox_ints index;
    int axis, circular;
    OX_TRY(cache_axis(r, &axis));
    OX_TRY(ox_attr_enum(r, "mode", modes, &circular));
    OX_TRY(ox_arg_ints(r, 2, &index));
    if (index.given && index.n != x->dim[0])
        return OX_FAIL(r->err, OX_E_SHAPE, "%lld write_indices for a batch of %lld",
                       (long long)index.n, (long long)x->dim[0]);
    int64_t n = u->dim[axis], size = x->dim[axis], inner = ox_numel(x, axis + 1, x->rank);
    int64_t per_batch = ox_numel(x, 1, axis);
    size_t row = (size_t)inner * ox_dtype_size(x->dtype);
    copy_data(r);
    for (int64_t k = 0; k < x->dim[0] * per_batch && n * inner > 0; k++) {
        int64_t at = index.given ? index.v[k / per_batch] : 0;
        if (circular)
            at = (at % size + size) % size;
        else if (at < 0 || at > size - n)
            return OX_FAIL(
                r->err, OX_E_VALUE, "write_indices[%lld] is %lld: %lld rows do not fit into %lld",
                (long long)(k / per_batch), (long long)at, (long long)n, (long long)size);
        int64_t first = OX_MIN(n, size - at);
        char *to = (char *)r->out[0]->data + (size_t)(k * size) * row;
        const char *from = (const char *)u->data + (size_t)(k * n) * row;
        memcpy(to + (size_t)at * row, from, (size_t)first * row);
        memcpy(to, from + (size_t)first * row, (size_t)(n - first) * row);
    }
    return OX_OK;
}

OX_OP(TensorScatter, 24) .infer = infer_cache, .run_any = run_cache, .key = OX_KEY_NONE,
    .error = { ERR_EXACT, 0 } OX_END;
