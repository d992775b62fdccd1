/* Making a plan: types and shapes, folding, kernels, states, memory. */
#include "runtime/exec/internal.h"

#include <string.h>

enum { ALIGN = 64, FOLD_BYTES = 1 << 16, MAX_PLANS = 8, MAX_SUBPLANS = 4 };

/* ---- steps ---- */
static void *take(ox_plan *p, size_t n, size_t size)
{
    return ox_arena_array(p->arena, OX_MAX(n, 1), size);
}

static bool step_init(ox_plan *p, ox_step *t, const ox_node *n)
{
    size_t n_in = (size_t)n->n_in, n_out = (size_t)n->n_out;
    t->frame = (struct ox_frame){ p, n, t };
    t->in = take(p, n_in, sizeof(*t->in));
    t->vin = take(p, n_in, sizeof(*t->vin));
    t->tin = take(p, n_in, sizeof(*t->tin));
    t->out = take(p, n_out, sizeof(*t->out));
    t->vout = take(p, n_out, sizeof(*t->vout));
    t->tout = take(p, n_out, sizeof(*t->tout));
    if (!t->in || !t->vin || !t->tin || !t->out || !t->vout || !t->tout)
        return false;
    ox_session *s = p->session;
    t->run = (ox_run){
        .op = n->op, .opset = n->opset, .since = n->schema ? n->schema->since : n->op->since,
        .n_in = n->n_in, .n_out = n->n_out, .in = t->in, .out = t->out, .vin = t->vin,
        .vout = t->vout, .tin = t->tin, .tout = t->tout, .pool = s->pool, .f64 = s->options.f64,
        .optimize = s->options.optimize, .frame = &t->frame,
    };
    for (int i = 0; i < n->n_in; i++) {
        if (n->in[i] < 0)
            continue;
        ox_slot *slot = &p->slot[n->in[i]];
        t->vin[i] = &slot->v;
        t->tin[i] = &slot->type;
        if (slot->fixed && i < 64)
            t->run.in_const |= (uint64_t)1 << i;
    }
    for (int i = 0; i < n->n_out; i++) {
        if (n->out[i] < 0)
            continue;
        ox_slot *slot = &p->slot[n->out[i]];
        t->vout[i] = &slot->v;
        t->tout[i] = &slot->type;
        t->out[i] = &slot->v.t;
    }
    t->profile.node = n;
    return true;
}

/* ---- values ---- */
static void slot_set_type(ox_slot *s, const ox_type *type)
{
    s->type = *type;
    s->v.t.dtype = type->dtype;
    s->v.t.rank = type->rank;
    memcpy(s->v.t.dim, type->dim, sizeof(type->dim));
    s->v.kind = type->kind;
}

static void type_of_tensor(ox_type *type, const ox_tensor *t)
{
    *type = (ox_type){ .kind = OX_TENSOR, .dtype = t->dtype, .rank = t->rank };
    memcpy(type->dim, t->dim, sizeof(type->dim));
}

static void slot_constant(ox_slot *s, const ox_tensor *c, bool fixed)
{
    s->v.kind = OX_TENSOR;
    s->v.t = *c;
    s->v.t.buf = NULL; /* borrowed: the model or the session owns it */
    type_of_tensor(&s->type, c);
    s->place = OX_PLACE_CONST;
    s->fixed = fixed;
}

/* Slots of inputs, captures and constants. */
static ox_code seed_slots(ox_plan *p, ox_error *err)
{
    const ox_graph *g = p->graph;
    for (size_t i = 0; i < g->n_value; i++) {
        ox_slot *s = &p->slot[i];
        s->root = (int)i;
        s->type.rank = s->v.t.rank = -1;
        s->first = 0;
        if (g->value[i].constant) {
            const ox_tensor *c = ox_session_constant(p->session, g->value[i].constant, err);
            if (!c)
                return OX_FAIL(err, OX_E_NOMEM, "out of memory");
            slot_constant(s, c, true);
        } else if (g->value[i].constant_value) {
            s->v = *g->value[i].constant_value;
            s->type = g->value[i].type;
            s->place = OX_PLACE_CONST;
        }
    }
    int k = 0;
    for (int i = 0; i < g->n_in; i++, k++) {
        slot_set_type(&p->slot[g->in[i]], &p->signature[k]);
        p->slot[g->in[i]].place = OX_PLACE_INPUT;
    }
    for (size_t i = 0; i < g->n_capture; i++, k++) {
        ox_slot *s = &p->slot[g->capture[i].inner];
        const ox_slot *outer = p->parent ? &p->parent->slot[g->capture[i].outer] : NULL;
        if (outer && outer->fixed) {
            slot_constant(s, &outer->v.t, true);
            continue;
        }
        slot_set_type(s, &p->signature[k]);
        s->place = OX_PLACE_INPUT;
    }
    return OX_OK;
}

