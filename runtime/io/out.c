/* Temporary names are PREFIX<number>: the signal handler can rebuild them from a prefix and a
 * count, without reading any memory that the interrupted code may be changing. */
#include "runtime/io/out.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_LIVE = 16, MAX_PREFIX = 4096, MAX_NAME = 256, MAX_DIGITS = 12 };

/* What ox_out_abandon needs to know.  The only mutable global of this folder: a signal handler has
 * no other way to find its data. */
static struct live {
    atomic_int taken;  /* a slot belongs to somebody */
    atomic_int n;      /* temporary files made so far; read by the handler */
    atomic_int made;   /* the folder is ours to remove */
    char       folder[MAX_PREFIX];
    char       prefix[MAX_PREFIX];
} live[MAX_LIVE];

struct ox_out {
    struct live *live;
    FILE        *f;
    char       (*name)[MAX_NAME]; /* final names of the files 0..n */
    int          n, cap;
};

/* PREFIX<i> into to; by hand since snprintf is not async-signal-safe. */
static void temp_name(char *to, const char *prefix, int i)
{
    char digits[MAX_DIGITS];
    int  n = 0;
    do {
        digits[n++] = (char)('0' + i % 10);
        i /= 10;
    } while (i > 0);
    size_t at = strlen(prefix);
    memcpy(to, prefix, at);
    while (n > 0)
        to[at++] = digits[--n];
    to[at] = 0;
}

static void remove_files(struct live *l)
{
    char path[MAX_PREFIX + MAX_DIGITS];
    int  n = atomic_load(&l->n);
    for (int i = 0; i < n; i++) {
        temp_name(path, l->prefix, i);
        unlink(path);
    }
    if (atomic_load(&l->made))
        rmdir(l->folder); /* fails, as it should, when somebody else put a file there */
}

void ox_out_abandon(void)
{
    for (int i = 0; i < MAX_LIVE; i++)
        if (atomic_load(&live[i].taken) == 2)
            remove_files(&live[i]);
}

static struct live *take_slot(void)
{
    for (int i = 0; i < MAX_LIVE; i++) {
        int expected = 0;
        if (atomic_compare_exchange_strong(&live[i].taken, &expected, 1))
            return &live[i];
    }
    return NULL;
}

/* One try-out file: the folder's rights may not be what they seem (read-only mounts, quotas). */
static ox_code probe(const char *folder, const char *prefix, ox_error *err)
{
    char path[MAX_PREFIX + MAX_DIGITS];
    temp_name(path, prefix, 0);
    int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0666);
    if (fd < 0)
        return OX_FAIL(err, OX_E_IO, "cannot write to %s: %s", folder, strerror(errno));
    close(fd);
    unlink(path);
    return OX_OK;
}

/* It is ours to remove before it exists: a signal must not fall between. */
static ox_code make_folder(struct live *l, ox_error *err)
{
    struct stat st;
    if (stat(l->folder, &st) == 0)
        return OX_OK; /* or a file: the probe says so */
    atomic_store(&l->made, 1);
    if (mkdir(l->folder, 0777) == 0)
        return OX_OK;
    atomic_store(&l->made, 0);
    if (errno == EEXIST)
        return OX_OK;
    return OX_FAIL(err, OX_E_IO, "cannot create the folder %s: %s", l->folder, strerror(errno));
}

ox_code ox_out_create(const char *folder, bool make, ox_out **out, ox_error *err)
{
    static atomic_int serial;
    *out = NULL;
    struct live *l = take_slot();
    if (!l)
        return OX_FAIL(err, OX_E_LIMIT, "more than %d outputs are being written at once", MAX_LIVE);
    atomic_store(&l->n, 0);
    atomic_store(&l->made, 0);
    int a = snprintf(l->folder, sizeof l->folder, "%s", folder);
    int b = snprintf(l->prefix, sizeof l->prefix, "%s/.onnxrun-%ld-%d-", folder, (long)getpid(),
                     atomic_fetch_add(&serial, 1));
    ox_code code = OX_OK;
    if (a < 0 || b < 0 || (size_t)b + MAX_NAME >= sizeof l->prefix)
        code = OX_FAIL(err, OX_E_IO, "output path is too long");
    atomic_store(&l->taken, 2);
    if (code == OX_OK && make)
        code = make_folder(l, err);
    if (code == OX_OK) {
        atomic_store(&l->n, 1);
        code = probe(folder, l->prefix, err);
        atomic_store(&l->n, 0);
    }
    ox_out *o = code == OX_OK ? calloc(1, sizeof *o) : NULL;
    if (code == OX_OK && !o)
        code = OX_FAIL(err, OX_E_NOMEM, "out of memory");
    if (code != OX_OK) {
        remove_files(l);
        atomic_store(&l->taken, 0);
        return code;
    }
    o->live = l;
    *out = o;
    return OX_OK;
}

