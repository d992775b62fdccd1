/* Unique: distinct elements, or distinct slices along an axis, with where each was first, which of
 * them every element is, and how often each occurs.  NaN equals NaN and comes last. */
#ifdef T /* ---- once per dtype ---- */

static int FN(compare)(const void *vx, int64_t i, int64_t j)
{
    C a = LD((const T *)vx + i), b = LD((const T *)vx + j);
#if IS_FLOAT
    if (a != a || b != b)
        return (a != a) - (b != b);
#endif
    return (a > b) - (a < b);
}

#else /* ---- once ---- */
#include "runtime/op.h"

#include <string.h>

#define TYPES (MASK_NUM | M_F16 | M_BF16)
#define TMPL  "kernels/sort/op_unique.c"
#include "runtime/tensor/each_dtype.h"

static int compare_str(const void *vx, int64_t i, int64_t j)
{
    const ox_str *a = (const ox_str *)vx + i, *b = (const ox_str *)vx + j;
    size_t n = OX_MIN(a->n, b->n);
    int order = n ? memcmp(a->s, b->s, n) : 0;
    return order ? order : (a->n > b->n) - (a->n < b->n);
}

/* By real part, then by imaginary part. */
static int compare_c64(const void *x, int64_t i, int64_t j)
{
    int order = compare_f32(x, 2 * i, 2 * j);
    return order ? order : compare_f32(x, 2 * i + 1, 2 * j + 1);
}
static int compare_c128(const void *x, int64_t i, int64_t j)
{
    int order = compare_f64(x, 2 * i, 2 * j);
    return order ? order : compare_f64(x, 2 * i + 1, 2 * j + 1);
}

typedef int compare_fn(const void *x, int64_t i, int64_t j);
static compare_fn *const compares[OX_N_DTYPES] = {
    KERNELS(compare, NUM), [OX_BOOL] = compare_u8, [OX_F16] = compare_f16, [OX_BF16] = compare_bf16,
    [OX_STR] = compare_str, [OX_C64] = compare_c64, [OX_C128] = compare_c128,
};

/* x is [outer, n, inner]; slice i is all of [.., i, ..]. */
typedef struct slices {
    const void *x;
    compare_fn *compare;
    int64_t     outer, n, inner;
} slices;

static int compare_slices(const slices *s, int64_t i, int64_t j)
{
    for (int64_t o = 0; o < s->outer; o++)
        for (int64_t k = 0; k < s->inner; k++) {
            int64_t base = o * s->n * s->inner + k;
            int order = s->compare(s->x, base + i * s->inner, base + j * s->inner);
            if (order)
                return order;
        }
    return 0;
}

/* Merge sort, bottom up: stable, so that equal slices stay in the order of their indices. */
static void sort(const slices *s, int64_t *order, int64_t *spare)
{
    int64_t *from = order, *to = spare;
    for (int64_t i = 0; i < s->n; i++)
        order[i] = i;
    for (int64_t width = 1; width < s->n; width *= 2) {
        for (int64_t start = 0; start < s->n; start += 2 * width) {
            int64_t a = start, mid = OX_MIN(start + width, s->n), b = mid,
                    end = OX_MIN(mid + width, s->n);
            for (int64_t k = start; k < end; k++) {
                bool left = a < mid && (b >= end || compare_slices(s, from[a], from[b]) <= 0);
                to[k] = from[left ? a++ : b++];
            }
        }
        int64_t *swap = from;
        from = to;
        to = swap;
    }
    if (from != order)
        memcpy(order, from, (size_t)s->n * sizeof(*order));
}

