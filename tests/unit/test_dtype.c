/* Element types: every code of the narrow types, and every boundary between two of them, against a
 * definition written in ldexp and exact double comparisons. */
#include "runtime/base/cpu.h"
#include "runtime/tensor/dtype.h"
#include "runtime/tensor/half.h"

#include <check.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- the independent definition ---- */

/* A float format by its fields; `largest` is the code of the largest finite value. */
typedef struct format {
    ox_dtype t;
    int      bits, mantissa, bias, largest;
    bool     saturates, fnuz;
} format;
static const format formats[] = {
    { OX_F16, 16, 10, 15, 0x7bff, false, false },
    { OX_BF16, 16, 7, 127, 0x7f7f, false, false },
    { OX_F8E4M3FN, 8, 3, 7, 0x7e, true, false },
    { OX_F8E4M3FNUZ, 8, 3, 8, 0x7f, true, true },
    { OX_F8E5M2, 8, 2, 15, 0x7b, true, false },
    { OX_F8E5M2FNUZ, 8, 2, 16, 0x7f, true, true },
    { OX_F4E2M1, 4, 1, 1, 7, true, false },
    { OX_F6E2M3, 6, 3, 1, 0x1f, true, false },
    { OX_F6E3M2, 6, 2, 3, 0x1f, true, false },
};
enum { N_FORMATS = sizeof(formats) / sizeof(*formats) };

/* Value of a code without its sign, also past `largest`, where the next value would be. */
static double magnitude(const format *f, int code)
{
    int exponent = code >> f->mantissa, fraction = code % (1 << f->mantissa);
    return exponent ? ldexp(1 + ldexp(fraction, -f->mantissa), exponent - f->bias)
                    : ldexp(fraction, 1 - f->bias - f->mantissa);
}

static int sign_bit(const format *f) { return 1 << (f->bits - 1); }

static int load_code(const format *f, const void *p, size_t i)
{
    if (f->bits == 16) {
        uint16_t v;
        memcpy(&v, (const char *)p + 2 * i, 2);
        return v;
    }
    return ((const uint8_t *)p)[i];
}

static bool is_nan_code(const format *f, int code)
{
    if (f->fnuz)
        return code == 0x80;
    if (f->bits < 8)
        return false;
    int infinity = f->t == OX_F8E4M3FN ? f->largest : f->largest + 1;
    return (code & (sign_bit(f) - 1)) > infinity;
}

/* The code that x must round to; `gives` is the code just below or at |x|. */
static int nearest(const format *f, double x, int gives)
{
    double low = magnitude(f, gives), high = magnitude(f, gives + 1);
    double middle = low + (high - low) / 2;
    int code = fabs(x) > middle || (fabs(x) == middle && gives & 1) ? gives + 1 : gives;
    if (code > f->largest)
        code = f->saturates ? f->largest : f->largest + 1;
    if (f->fnuz && code == 0)
        return 0;
    return signbit(x) ? code | sign_bit(f) : code;
}

/* ---- decoding ---- */

START_TEST(decode_every_code)
{
    const format *f = &formats[_i];
    for (int code = 0; code < 1 << f->bits; code++) {
        uint8_t b = (uint8_t)code;
        uint16_t h = (uint16_t)code;
        const void *p = f->bits == 16 ? (const void *)&h : &b;
        double d = 0;
        float s = 0;
        ox_to_f64(&d, p, f->t, 1);
        ox_to_f32(&s, p, f->t, 1);
        int rest = code & (sign_bit(f) - 1);
        if (is_nan_code(f, code)) {
            ck_assert(isnan(d) && isnan(s));
            continue;
        }
        double want = rest > f->largest ? INFINITY : magnitude(f, rest);
        want = code & sign_bit(f) ? -want : want;
        ck_assert_msg(d == want && (double)s == want && !signbit(d) == !signbit(want),
                      "%s %#x is %a, not %a", ox_dtype_name(f->t), (unsigned)code, want, d);
    }
}
END_TEST

START_TEST(decode_e8m0)
{
    for (int code = 0; code < 256; code++) {
        uint8_t b = (uint8_t)code;
        double d = 0;
        ox_to_f64(&d, &b, OX_F8E8M0, 1);
        ck_assert(code == 255 ? isnan(d) : d == ldexp(1, code - 127));
    }
}
END_TEST

