/* Causes that are an order: of axes, of channels, of operands. */
#include "verify/explain.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* to: v of shape dim with its axes in the order perm. */
static void permute(double *to, const double *v, int rank, const int64_t *dim, const int *perm)
{
    int64_t stride[OX_MAX_RANK], at[OX_MAX_RANK] = { 0 }, n = 1, offset = 0;
    for (int i = rank - 1; i >= 0; i--) {
        stride[i] = n;
        n *= dim[i];
    }
    for (int64_t k = 0; k < n; k++) {
        to[k] = v[offset];
        for (int i = rank - 1; i >= 0; i--) {
            offset += stride[perm[i]];
            if (++at[i] < dim[perm[i]])
                break;
            offset -= stride[perm[i]] * dim[perm[i]];
            at[i] = 0;
        }
    }
}

static void permutations(ox_probe *p, const double *v, const ox_tensor *shape, const char *of)
{
    int perm[OX_MAX_RANK], rank = shape->rank;
    double *y = ox_probe_new(p, p->n);
    if (!y || !v || rank < 2 || rank > 6 || (size_t)ox_count(shape) != p->n)
        return;
    for (int i = 0; i < rank; i++)
        perm[i] = i;
    while (ox_next_permutation(perm, rank)) {
        char what[200];
        size_t used = (size_t)snprintf(what, sizeof what, "with the axes of %s in the order", of);
        for (int i = 0; i < rank; i++)
            used += (size_t)snprintf(what + used, sizeof what - used, " %d", perm[i]);
        permute(y, v, rank, shape->dim, perm);
        ox_probe_score(p, y, what);
    }
}

static bool reads_graph_input(const ox_probe *p)
{
    const ox_node *n = p->s->node;
    return n->n_in > 0 && n->in[0] >= 0 && ox_probe_graph(p)->value[n->in[0]].producer < 0 &&
           !ox_probe_is_constant(p, 0);
}

/* The node on its input with two axes of the same size exchanged. */
static void input_axes(ox_probe *p)
{
    const ox_tensor *x = ox_probe_input(p, 0);
    const double *v = ox_probe_values(p, 0);
    double *y = v ? ox_probe_new(p, (size_t)ox_count(x)) : NULL;
    for (int i = 0; y && i < x->rank; i++)
        for (int j = i + 1; j < x->rank; j++) {
            int perm[OX_MAX_RANK];
            char what[100];
            if (x->dim[i] != x->dim[j] || x->dim[i] < 2)
                continue;
            for (int k = 0; k < x->rank; k++)
                perm[k] = k == i ? j : k == j ? i : k;
            permute(y, v, x->rank, x->dim, perm);
            snprintf(what, sizeof what, "with the axes %d and %d of its input exchanged", i, j);
            ox_probe_with_input(p, 0, y, what);
        }
}

void ox_cause_layout(ox_probe *p)
{
    if (p->truth)
        permutations(p, p->truth, p->s->r->out[p->s->out], "its output");
    if (ox_probe_is(p, "DepthToSpace")) {
        ox_probe_with_word(p, "mode", "DCR");
        ox_probe_with_word(p, "mode", "CRD");
    }
    if (reads_graph_input(p))
        input_axes(p);
}

void ox_cause_reshape_transpose(ox_probe *p)
{
    const ox_tensor *in = ox_probe_input(p, 0), *out = p->s->r->out[p->s->out];
    const double *x = ox_probe_values(p, 0);
    if (!x || (size_t)ox_count(in) != p->n)
        return;
    if (!ox_probe_is(p, "Transpose"))
        permutations(p, x, in, "its input (a transpose, not a reshape)");
    else if (!ox_shape_same(in, out)) /* else a layout: a reshape would do nothing at all */
        ox_probe_score(p, x, "if it only changes the shape and moves nothing");
}

static void reorder_channels(double *to, const double *v, const ox_tensor *x, int axis,
                             const int *perm)
{
    int64_t outer = ox_numel(x, 0, axis), n = x->dim[axis];
    int64_t inner = ox_numel(x, axis + 1, x->rank);
    for (int64_t o = 0; o < outer; o++)
        for (int64_t c = 0; c < n; c++)
            memcpy(to + (o * n + c) * inner, v + (o * n + (perm ? perm[c] : n - 1 - c)) * inner,
                   (size_t)inner * sizeof(*to));
}

void ox_cause_channel_order(ox_probe *p)
{
    const ox_tensor *x = ox_probe_input(p, 0);
    const double *v = ox_probe_values(p, 0);
    double *y = v ? ox_probe_new(p, (size_t)ox_count(x)) : NULL;
    if (!y || x->rank < 3 || !(reads_graph_input(p) || ox_probe_is(p, "Conv")))
        return;
    for (int axis = 1; axis < x->rank; axis += x->rank - 2) {
        int perm[] = { 0, 1, 2, 3 }, n = (int)OX_MIN(x->dim[axis], 1000);
        reorder_channels(y, v, x, axis, NULL);
        ox_probe_with_input(p, 0, y, "with the channels of its input reversed (RGB and BGR)");
        while (n <= 4 && ox_next_permutation(perm, n)) {
            char what[100];
            int used = snprintf(what, sizeof what, "with the channels of its input in the order");
            for (int i = 0; i < n; i++)
                used += snprintf(what + used, sizeof what - (size_t)used, " %d", perm[i]);
            reorder_channels(y, v, x, axis, perm);
            ox_probe_with_input(p, 0, y, what);
        }
    }
}

