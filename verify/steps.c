#include "verify/steps.h"

#include <math.h>
#include <string.h>

/* Another implementation's inputs differ by a few times what ours do; but where steps have tipped before,
 * that says nothing about how close to a tie rounding alone comes. */
enum { SAFETY = 16, CLOSE = 32 }; /* 1 / CLOSE of a step */

static bool is_integer(const ox_tensor *t)
{
    ox_class c = t && t->rank >= 0 ? ox_dtype_class(t->dtype) : OX_CLASS_NONE;
    return c == OX_CLASS_INT || c == OX_CLASS_UINT || c == OX_CLASS_BOOL;
}

/* ---- quantisers ---- */

typedef struct quantiser {
    size_t        n, inner, axis, block, scales; /* scales: along the axis */
    bool          one, flat; /* a single scale; one for each index of the axis */
    double        low, high, u;
    double       *ours[3];   /* x, scale, zero point; NULL: no zero point */
    const double *chain[3];
} quantiser;

static size_t scale_of(const quantiser *q, size_t i)
{
    if (q->one)
        return 0;
    size_t at = i / q->inner % q->axis / q->block;
    return q->flat ? at : (i / (q->inner * q->axis) * q->scales + at) * q->inner + i % q->inner;
}

static ox_code describe(ox_arena *a, const ox_run *r, const double *const *in, quantiser *q, ox_error *err)
{
    const ox_tensor *x = r->in[0], *s = r->in[1], *y = r->out[0];
    int bits = ox_dtype_file_bits(y->dtype), axis = (int)ox_attr_i64(r, "axis");
    bool is_signed = ox_dtype_class(y->dtype) == OX_CLASS_INT;
    int64_t precision = r->since < 23 ? 0 : ox_attr_i64(r, "precision");
    *q = (quantiser){ .n = (size_t)ox_count(x), .inner = 1, .axis = 1, .block = 1, .scales = 1 };
    q->low = is_signed ? -ldexp(1, bits - 1) : 0;
    q->high = ldexp(1, is_signed ? bits - 1 : bits) - 1;
    q->u = ox_dtype_roundoff(precision > 0 && precision < OX_N_DTYPES ? (ox_dtype)precision
                             : ox_is_float(s->dtype) ? s->dtype : OX_F32);
    q->one = ox_count(s) == 1;
    axis += axis < 0 ? x->rank : 0;
    if (!q->one) {
        q->flat = s->rank == 1;
        q->inner = (size_t)ox_numel(x, axis + 1, x->rank);
        q->axis = (size_t)x->dim[axis];
        q->scales = (size_t)s->dim[q->flat ? 0 : axis];
        q->block = (q->axis + q->scales - 1) / OX_MAX(q->scales, 1);
    }
    for (int i = 0; i < OX_MIN(r->n_in, 3); i++) {
        if (!r->in[i])
            continue;
        size_t n = (size_t)ox_count(r->in[i]);
        if (!(q->ours[i] = ox_arena_array(a, n + 1, sizeof(double))))
            return OX_FAIL(err, OX_E_NOMEM, "out of memory");
        ox_to_f64(q->ours[i], r->in[i]->data, r->in[i]->dtype, n);
        q->chain[i] = in && in[i] ? in[i] : q->ours[i];
    }
    return OX_OK;
}

/* x / scale, rounded or not, plus the zero point, in range. */
static double in_range(const quantiser *q, double ratio, double zero)
{
    return isnan(ratio) ? q->low : fmin(fmax(ratio + zero, q->low), q->high);
}

static bool power_of_two(double v)
{
    int e;
    return frexp(fabs(v), &e) == 0.5;
}

typedef struct number { double before, ours, slack, nearest; } number;

static number number_of(const quantiser *q, size_t i)
{
    size_t k = scale_of(q, i);
    double zero = q->chain[2] ? q->chain[2][k] : 0, scale = q->chain[1][k];
    double ratio = q->chain[0][i] / scale, own = q->ours[0][i] / q->ours[1][k];
    number v = { .before = in_range(q, ratio, zero), .nearest = in_range(q, rint(ratio), zero) };
    v.ours = in_range(q, own, q->ours[2] ? q->ours[2][k] : 0);
    /* A division, or a product with the reciprocal: two roundings; none with a power of two. */
    v.slack = power_of_two(scale) || !isfinite(ratio) ? 0 : 2 * q->u * fabs(ratio);
    return v;
}

