/* What the machine offers: instruction-set levels, cores, caches.
 *
 * "sse2" names the x86-64 baseline.  The scalar reference is compiled for exactly that, so the name
 * means no level at all, like "scalar". */
#include "runtime/base/cpu.h"
#include "runtime/base/log.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#if defined(OX_X86_64)
#include <cpuid.h>
#elif defined(OX_AARCH64) && defined(__linux__)
#include <sys/auxv.h>
#endif

/* Each level with all that it implies, worst first: a cap at a name allows its `mask`. */
static const struct level {
    const char *name;
    uint32_t    mask;
    uint32_t    bit; /* what the name itself stands for */
} levels[] = {
    { "scalar", 0, 0 },
#if defined(OX_X86_64)
#define X86_AVX512 (OX_ISA_SSE42 | OX_ISA_AVX2 | OX_ISA_AVXVNNI | OX_ISA_AVX512)
    { "sse2", 0, 0 },
    { "sse42", OX_ISA_SSE42, OX_ISA_SSE42 },
    { "avx2", OX_ISA_SSE42 | OX_ISA_AVX2, OX_ISA_AVX2 },
    { "avxvnni", OX_ISA_SSE42 | OX_ISA_AVX2 | OX_ISA_AVXVNNI, OX_ISA_AVXVNNI },
    { "avx512", X86_AVX512, OX_ISA_AVX512 },
    { "avx512vnni", X86_AVX512 | OX_ISA_AVX512VNNI, OX_ISA_AVX512VNNI },
    { "avx512vbmi", X86_AVX512 | OX_ISA_AVX512VNNI | OX_ISA_AVX512VBMI, OX_ISA_AVX512VBMI },
    { "avx512bf16", X86_AVX512 | OX_ISA_AVX512VNNI | OX_ISA_AVX512VBMI | OX_ISA_AVX512BF16, OX_ISA_AVX512BF16 },
#elif defined(OX_AARCH64)
    { "neon", OX_ISA_NEON, OX_ISA_NEON },
    { "dotprod", OX_ISA_NEON | OX_ISA_DOTPROD, OX_ISA_DOTPROD },
#endif
};

#if defined(OX_X86_64)
/* Register state that the operating system saves; only legal when cpuid says OSXSAVE. */
static uint32_t xcr0(void)
{
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}

static bool all(uint32_t word, uint32_t bits) { return (word & bits) == bits; }

static uint32_t detect(void)
{
    enum {
        C1_SSE = 1 << 0 | 1 << 9 | 1 << 19 | 1 << 20 | 1 << 23, /* SSE3, SSSE3, 4.1, 4.2, POPCNT */
        C1_OSXSAVE = 1 << 27,
        C1_AVX = 1 << 12 | 1 << 28 | 1 << 29, /* FMA, AVX, F16C */
        B7_AVX2 = 1 << 3 | 1 << 5 | 1 << 8,   /* BMI1, AVX2, BMI2 */
        C7_VBMI = 1 << 1,
        C7_VNNI = 1 << 11,
        A71_VNNI = 1 << 4,
        A71_BF16 = 1 << 5,
        X_YMM = 0x06,
        X_ZMM = 0xe6,
    };
    const uint32_t b7_avx512 =
        1u << 16 | 1u << 17 | 1u << 28 | 1u << 30 | 1u << 31; /* F DQ CD BW VL */
    uint32_t a, b, c, d, b7 = 0, c7 = 0, a71 = 0, mask = 0;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !all(c, C1_SSE))
        return 0;
    mask = OX_ISA_SSE42;
    uint32_t c1 = c;
    if (__get_cpuid_count(7, 0, &a, &b7, &c7, &d) && a >= 1)
        __get_cpuid_count(7, 1, &a71, &b, &c, &d);
    uint32_t os = all(c1, C1_OSXSAVE) ? xcr0() : 0;
    if (!all(c1, C1_AVX) || !all(b7, B7_AVX2) || !all(os, X_YMM))
        return mask;
    mask |= OX_ISA_AVX2;
    if (all(a71, A71_VNNI))
        mask |= OX_ISA_AVXVNNI;
    if (!all(b7, b7_avx512) || !all(os, X_ZMM))
        return mask;
    mask |= OX_ISA_AVX512;
    if (all(c7, C7_VNNI))
        mask |= OX_ISA_AVX512VNNI;
    if (all(c7, C7_VNNI | C7_VBMI))
        mask |= OX_ISA_AVX512VBMI;
    if (all(a71, A71_BF16))
        mask |= OX_ISA_AVX512BF16;
    return mask;
}
#elif defined(OX_AARCH64)
static uint32_t detect(void)
{
    uint32_t mask = OX_ISA_NEON;
#if defined(__linux__)
    const unsigned long asimddp = 1ul << 20; /* HWCAP_ASIMDDP */
    if (getauxval(AT_HWCAP) & asimddp)
        mask |= OX_ISA_DOTPROD;
#endif
    return mask;
}
#else
static uint32_t detect(void) { return 0; }
#endif

static const struct level *find_level(const char *name)
{
    for (size_t i = 0; i < OX_COUNT(levels); i++)
        if (strcmp(levels[i].name, name) == 0)
            return &levels[i];
    return NULL;
}

enum { KNOWN = 1 << 30 }; /* set in `machine` once it holds a value */
static _Atomic uint32_t machine;
static _Atomic uint32_t cap = UINT32_MAX;

