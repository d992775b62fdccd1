/* What this machine can do at best, measured when asked (tens of milliseconds): the roofs that a profile
 * is held against.  Implemented by kernels/peak. */
#ifndef OX_PEAK_H
#define OX_PEAK_H

#include "runtime/base/pool.h"

typedef struct ox_peak {
    double flops; /* float multiplications and additions a second, at the level in use */
    double bytes; /* bytes a second read from memory (not caches) */
} ox_peak;

/* By all threads of the pool together. */
ox_code ox_peak_measure(ox_pool *pool, ox_peak *out, ox_error *err) OX_MUST_CHECK;

#endif
