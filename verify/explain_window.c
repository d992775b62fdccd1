/* Causes in what a window reads: pads, strides, dilations, groups. */
#include "verify/explain.h"

#include <math.h>
#include <string.h>

void ox_cause_padding(ox_probe *p)
{
    int n;
    const int64_t *pads = ox_attr_i64s(p->s->r, "pads", &n);
    int64_t v[2 * OX_MAX_RANK];
    if (!pads || n < 2 || n > 2 * OX_MAX_RANK)
        return;
    for (int variant = 0; variant < 3; variant++) {
        for (int i = 0; i < n / 2; i++) {
            int64_t a = pads[i], b = pads[i + n / 2];
            v[i] = variant == 0 ? b : variant == 1 ? a + b : 0;
            v[i + n / 2] = variant == 0 ? a : variant == 1 ? 0 : a + b;
        }
        ox_probe_with_ints(p, "pads", v, n);
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

static void spatial(ox_probe *p, const char *name)
{
    const ox_tensor *x = ox_probe_input(p, 0);
    int64_t v[OX_MAX_RANK];
    for (int64_t k = 1; x && k <= 4; k++) {
        for (int i = 0; i < x->rank - 2; i++)
            v[i] = k;
        ox_probe_with_ints(p, name, v, x->rank - 2);
    }
}

void ox_cause_dilation(ox_probe *p) { spatial(p, "dilations"); }
void ox_cause_stride(ox_probe *p) { spatial(p, "strides"); }

void ox_cause_group(ox_probe *p)
{
    const ox_tensor *w = ox_probe_input(p, 1);
    for (int64_t g = 1; w && g <= w->dim[0] && g <= 64; g *= 2)
        ox_probe_with_int(p, "group", g);
}
