/* Swish and HardSwish behind a convolution, once per level; the includer defines NAME(stem).  Faster than
 * kernels/math's and with errors of a few ULP, which is below what the sums before them leave.
 *
 * Swish x / (1 + e^-x): e^-x = 2^n e^r with |r| <= ln 2 / 2, e^r by a polynomial that is minimax in relative
 * error (0.8 ULP); n ln 2 is taken off in one fused step, whose error grows to 4 ULP at the ends.  Below -88
 * the result is that of -88, 5e-37 and less, but NaN at -inf, where x e^x has no value. */

OX_INLINE vf swish(vf x)
{
    const vf magic = vf_set1(0x1.8p23f + 127); /* in the low bits: n with the bias of an exponent */
    vf c = vf_min(vf_set1(87), vf_max(vf_set1(-88), x));
    vf t = vf_fma(c, vf_set1(-0x1.715476p+0f), magic), n = vf_sub(t, magic);
    vf minus_r = vf_fma(n, vf_set1(0x1.62e430p-1f), c);
    vf p = vf_fma(minus_r, vf_set1(-0x1.0fa49ap-7f), vf_set1(0x1.573f2cp-5f));
    p = vf_fnma(minus_r, p, vf_set1(0x1.555a84p-3f));
    p = vf_fnma(minus_r, p, vf_set1(0x1.fffdbap-2f));
    p = vf_fnma(minus_r, p, vf_set1(0x1.fffff6p-1f));
    p = vf_fnma(minus_r, p, vf_set1(1));
    vf y = vf_mul(vf_max(vf_set1(-88), x), vf_reciprocal(vf_fma(p, vf_pow2(t), vf_set1(1))));
    return vf_nan_at(y, x, -__builtin_inff());
}

OX_INLINE vf hard_swish(vf x)
{
    const double sixth = 1 / 6.0; /* in two floats: the rounding of one would be the same error everywhere */
    vf gate = vf_min(vf_set1(6), vf_max(vf_zero(), vf_add(x, vf_set1(3))));
    vf low = vf_mul(gate, vf_set1((float)(sixth - (double)(float)sixth)));
    return vf_mul(x, vf_fma(gate, vf_set1((float)sixth), low));
}

#define SMOOTH(name)                                                                               \
    void NAME(conv_##name##_f32)(size_t n, const void *from, void *to, const void *params)                \
    {                                                                                              \
        const float *x = from;                                                                     \
        float *y = to;                                                                             \
        size_t i = 0;                                                                              \
        (void)params;                                                                              \
        for (; n - i >= 2 * VF_N; i += 2 * VF_N) {                                                 \
            vf a = name(vf_load(x + i)), b = name(vf_load(x + i + VF_N));                          \
            vf_store(y + i, a);                                                                    \
            vf_store(y + i + VF_N, b);                                                             \
        }                                                                                          \
        for (; i < n; i += VF_N) {                                                                 \
            size_t m = n - i < VF_N ? n - i : VF_N;                                                \
            vf_store_n(y + i, name(vf_load_n(x + i, m)), m);                                       \
        }                                                                                          \
    }
SMOOTH(swish)
SMOOTH(hard_swish)
#undef SMOOTH
