#include "kernels/ml/ml.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- post transforms ---- */
ox_code ox_ml_post_attr(const ox_run *r, ox_ml_post *post)
{
    static const char *const words[] = { "NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT", NULL };
    int i;
    OX_TRY(ox_attr_enum(r, "post_transform", words, &i));
    *post = (ox_ml_post)i;
    return OX_OK;
}

double ox_ml_logistic(double v)
{
    double p = 1 / (1 + exp(-fabs(v)));
    return v < 0 ? 1 - p : p;
}

/* Winitzki (2008), a = 0.147. */
static double probit(double v)
{
    static const double a = 0.147, pi = 3.14159265358979323846;
    double x = 2 * v - 1, rest = (1 - x) * (1 + x);
    if (rest == 0)
        return x < 0 ? -INFINITY : INFINITY;
    double l = log(rest), b = 2 / (pi * a) + 0.5 * l;
    double y = sqrt(2) * sqrt(-b + sqrt(b * b - l / a));
    return x < 0 ? -y : y;
}

static void softmax(double *v, int64_t n, bool skip_zeros)
{
    double max = -INFINITY, sum = 0;
    for (int64_t i = 0; i < n; i++)
        max = fmax(max, v[i]);
    for (int64_t i = 0; i < n; i++) {
        bool zero = skip_zeros && fabs(v[i]) <= 1e-7;
        v[i] = zero ? v[i] * exp(-max) : exp(v[i] - max);
        sum += v[i];
    }
    for (int64_t i = 0; i < n; i++)
        v[i] = sum == 0 ? 0.5 : v[i] / sum;
}

void ox_ml_transform(ox_ml_post post, double *v, int64_t n)
{
    switch (post) {
    case OX_ML_SOFTMAX:      softmax(v, n, false); break;
    case OX_ML_SOFTMAX_ZERO: softmax(v, n, true); break;
    case OX_ML_LOGISTIC:
        for (int64_t i = 0; i < n; i++)
            v[i] = ox_ml_logistic(v[i]);
        break;
    case OX_ML_PROBIT:
        for (int64_t i = 0; i < n; i++)
            v[i] = probit(v[i]);
        break;
    default: break;
    }
}

int64_t ox_ml_argmax(const double *v, int64_t n)
{
    int64_t best = 0;
    for (int64_t i = 1; i < n; i++)
        if (v[i] > v[best] || (isnan(v[best]) && !isnan(v[i])))
            best = i;
    return best;
}

/* ---- inputs, outputs ---- */
ox_code ox_ml_shape(const ox_run *r, ox_ml_rows *m)
{
    const ox_tensor *x = r->in[0];
    if (!x || x->rank < 1 || x->rank > 2)
        return OX_FAIL(r->err, OX_E_SHAPE, "X has rank %d, expected 1 or 2", x ? x->rank : -1);
    *m = (ox_ml_rows){ .n = x->rank == 1 ? 1 : x->dim[0], .width = x->dim[x->rank - 1] };
    return OX_OK;
}

ox_code ox_ml_rows_of(ox_run *r, ox_ml_rows *m)
{
    int64_t n;
    OX_TRY(ox_ml_shape(r, m));
    m->x = ox_in_f64s(r, 0, &n);
    return m->x || m->n * m->width == 0 ? OX_OK : OX_NO_MEMORY(r);
}

void ox_ml_store(const ox_run *r, int i, const double *y, int64_t n)
{
    if (i < r->n_out && r->out[i])
        ox_from_f64(r->out[i]->data, y, r->out[i]->dtype, (size_t)n);
}

ox_code ox_ml_doubles(ox_run *r, const char *name, const double **v, int64_t *n)
{
    char other[64];
    int count;
    const float *f = ox_attr_f32s(r, name, &count);
    snprintf(other, sizeof(other), "%s_as_tensor", name);
    const ox_tensor *t = ox_attr_tensor(r, other);
    if (f && t)
        return OX_FAIL(r->err, OX_E_VALUE, "both %s and %s are given", name, other);
    if (t && !ox_is_float(t->dtype))
        return OX_FAIL(r->err, OX_E_TYPE, "%s is of type %s", other, ox_dtype_name(t->dtype));
    *n = t ? ox_count(t) : count;
    double *to = ox_state_alloc(r, (size_t)OX_MAX(*n, 1), sizeof(*to));
    if (!to)
        return OX_NO_MEMORY(r);
    if (*n)
        ox_to_f64(to, t ? t->data : (const void *)f, t ? t->dtype : OX_F32, (size_t)*n);
    *v = to;
    return OX_OK;
}

