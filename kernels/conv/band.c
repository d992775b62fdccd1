/* See band.h. */
#include "kernels/conv/band.h"

#include <string.h>

bool ox_band_fit(const ox_conv_plan *p, size_t bh, size_t bw, size_t slack, ox_band *b)
{
    size_t reach =
        (p->k[2] - 1) * p->dil[2]; /* of the kernel along a row; w's and x's sizes bound it */
    b->phases = OX_MIN(p->stride[2], reach + 1);
    b->rows = ox_conv_sum(OX_PRODUCT(bh - 1, p->stride[1]), (p->k[1] - 1) * p->dil[1] + 1);
    b->width = ox_conv_sum(ox_conv_sum(bw, slack), reach / p->stride[2]);
    b->channel = OX_PRODUCT(p->k[0], b->rows, b->phases, b->width);
    if (b->channel > INT32_MAX)
        return false;
    b->step = p->stride[1] * b->phases * b->width;
    return true;
}

void ox_band_offsets(const ox_conv_plan *p, const ox_band *b, int32_t *off)
{
    for (size_t z = 0; z < p->k[0]; z++)
        for (size_t y = 0; y < p->k[1]; y++)
            for (size_t x = 0; x < p->k[2]; x++) {
                size_t row = (z * b->rows + y * p->dil[1]) * b->phases, col = x * p->dil[2];
                *off++ = (int32_t)((row + col % p->stride[2]) * b->width + col / p->stride[2]);
            }
}

/* to[i] = from[i * stride]; compilers make vectors of the constant case */
static void take_f32(void *to, const void *from, size_t n, size_t stride)
{
    const float *x = from;
    float *y = to;
    if (stride == 2)
        for (size_t i = 0; i < n; i++)
            y[i] = x[2 * i];
    else
        for (size_t i = 0; i < n; i++)
            y[i] = x[i * stride];
}

/* to[i] = row[first + i * stride - pad] for i < n, 0 where that is outside [0, width) */
static void load_row(const char *row, size_t width, size_t first, size_t pad, size_t stride,
                     size_t n, size_t elem, char *to)
{
    size_t lead = first < pad ? OX_MIN(ox_ceil_div(pad - first, stride), n) : 0;
    size_t begin = first + lead * stride - pad; /* wraps only if there is nothing to copy */
    size_t count =
        lead < n && begin < width ? OX_MIN(n - lead, ox_ceil_div(width - begin, stride)) : 0;

    memset(to, 0, lead * elem);
    to += lead * elem;
    row += count > 0 ? begin * elem : 0;
    if (stride == 1)
        memcpy(to, row, count * elem);
    else if (elem == 4)
        take_f32(to, row, count, stride);
    else
        for (size_t i = 0; i < count; i++)
            ((double *)(void *)to)[i] = ((const double *)(const void *)row)[i * stride];
    memset(to + count * elem, 0, (n - lead - count) * elem);
}

void ox_band_load(const ox_conv_plan *p, const ox_band *b, const void *channel, size_t z, size_t y0,
                  size_t x0, void *to)
{
    size_t elem = ox_conv_elem(p), s = p->stride[2], width = p->in[2];
    char *t = to;
    for (size_t kz = 0; kz < p->k[0]; kz++) {
        size_t iz = z * p->stride[0] + kz * p->dil[0]; /* counted with the padding, as iy is */
        bool inside_z = iz >= p->pad[0] && iz - p->pad[0] < p->in[0];
        for (size_t r = 0; r < b->rows; r++) {
            size_t iy = y0 * p->stride[1] + r;
            bool used = p->k[1] > 1 || r % p->stride[1] == 0;
            bool inside = inside_z && iy >= p->pad[1] && iy - p->pad[1] < p->in[1];
            for (size_t f = 0; used && f < b->phases; f++) {
                char *row = t + (r * b->phases + f) * b->width * elem;
                const char *from = channel;
                if (inside)
                    from += ((iz - p->pad[0]) * p->in[1] + (iy - p->pad[1])) * width * elem;
                load_row(from, inside ? width : 0, x0 * s + f, p->pad[2], s, b->width, elem, row);
            }
        }
        t += b->rows * b->phases * b->width * elem;
    }
}
