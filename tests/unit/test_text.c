/* The growing string, shortest numbers and the JSON writer. */
#include "runtime/base/json.h"

#include <check.h>
#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

START_TEST(text_grows)
{
    ox_text t = { 0 };
    ck_assert_str_eq(ox_text_str(&t), "");
    for (int i = 0; i < 1000; i++)
        ox_text_printf(&t, "%d,", i);
    ox_text_add(&t, "xyz", 2);
    ox_text_add(&t, NULL, 0);
    ox_text_puts(&t, "!");
    ck_assert(!t.failed);
    ck_assert_uint_eq(t.n, strlen(t.s));
    ck_assert_uint_eq(t.n, 10 * 2 + 90 * 3 + 900 * 4 + 3);
    ck_assert_str_eq(t.s + t.n - 7, "999,xy!");
    ox_text_release(&t);
    ck_assert_str_eq(ox_text_str(&t), "");
}
END_TEST

static void is_f64(double x, const char *want)
{
    char buf[OX_NUMBER_TEXT];
    ck_assert_str_eq(ox_format_f64(buf, x), want);
}
static void is_f32(float x, const char *want)
{
    char buf[OX_NUMBER_TEXT];
    ck_assert_str_eq(ox_format_f32(buf, x), want);
}

START_TEST(shortest_known)
{
    is_f64(0, "0");
    is_f64(-0.0, "-0");
    is_f64(1, "1");
    is_f64(-3, "-3");
    is_f64(0.1, "0.1");
    is_f64(0.1 + 0.2, "0.30000000000000004");
    is_f64(1e16, "1e+16");
    is_f64(1e15, "1000000000000000");
    is_f64(123456789012345680.0, "1.2345678901234568e+17");
    is_f64(0.0001, "0.0001");
    is_f64(0.00001, "1e-05");
    is_f64(1.5e300, "1.5e+300");
    is_f64(5e-324, "5e-324");
    is_f64(DBL_MAX, "1.7976931348623157e+308");
    is_f64(0x1p-44, "5.684341886080802e-14"); /* its nearest 16 digits do not read back */
    is_f64(9007199254740993.0, "9007199254740992");
    is_f64(NAN, "nan");
    is_f64(INFINITY, "inf");
    is_f64(-INFINITY, "-inf");
    is_f32(0.1f, "0.1");
    is_f32(16777216, "16777216");
    is_f32(FLT_MAX, "3.4028235e+38");
    is_f32(0x1p-149f, "1e-45");
    is_f32(3.1415927f, "3.1415927");
}
END_TEST

/* Reads back, and no number with one digit less does: the neighbours of that length are tried. */
static void check_shortest(double x, bool single)
{
    char digits[OX_DIGITS], text[64];
    int point, n;
    if (single)
        n = ox_shortest_f32(digits, &point, (float)x);
    else
        n = ox_shortest_f64(digits, &point, x);
    snprintf(text, sizeof(text), "0.%se%d", digits, point);
    double back = single ? (double)strtof(text, NULL) : strtod(text, NULL);
    ck_assert_msg(back == fabs(x), "%a -> %s", x, text);
    ck_assert_int_eq((int)strlen(digits), n);
    ck_assert(n == 1 || digits[n - 1] != '0');
    if (n == 1)
        return;
    long long head = strtoll(digits, NULL, 10) / 10;
    for (long long d = -1; d <= 1; d++) {
        snprintf(text, sizeof(text), "%llde%d", head + d, point - n + 1);
        back = single ? (double)strtof(text, NULL) : strtod(text, NULL);
        ck_assert_msg(back != fabs(x), "%a has the shorter %s", x, text);
    }
}

START_TEST(shortest_many)
{
    uint64_t seed = 12345;
    for (int i = 0; i < 30000; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        uint64_t bits = seed ^ seed >> 29;
        uint32_t low = (uint32_t)(bits >> 20);
        double x;
        float f;
        memcpy(&x, &bits, 8);
        memcpy(&f, &low, 4);
        if (isfinite(x) && x != 0)
            check_shortest(x, false);
        if (isfinite(f) && f != 0)
            check_shortest((double)f, true);
    }
    for (int e = -1074; e < 1024; e++)
        check_shortest(ldexp(1, e), false);
    for (int e = -149; e < 128; e++)
        check_shortest(ldexp(1, e), true);
}
END_TEST

START_TEST(numbers_ignore_the_locale)
{
    if (setlocale(LC_NUMERIC, "de_DE.UTF-8")) { /* where it is installed */
        is_f64(0.5, "0.5");
        is_f64(1.5e-7, "1.5e-07");
        setlocale(LC_NUMERIC, "C");
    }
}
END_TEST

