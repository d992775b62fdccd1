/* What the files of this folder share; nobody else includes it. */
#ifndef OX_LOAD_PROTO_H
#define OX_LOAD_PROTO_H

#include "onnx.pb-c.h"
#include "runtime/graph/graph.h"
#include "runtime/graph/names.h"
#include "runtime/graph/weights.h"
#include "runtime/load/wire.h"

/* Files that a model's tensors refer to by name.  All lie below the model's folder. */
typedef struct ox_external ox_external;

/* Nothing is opened before it is asked for.  Lives in `a`, but for a descriptor: release it. */
ox_external *ox_external_create(ox_model *m, ox_arena *a, const char *folder);
void         ox_external_release(ox_external *e);
/* The whole file, mapped for as long as the model lives; each file once. */
ox_code ox_external_find(ox_external *e, const char *location, const uint8_t **bytes, size_t *n,
                         ox_error *err) OX_MUST_CHECK;
/* The same for the model's own file: maps what can be mapped, reads the rest (pipes).  *mapped says
 * which; give both back with ox_file_close. */
ox_code ox_file_open(const char *path, uint8_t **bytes, size_t *n, bool *mapped,
                     ox_error *err) OX_MUST_CHECK;
void    ox_file_close(void *bytes, size_t n_bytes);  /* mapped */
void    ox_file_free(void *bytes, size_t n_bytes);   /* read */

/* Where tensors come from and where they go. */
typedef struct ox_place {
    ox_model    *model;      /* they live as long as it; NULL: each owns its memory (buf) */
    ox_external *external;   /* NULL: a tensor with external data is an error */
    bool         reference;  /* raw_data may be pointed at: the input lives as long as the model */
    bool         mapped;     /* the input is a mapping of a file */
    bool         defer;      /* large matrices at odd addresses are copied when somebody wants them */
    bool         referenced; /* set when some tensor points into the input */
} ox_place;

/* kind says in errors what the tensor is: "initializer". */
ox_code ox_load_tensor(const OxPb__TensorProto *p, const char *kind, ox_place *place,
                       ox_tensor *out, ox_error *err) OX_MUST_CHECK;
ox_code ox_load_sparse(const OxPb__SparseTensorProto *p, const char *kind, ox_place *place,
                       ox_value *out, ox_error *err) OX_MUST_CHECK;
/* The dense tensor that a sparse one stands for. */
ox_code ox_load_dense(const ox_value *sparse, const char *kind, const char *name, ox_place *place,
                      ox_tensor *out, ox_error *err) OX_MUST_CHECK;
/* Memory for t's elements, all zero if small; t has dtype and shape already. */
ox_code ox_place_alloc(ox_place *place, ox_tensor *t, size_t n_bytes, ox_error *err) OX_MUST_CHECK;

/* NULL p: unknown.  Symbols and element types live with the model. */
ox_code ox_load_type(const OxPb__TypeProto *p, const char *name, ox_model *m, ox_type *out,
                     ox_error *err) OX_MUST_CHECK;

#endif
