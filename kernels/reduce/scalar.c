/* The reductions; compiled once per instruction-set level.
 *
 * LANES accumulators take adjacent elements in turn, so every level computes the same sum in the same
 * order, and the compiler vectorises without being allowed to reassociate. */
#include "kernels/math/base.h"
#include "kernels/reduce/reduce.h"
#include <math.h>

enum { LANES = 32, SHORT = 16 };

/* gcc would unroll SHORT lanes before it looks for vectors, and then find none in a choice */
#if defined(__clang__)
#define ROLLED
#else
#define ROLLED _Pragma("GCC unroll 1")
#endif

#define R(name, type, start, step, join)                                                           \
    double OX_UK(reduce_##name##_f32)(size_t n, const float *x)                                    \
    {                                                                                              \
        type   lane[LANES];                                                                        \
        size_t i = 0;                                                                              \
        for (int l = 0; l < LANES; l++)                                                            \
            lane[l] = (type)start;                                                                 \
        for (; n - i >= LANES; i += LANES)                                                         \
            for (int l = 0; l < LANES; l++) {                                                      \
                type a = lane[l], v = x[i + (size_t)l];                                            \
                lane[l] = step;                                                                    \
            }                                                                                      \
        for (int l = 0; i < n; i++, l++) {                                                         \
            type a = lane[l], v = x[i];                                                            \
            lane[l] = step;                                                                        \
        }                                                                                          \
        for (int half = LANES / 2; half; half /= 2)                                                \
            for (int l = 0; l < half; l++) {                                                       \
                type a = lane[l], b = lane[l + half];                                              \
                lane[l] = join;                                                                    \
            }                                                                                      \
        return lane[0];                                                                            \
    }                                                                                              \
    void OX_UK(reduce_##name##_runs_f32)(size_t m, size_t n, const float *x, double *acc)          \
    {                                                                                              \
        for (size_t k = 0; k < m; k++, x += n) {                                                   \
            type   lane[SHORT];                                                                    \
            size_t i = 0;                                                                          \
            for (int l = 0; l < SHORT; l++)                                                        \
                lane[l] = (type)start;                                                             \
            for (; n - i >= SHORT; i += SHORT)                                                     \
                ROLLED for (int l = 0; l < SHORT; l++) {                                                  \
                    type a = lane[l], v = x[i + (size_t)l];                                        \
                    lane[l] = step;                                                                \
                }                                                                                  \
            for (int half = SHORT / 2; half; half /= 2)                                            \
                for (int l = 0; l < half; l++) {                                                   \
                    type a = lane[l], b = lane[l + half];                                          \
                    lane[l] = join;                                                                \
                }                                                                                  \
            for (; i < n; i++) {                                                                   \
                type a = lane[0], v = x[i];                                                        \
                lane[0] = step;                                                                    \
            }                                                                                      \
            type a = (type)acc[k], b = lane[0];                                                    \
            acc[k] = join;                                                                         \
        }                                                                                          \
    }                                                                                              \
    void OX_UK(reduce_##name##_cols_f32)(size_t rows, size_t cols, const float *x, size_t ld, double *acc)  \
    {                                                                                              \
        for (; cols >= LANES; cols -= LANES, x += LANES, acc += LANES) {                           \
            type lane[LANES];                                                                      \
            for (int l = 0; l < LANES; l++)                                                        \
                lane[l] = (type)acc[l];                                                            \
            for (size_t i = 0; i < rows; i++)                                                      \
                for (int l = 0; l < LANES; l++) {                                                  \
                    type a = lane[l], v = x[i * ld + (size_t)l];                                   \
                    lane[l] = step;                                                                \
                }                                                                                  \
            for (int l = 0; l < LANES; l++)                                                        \
                acc[l] = lane[l];                                                                  \
        }                                                                                          \
        for (size_t i = 0; i < rows; i++)                                                          \
            for (size_t l = 0; l < cols; l++) {                                                    \
                type a = (type)acc[l], v = x[i * ld + l];                                          \
                acc[l] = step;                                                                     \
            }                                                                                      \
    }
#include "kernels/reduce/reductions.def"
