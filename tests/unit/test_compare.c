/* The rule, and every number that is printed with a verdict. */
#include "verify/compare.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static ox_value vector(ox_dtype t, const void *data, int64_t n)
{
    return (
        ox_value){ .kind = OX_TENSOR,
                   .t = { .dtype = t, .rank = 1, .dim = { n }, .data = (void *)(uintptr_t)data } };
}

static ox_diff compare(ox_dtype t, const void *a, const void *e, int64_t n, double rtol,
                       double atol)
{
    ox_value va = vector(t, a, n), ve = vector(t, e, n);
    ox_diff d;
    ox_compare(&va, &ve, (ox_tolerance){ rtol, atol, false }, &d);
    return d;
}

#define F32(...) ((const float[]){ __VA_ARGS__ })
#define F64(...) ((const double[]){ __VA_ARGS__ })

START_TEST(rule_is_numpys)
{
    ck_assert(compare(OX_F32, F32(1.0001f), F32(1), 1, -1, -1).equal);
    ck_assert(!compare(OX_F32, F32(1.0002f), F32(1), 1, -1, -1).equal);
    ck_assert(!compare(OX_F32, F32(1e-4f), F32(0), 1, -1, -1).equal);
    ck_assert(compare(OX_F32, F32(9e-6f), F32(0), 1, -1, -1).equal);
    ck_assert(compare(OX_F32, F32(-0.0f), F32(0), 1, 0, 0).equal);
    ck_assert(compare(OX_F64, F64(1 + 1e-9), F64(1), 1, -1, -1).equal);
    ck_assert(!compare(OX_F64, F64(1 + 3e-9), F64(1), 1, -1, -1).equal);
    /* the tolerance is relative to the expected value, not to the actual one */
    ck_assert(compare(OX_F64, F64(1), F64(2), 1, 0.5, 0).equal);
    ck_assert(!compare(OX_F64, F64(2), F64(1), 1, 0.5, 0).equal);
}
END_TEST

START_TEST(special_values_are_compared_by_class)
{
    ck_assert(compare(OX_F32, F32(NAN, INFINITY, -INFINITY), F32(NAN, INFINITY, -INFINITY), 3, 0, 0)
                  .equal);
    ck_assert(!compare(OX_F32, F32(NAN), F32(1), 1, 1e30, 1e30).equal);
    ck_assert(!compare(OX_F32, F32(1), F32(NAN), 1, 1e30, 1e30).equal);
    ck_assert(!compare(OX_F32, F32(INFINITY), F32(-INFINITY), 1, 1e30, 1e30).equal);
    ck_assert(!compare(OX_F32, F32(1), F32(INFINITY), 1, 1e30, 1e30).equal);
    ck_assert(!compare(OX_F32, F32(INFINITY), F32(1), 1, 1e30, 1e30).equal);
    ox_diff d = compare(OX_F32, F32(1, 5, NAN, 3), F32(1, 2, 3, INFINITY), 4, 0, 0);
    ck_assert_int_eq(d.out_of_tolerance, 3);
    ck_assert(isnan(d.max_abs)); /* NaN is worse than infinity is worse than 3 */
    ck_assert_int_eq(d.worst.index[0], 2);
    ck_assert_double_eq(d.max_rel, 1.5);
    ck_assert_int_eq(d.worst_rel.index[0], 1);
    ck_assert_int_eq(d.n_finite, 2);
    d = compare(OX_F32, F32(1, 5, 7, 3), F32(1, 2, 7, INFINITY), 4, 0, 0);
    ck_assert(isinf(d.max_abs));
    ck_assert_int_eq(d.worst.index[0], 3);
}
END_TEST

START_TEST(numbers_of_a_known_pair)
{
    ox_diff d = compare(OX_F32, F32(3, 4.5f, 0), F32(3, 4, 0.25f), 3, 0, 0);
    ck_assert(!d.equal);
    ck_assert_double_eq(d.max_abs, 0.5);
    ck_assert_int_eq(d.worst.index[0], 1);
    ck_assert_double_eq(d.worst.actual, 4.5);
    ck_assert_double_eq(d.worst.expected, 4);
    ck_assert_double_eq(d.max_rel, 1);
    ck_assert_int_eq(d.worst_rel.index[0], 2);
    ck_assert_double_eq_tol(ox_diff_rms(&d), sqrt((0.25 + 0.0625) / 3), 1e-15);
    ck_assert_double_eq_tol(ox_diff_cosine(&d),
                            (9 + 18) / (sqrt(9 + 20.25) * sqrt(9 + 16 + 0.0625)), 1e-15);
    ck_assert_double_eq(d.max_ulp, 0x3e800000); /* from 0 to 0.25 */
    ck_assert_int_eq(d.out_of_tolerance, 2);
}
END_TEST

