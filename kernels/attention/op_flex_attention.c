/* FlexAttention (ai.onnx.preview): attention whose scores and probabilities pass through subgraphs.  Those see
 * whole tensors (batch, heads, queries, keys) of softmax_precision, so the scores are materialised here. */
#include "runtime/op.h"

#include <math.h>
#include <string.h>

static ox_code infer(ox_run *r)
{
    const ox_tensor *q = r->in[0], *k = r->in[1], *v = r->in[2];
    if (q->rank != 4 || k->rank != 4 || v->rank != 4 || q->dim[3] != k->dim[3] || k->dim[1] != v->dim[1] ||
        k->dim[2] != v->dim[2] || k->dim[1] < 1 || q->dim[1] % k->dim[1] || q->dim[0] != k->dim[0] ||
        q->dim[0] != v->dim[0])
        return OX_FAIL(r->err, OX_E_SHAPE, "Q, K and V do not belong together (rank 4; batch, heads, length, size)");
    ox_out_shape(r, 0, 4, (int64_t[]){ q->dim[0], q->dim[1], q->dim[2], v->dim[3] });
    return OX_OK;
}

/* x (f64, shape dim) through the subgraph in the given precision; result back in x. */
static ox_code modify(ox_run *r, const char *name, ox_dtype precision, const int64_t *dim, double *x)
{
    if (ox_graph_n_in(r, name) < 0)
        return OX_OK;
    ox_value in = { .kind = OX_TENSOR }, out;
    OX_TRY(ox_tensor_alloc(&in.t, precision, 4, dim, r->err));
    size_t n = (size_t)ox_count(&in.t);
    ox_from_f64(in.t.data, x, precision, n);
    ox_code code = ox_call_graph(r, name, &in, 1, &out, 1);
    if (code == OX_OK && (out.kind != OX_TENSOR || !ox_shape_same(&out.t, &in.t) || !ox_is_float(out.t.dtype)))
        code = OX_FAIL(r->err, OX_E_SHAPE, "%s does not keep the shape and type of its input", name);
    else if (code == OX_OK)
        ox_to_f64(x, out.t.data, out.t.dtype, n);
    if (code == OX_OK)
        ox_value_release(&out);
    ox_value_release(&in);
    return code;
}

static void softmax(double *x, int64_t n)
{
    double max = -INFINITY, sum = 0;
    for (int64_t j = 0; j < n; j++)
        max = fmax(max, x[j]);
    for (int64_t j = 0; j < n; j++)
        sum += x[j] = exp(x[j] - max);
    for (int64_t j = 0; j < n; j++)
        x[j] /= sum;
}

static ox_code run(ox_run *r)
{
    const int64_t *q = r->in[0]->dim, *k = r->in[1]->dim, dv = r->in[2]->dim[3], d = q[3];
    int64_t dim[4] = { q[0], q[1], q[2], k[2] }, rows = q[0] * q[1] * q[2], n = k[2], count, group = q[1] / k[1];
    const double *Q = ox_in_f64s(r, 0, &count), *K = ox_in_f64s(r, 1, &count), *V = ox_in_f64s(r, 2, &count);
    double *x = ox_scratch_array(r, (size_t)(rows * n) + 1, sizeof(*x));
    double *y = ox_scratch_array(r, (size_t)(rows * dv) + 1, sizeof(*y));
    double scale = ox_attr_given(r, "scale") ? ox_attr_f64(r, "scale") : 1 / sqrt((double)d);
    ox_dtype precision = r->in[0]->dtype == OX_F64 ? OX_F64 : OX_F32;
    if (ox_attr_given(r, "softmax_precision") && !r->f64)
        precision = (ox_dtype)ox_attr_i64(r, "softmax_precision");
    if (!Q || !K || !V || !x || !y)
        return OX_NO_MEMORY(r);
    if (!ox_is_float(precision))
        return OX_FAIL(r->err, OX_E_VALUE, "softmax_precision is no float type");
    for (int64_t i = 0; i < rows; i++) {
        int64_t head = i / q[2], kv = head / q[1] * k[1] + head % q[1] / group;
        for (int64_t j = 0; j < n; j++) {
            double sum = 0;
            for (int64_t p = 0; p < d; p++)
                sum += Q[i * d + p] * K[(kv * n + j) * d + p];
            x[i * n + j] = sum * scale;
        }
    }
    OX_TRY(modify(r, "score_mod", precision, dim, x));
    for (int64_t i = 0; i < rows; i++)
        softmax(x + i * n, n);
    OX_TRY(modify(r, "prob_mod", precision, dim, x));
    memset(y, 0, (size_t)(rows * dv) * sizeof(*y));
    for (int64_t i = 0; i < rows; i++) {
        int64_t head = i / q[2], kv = head / q[1] * k[1] + head % q[1] / group;
        for (int64_t j = 0; j < n; j++)
            for (int64_t p = 0; p < dv; p++)
                y[i * dv + p] += x[i * n + j] * V[(kv * n + j) * dv + p];
    }
    ox_from_f64(r->out[0]->data, y, r->out[0]->dtype, (size_t)(rows * dv));
    return OX_OK;
}

OX_OP(FlexAttention, 1) .domain = "ai.onnx.preview", .infer = infer, .run_any = run, .key = OX_KEY_NONE,
    .flags = OX_CONTROL, .error = { ERR_SUM, 64 } OX_END;
