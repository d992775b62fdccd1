/* Products of 8-bit integers less their zero points (so 9 bits with sign, held in 16), summed in 32. */
#ifndef OX_IGEMM_IGEMM_H
#define OX_IGEMM_IGEMM_H

#include "runtime/base/cpu.h"
#include <stddef.h>

/* c[i * nr + j] = sum over p < pairs of a[p][i][0] b[p][j][0] + a[p][i][1] b[p][j][1], wrapping;
 * a is [pairs][mr][2], b [pairs][nr][2], all of c is written. */
typedef void ox_uk_igemm_fn(size_t pairs, const int16_t *a, const int16_t *b, int32_t *c);

typedef struct ox_uk_igemm {
    ox_uk_igemm_fn *fn;
    const char     *name;
    uint32_t        isa;
    int             mr, nr;
} ox_uk_igemm;

extern const ox_uk_igemm ox_uk_igemm_rows[];
extern const size_t      ox_n_uk_igemm_rows;

/* The last row that this process's levels can run. */
const ox_uk_igemm *ox_uk_igemm_pick(void);

enum { OX_IGEMM_MR = 8, OX_IGEMM_NR = 32 }; /* no row has larger tiles */

#define UK(fn, isa, mr, nr) ox_uk_igemm_fn fn;
#include "kernels/igemm/ukernels.def"

#endif
