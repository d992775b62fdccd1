/* conv's rows and its algorithms.  Oracles: the definitions, in double. */
#include "kernels/conv/conv.h"
#include "kernels/conv/winograd.h"
#include "tests/kerncheck/kerncheck.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static const double u32 = FLT_EPSILON / 2;

static double activated(double v, const ox_conv_act *a)
{
    if (v < 0 && a->slope != 1)
        v *= (double)a->slope;
    v = v < (double)a->lo ? (double)a->lo : v;
    return v > (double)a->hi ? (double)a->hi : v;
}

static double at(const void *x, size_t i, bool f64)
{
    return f64 ? ((const double *)x)[i] : (double)((const float *)x)[i];
}

static ox_conv_act some_act(kc *k)
{
    ox_conv_act a = { .slope = 1, .lo = -INFINITY, .hi = INFINITY };
    switch (kc_below(k, 3)) {
    case 0:
        a.lo = 0, a.hi = 6;
        break;
    case 1:
        a.slope = 0.25F;
        break;
    default:
        break;
    }
    return a;
}

/* ---- micro-kernels ---- */

/* y = L x R^T and the same with magnitudes; L is rows x r, x r x r (stride s apart), R cols x r */
static void sandwich(const double *l, size_t rows, const double *x, size_t r, double *y,
                     double *mag)
{
    double half[36], half_mag[36];
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < r; j++) {
            half[i * r + j] = half_mag[i * r + j] = 0;
            for (size_t q = 0; q < r; q++) {
                half[i * r + j] += l[i * r + q] * x[q * r + j];
                half_mag[i * r + j] += fabs(l[i * r + q] * x[q * r + j]);
            }
        }
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < rows; j++) {
            y[i * rows + j] = mag[i * rows + j] = 0;
            for (size_t q = 0; q < r; q++) {
                y[i * rows + j] += half[i * r + q] * l[j * r + q];
                mag[i * rows + j] += half_mag[i * r + q] * fabs(l[j * r + q]);
            }
        }
}

static void check_wino_in(kc *k, const ox_uk_conv *row, size_t n_tiles)
{
    size_t step = 4, r = step + 2, need = n_tiles * step + 2;
    kc_values values = (kc_values)kc_below(k, KC_N_VALUES);
    ox_wino_in t = { .n_tiles = n_tiles,
                     .lead = kc_below(k, 2) ? kc_below(k, OX_MIN(need + 1, 4)) : 0 };
    float *x[6];

    t.n_cols = need - t.lead;
    if (kc_below(k, 2))
        t.n_cols = kc_below(k, t.n_cols + 1);
    for (size_t i = 0; i < r; i++) {
        x[i] = kc_alloc(k, t.n_cols * 4, 4, kc_below(k, 2));
        kc_fill_f32(k, x[i], t.n_cols, values);
        t.row[i] = kc_below(k, 8) ? x[i] : NULL;
    }
    t.stride = n_tiles + kc_below(k, 5);
    size_t n_v = (r * r - 1) * t.stride + n_tiles;
    t.line = kc_alloc(k, r * OX_WINO_LINE(n_tiles) * 4, 4, kc_below(k, 2));
    t.v = kc_alloc(k, n_v * 4, 4, kc_below(k, 2));
    memset(t.v, 0, n_v * 4);
    row->fn.wino_in(&t);
    for (size_t tile = 0; tile < n_tiles; tile++) {
        double d[36], y[36], mag[36];
        for (size_t i = 0; i < r; i++)
            for (size_t j = 0; j < r; j++) {
                size_t c = tile * step + j;
                bool in = t.row[i] && c >= t.lead && c - t.lead < t.n_cols;
                d[i * r + j] = in ? (double)x[i][c - t.lead] : 0;
            }
        sandwich(ox_wino4_bt[0], r, d, r, y, mag);
        for (size_t p = 0; p < r * r; p++) /* at most 5 roundings each way */
            if (values != KC_SPECIAL) /* zeros in B meet infinities: the order of terms decides */
                kc_compare(k, (double)t.v[p * t.stride + tile], y[p],
                           10 * (u32 * mag[p] + 0x1p-149), mag[p] * 16, false);
    }
    for (size_t p = 0; p + 1 < r * r; p++)
        for (size_t i = n_tiles; i < t.stride; i++)
            if (t.v[p * t.stride + i] != 0)
                kc_fail(k, "wrote past tile %zu", n_tiles);
    kc_release(k);
}

static void check_wino_out(kc *k, const ox_uk_conv *row, size_t n_tiles)
{
    size_t step = 4, r = step + 2;
    kc_values values = (kc_values)kc_below(k, KC_HUGE);
    ox_wino_out t = { .n_tiles = n_tiles,
                      .n_rows = 1 + kc_below(k, step),
                      .bias = (float)kc_unit(k) };
    t.n_cols = (n_tiles - 1) * step + 1 + kc_below(k, step);
    t.stride = n_tiles + kc_below(k, 5);
    t.ldy = t.n_cols + kc_below(k, 5);
    t.act = some_act(k);
    size_t n_m = (r * r - 1) * t.stride + n_tiles, n_y = (t.n_rows - 1) * t.ldy + t.n_cols;
    float *m = kc_alloc(k, n_m * 4, 4, kc_below(k, 2)),
          *y = kc_alloc(k, n_y * 4, 4, kc_below(k, 2));
    float *d = kc_alloc(k, n_y * 4, 4, kc_below(k, 2)), *was = kc_alloc(k, n_y * 4, 4, false);
    kc_fill_f32(k, m, n_m, values);
    kc_fill_f32(k, y, n_y, KC_NORMAL);
    kc_fill_f32(k, d, n_y, KC_NORMAL);
    memcpy(was, y, n_y * 4);
    t.m = m, t.y = y;
    switch (kc_below(k, 3)) {
    case 0:
        t.d = d;
        break;
    case 1:
        t.d = y, d = was;
        break;
    default:
        d = NULL;
    }
    row->fn.wino_out(&t);
    for (size_t tile = 0; tile < n_tiles; tile++) {
        double in[36], e[16], mag[16];
        for (size_t p = 0; p < r * r; p++)
            in[p] = (double)m[p * t.stride + tile];
        sandwich(ox_wino4_at[0], step, in, r, e, mag);
        for (size_t i = 0; i < t.n_rows; i++)
            for (size_t j = 0; j < step && tile * step + j < t.n_cols; j++) {
                size_t at = i * t.ldy + tile * step + j, q = i * step + j;
                double add = (double)t.bias + (d ? (double)d[at] : 0), all = mag[q] + fabs(add) + 2;
                kc_compare(k, (double)y[at], activated(e[q] + add, &t.act),
                           14 * (u32 * all + 0x1p-149), all, false);
            }
    }
    for (size_t i = 0; i + 1 < t.n_rows; i++)
        for (size_t j = t.n_cols; j < t.ldy; j++)
            if (y[i * t.ldy + j] != was[i * t.ldy + j])
                kc_fail(k, "wrote past row %zu", i);
    kc_release(k);
}

