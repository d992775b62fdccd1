/* The tile of 4 x 16 sums that takes four bytes of each row of A at a time.  Its includer names
 * VECTOR, the register type, and VECTORS, how many hold the sums of a row, and defines
 *   tile_step: adds the products of four bytes of each row (a) by 4 x 16 bytes of B;
 *   tile_sums: writes the sums in order of rows and columns. */
#include "kernels/igemm/load4.h"
#include "kernels/igemm/store.h"

enum { MR = 4, NR = 16 };

OX_INLINE void tile_step(const int32_t a[MR], const int8_t *b, VECTOR acc[MR][VECTORS]);
OX_INLINE void tile_sums(VECTOR acc[MR][VECTORS], int32_t *sums);

OX_INLINE void tile(const ox_itile *t)
{
    VECTOR acc[MR][VECTORS];
    const int8_t *b = t->b;
    size_t whole = t->k & ~(size_t)3;
    int32_t a[MR], sums[MR * NR];
    OX_UNROLL for (int i = 0; i < MR; i++) OX_UNROLL for (int v = 0; v < VECTORS; v++) acc[i][v] =
        (VECTOR){ 0 };
    for (size_t s = 0; s < t->n_run; s++) {
        const uint8_t *const *from = t->a + s * MR;
        for (size_t p = 0; p < whole; p += 4, b += 4 * NR) {
            OX_UNROLL for (int i = 0; i < MR; i++) a[i] = ox_load4(from[i] + p);
            tile_step(a, b, acc);
        }
        if (whole < t->k) {
            for (int i = 0; i < MR; i++)
                a[i] = ox_load_tail(from[i] + whole, t->k - whole);
            tile_step(a, b, acc);
            b += 4 * NR;
        }
    }
    tile_sums(acc, sums);
    ox_itile_store(t, sums, NR);
}
