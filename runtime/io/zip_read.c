#include "runtime/io/zip.h"

#include <stdlib.h>
#include <string.h>
#ifdef OX_HAVE_ZLIB
#define ZLIB_CONST
#include <zlib.h>
#endif

enum {
    END_SIZE = 22, END64_SIZE = 56, LOCATOR_SIZE = 20, CENTRAL_SIZE = 46, LOCAL_SIZE = 30,
    MAX_COMMENT = 65535, MAX_MEMBER = 1 << 20, MAX_RATIO = 1040 /* deflate: at most 1032 */
};

static uint64_t le(const uint8_t *p, int n)
{
    uint64_t v = 0;
    while (n-- > 0)
        v = v << 8 | p[n];
    return v;
}

static ox_code bad(ox_error *err, const char *what)
{
    return OX_FAIL(err, OX_E_PARSE, "not a valid .npz (zip) file: %s", what);
}

typedef struct directory {
    uint64_t offset, size, count;
} directory;

static ox_code find_directory(const ox_zip *z, directory *d, ox_error *err)
{
    if (z->n < END_SIZE)
        return bad(err, "it is too short");
    size_t at = z->n - END_SIZE, last = at > MAX_COMMENT ? at - MAX_COMMENT : 0;
    while (le(z->p + at, 4) != 0x06054b50 || at + END_SIZE + le(z->p + at + 20, 2) != z->n) {
        if (at-- == last)
            return bad(err, "its directory is missing (cut off?)");
    }
    const uint8_t *e = z->p + at;
    *d = (directory){ le(e + 16, 4), le(e + 12, 4), le(e + 10, 2) };
    if (le(e + 4, 2) != 0 || le(e + 6, 2) != 0 || le(e + 8, 2) != d->count)
        return bad(err, "it spans several disks");
    if (at >= LOCATOR_SIZE && le(e - LOCATOR_SIZE, 4) == 0x07064b50) {
        uint64_t end = le(e - LOCATOR_SIZE + 8, 8);
        if (end > at - LOCATOR_SIZE || at - LOCATOR_SIZE - end < END64_SIZE ||
            le(z->p + end, 4) != 0x06064b50)
            return bad(err, "its zip64 directory is misplaced");
        *d = (directory){ le(z->p + end + 48, 8), le(z->p + end + 40, 8), le(z->p + end + 32, 8) };
    }
    if (d->offset > at || d->size > at - d->offset)
        return bad(err, "its directory lies outside of the file");
    if (d->count > MAX_MEMBER || d->count > d->size / CENTRAL_SIZE)
        return bad(err, "its directory has an impossible number of entries");
    return OX_OK;
}

/* Sizes and offset that do not fit 32 bits are in the extra field 1, in this order. */
static bool zip64(const uint8_t *x, size_t n, uint64_t *size, uint64_t *packed, uint64_t *offset)
{
    for (; n >= 4; ) {
        size_t id = le(x, 2), length = le(x + 2, 2);
        if (length > n - 4)
            return false;
        if (id == 1) {
            const uint8_t *p = x + 4;
            uint64_t *field[] = { size, packed, offset };
            for (size_t i = 0; i < 3; i++) {
                if (*field[i] != UINT32_MAX)
                    continue;
                if (length < 8)
                    return false;
                *field[i] = le(p, 8);
                p += 8;
                length -= 8;
            }
            return true;
        }
        x += 4 + length;
        n -= 4 + length;
    }
    return *size != UINT32_MAX && *packed != UINT32_MAX && *offset != UINT32_MAX;
}

/* The local header repeats the name and says where the data begins. */
static ox_code locate(const ox_zip *z, ox_zip_member *m, uint64_t local, uint64_t limit,
                      ox_error *err)
{
    if (local > limit || limit - local < LOCAL_SIZE || le(z->p + local, 4) != 0x04034b50)
        return bad(err, "a member's header is missing");
    const uint8_t *h = z->p + local;
    uint64_t n_name = le(h + 26, 2), start = local + LOCAL_SIZE + n_name + le(h + 28, 2);
    if (start > limit || m->packed > limit - start)
        return bad(err, "a member lies outside of the file");
    if (n_name != strlen(m->name) || memcmp(h + LOCAL_SIZE, m->name, n_name) != 0)
        return bad(err, "a member has two different names");
    m->offset = (size_t)start;
    return OX_OK;
}

