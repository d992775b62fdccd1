/* Concat and Split: tensors joined along one axis, or cut there. */
#include "kernels/move/args.h"
#include "kernels/move/box.h"

/* ---- Concat ---- */
static ox_code concat_axis(const ox_run *r, int *axis)
{
    bool old =
        r->since < 4 && !ox_attr_given(r, "axis"); /* the default of version 1 is in its text */
    return ox_axis(r, old ? 1 : ox_attr_i64(r, "axis"), r->in[0]->rank, axis);
}

static ox_code infer_concat(ox_run *r)
{
    int axis, rank;
    int64_t dim[OX_MAX_RANK];
    if (!r->in[0])
        return OX_FAIL(r->err, OX_E_GRAPH, "input 0 is absent");
    rank = r->in[0]->rank;
    OX_TRY(concat_axis(r, &axis));
    for (int d = 0; d < rank; d++)
        dim[d] = r->in[0]->dim[d];
    for (int i = 1; i < r->n_in; i++) {
        const ox_tensor *x = r->in[i];
        if (!x || x->rank != rank)
            return OX_FAIL(r->err, OX_E_SHAPE, "input %d has rank %d, input 0 has rank %d", i,
                           x ? x->rank : 0, rank);
        for (int d = 0; d < rank; d++) {
            if (d == axis)
                dim[d] = ox_dim_add(r, dim[d], x->dim[d]);
            else if (dim[d] >= 0 && x->dim[d] >= 0 && dim[d] != x->dim[d])
                return OX_FAIL(r->err, OX_E_SHAPE,
                               "dimension %d of input %d is %lld, expected %lld", d, i,
                               (long long)x->dim[d], (long long)dim[d]);
            else
                dim[d] = OX_MAX(dim[d], x->dim[d]); /* a known size, else any name for it */
        }
    }
    ox_out_shape(r, 0, rank, dim);
    return OX_OK;
}

static ox_code concat(ox_run *r)
{
    const ox_tensor *y = r->out[0];
    size_t size = ox_dtype_size(y->dtype);
    int axis;
    OX_TRY(concat_axis(r, &axis));
    int64_t outer = ox_numel(y, 0, axis), inner = ox_numel(y, axis + 1, y->rank),
            row = y->dim[axis] * inner;
    char *to = y->data;
    for (int i = 0; i < r->n_in; i++) {
        int64_t n = r->in[i]->dim[axis] * inner;
        ox_box b = { 2, { outer, n }, { n, 1 }, { row, 1 } };
        if (r->in[i]->data != to) /* else made there */
            ox_box_copy(r, size, &b, r->in[i]->data, to);
        to += (size_t)n * size;
    }
    return OX_OK;
}

static bool joint(const ox_run *r)
{
    int axis;
    return concat_axis(r, &axis) == OX_OK && ox_numel(r->out[0], 0, axis) == 1;
}

OX_OP(Concat, 1) .infer = infer_concat, .run_any = concat, .key = OX_KEY_NONE, .flags = OX_SYMBOLIC,
    .joint = joint, .error = { ERR_EXACT, 0 } OX_END;

/* ---- Split ---- */
/* Lengths of the parts: an attribute before opset 13, an input since (and, as numbers of the
 * tensor's own type, in version 1).  Not given: equal parts. */
static ox_code split_lengths(ox_run *r, ox_ints *lengths)
{
    *lengths = ox_arg_attr(r, "split");
    if (r->since >= 13 || !lengths->given)
        OX_TRY(ox_arg_ints(r, 1, lengths));
    if (lengths->given && lengths->known && lengths->n != r->n_out)
        return OX_FAIL(r->err, OX_E_SHAPE, "split has %lld entries, the node has %d outputs",
                       (long long)lengths->n, r->n_out);
    return OX_OK;
}

/* Length of part i of `size`; at is where it starts. */
static ox_code part(const ox_run *r, const ox_ints *lengths, int64_t size, int i, int64_t at,
                    int64_t *n)
{
    if (lengths->given) {
        *n = lengths->v[i];
        if (*n < 0 || *n > size - at)
            return OX_FAIL(r->err, OX_E_SHAPE, "split[%d] is %lld, %lld of %lld are left", i,
                           (long long)*n, (long long)(size - at), (long long)size);
        if (i == r->n_out - 1 && at + *n != size)
            return OX_FAIL(r->err, OX_E_SHAPE, "split adds up to %lld, the dimension is %lld",
                           (long long)(at + *n), (long long)size);
        return OX_OK;
    }
    int64_t chunk = size / r->n_out + (size % r->n_out != 0);
    if (r->since < 18 && size % r->n_out)
        return OX_FAIL(r->err, OX_E_SHAPE, "%lld do not divide into %d equal parts",
                       (long long)size, r->n_out);
    *n = OX_MAX(0, OX_MIN(chunk, size - at));
    return OX_OK;
}

static ox_code infer_split(ox_run *r)
{
    const ox_tensor *x = r->in[0];
    ox_ints lengths;
    int64_t dim[OX_MAX_RANK], at = 0;
    int axis;
    OX_TRY(ox_attr_axis(r, "axis", x->rank, &axis));
    OX_TRY(split_lengths(r, &lengths));
    if (ox_attr_given(r, "num_outputs") && ox_attr_i64(r, "num_outputs") != r->n_out)
        return OX_FAIL(r->err, OX_E_SHAPE, "num_outputs is %lld, the node has %d outputs",
                       (long long)ox_attr_i64(r, "num_outputs"), r->n_out);
    for (int d = 0; d < x->rank; d++)
        dim[d] = x->dim[d];
    for (int i = 0; i < r->n_out; i++) {
        if (lengths.known && x->dim[axis] >= 0)
            OX_TRY(part(r, &lengths, x->dim[axis], i, at, &dim[axis]));
        else if (lengths.known && lengths.given)
            dim[axis] = OX_MAX(lengths.v[i], OX_DIM_UNKNOWN);
        else
            dim[axis] = lengths.known && r->since < 18 ? ox_dim_div(r, x->dim[axis], r->n_out)
                                                       : OX_DIM_UNKNOWN;
        at += x->dim[axis] >= 0 ? OX_MAX(dim[axis], 0) : 0;
        ox_out_shape(r, i, x->rank, dim);
    }
    return OX_OK;
}

static ox_code split(ox_run *r)
{
    const ox_tensor *x = r->in[0];
    ox_ints lengths;
    size_t size = ox_dtype_size(x->dtype);
    int axis;
    OX_TRY(ox_attr_axis(r, "axis", x->rank, &axis));
    OX_TRY(split_lengths(r, &lengths));
    int64_t outer = ox_numel(x, 0, axis), inner = ox_numel(x, axis + 1, x->rank), at = 0;
    for (int i = 0; i < r->n_out; i++) {
        int64_t n = 0;
        OX_TRY(part(r, &lengths, x->dim[axis], i, at, &n));
        ox_box b = { 2, { outer, n * inner }, { x->dim[axis] * inner, 1 }, { n * inner, 1 } };
        if (r->out[i])
            ox_box_copy(r, size, &b, (const char *)x->data + (size_t)(at * inner) * size,
                        r->out[i]->data);
        at += n;
    }
    return OX_OK;
}

OX_OP(Split, 1) .infer = infer_split, .run_any = split, .key = OX_KEY_NONE, .flags = OX_SYMBOLIC,
    .error = { ERR_EXACT, 0 } OX_END;
