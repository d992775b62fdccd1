/* MaxPool, with or without the positions of the maxima. */
#ifdef T /* ---- once per dtype: see runtime/tensor/each_dtype.h ---- */
#if IS_FLOAT
#define IS_NAN(v) ((v) != (v))
#else
#define IS_NAN(v) 0
#endif

/* Position of the first largest element under the window at `at`; NaN is larger than all.  -1: none. */
static int64_t FN(find)(const ox_slide *s, const T *x, const int64_t *at)
{
    const ox_window *w = &s->window;
    int64_t k[OX_MAX_RANK], lo[OX_MAX_RANK], hi[OX_MAX_RANK], best = -1;
    for (int d = 0; d < w->n; d++) {
        ox_slide_range(w, d, at[d], &lo[d], &hi[d]);
        k[d] = lo[d];
        if (lo[d] == hi[d])
            return -1;
    }
    for (int d = 0; d >= 0;) {
        int64_t i = 0;
        for (d = 0; d < w->n; d++)
            i = i * w->in[d] + at[d] * w->stride[d] - w->begin[d] + k[d] * w->dilation[d];
        if (best < 0 || x[i] > x[best] || (IS_NAN(x[i]) && !IS_NAN(x[best])))
            best = i;
        for (d = w->n - 1; d >= 0 && ++k[d] == hi[d]; d--)
            k[d] = lo[d];
    }
    return best;
}

static void FN(channel)(void *ctx, int64_t channel, int worker)
{
    const ox_run *r = ctx;
    const struct max_pool *m = r->state;
    const ox_slide *s = &m->slide;
    const T *x = (const T *)r->in[0]->data + channel * s->in_size;
    T *y = r->out[0] ? (T *)r->out[0]->data + channel * s->out_size : NULL;
    int64_t *index = (int64_t *)r->out[1]->data + channel * s->out_size, at[OX_MAX_RANK] = { 0 };
    (void)worker;
    for (int64_t i = 0; i < s->out_size; i++) {
        int64_t best = FN(find)(s, x, at);
        if (y && best >= 0)
            y[i] = x[best];
        else if (y)
            s->uk->lowest(1, y + i);
        index[i] = best < 0 ? -1 : channel * s->in_size + stored_at(m, best);
        for (int d = s->window.n - 1; d >= 0 && ++at[d] == s->window.out[d]; d--)
            at[d] = 0;
    }
}

static ox_code FN(run)(ox_run *r)
{
    if (r->n_out < 2 || !r->out[1])
        return values(r);
    ox_parallel(r, r->in[0]->dim[0] * r->in[0]->dim[1], FN(channel), r);
    return OX_OK;
}

#undef IS_NAN
#else /* ---- once ---- */
#include "kernels/pool/slide.h"

#include <string.h>

struct max_pool {
    ox_slide slide; /* first: the state is an ox_slide too */
    bool     columns; /* storage_order 1 */
};

/* Position i of a channel in row order, as Indices counts it. */
static int64_t stored_at(const struct max_pool *m, int64_t i)
{
    const ox_window *w = &m->slide.window;
    int64_t k[OX_MAX_RANK], at = 0;
    if (!m->columns)
        return i;
    for (int d = w->n - 1; d >= 0; d--) {
        k[d] = i % w->in[d];
        i /= w->in[d];
    }
    for (int d = w->n - 1; d >= 0; d--)
        at = at * w->in[d] + k[d];
    return at;
}

static void fold_max(const ox_slide *s, const ox_pool_rows *r, const char *x, char *line)
{
    s->uk->fold_max(r, x, line);
}

static void max_group(const ox_slide *s, const ox_slide_group *g)
{
    const ox_window *w = &s->window;
    int last = w->n - 1;
    ox_pool_line l = ox_slide_line(s, g);
    int64_t pitch = s->pitch / w->stride[last];
    s->uk->lowest(g->n * s->pitch, g->lines);
    ox_slide_fold_rows(s, g, s->size, fold_max);
    if (pitch == w->out[last]) {
        s->uk->line_max(&l, g->lines, g->y);
        return;
    }
    s->uk->line_max(&l, g->lines, g->results);
    size_t bytes = (size_t)w->out[last] * s->size;
    for (int64_t i = 0; i < g->n; i++)
        memcpy(g->y + (size_t)i * bytes, (char *)g->results + (size_t)(i * pitch) * s->size, bytes);
}

static ox_code values(ox_run *r)
{
    const ox_slide *s = r->state;
    return ox_slide_run(r, max_group, s->size);
}

static ox_code prepare(ox_run *r)
{
    struct max_pool *m = r->state;
    m->columns = ox_attr_i64(r, "storage_order") != 0;
    return ox_slide_prepare(r);
}

#define TYPES (MASK_FLOAT | M_I8 | M_U8)
#define TMPL  "kernels/pool/op_max_pool.c"
#include "runtime/tensor/each_dtype.h"

OX_OP(MaxPool, 1) .infer = ox_slide_infer, .prepare = prepare,
    .run = { KERNELS(run, FLOAT), [OX_I8] = run_i8, [OX_U8] = run_u8 }, .error = { ERR_EXACT, 0 },
    .state_size = sizeof(struct max_pool), .flags = OX_SYMBOLIC, .flops = ox_slide_flops OX_END;
#endif
