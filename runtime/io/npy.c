#include "runtime/io/npy.h"
#include "runtime/io/utf.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

static ox_dtype numpy_dtype(const ox_npy *h, ox_dtype declared)
{
    bool narrow = declared != OX_UNDEFINED && ox_dtype_size(declared) == 1 &&
                  strcmp(ox_dtype_numpy(declared), "|V1") == 0;
    switch (h->kind) {
    case 'b': return OX_BOOL;
    case 'i': return h->item == 1 ? OX_I8 : h->item == 2 ? OX_I16 : h->item == 4 ? OX_I32 : OX_I64;
    case 'u': return h->item == 1 ? OX_U8 : h->item == 2 ? OX_U16 : h->item == 4 ? OX_U32 : OX_U64;
    case 'f':
        return h->item == 1 ? OX_F8E5M2 : h->item == 2 ? OX_F16 : h->item == 4 ? OX_F32 : OX_F64;
    case 'c': return h->item == 8 ? OX_C64 : OX_C128;
    case 'V': return h->item == 2 ? OX_BF16 : narrow ? declared : OX_U8;
    default: return OX_STR;
    }
}

/* ---- reading ---- */

/* from in Fortran order, to in C order, items of `item` bytes. */
static void to_c_order(uint8_t *to, const uint8_t *from, const ox_npy *h)
{
    size_t stride[OX_MAX_RANK], step = h->item; /* rank > 1 and no dimension is 0 */
    int64_t at[OX_MAX_RANK] = { 0 };
    for (int i = 0; i < h->rank; i++) {
        stride[i] = step;
        step *= (size_t)h->dim[i];
    }
    size_t inner = (size_t)h->dim[h->rank - 1], inner_step = stride[h->rank - 1], row = 0;
    for (;;) {
        const uint8_t *p = from + row;
        for (size_t i = 0; i < inner; i++, p += inner_step, to += h->item)
            memcpy(to, p, h->item);
        int k = h->rank - 2;
        for (; k >= 0; k--) {
            row += stride[k];
            if (++at[k] < h->dim[k])
                break;
            row -= stride[k] * (size_t)h->dim[k];
            at[k] = 0;
        }
        if (k < 0)
            return;
    }
}

static void swap_units(uint8_t *p, size_t n_bytes, size_t unit)
{
    for (size_t i = 0; i + unit <= n_bytes; i += unit)
        for (size_t a = i, b = i + unit - 1; a < b; a++, b--) {
            uint8_t x = p[a];
            p[a] = p[b];
            p[b] = x;
        }
}

/* What the file may hold in a byte against what our kernels rely on (dtype.def). */
static void normalise(uint8_t *p, size_t n, ox_dtype t)
{
    int bits = ox_dtype_file_bits(t);
    if (t == OX_BOOL) {
        for (size_t i = 0; i < n; i++)
            p[i] = p[i] != 0;
    } else if (t == OX_I4 || t == OX_I2) {
        for (size_t i = 0; i < n; i++) {
            int low = p[i] & ((1 << bits) - 1), sign = 1 << (bits - 1);
            p[i] = (uint8_t)((low ^ sign) - sign);
        }
    } else if (bits > 0 && bits < 8) {
        for (size_t i = 0; i < n; i++)
            p[i] &= (uint8_t)((1 << bits) - 1);
    }
}

