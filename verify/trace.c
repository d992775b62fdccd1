#include "verify/explain.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A local error of so many u rms(truth) at most nodes is arithmetic of low precision, no mistake. */
enum { LOW_PRECISION = 200, BEYOND = 32 };

typedef struct tracing {
    ox_trace *t;
    const ox_graph *g;
    bool      oracle;
    unsigned  what;
    double    low;      /* not 0: the reference's usual relative error, of low precision */
    int       explained; /* the row whose explanations these are; -1: none */
} tracing;

static double mean_square_ratio(const ox_sighting *s)
{
    double u = ox_dtype_roundoff(s->r->out[s->out]->dtype), size = ox_rms(s->truth, NULL, s->n);
    return size > 0 && u > 0 ? ox_rms(s->ref, s->truth, s->n) / (u * size) : 0;
}

static void by_oracle(const ox_sighting *s, ox_trace_node *n)
{
    n->held = true;
    n->judged |= s->judged;
    n->local = fmax(n->local, s->local);
    n->margin = fmax(n->margin, s->margin);
    n->departs = n->margin > 1;
    n->propagated = n->max_abs = fmax(n->max_abs, s->most);
}

/* The row of a node inside a loop, seen before in another turn. */
static ox_trace_node *row_of(ox_trace *t, const ox_sighting *s)
{
    for (size_t i = 0; i < t->n_node && s->inner; i++)
        if (t->node[i].inner == s->node && strcmp(t->node[i].value, s->name) == 0)
            return &t->node[i];
    return NULL;
}

/* Integers must be the same, except where rounding decides them. */
static void by_integers(const ox_sighting *s, ox_trace_node *n)
{
    const double *truth = s->truth ? s->truth : s->ours;
    bool from_float = false;
    size_t differ = 0;
    n->judged = true;
    n->local = ox_max_error(truth, s->ref, s->n, NULL);
    if (s->steps) {
        n->margin = ox_steps_excess(s, s->ref);
        n->departs = n->margin > 1;
        return;
    }
    for (int i = 0; i < s->r->n_in; i++)
        from_float |= s->r->in[i] && ox_is_float(s->r->in[i]->dtype);
    for (size_t i = 0; i < s->n; i++)
        differ += truth[i] != s->ref[i];
    n->margin = from_float && n->local <= 1 && differ * 20 <= s->n ? 0.5 : n->local > 0 ? INFINITY : 0;
    n->departs = n->margin > 1 && !(from_float && differ * 100 <= s->n);
}

/* Adds u times |x|, spread over y by the rules of broadcasting. */
static void add_rounding(double *to, const ox_tensor *y, const double *v, const ox_tensor *x, double u)
{
    int64_t n = ox_count(y), lead = y->rank - x->rank;
    for (int64_t i = 0; i < n; i++) {
        int64_t left = i, at = 0, stride = 1;
        for (int d = y->rank - 1; d >= lead; d--) {
            int64_t size = x->dim[d - lead];
            at += size == 1 ? 0 : left % y->dim[d] * stride;
            left /= y->dim[d];
            stride *= size;
        }
        to[i] += u * fabs(v[at]);
    }
}

/* What a reference holds was rounded when it was written; it may have gone on with more digits.  A sum
 * or difference shows that where its operands cancel out: the bound with that added.  NULL: no memory. */
static const double *with_rounded_inputs(const ox_sighting *s, double safety)
{
    const ox_tensor *y = s->r->out[s->out];
    double *bound, u = ox_dtype_roundoff(y->dtype) / safety;
    if (strcmp(s->node->op_type, "Add") != 0 && strcmp(s->node->op_type, "Sub") != 0)
        return s->bound;
    if (!(bound = ox_arena_array(s->arena, s->n + 1, sizeof(*bound))))
        return NULL;
    memcpy(bound, s->bound, s->n * sizeof(*bound));
    for (int i = 0; i < s->r->n_in; i++) {
        const ox_tensor *x = s->r->in[i];
        bool fits = s->in && s->in[i] && x && x->rank <= y->rank;
        for (int d = 0; fits && d < x->rank; d++)
            fits = x->dim[d] == 1 || x->dim[d] == y->dim[y->rank - x->rank + d];
        if (fits)
            add_rounding(bound, y, s->in[i], x, u);
    }
    return bound;
}

