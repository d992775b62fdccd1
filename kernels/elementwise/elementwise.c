/* Table and choice of the elementwise micro-kernels. */
#include "kernels/elementwise/elementwise.h"

const ox_uk_elementwise ox_uk_elementwise_rows[] = {
#define UK1(kind, fn, isa) { OX_LOOP1_##kind, fn, NULL, #fn, OX_ISA_##isa },
#define UK2(kind, fn, isa) { OX_LOOP2_##kind, NULL, fn, #fn, OX_ISA_##isa },
#include "kernels/elementwise/ukernels.def"
};
const size_t ox_n_uk_elementwise_rows =
    sizeof ox_uk_elementwise_rows / sizeof *ox_uk_elementwise_rows;

static const ox_uk_elementwise *pick(int kind, bool one)
{
    const ox_uk_elementwise *best = NULL;
    for (size_t i = 0; i < ox_n_uk_elementwise_rows; i++) {
        const ox_uk_elementwise *row = &ox_uk_elementwise_rows[i];
        if (row->kind == kind && (row->run1 != NULL) == one && (row->isa & ~ox_cpu()) == 0)
            best = row;
    }
    return best;
}
const ox_uk_elementwise *ox_uk_loop1_pick(ox_loop1_kind kind) { return pick((int)kind, true); }
const ox_uk_elementwise *ox_uk_loop2_pick(ox_loop2_kind kind) { return pick((int)kind, false); }
