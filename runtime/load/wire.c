/* The reader of wire.h.  A message is walked twice: the first pass checks the wire format and
 * counts, so that each array is allocated once; the second fills.  Nested messages are stepped over
 * by the first pass, so the work is two looks at every byte that is not weights. */
#include "runtime/load/wire.h"

#include <assert.h>
#include <limits.h>
#include <string.h>

enum { VARINT, FIXED64, DELIMITED, GROUP, END_GROUP, FIXED32 };
enum { MAX_FIELDS = 32 }; /* of a message type; onnx.proto's largest has 18 */

typedef struct reader {
    const uint8_t *start; /* of the whole input: errors give offsets */
    ox_arena *a, *numbers;
    ox_error *err;
} reader;

typedef struct field {
    const ProtobufCFieldDescriptor *d; /* NULL: not ours, to be skipped */
    const uint8_t *at;                 /* its tag */
    const uint8_t *p, *end;            /* the value's bytes, after a length */
    uint32_t id;
    int wire;
    uint64_t v; /* VARINT's value */
} field;

/* false: unterminated, or more than 64 bits. */
static bool read_varint(const uint8_t **p, const uint8_t *end, uint64_t *v)
{
    uint64_t sum = 0;
    for (int shift = 0; *p < end && shift < 64; shift += 7) {
        uint8_t b = *(*p)++;
        sum |= (uint64_t)(b & 0x7f) << shift;
        if (b < 0x80) {
            *v = sum;
            return shift < 63 || b <= 1;
        }
    }
    return false;
}

static ox_code bad(const reader *r, const uint8_t *at, const ProtobufCMessageDescriptor *type,
                   const ProtobufCFieldDescriptor *d, const char *what)
{
    return OX_FAIL(r->err, OX_E_PARSE, "byte %zu: %s%s%s: %s", (size_t)(at - r->start),
                   type->short_name, d ? "." : "", d ? d->name : "", what);
}

static ox_code no_memory(const reader *r)
{
    return OX_FAIL(r->err, OX_E_LIMIT, "the file's structure needs more memory than may be used");
}

static bool is_varint(const ProtobufCFieldDescriptor *d)
{
    return d->type == PROTOBUF_C_TYPE_INT32 || d->type == PROTOBUF_C_TYPE_INT64 ||
           d->type == PROTOBUF_C_TYPE_UINT32 || d->type == PROTOBUF_C_TYPE_UINT64 ||
           d->type == PROTOBUF_C_TYPE_BOOL || d->type == PROTOBUF_C_TYPE_ENUM;
}
static bool is_pointer(const ProtobufCFieldDescriptor *d)
{
    return d->type == PROTOBUF_C_TYPE_STRING || d->type == PROTOBUF_C_TYPE_BYTES ||
           d->type == PROTOBUF_C_TYPE_MESSAGE;
}
static int wire_of(const ProtobufCFieldDescriptor *d)
{
    if (is_pointer(d))
        return DELIMITED;
    return is_varint(d) ? VARINT : d->type == PROTOBUF_C_TYPE_DOUBLE ? FIXED64 : FIXED32;
}
/* Bytes of an element in the generated struct. */
static size_t size_of(const ProtobufCFieldDescriptor *d)
{
    switch (d->type) {
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return 8;
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_MESSAGE:
        return sizeof(void *);
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    case PROTOBUF_C_TYPE_BOOL:
        return sizeof(protobuf_c_boolean);
    default:
        return 4;
    }
}
static bool is_deferred(const ProtobufCFieldDescriptor *d)
{
    return d->label == PROTOBUF_C_LABEL_REPEATED && (d->flags & PROTOBUF_C_FIELD_FLAG_PACKED) != 0;
}

static ox_code too_long(const reader *r, const field *f, const ProtobufCMessageDescriptor *type,
                        uint64_t n, size_t left)
{
    return OX_FAIL(r->err, OX_E_PARSE,
                   "byte %zu: %s%s%s: length %llu goes past the end, %zu bytes are left "
                   "(truncated file?)",
                   (size_t)(f->at - r->start), type->short_name, f->d ? "." : "",
                   f->d ? f->d->name : "", (unsigned long long)n, left);
}

