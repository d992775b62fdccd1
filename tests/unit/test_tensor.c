/* Buffers, shapes, tensors, values. */
#include "runtime/tensor/spans.h"
#include "runtime/tensor/tensor.h"

#include <check.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* ---- buffers ---- */

START_TEST(buffer_counts)
{
    size_t before = ox_buf_live();
    ox_buf *b = ox_buf_create(1000);
    ck_assert_uint_eq((uintptr_t)ox_buf_data(b) % 64, 0);
    ck_assert_uint_eq(ox_buf_size(b), 1000);
    memset(ox_buf_data(b), 1, 1000);
    ck_assert_uint_eq(ox_buf_live(), before + 1000);
    ck_assert(ox_buf_unique(b));
    ck_assert_ptr_eq(ox_buf_ref(b), b);
    ck_assert(!ox_buf_unique(b));
    ox_buf_unref(b);
    ck_assert(ox_buf_unique(b));
    ck_assert(!ox_buf_owns_strings(b));
    ox_buf_unref(b);
    ck_assert_uint_eq(ox_buf_live(), before);
    ck_assert_uint_ge(ox_buf_peak(), before + 1000);
    ox_buf_reset_peak();
    ck_assert_uint_eq(ox_buf_peak(), before);
    ox_buf_unref(NULL);
    ck_assert_ptr_null(ox_buf_ref(NULL));
    b = ox_buf_create(0);
    ck_assert_ptr_nonnull(b);
    ck_assert_ptr_nonnull(ox_buf_data(b));
    ox_buf_unref(b);
    ck_assert_ptr_null(ox_buf_create(SIZE_MAX));
    ck_assert_ptr_null(ox_buf_create(SIZE_MAX - 64));
    ck_assert_uint_eq(ox_buf_live(), before);
}
END_TEST

static void count_done(void *ctx) { ++*(int *)ctx; }

START_TEST(buffer_wraps)
{
    int n_done = 0;
    char memory[16];
    size_t before = ox_buf_live();
    ox_buf *b = ox_buf_wrap(memory, sizeof(memory), count_done, &n_done);
    ck_assert_ptr_eq(ox_buf_data(b), memory);
    ck_assert_uint_eq(ox_buf_live(), before); /* somebody else's memory */
    ox_buf_unref(ox_buf_ref(b));
    ck_assert_int_eq(n_done, 0);
    ox_buf_unref(b);
    ck_assert_int_eq(n_done, 1);
    b = ox_buf_wrap(memory, sizeof(memory), NULL, NULL);
    ox_buf_unref(b);
}
END_TEST

START_TEST(buffer_cap)
{
    ox_error err = { 0 };
    ox_buf_cap(ox_buf_live() + 1000);
    ck_assert_uint_eq(ox_buf_capacity_left(), 1000);
    ox_buf *b = ox_buf_create(600);
    ck_assert_ptr_nonnull(b);
    ck_assert_ptr_null(ox_buf_create(401));
    ck_assert_uint_eq(ox_buf_capacity_left(), 400);
    ck_assert(ox_buf_charge(400));
    ck_assert(!ox_buf_charge(1));
    ck_assert_ptr_null(ox_buf_create(1));
    ox_buf_uncharge(400);
    ox_tensor t;
    const int64_t dim[] = { 101 };
    ck_assert_int_eq(ox_tensor_alloc(&t, OX_F32, 1, dim, &err), OX_E_LIMIT);
    ck_assert_ptr_null(t.buf);
    ck_assert_ptr_nonnull(strstr(err.message, "404"));
    ox_buf_unref(b);
    ox_buf_cap(0);
    ck_assert_uint_eq(ox_buf_capacity_left(), SIZE_MAX);
    ck_assert_int_eq(ox_buf_fail(10, NULL), OX_E_NOMEM);
}
END_TEST