/* ---- inference ---- */
static bool inputs_known(const ox_step *t)
{
    for (int i = 0; i < t->run.n_in; i++) {
        if (!t->vin[i])
            continue;
        if (t->tin[i]->kind != OX_TENSOR || t->tin[i]->optional || !ox_shape_known(&t->vin[i]->t))
            return false;
    }
    return true;
}

static bool inputs_typed(const ox_step *t)
{
    for (int i = 0; i < t->run.n_in; i++)
        if (t->vin[i] && (t->tin[i]->kind != OX_TENSOR || t->vin[i]->t.rank < 0))
            return false;
    return true;
}

static bool inputs_constant(const ox_step *t)
{
    for (int i = 0; i < t->run.n_in; i++)
        if (t->vin[i] && !ox_in_known(&t->run, i))
            return false;
    return true;
}

static bool outputs_known(const ox_step *t)
{
    for (int i = 0; i < t->run.n_out; i++)
        if (t->vout[i] && (t->tout[i]->kind != OX_TENSOR || !ox_shape_known(&t->vout[i]->t)))
            return false;
    return true;
}

/* Computes the node now and keeps its outputs as constants of the plan. */
static ox_code fold(ox_plan *p, ox_step *t, ox_error *err)
{
    const ox_node *n = t->frame.node;
    for (int i = 0; i < n->n_out; i++) {
        if (!t->vout[i])
            continue;
        ox_slot *s = &p->slot[n->out[i]];
        ox_tensor shape = s->v.t;
        OX_TRY(ox_tensor_alloc(&s->v.t, shape.dtype, shape.rank, shape.dim, err));
        s->owned = true;
        s->v.kind = OX_TENSOR;
    }
    ox_mark mark = ox_session_mark(p->session);
    t->is_static = false;
    t->packed = 0;
    ox_code code = ox_step_settle(t, err);
    if (code == OX_OK)
        code = ox_step_prepare(t, err);
    if (code == OX_OK)
        code = ox_step_call(t, err);
    ox_session_release(p->session, mark);
    OX_TRY(code);
    for (int i = 0; i < n->n_out; i++)
        if (t->vout[i])
            p->slot[n->out[i]].place = OX_PLACE_CONST;
    t->done = true;
    return OX_OK;
}

static bool worth_folding(const ox_plan *p, const ox_step *t)
{
    const ox_op *op = t->run.op;
    if (op->flags & (OX_IMPURE | OX_CONTROL))
        return false;
    if (strcmp(op->name, "Constant") == 0)
        return true; /* always: a Constant is data, not computation */
    if (p->session->options.optimize == 0)
        return false;
    if (p->session->keep_quantised && strcmp(op->name, "DequantizeLinear") == 0)
        return false;
    size_t bytes = 0;
    for (int i = 0; i < t->run.n_out; i++)
        if (t->out[i] && (t->out[i]->dtype == OX_STR || !ox_add_size(&bytes, bytes, ox_bytes(t->out[i]))))
            return false;
    return bytes <= p->fold_bytes;
}

