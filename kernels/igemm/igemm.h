/* Products of 8-bit integers summed in 32 bits: the micro-kernels' contract (first half) and the driver
 * built on them (second).
 *
 * The left operand is u8, the right one s8 (rows marked signed_a: s8 by s8): other signs are shifted by 128,
 * and shifts and zero points are taken off the sums:
 *   sum (a - za) (b - zb) = sum a b - za sum b - zb sum a + k za zb.
 * Sums wrap in 32 bits and are exact, so every row and every thread count gives the same bits; what
 * follows them (a scale, rounding half to even, saturation) is float32 arithmetic without fused
 * multiply-adds, in the same order in every row. */
#ifndef OX_IGEMM_IGEMM_H
#define OX_IGEMM_IGEMM_H

#include "runtime/base/cpu.h"
#include "runtime/base/pool.h"
#include "runtime/base/status.h"

/* ---- micro-kernels ---- */

typedef enum ox_iout {
    OX_IOUT_I32, /* the sum */
    OX_IOUT_F32, /* clamp(sum * mul + add) */
    OX_IOUT_8,   /* round(clamp(sum * mul + add)) + zero, u8 or s8, then the table */
} ox_iout;

/* One tile of C. */
typedef struct ox_itile {
    size_t m, n;             /* 1 <= m <= mr, 1 <= n <= nr */
    size_t n_run, k;         /* a row of A is n_run runs of k bytes */
    const uint8_t *const *a; /* run s of row i: a[s * mr + i], valid for all i < mr */
    const int8_t *b;         /* [n_run][ceil(k / 4)][nr][4], zeros behind k and behind n */
    const int32_t *col;      /* nr values: added to the sums of a column */
    const int32_t *row;      /* m values: added to the sums of a row; or NULL */
    ox_iout out;
    const float *mul, *add;  /* nr values; not read for OX_IOUT_I32 */
    float lo, hi;            /* clamp: v > lo ? v : lo, then v < hi ? v : hi (8 bits: hi - lo <= 255) */
    int32_t zero;
    const uint8_t *table;    /* 256 bytes that replace results, or NULL */
    void *c;                 /* m rows of n elements */
    size_t ldc;              /* elements */
} ox_itile;

typedef void ox_itile_fn(const ox_itile *t);

/* Pixels of a depthwise convolution, n channels each: the sum of a channel over taps, in groups of four
 * (missing taps: weight 0 and any pointer), then as above. */
typedef struct ox_idepth {
    size_t n, n_pixel, n_tap;
    size_t n_group;          /* ceil(n_tap / 4) */
    const uint8_t *const *a; /* tap t of pixel i: a[i * 4 * n_group + t], n bytes */
    const int8_t *w;         /* w[(g * n + c) * 4 + t] */
    const int32_t *col;
    ox_iout out;
    const float *mul, *add;
    float lo, hi;
    int32_t zero;
    const uint8_t *table;
    void *c;                 /* pixels follow each other, ldc elements apart */
    size_t ldc;
} ox_idepth;
typedef void ox_idepth_fn(const ox_idepth *t);

typedef struct ox_uk_idepth {
    ox_idepth_fn *fn;
    const char   *name;
    uint32_t      isa;
} ox_uk_idepth;

typedef struct ox_uk_igemm {
    ox_itile_fn *fn;
    const char  *name;
    uint32_t     isa;
    int          mr, nr;
    bool         signed_a;
} ox_uk_igemm;

extern const ox_uk_igemm ox_uk_igemm_rows[];
extern const size_t      ox_n_uk_igemm_rows;

/* The last row that the levels in isa can run. */
const ox_uk_igemm *ox_uk_igemm_pick(uint32_t isa);

enum { OX_IGEMM_MR = 12, OX_IGEMM_NR = 64 }; /* no row has larger tiles */

extern const ox_uk_idepth ox_uk_idepth_rows[];
extern const size_t       ox_n_uk_idepth_rows;
const ox_uk_idepth *ox_uk_idepth_pick(uint32_t isa);

