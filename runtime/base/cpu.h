/* Instruction-set levels.  A level stands for everything a kernel of that name may use; the
 * operating system's support (XCR0) is checked before a level is believed. */
#ifndef OX_BASE_CPU_H
#define OX_BASE_CPU_H

#include <stdint.h>

#if defined(__x86_64__)
#define OX_X86_64 1
#elif defined(__aarch64__)
#define OX_AARCH64 1
#endif

enum {
    OX_ISA_SCALAR = 0,
    OX_ISA_SSE42 = 1 << 0,      /* x86-64-v2 */
    OX_ISA_AVX2 = 1 << 1,       /* x86-64-v3: AVX2, FMA, F16C, BMI2 */
    OX_ISA_AVXVNNI = 1 << 2,    /* AVX2 + VNNI on 256-bit vectors; AVX-512 does not imply it */
    OX_ISA_AVX512 = 1 << 3,     /* x86-64-v4: F, BW, CD, DQ, VL */
    OX_ISA_AVX512VNNI = 1 << 4, /* AVX512 + VNNI */
    OX_ISA_AVX512VBMI = 1 << 5, /* AVX512VNNI + VBMI */
    OX_ISA_AVX512BF16 = 1 << 6,
    OX_ISA_NEON = 1 << 8, /* every aarch64 */
    OX_ISA_DOTPROD = 1 << 9,
};

/* Levels this process may use: the CPU's, capped by ONNXRUN_ISA and by ox_cpu_cap.  Cached. */
uint32_t ox_cpu(void);

/* Caps the levels at `name` ("scalar", "sse2" (the x86-64 baseline that scalar code is compiled
 * for: the same), "sse42", "avx2", "avx512", "avx512vnni", "neon", ...; NULL or "native": no cap).
 * false: no such name, or this CPU lacks it.  Not thread-safe: at start only. */
int ox_cpu_cap(const char *name);

/* Name of the best level in `mask`, for reports: "avx512vnni", ..., "scalar". */
const char *ox_cpu_name(uint32_t mask);

/* Physical cores available to this process (at least 1). */
int ox_cpu_cores(void);

/* Bytes of the per-core level-2 cache and of the level-1 data cache; a sane guess if unknown. */
void ox_cpu_caches(long *l1d, long *l2, long *l3);

#endif
