/* The table of operators, from the only list of them.  A line of ops.def without a record fails to
 * link; a record without a line is an unused object that `make lint` reports. */
#include "runtime/op.h"

#define OP(name, since) extern const ox_op ox_op_##name##_##since;
#include "kernels/ops.def"
#undef OP

const ox_op *const ox_ops[] = {
#define OP(name, since) &ox_op_##name##_##since,
#include "kernels/ops.def"
#undef OP
};

const size_t ox_n_ops = sizeof(ox_ops) / sizeof(*ox_ops);