static void check_winoc_in(kc *k, const ox_uk_conv *row, size_t step, size_t n_tiles)
{
    size_t r = step + 2, need = n_tiles * step + 2, n_ch = 1 + kc_below(k, 40);
    size_t room = (n_ch + OX_WINO_LANES - 1) / OX_WINO_LANES * OX_WINO_LANES;
    kc_values values = (kc_values)kc_below(k, KC_N_VALUES);
    ox_winoc_in t = { .n_tiles = n_tiles,
                     .n_ch = n_ch,
                     .lead = kc_below(k, 2) ? kc_below(k, OX_MIN(need + 1, 4)) : 0 };
    float *x[6];

    t.n_cols = need - t.lead;
    if (kc_below(k, 2))
        t.n_cols = kc_below(k, t.n_cols + 1);
    t.plane = t.n_cols + kc_below(k, 5);
    for (size_t i = 0; i < r; i++) {
        size_t n = (n_ch - 1) * t.plane + t.n_cols;
        x[i] = kc_alloc(k, n * 4, 4, kc_below(k, 2));
        kc_fill_f32(k, x[i], n, values);
        t.row[i] = kc_below(k, 8) ? x[i] : NULL;
    }
    t.stride = room + kc_below(k, 5);
    t.tile = (r * r - 1) * t.stride + room + kc_below(k, 5);
    size_t n_v = (n_tiles - 1) * t.tile + (r * r - 1) * t.stride + room;
    t.line = kc_alloc(k, OX_WINOC_LINE(step, n_tiles) * 4, 4, kc_below(k, 2));
    t.v = kc_alloc(k, n_v * 4, 4, kc_below(k, 2));
    memset(t.v, 0, n_v * 4);
    row->fn.winoc_in(&t);
    for (size_t c = 0; c < n_ch; c++)
        for (size_t tile = 0; tile < n_tiles; tile++) {
            double d[36], y[36], mag[36];
            for (size_t i = 0; i < r; i++)
                for (size_t j = 0; j < r; j++) {
                    size_t at = tile * step + j;
                    bool in = t.row[i] && at >= t.lead && at - t.lead < t.n_cols;
                    d[i * r + j] = in ? (double)x[i][c * t.plane + at - t.lead] : 0;
                }
            sandwich(step == 4 ? ox_wino4_bt[0] : ox_wino2_bt[0], r, d, r, y, mag);
            for (size_t p = 0; p < r * r; p++) /* at most 5 roundings each way */
                if (values != KC_SPECIAL) /* zeros in B meet infinities: the order of terms decides */
                    kc_compare(k, (double)t.v[tile * t.tile + p * t.stride + c], y[p],
                               10 * (u32 * mag[p] + 0x1p-149), mag[p] * 16, false);
        }
    for (size_t tile = 0; tile < n_tiles; tile++)
        for (size_t p = 0; p + 1 < r * r; p++)
            for (size_t i = room; i < t.stride; i++)
                if (t.v[tile * t.tile + p * t.stride + i] != 0)
                    kc_fail(k, "wrote past channel %zu", n_ch);
    kc_release(k);
}

/* The outputs of one tile of channel c; d: what was added, or NULL. */
static void check_winoc_tile(kc *k, const ox_winoc_out *t, size_t step, size_t c, size_t tile, const float *d)
{
    size_t r = step + 2;
    double in[36], e[16], mag[16], bias = t->bias ? (double)t->bias[c] : 0;
    for (size_t p = 0; p < r * r; p++)
        in[p] = (double)t->m[tile * t->tile + p * t->stride + c];
    sandwich(step == 4 ? ox_wino4_at[0] : ox_wino2_at[0], step, in, r, e, mag);
    for (size_t i = 0; i < t->n_rows; i++)
        for (size_t j = 0; j < step && tile * step + j < t->n_cols; j++) {
            size_t at = c * t->plane + i * t->ldy + tile * step + j, q = i * step + j;
            double add = bias + (d ? (double)d[at] : 0), all = mag[q] + fabs(add) + 2;
            kc_compare(k, (double)t->y[at], activated(e[q] + add, &t->act), 14 * (u32 * all + 0x1p-149), all,
                       false);
        }
}