static ox_code plan_step(ox_plan *p, ox_step *t, bool folding, ox_error *err)
{
    const ox_op *op = t->run.op;
    ox_step_refresh(t);
    OX_TRY(ox_step_check_types(t, err));
    bool known = inputs_known(t), shape_only = (op->flags & OX_SHAPE_ONLY) != 0;
    if (!known && !((op->flags & OX_SYMBOLIC) && inputs_typed(t))) {
        ox_step_output_types(t);
        return OX_OK;
    }
    OX_TRY(ox_step_infer(t, err));
    if (!folding || !outputs_known(t) || !known)
        return OX_OK;
    int64_t n;
    for (int i = 0; i < t->run.n_out; i++)
        if (t->out[i])
            OX_TRY(ox_shape_count(&n, t->out[i]->dtype, t->out[i]->rank, t->out[i]->dim, err));
    if ((inputs_constant(t) || shape_only) && worth_folding(p, t))
        return fold(p, t, err);
    return OX_OK;
}

ox_code ox_plan_infer(ox_plan *p, bool folding, ox_error *err)
{
    for (size_t k = 0; k < p->n_step; k++) {
        ox_code code = plan_step(p, &p->step[k], folding, err);
        if (code != OX_OK) {
            ox_error_node(err, p->step[k].frame.node);
            return code;
        }
    }
    return OX_OK;
}

/* ---- static nodes ---- */
static ox_code widen(ox_plan *p, ox_step *t, ox_dtype from, ox_dtype to, ox_error *err)
{
    const ox_node *n = t->frame.node;
    ox_widened *w = take(p, 1, sizeof(*w));
    if (!w)
        return OX_FAIL(err, OX_E_NOMEM, "out of memory");
    *w = (ox_widened){
        .from = from, .to = to,
        .in_copy = take(p, (size_t)n->n_in, sizeof(ox_tensor)),
        .out_copy = take(p, (size_t)n->n_out, sizeof(ox_tensor)),
        .in = take(p, (size_t)n->n_in, sizeof(*w->in)),
        .out = take(p, (size_t)n->n_out, sizeof(*w->out)),
        .in_fixed = take(p, (size_t)n->n_in, sizeof(bool)),
    };
    if (!w->in_copy || !w->out_copy || !w->in || !w->out || !w->in_fixed)
        return OX_FAIL(err, OX_E_NOMEM, "out of memory");
    t->wide = w;
    return OX_OK;
}

ox_code ox_step_kernel(ox_step *t, ox_error *err)
{
    ox_dtype key = ox_kernel_key(&t->run), to;
    t->fn = ox_kernel_find(t->run.op, key, &to);
    if (!t->fn)
        return OX_FAIL(err, OX_E_UNSUPPORTED, "no kernel for element type %s", ox_dtype_name(key));
    if (to == key)
        t->wide = NULL;
    else if (!t->wide || t->wide->from != key || t->wide->to != to)
        OX_TRY(widen(t->frame.plan, t, key, to, err));
    return OX_OK;
}

static void place_outputs(ox_plan *p, ox_step *t, int at)
{
    const ox_node *n = t->frame.node;
    for (int i = 0; i < n->n_out; i++) {
        if (!t->vout[i])
            continue;
        ox_slot *s = &p->slot[n->out[i]];
        s->first = at;
        s->v.kind = OX_TENSOR;
        if (t->is_view && i == 0) {
            s->place = OX_PLACE_VIEW;
            int from = n->in[0];
            if (p->slot[from].place == OX_PLACE_SLAB || p->slot[from].place == OX_PLACE_VIEW)
                s->root = p->slot[from].root;
            continue;
        }
        s->place = OX_PLACE_SLAB;
        s->bytes = (ox_bytes(&s->v.t) + ALIGN - 1) & ~(size_t)(ALIGN - 1);
    }
}

/* A view made at run time still needs the memory of its input, planned or itself such a view. */
static void place_dynamic_view(ox_plan *p, const ox_node *n)
{
    int from = n->n_in ? n->in[0] : -1, to = n->n_out ? n->out[0] : -1;
    if (from >= 0 && to >= 0 && (p->slot[from].place == OX_PLACE_SLAB || p->slot[from].root != from))
        p->slot[to].root = p->slot[from].root;
}

/* A branch that is taken whatever the elements of the inputs, and whose outputs are known: If is a step like others. */
static bool is_decided(const ox_step *t)
{
    return strcmp(t->run.op->name, "If") == 0 && inputs_constant(t);
}

