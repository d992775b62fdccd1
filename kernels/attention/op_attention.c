/* Attention (23, 24, 25): softmax(scale Q K' [softcap] + bias) V, with grouped heads, caches, masks.
 *
 * The scores exist for one strip of STRIP query rows of one head at a time, never as a whole.  Keys that
 * causality, windows or padding exclude form the outside of one interval per row; only inside it are
 * scores looked at.  A row without any key gives zeros. */
#ifdef T /* ---- once per dtype: see runtime/tensor/each_dtype.h ---- */

struct FN(work) {
    ox_run    *r;
    const T   *k, *v;      /* all keys and values: head h of batch b at k_at */
    const T   *mask;       /* additive, or NULL */
    const int64_t *valid;  /* nonpad_kv_seqlen, or NULL */
    T         *strip;      /* [threads][STRIP][total] */
    char      *scratch;    /* [threads] for the products */
};

static void FN(product)(const ox_gemm_plan *plan, size_t m, double alpha, const T *a, size_t lda, const T *b,
                        size_t ldb, T *c, size_t ldc, void *scratch)
{
    ox_gemm_plan p = *plan;
    if (m != p.m) {
        p.m = m;
        ox_gemm_choose(&p, ox_cpu());
    }
    ox_gemm_args args = { .a = a, .b = b, .c = c, .lda = lda, .ldb = ldb, .ldc = ldc, .alpha = alpha };
    ox_gemm_run(&p, &args, scratch, NULL);
}

/* Bias and softmax of one row of scores in place; qk receives what qk_matmul_output_mode asks for. */
static void FN(row)(const struct attention *s, T *x, const T *mask, int64_t lo, int64_t hi, T *qk)
{
    C max = -(C)INFINITY;
    A sum = 0;
    bool any = false;
    if (qk && s->mode == 0)
        memcpy(qk, x, (size_t)s->total * sizeof(T));
    if (s->softcap > 0)
        for (int64_t j = 0; j < s->total; j++)
            x[j] = (C)s->softcap * TANH(x[j] / (C)s->softcap);
    if (qk && s->mode == 1)
        memcpy(qk, x, (size_t)s->total * sizeof(T));
    for (int64_t j = 0; j < s->total; j++) {
        C bias = j < lo || j >= hi || (mask && j >= s->mask_n) ? -(C)INFINITY : mask ? mask[j] : 0;
        x[j] += bias;
        any = any || bias > -(C)INFINITY;
        max = x[j] > max ? x[j] : max;
    }
    if (qk && s->mode == 2)
        memcpy(qk, x, (size_t)s->total * sizeof(T));
    C from = max == -(C)INFINITY ? 0 : max;
    for (int64_t j = 0; j < s->total; j++) {
        x[j] = any ? EXP(x[j] - from) : 0;
        sum += x[j];
    }
    C scale = sum > 0 || sum != sum ? (C)(1 / sum) : 0;
    for (int64_t j = 0; j < s->total; j++)
        x[j] *= scale;
    if (qk && s->mode == 3)
        memcpy(qk, x, (size_t)s->total * sizeof(T));
}

