/* Index tensors of the gathering and scattering operators: checked, and turned into offsets. */
#ifndef OX_MOVE_INDEX_H
#define OX_MOVE_INDEX_H

#include "runtime/op.h"

/* All of input i as indices into a dimension of `size`: in [0, size) afterwards, negative ones
 * counted from the end.  Fails on the first that is outside.  Scratch memory, or the input's own.
 */
ox_code ox_checked_indices(ox_run *r, int i, int64_t size, const int64_t **out) OX_MUST_CHECK;

/* GatherElements, ScatterElements: index has x's rank and fits into it except along axis. */
ox_code ox_check_elements(const ox_run *r, const ox_tensor *x, const ox_tensor *index, int axis)
    OX_MUST_CHECK;
/* Offset in x, in elements, that each position of `index` names; at: its checked values. */
void ox_element_offsets(const ox_tensor *x, const ox_tensor *index, int axis, const int64_t *at,
                        int64_t *offset);

/* GatherND, ScatterND: input i holds tuples of indices into the dimensions of x after `batch`; the
 * offsets are in slices of what the tuples leave. */
ox_code ox_tuple_offsets(ox_run *r, const ox_tensor *x, int i, int batch,
                         int64_t *offset) OX_MUST_CHECK;

/* y[k] = x[at[k]], slices of that many bytes. */
void ox_copy_slices(size_t bytes, int64_t n, const char *x, const int64_t *at, char *y);

#endif
