/* Exponential and logarithm in double to 2^-32 or better, for functions that round to float at the
 * end.  Polynomials are minimax fits by remez.py. */
#ifndef OX_MATH_CORE_H
#define OX_MATH_CORE_H

#include "kernels/math/base.h"
#include <math.h>

#define OX_LOG2E 0x1.71547652b82fep+0
#define OX_LN2   0x1.62e42fefa39efp-1

/* 2^u = scale * (1 + tail), u in [-1000, 1000]; tail is accurate relative to itself. */
static inline double ox_exp2_parts(double u, double *scale)
{
    /* Adding 1.5 2^52 leaves round(u) in the low bits; 1023 makes that the biased exponent. */
    double magic = 0x1.8p52 + 1023, t = u + magic, r = u - (t - magic);
    *scale = ox_float64(ox_bits64(t) << 52);
    return r * OX_POLY_6(r, 0x1.ffcbe6c23c546p-17, 0x1.443f837476b9cp-13, 0x1.5d88bdd6d6ec0p-10,
                         0x1.3b2a1c14ec6b1p-7, 0x1.c6b08cb128f79p-5, 0x1.ebfbe04548edfp-3,
                         0x1.62e42fefd33d3p-1);
}
static inline double ox_exp2_core(double u)
{
    double scale, tail = ox_exp2_parts(u, &scale);
    return ox_fma64(scale, tail, scale);
}
/* 2^u - 1, also relative to itself near 0 */
static inline double ox_exp2m1_core(double u)
{
    double scale, tail = ox_exp2_parts(u, &scale);
    return ox_fma64(scale, tail, scale - 1);
}

/* x = 2^k (1 + f) with 1 + f in [sqrt 1/2, sqrt 2), for x positive and normal as a double */
static inline double ox_log_parts(double x, double *k)
{
    uint64_t half = 0x3fe6a09e667f3bcd, i = ox_bits64(x) - half;
    /* (i >> 52) is a signed 12-bit number; made positive, it becomes a double by its bits alone */
    *k = ox_float64((((i >> 52) + 2048) & 4095) | 0x4330000000000000) - (0x1p52 + 2048);
    return ox_float64((i & 0x000fffffffffffff) + half) - 1;
}
/* log(1 + f) / f there, to 2^-33 */
static inline double ox_log1p_poly(double f)
{
    return OX_POLY_11(f, -0x1.ea4ae0819cceap-5, 0x1.b7a8dc7372526p-4, -0x1.bdb1743fe6561p-4,
                      0x1.c36d2342f8334p-4, -0x1.fc5678c5b4049p-4, 0x1.24912e237af1ep-3,
                      -0x1.556951fa6025bp-3, 0x1.999a31c1fb707p-3, -0x1.ffffa6ba366c2p-3,
                      0x1.5555541cf2422p-2, -0x1.0000001c63557p-1, 0x1.0000000026644p+0);
}
/* the same to 2^-41, for pow */
static inline double ox_log1p_poly_fine(double f)
{
    return OX_POLY_14(f, 0x1.66c2ab8e2e177p-5, -0x1.5eb0896ffbfdap-4, 0x1.6614a1de4bef5p-4,
                      -0x1.53a20a9847875p-4, 0x1.6ea83e8fc6d8dp-4, -0x1.99316efde62e7p-4,
                      0x1.c777dcb22343ep-4, -0x1.0004ea09e884fp-3, 0x1.2490d2b6a95bcp-3,
                      -0x1.55552bd404993p-3, 0x1.99999f6a031f0p-3, -0x1.00000043983e1p-2,
                      0x1.55555550d6c16p-2, -0x1.ffffffffc4898p-2, 0x1.00000000004c5p+0);
}
static inline double ox_log_core(double x)
{
    double k, f = ox_log_parts(x, &k);
    return ox_fma64(k, OX_LN2, f * ox_log1p_poly(f));
}
/* log(1 + z), also relative to itself near 0; z > -1, and 1 + z normal */
static inline double ox_log1p_core(double z)
{
    double k, f = ox_log_parts(1 + z, &k);
    f = ox_select64(k == 0, z, f);
    return ox_fma64(k, OX_LN2, f * ox_log1p_poly(f));
}

/* erfc(a) for a in [0, 10.3], relative to itself: exp(-a^2) (a polynomial) / (a + 3) */
static inline double ox_erfc_core(double a)
{
    double w = 1 / (a + 3), t = (a - 3) * w;
    double p = OX_POLY_11(t, 0x1.4d73afb651339p-15, 0x1.93f03155e68a6p-14, -0x1.2d35fdf49c41ap-12,
                          -0x1.1e49cd21151efp-11, 0x1.8e2b073e54671p-9, -0x1.3dd82ef9543dap-10,
                          -0x1.b78c028142f29p-6, 0x1.e995ec33e109cp-4, -0x1.3deb1eb4db8e1p-2,
                          0x1.2e32694dfc6e3p-1, -0x1.c44c4721cbd0fp-1, 0x1.12f21ddd9bcddp+0);
    return p * w * ox_exp2_core(a * a * -OX_LOG2E);
}

#endif
