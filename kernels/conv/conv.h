/* Convolutions: the micro-kernels' contracts (first half) and the driver built on them (second).
 *
 * Tensors are contiguous: x is (n, c, spatial...), w (m, c / group, kernel...), y (n, m,
 * spatial...). One to three spatial dimensions; fewer are given as leading dimensions of 1, so that
 * the last one is always the contiguous one.
 *
 * Error of the direct algorithms: gemm.h's, with k = c / group * taps.  Winograd's: see
 * winograd.c. */
#ifndef OX_CONV_H
#define OX_CONV_H

#include "kernels/gemm/gemm.h"

/* ---- micro-kernels ---- */

/* The activation of ox_tile: negative v becomes v * slope, then min(hi, max(lo, v)). */
typedef struct ox_conv_act {
    float slope, lo, hi;
} ox_conv_act;

/* Input transformation of Winograd's F(4x4,3x3) for one row of tiles of one channel: a tile is 6 x 6, its
 * neighbour starts 4 columns later.  v[(i * 6 + j) * stride + t] = (B^T d B)[i][j] for the t-th tile d. */
typedef struct ox_wino_in {
    const float *row[6];  /* of n_cols elements; NULL: a row of zeros */
    size_t       lead;    /* columns of zeros before them; what is missing at the end is 0, too */
    size_t       n_cols;
    size_t       n_tiles; /* > 0 */
    float       *line;    /* scratch: 6 times OX_WINO_LINE(n_tiles) */
    float       *v;
    size_t       stride;
} ox_wino_in;
enum { OX_WINO_LANES = 16 }; /* the widest vector */
#define OX_WINO_LINE(n_tiles) (4 * (n_tiles) + 6 * OX_WINO_LANES)
typedef void ox_wino_in_fn(const ox_wino_in *t);

/* Its output transformation of one row of tiles of one channel: 4 rows, of which n_rows are written,
 * n_cols <= 4 * n_tiles elements each. */
typedef struct ox_wino_out {
    const float *m;       /* m[(i * 6 + j) * stride + t] */
    size_t       stride;
    size_t       n_tiles; /* > 0 */
    size_t       n_rows, n_cols;
    float        bias;
    const float *d;       /* added before the activation, like y; may be y; or NULL */
    float       *y;
    size_t       ldy;     /* elements from one row of y (and d) to the next */
    ox_conv_act  act;
} ox_wino_out;
typedef void ox_wino_out_fn(const ox_wino_out *t);

/* The same with channels in the rows of v, for a row of tiles of n_ch channels: a tile is step + 2 square, its
 * neighbour starts step columns later (step 4 for F(4x4,3x3), 2 for F(2x2,3x3)).
 * v[t * tile + (i * (step + 2) + j) * stride + c] = (B^T d B)[i][j] for the t-th tile d of channel c.
 * There is room for whole vectors of channels. */
typedef struct ox_winoc_in {
    const float *row[6];  /* step + 2 rows of n_cols elements of the first channel; NULL: rows of zeros */
    size_t       plane;   /* elements from one channel to the next */
    size_t       n_ch;
    size_t       lead;    /* columns of zeros before them; what is missing at the end is 0, too */
    size_t       n_cols;
    size_t       n_tiles; /* > 0 */
    float       *line;    /* scratch: OX_WINOC_LINE(step, n_tiles) */
    float       *v;
    size_t       stride, tile;
} ox_winoc_in;
#define OX_WINOC_LINE(step, n_tiles)                                                                \
    (((step) + 2) * ((step) * (n_tiles) + 2 + OX_WINO_LANES) * OX_WINO_LANES)
typedef void ox_winoc_in_fn(const ox_winoc_in *t);

/* The output transformation of that, of a row of tiles of n_ch channels: step rows, of which n_rows are
 * written, n_cols <= step * n_tiles elements each. */
typedef struct ox_winoc_out {
    const float *m;       /* m[t * tile + (i * (step + 2) + j) * stride + c]; whole vectors of channels */
    size_t       stride, tile;
    size_t       n_ch;
    size_t       n_tiles; /* > 0 */
    size_t       n_rows, n_cols;
    const float *bias;    /* of each channel, or NULL */
    const float *d;       /* added before the activation, like y; may be y; or NULL */
    float       *y;
    size_t       ldy;     /* elements from one row of y (and d) to the next */
    size_t       plane;   /* and from one channel to the next */
    float       *line;    /* scratch: OX_WINOC_LINE(step, n_tiles) */
    ox_conv_act  act;
} ox_winoc_out;
typedef void ox_winoc_out_fn(const ox_winoc_out *t);

/* Rows of the patch matrix, whose row p belongs to tap p % n_taps of channel p / n_taps and has an
 * element for each output pixel.  A row is made of stretches of input rows; the rest is padding:
 *   dst[(p - k0) * ld + to + i] = x[p / n_taps * plane + from + i * step], i < n, for each of the tap's
 *   segments seg[first[tap]] .. seg[first[tap + 1] - 1]; 0 elsewhere in [0, ld); k0 <= p < k0 + k. */
