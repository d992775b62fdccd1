#include "kernels/elementwise/legacy.h"

#include <string.h>

ox_code ox_legacy_view(const ox_run *r, ox_tensor *view)
{
    const ox_tensor *a = r->in[0], *b = r->in[1];
    *view = *b;
    bool same = ox_shape_same(a, b);
    if (same)
        return OX_OK;
    if (!ox_attr_i64(r, "broadcast") && ox_shape_known(b) && ox_count(b) == 1) {
        view->rank = 0; /* not said by ONNX, but written by its own expanded functions */
        return OX_OK;
    }
    if (!ox_attr_i64(r, "broadcast"))
        return OX_FAIL(r->err, OX_E_SHAPE, "shapes differ and attribute broadcast is 0");
    int axis = a->rank - b->rank;
    if (b->rank > a->rank)
        return OX_FAIL(r->err, OX_E_SHAPE, "B has rank %d, more than A's %d", b->rank, a->rank);
    if (ox_attr_given(r, "axis")) {
        int64_t given = ox_attr_i64(r, "axis");
        if (given < -a->rank || (given < 0 ? given + a->rank : given) > axis)
            return OX_FAIL(r->err, OX_E_SHAPE, "axis %lld leaves no room for B of rank %d in A of rank %d",
                           (long long)given, b->rank, a->rank);
        axis = (int)(given < 0 ? given + a->rank : given);
    }
    for (int d = 0; d < b->rank; d++)
        if (b->dim[d] != 1 && b->dim[d] != a->dim[axis + d])
            return OX_FAIL(r->err, OX_E_SHAPE, "B's dimension %d is %lld, A's dimension %d is %lld", d,
                           (long long)b->dim[d], axis + d, (long long)a->dim[axis + d]);
    view->rank = a->rank - axis; /* trailing ones: numpy aligns the rest */
    for (int d = 0; d < view->rank; d++)
        view->dim[d] = d < b->rank ? b->dim[d] : 1;
    return OX_OK;
}

ox_code ox_infer_legacy(ox_run *r)
{
    ox_tensor view;
    OX_TRY(ox_legacy_view(r, &view));
    ox_out_shape(r, 0, r->in[0]->rank, r->in[0]->dim);
    return OX_OK;
}

ox_code ox_map2_versioned(ox_run *r, ox_loop2 *loop, const void *params, int numpy_since)
{
    if (r->since >= numpy_since)
        return ox_map2(r, loop, params);
    ox_tensor view;
    OX_TRY(ox_legacy_view(r, &view));
    return ox_map2_of(r, r->in[0], &view, r->out[0], loop, params);
}

ox_code ox_map2_oracle_versioned(ox_oracle *o, ox_exact2 *fn, const void *params, int numpy_since)
{
    if (o->r->since >= numpy_since)
        return ox_map2_oracle(o, fn, params);
    ox_tensor view;
    OX_TRY(ox_legacy_view(o->r, &view));
    ox_run r = *o->r;
    const ox_tensor *in[2] = { r.in[0], &view };
    r.in = in;
    ox_oracle legacy = { &r, o->in, o->out, o->mag };
    return ox_map2_oracle(&legacy, fn, params);
}