static void *churn(void *arg)
{
    ox_buf *shared = arg;
    for (int i = 0; i < 20000; i++) {
        ox_buf *own = ox_buf_create((size_t)(i % 100));
        ox_buf_unref(ox_buf_ref(shared));
        ox_buf_unref(own);
    }
    return NULL;
}
START_TEST(buffers_in_threads)
{
    size_t before = ox_buf_live();
    ox_buf *shared = ox_buf_create(8);
    pthread_t thread[4];
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&thread[i], NULL, churn, shared), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(thread[i], NULL);
    ck_assert(ox_buf_unique(shared));
    ox_buf_unref(shared);
    ck_assert_uint_eq(ox_buf_live(), before);
    ck_assert_uint_le(ox_buf_peak(), before + 8 + 4 * 99);
}
END_TEST

/* ---- shapes ---- */

static ox_code count(int64_t *n, ox_dtype t, int rank, const int64_t *dim)
{
    return ox_shape_count(n, t, rank, dim, NULL);
}

START_TEST(shape_count)
{
    int64_t n = -1;
    ck_assert_int_eq(count(&n, OX_F32, 0, NULL), OX_OK);
    ck_assert_int_eq(n, 1);
    ck_assert_int_eq(count(&n, OX_F32, 3, (int64_t[]){ 2, 3, 4 }), OX_OK);
    ck_assert_int_eq(n, 24);
    ck_assert_int_eq(count(&n, OX_F32, 2, (int64_t[]){ 5, 0 }), OX_OK);
    ck_assert_int_eq(n, 0);
    ck_assert_int_eq(count(&n, OX_F32, 2, (int64_t[]){ 5, -1 }), OX_E_SHAPE);
    ck_assert_int_eq(count(&n, OX_F32, 2, (int64_t[]){ INT64_MAX, 2 }), OX_E_LIMIT);
    ck_assert_int_eq(count(&n, OX_F32, 2, (int64_t[]){ 2, INT64_MIN }), OX_E_SHAPE);
    ck_assert_int_eq(count(&n, OX_U8, 1, (int64_t[]){ INT64_MAX }),
                     sizeof(size_t) == 8 ? OX_OK : OX_E_LIMIT);
    ck_assert_int_eq(count(&n, OX_I16, 1, (int64_t[]){ INT64_MAX / 2 + 1 }), OX_E_LIMIT);
    /* Partial products count too: kernels multiply dimensions without the zero. */
    ck_assert_int_eq(count(&n, OX_U8, 3, (int64_t[]){ INT64_MAX, 0, INT64_MAX }), OX_E_LIMIT);
    int64_t ones[17];
    for (int i = 0; i < 17; i++)
        ones[i] = 1;
    ck_assert_int_eq(count(&n, OX_F32, 16, ones), OX_OK);
    ck_assert_int_eq(n, 1);
    ck_assert_int_eq(count(&n, OX_F32, 17, ones), OX_E_LIMIT);
    ck_assert_int_eq(count(&n, OX_F32, -1, ones), OX_E_LIMIT);
    ox_error err = { 0 };
    ck_assert_int_eq(ox_shape_count(&n, OX_F32, 2, (int64_t[]){ INT64_MAX, 3 }, &err), OX_E_LIMIT);
    ck_assert_ptr_nonnull(strstr(err.message, "[9223372036854775807,3]"));
}
END_TEST

START_TEST(shape_text)
{
    char buf[64], tiny[6];
    ox_tensor t = { .rank = 3, .dim = { 1, -7, 224 } };
    ck_assert_str_eq(ox_shape_text(buf, sizeof(buf), &t), "[1,?,224]");
    ck_assert_str_eq(ox_shape_text(tiny, sizeof(tiny), &t), "[1,?,");
    ck_assert(!ox_shape_known(&t));
    t.dim[1] = 3;
    ck_assert(ox_shape_known(&t));
    ox_tensor u = t;
    ck_assert(ox_shape_same(&t, &u));
    u.dim[2] = 225;
    ck_assert(!ox_shape_same(&t, &u));
    u = t;
    u.rank = 2;
    ck_assert(!ox_shape_same(&t, &u));
    t.rank = 0;
    ck_assert_str_eq(ox_shape_text(buf, sizeof(buf), &t), "[]");
    t.rank = -1;
    ck_assert_str_eq(ox_shape_text(buf, sizeof(buf), &t), "?");
    ck_assert(!ox_shape_known(&t));
    t.rank = OX_MAX_RANK;
    for (int i = 0; i < OX_MAX_RANK; i++)
        t.dim[i] = INT64_MAX;
    char *cut = ox_shape_text(buf, sizeof(buf), &t);
    ck_assert_uint_eq(strlen(cut), sizeof(buf) - 1);
}
END_TEST

