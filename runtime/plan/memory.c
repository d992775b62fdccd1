/* Where activations lie: offsets in one slab.
 *
 * Each value needs its bytes from the step that makes it to the last step that reads it or one of
 * its views.  In-place steps continue their input's block; what a Concat joins is made in its block, unless more
 * were alive at some step then.  Blocks are placed largest first at the
 * lowest offset that is free for their whole life (Pisarchyk & Lee 2020, "Efficient memory management
 * for deep neural net inference", greedy by size).  Where that leaves a gap to the live-set bound, the
 * block that sticks out is placed earlier and all is tried again. */
#include "runtime/exec/internal.h"

#include <stdlib.h>
#include <string.h>

/* Placing n blocks looks at up to n * n pairs: MANY at once, PAIRS in all tries together. */
enum { MANY = 4096, PAIRS = 1 << 23, TRIES = 200, PAGE = 4096 };

typedef struct block {
    int    root;
    int    first, last;
    size_t bytes, offset;
} block;

static int root_of(const ox_plan *p, int v)
{
    while (p->slot[v].root != v)
        v = p->slot[v].root;
    return v;
}

size_t ox_slot_offset(const ox_plan *p, int v)
{
    size_t at = p->slot[v].within;
    while (p->slot[v].root != v)
        at += p->slot[v = p->slot[v].root].within;
    return p->slot[v].offset + at;
}

/* Whether input i is read at the element that is written, by all who read its memory: the same bytes, and
 * no other input is that memory under another broadcast, or past the first two. */
static bool same_elements(const ox_plan *p, const ox_node *n, int i, int root)
{
    size_t bytes = ox_bytes(&p->slot[n->out[0]].v.t);
    for (int j = 0; j < n->n_in; j++) {
        if (j != i && (n->in[j] < 0 || root_of(p, n->in[j]) != root))
            continue;
        if (j > 1 || ox_bytes(&p->slot[n->in[j]].v.t) != bytes)
            return false;
    }
    return true;
}

/* An output may take over an input's block if nobody reads that input (or a view of it) later. */
static void merge_in_place(ox_plan *p, const ox_step *t, int at)
{
    const ox_node *n = t->frame.node;
    if (!t->is_static || t->is_view || t->wide || n->n_out < 1 || n->out[0] < 0)
        return;
    ox_slot *out = &p->slot[n->out[0]];
    if (out->place != OX_PLACE_SLAB)
        return;
    for (int i = 0; i < 2 && i < n->n_in; i++) {
        if (!(t->run.op->flags & (OX_INPLACE0 << i)) || n->in[i] < 0)
            continue;
        int root = root_of(p, n->in[i]);
        ox_slot *in = &p->slot[root];
        if (in->place != OX_PLACE_SLAB || in->last != at || in->bytes != out->bytes || root == n->out[0] ||
            !same_elements(p, n, i, root))
            continue;
        out->root = root;
        in->last = OX_MAX(in->last, out->last);
        return;
    }
}

/* Largest first; among equals the earlier, so that the result never depends on qsort. */
static int by_size(const void *va, const void *vb)
{
    const block *a = va, *b = vb;
    if (a->bytes != b->bytes)
        return a->bytes < b->bytes ? 1 : -1;
    return a->first != b->first ? (a->first > b->first) - (a->first < b->first)
                                : (a->root > b->root) - (a->root < b->root);
}

static int by_offset(const void *va, const void *vb)
{
    const block *const *a = va, *const *b = vb;
    return ((*a)->offset > (*b)->offset) - ((*a)->offset < (*b)->offset);
}

/* Lowest gap among the placed blocks whose lives overlap b's. */
static void place(block *b, block *placed, size_t n, block **busy)
{
    size_t n_busy = 0, at = 0;
    for (size_t i = 0; i < n; i++)
        if (placed[i].first <= b->last && b->first <= placed[i].last)
            busy[n_busy++] = &placed[i];
    qsort(busy, n_busy, sizeof(*busy), by_offset);
    for (size_t i = 0; i < n_busy; i++) {
        if (busy[i]->offset >= at + b->bytes)
            break;
        at = OX_MAX(at, busy[i]->offset + busy[i]->bytes);
    }
    b->offset = at;
}

