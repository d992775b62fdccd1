/* MatMulInteger and QLinearMatMul: products of 8-bit matrices, numpy's matmul shapes.
 *
 * The usual case (zero points and scales per tensor or per column of B) goes through kernels/igemm;
 * its epilogue rescales in float, rounds half to even and saturates.  For the rest operands become
 * int32 less their zero points (per tensor, per row of A, per column of B) and are summed in int32,
 * which ONNX lets overflow only beyond 32 bits; where an operand is float8, sums are in double.
 *
 * Fusion (runtime/opt/qdq.c) puts on QLinearMatMul:
 *   input 8           a bias in float, one a column,
 *   input 9           256 bytes that replace results,
 *   onnxrun_float     the result stays a float: y_scale is 1 and nothing is rounded,
 *   onnxrun_transb    B is given as n x k,
 *   onnxrun_activation ... as behind Gemm. */
#include "kernels/activation.h"
#include "kernels/igemm/igemm.h"
#include "kernels/quant/matrix.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- the usual case ---- */

/* What depends on B and the scales only: where those are constants, kept with the state. */
struct parameters {
    const void *packed;
    ox_igemm_ep *ep; /* one a matrix of B */
};
struct product {
    ox_matrix s;
    ox_activation act;
    ox_igemm gemm;
    bool fast, ready, a_signed;
    size_t m, batch;                  /* rows of all products are one matrix if B is */
    size_t n_b, pack;                 /* matrices of B, bytes of one packed */
    size_t *at_a, *at_packed, *which; /* for each product: bytes, bytes, matrix */
    struct parameters p;
};

static bool is_qlinear(const ox_run *r)
{
    return r->op->name[0] == 'Q';
}
static const ox_tensor *input(const ox_run *r, int i)
{
    return i < r->n_in ? r->in[i] : NULL;
}
static bool is_8bit(const ox_tensor *t)
{
    return t->dtype == OX_I8 || t->dtype == OX_U8;
}
enum { A, A_ZERO, B, B_ZERO };
static int slot(const ox_run *r, int what)
{
    static const int integer[] = { 0, 2, 1, 3 }, qlinear[] = { 0, 2, 3, 5 };
    return is_qlinear(r) ? qlinear[what] : integer[what];
}
static int64_t elements(const ox_run *r, int i)
{
    return input(r, i) ? ox_count(r->in[i]) : 1;
}

static ox_code prepare_product(ox_run *r)
{
    struct product *q = r->state;
    ox_matrix *s = &q->s;
    int ib = slot(r, B);
    const ox_tensor *a = r->in[0], *b = r->in[ib];
    OX_TRY(ox_matrix_prepare(r, s, 0, ib));
    const ox_tensor *table = is_qlinear(r) ? input(r, 9) : NULL;
    if (table && (!is_8bit(table) || ox_count(table) != 256 || !table->data || !is_8bit(r->out[0])))
        return OX_FAIL(r->err, OX_E_SHAPE, "input 9 is no table of 256 bytes");
    OX_TRY(ox_activation_read(r, &q->act));
    int64_t n_zb = elements(r, slot(r, B_ZERO)), size = s->k * s->n;
    bool columns = n_zb == 1 || (n_zb == s->n && b->rank >= 1);
    q->fast = is_8bit(a) && is_8bit(b) && elements(r, slot(r, A_ZERO)) == 1 && columns &&
              ox_count(r->out[0]) > 0;
    if (is_qlinear(r))
        q->fast = q->fast && (is_8bit(r->out[0]) || r->out[0]->dtype == OX_F32) &&
                  elements(r, 1) == 1 && (elements(r, 4) == 1 || elements(r, 4) == s->n) &&
                  elements(r, 6) == 1 && elements(r, 7) == 1;
    if (!q->fast)
        return OX_OK;
    q->a_signed = a->dtype == OX_I8;
    q->gemm = (ox_igemm){ .n = (size_t)s->n, .n_run = 1, .k = (size_t)s->k };
    ox_igemm_choose(&q->gemm, ox_cpu());
    r->kernel = q->gemm.uk->name;
    q->n_b = size ? (size_t)(ox_count(b) / size) : 1;
    bool together = q->n_b == 1 && ox_count(a) == s->batch * s->m * s->k;
    q->m = (size_t)(together ? s->batch * s->m : s->m);
    q->batch = (size_t)(together ? 1 : s->batch);
    if (!ox_add_size(&q->pack, ox_igemm_pack_bytes(&q->gemm), 63))
        return OX_NO_MEMORY(r);
    q->pack &= ~(size_t)63;
    q->at_a = ox_state_alloc(r, q->batch, sizeof(size_t));
    q->at_packed = ox_state_alloc(r, q->batch, sizeof(size_t));
    q->which = ox_state_alloc(r, q->batch, sizeof(size_t));
    if (!q->at_a || !q->at_packed || !q->which)
        return OX_NO_MEMORY(r);
    for (size_t i = 0; i < q->batch; i++) {
        q->at_a[i] = (size_t)s->at_a[i];
        q->which[i] = size ? (size_t)(s->at_b[i] / size) : 0;
        q->at_packed[i] = q->which[i] * q->pack;
    }
    q->ready = true;
    for (int i = 1; i < r->n_in; i++)
        q->ready = q->ready && (!r->in[i] || ((r->in_const >> i & 1) && r->in[i]->data));
    return OX_OK;
}

