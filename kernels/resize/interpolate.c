/* Linear and cubic resizing: the rows an output row is made of are blended into a line, which is then
 * interpolated along itself. */
#include "kernels/resize/resize.h"

#include <math.h>
#include <string.h>

struct job {
    ox_run *r;
    char   *memory; /* of all workers */
    size_t  bytes;  /* of one */
};

/* ---- f32 ---- */

/* The blended line: scratch, or the input itself where one row alone makes it. */
static const float *blend_f32(const ox_resize *s, const float *x, const int64_t *at, float *line)
{
    ox_resize_walk walk = { 0 };
    const float *from[4] = { 0 };
    float w[4] = { 0 };
    int64_t row;
    double weight;
    int n = 0;
    bool add = false;
    while (ox_resize_next(s, at, &walk, &row, &weight)) {
        if (n == 4) {
            s->uk.blend(s->row_in, n, from, w, add, line);
            add = true;
            n = 0;
        }
        from[n] = x + row * s->row_in;
        w[n++] = (float)weight;
    }
    if (!add && n == 1 && w[0] == 1)
        return from[0];
    s->uk.blend(s->row_in, n, from, w, add, line);
    return line;
}

static void cells_f32(const ox_resize *s, const float *line, float *y)
{
    const ox_resize_axis *a = &s->last;
    for (int64_t o = 0; o < a->n_out; o++) {
        float *cell = y + o * s->inner;
        for (int64_t t = 0; t < a->taps; t++) {
            const float *x = line + (int64_t)a->index[o * a->taps + t] * s->inner;
            float w = a->weight32[o * a->taps + t];
            for (int64_t i = 0; i < s->inner; i++)
                cell[i] = t ? cell[i] + w * x[i] : w * x[i];
        }
    }
}

static void block_f32(void *ctx, int64_t b, int worker)
{
    const struct job *j = ctx;
    const ox_resize *s = j->r->state;
    const ox_resize_axis *a = &s->last;
    float *own = (float *)(void *)(j->memory + (size_t)worker * j->bytes), value = (float)s->extrapolation;
    int64_t first = b * ox_resize_block(s), at[OX_MAX_RANK];
    for (int64_t i = first; i < OX_MIN(first + ox_resize_block(s), s->n_rows); i++) {
        float *y = (float *)j->r->out[0]->data + i * s->row_out;
        if (ox_resize_at(s, i, at)) {
            for (int64_t o = 0; o < s->row_out; o++)
                y[o] = value;
            continue;
        }
        const float *line = blend_f32(s, j->r->in[0]->data, at, a->identity ? y : own);
        if (a->identity && line != y)
            memcpy(y, line, (size_t)s->row_out * sizeof(*y));
        else if (!a->identity && s->inner > 1)
            cells_f32(s, line, y);
        else if (!a->identity)
            (a->taps == 2 ? s->uk.gather2 : s->uk.gather4)(a->n_out, line, a->index, a->weight32, y);
        for (int64_t o = 0; a->outside && o < s->row_out; o++)
            if (a->outside[o / s->inner])
                y[o] = value;
    }
}

static ox_code run_rows(ox_run *r, ox_block_fn *fn, size_t bytes)
{
    const ox_resize *s = r->state;
    struct job j = { r, NULL, (bytes + 63) & ~(size_t)63 };
    if (!(j.memory = ox_scratch_array(r, (size_t)ox_pool_threads(r->pool), j.bytes)))
        return OX_NO_MEMORY(r);
    ox_parallel(r, (s->n_rows + ox_resize_block(s) - 1) / ox_resize_block(s), fn, &j);
    return OX_OK;
}

ox_code ox_resize_interpolate_f32(ox_run *r)
{
    const ox_resize *s = r->state;
    size_t bytes;
    if (!ox_mul_size(&bytes, (size_t)s->row_in, sizeof(float)) || bytes > SIZE_MAX / 2)
        return OX_NO_MEMORY(r);
    return run_rows(r, block_f32, bytes);
}