/* ---- encoding ---- */

typedef struct tally {
    const format *f;
    int  below; /* code at or just under the values tried now */
    int  n_bad;
} tally;

static void check_code(tally *t, int got, double x, const char *how)
{
    int want = nearest(t->f, x, t->below);
    if (got != want && t->n_bad++ == 0)
        ck_abort_msg("%s from %s: %a gives %#x, not %#x", ox_dtype_name(t->f->t), how, x,
                     (unsigned)got, (unsigned)want);
}

/* x and -x, from every source type that holds it. */
static void try_value(tally *t, double x)
{
    for (int sign = 0; sign < 2; sign++, x = -x) {
        uint16_t out = 0;
        float s = (float)x;
        ox_from_f64(&out, &x, t->f->t, 1);
        check_code(t, load_code(t->f, &out, 0), x, "f64");
        if ((double)s == x) {
            ox_from_f32(&out, &s, t->f->t, 1);
            check_code(t, load_code(t->f, &out, 0), x, "f32");
        }
        if (fabs(x) < 0x1p63 && x == trunc(x) && (x != 0 || !signbit(x))) {
            int64_t i = (int64_t)x;
            ox_from_i64(&out, &i, t->f->t, 1);
            check_code(t, load_code(t->f, &out, 0), x, "i64");
        }
    }
}

/* Each value, each midpoint, and their nearest neighbours among doubles and floats. */
START_TEST(encode_every_boundary)
{
    const format *f = &formats[_i];
    for (int code = 0; code <= f->largest; code++) {
        tally t = { .f = f, .below = code };
        double low = magnitude(f, code), high = magnitude(f, code + 1);
        double middle = low + (high - low) / 2;
        try_value(&t, low);
        try_value(&t, nextafter(low, INFINITY));
        try_value(&t, (double)nextafterf((float)low, INFINITY));
        try_value(&t, middle);
        try_value(&t, nextafter(middle, 0));
        try_value(&t, nextafter(middle, INFINITY));
        if ((double)(float)middle == middle && middle < FLT_MAX) {
            try_value(&t, (double)nextafterf((float)middle, 0));
            try_value(&t, (double)nextafterf((float)middle, INFINITY));
        }
        try_value(&t, nextafter(high, 0));
    }
    tally t = { .f = f, .below = f->largest };
    try_value(&t, 2 * magnitude(f, f->largest));
    try_value(&t, DBL_MAX);
}
END_TEST

/* The trap: int64 -> double -> bf16 rounds twice. */
START_TEST(encode_large_integers)
{
    const format *f = &formats[1];
    ck_assert_int_eq(f->t, OX_BF16);
    for (int e = 20; e < 62; e++)
        for (int64_t fraction = 128; fraction < 256; fraction++) {
            int64_t low = fraction << (e - 7), half = (int64_t)1 << (e - 8);
            static const int64_t off[] = { -1, 0, 1 };
            for (size_t k = 0; k < 3; k++) {
                int64_t i = low + half + off[k];
                bool up = off[k] > 0 || (off[k] == 0 && fraction & 1);
                double want = (double)low + (up ? 2 * (double)half : 0), got;
                uint16_t out;
                ox_from_i64(&out, &i, OX_BF16, 1);
                ox_to_f64(&got, &out, OX_BF16, 1);
                ck_assert_msg(got == want, "%lld", (long long)i);
                uint64_t u = (uint64_t)i << 1 | (off[k] > 0); /* beyond int64 for e = 61 */
                ox_convert(&out, OX_BF16, &u, OX_U64, 1);
                ox_to_f64(&got, &out, OX_BF16, 1);
                ck_assert_msg(got == 2 * want, "u64 %llu", (unsigned long long)u);
            }
        }
    uint64_t most = UINT64_MAX;
    double d;
    float s;
    ox_convert(&d, OX_F64, &most, OX_U64, 1);
    ox_convert(&s, OX_F32, &most, OX_U64, 1);
    ck_assert(d == 0x1p64 && s == 0x1p64f);
}
END_TEST

