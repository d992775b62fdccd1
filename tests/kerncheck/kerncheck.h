/* Checks and times micro-kernels.  A family (gemm, conv, ...) is one file: it lists its rows, and
 * for each row knows how to check it against a float64 oracle; the harness supplies guarded memory,
 * awkward values, a process per row, and the clock. */
#ifndef KERNCHECK_H
#define KERNCHECK_H

#include "runtime/base/cpu.h"
#include "runtime/base/pool.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct kc kc; /* one row's check, or one family's bench */

typedef struct kc_row {
    const char *name;
    uint32_t    isa; /* levels it needs; rows this CPU lacks are not run */
} kc_row;

typedef struct kc_family {
    const char *name;
    size_t (*n_rows)(void);
    kc_row (*row)(size_t i);
    void (*check)(kc *k, size_t i);
    void (*bench)(kc *k); /* may be NULL */
} kc_family;

/* ---- random numbers and values ---- */
uint64_t kc_random(kc *k);
size_t   kc_below(kc *k, size_t n); /* in [0, n) */
double   kc_unit(kc *k);            /* in [-1, 1) */

typedef enum kc_values {
    KC_NORMAL,  /* in [-1, 1) */
    KC_WIDE,    /* many binades, signs, zeros of both signs */
    KC_TINY,    /* subnormals and their neighbours */
    KC_HUGE,    /* a sum of these may overflow */
    KC_SPECIAL, /* normal, with a few infinities, NaN and zeros of both signs */
    KC_N_VALUES
} kc_values;
void kc_fill_f32(kc *k, float *x, size_t n, kc_values v);
void kc_fill_f64(kc *k, double *x, size_t n, kc_values v);
void kc_fill(kc *k, void *x, size_t n, bool f64, kc_values v);

/* ---- memory ----
 * n bytes between canaries, at an address that is a multiple of elem but not of 2 * elem when odd;
 * freed, and its canaries checked, by kc_release. */
void *kc_alloc(kc *k, size_t n, size_t elem, bool odd);
void  kc_release(kc *k);

/* ---- verdicts ---- */
void kc_fail(kc *k, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool kc_failed(const kc *k);
/* 10, or 1 under --quick (emulators): what numbers of random cases are proportional to */
int  kc_thoroughness(const kc *k);
/* One element: y against the exact value under an absolute bound.  NaN and infinities compare by
 * class; where mag, the sum of absolute terms, is finite but may overflow the type, anything
 * goes. */
void kc_compare(kc *k, double y, double exact, double bound, long double mag, bool f64);

/* Runs fn(ctx, pool) with 1, 2, 3 and 8 threads: the n bytes at `out`, which hold the same before
 * each run, must hold the same after it. */
typedef void kc_run_fn(void *ctx, ox_pool *pool);
void kc_same_bits(kc *k, void *out, size_t n, kc_run_fn *fn, void *ctx);

/* ---- bench ----
 * kc_problem opens a problem ("gemm/m64n3136k576"; false: not asked for), kc_candidate adds a way
 * to solve it, kc_race times them in turns and reports.  The first candidate is the base line. */
bool kc_problem(kc *k, double flops, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void kc_candidate(kc *k, const char *name, bool picked, void (*fn)(void *), void *ctx);
void kc_race(kc *k);

#endif
