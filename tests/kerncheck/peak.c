/* The loops that measure the machine compute what they say. */
#include "kernels/peak/peak.h"
#include "tests/kerncheck/kerncheck.h"

#include <math.h>

static size_t n_rows(void) { return ox_n_uk_peak_rows; }
static kc_row row(size_t i) { return (kc_row){ ox_uk_peak_rows[i].name, ox_uk_peak_rows[i].isa }; }

static void check(kc *k, size_t i)
{
    const ox_uk_peak *uk = &ox_uk_peak_rows[i];
    enum { N = 5, READ = 64 * 7 };
    float *to = kc_alloc(k, uk->width * sizeof *to, sizeof *to, true);
    float *x = kc_alloc(k, READ * sizeof *x, sizeof *x, true);
    double exact[1024], sum = 0, mag = 0;
    kc_fill_f32(k, to, uk->width, KC_NORMAL);
    kc_fill_f32(k, x, READ, KC_NORMAL);
    for (size_t l = 0; l < uk->width; l++) {
        exact[l] = to[l];
        for (int r = 0; r < N; r++)
            exact[l] = 0.75 * exact[l] + 0.125;
    }
    uk->fma(N, 0.75f, 0.125f, to);
    for (size_t l = 0; l < uk->width; l++)
        kc_compare(k, to[l], exact[l], 2 * N * 0x1p-24, 1, false);
    for (size_t l = 0; l < READ; l++) {
        sum += x[l];
        mag += fabs((double)x[l]);
    }
    kc_compare(k, uk->read(READ, x), sum, READ * 0x1p-24 * mag, mag, false);
}

const kc_family kc_family_peak = { "peak", n_rows, row, check, NULL };
