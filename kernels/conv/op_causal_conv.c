/* CausalConvWithState: each channel's own filter over the positions up to and including the current
 * one; what lies before the first position is past_state, or zero.  present_state is the end of
 * that sequence. */
#ifdef T /* ---- once per dtype: see runtime/tensor/each_dtype.h ---- */

static void FN(channel)(void *ctx, int64_t block, int worker)
{
    const struct job *j = ctx;
    const struct causal *s = j->r->state;
    int64_t c = block % s->c, back = s->k - 1;
    const ox_tensor *bias = input(j->r, 2), *past = input(j->r, 3), *state = output(j->r, 1),
                    *out = output(j->r, 0);
    const T *x = (const T *)j->r->in[0]->data + block * s->n,
            *w = (const T *)j->r->in[1]->data + c * s->k;
    A *line = (A *)j->lines + (int64_t)worker * (back + 2 * s->n), *acc = line + back + s->n;
    for (int64_t i = 0; i < back; i++)
        line[i] = past ? (A)((const T *)past->data)[block * back + i] : 0;
    for (int64_t i = 0; i < s->n; i++)
        line[back + i] = (A)x[i];
    for (int64_t i = 0; i < back && state; i++)
        ((T *)state->data)[block * back + i] = (T)line[s->n + i];
    if (!out)
        return;
    for (int64_t i = 0; i < s->n; i++)
        acc[i] = bias ? (A)((const T *)bias->data)[c] : 0;
    for (int64_t k = 0; k < s->k; k++)
        for (int64_t i = 0; i < s->n; i++)
            acc[i] += (A)w[k] * line[i + k];
    T *y = (T *)out->data + block * s->n;
    for (int64_t i = 0; i < s->n; i++)
        y[i] = (T)(s->silu ? acc[i] / (1 + exp(-acc[i])) : acc[i]);
}

static ox_code FN(run)(ox_run *r)
{
    const struct causal *s = r->state;
    struct job j = { .r = r };
    size_t n, line = (size_t)(s->k - 1) + 2 * (size_t)s->n;
    if (!ox_mul_size(&n, line, (size_t)ox_pool_threads(r->pool)) ||
        !(j.lines = ox_scratch_array(r, n, sizeof(A))))
        return OX_NO_MEMORY(r);
    ox_parallel(r, r->in[0]->dim[0] * s->c, FN(channel), &j);
    return OX_OK;
}

#else /* ---- once ---- */
#include "runtime/op.h"

#include <math.h>
#include <string.h>

struct causal {
    int64_t c, n, k; /* channels, positions, kernel size */
    bool silu;
};
struct job {
    ox_run *r;
    void *lines; /* of each worker: the sequence with its past, and sums */
};

static const ox_tensor *input(const ox_run *r, int i) { return i < r->n_in ? r->in[i] : NULL; }
static const ox_tensor *output(const ox_run *r, int i) { return i < r->n_out ? r->out[i] : NULL; }

static bool differs(int64_t a, int64_t b) { return a >= 0 && b >= 0 && a != b; }

static ox_code infer(ox_run *r)
{
    const ox_tensor *x = r->in[0], *w = r->in[1], *bias = input(r, 2), *past = input(r, 3);
    if (x->rank != 3 || w->rank != 3 || differs(w->dim[0], x->dim[1]) || differs(w->dim[1], 1) ||
        w->dim[2] == 0)
        return OX_FAIL(r->err, OX_E_SHAPE,
                       "input has rank %d and weight %d, expected (batch, channels, length) and "
                       "(channels, 1, k)",
                       x->rank, w->rank);
    int64_t back = w->dim[2] > 0 ? w->dim[2] - 1 : OX_DIM_UNKNOWN;
    if (bias && (bias->rank != 1 || differs(bias->dim[0], x->dim[1])))
        return OX_FAIL(r->err, OX_E_SHAPE, "bias has rank %d, expected one value a channel",
                       bias->rank);
    if (past && (past->rank != 3 || differs(past->dim[0], x->dim[0]) ||
                 differs(past->dim[1], x->dim[1]) || differs(past->dim[2], back)))
        return OX_FAIL(r->err, OX_E_SHAPE,
                       "past_state has rank %d, expected (batch, channels, %lld)", past->rank,
                       (long long)back);
    ox_out_shape(r, 0, 3, x->dim);
    ox_out_shape(r, 1, 3, (int64_t[]){ x->dim[0], x->dim[1], back });
    return OX_OK;
}

static ox_code prepare(ox_run *r)
{
    static const char *const activations[] = { "none", "silu", "swish", NULL };
    struct causal *s = r->state;
    int activation;
    OX_TRY(ox_attr_enum(r, "activation", activations, &activation));
    *s = (struct causal){ r->in[0]->dim[1], r->in[0]->dim[2], r->in[1]->dim[2], activation != 0 };
    return OX_OK;
}

/* One output: mag is that of the sum; silu's slope is at most 1.1, its value no larger than its
 * argument. */
static void oracle_at(const ox_oracle *o, int64_t row, int64_t i)
{
    const struct causal *s = o->r->state;
    int64_t c = row % s->c, back = s->k - 1;
    double sum = input(o->r, 2) ? o->in[2][c] : 0, mag = fabs(sum);
    for (int64_t k = 0; k < s->k; k++) {
        int64_t at = i + k - back;
        double x = at >= 0          ? o->in[0][row * s->n + at]
                   : input(o->r, 3) ? o->in[3][row * back + at + back]
                                    : 0;
        sum += x * o->in[1][c * s->k + k];
        mag += fabs(x * o->in[1][c * s->k + k]);
    }
    o->out[0][row * s->n + i] = s->silu ? sum / (1 + exp(-sum)) : sum;
    o->mag[0][row * s->n + i] = mag;
}

static ox_code oracle(ox_oracle *o)
{
    const struct causal *s = o->r->state;
    int64_t back = s->k - 1;
    for (int64_t row = 0; row < o->r->in[0]->dim[0] * s->c; row++) {
        for (int64_t i = 0; i < s->n && o->out[0]; i++)
            oracle_at(o, row, i);
        for (int64_t i = 0; i < back && o->r->n_out > 1 && o->out[1]; i++) {
            int64_t at = s->n + i - back; /* position in the input; negative: in the past */
            o->out[1][row * back + i] = at >= 0          ? o->in[0][row * s->n + at]
                                        : input(o->r, 3) ? o->in[3][row * back + at + back]
                                                         : 0;
        }
    }
    return OX_OK;
}

#define TYPES MASK_FLOAT
#define TMPL "kernels/conv/op_causal_conv.c"
#include "runtime/tensor/each_dtype.h"

OX_OP(CausalConvWithState, 27).infer = infer, .prepare = prepare, .run = { KERNELS(run, FLOAT) },
                           .oracle = oracle, .error = { ERR_SUM, 2 },
                           .state_size = sizeof(struct causal), .flags = OX_SYMBOLIC OX_END;
#endif
