/* MatMulInteger and QLinearMatMul: products of 8-bit matrices, numpy's matmul shapes.
 *
 * Operands become int32 less their zero points (per tensor, per row of A, per column of B) and are summed in
 * int32, which ONNX lets overflow only beyond 32 bits.  QLinearMatMul rescales in float and rounds half to
 * even; its float8 operands are summed in float. */
#include "kernels/quant/matrix.h"

#include <math.h>
#include <string.h>

static ox_code infer_integer(ox_run *r)
{
    r->out[0]->dtype = OX_I32;
    return ox_matrix_infer(r, 0, 1);
}

struct row_job {
    const ox_run    *r;
    const ox_matrix *s;
    const int32_t   *a, *b; /* zero points taken off */
    int32_t         *y;
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

static ox_code prepare_integer(ox_run *r) { return ox_matrix_prepare(r, r->state, 0, 1); }

static ox_code run_integer(ox_run *r)
{
    return products(r, r->state, 0, 2, 1, 3, r->out[0]->data);
}

/* ---- QLinearMatMul ---- */
static ox_code infer_qlinear(ox_run *r)
{
    r->out[0]->dtype = r->in[7]->dtype;
    return ox_matrix_infer(r, 0, 3);
}

static ox_code prepare_qlinear(ox_run *r) { return ox_matrix_prepare(r, r->state, 0, 3); }

/* Sums of float8 operands, in float; zero points of float8 are zero by their specification. */
static ox_code products_f8(ox_run *r, const ox_matrix *s, double *y)
{
    int64_t n;
    const double *a = ox_in_f64s(r, 0, &n), *b = ox_in_f64s(r, 3, &n);
    if (!a || !b)
        return OX_NO_MEMORY(r);
    for (int64_t block = 0; block < s->batch * s->m; block++)
        for (int64_t c = 0; c < s->n; c++) {
            const double *x = a + s->at_a[block / s->m] + block % s->m * s->k, *w = b + s->at_b[block / s->m];
            double sum = 0;
            for (int64_t p = 0; p < s->k; p++)
                sum += x[p] * w[p * s->n + c];
            y[block * s->n + c] = sum;
        }
    return OX_OK;
}

static ox_code run_qlinear(ox_run *r)
{
    const ox_matrix *s = r->state;
    int64_t count = s->batch * s->m * s->n, n_a, n_b, n_y, n_z;
    double *y = ox_scratch_array(r, (size_t)count, sizeof(*y));
    const double *sa = ox_in_f64s(r, 1, &n_a), *sb = ox_in_f64s(r, 4, &n_b), *sy = ox_in_f64s(r, 6, &n_y);
    const double *zy = ox_in_f64s(r, 7, &n_z);
    if (!y || !sa || !sb || !sy || !zy)
        return OX_NO_MEMORY(r);
    if (!ox_matrix_fits(s, n_a, false) || !ox_matrix_fits(s, n_b, true) || !ox_matrix_fits(s, n_y, false) ||
        (n_z != 1 && n_z != n_y))
        return OX_FAIL(r->err, OX_E_SHAPE, "scales have %lld, %lld and %lld elements for a product of %lldx%lld",
                       (long long)n_a, (long long)n_b, (long long)n_y, (long long)s->m, (long long)s->n);
    if (ox_is_int(r->in[0]->dtype)) {
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
    const ox_matrix *s = r->state;
    return 2 * s->batch * s->m * s->n * s->k;
}

OX_OP(MatMulInteger, 10) .infer = infer_integer, .prepare = prepare_integer, .run_any = run_integer,
    .key = OX_KEY_NONE, .state_size = sizeof(ox_matrix), .error = { ERR_EXACT, 0 }, .flops = flops OX_END;
OX_OP(QLinearMatMul, 10) .infer = infer_qlinear, .prepare = prepare_qlinear, .run_any = run_qlinear,
    .key = OX_KEY_NONE, .state_size = sizeof(ox_matrix), .error = { ERR_EXACT, 0 }, .flops = flops OX_END;
