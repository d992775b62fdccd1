/* Small integer inputs, as the operators of this folder take them. */
#ifndef OX_MOVE_ARGS_H
#define OX_MOVE_ARGS_H

#include "runtime/op.h"

typedef struct ox_ints {
    const int64_t *v;     /* NULL when absent, empty or not known */
    int64_t        n;
    bool           given; /* the input is there */
    bool           known; /* absent, or its value is available */
} ox_ints;

/* Input i. */
ox_code ox_arg_ints(ox_run *r, int i, ox_ints *out) OX_MUST_CHECK;
/* Attribute `name`; always known. */
ox_ints ox_arg_attr(const ox_run *r, const char *name);
/* Input i at run time: a tensor of one element, or `absent`.  what: ONNX's name for it. */
ox_code ox_arg_scalar(ox_run *r, int i, const char *what, int64_t absent,
                      int64_t *out) OX_MUST_CHECK;

/* `axes` counted from the end where negative; fails when one is out of range or named twice.
 * Without axes: 0, 1, ...  *n_axes is the number of entries of out. */
ox_code ox_arg_axes(const ox_run *r, const ox_ints *axes, int rank, int64_t n_default,
                    int out[OX_MAX_RANK], int *n_axes) OX_MUST_CHECK;

/* A shape from outside: every entry >= 0, at most OX_MAX_RANK of them. */
ox_code ox_arg_shape(const ox_run *r, const ox_ints *shape, int *rank, int64_t dim[OX_MAX_RANK])
    OX_MUST_CHECK;
/* infer, while the shape input i has no value: output 0 has as many unknown dimensions as that
 * input has elements, if even that is known. */
ox_code ox_unknown_shape(ox_run *r, int i) OX_MUST_CHECK;

#endif
