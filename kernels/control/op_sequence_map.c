/* SequenceMap: the body once for every element of the first sequence; other sequences are walked along,
 * tensors handed on whole. */
#include "runtime/op.h"

#include <string.h>

static ox_code infer(ox_run *r)
{
    for (int i = 0; i < r->n_out; i++)
        if (r->tout[i])
            r->tout[i]->kind = OX_SEQUENCE;
    return OX_OK;
}

static ox_code map_one(ox_run *r, size_t at, ox_value *in, ox_value *out, ox_seq **to)
{
    for (int i = 0; i < r->n_in; i++) {
        const ox_value *v = r->vin[i];
        if (v->kind == OX_SEQUENCE && at >= ox_seq_size(v->seq))
            return OX_FAIL(r->err, OX_E_SHAPE, "input %d has %zu elements, the first has more", i,
                           ox_seq_size(v->seq));
        in[i] = v->kind == OX_SEQUENCE ? *ox_seq_at(v->seq, at) : *v; /* borrowed for the call */
    }
    OX_TRY(ox_call_graph(r, "body", in, r->n_in, out, r->n_out));
    ox_code code = OX_OK;
    for (int i = 0; i < r->n_out; i++) {
        if (code == OX_OK)
            code = ox_seq_push(to[i], &out[i], r->err);
        else
            ox_value_release(&out[i]);
    }
    return code;
}

static ox_code run(ox_run *r)
{
    if (!r->vin[0] || r->vin[0]->kind != OX_SEQUENCE)
        return OX_FAIL(r->err, OX_E_TYPE, "input 0 is no sequence");
    size_t n = ox_seq_size(r->vin[0]->seq);
    ox_value *in = ox_scratch_array(r, (size_t)r->n_in, sizeof(*in));
    ox_value *out = ox_scratch_array(r, (size_t)r->n_out, sizeof(*out));
    ox_seq **to = ox_scratch_array(r, (size_t)r->n_out, sizeof(*to));
    if (!in || !out || !to)
        return OX_NO_MEMORY(r);
    ox_code code = OX_OK;
    for (int i = 0; i < r->n_out; i++)
        if (!(to[i] = ox_seq_create(n)))
            code = OX_NO_MEMORY(r);
    for (size_t k = 0; k < n && code == OX_OK; k++)
        code = map_one(r, k, in, out, to);
    for (int i = 0; i < r->n_out; i++) {
        ox_value v = { .kind = OX_SEQUENCE, .seq = to[i] };
        if (code == OX_OK)
            ox_out_move(r, i, &v);
        else
            ox_seq_unref(to[i]);
    }
    return code;
}

OX_OP(SequenceMap, 17) .infer = infer, .run_any = run, .key = OX_KEY_NONE, .flags = OX_CONTROL,
    .error = { ERR_EXACT, 0 } OX_END;
