#include "kernels/softmax/axis.h"

ox_code ox_softmax_get_axis(const ox_run *r, ox_softmax_axis *a)
{
    const ox_tensor *x = r->in[0];
    int rank = x->rank, last = r->since < 13 ? rank : rank - 1;
    int64_t given = ox_attr_i64(r, "axis"); /* the schema knows the default */
    *a = (ox_softmax_axis){ 1, 1, 1 };
    if (rank == 0)
        return OX_OK;
    if (given < -rank || given > last)
        return OX_FAIL(r->err, OX_E_SHAPE, "axis %lld outside [%d, %d]", (long long)given, -rank,
                       last);
    int axis = (int)(given < 0 ? given + rank : given);
    a->outer = ox_numel(x, 0, axis);
    a->n = r->since < 13 ? ox_numel(x, axis, rank) : x->dim[axis];
    a->inner = r->since < 13 ? 1 : ox_numel(x, axis + 1, rank);
    return OX_OK;
}
