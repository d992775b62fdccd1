/* Scan: the body runs once for every position along the scan axis of its scan inputs.
 * Version 8 has a batch dimension (0) before the sequence one (1) and optional sequence lengths; later
 * versions have neither, and an axis and a direction for every input and output. */
#include "kernels/control/stack.h"

#include <string.h>

typedef struct scan {
    int       n_state, n_scan_in, n_scan_out, first; /* first: node input where states begin */
    ox_value *in, *out;
    ox_stack *stack;
    int       axis_in[32];
    bool      back_in[32], back_out[32];
    int64_t   axis_out[32], length;
} scan;

enum { MOST = 32 };

static ox_code read_list(ox_run *r, const char *name, int n, int64_t *out)
{
    int given;
    const int64_t *v = ox_attr_i64s(r, name, &given);
    if (given && given != n)
        return OX_FAIL(r->err, OX_E_SHAPE, "%s has %d entries, expected %d", name, given, n);
    for (int i = 0; i < n; i++)
        out[i] = given ? v[i] : 0;
    return OX_OK;
}

static ox_code scan_init(ox_run *r, scan *s)
{
    int64_t v[MOST];
    int n_in = ox_graph_n_in(r, "body"), n_out = ox_graph_n_out(r, "body");
    s->first = r->since < 9 ? 1 : 0;
    int64_t n_scan_in = ox_attr_i64(r, "num_scan_inputs");
    if (n_scan_in < 1 || n_scan_in > MOST || n_scan_in > r->n_in - s->first)
        return OX_FAIL(r->err, OX_E_VALUE, "num_scan_inputs is %lld for %d inputs", (long long)n_scan_in,
                       r->n_in - s->first);
    s->n_scan_in = (int)n_scan_in;
    s->n_state = r->n_in - s->first - s->n_scan_in;
    s->n_scan_out = n_out - s->n_state;
    if (n_in != s->n_state + s->n_scan_in || s->n_scan_out < 0 || s->n_scan_out > MOST || r->n_out > n_out)
        return OX_FAIL(r->err, OX_E_GRAPH, "the body has %d inputs and %d outputs for %d states and %d scan "
                       "inputs", n_in, n_out, s->n_state, s->n_scan_in);
    OX_TRY(read_list(r, r->since < 9 ? "directions" : "scan_input_directions", s->n_scan_in, v));
    for (int i = 0; i < s->n_scan_in; i++)
        s->back_in[i] = v[i] != 0;
    OX_TRY(read_list(r, "scan_output_directions", s->n_scan_out, v));
    for (int i = 0; i < s->n_scan_out; i++)
        s->back_out[i] = v[i] != 0;
    OX_TRY(read_list(r, "scan_output_axes", s->n_scan_out, s->axis_out));
    OX_TRY(read_list(r, "scan_input_axes", s->n_scan_in, v));
    for (int i = 0; i < s->n_scan_in; i++) {
        const ox_tensor *x = r->in[s->first + s->n_state + i];
        if (!x)
            return OX_FAIL(r->err, OX_E_TYPE, "scan input %d is no tensor", i);
        OX_TRY(ox_axis(r, r->since < 9 ? 1 : v[i], x->rank, &s->axis_in[i]));
        if (i && x->dim[s->axis_in[i]] != s->length)
            return OX_FAIL(r->err, OX_E_SHAPE, "scan input %d has length %lld, the first has %lld", i,
                           (long long)x->dim[s->axis_in[i]], (long long)s->length);
        s->length = x->dim[s->axis_in[i]];
    }
    s->in = ox_scratch_array(r, (size_t)n_in, sizeof(*s->in));
    s->out = ox_scratch_array(r, (size_t)n_out, sizeof(*s->out));
    s->stack = ox_scratch_array(r, (size_t)n_out + 1, sizeof(*s->stack));
    if (!s->in || !s->out || !s->stack)
        return OX_NO_MEMORY(r);
    memset(s->in, 0, (size_t)n_in * sizeof(*s->in));
    memset(s->stack, 0, ((size_t)n_out + 1) * sizeof(*s->stack));
    return OX_OK;
}

/* x at position t of its scan axis; under version 8 of batch b besides. */
static ox_code scan_input(const ox_run *r, const scan *s, int i, int64_t b, int64_t t, int64_t length,
                          ox_value *to)
{
    const ox_tensor *x = r->in[s->first + s->n_state + i];
    int64_t at = s->back_in[i] ? length - 1 - t : t;
    if (r->since >= 9)
        return ox_slice_at(to, x, s->axis_in[i], at, r->err);
    ox_value one;
    OX_TRY(ox_slice_at(&one, x, 0, b, r->err));
    ox_code code = ox_slice_at(to, &one.t, 0, at, r->err);
    ox_value_release(&one);
    return code;
}

static ox_code turn(ox_run *r, scan *s, int64_t b, int64_t t, int64_t length)
{
    for (int i = 0; i < s->n_scan_in; i++) {
        ox_value *v = &s->in[s->n_state + i];
        ox_value_release(v);
        OX_TRY(scan_input(r, s, i, b, t, length, v));
    }
    OX_TRY(ox_call_graph(r, "body", s->in, s->n_state + s->n_scan_in, s->out, s->n_state + s->n_scan_out));
    ox_code code = OX_OK;
    for (int i = 0; i < s->n_state; i++) {
        ox_value_release(&s->in[i]);
        s->in[i] = s->out[i];
    }
    for (int i = 0; i < s->n_scan_out; i++) {
        ox_value *v = &s->out[s->n_state + i];
        if (code == OX_OK)
            code = ox_stack_push(&s->stack[i], v, r->err);
        else
            ox_value_release(v);
    }
    return code;
}

