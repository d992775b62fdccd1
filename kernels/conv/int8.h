/* Convolution of 8-bit integers, channels last: x is (n, spatial..., c), y (n, spatial..., m), w (m, c / group,
 * kernel...) as in ONNX.
 *
 * Output pixels are rows of A, filters are columns of B: the micro-kernels of kernels/igemm read pixels where they
 * lie, through a pointer for each kernel position (padding: a row of zero points).  Few channels are gathered first. */
#ifndef OX_CONV_INT8_H
#define OX_CONV_INT8_H

#include "kernels/igemm/igemm.h"
#include "kernels/window.h"

typedef enum ox_iconv_way {
    OX_ICONV_ROWS,   /* 1 x 1, stride 1: pixels follow each other */
    OX_ICONV_TAPS,   /* a run for each kernel position */
    OX_ICONV_GATHER, /* patches are copied: one run */
    OX_ICONV_DEPTH,  /* one channel a group, one filter a channel */
} ox_iconv_way;

typedef struct ox_iconv {
    ox_window    window;
    ox_iconv_way way;
    size_t       groups, c, m, c_group, m_group, taps;
    size_t       in_size, out_size; /* pixels of an image */
    bool         w_signed;
    ox_igemm     gemm;              /* of one group */
    const ox_uk_idepth *depth;
    const char  *name;
} ox_iconv;

/* Shapes have been checked.  May be called at every run. */
void ox_iconv_choose(ox_iconv *s, const ox_window *window, size_t groups, size_t c, size_t m, bool w_signed,
                     uint32_t isa);
static inline bool ox_iconv_a_signed(const ox_iconv *s)
{
    return s->way != OX_ICONV_DEPTH && s->gemm.uk->signed_a;
}

/* Weights as the micro-kernel wants them.  zero: one for all or (per_filter) one a filter; only a depthwise
 * convolution's weights depend on it.  to: ox_iconv_pack_bytes, 64-byte aligned. */
size_t ox_iconv_pack_bytes(const ox_iconv *s, const int64_t *zero, size_t n_zero, const void *w);
void   ox_iconv_pack(const ox_iconv *s, const void *w, const int64_t *zero, size_t n_zero, void *to);

/* Arrays of an epilogue: this many elements, filter f at ox_iconv_column(s, f). */
size_t ox_iconv_columns(const ox_iconv *s);
size_t ox_iconv_column(const ox_iconv *s, size_t filter);
/* col[] from a bias in units of x_scale * w_scale (arranged like col, or NULL) and zero points as the
 * micro-kernel sees them. */
void ox_iconv_col(const ox_iconv *s, const void *packed, const int32_t *bias, int32_t zero_a, const ox_igemm_ep *ep,
                  int32_t *col);

typedef struct ox_iconv_args {
    size_t         n;          /* images */
    const uint8_t *x;          /* signs as ox_iconv_a_signed says */
    uint8_t        zero_a;     /* what padding holds */
    const void    *packed;
    ox_igemm_ep    ep;         /* arrays of ox_iconv_columns; zero_bs likewise */
    void          *y;
} ox_iconv_args;
size_t ox_iconv_scratch_bytes(const ox_iconv *s, int n_workers); /* SIZE_MAX: overflow */
void   ox_iconv_run(const ox_iconv *s, const ox_iconv_args *args, void *scratch, ox_pool *pool);

#endif
