/* Values to protobuf bytes.  Elements go to raw_data without a copy where memory has the file's
 * form. */
#include "runtime/load/write.h"

#include <limits.h>
#include <string.h>

void *ox_write_no_memory(ox_writer *w)
{
    w->code = OX_FAIL(w->err, OX_E_NOMEM, "out of memory");
    return NULL;
}

/* A stream of bits, low ones first. */
static void pack_bits(uint8_t *to, const uint8_t *from, size_t n, int bits)
{
    unsigned have = 0, n_have = 0;
    for (size_t i = 0; i < n; i++) {
        have |= (from[i] & ((1u << bits) - 1)) << n_have;
        for (n_have += (unsigned)bits; n_have >= 8; n_have -= 8, have >>= 8)
            *to++ = (uint8_t)have;
    }
    if (n_have)
        *to = (uint8_t)have;
}

static bool raw_data(ox_writer *w, const ox_tensor *t, ProtobufCBinaryData *out)
{
    size_t n = (size_t)ox_count(t), n_bytes = n * ox_dtype_size(t->dtype);
    int bits = ox_dtype_file_bits(t->dtype);
    *out = (ProtobufCBinaryData){n_bytes, t->data};
    if (bits < 8) {
        out->len = n / 8 * (size_t)bits + (n % 8 * (size_t)bits + 7) / 8;
        out->data = ox_arena_alloc(w->a, out->len);
        if (!out->data)
            return ox_write_no_memory(w);
        pack_bits(out->data, t->data, n, bits);
    }
#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
    size_t word = ox_dtype_size(t->dtype) / (ox_dtype_class(t->dtype) == OX_CLASS_COMPLEX ? 2 : 1);
    if (word > 1) {
        out->data = ox_arena_alloc(w->a, n_bytes);
        if (!out->data)
            return ox_write_no_memory(w);
        for (size_t i = 0; i < n_bytes; i++)
            out->data[i] = ((const uint8_t *)t->data)[i / word * word + word - 1 - i % word];
    }
#endif
    return true;
}

ProtobufCBinaryData *ox_write_strings(ox_writer *w, const ox_str *from, size_t n)
{
    ProtobufCBinaryData *to = ox_arena_array(w->a, n, sizeof *to);
    if (!to)
        return ox_write_no_memory(w);
    for (size_t i = 0; i < n; i++)
        to[i] = (ProtobufCBinaryData){from[i].n, (uint8_t *)(uintptr_t)from[i].s};
    return to;
}

OxPb__TensorProto *ox_write_tensor(ox_writer *w, const ox_tensor *t, const char *name)
{
    OxPb__TensorProto *p = ox_arena_alloc(w->a, sizeof *p);
    int64_t *dims = ox_arena_array(w->a, (size_t)t->rank, sizeof *dims);
    if (!p || !dims)
        return ox_write_no_memory(w);
    memcpy(dims, t->dim, (size_t)t->rank * sizeof *dims);
    ox_pb__tensor_proto__init(p);
    p->name = (char *)(uintptr_t)name;
    p->has_data_type = 1;
    p->data_type = (int32_t)t->dtype;
    p->n_dims = (size_t)t->rank;
    p->dims = dims;
    if (t->dtype == OX_STR) {
        p->n_string_data = (size_t)ox_count(t);
        p->string_data = ox_write_strings(w, t->data, p->n_string_data);
        return p->string_data ? p : NULL;
    }
    p->has_raw_data = 1;
    return raw_data(w, t, &p->raw_data) ? p : NULL;
}

OxPb__SparseTensorProto *ox_write_sparse(ox_writer *w, const ox_value *v, const char *name)
{
    const ox_tensor *indices = &ox_seq_at(v->seq, 0)->t, *shape = &ox_seq_at(v->seq, 1)->t;
    OxPb__SparseTensorProto *p = ox_arena_alloc(w->a, sizeof *p);
    if (!p)
        return ox_write_no_memory(w);
    ox_pb__sparse_tensor_proto__init(p);
    p->values = ox_write_tensor(w, &v->t, name);
    p->indices = ox_write_tensor(w, indices, NULL);
    p->n_dims = (size_t)shape->dim[0];
    p->dims = shape->data;
    return p->values && p->indices ? p : NULL;
}

