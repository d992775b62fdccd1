/* status, arena, cpu, log and clock. */
#include "runtime/base/arena.h"
#include "runtime/base/cpu.h"
#include "runtime/base/log.h"

#include <check.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- status ---- */

START_TEST(first_fault_wins)
{
    ox_error err = { 0 };
    ck_assert_int_eq(OX_FAIL(&err, OX_E_SHAPE, "rank %d, expected %d", 3, 4), OX_E_SHAPE);
    ck_assert_int_eq(OX_FAIL(&err, OX_E_NOMEM, "later"), OX_E_NOMEM);
    ck_assert_int_eq(err.code, OX_E_SHAPE);
    ck_assert_str_eq(err.message, "rank 3, expected 4");
    ck_assert_ptr_nonnull(strstr(err.file, "test_base.c"));
    ck_assert_int_gt(err.line, 0);
    ck_assert_int_eq(OX_FAIL(NULL, OX_E_IO, "nobody listens"), OX_E_IO);
}
END_TEST

START_TEST(long_message_is_marked)
{
    ox_error err = { 0 };
    char text[2000];
    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = 0;
    OX_FAIL(&err, OX_E_IO, "%s", text);
    ck_assert_uint_eq(strlen(err.message), sizeof(err.message) - 1);
    ck_assert_str_eq(err.message + sizeof(err.message) - 5, "x...");
}
END_TEST

static ox_code forward(ox_code code)
{
    OX_TRY(code);
    return OX_E_INTERNAL;
}

START_TEST(code_text)
{
    for (int i = 0; i < OX_N_CODES; i++)
        ck_assert_uint_gt(strlen(ox_code_text((ox_code)i)), 0);
    ck_assert_str_eq(ox_code_text(OX_E_NOMEM), "out of memory");
    ck_assert_str_eq(ox_code_text((ox_code)-1), "unknown error");
    ck_assert_str_eq(ox_code_text(OX_N_CODES), "unknown error");
    ck_assert_int_eq(forward(OX_E_IO), OX_E_IO);
    ck_assert_int_eq(forward(OX_OK), OX_E_INTERNAL);
}
END_TEST

START_TEST(checked_sizes)
{
    size_t n = 7;
    ck_assert(ox_mul_size(&n, SIZE_MAX / 2, 2) && n == SIZE_MAX - 1);
    ck_assert(!ox_mul_size(&n, SIZE_MAX / 2 + 1, 2));
    ck_assert(ox_add_size(&n, SIZE_MAX - 1, 1) && n == SIZE_MAX);
    ck_assert(!ox_add_size(&n, SIZE_MAX, 1));
}
END_TEST

/* ---- arena ---- */

static bool zeroed(const void *p, size_t n)
{
    const unsigned char *b = p;
    for (size_t i = 0; i < n; i++)
        if (b[i])
            return false;
    return true;
}

START_TEST(arena_blocks)
{
    ox_arena *a = ox_arena_create(0);
    unsigned char *block[3000];
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < OX_COUNT(block); i++) {
            size_t n = i * 7 % 301;
            bool line = i % 3 == 0;
            block[i] = line ? ox_arena_alloc64(a, n) : ox_arena_alloc(a, n);
            ck_assert_ptr_nonnull(block[i]);
            ck_assert_uint_eq((uintptr_t)block[i] % (line ? 64 : 16), 0);
            ck_assert(zeroed(block[i], n));
            memset(block[i], (int)(i % 255) + 1, n);
        }
        for (size_t i = 0; i < OX_COUNT(block); i++)
            for (size_t k = 0; k < i * 7 % 301; k++)
                ck_assert_uint_eq(block[i][k], i % 255 + 1);
        ck_assert_uint_gt(ox_arena_used(a), 400000);
        ox_arena_reset(a);
        ck_assert_uint_eq(ox_arena_used(a), 0);
    }
    ox_arena_destroy(a);
    ox_arena_destroy(NULL);
}
END_TEST

START_TEST(arena_reuses_the_largest_chunk)
{
    ox_arena *a = ox_arena_create(0);
    ck_assert_ptr_nonnull(ox_arena_alloc(a, 100));
    char *large = ox_arena_alloc(a, 3000000);
    ck_assert_ptr_nonnull(large);
    memset(large, 1, 3000000);
    ck_assert_ptr_nonnull(ox_arena_alloc(a, 100));
    ox_arena_reset(a);
    char *again = ox_arena_alloc(a, 3000000);
    ck_assert_ptr_eq(again, large);
    ck_assert(zeroed(again, 3000000));
    ox_arena_destroy(a);
}
END_TEST