static ox_code by_reference(const tracing *k, const ox_sighting *s, ox_trace_node *n, ox_error *err)
{
    size_t at;
    ox_dtype dtype = s->r->out[s->out]->dtype;
    n->held = s->ref || s->shape_differs;
    if (s->shape_differs) {
        n->judged = n->departs = true;
        n->local = n->propagated = n->max_abs = n->margin = INFINITY;
        return OX_OK;
    }
    if (!s->ref)
        return OX_OK;
    n->propagated = n->max_abs = ox_max_error(s->ours, s->ref, s->n, NULL);
    if (!ox_is_float(dtype))
        by_integers(s, n);
    if (!ox_is_float(dtype) || !s->truth)
        return OX_OK;
    ox_allowance a = ox_allowance_of(s);
    if (!(a.bound = with_rounded_inputs(s, a.safety)))
        return OX_FAIL(err, OX_E_NOMEM, "out of memory");
    n->judged = true;
    n->local = ox_max_error(s->ref, s->truth, s->n, NULL);
    n->margin = ox_excess(&a, s->ref, dtype, s->n, &at);
    n->relative = mean_square_ratio(s);
    if (s->n >= 16 && dtype == OX_F32)
        n->bits = ox_all_fit_bits(s->ref, s->n, 8) ? 8 : ox_all_fit_bits(s->ref, s->n, 11) ? 11 : 24;
    n->departs = n->margin > 1 && (k->low == 0 || n->relative > BEYOND * k->low);
    return OX_OK;
}

static ox_code add_row(ox_trace *t, const ox_sighting *s, ox_trace_node **out, ox_error *err)
{
    if (!ox_arena_grow(t->arena, (void **)&t->node, t->n_node, &t->cap_node, sizeof(*t->node)))
        return OX_FAIL(err, OX_E_NOMEM, "out of memory");
    *out = &t->node[t->n_node++];
    const char *names[] = { s->node->name, s->node->op_type, s->name };
    const char *copy[3];
    for (int i = 0; i < 3; i++)
        if (!(copy[i] = ox_arena_strndup(t->arena, names[i], strlen(names[i]))))
            return OX_FAIL(err, OX_E_NOMEM, "out of memory");
    **out = (ox_trace_node){ .node = copy[0], .op = copy[1], .value = copy[2], .elements = (int64_t)s->n,
                               .inner = s->inner ? s->node : NULL };
    return OX_OK;
}

static bool is_output(const ox_graph *g, const char *name)
{
    for (int i = 0; i < g->n_out; i++)
        if (strcmp(g->value[g->out[i]].name, name) == 0)
            return true;
    return false;
}

/* For the report.  Pictures of what departs first, and of the outputs. */
static ox_code add_detail(tracing *k, const ox_sighting *s, ox_trace_node *n, ox_error *err)
{
    const double *got = k->oracle ? s->ours : s->ref;
    const double *truth = k->oracle ? s->fresh : s->truth ? s->truth : s->ours;
    bool picture = is_output(k->g, s->name) || (n->departs && k->t->n_picture < OX_PICTURES);
    if (!n->judged || !got || !truth)
        return OX_OK;
    ox_allowance a = { 0 };
    bool by_allowance = !k->oracle && s->truth && ox_is_float(s->r->out[s->out]->dtype);
    if (by_allowance)
        a = ox_allowance_of(s);
    n->detail = ox_detail_of(k->t->arena, s, got, truth, by_allowance ? &a : NULL,
                             k->oracle ? s->fresh_bound : NULL, picture);
    k->t->n_picture += picture;
    return n->detail ? OX_OK : OX_FAIL(err, OX_E_NOMEM, "out of memory");
}

