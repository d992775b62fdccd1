/* Arithmetic on two tensors: the rows of binary.def, and Div, whose integer form needs care.
 * Integer division truncates towards zero; division by zero and INT_MIN / -1 are undefined in ONNX:
 * here x / 0 = 0 and INT_MIN / -1 wraps. */
#ifdef T /* ---- once per dtype: see runtime/tensor/each_dtype.h ---- */

#define LOOP2(name, expr)                                                                          \
    static void FN(name##_loop)(size_t n, const void *vx, int sx, const void *vy, int sy, void *vz, \
                                const void *params)                                                \
    {                                                                                              \
        const T *x = vx, *y = vy;                                                                  \
        T *z = vz;                                                                                 \
        (void)params;                                                                              \
        if (sx && sy)                                                                              \
            for (size_t i = 0; i < n; i++) { C a = LD(x + i), b = LD(y + i); ST(z + i, (C)(expr)); } \
        else if (sx)                                                                               \
            for (size_t i = 0; i < n; i++) { C a = LD(x + i), b = LD(y); ST(z + i, (C)(expr)); }    \
        else                                                                                       \
            for (size_t i = 0; i < n; i++) { C a = LD(x), b = LD(y + (sy ? i : 0)); ST(z + i, (C)(expr)); } \
    }                                                                                              \
    static ox_code FN(name)(ox_run *r) { return ox_map2_versioned(r, FN(name##_loop), NULL, 7); }

#define BINARY(Op, name, kind, c, expr, exact) LOOP2(name, expr)
#include "kernels/elementwise/binary.def"
#undef BINARY
#if IS_FLOAT
LOOP2(div, a / b)
#elif IS_SIGNED
LOOP2(div, b == 0 ? 0 : b == -1 ? (C)(0 - (W)a) : a / b)
#else
LOOP2(div, b == 0 ? 0 : a / b)
#endif
#undef LOOP2

#else /* ---- once ---- */
#include "kernels/elementwise/legacy.h"

#define TYPES MASK_NUM
#define TMPL  "kernels/elementwise/op_binary.c"
#include "runtime/tensor/each_dtype.h"

/* Old and numpy-style broadcasting behind one oracle. */
static ox_code oracle2(ox_oracle *o, ox_exact2 *fn)
{
    if (o->r->since >= 7)
        return ox_map2_oracle(o, fn, NULL);
    ox_tensor view;
    OX_TRY(ox_legacy_view(o->r, &view));
    ox_run r = *o->r;
    const ox_tensor *in[2] = { r.in[0], &view };
    r.in = in;
    ox_oracle legacy = { &r, o->in, o->out, o->mag };
    return ox_map2_oracle(&legacy, fn, NULL);
}

#define RECORDS(Op, name, kind_, c_, exact)                                                        \
    static double name##_exact(double a, double b, const void *p) { (void)p; return exact; }       \
    static ox_code name##_oracle(ox_oracle *o) { return oracle2(o, name##_exact); }                \
    OX_OP(Op, 1) .infer = ox_infer_legacy, .run = { KERNELS(name, NUM) }, .oracle = name##_oracle, \
        .error = { kind_, c_ }, .flags = OX_INPLACE0 OX_END;                                       \
    OX_OP(Op, 7) .infer = ox_infer_broadcast, .run = { KERNELS(name, NUM) },                       \
        .oracle = name##_oracle, .error = { kind_, c_ },                                           \
        .flags = OX_INPLACE0 | OX_INPLACE1 | OX_SYMBOLIC OX_END;

#define BINARY(Op, name, kind, c, expr, exact) RECORDS(Op, name, kind, c, exact)
#include "kernels/elementwise/binary.def"
#undef BINARY
RECORDS(Div, div, ERR_ULP, 0.5, a / b)
#endif
