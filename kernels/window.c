#include "kernels/window.h"

#include <string.h>

enum { MAX_EXTENT = 1 << 30 }; /* kernel, stride, dilation, pad: beyond these two no product is safe */
static const int64_t MAX_SIZE = (int64_t)1 << 32;

static ox_code read_list(ox_run *r, const char *name, int n, int64_t least, int64_t fallback, int64_t *out)
{
    int given;
    const int64_t *v = ox_attr_i64s(r, name, &given);
    if (given && given != n)
        return OX_FAIL(r->err, OX_E_SHAPE, "%s has %d entries for %d spatial dimensions", name, given, n);
    for (int i = 0; i < n; i++) {
        out[i] = given ? v[i] : fallback;
        if (out[i] < least || out[i] > MAX_EXTENT)
            return OX_FAIL(r->err, OX_E_VALUE, "%s[%d] is %lld", name, i, (long long)out[i]);
    }
    return OX_OK;
}

enum auto_pad { NOTSET, SAME_UPPER, SAME_LOWER, VALID };

static ox_code read_attributes(ox_run *r, ox_window *w, const int64_t *kernel, int *mode)
{
    static const char *const modes[] = { "NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID", NULL };
    int64_t pads[2 * OX_MAX_RANK];
    OX_TRY(read_list(r, "kernel_shape", w->n, 1, 1, w->kernel));
    if (kernel && ox_attr_given(r, "kernel_shape")) {
        for (int i = 0; i < w->n; i++)
            if (kernel[i] != w->kernel[i])
                return OX_FAIL(r->err, OX_E_SHAPE, "kernel_shape[%d] is %lld but W has %lld", i,
                               (long long)w->kernel[i], (long long)kernel[i]);
    } else if (kernel) {
        memcpy(w->kernel, kernel, (size_t)w->n * sizeof(*kernel));
    }
    OX_TRY(read_list(r, "strides", w->n, 1, 1, w->stride));
    OX_TRY(read_list(r, "dilations", w->n, 1, 1, w->dilation));
    OX_TRY(read_list(r, "pads", 2 * w->n, -MAX_EXTENT, 0, pads));
    memcpy(w->begin, pads, (size_t)w->n * sizeof(*pads));
    memcpy(w->end, pads + w->n, (size_t)w->n * sizeof(*pads));
    *mode = NOTSET;
    const char *given = ox_attr_str(r, "auto_pad");
    return given && *given ? ox_attr_enum(r, "auto_pad", modes, mode) : OX_OK;
}

/* SAME: out = ceil(in / stride); the odd element of padding goes to the side the mode names. */
static void same(ox_window *w, int i, int mode)
{
    int64_t extent = (w->kernel[i] - 1) * w->dilation[i] + 1;
    w->out[i] = (w->in[i] + w->stride[i] - 1) / w->stride[i];
    int64_t total = OX_MAX((w->out[i] - 1) * w->stride[i] + extent - w->in[i], 0);
    w->begin[i] = mode == SAME_UPPER ? total / 2 : total - total / 2;
    w->end[i] = total - w->begin[i];
}

ox_code ox_window_init(ox_run *r, ox_window *w, const ox_tensor *x, const int64_t *kernel)
{
    int mode;
    memset(w, 0, sizeof(*w));
    if (x->rank < 2)
        return OX_FAIL(r->err, OX_E_SHAPE, "X has rank %d, expected at least 3", x->rank);
    w->n = x->rank - 2;
    OX_TRY(read_attributes(r, w, kernel, &mode));
    bool ceil_mode = ox_attr_i64(r, "ceil_mode") != 0;
    for (int i = 0; i < w->n; i++) {
        w->in[i] = x->dim[2 + i];
        if (w->in[i] > MAX_SIZE)
            return OX_FAIL(r->err, OX_E_LIMIT, "dimension %d of X has size %lld", 2 + i, (long long)w->in[i]);
        int64_t extent = (w->kernel[i] - 1) * w->dilation[i] + 1;
        if (mode == VALID)
            w->begin[i] = w->end[i] = 0;
        if (w->in[i] < 0) { /* a symbol: out = in where the window keeps the size */
            int64_t pad = mode == SAME_UPPER || mode == SAME_LOWER ? extent - 1 : w->begin[i] + w->end[i];
            bool grows = w->stride[i] == 1 && pad - extent + 1 >= 0;
            w->out[i] = grows ? ox_dim_add(r, w->in[i], pad - extent + 1) : OX_DIM_UNKNOWN;
            continue;
        }
        if (mode == SAME_UPPER || mode == SAME_LOWER) {
            same(w, i, mode);
            continue;
        }
        int64_t room = w->in[i] + w->begin[i] + w->end[i] - extent;
        if (room < 0) {
            w->out[i] = 0;
            continue;
        }
        w->out[i] = room / w->stride[i] + 1;
        if (ceil_mode && room % w->stride[i]) {
            /* one more window, unless it would start in the padding at the end */
            w->out[i] += w->out[i] * w->stride[i] < w->in[i] + w->begin[i];
        }
    }
    return OX_OK;
}
