#include "kernels/pool/slide.h"

#include <string.h>

enum { BLOCK = 1 << 14 }; /* elements touched by one parallel block */

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
    s->rows = &uk->rows[x->dtype];
    s->size = ox_dtype_size(x->dtype);
    s->in_size = ox_numel(x, 2, x->rank);
    s->out_size = 1;
    for (int d = 0; d < w->n; d++)
        s->out_size *= w->out[d];
    s->n_line = (w->out[last] - 1) * w->stride[last] + (w->kernel[last] - 1) * w->dilation[last] + 1;
    double *count = ox_state_alloc(r, (size_t)OX_MAX(w->out[last], 1), sizeof(*count));
    if (!count)
        return OX_NO_MEMORY(r);
    for (int64_t o = 0; o < w->out[last]; o++)
        count[o] = (double)ox_slide_count(s, last, o);
    s->line = (ox_slide_line){ w->out[last], w->kernel[last], w->stride[last], w->dilation[last], count };
    r->kernel = uk->name;
    return OX_OK;
}

int64_t ox_slide_next(const ox_slide *s, const int64_t *at, ox_slide_walk *walk)
{
    const ox_window *w = &s->window;
    int last = w->n - 1, d = last - 1;
    if (!walk->started) {
        walk->started = true;
        for (int i = 0; i < last; i++) {
            ox_slide_range(w, i, at[i], &walk->lo[i], &walk->hi[i]);
            walk->k[i] = walk->lo[i];
            if (walk->lo[i] == walk->hi[i])
                return -1;
        }
    } else {
        for (; d >= 0 && ++walk->k[d] == walk->hi[d]; d--)
            walk->k[d] = walk->lo[d];
        if (d < 0)
            return -1;
    }
    int64_t offset = 0;
    for (int i = 0; i < last; i++)
        offset = offset * w->in[i] + at[i] * w->stride[i] + walk->k[i] * w->dilation[i] - w->begin[i];
    return offset * w->in[last];
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

typedef struct job {
    const ox_run    *r;
    ox_slide_row_fn *row;
    char            *lines;
    size_t           line_bytes;
    int64_t          rows, per_block, per_channel;
} job;

static void run_block(void *ctx, int64_t block, int worker)
{
    const job *j = ctx;
    const ox_slide *s = j->r->state;
    int64_t first = block * j->per_block, end = OX_MIN(first + j->per_block, j->rows);
    int64_t width = s->line.n_out, at[OX_MAX_RANK] = { 0 }, rest = first % j->per_channel;
    for (int d = s->window.n - 2; d >= 0; d--) {
        at[d] = rest % s->window.out[d];
        rest /= s->window.out[d];
    }
    for (int64_t i = first; i < end; i++) {
        const char *x = (const char *)j->r->in[0]->data + i / j->per_channel * s->in_size * (int64_t)s->size;
        char *y = (char *)j->r->out[0]->data + i * width * (int64_t)s->size;
        j->row(s, x, y, at, j->lines + (size_t)worker * j->line_bytes);
        for (int d = s->window.n - 2; d >= 0 && ++at[d] == s->window.out[d]; d--)
            at[d] = 0;
    }
}

ox_code ox_slide_run(ox_run *r, ox_slide_row_fn *row, size_t line_size)
{
    const ox_slide *s = r->state;
    job j = { .r = r, .row = row };
    j.per_channel = s->out_size / s->line.n_out;
    j.rows = ox_count(r->out[0]) / s->line.n_out;
    int64_t under = 1; /* input rows under one window: at most a whole channel of them matters */
    for (int d = 0; d < s->window.n - 1; d++)
        under *= OX_MIN(s->window.kernel[d], s->window.in[d]);
    int64_t cost = under * s->window.in[s->window.n - 1] + s->n_line;
    j.per_block = OX_MAX(BLOCK / OX_MAX(cost, 1), 1);
    if (!ox_mul_size(&j.line_bytes, (size_t)s->n_line, line_size) || j.line_bytes > SIZE_MAX / 2)
        return OX_NO_MEMORY(r);
    j.line_bytes = (j.line_bytes + 63) & ~(size_t)63;
    if (line_size && !(j.lines = ox_scratch_array(r, (size_t)ox_pool_threads(r->pool), j.line_bytes)))
        return OX_NO_MEMORY(r);
    ox_parallel(r, (j.rows + j.per_block - 1) / j.per_block, run_block, &j);
    return OX_OK;
}
