/* Which kernel serves which element type (op.h, "Widening"). */
#include "runtime/plan/plan.h"

/* Types a narrow one may be computed in, nearest first. */
static const ox_dtype float_chain[] = { OX_F32, OX_F64 };
static const ox_dtype int_chain[] = { OX_I8, OX_I16, OX_I32, OX_I64 };
static const ox_dtype uint_chain[] = { OX_U8, OX_U16, OX_U32, OX_U64, OX_I64 };

ox_run_fn *ox_kernel_find(const ox_op *op, ox_dtype t, ox_dtype *to)
{
    *to = t;
    if (op->key == OX_KEY_NONE)
        return op->run_any;
    if (t > 0 && t < OX_N_DTYPES && op->run[t])
        return op->run[t];
    if (op->run_any)
        return op->run_any;
    if (op->flags & OX_NO_WIDEN)
        return NULL;
    const ox_dtype *chain = NULL;
    size_t n = 0;
    switch (ox_dtype_class(t)) {
    case OX_CLASS_FLOAT: chain = float_chain; n = OX_COUNT(float_chain); break;
    case OX_CLASS_INT:   chain = int_chain;   n = OX_COUNT(int_chain);   break;
    case OX_CLASS_UINT:
    case OX_CLASS_BOOL:  chain = uint_chain;  n = OX_COUNT(uint_chain);  break;
    default: return NULL;
    }
    for (size_t i = 0; i < n; i++) {
        if (!op->run[chain[i]] || ox_dtype_size(chain[i]) < ox_dtype_size(t))
            continue;
        if (t == OX_U64 && chain[i] == OX_I64)
            continue;
        *to = chain[i];
        return op->run[chain[i]];
    }
    return NULL;
}

ox_dtype ox_kernel_key(const ox_run *r)
{
    int key = r->op->key;
    if (key == OX_KEY_NONE)
        return OX_UNDEFINED;
    if (key < 0)
        return r->n_out && r->out[0] ? r->out[0]->dtype : OX_UNDEFINED;
    return key < r->n_in && r->in[key] ? r->in[key]->dtype : OX_UNDEFINED;
}
