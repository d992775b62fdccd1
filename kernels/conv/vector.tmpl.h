/* The vector micro-kernels of conv, once per level.  The includer defines NAME(stem), the public
 * name of a kernel, and GATHERS where the level has them; vectors are vec.h's.  Winograd's: winograd.tmpl.h. */

OX_INLINE vf activate(const ox_conv_act *a, vf v)
{
    if (a->slope != 1)
        v = vf_leak(v, vf_set1(a->slope));
    return vf_min(vf_set1(a->hi), vf_max(vf_set1(a->lo), v));
}

/* ---- depthwise: rows x vectors sums at a time, each weight broadcast once for all of them ---- */

OX_INLINE void depthwise_block(const ox_depthwise *t, size_t r, size_t j, const int rows,
                               const int nv)
{
    vf acc[4][2];
    OX_UNROLL for (int i = 0; i < rows; i++)
        OX_UNROLL for (int v = 0; v < nv; v++)
            acc[i][v] = vf_zero();
    const float *x = t->x + r * t->step + j;
    for (size_t tap = 0; tap < t->n_taps; tap++) {
        const vf w = vf_set1(t->w[tap]);
        const float *xt = x + t->off[tap];
        OX_UNROLL for (int i = 0; i < rows; i++)
            OX_UNROLL for (int v = 0; v < nv; v++)
                acc[i][v] = vf_fma(w, vf_load(xt + (size_t)i * t->step + v * VF_N), acc[i][v]);
    }
    OX_UNROLL for (int i = 0; i < rows; i++)
        OX_UNROLL for (int v = 0; v < nv; v++) {
            size_t col = j + (size_t)v * VF_N, at = (r + (size_t)i) * t->ldy + col;
            size_t n = t->n_cols - col < VF_N ? t->n_cols - col : VF_N;
            vf s = vf_add(acc[i][v], vf_set1(t->bias));
            s = t->d ? vf_add(s, vf_load_n(t->d + at, n)) : s;
            s = activate(&t->act, s);
            if (n == VF_N)
                vf_store(t->y + at, s);
            else
                vf_store_n(t->y + at, s, n);
        }
}

void NAME(depthwise_f32)(const ox_depthwise *args)
{
    const ox_depthwise local = *args, *t = &local;
    size_t r = 0;
    for (; r + 4 <= t->n_rows; r += 4) {
        size_t j = 0;
        for (; j + VF_N < t->n_cols; j += 2 * VF_N)
            depthwise_block(t, r, j, 4, 2);
        if (j < t->n_cols)
            depthwise_block(t, r, j, 4, 1);
    }
    for (; r < t->n_rows; r++) {
        size_t j = 0;
        for (; j + VF_N < t->n_cols; j += 2 * VF_N)
            depthwise_block(t, r, j, 1, 2);
        if (j < t->n_cols)
            depthwise_block(t, r, j, 1, 1);
    }
}

/* ---- depthwise on a whole channel.  A tap of a vector of outputs meets a vector of inputs; one such
 * load serves all of the kernel's rows at once, in `rows` output rows.  Columns outside the channel are
 * masked, rows outside skipped. ---- */

/* A strip of columns, one or two vectors wide */
typedef struct plane_strip {
    size_t    col, nv;
    bool      edge;
    ptrdiff_t left;       /* column of x that output `col` meets under the kernel's first */
    vm        mask[7][4]; /* of its loads by kernel column, if it has an edge */
} plane_strip;

enum { PLANE_ROWS = 4 };

OX_INLINE void plane_end(const ox_plane *t, size_t r, size_t col, const int nv, const vf acc[2])
{
    OX_UNROLL for (int v = 0; v < nv; v++) {
        size_t j = col + (size_t)v * VF_N, at = r * t->n_cols + j;
        size_t n = t->n_cols - j < VF_N ? t->n_cols - j : VF_N;
        vf s = vf_add(acc[v], vf_set1(t->bias));
        s = t->d ? vf_add(s, vf_load_n(t->d + at, n)) : s;
        s = activate(&t->act, s);
        if (n == VF_N)
            vf_store(t->y + at, s);
        else
            vf_store_n(t->y + at, s, n);
    }
}

