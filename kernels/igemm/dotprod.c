/* Integer tile, 4 x 16, by sdot: s8 by s8. */
#include "kernels/igemm/load4.h"
#include "kernels/igemm/store.h"

#include <arm_neon.h>

enum { MR = 4, NR = 16 };

OX_INLINE void step(const int32_t a[MR], const int8_t *b, int32x4_t acc[MR][NR / 4])
{
    int8x16_t bv[NR / 4];
    OX_UNROLL for (int v = 0; v < NR / 4; v++) bv[v] = vld1q_s8(b + 16 * v);
    OX_UNROLL for (int i = 0; i < MR; i++)
    {
        int8x16_t av = vreinterpretq_s8_s32(vdupq_n_s32(a[i]));
        OX_UNROLL for (int v = 0; v < NR / 4; v++) acc[i][v] = vdotq_s32(acc[i][v], av, bv[v]);
    }
}

void uk_igemm_dotprod_4x16(const ox_itile *t)
{
    int32x4_t acc[MR][NR / 4];
    const int8_t *b = t->b;
    size_t whole = t->k & ~(size_t)3;
    int32_t a[MR], sums[MR * NR];
    OX_UNROLL for (int i = 0; i < MR; i++) OX_UNROLL for (int v = 0; v < NR / 4; v++) acc[i][v] =
        vdupq_n_s32(0);
    for (size_t s = 0; s < t->n_run; s++) {
        const uint8_t *const *from = t->a + s * MR;
        for (size_t p = 0; p < whole; p += 4, b += 4 * NR) {
            OX_UNROLL for (int i = 0; i < MR; i++) a[i] = ox_load4(from[i] + p);
            step(a, b, acc);
        }
        if (whole < t->k) {
            for (int i = 0; i < MR; i++)
                a[i] = ox_load_tail(from[i] + whole, t->k - whole);
            step(a, b, acc);
            b += 4 * NR;
        }
    }
    OX_UNROLL for (int i = 0; i < MR; i++) OX_UNROLL for (int v = 0; v < NR / 4; v++)
        vst1q_s32(sums + i * NR + 4 * v, acc[i][v]);
    ox_itile_store(t, sums, NR);
}
