/* What operators on two broadcast tensors share: micro-kernels for f32, written-out loops for the rest.
 * The compiler vectorises a loop only where it sees strides of 0 and 1 as such, so each combination is a
 * loop of its own. */
#ifndef OX_ELEMENTWISE_LOOP2_H
#define OX_ELEMENTWISE_LOOP2_H

#include "kernels/elementwise/elementwise.h"
#include "kernels/math/base.h"
#include "runtime/op.h"

/* prepare: for a record whose state is the micro-kernel of f32. */
static inline ox_code ox_use_loop2(ox_run *r, ox_loop2_kind kind)
{
    const ox_uk_elementwise *row = ox_uk_loop2_pick(kind);
    *(ox_loop2 **)r->state = row->run2;
    if (r->in[0]->dtype == OX_F32)
        r->kernel = row->name;
    return OX_OK;
}
static inline ox_loop2 *ox_used_loop2(const ox_run *r) { return *(ox_loop2 *const *)r->state; }

#define OX_LOOP2_EACH(load_a, load_b, TX, TY, TZ, expr)                                            \
    OX_INDEPENDENT_HINT                                                                            \
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
