/* The activation behind a convolution, in the terms of its epilogue. */
#ifndef OX_CONV_ACT_H
#define OX_CONV_ACT_H

#include "kernels/activation.h"
#include "kernels/conv/conv.h"

/* The convolution's own form of its activation, unless every bit of the graph's was asked for; or NULL. */
const ox_uk_conv *ox_conv_quick_activation(const ox_run *r, const ox_activation *act);

/* act must live as long as the epilogue. */
void ox_conv_set_activation(const ox_activation *act, const ox_uk_conv *smooth, bool f64, ox_epilogue *ep);

#endif
