/* Choice of the softmax micro-kernels. */
#include "kernels/softmax/softmax.h"

ox_softmax_kernels ox_softmax_pick(void)
{
    ox_softmax_kernels k = { 0 };
#define UK(type, member, fn, isa)                                                                  \
    if ((OX_ISA_##isa & ~ox_cpu()) == 0)                                                           \
        k.member = fn;
#include "kernels/softmax/ukernels.def"
    return k;
}
