#include "verify/chain.h"
#include "runtime/exec/internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct walk {
    const ox_walk *w;
    ox_arena      *arena;
    ox_scope      *scope;
    ox_sight_fn   *fn;
    void          *ctx;
    ox_error      *err;
    double         doubt;
} walk;

typedef struct node_truth { /* of the node under way */
    ox_truth chain, fresh;
    float   *more;    /* on the heap: chain - fresh of output 0; then there is no `chain` */
    bool     judged;
    float  **told;    /* [n_out] on the heap: chain - ours; then there is no `chain` either */
    const ox_pointwise *by; /* neither: it is computed while it is measured, */
    const ox_by_parts *parts; /* ... or so is `fresh` */
    ox_steps steps;   /* of integer outputs */
} node_truth;

static bool numeric(const ox_tensor *t)
{
    ox_class c = t && t->rank >= 0 ? ox_dtype_class(t->dtype) : OX_CLASS_NONE;
    return c == OX_CLASS_FLOAT || c == OX_CLASS_INT || c == OX_CLASS_UINT || c == OX_CLASS_BOOL;
}

static double *as_doubles(ox_arena *a, const ox_tensor *t)
{
    size_t n = (size_t)ox_count(t);
    double *v = ox_arena_array(a, n ? n : 1, sizeof(*v));
    if (v && n)
        ox_to_f64(v, t->data, t->dtype, n);
    return v;
}

static const ox_tensor *find(const ox_walk *w, const char *name)
{
    for (size_t i = 0; i < w->n_ref; i++)
        if (strcmp(w->ref[i].name, name) == 0)
            return w->ref[i].v->kind == OX_TENSOR ? &w->ref[i].v->t : NULL;
    return NULL;
}

/* Dimensions of 1 do not tell shapes apart: frameworks add and drop them. */
static bool same_shape(const ox_tensor *a, const ox_tensor *b)
{
    int i = 0, j = 0;
    for (;;) {
        while (i < a->rank && a->dim[i] == 1)
            i++;
        while (j < b->rank && b->dim[j] == 1)
            j++;
        if (i == a->rank || j == b->rank)
            return i == a->rank && j == b->rank;
        if (a->dim[i++] != b->dim[j++])
            return false;
    }
}

static void round_to(double *v, size_t n, int bits)
{
    for (size_t i = 0; i < n; i++) {
        int e;
        double m = frexp(v[i], &e);
        if (isfinite(v[i]))
            v[i] = ldexp(rint(ldexp(m, bits)), e - bits);
    }
}

static const ox_link *input_link(const walk *k, const ox_node *n, const ox_run *r, int i)
{
    return i < n->n_in && n->in[i] >= 0 && numeric(r->in[i]) ? &k->scope->link[n->in[i]] : NULL;
}

/* The chain's inputs of a node in doubles. */
static ox_code chain_inputs(walk *k, const ox_node *n, ox_run *r, const double ***out)
{
    const double **in = ox_arena_array(k->arena, (size_t)OX_MAX(r->n_in, 1), sizeof(*in));
    ox_code code = in ? OX_OK : OX_E_NOMEM;
    *out = in;
    for (int i = 0; i < r->n_in && code == OX_OK; i++) {
        const ox_link *l = input_link(k, n, r, i);
        if (!l)
            continue;
        in[i] = ox_link_value(l, r->in[i], k->arena, &code);
        if (k->w->bits && !in[i] && ox_is_float(r->in[i]->dtype)) {
            double *v = as_doubles(k->arena, r->in[i]);
            if (!v)
                code = OX_E_NOMEM;
            else
                round_to(v, (size_t)ox_count(r->in[i]), k->w->bits);
            in[i] = v;
        }
    }
    return code == OX_OK ? OX_OK : OX_FAIL(k->err, OX_E_NOMEM, "out of memory");
}