static ox_code see(void *ctx, const ox_sighting *s, ox_error *err)
{
    tracing *k = ctx;
    ox_trace_node *n = row_of(k->t, s);
    if (s->inner && !k->oracle)
        return OX_OK; /* a reference knows values of the main graph only */
    if (!n)
        OX_TRY(add_row(k->t, s, &n, err));
    if (k->oracle)
        by_oracle(s, n);
    else
        OX_TRY(by_reference(k, s, n, err));
    n->amplification = n->local > 0 && isfinite(n->local) ? n->propagated / n->local : 0;
    if ((k->what & OX_TRACE_REPORT) && !s->inner)
        OX_TRY(add_detail(k, s, n, err));
    if (n->departs && (k->what & OX_TRACE_EXPLAIN) && k->explained < 0 && s->held_as) {
        k->explained = (int)k->t->n_node - 1;
        return ox_explain(s, k->t, err);
    }
    return OX_OK;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The same where every value that the reference holds has few significant bits. */
static double error_of_few_bits(const ox_trace *t)
{
    int bits = 0, n = 0;
    bool inexact = false;
    for (size_t i = 0; i < t->n_node; i++) {
        bits = OX_MAX(bits, t->node[i].bits);
        n += t->node[i].bits > 0;
        inexact |= t->node[i].relative > LOW_PRECISION;
    }
    return n >= 1 && bits < 24 && inexact ? ldexp(0.25, 24 - bits) : 0;
}

/* The median relative error of what the reference holds, if that is one of low precision; else 0. */
static double usual_error(const ox_trace *t)
{
    double *v = ox_arena_array(t->arena, t->n_node + 1, sizeof(*v)), median;
    size_t n = 0;
    for (size_t i = 0; v && i < t->n_node; i++)
        if (t->node[i].held && t->node[i].relative > 0)
            v[n++] = t->node[i].relative;
    double few = error_of_few_bits(t);
    if (n < 4 || few > 0)
        return few;
    qsort(v, n, sizeof(*v), ascending);
    median = v[n / 4]; /* even the good quarter is this far off */
    return median > LOW_PRECISION && median < 0x1p17 ? median : 0;
}

static void conclude(tracing *k)
{
    ox_trace *t = k->t;
    t->first = -1;
    for (size_t i = 0; i < t->n_node; i++) {
        t->n_held += t->node[i].held;
        t->n_unjudged += t->node[i].held && !t->node[i].judged;
        if (t->first < 0 && t->node[i].departs)
            t->first = (int)i;
    }
    const ox_trace_node *f = t->first < 0 ? NULL : &t->node[t->first];
    t->verdict = f ? k->oracle ? OX_OURS_WRONG : OX_DIFFERENT
               : k->low > 0 ? OX_LOW_PRECISION : OX_ROUNDING;
    if (f && k->oracle)
        snprintf(t->reason, sizeof t->reason, "node %.120s (%.40s) errs by %.3g times its bound: a bug in "
                 "onnxrun or in the bound", f->node, f->op, f->margin);
    else if (f)
        snprintf(t->reason, sizeof t->reason, "node %.120s (%.40s) is the first that departs: from the "
                 "reference's own inputs its definition gives values %.3g away from the reference's, %.3g "
                 "times what rounding allows", f->node, f->op, f->local, f->margin);
    else if (k->oracle)
        snprintf(t->reason, sizeof t->reason, "every node is within its error bound");
    else if (k->low > 0)
        snprintf(t->reason, sizeof t->reason, "every node errs alike, as with a unit roundoff near 2^%.1f: "
                 "the reference was computed in TF32, float16 or bfloat16", log2(k->low) - 24);
    else if (t->n_held == 0)
        snprintf(t->reason, sizeof t->reason, "the reference holds no value of this graph by its name");
    else
        snprintf(t->reason, sizeof t->reason, "all %zu values that the reference holds are within rounding "
                 "of what their nodes define", t->n_held);
}

ox_code ox_trace_run(ox_model *m, const ox_options *options, const ox_value *const *in,
                     const ox_known *ref, size_t n_ref, unsigned what, ox_trace *t, ox_error *err)
{
    tracing k = { .t = t, .g = m->graph, .oracle = n_ref == 0, .what = what, .explained = -1 };
    ox_walk w = { .run = *options, .ref = ref, .n_ref = n_ref, .follow = n_ref > 0, .fresh = n_ref == 0,
                  .lean = n_ref == 0 && !(what & OX_TRACE_REPORT) };
    *t = (ox_trace){ .arena = ox_arena_create(0), .first = -1 };
    if (!t->arena)
        return OX_FAIL(err, OX_E_NOMEM, "out of memory");
    w.run.extra = NULL;
    w.run.n_extra = 0;
    if (n_ref)
        w.run.optimize = 0;
    OX_TRY(ox_oracle_walk(m, &w, in, see, &k, err));
    if (!k.oracle && (k.low = usual_error(t)) > 0) { /* again, with what is usual as the yardstick */
        t->n_node = 0;
        t->n_explanation = t->n_picture = 0;
        k.explained = -1;
        OX_TRY(ox_oracle_walk(m, &w, in, see, &k, err));
    }
    t->oracle = k.oracle;
    conclude(&k);
    if (k.explained >= 0 && k.explained != t->first)
        t->n_explanation = 0;
    return OX_OK;
}

void ox_trace_release(ox_trace *t)
{
    ox_arena_destroy(t->arena);
    *t = (ox_trace){ .first = -1 };
}
