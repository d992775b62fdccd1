/* Sequences of tensors: construction, access, editing.  Elements are shared, never copied, where they
 * own counted memory. */
#include "runtime/op.h"

#include <string.h>

/* Input i as a sequence; fails naming it. */
static ox_code get_seq(const ox_run *r, int i, const ox_seq **s)
{
    if (!r->vin[i] || r->vin[i]->kind != OX_SEQUENCE)
        return OX_FAIL(r->err, OX_E_TYPE, "input %d is no sequence", i);
    *s = r->vin[i]->seq;
    return OX_OK;
}

/* Input i, a position in [-n, n] or [-n, n - 1]; `fallback` where it is absent. */
static ox_code get_position(const ox_run *r, int i, int64_t n, bool end_too, int64_t fallback, int64_t *at)
{
    *at = fallback;
    if (i >= r->n_in || !r->in[i])
        return OX_OK;
    if (ox_count(r->in[i]) != 1)
        return OX_FAIL(r->err, OX_E_SHAPE, "position is no scalar");
    int64_t given = ox_get_i64(r->in[i], 0), last = end_too ? n : n - 1;
    if (given < -n || given > last)
        return OX_FAIL(r->err, OX_E_VALUE, "position %lld outside [%lld, %lld]", (long long)given,
                       (long long)-n, (long long)last);
    *at = given < 0 ? given + n : given;
    return OX_OK;
}

static ox_code push_shared(ox_seq *to, const ox_value *v, ox_error *err)
{
    ox_value own;
    OX_TRY(ox_value_share(&own, v, err));
    return ox_seq_push(to, &own, err);
}

/* Output 0 becomes s, or s is dropped if code says so. */
static ox_code give(ox_run *r, ox_seq *s, ox_code code)
{
    if (code != OX_OK) {
        ox_seq_unref(s);
        return code;
    }
    ox_value v = { .kind = OX_SEQUENCE, .seq = s };
    ox_out_move(r, 0, &v);
    return OX_OK;
}

static ox_code infer_seq(ox_run *r)
{
    r->tout[0]->kind = OX_SEQUENCE;
    return OX_OK;
}

static ox_code run_empty(ox_run *r)
{
    ox_seq *s = ox_seq_create(0);
    return s ? give(r, s, OX_OK) : OX_NO_MEMORY(r);
}

static ox_code run_construct(ox_run *r)
{
    ox_seq *s = ox_seq_create((size_t)r->n_in);
    if (!s)
        return OX_NO_MEMORY(r);
    ox_code code = OX_OK;
    for (int i = 0; i < r->n_in && code == OX_OK; i++)
        code = push_shared(s, r->vin[i], r->err);
    return give(r, s, code);
}

static ox_code infer_at(ox_run *r)
{
    const ox_type *elem = r->tin[0]->elem;
    r->tout[0]->kind = OX_TENSOR;
    if (elem)
        r->out[0]->dtype = elem->dtype;
    return OX_OK;
}

static ox_code run_at(ox_run *r)
{
    const ox_seq *s = NULL;
    int64_t at;
    ox_value v;
    OX_TRY(get_seq(r, 0, &s));
    OX_TRY(get_position(r, 1, (int64_t)ox_seq_size(s), false, 0, &at));
    OX_TRY(ox_value_share(&v, ox_seq_at(s, (size_t)at), r->err));
    ox_out_move(r, 0, &v);
    return OX_OK;
}

static ox_code run_insert(ox_run *r)
{
    const ox_seq *s = NULL;
    int64_t at;
    OX_TRY(get_seq(r, 0, &s));
    int64_t n = (int64_t)ox_seq_size(s);
    OX_TRY(get_position(r, 2, n, true, n, &at));
    ox_seq *to = ox_seq_create((size_t)n + 1);
    if (!to)
        return OX_NO_MEMORY(r);
    ox_code code = OX_OK;
    for (int64_t i = 0; i <= n && code == OX_OK; i++) {
        if (i == at)
            code = push_shared(to, r->vin[1], r->err);
        if (i < n && code == OX_OK)
            code = push_shared(to, ox_seq_at(s, (size_t)i), r->err);
    }
    return give(r, to, code);
}

static ox_code run_erase(ox_run *r)
{
    const ox_seq *s = NULL;
    int64_t at;
    OX_TRY(get_seq(r, 0, &s));
    int64_t n = (int64_t)ox_seq_size(s);
    if (n == 0)
        return OX_FAIL(r->err, OX_E_VALUE, "the sequence is empty");
    OX_TRY(get_position(r, 1, n, false, n - 1, &at));
    ox_seq *to = ox_seq_create((size_t)n);
    if (!to)
        return OX_NO_MEMORY(r);
    ox_code code = OX_OK;
    for (int64_t i = 0; i < n && code == OX_OK; i++)
        if (i != at)
            code = push_shared(to, ox_seq_at(s, (size_t)i), r->err);
    return give(r, to, code);
}

static ox_code infer_length(ox_run *r)
{
    r->out[0]->dtype = OX_I64;
    ox_out_shape(r, 0, 0, NULL);
    return OX_OK;
}

static ox_code run_length(ox_run *r)
{
    const ox_seq *s = NULL;
    OX_TRY(get_seq(r, 0, &s));
    *(int64_t *)r->out[0]->data = (int64_t)ox_seq_size(s);
    return OX_OK;
}

#define SEQUENCE(Name, since, infer_fn, run_fn)                                                    \
    OX_OP(Name, since) .infer = infer_fn, .run_any = run_fn, .key = OX_KEY_NONE,                   \
        .error = { ERR_EXACT, 0 } OX_END;
SEQUENCE(SequenceEmpty, 11, infer_seq, run_empty)
SEQUENCE(SequenceConstruct, 11, infer_seq, run_construct)
SEQUENCE(SequenceAt, 11, infer_at, run_at)
SEQUENCE(SequenceInsert, 11, infer_seq, run_insert)
SEQUENCE(SequenceErase, 11, infer_seq, run_erase)
SEQUENCE(SequenceLength, 11, infer_length, run_length)
