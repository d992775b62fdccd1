/* Micro-kernels that move elements without computing: transposes by element size, and conversions
 * between float and its halves. */
#ifndef OX_MOVE_MOVE_H
#define OX_MOVE_MOVE_H

#include "runtime/base/cpu.h"
#include <stddef.h>
#include <stdint.h>

/* Elements of any type and any alignment. */
typedef uint8_t  ox_any8 __attribute__((may_alias));
typedef uint16_t ox_any16 __attribute__((may_alias, aligned(1)));
typedef uint32_t ox_any32 __attribute__((may_alias, aligned(1)));
typedef uint64_t ox_any64 __attribute__((may_alias, aligned(1)));

/* y[j * ld_y + i] = x[i * ld_x + j] for i < rows, j < cols; elements of 8, 16, 32 or 64 bits, leading
 * dimensions in elements; y must not overlap x. */
typedef void ox_uk_transpose(size_t rows, size_t cols, const void *x, size_t ld_x, void *y,
                             size_t ld_y);
/* Tuples of k = 2, 3, 4 from and to planes that are ld elements apart, as pixels and channels:
 * weave: y[i k + c] = x[c ld + i];  unweave: y[c ld + i] = x[i k + c];  i < n, c < k. */
typedef void ox_uk_weave(size_t n, const void *x, void *y, size_t ld);
/* n elements; narrowing rounds to nearest even and overflows to infinity, NaN stays NaN.  y must not
 * overlap x. */
typedef void ox_uk_widen(size_t n, const uint16_t *x, float *y);
typedef void ox_uk_narrow(size_t n, const float *x, uint16_t *y);

typedef struct ox_move_kernels {
    ox_uk_transpose *transpose8, *transpose16, *transpose32, *transpose64;
    ox_uk_weave     *weave[3][4], *unweave[3][4]; /* [k - 2][log2 of an element's bytes] */
    ox_uk_widen     *f16_to_f32, *bf16_to_f32;
    ox_uk_narrow    *f32_to_f16, *f32_to_bf16;
} ox_move_kernels;

#define UK(type, member, fn, isa) type fn;
#include "kernels/move/ukernels.def"

/* Those that dispatch takes for this process's levels; call it when planning. */
ox_move_kernels ox_move_pick(void);

#endif
