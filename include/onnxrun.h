/* onnxrun: runs ONNX models and judges whether outputs are right.
 *
 *     onnxrun_error err;
 *     onnxrun_model *m = NULL;
 *     onnxrun_session *s = NULL;
 *     onnxrun_value *x = NULL;
 *     const onnxrun_value *y;
 *     if (onnxrun_model_load("model.onnx", &m, &err) ||
 *         onnxrun_session_create(m, NULL, &s, &err) ||
 *         onnxrun_value_load("input.npy", onnxrun_session_input(s, 0), &x, &err) ||
 *         onnxrun_session_run(s, (const onnxrun_value *[]){ x }, &y, &err))
 *         fprintf(stderr, "%s\n", err.text);
 *     else
 *         use(onnxrun_value_data(y), onnxrun_value_bytes(y));
 *     onnxrun_value_destroy(x);
 *     onnxrun_session_destroy(s);
 *     onnxrun_model_destroy(m);
 *
 * Errors.  Calls that can fail return 0 (ONNXRUN_OK) or the code of what went wrong and fill `err`
 * (which may be NULL) with one line of text.  Nothing here prints, exits or aborts.
 *
 * Ownership.  What a function hands out through `T **out` belongs to the caller and goes back
 * through onnxrun_..._destroy (NULL is legal).  A `const T *` result is borrowed: it lives as long
 * as the object it was asked of, unless said otherwise.
 *
 * Threads.  A model may be shared by threads once it is loaded.  A session serves one thread at a
 * time; create several for concurrency, they share the model's weights. */
#ifndef ONNXRUN_H
#define ONNXRUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define OX_API __attribute__((visibility("default")))
#else
#define OX_API
#endif

/* ---- the basics ---- */

typedef enum onnxrun_code {
    ONNXRUN_OK = 0,
    ONNXRUN_E_USAGE,       /* an argument that makes no sense */
    ONNXRUN_E_IO,          /* a file that cannot be read or written */
    ONNXRUN_E_PARSE,       /* a file that is not what it should be */
    ONNXRUN_E_GRAPH,       /* a model that breaks ONNX's rules */
    ONNXRUN_E_TYPE,        /* a type that does not fit */
    ONNXRUN_E_SHAPE,       /* a shape that does not fit */
    ONNXRUN_E_VALUE,       /* a value out of range */
    ONNXRUN_E_UNSUPPORTED, /* valid, but there is no kernel for it */
    ONNXRUN_E_LIMIT,       /* a cap was reached (memory, nesting, ...) */
    ONNXRUN_E_NOMEM,
    ONNXRUN_E_MISMATCH,
    ONNXRUN_E_INTERNAL,    /* a bug of this library */
} onnxrun_code;

typedef struct onnxrun_error {
    onnxrun_code code;
    char         text[1024]; /* one line: model, node, operator and cause, as far as known */
    char         node[128];  /* "" when no node is to blame */
    char         op[64];     /* "Conv-11" */
} onnxrun_error;

/* Element types; the numbers are ONNX's TensorProto.DataType. */
typedef enum onnxrun_dtype {
    ONNXRUN_UNDEFINED = 0,
    ONNXRUN_F32, ONNXRUN_U8, ONNXRUN_I8, ONNXRUN_U16, ONNXRUN_I16, ONNXRUN_I32, ONNXRUN_I64,
    ONNXRUN_STR, ONNXRUN_BOOL, ONNXRUN_F16, ONNXRUN_F64, ONNXRUN_U32, ONNXRUN_U64, ONNXRUN_C64,
    ONNXRUN_C128, ONNXRUN_BF16, ONNXRUN_F8E4M3FN, ONNXRUN_F8E4M3FNUZ, ONNXRUN_F8E5M2,
    ONNXRUN_F8E5M2FNUZ, ONNXRUN_U4, ONNXRUN_I4, ONNXRUN_F4E2M1, ONNXRUN_F8E8M0, ONNXRUN_U2,
    ONNXRUN_I2, ONNXRUN_F6E2M3, ONNXRUN_F6E3M2,
    ONNXRUN_N_DTYPES
} onnxrun_dtype;