START_TEST(encode_special)
{
    const format *f = &formats[_i];
    static const float special[] = { NAN, -NAN, INFINITY, -INFINITY, -0.0f };
    for (size_t i = 0; i < OX_COUNT(special); i++) {
        double d = (double)special[i];
        uint16_t a = 0, b = 0;
        ox_from_f32(&a, &special[i], f->t, 1);
        ox_from_f64(&b, &d, f->t, 1);
        int code = load_code(f, &a, 0), sign = signbit(special[i]) ? sign_bit(f) : 0;
        ck_assert_int_eq(load_code(f, &b, 0), code);
        if (isnan(special[i]))
            ck_assert(f->bits < 8 ? code == sign_bit(f) : is_nan_code(f, code));
        else if (isinf(special[i]))
            ck_assert_int_eq(code, (f->saturates ? f->largest : f->largest + 1) | sign);
        else
            ck_assert_int_eq(code, f->fnuz ? 0 : sign);
    }
}
END_TEST

/* Cast's table for saturate = 0: what is too large becomes infinity or NaN, the rest stays. */
START_TEST(encode_without_saturation)
{
    static const struct row {
        ox_dtype t;
        int      over, minus_over, nan, minus_nan;
    } rows[] = {
        { OX_F8E4M3FN, 0x7f, 0xff, 0x7f, 0xff },
        { OX_F8E4M3FNUZ, 0x80, 0x80, 0x80, 0x80 },
        { OX_F8E5M2, 0x7c, 0xfc, 0x7e, 0xfe },
        { OX_F8E5M2FNUZ, 0x80, 0x80, 0x80, 0x80 },
    };
    for (size_t i = 0; i < OX_COUNT(rows); i++) {
        const format *f = &formats[2 + i];
        const struct row *r = &rows[i];
        ck_assert_int_eq(f->t, r->t);
        float most = (float)magnitude(f, f->largest), next = (float)magnitude(f, f->largest + 1);
        float tie = most + (next - most) / 2;
        ck_assert_int_eq(ox_f8_from_f32(INFINITY, r->t, false), r->over);
        ck_assert_int_eq(ox_f8_from_f32(-INFINITY, r->t, false), r->minus_over);
        ck_assert_int_eq(ox_f8_from_f32(next, r->t, false), r->over);
        ck_assert_int_eq(ox_f8_from_f32(-FLT_MAX, r->t, false), r->minus_over);
        ck_assert_int_eq(ox_f8_from_f32(nextafterf(tie, 0), r->t, false), f->largest);
        ck_assert_int_eq(ox_f8_from_f32(tie, r->t, false), f->largest & 1 ? r->over : f->largest);
        ck_assert_int_eq(ox_f8_from_f32(nextafterf(tie, INFINITY), r->t, false), r->over);
        ck_assert_int_eq(ox_f8_from_f32(NAN, r->t, false), r->nan);
        ck_assert_int_eq(ox_f8_from_f32(-NAN, r->t, false), r->minus_nan);
        for (int code = 0; code < 256; code++) {
            float x = ox_f8_to_f32((uint8_t)code, r->t);
            if (isfinite(x))
                ck_assert_int_eq(ox_f8_from_f32(x, r->t, false), code);
        }
    }
}
END_TEST

