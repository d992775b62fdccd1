/* ArrayFeatureExtractor and FeatureVectorizer: columns picked and put side by side. */
#include "kernels/ml/ml.h"

#include <string.h>

/* ---- ArrayFeatureExtractor: X[..., Y]; a vector X gives one row ---- */
static ox_code infer_extractor(ox_run *r)
{
    const ox_tensor *x = r->in[0], *y = r->in[1];
    int64_t dim[OX_MAX_RANK] = { 1 };
    if (x->rank < 1)
        return OX_FAIL(r->err, OX_E_SHAPE, "X has rank 0");
    int rank = OX_MAX(x->rank, 2);
    for (int d = 0; d < x->rank - 1; d++)
        dim[d] = x->dim[d];
    dim[rank - 1] = ox_count(y);
    ox_out_shape(r, 0, rank, dim);
    return OX_OK;
}

static ox_code run_extractor(ox_run *r)
{
    const ox_tensor *x = r->in[0];
    int64_t n, width = x->dim[x->rank - 1];
    const int64_t *at = ox_in_i64s(r, 1, &n);
    size_t size = ox_dtype_size(x->dtype);
    const char *from = x->data;
    char *to = r->out[0]->data;
    if (!at)
        return OX_NO_MEMORY(r);
    for (int64_t k = 0; k < n; k++)
        if (at[k] < 0 || at[k] >= width)
            return OX_FAIL(r->err, OX_E_VALUE, "Y has %lld, X has %lld features", (long long)at[k],
                           (long long)width);
    for (int64_t i = 0; i < ox_numel(x, 0, x->rank - 1); i++, from += (size_t)width * size)
        for (int64_t k = 0; k < n; k++, to += size)
            memcpy(to, from + (size_t)at[k] * size, size);
    return OX_OK;
}

OX_OP(ArrayFeatureExtractor, 1) .domain = "ai.onnx.ml", .infer = infer_extractor,
    .run_any = run_extractor, .key = OX_KEY_NONE, .error = { ERR_EXACT, 0 } OX_END;

/* ---- FeatureVectorizer ---- */
/* Rows and columns of input i, and how many columns it takes in the output: those of
 * inputdimensions, cut or filled up with zeros. */
static ox_code part_of(const ox_run *r, int i, int64_t *rows, int64_t *width, int64_t *wanted)
{
    const ox_tensor *x = r->in[i];
    int n;
    const int64_t *dims = ox_attr_i64s(r, "inputdimensions", &n);
    *rows = *width = *wanted = 0;
    if (!x || x->rank < 1 || x->rank > 2)
        return OX_FAIL(r->err, OX_E_SHAPE, "input %d has rank %d, expected 1 or 2", i, x ? x->rank : -1);
    if (n && n != r->n_in)
        return OX_FAIL(r->err, OX_E_VALUE, "inputdimensions has %d entries for %d inputs", n, r->n_in);
    *rows = x->rank == 1 ? 1 : x->dim[0];
    *width = x->dim[x->rank - 1];
    *wanted = n ? dims[i] : *width;
    if (*wanted < 0)
        return OX_FAIL(r->err, OX_E_VALUE, "inputdimensions[%d] is %lld", i, (long long)*wanted);
    return OX_OK;
}

static ox_code infer_vectorizer(ox_run *r)
{
    int64_t n = 0, rows, width, wanted, dim[2] = { 0, 0 };
    for (int i = 0; i < r->n_in; i++) {
        OX_TRY(part_of(r, i, &rows, &width, &wanted));
        n = i ? n : rows;
        if (rows != n)
            return OX_FAIL(r->err, OX_E_SHAPE, "input %d has %lld rows, input 0 %lld", i, (long long)rows,
                           (long long)n);
        if (__builtin_add_overflow(dim[1], wanted, &dim[1]))
            return OX_FAIL(r->err, OX_E_LIMIT, "inputdimensions add up to too much");
    }
    dim[0] = n;
    ox_out_shape(r, 0, 2, dim);
    return OX_OK;
}

static ox_code run_vectorizer(ox_run *r)
{
    ox_tensor *y = r->out[0];
    size_t to_size = ox_dtype_size(y->dtype);
    int64_t rows, width, wanted;
    char *to = y->data;
    memset(y->data, 0, ox_bytes(y));
    for (int i = 0; i < r->n_in; i++, to += (size_t)wanted * to_size) {
        const ox_tensor *x = r->in[i];
        OX_TRY(part_of(r, i, &rows, &width, &wanted));
        size_t row = (size_t)width * ox_dtype_size(x->dtype), step = (size_t)y->dim[1] * to_size;
        int64_t n = OX_MIN(width, wanted);
        for (int64_t k = 0; k < rows && n > 0; k++)
            ox_convert(to + (size_t)k * step, y->dtype, (const char *)x->data + (size_t)k * row, x->dtype,
                       (size_t)n);
    }
    return OX_OK;
}

OX_OP(FeatureVectorizer, 1) .domain = "ai.onnx.ml", .infer = infer_vectorizer,
    .run_any = run_vectorizer, .key = OX_KEY_NONE, .error = { ERR_EXACT, 0 } OX_END;
