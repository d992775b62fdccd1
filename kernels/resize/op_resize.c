/* Resize and Upsample.  The versions differ in where sizes come from and in the rules they fix:
 *   Upsample 1 (attributes of height and width), 7 (attribute scales), 9 (input scales); Resize 10
 *   (input scales): nearest is x / scale rounded down, or up where the image shrinks, linear is asymmetric;
 *   Resize 11: inputs roi, scales, sizes and attributes for every rule; 18: axes, antialias, aspect ratio. */
#include "kernels/resize/resize.h"

#include <math.h>
#include <string.h>

/* Sizes of the output and the mapping of each dimension. */
struct geometry {
    bool           known;
    ox_resize_span span[OX_MAX_RANK]; /* n_out may be symbolic */
};

static bool by_attributes(const ox_run *r) { return r->op->name[0] == 'U' || r->since == 10; }

static ox_code read_rule(ox_run *r, ox_resize_rule *rule)
{
    static const char *const modes[] = { "nearest", "linear", "cubic", "bilinear", NULL };
    static const char *const coords[] = { "half_pixel", "half_pixel_symmetric", "pytorch_half_pixel",
                                          "align_corners", "asymmetric", "tf_half_pixel_for_nn",
                                          "tf_crop_and_resize", NULL };
    static const char *const nearests[] = { "round_prefer_floor", "round_prefer_ceil", "floor", "ceil", NULL };
    int mode, coord = OX_COORD_ASYMMETRIC, nearest = OX_NEAREST_SIMPLE;
    OX_TRY(ox_attr_enum(r, "mode", modes, &mode));
    if (!by_attributes(r)) {
        OX_TRY(ox_attr_enum(r, "coordinate_transformation_mode", coords, &coord));
        OX_TRY(ox_attr_enum(r, "nearest_mode", nearests, &nearest));
    } else if (mode == OX_RESIZE_CUBIC) {
        return OX_FAIL(r->err, OX_E_VALUE, "mode cubic came with Resize-11");
    }
    *rule = (ox_resize_rule){
        .mode = mode > OX_RESIZE_CUBIC ? OX_RESIZE_LINEAR : (enum ox_resize_mode)mode,
        .coord = (enum ox_resize_coord)coord,
        .nearest = (enum ox_resize_nearest)nearest,
        .cubic_a = ox_attr_f64(r, "cubic_coeff_a"),
        .antialias = ox_attr_i64(r, "antialias") != 0,
        .exclude_outside = ox_attr_i64(r, "exclude_outside") != 0,
    };
    return OX_OK;
}

/* The dimensions that scales, sizes and roi speak of, in their order. */
static ox_code read_axes(ox_run *r, int rank, int *axes, int *n)
{
    int given;
    const int64_t *v = ox_attr_i64s(r, "axes", &given);
    bool seen[OX_MAX_RANK] = { false };
    *n = v ? given : rank;
    if (*n > rank)
        return OX_FAIL(r->err, OX_E_SHAPE, "axes has %d entries, X has rank %d", *n, rank);
    for (int i = 0; i < *n; i++) {
        OX_TRY(ox_axis(r, v ? v[i] : i, rank, &axes[i]));
        if (seen[axes[i]])
            return OX_FAIL(r->err, OX_E_VALUE, "axes names dimension %d twice", axes[i]);
        seen[axes[i]] = true;
    }
    return OX_OK;
}

/* floor(n_in * scale) in float, as ONNX's shape inference has it */
static ox_code scaled(ox_run *r, ox_resize_span *s, double scale)
{
    if (!(scale > 0) || !isfinite(scale))
        return OX_FAIL(r->err, OX_E_VALUE, "scale is %g, expected a positive number", scale);
    s->scale = scale;
    if (s->n_in < 0) {
        s->n_out = scale == floor(scale) && scale < 0x1p31 ? ox_dim_mul(r, s->n_in, (int64_t)scale) : OX_DIM_UNKNOWN;
        return OX_OK;
    }
    float size = floorf((float)scale * (float)s->n_in);
    if (size >= 0x1p62f)
        return OX_FAIL(r->err, OX_E_LIMIT, "scale %g makes a dimension of %g", scale, (double)size);
    s->n_out = (int64_t)size;
    return OX_OK;
}

