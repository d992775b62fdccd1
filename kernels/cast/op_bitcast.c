/* BitCast: the same bits under another type of the same width.  Types below a byte lie one to a byte in
 * memory, sign-extended where signed, so only their extension changes. */
#include "runtime/op.h"

#include <string.h>

static ox_code infer(ox_run *r)
{
    int64_t to = ox_attr_i64(r, "to");
    if (to <= 0 || to >= OX_N_DTYPES || to == OX_STR || ox_dtype_size((ox_dtype)to) == 0)
        return OX_FAIL(r->err, OX_E_VALUE, "attribute to is %lld, which is no type of fixed width", (long long)to);
    int from_bits = ox_dtype_file_bits(r->in[0]->dtype), to_bits = ox_dtype_file_bits((ox_dtype)to);
    if (from_bits != to_bits && !r->f64)
        return OX_FAIL(r->err, OX_E_TYPE, "%s has %d bits, %s %d", ox_dtype_name(r->in[0]->dtype),
                       from_bits, ox_dtype_name((ox_dtype)to), to_bits);
    r->out[0]->dtype = (ox_dtype)to;
    return ox_infer_like(r);
}

static void extend(uint8_t *y, size_t n, int bits, bool is_signed)
{
    unsigned mask = (1u << bits) - 1, sign = is_signed ? 1u << (bits - 1) : 0;
    for (size_t i = 0; i < n; i++)
        y[i] = (uint8_t)(((y[i] & mask) ^ sign) - sign);
}

/* Under --precision f64 a float tensor is a double: `to` is still what the model says. */
static ox_code run_f64(ox_run *r, size_t n)
{
    ox_dtype from = r->in[0]->dtype, to = (ox_dtype)ox_attr_i64(r, "to");
    int bits = ox_dtype_file_bits(to);
    if (from == OX_F64 && bits == 32)
        ox_from_f64(r->out[0]->data, r->in[0]->data, OX_F32, n);
    else if (from != OX_F64 && bits == ox_dtype_file_bits(from))
        ox_to_f64(r->out[0]->data, r->in[0]->data, to, n);
    else
        return OX_FAIL(r->err, OX_E_UNSUPPORTED, "BitCast of a float in double precision to %s", ox_dtype_name(to));
    return OX_OK;
}

static void reinterpret(void *to, ox_dtype type, const ox_tensor *x)
{
    size_t n = (size_t)ox_count(x);
    int bits = ox_dtype_file_bits(type);
    memcpy(to, x->data, ox_bytes(x));
    if (bits < 8)
        extend(to, n, bits, ox_dtype_class(type) == OX_CLASS_INT);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    if ((x->dtype == OX_C64) != (type == OX_C64)) /* the real part is the low half */
        for (size_t i = 0; i < n; i++) {
            uint32_t *half = (uint32_t *)to + 2 * i, low = half[0];
            half[0] = half[1];
            half[1] = low;
        }
#endif
}

static ox_code run(ox_run *r)
{
    const ox_tensor *x = r->in[0], *y = r->out[0];
    if (ox_dtype_file_bits(x->dtype) != ox_dtype_file_bits(y->dtype) ||
        (r->f64 && y->dtype != (ox_dtype)ox_attr_i64(r, "to")))
        return run_f64(r, (size_t)ox_count(x));
    reinterpret(y->data, y->dtype, x);
    return OX_OK;
}

/* Of the bits there are: a double that stands for them has none. */
static ox_code oracle(ox_oracle *o)
{
    ox_run r = *o->r;
    const ox_tensor *y = r.out[0];
    size_t n = (size_t)ox_count(y);
    if (!o->out[0])
        return OX_OK;
    void *bits = ox_scratch(&r, OX_MAX(ox_bytes(y), ox_bytes(r.in[0])));
    if (!bits)
        return OX_NO_MEMORY(&r);
    if (ox_dtype_file_bits(r.in[0]->dtype) == ox_dtype_file_bits(y->dtype))
        reinterpret(bits, y->dtype, r.in[0]);
    else
        memcpy(bits, y->data, ox_bytes(y));
    ox_to_f64(o->out[0], bits, y->dtype, n);
    return OX_OK;
}

OX_OP(BitCast, 26) .infer = infer, .run_any = run, .key = OX_KEY_NONE, .oracle = oracle,
    .error = { ERR_EXACT, 0 }, .flags = OX_SYMBOLIC OX_END;
