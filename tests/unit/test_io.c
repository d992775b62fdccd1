/* npy, npz and output files.  What numpy itself reads and writes is in tests/cli; here are the
 * corners and the hostile inputs. */
#include "runtime/io/bundle.h"
#include "runtime/io/npy.h"
#include "runtime/io/out.h"
#include "runtime/io/save.h"
#include "runtime/io/utf.h"
#include "runtime/io/zip.h"

#include <check.h>
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- helpers ---- */

static ox_buf *bytes_of(const void *p, size_t n)
{
    ox_buf *b = ox_buf_create(n);
    ck_assert_ptr_nonnull(b);
    if (n)
        memcpy(ox_buf_data(b), p, n);
    return b;
}

/* An .npy with that dict and those elements. */
static size_t make_npy(uint8_t *to, const char *dict, const void *data, size_t n_data)
{
    size_t n = strlen(dict);
    memcpy(to, "\x93NUMPY\x01\x00", 8);
    to[8] = (uint8_t)n;
    to[9] = (uint8_t)(n >> 8);
    memcpy(to + 10, dict, n);
    if (n_data)
        memcpy(to + 10 + n, data, n_data);
    return 10 + n + n_data;
}

static ox_code read_dict(const char *dict, const void *data, size_t n_data, ox_dtype declared,
                         ox_tensor *t, ox_error *err)
{
    uint8_t file[1024];
    size_t  n = make_npy(file, dict, data, n_data);
    *err = (ox_error){ 0 };
    return ox_npy_read(bytes_of(file, n), declared, t, err);
}

/* ---- npy ---- */

START_TEST(npy_reads_what_python_may_write)
{
    static const char *const good[] = {
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }",
        "{\"shape\":(2,),\"descr\":\"<f4\",\"fortran_order\":False}   \n",
        "{ 'shape' : ( 2L , ) , 'fortran_order' : True , 'descr' : '<f4' }",
    };
    const float x[2] = { 1, -2 };
    for (size_t i = 0; i < OX_COUNT(good); i++) {
        ox_tensor t;
        ox_error err;
        ck_assert_int_eq(read_dict(good[i], x, sizeof x, OX_UNDEFINED, &t, &err), OX_OK);
        ck_assert_int_eq(t.dtype, OX_F32);
        ck_assert_int_eq(t.rank, 1);
        ck_assert_mem_eq(t.data, x, sizeof x);
        ox_tensor_release(&t);
    }
}
END_TEST

START_TEST(npy_refuses_bad_headers)
{
    static const char *const bad[] = {
        "",
        "{",
        "{}",
        "[]",
        "{'descr': '<f4', 'fortran_order': False}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2,)} x",
        "{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (2,)}",
        "{'descr': '<f4', 'fortran_order': 0, 'shape': (2,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': [2]}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-2,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2,,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1)}",
        "{'descr': '<f3', 'fortran_order': False, 'shape': (2,)}",
        "{'descr': '<f16', 'fortran_order': False, 'shape': (2,)}",
        "{'descr': '<f4294967300', 'fortran_order': False, 'shape': (2,)}",
        "{'descr': '', 'fortran_order': False, 'shape': (2,)}",
        "{'descr': '|O', 'fortran_order': False, 'shape': (2,)}",
        "{'descr': '|V8', 'fortran_order': False, 'shape': (2,)}",
        "{'descr': '>V2', 'fortran_order': False, 'shape': (2,)}",
        "{'descr': '\\x3cf4', 'fortran_order': False, 'shape': (2,)}",
        "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296, 4294967296)}",
        "{'descr': '<U999999999', 'fortran_order': False, 'shape': (9999999999,)}",
    };
    const float x[2] = { 1, -2 };
    for (size_t i = 0; i < OX_COUNT(bad); i++) {
        ox_tensor t;
        ox_error err;
        ck_assert_msg(read_dict(bad[i], x, sizeof x, OX_UNDEFINED, &t, &err) != OX_OK,
                      "accepted: %s", bad[i]);
        ck_assert_msg(*err.message, "no message for: %s", bad[i]);
        ck_assert_ptr_null(t.buf);
    }
}
END_TEST

