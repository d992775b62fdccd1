/* LpNormalization: each run of values along `axis` divided by its L1 or L2 norm; a run of zeros stays. */
#ifdef T /* ---- once per dtype: see runtime/tensor/each_dtype.h ---- */

/* Runs along the last dimension: LANES sums side by side, and one division a run where the type leaves room. */
static void FN(row)(const struct lp_norm *s, const T *x, T *y)
{
    enum { LANES = 8 };
    A lane[LANES] = { 0 }, norm = 0;
    int64_t k = 0;
    for (; k + LANES <= s->n; k += LANES)
        for (int l = 0; l < LANES; l++) {
            A v = (A)x[k + l];
            lane[l] += s->p == 1 ? fabs(v) : v * v;
        }
    for (; k < s->n; k++)
        lane[0] += s->p == 1 ? fabs((A)x[k]) : (A)x[k] * (A)x[k];
    for (int l = 0; l < LANES; l++)
        norm += lane[l];
    norm = s->p == 1 ? norm : sqrt(norm);
    A inverse = norm == 0 ? 0 : 1 / norm;
    bool exact = sizeof(T) == sizeof(A) || inverse == 0 || inverse > (A)1e300;
    for (k = 0; k < s->n && !exact; k++)
        y[k] = (T)((A)x[k] * inverse);
    for (k = 0; k < s->n && exact; k++)
        y[k] = norm == 0 ? 0 : (T)((A)x[k] / norm);
}

static void FN(slice)(void *ctx, int64_t outer, int worker)
{
    const ox_run *r = ctx;
    const struct lp_norm *s = r->state;
    const T *x = (const T *)r->in[0]->data + outer * s->n * s->inner;
    T *y = (T *)r->out[0]->data + outer * s->n * s->inner;
    (void)worker;
    if (s->inner == 1) {
        FN(row)(s, x, y);
        return;
    }
    for (int64_t first = 0; first < s->inner; first += CHUNK) {
        int64_t width = OX_MIN(CHUNK, s->inner - first);
        A norm[CHUNK] = { 0 };
        for (int64_t k = 0; k < s->n; k++)
            for (int64_t i = 0; i < width; i++) {
                A v = (A)x[k * s->inner + first + i];
                norm[i] += s->p == 1 ? fabs(v) : v * v;
            }
        for (int64_t i = 0; i < width; i++)
            norm[i] = s->p == 1 ? norm[i] : sqrt(norm[i]);
        for (int64_t k = 0; k < s->n; k++)
            for (int64_t i = 0; i < width; i++)
                y[k * s->inner + first + i] =
                    norm[i] == 0 ? 0 : (T)((A)x[k * s->inner + first + i] / norm[i]);
    }
}

static ox_code FN(run)(ox_run *r)
{
    const struct lp_norm *s = r->state;
    ox_parallel(r, s->outer, FN(slice), r);
    return OX_OK;
}

#else /* ---- once ---- */
#include "runtime/op.h"

#include <math.h>

enum { CHUNK = 256 };

struct lp_norm { int64_t outer, n, inner, p; };

static ox_code prepare(ox_run *r)
{
    struct lp_norm *s = r->state;
    const ox_tensor *x = r->in[0];
    int axis;
    OX_TRY(ox_attr_axis(r, "axis", x->rank, &axis));
    s->p = ox_attr_i64(r, "p");
    if (s->p != 1 && s->p != 2)
        return OX_FAIL(r->err, OX_E_VALUE, "p is %lld, expected 1 or 2", (long long)s->p);
    s->outer = ox_numel(x, 0, axis);
    s->n = x->dim[axis];
    s->inner = ox_numel(x, axis + 1, x->rank);
    return OX_OK;
}

static ox_code oracle(ox_oracle *o)
{
    const struct lp_norm *s = o->r->state;
    for (int64_t i = 0; i < s->outer * s->inner; i++) {
        int64_t at = i / s->inner * s->n * s->inner + i % s->inner;
        double norm = 0;
        for (int64_t k = 0; k < s->n; k++)
            norm += pow(fabs(o->in[0][at + k * s->inner]), (double)s->p);
        norm = pow(norm, 1 / (double)s->p);
        for (int64_t k = 0; k < s->n; k++)
            o->out[0][at + k * s->inner] = norm == 0 ? 0 : o->in[0][at + k * s->inner] / norm;
    }
    return OX_OK;
}

#define TYPES MASK_FLOAT
#define TMPL  "kernels/norm/op_lp_norm.c"
#include "runtime/tensor/each_dtype.h"

OX_OP(LpNormalization, 1) .infer = ox_infer_like, .prepare = prepare, .run = { KERNELS(run, FLOAT) },
    .oracle = oracle, .error = { ERR_SUM, 2 }, .state_size = sizeof(struct lp_norm),
    .flags = OX_SYMBOLIC | OX_INPLACE0 OX_END;
#endif
