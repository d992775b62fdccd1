/* Files: mapped read-only where possible.  A model may name other files, and is not to be trusted
 * in that: they must be regular files below its own folder, reached without a symbolic link. */
#include "runtime/load/proto.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#if defined(__linux__)
#include <linux/openat2.h>
#include <sys/syscall.h>
#endif

struct ox_external {
    ox_model *model;
    ox_arena *arena;
    const char *folder;
    int folder_fd;  /* -1: not opened yet */
    ox_names names; /* location -> index in file */
    struct named_file {
        const uint8_t *bytes;
        size_t n;
    } * file;
    size_t n_file, cap_file;
};

void ox_file_close(void *bytes, size_t n_bytes)
{
    if (bytes && n_bytes)
        munmap(bytes, n_bytes);
}

void ox_file_free(void *bytes, size_t n_bytes)
{
    (void)n_bytes;
    free(bytes);
}

/* Reads what cannot be mapped to its end. */
static ox_code read_all(int fd, const char *path, uint8_t **bytes, size_t *n, ox_error *err)
{
    uint8_t *buffer = NULL;
    size_t used = 0, size = 0, most = ox_buf_capacity_left();
    for (;;) {
        if (used == size) {
            size_t more = size ? size * 2 : 1 << 16;
            uint8_t *grown = used >= most ? NULL : realloc(buffer, more);
            if (!grown) {
                free(buffer);
                return OX_FAIL(err, OX_E_LIMIT, "'%.200s': more than %zu bytes to read", path,
                               used);
            }
            buffer = grown;
            size = more;
        }
        ssize_t k = read(fd, buffer + used, size - used);
        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0) {
            free(buffer);
            return OX_FAIL(err, OX_E_IO, "cannot read '%.200s': %s", path, strerror(errno));
        }
        if (k == 0)
            break;
        used += (size_t)k;
    }
    *bytes = buffer;
    *n = used;
    return OX_OK;
}

static ox_code map(int fd, const char *path, const struct stat *st, uint8_t **bytes, size_t *n,
                   ox_error *err)
{
    if ((uintmax_t)st->st_size > SIZE_MAX / 2)
        return OX_FAIL(err, OX_E_LIMIT, "'%.200s': too large for this machine", path);
    *n = (size_t)st->st_size;
    *bytes = NULL;
    if (*n == 0)
        return OX_OK;
    void *p = mmap(NULL, *n, PROT_READ, MAP_PRIVATE, fd, 0);
    if (p == MAP_FAILED)
        return OX_FAIL(err, OX_E_IO, "cannot map '%.200s': %s", path, strerror(errno));
    *bytes = p;
    return OX_OK;
}

ox_code ox_file_open(const char *path, uint8_t **bytes, size_t *n, bool *mapped, ox_error *err)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0) {
        ox_code code = OX_FAIL(err, OX_E_IO, "cannot open '%.200s': %s", path, strerror(errno));
        if (fd >= 0)
            close(fd);
        return code;
    }
    ox_code code;
    *mapped = S_ISREG(st.st_mode) && st.st_size > 0;
    if (S_ISDIR(st.st_mode))
        code = OX_FAIL(err, OX_E_IO, "'%.200s' is a folder", path);
    else
        code = *mapped ? map(fd, path, &st, bytes, n, err) : read_all(fd, path, bytes, n, err);
    close(fd);
    return code;
}

/* ---- files that the model names ---- */

ox_external *ox_external_create(ox_model *m, ox_arena *a, const char *folder)
{
    ox_external *e = ox_arena_alloc(a, sizeof *e);
    if (e) {
        *e = (ox_external){.model = m, .arena = a, .folder = folder, .folder_fd = -1};
        ox_names_init(&e->names, a);
    }
    return e;
}

void ox_external_release(ox_external *e)
{
    if (e && e->folder_fd >= 0)
        close(e->folder_fd);
}

/* Why the location cannot be below the folder, or NULL.  The system is asked again when it is
 * opened. */