enum { ONNXRUN_MAX_RANK = 16 };

typedef struct onnxrun_model   onnxrun_model;
typedef struct onnxrun_session onnxrun_session;
typedef struct onnxrun_value   onnxrun_value;
typedef struct onnxrun_bundle  onnxrun_bundle;
typedef struct onnxrun_output  onnxrun_output;

OX_API const char   *onnxrun_version(void);              /* "0.1.0" */
OX_API int           onnxrun_newest_opset(const char *domain); /* of "ai.onnx", ...; 0: unknown */
OX_API const char   *onnxrun_dtype_name(onnxrun_dtype t);  /* "f32", "bf16", "i64", "str" */
OX_API onnxrun_dtype onnxrun_dtype_from_name(const char *name);
OX_API size_t        onnxrun_dtype_size(onnxrun_dtype t); /* bytes of an element in memory */

/* ---- the process: call these before anything else, from one thread ---- */

/* Kernels no better than `name`: "scalar", "sse42" ("sse2"), "avx2", "avx512", "neon", ...; NULL or
 * "native": all that this CPU has.  The environment's ONNXRUN_ISA caps it too. */
OX_API onnxrun_code onnxrun_set_isa(const char *name, onnxrun_error *err);
OX_API const char  *onnxrun_isa(void);   /* the best level in use: "avx2" */
OX_API int          onnxrun_cores(void); /* physical cores this process may use */
/* No more than so many bytes of tensors at a time, in all sessions together; 0: no cap. */
OX_API void onnxrun_set_max_memory(size_t n_bytes);
/* 1: progress and decisions on stderr. */
OX_API void onnxrun_set_verbose(int level);
/* Removes what unfinished outputs have written so far.  Async-signal-safe. */
OX_API void onnxrun_abandon_outputs(void);

/* ---- models ---- */

/* External data must lie below the model's own folder. */
OX_API onnxrun_code onnxrun_model_load(const char *path, onnxrun_model **out, onnxrun_error *err);
OX_API void         onnxrun_model_destroy(onnxrun_model *m);

typedef enum onnxrun_kind {
    ONNXRUN_NONE, /* an empty optional */
    ONNXRUN_TENSOR,
    ONNXRUN_SEQUENCE,
    ONNXRUN_MAP,
    ONNXRUN_SPARSE,
} onnxrun_kind;

/* What is declared or known of a value before anything runs. */
typedef struct onnxrun_info {
    const char   *name;
    const char   *type; /* "f32[N,3,224,224]", "seq(i64[?])", ... */
    onnxrun_kind  kind;
    bool          optional;               /* ONNX optional(...) */
    onnxrun_dtype dtype;                  /* of a tensor; else ONNXRUN_UNDEFINED */
    int           rank;                   /* of a tensor; -1: unknown */
    int64_t       dim[ONNXRUN_MAX_RANK];  /* -1: unknown or symbolic */
    const char   *symbol[ONNXRUN_MAX_RANK]; /* name of a symbolic dimension, else NULL */
    const void   *internal;
} onnxrun_info;

typedef struct onnxrun_model_info {
    const char *path, *producer, *producer_version, *domain, *doc, *graph;
    int64_t     ir_version, model_version;
    int         n_opset;     /* imported domains: onnxrun_model_opset */
    int         n_meta;      /* metadata entries: onnxrun_model_meta */
    int         n_input;     /* without initializer, in the order of the file */
    int         n_override;  /* inputs that have an initializer and may be fed in its place */
    int         n_output;
    int         n_function;  /* model-local functions */
    size_t      n_node;      /* subgraphs included */
    size_t      n_initializer;
    int64_t     n_parameter; /* elements of all initializers */
    size_t      parameter_bytes;
    size_t      file_bytes;  /* external data included */
    size_t      n_op;        /* distinct (domain, operator, version): onnxrun_model_op */
} onnxrun_model_info;

