/* Gather, GatherElements, GatherND: elements or slices picked by index.  Negative indices count
 * from the end; one out of range is an error, not a clamp. */
#include "kernels/move/args.h"
#include "kernels/move/index.h"

#include <string.h>

enum { BLOCK = 1 << 16 }; /* bytes a parallel block writes at least */

/* ---- Gather: slices along one axis ---- */
static ox_code infer_gather(ox_run *r)
{
    const ox_tensor *x = r->in[0], *index = r->in[1];
    int axis, rank = 0;
    int64_t dim[2 * OX_MAX_RANK];
    OX_TRY(ox_attr_axis(r, "axis", x->rank, &axis));
    for (int d = 0; d < axis; d++)
        dim[rank++] = x->dim[d];
    for (int d = 0; d < index->rank; d++)
        dim[rank++] = index->dim[d];
    for (int d = axis + 1; d < x->rank; d++)
        dim[rank++] = x->dim[d];
    if (rank > OX_MAX_RANK)
        return OX_FAIL(r->err, OX_E_LIMIT, "rank %d is more than %d", rank, OX_MAX_RANK);
    ox_out_shape(r, 0, rank, dim);
    return OX_OK;
}

typedef struct gather {
    const char    *x;
    char          *y;
    const int64_t *at; /* where slice i starts, in slices of x */
    int64_t n, n_total, per_outer; /* slices per outer index, in all; slices of x per outer */
    size_t         bytes;                 /* of a slice */
    int64_t        block;                 /* slices a block copies */
} gather;

static void gather_block(void *ctx, int64_t block, int worker)
{
    const gather *g = ctx;
    int64_t i = block * g->block, end = OX_MIN(i + g->block, g->n_total);
    (void)worker;
    while (i < end) {
        int64_t outer = i / g->n, k = i % g->n, stop = OX_MIN(end - i, g->n - k);
        const char *x = g->x + (size_t)(outer * g->per_outer) * g->bytes;
        ox_copy_slices(g->bytes, stop, x, g->at + k, g->y + (size_t)i * g->bytes);
        i += stop;
    }
}

static void gather_run(const ox_run *r, gather *g)
{
    g->block = OX_MAX(BLOCK / (int64_t)OX_MAX(g->bytes, 1), 1);
    int64_t n_blocks = (g->n_total + g->block - 1) / g->block;
    if (n_blocks == 1)
        gather_block(g, 0, 0);
    else
        ox_parallel(r, n_blocks, gather_block, g);
}

static ox_code run_gather(ox_run *r)
{
    const ox_tensor *x = r->in[0], *index = r->in[1];
    const int64_t *at;
    int axis;
    OX_TRY(ox_attr_axis(r, "axis", x->rank, &axis));
    OX_TRY(ox_checked_indices(r, 1, x->dim[axis], &at));
    int64_t n = ox_count(index);
    gather g = { .x = x->data, .y = r->out[0]->data, .at = at, .n = n, .per_outer = x->dim[axis],
                 .n_total = ox_numel(x, 0, axis) * n,
                 .bytes = (size_t)ox_numel(x, axis + 1, x->rank) * ox_dtype_size(x->dtype) };
    gather_run(r, &g);
    return OX_OK;
}

OX_OP(Gather, 1).infer = infer_gather, .run_any = run_gather, .key = OX_KEY_NONE,
              .flags = OX_SYMBOLIC, .error = {ERR_EXACT, 0} OX_END;

/* ---- GatherElements: y[i][j] = x[index[i][j]][j] for axis 0 ---- */
static ox_code infer_elements(ox_run *r)
{
    const ox_tensor *x = r->in[0], *index = r->in[1];
    int axis;
    OX_TRY(ox_attr_axis(r, "axis", x->rank, &axis));
    OX_TRY(ox_check_elements(r, x, index, axis));
    ox_out_shape(r, 0, index->rank, index->dim);
    return OX_OK;
}

typedef struct elements {
    const ox_tensor *x, *y;
    const int64_t   *at;
    int64_t          row, rows, n_rows; /* elements of a row of y; rows of a block, in all */
    int64_t          stride[OX_MAX_RANK];
    int              axis;
} elements;

/* Where row `row` of y finds its elements, but for their index along the axis. */
static int64_t row_base(const elements *e, int64_t row)
{
    int64_t base = 0;
    for (int d = e->y->rank - 2; d >= 0; d--) {
        base += d == e->axis ? 0 : row % e->y->dim[d] * e->stride[d];
        row /= e->y->dim[d];
    }
    return base;
}