/* Steps over one field, checking that it is whole and of a wire type its declaration allows. */
static ox_code next_field(const reader *r, const ProtobufCMessageDescriptor *type,
                          const uint8_t **p, const uint8_t *end, field *f)
{
    uint64_t tag, n;
    *f = (field){.at = *p};
    if (!read_varint(p, end, &tag) || tag >> 3 == 0 || tag >> 3 > 0x1fffffff)
        return bad(r, f->at, type, NULL, "malformed field tag");
    f->id = (uint32_t)(tag >> 3);
    f->wire = (int)(tag & 7);
    f->d = protobuf_c_message_descriptor_get_field(type, f->id);
    f->p = *p;
    switch (f->wire) {
    case VARINT:
        if (!read_varint(p, end, &f->v))
            return bad(r, f->at, type, f->d, "malformed number");
        break;
    case FIXED64:
    case FIXED32:
        n = f->wire == FIXED64 ? 8 : 4;
        if ((size_t)(end - *p) < n)
            return bad(r, f->at, type, f->d, "ends in the middle of a number (truncated file?)");
        *p += n;
        break;
    case DELIMITED:
        if (!read_varint(p, end, &n))
            return bad(r, f->at, type, f->d, "malformed length");
        if (n > (size_t)(end - *p))
            return too_long(r, f, type, n, (size_t)(end - *p));
        f->p = *p;
        *p += n;
        break;
    default:
        return bad(r, f->at, type, f->d, "unknown wire type");
    }
    f->end = *p;
    if (!f->d || f->wire == wire_of(f->d))
        return OX_OK;
    if (f->wire == DELIMITED && f->d->label == PROTOBUF_C_LABEL_REPEATED)
        return OX_OK; /* packed */
    return bad(r, f->at, type, f->d, "wrong wire type");
}

/* Numbers in a packed field; false if it does not end where a number does. */
static bool count_packed(size_t width, const uint8_t *p, const uint8_t *end, size_t *n)
{
    size_t len = (size_t)(end - p), count = 0;
    if (width) {
        *n = len / width;
        return len % width == 0;
    }
    for (size_t i = 0; i < len; i++)
        count += p[i] < 0x80;
    *n = count;
    return len == 0 || end[-1] < 0x80;
}
static size_t width_of(const ProtobufCFieldDescriptor *d)
{
    int wire = wire_of(d);
    return wire == FIXED32 ? 4 : wire == FIXED64 ? 8 : 0;
}

/* Fixed-width bytes of the wire (little-endian) in the host's order. */
static void copy_fixed(void *to, const uint8_t *from, size_t width, size_t n)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    memcpy(to, from, n * width);
#else
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < width; k++)
            ((uint8_t *)to)[i * width + k] = from[i * width + width - 1 - k];
#endif
}

static void store_varint(void *to, const ProtobufCFieldDescriptor *d, uint64_t v)
{
    if (d->type == PROTOBUF_C_TYPE_INT64 || d->type == PROTOBUF_C_TYPE_UINT64) {
        memcpy(to, &v, 8);
    } else if (d->type == PROTOBUF_C_TYPE_BOOL) {
        protobuf_c_boolean b = v != 0;
        memcpy(to, &b, sizeof b);
    } else { /* the low half, as protobuf wants it */
        uint32_t low = (uint32_t)v;
        memcpy(to, &low, 4);
    }
}

static ox_code read_message(reader *r, const ProtobufCMessageDescriptor *type, const uint8_t *p,
                            const uint8_t *end, int depth, ProtobufCMessage **out);

/* One value of any type into `to`. */
static ox_code store(reader *r, const ProtobufCMessageDescriptor *type, const field *f, void *to,
                     int depth)
{
    size_t n = (size_t)(f->end - f->p);
    switch (f->d->type) {
    case PROTOBUF_C_TYPE_MESSAGE:
        return read_message(r, f->d->descriptor, f->p, f->end, depth + 1, to);
    case PROTOBUF_C_TYPE_BYTES:
        *(ProtobufCBinaryData *)to = (ProtobufCBinaryData){n, (uint8_t *)(uintptr_t)f->p};
        return OX_OK;
    case PROTOBUF_C_TYPE_STRING:
        /* Text for people may hold anything; a name that C would cut short is a trick. */
        if (memchr(f->p, 0, n) && strcmp(f->d->name, "doc_string") != 0)
            return bad(r, f->at, type, f->d, "text with a zero byte in it");
        *(char **)to = ox_arena_strndup(r->a, (const char *)f->p, n);
        return *(char **)to ? OX_OK : no_memory(r);
    default:
        if (f->wire == VARINT)
            store_varint(to, f->d, f->v);
        else
            copy_fixed(to, f->p, f->wire == FIXED64 ? 8 : 4, 1);
        return OX_OK;
    }
}