START_TEST(encode_e8m0)
{
    for (int code = 0; code < 255; code++) {
        float low = ldexpf(1, code - 127), high = code < 254 ? low * 2 : INFINITY;
        float inside[] = { nextafterf(low, high), low * 1.25f, low * 1.75f };
        for (int m = 0; m < 3; m++) {
            ck_assert_int_eq(ox_f8e8m0_from_f32(low, (ox_round)m, true), code);
            ck_assert_int_eq(ox_f8e8m0_from_f32(-low, (ox_round)m, false), code);
        }
        for (int i = 0; i < 3; i++) {
            int up = OX_MIN(code + 1, 254), near = inside[i] >= low * 1.5f ? up : code;
            ck_assert_int_eq(ox_f8e8m0_from_f32(inside[i], OX_ROUND_UP, true), up);
            ck_assert_int_eq(ox_f8e8m0_from_f32(inside[i], OX_ROUND_DOWN, true), code);
            ck_assert_int_eq(ox_f8e8m0_from_f32(inside[i], OX_ROUND_NEAREST, true), near);
            ck_assert_int_eq(ox_f8e8m0_from_f32(inside[i], OX_ROUND_UP, false), code + 1);
        }
        float middle = low * 1.5f, below = nextafterf(middle, 0);
        ck_assert_int_eq(ox_f8e8m0_from_f32(middle, OX_ROUND_NEAREST, false), code + 1);
        ck_assert_int_eq(ox_f8e8m0_from_f32(below, OX_ROUND_NEAREST, false), code);
        uint8_t out = 0; /* ox_from_f32 is up and saturating */
        ox_from_f32(&out, &below, OX_F8E8M0, 1);
        ck_assert_int_eq(out, OX_MIN(code + 1, 254));
    }
    for (int m = 0; m < 3; m++) {
        ck_assert_int_eq(ox_f8e8m0_from_f32(NAN, (ox_round)m, true), 255);
        ck_assert_int_eq(ox_f8e8m0_from_f32(INFINITY, (ox_round)m, true), 254);
        ck_assert_int_eq(ox_f8e8m0_from_f32(INFINITY, (ox_round)m, false), 255);
        ck_assert_int_eq(ox_f8e8m0_from_f32(0, (ox_round)m, true), 0);
        ck_assert_int_eq(ox_f8e8m0_from_f32(0, (ox_round)m, false), 255);
        ck_assert_int_eq(ox_f8e8m0_from_f32(0x1p-149f, (ox_round)m, true), 0);
        ck_assert_int_eq(ox_f8e8m0_from_f32(0x1p-128f, (ox_round)m, false), 255);
    }
}
END_TEST

START_TEST(rounding_to_odd)
{
    static const double exact[] = { 0, -0.0, 1, -1.5, FLT_MAX, FLT_MIN, 0x1p-149, 0x1.000002p0 };
    for (size_t i = 0; i < OX_COUNT(exact); i++)
        ck_assert((double)ox_f64_to_f32_odd(exact[i]) == exact[i]);
    ck_assert(ox_f64_to_f32_odd(1 + 0x1p-40) == 0x1.000002p0f);
    ck_assert(ox_f64_to_f32_odd(2 - 0x1p-40) == 0x1.fffffep0f);
    ck_assert(ox_f64_to_f32_odd(-1 - 0x1p-40) == -0x1.000002p0f);
    ck_assert(ox_f64_to_f32_odd(0x1p-1074) == 0x1p-149f);
    ck_assert(ox_f64_to_f32_odd(-0x1p-1074) == -0x1p-149f);
    ck_assert(ox_f64_to_f32_odd(DBL_MAX) == FLT_MAX); /* the infinite neighbour is even */
    ck_assert(isinf(ox_f64_to_f32_odd(INFINITY)) && isnan(ox_f64_to_f32_odd(NAN)));
}
END_TEST

/* The inline conversions and the loops agree (F16C or not). */
START_TEST(inline_halves)
{
    for (uint32_t code = 0; code < 65536; code++) {
        ox_f16 h = { (uint16_t)code };
        ox_bf16 b = { (uint16_t)code };
        float x, y;
        ox_to_f32(&x, &h, OX_F16, 1);
        y = ox_f16_to_f32(h);
        ck_assert(isnan(x) ? isnan(y) : x == y);
        ck_assert(isnan(x) || ox_f32_to_f16(y).bits == code);
        ox_to_f32(&x, &b, OX_BF16, 1);
        y = ox_bf16_to_f32(b);
        ck_assert(isnan(x) ? isnan(y) : x == y);
        ck_assert(isnan(x) || ox_f32_to_bf16(y).bits == code);
    }
}
END_TEST

