/* Features one by one: Scaler, Normalizer, Imputer, Binarizer. */
#ifdef T /* ---- once per dtype ---- */

static ox_code FN(impute)(ox_run *r)
{
    const T *x = r->in[0]->data;
    T *y = r->out[0]->data;
    imputer m;
    OX_TRY(imputer_of(r, &m));
    int64_t n = ox_count(r->in[0]);
    for (int64_t i = 0; i < n; i++) {
        int64_t k = m.n == 1 ? 0 : i % m.n;
#if IS_FLOAT
        bool missing = isnan(m.old) ? isnan(x[i]) : (double)x[i] == m.old;
        y[i] = missing ? (T)(m.floats ? (double)m.floats[k] : (double)m.ints[k]) : x[i];
#else
        y[i] = (int64_t)x[i] == m.old_int ? (T)m.ints[k] : x[i];
#endif
    }
    return OX_OK;
}

static void FN(binarize_loop)(size_t n, const void *vx, void *vy, const void *params)
{
    const T *x = vx;
    T *y = vy;
    double threshold = *(const double *)params;
    for (size_t i = 0; i < n; i++)
        y[i] = (double)x[i] > threshold;
}
static ox_code FN(binarize)(ox_run *r)
{
    double threshold = ox_attr_f64(r, "threshold");
    return ox_map1(r, FN(binarize_loop), &threshold);
}

#else /* ---- once ---- */
#include "kernels/ml/ml.h"

#include <math.h>

/* ---- Imputer ---- */
typedef struct imputer {
    const float   *floats; /* one of the two */
    const int64_t *ints;
    int64_t        n;      /* 1, or one a feature */
    double         old;
    int64_t        old_int;
} imputer;

static int64_t width_of(const ox_tensor *x) { return x->rank ? x->dim[x->rank - 1] : 1; }

/* As many entries as features, or one for all. */
static ox_code check_width(const ox_run *r, const char *name, int64_t n)
{
    if (n != 1 && n != width_of(r->in[0]))
        return OX_FAIL(r->err, OX_E_VALUE, "%s has %lld entries for %lld features", name, (long long)n,
                       (long long)width_of(r->in[0]));
    return OX_OK;
}

static ox_code imputer_of(const ox_run *r, imputer *m)
{
    int n_float, n_int;
    bool is_float = ox_is_float(r->in[0]->dtype);
    *m = (imputer){ .old = ox_attr_f64(r, "replaced_value_float"),
                    .old_int = ox_attr_i64(r, "replaced_value_int64") };
    m->floats = ox_attr_f32s(r, "imputed_value_floats", &n_float);
    m->ints = ox_attr_i64s(r, "imputed_value_int64s", &n_int);
    if (is_float && n_float == 0 && n_int > 0)
        m->old = (double)m->old_int;
    if (!is_float || n_float == 0)
        m->floats = NULL;
    m->n = m->floats ? n_float : n_int;
    if (m->n == 0)
        return OX_FAIL(r->err, OX_E_VALUE, "there is no imputed value for %s",
                       ox_dtype_name(r->in[0]->dtype));
    return check_width(r, m->floats ? "imputed_value_floats" : "imputed_value_int64s", m->n);
}

static ox_code prepare_imputer(ox_run *r)
{
    imputer m;
    return imputer_of(r, &m);
}

#define TYPES (MASK_FLOAT | M_I32 | M_I64)
#define TMPL  "kernels/ml/op_scale.c"
#include "runtime/tensor/each_dtype.h"

#define KERNELS_FEATURE(fn) KERNELS_FLOAT(fn), [OX_I32] = fn##_i32, [OX_I64] = fn##_i64

OX_OP(Imputer, 1) .domain = "ai.onnx.ml", .infer = ox_infer_like, .prepare = prepare_imputer,
    .run = { KERNELS(impute, FEATURE) }, .error = { ERR_EXACT, 0 }, .flags = OX_INPLACE0 OX_END;
OX_OP(Binarizer, 1) .domain = "ai.onnx.ml", .infer = ox_infer_like,
    .run = { KERNELS(binarize, FEATURE) }, .error = { ERR_EXACT, 0 },
    .flags = OX_SYMBOLIC | OX_INPLACE0 OX_END;

