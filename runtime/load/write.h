/* Building protobuf messages out of values: what write.c and write_model.c share. */
#ifndef OX_LOAD_WRITE_H
#define OX_LOAD_WRITE_H

#include "runtime/load/load.h"
#include "runtime/load/proto.h"

/* Functions that make a message return NULL where they fail, and leave the code here. */
typedef struct ox_writer {
    ox_arena *a;
    ox_error *err;
    ox_code   code;
} ox_writer;

void *ox_write_no_memory(ox_writer *w);
/* They borrow elements and names. */
OxPb__TensorProto       *ox_write_tensor(ox_writer *w, const ox_tensor *t, const char *name);
OxPb__SparseTensorProto *ox_write_sparse(ox_writer *w, const ox_value *v, const char *name);
ProtobufCBinaryData     *ox_write_strings(ox_writer *w, const ox_str *from, size_t n);
/* The bytes of a message; m NULL: w->code says why there is none. */
ox_code ox_write_pack(ox_writer *w, const ProtobufCMessage *m, ox_buf **bytes) OX_MUST_CHECK;

#endif
