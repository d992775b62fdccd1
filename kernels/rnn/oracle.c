/* The definition of RNN, GRU and LSTM in double, one sequence at a time, and what rounding does to it: every
 * gate's own magnitude, and the errors of the state before it, which scatter, through the gates' slopes. */
#include "kernels/rnn/rnn.h"

#include <math.h>
#include <string.h>

typedef struct number { /* a value and the size of its rounding error in units of u */
    double v, e;
} number;

typedef struct work {
    ox_oracle    *o;
    const ox_rnn *s;
    number       *state; /* for each sequence and direction: h, c, r h, gates */
} work;

static number activate(const ox_rnn_activation *a, double clip, number x)
{
    double v = x.v > clip ? clip : x.v < -clip ? -clip : x.v, step = 1e-6 * fmax(1, fabs(v));
    double y = ox_rnn_activate(a, v);
    double slope = fabs(ox_rnn_activate(a, v + step) - ox_rnn_activate(a, v - step)) / (2 * step);
    return (number){ y, slope * x.e + fabs(y) };
}

static number times(number a, number b)
{
    return (number){ a.v * b.v, fabs(a.v) * b.e + fabs(b.v) * a.e + fabs(a.v * b.v) };
}
static number plus(number a, number b) { return (number){ a.v + b.v, a.e + b.e + fabs(a.v + b.v) }; }
static number less(number a) { return (number){ 1 - a.v, a.e + fabs(1 - a.v) }; }

/* sum of w[i] x[i] of exact x. */
static number dot(const double *w, const double *x, int64_t n)
{
    number sum = { 0, 0 };
    for (int64_t i = 0; i < n; i++) {
        sum.v += w[i] * x[i];
        sum.e += fabs(w[i] * x[i]);
    }
    return sum;
}

/* The same of a state that has errors of its own. */
static number dot_state(const double *w, const number *h, int64_t n)
{
    double sum = 0, mag = 0, square = 0;
    for (int64_t i = 0; i < n; i++) {
        sum += w[i] * h[i].v;
        mag += fabs(w[i] * h[i].v);
        square += w[i] * h[i].e * (w[i] * h[i].e);
    }
    return (number){ sum, mag + sqrt(square) };
}

typedef struct weights { /* of one direction */
    const double *w, *r, *wb, *rb, *p;
} weights;

static weights weights_of(const work *k, int d)
{
    const ox_rnn *s = k->s;
    const double *const *in = k->o->in;
    int n_in = k->o->r->n_in;
    int64_t all = s->gates * s->hidden;
    const double *b = n_in > 3 && in[3] ? in[3] + d * 2 * all : NULL;
    return (weights){ .w = in[1] + d * all * s->in, .r = in[2] + d * all * s->hidden, .wb = b,
                      .rb = b ? b + all : NULL,
                      .p = s->cell && n_in > 7 && in[7] ? in[7] + d * 3 * s->hidden : NULL };
}

static number bias(const double *b, int64_t i) { return (number){ b ? b[i] : 0, b ? fabs(b[i]) : 0 }; }

/* Row i of X W' + Wb. */
static number from_input(const ox_rnn *s, const weights *w, const double *x, int64_t i)
{
    return plus(dot(w->w + i * s->in, x, s->in), bias(w->wb, i));
}
/* Row i of H R' + Rb. */
static number from_state(const ox_rnn *s, const weights *w, const number *h, int64_t i)
{
    return plus(dot_state(w->r + i * s->hidden, h, s->hidden), bias(w->rb, i));
}

static void step_gru(const ox_rnn *s, const ox_rnn_activation *a, const weights *w, const double *x, number *h,
                     number *rh, number *gate)
{
    int64_t n = s->hidden;
    for (int64_t i = 0; i < 2 * n; i++)
        gate[i] = activate(&a[0], s->clip, plus(from_input(s, w, x, i), from_state(s, w, h, i)));
    for (int64_t i = 0; i < n; i++)
        rh[i] = times(gate[n + i], h[i]);
    for (int64_t i = 0; i < n; i++) {
        number rest = s->reset_after ? times(gate[n + i], from_state(s, w, h, 2 * n + i))
                                     : from_state(s, w, rh, 2 * n + i);
        gate[2 * n + i] = activate(&a[1], s->clip, plus(from_input(s, w, x, 2 * n + i), rest));
    }
    for (int64_t i = 0; i < n; i++)
        h[i] = plus(times(less(gate[i]), gate[2 * n + i]), times(gate[i], h[i]));
}

