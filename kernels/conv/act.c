/* The activation behind a convolution, in the terms of its epilogue. */
#include "kernels/conv/act.h"

static void map_f32(size_t n, const void *x, void *y, const void *params)
{
    ((const ox_activation *)params)->map(n, x, y);
}

static void map_f64(size_t n, const void *vx, void *vy, const void *params)
{
    const double *x = vx;
    double *y = vy;
    for (size_t i = 0; i < n; i++)
        y[i] = ((const ox_activation *)params)->exact(x[i]);
}

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
    if (act->kind == OX_ACTIVATION_CLIP) {
        ep->act = OX_ACT_CLAMP;
        ep->lo = act->lo;
        ep->hi = act->hi;
    } else if (act->kind == OX_ACTIVATION_LEAKY) {
        ep->act = OX_ACT_LEAKY;
        ep->slope = act->slope;
    } else if (act->kind == OX_ACTIVATION_MAP) {
        ep->act = OX_ACT_MAP;
        ep->map = f64 ? map_f64 : smooth ? smooth->fn.smooth : map_f32;
        ep->params = act;
    }
}