/* Detection gives the same answer in every thread, so racing to be first does no harm. */
static uint32_t machine_mask(void)
{
    uint32_t mask = atomic_load_explicit(&machine, memory_order_relaxed);
    if (mask & KNOWN)
        return mask & ~(uint32_t)KNOWN;
    mask = detect();
    const char *name = getenv("ONNXRUN_ISA");
    if (name && *name && strcmp(name, "native") != 0) {
        const struct level *l = find_level(name);
        if (l)
            mask &= l->mask;
        else
            ox_log("ONNXRUN_ISA: no level \"%s\" here; ignored", name);
    }
    atomic_store_explicit(&machine, mask | KNOWN, memory_order_relaxed);
    return mask;
}

uint32_t ox_cpu(void)
{
    return machine_mask() & atomic_load_explicit(&cap, memory_order_relaxed);
}

int ox_cpu_cap(const char *name)
{
    uint32_t mask = UINT32_MAX;
    if (name && strcmp(name, "native") != 0) {
        const struct level *l = find_level(name);
        if (!l || (l->bit & detect()) != l->bit)
            return false;
        mask = l->mask;
    }
    atomic_store(&cap, mask);
    return true;
}

const char *ox_cpu_name(uint32_t mask)
{
    for (size_t i = OX_COUNT(levels); i-- > 0;)
        if (levels[i].bit & mask)
            return levels[i].name;
    return levels[0].name;
}

/* ---- cores ---- */

#if defined(__linux__)
/* First number in a sysfs file such as "2,34"; -1 when there is none. */
static long sysfs_number(const char *path)
{
    FILE *f = fopen(path, "re");
    long v = -1;
    if (f) {
        if (fscanf(f, "%ld", &v) != 1)
            v = -1;
        fclose(f);
    }
    return v;
}

/* The lowest-numbered CPU that shares cpu's core: it names the core. */
static long core_of(int cpu)
{
    char path[96];
    snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list",
             cpu);
    return sysfs_number(path);
}

/* CPUs' worth of time that the control group allows; 0: no limit, or none known. */
static int quota_cores(void)
{
    FILE *f = fopen("/sys/fs/cgroup/cpu.max", "re");
    long long quota = 0, period = 0;
    int n = f ? fscanf(f, "%lld %lld", &quota, &period) : 0; /* "max 100000": no limit */
    if (f)
        fclose(f);
    if (n != 2 || quota <= 0 || period <= 0)
        return 0;
    return (int)OX_MIN((quota + period - 1) / period, 1 << 20);
}

static int count_cores(void)
{
    enum { MAX_CPUS = 8192 };
    cpu_set_t *allowed = CPU_ALLOC(MAX_CPUS), *cores = CPU_ALLOC(MAX_CPUS);
    size_t n_bytes = CPU_ALLOC_SIZE(MAX_CPUS);
    int n = 0;
    if (allowed && cores && sched_getaffinity(0, n_bytes, allowed) == 0) {
        CPU_ZERO_S(n_bytes, cores);
        for (int i = 0; i < MAX_CPUS; i++) {
            if (!CPU_ISSET_S((size_t)i, n_bytes, allowed))
                continue;
            long core = core_of(i);
            CPU_SET_S((size_t)(core < 0 || core >= MAX_CPUS ? i : core), n_bytes, cores);
        }
        n = CPU_COUNT_S(n_bytes, cores);
    }
    CPU_FREE(allowed);
    CPU_FREE(cores);
    int quota = quota_cores();
    return quota && n ? OX_MIN(n, quota) : n;
}
#else
static int count_cores(void) { return 0; }
#endif

int ox_cpu_cores(void)
{
    int n = count_cores();
    if (n <= 0)
        n = (int)sysconf(_SC_NPROCESSORS_ONLN);
    return OX_MAX(n, 1);
}

/* ---- caches ---- */

#if defined(__linux__)
/* Size of cpu0's data or unified cache of that level from sysfs; 0 when not told. */
static long sysfs_cache(int level)
{
    for (int i = 0; i < 8; i++) {
        char path[96], type[16] = "", unit = 'K';
        long size = 0;
        snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu0/cache/index%d/level", i);
        if (sysfs_number(path) != level)
            continue;
        snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu0/cache/index%d/type", i);
        FILE *f = fopen(path, "re");
        bool typed = f && fscanf(f, "%15s", type) == 1;
        if (f)
            fclose(f);
        if (!typed || strcmp(type, "Instruction") == 0)
            continue;
        snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu0/cache/index%d/size", i);
        f = fopen(path, "re");
        int n = f ? fscanf(f, "%ld%c", &size, &unit) : 0;
        if (f)
            fclose(f);
        if (n >= 1 && size > 0 && size < 1 << 24)
            return size * (n == 2 && unit == 'M' ? 1 << 20 : 1 << 10);
    }
    return 0;
}
#else
static long sysfs_cache(int level) { return level * 0; }
#endif

static long cache_size(int name, int level, long guess)
{
    long n = name >= 0 ? sysconf(name) : 0;
    if (n <= 0)
        n = sysfs_cache(level);
    return n > 0 ? n : guess;
}

void ox_cpu_caches(long *l1d, long *l2, long *l3)
{
#if defined(_SC_LEVEL1_DCACHE_SIZE)
    const int name[3] = { _SC_LEVEL1_DCACHE_SIZE, _SC_LEVEL2_CACHE_SIZE, _SC_LEVEL3_CACHE_SIZE };
#else
    const int name[3] = { -1, -1, -1 };
#endif
    *l1d = cache_size(name[0], 1, 32L << 10);
    *l2 = cache_size(name[1], 2, 512L << 10);
    *l3 = cache_size(name[2], 3, 4L << 20);
}
