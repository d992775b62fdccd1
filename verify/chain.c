#include "verify/chain.h"

#include <stdlib.h>
#include <string.h>

typedef struct grown { /* a scan output: the changes of its slices, one behind the other */
    float *v;
    size_t n, cap;
    bool   moved, lost;
} grown;

struct ox_turns {
    const ox_node *node;
    int64_t        count;
    int            n;     /* outputs of the body */
    ox_link       *last;
    grown         *scan;
    bool          *held;
};

void ox_link_drop(ox_link *l)
{
    if (!l->borrowed) {
        free(l->change);
        free(l->whole);
    }
    l->ref = NULL;
    l->change = NULL;
    l->whole = NULL;
    l->borrowed = false;
}

static double *doubles_of(const ox_tensor *t, ox_arena *a)
{
    size_t n = (size_t)ox_count(t);
    double *v = ox_arena_array(a, n + 1, sizeof(*v));
    if (v && n)
        ox_to_f64(v, t->data, t->dtype, n);
    return v;
}

const double *ox_link_value(const ox_link *l, const ox_tensor *ours, ox_arena *a, ox_code *code)
{
    if (!ox_link_moved(l) || l->n != (size_t)ox_count(ours))
        return NULL;
    if (l->whole)
        return l->whole;
    double *v = doubles_of(l->ref ? l->ref : ours, a);
    for (size_t i = 0; v && l->change && i < l->n; i++)
        v[i] += (double)l->change[i];
    if (!v)
        *code = OX_E_NOMEM;
    return v;
}

static void *duplicate(const void *v, size_t n, size_t size)
{
    void *copy = malloc(n * size + 1);
    if (copy)
        memcpy(copy, v, n * size);
    return copy;
}

static bool copy_link(ox_link *to, const ox_link *from)
{
    *to = *from;
    to->borrowed = false;
    to->last = SIZE_MAX;
    to->change = from->change ? duplicate(from->change, from->n, sizeof(float)) : NULL;
    to->whole = from->whole ? duplicate(from->whole, from->n, sizeof(double)) : NULL;
    return !(from->change && !to->change) && !(from->whole && !to->whole);
}

static void borrow(ox_link *to, const ox_link *from)
{
    size_t last = to->last;
    *to = *from;
    to->last = last;
    to->borrowed = true;
}

static void find_last_readers(ox_scope *s)
{
    const ox_graph *g = s->g;
    for (size_t i = 0; i < g->n_value; i++)
        s->link[i].held = g->value[i].producer < 0;
    for (size_t i = 0; i < g->n_node; i++)
        for (int j = 0, v; (v = ox_node_read(&g->node[i], j)) != OX_NO_MORE; j++)
            if (v >= 0)
                s->link[v].last = i;
    for (int i = 0; i < g->n_out; i++)
        s->link[g->out[i]].last = SIZE_MAX;
}

/* ---- what the inputs of a body are ---- */

static bool is(const ox_node *n, const char *op) { return strcmp(n->op_type, op) == 0; }

/* Scan along the first axes, forwards. */
static bool plain_scan(const ox_run *r)
{
    static const char *const names[] = { "scan_input_axes", "scan_output_axes", "scan_input_directions",
                                         "scan_output_directions" };
    for (size_t k = 0; k < OX_COUNT(names); k++) {
        int n;
        const int64_t *v = ox_attr_i64s(r, names[k], &n);
        for (int i = 0; i < n; i++)
            if (v[i] != 0)
                return false;
    }
    return r->since >= 9;
}

/* A Loop carries its inputs from the third on, a Scan all but the last num_scan_inputs. */
static int n_carried(const ox_run *r)
{
    const ox_node *n = r->frame->node;
    if (is(n, "Loop"))
        return OX_MAX(r->n_in - 2, 0);
    return is(n, "Scan") && plain_scan(r) ? OX_MAX(r->n_in - (int)ox_attr_i64(r, "num_scan_inputs"), 0) : 0;
}

static int first_input(const ox_run *r) { return is(r->frame->node, "Loop") ? 2 : 0; }
static int first_state(const ox_run *r) { return is(r->frame->node, "Loop") ? 1 : 0; } /* of the body's outputs */

static void feed_states(ox_scope *s, const ox_run *r)
{
    const ox_turns *t = s->up->turns;
    const ox_node *n = r->frame->node;
    int states = n_carried(r), first = first_input(r);
    for (int i = 0; i < states && first + i < s->g->n_in && first + i < n->n_in; i++) {
        int outer = n->in[first + i];
        ox_link *to = &s->link[s->g->in[first + i]];
        if (t->count > 0)
            borrow(to, &t->last[first_state(r) + i]);
        else if (outer >= 0)
            borrow(to, &s->up->link[outer]);
    }
}

static void feed_slices(ox_scope *s, const ox_run *r)
{
    const ox_node *n = r->frame->node;
    int64_t at = s->up->turns->count;
    if (!is(n, "Scan") || !plain_scan(r))
        return;
    for (int i = n_carried(r); i < s->g->n_in && i < n->n_in; i++) {
        const ox_link *from = n->in[i] >= 0 ? &s->up->link[n->in[i]] : NULL;
        const ox_tensor *x = r->in[i];
        ox_link *to = &s->link[s->g->in[i]];
        if (!from || from->ref || from->whole || !x || x->rank < 1 || at >= x->dim[0])
            continue;
        borrow(to, from);
        to->n = (size_t)ox_count(x) / (size_t)x->dim[0];
        to->change = from->change ? from->change + (size_t)at * to->n : NULL;
    }
}

