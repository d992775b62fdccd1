#include "kernels/quant/granularity.h"

enum { BLOCK = 1 << 14 };

static ox_code per_axis(const ox_run *r, int axis, ox_rows *w)
{
    const ox_tensor *x = r->in[0];
    int64_t n = ox_count(r->in[1]), inner = ox_numel(x, axis + 1, x->rank);
    if (n != x->dim[axis])
        return OX_FAIL(r->err, OX_E_SHAPE, "%lld scales for %lld indices of axis %d", (long long)n,
                       (long long)x->dim[axis], axis);
    w->outer = ox_numel(x, 0, axis);
    w->span = n * inner;
    if (inner == 1) {
        *w = (ox_rows){ w->outer, 1, n, n, 1, 0, 0, 1, 1 };
    } else {
        w->n_row = n;
        w->step = inner;
        w->s_row = 1;
    }
    return OX_OK;
}

static ox_code blocked(const ox_run *r, int axis, int64_t block, ox_rows *w)
{
    const ox_tensor *x = r->in[0], *s = r->in[1];
    int64_t n = x->dim[axis], inner = ox_numel(x, axis + 1, x->rank), n_block = n / block + (n % block != 0);
    bool fits = s->rank == x->rank;
    for (int d = 0; d < s->rank && fits; d++)
        fits = s->dim[d] == (d == axis ? n_block : x->dim[d]);
    if (!fits) {
        char a[128], b[128];
        return OX_FAIL(r->err, OX_E_SHAPE, "scales %s do not fit x %s in blocks of %lld along axis %d",
                       ox_shape_text(b, sizeof(b), s), ox_shape_text(a, sizeof(a), x), (long long)block, axis);
    }
    w->outer = ox_numel(x, 0, axis);
    w->span = n * inner;
    w->s_outer = n_block * inner;
    if (inner == 1) {
        w->n_row = n_block;
        w->step = OX_MIN(block, n);
        w->s_row = 1;
    } else {
        w->n_row = n;
        w->step = inner;
        w->group = block;
        w->s_row = inner;
        w->s_in = 1;
    }
    return OX_OK;
}

ox_code ox_rows_init(const ox_run *r, ox_rows *w)
{
    const ox_tensor *x = r->in[0], *s = r->in[1], *zero = r->n_in > 2 ? r->in[2] : NULL;
    int64_t block = r->since < 21 ? 0 : ox_attr_i64(r, "block_size"), n_scale = ox_count(s), n = ox_count(x);
    int axis = 0;
    if (zero && ox_count(zero) != n_scale)
        return OX_FAIL(r->err, OX_E_SHAPE, "%lld zero points for %lld scales", (long long)ox_count(zero),
                       (long long)n_scale);
    if (block < 0)
        return OX_FAIL(r->err, OX_E_VALUE, "block_size is %lld", (long long)block);
    *w = (ox_rows){ .outer = 1, .n_row = (n + BLOCK - 1) / BLOCK, .step = BLOCK, .span = n, .group = 1,
                    .per_block = 1 };
    if (n_scale != 1) {
        if (r->since < 13)
            return OX_FAIL(r->err, OX_E_SHAPE, "%lld scales, version 10 knows one", (long long)n_scale);
        if (x->rank != 1) /* the default axis, 1, is no axis of a vector */
            OX_TRY(ox_attr_axis(r, "axis", x->rank, &axis));
        if (s->rank != 1 && block == 0)
            return OX_FAIL(r->err, OX_E_SHAPE, "scales of rank %d without block_size", s->rank);
        OX_TRY(block ? blocked(r, axis, block, w) : per_axis(r, axis, w));
    }
    w->per_block = OX_MAX(BLOCK / OX_MAX(w->step, 1), 1);
    return OX_OK;
}
