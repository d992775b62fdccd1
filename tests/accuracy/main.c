/* Measures every function of kernels/math at every level this CPU has against libm's double, over
 * all 2^32 floats (or each N-th with --stride=N), and fails past the bound that functions.def states.
 *
 * The error is |y - exact| in units of the spacing of floats at the correctly rounded result.  NaN,
 * infinity and the sign of zero must be those of the exact value rounded to float. */
#include "kernels/math/ukernels.h"
#include "runtime/base/pool.h"
#include <fnmatch.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 4096, MAX_LEVELS = 4, MAX_WORKERS = 256 };

/* The worst result so far; the smallest argument among equals, whatever the order of blocks. */
typedef struct worst {
    double   ulp;
    uint32_t bits;    /* of the argument */
    uint64_t n_class; /* results of the wrong class: NaN, infinity, sign of zero ... */
    uint32_t class_bits; /* ... and the first such argument */
} worst;

typedef struct sweep {
    ox_math           fn;
    uint64_t          stride;
    const ox_uk_math *level[MAX_LEVELS];
    int               n_levels;
    worst             found[MAX_WORKERS][MAX_LEVELS];
} sweep;

static double exact(ox_math fn, double x)
{
    switch (fn) {
#define FN(name, ulp, expr)                                                                        \
    case OX_MATH_##name:                                                                           \
        return expr;
#include "kernels/math/functions.def"
#undef FN
    default:
        return NAN;
    }
}
static const struct {
    const char *name;
    double      ulp;
} functions[] = {
#define FN(name, ulp, expr) { #name, ulp },
#include "kernels/math/functions.def"
#undef FN
};

