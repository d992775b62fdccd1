/* Choice of the movement micro-kernels. */
#include "kernels/move/move.h"

ox_move_kernels ox_move_pick(void)
{
    ox_move_kernels k = { 0 };
#define UK(type, member, fn, isa)                                                                  \
    if ((OX_ISA_##isa & ~ox_cpu()) == 0)                                                           \
        k.member = fn;
#include "kernels/move/ukernels.def"
    return k;
}
