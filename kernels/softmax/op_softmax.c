/* Softmax.  Two behaviours: before opset 13 the input is a matrix [0,axis) x [axis,rank) and each row
 * is normalised; since 13 only the dimension `axis` is. */
#ifdef T /* ---- once per dtype: see runtime/tensor/each_dtype.h ---- */

static void FN(softmax_row)(void *ctx, int64_t i, int worker)
{
    const ox_run *r = ctx;
    const struct softmax *s = r->state;
    int64_t at = i / s->inner * s->n * s->inner + i % s->inner;
    const T *x = (const T *)r->in[0]->data + at;
    T *y = (T *)r->out[0]->data + at;
    C max = LD(x);
    A sum = 0;
    (void)worker;
    for (int64_t k = 1; k < s->n; k++)
        max = FMAX(max, LD(x + k * s->inner));
    for (int64_t k = 0; k < s->n; k++)
        sum += EXP(LD(x + k * s->inner) - max);
    for (int64_t k = 0; k < s->n; k++)
        ST(y + k * s->inner, (C)(EXP(LD(x + k * s->inner) - max) / sum));
}

static ox_code FN(softmax)(ox_run *r)
{
    const struct softmax *s = r->state;
    ox_parallel(r, s->outer * s->inner, FN(softmax_row), r);
    return OX_OK;
}

#else /* ---- once ---- */
#include "runtime/op.h"

#include <math.h>

struct softmax { int64_t outer, n, inner; };
#define EXP(v)     _Generic((v), float: expf, double: exp)(v)
#define FMAX(a, b) _Generic((a), float: fmaxf, double: fmax)(a, b)

static ox_code prepare(ox_run *r)
{
    struct softmax *s = r->state;
    const ox_tensor *x = r->in[0];
    int rank = x->rank, axis, last = r->since < 13 ? rank : rank - 1;
    int64_t given = ox_attr_i64(r, "axis"); /* the schema knows the default */
    if (rank == 0) {
        *s = (struct softmax){ 1, 1, 1 };
        return OX_OK;
    }
    if (given < -rank || given > last)
        return OX_FAIL(r->err, OX_E_SHAPE, "axis %lld outside [%d, %d]", (long long)given, -rank, last);
    axis = (int)(given < 0 ? given + rank : given);
    *s = r->since < 13
             ? (struct softmax){ ox_numel(x, 0, axis), ox_numel(x, axis, rank), 1 }
             : (struct softmax){ ox_numel(x, 0, axis), x->dim[axis], ox_numel(x, axis + 1, rank) };
    return OX_OK;
}

/* The definition in double; not an instance of the template, so it cannot share its mistakes.
 * mag is what the permitted error is proportional to: rounding x-max moves exp by |x-max| ulps. */
static ox_code oracle(ox_oracle *o)
{
    const struct softmax *s = o->r->state;
    for (int64_t i = 0; i < s->outer * s->inner; i++) {
        int64_t at = i / s->inner * s->n * s->inner + i % s->inner;
        double max = -INFINITY, sum = 0;
        for (int64_t k = 0; k < s->n; k++)
            max = fmax(max, o->in[0][at + k * s->inner]);
        for (int64_t k = 0; k < s->n; k++)
            sum += exp(o->in[0][at + k * s->inner] - max);
        for (int64_t k = 0; k < s->n; k++) {
            double d = o->in[0][at + k * s->inner] - max;
            o->out[0][at + k * s->inner] = exp(d) / sum;
            o->mag[0][at + k * s->inner] = exp(d) / sum * (1 - d);
        }
    }
    return OX_OK;
}

#define TYPES MASK_FLOAT
#define TMPL  "kernels/softmax/op_softmax.c"
#include "runtime/tensor/each_dtype.h"

OX_OP(Softmax, 1) .infer = ox_infer_like, .prepare = prepare, .run = { KERNELS(softmax, FLOAT) },
    .oracle = oracle, .error = { ERR_SUM, 4 }, .state_size = sizeof(struct softmax),
    .flags = OX_SYMBOLIC OX_END;
OX_OP(Softmax, 13) .infer = ox_infer_like, .prepare = prepare, .run = { KERNELS(softmax, FLOAT) },
    .oracle = oracle, .error = { ERR_SUM, 4 }, .state_size = sizeof(struct softmax),
    .flags = OX_SYMBOLIC OX_END;
#endif
