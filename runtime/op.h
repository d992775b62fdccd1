/* The contract between the runtime and the kernels: all that an operator's file needs.
 *
 * An operator is one `ox_op` record (OX_OP below) and one line in kernels/ops.def.  The runtime calls
 *   infer    to learn output shapes from input types, shapes and (where known) values,
 *   prepare  once per input shape, to check and to derive what the kernel needs (state),
 *   run      for every inference,
 *   oracle   when results are judged: the definition in double, with an error magnitude.
 * All get the same `ox_run`, since a node whose shapes depend on data goes through the first three
 * at run time.
 *
 * What other places know, and a record therefore never says: type constraints, arity, attribute
 * defaults (proto/schema.def); the last opset it serves (the next row of ops.def); element types that
 * only need widening (below); node names in errors (the executor); freeing (arenas).
 *
 * Widening.  Kernels are looked up by the element type of input `key`.  Where the record has none for
 * it, the executor converts every input and output of exactly that type at the node's edge:
 * f16, bf16, f8*, f4 -> f32 (rounded once on the way out), i2..i32 -> the next wider signed kernel,
 * u2..u32, bool -> unsigned likewise.  infer sees the original types, prepare and run the widened
 * ones.  OX_NO_WIDEN in flags forbids it. */
#ifndef OX_OP_H
#define OX_OP_H

#include "runtime/base/cpu.h"
#include "runtime/base/pool.h"
#include "runtime/tensor/tensor.h"

typedef struct ox_op  ox_op;
typedef struct ox_run ox_run;

/* ---- one node, at one of its stages ---- */
struct ox_run {
    const ox_op *op;
    int          opset; /* version the model imports for the operator's domain */
    int          since; /* version of the schema row that this selects: 13 for Softmax at opset 17 */
    int          n_in, n_out;

    /* Tensors.  in[i] is NULL when the optional input is absent or is no tensor; in[i]->data is NULL
     * while its value is not known (infer, prepare) or it has no elements.  out[i] is NULL when nobody
     * wants that output.  infer finds out[i]->dtype already set where the schema decides it (a type
     * variable shared with an input, a fixed type) and rank -1; it sets rank and dim, or leaves
     * rank -1: "the kernel allocates" (ox_out_alloc).  run finds out[i]->data allocated unless so. */
    const ox_tensor *const *in;
    ox_tensor *const       *out;

    /* The same slots as values, for sequences, maps and sparse tensors, and their static types. */
    const ox_value *const *vin;  /* NULL: absent, or not known yet */
    ox_value *const       *vout; /* run only */
    const ox_type *const  *tin;  /* NULL: absent */
    ox_type *const        *tout; /* infer only: set kind, elem ... of outputs that are no tensors */

    uint64_t in_const;  /* bit i: input i is a constant of the model; its data outlives the plan */
    void    *state;     /* op->state_size bytes, zeroed before prepare */
    ox_pool *pool;
    ox_error *err;
    bool      f64;      /* --precision f64: every float tensor is f64 (kernels need not care) */
    int       optimize; /* 0: no approximation beyond the plain definition (no Winograd, ...) */
    const char *kernel; /* prepare may name the micro-kernel it chose, for dump and profile */

    /* run: NULL, or the node that makes input 0 and did not run: this one makes it, part by part where
     * it needs it (see ox_op.joins). */
    const ox_run *feeder;

    struct ox_frame *frame; /* the executor's own */
};

typedef ox_code ox_run_fn(ox_run *r);

/* Attributes: the node's, else the schema's default, else 0 / NULL.  Borrowed, live as the model. */
bool             ox_attr_given(const ox_run *r, const char *name); /* written in the node itself */
int64_t          ox_attr_i64(const ox_run *r, const char *name);
double           ox_attr_f64(const ox_run *r, const char *name);   /* ONNX stores a float */
const char      *ox_attr_str(const ox_run *r, const char *name);   /* NUL-terminated */
const int64_t   *ox_attr_i64s(const ox_run *r, const char *name, int *n);
const float     *ox_attr_f32s(const ox_run *r, const char *name, int *n);
const ox_str    *ox_attr_strs(const ox_run *r, const char *name, int *n);
const ox_tensor *ox_attr_tensor(const ox_run *r, const char *name);
const ox_value  *ox_attr_sparse(const ox_run *r, const char *name);
const ox_type   *ox_attr_type(const ox_run *r, const char *name);
/* Index of a string attribute in a NULL-terminated list of words; fails naming the list. */
ox_code ox_attr_enum(const ox_run *r, const char *name, const char *const *words, int *index)
    OX_MUST_CHECK;