/* For graphs so large that looking at all pairs takes seconds: steps in order, each block in the first
 * gap of the blocks then alive.  live[] is kept sorted by offset. */
static int by_start(const void *va, const void *vb)
{
    const block *a = va, *b = vb;
    return a->first != b->first ? (a->first > b->first) - (a->first < b->first) : by_size(va, vb);
}

static void place_in_order(block *b, size_t n, block **live)
{
    size_t n_live = 0;
    qsort(b, n, sizeof(*b), by_start);
    for (size_t i = 0; i < n; i++) {
        size_t kept = 0, at = 0, where;
        for (size_t k = 0; k < n_live; k++)
            if (live[k]->last >= b[i].first)
                live[kept++] = live[k];
        n_live = kept;
        for (where = 0; where < n_live && live[where]->offset < at + b[i].bytes; where++)
            at = OX_MAX(at, live[where]->offset + live[where]->bytes);
        b[i].offset = at;
        memmove(live + where + 1, live + where, (n_live - where) * sizeof(*live));
        live[where] = &b[i];
        n_live++;
    }
}

typedef struct watch {
    int64_t *change; /* of the bytes alive from each step to the next: n_step + 2 numbers */
    size_t   looks;  /* how many more values may be looked at to decide what is joined */
} watch;

/* The most bytes alive at any step. */
static size_t most_alive(const ox_plan *p, watch *w)
{
    int64_t live = 0, most = 0, *change = w->change;
    size_t n = p->graph->n_value + p->n_step;
    w->looks -= OX_MIN(w->looks, n);
    memset(change, 0, (p->n_step + 2) * sizeof(*change));
    for (size_t i = 0; i < p->graph->n_value; i++) {
        const ox_slot *s = &p->slot[i];
        if (s->place != OX_PLACE_SLAB || s->root != (int)i)
            continue;
        change[s->first] += (int64_t)s->bytes;
        change[s->last + 1] -= (int64_t)s->bytes;
    }
    for (size_t i = 0; i <= p->n_step; i++) {
        live += change[i];
        most = OX_MAX(most, live);
    }
    return (size_t)most;
}

/* Input v of a joint output, which is to start at byte `at` of it: made there, if that needs no more memory. */
static void join_input(ox_plan *p, int v, int out, size_t at, watch *w)
{
    int root = root_of(p, v), whole = root_of(p, out);
    ox_slot *in = &p->slot[root], *to = &p->slot[whole], was_in = *in, was_to = *to;
    if (root == whole || in->place != OX_PLACE_SLAB || w->looks == 0 || ox_slot_offset(p, v) != in->offset ||
        ox_bytes(&in->v.t) != ox_bytes(&p->slot[v].v.t)) /* v is all of its memory */
        return;
    size_t before = most_alive(p, w);
    in->root = whole;
    in->within = at;
    to->first = OX_MIN(to->first, in->first);
    to->last = OX_MAX(to->last, in->last);
    if (most_alive(p, w) > before)
        *in = was_in, *to = was_to;
}

static void join_inputs(ox_plan *p, const ox_step *t, watch *w)
{
    const ox_node *n = t->frame.node;
    size_t at = 0;
    if (!t->is_static || t->done || t->wide || !t->run.op->joint || n->out[0] < 0 ||
        p->slot[n->out[0]].place != OX_PLACE_SLAB || !t->run.op->joint(&t->run))
        return;
    for (int i = 0; i < n->n_in; i++) {
        join_input(p, n->in[i], n->out[0], at, w);
        at += ox_bytes(&p->slot[n->in[i]].v.t);
    }
}

static void find_lives(ox_plan *p, watch *w)
{
    bool in_place = !p->session->options.observed && p->session->options.optimize > 0;
    int end = (int)p->n_step - 1;
    for (size_t i = 0; i < p->graph->n_value; i++)
        p->slot[i].last = p->slot[i].first;
    for (int k = 0; k <= end; k++) {
        const ox_node *n = p->step[k].frame.node;
        for (int i = 0, v; (v = ox_node_read(n, i)) != OX_NO_MORE; i++)
            if (v >= 0)
                p->slot[root_of(p, v)].last = k;
        const ox_step *feeder = p->step[k].feeder; /* runs now, too */
        for (int i = 0; feeder && i < feeder->frame.node->n_in; i++)
            if (feeder->frame.node->in[i] >= 0)
                p->slot[root_of(p, feeder->frame.node->in[i])].last = k;
    }
    for (size_t i = 0; i < p->graph->n_value; i++) /* read after the last step, which may not reuse them */
        if (p->graph->value[i].is_output)
            p->slot[root_of(p, (int)i)].last = end + 1;
    for (int k = 0; k <= end && in_place; k++) {
        merge_in_place(p, &p->step[k], k);
        join_inputs(p, &p->step[k], w);
    }
}

