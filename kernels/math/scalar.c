/* Loops over the functions of math.h; compiled once per instruction-set level. */
#include "kernels/math/math.h"

#define FN(name, ulp, exact)                                                                       \
    void OX_UK(name##_f32)(size_t n, const float *x, float *y);                                    \
    void OX_UK(name##_f32)(size_t n, const float *x, float *y)                                     \
    {                                                                                              \
        OX_INDEPENDENT                                                                             \
        for (size_t i = 0; i < n; i++)                                                             \
            y[i] = ox_##name##_f32(x[i]);                                                          \
    }
#include "kernels/math/functions.def"
