/* Every type variable of an operator is judged: the one that decides, by the kernels there are; the
 * others, by what those can read.  `make conformance-types` runs every combination. */
#include "runtime/plan/support.h"
#include "runtime/plan/plan.h"

/* The parameter whose element type picks the kernel; NULL where the operator has none. */
static const ox_schema_param *deciding(const ox_schema *s, const ox_op *op)
{
    int key = op ? op->key : OX_KEY_IN0;
    if (key >= 0 && s->n_in > 0)
        return ox_schema_in(s, key);
    if (key == OX_KEY_NONE && s->n_in > 0)
        return ox_schema_in(s, 0);
    return ox_schema_out(s, 0);
}

/* Kernels that are not templates of one type move or convert whatever the schema lets in; typed ones
 * read their further arguments by conversion, which strings and complex numbers do not have. */
static bool reads(const ox_op *op, ox_dtype t)
{
    return op->run_any || (op->flags & OX_SHAPE_ONLY) || ox_dtype_converts(t);
}

static void judge(ox_support *s, const char *name, const ox_typeset *t, bool decides)
{
    if (s->n_var == OX_SUPPORT_VARS)
        return;
    ox_support_var *v = &s->var[s->n_var++];
    const ox_op *op = s->op;
    *v = (ox_support_var){ .name = name, .types = t->tensor };
    v->other = t->seq || t->opt || t->opt_seq || t->map_i64 || t->map_str || t->seq_map_i64 || t->seq_map_str;
    v->other_served = op && op->run_any;
    for (int k = 1; op && k < OX_N_DTYPES; k++) {
        ox_dtype to;
        if ((t->tensor >> k & 1) && (decides ? ox_kernel_find(op, (ox_dtype)k, &to) != NULL : reads(op, (ox_dtype)k)))
            v->served |= (uint64_t)1 << k;
    }
}

static bool is_used(const ox_schema *s, int var)
{
    for (int i = 0; i < s->n_in; i++)
        if (s->in[i].var == var)
            return true;
    for (int i = 0; i < s->n_out; i++)
        if (s->out[i].var == var)
            return true;
    return false;
}

bool ox_support_at(size_t i, ox_support *out)
{
    if (i >= ox_schema_count())
        return false;
    const ox_schema *s = ox_schema_at(i);
    *out = (ox_support){ .schema = s, .op = ox_op_find(s->domain, s->name, s->since) };
    const ox_schema_param *p = deciding(s, out->op);
    if (p)
        judge(out, p->var >= 0 ? s->var[p->var].name : p->name, p->types, true);
    for (int v = 0; v < s->n_var; v++)
        if (is_used(s, v) && !(p && p->var == v))
            judge(out, s->var[v].name, s->var[v].types, false);
    return true;
}