static void check_winoc_out(kc *k, const ox_uk_conv *row, size_t step, size_t n_tiles)
{
    size_t r = step + 2, n_ch = 1 + kc_below(k, 40);
    size_t room = (n_ch + OX_WINO_LANES - 1) / OX_WINO_LANES * OX_WINO_LANES;
    kc_values values = (kc_values)kc_below(k, KC_HUGE);
    ox_winoc_out t = { .n_tiles = n_tiles, .n_rows = 1 + kc_below(k, step), .n_ch = n_ch, .act = some_act(k) };
    t.n_cols = (n_tiles - 1) * step + 1 + kc_below(k, step);
    t.stride = room + kc_below(k, 5);
    t.tile = (r * r - 1) * t.stride + room + kc_below(k, 5);
    t.ldy = t.n_cols + kc_below(k, 5);
    t.plane = t.n_rows * t.ldy + kc_below(k, 5);
    size_t n_m = (n_tiles - 1) * t.tile + (r * r - 1) * t.stride + room;
    size_t n_y = (n_ch - 1) * t.plane + (t.n_rows - 1) * t.ldy + t.n_cols;
    float *m = kc_alloc(k, n_m * 4, 4, kc_below(k, 2)),
          *y = kc_alloc(k, n_y * 4, 4, kc_below(k, 2));
    float *d = kc_alloc(k, n_y * 4, 4, kc_below(k, 2)), *was = kc_alloc(k, n_y * 4, 4, false);
    float *bias = kc_alloc(k, n_ch * 4, 4, kc_below(k, 2));
    kc_fill_f32(k, m, n_m, values);
    kc_fill_f32(k, y, n_y, KC_NORMAL);
    kc_fill_f32(k, d, n_y, KC_NORMAL);
    kc_fill_f32(k, bias, n_ch, KC_NORMAL);
    memcpy(was, y, n_y * 4);
    t.m = m, t.y = y;
    t.line = kc_alloc(k, OX_WINOC_LINE(step, n_tiles) * 4, 4, kc_below(k, 2));
    t.bias = kc_below(k, 4) ? bias : NULL;
    switch (kc_below(k, 3)) {
    case 0:
        t.d = d;
        break;
    case 1:
        t.d = y, d = was;
        break;
    default:
        d = NULL;
    }
    row->fn.winoc_out(&t);
    for (size_t c = 0; c < n_ch; c++) {
        for (size_t tile = 0; tile < n_tiles; tile++)
            check_winoc_tile(k, &t, step, c, tile, d);
        for (size_t i = 0; i + 1 < t.n_rows; i++)
            for (size_t j = t.n_cols; j < t.ldy; j++)
                if (y[c * t.plane + i * t.ldy + j] != was[c * t.plane + i * t.ldy + j])
                    kc_fail(k, "wrote past row %zu", i);
    }
    kc_release(k);
}

static void check_patch(kc *k, const ox_uk_conv *row, size_t n)
{
    bool f64 = row->kind == OX_UK_PATCH_F64;
    size_t e = f64 ? 8 : 4, channels = 1 + kc_below(k, 4), taps = 1 + kc_below(k, 9), n_seg = 0;
    size_t step = 1 + kc_below(k, 3), all = channels * taps, plane = step * (n + 8);
    ox_patch t = { .plane = plane, .step = step, .n_taps = taps, .ld = n < 32 && kc_below(k, 2) ? 32 : n + kc_below(k, 5) };
    t.k0 = kc_below(k, all), t.k = 1 + kc_below(k, all - t.k0);
    int32_t *first = kc_alloc(k, (taps + 1) * 4, 4, false);
    ox_segment *seg = kc_alloc(k, taps * n * sizeof *seg, 4, false);
    for (size_t q = 0; q < taps; q++) { /* disjoint segments, in order, gaps between them */
        first[q] = (int32_t)n_seg;
        for (size_t at = kc_below(k, 3); at < n; n_seg++) {
            size_t len = 1 + kc_below(k, n - at);
            size_t from = kc_below(k, plane - (len - 1) * step);
            seg[n_seg] = (ox_segment){ (int32_t)from, (int32_t)at, (int32_t)len };
            at += len + kc_below(k, 4);
        }
    }
    first[taps] = (int32_t)n_seg;
    void *x = kc_alloc(k, channels * plane * e, e, kc_below(k, 2));
    void *dst = kc_alloc(k, t.k * t.ld * e, e, kc_below(k, 2));
    kc_fill(k, x, channels * plane, f64, KC_NORMAL);
    t.x = x, t.seg = seg, t.first = first, t.dst = dst;
    row->fn.patch(&t);
    for (size_t p = 0; p < t.k; p++)
        for (size_t j = 0; j < t.ld; j++) {
            size_t tap = (t.k0 + p) % taps, to = p * t.ld + j;
            double right = 0;
            for (int32_t s = first[tap]; s < first[tap + 1]; s++)
                if (j >= (size_t)seg[s].to && j < (size_t)(seg[s].to + seg[s].n))
                    right = at(x, (t.k0 + p) / taps * plane + (size_t)seg[s].from + (j - (size_t)seg[s].to) * step, f64);
            if (at(dst, to, f64) != right)
                kc_fail(k, "row %zu column %zu of %zu", p, j, n);
        }
    kc_release(k);
}

static void check_turn(kc *k, const ox_uk_conv *row, size_t n)
{
    size_t m = 1 + kc_below(k, 40);
    ox_turn t = { .m = m, .n = n, .ldc = m + kc_below(k, 3), .ldy = n + kc_below(k, 3), .act = some_act(k) };
    size_t n_c = (n - 1) * t.ldc + m, n_y = (m - 1) * t.ldy + n;
    float *c = kc_alloc(k, n_c * 4, 4, kc_below(k, 2)), *y = kc_alloc(k, n_y * 4, 4, kc_below(k, 2));
    float *d = kc_alloc(k, n_y * 4, 4, kc_below(k, 2)), *bias = kc_alloc(k, m * 4, 4, kc_below(k, 2));
    kc_fill_f32(k, c, n_c, KC_SPECIAL);
    kc_fill_f32(k, d, n_y, KC_NORMAL);
    kc_fill_f32(k, bias, m, KC_NORMAL);
    memset(y, 0, n_y * 4);
    t.c = c, t.y = y;
    t.d = kc_below(k, 2) ? d : NULL;
    t.bias = kc_below(k, 2) ? bias : NULL;
    row->fn.turn(&t);
    for (size_t o = 0; o < m; o++) {
        for (size_t j = 0; j < n; j++) {
            double b = t.bias ? (double)bias[o] : 0, add = t.d ? (double)d[o * t.ldy + j] : 0;
            double sum = (double)c[j * t.ldc + o] + b + add;
            kc_compare(k, (double)y[o * t.ldy + j], activated(sum, &t.act), 4 * u32 * 4, 4, false);
        }
        for (size_t j = n; j < t.ldy && o + 1 < m; j++)
            if (y[o * t.ldy + j] != 0)
                kc_fail(k, "wrote past row %zu", o);
    }
    kc_release(k);
}

