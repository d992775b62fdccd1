/* What the verdicts rest on: error bounds, the comparison with what rounding explains. */
#include "verify/judge.h"

#include <check.h>
#include <math.h>

START_TEST(bound_by_kind)
{
    double u = ox_dtype_roundoff(OX_F32);
    ck_assert_double_eq(ox_error_bound((ox_error_model){ ERR_EXACT, 0 }, OX_F32, 3, NAN), 0);
    ck_assert_double_eq(ox_error_bound((ox_error_model){ ERR_ULP, 0.5 }, OX_F32, 1, NAN), u);
    ck_assert_double_eq(ox_error_bound((ox_error_model){ ERR_ULP, 0.5 }, OX_F32, 1.5, NAN), u);
    ck_assert_double_eq(ox_error_bound((ox_error_model){ ERR_SUM, 4 }, OX_F32, 0, 10),
                        40 * u + ox_dtype_tiny(OX_F32));
    ck_assert(isinf(ox_error_bound((ox_error_model){ ERR_RANDOM, 0 }, OX_F32, 1, NAN)));
}
END_TEST

START_TEST(errors_of_arrays)
{
    double a[] = { 1, NAN, INFINITY, 4 }, b[] = { 1, NAN, INFINITY, 7 }, c[] = { 1, 2, INFINITY, 4 };
    size_t at;
    ck_assert_double_eq(ox_max_error(a, b, 4, &at), 3);
    ck_assert_uint_eq(at, 3);
    ck_assert(isinf(ox_max_error(a, c, 4, &at)));
    ck_assert_uint_eq(at, 1);
    ck_assert_double_eq(ox_rms(a, b, 4), sqrt(4.5));
}
END_TEST

START_TEST(excess_of_elements)
{
    double truth[] = { 1, 1e39, 0 }, bound[] = { 1e-7, 1e32, 0 }, ours[] = { 1, 1e39, 0 };
    double overflow[] = { 1, INFINITY, 0 }, wrong[] = { 1.001, 1e39, 0 }, nan[] = { 1, 1e39, NAN };
    ox_allowance a = { .truth = truth, .bound = bound, .ours = ours, .own = true, .safety = 16 };
    size_t at;
    ck_assert_double_eq(ox_excess(&a, overflow, OX_F32, 3, &at), 0);
    ck_assert_double_gt(ox_excess(&a, wrong, OX_F32, 3, &at), 500);
    ck_assert_uint_eq(at, 0);
    ck_assert(isinf(ox_excess(&a, nan, OX_F32, 3, &at)));
    ck_assert_uint_eq(at, 2);
}
END_TEST

Suite *suite_truth(void);
Suite *suite_truth(void)
{
    Suite *s = suite_create("truth");
    TCase *c = tcase_create("truth");
    tcase_add_test(c, bound_by_kind);
    tcase_add_test(c, errors_of_arrays);
    tcase_add_test(c, excess_of_elements);
    suite_add_tcase(s, c);
    return s;
}
