#include "kernels/activation.h"

#include <math.h>

ox_code ox_activation_read(const ox_run *r, ox_activation *a)
{
    static const char *const names[] = { "Relu", "Clip", "LeakyRelu", NULL };
    int which;
    *a = (ox_activation){ .lo = -INFINITY, .hi = INFINITY, .slope = 1 };
    if (!ox_attr_given(r, "onnxrun_activation"))
        return OX_OK;
    OX_TRY(ox_attr_enum(r, "onnxrun_activation", names, &which));
    double alpha = ox_attr_f64(r, "onnxrun_alpha"), beta = ox_attr_f64(r, "onnxrun_beta");
    if (which == 0)
        *a = (ox_activation){ OX_ACTIVATION_CLIP, 0, INFINITY, 1 };
    else if (which == 1)
        *a = (ox_activation){ OX_ACTIVATION_CLIP, alpha, beta, 1 };
    else
        *a = (ox_activation){ OX_ACTIVATION_LEAKY, -INFINITY, INFINITY, alpha };
    return OX_OK;
}
