/* RNN, GRU, LSTM.  X (seq, batch, in), W (dirs, gates * hidden, in), R (dirs, gates * hidden, hidden),
 * B (dirs, 2 * gates * hidden); layout 1 puts the batch first in X, Y and the states.
 * Sequences shorter than seq leave zeros in Y behind their end and keep their last state; a backward
 * direction starts at each sequence's own end. */
#ifdef T /* ---- once per dtype: see runtime/tensor/each_dtype.h ---- */

static inline C FN(act)(const ox_rnn *s, const ox_rnn_activation *a, C v)
{
    C clip = (C)s->clip;
    v = v > clip ? clip : v < -clip ? -clip : v;
    if (a->kind == OX_RNN_SIGMOID)
        return 1 / (1 + EXP(-v));
    if (a->kind == OX_RNN_TANH)
        return TANH(v);
    return (C)ox_rnn_activate(a, (double)v);
}

/* x holds X W' + bias, y holds H R', both [gates][hidden]; the new state goes to h (and c). */
static void FN(cell_rnn)(const ox_rnn *s, int d, const T *x, const T *y, T *h)
{
    for (int64_t i = 0; i < s->hidden; i++)
        h[i] = FN(act)(s, &s->act[d][0], x[i] + y[i]);
}

static void FN(cell_lstm)(const ox_rnn *s, int d, const T *x, const T *y, const T *p, T *h, T *c)
{
    int64_t n = s->hidden;
    const ox_rnn_activation *f = &s->act[d][0], *g = &s->act[d][1], *out = &s->act[d][2];
    for (int64_t k = 0; k < n; k++) {
        C old = c[k], vi = x[k] + y[k], vo = x[n + k] + y[n + k], vf = x[2 * n + k] + y[2 * n + k];
        C vc = x[3 * n + k] + y[3 * n + k];
        C gi = FN(act)(s, f, p ? vi + p[k] * old : vi);
        C gf = s->coupled ? 1 - gi : FN(act)(s, f, p ? vf + p[2 * n + k] * old : vf);
        C now = gf * old + gi * FN(act)(s, g, vc);
        C go = FN(act)(s, f, p ? vo + p[n + k] * now : vo);
        c[k] = now;
        h[k] = go * (out->kind == OX_RNN_TANH ? TANH(now) : (C)ox_rnn_activate(out, (double)now));
    }
}

/* z and r of one row; leaves z in y[0..n) and r in y[n..2n). */
static void FN(gates_gru)(const ox_rnn *s, int d, const T *x, T *y)
{
    for (int64_t i = 0; i < 2 * s->hidden; i++)
        y[i] = FN(act)(s, &s->act[d][0], x[i] + y[i]);
}

/* The h gate from x and v (H Rh' + Rbh, or (r H) Rh' + Rbh), then the state. */
static void FN(cell_gru)(const ox_rnn *s, int d, const T *x, const T *y, const T *v, const T *bias, T *h)
{
    int64_t n = s->hidden;
    for (int64_t i = 0; i < n; i++) {
        C rest = v[i] + (bias ? bias[i] : 0), z = y[i];
        C g = FN(act)(s, &s->act[d][1], x[2 * n + i] + (s->reset_after ? y[n + i] * rest : rest));
        h[i] = (1 - z) * g + z * h[i];
    }
}

static ox_code FN(product)(ox_run *r, const ox_gemm_plan *p, const T *a, const T *b, const void *packed, T *c,
                           const T *bias)
{
    ox_gemm_args args = { .a = a, .b = packed ? packed : b, .c = c, .lda = p->k, .ldb = p->k, .ldc = p->n,
                          .ep = { .bias_col = bias } };
    void *scratch = ox_scratch(r, ox_gemm_scratch_bytes(p, ox_pool_threads(r->pool)));
    if (!scratch)
        return OX_NO_MEMORY(r);
    ox_gemm_run(p, &args, scratch, r->pool);
    return OX_OK;
}

/* Wb + Rb of one direction; GRU's h gate keeps its Rb apart (added before the reset gate). */
static void FN(biases)(const ox_rnn *s, const T *b, T *sum)
{
    int64_t all = s->gates * s->hidden;
    for (int64_t i = 0; i < all; i++)
        sum[i] = b ? b[i] + (s->gates == 3 && i >= 2 * s->hidden ? 0 : b[all + i]) : 0;
}

struct FN(work) { T *x, *xw, *y, *v, *h, *c, *rh, *bias; };

static bool FN(allocate)(ox_run *r, const ox_rnn *s, struct FN(work) *w)
{
    size_t b = (size_t)s->batch, n = (size_t)s->hidden, all = (size_t)s->gates * n, steps = (size_t)s->seq * b;
    size_t own = sizeof(T) == sizeof(float) ? 0 : b; /* what sequence.c has not */
    w->x = s->batch_first ? ox_scratch_array(r, OX_MAX(steps * (size_t)s->in, 1), sizeof(T)) : NULL;
    w->xw = ox_scratch_array(r, steps * all, sizeof(T));
    w->y = ox_scratch_array(r, own * all, sizeof(T));
    w->v = ox_scratch_array(r, own * n, sizeof(T));
    w->rh = ox_scratch_array(r, own * n, sizeof(T));
    w->h = ox_scratch_array(r, b * n, sizeof(T));
    w->c = ox_scratch_array(r, b * n, sizeof(T));
    w->bias = ox_scratch_array(r, all, sizeof(T));
    return w->xw && w->y && w->v && w->rh && w->h && w->c && w->bias && (w->x || !s->batch_first);
}

