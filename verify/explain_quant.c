/* Causes in quantisation.  QuantizeLinear is y = saturate(round(x / scale) + zero_point). */
#include "verify/explain.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct quant {
    const double *x, *scale, *zero;
    int64_t       channels, inner; /* of the axis; one channel: scalars */
    double        low, high;
} quant;

static bool limits(ox_dtype t, double *low, double *high)
{
    static const struct { ox_dtype t; double low, high; } row[] = {
        { OX_U8, 0, 255 }, { OX_I8, -128, 127 }, { OX_U16, 0, 65535 }, { OX_I16, -32768, 32767 },
        { OX_U4, 0, 15 }, { OX_I4, -8, 7 },
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++)
        if (row[i].t == t) {
            *low = row[i].low;
            *high = row[i].high;
            return true;
        }
    return false;
}

static bool axis_of(const ox_probe *p, int64_t axis, quant *q)
{
    const ox_tensor *x = ox_probe_input(p, 0), *s = ox_probe_input(p, 1);
    q->channels = q->inner = 1;
    if (ox_count(s) == 1)
        return true;
    axis += axis < 0 ? x->rank : 0;
    if (s->rank != 1 || axis < 0 || axis >= x->rank || x->dim[axis] != s->dim[0])
        return false;
    q->channels = s->dim[0];
    q->inner = ox_numel(x, (int)axis + 1, x->rank);
    return true;
}

static bool describe(ox_probe *p, quant *q)
{
    const ox_tensor *x = ox_probe_input(p, 0), *z = ox_probe_input(p, 2);
    if (!x || !ox_probe_input(p, 1) || (size_t)ox_count(x) != p->n || !p->truth)
        return false;
    q->x = ox_probe_values(p, 0);
    q->scale = ox_probe_values(p, 1);
    q->zero = z ? ox_probe_values(p, 2) : ox_probe_new(p, (size_t)ox_count(ox_probe_input(p, 1)));
    bool ints = limits(p->s->r->out[p->s->out]->dtype, &q->low, &q->high);
    return q->x && q->scale && q->zero && (ints || ox_probe_is(p, "DequantizeLinear")) &&
           axis_of(p, ox_attr_i64(p->s->r, "axis"), q);
}

static size_t channel(const quant *q, size_t i)
{
    return i / (size_t)q->inner % (size_t)q->channels;
}

static double half_even(double v) { return rint(v); }
static double half_away(double v) { return round(v); }
static double half_up(double v) { return floor(v + 0.5); }

static void quantise(ox_probe *p, const quant *q, double (*rounding)(double), const char *what)
{
    double *y = ox_probe_new(p, p->n);
    for (size_t i = 0; y && i < p->n; i++) {
        size_t c = channel(q, i); /* the quotient is a float */
        double v = rounding((double)(float)(q->x[i] / q->scale[c])) + q->zero[c];
        y[i] = fmin(fmax(v, q->low), q->high);
    }
    if (y)
        ox_probe_score(p, y, what);
}

void ox_cause_quant_rounding(ox_probe *p)
{
    quant q;
    if (!describe(p, &q))
        return;
    quantise(p, &q, half_away, "with halves rounded away from zero");
    quantise(p, &q, half_up, "with halves rounded up");
    quantise(p, &q, floor, "rounded down instead of to the nearest");
    quantise(p, &q, trunc, "with what is behind the point cut off");
    quantise(p, &q, ceil, "rounded up instead of to the nearest");
}

void ox_cause_quant_axis(ox_probe *p)
{
    const ox_tensor *x = ox_probe_input(p, 0), *s = ox_probe_input(p, 1);
    quant q;
    char what[60];
    if (!x || !s || ox_count(s) < 2 || !describe(p, &q))
        return;
    for (int axis = 0; axis < x->rank; axis++) {
        snprintf(what, sizeof what, "with axis %d", axis);
        if (axis == ox_attr_i64(p->s->r, "axis") || !axis_of(p, axis, &q))
            continue;
        if (ox_probe_is(p, "QuantizeLinear")) {
            quantise(p, &q, half_even, what);
            continue;
        }
        double *y = ox_probe_new(p, p->n);
        for (size_t i = 0; y && i < p->n; i++)
            y[i] = (q.x[i] - q.zero[channel(&q, i)]) * q.scale[channel(&q, i)];
        if (y)
            ox_probe_score(p, y, what);
    }
}

/* ---- zero point and scale: solved for from what is not at an end ---- */

static bool inside(const quant *q, double v) { return v > q->low && v < q->high; }