static void FN(strip)(void *ctx, int64_t block, int worker)
{
    const struct FN(work) *w = ctx;
    const struct attention *s = w->r->state;
    int64_t q0 = block % s->strips * STRIP, h = block / s->strips % s->heads, b = block / s->strips / s->heads;
    int64_t n = OX_MIN(STRIP, s->q_len - q0), kv = h / (s->heads / s->kv_heads);
    const T *q = (const T *)w->r->in[0]->data + b * s->q_batch + h * s->q_head + q0 * s->q_row;
    const T *k = w->k + b * s->k_batch + kv * s->k_head, *v = w->v + b * s->v_batch + kv * s->v_head;
    T *x = w->strip + (int64_t)worker * STRIP * s->total;
    T *qk = w->r->n_out > 3 && w->r->out[3] ? w->r->out[3]->data : NULL;
    T *y = w->r->out[0] ? (T *)w->r->out[0]->data + b * s->y_batch + h * s->y_head + q0 * s->y_row : NULL;
    void *scratch = w->scratch + (size_t)worker * s->scratch;
    if (s->scale == 0)
        memset(x, 0, (size_t)(n * s->total) * sizeof(T));
    else
        FN(product)(&s->qk, (size_t)n, s->scale, q, (size_t)s->q_row, k, (size_t)s->k_row, x, (size_t)s->total,
                    scratch);
    for (int64_t i = 0; i < n; i++) {
        int64_t lo, hi;
        visible(s, q0 + i, w->valid ? w->valid[b] : -1, &lo, &hi);
        const T *mask = w->mask ? w->mask + b * s->mask_step[0] + h * s->mask_step[1] + (q0 + i) * s->mask_step[2]
                                : NULL;
        FN(row)(s, x + i * s->total, mask, lo, hi,
                qk ? qk + ((b * s->heads + h) * s->q_len + q0 + i) * s->total : NULL);
    }
    if (y)
        FN(product)(&s->pv, (size_t)n, 1, x, (size_t)s->total, v, (size_t)s->v_row, y, (size_t)s->y_row, scratch);
}

/* past and new rows of every head, one behind the other: [batch][kv_heads][total][d]. */
static void FN(join)(const struct attention *s, const T *past, const T *x, int64_t batch, int64_t head,
                     int64_t row, int64_t d, T *to)
{
    for (int64_t i = 0; i < s->batch * s->kv_heads; i++) {
        const T *from = x + i / s->kv_heads * batch + i % s->kv_heads * head;
        if (past)
            memcpy(to, past + i * s->past * d, (size_t)(s->past * d) * sizeof(T));
        to += past ? s->past * d : 0;
        for (int64_t t = 0; t < s->kv_len; t++, to += d)
            memcpy(to, from + t * row, (size_t)d * sizeof(T));
    }
}

/* V and its cache may have a type of their own: t's elements as T; NULL: out of memory. */
static const T *FN(elements)(ox_run *r, const ox_tensor *t)
{
    if (t->dtype == DT)
        return t->data;
    T *to = ox_scratch_array(r, (size_t)OX_MAX(ox_count(t), 1), sizeof(T));
    if (to && ox_count(t))
        ox_convert(to, DT, t->data, t->dtype, (size_t)ox_count(t));
    return to;
}

/* What the products read of K or V, whose past rows come before; present rows go to output `out`. */
static const T *FN(cache)(ox_run *r, const struct attention *s, int in, int past, int out, int64_t batch,
                          int64_t head, int64_t row, int64_t d)
{
    const ox_tensor *before = past < r->n_in ? r->in[past] : NULL;
    ox_tensor *present = out < r->n_out ? r->out[out] : NULL;
    const T *x = FN(elements)(r, r->in[in]), *old = x && before ? FN(elements)(r, before) : NULL;
    if (!x || (before && !old))
        return NULL;
    if (!before && !present)
        return x;
    int64_t n = s->batch * s->kv_heads * s->total * d;
    T *to = present && present->dtype == DT ? present->data : ox_scratch_array(r, (size_t)OX_MAX(n, 1), sizeof(T));
    if (!to)
        return NULL;
    FN(join)(s, old, x, batch, head, row, d, to);
    if (present && present->dtype != DT && n)
        ox_convert(present->data, present->dtype, to, DT, (size_t)n);
    return before ? to : x;
}

