/* The activation that fusion puts behind a product or a convolution, in the terms of the driver's epilogue. */
#ifndef OX_GEMM_EPILOGUE_H
#define OX_GEMM_EPILOGUE_H

#include "kernels/activation.h"
#include "kernels/gemm/gemm.h"

/* act must live as long as the epilogue; smooth: another form of a smooth function of floats, or NULL. */
void ox_epilogue_activate(ox_epilogue *ep, const ox_activation *act, ox_map_fn *smooth, bool f64);

#endif