static double other_side(double before, double ours, double nearest, double close)
{
    double down = floor(before), off = fabs(before - down - 0.5);
    if (!(off <= close) || (ours != down && ours != down + 1))
        return nearest;
    return ours == down ? down + 1 : down;
}

static ox_code quantise(ox_arena *a, ox_run *r, const double *const *in, bool tip, bool held, ox_steps *s,
                        ox_error *err)
{
    quantiser q;
    double sum = 0;
    OX_TRY(describe(a, r, in, &q, err));
    double *before = ox_arena_array(a, q.n + 1, sizeof(double)), *slack = ox_arena_array(a, q.n + 1, sizeof(double));
    double *value = s->value[0] = ox_arena_array(a, q.n + 1, sizeof(double));
    if (!before || !slack || !value)
        return OX_FAIL(err, OX_E_NOMEM, "out of memory");
    for (size_t i = 0; i < q.n; i++) {
        number v = number_of(&q, i);
        double d = fabs(v.ours - v.before);
        before[i] = v.before;
        slack[i] = v.slack;
        value[i] = v.nearest;
        sum += d * d;
        s->most = fmax(s->most, d);
    }
    s->error = q.n ? sqrt(sum / (double)q.n) : 0;
    double drift = held ? 0 : fmin(SAFETY * s->error, 1.0 / CLOSE);
    for (size_t i = 0; i < q.n; i++) {
        double ours = ox_get_f64(r->out[0], (int64_t)i);
        if (tip && drift + slack[i] > 0)
            value[i] = other_side(before[i], ours, value[i], drift + slack[i]);
        s->tipped |= value[i] != ours;
    }
    s->before = before;
    s->slack = slack;
    return OX_OK;
}

/* ---- */

/* Whether an input differs from what this run had. */
static bool changed(const ox_run *r, const double *const *in, bool integers)
{
    for (int i = 0; i < r->n_in && in; i++) {
        if (!in[i] || !r->in[i] || !r->in[i]->data || (integers && !is_integer(r->in[i])))
            continue;
        for (int64_t k = 0; k < ox_count(r->in[i]); k++)
            if (ox_get_f64(r->in[i], k) != in[i][k])
                return true;
    }
    return false;
}

ox_code ox_steps_of(ox_arena *a, ox_run *r, const double *const *in, bool tip, bool held, ox_steps *out,
                    ox_error *err)
{
    bool any = false;
    *out = (ox_steps){ 0 };
    for (int i = 0; i < r->n_out; i++)
        any |= r->out[i] && is_integer(r->out[i]) && ox_count(r->out[i]) > 0;
    if (!any || (r->op->flags & (OX_CONTROL | OX_IMPURE)))
        return OX_OK;
    bool quantises = strcmp(r->op->name, "QuantizeLinear") == 0 &&
                     (r->n_in < 3 || !r->in[2] || ox_count(r->in[2]) == ox_count(r->in[1]));
    /* What a float decides elsewhere (an index, a comparison) our own run tells, unless a reference's are known. */
    if (!quantises && !changed(r, in, tip))
        return OX_OK;
    if (!(out->value = ox_arena_array(a, (size_t)r->n_out + 1, sizeof(*out->value))))
        return OX_FAIL(err, OX_E_NOMEM, "out of memory");
    if (quantises)
        return quantise(a, r, in, tip, held, out, err);
    OX_TRY(ox_truth_integers(a, r, in, out->value, err));
    for (int i = 0; i < r->n_out; i++)
        for (int64_t k = 0; out->value[i] && k < ox_count(r->out[i]) && !out->tipped; k++)
            out->tipped = out->value[i][k] != ox_get_f64(r->out[i], k);
    return OX_OK;
}

double ox_steps_margin(const ox_steps *s, size_t i, double v, double drift)
{
    double off = fabs(v - s->before[i]), may = s->slack[i] + drift;
    if (v == s->value[0][i] || (off <= 0.5 && may > 0))
        return 0;
    return may > 0 ? (off - 0.5) / may : INFINITY;
}