OX_API void                onnxrun_model_describe(const onnxrun_model *m, onnxrun_model_info *out);
OX_API const char         *onnxrun_model_opset(const onnxrun_model *m, int i, int *version);
OX_API const char         *onnxrun_model_meta(const onnxrun_model *m, int i, const char **value);
/* First those without an initializer, then those that runs may override. */
OX_API const onnxrun_info *onnxrun_model_input(const onnxrun_model *m, int i);
OX_API const onnxrun_info *onnxrun_model_output(const onnxrun_model *m, int i);

/* The text of the stage "load": works on models that cannot run. */
OX_API void onnxrun_model_dump(const onnxrun_model *m, FILE *to);

typedef struct onnxrun_op_use {
    const char *domain, *name;
    int         opset;       /* the version of the domain that the model imports */
    int         since;       /* the version of the operator that this selects; 0: not ONNX's */
    size_t      count;       /* nodes */
    bool        supported;   /* a kernel exists for this version (its types are seen at run) */
    const char *first_node;
} onnxrun_op_use;
OX_API const onnxrun_op_use *onnxrun_model_op(const onnxrun_model *m, size_t i); /* sorted */

/* ---- values ---- */

/* A tensor that copies `data` (C order, this machine's byte order; NULL: zeros).  Types below a
 * byte take one byte an element, in its low bits.  dim are elements; all >= 0. */
OX_API onnxrun_code onnxrun_value_tensor(onnxrun_dtype t, int rank, const int64_t *dim,
                                         const void *data, onnxrun_value **out, onnxrun_error *err);
/* A tensor over the caller's memory, which must stay until the value is destroyed; only read. */
OX_API onnxrun_code onnxrun_value_borrow(onnxrun_dtype t, int rank, const int64_t *dim,
                                         const void *data, onnxrun_value **out, onnxrun_error *err);
/* A string tensor: one NUL-terminated UTF-8 string an element, copied. */
OX_API onnxrun_code onnxrun_value_strings(int rank, const int64_t *dim, const char *const *strings,
                                          onnxrun_value **out, onnxrun_error *err);
/* Type and shape alone, for onnxrun_session_plan. */
OX_API onnxrun_code onnxrun_value_shape(onnxrun_dtype t, int rank, const int64_t *dim,
                                        onnxrun_value **out, onnxrun_error *err);
/* Pseudo-random contents, the same on every machine: floats uniform in [-1, 1), 8-bit integers over
 * their range, wider ones 0 to 9, bool 0 or 1, strings "s0" to "s9".  An empty sequence or optional
 * where the type is one.  Unknown dimensions of `like` come from `dim` (may be NULL), else they
 * are 1. */
OX_API onnxrun_code onnxrun_value_random(const onnxrun_info *like, const int64_t *dim,
                                         uint64_t seed, onnxrun_value **out, onnxrun_error *err);
OX_API onnxrun_code onnxrun_value_copy(const onnxrun_value *v, onnxrun_value **out,
                                       onnxrun_error *err);
/* The same numbers as another element type (ONNX's Cast; numeric types only). */
OX_API onnxrun_code onnxrun_value_cast(const onnxrun_value *v, onnxrun_dtype t, onnxrun_value **out,
                                       onnxrun_error *err);
OX_API void onnxrun_value_destroy(onnxrun_value *v);

OX_API onnxrun_kind   onnxrun_value_kind(const onnxrun_value *v);
OX_API onnxrun_dtype  onnxrun_value_dtype(const onnxrun_value *v);
OX_API int            onnxrun_value_rank(const onnxrun_value *v);
OX_API const int64_t *onnxrun_value_dims(const onnxrun_value *v);
/* Elements of a tensor, values of a sequence. */
OX_API int64_t        onnxrun_value_count(const onnxrun_value *v);
/* NULL for strings and for what is no tensor. */
OX_API const void    *onnxrun_value_data(const onnxrun_value *v);
OX_API size_t         onnxrun_value_bytes(const onnxrun_value *v);
OX_API const char    *onnxrun_value_string(const onnxrun_value *v, int64_t i, size_t *n_bytes);
OX_API const onnxrun_value *onnxrun_value_at(const onnxrun_value *v, size_t i); /* of a sequence */
/* "f32[1,3,224,224]", "seq(2)" ...; returns buf. */
OX_API char *onnxrun_value_text(const onnxrun_value *v, char *buf, size_t n_buf);

