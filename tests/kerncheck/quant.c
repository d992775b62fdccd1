/* kernels/quant: every row against plain arithmetic, bit by bit. */
#include "kernels/quant/quant.h"
#include "tests/kerncheck/rows.h"

#include <math.h>

static void random_bytes(kc *k, uint8_t *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] = (uint8_t)kc_random(k);
}

static ox_q8 random_q8(kc *k)
{
    bool is_signed = kc_below(k, 2);
    return (ox_q8){ kc_below(k, 2) ? 0.25f : (float)(0.01 + fabs(kc_unit(k))),
                    (int32_t)kc_below(k, 256), is_signed ? 0x80 : 0 };
}

static float wide(uint8_t x, const ox_q8 *q)
{
    return (float)((int)(uint8_t)(x ^ q->flip) - q->zero) * q->scale;
}

/* round half to even, saturated; NaN gives the smallest */
static uint8_t narrow(float v, const ox_q8 *q)
{
    float lo = (float)-q->zero, hi = (float)(255 - q->zero);
    v = v > lo ? v : lo;
    v = v < hi ? v : hi;
    return (uint8_t)((uint8_t)((int)nearbyintf(v) + q->zero) ^ q->flip);
}

static void expect(kc *k, uint8_t is, uint8_t want, size_t i, size_t n)
{
    if (is != want)
        kc_fail(k, "n %zu: [%zu] is %u, expected %u", n, i, is, want);
}

static void check_ox_uk_range(kc *k, kc_any_fn *fn, const char *member)
{
    (void)member;
    for (size_t n = 0; n < 300 && !kc_failed(k); n++) {
        float *x = kc_alloc(k, n * sizeof *x, sizeof *x, kc_below(k, 2)), low = 0, high = 0, range[2] = { 1, 1 };
        kc_fill_f32(k, x, n, (kc_values)kc_below(k, KC_N_VALUES));
        ((ox_uk_range *)fn)(n, x, range);
        for (size_t i = 0; i < n; i++) {
            low = x[i] < low ? x[i] : low;
            high = x[i] > high ? x[i] : high;
        }
        if (range[0] != low || range[1] != high)
            kc_fail(k, "n %zu: [%a, %a], expected [%a, %a]", n, (double)range[0], (double)range[1], (double)low,
                    (double)high);
        kc_release(k);
    }
}

static void check_ox_uk_dequantize(kc *k, kc_any_fn *fn, const char *member)
{
    (void)member;
    for (size_t n = 0; n < 150 && !kc_failed(k); n++) {
        uint8_t *x = kc_alloc(k, n, 1, kc_below(k, 2));
        float *y = kc_alloc(k, n * sizeof *y, sizeof *y, kc_below(k, 2));
        ox_q8 q = random_q8(k);
        random_bytes(k, x, n);
        ((ox_uk_dequantize *)fn)(n, x, y, &q);
        for (size_t i = 0; i < n; i++)
            if (y[i] != wide(x[i], &q))
                kc_fail(k, "n %zu: [%zu] is %a, expected %a", n, i, (double)y[i],
                        (double)wide(x[i], &q));
        kc_release(k);
    }
}

static void check_ox_uk_quantize(kc *k, kc_any_fn *fn, const char *member)
{
    (void)member;
    for (size_t n = 0; n < 150 && !kc_failed(k); n++) {
        float *x = kc_alloc(k, n * sizeof *x, sizeof *x, kc_below(k, 2));
        uint8_t *y = kc_alloc(k, n, 1, kc_below(k, 2));
        ox_q8 q = random_q8(k);
        kc_fill_f32(k, x, n, (kc_values)kc_below(k, KC_N_VALUES));
        for (size_t i = 0; i < n; i++)
            x[i] = kc_below(k, 3) ? (float)((int)kc_below(k, 800) - 400) * q.scale * 0.5f : x[i];
        ((ox_uk_quantize *)fn)(n, x, y, &q);
        for (size_t i = 0; i < n; i++)
            expect(k, y[i], narrow(x[i] / q.scale, &q), i, n);
        kc_release(k);
    }
}

