/* Micro-kernels of interpolation. */
#ifndef OX_RESIZE_UKERNELS_H
#define OX_RESIZE_UKERNELS_H

#include "runtime/base/cpu.h"
#include <stddef.h>
#include <stdint.h>

/* line[i] = sum of w[k] x[k][i] for k < rows, 1 to 4 of them, added to line[i] if `add` */
typedef void ox_uk_blend(int64_t n, int rows, const float *const x[4], const float w[4], int add,
                         float *line);
/* y[o] = sum of w[o * taps + t] line[at[o * taps + t]] for t < taps, taps 2 or 4 */
typedef void ox_uk_gather(int64_t n, const float *line, const int32_t *at, const float *w, float *y);

typedef struct ox_uk_resize {
    ox_uk_blend  *blend;
    ox_uk_gather *gather2, *gather4;
} ox_uk_resize;

#define UK(type, member, fn, isa) type fn;
#include "kernels/resize/ukernels.def"

/* Those that dispatch takes for this process's levels. */
ox_uk_resize ox_uk_resize_pick(void);

#endif