/* A node without truth is no failure of the walk. */
static ox_code truth_or_none(walk *k, ox_run *r, const double *const *in, ox_truth *t)
{
    ox_error own = { 0 };
    ox_code code = ox_truth_of(k->arena, r, in, t, &own);
    if (code == OX_E_NOMEM) {
        *k->err = own;
        return code;
    }
    if (code != OX_OK)
        *t = (ox_truth){ 0 };
    return OX_OK;
}

/* The reference holds an output of the node, or it is asked for its arrays. */
static bool wanted(const walk *k, const ox_node *n)
{
    for (int i = 0; i < n->n_out; i++)
        if (n->out[i] >= 0 && find(k->w, k->scope->g->value[n->out[i]].name))
            return true;
    return false;
}

/* Whether differences tell the chain's inputs, and the node is linear in them. */
static bool linear(const walk *k, const ox_node *n, const ox_run *r)
{
    for (int i = 0; i < r->n_in; i++) {
        const ox_link *l = input_link(k, n, r, i);
        if (l && (l->ref || l->whole || (i > 1 && l->change)))
            return false;
    }
    return ox_truth_linear(r);
}

/* Chain and fresh truth at the price of one, where the node is linear. */
static ox_code by_change(walk *k, const ox_node *n, ox_run *r, node_truth *t)
{
    const float **change = ox_arena_array(k->arena, (size_t)OX_MAX(r->n_in, 1), sizeof(*change));
    ox_error own = { 0 };
    if (!change)
        return OX_FAIL(k->err, OX_E_NOMEM, "out of memory");
    for (int i = 0; i < r->n_in; i++) {
        const ox_link *l = input_link(k, n, r, i);
        change[i] = l && l->n == (size_t)ox_count(r->in[i]) ? l->change : NULL;
    }
    ox_code code = ox_truth_change(k->arena, r, change, &t->more, &own);
    if (code == OX_E_NOMEM)
        *k->err = own;
    return code == OX_E_NOMEM ? code : OX_OK;
}

static bool pointwise(const walk *k, const ox_node *n, const ox_run *r)
{
    int64_t count = r->n_out == 1 && r->out[0] && r->out[0]->rank >= 0 ? ox_count(r->out[0]) : 0;
    if (!k->w->lean || !k->w->fresh || !(r->op->flags & OX_POINTWISE) || !r->op->oracle || count == 0 ||
        !ox_is_float(r->out[0]->dtype) || r->n_in > OX_POINTWISE_IN || find(k->w, k->scope->g->value[n->out[0]].name))
        return false;
    for (int i = 0; i < r->n_in; i++) {
        const ox_link *l = input_link(k, n, r, i);
        bool whole = r->in[i] && ox_shape_same(r->in[i], r->out[0]);
        if (r->in[i] && (!numeric(r->in[i]) || !(whole || ox_count(r->in[i]) == 1)))
            return false;
        if (l && (l->ref || l->whole || (l->change && l->n != (size_t)ox_count(r->in[i]))))
            return false;
    }
    return true;
}

static ox_code truth_by_blocks(walk *k, const ox_node *n, ox_run *r, node_truth *t)
{
    size_t threads = (size_t)ox_pool_threads(r->pool);
    const ox_link **link = ox_arena_array(k->arena, OX_POINTWISE_IN, sizeof(*link));
    ox_pointwise *p = ox_arena_alloc(k->arena, sizeof(*p));
    double *buffer = ox_arena_array(k->arena, threads * ox_pointwise_buffer(r->n_in), sizeof(*buffer));
    if (!link || !p || !buffer)
        return OX_FAIL(k->err, OX_E_NOMEM, "out of memory");
    for (int i = 0; i < r->n_in; i++)
        link[i] = input_link(k, n, r, i);
    *p = (ox_pointwise){ r, link, buffer };
    t->by = p;
    return OX_OK;
}

