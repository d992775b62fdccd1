/* Checks of single nodes: attributes, versions, and what frameworks do differently. */
#include "verify/lint.h"

#include <math.h>
#include <string.h>

static bool is(const char *a, const char *b) { return strcmp(a, b) == 0; }

static const int64_t *ints(const ox_node *n, const char *name, int *count)
{
    const ox_attr *a = ox_node_attr(n, name);
    bool good = a && a->kind == OX_ATTR_INTS;
    *count = good ? a->n : 0;
    return good ? a->ints : NULL;
}

static bool any_output(const ox_node *n, int from)
{
    for (int i = from; i < n->n_out; i++)
        if (n->out[i] >= 0)
            return true;
    return false;
}

/* ---- training mode ---- */

bool ox_lint_training_batchnorm(ox_look *k)
{
    int since = ox_lint_since(k->n);
    if (since >= 14)
        return ox_lint_i64(k->n, "training_mode") != 0;
    if (since < 7)
        return ox_lint_i64(k->n, "is_test") == 0;
    return any_output(k->n, 1);
}

bool ox_lint_training_dropout(ox_look *k)
{
    const ox_tensor *mode = ox_lint_input(k, 2);
    if (ox_lint_since(k->n) < 7)
        return ox_lint_i64(k->n, "is_test") == 0;
    return mode && ox_count(mode) == 1 && ox_get_i64(mode, 0) != 0;
}

bool ox_lint_random_unseeded(ox_look *k) { return !ox_lint_given(k->n, "seed"); }

/* ---- versions ---- */

static bool same_default(const ox_schema_attr *a, const ox_schema_attr *b)
{
    if (!a->has_default || !b->has_default || a->kind != b->kind)
        return true; /* leaving it out is an error in one of them, no other meaning */
    switch (a->kind) {
    case OX_ATTR_INT: return a->i == b->i;
    case OX_ATTR_FLOAT: return fabsf(a->f - b->f) <= 1e-4f * fabsf(a->f);
    default: return true; /* words were respelled, never redefined */
    }
}

static void default_text(char *buf, size_t n, const ox_schema_attr *a)
{
    if (a->kind == OX_ATTR_INT)
        snprintf(buf, n, "%lld", (long long)a->i);
    else
        snprintf(buf, n, "%g", (double)a->f);
}

/* With two dimensions both defaults of these name the last one. */
static bool same_anyway(const ox_look *k)
{
    return ox_lint_rank(k, 0) == 2 && strstr("Softmax LogSoftmax Hardmax", k->n->op_type);
}

bool ox_lint_default_changed(ox_look *k)
{
    const ox_schema *own = k->n->schema;
    char here[40], there[40];
    for (int i = 0; own && i < own->n_attr; i++) {
        const ox_schema_attr *a = &own->attr[i];
        if (!a->has_default || ox_lint_given(k->n, a->name) || same_anyway(k))
            continue;
        for (const ox_schema *s = ox_schema_first(own->domain, own->name); s;
             s = s->until < 1000000 ? ox_schema_find(own->domain, own->name, s->until + 1) : NULL) {
            const ox_schema_attr *b = ox_schema_attr_find(s, a->name);
            if (!b || same_default(a, b))
                continue;
            default_text(here, sizeof here, a);
            default_text(there, sizeof there, b);
            ox_lint_detail(k, "%s: %s in this version, %s in version %d", a->name, here, there,
                           s->since);
            return true;
        }
    }
    return false;
}

bool ox_lint_softmax_flattens(ox_look *k)
{
    int rank = ox_lint_rank(k, 0);
    int64_t axis = ox_lint_i64(k->n, "axis");
    if (ox_lint_since(k->n) >= 13 || axis == -1 || rank < 0 || axis == rank - 1)
        return false;
    ox_lint_detail(k, "axis %lld of %d dimensions", (long long)axis, rank);
    return true;
}

bool ox_lint_batchnorm_spatial(ox_look *k)
{
    return ox_lint_since(k->n) < 9 && ox_lint_i64(k->n, "spatial") == 0;
}

bool ox_lint_deprecated_operator(ox_look *k)
{
    const ox_schema *s = k->n->schema;
    return s && (s->flags & (OX_SCHEMA_DEPRECATED | OX_SCHEMA_REMOVED));
}

