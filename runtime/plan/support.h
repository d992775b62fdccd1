/* What ONNX allows against what the kernels serve; computed, never written down. */
#ifndef OX_PLAN_SUPPORT_H
#define OX_PLAN_SUPPORT_H

#include "runtime/graph/graph.h"

enum { OX_SUPPORT_VARS = 8 };

/* The types of one type variable, or of a parameter that has none. */
typedef struct ox_support_var {
    const char *name;
    uint64_t    types;                /* bit t: element type t that the schema allows */
    uint64_t    served;               /* those that run, widened if need be (op.h) */
    bool        other, other_served;  /* sequences, optionals and maps */
} ox_support_var;

typedef struct ox_support {
    const ox_schema *schema;
    const ox_op     *op;     /* NULL: no kernel for this version */
    int              n_var;
    ox_support_var   var[OX_SUPPORT_VARS]; /* first the one that decides which kernel runs */
} ox_support;

/* Row i of the schema; false past the end. */
bool ox_support_at(size_t i, ox_support *out);

#endif
