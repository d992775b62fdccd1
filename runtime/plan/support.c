#include "runtime/plan/support.h"
#include "runtime/plan/plan.h"

/* The argument whose element type picks the kernel; NULL where the operator has none. */
static const ox_schema_param *deciding(const ox_schema *s, const ox_op *op)
{
    int key = op ? op->key : OX_KEY_IN0;
    if (key >= 0 && s->n_in > 0)
        return ox_schema_in(s, key);
    if (key == OX_KEY_NONE && s->n_in > 0)
        return ox_schema_in(s, 0);
    return ox_schema_out(s, 0);
}

bool ox_support_at(size_t i, ox_support *out)
{
    if (i >= ox_schema_count())
        return false;
    const ox_schema *s = ox_schema_at(i);
    *out = (ox_support){ .schema = s, .op = ox_op_find(s->domain, s->name, s->since) };
    const ox_schema_param *p = deciding(s, out->op);
    if (!p)
        return true;
    const ox_typeset *t = p->types;
    out->types = t->tensor;
    out->other = t->seq || t->opt || t->opt_seq || t->map_i64 || t->map_str || t->seq_map_i64 ||
                 t->seq_map_str;
    if (!out->op)
        return true;
    bool any = out->op->run_any != NULL;
    out->other_served = any;
    for (int k = 1; k < OX_N_DTYPES; k++) {
        ox_dtype to;
        if ((t->tensor >> k & 1) && ox_kernel_find(out->op, (ox_dtype)k, &to))
            out->served |= (uint64_t)1 << k;
    }
    return true;
}
