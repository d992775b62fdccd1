/* Weights other than the model's, solved for: a linear node with more rows than unknowns must have
 * had them.  They are fitted to some of the rows and have to hold for all. */
#include "verify/explain.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MOST_UNKNOWNS = 800, ROWS_MORE = 48 };

typedef struct linear {
    int64_t       k;          /* unknowns behind one output channel, the bias not counted */
    int64_t       rows, channels; /* of one group */
    int64_t       groups;
    const double *x;
    /* a convolution's */
    const ox_tensor *in, *out;
    int              axes;
    bool             transposed;
    int64_t          kernel[3], stride[3], dilation[3], pad[3];
} linear;

static int64_t attr_at(const ox_run *r, const char *name, int i, int64_t otherwise)
{
    int n;
    const int64_t *v = ox_attr_i64s(r, name, &n);
    return v && i < n ? v[i] : otherwise;
}

static bool describe_conv(ox_probe *p, linear *l)
{
    const ox_run *r = p->s->r;
    const ox_tensor *w = ox_probe_input(p, 1);
    const char *word = ox_attr_str(r, "auto_pad");
    l->in = ox_probe_input(p, 0);
    l->out = r->out[p->s->out];
    if (!w || !l->in || l->in->rank < 3 || l->in->rank > 5)
        return false;
    l->axes = l->in->rank - 2;
    l->groups = OX_MAX(ox_attr_i64(r, "group"), 1);
    l->transposed = ox_probe_is(p, "ConvTranspose");
    bool same = word && strncmp(word, "SAME", 4) == 0;
    if (l->transposed && (same || ox_attr_given(r, "output_shape")))
        return false;
    l->channels = l->out->dim[1] / l->groups;
    l->rows = l->out->dim[0] * ox_numel(l->out, 2, l->out->rank);
    l->k = l->transposed ? w->dim[0] / l->groups : w->dim[1];
    l->k *= ox_numel(w, 2, w->rank);
    for (int i = 0; i < l->axes; i++) {
        l->kernel[i] = w->dim[i + 2];
        l->stride[i] = attr_at(r, "strides", i, 1);
        l->dilation[i] = attr_at(r, "dilations", i, 1);
        int64_t total = (l->out->dim[i + 2] - 1) * l->stride[i] +
                        (l->kernel[i] - 1) * l->dilation[i] + 1 - l->in->dim[i + 2];
        int64_t pads = OX_MAX(total, 0) + (same && strcmp(word, "SAME_LOWER") == 0);
        l->pad[i] = same ? pads / 2 : attr_at(r, "pads", i, 0);
    }
    return true;
}

static bool describe_product(ox_probe *p, linear *l)
{
    const ox_tensor *x = ox_probe_input(p, 0), *w = ox_probe_input(p, 1);
    const ox_tensor *y = p->s->r->out[p->s->out];
    if (!x || !w || w->rank != 2 || x->rank < 1 || y->rank < 1 || ox_attr_i64(p->s->r, "transA"))
        return false;
    l->k = x->dim[x->rank - 1];
    l->channels = y->dim[y->rank - 1];
    l->rows = l->k ? ox_count(x) / l->k : 0;
    l->groups = 1;
    return true;
}