/* Distinct slices: first[u], count[u], and u for every slice; sorted, or by first occurrence. */
static int64_t group(const slices *s, bool sorted, const int64_t *order, int64_t *first,
                     int64_t *count, int64_t *inverse, int64_t *rank)
{
    int64_t n = 0;
    for (int64_t i = 0; i < s->n; i++) {
        if (i == 0 || compare_slices(s, order[i - 1], order[i]) != 0) {
            first[n] = order[i];
            count[n++] = 0;
        }
        count[n - 1]++;
        inverse[order[i]] = n - 1;
    }
    if (sorted)
        return n;
    /* a slice that is the first of its group opens the next one; rank maps old groups to new ones
     */
    int64_t next = 0;
    for (int64_t i = 0; i < s->n; i++)
        if (first[inverse[i]] == i)
            rank[inverse[i]] = next++;
    for (int64_t i = 0; i < s->n; i++)
        inverse[i] = rank[inverse[i]];
    for (int64_t i = 0; i < n; i++)
        count[i] = 0;
    for (int64_t i = s->n - 1; i >= 0; i--) {
        first[inverse[i]] = i;
        count[inverse[i]]++;
    }
    return n;
}

static ox_code give(ox_run *r, int i, int64_t n, const int64_t *v)
{
    if (i >= r->n_out || !r->out[i])
        return OX_OK;
    OX_TRY(ox_out_alloc(r, i, 1, &n));
    memcpy(r->out[i]->data, v, (size_t)n * sizeof(*v));
    return OX_OK;
}

static ox_code give_values(ox_run *r, const slices *s, int axis, int64_t n, const int64_t *first)
{
    const ox_tensor *x = r->in[0];
    int64_t dim[OX_MAX_RANK] = { n };
    int rank = axis < 0 ? 1 : x->rank;
    if (!r->out[0])
        return OX_OK;
    for (int d = 0; d < rank && axis >= 0; d++)
        dim[d] = d == axis ? n : x->dim[d];
    OX_TRY(ox_out_alloc(r, 0, rank, dim));
    size_t bytes = (size_t)s->inner * ox_dtype_size(x->dtype);
    char *y = r->out[0]->data;
    for (int64_t o = 0; o < s->outer; o++)
        for (int64_t i = 0; i < n && bytes; i++, y += bytes)
            memcpy(y, (const char *)s->x + (size_t)(o * s->n + first[i]) * bytes, bytes);
    return OX_OK;
}

static ox_code run(ox_run *r)
{
    const ox_tensor *x = r->in[0];
    int axis = -1;
    slices s = {
        .x = x->data, .compare = compares[x->dtype], .outer = 1, .n = ox_count(x), .inner = 1};
    if (!s.compare)
        return OX_FAIL(r->err, OX_E_UNSUPPORTED, "%s elements have no order",
                       ox_dtype_name(x->dtype));
    if (ox_attr_given(r, "axis")) {
        OX_TRY(ox_attr_axis(r, "axis", x->rank, &axis));
        s.outer = ox_numel(x, 0, axis);
        s.n = x->dim[axis];
        s.inner = ox_numel(x, axis + 1, x->rank);
    }
    int64_t *v[5];
    for (int i = 0; i < 5; i++)
        if (!(v[i] = ox_scratch_array(r, (size_t)s.n, sizeof(int64_t))))
            return OX_NO_MEMORY(r);
    sort(&s, v[0], v[1]);
    int64_t n = group(&s, ox_attr_i64(r, "sorted") != 0, v[0], v[1], v[2], v[3], v[4]);
    OX_TRY(give_values(r, &s, axis, n, v[1]));
    OX_TRY(give(r, 1, n, v[1]));
    OX_TRY(give(r, 2, s.n, v[3]));
    return give(r, 3, n, v[2]);
}

static ox_code infer(ox_run *r)
{
    const ox_tensor *x = r->in[0];
    int axis;
    int64_t dim[OX_MAX_RANK], unknown = OX_DIM_UNKNOWN;
    if (ox_attr_given(r, "axis")) {
        OX_TRY(ox_attr_axis(r, "axis", x->rank, &axis));
        for (int d = 0; d < x->rank; d++)
            dim[d] = d == axis ? OX_DIM_UNKNOWN : x->dim[d];
        ox_out_shape(r, 0, x->rank, dim);
    } else {
        ox_out_shape(r, 0, 1, &unknown);
    }
    for (int i = 1; i < 4; i++)
        ox_out_shape(r, i, 1, &unknown);
    return OX_OK;
}

OX_OP(Unique, 11).infer = infer, .run_any = run, .key = OX_KEY_NONE, .error = {ERR_EXACT, 0} OX_END;
#endif
