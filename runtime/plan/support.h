/* What ONNX allows against what the kernels serve; computed, never written down. */
#ifndef OX_PLAN_SUPPORT_H
#define OX_PLAN_SUPPORT_H

#include "runtime/graph/graph.h"

typedef struct ox_support {
    const ox_schema *schema;
    const ox_op     *op;       /* NULL: no kernel for this version */
    uint64_t types; /* bit t: element type t that the schema allows for the argument that decides */
    uint64_t         served;   /* those that a kernel serves, widened if need be (op.h) */
    bool             other, other_served; /* sequences, optionals and maps there */
} ox_support;

/* Row i of the schema; false past the end. */
bool ox_support_at(size_t i, ox_support *out);

#endif