/* The expression by the member's name: add, mul, add_f32, mul_f32. */
static uint8_t pair(const char *member, uint8_t a, uint8_t b, float f, const ox_qpair *p)
{
    float u = wide(a, &p->a), v = strstr(member, "f32") ? f : wide(b, &p->b);
    volatile float y = member[0] == 'a' ? u + v : u * v; /* no fused multiply-add */
    return narrow(y, &p->y);
}

static void check_ox_uk_qpair(kc *k, kc_any_fn *fn, const char *member)
{
    for (size_t n = 1; n < 150 && !kc_failed(k); n++) {
        size_t sa = kc_below(k, 2), sb = kc_below(k, 2), n_a = sa ? n : 1, n_b = sb ? n : 1;
        uint8_t *a = kc_alloc(k, n_a, 1, kc_below(k, 2)), *b = kc_alloc(k, n_b, 1, kc_below(k, 2));
        uint8_t *y = kc_alloc(k, n, 1, kc_below(k, 2));
        ox_qpair p = { random_q8(k), random_q8(k), random_q8(k) };
        random_bytes(k, a, n_a);
        random_bytes(k, b, n_b);
        ((ox_uk_qpair *)fn)(n, a, sa, b, sb, y, &p);
        for (size_t i = 0; i < n; i++)
            expect(k, y[i], pair(member, a[sa ? i : 0], b[sb ? i : 0], 0, &p), i, n);
        kc_release(k);
    }
}

static void check_ox_uk_qpair_f32(kc *k, kc_any_fn *fn, const char *member)
{
    for (size_t n = 1; n < 150 && !kc_failed(k); n++) {
        size_t sa = kc_below(k, 2), sb = kc_below(k, 2), n_a = sa ? n : 1, n_b = sb ? n : 1;
        uint8_t *a = kc_alloc(k, n_a, 1, kc_below(k, 2)), *y = kc_alloc(k, n, 1, kc_below(k, 2));
        float *b = kc_alloc(k, n_b * sizeof *b, sizeof *b, kc_below(k, 2));
        ox_qpair p = { random_q8(k), random_q8(k), random_q8(k) };
        random_bytes(k, a, n_a);
        kc_fill_f32(k, b, n_b, (kc_values)kc_below(k, KC_N_VALUES));
        ((ox_uk_qpair_f32 *)fn)(n, a, sa, b, sb, y, &p);
        for (size_t i = 0; i < n; i++)
            expect(k, y[i], pair(member, a[sa ? i : 0], 0, b[sb ? i : 0], &p), i, n);
        kc_release(k);
    }
}

static void check_ox_uk_lookup(kc *k, kc_any_fn *fn, const char *member)
{
    (void)member;
    for (size_t n = 0; n < 200 && !kc_failed(k); n++) {
        uint8_t *x = kc_alloc(k, n, 1, kc_below(k, 2)), *table = kc_alloc(k, 256, 1, true);
        uint8_t *y = kc_alloc(k, n, 1, kc_below(k, 2)), *to = kc_below(k, 2) ? x : y;
        random_bytes(k, table, 256);
        random_bytes(k, x, n);
        memcpy(y, x, n);
        ((ox_uk_lookup *)fn)(n, x, to, table);
        const uint8_t *from = to == x ? y : x;
        for (size_t i = 0; i < n; i++)
            expect(k, to[i], table[from[i]], i, n);
        kc_release(k);
    }
}

static const kc_member rows[] = {
#define UK KC_MEMBER
#include "kernels/quant/ukernels.def"
};
static size_t n_rows(void)
{
    return sizeof rows / sizeof *rows;
}
static kc_row row(size_t i)
{
    return (kc_row){ rows[i].name, rows[i].isa };
}
static void check(kc *k, size_t i)
{
    rows[i].check(k, rows[i].fn, rows[i].member);
}

const kc_family kc_family_quant = { "quant", n_rows, row, check, NULL };
