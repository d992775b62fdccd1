/* LinearAttention: a recurrent state (d_k, d_v) per batch and key head, updated token by token.
 * Everything is packed (batch, time, heads * d); the state is kept in double. */
#include "runtime/op.h"

#include <math.h>
#include <string.h>

typedef struct linear {
    int64_t batch, time, q_heads, kv_heads, d_k, d_v;
    int64_t decay_n, beta_n; /* last dimension of decay and beta; 0: absent */
    bool    gated, delta;
    double  scale;
} linear;

static ox_code read(ox_run *r, linear *s)
{
    static const char *const rules[] = { "linear", "gated", "delta", "gated_delta", NULL };
    int rule = 0;
    for (int i = 0; i < 3; i++)
        if (r->in[i]->rank != 3)
            return OX_FAIL(r->err, OX_E_SHAPE, "query, key or value has rank %d, expected 3", r->in[i]->rank);
    OX_TRY(ox_attr_enum(r, "update_rule", rules, &rule));
    *s = (linear){ .batch = r->in[0]->dim[0], .time = r->in[0]->dim[1], .gated = rule & 1, .delta = rule & 2,
                   .q_heads = ox_attr_i64(r, "q_num_heads"), .kv_heads = ox_attr_i64(r, "kv_num_heads") };
    if (s->kv_heads < 1 || s->q_heads < 1 || s->q_heads % s->kv_heads || r->in[0]->dim[2] % s->q_heads ||
        r->in[2]->dim[2] % s->kv_heads)
        return OX_FAIL(r->err, OX_E_SHAPE, "%lld query and %lld key heads do not divide the hidden sizes",
                       (long long)s->q_heads, (long long)s->kv_heads);
    s->d_k = r->in[0]->dim[2] / s->q_heads;
    s->d_v = r->in[2]->dim[2] / s->kv_heads;
    s->scale = ox_attr_f64(r, "scale");
    s->scale = s->scale == 0 ? 1 / sqrt((double)s->d_k) : s->scale;
    s->decay_n = r->n_in > 4 && r->in[4] ? r->in[4]->dim[r->in[4]->rank - 1] : 0;
    s->beta_n = r->n_in > 5 && r->in[5] ? r->in[5]->dim[r->in[5]->rank - 1] : 0;
    if (s->gated != (s->decay_n > 0) || s->delta != (s->beta_n > 0))
        return OX_FAIL(r->err, OX_E_VALUE, "update_rule \"%s\" and the presence of decay and beta do not agree",
                       rules[rule]);
    int64_t tokens = s->batch * s->time;
    bool fits = ox_count(r->in[1]) == tokens * s->kv_heads * s->d_k && ox_count(r->in[2]) == tokens * s->kv_heads * s->d_v &&
                (!s->gated || ((s->decay_n == s->kv_heads || s->decay_n == s->kv_heads * s->d_k) &&
                               ox_count(r->in[4]) == tokens * s->decay_n)) &&
                (!s->delta || ((s->beta_n == s->kv_heads || s->beta_n == 1) && ox_count(r->in[5]) == tokens * s->beta_n));
    const ox_tensor *past = r->n_in > 3 ? r->in[3] : NULL;
    if (!fits || (past && ox_count(past) != s->batch * s->kv_heads * s->d_k * s->d_v))
        return OX_FAIL(r->err, OX_E_SHAPE, "key, value, past_state, decay or beta does not match query");
    return OX_OK;
}

static ox_code infer(ox_run *r)
{
    linear s;
    OX_TRY(read(r, &s));
    ox_out_shape(r, 0, 3, (int64_t[]){ s.batch, s.time, s.q_heads * s.d_v });
    if (r->n_out > 1 && r->out[1] && !r->out[1]->dtype)
        r->out[1]->dtype = r->in[0]->dtype;
    ox_out_shape(r, 1, 4, (int64_t[]){ s.batch, s.kv_heads, s.d_k, s.d_v });
    return OX_OK;
}

typedef struct tensors { const double *q, *k, *v, *past, *decay, *beta; double *y, *state, *write; } tensors;

/* One token of one key head: decay, correct, write, then every query head of the group reads. */
static void token(const linear *s, const tensors *t, int64_t b, int64_t i, int64_t h, double *state)
{
    int64_t at = b * s->time + i, dk = s->d_k, dv = s->d_v, group = s->q_heads / s->kv_heads;
    const double *k = t->k + (at * s->kv_heads + h) * dk, *v = t->v + (at * s->kv_heads + h) * dv;
    double *write = t->write;
    for (int64_t d = 0; d < dk && s->gated; d++) {
        double g = t->decay[at * s->decay_n + (s->decay_n == s->kv_heads ? h : h * dk + d)];
        for (int64_t m = 0; m < dv; m++)
            state[d * dv + m] *= exp(g);
    }
    memcpy(write, v, (size_t)dv * sizeof(*write));
    if (s->delta) {
        double beta = t->beta[at * s->beta_n + (s->beta_n == 1 ? 0 : h)];
        for (int64_t m = 0; m < dv; m++) {
            double seen = 0;
            for (int64_t d = 0; d < dk; d++)
                seen += state[d * dv + m] * k[d];
            write[m] = beta * (v[m] - seen);
        }
    }
    for (int64_t d = 0; d < dk; d++)
        for (int64_t m = 0; m < dv; m++)
            state[d * dv + m] += k[d] * write[m];
    for (int64_t g = 0; g < group; g++) {
        const double *q = t->q + (at * s->q_heads + h * group + g) * dk;
        double *y = t->y + (at * s->q_heads + h * group + g) * dv;
        for (int64_t m = 0; m < dv; m++) {
            double sum = 0;
            for (int64_t d = 0; d < dk; d++)
                sum += q[d] * state[d * dv + m];
            y[m] = s->scale * sum;
        }
    }
}

static ox_code run(ox_run *r)
{
    linear s;
    int64_t n;
    OX_TRY(read(r, &s));
    int64_t state = s.d_k * s.d_v, states = s.batch * s.kv_heads * state, outs = s.batch * s.time * s.q_heads * s.d_v;
    tensors t = { ox_in_f64s(r, 0, &n), ox_in_f64s(r, 1, &n), ox_in_f64s(r, 2, &n), ox_in_f64s(r, 3, &n),
                  ox_in_f64s(r, 4, &n), ox_in_f64s(r, 5, &n), ox_scratch_array(r, (size_t)outs + 1, sizeof(double)),
                  ox_scratch_array(r, (size_t)states + 1, sizeof(double)),
                  ox_scratch_array(r, (size_t)s.d_v + 1, sizeof(double)) };
    if (!t.y || !t.state || !t.write || (outs && (!t.q || !t.k || !t.v)))
        return OX_NO_MEMORY(r);
    if (t.past)
        memcpy(t.state, t.past, (size_t)states * sizeof(double));
    else
        memset(t.state, 0, (size_t)states * sizeof(double));
    for (int64_t b = 0; b < s.batch; b++)
        for (int64_t i = 0; i < s.time; i++)
            for (int64_t h = 0; h < s.kv_heads; h++)
                token(&s, &t, b, i, h, t.state + (b * s.kv_heads + h) * state);
    if (r->out[0])
        ox_from_f64(r->out[0]->data, t.y, r->out[0]->dtype, (size_t)outs);
    if (r->n_out > 1 && r->out[1])
        ox_from_f64(r->out[1]->data, t.state, r->out[1]->dtype, (size_t)states);
    return OX_OK;
}

OX_OP(LinearAttention, 27) .infer = infer, .run_any = run, .key = OX_KEY_NONE, .error = { ERR_SUM, 64 } OX_END;