typedef struct onnxrun_stats {
    int64_t elements, nan, inf;
    double  min, max, mean; /* of the finite elements; NaN if there are none, or for strings */
} onnxrun_stats;
OX_API void onnxrun_value_stats(const onnxrun_value *v, onnxrun_stats *out);

/* ---- files ---- */

/* .npy (1.0 to 3.0, any order and byte order) or .pb (TensorProto; SequenceProto, OptionalProto,
 * MapProto where `declared` says so).  `declared` (may be NULL) also tells what numpy's files do
 * not: which of the 1-byte types '<V1' is.  The contents are not compared with it:
 * onnxrun_value_check does that. */
OX_API onnxrun_code onnxrun_value_load(const char *path, const onnxrun_info *declared,
                                       onnxrun_value **out, onnxrun_error *err);
/* Fails when v cannot be fed where `declared` is: "input "x": is f64[3,4], the model declares
 * f32[N,4]". */
OX_API onnxrun_code onnxrun_value_check(const onnxrun_value *v, const onnxrun_info *declared,
                                        onnxrun_error *err);

/* Named values: an .npz file, a folder of .npy and .pb files (named by the file), or one such file.
 * declared[0..n) tells types by name, as above; one without a name is for all. */
OX_API onnxrun_code onnxrun_bundle_load(const char *path, const onnxrun_info *const *declared,
                                        size_t n_declared, onnxrun_bundle **out,
                                        onnxrun_error *err);
OX_API size_t       onnxrun_bundle_count(const onnxrun_bundle *b);
OX_API const char  *onnxrun_bundle_name(const onnxrun_bundle *b, size_t i);
OX_API const onnxrun_value *onnxrun_bundle_value(const onnxrun_bundle *b, size_t i);
OX_API void         onnxrun_bundle_destroy(onnxrun_bundle *b);

/* The name that a value's file gets: all but letters, digits, '.', '_' and '-' become '_'.  false: too
 * long. */
OX_API bool onnxrun_file_name(const char *name, char *to, size_t n_to);

typedef enum onnxrun_format {
    ONNXRUN_BY_NAME,   /* by the path: a folder or PATH/ (one .npy a value), .npz, .npy, .pb */
    ONNXRUN_TEST_CASE, /* a folder: output_<j>.pb, the layout of ONNX's test data */
    ONNXRUN_STREAM,    /* a file of any name: onnxrun_output_stream */
} onnxrun_format;

/* Files that appear together at commit or not at all: they are written under temporary names in the
 * folder where they will be.  open fails early if that folder cannot be written.  numpy has no
 * bf16, f8, f6, f4, i4, u4, i2, u2: they are saved as numpy saves ml_dtypes arrays, '<V2' and
 * '<V1', so that np.load(file).view(ml_dtypes.bfloat16) is the array. */
OX_API onnxrun_code onnxrun_output_open(const char *path, onnxrun_format format,
                                        onnxrun_output **out, onnxrun_error *err);
/* `declared` (may be NULL) tells an optional from what it holds, for .pb. */
OX_API onnxrun_code onnxrun_output_add(onnxrun_output *o, const char *name, const onnxrun_value *v,
                                       const onnxrun_info *declared, onnxrun_error *err);
OX_API onnxrun_code onnxrun_output_commit(onnxrun_output *o, onnxrun_error *err);
OX_API void         onnxrun_output_destroy(onnxrun_output *o); /* removes what was not committed */
/* ONNXRUN_STREAM: what the caller writes is the file.  f is closed by commit or destroy. */
OX_API onnxrun_code onnxrun_output_stream(onnxrun_output *o, FILE **f, onnxrun_error *err);