static float float_of(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* 1 / spacing of floats at r: 2^(150 - e), e the biased exponent (1 for subnormals); junk past FLT_MAX. */
static double per_ulp(float r)
{
    uint32_t bits;
    memcpy(&bits, &r, sizeof bits);
    uint64_t e = bits >> 23 & 255, to = (1023 + 150 - (e ? e : 1)) << 52;
    double d;
    memcpy(&d, &to, sizeof d);
    return d;
}

/* Error in ULP, or -1 if y is not even of the right class. */
static double error_of(float y, double want)
{
    float r = (float)want;
    if (isnan(want))
        return isnan(y) ? 0 : -1;
    if (isinf(r) || isinf(y) || isnan(y))
        return y == r ? 0 : -1;
    if (y == 0 && r == 0 && !signbit(y) != !signbit(r))
        return -1;
    return fabs((double)y - want) * per_ulp(r);
}

static void merge(worst *w, const worst *o)
{
    if (o->n_class) {
        if (w->n_class == 0 || o->class_bits < w->class_bits)
            w->class_bits = o->class_bits;
        w->n_class += o->n_class;
    }
    if (o->ulp > w->ulp || (o->ulp == w->ulp && o->bits < w->bits)) {
        w->ulp = o->ulp;
        w->bits = o->bits;
    }
}

static void block(void *ctx, int64_t i, int worker)
{
    sweep *s = ctx;
    static _Thread_local uint32_t bits[BLOCK];
    static _Thread_local float x[BLOCK], y[BLOCK];
    static _Thread_local double want[BLOCK];
    size_t n = 0;
    for (uint64_t at = (uint64_t)i * BLOCK * s->stride; n < BLOCK && at >> 32 == 0; at += s->stride)
        bits[n++] = (uint32_t)at;
    memcpy(x, bits, sizeof x);
    for (size_t k = 0; k < n; k++)
        want[k] = exact(s->fn, x[k]);
    for (int l = 0; l < s->n_levels; l++) {
        s->level[l]->run(n, x, y);
        for (size_t k = 0; k < n; k++) {
            worst *w = &s->found[worker][l];
            float r = (float)want[k];
            if (fabs((double)y[k] - want[k]) * per_ulp(r) < w->ulp && y[k] != 0 &&
                fabs(want[k]) < 0x1p127)
                continue; /* nothing special and nothing new: nearly always */
            if ((r == 0 || isinf(r)) && memcmp(y + k, &r, sizeof r) == 0)
                continue;
            double ulp = error_of(y[k], want[k]);
            if (ulp < 0 || ulp >= w->ulp)
                merge(w, &(worst){ .ulp = ulp, bits[k], ulp < 0, bits[k] });
        }
    }
}

/* Sweeps one function and prints its row; returns the number of levels that fail. */
static int measure(sweep *s, ox_pool *pool)
{
    s->n_levels = 0;
    memset(s->found, 0, sizeof s->found);
    for (size_t i = 0; i < ox_n_uk_math_rows; i++)
        if (ox_uk_math_rows[i].fn == s->fn && (ox_uk_math_rows[i].isa & ~ox_cpu()) == 0)
            s->level[s->n_levels++] = &ox_uk_math_rows[i];
    uint64_t per_block = BLOCK * s->stride;
    ox_pool_run(pool, (int64_t)(((UINT64_C(1) << 32) + per_block - 1) / per_block), block, s);

    const char *name = functions[s->fn].name;
    double allowed = functions[s->fn].ulp;
    int failed = 0;
    printf("| %s | %g |", name, allowed);
    for (int l = 0; l < s->n_levels; l++) {
        const ox_uk_math *row = s->level[l];
        worst w = s->found[0][l];
        for (int t = 1; t < MAX_WORKERS; t++)
            merge(&w, &s->found[t][l]);
        if (l + 1 == s->n_levels || s->level[l + 1]->isa != row->isa) /* what dispatch takes */
            printf(" %.4f at %a |", w.ulp, (double)float_of(w.bits));
        if (w.ulp > allowed)
            fprintf(stderr, "%s: %.4f ULP at %a, allowed are %g\n", row->name, w.ulp,
                    (double)float_of(w.bits), allowed);
        if (w.n_class)
            fprintf(stderr, "%s: %llu results of the wrong class, the first at %a\n", row->name,
                    (unsigned long long)w.n_class, (double)float_of(w.class_bits));
        failed += w.n_class || w.ulp > allowed;
    }
    printf("\n");
    fflush(stdout);
    return failed;
}

/* Head of the table: the levels that rows need, of those this CPU has. */
static void head(void)
{
    const ox_uk_math *first = &ox_uk_math_rows[0];
    uint32_t isa[MAX_LEVELS];
    int n = 0;
    for (const ox_uk_math *r = first; r < first + ox_n_uk_math_rows && n < MAX_LEVELS; r++)
        if (r->fn == first->fn && (r->isa & ~ox_cpu()) == 0 && (n == 0 || isa[n - 1] != r->isa))
            isa[n++] = r->isa;
    printf("| function | allowed |");
    for (int i = 0; i < n; i++)
        printf(" %s |", ox_cpu_name(isa[i]));
    printf("\n|---|---|");
    for (int i = 0; i < n; i++)
        printf("---|");
    printf("\n");
}

int main(int argc, char **argv)
{
    static sweep s = { .stride = 1 };
    const char *only = "*";
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "--stride=", 9) == 0)
            s.stride = strtoull(argv[i] + 9, NULL, 10);
        else if (argv[i][0] != '-')
            only = argv[i];
        else
            s.stride = 0;
        if (s.stride < 1 || s.stride > 1u << 24) {
            fprintf(stderr, "usage: accuracy [--stride=N] [GLOB]\n");
            return 2;
        }
    }
    int threads = ox_cpu_cores();
    ox_pool *pool = ox_pool_create(threads < MAX_WORKERS ? threads : MAX_WORKERS);
    int failed = 0;
    head();
    for (size_t f = 0; f < OX_N_MATH; f++) {
        s.fn = (ox_math)f;
        if (fnmatch(only, functions[f].name, 0) == 0)
            failed += measure(&s, pool);
    }
    ox_pool_destroy(pool);
    return failed != 0;
}
