/* LRN: each value is divided by a power of the sum of squares of its neighbours in channel direction.
 * Of an even number of neighbours one more is above than below. */
#include "kernels/norm/param.h"

#include <math.h>

enum { CHUNK = 1024 }; /* spatial elements that are worked on together */

struct lrn {
    ox_norm_rows     rows;
    int64_t          c, inner, below, above; /* neighbours in each direction */
    ox_norm_response response;
};

static ox_code infer(ox_run *r)
{
    const ox_tensor *x = r->in[0];
    if (x->rank < 2)
        return OX_FAIL(r->err, OX_E_SHAPE, "X has rank %d, expected at least 2", x->rank);
    ox_out_shape(r, 0, x->rank, x->dim);
    return OX_OK;
}

static ox_code prepare(ox_run *r)
{
    struct lrn *s = r->state;
    const ox_tensor *x = r->in[0];
    int64_t size = ox_attr_i64(r, "size");
    if (size < 1)
        return OX_FAIL(r->err, OX_E_VALUE, "size is %lld, expected at least 1", (long long)size);
    s->rows = ox_norm_rows_pick(x->dtype);
    s->c = x->dim[1];
    s->inner = ox_numel(x, 2, x->rank);
    s->below = OX_MIN((size - 1) / 2, s->c);
    s->above = OX_MIN(size - 1 - (size - 1) / 2, s->c);
    s->response = (ox_norm_response){ ox_attr_f64(r, "alpha") / (double)size, ox_attr_f64(r, "beta"),
                                      ox_attr_f64(r, "bias") };
    return OX_OK;
}

/* One chunk of one image, channel after channel. */
static void block(void *ctx, int64_t b, int worker)
{
    const ox_run *r = ctx;
    const struct lrn *s = r->state;
    int64_t chunks = (s->inner + CHUNK - 1) / CHUNK, size = (int64_t)ox_dtype_size(r->in[0]->dtype);
    int64_t first = b % chunks * CHUNK, n = OX_MIN(CHUNK, s->inner - first);
    const char *x = (const char *)r->in[0]->data + (b / chunks * s->c * s->inner + first) * size;
    char *y = (char *)r->out[0]->data + (b / chunks * s->c * s->inner + first) * size;
    (void)worker;
    for (int64_t c = 0; c < s->c; c++) {
        double sum[CHUNK] = { 0 };
        for (int64_t k = OX_MAX(c - s->below, 0); k <= OX_MIN(c + s->above, s->c - 1); k++)
            ox_norm_add_squares(&s->rows, n, x + k * s->inner * size, sum);
        int64_t at = c * s->inner * size;
        ox_norm_respond(&s->rows, n, x + at, sum, &s->response, y + at);
    }
}

static ox_code run(ox_run *r)
{
    const struct lrn *s = r->state;
    ox_parallel(r, r->in[0]->dim[0] * ((s->inner + CHUNK - 1) / CHUNK), block, r);
    return OX_OK;
}

static ox_code oracle(ox_oracle *o)
{
    const struct lrn *s = o->r->state;
    for (int64_t i = 0; i < ox_count(o->r->out[0]); i++) {
        int64_t c = i / s->inner % s->c;
        double sum = 0;
        for (int64_t k = -s->below; k <= s->above; k++)
            if (c + k >= 0 && c + k < s->c)
                sum += pow(o->in[0][i + k * s->inner], 2);
        o->out[0][i] = o->in[0][i] / pow(s->response.bias + s->response.alpha * sum, s->response.beta);
    }
    return OX_OK;
}

static int64_t flops(const ox_run *r)
{
    const struct lrn *s = r->state;
    return 2 * ox_count(r->out[0]) * (s->below + s->above + 1);
}

OX_OP(LRN, 1) .infer = infer, .prepare = prepare, .run = { [OX_F32] = run, [OX_F64] = run },
    .oracle = oracle, .error = { ERR_SUM, 2 }, .state_size = sizeof(struct lrn), .flags = OX_SYMBOLIC,
    .flops = flops OX_END;
