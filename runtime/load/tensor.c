/* TensorProto to ox_tensor.  The elements are in one of three places: raw_data (little-endian
 * bytes), a typed field (left undecoded by wire.c), or another file.  Bytes are pointed at where
 * the host can use them as they are, else copied once; what has been copied is dropped from the
 * mapping, so that weights are never in memory twice. */
#include "runtime/load/proto.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

enum { /* field numbers of TensorProto */
       FLOAT_DATA = 4,
       INT32_DATA = 5,
       STRING_DATA = 6,
       INT64_DATA = 7,
       DOUBLE_DATA = 10,
       UINT64_DATA = 11,
};
enum { SMALL = 4096, DEFER = 64 << 10, COPY_STEP = 4 << 20, DECODE_STEP = 512 };

typedef struct job {
    const OxPb__TensorProto *p;
    const char *kind;
    ox_place *place;
    ox_error *err;
    ox_tensor t;
    size_t count;
} job;

static ox_code fault(const job *j, ox_code code, const char *format, ...) OX_PRINTF(3, 4);
static ox_code fault(const job *j, ox_code code, const char *format, ...)
{
    char text[360];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (!j->p->name || !*j->p->name)
        return OX_FAIL(j->err, code, "%s: %s", j->kind, text);
    return OX_FAIL(j->err, code, "%s '%.100s': %s", j->kind, j->p->name, text);
}

static void release_buf(void *buf, size_t n_bytes)
{
    (void)n_bytes;
    ox_buf_unref(buf);
}

ox_code ox_place_alloc(ox_place *place, ox_tensor *t, size_t n_bytes, ox_error *err)
{
    ox_model *m = place->model;
    if (m && n_bytes <= SMALL) {
        t->data = ox_arena_alloc64(m->arena, n_bytes);
        return t->data ? OX_OK : OX_FAIL(err, OX_E_LIMIT, "no memory left for %zu bytes", n_bytes);
    }
    ox_buf *buf = ox_buf_create(n_bytes);
    if (!buf)
        return ox_buf_fail(n_bytes, err);
    if (!m) {
        t->buf = buf;
    } else if (!ox_model_defer(m, release_buf, buf, n_bytes)) {
        ox_buf_unref(buf);
        return OX_FAIL(err, OX_E_NOMEM, "out of memory");
    }
    t->data = ox_buf_data(buf);
    return OX_OK;
}

static ox_code alloc(job *j, size_t n_bytes)
{
    ox_error why = {0};
    ox_code code = ox_place_alloc(j->place, &j->t, n_bytes, &why);
    return code == OX_OK ? code : fault(j, code, "%s", why.message);
}

/* ---- bytes as they are in files ---- */

static size_t packed_bytes(size_t n, int bits)
{
    return n / 8 * (size_t)bits + (n % 8 * (size_t)bits + 7) / 8;
}

/* The low bits of v as memory holds an element. */
static uint8_t element_of(unsigned v, int bits, bool is_signed)
{
    unsigned mask = (1u << bits) - 1, sign = 1u << (bits - 1);
    return (uint8_t)(is_signed ? ((v & mask) ^ sign) - sign : v & mask);
}

/* A stream of bits, low ones first; elements of six bits go across bytes. */
static void unpack(uint8_t *to, const uint8_t *from, size_t n, int bits, bool is_signed)
{
    unsigned have = 0, n_have = 0;
    for (size_t i = 0; i < n; i++) {
        if (n_have < (unsigned)bits) {
            have |= (unsigned)*from++ << n_have;
            n_have += 8;
        }
        to[i] = element_of(have, bits, is_signed);
        have >>= bits;
        n_have -= (unsigned)bits;
    }
}

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
static void to_host(void *data, size_t n_bytes, size_t word)
{
    (void)data, (void)n_bytes, (void)word;
}
#else
static void to_host(void *data, size_t n_bytes, size_t word)
{
    uint8_t *p = data;
    for (size_t i = 0; i < n_bytes; i += word)
        for (size_t k = 0; k < word / 2; k++) {
            uint8_t b = p[i + k];
            p[i + k] = p[i + word - 1 - k];
            p[i + word - 1 - k] = b;
        }
}
#endif

