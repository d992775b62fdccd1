/* Table and choice of the micro-kernels of kernels/math. */
#include "kernels/math/ukernels.h"

const ox_uk_math ox_uk_math_rows[] = {
#define UK(name, fn, isa) { OX_MATH_##name, fn, #fn, OX_ISA_##isa },
#include "kernels/math/ukernels.def"
};
const size_t ox_n_uk_math_rows = sizeof ox_uk_math_rows / sizeof *ox_uk_math_rows;

const ox_uk_math *ox_uk_math_pick(ox_math fn)
{
    const ox_uk_math *best = NULL;
    for (size_t i = 0; i < ox_n_uk_math_rows; i++)
        if (ox_uk_math_rows[i].fn == fn && (ox_uk_math_rows[i].isa & ~ox_cpu()) == 0)
            best = &ox_uk_math_rows[i];
    return best;
}
