/* Softmax and LogSoftmax: micro-kernels for float, plain loops for double. */
#include "kernels/softmax/axis.h"
#include "kernels/softmax/softmax.h"
#include "runtime/tensor/half.h"

#include <math.h>
#include <string.h>

enum { COLUMNS = 256, BLOCK = 1 << 12 /* elements a parallel block does at least */ };

typedef struct softmax {
    ox_softmax_axis     a;
    bool                log;
    ox_uk_softmax      *rows; /* float only */
    ox_uk_softmax_cols *cols;
    int64_t             n_cut, n_units, units; /* a unit is a row, or up to COLUMNS columns */
    const void         *x;
    void               *y;
} softmax;

static ox_code prepare(ox_run *r)
{
    softmax *s = r->state;
    OX_TRY(ox_softmax_get_axis(r, &s->a));
    ox_softmax_kernels k = ox_softmax_pick();
    s->log = strcmp(r->op->name, "LogSoftmax") == 0;
    s->rows = s->log ? k.log_softmax : k.softmax;
    s->cols = s->log ? k.log_softmax_cols : k.softmax_cols;
    s->n_cut = (s->a.inner + COLUMNS - 1) / COLUMNS;
    s->n_units = s->a.outer * s->n_cut;
    s->units = BLOCK / OX_MAX(s->a.n * OX_MIN(s->a.inner, COLUMNS), 1) + 1;
    return OX_OK;
}

static void unit_f32(const softmax *s, int64_t u)
{
    int64_t column = u % s->n_cut * COLUMNS, at = u / s->n_cut * s->a.n * s->a.inner + column;
    const float *x = (const float *)s->x + at;
    float *y = (float *)s->y + at;
    if (s->a.inner == 1)
        s->rows((size_t)s->a.n, x, y);
    else
        s->cols((size_t)s->a.n, (size_t)OX_MIN(COLUMNS, s->a.inner - column), x, y,
                (size_t)s->a.inner);
}

static void lane_f64(const softmax *s, const double *x, double *y)
{
    double max = -INFINITY, sum = 0, lost = 0;
    int64_t step = s->a.inner, end = s->a.n * step;
    for (int64_t k = 0; k < end; k += step)
        max = fmax(max, x[k]);
    for (int64_t k = 0; k < end; k += step) { /* Kahan: there is no wider type to add up in */
        double e = exp(x[k] - max) - lost, next = sum + e;
        lost = (next - sum) - e;
        sum = next;
    }
    double shift = log(sum);
    for (int64_t k = 0; k < end; k += step)
        y[k] = s->log ? x[k] - max - shift : exp(x[k] - max) / sum;
}

static void unit_f64(const softmax *s, int64_t u)
{
    int64_t column = u % s->n_cut * COLUMNS, at = u / s->n_cut * s->a.n * s->a.inner + column;
    int64_t n = OX_MIN(COLUMNS, s->a.inner - column);
    for (int64_t j = 0; j < n; j++)
        lane_f64(s, (const double *)s->x + at + j, (double *)s->y + at + j);
}

#define BLOCK_OF(type)                                                                             \
    static void block_##type(void *ctx, int64_t block, int worker)                                 \
    {                                                                                              \
        const softmax *s = ctx;                                                                    \
        int64_t end = OX_MIN((block + 1) * s->units, s->n_units);                                  \
        (void)worker;                                                                              \
        for (int64_t u = block * s->units; u < end; u++)                                           \
            unit_##type(s, u);                                                                     \
    }                                                                                              \
    static ox_code run_##type(ox_run *r)                                                           \
    {                                                                                              \
        softmax s = *(const softmax *)r->state;                                                    \
        s.x = r->in[0]->data;                                                                      \
        s.y = r->out[0]->data;                                                                     \
        ox_parallel(r, (s.n_units + s.units - 1) / s.units, block_##type, &s);                     \
        return OX_OK;                                                                              \
    }
BLOCK_OF(f32)
BLOCK_OF(f64)

/* The definition, in long double.  mag is what the permitted error is proportional to: rounding x -
 * max moves exp by |x - max| half-ULPs, and a relative error of the sum is an absolute one of its
 * log. */
static ox_code oracle(ox_oracle *o)
{
    const softmax *s = o->r->state;
    int64_t n = s->a.n, inner = s->a.inner;
    for (int64_t i = 0; i < s->a.outer * inner; i++) {
        int64_t at = i / inner * n * inner + i % inner;
        const double *x = o->in[0] + at;
        double max = -INFINITY;
        long double sum = 0, weighted = 0;
        for (int64_t k = 0; k < n; k++)
            max = fmax(max, x[k * inner]);
        for (int64_t k = 0; k < n; k++) {
            long double e = expl((long double)x[k * inner] - max);
            sum += e;
            weighted += e > 0 ? e * ((long double)max - x[k * inner]) : 0;
        }
        for (int64_t k = 0; k < n; k++) {
            long double d = (long double)x[k * inner] - max;
            double y = (double)(s->log ? d - logl(sum) : expl(d) / sum);
            o->out[0][at + k * inner] = y;
            o->mag[0][at + k * inner] = s->log ? 1 + fabs(y) + (double)(weighted / sum)
                                               : y > 0 ? (double)(y * (1 - d)) : y;
        }
    }
    return OX_OK;
}

/* Since version 13 ONNX defines Softmax by ReduceMax, Sub, Exp, ReduceSum and Div of the tensor's own type,
 * so float16 rounds after each of them; the other cases round once. */
static float round16(float v) { return ox_f16_to_f32(ox_f32_to_f16(v)); }

static void lane_f16(const softmax *s, bool stepwise, const ox_f16 *x, ox_f16 *y)
{
    int64_t step = s->a.inner, end = s->a.n * step;
    float max = -INFINITY;
    double sum = 0;
    for (int64_t k = 0; k < end; k += step)
        max = fmaxf(max, ox_f16_to_f32(x[k]));
    for (int64_t k = 0; k < end; k += step) {
        float d = ox_f16_to_f32(x[k]) - max;
        sum += stepwise ? (double)round16(expf(round16(d))) : exp((double)d);
    }
    if (stepwise)
        sum = (double)round16((float)sum);
    for (int64_t k = 0; k < end; k += step) {
        float d = ox_f16_to_f32(x[k]) - max;
        double e = stepwise ? (double)round16(expf(round16(d))) : exp((double)d);
        y[k] = ox_f32_to_f16((float)(s->log ? (double)d - log(sum) : e / sum));
    }
}

static ox_code run_f16(ox_run *r)
{
    const softmax *s = r->state;
    bool stepwise = r->since >= 13 && !s->log;
    for (int64_t i = 0; i < s->a.outer * s->a.inner; i++) {
        int64_t at = i / s->a.inner * s->a.n * s->a.inner + i % s->a.inner;
        lane_f16(s, stepwise, (const ox_f16 *)r->in[0]->data + at, (ox_f16 *)r->out[0]->data + at);
    }
    return OX_OK;
}

#define RECORD(Name, Since)                                                                        \
    OX_OP(Name, Since) .infer = ox_infer_like, .prepare = prepare,                                 \
        .run = { [OX_F32] = run_f32, [OX_F64] = run_f64, [OX_F16] = run_f16 }, .oracle = oracle,     \
        .error = { ERR_SUM, 4 }, .state_size = sizeof(softmax),                                    \
        .flags = OX_SYMBOLIC | OX_INPLACE0 OX_END
RECORD(Softmax, 1);
RECORD(LogSoftmax, 1);
