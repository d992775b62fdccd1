/* The reference micro-kernels; conv.h says what each does.  The Makefile compiles this file again
 * for higher levels; the table has no use for those, so that they come out empty. */
#ifndef ISA
#include "kernels/conv/conv.h"
#include "kernels/conv/winograd.h"

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

void uk_patch_f32_scalar(const ox_patch *t)
{
    float *dst = t->dst;
    for (size_t p = t->k0; p < t->k0 + t->k; p++, dst += t->nr) {
        const float *x = (const float *)t->x + p / t->n_taps * t->plane;
        const int32_t *idx = t->idx + p % t->n_taps * t->nr;
        for (size_t j = 0; j < t->nr; j++)
            dst[j] = idx[j] < 0 ? 0 : x[idx[j]];
    }
}

void uk_patch_f64_scalar(const ox_patch *t)
{
    double *dst = t->dst;
    for (size_t p = t->k0; p < t->k0 + t->k; p++, dst += t->nr) {
        const double *x = (const double *)t->x + p / t->n_taps * t->plane;
        const int32_t *idx = t->idx + p % t->n_taps * t->nr;
        for (size_t j = 0; j < t->nr; j++)
            dst[j] = idx[j] < 0 ? 0 : x[idx[j]];
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
#else
typedef int ox_nothing_here; /* ISO C wants a declaration */
#endif
