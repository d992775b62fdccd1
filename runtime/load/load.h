/* Model bytes to the graph IR.  Nothing of protobuf is left afterwards; everything hangs on the
 * model. */
#ifndef OX_LOAD_LOAD_H
#define OX_LOAD_LOAD_H

#include "runtime/graph/graph.h"

typedef struct ox_load_options {
    /* ox_load_bytes only.  keep: the bytes outlive the model and never change, so weights may be
     * used where they are.  folder: where external data is; NULL: models that have any fail. */
    bool        keep;
    const char *folder;
    /* ox_load_file only.  Large matrices that cannot be used in place wait until they are asked for: who
     * reads constants of the model's graph calls ox_weights_fill_all before (sessions need not). */
    bool        defer;
} ox_load_options;

/* Maps the file; weights are used in place where their alignment allows.  options may be NULL.
 * Memory counts against ox_buf_cap. */
ox_code ox_load_file(const char *path, const ox_load_options *options, ox_model **out,
                     ox_error *err) OX_MUST_CHECK;
ox_code ox_load_bytes(const void *bytes, size_t n, const ox_load_options *options, ox_model **out,
                      ox_error *err) OX_MUST_CHECK;

/* A value from the bytes of a TensorProto, SequenceProto, MapProto, SparseTensorProto or
 * OptionalProto: `type` says which (NULL: TensorProto).  The value owns all its memory. */
ox_code ox_pb_read_value(const void *bytes, size_t n, const ox_type *type, ox_value *out,
                         ox_error *err) OX_MUST_CHECK;
/* The reverse.  type says what cannot be seen from the value (optional, types of nothing); NULL:
 * the value speaks for itself. */
ox_code ox_pb_write_value(const ox_value *v, const ox_type *type, const char *name, ox_buf **bytes,
                          ox_error *err) OX_MUST_CHECK;

/* Nodes of a graph, in their order, to be a model of their own.  What they read is an input (listed
 * here with its type), a constant, or made by another of the nodes. */
typedef struct ox_cut {
    const ox_graph *g;
    const size_t   *node;  size_t n_node;
    const int      *in;    const ox_type *in_type;   size_t n_in;
    const int      *out;   const ox_type *out_type;  size_t n_out;
    const char     *doc;   /* what the model is; may be NULL */
} ox_cut;
/* A whole model file.  Functions have been expanded by the loader, so there are none in it. */
ox_code ox_pb_write_model(const ox_cut *c, ox_buf **bytes, ox_error *err) OX_MUST_CHECK;

/* The IR version of the ONNX release that brought this opset of ai.onnx. */
int ox_ir_of_opset(int opset);

#endif