#define UK(fn, isa, mr, nr, signed_a) ox_itile_fn fn;
#define UK_DEPTH(fn, isa)             ox_idepth_fn fn;
#include "kernels/igemm/ukernels.def"

/* ---- the driver ---- */

/* Shape and choice: the caller fills in the first line, ox_igemm_choose the rest. */
typedef struct ox_igemm {
    size_t n, n_run, k; /* k: of one run */
    const ox_uk_igemm *uk;
    size_t panels, panel_bytes; /* of nr columns: their sums, then the panel */
    bool   ok;          /* false: sizes overflow */
} ox_igemm;

void ox_igemm_choose(ox_igemm *p, uint32_t isa);

/* Packs B for ox_igemm_tiles.  Element k of run s in column j is b[s * run + k * row + j * col]; is_signed tells s8
 * from u8. */
typedef struct ox_igemm_b {
    const void *b;
    bool        is_signed;
    size_t      run, row, col; /* strides */
    size_t      taps;          /* not 0: n_run is 1, and element t * (k / taps) + c is b[t * run + c * row + j * col] */
} ox_igemm_b;
size_t ox_igemm_pack_bytes(const ox_igemm *p); /* SIZE_MAX: overflow */
void   ox_igemm_pack(const ox_igemm *p, const ox_igemm_b *b, void *to);

/* What happens to sums.  Arrays per column have ox_igemm_columns(p) elements. */
typedef struct ox_igemm_ep {
    ox_iout        out;
    const int32_t *col;
    const float   *mul, *add;
    float          lo, hi;
    int32_t        zero;
    const uint8_t *table;
    int32_t        zero_b;    /* of all columns, as the packed operand sees it */
    const int32_t *zero_bs;   /* of each column, where they differ; or NULL */
} ox_igemm_ep;
static inline size_t ox_igemm_columns(const ox_igemm *p) { return p->panels * (size_t)p->uk->nr; }

/* A zero point as the micro-kernel sees it. */
static inline int32_t ox_igemm_zero_a(const ox_igemm *p, bool is_signed, int32_t zero)
{
    return p->uk->signed_a == is_signed ? zero : is_signed ? zero + 128 : zero - 128;
}
static inline int32_t ox_igemm_zero_b(bool is_signed, int32_t zero) { return is_signed ? zero : zero - 128; }
/* Whether A has to be given with the highest bit of each byte turned. */
static inline bool ox_igemm_flips(const ox_igemm *p, bool is_signed) { return p->uk->signed_a != is_signed; }
/* Turns it for n bytes; `to` may be `from`. */
void ox_igemm_flip(size_t n, const void *from, void *to, ox_pool *pool);

/* col[j] = bias[j] - zero_a * sum of column j + k * zero_a * zero_b, for all columns; bias may be NULL. */
void ox_igemm_col(const ox_igemm *p, const void *packed, const int32_t *bias, int32_t zero_a, const ox_igemm_ep *ep,
                  int32_t *col);

/* m rows of C, panels [panel0, panel1).  rows: for every mr rows [n_run][mr] pointers, the last ones repeated where
 * m is no multiple of mr.  c points to row 0, column 0. */
void ox_igemm_tiles(const ox_igemm *p, const void *packed, const ox_igemm_ep *ep, const uint8_t *const *rows,
                    size_t m, size_t panel0, size_t panel1, void *c, size_t ldc);

/* C = A B for `batch` products; A has m rows of k bytes, lda apart (n_run is 1). */
typedef struct ox_igemm_args {
    const uint8_t *a;
    size_t         m, lda, ldc, batch;
    const size_t  *at_a;      /* bytes, for every product */
    const void    *packed;
    const size_t  *at_packed; /* bytes; NULL: all share one */
    const ox_igemm_ep *ep;    /* one, or one a product if eps */
    bool           eps;
    void          *c;         /* products follow each other */
} ox_igemm_args;
void ox_igemm_run(const ox_igemm *p, const ox_igemm_args *args, ox_pool *pool);

#endif
