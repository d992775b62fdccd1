/* TopK: the k largest (or smallest) of each lane along an axis, best first.  Of equal values the
 * one with the lower index comes first; NaN counts as larger than every number. */
#ifdef T /* ---- once per dtype ---- */

typedef struct FN(item) {
    T       value;
    int64_t index;
} FN(item);

/* Whether a comes before b in the result: a total order, so the result never depends on the method.
 */
static inline bool FN(before)(FN(item) a, FN(item) b, bool largest)
{
#if IS_FLOAT
    bool nan_a = a.value != a.value, nan_b = b.value != b.value;
    if (nan_a != nan_b)
        return nan_a == largest;
    if (a.value != b.value && !nan_a)
#else
    if (a.value != b.value)
#endif
        return largest ? a.value > b.value : a.value < b.value;
    return a.index < b.index;
}

/* heap[0] is the item that comes last of the n. */
static void FN(sift)(FN(item) *heap, int64_t n, int64_t at, FN(item) item, bool largest)
{
    for (int64_t child; (child = 2 * at + 1) < n; at = child) {
        if (child + 1 < n && FN(before)(heap[child], heap[child + 1], largest))
            child++;
        if (!FN(before)(item, heap[child], largest))
            break;
        heap[at] = heap[child];
    }
    heap[at] = item;
}

static void FN(lane)(const lanes *l, int64_t i, int worker)
{
    int64_t k = l->k, s = l->inner;
    const T *x = (const T *)l->x + i / s * l->n * s + i % s;
    int64_t to = i / s * k * s + i % s;
    FN(item) *heap = (FN(item) *)(void *)l->heaps + worker * k;
    for (int64_t j = 0; j < k; j++)
        heap[j] = (FN(item)){ LD(x + j * s), j };
    for (int64_t j = k / 2 - 1; j >= 0; j--)
        FN(sift)(heap, k, j, heap[j], l->largest);
    for (int64_t j = k; j < l->n; j++) {
        FN(item) item = { LD(x + j * s), j };
        /* most are no better than the worst so far; equal ones come later than it; NaN is neither
         */
        if (l->largest ? item.value <= heap[0].value : item.value >= heap[0].value)
            continue;
        if (FN(before)(item, heap[0], l->largest))
            FN(sift)(heap, k, 0, item, l->largest);
    }
    for (int64_t j = k - 1; j >= 0; j--) { /* the last of those left goes to the end */
        FN(item) last = heap[0];
        if (l->values)
            ST((T *)l->values + to + j * s, last.value);
        if (l->indices)
            l->indices[to + j * s] = last.index;
        if (j > 0)
            FN(sift)(heap, j, 0, heap[j], l->largest);
    }
}

static void FN(block)(void *ctx, int64_t block, int worker)
{
    const lanes *l = ctx;
    int64_t end = OX_MIN((block + 1) * l->block, l->n_lanes);
    for (int64_t i = block * l->block; i < end; i++)
        FN(lane)(l, i, worker);
}

static ox_code FN(topk)(ox_run *r)
{
    lanes l;
    OX_TRY(get_lanes(r, &l));
    int64_t n = (int64_t)ox_pool_threads(r->pool) * l.k;
    if (!(l.heaps = ox_scratch_array(r, (size_t)n, sizeof(FN(item)))))
        return OX_NO_MEMORY(r);
    ox_parallel(r, (l.n_lanes + l.block - 1) / l.block, FN(block), &l);
    return OX_OK;
}

#else /* ---- once ---- */
#include "runtime/op.h"

typedef struct lanes {
    const void *x;
    void       *values; /* NULL where nobody wants them */
    int64_t    *indices;
    int64_t     n, k, inner, n_lanes, block; /* block: lanes that one parallel block does */
    bool        largest;
    char       *heaps;  /* k items for each worker */
} lanes;

/* k is an attribute in version 1, an input since; *k is -1 while that is not known. */
static ox_code get_k(ox_run *r, int *axis, int64_t *k)
{
    const ox_tensor *x = r->in[0];
    OX_TRY(ox_attr_axis(r, "axis", x->rank, axis));
    *k = -1;
    if (r->since < 10) {
        *k = ox_attr_i64(r, "k");
    } else {
        if (!ox_in_known(r, 1))
            return OX_OK;
        if (ox_count(r->in[1]) != 1)
            return OX_FAIL(r->err, OX_E_SHAPE, "K has %lld elements, expected 1",
                           (long long)ox_count(r->in[1]));
        *k = ox_get_i64(r->in[1], 0);
    }
    if (*k < 0 || (x->dim[*axis] >= 0 && *k > x->dim[*axis]))
        return OX_FAIL(r->err, OX_E_VALUE, "k is %lld, the axis has %lld elements", (long long)*k,
                       (long long)x->dim[*axis]);
    return OX_OK;
}

static ox_code infer(ox_run *r)
{
    const ox_tensor *x = r->in[0];
    int axis;
    int64_t k, dim[OX_MAX_RANK];
    OX_TRY(get_k(r, &axis, &k));
    for (int d = 0; d < x->rank; d++)
        dim[d] = d == axis ? k : x->dim[d];
    ox_out_shape(r, 0, x->rank, dim);
    ox_out_shape(r, 1, x->rank, dim);
    return OX_OK;
}

static ox_code get_lanes(ox_run *r, lanes *l)
{
    const ox_tensor *x = r->in[0];
    int axis;
    int64_t k;
    OX_TRY(get_k(r, &axis, &k));
    int64_t inner = ox_numel(x, axis + 1, x->rank);
    *l = (lanes){
        .x = x->data, .values = r->out[0] ? r->out[0]->data : NULL,
        .indices = r->n_out > 1 && r->out[1] ? r->out[1]->data : NULL,
        .n = x->dim[axis], .k = k, .inner = inner, .n_lanes = ox_numel(x, 0, axis) * inner,
        .block = 4096 / x->dim[axis] + 1, .largest = r->since < 11 || ox_attr_i64(r, "largest"),
    };
    return OX_OK;
}

#define TYPES MASK_NUM
#define TMPL  "kernels/sort/op_topk.c"
#include "runtime/tensor/each_dtype.h"

OX_OP(TopK, 1) .infer = infer, .run = { KERNELS(topk, NUM) }, .flags = OX_SYMBOLIC,
    .error = { ERR_EXACT, 0 } OX_END;
#endif
