/* The integer tile in plain C: the reference, and what machines without a level of their own run. */
#include "kernels/igemm/igemm.h"

#include <string.h>

void uk_igemm_scalar(size_t pairs, const int16_t *a, const int16_t *b, int32_t *c)
{
    enum { MR = 4, NR = 16 };
    uint32_t acc[MR][NR];
    memset(acc, 0, sizeof acc);
    for (size_t p = 0; p < pairs; p++, a += 2 * MR, b += 2 * NR)
        for (int i = 0; i < MR; i++)
            for (int j = 0; j < NR; j++) /* 9 bits by 9 bits, twice: no overflow before the sum */
                acc[i][j] += (uint32_t)(a[2 * i] * b[2 * j] + a[2 * i + 1] * b[2 * j + 1]);
    memcpy(c, acc, sizeof acc);
}
