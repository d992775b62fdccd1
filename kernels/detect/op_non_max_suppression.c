/* NonMaxSuppression: per batch and class the boxes of falling score, those left out that overlap
 * one already taken by more than iou_threshold.  Of equal scores the box with the lower index is
 * first. Areas are computed in the boxes' own type and in the specification's order, since a
 * threshold may be met exactly. */
#ifdef T /* ---- once per dtype ---- */

/* A box as corners, ymin..xmax or, with center_point_box, from centre and size; and its area. */
static FN(area) FN(area_of)(const T *b, bool center)
{
    FN(area) a;
    for (int d = 0; d < 2; d++) {
        a.lo[d] = center ? b[d] - b[d + 2] / 2 : OX_MIN(b[d], b[d + 2]);
        a.hi[d] = center ? b[d] + b[d + 2] / 2 : OX_MAX(b[d], b[d + 2]);
    }
    a.area = (a.hi[1] - a.lo[1]) * (a.hi[0] - a.lo[0]);
    return a;
}

static inline bool FN(overlap)(const FN(area) *a, const FN(area) *b, T threshold)
{
    T side[2];
    for (int d = 0; d < 2; d++) {
        T lo = OX_MAX(a->lo[d], b->lo[d]), hi = OX_MIN(a->hi[d], b->hi[d]);
        if (!(hi > lo))
            return false;
        side[d] = hi - lo;
    }
    T both = side[1] * side[0];
    T either = a->area + b->area - both;
    if (both <= 0 || a->area <= 0 || b->area <= 0 || either <= 0)
        return false;
    return both / either > threshold;
}

static int FN(by_score)(const void *va, const void *vb)
{
    const FN(candidate) *a = va, *b = vb;
    if (a->score != b->score)
        return a->score < b->score ? 1 : -1;
    return (a->box > b->box) - (a->box < b->box);
}

/* Boxes taken of one batch and class, in order; their number. */
static int64_t FN(select)(const nms *s, const T *boxes, const T *scores, FN(candidate) *c,
                          int64_t *taken, FN(area) *areas)
{
    int64_t n = 0, n_taken = 0;
    T threshold = (T)s->score_threshold, iou = (T)s->iou_threshold;
    for (int64_t i = 0; i < s->n_boxes; i++)
        if (s->any_score ? scores[i] == scores[i] : scores[i] > threshold)
            c[n++] = (FN(candidate)){ scores[i], i };
    qsort(c, (size_t)n, sizeof(*c), FN(by_score));
    for (int64_t i = 0; i < n && n_taken < s->most; i++) {
        FN(area) own = FN(area_of)(boxes + 4 * c[i].box, s->center);
        bool free = true;
        for (int64_t k = 0; k < n_taken && free; k++)
            free = !FN(overlap)(&own, &areas[k], iou);
        if (!free)
            continue;
        areas[n_taken] = own;
        taken[n_taken++] = c[i].box;
    }
    return n_taken;
}

static ox_code FN(run)(ox_run *r)
{
    nms s;
    OX_TRY(get_nms(r, &s));
    int64_t n_groups = s.n_batch * s.n_class, total = 0, most = OX_MIN(s.most, s.n_boxes);
    size_t n_slots;
    if (!ox_mul_size(&n_slots, (size_t)n_groups, (size_t)OX_MAX(most, 1)))
        return OX_NO_MEMORY(r);
    FN(candidate) *c = ox_scratch_array(r, (size_t)s.n_boxes, sizeof(*c));
    int64_t *taken = ox_scratch_array(r, n_slots, sizeof(*taken));
    int64_t *count = ox_scratch_array(r, (size_t)n_groups, sizeof(*count));
    FN(area) *areas = ox_scratch_array(r, (size_t)OX_MAX(most, 1), sizeof(*areas));
    if (!c || !taken || !count || !areas)
        return OX_NO_MEMORY(r);
    for (int64_t g = 0; g < n_groups; g++) {
        const T *boxes = (const T *)r->in[0]->data + g / s.n_class * s.n_boxes * 4;
        const T *scores = (const T *)r->in[1]->data + g * s.n_boxes;
        count[g] = most > 0 ? FN(select)(&s, boxes, scores, c, taken + g * most, areas) : 0;
        total += count[g];
    }
    OX_TRY(ox_out_alloc(r, 0, 2, (int64_t[]){ total, 3 }));
    int64_t *y = r->out[0]->data;
    for (int64_t g = 0; g < n_groups; g++)
        for (int64_t k = 0; k < count[g]; k++, y += 3) {
            y[0] = g / s.n_class;
            y[1] = g % s.n_class;
            y[2] = taken[g * most + k];
        }
    return OX_OK;
}

