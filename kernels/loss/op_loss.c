/* NegativeLogLikelihoodLoss and SoftmaxCrossEntropyLoss, which is the former of the log of a softmax.
 *
 * x is (N, C, D): the dimensions behind the classes are one here.  Terms are computed and added in
 * double, in the order of the samples, so that a loss is rounded once. */
#ifdef T /* ---- once per dtype: see runtime/tensor/each_dtype.h ---- */

/* The log-probabilities of samples [first, first + n) of one batch entry: scores less log(sum(exp)). */
static void FN(log_softmax)(const loss *l, int64_t batch, int64_t first, int64_t n)
{
    const T *x = (const T *)l->x + batch * l->c * l->d + first;
    double *terms = l->term + batch * l->d + first;
    double max[COLUMNS], sum[COLUMNS];
    for (int64_t k = 0; k < n; k++) {
        max[k] = (double)x[k];
        sum[k] = 0;
    }
    for (int64_t c = 1; c < l->c; c++)
        for (int64_t k = 0; k < n; k++)
            max[k] = (double)x[c * l->d + k] > max[k] ? (double)x[c * l->d + k] : max[k];
    for (int64_t c = 0; c < l->c; c++)
        for (int64_t k = 0; k < n; k++)
            sum[k] += exp((double)x[c * l->d + k] - max[k]);
    for (int64_t k = 0; k < n; k++) {
        max[k] += log(sum[k]);
        int64_t label = l->target[batch * l->d + first + k];
        terms[k] = label < 0 || label >= l->c ? 0 : (double)x[label * l->d + k] - max[k];
    }
    T *y = l->log_prob ? (T *)l->log_prob + (x - (const T *)l->x) : NULL;
    for (int64_t c = 0; y && c < l->c; c++)
        for (int64_t k = 0; k < n; k++)
            y[c * l->d + k] = (T)((double)x[c * l->d + k] - max[k]);
}

static void FN(softmax_block)(void *ctx, int64_t block, int worker)
{
    const loss *l = ctx;
    int64_t per_batch = (l->d + COLUMNS - 1) / COLUMNS, first = block % per_batch * COLUMNS;
    (void)worker;
    FN(log_softmax)(l, block / per_batch, first, OX_MIN(l->d - first, COLUMNS));
}

static ox_code FN(finish)(ox_run *r, const loss *l)
{
    T *y = r->out[0] ? r->out[0]->data : NULL;
    double total = 0, weight = 0;
    for (int64_t i = 0; i < l->n * l->d; i++) {
        double w = weight_of(l, i), term = ignored(l, i) ? 0 : -w * l->term[i];
        total += term;
        weight += w;
        if (y && l->reduction == NONE)
            y[i] = (T)term;
    }
    if (y && l->reduction != NONE)
        *y = (T)(l->reduction == MEAN ? total / weight : total);
    return OX_OK;
}

static ox_code FN(nll)(ox_run *r)
{
    loss l;
    OX_TRY(loss_init(r, &l));
    const T *x = r->in[0]->data;
    for (int64_t i = 0; i < l.n * l.d; i++)
        l.term[i] = ignored(&l, i) ? 0 : (double)x[(i / l.d * l.c + l.target[i]) * l.d + i % l.d];
    return FN(finish)(r, &l);
}

static ox_code FN(cross_entropy)(ox_run *r)
{
    loss l;
    OX_TRY(loss_init(r, &l));
    l.log_prob = r->n_out > 1 && r->out[1] ? r->out[1]->data : NULL;
    ox_parallel(r, l.n * ((l.d + COLUMNS - 1) / COLUMNS), FN(softmax_block), &l);
    return FN(finish)(r, &l);
}

#else /* ---- once ---- */
#include "runtime/op.h"

#include <math.h>

enum { COLUMNS = 64 };
enum { NONE, SUM, MEAN };

typedef struct loss {
    int64_t        n, c, d;
    const void    *x;
    const int64_t *target;
    const double  *weights; /* NULL: all one */
    bool           has_ignored;
    int64_t        ignored;
    int            reduction;
    double        *term; /* [n * d] log-probability of the target */
    void          *log_prob;
} loss;

static ox_code reduction(const ox_run *r, int *which)
{
    static const char *const words[] = { "none", "sum", "mean", NULL };
    return ox_attr_enum(r, "reduction", words, which);
}

static ox_code infer(ox_run *r)
{
    const ox_tensor *x = r->in[0], *target = r->in[1];
    int which = NONE;
    OX_TRY(reduction(r, &which));
    bool fits = x->rank >= 2 && target->rank == x->rank - 1;
    for (int i = 0; fits && i < target->rank; i++) {
        int64_t a = target->dim[i], b = x->dim[i + (i > 0)];
        fits = a == b || a < 0 || b < 0;
    }
    if (!fits) {
        char a[128], b[128];
        return OX_FAIL(r->err, OX_E_SHAPE, "labels %s do not fit scores %s", ox_shape_text(a, sizeof(a), target),
                       ox_shape_text(b, sizeof(b), x));
    }
    if (which == NONE)
        ox_out_shape(r, 0, target->rank, target->dim);
    else
        ox_out_shape(r, 0, 0, NULL);
    ox_out_shape(r, 1, x->rank, x->dim);
    return OX_OK;
}

