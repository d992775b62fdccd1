/* The activation behind a convolution, in the terms of its epilogue. */
#include "kernels/conv/act.h"
#include "kernels/gemm/epilogue.h"

const ox_uk_conv *ox_conv_quick_activation(const ox_run *r, const ox_activation *act)
{
    if (r->optimize < 2 || act->kind != OX_ACTIVATION_MAP)
        return NULL;
    if (act->map == ox_uk_math_pick(OX_MATH_silu)->run)
        return ox_uk_conv_pick(OX_UK_SWISH, ox_cpu());
    return act->map == ox_uk_math_pick(OX_MATH_hard_swish)->run ? ox_uk_conv_pick(OX_UK_HARD_SWISH, ox_cpu()) : NULL;
}

void ox_conv_set_activation(const ox_activation *act, const ox_uk_conv *smooth, bool f64, ox_epilogue *ep)
{
    ox_epilogue_activate(ep, act, smooth ? smooth->fn.smooth : NULL, f64);
}