static ox_code place_step(ox_plan *p, int k, ox_error *err)
{
    ox_step *t = &p->step[k];
    const ox_op *op = t->run.op;
    if (t->done)
        return OX_OK;
    bool straight = !(op->flags & OX_CONTROL) || is_decided(t);
    t->is_static = !p->dynamic && straight && inputs_known(t) && outputs_known(t);
    t->is_view = (op->flags & OX_VIEW) && t->run.n_in > 0 && t->in[0] && t->out[0];
    for (int i = 0; i < t->run.n_in && t->is_static; i++)
        t->is_static = !t->vin[i] || p->slot[t->frame.node->in[i]].place != OX_PLACE_NONE;
    if (!t->is_static && (op->flags & OX_VIEW))
        place_dynamic_view(p, t->frame.node);
    if (!t->is_static)
        return ox_step_settle(t, err);
    int64_t n;
    for (int i = 0; i < t->run.n_out; i++)
        if (t->out[i])
            OX_TRY(ox_shape_count(&n, t->out[i]->dtype, t->out[i]->rank, t->out[i]->dim, err));
    if (!t->is_view) {
        if (op->state_size && !(t->run.state = ox_arena_alloc64(p->arena, op->state_size)))
            return OX_FAIL(err, OX_E_NOMEM, "out of memory");
        ox_mark mark = ox_session_mark(p->session);
        ox_code code = ox_step_prepare(t, err);
        ox_session_release(p->session, mark);
        OX_TRY(code);
        OX_TRY(ox_step_settle(t, err));
        ox_step_drop_packed(t);
        if (op->flops) {
            t->profile.flops = op->flops(&t->run);
        } else {
            for (int i = 0; i < t->run.n_out; i++)
                t->profile.flops += t->out[i] ? ox_count(t->out[i]) : 0;
        }
        p->memory.flops += t->profile.flops;
    }
    t->profile.kernel = t->run.kernel;
    place_outputs(p, t, k);
    return OX_OK;
}

/* Lets a step compute its input itself where its operator asks for that. */
static void join_step(ox_plan *p, ox_step *t)
{
    const ox_node *n = t->frame.node;
    int v = n->n_in > 0 ? n->in[0] : OX_ABSENT, from = v >= 0 ? p->graph->value[v].producer : -1;
    if (!t->run.op->joins || from < 0)
        return;
    ox_step *f = &p->step[from];
    const ox_info *x = &p->graph->value[v];
    if (f->run.op != t->run.op || !t->is_static || !f->is_static || t->done || f->done || t->wide || f->wide ||
        f->joined || f->feeder || f->run.n_out != 1 || x->n_uses != 1 || x->is_output ||
        p->slot[v].place != OX_PLACE_SLAB || p->slot[v].root != v)
        return;
    const char *kernel = t->run.op->joins(&t->run, &f->run);
    if (!kernel)
        return;
    f->joined = true;
    t->feeder = f;
    t->run.kernel = t->profile.kernel = kernel;
    t->profile.flops += f->profile.flops;
}

/* Slots with memory of their own are dropped right after the step that reads them last. */
static ox_code find_releases(ox_plan *p, ox_error *err)
{
    size_t n_value = p->graph->n_value;
    int *last = take(p, n_value, sizeof(int)), *count = take(p, p->n_step, sizeof(int));
    if (!last || !count)
        return OX_FAIL(err, OX_E_NOMEM, "out of memory");
    for (size_t i = 0; i < n_value; i++)
        last[i] = -1;
    for (size_t k = 0; k < p->n_step; k++) {
        const ox_node *n = p->step[k].frame.node;
        for (int i = 0; i < n->n_out; i++)
            if (n->out[i] >= 0)
                last[n->out[i]] = (int)k;
        for (int i = 0, v; (v = ox_node_read(n, i)) != OX_NO_MORE; i++)
            if (v >= 0)
                last[v] = (int)k;
    }
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < n_value; i++) {
            enum ox_place place = p->slot[i].place;
            if (last[i] < 0 || p->graph->value[i].is_output ||
                (place != OX_PLACE_NONE && place != OX_PLACE_VIEW))
                continue;
            ox_step *t = &p->step[last[i]];
            if (pass)
                t->release[t->n_release++] = (int)i;
            else
                count[last[i]]++;
        }
        for (size_t k = 0; k < p->n_step && !pass; k++)
            if (!(p->step[k].release = take(p, (size_t)count[k], sizeof(int))))
                return OX_FAIL(err, OX_E_NOMEM, "out of memory");
    }
    return OX_OK;
}

