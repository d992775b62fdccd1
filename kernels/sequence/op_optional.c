/* Optional values: a full one is represented by what it holds, an empty one by OX_NONE (tensor.h). */
#include "runtime/op.h"

#include <string.h>

static ox_code infer_same(ox_run *r)
{
    if (r->n_in > 0 && r->tin[0] && r->tin[0]->kind == OX_TENSOR)
        r->out[0]->dtype = r->tin[0]->dtype;
    if (r->n_in > 0 && r->tin[0])
        r->tout[0]->kind = r->tin[0]->kind;
    return OX_OK;
}

static ox_code run_optional(ox_run *r)
{
    ox_value v = { .kind = OX_NONE };
    if (r->n_in > 0 && r->vin[0])
        OX_TRY(ox_value_share(&v, r->vin[0], r->err));
    ox_out_move(r, 0, &v);
    return OX_OK;
}

static ox_code run_get(ox_run *r)
{
    ox_value v;
    if (!r->vin[0] || r->vin[0]->kind == OX_NONE)
        return OX_FAIL(r->err, OX_E_VALUE, "the optional is empty");
    OX_TRY(ox_value_share(&v, r->vin[0], r->err));
    ox_out_move(r, 0, &v);
    return OX_OK;
}

static ox_code infer_has(ox_run *r)
{
    r->out[0]->dtype = OX_BOOL;
    ox_out_shape(r, 0, 0, NULL);
    return OX_OK;
}

static ox_code run_has(ox_run *r)
{
    *(uint8_t *)r->out[0]->data = r->n_in > 0 && r->vin[0] && r->vin[0]->kind != OX_NONE;
    return OX_OK;
}

OX_OP(Optional, 15) .infer = infer_same, .run_any = run_optional, .key = OX_KEY_NONE,
    .error = { ERR_EXACT, 0 } OX_END;
OX_OP(OptionalGetElement, 15) .infer = infer_same, .run_any = run_get, .key = OX_KEY_NONE,
    .error = { ERR_EXACT, 0 } OX_END;
OX_OP(OptionalHasElement, 15) .infer = infer_has, .run_any = run_has, .key = OX_KEY_NONE,
    .error = { ERR_EXACT, 0 } OX_END;
