#include "kernels/random/philox.h"

#include <math.h>

void ox_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4])
{
    uint32_t c[4] = { counter[0], counter[1], counter[2], counter[3] }, k[2] = { key[0], key[1] };
    for (int round = 0; round < 10; round++) {
        uint64_t a = (uint64_t)0xd2511f53u * c[0], b = (uint64_t)0xcd9e8d57u * c[2];
        uint32_t next[4] = { (uint32_t)(b >> 32) ^ c[1] ^ k[0], (uint32_t)b,
                             (uint32_t)(a >> 32) ^ c[3] ^ k[1], (uint32_t)a };
        for (int i = 0; i < 4; i++)
            c[i] = next[i];
        k[0] += 0x9e3779b9u;
        k[1] += 0xbb67ae85u;
    }
    for (int i = 0; i < 4; i++)
        out[i] = c[i];
}

static double unit(uint32_t high, uint32_t low)
{
    return (double)(((uint64_t)high << 32 | low) >> 11) * 0x1p-53;
}

/* One block of the generator gives elements 2 k and 2 k + 1. */
static void pair(uint64_t seed, int64_t k, double u[2])
{
    uint32_t counter[4] = { (uint32_t)k, (uint32_t)((uint64_t)k >> 32), 0, 0 }, bits[4];
    uint32_t key[2] = { (uint32_t)seed, (uint32_t)(seed >> 32) };
    ox_philox(counter, key, bits);
    u[0] = unit(bits[1], bits[0]);
    u[1] = unit(bits[3], bits[2]);
}

/* Box and Muller: two uniforms to two independent normals; 1 - u is never 0. */
static void to_normal(double u[2])
{
    double radius = sqrt(-2 * log(1 - u[0])), angle = 2 * 3.14159265358979323846 * u[1];
    u[0] = radius * cos(angle);
    u[1] = radius * sin(angle);
}

static void draw(uint64_t seed, int64_t from, int64_t n, double *to, void (*change)(double u[2]))
{
    for (int64_t i = from; i < from + n;) {
        double u[2];
        pair(seed, i / 2, u);
        if (change)
            change(u);
        for (int64_t end = i / 2 * 2 + 2; i < end && i < from + n; i++)
            *to++ = u[i & 1];
    }
}

void ox_draw_uniform(uint64_t seed, int64_t from, int64_t n, double *to) { draw(seed, from, n, to, 0); }
void ox_draw_normal(uint64_t seed, int64_t from, int64_t n, double *to)
{
    draw(seed, from, n, to, to_normal);
}
