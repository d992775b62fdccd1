/* gemm for aarch64.  8 x 12 floats: 24 accumulators, three vectors of B and a broadcast of A out of
 * 32 registers. */
#include "kernels/gemm/gemm.h"
#include "kernels/gemm/vec.h"

#define X8(X, nv) X(1, nv) X(2, nv) X(3, nv) X(4, nv) X(5, nv) X(6, nv) X(7, nv) X(8, nv)

#define T            float
#define VT           vf
#define V(op)        vf_##op
#define VN           VF_N
#define MR           8
#define NV           3
#define EACH_TILE(X) X8(X, 1) X8(X, 2) X8(X, 3)
#define NAME(stem)   uk_##stem##_f32_neon
#define FN(stem)     f32_##stem
#define GEMM         uk_gemm_f32_neon_8x12
#define GATHER       uk_gather_f32_neon_8x12
#include "kernels/gemm/tile.tmpl.h"

#define T            double
#define VT           vd
#define V(op)        vd_##op
#define VN           VD_N
#define MR           8
#define NV           3
#define EACH_TILE(X) X8(X, 1) X8(X, 2) X8(X, 3)
#define NAME(stem)   uk_##stem##_f64_neon
#define FN(stem)     f64_##stem
#define GEMM         uk_gemm_f64_neon_8x6
#define GATHER       uk_gather_f64_neon_8x6
#include "kernels/gemm/tile.tmpl.h"
