/* The reference micro-kernels, once per type; gemm.h says what each does.  The Makefile compiles
 * this file again for higher levels (-DISA=avx2): those rows show what the compiler's own vectors
 * give. */
#ifdef T /* ---- once per type ---- */

static T FN(act)(const ox_tile *t, T v)
{
    if (v < 0 && t->slope != 1)
        v *= (T)t->slope;
    v = v < (T)t->lo ? (T)t->lo : v;
    return v > (T)t->hi ? (T)t->hi : v;
}

/* A fixed 4 x 8 block of sums: rows past m repeat the last one, columns past n are readable. */
static void FN(tile)(const ox_tile *t, int gather)
{
    const T *a = t->a, *b = t->b;
    const T *bias_row = t->bias_row, *bias_col = t->bias_col, *d = t->d;
    T acc[4][8], all[4][8] = { { 0 } };
    size_t row[4], p = 0;

    for (size_t i = 0; i < 4; i++)
        row[i] = (i < t->m ? i : t->m - 1) * t->rs_a;
    while (p < t->k) {
        size_t end = t->run && t->run < t->k - p ? p + t->run : t->k;
        for (int i = 0; i < 4; i++)
            for (int j = 0; j < 8; j++)
                acc[i][j] = 0;
        for (; p < end; p++) {
            const T *bp = gather ? b + t->off[p] : b + p * t->ldb;
            for (int i = 0; i < 4; i++)
                for (int j = 0; j < 8; j++)
                    acc[i][j] += a[row[i] + p * t->cs_a] * bp[j];
        }
        for (int i = 0; i < 4; i++)
            for (int j = 0; j < 8; j++)
                all[i][j] += acc[i][j];
    }
    for (size_t i = 0; i < t->m; i++) {
        for (size_t j = 0; j < t->n; j++) {
            T v = (T)t->alpha * all[i][j];
            v += bias_row ? bias_row[i] : 0;
            v += bias_col ? bias_col[j] : 0;
            v += d ? (T)t->beta * d[i * t->ldd + j] : 0;
            v += t->e ? ((const T *)t->e)[i * t->lde + j] : 0;
            ((T *)t->c)[i * t->ldc + j] = FN(act)(t, v);
        }
    }
}

void NAME(gemm, _4x8)(const ox_tile *t) { FN(tile)(t, 0); }
void NAME(gather, _4x8)(const ox_tile *t) { FN(tile)(t, 1); }

#ifndef ISA
void NAME(gemv_n, )(const ox_tile *t)
{
    const T *a = t->a, *b = t->b;
    for (size_t j = 0; j < t->n; j++) {
        T sum = 0;
        for (size_t p = 0; p < t->k; p++)
            sum += a[p * t->cs_a] * b[j / 8 * t->ldd + p * t->ldb + j % 8];
        ((T *)t->c)[j] = t->beta != 0 ? ((T *)t->c)[j] + sum : sum;
    }
}

/* Eight partial sums: the error of a long dot product stays small, and compilers can vectorise. */
void NAME(gemv_t, )(const ox_tile *t)
{
    const T *b = t->b;
    for (size_t i = 0; i < t->m; i++) {
        const T *a = (const T *)t->a + i * t->rs_a;
        T sum[8] = { 0 };
        for (size_t p = 0; p < t->k; p++)
            sum[p % 8] += a[p] * b[p];
        T all = ((sum[0] + sum[4]) + (sum[2] + sum[6])) + ((sum[1] + sum[5]) + (sum[3] + sum[7]));
        ((T *)t->c)[i] = t->beta != 0 ? ((T *)t->c)[i] + all : all;
    }
}

void NAME(pack_t, )(const ox_tile *t)
{
    for (size_t p = 0; p < t->k; p++)
        for (size_t j = 0; j < t->ldc; j++)
            ((T *)t->c)[p * t->ldc + j] = j < t->n ? ((const T *)t->b)[j * t->ldb + p] : 0;
}
#endif

#else /* ---- once ---- */
#include "kernels/gemm/gemm.h"

#define PASTE_(a, b, c, d, e) a##b##c##d##e
#define PASTE(a, b, c, d, e)  PASTE_(a, b, c, d, e)
#ifdef ISA
#define LEVEL PASTE(_scalar_, ISA, , , )
#else
#define LEVEL _scalar
#endif

#define T                float
#define FN(stem)         stem##_f32
#define NAME(stem, tile) PASTE(uk_, stem, _f32, LEVEL, tile)
#include "kernels/gemm/scalar.c"
#undef T
#undef FN
#undef NAME

#define T                double
#define FN(stem)         stem##_f64
#define NAME(stem, tile) PASTE(uk_, stem, _f64, LEVEL, tile)
#include "kernels/gemm/scalar.c"
#endif
