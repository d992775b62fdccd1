#include "kernels/gemm/vec.h"
#include "kernels/peak/peak.h"

#define N_ACC 20
#define FMA   uk_peak_neon_fma
#define READ  uk_peak_neon_read
#include "kernels/peak/peak.tmpl.h"