START_TEST(npy_narrow_types_need_a_declaration)
{
    const uint8_t x[3] = { 0x0f, 0x01, 0xf8 };
    const char *dict = "{'descr': '|V1', 'fortran_order': False, 'shape': (3,)}";
    ox_tensor t;
    ox_error err;
    ck_assert_int_eq(read_dict(dict, x, 3, OX_I4, &t, &err), OX_OK);
    ck_assert_int_eq(t.dtype, OX_I4);
    ck_assert_int_eq(((int8_t *)t.data)[0], -1); /* sign-extended, whatever the upper bits were */
    ck_assert_int_eq(((int8_t *)t.data)[2], -8);
    ox_tensor_release(&t);
    ck_assert_int_eq(read_dict(dict, x, 3, OX_U4, &t, &err), OX_OK);
    ck_assert_int_eq(((uint8_t *)t.data)[2], 8);
    ox_tensor_release(&t);
    ck_assert_int_eq(read_dict(dict, x, 3, OX_UNDEFINED, &t, &err), OX_OK);
    ck_assert_int_eq(t.dtype, OX_U8);
    ox_tensor_release(&t);
    ck_assert_int_eq(read_dict(dict, x, 3, OX_F32, &t, &err), OX_OK);
    ck_assert_int_eq(t.dtype, OX_U8);
    ox_tensor_release(&t);
}
END_TEST

START_TEST(npy_bool_is_zero_or_one)
{
    const uint8_t x[3] = { 0, 2, 255 };
    ox_tensor t;
    ox_error err;
    ck_assert_int_eq(read_dict("{'descr': '|b1', 'fortran_order': False, 'shape': (3,)}", x, 3,
                               OX_UNDEFINED, &t, &err),
                     OX_OK);
    ck_assert_mem_eq(t.data, ((uint8_t[]){ 0, 1, 1 }), 3);
    ox_tensor_release(&t);
}
END_TEST

START_TEST(npy_fortran_order_of_any_rank)
{
    int16_t x[24];
    for (int i = 0; i < 24; i++)
        x[i] = (int16_t)i;
    ox_tensor t;
    ox_error err;
    ck_assert_int_eq(read_dict("{'descr': '<i2', 'fortran_order': True, 'shape': (2, 3, 4)}", x,
                               sizeof x, OX_UNDEFINED, &t, &err),
                     OX_OK);
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 3; j++)
            for (int k = 0; k < 4; k++)
                ck_assert_int_eq(((int16_t *)t.data)[(i * 3 + j) * 4 + k], i + 2 * j + 6 * k);
    ox_tensor_release(&t);
}
END_TEST

START_TEST(npy_strings_are_unicode)
{
    const uint32_t good[4] = { 0x1f600, 0xdcff, 0, 0 }, surrogate[4] = { 0xd800, 0, 0, 0 },
                   beyond[4] = { 0x110000 };
    const char *dict = "{'descr': '<U2', 'fortran_order': False, 'shape': (2,)}";
    ox_tensor t;
    ox_error err;
    ck_assert_int_eq(read_dict(dict, good, sizeof good, OX_UNDEFINED, &t, &err), OX_OK);
    const ox_str *s = t.data;
    ck_assert_int_eq(s[0].n, 5);
    ck_assert_mem_eq(s[0].s, "\xf0\x9f\x98\x80\xff", 5);
    ck_assert_int_eq(s[1].n, 0);
    ox_tensor_release(&t);
    ck_assert_int_eq(read_dict(dict, surrogate, sizeof surrogate, OX_UNDEFINED, &t, &err),
                     OX_E_PARSE);
    ck_assert_int_eq(read_dict(dict, beyond, sizeof beyond, OX_UNDEFINED, &t, &err), OX_E_PARSE);
}
END_TEST