/* The row's inputs to the channels of group g: its window. */
static void gather(const linear *l, int64_t g, int64_t row, double *to)
{
    if (!l->in) {
        memcpy(to, l->x + row * l->k, (size_t)l->k * sizeof(*to));
        return;
    }
    int64_t per = 1, size = ox_numel(l->in, 2, l->in->rank), c_in = l->in->dim[1] / l->groups;
    int64_t o[3], at = row, batch;
    for (int i = l->axes - 1; i >= 0; i--) {
        o[i] = at % l->out->dim[i + 2];
        at /= l->out->dim[i + 2];
        per *= l->kernel[i];
    }
    batch = at;
    for (int64_t t = 0; t < per; t++) {
        int64_t rest = t, offset = 0, stride = 1;
        bool inside = true;
        for (int i = l->axes - 1; i >= 0; i--) {
            int64_t reach = rest % l->kernel[i] * l->dilation[i], x;
            if (l->transposed) { /* x stride + reach - pad = o */
                x = o[i] + l->pad[i] - reach;
                inside &= x % l->stride[i] == 0;
                x = x < 0 ? -1 : x / l->stride[i];
            } else {
                x = o[i] * l->stride[i] - l->pad[i] + reach;
            }
            rest /= l->kernel[i];
            inside &= x >= 0 && x < l->in->dim[i + 2];
            offset += x * stride;
            stride *= l->in->dim[i + 2];
        }
        for (int64_t c = 0; c < c_in; c++)
            to[c * per + t] =
                inside ? l->x[((batch * l->groups + g) * c_in + c) * size + offset] : 0;
    }
}

/* Where the channel's value of the row lies in the output. */
static size_t place(const linear *l, int64_t g, int64_t row, int64_t channel)
{
    if (!l->in)
        return (size_t)(row * l->channels + channel);
    int64_t size = ox_numel(l->out, 2, l->out->rank), batch = row / size;
    return (size_t)((batch * l->out->dim[1] + g * l->channels + channel) * size + row % size);
}

static bool fit_group(ox_probe *p, const linear *l, int64_t g, double *y)
{
    size_t k = (size_t)l->k + 1, m = (size_t)l->channels;
    double *a = ox_probe_new(p, k * k), *b = ox_probe_new(p, k * m), *v = ox_probe_new(p, k);
    int64_t used = OX_MIN(l->rows, 2 * l->k + ROWS_MORE);
    if (!a || !b || !v)
        return false;
    v[l->k] = 1;
    for (int64_t i = 0; i < used; i++) {
        int64_t row = i * (l->rows / used) + i % OX_MAX(l->rows / used, 1);
        gather(l, g, row, v);
        for (size_t s = 0; s < k; s++) {
            for (size_t t = 0; t <= s && v[s] != 0; t++)
                a[s * k + t] += v[s] * v[t];
            for (size_t c = 0; c < m && v[s] != 0; c++)
                b[s * m + c] += v[s] * p->ref[place(l, g, row, (int64_t)c)];
        }
    }
    if (!ox_solve(a, b, k, m))
        return false;
    for (int64_t row = 0; row < l->rows; row++) {
        gather(l, g, row, v);
        for (size_t c = 0; c < m; c++) {
            double sum = 0;
            for (size_t s = 0; s < k; s++)
                sum += v[s] * b[s * m + c];
            y[place(l, g, row, (int64_t)c)] = sum;
        }
    }
    return true;
}

void ox_cause_stale(ox_probe *p)
{
    linear l = { 0 };
    bool conv = ox_probe_is(p, "Conv") || ox_probe_is(p, "ConvTranspose");
    if (!p->truth || !ox_probe_is_constant(p, 1) || ox_probe_is_constant(p, 0) ||
        !(conv ? describe_conv(p, &l) : describe_product(p, &l)))
        return;
    double *y = ox_probe_new(p, p->n);
    if (l.rows < l.k + l.k / 4 + 3)
        snprintf(p->hint, sizeof p->hint,
                 "; its weights may differ: %lld rows do not determine %lld unknowns, a larger "
                 "input would", (long long)l.rows, (long long)l.k + 1);
    if (!y || l.k < 1 || l.k > MOST_UNKNOWNS || l.rows < l.k + l.k / 4 + 3 ||
        (size_t)(l.rows * l.channels * l.groups) != p->n || !(l.x = ox_probe_values(p, 0)))
        return;
    for (int64_t g = 0; g < l.groups; g++)
        if (!fit_group(p, &l, g, y))
            return;
    ox_probe_score_fit(p, y, (size_t)((l.k + 1) * l.channels * l.groups),
                       "with other weights or another bias, solved for");
}
