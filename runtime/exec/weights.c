/* Constants of a session that are large: weights rearranged once, and those that their file holds where no
 * kernel could read them (graph/weights.h). */
#include "runtime/exec/internal.h"
#include "runtime/graph/weights.h"

#include <stdlib.h>
#include <string.h>

enum {
    WORTH = 64 << 10,        /* bytes of a constant that is worth dropping early */
    LARGE_PAGED = 128 << 20, /* packed weights in large pages: to make more takes longer than they save */
};

/* ---- who reads them ---- */

/* Whether the node takes its input i from ox_packed or at run time only: no pass looks into it unasked. */
static bool packs(const ox_node *n, int i)
{
    return n->op && i >= 1 && i <= 2 && (n->op->flags & (OX_PACKS1 << (i - 1)));
}

static ox_code fill_but(ox_model *m, const ox_graph *g, const bool *keep, ox_error *err)
{
    for (size_t v = 0; v < g->n_value; v++)
        if (g->value[v].constant && !(keep && keep[v]))
            OX_TRY(ox_weights_fill(m, g->value[v].constant, err));
    for (size_t k = 0; k < g->n_node; k++)
        for (int i = 0; i < g->node[k].n_attr; i++)
            if (g->node[k].attr[i].kind == OX_ATTR_GRAPH)
                OX_TRY(fill_but(m, g->node[k].attr[i].graph, NULL, err));
    return OX_OK;
}

ox_code ox_session_settle(ox_session *s, ox_error *err)
{
    const ox_graph *g = s->graph;
    const ox_options *o = &s->options;
    if (o->observed || o->f64 || o->optimize == 0 || o->as_written)
        return ox_weights_fill_all(s->model, err);
    bool *keep = calloc(g->n_value + 1, sizeof(*keep));
    if (!keep)
        return OX_FAIL(err, OX_E_NOMEM, "out of memory");
    for (size_t v = 0; v < g->n_value; v++)
        keep[v] = !g->value[v].is_output;
    for (size_t k = 0; k < g->n_node; k++)
        for (int i = 0, v; (v = ox_node_read(&g->node[k], i)) != OX_NO_MORE; i++)
            if (v >= 0 && (i >= g->node[k].n_in || !packs(&g->node[k], i)))
                keep[v] = false;
    ox_code code = fill_but(s->model, g, keep, err);
    free(keep);
    return code;
}

/* ---- constants that passes made and others have replaced ---- */

static int by_address(const void *va, const void *vb)
{
    const char *const *a = va, *const *b = vb;
    return (*a > *b) - (*a < *b);
}

/* Whether any of the sorted addresses is in [from, from + n): a folded view is somebody else's memory. */
static bool any_in(const char *const *p, size_t n_p, const char *from, size_t n)
{
    size_t low = 0, high = n_p;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (p[mid] < from)
            low = mid + 1;
        else
            high = mid;
    }
    return low < n_p && p[low] < from + n;
}

static void drop_kept(ox_session *s, ox_info *info)
{
    for (size_t i = 0; i < s->n_kept; i++)
        if (s->kept[i] == info->constant->buf) {
            ox_buf_unref(s->kept[i]);
            s->kept[i] = NULL;
            info->constant = NULL;
            return;
        }
}

void ox_session_prune_constants(ox_session *s)
{
    const ox_graph *g = s->graph;
    size_t n = 0;
    const char **used = calloc(g->n_value + 1, sizeof(*used));
    for (size_t v = 0; used && v < g->n_value; v++)
        if (g->value[v].constant && (g->value[v].n_uses || g->value[v].is_output))
            used[n++] = g->value[v].constant->data;
    if (n)
        qsort(used, n, sizeof(*used), by_address);
    for (size_t v = 0; used && v < g->n_value; v++) {
        ox_info *info = &g->value[v];
        ox_buf *buf = info->constant && !info->n_uses && !info->is_output ? info->constant->buf : NULL;
        if (buf && ox_buf_size(buf) >= WORTH && ox_buf_unique(buf) && !any_in(used, n, ox_buf_data(buf), ox_buf_size(buf)))
            drop_kept(s, info);
    }
    free(used); /* without it everything stays until the end */
}

bool ox_constant_private(const ox_graph *g, int v)
{
    enum { MANY = 20000 }; /* values to look at for each */
    const ox_info *info = &g->value[v];
    const ox_tensor *c = info->constant;
    if (!c || !c->buf || info->n_uses > 1 || info->is_output || !ox_buf_unique(c->buf) || g->n_value > MANY ||
        c->data != ox_buf_data(c->buf))
        return false;
    uintptr_t from = (uintptr_t)c->data, size = ox_buf_size(c->buf);
    for (size_t i = 0; i < g->n_value; i++)
        if (g->value[i].constant && (int)i != v && (uintptr_t)g->value[i].constant->data - from < size)
            return false;
    return true;
}