static ox_code FN(attention)(ox_run *r)
{
    struct attention *s = r->state;
    struct FN(work) w = { .r = r };
    int64_t n = 0, threads = ox_pool_threads(r->pool);
    w.k = FN(cache)(r, s, 1, 4, 1, s->k_batch_in, s->k_head_in, s->k_row_in, s->d);
    w.v = FN(cache)(r, s, 2, 5, 2, s->v_batch_in, s->v_head_in, s->v_row_in, s->d_v);
    w.strip = ox_scratch_array(r, (size_t)(threads * STRIP) * (size_t)s->total, sizeof(T));
    w.scratch = ox_scratch_array(r, (size_t)threads, s->scratch);
    if (!w.k || !w.v || !w.strip || !w.scratch)
        return OX_NO_MEMORY(r);
    if (r->n_in > 3 && r->in[3]) {
        const ox_tensor *m = r->in[3];
        T *mask = ox_scratch_array(r, (size_t)OX_MAX(ox_count(m), 1), sizeof(T));
        if (!mask)
            return OX_NO_MEMORY(r);
        for (int64_t i = 0; i < ox_count(m); i++)
            mask[i] = m->dtype == OX_BOOL ? (((const uint8_t *)m->data)[i] ? 0 : -(C)INFINITY)
                      : m->dtype == DT    ? ((const T *)m->data)[i]
                                          : (C)ox_get_f64(m, i);
        w.mask = mask;
    }
    if (r->n_in > 6 && r->in[6]) {
        w.valid = ox_in_i64s(r, 6, &n);
        if (n != s->batch)
            return OX_FAIL(r->err, OX_E_SHAPE, "nonpad_kv_seqlen has %lld entries for a batch of %lld",
                           (long long)n, (long long)s->batch);
    }
    ox_parallel(r, s->batch * s->heads * s->strips, FN(strip), &w);
    return OX_OK;
}

#else /* ---- once ---- */
#include "kernels/gemm/gemm.h"
#include "runtime/op.h"

#include <math.h>
#include <string.h>

#define EXP(v)  _Generic((v), float: expf, double: exp)(v)
#define TANH(v) _Generic((v), float: tanhf, double: tanh)(v)

enum { STRIP = 32 };

struct attention {
    int64_t batch, heads, kv_heads, q_len, kv_len, past, total, d, d_v, strips;
    int64_t q_batch, q_head, q_row, y_batch, y_head, y_row; /* strides in elements */
    int64_t k_batch_in, k_head_in, k_row_in, v_batch_in, v_head_in, v_row_in; /* of the inputs ... */
    int64_t k_batch, k_head, k_row, v_batch, v_head, v_row; /* ... and of what the products read */
    int64_t mask_step[3], mask_n;
    double  scale, softcap;
    int     mode;
    bool    causal, external; /* external: the cache is K and V themselves, nonpad_kv_seqlen of it valid */
    int64_t left, right;      /* window; -1: unbounded */
    ox_gemm_plan qk, pv;
    size_t  scratch;
};

/* Keys [lo, hi) that query row i may see; valid is the batch's nonpad_kv_seqlen or -1. */
static void visible(const struct attention *s, int64_t i, int64_t valid, int64_t *lo, int64_t *hi)
{
    int64_t at = i + (s->past ? s->past : valid >= 0 && s->external ? valid - s->q_len : 0);
    *lo = 0;
    *hi = s->total;
    if (s->causal)
        *hi = OX_MIN(*hi, at + 1);
    if (s->left >= 0)
        *lo = OX_MAX(*lo, at - s->left);
    if (s->right >= 0)
        *hi = OX_MIN(*hi, at + s->right + 1);
    if (valid >= 0)
        *hi = OX_MIN(*hi, valid);
}

static ox_code heads_of(ox_run *r, const char *name, const ox_tensor *t, int64_t *heads)
{
    *heads = t->rank == 4 ? t->dim[1] : ox_attr_i64(r, name);
    if (*heads < 1 || (t->rank == 3 && t->dim[2] % *heads))
        return OX_FAIL(r->err, OX_E_SHAPE, "%s is %lld for a hidden size of %lld", name, (long long)*heads,
                       (long long)t->dim[t->rank - 1]);
    return OX_OK;
}

/* Head size and strides of Q, K or V: (batch, heads, rows, d) or (batch, rows, heads * d). */
static void layout(const ox_tensor *t, int64_t heads, int64_t *rows, int64_t *d, int64_t *batch, int64_t *head,
                   int64_t *row)
{
    *rows = t->dim[t->rank - 2];
    *d = t->rank == 4 ? t->dim[3] : t->dim[2] / heads;
    *batch = *rows * heads * *d;
    *head = t->rank == 4 ? *rows * *d : *d;
    *row = t->rank == 4 ? *d : heads * *d;
}

