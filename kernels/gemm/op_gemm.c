/* Gemm: Y = alpha * A' * B' + beta * C, C broadcast to (m, n) in one direction (before opset 7 only
 * with the attribute broadcast).  Integers wrap and alpha, beta are applied in double. */
#ifdef T /* ---- once per integer dtype ---- */

static ox_code FN(gemm)(ox_run *r)
{
    const struct gemm *s = r->state;
    const T *a = r->in[0]->data, *b = r->in[1]->data, *c = s->has_c ? r->in[2]->data : NULL;
    T *y = r->out[0]->data;
    for (int64_t i = 0; i < s->m; i++) {
        for (int64_t j = 0; j < s->n; j++) {
            W sum = 0;
            for (int64_t p = 0; p < s->k; p++)
                sum += (W)a[s->trans_a ? p * s->m + i : i * s->k + p] *
                       (W)b[s->trans_b ? j * s->k + p : p * s->n + j];
            W add = c ? (W)c[i * s->step_i + j * s->step_j] : 0;
            if (s->alpha == 1 && (s->beta == 1 || !c))
                y[i * s->n + j] = (T)(sum + add);
            else
                y[i * s->n + j] = (T)(int64_t)(s->alpha * (double)(T)sum + s->beta * (double)(T)add);
        }
    }
    return OX_OK;
}

#else /* ---- once ---- */
#include "kernels/gemm/dense.h"

#include <math.h>
#include <string.h>

struct gemm {
    int64_t  m, n, k;
    bool     trans_a, trans_b, has_c;
    int64_t  step_i, step_j; /* C's strides along m and n; 0 where it is broadcast */
    double   alpha, beta;
    ox_dense dense;
};

static ox_code read_shape(ox_run *r, struct gemm *s)
{
    const ox_tensor *a = r->in[0], *b = r->in[1];
    s->trans_a = ox_attr_i64(r, "transA") != 0;
    s->trans_b = ox_attr_i64(r, "transB") != 0;
    if (a->rank != 2 || b->rank != 2)
        return OX_FAIL(r->err, OX_E_SHAPE, "A has rank %d and B has rank %d, expected 2 and 2", a->rank, b->rank);
    s->m = a->dim[s->trans_a];
    s->k = a->dim[!s->trans_a];
    s->n = b->dim[!s->trans_b];
    int64_t k_b = b->dim[s->trans_b];
    if (s->k >= 0 && k_b >= 0 && s->k != k_b)
        return OX_FAIL(r->err, OX_E_SHAPE, "A' has %lld columns, B' has %lld rows", (long long)s->k,
                       (long long)k_b);
    return OX_OK;
}

/* C against (m, n): strides, or an error that names the shapes. */
static ox_code read_c(ox_run *r, struct gemm *s)
{
    const ox_tensor *c = r->n_in > 2 ? r->in[2] : NULL;
    s->has_c = c != NULL;
    if (!c)
        return OX_OK;
    int64_t rows = c->rank > 1 ? c->dim[c->rank - 2] : 1, columns = c->rank > 0 ? c->dim[c->rank - 1] : 1;
    if (c->rank > 2 || (rows != 1 && rows != s->m) || (columns != 1 && columns != s->n)) {
        char text[160];
        return OX_FAIL(r->err, OX_E_SHAPE, "C has shape %s, which does not broadcast to [%lld,%lld]",
                       ox_shape_text(text, sizeof(text), c), (long long)s->m, (long long)s->n);
    }
    s->step_j = columns == 1 ? 0 : 1;
    s->step_i = rows == 1 ? 0 : columns;
    return OX_OK;
}

static ox_code infer(ox_run *r)
{
    struct gemm s = { 0 };
    OX_TRY(read_shape(r, &s));
    ox_out_shape(r, 0, 2, (int64_t[]){ s.m, s.n });
    return OX_OK;
}