OX_INLINE void plane_block(const ox_plane *t, const plane_strip *strip, size_t r0, const int rows, const int nv,
                           const int kh, const int step, const bool edge)
{
    const ptrdiff_t top = (ptrdiff_t)(r0 * (size_t)step) - (ptrdiff_t)t->top, width = (ptrdiff_t)t->width;
    const ptrdiff_t begin = -top, end = (ptrdiff_t)t->height - top; /* the rows of x that exist */
    const float *x0 = t->x + (top * width + strip->left);
    vf acc[PLANE_ROWS][2];
    OX_UNROLL for (int r = 0; r < rows; r++)
        OX_UNROLL for (int v = 0; v < nv; v++)
            acc[r][v] = vf_zero();
    for (size_t kx = 0; kx < t->kw; kx += (size_t)step) {
        const bool both = step == 2 && kx + 1 < t->kw;
        const float *x = x0 + kx * t->dil, *w = t->w + kx;
        const vm *mask = strip->mask[kx];
        vf w0[5], w1[5];
        OX_UNROLL for (int ky = 0; ky < kh; ky++, w += t->kw) {
            w0[ky] = vf_set1(w[0]);
            w1[ky] = both ? vf_set1(w[1]) : vf_zero();
        }
        OX_UNROLL for (int i = 0; i < (rows - 1) * step + kh; i++, x += width) {
            vf even[4], odd[2];
            if (i < begin || i >= end)
                continue;
            OX_UNROLL for (int v = 0; v < nv * step; v++)
                even[v] = edge ? vf_load_m(x + v * VF_N, mask[v]) : vf_load(x + v * VF_N);
            if (step == 2)
                OX_UNROLL for (int v = 0; v < nv; v++) {
                    vf out[2];
                    vf_split2(even[2 * v], even[2 * v + 1], out);
                    even[v] = out[0], odd[v] = out[1];
                }
            OX_UNROLL for (int r = 0; r < rows; r++) {
                const int ky = i - r * step;
                if (ky >= 0 && ky < kh)
                    OX_UNROLL for (int v = 0; v < nv; v++)
                        acc[r][v] = vf_fma(w0[ky], even[v], acc[r][v]);
            }
            if (both)
                OX_UNROLL for (int r = 0; r < rows; r++) {
                    const int ky = i - r * step;
                    if (ky >= 0 && ky < kh)
                        OX_UNROLL for (int v = 0; v < nv; v++)
                            acc[r][v] = vf_fma(w1[ky], odd[v], acc[r][v]);
                }
        }
    }
    OX_UNROLL for (int r = 0; r < rows; r++)
        plane_end(t, r0 + (size_t)r, strip->col, nv, acc[r]);
}

OX_INLINE void plane_rows(const ox_plane *t, const plane_strip *strip, size_t n, size_t r, const int rows, const int kh,
                          const int step)
{
    for (size_t i = 0; i < n; i++)
        if (strip[i].nv == 2)
            strip[i].edge ? plane_block(t, &strip[i], r, rows, 2, kh, step, true)
                          : plane_block(t, &strip[i], r, rows, 2, kh, step, false);
        else
            strip[i].edge ? plane_block(t, &strip[i], r, rows, 1, kh, step, true)
                          : plane_block(t, &strip[i], r, rows, 1, kh, step, false);
}

/* The next strips from column *col on, at most `most` of them; how many there are. */
OX_INLINE size_t plane_strips(const ox_plane *t, size_t *col, plane_strip *s, size_t most, const int step)
{
    size_t n = 0;
    for (; n < most && *col < t->n_cols; n++, s++) {
        s->col = *col;
        s->nv = t->n_cols - s->col > VF_N ? 2 : 1;
        *col += s->nv * VF_N;
        s->left = (ptrdiff_t)(s->col * (size_t)step) - (ptrdiff_t)t->left;
        s->edge = s->left < 0 || *col * (size_t)step + (t->kw - 1) * t->dil >= t->width + t->left;
        for (size_t kx = 0; s->edge && kx < t->kw; kx += (size_t)step)
            for (size_t v = 0; v < s->nv * (size_t)step; v++)
                s->mask[kx][v] = vf_inside(s->left + (ptrdiff_t)(kx * t->dil + v * VF_N), t->width);
    }
    return n;
}

OX_INLINE void plane(const ox_plane *t, const int kh, const int step)
{
    enum { STRIPS = 8 };
    plane_strip strip[STRIPS];
    for (size_t col = 0; col < t->n_cols;) {
        size_t n = plane_strips(t, &col, strip, STRIPS, step), r = t->y0;
        const bool wide = strip[0].nv == 2;
        /* AVX2 has 16 registers, the others 32; one row of the kernel shares no loads. */
        for (; kh > 1 && (VF_N != 8 || !wide) && t->y1 - r >= 4; r += 4)
            plane_rows(t, strip, n, r, 4, kh, step);
        for (; kh > 1 && (VF_N != 8 || !wide) && t->y1 - r >= 3; r += 3)
            plane_rows(t, strip, n, r, 3, kh, step);
        for (; kh > 1 && t->y1 - r >= 2; r += 2)
            plane_rows(t, strip, n, r, 2, kh, step);
        for (; r < t->y1; r++)
            plane_rows(t, strip, n, r, 1, kh, step);
    }
}

