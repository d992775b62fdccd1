/* DFT and STFT.  Real signals are transformed in double whatever the type: zeros of the exact result come out
 * below 1e-15, not as the 1e-6 that float accumulation leaves.  Complex float32 ones in float32 (fft32.c). */
#include "kernels/signal/fft.h"
#include "runtime/op.h"

#include <math.h>
#include <string.h>

/* ---- DFT: input (..., n, ..., 1 or 2), transformed along axis ---- */
typedef struct dft {
    int     axis;
    int64_t n, n_in, n_out; /* transform, input and output length along axis */
    bool    inverse, onesided, complex_in, real_out;
} dft;

/* *known is false while axis or length has no value yet. */
static ox_code read_dft(ox_run *r, dft *d, bool *known)
{
    const ox_tensor *x = r->in[0];
    int64_t axis = r->since >= 20 ? -2 : ox_attr_i64(r, "axis");
    d->inverse = ox_attr_i64(r, "inverse") != 0;
    d->onesided = ox_attr_i64(r, "onesided") != 0;
    *known = ox_in_known(r, 1) && ox_in_known(r, 2);
    if (!*known)
        return OX_OK;
    if (r->n_in > 2 && r->in[2])
        axis = ox_get_i64(r->in[2], 0);
    if (x->rank < 2 || (x->dim[x->rank - 1] != 1 && x->dim[x->rank - 1] != 2))
        return OX_FAIL(r->err, OX_E_SHAPE, "the input's last dimension is not 1 or 2");
    OX_TRY(ox_axis(r, axis, x->rank, &d->axis));
    if (d->axis == x->rank - 1)
        return OX_FAIL(r->err, OX_E_SHAPE, "axis %lld is the one of real and imaginary parts", (long long)axis);
    d->complex_in = x->dim[x->rank - 1] == 2;
    d->n_in = x->dim[d->axis];
    d->real_out = d->onesided && d->inverse;
    d->n = d->real_out ? 2 * (d->n_in - 1) : d->n_in;
    if (r->n_in > 1 && r->in[1])
        d->n = ox_get_i64(r->in[1], 0);
    if (d->n < 1 || d->n > INT32_MAX)
        return OX_FAIL(r->err, OX_E_VALUE, "dft_length is %lld", (long long)d->n);
    d->n_out = d->onesided && !d->inverse ? d->n / 2 + 1 : d->n;
    return OX_OK;
}

static ox_code infer_dft(ox_run *r)
{
    dft d = { 0 };
    bool known;
    int64_t dim[OX_MAX_RANK];
    OX_TRY(read_dft(r, &d, &known));
    if (!known)
        return OX_OK;
    memcpy(dim, r->in[0]->dim, sizeof(dim));
    dim[d.axis] = d.n_out;
    dim[r->in[0]->rank - 1] = d.real_out ? 1 : 2;
    ox_out_shape(r, 0, r->in[0]->rank, dim);
    return OX_OK;
}

/* One line of the input, `step` complex numbers apart, into line[n]. */
static void read_line(const dft *d, double *line, const double *x, int64_t step)
{
    int64_t parts = d->complex_in ? 2 : 1, most = OX_MIN(d->n_in, d->n);
    memset(line, 0, (size_t)d->n * 2 * sizeof(*line));
    for (int64_t i = 0; i < most; i++) {
        line[2 * i] = x[i * step * parts];
        line[2 * i + 1] = d->complex_in ? x[i * step * parts + 1] : 0;
    }
    if (d->real_out) /* the other half of a spectrum of real numbers */
        for (int64_t i = d->n / 2 + 1; i < d->n; i++) {
            line[2 * i] = line[2 * (d->n - i)];
            line[2 * i + 1] = -line[2 * (d->n - i) + 1];
        }
}

/* line in double holds floats; work has room for 4 n of them. */
static void transform32(double *line, size_t n, int sign, float *work)
{
    float *x = work, *spare = work + 2 * n;
    for (size_t i = 0; i < 2 * n; i++)
        x[i] = (float)line[i];
    ox_fft32(x, n, sign, spare);
    for (size_t i = 0; i < 2 * n; i++)
        line[i] = (double)x[i];
}

