/* Table and choice of the micro-kernels of kernels/pool. */
#include "kernels/pool/pooling.h"

#define UK(set, isa) extern const ox_pool_kernels set[OX_N_DTYPES];
#include "kernels/pool/ukernels.def"

const ox_uk_pooling ox_uk_pooling_rows[] = {
#define UK(set, isa) { #set, OX_ISA_##isa, set },
#include "kernels/pool/ukernels.def"
};
const size_t ox_n_uk_pooling_rows = sizeof ox_uk_pooling_rows / sizeof *ox_uk_pooling_rows;

const ox_uk_pooling *ox_uk_pooling_pick(void)
{
    const ox_uk_pooling *best = ox_uk_pooling_rows;
    for (size_t i = 0; i < ox_n_uk_pooling_rows; i++)
        if ((ox_uk_pooling_rows[i].isa & ~ox_cpu()) == 0)
            best = &ox_uk_pooling_rows[i];
    return best;
}
