#include "kernels/quant/matrix.h"

#include <string.h>

typedef struct shape { int64_t m, n, k; int rank, rank_a, rank_b; int64_t lead[OX_MAX_RANK]; } shape;

static ox_code read_shape(ox_run *r, int ia, int ib, shape *s)
{
    const ox_tensor *a = r->in[ia], *b = r->in[ib];
    if (a->rank < 1 || b->rank < 1)
        return OX_FAIL(r->err, OX_E_SHAPE, "operands have ranks %d and %d, expected at least 1", a->rank, b->rank);
    s->m = a->rank > 1 ? a->dim[a->rank - 2] : 1;
    s->k = a->dim[a->rank - 1];
    bool turned = b->rank > 1 && ox_attr_given(r, "onnxrun_transb");
    s->n = b->rank > 1 ? b->dim[b->rank - (turned ? 2 : 1)] : 1;
    int64_t k_b = b->dim[b->rank > 1 && !turned ? b->rank - 2 : b->rank - 1];
    if (s->k != k_b)
        return OX_FAIL(r->err, OX_E_SHAPE, "A has %lld columns, B has %lld rows", (long long)s->k, (long long)k_b);
    s->rank = s->rank_a = OX_MAX(a->rank - 2, 0);
    s->rank_b = OX_MAX(b->rank - 2, 0);
    memcpy(s->lead, a->dim, (size_t)s->rank_a * sizeof(*a->dim));
    return ox_broadcast(r, &s->rank, s->lead, s->rank_b, b->dim);
}

ox_code ox_matrix_infer(ox_run *r, int a, int b)
{
    shape s;
    OX_TRY(read_shape(r, a, b, &s));
    if (r->in[a]->rank > 1)
        s.lead[s.rank++] = s.m;
    if (r->in[b]->rank > 1)
        s.lead[s.rank++] = s.n;
    ox_out_shape(r, 0, s.rank, s.lead);
    return OX_OK;
}

static int64_t offset_of(const shape *s, int64_t batch, int rank, const int64_t *dim, int64_t size)
{
    int64_t at = 0, step = size;
    for (int d = s->rank - 1, e = rank - 1; d >= 0; d--, e--) {
        int64_t i = batch % s->lead[d];
        batch /= s->lead[d];
        if (e < 0)
            continue;
        at += dim[e] == 1 ? 0 : i * step;
        step *= dim[e];
    }
    return at;
}

ox_code ox_matrix_prepare(ox_run *r, ox_matrix *s, int a, int b)
{
    shape d;
    OX_TRY(read_shape(r, a, b, &d));
    *s = (ox_matrix){ .m = d.m, .n = d.n, .k = d.k, .batch = 1 };
    for (int i = 0; i < d.rank; i++)
        s->batch *= d.lead[i];
    s->at_a = ox_state_alloc(r, (size_t)OX_MAX(s->batch, 1), sizeof(int64_t));
    s->at_b = ox_state_alloc(r, (size_t)OX_MAX(s->batch, 1), sizeof(int64_t));
    if (!s->at_a || !s->at_b)
        return OX_NO_MEMORY(r);
    for (int64_t i = 0; i < s->batch; i++) {
        s->at_a[i] = offset_of(&d, i, d.rank_a, r->in[a]->dim, d.m * d.k);
        s->at_b[i] = offset_of(&d, i, d.rank_b, r->in[b]->dim, d.k * d.n);
    }
    return OX_OK;
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