static ox_code read_strings(const uint8_t *p, const ox_npy *h, int64_t n, ox_tensor *out,
                            ox_error *err)
{
    size_t n_bytes, total = 0, head;
    bool ok = ox_mul_size(&head, (size_t)n, sizeof(ox_str));
    for (int64_t i = 0; i < n && ok; i++) {
        const uint8_t *item = p + (size_t)i * h->item;
        if (h->kind == 'U' && !ox_ucs4_bytes(item, h->item / 4, &n_bytes))
            return OX_FAIL(err, OX_E_PARSE, "string %lld of the array is not Unicode",
                           (long long)i);
        if (h->kind == 'S')
            for (n_bytes = h->item; n_bytes > 0 && item[n_bytes - 1] == 0;)
                n_bytes--;
        ok = ox_add_size(&total, total, n_bytes);
    }
    ok = ok && ox_add_size(&total, total, head);
    ox_buf *b = ok ? ox_buf_create(total) : NULL;
    if (!b)
        return ox_buf_fail(ok ? total : SIZE_MAX, err);
    ox_buf_set_owns_strings(b);
    ox_str *s = ox_buf_data(b);
    char *text = (char *)s + head;
    for (int64_t i = 0; i < n; i++, text += s[i - 1].n) {
        const uint8_t *item = p + (size_t)i * h->item;
        s[i].s = text;
        if (h->kind == 'U') {
            s[i].n = ox_ucs4_to_utf8(text, item, h->item / 4);
            continue;
        }
        for (s[i].n = h->item; s[i].n > 0 && item[s[i].n - 1] == 0;)
            s[i].n--;
        memcpy(text, item, s[i].n);
    }
    out->data = s;
    out->buf = b;
    return OX_OK;
}

/* The elements as C order in this machine's byte order, in the file's memory or in fresh memory. */
static ox_code arrange(ox_buf *file, const ox_npy *h, size_t n_bytes, ox_buf **own, uint8_t **p,
                       ox_error *err)
{
    uint8_t *data = (uint8_t *)ox_buf_data(file) + h->offset;
    int      large = 0;
    for (int i = 0; i < h->rank; i++)
        large += h->dim[i] > 1;
    bool turn = h->fortran && large > 1;
    if (turn || (uintptr_t)data % 16 != 0) { /* 16: the largest element */
        if (!(*own = ox_buf_create(n_bytes)))
            return ox_buf_fail(n_bytes, err);
        if (turn)
            to_c_order(ox_buf_data(*own), data, h);
        else
            memcpy(ox_buf_data(*own), data, n_bytes);
        data = ox_buf_data(*own);
    } else {
        *own = ox_buf_ref(file);
    }
    if (h->swap)
        swap_units(data, n_bytes,
                   h->kind == 'U'   ? 4
                   : h->kind == 'c' ? h->item / 2
                   : h->kind == 'S' ? 1
                                    : h->item);
    *p = data;
    return OX_OK;
}

static ox_code read_file(ox_buf *file, ox_dtype declared, ox_tensor *out, ox_error *err)
{
    ox_npy   h;
    size_t   n_bytes, n_file = ox_buf_size(file);
    int64_t  n;
    ox_buf  *own;
    uint8_t *p = NULL;
    OX_TRY(ox_npy_header(ox_buf_data(file), n_file, &h, err));
    ox_dtype t = numpy_dtype(&h, declared);
    OX_TRY(ox_shape_count(&n, t, h.rank, h.dim, err));
    if (!ox_mul_size(&n_bytes, (size_t)n, h.item) || n_bytes > n_file - h.offset)
        return OX_FAIL(err, OX_E_PARSE,
                       "the .npy file is cut off: %lld elements of %zu bytes are announced, %zu "
                       "bytes follow the header",
                       (long long)n, h.item, n_file - h.offset);
    if (n_bytes < n_file - h.offset)
        return OX_FAIL(err, OX_E_PARSE, "the .npy file has %zu bytes too many after its array",
                       n_file - h.offset - n_bytes);
    out->dtype = t;
    out->rank = h.rank;
    memcpy(out->dim, h.dim, sizeof h.dim);
    if (n == 0)
        return OX_OK;
    OX_TRY(arrange(file, &h, n_bytes, &own, &p, err));
    if (t == OX_STR) {
        ox_code code = read_strings(p, &h, n, out, err);
        ox_buf_unref(own);
        return code;
    }
    normalise(p, n_bytes, t);
    out->data = p;
    out->buf = own;
    return OX_OK;
}

ox_code ox_npy_read(ox_buf *take_file, ox_dtype declared, ox_tensor *out, ox_error *err)
{
    *out = (ox_tensor){ 0 };
    ox_code code = read_file(take_file, declared, out, err);
    ox_buf_unref(take_file);
    if (code != OX_OK)
        *out = (ox_tensor){ 0 };
    return code;
}

/* ---- writing ---- */

enum { CHUNK = 1 << 14 };

