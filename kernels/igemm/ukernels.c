/* Table and choice of the integer micro-kernels. */
#include "kernels/igemm/igemm.h"

const ox_uk_igemm ox_uk_igemm_rows[] = {
#define UK(fn, isa, mr, nr) { fn, #fn, OX_ISA_##isa, mr, nr },
#include "kernels/igemm/ukernels.def"
};
const size_t ox_n_uk_igemm_rows = sizeof ox_uk_igemm_rows / sizeof *ox_uk_igemm_rows;

const ox_uk_igemm *ox_uk_igemm_pick(void)
{
    const ox_uk_igemm *best = ox_uk_igemm_rows;
    for (size_t i = 0; i < ox_n_uk_igemm_rows; i++)
        if ((ox_uk_igemm_rows[i].isa & ~ox_cpu()) == 0)
            best = &ox_uk_igemm_rows[i];
    return best;
}
