/* The protobuf reader, tensors in every form a file may give them, values there and back. */
#include "runtime/load/load.h"
#include "runtime/load/proto.h"
#include "tests/unit/pb.h"

#include <stdio.h>

static ox_arena *arena;
static ox_error err;

static void set_up(void)
{
    arena = ox_arena_create(0);
    err = (ox_error){0};
}
static void tear_down(void)
{
    ox_arena_destroy(arena);
}

static ox_code read_as(const ProtobufCMessageDescriptor *type, pb *m, void *out)
{
    ProtobufCMessage *message = NULL;
    err = (ox_error){0};
    ox_code code = ox_wire_read(type, m->b, m->n, arena, arena, &message, &err);
    memcpy(out, &message, sizeof message);
    return code;
}
static ox_code read_tensor_proto(pb *m, OxPb__TensorProto **out)
{
    return read_as(&ox_pb__tensor_proto__descriptor, m, out);
}

START_TEST(reads_all_wire_types_and_skips_unknown_fields)
{
    pb m = {0};
    OxPb__TensorProto *t;
    pb_int(&m, 1000, 1); /* unknown, all wire types */
    pb_str(&m, 1001, "what is this");
    pb_tag(&m, 1002, 1), pb_bytes(&m, "12345678", 8);
    pb_float(&m, 1003, 1);
    pb_int(&m, TENSOR_DIM, 2); /* unpacked, then packed, in one field */
    pb_data(&m, TENSOR_DIM, "\x03\x80\x01", 3);
    pb_data(&m, TENSOR_DIM, "", 0);
    pb_int(&m, TENSOR_DIM, -1);
    pb_int(&m, TENSOR_TYPE, 7);
    pb_int(&m, TENSOR_TYPE, 1); /* the last one wins */
    pb_str(&m, TENSOR_NAME, "w");
    pb_data(&m, TENSOR_RAW, "\0\1", 2);
    ck_assert_int_eq(read_tensor_proto(&m, &t), OX_OK);
    ck_assert_uint_eq(t->n_dims, 4);
    ck_assert_int_eq(t->dims[0], 2);
    ck_assert_int_eq(t->dims[1], 3);
    ck_assert_int_eq(t->dims[2], 128);
    ck_assert_int_eq(t->dims[3], -1);
    ck_assert_int_eq(t->data_type, 1);
    ck_assert_str_eq(t->name, "w");
    ck_assert_ptr_eq(t->raw_data.data, m.b + m.n - 2); /* not copied */
    pb_free(&m);
}
END_TEST

START_TEST(numbers_left_for_later)
{
    pb m = {0};
    OxPb__TensorProto *t;
    uint64_t v[8];
    size_t n;
    pb_int(&m, TENSOR_INT64S, 5);
    pb_int(&m, TENSOR_INT64S, -1);
    pb_data(&m, TENSOR_INT64S, "\x01\x96\x01", 3);
    pb_data(&m, TENSOR_INT64S, "", 0);
    pb_int(&m, TENSOR_INT64S, 7);
    ck_assert_int_eq(read_tensor_proto(&m, &t), OX_OK);
    ck_assert_uint_eq(t->base.n_unknown_fields, 4); /* the first two are one run */
    ck_assert_int_eq(ox_wire_count(&t->base, TENSOR_INT64S, &n, &err), OX_OK);
    ck_assert_uint_eq(n, 5);
    ox_wire_cursor c = ox_wire_numbers(&t->base, TENSOR_INT64S);
    ck_assert_uint_eq(ox_wire_next(&c, v, 3), 3);
    ck_assert_uint_eq(ox_wire_next(&c, v + 3, 5), 2);
    ck_assert_uint_eq(ox_wire_next(&c, v, 8), 0);
    ck_assert_int_eq((int64_t)v[1], -1);
    ck_assert_uint_eq(v[3], 150);
    ck_assert_uint_eq(v[4], 7);
    pb_free(&m);
    pb_data(&m, TENSOR_FLOATS, "12345", 5); /* not whole numbers */
    ck_assert_int_eq(read_tensor_proto(&m, &t), OX_OK);
    ck_assert_int_eq(ox_wire_count(&t->base, TENSOR_FLOATS, &n, &err), OX_E_PARSE);
    pb_free(&m);
}
END_TEST

