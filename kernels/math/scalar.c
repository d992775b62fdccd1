/* Loops over the functions of math.h and trig.h; compiled once per instruction-set level. */
#include "kernels/math/math.h"
#include "kernels/math/trig.h"
#include "kernels/math/ukernels.h"

#define LOOP(fn)                                                                                   \
    OX_INDEPENDENT                                                                                 \
    for (size_t i = 0; i < n; i++)                                                                 \
        y[i] = fn(x[i])

#define DEFINE(name) void OX_UK(name##_f32)(size_t n, const float *x, float *y)

#define FN(name, ulp, exact)                                                                       \
    DEFINE(name) { LOOP(ox_##name##_f32); }
#define FN_CIRCULAR(name, ulp, exact)                                                              \
    DEFINE(name)                                                                                   \
    {                                                                                              \
        if (ox_any_large32(n, x)) {                                                                \
            LOOP(ox_##name##_f32);                                                                 \
        } else {                                                                                   \
            LOOP(ox_##name##_small_f32);                                                           \
        }                                                                                          \
    }
#include "kernels/math/functions.def"
