/* Integer tiles of up to 12 x 64 by vpdpbusd on 512-bit vectors.  The includer defines TILE and
 * DEPTH, the kernels' names, and LOOKUP(y, table), which replaces the bytes of a vector by the
 * table's. A body's size is a constant of its instance so that accumulators live in registers: 6 x
 * 64, 8 x 48, 12 x 32 and 12 x 16; taller tiles take two. */
#include "kernels/igemm/load4.h"
#include "kernels/igemm/store.h"

#include <immintrin.h>

enum { MR = 12, NR = 64, VN = 16 };
enum { AHEAD = 1024 }; /* bytes of B fetched from level 2 in advance: a panel seldom fits level 1 */

/* Sums of mr x nv vectors to rows of NR. */
OX_INLINE void body(const ox_itile *t, size_t i0, int32_t *sums, const int mr, const int nv)
{
    __m512i acc[MR][4];
    const int8_t *b = t->b;
    size_t whole = t->k & ~(size_t)3;
    OX_UNROLL for (int i = 0; i < mr; i++) OX_UNROLL for (int v = 0; v < nv; v++) acc[i][v] =
        _mm512_setzero_si512();
    for (size_t s = 0; s < t->n_run; s++) {
        const uint8_t *const *from = t->a + s * MR + i0, *a[MR];
        OX_UNROLL for (int i = 0; i < mr; i++) a[i] = from[i];
        for (size_t p = 0; p < whole; p += 4, b += 4 * NR) {
            __m512i bv[4];
            OX_UNROLL for (int v = 0; v < nv; v++)
            {
                bv[v] = _mm512_loadu_si512(b + 4 * VN * v);
                _mm_prefetch((const char *)b + AHEAD + 4 * VN * v, _MM_HINT_T0);
            }
            OX_UNROLL for (int i = 0; i < mr; i++)
            {
                __m512i av = _mm512_set1_epi32(ox_load4(a[i] + p));
                OX_UNROLL for (int v = 0; v < nv; v++) acc[i][v] =
                    _mm512_dpbusd_epi32(acc[i][v], av, bv[v]);
            }
        }
        if (whole < t->k) {
            OX_UNROLL for (int i = 0; i < mr; i++)
            {
                __m512i av = _mm512_set1_epi32(ox_load_tail(a[i] + whole, t->k - whole));
                OX_UNROLL for (int v = 0; v < nv; v++) acc[i][v] =
                    _mm512_dpbusd_epi32(acc[i][v], av, _mm512_loadu_si512(b + 4 * VN * v));
            }
            b += 4 * NR;
        }
    }
    OX_UNROLL for (int i = 0; i < mr; i++) OX_UNROLL for (int v = 0; v < nv; v++)
        _mm512_store_si512(sums + i * NR + v * VN, acc[i][v]);
}

#define X6(X, nv) X(1, nv) X(2, nv) X(3, nv) X(4, nv) X(5, nv) X(6, nv)
#define X8(X, nv) X6(X, nv) X(7, nv) X(8, nv)
#define X12(X, nv) X8(X, nv) X(9, nv) X(10, nv) X(11, nv) X(12, nv)
#define EACH(X) X12(X, 1) X12(X, 2) X8(X, 3) X6(X, 4)
#define INSTANCE(mr, nv)                                                                           \
    static void body_##mr##_##nv(const ox_itile *t, size_t i0, int32_t *sums)                      \
    {                                                                                              \
        body(t, i0, sums, mr, nv);                                                                 \
    }
EACH(INSTANCE)
#undef INSTANCE
typedef void body_fn(const ox_itile *t, size_t i0, int32_t *sums);
#define INSTANCE(mr, nv) [nv - 1][mr - 1] = body_##mr##_##nv,
static body_fn *const bodies[4][MR] = { EACH(INSTANCE) };
#undef INSTANCE

OX_INLINE __m512 scaled(__m512i sum, const float *mul, const float *add, __mmask16 m, __m512 lo,
                        __m512 hi)
{
    __m512 v = _mm512_mul_ps(_mm512_cvtepi32_ps(sum), _mm512_maskz_loadu_ps(m, mul));
    v = _mm512_add_ps(v, _mm512_maskz_loadu_ps(m, add));
    return _mm512_min_ps(_mm512_max_ps(v, lo), hi); /* the second operand where the first is NaN */
}

OX_INLINE __m512i quantised(__m512i sum, const float *mul, const float *add, __mmask16 m, __m512 lo,
                            __m512 hi)
{
    return _mm512_cvtps_epi32(scaled(sum, mul, add, m, lo, hi));
}

