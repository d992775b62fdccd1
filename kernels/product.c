#include "kernels/product.h"

#include <string.h>

ox_code ox_product_read(ox_run *r, int ia, int ib, bool turned, ox_product *s)
{
    const ox_tensor *a = r->in[ia], *b = r->in[ib];
    if (a->rank < 1 || b->rank < 1)
        return OX_FAIL(r->err, OX_E_SHAPE, "%s is a scalar, expected at least rank 1", a->rank < 1 ? "A" : "B");
    turned = turned && b->rank > 1;
    s->m = a->rank > 1 ? a->dim[a->rank - 2] : 1;
    s->k = a->dim[a->rank - 1];
    s->n = b->rank > 1 ? b->dim[b->rank - (turned ? 2 : 1)] : 1;
    int64_t k_b = b->dim[b->rank > 1 && !turned ? b->rank - 2 : b->rank - 1];
    if (s->k >= 0 && k_b >= 0 && s->k != k_b)
        return OX_FAIL(r->err, OX_E_SHAPE, "A has %lld columns, B has %lld rows", (long long)s->k, (long long)k_b);
    s->rank = s->rank_a = OX_MAX(a->rank - 2, 0);
    s->rank_b = OX_MAX(b->rank - 2, 0);
    memcpy(s->lead, a->dim, (size_t)s->rank_a * sizeof(*a->dim));
    return ox_broadcast(r, &s->rank, s->lead, s->rank_b, b->dim);
}

void ox_product_shape(const ox_run *r, int a, int b, ox_product *s)
{
    if (r->in[a]->rank > 1)
        s->lead[s->rank++] = s->m;
    if (r->in[b]->rank > 1)
        s->lead[s->rank++] = s->n;
}

int64_t ox_product_batch(const ox_product *s)
{
    int64_t batch = 1;
    for (int i = 0; i < s->rank; i++)
        batch *= s->lead[i];
    return batch;
}

/* Where product `batch` finds its operand of leading shape dim[rank]. */
static int64_t offset_of(const ox_product *s, int64_t batch, int rank, const int64_t *dim, int64_t size)
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

ox_code ox_product_offsets(ox_run *r, int a, int b, const ox_product *s, int64_t batch, int64_t **at_a,
                           int64_t **at_b)
{
    *at_a = ox_state_alloc(r, (size_t)OX_MAX(batch, 1), sizeof(int64_t));
    *at_b = ox_state_alloc(r, (size_t)OX_MAX(batch, 1), sizeof(int64_t));
    if (!*at_a || !*at_b)
        return OX_NO_MEMORY(r);
    for (int64_t i = 0; i < batch && batch > 1; i++) {
        (*at_a)[i] = offset_of(s, i, s->rank_a, r->in[a]->dim, s->m * s->k);
        (*at_b)[i] = offset_of(s, i, s->rank_b, r->in[b]->dim, s->k * s->n);
    }
    return OX_OK;
}
