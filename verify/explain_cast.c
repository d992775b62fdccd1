/* Causes in integers: what does not fit into their type. */
#include "verify/explain.h"

#include <math.h>
#include <string.h>

static double wrapped(double v, int bits, bool is_signed)
{
    double size = ldexp(1, bits), low = fmod(trunc(v), size);
    low += low < 0 ? size : 0;
    return is_signed && low >= size / 2 ? low - size : low;
}

static double clamped(double v, double low, double high) { return fmin(fmax(v, low), high); }

static const double low32 = -2147483648.0, high32 = 2147483647.0;

/* The model's constant is at an end of int32, and the reference is off by one number everywhere. */
static void clamped_constant(ox_probe *p)
{
    int vary = ox_probe_only_varying(p);
    const ox_tensor *c = vary < 0 || p->s->r->n_in != 2 ? NULL : ox_probe_input(p, 1 - vary);
    const double *v = c ? ox_probe_values(p, 1 - vary) : NULL;
    bool at_end = false, same = p->n > 1;
    for (int64_t i = 0; v && i < ox_count(c); i++)
        at_end |= v[i] == low32 || v[i] == high32;
    for (size_t i = 1; i < p->n; i++)
        same &= p->ref[i] - p->truth[i] == p->ref[0] - p->truth[0];
    if (at_end && same)
        ox_probe_score(p, p->ref, "with a constant that is not cut to int32");
}

void ox_cause_int_clamp(ox_probe *p)
{
    double *y = p->truth ? ox_probe_new(p, p->n) : NULL;
    bool clamp = true, wrap = true;
    if (!y || ox_is_float(p->shape->dtype))
        return;
    for (size_t i = 0; i < p->n; i++)
        y[i] = clamped(p->truth[i], low32, high32);
    ox_probe_score(p, y, "clamped to int32");
    for (size_t i = 0; i < p->n; i++)
        y[i] = wrapped(p->truth[i], 32, true);
    ox_probe_score(p, y, "cut to its low 32 bits");
    for (size_t i = 0; i < p->n; i++) {
        clamp &= p->truth[i] == clamped(p->ref[i], low32, high32);
        wrap &= p->truth[i] == wrapped(p->ref[i], 32, true);
    }
    if (clamp)
        ox_probe_score(p, p->ref, "if nothing clamps it to int32, as the model does");
    else if (wrap)
        ox_probe_score(p, p->ref, "if nothing cuts it to its low 32 bits, as the model does");
    clamped_constant(p);
}

typedef struct integers { int bits; bool is_signed; double low, high; } integers;

static bool integers_of(ox_dtype t, integers *k)
{
    ox_class c = ox_dtype_class(t);
    if (c != OX_CLASS_INT && c != OX_CLASS_UINT)
        return false;
    k->bits = (int)ox_dtype_size(t) * 8;
    k->is_signed = c == OX_CLASS_INT;
    k->low = k->is_signed ? -ldexp(1, k->bits - 1) : 0;
    k->high = ldexp(1, k->is_signed ? k->bits - 1 : k->bits) - 1;
    return k->bits > 0;
}

/* Out of the range of an integer: the nearest, the low bits, or the CPU's "indefinite" number. */
static void to_integers(ox_probe *p, const double *x, const integers *k)
{
    double *y = ox_probe_new(p, p->n);
    if (!y)
        return;
    for (size_t i = 0; i < p->n; i++)
        y[i] = isnan(x[i]) ? 0 : clamped(trunc(x[i]), k->low, k->high);
    ox_probe_score(p, y, "with the nearest number of its type for what is out of range");
    for (size_t i = 0; i < p->n; i++)
        y[i] = isfinite(x[i]) ? wrapped(x[i], k->bits, k->is_signed) : 0;
    ox_probe_score(p, y, "with the low bits of what is out of range");
    for (size_t i = 0; i < p->n; i++) {
        double v = trunc(x[i]);
        y[i] = v >= low32 && v <= high32 ? wrapped(v, k->bits, k->is_signed)
                                         : wrapped(low32, k->bits, k->is_signed);
    }
    ox_probe_score(p, y, "with the low bits of int32's least number for what is out of its range");
    for (size_t i = 0; i < p->n; i++)
        y[i] = trunc(x[i]) >= k->low && trunc(x[i]) <= k->high ? trunc(x[i]) : k->low;
    ox_probe_score(p, y, "with the least number of its type for what is out of range");
}

/* Out of the range of a narrow float: infinity, or the largest number. */
static void to_floats(ox_probe *p, const double *x, ox_dtype t)
{
    double *y = ox_probe_new(p, p->n), huge = ox_dtype_huge(t);
    if (!y || !p->truth || !isfinite(huge))
        return;
    for (size_t i = 0; i < p->n; i++)
        y[i] = fabs(x[i]) <= huge ? p->ref[i] : copysign(huge, x[i]);
    ox_probe_score(p, y, "with the largest number of its type for what is out of range");
    for (size_t i = 0; i < p->n; i++)
        y[i] = fabs(x[i]) <= huge ? p->ref[i] : copysign(INFINITY, x[i]);
    ox_probe_score(p, y, "with infinity for what is out of range");
}

void ox_cause_cast_overflow(ox_probe *p)
{
    const ox_tensor *t = ox_probe_input(p, 0);
    const double *x = t && ox_is_float(t->dtype) ? ox_probe_values(p, 0) : NULL;
    ox_dtype to = p->s->r->out[p->s->out]->dtype;
    integers k = { 0 };
    bool outside = false;
    if (!x || (size_t)ox_count(t) != p->n)
        return;
    double low = -ox_dtype_huge(to), high = ox_dtype_huge(to);
    if (integers_of(to, &k)) {
        low = k.low;
        high = k.high;
    }
    for (size_t i = 0; i < p->n; i++)
        outside |= !(trunc(x[i]) >= low && trunc(x[i]) <= high);
    if (outside && ox_is_float(to))
        to_floats(p, x, to);
    else if (outside)
        to_integers(p, x, &k);
}
