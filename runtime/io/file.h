/* Whole files as counted memory. */
#ifndef OX_IO_FILE_H
#define OX_IO_FILE_H

#include "runtime/tensor/tensor.h"

/* The bytes of a regular file, aligned to 64: read, or mapped privately where the file is large
 * (writing to the memory never changes the file).  An empty file gives a buffer of size 0. */
ox_code ox_file_read(const char *path, ox_buf **out, ox_error *err) OX_MUST_CHECK;

#endif