static ox_code prepare(ox_run *r)
{
    struct gemm *s = r->state;
    OX_TRY(read_shape(r, s));
    OX_TRY(read_c(r, s));
    s->alpha = ox_attr_f64(r, "alpha");
    s->beta = ox_attr_f64(r, "beta");
    if (!ox_is_float(r->out[0]->dtype))
        return OX_OK;
    return ox_dense_prepare(r, &s->dense, s->m, s->n, s->k, s->trans_a, s->trans_b);
}

/* beta * C spelt out as (m, n), for the shapes that the epilogue cannot broadcast. */
static void *spell_out(ox_run *r, const struct gemm *s)
{
    size_t count = (size_t)(s->m * s->n), size = ox_dtype_size(r->out[0]->dtype);
    void *full = ox_scratch_array(r, count, size);
    if (!full)
        return NULL;
    for (int64_t i = 0; i < s->m; i++)
        for (int64_t j = 0; j < s->n; j++) {
            int64_t at = i * s->step_i + j * s->step_j;
            if (size == 4)
                ((float *)full)[i * s->n + j] = (float)s->beta * ((const float *)r->in[2]->data)[at];
            else
                ((double *)full)[i * s->n + j] = s->beta * ((const double *)r->in[2]->data)[at];
        }
    return full;
}

static ox_code run_float(ox_run *r)
{
    const struct gemm *s = r->state;
    ox_gemm_args args = { .alpha = s->alpha };
    const ox_tensor *bias = NULL;
    const void *add = NULL;
    bool zero = s->alpha == 0, use_c = s->has_c && s->beta != 0;
    if (use_c && s->beta == 1 && s->step_i == 0 && s->step_j == 1 && !zero)
        bias = r->in[2];
    else if (use_c && !(add = spell_out(r, s)))
        return OX_NO_MEMORY(r);
    if (zero) { /* the driver takes alpha 0 for 1 */
        if (add)
            memcpy(r->out[0]->data, add, ox_bytes(r->out[0]));
        else
            memset(r->out[0]->data, 0, ox_bytes(r->out[0]));
        return OX_OK;
    }
    OX_TRY(ox_dense_epilogue(r, &s->dense, &args, bias, add));
    return ox_dense_run(r, &s->dense, &args, r->in[0]->data, r->in[1]->data, r->out[0]->data);
}

static int64_t flops(const ox_run *r)
{
    const struct gemm *s = r->state;
    return 2 * s->m * s->n * s->k;
}

static ox_code oracle(ox_oracle *o)
{
    const struct gemm *s = o->r->state;
    double *y = o->out[0], *mag = o->mag[0];
    OX_TRY(ox_exact_product(o->r, &(ox_exact){ .m = s->m, .n = s->n, .k = s->k, .trans_a = s->trans_a,
                                               .trans_b = s->trans_b, .a = o->in[0], .b = o->in[1],
                                               .c = y, .mag = mag, .batch = 1 }));
    o->terms = ox_exact_terms((double)s->k);
    for (int64_t i = 0, at = 0; i < s->m; i++)
        for (int64_t j = 0; j < s->n; j++, at++) {
            double c = s->has_c ? s->beta * o->in[2][i * s->step_i + j * s->step_j] : 0;
            y[at] = ox_activate(&s->dense.act, s->alpha * y[at] + c);
            mag[at] = fabs(s->alpha) * mag[at] + fabs(c);
        }
    return OX_OK;
}

#define TYPES (M_I32 | M_I64 | M_U32 | M_U64)
#define TMPL  "kernels/gemm/op_gemm.c"
#include "runtime/tensor/each_dtype.h"

OX_OP(Gemm, 1) .infer = infer, .prepare = prepare,
    .run = { [OX_F32] = run_float, [OX_F64] = run_float, [OX_I32] = gemm_i32, [OX_I64] = gemm_i64,
             [OX_U32] = gemm_u32, [OX_U64] = gemm_u64 },
    .oracle = oracle, .error = { ERR_SUM, 8 }, .state_size = sizeof(struct gemm), .flags = OX_SYMBOLIC | OX_PACKS1,
    .flops = flops OX_END;
#endif
