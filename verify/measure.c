#include "verify/chain.h"
#include "runtime/tensor/spans.h"

#include <math.h>
#include <string.h>

enum { BLOCK = 4096 };

typedef struct part { /* of one block */
    double size, error, most, local, margin;
    size_t finite, first_bad;
    bool   odd, overflow; /* overflow: of first_bad */
} part;

typedef struct measuring {
    const ox_spans *spans;
    ox_measure *m;
    part       *part;
    double      huge;
} measuring;

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

static bool alike(double a, double b) { return a == b || (isnan(a) && isnan(b)); }

static void local_error(const measuring *k, part *p, double ours, double fresh, double bound)
{
    double d = fabs(ours - fresh);
    if (d <= p->local && d <= p->margin * bound)
        return;
    if (alike(ours, fresh))
        return;
    if (isinf(ours) && fabs(fresh) > k->huge && (ours > 0) == (fresh > 0))
        return; /* overflow where the exact value is too large for the type */
    if (!isfinite(d))
        d = INFINITY;
    p->local = d > p->local ? d : p->local;
    double margin = isinf(d) ? INFINITY : d / fmax(bound, 1e-300);
    p->margin = margin > p->margin ? margin : p->margin;
}

typedef struct span { /* n elements from `from` on, in double */
    const double *ours, *truth, *fresh, *bound; /* bound NULL: not judged */
    size_t        from, n;
} span;

/* Every element for itself: something here is not finite. */
static void careful(const measuring *k, part *p, const span *s)
{
    float *change = k->m->change ? k->m->change + s->from : NULL;
    for (size_t i = 0; i < s->n; i++) {
        double ours = s->ours[i], truth = s->truth[i], d = truth - ours;
        bool same = alike(ours, truth);
        if (!isfinite(ours) && s->from + i < p->first_bad) {
            p->first_bad = s->from + i;
            p->overflow = isfinite(truth);
        }
        if (isfinite(d)) {
            p->size += truth * truth;
            p->error += d * d;
            p->finite++;
        }
        if (!same)
            p->most = fmax(p->most, isfinite(d) ? fabs(d) : INFINITY);
        if (s->bound)
            local_error(k, p, ours, s->fresh[i], s->bound[i]);
        if (change && !k->m->told) {
            change[i] = same ? 0 : (float)d;
            p->odd |= !same && !isfinite(change[i]);
        }
    }
}

/* Most stretches hold nothing worse than what was seen: told without a branch an element. */
enum { STRETCH = 256 };
static void local_errors(const measuring *k, part *p, const span *s, size_t from, size_t end)
{
    const double *ours = s->ours, *fresh = s->fresh, *bound = s->bound;
    if (k->spans->within(end - from, ours + from, fresh + from, bound + from, p->margin, p->local))
        return;
    for (size_t i = from; i < end; i++)
        local_error(k, p, ours[i], fresh[i], bound[i]);
}

/* Adds to *p. */
static void measure_span(const measuring *k, part *p, const span *s)
{
    double sizes[3] = { 0 };
    k->spans->sizes(s->n, s->truth, s->ours, sizes);
    if (!isfinite(sizes[0] + sizes[1]) || sizes[2] > 3e38) {
        careful(k, p, s);
        return;
    }
    if (k->m->change && !k->m->told)
        k->spans->difference(s->n, s->truth, s->ours, k->m->change + s->from);
    p->size += sizes[0];
    p->error += sizes[1];
    p->finite += s->n;
    p->most = sizes[2] > p->most ? sizes[2] : p->most;
    for (size_t at = 0; at < s->n && s->bound; at += STRETCH)
        local_errors(k, p, s, at, OX_MIN(s->n, at + STRETCH));
}

/* ---- where the truth of a block comes from ---- */

static const char *element(const ox_tensor *t, size_t at)
{
    return (const char *)t->data + at * ox_dtype_size(t->dtype);
}

