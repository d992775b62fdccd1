/* Operators that fusion makes of quantised graphs (runtime/opt/qdq.c); no model has them.
 *
 * QTable(x, table): y = table[x], 256 elements for the bit patterns of an 8-bit x, of y's type.
 * QAdd, QMul(a, a_scale, a_zero, b, b_scale, b_zero, y_scale, y_zero, table?): numbers of 8 bits,
 * numpy's broadcasting; b may be float32 instead (its scale and zero point absent).  Computed in
 * float32, rounded half to even; table as above replaces the results. */
#include "kernels/quant/quant.h"
#include "runtime/op.h"

static bool is_8bit(const ox_tensor *t)
{
    return t && (t->dtype == OX_I8 || t->dtype == OX_U8);
}
static const ox_tensor *input(const ox_run *r, int i)
{
    return i < r->n_in ? r->in[i] : NULL;
}

static ox_code check_table(ox_run *r, int i)
{
    const ox_tensor *t = input(r, i);
    if (t && (!is_8bit(t) || ox_count(t) != 256 || !t->data))
        return OX_FAIL(r->err, OX_E_SHAPE, "input %d is no table of 256 bytes", i);
    return OX_OK;
}

/* ---- QTable ---- */

enum { BLOCK = 1 << 14 };
struct look {
    const uint8_t *x, *table;
    uint8_t *y;
    size_t n;
    ox_uk_lookup *fn;
};

static void look_block(void *ctx, int64_t block, int worker)
{
    const struct look *j = ctx;
    size_t at = (size_t)block * BLOCK;
    (void)worker;
    j->fn(OX_MIN((size_t)BLOCK, j->n - at), j->x + at, j->y + at, j->table);
}

static ox_code infer_table(ox_run *r)
{
    if (r->n_in < 2 || !is_8bit(r->in[0]) || !is_8bit(r->in[1]))
        return OX_FAIL(r->err, OX_E_TYPE, "QTable takes 8-bit inputs");
    r->out[0]->dtype = r->in[1]->dtype;
    return ox_infer_like(r);
}

static ox_code run_table(ox_run *r)
{
    size_t n = (size_t)ox_count(r->in[0]);
    OX_TRY(check_table(r, 1));
    struct look j = { r->in[0]->data, r->in[1]->data, r->out[0]->data, n, ox_quant_pick().lookup };
    ox_parallel(r, (int64_t)((n + BLOCK - 1) / BLOCK), look_block, &j);
    return OX_OK;
}

/* ---- QAdd, QMul ---- */

enum { A, A_SCALE, A_ZERO, B, B_SCALE, B_ZERO, Y_SCALE, Y_ZERO, TABLE };
struct pair {
    ox_qpair p;
    ox_uk_qpair *fn;
    ox_uk_qpair_f32 *fn_f32;
    ox_uk_lookup *lookup;
    const uint8_t *table;
    float factor; /* of float operands */
};

static ox_code infer_pair(ox_run *r)
{
    const ox_tensor *b = input(r, B), *t = input(r, TABLE);
    if (r->n_in <= Y_ZERO || !is_8bit(r->in[A]) || !is_8bit(r->in[Y_ZERO]) || !b ||
        (!is_8bit(b) && b->dtype != OX_F32) || (t && !is_8bit(t)))
        return OX_FAIL(r->err, OX_E_TYPE, "%s takes 8-bit inputs", r->op->name);
    int rank = r->in[A]->rank;
    int64_t dim[OX_MAX_RANK];
    for (int i = 0; i < rank; i++)
        dim[i] = r->in[A]->dim[i];
    OX_TRY(ox_broadcast(r, &rank, dim, b->rank, b->dim));
    r->out[0]->dtype = t ? t->dtype : r->in[Y_ZERO]->dtype;
    ox_out_shape(r, 0, rank, dim);
    return OX_OK;
}

