/* Matrix products: the micro-kernels' contract (first half) and the driver built on them (second).
 *
 * Everything is row-major; leading dimensions and strides count elements.  A micro-kernel knows
 * tiles, pointers and sizes only.  The driver cuts a product into blocks by shape alone and sums K
 * in blocks whose size depends on k alone, so the bits of C do not depend on the number of threads.
 *
 * Error: every element is a chain of fused multiply-adds over at most OX_GEMM_KC terms, and the
 * chains of successive K blocks are added in order:
 *   |C - exact| <= gamma(min(k, OX_GEMM_KC) + k / OX_GEMM_KC + 3)
 *                  * (|alpha| |A||B| + |beta D| + |bias|). */
#ifndef OX_GEMM_H
#define OX_GEMM_H

#include "runtime/base/cpu.h"
#include "runtime/base/pool.h"
#include "runtime/base/status.h"

/* ---- micro-kernels ---- */

/* One tile: C[m x n] = act(alpha * A[m x k] B[k x n] + beta * D[m x n] + bias + E[m x n]).
 * Element type: the row's; the pointers are to it, the scalars are rounded to it. */
typedef struct ox_tile {
    size_t         m, n, k;    /* 1 <= m <= mr, 1 <= n <= nr, k >= 0 (k = 0: a product of 0) */
    const void    *a;          /* A(i, p) = a[i * rs_a + p * cs_a] */
    size_t         rs_a, cs_a;
    const void    *b;          /* B(p, j) = b[p * ldb + j], or b[off[p] + j] if off is not NULL; */
    size_t         ldb;        /* each of the k rows has nr readable elements whatever n is, */
                               /* except for rows of the table marked exact: n will do */
    const int32_t *off;
    void          *c;          /* written: m rows of n elements, no byte more; may be d itself */
    size_t         ldc;
    const void    *d;          /* NULL: nothing is added */
    size_t         ldd;
    const void    *e;          /* like d, added behind everything else; NULL: nothing */
    size_t         lde;
    const void    *bias_row;   /* m values, one a row, or NULL */
    const void    *bias_col;   /* n values, one a column, or NULL */
    const void    *ahead;      /* while at term p of k, fetch the cache line at ahead + p * ahead_step */
    size_t         ahead_step; /* bytes: what a later tile will read; NULL: nothing */
    size_t         run;        /* 0, or how many of the k terms to sum before adding them to c: */
                               /* shorter sums err less; alpha and beta are then 1 */
    double         alpha, beta;
    double         slope;      /* act: negative v becomes v * slope (1: nothing), ... */
    double         lo, hi;     /* ... then min(hi, max(lo, v)); NaN stays NaN; -inf, inf: nothing */
} ox_tile;
#define OX_TILE_INIT                                                                               \
    .alpha = 1, .beta = 1, .slope = 1, .lo = -__builtin_inf(), .hi = __builtin_inf()

/* All pointers may have any alignment that suits the element type. */
typedef void ox_tile_fn(const ox_tile *t);

typedef enum ox_uk_kind {
    OX_UK_GEMM,   /* the tile as above, off == NULL */
    OX_UK_GATHER, /* the tile as above, off != NULL, rs_a == 1 */
    OX_UK_GEMV_N, /* m = 1: c[j] = A B (+ c[j] if beta is not 0), any n, exactly n readable elements
                     in a row of B; b's columns lie in panels of nr, ldd elements apart */
    OX_UK_GEMV_T, /* n = 1: c[i] = sum of a[i * rs_a + p] b[p] (+ c[i] if beta is not 0), any m */
    OX_UK_PACK_T, /* c[p * ldc + j] = b[j * ldb + p] for j < n, 0 for n <= j < ldc; any n, k */
} ox_uk_kind;

typedef struct ox_uk_gemm {
    const char *name;
    ox_uk_kind  kind;
    bool        f64;
    uint32_t    isa; /* levels it needs */
    int         mr, nr;
    bool        exact; /* reads n elements of B's rows, not nr */
    ox_tile_fn *fn;
} ox_uk_gemm;

extern const ox_uk_gemm ox_uk_gemm_rows[];
extern const size_t     ox_uk_gemm_n_rows;

/* The last row of that kind and type which the levels in `isa` can run; there is always one. */
const ox_uk_gemm *ox_uk_gemm_pick(ox_uk_kind kind, bool f64, uint32_t isa);

#define UK(kind, dtype, fn, isa, mr, nr, exact) ox_tile_fn fn;
#include "kernels/gemm/ukernels.def"
#undef UK

/* ---- the driver ---- */

