/* Elementwise loops over floats; compiled once per instruction-set level. */
#include "kernels/elementwise/elementwise.h"
#include "kernels/math/math.h"

/* NaN stays NaN in all of these. */
static inline float relu(float x) { return x < 0 ? 0 : x; }
static inline float clip(float x, const float *p) { return x < p[0] ? p[0] : x > p[1] ? p[1] : x; }
static inline float leaky(float x, const float *p) { return x < 0 ? x * p[0] : x; }
static inline float gate32(float x) { return x < 0 ? 0 : x > 1 ? 1 : x; }

#define L1(name, ulp, expr, exact)                                                                      \
    void OX_UK(name##_f32)(size_t n, const void *from, void *to, const void *params)               \
    {                                                                                              \
        const float *in = from, none[2] = { 0 }, *given = params ? params : none;                  \
        const float  p[2] = { given[0], given[1] };                                                \
        float       *out = to;                                                                     \
        (void)p;                                                                                   \
        OX_INDEPENDENT                                                                             \
        for (size_t i = 0; i < n; i++) {                                                           \
            float x = in[i];                                                                       \
            out[i] = expr;                                                                         \
        }                                                                                          \
    }
#include "kernels/elementwise/loops1.def"

#define LOOP(i, j, expr)                                                                           \
    OX_INDEPENDENT                                                                                 \
    for (size_t k = 0; k < n; k++) {                                                               \
        float a = x[i], b = y[j];                                                                  \
        z[k] = expr;                                                                               \
    }
#define L2(name, ulp, expr, exact)                                                                      \
    void OX_UK(name##_f32)(size_t n, const void *vx, int sx, const void *vy, int sy, void *vz,     \
                           const void *params)                                                     \
    {                                                                                              \
        const float *x = vx, *y = vy, none[2] = { 0 }, *given = params ? params : none;            \
        const float  p[2] = { given[0], given[1] };                                                \
        float       *z = vz;                                                                       \
        (void)p;                                                                                   \
        if (sx && sy) {                                                                            \
            LOOP(k, k, expr)                                                                       \
        } else if (sx) {                                                                           \
            float c = *y, *fixed = &c;                                                             \
            y = fixed;                                                                             \
            LOOP(k, 0, expr)                                                                       \
        } else if (sy) {                                                                           \
            float c = *x, *fixed = &c;                                                             \
            x = fixed;                                                                             \
            LOOP(0, k, expr)                                                                       \
        } else {                                                                                   \
            float a = *x, b = *y, c = expr;                                                        \
            for (size_t k = 0; k < n; k++)                                                         \
                z[k] = c;                                                                          \
        }                                                                                          \
    }
#include "kernels/elementwise/loops2.def"