/* ---- tensors ---- */

START_TEST(tensor_basics)
{
    size_t before = ox_buf_live();
    ox_tensor t, view, copy;
    const int64_t dim[] = { 2, 3 };
    ck_assert_int_eq(ox_tensor_alloc(&t, OX_I32, 2, dim, NULL), OX_OK);
    ck_assert_int_eq(ox_count(&t), 6);
    ck_assert_uint_eq(ox_bytes(&t), 24);
    for (int32_t i = 0; i < 6; i++)
        ((int32_t *)t.data)[i] = i * i - 5;
    ck_assert_int_eq(ox_get_i64(&t, 4), 11);
    ck_assert(ox_get_f64(&t, 0) == -5);
    ck_assert_int_eq(ox_tensor_keep(&view, &t, NULL), OX_OK);
    ck_assert_ptr_eq(view.data, t.data);
    ck_assert(!ox_buf_unique(t.buf));
    ck_assert_int_eq(ox_tensor_clone(&copy, &t, NULL), OX_OK);
    ck_assert_ptr_ne(copy.data, t.data);
    ox_tensor_release(&t);
    ck_assert_ptr_null(t.data);
    ck_assert_int_eq(((int32_t *)view.data)[5], 20);
    ck_assert_int_eq(((int32_t *)copy.data)[5], 20);
    ox_tensor_release(&view);

    ox_tensor borrowed = copy, kept;
    borrowed.buf = NULL; /* now a borrowed view: keep must copy */
    ck_assert_int_eq(ox_tensor_keep(&kept, &borrowed, NULL), OX_OK);
    ck_assert_ptr_ne(kept.data, borrowed.data);
    ox_tensor_release(&copy);
    ck_assert_int_eq(((int32_t *)kept.data)[5], 20);
    ox_tensor_release(&kept);
    ck_assert_uint_eq(ox_buf_live(), before);
}
END_TEST

START_TEST(tensor_without_elements)
{
    ox_tensor t, u;
    ck_assert_int_eq(ox_tensor_alloc(&t, OX_F32, 2, (int64_t[]){ 0, 4 }, NULL), OX_OK);
    ck_assert_int_eq(ox_count(&t), 0);
    ck_assert_int_eq(ox_tensor_clone(&u, &t, NULL), OX_OK);
    ck_assert_int_eq(u.dim[1], 4);
    ox_tensor_release(&u);
    ck_assert_int_eq(ox_tensor_convert(&u, &t, OX_I64, NULL), OX_OK);
    ck_assert_int_eq(u.dtype, OX_I64);
    ox_tensor_release(&u);
    ox_tensor_release(&t);
    ox_tensor shape_only = { .dtype = OX_F32, .rank = 1, .dim = { -1 } };
    ck_assert_int_eq(ox_tensor_clone(&u, &shape_only, NULL), OX_OK);
    ck_assert(!u.data && u.dim[0] == -1);
    ck_assert_int_eq(ox_tensor_alloc(&t, OX_UNDEFINED, 0, NULL, NULL), OX_E_TYPE);
    ck_assert_int_eq(ox_tensor_alloc(&t, (ox_dtype)99, 0, NULL, NULL), OX_E_TYPE);
}
END_TEST

