/* Resizing by copying: any element type, by its size. */
#include "kernels/resize/resize.h"

#include <string.h>

typedef struct wide { uint64_t half[2]; } wide; /* complex128, strings */

/* Each input twice is by far the most frequent case. */
#define GATHER(type)                                                                               \
    static void gather_##type(int64_t n, const void *from, const int32_t *at, bool twice, void *to) \
    {                                                                                              \
        const type *x = from;                                                                      \
        type *y = to;                                                                              \
        for (int64_t i = 0; twice && i < n / 2; i++)                                               \
            y[2 * i] = y[2 * i + 1] = x[i];                                                        \
        for (int64_t i = twice ? n : 0; i < n; i++)                                                \
            y[i] = x[at[i]];                                                                       \
    }
GATHER(uint8_t)
GATHER(uint16_t)
GATHER(uint32_t)
GATHER(uint64_t)
GATHER(wide)

struct job {
    ox_run *r;
    char    value[16]; /* the extrapolation value as an element */
    bool    twice;
};

static void copy_row(const ox_resize *s, const char *x, bool twice, char *y)
{
    size_t cell = (size_t)s->inner * s->size;
    if (!s->last.index) {
        memcpy(y, x, (size_t)s->row_out * s->size);
        return;
    }
    switch (cell) {
    case 1: gather_uint8_t(s->last.n_out, x, s->last.index, twice, y); return;
    case 2: gather_uint16_t(s->last.n_out, x, s->last.index, twice, y); return;
    case 4: gather_uint32_t(s->last.n_out, x, s->last.index, twice, y); return;
    case 8: gather_uint64_t(s->last.n_out, x, s->last.index, twice, y); return;
    case 16: gather_wide(s->last.n_out, x, s->last.index, twice, y); return;
    default:
        for (int64_t o = 0; o < s->last.n_out; o++)
            memcpy(y + (size_t)o * cell, x + (size_t)s->last.index[o] * cell, cell);
    }
}

static void fill(char *y, int64_t n, const char *value, size_t size)
{
    for (int64_t i = 0; i < n; i++)
        memcpy(y + (size_t)i * size, value, size);
}

static void block(void *ctx, int64_t b, int worker)
{
    const struct job *j = ctx;
    const ox_resize *s = j->r->state;
    size_t out_bytes = (size_t)s->row_out * s->size;
    int64_t first = b * ox_resize_block(s), at[OX_MAX_RANK], row, same = -1;
    double weight;
    (void)worker;
    for (int64_t i = first; i < OX_MIN(first + ox_resize_block(s), s->n_rows); i++) {
        char *y = (char *)j->r->out[0]->data + (size_t)i * out_bytes;
        ox_resize_walk walk = { 0 };
        bool outside = ox_resize_at(s, i, at);
        ox_resize_next(s, at, &walk, &row, &weight);
        if (outside) {
            fill(y, s->row_out, j->value, s->size);
            same = -1;
            continue;
        }
        if (row == same) {
            memcpy(y, y - out_bytes, out_bytes);
            continue;
        }
        same = row;
        copy_row(s, (const char *)j->r->in[0]->data + (size_t)(row * s->row_in) * s->size, j->twice, y);
        for (int64_t o = 0; s->last.outside && o < s->last.n_out; o++)
            if (s->last.outside[o])
                fill(y + (size_t)(o * s->inner) * s->size, s->inner, j->value, s->size);
    }
}

ox_code ox_resize_nearest(ox_run *r)
{
    const ox_resize *s = r->state;
    struct job j = { .r = r };
    if (ox_dtype_converts(s->dtype))
        ox_from_f64(j.value, &s->extrapolation, s->dtype, 1);
    j.twice = s->last.index && s->last.n_out == 2 * s->last.n_in;
    for (int64_t o = 0; j.twice && o < s->last.n_out; o++)
        j.twice = s->last.index[o] == o / 2;
    ox_parallel(r, (s->n_rows + ox_resize_block(s) - 1) / ox_resize_block(s), block, &j);
    return OX_OK;
}
