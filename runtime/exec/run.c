/* Running a plan: static steps call their kernel; dynamic ones are inferred and prepared first. */
#include "runtime/exec/internal.h"
#include "runtime/base/log.h"

#include <string.h>

void ox_error_node(ox_error *err, const ox_node *n)
{
    if (!err || err->node[0])
        return;
    snprintf(err->node, sizeof(err->node), "%s", n->name);
    if (n->schema)
        snprintf(err->op, sizeof(err->op), "%s-%d", n->op_type, n->schema->since);
    else
        snprintf(err->op, sizeof(err->op), "%s", n->op_type);
}

/* ---- widening ---- */
static const ox_tensor *widen_shape(ox_tensor *copy, const ox_tensor *t, ox_dtype to)
{
    *copy = *t;
    copy->dtype = to;
    copy->data = NULL;
    copy->buf = NULL;
    return copy;
}

static void convert(ox_dtype to_type, void *to, ox_dtype from_type, const void *from, size_t n)
{
    ox_class wide = ox_dtype_class(to_type), narrow = ox_dtype_class(from_type);
    if (n == 0)
        return;
    if (wide == OX_CLASS_FLOAT && to_type == OX_F32)
        ox_to_f32(to, from, from_type, n);
    else if (wide == OX_CLASS_FLOAT && to_type == OX_F64)
        ox_to_f64(to, from, from_type, n);
    else if (narrow == OX_CLASS_FLOAT && from_type == OX_F32)
        ox_from_f32(to, from, to_type, n);
    else if (narrow == OX_CLASS_FLOAT && from_type == OX_F64)
        ox_from_f64(to, from, to_type, n);
    else { /* integers, by way of int64 in blocks */
        int64_t block[256];
        size_t from_size = ox_dtype_size(from_type), to_size = ox_dtype_size(to_type);
        for (size_t at = 0; at < n; at += 256) {
            size_t m = OX_MIN(n - at, (size_t)256);
            ox_to_i64(block, (const char *)from + at * from_size, from_type, m);
            ox_from_i64((char *)to + at * to_size, block, to_type, m);
        }
    }
}

/* The run as the kernel sees it: tensors of the narrow type replaced by shapes of the wide one. */
static ox_run widened_run(ox_step *t)
{
    ox_widened *w = t->wide;
    ox_run r = t->run;
    for (int i = 0; i < r.n_in; i++) {
        const ox_tensor *x = t->in[i];
        w->in[i] = x && x->dtype == w->from && !w->in_fixed[i] ? widen_shape(&w->in_copy[i], x, w->to)
                   : w->in_fixed[i] ? &w->in_copy[i] : x;
        if (w->in[i] == &w->in_copy[i]) /* the copy dies with the plan: nothing may be kept by its address */
            r.in_const &= ~((uint64_t)1 << (i & 63));
    }
    for (int i = 0; i < r.n_out; i++) {
        ox_tensor *y = t->out[i];
        w->out[i] = y;
        if (y && y->dtype == w->from) {
            widen_shape(&w->out_copy[i], y, w->to);
            w->out[i] = &w->out_copy[i];
        }
    }
    r.in = w->in;
    r.out = w->out;
    return r;
}

static ox_code widened_inputs(ox_step *t, ox_run *r, bool constants_only)
{
    ox_widened *w = t->wide;
    for (int i = 0; i < r->n_in; i++) {
        if (r->in[i] != &w->in_copy[i] || w->in_fixed[i] || !t->in[i]->data)
            continue;
        bool constant = i < 64 && (t->run.in_const >> i & 1);
        if (constants_only && !constant)
            continue;
        size_t n = (size_t)ox_count(t->in[i]), size = ox_dtype_size(w->to);
        bool keep = constants_only && t->is_static;
        void *data = keep ? ox_state_alloc(r, OX_MAX(n, 1), size) : ox_scratch_array(r, OX_MAX(n, 1), size);
        if (!data)
            return OX_NO_MEMORY(r);
        convert(w->to, data, w->from, t->in[i]->data, n);
        w->in_copy[i].data = data;
        w->in_fixed[i] = keep;
    }
    return OX_OK;
}

