/* Micro-kernels over float arrays: the rows of loops1.def and loops2.def at every level.  Their types
 * are those of the loops that ox_map1 and ox_map2 take, whose void pointers here are to float. */
#ifndef OX_ELEMENTWISE_ELEMENTWISE_H
#define OX_ELEMENTWISE_ELEMENTWISE_H

#include "runtime/base/cpu.h"
#include <stdbool.h>
#include <stddef.h>

/* y[i] = f(x[i]); params points to two floats, or is NULL where f has no parameters.  No alignment is
 * asked; y may be x, and may not overlap it otherwise. */
typedef void ox_uk_loop1(size_t n, const void *x, void *y, const void *params);
/* z[i] = f(x[i * sx], y[i * sy]) with strides 0 or 1; z may be an operand of stride 1. */
typedef void ox_uk_loop2(size_t n, const void *x, int sx, const void *y, int sy, void *z,
                         const void *params);

typedef enum ox_loop1_kind {
#define L1(name, ulp, expr, exact) OX_LOOP1_##name,
#include "kernels/elementwise/loops1.def"
    OX_N_LOOP1
} ox_loop1_kind;
typedef enum ox_loop2_kind {
#define L2(name, ulp, expr, exact) OX_LOOP2_##name,
#include "kernels/elementwise/loops2.def"
    OX_N_LOOP2
} ox_loop2_kind;

#define UK1(kind, fn, isa) ox_uk_loop1 fn;
#define UK2(kind, fn, isa) ox_uk_loop2 fn;
#include "kernels/elementwise/ukernels.def"

/* All rows, for tests and reports; of run1 and run2 one is NULL. */
typedef struct ox_uk_elementwise {
    int          kind;
    ox_uk_loop1 *run1;
    ox_uk_loop2 *run2;
    const char  *name; /* "uk_relu_f32_avx2" */
    uint32_t     isa;
} ox_uk_elementwise;
extern const ox_uk_elementwise ox_uk_elementwise_rows[];
extern const size_t            ox_n_uk_elementwise_rows;

/* The best row for this process's levels; never NULL.  Call it when planning. */
const ox_uk_elementwise *ox_uk_loop1_pick(ox_loop1_kind kind);
const ox_uk_elementwise *ox_uk_loop2_pick(ox_loop2_kind kind);

#endif