/* ---- running ---- */

typedef struct onnxrun_options {
    int         threads;    /* 0: physical cores; the bits of the outputs do not depend on it */
    int         optimize;   /* 0: the graph as written, 1: rewrites that keep every bit, 2: all */
    bool        f64;        /* every float value computed and kept in double */
    bool        float_qdq;  /* quantised graphs as written: no integer operators in place of float ones */
    bool        seeded;     /* random operators draw from `seed` */
    uint64_t    seed;
    /* values to compute, intermediate ones too, or "all"; none: the model's outputs */
    const char *const *outputs;  int n_outputs;
    /* inputs with an initializer that runs will feed */
    const char *const *override; int n_override;
} onnxrun_options;
OX_API void onnxrun_options_init(onnxrun_options *o); /* the defaults: optimize 2, the rest 0 */

/* options NULL: the defaults.  The model must outlive the session.  All operators without a kernel
 * are listed in one error. */
OX_API onnxrun_code onnxrun_session_create(const onnxrun_model *m, const onnxrun_options *options,
                                           onnxrun_session **out, onnxrun_error *err);
OX_API void         onnxrun_session_destroy(onnxrun_session *s);

/* Inputs: the graph's without initializer in the order of the file, then options.override. Outputs:
 * the graph's, or those of options.outputs in that order. */
OX_API int onnxrun_session_n_input(const onnxrun_session *s);
OX_API int onnxrun_session_n_output(const onnxrun_session *s);
OX_API const onnxrun_info *onnxrun_session_input(const onnxrun_session *s, int i);
OX_API const onnxrun_info *onnxrun_session_output(const onnxrun_session *s, int i);

/* in[onnxrun_session_n_input], out[onnxrun_session_n_output].  out[i] is borrowed from the session
 * and valid until its next call. */
OX_API onnxrun_code onnxrun_session_run(onnxrun_session *s, const onnxrun_value *const *in,
                                        const onnxrun_value **out, onnxrun_error *err);
/* Chooses kernels and memory for inputs of these types and shapes without running. */
OX_API onnxrun_code onnxrun_session_plan(onnxrun_session *s, const onnxrun_value *const *in,
                                         onnxrun_error *err);
/* Text of a later stage: "infer", "opt", "plan" (after a run or plan). */
OX_API onnxrun_code onnxrun_session_dump(onnxrun_session *s, const char *stage, FILE *to,
                                         onnxrun_error *err);

typedef struct onnxrun_memory {
    size_t  planned;    /* bytes of activations, as planned */
    size_t  live_bound; /* bytes alive at once at the worst node: no plan can need less */
    size_t  weights, packed, scratch;
    int64_t flops;      /* additions and multiplications of one run */
} onnxrun_memory;
OX_API onnxrun_memory onnxrun_session_memory(const onnxrun_session *s); /* of the newest plan */

typedef struct onnxrun_node_profile {
    const char *node, *op;  /* op: "Conv-11" */
    const char *kernel;     /* NULL: the operator's only one */
    int64_t     ns, calls, flops, bytes; /* sums since profiling was switched on */
} onnxrun_node_profile;
OX_API void onnxrun_session_profile(onnxrun_session *s, bool on);
/* Borrowed until the session's next call. */
OX_API const onnxrun_node_profile *onnxrun_session_profiles(onnxrun_session *s, size_t *n);
/* Called after each node, with the monotonic time in nanoseconds; NULL: no more. */
typedef void onnxrun_node_fn(void *ctx, const char *node, const char *op, const char *kernel,
                             int64_t now_ns);
OX_API void onnxrun_session_on_node(onnxrun_session *s, onnxrun_node_fn *fn, void *ctx);
OX_API int64_t onnxrun_clock_ns(void);