typedef struct ox_segment {
    int32_t from, to, n;
} ox_segment;
typedef struct ox_patch {
    const void       *x;
    size_t            plane, step, n_taps, k0, k, ld;
    const ox_segment *seg;
    const int32_t    *first;
    void             *dst;
} ox_patch;
typedef void ox_patch_fn(const ox_patch *t);

/* y[o * ldy + j] = act(c[j * ldc + o] + bias[o] + d[o * ldy + j]) for o < m, j < n: a result with
 * channels in its rows, turned. */
typedef struct ox_turn {
    const float *c;
    size_t       ldc, m, n;
    const float *bias; /* or NULL */
    const float *d;    /* like y, may be y; or NULL */
    float       *y;
    size_t       ldy;
    ox_conv_act  act;
} ox_turn;
typedef void ox_turn_fn(const ox_turn *t);

/* Depthwise: y[r * ldy + j] = act(bias + d + sum over taps of w[tap] * x[r * step + off[tap] + j])
 * for r < n_rows, j < n_cols.  Rows of x are readable up to the next multiple of OX_WINO_LANES
 * columns. */
typedef struct ox_depthwise {
    const float   *x;
    size_t         step;
    const int32_t *off;
    const float   *w;
    size_t         n_taps, n_rows, n_cols;
    float          bias;
    const float   *d; /* like y, or NULL */
    float         *y;
    size_t         ldy;
    ox_conv_act    act;
} ox_depthwise;
typedef void ox_depthwise_fn(const ox_depthwise *t);

/* Pixels of n_ch <= OX_WINO_LANES channels to where `to` says, channels side by side: for j < n and each lane l
 *   y[to[j] + l] = x[l * plane + j], 0 for l >= n_ch. */
typedef struct ox_spread {
    const float   *x;
    size_t         plane, n_ch, n;
    const int32_t *to;
    float         *y;
} ox_spread;
typedef void ox_spread_fn(const ox_spread *t);

/* Depthwise on OX_WINO_LANES channels side by side, one row: for j < n_cols and each lane l
 *   y[j * LANES + l] = sum over taps of w[tap * LANES + l] * x[off[tap] + j * step * LANES + l],  step 1 or 2. */
typedef struct ox_lanes {
    const float   *x;
    size_t         step;
    const int32_t *off;
    const float   *w;
    size_t         n_taps, n_cols;
    float         *y;
} ox_lanes;
typedef void ox_lanes_fn(const ox_lanes *t);

/* Depthwise on a whole channel, read where it lies: for y0 <= r < y1, j < n_cols
 *   y[r * n_cols + j] = act(bias + d + sum over ky < kh, kx < kw of
 *                           w[ky * kw + kx] * x[r * step + ky - top][j * step + kx * dil - left])
 * where x is 0 outside height x width.  kh is 1, 3 or 5 and kw at most 7; step is
 * 1, or 2 with dil 1. */
typedef struct ox_plane {
    const float *x;
    size_t       height, width;
    size_t       top, left, step, dil, kh, kw;
    const float *w;
    size_t       y0, y1, n_cols;
    float        bias;
    const float *d; /* like y, may be y; or NULL */
    float       *y;
    ox_conv_act  act;
} ox_plane;
typedef void ox_plane_fn(const ox_plane *t);

/* y[i] = f(x[i]), i < n; y may be x.  Its error is at most 8 ULP, or 5e-37. */
typedef ox_map_fn ox_smooth_fn;

typedef enum ox_uk_conv_kind {
    OX_UK_WINO4_IN,
    OX_UK_WINO4_OUT,
    OX_UK_WINOC4_IN,
    OX_UK_WINOC4_OUT,
    OX_UK_WINOC2_IN,
    OX_UK_WINOC2_OUT,
    OX_UK_PATCH_F32,
    OX_UK_PATCH_F64,
    OX_UK_TURN,
    OX_UK_DEPTHWISE,
    OX_UK_PLANE,
    OX_UK_SPREAD,
    OX_UK_LANES,
    OX_UK_SWISH,
    OX_UK_HARD_SWISH
} ox_uk_conv_kind;

typedef struct ox_uk_conv {
    const char     *name;
    ox_uk_conv_kind kind;
    uint32_t        isa; /* levels it needs */
    union {              /* by kind */
        ox_wino_in_fn   *wino_in;
        ox_wino_out_fn  *wino_out;
        ox_winoc_in_fn  *winoc_in;
        ox_winoc_out_fn *winoc_out;
        ox_patch_fn     *patch;
        ox_turn_fn      *turn;
        ox_depthwise_fn *depthwise;
        ox_plane_fn     *plane;
        ox_spread_fn    *spread;
        ox_lanes_fn     *lanes;
        ox_smooth_fn    *smooth;
    } fn;
} ox_uk_conv;

