/* Tensors made of few values: ConstantOfShape, EyeLike, OneHot, and ConstantFill and
 * GivenTensorFill of old Caffe2 exports. */
#include "kernels/move/args.h"
#include "kernels/move/box.h"

#include <string.h>

/* ---- ConstantOfShape ---- */
static ox_code infer_constant(ox_run *r)
{
    const ox_tensor *value = ox_attr_tensor(r, "value");
    ox_ints shape;
    int rank;
    int64_t dim[OX_MAX_RANK];
    if (value && ox_count(value) != 1)
        return OX_FAIL(r->err, OX_E_SHAPE, "value has %lld elements, expected 1",
                       (long long)ox_count(value));
    r->out[0]->dtype = value ? value->dtype : OX_F32;
    OX_TRY(ox_arg_ints(r, 0, &shape));
    if (!shape.known)
        return ox_unknown_shape(r, 0);
    OX_TRY(ox_arg_shape(r, &shape, &rank, dim));
    ox_out_shape(r, 0, rank, dim);
    return OX_OK;
}

static ox_code run_constant(ox_run *r)
{
    const ox_tensor *value = ox_attr_tensor(r, "value");
    ox_tensor *y = r->out[0];
    char one[16] = { 0 };
    if (value && value->dtype == y->dtype)
        memcpy(one, value->data, ox_dtype_size(y->dtype));
    else if (value) /* --precision f64 */
        ox_convert(one, y->dtype, value->data, value->dtype, 1);
    ox_fill(r, ox_dtype_size(y->dtype), ox_count(y), one, y->data);
    return OX_OK;
}

OX_OP(ConstantOfShape, 9) .infer = infer_constant, .run_any = run_constant, .key = OX_KEY_NONE,
    .flags = OX_SYMBOLIC, .error = { ERR_EXACT, 0 } OX_END;

/* ---- ConstantFill, GivenTensorFill: the shape is an attribute, or that of the input, or its
 * values (input_as_shape); extra_shape is appended to what the input gives ---- */
static ox_code infer_fill_shape(ox_run *r)
{
    const ox_tensor *x = r->n_in > 0 ? r->in[0] : NULL;
    ox_ints shape = ox_arg_attr(r, "shape"), extra = ox_arg_attr(r, "extra_shape");
    int rank = 0;
    int64_t dim[OX_MAX_RANK];
    if (x && ox_attr_i64(r, "input_as_shape")) {
        OX_TRY(ox_arg_ints(r, 0, &shape));
        if (!shape.known)
            return OX_OK;
    } else if (x) {
        shape = (ox_ints){ .v = x->dim, .n = x->rank };
    }
    OX_TRY(ox_arg_shape(r, &shape, &rank, dim));
    if (x && extra.n > OX_MAX_RANK - rank)
        return OX_FAIL(r->err, OX_E_LIMIT, "rank %lld is more than %d", (long long)(rank + extra.n),
                       OX_MAX_RANK);
    for (int i = 0; i < extra.n && x; i++) {
        if (extra.v[i] < 0)
            return OX_FAIL(r->err, OX_E_SHAPE, "extra_shape[%d] is %lld", i, (long long)extra.v[i]);
        dim[rank++] = extra.v[i];
    }
    ox_out_shape(r, 0, rank, dim);
    return OX_OK;
}

static ox_code infer_fill(ox_run *r)
{
    int64_t dtype = ox_attr_i64(r, "dtype");
    if (dtype <= 0 || dtype >= OX_N_DTYPES || !ox_dtype_converts((ox_dtype)dtype))
        return OX_FAIL(r->err, OX_E_TYPE, "dtype %lld is no type to fill with", (long long)dtype);
    r->out[0]->dtype = (ox_dtype)dtype;
    return infer_fill_shape(r);
}

static ox_code run_fill(ox_run *r)
{
    ox_tensor *y = r->out[0];
    char one[16];
    double value = ox_attr_f64(r, "value");
    ox_from_f64(one, &value, y->dtype, 1);
    ox_fill(r, ox_dtype_size(y->dtype), ox_count(y), one, y->data);
    return OX_OK;
}

static ox_code infer_given(ox_run *r)
{
    if (!r->out[0]->dtype)
        r->out[0]->dtype = OX_F32;
    return infer_fill_shape(r);
}

static ox_code run_given(ox_run *r)
{
    ox_tensor *y = r->out[0];
    int n;
    const float *v = ox_attr_f32s(r, "values", &n);
    if (n != ox_count(y))
        return OX_FAIL(r->err, OX_E_SHAPE, "%d values for a shape of %lld elements", n,
                       (long long)ox_count(y));
    ox_convert(y->data, y->dtype, v, OX_F32, (size_t)n);
    return OX_OK;
}

OX_OP(ConstantFill, 1) .infer = infer_fill, .run_any = run_fill, .key = OX_KEY_NONE,
    .error = { ERR_EXACT, 0 } OX_END;