START_TEST(tensor_converts)
{
    ox_error err = { 0 };
    ox_tensor t, u;
    ck_assert_int_eq(ox_tensor_alloc(&t, OX_F32, 1, (int64_t[]){ 3 }, NULL), OX_OK);
    memcpy(t.data, (float[]){ 1.5f, -2.75f, 300.0f }, 12);
    ck_assert_int_eq(ox_tensor_convert(&u, &t, OX_U8, NULL), OX_OK);
    ck_assert_int_eq(memcmp(u.data, (uint8_t[]){ 1, 254, 44 }, 3), 0);
    ox_tensor_release(&u);
    ck_assert_int_eq(ox_tensor_convert(&u, &t, OX_F32, NULL), OX_OK);
    ck_assert(u.data != t.data && memcmp(u.data, t.data, 12) == 0);
    ox_tensor_release(&u);
    ck_assert_int_eq(ox_tensor_convert(&u, &t, OX_STR, &err), OX_E_TYPE);
    ck_assert_str_eq(err.message, "no conversion from f32 to str");
    ox_tensor_release(&t);
}
END_TEST

/* A string tensor whose bytes live in `bytes`. */
static ox_tensor borrowed_strings(const char *bytes)
{
    ox_tensor t;
    ck_assert_int_eq(ox_tensor_alloc(&t, OX_STR, 1, (int64_t[]){ 3 }, NULL), OX_OK);
    ox_str *s = t.data;
    ck_assert(s[0].s == NULL && s[2].n == 0); /* zeroed */
    s[0] = (ox_str){ bytes, 5 };
    s[2] = (ox_str){ bytes + 5, 3 };
    return t;
}

static void check_strings(const ox_tensor *t)
{
    const ox_str *s = t->data;
    ck_assert_int_eq(t->dtype, OX_STR);
    ck_assert(s[0].n == 5 && memcmp(s[0].s, "hello", 5) == 0);
    ck_assert_uint_eq(s[1].n, 0);
    ck_assert(s[2].n == 3 && memcmp(s[2].s, "abc", 3) == 0);
    ck_assert(ox_buf_owns_strings(t->buf));
}

START_TEST(tensor_strings_become_self_contained)
{
    size_t before = ox_buf_live();
    char *bytes = strdup("helloabc");
    ox_tensor t = borrowed_strings(bytes), cloned, kept, again;
    ck_assert_int_eq(ox_tensor_clone(&cloned, &t, NULL), OX_OK);
    ck_assert_int_eq(ox_tensor_keep(&kept, &t, NULL), OX_OK); /* buf is there, its bytes are not */
    ck_assert_ptr_ne(kept.data, t.data);
    ox_tensor_release(&t);
    memset(bytes, 'x', 8);
    free(bytes);
    ck_assert_int_eq(ox_tensor_keep(&again, &kept, NULL), OX_OK);
    ck_assert_ptr_eq(again.data, kept.data); /* self-contained now: shared */
    ox_tensor_release(&kept);
    check_strings(&cloned);
    check_strings(&again);
    ox_tensor_release(&cloned);
    ox_tensor_release(&again);
    ck_assert_uint_eq(ox_buf_live(), before);
}
END_TEST

/* ---- values ---- */

static ox_value number(float x)
{
    ox_value v = { .kind = OX_TENSOR };
    ck_assert_int_eq(ox_tensor_alloc(&v.t, OX_F32, 0, NULL, NULL), OX_OK);
    *(float *)v.t.data = x;
    return v;
}

START_TEST(sequence_basics)
{
    size_t before = ox_buf_live();
    ox_seq *s = ox_seq_create(1);
    for (int i = 0; i < 100; i++) {
        ox_value v = number((float)i);
        ck_assert_int_eq(ox_seq_push(s, &v, NULL), OX_OK);
        ck_assert(v.kind == OX_NONE && !v.t.buf); /* moved in */
    }
    ck_assert_uint_eq(ox_seq_size(s), 100);
    ck_assert(*(float *)ox_seq_at(s, 63)->t.data == 63);
    ck_assert_uint_ge(ox_buf_live(), before + 100 * (sizeof(ox_value) + 4));

    ox_value v = { .kind = OX_SEQUENCE, .seq = s }, kept, cloned;
    ck_assert_int_eq(ox_value_keep(&kept, &v, NULL), OX_OK);
    ck_assert_ptr_eq(kept.seq, s); /* counted, nothing borrowed inside: shared */
    ck_assert_int_eq(ox_value_clone(&cloned, &v, NULL), OX_OK);
    ck_assert_ptr_ne(cloned.seq, s);
    ck_assert_ptr_ne(ox_seq_at(cloned.seq, 0)->t.data, ox_seq_at(s, 0)->t.data);
    ox_value_release(&v);
    ck_assert(*(float *)ox_seq_at(kept.seq, 99)->t.data == 99);
    ck_assert(*(float *)ox_seq_at(cloned.seq, 99)->t.data == 99);
    ox_value_release(&kept);
    ox_value_release(&cloned);
    ck_assert_uint_eq(ox_buf_live(), before);
    ox_seq_unref(NULL);
    ck_assert_ptr_null(ox_seq_ref(NULL));
}
END_TEST

