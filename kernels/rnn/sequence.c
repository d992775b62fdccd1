/* All steps of one direction in float32.
 *
 * Units are computed in blocks of UNITS: all gates of a block for all sequences, so that a step reads one stream
 * of weights and the gates of a unit meet in one place.  A GRU whose reset gate stands before the product takes
 * two phases a step: z, r and r h of all units, then the new state.
 *
 * Weights lie by phase and block.  Of one sequence, a row has the weights of all gates for one element of the
 * state, which makes one product of a vector; of more, each gate has its own panel.
 *
 * Threads share a phase by slices of the blocks and meet behind it.  Each prefers the slice whose weights
 * its caches hold from the last step, and takes over one that nobody has begun; so no thread waits for one
 * that never came.  A unit's sums do not depend on who computes them. */
#include "kernels/rnn/rnn.h"

#include "kernels/math/ukernels.h"

#include <sched.h>
#include <stdatomic.h>
#include <string.h>

enum { UNITS = 32, ROWS = 16, MAX_GATES = 4, MAX_SLICES = 64, SPINS = 2000, SHARE = 1 << 17 /* bytes of weights a slice */ };

typedef struct sequence {
    const ox_rnn *s;
    const ox_rnn_sequence *q;
    const ox_rnn_activation *act;
    const ox_uk_gemm *tile, *gemv;
    ox_uk_f32 *sigmoid, *tanh;
    const float *weights;
    float *h[2]; /* the state before and after a step, by turns */
    float *rh, *z; /* of a GRU in two phases */
    int64_t ld; /* of those */
    int64_t rows; /* sequences at a time */
    int64_t blocks, slices;
    int phases;
    bool same_length; /* of all sequences */
    _Atomic int64_t claimed[MAX_SLICES]; /* the next phase of each slice that nobody has begun */
    _Atomic int64_t done;                /* slices of phases */
} sequence;

/* Some sequences' share of a block. */
typedef struct part {
    int64_t t, row, m, u, n; /* step; first sequence, their number; first unit, their number */
    int64_t size;            /* elements of a gate */
    float *v;                /* [gate][m][UNITS] */
} part;

static int64_t blocks_of(const ox_rnn *s) { return (s->hidden + UNITS - 1) / UNITS; }
static int phases_of(const ox_rnn *s) { return s->gates == 3 && !s->reset_after ? 2 : 1; }
static int first_gate(int phase) { return phase ? 2 : 0; }
static int gates_of(const ox_rnn *s, int phase) { return phases_of(s) == 1 ? s->gates : phase ? 1 : 2; }

/* A kernel may read whole vectors behind the last row. */
size_t ox_rnn_sequence_pack_bytes(const ox_rnn *s)
{
    size_t n;
    if (!ox_mul_size(&n, (size_t)blocks_of(s) * UNITS, (size_t)s->gates * sizeof(float)) ||
        !ox_mul_size(&n, n, (size_t)s->hidden) || !ox_add_size(&n, n, UNITS * sizeof(float)))
        return SIZE_MAX;
    return n;
}

void ox_rnn_sequence_pack(const ox_rnn *s, const float *rows, float *to)
{
    for (int phase = 0; phase < phases_of(s); phase++) {
        int first = first_gate(phase), end = first + gates_of(s, phase), step = s->batch == 1 ? end - first : 1;
        for (int64_t u = 0; u < blocks_of(s) * UNITS; u += UNITS)
            for (int from = first; from < end; from += step)
                for (int64_t k = 0; k < s->hidden; k++)
                    for (int g = from; g < from + step; g++)
                        for (int64_t i = u; i < u + UNITS; i++)
                            *to++ = i < s->hidden ? rows[((int64_t)g * s->hidden + i) * s->hidden + k] : 0;
    }
    memset(to, 0, UNITS * sizeof(float));
}

/* Whole blocks are copied in line. */
static inline void copy(float *to, const float *from, int64_t n)
{
    if (n == UNITS)
        memcpy(to, from, UNITS * sizeof(float));
    else
        memcpy(to, from, (size_t)n * sizeof(float));
}

