/* The reference micro-kernels; conv.h says what each does.  The Makefile compiles this file again
 * for higher levels; the table has no use for those, so that they come out empty. */
#ifndef ISA
#include "kernels/conv/conv.h"
#include "kernels/conv/winograd.h"

#include <math.h>

#include <string.h>

/* y = L x L^T, where L is rows x r and x is r x r */
static void sandwich(const double *l, size_t rows, size_t r, const float *x, float *y)
{
    float half[36];
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < r; j++) {
            half[i * r + j] = 0;
            for (size_t q = 0; q < r; q++)
                half[i * r + j] += (float)l[i * r + q] * x[q * r + j];
        }
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < rows; j++) {
            y[i * rows + j] = 0;
            for (size_t q = 0; q < r; q++)
                y[i * rows + j] += half[i * r + q] * (float)l[j * r + q];
        }
}

void uk_wino4_in_f32_scalar(const ox_wino_in *t)
{
    float d[36], y[36];
    for (size_t tile = 0; tile < t->n_tiles; tile++) {
        for (size_t p = 0; p < 36; p++) {
            size_t i = p / 6, at = tile * 4 + p % 6; /* counted with the padding */
            d[p] = t->row[i] && at >= t->lead && at - t->lead < t->n_cols ? t->row[i][at - t->lead] : 0;
        }
        sandwich(ox_wino4_bt[0], 6, 6, d, y);
        for (size_t p = 0; p < 36; p++)
            t->v[p * t->stride + tile] = y[p];
    }
}

static void winoc_in(const ox_winoc_in *t, size_t step, const double *bt)
{
    size_t r = step + 2;
    float d[36], y[36];
    for (size_t of = 0; of < t->n_ch * t->n_tiles; of++) {
        size_t c = of / t->n_tiles, tile = of % t->n_tiles;
        for (size_t p = 0; p < r * r; p++) {
            const float *row = t->row[p / r];
            size_t at = tile * step + p % r;
            bool inside = row && at >= t->lead && at - t->lead < t->n_cols;
            d[p] = inside ? row[c * t->plane + (at - t->lead)] : 0;
        }
        sandwich(bt, r, r, d, y);
        for (size_t p = 0; p < r * r; p++)
            t->v[tile * t->tile + p * t->stride + c] = y[p];
    }
}
void uk_winoc4_in_f32_scalar(const ox_winoc_in *t) { winoc_in(t, 4, ox_wino4_bt[0]); }
void uk_winoc2_in_f32_scalar(const ox_winoc_in *t) { winoc_in(t, 2, ox_wino2_bt[0]); }

static float act(const ox_conv_act *a, float v)
{
    if (v < 0 && a->slope != 1)
        v *= a->slope;
    v = v < a->lo ? a->lo : v;
    return v > a->hi ? a->hi : v;
}

void uk_wino4_out_f32_scalar(const ox_wino_out *t)
{
    float m[36], y[16];
    for (size_t tile = 0; tile < t->n_tiles; tile++) {
        for (size_t p = 0; p < 36; p++)
            m[p] = t->m[p * t->stride + tile];
        sandwich(ox_wino4_at[0], 4, 6, m, y);
        for (size_t i = 0; i < t->n_rows; i++)
            for (size_t j = 0; j < 4 && tile * 4 + j < t->n_cols; j++) {
                size_t to = i * t->ldy + tile * 4 + j;
                float add = t->d ? t->bias + t->d[to] : t->bias;
                t->y[to] = act(&t->act, y[i * 4 + j] + add);
            }
    }
}

static void winoc_out(const ox_winoc_out *t, size_t step, const double *at)
{
    size_t r = step + 2;
    float m[36], y[16];
    for (size_t of = 0; of < t->n_ch * t->n_tiles; of++) {
        size_t c = of / t->n_tiles, tile = of % t->n_tiles;
        float bias = t->bias ? t->bias[c] : 0;
        for (size_t p = 0; p < r * r; p++)
            m[p] = t->m[tile * t->tile + p * t->stride + c];
        sandwich(at, step, r, m, y);
        for (size_t i = 0; i < t->n_rows; i++)
            for (size_t j = 0; j < step && tile * step + j < t->n_cols; j++) {
                size_t to = c * t->plane + i * t->ldy + tile * step + j;
                float add = t->d ? bias + t->d[to] : bias;
                t->y[to] = act(&t->act, y[i * step + j] + add);
            }
    }
}
void uk_winoc4_out_f32_scalar(const ox_winoc_out *t) { winoc_out(t, 4, ox_wino4_at[0]); }
void uk_winoc2_out_f32_scalar(const ox_winoc_out *t) { winoc_out(t, 2, ox_wino2_at[0]); }

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

void uk_spread_f32_scalar(const ox_spread *t)
{
    for (size_t j = 0; j < t->n; j++)
        for (size_t l = 0; l < OX_WINO_LANES; l++)
            t->y[(size_t)t->to[j] + l] = l < t->n_ch ? t->x[l * t->plane + j] : 0;
}

void uk_lanes_f32_scalar(const ox_lanes *t)
{
    for (size_t i = 0; i < t->n_cols * OX_WINO_LANES; i++) {
        size_t l = i % OX_WINO_LANES;
        const float *x = t->x + i / OX_WINO_LANES * t->step * OX_WINO_LANES + l;
        float sum = 0;
        for (size_t tap = 0; tap < t->n_taps; tap++)
            sum += t->w[tap * OX_WINO_LANES + l] * x[t->off[tap]];
        t->y[i] = sum;
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