/* axis attribute `name`, counted from the end if negative, checked against [-rank, rank). */
ox_code ox_attr_axis(const ox_run *r, const char *name, int rank, int *axis) OX_MUST_CHECK;
ox_code ox_axis(const ox_run *r, int64_t axis, int rank, int *out) OX_MUST_CHECK;

/* Small inputs (axes, shapes, scales) of any integer / numeric type as i64 / double, n elements.
 * NULL with *n = 0 when absent, empty or not known yet; memory is the run's scratch (check with
 * ox_in_known first: NULL for a known non-empty input means out of memory). */
bool           ox_in_known(const ox_run *r, int i); /* absent, or value available */
const int64_t *ox_in_i64s(ox_run *r, int i, int64_t *n);
const double  *ox_in_f64s(ox_run *r, int i, int64_t *n);

/* run: gives output i its shape and memory, where infer left rank -1 (dtype as inferred). */
ox_code ox_out_alloc(ox_run *r, int i, int rank, const int64_t *dim) OX_MUST_CHECK;
/* run: output i becomes a view of input j's memory in the output's inferred shape. */
ox_code ox_out_view(ox_run *r, int i, int j) OX_MUST_CHECK;
/* run: moves v into the value slot of output i (sequences, maps, optionals). */
void ox_out_move(ox_run *r, int i, ox_value *take_v);

/* 64-byte aligned memory until this node is done; NULL: out of memory (report with OX_NO_MEMORY). */
void *ox_scratch(ox_run *r, size_t n_bytes);
void *ox_scratch_array(ox_run *r, size_t n, size_t size);
/* prepare: memory that lives as long as the state. */
void *ox_state_alloc(ox_run *r, size_t n, size_t size);
/* run: n bytes for string elements, alive until the run's outputs have been copied out. */
char *ox_run_str(ox_run *r, size_t n_bytes);
#define OX_NO_MEMORY(r) OX_FAIL((r)->err, OX_E_NOMEM, "out of memory")

/* prepare: constant input i rearranged by pack(to, data of input i, ctx), made once per (weights, key,
 * n_bytes) whatever the number of plans; NULL: out of memory.  key names layout and kernel.
 * Only for inputs with their in_const bit set. */
typedef void ox_pack_fn(void *to, const ox_tensor *from, const void *ctx);
const void  *ox_packed(ox_run *r, int i, const char *key, size_t n_bytes, ox_pack_fn *pack,
                       const void *ctx);

/* Runs the graph attribute `name` (If, Loop, Scan, SequenceMap): values in, values out (out is
 * overwritten; the caller releases it).  n_in and n_out must match the graph's. */
ox_code ox_call_graph(ox_run *r, const char *name, ox_value *in, int n_in, ox_value *out, int n_out)
    OX_MUST_CHECK;
int ox_graph_n_in(const ox_run *r, const char *name);  /* -1: no such attribute */
int ox_graph_n_out(const ox_run *r, const char *name);
/* infer: static types of the graph's outputs given those of its inputs (NULL: unknown); NULL entries
 * where unknown. */
ox_code ox_graph_types(ox_run *r, const char *name, const ox_type *const *in, int n_in,
                       const ox_type **out, int n_out) OX_MUST_CHECK;

/* infer, while a plan is made: types and shapes that the graph `name`, which has no inputs, gives for what it captures
 * as known so far; false, and out is left alone, where they are not known. */
bool ox_graph_shapes(ox_run *r, const char *name, const ox_tensor **out, int n_out);

/* A 64-bit seed for random operators: from the attribute `seed` if given, else one drawn from the
 * run's generator (fixed by --seed; different at every node and run). */
uint64_t ox_seed(ox_run *r);

/* Cuts n_blocks by shape; see base/pool.h. */
static inline void ox_parallel(const ox_run *r, int64_t n_blocks, ox_block_fn *fn, void *ctx)
{
    ox_pool_run(r->pool, n_blocks, fn, ctx);
}

/* ---- shape rules ---- */
/* Dimensions in infer are >= 0, or negative: a symbol or an unknown.  Only operators with OX_SYMBOLIC
 * in flags are asked while some input dim is negative.  Equal negative values other than
 * OX_DIM_UNKNOWN are equal sizes. */
