/* Updates added, multiplied, maximised or minimised into slices of a tensor.  Several updates may
 * name the same slice: float sums and products are kept in double and rounded once. */
#ifdef T /* ---- once per dtype ---- */

#if IS_FLOAT
#define MAX_OF(a, b) ((a) > (b) || (a) != (a) ? (a) : (b)) /* NaN wins */
#define MIN_OF(a, b) ((a) < (b) || (a) != (a) ? (a) : (b))
#else
#define MAX_OF(a, b) ((a) > (b) ? (a) : (b))
#define MIN_OF(a, b) ((a) < (b) ? (a) : (b))
#endif

#define EACH(expr)                                                                                 \
    for (int64_t k = 0; k < u->n; k++) {                                                           \
        const T *from = (const T *)u->updates + k * u->slice;                                      \
        T *to = (T *)u->y + u->at[k] * u->slice;                                                   \
        for (int64_t i = 0; i < u->slice; i++) {                                                   \
            C a = LD(to + i), b = LD(from + i);                                                    \
            ST(to + i, (C)(expr));                                                                 \
        }                                                                                          \
    }

static void FN(direct)(const ox_scatter *u)
{
#if BITS == 8 && !IS_SIGNED /* bool shares this pass: its values are 0 and 1 */
    if (u->is_bool && u->reduction == OX_SCATTER_ADD) {
        EACH(a | b)
        return;
    }
#endif
    switch (u->reduction) {
    case OX_SCATTER_ADD: EACH((W)a + (W)b) break;
    case OX_SCATTER_MUL: EACH((W)a * (W)b) break;
    case OX_SCATTER_MAX: EACH(MAX_OF(a, b)) break;
    case OX_SCATTER_MIN: EACH(MIN_OF(a, b)) break;
    default: break;
    }
}

#if IS_FLOAT
static void FN(wide)(const ox_scatter *u)
{
    T *y = u->y;
    for (int64_t i = 0; i < u->n_y; i++)
        u->wide[i] = (double)LD(y + i);
    for (int64_t k = 0; k < u->n; k++) {
        const T *from = (const T *)u->updates + k * u->slice;
        double *to = u->wide + u->at[k] * u->slice;
        if (u->reduction == OX_SCATTER_ADD)
            for (int64_t i = 0; i < u->slice; i++)
                to[i] += (double)LD(from + i);
        else
            for (int64_t i = 0; i < u->slice; i++)
                to[i] *= (double)LD(from + i);
    }
    for (int64_t i = 0; i < u->n_y; i++)
        ST(y + i, (C)u->wide[i]);
}
#endif

#undef MAX_OF
#undef MIN_OF
#undef EACH
#else /* ---- once ---- */
#include "kernels/move/scatter.h"

#define TYPES (MASK_NUM | M_F16 | M_BF16)
#define TMPL  "kernels/move/scatter.c"
#include "runtime/tensor/each_dtype.h"

#define COMPLEX_MUL(name, type)                                                                    \
    static void name(const ox_scatter *u)                                                          \
    {                                                                                              \
        for (int64_t k = 0; k < u->n * u->slice; k++) {                                            \
            type *to = (type *)u->y + 2 * (u->at[k / u->slice] * u->slice + k % u->slice);         \
            const type *b = (const type *)u->updates + 2 * k;                                      \
            type re = to[0] * b[0] - to[1] * b[1];                                                 \
            to[1] = to[0] * b[1] + to[1] * b[0];                                                   \
            to[0] = re;                                                                            \
        }                                                                                          \
    }
COMPLEX_MUL(mul_c64, float)
COMPLEX_MUL(mul_c128, double)

/* Sums are the same for pairs of floats; products are not; order there is none. */
static ox_code scatter_complex(ox_run *r, ox_scatter u)
{
    bool single = r->in[0]->dtype == OX_C64;
    if (u.reduction == OX_SCATTER_MUL) {
        (single ? mul_c64 : mul_c128)(&u);
        return OX_OK;
    }
    if (u.reduction != OX_SCATTER_ADD)
        return OX_FAIL(r->err, OX_E_TYPE, "complex numbers have no maximum");
    u.slice *= 2;
    (single ? direct_f32 : direct_f64)(&u);
    return OX_OK;
}

ox_code ox_scatter_reduce(ox_run *r, ox_scatter u)
{
    static void (*const direct[OX_N_DTYPES])(const ox_scatter *) = {
        KERNELS(direct, NUM), [OX_BOOL] = direct_u8, [OX_F16] = direct_f16, [OX_BF16] = direct_bf16,
    };
    static void (*const wide[OX_N_DTYPES])(const ox_scatter *) = {
        KERNELS(wide, FLOAT), [OX_F16] = wide_f16, [OX_BF16] = wide_bf16,
    };
    ox_dtype t = r->in[0]->dtype;
    u.is_bool = t == OX_BOOL;
    if (ox_dtype_class(t) == OX_CLASS_COMPLEX)
        return scatter_complex(r, u);
    if (!direct[t])
        return OX_FAIL(r->err, OX_E_TYPE, "%s elements cannot be reduced", ox_dtype_name(t));
    if (wide[t] && (u.reduction == OX_SCATTER_ADD || u.reduction == OX_SCATTER_MUL)) {
        if (!(u.wide = ox_scratch_array(r, (size_t)u.n_y, sizeof(double))))
            return OX_NO_MEMORY(r);
        wide[t](&u);
    } else {
        direct[t](&u);
    }
    return OX_OK;
}
#endif