/* Places the blocks in the order given; returns the height of the slab. */
static size_t place_all(block *b, size_t n, block **busy)
{
    size_t top = 0;
    for (size_t i = 0; i < n; i++) {
        place(&b[i], b, i, busy);
        top = OX_MAX(top, b[i].offset + b[i].bytes);
    }
    return top;
}

static size_t keep_offsets(ox_plan *p, const block *b, size_t n)
{
    size_t top = 0;
    for (size_t i = 0; i < n; i++) {
        p->slot[b[i].root].offset = b[i].offset;
        top = OX_MAX(top, b[i].offset + b[i].bytes);
    }
    return top;
}

/* Moves the block that reaches highest, or any if it is the first, to an earlier place; `pick` says which. */
static void promote_highest(block *b, size_t n, uint32_t pick)
{
    size_t high = 0;
    for (size_t i = 1; i < n; i++)
        if (b[i].offset + b[i].bytes > b[high].offset + b[high].bytes)
            high = i;
    if (high == 0)
        high = 1 + pick / 2 % (n - 1);
    size_t to = pick % high;
    block moved = b[high];
    memmove(b + to + 1, b + to, (high - to) * sizeof(*b));
    b[to] = moved;
}

/* Offsets into the slots; returns the height of the slab. */
static size_t place_blocks(ox_plan *p, block *b, size_t n, block **busy, size_t bound)
{
    if (n > MANY) {
        place_in_order(b, n, busy);
        return keep_offsets(p, b, n);
    }
    qsort(b, n, sizeof(*b), by_size);
    size_t best = SIZE_MAX, pairs = 0, good = OX_MAX(bound + bound / 32, (size_t)PAGE);
    uint32_t pick = 0; /* Knuth's linear congruential sequence: the same plan every time */
    for (int tries = 0; tries < TRIES && pairs <= PAIRS && best > good; tries++, pairs += n * n) {
        if (tries > 0 && n > 1)
            promote_highest(b, n, (pick = pick * 1664525 + 1013904223) >> 8);
        size_t top = place_all(b, n, busy);
        if (top < best) {
            best = top;
            keep_offsets(p, b, n);
        }
    }
    return best;
}

ox_code ox_plan_memory(ox_plan *p, ox_error *err)
{
    size_t n_value = p->graph->n_value, n = 0, top;
    block *b = malloc(OX_MAX(n_value, 1) * sizeof(*b));
    block **busy = malloc((n_value + 1) * sizeof(*busy));
    watch w = { calloc(p->n_step + 2, sizeof(*w.change)), PAIRS };
    if (!b || !busy || !w.change) {
        free(b);
        free(busy);
        free(w.change);
        return OX_FAIL(err, OX_E_NOMEM, "out of memory");
    }
    find_lives(p, &w);
    p->memory.live_bound = most_alive(p, &w);
    free(w.change);
    for (size_t i = 0; i < n_value; i++) {
        ox_slot *s = &p->slot[i];
        if (s->place == OX_PLACE_SLAB && s->root == (int)i)
            b[n++] = (block){ (int)i, s->first, s->last, s->bytes, 0 };
    }
    top = p->memory.slab = place_blocks(p, b, n, busy, p->memory.live_bound);
    free(busy);
    free(b);
    if (top && !(p->slab = ox_buf_create(top)))
        return OX_FAIL(err, OX_E_LIMIT, "activations need %zu bytes, more than --max-memory or the "
                       "machine allows", top);
    for (size_t i = 0; i < n_value; i++) {
        ox_slot *s = &p->slot[i];
        if (s->place == OX_PLACE_SLAB && s->bytes)
            s->v.t.data = (char *)ox_buf_data(p->slab) + ox_slot_offset(p, (int)i);
    }
    return OX_OK;
}
