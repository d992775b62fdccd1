/* numpy's .npy format, versions 1.0 to 3.0.
 *
 * Element types that numpy lacks follow what numpy.save makes of ml_dtypes arrays: bf16 is '<V2',
 * every type of a byte or less is '<V1', one element a byte, in its low bits (ml_dtypes' f8e5m2 is
 * '<f1', which numpy itself cannot load: we read it and write '|V1').  '<V1' does not say which
 * type it is: the reader must be told. */
#ifndef OX_IO_NPY_H
#define OX_IO_NPY_H

#include "runtime/tensor/tensor.h"
#include <stdio.h>

typedef struct ox_npy {      /* what the header says */
    char     kind;           /* numpy's: b i u f c V U S */
    size_t   item;           /* bytes of an element in the file */
    bool     swap;           /* other byte order than this machine's */
    bool     fortran;        /* first index fastest */
    int      rank;
    int64_t  dim[OX_MAX_RANK];
    size_t   offset;         /* of the first element */
} ox_npy;

ox_code ox_npy_header(const uint8_t *p, size_t n, ox_npy *h, ox_error *err) OX_MUST_CHECK;

/* The array in file[0..end).  out shares the file's memory where it can, and may change it: the
 * caller gives its own reference up, on failure too.  `declared` names the type of a '<V1' array;
 * without it (OX_UNDEFINED) that reads as u8, its bits. */
ox_code ox_npy_read(ox_buf *take_file, ox_dtype declared, ox_tensor *out,
                    ox_error *err) OX_MUST_CHECK;

/* Header and elements. */
ox_code ox_npy_write(FILE *f, const ox_tensor *t, ox_error *err) OX_MUST_CHECK;

/* The same in pieces, for containers: calls put for each. */
typedef ox_code ox_npy_put(void *ctx, const void *bytes, size_t n, ox_error *err);
ox_code ox_npy_emit(const ox_tensor *t, ox_npy_put *put, void *ctx, ox_error *err) OX_MUST_CHECK;

#endif
