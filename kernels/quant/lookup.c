/* A table of bytes, read byte by byte. */
#include "kernels/quant/quant.h"

void uk_lookup8_scalar(size_t n, const uint8_t *x, uint8_t *y, const uint8_t *table)
{
    for (size_t i = 0; i < n; i++)
        y[i] = table[x[i]];
}
