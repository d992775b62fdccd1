/* PRelu: slope * x where x < 0.  Since opset 7 the slope broadcasts to x like numpy; before, a slope of
 * one dimension belongs to x's channels (its second dimension). */
#ifdef T /* ---- once per dtype: see runtime/tensor/each_dtype.h ---- */

#if IS_FLOAT && BITS == 32
#define LOOP ox_used_loop2(r)
#else
#define LOOP FN(loop)
#if IS_SIGNED
OX_LOOP2(FN(loop), T, T, T, a < 0 ? (C)((W)a * (W)b) : a)
#else
OX_LOOP2(FN(loop), T, T, T, a)
#endif
#endif
static ox_code FN(run)(ox_run *r)
{
    ox_tensor slope = slope_view(r);
    return ox_map2_of(r, r->in[0], &slope, r->out[0], LOOP, NULL);
}
#undef LOOP

#else /* ---- once ---- */
#include "kernels/elementwise/loop2.h"
#include "runtime/op.h"

static ox_tensor slope_view(const ox_run *r)
{
    const ox_tensor *x = r->in[0];
    ox_tensor view = *r->in[1];
    if (r->since < 7 && view.rank == 1 && x->rank > 1 && view.dim[0] == x->dim[1]) {
        view.rank = x->rank - 1;
        for (int i = 1; i < view.rank; i++)
            view.dim[i] = 1;
    }
    return view;
}

/* x decides the shape; the slope must broadcast to it. */
static ox_code infer(ox_run *r)
{
    const ox_tensor *x = r->in[0];
    ox_tensor slope = slope_view(r);
    int rank = x->rank;
    int64_t dim[OX_MAX_RANK];
    memcpy(dim, x->dim, sizeof(dim));
    OX_TRY(ox_broadcast(r, &rank, dim, slope.rank, slope.dim));
    for (int i = 0; i < rank; i++)
        if (rank != x->rank || (x->dim[i] >= 0 && dim[i] != x->dim[i])) {
            char a[128], b[128];
            return OX_FAIL(r->err, OX_E_SHAPE, "slope %s does not broadcast to x %s",
                           ox_shape_text(b, sizeof(b), r->in[1]), ox_shape_text(a, sizeof(a), x));
        }
    ox_out_shape(r, 0, x->rank, x->dim);
    return OX_OK;
}

static ox_code prepare(ox_run *r) { return ox_use_loop2(r, OX_LOOP2_prelu); }

static double exact(double a, double b, const void *params)
{
    (void)params;
    return a < 0 ? a * b : a;
}
static ox_code oracle(ox_oracle *o)
{
    ox_tensor slope = slope_view(o->r);
    ox_run r = *o->r;
    const ox_tensor *in[2] = { r.in[0], &slope };
    r.in = in;
    ox_oracle viewed = { &r, o->in, o->out, o->mag };
    return ox_map2_oracle(&viewed, exact, NULL);
}

#define TYPES (MASK_FLOAT | M_I32 | M_I64 | M_U32 | M_U64)
#define TMPL  "kernels/elementwise/op_prelu.c"
#include "runtime/tensor/each_dtype.h"

OX_OP(PRelu, 1) .infer = infer, .prepare = prepare, .run = { KERNELS_FLOAT(run), [OX_I32] = run_i32,
    [OX_I64] = run_i64, [OX_U32] = run_u32, [OX_U64] = run_u64 }, .oracle = oracle,
    .error = { ERR_ULP, 0.5 }, .state_size = sizeof(ox_loop2 *), .flags = OX_INPLACE0 | OX_SYMBOLIC OX_END;
#endif
