/* Hardmax: 1 at the first maximum, 0 elsewhere; the first NaN counts as the maximum. */
#include "kernels/softmax/axis.h"

#define HARDMAX(type, sfx)                                                                         \
    static void lane_##sfx(const type *x, type *y, int64_t n, int64_t step)                       \
    {                                                                                              \
        type best = x[0];                                                                          \
        int64_t at = 0;                                                                            \
        for (int64_t k = 0; k < n; k++) {                                                          \
            type v = x[k * step];                                                                  \
            if (v > best || (v != v && best == best)) {                                            \
                best = v;                                                                          \
                at = k;                                                                            \
            }                                                                                      \
        }                                                                                          \
        for (int64_t k = 0; k < n; k++)                                                            \
            y[k * step] = k == at;                                                                 \
    }                                                                                              \
    static ox_code run_##sfx(ox_run *r)                                                           \
    {                                                                                              \
        ox_softmax_axis a;                                                                         \
        OX_TRY(ox_softmax_get_axis(r, &a));                                                        \
        for (int64_t i = 0; i < a.outer * a.inner; i++) {                                          \
            int64_t at = i / a.inner * a.n * a.inner + i % a.inner;                                \
            lane_##sfx((const type *)r->in[0]->data + at, (type *)r->out[0]->data + at, a.n,      \
                        a.inner);                                                                  \
        }                                                                                          \
        return OX_OK;                                                                              \
    }
HARDMAX(float, f32)
HARDMAX(double, f64)

OX_OP(Hardmax, 1) .infer = ox_infer_like, .run = { [OX_F32] = run_f32, [OX_F64] = run_f64 },
    .flags = OX_SYMBOLIC, .error = { ERR_EXACT, 0 } OX_END;
