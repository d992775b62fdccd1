#include "kernels/quant/matrix.h"
#include "kernels/product.h"

static ox_code read_shape(ox_run *r, int a, int b, ox_product *s)
{
    return ox_product_read(r, a, b, ox_attr_given(r, "onnxrun_transb"), s);
}

ox_code ox_matrix_infer(ox_run *r, int a, int b)
{
    ox_product s;
    OX_TRY(read_shape(r, a, b, &s));
    ox_product_shape(r, a, b, &s);
    ox_out_shape(r, 0, s.rank, s.lead);
    return OX_OK;
}

ox_code ox_matrix_prepare(ox_run *r, ox_matrix *s, int a, int b)
{
    ox_product d;
    OX_TRY(read_shape(r, a, b, &d));
    *s = (ox_matrix){ .m = d.m, .n = d.n, .k = d.k, .batch = ox_product_batch(&d) };
    return ox_product_offsets(r, a, b, &d, s->batch, &s->at_a, &s->at_b);
}

ox_code ox_matrix_centred(ox_run *r, const ox_matrix *s, int i, int z, bool is_b, const int32_t **out)
{
    int64_t n, n_z = 0, inner = is_b ? s->n : s->k, outer = is_b ? s->k : s->m;
    const int64_t *zero = ox_in_i64s(r, z, &n_z), *x = ox_in_i64s(r, i, &n);
    int32_t *y = ox_scratch_array(r, (size_t)OX_MAX(ox_count(r->in[i]), 1), sizeof(*y));
    if (!y || (!x && ox_count(r->in[i])))
        return OX_NO_MEMORY(r);
    int64_t side = is_b ? s->n : s->m, matrices = n / OX_MAX(inner * outer, 1);
    if (zero && n_z != 1 && n_z != side && n_z != side * matrices)
        return OX_FAIL(r->err, OX_E_SHAPE, "a zero point has %lld elements, expected 1 or %lld", (long long)n_z,
                       (long long)side);
    for (int64_t k = 0; k < n; k++) {
        int64_t matrix = k / (inner * outer), at = is_b ? k % inner : k / inner % outer;
        int64_t which = !zero || n_z == 1 ? 0 : n_z == side ? at : matrix * side + at;
        y[k] = (int32_t)(x[k] - (zero ? zero[which] : 0));
    }
    *out = y;
    return OX_OK;
}

bool ox_matrix_fits(const ox_matrix *s, int64_t n, bool is_b)
{
    int64_t side = is_b ? s->n : s->m;
    return n == 1 || n == side || n == side * s->batch;
}

int64_t ox_matrix_row(const ox_matrix *s, int64_t n, int64_t row)
{
    return n == 1 ? 0 : n == s->m ? row % s->m : row;
}

int64_t ox_matrix_column(const ox_matrix *s, int64_t n, int64_t row, int64_t column)
{
    return n == 1 ? 0 : n == s->n ? column : row / s->m * s->n + column;
}
