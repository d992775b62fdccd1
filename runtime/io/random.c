#include "runtime/io/random.h"

enum { BLOCK = 1024 };

/* SplitMix64: element i of a stream without a state to keep. */
static uint64_t draw(uint64_t seed, uint64_t i)
{
    uint64_t z = seed * 0xd1342543de82ef95u + (i + 1) * 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static double unit(uint64_t x) /* multiples of 2^-23 in [-1, 1): exact in float */
{
    return (double)(int64_t)(x >> 40) * 0x1p-23 - 1;
}

static void fill_strings(ox_str *s, int64_t n, uint64_t seed)
{
    static const char words[] = "s0s1s2s3s4s5s6s7s8s9"; /* static: it outlives every tensor */
    for (int64_t i = 0; i < n; i++)
        s[i] = (ox_str){ words + 2 * (draw(seed, (uint64_t)i) % 10), 2 };
}

static void fill_floats(ox_tensor *t, int64_t n, uint64_t seed)
{
    double v[BLOCK];
    size_t size = ox_dtype_size(t->dtype);
    for (int64_t i = 0; i < n; i += BLOCK) {
        int64_t k = OX_MIN(n - i, (int64_t)BLOCK);
        for (int64_t j = 0; j < k; j++)
            v[j] = unit(draw(seed, (uint64_t)(i + j)));
        for (int64_t j = 0; j < k && t->dtype == OX_F8E8M0; j++)
            v[j] = v[j] < 0 ? -v[j] : v[j]; /* it has no sign */
        ox_from_f64((char *)t->data + (size_t)i * size, v, t->dtype, (size_t)k);
    }
}

static void fill_ints(ox_tensor *t, int64_t n, uint64_t seed)
{
    int64_t v[BLOCK];
    size_t  size = ox_dtype_size(t->dtype);
    int     bits = ox_dtype_file_bits(t->dtype);
    for (int64_t i = 0; i < n; i += BLOCK) {
        int64_t k = OX_MIN(n - i, (int64_t)BLOCK);
        for (int64_t j = 0; j < k; j++) {
            uint64_t x = draw(seed, (uint64_t)(i + j)) >> 32;
            v[j] = t->dtype == OX_BOOL ? (int64_t)(x & 1) : bits > 8 ? (int64_t)(x % 10)
                 : (int64_t)(x & (((uint64_t)1 << bits) - 1));
            if (bits <= 8 && ox_dtype_class(t->dtype) == OX_CLASS_INT)
                v[j] -= (int64_t)1 << (bits - 1);
        }
        ox_from_i64((char *)t->data + (size_t)i * size, v, t->dtype, (size_t)k);
    }
}

ox_code ox_random_tensor(ox_tensor *t, ox_dtype dtype, int rank, const int64_t *dim, uint64_t seed,
                         ox_error *err)
{
    OX_TRY(ox_tensor_alloc(t, dtype, rank, dim, err));
    int64_t n = ox_count(t);
    ox_tensor parts = *t; /* a complex tensor as twice as many real numbers */
    switch (ox_dtype_class(dtype)) {
    case OX_CLASS_STRING:
        fill_strings(t->data, n, seed);
        ox_buf_set_owns_strings(t->buf);
        break;
    case OX_CLASS_COMPLEX:
        parts.dtype = dtype == OX_C64 ? OX_F32 : OX_F64;
        fill_floats(&parts, 2 * n, seed);
        break;
    case OX_CLASS_FLOAT: fill_floats(t, n, seed); break;
    default: fill_ints(t, n, seed); break;
    }
    return OX_OK;
}