/* ---- labels ---- */
ox_code ox_ml_labels_of(const ox_run *r, const char *ints, const char *strings, ox_ml_labels *l)
{
    int n_int, n_str;
    l->ints = ox_attr_i64s(r, ints, &n_int);
    l->strs = ox_attr_strs(r, strings, &n_str);
    if (n_int && n_str)
        return OX_FAIL(r->err, OX_E_VALUE, "both %s and %s are given", ints, strings);
    if (n_int == 0)
        l->ints = NULL;
    l->n = n_int + n_str;
    return OX_OK;
}

ox_code ox_ml_infer_classes(ox_run *r, const ox_ml_labels *l, int64_t n, int64_t n_score)
{
    if (r->out[0])
        r->out[0]->dtype = l->strs ? OX_STR : OX_I64;
    ox_out_shape(r, 0, 1, &n);
    ox_out_shape(r, 1, 2, (int64_t[]){ n, n_score });
    return OX_OK;
}

static void set_label(const ox_run *r, const ox_ml_labels *l, int64_t row, int64_t i, ox_str s)
{
    if (!r->out[0])
        return;
    if (l->strs)
        ((ox_str *)r->out[0]->data)[row] = s;
    else
        ((int64_t *)r->out[0]->data)[row] = i;
}

void ox_ml_set_label(const ox_run *r, const ox_ml_labels *l, int64_t row, int64_t k)
{
    set_label(r, l, row, l->ints ? l->ints[k] : k, l->strs ? l->strs[k] : (ox_str){ "", 0 });
}

void ox_ml_set_sign(const ox_run *r, const ox_ml_labels *l, int64_t row, bool positive)
{
    int64_t i = l->ints ? l->ints[0] : 1;
    ox_str none = { "", 0 };
    set_label(r, l, row, positive ? i : 0, positive && l->strs ? l->strs[0] : none);
}

/* ---- lookup ---- */
static uint64_t hash_bits(uint64_t x)
{
    x = (x ^ x >> 32) * 0xd6e8feb86659fd93u;
    x = (x ^ x >> 32) * 0xd6e8feb86659fd93u;
    return x ^ x >> 32;
}

static uint64_t hash_str(ox_str s)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < s.n; i++)
        h = (h ^ (unsigned char)s.s[i]) * 0x100000001b3u;
    return hash_bits(h);
}

static bool str_same(ox_str a, ox_str b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.s, b.s, a.n) == 0);
}

/* The slot of the key, or the free one where it belongs. */
static int64_t *slot_bits(const ox_ml_lookup *l, uint64_t key)
{
    uint64_t at = hash_bits(key) & l->mask;
    while (l->slot[at] && l->bits[l->slot[at] - 1] != key)
        at = (at + 1) & l->mask;
    return &l->slot[at];
}

static int64_t *slot_str(const ox_ml_lookup *l, ox_str key)
{
    uint64_t at = hash_str(key) & l->mask;
    while (l->slot[at] && !str_same(l->strs[l->slot[at] - 1], key))
        at = (at + 1) & l->mask;
    return &l->slot[at];
}

ox_code ox_ml_lookup_init(ox_run *r, ox_ml_lookup *l, const uint64_t *bits, const ox_str *strs,
                          int64_t n, bool in_state)
{
    size_t size = 8;
    while (size < (size_t)n * 2)
        size *= 2;
    *l = (ox_ml_lookup){ bits, strs, n, NULL, size - 1 };
    l->slot = in_state ? ox_state_alloc(r, size, sizeof(*l->slot))
                       : ox_scratch_array(r, size, sizeof(*l->slot));
    if (!l->slot)
        return OX_NO_MEMORY(r);
    memset(l->slot, 0, size * sizeof(*l->slot));
    for (int64_t i = 0; i < n; i++)
        *(strs ? slot_str(l, strs[i]) : slot_bits(l, bits[i])) = i + 1;
    return OX_OK;
}

int64_t ox_ml_find_bits(const ox_ml_lookup *l, uint64_t key) { return *slot_bits(l, key) - 1; }
int64_t ox_ml_find_str(const ox_ml_lookup *l, ox_str key) { return *slot_str(l, key) - 1; }
