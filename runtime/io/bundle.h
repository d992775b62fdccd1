/* Values in files, alone and by name. */
#ifndef OX_IO_BUNDLE_H
#define OX_IO_BUNDLE_H

#include "runtime/tensor/tensor.h"

typedef struct ox_named {
    char    *name;
    ox_value v;
} ox_named;

typedef struct ox_bundle {
    ox_named *item;
    size_t    n, cap;
} ox_bundle;

/* The declared type of a name, NULL where there is none: see npy.h for what it is needed for. */
typedef const ox_type *ox_type_of(void *ctx, const char *name);

/* .npy or .pb; declared may be NULL. */
ox_code ox_value_read(const char *path, const ox_type *declared, ox_value *out, ox_error *err)
    OX_MUST_CHECK;

/* An .npz; a folder of .npy and .pb files (names without the ending, sorted); one such file. */
ox_code ox_bundle_read(ox_bundle *b, const char *path, ox_type_of *type_of, void *ctx,
                       ox_error *err) OX_MUST_CHECK;
void    ox_bundle_release(ox_bundle *b);

bool ox_has_suffix(const char *path, const char *suffix);

#endif
