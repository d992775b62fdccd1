/* SVMRegressor and SVMClassifier.
 *
 * Without support vectors both are linear: coefficients are weights.  With them a classifier decides
 * between each pair of classes (i < j) and the class with most votes wins; prob_a and prob_b turn
 * the decisions into probabilities of the classes (Wu, Lin and Weng 2004, as in libsvm). */
#include "kernels/ml/ml.h"

#include <math.h>
#include <string.h>

typedef enum kernel_type { LINEAR, POLY, RBF, SIGMOID } kernel_type;

enum { ROWS = 16 };

typedef struct svm {
    kernel_type   kernel;
    double        gamma, coef0, degree;
    const double *vector, *coef, *rho, *prob_a, *prob_b;
    int64_t       n_vector, n_coef, n_rho, n_prob; /* n_vector 0: linear */
    const int64_t *per_class, *start; /* classifier */
    int64_t       n_class, n_pair, n_score;
    int64_t       width;
    bool          one_class;
    ox_ml_post    post;
    ox_ml_labels  labels;
} svm;

static ox_code read_common(ox_run *r, svm *s)
{
    static const char *const kernels[] = { "LINEAR", "POLY", "RBF", "SIGMOID", NULL };
    int kernel, n;
    int64_t n_value;
    const float *params = ox_attr_f32s(r, "kernel_params", &n);
    OX_TRY(ox_attr_enum(r, "kernel_type", kernels, &kernel));
    s->kernel = (kernel_type)kernel;
    if (n != 0 && n < 3)
        return OX_FAIL(r->err, OX_E_VALUE, "kernel_params has %d entries, expected 3", n);
    if (n) {
        s->gamma = (double)params[0];
        s->coef0 = (double)params[1];
        s->degree = (double)params[2];
    }
    OX_TRY(ox_ml_post_attr(r, &s->post));
    OX_TRY(ox_ml_doubles(r, "coefficients", &s->coef, &s->n_coef));
    OX_TRY(ox_ml_doubles(r, "rho", &s->rho, &s->n_rho));
    OX_TRY(ox_ml_doubles(r, "support_vectors", &s->vector, &n_value));
    if (s->n_rho < 1)
        return OX_FAIL(r->err, OX_E_VALUE, "rho is empty");
    if (s->n_vector == 0) {
        s->kernel = LINEAR;
        return OX_OK;
    }
    if (n_value % s->n_vector || n_value / s->n_vector != s->width)
        return OX_FAIL(r->err, OX_E_SHAPE, "support_vectors has %lld entries for %lld vectors of %lld "
                       "features", (long long)n_value, (long long)s->n_vector, (long long)s->width);
    return OX_OK;
}