enum { OX_DIM_UNKNOWN = -1 };
int64_t ox_dim_add(ox_run *r, int64_t a, int64_t b);
int64_t ox_dim_mul(ox_run *r, int64_t a, int64_t b);
int64_t ox_dim_div(ox_run *r, int64_t a, int64_t b); /* floor; unknown unless it folds */

void    ox_out_shape(ox_run *r, int i, int rank, const int64_t *dim); /* infer: sets out[i] if wanted */
ox_run_fn ox_infer_like;       /* every output has the shape of input 0 */
ox_run_fn ox_infer_broadcast;  /* output 0: numpy broadcast of all tensor inputs */
ox_run_fn ox_infer_none;       /* the kernel allocates all outputs */
ox_run_fn ox_run_view;      /* for OX_VIEW records: output 0 gets input 0's memory */
ox_run_fn ox_infer_scalar;     /* output 0: rank 0 */
/* Broadcasts shape b into (*rank, dim); fails naming both. */
ox_code ox_broadcast(ox_run *r, int *rank, int64_t *dim, int rank_b, const int64_t *dim_b)
    OX_MUST_CHECK;

/* ---- typed loops over whole tensors (runtime/tensor/nditer is behind them) ----
 * Contiguous outputs; inputs have stride 0 or 1 element.  params is passed through. */
typedef void ox_loop1(size_t n, const void *x, void *y, const void *params);
typedef void ox_loop2(size_t n, const void *x, int sx, const void *y, int sy, void *z,
                      const void *params);
typedef void ox_loop3(size_t n, const void *const x[3], const int s[3], void *z, const void *params);
ox_code ox_map1(ox_run *r, ox_loop1 *loop, const void *params); /* in[0] -> out[0] */
ox_code ox_map2(ox_run *r, ox_loop2 *loop, const void *params); /* in[0], in[1] broadcast */
ox_code ox_map3(ox_run *r, ox_loop3 *loop, const void *params);
/* The same for explicit tensors (legacy broadcasting, variadic operators). */
ox_code ox_map2_of(ox_run *r, const ox_tensor *a, const ox_tensor *b, ox_tensor *z, ox_loop2 *loop,
                   const void *params);

/* ---- the oracle ---- */
typedef struct ox_oracle {
    ox_run               *r;   /* attributes, shapes, state, integer and string inputs */
    const double *const  *in;  /* [n_in] numeric inputs as double; NULL: absent or not numeric */
    double *const        *out; /* [n_out] to fill; NULL: not wanted or not float */
    double *const        *mag; /* [n_out] what the permitted error is proportional to (ERR_SUM);
                                  preset to |out| after the call where left NaN */
    double                terms; /* may be set: how many terms one accumulator of the kernel adds up.  The
                                    bound grows with its root: rounding errors of a long sum are many */
} ox_oracle;
typedef ox_code ox_oracle_fn(ox_oracle *o);
typedef double  ox_exact1(double x, const void *params);
typedef double  ox_exact2(double x, double y, const void *params);
/* The truth of output 0 part by part, for outputs whose doubles would fill memory and not fit any cache.  A
 * part gives fn stretches of elements that lie side by side, alive for the call only; fn may spoil mag. */
typedef void ox_stretch_fn(void *ctx, int64_t from, int64_t n, const double *value, double *mag);
typedef struct ox_parts {
    ox_run               *r;
    const double *const  *in;      /* as the oracle's; NULL, or a NULL entry: the run's own input serves */
    int64_t               n;       /* how many parts, cut by shape; 0: this node is not cut */
    size_t                scratch; /* bytes that each worker needs, 64-byte aligned */
    double                terms;   /* as the oracle's */
    void                 *state;
    void (*part)(const struct ox_parts *p, int64_t i, void *scratch, ox_stretch_fn *fn, void *ctx);
} ox_parts;
typedef ox_code ox_parts_fn(ox_parts *p);
ox_code ox_map1_oracle(ox_oracle *o, ox_exact1 *fn, const void *params);
ox_code ox_loop1_oracle(ox_oracle *o, ox_loop1 *loop, const void *params); /* a loop over doubles */
ox_code ox_map2_oracle(ox_oracle *o, ox_exact2 *fn, const void *params);

