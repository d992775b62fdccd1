/* Table and choice of the reductions. */
#include "kernels/reduce/reduce.h"
#include <math.h>

const double ox_reduce_start[] = {
#define R(name, type, start, step, join) start,
#include "kernels/reduce/reductions.def"
};

const ox_uk_reduce_row ox_uk_reduce_rows[] = {
#define UK(name, row, cols, runs, isa) { OX_REDUCE_##name, row, cols, runs, #row, OX_ISA_##isa },
#include "kernels/reduce/ukernels.def"
};
const size_t ox_n_uk_reduce_rows = sizeof ox_uk_reduce_rows / sizeof *ox_uk_reduce_rows;

const ox_uk_reduce_row *ox_uk_reduce_pick(ox_reduction kind)
{
    const ox_uk_reduce_row *best = NULL;
    for (size_t i = 0; i < ox_n_uk_reduce_rows; i++)
        if (ox_uk_reduce_rows[i].kind == kind && (ox_uk_reduce_rows[i].isa & ~ox_cpu()) == 0)
            best = &ox_uk_reduce_rows[i];
    return best;
}
