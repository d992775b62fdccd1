#include "kernels/move/index.h"

#include <string.h>

static ox_code outside(const ox_run *r, int64_t i, int64_t index, int64_t size)
{
    return OX_FAIL(r->err, OX_E_VALUE, "index %lld at position %lld is outside [-%lld, %lld)",
                   (long long)index, (long long)i, (long long)size, (long long)size);
}

ox_code ox_checked_indices(ox_run *r, int i, int64_t size, const int64_t **out)
{
    const ox_tensor *t = r->in[i];
    int64_t n = ox_count(t), got;
    bool clean = true;
    const int64_t *v = ox_in_i64s(r, i, &got);
    *out = v;
    if (n == 0)
        return OX_OK;
    if (!v)
        return OX_NO_MEMORY(r);
    bool inside = true;
    for (int64_t k = 0; k < n; k++) {
        inside &= (uint64_t)v[k] + (uint64_t)size < 2 * (uint64_t)size;
        clean &= v[k] >= 0;
    }
    for (int64_t k = 0; k < n && !inside; k++)
        if (v[k] < -size || v[k] >= size)
            return outside(r, k, v[k], size);
    if (clean)
        return OX_OK;
    int64_t *fixed = ox_scratch_array(r, (size_t)n, sizeof(*fixed));
    if (!fixed)
        return OX_NO_MEMORY(r);
    for (int64_t k = 0; k < n; k++)
        fixed[k] = v[k] + (v[k] < 0 ? size : 0);
    *out = fixed;
    return OX_OK;
}

ox_code ox_check_elements(const ox_run *r, const ox_tensor *x, const ox_tensor *index, int axis)
{
    if (index->rank != x->rank)
        return OX_FAIL(r->err, OX_E_SHAPE, "indices have rank %d, data has rank %d", index->rank,
                       x->rank);
    for (int d = 0; d < x->rank; d++)
        if (d != axis && index->dim[d] > x->dim[d])
            return OX_FAIL(r->err, OX_E_SHAPE,
                           "dimension %d of indices is %lld, more than data's %lld", d,
                           (long long)index->dim[d], (long long)x->dim[d]);
    return OX_OK;
}

void ox_element_offsets(const ox_tensor *x, const ox_tensor *index, int axis, const int64_t *at,
                        int64_t *offset)
{
    int last = index->rank - 1;
    int64_t position[OX_MAX_RANK] = {0}, stride[OX_MAX_RANK], n = ox_count(index),
            row = index->dim[last];
    for (int64_t d = last, s = 1; d >= 0; s *= x->dim[d--])
        stride[d] = s;
    for (int64_t k = 0; k < n; k += row) {
        int64_t base = 0, along = stride[axis];
        for (int d = 0; d < last; d++)
            base += d == axis ? 0 : position[d] * stride[d];
        for (int64_t j = 0; j < row; j++)
            offset[k + j] = base + at[k + j] * along + (axis == last ? 0 : j);
        for (int d = last - 1; d >= 0 && ++position[d] == index->dim[d]; d--)
            position[d] = 0;
    }
}

ox_code ox_tuple_offsets(ox_run *r, const ox_tensor *x, int i, int batch, int64_t *offset)
{
    const ox_tensor *index = r->in[i];
    int tuple = (int)index->dim[index->rank - 1];
    int64_t n = ox_numel(index, 0, index->rank - 1), got, per_batch = 1, slices = 1;
    const int64_t *v = ox_in_i64s(r, i, &got);
    if (!v && n * tuple > 0)
        return OX_NO_MEMORY(r);
    for (int d = batch; d < index->rank - 1; d++)
        per_batch *= index->dim[d];
    for (int d = batch; d < batch + tuple; d++)
        slices *= x->dim[d];
    for (int64_t k = 0; k < n; k++) {
        int64_t at = 0;
        for (int d = 0; d < tuple; d++) {
            int64_t size = x->dim[batch + d], one = v[k * tuple + d];
            if (one < -size || one >= size)
                return outside(r, k * tuple + d, one, size);
            at = at * size + one + (one < 0 ? size : 0);
        }
        offset[k] = k / per_batch * slices + at;
    }
    return OX_OK;
}

#define SLICES(size)                                                                               \
    case size:                                                                                     \
        for (int64_t k = 0; k < n; k++)                                                            \
            memcpy(y + k * size, x + at[k] * size, size);                                          \
        break

void ox_copy_slices(size_t bytes, int64_t n, const char *x, const int64_t *at, char *y)
{
    switch (bytes) {
    SLICES(1);
    SLICES(2);
    SLICES(4);
    SLICES(8);
    SLICES(16);
    default:
        for (int64_t k = 0; k < n; k++)
            memcpy(y + (size_t)k * bytes, x + (size_t)at[k] * bytes, bytes);
    }
}