/* One term of the affine function that the node is: its output for one channel, of x or of ones.
 * axis -1: all elements are one channel. */
static double *channel_term(ox_probe *p, const double *v, int axis, int64_t channel, bool ones,
                            const double *zero)
{
    const ox_tensor *x = ox_probe_input(p, 0);
    int64_t outer = axis < 0 ? 1 : ox_numel(x, 0, axis), n = axis < 0 ? 1 : x->dim[axis];
    int64_t inner = ox_numel(x, axis + 1, x->rank);
    const double **in = ox_probe_inputs(p);
    double *part = ox_probe_new(p, (size_t)ox_count(x)), *y = NULL;
    for (int64_t o = 0; part && o < outer; o++)
        for (int64_t i = 0; i < inner; i++) {
            int64_t at = (o * n + channel) * inner + i;
            part[at] = ones ? 1 : v[at];
        }
    if (in && part) {
        in[0] = part;
        y = ox_probe_outcome(p, in);
    }
    for (size_t i = 0; y && i < p->n; i++)
        y[i] -= zero[i];
    return y;
}

static void describe_affine(char *what, size_t size, const double *coef, int64_t channels)
{
    bool alike = true;
    for (int64_t c = 1; c < channels; c++)
        alike &= fabs(coef[2 * c] - coef[0]) < 1e-4 * fabs(coef[0]) &&
                 fabs(coef[2 * c + 1] - coef[1]) < 1e-4 * (fabs(coef[1]) + fabs(coef[0]));
    int64_t shown = alike ? 1 : OX_MIN(channels, 4);
    int used = snprintf(what, size, "with its input times");
    for (int64_t c = 0; c < shown; c++)
        used += snprintf(what + used, size - (size_t)used, " %.5g", coef[2 * c]);
    used += snprintf(what + used, size - (size_t)used, " plus");
    for (int64_t c = 0; c < shown; c++) {
        double plus = fabs(coef[2 * c + 1]) < 1e-5 * fabs(coef[2 * c]) ? 0 : coef[2 * c + 1];
        used += snprintf(what + used, size - (size_t)used, " %.5g", plus);
    }
    if (!alike)
        snprintf(what + used, size - (size_t)used, " (by channel%s)",
                 shown < channels ? ", and so on" : "");
}

enum { MOST_CHANNELS = 12 };

/* Factor and summand of each channel of `axis`; -1: the same for all. */
static void normalised_along(ox_probe *p, int axis)
{
    const ox_tensor *x = ox_probe_input(p, 0);
    const double *v = ox_probe_values(p, 0);
    int64_t channels = axis < 0 ? 1 : x->dim[axis];
    const double **in = ox_probe_inputs(p);
    double *none = ox_probe_new(p, (size_t)ox_count(x)), *zero;
    double *term[2 * MOST_CHANNELS], coef[2 * MOST_CHANNELS];
    if (!v || !in || !none || channels > MOST_CHANNELS)
        return;
    in[0] = none;
    if (!(zero = ox_probe_outcome(p, in)))
        return;
    for (int64_t c = 0; c < channels; c++)
        for (int ones = 0; ones < 2; ones++)
            if (!(term[2 * c + ones] = channel_term(p, v, axis, c, ones, zero)))
                return;
    size_t k = 2 * (size_t)channels;
    double *y = ox_fit_terms(p, zero, term, k, coef);
    char what[300];
    describe_affine(what, sizeof what, coef, channels);
    if (y)
        ox_probe_score_fit(p, y, k, what);
}

/* The reference's input is another affine function of the picture for each channel: solved for. */
void ox_cause_input_normalisation(ox_probe *p)
{
    const ox_tensor *x = ox_probe_input(p, 0);
    if (!x || !reads_graph_input(p) || !ox_is_float(x->dtype) || x->rank < 1)
        return;
    normalised_along(p, -1);
    if (x->rank > 2) {
        normalised_along(p, 1);
        normalised_along(p, x->rank - 1);
    }
}

void ox_cause_each_axis(ox_probe *p)
{
    const ox_tensor *x = ox_probe_input(p, 0);
    const ox_op *old = ox_op_find("", p->s->node->op_type, 1);
    for (int i = 0; x && i < x->rank; i++)
        ox_probe_with_int(p, "axis", i);
    if (old && old != p->s->r->op && old->since < 13)
        ox_probe_replay(p, old, p->s->node, p->s->in,
                        "as before opset 13, where all axes behind `axis` are one");
}

void ox_cause_operands(ox_probe *p)
{
    const ox_sighting *s = p->s;
    const double **in = ox_probe_inputs(p);
    if (!in || s->r->n_in != 2 || !ox_probe_input(p, 0) || !ox_probe_input(p, 1))
        return;
    const ox_tensor *tensors[] = { s->r->in[1], s->r->in[0] };
    ox_run r = *s->r;
    in[0] = s->in[1];
    in[1] = s->in[0];
    r.in = tensors;
    ox_probe_replay_run(p, &r, s->node, in, "with its operands exchanged");
}
