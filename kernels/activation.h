/* The activation that fusion puts behind a convolution or a matrix product. */
#ifndef OX_KERNELS_ACTIVATION_H
#define OX_KERNELS_ACTIVATION_H

#include "kernels/math/ukernels.h"
#include "runtime/op.h"

typedef struct ox_activation {
    enum { OX_ACTIVATION_NONE, OX_ACTIVATION_CLIP, OX_ACTIVATION_LEAKY, OX_ACTIVATION_MAP } kind;
    double lo, hi; /* CLIP: min(max(v, lo), hi); Relu is [0, inf) */
    double slope;  /* LEAKY: v < 0 ? v * slope : v */
    ox_uk_f32 *map; /* MAP: Gelu and other smooth functions, on floats */
    double (*exact)(double v); /* the same for doubles */
} ox_activation;

/* From the node's onnxrun_activation, onnxrun_alpha and onnxrun_beta. */
ox_code ox_activation_read(const ox_run *r, ox_activation *a) OX_MUST_CHECK;

/* NaN stays NaN. */
static inline double ox_activate(const ox_activation *a, double v)
{
    if (a->kind == OX_ACTIVATION_CLIP)
        return v < a->lo ? a->lo : v > a->hi ? a->hi : v;
    if (a->kind == OX_ACTIVATION_MAP)
        return a->exact(v);
    return a->kind == OX_ACTIVATION_LEAKY && v < 0 ? v * a->slope : v;
}

#endif
