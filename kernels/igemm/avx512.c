/* Integer tile, 8 x 32, without VNNI: bytes widened to 16 bits and pmaddwd.  An accumulator holds
 * two partial sums of each of eight columns. */
#include "kernels/igemm/load4.h"
#include "kernels/igemm/store.h"

#include <immintrin.h>

enum { MR = 8, NR = 32, HALF = 4 };

OX_INLINE void step(const int32_t a[HALF], const int8_t *b, __m512i acc[HALF][NR / 8])
{
    __m512i w[HALF];
    OX_UNROLL for (int i = 0; i < HALF; i++) w[i] = _mm512_cvtepu8_epi16(_mm256_set1_epi32(a[i]));
    OX_UNROLL for (int v = 0; v < NR / 8; v++)
    {
        __m512i bv =
            _mm512_cvtepi8_epi16(_mm256_loadu_si256((const __m256i *)(const void *)(b + 32 * v)));
        OX_UNROLL for (int i = 0; i < HALF; i++) acc[i][v] =
            _mm512_add_epi32(acc[i][v], _mm512_madd_epi16(w[i], bv));
    }
}

/* Rows [i0, i0 + 4). */
static void half(const ox_itile *t, size_t i0, int32_t *sums)
{
    __m512i acc[HALF][NR / 8];
    const int8_t *b = t->b;
    size_t whole = t->k & ~(size_t)3;
    int32_t a[HALF];
    OX_UNROLL for (int i = 0; i < HALF; i++) OX_UNROLL for (int v = 0; v < NR / 8; v++) acc[i][v] =
        _mm512_setzero_si512();
    for (size_t s = 0; s < t->n_run; s++) {
        const uint8_t *const *from = t->a + s * MR + i0;
        for (size_t p = 0; p < whole; p += 4, b += 4 * NR) {
            OX_UNROLL for (int i = 0; i < HALF; i++) a[i] = ox_load4(from[i] + p);
            step(a, b, acc);
        }
        if (whole < t->k) {
            for (int i = 0; i < HALF; i++)
                a[i] = ox_load_tail(from[i] + whole, t->k - whole);
            step(a, b, acc);
            b += 4 * NR;
        }
    }
    OX_UNROLL for (int i = 0; i < HALF; i++) OX_UNROLL for (int v = 0; v < NR / 8; v++)
    { /* neighbours added: the lower half of each quadword */
        __m512i x = _mm512_add_epi32(acc[i][v], _mm512_srli_epi64(acc[i][v], 32));
        _mm256_storeu_si256((__m256i *)(void *)(sums + i * NR + 8 * v), _mm512_cvtepi64_epi32(x));
    }
}

void uk_igemm_avx512_8x32(const ox_itile *t)
{
    int32_t sums[MR * NR];
    half(t, 0, sums);
    if (t->m > HALF)
        half(t, HALF, sums + HALF * NR);
    ox_itile_store(t, sums, NR);
}
