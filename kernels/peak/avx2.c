#include "kernels/gemm/vec.h"
#include "kernels/peak/peak.h"

#define N_ACC 12
#define FMA   uk_peak_avx2_fma
#define READ  uk_peak_avx2_read
#include "kernels/peak/peak.tmpl.h"
