/* Element types: their facts, and the conversions.
 *
 * The trap is double rounding: double -> float -> f16 rounds twice.  Wide sources therefore pass
 * through float rounded *to odd*, which keeps a trace of what was cut off. */
#include "runtime/tensor/dtype.h"
#include "runtime/tensor/half.h"
#include "runtime/tensor/spans.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <string.h>
#if defined(__SSE2__) && defined(__x86_64__)
#include <emmintrin.h>
#endif

/* ---- facts ---- */

static const struct facts {
    const char *name, *numpy;
    size_t      size;
    int         file_bits;
    ox_class    class;
} facts[OX_N_DTYPES] = {
#define DTYPE(id, onnx, name, memory, file_bits, class, numpy)                                     \
    [OX_##id] = { name, numpy, memory, file_bits, OX_CLASS_##class },
#include "runtime/tensor/dtype.def"
#undef DTYPE
};

static const char *const onnx_names[OX_N_DTYPES] = {
    [OX_F32] = "float", [OX_U8] = "uint8", [OX_I8] = "int8", [OX_U16] = "uint16",
    [OX_I16] = "int16", [OX_I32] = "int32", [OX_I64] = "int64", [OX_STR] = "string",
    [OX_BOOL] = "bool", [OX_F16] = "float16", [OX_F64] = "double", [OX_U32] = "uint32",
    [OX_U64] = "uint64", [OX_C64] = "complex64", [OX_C128] = "complex128",
    [OX_BF16] = "bfloat16", [OX_F8E4M3FN] = "float8e4m3fn", [OX_F8E4M3FNUZ] = "float8e4m3fnuz",
    [OX_F8E5M2] = "float8e5m2", [OX_F8E5M2FNUZ] = "float8e5m2fnuz", [OX_U4] = "uint4",
    [OX_I4] = "int4", [OX_F4E2M1] = "float4e2m1", [OX_F8E8M0] = "float8e8m0",
    [OX_U2] = "uint2", [OX_I2] = "int2", [OX_F6E2M3] = "float6e2m3", [OX_F6E3M2] = "float6e3m2",
};

/* Unit roundoff, smallest positive and largest finite value of the float types. */
static const struct range {
    double roundoff, tiny, huge;
} ranges[OX_N_DTYPES] = {
    [OX_F64] = { 0x1p-53, 0x1p-1074, DBL_MAX },
    [OX_F32] = { 0x1p-24, 0x1p-149, FLT_MAX },
    [OX_F16] = { 0x1p-11, 0x1p-24, 65504 },
    [OX_BF16] = { 0x1p-8, 0x1p-133, 0x1.fep127 },
    [OX_F8E4M3FN] = { 0x1p-4, 0x1p-9, 448 },
    [OX_F8E4M3FNUZ] = { 0x1p-4, 0x1p-10, 240 },
    [OX_F8E5M2] = { 0x1p-3, 0x1p-16, 57344 },
    [OX_F8E5M2FNUZ] = { 0x1p-3, 0x1p-17, 57344 },
    [OX_F4E2M1] = { 0x1p-2, 0.5, 6 },
    [OX_F6E2M3] = { 0x1p-4, 0.125, 7.5 },
    [OX_F6E3M2] = { 0x1p-3, 0x1p-4, 28 },
    [OX_F8E8M0] = { 0.5, 0x1p-127, 0x1p127 },
};

static bool known(ox_dtype t) { return (unsigned)t < OX_N_DTYPES && facts[t].name; }

const char *ox_dtype_name(ox_dtype t) { return known(t) ? facts[t].name : "?"; }
const char *ox_dtype_onnx_name(ox_dtype t) { return known(t) ? onnx_names[t] : "?"; }
int ox_dtype_file_bits(ox_dtype t) { return known(t) ? facts[t].file_bits : 0; }
ox_class ox_dtype_class(ox_dtype t) { return known(t) ? facts[t].class : OX_CLASS_NONE; }
const char *ox_dtype_numpy(ox_dtype t) { return known(t) ? facts[t].numpy : "?"; }

size_t ox_dtype_size(ox_dtype t)
{
    if (t == OX_STR) /* two words, whatever the host's */
        return sizeof(ox_str);
    return known(t) ? facts[t].size : 0;
}

ox_dtype ox_dtype_from_name(const char *name)
{
    for (int t = 1; t < OX_N_DTYPES; t++)
        if (known((ox_dtype)t) && strcmp(facts[t].name, name) == 0)
            return (ox_dtype)t;
    return OX_UNDEFINED;
}

double ox_dtype_roundoff(ox_dtype t) { return known(t) ? ranges[t].roundoff : 0; }
double ox_dtype_tiny(ox_dtype t) { return known(t) ? ranges[t].tiny : 0; }
double ox_dtype_huge(ox_dtype t) { return known(t) ? ranges[t].huge : 0; }

bool ox_dtype_converts(ox_dtype t)
{
    ox_class c = ox_dtype_class(t);
    return c == OX_CLASS_FLOAT || c == OX_CLASS_INT || c == OX_CLASS_UINT || c == OX_CLASS_BOOL;
}

/* ---- one float, narrower than f16 ---- */

static inline uint32_t bits_of(float f)
{
    uint32_t u;
    memcpy(&u, &f, 4);
    return u;
}
static inline float float_of(uint32_t u)
{
    float f;
    memcpy(&f, &u, 4);
    return f;
}

/* An f8, f6 or f4 kind: a sign bit over exponent and `mantissa` bits.  Codes above `max` are
 * infinity or NaN; `over` is what too large a value gives without saturation.  UNSIGNED in a code:
 * it takes no sign. */
enum { UNSIGNED = 1 << 8 };
typedef struct narrow {
    int      mantissa, bias;
    uint32_t max, over, nan, sign;
} narrow;
static const narrow e4m3fn = { 3, 7, 0x7e, 0x7f, 0x7f, 0x80 };
static const narrow e4m3fnuz = { 3, 8, 0x7f, 0x80 | UNSIGNED, 0x80 | UNSIGNED, 0x80 };
static const narrow e5m2 = { 2, 15, 0x7b, 0x7c, 0x7e, 0x80 };
static const narrow e5m2fnuz = { 2, 16, 0x7f, 0x80 | UNSIGNED, 0x80 | UNSIGNED, 0x80 };
static const narrow e2m1 = { 1, 1, 0x7, 0x7, 0x8 | UNSIGNED, 0x8 };
static const narrow e2m3 = { 3, 1, 0x1f, 0x1f, 0x20 | UNSIGNED, 0x20 };
static const narrow e3m2 = { 2, 3, 0x1f, 0x1f, 0x20 | UNSIGNED, 0x20 };

static inline uint8_t to_narrow(float x, narrow k, bool saturate)
{
    uint32_t u = bits_of(x), abs = u & 0x7fffffffu, code;
    int cut = 23 - k.mantissa;
    uint32_t smallest_normal = (uint32_t)(128 - k.bias) << 23;
    if (abs < smallest_normal) { /* float addition rounds at the spacing of the subnormals */
        uint32_t magic = (uint32_t)(127 + 23 + 1 - k.bias - k.mantissa) << 23;
        code = bits_of(float_of(abs) + float_of(magic)) - magic;
    } else {
        uint32_t v = abs - ((uint32_t)(127 - k.bias) << 23);
        code = (v + (1u << (cut - 1)) - 1 + (v >> cut & 1)) >> cut;
    }
    if (abs > 0x7f800000u)
        code = k.nan;
    else if (code > k.max)
        code = saturate ? k.max : k.over;
    else if (k.nan & UNSIGNED && k.sign == 0x80 && code == 0)
        code = UNSIGNED; /* the fnuz kinds have no -0 */
    uint32_t sign = u >> 31 && !(code & UNSIGNED) ? k.sign : 0;
    return (uint8_t)(code | sign);
}

static inline float from_narrow(uint8_t code, narrow k)
{
    uint32_t rest = code & (k.sign - 1);
    bool negative = code & k.sign;
    if (k.nan & UNSIGNED && k.sign == 0x80 && code == 0x80)
        return NAN;
    if (rest > k.max)
        return k.over == 0x7c && rest == 0x7c ? (negative ? -INFINITY : INFINITY)
                                              : (negative ? -NAN : NAN);
    float f = rest >> k.mantissa
                  ? float_of((rest << (23 - k.mantissa)) + ((uint32_t)(127 - k.bias) << 23))
                  : (float)rest * float_of((uint32_t)(128 - k.bias - k.mantissa) << 23);
    return negative ? -f : f;
}

uint8_t ox_f8_from_f32(float x, ox_dtype t, bool saturate)
{
    switch (t) {
    case OX_F8E4M3FN: return to_narrow(x, e4m3fn, saturate);
    case OX_F8E4M3FNUZ: return to_narrow(x, e4m3fnuz, saturate);
    case OX_F8E5M2: return to_narrow(x, e5m2, saturate);
    case OX_F8E5M2FNUZ: return to_narrow(x, e5m2fnuz, saturate);
    default: assert(!"an f8 type with a sign"); return 0;
    }
}

uint8_t ox_f4_from_f32(float x) { return to_narrow(x, e2m1, true); }

static inline float e8m0_to_f32(uint8_t code)
{
    return code == 255 ? NAN : float_of(code ? (uint32_t)code << 23 : 0x400000u);
}

float ox_f8_to_f32(uint8_t code, ox_dtype t)
{
    switch (t) {
    case OX_F8E4M3FN: return from_narrow(code, e4m3fn);
    case OX_F8E4M3FNUZ: return from_narrow(code, e4m3fnuz);
    case OX_F8E5M2: return from_narrow(code, e5m2);
    case OX_F8E5M2FNUZ: return from_narrow(code, e5m2fnuz);
    case OX_F4E2M1: return from_narrow(code, e2m1);
    case OX_F6E2M3: return from_narrow(code, e2m3);
    case OX_F6E3M2: return from_narrow(code, e3m2);
    case OX_F8E8M0: return e8m0_to_f32(code);
    default: assert(!"an f8, f6 or f4 type"); return 0;
    }
}

uint8_t ox_f8e8m0_from_f32(float x, ox_round mode, bool saturate)
{
    enum { NOT_A_NUMBER = 255, LARGEST = 254 };
    uint32_t abs = bits_of(x) & 0x7fffffffu;
    if (abs > 0x7f800000u)
        return NOT_A_NUMBER;
    if (abs < 0x400000u) /* below 2^-127 */
        return saturate ? 0 : NOT_A_NUMBER;
    uint32_t code = abs >> 23, fraction = abs & 0x7fffff;
    if (code == 0) /* 2^-127 is a subnormal float: its leading bit is explicit */
        fraction = (fraction & 0x3fffff) << 1;
    if (mode == OX_ROUND_UP)
        code += fraction > 0;
    else if (mode == OX_ROUND_NEAREST)
        code += fraction >= 0x400000;
    if (code > LARGEST)
        return saturate ? LARGEST : NOT_A_NUMBER;
    return (uint8_t)code;
}

static inline float to_odd(double x)
{
    float f = (float)x;
    uint32_t u = bits_of(f), inexact = (double)f != x && x == x;
    uint32_t step = fabs((double)f) < fabs(x) ? 1u : ~0u;
    return float_of(u + (inexact & ~u & 1) * step);
}
float ox_f64_to_f32_odd(double x) { return to_odd(x); }

/* An int64 as a double that rounds onwards as the integer would: sticky below 2^44. */
static inline double i64_to_f64_odd(int64_t i)
{
    uint64_t sign = (uint64_t)(i >> 63), u = ((uint64_t)i ^ sign) - sign;
    uint64_t sticky = (u & 0xfffff) != 0, large = u >> 45 != 0;
    u = large ? (u & ~(uint64_t)0xfffff) | sticky << 20 : u;
    double d = (double)u;
    return sign ? -d : d;
}

/* ---- float to integer: see the header for what happens out of range ---- */

#if defined(__SSE2__) && defined(__x86_64__) /* what it does by itself */
static inline int32_t cut_i32(double x) { return _mm_cvttsd_si32(_mm_set_sd(x)); }
static inline int64_t cut_i64(double x) { return _mm_cvttsd_si64(_mm_set_sd(x)); }

/* The commonest, sixteen at a time; how many were done. */
static size_t cut_many(void *to, const float *x, ox_dtype t, size_t n)
{
    size_t i = 0;
    if (t != OX_I32 && t != OX_U8 && t != OX_I8 && t != OX_BOOL)
        return 0;
    for (; n - i >= 16; i += 16) {
        __m128i v[4];
        for (int k = 0; k < 4; k++) {
            __m128 f = _mm_loadu_ps(x + i + 4 * k);
            v[k] = t == OX_BOOL ? _mm_castps_si128(_mm_cmpneq_ps(f, _mm_setzero_ps())) : _mm_cvttps_epi32(f);
            if (t == OX_I32)
                _mm_storeu_si128((__m128i *)(void *)((int32_t *)to + i + 4 * k), v[k]);
            else
                v[k] = _mm_and_si128(v[k], _mm_set1_epi32(t == OX_BOOL ? 1 : 0xff));
        }
        if (t != OX_I32)
            _mm_storeu_si128((__m128i *)(void *)((uint8_t *)to + i),
                             _mm_packus_epi16(_mm_packs_epi32(v[0], v[1]), _mm_packs_epi32(v[2], v[3])));
    }
    return i;
}
#else
static size_t cut_many(void *to, const float *x, ox_dtype t, size_t n)
{
    (void)to, (void)x, (void)t, (void)n;
    return 0;
}
static inline int32_t cut_i32(double x)
{
    return x > -2147483649.0 && x < 2147483648.0 ? (int32_t)x : INT32_MIN;
}
static inline int64_t cut_i64(double x)
{
    return x >= -0x1p63 && x < 0x1p63 ? (int64_t)x : INT64_MIN;
}
#endif
/* The upper half of an unsigned range goes through the signed type, less its bias. */
static inline uint32_t cut_u32(double x)
{
    return x >= 0x1p31 ? (uint32_t)cut_i32(x - 0x1p31) ^ (uint32_t)1 << 31 : (uint32_t)cut_i32(x);
}
static inline uint64_t cut_u64(double x)
{
    return x >= 0x1p63 ? (uint64_t)cut_i64(x - 0x1p63) ^ (uint64_t)1 << 63 : (uint64_t)cut_i64(x);
}
static inline int8_t extend(uint32_t v, uint32_t sign)
{
    return (int8_t)((int32_t)((v & (2 * sign - 1)) ^ sign) - (int32_t)sign);
}

/* ---- loops ---- */

static inline float load_f16(ox_f16 v) { return ox_f16_to_f32(v); }
static inline float load_bf16(ox_bf16 v) { return ox_bf16_to_f32(v); }

#define EACH(T, expr)                                                                              \
    do {                                                                                           \
        const T *x = from;                                                                         \
        for (size_t i = 0; i < n; i++)                                                             \
            to[i] = expr;                                                                          \
    } while (0);                                                                                   \
    break

/* Widening loads, shared by the three targets; C_T converts an element that is read as T. */
#define LOADS(C_F64, C_F32, C_I64, C_U64)                                                          \
    switch (t) {                                                                                   \
    case OX_F64: EACH(double, C_F64(x[i]));                                                        \
    case OX_F32: EACH(float, C_F32(x[i]));                                                         \
    case OX_F16: EACH(ox_f16, C_F32(load_f16(x[i])));                                              \
    case OX_BF16: EACH(ox_bf16, C_F32(load_bf16(x[i])));                                           \
    case OX_F8E4M3FN: EACH(uint8_t, C_F32(from_narrow(x[i], e4m3fn)));                             \
    case OX_F8E4M3FNUZ: EACH(uint8_t, C_F32(from_narrow(x[i], e4m3fnuz)));                         \
    case OX_F8E5M2: EACH(uint8_t, C_F32(from_narrow(x[i], e5m2)));                                 \
    case OX_F8E5M2FNUZ: EACH(uint8_t, C_F32(from_narrow(x[i], e5m2fnuz)));                         \
    case OX_F4E2M1: EACH(uint8_t, C_F32(from_narrow(x[i], e2m1)));                                 \
    case OX_F6E2M3: EACH(uint8_t, C_F32(from_narrow(x[i], e2m3)));                                 \
    case OX_F6E3M2: EACH(uint8_t, C_F32(from_narrow(x[i], e3m2)));                                 \
    case OX_F8E8M0: EACH(uint8_t, C_F32(e8m0_to_f32(x[i])));                                       \
    case OX_I8: case OX_I4: case OX_I2: EACH(int8_t, x[i]);                                        \
    case OX_U8: case OX_U4: case OX_U2: case OX_BOOL: EACH(uint8_t, x[i]);                         \
    case OX_I16: EACH(int16_t, x[i]);                                                              \
    case OX_U16: EACH(uint16_t, x[i]);                                                             \
    case OX_I32: EACH(int32_t, C_I64(x[i]));                                                       \
    case OX_U32: EACH(uint32_t, C_I64(x[i]));                                                      \
    case OX_I64: EACH(int64_t, C_I64(x[i]));                                                       \
    case OX_U64: EACH(uint64_t, C_U64(x[i]));                                                      \
    default: assert(!"a numeric type");                                                            \
    }

#define SAME(v)   (v)
#define FLOAT(v)  ((float)(v))
#define DOUBLE(v) ((double)(v))
#define BITS(v)   ((int64_t)(v))

void ox_to_f64(double *to, const void *from, ox_dtype t, size_t n)
{
    if (t == OX_F32) {
        ox_spans_pick()->widen(n, from, to);
        return;
    }
    LOADS(SAME, DOUBLE, DOUBLE, DOUBLE)
}
void ox_to_f32(float *to, const void *from, ox_dtype t, size_t n)
{
    if (t == OX_F16) {
        ox_f16_to_f32s(to, from, n);
        return;
    }
    LOADS(FLOAT, SAME, FLOAT, FLOAT)
}
void ox_to_i64(int64_t *to, const void *from, ox_dtype t, size_t n)
{
    LOADS(cut_i64, cut_i64, SAME, BITS)
}

#define STORE(T, expr)                                                                             \
    do {                                                                                           \
        T *y = to;                                                                                 \
        for (size_t i = 0; i < n; i++)                                                             \
            y[i] = expr;                                                                           \
    } while (0);                                                                                   \
    break

/* The float types below f32, from a float F that is exact or rounded to odd. */
#define STORES_NARROW(F)                                                                           \
    case OX_F16: STORE(ox_f16, ox_f32_to_f16(F));                                                  \
    case OX_BF16: STORE(ox_bf16, ox_f32_to_bf16(F));                                               \
    case OX_F8E4M3FN: STORE(uint8_t, to_narrow(F, e4m3fn, true));                                  \
    case OX_F8E4M3FNUZ: STORE(uint8_t, to_narrow(F, e4m3fnuz, true));                              \
    case OX_F8E5M2: STORE(uint8_t, to_narrow(F, e5m2, true));                                      \
    case OX_F8E5M2FNUZ: STORE(uint8_t, to_narrow(F, e5m2fnuz, true));                              \
    case OX_F4E2M1: STORE(uint8_t, to_narrow(F, e2m1, true));                                      \
    case OX_F6E2M3: STORE(uint8_t, to_narrow(F, e2m3, true));                                      \
    case OX_F6E3M2: STORE(uint8_t, to_narrow(F, e3m2, true));                                      \
    case OX_F8E8M0: STORE(uint8_t, ox_f8e8m0_from_f32(F, OX_ROUND_UP, true));

/* The integers, from floating x[i]. */
#define STORES_CUT                                                                                 \
    case OX_I8: STORE(int8_t, (int8_t)(uint32_t)cut_i32(x[i]));                                    \
    case OX_U8: STORE(uint8_t, (uint8_t)cut_i32(x[i]));                                            \
    case OX_I16: STORE(int16_t, (int16_t)(uint32_t)cut_i32(x[i]));                                 \
    case OX_U16: STORE(uint16_t, (uint16_t)cut_i32(x[i]));                                         \
    case OX_I32: STORE(int32_t, cut_i32(x[i]));                                                    \
    case OX_U32: STORE(uint32_t, cut_u32(x[i]));                                                   \
    case OX_I64: STORE(int64_t, cut_i64(x[i]));                                                    \
    case OX_U64: STORE(uint64_t, cut_u64(x[i]));                                                   \
    case OX_U4: STORE(uint8_t, cut_i32(x[i]) & 15);                                                \
    case OX_U2: STORE(uint8_t, cut_i32(x[i]) & 3);                                                 \
    case OX_I4: STORE(int8_t, extend((uint32_t)cut_i32(x[i]), 8));                                 \
    case OX_I2: STORE(int8_t, extend((uint32_t)cut_i32(x[i]), 2));                                 \
    case OX_BOOL: STORE(uint8_t, x[i] != 0);

void ox_from_f64(void *to, const double *from, ox_dtype t, size_t n)
{
    const double *x = from;
    switch (t) {
    case OX_F64: memmove(to, from, n * sizeof(double)); break;
    case OX_F32: STORE(float, (float)x[i]);
    STORES_NARROW(to_odd(x[i]))
    STORES_CUT
    default: assert(!"a numeric type");
    }
}

void ox_from_f32(void *to, const float *from, ox_dtype t, size_t n)
{
    const float *x = from;
    if (t == OX_F16) {
        ox_f32_to_f16s(to, from, n);
        return;
    }
    size_t done = cut_many(to, from, t, n);
    to = (char *)to + done * ox_dtype_size(t);
    x += done;
    n -= done;
    switch (t) {
    case OX_F64: STORE(double, x[i]);
    case OX_F32: memmove(to, x, n * sizeof(float)); break;
    STORES_NARROW(x[i])
    STORES_CUT
    default: assert(!"a numeric type");
    }
}

void ox_from_i64(void *to, const int64_t *from, ox_dtype t, size_t n)
{
    const int64_t *x = from;
    switch (t) {
    case OX_F64: STORE(double, (double)x[i]);
    case OX_F32: STORE(float, (float)x[i]);
    STORES_NARROW(to_odd(i64_to_f64_odd(x[i])))
    case OX_I8: STORE(int8_t, (int8_t)(uint8_t)x[i]);
    case OX_U8: STORE(uint8_t, (uint8_t)x[i]);
    case OX_I16: STORE(int16_t, (int16_t)(uint16_t)x[i]);
    case OX_U16: STORE(uint16_t, (uint16_t)x[i]);
    case OX_I32: STORE(int32_t, (int32_t)(uint32_t)x[i]);
    case OX_U32: STORE(uint32_t, (uint32_t)x[i]);
    case OX_I64: case OX_U64: memmove(to, from, n * sizeof(int64_t)); break;
    case OX_U4: STORE(uint8_t, x[i] & 15);
    case OX_U2: STORE(uint8_t, x[i] & 3);
    case OX_I4: STORE(int8_t, extend((uint32_t)x[i], 8));
    case OX_I2: STORE(int8_t, extend((uint32_t)x[i], 2));
    case OX_BOOL: STORE(uint8_t, x[i] != 0);
    default: assert(!"a numeric type");
    }
}

/* ---- any to any ---- */

/* u64 to a float type: halved with a sticky bit where it does not fit an int64. */
static void convert_u64(void *to, ox_dtype to_type, const uint64_t *from, size_t n)
{
    char *y = to;
    for (size_t i = 0; i < n; i++, y += ox_dtype_size(to_type)) {
        uint64_t u = from[i];
        if (to_type == OX_F64) {
            double d = (double)u;
            memcpy(y, &d, sizeof(d));
        } else if (to_type == OX_F32) {
            float f = (float)u;
            memcpy(y, &f, sizeof(f));
        } else { /* exact doubling afterwards: only the sticky bit is moved */
            uint64_t half = u >> 63 ? u >> 1 | (u & 1) : u;
            double d = i64_to_f64_odd((int64_t)half) * (u >> 63 ? 2 : 1);
            ox_from_f64(y, &d, to_type, 1);
        }
    }
}

/* Through the narrowest common type that holds every value of the source. */
void ox_convert(void *to, ox_dtype to_type, const void *from, ox_dtype from_type, size_t n)
{
    enum { BLOCK = 512 };
    union { int64_t i[BLOCK]; float f[BLOCK]; } tmp;
    size_t from_size = ox_dtype_size(from_type), to_size = ox_dtype_size(to_type);
    const char *x = from;
    char *y = to;
    assert(ox_dtype_converts(from_type) && ox_dtype_converts(to_type));
    if (to_type == from_type)
        memmove(to, from, n * from_size);
    else if (from_type == OX_F64)
        ox_from_f64(to, from, to_type, n);
    else if (from_type == OX_F32)
        ox_from_f32(to, from, to_type, n);
    else if (from_type == OX_I64 || (from_type == OX_U64 && !ox_is_float(to_type)))
        ox_from_i64(to, from, to_type, n);
    else if (from_type == OX_U64)
        convert_u64(to, to_type, from, n);
    else if (to_type == OX_F64)
        ox_to_f64(to, from, from_type, n);
    else if (to_type == OX_F32)
        ox_to_f32(to, from, from_type, n);
    else
        for (size_t at = 0; at < n; at += BLOCK) {
            size_t m = OX_MIN(n - at, (size_t)BLOCK);
            if (ox_is_float(from_type)) {
                ox_to_f32(tmp.f, x + at * from_size, from_type, m);
                ox_from_f32(y + at * to_size, tmp.f, to_type, m);
            } else {
                ox_to_i64(tmp.i, x + at * from_size, from_type, m);
                ox_from_i64(y + at * to_size, tmp.i, to_type, m);
            }
        }
}
