#include "verify/oracle.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct link { /* one value of the chain */
    double *v;        /* on the heap; NULL: our own value serves */
    size_t  n;
    size_t  last;     /* the node that reads it last */
    bool    held;     /* the reference's own, or nothing that rounding has touched */
} link;

typedef struct walk {
    const ox_walk  *w;
    const ox_graph *g;
    ox_arena       *arena;
    link           *link;   /* [g->n_value] */
    ox_sight_fn    *fn;
    void           *ctx;
    ox_error       *err;
} walk;

double ox_rms(const double *a, const double *b, size_t n)
{
    double sum = 0;
    size_t m = 0;
    for (size_t i = 0; i < n; i++) {
        double d = a[i] - (b ? b[i] : 0);
        if (!isfinite(d))
            continue;
        sum += d * d;
        m++;
    }
    return m ? sqrt(sum / (double)m) : 0;
}

double ox_max_error(const double *a, const double *b, size_t n, size_t *at)
{
    double most = 0;
    size_t where = 0;
    for (size_t i = 0; i < n && most < INFINITY; i++) {
        double d = fabs(a[i] - b[i]);
        if (isnan(d))
            d = (isnan(a[i]) && isnan(b[i])) || a[i] == b[i] ? 0 : INFINITY;
        if (d > most) {
            most = d;
            where = i;
        }
    }
    if (at)
        *at = where;
    return most;
}

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

/* The chain's inputs of a node; held says whether all that vary are the reference's. */
static ox_code chain_inputs(walk *k, const ox_node *n, ox_run *r, const double ***out, bool *held)
{
    const double **in = ox_arena_array(k->arena, (size_t)OX_MAX(r->n_in, 1), sizeof(*in));
    *out = in;
    *held = true;
    if (!in)
        return OX_FAIL(k->err, OX_E_NOMEM, "out of memory");
    for (int i = 0; i < r->n_in && i < n->n_in; i++) {
        if (n->in[i] < 0 || !numeric(r->in[i]))
            continue;
        const link *l = &k->link[n->in[i]];
        if (l->v && l->n == (size_t)ox_count(r->in[i]))
            in[i] = l->v;
        *held &= l->held;
        if (k->w->bits && !in[i] && ox_is_float(r->in[i]->dtype)) {
            double *v = as_doubles(k->arena, r->in[i]);
            if (!v)
                return OX_FAIL(k->err, OX_E_NOMEM, "out of memory");
            round_to(v, (size_t)ox_count(r->in[i]), k->w->bits);
            in[i] = v;
        }
    }
    return OX_OK;
}

static bool any(const double *const *in, int n)
{
    for (int i = 0; i < n; i++)
        if (in[i])
            return true;
    return false;
}

static ox_code keep(walk *k, int value, const double *v, size_t n, bool held)
{
    link *l = &k->link[value];
    l->held = held;
    if (!v)
        return OX_OK;
    if (!(l->v = malloc(OX_MAX(n, 1) * sizeof(double))))
        return OX_FAIL(k->err, OX_E_NOMEM, "out of memory");
    l->n = n;
    memcpy(l->v, v, n * sizeof(double));
    if (k->w->bits)
        round_to(l->v, n, k->w->bits);
    return OX_OK;
}

static ox_code sight(walk *k, ox_sighting *s, const ox_truth *t, const ox_truth *fresh)
{
    const ox_tensor *y = s->r->out[s->out], *ref = find(k->w, s->name);
    s->n = (size_t)ox_count(y);
    if (!(s->ours = as_doubles(k->arena, y)))
        return OX_FAIL(k->err, OX_E_NOMEM, "out of memory");
    bool fits = ref && numeric(ref) && same_shape(ref, y);
    s->shape_differs = ref && numeric(ref) && !fits;
    bool as_many = ref && numeric(ref) && (size_t)ox_count(ref) == s->n;
    s->ref = as_many ? as_doubles(k->arena, ref) : NULL;
    s->truth = t && t->n_out ? t->value[s->out] : NULL;
    s->bound = t && t->n_out ? t->bound[s->out] : NULL;
    s->fresh = fresh && fresh->n_out ? fresh->value[s->out] : NULL;
    s->fresh_bound = fresh && fresh->n_out ? fresh->bound[s->out] : NULL;
    OX_TRY(k->fn(k->ctx, s, k->err));
    bool follow = k->w->follow && s->ref && !s->shape_differs;
    return keep(k, s->node->out[s->out], follow ? s->ref : s->truth, s->n,
                follow || (!s->truth && s->held));
}