static ox_code read_q8(ox_run *r, int scale, int zero, ox_dtype type, ox_q8 *q)
{
    int64_t n_s, n_z = 1;
    const double *s = ox_in_f64s(r, scale, &n_s);
    const int64_t *z = input(r, zero) ? ox_in_i64s(r, zero, &n_z) : NULL;
    if (n_s != 1 || n_z != 1 || !s)
        return OX_FAIL(r->err, OX_E_SHAPE, "inputs %d and %d are no scale and zero point", scale,
                       zero);
    *q = (ox_q8){ (float)s[0], (z ? (int32_t)z[0] : 0) + (type == OX_I8 ? 128 : 0),
                  type == OX_I8 ? 0x80 : 0 };
    return OX_OK;
}

static void loop(size_t n, const void *x, int sx, const void *y, int sy, void *z,
                 const void *params)
{
    const struct pair *s = params;
    s->fn(n, x, (size_t)sx, y, (size_t)sy, z, &s->p);
    if (s->table)
        s->lookup(n, z, z, s->table);
}

static void loop_f32(size_t n, const void *x, int sx, const void *y, int sy, void *z,
                     const void *params)
{
    enum { STEP = 256 };
    const struct pair *s = params;
    const uint8_t *a = x;
    const float *b = y;
    uint8_t *to = z;
    for (size_t at = 0; at < n; at += STEP) {
        float scaled[STEP];
        size_t m = OX_MIN(n - at, (size_t)STEP), m_b = sy ? m : 1;
        for (size_t i = 0; i < m_b; i++)
            scaled[i] = b[(sy ? at : 0) + i] * s->factor;
        s->fn_f32(m, a + (sx ? at : 0), (size_t)sx, scaled, (size_t)sy, to + at, &s->p);
    }
    if (s->table)
        s->lookup(n, z, z, s->table);
}

static ox_code run_pair(ox_run *r)
{
    ox_quant_kernels k = ox_quant_pick();
    bool mul = r->op->name[1] == 'M';
    const ox_tensor *b = r->in[B];
    struct pair s = { .fn = mul ? k.mul : k.add,
                      .fn_f32 = mul ? k.mul_f32 : k.add_f32,
                      .lookup = k.lookup,
                      .factor = 1 };
    OX_TRY(check_table(r, TABLE));
    s.table = input(r, TABLE) ? r->in[TABLE]->data : NULL;
    OX_TRY(read_q8(r, A_SCALE, A_ZERO, r->in[A]->dtype, &s.p.a));
    OX_TRY(read_q8(r, Y_SCALE, Y_ZERO, r->in[Y_ZERO]->dtype, &s.p.y));
    s.p.a.scale /= s.p.y.scale;
    if (b->dtype == OX_F32) {
        s.factor = mul ? 1 : 1 / s.p.y.scale;
        return ox_map2_of(r, r->in[A], b, r->out[0], loop_f32, &s);
    }
    OX_TRY(read_q8(r, B_SCALE, B_ZERO, b->dtype, &s.p.b));
    if (!mul)
        s.p.b.scale /= s.p.y.scale;
    return ox_map2_of(r, r->in[A], b, r->out[0], loop, &s);
}

OX_OP(QTable, 1).domain = "onnxrun", .infer = infer_table, .run_any = run_table, .key = OX_KEY_NONE,
              .error = { ERR_EXACT, 0 }, .flags = OX_SYMBOLIC | OX_INPLACE0 OX_END;
OX_OP(QAdd, 1).domain = "onnxrun", .infer = infer_pair, .run_any = run_pair, .key = OX_KEY_NONE,
            .error = { ERR_EXACT, 0 }, .flags = OX_SYMBOLIC OX_END;
OX_OP(QMul, 1).domain = "onnxrun", .infer = infer_pair, .run_any = run_pair, .key = OX_KEY_NONE,
            .error = { ERR_EXACT, 0 }, .flags = OX_SYMBOLIC OX_END;
