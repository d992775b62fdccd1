/* conv for aarch64: see vector.tmpl.h. */
#include "kernels/conv/conv.h"
#include "kernels/gemm/vec.h"

#define NAME(stem) uk_##stem##_neon
#include "kernels/conv/vector.tmpl.h"
#include "kernels/conv/smooth.tmpl.h"
#include "kernels/conv/winograd.tmpl.h"
