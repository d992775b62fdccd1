#include "runtime/io/bundle.h"
#include "runtime/io/file.h"
#include "runtime/io/npy.h"
#include "runtime/io/zip.h"
#include "runtime/load/load.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

bool ox_has_suffix(const char *path, const char *suffix)
{
    size_t n = strlen(path), k = strlen(suffix);
    return n > k && strcmp(path + n - k, suffix) == 0;
}

/* Readers of bytes do not know where these came from: "path: " goes in front of what they said. */
static ox_code blame(ox_error *err, ox_code code, const char *path)
{
    if (err && code != OX_OK && !strstr(err->message, path)) {
        char said[sizeof err->message];
        memcpy(said, err->message, sizeof said);
        snprintf(err->message, sizeof err->message, "%.200s: %.300s", path, said);
    }
    return code;
}

ox_code ox_value_read(const char *path, const ox_type *declared, ox_value *out, ox_error *err)
{
    ox_buf *file;
    ox_code code;
    *out = (ox_value){ 0 };
    OX_TRY(ox_file_read(path, &file, err));
    if (ox_has_suffix(path, ".npy")) {
        out->kind = OX_TENSOR;
        code = ox_npy_read(file, declared ? declared->dtype : OX_UNDEFINED, &out->t, err);
    } else if (ox_has_suffix(path, ".pb")) {
        code = ox_pb_read_value(ox_buf_data(file), ox_buf_size(file), declared, out, err);
        ox_buf_unref(file);
    } else {
        code = OX_FAIL(err, OX_E_USAGE, "%s: data files end in .npy, .npz or .pb", path);
        ox_buf_unref(file);
    }
    if (code != OX_OK)
        *out = (ox_value){ 0 };
    return blame(err, code, path);
}

static ox_code add(ox_bundle *b, const char *name, size_t n_name, ox_value *take_v, ox_error *err)
{
    char *copy = strndup(name, n_name);
    if (copy && b->n == b->cap) {
        size_t cap = b->cap ? 2 * b->cap : 8;
        ox_named *grown = realloc(b->item, cap * sizeof *grown);
        if (grown) {
            b->item = grown;
            b->cap = cap;
        }
    }
    if (!copy || b->n == b->cap) {
        free(copy);
        ox_value_release(take_v);
        return OX_FAIL(err, OX_E_NOMEM, "out of memory");
    }
    b->item[b->n++] = (ox_named){ copy, *take_v };
    return OX_OK;
}

static ox_code read_npz(ox_bundle *b, const ox_zip *z, ox_type_of *type_of, void *ctx,
                        ox_error *err)
{
    for (size_t i = 0; i < z->n_member; i++) {
        char *name = z->member[i].name;
        ox_value v = { .kind = OX_TENSOR };
        ox_buf  *bytes;
        if (!ox_has_suffix(name, ".npy"))
            return OX_FAIL(err, OX_E_PARSE, "member \"%.80s\" is no array", name);
        size_t n_name = strlen(name) - 4;
        name[n_name] = 0;
        const ox_type *t = type_of ? type_of(ctx, name) : NULL;
        OX_TRY(ox_zip_extract(z, i, &bytes, err));
        OX_TRY(blame(err, ox_npy_read(bytes, t ? t->dtype : OX_UNDEFINED, &v.t, err), name));
        OX_TRY(add(b, name, n_name, &v, err));
    }
    return OX_OK;
}

static ox_code read_file(ox_bundle *b, const char *path, ox_type_of *type_of, void *ctx,
                         ox_error *err)
{
    if (ox_has_suffix(path, ".npz")) {
        ox_buf *file;
        ox_zip  z;
        OX_TRY(ox_file_read(path, &file, err));
        ox_code code = ox_zip_open(&z, ox_buf_data(file), ox_buf_size(file), err);
        if (code == OX_OK) {
            code = read_npz(b, &z, type_of, ctx, err);
            ox_zip_close(&z);
        }
        ox_buf_unref(file);
        return blame(err, code, path);
    }
    const char *base = strrchr(path, '/'), *dot;
    char  name[256];
    base = base ? base + 1 : path;
    dot = strrchr(base, '.');
    snprintf(name, sizeof name, "%.*s", (int)(dot ? dot - base : 255), base);
    ox_value v;
    OX_TRY(ox_value_read(path, type_of ? type_of(ctx, name) : NULL, &v, err));
    return add(b, name, strlen(name), &v, err);
}

/* By name, numbers in it by value: output_2 before output_10. */
static int by_number(const struct dirent **pa, const struct dirent **pb)
{
    const char *a = (*pa)->d_name, *b = (*pb)->d_name;
    for (; *a && *b; a++, b++) {
        if (isdigit((unsigned char)*a) && isdigit((unsigned char)*b)) {
            char *end_a, *end_b;
            unsigned long long x = strtoull(a, &end_a, 10), y = strtoull(b, &end_b, 10);
            if (x != y)
                return x < y ? -1 : 1;
            a = end_a - 1;
            b = end_b - 1;
        } else if (*a != *b) {
            break;
        }
    }
    return *a || *b ? (unsigned char)*a - (unsigned char)*b : strcmp((*pa)->d_name, (*pb)->d_name);
}

static int is_data(const struct dirent *e)
{
    return e->d_name[0] != '.' &&
           (ox_has_suffix(e->d_name, ".npy") || ox_has_suffix(e->d_name, ".pb"));
}

static ox_code read_folder(ox_bundle *b, const char *path, ox_type_of *type_of, void *ctx,
                           ox_error *err)
{
    struct dirent **entry;
    int     n = scandir(path, &entry, is_data, by_number);
    ox_code code = OX_OK;
    if (n < 0)
        return OX_FAIL(err, OX_E_IO, "cannot read the folder %s: %s", path, strerror(errno));
    for (int i = 0; i < n; i++) {
        char file[4096];
        if (code == OX_OK &&
            snprintf(file, sizeof file, "%s/%s", path, entry[i]->d_name) >= (int)sizeof file)
            code = OX_FAIL(err, OX_E_IO, "the path %.80s... is too long", path);
        if (code == OX_OK)
            code = read_file(b, file, type_of, ctx, err);
        free(entry[i]);
    }
    free(entry);
    if (code == OX_OK && n == 0)
        code = OX_FAIL(err, OX_E_IO, "%s holds no .npy or .pb file", path);
    return code;
}

ox_code ox_bundle_read(ox_bundle *b, const char *path, ox_type_of *type_of, void *ctx,
                       ox_error *err)
{
    struct stat st;
    *b = (ox_bundle){ 0 };
    bool folder = stat(path, &st) == 0 && S_ISDIR(st.st_mode);
    ox_code code =
        folder ? read_folder(b, path, type_of, ctx, err) : read_file(b, path, type_of, ctx, err);
    if (code != OX_OK)
        ox_bundle_release(b);
    return code;
}

void ox_bundle_release(ox_bundle *b)
{
    for (size_t i = 0; i < b->n; i++) {
        free(b->item[i].name);
        ox_value_release(&b->item[i].v);
    }
    free(b->item);
    *b = (ox_bundle){ 0 };
}