/* Every level gives the same bits, those of NaN included. */
START_TEST(halves_at_every_level)
{
    enum { N = 65536 + 3 };
    static ox_f16 code[N], narrow[2][N];
    static float  wide[2][N], x[N];
    static const char *const level[] = { "scalar", "native" };
    uint32_t seed = 1;
    for (uint32_t i = 0; i < N; i++) {
        seed = seed * 1664525u + 1013904223u;
        uint32_t bits = i < 64 ? 0x7f7fffe0u + i : i < N / 4 ? 0x38000000u + i * 0x400 : seed;
        memcpy(&x[i], &bits, 4);
        code[i].bits = (uint16_t)i;
    }
    for (int l = 0; l < 2; l++) {
        ck_assert(ox_cpu_cap(level[l]));
        ox_to_f32(wide[l], code, OX_F16, N);
        ox_from_f32(narrow[l], x, OX_F16, N);
    }
    ck_assert_int_eq(memcmp(wide[0], wide[1], sizeof(wide[0])), 0);
    ck_assert_int_eq(memcmp(narrow[0], narrow[1], sizeof(narrow[0])), 0);
}
END_TEST

/* ---- integers ---- */

typedef struct integer {
    ox_dtype t;
    int      bits;
    bool     is_signed;
} integer;
static const integer integers[] = {
    { OX_I8, 8, true },   { OX_U8, 8, false },   { OX_I16, 16, true }, { OX_U16, 16, false },
    { OX_I32, 32, true }, { OX_U32, 32, false }, { OX_I64, 64, true }, { OX_U64, 64, false },
    { OX_I4, 4, true },   { OX_U4, 4, false },   { OX_I2, 2, true },   { OX_U2, 2, false },
};
enum { N_INTEGERS = sizeof(integers) / sizeof(*integers) };

/* The low bits of v as the type reads them, by arithmetic alone. */
static int64_t wrapped(const integer *k, int64_t v)
{
    if (k->bits == 64)
        return v;
    int64_t modulus = (int64_t)1 << k->bits, r = v % modulus;
    r += r < 0 ? modulus : 0;
    return k->is_signed && r >= modulus / 2 ? r - modulus : r;
}

static const int64_t samples[] = {
    0, 1, -1, 2, -2, 3, 7, 8, -8, -9, 15, 16, 17, 100, 127, 128, -128, -129, 200, 255, 256,
    32767, 32768, -32768, -32769, 65535, 65536, 2147483647, 2147483648, -2147483648, -2147483649,
    4294967295, 4294967296, 1000000000000, -1000000000001, INT64_MAX, INT64_MIN,
};

START_TEST(integers_wrap)
{
    const integer *k = &integers[_i];
    for (size_t i = 0; i < OX_COUNT(samples); i++) {
        uint64_t memory = 0;
        int64_t back = 0;
        ox_from_i64(&memory, &samples[i], k->t, 1);
        ox_to_i64(&back, &memory, k->t, 1);
        ck_assert_msg(back == wrapped(k, samples[i]), "%s from %lld: %lld", ox_dtype_name(k->t),
                      (long long)samples[i], (long long)back);
        double d = 0;
        float s = 0;
        ox_to_f64(&d, &memory, k->t, 1);
        ox_to_f32(&s, &memory, k->t, 1);
        bool huge = !k->is_signed && k->bits == 64 && back < 0;
        ck_assert(d == (huge ? (double)(uint64_t)back : (double)back));
        ck_assert(s == (huge ? (float)(uint64_t)back : (float)back));
    }
}
END_TEST

/* A float's integer part, and what dtype.h says of values outside the range. */
static int64_t cut(const integer *k, double x)
{
    bool wide = k->bits == 64;
    if (k->t == OX_U64 && x >= 0x1p63 && x < 0x1p64)
        return (int64_t)((uint64_t)(x - 0x1p63) + ((uint64_t)1 << 63));
    if (k->t == OX_U32 && x >= 0x1p31 && x < 0x1p32)
        return (int64_t)x;
    if ((k->t == OX_U64 && x >= 0x1p64) || (k->t == OX_U32 && x >= 0x1p32))
        return 0;
    double most = wide ? 0x1p63 : 0x1p31;
    if (!(trunc(x) >= -most && trunc(x) < most))
        return wrapped(k, wide ? INT64_MIN : INT32_MIN);
    return wrapped(k, (int64_t)x);
}

