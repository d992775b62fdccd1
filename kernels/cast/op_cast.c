/* Cast and CastLike.  Numbers become numbers by ox_convert; `saturate` and `round_mode` need the
 * element-wise forms below; text.h has the strings. */
#include "kernels/cast/text.h"
#include "runtime/op.h"

#include <math.h>
#include <string.h>

enum { BLOCK = 1 << 14, STEP = 512 };

typedef struct cast {
    const ox_run *r;
    ox_dtype from, to;
    bool     saturate;
    int      round; /* ox_round */
} cast;

/* ---- attributes ---- */

static bool same_name(const char *a, const char *b)
{
    for (; *a && *b; a++, b++)
        if ((*a | 0x20) != (*b | 0x20))
            return false;
    return *a == *b;
}

/* Version 1 names the type, later ones number it. */
static ox_code infer_cast(ox_run *r)
{
    int64_t to = 0;
    if (r->since < 6) {
        const char *name = ox_attr_str(r, "to");
        for (int t = 1; name && t < OX_N_DTYPES; t++)
            if (same_name(ox_dtype_onnx_name((ox_dtype)t), name))
                to = t;
        if (!to)
            return OX_FAIL(r->err, OX_E_VALUE, "attribute to is \"%s\", which names no type", name ? name : "");
    } else {
        to = ox_attr_i64(r, "to");
    }
    if (to <= 0 || to >= OX_N_DTYPES || (!ox_dtype_converts((ox_dtype)to) && to != OX_STR))
        return OX_FAIL(r->err, OX_E_VALUE, "attribute to is %lld, which is no type to cast to", (long long)to);
    r->out[0]->dtype = (ox_dtype)to;
    return ox_infer_like(r);
}

static ox_code read_attributes(const ox_run *r, cast *c)
{
    static const char *const words[] = { "up", "down", "nearest", NULL };
    *c = (cast){ r, r->in[0]->dtype, r->out[0]->dtype, r->since < 19 || ox_attr_i64(r, "saturate"), OX_ROUND_UP };
    return r->since < 24 ? OX_OK : ox_attr_enum(r, "round_mode", words, &c->round);
}

/* ---- numbers to numbers ---- */

static bool is_f8(ox_dtype t) { return t >= OX_F8E4M3FN && t <= OX_F8E5M2FNUZ; }

/* Floats that round onwards as x would have: exact, or rounded to odd. */
static void to_odd(float *to, const void *from, ox_dtype t, size_t n)
{
    double wide[STEP];
    ox_to_f64(wide, from, t, n);
    for (size_t i = 0; i < n; i++) {
        if (t == OX_I64 || t == OX_U64) { /* beyond 2^53: cut off, not rounded, and marked */
            uint64_t u = ((const uint64_t *)from)[i];
            bool negative = t == OX_I64 && u >> 63;
            u = negative ? 0 - u : u;
            u = u >> 52 ? (u & ~(uint64_t)0xffff) | (uint64_t)((u & 0xffff) != 0) << 16 : u;
            wide[i] = negative ? -(double)u : (double)u;
        }
        to[i] = ox_f64_to_f32_odd(wide[i]);
    }
}

static bool is_special(const cast *c)
{
    return c->from != c->to && ((is_f8(c->to) && !c->saturate) ||
                                (c->to == OX_F8E8M0 && (!c->saturate || c->round != OX_ROUND_UP)));
}

static void special_block(const cast *c, const char *x, uint8_t *y, size_t n)
{
    float f[STEP];
    for (size_t at = 0; at < n; at += STEP) {
        size_t m = OX_MIN(n - at, (size_t)STEP);
        to_odd(f, x + at * ox_dtype_size(c->from), c->from, m);
        for (size_t i = 0; i < m; i++)
            y[at + i] = c->to == OX_F8E8M0 ? ox_f8e8m0_from_f32(f[i], (ox_round)c->round, c->saturate)
                                           : ox_f8_from_f32(f[i], c->to, c->saturate);
    }
}

static void run_block(void *ctx, int64_t block, int worker)
{
    const cast *c = ctx;
    const ox_tensor *x = c->r->in[0], *y = c->r->out[0];
    size_t at = (size_t)block * BLOCK, n = OX_MIN((size_t)ox_count(x) - at, (size_t)BLOCK);
    const char *from = (const char *)x->data + at * ox_dtype_size(c->from);
    char *to = (char *)y->data + at * ox_dtype_size(c->to);
    (void)worker;
    if (is_special(c))
        special_block(c, from, (uint8_t *)to, n);
    else
        ox_convert(to, c->to, from, c->from, n);
}

/* ---- strings ---- */

