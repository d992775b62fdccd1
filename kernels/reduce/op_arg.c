/* ArgMax and ArgMin: where along an axis the extreme is.  The first occurrence wins, or with
 * select_last_index the last; NaN is more extreme than every number, as in numpy. */
#ifdef T /* ---- once per dtype ---- */

#if IS_FLOAT
#define FIRST(v, beats, best) ((v) beats (best) || ((v) != (v) && (best) == (best)))
#define LAST(v, beats, best)  ((v) beats##= (best) || (v) != (v)) /* no number beats a NaN */
#define SAME(v, best)         ((v) == (best) || ((v) != (v) && (best) != (best)))
#else
#define FIRST(v, beats, best) ((v) beats (best))
#define LAST(v, beats, best)  ((v) beats##= (best))
#define SAME(v, best)         ((v) == (best))
#endif

/* n neighbouring columns of one [axis, inner] matrix, row by row: the loops over columns vectorise.
 */
#define COLUMNS_LOOP(take)                                                                         \
    for (int64_t i = 1; i < a->n; i++)                                                             \
        for (int64_t j = 0; j < n; j++) {                                                          \
            C v = LD(x + i * a->inner + j);                                                        \
            bool better = take;                                                                    \
            best[j] = better ? v : best[j];                                                        \
            y[j] = better ? i : y[j];                                                              \
        }
static void FN(columns)(const arg *a, const T *x, int64_t *y, int64_t n)
{
    C best[COLUMNS];
    for (int64_t j = 0; j < n; j++) {
        best[j] = LD(x + j);
        y[j] = 0;
    }
    switch (a->kind) {
    case MAX_FIRST: COLUMNS_LOOP(FIRST(v, >, best[j])) break;
    case MAX_LAST: COLUMNS_LOOP(LAST(v, >, best[j])) break;
    case MIN_FIRST: COLUMNS_LOOP(FIRST(v, <, best[j])) break;
    default: COLUMNS_LOOP(LAST(v, <, best[j])) break;
    }
}
#undef COLUMNS_LOOP

/* A dense lane: the extreme value by LANES independent maxima, then where it is. */
#define EXTREME(beats)                                                                             \
    for (; i + LANES <= a->n; i += LANES)                                                          \
        for (int64_t j = 0; j < LANES; j++) {                                                      \
            C v = LD(x + i + j);                                                                   \
            best[j] = FIRST(v, beats, best[j]) ? v : best[j];                                      \
        }                                                                                          \
    for (int64_t j = 0; j < LANES; j++)                                                            \
        most = FIRST(best[j], beats, most) ? best[j] : most;                                       \
    for (; i < a->n; i++)                                                                          \
        most = FIRST(LD(x + i), beats, most) ? LD(x + i) : most;
static int64_t FN(lane)(const arg *a, const T *x)
{
    C best[LANES], most = LD(x);
    int64_t i = 0;
    for (int64_t j = 0; j < LANES; j++)
        best[j] = most;
    if (a->kind == MAX_FIRST || a->kind == MAX_LAST) {
        EXTREME(>)
    } else {
        EXTREME(<)
    }
    if (a->kind == MAX_FIRST || a->kind == MIN_FIRST)
        for (i = 0; i < a->n - 1 && !SAME(LD(x + i), most); i++)
            ;
    else
        for (i = a->n - 1; i > 0 && !SAME(LD(x + i), most); i--)
            ;
    return i;
}
#undef EXTREME
#undef FIRST
#undef LAST
#undef SAME

static void FN(block)(void *ctx, int64_t block, int worker)
{
    const arg *a = ctx;
    int64_t end = OX_MIN((block + 1) * a->units, a->n_units);
    (void)worker;
    for (int64_t u = block * a->units; u < end; u++) {
        int64_t outer = u / a->n_cut, at = u % a->n_cut * COLUMNS;
        const T *x = (const T *)a->x + outer * a->n * a->inner + at;
        if (a->inner == 1)
            a->y[u] = FN(lane)(a, x);
        else
            FN(columns)(a, x, a->y + outer * a->inner + at, OX_MIN(COLUMNS, a->inner - at));
    }
}

static ox_code FN(run)(ox_run *r)
{
    arg a;
    OX_TRY(get_arg(r, &a));
    ox_parallel(r, (a.n_units + a.units - 1) / a.units, FN(block), &a);
    return OX_OK;
}

#else /* ---- once ---- */
#include "runtime/op.h"

#include <string.h>

enum { COLUMNS = 128, LANES = 16, BLOCK = 1 << 14 /* elements a parallel block reads at least */ };
enum { MAX_FIRST, MAX_LAST, MIN_FIRST, MIN_LAST };

/* The input is [outer, n, inner]; a unit is one outer index and up to COLUMNS of inner. */
typedef struct arg {
    const void *x;
    int64_t    *y;
    int64_t     n, inner, n_cut, n_units, units;
    int         kind;
} arg;

static ox_code infer(ox_run *r)
{
    const ox_tensor *x = r->in[0];
    bool keep = ox_attr_i64(r, "keepdims") != 0;
    int axis, rank = 0;
    int64_t dim[OX_MAX_RANK];
    if (x->rank == 0) { /* one element, at index 0 */
        ox_out_shape(r, 0, 0, NULL);
        return OX_OK;
    }
    OX_TRY(ox_attr_axis(r, "axis", x->rank, &axis));
    for (int d = 0; d < x->rank; d++)
        if (d != axis || keep)
            dim[rank++] = d == axis ? 1 : x->dim[d];
    ox_out_shape(r, 0, rank, dim);
    return OX_OK;
}

static ox_code get_arg(const ox_run *r, arg *a)
{
    const ox_tensor *x = r->in[0];
    bool max = strcmp(r->op->name, "ArgMax") == 0, last = ox_attr_i64(r, "select_last_index") != 0;
    int axis = 0;
    if (x->rank > 0)
        OX_TRY(ox_attr_axis(r, "axis", x->rank, &axis));
    int64_t n = x->rank ? x->dim[axis] : 1, inner = x->rank ? ox_numel(x, axis + 1, x->rank) : 1;
    if (n == 0)
        return OX_FAIL(r->err, OX_E_SHAPE, "axis %d has no elements", axis);
    *a = (arg){.x = x->data,
               .y = r->out[0]->data,
               .n = n,
               .inner = inner,
               .n_cut = (inner + COLUMNS - 1) / COLUMNS,
               .kind = (max ? MAX_FIRST : MIN_FIRST) + last};
    a->n_units = ox_numel(x, 0, axis) * a->n_cut;
    a->units = BLOCK / (n * OX_MIN(inner, COLUMNS)) + 1;
    return OX_OK;
}

#define TYPES MASK_NUM
#define TMPL  "kernels/reduce/op_arg.c"
#include "runtime/tensor/each_dtype.h"

OX_OP(ArgMax, 1) .infer = infer, .run = { KERNELS(run, NUM) }, .flags = OX_SYMBOLIC,
    .error = { ERR_EXACT, 0 } OX_END;
OX_OP(ArgMin, 1) .infer = infer, .run = { KERNELS(run, NUM) }, .flags = OX_SYMBOLIC,
    .error = { ERR_EXACT, 0 } OX_END;
#endif
