/* Integer tile, 4 x 16, by sdot: s8 by s8. */
#include <arm_neon.h>

#define VECTOR int32x4_t
#define VECTORS 4
#include "kernels/igemm/tile4.tmpl.h"

OX_INLINE void tile_step(const int32_t a[MR], const int8_t *b, VECTOR acc[MR][VECTORS])
{
    int8x16_t bv[VECTORS];
    OX_UNROLL for (int v = 0; v < VECTORS; v++) bv[v] = vld1q_s8(b + 16 * v);
    OX_UNROLL for (int i = 0; i < MR; i++)
    {
        int8x16_t av = vreinterpretq_s8_s32(vdupq_n_s32(a[i]));
        OX_UNROLL for (int v = 0; v < VECTORS; v++) acc[i][v] = vdotq_s32(acc[i][v], av, bv[v]);
    }
}

OX_INLINE void tile_sums(VECTOR acc[MR][VECTORS], int32_t *sums)
{
    OX_UNROLL for (int i = 0; i < MR; i++) OX_UNROLL for (int v = 0; v < VECTORS; v++)
        vst1q_s32(sums + i * NR + 4 * v, acc[i][v]);
}

void uk_igemm_dotprod_4x16(const ox_itile *t) { tile(t); }