static ox_code run_dft(ox_run *r)
{
    dft d = { 0 };
    bool known;
    int64_t count;
    OX_TRY(read_dft(r, &d, &known));
    const ox_tensor *x = r->in[0];
    const double *in = ox_in_f64s(r, 0, &count);
    int64_t outer = ox_numel(x, 0, d.axis), inner = ox_numel(x, d.axis + 1, x->rank - 1);
    int64_t parts_in = d.complex_in ? 2 : 1, parts_out = d.real_out ? 1 : 2;
    double *y = ox_scratch_array(r, (size_t)ox_count(r->out[0]), sizeof(*y));
    double *line = ox_scratch_array(r, (size_t)d.n * 2, sizeof(*line));
    double *work = ox_scratch_array(r, OX_MAX(ox_fft_work((size_t)d.n), 2 * (size_t)d.n), sizeof(*work));
    bool single = r->in[0]->dtype == OX_F32 && d.complex_in && !d.onesided && ox_fft32_fits((size_t)d.n);
    if ((!in && count) || !y || !line || !work)
        return OX_NO_MEMORY(r);
    for (int64_t o = 0; o < outer; o++)
        for (int64_t i = 0; i < inner; i++) {
            read_line(&d, line, in + (o * d.n_in * inner + i) * parts_in, inner);
            if (single)
                transform32(line, (size_t)d.n, d.inverse ? 1 : -1, (float *)work);
            else
                ox_fft(line, (size_t)d.n, d.inverse ? 1 : -1, work);
            double scale = !d.inverse ? 1 : single ? (double)(float)(1 / (double)d.n) : 1 / (double)d.n;
            for (int64_t k = 0; k < d.n_out; k++)
                for (int64_t p = 0; p < parts_out; p++)
                    y[((o * d.n_out + k) * inner + i) * parts_out + p] = line[2 * k + p] * scale;
        }
    ox_from_f64(r->out[0]->data, y, r->out[0]->dtype, (size_t)ox_count(r->out[0]));
    return OX_OK;
}

/* ---- STFT: signal (batch, length, 1 or 2) -> (batch, frames, bins, 2) ---- */
typedef struct stft { int64_t step, length, frames, bins; } stft;

static ox_code read_stft(ox_run *r, stft *s, bool *known)
{
    const ox_tensor *x = r->in[0], *window = r->n_in > 2 ? r->in[2] : NULL;
    *known = ox_in_known(r, 1) && ox_in_known(r, 3);
    if (!*known)
        return OX_OK;
    if (x->rank != 3 || (x->dim[2] != 1 && x->dim[2] != 2))
        return OX_FAIL(r->err, OX_E_SHAPE, "signal is not (batch, length, 1 or 2)");
    s->step = ox_get_i64(r->in[1], 0);
    s->length = window ? ox_count(window) : x->dim[1];
    if (r->n_in > 3 && r->in[3])
        s->length = ox_get_i64(r->in[3], 0);
    if (s->step < 1 || s->length < 1 || s->length > x->dim[1] || (window && ox_count(window) != s->length))
        return OX_FAIL(r->err, OX_E_VALUE, "frame_step %lld, frame_length %lld and a window of %lld do not suit "
                       "a signal of %lld", (long long)s->step, (long long)s->length,
                       window ? (long long)ox_count(window) : 0, (long long)x->dim[1]);
    s->frames = (x->dim[1] - s->length) / s->step + 1;
    s->bins = ox_attr_i64(r, "onesided") ? s->length / 2 + 1 : s->length;
    return OX_OK;
}

static ox_code infer_stft(ox_run *r)
{
    stft s = { 0 };
    bool known;
    OX_TRY(read_stft(r, &s, &known));
    if (known)
        ox_out_shape(r, 0, 4, (int64_t[]){ r->in[0]->dim[0], s.frames, s.bins, 2 });
    return OX_OK;
}

static ox_code run_stft(ox_run *r)
{
    stft s = { 0 };
    bool known;
    int64_t count, n_window, parts = r->in[0]->dim[2], length = r->in[0]->dim[1];
    OX_TRY(read_stft(r, &s, &known));
    const double *x = ox_in_f64s(r, 0, &count), *window = ox_in_f64s(r, 2, &n_window);
    double *y = ox_scratch_array(r, (size_t)ox_count(r->out[0]), sizeof(*y)), *to = y;
    double *line = ox_scratch_array(r, (size_t)s.length * 2, sizeof(*line));
    double *work = ox_scratch_array(r, ox_fft_work((size_t)s.length), sizeof(*work));
    if (!x || !y || !line || !work)
        return OX_NO_MEMORY(r);
    for (int64_t f = 0; f < r->in[0]->dim[0] * s.frames; f++, to += 2 * s.bins) {
        const double *from = x + (f / s.frames * length + f % s.frames * s.step) * parts;
        for (int64_t i = 0; i < s.length; i++) {
            double w = window ? window[i] : 1;
            line[2 * i] = from[i * parts] * w;
            line[2 * i + 1] = parts == 2 ? from[i * parts + 1] * w : 0;
        }
        ox_fft(line, (size_t)s.length, -1, work);
        memcpy(to, line, (size_t)s.bins * 2 * sizeof(*to));
    }
    ox_from_f64(r->out[0]->data, y, r->out[0]->dtype, (size_t)ox_count(r->out[0]));
    return OX_OK;
}

OX_OP(DFT, 17) .infer = infer_dft, .run_any = run_dft, .key = OX_KEY_NONE, .error = { ERR_SUM, 64 } OX_END;
OX_OP(STFT, 17) .infer = infer_stft, .run_any = run_stft, .key = OX_KEY_NONE, .error = { ERR_SUM, 64 } OX_END;
