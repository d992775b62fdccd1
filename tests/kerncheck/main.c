/* kerncheck: every micro-kernel against its float64 oracle, and against the clock.
 *
 *   kerncheck [--seed=N] [--quick] [GLOB]   check the rows whose name matches
 *   kerncheck --bench[=GLOB]                time the problems whose name matches
 *   kerncheck --bench --assert              fail where dispatch's pick is not within 5 % of the
 * best
 *
 * Each row is checked in a process of its own: a crash fails that row only. */
#include "tests/kerncheck/kerncheck.h"

#include <fnmatch.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define FAMILY(name) extern const kc_family kc_family_##name;
#include "tests/kerncheck/families.def"
#undef FAMILY

static const kc_family *const families[] = {
#define FAMILY(name) &kc_family_##name,
#include "tests/kerncheck/families.def"
#undef FAMILY
};

enum { GUARD = 256, MAX_BUFFERS = 128, MAX_CANDIDATES = 24, ROUNDS = 15, CANARY = 0xA5, POOLS = 4 };

typedef struct buffer {
    unsigned char *base, *data;
    size_t n;
} buffer;

typedef struct candidate {
    const char *name;
    bool picked;
    void (*fn)(void *);
    void *ctx;
    size_t reps; /* calls per measurement */
    double seconds[ROUNDS];
} candidate;

struct kc {
    uint64_t state;
    buffer buffers[MAX_BUFFERS];
    size_t n_buffers;
    double share; /* largest part of a bound that was used */
    char fault[256];
    int thoroughness;
    ox_pool *pools[POOLS]; /* made at first use */
    /* bench */
    const char *glob;
    char problem[128];
    double flops;
    candidate candidates[MAX_CANDIDATES];
    size_t n_candidates;
    bool must_be_best;
    int n_passed, n_failed;
};

/* ---- values ---- */

uint64_t kc_random(kc *k) /* splitmix64 */
{
    uint64_t z = k->state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}
size_t kc_below(kc *k, size_t n) { return (size_t)(kc_random(k) % n); }
double kc_unit(kc *k) { return ldexp((double)(kc_random(k) >> 11), -52) - 1; }

static double draw(kc *k, kc_values v, int max_exp, int min_exp)
{
    double s = kc_unit(k);
    switch (v) {
    case KC_WIDE:
        if (kc_below(k, 16) == 0)
            return copysign(0, s);
        return ldexp(s, (int)kc_below(k, 40) - 20);
    case KC_TINY:
        return ldexp(s, min_exp + (int)kc_below(k, 30));
    case KC_HUGE:
        return ldexp(s, max_exp - (int)kc_below(k, 70));
    case KC_SPECIAL:
        switch (kc_below(k, 64)) {
        case 0:
            return copysign(INFINITY, s);
        case 1:
            return NAN;
        case 2:
        case 3:
            return copysign(0, s);
        default:
            return s;
        }
    default:
        return s;
    }
}

void kc_fill_f32(kc *k, float *x, size_t n, kc_values v)
{
    for (size_t i = 0; i < n; i++)
        x[i] = (float)draw(k, v, 100, -149);
}
void kc_fill_f64(kc *k, double *x, size_t n, kc_values v)
{
    for (size_t i = 0; i < n; i++)
        x[i] = draw(k, v, 900, -1074);
}
void kc_fill(kc *k, void *x, size_t n, bool f64, kc_values v)
{
    if (f64)
        kc_fill_f64(k, x, n, v);
    else
        kc_fill_f32(k, x, n, v);
}

/* ---- memory ---- */

void *kc_alloc(kc *k, size_t n, size_t elem, bool odd)
{
    buffer *b = &k->buffers[k->n_buffers++];
    unsigned char *base = k->n_buffers <= MAX_BUFFERS ? malloc(n + 2 * GUARD + 128) : NULL;
    if (!base) {
        fprintf(stderr, "kerncheck: out of memory\n");
        exit(2);
    }
    memset(base, CANARY, n + 2 * GUARD + 128);
    unsigned char *data = base + GUARD + 64;
    data -= (uintptr_t)data % 64;
    *b = (buffer){ base, data + (odd ? elem : 0), n };
    return b->data;
}

