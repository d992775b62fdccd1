#include "kernels/pool/slide.h"

#include <string.h>

enum { BLOCK = 1 << 14, GROUP = 1 << 12 }; /* elements of a parallel block, of a group's lines */

ox_code ox_slide_infer(ox_run *r)
{
    const ox_tensor *x = r->in[0];
    ox_window w;
    int64_t dim[OX_MAX_RANK];
    if (x->rank < 3)
        return OX_FAIL(r->err, OX_E_SHAPE, "X has rank %d, expected at least 3", x->rank);
    OX_TRY(ox_window_init(r, &w, x, NULL));
    dim[0] = x->dim[0];
    dim[1] = x->dim[1];
    memcpy(dim + 2, w.out, (size_t)w.n * sizeof(*dim));
    for (int i = 0; i < r->n_out; i++)
        ox_out_shape(r, i, x->rank, dim);
    return OX_OK;
}

int64_t ox_slide_count(const ox_slide *s, int d, int64_t o)
{
    const ox_window *w = &s->window;
    int64_t lo, hi, step = w->dilation[d];
    if (!s->include_pad) {
        ox_slide_range(w, d, o, &lo, &hi);
        return hi - lo;
    }
    int64_t room = w->in[d] + w->end[d] - (o * w->stride[d] - w->begin[d]);
    return room <= 0 ? 0 : OX_MIN(w->kernel[d], (room + step - 1) / step);
}

ox_code ox_slide_prepare(ox_run *r)
{
    ox_slide *s = r->state;
    const ox_tensor *x = r->in[0];
    ox_window *w = &s->window;
    const ox_uk_pooling *uk = ox_uk_pooling_pick();
    OX_TRY(ox_window_init(r, w, x, NULL));
    int last = w->n - 1;
    s->include_pad = ox_attr_i64(r, "count_include_pad") != 0;
    s->uk = &uk->of[x->dtype];
    s->size = ox_dtype_size(x->dtype);
    s->in_size = ox_numel(x, 2, x->rank);
    s->out_size = 1;
    for (int d = 0; d < w->n; d++)
        s->out_size *= w->out[d];
    int64_t line = (w->out[last] - 1) * w->stride[last] + (w->kernel[last] - 1) * w->dilation[last] + 1;
    s->pitch = (line + w->stride[last] - 1) / w->stride[last] * w->stride[last];
    s->rows = last > 0 ? OX_MAX(OX_MIN(w->out[last - 1], GROUP / OX_MAX(s->pitch, 1)), 1) : 1;
    s->columns = ox_state_alloc(r, (size_t)OX_MAX(w->out[last], 1), sizeof(*s->columns));
    int64_t height = last > 0 ? w->out[last - 1] : 1;
    s->row = ox_state_alloc(r, (size_t)OX_MAX(height, 1), sizeof(*s->row));
    if (!s->columns || !s->row)
        return OX_NO_MEMORY(r);
    for (int64_t o = 0; o < w->out[last]; o++)
        s->columns[o] = 1 / (double)ox_slide_count(s, last, o);
    for (int64_t o = 0; o < height; o++) {
        int64_t lo = 0, hi = 1;
        s->row[o] = (struct ox_slide_row){ 1, 0, 1 };
        if (last == 0)
            break;
        ox_slide_range(w, last - 1, o, &lo, &hi);
        s->row[o] = (struct ox_slide_row){
            hi - lo, o * w->stride[last - 1] - w->begin[last - 1] + lo * w->dilation[last - 1],
            (double)ox_slide_count(s, last - 1, o)
        };
    }
    r->kernel = uk->name;
    return OX_OK;
}

int64_t ox_slide_flops(const ox_run *r)
{
    const ox_slide *s = r->state;
    int64_t n = ox_numel(r->in[0], 0, 2) * s->out_size;
    for (int d = 0; d < s->window.n; d++)
        if (__builtin_mul_overflow(n, OX_MIN(s->window.kernel[d], s->window.in[d]), &n))
            return 0;
    return n;
}

/* ---- input rows under a group ---- */

/* Kernel positions of the dimensions before the last two, inside the input: their offset in elements, or
 * -1 at the end.  k and limits are the caller's, started by first = true. */
typedef struct walk { bool started; int64_t k[OX_MAX_RANK], lo[OX_MAX_RANK], hi[OX_MAX_RANK]; } walk;

