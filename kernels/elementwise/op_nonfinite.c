/* IsNaN and IsInf. */
#ifdef T /* ---- once per dtype: see runtime/tensor/each_dtype.h ---- */

static void FN(nan_loop)(size_t n, const void *vx, void *vy, const void *params)
{
    const T *x = vx;
    uint8_t *y = vy;
    (void)params;
    for (size_t i = 0; i < n; i++)
        y[i] = x[i] != x[i];
}
static void FN(inf_loop)(size_t n, const void *vx, void *vy, const void *params)
{
    const T *x = vx, *sought = (const T[]){ ((const bool *)params)[0] ? -INFINITY : NAN,
                                            ((const bool *)params)[1] ? INFINITY : NAN };
    uint8_t *y = vy;
    for (size_t i = 0; i < n; i++)
        y[i] = (x[i] == sought[0]) | (x[i] == sought[1]);
}

static ox_code FN(is_nan)(ox_run *r) { return ox_map1(r, FN(nan_loop), NULL); }
static ox_code FN(is_inf)(ox_run *r)
{
    bool signs[2] = { ox_attr_i64(r, "detect_negative") != 0, ox_attr_i64(r, "detect_positive") != 0 };
    return ox_map1(r, FN(inf_loop), signs);
}

#else /* ---- once ---- */
#include "runtime/op.h"

#include <math.h>

#define TYPES MASK_FLOAT
#define TMPL  "kernels/elementwise/op_nonfinite.c"
#include "runtime/tensor/each_dtype.h"

OX_OP(IsNaN, 9) .infer = ox_infer_like, .run = { KERNELS(is_nan, FLOAT) }, .error = { ERR_EXACT, 0 },
    .flags = OX_SYMBOLIC OX_END;
OX_OP(IsInf, 10) .infer = ox_infer_like, .run = { KERNELS(is_inf, FLOAT) }, .error = { ERR_EXACT, 0 },
    .flags = OX_SYMBOLIC OX_END;
#endif