void kc_release(kc *k)
{
    for (size_t i = 0; i < k->n_buffers; i++) {
        buffer *b = &k->buffers[i];
        for (size_t j = 1; j <= GUARD / 2; j++) {
            if (b->data[-(ptrdiff_t)j] != CANARY)
                kc_fail(k, "wrote %zu bytes before a buffer", j);
            if (b->data[b->n + j - 1] != CANARY)
                kc_fail(k, "wrote %zu bytes past a buffer", j - 1);
        }
        free(b->base);
    }
    k->n_buffers = 0;
}

/* ---- verdicts ---- */

void kc_fail(kc *k, const char *format, ...)
{
    va_list args;
    if (k->fault[0])
        return;
    va_start(args, format);
    vsnprintf(k->fault, sizeof k->fault, format, args);
    va_end(args);
}
bool kc_failed(const kc *k) { return k->fault[0] != 0; }
int kc_thoroughness(const kc *k) { return k->thoroughness; }

void kc_compare(kc *k, double y, double exact, double bound, long double mag, bool f64)
{
    if (isfinite(mag) && mag >= (f64 ? 0x1p1022 : 0x1p126))
        return;
    if (isnan(exact) || isnan(y) || isinf(exact) || isinf(y)) {
        if (isnan(exact) ? !isnan(y) : y != exact)
            kc_fail(k, "%g where %g is right", y, exact);
        return;
    }
    double error = fabs(y - exact), share = error == 0 ? 0 : error / bound;
    if (share > 1)
        kc_fail(k, "%.9g where %.9g is right: %.3g times the bound", y, exact, share);
    k->share = fmax(k->share, share);
}

void kc_same_bits(kc *k, void *out, size_t n, kc_run_fn *fn, void *ctx)
{
    static const int threads[POOLS] = { 1, 2, 3, 8 };
    void *before = kc_alloc(k, n, 8, false), *one = kc_alloc(k, n, 8, false);
    memcpy(before, out, n);
    for (int i = 0; i < POOLS; i++) {
        if (!k->pools[i])
            k->pools[i] = ox_pool_create(threads[i]);
        memcpy(out, before, n);
        fn(ctx, k->pools[i]);
        if (i == 0)
            memcpy(one, out, n);
        else if (memcmp(one, out, n) != 0)
            kc_fail(k, "%d threads give other bits", threads[i]);
    }
}

/* Runs one check in a child; its verdict comes back through a pipe. */
typedef struct verdict {
    double share;
    char fault[256];
} verdict;

static void check_row(kc *k, const kc_family *f, size_t i, uint64_t seed)
{
    kc_row row = f->row(i);
    int fd[2], status = 0;
    verdict v = { 0 };

    if ((row.isa & ~ox_cpu()) != 0 || (k->glob && fnmatch(k->glob, row.name, 0) != 0))
        return;
    fflush(stdout);
    if (pipe(fd) != 0)
        exit(2);
    pid_t pid = fork();
    if (pid < 0)
        exit(2);
    if (pid == 0) {
        alarm(300);
        k->state = seed;
        f->check(k, i);
        kc_release(k);
        for (int p = 0; p < POOLS; p++)
            ox_pool_destroy(k->pools[p]);
        v.share = k->share;
        memcpy(v.fault, k->fault, sizeof v.fault);
        _exit(write(fd[1], &v, sizeof v) == sizeof v ? 0 : 2);
    }
    close(fd[1]);
    ssize_t got = read(fd[0], &v, sizeof v);
    close(fd[0]);
    if (waitpid(pid, &status, 0) < 0 || got != sizeof v)
        snprintf(v.fault, sizeof v.fault, "died of signal %d",
                 WIFSIGNALED(status) ? WTERMSIG(status) : 0);
    if (v.fault[0]) {
        printf("%-36s FAILED: %s\n", row.name, v.fault);
        k->n_failed++;
    } else {
        printf("%-36s ok, %3.0f%% of the error bound\n", row.name, 100 * v.share);
        k->n_passed++;
    }
}

/* ---- bench ---- */

/* Time that this thread had a processor: others who share the machine do not count. */
static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}
static double median(const double *x, size_t n)
{
    double t[ROUNDS];
    memcpy(t, x, n * sizeof *t);
    qsort(t, n, sizeof *t, by_value);
    return t[n / 2];
}