static void step_lstm(const ox_rnn *s, const ox_rnn_activation *a, const weights *w, const double *x, number *h,
                      number *c, number *gate)
{
    int64_t n = s->hidden;
    for (int64_t i = 0; i < 4 * n; i++)
        gate[i] = plus(from_input(s, w, x, i), from_state(s, w, h, i));
    for (int64_t i = 0; i < n; i++) {
        number gi = gate[i], go = gate[n + i], gf = gate[2 * n + i];
        if (w->p) {
            gi = plus(gi, times(bias(w->p, i), c[i]));
            gf = plus(gf, times(bias(w->p, 2 * n + i), c[i]));
        }
        gi = activate(&a[0], s->clip, gi);
        gf = s->coupled ? less(gi) : activate(&a[0], s->clip, gf);
        c[i] = plus(times(gf, c[i]), times(gi, activate(&a[1], s->clip, gate[3 * n + i])));
        if (w->p)
            go = plus(go, times(bias(w->p, n + i), c[i]));
        h[i] = times(activate(&a[0], s->clip, go), activate(&a[2], INFINITY, c[i]));
    }
}

static void step_rnn(const ox_rnn *s, const ox_rnn_activation *a, const weights *w, const double *x, number *h,
                     number *gate)
{
    for (int64_t i = 0; i < s->hidden; i++)
        gate[i] = activate(&a[0], s->clip, plus(from_input(s, w, x, i), from_state(s, w, h, i)));
    memcpy(h, gate, (size_t)s->hidden * sizeof(*h));
}

static void put(const ox_oracle *o, int out, int64_t at, const number *h, int64_t n)
{
    if (out >= o->r->n_out || !o->out[out])
        return;
    for (int64_t i = 0; i < n; i++) {
        o->out[out][at + i] = h[i].v;
        o->mag[out][at + i] = h[i].e;
    }
}

static void take(number *h, const ox_oracle *o, int in, int64_t at, int64_t n)
{
    const double *from = in < o->r->n_in ? o->in[in] : NULL;
    for (int64_t i = 0; i < n; i++)
        h[i] = (number){ from ? from[at + i] : 0, 0 };
}

static void sequence(void *ctx, int64_t block, int worker)
{
    const work *k = ctx;
    const ox_rnn *s = k->s;
    const ox_oracle *o = k->o;
    int d = (int)(block / s->batch);
    int64_t b = block % s->batch, n = s->hidden;
    number *h = k->state + block * (3 + s->gates) * n, *c = h + n, *rh = c + n, *gate = rh + n;
    int64_t state = (s->batch_first ? b * s->dirs + d : d * s->batch + b) * n;
    int64_t length = o->r->n_in > 4 && o->in[4] ? (int64_t)o->in[4][b] : s->seq;
    weights w = weights_of(k, d);
    (void)worker;
    take(h, o, 5, state, n);
    take(c, o, s->cell ? 6 : o->r->n_in, state, n);
    for (int64_t t = 0; t < length && t < s->seq; t++) {
        int64_t at = d == 1 || s->first_back ? length - 1 - t : t;
        const double *x = o->in[0] + (s->batch_first ? b * s->seq + at : at * s->batch + b) * s->in;
        if (s->gates == 1)
            step_rnn(s, s->act[d], &w, x, h, gate);
        else if (s->gates == 3)
            step_gru(s, s->act[d], &w, x, h, rh, gate);
        else
            step_lstm(s, s->act[d], &w, x, h, c, gate);
        put(o, 0, (s->batch_first ? (b * s->seq + at) * s->dirs + d : (at * s->dirs + d) * s->batch + b) * n, h, n);
    }
    put(o, 1, state, h, n);
    put(o, 2, state, c, n);
}

ox_code ox_rnn_oracle(ox_oracle *o)
{
    const ox_rnn *s = o->r->state;
    work k = { o, s, NULL };
    size_t n = (size_t)(s->dirs * s->batch), each = (size_t)((3 + s->gates) * s->hidden), all;
    if (!ox_mul_size(&all, OX_MAX(n, 1), OX_MAX(each, 1)) ||
        !(k.state = ox_scratch_array(o->r, all, sizeof(*k.state))))
        return OX_NO_MEMORY(o->r);
    for (int i = 0; i < o->r->n_out; i++)
        for (int64_t at = 0; o->out[i] && at < ox_count(o->r->out[i]); at++)
            o->out[i][at] = o->mag[i][at] = 0; /* behind the end of a sequence */
    o->terms = (double)(s->in + s->hidden);
    ox_parallel(o->r, s->dirs * s->batch, sequence, &k);
    return OX_OK;
}