START_TEST(utf8_is_read_strictly)
{
    static const struct { const char *s; uint32_t first; size_t count;
    } rows[] = {
        { "a", 'a', 1 },
        { "\xc3\xa9", 0xe9, 1 },
        { "\xe2\x82\xac", 0x20ac, 1 },
        { "\xf0\x9f\x98\x80", 0x1f600, 1 },
        { "\xc0\x80", 0xdcc0, 2 },     /* overlong */
        { "\xed\xa0\x80", 0xdced, 3 }, /* surrogate */
        { "\xf4\x90\x80\x80", 0xdcf4, 4 },
        { "\xc3", 0xdcc3, 1 },
        { "\x80", 0xdc80, 1 },
        { "\xe2\x82", 0xdce2, 2 },
    };
    for (size_t i = 0; i < OX_COUNT(rows); i++) {
        const char *p = rows[i].s;
        ck_assert_uint_eq(ox_utf8_next(&p, rows[i].s + strlen(rows[i].s)), rows[i].first);
        ck_assert_uint_eq(ox_utf8_count(rows[i].s, strlen(rows[i].s)), rows[i].count);
    }
}
END_TEST

/* ---- files ---- */

static char folder[64];

static void make_folder(void)
{
    snprintf(folder, sizeof folder, "/tmp/onnxrun-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

static int entries(void)
{
    int n = 0;
    DIR *d = opendir(folder);
    for (struct dirent *e; (e = readdir(d));)
        n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    closedir(d);
    return n;
}

static void remove_folder(void)
{
    char path[512];
    DIR *d = opendir(folder);
    for (struct dirent *e; (e = readdir(d));) {
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        unlink(path);
    }
    closedir(d);
    ck_assert_int_eq(rmdir(folder), 0);
}

START_TEST(out_is_all_or_nothing)
{
    ox_out  *o;
    FILE    *f;
    ox_error err = { 0 };
    for (int how = 0; how < 3; how++) {
        ck_assert_int_eq(ox_out_create(folder, false, &o, &err), OX_OK);
        for (int i = 0; i < 12; i++) {
            char name[16];
            snprintf(name, sizeof name, "f%d", i);
            ck_assert_int_eq(ox_out_open(o, name, &f, &err), OX_OK);
            fputs("text", f);
            ck_assert_int_eq(ox_out_close(o, &err), OX_OK);
        }
        ck_assert_int_eq(entries(), 12);
        ck_assert_int_eq(ox_out_open(o, "f3", &f, &err), OX_E_IO); /* twice */
        err = (ox_error){ 0 };
        if (how == 1)
            ox_out_abandon();
        if (how == 2)
            ck_assert_int_eq(ox_out_commit(o, &err), OX_OK);
        ox_out_destroy(o);
        ck_assert_int_eq(entries(), how == 2 ? 12 : 0);
    }
}
END_TEST

START_TEST(out_names_stay_in_their_folder)
{
    char name[64];
    ck_assert(ox_out_sanitise(name, sizeof name, "../../etc/x y:0", ".npy"));
    ck_assert_str_eq(name, ".._.._etc_x_y_0.npy");
    ck_assert(ox_out_sanitise(name, sizeof name, "caf\xc3\xa9", ""));
    ck_assert_str_eq(name, "caf_");
    ck_assert(!ox_out_sanitise(name, 8, "abcdefgh", ""));
    ck_assert(!ox_out_sanitise(name, 8, "abcd", ".npy"));
    ck_assert(ox_out_sanitise(name, 8, "abc", ".npy"));
}
END_TEST

static void save_npz(const char *path)
{
    const float x[3] = { 1, 2, 3 };
    ox_value v = { .kind = OX_TENSOR,
                   .t = {
                       .dtype = OX_F32, .rank = 1, .dim = { 3 }, .data = (void *)(uintptr_t)x } };
    ox_save *s;
    ox_error err = { 0 };
    ck_assert_int_eq(ox_save_open(path, OX_SAVE_BY_NAME, &s, &err), OX_OK);
    ck_assert_int_eq(ox_save_add(s, "x", &v, NULL, &err), OX_OK);
    ck_assert_int_eq(ox_save_add(s, "y", &v, NULL, &err), OX_OK);
    ck_assert_int_eq(ox_save_add(s, "x", &v, NULL, &err), OX_E_IO);
    err = (ox_error){ 0 };
    ck_assert_int_eq(ox_save_commit(s, &err), OX_OK);
    ox_save_destroy(s);
}

START_TEST(npz_round_trip)
{
    char path[128];
    ox_bundle b;
    ox_error err = { 0 };
    snprintf(path, sizeof path, "%s/a.npz", folder);
    save_npz(path);
    ck_assert_int_eq(ox_bundle_read(&b, path, NULL, NULL, &err), OX_OK);
    ck_assert_uint_eq(b.n, 2);
    ck_assert_str_eq(b.item[1].name, "y");
    ck_assert_float_eq(((float *)b.item[1].v.t.data)[2], 3);
    ox_bundle_release(&b);
}
END_TEST

static size_t slurp(const char *path, uint8_t *to, size_t room)
{
    FILE *f = fopen(path, "rb");
    ck_assert_ptr_nonnull(f);
    size_t n = fread(to, 1, room, f);
    fclose(f);
    return n;
}

/* Every way to be wrong must be noticed, or at least be harmless: sanitizers watch. */
START_TEST(zip_survives_damage)
{
    char path[128];
    uint8_t good[4096], bad[4096];
    unsigned seed = 1;
    snprintf(path, sizeof path, "%s/a.npz", folder);
    save_npz(path);
    size_t n = slurp(path, good, sizeof good);
    for (int round = 0; round < 20000; round++) {
        size_t length = n;
        memcpy(bad, good, n);
        for (int k = 0; k < 1 + round % 3; k++) {
            seed = seed * 1103515245u + 12345u;
            bad[(seed >> 8) % n] = (uint8_t)(seed >> 24);
        }
        if (round % 5 == 0)
            length = (seed >> 4) % n;
        uint8_t *exact = malloc(length + !length); /* so that a read past the end is seen */
        memcpy(exact, bad, length);
        ox_zip z;
        if (ox_zip_open(&z, exact, length, NULL) == OX_OK) {
            for (size_t i = 0; i < z.n_member; i++) {
                ox_buf *b;
                ox_tensor t;
                if (ox_zip_extract(&z, i, &b, NULL) == OX_OK &&
                    ox_npy_read(b, OX_UNDEFINED, &t, NULL) == OX_OK)
                    ox_tensor_release(&t);
            }
            ox_zip_close(&z);
        }
        free(exact);
    }
}
END_TEST

START_TEST(npy_survives_damage)
{
    uint8_t good[512], x[48] = { 0 };
    unsigned seed = 7;
    size_t n =
        make_npy(good, "{'descr': '<U2', 'fortran_order': True, 'shape': (2, 3), }", x, sizeof x);
    for (int round = 0; round < 20000; round++) {
        size_t length = n;
        uint8_t bad[512];
        memcpy(bad, good, n);
        for (int k = 0; k < 1 + round % 4; k++) {
            seed = seed * 1103515245u + 12345u;
            bad[(seed >> 8) % n] = round % 2
                                       ? (uint8_t)(seed >> 24)
                                       : (uint8_t) "0123456789<>|()',UfSiucV"[(seed >> 20) % 24];
        }
        if (round % 7 == 0)
            length = (seed >> 4) % n;
        ox_tensor t;
        if (ox_npy_read(bytes_of(bad, length), OX_UNDEFINED, &t, NULL) == OX_OK)
            ox_tensor_release(&t);
    }
}
END_TEST

Suite *suite_io(void);
Suite *suite_io(void)
{
    Suite *s = suite_create("io");
    TCase *plain = tcase_create("npy"), *files = tcase_create("files");
    tcase_add_test(plain, npy_reads_what_python_may_write);
    tcase_add_test(plain, npy_refuses_bad_headers);
    tcase_add_test(plain, npy_narrow_types_need_a_declaration);
    tcase_add_test(plain, npy_bool_is_zero_or_one);
    tcase_add_test(plain, npy_fortran_order_of_any_rank);
    tcase_add_test(plain, npy_strings_are_unicode);
    tcase_add_test(plain, npy_survives_damage);
    tcase_add_test(plain, utf8_is_read_strictly);
    tcase_add_test(plain, out_names_stay_in_their_folder);
    tcase_add_checked_fixture(files, make_folder, remove_folder);
    tcase_add_test(files, out_is_all_or_nothing);
    tcase_add_test(files, npz_round_trip);
    tcase_add_test(files, zip_survives_damage);
    suite_add_tcase(s, plain);
    suite_add_tcase(s, files);
    return s;
}