struct packing {
    const struct product *q;
    const ox_tensor *b;
    char *to;
    bool turned;
};

static void pack_one(void *ctx, int64_t i, int worker)
{
    const struct packing *j = ctx;
    const struct product *q = j->q;
    size_t n = (size_t)q->s.n, k = (size_t)q->s.k;
    ox_igemm_b b = { .b = (const char *)j->b->data + (size_t)i * n * k,
                     .is_signed = j->b->dtype == OX_I8,
                     .row = j->turned ? 1 : n,
                     .col = j->turned ? k : 1 };
    (void)worker;
    ox_igemm_pack(&q->gemm, &b, j->to + (size_t)i * q->pack);
}

static void pack(void *to, const ox_tensor *from, const void *ctx)
{
    struct packing j = *(const struct packing *)ctx;
    j.to = to;
    j.b = from;
    for (size_t i = 0; i < j.q->n_b; i++)
        pack_one(&j, (int64_t)i, 0);
}

typedef void *allocate(ox_run *r, size_t n, size_t size);

static ox_code pack_b(ox_run *r, const struct product *q, struct parameters *p, bool keep)
{
    struct packing j = { q, r->in[slot(r, B)], NULL, ox_attr_given(r, "onnxrun_transb") };
    size_t all;
    if (!ox_mul_size(&all, q->pack, q->n_b))
        return OX_NO_MEMORY(r);
    if (keep) {
        char key[96];
        snprintf(key, sizeof(key), "%s %d %zu", q->gemm.uk->name, j.turned, q->gemm.n);
        p->packed = ox_packed(r, slot(r, B), key, all, pack, &j);
    } else {
        p->packed = j.to = ox_scratch(r, all);
        if (j.to)
            ox_parallel(r, (int64_t)q->n_b, pack_one, &j);
    }
    return p->packed ? OX_OK : OX_NO_MEMORY(r);
}

/* Factors of columns, float biases, and the range of results. */
static ox_code scales(ox_run *r, const struct product *q, ox_igemm_ep *ep, allocate *alloc)
{
    int64_t n_a, n_b, n_y, n_bias = 0, n_z;
    const double *a = ox_in_f64s(r, 1, &n_a), *b = ox_in_f64s(r, 4, &n_b),
                 *y = ox_in_f64s(r, 6, &n_y);
    const double *bias = input(r, 8) ? ox_in_f64s(r, 8, &n_bias) : NULL;
    const int64_t *zero = ox_in_i64s(r, 7, &n_z);
    size_t columns = ox_igemm_columns(&q->gemm), n = q->gemm.n;
    float *mul = alloc(r, columns, sizeof(*mul)), *add = alloc(r, columns, sizeof(*add));
    if (!a || !b || !y || !zero || !mul || !add || (input(r, 8) && !bias))
        return OX_NO_MEMORY(r);
    if (bias && n_bias != 1 && n_bias != (int64_t)n)
        return OX_FAIL(r->err, OX_E_SHAPE, "a bias of %lld elements for %zu columns",
                       (long long)n_bias, n);
    memset(mul, 0, columns * sizeof(*mul));
    memset(add, 0, columns * sizeof(*add));
    for (size_t j = 0; j < n; j++) {
        mul[j] = (float)a[0] * (float)b[n_b == 1 ? 0 : j] / (float)y[0];
        add[j] = bias ? (float)bias[n_bias == 1 ? 0 : j] / (float)y[0] : 0;
    }
    ep->mul = mul;
    ep->add = add;
    ep->lo = (float)(q->act.lo / y[0]);
    ep->hi = (float)(q->act.hi / y[0]);
    ep->out = OX_IOUT_F32;
    if (r->out[0]->dtype == OX_F32)
        return OX_OK;
    bool is_signed = r->in[7]->dtype == OX_I8; /* before the table */
    ep->out = OX_IOUT_8;
    ep->zero = (int32_t)zero[0];
    ep->lo = fmaxf(ep->lo, (float)((is_signed ? -128 : 0) - zero[0]));
    ep->hi = fminf(ep->hi, (float)((is_signed ? 127 : 255) - zero[0]));
    ep->table = input(r, 9) ? input(r, 9)->data : NULL;
    return OX_OK;
}