extern const ox_uk_conv ox_uk_conv_rows[];
extern const size_t     ox_uk_conv_n_rows;

/* The last row of that kind which the levels in `isa` can run; there is always one. */
const ox_uk_conv *ox_uk_conv_pick(ox_uk_conv_kind kind, uint32_t isa);

#define UK(kind, member, fn, isa) ox_##member##_fn fn;
#include "kernels/conv/ukernels.def"
#undef UK

/* ---- the driver ---- */

enum { OX_CONV_DIMS = 3 };

typedef struct ox_conv_algo ox_conv_algo;
struct ox_conv_args;

/* Shape and choice.  The caller fills in the first group; ox_conv_choose the rest. */
typedef struct ox_conv_plan {
    size_t n, c, m, group; /* c and m are multiples of group; all > 0 */
    size_t in[OX_CONV_DIMS], out[OX_CONV_DIMS], k[OX_CONV_DIMS]; /* > 0 */
    size_t stride[OX_CONV_DIMS], dil[OX_CONV_DIMS];              /* > 0 */
    size_t pad[OX_CONV_DIMS]; /* zeros before the first element; out implies those behind */
    bool   f64;

    const ox_conv_algo *algo;
    char                name[48]; /* for profiles: "winograd_f4x3_avx512" */
    const ox_uk_gemm   *tile;
    const ox_uk_conv   *uk_in, *uk_out; /* of Winograd; patch, depthwise or spread, turn */
    const ox_uk_conv   *uk_mid;         /* lanes */
    ox_gemm_plan        gemm;           /* how the weights are packed: m / group x taps */
    size_t              step;           /* of Winograd's tiles */
    size_t              bm, bh, bw; /* of a block: channels, rows, columns (or tiles, pixels) */
    size_t              n_bm, n_bh, n_bw;
    bool                staged; /* Winograd: one stage after the other, not block by block */
} ox_conv_plan;

/* The algorithms, for tests and benchmarks; ox_conv_choose picks among those that fit. */
struct ox_conv_algo {
    const char *name; /* "winograd_f4x3" */
    /* Fills in the plan's choices; false: not for this shape (or a size overflows). */
    bool (*fit)(ox_conv_plan *p, uint32_t isa);
    size_t (*pack_bytes)(const ox_conv_plan *p); /* SIZE_MAX: overflow */
    void (*pack)(const ox_conv_plan *p, const void *w, void *packed, ox_pool *pool);
    size_t (*scratch_bytes)(const ox_conv_plan *p, int n_workers); /* SIZE_MAX: overflow */
    void (*run)(const ox_conv_plan *p, const struct ox_conv_args *args, void *scratch,
                ox_pool *pool);
};
extern const ox_conv_algo *const ox_conv_algos[]; /* ends with NULL */
bool ox_conv_use(ox_conv_plan *p, const ox_conv_algo *algo, uint32_t isa);

/* Chooses for the levels in `isa` (ox_cpu()).  Without allow_winograd only algorithms that add the
 * products of the definition.  false: a size overflows. */
bool ox_conv_choose(ox_conv_plan *p, uint32_t isa, bool allow_winograd);

/* Weights, packed once; SIZE_MAX: overflow.  The layout depends on all of the plan. */
size_t ox_conv_pack_bytes(const ox_conv_plan *p);
void   ox_conv_pack(const ox_conv_plan *p, const void *w, void *packed, ox_pool *pool);

/* Scratch for a pool of n_workers threads, 64-byte aligned; SIZE_MAX: overflow. */
size_t ox_conv_scratch_bytes(const ox_conv_plan *p, int n_workers);

typedef struct ox_conv_args {
    const void *x;
    const void *w; /* packed */
    void       *y;
    /* bias_row: m values or NULL; residual: contiguous like y, may be y; the activation.  Nothing
     * else of it is looked at.  OX_ACT_MAP gets stretches of y within a channel. */
    ox_epilogue ep;
} ox_conv_args;

/* Two convolutions, b of a's output: whether they run better together, and so; a has no residual, and its y
 * is not written.  The same bits as one after the other. */
bool   ox_conv_pair_fits(const ox_conv_plan *a, const ox_conv_plan *b);
size_t ox_conv_pair_scratch_bytes(const ox_conv_plan *a, const ox_conv_plan *b, int n_workers);
void   ox_conv_pair_run(const ox_conv_plan *a, const ox_conv_args *a_args, const ox_conv_plan *b,
                        const ox_conv_args *b_args, void *scratch, ox_pool *pool);

/* The same bits for any number of threads. */
void ox_conv_run(const ox_conv_plan *p, const ox_conv_args *args, void *scratch, ox_pool *pool);

#endif
