/* conv for AVX2 with FMA: see vector.tmpl.h. */
#include "kernels/conv/conv.h"
#include "kernels/gemm/vec.h"

#define NAME(stem) uk_##stem##_avx2
#define GATHERS 1
#include "kernels/conv/vector.tmpl.h"
#include "kernels/conv/smooth.tmpl.h"
#include "kernels/conv/winograd.tmpl.h"