static ox_code zeros(ox_run *r, const struct product *q, ox_igemm_ep *ep, int32_t *zero_a,
                     allocate *alloc)
{
    int64_t n_a, n_b;
    const int64_t *za = ox_in_i64s(r, slot(r, A_ZERO), &n_a),
                  *zb = ox_in_i64s(r, slot(r, B_ZERO), &n_b);
    bool b_signed = r->in[slot(r, B)]->dtype == OX_I8, same = true;
    if ((!za && input(r, slot(r, A_ZERO))) || (!zb && input(r, slot(r, B_ZERO))))
        return OX_NO_MEMORY(r);
    *zero_a = ox_igemm_zero_a(&q->gemm, q->a_signed, za ? (int32_t)za[0] : 0);
    for (int64_t j = 1; j < n_b; j++)
        same = same && zb[j] == zb[0];
    ep->zero_b = same ? ox_igemm_zero_b(b_signed, zb ? (int32_t)zb[0] : 0) : 0;
    if (same)
        return OX_OK;
    int32_t *to = alloc(r, ox_igemm_columns(&q->gemm), sizeof(*to));
    if (!to)
        return OX_NO_MEMORY(r);
    memset(to, 0, ox_igemm_columns(&q->gemm) * sizeof(*to));
    for (size_t j = 0; j < q->gemm.n; j++)
        to[j] = ox_igemm_zero_b(b_signed, (int32_t)zb[j]);
    ep->zero_bs = to;
    return OX_OK;
}

static ox_code read_parameters(ox_run *r, const struct product *q, struct parameters *p, bool keep)
{
    allocate *alloc = keep ? ox_state_alloc : ox_scratch_array;
    size_t columns = ox_igemm_columns(&q->gemm), all;
    ox_igemm_ep ep = { .out = OX_IOUT_I32 };
    int32_t zero_a = 0;
    p->packed = q->p.packed;
    if (!p->packed)
        OX_TRY(pack_b(r, q, p, keep));
    OX_TRY(zeros(r, q, &ep, &zero_a, alloc));
    if (is_qlinear(r))
        OX_TRY(scales(r, q, &ep, alloc));
    if (!ox_mul_size(&all, columns, q->n_b))
        return OX_NO_MEMORY(r);
    int32_t *col = alloc(r, all, sizeof(*col));
    p->ep = alloc(r, q->n_b, sizeof(*p->ep));
    if (!col || !p->ep)
        return OX_NO_MEMORY(r);
    for (size_t i = 0; i < q->n_b; i++, col += columns) {
        ox_igemm_col(&q->gemm, (const char *)p->packed + i * q->pack, NULL, zero_a, &ep, col);
        p->ep[i] = ep;
        p->ep[i].col = col;
    }
    return OX_OK;
}