static const char *bad_location(const char *location)
{
    if (!*location)
        return "is empty";
    if (*location == '/')
        return "is an absolute path";
    for (const char *p = location;;) {
        size_t n = strcspn(p, "/");
        if (n == 2 && memcmp(p, "..", 2) == 0)
            return "leaves the model's folder";
        if (!p[n])
            return NULL;
        p += n + 1;
    }
}

enum { OPEN_FLAGS = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK }; /* a pipe must not block */

/* Folder after folder, none of them a link. */
static int open_stepwise(int folder_fd, const char *location)
{
    int at = folder_fd;
    char part[256];
    for (;;) {
        location += strspn(location, "/");
        size_t n = strcspn(location, "/");
        if (n == 0 || n >= sizeof part) {
            errno = n ? ENAMETOOLONG : EISDIR;
            n = 0;
        }
        memcpy(part, location, n);
        part[n] = 0;
        location += n;
        bool last = !location[strspn(location, "/")];
        int next = n ? openat(at, part, last ? OPEN_FLAGS : OPEN_FLAGS | O_DIRECTORY) : -1;
        int why = errno;
        if (at != folder_fd)
            close(at);
        errno = why;
        if (next < 0 || last)
            return next;
        at = next;
    }
}

static int open_below(int folder_fd, const char *location)
{
#if defined(SYS_openat2)
    struct open_how how = {.flags = OPEN_FLAGS,
                           .resolve =
                               RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
    int fd = (int)syscall(SYS_openat2, folder_fd, location, &how, sizeof how);
    if (fd >= 0 || (errno != ENOSYS && errno != EPERM && errno != EINVAL))
        return fd;
#endif
    return open_stepwise(folder_fd, location);
}

static ox_code open_location(ox_external *e, const char *location, uint8_t **bytes, size_t *n,
                             ox_error *err)
{
    const char *why = bad_location(location);
    if (why)
        return OX_FAIL(err, OX_E_GRAPH, "external data: location '%.100s' %s", location, why);
    if (e->folder_fd < 0)
        e->folder_fd = open(e->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (e->folder_fd < 0)
        return OX_FAIL(err, OX_E_IO, "external data: cannot open folder '%.200s': %s", e->folder,
                       strerror(errno));
    struct stat st;
    int fd = open_below(e->folder_fd, location);
    if (fd < 0 && (errno == ELOOP || errno == ENOTDIR || errno == EMLINK))
        return OX_FAIL(err, OX_E_GRAPH,
                       "external data: location '%.100s' goes through a symbolic link or a file",
                       location);
    if (fd < 0)
        return OX_FAIL(err, OX_E_IO, "external data: cannot open '%.100s' in '%.200s': %s",
                       location, e->folder, strerror(errno));
    ox_code code;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
        code = OX_FAIL(err, OX_E_GRAPH, "external data: '%.100s' is not a regular file", location);
    else
        code = map(fd, location, &st, bytes, n, err);
    close(fd);
    return code;
}

ox_code ox_external_find(ox_external *e, const char *location, const uint8_t **bytes, size_t *n,
                         ox_error *err)
{
    static const uint8_t nothing[1];
    int k = ox_names_get(&e->names, location, -1);
    if (k < 0) {
        uint8_t *p;
        size_t size;
        if (!ox_arena_grow(e->arena, (void **)&e->file, e->n_file, &e->cap_file, sizeof *e->file))
            return OX_FAIL(err, OX_E_NOMEM, "out of memory");
        OX_TRY(open_location(e, location, &p, &size, err));
        k = (int)e->n_file;
        if (!ox_names_put(&e->names, location, k) ||
            !ox_model_defer(e->model, ox_file_close, p, size)) {
            ox_file_close(p, size);
            return OX_FAIL(err, OX_E_NOMEM, "out of memory");
        }
        if (size && !ox_weights_mapped(e->model, p, size))
            return OX_FAIL(err, OX_E_NOMEM, "out of memory");
        e->model->n_bytes += size;
        e->file[e->n_file++] = (struct named_file){size ? p : nothing, size};
    }
    *bytes = e->file[k].bytes;
    *n = e->file[k].n;
    return OX_OK;
}