START_TEST(json_document)
{
    ox_text t = { 0 };
    ox_json j = ox_json_to_text(&t);
    ox_json_object(&j);
    ox_json_key_i64(&j, "schema", 1);
    ox_json_key_str(&j, "verdict", "equal");
    ox_json_key(&j, "outputs");
    ox_json_array(&j);
    ox_json_object(&j);
    ox_json_key_f64(&j, "max", 0.25);
    ox_json_key_f64(&j, "nan", NAN);
    ox_json_key_bool(&j, "ok", true);
    ox_json_end(&j);
    ox_json_array(&j);
    ox_json_end(&j);
    ox_json_u64(&j, UINT64_MAX);
    ox_json_i64(&j, INT64_MIN);
    ox_json_f32(&j, 0.1f);
    ox_json_f64(&j, -INFINITY);
    ox_json_str(&j, NULL);
    ox_json_bool(&j, false);
    ox_json_object(&j);
    ox_json_end(&j);
    ox_json_end(&j);
    ox_json_key_str(&j, "end", "");
    ox_json_end(&j);
    ck_assert(ox_json_finish(&j));
    ck_assert_str_eq(t.s,
                     "{\"schema\":1,\"verdict\":\"equal\",\"outputs\":[{\"max\":0.25,\"nan\":null,"
                     "\"ok\":true},[],18446744073709551615,-9223372036854775808,0.1,null,null,"
                     "false,{}],\"end\":\"\"}");
    ox_text_release(&t);
}
END_TEST

static void is_quoted(const char *s, size_t n, const char *want)
{
    ox_text t = { 0 };
    ox_json j = ox_json_to_text(&t);
    ox_json_strn(&j, s, n);
    ck_assert(ox_json_finish(&j));
    ck_assert_str_eq(t.s, want);
    ox_text_release(&t);
}
#define QUOTED(s, want) is_quoted(s, sizeof(s) - 1, "\"" want "\"")
#define BAD             "\xef\xbf\xbd"

START_TEST(json_strings)
{
    QUOTED("", "");
    QUOTED("plain/path", "plain/path");
    QUOTED("a\"b\\c\n\r\t", "a\\\"b\\\\c\\n\\r\\t");
    QUOTED("\0\x01\x1f\x7f", "\\u0000\\u0001\\u001f\\u007f");
    QUOTED("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80");
    QUOTED("a\xff" "b", "a" BAD "b");
    QUOTED("\xc0\x80", BAD BAD);                 /* overlong */
    QUOTED("\xe0\x9f\xbf", BAD BAD BAD);         /* overlong */
    QUOTED("\xed\xa0\x80", BAD BAD BAD);         /* a surrogate */
    QUOTED("\xf4\x90\x80\x80", BAD BAD BAD BAD); /* past U+10FFFF */
    QUOTED("\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf");
    QUOTED("\xe2\x82", BAD BAD); /* cut off */
    QUOTED("\xe2\x82\n", BAD BAD "\\n");
}
END_TEST

START_TEST(json_misuse_is_noticed)
{
    ox_text t = { 0 };
    ox_json j = ox_json_to_text(&t);
    ck_assert(!ox_json_finish(&j)); /* nothing written */
    j = ox_json_to_text(&t);
    ox_json_object(&j);
    ck_assert(!ox_json_finish(&j)); /* not closed */
    j = ox_json_to_text(&t);
    ox_json_object(&j);
    ox_json_i64(&j, 1); /* no key */
    ox_json_end(&j);
    ck_assert(!ox_json_finish(&j));
    j = ox_json_to_text(&t);
    ox_json_array(&j);
    ox_json_key(&j, "k"); /* a key in an array */
    ox_json_end(&j);
    ck_assert(!ox_json_finish(&j));
    j = ox_json_to_text(&t);
    ox_json_i64(&j, 1);
    ox_json_i64(&j, 2); /* two values */
    ck_assert(!ox_json_finish(&j));
    j = ox_json_to_text(&t);
    for (int i = 0; i <= OX_JSON_DEPTH; i++)
        ox_json_array(&j);
    for (int i = 0; i < OX_JSON_DEPTH; i++)
        ox_json_end(&j);
    ck_assert(!ox_json_finish(&j)); /* too deep */
    ox_text_release(&t);
}
END_TEST

START_TEST(json_deepest)
{
    ox_text t = { 0 };
    ox_json j = ox_json_to_text(&t);
    for (int i = 0; i < OX_JSON_DEPTH; i++)
        ox_json_array(&j);
    ox_json_i64(&j, 1);
    ox_json_i64(&j, 2);
    for (int i = 0; i < OX_JSON_DEPTH; i++)
        ox_json_end(&j);
    ck_assert(ox_json_finish(&j));
    ck_assert_uint_eq(t.n, 2 * OX_JSON_DEPTH + 3);
    ck_assert_int_eq(memcmp(t.s + OX_JSON_DEPTH - 1, "[1,2]]", 6), 0);
    ox_text_release(&t);
}
END_TEST

START_TEST(json_full_disk)
{
    FILE *f = fopen("/dev/full", "w");
    if (!f)
        return;
    ox_json j = ox_json_to_file(f);
    ox_json_i64(&j, 1);
    ck_assert(!ox_json_finish(&j));
    fclose(f);
}
END_TEST

Suite *suite_text(void);
Suite *suite_text(void)
{
    Suite *s = suite_create("text");
    TCase *t = tcase_create("text");
    tcase_set_timeout(t, 120);
    tcase_add_test(t, text_grows);
    tcase_add_test(t, shortest_known);
    tcase_add_test(t, shortest_many);
    tcase_add_test(t, numbers_ignore_the_locale);
    tcase_add_test(t, json_document);
    tcase_add_test(t, json_strings);
    tcase_add_test(t, json_misuse_is_noticed);
    tcase_add_test(t, json_deepest);
    tcase_add_test(t, json_full_disk);
    suite_add_tcase(s, t);
    return s;
}
