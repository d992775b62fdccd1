/* Updates combined with what a tensor holds. */
#ifndef OX_MOVE_SCATTER_H
#define OX_MOVE_SCATTER_H

#include "runtime/op.h"

enum { OX_SCATTER_NONE, OX_SCATTER_ADD, OX_SCATTER_MUL, OX_SCATTER_MAX, OX_SCATTER_MIN };

typedef struct ox_scatter {
    int            reduction;
    int64_t        n, slice;  /* updates, elements of each */
    const int64_t *at;        /* slice of y that update k goes to */
    const void    *updates;
    void          *y;         /* holds the data already */
    int64_t        n_y;
    bool           is_bool;   /* the last two: set by ox_scatter_reduce */
    double        *wide;
} ox_scatter;

/* Elements have the type of input 0.  reduction is not OX_SCATTER_NONE. */
ox_code ox_scatter_reduce(ox_run *r, ox_scatter u) OX_MUST_CHECK;

#endif