#define PICK(T)                                                                                    \
    {                                                                                              \
        const T *from = (const T *)e->x->data + base;                                              \
        T *to = (T *)e->y->data + row * e->row;                                                    \
        for (int64_t j = 0; j < e->row; j++)                                                       \
            to[j] = from[at[j] * along + j * step];                                                \
        break;                                                                                     \
    }
static void element_rows(void *ctx, int64_t block, int worker)
{
    const elements *e = ctx;
    int64_t along = e->stride[e->axis], step = e->axis < e->y->rank - 1, end = OX_MIN((block + 1) * e->rows, e->n_rows);
    (void)worker;
    for (int64_t row = block * e->rows; row < end; row++) {
        int64_t base = row_base(e, row);
        const int64_t *at = e->at + row * e->row;
        switch (ox_dtype_size(e->x->dtype)) {
        case 1: PICK(uint8_t)
        case 2: PICK(uint16_t)
        case 4: PICK(uint32_t)
        case 8: PICK(uint64_t)
        default: PICK(ox_str)
        }
    }
}
#undef PICK

static ox_code run_elements(ox_run *r)
{
    elements e = { .x = r->in[0], .y = r->out[0] };
    OX_TRY(ox_attr_axis(r, "axis", e.x->rank, &e.axis));
    OX_TRY(ox_checked_indices(r, 1, e.x->dim[e.axis], &e.at));
    int64_t size = (int64_t)ox_dtype_size(e.x->dtype), stride = 1;
    for (int d = e.x->rank - 1; d >= 0; stride *= e.x->dim[d--])
        e.stride[d] = stride;
    e.row = e.y->dim[e.y->rank - 1];
    e.n_rows = ox_count(e.y) / e.row;
    e.rows = BLOCK / (e.row * size) + 1;
    ox_parallel(r, (e.n_rows + e.rows - 1) / e.rows, element_rows, &e);
    return OX_OK;
}

OX_OP(GatherElements, 11) .infer = infer_elements, .run_any = run_elements, .key = OX_KEY_NONE,
    .error = { ERR_EXACT, 0 } OX_END;

/* ---- GatherND: the last dimension of indices holds tuples ---- */
static ox_code infer_nd(ox_run *r)
{
    const ox_tensor *x = r->in[0], *index = r->in[1];
    int64_t batch = ox_attr_i64(r, "batch_dims"),
            tuple = index->rank ? index->dim[index->rank - 1] : 0;
    int64_t dim[2 * OX_MAX_RANK];
    int rank = 0;
    if (index->rank < 1 || batch < 0 || batch >= OX_MIN(x->rank, index->rank))
        return OX_FAIL(r->err, OX_E_SHAPE, "batch_dims is %lld, data has rank %d, indices %d",
                       (long long)batch, x->rank, index->rank);
    if (tuple < 0 || tuple > x->rank - batch)
        return OX_FAIL(r->err, OX_E_SHAPE, "index tuples of %lld into %lld dimensions",
                       (long long)tuple, (long long)(x->rank - batch));
    for (int d = 0; d < batch; d++)
        if (x->dim[d] != index->dim[d])
            return OX_FAIL(r->err, OX_E_SHAPE,
                           "batch dimension %d is %lld in data, %lld in indices", d,
                           (long long)x->dim[d], (long long)index->dim[d]);
    for (int d = 0; d < index->rank - 1; d++)
        dim[rank++] = index->dim[d];
    for (int d = (int)(batch + tuple); d < x->rank; d++)
        dim[rank++] = x->dim[d];
    if (rank > OX_MAX_RANK)
        return OX_FAIL(r->err, OX_E_LIMIT, "rank %d is more than %d", rank, OX_MAX_RANK);
    ox_out_shape(r, 0, rank, dim);
    return OX_OK;
}

static ox_code run_nd(ox_run *r)
{
    const ox_tensor *x = r->in[0], *index = r->in[1];
    int batch = (int)ox_attr_i64(r, "batch_dims"), tuple = (int)index->dim[index->rank - 1];
    int64_t n = ox_numel(index, 0, index->rank - 1);
    int64_t *at = ox_scratch_array(r, (size_t)n, sizeof(*at));
    if (!at)
        return OX_NO_MEMORY(r);
    OX_TRY(ox_tuple_offsets(r, x, 1, batch, at));
    gather g = { .x = x->data, .y = r->out[0]->data, .at = at, .n = n, .n_total = n,
                 .bytes = (size_t)ox_numel(x, batch + tuple, x->rank) * ox_dtype_size(x->dtype) };
    gather_run(r, &g);
    return OX_OK;
}

OX_OP(GatherND, 11) .infer = infer_nd, .run_any = run_nd, .key = OX_KEY_NONE,
    .error = { ERR_EXACT, 0 } OX_END;
