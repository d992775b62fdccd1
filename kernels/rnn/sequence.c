/* All steps of one sequence of float32, LSTM or GRU with the usual activations.
 *
 * Weights are packed by blocks of UNITS hidden units: for each element of the state the weights of all
 * gates of the block, so that a step reads one stream and the gates of a unit meet in one place.
 *
 * Threads share a step by slices of the blocks and meet once a step.  Each prefers the slice whose weights
 * its caches hold from the last step, and takes over one that nobody has begun; so no thread waits for one
 * that never came.  A unit's sums do not depend on who computes them. */
#include "kernels/rnn/rnn.h"

#include "kernels/math/ukernels.h"

#include <sched.h>
#include <stdatomic.h>
#include <string.h>

enum { UNITS = 32, MAX_GATES = 4, MAX_SLICES = 64, SPINS = 2000, SHARE = 1 << 17 /* bytes of weights a slice */ };

typedef struct sequence {
    const ox_rnn *s;
    const ox_rnn_sequence *q;
    const ox_uk_gemm *gemv;
    ox_uk_f32 *sigmoid, *tanh;
    const float *weights;
    float *h[2]; /* the state before and after a step, by turns */
    int64_t blocks, slices;
    _Atomic int64_t claimed[MAX_SLICES]; /* the next step of each slice that nobody has begun */
    _Atomic int64_t done;                /* slices of steps */
} sequence;

bool ox_rnn_sequence_fits(const ox_rnn *s)
{
    bool lstm = s->gates == 4, gru = s->gates == 3 && s->reset_after;
    if ((!lstm && !gru) || s->batch != 1 || s->coupled || s->clip < __builtin_inf())
        return false;
    for (int d = 0; d < s->dirs; d++)
        if (s->act[d][0].kind != OX_RNN_SIGMOID || s->act[d][1].kind != OX_RNN_TANH ||
            (lstm && s->act[d][2].kind != OX_RNN_TANH))
            return false;
    return true;
}

static int64_t blocks_of(const ox_rnn *s) { return (s->hidden + UNITS - 1) / UNITS; }

size_t ox_rnn_sequence_pack_bytes(const ox_rnn *s)
{
    size_t n;
    if (!ox_mul_size(&n, (size_t)blocks_of(s) * UNITS, (size_t)s->gates * sizeof(float)) ||
        !ox_mul_size(&n, n, (size_t)s->hidden))
        return SIZE_MAX;
    return n;
}

void ox_rnn_sequence_pack(const ox_rnn *s, const float *rows, float *to)
{
    for (int64_t u = 0; u < blocks_of(s) * UNITS; u += UNITS)
        for (int64_t k = 0; k < s->hidden; k++)
            for (int g = 0; g < s->gates; g++)
                for (int64_t i = u; i < u + UNITS; i++)
                    *to++ = i < s->hidden ? rows[((int64_t)g * s->hidden + i) * s->hidden + k] : 0;
}

/* sum[gates][UNITS] = the block's rows of R times h */
static void multiply(const sequence *w, int64_t block, const float *h, float *sum)
{
    size_t width = (size_t)w->s->gates * UNITS, n = (size_t)w->s->hidden;
    const float *b = w->weights + (size_t)block * width * n;
    for (size_t k = 0; k < n; k += OX_GEMM_KC) {
        ox_tile t = { .m = 1, .n = width, .k = OX_MIN(n - k, (size_t)OX_GEMM_KC), .a = h + k, .cs_a = 1,
                      .b = b + k * width, .ldb = width, .ldd = (size_t)w->gemv->nr, .c = sum, .beta = k > 0 };
        w->gemv->fn(&t);
    }
}

/* n units from u on; x is X W' + bias of the step. */
static void cell_lstm(const sequence *w, const float *x, const float *sum, int64_t u, int64_t n, float *to)
{
    float v[MAX_GATES * UNITS] = { 0 }, *c = w->q->c + u, out[UNITS] = { 0 };
    for (int g = 0; g < 4; g++)
        for (int64_t i = 0; i < n; i++)
            v[g * UNITS + i] = x[g * w->s->hidden + u + i] + sum[g * UNITS + i];
    w->sigmoid(3 * UNITS, v, v); /* i o f */
    w->tanh(UNITS, v + 3 * UNITS, v + 3 * UNITS);
    for (int64_t i = 0; i < n; i++)
        out[i] = c[i] = v[2 * UNITS + i] * c[i] + v[i] * v[3 * UNITS + i];
    w->tanh(UNITS, out, out);
    for (int64_t i = 0; i < n; i++)
        to[i] = v[UNITS + i] * out[i];
}