static ox_code widened_call(ox_step *t, ox_error *err)
{
    ox_widened *w = t->wide;
    ox_run r = widened_run(t);
    r.err = err;
    OX_TRY(widened_inputs(t, &r, false));
    for (int i = 0; i < r.n_out; i++) {
        if (!r.out[i] || r.out[i] != &w->out_copy[i] || t->out[i]->rank < 0)
            continue;
        w->out_copy[i].data = ox_scratch_array(&r, (size_t)OX_MAX(ox_count(t->out[i]), 1),
                                               ox_dtype_size(w->to));
        if (!w->out_copy[i].data)
            return OX_NO_MEMORY(&r);
    }
    ox_code code = t->fn(&r);
    for (int i = 0; i < r.n_out; i++) {
        ox_tensor *wide = &w->out_copy[i];
        if (!r.out[i] || r.out[i] != wide)
            continue;
        if (code == OX_OK && t->out[i]->rank < 0) /* the kernel allocated the wide one */
            code = ox_out_alloc(&t->run, i, wide->rank, wide->dim);
        if (code == OX_OK)
            convert(w->from, t->out[i]->data, w->to, wide->data, (size_t)ox_count(t->out[i]));
        ox_tensor_release(wide);
    }
    return code;
}

/* ---- one step ---- */
ox_code ox_step_prepare(ox_step *t, ox_error *err)
{
    const ox_op *op = t->run.op;
    t->run.err = err;
    OX_TRY(ox_step_kernel(t, err));
    if (!t->is_static && op->state_size) {
        if (!(t->run.state = ox_scratch(&t->run, op->state_size)))
            return OX_NO_MEMORY(&t->run);
        memset(t->run.state, 0, op->state_size);
    }
    if (!t->wide)
        return op->prepare ? op->prepare(&t->run) : OX_OK;
    memset(t->wide->in_fixed, 0, (size_t)t->run.n_in * sizeof(bool));
    ox_run r = widened_run(t);
    OX_TRY(widened_inputs(t, &r, true));
    ox_code code = op->prepare ? op->prepare(&r) : OX_OK;
    t->run.state = r.state;
    t->run.kernel = r.kernel;
    return code;
}

static bool all_empty(const ox_step *t)
{
    for (int i = 0; i < t->run.n_out; i++)
        if (t->vout[i] && (t->vout[i]->kind != OX_TENSOR || t->out[i]->rank < 0 || ox_count(t->out[i]) > 0))
            return false;
    return true;
}

ox_code ox_step_call(ox_step *t, ox_error *err)
{
    t->run.err = err;
    if (all_empty(t))
        return OX_OK;
    return t->wide ? widened_call(t, err) : t->fn(&t->run);
}


void ox_step_refresh(ox_step *t)
{
    const ox_node *n = t->frame.node;
    for (int i = 0; i < t->run.n_in; i++) {
        if (n->in[i] < 0)
            continue;
        ox_slot *s = &t->frame.plan->slot[n->in[i]];
        t->in[i] = s->v.kind == OX_TENSOR ? &s->v.t : NULL;
        if (s->v.kind == OX_TENSOR) {
            s->type.kind = OX_TENSOR;
            s->type.dtype = s->v.t.dtype;
            s->type.rank = s->v.t.rank;
            memcpy(s->type.dim, s->v.t.dim, sizeof(s->type.dim));
        }
    }
}

static ox_code allocate_outputs(ox_step *t, ox_error *err)
{
    const ox_node *n = t->frame.node;
    for (int i = 0; i < n->n_out; i++) {
        if (!t->vout[i] || t->tout[i]->kind != OX_TENSOR || t->out[i]->rank < 0)
            continue;
        ox_slot *s = &t->frame.plan->slot[n->out[i]];
        if (!ox_shape_known(t->out[i])) {
            t->out[i]->rank = -1;
            continue;
        }
        ox_tensor shape = *t->out[i];
        OX_TRY(ox_tensor_alloc(t->out[i], shape.dtype, shape.rank, shape.dim, err));
        s->owned = true;
        s->v.kind = OX_TENSOR;
    }
    return OX_OK;
}

static void drop_outputs(ox_step *t)
{
    for (int i = 0; i < t->run.n_out; i++) {
        if (!t->vout[i])
            continue;
        ox_slot *s = &t->frame.plan->slot[t->frame.node->out[i]];
        if (s->owned)
            ox_value_release(&s->v);
        s->owned = false;
    }
}