START_TEST(integers_from_floats)
{
    const integer *k = &integers[_i];
    static const double x[] = {
        0,           -0.0,       0.5,          -0.5,       0.999,       1,
        -1,          1.9,        -1.9,         2.5,        7.7,         8,
        -8.9,        15.5,       16,           127.9,      128,         -128.9,
        -129,        255.5,      256,          300,        -300,        32767.5,
        65536,       2147483647, 2147483647.5, 2147483648, -2147483648, -2147483648.5,
        -2147483649, 4294967295, 4294967296,   1e12,       -1e12,       9e18,
        9.3e18,      -9.3e18,    0x1p63,       -0x1p63,    1.5e19,      0x1p64,
        1e300,       -1e300,     INFINITY,     -INFINITY,
    };
    for (size_t i = 0; i < OX_COUNT(x); i++) {
        uint64_t memory = 0;
        int64_t back = 0;
        ox_from_f64(&memory, &x[i], k->t, 1);
        ox_to_i64(&back, &memory, k->t, 1);
        ck_assert_msg(back == cut(k, x[i]), "%s from %a: %lld", ox_dtype_name(k->t), x[i],
                      (long long)back);
        float s = (float)x[i];
        ox_from_f32(&memory, &s, k->t, 1);
        ox_to_i64(&back, &memory, k->t, 1);
        ck_assert_msg(back == cut(k, (double)s), "%s from %a", ox_dtype_name(k->t), (double)s);
    }
    double nan = NAN;
    uint64_t memory = 0;
    int64_t back = 0;
    ox_from_f64(&memory, &nan, k->t, 1);
    ox_to_i64(&back, &memory, k->t, 1);
    bool wide = k->bits == 64;
    ck_assert_int_eq(back, wrapped(k, wide ? INT64_MIN : INT32_MIN));
}
END_TEST

START_TEST(booleans)
{
    static const double x[] = { 0, -0.0, 1, -1, 0.1, 1e-320, NAN, INFINITY };
    static const int64_t n[] = { 0, 1, -1, 256, INT64_MIN };
    uint8_t b;
    for (size_t i = 0; i < OX_COUNT(x); i++) {
        ox_from_f64(&b, &x[i], OX_BOOL, 1);
        ck_assert_uint_eq(b, i >= 2);
    }
    for (size_t i = 0; i < OX_COUNT(n); i++) {
        ox_from_i64(&b, &n[i], OX_BOOL, 1);
        ck_assert_uint_eq(b, i >= 1);
    }
}
END_TEST

/* ---- any to any ---- */

/* ox_convert in bulk equals the path through double or int64, element by element. */
START_TEST(convert_all_pairs)
{
    enum { N = 1100 };
    static const ox_dtype types[] = {
        OX_F64,    OX_F32, OX_F16, OX_BF16, OX_F8E4M3FN, OX_F8E5M2FNUZ, OX_F4E2M1,   OX_F6E3M2,
        OX_F8E8M0, OX_I8,  OX_U8,  OX_I16,  OX_U16,      OX_I32,        OX_U32,
        OX_I64,    OX_U64, OX_I4,  OX_U4,   OX_I2,       OX_U2,         OX_BOOL,
    };
    static uint64_t from[2 * N], to[2 * N], want[2 * N];
    static double wide[N];
    ox_dtype a = types[_i];
    size_t size = ox_dtype_size(a);
    for (int i = 0; i < N; i++)
        wide[i] = (i - N / 2) * (i % 3 ? 0.37 : 1.0) * (i % 7 ? 1 : 1000);
    ox_from_f64(from, wide, a, N);
    for (size_t k = 0; k < OX_COUNT(types); k++) {
        ox_dtype b = types[k];
        size_t to_size = ox_dtype_size(b);
        memset(to, 0xaa, sizeof(to));
        memset(want, 0xaa, sizeof(want));
        ox_convert(to, b, from, a, N);
        for (size_t i = 0; i < N; i++) {
            const char *x = (const char *)from + i * size;
            char *y = (char *)want + i * to_size;
            double d;
            int64_t n;
            if (ox_is_float(a) || (a == OX_U64 && ox_is_float(b))) {
                ox_to_f64(&d, x, a, 1); /* u64 samples are exact in double, or far out of range */
                ox_from_f64(y, &d, b, 1);
            } else {
                ox_to_i64(&n, x, a, 1);
                ox_from_i64(y, &n, b, 1);
            }
        }
        ck_assert_msg(memcmp(to, want, sizeof(to)) == 0, "%s to %s", ox_dtype_name(a),
                      ox_dtype_name(b));
    }
}
END_TEST