static void shifted_codes(ox_probe *p, const quant *q)
{
    double sum = 0, n = 0, *zero = ox_probe_new(p, (size_t)q->channels);
    quant other = *q;
    char what[100];
    for (size_t i = 0; i < p->n; i++)
        if (inside(q, p->ref[i]) && inside(q, p->truth[i])) {
            sum += p->ref[i] - p->truth[i];
            n++;
        }
    double shift = rint(sum / fmax(n, 1));
    if (!zero || shift == 0)
        return;
    for (int64_t c = 0; c < q->channels; c++)
        zero[c] = q->zero[c] + shift;
    other.zero = zero;
    snprintf(what, sizeof what, "with a zero point of %.0f%s", zero[0],
             q->channels > 1 ? " in the first channel, others moved alike" : "");
    quantise(p, &other, half_even, what);
}

/* (q - zero_point) scale: a shift by whole steps. */
static void shifted_values(ox_probe *p, const quant *q)
{
    double dd = 0, d = 0, *y = ox_probe_new(p, p->n);
    char what[100];
    for (size_t i = 0; i < p->n; i++) {
        double s = q->scale[channel(q, i)];
        d += (p->ref[i] - p->truth[i]) * s;
        dd += s * s;
    }
    double steps = rint(-d / fmax(dd, 1e-300));
    for (size_t i = 0; y && i < p->n; i++)
        y[i] = p->truth[i] - steps * q->scale[channel(q, i)];
    snprintf(what, sizeof what, "with a zero point that is %+.0f", steps);
    if (y && steps != 0)
        ox_probe_score_fit(p, y, 1, what);
}

void ox_cause_zero_point(ox_probe *p)
{
    quant q;
    if (!describe(p, &q))
        return;
    if (ox_probe_is(p, "QuantizeLinear"))
        shifted_codes(p, &q);
    else
        shifted_values(p, &q);
}

/* One factor for each channel. */
static void scaled_values(ox_probe *p, const quant *q, bool alike)
{
    size_t channels = alike ? 1 : (size_t)q->channels;
    double *rt = ox_probe_new(p, channels), *tt = ox_probe_new(p, channels);
    double *y = ox_probe_new(p, p->n);
    char what[100] = "with other scales, solved for";
    if (!rt || !tt || !y)
        return;
    for (size_t i = 0; i < p->n; i++) {
        size_t c = alike ? 0 : channel(q, i);
        rt[c] += p->ref[i] * p->truth[i];
        tt[c] += p->truth[i] * p->truth[i];
    }
    for (size_t i = 0; i < p->n; i++) {
        size_t c = alike ? 0 : channel(q, i);
        y[i] = p->truth[i] * rt[c] / fmax(tt[c], 1e-300);
    }
    if (alike)
        snprintf(what, sizeof what, "with its scale times %.6g", rt[0] / fmax(tt[0], 1e-300));
    ox_probe_score_fit(p, y, channels, what);
}

/* What the scales are to be multiplied by: each code allows a range, and all ranges meet; if they
 * do not, the factor that fits best. */
static double factor_of_codes(const ox_probe *p, const quant *q)
{
    double xr = 0, xx = 0, least = 0, most = INFINITY;
    for (size_t i = 0; i < p->n; i++) {
        double x = q->x[i] / q->scale[channel(q, i)], r = p->ref[i] - q->zero[channel(q, i)];
        if (!inside(q, p->ref[i]))
            continue;
        xr += x * r;
        xx += x * x;
        if (r == 0 || x * r <= 0)
            continue;
        least = fmax(least, fabs(x) / (fabs(r) + 0.5));
        most = fmin(most, fabs(x) / (fabs(r) - 0.5));
    }
    bool meet = least > 0 && least <= most * (1 + 1e-9) && isfinite(most);
    return meet ? (least + most) / 2 : xr > 0 ? xx / xr : 0;
}

static void scaled_codes(ox_probe *p, const quant *q)
{
    double factor = factor_of_codes(p, q), *scale = ox_probe_new(p, (size_t)q->channels);
    quant other = *q;
    char what[100];
    for (int64_t c = 0; scale && c < q->channels; c++)
        scale[c] = (double)(float)(q->scale[c] * factor);
    other.scale = scale;
    snprintf(what, sizeof what, "with its scale times %.6g", factor);
    if (scale && factor > 0)
        quantise(p, &other, half_even, what);
}

void ox_cause_scale(ox_probe *p)
{
    quant q;
    if (!describe(p, &q))
        return;
    if (ox_probe_is(p, "QuantizeLinear")) {
        scaled_codes(p, &q);
        return;
    }
    scaled_values(p, &q, true);
    if (q.channels > 1)
        scaled_values(p, &q, false);
}
