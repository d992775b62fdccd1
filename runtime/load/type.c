/* TypeProto to ox_type. */
#include "runtime/load/proto.h"

#include <string.h>

static ox_code element_type(int32_t onnx, const char *name, ox_dtype *out, ox_error *err)
{
    if (onnx < 0 || onnx >= OX_N_DTYPES || (onnx && ox_dtype_size((ox_dtype)onnx) == 0))
        return OX_FAIL(err, OX_E_UNSUPPORTED, "value '%.100s': element type %d is not supported",
                       name, onnx);
    *out = (ox_dtype)onnx;
    return OX_OK;
}

static ox_code shape(const OxPb__TensorShapeProto *p, const char *name, ox_model *m, ox_type *out,
                     ox_error *err)
{
    out->rank = -1;
    if (!p)
        return OX_OK;
    if (p->n_dim > OX_MAX_RANK)
        return OX_FAIL(err, OX_E_LIMIT, "value '%.100s': rank %zu, the limit is %d", name, p->n_dim,
                       OX_MAX_RANK);
    out->rank = (int)p->n_dim;
    for (size_t i = 0; i < p->n_dim; i++) {
        const OxPb__TensorShapeProto__Dimension *d = p->dim[i];
        out->dim[i] = OX_DIM_UNKNOWN;
        if (d->has_dim_value) /* some exporters write -1 for an unknown size */
            out->dim[i] = d->dim_value < 0 ? OX_DIM_UNKNOWN : d->dim_value;
        else if (d->dim_param && *d->dim_param)
            out->dim[i] = ox_model_symbol(m, d->dim_param);
    }
    return OX_OK;
}

static ox_code element_of(const OxPb__TypeProto *p, const char *name, ox_model *m, ox_type *out,
                          ox_error *err)
{
    if (!p)
        return OX_OK;
    out->elem = ox_arena_alloc(m->arena, sizeof *out->elem);
    if (!out->elem)
        return OX_FAIL(err, OX_E_NOMEM, "out of memory");
    return ox_load_type(p, name, m, out->elem, err);
}

ox_code ox_load_type(const OxPb__TypeProto *p, const char *name, ox_model *m, ox_type *out,
                     ox_error *err)
{
    *out = (ox_type){.rank = -1};
    if (!p)
        return OX_OK;
    if (p->tensor_type) {
        out->kind = OX_TENSOR;
        OX_TRY(element_type(p->tensor_type->elem_type, name, &out->dtype, err));
        return shape(p->tensor_type->shape, name, m, out, err);
    }
    if (p->sparse_tensor_type) {
        out->kind = OX_SPARSE;
        OX_TRY(element_type(p->sparse_tensor_type->elem_type, name, &out->dtype, err));
        return shape(p->sparse_tensor_type->shape, name, m, out, err);
    }
    if (p->sequence_type) {
        out->kind = OX_SEQUENCE;
        return element_of(p->sequence_type->elem_type, name, m, out, err);
    }
    if (p->map_type) {
        out->kind = OX_MAP;
        OX_TRY(element_type(p->map_type->key_type, name, &out->key, err));
        OX_TRY(element_of(p->map_type->value_type, name, m, out, err));
        out->dtype = out->elem ? out->elem->dtype : OX_UNDEFINED;
        return OX_OK;
    }
    if (p->optional_type) {
        OX_TRY(ox_load_type(p->optional_type->elem_type, name, m, out, err));
        if (out->optional)
            return OX_FAIL(err, OX_E_UNSUPPORTED, "value '%.100s': optional of optional", name);
        out->optional = true;
    }
    return OX_OK;
}