static ox_code plan_steps(ox_plan *p, ox_error *err)
{
    const ox_graph *g = p->graph;
    p->slot = take(p, g->n_value, sizeof(*p->slot));
    p->step = take(p, g->n_node, sizeof(*p->step));
    if (!p->slot || !p->step)
        return OX_FAIL(err, OX_E_NOMEM, "out of memory");
    OX_TRY(seed_slots(p, err));
    p->n_step = g->n_node;
    for (size_t k = 0; k < p->n_step; k++)
        if (!step_init(p, &p->step[k], &g->node[k]))
            return OX_FAIL(err, OX_E_NOMEM, "out of memory");
    return ox_plan_infer(p, true, err);
}

/* The plan of a branch of If, as its first run will ask for it; false: what it takes from here is not known. */
static bool plan_branch(ox_plan *p, ox_graph *g)
{
    ox_plan *sub;
    ox_type *signature = take(p, g->n_capture, sizeof(*signature));
    for (size_t i = 0; signature && i < g->n_capture; i++) {
        const ox_slot *s = &p->slot[g->capture[i].outer];
        if (s->v.kind != OX_TENSOR || !ox_shape_known(&s->v.t))
            return false;
        type_of_tensor(&signature[i], &s->v.t);
    }
    return signature && g->n_in == 0 &&
           ox_plan_get(p->session, g, p, signature, (int)g->n_capture, &sub, NULL) == OX_OK;
}

/* Both branches are made ready: what is wrong with one matters only if it is ever taken. */
static void plan_branches(ox_plan *p)
{
    for (size_t k = 0; k < p->n_step && !p->dynamic; k++) {
        const ox_node *n = p->step[k].frame.node;
        for (int i = 0; i < n->n_attr && strcmp(n->op_type, "If") == 0 && n->domain[0] == 0; i++)
            if (n->attr[i].kind == OX_ATTR_GRAPH && !plan_branch(p, n->attr[i].graph))
                break;
    }
}

static ox_code plan_build(ox_plan *p, ox_error *err)
{
    p->building = !p->dynamic;
    ox_code done = plan_steps(p, err);
    p->building = false;
    OX_TRY(done);
    for (size_t k = 0; k < p->n_step; k++) {
        ox_code code = place_step(p, (int)k, err);
        if (code != OX_OK) {
            ox_error_node(err, p->step[k].frame.node);
            return code;
        }
    }
    for (size_t k = 0; k < p->n_step && p->session->options.optimize > 0 && !p->session->options.observed; k++)
        join_step(p, &p->step[k]);
    OX_TRY(find_releases(p, err));
    return ox_plan_memory(p, err);
}

/* ---- finding and keeping plans ---- */
static bool type_same(const ox_type *a, const ox_type *b)
{
    if (a->kind != b->kind || a->optional != b->optional)
        return false;
    if (a->kind != OX_TENSOR)
        return true;
    if (a->dtype != b->dtype || a->rank != b->rank)
        return false;
    for (int i = 0; i < a->rank; i++)
        if (a->dim[i] != b->dim[i])
            return false;
    return true;
}

static bool plan_fits(const ox_plan *p, const ox_type *signature, int n)
{
    for (int i = 0; i < n; i++) {
        if (p->dynamic && p->signature[i].kind == signature[i].kind &&
            (signature[i].kind != OX_TENSOR || p->signature[i].dtype == signature[i].dtype))
            continue;
        if (!type_same(&p->signature[i], &signature[i]))
            return false;
    }
    return true;
}