/* ---- any numeric type, in double ---- */

/* Rounded half to even and limited to what the type holds; floats stay as they are. */
static void saturate(double *v, int64_t n, ox_dtype t)
{
    ox_class class = ox_dtype_class(t);
    if (class == OX_CLASS_FLOAT)
        return;
    double bits = (double)ox_dtype_file_bits(t), lo = 0, hi = 1;
    if (class == OX_CLASS_INT) {
        lo = -exp2(bits - 1);
        hi = bits > 53 ? exp2(bits - 1) - 1024 : exp2(bits - 1) - 1;
    } else if (class == OX_CLASS_UINT) {
        hi = bits > 53 ? exp2(bits) - 2048 : exp2(bits) - 1;
    }
    for (int64_t i = 0; i < n; i++)
        v[i] = fmin(fmax(rint(v[i]), lo), hi);
}

static void blend(const ox_resize *s, const char *x, const int64_t *at, double *row, double *line)
{
    ox_resize_walk walk = { 0 };
    int64_t from;
    double weight;
    memset(line, 0, (size_t)s->row_in * sizeof(*line));
    while (ox_resize_next(s, at, &walk, &from, &weight)) {
        if (weight == 0)
            continue;
        ox_to_f64(row, x + (size_t)(from * s->row_in) * s->size, s->dtype, (size_t)s->row_in);
        for (int64_t i = 0; i < s->row_in; i++)
            line[i] += weight * row[i];
    }
}

static void cells(const ox_resize *s, const double *line, double *y)
{
    const ox_resize_axis *a = &s->last;
    for (int64_t o = 0; o < a->n_out; o++) {
        double *cell = y + o * s->inner;
        memset(cell, 0, (size_t)s->inner * sizeof(*cell));
        for (int64_t t = 0; t < a->taps; t++) {
            const double *x = line + (int64_t)a->index[o * a->taps + t] * s->inner;
            double w = a->weight[o * a->taps + t];
            for (int64_t i = 0; i < s->inner && w != 0; i++)
                cell[i] += w * x[i];
        }
    }
}

static void block_any(void *ctx, int64_t b, int worker)
{
    const struct job *j = ctx;
    const ox_resize *s = j->r->state;
    double *row = (double *)(void *)(j->memory + (size_t)worker * j->bytes), *line = row + s->row_in;
    double *y = line + s->row_in;
    int64_t first = b * ox_resize_block(s), at[OX_MAX_RANK];
    for (int64_t i = first; i < OX_MIN(first + ox_resize_block(s), s->n_rows); i++) {
        bool outside = ox_resize_at(s, i, at);
        if (!outside)
            blend(s, j->r->in[0]->data, at, row, line);
        if (!outside && s->last.identity)
            memcpy(y, line, (size_t)s->row_out * sizeof(*y));
        else if (!outside)
            cells(s, line, y);
        for (int64_t o = 0; o < s->row_out; o++)
            if (outside || (s->last.outside && s->last.outside[o / s->inner]))
                y[o] = s->extrapolation;
        saturate(y, s->row_out, s->dtype);
        ox_from_f64((char *)j->r->out[0]->data + (size_t)(i * s->row_out) * s->size, y, s->dtype,
                    (size_t)s->row_out);
    }
}

ox_code ox_resize_interpolate(ox_run *r)
{
    const ox_resize *s = r->state;
    size_t n, bytes;
    if (!ox_dtype_converts(s->dtype))
        return OX_FAIL(r->err, OX_E_UNSUPPORTED, "elements of type %s cannot be interpolated",
                       ox_dtype_name(s->dtype));
    if (!ox_mul_size(&n, (size_t)s->row_in, 2) || !ox_add_size(&n, n, (size_t)s->row_out) ||
        !ox_mul_size(&bytes, n, sizeof(double)) || bytes > SIZE_MAX / 2)
        return OX_NO_MEMORY(r);
    return run_rows(r, block_any, bytes);
}