OX_OP(GivenTensorFill, 1) .infer = infer_given, .run_any = run_given, .key = OX_KEY_NONE,
    .error = { ERR_EXACT, 0 } OX_END;

/* ---- EyeLike: ones on the k-th diagonal; only the input's shape matters ---- */
static ox_code infer_eye(ox_run *r)
{
    const ox_tensor *x = r->in[0];
    int64_t dtype = ox_attr_given(r, "dtype") ? ox_attr_i64(r, "dtype") : (int64_t)x->dtype;
    if (x->rank != 2)
        return OX_FAIL(r->err, OX_E_SHAPE, "input has rank %d, expected 2", x->rank);
    if (dtype <= 0 || dtype >= OX_N_DTYPES || !ox_dtype_converts((ox_dtype)dtype))
        return OX_FAIL(r->err, OX_E_TYPE, "dtype %lld is no numeric type", (long long)dtype);
    r->out[0]->dtype = (ox_dtype)dtype;
    return ox_infer_like(r);
}

static ox_code run_eye(ox_run *r)
{
    ox_tensor *y = r->out[0];
    int64_t rows = y->dim[0], cols = y->dim[1],
            k = OX_MAX(-rows, OX_MIN(ox_attr_i64(r, "k"), cols));
    size_t size = ox_dtype_size(y->dtype);
    char one[16];
    ox_from_f64(one, &(double){ 1 }, y->dtype, 1);
    memset(y->data, 0, ox_bytes(y));
    for (int64_t i = OX_MAX(0, -k); i < rows && i + k < cols; i++)
        memcpy((char *)y->data + (size_t)(i * cols + i + k) * size, one, size);
    return OX_OK;
}

OX_OP(EyeLike, 9) .infer = infer_eye, .run_any = run_eye, .key = OX_KEY_NONE,
    .flags = OX_SYMBOLIC | OX_SHAPE_ONLY, .error = { ERR_EXACT, 0 } OX_END;

/* ---- OneHot: values[1] where the new axis equals the index, values[0] elsewhere.  Since version
 * 11 negative indices count from the end ---- */
static ox_code onehot_axis(const ox_run *r, int *axis)
{
    return ox_axis(r, ox_attr_i64(r, "axis"), r->in[0]->rank + 1, axis);
}

static ox_code infer_onehot(ox_run *r)
{
    const ox_tensor *x = r->in[0];
    ox_ints depth;
    int axis;
    int64_t dim[OX_MAX_RANK];
    OX_TRY(onehot_axis(r, &axis));
    OX_TRY(ox_arg_ints(r, 1, &depth));
    if (x->rank + 1 > OX_MAX_RANK)
        return OX_FAIL(r->err, OX_E_LIMIT, "rank %d is more than %d", x->rank + 1, OX_MAX_RANK);
    if (depth.known && (depth.n != 1 || depth.v[0] < 0))
        return OX_FAIL(r->err, OX_E_VALUE, "depth has %lld elements, the first is %lld",
                       (long long)depth.n, depth.n ? (long long)depth.v[0] : 0);
    for (int d = 0; d <= x->rank; d++)
        dim[d] = d < axis ? x->dim[d] : d > axis ? x->dim[d - 1]
                 : depth.known ? depth.v[0] : OX_DIM_UNKNOWN;
    ox_out_shape(r, 0, x->rank + 1, dim);
    return OX_OK;
}

static ox_code run_onehot(ox_run *r)
{
    const ox_tensor *x = r->in[0], *values = r->in[2], *y = r->out[0];
    size_t size = ox_dtype_size(y->dtype);
    int axis;
    int64_t n;
    OX_TRY(onehot_axis(r, &axis));
    if (ox_count(values) != 2)
        return OX_FAIL(r->err, OX_E_SHAPE, "values has %lld elements, expected 2 (off, on)",
                       (long long)ox_count(values));
    const int64_t *index = ox_in_i64s(r, 0, &n);
    const char *off = values->data, *on = off + size;
    int64_t depth = y->dim[axis], inner = ox_numel(x, axis, x->rank);
    if (!index)
        return OX_NO_MEMORY(r);
    ox_fill(r, size, ox_count(y), off, y->data);
    for (int64_t i = 0; i < n; i++) {
        int64_t k = index[i];
        if (k < 0 && r->since >= 11)
            k += depth;
        if (k >= 0 && k < depth)
            memcpy((char *)y->data +
                       (size_t)(i / inner * depth * inner + k * inner + i % inner) * size,
                   on, size);
    }
    return OX_OK;
}

OX_OP(OneHot, 9).infer = infer_onehot, .run_any = run_onehot, .key = OX_KEY_NONE,
              .flags = OX_SYMBOLIC, .error = {ERR_EXACT, 0} OX_END;