static ox_code run_fast(ox_run *r)
{
    struct product *q = r->state;
    struct parameters own, *p = q->ready ? &q->p : &own;
    if (!q->ready)
        OX_TRY(read_parameters(r, q, p, false));
    ox_igemm_args args = { .a = r->in[0]->data,
                           .m = q->m,
                           .lda = q->gemm.k,
                           .ldc = q->gemm.n,
                           .batch = q->batch,
                           .at_a = q->at_a,
                           .packed = p->packed,
                           .at_packed = q->at_packed,
                           .ep = p->ep,
                           .c = r->out[0]->data };
    if (ox_igemm_flips(&q->gemm, q->a_signed)) {
        size_t n = (size_t)ox_count(r->in[0]);
        uint8_t *flipped = ox_scratch(r, OX_MAX(n, 1));
        if (!flipped)
            return OX_NO_MEMORY(r);
        ox_igemm_flip(n, args.a, flipped, r->pool);
        args.a = flipped;
    }
    if (q->n_b > 1) {
        ox_igemm_ep *each = ox_scratch_array(r, q->batch, sizeof(*each));
        if (!each)
            return OX_NO_MEMORY(r);
        for (size_t i = 0; i < q->batch; i++)
            each[i] = p->ep[q->which[i]];
        args.ep = each;
        args.eps = true;
    }
    ox_igemm_run(&q->gemm, &args, r->pool);
    return OX_OK;
}

/* ---- MatMulInteger ---- */
static ox_code infer_integer(ox_run *r)
{
    r->out[0]->dtype = OX_I32;
    return ox_matrix_infer(r, 0, 1);
}

struct row_job {
    const ox_run *r;
    const ox_matrix *s;
    const int32_t *a, *b; /* zero points taken off */
    int32_t *y;
};

static void row(void *ctx, int64_t block, int worker)
{
    const struct row_job *j = ctx;
    const ox_matrix *s = j->s;
    int64_t batch = block / s->m, i = block % s->m;
    const int32_t *a = j->a + s->at_a[batch] + i * s->k, *b = j->b + s->at_b[batch];
    int32_t *y = j->y + block * s->n;
    (void)worker;
    memset(y, 0, (size_t)s->n * sizeof(*y));
    for (int64_t p = 0; p < s->k; p++) {
        uint32_t v = (uint32_t)a[p];
        for (int64_t c = 0; v && c < s->n; c++)
            y[c] = (int32_t)((uint32_t)y[c] + v * (uint32_t)b[p * s->n + c]);
    }
}

static ox_code products(ox_run *r, const ox_matrix *s, int a, int za, int b, int zb, int32_t *y)
{
    struct row_job j = { r, s, NULL, NULL, y };
    OX_TRY(ox_matrix_centred(r, s, a, za, false, &j.a));
    OX_TRY(ox_matrix_centred(r, s, b, zb, true, &j.b));
    ox_parallel(r, s->batch * s->m, row, &j);
    return OX_OK;
}

static ox_code prepare(ox_run *r)
{
    struct product *q = r->state;
    OX_TRY(prepare_product(r));
    int b = slot(r, B);
    if (q->fast && (r->in_const >> b & 1) && r->in[b]->data)
        OX_TRY(pack_b(r, q, &q->p, true));
    return q->fast && q->ready ? read_parameters(r, q, &q->p, true) : OX_OK;
}

static ox_code run_integer(ox_run *r)
{
    const struct product *q = r->state;
    return q->fast ? run_fast(r) : products(r, &q->s, 0, 2, 1, 3, r->out[0]->data);
}

/* ---- QLinearMatMul ---- */
static ox_code infer_qlinear(ox_run *r)
{
    const ox_tensor *y = input(r, 9) ? r->in[9] : input(r, 7);
    if (!y || !input(r, 7))
        return OX_FAIL(r->err, OX_E_TYPE, "y_zero_point is missing");
    r->out[0]->dtype = ox_attr_given(r, "onnxrun_float") ? OX_F32 : y->dtype;
    return ox_matrix_infer(r, 0, 3);
}

/* Operand i as double, less its zero points z; those of float8 are zero by their specification. */
static ox_code operand(ox_run *r, const ox_matrix *s, int i, int z, bool is_b, const double **out)
{
    int64_t n;
    if (!ox_is_int(r->in[i]->dtype)) {
        *out = ox_in_f64s(r, i, &n);
        return *out ? OX_OK : OX_NO_MEMORY(r);
    }
    const int32_t *v;
    OX_TRY(ox_matrix_centred(r, s, i, z, is_b, &v));
    n = ox_count(r->in[i]);
    double *y = ox_scratch_array(r, (size_t)OX_MAX(n, 1), sizeof(*y));
    if (!y)
        return OX_NO_MEMORY(r);
    for (int64_t k = 0; k < n; k++)
        y[k] = v[k];
    *out = y;
    return OX_OK;
}