/* Sequence i's step, or -1 behind its end. */
static int64_t time_of(const sequence *w, int64_t t, int64_t i)
{
    int64_t len = w->q->len[i];
    return t >= len ? -1 : w->q->back ? len - 1 - t : t;
}

/* X W' + bias of gate g, from the part's first unit on; NULL behind the end. */
static const float *input_of(const sequence *w, const part *p, int64_t r, int g)
{
    int64_t at = time_of(w, p->t, p->row + r);
    return at < 0 ? NULL : w->q->xw + ((at * w->s->batch + p->row + r) * w->s->gates + g) * w->s->hidden + p->u;
}

/* X W' + bias is added where it lies: rows of whole blocks side by side. */
static bool adds_input(const sequence *w, const part *p)
{
    return w->same_length && w->s->batch > 1 && w->s->gates != 3 && p->n == UNITS;
}

/* p->v += the block's weights times state, or = that + the input */
static void multiply(const sequence *w, const part *p, int phase, const float *state)
{
    int64_t k_all = w->s->hidden, gates = gates_of(w->s, phase), width = w->s->batch == 1 ? gates * UNITS : UNITS;
    const float *b = w->weights + (phase ? 2 * w->blocks * UNITS * k_all : 0) + p->u * gates * k_all;
    ox_tile t = { OX_TILE_INIT, .m = (size_t)p->m, .rs_a = (size_t)w->ld, .cs_a = 1, .ldb = (size_t)width };
    for (int64_t k = 0; k < k_all; k += OX_GEMM_KC) {
        t.k = (size_t)OX_MIN(k_all - k, OX_GEMM_KC);
        t.a = state + p->row * w->ld + k;
        if (w->s->batch == 1) {
            t.n = (size_t)width;
            t.b = b + k * width;
            t.c = p->v;
            t.ldd = (size_t)w->gemv->nr;
            w->gemv->fn(&t);
            continue;
        }
        bool input = k == 0 && adds_input(w, p);
        t.ldc = UNITS;
        t.ldd = input ? (size_t)(w->s->gates * w->s->hidden) : UNITS;
        for (int g = 0; g < gates; g++)
            for (int64_t j = 0; j < UNITS; j += w->tile->nr) {
                t.n = (size_t)OX_MIN(UNITS - j, w->tile->nr);
                t.b = b + (g * k_all + k) * UNITS + j;
                t.c = p->v + g * p->size + j;
                t.d = input ? input_of(w, p, 0, g) + j : p->v + g * p->size + j;
                w->tile->fn(&t);
            }
    }
}

static void activate(const sequence *w, const ox_rnn_activation *a, bool clip, int64_t n, float *v)
{
    float most = (float)w->s->clip;
    for (int64_t i = 0; clip && most < __builtin_inff() && i < n; i++)
        v[i] = v[i] > most ? most : v[i] < -most ? -most : v[i];
    if (a->kind == OX_RNN_SIGMOID)
        w->sigmoid((size_t)n, v, v);
    else if (a->kind == OX_RNN_TANH)
        w->tanh((size_t)n, v, v);
    else
        for (int64_t i = 0; i < n; i++)
            v[i] = (float)ox_rnn_activate(a, (double)v[i]);
}

/* to += scale (one for all sequences) * c */
static void add_peephole(const part *p, const float *scale, const float *c, float *to)
{
    for (int64_t r = 0; r < p->m; r++)
        for (int64_t i = 0; i < p->n; i++)
            to[r * UNITS + i] += scale[p->u + i] * c[r * UNITS + i];
}

