/* Winograd's micro-kernels, once per level: included behind vector.tmpl.h. */

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

/* ---- tiles in the lanes.  Input: down the columns first, where neighbouring tiles share the work; then the
 * rows of a vector's tiles are taken apart by column index and transformed across ---- */

/* line[i][j] = column j of B^T times the rows, zeros around them */
OX_INLINE void columns(const ox_wino_in *t, size_t ld)
{
    enum { R = 6 };
    size_t full = t->n_cols / VF_N * VF_N, end = t->lead;
    vf d[6], s[6];

    for (size_t j = 0; j < t->n_cols; j += VF_N) {
        size_t n = j < full ? VF_N : t->n_cols - full;
        OX_UNROLL for (int i = 0; i < R; i++)
            d[i] = !t->row[i] ? vf_zero()
                   : n == VF_N ? vf_load(t->row[i] + j)
                               : vf_load_n(t->row[i] + j, n);
        bt4(d, s);
        OX_UNROLL for (int i = 0; i < R; i++)
            vf_store(t->line + (size_t)i * ld + t->lead + j, s[i]);
        end += VF_N;
    }
    for (int i = 0; i < R; i++) {
        for (size_t j = 0; j < t->lead; j++)
            t->line[(size_t)i * ld + j] = 0;
        for (size_t j = end; j < ld; j++)
            t->line[(size_t)i * ld + j] = 0;
    }
}

void NAME(wino4_in_f32)(const ox_wino_in *args)
{
    const ox_wino_in local = *args, *t = &local; /* stores to v cannot alias this copy */
    enum { STEP = 4, R = 6 };
    size_t n_tiles = t->n_tiles, groups = (n_tiles + VF_N - 1) / VF_N;
    size_t ld = (size_t)STEP * VF_N * groups + 2 * VF_N; /* <= OX_WINO_LINE */

    columns(t, ld);
    for (size_t g = 0; g < groups; g++) {
        size_t n = n_tiles - g * VF_N < VF_N ? n_tiles - g * VF_N : VF_N;
        OX_UNROLL for (int i = 0; i < R; i++) {
            const float *p = t->line + (size_t)i * ld + g * VF_N * (size_t)STEP;
            float *v = t->v + (size_t)(i * R) * t->stride + g * VF_N;
            vf d[6], s[6];
            vf_load4(p, d);
            d[4] = vf_next(d[0], vf_load(p + 4 * VF_N));
            d[5] = vf_next(d[1], vf_load(p + 4 * VF_N + 1));
            bt4(d, s);
            OX_UNROLL for (int j = 0; j < R; j++)
                if (n == VF_N)
                    vf_store(v + (size_t)j * t->stride, s[j]);
                else
                    vf_store_n(v + (size_t)j * t->stride, s[j], n);
        }
    }
}

