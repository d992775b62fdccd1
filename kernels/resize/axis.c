#include "kernels/resize/axis.h"

#include <math.h>

double ox_resize_source(const ox_resize_rule *rule, const ox_resize_span *s, int64_t o)
{
    double x = (double)o, n_in = (double)s->n_in, exact = s->scale * n_in; /* length before flooring */
    switch (rule->coord) {
    case OX_COORD_HALF_PIXEL: return (x + 0.5) / s->scale - 0.5;
    case OX_COORD_HALF_PIXEL_SYMMETRIC:
        return n_in / 2 * (1 - (double)s->n_out / exact) + (x + 0.5) / s->scale - 0.5;
    case OX_COORD_PYTORCH_HALF_PIXEL: return s->n_out > 1 ? (x + 0.5) / s->scale - 0.5 : 0;
    case OX_COORD_ALIGN_CORNERS: return exact == 1 ? 0 : x * (n_in - 1) / (exact - 1);
    case OX_COORD_ASYMMETRIC: return x / s->scale;
    case OX_COORD_TF_HALF_PIXEL_FOR_NN: return (x + 0.5) / s->scale;
    case OX_COORD_TF_CROP_AND_RESIZE: break;
    }
    if (exact == 1)
        return 0.5 * (s->start + s->end) * (n_in - 1);
    return s->start * (n_in - 1) + x * (s->end - s->start) * (n_in - 1) / (exact - 1);
}

/* Antialiasing stretches the filter by 1 / scale when it shrinks the image. */
static double stretch(const ox_resize_rule *rule, const ox_resize_span *s)
{
    return rule->antialias && s->scale < 1 ? 1 / s->scale : 1;
}

double ox_resize_support(const ox_resize_rule *rule, const ox_resize_span *s)
{
    return (rule->mode == OX_RESIZE_CUBIC ? 2 : 1) * stretch(rule, s);
}

double ox_resize_weight(const ox_resize_rule *rule, const ox_resize_span *s, double distance)
{
    double a = rule->cubic_a, d = fabs(distance) / stretch(rule, s);
    if (rule->mode == OX_RESIZE_LINEAR)
        return d < 1 ? 1 - d : 0;
    if (d <= 1)
        return ((a + 2) * d - (a + 3)) * d * d + 1;
    return d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a : 0;
}

static double within(double x, double lo, double hi) { return x >= lo ? (x <= hi ? x : hi) : lo; }

int64_t ox_resize_pick(const ox_resize_rule *rule, const ox_resize_span *s, double x)
{
    switch (rule->nearest) {
    case OX_NEAREST_ROUND_PREFER_FLOOR: x = ceil(x - 0.5); break;
    case OX_NEAREST_ROUND_PREFER_CEIL: x = floor(x + 0.5); break;
    case OX_NEAREST_FLOOR: x = floor(x); break;
    case OX_NEAREST_CEIL: x = ceil(x); break;
    case OX_NEAREST_SIMPLE: x = s->scale < 1 ? ceil(x) : floor(x); break;
    }
    return (int64_t)within(x, 0, (double)(s->n_in - 1));
}

/* Inputs beyond the border count as the border, or with exclude_outside not at all. */
static void fill_taps(ox_resize_axis *a, const ox_resize_rule *rule, const ox_resize_span *s, int64_t o,
                      double x)
{
    double sum = 0, last = (double)(s->n_in - 1);
    double first = floor(x) - ceil(ox_resize_support(rule, s)) + 1;
    int32_t *index = a->index + o * a->taps;
    double *weight = a->weight + o * a->taps;
    for (int64_t t = 0; t < a->taps; t++) {
        double at = first + (double)t;
        weight[t] = ox_resize_weight(rule, s, at - x);
        if (rule->exclude_outside && (at < 0 || at > last))
            weight[t] = 0;
        index[t] = (int32_t)within(at, 0, last);
        sum += weight[t];
    }
    for (int64_t t = 0; t < a->taps; t++) {
        if ((rule->antialias || rule->exclude_outside) && sum != 0)
            weight[t] /= sum;
        a->weight32[o * a->taps + t] = (float)weight[t];
    }
}

static ox_code allocate(ox_run *r, ox_resize_axis *a, bool weights, bool outside)
{
    size_t n;
    if (!ox_mul_size(&n, (size_t)a->n_out, (size_t)a->taps))
        return OX_NO_MEMORY(r);
    a->index = ox_state_alloc(r, OX_MAX(n, 1), sizeof(*a->index));
    if (weights) {
        a->weight = ox_state_alloc(r, OX_MAX(n, 1), sizeof(*a->weight));
        a->weight32 = ox_state_alloc(r, OX_MAX(n, 1), sizeof(*a->weight32));
    }
    if (outside)
        a->outside = ox_state_alloc(r, (size_t)OX_MAX(a->n_out, 1), 1);
    return a->index && (!weights || (a->weight && a->weight32)) && (!outside || a->outside) ? OX_OK
                                                                                             : OX_NO_MEMORY(r);
}

ox_code ox_resize_axis_init(ox_run *r, ox_resize_axis *a, const ox_resize_rule *rule,
                            const ox_resize_span *s)
{
    bool crop = rule->coord == OX_COORD_TF_CROP_AND_RESIZE, nearest = rule->mode == OX_RESIZE_NEAREST;
    *a = (ox_resize_axis){ .n_in = s->n_in, .n_out = s->n_out, .taps = 1 };
    /* any rule maps such an axis onto itself, but for rounding */
    a->identity = s->n_in == s->n_out && s->scale == 1 && (!crop || (s->start == 0 && s->end == 1));
    if (a->identity || s->n_in == 0 || s->n_out == 0)
        return OX_OK;
    if (s->n_in > INT32_MAX)
        return OX_FAIL(r->err, OX_E_LIMIT, "a resized dimension has %lld elements", (long long)s->n_in);
    if (!nearest)
        a->taps = 2 * (int64_t)ceil(ox_resize_support(rule, s));
    OX_TRY(allocate(r, a, !nearest, crop));
    for (int64_t o = 0; o < a->n_out; o++) {
        double x = ox_resize_source(rule, s, o), last = (double)(s->n_in - 1);
        if (crop)
            a->outside[o] = !(x >= 0 && x <= last);
        x = within(x, -0x1p40, 0x1p40);
        if (nearest)
            a->index[o] = (int32_t)ox_resize_pick(rule, s, x);
        else
            fill_taps(a, rule, s, o, x);
    }
    return OX_OK;
}
