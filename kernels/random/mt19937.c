#include "kernels/random/mt19937.h"

enum { M = 397 };

void ox_mt19937_init(ox_mt19937 *g, uint32_t seed)
{
    g->state[0] = seed;
    for (uint32_t i = 1; i < OX_MT_N; i++)
        g->state[i] = 1812433253u * (g->state[i - 1] ^ (g->state[i - 1] >> 30)) + i;
    g->at = OX_MT_N;
}

static void refill(ox_mt19937 *g)
{
    uint32_t *s = g->state;
    for (int i = 0; i < OX_MT_N; i++) {
        uint32_t y = (s[i] & 0x80000000u) | (s[(i + 1) % OX_MT_N] & 0x7fffffffu);
        s[i] = s[(i + M) % OX_MT_N] ^ (y >> 1) ^ (y & 1 ? 0x9908b0dfu : 0);
    }
    g->at = 0;
}

static uint32_t bits(ox_mt19937 *g)
{
    if (g->at == OX_MT_N)
        refill(g);
    uint32_t y = g->state[g->at++];
    y ^= y >> 11;
    y ^= (y << 7) & 0x9d2c5680u;
    y ^= (y << 15) & 0xefc60000u;
    return y ^ (y >> 18);
}

double ox_mt19937_uniform(ox_mt19937 *g)
{
    uint32_t high = bits(g) >> 5, low = bits(g) >> 6;
    return (high * 67108864.0 + low) / 9007199254740992.0;
}
