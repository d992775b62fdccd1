/* Generated inputs. */
#ifndef OX_IO_RANDOM_H
#define OX_IO_RANDOM_H

#include "runtime/tensor/tensor.h"

/* t gets dtype, shape and pseudo-random contents: the same on every machine for one seed.  Floats
 * are uniform in [-1, 1), 8-bit and narrower integers cover their range, wider ones are 0 to 9,
 * bool 0 or 1, strings "s0" to "s9". */
ox_code ox_random_tensor(ox_tensor *t, ox_dtype dtype, int rank, const int64_t *dim, uint64_t seed,
                         ox_error *err) OX_MUST_CHECK;

#endif
