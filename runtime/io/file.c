#include "runtime/io/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Below this reading is as fast as mapping, and a file that shrinks meanwhile is an error message
 * instead of a SIGBUS. */
enum { MAP_FROM = 16 << 20 };

typedef struct mapping {
    void  *at;
    size_t n;
} mapping;

static void unmap(void *ctx)
{
    mapping *m = ctx;
    munmap(m->at, m->n);
    free(m);
}

static ox_buf *map(int fd, size_t n)
{
    mapping *m = malloc(sizeof *m);
    if (!m)
        return NULL;
    m->n = n;
    m->at = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    if (m->at == MAP_FAILED) {
        free(m);
        return NULL;
    }
    ox_buf *b = ox_buf_wrap(m->at, n, unmap, m);
    if (!b)
        unmap(m);
    return b;
}

static ox_code read_all(int fd, const char *path, ox_buf *b, ox_error *err)
{
    char  *to = ox_buf_data(b);
    size_t n = ox_buf_size(b), at = 0;
    while (at < n) {
        ssize_t got = read(fd, to + at, n - at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return OX_FAIL(err, OX_E_IO, "cannot read %s: %s", path, strerror(errno));
        if (got == 0)
            return OX_FAIL(err, OX_E_IO, "%s shrank while it was read", path);
        at += (size_t)got;
    }
    return OX_OK;
}

static ox_code read_fd(int fd, const char *path, ox_buf **out, ox_error *err)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return OX_FAIL(err, OX_E_IO, "cannot read %s: %s", path, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return OX_FAIL(err, OX_E_IO, "%s is %s, not a file", path,
                       S_ISDIR(st.st_mode) ? "a folder" : "a device or pipe");
    if ((uintmax_t)st.st_size > SIZE_MAX / 2)
        return OX_FAIL(err, OX_E_LIMIT, "%s is too large for this machine", path);
    size_t n = (size_t)st.st_size;
    if (n >= MAP_FROM && (*out = map(fd, n)) != NULL)
        return OX_OK;
    if (!(*out = ox_buf_create(n)))
        return ox_buf_fail(n, err);
    ox_code code = read_all(fd, path, *out, err);
    if (code != OX_OK) {
        ox_buf_unref(*out);
        *out = NULL;
    }
    return code;
}

ox_code ox_file_read(const char *path, ox_buf **out, ox_error *err)
{
    *out = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe must not hang us */
    if (fd < 0)
        return OX_FAIL(err, OX_E_IO, "cannot open %s: %s", path, strerror(errno));
    ox_code code = read_fd(fd, path, out, err);
    close(fd);
    return code;
}