static int32_t kind_number(ox_kind kind)
{
    switch (kind) {
    case OX_TENSOR:
        return OX_PB__SEQUENCE_PROTO__DATA_TYPE__TENSOR;
    case OX_SPARSE:
        return OX_PB__SEQUENCE_PROTO__DATA_TYPE__SPARSE_TENSOR;
    case OX_SEQUENCE:
        return OX_PB__SEQUENCE_PROTO__DATA_TYPE__SEQUENCE;
    case OX_MAP:
        return OX_PB__SEQUENCE_PROTO__DATA_TYPE__MAP;
    default:
        return OX_PB__SEQUENCE_PROTO__DATA_TYPE__UNDEFINED;
    }
}

static OxPb__SequenceProto *make_sequence(ox_writer *w, const ox_value *v, const ox_type *type,
                                          const char *name);
static OxPb__MapProto *make_map(ox_writer *w, const ox_value *v, const ox_type *type,
                                const char *name);

/* Appends to the list of x's kind, which has room. */
static bool add_element(ox_writer *w, OxPb__SequenceProto *p, const ox_value *x, const ox_type *type)
{
    switch (x->kind) {
    case OX_TENSOR:
        return (p->tensor_values[p->n_tensor_values++] = ox_write_tensor(w, &x->t, NULL)) != NULL;
    case OX_SPARSE:
        return (p->sparse_tensor_values[p->n_sparse_tensor_values++] = ox_write_sparse(w, x, NULL)) !=
               NULL;
    case OX_SEQUENCE:
        return (p->sequence_values[p->n_sequence_values++] = make_sequence(w, x, type, NULL)) !=
               NULL;
    default:
        return (p->map_values[p->n_map_values++] = make_map(w, x, type, NULL)) != NULL;
    }
}

static OxPb__SequenceProto *new_sequence(ox_writer *w, ox_kind kind, size_t n, const char *name)
{
    OxPb__SequenceProto *p = ox_arena_alloc(w->a, sizeof *p);
    void *items = ox_arena_array(w->a, n, sizeof(void *));
    if (!p || !items)
        return ox_write_no_memory(w);
    ox_pb__sequence_proto__init(p);
    p->name = (char *)(uintptr_t)name;
    p->has_elem_type = 1;
    p->elem_type = kind_number(kind);
    if (kind == OX_TENSOR)
        p->tensor_values = items;
    else if (kind == OX_SPARSE)
        p->sparse_tensor_values = items;
    else if (kind == OX_SEQUENCE)
        p->sequence_values = items;
    else
        p->map_values = items;
    return p;
}

/* All elements must be of the first one's kind: ONNX has one list for each. */
static OxPb__SequenceProto *make_sequence(ox_writer *w, const ox_value *v, const ox_type *type,
                                          const char *name)
{
    size_t n = ox_seq_size(v->seq);
    const ox_type *elem = type ? type->elem : NULL;
    ox_kind kind = n ? ox_seq_at(v->seq, 0)->kind : elem ? elem->kind : OX_NONE;
    OxPb__SequenceProto *p = new_sequence(w, kind, n, name);
    for (size_t i = 0; p && i < n; i++) {
        const ox_value *x = ox_seq_at(v->seq, i);
        if (x->kind != kind || kind == OX_NONE) {
            w->code = OX_FAIL(w->err, OX_E_UNSUPPORTED,
                              "sequence with elements of several kinds or of none");
            return NULL;
        }
        if (!add_element(w, p, x, elem))
            return NULL;
    }
    return p;
}

/* The values of a map that are the elements of one tensor, as scalars. */
static OxPb__SequenceProto *make_scalars(ox_writer *w, const ox_tensor *t)
{
    size_t n = (size_t)ox_count(t), size = ox_dtype_size(t->dtype);
    OxPb__SequenceProto *p = new_sequence(w, OX_TENSOR, n, NULL);
    for (size_t i = 0; p && i < n; i++) {
        ox_value scalar = {.kind = OX_TENSOR,
                           .t = {.dtype = t->dtype, .data = (char *)t->data + i * size}};
        if (!add_element(w, p, &scalar, NULL))
            return NULL;
    }
    return p;
}

