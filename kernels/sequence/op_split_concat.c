/* SplitToSequence and ConcatFromSequence: tensors cut and joined along an axis. */
#include "runtime/op.h"

#include <string.h>

/* Part [from, from + n) of x along axis; squeezed drops that dimension (n is 1 then). */
static ox_code part(ox_value *v, const ox_tensor *x, int axis, int64_t from, int64_t n, bool squeezed,
                    ox_error *err)
{
    int64_t dim[OX_MAX_RANK];
    int rank = 0;
    for (int d = 0; d < x->rank; d++)
        if (d != axis || !squeezed)
            dim[rank++] = d == axis ? n : x->dim[d];
    memset(v, 0, sizeof(*v));
    OX_TRY(ox_tensor_alloc(&v->t, x->dtype, rank, dim, err));
    v->kind = OX_TENSOR;
    size_t inner = (size_t)ox_numel(x, axis + 1, x->rank) * ox_dtype_size(x->dtype);
    int64_t outer = ox_numel(x, 0, axis);
    for (int64_t o = 0; o < outer && inner && n; o++)
        memcpy((char *)v->t.data + (size_t)(o * n) * inner,
               (const char *)x->data + (size_t)(o * x->dim[axis] + from) * inner, (size_t)n * inner);
    return OX_OK;
}

static ox_code infer_split(ox_run *r)
{
    r->tout[0]->kind = OX_SEQUENCE;
    return OX_OK;
}

/* Parts of size[] (n_size of them) or, with n_size 0, of `each`. */
static ox_code split(ox_run *r, ox_seq *to, int axis, const int64_t *size, int64_t n_size, int64_t each,
                     bool squeezed)
{
    const ox_tensor *x = r->in[0];
    int64_t at = 0;
    for (int64_t i = 0; n_size ? i < n_size : at < x->dim[axis]; i++) {
        int64_t n = n_size ? size[i] : OX_MIN(each, x->dim[axis] - at);
        if (n < 0 || n > x->dim[axis] - at)
            return OX_FAIL(r->err, OX_E_VALUE, "split[%lld] is %lld, %lld of %lld are left", (long long)i,
                           (long long)n, (long long)(x->dim[axis] - at), (long long)x->dim[axis]);
        ox_value v;
        OX_TRY(part(&v, x, axis, at, n, squeezed, r->err));
        OX_TRY(ox_seq_push(to, &v, r->err));
        at += n;
    }
    return at == x->dim[axis] ? OX_OK
                              : OX_FAIL(r->err, OX_E_VALUE, "split adds up to %lld of %lld", (long long)at,
                                        (long long)x->dim[axis]);
}

static ox_code run_split(ox_run *r)
{
    int axis;
    int64_t n = 0, each = 1;
    OX_TRY(ox_attr_axis(r, "axis", r->in[0]->rank, &axis));
    const ox_tensor *given = r->n_in > 1 ? r->in[1] : NULL;
    const int64_t *size = given ? ox_in_i64s(r, 1, &n) : NULL;
    if (given && !size && ox_count(given))
        return OX_NO_MEMORY(r);
    if (given && given->rank == 0) {
        each = size[0];
        n = 0;
        if (each < 1)
            return OX_FAIL(r->err, OX_E_VALUE, "split is %lld", (long long)each);
    }
    ox_seq *s = ox_seq_create(8);
    if (!s)
        return OX_NO_MEMORY(r);
    ox_code code = split(r, s, axis, size, n, each, !given && !ox_attr_i64(r, "keepdims"));
    if (code != OX_OK) {
        ox_seq_unref(s);
        return code;
    }
    ox_value v = { .kind = OX_SEQUENCE, .seq = s };
    ox_out_move(r, 0, &v);
    return OX_OK;
}

static ox_code infer_concat(ox_run *r)
{
    r->tout[0]->kind = OX_TENSOR;
    if (r->tin[0]->elem)
        r->out[0]->dtype = r->tin[0]->elem->dtype;
    return OX_OK;
}

static ox_code run_concat(ox_run *r)
{
    const ox_seq *s = r->vin[0]->seq;
    if (r->vin[0]->kind != OX_SEQUENCE || ox_seq_size(s) == 0)
        return OX_FAIL(r->err, OX_E_VALUE, "the sequence is empty");
    bool stack = ox_attr_i64(r, "new_axis") != 0;
    const ox_tensor *first = &ox_seq_at(s, 0)->t;
    int axis, rank = first->rank + stack;
    int64_t dim[OX_MAX_RANK], n = (int64_t)ox_seq_size(s), at = 0;
    if (rank > OX_MAX_RANK)
        return OX_FAIL(r->err, OX_E_LIMIT, "rank %d is more than %d", rank, OX_MAX_RANK);
    OX_TRY(ox_attr_axis(r, "axis", rank, &axis));
    for (int d = 0; d < rank; d++)
        dim[d] = d == axis ? 0 : first->dim[d - (stack && d > axis)];
    for (int64_t i = 0; i < n; i++) {
        const ox_tensor *x = &ox_seq_at(s, (size_t)i)->t;
        bool fits = x->rank == first->rank && x->dtype == first->dtype;
        for (int d = 0; d < first->rank && fits; d++)
            fits = (!stack && d == axis) || x->dim[d] == first->dim[d];
        if (!fits)
            return OX_FAIL(r->err, OX_E_SHAPE, "element %lld does not match the first", (long long)i);
        dim[axis] += stack ? 1 : x->dim[axis];
    }
    r->out[0]->dtype = first->dtype;
    OX_TRY(ox_out_alloc(r, 0, rank, dim));
    ox_tensor *y = r->out[0];
    size_t inner = (size_t)ox_numel(y, axis + 1, rank) * ox_dtype_size(y->dtype);
    int64_t outer = ox_numel(y, 0, axis);
    for (int64_t i = 0; i < n; i++) {
        const ox_tensor *x = &ox_seq_at(s, (size_t)i)->t;
        int64_t part_n = stack ? 1 : x->dim[axis];
        for (int64_t o = 0; o < outer && inner && part_n; o++)
            memcpy((char *)y->data + (size_t)(o * dim[axis] + at) * inner,
                   (const char *)x->data + (size_t)(o * part_n) * inner, (size_t)part_n * inner);
        at += part_n;
    }
    return OX_OK;
}

OX_OP(SplitToSequence, 11) .infer = infer_split, .run_any = run_split, .key = OX_KEY_NONE,
    .error = { ERR_EXACT, 0 } OX_END;
OX_OP(ConcatFromSequence, 11) .infer = infer_concat, .run_any = run_concat, .key = OX_KEY_NONE,
    .error = { ERR_EXACT, 0 } OX_END;
