#include "kernels/gemm/epilogue.h"

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

void ox_epilogue_activate(ox_epilogue *ep, const ox_activation *act, ox_map_fn *smooth, bool f64)
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
        ep->map = f64 ? map_f64 : smooth ? smooth : map_f32;
        ep->params = act;
    }
}
