/* The vector micro-kernels of conv, once per level.  The includer defines NAME(stem), the public
 * name of a kernel, and GATHERS where the level has them; vectors are vec.h's. */

/* ---- Winograd, input: down the columns first, where neighbouring tiles share the work; then the
 * rows of a vector's tiles are taken apart by column index and transformed across ---- */

OX_INLINE void bt4(const vf d[6], vf r[6])
{
    const vf two = vf_set1(2), half = vf_set1(0.5f), c = vf_set1(1.5f);
    vf e = vf_sub(d[4], d[2]), o = vf_sub(d[3], d[1]);
    r[0] = vf_fma(c, o, vf_fnma(two, d[2], vf_add(d[0], d[4])));
    r[1] = vf_fma(c, vf_add(d[2], d[3]), vf_add(e, o));
    r[2] = vf_fma(c, vf_sub(d[3], d[2]), vf_sub(e, o));
    r[3] = vf_fma(two, o, e);
    r[4] = vf_fnma(half, o, e);
    r[5] = vf_fma(c, e, vf_fnma(two, d[3], vf_add(d[1], d[5])));
}

OX_INLINE void bt2(const vf d[4], vf r[4])
{
    r[0] = vf_sub(d[0], d[2]);
    r[1] = vf_add(d[1], d[2]);
    r[2] = vf_sub(d[2], d[1]);
    r[3] = vf_sub(d[3], d[1]);
}

/* line[i][j] = column j of B^T times the rows, zeros around them */
OX_INLINE void columns(const ox_wino_in *t, const int step, size_t ld)
{
    const int r = step + 2;
    size_t full = t->n_cols / VF_N * VF_N, end = t->lead;
    vf d[6], s[6];

    for (size_t j = 0; j < t->n_cols; j += VF_N) {
        size_t n = j < full ? VF_N : t->n_cols - full;
        OX_UNROLL for (int i = 0; i < r; i++)
            d[i] = !t->row[i] ? vf_zero()
                   : n == VF_N ? vf_load(t->row[i] + j)
                               : vf_load_n(t->row[i] + j, n);
        step == 4 ? bt4(d, s) : bt2(d, s);
        OX_UNROLL for (int i = 0; i < r; i++)
            vf_store(t->line + (size_t)i * ld + t->lead + j, s[i]);
        end += VF_N;
    }
    for (int i = 0; i < r; i++) {
        for (size_t j = 0; j < t->lead; j++)
            t->line[(size_t)i * ld + j] = 0;
        for (size_t j = end; j < ld; j++)
            t->line[(size_t)i * ld + j] = 0;
    }
}

OX_INLINE void wino_in(const ox_wino_in *args, const int step)
{
    const ox_wino_in local = *args, *t = &local; /* stores to v cannot alias this copy */
    const int r = step + 2;
    size_t n_tiles = t->n_tiles, groups = (n_tiles + VF_N - 1) / VF_N;
    size_t ld = (size_t)step * VF_N * groups + 2 * VF_N; /* <= OX_WINO_LINE */

    columns(t, step, ld);
    for (size_t g = 0; g < groups; g++) {
        size_t n = n_tiles - g * VF_N < VF_N ? n_tiles - g * VF_N : VF_N;
        OX_UNROLL for (int i = 0; i < r; i++) {
            const float *p = t->line + (size_t)i * ld + g * VF_N * (size_t)step;
            float *v = t->v + (size_t)(i * r) * t->stride + g * VF_N;
            vf d[6], s[6];
            step == 4 ? vf_load4(p, d) : vf_load2(p, d);
            d[step] = vf_next(d[0], vf_load(p + step * VF_N));
            d[step + 1] = vf_next(d[1], vf_load(p + step * VF_N + 1));
            step == 4 ? bt4(d, s) : bt2(d, s);
            OX_UNROLL for (int j = 0; j < r; j++)
                if (n == VF_N)
                    vf_store(v + (size_t)j * t->stride, s[j]);
                else
                    vf_store_n(v + (size_t)j * t->stride, s[j], n);
        }
    }
}

void NAME(wino4_in_f32)(const ox_wino_in *t) { wino_in(t, 4); }
void NAME(wino2_in_f32)(const ox_wino_in *t) { wino_in(t, 2); }

/* ---- Winograd, output ---- */