static ox_code store_packed(reader *r, const ProtobufCMessageDescriptor *type, const field *f,
                            char *to)
{
    size_t width = width_of(f->d), size = size_of(f->d);
    if (width) {
        copy_fixed(to, f->p, width, (size_t)(f->end - f->p) / width);
        return OX_OK;
    }
    for (const uint8_t *p = f->p; p < f->end; to += size) {
        uint64_t v;
        if (!read_varint(&p, f->end, &v))
            return bad(r, f->at, type, f->d, "malformed number");
        store_varint(to, f->d, v);
    }
    return OX_OK;
}

/* First pass: counts of every field by its place in type->fields, and of runs left undecoded. */
static ox_code count_fields(const reader *r, const ProtobufCMessageDescriptor *type,
                            const uint8_t *p, const uint8_t *end, size_t count[MAX_FIELDS],
                            size_t *n_runs)
{
    field f, last = {.wire = DELIMITED};
    for (; p < end; last = f) {
        OX_TRY(next_field(r, type, &p, end, &f));
        if (!f.d)
            continue;
        if (is_deferred(f.d)) {
            *n_runs += f.wire == DELIMITED || last.wire == DELIMITED || last.id != f.id;
            continue;
        }
        size_t n = 1, *sum = &count[f.d - type->fields];
        if (f.wire == DELIMITED && !is_pointer(f.d) && !count_packed(width_of(f.d), f.p, f.end, &n))
            return bad(r, f.at, type, f.d, "ends in the middle of a number");
        *sum += n; /* at most the bytes of the input: cannot overflow */
        if (*sum > 1 && f.d->label != PROTOBUF_C_LABEL_REPEATED &&
            f.d->type == PROTOBUF_C_TYPE_MESSAGE)
            return bad(r, f.at, type, f.d, "given twice");
    }
    return OX_OK;
}

static ox_code alloc_fields(const reader *r, const ProtobufCMessageDescriptor *type, char *m,
                            const size_t count[MAX_FIELDS])
{
    for (unsigned i = 0; i < type->n_fields; i++) {
        const ProtobufCFieldDescriptor *d = &type->fields[i];
        if (d->label != PROTOBUF_C_LABEL_REPEATED || count[i] == 0)
            continue;
        void *array = ox_arena_array(is_pointer(d) ? r->a : r->numbers, count[i], size_of(d));
        if (!array)
            return no_memory(r);
        memcpy(m + d->offset, &array, sizeof array);
    }
    return OX_OK;
}

/* Notes where an undecoded number or packed field lies.  Unpacked numbers that follow one another,
 * tags included, are one run: count_fields counts alike. */
static void defer(ProtobufCMessage *m, const field *f)
{
    ProtobufCMessageUnknownField *u =
        m->n_unknown_fields ? &m->unknown_fields[m->n_unknown_fields - 1] : NULL;
    if (u && f->wire != DELIMITED && u->wire_type != PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED &&
        u->tag == f->id && u->data + u->len == f->at) {
        u->len = (size_t)(f->end - u->data);
        return;
    }
    const uint8_t *from = f->wire == DELIMITED ? f->p : f->at;
    m->unknown_fields[m->n_unknown_fields++] = (ProtobufCMessageUnknownField){
        f->id, (ProtobufCWireType)f->wire, (size_t)(f->end - from), (uint8_t *)(uintptr_t)from};
}

static ox_code fill_field(reader *r, const ProtobufCMessageDescriptor *type, char *m,
                          const field *f, int depth)
{
    const ProtobufCFieldDescriptor *d = f->d;
    if (d->label != PROTOBUF_C_LABEL_REPEATED) {
        if (!is_pointer(d) || d->type == PROTOBUF_C_TYPE_BYTES) {
            protobuf_c_boolean yes = 1;
            memcpy(m + d->quantifier_offset, &yes, sizeof yes);
        }
        return store(r, type, f, m + d->offset, depth);
    }
    size_t *n = (size_t *)(void *)(m + d->quantifier_offset), added = 1;
    char *array;
    memcpy(&array, m + d->offset, sizeof array);
    if (f->wire != DELIMITED || is_pointer(d)) {
        OX_TRY(store(r, type, f, array + *n * size_of(d), depth));
    } else {
        if (f->p == f->end)
            return OX_OK; /* an empty packed field: there may be no array */
        (void)count_packed(width_of(d), f->p, f->end, &added); /* counted before: is whole */
        OX_TRY(store_packed(r, type, f, array + *n * size_of(d)));
    }
    *n += added;
    return OX_OK;
}