START_TEST(malformed_bytes_are_errors)
{
    static const struct {
        const char *bytes;
        size_t n;
        const char *message;
    } cases[] = {
        {"\x00\x00", 2, "malformed field tag"},
        {"\x80", 1, "malformed field tag"},
        {"\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 12, "malformed number"},
        {"\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 11, "malformed number"},
        {"\x4a\x05"
         "abc",
         5, "length 5 goes past the end, 3 bytes are left"},
        {"\x4a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11,
         "length 18446744073709551615 goes past"},
        {"\x4b", 1, "unknown wire type"}, /* a group */
        {"\x4c", 1, "unknown wire type"},
        {"\xfb\x3e\xfc\x3e", 4, "unknown wire type"}, /* a group that is not ours either */
        {"\x48\x01", 2, "TensorProto.raw_data: wrong wire type"},
        {"\x0a\x02\x01\x80", 4, "ends in the middle of a number"},
        {"\x42\x03"
         "a\0b",
         5, "TensorProto.name: text with a zero byte"},
        {"\x1a\x00\x1a\x00", 4, "TensorProto.segment: given twice"},
        {"\xfd\x3e\x01", 3, "in the middle of a number"},
    };
    for (size_t i = 0; i < OX_COUNT(cases); i++) {
        pb m = {0};
        OxPb__TensorProto *t;
        pb_bytes(&m, cases[i].bytes, cases[i].n);
        ck_assert_int_eq(read_tensor_proto(&m, &t), OX_E_PARSE);
        ck_assert_msg(strstr(err.message, cases[i].message), "%zu: %s", i, err.message);
        pb_free(&m);
    }
}
END_TEST

/* A graph in an attribute of a node of a graph ...: `messages` within the outermost.  Written from
 * the innermost outwards, so back to front. */
static pb nested(int messages)
{
    static const unsigned fields[] = {GRAPH_NODE, NODE_ATTR,
                                      ATTR_G}; /* in a graph, node, attribute */
    size_t size = (size_t)messages * 6, at = size;
    uint8_t *b = malloc(size);
    ck_assert_ptr_nonnull(b);
    for (int i = messages; i-- > 0;) {
        pb head = {0};
        pb_tag(&head, fields[i % 3], 2);
        pb_varint(&head, size - at);
        at -= head.n;
        memcpy(b + at, head.b, head.n);
        pb_free(&head);
    }
    pb m = {0};
    pb_bytes(&m, b + at, size - at);
    free(b);
    return m;
}

START_TEST(nesting_is_limited)
{
    OxPb__GraphProto *g;
    pb m = nested(OX_WIRE_MAX_DEPTH);
    ck_assert_int_eq(read_as(&ox_pb__graph_proto__descriptor, &m, &g), OX_OK);
    pb_free(&m);
    m = nested(OX_WIRE_MAX_DEPTH + 1);
    ck_assert_int_eq(read_as(&ox_pb__graph_proto__descriptor, &m, &g), OX_E_LIMIT);
    ck_assert_ptr_nonnull(strstr(err.message, "100"));
    pb_free(&m);
    m = nested(30000); /* ten thousand graphs within graphs */
    ck_assert_int_eq(read_as(&ox_pb__graph_proto__descriptor, &m, &g), OX_E_LIMIT);
    pb_free(&m);
}
END_TEST

START_TEST(memory_is_limited)
{
    ox_arena *small = ox_arena_create(1 << 20);
    ProtobufCMessage *message;
    pb m = {0}, empty = {0};
    for (int i = 0; i < 100000; i++) /* two bytes that become a struct each */
        pb_put(&m, GRAPH_NODE, &empty);
    ck_assert_int_eq(
        ox_wire_read(&ox_pb__graph_proto__descriptor, m.b, m.n, small, small, &message, &err),
        OX_E_LIMIT);
    pb_free(&m);
    ox_arena_destroy(small);
}
END_TEST

/* ---- tensors ---- */

static ox_code read_value(pb *m, ox_value *v)
{
    err = (ox_error){0};
    return ox_pb_read_value(m->b, m->n, NULL, v, &err);
}

/* Every type: n elements with given low bits, written by us, read from raw_data, and written again
 * to the same bytes. */
START_TEST(raw_data_of_every_type)
{
    enum { N = 5 };
    for (int t = 1; t < OX_N_DTYPES; t++) {
        if (t == OX_STR)
            continue;
        int bits = ox_dtype_file_bits((ox_dtype)t);
        uint8_t raw[N * 16 + 1] = {0};
        size_t n = ((size_t)bits * N + 7) / 8;
        for (size_t i = 0; i < n; i++)
            raw[i] = (uint8_t)(t == OX_BOOL ? i % 2 : 0x91 + 37 * i);
        if (bits * N % 8) /* the spare bits at the end are zero */
            raw[n - 1] &= (uint8_t)((1 << (bits * N % 8)) - 1);
        pb m = pb_tensor("x", t, N, raw, n);
        ox_value v;
        ox_buf *back;
        ck_assert_int_eq(read_value(&m, &v), OX_OK);
        ck_assert_int_eq(v.t.dtype, t);
        ck_assert_int_eq(v.t.dim[0], N);
        if (bits == 4)
            ck_assert_int_eq(((uint8_t *)v.t.data)[1] & 15, raw[0] >> 4);
        if (t == OX_I4)
            ck_assert_int_eq(((int8_t *)v.t.data)[1], -7); /* 0x91: 1, then 9 */
        if (t == OX_I2)
            ck_assert_int_eq(((int8_t *)v.t.data)[3], -2); /* 0x91 = 10 01 00 01 */
        if (t == OX_F6E2M3)
            ck_assert_int_eq(((uint8_t *)v.t.data)[1], raw[0] >> 6 | (raw[1] & 15) << 2);
        ck_assert_int_eq(ox_pb_write_value(&v, NULL, "x", &back, &err), OX_OK);
        ck_assert_uint_eq(ox_buf_size(back), m.n);
        ox_value w;
        ck_assert_int_eq(ox_pb_read_value(ox_buf_data(back), ox_buf_size(back), NULL, &w, &err),
                         OX_OK);
        ck_assert_mem_eq(v.t.data, w.t.data, ox_bytes(&v.t));
        ck_assert_ptr_nonnull(memmem(ox_buf_data(back), ox_buf_size(back), raw, n));
        ox_buf_unref(back);
        ox_value_release(&v);
        ox_value_release(&w);
        pb_free(&m);
        for (int d = -1; d <= 1; d += 2) { /* a byte too few, a byte too many */
            m = pb_tensor("x", t, N, raw, n + (size_t)d);
            ck_assert_int_eq(read_value(&m, &v), OX_E_GRAPH);
            ck_assert_ptr_nonnull(strstr(err.message, "tensor 'x':"));
            ck_assert_int_eq(v.kind, OX_NONE);
            pb_free(&m);
        }
    }
}
END_TEST

/* The typed field of every type, with numbers 1, 2, 3, ... */
START_TEST(typed_fields_of_every_type)
{
    enum { N = 6 };
    for (int t = 1; t < OX_N_DTYPES; t++) {
        int bits = ox_dtype_file_bits((ox_dtype)t), per = bits < 8 && t != OX_STR ? 8 / bits : 1;
        int n = ox_dtype_class((ox_dtype)t) == OX_CLASS_COMPLEX ? 2 * N : (N + per - 1) / per;
        pb m = {0}, numbers = {0};
        unsigned field = t == OX_F32 || t == OX_C64    ? TENSOR_FLOATS
                         : t == OX_F64 || t == OX_C128 ? TENSOR_DOUBLES
                         : t == OX_I64                 ? TENSOR_INT64S
                         : t == OX_U32 || t == OX_U64  ? TENSOR_UINT64S
                         : t == OX_STR                 ? TENSOR_STRINGS
                                                       : TENSOR_INT32S;
        pb_int(&m, TENSOR_DIM, N);
        pb_int(&m, TENSOR_TYPE, t);
        for (int i = 1; i <= n; i++) {
            double d = i;
            uint64_t u;
            if (field == TENSOR_STRINGS)
                pb_str(&m, field, i == 1 ? "one" : "");
            else if (field == TENSOR_FLOATS)
                pb_float(&m, field, (float)i);
            else if (field != TENSOR_DOUBLES)
                pb_varint(&numbers, (uint64_t)i);
            memcpy(&u, &d, 8);
            for (int k = 0; field == TENSOR_DOUBLES && k < 8; k++)
                pb_bytes(&numbers, &(uint8_t){(uint8_t)(u >> (8 * k))}, 1);
        }
        if (numbers.n)
            pb_put(&m, field, &numbers);
        ox_value v;
        ck_assert_int_eq(read_value(&m, &v), OX_OK);
        const uint8_t *bytes = v.t.data;
        if (t == OX_STR) {
            ck_assert_uint_eq(((ox_str *)v.t.data)[0].n, 3);
            ck_assert_mem_eq(((ox_str *)v.t.data)[0].s, "one", 3);
        } else if (t == OX_BOOL) {
            ck_assert_int_eq(bytes[2], 1);
        } else if (field == TENSOR_FLOATS) {
            ck_assert(((float *)v.t.data)[2] == 3);
        } else if (field == TENSOR_DOUBLES) {
            ck_assert(((double *)v.t.data)[2] == 3);
        } else if (bits < 8) { /* low bits of byte 1 first */
            ck_assert_int_eq(bytes[0], 1);
            ck_assert_int_eq(bytes[per], t == OX_I2 ? (uint8_t)-2 : 2);
        } else {
            uint64_t u = 0;
            size_t size = ox_dtype_size((ox_dtype)t);
            for (size_t k = 0; k < size; k++)
                u |= (uint64_t)bytes[2 * size +
                                     (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? k : size - 1 - k)]
                     << (8 * k);
            ck_assert_uint_eq(u, 3);
        }
        ox_value_release(&v);
        pb_int(&m, TENSOR_DIM, 2); /* twice the elements */
        ck_assert_int_eq(read_value(&m, &v), OX_E_GRAPH);
        pb_free(&m);
    }
}
END_TEST

START_TEST(bad_tensors)
{
    static const uint8_t raw[100];
    static const struct {
        int type;
        int64_t dim[3];
        const char *message;
    } cases[] = {
        {1, {5, 5, 2}, "100 bytes of raw_data, f32[5,5,2] needs 200"},
        {0, {1, 1, 1}, "element type 0"},
        {29, {1, 1, 1}, "element type 29"},
        {-1, {1, 1, 1}, "element type -1"},
        {1, {-1, 5, 5}, "dimension 0 is -1"},
        {1, {INT64_MAX, INT64_MAX, 2}, "too many elements"},
        {8, {1, 1, 1}, "strings cannot be in raw_data"},
    };
    ox_value v;
    for (size_t i = 0; i < OX_COUNT(cases); i++) {
        pb m = {0};
        for (int k = 0; k < 3; k++)
            pb_int(&m, TENSOR_DIM, cases[i].dim[k]);
        pb_int(&m, TENSOR_TYPE, cases[i].type);
        pb_data(&m, TENSOR_RAW, raw, sizeof raw);
        ck_assert_int_ne(read_value(&m, &v), OX_OK);
        ck_assert_msg(strstr(err.message, cases[i].message), "%s", err.message);
        pb_free(&m);
    }
    pb m = pb_tensor("x", OX_F32, 25, raw, 100);
    pb_float(&m, TENSOR_FLOATS, 1);
    ck_assert_int_eq(read_value(&m, &v), OX_E_GRAPH); /* two places */
    ck_assert_ptr_nonnull(strstr(err.message, "more than one place"));
    pb_free(&m);
    m = pb_tensor(NULL, OX_F32, 0, raw, 0); /* nothing is a fine tensor */
    ck_assert_int_eq(read_value(&m, &v), OX_OK);
    ck_assert_int_eq(ox_count(&v.t), 0);
    ox_value_release(&v);
    pb_free(&m);
    for (int i = 0; i < 17; i++)
        pb_int(&m, TENSOR_DIM, 1);
    pb_int(&m, TENSOR_TYPE, 1);
    ck_assert_int_eq(read_value(&m, &v), OX_E_LIMIT);
    pb_free(&m);
    pb_int(&m, TENSOR_TYPE, OX_I32); /* the elements of another type */
    pb_float(&m, TENSOR_FLOATS, 1);
    ck_assert_int_eq(read_value(&m, &v), OX_E_GRAPH);
    ck_assert_ptr_nonnull(strstr(err.message, "i32 in float_data"));
    pb_free(&m);
    m = pb_tensor("x", OX_F32, 25, raw, 0);
    pb_int(&m, TENSOR_LOCATION, 1);
    ck_assert_int_ne(read_value(&m, &v), OX_OK); /* data files have no folder */
    pb_free(&m);
}
END_TEST

/* ---- values ---- */

static ox_value scalar_value(float f)
{
    ox_value v = {.kind = OX_TENSOR};
    ck_assert_int_eq(ox_tensor_alloc(&v.t, OX_F32, 0, NULL, &err), OX_OK);
    *(float *)v.t.data = f;
    return v;
}

static void round_trip(const ox_value *v, const ox_type *type, ox_value *back)
{
    ox_buf *bytes;
    ck_assert_int_eq(ox_pb_write_value(v, type, "v", &bytes, &err), OX_OK);
    ck_assert_int_eq(ox_pb_read_value(ox_buf_data(bytes), ox_buf_size(bytes), type, back, &err),
                     OX_OK);
    ox_buf_unref(bytes);
    ck_assert_int_eq(back->kind, v->kind);
}

START_TEST(sequences_optionals_maps_round_trip)
{
    ox_type tensor = {.kind = OX_TENSOR, .dtype = OX_F32, .rank = -1};
    ox_type seq = {.kind = OX_SEQUENCE, .elem = &tensor},
            seq2 = {.kind = OX_SEQUENCE, .elem = &seq};
    ox_value v = {.kind = OX_SEQUENCE, .seq = ox_seq_create(2)}, back, x = scalar_value(3);
    ck_assert_int_eq(ox_seq_push(v.seq, &x, &err), OX_OK);
    x = scalar_value(4);
    ck_assert_int_eq(ox_seq_push(v.seq, &x, &err), OX_OK);
    round_trip(&v, &seq, &back);
    ck_assert_uint_eq(ox_seq_size(back.seq), 2);
    ck_assert(*(float *)ox_seq_at(back.seq, 1)->t.data == 4);
    ox_value_release(&back);

    ox_value outer = {.kind = OX_SEQUENCE, .seq = ox_seq_create(1)};
    ck_assert_int_eq(ox_seq_push(outer.seq, &v, &err), OX_OK); /* takes v */
    round_trip(&outer, &seq2, &back);
    ck_assert_uint_eq(ox_seq_size(ox_seq_at(back.seq, 0)->seq), 2);
    ox_value_release(&back);
    seq2.optional = true;
    round_trip(&outer, &seq2, &back);
    ox_value_release(&back);
    ox_value_release(&outer);

    tensor.optional = true;
    x = scalar_value(5);
    round_trip(&x, &tensor, &back);
    ck_assert(*(float *)back.t.data == 5);
    ox_value_release(&back);
    ox_value_release(&x);
    x = (ox_value){.kind = OX_NONE};
    round_trip(&x, &tensor, &back);

    ox_tensor keys;
    ck_assert_int_eq(ox_tensor_alloc(&keys, OX_STR, 1, &(int64_t){2}, &err), OX_OK);
    ((ox_str *)keys.data)[0] = (ox_str){"a", 1};
    ((ox_str *)keys.data)[1] = (ox_str){"bc", 2};
    ox_value values = {.kind = OX_TENSOR};
    ck_assert_int_eq(ox_tensor_alloc(&values.t, OX_F32, 1, &(int64_t){2}, &err), OX_OK);
    ((float *)values.t.data)[0] = 1;
    ((float *)values.t.data)[1] = 2;
    ox_type map = {.kind = OX_MAP, .key = OX_STR, .dtype = OX_F32};
    ox_value m = {.kind = OX_MAP, .map = ox_map_create(&keys, &values)};
    round_trip(&m, &map, &back);
    ck_assert_uint_eq(((ox_str *)ox_map_keys(back.map)->data)[1].n, 2);
    ck_assert_int_eq(ox_map_values(back.map)->kind, OX_TENSOR);
    ck_assert(((float *)ox_map_values(back.map)->t.data)[1] == 2);
    ox_value_release(&back);
    ox_value_release(&m);
}
END_TEST

START_TEST(sparse_tensors)
{
    ox_type type = {.kind = OX_SPARSE, .dtype = OX_U8};
    for (int bad = 0; bad < 2; bad++) {
        int64_t at[4] = {0, 1, 1, 2 + bad};
        pb m = {0}, values = pb_tensor("s", OX_U8, 2, "\7\11", 2), indices = {0};
        pb_int(&indices, TENSOR_DIM, 2);
        pb_int(&indices, TENSOR_DIM, 2);
        pb_int(&indices, TENSOR_TYPE, OX_I64);
        for (int i = 0; i < 4; i++)
            pb_int(&indices, TENSOR_INT64S, at[i]);
        pb_put(&m, 1, &values);
        pb_put(&m, 2, &indices);
        pb_int(&m, 3, 2);
        pb_int(&m, 3, 3);
        ox_value v, back;
        ox_code code = ox_pb_read_value(m.b, m.n, &type, &v, &err);
        pb_free(&m);
        if (bad) { /* index (1,3) of shape (2,3) */
            ck_assert_int_eq(code, OX_E_VALUE);
            continue;
        }
        ck_assert_int_eq(code, OX_OK);
        ox_place place = {.model = NULL};
        ox_tensor dense;
        ck_assert_int_eq(ox_load_dense(&v, "tensor", "s", &place, &dense, &err), OX_OK);
        ck_assert_mem_eq(dense.data, "\0\7\0\0\0\11", 6);
        ox_tensor_release(&dense);
        round_trip(&v, &type, &back);
        ck_assert_mem_eq(back.t.data, "\7\11", 2);
        ox_value_release(&back);
        ox_value_release(&v);
    }
}
END_TEST

Suite *suite_wire(void);
Suite *suite_wire(void)
{
    Suite *s = suite_create("wire");
    TCase *c = tcase_create("wire");
    tcase_add_checked_fixture(c, set_up, tear_down);
    tcase_add_test(c, reads_all_wire_types_and_skips_unknown_fields);
    tcase_add_test(c, numbers_left_for_later);
    tcase_add_test(c, malformed_bytes_are_errors);
    tcase_add_test(c, nesting_is_limited);
    tcase_add_test(c, memory_is_limited);
    tcase_add_test(c, raw_data_of_every_type);
    tcase_add_test(c, typed_fields_of_every_type);
    tcase_add_test(c, bad_tensors);
    tcase_add_test(c, sequences_optionals_maps_round_trip);
    tcase_add_test(c, sparse_tensors);
    suite_add_tcase(s, c);
    return s;
}