static ox_code use_scales(ox_run *r, struct geometry *g, const double *scales, int64_t n, const int *axes,
                          int n_axes)
{
    if (n != n_axes)
        return OX_FAIL(r->err, OX_E_SHAPE, "scales has %lld elements, expected %d", (long long)n, n_axes);
    for (int i = 0; i < n_axes; i++)
        OX_TRY(scaled(r, &g->span[axes[i]], scales[i]));
    return OX_OK;
}

static ox_code use_sizes(ox_run *r, struct geometry *g, const int64_t *sizes, int64_t n, const int *axes,
                         int n_axes)
{
    static const char *const policies[] = { "stretch", "not_larger", "not_smaller", NULL };
    int policy = 0;
    double common = 0;
    bool symbolic = false;
    if (n != n_axes)
        return OX_FAIL(r->err, OX_E_SHAPE, "sizes has %lld elements, expected %d", (long long)n, n_axes);
    if (r->since >= 18)
        OX_TRY(ox_attr_enum(r, "keep_aspect_ratio_policy", policies, &policy));
    for (int i = 0; i < n_axes; i++) {
        ox_resize_span *s = &g->span[axes[i]];
        if (sizes[i] < 0)
            return OX_FAIL(r->err, OX_E_VALUE, "sizes[%d] is %lld", i, (long long)sizes[i]);
        s->n_out = sizes[i];
        s->scale = (double)sizes[i] / (double)s->n_in;
        symbolic = symbolic || s->n_in < 0;
        if (i == 0 || (policy == 1 ? s->scale < common : s->scale > common))
            common = s->scale;
    }
    for (int i = 0; i < n_axes && policy; i++) {
        ox_resize_span *s = &g->span[axes[i]];
        s->scale = common;
        double size = floor(common * (double)s->n_in + 0.5);
        if (!symbolic && !(size < 0x1p62))
            return OX_FAIL(r->err, OX_E_LIMIT, "sizes make a dimension of %g", size);
        s->n_out = symbolic ? OX_DIM_UNKNOWN : (int64_t)size;
    }
    return OX_OK;
}

/* Upsample's attributes, up to version 7. */
static ox_code use_attributes(ox_run *r, struct geometry *g, int rank)
{
    double scales[OX_MAX_RANK] = { 1, 1 };
    int axes[OX_MAX_RANK], n = 4;
    if (r->since < 7) {
        scales[2] = ox_attr_f64(r, "height_scale");
        scales[3] = ox_attr_f64(r, "width_scale");
        if (rank != 4)
            return OX_FAIL(r->err, OX_E_SHAPE, "X has rank %d, expected 4", rank);
    } else {
        const float *v = ox_attr_f32s(r, "scales", &n);
        for (int i = 0; i < OX_MIN(n, rank); i++)
            scales[i] = (double)v[i];
    }
    for (int i = 0; i < rank; i++)
        axes[i] = i;
    g->known = true;
    return use_scales(r, g, scales, n, axes, rank);
}

static ox_code use_roi(ox_run *r, struct geometry *g, const int *axes, int n_axes)
{
    int64_t n;
    const double *roi = ox_in_f64s(r, 1, &n);
    if (!ox_in_known(r, 1))
        return OX_OK;
    if (n != 2 * n_axes)
        return OX_FAIL(r->err, OX_E_SHAPE, "roi has %lld elements, expected %d", (long long)n, 2 * n_axes);
    for (int i = 0; i < n_axes && roi; i++) {
        g->span[axes[i]].start = roi[i];
        g->span[axes[i]].end = roi[n_axes + i];
    }
    return roi || n_axes == 0 ? OX_OK : OX_NO_MEMORY(r);
}

static ox_code read_geometry(ox_run *r, struct geometry *g, const ox_resize_rule *rule)
{
    const ox_tensor *x = r->in[0];
    int axes[OX_MAX_RANK], n_axes, at = by_attributes(r) ? 1 : 2;
    int64_t n_scales, n_sizes;
    memset(g, 0, sizeof(*g));
    for (int d = 0; d < x->rank; d++)
        g->span[d] = (ox_resize_span){ x->dim[d], x->dim[d], 1, 0, 1 };
    if (r->op->name[0] == 'U' && r->since < 9)
        return use_attributes(r, g, x->rank);
    if (!ox_in_known(r, at) || !ox_in_known(r, 3))
        return OX_OK;
    g->known = true;
    OX_TRY(read_axes(r, x->rank, axes, &n_axes));
    if (rule->coord == OX_COORD_TF_CROP_AND_RESIZE)
        OX_TRY(use_roi(r, g, axes, n_axes));
    const double *scales = ox_in_f64s(r, at, &n_scales);
    const int64_t *sizes = at == 2 ? ox_in_i64s(r, 3, &n_sizes) : NULL;
    bool have_sizes = at == 2 && r->n_in > 3 && r->in[3] && ox_count(r->in[3]) > 0;
    bool have_scales = r->n_in > at && r->in[at] && ox_count(r->in[at]) > 0;
    if ((have_scales && !scales) || (have_sizes && !sizes))
        return OX_NO_MEMORY(r);
    if (have_scales && have_sizes)
        return OX_FAIL(r->err, OX_E_VALUE, "scales and sizes are both given");
    if (have_sizes)
        return use_sizes(r, g, sizes, n_sizes, axes, n_axes);
    return use_scales(r, g, scales, n_scales, axes, n_axes);
}

