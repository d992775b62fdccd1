#include "runtime/io/match.h"

#include <stdio.h>

static bool fits(const ox_value *v, const ox_type *t)
{
    if (t->kind == OX_NONE)
        return true; /* nothing is declared */
    if (v->kind == OX_NONE)
        return t->optional;
    if (v->kind != t->kind)
        return false;
    if (v->kind != OX_TENSOR)
        return true; /* elements are judged by the operators that take them out */
    if (t->dtype != OX_UNDEFINED && v->t.dtype != t->dtype)
        return false;
    if (t->rank >= 0 && v->t.rank != t->rank)
        return false;
    for (int i = 0; i < t->rank; i++)
        if (t->dim[i] >= 0 && t->dim[i] != v->t.dim[i])
            return false;
    return true;
}

static const char *kind_text(char *buf, size_t n, const ox_value *v)
{
    char shape[200];
    switch (v->kind) {
    case OX_TENSOR:
        snprintf(buf, n, "%s%s", ox_dtype_name(v->t.dtype),
                 ox_shape_text(shape, sizeof shape, &v->t));
        break;
    case OX_SEQUENCE: snprintf(buf, n, "a sequence of %zu", ox_seq_size(v->seq)); break;
    case OX_MAP: snprintf(buf, n, "a map"); break;
    case OX_SPARSE: snprintf(buf, n, "a sparse tensor"); break;
    default: snprintf(buf, n, "nothing"); break;
    }
    return buf;
}

ox_code ox_match(const ox_value *v, const ox_type *type, const char *name, const char *declared,
                 ox_error *err)
{
    char is[240];
    if (!type || fits(v, type))
        return OX_OK;
    ox_code code = v->kind == OX_TENSOR && type->kind == OX_TENSOR && v->t.dtype == type->dtype
                       ? OX_E_SHAPE
                       : OX_E_TYPE;
    return OX_FAIL(err, code, "input \"%.100s\": is %s, the model declares %.200s%s", name,
                   kind_text(is, sizeof is, v), declared ? declared : "something else",
                   code == OX_E_TYPE && v->kind == OX_TENSOR && type->kind == OX_TENSOR
                       ? " (--cast converts)"
                       : "");
}
