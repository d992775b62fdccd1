/* Loops over runs of doubles, compiled once for each level (scalar.c): of judging, most time goes here.  They
 * give the same bits at every level. */
#ifndef OX_TENSOR_SPANS_H
#define OX_TENSOR_SPANS_H

#include "runtime/base/cpu.h"
#include <stdbool.h>
#include <stddef.h>

typedef struct ox_spans {
    void (*widen)(size_t n, const float *x, double *y);
    void (*sum)(size_t n, const double *a, const float *b, double *y);         /* y = a + b */
    void (*difference)(size_t n, const double *a, const double *b, float *y);  /* y = a - b */
    /* Adds the sum of a * a to to[0], of (a - b) * (a - b) to to[1]; raises to[2] to the largest |a - b|. */
    void (*sizes)(size_t n, const double *a, const double *b, double to[3]);
    /* |a - b| <= times * bound and |a - b| <= most everywhere */
    bool (*within)(size_t n, const double *a, const double *b, const double *bound, double times, double most);
    void (*fold)(size_t n, const double *x, double *square, double *most);     /* adds x * x; raises to |x| */
    void (*add)(size_t n, double w, const double *x, double *y);               /* y += w x */
    void (*add3)(size_t n, const double w[3], const double *x, size_t step, double *y); /* x, x + step, ... */
    void (*least)(size_t n, double u, const double *a, double v, const double *b, double *y); /* min(u a, v b) */
    void (*bounds)(size_t n, double c, double tiny, const double *y, double *mag); /* c mag + tiny; NaN: of |y| */
} ox_spans;

extern const ox_spans ox_spans_scalar;
#if OX_X86_64
extern const ox_spans ox_spans_avx2, ox_spans_avx512;
#endif

/* Those of the best level of ox_cpu(). */
const ox_spans *ox_spans_pick(void);

#endif