bool ox_lint_unknown_operator(ox_look *k)
{
    if (k->n->schema)
        return false;
    ox_lint_detail(k, "domain %.80s, opset %d", *k->n->domain ? k->n->domain : "ai.onnx", k->n->opset);
    return true;
}

/* ---- where frameworks differ ---- */

bool ox_lint_epsilon_default(ox_look *k) { return !ox_lint_given(k->n, "epsilon"); }

bool ox_lint_activation_default(ox_look *k)
{
    if (ox_lint_given(k->n, "alpha"))
        return false;
    ox_lint_detail(k, "alpha %g", ox_lint_f64(k->n, "alpha"));
    return true;
}

bool ox_lint_resize_coordinates(ox_look *k)
{
    const char *mode = ox_lint_str(k->n, "coordinate_transformation_mode");
    if (is(k->n->op_type, "Upsample") || ox_lint_since(k->n) < 11)
        mode = "asymmetric"; /* what these always do */
    if (is(mode, "half_pixel"))
        return false;
    ox_lint_detail(k, "%.60s", mode);
    return true;
}

bool ox_lint_resize_nearest(ox_look *k)
{
    const char *mode = ox_lint_str(k->n, "coordinate_transformation_mode"),
               *nearest = ox_lint_str(k->n, "nearest_mode");
    if (ox_lint_since(k->n) < 11 || !is(ox_lint_str(k->n, "mode"), "nearest") ||
        (is(mode, "asymmetric") && is(nearest, "floor")))
        return false;
    ox_lint_detail(k, "%.50s, %.50s", mode, nearest);
    return true;
}

bool ox_lint_resize_cubic(ox_look *k)
{
    if (!is(ox_lint_str(k->n, "mode"), "cubic"))
        return false;
    ox_lint_detail(k, "cubic_coeff_a %g", ox_lint_f64(k->n, "cubic_coeff_a"));
    return true;
}

bool ox_lint_pool_ceil_mode(ox_look *k) { return ox_lint_i64(k->n, "ceil_mode") != 0; }

static bool pads_anything(const ox_node *n)
{
    int count;
    const int64_t *pads = ints(n, "pads", &count);
    for (int i = 0; i < count; i++)
        if (pads[i])
            return true;
    return strncmp(ox_lint_str(n, "auto_pad"), "SAME", 4) == 0;
}

bool ox_lint_pool_padding(ox_look *k)
{
    if (!pads_anything(k->n))
        return false;
    ox_lint_detail(k, "count_include_pad %lld", (long long)ox_lint_i64(k->n, "count_include_pad"));
    return true;
}

bool ox_lint_pool_empty_window(ox_look *k)
{
    int n_pads, n_kernel, n_dilation;
    const int64_t *pads = ints(k->n, "pads", &n_pads),
                  *kernel = ints(k->n, "kernel_shape", &n_kernel),
                  *dilation = ints(k->n, "dilations", &n_dilation);
    if (n_kernel == 0 || n_pads != 2 * n_kernel || (n_dilation && n_dilation != n_kernel))
        return false;
    for (int i = 0; i < n_pads; i++) {
        int d = i % n_kernel;
        int64_t step = n_dilation ? dilation[d] : 1;
        if (kernel[d] < 1 || kernel[d] > INT32_MAX || step < 1 || step > INT32_MAX ||
            pads[i] < (kernel[d] - 1) * step + 1)
            continue;
        ox_lint_detail(k, "pads[%d] = %lld, kernel %lld", i, (long long)pads[i], (long long)kernel[d]);
        return true;
    }
    return false;
}

bool ox_lint_auto_pad(ox_look *k)
{
    const char *mode = ox_lint_str(k->n, "auto_pad");
    if (strncmp(mode, "SAME", 4) != 0)
        return false;
    ox_lint_detail(k, "%.40s", mode);
    return true;
}

bool ox_lint_pads_asymmetric(ox_look *k)
{
    int count;
    const int64_t *pads = ints(k->n, "pads", &count);
    for (int i = 0; i < count / 2; i++)
        if (pads[i] != pads[i + count / 2]) {
            ox_lint_detail(k, "%lld and %lld in dimension %d", (long long)pads[i],
                           (long long)pads[i + count / 2], i + 2);
            return true;
        }
    return false;
}

bool ox_lint_conv_transpose_shape(ox_look *k)
{
    int count;
    return ints(k->n, "output_shape", &count) && count > 0;
}