/* State of sequence b in direction d within an initial_ or final tensor. */
static int64_t FN(state_at)(const ox_rnn *s, int d, int64_t b)
{
    return (s->batch_first ? b * s->dirs + d : d * s->batch + b) * s->hidden;
}

static ox_code FN(step)(ox_run *r, const ox_rnn *s, int d, struct FN(work) *w, int64_t t, const int64_t *len)
{
    int64_t n = s->hidden, all = s->gates * n;
    const T *rw = (const T *)r->in[2]->data + d * all * n, *b = r->n_in > 3 && r->in[3] ? r->in[3]->data : NULL;
    const T *p = r->n_in > 7 && r->in[7] ? (const T *)r->in[7]->data + d * 3 * n : NULL;
    const T *rbh = b ? b + d * 2 * all + all + 2 * n : NULL;
    bool back = d == 1 || s->first_back, before = s->gates == 3 && !s->reset_after;
    int64_t stride = before ? 2 * n : all;
    OX_TRY(FN(product)(r, &s->h_plan, w->h, rw, s->h_packed[d], w->y, NULL));
    for (int64_t i = 0; i < s->batch && s->gates == 3; i++) {
        int64_t at = back ? len[i] - 1 - t : t;
        if (t < len[i])
            FN(gates_gru)(s, d, w->xw + (at * s->batch + i) * all, w->y + i * stride);
        for (int64_t k = 0; k < n && before; k++)
            w->rh[i * n + k] = t < len[i] ? w->y[i * stride + n + k] * w->h[i * n + k] : 0;
    }
    if (before)
        OX_TRY(FN(product)(r, &s->n_plan, w->rh, rw + 2 * n * n, s->n_packed[d], w->v, NULL));
    T *out = r->out[0] ? r->out[0]->data : NULL;
    for (int64_t i = 0; i < s->batch; i++) {
        if (t >= len[i])
            continue;
        int64_t at = back ? len[i] - 1 - t : t;
        const T *x = w->xw + (at * s->batch + i) * all, *y = w->y + i * stride;
        T *h = w->h + i * n;
        if (s->gates == 1)
            FN(cell_rnn)(s, d, x, y, h);
        else if (s->gates == 4)
            FN(cell_lstm)(s, d, x, y, p, h, w->c + i * n);
        else
            FN(cell_gru)(s, d, x, y, before ? w->v + i * n : y + 2 * n, rbh, h);
        if (out)
            memcpy(out + (s->batch_first ? (i * s->seq + at) * s->dirs + d : (at * s->dirs + d) * s->batch + i) * n,
                   h, (size_t)n * sizeof(T));
    }
    return OX_OK;
}

/* All steps in float32. */
static ox_code FN(whole)(ox_run *r, const ox_rnn *s, int d, struct FN(work) *w, const int64_t *len, int64_t longest)
{
    int64_t n = s->hidden, all = s->gates * n;
    const T *b = r->n_in > 3 && r->in[3] ? r->in[3]->data : NULL;
    const T *p = r->n_in > 7 && r->in[7] ? (const T *)r->in[7]->data + d * 3 * n : NULL;
    ox_rnn_sequence q = {
        .weights = s->sequence_packed[d], .longest = longest, .len = len, .back = d == 1 || s->first_back,
        .xw = (const void *)w->xw, .h = (void *)w->h, .c = (void *)w->c, .peepholes = (const void *)p,
        .bias_h = b && s->gates == 3 ? (const void *)(b + (d * 2 + 1) * all + 2 * n) : NULL,
    };
    if (r->out[0]) {
        int64_t at = s->batch_first ? d : d * s->batch;
        q.y = (void *)((T *)r->out[0]->data + at * n);
        q.y_step = s->dirs * n * (s->batch_first ? 1 : s->batch);
        q.y_row = s->batch_first ? s->seq * s->dirs * n : n;
    }
    if (!q.weights) {
        float *packed = ox_scratch(r, ox_rnn_sequence_pack_bytes(s));
        if (!packed)
            return OX_NO_MEMORY(r);
        ox_rnn_sequence_pack(s, (const void *)((const T *)r->in[2]->data + d * all * n), packed);
        q.weights = packed;
    }
    return ox_rnn_sequence_run(r, s, d, &q);
}