enum { OX_GEMM_KC = 320 }; /* longest run of K summed in one accumulator */

/* What happens to a finished element.  All zero: nothing. */
typedef enum ox_act {
    OX_ACT_NONE,
    OX_ACT_CLAMP, /* min(hi, max(lo, v)): Relu is lo = 0, hi = inf */
    OX_ACT_LEAKY, /* v < 0 ? v * slope : v */
    OX_ACT_MAP    /* map(n, y, y, params) on finished stretches of a row, in place */
} ox_act;

typedef void ox_map_fn(size_t n, const void *x, void *y, const void *params);

typedef struct ox_epilogue {
    const void *bias_row; /* m values (a convolution's channels), or NULL */
    const void *bias_col; /* n values, or NULL */
    const void *residual; /* like C, added before the activation; may be C itself; or NULL */
    size_t      ld_residual;
    double      residual_scale; /* 0 counts as 1 */
    ox_act      act;
    double      lo, hi, slope;
    ox_map_fn  *map;
    const void *params;
} ox_epilogue;

/* Shape and choice.  The caller fills in the first group; ox_gemm_choose the rest. */
typedef enum ox_gemm_path { OX_GEMM_TILES, OX_GEMM_GEMV_N, OX_GEMM_GEMV_T } ox_gemm_path;

typedef struct ox_gemm_plan {
    size_t m, n, k;
    bool   f64;
    bool   trans_a; /* A is given as k x m */
    bool   trans_b; /* B is given as n x k */
    bool   packed_a, packed_b; /* given as ox_gemm_pack_a / _b left it */

    const char       *name; /* for profiles: "gemm_f32_avx512_14x32" */
    ox_gemm_path      path;
    bool              swap;       /* of a GEMV: the matrix is A and the vector B */
    const ox_uk_gemm *tile, *gemv, *pack;
    size_t            mr;         /* rows of an A panel: m in equal parts of at most tile->mr */
    size_t            kc, n_kb;   /* K blocks */
    size_t            mc, nc;     /* of a block: multiples of mr and nr (GEMV: nc outputs) */
    size_t            n_mb, n_nb; /* blocks each way */
    bool              copy_b;     /* packed inside a block (else read where it lies) */
} ox_gemm_plan;

/* Chooses for the levels in `isa` (ox_cpu()).  Cheap: may be called at every run.  A packed
 * operand's layout depends on the micro-kernel and that operand's own shape: one packed B serves
 * every m. */
void ox_gemm_choose(ox_gemm_plan *p, uint32_t isa);

/* Bytes of a packed operand; SIZE_MAX on overflow (no allocation of that size succeeds). */
size_t ox_gemm_pack_a_bytes(const ox_gemm_plan *p);
size_t ox_gemm_pack_b_bytes(const ox_gemm_plan *p);
void   ox_gemm_pack_a(const ox_gemm_plan *p, const void *a, size_t lda, void *packed);
void   ox_gemm_pack_b(const ox_gemm_plan *p, const void *b, size_t ldb, void *packed);

/* Bytes of scratch for up to n_workers (ox_pool_threads) workers; SIZE_MAX on overflow. */
size_t ox_gemm_scratch_bytes(const ox_gemm_plan *p, int n_workers);

typedef struct ox_gemm_args {
    const void *a, *b; /* packed or not, as the plan says */
    void       *c;
    size_t      lda, ldb, ldc; /* of unpacked operands */
    double      alpha;         /* 0 counts as 1: a product of 0 needs no gemm */
    size_t      batch;         /* how many products; 0 counts as 1 */
    /* elements from one product to the next (bytes where packed); 0: all share that operand */
    size_t      stride_a, stride_b, stride_c, stride_residual, stride_bias_row;
    ox_epilogue ep;
} ox_gemm_args;

/* C = act(alpha * op(A) op(B) + residual_scale * residual + bias) for every product of the batch.
 * scratch: ox_gemm_scratch_bytes for the pool's threads, 64-byte aligned.  C must not overlap A,
 * B. */
void ox_gemm_run(const ox_gemm_plan *p, const ox_gemm_args *args, void *scratch, ox_pool *pool);

/* ---- OpenBLAS ---- */

/* cblas_sgemm / cblas_dgemm of a libopenblas found at the first call, limited to one thread; false:
 * there is none.  The benchmark's yardstick; dispatch never needs it (see blas.c). */
bool ox_blas_gemm(bool f64, bool trans_a, bool trans_b, size_t m, size_t n, size_t k, double alpha,
                  const void *a, size_t lda, const void *b, size_t ldb, double beta, void *c,
                  size_t ldc);

#endif
