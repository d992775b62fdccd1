/* gemm for AVX-512.  14 x 32 floats: 28 accumulators, two vectors of B and a broadcast of A fill 31
 * of the 32 registers, and two fused multiply-adds use each broadcast. */
#include "kernels/gemm/gemm.h"
#include "kernels/gemm/vec.h"

#define X14(X, nv)                                                                                 \
    X(1, nv) X(2, nv) X(3, nv) X(4, nv) X(5, nv) X(6, nv) X(7, nv)                                 \
    X(8, nv) X(9, nv) X(10, nv) X(11, nv) X(12, nv) X(13, nv) X(14, nv)

#define T            float
#define VT           vf
#define V(op)        vf_##op
#define VN           VF_N
#define MR           14
#define NV           2
#define EXACT        __mmask16
#define EACH_TILE(X) X14(X, 1) X14(X, 2)
#define NAME(stem)   uk_##stem##_f32_avx512
#define FN(stem)     f32_##stem
#define GEMM         uk_gemm_f32_avx512_14x32
#define GATHER       uk_gather_f32_avx512_14x32
#include "kernels/gemm/tile.tmpl.h"

#define T            double
#define VT           vd
#define V(op)        vd_##op
#define VN           VD_N
#define MR           14
#define NV           2
#define EXACT        __mmask8
#define EACH_TILE(X) X14(X, 1) X14(X, 2)
#define NAME(stem)   uk_##stem##_f64_avx512
#define FN(stem)     f64_##stem
#define GEMM         uk_gemm_f64_avx512_14x16
#define GATHER       uk_gather_f64_avx512_14x16
#include "kernels/gemm/tile.tmpl.h"