void ox_plan_destroy(ox_plan *p)
{
    if (!p)
        return;
    ox_plan_clear(p);
    for (size_t i = 0; p->slot && i < p->graph->n_value; i++)
        if (p->slot[i].owned)
            ox_value_release(&p->slot[i].v);
    ox_buf_unref(p->slab);
    ox_arena_destroy(p->arena);
}

static ox_code plan_create(ox_session *s, ox_graph *g, ox_plan *parent, const ox_type *signature,
                           int n, bool dynamic, size_t fold_bytes,
                           ox_code (*build)(ox_plan *p, ox_error *err), ox_plan **out, ox_error *err)
{
    ox_arena *arena = ox_arena_create(0);
    ox_plan *p = arena ? ox_arena_alloc(arena, sizeof(*p)) : NULL;
    ox_type *own = p ? ox_arena_array(arena, (size_t)OX_MAX(n, 1), sizeof(*own)) : NULL;
    if (!own) {
        ox_arena_destroy(arena);
        return OX_FAIL(err, OX_E_NOMEM, "out of memory");
    }
    memcpy(own, signature, (size_t)n * sizeof(*own));
    for (int i = 0; i < n && dynamic; i++)
        own[i].rank = -1;
    *p = (ox_plan){ .session = s, .graph = g, .parent = parent, .arena = arena, .signature = own,
                    .n_signature = n, .dynamic = dynamic, .fold_bytes = fold_bytes };
    ox_code code = build(p, err);
    if (code != OX_OK) {
        ox_plan_destroy(p);
        return code;
    }
    *out = p;
    return OX_OK;
}

ox_code ox_plan_get(ox_session *s, ox_graph *g, ox_plan *parent, const ox_type *signature, int n,
                    ox_plan **out, ox_error *err)
{
    int count = 0, most = parent ? MAX_SUBPLANS : MAX_PLANS;
    for (ox_plan **link = &g->plans; *link; link = &(*link)->next, count++) {
        ox_plan *p = *link;
        if (p->parent != parent || !plan_fits(p, signature, n))
            continue;
        *link = p->next;
        p->next = g->plans;
        g->plans = p;
        *out = p;
        return OX_OK;
    }
    if (count >= most) { /* drop the one unused longest */
        ox_plan **link = &g->plans;
        while ((*link)->next)
            link = &(*link)->next;
        ox_plan_destroy(*link);
        *link = NULL;
    }
    /* A body whose shapes keep changing (a growing Loop state) gets one plan for any shape. */
    bool dynamic = parent && count >= most;
    ox_code code = plan_create(s, g, parent, signature, n, dynamic, FOLD_BYTES, plan_build, out, err);
    ox_session_unbounce(s);
    OX_TRY(code);
    (*out)->next = g->plans;
    g->plans = *out;
    plan_branches(*out);
    return OX_OK;
}

/* Types of g's inputs as the file declares them. */
static ox_type *declared(ox_session *s, const ox_graph *g)
{
    ox_type *types = ox_arena_array(s->arena, (size_t)OX_MAX(g->n_in, 1), sizeof(*types));
    for (int i = 0; types && i < g->n_in; i++) {
        types[i] = g->value[g->in[i]].type;
        if (s->options.f64 && ox_is_float(types[i].dtype) && ox_dtype_size(types[i].dtype) > 1)
            types[i].dtype = OX_F64;
    }
    return types;
}

ox_code ox_plan_declared(ox_session *s, ox_graph *g, ox_plan **out, ox_error *err)
{
    ox_type *types = declared(s, g);
    if (!types)
        return OX_FAIL(err, OX_E_NOMEM, "out of memory");
    return plan_create(s, g, NULL, types, g->n_in, false, FOLD_BYTES, plan_steps, out, err);
}

ox_code ox_plan_folded(ox_session *s, ox_graph *g, size_t max_bytes, ox_plan **out, ox_error *err)
{
    ox_type *types = declared(s, g);
    if (!types)
        return OX_FAIL(err, OX_E_NOMEM, "out of memory");
    return plan_create(s, g, NULL, types, g->n_in, true, max_bytes, plan_steps, out, err);
}
