/* CumSum and CumProd along one axis: inclusive or exclusive, forwards or in reverse.  Float totals
 * are kept in double and rounded at every element. */
#ifdef T /* ---- once per dtype ---- */

/* Columns [at, at + n) of one [axis, inner] matrix; they are independent, which the inner loops
 * use. */
#define CUMULATE(name, one, op)                                                                    \
    static void FN(name##_columns)(const cum *c, const T *x, T *y, int64_t n)                      \
    {                                                                                              \
        A total[COLUMNS];                                                                          \
        if (n == 1 && !c->exclusive && !c->reverse) { /* the usual one stays in a register */      \
            A all = one;                                                                           \
            for (int64_t i = 0, j = 0, at = 0; i < c->n; i++, at += c->inner) {                    \
                total[j] = all;                                                                    \
                all = (A)(op);                                                                     \
                ST(y + at, (C)all);                                                                \
            }                                                                                      \
            return;                                                                                \
        }                                                                                          \
        for (int64_t j = 0; j < n; j++)                                                            \
            total[j] = one;                                                                        \
        for (int64_t i = 0; i < c->n; i++) {                                                       \
            int64_t at = (c->reverse ? c->n - 1 - i : i) * c->inner;                               \
            if (c->exclusive)                                                                      \
                for (int64_t j = 0; j < n; j++)                                                    \
                    ST(y + at + j, (C)total[j]);                                                   \
            for (int64_t j = 0; j < n && c->exclusive; j++)                                        \
                total[j] = (A)(op);                                                                \
            for (int64_t j = 0; j < n && !c->exclusive; j++) {                                     \
                A all = (A)(op);                                                                   \
                total[j] = all;                                                                    \
                ST(y + at + j, (C)all);                                                            \
            }                                                                                      \
        }                                                                                          \
    }
#if IS_FLOAT
CUMULATE(sum, 0, total[j] + (A)LD(x + at + j))
CUMULATE(prod, 1, total[j] * (A)LD(x + at + j))
#else
CUMULATE(sum, 0, (uint64_t)total[j] + (uint64_t)LD(x + at + j))
CUMULATE(prod, 1, (uint64_t)total[j] * (uint64_t)LD(x + at + j))
#endif
#undef CUMULATE

static void FN(block)(void *ctx, int64_t block, int worker)
{
    const cum *c = ctx;
    int64_t end = OX_MIN((block + 1) * c->units, c->n_units);
    (void)worker;
    for (int64_t u = block * c->units; u < end; u++) {
        int64_t at = u / c->n_cut * c->n * c->inner + u % c->n_cut * COLUMNS;
        int64_t n = OX_MIN(COLUMNS, c->inner - u % c->n_cut * COLUMNS);
        (c->product ? FN(prod_columns) : FN(sum_columns))(c, (const T *)c->x + at, (T *)c->y + at,
                                                          n);
    }
}

static ox_code FN(run)(ox_run *r)
{
    cum c;
    OX_TRY(get_cum(r, &c));
    ox_parallel(r, (c.n_units + c.units - 1) / c.units, FN(block), &c);
    return OX_OK;
}

#else /* ---- once ---- */
#include "runtime/op.h"

#include <math.h>
#include <string.h>

enum { COLUMNS = 128, BLOCK = 1 << 13 /* elements a parallel block does at least */ };

typedef struct cum {
    const void *x;
    void       *y;
    int64_t     outer, n, inner, n_cut, n_units, units; /* a unit is up to COLUMNS of inner */
    bool        exclusive, reverse, product;
} cum;

static ox_code get_cum(const ox_run *r, cum *c)
{
    const ox_tensor *x = r->in[0], *a = r->in[1];
    int axis;
    if (ox_count(a) != 1)
        return OX_FAIL(r->err, OX_E_SHAPE, "axis has %lld elements, expected 1",
                       (long long)ox_count(a));
    OX_TRY(ox_axis(r, ox_get_i64(a, 0), x->rank, &axis));
    int64_t inner = ox_numel(x, axis + 1, x->rank);
    *c = (cum){
        .x = x->data,
        .y = r->out[0]->data,
        .outer = ox_numel(x, 0, axis),
        .n = x->dim[axis],
        .inner = inner,
        .n_cut = (inner + COLUMNS - 1) / COLUMNS,
        .exclusive = ox_attr_i64(r, "exclusive") != 0,
        .reverse = ox_attr_i64(r, "reverse") != 0,
        .product = strcmp(r->op->name, "CumProd") == 0,
    };
    c->n_units = c->outer * c->n_cut;
    c->units = BLOCK / OX_MAX(c->n * OX_MIN(inner, COLUMNS), 1) + 1;
    return OX_OK;
}

/* The definition: each element from its own, fresh sum or product, in long double.  The permitted
 * error grows with what is summed, and with the number of factors where double itself is the type.
 */
static ox_code oracle(ox_oracle *o)
{
    cum c;
    OX_TRY(get_cum(o->r, &c));
    double per_factor = o->r->out[0]->dtype == OX_F64 ? 1 : 0x1p-29;
    for (int64_t lane = 0; lane < c.outer * c.inner; lane++) {
        int64_t base = lane / c.inner * c.n * c.inner + lane % c.inner;
        long double total = c.product, absolute = 0;
        for (int64_t i = 0; i < c.n; i++) {
            int64_t at = base + (c.reverse ? c.n - 1 - i : i) * c.inner;
            long double before = total, before_absolute = absolute;
            total = c.product ? total * o->in[0][at] : total + o->in[0][at];
            absolute += fabs(o->in[0][at]);
            o->out[0][at] = (double)(c.exclusive ? before : total);
            o->mag[0][at] = c.product ? fabs(o->out[0][at]) * (1 + (double)i * per_factor)
                                      : (double)(c.exclusive ? before_absolute : absolute);
        }
    }
    return OX_OK;
}

#define TYPES (MASK_FLOAT | M_I32 | M_I64 | M_U32 | M_U64)
#define TMPL  "kernels/reduce/op_cum.c"
#include "runtime/tensor/each_dtype.h"

#define RUNS                                                                                       \
    {                                                                                              \
        [OX_F32] = run_f32, [OX_F64] = run_f64, [OX_I32] = run_i32, [OX_I64] = run_i64,            \
        [OX_U32] = run_u32, [OX_U64] = run_u64                                                     \
    }
OX_OP(CumSum, 11) .infer = ox_infer_like, .run = RUNS, .oracle = oracle, .error = { ERR_SUM, 4 },
    .flags = OX_SYMBOLIC OX_END;
OX_OP(CumProd, 26) .infer = ox_infer_like, .run = RUNS, .oracle = oracle, .error = { ERR_SUM, 4 },
    .flags = OX_SYMBOLIC OX_END;
#endif
