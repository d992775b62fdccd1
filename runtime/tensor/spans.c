#include "runtime/tensor/spans.h"

const ox_spans *ox_spans_pick(void)
{
#if OX_X86_64
    if (ox_cpu() & OX_ISA_AVX512)
        return &ox_spans_avx512;
    if (ox_cpu() & OX_ISA_AVX2)
        return &ox_spans_avx2;
#endif
    return &ox_spans_scalar;
}