START_TEST(ulps_cross_zero)
{
    const float tiny = 0x1p-149f;
    ck_assert_double_eq(compare(OX_F32, &tiny, F32(-0x1p-149f), 1, 1, 1).max_ulp, 2);
    ck_assert_double_eq(compare(OX_F32, F32(-0.0f), F32(0), 1, 1, 1).max_ulp, 0);
    ck_assert_double_eq(compare(OX_F64, F64(1), F64(nextafter(1, 2)), 1, 1, 1).max_ulp, 1);
    ck_assert_double_eq(
        compare(OX_F16, ((const uint16_t[]){ 0x3c00 }), ((const uint16_t[]){ 0x3c05 }), 1, 1, 1)
            .max_ulp,
        5);
    ck_assert_double_eq(
        compare(OX_BF16, ((const uint16_t[]){ 0x0001 }), ((const uint16_t[]){ 0x8002 }), 1, 1, 1)
            .max_ulp,
        3);
    ck_assert_double_eq(compare(OX_F8E4M3FN, "\x38", "\x3a", 1, 1, 1).max_ulp, 2);
    ck_assert_double_eq(compare(OX_F8E8M0, "\x80", "\x7e", 1, 1, 1).max_ulp, 2);
}
END_TEST

START_TEST(integers_are_exact_to_the_last_bit)
{
    const int64_t a = (INT64_C(1) << 60) + 1, b = INT64_C(1) << 60;
    const uint64_t big[2] = { UINT64_MAX, 0 }, other[2] = { UINT64_MAX, UINT64_MAX };
    ox_diff d = compare(OX_I64, &a, &b, 1, 1, 1);
    ck_assert(!d.equal && d.exact);
    ck_assert_double_eq(d.max_abs, 1);
    d = compare(OX_U64, big, other, 2, 1, 1);
    ck_assert_int_eq(d.out_of_tolerance, 1);
    ck_assert_double_eq(d.max_abs, 0x1p64);
    ck_assert(!compare(OX_BOOL, "\1", "\0", 1, 1, 1).equal);
    ck_assert(compare(OX_I8, "\xff\x7f", "\xff\x7f", 2, 0, 0).equal);
}
END_TEST

START_TEST(complex_numbers_by_modulus)
{
    ck_assert(compare(OX_C64, F32(3, 4), F32(3, 4), 1, 0, 0).equal);
    ox_diff d = compare(OX_C64, F32(3, 4), F32(4, 3), 1, 0, 0); /* of equal modulus */
    ck_assert(!d.equal);
    ck_assert_double_eq_tol(d.max_abs, sqrt(2), 1e-15);
    ck_assert(compare(OX_C128, F64(1, NAN), F64(NAN, 2), 1, 0, 0).equal);
    ck_assert(!compare(OX_C128, F64(1, NAN), F64(1, 2), 1, 9, 9).equal);
}
END_TEST

START_TEST(type_and_shape_are_exact)
{
    float x[4] = { 0 };
    ox_value a = vector(OX_F32, x, 4), b = vector(OX_I32, x, 4), c = vector(OX_F32, x, 4);
    ox_diff d;
    ox_compare(&a, &b, (ox_tolerance){ 9, 9, false }, &d);
    ck_assert(!d.equal);
    ck_assert_str_eq(d.text, "type f32, expected i32");
    c.t.rank = 2;
    c.t.dim[0] = c.t.dim[1] = 2;
    ox_compare(&a, &c, (ox_tolerance){ 9, 9, false }, &d);
    ck_assert_str_eq(d.text, "shape [4], expected [2,2]");
    ox_compare_types(&a, &c, &d);
    ck_assert(!d.equal);
    ox_value none = { .kind = OX_NONE };
    ox_compare(&none, &none, (ox_tolerance){ 0, 0, false }, &d);
    ck_assert(d.equal);
    ox_compare(&a, &none, (ox_tolerance){ 0, 0, false }, &d);
    ck_assert_str_eq(d.text, "f32[4], expected none");
}
END_TEST

START_TEST(strings_and_sequences)
{
    ox_str x[2] = { { "a", 1 }, { "bc", 2 } }, y[2] = { { "a", 1 }, { "bd", 2 } };
    ox_value a = vector(OX_STR, x, 2), e = vector(OX_STR, y, 2);
    ox_diff d;
    ox_seq *s = ox_seq_create(2), *t = ox_seq_create(2);
    for (int i = 0; i < 2; i++) {
        ox_value one, two;
        ck_assert_int_eq(ox_value_clone(&one, &a, NULL), OX_OK);
        ck_assert_int_eq(ox_value_clone(&two, i ? &e : &a, NULL), OX_OK);
        ck_assert_int_eq(ox_seq_push(s, &one, NULL), OX_OK);
        ck_assert_int_eq(ox_seq_push(t, &two, NULL), OX_OK);
    }
    ox_value vs = { .kind = OX_SEQUENCE, .seq = s }, vt = { .kind = OX_SEQUENCE, .seq = t };
    ox_compare(&vs, &vs, (ox_tolerance){ 0, 0, false }, &d);
    ck_assert(d.equal);
    ck_assert_int_eq(d.elements, 4);
    ox_compare(&vs, &vt, (ox_tolerance){ 0, 0, false }, &d);
    ck_assert(!d.equal);
    ck_assert_str_eq(d.text, "[1]: string 1 is \"bc\", expected \"bd\"");
    ox_seq_unref(s);
    ox_seq_unref(t);
}
END_TEST

