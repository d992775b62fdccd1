/* Choice of the interpolation micro-kernels. */
#include "kernels/resize/ukernels.h"

ox_uk_resize ox_uk_resize_pick(void)
{
    ox_uk_resize k = { 0 };
#define UK(type, member, fn, isa)                                                                  \
    if ((OX_ISA_##isa & ~ox_cpu()) == 0)                                                           \
        k.member = fn;
#include "kernels/resize/ukernels.def"
    return k;
}