/* Bytes that stand in byte order: half an element for complex numbers. */
static size_t word_of(ox_dtype t)
{
    return ox_dtype_size(t) / (ox_dtype_class(t) == OX_CLASS_COMPLEX ? 2 : 1);
}

static void copy_bytes(uint8_t *to, const uint8_t *from, size_t n, bool mapped)
{
    for (size_t done = 0; done < n; done += COPY_STEP) {
        size_t step = OX_MIN(n - done, (size_t)COPY_STEP);
        memcpy(to + done, from + done, step);
        if (mapped && n > SMALL)
            ox_file_drop(from + done, step);
    }
}

static ox_code from_bytes(job *j, const uint8_t *from, size_t n, const char *where, bool reference,
                          bool mapped, bool *referenced)
{
    ox_dtype t = j->t.dtype;
    int bits = ox_dtype_file_bits(t);
    char shape[256];
    if (t == OX_STR)
        return fault(j, OX_E_GRAPH, "strings cannot be in %s", where);
    size_t need = packed_bytes(j->count, bits);
    if (n != need)
        return fault(j, OX_E_GRAPH, "%zu bytes of %s, %s%s needs %zu", n, where, ox_dtype_name(t),
                     ox_shape_text(shape, sizeof shape, &j->t), need);
    size_t word = word_of(t), n_bytes = j->count * ox_dtype_size(t);
    bool as_is = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ || word == 1;
    if (reference && as_is && bits >= 8 && t != OX_BOOL && j->count &&
        (uintptr_t)from % OX_MIN(ox_dtype_size(t), (size_t)8) == 0) {
        j->t.data = (void *)(uintptr_t)from;
        *referenced = true;
        return OX_OK;
    }
    if (j->place->defer && as_is && j->t.rank >= 2 && (t == OX_F32 || t == OX_F64) && n >= DEFER &&
        (j->t.data = ox_weights_defer(j->place->model, from, n)) != NULL) {
        *referenced = true;
        return OX_OK;
    }
    OX_TRY(alloc(j, n_bytes));
    uint8_t *to = j->t.data;
    if (bits < 8) {
        unpack(to, from, j->count, bits, ox_dtype_class(t) == OX_CLASS_INT);
    } else if (t == OX_BOOL) { /* kernels rely on 0 and 1 */
        for (size_t i = 0; i < j->count; i++)
            to[i] = from[i] != 0;
    } else {
        copy_bytes(to, from, n, mapped);
        to_host(to, n_bytes, word);
    }
    return OX_OK;
}

/* ---- typed fields ---- */

/* Elements in one number of int32_data: its low byte is packed like raw_data, but not across
 * numbers. */
static size_t per_number(ox_dtype t)
{
    return t == OX_STR ? 1 : 8 / (size_t)OX_MIN(ox_dtype_file_bits(t), 8);
}

/* The field that elements of type t are in, and how many numbers n elements take there. */
static unsigned field_of(ox_dtype t, size_t n, size_t *n_numbers)
{
    *n_numbers = n;
    switch (t) {
    case OX_F32:
        return FLOAT_DATA;
    case OX_F64:
        return DOUBLE_DATA;
    case OX_C64:
    case OX_C128:
        *n_numbers = 2 * n; /* n elements of 8 bytes exist, so this fits */
        return t == OX_C64 ? FLOAT_DATA : DOUBLE_DATA;
    case OX_I64:
        return INT64_DATA;
    case OX_U32:
    case OX_U64:
        return UINT64_DATA;
    default:
        if (ox_dtype_file_bits(t) < 8)
            *n_numbers = (n + per_number(t) - 1) / per_number(t);
        return INT32_DATA;
    }
}

/* n numbers of the wire into elements from `at` on; several elements each for types below a byte.
 */
static void narrow(const job *j, const uint64_t *v, size_t n, size_t at)
{
    ox_dtype t = j->t.dtype;
    int bits = ox_dtype_file_bits(t);
    uint8_t *to = j->t.data;
    for (size_t i = 0; i < n; i++) {
        if (t == OX_BOOL) {
            to[at++] = v[i] != 0;
        } else if (bits < 8) {
            for (size_t k = 0; k < per_number(t) && at < j->count; k++)
                to[at++] = element_of((unsigned)(v[i] & 0xff) >> (k * (size_t)bits), bits,
                                      ox_dtype_class(t) == OX_CLASS_INT);
        } else if (bits == 8) {
            to[at++] = (uint8_t)v[i];
        } else if (bits == 16) {
            ((uint16_t *)j->t.data)[at++] = (uint16_t)v[i];
        } else {
            ((uint32_t *)j->t.data)[at++] = (uint32_t)v[i];
        }
    }
}