typedef enum ox_error_kind {
    ERR_DEFAULT, /* ERR_EXACT without an oracle, else ERR_SUM with c = 8 */
    ERR_EXACT,   /* the same value (movement, comparison, integers) */
    ERR_ULP,     /* |y - y64| <= c ulp(y64) */
    ERR_SUM,     /* |y - y64| <= c u mag + smallest subnormal, u the unit roundoff of the output */
    ERR_RANDOM,  /* distribution and shape only */
} ox_error_kind;
typedef struct ox_error_model {
    ox_error_kind kind;
    double        c;
} ox_error_model;

/* ---- the record ---- */
enum {
    OX_SYMBOLIC = 1 << 0,   /* infer copes with negative dims */
    OX_VIEW = 1 << 1,       /* output 0 is input 0's memory under another shape: no kernel needed */
    OX_INPLACE0 = 1 << 2,   /* output 0 may overwrite input 0 (same bytes), ... */
    OX_INPLACE1 = 1 << 3,   /* ... or input 1 */
    OX_IMPURE = 1 << 4,     /* result not a function of the inputs: never folded (Random*) */
    OX_NO_WIDEN = 1 << 5,
    OX_CONTROL = 1 << 6,    /* has graph attributes */
    OX_POINTWISE = 1 << 8,  /* element i of output 0 depends on elements i of the inputs alone, if they have
                               its shape or one element; the oracle serves for any stretch of it */
    OX_PACKS1 = 1 << 9,     /* infer and prepare read a constant matrix at input 1 through ox_packed alone, and
                               where they have, run does not read it, ... */
    OX_PACKS2 = 1 << 10,    /* ... or at input 2 */
    OX_SHAPE_ONLY = 1 << 7, /* reads its inputs' shapes, never their elements (Shape, Size) */
};
enum { /* ox_op.key */
    OX_KEY_IN0 = 0,  /* the default; OX_KEY_IN0 + i for input i */
    OX_KEY_OUT0 = -1,
    OX_KEY_NONE = -2 /* run_any serves all types */
};

struct ox_op {
    const char    *name;
    int            since;
    const char    *domain;     /* NULL: ai.onnx */
    ox_run_fn     *infer;
    ox_run_fn     *prepare;    /* optional */
    ox_run_fn     *run[OX_N_DTYPES]; /* by the type of `key` */
    ox_run_fn     *run_any;    /* for types that run[] lacks: no widening then */
    ox_oracle_fn  *oracle;     /* NULL: the f64 kernel on f64 inputs serves */
    ox_parts_fn   *parts;      /* optional: the oracle's values, part by part; fills in all but r and in */
    ox_error_model error;
    size_t         state_size;
    int            key;
    unsigned       flags;
    /* Optional, asked when both are prepared: whether this node would rather compute input 0, which nobody
     * else reads, itself, from the inputs of the feeder (of the same operator): then the name of that kernel,
     * else NULL.  The bits must be the same. */
    const char  *(*joins)(const ox_run *r, const ox_run *feeder);
    /* Optional, asked when prepared: output 0 is the inputs' elements, one input behind the other.  The memory plan
     * then has inputs made where they are to lie; run finds their data there and leaves them. */
    bool         (*joint)(const ox_run *r);
    int64_t      (*flops)(const ox_run *r); /* multiplications and additions; NULL: one an element */
};

#define OX_OP(Name, Since)                                                                         \
    const ox_op ox_op_##Name##_##Since = { .name = #Name, .since = Since,
#define OX_END }

/* .run = { KERNELS(softmax, FLOAT) } */
#define KERNELS(fn, set) KERNELS_##set(fn)
#define KERNELS_FLOAT(fn) [OX_F32] = fn##_f32, [OX_F64] = fn##_f64
#define KERNELS_INT(fn)                                                                            \
    [OX_I8] = fn##_i8, [OX_I16] = fn##_i16, [OX_I32] = fn##_i32, [OX_I64] = fn##_i64,              \
    [OX_U8] = fn##_u8, [OX_U16] = fn##_u16, [OX_U32] = fn##_u32, [OX_U64] = fn##_u64
#define KERNELS_NUM(fn) KERNELS_FLOAT(fn), KERNELS_INT(fn)

extern const ox_op *const ox_ops[]; /* sorted by name, then since; defined in kernels/ops.c */
extern const size_t       ox_n_ops;

#endif
