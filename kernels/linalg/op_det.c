/* Det: determinants of (..., n, n), by elimination with partial pivoting in double. */
#include "runtime/op.h"

#include <math.h>

static ox_code infer(ox_run *r)
{
    const ox_tensor *x = r->in[0];
    if (x->rank < 2 || x->dim[x->rank - 1] != x->dim[x->rank - 2])
        return OX_FAIL(r->err, OX_E_SHAPE, "X is not a stack of square matrices");
    ox_out_shape(r, 0, x->rank - 2, x->dim);
    return OX_OK;
}

static double determinant(double *a, int64_t n)
{
    double det = 1;
    for (int64_t c = 0; c < n; c++) {
        int64_t pivot = c;
        for (int64_t i = c + 1; i < n; i++)
            if (fabs(a[i * n + c]) > fabs(a[pivot * n + c]))
                pivot = i;
        if (a[pivot * n + c] == 0)
            return 0;
        for (int64_t j = 0; j < n && pivot != c; j++) {
            double swap = a[c * n + j];
            a[c * n + j] = a[pivot * n + j];
            a[pivot * n + j] = swap;
        }
        det *= pivot == c ? a[c * n + c] : -a[c * n + c];
        for (int64_t i = c + 1; i < n; i++) {
            double f = a[i * n + c] / a[c * n + c];
            for (int64_t j = c; j < n; j++)
                a[i * n + j] -= f * a[c * n + j];
        }
    }
    return det;
}

static ox_code run(ox_run *r)
{
    int64_t n = r->in[0]->dim[r->in[0]->rank - 1], matrices = ox_count(r->out[0]);
    double *x = ox_scratch_array(r, (size_t)OX_MAX(ox_count(r->in[0]), 1), sizeof(*x));
    double *y = ox_scratch_array(r, (size_t)matrices, sizeof(*y));
    if (!x || !y)
        return OX_NO_MEMORY(r);
    ox_to_f64(x, r->in[0]->data, r->in[0]->dtype, (size_t)ox_count(r->in[0]));
    for (int64_t i = 0; i < matrices; i++)
        y[i] = determinant(x + i * n * n, n);
    ox_from_f64(r->out[0]->data, y, r->out[0]->dtype, (size_t)matrices);
    return OX_OK;
}

OX_OP(Det, 11) .infer = infer, .run_any = run, .key = OX_KEY_NONE, .error = { ERR_SUM, 64 } OX_END;