static void check_depthwise(kc *k, const ox_uk_conv *row, size_t n_rows, size_t n_cols)
{
    size_t taps = kc_below(k, 26), ld = (n_cols + 15) / 16 * 16 + 8, most = 3 * ld + 8;
    kc_values values = (kc_values)kc_below(k, KC_N_VALUES);
    ox_depthwise t = {
        .n_taps = taps, .n_rows = n_rows, .n_cols = n_cols, .bias = (float)kc_unit(k)
    };
    t.step = ld * (1 + kc_below(k, 2));
    t.ldy = n_cols + kc_below(k, 5);
    t.act = some_act(k);
    size_t n_x = (n_rows - 1) * t.step + most + ld, n_y = (n_rows - 1) * t.ldy + n_cols;
    float *x = kc_alloc(k, n_x * 4, 4, kc_below(k, 2)),
          *w = kc_alloc(k, taps * 4, 4, kc_below(k, 2));
    float *y = kc_alloc(k, n_y * 4, 4, kc_below(k, 2)),
          *d = kc_alloc(k, n_y * 4, 4, kc_below(k, 2));
    int32_t *off = kc_alloc(k, taps * 4, 4, false);
    kc_fill_f32(k, x, n_x, values);
    kc_fill_f32(k, w, taps, values == KC_SPECIAL ? KC_NORMAL : values);
    kc_fill_f32(k, d, n_y, KC_NORMAL);
    memset(y, 0, n_y * 4);
    for (size_t i = 0; i < taps; i++)
        off[i] = (int32_t)kc_below(k, most);
    t.x = x, t.w = w, t.y = y, t.off = off;
    t.d = kc_below(k, 2) ? d : NULL;
    row->fn.depthwise(&t);
    for (size_t r = 0; r < n_rows; r++) {
        for (size_t j = 0; j < n_cols; j++) {
            double sum = (double)t.bias + (t.d ? (double)d[r * t.ldy + j] : 0), mag = fabs(sum) + 2;
            for (size_t i = 0; i < taps; i++) {
                double term = (double)w[i] * (double)x[r * t.step + (size_t)off[i] + j];
                sum += term, mag += fabs(term);
            }
            kc_compare(k, (double)y[r * t.ldy + j], activated(sum, &t.act),
                       (double)(taps + 4) * (u32 * mag + 0x1p-149), mag, false);
        }
        for (size_t j = n_cols; j < t.ldy && r + 1 < n_rows; j++)
            if (y[r * t.ldy + j] != 0)
                kc_fail(k, "wrote past row %zu", r);
    }
    kc_release(k);
}

static void check_spread(kc *k, const ox_uk_conv *row, size_t n)
{
    enum { L = OX_WINO_LANES };
    ox_spread t = { .plane = n + kc_below(k, 5), .n_ch = 1 + kc_below(k, L), .n = n };
    size_t n_x = (t.n_ch - 1) * t.plane + n, n_y = (n + 3) * L, first = kc_below(k, 3);
    float *x = kc_alloc(k, n_x * 4, 4, kc_below(k, 2)), *y = kc_alloc(k, n_y * 4, 4, kc_below(k, 2));
    int32_t *to = kc_alloc(k, n * 4, 4, false);
    kc_fill_f32(k, x, n_x, KC_NORMAL);
    memset(y, 0, n_y * 4);
    for (size_t j = 0; j < n; j++) /* backwards, with a gap */
        to[j] = (int32_t)((first + n - 1 - j) * L);
    t.x = x, t.y = y, t.to = to;
    row->fn.spread(&t);
    for (size_t i = 0; i < n_y; i++) {
        size_t q = i / L - first, l = i % L;
        float right = i / L >= first && q < n && l < t.n_ch ? x[l * t.plane + n - 1 - q] : 0;
        if (y[i] != right)
            kc_fail(k, "pixel %zu lane %zu of %zu", i / L, l, n);
    }
    kc_release(k);
}

static void check_lanes(kc *k, const ox_uk_conv *row, size_t n_cols)
{
    enum { L = OX_WINO_LANES };
    size_t taps = kc_below(k, 26), most = 60, n_y = n_cols * L;
    kc_values values = (kc_values)kc_below(k, KC_N_VALUES);
    ox_lanes t = { .n_taps = taps, .n_cols = n_cols, .step = 1 + kc_below(k, 2) };
    size_t n_x = ((n_cols - 1) * t.step + most) * L;
    float *x = kc_alloc(k, n_x * 4, 4, kc_below(k, 2)), *w = kc_alloc(k, taps * L * 4, 4, kc_below(k, 2));
    float *y = kc_alloc(k, n_y * 4, 4, kc_below(k, 2));
    int32_t *off = kc_alloc(k, taps * 4, 4, false);
    kc_fill_f32(k, x, n_x, values);
    kc_fill_f32(k, w, taps * L, values == KC_SPECIAL ? KC_NORMAL : values);
    for (size_t i = 0; i < taps; i++)
        off[i] = (int32_t)(kc_below(k, most) * L);
    t.x = x, t.w = w, t.y = y, t.off = off;
    row->fn.lanes(&t);
    for (size_t j = 0; j < n_y; j++) {
        double sum = 0, mag = 0;
        for (size_t i = 0; i < taps; i++) {
            double term = (double)w[i * L + j % L] * (double)x[(size_t)off[i] + j / L * t.step * L + j % L];
            sum += term, mag += fabs(term);
        }
        kc_compare(k, (double)y[j], sum, (double)(taps + 1) * (u32 * mag + 0x1p-149), mag, false);
    }
    kc_release(k);
}

/* One output of a channel: its sum, and what its error is proportional to. */
static double plane_sum(const ox_plane *t, size_t r, size_t j, double *mag)
{
    size_t at = r * t->n_cols + j;
    double sum = (double)t->bias + (t->d ? (double)t->d[at] : 0);
    *mag = fabs(sum) + 2;
    for (size_t i = 0; i < t->kh * t->kw; i++) {
        size_t y = r * t->step + i / t->kw, x = j * t->step + i % t->kw * t->dil;
        if (y < t->top || y - t->top >= t->height || x < t->left || x - t->left >= t->width)
            continue;
        double term = (double)t->w[i] * (double)t->x[(y - t->top) * t->width + (x - t->left)];
        sum += term, *mag += fabs(term);
    }
    return sum;
}

