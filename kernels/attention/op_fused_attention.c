/* FusedAttention: softmax(scale Q K' + mask) V, what fusion makes of MatMul, Softmax, MatMul and the nodes
 * around them (runtime/opt/fuse_attention.c).  Not an ONNX operator: it broadcasts as those nodes do.
 *
 * Inputs Q, K, V and an optional mask; attributes
 *   scale      of the scores
 *   swapped    bits 0 to 3, of Q, K, V and the output: dimensions 1 and 2 of the four are exchanged
 *   k_rows     1: K has a row for each key; 0: a column
 *   mask       0: added to the scores; 1, 2: scores where it is false, or true, become `fill`
 *   if_nan     where given, what probabilities that are NaN become
 *
 * Scores exist for one strip of rows of one product at a time. */
#include "kernels/elementwise/elementwise.h"
#include "kernels/gemm/gemm.h"
#include "kernels/softmax/softmax.h"
#include "runtime/op.h"

#include <string.h>

enum { STRIP_SIZE = 1 << 15, MAX_STRIP = 256, Q = 0, K, V, Y, MASK, N_OPERANDS };

/* An operand as matrices: leading dimensions, aligned at their end, with strides. */
typedef struct operand {
    int     rank;
    int64_t dim[OX_MAX_RANK], stride[OX_MAX_RANK];
    int64_t rows, columns, row; /* row: from one to the next, in elements */
    int64_t column;             /* of a mask: 0 where one serves all keys */
} operand;

typedef struct fused {
    operand       x[N_OPERANDS];
    int           rank;            /* of the leading dimensions, broadcast */
    int64_t       lead[OX_MAX_RANK];
    int64_t       batch, strip, strips, scores; /* scores: columns of Q K' before the mask broadcasts them */
    double        scale;
    int           mask_mode;
    float         fill, if_nan;
    bool          guarded;         /* probabilities that are NaN become if_nan */
    ox_gemm_plan  qk[2], pv[2];    /* of a whole strip, and of the last */
    size_t        scratch;
    ox_uk_softmax *softmax;
    ox_uk_loop2  *add;
} fused;

static ox_code read_operand(ox_run *r, const ox_tensor *t, bool swapped, operand *o)
{
    int n = t->rank;
    if (n < 2 || (swapped && n != 4))
        return OX_FAIL(r->err, OX_E_SHAPE, "rank %d where %s is wanted", n, swapped ? "4" : "at least 2");
    int64_t step[OX_MAX_RANK], all = 1;
    for (int d = n - 1; d >= 0; d--) {
        step[d] = all;
        all *= t->dim[d];
    }
    int row = swapped ? 1 : n - 2;
    o->rank = n - 2;
    for (int d = 0; d < n - 2; d++) {
        int from = swapped && d == 1 ? 2 : d;
        o->dim[d] = t->dim[from];
        o->stride[d] = step[from];
    }
    o->rows = t->dim[row];
    o->columns = t->dim[n - 1];
    o->row = step[row];
    o->column = 1;
    return OX_OK;
}

/* A mask of any rank; what it lacks is 1. */
static void read_mask(const ox_tensor *t, operand *o)
{
    ox_tensor full = { .rank = OX_MAX(t->rank, 2), .dim = { 1, 1 } };
    ox_run r = { 0 };
    for (int d = 0; d < t->rank; d++)
        full.dim[full.rank - t->rank + d] = t->dim[d];
    (void)!read_operand(&r, &full, false, o); /* rank 2 or more, not swapped */
    if (o->rows == 1)
        o->row = 0;
    o->column = o->columns > 1;
}

static bool has_mask(const ox_run *r) { return r->n_in > 3 && r->in[3]; }

/* The operator has no schema to check its inputs by, and a file might name it. */
static ox_code check_inputs(const ox_run *r)
{
    bool chosen = ox_attr_i64(r, "mask") != 0;
    for (int i = Q; i <= V; i++)
        if (i >= r->n_in || !r->in[i] || r->in[i]->dtype != OX_F32)
            return OX_FAIL(r->err, OX_E_TYPE, "Q, K and V must be float32");
    if (has_mask(r) && r->in[3]->dtype != (chosen ? OX_BOOL : OX_F32))
        return OX_FAIL(r->err, OX_E_TYPE, "the mask is %s", ox_dtype_name(r->in[3]->dtype));
    return OX_OK;
}