static ox_code read_message(reader *r, const ProtobufCMessageDescriptor *type, const uint8_t *p,
                            const uint8_t *end, int depth, ProtobufCMessage **out)
{
    size_t count[MAX_FIELDS] = {0}, n_runs = 0;
    assert(type->n_fields <= MAX_FIELDS);
    if (depth > OX_WIRE_MAX_DEPTH)
        return OX_FAIL(r->err, OX_E_LIMIT,
                       "byte %zu: messages are nested more than %d deep (%s); that is the limit",
                       (size_t)(p - r->start), OX_WIRE_MAX_DEPTH, type->short_name);
    OX_TRY(count_fields(r, type, p, end, count, &n_runs));
    ProtobufCMessage *m = ox_arena_alloc(r->a, type->sizeof_message);
    if (!m || n_runs > UINT_MAX)
        return no_memory(r);
    protobuf_c_message_init(type, m);
    OX_TRY(alloc_fields(r, type, (char *)m, count));
    if (n_runs && !(m->unknown_fields = ox_arena_array(r->a, n_runs, sizeof *m->unknown_fields)))
        return no_memory(r);
    while (p < end) {
        field f;
        OX_TRY(next_field(r, type, &p, end, &f));
        if (f.d && is_deferred(f.d))
            defer(m, &f);
        else if (f.d)
            OX_TRY(fill_field(r, type, (char *)m, &f, depth));
    }
    *out = m;
    return OX_OK;
}

ox_code ox_wire_read(const ProtobufCMessageDescriptor *type, const void *bytes, size_t n,
                     ox_arena *a, ox_arena *numbers, ProtobufCMessage **out, ox_error *err)
{
    static const uint8_t nothing[1];
    const uint8_t *p = n ? bytes : nothing;
    reader r = {.start = p, .a = a, .numbers = numbers, .err = err};
    return read_message(&r, type, p, p + n, 0, out);
}

/* ---- numbers left undecoded ---- */
static size_t run_width(const ProtobufCMessage *m, unsigned id)
{
    return width_of(protobuf_c_message_descriptor_get_field(m->descriptor, id));
}

ox_wire_cursor ox_wire_numbers(const ProtobufCMessage *m, unsigned id)
{
    return (ox_wire_cursor){.m = m, .id = id, .width = run_width(m, id)};
}

/* Goes to the next run if this one is at its end; false: that was the last. */
static bool enter_run(ox_wire_cursor *c)
{
    while (c->p == c->end) {
        if (c->next_span == c->m->n_unknown_fields)
            return false;
        const ProtobufCMessageUnknownField *u = &c->m->unknown_fields[c->next_span++];
        if (u->tag != c->id)
            continue;
        c->packed = u->wire_type == PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED;
        c->p = u->data;
        c->end = u->data + u->len;
    }
    return true;
}

size_t ox_wire_next(ox_wire_cursor *c, void *to, size_t max)
{
    size_t n = 0;
    uint64_t v;
    while (n < max && enter_run(c)) {
        if (!c->packed && !read_varint(&c->p, c->end, &v)) /* the tag */
            return n;
        if (c->width) {
            size_t left = (size_t)(c->end - c->p) / c->width;
            size_t k = OX_MIN(left, c->packed ? max - n : (size_t)1);
            if (k == 0)
                return n;
            copy_fixed((char *)to + n * c->width, c->p, c->width, k);
            c->p += k * c->width;
            n += k;
        } else {
            if (!read_varint(&c->p, c->end, &v))
                return n;
            ((uint64_t *)to)[n++] = v;
        }
    }
    return n;
}

/* Numbers in a run of tags and numbers. */
static bool count_unpacked(size_t width, const uint8_t *p, const uint8_t *end, size_t *n)
{
    uint64_t v;
    for (*n = 0; p < end; ++*n) {
        if (!read_varint(&p, end, &v))
            return false;
        if (width > (size_t)(end - p) || (!width && !read_varint(&p, end, &v)))
            return false;
        p += width;
    }
    return true;
}

ox_code ox_wire_count(const ProtobufCMessage *m, unsigned id, size_t *n, ox_error *err)
{
    size_t width = run_width(m, id), k;
    *n = 0;
    for (unsigned i = 0; i < m->n_unknown_fields; i++, *n += k) {
        const ProtobufCMessageUnknownField *u = &m->unknown_fields[i];
        k = 0;
        if (u->tag != id)
            continue;
        bool packed = u->wire_type == PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED;
        if (!(packed ? count_packed : count_unpacked)(width, u->data, u->data + u->len, &k))
            return OX_FAIL(err, OX_E_PARSE, "element data that ends in the middle of a number");
    }
    return OX_OK;
}
