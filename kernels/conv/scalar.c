/* The reference micro-kernels; conv.h says what each does.  The Makefile compiles this file again
 * for higher levels; the table has no use for those, so that they come out empty. */
#ifndef ISA
#include "kernels/conv/conv.h"
#include "kernels/conv/winograd.h"

#include <math.h>

#include <string.h>

/* Element (i, c) of the tile row, c counted from its first column. */
static float element(const ox_wino_in *t, size_t i, size_t c)
{
    return t->row[i] && c >= t->lead && c - t->lead < t->n_cols ? t->row[i][c - t->lead] : 0;
}

/* bt is r x r */
static void wino_in(const ox_wino_in *t, size_t step, const double *bt)
{
    size_t r = step + 2;
    float half[6][6];
    for (size_t tile = 0; tile < t->n_tiles; tile++) {
        for (size_t i = 0; i < r; i++)
            for (size_t j = 0; j < r; j++) {
                half[i][j] = 0;
                for (size_t q = 0; q < r; q++)
                    half[i][j] += (float)bt[i * r + q] * element(t, q, tile * step + j);
            }
        for (size_t i = 0; i < r; i++)
            for (size_t j = 0; j < r; j++) {
                float sum = 0;
                for (size_t q = 0; q < r; q++)
                    sum += half[i][q] * (float)bt[j * r + q];
                t->v[(i * r + j) * t->stride + tile] = sum;
            }
    }
}
void uk_wino4_in_f32_scalar(const ox_wino_in *t) { wino_in(t, 4, ox_wino4_bt[0]); }
void uk_wino2_in_f32_scalar(const ox_wino_in *t) { wino_in(t, 2, ox_wino2_bt[0]); }

static float act(const ox_conv_act *a, float v)
{
    if (v < 0 && a->slope != 1)
        v *= a->slope;
    v = v < a->lo ? a->lo : v;
    return v > a->hi ? a->hi : v;
}

/* at is step x r */
static void wino_out(const ox_wino_out *t, size_t step, const double *at)
{
    size_t r = step + 2;
    float half[4][6];
    for (size_t tile = 0; tile < t->n_tiles; tile++) {
        for (size_t i = 0; i < step; i++)
            for (size_t j = 0; j < r; j++) {
                half[i][j] = 0;
                for (size_t q = 0; q < r; q++)
                    half[i][j] += (float)at[i * r + q] * t->m[(q * r + j) * t->stride + tile];
            }
        for (size_t i = 0; i < t->n_rows; i++)
            for (size_t j = 0; j < step && tile * step + j < t->n_cols; j++) {
                size_t to = i * t->ldy + tile * step + j;
                float sum = 0;
                for (size_t q = 0; q < r; q++)
                    sum += half[i][q] * (float)at[j * r + q];
                sum += t->d ? t->bias + t->d[to] : t->bias;
                t->y[to] = act(&t->act, sum);
            }
    }
}
void uk_wino4_out_f32_scalar(const ox_wino_out *t) { wino_out(t, 4, ox_wino4_at[0]); }
void uk_wino2_out_f32_scalar(const ox_wino_out *t) { wino_out(t, 2, ox_wino2_at[0]); }

#define PATCH(name, T)                                                                             \
    void name(const ox_patch *t)                                                                   \
    {                                                                                              \
        T *dst = t->dst;                                                                           \
        for (size_t p = t->k0; p < t->k0 + t->k; p++, dst += t->ld) {                              \
            const T *x = (const T *)t->x + p / t->n_taps * t->plane;                               \
            size_t tap = p % t->n_taps;                                                            \
            memset(dst, 0, t->ld * sizeof *dst);                                                   \
            for (int32_t s = t->first[tap]; s < t->first[tap + 1]; s++)                            \
                for (size_t i = 0; i < (size_t)t->seg[s].n; i++)                                   \
                    dst[(size_t)t->seg[s].to + i] = x[(size_t)t->seg[s].from + i * t->step];       \
        }                                                                                          \
    }
PATCH(uk_patch_f32_scalar, float)
PATCH(uk_patch_f64_scalar, double)

void uk_turn_f32_scalar(const ox_turn *t)
{
    for (size_t o = 0; o < t->m; o++)
        for (size_t j = 0; j < t->n; j++) {
            float v = t->bias ? t->bias[o] + t->c[j * t->ldc + o] : t->c[j * t->ldc + o];
            v += t->d ? t->d[o * t->ldy + j] : 0;
            t->y[o * t->ldy + j] = act(&t->act, v);
        }
}

void uk_depthwise_f32_scalar(const ox_depthwise *t)
{
    for (size_t r = 0; r < t->n_rows; r++)
        for (size_t j = 0; j < t->n_cols; j++) {
            float sum = 0;
            for (size_t i = 0; i < t->n_taps; i++)
                sum += t->w[i] * t->x[r * t->step + (size_t)t->off[i] + j];
            sum += t->d ? t->bias + t->d[r * t->ldy + j] : t->bias;
            t->y[r * t->ldy + j] = act(&t->act, sum);
        }
}

void uk_plane_f32_scalar(const ox_plane *t)
{
    for (size_t r = t->y0; r < t->y1; r++)
        for (size_t j = 0; j < t->n_cols; j++) {
            float sum = 0;
            for (size_t i = 0; i < t->kh * t->kw; i++) { /* wraps below 0 */
                size_t y = r * t->step + i / t->kw - t->top;
                size_t x = j * t->step + i % t->kw * t->dil - t->left;
                if (y < t->height && x < t->width)
                    sum += t->w[i] * t->x[y * t->width + x];
            }
            sum += t->d ? t->bias + t->d[r * t->n_cols + j] : t->bias;
            t->y[r * t->n_cols + j] = act(&t->act, sum);
        }
}

void uk_conv_swish_f32_scalar(size_t n, const void *from, void *to, const void *params)
{
    const float *x = from;
    float *y = to;
    (void)params;
    for (size_t i = 0; i < n; i++)
        y[i] = x[i] / (1 + expf(-x[i]));
}

void uk_conv_hard_swish_f32_scalar(size_t n, const void *from, void *to, const void *params)
{
    const float *x = from;
    float *y = to;
    (void)params;
    for (size_t i = 0; i < n; i++) {
        float gate = x[i] + 3;
        gate = gate < 0 ? 0 : gate > 6 ? 6 : gate;
        y[i] = x[i] * (1 / 6.0f) * gate;
    }
}
#else
typedef int ox_nothing_here; /* ISO C wants a declaration */
#endif
