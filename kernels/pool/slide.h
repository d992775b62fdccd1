/* What the sliding pools share: the window, and the walk over groups of output rows. */
#ifndef OX_POOL_SLIDE_H
#define OX_POOL_SLIDE_H

#include "kernels/pool/pooling.h"
#include "kernels/window.h"

/* Kernel positions inside the input for one output row, and the input row of the first. */
struct ox_slide_row {
    int64_t rows, first;
    double  count; /* what a mean counts */
};

typedef struct ox_slide {
    ox_window              window;
    const ox_pool_kernels *uk;                /* of the element type */
    size_t                 size;              /* bytes of an element */
    int64_t                in_size, out_size; /* elements of one channel */
    int64_t                pitch;             /* elements of a padded line: a multiple of the last stride */
    int64_t                rows;              /* output rows worked on together */
    double                *columns;           /* AveragePool: 1 / count along the last dimension */
    struct ox_slide_row   *row;               /* of each output of the last dimension but one */
    double                 p;                 /* LpPool */
    bool                   include_pad;       /* AveragePool */
} ox_slide;

/* Output shapes for X under the node's attributes. */
ox_run_fn ox_slide_infer;
/* Fills the state, which is an ox_slide. */
ox_run_fn ox_slide_prepare;
/* One operation for each element under each window. */
int64_t ox_slide_flops(const ox_run *r);

/* Kernel positions [*lo, *hi) of dimension d that lie inside the input for output o. */
static inline void ox_slide_range(const ox_window *w, int d, int64_t o, int64_t *lo, int64_t *hi)
{
    int64_t start = o * w->stride[d] - w->begin[d], step = w->dilation[d], room = w->in[d] - start;
    *lo = start < 0 ? (-start + step - 1) / step : 0;
    *hi = room <= 0 ? 0 : OX_MIN(w->kernel[d], (room + step - 1) / step);
    *hi = OX_MAX(*lo, *hi);
}

/* Elements that a mean divides by in dimension d for output o: those inside the input, or with
 * count_include_pad inside the padded input; never those beyond it that ceil_mode reaches. */
int64_t ox_slide_count(const ox_slide *s, int d, int64_t o);

/* Some output rows (runs of the last dimension) that differ only in the last but one: rows first ..
 * first + n of the position at[] of a channel. */
typedef struct ox_slide_group {
    const char *x;     /* the channel */
    char       *y;     /* the first of the rows */
    int64_t     at[OX_MAX_RANK], first, n;
    void       *lines, *results; /* memory of the worker: rows * pitch elements each */
} ox_slide_group;

/* Calls fn for every group, in parallel; lines and results are of elements of line_size bytes. */
typedef void ox_slide_fn(const ox_slide *s, const ox_slide_group *g);
ox_code ox_slide_run(ox_run *r, ox_slide_fn *fn, size_t line_size) OX_MUST_CHECK;

/* Calls fold for the input rows under each line of a group's windows. */
typedef void ox_slide_fold(const ox_slide *s, const ox_pool_rows *r, const char *x, char *line);
void ox_slide_fold_rows(const ox_slide *s, const ox_slide_group *g, size_t line_size, ox_slide_fold *fold);

/* The window along the lines of a group, all lines as one. */
static inline ox_pool_line ox_slide_line(const ox_slide *s, const ox_slide_group *g)
{
    int last = s->window.n - 1;
    int64_t step = s->window.stride[last], reach = (s->window.kernel[last] - 1) * s->window.dilation[last];
    return (ox_pool_line){ (g->n * s->pitch - reach - 1) / step + 1, s->window.kernel[last], step,
                           s->window.dilation[last] };
}

#endif