/* The node's own truth in parts, where nobody asks for its arrays; else fresh. */
static ox_code truth_in_parts(walk *k, ox_run *r, node_truth *t)
{
    ox_by_parts *p = ox_arena_alloc(k->arena, sizeof(*p));
    ox_error own = { 0 };
    if (!p)
        return OX_FAIL(k->err, OX_E_NOMEM, "out of memory");
    ox_code code = ox_truth_parts(r, &p->parts, &own);
    if (code == OX_E_NOMEM)
        *k->err = own;
    if (code == OX_E_NOMEM)
        return code;
    if (code != OX_OK || p->parts.n == 0)
        return truth_or_none(k, r, NULL, &t->fresh);
    p->scratch = ox_scratch_array(r, (size_t)ox_pool_threads(r->pool), p->parts.scratch);
    if (!p->scratch)
        return OX_FAIL(k->err, OX_E_NOMEM, "out of memory");
    t->parts = p;
    return OX_OK;
}

/* chain - ours of every output in float, so that the doubles need not stay; false: that does not tell it. */
static bool tell(walk *k, const ox_run *r, node_truth *t)
{
    double ours[1024];
    if (!(t->told = calloc((size_t)r->n_out + 1, sizeof(*t->told))))
        return false;
    for (int o = 0; o < r->n_out; o++) {
        const double *chain = t->chain.value[o];
        size_t n = chain ? (size_t)ox_count(r->out[o]) : 0;
        float *change = chain ? t->told[o] = malloc((n + 1) * sizeof(*change)) : NULL;
        if (chain && !change)
            return false;
        for (size_t at = 0; at < n; at += OX_COUNT(ours)) {
            size_t m = OX_MIN(n - at, OX_COUNT(ours));
            const char *data = (const char *)r->out[o]->data + at * ox_dtype_size(r->out[o]->dtype);
            ox_to_f64(ours, data, r->out[o]->dtype, m);
            for (size_t i = 0; i < m; i++)
                if (!isfinite(change[at + i] = (float)(chain[at + i] - ours[i])))
                    return false;
        }
    }
    ox_arena_reset(k->arena);
    t->chain = (ox_truth){ 0 };
    return true;
}

static void forget_told(node_truth *t, int n_out)
{
    for (int i = 0; i < n_out && t->told; i++)
        free(t->told[i]);
    free(t->told);
    t->told = NULL;
}

/* The chain first, then what is left of it as differences, then the node's own truth: one at a time. */
static ox_code truths_in_turn(walk *k, const ox_node *n, ox_run *r, const double ***in, node_truth *t)
{
    ox_session *session = r->frame->plan->session;
    ox_mark mark = ox_session_mark(session);
    OX_TRY(chain_inputs(k, n, r, in));
    OX_TRY(truth_or_none(k, r, *in, &t->chain));
    if (t->chain.n_out && tell(k, r, t))
        *in = NULL;
    else
        forget_told(t, r->n_out);
    ox_session_release(session, mark);
    return truth_or_none(k, r, NULL, &t->fresh);
}

/* Integers by the chain, for which the chain's other truths are not needed. */
static ox_code integers(walk *k, const ox_node *n, ox_run *r, bool held, const double ***in, node_truth *t)
{
    bool any = false, plain = !k->w->follow && !k->w->bits;
    for (int i = 0; i < r->n_out; i++)
        any |= numeric(r->out[i]) && !ox_is_float(r->out[i]->dtype) && ox_count(r->out[i]) > 0;
    if (!any)
        return OX_OK;
    if (!*in)
        OX_TRY(chain_inputs(k, n, r, in));
    return ox_steps_of(k->arena, r, *in, plain, held, &t->steps, k->err);
}

static ox_code truths(walk *k, const ox_node *n, ox_run *r, const double ***in, node_truth *t)
{
    bool moved = false, plain = !k->w->follow && !k->w->bits;
    *in = NULL;
    for (int i = 0; i < r->n_in; i++) {
        const ox_link *l = input_link(k, n, r, i);
        moved |= l && ox_link_moved(l);
    }
    moved |= k->w->bits != 0;
    t->judged = k->w->fresh;
    if (pointwise(k, n, r))
        return truth_by_blocks(k, n, r, t);
    bool lean = plain && k->w->fresh && k->w->lean && !wanted(k, n);
    if (lean && moved && linear(k, n, r)) {
        OX_TRY(truth_in_parts(k, r, t));
        return by_change(k, n, r, t);
    }
    if (lean && !moved)
        return truth_in_parts(k, r, t);
    if (lean)
        return truths_in_turn(k, n, r, in, t);
    if (k->w->fresh || (!moved && plain))
        OX_TRY(truth_or_none(k, r, NULL, &t->fresh));
    OX_TRY(chain_inputs(k, n, r, in));
    if (moved || !plain)
        return truth_or_none(k, r, *in, &t->chain);
    t->chain = t->fresh;
    return OX_OK;
}