static void check_plane(kc *k, const ox_uk_conv *row, size_t n_cols)
{
    kc_values values = (kc_values)kc_below(k, KC_N_VALUES);
    ox_plane t = { .n_cols = n_cols, .step = 1 + kc_below(k, 2), .dil = 1, .kw = 1 + kc_below(k, 7),
                   .kh = 1 + 2 * kc_below(k, 3), .bias = (float)kc_unit(k), .act = some_act(k) };
    size_t n_rows = 1 + kc_below(k, 9), spare = kc_below(k, 4);
    if (t.step == 1)
        t.dil += kc_below(k, 3);
    t.top = kc_below(k, t.kh + 2), t.left = kc_below(k, (t.kw - 1) * t.dil + 3);
    size_t whole_w = (n_cols - 1) * t.step + (t.kw - 1) * t.dil + 1, whole_h = (n_rows - 1) * t.step + t.kh;
    t.width = whole_w > t.left + spare ? whole_w - t.left - spare : 1;
    t.height = whole_h > t.top + spare ? whole_h - t.top - spare : 1;
    t.y0 = kc_below(k, n_rows), t.y1 = t.y0 + 1 + kc_below(k, n_rows - t.y0);
    size_t n_x = t.width * t.height, n_w = t.kh * t.kw, n_y = n_rows * n_cols;
    float *x = kc_alloc(k, n_x * 4, 4, kc_below(k, 2)), *w = kc_alloc(k, n_w * 4, 4, kc_below(k, 2));
    float *y = kc_alloc(k, n_y * 4, 4, kc_below(k, 2)), *d = kc_alloc(k, n_y * 4, 4, kc_below(k, 2));
    kc_fill_f32(k, x, n_x, values);
    kc_fill_f32(k, w, n_w, values == KC_SPECIAL ? KC_NORMAL : values);
    kc_fill_f32(k, d, n_y, KC_NORMAL);
    memset(y, 0, n_y * 4);
    t.x = x, t.w = w, t.y = y, t.d = kc_below(k, 2) ? d : NULL;
    row->fn.plane(&t);
    for (size_t r = 0; r < n_rows; r++)
        for (size_t j = 0; j < n_cols; j++) {
            double mag, sum = plane_sum(&t, r, j, &mag);
            if (r >= t.y0 && r < t.y1)
                kc_compare(k, (double)y[r * n_cols + j], activated(sum, &t.act),
                           (double)(n_w + 4) * (u32 * mag + 0x1p-149), mag, false);
            else if (y[r * n_cols + j] != 0)
                kc_fail(k, "wrote row %zu", r);
        }
    kc_release(k);
}

static void check_smooth(kc *k, const ox_uk_conv *row, size_t n)
{
    static const float special[] = { 0, -0.0f, INFINITY, -INFINITY, NAN, 88, -88, 104, -104, 3, -3, FLT_MAX, -FLT_MAX };
    bool hard = row->kind == OX_UK_HARD_SWISH;
    float *x = kc_alloc(k, n * 4, 4, kc_below(k, 2)), *y = kc_alloc(k, n * 4, 4, kc_below(k, 2));
    kc_fill_f32(k, x, n, KC_NORMAL);
    for (size_t i = 0; i < n; i++) {
        x[i] *= (float)(1 + kc_below(k, 100));
        if (kc_below(k, 8) == 0)
            x[i] = special[kc_below(k, OX_COUNT(special))];
    }
    row->fn.smooth(n, x, y, NULL);
    for (size_t i = 0; i < n; i++) {
        double v = (double)x[i], right = hard ? v * fmin(fmax(v + 3, 0), 6) / 6 : v / (1 + exp(-v));
        if (x[i] < (float)-88 && !hard && isfinite(x[i]))
            right = 0;
        kc_compare(k, (double)y[i], right, 8 * 2 * u32 * fabs(right) + 6e-37, fabs(right), false);
    }
    kc_release(k);
}

static void check_row(kc *k, const ox_uk_conv *row)
{
    static const size_t sizes[] = { 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 47, 53 };
    for (size_t round = 0; round < 6; round++)
        for (size_t i = 0; i < OX_COUNT(sizes) && !kc_failed(k); i++) {
            size_t n = sizes[i];
            switch (row->kind) {
            case OX_UK_WINO4_IN:
                check_wino_in(k, row, n);
                break;
            case OX_UK_WINO4_OUT:
                check_wino_out(k, row, n);
                break;
            case OX_UK_WINOC4_IN:
                check_winoc_in(k, row, 4, n);
                break;
            case OX_UK_WINOC4_OUT:
                check_winoc_out(k, row, 4, n);
                break;
            case OX_UK_WINOC2_IN:
                check_winoc_in(k, row, 2, n);
                break;
            case OX_UK_WINOC2_OUT:
                check_winoc_out(k, row, 2, n);
                break;
            case OX_UK_PATCH_F32:
            case OX_UK_PATCH_F64:
                check_patch(k, row, n);
                break;
            case OX_UK_TURN:
                check_turn(k, row, n);
                break;
            case OX_UK_DEPTHWISE:
                check_depthwise(k, row, 1 + kc_below(k, 9), n);
                break;
            case OX_UK_SWISH:
            case OX_UK_HARD_SWISH:
                check_smooth(k, row, n);
                break;
            case OX_UK_SPREAD:
                check_spread(k, row, n);
                break;
            case OX_UK_LANES:
                check_lanes(k, row, n);
                break;
            case OX_UK_PLANE:
                check_plane(k, row, n);
                break;
            }
            if (kc_failed(k))
                kc_fail(k, "-");
        }
}

/* ---- the algorithms ---- */

/* The definition: sums[0] the value, sums[1] the sum of magnitudes, of one output. */
static void define(const ox_conv_plan *p, const void *x, const void *w, size_t n, size_t o,
                   const size_t pos[3], long double sums[2])
{
    size_t cg = p->c / p->group, g = o / (p->m / p->group);
    sums[0] = sums[1] = 0;
    for (size_t c = 0; c < cg; c++)
        for (size_t a = 0; a < p->k[0]; a++)
            for (size_t b = 0; b < p->k[1]; b++)
                for (size_t e = 0; e < p->k[2]; e++) {
                    size_t tap[3] = { a, b, e }, ix = n * p->c + g * cg + c, iw = o * cg + c;
                    bool inside = true;
                    for (int d = 0; d < 3; d++) {
                        size_t i = pos[d] * p->stride[d] + tap[d] * p->dil[d];
                        inside = inside && i >= p->pad[d] && i - p->pad[d] < p->in[d];
                        ix = ix * p->in[d] + (i - p->pad[d]);
                        iw = iw * p->k[d] + tap[d];
                    }
                    if (!inside)
                        continue;
                    long double term = (long double)at(x, ix, p->f64) * at(w, iw, p->f64);
                    sums[0] += term;
                    sums[1] += fabsl(term);
                }
}

