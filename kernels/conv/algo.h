/* Private to kernels/conv: the algorithms and what they share. */
#ifndef OX_CONV_ALGO_H
#define OX_CONV_ALGO_H

#include "kernels/conv/conv.h"

extern const ox_conv_algo ox_conv_depthwise, ox_conv_gemm, ox_conv_direct, ox_conv_im2col;
extern const ox_conv_algo ox_conv_turned, ox_conv_plane, ox_conv_lanes;
extern const ox_conv_algo ox_conv_winograd4, ox_conv_winograd4_turned, ox_conv_winograd2_turned;

static inline size_t ox_ceil_div(size_t a, size_t b) { return a / b + (a % b != 0); }
static inline size_t ox_round_up(size_t a, size_t b) { return ox_ceil_div(a, b) * b; }
static inline size_t ox_conv_elem(const ox_conv_plan *p) { return p->f64 ? 8 : 4; }
static inline size_t ox_volume(const size_t d[OX_CONV_DIMS]) { return d[0] * d[1] * d[2]; }

/* The product of n sizes; SIZE_MAX on overflow (or where one of them is SIZE_MAX). */
size_t ox_conv_product(int n, const size_t *size);
#define OX_PRODUCT(...)                                                                            \
    ox_conv_product((int)OX_COUNT(((size_t[]){ __VA_ARGS__ })), (size_t[]){ __VA_ARGS__ })
/* a + b; SIZE_MAX on overflow. */
size_t ox_conv_sum(size_t a, size_t b);

/* How weights are packed by all algorithms that multiply matrices: m / group rows of
 * c / group * taps, one group after the other. */
void   ox_conv_fit_weights(ox_conv_plan *p, uint32_t isa);
size_t ox_conv_weights_bytes(const ox_conv_plan *p);
void   ox_conv_weights_pack(const ox_conv_plan *p, const void *w, void *packed, ox_pool *pool);

/* The epilogue of output channel o (of all m) at element `at` of y, for a tile of K block kb. */
void ox_conv_epilogue(ox_tile *t, const ox_conv_plan *p, const ox_conv_args *args, size_t kb,
                      size_t o, size_t at);
ox_conv_act ox_conv_activation(const ox_epilogue *ep);

/* ---- Winograd's ---- */

/* Channels that F(4x4,3x3) sums in one go: its error is above all that of these sums, amplified by A; short
 * runs take a third of it off for 4 % of the time. */
enum { OX_WINO4_RUN = 16 };

extern const ox_conv_algo ox_conv_dilated4, ox_conv_dilated4_turned, ox_conv_dilated2_turned;

/* The shape of the convolution, without dilation, that a dilated one is of its phases; false: it is none. */
bool ox_conv_phases_of(const ox_conv_plan *p, ox_conv_plan *q);

bool ox_wino_fits(const ox_conv_plan *p); /* a 3 x 3 kernel of stride 1 */

/* u = G g G^T for `rows` kernels at once, in double, so that each weight is rounded once.  g[i] holds element
 * i of each; position q of u is `stride` floats behind position q - 1. */
void ox_wino_kernels(size_t step, double g[9][OX_WINO_LANES], size_t rows, float *u, size_t stride);

#endif