static ox_turns *begin_turns(const ox_node *n, int n_out)
{
    ox_turns *t = calloc(1, sizeof(*t));
    if (!t)
        return NULL;
    t->node = n;
    t->n = n_out;
    t->last = calloc((size_t)n_out + 1, sizeof(*t->last));
    t->scan = calloc((size_t)n_out + 1, sizeof(*t->scan));
    t->held = calloc((size_t)n_out + 1, sizeof(*t->held));
    if (t->last && t->scan && t->held)
        return t;
    free(t->last);
    free(t->scan);
    free(t->held);
    free(t);
    return NULL;
}

ox_scope *ox_scope_enter(ox_scope *up, const ox_graph *g, const ox_run *r)
{
    ox_scope *s = calloc(1, sizeof(*s));
    if (!s || !(s->link = calloc(g->n_value + 1, sizeof(*s->link)))) {
        free(s);
        return NULL;
    }
    s->up = up;
    s->g = g;
    find_last_readers(s);
    if (!r)
        return s;
    if (up->turns && up->turns->node != r->frame->node)
        ox_scope_forget(up);
    if (!up->turns && !(up->turns = begin_turns(r->frame->node, g->n_out))) {
        free(s->link);
        free(s);
        return NULL;
    }
    for (size_t i = 0; i < g->n_capture; i++)
        borrow(&s->link[g->capture[i].inner], &up->link[g->capture[i].outer]);
    feed_states(s, r);
    feed_slices(s, r);
    return s;
}

/* ---- what it gives ---- */

static bool append(grown *to, const ox_link *l, size_t n)
{
    if (to->n + n > to->cap) {
        size_t cap = OX_MAX(2 * to->cap, to->n + n);
        float *more = realloc(to->v, (cap + 1) * sizeof(*more));
        if (!more)
            return false;
        to->v = more;
        to->cap = cap;
    }
    bool tells = l->change && l->n == n;
    to->lost |= ox_link_moved(l) && !tells;
    to->moved |= tells;
    if (tells)
        memcpy(to->v + to->n, l->change, n * sizeof(float));
    else
        memset(to->v + to->n, 0, n * sizeof(float));
    to->n += n;
    return true;
}

static bool give(ox_scope *s, const ox_run *r, const ox_value *out)
{
    ox_turns *t = s->up->turns;
    bool branch = is(r->frame->node, "If");
    int states = branch ? t->n : n_carried(r) + first_state(r);
    for (int i = 0; i < t->n && i < s->g->n_out; i++) {
        const ox_link *l = &s->link[s->g->out[i]];
        if (i < states) {
            ox_link old = t->last[i];
            bool copied = copy_link(&t->last[i], l);
            ox_link_drop(&old);
            if (!copied)
                return false;
        } else if (out[i].kind == OX_TENSOR && ox_is_float(out[i].t.dtype)) {
            t->held[i] = l->held && (t->count == 0 || t->held[i]);
            t->last[i].error = OX_MAX(t->last[i].error, l->error);
            if (!append(&t->scan[i], l, (size_t)ox_count(&out[i].t)))
                return false;
        }
    }
    t->count++;
    return true;
}

bool ox_scope_leave(ox_scope *s, const ox_run *r, const ox_value *out)
{
    bool ok = !out || give(s, r, out);
    ox_scope_forget(s);
    for (size_t i = 0; i < s->g->n_value; i++)
        ox_link_drop(&s->link[i]);
    free(s->link);
    free(s);
    return ok;
}

bool ox_scope_result(ox_scope *s, const ox_run *r, int i, ox_link *to)
{
    ox_turns *t = s->turns;
    const ox_node *n = r->frame->node;
    bool branch = is(n, "If"), scan = is(n, "Scan");
    int states = branch ? 0 : n_carried(r), at = branch ? i : i + first_state(r);
    size_t last = to->last;
    if (!(branch || is(n, "Loop") || (scan && plain_scan(r))))
        return false;
    if (!t || t->node != n) { /* no turn at all: what went in comes out */
        int from = first_input(r) + i;
        return i < states && from < n->n_in && n->in[from] >= 0 && copy_link(to, &s->link[n->in[from]]);
    }
    if (at >= t->n)
        return false;
    if (branch || i < states) {
        *to = t->last[at];
        t->last[at] = (ox_link){ 0 };
    } else if (t->scan[at].moved && !t->scan[at].lost) {
        *to = (ox_link){ .change = t->scan[at].v, .n = t->scan[at].n, .error = t->last[at].error,
                         .held = t->held[at] };
        t->scan[at] = (grown){ 0 };
    } else {
        return false;
    }
    to->last = last;
    return ox_link_moved(to);
}

void ox_scope_forget(ox_scope *s)
{
    ox_turns *t = s->turns;
    for (int i = 0; t && i < t->n; i++) {
        ox_link_drop(&t->last[i]);
        free(t->scan[i].v);
    }
    if (t) {
        free(t->last);
        free(t->scan);
        free(t->held);
    }
    free(t);
    s->turns = NULL;
}