/* ---- Scaler: (x - offset) * scale ---- */
static ox_code scaler_of(const ox_run *r, const float *v[2], int n[2])
{
    static const char *const name[] = { "offset", "scale" };
    for (int i = 0; i < 2; i++) {
        v[i] = ox_attr_f32s(r, name[i], &n[i]);
        if (n[i])
            OX_TRY(check_width(r, name[i], n[i]));
    }
    return OX_OK;
}

static double pick(const float *v, int n, int64_t i, double otherwise)
{
    return n == 0 ? otherwise : (double)v[n == 1 ? 0 : i % n];
}

static ox_code run_scaler(ox_run *r)
{
    const float *v[2];
    int n[2];
    int64_t count;
    OX_TRY(scaler_of(r, v, n));
    const double *x = ox_in_f64s(r, 0, &count);
    double *y = ox_scratch_array(r, (size_t)count, sizeof(*y));
    if (!x || !y)
        return OX_NO_MEMORY(r);
    for (int64_t i = 0; i < count; i++)
        y[i] = (x[i] - pick(v[0], n[0], i, 0)) * pick(v[1], n[1], i, 1);
    ox_ml_store(r, 0, y, count);
    return OX_OK;
}

static ox_code oracle_scaler(ox_oracle *o)
{
    const float *v[2];
    int n[2];
    OX_TRY(scaler_of(o->r, v, n));
    for (int64_t i = 0; i < ox_count(o->r->out[0]); i++) {
        double offset = pick(v[0], n[0], i, 0), scale = pick(v[1], n[1], i, 1), x = o->in[0][i];
        o->out[0][i] = (x - offset) * scale;
        o->mag[0][i] = (fabs(x) + fabs(offset)) * fabs(scale);
    }
    return OX_OK;
}

OX_OP(Scaler, 1) .domain = "ai.onnx.ml", .infer = ox_infer_like, .run_any = run_scaler,
    .key = OX_KEY_NONE, .oracle = oracle_scaler, .error = { ERR_SUM, 2 } OX_END;

/* ---- Normalizer ---- */
/* The text's formulas have signs where norms have none; L1 and L2 are the norms (so that signs
 * survive), MAX is the greatest element, sign and all.  A zero divisor leaves the row as it is. */
enum { BY_MAX, BY_L1, BY_L2 };

static double divisor_of(int norm, const double *x, int64_t n)
{
    double d = norm == BY_MAX ? -INFINITY : 0;
    for (int64_t i = 0; i < n; i++)
        d = norm == BY_MAX ? fmax(d, x[i]) : d + (norm == BY_L1 ? fabs(x[i]) : x[i] * x[i]);
    d = norm == BY_L2 ? sqrt(d) : d;
    return d == 0 ? 1 : d;
}

static ox_code normalize(const ox_run *r, const double *x, double *y)
{
    static const char *const norms[] = { "MAX", "L1", "L2", NULL };
    int norm;
    int64_t width = width_of(r->in[0]), n = ox_count(r->in[0]);
    OX_TRY(ox_attr_enum(r, "norm", norms, &norm));
    for (int64_t i = 0; i < n; i += width) {
        double d = divisor_of(norm, x + i, width);
        for (int64_t k = 0; k < width; k++)
            y[i + k] = x[i + k] / d;
    }
    return OX_OK;
}

static ox_code run_normalizer(ox_run *r)
{
    int64_t n;
    const double *x = ox_in_f64s(r, 0, &n);
    double *y = ox_scratch_array(r, (size_t)n, sizeof(*y));
    if (!x || !y)
        return OX_NO_MEMORY(r);
    OX_TRY(normalize(r, x, y));
    ox_ml_store(r, 0, y, n);
    return OX_OK;
}

OX_OP(Normalizer, 1) .domain = "ai.onnx.ml", .infer = ox_infer_like, .run_any = run_normalizer,
    .key = OX_KEY_NONE, .error = { ERR_SUM, 4 } OX_END;
#endif
