/* ReduceSum, Mean, Max, Min, Prod, L1, L2, LogSum, LogSumExp, SumSquare.
 *
 * Neighbouring dimensions that are both kept or both reduced are one.  If the innermost is reduced,
 * dense runs are added up into one output; if it is kept, rows are added to a row of outputs. Float
 * totals are double and made in a fixed tree: pieces into parts, parts into the result. */
#ifdef T /* ---- once per dtype ---- */

/* run: n dense elements into one accumulator; rows: element j into accumulator j; join: likewise
 * for accumulators. */
#define REDUCER(name, ACC, zero, term, JOIN)                                                       \
    static void FN(name##_init)(int64_t n, void *vacc)                                             \
    {                                                                                              \
        ACC *acc = vacc;                                                                           \
        for (int64_t j = 0; j < n; j++)                                                            \
            acc[j] = zero;                                                                         \
    }                                                                                              \
    static void FN(name##_rows)(const plan *p, int64_t n, const void *vx, void *vacc)              \
    {                                                                                              \
        const T *x = vx;                                                                           \
        ACC *acc = vacc;                                                                           \
        (void)p;                                                                                   \
        for (int64_t j = 0; j < n; j++) {                                                          \
            ACC v = term(LD(x + j));                                                               \
            acc[j] = JOIN(acc[j], v);                                                              \
        }                                                                                          \
    }                                                                                              \
    static void FN(name##_join)(int64_t n, void *vacc, const void *vother)                         \
    {                                                                                              \
        ACC *acc = vacc;                                                                           \
        const ACC *other = vother;                                                                 \
        for (int64_t j = 0; j < n; j++)                                                            \
            acc[j] = JOIN(acc[j], other[j]);                                                       \
    }                                                                                              \
    static void FN(name##_run)(const plan *p, int64_t n, const void *vx, void *vacc)               \
    {                                                                                              \
        const T *x = vx;                                                                           \
        ACC *acc = vacc, lane[LANES];                                                              \
        int64_t i = 0;                                                                             \
        if (n >= LANES) {                                                                          \
            FN(name##_init)(LANES, lane);                                                          \
            for (; i + LANES <= n; i += LANES)                                                     \
                FN(name##_rows)(p, LANES, x + i, lane);                                            \
            for (int64_t w = LANES / 2; w > 0; w /= 2)                                             \
                FN(name##_join)(w, lane, lane + w);                                                \
            FN(name##_join)(1, acc, lane);                                                         \
        }                                                                                          \
        for (; i < n; i++)                                                                         \
            FN(name##_rows)(p, 1, x + i, acc);                                                     \
    }

#if IS_FLOAT
#if BITS == 64 /* there is no wider type: sums carry what their roundings lose */
#define TOTAL     fine_sum
#define WIDE(v)   ((fine_sum){ (v), 0 })
#define ABS(v)    ((fine_sum){ fabs(v), 0 })
#define SQUARE(v) square_sum(v)
#define PLUS(a, b) add_sum(a, b)
#define REAL(t)   sum_value(t)
#else
#define TOTAL     double
#define WIDE(v)   ((double)(v))
#define ABS(v)    fabs((double)(v))
#define SQUARE(v) ((double)(v) * (double)(v))
#define PLUS(a, b) ((a) + (b))
#define REAL(t)   (t)
#endif
#define FACTOR    double
#define EXTREME   double /* as the micro-kernels have it */
#define LOWEST    ((C)-INFINITY)
#define HIGHEST   ((C)INFINITY)
#define MAX_OF(a, b) ((b) > (a) || (b) != (b) ? (b) : (a)) /* NaN wins and stays */
#define MIN_OF(a, b) ((b) < (a) || (b) != (b) ? (b) : (a))
#else
#define TOTAL     uint64_t
#define FACTOR    uint64_t
#define EXTREME   C
#define WIDE(v)   ((uint64_t)(v))
#define SQUARE(v) ((uint64_t)(v) * (uint64_t)(v))
#define PLUS(a, b) ((a) + (b))
#if IS_SIGNED
#define LOWEST    ((C)((uint64_t)1 << (BITS - 1)))
#define HIGHEST   ((C)(((uint64_t)1 << (BITS - 1)) - 1))
#define ABS(v)    ((v) < 0 ? 0 - (uint64_t)(v) : (uint64_t)(v))
#else
#define LOWEST    0
#define HIGHEST   ((C)~(C)0)
#define ABS(v)    ((uint64_t)(v))
#endif
#define MAX_OF(a, b) ((b) > (a) ? (b) : (a))
#define MIN_OF(a, b) ((b) < (a) ? (b) : (a))
#endif
#define SELF(v)   (v)
#define FACTOR_OF(v) ((FACTOR)(v))
#define TIMES(a, b) ((a) * (b))
#define ONE_EXP(v)  one_exp((double)(v))

REDUCER(max, EXTREME, LOWEST, SELF, MAX_OF)
REDUCER(min, EXTREME, HIGHEST, SELF, MIN_OF)
#if BITS > 16
REDUCER(sum, TOTAL, WIDE(0), WIDE, PLUS)
REDUCER(prod, FACTOR, 1, FACTOR_OF, TIMES)
REDUCER(abs, TOTAL, WIDE(0), ABS, PLUS)
REDUCER(square, TOTAL, WIDE(0), SQUARE, PLUS)
REDUCER(exp, exp_sum, NO_EXP, ONE_EXP, join_exp)
#endif

#define FINISH(name, ACC, expr)                                                                    \
    static void FN(name)(int64_t n, const void *vacc, double count, void *vy)                      \
    {                                                                                              \
        const ACC *acc = vacc;                                                                     \
        T *y = vy;                                                                                 \
        (void)count;                                                                               \
        for (int64_t j = 0; j < n; j++) {                                                          \
            ACC v = acc[j];                                                                        \
            expr;                                                                                  \
        }                                                                                          \
    }
FINISH(as_is, EXTREME, ST(y + j, (C)v))
#if BITS > 16
FINISH(as_factor, FACTOR, ST(y + j, (C)v))
#endif
#if IS_FLOAT
FINISH(as_total, TOTAL, ST(y + j, (C)REAL(v)))
FINISH(mean, TOTAL, ST(y + j, (C)(REAL(v) / count)))
FINISH(root, TOTAL, ST(y + j, (C)sqrt(REAL(v))))
FINISH(logarithm, TOTAL, ST(y + j, (C)log(REAL(v))))
FINISH(log_exp, exp_sum, ST(y + j, (C)log_of(v)))
#elif BITS > 16
/* Real results of integers are cut towards zero; what they give where that overflows is dtype.h's.
 */
#define CUT(value) double real = value; ox_from_f64(y + j, &real, DT, 1)
#if IS_SIGNED
#define AS_INT int64_t
#else
#define AS_INT uint64_t
#endif
FINISH(as_total, uint64_t, ST(y + j, (C)v))
FINISH(mean, uint64_t, ST(y + j, count > 0 ? (C)((AS_INT)v / (AS_INT)count) : 0))
FINISH(root, uint64_t, CUT(sqrt((double)v)))
FINISH(logarithm, uint64_t, CUT(log((double)(AS_INT)v)))
FINISH(log_exp, exp_sum, CUT(log_of(v)))
#undef CUT
#undef AS_INT
#endif

static ox_code FN(reduce)(ox_run *r)
{
#define METHOD(name, ACC, finish)                                                                  \
    {                                                                                              \
        FN(name##_init), FN(name##_run), FN(name##_rows), FN(name##_join), FN(finish),             \
            sizeof(ACC), sizeof(T)                                                                 \
    }
    static const method methods[N_KINDS] = {
        [MAX] = METHOD(max, EXTREME, as_is),
        [MIN] = METHOD(min, EXTREME, as_is),
#if BITS > 16
        [SUM] = METHOD(sum, TOTAL, as_total),
        [MEAN] = METHOD(sum, TOTAL, mean),
        [PROD] = METHOD(prod, FACTOR, as_factor),
        [L1] = METHOD(abs, TOTAL, as_total),
        [L2] = METHOD(square, TOTAL, root),
        [LOG_SUM] = METHOD(sum, TOTAL, logarithm),
        [LOG_SUM_EXP] = METHOD(exp, exp_sum, log_exp),
        [SUM_SQUARE] = METHOD(square, TOTAL, as_total),
#endif
    };
#undef METHOD
#if IS_FLOAT && BITS == 32
    static const method fast_exp = { exp_init_f32,     fast_exp_run,    fast_exp_rows, exp_join_f32,
                                     FN(log_exp), sizeof(exp_sum), sizeof(T) };
    if (((const plan *)r->state)->kind == LOG_SUM_EXP)
        return reduce(r, &fast_exp);
#endif
    return reduce(r, &methods[((const plan *)r->state)->kind]);
}

#undef REDUCER
#undef FINISH
#undef TOTAL
#undef FACTOR
#undef FACTOR_OF
#undef EXTREME
#undef REAL
#undef LOWEST
#undef HIGHEST
#undef ABS
#undef MAX_OF
#undef MIN_OF
#undef SELF
#undef WIDE
#undef SQUARE
#undef PLUS
#undef TIMES
#undef ONE_EXP
#else /* ---- once ---- */
#include "kernels/reduce/exp_sum.h"
#include "kernels/reduce/shape.h"

#include <math.h>
#include <string.h>

enum { LANES = 16 };

/* value + lost: a sum in double and what its roundings lost (Neumaier). */
typedef struct fine_sum {
    double value, lost;
} fine_sum;

static inline fine_sum add_sum(fine_sum a, fine_sum b)
{
    double sum = a.value + b.value, part = sum - a.value;
    double lost = (a.value - (sum - part)) + (b.value - part);
    return (fine_sum){ sum, a.lost + b.lost + lost };
}
static inline fine_sum square_sum(double v) { return (fine_sum){ v * v, fma(v, v, -(v * v)) }; }
/* Infinities have no error: inf - inf would make it NaN. */
static inline double sum_value(fine_sum s)
{
    return isfinite(s.value) ? s.value + s.lost : s.value;
}

typedef struct method {
    void (*init)(int64_t n, void *acc);
    void (*run)(const plan *p, int64_t n, const void *x, void *acc);
    void (*rows)(const plan *p, int64_t n, const void *x, void *acc);
    void (*join)(int64_t n, void *acc, const void *other);
    void (*finish)(int64_t n, const void *acc, double count, void *y);
    size_t acc_size, size;
} method;

static void fast_exp_run(const plan *p, int64_t n, const void *x, void *acc)
{
    ox_exp_run_f32(&p->exp, n, x, acc);
}
static void fast_exp_rows(const plan *p, int64_t n, const void *x, void *acc)
{
    ox_exp_rows_f32(&p->exp, n, x, acc);
}

/* ---- the walk ---- */
typedef struct walk {
    const plan   *p;
    const method *m;
    const char   *x;
    char         *y;
    char         *parts; /* accumulators of all parts, if there are several a unit */
} walk;

/* Where the i-th combination of the dimensions of `d` lies, in elements; index is left there. */
static int64_t seek(const dims *d, int64_t i, int64_t index[OX_MAX_RANK])
{
    int64_t at = 0;
    for (int k = d->rank - 1; k >= 0; k--) {
        index[k] = i % d->dim[k];
        at += index[k] * d->stride[k];
        i /= d->dim[k];
    }
    return at;
}

static int64_t next(const dims *d, int64_t at, int64_t index[OX_MAX_RANK])
{
    for (int k = d->rank - 1; k >= 0; k--) {
        at += d->stride[k];
        if (++index[k] < d->dim[k])
            break;
        index[k] = 0;
        at -= d->dim[k] * d->stride[k];
    }
    return at;
}

/* The float micro-kernels serve where the plan has some; they keep everything in double. */
static void run(const walk *w, int64_t n, const char *x, void *acc)
{
    if (w->p->uk && n >= LANES) {
        double total = w->p->uk->row((size_t)n, (const float *)(const void *)x);
        w->m->join(1, acc, &total);
    } else {
        w->m->run(w->p, n, x, acc);
    }
}

/* Up to `most` rows that are equally far apart; how many. *at and index stay at the last of them.
 */
static int64_t rows(const walk *w, int64_t n, int64_t most, const char *x, void *acc, int64_t *at,
                    int64_t index[OX_MAX_RANK])
{
    const dims *d = &w->p->reduced;
    int last = d->rank - 1;
    int64_t count = last >= 0 ? OX_MIN(most, d->dim[last] - index[last]) : 1;
    int64_t ld = last >= 0 ? d->stride[last] : 0;
    if (w->p->uk) {
        w->p->uk->cols((size_t)count, (size_t)n, (const float *)(const void *)x, (size_t)ld, acc);
    } else {
        for (int64_t k = 0; k < count; k++)
            w->m->rows(w->p, n, x + k * ld * (int64_t)w->m->size, acc);
    }
    if (last >= 0)
        index[last] += count - 1;
    *at += (count - 1) * ld;
    return count;
}

/* Pieces [from, to) of one unit into acc.  A few at a time are added up alone, so that no total
 * grows much larger than what is added to it. */
static void part(const walk *w, int64_t unit, int64_t from, int64_t to, void *acc)
{
    const plan *p = w->p;
    const method *m = w->m;
    int64_t index[OX_MAX_RANK], size = (int64_t)m->size, column = unit % p->n_cut * COLUMNS,
                                filled = 0;
    int64_t n = p->rows ? OX_MIN(COLUMNS, p->n - column) : 1;
    m->init(n, acc);
    if (from == to) /* an empty set */
        return;
    const char *x = w->x + (seek(&p->kept, unit / p->n_cut, index) + column) * size;
    _Alignas(64) char piece[COLUMNS * sizeof(exp_sum)];
    int64_t at = seek(&p->reduced, from / p->n_chunk, index), chunk = from % p->n_chunk;
    m->init(n, piece);
    for (int64_t i = from; i < to; i++) {
        if (p->rows) {
            int64_t count = rows(w, n, OX_MIN(to - i, ROWS), x + at * size, piece, &at, index);
            i += count - 1;
            filled += count * (PIECE / ROWS);
        } else {
            int64_t length = OX_MIN(PIECE, p->n - chunk * PIECE);
            run(w, length, x + (at + chunk * PIECE) * size, piece);
            filled += length;
        }
        if (filled >= PIECE) {
            m->join(n, acc, piece);
            m->init(n, piece);
            filled = 0;
        }
        if (++chunk == p->n_chunk) {
            chunk = 0;
            at = next(&p->reduced, at, index);
        }
    }
    m->join(n, acc, piece);
}

static void finish(const walk *w, int64_t unit, const void *acc)
{
    const plan *p = w->p;
    int64_t column = unit % p->n_cut * COLUMNS, n = p->rows ? OX_MIN(COLUMNS, p->n - column) : 1;
    int64_t to = p->rows ? unit / p->n_cut * p->n + column : unit;
    w->m->finish(n, acc, (double)p->count, w->y + to * (int64_t)w->m->size);
}

/* Units [from, to), COLUMNS at most, that are one run each and lie one behind the other. */
static void short_runs(const walk *w, int64_t from, int64_t to)
{
    const plan *p = w->p;
    const method *m = w->m;
    const char *x = w->x + from * p->n * (int64_t)m->size;
    int64_t n = to - from;
    _Alignas(64) char acc[COLUMNS * sizeof(exp_sum)];
    m->init(n, acc);
    if (p->uk)
        p->uk->runs((size_t)n, (size_t)p->n, (const float *)(const void *)x, (double *)(void *)acc);
    else
        for (int64_t k = 0; k < n; k++)
            m->run(p, p->n, x + k * p->n * (int64_t)m->size, acc + (size_t)k * m->acc_size);
    m->finish(n, acc, (double)p->count, w->y + from * (int64_t)m->size);
}

static void whole_units(void *ctx, int64_t block, int worker)
{
    const walk *w = ctx;
    const plan *p = w->p;
    int64_t end = OX_MIN((block + 1) * p->units, p->n_units);
    _Alignas(64) char acc[COLUMNS * sizeof(exp_sum)];
    (void)worker;
    if (!p->rows && p->n_pieces == 1 && p->n <= SHORT) {
        for (int64_t u = block * p->units; u < end; u += COLUMNS)
            short_runs(w, u, OX_MIN(u + COLUMNS, end));
        return;
    }
    for (int64_t u = block * p->units; u < end; u++) {
        part(w, u, 0, p->n_pieces, acc);
        finish(w, u, acc);
    }
}

static void one_part(void *ctx, int64_t block, int worker)
{
    const walk *w = ctx;
    const plan *p = w->p;
    int64_t k = block % p->n_parts, each = (p->n_pieces + p->n_parts - 1) / p->n_parts;
    (void)worker;
    part(w, block / p->n_parts, OX_MIN(k * each, p->n_pieces), OX_MIN((k + 1) * each, p->n_pieces),
         w->parts + (size_t)block * COLUMNS * w->m->acc_size);
}

static ox_code reduce(ox_run *r, const method *m)
{
    const plan *p = r->state;
    walk w = { p, m, r->in[0]->data, r->out[0]->data, NULL };
    if (p->n_parts == 1) {
        ox_parallel(r, (p->n_units + p->units - 1) / p->units, whole_units, &w);
        return OX_OK;
    }
    size_t stride = COLUMNS * m->acc_size;
    if (!(w.parts = ox_scratch_array(r, (size_t)(p->n_units * p->n_parts), stride)))
        return OX_NO_MEMORY(r);
    ox_parallel(r, p->n_units * p->n_parts, one_part, &w);
    for (int64_t u = 0; u < p->n_units; u++) {
        char *first = w.parts + (size_t)(u * p->n_parts) * stride;
        int64_t n = p->rows ? OX_MIN(COLUMNS, p->n - u % p->n_cut * COLUMNS) : 1;
        for (int64_t k = 1; k < p->n_parts; k++)
            m->join(n, first, first + (size_t)k * stride);
        finish(&w, u, first);
    }
    return OX_OK;
}

#define TYPES (MASK_FLOAT | M_I8 | M_U8 | M_I32 | M_U32 | M_I64 | M_U64)
#define TMPL  "kernels/reduce/op_reduce.c"
#include "runtime/tensor/each_dtype.h"

#define WIDE_TYPES                                                                                 \
    [OX_F32] = reduce_f32, [OX_F64] = reduce_f64, [OX_I32] = reduce_i32, [OX_I64] = reduce_i64,    \
    [OX_U32] = reduce_u32, [OX_U64] = reduce_u64
#define RECORD(Name, Since, kind_, c_, ...)                                                        \
    OX_OP(Name, Since) .infer = ox_infer_reduce, .prepare = ox_prepare_reduce,                     \
        .run = { __VA_ARGS__ }, .oracle = ox_oracle_reduce, .error = { kind_, c_ },                \
        .state_size = sizeof(plan), .flags = OX_SYMBOLIC, .flops = ox_flops_reduce OX_END
RECORD(ReduceSum, 1, ERR_SUM, 4, WIDE_TYPES);
RECORD(ReduceMean, 1, ERR_SUM, 4, WIDE_TYPES);
RECORD(ReduceProd, 1, ERR_SUM, 4, WIDE_TYPES);
RECORD(ReduceL1, 1, ERR_SUM, 4, WIDE_TYPES);
RECORD(ReduceL2, 1, ERR_SUM, 4, WIDE_TYPES);
RECORD(ReduceLogSum, 1, ERR_SUM, 4, WIDE_TYPES);
RECORD(ReduceLogSumExp, 1, ERR_SUM, 4, WIDE_TYPES);
RECORD(ReduceSumSquare, 1, ERR_SUM, 4, WIDE_TYPES);
RECORD(ReduceMax, 1, ERR_EXACT, 0, WIDE_TYPES, [OX_I8] = reduce_i8, [OX_U8] = reduce_u8);
RECORD(ReduceMin, 1, ERR_EXACT, 0, WIDE_TYPES, [OX_I8] = reduce_i8, [OX_U8] = reduce_u8);
#endif