/* Whether runs differ in the elements of their inputs only. */
static bool one_plan(const ox_session *s)
{
    const ox_graph *g = s->graph;
    bool one = !s->options.observed && s->options.n_override == 0;
    for (int i = 0; i < g->n_in && one; i++) {
        const ox_type *t = &g->value[g->in[i]].type;
        one = t->kind == OX_TENSOR && !t->optional && t->dtype && t->rank >= 0;
        for (int d = 0; d < t->rank && one; d++)
            one = t->dim[d] >= 0;
    }
    return one;
}

/* Gives back the memory of constants that have been packed and that nobody can ask for again. */
void ox_step_drop_packed(ox_step *t)
{
    ox_plan *p = t->frame.plan;
    ox_graph *g = p->session->graph;
    if (!t->packed || p->graph != g || !one_plan(p->session))
        return;
    for (int i = 0; i < t->run.n_in && i < 64; i++) {
        int v = t->frame.node->in[i];
        if (!(t->packed >> i & 1) || v < 0 || !packs(t->frame.node, i) || !p->slot[v].fixed || !ox_constant_private(g, v) ||
            ox_bytes(g->value[v].constant) < WORTH)
            continue;
        g->value[v].dropped = true; /* before its bytes are zeros: nothing may read them from now on */
        ox_file_drop(g->value[v].constant->data, ox_bytes(g->value[v].constant));
    }
}

/* ---- weights rearranged once ---- */
struct ox_pack {
    struct ox_pack *next;
    const void     *weights;
    char           *key;
    size_t          n_bytes;
    ox_buf         *buf;
};

static void *find(ox_session *s, const void *weights, const char *key, size_t n_bytes)
{
    for (struct ox_pack *p = s->packs; p; p = p->next)
        if (p->weights == weights && p->n_bytes == n_bytes && strcmp(p->key, key) == 0)
            return ox_buf_data(p->buf);
    return NULL;
}

void ox_session_unbounce(ox_session *s)
{
    if (s->bounce) /* what is freed need not leave the process, but this shall */
        ox_file_drop(ox_buf_data(s->bounce), ox_buf_size(s->bounce));
    ox_buf_unref(s->bounce);
    s->bounce = NULL;
}

/* A copy of deferred weights for a moment, in memory that the next ones use again. */
static const void *aligned(ox_session *s, const void *from, size_t n)
{
    if (!s->bounce || ox_buf_size(s->bounce) < n) {
        ox_session_unbounce(s);
        s->bounce = ox_buf_create(n);
    }
    if (s->bounce)
        ox_weights_copy(s->model, ox_buf_data(s->bounce), from, n);
    return s->bounce ? ox_buf_data(s->bounce) : NULL;
}

const void *ox_packed(ox_run *r, int i, const char *key, size_t n_bytes, ox_pack_fn *pack,
                      const void *ctx)
{
    ox_session *s = r->frame->plan->session;
    ox_tensor t = *r->in[i];
    r->frame->step->packed |= (uint64_t)1 << (i & 63);
    const void *weights = t.data, *bytes = ox_weights_bytes(s->model, &t);
    void *to = find(s, weights, key, n_bytes);
    if (to)
        return to;
    struct ox_pack *p = ox_arena_alloc(s->arena, sizeof(*p));
    char *own_key = ox_arena_strndup(s->arena, key, strlen(key));
    ox_buf *buf = (ox_packs_bytes(s) < LARGE_PAGED ? ox_buf_create : ox_buf_create_plain)(n_bytes ? n_bytes : 1);
    if (bytes != weights)
        bytes = aligned(s, bytes, ox_bytes(&t));
    int v = r->frame->node->in[i];
    bool dropped = v >= 0 && r->frame->plan->graph->value[v].dropped;
    if (!p || !own_key || !buf || (weights && !bytes) || dropped) {
        ox_buf_unref(buf);
        return NULL;
    }
    t.data = (void *)(uintptr_t)bytes;
    pack(ox_buf_data(buf), &t, ctx);
    ox_weights_drop(s->model, bytes, ox_bytes(&t)); /* read again where another plan packs otherwise */
    *p = (struct ox_pack){ s->packs, weights, own_key, n_bytes, buf };
    s->packs = p;
    return ox_buf_data(buf);
}

ox_code ox_step_settle(ox_step *t, ox_error *err)
{
    ox_model *m = t->frame.plan->session->model;
    for (int i = 0; i < t->run.n_in; i++) {
        if (!t->in[i] || !t->run.in_const || (t->packed >> (i & 63) & 1))
            continue;
        if (t->frame.plan->graph->value[t->frame.node->in[i]].dropped)
            return OX_FAIL(err, OX_E_NOMEM, "these weights were given back when they had been packed");
        OX_TRY(ox_weights_fill(m, t->in[i], err));
    }
    return OX_OK;
}

void ox_packs_release(ox_session *s)
{
    for (struct ox_pack *p = s->packs; p; p = p->next)
        ox_buf_unref(p->buf);
    s->packs = NULL;
    ox_session_unbounce(s);
}

size_t ox_packs_bytes(const ox_session *s)
{
    size_t n = 0;
    for (const struct ox_pack *p = s->packs; p; p = p->next)
        n += p->n_bytes;
    return n;
}