bool ox_lint_gru_linear_before_reset(ox_look *k)
{
    return ox_lint_i64(k->n, "linear_before_reset") == 0;
}

bool ox_lint_lstm_input_forget(ox_look *k) { return ox_lint_i64(k->n, "input_forget") != 0; }

bool ox_lint_gelu_approximation(ox_look *k)
{
    return is(ox_lint_str(k->n, "approximate"), "tanh");
}

bool ox_lint_layernorm_stash(ox_look *k)
{
    return ox_lint_given(k->n, "stash_type") && ox_lint_i64(k->n, "stash_type") != OX_F32 &&
           ox_lint_i64(k->n, "stash_type") != OX_F64;
}

bool ox_lint_lrn_even_size(ox_look *k) { return ox_lint_i64(k->n, "size") % 2 == 0; }

bool ox_lint_depth_to_space_mode(ox_look *k)
{
    return !is(ox_lint_str(k->n, "mode"), "CRD");
}

bool ox_lint_grid_sample_corners(ox_look *k) { return ox_lint_i64(k->n, "align_corners") != 0; }

bool ox_lint_roi_align_offset(ox_look *k)
{
    const char *mode = ox_lint_str(k->n, "coordinate_transformation_mode");
    return ox_lint_since(k->n) < 16 || is(mode, "output_half_pixel");
}

bool ox_lint_mod_sign(ox_look *k) { return ox_lint_i64(k->n, "fmod") != 0; }

bool ox_lint_double_softmax(ox_look *k)
{
    int v = k->n->n_in ? k->n->in[0] : OX_ABSENT;
    int p = v >= 0 ? k->g->value[v].producer : -1;
    return p >= 0 && is(k->g->node[p].op_type, "Softmax");
}

/* ---- what ONNX leaves undefined ---- */

/* ScatterND: two rows of the indices are the same.  Quadratic in small cases, silent in large ones. */
static bool same_rows(const ox_tensor *idx, int64_t width)
{
    int64_t n = width > 0 ? ox_count(idx) / width : 0;
    for (int64_t i = 0; i < n && n <= 4096; i++)
        for (int64_t j = 0; j < i; j++) {
            int64_t w = 0;
            while (w < width && ox_get_i64(idx, i * width + w) == ox_get_i64(idx, j * width + w))
                w++;
            if (w == width)
                return true;
        }
    return false;
}

/* ScatterElements: the same index twice along the axis. */
static bool same_along(const ox_tensor *idx, int axis)
{
    int64_t n = idx->dim[axis], inner = ox_numel(idx, axis + 1, idx->rank),
            outer = ox_numel(idx, 0, axis);
    for (int64_t o = 0; o < outer * inner && n <= 4096 && ox_count(idx) <= 65536; o++) {
        int64_t base = o / inner * n * inner + o % inner;
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = 0; j < i; j++)
                if (ox_get_i64(idx, base + i * inner) == ox_get_i64(idx, base + j * inner))
                    return true;
    }
    return false;
}

bool ox_lint_undefined_scatter(ox_look *k)
{
    const ox_tensor *idx = ox_lint_input(k, 1);
    const char *how = ox_lint_str(k->n, "reduction");
    if (!idx || idx->rank < 1 || !ox_is_int(idx->dtype) || (*how && !is(how, "none")))
        return false;
    if (is(k->n->op_type, "ScatterND"))
        return same_rows(idx, idx->dim[idx->rank - 1]);
    int64_t axis = ox_lint_i64(k->n, "axis");
    axis += axis < 0 ? idx->rank : 0;
    return axis >= 0 && axis < idx->rank && same_along(idx, (int)axis);
}

bool ox_lint_undefined_division(ox_look *k)
{
    const ox_tensor *by = ox_lint_input(k, 1);
    for (int64_t i = 0; by && ox_is_int(by->dtype) && i < ox_count(by); i++)
        if (ox_get_i64(by, i) == 0) {
            ox_lint_detail(k, "element %lld of the divisor", (long long)i);
            return true;
        }
    return false;
}

/* Range of an integer type as doubles: [low, high). */
static bool integer_range(ox_dtype t, double *low, double *high)
{
    int bits = ox_dtype_file_bits(t);
    bool sign = ox_dtype_class(t) == OX_CLASS_INT;
    *high = ldexp(1, bits - sign);
    *low = sign ? -*high : 0;
    return ox_is_int(t);
}

