/* Protobuf, read without copying and without trust.
 *
 * Differs from protobuf-c's own unpacking in this: memory comes from arenas (a budget, nothing to
 * free); nesting is limited; `bytes` point into the input; every size is checked before it is used;
 * work and memory are linear in the input.
 *
 * Repeated fields that onnx.proto marks [packed = true] (the element fields of TensorProto, which
 * may hold a whole model's weights) are not decoded: where they lie is noted in unknown_fields, and
 * a cursor decodes them later, straight into the tensor. */
#ifndef OX_LOAD_WIRE_H
#define OX_LOAD_WIRE_H

#include <protobuf-c/protobuf-c.h>

#include "runtime/base/arena.h"

enum { OX_WIRE_MAX_DEPTH = 100 }; /* messages within messages; other readers stop there too */

/* Reads bytes[0..n) as one message of that type.  Messages and strings come from `a`, arrays of
 * repeated numbers from `numbers` (so that they may outlive the messages). */
ox_code ox_wire_read(const ProtobufCMessageDescriptor *type, const void *bytes, size_t n,
                     ox_arena *a, ox_arena *numbers, ProtobufCMessage **out,
                     ox_error *err) OX_MUST_CHECK;

/* The undecoded numbers of one field of a message, in order. */
typedef struct ox_wire_cursor {
    const ProtobufCMessage *m;
    unsigned id;
    size_t   width;       /* bytes of a number: 4 or 8, or 0 for varints */
    size_t   next_span;
    const uint8_t *p, *end;
    bool     packed;
} ox_wire_cursor;

ox_wire_cursor ox_wire_numbers(const ProtobufCMessage *m, unsigned id);
/* How many there are in all.  Fails on a field that does not end with a number's end. */
ox_code ox_wire_count(const ProtobufCMessage *m, unsigned id, size_t *n, ox_error *err)
    OX_MUST_CHECK;
/* Decodes up to max more: fixed-width ones as bytes in the host's order, varints as uint64_t.
 * Returns how many; fewer than max only at the end or at a malformed one. */
size_t ox_wire_next(ox_wire_cursor *c, void *to, size_t max);

#endif