static void cell_gru(const sequence *w, const float *x, const float *sum, int64_t u, int64_t n, const float *h,
                     float *to)
{
    float v[MAX_GATES * UNITS] = { 0 }, *g = v + 2 * UNITS;
    const float *bias = w->q->bias_h;
    for (int k = 0; k < 2; k++)
        for (int64_t i = 0; i < n; i++)
            v[k * UNITS + i] = x[k * w->s->hidden + u + i] + sum[k * UNITS + i];
    w->sigmoid(2 * UNITS, v, v); /* z r */
    for (int64_t i = 0; i < n; i++)
        g[i] = x[2 * w->s->hidden + u + i] + v[UNITS + i] * (sum[2 * UNITS + i] + (bias ? bias[u + i] : 0));
    w->tanh(UNITS, g, g);
    for (int64_t i = 0; i < n; i++)
        to[i] = (1 - v[i]) * g[i] + v[i] * h[u + i];
}

static void run_slice(sequence *w, int64_t t, int64_t slice)
{
    const ox_rnn_sequence *q = w->q;
    int64_t at = q->back ? q->len - 1 - t : t, hidden = w->s->hidden;
    const float *x = q->xw + at * w->s->gates * hidden, *h = w->h[t & 1];
    float *next = w->h[!(t & 1)], sum[MAX_GATES * UNITS];
    int64_t first = w->blocks * slice / w->slices, end = w->blocks * (slice + 1) / w->slices;
    for (int64_t i = first; i < end; i++) {
        /* to and fro: the weights that the last step read last are still in the caches */
        int64_t b = t & 1 ? first + end - 1 - i : i, u = b * UNITS, n = OX_MIN(UNITS, hidden - u);
        multiply(w, b, h, sum);
        if (w->s->gates == 4)
            cell_lstm(w, x, sum, u, n, next + u);
        else
            cell_gru(w, x, sum, u, n, h, next + u);
        if (q->y)
            memcpy(q->y + at * q->y_step + u, next + u, (size_t)n * sizeof(float));
    }
}

static void wait_for(const sequence *w, int64_t done)
{
    for (int64_t i = 0; atomic_load_explicit(&w->done, memory_order_acquire) < done; i++) {
#if OX_X86_64
        __builtin_ia32_pause();
#endif
        if (i > SPINS)
            sched_yield();
    }
}

static void run_steps(void *ctx, int64_t own, int worker)
{
    sequence *w = ctx;
    (void)worker;
    for (int64_t t = 0; t < w->q->len; t++) {
        for (int64_t k = 0; k < w->slices; k++) {
            int64_t slice = (own + k) % w->slices, expected = t;
            if (!atomic_compare_exchange_strong(&w->claimed[slice], &expected, t + 1))
                continue;
            run_slice(w, t, slice);
            atomic_fetch_add_explicit(&w->done, 1, memory_order_acq_rel);
        }
        wait_for(w, (t + 1) * w->slices);
    }
}

ox_code ox_rnn_sequence_run(ox_run *r, const ox_rnn *s, int d, const ox_rnn_sequence *q)
{
    sequence w = { .s = s, .q = q, .weights = s->sequence_packed[d], .blocks = blocks_of(s) };
    w.gemv = ox_uk_gemm_pick(OX_UK_GEMV_N, false, ox_cpu());
    w.sigmoid = ox_uk_math_pick(OX_MATH_sigmoid)->run;
    w.tanh = ox_uk_math_pick(OX_MATH_tanh)->run;
    int64_t bytes = (int64_t)ox_rnn_sequence_pack_bytes(s), threads = OX_MIN(ox_pool_threads(r->pool), MAX_SLICES);
    w.slices = OX_MAX(1, OX_MIN(OX_MIN(threads, w.blocks), bytes / SHARE));
    w.h[0] = q->h;
    w.h[1] = ox_scratch_array(r, (size_t)s->hidden, sizeof(float));
    if (!w.h[1])
        return OX_NO_MEMORY(r);
    ox_parallel(r, w.slices, run_steps, &w);
    if (q->len & 1)
        memcpy(q->h, w.h[1], (size_t)s->hidden * sizeof(float));
    return OX_OK;
}
