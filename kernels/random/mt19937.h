/* The Mersenne Twister MT19937 (Matsumoto & Nishimura 1998) with its original seeding: what numpy's
 * RandomState draws from a seed, and so what ONNX's reference gives for the attribute `seed`. */
#ifndef OX_RANDOM_MT19937_H
#define OX_RANDOM_MT19937_H

#include <stdint.h>

enum { OX_MT_N = 624 };

typedef struct ox_mt19937 {
    uint32_t state[OX_MT_N];
    int      at;
} ox_mt19937;

void   ox_mt19937_init(ox_mt19937 *g, uint32_t seed);
/* Uniform in [0, 1) with 53 bits. */
double ox_mt19937_uniform(ox_mt19937 *g);

#endif