#define PLANE(kh, step)                                                                            \
    static void plane_##kh##_##step(const ox_plane *t) { plane(t, kh, step); }
PLANE(1, 1)
PLANE(3, 1)
PLANE(5, 1)
PLANE(1, 2)
PLANE(3, 2)
PLANE(5, 2)
#undef PLANE

void NAME(plane_f32)(const ox_plane *args)
{
    static ox_plane_fn *const by_size[2][3] = { { plane_1_1, plane_3_1, plane_5_1 },
                                                { plane_1_2, plane_3_2, plane_5_2 } };
    const ox_plane local = *args;
    by_size[local.step - 1][local.kh / 2](&local);
}

/* ---- channels side by side ---- */

void NAME(spread_f32)(const ox_spread *args)
{
    const ox_spread local = *args, *t = &local;
    for (size_t l = 0; l < OX_WINO_LANES; l += VF_N) {
        size_t n_ch = t->n_ch < l ? 0 : t->n_ch - l;
        const float *x = t->x + l * t->plane;
        float *y = t->y + l;
        for (size_t j = 0; j < t->n; j += VF_N) {
            size_t n = t->n - j < VF_N ? t->n - j : VF_N;
            const vm mask = vf_inside(0, n);
            vf r[VF_N];
            if (n_ch >= VF_N)
                OX_UNROLL for (int i = 0; i < VF_N; i++)
                    r[i] = vf_load_m(x + (size_t)i * t->plane + j, mask);
            else
                for (size_t i = 0; i < VF_N; i++)
                    r[i] = i < n_ch ? vf_load_m(x + i * t->plane + j, mask) : vf_zero();
            vf_transpose(r);
            if (n == VF_N)
                OX_UNROLL for (int i = 0; i < VF_N; i++)
                    vf_store(y + t->to[j + (size_t)i], r[i]);
            else
                for (size_t i = 0; i < n; i++)
                    vf_store(y + t->to[j + i], r[i]);
        }
    }
}

/* ---- depthwise, channels in the lanes: some outputs of a row at a time, each weight loaded once for them ---- */

OX_INLINE void lanes_block(const ox_lanes *t, size_t j, const size_t n, const size_t step)
{
    enum { LANES = OX_WINO_LANES };
    for (size_t l = 0; l < LANES; l += VF_N) {
        const float *x = t->x + j * step * LANES + l, *w = t->w + l;
        float *y = t->y + j * LANES + l;
        vf acc[14];
        OX_UNROLL for (size_t i = 0; i < n; i++)
            acc[i] = vf_zero();
        for (size_t tap = 0; tap < t->n_taps; tap++, w += LANES) {
            const float *xt = x + t->off[tap];
            const vf wt = vf_load(w);
            OX_UNROLL for (size_t i = 0; i < n; i++)
                acc[i] = vf_fma(wt, vf_load(xt + i * step * LANES), acc[i]);
        }
        OX_UNROLL for (size_t i = 0; i < n; i++)
            vf_store(y + i * LANES, acc[i]);
    }
}

OX_INLINE void lanes(const ox_lanes *t, const size_t step)
{
    size_t j = 0;
    for (; t->n_cols - j >= 14; j += 14)
        lanes_block(t, j, 14, step);
    for (; t->n_cols - j >= 7; j += 7)
        lanes_block(t, j, 7, step);
    for (; t->n_cols - j >= 4; j += 4)
        lanes_block(t, j, 4, step);
    for (; t->n_cols - j >= 2; j += 2)
        lanes_block(t, j, 2, step);
    if (j < t->n_cols)
        lanes_block(t, j, 1, step);
}

void NAME(lanes_f32)(const ox_lanes *args)
{
    const ox_lanes local = *args;
    local.step == 1 ? lanes(&local, 1) : lanes(&local, 2);
}

/* ---- patches ---- */

OX_INLINE void patch_row_f32(const ox_patch *t, const float *x, size_t tap, float *dst)
{
    size_t j = 0;
    for (; j + VF_N <= t->ld; j += VF_N)
        vf_store(dst + j, vf_zero());
    vf_store_n(dst + j, vf_zero(), t->ld - j);
    for (int32_t s = t->first[tap]; s < t->first[tap + 1]; s++) {
        const float *from = x + t->seg[s].from;
        float *to = dst + t->seg[s].to;
        size_t n = (size_t)t->seg[s].n, i = 0;
        if (t->step == 1) {
            for (; i + VF_N <= n; i += VF_N)
                vf_store(to + i, vf_load(from + i));
            vf_store_n(to + i, vf_load_n(from + i, n - i), n - i);
        } else if (t->step == 2) {
            for (; i < n; i += VF_N) { /* 2 (n - i) - 1 elements are there */
                size_t m = n - i < VF_N ? n - i : VF_N, left = 2 * m - 1;
                vf out[2], a = vf_load_n(from + 2 * i, left < VF_N ? left : VF_N);
                vf b = vf_load_n(from + 2 * i + VF_N, left < VF_N ? 0 : left - VF_N);
                vf_split2(a, b, out);
                vf_store_n(to + i, out[0], m);
            }
        } else {
            for (; i < n; i++)
                to[i] = from[i * t->step];
        }
    }
}

