/* Families whose dispatch fills a struct of kernels: their ukernels.def has rows
 *   UK(type, member, function, level)
 * and the check of a row is its type's: check_<type>(k, function, "member"). */
#ifndef KERNCHECK_ROWS_H
#define KERNCHECK_ROWS_H

#include "tests/kerncheck/kerncheck.h"
#include <string.h>

typedef void kc_any_fn(void);
typedef struct kc_member {
    const char *name, *member;
    uint32_t    isa;
    kc_any_fn  *fn;
    void (*check)(kc *k, kc_any_fn *fn, const char *member);
} kc_member;

#define KC_MEMBER(type, member, fn, isa)                                                           \
    { #fn, #member, OX_ISA_##isa, (kc_any_fn *)fn, check_##type },

#endif
