/* LinearRegressor and LinearClassifier: X W^T + b, each row of W contiguous. */
#include "kernels/ml/ml.h"

#include <math.h>
#include <string.h>

typedef struct linear {
    const float *w, *b; /* [n, width], [n] or NULL */
    int64_t      n;     /* scores a row, before a second class is added */
    ox_ml_post   post;
    ox_ml_labels labels;
} linear;

static ox_code linear_of(const ox_run *r, const ox_ml_rows *m, int64_t n, linear *l)
{
    int n_w, n_b;
    l->w = ox_attr_f32s(r, "coefficients", &n_w);
    l->b = ox_attr_f32s(r, "intercepts", &n_b);
    if (n < 0) /* as many as the coefficients make */
        n = m->width > 0 ? n_w / m->width : 0;
    l->n = n;
    if (n < 1 || n_w % n || n_w / n != m->width)
        return OX_FAIL(r->err, OX_E_SHAPE, "%d coefficients for %lld scores of %lld features", n_w,
                       (long long)n, (long long)m->width);
    if (n_b && n_b != n)
        return OX_FAIL(r->err, OX_E_VALUE, "%d intercepts for %lld scores", n_b, (long long)n);
    l->b = n_b ? l->b : NULL;
    return ox_ml_post_attr(r, &l->post);
}

/* y = W x + b; mag, if wanted, the sum of absolute values. */
static void scores(const linear *l, const double *x, int64_t width, double *y, double *mag)
{
    for (int64_t k = 0; k < l->n; k++) {
        const float *w = l->w + k * width;
        double sum = 0, abs = 0;
        for (int64_t i = 0; i < width; i++)
            sum += x[i] * (double)w[i];
        y[k] = sum + (l->b ? (double)l->b[k] : 0);
        if (!mag)
            continue;
        for (int64_t i = 0; i < width; i++)
            abs += fabs(x[i] * (double)w[i]);
        mag[k] = abs + (l->b ? fabs((double)l->b[k]) : 0);
    }
}

/* ---- LinearRegressor ---- */
static ox_code regressor_of(ox_run *r, ox_ml_rows *m, linear *l)
{
    *l = (linear){ 0 };
    int64_t n = ox_attr_i64(r, "targets");
    if (n < 1)
        return OX_FAIL(r->err, OX_E_VALUE, "targets is %lld", (long long)n);
    OX_TRY(ox_ml_shape(r, m));
    return linear_of(r, m, n, l);
}

static ox_code infer_regressor(ox_run *r)
{
    ox_ml_rows m;
    linear l;
    OX_TRY(regressor_of(r, &m, &l));
    ox_out_shape(r, 0, 2, (int64_t[]){ m.n, l.n });
    return OX_OK;
}

static ox_code run_regressor(ox_run *r)
{
    ox_ml_rows m;
    linear l;
    OX_TRY(regressor_of(r, &m, &l));
    OX_TRY(ox_ml_rows_of(r, &m));
    double *y = ox_scratch_array(r, (size_t)ox_count(r->out[0]), sizeof(*y));
    if (!y)
        return OX_NO_MEMORY(r);
    for (int64_t i = 0; i < m.n; i++) {
        scores(&l, m.x + i * m.width, m.width, y + i * l.n, NULL);
        ox_ml_transform(l.post, y + i * l.n, l.n);
    }
    ox_ml_store(r, 0, y, m.n * l.n);
    return OX_OK;
}

/* The transforms have slope at most 1 but PROBIT, whose results have no bound from here. */
static ox_code oracle_regressor(ox_oracle *o)
{
    ox_run r = *o->r;
    ox_ml_rows m;
    linear l;
    OX_TRY(regressor_of(&r, &m, &l));
    for (int64_t i = 0; i < m.n && o->out[0]; i++) {
        double *y = o->out[0] + i * l.n;
        scores(&l, o->in[0] + i * m.width, m.width, y, o->mag[0] + i * l.n);
        ox_ml_transform(l.post, y, l.n);
    }
    return OX_OK;
}

OX_OP(LinearRegressor, 1) .domain = "ai.onnx.ml", .infer = infer_regressor, .run_any = run_regressor,
    .key = OX_KEY_NONE, .oracle = oracle_regressor, .error = { ERR_SUM, 4 } OX_END;

/* ---- LinearClassifier ---- */
static ox_code classifier_of(ox_run *r, ox_ml_rows *m, linear *l, int64_t *n_score)
{
    *l = (linear){ 0 };
    OX_TRY(ox_ml_shape(r, m));
    OX_TRY(linear_of(r, m, -1, l));
    OX_TRY(ox_ml_labels_of(r, "classlabels_ints", "classlabels_strings", &l->labels));
    *n_score = l->n == 1 && l->labels.n == 2 ? 2 : l->n;
    if (l->labels.n && l->labels.n != *n_score)
        return OX_FAIL(r->err, OX_E_VALUE, "%d class labels for %lld scores", l->labels.n,
                       (long long)l->n);
    return OX_OK;
}

static ox_code infer_classifier(ox_run *r)
{
    ox_ml_rows m;
    linear l;
    int64_t n_score;
    OX_TRY(classifier_of(r, &m, &l, &n_score));
    return ox_ml_infer_classes(r, &l.labels, m.n, n_score);
}

static ox_code run_classifier(ox_run *r)
{
    ox_ml_rows m;
    linear l;
    int64_t n_score;
    OX_TRY(classifier_of(r, &m, &l, &n_score));
    OX_TRY(ox_ml_rows_of(r, &m));
    double *z = ox_scratch_array(r, (size_t)(m.n * n_score), sizeof(*z));
    if (!z)
        return OX_NO_MEMORY(r);
    for (int64_t i = 0; i < m.n; i++) {
        double *y = z + i * n_score;
        scores(&l, m.x + i * m.width, m.width, y, NULL);
        if (n_score == 1) {
            ox_ml_set_sign(r, &l.labels, i, y[0] > 0);
        } else {
            if (l.n == 1) {
                y[1] = y[0];
                y[0] = -y[1];
            }
            ox_ml_set_label(r, &l.labels, i, ox_ml_argmax(y, n_score));
        }
        ox_ml_transform(l.post, y, n_score);
    }
    ox_ml_store(r, 1, z, m.n * n_score);
    return OX_OK;
}

static ox_code oracle_classifier(ox_oracle *o)
{
    ox_run r = *o->r;
    ox_ml_rows m;
    linear l;
    int64_t n_score;
    OX_TRY(classifier_of(&r, &m, &l, &n_score));
    for (int64_t i = 0; i < m.n && r.n_out > 1 && o->out[1]; i++) {
        double *y = o->out[1] + i * n_score, *mag = o->mag[1] + i * n_score;
        scores(&l, o->in[0] + i * m.width, m.width, y, mag);
        if (n_score > l.n) {
            y[1] = y[0];
            y[0] = -y[0];
            mag[1] = mag[0];
        }
        ox_ml_transform(l.post, y, n_score);
    }
    return OX_OK;
}

OX_OP(LinearClassifier, 1) .domain = "ai.onnx.ml", .infer = infer_classifier,
    .run_any = run_classifier, .key = OX_KEY_NONE, .oracle = oracle_classifier,
    .error = { ERR_SUM, 4 } OX_END;
