/* The operators of unary.def. */
#ifdef T /* ---- once per integer type: see runtime/tensor/each_dtype.h ---- */

#if IS_SIGNED
#define NEGATIVE(x) ((x) < 0)
#define LOOP_SINTS LOOP_INTS
#else
#define NEGATIVE(x) 0
#define LOOP_SINTS(name, whole)
#endif

/* Shrink by a bias that need not be whole: then the sum is cut towards zero. */
static inline C FN(shrunk)(C x, double lambd, double bias)
{
    double v = (double)x, sum = v < -lambd ? v + bias : v - bias;
    C y = 0;
    if (v >= -lambd && v <= lambd)
        return 0;
    if (bias == trunc(bias) && fabs(bias) < 0x1p53)
        return (C)(v < -lambd ? (W)x + (W)(int64_t)bias : (W)x - (W)(int64_t)bias);
    ox_from_f64(&y, &sum, DT, 1);
    return y;
}

#define LOOP_INTS(name, whole)                                                                     \
    static void FN(name##_loop)(size_t n, const void *vx, void *vy, const void *params)            \
    {                                                                                              \
        const T *xs = vx;                                                                          \
        T *y = vy;                                                                                 \
        double a = ((const unary *)params)->a, b = ((const unary *)params)->b;                     \
        (void)a, (void)b;                                                                          \
        OX_INDEPENDENT_HINT                                                                        \
        for (size_t i = 0; i < n; i++) {                                                           \
            C x = LD(xs + i);                                                                      \
            ST(y + i, (C)(whole));                                                                 \
        }                                                                                          \
    }                                                                                              \
    static ox_code FN(name)(ox_run *r) { return ox_map1(r, FN(name##_loop), r->state); }

#define MATH(Op, since, name, c, exact)
#define UNARY(Op, since, name, a, b, kind, c, exact)
#define COLD(Op, since, name, a, b, kind, c, exact, single)
#define MATH_INT(Op, since, name, c, exact, types, whole) LOOP_##types(name, whole)
#define UNARY_INT(Op, since, name, a, b, kind, c, exact, types, whole) LOOP_##types(name, whole)
#define COLD_INT(Op, since, name, a, b, kind, c, exact, single, types, whole) LOOP_##types(name, whole)
#include "kernels/elementwise/unary.def"
LOOP_INTS(bitwise_not, ~(W)x)
#undef NEGATIVE
#undef LOOP_INTS
#undef LOOP_SINTS

#else /* ---- once ---- */
#include "runtime/op.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/math/math.h"
#include "kernels/math/ukernels.h"

typedef struct unary {
    float      p[2]; /* the attributes that the row names; first: micro-kernels read them here */
    double     a, b; /* the same */
    ox_loop1  *loop; /* f32 */
    ox_uk_f32 *uk;   /* what math_loop calls */
} unary;

/* ---- definitions that take more than a line ---- */

/* Limited to [0, 1]; NaN stays. */
static inline double unit(double v)
{
    v = v < 0 ? 0 : v;
    return v > 1 ? 1 : v;
}
static double sigmoid(double x)
{
    double e = exp(-fabs(x));
    return (x < 0 ? e : 1) / (1 + e);
}
static double softplus(double x) { return (x > 0 ? x : 0) + log1p(exp(-fabs(x))); }
static double celu(double x, double a)
{
    return x != x ? x : (x > 0 ? x : 0) + fmin(0, a * expm1(x / a));
}

/* ---- loops and records ---- */

#define TYPES MASK_INT
#define TMPL  "kernels/elementwise/op_unary.c"
#include "runtime/tensor/each_dtype.h"

static void prepare(ox_run *r, const char *a, const char *b)
{
    unary *s = r->state;
    s->a = *a ? ox_attr_f64(r, a) : 0;
    s->b = *b ? ox_attr_f64(r, b) : 0;
    s->p[0] = (float)s->a;
    s->p[1] = (float)s->b;
}
static void math_loop(size_t n, const void *x, void *y, const void *params)
{
    ((const unary *)params)->uk(n, x, y);
}
static void use_math(ox_run *r, ox_math fn)
{
    const ox_uk_math *row = ox_uk_math_pick(fn);
    ((unary *)r->state)->uk = row->run;
    ((unary *)r->state)->loop = math_loop;
    r->kernel = row->name;
}
static void use_loop1(ox_run *r, ox_loop1_kind kind)
{
    const ox_uk_elementwise *row = ox_uk_loop1_pick(kind);
    ((unary *)r->state)->loop = row->run1;
    r->kernel = row->name;
}
static ox_code run_f32(ox_run *r) { return ox_map1(r, ((const unary *)r->state)->loop, r->state); }

#define LOOP(type, name, suffix, expr)                                                             \
    static void name##_loop_##suffix(size_t n, const void *vx, void *vy, const void *params)       \
    {                                                                                              \
        const type *xs = vx;                                                                       \
        type *y = vy;                                                                              \
        double a = ((const unary *)params)->a, b = ((const unary *)params)->b;                     \
        (void)a, (void)b;                                                                          \
        OX_INDEPENDENT_HINT                                                                        \
        for (size_t i = 0; i < n; i++) {                                                           \
            type x = xs[i];                                                                        \
            y[i] = (expr);                                                                         \
        }                                                                                          \
    }                                                                                              \
    static ox_code name##_##suffix(ox_run *r) { return ox_map1(r, name##_loop_##suffix, r->state); }

#define NONE(name)
#define INTS(name)  , KERNELS_INT(name)
#define SINTS(name) , [OX_I8] = name##_i8, [OX_I16] = name##_i16, [OX_I32] = name##_i32, [OX_I64] = name##_i64

#define RECORD(Op, since, name, a_, b_, kind, c, single, use, ints)                          \
    static ox_code name##_prepare(ox_run *r)                                                       \
    {                                                                                              \
        prepare(r, a_, b_);                                                                        \
        if (r->in[0]->dtype == OX_F32)                                                             \
            use;                                                                                   \
        return OX_OK;                                                                              \
    }                                                                                              \
    static ox_code name##_oracle(ox_oracle *o) { return ox_loop1_oracle(o, name##_loop_f64, o->r->state); } \
    OX_OP(Op, since) .infer = ox_infer_like, .prepare = name##_prepare,                            \
        .run = { [OX_F32] = single, [OX_F64] = name##_f64 ints(name) }, .oracle = name##_oracle,   \
        .error = { kind, c }, .state_size = sizeof(unary),                              \
        .flags = OX_INPLACE0 | OX_SYMBOLIC | OX_POINTWISE OX_END;

#define MATH(Op, since, name, c, exact) MATH_INT(Op, since, name, c, exact, NONE, 0)
#define MATH_INT(Op, since, name, c, exact, types, whole)                                          \
    LOOP(double, name, f64, exact)                                                                 \
    RECORD(Op, since, name, "", "", ERR_ULP, c, run_f32, use_math(r, OX_MATH_##name), types)
#define UNARY(Op, since, name, a_, b_, kind, c, exact)                                             \
    UNARY_INT(Op, since, name, a_, b_, kind, c, exact, NONE, 0)
#define UNARY_INT(Op, since, name, a_, b_, kind, c, exact, types, whole)                           \
    LOOP(double, name, f64, exact)                                                                 \
    RECORD(Op, since, name, a_, b_, kind, c, run_f32, use_loop1(r, OX_LOOP1_##name), types)
#define COLD(Op, since, name, a_, b_, kind, c, exact, single)                                      \
    COLD_INT(Op, since, name, a_, b_, kind, c, exact, single, NONE, 0)
#define COLD_INT(Op, since, name, a_, b_, kind, c, exact, single, types, whole)                    \
    LOOP(float, name, f32, single)                                                                 \
    LOOP(double, name, f64, exact)                                                                 \
    RECORD(Op, since, name, a_, b_, kind, c, name##_f32, (void)0, types)
#include "kernels/elementwise/unary.def"

OX_OP(BitwiseNot, 18) .infer = ox_infer_like,
    .run = { KERNELS_INT(bitwise_not) }, .error = { ERR_EXACT, 0 }, .state_size = sizeof(unary),
    .flags = OX_INPLACE0 | OX_SYMBOLIC OX_END;
#endif
