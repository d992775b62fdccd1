/* Sliding windows: the attributes that Conv, pooling and their relatives share, and the sizes that
 * follow from them (ONNX: kernel_shape, strides, dilations, pads, auto_pad, ceil_mode). */
#ifndef OX_KERNELS_WINDOW_H
#define OX_KERNELS_WINDOW_H

#include "runtime/op.h"

typedef struct ox_window {
    int     n;                     /* spatial dimensions */
    int64_t in[OX_MAX_RANK], out[OX_MAX_RANK];
    int64_t kernel[OX_MAX_RANK], stride[OX_MAX_RANK], dilation[OX_MAX_RANK];
    int64_t begin[OX_MAX_RANK], end[OX_MAX_RANK]; /* pads; negative ones crop */
} ox_window;

/* Reads the attributes for a tensor (N, C, D1 ...) and computes out[].  kernel: sizes that the weights
 * imply, or NULL where kernel_shape alone decides.  Symbolic dims give symbolic or unknown out. */
ox_code ox_window_init(ox_run *r, ox_window *w, const ox_tensor *x, const int64_t *kernel) OX_MUST_CHECK;

/* Outputs o in [*lo, *hi) for which input position o * stride + offset lies in [0, in). */
static inline void ox_window_range(int64_t *lo, int64_t *hi, int64_t offset, int64_t stride, int64_t in,
                                   int64_t out)
{
    int64_t first = offset >= 0 ? 0 : (-offset + stride - 1) / stride;
    int64_t last = in - offset <= 0 ? 0 : (in - offset + stride - 1) / stride;
    *lo = OX_MIN(first, out);
    *hi = OX_MAX(*lo, OX_MIN(last, out));
}

#endif
