/* What the sliding pools share: the window, and the walk over output rows. */
#ifndef OX_POOL_SLIDE_H
#define OX_POOL_SLIDE_H

#include "kernels/pool/pooling.h"
#include "kernels/window.h"

typedef struct ox_slide {
    ox_window            window;
    ox_slide_line        line;
    const ox_slide_rows *rows;              /* of the element type */
    size_t               size;              /* bytes of an element */
    int64_t              n_line;            /* elements of a padded line */
    int64_t              in_size, out_size; /* elements of one channel */
    double               p;                 /* LpPool */
    bool                 include_pad;       /* AveragePool */
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

/* Calls row for every output row (a run of the last dimension) in parallel: x is the row's channel, y
 * the row, at[] its position in the other dimensions, line the worker's own n_line elements of
 * line_size bytes. */
typedef void ox_slide_row_fn(const ox_slide *s, const char *x, char *y, const int64_t *at, void *line);
ox_code ox_slide_run(ox_run *r, ox_slide_row_fn *row, size_t line_size) OX_MUST_CHECK;

/* The input rows under the window at at[], one after the other: offset of the row in elements, or -1
 * at the end.  walk starts zeroed. */
typedef struct ox_slide_walk {
    bool    started;
    int64_t k[OX_MAX_RANK], lo[OX_MAX_RANK], hi[OX_MAX_RANK];
} ox_slide_walk;
int64_t ox_slide_next(const ox_slide *s, const int64_t *at, ox_slide_walk *walk);

/* Part of an input row that the line holds: elements [*from, *from + *n) at line[*to]. */
static inline void ox_slide_clip(const ox_slide *s, int64_t *from, int64_t *to, int64_t *n)
{
    int last = s->window.n - 1;
    int64_t begin = s->window.begin[last];
    *to = OX_MAX(begin, 0);
    *from = *to - begin;
    *n = OX_MAX(OX_MIN(s->n_line, begin + s->window.in[last]) - *to, 0);
}

#endif
