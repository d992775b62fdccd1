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

bool ox_next_permutation(int *v, int n)
{
    int i = n - 2, j = n - 1;
    while (i >= 0 && v[i] >= v[i + 1])
        i--;
    if (i < 0)
        return false;
    while (v[j] <= v[i])
        j--;
    int t = v[i];
    v[i] = v[j];
    v[j] = t;
    for (i++, j = n - 1; i < j; i++, j--) {
        t = v[i];
        v[i] = v[j];
        v[j] = t;
    }
    return true;
}

static void permutations(ox_probe *p, const double *v, const ox_tensor *shape, const char *of)
{
    int perm[OX_MAX_RANK], rank = shape->rank;
    double *y = ox_arena_array(p->a, p->s->n + 1, sizeof(*y));
    for (int i = 0; i < rank; i++)
        perm[i] = i;
    if (!y || rank < 2 || rank > 5 || (size_t)ox_count(shape) != p->s->n)
        return;
    while (ox_next_permutation(perm, rank)) {
        char what[160];
        size_t used = (size_t)snprintf(what, sizeof what, "with the axes of %s in the order", of);
        for (int i = 0; i < rank; i++)
            used += (size_t)snprintf(what + used, sizeof what - used, " %d", perm[i]);
        permute(y, v, rank, shape->dim, perm);
        ox_probe_score(p, y, what);
    }
}

void ox_cause_layout(ox_probe *p)
{
    permutations(p, p->s->truth, p->s->r->out[p->s->out], "its output");
}

void ox_cause_reshape_transpose(ox_probe *p)
{
    const double *x = ox_probe_values(p, 0);
    if (!x || (size_t)ox_count(ox_probe_input(p, 0)) != p->s->n)
        return;
    if (strcmp(p->s->node->op_type, "Transpose") == 0)
        ox_probe_score(p, x, "if it only changes the shape and moves nothing");
    else
        permutations(p, x, ox_probe_input(p, 0), "its input (a transpose, not a reshape)");
}

void ox_cause_reverse_channels(ox_probe *p)
{
    const ox_tensor *x = ox_probe_input(p, 0);
    double *v = ox_probe_values(p, 0), *y;
    if (!v || x->rank < 3 || !(y = ox_probe_copy(p, v, (size_t)ox_count(x))))
        return;
    for (int axis = 1; axis < x->rank; axis += x->rank - 2) {
        int64_t outer = ox_numel(x, 0, axis), n = x->dim[axis];
        int64_t inner = ox_numel(x, axis + 1, x->rank);
        for (int64_t o = 0; o < outer; o++)
            for (int64_t c = 0; c < n; c++)
                memcpy(y + (o * n + c) * inner, v + (o * n + n - 1 - c) * inner,
                       (size_t)inner * sizeof(*y));
        ox_probe_with_input(p, 0, y, "with the channels of its input reversed (RGB and BGR)");
        if (x->rank == 2)
            break;
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
    const ox_sighting *own = p->s;
    const double **in = ox_arena_array(p->a, 2, sizeof(*in));
    if (!in || own->r->n_in != 2 || !ox_probe_input(p, 0) || !ox_probe_input(p, 1))
        return;
    const ox_tensor *tensors[] = { own->r->in[1], own->r->in[0] };
    ox_run r = *own->r;
    ox_sighting exchanged = *own;
    in[0] = own->in[1];
    in[1] = own->in[0];
    r.in = tensors;
    exchanged.r = &r;
    p->s = &exchanged;
    ox_probe_replay(p, r.op, own->node, in, "with its operands exchanged");
    p->s = own;
}