/* A node without truth is no failure of the walk. */
static ox_code truth_or_none(ox_arena *a, ox_run *r, const double *const *in, ox_truth *t,
                             ox_error *err)
{
    ox_error own = { 0 };
    ox_code code = ox_truth_of(a, r, in, t, &own);
    if (code == OX_E_NOMEM) {
        *err = own;
        return code;
    }
    if (code != OX_OK)
        *t = (ox_truth){ 0 };
    return OX_OK;
}

static ox_code look(walk *k, const ox_node *n, ox_run *r)
{
    ox_sighting s = { .node = n, .r = r, .arena = k->arena };
    const double **in;
    ox_truth chain = { 0 }, fresh = { 0 };
    OX_TRY(chain_inputs(k, n, r, &in, &s.held));
    s.in = in;
    OX_TRY(truth_or_none(k->arena, r, in, &chain, k->err));
    if (k->w->fresh && any(in, r->n_in))
        OX_TRY(truth_or_none(k->arena, r, NULL, &fresh, k->err));
    const ox_truth *f = !k->w->fresh ? NULL : any(in, r->n_in) ? &fresh : &chain;
    for (int i = 0; i < r->n_out && i < n->n_out; i++) {
        if (n->out[i] < 0 || !numeric(r->out[i]))
            continue;
        s.out = i;
        s.name = k->g->value[n->out[i]].name;
        OX_TRY(sight(k, &s, &chain, f));
    }
    return OX_OK;
}

static ox_code observe(void *ctx, const ox_graph *g, const ox_node *n, ox_run *r)
{
    walk *k = ctx;
    if (g != k->g)
        return OX_OK; /* inside a loop or a branch: the node around it has the values */
    ox_error *of_run = r->err;
    ox_code code = look(k, n, r);
    r->err = of_run;
    ox_arena_reset(k->arena);
    size_t at = (size_t)(n - g->node);
    for (int i = 0; i < n->n_in; i++)
        if (n->in[i] >= 0 && k->link[n->in[i]].last <= at) {
            free(k->link[n->in[i]].v);
            k->link[n->in[i]].v = NULL;
        }
    return code;
}

static void find_last_readers(walk *k)
{
    for (size_t i = 0; i < k->g->n_value; i++)
        k->link[i].held = k->g->value[i].producer < 0;
    for (size_t i = 0; i < k->g->n_node; i++)
        for (int j = 0, v; (v = ox_node_read(&k->g->node[i], j)) != OX_NO_MORE; j++)
            if (v >= 0)
                k->link[v].last = i;
}

static ox_code run(walk *k, ox_session *s, const ox_value *const *in)
{
    int n_out = ox_session_n_out(s);
    k->g = ox_session_graph(s);
    k->arena = ox_arena_create(0);
    k->link = calloc(k->g->n_value + 1, sizeof(*k->link));
    const ox_value **out = calloc((size_t)n_out + 1, sizeof(*out));
    ox_code code = k->arena && k->link && out ? OX_OK : OX_FAIL(k->err, OX_E_NOMEM, "out of memory");
    if (code == OX_OK) {
        find_last_readers(k);
        ox_session_observe(s, observe, k);
        code = ox_session_run(s, in, out, k->err);
        for (size_t i = 0; i < k->g->n_value; i++)
            free(k->link[i].v);
    }
    free(out);
    free(k->link);
    ox_arena_destroy(k->arena);
    return code;
}

ox_code ox_oracle_walk(ox_model *m, const ox_walk *w, const ox_value *const *in, ox_sight_fn *fn,
                       void *ctx, ox_error *err)
{
    walk k = { .w = w, .fn = fn, .ctx = ctx, .err = err };
    ox_options o = w->run;
    ox_session *s;
    o.f64 = false;
    o.keep_all = true; /* a node's inputs must outlive it: in-place kernels overwrite them */
    OX_TRY(ox_session_create(m, &o, &s, err));
    ox_code code = run(&k, s, in);
    ox_session_destroy(s);
    return code;
}