typedef struct problem {
    ox_conv_plan plan;
    ox_conv_args args;
    void *x, *w, *y, *bias, *residual, *packed, *scratch;
    size_t n_y;
} problem;

static void random_shape(kc *k, ox_conv_plan *p, bool wino, bool dilated)
{
    int dims = wino ? 2 : 1 + (int)kc_below(k, 3);
    do {
        *p = (ox_conv_plan){ .n = 1 + kc_below(k, 2),
                             .group = kc_below(k, 3) ? 1 : 1 + kc_below(k, 4),
                             .f64 = p->f64 };
        p->c = p->group * (1 + kc_below(k, kc_below(k, 4) ? 6 : 40));
        p->m = p->group * (1 + kc_below(k, kc_below(k, 4) ? 20 : 70));
        if (kc_below(k, 5) == 0)
            p->group = p->c, p->m = p->c * (1 + kc_below(k, 2)); /* depthwise */
        bool usual = p->group == p->c && kc_below(k, 2);
        size_t usual_k = 1 + 2 * kc_below(k, 4), usual_step = 1 + kc_below(k, 2);
        for (int d = 0; d < 3; d++) {
            p->in[d] = p->k[d] = p->stride[d] = p->dil[d] = 1;
            if (d < 3 - dims)
                continue;
            p->in[d] = 1 + kc_below(k, dims == 3 ? 9 : kc_below(k, 4) ? 20 : 75);
            p->k[d] = wino ? 3 : 1 + kc_below(k, 5);
            p->stride[d] = wino ? 1 : 1 + kc_below(k, 3);
            p->dil[d] = dilated ? 1 + kc_below(k, 4) : wino ? 1 : 1 + kc_below(k, 2);
            if (usual && !wino)
                p->k[d] = usual_k, p->stride[d] = usual_step, p->dil[d] = 1;
            p->pad[d] = kc_below(k, p->k[d] + 2) * (dilated ? p->dil[d] : 1);
        }
        for (int d = 0; d < 3; d++) {
            size_t whole = p->in[d] + p->pad[d] + kc_below(k, p->k[d]),
                   reach = (p->k[d] - 1) * p->dil[d] + 1;
            p->out[d] = whole < reach ? 0 : (whole - reach) / p->stride[d] + 1;
        }
    } while (p->out[0] * p->out[1] * p->out[2] == 0);
}

static void halve(size_t n, const void *x, void *y, const void *params)
{
    bool f64 = *(const bool *)params;
    for (size_t i = 0; i < n; i++)
        if (f64)
            ((double *)y)[i] = ((const double *)x)[i] / 2;
        else
            ((float *)y)[i] = ((const float *)x)[i] / 2;
}

static void make_problem(kc *k, problem *w)
{
    static const bool types[2] = { false, true };
    const ox_conv_plan *p = &w->plan;
    size_t e = p->f64 ? 8 : 4, volume = p->in[0] * p->in[1] * p->in[2];
    size_t n_w = p->m * (p->c / p->group) * p->k[0] * p->k[1] * p->k[2], n_x = p->n * p->c * volume;
    bool odd = kc_below(k, 2);
    w->n_y = p->n * p->m * p->out[0] * p->out[1] * p->out[2];
    w->x = kc_alloc(k, n_x * e, e, odd);
    w->w = kc_alloc(k, n_w * e, e, odd);
    w->y = kc_alloc(k, w->n_y * e, e, odd);
    w->bias = kc_alloc(k, p->m * e, e, odd);
    w->residual = kc_alloc(k, w->n_y * e, e, odd);
    w->packed = kc_alloc(k, ox_conv_pack_bytes(p), e, false);
    w->scratch = kc_alloc(k, ox_conv_scratch_bytes(p, 8), e, false);
    kc_fill(k, w->x, n_x, p->f64, KC_NORMAL);
    kc_fill(k, w->w, n_w, p->f64, KC_NORMAL);
    kc_fill(k, w->bias, p->m, p->f64, KC_NORMAL);
    kc_fill(k, w->residual, w->n_y, p->f64, KC_NORMAL);
    ox_conv_pack(p, w->w, w->packed, NULL);
    w->args = (ox_conv_args){ .x = w->x, .w = w->packed, .y = w->y };
    ox_epilogue *ep = &w->args.ep;
    ep->bias_row = kc_below(k, 4) ? w->bias : NULL;
    ep->residual = kc_below(k, 2) ? w->residual : NULL;
    ep->act = (ox_act)kc_below(k, 4);
    ep->lo = 0, ep->hi = 6, ep->slope = 0.25;
    ep->map = halve, ep->params = &types[p->f64];
}

/* What Winograd's error is proportional to, for one output: |A^T| [sum over channels of
 * (|G| |g| |G^T|) . (|B^T| |d| |B|)] |A|. */
static double wino_magnitude(const ox_conv_plan *p, const float *x, const float *w, size_t n,
                             size_t o, size_t oy, size_t ox)
{
    size_t step = p->step, r = step + 2, cg = p->c / p->group, g = o / (p->m / p->group);
    size_t dy = p->dil[1], dx = p->dil[2]; /* tiles are of one phase */
    double sum[36] = { 0 }, unused[36], y[16], mag[16];
    for (size_t c = 0; c < cg; c++) {
        double d[36], k3[36] = { 0 }, v[36], u[36];
        const float *plane = x + (n * p->c + g * cg + c) * p->in[1] * p->in[2];
        for (size_t i = 0; i < r; i++)
            for (size_t j = 0; j < r; j++) {
                size_t iy = (oy / dy / step * step + i) * dy + oy % dy, ix = (ox / dx / step * step + j) * dx + ox % dx;
                bool in = iy >= p->pad[1] && ix >= p->pad[2] && iy - p->pad[1] < p->in[1] &&
                          ix - p->pad[2] < p->in[2];
                d[i * r + j] = in ? (double)plane[(iy - p->pad[1]) * p->in[2] + ix - p->pad[2]] : 0;
            }
        for (size_t i = 0; i < 9; i++)
            k3[i] = (double)w[(o * cg + c) * 9 + i];
        sandwich(step == 4 ? ox_wino4_bt[0] : ox_wino2_bt[0], r, d, r, unused, v);
        sandwich(step == 4 ? ox_wino4_g[0] : ox_wino2_g[0], r, k3, 3, unused, u);
        for (size_t i = 0; i < r * r; i++)
            sum[i] += u[i] * v[i];
    }
    sandwich(step == 4 ? ox_wino4_at[0] : ox_wino2_at[0], step, sum, r, y, mag);
    return mag[oy / dy % step * step + ox / dx % step];
}

