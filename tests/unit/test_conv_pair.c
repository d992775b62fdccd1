/* A 1 x 1 convolution and a depthwise one behind it: together they give the bits that they give alone, on any
 * number of threads. */
#include "kernels/conv/conv.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

typedef struct shape {
    size_t n, c, m, height, width, k, step;
    bool   residual;
} shape;

static const shape shapes[] = {
    { 1, 16, 96, 112, 112, 3, 2, false }, { 1, 24, 144, 56, 56, 3, 1, true }, { 2, 7, 90, 61, 59, 5, 2, true },
    { 1, 33, 61, 71, 73, 5, 1, false },   { 1, 5, 300, 31, 32, 5, 1, true }, { 1, 3, 2, 9, 20000, 3, 1, false },
};
static const uint32_t levels[] = {
    OX_ISA_SCALAR,
#if OX_X86_64
    OX_ISA_AVX2,
    OX_ISA_AVX2 | OX_ISA_AVX512,
#elif OX_AARCH64
    OX_ISA_NEON,
#endif
};

static float *numbers(size_t n, unsigned seed)
{
    float *x = malloc(n * sizeof(*x));
    ck_assert_ptr_nonnull(x);
    for (size_t i = 0; i < n; i++) {
        seed = seed * 1664525u + 1013904223u;
        x[i] = (float)(seed >> 8) / (1 << 23) - 1;
    }
    return x;
}

static void *memory(size_t n)
{
    void *p = NULL;
    ck_assert_uint_ne(n, SIZE_MAX);
    ck_assert_int_eq(posix_memalign(&p, 64, n ? n : 64), 0);
    return p;
}

static void halve(size_t n, const void *x, void *y, const void *params)
{
    (void)params;
    for (size_t i = 0; i < n; i++)
        ((float *)y)[i] = ((const float *)x)[i] / 2;
}

static void plans(const shape *s, uint32_t isa, ox_conv_plan *a, ox_conv_plan *b)
{
    size_t pad = s->k / 2, h = (s->height - 1) / s->step + 1, w = (s->width - 1) / s->step + 1;
    *a = (ox_conv_plan){ .n = s->n, .c = s->c, .m = s->m, .group = 1, .in = { 1, s->height, s->width },
                         .out = { 1, s->height, s->width }, .k = { 1, 1, 1 }, .stride = { 1, 1, 1 },
                         .dil = { 1, 1, 1 } };
    *b = (ox_conv_plan){ .n = s->n, .c = s->m, .m = s->m, .group = s->m, .in = { 1, s->height, s->width },
                         .out = { 1, h, w }, .k = { 1, s->k, s->k }, .stride = { 1, s->step, s->step },
                         .dil = { 1, 1, 1 }, .pad = { 0, pad, pad } };
    ck_assert(ox_conv_choose(a, isa, true) && ox_conv_choose(b, isa, true));
}

static void *packed(const ox_conv_plan *p, const float *w)
{
    void *to = memory(ox_conv_pack_bytes(p));
    ox_conv_pack(p, w, to, NULL);
    return to;
}

static void check_pair(const shape *s, uint32_t isa)
{
    ox_conv_plan a, b;
    plans(s, isa, &a, &b);
    ck_assert(ox_conv_pair_fits(&a, &b));
    size_t n_x = s->n * s->c * s->height * s->width, n_mid = s->n * s->m * s->height * s->width;
    size_t n_y = s->n * s->m * b.out[1] * b.out[2];
    float *x = numbers(n_x, 1), *wa = numbers(s->m * s->c, 2), *wb = numbers(s->m * s->k * s->k, 3);
    float *bias = numbers(s->m, 4), *add = numbers(n_y, 5), *mid = memory(n_mid * 4), *y[2];
    y[0] = memory(n_y * 4), y[1] = memory(n_y * 4);
    ox_conv_args args_a = { .x = x, .w = packed(&a, wa), .y = mid,
                            .ep = { .bias_row = bias, .act = s->residual ? OX_ACT_MAP : OX_ACT_CLAMP, .hi = 0.5,
                                    .map = halve } };
    ox_conv_args args_b = { .x = mid, .w = packed(&b, wb), .y = y[0],
                            .ep = { .bias_row = bias, .residual = s->residual ? add : NULL,
                                    .act = s->residual ? OX_ACT_LEAKY : OX_ACT_MAP, .slope = 0.25, .map = halve } };
    void *scratch = memory(OX_MAX(ox_conv_scratch_bytes(&a, 1), ox_conv_scratch_bytes(&b, 1)));
    ox_conv_run(&a, &args_a, scratch, NULL);
    ox_conv_run(&b, &args_b, scratch, NULL);
    args_a.y = NULL;
    args_b.x = NULL;
    args_b.y = y[1];
    for (int threads = 1; threads <= 3; threads++) {
        ox_pool *pool = ox_pool_create(threads);
        void *own = memory(ox_conv_pair_scratch_bytes(&a, &b, threads));
        memset(y[1], 0x7f, n_y * 4);
        ox_conv_pair_run(&a, &args_a, &b, &args_b, own, pool);
        ck_assert_mem_eq(y[0], y[1], n_y * 4);
        free(own);
        ox_pool_destroy(pool);
    }
    void *all[] = { x, wa, wb, bias, add, mid, y[0], y[1], scratch, (void *)(uintptr_t)args_a.w,
                    (void *)(uintptr_t)args_b.w };
    for (size_t i = 0; i < OX_COUNT(all); i++)
        free(all[i]);
}

START_TEST(same_bits)
{
    for (size_t l = 0; l < OX_COUNT(levels); l++)
        for (size_t i = 0; i < OX_COUNT(shapes); i++)
            if ((levels[l] & ~ox_cpu()) == 0)
                check_pair(&shapes[i], levels[l]);
}
END_TEST

Suite *suite_conv_pair(void);
Suite *suite_conv_pair(void)
{
    Suite *s = suite_create("conv_pair");
    TCase *t = tcase_create("bits");
    tcase_set_timeout(t, 120);
    tcase_add_test(t, same_bits);
    suite_add_tcase(s, t);
    return s;
}
