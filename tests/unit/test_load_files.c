/* Files: external data, the hostile models of tests/bad, the corpus of the fuzz target. */
#include "runtime/load/load.h"
#include "tests/unit/pb.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static ox_error err;
static ox_model *model;

static void set_up(void)
{
    err = (ox_error){0};
    model = NULL;
}
static void tear_down(void)
{
    ox_model_destroy(model);
}

static const ox_tensor *weights(void)
{
    int v = ox_graph_find_value(model->graph, "w");
    ck_assert_int_ge(v, 0);
    return model->graph->value[v].constant;
}

/* ---- external data ---- */

static char folder[] = "/tmp/onnxrun-test-XXXXXX";

static void write_file(const char *name, const void *p, size_t n)
{
    char path[200];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "wb");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(p, 1, n, f), n);
    ck_assert_int_eq(fclose(f), 0);
}

/* y = x + w with w = f32[2] in another file; NULL: that entry is left out. */
static ox_code load_external(const char *location, const char *offset, const char *length)
{
    const char *entries[][2] = {{"location", location}, {"offset", offset}, {"length", length}};
    pb g = pb_graph_xy(), t = {0};
    pb_int(&t, TENSOR_DIM, 2);
    pb_int(&t, TENSOR_TYPE, 1);
    pb_str(&t, TENSOR_NAME, "w");
    pb_int(&t, TENSOR_LOCATION, 1);
    for (int i = 0; i < 3; i++) {
        pb e = {0};
        if (!entries[i][1])
            continue;
        pb_str(&e, 1, entries[i][0]);
        pb_str(&e, 2, entries[i][1]);
        pb_put(&t, TENSOR_EXTERNAL, &e);
    }
    pb_put(&g, GRAPH_INIT, &t);
    pb_add_node(&g, "a", "Add", "x,w", "y", NULL);
    pb m = pb_model(&g, 13);
    char path[200];
    write_file("m.onnx", m.b, m.n);
    pb_free(&m);
    snprintf(path, sizeof path, "%s/m.onnx", folder);
    ox_model_destroy(model);
    err = (ox_error){0};
    return ox_load_file(path, NULL, &model, &err);
}

START_TEST(external_data)
{
    static const struct {
        const char *location, *offset, *length, *message;
    } bad[] = {
        {"/etc/passwd", NULL, NULL, "is an absolute path"},
        {"../m.onnx", NULL, NULL, "leaves the model's folder"},
        {"sub/../../m.onnx", NULL, NULL, "leaves the model's folder"},
        {"link", "8", "8", "symbolic link"},
        {"linked/data", "8", "8", "symbolic link"},
        {"pipe", NULL, NULL, "not a regular file"},
        {"sub", NULL, NULL, "not a regular file"},
        {"absent", NULL, NULL, "cannot open 'absent'"},
        {"", NULL, NULL, "is empty"},
        {NULL, NULL, NULL, "without a location"},
        {"data", "16", "8", "8 bytes at offset 16, the file has 20"},
        {"data", "999999999999999999", "8", "at offset 999999999999999999"},
        {"data", "99999999999999999999999", "8", "not numbers"},
        {"data", "-8", "8", "not numbers"},
        {"data", "0", "20", "20 bytes of external data, f32[2] needs 8"},
    };
    static const char data[] = "........\0\0\200\077\0\0\0\100abc";
    char path[200], to[200];
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/sub", folder);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    write_file("data", data, 20);
    write_file("sub/data", data, 20);
    snprintf(path, sizeof path, "%s/pipe", folder);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    snprintf(path, sizeof path, "%s/link", folder);
    ck_assert_int_eq(symlink("data", path), 0);
    snprintf(path, sizeof path, "%s/linked", folder);
    ck_assert_int_eq(symlink("sub", path), 0);
    for (size_t i = 0; i < OX_COUNT(bad); i++) {
        ck_assert_int_ne(load_external(bad[i].location, bad[i].offset, bad[i].length), OX_OK);
        ck_assert_msg(strstr(err.message, bad[i].message) != NULL, "%zu: %s", i, err.message);
        ck_assert_ptr_nonnull(strstr(err.message, bad[i].location ? "initializer 'w'" : ""));
    }
    static const char *good[] = {"data", "./data", "sub/data", "sub//data"};
    for (size_t i = 0; i < OX_COUNT(good); i++)
        for (int k = 0; k < 2; k++) {
            ck_assert_msg(load_external(good[i], "8", k ? NULL : "8") == OX_OK, "%s", err.message);
            const float *w = weights()->data;
            ck_assert(w[0] == 1 && w[1] == 2);
        }
    ck_assert_int_eq(load_external("data", "10", "8"), OX_OK); /* misaligned: copied */
    ck_assert_uint_eq((uintptr_t)weights()->data % 4, 0);
    snprintf(to, sizeof to, "rm -r %s", folder);
    ck_assert_int_eq(system(to), 0);
}
END_TEST