static void judge(kc *k, const problem *w, bool wino)
{
    const ox_conv_plan *p = &w->plan;
    const ox_epilogue *ep = &w->args.ep;
    size_t i = 0, depth = p->c / p->group * p->k[0] * p->k[1] * p->k[2];
    double u = p->f64 ? DBL_EPSILON / 2 : u32;
    ox_conv_act act = { .slope = 1, .lo = -INFINITY, .hi = INFINITY };
    if (ep->act == OX_ACT_CLAMP)
        act.lo = (float)ep->lo, act.hi = (float)ep->hi;
    if (ep->act == OX_ACT_LEAKY)
        act.slope = (float)ep->slope;
    for (size_t n = 0; n < p->n; n++)
        for (size_t o = 0; o < p->m; o++)
            for (size_t a = 0; a < p->out[0]; a++)
                for (size_t b = 0; b < p->out[1]; b++)
                    for (size_t c = 0; c < p->out[2]; c++, i++) {
                        long double sums[2];
                        define(p, w->x, w->w, n, o, (size_t[]){ a, b, c }, sums);
                        double bias = ep->bias_row ? at(w->bias, o, p->f64) : 0;
                        double add = ep->residual ? at(w->residual, i, p->f64) : 0;
                        double mag = (double)sums[1];
                        if (wino)
                            mag = wino_magnitude(p, w->x, w->w, n, o, b, c);
                        mag += fabs(bias) + fabs(add);
                        double right = activated((double)(sums[0] + bias + add), &act);
                        right = ep->act == OX_ACT_MAP ? right / 2 : right;
                        size_t roundings = wino ? p->c / p->group + 20 : OX_MIN(depth, 330) + 4;
                        kc_compare(k, at(w->y, i, p->f64), right, (double)roundings * u * mag, mag,
                                   p->f64);
                    }
}

static void run_with(void *ctx, ox_pool *pool)
{
    const problem *w = ctx;
    ox_conv_run(&w->plan, &w->args, w->scratch, pool);
}

static void check_algo(kc *k, const ox_conv_algo *algo, uint32_t isa, bool f64)
{
    bool wino = strncmp(algo->name, "winograd", 8) == 0;
    int done = 0;
    for (int tries = 0; done < 6 * kc_thoroughness(k) && tries < 20000 && !kc_failed(k); tries++) {
        problem w = { .plan.f64 = f64 };
        random_shape(k, &w.plan, wino, strstr(algo->name, "dilated"));
        if (!ox_conv_use(&w.plan, algo, isa))
            continue;
        done++;
        make_problem(k, &w);
        size_t bytes = w.n_y * (f64 ? 8 : 4);
        if (w.args.ep.residual && kc_below(k, 2))
            w.args.ep.residual = w.y; /* in place */
        memcpy(w.y, w.residual, bytes);
        kc_same_bits(k, w.y, bytes, run_with, &w);
        judge(k, &w, wino);
        kc_release(k);
        if (kc_failed(k)) {
            const ox_conv_plan *p = &w.plan;
            kc_fail(k, "-");
            fprintf(stderr,
                    "n %zu c %zu m %zu g %zu in %zu %zu %zu k %zu %zu %zu s %zu %zu %zu d %zu %zu "
                    "%zu p %zu %zu %zu\n",
                    p->n, p->c, p->m, p->group, p->in[0], p->in[1], p->in[2], p->k[0], p->k[1],
                    p->k[2], p->stride[0], p->stride[1], p->stride[2], p->dil[0], p->dil[1],
                    p->dil[2], p->pad[0], p->pad[1], p->pad[2]);
        }
    }
    if (done == 0)
        kc_fail(k, "no shape fits");
}

/* ---- rows: micro-kernels, then algorithms by level and type ---- */

static const struct level {
    const char *name;
    uint32_t isa;
} levels[] = {
    { "scalar", OX_ISA_SCALAR },
#if OX_X86_64
    { "avx2", OX_ISA_AVX2 },
    { "avx512", OX_ISA_AVX2 | OX_ISA_AVX512 },
#elif OX_AARCH64
    { "neon", OX_ISA_NEON },
#endif
};
enum { N_LEVELS = sizeof levels / sizeof *levels, N_ALGOS = 13, MAX_ROWS = N_ALGOS * N_LEVELS * 2 };

/* One row for each algorithm at each level, and for each type it has. */
static struct algo_row {
    const ox_conv_algo *algo;
    uint32_t isa;
    bool f64;
    char name[48];
} algo_rows[MAX_ROWS];
static size_t n_algo_rows;

static void list_algos(void)
{
    for (size_t a = 0; n_algo_rows == 0 || ox_conv_algos[a]; a++)
        for (size_t l = 0; l < N_LEVELS; l++)
            for (int f64 = 0; f64 < 2; f64++) {
                ox_conv_plan p = { .n = 1,
                                   .c = 1,
                                   .m = 1,
                                   .group = 1,
                                   .in = { 1, 4, 4 },
                                   .out = { 1, 4, 4 },
                                   .k = { 1, 1, 1 },
                                   .stride = { 1, 1, 1 },
                                   .dil = { 1, 1, 1 },
                                   .f64 = f64 };
                struct algo_row *r = &algo_rows[n_algo_rows];
                *r = (struct algo_row){ ox_conv_algos[a], levels[l].isa, f64, "" };
                if (strncmp(r->algo->name, "winograd", 8) == 0)
                    p.k[1] = p.k[2] = 3, p.out[1] = p.out[2] = 2;
                if (strstr(r->algo->name, "dilated"))
                    p.dil[1] = p.dil[2] = p.pad[1] = p.pad[2] = 2, p.out[1] = p.out[2] = 4;
                snprintf(r->name, sizeof r->name, "ox_conv %s %s, %s", r->algo->name,
                         f64 ? "f64" : "f32", levels[l].name);
                n_algo_rows += ox_conv_use(&p, r->algo, r->isa);
            }
}

