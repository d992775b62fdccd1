/* What the baseline that everything else is compiled for can do: plain multiplications and additions. */
#include "kernels/peak/peak.h"

#ifdef ISA /* compiled for the baseline only: wider levels have their own file */
typedef int ox_peak_scalar_of_no_level;
#else
enum { WIDTH = 32 };

void uk_peak_scalar_fma(size_t n, float a, float b, float *to)
{
    float acc[WIDTH];
    for (int i = 0; i < WIDTH; i++)
        acc[i] = to[i];
    for (size_t k = 0; k < n; k++)
        for (int i = 0; i < WIDTH; i++)
            acc[i] = acc[i] * a + b;
    for (int i = 0; i < WIDTH; i++)
        to[i] = acc[i];
}

float uk_peak_scalar_read(size_t n, const float *x)
{
    float acc[WIDTH] = { 0 }, sum = 0;
    for (size_t k = 0; k < n; k += WIDTH)
        for (size_t i = 0; i < WIDTH; i++)
            acc[i] += x[k + i];
    for (int i = 0; i < WIDTH; i++)
        sum += acc[i];
    return sum;
}
#endif
