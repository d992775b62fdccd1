#include "runtime/io/zip.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#ifdef OX_HAVE_ZLIB
#include <zlib.h>

uint32_t ox_crc32(uint32_t crc, const void *bytes, size_t n)
{
    return (uint32_t)crc32_z(crc, bytes, n);
}
#else
uint32_t ox_crc32(uint32_t crc, const void *bytes, size_t n)
{
    const uint8_t *p = bytes;
    for (crc = ~crc; n > 0; n--) {
        crc ^= *p++;
        for (int k = 0; k < 8; k++)
            crc = crc >> 1 ^ (0xedb88320u & (0u - (crc & 1)));
    }
    return ~crc;
}
#endif

typedef struct entry {
    char    *name;
    uint64_t size, offset;
    uint32_t crc;
} entry;

struct ox_zip_writer {
    FILE    *f;
    entry   *e;
    size_t   n, cap;
    uint64_t at;   /* bytes written */
    uint64_t left; /* of the current member */
};

/* Little-endian fields, collected and written at once. */
typedef struct fields {
    uint8_t p[128];
    size_t  n;
} fields;

static void add(fields *f, int n_bytes, uint64_t v)
{
    assert(f->n + (size_t)n_bytes <= sizeof f->p);
    for (; n_bytes > 0; n_bytes--, v >>= 8)
        f->p[f->n++] = (uint8_t)v;
}

static ox_code put(ox_zip_writer *w, const void *bytes, size_t n, ox_error *err)
{
    if (fwrite(bytes, 1, n, w->f) != n)
        return OX_FAIL(err, OX_E_IO, "cannot write: %s", strerror(errno));
    w->at += n;
    return OX_OK;
}

ox_zip_writer *ox_zip_writer_create(FILE *f)
{
    ox_zip_writer *w = calloc(1, sizeof *w);
    if (w)
        w->f = f;
    return w;
}

void ox_zip_writer_destroy(ox_zip_writer *w)
{
    if (!w)
        return;
    for (size_t i = 0; i < w->n; i++)
        free(w->e[i].name);
    free(w->e);
    free(w);
}

static bool large(uint64_t v) { return v >= UINT32_MAX; }

/* What local and central headers share: version 4.5 for zip64, UTF-8 names, stored, 1980-01-01. */
static void add_common(fields *f, const entry *e, size_t n_extra)
{
    add(f, 2, large(e->size) || large(e->offset) ? 45 : 20);
    add(f, 2, 0x800);
    add(f, 2, 0);
    add(f, 2, 0);
    add(f, 2, 0x21);
    add(f, 4, e->crc);
    add(f, 4, large(e->size) ? UINT32_MAX : e->size);
    add(f, 4, large(e->size) ? UINT32_MAX : e->size);
    add(f, 2, strlen(e->name));
    add(f, 2, n_extra);
}

ox_code ox_zip_begin(ox_zip_writer *w, const char *name, uint64_t size, uint32_t crc, ox_error *err)
{
    assert(w->left == 0);
    if (strlen(name) > UINT16_MAX)
        return OX_FAIL(err, OX_E_IO, "the name of an output is too long for an .npz file");
    for (size_t i = 0; i < w->n; i++)
        if (strcmp(w->e[i].name, name) == 0)
            return OX_FAIL(err, OX_E_IO, "two outputs would both be called %.80s", name);
    if (w->n == w->cap) {
        size_t cap = w->cap ? 2 * w->cap : 16;
        void  *grown = realloc(w->e, cap * sizeof *w->e);
        if (!grown)
            return OX_FAIL(err, OX_E_NOMEM, "out of memory");
        w->e = grown;
        w->cap = cap;
    }
    entry *e = &w->e[w->n];
    *e = (entry){ strdup(name), size, w->at, crc };
    if (!e->name)
        return OX_FAIL(err, OX_E_NOMEM, "out of memory");
    w->n++;
    w->left = size;
    fields f = { .n = 0 }, extra = { .n = 0 };
    if (large(size)) {
        add(&extra, 2, 1);
        add(&extra, 2, 16);
        add(&extra, 8, size);
        add(&extra, 8, size);
    }
    add(&f, 4, 0x04034b50);
    add_common(&f, e, extra.n);
    OX_TRY(put(w, f.p, f.n, err));
    OX_TRY(put(w, name, strlen(name), err));
    return put(w, extra.p, extra.n, err);
}

ox_code ox_zip_put(ox_zip_writer *w, const void *bytes, size_t n, ox_error *err)
{
    assert(n <= w->left);
    w->left -= n;
    return put(w, bytes, n, err);
}

static ox_code put_central(ox_zip_writer *w, const entry *e, ox_error *err)
{
    fields f = { .n = 0 }, extra = { .n = 0 };
    if (large(e->size) || large(e->offset)) {
        add(&extra, 2, 1);
        add(&extra, 2, (large(e->size) ? 16 : 0) + (large(e->offset) ? 8 : 0));
        if (large(e->size)) {
            add(&extra, 8, e->size);
            add(&extra, 8, e->size);
        }
        if (large(e->offset))
            add(&extra, 8, e->offset);
    }
    add(&f, 4, 0x02014b50);
    add(&f, 2, 3 << 8 | 45); /* made on Unix */
    add_common(&f, e, extra.n);
    add(&f, 2, 0);           /* comment */
    add(&f, 2, 0);           /* disk */
    add(&f, 2, 0);
    add(&f, 4, (uint32_t)0100644 << 16);
    add(&f, 4, large(e->offset) ? UINT32_MAX : e->offset);
    OX_TRY(put(w, f.p, f.n, err));
    OX_TRY(put(w, e->name, strlen(e->name), err));
    return put(w, extra.p, extra.n, err);
}

ox_code ox_zip_finish(ox_zip_writer *w, ox_error *err)
{
    assert(w->left == 0);
    uint64_t start = w->at;
    for (size_t i = 0; i < w->n; i++)
        OX_TRY(put_central(w, &w->e[i], err));
    uint64_t size = w->at - start, end = w->at;
    fields f = { .n = 0 };
    if (w->n >= UINT16_MAX || large(start) || large(size)) {
        add(&f, 4, 0x06064b50);
        add(&f, 8, 44);
        add(&f, 2, 45);
        add(&f, 2, 45);
        add(&f, 4, 0);
        add(&f, 4, 0);
        add(&f, 8, w->n);
        add(&f, 8, w->n);
        add(&f, 8, size);
        add(&f, 8, start);
        add(&f, 4, 0x07064b50); /* locator */
        add(&f, 4, 0);
        add(&f, 8, end);
        add(&f, 4, 1);
    }
    add(&f, 4, 0x06054b50);
    add(&f, 4, 0);
    add(&f, 2, OX_MIN(w->n, (size_t)UINT16_MAX));
    add(&f, 2, OX_MIN(w->n, (size_t)UINT16_MAX));
    add(&f, 4, large(size) ? UINT32_MAX : size);
    add(&f, 4, large(start) ? UINT32_MAX : start);
    add(&f, 2, 0);
    return put(w, f.p, f.n, err);
}