/* What this machine can do at best: float additions and multiplications a second at the level in use,
 * bytes a second from memory.  Measured by `threads` threads (0: physical cores) in some tens of
 * milliseconds. */
typedef struct onnxrun_peak { double flops, bytes; } onnxrun_peak;
OX_API onnxrun_code onnxrun_measure_peak(int threads, onnxrun_peak *out, onnxrun_error *err);

/* ---- comparing ---- */

/* |actual - expected| <= atol + rtol * |expected|; NaN equals NaN, infinities by sign; integers,
 * bool and strings exact; kind, type and shape exact.  A negative value stands for the type's
 * default: f64 1e-9 / 1e-12, f32 1e-4 / 1e-5, f16 1e-2 / 1e-3, bf16 5e-2 / 1e-2 (rtol / atol), the
 * 8- and 4-bit floats one step, c64 and c128 as f32 and f64 (of the modulus). */
typedef struct onnxrun_tolerance {
    double rtol, atol;
    int    wider; /* not 0: an f64 actual may stand for a narrower float (--precision f64); the
                     expected values are widened and their type's defaults hold */
} onnxrun_tolerance;

typedef struct onnxrun_worst {
    bool    known;               /* false: nothing was compared by value */
    int     rank;
    int64_t index[ONNXRUN_MAX_RANK];
    double  actual, expected;    /* of complex elements, the moduli */
} onnxrun_worst;

typedef struct onnxrun_comparison {
    bool          equal;
    char          text[512];   /* why not, in a sentence; "" when equal */
    double        rtol, atol;  /* as applied */
    bool          exact;       /* the type is compared exactly */
    bool          numeric;     /* the numbers below mean something */
    int64_t       elements, out_of_tolerance;
    double        max_abs;     /* NaN or infinity where only one side is */
    double        max_rel;     /* over elements whose expected value is finite and not 0 */
    double        max_ulp;     /* steps of the element type; of integers, their difference */
    double        rms;         /* of the differences of finite pairs */
    double        cosine;      /* of finite pairs, as two vectors; NaN if one of them is 0 */
    onnxrun_worst worst;       /* where max_abs is */
    onnxrun_worst worst_rel;   /* where max_rel is */
} onnxrun_comparison;

/* tolerance NULL: by type.  Sequences and maps are compared recursively into one result. */
OX_API onnxrun_code onnxrun_compare(const onnxrun_value *actual, const onnxrun_value *expected,
                                    const onnxrun_tolerance *tolerance, onnxrun_comparison *out,
                                    onnxrun_error *err);

/* ---- judging: who is wrong, where it starts, by how much it may differ ---- */

/* Beside the run goes a float64 chain of the graph as written; rounding explains a difference from
 * it up to a bound that the operators' error models give (docs/verdicts.md). */
typedef enum onnxrun_finding {
    ONNXRUN_EQUAL,           /* by the tolerance */
    ONNXRUN_ROUNDING,        /* not by the tolerance, but both are within the bound */
    ONNXRUN_LOW_PRECISION,   /* the reference looks computed in TF32, float16 or bfloat16 */
    ONNXRUN_ILL_CONDITIONED, /* both are far from the truth: the model amplifies rounding */
    ONNXRUN_DIFFERENT,       /* no rounding explains it */
    ONNXRUN_OURS_WRONG,      /* our own result is outside its bound: a bug */
} onnxrun_finding;
/* "equal", "equal-within-rounding", "reference-low-precision", ... */
OX_API const char *onnxrun_finding_name(onnxrun_finding f);

typedef struct onnxrun_judgement {
    bool            judged;          /* there is a truth for this output */
    onnxrun_finding finding;
    char            reason[700];     /* one sentence */
    char            node[200];       /* that the reason is about; "" where none */
    double          actual_error, expected_error;   /* largest difference from the truth */
    double          actual_margin, expected_margin; /* the largest error / bound */
    double          bound;           /* where the expected margin is largest */
    double          roundoff;        /* fitted unit roundoff of the reference; 0 */
} onnxrun_judgement;

