/* Element-wise comparison of two values.
 *
 * The rule is numpy's, |actual - expected| <= atol + rtol * |expected|, in double; NaN equals NaN,
 * infinities must be equal, -0 equals 0; complex numbers by the modulus of the difference;
 * integers, bool and strings must be equal; so must kind, type and shape. */
#ifndef OX_VERIFY_COMPARE_H
#define OX_VERIFY_COMPARE_H

#include "runtime/tensor/tensor.h"

typedef struct ox_tolerance {
    double rtol, atol; /* negative: the default of the element type */
    bool   suite;      /* the ONNX suite's exception: rtol is at least 2^-6 for bf16 */
    bool   wider;      /* --precision f64: an f64 result against a narrower float reference, by the
                          defaults of the reference's type */
} ox_tolerance;

/* The command line's defaults: f64 1e-9/1e-12, f32 1e-4/1e-5, f16 1e-2/1e-3, bf16 5e-2/1e-2
 * (rtol/atol); complex as their parts; the 8- and 4-bit floats one step; f8e8m0, integers, bool and
 * str exact. */
ox_tolerance ox_tolerance_default(ox_dtype t);
bool         ox_compares_exactly(ox_dtype t); /* whatever the tolerance */

typedef struct ox_spot {
    bool    known;
    int     rank;
    int64_t index[OX_MAX_RANK];
    double  actual, expected;
} ox_spot;

typedef struct ox_diff {
    bool     equal;
    char     text[512];      /* why not; "" when equal */
    double   rtol, atol;     /* as applied, of the first tensor */
    bool     exact, numeric;
    int64_t  elements, out_of_tolerance;
    double   max_abs;        /* NaN where only one side is NaN; infinite where infinities differ */
    double   max_rel;        /* of |a - e| / |e| over finite e != 0 */
    double   max_ulp;        /* steps of the element type between a and e; of integers |a - e| */
    double   sum_sq;         /* of the differences of finite pairs, ... */
    int64_t  n_finite;       /* ... which are so many */
    double   dot, norm_a, norm_e; /* sums of a*e, a*a, e*e over finite pairs */
    ox_spot worst, worst_rel;
} ox_diff;

double ox_diff_rms(const ox_diff *d);
double ox_diff_cosine(const ox_diff *d); /* NaN where a norm is 0 and the other is not */

/* Sequences and maps are compared recursively into one result. */
void ox_compare(const ox_value *actual, const ox_value *expected, ox_tolerance tolerance,
                ox_diff *out);

/* Kind, type and shape only (random draws). */
void ox_compare_types(const ox_value *actual, const ox_value *expected, ox_diff *out);

typedef struct ox_stats {
    int64_t nan, inf;
    double min, max,
        mean; /* of the finite elements (of complex ones, the moduli); NaN where none */
} ox_stats;
void ox_tensor_stats(const ox_tensor *t, ox_stats *out); /* strings, no elements: all NaN */

/* "f32[1,3]", "seq(2)", "map(3)", "none".  Returns buf. */
char *ox_value_text(char *buf, size_t n_buf, const ox_value *v);

#endif