static size_t n_rows(void)
{
    if (n_algo_rows == 0)
        list_algos();
    return ox_uk_conv_n_rows + n_algo_rows;
}
static kc_row row(size_t i)
{
    if (i < ox_uk_conv_n_rows)
        return (kc_row){ ox_uk_conv_rows[i].name, ox_uk_conv_rows[i].isa };
    return (kc_row){ algo_rows[i - ox_uk_conv_n_rows].name, algo_rows[i - ox_uk_conv_n_rows].isa };
}
static void check(kc *k, size_t i)
{
    if (i < ox_uk_conv_n_rows) {
        check_row(k, &ox_uk_conv_rows[i]);
        return;
    }
    const struct algo_row *r = &algo_rows[i - ox_uk_conv_n_rows];
    check_algo(k, r->algo, r->isa, r->f64);
}

/* ---- bench ---- */

/* w on the data of `of`: candidates find equally warm caches. */
static void share_problem(kc *k, problem *w, const problem *of)
{
    *w = (problem){ .plan = w->plan, .args = of->args, .bias = of->bias };
    w->packed = kc_alloc(k, ox_conv_pack_bytes(&w->plan), 4, false);
    w->scratch = kc_alloc(k, ox_conv_scratch_bytes(&w->plan, 1), 4, false);
    ox_conv_pack(&w->plan, of->w, w->packed, NULL);
    w->args.w = w->packed;
}

static void run_problem(void *ctx)
{
    problem *w = ctx;
    ox_conv_run(&w->plan, &w->args, w->scratch, NULL);
}

static const struct shape {
    size_t c, m, group, in, k, stride, dil;
} shapes[] = {
    { 1, 64, 1, 224, 5, 1, 1 },     { 64, 64, 1, 224, 3, 1, 1 },    { 64, 32, 1, 224, 3, 1, 1 },
    { 32, 9, 1, 224, 3, 1, 1 },     { 3, 64, 1, 224, 7, 2, 1 },     { 3, 32, 1, 224, 3, 2, 1 },
    { 64, 64, 1, 56, 3, 1, 1 },     { 128, 128, 1, 28, 3, 1, 1 },   { 256, 256, 1, 14, 3, 1, 1 },
    { 512, 512, 1, 7, 3, 1, 1 },    { 128, 128, 1, 56, 3, 2, 1 },   { 256, 256, 1, 28, 3, 2, 1 },
    { 512, 512, 1, 14, 3, 2, 1 },   { 16, 96, 1, 112, 1, 1, 1 },    { 24, 144, 1, 56, 1, 1, 1 },
    { 64, 256, 1, 56, 1, 1, 1 },    { 256, 64, 1, 56, 1, 1, 1 },
    { 256, 512, 1, 56, 1, 2, 1 },   { 512, 128, 1, 28, 1, 1, 1 },   { 1024, 256, 1, 14, 1, 1, 1 },
    { 512, 1000, 1, 13, 1, 1, 1 }, { 256, 1024, 1, 14, 1, 1, 1 }, { 576, 96, 1, 14, 1, 1, 1 }, { 96, 576, 1, 14, 1, 1, 1 },
   { 160, 960, 1, 7, 1, 1, 1 },    { 960, 160, 1, 7, 1, 1, 1 },
    { 512, 2048, 1, 7, 1, 1, 1 },   { 32, 32, 32, 112, 3, 1, 1 },   { 96, 96, 96, 112, 3, 2, 1 },
    { 144, 144, 144, 56, 3, 1, 1 }, { 576, 576, 576, 14, 3, 1, 1 }, { 960, 960, 960, 7, 3, 1, 1 },
    { 240, 240, 240, 28, 5, 2, 1 }, { 64, 64, 1, 64, 3, 1, 2 },     { 128, 128, 4, 28, 3, 1, 1 },
};

static void bench(kc *k)
{
    for (size_t i = 0; i < OX_COUNT(shapes); i++) {
        const struct shape s = shapes[i];
        size_t pad = s.k / 2 * s.dil, out = (s.in + 2 * pad - (s.k - 1) * s.dil - 1) / s.stride + 1;
        double flops = 2.0 * (double)(out * out * s.m * (s.c / s.group) * s.k * s.k);
        ox_conv_plan shape = { .n = 1,
                               .c = s.c,
                               .m = s.m,
                               .group = s.group,
                               .in = { 1, s.in, s.in },
                               .out = { 1, out, out },
                               .k = { 1, s.k, s.k },
                               .stride = { 1, s.stride, s.stride },
                               .dil = { 1, s.dil, s.dil },
                               .pad = { 0, pad, pad } };
        ox_conv_plan pick = shape;
        problem w[N_ALGOS * 2];
        size_t n = 0;
        if (!kc_problem(k, flops, "conv/c%zu_m%zu_g%zu_%zux%zu_k%zu_s%zu_d%zu", s.c, s.m, s.group,
                        s.in, s.in, s.k, s.stride, s.dil) ||
            !ox_conv_choose(&pick, ox_cpu(), true))
            continue;
        for (int level = 0; level < 2; level++)
            for (size_t a = 0; ox_conv_algos[a]; a++) {
                uint32_t isa = level ? ox_cpu() : ox_cpu() & ~(uint32_t)OX_ISA_AVX512;
                w[n] = (problem){ .plan = shape };
                if (!ox_conv_use(&w[n].plan, ox_conv_algos[a], isa))
                    continue;
                if (n == 0)
                    make_problem(k, &w[0]);
                else
                    share_problem(k, &w[n], &w[0]);
                w[n].args.ep =
                    (ox_epilogue){ .bias_row = w[n].bias, .act = OX_ACT_CLAMP, .hi = INFINITY };
                kc_candidate(k, w[n].plan.name, strcmp(w[n].plan.name, pick.name) == 0, run_problem,
                             &w[n]);
                n++;
            }
        kc_race(k);
        kc_release(k);
    }
}

const kc_family kc_family_conv = { "conv", n_rows, row, check, bench };