START_TEST(sequence_of_borrowed_is_copied)
{
    float memory = 4;
    char *bytes = strdup("helloabc");
    ox_seq *s = ox_seq_create(0), *outer = ox_seq_create(0);
    ox_value borrowed = { .kind = OX_TENSOR, .t = { .dtype = OX_F32, .data = &memory } };
    ox_value strings = { .kind = OX_TENSOR, .t = borrowed_strings(bytes) };
    ck_assert_int_eq(ox_seq_push(s, &borrowed, NULL), OX_OK);
    ck_assert_int_eq(ox_seq_push(s, &strings, NULL), OX_OK);
    ox_value inner = { .kind = OX_SEQUENCE, .seq = s }, kept;
    ck_assert_int_eq(ox_seq_push(outer, &inner, NULL), OX_OK);
    ox_value v = { .kind = OX_SEQUENCE, .seq = outer };
    ck_assert_int_eq(ox_value_keep(&kept, &v, NULL), OX_OK);
    ck_assert_ptr_ne(kept.seq, outer);
    ox_value_release(&v);
    memory = 0;
    memset(bytes, 'x', 8);
    free(bytes);
    const ox_seq *in = ox_seq_at(kept.seq, 0)->seq;
    ck_assert(*(float *)ox_seq_at(in, 0)->t.data == 4);
    check_strings(&ox_seq_at(in, 1)->t);
    ox_value_release(&kept);
}
END_TEST

START_TEST(sequence_over_the_cap)
{
    ox_error err = { 0 };
    size_t before = ox_buf_live();
    ox_buf_cap(before + 10 * sizeof(ox_value));
    ox_seq *s = ox_seq_create(0);
    ox_code code = OX_OK;
    int n = 0;
    for (; code == OX_OK && n < 1000; n++) { /* elements without memory of their own */
        ox_value v = { .kind = OX_TENSOR, .t = { .dtype = OX_F32, .rank = 1 } };
        code = ox_seq_push(s, &v, &err);
    }
    ck_assert_int_eq(code, OX_E_LIMIT);
    ck_assert_int_le(n, 11);
    ck_assert_ptr_null(ox_seq_create(1000));
    ck_assert_ptr_null(ox_seq_create(SIZE_MAX));
    ox_seq_unref(s);
    ox_buf_cap(0);
    ck_assert_uint_eq(ox_buf_live(), before);
}
END_TEST

START_TEST(map_basics)
{
    size_t before = ox_buf_live();
    char *bytes = strdup("helloabc");
    ox_tensor keys = borrowed_strings(bytes);
    ox_value values = { .kind = OX_TENSOR };
    ck_assert_int_eq(ox_tensor_alloc(&values.t, OX_F32, 1, (int64_t[]){ 3 }, NULL), OX_OK);
    memcpy(values.t.data, (float[]){ 1, 2, 3 }, 12);
    ox_map *m = ox_map_create(&keys, &values);
    ck_assert(m && !keys.buf && !values.t.buf);
    ox_value v = { .kind = OX_MAP, .map = m }, kept, shared, cloned;
    ck_assert_int_eq(ox_value_keep(&kept, &v, NULL), OX_OK); /* borrowed keys: copied */
    ck_assert_ptr_ne(kept.map, m);
    ck_assert_ptr_eq(ox_map_values(kept.map)->t.data, ox_map_values(m)->t.data);
    ox_value_release(&v);
    free(bytes);
    ck_assert_int_eq(ox_value_keep(&shared, &kept, NULL), OX_OK);
    ck_assert_ptr_eq(shared.map, kept.map);
    ck_assert_int_eq(ox_value_clone(&cloned, &kept, NULL), OX_OK);
    ox_value_release(&kept);
    ox_value_release(&shared);
    check_strings(ox_map_keys(cloned.map));
    ck_assert(ox_get_f64(&ox_map_values(cloned.map)->t, 2) == 3);
    ck_assert_ptr_eq(ox_map_ref(cloned.map), cloned.map);
    ox_map_unref(cloned.map);
    ox_value_release(&cloned);
    ck_assert_uint_eq(ox_buf_live(), before);
}
END_TEST