#if defined(__AVX512F__)
/* A row of two vectors is put together in registers: a segment's elements are loaded into the lanes where they
 * belong, the others of the load being masked. */
OX_INLINE void patch_row_32(const ox_patch *t, const float *x, size_t tap, float *dst, const int step)
{
    const __m512i even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    __m512 low = _mm512_setzero_ps(), high = _mm512_setzero_ps();
    for (int32_t s = t->first[tap]; s < t->first[tap + 1]; s++) {
        const int32_t to = t->seg[s].to, n = t->seg[s].n;
        const float *from = x + t->seg[s].from - (ptrdiff_t)step * to;
        uint32_t lanes = (uint32_t)((((uint64_t)1 << n) - 1) << to);
        if (step == 1) {
            low = _mm512_mask_loadu_ps(low, (__mmask16)lanes, from);
            high = _mm512_mask_loadu_ps(high, (__mmask16)(lanes >> 16), from + 16);
        } else { /* 2 n - 1 elements are there */
            uint64_t there = (~(uint64_t)0 >> (65 - 2 * n)) << 2 * to;
            __m512 a = _mm512_maskz_loadu_ps((__mmask16)there, from);
            __m512 b = _mm512_maskz_loadu_ps((__mmask16)(there >> 16), from + 16);
            __m512 c = _mm512_maskz_loadu_ps((__mmask16)(there >> 32), from + 32);
            __m512 d = _mm512_maskz_loadu_ps((__mmask16)(there >> 48), from + 48);
            low = _mm512_mask_mov_ps(low, (__mmask16)lanes, _mm512_permutex2var_ps(a, even, b));
            high = _mm512_mask_mov_ps(high, (__mmask16)(lanes >> 16), _mm512_permutex2var_ps(c, even, d));
        }
    }
    _mm512_storeu_ps(dst, low);
    _mm512_storeu_ps(dst + 16, high);
}
#else
OX_INLINE void patch_row_32(const ox_patch *t, const float *x, size_t tap, float *dst, const int step)
{
    (void)step;
    patch_row_f32(t, x, tap, dst);
}
#endif

void NAME(patch_f32)(const ox_patch *args)
{
    const ox_patch local = *args, *t = &local;
    float *dst = t->dst;
    size_t c = t->k0 / t->n_taps, tap = t->k0 % t->n_taps, step = t->ld == 32 ? t->step : 0;
    for (size_t p = 0; p < t->k; p++, dst += t->ld) {
        const float *x = (const float *)t->x + c * t->plane;
        if (step == 1)
            patch_row_32(t, x, tap, dst, 1);
        else if (step == 2)
            patch_row_32(t, x, tap, dst, 2);
        else
            patch_row_f32(t, x, tap, dst);
        if (++tap == t->n_taps)
            tap = 0, c++;
    }
}

/* ---- turning: channels in the lanes on the way in, pixels on the way out ---- */

void NAME(turn_f32)(const ox_turn *args)
{
    const ox_turn local = *args, *t = &local;
    for (size_t o = 0; o < t->m; o += VF_N) {
        size_t n_o = t->m - o < VF_N ? t->m - o : VF_N;
        vf bias = t->bias ? vf_load_n(t->bias + o, n_o) : vf_zero();
        for (size_t j = 0; j < t->n; j += VF_N) {
            size_t n_j = t->n - j < VF_N ? t->n - j : VF_N;
            vf r[VF_N];
            OX_UNROLL for (int l = 0; l < VF_N; l++)
                r[l] = (size_t)l < n_j ? vf_add(bias, vf_load_n(t->c + (j + (size_t)l) * t->ldc + o, n_o))
                                       : vf_zero();
            vf_transpose(r);
            OX_UNROLL for (int l = 0; l < VF_N; l++) {
                size_t at = (o + (size_t)l) * t->ldy + j;
                if ((size_t)l >= n_o)
                    break;
                vf v = t->d ? vf_add(r[l], vf_load_n(t->d + at, n_j)) : r[l];
                vf_store_n(t->y + at, activate(&t->act, v), n_j);
            }
        }
    }
}
