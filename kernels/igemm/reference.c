/* The integer tile in plain C: the reference, and what machines without a level of their own run.
 */
#include "kernels/igemm/store.h"

#include <string.h>

void uk_igemm_scalar(const ox_itile *t)
{
    enum { MR = 4, NR = 16 };
    uint32_t acc[MR][NR];
    const int8_t *b = t->b;
    memset(acc, 0, sizeof acc);
    for (size_t s = 0; s < t->n_run; s++)
        for (size_t p = 0; p < t->k; p += 4, b += 4 * NR)
            for (size_t i = 0; i < t->m; i++)
                for (size_t q = 0; q < 4 && p + q < t->k; q++) {
                    int32_t a = t->a[s * MR + i][p + q];
                    for (size_t j = 0; j < NR; j++)
                        acc[i][j] += (uint32_t)(a * b[4 * j + q]);
                }
    ox_itile_store(t, (const int32_t *)acc, NR);
}
