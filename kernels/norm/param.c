#include "kernels/norm/param.h"

#include <string.h>

ox_code ox_norm_vector(ox_run *r, int i, const char *name, int64_t n, const double **data)
{
    int64_t count;
    *data = ox_in_f64s(r, i, &count);
    if (!*data && r->in[i]->data)
        return OX_NO_MEMORY(r);
    if (count != n)
        return OX_FAIL(r->err, OX_E_SHAPE, "%s has %lld elements, expected %lld", name, (long long)count,
                       (long long)n);
    return OX_OK;
}

/* to[] = from[] repeated along the dimensions where from has size 1; both have `rank` dimensions. */
static void expand(char *to, const char *from, size_t size, int rank, const int64_t *dim,
                   const int64_t *dim_from, int64_t count)
{
    int64_t at[OX_MAX_RANK] = { 0 };
    for (int64_t i = 0; i < count; i++) {
        int64_t offset = 0;
        for (int d = 0; d < rank; d++)
            offset = offset * dim_from[d] + (dim_from[d] == 1 ? 0 : at[d]);
        memcpy(to + (size_t)i * size, from + (size_t)offset * size, size);
        for (int d = rank - 1; d >= 0 && ++at[d] == dim[d]; d--)
            at[d] = 0;
    }
}

ox_code ox_norm_param(ox_run *r, int i, int axis, ox_dtype dtype, const void **data, int64_t *step)
{
    const ox_tensor *x = r->in[0], *t = i < r->n_in ? r->in[i] : NULL;
    int64_t dim[OX_MAX_RANK];
    bool own_rows = false;
    *data = NULL;
    *step = 0;
    if (!t)
        return OX_OK;
    for (int d = 0; d < x->rank; d++) {
        int from = d - (x->rank - t->rank);
        dim[d] = from < 0 ? 1 : t->dim[from];
        if (dim[d] != 1 && dim[d] != x->dim[d])
            return OX_FAIL(r->err, OX_E_SHAPE, "input %d has size %lld where X has %lld, in dimension %d of X",
                           i, (long long)dim[d], (long long)x->dim[d], d);
        own_rows = own_rows || (d < axis && dim[d] != 1);
    }
    if (t->rank > x->rank)
        return OX_FAIL(r->err, OX_E_SHAPE, "input %d has rank %d, X has rank %d", i, t->rank, x->rank);
    int first = own_rows ? 0 : axis;
    int64_t count = ox_numel(x, first, x->rank), have = ox_count(t);
    size_t size = ox_dtype_size(dtype);
    *step = own_rows ? ox_numel(x, axis, x->rank) : 0;
    *data = t->data;
    if (t->dtype != dtype) {
        void *typed = ox_scratch_array(r, (size_t)have, size);
        if (!typed)
            return OX_NO_MEMORY(r);
        ox_convert(typed, dtype, t->data, t->dtype, (size_t)have);
        *data = typed;
    }
    if (have != count) {
        void *full = ox_scratch_array(r, (size_t)count, size);
        if (!full)
            return OX_NO_MEMORY(r);
        expand(full, *data, size, x->rank - first, x->dim + first, dim + first, count);
        *data = full;
    }
    return OX_OK;
}
