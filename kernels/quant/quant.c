/* Choice of the micro-kernels on 8-bit numbers. */
#include "kernels/quant/quant.h"

ox_quant_kernels ox_quant_pick(void)
{
    ox_quant_kernels k = { 0 };
#define UK(type, member, fn, isa)                                                                  \
    if ((OX_ISA_##isa & ~ox_cpu()) == 0)                                                           \
        k.member = fn;
#include "kernels/quant/ukernels.def"
    return k;
}
