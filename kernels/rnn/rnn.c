/* Shapes, attributes and weights of recurrent operators. */
#include "kernels/rnn/rnn.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* Old exporters wrote activation names in lower case: compared without case. */
static const struct known {
    const char *name;
    double      alpha, beta; /* ONNX's defaults */
} known[] = {
    [OX_RNN_RELU] = { "relu", 0, 0 },
    [OX_RNN_TANH] = { "tanh", 0, 0 },
    [OX_RNN_SIGMOID] = { "sigmoid", 0, 0 },
    [OX_RNN_AFFINE] = { "affine", 1, 0 },
    [OX_RNN_LEAKY_RELU] = { "leakyrelu", (double)0.01f, 0 },
    [OX_RNN_THRESHOLDED_RELU] = { "thresholdedrelu", 1, 0 },
    [OX_RNN_SCALED_TANH] = { "scaledtanh", 1, 1 },
    [OX_RNN_HARD_SIGMOID] = { "hardsigmoid", (double)0.2f, 0.5 },
    [OX_RNN_ELU] = { "elu", 1, 0 },
    [OX_RNN_SOFTSIGN] = { "softsign", 0, 0 },
    [OX_RNN_SOFTPLUS] = { "softplus", 0, 0 },
};

double ox_rnn_activate(const ox_rnn_activation *a, double v)
{
    switch (a->kind) {
    case OX_RNN_RELU:             return v > 0 ? v : v * 0;
    case OX_RNN_TANH:             return tanh(v);
    case OX_RNN_SIGMOID:          return 1 / (1 + exp(-v));
    case OX_RNN_AFFINE:           return a->alpha * v + a->beta;
    case OX_RNN_LEAKY_RELU:       return v < 0 ? a->alpha * v : v;
    case OX_RNN_THRESHOLDED_RELU: return v > a->alpha ? v : v * 0;
    case OX_RNN_SCALED_TANH:      return a->alpha * tanh(a->beta * v);
    case OX_RNN_HARD_SIGMOID:     return fmin(fmax(a->alpha * v + a->beta, 0), 1);
    case OX_RNN_ELU:              return v < 0 ? a->alpha * expm1(v) : v;
    case OX_RNN_SOFTSIGN:         return v / (1 + fabs(v));
    case OX_RNN_SOFTPLUS:         return v > 0 ? v + log1p(exp(-v)) : log1p(exp(v));
    }
    return v;
}

static bool same_word(const ox_str *s, const char *word)
{
    size_t n = strlen(word);
    if (s->n != n)
        return false;
    for (size_t i = 0; i < n; i++)
        if (tolower((unsigned char)s->s[i]) != word[i])
            return false;
    return true;
}

static ox_code find_activation(const ox_run *r, const ox_str *name, ox_rnn_activation *a)
{
    for (size_t i = 0; i < OX_COUNT(known); i++)
        if (same_word(name, known[i].name)) {
            *a = (ox_rnn_activation){ (ox_rnn_act)i, known[i].alpha, known[i].beta };
            return OX_OK;
        }
    return OX_FAIL(r->err, OX_E_VALUE, "activation '%.*s' is not one of ONNX's", (int)OX_MIN(name->n, 40),
                   name->s);
}

/* alpha and beta are lists without holes: each activation that has the parameter takes the next one. */
static ox_code read_activations(const ox_run *r, ox_rnn *s)
{
    static const ox_rnn_act defaults[][3] = { [1] = { OX_RNN_TANH },
                                              [3] = { OX_RNN_SIGMOID, OX_RNN_TANH },
                                              [4] = { OX_RNN_SIGMOID, OX_RNN_TANH, OX_RNN_TANH } };
    int n, n_alpha, n_beta, at_alpha = 0, at_beta = 0;
    const ox_str *names = ox_attr_strs(r, "activations", &n);
    const float *alpha = ox_attr_f32s(r, "activation_alpha", &n_alpha);
    const float *beta = ox_attr_f32s(r, "activation_beta", &n_beta);
    if (n && n != s->n_act * s->dirs)
        return OX_FAIL(r->err, OX_E_SHAPE, "activations has %d entries, expected %d", n, s->n_act * s->dirs);
    for (int d = 0; d < s->dirs; d++)
        for (int i = 0; i < s->n_act; i++) {
            ox_rnn_activation *a = &s->act[d][i];
            ox_rnn_act kind = defaults[s->gates][i];
            *a = (ox_rnn_activation){ kind, known[kind].alpha, known[kind].beta };
            if (n)
                OX_TRY(find_activation(r, &names[d * s->n_act + i], a));
            bool two = a->kind == OX_RNN_AFFINE || a->kind == OX_RNN_SCALED_TANH || a->kind == OX_RNN_HARD_SIGMOID;
            bool one = two || a->kind == OX_RNN_LEAKY_RELU || a->kind == OX_RNN_THRESHOLDED_RELU ||
                       a->kind == OX_RNN_ELU;
            if (one && at_alpha < n_alpha)
                a->alpha = (double)alpha[at_alpha++];
            if (two && at_beta < n_beta)
                a->beta = (double)beta[at_beta++];
        }
    return OX_OK;
}

