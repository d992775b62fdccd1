/* The body of a loop over two broadcast tensors (ox_loop2): the compiler vectorises it only where it
 * sees strides of 0 and 1 as such, so each combination is a loop of its own. */
#ifndef OX_ELEMENTWISE_LOOP2_H
#define OX_ELEMENTWISE_LOOP2_H

#include "kernels/math/base.h"

#define OX_LOOP2_EACH(load_a, load_b, TX, TY, TZ, expr)                                            \
    OX_INDEPENDENT                                                                                 \
    for (size_t i = 0; i < n; i++) {                                                               \
        TX a = load_a;                                                                             \
        TY b = load_b;                                                                             \
        (void)a, (void)b;                                                                          \
        z[i] = (TZ)(expr);                                                                         \
    }

/* z[i] = expr of a = x[i] and b = y[i], or of one of them; it may use params. */
#define OX_LOOP2(fn, TX, TY, TZ, expr)                                                             \
    static void fn(size_t n, const void *vx, int sx, const void *vy, int sy, void *vz,             \
                   const void *params)                                                             \
    {                                                                                              \
        const TX *x = vx, a0 = *x;                                                                 \
        const TY *y = vy, b0 = *y;                                                                 \
        TZ *z = vz;                                                                                \
        (void)params;                                                                              \
        if (sx && sy) {                                                                            \
            OX_LOOP2_EACH(x[i], y[i], TX, TY, TZ, expr)                                            \
        } else if (sx) {                                                                           \
            OX_LOOP2_EACH(x[i], b0, TX, TY, TZ, expr)                                              \
        } else if (sy) {                                                                           \
            OX_LOOP2_EACH(a0, y[i], TX, TY, TZ, expr)                                              \
        } else {                                                                                   \
            OX_LOOP2_EACH(a0, b0, TX, TY, TZ, expr)                                                \
        }                                                                                          \
    }

#endif