/* Bytes of four vectors in order: |q| <= 256 and q + zero fits 8 bits, so its low byte is all there
 * is. */
OX_INLINE __m512i packed(__m512i q0, __m512i q1, __m512i q2, __m512i q3, int32_t zero)
{
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    const __m512i bytes = _mm512_set1_epi16(0xff);
    __m512i low = _mm512_and_si512(_mm512_packs_epi32(q0, q1), bytes);
    __m512i high = _mm512_and_si512(_mm512_packs_epi32(q2, q3), bytes);
    __m512i y = _mm512_permutexvar_epi32(order, _mm512_packus_epi16(low, high));
    return _mm512_add_epi8(y, _mm512_set1_epi8((char)zero));
}

/* Rows of 8-bit results: nv vectors of sums become one. */
OX_INLINE void finish_8(const ox_itile *t, const int32_t *sums, const int nv)
{
    const __m512 lo = _mm512_set1_ps(t->lo), hi = _mm512_set1_ps(t->hi);
    const __mmask64 last = t->n < 64 ? ((__mmask64)1 << t->n) - 1 : ~(__mmask64)0;
    for (size_t i = 0; i < t->m; i++, sums += NR) {
        __m512i row = _mm512_set1_epi32(t->row ? t->row[i] : 0), q[4];
        OX_UNROLL for (int v = 0; v < 4; v++)
        {
            size_t j = (size_t)v * VN;
            if (v >= nv) {
                q[v] = _mm512_setzero_si512();
                continue;
            }
            __m512i s =
                _mm512_add_epi32(_mm512_load_si512(sums + j), _mm512_loadu_si512(t->col + j));
            q[v] = quantised(_mm512_add_epi32(s, row), t->mul + j, t->add + j, 0xffff, lo, hi);
        }
        __m512i y = packed(q[0], q[1], q[2], q[3], t->zero);
        _mm512_mask_storeu_epi8((uint8_t *)t->c + i * t->ldc, last,
                                t->table ? LOOKUP(y, t->table) : y);
    }
}
static void finish_8_1(const ox_itile *t, const int32_t *sums)
{
    finish_8(t, sums, 1);
}
static void finish_8_2(const ox_itile *t, const int32_t *sums)
{
    finish_8(t, sums, 2);
}
static void finish_8_3(const ox_itile *t, const int32_t *sums)
{
    finish_8(t, sums, 3);
}
static void finish_8_4(const ox_itile *t, const int32_t *sums)
{
    finish_8(t, sums, 4);
}

static void finish_wide(const ox_itile *t, const int32_t *sums, int nv)
{
    const __m512 lo = _mm512_set1_ps(t->lo), hi = _mm512_set1_ps(t->hi);
    for (size_t i = 0; i < t->m; i++, sums += NR) {
        __m512i row = _mm512_set1_epi32(t->row ? t->row[i] : 0);
        for (int v = 0; v < nv; v++) {
            size_t j = (size_t)v * VN;
            __mmask16 m = t->n - j < VN ? (__mmask16)((1 << (t->n - j)) - 1) : 0xffff;
            __m512i s =
                _mm512_add_epi32(_mm512_load_si512(sums + j), _mm512_loadu_si512(t->col + j));
            s = _mm512_add_epi32(s, row);
            if (t->out == OX_IOUT_I32)
                _mm512_mask_storeu_epi32((int32_t *)t->c + i * t->ldc + j, m, s);
            else
                _mm512_mask_storeu_ps((float *)t->c + i * t->ldc + j, m,
                                      scaled(s, t->mul + j, t->add + j, m, lo, hi));
        }
    }
}

void TILE(const ox_itile *t)
{
    static const uint8_t tallest[4] = { 12, 12, 8, 6 };
    static void (*const finish[4])(const ox_itile *, const int32_t *) = { finish_8_1, finish_8_2,
                                                                          finish_8_3, finish_8_4 };
    int32_t sums[MR * NR] __attribute__((aligned(64)));
    int nv = (int)((t->n + VN - 1) / VN);
    size_t most = tallest[nv - 1];
    for (size_t i = 0; i < t->m; i += most) {
        size_t m = t->m - i < most ? t->m - i : most;
        bodies[nv - 1][m - 1](t, i, sums + i * NR);
    }
    if (t->out == OX_IOUT_8)
        finish[nv - 1](t, sums);
    else
        finish_wide(t, sums, nv);
}

/* ---- depthwise ---- */