static ox_code read_direction(const ox_run *r, ox_rnn *s)
{
    const char *d = ox_attr_str(r, "direction");
    s->dirs = 1;
    if (!d || strcmp(d, "forward") == 0 || strcmp(d, "foward") == 0) /* GRU-1's default is misspelt */
        return OX_OK;
    if (strcmp(d, "reverse") == 0) {
        s->first_back = true;
        return OX_OK;
    }
    if (strcmp(d, "bidirectional") != 0)
        return OX_FAIL(r->err, OX_E_VALUE, "direction is \"%s\"", d);
    s->dirs = 2;
    return OX_OK;
}

static ox_code expect(const ox_run *r, int i, const char *name, int rank, const int64_t *dim)
{
    const ox_tensor *t = i < r->n_in ? r->in[i] : NULL;
    if (!t)
        return OX_OK;
    ox_tensor want = { .rank = rank };
    memcpy(want.dim, dim, (size_t)rank * sizeof(*dim));
    if (ox_shape_same(t, &want))
        return OX_OK;
    char a[160], b[160];
    return OX_FAIL(r->err, OX_E_SHAPE, "%s has shape %s, expected %s", name, ox_shape_text(a, sizeof(a), t),
                   ox_shape_text(b, sizeof(b), &want));
}

static ox_code read_shapes(const ox_run *r, ox_rnn *s)
{
    const ox_tensor *x = r->in[0], *w = r->in[1], *h = r->in[2];
    if (x->rank != 3 || w->rank != 3 || h->rank != 3)
        return OX_FAIL(r->err, OX_E_SHAPE, "X, W and R have ranks %d, %d and %d, expected 3", x->rank, w->rank,
                       h->rank);
    s->batch_first = ox_attr_i64(r, "layout") != 0;
    s->seq = x->dim[s->batch_first];
    s->batch = x->dim[!s->batch_first];
    s->in = x->dim[2];
    s->hidden = h->dim[2];
    OX_TRY(read_direction(r, s));
    if (ox_attr_given(r, "hidden_size") && ox_attr_i64(r, "hidden_size") != s->hidden)
        return OX_FAIL(r->err, OX_E_SHAPE, "hidden_size is %lld, R has %lld",
                       (long long)ox_attr_i64(r, "hidden_size"), (long long)s->hidden);
    int64_t g = s->gates * s->hidden, d = s->dirs, b = s->batch, n = s->hidden;
    OX_TRY(expect(r, 1, "W", 3, (int64_t[]){ d, g, s->in }));
    OX_TRY(expect(r, 2, "R", 3, (int64_t[]){ d, g, n }));
    OX_TRY(expect(r, 3, "B", 2, (int64_t[]){ d, 2 * g }));
    OX_TRY(expect(r, 4, "sequence_lens", 1, &b));
    int64_t state[3] = { s->batch_first ? b : d, s->batch_first ? d : b, n };
    OX_TRY(expect(r, 5, "initial_h", 3, state));
    if (s->cell) {
        OX_TRY(expect(r, 6, "initial_c", 3, state));
        OX_TRY(expect(r, 7, "P", 2, (int64_t[]){ d, 3 * n }));
    }
    return OX_OK;
}

ox_code ox_rnn_infer(ox_run *r, int gates, int n_states)
{
    ox_rnn s = { .gates = gates, .cell = n_states > 1 };
    OX_TRY(read_shapes(r, &s));
    if (s.batch_first)
        ox_out_shape(r, 0, 4, (int64_t[]){ s.batch, s.seq, s.dirs, s.hidden });
    else
        ox_out_shape(r, 0, 4, (int64_t[]){ s.seq, s.dirs, s.batch, s.hidden });
    for (int i = 1; i <= n_states; i++)
        ox_out_shape(r, i, 3, (int64_t[]){ s.batch_first ? s.batch : s.dirs, s.batch_first ? s.dirs : s.batch,
                                           s.hidden });
    return OX_OK;
}

