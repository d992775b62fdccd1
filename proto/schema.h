/* What ONNX says of each operator, as data: arity, types, attributes, defaults.
 *
 * The tables are schema.def and removed.def.  A row is parsed when somebody first asks for it,
 * once, into static memory: the pointers returned here never go stale, nothing allocates, nothing
 * fails for want of memory, and any thread may call anything.  "" and "ai.onnx" (and NULL) are the
 * same domain; rows say "ai.onnx". */
#ifndef OX_PROTO_SCHEMA_H
#define OX_PROTO_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A set of types.  In every mask bit t stands for element type t of dtypes.def (ONNX's number);
 * in the map masks it is the value's type and the field's name says the key's. */
typedef struct ox_typeset {
    const char *name;
    uint64_t tensor;       /* T */
    uint64_t seq;          /* seq(T) */
    uint64_t opt;          /* opt(T) */
    uint64_t opt_seq;      /* opt(seq(T)) */
    uint64_t map_i64;      /* map(i64,T) */
    uint64_t map_str;      /* map(str,T) */
    uint64_t seq_map_i64;  /* seq(map(i64,T)) */
    uint64_t seq_map_str;  /* seq(map(str,T)) */
} ox_typeset;

/* A type variable: all parameters that name it have one type out of `types`. */
typedef struct ox_schema_var {
    const char *name;
    const ox_typeset *types;
} ox_schema_var;

typedef struct ox_schema_param {
    const char *name;
    int var;                  /* index into ox_schema.var, or -1: `types` is all there is */
    const ox_typeset *types;
    bool optional;            /* may be absent, also in the middle */
    bool variadic;            /* the last one: stands for min_arity or more */
    bool homogeneous;         /* of a variadic: all have one type */
    int min_arity;            /* of a variadic; else 1 */
} ox_schema_param;

/* The values are ONNX's AttributeProto.AttributeType. */
typedef enum ox_attr_kind {
    OX_ATTR_UNDEFINED,
    OX_ATTR_FLOAT,
    OX_ATTR_INT,
    OX_ATTR_STRING,
    OX_ATTR_TENSOR,
    OX_ATTR_GRAPH,
    OX_ATTR_FLOATS,
    OX_ATTR_INTS,
    OX_ATTR_STRINGS,
    OX_ATTR_TENSORS,
    OX_ATTR_GRAPHS,
    OX_ATTR_SPARSE_TENSOR,
    OX_ATTR_SPARSE_TENSORS,
    OX_ATTR_TYPE_PROTO,
    OX_ATTR_TYPE_PROTOS
} ox_attr_kind;

/* Only int, float, string and their lists ever have a default; `kind` says which member is set. */
typedef struct ox_schema_attr {
    const char *name;
    ox_attr_kind kind;
    bool required;
    bool has_default;
    size_t n;                 /* items of a list, bytes of a string, else 1; 0 without default */
    union {
        int64_t i;
        float f;
        const char *s;
        const int64_t *ints;
        const float *floats;
        const char *const *strings;
    };
} ox_schema_attr;

enum {
    OX_SCHEMA_DEPRECATED = 1,
    OX_SCHEMA_EXPERIMENTAL = 2,
    OX_SCHEMA_FUNCTION = 4,   /* ONNX defines it by other operators too */
    OX_SCHEMA_RANDOM = 8,     /* two runs may differ: never fold or merge */
    OX_SCHEMA_REMOVED = 16    /* once in ONNX, no longer: see removed.def */
};

typedef struct ox_schema {
    const char *domain, *name;
    int since;                /* first opset of the domain that this row describes */
    int until;                /* the last one: the next row's since less 1, or INT_MAX */
    unsigned flags;
    int n_in, n_out, n_attr, n_var;
    int min_in, max_in;       /* how many names a node may list; max is INT_MAX for a variadic */
    int min_out, max_out;
    const ox_schema_param *in, *out;
    const ox_schema_attr *attr;  /* sorted by name */
    const ox_schema_var *var;
} ox_schema;

/* The row for `name` in that opset of `domain`: the newest with since <= opset; NULL if none. */
const ox_schema *ox_schema_find(const char *domain, const char *name, int opset);

/* The oldest row: tells an unknown operator (NULL) from one that is not yet in an opset. */
const ox_schema *ox_schema_first(const char *domain, const char *name);

/* All rows, sorted by domain, name, since; after them the removed operators, sorted likewise. */
size_t ox_schema_count(void);
const ox_schema *ox_schema_at(size_t i);

/* The newest opset of a domain that the tables know, 0 if ONNX does not define the domain. */
int ox_schema_newest_opset(const char *domain);

/* The attribute of that name, or NULL. */
const ox_schema_attr *ox_schema_attr_find(const ox_schema *s, const char *name);

/* The parameter that argument k binds to (a variadic takes all further ones), or NULL. */
const ox_schema_param *ox_schema_in(const ox_schema *s, int k);
const ox_schema_param *ox_schema_out(const ox_schema *s, int k);

/* "int", "floats" ...; the spelling of schema.def. */
const char *ox_attr_kind_name(ox_attr_kind kind);

#endif