/* What a control node gives was given inside it. */
static ox_code truth_of_result(walk *k, const ox_sighting *s, double **out)
{
    const ox_tensor *y = s->r->out[s->out];
    ox_link l = { 0 };
    ox_code code = OX_OK;
    *out = NULL;
    if (!ox_scope_result(k->scope, s->r, s->out, &l))
        return OX_OK;
    const double *v = ox_link_value(&l, y, k->arena, &code);
    if (v && (*out = ox_arena_array(k->arena, s->n + 1, sizeof(**out))))
        memcpy(*out, v, s->n * sizeof(**out));
    else if (v)
        code = OX_E_NOMEM;
    ox_link_drop(&l);
    return code == OX_OK ? OX_OK : OX_FAIL(k->err, OX_E_NOMEM, "out of memory");
}

/* The value's link, from what was measured or the reference. */
static ox_code keep(walk *k, const ox_sighting *s, ox_measure *m, const ox_tensor *ref)
{
    ox_link *l = &k->scope->link[s->node->out[s->out]];
    bool follow = k->w->follow && s->ref && !s->shape_differs;
    ox_link_drop(l);
    l->n = s->n;
    l->held = follow || (!s->known && s->held);
    l->error = s->size > 0 ? s->error / s->size : 0;
    l->bad = s->first_bad < s->n;
    l->tipped = s->tipped && !follow;
    if (follow) {
        l->ref = ref;
        return OX_OK;
    }
    if (!s->known)
        return OX_OK;
    if (m->change && !m->odd) {
        l->change = m->change;
        m->change = NULL;
        return OX_OK;
    }
    if (!s->truth)
        return OX_OK; /* an overflow in a lean walk: the chain goes on from ours */
    if (!(l->whole = malloc((s->n + 1) * sizeof(double))))
        return OX_FAIL(k->err, OX_E_NOMEM, "out of memory");
    memcpy(l->whole, s->truth, s->n * sizeof(double));
    if (k->w->bits && ox_is_float(s->r->out[s->out]->dtype))
        round_to(l->whole, s->n, k->w->bits);
    return OX_OK;
}

static ox_code give_arrays(walk *k, ox_sighting *s, const node_truth *t, const ox_measure *m)
{
    const ox_tensor *y = s->r->out[s->out];
    if (!(s->ours = as_doubles(k->arena, y)))
        return OX_FAIL(k->err, OX_E_NOMEM, "out of memory");
    if (t->judged && m->fresh) {
        s->fresh = m->fresh;
        s->fresh_bound = m->bound;
    }
    s->truth = m->chain ? m->chain : m->fresh;
    if (m->more) {
        double *v = ox_arena_array(k->arena, s->n + 1, sizeof(*v));
        if (!v)
            return OX_FAIL(k->err, OX_E_NOMEM, "out of memory");
        for (size_t i = 0; i < s->n; i++)
            v[i] = m->fresh[i] + (double)m->more[i];
        s->truth = v;
    }
    return OX_OK;
}

/* A difference overflowed: with arrays the chain can go on from doubles. */
static ox_code measure_whole(walk *k, ox_sighting *s, node_truth *t, ox_measure *m)
{
    bool moved = m->more != NULL;
    t->parts = m->parts = NULL;
    OX_TRY(truth_or_none(k, s->r, NULL, &t->fresh));
    if (moved)
        OX_TRY(by_change(k, s->node, s->r, t));
    m->more = t->more;
    m->fresh = t->fresh.n_out ? t->fresh.value[s->out] : NULL;
    m->bound = m->fresh ? t->fresh.bound[s->out] : NULL;
    m->odd = false;
    return ox_measure_run(m, s->r->pool, k->arena, s, k->err);
}

