/* Least squares: numbers that the reference's node must have had. */
#include "verify/explain.h"

#include <math.h>
#include <string.h>

/* Cholesky; a little is added to the diagonal, for what the data do not determine. */
bool ox_solve(double *a, double *b, size_t k, size_t m)
{
    double trace = 0;
    for (size_t i = 0; i < k; i++)
        trace += a[i * k + i];
    if (!(trace > 0) || !isfinite(trace))
        return false;
    for (size_t i = 0; i < k; i++)
        a[i * k + i] += 1e-13 * trace / (double)k + 1e-11 * a[i * k + i] + 1e-300;
    for (size_t i = 0; i < k; i++)
        for (size_t j = 0; j <= i; j++) {
            double s = a[i * k + j];
            for (size_t t = 0; t < j; t++)
                s -= a[i * k + t] * a[j * k + t];
            if (i == j && !(s > 0))
                return false;
            a[i * k + j] = i == j ? sqrt(s) : s / a[j * k + j];
        }
    for (size_t c = 0; c < m; c++) {
        for (size_t i = 0; i < k; i++) {
            for (size_t t = 0; t < i; t++)
                b[i * m + c] -= a[i * k + t] * b[t * m + c];
            b[i * m + c] /= a[i * k + i];
        }
        for (size_t i = k; i-- > 0;) {
            for (size_t t = i + 1; t < k; t++)
                b[i * m + c] -= a[t * k + i] * b[t * m + c];
            b[i * m + c] /= a[i * k + i];
        }
    }
    return true;
}

double *ox_fit_terms(ox_probe *p, const double *base, double *const *term, size_t k, double *coef)
{
    double *a = ox_probe_new(p, k * k), *y = ox_probe_new(p, p->n);
    if (!a || !y)
        return NULL;
    memset(coef, 0, k * sizeof(*coef));
    for (size_t i = 0; i < p->n; i++) {
        double r = p->ref[i] - (base ? base[i] : 0);
        if (!isfinite(r))
            continue;
        for (size_t s = 0; s < k; s++) {
            coef[s] += term[s][i] * r;
            for (size_t t = 0; t <= s; t++)
                a[s * k + t] += term[s][i] * term[t][i];
        }
    }
    if (!ox_solve(a, coef, k, 1))
        return NULL;
    for (size_t i = 0; i < p->n; i++) {
        y[i] = base ? base[i] : 0;
        for (size_t s = 0; s < k; s++)
            y[i] += coef[s] * term[s][i];
    }
    return y;
}

double *ox_fit_channels(ox_probe *p, const double *x, int axis, bool slope, double *coef)
{
    const ox_tensor *t = p->shape;
    int64_t outer = ox_numel(t, 0, axis), c = t->dim[axis], inner = ox_numel(t, axis + 1, t->rank);
    double *y = ox_probe_new(p, p->n), m = (double)(outer * inner);
    for (int64_t k = 0; y && k < c; k++) {
        double sx = 0, sr = 0, xx = 0, xr = 0;
        for (int64_t o = 0; o < outer; o++)
            for (int64_t i = 0; i < inner; i++) {
                size_t at = (size_t)((o * c + k) * inner + i);
                sx += x[at];
                sr += p->ref[at];
            }
        for (int64_t o = 0; o < outer; o++)
            for (int64_t i = 0; i < inner; i++) {
                size_t at = (size_t)((o * c + k) * inner + i);
                xx += (x[at] - sx / m) * (x[at] - sx / m);
                xr += (x[at] - sx / m) * (p->ref[at] - sr / m);
            }
        double by = slope && xx > 0 ? xr / xx : 1, plus = sr / m - by * sx / m;
        coef[2 * k] = by;
        coef[2 * k + 1] = plus;
        for (int64_t o = 0; o < outer; o++)
            for (int64_t i = 0; i < inner; i++) {
                size_t at = (size_t)((o * c + k) * inner + i);
                y[at] = by * x[at] + plus;
            }
    }
    return y;
}