void NAME(wino4_out_f32)(const ox_wino_out *args)
{
    const ox_wino_out local = *args, *t = &local;
    enum { STEP = 4, R = 6 };
    const vf bias = vf_set1(t->bias);
    for (size_t g = 0; g < t->n_tiles; g += VF_N) {
        size_t n = t->n_tiles - g < VF_N ? t->n_tiles - g : VF_N, col = g * (size_t)STEP;
        vf half[4][6];
        OX_UNROLL for (int j = 0; j < R; j++) {
            vf m[6], y[4];
            OX_UNROLL for (int i = 0; i < R; i++) {
                const float *p = t->m + (size_t)(i * R + j) * t->stride + g;
                m[i] = n == VF_N ? vf_load(p) : vf_load_n(p, n);
            }
            at4(m, y);
            OX_UNROLL for (int i = 0; i < STEP; i++)
                half[i][j] = y[i];
        }
        OX_UNROLL for (int i = 0; i < STEP; i++) {
            vf y[4], out[4];
            if ((size_t)i >= t->n_rows)
                break;
            at4(half[i], y);
            vf_store4(y[0], y[1], y[2], y[3], out);
            size_t at = (size_t)i * t->ldy + col;
            OX_UNROLL for (int q = 0; q < STEP; q++, at += VF_N) {
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

/* ---- channels in the lanes.  Input: rows are turned, then transformed down the columns, then along the
 * rows ---- */

/* line[j] = column j of a row of n channels, zeros around it; `cols` columns, a multiple of VF_N */
static void __attribute__((noinline)) turn_row(const ox_winoc_in *t, const float *row, size_t n, float *line, size_t cols)
{
    for (size_t j = 0; j < cols; j += VF_N) {
        ptrdiff_t first = (ptrdiff_t)j - (ptrdiff_t)t->lead;
        const vm mask = vf_inside(first, t->n_cols);
        const float *x = row + first;
        vf r[VF_N];
        if (n == VF_N) {
            OX_UNROLL for (int l = 0; l < VF_N; l++)
                r[l] = vf_load_m(x + (size_t)l * t->plane, mask);
        } else {
            OX_UNROLL for (int l = 0; l < VF_N; l++)
                r[l] = (size_t)l < n ? vf_load_m(x + (size_t)l * t->plane, mask) : vf_zero();
        }
        vf_transpose(r);
        OX_UNROLL for (int l = 0; l < VF_N; l++)
            vf_store(line + (j + (size_t)l) * VF_N, r[l]);
    }
}

OX_INLINE void winoc_in(const ox_winoc_in *args, const int step)
{
    const ox_winoc_in local = *args, *t = &local; /* stores to v cannot alias this copy */
    const int r = step + 2;
    size_t used = (size_t)step * t->n_tiles + 2, cols = (used + VF_N - 1) / VF_N * VF_N, ld = cols * VF_N;

    for (size_t c = 0; c < t->n_ch; c += VF_N) {
        size_t n = t->n_ch - c < VF_N ? t->n_ch - c : VF_N;
        vf d[6], s[6];
        for (int i = 0; i < r; i++)
            if (t->row[i])
                turn_row(t, t->row[i] + c * t->plane, n, t->line + (size_t)i * ld, cols);
            else
                for (size_t j = 0; j < used; j++)
                    vf_store(t->line + (size_t)i * ld + j * VF_N, vf_zero());
        for (float *p = t->line; p < t->line + used * VF_N; p += VF_N) {
            OX_UNROLL for (int i = 0; i < r; i++)
                d[i] = vf_load(p + (size_t)i * ld);
            step == 4 ? bt4(d, s) : bt2(d, s);
            OX_UNROLL for (int i = 0; i < r; i++)
                vf_store(p + (size_t)i * ld, s[i]);
        }
        for (size_t tile = 0; tile < t->n_tiles; tile++) {
            const float *p = t->line + tile * (size_t)step * VF_N;
            float *v = t->v + tile * t->tile + c;
            OX_UNROLL for (int i = 0; i < r; i++) {
                OX_UNROLL for (int j = 0; j < r; j++)
                    d[j] = vf_load(p + (size_t)i * ld + j * VF_N);
                step == 4 ? bt4(d, s) : bt2(d, s);
                OX_UNROLL for (int j = 0; j < r; j++)
                    vf_store(v + (size_t)(i * r + j) * t->stride, s[j]);
            }
        }
    }
}

void NAME(winoc4_in_f32)(const ox_winoc_in *t) { winoc_in(t, 4); }
void NAME(winoc2_in_f32)(const ox_winoc_in *t) { winoc_in(t, 2); }

/* The rows of n channels, from where they lie with channels in the lanes into y. */
static void __attribute__((noinline)) turn_back(const ox_winoc_out *t, size_t c, size_t n, size_t ld)
{
    for (size_t i = 0; i < t->n_rows; i++)
        for (size_t j = 0; j < t->n_cols; j += VF_N) {
            size_t w = t->n_cols - j < VF_N ? t->n_cols - j : VF_N, at = c * t->plane + i * t->ldy + j;
            vf r[VF_N];
            OX_UNROLL for (int l = 0; l < VF_N; l++)
                r[l] = vf_load(t->line + i * ld + (j + (size_t)l) * VF_N);
            vf_transpose(r);
            for (size_t l = 0; l < VF_N && l < n; l++, at += t->plane) {
                vf v = t->d ? vf_add(r[l], vf_load_n(t->d + at, w)) : r[l];
                vf_store_n(t->y + at, activate(&t->act, v), w);
            }
        }
}

OX_INLINE void winoc_out(const ox_winoc_out *args, const int step)
{
    const ox_winoc_out local = *args, *t = &local;
    const int r = step + 2;
    size_t ld = ((size_t)step * t->n_tiles + VF_N) * VF_N;
    for (size_t c = 0; c < t->n_ch; c += VF_N) {
        size_t n = t->n_ch - c < VF_N ? t->n_ch - c : VF_N;
        const vf bias = t->bias ? vf_load_n(t->bias + c, n) : vf_zero();
        for (size_t tile = 0; tile < t->n_tiles; tile++) {
            const float *p = t->m + tile * t->tile + c;
            float *to = t->line + tile * (size_t)step * VF_N;
            vf half[4][6];
            OX_UNROLL for (int j = 0; j < r; j++) {
                vf m[6], y[4];
                OX_UNROLL for (int i = 0; i < r; i++)
                    m[i] = vf_load(p + (size_t)(i * r + j) * t->stride);
                step == 4 ? at4(m, y) : at2(m, y);
                OX_UNROLL for (int i = 0; i < step; i++)
                    half[i][j] = y[i];
            }
            OX_UNROLL for (int i = 0; i < step; i++) {
                vf y[4];
                step == 4 ? at4(half[i], y) : at2(half[i], y);
                OX_UNROLL for (int q = 0; q < step; q++)
                    vf_store(to + (size_t)i * ld + (size_t)q * VF_N, vf_add(y[q], bias));
            }
        }
        turn_back(t, c, n, ld);
    }
}

void NAME(winoc4_out_f32)(const ox_winoc_out *t) { winoc_out(t, 4); }
void NAME(winoc2_out_f32)(const ox_winoc_out *t) { winoc_out(t, 2); }
