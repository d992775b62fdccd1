/* SparseTensorProto: as it is, and as the dense tensor it stands for. */
#include "runtime/load/proto.h"

#include <inttypes.h>
#include <string.h>

/* Positions of the given elements: linear, or one row of coordinates each. */
static ox_code check_indices(const ox_tensor *indices, const ox_tensor *shape, int64_t nnz,
                             const char *kind, const char *name, ox_error *err)
{
    const int64_t *dim = shape->data, *at = indices->data;
    int64_t n_dense;
    int rank = (int)shape->dim[0];
    OX_TRY(ox_shape_count(&n_dense, OX_U8, rank, dim, err));
    bool rows = indices->rank == 2;
    if (indices->dtype != OX_I64 || indices->rank < 1 || indices->rank > 2 ||
        indices->dim[0] != nnz || (rows && indices->dim[1] != rank))
        return OX_FAIL(err, OX_E_GRAPH,
                       "%s '%.100s': indices must be i64[%" PRId64 "] or i64[%" PRId64 ",%d]", kind,
                       name, nnz, nnz, rank);
    for (int64_t i = 0, n = ox_count(indices); i < n; i++) {
        int64_t end = rows ? dim[i % rank] : n_dense;
        if (at[i] < 0 || at[i] >= end)
            return OX_FAIL(err, OX_E_VALUE,
                           "%s '%.100s': index %" PRId64 " outside [0, %" PRId64 ")", kind, name,
                           at[i], end);
    }
    return OX_OK;
}

static ox_code push(ox_seq *seq, ox_tensor *t, ox_error *err)
{
    ox_value v = {.kind = OX_TENSOR, .t = *t};
    return ox_seq_push(seq, &v, err); /* takes the tensor, on failure too */
}

ox_code ox_load_sparse(const OxPb__SparseTensorProto *p, const char *kind, ox_place *place,
                       ox_value *out, ox_error *err)
{
    *out = (ox_value){.kind = OX_NONE};
    const char *name = p->values && p->values->name ? p->values->name : "";
    if (!p->values || !p->indices)
        return OX_FAIL(err, OX_E_GRAPH, "%s '%.100s': sparse tensor without values or indices",
                       kind, name);
    if (p->n_dims < 1 || p->n_dims > OX_MAX_RANK)
        return OX_FAIL(err, OX_E_LIMIT, "%s '%.100s': sparse tensor of rank %zu, must be 1 to %d",
                       kind, name, p->n_dims, OX_MAX_RANK);
    ox_value v = {.kind = OX_SPARSE, .seq = ox_seq_create(2)};
    ox_tensor indices = {0}, shape = {.dtype = OX_I64, .rank = 1, .dim = {(int64_t)p->n_dims}};
    if (!v.seq)
        return OX_FAIL(err, OX_E_NOMEM, "out of memory");
    ox_code code = ox_load_tensor(p->values, kind, place, &v.t, err);
    if (code == OX_OK && v.t.rank != 1)
        code = OX_FAIL(err, OX_E_GRAPH, "%s '%.100s': sparse values have rank %d, must be 1", kind,
                       name, v.t.rank);
    if (code == OX_OK)
        code = ox_load_tensor(p->indices, kind, place, &indices, err);
    if (code == OX_OK)
        code = ox_place_alloc(place, &shape, p->n_dims * sizeof *p->dims, err);
    if (code == OX_OK) {
        memcpy(shape.data, p->dims, p->n_dims * sizeof *p->dims);
        code = check_indices(&indices, &shape, v.t.dim[0], kind, name, err);
    }
    if (code == OX_OK)
        code = push(v.seq, &indices, err);
    else
        ox_tensor_release(&indices);
    if (code == OX_OK)
        code = push(v.seq, &shape, err);
    else
        ox_tensor_release(&shape);
    if (code == OX_OK)
        *out = v;
    else
        ox_value_release(&v);
    return code;
}

ox_code ox_load_dense(const ox_value *sparse, const char *kind, const char *name, ox_place *place,
                      ox_tensor *out, ox_error *err)
{
    const ox_tensor *indices = &ox_seq_at(sparse->seq, 0)->t,
                    *shape = &ox_seq_at(sparse->seq, 1)->t;
    const int64_t *dim = shape->data, *at = indices->data;
    size_t size = ox_dtype_size(sparse->t.dtype);
    int64_t count;
    ox_tensor t = {.dtype = sparse->t.dtype, .rank = (int)shape->dim[0]};
    if (t.dtype == OX_STR)
        return OX_FAIL(err, OX_E_UNSUPPORTED, "%s '%.100s': sparse strings", kind, name);
    memcpy(t.dim, dim, (size_t)t.rank * sizeof *dim);
    OX_TRY(ox_shape_count(&count, t.dtype, t.rank, dim, err));
    OX_TRY(ox_place_alloc(place, &t, (size_t)count * size, err));
    memset(t.data, 0, (size_t)count * size);
    for (int64_t i = 0; i < sparse->t.dim[0]; i++) {
        int64_t to = indices->rank == 2 ? 0 : at[i];
        for (int k = 0; indices->rank == 2 && k < t.rank; k++)
            to = to * dim[k] + at[i * t.rank + k];
        memcpy((char *)t.data + (size_t)to * size, (const char *)sparse->t.data + (size_t)i * size,
               size);
    }
    *out = t;
    return OX_OK;
}
