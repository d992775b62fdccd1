/* Transposes in registers, and F16C.
 *
 * All four transposes are one scheme: a 256-bit register takes 16 bytes from a row into its lower half
 * and 16 bytes from the row half a tile below into its upper half.  Unpacking then transposes both
 * halves at once, and a register ends up with a whole column: no lane is ever crossed but by loads.
 * Output goes in runs of 64 rows where there are that many, so that whole cache lines are written. */
#include "kernels/move/move.h"
#include <immintrin.h>

enum { RUN = 64 };

static inline __m256i load2(const void *low, const void *high)
{
    return _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128(low)),
                                   _mm_loadu_si128(high), 1);
}

static inline void tile8(const ox_any8 *x, size_t ld_x, ox_any8 *y, size_t ld_y)
{
    __m256i a[16], b[16];
    for (int i = 0; i < 16; i++)
        a[i] = load2(x + (size_t)i * ld_x, x + (size_t)(i + 16) * ld_x);
    for (int i = 0; i < 8; i++) {
        b[2 * i] = _mm256_unpacklo_epi8(a[i], a[i + 8]);
        b[2 * i + 1] = _mm256_unpackhi_epi8(a[i], a[i + 8]);
    }
    for (int i = 0; i < 8; i++) {
        a[2 * i] = _mm256_unpacklo_epi8(b[i], b[i + 8]);
        a[2 * i + 1] = _mm256_unpackhi_epi8(b[i], b[i + 8]);
    }
    for (int i = 0; i < 8; i++) {
        b[2 * i] = _mm256_unpacklo_epi8(a[i], a[i + 8]);
        b[2 * i + 1] = _mm256_unpackhi_epi8(a[i], a[i + 8]);
    }
    for (int i = 0; i < 8; i++) {
        a[2 * i] = _mm256_unpacklo_epi8(b[i], b[i + 8]);
        a[2 * i + 1] = _mm256_unpackhi_epi8(b[i], b[i + 8]);
    }
    for (int i = 0; i < 16; i++)
        _mm256_storeu_si256((__m256i *)(y + (size_t)i * ld_y), a[i]);
}
static inline void tile16(const ox_any16 *x, size_t ld_x, ox_any16 *y, size_t ld_y)
{
    __m256i a[8], b[8];
    for (int i = 0; i < 8; i++)
        a[i] = load2(x + (size_t)i * ld_x, x + (size_t)(i + 8) * ld_x);
    for (int i = 0; i < 4; i++) {
        b[2 * i] = _mm256_unpacklo_epi16(a[i], a[i + 4]);
        b[2 * i + 1] = _mm256_unpackhi_epi16(a[i], a[i + 4]);
    }
    for (int i = 0; i < 4; i++) {
        a[2 * i] = _mm256_unpacklo_epi16(b[i], b[i + 4]);
        a[2 * i + 1] = _mm256_unpackhi_epi16(b[i], b[i + 4]);
    }
    for (int i = 0; i < 4; i++) {
        b[2 * i] = _mm256_unpacklo_epi16(a[i], a[i + 4]);
        b[2 * i + 1] = _mm256_unpackhi_epi16(a[i], a[i + 4]);
    }
    for (int i = 0; i < 8; i++)
        _mm256_storeu_si256((__m256i *)(y + (size_t)i * ld_y), b[i]);
}
static inline void tile32(const ox_any32 *x, size_t ld_x, ox_any32 *y, size_t ld_y)
{
    for (int half = 0; half < 8; half += 4, x += 4, y += 4 * ld_y) {
        __m256i a[4], b[4];
        for (int i = 0; i < 4; i++)
            a[i] = load2(x + (size_t)i * ld_x, x + (size_t)(i + 4) * ld_x);
        for (int i = 0; i < 2; i++) {
            b[2 * i] = _mm256_unpacklo_epi32(a[i], a[i + 2]);
            b[2 * i + 1] = _mm256_unpackhi_epi32(a[i], a[i + 2]);
        }
        for (int i = 0; i < 2; i++) {
            a[2 * i] = _mm256_unpacklo_epi32(b[i], b[i + 2]);
            a[2 * i + 1] = _mm256_unpackhi_epi32(b[i], b[i + 2]);
        }
        for (int i = 0; i < 4; i++)
            _mm256_storeu_si256((__m256i *)(y + (size_t)i * ld_y), a[i]);
    }
}
static inline void tile64(const ox_any64 *x, size_t ld_x, ox_any64 *y, size_t ld_y)
{
    for (int half = 0; half < 4; half += 2, x += 2, y += 2 * ld_y) {
        __m256i a = load2(x, x + 2 * ld_x), b = load2(x + ld_x, x + 3 * ld_x);
        _mm256_storeu_si256((__m256i *)y, _mm256_unpacklo_epi64(a, b));
        _mm256_storeu_si256((__m256i *)(y + ld_y), _mm256_unpackhi_epi64(a, b));
    }
}

/* Tiles of ROWS x COLS, then what is left at the right and below element by element. */
#define TRANSPOSE(bits, ROWS, COLS)                                                                \
    void uk_transpose##bits##_avx2_##ROWS##x##COLS(size_t rows, size_t cols, const void *vx,       \
                                                   size_t ld_x, void *vy, size_t ld_y)             \
    {                                                                                              \
        const ox_any##bits *x = vx;                                                                \
        ox_any##bits       *y = vy;                                                                \
        size_t whole = rows - rows % ROWS, j;                                                      \
        for (size_t i0 = 0; i0 < whole; i0 += RUN) {                                               \
            size_t end = whole - i0 < RUN ? whole : i0 + RUN;                                      \
            for (j = 0; cols - j >= COLS; j += COLS)                                               \
                for (size_t i = i0; i < end; i += ROWS)                                            \
                    tile##bits(x + i * ld_x + j, ld_x, y + j * ld_y + i, ld_y);                    \
            for (; j < cols; j++)                                                                  \
                for (size_t i = i0; i < end; i++)                                                  \
                    y[j * ld_y + i] = x[i * ld_x + j];                                             \
        }                                                                                          \
        for (j = 0; j < cols; j++)                                                                 \
            for (size_t i = whole; i < rows; i++)                                                  \
                y[j * ld_y + i] = x[i * ld_x + j];                                                 \
    }
TRANSPOSE(8, 32, 16)
TRANSPOSE(16, 16, 8)
TRANSPOSE(32, 8, 8)
TRANSPOSE(64, 4, 4)

void uk_f16_to_f32_avx2_f16c(size_t n, const uint16_t *x, float *y)
{
    size_t i = 0;
    for (; n - i >= 8; i += 8)
        _mm256_storeu_ps(y + i, _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(x + i))));
    for (; i < n; i++)
        y[i] = _cvtsh_ss(x[i]);
}
void uk_f32_to_f16_avx2_f16c(size_t n, const float *x, uint16_t *y)
{
    size_t i = 0;
    for (; n - i >= 8; i += 8)
        _mm_storeu_si128((__m128i *)(y + i),
                         _mm256_cvtps_ph(_mm256_loadu_ps(x + i), _MM_FROUND_TO_NEAREST_INT));
    for (; i < n; i++)
        y[i] = _cvtss_sh(x[i], _MM_FROUND_TO_NEAREST_INT);
}
