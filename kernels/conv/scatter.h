/* A transposed convolution of a small image: one product of all pixels with all filters, whose rows are
 * then added up where they meet.  Channels lie in the lanes throughout, which few pixels would not fill. */
#ifndef OX_CONV_SCATTER_H
#define OX_CONV_SCATTER_H

#include "kernels/conv/conv.h"
#include "kernels/window.h"

typedef struct ox_scatter {
    bool     used;
    size_t   n, group, m_group, c_group, in, out, kernel; /* of the last three: elements of a channel */
    ox_gemm_plan gemm;     /* in x (kernel * m_group), of c_group terms */
    const void  *packed;   /* a group's weights after another's */
    const ox_uk_conv *turn;
    /* Output o is the sum of the product's elements from term[i] on, first[o] <= i < first[o + 1]. */
    const uint32_t *first, *term;
} ox_scatter;

/* For float32 and constant weights; decides whether that is worth its while. */
ox_code ox_scatter_prepare(ox_run *r, const ox_window *g, int64_t group, ox_scatter *p) OX_MUST_CHECK;
/* ep as of ox_conv_args, without a residual. */
ox_code ox_scatter_run(ox_run *r, const ox_scatter *p, const ox_epilogue *ep) OX_MUST_CHECK;

#endif
