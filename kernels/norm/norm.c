/* Choice of the normalisation micro-kernels. */
#include "kernels/norm/norm.h"

ox_norm_kernels ox_norm_pick(void)
{
    ox_norm_kernels k = { 0 };
#define UK(type, member, fn, isa)                                                                  \
    if ((OX_ISA_##isa & ~ox_cpu()) == 0)                                                           \
        k.member = fn;
#include "kernels/norm/ukernels.def"
    return k;
}
