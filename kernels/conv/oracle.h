/* The truth of convolutions: the definition in double, and for large ones the driver in double, proved
 * element by element against the definition.  Both part by part: doubles of a whole image would cost more
 * in memory traffic than in arithmetic. */
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
 * serves (images, Winograd's tiles); NULL: none of conv.h's.  mag bounds sum |x||w| + |b| from above.  s and act must live as long as
 * the parts do. */
ox_code ox_conv_parts(ox_parts *p, const ox_conv_shape *s, const ox_conv_plan *plan,
                      const ox_activation *act) OX_MUST_CHECK;
/* All of them, into the oracle's arrays. */
ox_code ox_conv_oracle(ox_oracle *o, const ox_conv_shape *s, const ox_conv_plan *plan,
                       const ox_activation *act) OX_MUST_CHECK;

/* The activation behind n finished sums; what the function itself rounds is in proportion to its result. */
void ox_conv_oracle_activate(const ox_activation *act, int64_t n, double *y, double *mag);

/* ---- shared by oracle.c and proof.c ---- */

/* n elements of an input from `from` on, in double: where they lie, or in buffer. */
const double *ox_part_input(const ox_parts *p, int i, int64_t from, int64_t n, double *buffer);

/* Adds the products of one output channel: x the channels of its group, w its filter. */
void ox_conv_define(const ox_conv_shape *s, const double *x, const double *w, double *sum, double *mag);

/* Offset of the input row that the output row at `at` meets under kernel row k; -1: padding. */
int64_t ox_conv_row_offset(const ox_window *g, const int64_t *at, int64_t k);

/* Gives out n elements of channel m, from element `at` of output 0 on: y and mag hold the products, and take
 * bias, residual (by buffer) and activation. */
typedef struct ox_conv_finish {
    const ox_parts      *p;
    const ox_activation *act;
    const double        *bias; /* or NULL */
    ox_stretch_fn       *fn;
    void                *ctx;
} ox_conv_finish;
void ox_conv_give(const ox_conv_finish *f, int64_t m, int64_t at, int64_t n, double *y, double *mag, double *buffer);

/* Parts for convolutions that the driver computes; p->n stays 0 where it does not. */
ox_code ox_conv_proved_parts(ox_parts *p, const ox_conv_shape *s, const ox_conv_plan *plan,
                             const ox_activation *act, const double *bias) OX_MUST_CHECK;

#endif
