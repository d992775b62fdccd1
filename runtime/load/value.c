/* Values from protobuf bytes: the .pb files of ONNX test data.  Each value owns its memory. */
#include "runtime/load/load.h"
#include "runtime/load/proto.h"

#include <string.h>

static ox_code read_tensor(const OxPb__TensorProto *p, ox_value *out, ox_error *err)
{
    ox_place place = {.model = NULL};
    out->kind = OX_TENSOR;
    return ox_load_tensor(p, "tensor", &place, &out->t, err);
}

static ox_code read_sparse(const OxPb__SparseTensorProto *p, ox_value *out, ox_error *err)
{
    ox_place place = {.model = NULL};
    return ox_load_sparse(p, "sparse tensor", &place, out, err);
}

static ox_code read_sequence(const OxPb__SequenceProto *p, ox_value *out, ox_error *err);
static ox_code read_map(const OxPb__MapProto *p, ox_value *out, ox_error *err);
static ox_code read_optional(const OxPb__OptionalProto *p, ox_value *out, ox_error *err);

/* Element k of whichever list the sequence has. */
static ox_code read_element(const OxPb__SequenceProto *p, size_t k, ox_value *out, ox_error *err)
{
    *out = (ox_value){.kind = OX_NONE};
    if (p->n_tensor_values)
        return read_tensor(p->tensor_values[k], out, err);
    if (p->n_sparse_tensor_values)
        return read_sparse(p->sparse_tensor_values[k], out, err);
    if (p->n_sequence_values)
        return read_sequence(p->sequence_values[k], out, err);
    if (p->n_map_values)
        return read_map(p->map_values[k], out, err);
    return read_optional(p->optional_values[k], out, err);
}

static ox_code read_sequence(const OxPb__SequenceProto *p, ox_value *out, ox_error *err)
{
    size_t counts[] = {p->n_tensor_values, p->n_sparse_tensor_values, p->n_sequence_values,
                       p->n_map_values, p->n_optional_values};
    size_t n = 0, n_lists = 0;
    for (size_t i = 0; i < OX_COUNT(counts); i++) {
        n += counts[i];
        n_lists += counts[i] > 0;
    }
    if (n_lists > 1)
        return OX_FAIL(err, OX_E_GRAPH, "sequence with elements of several kinds");
    ox_seq *seq = ox_seq_create(n);
    if (!seq)
        return OX_FAIL(err, OX_E_NOMEM, "out of memory");
    for (size_t k = 0; k < n; k++) {
        ox_value v;
        ox_code code = read_element(p, k, &v, err);
        if (code == OX_OK)
            code = ox_seq_push(seq, &v, err); /* takes v, on failure too */
        else
            ox_value_release(&v);
        if (code != OX_OK) {
            ox_seq_unref(seq);
            return code;
        }
    }
    *out = (ox_value){.kind = OX_SEQUENCE, .seq = seq};
    return OX_OK;
}

/* A sequence of scalars of one type, as a tensor [n]; *seq is as it was where it is something else.
 */
static ox_code join_scalars(ox_value *seq, ox_error *err)
{
    size_t n = ox_seq_size(seq->seq);
    const ox_value *first = n ? ox_seq_at(seq->seq, 0) : NULL;
    if (!first || first->kind != OX_TENSOR || first->t.dtype == OX_STR)
        return OX_OK;
    for (size_t i = 0; i < n; i++) {
        const ox_value *v = ox_seq_at(seq->seq, i);
        if (v->t.rank != 0 || v->t.dtype != first->t.dtype)
            return OX_OK;
    }
    ox_tensor t;
    OX_TRY(ox_tensor_alloc(&t, first->t.dtype, 1, &(int64_t){(int64_t)n}, err));
    size_t size = ox_dtype_size(t.dtype);
    for (size_t i = 0; i < n; i++)
        memcpy((char *)t.data + i * size, ox_seq_at(seq->seq, i)->t.data, size);
    ox_value_release(seq);
    *seq = (ox_value){.kind = OX_TENSOR, .t = t};
    return OX_OK;
}