static ox_code put_header(const char *dtype, const ox_tensor *t, ox_npy_put *put, void *ctx,
                          ox_error *err)
{
    char h[1024] = "\x93NUMPY\x01";
    int  n = 10, room = (int)sizeof h;
    n += snprintf(h + n, (size_t)(room - n), "{'descr': '%s', 'fortran_order': False, 'shape': (",
                  dtype);
    for (int i = 0; i < t->rank; i++)
        n += snprintf(h + n, (size_t)(room - n), "%s%lld%s", i ? " " : "", (long long)t->dim[i],
                      i + 1 < t->rank || t->rank == 1 ? "," : "");
    n += snprintf(h + n, (size_t)(room - n), "), }");
    int total = (n + 1 + 63) / 64 * 64; /* rank <= 16 keeps it below 512 */
    assert(total < room);
    memset(h + n, ' ', (size_t)(total - n));
    h[total - 1] = '\n';
    h[7] = 0;
    h[8] = (char)((total - 10) & 0xff);
    h[9] = (char)((total - 10) >> 8);
    return put(ctx, h, (size_t)total, err);
}

static ox_code put_strings(const ox_tensor *t, ox_npy_put *put, void *ctx, ox_error *err)
{
    const ox_str *s = t->data;
    uint32_t item[CHUNK / 4];
    char     dtype[32];
    size_t   width = 1, all; /* numpy has no '<U0' of its own making */
    int64_t  n = ox_count(t);
    for (int64_t i = 0; i < n; i++)
        width = OX_MAX(width, ox_utf8_count(s[i].s, s[i].n));
    if (!ox_mul_size(&all, width, 4) || !ox_mul_size(&all, all, (size_t)n))
        return OX_FAIL(err, OX_E_LIMIT, "the strings are too long for a numpy array");
    const uint16_t one = 1;
    snprintf(dtype, sizeof dtype, "%cU%zu", *(const uint8_t *)&one ? '<' : '>', width);
    OX_TRY(put_header(dtype, t, put, ctx, err));
    for (int64_t i = 0; i < n; i++) {
        const char *p = s[i].s, *end = p + s[i].n;
        for (size_t done = 0; done < width;) {
            size_t k = 0;
            for (; k < OX_COUNT(item) && done < width; k++, done++)
                item[k] = p < end ? ox_utf8_next(&p, end) : 0;
            OX_TRY(put(ctx, item, 4 * k, err));
        }
    }
    return OX_OK;
}

ox_code ox_npy_emit(const ox_tensor *t, ox_npy_put *put, void *ctx, ox_error *err)
{
    if (t->dtype == OX_STR)
        return put_strings(t, put, ctx, err);
    char dtype[8];
    int  bits = ox_dtype_file_bits(t->dtype);
    const uint16_t one = 1;
    snprintf(dtype, sizeof dtype, "%s", ox_dtype_numpy(t->dtype));
    if (*dtype == '<' && *(const uint8_t *)&one != 1)
        *dtype = '>';
    OX_TRY(put_header(dtype, t, put, ctx, err));
    size_t n_bytes = ox_bytes(t);
    if (n_bytes == 0)
        return OX_OK;
    if (bits >= 8)
        return put(ctx, t->data, n_bytes, err);
    uint8_t chunk[CHUNK];
    const uint8_t *p = t->data;
    for (size_t i = 0; i < n_bytes; i += CHUNK) {
        size_t k = OX_MIN(n_bytes - i, (size_t)CHUNK);
        for (size_t j = 0; j < k; j++)
            chunk[j] = p[i + j] & (uint8_t)((1 << bits) - 1);
        OX_TRY(put(ctx, chunk, k, err));
    }
    return OX_OK;
}

static ox_code put_file(void *ctx, const void *bytes, size_t n, ox_error *err)
{
    if (fwrite(bytes, 1, n, ctx) != n)
        return OX_FAIL(err, OX_E_IO, "cannot write: %s", strerror(errno));
    return OX_OK;
}

ox_code ox_npy_write(FILE *f, const ox_tensor *t, ox_error *err)
{
    return ox_npy_emit(t, put_file, f, err);
}