static ox_code sight(walk *k, ox_sighting *s, node_truth *t)
{
    const ox_tensor *y = s->r->out[s->out], *ref = s->inner ? NULL : find(k->w, s->name);
    int o = s->out;
    bool control = (s->r->op->flags & OX_CONTROL) != 0;
    double *given = NULL;
    s->n = (size_t)ox_count(y);
    bool fits = ref && numeric(ref) && same_shape(ref, y);
    s->shape_differs = ref && numeric(ref) && !fits;
    s->held_as = ref && numeric(ref) ? ref : NULL;
    s->walk = k->w;
    bool as_many = ref && numeric(ref) && (size_t)ox_count(ref) == s->n;
    s->ref = as_many ? as_doubles(k->arena, ref) : NULL;
    if (as_many && !s->ref)
        return OX_FAIL(k->err, OX_E_NOMEM, "out of memory");
    ox_measure m = { .ours = y, .n = s->n };
    if (control && ox_is_float(y->dtype))
        OX_TRY(truth_of_result(k, s, &given));
    m.by = t->by;
    m.parts = o == 0 ? t->parts : NULL;
    m.more = m.change = t->more;
    t->more = NULL;
    m.chain = given ? given : t->chain.n_out ? t->chain.value[o] : NULL;
    if (t->steps.value && t->steps.value[o]) {
        m.chain = t->steps.value[o];
        s->steps = o == 0 && t->steps.before ? &t->steps : NULL;
    }
    m.fresh = t->fresh.n_out ? t->fresh.value[o] : NULL;
    m.bound = t->judged && m.fresh ? t->fresh.bound[o] : NULL;
    bool arrays = !k->w->lean || s->ref || k->w->bits || k->w->follow;
    if (t->told && t->told[o]) {
        m.change = t->told[o];
        m.told = true;
        t->told[o] = NULL;
    }
    bool change = (m.chain || m.fresh || m.by || m.parts) && !m.change && !k->w->bits && !k->w->follow;
    if (change && !(m.change = malloc((s->n + 1) * sizeof(float))))
        return OX_FAIL(k->err, OX_E_NOMEM, "out of memory");
    if (change)
        ox_large_pages(m.change, s->n * sizeof(float));
    ox_code code = ox_measure_run(&m, s->r->pool, k->arena, s, k->err);
    if (code == OX_OK && m.odd && (m.parts || m.more))
        code = measure_whole(k, s, t, &m);
    if (code == OX_OK && (arrays || (m.odd && !m.by)))
        code = give_arrays(k, s, t, &m);
    s->stretch = t->chain.n_out ? t->chain.stretch : t->fresh.n_out ? t->fresh.stretch : 1;
    if (code == OX_OK && s->truth && ox_is_float(y->dtype))
        s->bound = given ? ox_arena_array(k->arena, s->n + 1, sizeof(double))
                   : t->chain.n_out ? t->chain.bound[o] : t->fresh.bound[o];
    s->doubt = k->doubt = fmax(k->doubt, s->margin);
    if (code == OX_OK)
        code = k->fn(k->ctx, s, k->err);
    if (code == OX_OK)
        code = keep(k, s, &m, ref);
    free(m.change);
    return code;
}