static ox_code read_shapes(ox_run *r, struct attention *s)
{
    const ox_tensor *q = r->in[0], *k = r->in[1], *v = r->in[2], *past = r->n_in > 4 ? r->in[4] : NULL;
    int64_t v_heads, v_len, d_k;
    if ((q->rank != 3 && q->rank != 4) || k->rank != q->rank || v->rank != q->rank)
        return OX_FAIL(r->err, OX_E_SHAPE, "Q, K and V have ranks %d, %d and %d, expected 3 or 4", q->rank,
                       k->rank, v->rank);
    OX_TRY(heads_of(r, "q_num_heads", q, &s->heads));
    OX_TRY(heads_of(r, "kv_num_heads", k, &s->kv_heads));
    OX_TRY(heads_of(r, "kv_num_heads", v, &v_heads));
    s->batch = q->dim[0];
    layout(q, s->heads, &s->q_len, &s->d, &s->q_batch, &s->q_head, &s->q_row);
    layout(k, s->kv_heads, &s->kv_len, &d_k, &s->k_batch_in, &s->k_head_in, &s->k_row_in);
    layout(v, v_heads, &v_len, &s->d_v, &s->v_batch_in, &s->v_head_in, &s->v_row_in);
    s->past = past ? past->dim[2] : 0;
    s->total = s->past + s->kv_len;
    if (k->dim[0] != s->batch || v->dim[0] != s->batch || v_heads != s->kv_heads || v_len != s->kv_len ||
        d_k != s->d || s->heads % s->kv_heads)
        return OX_FAIL(r->err, OX_E_SHAPE, "Q, K and V do not belong together: batch %lld %lld %lld, heads "
                       "%lld %lld %lld, length %lld %lld, head size %lld %lld", (long long)s->batch,
                       (long long)k->dim[0], (long long)v->dim[0], (long long)s->heads, (long long)s->kv_heads,
                       (long long)v_heads, (long long)s->kv_len, (long long)v_len, (long long)s->d,
                       (long long)d_k);
    const ox_tensor *past_v = r->n_in > 5 ? r->in[5] : NULL;
    if (!past != !past_v)
        return OX_FAIL(r->err, OX_E_SHAPE, "past_key and past_value must be given together");
    if (past && (past->rank != 4 || past_v->rank != 4 || past->dim[0] != s->batch || past->dim[1] != s->kv_heads ||
                 past->dim[3] != s->d || past_v->dim[0] != s->batch || past_v->dim[1] != s->kv_heads ||
                 past_v->dim[2] != s->past || past_v->dim[3] != s->d_v))
        return OX_FAIL(r->err, OX_E_SHAPE, "past_key or past_value does not match K and V");
    return OX_OK;
}

static ox_code infer(ox_run *r)
{
    struct attention s = { 0 };
    OX_TRY(read_shapes(r, &s));
    if (r->in[0]->rank == 4)
        ox_out_shape(r, 0, 4, (int64_t[]){ s.batch, s.heads, s.q_len, s.d_v });
    else
        ox_out_shape(r, 0, 3, (int64_t[]){ s.batch, s.q_len, s.heads * s.d_v });
    ox_out_shape(r, 1, 4, (int64_t[]){ s.batch, s.kv_heads, s.total, s.d });
    ox_out_shape(r, 2, 4, (int64_t[]){ s.batch, s.kv_heads, s.total, s.d_v });
    ox_out_shape(r, 3, 4, (int64_t[]){ s.batch, s.heads, s.q_len, s.total });
    return OX_OK;
}

