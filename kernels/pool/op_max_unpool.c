/* MaxUnpool: values go back to where MaxPool found them, zero elsewhere.  Indices count in the tensor
 * whose shape follows from kernel_shape, strides and pads; a larger output_shape adds zeros behind it. */
#include "kernels/window.h"

#include <string.h>

struct unpool {
    int     rank;
    int64_t inferred[OX_MAX_RANK]; /* the shape that indices count in */
    int64_t size;                  /* its elements */
};

static ox_code inferred_shape(ox_run *r, int64_t *dim)
{
    const ox_tensor *x = r->in[0];
    ox_window w;
    int n;
    if (x->rank < 3)
        return OX_FAIL(r->err, OX_E_SHAPE, "X has rank %d, expected at least 3", x->rank);
    ox_attr_i64s(r, "kernel_shape", &n);
    if (n != x->rank - 2)
        return OX_FAIL(r->err, OX_E_SHAPE, "kernel_shape has %d entries for %d spatial dimensions", n, x->rank - 2);
    OX_TRY(ox_window_init(r, &w, x, NULL));
    dim[0] = x->dim[0];
    dim[1] = x->dim[1];
    for (int d = 0; d < w.n; d++) {
        int64_t fixed = w.kernel[d] - w.stride[d] - w.begin[d] - w.end[d];
        dim[d + 2] = OX_DIM_UNKNOWN;
        if (w.in[d] >= 0)
            dim[d + 2] = OX_MAX(w.in[d] * w.stride[d] + fixed, 0);
    }
    return OX_OK;
}

/* Dimensions of the output; false while output_shape is not known. */
static ox_code output_shape(ox_run *r, const int64_t *inferred, int64_t *dim, bool *known)
{
    int rank = r->in[0]->rank;
    int64_t n;
    *known = ox_in_known(r, 2);
    memcpy(dim, inferred, (size_t)rank * sizeof(*dim));
    if (!*known || r->n_in < 3 || !r->in[2])
        return OX_OK;
    const int64_t *given = ox_in_i64s(r, 2, &n);
    if (n != rank)
        return OX_FAIL(r->err, OX_E_SHAPE, "output_shape has %lld entries, X has rank %d", (long long)n, rank);
    for (int d = 0; d < rank && given; d++) {
        if (given[d] < 0)
            return OX_FAIL(r->err, OX_E_VALUE, "output_shape[%d] is %lld", d, (long long)given[d]);
        dim[d] = given[d];
    }
    return given ? OX_OK : OX_NO_MEMORY(r);
}

static ox_code infer(ox_run *r)
{
    int64_t inferred[OX_MAX_RANK], dim[OX_MAX_RANK];
    bool known;
    OX_TRY(inferred_shape(r, inferred));
    OX_TRY(output_shape(r, inferred, dim, &known));
    if (known)
        ox_out_shape(r, 0, r->in[0]->rank, dim);
    return OX_OK;
}

static ox_code prepare(ox_run *r)
{
    struct unpool *s = r->state;
    const ox_tensor *x = r->in[0], *y = r->out[0];
    s->rank = x->rank;
    if (!ox_shape_same(x, r->in[1]))
        return OX_FAIL(r->err, OX_E_SHAPE, "X has %lld elements and I %lld, of unequal shape", (long long)ox_count(x),
                       (long long)ox_count(r->in[1]));
    OX_TRY(inferred_shape(r, s->inferred));
    bool smaller = false;
    for (int d = 0; d < s->rank; d++)
        smaller = smaller || y->dim[d] < s->inferred[d];
    if (smaller) /* then pads make up for it: indices count in the output */
        memcpy(s->inferred, y->dim, (size_t)s->rank * sizeof(*y->dim));
    return ox_shape_count(&s->size, x->dtype, s->rank, s->inferred, r->err);
}

/* Where element `index` of the inferred shape lies in the output. */
static int64_t place(const struct unpool *s, const ox_tensor *y, int64_t index)
{
    int64_t at = 0, step = 1;
    for (int d = s->rank - 1; d >= 0; d--) {
        at += index % s->inferred[d] * step;
        index /= s->inferred[d];
        step *= y->dim[d];
    }
    return at;
}

static ox_code run(ox_run *r)
{
    const struct unpool *s = r->state;
    const ox_tensor *x = r->in[0], *y = r->out[0];
    const int64_t *index = r->in[1]->data;
    size_t size = ox_dtype_size(x->dtype);
    memset(y->data, 0, ox_bytes(y));
    for (int64_t i = 0; i < ox_count(x); i++) {
        if (index[i] < 0 || index[i] >= s->size)
            return OX_FAIL(r->err, OX_E_VALUE, "I[%lld] is %lld, outside [0, %lld)", (long long)i,
                           (long long)index[i], (long long)s->size);
        memcpy((char *)y->data + (size_t)place(s, y, index[i]) * size, (const char *)x->data + (size_t)i * size, size);
    }
    return OX_OK;
}

OX_OP(MaxUnpool, 9) .infer = infer, .prepare = prepare, .run_any = run, .key = OX_KEY_NONE,
    .error = { ERR_EXACT, 0 }, .state_size = sizeof(struct unpool), .flags = OX_SYMBOLIC OX_END;
