/* If and Loop: subgraphs run through ox_call_graph; everything they give is moved to the outputs.
 * Loop's scan outputs are stacked along a new first dimension. */
#include "kernels/control/stack.h"

#include <string.h>

/* Where the condition follows from shapes, as in what PyTorch makes of squeeze(dim), so do the outputs. */
static void infer_taken(ox_run *r, int n)
{
    const ox_tensor *cond = r->in[0], *out[64];
    if (!ox_in_known(r, 0) || !cond || cond->dtype != OX_BOOL || ox_count(cond) != 1 ||
        !ox_graph_shapes(r, *(const uint8_t *)cond->data ? "then_branch" : "else_branch", out, n))
        return;
    for (int i = 0; i < n; i++) {
        if (!r->out[i])
            continue;
        r->tout[i]->kind = r->vout[i]->kind = OX_TENSOR;
        r->out[i]->dtype = out[i]->dtype;
        ox_out_shape(r, i, out[i]->rank, out[i]->dim);
    }
}

static ox_code infer_if(ox_run *r)
{
    const ox_type *a[64], *b[64];
    int n = OX_MIN(r->n_out, 64);
    OX_TRY(ox_graph_types(r, "then_branch", NULL, 0, a, n));
    OX_TRY(ox_graph_types(r, "else_branch", NULL, 0, b, n));
    for (int i = 0; i < n; i++) {
        if (!r->tout[i] || !a[i] || !b[i] || a[i]->kind != b[i]->kind)
            continue;
        r->tout[i]->kind = a[i]->kind;
        if (a[i]->kind == OX_TENSOR && a[i]->dtype == b[i]->dtype)
            r->out[i]->dtype = a[i]->dtype;
    }
    infer_taken(r, n);
    return OX_OK;
}

static ox_code scalar_bool(const ox_run *r, const ox_tensor *t, const char *what, bool *value)
{
    if (!t || t->dtype != OX_BOOL || ox_count(t) != 1)
        return OX_FAIL(r->err, OX_E_SHAPE, "%s is not one bool", what);
    *value = *(const uint8_t *)t->data != 0;
    return OX_OK;
}

static void release_all(ox_value *v, int n)
{
    for (int i = 0; i < n; i++)
        ox_value_release(&v[i]);
}

static ox_code run_if(ox_run *r)
{
    bool cond = false;
    OX_TRY(scalar_bool(r, r->in[0], "cond", &cond));
    ox_value *out = ox_scratch_array(r, (size_t)r->n_out, sizeof(*out));
    if (!out)
        return OX_NO_MEMORY(r);
    OX_TRY(ox_call_graph(r, cond ? "then_branch" : "else_branch", NULL, 0, out, r->n_out));
    ox_code code = OX_OK;
    for (int i = 0; i < r->n_out; i++) {
        const ox_tensor *y = r->out[i];
        if (!y || y->rank < 0) {
            ox_out_move(r, i, &out[i]);
            continue;
        }
        if (out[i].kind != OX_TENSOR || !ox_shape_same(&out[i].t, y)) /* it has its place already: see infer_taken */
            code = OX_FAIL(r->err, OX_E_SHAPE, "output %d of the branch has another shape than planned", i);
        else if (ox_bytes(y))
            memcpy(y->data, out[i].t.data, ox_bytes(y));
        ox_value_release(&out[i]);
    }
    return code;
}

/* ---- Loop ---- */
typedef struct loop {
    int       n_state, n_scan;
    ox_value *in;   /* iteration, condition, states */
    ox_value *out;  /* condition, states, scan outputs */
    ox_stack *scan;
    int64_t   count;
} loop;

