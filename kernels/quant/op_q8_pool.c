/* QMaxPool, which fusion makes of MaxPool on 8 bits (runtime/opt/qdq_layout.c): x and y have
 * channels last; attributes as MaxPool has them. */
#include "kernels/window.h"

#include <string.h>

struct pool {
    ox_window window;
    int64_t c, in_size, out_size, taps;
};

/* x as ONNX has it: channels first. */
static ox_tensor channels_first(const ox_tensor *from)
{
    ox_tensor x = *from;
    int64_t c = x.dim[x.rank - 1];
    memmove(x.dim + 2, x.dim + 1, (size_t)(x.rank - 2) * sizeof(*x.dim));
    x.dim[1] = c;
    return x;
}

static ox_code read_window(ox_run *r, ox_window *g, ox_tensor *x)
{
    if (r->n_in < 1 || !r->in[0] || r->in[0]->rank < 3 ||
        (r->in[0]->dtype != OX_U8 && r->in[0]->dtype != OX_I8))
        return OX_FAIL(r->err, OX_E_TYPE, "QMaxPool takes 8-bit images");
    *x = channels_first(r->in[0]);
    return ox_window_init(r, g, x, NULL);
}

static ox_code infer(ox_run *r)
{
    ox_window g;
    ox_tensor x;
    int64_t dim[OX_MAX_RANK];
    OX_TRY(read_window(r, &g, &x));
    dim[0] = x.dim[0];
    memcpy(dim + 1, g.out, (size_t)g.n * sizeof(*dim));
    dim[g.n + 1] = x.dim[1];
    r->out[0]->dtype = x.dtype;
    ox_out_shape(r, 0, x.rank, dim);
    return OX_OK;
}

static ox_code prepare(ox_run *r)
{
    struct pool *s = r->state;
    ox_tensor x;
    OX_TRY(read_window(r, &s->window, &x));
    s->c = x.dim[1];
    s->in_size = ox_numel(&x, 2, x.rank);
    s->taps = 1;
    s->out_size = 1;
    for (int d = 0; d < s->window.n; d++) {
        s->taps *= s->window.kernel[d];
        s->out_size *= s->window.out[d];
    }
    return OX_OK;
}

/* Where tap (all dimensions but the last) meets output row `row`: offset in pixels of the input
 * row's first, or -1. */
static int64_t input_row(const ox_window *g, int64_t row, int64_t tap)
{
    int64_t at = 0, size = g->in[g->n - 1];
    for (int d = g->n - 2; d >= 0; d--) {
        int64_t i =
            row % g->out[d] * g->stride[d] + tap % g->kernel[d] * g->dilation[d] - g->begin[d];
        if (i < 0 || i >= g->in[d])
            return -1;
        row /= g->out[d];
        tap /= g->kernel[d];
        at += i * size;
        size *= g->in[d];
    }
    return at;
}

/* y = max(x, y), flip giving numbers of either sign the order of u8. */
static void largest(int64_t n, const uint8_t *restrict x, uint8_t *restrict y, uint8_t flip)
{
    for (int64_t i = 0; i < n; i++) {
        uint8_t a = x[i] ^ flip, b = y[i] ^ flip;
        y[i] = (a > b ? a : b) ^ flip;
    }
}

/* One row of outputs. */
static void block(void *ctx, int64_t b, int worker)
{
    const ox_run *r = ctx;
    const struct pool *s = r->state;
    const ox_window *g = &s->window;
    int last = g->n - 1;
    int64_t width = g->out[last], rows = s->out_size / width, image = b / rows,
            kw = g->kernel[last];
    uint8_t flip = r->in[0]->dtype == OX_I8 ? 0x80 : 0;
    const uint8_t *x = (const uint8_t *)r->in[0]->data + image * s->in_size * s->c;
    uint8_t *y = (uint8_t *)r->out[0]->data + b * width * s->c;
    (void)worker;
    memset(y, flip, (size_t)(width * s->c)); /* the smallest number */
    for (int64_t outer = 0; outer < s->taps / kw; outer++) {
        int64_t base = input_row(g, b % rows, outer);
        for (int64_t t = 0; t < kw && base >= 0; t++) {
            int64_t lo, hi, offset = t * g->dilation[last] - g->begin[last];
            ox_window_range(&lo, &hi, offset, g->stride[last], g->in[last], width);
            for (int64_t o = lo; o < hi; o++)
                largest(s->c, x + (base + o * g->stride[last] + offset) * s->c, y + o * s->c, flip);
        }
    }
}

static ox_code run(ox_run *r)
{
    const struct pool *s = r->state;
    ox_parallel(r, r->out[0]->dim[0] * (s->out_size / s->window.out[s->window.n - 1]), block, r);
    return OX_OK;
}

OX_OP(QMaxPool, 1).domain = "onnxrun", .infer = infer, .prepare = prepare, .run_any = run,
                .key = OX_KEY_NONE, .error = { ERR_EXACT, 0 }, .state_size = sizeof(struct pool),
                .flags = OX_SYMBOLIC OX_END;