/* ---- weights ---- */
struct pack {
    const ox_gemm_plan *plan;
    size_t              from; /* first row of the weights */
};

static void pack_rows(void *to, const ox_tensor *w, const void *ctx)
{
    const struct pack *p = ctx;
    const char *rows = (const char *)w->data + p->from * p->plan->k * ox_dtype_size(w->dtype);
    ox_gemm_pack_b(p->plan, rows, p->plan->k, to);
}

/* Rows [from, from + plan->n) of direction d of input i as the transposed right operand. */
static ox_code pack(ox_run *r, int i, int d, int64_t gates, int64_t from, ox_gemm_plan *plan, const void **to)
{
    if (!(r->in_const >> i & 1) || plan->k == 0 || plan->n == 0) {
        plan->packed_b = false;
        return OX_OK;
    }
    struct pack p = { plan, (size_t)(d * gates + from) };
    char key[64];
    snprintf(key, sizeof(key), "rnn %d %lld %zu", d, (long long)from, plan->n);
    *to = ox_packed(r, i, key, ox_gemm_pack_b_bytes(plan), pack_rows, &p);
    return *to ? OX_OK : OX_NO_MEMORY(r);
}

static void choose(ox_run *r, ox_gemm_plan *p, int64_t m, int64_t n, int64_t k, int weights)
{
    *p = (ox_gemm_plan){ .m = (size_t)m, .n = (size_t)n, .k = (size_t)k, .trans_b = true,
                         .f64 = r->in[0]->dtype == OX_F64, .packed_b = (r->in_const >> weights & 1) && k && n };
    ox_gemm_choose(p, ox_cpu());
}

struct pack_sequence {
    const ox_rnn *s;
    int           d;
};

static void pack_sequence(void *to, const ox_tensor *w, const void *ctx)
{
    const struct pack_sequence *p = ctx;
    ox_rnn_sequence_pack(p->s, (const float *)w->data + p->d * p->s->gates * p->s->hidden * p->s->hidden, to);
}

ox_code ox_rnn_prepare(ox_run *r, ox_rnn *s)
{
    OX_TRY(read_shapes(r, s));
    OX_TRY(read_activations(r, s));
    s->clip = ox_attr_given(r, "clip") ? ox_attr_f64(r, "clip") : INFINITY;
    s->reset_after = s->gates == 3 && ox_attr_i64(r, "linear_before_reset") != 0;
    s->coupled = s->cell && ox_attr_i64(r, "input_forget") != 0;
    int64_t all = s->gates * s->hidden, joint = s->gates == 3 && !s->reset_after ? 2 * s->hidden : all;
    choose(r, &s->x_plan, s->seq * s->batch, all, s->in, 1);
    choose(r, &s->h_plan, s->batch, joint, s->hidden, 2);
    choose(r, &s->n_plan, s->batch, s->hidden, s->hidden, 2);
    bool f32 = r->in[0]->dtype == OX_F32;
    for (int d = 0; d < s->dirs; d++) {
        OX_TRY(pack(r, 1, d, all, 0, &s->x_plan, &s->x_packed[d]));
        if (f32 && (!(r->in_const & 4) || s->hidden == 0))
            continue;
        if (f32) {
            struct pack_sequence p = { s, d };
            char key[32];
            snprintf(key, sizeof(key), "rnn sequence %d %d %d", d, s->batch == 1, s->reset_after);
            s->sequence_packed[d] = ox_packed(r, 2, key, ox_rnn_sequence_pack_bytes(s), pack_sequence, &p);
            if (!s->sequence_packed[d])
                return OX_NO_MEMORY(r);
            continue;
        }
        OX_TRY(pack(r, 2, d, all, 0, &s->h_plan, &s->h_packed[d]));
        if (joint != all)
            OX_TRY(pack(r, 2, d, all, joint, &s->n_plan, &s->n_packed[d]));
    }
    r->kernel = s->x_plan.name;
    return OX_OK;
}

int64_t ox_rnn_flops(const ox_run *r)
{
    const ox_rnn *s = r->state;
    return 2 * s->dirs * s->seq * s->batch * s->gates * s->hidden * (s->in + s->hidden);
}