START_TEST(value_failures_leak_nothing)
{
    size_t before = ox_buf_live();
    ox_seq *s = ox_seq_create(3);
    for (int i = 0; i < 3; i++) {
        ox_value v = number((float)i);
        ck_assert_int_eq(ox_seq_push(s, &v, NULL), OX_OK);
    }
    ox_value v = { .kind = OX_SEQUENCE, .seq = s }, copy;
    size_t full = ox_buf_live() - before;
    for (size_t room = 0; room < full; room += 2) {
        ox_buf_cap(before + full + room);
        ox_error err = { 0 };
        ck_assert_int_eq(ox_value_clone(&copy, &v, &err), OX_E_LIMIT);
        ck_assert(!copy.seq && !copy.t.buf);
        ck_assert_uint_eq(ox_buf_live(), before + full);
    }
    ox_buf_cap(before + 2 * full);
    ck_assert_int_eq(ox_value_clone(&copy, &v, NULL), OX_OK);
    ox_buf_cap(0);
    ox_value_release(&copy);
    ox_value_release(&v);
    ck_assert_uint_eq(ox_buf_live(), before);
}
END_TEST

START_TEST(type_text)
{
    char buf[128], tiny[8];
    ox_type t = { .kind = OX_TENSOR, .dtype = OX_F32, .rank = 3, .dim = { 1, 3, -2 } };
    ck_assert_str_eq(ox_type_text(buf, sizeof(buf), &t), "tensor(f32)[1,3,?]");
    ck_assert_str_eq(ox_type_text(tiny, sizeof(tiny), &t), "tensor(");
    ox_type any = { .kind = OX_TENSOR, .dtype = OX_STR, .rank = -1 };
    ck_assert_str_eq(ox_type_text(buf, sizeof(buf), &any), "tensor(str)");
    ox_type scalar = { .kind = OX_SPARSE, .dtype = OX_F64 };
    ck_assert_str_eq(ox_type_text(buf, sizeof(buf), &scalar), "sparse(f64)[]");
    ox_type seq = { .kind = OX_SEQUENCE, .optional = true, .elem = &any };
    ck_assert_str_eq(ox_type_text(buf, sizeof(buf), &seq), "optional(seq(tensor(str)))");
    ox_type map = { .kind = OX_MAP, .key = OX_I64, .elem = &t };
    ck_assert_str_eq(ox_type_text(buf, sizeof(buf), &map), "map(i64,tensor(f32)[1,3,?])");
    map = (ox_type){ .kind = OX_MAP, .key = OX_STR, .dtype = OX_F32 };
    ck_assert_str_eq(ox_type_text(buf, sizeof(buf), &map), "map(str,f32)");
    ox_type unknown = { .kind = OX_SEQUENCE };
    ck_assert_str_eq(ox_type_text(buf, sizeof(buf), &unknown), "seq(?)");
    unknown = (ox_type){ .kind = OX_NONE };
    ck_assert_str_eq(ox_type_text(buf, sizeof(buf), &unknown), "?");
}
END_TEST