/* n elements of an input from `from` on (or its only one): ours, and the chain's, where that differs. */
static void input_span(const ox_tensor *x, const ox_link *l, size_t from, size_t n, double *ours, double *chain)
{
    size_t at = ox_count(x) == 1 ? 0 : from, m = ox_count(x) == 1 ? 1 : n;
    ox_to_f64(ours, element(x, at), x->dtype, m);
    if (l && l->change)
        ox_spans_pick()->sum(m, ours, l->change + at, chain);
    else
        memcpy(chain, ours, m * sizeof(*chain));
}

/* The truth of a run of elements from ours (fresh) or the chain's inputs. */
static void truth_span(const ox_pointwise *p, const double *const *in, size_t from, size_t n, double *value,
                       double *mag)
{
    ox_tensor        x[OX_POINTWISE_IN], y = *p->r->out[0], *out[] = { &y };
    const ox_tensor *px[OX_POINTWISE_IN];
    ox_run           r = *p->r;
    for (int i = 0; i < r.n_in; i++) {
        px[i] = r.in[i];
        if (!px[i])
            continue;
        x[i] = *px[i];
        x[i].buf = NULL;
        if (ox_count(px[i]) != 1) {
            x[i].rank = 1;
            x[i].dim[0] = (int64_t)n;
            x[i].data = (void *)(uintptr_t)element(px[i], from);
        }
        px[i] = &x[i];
    }
    y.rank = 1;
    y.dim[0] = (int64_t)n;
    y.buf = NULL;
    r.in = px;
    r.out = out;
    r.n_out = 1;
    r.pool = NULL;
    for (size_t i = 0; i < n; i++)
        mag[i] = NAN;
    ox_oracle o = { &r, in, &value, &mag };
    if (r.op->oracle(&o) != OX_OK) /* nothing it needs can fail; if so, no value is right */
        for (size_t i = 0; i < n; i++)
            value[i] = NAN;
    ox_error_bounds(r.op->error, y.dtype, n, value, mag);
}

static void pointwise_block(const measuring *k, part *p, span *s, int worker)
{
    const ox_pointwise *w = k->m->by;
    double *at = w->buffer + (size_t)worker * ox_pointwise_buffer(w->r->n_in), *value[2], *mag[2];
    const double *ours[OX_POINTWISE_IN] = { 0 }, *chain[OX_POINTWISE_IN] = { 0 };
    bool moved = false;
    for (int i = 0; i < 2; i++, at += 2 * BLOCK) {
        value[i] = at;
        mag[i] = at + BLOCK;
    }
    for (int i = 0; i < w->r->n_in; i++, at += 2 * BLOCK) {
        if (!w->r->in[i])
            continue;
        input_span(w->r->in[i], w->link[i], s->from, s->n, at, at + BLOCK);
        ours[i] = at;
        chain[i] = at + BLOCK;
        moved |= w->link[i] && w->link[i]->change;
    }
    truth_span(w, ours, s->from, s->n, value[0], mag[0]);
    if (moved)
        truth_span(w, chain, s->from, s->n, value[1], mag[1]);
    s->fresh = value[0];
    s->bound = mag[0];
    s->truth = moved ? value[1] : value[0];
    measure_span(k, p, s);
}

/* ---- truths that come in parts ---- */

typedef struct gathering {
    const measuring *k;
    part             all;
    ox_error_model   model;
} gathering;

static void measure_stretch(void *ctx, int64_t from, int64_t n, const double *value, double *mag)
{
    enum { CHUNK = 1024 };
    gathering *g = ctx;
    const ox_measure *m = g->k->m;
    double ours[CHUNK], sums[CHUNK];
    ox_error_bounds(g->model, m->ours->dtype, (size_t)n, value, mag);
    for (int64_t at = 0; at < n; at += CHUNK) {
        span s = { .ours = ours, .fresh = value + at, .bound = mag + at, .truth = value + at,
                   .from = (size_t)(from + at), .n = (size_t)OX_MIN(n - at, CHUNK) };
        ox_to_f64(ours, element(m->ours, s.from), m->ours->dtype, s.n);
        if (m->more) {
            g->k->spans->sum(s.n, s.fresh, m->more + s.from, sums);
            s.truth = sums;
        }
        measure_span(g->k, &g->all, &s);
    }
}

