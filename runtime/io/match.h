/* Whether a value can be fed where a type is declared. */
#ifndef OX_IO_MATCH_H
#define OX_IO_MATCH_H

#include "runtime/tensor/tensor.h"

/* Fails with: input "x": is f64[3,4], the model declares f32[N,4].  `declared` is the text of
 * `type`. */
ox_code ox_match(const ox_value *v, const ox_type *type, const char *name, const char *declared,
                 ox_error *err) OX_MUST_CHECK;

#endif
