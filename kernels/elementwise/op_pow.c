/* Pow: the result has the type of the base; the exponent may have any other.
 *
 * Floats: an exponent of another type is taken as a double.  Integers: to an integer power exactly,
 * wrapping; where the result is no integer (negative or float exponents) the double is cut towards
 * zero, as Cast does. */
#ifdef T /* ---- once per dtype: see runtime/tensor/each_dtype.h ---- */

#if IS_FLOAT
/* The exponents that models use, without a logarithm; the cube in double, so that it rounds once. */
OX_LOOP2(FN(square), T, T, T, a * a)
OX_LOOP2(FN(cube), T, T, T, (double)a * a * a)
OX_LOOP2(FN(root), T, T, T, a == -INFINITY ? INFINITY : SQRT(a + 0))
#if BITS == 64
OX_LOOP2(FN(same), T, T, T, pow(a, b))
#define SAME FN(same)
#else
#define SAME ox_used_loop2(r)
#endif
OX_LOOP2(FN(mixed), T, double, T, pow((double)a, b))

static ox_code FN(run)(ox_run *r)
{
    ox_tensor y;
    OX_TRY(exponent(r, &y));
    double b = ox_count(&y) == 1 ? ox_get_f64(&y, 0) : NAN;
    ox_loop2 *loop = b == 2 ? FN(square) : b == 3 ? FN(cube) : b == 0.5 ? FN(root) : NULL;
    if (!loop && y.dtype != DT)
        OX_TRY(in_double(r, &y));
    if (!loop)
        loop = y.dtype == DT ? SAME : FN(mixed);
    return ox_map2_of(r, r->in[0], &y, r->out[0], loop, NULL);
}
#undef SAME
#else
static inline C FN(power)(C a, int64_t b, bool is_unsigned)
{
    W base = (W)a, result = 1;
    if (b < 0 && !is_unsigned && a != 1 && a != -1) {
        double d = a == 0 ? INFINITY : 0;
        ox_from_f64(&a, &d, DT, 1);
        return a;
    }
    for (uint64_t e = (uint64_t)b; e; e >>= 1, base *= base)
        result *= e & 1 ? base : 1;
    return (C)result;
}
OX_LOOP2(FN(whole), T, int64_t, T, FN(power)(a, b, params != NULL))

static void FN(cut)(size_t n, const void *vx, int sx, const void *vy, int sy, void *vz,
                    const void *params)
{
    const T *x = vx;
    const double *y = vy;
    T *z = vz;
    (void)params;
    for (size_t i = 0; i < n; i++) {
        double d = pow((double)x[sx ? i : 0], y[sy ? i : 0]);
        ox_from_f64(z + i, &d, DT, 1);
    }
}

static ox_code FN(run)(ox_run *r)
{
    ox_tensor y;
    OX_TRY(exponent(r, &y));
    if (ox_is_float(y.dtype)) {
        OX_TRY(in_double(r, &y));
        return ox_map2_of(r, r->in[0], &y, r->out[0], FN(cut), NULL);
    }
    const char *is_unsigned = y.dtype == OX_U64 ? "u64" : NULL;
    int64_t n = ox_count(&y), *wide = ox_scratch_array(r, (size_t)n, sizeof(*wide));
    if (!wide)
        return OX_NO_MEMORY(r);
    ox_to_i64(wide, y.data, y.dtype, (size_t)n);
    y.data = wide;
    y.dtype = OX_I64;
    return ox_map2_of(r, r->in[0], &y, r->out[0], FN(whole), is_unsigned);
}
#endif

#else /* ---- once ---- */
#include "kernels/elementwise/legacy.h"
#include "kernels/elementwise/loop2.h"

#include <math.h>

#define SQRT(x) _Generic((x), float: sqrtf, double: sqrt)(x)

/* The exponent, as numpy broadcasts it to the base. */
static ox_code exponent(const ox_run *r, ox_tensor *y)
{
    *y = *r->in[1];
    return r->since < 7 ? ox_legacy_view(r, y) : OX_OK;
}

static ox_code in_double(ox_run *r, ox_tensor *y)
{
    int64_t n = ox_count(y);
    double *wide = ox_scratch_array(r, (size_t)n, sizeof(*wide));
    if (!wide)
        return OX_NO_MEMORY(r);
    ox_to_f64(wide, y->data, y->dtype, (size_t)n);
    y->data = wide;
    y->dtype = OX_F64;
    return OX_OK;
}

static ox_code prepare(ox_run *r) { return ox_use_loop2(r, OX_LOOP2_pow); }

static double exact(double a, double b, const void *params)
{
    (void)params;
    return pow(a, b);
}
static ox_code oracle(ox_oracle *o) { return ox_map2_oracle_versioned(o, exact, NULL, 7); }

#define TYPES (MASK_FLOAT | M_I32 | M_I64)
#define TMPL  "kernels/elementwise/op_pow.c"
#include "runtime/tensor/each_dtype.h"

#define RUN .prepare = prepare, .oracle = oracle, .error = { ERR_ULP, 1 }, .state_size = sizeof(ox_loop2 *), \
            .run = { KERNELS_FLOAT(run), [OX_I32] = run_i32, [OX_I64] = run_i64 }
OX_OP(Pow, 1) .infer = ox_infer_legacy, RUN, .flags = OX_INPLACE0 OX_END;
OX_OP(Pow, 7) .infer = ox_infer_broadcast, RUN, .flags = OX_INPLACE0 | OX_SYMBOLIC | OX_POINTWISE OX_END;
#endif
