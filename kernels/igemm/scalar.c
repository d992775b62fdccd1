/* Depthwise pixels in plain C: the reference, compiled again for vectors. */
#include "kernels/igemm/store.h"

#include <string.h>

#ifdef ISA
#define PASTE_(name, isa) name##_##isa
#define PASTE(name, isa) PASTE_(name, isa)
#define FN(name) PASTE(name, ISA)
#else
#define FN(name) name##_scalar
#endif

enum { CHUNK = 64 };

/* Sums of up to CHUNK channels. */
static void sums(const ox_idepth *t, const uint8_t *const *a, size_t c, size_t n, int32_t *s)
{
    for (size_t j = 0; j < n; j++)
        s[j] = t->col[c + j];
    for (size_t g = 0; g < t->n_group; g++, a += 4) {
        const uint8_t *restrict x0 = a[0] + c, *restrict x1 = a[1] + c, *restrict x2 = a[2] + c,
                                *restrict x3 = a[3] + c;
        const int8_t *restrict w = t->w + (g * t->n + c) * 4;
        for (size_t j = 0; j < n; j++) {
            int32_t v = x0[j] * w[4 * j] + x1[j] * w[4 * j + 1] + x2[j] * w[4 * j + 2] +
                        x3[j] * w[4 * j + 3];
            s[j] = (int32_t)((uint32_t)s[j] + (uint32_t)v);
        }
    }
}

void FN(uk_idepth)(const ox_idepth *t)
{
    size_t size = t->out == OX_IOUT_8 ? 1 : 4;
    for (size_t i = 0; i < t->n_pixel; i++)
        for (size_t c = 0; c < t->n; c += CHUNK) {
            size_t n = t->n - c < CHUNK ? t->n - c : CHUNK;
            int32_t s[CHUNK];
            sums(t, t->a + i * 4 * t->n_group, c, n, s);
            ox_itile tile = { .m = 1,
                              .n = n,
                              .out = t->out,
                              .lo = t->lo,
                              .hi = t->hi,
                              .zero = t->zero,
                              .table = t->table,
                              .c = (char *)t->c + (i * t->ldc + c) * size };
            tile.mul = t->mul ? t->mul + c : NULL;
            tile.add = t->add ? t->add + c : NULL;
            ox_itile_store_row(&tile, 0, s, n);
        }
}
