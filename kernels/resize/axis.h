/* Resampling along one axis: which inputs make an output, and with which weights. */
#ifndef OX_RESIZE_AXIS_H
#define OX_RESIZE_AXIS_H

#include "runtime/op.h"

enum ox_resize_mode { OX_RESIZE_NEAREST, OX_RESIZE_LINEAR, OX_RESIZE_CUBIC };
enum ox_resize_coord {
    OX_COORD_HALF_PIXEL,
    OX_COORD_HALF_PIXEL_SYMMETRIC,
    OX_COORD_PYTORCH_HALF_PIXEL,
    OX_COORD_ALIGN_CORNERS,
    OX_COORD_ASYMMETRIC,
    OX_COORD_TF_HALF_PIXEL_FOR_NN,
    OX_COORD_TF_CROP_AND_RESIZE,
};
enum ox_resize_nearest {
    OX_NEAREST_ROUND_PREFER_FLOOR,
    OX_NEAREST_ROUND_PREFER_CEIL,
    OX_NEAREST_FLOOR,
    OX_NEAREST_CEIL,
    OX_NEAREST_SIMPLE, /* before Resize-11: up for scales below 1, else down */
};

/* What holds for all axes. */
typedef struct ox_resize_rule {
    enum ox_resize_mode    mode;
    enum ox_resize_coord   coord;
    enum ox_resize_nearest nearest;
    double                 cubic_a;
    bool                   antialias, exclude_outside;
} ox_resize_rule;

/* What holds for one. */
typedef struct ox_resize_span {
    int64_t n_in, n_out;
    double  scale, start, end; /* roi, normalised; only for OX_COORD_TF_CROP_AND_RESIZE */
} ox_resize_span;

/* Output o is the sum over t < taps of weight[o * taps + t] times input index[o * taps + t]. */
typedef struct ox_resize_axis {
    int64_t  n_in, n_out, taps;
    bool     identity;
    int32_t *index;
    double  *weight;  /* NULL: nearest, one tap of weight 1 */
    float   *weight32;
    uint8_t *outside; /* o lies outside the crop and gets the extrapolation value; NULL: none does */
} ox_resize_axis;

/* Position in the input of output o. */
double ox_resize_source(const ox_resize_rule *rule, const ox_resize_span *span, int64_t o);
/* Weight of an input at distance d (in input elements) before normalisation, and the distance from
 * which on it is 0. */
double ox_resize_weight(const ox_resize_rule *rule, const ox_resize_span *span, double d);
double ox_resize_support(const ox_resize_rule *rule, const ox_resize_span *span);
/* The input that mode nearest takes for source x. */
int64_t ox_resize_pick(const ox_resize_rule *rule, const ox_resize_span *span, double x);

/* Tables in the memory of r's state. */
ox_code ox_resize_axis_init(ox_run *r, ox_resize_axis *a, const ox_resize_rule *rule,
                            const ox_resize_span *span) OX_MUST_CHECK;

#endif