static OxPb__MapProto *make_map(ox_writer *w, const ox_value *v, const ox_type *type, const char *name)
{
    const ox_tensor *keys = ox_map_keys(v->map);
    const ox_value *values = ox_map_values(v->map);
    size_t n = (size_t)ox_count(keys);
    OxPb__MapProto *p = ox_arena_alloc(w->a, sizeof *p);
    if (!p)
        return ox_write_no_memory(w);
    ox_pb__map_proto__init(p);
    p->name = (char *)(uintptr_t)name;
    p->has_key_type = 1;
    p->key_type = (int32_t)keys->dtype;
    if (keys->dtype == OX_STR) {
        p->n_string_keys = n;
        p->string_keys = ox_write_strings(w, keys->data, n);
        if (!p->string_keys)
            return NULL;
    } else {
        p->n_keys = n;
        p->keys = ox_arena_array(w->a, n, sizeof *p->keys);
        if (!p->keys)
            return ox_write_no_memory(w);
        ox_to_i64(p->keys, keys->data, keys->dtype, n);
    }
    const ox_type sequence = {.kind = OX_SEQUENCE, .elem = type ? type->elem : NULL};
    p->values = values->kind == OX_TENSOR ? make_scalars(w, &values->t)
                                          : make_sequence(w, values, &sequence, NULL);
    return p->values ? p : NULL;
}

static OxPb__OptionalProto *make_optional(ox_writer *w, const ox_value *v, const ox_type *type,
                                          const char *name)
{
    OxPb__OptionalProto *p = ox_arena_alloc(w->a, sizeof *p);
    if (!p)
        return ox_write_no_memory(w);
    ox_pb__optional_proto__init(p);
    p->name = (char *)(uintptr_t)name;
    p->has_elem_type = 1;
    p->elem_type = kind_number(v->kind); /* the numbers are those of SequenceProto */
    switch (v->kind) {
    case OX_TENSOR:
        return (p->tensor_value = ox_write_tensor(w, &v->t, NULL)) ? p : NULL;
    case OX_SPARSE:
        return (p->sparse_tensor_value = ox_write_sparse(w, v, NULL)) ? p : NULL;
    case OX_SEQUENCE:
        return (p->sequence_value = make_sequence(w, v, type, NULL)) ? p : NULL;
    case OX_MAP:
        return (p->map_value = make_map(w, v, type, NULL)) ? p : NULL;
    default:
        return p; /* empty */
    }
}

static void *make(ox_writer *w, const ox_value *v, const ox_type *type, const char *name)
{
    if ((type && type->optional) || v->kind == OX_NONE)
        return make_optional(w, v, type, name);
    if (v->kind == OX_SEQUENCE)
        return make_sequence(w, v, type, name);
    if (v->kind == OX_MAP)
        return make_map(w, v, type, name);
    if (v->kind == OX_SPARSE)
        return ox_write_sparse(w, v, name);
    return ox_write_tensor(w, &v->t, name);
}

ox_code ox_write_pack(ox_writer *w, const ProtobufCMessage *m, ox_buf **bytes)
{
    *bytes = NULL;
    if (!m)
        return w->code;
    size_t n = protobuf_c_message_get_packed_size(m);
    if (n > INT_MAX) /* every protobuf reader's limit */
        return OX_FAIL(w->err, OX_E_LIMIT, "%zu bytes do not fit into a protobuf file (2 GB)", n);
    if (!(*bytes = ox_buf_create(n)))
        return ox_buf_fail(n, w->err);
    protobuf_c_message_pack(m, ox_buf_data(*bytes));
    return OX_OK;
}

ox_code ox_pb_write_value(const ox_value *v, const ox_type *type, const char *name, ox_buf **bytes,
                          ox_error *err)
{
    ox_writer w = {.a = ox_arena_create(0), .err = err};
    *bytes = NULL;
    if (!w.a)
        return OX_FAIL(err, OX_E_NOMEM, "out of memory");
    ox_code code = ox_write_pack(&w, make(&w, v, type, name), bytes);
    ox_arena_destroy(w.a);
    return code;
}
