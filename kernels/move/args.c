#include "kernels/move/args.h"

ox_code ox_arg_ints(ox_run *r, int i, ox_ints *out)
{
    *out = (ox_ints){ .known = true };
    if (i >= r->n_in || !r->in[i])
        return OX_OK;
    out->given = true;
    if (!(out->known = ox_in_known(r, i)))
        return OX_OK;
    out->v = ox_in_i64s(r, i, &out->n);
    return out->v || ox_count(r->in[i]) == 0 ? OX_OK : OX_NO_MEMORY(r);
}

ox_ints ox_arg_attr(const ox_run *r, const char *name)
{
    int n;
    ox_ints a = { .v = ox_attr_i64s(r, name, &n), .known = true };
    a.n = n;
    a.given = ox_attr_given(r, name);
    return a;
}

ox_code ox_arg_scalar(ox_run *r, int i, const char *what, int64_t absent, int64_t *out)
{
    ox_ints a;
    OX_TRY(ox_arg_ints(r, i, &a));
    *out = absent;
    if (!a.given)
        return OX_OK;
    if (a.n != 1)
        return OX_FAIL(r->err, OX_E_SHAPE, "%s has %lld elements, expected 1", what,
                       (long long)a.n);
    *out = a.v[0];
    return OX_OK;
}

ox_code ox_arg_axes(const ox_run *r, const ox_ints *axes, int rank, int64_t n_default,
                    int out[OX_MAX_RANK], int *n_axes)
{
    bool seen[OX_MAX_RANK] = { false };
    int64_t n = axes->given ? axes->n : n_default;
    if (n > rank)
        return OX_FAIL(r->err, OX_E_SHAPE, "%lld axes for an input of rank %d", (long long)n, rank);
    for (int i = 0; i < n; i++) {
        out[i] = i;
        if (axes->given)
            OX_TRY(ox_axis(r, axes->v[i], rank, &out[i]));
        if (seen[out[i]])
            return OX_FAIL(r->err, OX_E_SHAPE, "axis %d is named twice", out[i]);
        seen[out[i]] = true;
    }
    *n_axes = (int)n;
    return OX_OK;
}

ox_code ox_arg_shape(const ox_run *r, const ox_ints *shape, int *rank, int64_t dim[OX_MAX_RANK])
{
    if (shape->n > OX_MAX_RANK)
        return OX_FAIL(r->err, OX_E_LIMIT, "rank %lld is more than %d", (long long)shape->n,
                       OX_MAX_RANK);
    for (int i = 0; i < shape->n; i++) {
        dim[i] = shape->v[i];
        if (dim[i] < 0)
            return OX_FAIL(r->err, OX_E_SHAPE, "dimension %d is %lld", i, (long long)dim[i]);
    }
    *rank = (int)shape->n;
    return OX_OK;
}

ox_code ox_unknown_shape(ox_run *r, int i)
{
    const ox_tensor *s = r->in[i];
    int64_t dim[OX_MAX_RANK];
    if (s->rank != 1 || s->dim[0] < 0)
        return OX_OK;
    if (s->dim[0] > OX_MAX_RANK)
        return OX_FAIL(r->err, OX_E_LIMIT, "rank %lld is more than %d", (long long)s->dim[0],
                       OX_MAX_RANK);
    for (int d = 0; d < s->dim[0]; d++)
        dim[d] = OX_DIM_UNKNOWN;
    ox_out_shape(r, 0, (int)s->dim[0], dim);
    return OX_OK;
}