static ox_code read_shapes(ox_run *r, fused *s)
{
    int64_t swapped = ox_attr_i64(r, "swapped"), one[2];
    int rank = 1;
    OX_TRY(check_inputs(r));
    for (int i = Q; i <= V; i++)
        OX_TRY(read_operand(r, r->in[i], swapped >> i & 1, &s->x[i]));
    operand *k = &s->x[K], *mask = &s->x[MASK];
    if (!ox_attr_i64(r, "k_rows")) {
        int64_t keys = k->columns;
        k->columns = k->rows;
        k->rows = keys;
    }
    if (s->x[Q].columns != k->columns)
        return OX_FAIL(r->err, OX_E_SHAPE, "queries of %lld, keys of %lld elements", (long long)s->x[Q].columns,
                       (long long)k->columns);
    operand *y = &s->x[Y];
    *y = (operand){ .rows = s->x[Q].rows, .columns = s->x[V].columns };
    s->scores = k->rows;
    int64_t keys = k->rows;
    s->rank = 0;
    for (int i = Q; i <= K; i++)
        OX_TRY(ox_broadcast(r, &s->rank, s->lead, s->x[i].rank, s->x[i].dim));
    if (has_mask(r)) {
        read_mask(r->in[3], mask);
        OX_TRY(ox_broadcast(r, &s->rank, s->lead, mask->rank, mask->dim));
        one[0] = y->rows;
        OX_TRY(ox_broadcast(r, &rank, one, 1, &mask->rows));
        y->rows = one[0];
        one[0] = keys;
        OX_TRY(ox_broadcast(r, &rank, one, 1, &mask->columns));
        keys = one[0];
    }
    OX_TRY(ox_broadcast(r, &s->rank, s->lead, s->x[V].rank, s->x[V].dim));
    if (s->x[V].rows != keys)
        return OX_FAIL(r->err, OX_E_SHAPE, "%lld keys, %lld values", (long long)keys, (long long)s->x[V].rows);
    if (s->rank != 2 && (swapped & 8))
        return OX_FAIL(r->err, OX_E_SHAPE, "%d leading dimensions where 2 are wanted", s->rank);
    return OX_OK;
}

static void output_shape(const ox_run *r, const fused *s, int64_t *dim)
{
    memcpy(dim, s->lead, (size_t)s->rank * sizeof(*dim));
    dim[s->rank] = s->x[Y].rows;
    dim[s->rank + 1] = s->x[Y].columns;
    if (ox_attr_i64(r, "swapped") & 8) {
        dim[2] = s->lead[1];
        dim[1] = s->x[Y].rows;
    }
}

static ox_code infer(ox_run *r)
{
    fused s;
    int64_t dim[OX_MAX_RANK + 2];
    OX_TRY(read_shapes(r, &s));
    output_shape(r, &s, dim);
    ox_out_shape(r, 0, s.rank + 2, dim);
    return OX_OK;
}

static ox_code choose(ox_run *r, fused *s, int which, int64_t m)
{
    const operand *x = s->x;
    s->qk[which] = (ox_gemm_plan){ .m = (size_t)m, .n = (size_t)s->scores, .k = (size_t)x[Q].columns,
                                   .trans_b = ox_attr_i64(r, "k_rows") != 0 };
    s->pv[which] = (ox_gemm_plan){ .m = (size_t)m, .n = (size_t)x[V].columns, .k = (size_t)x[V].rows };
    ox_gemm_choose(&s->qk[which], ox_cpu());
    ox_gemm_choose(&s->pv[which], ox_cpu());
    size_t a = ox_gemm_scratch_bytes(&s->qk[which], 1), b = ox_gemm_scratch_bytes(&s->pv[which], 1);
    if (a > SIZE_MAX / 2 || b > SIZE_MAX / 2)
        return OX_NO_MEMORY(r);
    s->scratch = OX_MAX(s->scratch, (OX_MAX(a, b) + 127) & ~(size_t)63);
    return OX_OK;
}

static ox_code prepare(ox_run *r)
{
    fused *s = r->state;
    int64_t dim[OX_MAX_RANK + 2];
    OX_TRY(read_shapes(r, s));
    output_shape(r, s, dim);
    ox_tensor out = { .rank = s->rank + 2 };
    memcpy(out.dim, dim, (size_t)out.rank * sizeof(*dim));
    OX_TRY(read_operand(r, &out, ox_attr_i64(r, "swapped") & 8, &s->x[Y]));
    if (s->x[Q].rows == 1)
        s->x[Q].row = 0; /* the mask may have more */
    s->batch = 1;
    for (int d = 0; d < s->rank; d++)
        s->batch *= s->lead[d];
    int64_t rows = s->x[Y].rows, keys = OX_MAX(s->x[V].rows, 1);
    int64_t most = OX_MAX(16, OX_MIN(MAX_STRIP, STRIP_SIZE / keys));
    s->strips = (rows + most - 1) / most;
    s->strip = s->strips ? (rows + s->strips - 1) / s->strips : 0;
    s->scale = ox_attr_f64(r, "scale");
    s->mask_mode = (int)ox_attr_i64(r, "mask");
    s->fill = (float)ox_attr_f64(r, "fill");
    s->guarded = ox_attr_given(r, "if_nan");
    s->if_nan = s->guarded ? (float)ox_attr_f64(r, "if_nan") : 0;
    s->softmax = ox_softmax_pick().softmax;
    s->add = ox_uk_loop2_pick(OX_LOOP2_add)->run2;
    if (rows == 0)
        return OX_OK;
    OX_TRY(choose(r, s, 0, s->strip));
    r->kernel = s->qk[0].name;
    return choose(r, s, 1, rows - (s->strips - 1) * s->strip);
}

