#include "verify/chain.h"

#include <math.h>

enum { BLOCK = 4096 };

typedef struct part { /* of one block */
    double size, error, most, local, margin;
    size_t finite, first_bad;
    bool   odd, overflow; /* overflow: of first_bad */
} part;

typedef struct measuring {
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
    *p = (part){ .first_bad = SIZE_MAX };
    for (size_t i = 0; i < s->n; i++) {
        double ours = s->ours[i], truth = s->truth[i], d = truth - ours;
        bool same = alike(ours, truth);
        if (!isfinite(ours) && p->first_bad == SIZE_MAX) {
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

/* In lanes, so that a sum need not wait for the one before. */
static void add_up(const double *a, const double *b, size_t n, double *size, double *error, double *most)
{
    enum { LANES = 8 };
    double s[LANES] = { 0 }, e[LANES] = { 0 }, m[LANES] = { 0 };
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (size_t j = 0; j < LANES; j++) {
            double d = a[i + j] - b[i + j], size_of = fabs(d);
            s[j] += a[i + j] * a[i + j];
            e[j] += d * d;
            m[j] = size_of > m[j] ? size_of : m[j];
        }
    for (size_t j = 0; i < n; i++, j++) {
        double d = a[i] - b[i];
        s[j] += a[i] * a[i];
        e[j] += d * d;
        m[j] = fabs(d) > m[j] ? fabs(d) : m[j];
    }
    for (size_t j = 0; j < LANES; j++) {
        *size += s[j];
        *error += e[j];
        *most = m[j] > *most ? m[j] : *most;
    }
}

/* Most stretches hold nothing worse than what was seen: told without a branch an element. */
enum { STRETCH = 256 };
static void local_errors(const measuring *k, part *p, const span *s, size_t from, size_t end)
{
    const double *ours = s->ours, *fresh = s->fresh, *bound = s->bound;
    double margin = p->margin, local = p->local;
    int worse = 0;
    for (size_t i = from; i < end; i++) {
        double d = fabs(ours[i] - fresh[i]);
        worse |= !(d <= margin * bound[i]);
        worse |= !(d <= local);
    }
    for (size_t i = from; i < end && worse; i++)
        local_error(k, p, ours[i], fresh[i], bound[i]);
}

static void measure_span(const measuring *k, part *p, const span *s)
{
    double size = 0, error = 0, most = 0;
    *p = (part){ .first_bad = SIZE_MAX, .finite = s->n };
    add_up(s->truth, s->ours, s->n, &size, &error, &most);
    if (!isfinite(size + error) || most > 3e38) {
        careful(k, p, s);
        return;
    }
    for (size_t i = 0; i < s->n && k->m->change && !k->m->told; i++)
        k->m->change[s->from + i] = (float)(s->truth[i] - s->ours[i]);
    p->size = size;
    p->error = error;
    p->most = most;
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
    for (size_t i = 0; i < m; i++)
        chain[i] = ours[i] + (l && l->change ? (double)l->change[at + i] : 0);
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

size_t ox_pointwise_buffer(int n_in) { return (size_t)(4 + 2 * n_in) * BLOCK; }

static void measure_block(void *ctx, int64_t block, int worker)
{
    const measuring *k = ctx;
    const ox_measure *m = k->m;
    double ours[BLOCK], sums[BLOCK];
    span s = { .ours = ours, .from = (size_t)block * BLOCK };
    s.n = OX_MIN(m->n - s.from, (size_t)BLOCK);
    ox_to_f64(ours, element(m->ours, s.from), m->ours->dtype, s.n);
    if (m->by) {
        pointwise_block(k, &k->part[block], &s, worker);
        return;
    }
    s.fresh = m->fresh ? m->fresh + s.from : NULL;
    s.bound = m->bound ? m->bound + s.from : NULL;
    s.truth = m->chain ? m->chain + s.from : s.fresh;
    for (size_t i = 0; i < s.n && m->told; i++)
        sums[i] = ours[i] + (double)m->change[s.from + i];
    if (m->told)
        s.truth = sums;
    for (size_t i = 0; i < s.n && !m->chain && m->more; i++)
        sums[i] = s.fresh[i] + (double)m->more[s.from + i];
    if (!m->chain && m->more)
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

ox_code ox_measure_run(ox_measure *m, ox_pool *pool, ox_arena *a, ox_sighting *s, ox_error *err)
{
    size_t blocks = (m->n + BLOCK - 1) / BLOCK, finite = 0;
    s->first_bad = m->n;
    s->known = m->chain || m->fresh || m->by || m->told;
    s->judged = m->bound || m->by;
    if (!s->known) {
        s->first_bad = ox_is_float(m->ours->dtype) ? find_bad(m->ours, m->n) : m->n;
        return OX_OK;
    }
    measuring k = { m, ox_arena_array(a, blocks + 1, sizeof(part)), ox_dtype_huge(m->ours->dtype) };
    if (!k.part)
        return OX_FAIL(err, OX_E_NOMEM, "out of memory");
    ox_pool_run(pool, (int64_t)blocks, measure_block, &k);
    for (size_t i = 0; i < blocks; i++) {
        const part *p = &k.part[i];
        s->size += p->size;
        s->error += p->error;
        finite += p->finite;
        s->most = fmax(s->most, p->most);
        s->local = fmax(s->local, p->local);
        s->margin = fmax(s->margin, p->margin);
        if (p->first_bad < s->first_bad) {
            s->first_bad = p->first_bad;
            s->overflow = p->overflow;
        }
        m->odd |= p->odd;
    }
    s->size = finite ? sqrt(s->size / (double)finite) : 0;
    s->error = finite ? sqrt(s->error / (double)finite) : 0;
    return OX_OK;
}
