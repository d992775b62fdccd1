#include "kernels/control/stack.h"

#include <string.h>

ox_code ox_slice_at(ox_value *to, const ox_tensor *x, int axis, int64_t i, ox_error *err)
{
    int64_t dim[OX_MAX_RANK];
    int rank = 0;
    for (int d = 0; d < x->rank; d++)
        if (d != axis)
            dim[rank++] = x->dim[d];
    memset(to, 0, sizeof(*to));
    OX_TRY(ox_tensor_alloc(&to->t, x->dtype, rank, dim, err));
    to->kind = OX_TENSOR;
    size_t inner = (size_t)ox_numel(x, axis + 1, x->rank) * ox_dtype_size(x->dtype);
    int64_t outer = ox_numel(x, 0, axis);
    for (int64_t o = 0; o < outer && inner; o++)
        memcpy((char *)to->t.data + (size_t)o * inner,
               (const char *)x->data + (size_t)(o * x->dim[axis] + i) * inner, inner);
    return OX_OK;
}

ox_code ox_stack_push(ox_stack *s, ox_value *take_v, ox_error *err)
{
    if (!s->seq && !(s->seq = ox_seq_create(8))) {
        ox_value_release(take_v);
        return OX_FAIL(err, OX_E_NOMEM, "out of memory");
    }
    if (take_v->kind != OX_TENSOR) {
        ox_value_release(take_v);
        return OX_FAIL(err, OX_E_TYPE, "a scan output is no tensor");
    }
    const ox_value *first = ox_seq_size(s->seq) ? ox_seq_at(s->seq, 0) : take_v;
    if (first->t.dtype != take_v->t.dtype || !ox_shape_same(&first->t, &take_v->t)) {
        char a[160], b[160];
        ox_shape_text(a, sizeof(a), &first->t);
        ox_shape_text(b, sizeof(b), &take_v->t);
        ox_value_release(take_v);
        return OX_FAIL(err, OX_E_SHAPE, "a scan output has shape %s after %s", b, a);
    }
    return ox_seq_push(s->seq, take_v, err);
}

ox_code ox_stack_join(ox_value *to, const ox_stack *s, int64_t axis, bool reverse, const ox_type *type,
                      ox_error *err)
{
    int64_t n = s->seq ? (int64_t)ox_seq_size(s->seq) : 0, dim[OX_MAX_RANK];
    const ox_tensor *first = n ? &ox_seq_at(s->seq, 0)->t : NULL;
    int rank = first ? first->rank : type && type->kind == OX_TENSOR && type->rank > 0 ? type->rank : 0;
    ox_dtype dtype = first ? first->dtype : type && type->dtype ? type->dtype : OX_F32;
    int at;
    memset(to, 0, sizeof(*to));
    if (rank + 1 > OX_MAX_RANK || axis < -(rank + 1) || axis > rank)
        return OX_FAIL(err, OX_E_SHAPE, "axis %lld of a stack of rank-%d tensors", (long long)axis, rank);
    at = (int)(axis < 0 ? axis + rank + 1 : axis);
    for (int d = 0, k = 0; d <= rank; d++) {
        int64_t size = d == at ? n : first ? first->dim[k] : OX_MAX(type->dim[k], 0);
        k += d != at;
        dim[d] = size;
    }
    OX_TRY(ox_tensor_alloc(&to->t, dtype, rank + 1, dim, err));
    to->kind = OX_TENSOR;
    size_t inner = (size_t)ox_numel(&to->t, at + 1, rank + 1) * ox_dtype_size(dtype);
    int64_t outer = ox_numel(&to->t, 0, at);
    for (int64_t i = 0; i < n && inner; i++) {
        const char *from = ox_seq_at(s->seq, (size_t)(reverse ? n - 1 - i : i))->t.data;
        for (int64_t o = 0; o < outer; o++)
            memcpy((char *)to->t.data + (size_t)(o * n + i) * inner, from + (size_t)o * inner, inner);
    }
    return OX_OK;
}

void ox_stack_release(ox_stack *s)
{
    ox_seq_unref(s->seq);
    s->seq = NULL;
}
