/* The operators of binary.def, and those whose attribute chooses the loop: Mod, BitShift.
 *
 * Integer division truncates towards zero.  Division by zero and INT_MIN / -1 are undefined in ONNX:
 * here x / 0 and x mod 0 are 0, and INT_MIN / -1 wraps. */
#ifdef T /* ---- once per dtype: see runtime/tensor/each_dtype.h ---- */

#define RUN2(name, TZ, expr)                                                                       \
    OX_LOOP2(FN(name##_loop), T, T, TZ, expr)                                                      \
    static ox_code FN(name)(ox_run *r) { return ox_map2_versioned(r, FN(name##_loop), NULL, 7); }

#if IS_FLOAT
#define DIVIDE(a, b) (a) / (b)
#elif IS_SIGNED
#define DIVIDE(a, b) ((b) == 0 ? 0 : (b) == -1 ? (C)(0 - (W)(a)) : (a) / (b))
#else
#define DIVIDE(a, b) ((b) == 0 ? 0 : (a) / (b))
#endif

#if IS_FLOAT && BITS == 32
#define ARITHMETIC(Op, name, kind, c, expr, exact)                                                 \
    static ox_code FN(name)(ox_run *r)                                                             \
    {                                                                                              \
        return ox_map2_versioned(r, ox_used_loop2(r), NULL, 7);                        \
    }
#else
#define ARITHMETIC(Op, name, kind, c, expr, exact) RUN2(name, T, expr)
#endif
#define COMPARE(Op, name, expr) RUN2(name, uint8_t, expr)
#define COMPARE_LATE(Op, since, name, expr) RUN2(name, uint8_t, expr)
#define LOGIC(Op, name, expr)
#if IS_FLOAT
#define BITWISE(Op, since, name, expr)
#else
#define BITWISE(Op, since, name, expr) RUN2(name, T, expr)
#endif
#include "kernels/elementwise/binary.def"

/* mod_trunc has the sign of a, mod_floor that of b. */
#if IS_FLOAT
static inline C FN(floored)(C a, C b)
{
    C m = FMOD(a, b);
    if (m == 0)
        return COPYSIGN(m, b);
    return (m < 0) != (b < 0) ? m + b : m;
}
RUN2(mod_trunc, T, FMOD(a, b))
RUN2(mod_floor, T, FN(floored)(a, b))
#elif IS_SIGNED
static inline C FN(floored)(C a, C b)
{
    C m = b == 0 || b == -1 ? 0 : a % b;
    return m != 0 && (m < 0) != (b < 0) ? (C)(m + b) : m;
}
RUN2(mod_trunc, T, b == 0 || b == -1 ? 0 : a % b)
RUN2(mod_floor, T, FN(floored)(a, b))
#else
RUN2(mod_trunc, T, b == 0 ? 0 : a % b)
RUN2(mod_floor, T, b == 0 ? 0 : a % b)
#endif
static ox_code FN(mod)(ox_run *r)
{
    return ox_attr_i64(r, "fmod") ? FN(mod_trunc)(r) : FN(mod_floor)(r);
}

#if !IS_FLOAT
/* A negative amount is a huge one as W.  What shifts in from the left is the sign. */
RUN2(shift_left, T, (W)b < BITS ? (W)a << ((W)b & (BITS - 1)) : 0)
RUN2(shift_right, T, a >> ((W)b < BITS ? (W)b : BITS - 1) >> !((W)b < BITS))
static ox_code FN(shift)(ox_run *r)
{
    static const char *const words[] = { "LEFT", "RIGHT", NULL };
    int right = 0;
    OX_TRY(ox_attr_enum(r, "direction", words, &right));
    return right ? FN(shift_right)(r) : FN(shift_left)(r);
}
#endif
#undef RUN2
#undef DIVIDE

#else /* ---- once ---- */
#include "kernels/elementwise/legacy.h"
#include "kernels/elementwise/loop2.h"

#include <math.h>

#define FMOD(a, b)     _Generic((a), float: fmodf, double: fmod)(a, b)
#define COPYSIGN(a, b) _Generic((a), float: copysignf, double: copysign)(a, b)

#define TYPES MASK_NUM
#define TMPL  "kernels/elementwise/op_binary.c"
#include "runtime/tensor/each_dtype.h"

#define RUN2(name, TX, expr)                                                                       \
    OX_LOOP2(name##_loop, TX, TX, uint8_t, expr)                                                   \
    static ox_code name(ox_run *r) { return ox_map2_versioned(r, name##_loop, NULL, 7); }

static inline bool same_str(ox_str a, ox_str b) { return a.n == b.n && (a.n == 0 || memcmp(a.s, b.s, a.n) == 0); }
RUN2(equal_str, ox_str, same_str(a, b))
RUN2(equal_bool, uint8_t, (a != 0) == (b != 0))

#define NUMPY .infer = ox_infer_broadcast
#define OLD   .infer = ox_infer_legacy
#define EXACT .error = { ERR_EXACT, 0 }, .flags = OX_SYMBOLIC

#define ARITHMETIC(Op, name, kind_, c_, expr, exact)                                               \
    static ox_code name##_prepare(ox_run *r) { return ox_use_loop2(r, OX_LOOP2_##name); }          \
    static double name##_exact(double a, double b, const void *p) { (void)p; return exact; }       \
    static ox_code name##_oracle(ox_oracle *o)                                                     \
    {                                                                                              \
        return ox_map2_oracle_versioned(o, name##_exact, NULL, 7);                                 \
    }                                                                                              \
    OX_OP(Op, 1) OLD, .prepare = name##_prepare, .run = { KERNELS(name, NUM) },                    \
        .oracle = name##_oracle, .error = { kind_, c_ }, .state_size = sizeof(ox_loop2 *),         \
        .flags = OX_INPLACE0 OX_END;                                                               \
    OX_OP(Op, 7) NUMPY, .prepare = name##_prepare, .run = { KERNELS(name, NUM) },                  \
        .oracle = name##_oracle, .error = { kind_, c_ }, .state_size = sizeof(ox_loop2 *),         \
        .flags = OX_INPLACE0 | OX_INPLACE1 | OX_SYMBOLIC | OX_POINTWISE OX_END;
#define equal_MORE , [OX_BOOL] = equal_bool, [OX_STR] = equal_str
#define greater_MORE
#define less_MORE
#define COMPARE(Op, name, expr)                                                                    \
    OX_OP(Op, 1) OLD, .run = { KERNELS(name, NUM) name##_MORE }, .error = { ERR_EXACT, 0 } OX_END; \
    OX_OP(Op, 7) NUMPY, .run = { KERNELS(name, NUM) name##_MORE }, EXACT OX_END;
#define COMPARE_LATE(Op, since, name, expr)                                                        \
    OX_OP(Op, since) NUMPY, .run = { KERNELS(name, NUM) }, EXACT OX_END;
#define LOGIC(Op, name, expr)                                                                      \
    RUN2(logical_##name, uint8_t, expr)                                                            \
    OX_OP(Op, 1) OLD, .run = { [OX_BOOL] = logical_##name }, .error = { ERR_EXACT, 0 } OX_END;     \
    OX_OP(Op, 7) NUMPY, .run = { [OX_BOOL] = logical_##name }, EXACT OX_END;
#define BITWISE(Op, since, name, expr)                                                             \
    OX_OP(Op, since) NUMPY, .run = { KERNELS_INT(name) }, EXACT OX_END;
#include "kernels/elementwise/binary.def"

static double mod_exact(double a, double b, const void *trunc_)
{
    double m = fmod(a, b);
    if (trunc_)
        return m;
    return m == 0 ? copysign(m, b) : (m < 0) != (b < 0) ? m + b : m;
}
static ox_code mod_oracle(ox_oracle *o)
{
    return ox_map2_oracle(o, mod_exact, ox_attr_i64(o->r, "fmod") ? "trunc" : NULL);
}
OX_OP(Mod, 10) NUMPY, .run = { KERNELS(mod, NUM) }, .oracle = mod_oracle, .error = { ERR_ULP, 0.51 },
    .flags = OX_SYMBOLIC OX_END;
OX_OP(BitShift, 11) NUMPY, .run = { KERNELS_INT(shift) }, EXACT OX_END;

static void not_loop(size_t n, const void *vx, void *vy, const void *params)
{
    const uint8_t *x = vx;
    uint8_t *y = vy;
    (void)params;
    OX_INDEPENDENT
    for (size_t i = 0; i < n; i++)
        y[i] = !x[i];
}
static ox_code not_bool(ox_run *r) { return ox_map1(r, not_loop, NULL); }
OX_OP(Not, 1) .infer = ox_infer_like, .run = { [OX_BOOL] = not_bool }, .error = { ERR_EXACT, 0 },
    .flags = OX_SYMBOLIC | OX_INPLACE0 OX_END;
#endif