/* Every level gives the bits of plain loops. */
START_TEST(spans_of_levels)
{
    enum { MANY = 203 };
    const ox_spans *level[] = { &ox_spans_scalar, ox_spans_pick() };
    double a[MANY], b[MANY], bound[MANY], y[2][MANY], z[2][MANY], to[2][3] = { { 0 } };
    float f[MANY], g[2][MANY];
    for (int i = 0; i < MANY; i++) {
        a[i] = sin(i) * 3;
        f[i] = (float)cos(i * 1.7);
        b[i] = a[i] + 1e-3 * cos(i);
        bound[i] = i % 7 ? 1e-3 : NAN;
    }
    for (int n = 0; n <= MANY; n += 29)
        for (int k = 0; k < 2; k++) {
            const ox_spans *s = level[k];
            memset(y, 0, sizeof(y));
            memset(z, 0, sizeof(z));
            s->widen((size_t)n, f, y[k]);
            for (int i = 0; i < n; i++)
                ck_assert_double_eq(y[k][i], (double)f[i]);
            s->sum((size_t)n, a, f, y[k]);
            s->difference((size_t)n, a, b, g[k]);
            for (int i = 0; i < n; i++) {
                ck_assert_double_eq(y[k][i], a[i] + (double)f[i]);
                ck_assert_float_eq(g[k][i], (float)(a[i] - b[i]));
            }
            s->fold((size_t)n, a, y[k], z[k]);
            s->least((size_t)n, 2, b, 3, y[k], z[k]);
            for (int i = 0; i < n; i++)
                ck_assert_double_eq(z[k][i], fmin(2 * b[i], 3 * y[k][i]));
            memcpy(z[k], bound, sizeof(bound));
            s->bounds((size_t)n, 4, 1e-9, a, z[k]);
            for (int i = 0; i < n; i++)
                ck_assert_double_eq(z[k][i], 4 * (isnan(bound[i]) ? fabs(a[i]) : bound[i]) + 1e-9);
            memcpy(y[k], b, sizeof(b));
            s->add((size_t)n, -0.5, a, y[k]);
            s->add3((size_t)n / 2, (double[]){ 1, 2, 3 }, a, 4, y[k]);
            for (int i = 0; i < n / 2; i++)
                ck_assert_double_eq(y[k][i], b[i] - 0.5 * a[i] + (a[i] + 2 * a[i + 4] + 3 * a[i + 8]));
            for (int i = 0; i < MANY; i++)
                z[k][i] = 1e-3;
            ck_assert(s->within((size_t)n, a, b, z[k], 1.001, 1e-3 * 1.001));
            ck_assert(n == 0 || !s->within((size_t)n, a, b, z[k], 1.001, 1e-4));
            ck_assert(n == 0 || !s->within((size_t)n, a, b, bound, 1.001, 1));
            to[k][0] = to[k][1] = to[k][2] = 0;
            s->sizes((size_t)n, a, b, to[k]);
            ck_assert(memcmp(to[0], to[k], sizeof(to[0])) == 0);
            double size = 0, error = 0, most = 0;
            for (int i = 0; i < n; i++) {
                size += a[i] * a[i];
                error += (a[i] - b[i]) * (a[i] - b[i]);
                most = fmax(most, fabs(a[i] - b[i]));
            }
            ck_assert_double_eq_tol(to[k][0], size, 1e-12 * size + 1e-300);
            ck_assert_double_eq_tol(to[k][1], error, 1e-12 * error + 1e-300);
            ck_assert_double_eq(to[k][2], most);
        }
}
END_TEST

Suite *suite_tensor(void);
Suite *suite_tensor(void)
{
    Suite *s = suite_create("tensor");
    TCase *t = tcase_create("tensor");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, buffer_counts);
    tcase_add_test(t, buffer_wraps);
    tcase_add_test(t, buffer_cap);
    tcase_add_test(t, buffers_in_threads);
    tcase_add_test(t, shape_count);
    tcase_add_test(t, shape_text);
    tcase_add_test(t, tensor_basics);
    tcase_add_test(t, tensor_without_elements);
    tcase_add_test(t, tensor_converts);
    tcase_add_test(t, tensor_strings_become_self_contained);
    tcase_add_test(t, sequence_basics);
    tcase_add_test(t, sequence_of_borrowed_is_copied);
    tcase_add_test(t, sequence_over_the_cap);
    tcase_add_test(t, map_basics);
    tcase_add_test(t, value_failures_leak_nothing);
    tcase_add_test(t, type_text);
    tcase_add_test(t, spans_of_levels);
    suite_add_tcase(s, t);
    return s;
}
