#include "verify/detail.h"

#include <math.h>
#include <string.h>

typedef struct source {
    const double *got, *truth, *bound;
    const ox_allowance *allowance;
    size_t n;
} source;

static double allowed_at(const source *s, size_t i)
{
    return s->allowance ? ox_allowed(s->allowance, i) : s->bound ? s->bound[i] : 0;
}

/* Infinite where one side alone is not finite. */
static double error_at(const source *s, size_t i)
{
    double d = fabs(s->got[i] - s->truth[i]);
    if (!isnan(d))
        return d;
    bool same = s->got[i] == s->truth[i] || (isnan(s->got[i]) && isnan(s->truth[i]));
    return same ? 0 : INFINITY;
}

/* ---- the distribution ---- */

static double step_around(ox_dtype t, double y)
{
    int e;
    if (!ox_is_float(t))
        return 1;
    if (y == 0 || !isfinite(y))
        return ox_dtype_tiny(t);
    frexp(y, &e);
    return fmax(ldexp(2 * ox_dtype_roundoff(t), e - 1), ox_dtype_tiny(t));
}

static int bin_of(double steps)
{
    int e;
    if (steps == 0)
        return 0;
    if (!(steps <= 0x1p20))
        return OX_ULP_BINS - 1;
    double m = frexp(steps, &e); /* steps = m 2^e, 1/2 <= m < 1 */
    e -= m == 0.5;
    return OX_MIN(OX_MAX(e + 2, 1), OX_ULP_BINS - 2);
}

/* ---- the worst ---- */

static void index_of(const ox_detail *d, size_t i, int64_t *index)
{
    for (int k = d->rank - 1; k >= 0; k--) {
        index[k] = d->dim[k] ? (int64_t)(i % (size_t)d->dim[k]) : 0;
        i /= d->dim[k] ? (size_t)d->dim[k] : 1;
    }
}

static void insert(ox_detail *d, const source *s, size_t i, double error, double allowed)
{
    double excess = allowed > 0 ? error / allowed : INFINITY;
    int at = d->n_worst;
    while (at > 0 && d->worst[at - 1].excess < excess)
        at--;
    if (at == OX_WORST)
        return;
    d->n_worst = OX_MIN(d->n_worst + 1, (int)OX_WORST);
    for (int k = d->n_worst - 1; k > at; k--)
        d->worst[k] = d->worst[k - 1];
    d->worst[at] = (ox_worst){ .got = s->got[i], .truth = s->truth[i], .allowed = allowed,
                               .excess = excess };
    index_of(d, i, d->worst[at].index);
}

/* ---- pictures ---- */

typedef struct plane {
    size_t  start, across, down; /* element of the corner, and steps to the right and down */
    int64_t width, height, n, number;
} plane;

/* The plane with the worst element: the last two dimensions, or the two before a few channels. */
static bool find_plane(const ox_detail *d, plane *p)
{
    int h = d->rank - 2;
    if (d->rank >= 3 && d->dim[d->rank - 1] <= 4 && d->dim[h] >= 8 && d->dim[h - 1] >= 8)
        h--;
    if (h < 0 || d->dim[h] < 8 || d->dim[h + 1] < 8)
        return false;
    size_t inner = 1;
    for (int k = h + 2; k < d->rank; k++)
        inner *= (size_t)d->dim[k];
    *p = (plane){ .across = inner, .down = inner * (size_t)d->dim[h + 1], .width = d->dim[h + 1],
                  .height = d->dim[h], .n = 1 };
    const int64_t *at = d->worst[0].index;
    size_t stride = 1;
    for (int k = d->rank - 1; k >= 0; k--) {
        if (k != h && k != h + 1) {
            p->start += d->n_worst ? (size_t)at[k] * stride : 0;
            p->number += d->n_worst ? at[k] * p->n : 0;
            p->n *= d->dim[k];
        }
        stride *= (size_t)d->dim[k];
    }
    return true;
}

static void pixel(const source *s, const plane *p, ox_picture *to, int x, int y)
{
    int64_t x0 = x * p->width / to->width, x1 = (x + 1) * p->width / to->width;
    int64_t y0 = y * p->height / to->height, y1 = (y + 1) * p->height / to->height;
    double got = 0, truth = 0, error = 0, n = (double)((x1 - x0) * (y1 - y0));
    for (int64_t j = y0; j < y1; j++)
        for (int64_t i = x0; i < x1; i++) {
            size_t at = p->start + (size_t)j * p->down + (size_t)i * p->across;
            double e = s->got[at] - s->truth[at];
            got += s->got[at] / n;
            truth += s->truth[at] / n;
            if (fabs(e) > fabs(error) || isnan(e))
                error = isnan(e) && error_at(s, at) == 0 ? error : e;
        }
    int k = y * to->width + x;
    to->got[k] = (float)got;
    to->truth[k] = (float)truth;
    to->error[k] = (float)error;
}

static bool draw(ox_arena *a, ox_detail *d, const source *s)
{
    plane p;
    ox_picture *to = &d->picture;
    if (s->n == 0 || !find_plane(d, &p))
        return true;
    *to = (ox_picture){ .width = (int)OX_MIN(p.width, (int64_t)OX_PICTURE),
                        .height = (int)OX_MIN(p.height, (int64_t)OX_PICTURE), .plane = (int)p.number,
                        .n_plane = p.n, .full_width = p.width, .full_height = p.height };
    size_t n = (size_t)to->width * (size_t)to->height;
    to->got = ox_arena_array(a, n, sizeof(float));
    to->truth = ox_arena_array(a, n, sizeof(float));
    to->error = ox_arena_array(a, n, sizeof(float));
    if (!to->got || !to->truth || !to->error)
        return false;
    for (int y = 0; y < to->height; y++)
        for (int x = 0; x < to->width; x++)
            pixel(s, &p, to, x, y);
    return true;
}

ox_detail *ox_detail_of(ox_arena *a, const ox_sighting *s, const double *got, const double *truth,
                        const ox_allowance *allowance, const double *bound, bool picture)
{
    const ox_tensor *y = s->r->out[s->out];
    source from = { got, truth, bound, allowance, s->n };
    ox_detail *d = ox_arena_alloc(a, sizeof *d);
    if (!d)
        return NULL;
    d->dtype = y->dtype;
    d->rank = y->rank;
    memcpy(d->dim, y->dim, sizeof d->dim);
    d->size = ox_rms(truth, NULL, s->n);
    d->allowed = allowance || bound ? 0 : NAN;
    for (size_t i = 0; i < s->n; i++) {
        double error = error_at(&from, i), may = allowed_at(&from, i);
        d->bin[bin_of(error / step_around(y->dtype, truth[i]))]++;
        if (error > 0)
            insert(d, &from, i, error, may);
        if (isfinite(may) && d->n_worst == 0)
            d->allowed = fmax(d->allowed, may);
    }
    if (d->n_worst > 0 && !isnan(d->allowed))
        d->allowed = d->worst[0].allowed;
    return !picture || draw(a, d, &from) ? d : NULL;
}