bool ox_lint_undefined_cast(ox_look *k)
{
    const ox_tensor *x = ox_lint_input(k, 0);
    double low, high;
    int64_t to = ox_lint_i64(k->n, "to");
    if (!x || !ox_is_float(x->dtype) || to <= 0 || to >= OX_N_DTYPES ||
        !integer_range((ox_dtype)to, &low, &high))
        return false;
    for (int64_t i = 0; i < ox_count(x); i++) {
        double v = trunc(ox_get_f64(x, i));
        if (v >= low && v < high)
            continue;
        ox_lint_detail(k, "%g as %s", ox_get_f64(x, i), ox_dtype_name((ox_dtype)to));
        return true;
    }
    return false;
}

bool ox_lint_undefined_shift(ox_look *k)
{
    const ox_tensor *by = ox_lint_input(k, 1);
    for (int64_t i = 0; by && ox_is_int(by->dtype) && i < ox_count(by); i++)
        if ((uint64_t)ox_get_i64(by, i) >= (uint64_t)ox_dtype_file_bits(by->dtype)) {
            ox_lint_detail(k, "by %lld", (long long)ox_get_i64(by, i));
            return true;
        }
    return false;
}

bool ox_lint_topk_unsorted(ox_look *k)
{
    return ox_lint_since(k->n) >= 11 && ox_lint_i64(k->n, "sorted") == 0;
}

bool ox_lint_clip_empty(ox_look *k)
{
    double low = -INFINITY, high = INFINITY;
    const ox_tensor *a = ox_lint_input(k, 1), *b = ox_lint_input(k, 2);
    if (ox_lint_since(k->n) < 11) {
        low = ox_lint_given(k->n, "min") ? ox_lint_f64(k->n, "min") : low;
        high = ox_lint_given(k->n, "max") ? ox_lint_f64(k->n, "max") : high;
    } else {
        low = a && ox_count(a) == 1 ? ox_get_f64(a, 0) : low;
        high = b && ox_count(b) == 1 ? ox_get_f64(b, 0) : high;
    }
    if (!(low > high))
        return false;
    ox_lint_detail(k, "%g and %g", low, high);
    return true;
}

static bool bad_scale(ox_look *k, int i)
{
    const ox_tensor *t = ox_lint_input(k, i);
    for (int64_t e = 0; t && ox_is_float(t->dtype) && e < ox_count(t); e++) {
        double s = ox_get_f64(t, e);
        if (s > 0 && isfinite(s))
            continue;
        ox_lint_detail(k, "element %lld of input %d is %g", (long long)e, i, s);
        return true;
    }
    return false;
}

bool ox_lint_quant_scale(ox_look *k)
{
    if (strncmp(k->n->op_type, "QLinear", 7) == 0)
        return bad_scale(k, 1) || bad_scale(k, 4) || bad_scale(k, 6);
    return bad_scale(k, 1);
}

bool ox_lint_negative_variance(ox_look *k)
{
    const ox_tensor *v = ox_lint_input(k, 4);
    double epsilon = ox_lint_f64(k->n, "epsilon");
    for (int64_t i = 0; v && ox_is_float(v->dtype) && i < ox_count(v); i++)
        if (!(ox_get_f64(v, i) + epsilon > 0)) {
            ox_lint_detail(k, "channel %lld: %g", (long long)i, ox_get_f64(v, i));
            return true;
        }
    return false;
}

/* ---- the batch ---- */

/* Whether the model takes any batch size at all. */
static bool open_batch(const ox_graph *g)
{
    for (int i = 0; i < g->n_in; i++) {
        const ox_type *t = &g->value[g->in[i]].type;
        if (t->kind == OX_TENSOR && t->rank > 0 && t->dim[0] < 0)
            return true;
    }
    return false;
}

bool ox_lint_baked_batch_reshape(ox_look *k)
{
    const ox_tensor *shape = ox_lint_input(k, 1);
    int n;
    const int64_t *old = ints(k->n, "shape", &n); /* before opset 5 */
    int64_t first = shape && shape->rank == 1 && shape->dim[0] > 1 && ox_is_int(shape->dtype)
                        ? ox_get_i64(shape, 0) : n > 1 ? old[0] : 0;
    if (first < 1 || k->g->parent || !open_batch(k->g) || ox_lint_input(k, 0))
        return false;
    ox_lint_detail(k, "%lld", (long long)first);
    return true;
}