START_TEST(map_keys_come_in_any_order)
{
    int64_t k1[2] = { 1, 2 }, k2[2] = { 2, 1 };
    float   x1[2] = { 10, 20 }, x2[2] = { 20, 10 };
    for (int wrong = 0; wrong < 2; wrong++) {
        ox_map *m[2];
        for (int i = 0; i < 2; i++) {
            ox_value k = vector(OX_I64, i ? k2 : k1, 2),
                     x = vector(OX_F32, i && !wrong ? x2 : x1, 2), keys, values;
            ck_assert_int_eq(ox_value_clone(&keys, &k, NULL), OX_OK);
            ck_assert_int_eq(ox_value_clone(&values, &x, NULL), OX_OK);
            m[i] = ox_map_create(&keys.t, &values);
        }
        ox_value a = { .kind = OX_MAP, .map = m[0] }, e = { .kind = OX_MAP, .map = m[1] };
        ox_diff d;
        ox_compare(&a, &e, (ox_tolerance){ 0, 0, false }, &d);
        ck_assert_int_eq(d.equal, !wrong);
        ox_map_unref(m[0]);
        ox_map_unref(m[1]);
    }
}
END_TEST

/* Blocks must not hide the place of the worst element, nor an element between two blocks. */
START_TEST(long_vectors_find_every_place)
{
    enum { N = 10007 };
    float *a = malloc(N * sizeof *a), *e = malloc(N * sizeof *e);
    for (int i = 0; i < N; i++)
        a[i] = e[i] = (float)(i % 97) + 1;
    for (int at = 0; at < N; at += 331) {
        a[at] += 0.5f;
        ox_diff d = compare(OX_F32, a, e, N, 0, 0);
        ck_assert_int_eq(d.out_of_tolerance, 1);
        ck_assert_int_eq(d.worst.index[0], at);
        ck_assert_double_eq(d.max_abs, 0.5);
        a[at] = NAN;
        d = compare(OX_F32, a, e, N, 0, 0);
        ck_assert_int_eq(d.out_of_tolerance, 1);
        ck_assert_int_eq(d.worst.index[0], at);
        a[at] = e[at];
    }
    ck_assert(compare(OX_F32, a, e, N, 0, 0).equal);
    free(a);
    free(e);
}
END_TEST

START_TEST(suite_widens_bf16_only)
{
    const uint16_t a = 0x3f81, e = 0x3f80, h = 0x3c05,
                   g = 0x3c00; /* one step of bf16; five of f16 */
    ox_value va = vector(OX_BF16, &a, 1), ve = vector(OX_BF16, &e, 1), vh = vector(OX_F16, &h, 1),
             vg = vector(OX_F16, &g, 1);
    ox_diff d;
    ox_compare(&va, &ve, (ox_tolerance){ 1e-3, 1e-7, true }, &d);
    ck_assert(d.equal);
    ox_compare(&va, &ve, (ox_tolerance){ 1e-3, 1e-7, false }, &d);
    ck_assert(!d.equal);
    ox_compare(&vh, &vg, (ox_tolerance){ 1e-3, 1e-7, true }, &d);
    ck_assert(!d.equal);
}
END_TEST

START_TEST(stats_leave_out_what_is_not_finite)
{
    ox_value v = vector(OX_F32, F32(1, NAN, -3, INFINITY, -INFINITY), 5);
    ox_stats s;
    ox_tensor_stats(&v.t, &s);
    ck_assert_int_eq(s.nan, 1);
    ck_assert_int_eq(s.inf, 2);
    ck_assert_double_eq(s.min, -3);
    ck_assert_double_eq(s.max, 1);
    ck_assert_double_eq(s.mean, -1);
    v.t.dim[0] = 0;
    ox_tensor_stats(&v.t, &s);
    ck_assert(isnan(s.mean));
}
END_TEST

Suite *suite_compare(void);
Suite *suite_compare(void)
{
    Suite *s = suite_create("compare");
    TCase *c = tcase_create("compare");
    tcase_add_test(c, rule_is_numpys);
    tcase_add_test(c, special_values_are_compared_by_class);
    tcase_add_test(c, numbers_of_a_known_pair);
    tcase_add_test(c, ulps_cross_zero);
    tcase_add_test(c, integers_are_exact_to_the_last_bit);
    tcase_add_test(c, complex_numbers_by_modulus);
    tcase_add_test(c, type_and_shape_are_exact);
    tcase_add_test(c, strings_and_sequences);
    tcase_add_test(c, map_keys_come_in_any_order);
    tcase_add_test(c, long_vectors_find_every_place);
    tcase_add_test(c, suite_widens_bf16_only);
    tcase_add_test(c, stats_leave_out_what_is_not_finite);
    suite_add_tcase(s, c);
    return s;
}