static int64_t next_plane(const ox_slide *s, const ox_slide_group *g, walk *t)
{
    const ox_window *w = &s->window;
    int n = w->n - 2, d = n - 1;
    int64_t offset = 0, plane = 1;
    for (int i = 0; i < n && !t->started; i++) {
        ox_slide_range(w, i, g->at[i], &t->lo[i], &t->hi[i]);
        t->k[i] = t->lo[i];
        if (t->lo[i] == t->hi[i])
            return -1;
    }
    if (t->started) {
        for (; d >= 0 && ++t->k[d] == t->hi[d]; d--)
            t->k[d] = t->lo[d];
        if (d < 0)
            return -1;
    }
    t->started = true;
    for (int i = 0; i < n; i++)
        offset = offset * w->in[i] + g->at[i] * w->stride[i] + t->k[i] * w->dilation[i] - w->begin[i];
    for (int i = OX_MAX(n, 0); i < w->n; i++)
        plane *= w->in[i];
    return offset * plane;
}

/* The rows of one plane, for every line of the group. */
static void fold_plane(const ox_slide *s, const ox_slide_group *g, const char *plane, bool fresh,
                       size_t line_size, ox_slide_fold *fold)
{
    const ox_window *w = &s->window;
    int last = w->n - 1;
    int64_t begin = w->begin[last], to = OX_MAX(begin, 0), from = to - begin;
    ox_pool_rows r = { 1, OX_MAX(OX_MIN(s->pitch, begin + w->in[last]) - to, 0), 0, fresh };
    if (last > 0)
        r.pitch = w->dilation[last - 1] * w->in[last];
    for (int64_t i = 0; i < g->n; i++) {
        const struct ox_slide_row *row = &s->row[g->first + i];
        r.rows = row->rows;
        if (r.rows > 0)
            fold(s, &r, plane + (row->first * w->in[last] + from) * (int64_t)s->size,
                 (char *)g->lines + (i * s->pitch + to) * (int64_t)line_size);
    }
}

void ox_slide_fold_rows(const ox_slide *s, const ox_slide_group *g, size_t line_size, ox_slide_fold *fold)
{
    walk t = { 0 };
    int64_t offset;
    for (bool fresh = true; (offset = next_plane(s, g, &t)) >= 0; fresh = false)
        fold_plane(s, g, g->x + offset * (int64_t)s->size, fresh, line_size, fold);
}

/* ---- all groups ---- */
typedef struct job {
    const ox_run *r;
    ox_slide_fn  *fn;
    char         *memory; /* of each worker: lines, then results */
    size_t        bytes;  /* of either */
    int64_t       groups, per_block, per_plane, planes; /* planes: of a channel */
} job;

static void run_block(void *ctx, int64_t block, int worker)
{
    const job *j = ctx;
    const ox_slide *s = j->r->state;
    const ox_window *w = &s->window;
    int last = w->n - 1;
    int64_t height = last > 0 ? w->out[last - 1] : 1;
    ox_slide_group g = { .lines = j->memory + 2 * (size_t)worker * j->bytes };
    g.results = (char *)g.lines + j->bytes;
    for (int64_t i = block * j->per_block; i < OX_MIN((block + 1) * j->per_block, j->groups); i++) {
        int64_t plane = i / j->per_plane, rest = plane % j->planes;
        g.first = i % j->per_plane * s->rows;
        g.n = OX_MIN(s->rows, height - g.first);
        g.x = (const char *)j->r->in[0]->data + plane / j->planes * s->in_size * (int64_t)s->size;
        g.y = (char *)j->r->out[0]->data + (plane * height + g.first) * w->out[last] * (int64_t)s->size;
        for (int d = last - 2; d >= 0; d--) {
            g.at[d] = rest % w->out[d];
            rest /= w->out[d];
        }
        j->fn(s, &g);
    }
}

ox_code ox_slide_run(ox_run *r, ox_slide_fn *fn, size_t line_size)
{
    const ox_slide *s = r->state;
    const ox_window *w = &s->window;
    int last = w->n - 1;
    int64_t height = last > 0 ? w->out[last - 1] : 1, under = 1;
    job j = { .r = r, .fn = fn };
    j.per_plane = (height + s->rows - 1) / s->rows;
    j.planes = s->out_size / (height * w->out[last]);
    j.groups = ox_count(r->out[0]) / s->out_size * j.planes * j.per_plane;
    for (int d = 0; d < last; d++)
        under *= OX_MIN(w->kernel[d], w->in[d]);
    j.per_block = OX_MAX(BLOCK / OX_MAX(s->rows * (under * w->in[last] + s->pitch), 1), 1);
    if (!ox_mul_size(&j.bytes, (size_t)(s->rows * s->pitch), line_size) || j.bytes > SIZE_MAX / 4)
        return OX_NO_MEMORY(r);
    j.bytes = (j.bytes + 63) & ~(size_t)63;
    if (!(j.memory = ox_scratch_array(r, (size_t)ox_pool_threads(r->pool), 2 * j.bytes)))
        return OX_NO_MEMORY(r);
    ox_parallel(r, (j.groups + j.per_block - 1) / j.per_block, run_block, &j);
    return OX_OK;
}
