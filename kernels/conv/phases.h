/* A transposed convolution as ordinary ones.  Outputs whose positions leave the same remainders by the
 * strides meet the same kernel positions: each such phase is a convolution of the input with a part of the
 * kernel, turned round, at stride 1; so all of conv.h serves. */
#ifndef OX_CONV_PHASES_H
#define OX_CONV_PHASES_H

#include "kernels/conv/conv.h"
#include "kernels/window.h"

typedef struct ox_phase {
    bool         empty;                                   /* no kernel position meets it: bias alone */
    ox_conv_plan plan;
    size_t       first[OX_CONV_DIMS], step[OX_CONV_DIMS]; /* its kernel positions */
    size_t       at;     /* of its outputs (N, M, phase's) among those of all phases, in elements */
    const void  *packed; /* weights; NULL: they are no constant */
} ox_phase;

typedef struct ox_phases {
    size_t    n, m_group, c_group, group;
    size_t    kernel[OX_CONV_DIMS], out[OX_CONV_DIMS], stride[OX_CONV_DIMS];
    size_t    count[OX_CONV_DIMS]; /* phases of each dimension; */
    size_t    n_phases;            /* of all, the last dimension's side by side; 0: not to be done so */
    ox_phase *phase;
} ox_phases;

/* For float32; decides whether that is worth its while. */
ox_code ox_phases_prepare(ox_run *r, const ox_window *g, int64_t group, ox_phases *p) OX_MUST_CHECK;
/* ep as of ox_conv_args, without a residual. */
ox_code ox_phases_run(ox_run *r, const ox_phases *p, const ox_epilogue *ep) OX_MUST_CHECK;

#endif
