/* ArgMax and ArgMin: where along an axis the extreme is.  The first occurrence wins, or with
 * select_last_index the last; NaN is more extreme than every number, as in numpy. */
#ifdef T /* ---- once per dtype ---- */

/* Without branches, for vectors.  LAST: no number beats a NaN, but a later NaN does. */
#if IS_FLOAT
#define FIRST(v, beats, best) (((v) beats (best)) | (((v) != (v)) & ((best) == (best))))
#define LAST(v, beats, best)  (((v) beats##= (best)) | ((v) != (v)))
#define SAME(v, best)         (((v) == (best)) | (((v) != (v)) & ((best) != (best))))
#else
#define FIRST(v, beats, best) ((v) beats (best))
#define LAST(v, beats, best)  ((v) beats##= (best))
#define SAME(v, best)         ((v) == (best))
#endif
/* Indices as wide as the elements keep the vectors of both in step. */
#if BITS == 32
#define INDEX int32_t
#elif BITS == 64
#define INDEX int64_t
#elif BITS == 16
#define INDEX int16_t
#else
#define INDEX int8_t
#endif

/* n neighbouring columns of one [axis, inner] matrix, row by row, in stretches of as many rows as
 * INDEX can count. */
#define COLUMNS_LOOP(take)                                                                         \
    for (int64_t i = 0; i < rows; i++)                                                             \
        for (int64_t j = 0; j < n; j++) {                                                          \
            C v = LD(x + i * a->inner + j);                                                        \
            INDEX better = take ? -1 : 0;                                                          \
            best[j] = better ? v : best[j];                                                        \
            where[j] = (INDEX)((where[j] & ~better) | ((INDEX)i & better));                        \
        }
static void FN(stretch)(const arg *a, const T *x, int64_t rows, int64_t n, C *best, INDEX *where)
{
    switch (a->kind) {
    case MAX_FIRST:
        COLUMNS_LOOP(FIRST(v, >, best[j]))
        break;
    case MAX_LAST:
        COLUMNS_LOOP(LAST(v, >, best[j]))
        break;
    case MIN_FIRST:
        COLUMNS_LOOP(FIRST(v, <, best[j]))
        break;
    default:
        COLUMNS_LOOP(LAST(v, <, best[j]))
        break;
    }
}
#undef COLUMNS_LOOP

static void FN(columns)(const arg *a, const T *x, int64_t *y, int64_t n)
{
    C best[COLUMNS];
    INDEX where[COLUMNS];
    const int64_t most = ((int64_t)1 << (OX_MIN(BITS, 32) - 1)) - 1;
    for (int64_t j = 0; j < n; j++) {
        best[j] = LD(x + j);
        y[j] = 0;
    }
    for (int64_t i = 0; i < a->n; i += most) {
        for (int64_t j = 0; j < n; j++)
            where[j] = -1;
        FN(stretch)(a, x + i * a->inner, OX_MIN(most, a->n - i), n, best, where);
        for (int64_t j = 0; j < n; j++)
            y[j] = where[j] < 0 ? y[j] : i + where[j];
    }
}
#undef INDEX

/* Whether element i replaces element `at` as the one found: more extreme, or as extreme and nearer
 * to the wanted end. */
static bool FN(replaces)(const arg *a, const T *x, int64_t i, int64_t at)
{
    C v = LD(x + i), best = LD(x + at);
    bool first = a->kind == MAX_FIRST || a->kind == MIN_FIRST;
    if (SAME(v, best))
        return first ? i < at : i > at;
    return a->kind == MAX_FIRST || a->kind == MAX_LAST ? FIRST(v, >, best) : FIRST(v, <, best);
}

/* A dense lane: as LANES columns, the best of those, and what is left over. */
static int64_t FN(lane)(const arg *a, const T *x)
{
    int64_t where[LANES], at = 0, i = 1;
    if (a->n >= 4 * LANES) {
        arg folded = { .n = a->n / LANES, .inner = LANES, .kind = a->kind };
        FN(columns)(&folded, x, where, LANES);
        at = where[0] * LANES;
        for (int64_t j = 1; j < LANES; j++)
            if (FN(replaces)(a, x, where[j] * LANES + j, at))
                at = where[j] * LANES + j;
        i = folded.n * LANES;
    }
    for (; i < a->n; i++)
        if (FN(replaces)(a, x, i, at))
            at = i;
    return at;
}
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

enum { COLUMNS = 128, LANES = 32, BLOCK = 1 << 14 /* elements a parallel block reads at least */ };
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