OX_INLINE void at4(const vf m[6], vf y[4])
{
    vf a = vf_add(m[1], m[2]), b = vf_sub(m[1], m[2]);
    y[0] = vf_add(vf_add(m[0], a), vf_add(m[3], m[4]));
    y[1] = vf_fnma(vf_set1(2), m[4], vf_fma(vf_set1(0.5f), m[3], b));
    y[2] = vf_fma(vf_set1(4), m[4], vf_fma(vf_set1(0.25f), m[3], a));
    y[3] = vf_fnma(vf_set1(8), m[4], vf_fma(vf_set1(0.125f), m[3], vf_add(b, m[5])));
}

OX_INLINE void at2(const vf m[4], vf y[2])
{
    y[0] = vf_add(vf_add(m[0], m[1]), m[2]);
    y[1] = vf_add(vf_sub(m[1], m[2]), m[3]);
}

OX_INLINE vf activate(const ox_conv_act *a, vf v)
{
    if (a->slope != 1)
        v = vf_leak(v, vf_set1(a->slope));
    return vf_min(vf_set1(a->hi), vf_max(vf_set1(a->lo), v));
}

OX_INLINE void wino_out(const ox_wino_out *args, const int step)
{
    const ox_wino_out local = *args, *t = &local;
    const int r = step + 2;
    const vf bias = vf_set1(t->bias);
    for (size_t g = 0; g < t->n_tiles; g += VF_N) {
        size_t n = t->n_tiles - g < VF_N ? t->n_tiles - g : VF_N, col = g * (size_t)step;
        vf half[4][6];
        OX_UNROLL for (int j = 0; j < r; j++) {
            vf m[6], y[4];
            OX_UNROLL for (int i = 0; i < r; i++) {
                const float *p = t->m + (size_t)(i * r + j) * t->stride + g;
                m[i] = n == VF_N ? vf_load(p) : vf_load_n(p, n);
            }
            step == 4 ? at4(m, y) : at2(m, y);
            OX_UNROLL for (int i = 0; i < step; i++)
                half[i][j] = y[i];
        }
        OX_UNROLL for (int i = 0; i < step; i++) {
            vf y[4], out[4];
            if ((size_t)i >= t->n_rows)
                break;
            step == 4 ? at4(half[i], y) : at2(half[i], y);
            step == 4 ? vf_store4(y[0], y[1], y[2], y[3], out) : vf_store2(y[0], y[1], out);
            size_t at = (size_t)i * t->ldy + col;
            OX_UNROLL for (int q = 0; q < step; q++, at += VF_N) {
                size_t begin = col + (size_t)q * VF_N;
                size_t w = begin >= t->n_cols ? 0 : t->n_cols - begin;
                vf v = vf_add(out[q], bias);
                if (w >= VF_N) {
                    v = t->d ? vf_add(v, vf_load(t->d + at)) : v;
                    vf_store(t->y + at, activate(&t->act, v));
                } else if (w > 0) {
                    v = t->d ? vf_add(v, vf_load_n(t->d + at, w)) : v;
                    vf_store_n(t->y + at, activate(&t->act, v), w);
                }
            }
        }
    }
}

void NAME(wino4_out_f32)(const ox_wino_out *t) { wino_out(t, 4); }
void NAME(wino2_out_f32)(const ox_wino_out *t) { wino_out(t, 2); }

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

#ifdef GATHERS
/* ---- patches ---- */

void NAME(patch_f32)(const ox_patch *t)
{
    float *dst = t->dst;
    size_t c = t->k0 / t->n_taps, tap = t->k0 % t->n_taps;
    for (size_t p = 0; p < t->k; p++, dst += t->nr) {
        const float *x = (const float *)t->x + c * t->plane;
        for (size_t j = 0; j < t->nr; j += VF_N)
            vf_store(dst + j, vf_gather(x, t->idx + tap * t->nr + j));
        if (++tap == t->n_taps)
            tap = 0, c++;
    }
}

void NAME(patch_f64)(const ox_patch *t)
{
    double *dst = t->dst;
    size_t c = t->k0 / t->n_taps, tap = t->k0 % t->n_taps;
    for (size_t p = 0; p < t->k; p++, dst += t->nr) {
        const double *x = (const double *)t->x + c * t->plane;
        for (size_t j = 0; j < t->nr; j += VD_N)
            vd_store(dst + j, vd_gather(x, t->idx + tap * t->nr + j));
        if (++tap == t->n_taps)
            tap = 0, c++;
    }
}
#endif