/* nv vectors of sums: 2 of 32 channels or 4 of 64. */
OX_INLINE void depth_sums(const ox_idepth *t, const uint8_t *const *a, size_t c, __mmask64 m,
                          __m512i acc[4], const size_t nv)
{
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    OX_UNROLL for (size_t v = 0; v < nv; v++) acc[v] =
        _mm512_maskz_loadu_epi32((__mmask16)(m >> (16 * v)), t->col + c + VN * v);
    size_t whole = t->n_group - (t->n_tap % 4 == 1);
    if (whole <
        t->n_group) { /* one tap alone, as nine leave it: widening is cheaper than interleaving */
        const int8_t *w = t->w + (whole * t->n + c) * 4;
        const uint8_t *from = a[4 * whole] + c;
        OX_UNROLL for (size_t v = 0; v < nv; v++)
        {
            __mmask16 part = (__mmask16)(m >> (16 * v));
            __m512i x = _mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(part, from + VN * v));
            acc[v] = _mm512_dpbusd_epi32(acc[v], x, _mm512_maskz_loadu_epi32(part, w + 4 * VN * v));
        }
    }
    for (size_t g = 0; g < whole; g++, a += 4) {
        const int8_t *w = t->w + (g * t->n + c) * 4;
        __m512i x[4], z[4];
        OX_UNROLL for (int q = 0; q < 4;
                       q++) /* quarters of 16-byte lanes come from successive vectors of sums */
            x[q] = _mm512_permutexvar_epi32(order, _mm512_maskz_loadu_epi8(m, a[q] + c));
        __m512i low = _mm512_unpacklo_epi8(x[0], x[1]), low2 = _mm512_unpacklo_epi8(x[2], x[3]);
        z[0] = _mm512_unpacklo_epi16(low, low2), z[1] = _mm512_unpackhi_epi16(low, low2);
        if (nv == 4) {
            __m512i high = _mm512_unpackhi_epi8(x[0], x[1]),
                    high2 = _mm512_unpackhi_epi8(x[2], x[3]);
            z[2] = _mm512_unpacklo_epi16(high, high2), z[3] = _mm512_unpackhi_epi16(high, high2);
        }
        OX_UNROLL for (size_t v = 0; v < nv; v++)
        {
            __m512i wv = _mm512_maskz_loadu_epi32((__mmask16)(m >> (16 * v)), w + 4 * VN * v);
            acc[v] = _mm512_dpbusd_epi32(acc[v], z[v], wv);
        }
    }
}

/* Channels c.. of every pixel. */
OX_INLINE void depth_pixels(const ox_idepth *t, size_t c, const size_t nv)
{
    size_t n = t->n - c < VN * nv ? t->n - c : VN * nv, size = t->out == OX_IOUT_8 ? 1 : 4;
    const __mmask64 m = n < 64 ? ((__mmask64)1 << n) - 1 : ~(__mmask64)0;
    const __m512 lo = _mm512_set1_ps(t->lo), hi = _mm512_set1_ps(t->hi);
    const uint8_t *const *a = t->a;
    char *y = t->c;
    for (size_t i = 0; i < t->n_pixel; i++, a += 4 * t->n_group, y += t->ldc * size) {
        __m512i acc[4];
        depth_sums(t, a, c, m, acc, nv);
        OX_UNROLL for (size_t v = 0; v < 4; v++)
        {
            __mmask16 part = (__mmask16)(m >> (16 * v));
            size_t j = c + VN * v;
            if (v >= nv)
                acc[v] = _mm512_setzero_si512();
            else if (t->out == OX_IOUT_8)
                acc[v] = quantised(acc[v], t->mul + j, t->add + j, part, lo, hi);
            else if (t->out == OX_IOUT_F32)
                _mm512_mask_storeu_ps((float *)(void *)y + j, part,
                                      scaled(acc[v], t->mul + j, t->add + j, part, lo, hi));
            else
                _mm512_mask_storeu_epi32((int32_t *)(void *)y + j, part, acc[v]);
        }
        if (t->out == OX_IOUT_8) {
            __m512i b = packed(acc[0], acc[1], acc[2], acc[3], t->zero);
            _mm512_mask_storeu_epi8(y + c, m, t->table ? LOOKUP(b, t->table) : b);
        }
    }
}
static void depth_pixels_2(const ox_idepth *t, size_t c)
{
    depth_pixels(t, c, 2);
}
static void depth_pixels_4(const ox_idepth *t, size_t c)
{
    depth_pixels(t, c, 4);
}

void DEPTH(const ox_idepth *t)
{
    for (size_t c = 0; c < t->n; c += NR)
        if (t->n - c <= 2 * VN)
            depth_pixels_2(t, c);
        else
            depth_pixels_4(t, c);
}