/* in: as for a session with these options.  names, actual, expected, equal, out: n outputs; equal
 * tells which pass the caller's tolerance (NULL: none). */
OX_API onnxrun_code onnxrun_judge(const onnxrun_model *m, const onnxrun_options *options,
                                  const onnxrun_value *const *in, int n, const char *const *names,
                                  const onnxrun_value *const *actual,
                                  const onnxrun_value *const *expected, const bool *equal,
                                  onnxrun_judgement *out, onnxrun_error *err);

/* ---- tracing: node by node against a reference ---- */

typedef struct onnxrun_trace_node {
    const char *node, *op, *value;
    bool        held;          /* the reference holds this value */
    bool        judged;        /* there is a truth to judge it by */
    bool        departs;       /* more than rounding explains, given the node's inputs */
    double      local;         /* largest error, the node fed with the reference's own inputs */
    double      propagated;    /* largest error against the whole chain */
    double      amplification; /* propagated / local; 0 where local is 0 */
    double      margin;        /* the largest error / bound */
    double      max_abs;       /* largest difference between the reference and our value */
    int64_t     elements;
} onnxrun_trace_node;

typedef struct onnxrun_explanation {
    const char *cause; /* a stable name: "padding-side" */
    double      residual; /* what remains of the difference: 0 all explained, 1 nothing */
    char        text[300], fix[200];
} onnxrun_explanation;

typedef struct onnxrun_trace {
    onnxrun_finding             verdict;
    char                        reason[700];
    int                         first; /* of nodes; -1: nothing departs */
    const onnxrun_trace_node   *node;  size_t n_node;
    const onnxrun_explanation  *explanation; int n_explanation; /* best first */
    size_t                      n_unjudged; /* held, but without a truth */
    size_t                      n_held;
} onnxrun_trace;

enum { ONNXRUN_TRACE_EXPLAIN = 1, ONNXRUN_TRACE_REPORT = 2 }; /* what, besides the rows */

/* names, values: what the reference holds, n of them; n 0: our own run against its float64 truth. */
OX_API onnxrun_code onnxrun_trace_run(const onnxrun_model *m, const onnxrun_options *options,
                                      const onnxrun_value *const *in, size_t n,
                                      const char *const *names, const onnxrun_value *const *values,
                                      unsigned what, onnxrun_trace **out, onnxrun_error *err);
OX_API void onnxrun_trace_destroy(onnxrun_trace *t);
/* One HTML page that needs nothing else, of a trace made with ONNXRUN_TRACE_REPORT.  reference: its name,
 * shown; NULL: our own run against its truth. */
OX_API onnxrun_code onnxrun_trace_report(const onnxrun_trace *t, const onnxrun_model *m,
                                         const char *reference, FILE *to, onnxrun_error *err);

/* ---- reducing: the smallest reproducer ---- */

typedef struct onnxrun_reduction {
    bool   written;    /* false: nothing departs */
    char   node[200], op[64], value[200];
    bool   no_truth;   /* an expected output is our own: the operator has no float64 truth */
    size_t n_node, n_input, n_weight, n_output, n_bytes;
    double tolerance;  /* absolute: between right and wrong */
    char   reason[700];
} onnxrun_reduction;

/* Writes the first node that departs (as onnxrun_trace_run finds it; n 0: our own run against its
 * truth) to a folder, as an ONNX test case: model.onnx, test_data_set_0/{input,output}_<i>.pb, data.json;
 * reference_<j>.pb is what the reference had.  node (may be NULL): this one instead, whether it departs or
 * not.  The folder is made; it must not hold a case already.  All files appear or none. */
OX_API onnxrun_code onnxrun_reduce(const onnxrun_model *m, const onnxrun_options *options,
                                   const onnxrun_value *const *in, size_t n,
                                   const char *const *names, const onnxrun_value *const *values,
                                   const char *node, const char *folder, onnxrun_reduction *out,
                                   onnxrun_error *err);