/* ---- facts ---- */

START_TEST(names_and_sizes)
{
    int n_known = 0;
    for (int t = 0; t < OX_N_DTYPES + 3; t++) {
        ox_dtype d = (ox_dtype)t;
        if (ox_dtype_class(d) == OX_CLASS_NONE) {
            ck_assert_str_eq(ox_dtype_name(d), "?");
            ck_assert_uint_eq(ox_dtype_size(d), 0);
            ck_assert(!ox_dtype_converts(d));
            continue;
        }
        n_known++;
        ck_assert_int_eq(ox_dtype_from_name(ox_dtype_name(d)), d);
        ck_assert_uint_gt(strlen(ox_dtype_onnx_name(d)), 2);
        ck_assert_uint_ge(strlen(ox_dtype_numpy(d)), 2);
        ck_assert_uint_ge(ox_dtype_size(d) * 8, (size_t)ox_dtype_file_bits(d));
        ck_assert(ox_is_float(d) == (ox_dtype_roundoff(d) > 0));
    }
    ck_assert_int_eq(n_known, 28);
    ck_assert_int_eq(ox_dtype_from_name("float"), OX_UNDEFINED);
    ck_assert_uint_eq(ox_dtype_size(OX_STR), sizeof(ox_str));
    ck_assert_str_eq(ox_dtype_onnx_name(OX_F8E4M3FNUZ), "float8e4m3fnuz");
    ck_assert(ox_is_int(OX_U4) && ox_is_int(OX_I64) && !ox_is_int(OX_BOOL) && !ox_is_int(OX_F16));
    ck_assert(!ox_dtype_converts(OX_STR) && !ox_dtype_converts(OX_C64) &&
              ox_dtype_converts(OX_BOOL));
}
END_TEST

START_TEST(float_ranges)
{
    for (size_t i = 0; i < N_FORMATS; i++) {
        const format *f = &formats[i];
        ck_assert(ox_dtype_roundoff(f->t) == ldexp(1, -f->mantissa - 1));
        ck_assert(ox_dtype_tiny(f->t) == magnitude(f, 1));
        ck_assert(ox_dtype_huge(f->t) == magnitude(f, f->largest));
    }
    ck_assert(ox_dtype_roundoff(OX_F32) == FLT_EPSILON / 2 &&
              ox_dtype_huge(OX_F32) == (double)FLT_MAX);
    ck_assert(ox_dtype_roundoff(OX_F64) == DBL_EPSILON / 2 && ox_dtype_huge(OX_F64) == DBL_MAX);
    ck_assert(ox_dtype_tiny(OX_F32) == (double)nextafterf(0, 1) &&
              ox_dtype_tiny(OX_F64) == nextafter(0, 1));
    ck_assert(ox_dtype_roundoff(OX_I32) == 0 && ox_dtype_roundoff(OX_UNDEFINED) == 0);
}
END_TEST

Suite *suite_dtype(void);
Suite *suite_dtype(void)
{
    Suite *s = suite_create("dtype");
    TCase *t = tcase_create("dtype");
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, decode_every_code, 0, N_FORMATS);
    tcase_add_test(t, decode_e8m0);
    tcase_add_loop_test(t, encode_every_boundary, 0, N_FORMATS);
    tcase_add_test(t, encode_large_integers);
    tcase_add_loop_test(t, encode_special, 0, N_FORMATS);
    tcase_add_test(t, encode_without_saturation);
    tcase_add_test(t, encode_e8m0);
    tcase_add_test(t, rounding_to_odd);
    tcase_add_test(t, inline_halves);
    tcase_add_test(t, halves_at_every_level);
    tcase_add_loop_test(t, integers_wrap, 0, N_INTEGERS);
    tcase_add_loop_test(t, integers_from_floats, 0, N_INTEGERS);
    tcase_add_test(t, booleans);
    tcase_add_loop_test(t, convert_all_pairs, 0, 22);
    tcase_add_test(t, names_and_sizes);
    tcase_add_test(t, float_ranges);
    suite_add_tcase(s, t);
    return s;
}
