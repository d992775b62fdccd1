/* Tensors, and the value type that also holds sequences, optionals, maps and sparse tensors. */
#ifndef OX_TENSOR_TENSOR_H
#define OX_TENSOR_TENSOR_H

#include "runtime/base/arena.h"
#include "runtime/tensor/dtype.h"

enum { OX_MAX_RANK = 16 };

/* A counted block of memory: 64-byte aligned when made by ox_buf_create. */
typedef struct ox_buf ox_buf;
ox_buf *ox_buf_create(size_t n_bytes);   /* NULL when out of memory or over the cap; not zeroed */
ox_buf *ox_buf_create_plain(size_t n_bytes); /* without asking for large pages: a machine has few at hand */
/* Takes memory somebody else made; done(ctx) is called when the last reference goes. */
ox_buf *ox_buf_wrap(void *data, size_t n_bytes, void (*done)(void *ctx), void *ctx);
ox_buf *ox_buf_ref(ox_buf *b);
void    ox_buf_unref(ox_buf *b);         /* NULL is legal */
void   *ox_buf_data(ox_buf *b);
size_t  ox_buf_size(const ox_buf *b);
bool    ox_buf_unique(const ox_buf *b);  /* one reference only: may be overwritten */
/* Whether string elements in b point into b itself (or to bytes that live as long).  Without it
 * they are borrowed, and ox_tensor_keep copies instead of sharing.  Set before the buffer is
 * shared. */
void    ox_buf_set_owns_strings(ox_buf *b);
bool    ox_buf_owns_strings(const ox_buf *b);

/* Bytes live in all buffers now and at most so far; a cap of 0 means none (`--max-memory`). */
void   ox_buf_cap(size_t n_bytes);
size_t ox_buf_capacity_left(void);
size_t ox_buf_live(void);
size_t ox_buf_peak(void);
/* Counts memory held elsewhere (slabs, sequences) as if it were a buffer; false: over the cap. */
bool   ox_buf_charge(size_t n_bytes) OX_MUST_CHECK;
void   ox_buf_uncharge(size_t n_bytes);
void   ox_buf_reset_peak(void); /* peak = live */
/* Out of memory, or the cap: which of the two refused n_bytes. */
ox_code ox_buf_fail(size_t n_bytes, ox_error *err);

/* A dense tensor in C order.  dim[i] < 0 only during shape inference (see op.h). */
typedef struct ox_tensor {
    ox_dtype dtype;
    int      rank;               /* -1: unknown (inference only) */
    int64_t  dim[OX_MAX_RANK];
    void    *data;               /* NULL: type and shape only (inference), or no elements */
    ox_buf  *buf;                /* counted owner of data; NULL: borrowed (slab, weights, caller) */
} ox_tensor;

/* Product of dim[from..to).  The checked form is ox_shape_count; after it this cannot overflow. */
static inline int64_t ox_numel(const ox_tensor *t, int from, int to)
{
    int64_t n = 1;
    for (int i = from; i < to; i++)
        n *= t->dim[i];
    return n;
}
static inline int64_t ox_count(const ox_tensor *t) { return ox_numel(t, 0, t->rank); }
static inline size_t ox_bytes(const ox_tensor *t)
{
    return (size_t)ox_count(t) * ox_dtype_size(t->dtype);
}

/* Elements of a shape; fails on negative dims, and when elements or bytes overflow size_t / 2. */
ox_code ox_shape_count(int64_t *n, ox_dtype dtype, int rank, const int64_t *dim, ox_error *err)
    OX_MUST_CHECK;
bool    ox_shape_same(const ox_tensor *a, const ox_tensor *b);
bool    ox_shape_known(const ox_tensor *t);  /* rank and every dim */
/* "[1,3,224,224]", "[]" for a scalar; negative dims print as "?".  Returns buf. */
char *ox_shape_text(char *buf, size_t n_buf, const ox_tensor *t);

/* t gets dtype, shape and a fresh buffer, whose elements are zero only for strings.  Checks the
 * size.  A tensor without elements gets a buffer too.  t is overwritten, not released; it is empty
 * on failure. */
ox_code ox_tensor_alloc(ox_tensor *t, ox_dtype dtype, int rank, const int64_t *dim, ox_error *err)
    OX_MUST_CHECK;
/* to becomes a second view of from's buffer; borrowed data is deep-copied, strings too.  In all
 * four, `to` is overwritten, not released, and is empty on failure. */