static ox_code decode(job *j, unsigned field, size_t n)
{
    ox_wire_cursor c = ox_wire_numbers(&j->p->base, field);
    size_t word = word_of(j->t.dtype), done = 0, got;
    bool direct = field != INT32_DATA && j->t.dtype != OX_U32; /* decoded form is memory's form */
    while (done < n) {
        uint64_t buffer[DECODE_STEP];
        const uint8_t *from = c.p;
        if (direct) {
            got = ox_wire_next(&c, (char *)j->t.data + done * word,
                               OX_MIN(n - done, (size_t)COPY_STEP / word));
        } else {
            got = ox_wire_next(&c, buffer, OX_MIN(n - done, (size_t)DECODE_STEP));
            narrow(j, buffer, got, done * per_number(j->t.dtype));
        }
        if (got == 0)
            return fault(j, OX_E_PARSE, "malformed element data");
        done += got;
        if (!from && c.width)
            from = c.p - got * c.width;
        if (j->place->mapped && from && c.p > from && n > SMALL)
            ox_file_drop(from, (size_t)(c.p - from));
    }
    return OX_OK;
}

static ox_code strings(job *j)
{
    const ProtobufCBinaryData *from = j->p->string_data;
    size_t total = j->count * sizeof(ox_str);
    for (size_t i = 0; i < j->count; i++)
        if (!ox_add_size(&total, total, from[i].len))
            return fault(j, OX_E_LIMIT, "strings are too long together");
    OX_TRY(alloc(j, total));
    ox_str *to = j->t.data;
    char *bytes = (char *)(to + j->count);
    for (size_t i = 0; i < j->count; i++) {
        to[i] = (ox_str){bytes, from[i].len};
        if (from[i].len)
            memcpy(bytes, from[i].data, from[i].len);
        bytes += from[i].len;
    }
    if (j->t.buf)
        ox_buf_set_owns_strings(j->t.buf);
    return OX_OK;
}

static ox_code from_fields(job *j)
{
    static const struct {
        unsigned id;
        const char *name;
    } fields[] = {
        {FLOAT_DATA, "float_data"},   {INT32_DATA, "int32_data"},   {INT64_DATA, "int64_data"},
        {DOUBLE_DATA, "double_data"}, {UINT64_DATA, "uint64_data"},
    };
    char shape[256];
    ox_shape_text(shape, sizeof shape, &j->t);
    ox_dtype t = j->t.dtype;
    size_t need = j->count, have = 0, n;
    unsigned wanted = t == OX_STR ? STRING_DATA : field_of(t, j->count, &need);
    const char *wanted_name = "string_data";
    for (size_t i = 0; i < OX_COUNT(fields); i++) {
        ox_error why = {0};
        ox_code code = ox_wire_count(&j->p->base, fields[i].id, &n, &why);
        if (code != OX_OK)
            return fault(j, code, "%s: %s", fields[i].name, why.message);
        if (fields[i].id == wanted) {
            have = n;
            wanted_name = fields[i].name;
        } else if (n) {
            return fault(j, OX_E_GRAPH, "%s in %s", ox_dtype_name(t), fields[i].name);
        }
    }
    if (t == OX_STR) {
        have = j->p->n_string_data;
    } else if (j->p->n_string_data) {
        return fault(j, OX_E_GRAPH, "%s in string_data", ox_dtype_name(t));
    }
    if (have == 0 && need)
        return fault(j, OX_E_GRAPH, "no elements, %s%s needs %zu", ox_dtype_name(t), shape,
                     j->count);
    if (have != need)
        return fault(j, OX_E_GRAPH, "%zu numbers in %s, %s%s needs %zu", have, wanted_name,
                     ox_dtype_name(t), shape, need);
    if (t == OX_STR)
        return strings(j);
    OX_TRY(alloc(j, j->count * ox_dtype_size(t)));
    return decode(j, wanted, need);
}