/* Leaves the new state in p->v. */
static void cell_lstm(const sequence *w, const part *p)
{
    const float *peep = w->q->peepholes;
    float *in = p->v, *out = in + p->size, *forget = out + p->size, *cell = forget + p->size, c[ROWS * UNITS] = { 0 };
    int64_t hidden = w->s->hidden, size = p->size;
    for (int64_t r = 0; r < p->m; r++)
        copy(c + r * UNITS, w->q->c + (p->row + r) * hidden + p->u, p->n);
    if (peep) {
        add_peephole(p, peep, c, in);
        add_peephole(p, peep + 2 * hidden, c, forget);
    }
    activate(w, &w->act[0], true, peep ? size : 3 * size, in);
    if (peep)
        activate(w, &w->act[0], true, size, forget);
    for (int64_t i = 0; w->s->coupled && i < size; i++)
        forget[i] = 1 - in[i];
    activate(w, &w->act[1], true, size, cell);
    for (int64_t i = 0; i < size; i++)
        cell[i] = c[i] = forget[i] * c[i] + in[i] * cell[i];
    if (peep) {
        add_peephole(p, peep + hidden, c, out);
        activate(w, &w->act[0], true, size, out);
    }
    activate(w, &w->act[2], false, size, cell);
    for (int64_t i = 0; i < size; i++)
        in[i] = out[i] * cell[i];
    for (int64_t r = 0; r < p->m; r++)
        if (time_of(w, p->t, p->row + r) >= 0)
            copy(w->q->c + (p->row + r) * hidden + p->u, c + r * UNITS, p->n);
}

/* z and r; z and r h are kept for the second phase. */
static void gates_gru(const sequence *w, const part *p, const float *h)
{
    activate(w, &w->act[0], true, 2 * p->size, p->v);
    for (int64_t r = 0; r < p->m; r++) {
        int64_t at = (p->row + r) * w->ld + p->u;
        copy(w->z + at, p->v + r * UNITS, p->n);
        for (int64_t i = 0; i < p->n; i++)
            w->rh[at + i] = p->v[p->size + r * UNITS + i] * h[at + i];
    }
}

static void cell_gru(const sequence *w, const part *p, int phase, const float *h)
{
    float *g = phase ? p->v : p->v + 2 * p->size;
    if (!phase) {
        activate(w, &w->act[0], true, 2 * p->size, p->v);
        for (int64_t r = 0; r < p->m; r++) {
            const float *x = input_of(w, p, r, 2), *reset = p->v + p->size + r * UNITS;
            for (int64_t i = 0; x && i < p->n; i++)
                g[r * UNITS + i] = x[i] + reset[i] * g[r * UNITS + i];
        }
    }
    activate(w, &w->act[1], true, p->size, g);
    for (int64_t r = 0; r < p->m; r++) {
        int64_t at = (p->row + r) * w->ld + p->u;
        const float *z = phase ? w->z + at : p->v + r * UNITS;
        for (int64_t i = 0; i < p->n; i++)
            p->v[r * UNITS + i] = (1 - z[i]) * g[r * UNITS + i] + z[i] * h[at + i];
    }
}

/* What the products are added to: X W' + bias, but for a gate that is reset before that is added. */
static void begin(const sequence *w, const part *p, int phase)
{
    const float *bias = w->q->bias_h ? w->q->bias_h + p->u : NULL;
    if (adds_input(w, p))
        return;
    for (int g = 0; g < gates_of(w->s, phase); g++) {
        bool last = w->s->gates == 3 && first_gate(phase) + g == 2, apart = last && w->s->reset_after;
        for (int64_t r = 0; r < p->m; r++) {
            const float *x = apart ? NULL : input_of(w, p, r, first_gate(phase) + g);
            float *to = p->v + g * p->size + r * UNITS;
            if (x)
                copy(to, x, p->n);
            if (!x || p->n < UNITS)
                memset(x ? to + p->n : to, 0, (size_t)(x ? UNITS - p->n : UNITS) * sizeof(float));
            for (int64_t i = 0; last && bias && i < p->n; i++)
                to[i] += bias[i];
        }
    }
}

static void end(const sequence *w, const part *p, const float *h, float *next)
{
    const ox_rnn_sequence *q = w->q;
    for (int64_t r = 0; r < p->m; r++) {
        int64_t at = time_of(w, p->t, p->row + r), state = (p->row + r) * w->ld + p->u;
        copy(next + state, at < 0 ? h + state : p->v + r * UNITS, p->n);
        if (q->y && at >= 0)
            copy(q->y + at * q->y_step + (p->row + r) * q->y_row + p->u, p->v + r * UNITS, p->n);
    }
}

static void run_part(const sequence *w, const part *p, int phase)
{
    const float *h = w->h[p->t & 1];
    begin(w, p, phase);
    multiply(w, p, phase, phase ? w->rh : h);
    if (w->phases == 2 && phase == 0) {
        gates_gru(w, p, h);
        return;
    }
    if (w->s->gates == 4)
        cell_lstm(w, p);
    else if (w->s->gates == 3)
        cell_gru(w, p, phase, h);
    else
        activate(w, &w->act[0], true, p->size, p->v);
    end(w, p, h, w->h[!(p->t & 1)]);
}