START_TEST(arena_budget)
{
    ox_arena *a = ox_arena_create(10000);
    ck_assert_ptr_null(ox_arena_alloc(a, 10001));
    ck_assert_ptr_null(ox_arena_alloc(a, SIZE_MAX));
    ck_assert_ptr_null(ox_arena_alloc(a, SIZE_MAX - 20));
    ck_assert_ptr_null(ox_arena_array(a, SIZE_MAX / 2, 4));
    ck_assert_ptr_null(ox_arena_strndup(a, "", SIZE_MAX));
    size_t n = 0;
    while (ox_arena_alloc(a, 100))
        n++;
    ck_assert_uint_ge(n, 70); /* padding and red zones take their part */
    ck_assert_uint_le(n, 100);
    ck_assert_uint_le(ox_arena_used(a), 10000);
    ox_arena_reset(a);
    ck_assert_ptr_nonnull(ox_arena_alloc(a, 9000));
    ox_arena_destroy(a);
}
END_TEST

START_TEST(arena_text)
{
    ox_arena *a = ox_arena_create(0);
    ck_assert_str_eq(ox_arena_strndup(a, "conv12", 4), "conv");
    ck_assert_str_eq(ox_arena_strndup(a, NULL, 0), "");
    ck_assert_str_eq(ox_arena_printf(a, "%s_%d", "node", 12), "node_12");
    char *same = ox_arena_strndup(a, "a\0b", 3);
    ck_assert_int_eq(memcmp(same, "a\0b", 4), 0);
    ox_arena_destroy(a);
}
END_TEST

START_TEST(arena_grow)
{
    ox_arena *a = ox_arena_create(1 << 20);
    int *x = NULL;
    size_t n = 0, capacity = 0;
    for (; n < 10000; n++) {
        ck_assert(ox_arena_grow(a, (void **)&x, n, &capacity, sizeof(*x)));
        ck_assert_uint_gt(capacity, n);
        x[n] = (int)n;
    }
    for (size_t i = 0; i < n; i++)
        ck_assert_int_eq(x[i], (int)i);
    while (ox_arena_grow(a, (void **)&x, capacity, &capacity, sizeof(*x)))
        ;
    ck_assert_int_eq(x[9999], 9999); /* unchanged by the failure */
    ox_arena_destroy(a);
}
END_TEST

/* ---- cpu ---- */

START_TEST(cpu_levels)
{
    uint32_t all = ox_cpu();
    ck_assert(ox_cpu_cap("scalar"));
    ck_assert_uint_eq(ox_cpu(), OX_ISA_SCALAR);
    ck_assert_str_eq(ox_cpu_name(ox_cpu()), "scalar");
    ck_assert(!ox_cpu_cap("avx1024"));
    ck_assert(!ox_cpu_cap(""));
    ck_assert_uint_eq(ox_cpu(), OX_ISA_SCALAR); /* a bad name changes nothing */
    ck_assert(ox_cpu_cap("native"));
    ck_assert_uint_eq(ox_cpu(), all);
    ck_assert(ox_cpu_cap(ox_cpu_name(all)));
    ck_assert_uint_eq(ox_cpu(), all);
    ck_assert(ox_cpu_cap(NULL));
    ck_assert_uint_eq(ox_cpu(), all);
}
END_TEST

#if defined(OX_X86_64)
START_TEST(cpu_x86_implies)
{
    uint32_t all = ox_cpu();
    static const uint32_t chain[] = { OX_ISA_SSE42, OX_ISA_AVX2, OX_ISA_AVX512 };
    static const char *const name[] = { "sse42", "avx2", "avx512" };
    for (size_t i = 0; i + 1 < OX_COUNT(chain); i++)
        ck_assert(!(all & chain[i + 1]) || all & chain[i]);
    ck_assert(!(all & (OX_ISA_AVX512VNNI | OX_ISA_AVX512BF16)) || all & OX_ISA_AVX512);
    for (size_t i = 0; i < OX_COUNT(chain); i++) {
        if (!(all & chain[i]))
            continue;
        ck_assert(ox_cpu_cap(name[i]));
        ck_assert_str_eq(ox_cpu_name(ox_cpu()), name[i]);
        ck_assert_uint_lt(ox_cpu(), chain[i] * 2); /* nothing above it */
    }
    ck_assert(ox_cpu_cap("sse2"));
    ck_assert_uint_eq(ox_cpu(), OX_ISA_SCALAR);
    ck_assert(!ox_cpu_cap("neon"));
}
END_TEST