typedef struct job {
    const ox_run *r;
    const fused  *s;
    const void   *mask;
    char         *memory; /* of each worker: scores, queries, scratch */
    size_t        bytes;
} job;

static int64_t offset_of(const fused *s, const operand *o, int64_t product)
{
    int64_t at = 0;
    for (int d = s->rank - 1, e = o->rank - 1; d >= 0; d--, e--) {
        int64_t i = product % s->lead[d];
        product /= s->lead[d];
        if (e >= 0 && o->dim[e] > 1)
            at += i * o->stride[e];
    }
    return at;
}

/* Mask and softmax of one row; x has room for all keys. */
static void finish_row(const job *j, float *x, int64_t product, int64_t row)
{
    const fused *s = j->s;
    const operand *m = &s->x[MASK];
    int64_t n = s->x[V].rows;
    for (int64_t k = s->scores; k < n; k++) /* one key that the mask broadcasts */
        x[k] = x[0];
    if (j->mask) {
        int64_t at = offset_of(s, m, product) + row * m->row;
        if (s->mask_mode == 0) {
            s->add((size_t)n, x, 1, (const float *)j->mask + at, (int)m->column, x, NULL);
        } else {
            const uint8_t *keep = (const uint8_t *)j->mask + at;
            bool drop = s->mask_mode == 2;
            for (int64_t k = 0; k < n; k++)
                x[k] = (keep[k * m->column] != 0) != drop ? x[k] : s->fill;
        }
    }
    s->softmax((size_t)n, x, x);
    for (int64_t k = 0; s->guarded && k < n; k++)
        x[k] = x[k] == x[k] ? x[k] : s->if_nan;
}

static void strip(void *ctx, int64_t block, int worker)
{
    const job *j = ctx;
    const fused *s = j->s;
    const operand *x = s->x;
    int64_t product = block / s->strips, r0 = block % s->strips * s->strip, keys = x[V].rows, d = x[Q].columns;
    int which = block % s->strips == s->strips - 1;
    const ox_gemm_plan *qk = &s->qk[which], *pv = &s->pv[which];
    int64_t m = (int64_t)qk->m;
    const float *q = (const float *)j->r->in[Q]->data + offset_of(s, &x[Q], product) + r0 * x[Q].row;
    float *scores = (float *)(void *)(j->memory + (size_t)worker * j->bytes), *scaled = scores + s->strip * keys;
    void *scratch = j->memory + (size_t)worker * j->bytes + j->bytes - s->scratch;
    for (int64_t i = 0; i < m; i++)
        for (int64_t k = 0; k < d; k++)
            scaled[i * d + k] = q[i * x[Q].row + k] * (float)s->scale;
    ox_gemm_args first = { .a = scaled, .lda = (size_t)d, .c = scores, .ldc = (size_t)keys,
                           .b = (const float *)j->r->in[K]->data + offset_of(s, &x[K], product),
                           .ldb = (size_t)x[K].row };
    ox_gemm_run(qk, &first, scratch, NULL);
    for (int64_t i = 0; i < m; i++)
        finish_row(j, scores + i * keys, product, r0 + i);
    ox_gemm_args second = { .a = scores, .lda = (size_t)keys, .ldb = (size_t)x[V].row, .ldc = (size_t)x[Y].row,
                            .b = (const float *)j->r->in[V]->data + offset_of(s, &x[V], product),
                            .c = (float *)j->r->out[0]->data + offset_of(s, &x[Y], product) + r0 * x[Y].row };
    ox_gemm_run(pv, &second, scratch, NULL);
}

static ox_code run(ox_run *r)
{
    const fused *s = r->state;
    job j = { .r = r, .s = s, .mask = has_mask(r) ? r->in[3]->data : NULL };
    size_t per_row, rows;
    if (s->x[V].rows == 0) { /* no key: sums of nothing */
        memset(r->out[0]->data, 0, ox_bytes(r->out[0]));
        return OX_OK;
    }
    if (!ox_add_size(&per_row, (size_t)s->x[V].rows, (size_t)s->x[Q].columns) ||
        !ox_mul_size(&rows, per_row, (size_t)s->strip * sizeof(float)) || !ox_add_size(&j.bytes, rows, s->scratch + 63))
        return OX_NO_MEMORY(r);
    j.bytes &= ~(size_t)63;
    j.memory = ox_scratch_array(r, (size_t)ox_pool_threads(r->pool), j.bytes);
    if (!j.memory)
        return OX_NO_MEMORY(r);
    ox_parallel(r, s->batch * s->strips, strip, &j);
    return OX_OK;
}

static int64_t flops(const ox_run *r)
{
    const fused *s = r->state;
    return 2 * s->batch * s->x[Y].rows * s->x[V].rows * (s->x[Q].columns + s->x[V].columns);
}

OX_OP(FusedAttention, 1) .domain = "onnxrun", .infer = infer, .prepare = prepare, .run = { [OX_F32] = run },
    .error = { ERR_SUM, 16 }, .state_size = sizeof(fused), .flags = OX_NO_WIDEN, .flops = flops OX_END;
