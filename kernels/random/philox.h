/* Philox4x32-10 (Salmon, Moraes, Dror, Shaw 2011): random numbers by position.  Element i depends on
 * seed and i alone, so blocks of a tensor can be drawn in any order by any number of threads. */
#ifndef OX_RANDOM_PHILOX_H
#define OX_RANDOM_PHILOX_H

#include <stdint.h>

/* The generator's block: 128 bits for a counter of 128 bits and a key of 64. */
void ox_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

/* Elements [from, from + n) of the stream that `seed` names. */
void ox_draw_uniform(uint64_t seed, int64_t from, int64_t n, double *to); /* [0, 1), 53 bits */
void ox_draw_normal(uint64_t seed, int64_t from, int64_t n, double *to);  /* mean 0, variance 1 */

#endif