/* ---- the hostile models that the command line is tested with, as far as loading refuses them ----
 */

START_TEST(bad_models)
{
    FILE *f = fopen("tests/bad/expected.tsv", "r");
    char line[1000], path[1200];
    int n_files = 0;
    ck_assert_msg(f != NULL, "run from the top folder: tests/bad/expected.tsv is not here");
    while (fgets(line, sizeof line, f)) {
        char *args = strchr(line, '\t'), *message = args ? strchr(args + 1, '\t') : NULL;
        ck_assert_ptr_nonnull(message);
        if (*line == '#' || message != args + 1) /* with arguments: fails later */
            continue;
        *args = 0;
        message++;
        message[strcspn(message, "\n")] = 0;
        snprintf(path, sizeof path, "tests/bad/%s", line);
        err = (ox_error){0};
        ox_model_destroy(model);
        ox_code code = ox_load_file(path, NULL, &model, &err);
        if (code == OX_OK)
            code = ox_graph_bind(model->graph, &err);
        ck_assert_msg(code != OX_OK, "%s loads", path);
        ck_assert_msg(strstr(err.message, message) != NULL, "%s: %s", path, err.message);
        n_files++;
    }
    fclose(f);
    ck_assert_int_gt(n_files, 30);
}
END_TEST

/* ---- hostile files kept from fuzzing, through the fuzz target itself ---- */
#include "tests/fuzz/fuzz_load.c"

START_TEST(fuzz_corpus)
{
    static const char corpus[] = "tests/fuzz/corpus/load";
    DIR *d = opendir(corpus);
    int n_files = 0;
    ck_assert_msg(d != NULL, "run from the top folder: %s is not here", corpus);
    for (struct dirent *e; (e = readdir(d));) {
        char path[400];
        static uint8_t bytes[1 << 20];
        if (*e->d_name == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", corpus, e->d_name);
        FILE *f = fopen(path, "rb");
        ck_assert_ptr_nonnull(f);
        size_t n = fread(bytes, 1, sizeof bytes, f);
        fclose(f);
        ck_assert_int_eq(LLVMFuzzerTestOneInput(bytes, n), 0);
        for (size_t k = 0; k < n && k < 400; k++) { /* and its neighbours */
            bytes[k] ^= 1 << (k & 7);
            ck_assert_int_eq(LLVMFuzzerTestOneInput(bytes, n), 0);
            bytes[k] ^= 1 << (k & 7);
        }
        n_files++;
    }
    closedir(d);
    ck_assert_int_gt(n_files, 0);
}
END_TEST

Suite *suite_load_files(void);
Suite *suite_load_files(void)
{
    Suite *s = suite_create("load_files");
    TCase *c = tcase_create("load_files");
    tcase_set_timeout(c, 60);
    tcase_add_checked_fixture(c, set_up, tear_down);
    tcase_add_test(c, external_data);
    tcase_add_test(c, bad_models);
    tcase_add_test(c, fuzz_corpus);
    suite_add_tcase(s, c);
    return s;
}
