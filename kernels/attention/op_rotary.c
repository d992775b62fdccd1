/* RotaryEmbedding: pairs of elements of each head rotated by the angle of their position.  X is (batch, heads,
 * length, head) or (batch, length, heads * head); the caches are (positions, half) with position_ids, else
 * (batch, length, half). */
#ifdef T /* ---- once per dtype: see runtime/tensor/each_dtype.h ---- */

static void FN(token)(void *ctx, int64_t block, int worker)
{
    const struct rotary_run *c = ctx;
    const struct rotary *s = c->r->state;
    int64_t b = block / s->length, t = block % s->length, half = s->half;
    int64_t at = (c->ids ? c->ids[block] : block) * half;
    const T *cs = (const T *)c->r->in[1]->data + at, *sn = (const T *)c->r->in[2]->data + at;
    (void)worker;
    for (int64_t h = 0; h < s->heads; h++) {
        int64_t from = b * s->batch_step + h * s->head_step + t * s->row_step;
        const T *x = (const T *)c->r->in[0]->data + from;
        T *y = (T *)c->r->out[0]->data + from;
        for (int64_t i = 0; i < half; i++) {
            int64_t p = s->interleaved ? 2 * i : i, q = s->interleaved ? 2 * i + 1 : i + half;
            C a = x[p], d = x[q];
            y[p] = cs[i] * a - sn[i] * d;
            y[q] = sn[i] * a + cs[i] * d;
        }
        for (int64_t i = 2 * half; i < s->head && y != x; i++)
            y[i] = x[i];
    }
}

static ox_code FN(rotary)(ox_run *r)
{
    const struct rotary *s = r->state;
    struct rotary_run c = { r, NULL };
    OX_TRY(positions(r, s, &c.ids));
    ox_parallel(r, s->batch * s->length, FN(token), &c);
    return OX_OK;
}

#else /* ---- once ---- */
#include "runtime/op.h"

struct rotary {
    int64_t batch, length, heads, head, half;
    int64_t batch_step, head_step, row_step;
    bool    interleaved;
};
struct rotary_run {
    ox_run        *r;
    const int64_t *ids;
};

static ox_code prepare(ox_run *r)
{
    struct rotary *s = r->state;
    const ox_tensor *x = r->in[0], *cs = r->in[1], *sn = r->in[2];
    bool four = x->rank == 4, ids = r->n_in > 3 && r->in[3];
    if (x->rank != 3 && !four)
        return OX_FAIL(r->err, OX_E_SHAPE, "X has rank %d, expected 3 or 4", x->rank);
    s->batch = x->dim[0];
    s->heads = four ? x->dim[1] : ox_attr_i64(r, "num_heads");
    s->length = x->dim[four ? 2 : 1];
    if (s->heads < 1 || (!four && x->dim[2] % s->heads))
        return OX_FAIL(r->err, OX_E_SHAPE, "num_heads is %lld for a hidden size of %lld", (long long)s->heads,
                       (long long)x->dim[x->rank - 1]);
    s->head = four ? x->dim[3] : x->dim[2] / s->heads;
    int64_t dim = ox_attr_i64(r, "rotary_embedding_dim");
    dim = dim ? dim : s->head;
    s->half = dim / 2;
    s->interleaved = ox_attr_i64(r, "interleaved") != 0;
    s->batch_step = s->heads * s->length * s->head;
    s->head_step = four ? s->length * s->head : s->head;
    s->row_step = four ? s->head : s->heads * s->head;
    bool shapes = cs->rank == (ids ? 2 : 3) && ox_shape_same(cs, sn) && cs->dim[cs->rank - 1] == s->half;
    if (!shapes || dim < 0 || dim > s->head || (!ids && ox_count(cs) != s->batch * s->length * s->half))
        return OX_FAIL(r->err, OX_E_SHAPE, "the caches do not suit %lld rotated elements of %lld tokens",
                       (long long)dim, (long long)(s->batch * s->length));
    return OX_OK;
}

static ox_code positions(ox_run *r, const struct rotary *s, const int64_t **ids)
{
    int64_t n = 0, rows = r->in[1]->dim[0];
    *ids = r->n_in > 3 ? ox_in_i64s(r, 3, &n) : NULL;
    if (*ids && n != s->batch * s->length)
        return OX_FAIL(r->err, OX_E_SHAPE, "position_ids has %lld entries for %lld tokens", (long long)n,
                       (long long)(s->batch * s->length));
    for (int64_t i = 0; i < n; i++)
        if ((*ids)[i] < 0 || (*ids)[i] >= rows)
            return OX_FAIL(r->err, OX_E_VALUE, "position_ids[%lld] is %lld of %lld", (long long)i,
                           (long long)(*ids)[i], (long long)rows);
    return OX_OK;
}

#define TYPES MASK_FLOAT
#define TMPL  "kernels/attention/op_rotary.c"
#include "runtime/tensor/each_dtype.h"

OX_OP(RotaryEmbedding, 23) .infer = ox_infer_like, .prepare = prepare, .run = { KERNELS(rotary, FLOAT) },
    .error = { ERR_SUM, 8 }, .state_size = sizeof(struct rotary) OX_END;
#endif