#else /* ---- once ---- */
#include "runtime/op.h"

#include <stdlib.h>

typedef struct nms {
    int64_t n_batch, n_class, n_boxes, most; /* most: boxes taken of a class */
    double  iou_threshold, score_threshold;
    bool    any_score, center;
} nms;

typedef struct area_f32 {
    float lo[2], hi[2], area;
} area_f32;
typedef struct area_f64 {
    double lo[2], hi[2], area;
} area_f64;
typedef struct candidate_f32 {
    float   score;
    int64_t box;
} candidate_f32;
typedef struct candidate_f64 {
    double  score;
    int64_t box;
} candidate_f64;

static ox_code infer(ox_run *r)
{
    ox_out_shape(r, 0, 2, (int64_t[]){ OX_DIM_UNKNOWN, 3 });
    return OX_OK;
}

/* Optional input i, one number. */
static ox_code number(ox_run *r, int i, const char *what, double absent, double *v)
{
    *v = absent;
    if (i >= r->n_in || !r->in[i] || ox_count(r->in[i]) == 0)
        return OX_OK;
    if (ox_count(r->in[i]) != 1)
        return OX_FAIL(r->err, OX_E_SHAPE, "%s has %lld elements, expected 1", what,
                       (long long)ox_count(r->in[i]));
    *v = ox_get_f64(r->in[i], 0);
    return OX_OK;
}

static ox_code get_nms(ox_run *r, nms *s)
{
    const ox_tensor *boxes = r->in[0], *scores = r->in[1];
    double most;
    if (boxes->rank != 3 || scores->rank != 3 || boxes->dim[2] != 4)
        return OX_FAIL(r->err, OX_E_SHAPE,
                       "boxes have rank %d, scores %d, expected 3; a box has %lld "
                       "numbers, expected 4",
                       boxes->rank, scores->rank, boxes->rank == 3 ? (long long)boxes->dim[2] : 0);
    if (boxes->dim[0] != scores->dim[0] || boxes->dim[1] != scores->dim[2])
        return OX_FAIL(r->err, OX_E_SHAPE, "%lld batches of %lld boxes, %lld of %lld scores",
                       (long long)boxes->dim[0], (long long)boxes->dim[1],
                       (long long)scores->dim[0], (long long)scores->dim[2]);
    *s = (nms){ .n_batch = scores->dim[0], .n_class = scores->dim[1], .n_boxes = boxes->dim[1] };
    int64_t center = ox_attr_i64(r, "center_point_box");
    if (center != 0 && center != 1)
        return OX_FAIL(r->err, OX_E_VALUE, "center_point_box is %lld, expected 0 or 1",
                       (long long)center);
    s->center = center == 1;
    s->any_score = r->n_in < 5 || !r->in[4] || ox_count(r->in[4]) == 0;
    OX_TRY(number(r, 2, "max_output_boxes_per_class", 0, &most));
    OX_TRY(number(r, 3, "iou_threshold", 0, &s->iou_threshold));
    OX_TRY(number(r, 4, "score_threshold", 0, &s->score_threshold));
    if (!(s->iou_threshold >= 0 && s->iou_threshold <= 1))
        return OX_FAIL(r->err, OX_E_VALUE, "iou_threshold is %g, expected 0 to 1",
                       s->iou_threshold);
    s->most = most < 0 ? 0 : most > 0x1p40 ? (int64_t)1 << 40 : (int64_t)most;
    s->most = OX_MIN(s->most, s->n_boxes);
    return OX_OK;
}

#define TYPES MASK_FLOAT
#define TMPL  "kernels/detect/op_non_max_suppression.c"
#include "runtime/tensor/each_dtype.h"

OX_OP(NonMaxSuppression, 10) .infer = infer, .run = { KERNELS(run, FLOAT) },
    .flags = OX_SYMBOLIC, .error = { ERR_EXACT, 0 } OX_END;
#endif
