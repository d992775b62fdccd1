/* Private to kernels/conv: the patch matrix (ox_patch in conv.h), a run of output pixels at a time. */
#ifndef OX_CONV_PATCH_H
#define OX_CONV_PATCH_H

#include "kernels/conv/algo.h"

/* Bytes of the tables for `pixels` output pixels; SIZE_MAX: overflow. */
size_t ox_patch_bytes(const ox_conv_plan *p, size_t pixels);

/* Fills in the tables at `memory` for output pixels [from, to) and points t->seg, t->first at them; sets
 * what else of *t depends on the shape alone. */
void ox_patch_init(const ox_conv_plan *p, size_t from, size_t to, void *memory, ox_patch *t);

#endif
