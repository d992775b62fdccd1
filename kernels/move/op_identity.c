/* Identity of any value: a tensor is handed on as a view, other kinds by reference. */
#include "runtime/op.h"

static ox_code infer(ox_run *r)
{
    *r->tout[0] = *r->tin[0];
    if (r->in[0] && r->tin[0]->kind == OX_TENSOR) {
        r->out[0]->dtype = r->in[0]->dtype;
        ox_out_shape(r, 0, r->in[0]->rank, r->in[0]->dim);
    }
    return OX_OK;
}

static ox_code run(ox_run *r)
{
    ox_value v;
    OX_TRY(ox_value_share(&v, r->vin[0], r->err));
    ox_out_move(r, 0, &v);
    return OX_OK;
}

OX_OP(Identity, 1) .infer = infer, .run_any = run, .key = OX_KEY_NONE, .flags = OX_VIEW | OX_SYMBOLIC,
    .error = { ERR_EXACT, 0 } OX_END;