static void scan_release(scan *s)
{
    for (int i = 0; s->stack && i < s->n_state + s->n_scan_in; i++)
        ox_value_release(&s->in[i]);
    for (int i = 0; s->stack && i < s->n_scan_out; i++)
        ox_stack_release(&s->stack[i]);
}

static ox_code turns(ox_run *r, scan *s, int64_t b, int64_t length)
{
    for (int i = 0; i < s->n_state; i++) {
        const ox_value *v = r->vin[s->first + i];
        ox_value_release(&s->in[i]);
        if (r->since < 9)
            OX_TRY(ox_slice_at(&s->in[i], &v->t, 0, b, r->err));
        else
            OX_TRY(ox_value_share(&s->in[i], v, r->err));
    }
    for (int64_t t = 0; t < length; t++)
        OX_TRY(turn(r, s, b, t, length));
    return OX_OK;
}

static ox_code run_9(ox_run *r, scan *s)
{
    const ox_type *types[2 * MOST] = { 0 };
    OX_TRY(turns(r, s, 0, s->length));
    OX_TRY(ox_graph_types(r, "body", NULL, 0, types, OX_MIN(s->n_state + s->n_scan_out, 2 * MOST)));
    for (int i = 0; i < s->n_state; i++)
        ox_out_move(r, i, &s->in[i]);
    for (int i = 0; i < s->n_scan_out; i++) {
        ox_value v;
        const ox_type *type = s->n_state + i < 2 * MOST ? types[s->n_state + i] : NULL;
        OX_TRY(ox_stack_join(&v, &s->stack[i], s->axis_out[i], s->back_out[i], type, r->err));
        ox_out_move(r, s->n_state + i, &v);
    }
    return OX_OK;
}

/* v, of `have` positions along dimension 0, zero-filled up to `want`. */
static ox_code pad_rows(ox_value *v, int64_t want, ox_error *err)
{
    ox_tensor full;
    int64_t dim[OX_MAX_RANK];
    if (v->t.dim[0] == want)
        return OX_OK;
    memcpy(dim, v->t.dim, sizeof(dim));
    dim[0] = want;
    OX_TRY(ox_tensor_alloc(&full, v->t.dtype, v->t.rank, dim, err));
    memset(full.data, 0, ox_bytes(&full));
    memcpy(full.data, v->t.data, ox_bytes(&v->t));
    ox_tensor_release(&v->t);
    v->t = full;
    return OX_OK;
}

static ox_code batch_8(ox_run *r, scan *s, ox_stack *all, int64_t b, const int64_t *lengths)
{
    int64_t length = lengths ? lengths[b] : s->length;
    if (length < 0 || length > s->length)
        return OX_FAIL(r->err, OX_E_VALUE, "sequence_lens[%lld] is %lld of %lld", (long long)b,
                       (long long)length, (long long)s->length);
    OX_TRY(turns(r, s, b, length));
    for (int i = 0; i < s->n_state; i++)
        OX_TRY(ox_stack_push(&all[i], &s->in[i], r->err));
    for (int i = 0; i < s->n_scan_out; i++) {
        ox_value v;
        OX_TRY(ox_stack_join(&v, &s->stack[i], 0, false, NULL, r->err));
        ox_stack_release(&s->stack[i]);
        ox_code code = pad_rows(&v, s->length, r->err);
        if (code == OX_OK)
            code = ox_stack_push(&all[s->n_state + i], &v, r->err);
        else
            ox_value_release(&v);
        OX_TRY(code);
    }
    return OX_OK;
}

static ox_code run_8(ox_run *r, scan *s)
{
    int64_t n, batch = r->in[s->first + s->n_state]->dim[0];
    const int64_t *lengths = ox_in_i64s(r, 0, &n);
    if (r->in[0] && n != batch)
        return OX_FAIL(r->err, OX_E_SHAPE, "sequence_lens has %lld entries for a batch of %lld", (long long)n,
                       (long long)batch);
    int n_all = s->n_state + s->n_scan_out;
    ox_stack *all = ox_scratch_array(r, (size_t)n_all + 1, sizeof(*all));
    if (!all)
        return OX_NO_MEMORY(r);
    memset(all, 0, ((size_t)n_all + 1) * sizeof(*all));
    ox_code code = OX_OK;
    for (int64_t b = 0; b < batch && code == OX_OK; b++)
        code = batch_8(r, s, all, b, lengths);
    for (int i = 0; i < n_all; i++) {
        ox_value v;
        if (code == OX_OK && (code = ox_stack_join(&v, &all[i], 0, false, NULL, r->err)) == OX_OK)
            ox_out_move(r, i, &v);
        ox_stack_release(&all[i]);
    }
    return code;
}

static ox_code run(ox_run *r)
{
    scan s = { 0 };
    ox_code code = scan_init(r, &s);
    if (code == OX_OK)
        code = r->since < 9 ? run_8(r, &s) : run_9(r, &s);
    scan_release(&s);
    return code;
}

OX_OP(Scan, 8) .infer = ox_infer_none, .run_any = run, .key = OX_KEY_NONE, .flags = OX_CONTROL,
    .error = { ERR_EXACT, 0 } OX_END;