static ox_code run_dynamic(ox_step *t, ox_error *err)
{
    t->run.err = err;
    ox_step_refresh(t);
    drop_outputs(t);
    OX_TRY(ox_step_check_types(t, err));
    OX_TRY(ox_step_infer(t, err));
    bool view = (t->run.op->flags & OX_VIEW) && t->run.n_in > 0 && t->in[0] && t->out[0] && t->out[0]->rank >= 0;
    if (view)
        return ox_out_view(&t->run, 0, 0);
    OX_TRY(allocate_outputs(t, err));
    OX_TRY(ox_step_prepare(t, err));
    return ox_step_call(t, err);
}

/* Strings that a kernel does not set are empty (ox_tensor_alloc's promise for those with a buffer). */
static void clear_strings(ox_step *t)
{
    for (int i = 0; i < t->run.n_out; i++)
        if (t->out[i] && t->out[i]->dtype == OX_STR && ox_count(t->out[i]) > 0)
            memset(t->out[i]->data, 0, ox_bytes(t->out[i]));
}

static ox_code run_step(ox_step *t, ox_error *err)
{
    if (t->is_static) {
        if (t->is_view)
            return ox_out_view(&t->run, 0, 0);
        clear_strings(t);
        return ox_step_call(t, err);
    }
    return run_dynamic(t, err);
}

static void release_slots(ox_plan *p, const ox_step *t)
{
    for (int i = 0; i < t->n_release; i++) {
        ox_slot *s = &p->slot[t->release[i]];
        if (!s->owned)
            continue;
        if (s->place == OX_PLACE_VIEW) { /* shape and type stay: the step is static */
            ox_buf_unref(s->v.t.buf);
            s->v.t.buf = NULL;
        } else {
            ox_value_release(&s->v);
        }
        s->owned = false;
    }
}

static size_t step_bytes(const ox_step *t)
{
    size_t n = 0;
    for (int i = 0; i < t->run.n_in; i++)
        if (t->in[i] && t->in[i]->rank >= 0)
            n += ox_bytes(t->in[i]);
    for (int i = 0; i < t->run.n_out; i++)
        if (t->out[i] && t->out[i]->rank >= 0)
            n += ox_bytes(t->out[i]);
    return n;
}

ox_code ox_plan_run(ox_plan *p, ox_error *err)
{
    ox_session *s = p->session;
    for (size_t k = 0; k < p->n_step; k++) {
        ox_step *t = &p->step[k];
        if ((t->done || t->joined) && !s->observe) /* observers want every node's output */
            continue;
        t->run.feeder = t->feeder && !s->observe ? &t->feeder->run : NULL;
        int64_t start = s->profiling ? ox_clock_ns() : 0, outer = s->inner_ns;
        s->inner_ns = 0;
        ox_mark mark = ox_session_mark(s);
        ox_code code = t->done ? OX_OK : run_step(t, err);
        if (s->profiling && !t->done) {
            int64_t ns = ox_clock_ns() - start;
            t->profile.ns += ns - s->inner_ns; /* no time is counted twice */
            s->inner_ns = outer + ns;
            t->profile.calls++;
            t->profile.bytes += (int64_t)step_bytes(t);
            t->profile.kernel = t->run.kernel;
        }
        if (code == OX_OK && s->observe)
            code = s->observe(s->observe_ctx, p->graph, t->frame.node, &t->run);
        ox_session_release(s, mark);
        if (code != OX_OK) {
            ox_error_node(err, t->frame.node);
            return code;
        }
        release_slots(p, t);
    }
    return OX_OK;
}

void ox_plan_clear(ox_plan *p)
{
    if (!p->slot)
        return;
    for (size_t i = 0; i < p->graph->n_value; i++) {
        ox_slot *s = &p->slot[i];
        if (!s->owned || s->place == OX_PLACE_CONST)
            continue;
        if (s->place == OX_PLACE_VIEW) {
            ox_buf_unref(s->v.t.buf);
            s->v.t.buf = NULL;
        } else {
            ox_value_release(&s->v);
        }
        s->owned = false;
    }
}
