/* Window functions and the mel filter bank: computed in double, rounded once to the asked type. */
#include "runtime/op.h"

#include <math.h>
#include <string.h>

static const double pi = 3.141592653589793238462643383279502884;

static ox_code infer_window(ox_run *r)
{
    r->out[0]->dtype = (ox_dtype)ox_attr_i64(r, "output_datatype");
    if (!ox_in_known(r, 0))
        return OX_OK;
    int64_t n = ox_get_i64(r->in[0], 0);
    if (n < 0)
        return OX_FAIL(r->err, OX_E_VALUE, "size is %lld", (long long)n);
    ox_out_shape(r, 0, 1, &n);
    return OX_OK;
}

/* a0 - a1 cos(2 pi i / n) + a2 cos(4 pi i / n), in an order that makes Blackman's ends 0 and its top 1:
 * an integer type would cut the top off otherwise. */
static ox_code window(ox_run *r, double a0, double a1, double a2)
{
    int64_t size = r->out[0]->dim[0];
    double *y = ox_scratch_array(r, (size_t)size, sizeof(*y));
    double n = (double)(ox_attr_i64(r, "periodic") ? size : size - 1);
    if (!y)
        return OX_NO_MEMORY(r);
    for (int64_t i = 0; i < size; i++)
        y[i] = size == 1 ? 1 : a0 + a2 * cos(4 * pi * (double)i / n) - a1 * cos(2 * pi * (double)i / n);
    ox_from_f64(r->out[0]->data, y, r->out[0]->dtype, (size_t)size);
    return OX_OK;
}

static ox_code run_hann(ox_run *r) { return window(r, 0.5, 0.5, 0); }
static ox_code run_hamming(ox_run *r) { return window(r, 25.0 / 46, 1 - 25.0 / 46, 0); }
static ox_code run_blackman(ox_run *r) { return window(r, 0.42, 0.5, 0.08); }

/* ---- MelWeightMatrix: (dft_length / 2 + 1, num_mel_bins) ---- */
static ox_code infer_mel(ox_run *r)
{
    r->out[0]->dtype = (ox_dtype)ox_attr_i64(r, "output_datatype");
    if (!ox_in_known(r, 0) || !ox_in_known(r, 1))
        return OX_OK;
    int64_t bins = ox_get_i64(r->in[0], 0), n = ox_get_i64(r->in[1], 0);
    if (bins < 1 || n < 0)
        return OX_FAIL(r->err, OX_E_VALUE, "num_mel_bins is %lld, dft_length %lld", (long long)bins, (long long)n);
    ox_out_shape(r, 0, 2, (int64_t[]){ n / 2 + 1, bins });
    return OX_OK;
}

static double to_mel(double hertz) { return 2595 * log10(1 + hertz / 700); }
static double to_hertz(double mel) { return 700 * (pow(10, mel / 2595) - 1); }

static ox_code run_mel(ox_run *r)
{
    int64_t rows = r->out[0]->dim[0], bins = r->out[0]->dim[1], n = ox_get_i64(r->in[1], 0);
    double rate = (double)ox_get_i64(r->in[2], 0), low = to_mel(ox_get_f64(r->in[3], 0));
    double step = (to_mel(ox_get_f64(r->in[4], 0)) - low) / (double)(bins + 2);
    double *y = ox_scratch_array(r, (size_t)(rows * bins), sizeof(*y));
    if (!y)
        return OX_NO_MEMORY(r);
    memset(y, 0, (size_t)(rows * bins) * sizeof(*y));
    if (rate <= 0)
        return OX_FAIL(r->err, OX_E_VALUE, "sample_rate is %g", rate);
    int64_t edge[3];
    for (int64_t b = 0; b < bins; b++) {
        for (int k = 0; k < 3; k++)
            edge[k] = (int64_t)floor((double)(n + 1) * to_hertz((double)(b + k) * step + low) / rate);
        if (edge[1] == edge[0] && edge[1] >= 0 && edge[1] < rows)
            y[edge[1] * bins + b] = 1;
        for (int64_t j = OX_MAX(edge[0], 0); j <= edge[1] && j < rows && edge[1] != edge[0]; j++)
            y[j * bins + b] = (double)(j - edge[0]) / (double)(edge[1] - edge[0]);
        for (int64_t j = OX_MAX(edge[1], 0); j < edge[2] && j < rows; j++)
            y[j * bins + b] = (double)(edge[2] - j) / (double)(edge[2] - edge[1]);
    }
    ox_from_f64(r->out[0]->data, y, r->out[0]->dtype, (size_t)(rows * bins));
    return OX_OK;
}

#define SIGNAL(Name, infer_fn, run_fn)                                                             \
    OX_OP(Name, 17) .infer = infer_fn, .run_any = run_fn, .key = OX_KEY_NONE, .error = { ERR_ULP, 1 } OX_END;
SIGNAL(HannWindow, infer_window, run_hann)
SIGNAL(HammingWindow, infer_window, run_hamming)
SIGNAL(BlackmanWindow, infer_window, run_blackman)
SIGNAL(MelWeightMatrix, infer_mel, run_mel)