static double dot(const double *a, const double *b, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

static double kernel_of(const svm *s, const double *x, const double *v)
{
    double sum = 0;
    switch (s->kernel) {
    case POLY:    return pow(s->gamma * dot(x, v, s->width) + s->coef0, s->degree);
    case SIGMOID: return tanh(s->gamma * dot(x, v, s->width) + s->coef0);
    case RBF:
        for (int64_t i = 0; i < s->width; i++)
            sum += (x[i] - v[i]) * (x[i] - v[i]);
        return exp(-s->gamma * sum);
    default: return dot(x, v, s->width);
    }
}

/* ---- SVMRegressor ---- */
static ox_code infer_regressor(ox_run *r)
{
    ox_ml_rows m;
    OX_TRY(ox_ml_shape(r, &m));
    ox_out_shape(r, 0, 2, (int64_t[]){ m.n, 1 });
    return OX_OK;
}

static ox_code prepare_regressor(ox_run *r)
{
    svm *s = r->state;
    ox_ml_rows m;
    OX_TRY(ox_ml_shape(r, &m));
    s->width = m.width;
    s->n_vector = ox_attr_i64(r, "n_supports");
    if (s->n_vector < 0)
        return OX_FAIL(r->err, OX_E_VALUE, "n_supports is %lld", (long long)s->n_vector);
    s->one_class = ox_attr_i64(r, "one_class") != 0;
    OX_TRY(read_common(r, s));
    int64_t expected = s->n_vector ? s->n_vector : s->width;
    if (s->n_coef != expected)
        return OX_FAIL(r->err, OX_E_VALUE, "%lld coefficients, expected %lld", (long long)s->n_coef,
                       (long long)expected);
    return OX_OK;
}

static double regress(const svm *s, const double *x)
{
    double y = s->rho[0];
    if (s->n_vector == 0)
        y += dot(x, s->coef, s->width);
    for (int64_t k = 0; k < s->n_vector; k++)
        y += s->coef[k] * kernel_of(s, x, s->vector + k * s->width);
    if (s->one_class)
        return y > 0 ? 1 : -1;
    ox_ml_transform(s->post, &y, 1);
    return y;
}

typedef struct job {
    const ox_run *r;
    const svm    *s;
    ox_ml_rows    m;
    double       *y, *work; /* work: what one row needs, for every worker */
    int64_t       n_work;
} job;

static void regress_block(void *ctx, int64_t b, int worker)
{
    const job *j = ctx;
    (void)worker;
    for (int64_t i = b * ROWS; i < OX_MIN(j->m.n, (b + 1) * ROWS); i++)
        j->y[i] = regress(j->s, j->m.x + i * j->m.width);
}

static ox_code run_regressor(ox_run *r)
{
    job j = { .r = r, .s = r->state };
    OX_TRY(ox_ml_rows_of(r, &j.m));
    if (!(j.y = ox_scratch_array(r, (size_t)j.m.n, sizeof(double))))
        return OX_NO_MEMORY(r);
    ox_parallel(r, (j.m.n + ROWS - 1) / ROWS, regress_block, &j);
    ox_ml_store(r, 0, j.y, j.m.n);
    return OX_OK;
}

OX_OP(SVMRegressor, 1) .domain = "ai.onnx.ml", .infer = infer_regressor, .prepare = prepare_regressor,
    .run_any = run_regressor, .key = OX_KEY_NONE, .state_size = sizeof(svm),
    .error = { ERR_SUM, 8 } OX_END;

/* ---- SVMClassifier ---- */
/* Classes, pairs and scores a row; counts only. */
static ox_code count_classes(ox_run *r, svm *s)
{
    int n_prob, n_per;
    OX_TRY(ox_ml_labels_of(r, "classlabels_ints", "classlabels_strings", &s->labels));
    s->per_class = ox_attr_i64s(r, "vectors_per_class", &n_per);
    ox_attr_f32s(r, "prob_a", &n_prob);
    s->n_class = OX_MAX(s->labels.n, 1);
    s->n_vector = 0;
    if (n_per && s->labels.n == 0)
        s->n_class = n_per;
    if (n_per && n_per != s->n_class)
        return OX_FAIL(r->err, OX_E_VALUE, "vectors_per_class has %d entries for %lld classes", n_per,
                       (long long)s->n_class);
    for (int i = 0; i < n_per; i++) {
        if (s->per_class[i] < 0 || s->per_class[i] > INT32_MAX)
            return OX_FAIL(r->err, OX_E_VALUE, "vectors_per_class[%d] is %lld", i,
                           (long long)s->per_class[i]);
        s->n_vector += s->per_class[i];
    }
    if (s->n_vector && (s->n_class < 2 || s->n_class > 46340)) /* its square is an int */
        return OX_FAIL(r->err, OX_E_VALUE, "support vectors for %lld classes", (long long)s->n_class);
    s->n_pair = s->n_vector ? s->n_class * (s->n_class - 1) / 2 : 0;
    s->n_prob = s->n_vector ? n_prob : 0;
    bool pairs = s->n_vector && !s->n_prob && s->n_class > 2;
    s->n_score = pairs ? s->n_pair : s->n_class;
    return OX_OK;
}

static ox_code infer_classifier(ox_run *r)
{
    ox_ml_rows m;
    svm s = { 0 };
    OX_TRY(ox_ml_shape(r, &m));
    OX_TRY(count_classes(r, &s));
    return ox_ml_infer_classes(r, &s.labels, m.n, s.n_score);
}

static ox_code prepare_classifier(ox_run *r)
{
    svm *s = r->state;
    ox_ml_rows m;
    int64_t n_a, n_b;
    OX_TRY(ox_ml_shape(r, &m));
    s->width = m.width;
    OX_TRY(count_classes(r, s));
    OX_TRY(read_common(r, s));
    int64_t expected = s->n_vector ? s->n_vector * (s->n_class - 1) : s->n_class * s->width;
    if (s->n_coef != expected)
        return OX_FAIL(r->err, OX_E_VALUE, "%lld coefficients, expected %lld", (long long)s->n_coef,
                       (long long)expected);
    if (s->n_rho < s->n_pair)
        return OX_FAIL(r->err, OX_E_VALUE, "rho has %lld entries for %lld pairs of classes",
                       (long long)s->n_rho, (long long)s->n_pair);
    OX_TRY(ox_ml_doubles(r, "prob_a", &s->prob_a, &n_a));
    OX_TRY(ox_ml_doubles(r, "prob_b", &s->prob_b, &n_b));
    if (s->n_prob && (n_a != s->n_pair || n_b != s->n_pair))
        return OX_FAIL(r->err, OX_E_VALUE, "prob_a and prob_b have %lld and %lld entries for %lld pairs",
                       (long long)n_a, (long long)n_b, (long long)s->n_pair);
    int64_t *start = ox_state_alloc(r, (size_t)s->n_class, sizeof(*start));
    if (!start)
        return OX_NO_MEMORY(r);
    for (int64_t i = 1; i < s->n_class && s->n_vector; i++)
        start[i] = start[i - 1] + s->per_class[i - 1];
    s->start = start;
    return OX_OK;
}

/* Probabilities p[k] of the classes from those of pairs, q[i * k + j] = P(i | i or j): the minimum of
 * sum over pairs of (q_ji p_i - q_ij p_j)^2, by coordinate descent. */
static void couple(const double *q, int64_t k, double *a, double *ap, double *p)
{
    double eps = 0.005 / (double)k;
    for (int64_t t = 0; t < k; t++) {
        p[t] = 1 / (double)k;
        a[t * k + t] = 0;
        for (int64_t j = 0; j < k; j++) {
            if (j == t)
                continue;
            a[t * k + t] += q[j * k + t] * q[j * k + t];
            a[t * k + j] = -q[j * k + t] * q[t * k + j];
        }
    }
    for (int64_t pass = 0; pass < OX_MAX(100, k); pass++) {
        double pap = 0, worst = 0;
        for (int64_t t = 0; t < k; t++) {
            ap[t] = dot(a + t * k, p, k);
            pap += p[t] * ap[t];
        }
        for (int64_t t = 0; t < k; t++)
            worst = fmax(worst, fabs(ap[t] - pap));
        if (worst < eps)
            return;
        for (int64_t t = 0; t < k; t++) {
            double d = (pap - ap[t]) / a[t * k + t], scale = 1 / (1 + d);
            p[t] += d;
            pap = (pap + d * (d * a[t * k + t] + 2 * ap[t])) * scale * scale;
            for (int64_t j = 0; j < k; j++) {
                ap[j] = (ap[j] + d * a[t * k + j]) * scale;
                p[j] *= scale;
            }
        }
    }
}

/* Work of a row: kernels [n_vector], decisions [n_pair], votes [n_class], couple's three. */
static int64_t work_of(const svm *s)
{
    return s->n_vector + s->n_pair + s->n_class * 2 + (s->n_prob ? 2 * s->n_class * s->n_class : 0);
}

static int64_t decide(const svm *s, const double *x, double *kernel, double *decision, double *votes)
{
    int64_t at = 0;
    for (int64_t k = 0; k < s->n_vector; k++)
        kernel[k] = kernel_of(s, x, s->vector + k * s->width);
    memset(votes, 0, (size_t)s->n_class * sizeof(*votes));
    for (int64_t i = 0; i < s->n_class; i++)
        for (int64_t j = i + 1; j < s->n_class; j++, at++) {
            int64_t a = s->start[i], b = s->start[j];
            decision[at] = s->rho[at] +
                           dot(s->coef + (j - 1) * s->n_vector + a, kernel + a, s->per_class[i]) +
                           dot(s->coef + i * s->n_vector + b, kernel + b, s->per_class[j]);
            votes[decision[at] > 0 ? i : j] += 1;
        }
    return ox_ml_argmax(votes, s->n_class);
}

static void pair_probabilities(const svm *s, const double *decision, double *q)
{
    int64_t k = s->n_class, at = 0;
    for (int64_t i = 0; i < k; i++)
        for (int64_t j = i + 1; j < k; j++, at++) {
            double v = 1 - ox_ml_logistic(decision[at] * s->prob_a[at] + s->prob_b[at]);
            v = fmin(fmax(v, 1e-7), 1 - 1e-7);
            q[i * k + j] = v;
            q[j * k + i] = 1 - v;
        }
}

static void classify(const job *j, int64_t row, double *work)
{
    const svm *s = j->s;
    const double *x = j->m.x + row * s->width;
    double *y = j->y + row * s->n_score;
    int64_t k = s->n_class;
    if (s->n_vector == 0) {
        for (int64_t c = 0; c < k; c++)
            y[c] = s->rho[s->n_rho == k ? c : 0] + dot(x, s->coef + c * s->width, s->width);
        if (k == 1)
            ox_ml_set_sign(j->r, &s->labels, row, y[0] > 0);
        else
            ox_ml_set_label(j->r, &s->labels, row, ox_ml_argmax(y, k));
    } else {
        double *decision = work + s->n_vector, *votes = decision + s->n_pair, *q = votes + k;
        ox_ml_set_label(j->r, &s->labels, row, decide(s, x, work, decision, votes));
        if (s->n_prob) {
            pair_probabilities(s, decision, q);
            couple(q, k, q + k * k, q + 2 * k * k, y);
        } else if (k == 2) {
            y[0] = -decision[0];
            y[1] = decision[0];
        } else {
            memcpy(y, decision, (size_t)s->n_pair * sizeof(*y));
        }
    }
    ox_ml_transform(s->post, y, s->n_score);
}

static void classify_block(void *ctx, int64_t b, int worker)
{
    const job *j = ctx;
    for (int64_t i = b * ROWS; i < OX_MIN(j->m.n, (b + 1) * ROWS); i++)
        classify(j, i, j->work + worker * j->n_work);
}

static ox_code run_classifier(ox_run *r)
{
    job j = { .r = r, .s = r->state };
    OX_TRY(ox_ml_rows_of(r, &j.m));
    j.n_work = work_of(j.s);
    size_t n, n_work;
    if (!ox_mul_size(&n, (size_t)j.m.n, (size_t)j.s->n_score) ||
        !ox_mul_size(&n_work, (size_t)j.n_work, (size_t)ox_pool_threads(r->pool)) ||
        !(j.y = ox_scratch_array(r, n, sizeof(double))) ||
        !(j.work = ox_scratch_array(r, n_work, sizeof(double))))
        return OX_NO_MEMORY(r);
    ox_parallel(r, (j.m.n + ROWS - 1) / ROWS, classify_block, &j);
    ox_ml_store(r, 1, j.y, (int64_t)n);
    return OX_OK;
}

OX_OP(SVMClassifier, 1) .domain = "ai.onnx.ml", .infer = infer_classifier,
    .prepare = prepare_classifier, .run_any = run_classifier, .key = OX_KEY_NONE,
    .state_size = sizeof(svm), .error = { ERR_SUM, 64 } OX_END;