static ox_code read_mask(ox_run *r, struct attention *s)
{
    const ox_tensor *m = r->n_in > 3 ? r->in[3] : NULL;
    const int64_t want[3] = { s->batch, s->heads, s->q_len };
    if (!m)
        return OX_OK;
    if (m->rank < 1 || m->rank > 4 || m->dim[m->rank - 1] > s->total)
        return OX_FAIL(r->err, OX_E_SHAPE, "attn_mask has rank %d and %lld columns for %lld keys", m->rank,
                       m->rank ? (long long)m->dim[m->rank - 1] : 1, (long long)s->total);
    s->mask_n = m->dim[m->rank - 1];
    int64_t step = s->mask_n;
    for (int d = 2, e = m->rank - 2; d >= 0; d--, e--) {
        int64_t n = e >= 0 ? m->dim[e] : 1;
        if (n != 1 && n != want[d])
            return OX_FAIL(r->err, OX_E_SHAPE, "attn_mask dimension %d is %lld, expected 1 or %lld", e,
                           (long long)n, (long long)want[d]);
        s->mask_step[d] = n == 1 ? 0 : step;
        step *= n;
    }
    return OX_OK;
}

static ox_code prepare(ox_run *r)
{
    struct attention *s = r->state;
    bool f64 = r->in[0]->dtype == OX_F64, joined = r->n_in > 4 && r->in[4];
    OX_TRY(read_shapes(r, s));
    OX_TRY(read_mask(r, s));
    s->strips = (s->q_len + STRIP - 1) / STRIP;
    s->y_row = r->in[0]->rank == 4 ? s->d_v : s->heads * s->d_v;
    s->y_head = r->in[0]->rank == 4 ? s->q_len * s->d_v : s->d_v;
    s->y_batch = s->q_len * s->heads * s->d_v;
    s->k_row = joined ? s->d : s->k_row_in;
    s->k_head = joined ? s->total * s->d : s->k_head_in;
    s->k_batch = joined ? s->kv_heads * s->k_head : s->k_batch_in;
    s->v_row = joined ? s->d_v : s->v_row_in;
    s->v_head = joined ? s->total * s->d_v : s->v_head_in;
    s->v_batch = joined ? s->kv_heads * s->v_head : s->v_batch_in;
    s->scale = ox_attr_given(r, "scale") ? ox_attr_f64(r, "scale") : 1 / sqrt((double)s->d);
    s->softcap = ox_attr_f64(r, "softcap");
    s->mode = (int)ox_attr_i64(r, "qk_matmul_output_mode");
    s->causal = ox_attr_i64(r, "is_causal") != 0;
    s->external = r->n_in > 6 && r->in[6] && !joined;
    s->left = r->since >= 25 ? ox_attr_i64(r, "left_window_size") : -1;
    s->right = r->since >= 25 ? ox_attr_i64(r, "right_window_size") : -1;
    s->qk = (ox_gemm_plan){ .m = (size_t)OX_MIN(STRIP, s->q_len), .n = (size_t)s->total, .k = (size_t)s->d,
                            .f64 = f64, .trans_b = true };
    s->pv = (ox_gemm_plan){ .m = s->qk.m, .n = (size_t)s->d_v, .k = (size_t)s->total, .f64 = f64 };
    ox_gemm_choose(&s->qk, ox_cpu());
    ox_gemm_choose(&s->pv, ox_cpu());
    size_t a = ox_gemm_scratch_bytes(&s->qk, 1), b = ox_gemm_scratch_bytes(&s->pv, 1);
    s->scratch = (OX_MAX(a, b) + 127) & ~(size_t)63;
    if (a == SIZE_MAX || b == SIZE_MAX)
        return OX_NO_MEMORY(r);
    r->kernel = s->qk.name;
    return OX_OK;
}

static int64_t flops(const ox_run *r)
{
    const struct attention *s = r->state;
    return 2 * s->batch * s->heads * s->q_len * s->total * (s->d + s->d_v);
}

#define TYPES MASK_FLOAT
#define TMPL  "kernels/attention/op_attention.c"
#include "runtime/tensor/each_dtype.h"

OX_OP(Attention, 23) .infer = infer, .prepare = prepare, .run = { KERNELS(attention, FLOAT) },
    .error = { ERR_SUM, 16 }, .state_size = sizeof(struct attention), .flops = flops OX_END;
#endif
