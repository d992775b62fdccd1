#include "kernels/activation.h"

#include <math.h>

static double gelu(double v) { return 0.5 * v * erfc(-v * 0.70710678118654752440); }
static double gelu_tanh(double v) { return v / (1 + exp(-1.59576912160573071176 * v * (1 + 0.044715 * v * v))); }
static double hard_swish(double v) { return v * fmin(fmax(v * (1 / 6.0) + 0.5, 0), 1); }
static double mish(double v) { return v * tanh(log1p(exp(v))); }
static double sigmoid(double v) { return 1 / (1 + exp(-v)); }
static double swish(double v) { return v / (1 + exp(-v)); }

ox_code ox_activation_read(const ox_run *r, ox_activation *a)
{
    static const char *const names[] = { "Relu", "Clip", "LeakyRelu", "Gelu", "GeluTanh", "Sigmoid", "Swish",
                                         "Tanh", "HardSwish", "Mish", NULL };
    static const struct {
        ox_math fn;
        double (*exact)(double v);
    } smooth[] = { { OX_MATH_gelu, gelu }, { OX_MATH_gelu_tanh, gelu_tanh }, { OX_MATH_sigmoid, sigmoid },
                   { OX_MATH_silu, swish }, { OX_MATH_tanh, tanh },
                   { OX_MATH_hard_swish, hard_swish }, { OX_MATH_mish, mish } };
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
    else if (which == 2)
        *a = (ox_activation){ OX_ACTIVATION_LEAKY, -INFINITY, INFINITY, alpha };
    else
        *a = (ox_activation){ OX_ACTIVATION_MAP, -INFINITY, INFINITY, 1,
                              ox_uk_math_pick(smooth[which - 3].fn)->run, smooth[which - 3].exact };
    return OX_OK;
}