/* ---- other files ---- */

static bool parse_size(const char *text, size_t *out)
{
    size_t sum = 0;
    if (!*text)
        return false;
    for (; *text; text++)
        if (*text < '0' || *text > '9' || !ox_mul_size(&sum, sum, 10) ||
            !ox_add_size(&sum, sum, (size_t)(*text - '0')))
            return false;
    *out = sum;
    return true;
}

static ox_code from_file(job *j)
{
    const char *location = NULL, *offset_text = "0", *length_text = NULL;
    for (size_t i = 0; i < j->p->n_external_data; i++) {
        const OxPb__StringStringEntryProto *e = j->p->external_data[i];
        if (!e->key || !e->value)
            continue;
        if (strcmp(e->key, "location") == 0)
            location = e->value;
        else if (strcmp(e->key, "offset") == 0)
            offset_text = e->value;
        else if (strcmp(e->key, "length") == 0)
            length_text = e->value;
    }
    size_t offset, n_file, length = packed_bytes(j->count, ox_dtype_file_bits(j->t.dtype));
    const uint8_t *bytes;
    if (!location)
        return fault(j, OX_E_GRAPH, "external data without a location");
    if (!j->place->external)
        return fault(j, OX_E_UNSUPPORTED,
                     "external data ('%.100s') where there is no folder to find it in", location);
    if (!parse_size(offset_text, &offset) || (length_text && !parse_size(length_text, &length)))
        return fault(j, OX_E_GRAPH, "external data: offset '%.40s', length '%.40s': not numbers",
                     offset_text, length_text ? length_text : "");
    ox_error why = {0};
    ox_code code = ox_external_find(j->place->external, location, &bytes, &n_file, &why);
    if (code != OX_OK)
        return fault(j, code, "%s", why.message);
    if (offset > n_file || length > n_file - offset)
        return fault(j, OX_E_GRAPH,
                     "external data '%.100s': %zu bytes at offset %zu, the file has %zu", location,
                     length, offset, n_file);
    bool referenced = false;
    return from_bytes(j, bytes + offset, length, "external data", j->place->model != NULL, true,
                      &referenced);
}

ox_code ox_load_tensor(const OxPb__TensorProto *p, const char *kind, ox_place *place,
                       ox_tensor *out, ox_error *err)
{
    job j = {.p = p, .kind = kind, .place = place, .err = err};
    *out = (ox_tensor){0};
    if (!p->has_data_type || p->data_type <= 0 || p->data_type >= OX_N_DTYPES ||
        ox_dtype_size((ox_dtype)p->data_type) == 0)
        return fault(&j, OX_E_UNSUPPORTED, "element type %d is not supported", p->data_type);
    if (p->n_dims > OX_MAX_RANK)
        return fault(&j, OX_E_LIMIT, "rank %zu, the limit is %d", p->n_dims, OX_MAX_RANK);
    if (p->segment)
        return fault(&j, OX_E_UNSUPPORTED, "split into segments");
    j.t.dtype = (ox_dtype)p->data_type;
    j.t.rank = (int)p->n_dims;
    if (p->n_dims)
        memcpy(j.t.dim, p->dims, p->n_dims * sizeof *p->dims);
    int64_t count;
    ox_error why = {0};
    ox_code code = ox_shape_count(&count, j.t.dtype, j.t.rank, j.t.dim, &why);
    if (code != OX_OK)
        return fault(&j, code, "%s", why.message);
    j.count = (size_t)count;
    bool external =
        p->has_data_location && p->data_location == OX_PB__TENSOR_PROTO__DATA_LOCATION__EXTERNAL;
    bool fields = p->base.n_unknown_fields || p->n_string_data;
    bool raw = p->has_raw_data && (p->raw_data.len || !fields);
    if (external + fields + (p->raw_data.len > 0) > 1)
        code = fault(&j, OX_E_GRAPH, "elements in more than one place");
    else if (external)
        code = from_file(&j);
    else if (raw)
        code = from_bytes(&j, p->raw_data.data, p->raw_data.len, "raw_data", place->reference,
                          place->mapped, &place->referenced);
    else
        code = from_fields(&j);
    if (code == OX_OK)
        *out = j.t;
    else
        ox_tensor_release(&j.t);
    return code;
}
