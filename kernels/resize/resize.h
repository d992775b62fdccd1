/* Resizing a tensor whose dimensions are collapsed to the axes that change and the rest. */
#ifndef OX_RESIZE_RESIZE_H
#define OX_RESIZE_RESIZE_H

#include "kernels/resize/axis.h"
#include "kernels/resize/ukernels.h"

/* The tensor is rows of `inner`-element cells along the last axis; `axis` are those that say which rows. */
typedef struct ox_resize {
    int                n_axes;     /* before the last */
    ox_resize_axis     axis[OX_MAX_RANK], last;
    int64_t            inner, n_rows; /* output rows */
    int64_t            row_in, row_out; /* elements */
    ox_dtype           dtype;      /* complex as its parts */
    size_t             size;
    double             extrapolation;
    ox_uk_resize       uk;
    bool               nearest;
} ox_resize;

ox_run_fn ox_resize_nearest;     /* any element type */
ox_run_fn ox_resize_interpolate; /* in double, rounded once; integers saturate */
ox_run_fn ox_resize_interpolate_f32;

/* Rows in a parallel block. */
static inline int64_t ox_resize_block(const ox_resize *s)
{
    return OX_MAX((1 << 14) / OX_MAX(s->row_in + s->row_out, 1), 1);
}

/* Position of output row i along the axes; true if it lies outside the crop. */
static inline bool ox_resize_at(const ox_resize *s, int64_t i, int64_t *at)
{
    bool outside = false;
    for (int d = s->n_axes - 1; d >= 0; d--) {
        at[d] = i % s->axis[d].n_out;
        i /= s->axis[d].n_out;
        outside = outside || (s->axis[d].outside && s->axis[d].outside[at[d]]);
    }
    return outside;
}

/* Goes through the input rows of the output row at at[]: false when there are no more. */
typedef struct ox_resize_walk {
    bool    started;
    int64_t tap[OX_MAX_RANK];
} ox_resize_walk;
static inline bool ox_resize_next(const ox_resize *s, const int64_t *at, ox_resize_walk *w, int64_t *row,
                                  double *weight)
{
    if (w->started) {
        int d = s->n_axes - 1;
        for (; d >= 0 && ++w->tap[d] == s->axis[d].taps; d--)
            w->tap[d] = 0;
        if (d < 0)
            return false;
    }
    w->started = true;
    *row = 0;
    *weight = 1;
    for (int d = 0; d < s->n_axes; d++) {
        const ox_resize_axis *a = &s->axis[d];
        int64_t i = at[d] * a->taps + w->tap[d];
        *row = *row * a->n_in + (a->index ? a->index[i] : at[d]);
        *weight *= a->weight ? a->weight[i] : 1;
    }
    return true;
}

#endif
