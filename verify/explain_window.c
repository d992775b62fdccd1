/* Causes in what a window reads: pads, strides, dilations, groups. */
#include "verify/explain.h"

#include <stdio.h>
#include <string.h>

static bool padded_by_word(const ox_probe *p)
{
    const char *word = ox_attr_str(p->s->r, "auto_pad");
    return word && *word && strcmp(word, "NOTSET") != 0;
}

/* The node's pads, begins before ends.  The number of spatial axes; 0: it is padded by a word. */
static int own_pads(const ox_probe *p, int64_t *v)
{
    const ox_tensor *x = ox_probe_input(p, 0);
    int n, axes = x ? x->rank - 2 : 0;
    const int64_t *pads = ox_attr_i64s(p->s->r, "pads", &n);
    if (axes < 1 || axes > 3 || padded_by_word(p))
        return 0;
    for (int i = 0; i < 2 * axes; i++)
        v[i] = pads && n == 2 * axes ? pads[i] : 0;
    return axes;
}

void ox_cause_padding(ox_probe *p)
{
    int64_t pads[6], v[6];
    int axes = own_pads(p, pads);
    for (int variant = 0; variant < 5 && axes; variant++) {
        for (int i = 0; i < axes; i++) {
            int64_t a = pads[i], b = pads[i + axes], both = a + b;
            int64_t begin[] = { b, both, 0, both / 2, 0 };
            v[i] = begin[variant];
            v[i + axes] = variant == 4 ? 0 : both - v[i];
        }
        ox_probe_with_ints(p, "pads", v, 2 * axes);
    }
}

void ox_cause_auto_pad(ox_probe *p)
{
    static const char *const word[] = { "SAME_UPPER", "SAME_LOWER", "VALID" };
    for (int i = 0; i < 3; i++)
        ox_probe_with_word(p, "auto_pad", word[i]);
}

void ox_cause_ceil_mode(ox_probe *p) { ox_probe_toggle(p, "ceil_mode"); }
void ox_cause_count_pad(ox_probe *p) { ox_probe_toggle(p, "count_include_pad"); }

static int kernel_of(const ox_probe *p, int64_t *k)
{
    int n;
    const int64_t *own = ox_attr_i64s(p->s->r, "kernel_shape", &n);
    const ox_tensor *w = ox_probe_input(p, 1);
    if (!own && w)
        n = w->rank - 2;
    for (int i = 0; i < n && i < 3; i++)
        k[i] = own ? own[i] : w->dim[i + 2];
    return n > 3 ? 0 : n;
}

static int64_t attr_at(const ox_probe *p, const char *name, int i)
{
    int n;
    const int64_t *v = ox_attr_i64s(p->s->r, name, &n);
    return v && i < n ? v[i] : 1;
}

/* Other dilations, with the same pads and with those that keep the size. */
void ox_cause_dilation(ox_probe *p)
{
    int64_t pads[6] = { 0 }, kernel[3], d[3], v[6];
    int axes = kernel_of(p, kernel), padded = own_pads(p, pads);
    for (int64_t k = 1; k <= 4 && axes > 0; k++) {
        for (int i = 0; i < axes; i++) {
            d[i] = kernel[i] > 1 ? k : 1;
            int64_t more = (d[i] - attr_at(p, "dilations", i)) * (kernel[i] - 1);
            v[i] = pads[i] + more / 2;
            v[i + axes] = pads[i + axes] + more - more / 2;
        }
        ox_probe_with_ints(p, "dilations", d, axes);
        ox_attr both[] = {
            { .name = "dilations", .kind = OX_ATTR_INTS, .n = axes, .ints = d },
            { .name = "pads", .kind = OX_ATTR_INTS, .n = 2 * axes, .ints = v },
        };
        char what[100];
        snprintf(what, sizeof what, "with dilations of %lld and the pads that keep its size",
                 (long long)k);
        if (padded == axes)
            ox_probe_with_attrs(p, both, 2, what);
    }
}

void ox_cause_stride(ox_probe *p)
{
    int64_t kernel[3], v[3];
    int axes = kernel_of(p, kernel), all = 1;
    for (int i = 0; i < axes; i++)
        all *= 4;
    for (int k = 0; k < all && axes > 0 && axes < 3; k++) {
        v[0] = k % 4 + 1;
        v[1] = k / 4 + 1;
        ox_probe_with_ints(p, "strides", v, axes);
    }
}

/* v with the channels of `axis` dealt out to g groups, or collected from them. */
static void interleave(double *to, const double *v, const ox_tensor *x, int axis, int64_t g)
{
    int64_t outer = ox_numel(x, 0, axis), n = x->dim[axis], m = n / g;
    int64_t inner = ox_numel(x, axis + 1, x->rank);
    for (int64_t o = 0; o < outer; o++)
        for (int64_t c = 0; c < n; c++)
            memcpy(to + (o * n + c) * inner, v + (o * n + c % m * g + c / m) * inner,
                   (size_t)inner * sizeof(*to));
}

static void interleaved(ox_probe *p, int64_t groups)
{
    const ox_tensor *x = ox_probe_input(p, 0), *y = p->s->r->out[p->s->out];
    const double *v = ox_probe_values(p, 0);
    double *in = v ? ox_probe_new(p, (size_t)ox_count(x)) : NULL;
    double *out = p->truth ? ox_probe_new(p, p->n) : NULL;
    int64_t c[] = { x->dim[1], y->dim[1] };
    for (int side = 0; side < 2; side++) {
        int64_t g[] = { groups, c[side] / groups };
        for (int k = 0; k < 2; k++) {
            if (g[k] < 2 || c[side] % g[k] || c[side] == g[k])
                continue;
            if (side == 0 && in) {
                interleave(in, v, x, 1, g[k]);
                ox_probe_with_input(p, 0, in,
                                    "with its input channels dealt out to the groups in turn");
            } else if (side == 1 && out) {
                interleave(out, p->truth, y, 1, g[k]);
                ox_probe_score(p, out, "with its output channels dealt out to the groups in turn");
            }
        }
    }
}

void ox_cause_group(ox_probe *p)
{
    const ox_tensor *w = ox_probe_input(p, 1), *x = ox_probe_input(p, 0);
    int64_t own = ox_attr_i64(p->s->r, "group");
    for (int64_t g = 1; w && g <= w->dim[0] && g <= 64; g++)
        if (g != own && w->dim[0] % g == 0)
            ox_probe_with_int(p, "group", g);
    if (x && w && x->rank > 2 && p->s->r->out[p->s->out]->rank == x->rank && own > 1)
        interleaved(p, own);
}
