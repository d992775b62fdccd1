/* The truth of convolutions: the definition in double, and for large ones the driver in double, proved
 * element by element against the definition. */
#ifndef OX_CONV_ORACLE_H
#define OX_CONV_ORACLE_H

#include "kernels/activation.h"
#include "kernels/conv/conv.h"
#include "kernels/window.h"

typedef struct ox_conv_shape {
    ox_window window;
    int64_t   c, m, c_group, m_group;    /* channels, and those of one group */
    int64_t   in_size, out_size, k_size; /* elements of one channel, of one filter plane */
} ox_conv_shape;

/* Inputs X, W, B or NULL, a tensor added before the activation or NULL.  plan: the run's, whose shape
 * serves; NULL: none of conv.h's.  mag bounds sum |x||w| + |b| from above. */
ox_code ox_conv_oracle(ox_oracle *o, const ox_conv_shape *s, const ox_conv_plan *plan,
                       const ox_activation *act) OX_MUST_CHECK;

/* The activation behind n finished sums; what the function itself rounds is in proportion to its result. */
void ox_conv_oracle_activate(const ox_activation *act, int64_t n, double *y, double *mag);

#endif
