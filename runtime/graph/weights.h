/* Weights in a file at addresses where no kernel could read them (protobuf aligns nothing).  Each has
 * memory of its own from the start, which holds zeros until somebody asks for it to be filled: who
 * rearranges weights anyway takes their bytes from the file, and they are in memory once. */
#ifndef OX_GRAPH_WEIGHTS_H
#define OX_GRAPH_WEIGHTS_H

#include "runtime/graph/graph.h"

/* bytes[0..n) is a file mapped for as long as m lives. */
bool ox_weights_mapped(ox_model *m, const uint8_t *bytes, size_t n) OX_MUST_CHECK;
/* Memory for from[0..n), which lie in a mapped file; NULL: there is none, copy them. */
void *ox_weights_defer(ox_model *m, const uint8_t *from, size_t n);
/* Where the bytes of t are now: t->data, or any address in a file, for memcpy alone. */
const void *ox_weights_bytes(const ox_model *m, const ox_tensor *t);
/* From now on t->data holds them.  Cheap where that is so already; several threads may ask. */
ox_code ox_weights_fill(ox_model *m, const ox_tensor *t, ox_error *err) OX_MUST_CHECK;
ox_code ox_weights_fill_all(ox_model *m, ox_error *err) OX_MUST_CHECK;
bool    ox_weights_deferred(const ox_model *m, const ox_tensor *t);
/* Nobody is about to read p[0..n): what of it is mapped is given back, to be read again if need be. */
void ox_weights_drop(const ox_model *m, const void *p, size_t n);
void ox_weights_copy(const ox_model *m, void *to, const void *from, size_t n); /* and drops from */
void ox_weights_release(ox_model *m);

/* Tells the system that the whole pages in p[0..n), part of a mapping, are done with for now. */
void ox_file_drop(const uint8_t *p, size_t n);

#endif
