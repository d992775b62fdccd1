/* See patch.h. */
#include "kernels/conv/patch.h"

/* A run of `pixels` consecutive pixels touches this many rows at most. */
static size_t most_rows(const ox_conv_plan *p, size_t pixels)
{
    return OX_MIN(pixels, (pixels + p->out[2] - 2) / p->out[2] + 1);
}

static size_t first_bytes(size_t taps) { return ox_round_up((taps + 1) * sizeof(int32_t), 64); }

size_t ox_patch_bytes(const ox_conv_plan *p, size_t pixels)
{
    size_t taps = ox_volume(p->k);
    size_t n = OX_PRODUCT(taps, most_rows(p, pixels));
    if (taps > INT32_MAX || n > INT32_MAX)
        return SIZE_MAX;
    return first_bytes(taps) + ox_round_up(n * sizeof(ox_segment), 64);
}

/* The segment of one output row (n pixels from (z, y, x) on) for one tap; n = 0: all padding. */
static ox_segment segment(const ox_conv_plan *p, const size_t out[3], size_t n, const size_t tap[3])
{
    ox_segment none = { 0, 0, 0 };
    size_t at = 0;
    for (int d = 0; d < 2; d++) {
        size_t i = out[d] * p->stride[d] + tap[d] * p->dil[d];
        if (i < p->pad[d] || i - p->pad[d] >= p->in[d])
            return none;
        at = at * p->in[d] + (i - p->pad[d]);
    }
    size_t s = p->stride[2], first = out[2] * s + tap[2] * p->dil[2], width = p->in[2];
    size_t lead = first < p->pad[2] ? ox_ceil_div(p->pad[2] - first, s) : 0;
    if (lead >= n || first + lead * s - p->pad[2] >= width)
        return none;
    size_t begin = first + lead * s - p->pad[2],
           count = OX_MIN(n - lead, ox_ceil_div(width - begin, s));
    return (ox_segment){ (int32_t)(at * width + begin), (int32_t)lead, (int32_t)count };
}

void ox_patch_init(const ox_conv_plan *p, size_t from, size_t to, void *memory, ox_patch *t)
{
    size_t taps = ox_volume(p->k), n_seg = 0;
    int32_t *first = memory;
    ox_segment *seg = (ox_segment *)(void *)((char *)memory + first_bytes(taps));

    for (size_t q = 0; q < taps; q++) {
        size_t tap[3] = { q / p->k[2] / p->k[1], q / p->k[2] % p->k[1], q % p->k[2] };
        first[q] = (int32_t)n_seg;
        for (size_t j = from, n; j < to; j += n) {
            size_t row = j / p->out[2],
                   out[3] = { row / p->out[1], row % p->out[1], j % p->out[2] };
            n = OX_MIN(p->out[2] - out[2], to - j);
            ox_segment s = segment(p, out, n, tap);
            s.to += (int32_t)(j - from);
            if (s.n > 0)
                seg[n_seg++] = s;
        }
    }
    first[taps] = (int32_t)n_seg;
    *t = (ox_patch){
        .plane = ox_volume(p->in), .step = p->stride[2], .n_taps = taps, .seg = seg, .first = first
    };
}