static bool ignored(const loss *l, int64_t i) { return l->has_ignored && l->target[i] == l->ignored; }

static double weight_of(const loss *l, int64_t i)
{
    return ignored(l, i) ? 0 : l->weights ? l->weights[l->target[i]] : 1;
}

static ox_code loss_init(ox_run *r, loss *l)
{
    const ox_tensor *x = r->in[0];
    int64_t n_target, n_weights;
    *l = (loss){ .n = x->dim[0], .c = x->dim[1], .d = ox_numel(x, 2, x->rank), .x = x->data };
    l->has_ignored = ox_attr_given(r, "ignore_index");
    l->ignored = ox_attr_i64(r, "ignore_index");
    OX_TRY(reduction(r, &l->reduction));
    l->target = ox_in_i64s(r, 1, &n_target);
    l->weights = ox_in_f64s(r, 2, &n_weights);
    l->term = ox_scratch_array(r, (size_t)OX_MAX(n_target, 1), sizeof(double));
    if ((!l->target && n_target) || !l->term || (r->n_in > 2 && r->in[2] && !l->weights))
        return OX_NO_MEMORY(r);
    if (l->weights && n_weights != l->c)
        return OX_FAIL(r->err, OX_E_SHAPE, "%lld weights for %lld classes", (long long)n_weights, (long long)l->c);
    for (int64_t i = 0; i < n_target; i++)
        if (!ignored(l, i) && (l->target[i] < 0 || l->target[i] >= l->c))
            return OX_FAIL(r->err, OX_E_VALUE, "label %lld outside [0, %lld)", (long long)l->target[i],
                           (long long)l->c);
    return OX_OK;
}

/* ---- the definition ---- */

static double log_prob_of(const ox_oracle *o, const loss *l, int64_t i, int64_t label, double *mag)
{
    const double *x = o->in[0] + i / l->d * l->c * l->d + i % l->d;
    double max = -INFINITY, sum = 0;
    for (int64_t c = 0; c < l->c; c++)
        max = fmax(max, x[c * l->d]);
    for (int64_t c = 0; c < l->c; c++)
        sum += exp(x[c * l->d] - max);
    /* the sum is of terms up to 1 and has no more relative error than a few units: absolute in its log */
    *mag = fabs(x[label * l->d]) + fabs(max) + fabs(log(sum)) + 4;
    return x[label * l->d] - max - log(sum);
}

static ox_code oracle(ox_oracle *o, bool softmax)
{
    ox_run r = *o->r;
    loss l;
    double total = 0, weight = 0, magnitude = 0;
    OX_TRY(loss_init(&r, &l));
    for (int64_t i = 0; i < l.n * l.d; i++) {
        double w = weight_of(&l, i), y = 0, mag = 0;
        if (!ignored(&l, i) && softmax)
            y = log_prob_of(o, &l, i, l.target[i], &mag);
        else if (!ignored(&l, i))
            mag = fabs(y = o->in[0][(i / l.d * l.c + l.target[i]) * l.d + i % l.d]);
        total -= w * y;
        weight += w;
        magnitude += fabs(w) * mag;
        if (o->out[0] && l.reduction == NONE) {
            o->out[0][i] = -w * y;
            o->mag[0][i] = fabs(w) * mag;
        }
    }
    if (o->out[0] && l.reduction != NONE) {
        double by = l.reduction == MEAN ? weight : 1;
        *o->out[0] = total / by;
        *o->mag[0] = magnitude / fabs(by);
    }
    for (int64_t i = 0; softmax && r.n_out > 1 && o->out[1] && i < l.n * l.d; i++)
        for (int64_t c = 0; c < l.c; c++) {
            int64_t at = (i / l.d * l.c + c) * l.d + i % l.d;
            o->out[1][at] = log_prob_of(o, &l, i, c, &o->mag[1][at]);
        }
    return OX_OK;
}
static ox_code nll_oracle(ox_oracle *o) { return oracle(o, false); }
static ox_code cross_entropy_oracle(ox_oracle *o) { return oracle(o, true); }

#define TYPES MASK_FLOAT
#define TMPL  "kernels/loss/op_loss.c"
#include "runtime/tensor/each_dtype.h"

OX_OP(NegativeLogLikelihoodLoss, 12) .infer = infer, .run = { KERNELS(nll, FLOAT) }, .oracle = nll_oracle,
    .error = { ERR_SUM, 2 }, .flags = OX_SYMBOLIC OX_END;
OX_OP(SoftmaxCrossEntropyLoss, 12) .infer = infer, .run = { KERNELS(cross_entropy, FLOAT) },
    .oracle = cross_entropy_oracle, .error = { ERR_SUM, 2 }, .flags = OX_SYMBOLIC OX_END;
#endif