static void run_slice(const sequence *w, int64_t t, int phase, int64_t slice)
{
    float v[MAX_GATES * ROWS * UNITS];
    int64_t first = w->blocks * slice / w->slices, last = w->blocks * (slice + 1) / w->slices;
    for (int64_t i = first; i < last; i++) {
        /* to and fro: the weights that the last step read last are still in the caches */
        int64_t u = (t & 1 ? first + last - 1 - i : i) * UNITS;
        for (int64_t row = 0; row < w->s->batch; row += w->rows) {
            int64_t m = OX_MIN(w->rows, w->s->batch - row);
            run_part(w, &(part){ t, row, m, u, OX_MIN(UNITS, w->s->hidden - u), m * UNITS, v }, phase);
        }
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
    for (int64_t i = 0; i < w->q->longest * w->phases; i++) {
        for (int64_t k = 0; k < w->slices; k++) {
            int64_t slice = (own + k) % w->slices, expected = i;
            if (!atomic_compare_exchange_strong(&w->claimed[slice], &expected, i + 1))
                continue;
            run_slice(w, i / w->phases, (int)(i % w->phases), slice);
            atomic_fetch_add_explicit(&w->done, 1, memory_order_acq_rel);
        }
        wait_for(w, (i + 1) * w->slices);
    }
}

/* Rows of the states are not whole pages apart, or they would fight for the same cache lines. */
static bool allocate(ox_run *r, sequence *w)
{
    size_t batch = (size_t)w->s->batch;
    w->ld = (w->s->hidden + 31) / 16 * 16;
    for (int i = 0; i < 2; i++)
        if (!(w->h[i] = ox_scratch_array(r, batch, (size_t)w->ld * sizeof(float))))
            return false;
    if (w->phases == 2) {
        w->rh = ox_scratch_array(r, batch, (size_t)w->ld * sizeof(float));
        w->z = ox_scratch_array(r, batch, (size_t)w->ld * sizeof(float));
    }
    return w->phases == 1 || (w->rh && w->z);
}

ox_code ox_rnn_sequence_run(ox_run *r, const ox_rnn *s, int d, const ox_rnn_sequence *q)
{
    sequence w = { .s = s, .q = q, .act = s->act[d], .weights = q->weights, .blocks = blocks_of(s),
                   .phases = phases_of(s) };
    w.gemv = ox_uk_gemm_pick(OX_UK_GEMV_N, false, ox_cpu());
    w.tile = ox_uk_gemm_pick(OX_UK_GEMM, false, ox_cpu());
    w.sigmoid = ox_uk_math_pick(OX_MATH_sigmoid)->run;
    w.tanh = ox_uk_math_pick(OX_MATH_tanh)->run;
    int64_t most = OX_MIN(ROWS, w.tile->mr), panels = (s->batch + most - 1) / most;
    w.rows = (s->batch + panels - 1) / panels;
    int64_t work = (int64_t)ox_rnn_sequence_pack_bytes(s) * OX_MIN(s->batch, ROWS);
    int64_t threads = OX_MIN(ox_pool_threads(r->pool), MAX_SLICES);
    w.slices = OX_MAX(1, OX_MIN(OX_MIN(threads, w.blocks), work / SHARE));
    if (!allocate(r, &w))
        return OX_NO_MEMORY(r);
    w.same_length = true;
    for (int64_t i = 0; i < s->batch; i++)
        w.same_length = w.same_length && q->len[i] == q->longest;
    for (int64_t i = 0; i < s->batch; i++)
        memcpy(w.h[0] + i * w.ld, q->h + i * s->hidden, (size_t)s->hidden * sizeof(float));
    ox_parallel(r, w.slices, run_steps, &w);
    for (int64_t i = 0; i < s->batch; i++)
        memcpy(q->h + i * s->hidden, w.h[q->longest & 1] + i * w.ld, (size_t)s->hidden * sizeof(float));
    return OX_OK;
}