/* A file of the folder, or of a folder in it. */
static bool below(const char *name)
{
    const char *slash = strchr(name, '/');
    return !slash || (slash != name && *name != '.' && !strchr(slash + 1, '/') && slash[1] != '.');
}

/* The folder that a file's name begins with, as a path; false: none. */
static bool folder_of(const ox_out *o, const char *name, char path[MAX_PREFIX + MAX_NAME])
{
    const char *slash = strchr(name, '/');
    if (slash)
        snprintf(path, MAX_PREFIX + MAX_NAME, "%s/%.*s", o->live->folder, (int)(slash - name), name);
    return slash != NULL;
}

static ox_code check_name(ox_out *o, const char *name, ox_error *err)
{
    char path[MAX_PREFIX + MAX_NAME];
    struct stat st;
    for (int i = 0; i < o->n; i++)
        if (strcmp(o->name[i], name) == 0)
            return OX_FAIL(err, OX_E_IO, "two outputs would both be called %s: save to an .npz",
                           name);
    if (strlen(name) >= MAX_NAME || !below(name))
        return OX_FAIL(err, OX_E_IO, "\"%.60s\" is no file name", name);
    snprintf(path, sizeof path, "%s/%s", o->live->folder, name);
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        return OX_FAIL(err, OX_E_IO, "cannot write %s: it is a folder", path);
    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) /* a rename would replace the device */
        return OX_FAIL(err, OX_E_IO, "cannot write %s: it is no regular file", path);
    return OX_OK;
}

ox_code ox_out_open(ox_out *o, const char *name, FILE **f, ox_error *err)
{
    char path[MAX_PREFIX + MAX_DIGITS];
    *f = NULL;
    OX_TRY(check_name(o, name, err));
    if (o->n == o->cap) {
        int   cap = o->cap ? 2 * o->cap : 8;
        void *grown = realloc(o->name, (size_t)cap * sizeof *o->name);
        if (!grown)
            return OX_FAIL(err, OX_E_NOMEM, "out of memory");
        o->name = grown;
        o->cap = cap;
    }
    temp_name(path, o->live->prefix, o->n);
    atomic_store(&o->live->n, o->n + 1); /* before it exists: a signal must not fall between */
    int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0666);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "wb");
    if (!file) {
        ox_code code =
            OX_FAIL(err, OX_E_IO, "cannot write %s/%s: %s", o->live->folder, name, strerror(errno));
        if (fd >= 0)
            close(fd);
        return code;
    }
    snprintf(o->name[o->n++], MAX_NAME, "%s", name);
    *f = o->f = file;
    return OX_OK;
}

ox_code ox_out_close(ox_out *o, ox_error *err)
{
    FILE *f = o->f;
    if (!f)
        return OX_OK;
    o->f = NULL;
    errno = 0;
    bool bad = ferror(f);
    bad |= fclose(f) != 0;
    if (bad)
        return OX_FAIL(err, OX_E_IO, "cannot write %s/%s: %s", o->live->folder, o->name[o->n - 1],
                       strerror(errno ? errno : EIO));
    return OX_OK;
}

ox_code ox_out_commit(ox_out *o, ox_error *err)
{
    char from[MAX_PREFIX + MAX_DIGITS], to[MAX_PREFIX + MAX_NAME];
    OX_TRY(ox_out_close(o, err));
    for (int i = 0; i < o->n; i++) {
        temp_name(from, o->live->prefix, i);
        if (folder_of(o, o->name[i], to))
            mkdir(to, 0777); /* where that fails, so does what follows */
        snprintf(to, sizeof to, "%s/%s", o->live->folder, o->name[i]);
        if (rename(from, to) == 0)
            continue;
        ox_code code = OX_FAIL(err, OX_E_IO, "cannot write %s: %s", to, strerror(errno));
        while (i-- > 0) { /* all or nothing */
            snprintf(to, sizeof to, "%s/%s", o->live->folder, o->name[i]);
            unlink(to);
            if (folder_of(o, o->name[i], to))
                rmdir(to); /* the last of its files gone */
        }
        return code;
    }
    atomic_store(&o->live->made, 0);
    atomic_store(&o->live->n, 0);
    o->n = 0;
    return OX_OK;
}

void ox_out_destroy(ox_out *o)
{
    if (!o)
        return;
    if (o->f)
        fclose(o->f);
    remove_files(o->live);
    atomic_store(&o->live->taken, 0);
    free(o->name);
    free(o);
}

bool ox_out_sanitise(char *to, size_t n_to, const char *name, const char *suffix)
{
    size_t n = 0;
    for (; *name && n < n_to; name++) {
        unsigned char c = (unsigned char)*name;
        if ((c & 0xc0) == 0x80)
            continue; /* a character of several bytes is one '_' */
        bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                     c == '.' || c == '_' || c == '-';
        to[n++] = plain ? (char)c : '_';
    }
    size_t n_suffix = strlen(suffix);
    if (n_suffix + 1 > n_to - OX_MIN(n, n_to))
        return false;
    memcpy(to + n, suffix, n_suffix + 1);
    return true;
}