static ox_code infer(ox_run *r)
{
    ox_resize_rule rule;
    struct geometry g;
    int64_t dim[OX_MAX_RANK];
    OX_TRY(read_rule(r, &rule));
    OX_TRY(read_geometry(r, &g, &rule));
    if (!g.known)
        return OX_OK;
    for (int d = 0; d < r->in[0]->rank; d++)
        dim[d] = g.span[d].n_out;
    ox_out_shape(r, 0, r->in[0]->rank, dim);
    return OX_OK;
}

/* Neighbouring dimensions that stay as they are become one; those behind the last that changes are the
 * inner elements of a cell. */
static void collapse(ox_resize *s, const ox_resize_axis *all, int rank)
{
    int last = rank - 1;
    s->inner = 1;
    while (last > 0 && all[last].identity)
        s->inner *= all[last--].n_in;
    if (rank == 0 || (last == 0 && all[0].identity)) {
        s->inner *= rank ? all[0].n_in : 1;
        s->last = (ox_resize_axis){ .n_in = 1, .n_out = 1, .taps = 1, .identity = true };
        last = 0;
    } else {
        s->last = all[last];
    }
    s->n_rows = 1;
    for (int d = 0; d < last; d++) {
        ox_resize_axis *before = s->n_axes ? &s->axis[s->n_axes - 1] : NULL;
        s->n_rows *= all[d].n_out;
        if (before && before->identity && all[d].identity) {
            before->n_in *= all[d].n_in;
            before->n_out *= all[d].n_out;
        } else {
            s->axis[s->n_axes++] = all[d];
        }
    }
}

/* float sums hold few terms, and the micro-kernels know 2 and 4 taps */
static bool float_suffices(const ox_resize *s)
{
    int64_t taps = s->last.taps;
    for (int d = 0; d < s->n_axes; d++)
        taps = taps > 64 ? taps : taps * s->axis[d].taps;
    return taps <= 64 && (s->last.identity || s->last.taps == 2 || s->last.taps == 4);
}

static ox_code prepare(ox_run *r)
{
    ox_resize *s = r->state;
    const ox_tensor *x = r->in[0];
    ox_resize_rule rule;
    struct geometry g;
    ox_resize_axis all[OX_MAX_RANK];
    OX_TRY(read_rule(r, &rule));
    OX_TRY(read_geometry(r, &g, &rule));
    for (int d = 0; d < x->rank; d++)
        OX_TRY(ox_resize_axis_init(r, &all[d], &rule, &g.span[d]));
    collapse(s, all, x->rank);
    s->nearest = rule.mode == OX_RESIZE_NEAREST;
    s->dtype = x->dtype;
    if (!s->nearest && ox_dtype_class(x->dtype) == OX_CLASS_COMPLEX) {
        s->dtype = x->dtype == OX_C64 ? OX_F32 : OX_F64;
        s->inner *= 2;
    }
    s->size = ox_dtype_size(s->dtype);
    s->row_in = s->last.n_in * s->inner;
    s->row_out = s->last.n_out * s->inner;
    s->extrapolation = ox_attr_f64(r, "extrapolation_value");
    s->uk = ox_uk_resize_pick();
    r->kernel = s->nearest ? "nearest" : s->dtype == OX_F32 && float_suffices(s) ? "float" : "double";
    return OX_OK;
}

static ox_code run(ox_run *r)
{
    const ox_resize *s = r->state;
    if (s->nearest)
        return ox_resize_nearest(r);
    return s->dtype == OX_F32 && float_suffices(s) ? ox_resize_interpolate_f32(r) : ox_resize_interpolate(r);
}