/* ---- lint: what can be said against a model before anything runs ---- */

typedef enum onnxrun_severity {
    ONNXRUN_NOTE,    /* frameworks differ here */
    ONNXRUN_WARNING, /* rarely what was meant */
    ONNXRUN_FAULT,   /* the result is undefined or the model is not valid */
} onnxrun_severity;
OX_API const char *onnxrun_severity_name(onnxrun_severity s); /* "note", "warning", "error" */

typedef struct onnxrun_lint_rule {
    const char      *id;       /* a stable name: "training-batchnorm" */
    onnxrun_severity severity;
    const char      *text;     /* one sentence */
} onnxrun_lint_rule;
/* Rule i; false past the end. */
OX_API bool onnxrun_lint_rule_at(size_t i, onnxrun_lint_rule *out);

typedef struct onnxrun_lint_finding {
    onnxrun_lint_rule rule;
    const char       *node, *op, *value; /* "" where none */
    const char       *detail;            /* the numbers; "" where none */
} onnxrun_lint_finding;
typedef struct onnxrun_lint {
    const onnxrun_lint_finding *finding; /* the worst first */
    size_t                      n, n_fault, n_warning, n_note;
} onnxrun_lint;
OX_API onnxrun_code onnxrun_lint_run(const onnxrun_model *m, onnxrun_lint **out,
                                     onnxrun_error *err);
OX_API void         onnxrun_lint_destroy(onnxrun_lint *l);

/* ---- ONNX backend test cases: DIR/model.onnx, DIR/test_data_set_<i>/{input,output}_<j>.pb ---- */

typedef enum onnxrun_verdict {
    ONNXRUN_PASSED,
    ONNXRUN_WRONG,        /* it ran, an output differs */
    ONNXRUN_NO_KERNEL,    /* unsupported */
    ONNXRUN_FAILED,       /* it refused, or could not be read */
} onnxrun_verdict;
/* Runs every data set under the suite's rule: rtol 1e-3, atol 1e-7 unless DIR/data.json says
 * otherwise, bf16 at least 2^-6, integers exact; types and shapes alone where the model draws
 * random numbers.  text (of n_text bytes) gets the first difference or the error. */
OX_API onnxrun_verdict onnxrun_test_case(const char *dir, const onnxrun_options *options,
                                         char *text, size_t n_text);

/* How far the results used their error bounds: bin ONNXRUN_MARGIN_ONE + k counts the values whose largest
 * |y - truth| / bound lies in [2^k, 2^(k+1)); exact values do not count. */
enum { ONNXRUN_MARGIN_BINS = 64, ONNXRUN_MARGIN_ONE = 48 };
typedef struct onnxrun_margins {
    int64_t bin[ONNXRUN_MARGIN_BINS];
    double  worst;
} onnxrun_margins;
/* Holds every node of every data set to its bound; ONNXRUN_WRONG: one left it. */
OX_API onnxrun_verdict onnxrun_test_bounds(const char *dir, const onnxrun_options *options,
                                           onnxrun_margins *m, char *text, size_t n_text);

/* ---- what is supported ---- */

typedef struct onnxrun_op_types {
    const char *name;          /* of a type variable, or of the parameter that decides and has none */
    uint64_t    types;         /* bit t: ONNX allows element type t */
    uint64_t    served;        /* those that run */
    bool        other, other_served; /* it also takes sequences, optionals or maps */
} onnxrun_op_types;
typedef struct onnxrun_op_row {
    const char *domain, *name;
    int         since, until;  /* opsets of this version of the operator; INT32_MAX: no end */
    bool        deprecated, removed, function, supported;
    int         n_var;
    onnxrun_op_types var[8];   /* first the one that decides which kernel runs */
} onnxrun_op_row;
/* Row i of all versions of all operators, sorted; false past the end. */
OX_API bool onnxrun_op_at(size_t i, onnxrun_op_row *row);

#ifdef __cplusplus
}
#endif
#endif