ox_code ox_tensor_keep(ox_tensor *to, const ox_tensor *from, ox_error *err) OX_MUST_CHECK;
/* As keep, but the bytes of strings stay where they are: for what does not outlive a run, since all
 * bytes that a run makes live as long as it (op.h, ox_run_str). */
ox_code ox_tensor_share(ox_tensor *to, const ox_tensor *from, ox_error *err) OX_MUST_CHECK;
/* A deep copy that depends on nothing else: strings are moved into the new buffer. */
ox_code ox_tensor_clone(ox_tensor *to, const ox_tensor *from, ox_error *err) OX_MUST_CHECK;
/* Element-wise conversion by value between numeric types (see dtype.h). */
ox_code ox_tensor_convert(ox_tensor *to, const ox_tensor *from, ox_dtype dtype, ox_error *err)
    OX_MUST_CHECK;
void ox_tensor_release(ox_tensor *t);        /* unrefs buf and empties t */

/* One element of any numeric type, widened. */
int64_t ox_get_i64(const ox_tensor *t, int64_t i);
double  ox_get_f64(const ox_tensor *t, int64_t i);

/* ---- values ---- */
typedef enum ox_kind {
    OX_NONE,      /* an empty optional, or nothing yet */
    OX_TENSOR,
    OX_SEQUENCE,
    OX_MAP,
    OX_SPARSE,
} ox_kind;

typedef struct ox_value ox_value;
typedef struct ox_seq   ox_seq;   /* counted; immutable once shared */
typedef struct ox_map   ox_map;   /* counted; keys (i64 or str, rank 1) and as many values */

/* A full optional is represented by what it holds, an empty one by OX_NONE; that it is an optional
 * is a fact of its static type (ox_type). */
struct ox_value {
    ox_kind   kind;
    ox_tensor t;     /* OX_TENSOR; OX_SPARSE: the values [nnz] */
    ox_seq   *seq;   /* OX_SEQUENCE; OX_SPARSE: {indices i64 [nnz] or [nnz,rank], shape i64} */
    ox_map   *map;   /* OX_MAP */
};

ox_seq         *ox_seq_create(size_t capacity);       /* empty, one reference; NULL: no memory */
ox_seq         *ox_seq_ref(ox_seq *s);
void            ox_seq_unref(ox_seq *s);
size_t          ox_seq_size(const ox_seq *s);
const ox_value *ox_seq_at(const ox_seq *s, size_t i);        /* borrowed */
ox_code         ox_seq_push(ox_seq *s, ox_value *take_v, ox_error *err) OX_MUST_CHECK;

ox_map          *ox_map_create(ox_tensor *take_keys, ox_value *take_values); /* NULL: no memory */
ox_map          *ox_map_ref(ox_map *m);
void             ox_map_unref(ox_map *m);
const ox_tensor *ox_map_keys(const ox_map *m);   /* rank 1 */
const ox_value  *ox_map_values(const ox_map *m); /* a rank-1 tensor or sequence, one a key */

/* As for tensors: keep shares counted buffers and copies borrowed ones; share leaves the bytes of
 * strings where they are; clone copies all. */
ox_code ox_value_share(ox_value *to, const ox_value *from, ox_error *err) OX_MUST_CHECK;
ox_code ox_value_keep(ox_value *to, const ox_value *from, ox_error *err) OX_MUST_CHECK;
ox_code ox_value_clone(ox_value *to, const ox_value *from, ox_error *err) OX_MUST_CHECK;
void    ox_value_release(ox_value *v);

/* ---- static types ---- */
typedef struct ox_type {
    ox_kind         kind;      /* OX_NONE: unknown */
    bool            optional;  /* optional(this) */
    ox_dtype        dtype;     /* tensor and sparse: element type; map: value's element type */
    ox_dtype        key;       /* map: key type */
    int             rank;      /* tensor: -1 unknown */
    int64_t         dim[OX_MAX_RANK]; /* >= 0 known, < 0 symbol or unknown (see ox_dim in op.h) */
    struct ox_type *elem;      /* sequence: element type; map: value type; NULL unknown */
} ox_type;

/* "tensor(f32)[1,3,?]", "seq(tensor(i64)[?])", "optional(...)".  Returns buf. */
char *ox_type_text(char *buf, size_t n_buf, const ox_type *t);

#endif
