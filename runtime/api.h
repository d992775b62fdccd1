/* What the files of the public API share; nobody else includes it. */
#ifndef OX_API_H
#define OX_API_H

#include "include/onnxrun.h"
#include "runtime/exec/session.h"

struct onnxrun_model {
    ox_model       *m;
    ox_arena       *arena;  /* of what follows */
    onnxrun_info   *in, *out; /* in: without initializer, then overridable */
    onnxrun_op_use *op;
    size_t          n_op;
};

/* An onnxrun_value is an ox_value on the heap or one that a session or sequence lends. */
static inline const ox_value *ox_api_value(const onnxrun_value *v) { return (const void *)v; }
static inline const onnxrun_value *ox_api_lend(const ox_value *v) { return (const void *)v; }

/* Fills err from e and returns code; where (may be NULL) goes in front. */
onnxrun_code ox_api_give(onnxrun_error *err, const ox_error *e, const char *where, ox_code code);

/* Describes m for the callers; false: out of memory. */
bool ox_api_model(onnxrun_model *to, ox_model *m);

/* m may be NULL where t has no symbols.  The text of the type lives in `a`. */
bool ox_api_info(onnxrun_info *out, ox_arena *a, const ox_model *m, const char *name,
                 const ox_type *t);

/* Bits of the type that an onnxrun_info carries or describes. */
const ox_type *ox_api_type(const onnxrun_info *info, ox_type *tmp);

#endif
