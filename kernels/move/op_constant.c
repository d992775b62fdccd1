/* Constant in all its forms: a tensor, a sparse tensor (made dense), or numbers and strings. */
#include "runtime/op.h"

#include <string.h>

static const char *const forms[] = { "value", "sparse_value", "value_float", "value_floats", "value_int",
                                     "value_ints", "value_string", "value_strings", NULL };

static ox_code which(const ox_run *r, int *form)
{
    int found = 0;
    for (int i = 0; forms[i]; i++)
        if (ox_attr_given(r, forms[i])) {
            *form = i;
            found++;
        }
    return found == 1 ? OX_OK
                      : OX_FAIL(r->err, OX_E_GRAPH, "%d of the value attributes are given, expected 1", found);
}

static ox_code infer(ox_run *r)
{
    static const ox_dtype dtype[] = { 0, 0, OX_F32, OX_F32, OX_I64, OX_I64, OX_STR, OX_STR };
    int form = 0, n = 0;
    int64_t dim = 0;
    OX_TRY(which(r, &form));
    if (form == 0) {
        const ox_tensor *t = ox_attr_tensor(r, "value");
        if (!t)
            return OX_FAIL(r->err, OX_E_GRAPH, "attribute value is no tensor");
        r->out[0]->dtype = t->dtype;
        ox_out_shape(r, 0, t->rank, t->dim);
        return OX_OK;
    }
    if (form == 1) {
        const ox_value *s = ox_attr_sparse(r, "sparse_value");
        if (!s || !s->seq || ox_seq_size(s->seq) < 2)
            return OX_FAIL(r->err, OX_E_GRAPH, "attribute sparse_value is no sparse tensor");
        const ox_tensor *shape = &ox_seq_at(s->seq, 1)->t;
        int64_t d[OX_MAX_RANK];
        for (int i = 0; i < (int)ox_count(shape); i++)
            d[i] = ox_get_i64(shape, i);
        r->out[0]->dtype = s->t.dtype;
        ox_out_shape(r, 0, (int)ox_count(shape), d);
        return OX_OK;
    }
    r->out[0]->dtype = dtype[form];
    switch (form) {
    case 3: ox_attr_f32s(r, forms[form], &n); break;
    case 5: ox_attr_i64s(r, forms[form], &n); break;
    case 7: ox_attr_strs(r, forms[form], &n); break;
    default: break;
    }
    dim = n;
    ox_out_shape(r, 0, form % 2 ? 1 : 0, &dim);
    return OX_OK;
}

/* Non-zero elements at linear or per-axis indices; those were checked against the shape at load. */
static ox_code densify(ox_run *r, const ox_value *s)
{
    const ox_tensor *index = &ox_seq_at(s->seq, 0)->t;
    ox_tensor *y = r->out[0];
    size_t size = ox_dtype_size(y->dtype);
    int64_t n = ox_count(&s->t), total = ox_count(y);
    memset(y->data, 0, ox_bytes(y));
    for (int64_t i = 0; i < n; i++) {
        int64_t at = 0;
        for (int d = 0; d < y->rank && index->rank == 2; d++)
            at = at * y->dim[d] + ox_get_i64(index, i * y->rank + d);
        if (index->rank == 1)
            at = ox_get_i64(index, i);
        if (at < 0 || at >= total)
            return OX_FAIL(r->err, OX_E_VALUE, "sparse index %lld outside %lld elements", (long long)at,
                           (long long)total);
        memcpy((char *)y->data + (size_t)at * size, (const char *)s->t.data + (size_t)i * size, size);
    }
    return OX_OK;
}

static void fill_f32(ox_tensor *y, const float *v, size_t n)
{
    if (y->dtype == OX_F64) /* --precision f64 */
        ox_to_f64(y->data, v, OX_F32, n);
    else
        memcpy(y->data, v, n * sizeof(*v));
}

static ox_code run(ox_run *r)
{
    int form = 0, n;
    ox_tensor *y = r->out[0];
    OX_TRY(which(r, &form));
    switch (form) {
    case 0: {
        const ox_tensor *t = ox_attr_tensor(r, "value");
        if (t->dtype == y->dtype)
            memcpy(y->data, t->data, ox_bytes(t));
        else
            ox_to_f64(y->data, t->data, t->dtype, (size_t)ox_count(t));
        return OX_OK;
    }
    case 1: return densify(r, ox_attr_sparse(r, "sparse_value"));
    case 2: fill_f32(y, &(float){ (float)ox_attr_f64(r, "value_float") }, 1); return OX_OK;
    case 3: {
        const float *v = ox_attr_f32s(r, "value_floats", &n);
        fill_f32(y, v, (size_t)n);
        return OX_OK;
    }
    case 4: *(int64_t *)y->data = ox_attr_i64(r, "value_int"); return OX_OK;
    case 5: memcpy(y->data, ox_attr_i64s(r, "value_ints", &n), ox_bytes(y)); return OX_OK;
    case 6: {
        const char *s = ox_attr_str(r, "value_string");
        *(ox_str *)y->data = (ox_str){ s, strlen(s) };
        return OX_OK;
    }
    default: memcpy(y->data, ox_attr_strs(r, "value_strings", &n), ox_bytes(y)); return OX_OK;
    }
}

OX_OP(Constant, 1) .infer = infer, .run_any = run, .key = OX_KEY_NONE, .error = { ERR_EXACT, 0 } OX_END;
