/* Element types of a node's outputs, by the schema's type variables. */
#include "runtime/exec/internal.h"

#include <string.h>

/* The double twin of a float type under --precision f64; storage-only types stay what they are. */
static ox_dtype precise(const ox_step *t, ox_dtype d)
{
    bool wide = t->run.f64 && (d == OX_F32 || d == OX_F16 || d == OX_BF16);
    return wide ? OX_F64 : d;
}

static ox_dtype only_type(uint64_t mask)
{
    if (!mask || (mask & (mask - 1)))
        return OX_UNDEFINED;
    for (int i = 1; i < OX_N_DTYPES; i++)
        if (mask >> i & 1)
            return (ox_dtype)i;
    return OX_UNDEFINED;
}

/* The static type that binds variable `var`: that of the first input present which names it. */
static const ox_type *binding(const ox_step *t, int var)
{
    for (int i = 0; i < t->run.n_in; i++) {
        const ox_schema_param *p = ox_schema_in(t->frame.node->schema, i);
        if (p && p->var == var && t->tin[i] && t->tin[i]->kind != OX_NONE)
            return t->tin[i];
    }
    return NULL;
}

void ox_step_output_types(ox_step *t)
{
    const ox_schema *schema = t->frame.node->schema;
    for (int i = 0; i < t->run.n_out; i++) {
        if (!t->vout[i])
            continue;
        ox_type type = { .rank = -1 };
        const ox_schema_param *p = schema ? ox_schema_out(schema, i) : NULL;
        const ox_type *same = p && p->var >= 0 && !(p->variadic && !p->homogeneous)
                                  ? binding(t, p->var) : NULL;
        if (same) {
            type = *same;
            type.rank = -1;
        } else if (p) {
            const ox_typeset *set = p->types;
            ox_dtype d = only_type(set->tensor);
            if (d && !set->seq && !set->opt && !set->opt_seq) {
                type.kind = OX_TENSOR;
                type.dtype = precise(t, d);
            } else if (!set->seq && !set->opt && !set->opt_seq && set->tensor &&
                       !set->map_i64 && !set->map_str) {
                type.kind = OX_TENSOR; /* which type, infer must say */
            } else if (!set->tensor && !set->opt && !set->opt_seq &&
                       (set->seq || set->seq_map_i64 || set->seq_map_str)) {
                type.kind = OX_SEQUENCE;
            } else if (!set->tensor && (set->map_i64 || set->map_str)) {
                type.kind = OX_MAP;
            }
        } else if (t->run.n_in && t->tin[0]) {
            type.kind = OX_TENSOR;
            type.dtype = t->tin[0]->dtype;
        }
        *t->tout[i] = type;
        memset(t->vout[i], 0, sizeof(*t->vout[i]));
        t->vout[i]->kind = type.kind;
        t->out[i]->dtype = type.kind == OX_TENSOR ? type.dtype : OX_UNDEFINED;
        t->out[i]->rank = -1;
    }
}

ox_code ox_step_infer(ox_step *t, ox_error *err)
{
    t->run.err = err;
    ox_step_output_types(t);
    OX_TRY(t->run.op->infer(&t->run));
    for (int i = 0; i < t->run.n_out; i++) {
        if (!t->vout[i])
            continue;
        ox_tensor *out = t->out[i];
        out->dtype = precise(t, out->dtype);
        if (t->tout[i]->kind != OX_TENSOR)
            continue;
        if (!out->dtype && out->rank >= 0)
            return OX_FAIL(err, OX_E_TYPE, "the element type of output %d is not decided", i);
        t->tout[i]->dtype = out->dtype;
        t->tout[i]->rank = out->rank;
        memcpy(t->tout[i]->dim, out->dim, sizeof(out->dim));
    }
    return OX_OK;
}

/* One argument against its schema parameter. */
static bool type_allowed(const ox_typeset *set, const ox_type *type)
{
    uint64_t bit = (uint64_t)1 << type->dtype;
    switch (type->kind) {
    case OX_TENSOR:
        return ((set->tensor | set->opt) & bit) != 0; /* a full optional is its content */
    case OX_SEQUENCE:
        if (type->elem && type->elem->kind == OX_TENSOR && type->elem->dtype)
            return ((set->seq | set->opt_seq) >> type->elem->dtype & 1) != 0;
        return set->seq || set->opt_seq || set->seq_map_i64 || set->seq_map_str;
    case OX_MAP: return set->map_i64 || set->map_str;
    default: return true;
    }
}

/* Input types against the schema; unknown types pass, the run decides. */
ox_code ox_step_check_types(ox_step *t, ox_error *err)
{
    const ox_schema *schema = t->frame.node->schema;
    if (!schema || t->run.f64)
        return OX_OK;
    char text[256];
    for (int i = 0; i < t->run.n_in; i++) {
        const ox_schema_param *p = ox_schema_in(schema, i);
        if (!p || !t->tin[i] || (t->tin[i]->kind == OX_TENSOR && !t->tin[i]->dtype))
            continue;
        if (!type_allowed(p->types, t->tin[i]))
            return OX_FAIL(err, OX_E_TYPE, "input %d (%s) is %s, which %s-%d does not allow", i, p->name,
                           ox_type_text(text, sizeof(text), t->tin[i]), schema->name, schema->since);
        const ox_type *bound = p->var >= 0 && !(p->variadic && !p->homogeneous) ? binding(t, p->var) : NULL;
        if (bound && bound->kind == OX_TENSOR && t->tin[i]->kind == OX_TENSOR && bound->dtype &&
            bound->dtype != t->tin[i]->dtype)
            return OX_FAIL(err, OX_E_TYPE, "input %d (%s) is %s but an input of the same type is %s", i,
                           p->name, ox_dtype_name(t->tin[i]->dtype), ox_dtype_name(bound->dtype));
    }
    return OX_OK;
}
