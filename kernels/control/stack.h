/* Slices and stacks of tensors along one axis: what Loop and Scan feed and collect. */
#ifndef OX_CONTROL_STACK_H
#define OX_CONTROL_STACK_H

#include "runtime/op.h"

/* to: x without dimension `axis`, at position i of it; a fresh buffer. */
ox_code ox_slice_at(ox_value *to, const ox_tensor *x, int axis, int64_t i, ox_error *err) OX_MUST_CHECK;

/* Equal-shaped tensors collected one by one. */
typedef struct ox_stack { ox_seq *seq; } ox_stack;
ox_code ox_stack_push(ox_stack *s, ox_value *take_v, ox_error *err) OX_MUST_CHECK;
/* to: the tensors along a new dimension `axis`, last first if `reverse`.  An empty stack gives dimension
 * 0 with the rest from `type` (NULL or unknown: rank 1, unknown dims 0). */
ox_code ox_stack_join(ox_value *to, const ox_stack *s, int64_t axis, bool reverse, const ox_type *type,
                      ox_error *err) OX_MUST_CHECK;
void ox_stack_release(ox_stack *s);

#endif
