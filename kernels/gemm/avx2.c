/* gemm for AVX2 with FMA.  6 x 16 floats: 12 accumulators, two vectors of B and a broadcast of A
 * fill 15 of the 16 registers. */
#include "kernels/gemm/gemm.h"
#include "kernels/gemm/vec.h"

#define X6(X, nv) X(1, nv) X(2, nv) X(3, nv) X(4, nv) X(5, nv) X(6, nv)

#define T            float
#define VT           vf
#define V(op)        vf_##op
#define VN           VF_N
#define MR           6
#define NV           2
#define EACH_TILE(X) X6(X, 1) X6(X, 2)
#define NAME(stem)   uk_##stem##_f32_avx2
#define FN(stem)     f32_##stem
#define GEMM         uk_gemm_f32_avx2_6x16
#define GATHER       uk_gather_f32_avx2_6x16
#include "kernels/gemm/tile.tmpl.h"

#define T            double
#define VT           vd
#define V(op)        vd_##op
#define VN           VD_N
#define MR           6
#define NV           2
#define EACH_TILE(X) X6(X, 1) X6(X, 2)
#define NAME(stem)   uk_##stem##_f64_avx2
#define FN(stem)     f64_##stem
#define GEMM         uk_gemm_f64_avx2_6x8
#define GATHER       uk_gather_f64_avx2_6x8
#include "kernels/gemm/tile.tmpl.h"