START_TEST(cpu_agrees_with_the_compiler)
{
    ck_assert(ox_cpu_cap(NULL));
    __builtin_cpu_init();
    if (!getenv("ONNXRUN_ISA")) { /* the compiler's own detection, written by others */
        ck_assert_int_eq(!!(ox_cpu() & OX_ISA_SSE42), !!__builtin_cpu_supports("sse4.2"));
        ck_assert_int_eq(!!(ox_cpu() & OX_ISA_AVX2),
                         __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"));
        ck_assert_int_eq(!!(ox_cpu() & OX_ISA_AVX512), __builtin_cpu_supports("avx512f") &&
                                                           __builtin_cpu_supports("avx512bw"));
    }
}
END_TEST
#endif

START_TEST(cpu_environment)
{
    setenv("ONNXRUN_ISA", "scalar", 1); /* the test's own process: nothing asked before */
    ck_assert_uint_eq(ox_cpu(), OX_ISA_SCALAR);
    setenv("ONNXRUN_ISA", "native", 1);
    ck_assert_uint_eq(ox_cpu(), OX_ISA_SCALAR); /* read once */
    ck_assert(ox_cpu_cap("native"));
    ck_assert_uint_eq(ox_cpu(), OX_ISA_SCALAR); /* both caps hold */
}
END_TEST

START_TEST(cpu_machine)
{
    long l1 = 0, l2 = 0, l3 = 0;
    int cores = ox_cpu_cores();
    ck_assert_int_ge(cores, 1);
    ck_assert_int_le(cores, (int)sysconf(_SC_NPROCESSORS_CONF));
    ox_cpu_caches(&l1, &l2, &l3);
    ck_assert_int_ge(l1, 4 << 10);
    ck_assert_int_ge(l2, l1);
    ck_assert_int_ge(l3, 1 << 10);
#if defined(__linux__)
    cpu_set_t before, one;
    ck_assert_int_eq(sched_getaffinity(0, sizeof(before), &before), 0);
    int cpu = 0;
    while (!CPU_ISSET(cpu, &before))
        cpu++;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    ck_assert_int_eq(sched_setaffinity(0, sizeof(one), &one), 0);
    ck_assert_int_eq(ox_cpu_cores(), 1);
    ck_assert_int_eq(sched_setaffinity(0, sizeof(before), &before), 0);
#endif
}
END_TEST

/* ---- log ---- */

static char *captured(char *buf, size_t n_buf)
{
    int keep = dup(STDERR_FILENO);
    FILE *f = tmpfile();
    ck_assert(keep >= 0 && f);
    dup2(fileno(f), STDERR_FILENO);
    ox_log("%s %d", "silent", 1);
    ox_log_level(1);
    ox_log("%s %d", "loud", 2);
    ox_log_level(0);
    fflush(stderr);
    dup2(keep, STDERR_FILENO);
    close(keep);
    rewind(f);
    size_t n = fread(buf, 1, n_buf - 1, f);
    buf[n] = 0;
    fclose(f);
    return buf;
}

START_TEST(log_by_level)
{
    char buf[200];
    ck_assert(!ox_log_enabled());
    ck_assert_str_eq(captured(buf, sizeof(buf)), "onnxrun: loud 2\n");
    int64_t t = ox_clock_ns();
    ck_assert_int_ge(ox_clock_ns(), t);
}
END_TEST

Suite *suite_base(void);
Suite *suite_base(void)
{
    Suite *s = suite_create("base");
    TCase *t = tcase_create("base");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, first_fault_wins);
    tcase_add_test(t, long_message_is_marked);
    tcase_add_test(t, code_text);
    tcase_add_test(t, checked_sizes);
    tcase_add_test(t, arena_blocks);
    tcase_add_test(t, arena_reuses_the_largest_chunk);
    tcase_add_test(t, arena_budget);
    tcase_add_test(t, arena_text);
    tcase_add_test(t, arena_grow);
    tcase_add_test(t, cpu_levels);
#if defined(OX_X86_64)
    tcase_add_test(t, cpu_x86_implies);
    tcase_add_test(t, cpu_agrees_with_the_compiler);
#endif
    tcase_add_test(t, cpu_environment);
    tcase_add_test(t, cpu_machine);
    tcase_add_test(t, log_by_level);
    suite_add_tcase(s, t);
    return s;
}
