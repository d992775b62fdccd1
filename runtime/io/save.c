#include "runtime/io/save.h"
#include "runtime/io/bundle.h"
#include "runtime/io/npy.h"
#include "runtime/io/zip.h"
#include "runtime/load/load.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef enum shape_of_path { TO_FOLDER, TO_NPZ, TO_NPY, TO_PB, TO_STREAM } shape_of_path;

struct ox_save {
    ox_out        *out;
    shape_of_path  to;
    bool           test_case;
    char           file[256]; /* name in the folder, unless TO_FOLDER */
    int            n;         /* values so far */
    FILE          *f;         /* TO_NPZ, TO_STREAM: open all the time */
    ox_zip_writer *zip;
};

static ox_code classify(ox_save *s, const char *path, ox_save_format format, char folder[4096],
                        ox_error *err)
{
    struct stat st;
    size_t n = strlen(path);
    bool is_folder = n > 0 && (path[n - 1] == '/' || (stat(path, &st) == 0 && S_ISDIR(st.st_mode)));
    if (n == 0 || n >= 4096)
        return OX_FAIL(err, OX_E_USAGE, "the output path is empty or too long");
    snprintf(folder, 4096, "%s", path);
    s->test_case = format == OX_SAVE_TEST_CASE;
    if (format == OX_SAVE_TEST_CASE || (format == OX_SAVE_BY_NAME && is_folder)) {
        for (; n > 1 && folder[n - 1] == '/'; n--)
            folder[n - 1] = 0;
        s->to = TO_FOLDER;
        return OX_OK;
    }
    if (is_folder)
        return OX_FAIL(err, OX_E_IO, "it is a folder");
    s->to = format == OX_SAVE_STREAM ? TO_STREAM : ox_has_suffix(path, ".npz") ? TO_NPZ
          : ox_has_suffix(path, ".npy") ? TO_NPY : TO_PB;
    if (s->to == TO_PB && !ox_has_suffix(path, ".pb"))
        return OX_FAIL(err, OX_E_USAGE, "it must be a folder or end in /, .npy, .npz or .pb");
    char *slash = strrchr(folder, '/');
    snprintf(s->file, sizeof s->file, "%.255s", slash ? slash + 1 : folder);
    if (strlen(slash ? slash + 1 : folder) >= sizeof s->file)
        return OX_FAIL(err, OX_E_IO, "the file name is too long");
    if (!slash)
        snprintf(folder, 4096, ".");
    else if (slash == folder)
        slash[1] = 0;
    else
        *slash = 0;
    return OX_OK;
}

static ox_code start(ox_save *s, const char *path, ox_save_format format, ox_error *err)
{
    char folder[4096];
    OX_TRY(classify(s, path, format, folder, err));
    OX_TRY(ox_out_create(folder, s->to == TO_FOLDER, &s->out, err));
    if (s->to != TO_NPZ && s->to != TO_STREAM)
        return OX_OK;
    OX_TRY(ox_out_open(s->out, s->file, &s->f, err));
    if (s->to == TO_NPZ && !(s->zip = ox_zip_writer_create(s->f)))
        return OX_FAIL(err, OX_E_NOMEM, "out of memory");
    return OX_OK;
}

ox_code ox_save_open(const char *path, ox_save_format format, ox_save **out, ox_error *err)
{
    ox_save *s = calloc(1, sizeof *s);
    *out = NULL;
    if (!s)
        return OX_FAIL(err, OX_E_NOMEM, "out of memory");
    ox_code code = start(s, path, format, err);
    if (code != OX_OK)
        ox_save_destroy(s);
    else
        *out = s;
    return code;
}

void ox_save_destroy(ox_save *s)
{
    if (!s)
        return;
    ox_zip_writer_destroy(s->zip);
    ox_out_destroy(s->out);
    free(s);
}

/* ---- one value ---- */

static ox_code save_pb(ox_save *s, const char *file, const char *name, const ox_value *v,
                       const ox_type *declared, ox_error *err)
{
    ox_buf *bytes;
    FILE   *f;
    OX_TRY(ox_pb_write_value(v, declared, name, &bytes, err));
    ox_code code = ox_out_open(s->out, file, &f, err);
    size_t  n = ox_buf_size(bytes);
    if (code == OX_OK && n > 0 && fwrite(ox_buf_data(bytes), 1, n, f) != n)
        code = OX_FAIL(err, OX_E_IO, "cannot write: %s", strerror(errno));
    ox_buf_unref(bytes);
    return code == OX_OK ? ox_out_close(s->out, err) : code;
}

static ox_code save_npy(ox_save *s, const char *file, const ox_tensor *t, ox_error *err)
{
    FILE *f;
    OX_TRY(ox_out_open(s->out, file, &f, err));
    OX_TRY(ox_npy_write(f, t, err));
    return ox_out_close(s->out, err);
}

/* zip wants size and checksum before the bytes: a first pass counts, a second writes. */
typedef struct measure {
    uint64_t size;
    uint32_t crc;
} measure;

static ox_code put_measure(void *ctx, const void *bytes, size_t n, ox_error *err)
{
    measure *m = ctx;
    (void)err;
    m->size += n;
    m->crc = ox_crc32(m->crc, bytes, n);
    return OX_OK;
}

static ox_code put_zip(void *ctx, const void *bytes, size_t n, ox_error *err)
{
    return ox_zip_put(ctx, bytes, n, err);
}

static ox_code save_npz(ox_save *s, const char *name, const ox_tensor *t, ox_error *err)
{
    char    member[1024];
    measure m = { 0 };
    if (snprintf(member, sizeof member, "%s.npy", name) >= (int)sizeof member)
        return OX_FAIL(err, OX_E_IO, "the name is too long");
    OX_TRY(ox_npy_emit(t, put_measure, &m, err));
    OX_TRY(ox_zip_begin(s->zip, member, m.size, m.crc, err));
    return ox_npy_emit(t, put_zip, s->zip, err);
}

ox_code ox_save_add(ox_save *s, const char *name, const ox_value *v, const ox_type *declared,
                    ox_error *err)
{
    char file[256];
    int  j = s->n++;
    if (s->test_case) {
        snprintf(file, sizeof file, "output_%d.pb", j);
        return save_pb(s, file, name, v, declared, err);
    }
    if ((s->to == TO_NPY || s->to == TO_PB) && j > 0)
        return OX_FAIL(err, OX_E_USAGE,
                       "there are several outputs: save them to a folder or an .npz");
    if (s->to == TO_PB)
        return save_pb(s, s->file, name, v, declared, err);
    if (v->kind != OX_TENSOR)
        return OX_FAIL(err, OX_E_UNSUPPORTED,
                       "numpy files hold tensors only: use .pb or --format test-case");
    if (s->to == TO_NPZ)
        return save_npz(s, name, &v->t, err);
    if (s->to == TO_NPY)
        return save_npy(s, s->file, &v->t, err);
    if (!ox_out_sanitise(file, sizeof file, name, ".npy"))
        return OX_FAIL(err, OX_E_IO, "the name is too long for a file: save to an .npz");
    return save_npy(s, file, &v->t, err);
}

ox_code ox_save_stream(ox_save *s, FILE **f, ox_error *err)
{
    *f = s->f;
    return s->to == TO_STREAM ? OX_OK : OX_FAIL(err, OX_E_USAGE, "this output is no stream");
}

ox_code ox_save_commit(ox_save *s, ox_error *err)
{
    if (s->zip)
        OX_TRY(ox_zip_finish(s->zip, err));
    return ox_out_commit(s->out, err);
}