static ox_code to_strings(ox_run *r, const cast *c)
{
    const char *x = r->in[0]->data;
    ox_str *y = r->out[0]->data;
    char buf[OX_CAST_TEXT];
    for (int64_t i = 0; i < ox_count(r->in[0]); i++, x += ox_dtype_size(c->from)) {
        size_t n = ox_cast_to_text(buf, x, c->from);
        char *s = ox_run_str(r, n);
        if (!s)
            return OX_NO_MEMORY(r);
        memcpy(s, buf, n);
        y[i] = (ox_str){ s, n };
    }
    return OX_OK;
}

/* What ox_cast_from_text needs for the longest of input 0's strings. */
static ox_code reading_room(ox_run *r, char **room)
{
    const ox_str *x = r->in[0]->data;
    size_t longest = 0;
    for (int64_t i = 0; i < ox_count(r->in[0]); i++)
        longest = OX_MAX(longest, x[i].n);
    if (!ox_add_size(&longest, longest, OX_CAST_TEXT) || !(*room = ox_scratch(r, longest)))
        return OX_NO_MEMORY(r);
    return OX_OK;
}

static ox_code from_strings(ox_run *r, const cast *c)
{
    const ox_str *x = r->in[0]->data;
    char *y = r->out[0]->data, *room = NULL;
    int64_t n = ox_count(r->in[0]);
    OX_TRY(reading_room(r, &room));
    cast number = *c; /* for what the attributes change: by way of a double */
    number.from = OX_F64;
    for (int64_t i = 0; i < n; i++, y += ox_dtype_size(c->to)) {
        double d;
        bool special = is_special(&number);
        if (!ox_cast_from_text(special ? (void *)&d : y, special ? OX_F64 : c->to, x[i], room))
            return OX_FAIL(r->err, OX_E_VALUE, "element %lld, \"%.*s\", is no number", (long long)i,
                           (int)OX_MIN(x[i].n, (size_t)40), x[i].n ? x[i].s : "");
        if (special)
            special_block(&number, (const char *)&d, (uint8_t *)y, 1);
    }
    return OX_OK;
}

static ox_code run(ox_run *r)
{
    cast c;
    int64_t n = ox_count(r->in[0]);
    OX_TRY(read_attributes(r, &c));
    if (c.from == OX_STR && c.to == OX_STR)
        memcpy(r->out[0]->data, r->in[0]->data, ox_bytes(r->in[0]));
    else if (c.to == OX_STR)
        return to_strings(r, &c);
    else if (c.from == OX_STR)
        return from_strings(r, &c);
    else if (n <= BLOCK)
        run_block(&c, 0, 0);
    else
        ox_parallel(r, (n + BLOCK - 1) / BLOCK, run_block, &c);
    return OX_OK;
}

/* Float outputs are the value itself, rounded; where that is out of range or no number, what the
 * attributes make of it.  f8e8m0 does not round to nearest, so only its conversion says what is right. */
static double truth(const cast *c, double x)
{
    uint64_t code = 0;
    if (c->to != OX_F8E8M0 && fabs(x) <= ox_dtype_huge(c->to))
        return x;
    if (is_special(c))
        special_block(c, (const char *)&x, (uint8_t *)&code, 1);
    else
        ox_from_f64(&code, &x, c->to, 1);
    ox_to_f64(&x, &code, c->to, 1);
    return x;
}
static ox_code oracle(ox_oracle *o)
{
    ox_run r = *o->r;
    const ox_str *text = r.in[0]->dtype == OX_STR ? r.in[0]->data : NULL;
    char *room = NULL;
    cast c;
    if (!o->out[0])
        return OX_OK;
    OX_TRY(read_attributes(&r, &c));
    if (text)
        OX_TRY(reading_room(&r, &room));
    c.from = OX_F64;
    for (int64_t i = 0; i < ox_count(r.in[0]); i++) {
        double x = text ? 0 : o->in[0][i];
        if (text && !ox_cast_from_text(&x, OX_F64, text[i], room))
            return OX_FAIL(r.err, OX_E_VALUE, "element %lld is no number", (long long)i);
        o->out[0][i] = truth(&c, x);
    }
    return OX_OK;
}

OX_OP(Cast, 1) .infer = infer_cast, .run_any = run, .key = OX_KEY_NONE, .oracle = oracle,
    .error = { ERR_ULP, 0.5 }, .flags = OX_SYMBOLIC OX_END;
OX_OP(CastLike, 15) .infer = ox_infer_like, .run_any = run, .key = OX_KEY_NONE, .oracle = oracle,
    .error = { ERR_ULP, 0.5 }, .flags = OX_SYMBOLIC OX_END;
