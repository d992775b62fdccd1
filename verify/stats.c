#include "verify/compare.h"

#include <math.h>

enum { BLOCK = 2048 };

/* n elements from i as double; complex ones by their modulus. */
static void widen(double *to, const ox_tensor *t, int64_t i, int64_t n)
{
    const char *p = (const char *)t->data + (size_t)i * ox_dtype_size(t->dtype);
    if (t->dtype != OX_C64 && t->dtype != OX_C128) {
        ox_to_f64(to, p, t->dtype, (size_t)n);
        return;
    }
    for (int64_t k = 0; k < n; k++)
        to[k] = t->dtype == OX_C64 ? hypot((double)((const float *)(const void *)p)[2 * k],
                                           (double)((const float *)(const void *)p)[2 * k + 1])
                                   : hypot(((const double *)(const void *)p)[2 * k],
                                           ((const double *)(const void *)p)[2 * k + 1]);
}

void ox_tensor_stats(const ox_tensor *t, ox_stats *out)
{
    double  v[BLOCK], min = INFINITY, max = -INFINITY, sum = 0;
    int64_t nan = 0, inf = 0, n = t->data && t->dtype != OX_STR ? ox_count(t) : 0;
    for (int64_t i = 0; i < n; i += BLOCK) {
        int64_t k = OX_MIN(n - i, (int64_t)BLOCK);
        double  part = 0;
        widen(v, t, i, k);
        for (int64_t j = 0; j < k; j++) {
            if (!isfinite(v[j])) {
                nan += isnan(v[j]) != 0;
                inf += isnan(v[j]) == 0;
                continue;
            }
            min = v[j] < min ? v[j] : min;
            max = v[j] > max ? v[j] : max;
            part += v[j];
        }
        sum += part;
    }
    int64_t finite = n - nan - inf;
    *out = (ox_stats){ nan, inf, finite ? min : NAN, finite ? max : NAN,
                       finite ? sum / (double)finite : NAN };
}
