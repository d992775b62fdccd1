/* What the operators of this folder normalise over. */
#ifndef OX_SOFTMAX_AXIS_H
#define OX_SOFTMAX_AXIS_H

#include "runtime/op.h"

/* The input as [outer, n, inner]; n is normalised over.  Before opset 13 that is a matrix, [0,
 * axis) x [axis, rank); since, the dimension `axis` alone. */
typedef struct ox_softmax_axis {
    int64_t outer, n, inner;
} ox_softmax_axis;

ox_code ox_softmax_get_axis(const ox_run *r, ox_softmax_axis *a) OX_MUST_CHECK;

#endif
