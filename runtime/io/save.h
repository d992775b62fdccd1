/* Outputs to files, all or none (out.h). */
#ifndef OX_IO_SAVE_H
#define OX_IO_SAVE_H

#include "runtime/io/out.h"
#include "runtime/tensor/tensor.h"

typedef enum ox_save_format {
    OX_SAVE_BY_NAME,   /* PATH/ or a folder: NAME.npy each; .npz: all; .npy, .pb: one */
    OX_SAVE_TEST_CASE, /* PATH is a folder: output_<j>.pb */
    OX_SAVE_STREAM,    /* PATH is a file that the caller writes */
} ox_save_format;

typedef struct ox_save ox_save;

/* Fails at once for a path that cannot be written. */
ox_code ox_save_open(const char *path, ox_save_format format, ox_save **out,
                     ox_error *err) OX_MUST_CHECK;
/* declared (may be NULL): for .pb, see ox_pb_write_value. */
ox_code ox_save_add(ox_save *s, const char *name, const ox_value *v, const ox_type *declared,
                    ox_error *err) OX_MUST_CHECK;
ox_code ox_save_stream(ox_save *s, FILE **f, ox_error *err) OX_MUST_CHECK;
ox_code ox_save_commit(ox_save *s, ox_error *err) OX_MUST_CHECK;
void    ox_save_destroy(ox_save *s);

#endif