static double least(const double *x, size_t n)
{
    double t = x[0];
    for (size_t i = 1; i < n; i++)
        t = fmin(t, x[i]);
    return t;
}

bool kc_problem(kc *k, double flops, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(k->problem, sizeof k->problem, format, args);
    va_end(args);
    k->flops = flops;
    k->n_candidates = 0;
    return !k->glob || fnmatch(k->glob, k->problem, 0) == 0;
}

void kc_candidate(kc *k, const char *name, bool picked, void (*fn)(void *), void *ctx)
{
    if (k->n_candidates < MAX_CANDIDATES)
        k->candidates[k->n_candidates++] =
            (candidate){ .name = name, .picked = picked, .fn = fn, .ctx = ctx };
}

static double measure(const candidate *c)
{
    double t = now();
    for (size_t r = 0; r < c->reps; r++)
        c->fn(c->ctx);
    return (now() - t) / (double)c->reps;
}

/* Every round times each candidate once, in turns, so that a busy machine slows all alike.  Times
 * are the best of the rounds; ratios are medians over rounds of the base line's time to the
 * candidate's. */
void kc_race(kc *k)
{
    double ratio[ROUNDS], best = INFINITY, pick = 0;
    for (size_t i = 0; i < k->n_candidates; i++) {
        candidate *c = &k->candidates[i];
        c->reps = 1;
        c->fn(c->ctx);
        double once = measure(c);
        c->reps = once < 2e-3 ? (size_t)(2e-3 / fmax(once, 1e-8)) + 1 : 1;
    }
    for (int r = 0; r < ROUNDS; r++)
        for (size_t i = 0; i < k->n_candidates; i++)
            k->candidates[i].seconds[r] = measure(&k->candidates[i]);
    printf("%s\n", k->problem);
    for (size_t i = 0; i < k->n_candidates; i++) {
        candidate *c = &k->candidates[i];
        double t = least(c->seconds, ROUNDS);
        for (int r = 0; r < ROUNDS; r++)
            ratio[r] = k->candidates[0].seconds[r] / c->seconds[r];
        printf("  %-34s %10.2f us %8.1f GFLOP/s %7.2fx%s\n", c->name, 1e6 * t, k->flops / t * 1e-9,
               median(ratio, ROUNDS), c->picked ? "  <--" : "");
        best = fmin(best, t);
        pick = c->picked ? t : pick;
    }
    if (k->must_be_best && pick > 0) {
        bool ok = pick <= 1.05 * best;
        printf("  %s: the pick takes %.2f times the best\n", ok ? "ok" : "FAILED", pick / best);
        k->n_passed += ok;
        k->n_failed += !ok;
    }
}

/* ---- main ---- */

int main(int argc, char **argv)
{
    uint64_t seed = 1;
    bool bench = false;
    static kc k = { .thoroughness = 10 };

    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "--seed=", 7) == 0)
            seed = strtoull(argv[i] + 7, NULL, 0);
        else if (strncmp(argv[i], "--bench", 7) == 0 && (argv[i][7] == 0 || argv[i][7] == '='))
            bench = true, k.glob = argv[i][7] ? argv[i] + 8 : k.glob;
        else if (strcmp(argv[i], "--quick") == 0)
            k.thoroughness = 1;
        else if (strcmp(argv[i], "--assert") == 0)
            k.must_be_best = true;
        else if (argv[i][0] != '-')
            k.glob = argv[i];
        else
            return fprintf(stderr, "usage: kerncheck [--seed=N] [--quick] [--bench[=GLOB]] "
                                   "[--assert] [GLOB]\n"),
                   2;
    }
    printf("seed %llu, %s\n", (unsigned long long)seed, ox_cpu_name(ox_cpu()));
    for (size_t f = 0; f < sizeof families / sizeof *families; f++) {
        k.state = seed;
        if (bench && families[f]->bench)
            families[f]->bench(&k);
        for (size_t i = 0; !bench && i < families[f]->n_rows(); i++)
            check_row(&k, families[f], i, seed);
        kc_release(&k);
    }
    if (!bench || k.must_be_best)
        printf("%d passed, %d failed\n", k.n_passed, k.n_failed);
    return k.n_failed ? 1 : 0;
}