static ox_code loop_init(ox_run *r, loop *l)
{
    int n_in = ox_graph_n_in(r, "body"), n_out = ox_graph_n_out(r, "body");
    l->n_state = OX_MAX(r->n_in - 2, 0);
    l->n_scan = n_out - 1 - l->n_state;
    if (n_in != l->n_state + 2 || l->n_scan < 0 || r->n_out > l->n_state + l->n_scan)
        return OX_FAIL(r->err, OX_E_GRAPH, "the body has %d inputs and %d outputs for %d carried values",
                       n_in, n_out, l->n_state);
    l->in = ox_scratch_array(r, (size_t)n_in, sizeof(*l->in));
    l->out = ox_scratch_array(r, (size_t)n_out, sizeof(*l->out));
    l->scan = ox_scratch_array(r, (size_t)l->n_scan + 1, sizeof(*l->scan));
    if (!l->in || !l->out || !l->scan)
        return OX_NO_MEMORY(r);
    memset(l->in, 0, (size_t)n_in * sizeof(*l->in));
    memset(l->scan, 0, ((size_t)l->n_scan + 1) * sizeof(*l->scan));
    for (int i = 0; i < l->n_state; i++)
        if (r->vin[i + 2])
            OX_TRY(ox_value_share(&l->in[i + 2], r->vin[i + 2], r->err));
    return OX_OK;
}

/* One turn: states are replaced by what the body gives, scan outputs are collected. */
static ox_code turn(ox_run *r, loop *l, int64_t *iteration, uint8_t *cond)
{
    l->in[0] = (ox_value){ .kind = OX_TENSOR, .t = { .dtype = OX_I64, .data = iteration } };
    l->in[1] = (ox_value){ .kind = OX_TENSOR, .t = { .dtype = OX_BOOL, .data = cond } };
    OX_TRY(ox_call_graph(r, "body", l->in, l->n_state + 2, l->out, 1 + l->n_state + l->n_scan));
    bool go_on = true;
    ox_code code = scalar_bool(r, l->out[0].kind == OX_TENSOR ? &l->out[0].t : NULL, "the body's condition",
                               &go_on);
    *cond = go_on;
    ox_value_release(&l->out[0]);
    for (int i = 0; i < l->n_state; i++) {
        ox_value_release(&l->in[i + 2]);
        l->in[i + 2] = l->out[1 + i];
    }
    for (int i = 0; i < l->n_scan; i++) {
        ox_value *v = &l->out[1 + l->n_state + i];
        if (code == OX_OK)
            code = ox_stack_push(&l->scan[i], v, r->err);
        else
            ox_value_release(v);
    }
    return code;
}

static ox_code loop_finish(ox_run *r, loop *l)
{
    const ox_type **types = ox_scratch_array(r, (size_t)(1 + l->n_state + l->n_scan), sizeof(*types));
    if (!types)
        return OX_NO_MEMORY(r);
    OX_TRY(ox_graph_types(r, "body", NULL, 0, types, 1 + l->n_state + l->n_scan));
    for (int i = 0; i < l->n_state; i++)
        ox_out_move(r, i, &l->in[i + 2]);
    for (int i = 0; i < l->n_scan; i++) {
        ox_value v;
        OX_TRY(ox_stack_join(&v, &l->scan[i], 0, false, types[1 + l->n_state + i], r->err));
        ox_out_move(r, l->n_state + i, &v);
    }
    return OX_OK;
}

static ox_code run_loop(ox_run *r)
{
    loop l = { 0 };
    int64_t trips = INT64_MAX, i = 0;
    bool start = true;
    if (r->n_in > 0 && r->in[0])
        trips = ox_get_i64(r->in[0], 0);
    if (r->n_in > 1 && r->in[1])
        OX_TRY(scalar_bool(r, r->in[1], "cond", &start));
    uint8_t cond = start;
    ox_code code = loop_init(r, &l);
    for (; code == OX_OK && i < trips && cond; i++)
        code = turn(r, &l, &i, &cond);
    if (code == OX_OK)
        code = loop_finish(r, &l);
    if (l.scan) {
        release_all(l.in + 2, l.n_state);
        for (int k = 0; k < l.n_scan; k++)
            ox_stack_release(&l.scan[k]);
    }
    return code;
}

OX_OP(If, 1) .infer = infer_if, .run_any = run_if, .key = OX_KEY_NONE, .flags = OX_CONTROL,
    .error = { ERR_EXACT, 0 } OX_END;
OX_OP(Loop, 1) .infer = ox_infer_none, .run_any = run_loop, .key = OX_KEY_NONE, .flags = OX_CONTROL,
    .error = { ERR_EXACT, 0 } OX_END;