/* ---- the definition: every output from all inputs with a weight ---- */
struct truth {
    ox_oracle *o;
    double    *weight; /* of input j for output i of dimension d: weight[start[d] + i * dim[d] + j] */
    int64_t    start[OX_MAX_RANK];
};

static void dense_row(const ox_resize_rule *rule, const ox_resize_span *s, int64_t o, double *w)
{
    double x = ox_resize_source(rule, s, o), sum = 0, reach = ox_resize_support(rule, s);
    if (s->scale == 1 && s->n_in == s->n_out && rule->coord != OX_COORD_TF_CROP_AND_RESIZE) {
        w[o] = 1;
        return;
    }
    if (rule->mode == OX_RESIZE_NEAREST) {
        w[ox_resize_pick(rule, s, x)] = 1;
        return;
    }
    for (double at = ceil(x - reach); at <= x + reach; at++) {
        bool inside = at >= 0 && at < (double)s->n_in;
        double v = inside || !rule->exclude_outside ? ox_resize_weight(rule, s, at - x) : 0;
        w[inside ? (int64_t)at : at < 0 ? 0 : s->n_in - 1] += v;
        sum += v;
    }
    for (int64_t j = 0; j < s->n_in && (rule->antialias || rule->exclude_outside) && sum != 0; j++)
        w[j] /= sum;
}

static void value_at(const struct truth *t, int d, const int64_t *at, int64_t offset, double w, double *y,
                     double *mag)
{
    const ox_tensor *x = t->o->r->in[0];
    if (d == x->rank) {
        *y += w * t->o->in[0][offset];
        *mag += fabs(w * t->o->in[0][offset]);
        return;
    }
    for (int64_t j = 0; j < x->dim[d]; j++) {
        double v = t->weight[t->start[d] + at[d] * x->dim[d] + j];
        if (v != 0)
            value_at(t, d + 1, at, offset * x->dim[d] + j, w * v, y, mag);
    }
}

static ox_code oracle(ox_oracle *o)
{
    ox_run r = *o->r;
    const ox_tensor *x = r.in[0], *y = r.out[0];
    ox_resize_rule rule;
    struct geometry g;
    OX_TRY(read_rule(&r, &rule));
    OX_TRY(read_geometry(&r, &g, &rule));
    struct truth t = { .o = o };
    size_t n = 0, part;
    for (int d = 0; d < x->rank; d++) {
        t.start[d] = (int64_t)n;
        if (!ox_mul_size(&part, (size_t)x->dim[d], (size_t)y->dim[d]) || !ox_add_size(&n, n, part))
            return OX_NO_MEMORY(&r);
    }
    if (!(t.weight = ox_scratch_array(&r, n, sizeof(double))))
        return OX_NO_MEMORY(&r);
    memset(t.weight, 0, n * sizeof(double));
    for (int d = 0; d < x->rank; d++)
        for (int64_t i = 0; i < y->dim[d]; i++)
            dense_row(&rule, &g.span[d], i, t.weight + t.start[d] + i * x->dim[d]);
    int64_t at[OX_MAX_RANK] = { 0 };
    for (int64_t i = 0; i < ox_count(y); i++) {
        bool outside = false;
        for (int d = 0; d < x->rank && rule.coord == OX_COORD_TF_CROP_AND_RESIZE; d++) {
            double from = ox_resize_source(&rule, &g.span[d], at[d]);
            outside = outside || !(from >= 0 && from <= (double)(x->dim[d] - 1));
        }
        o->out[0][i] = outside ? ox_attr_f64(&r, "extrapolation_value") : 0;
        o->mag[0][i] = fabs(o->out[0][i]);
        if (!outside)
            value_at(&t, 0, at, 0, 1, &o->out[0][i], &o->mag[0][i]);
        for (int d = x->rank - 1; d >= 0 && ++at[d] == y->dim[d]; d--)
            at[d] = 0;
    }
    return OX_OK;
}

OX_OP(Resize, 10) .infer = infer, .prepare = prepare, .run_any = run, .key = OX_KEY_NONE, .oracle = oracle,
    .error = { ERR_SUM, 6 }, .state_size = sizeof(ox_resize), .flags = OX_SYMBOLIC OX_END;

OX_OP(Upsample, 1) .infer = infer, .prepare = prepare, .run_any = run, .key = OX_KEY_NONE, .oracle = oracle,
    .error = { ERR_SUM, 6 }, .state_size = sizeof(ox_resize), .flags = OX_SYMBOLIC OX_END;