static ox_code read_keys(const OxPb__MapProto *p, ox_tensor *out, ox_error *err)
{
    bool text = p->key_type == OX_STR;
    size_t n = text ? p->n_string_keys : p->n_keys, total = n * sizeof(ox_str);
    int64_t dim = (int64_t)n;
    if (!text) {
        OX_TRY(ox_tensor_alloc(out, OX_I64, 1, &dim, err));
        if (n)
            memcpy(out->data, p->keys, n * sizeof *p->keys);
        return OX_OK;
    }
    for (size_t i = 0; i < n; i++)
        total += p->string_keys[i].len; /* all of it is in the input: cannot overflow */
    ox_buf *buf = ox_buf_create(total);
    if (!buf)
        return ox_buf_fail(total, err);
    ox_str *to = ox_buf_data(buf);
    char *bytes = (char *)(to + n);
    for (size_t i = 0; i < n; i++) {
        to[i] = (ox_str){bytes, p->string_keys[i].len};
        if (to[i].n)
            memcpy(bytes, p->string_keys[i].data, to[i].n);
        bytes += to[i].n;
    }
    ox_buf_set_owns_strings(buf);
    *out = (ox_tensor){.dtype = OX_STR, .rank = 1, .dim = {dim}, .data = to, .buf = buf};
    return OX_OK;
}

static ox_code read_map(const OxPb__MapProto *p, ox_value *out, ox_error *err)
{
    ox_value values = {.kind = OX_NONE};
    ox_tensor keys = {0};
    if (!p->values)
        return OX_FAIL(err, OX_E_GRAPH, "map without values");
    OX_TRY(read_sequence(p->values, &values, err));
    size_t n_values = ox_seq_size(values.seq);
    ox_code code = read_keys(p, &keys, err);
    if (code == OX_OK && (size_t)keys.dim[0] != n_values)
        code = OX_FAIL(err, OX_E_GRAPH, "map with %zu keys and %zu values", (size_t)keys.dim[0],
                       n_values);
    if (code == OX_OK)
        code = join_scalars(&values, err);
    if (code != OX_OK) {
        ox_tensor_release(&keys);
        ox_value_release(&values);
        return code;
    }
    *out = (ox_value){.kind = OX_MAP, .map = ox_map_create(&keys, &values)};
    return out->map ? OX_OK : OX_FAIL(err, OX_E_NOMEM, "out of memory");
}

static ox_code read_optional(const OxPb__OptionalProto *p, ox_value *out, ox_error *err)
{
    if (p->tensor_value)
        return read_tensor(p->tensor_value, out, err);
    if (p->sparse_tensor_value)
        return read_sparse(p->sparse_tensor_value, out, err);
    if (p->sequence_value)
        return read_sequence(p->sequence_value, out, err);
    if (p->map_value)
        return read_map(p->map_value, out, err);
    if (p->optional_value) /* an optional of an optional is no value of ours: the inner one is */
        return read_optional(p->optional_value, out, err);
    return OX_OK; /* empty */
}

/* The message that a value of this type is written as. */
static const ProtobufCMessageDescriptor *message_of(const ox_type *type)
{
    if (!type)
        return &ox_pb__tensor_proto__descriptor;
    if (type->optional)
        return &ox_pb__optional_proto__descriptor;
    switch (type->kind) {
    case OX_SEQUENCE:
        return &ox_pb__sequence_proto__descriptor;
    case OX_MAP:
        return &ox_pb__map_proto__descriptor;
    case OX_SPARSE:
        return &ox_pb__sparse_tensor_proto__descriptor;
    default:
        return &ox_pb__tensor_proto__descriptor;
    }
}

ox_code ox_pb_read_value(const void *bytes, size_t n, const ox_type *type, ox_value *out,
                         ox_error *err)
{
    const ProtobufCMessageDescriptor *d = message_of(type);
    ox_arena *a = ox_arena_create(0);
    ProtobufCMessage *m;
    *out = (ox_value){.kind = OX_NONE};
    if (!a)
        return OX_FAIL(err, OX_E_NOMEM, "out of memory");
    ox_code code = ox_wire_read(d, bytes, n, a, a, &m, err);
    if (code == OX_OK) {
        if (d == &ox_pb__tensor_proto__descriptor)
            code = read_tensor((OxPb__TensorProto *)m, out, err);
        else if (d == &ox_pb__sequence_proto__descriptor)
            code = read_sequence((OxPb__SequenceProto *)m, out, err);
        else if (d == &ox_pb__map_proto__descriptor)
            code = read_map((OxPb__MapProto *)m, out, err);
        else if (d == &ox_pb__sparse_tensor_proto__descriptor)
            code = read_sparse((OxPb__SparseTensorProto *)m, out, err);
        else
            code = read_optional((OxPb__OptionalProto *)m, out, err);
    }
    if (code != OX_OK)
        ox_value_release(out);
    ox_arena_destroy(a);
    return code;
}
