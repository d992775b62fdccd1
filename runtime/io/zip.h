/* The zip container as numpy's .npz uses it: stored and deflated members, zip64, one disk, no
 * encryption.  Deflated members need zlib (OX_HAVE_ZLIB). */
#ifndef OX_IO_ZIP_H
#define OX_IO_ZIP_H

#include "runtime/tensor/tensor.h"
#include <stdio.h>

typedef struct ox_zip_member {
    char    *name;       /* NUL-terminated */
    size_t   offset;     /* of its data in the file */
    size_t   packed, size;
    uint32_t crc;
    int      method;     /* 0 stored, 8 deflated */
} ox_zip_member;

typedef struct ox_zip {
    const uint8_t *p;    /* the file; borrowed */
    size_t         n;
    ox_zip_member *member;
    size_t         n_member;
} ox_zip;

/* Reads the directory; nothing in it is trusted: members lie inside the file, names are unique. */
ox_code ox_zip_open(ox_zip *z, const uint8_t *p, size_t n, ox_error *err) OX_MUST_CHECK;
ox_code ox_zip_extract(const ox_zip *z, size_t i, ox_buf **out, ox_error *err) OX_MUST_CHECK;
void    ox_zip_close(ox_zip *z);

/* Writing: stored members.  After begin the caller puts exactly `size` bytes with `crc`. */
typedef struct ox_zip_writer ox_zip_writer;
ox_zip_writer *ox_zip_writer_create(FILE *f); /* NULL: out of memory */
ox_code ox_zip_begin(ox_zip_writer *w, const char *name, uint64_t size, uint32_t crc, ox_error *err)
    OX_MUST_CHECK;
ox_code ox_zip_put(ox_zip_writer *w, const void *bytes, size_t n, ox_error *err) OX_MUST_CHECK;
ox_code ox_zip_finish(ox_zip_writer *w, ox_error *err) OX_MUST_CHECK;
void    ox_zip_writer_destroy(ox_zip_writer *w);

/* CRC-32 of zip, gzip and PNG; starts at 0. */
uint32_t ox_crc32(uint32_t crc, const void *bytes, size_t n);

#endif
