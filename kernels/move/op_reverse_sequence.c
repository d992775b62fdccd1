/* ReverseSequence: of each batch entry, the first sequence_lens steps in reverse order. */
#include "kernels/move/args.h"
#include "kernels/move/box.h"

static ox_code infer(ox_run *r)
{
    const ox_tensor *x = r->in[0], *lens = r->in[1];
    int64_t batch = ox_attr_i64(r, "batch_axis"), time = ox_attr_i64(r, "time_axis");
    if (x->rank < 2)
        return OX_FAIL(r->err, OX_E_SHAPE, "input has rank %d, expected 2 or more", x->rank);
    if (batch < 0 || batch > 1 || time != 1 - batch)
        return OX_FAIL(r->err, OX_E_VALUE,
                       "batch_axis is %lld and time_axis %lld, expected 0 and 1 or 1 and 0",
                       (long long)batch, (long long)time);
    if (lens->rank != 1 ||
        (lens->dim[0] >= 0 && x->dim[batch] >= 0 && lens->dim[0] != x->dim[batch]))
        return OX_FAIL(r->err, OX_E_SHAPE,
                       "sequence_lens is not one length for each of %lld entries",
                       (long long)x->dim[batch]);
    return ox_infer_like(r);
}

static ox_code run(ox_run *r)
{
    const ox_tensor *x = r->in[0];
    int batch = (int)ox_attr_i64(r, "batch_axis"), time = 1 - batch;
    int64_t stride[OX_MAX_RANK], n, inner = ox_numel(x, 2, x->rank), steps = x->dim[time];
    const int64_t *lens = ox_in_i64s(r, 1, &n);
    size_t size = ox_dtype_size(x->dtype);
    if (!lens)
        return OX_NO_MEMORY(r);
    ox_dense_strides(stride, x->rank, x->dim);
    int64_t sb = stride[batch], st = stride[time];
    for (int64_t i = 0; i < n; i++) {
        if (lens[i] < 0 || lens[i] > steps)
            return OX_FAIL(r->err, OX_E_VALUE, "sequence_lens[%lld] is %lld, there are %lld steps",
                           (long long)i, (long long)lens[i], (long long)steps);
        const char *from = (const char *)x->data + (size_t)(i * sb) * size;
        char *to = (char *)r->out[0]->data + (size_t)(i * sb) * size;
        ox_box back = { 2, { lens[i], inner }, { -st, 1 }, { st, 1 } };
        ox_box rest = { 2, { steps - lens[i], inner }, { st, 1 }, { st, 1 } };
        if (lens[i] > 0)
            ox_box_copy(r, size, &back, from + (size_t)((lens[i] - 1) * st) * size, to);
        ox_box_copy(r, size, &rest, from + (size_t)(lens[i] * st) * size,
                    to + (size_t)(lens[i] * st) * size);
    }
    return OX_OK;
}

OX_OP(ReverseSequence, 10) .infer = infer, .run_any = run, .key = OX_KEY_NONE, .flags = OX_SYMBOLIC,
    .error = { ERR_EXACT, 0 } OX_END;