static ox_code look_at(walk *k, const ox_node *n, ox_run *r, node_truth *t)
{
    ox_code code = OX_OK;
    const double **in;
    bool held = true, tipped = false;
    double in_error = 0;
    int bad = -1;
    for (int i = 0; i < r->n_in; i++) {
        const ox_link *l = input_link(k, n, r, i);
        held &= !l || l->held;
        tipped |= l && l->tipped;
        in_error = l ? fmax(in_error, l->error) : in_error;
        bad = l && l->bad ? i : bad;
    }
    if (r->op->flags & OX_CONTROL)
        held = false; /* its body may have read anything */
    OX_TRY(truths(k, n, r, &in, t));
    OX_TRY(integers(k, n, r, held, &in, t));
    if (!in && !(in = ox_arena_array(k->arena, (size_t)OX_MAX(r->n_in, 1), sizeof(*in))))
        return OX_FAIL(k->err, OX_E_NOMEM, "out of memory");
    for (int i = 0; i < r->n_out && i < n->n_out && code == OX_OK; i++) {
        if (n->out[i] < 0 || !r->vout[i] || r->vout[i]->kind != OX_TENSOR || !numeric(r->out[i]))
            continue;
        ox_sighting s = { .node = n, .r = r, .arena = k->arena, .out = i, .in = in, .held = held,
                          .in_error = in_error, .bad_in = bad, .tipped = tipped || t->steps.tipped,
                          .inner = k->scope->up != NULL,
                          .name = k->scope->g->value[n->out[i]].name };
        code = sight(k, &s, t);
    }
    return code;
}

static ox_code look(walk *k, const ox_node *n, ox_run *r)
{
    node_truth t = { 0 };
    ox_code code = look_at(k, n, r, &t);
    forget_told(&t, r->n_out);
    free(t.more);
    return code;
}

static ox_code observe(void *ctx, const ox_graph *g, const ox_node *n, ox_run *r)
{
    walk *k = ctx;
    ox_error *of_run = r->err;
    size_t at = (size_t)(n - g->node);
    if (k->scope->g != g)
        return OX_FAIL(k->err, OX_E_INTERNAL, "node %s runs outside the graph that was entered", n->name);
    if (k->w->spoil)
        k->w->spoil(k->w->spoil_ctx, n, r);
    ox_code code = look(k, n, r);
    r->err = of_run;
    ox_arena_reset(k->arena);
    ox_scope_forget(k->scope);
    for (int i = 0, v; (v = ox_node_read(n, i)) != OX_NO_MORE; i++)
        if (v >= 0 && k->scope->link[v].last <= at)
            ox_link_drop(&k->scope->link[v]);
    return code;
}

static ox_code enter(void *ctx, const ox_graph *g, ox_run *r, const ox_value *out)
{
    walk *k = ctx;
    ox_scope *s = k->scope;
    if (out) {
        k->scope = s->up;
        return ox_scope_leave(s, r, out) ? OX_OK : OX_FAIL(k->err, OX_E_NOMEM, "out of memory");
    }
    if (!(s = ox_scope_enter(k->scope, g, r)))
        return OX_FAIL(k->err, OX_E_NOMEM, "out of memory");
    k->scope = s;
    return OX_OK;
}

static ox_code run(walk *k, ox_session *s, const ox_value *const *in)
{
    int n_out = ox_session_n_out(s);
    k->arena = ox_arena_create(0);
    k->scope = ox_scope_enter(NULL, ox_session_graph(s), NULL);
    const ox_value **out = calloc((size_t)n_out + 1, sizeof(*out));
    ox_code code = k->arena && k->scope && out ? OX_OK : OX_FAIL(k->err, OX_E_NOMEM, "out of memory");
    if (code == OX_OK) {
        ox_session_observe(s, observe, k);
        ox_session_observe_graphs(s, enter);
        code = ox_session_run(s, in, out, k->err);
    }
    for (ox_scope *up; k->scope; k->scope = up) { /* more than one where a body failed */
        up = k->scope->up;
        if (!ox_scope_leave(k->scope, NULL, NULL))
            break;
    }
    free(out);
    ox_arena_destroy(k->arena);
    return code;
}

ox_code ox_oracle_walk(ox_model *m, const ox_walk *w, const ox_value *const *in, ox_sight_fn *fn,
                       void *ctx, ox_error *err)
{
    walk k = { .w = w, .fn = fn, .ctx = ctx, .err = err, .doubt = 1 };
    ox_options o = w->run;
    ox_session *s;
    o.f64 = false;
    o.observed = true;
    OX_TRY(ox_session_create(m, &o, &s, err));
    ox_code code = run(&k, s, in);
    ox_session_destroy(s);
    return code;
}