static ox_code FN(direction)(ox_run *r, const ox_rnn *s, int d, struct FN(work) *w, const int64_t *len)
{
    int64_t n = s->hidden, all = s->gates * n, longest = 0;
    const T *x = r->in[0]->data, *ww = (const T *)r->in[1]->data + d * all * s->in;
    const T *b = r->n_in > 3 && r->in[3] ? (const T *)r->in[3]->data + d * 2 * all : NULL;
    const T *h0 = r->n_in > 5 && r->in[5] ? r->in[5]->data : NULL;
    const T *c0 = s->cell && r->n_in > 6 && r->in[6] ? r->in[6]->data : NULL;
    for (int64_t i = 0; i < s->batch && s->batch_first; i++)
        for (int64_t t = 0; t < s->seq && d == 0; t++)
            memcpy(w->x + (t * s->batch + i) * s->in, x + (i * s->seq + t) * s->in, (size_t)s->in * sizeof(T));
    FN(biases)(s, b, w->bias);
    if (s->seq)
        OX_TRY(FN(product)(r, &s->x_plan, s->batch_first ? w->x : x, ww, s->x_packed[d], w->xw, w->bias));
    for (int64_t i = 0; i < s->batch; i++)
        for (int64_t k = 0; k < n; k++) {
            w->h[i * n + k] = h0 ? h0[FN(state_at)(s, d, i) + k] : 0;
            w->c[i * n + k] = c0 ? c0[FN(state_at)(s, d, i) + k] : 0;
        }
    for (int64_t i = 0; i < s->batch; i++)
        longest = OX_MAX(longest, len[i]);
    bool f32 = sizeof(T) == sizeof(float);
    if (f32 && n > 0 && longest > 0)
        OX_TRY(FN(whole)(r, s, d, w, len, longest));
    for (int64_t t = 0; t < longest && !f32; t++)
        OX_TRY(FN(step)(r, s, d, w, t, len));
    for (int64_t i = 0; i < s->batch; i++) {
        if (r->n_out > 1 && r->out[1])
            memcpy((T *)r->out[1]->data + FN(state_at)(s, d, i), w->h + i * n, (size_t)n * sizeof(T));
        if (r->n_out > 2 && r->out[2])
            memcpy((T *)r->out[2]->data + FN(state_at)(s, d, i), w->c + i * n, (size_t)n * sizeof(T));
    }
    return OX_OK;
}

static ox_code FN(run)(ox_run *r)
{
    const ox_rnn *s = r->state;
    struct FN(work) w;
    const int64_t *len;
    OX_TRY(lengths(r, s, &len));
    if (!FN(allocate)(r, s, &w))
        return OX_NO_MEMORY(r);
    if (r->out[0])
        memset(r->out[0]->data, 0, ox_bytes(r->out[0]));
    for (int d = 0; d < s->dirs; d++)
        OX_TRY(FN(direction)(r, s, d, &w, len));
    return OX_OK;
}

#else /* ---- once ---- */
#include "kernels/rnn/rnn.h"

#include <math.h>
#include <string.h>

#define EXP(v)  _Generic((v), float: expf, double: exp)(v)
#define TANH(v) _Generic((v), float: tanhf, double: tanh)(v)

/* Length of every sequence: sequence_lens, or seq for all. */
static ox_code lengths(ox_run *r, const ox_rnn *s, const int64_t **len)
{
    int64_t n = 0, *full = ox_scratch_array(r, (size_t)OX_MAX(s->batch, 1), sizeof(*full));
    const int64_t *given = r->n_in > 4 ? ox_in_i64s(r, 4, &n) : NULL;
    if (!full)
        return OX_NO_MEMORY(r);
    for (int64_t i = 0; i < s->batch; i++) {
        full[i] = given ? given[i] : s->seq;
        if (full[i] < 0 || full[i] > s->seq)
            return OX_FAIL(r->err, OX_E_VALUE, "sequence_lens[%lld] is %lld of %lld", (long long)i,
                           (long long)full[i], (long long)s->seq);
    }
    *len = full;
    return OX_OK;
}

#define TYPES MASK_FLOAT
#define TMPL  "kernels/rnn/op_rnn.c"
#include "runtime/tensor/each_dtype.h"

#define RECURRENT(Name, since_, gates_, n_act_, states)                                            \
    static ox_code infer_##Name(ox_run *r) { return ox_rnn_infer(r, gates_, states); }             \
    static ox_code prepare_##Name(ox_run *r)                                                       \
    {                                                                                              \
        *(ox_rnn *)r->state = (ox_rnn){ .gates = gates_, .n_act = n_act_, .cell = (states) > 1 };  \
        return ox_rnn_prepare(r, r->state);                                                        \
    }                                                                                              \
    OX_OP(Name, since_) .infer = infer_##Name, .prepare = prepare_##Name,                          \
        .run = { KERNELS(run, FLOAT) }, .oracle = ox_rnn_oracle, .error = { ERR_SUM, 8 },          \
        .state_size = sizeof(ox_rnn), .flags = OX_PACKS1 | OX_PACKS2, .flops = ox_rnn_flops OX_END;

RECURRENT(RNN, 1, 1, 1, 1)
RECURRENT(GRU, 1, 3, 2, 1)
RECURRENT(LSTM, 1, 4, 3, 2)
#endif
