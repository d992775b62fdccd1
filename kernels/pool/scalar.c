/* The loops of rows.inc for every element type; compiled once per instruction-set level. */
#include "kernels/math/base.h"
#include "kernels/pool/pooling.h"

#include <math.h>

#define TYPES (MASK_FLOAT | M_I8 | M_U8)
#define TMPL  "kernels/pool/rows.inc"
#include "runtime/tensor/each_dtype.h"

#define MAXIMA(t) \
    .lowest = lowest_##t, .fold_max = fold_max_##t, .line_max = line_max_##t, .global_max = global_max_##t
#define MEANS(t)                                                                                \
    .fold_sum = fold_sum_##t, .line_mean = line_mean_##t, .fold_power = fold_power_##t,         \
    .line_root = line_root_##t, .global_sum = global_sum_##t

extern const ox_slide_rows OX_UK(pooling)[OX_N_DTYPES];
const ox_slide_rows OX_UK(pooling)[OX_N_DTYPES] = {
    [OX_F32] = { MAXIMA(f32), MEANS(f32) },
    [OX_F64] = { MAXIMA(f64), MEANS(f64) },
    [OX_I8] = { MAXIMA(i8) },
    [OX_U8] = { MAXIMA(u8) },
};