static void measure_part(void *ctx, int64_t i, int worker)
{
    const measuring *k = ctx;
    const ox_parts *p = &k->m->parts->parts;
    ox_error_model model = p->r->op->error;
    model.c *= ox_error_stretch(model, p->terms);
    gathering g = { k, { .first_bad = SIZE_MAX }, model };
    p->part(p, i, k->m->parts->scratch + (size_t)worker * p->scratch, measure_stretch, &g);
    k->part[i] = g.all;
}

size_t ox_pointwise_buffer(int n_in) { return (size_t)(4 + 2 * n_in) * BLOCK; }

static void measure_block(void *ctx, int64_t block, int worker)
{
    const measuring *k = ctx;
    const ox_measure *m = k->m;
    double ours[BLOCK], sums[BLOCK];
    span s = { .ours = ours, .from = (size_t)block * BLOCK };
    s.n = OX_MIN(m->n - s.from, (size_t)BLOCK);
    k->part[block].first_bad = SIZE_MAX;
    ox_to_f64(ours, element(m->ours, s.from), m->ours->dtype, s.n);
    if (m->by) {
        pointwise_block(k, &k->part[block], &s, worker);
        return;
    }
    s.fresh = m->fresh ? m->fresh + s.from : NULL;
    s.bound = m->bound ? m->bound + s.from : NULL;
    s.truth = m->chain ? m->chain + s.from : s.fresh;
    if (m->told)
        k->spans->sum(s.n, ours, m->change + s.from, sums);
    else if (!m->chain && m->more)
        k->spans->sum(s.n, s.fresh, m->more + s.from, sums);
    if (m->told || (!m->chain && m->more))
        s.truth = sums;
    measure_span(k, &k->part[block], &s);
}

static size_t find_bad(const ox_tensor *t, size_t n)
{
    double v[BLOCK];
    for (size_t at = 0; at < n; at += BLOCK) {
        size_t m = OX_MIN(n - at, (size_t)BLOCK);
        ox_to_f64(v, (const char *)t->data + at * ox_dtype_size(t->dtype), t->dtype, m);
        for (size_t i = 0; i < m; i++)
            if (!isfinite(v[i]))
                return at + i;
    }
    return n;
}

static void merge(part *to, const part *from)
{
    to->size += from->size;
    to->error += from->error;
    to->finite += from->finite;
    to->most = fmax(to->most, from->most);
    to->local = fmax(to->local, from->local);
    to->margin = fmax(to->margin, from->margin);
    if (from->first_bad < to->first_bad) {
        to->first_bad = from->first_bad;
        to->overflow = from->overflow;
    }
    to->odd |= from->odd;
}

ox_code ox_measure_run(ox_measure *m, ox_pool *pool, ox_arena *a, ox_sighting *s, ox_error *err)
{
    size_t blocks = m->parts ? (size_t)m->parts->parts.n : (m->n + BLOCK - 1) / BLOCK;
    part all = { .first_bad = m->n };
    s->first_bad = m->n;
    s->known = m->chain || m->fresh || m->by || m->parts || m->told;
    s->judged = m->bound || m->by || m->parts;
    if (!s->known) {
        s->first_bad = ox_is_float(m->ours->dtype) ? find_bad(m->ours, m->n) : m->n;
        return OX_OK;
    }
    measuring k = { ox_spans_pick(), m, ox_arena_array(a, blocks + 1, sizeof(part)), ox_dtype_huge(m->ours->dtype) };
    if (!k.part)
        return OX_FAIL(err, OX_E_NOMEM, "out of memory");
    ox_pool_run(pool, (int64_t)blocks, m->parts ? measure_part : measure_block, &k);
    for (size_t i = 0; i < blocks; i++)
        merge(&all, &k.part[i]);
    s->size = all.finite ? sqrt(all.size / (double)all.finite) : 0;
    s->error = all.finite ? sqrt(all.error / (double)all.finite) : 0;
    s->most = all.most;
    s->local = all.local;
    s->margin = all.margin;
    s->first_bad = all.first_bad;
    s->overflow = all.overflow;
    m->odd = all.odd;
    return OX_OK;
}