static ox_code read_entry(ox_zip *z, const uint8_t **p, const uint8_t *end, uint64_t limit,
                          ox_error *err)
{
    const uint8_t *h = *p;
    if (end - h < CENTRAL_SIZE || le(h, 4) != 0x02014b50)
        return bad(err, "its directory is damaged");
    size_t n_name = le(h + 28, 2), n_extra = le(h + 30, 2), n_comment = le(h + 32, 2);
    if ((size_t)(end - h) - CENTRAL_SIZE < n_name + n_extra + n_comment)
        return bad(err, "its directory is damaged");
    uint64_t packed = le(h + 20, 4), size = le(h + 24, 4), local = le(h + 42, 4);
    if (le(h + 8, 2) & 1)
        return bad(err, "a member is encrypted");
    if (!zip64(h + CENTRAL_SIZE + n_name, n_extra, &size, &packed, &local))
        return bad(err, "a member's zip64 sizes are missing");
    if (memchr(h + CENTRAL_SIZE, 0, n_name) || n_name == 0)
        return bad(err, "a member's name is empty or holds a NUL");
    if (packed > SIZE_MAX / 2 || size > SIZE_MAX / 2)
        return bad(err, "a member is impossibly large");
    ox_zip_member *m = &z->member[z->n_member];
    *m = (ox_zip_member){ strndup((const char *)h + CENTRAL_SIZE, n_name), 0, (size_t)packed,
                          (size_t)size, (uint32_t)le(h + 16, 4), (int)le(h + 10, 2) };
    if (!m->name)
        return OX_FAIL(err, OX_E_NOMEM, "out of memory");
    z->n_member++;
    *p = h + CENTRAL_SIZE + n_name + n_extra + n_comment;
    if (m->method != 0 && m->method != 8)
        return OX_FAIL(err, OX_E_UNSUPPORTED,
                       "a member of the .npz file is compressed with method %d (0 and 8 are read)",
                       m->method);
    if (m->method == 0 ? m->packed != m->size : m->size / MAX_RATIO > m->packed)
        return bad(err, "a member's two sizes contradict each other");
    return locate(z, m, local, limit, err);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static ox_code unique(const ox_zip *z, ox_error *err)
{
    char  **name = calloc(z->n_member + 1, sizeof *name);
    ox_code code = OX_OK;
    if (!name)
        return OX_FAIL(err, OX_E_NOMEM, "out of memory");
    for (size_t i = 0; i < z->n_member; i++)
        name[i] = z->member[i].name;
    qsort(name, z->n_member, sizeof *name, by_name);
    for (size_t i = 1; i < z->n_member && code == OX_OK; i++)
        if (strcmp(name[i - 1], name[i]) == 0)
            code = OX_FAIL(err, OX_E_PARSE, "not a valid .npz (zip) file: it holds \"%.80s\" twice",
                           name[i]);
    free(name);
    return code;
}

static ox_code read_directory(ox_zip *z, ox_error *err)
{
    directory d = { 0 };
    OX_TRY(find_directory(z, &d, err));
    if (!(z->member = calloc((size_t)d.count + 1, sizeof *z->member)))
        return OX_FAIL(err, OX_E_NOMEM, "out of memory");
    const uint8_t *p = z->p + d.offset, *end = p + d.size;
    for (uint64_t i = 0; i < d.count; i++)
        OX_TRY(read_entry(z, &p, end, d.offset, err));
    return unique(z, err);
}

ox_code ox_zip_open(ox_zip *z, const uint8_t *p, size_t n, ox_error *err)
{
    *z = (ox_zip){ .p = p, .n = n };
    ox_code code = read_directory(z, err);
    if (code != OX_OK)
        ox_zip_close(z);
    return code;
}

void ox_zip_close(ox_zip *z)
{
    for (size_t i = 0; i < z->n_member; i++)
        free(z->member[i].name);
    free(z->member);
    *z = (ox_zip){ 0 };
}

#ifdef OX_HAVE_ZLIB
static ox_code expand(uint8_t *to, size_t n_to, const uint8_t *from, size_t n_from, ox_error *err)
{
    z_stream s = { 0 };
    int      status = Z_OK;
    if (inflateInit2(&s, -MAX_WBITS) != Z_OK)
        return OX_FAIL(err, OX_E_NOMEM, "out of memory");
    s.next_in = from;
    s.next_out = to;
    size_t in = n_from, out = n_to;
    while (status == Z_OK) { /* zlib counts in unsigned int */
        s.avail_in = (unsigned)OX_MIN(in, (size_t)1 << 30);
        s.avail_out = (unsigned)OX_MIN(out, (size_t)1 << 30);
        size_t had_in = s.avail_in, had_out = s.avail_out;
        status = inflate(&s, Z_NO_FLUSH);
        in -= had_in - s.avail_in;
        out -= had_out - s.avail_out;
        if (status == Z_OK && had_in == s.avail_in && had_out == s.avail_out)
            break;
    }
    inflateEnd(&s);
    if (status != Z_STREAM_END || out != 0 || in != 0)
        return bad(err, "a member's compressed data is damaged");
    return OX_OK;
}
#else
static ox_code expand(uint8_t *to, size_t n_to, const uint8_t *from, size_t n_from, ox_error *err)
{
    (void)to, (void)n_to, (void)from, (void)n_from;
    return OX_FAIL(err, OX_E_UNSUPPORTED, "this build reads no compressed .npz (it lacks zlib)");
}
#endif

ox_code ox_zip_extract(const ox_zip *z, size_t i, ox_buf **out, ox_error *err)
{
    const ox_zip_member *m = &z->member[i];
    const uint8_t *from = z->p + m->offset;
    ox_buf *b = ox_buf_create(m->size);
    ox_code code = OX_OK;
    *out = NULL;
    if (!b)
        return ox_buf_fail(m->size, err);
    if (m->method == 8)
        code = expand(ox_buf_data(b), m->size, from, m->packed, err);
    else if (m->size > 0)
        memcpy(ox_buf_data(b), from, m->size);
    if (code == OX_OK && ox_crc32(0, ox_buf_data(b), m->size) != m->crc)
        code = OX_FAIL(err, OX_E_PARSE, "\"%.80s\" is damaged: its checksum is wrong", m->name);
    if (code != OX_OK)
        ox_buf_unref(b);
    else
        *out = b;
    return code;
}