/* Sums in double, where an operand is float8. */
static ox_code products_f8(ox_run *r, const ox_matrix *s, double *y)
{
    const double *a, *b;
    OX_TRY(operand(r, s, 0, 2, false, &a));
    OX_TRY(operand(r, s, 3, 5, true, &b));
    for (int64_t block = 0; block < s->batch * s->m; block++)
        for (int64_t c = 0; c < s->n; c++) {
            const double *x = a + s->at_a[block / s->m] + block % s->m * s->k,
                         *w = b + s->at_b[block / s->m];
            double sum = 0;
            for (int64_t p = 0; p < s->k; p++)
                sum += x[p] * w[p * s->n + c];
            y[block * s->n + c] = sum;
        }
    return OX_OK;
}

static ox_code run_qlinear(ox_run *r)
{
    const struct product *q = r->state;
    const ox_matrix *s = &q->s;
    if (q->fast)
        return run_fast(r);
    if (input(r, 8) || input(r, 9) || ox_attr_given(r, "onnxrun_float") ||
        ox_attr_given(r, "onnxrun_activation"))
        return OX_FAIL(r->err, OX_E_UNSUPPORTED,
                       "a fused product needs scales of tensors or columns");
    int64_t count = s->batch * s->m * s->n, n_a, n_b, n_y, n_z;
    double *y = ox_scratch_array(r, (size_t)count, sizeof(*y));
    const double *sa = ox_in_f64s(r, 1, &n_a), *sb = ox_in_f64s(r, 4, &n_b),
                 *sy = ox_in_f64s(r, 6, &n_y);
    const double *zy = ox_in_f64s(r, 7, &n_z);
    if (!y || !sa || !sb || !sy || !zy)
        return OX_NO_MEMORY(r);
    if (!ox_matrix_fits(s, n_a, false) || !ox_matrix_fits(s, n_b, true) ||
        !ox_matrix_fits(s, n_y, false) || (n_z != 1 && n_z != n_y))
        return OX_FAIL(r->err, OX_E_SHAPE,
                       "scales have %lld, %lld and %lld elements for a product of %lldx%lld",
                       (long long)n_a, (long long)n_b, (long long)n_y, (long long)s->m,
                       (long long)s->n);
    if (ox_is_int(r->in[0]->dtype) && ox_is_int(r->in[3]->dtype)) {
        int32_t *sum = ox_scratch_array(r, (size_t)count, sizeof(*sum));
        if (!sum)
            return OX_NO_MEMORY(r);
        OX_TRY(products(r, s, 0, 2, 3, 5, sum));
        for (int64_t i = 0; i < count; i++)
            y[i] = sum[i];
    } else {
        OX_TRY(products_f8(r, s, y));
    }
    bool integer = ox_is_int(r->out[0]->dtype);
    double low = r->out[0]->dtype == OX_I8 ? -128 : 0, high = r->out[0]->dtype == OX_I8 ? 127 : 255;
    for (int64_t i = 0; i < count; i++) {
        int64_t row_at = i / s->n, col = i % s->n;
        double a = sa[ox_matrix_row(s, n_a, row_at)], b = sb[ox_matrix_column(s, n_b, row_at, col)];
        double out = sy[ox_matrix_row(s, n_y, row_at)], zero = zy[ox_matrix_row(s, n_z, row_at)];
        double v = (double)(float)((float)(y[i] * (double)(float)(a * b)) / (float)out);
        y[i] = integer ? fmin(fmax(nearbyint(v) + zero, low), high) : v + zero;
    }
    ox_from_f64(r->out[0]->data, y, r->out[0]->dtype, (size_t)count);
    return OX_OK;
}

static int64_t flops(const ox_run *r)
{
    const ox_matrix *s = &((const struct product *)r->state)->s;
    return 2 * s->batch * s->m * s->n * s->k;
}

OX_OP(MatMulInteger, 10).infer = infer_integer, .prepare = prepare, .run_any = run_integer,
                     .key = OX_KEY_NONE, .state_size = sizeof(struct product),
                     .error = { ERR_EXACT, 0 }, .flops = flops OX_END;
OX_OP(QLinearMatMul, 10).infer = infer_qlinear, .prepare = prepare, .run_any = run_qlinear,
                     .key = OX_KEY_NONE, .state_size = sizeof(struct product),
                     .error = { ERR_EXACT, 0 }, .flops = flops OX_END;
