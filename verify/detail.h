/* What a report shows of one value beyond a row of numbers: how its errors are distributed, the worst
 * elements, and pictures where it is one. */
#ifndef OX_VERIFY_DETAIL_H
#define OX_VERIFY_DETAIL_H

#include "verify/judge.h"

enum {
    OX_ULP_BINS = 24, /* exact, then up to 1/2, 1, 2, 4, ... 2^20 steps, then more or not finite */
    OX_WORST = 5,
    OX_PICTURE = 160, /* pixels of a side at most */
    OX_PICTURES = 8,  /* values of a trace that get some */
};

typedef struct ox_worst {
    int64_t index[OX_MAX_RANK];
    double  got, truth, allowed, excess; /* excess: error over what is allowed */
} ox_worst;

/* One plane of the tensor, reduced: the mean of the values, the largest of the errors. */
typedef struct ox_picture {
    int     width, height, plane; /* 0: none */
    int64_t n_plane, full_width, full_height;
    float  *got, *truth, *error;
} ox_picture;

typedef struct ox_detail {
    ox_dtype   dtype;
    int        rank;
    int64_t    dim[OX_MAX_RANK];
    int64_t    bin[OX_ULP_BINS];
    ox_worst   worst[OX_WORST];
    int        n_worst;
    double     allowed;  /* where the error is worst, what rounding explains; NAN: not known */
    double     size;     /* rms of the truth */
    ox_picture picture;
} ox_detail;

/* got against truth, both s->n elements; allowance NULL: the node's own bound `bound`, which may be NULL
 * too (integers).  NULL: out of memory. */
ox_detail *ox_detail_of(ox_arena *a, const ox_sighting *s, const double *got, const double *truth,
                        const ox_allowance *allowance, const double *bound, bool picture);

#endif
