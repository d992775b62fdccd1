/* LabelEncoder, CategoryMapper, OneHotEncoder: a finite map over elements.
 *
 * Keys become 64 bits: integers as they are, floats by their double.  LabelEncoder-2 compares floats
 * bit by bit; since version 4 all NaN are one key and -0 is 0. */
#include "kernels/ml/ml.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct encoder {
    ox_dtype      key, value; /* element types asked for */
    ox_ml_lookup  lookup;
    const void   *values;     /* [n] of the value type */
    const void   *otherwise;  /* one of the value type */
    bool          by_bits;
    int64_t       i;          /* storage for a scalar default */
    float         f;
    ox_str        s;
} encoder;

/* ---- keys ---- */
static uint64_t float_key(double v, bool by_bits)
{
    uint64_t bits;
    if (!by_bits)
        v = isnan(v) ? NAN : v == 0 ? 0 : v;
    memcpy(&bits, &v, sizeof(bits));
    return bits;
}

/* n elements of t from `at` as keys.  A float's NaN keeps its payload when widened. */
static void keys_of(uint64_t *to, const ox_tensor *t, int64_t at, int64_t n, bool by_bits)
{
    for (int64_t i = 0; i < n; i++)
        to[i] = ox_is_float(t->dtype) ? float_key(ox_get_f64(t, at + i), by_bits)
                                      : (uint64_t)ox_get_i64(t, at + i);
}

/* A lookup over the elements of a tensor. */
static ox_code index_keys(ox_run *r, ox_ml_lookup *l, const ox_tensor *keys, bool by_bits)
{
    int64_t n = ox_count(keys);
    if (keys->dtype == OX_STR)
        return ox_ml_lookup_init(r, l, NULL, keys->data, n, true);
    uint64_t *bits = ox_state_alloc(r, (size_t)n + 1, sizeof(*bits));
    if (!bits)
        return OX_NO_MEMORY(r);
    if (n)
        keys_of(bits, keys, 0, n, by_bits);
    return ox_ml_lookup_init(r, l, bits, NULL, n, true);
}

static int64_t find(const encoder *e, const ox_tensor *x, int64_t i)
{
    uint64_t key;
    if (x->dtype == OX_STR)
        return ox_ml_find_str(&e->lookup, ((const ox_str *)x->data)[i]);
    keys_of(&key, x, i, 1, e->by_bits);
    return ox_ml_find_bits(&e->lookup, key);
}

/* y = values[find(x)]; y may be wider than the values (--precision f64). */
static ox_code encode(ox_run *r)
{
    const encoder *e = r->state;
    const ox_tensor *x = r->in[0];
    ox_tensor *y = r->out[0];
    int64_t n = ox_count(x);
    size_t size = ox_dtype_size(e->value);
    bool same = y->dtype == e->value;
    char *to = same ? y->data : ox_scratch_array(r, (size_t)n, size);
    if (!to)
        return OX_NO_MEMORY(r);
    for (int64_t i = 0; i < n; i++) {
        int64_t k = find(e, x, i);
        memcpy(to + (size_t)i * size,
               k < 0 ? (const char *)e->otherwise : (const char *)e->values + (size_t)k * size, size);
    }
    if (!same)
        ox_convert(y->data, y->dtype, to, e->value, (size_t)n);
    return OX_OK;
}

/* ---- LabelEncoder ---- */
/* The one given of prefix_int64s, prefix_floats, prefix_strings, prefix_tensor, as a tensor. */
static ox_code one_list(const ox_run *r, const char *prefix, ox_tensor *t)
{
    char name[32];
    int n, found = 0;
    *t = (ox_tensor){ .rank = 1 };
    snprintf(name, sizeof(name), "%s_int64s", prefix);
    const void *v = ox_attr_i64s(r, name, &n);
    if (n) {
        *t = (ox_tensor){ .dtype = OX_I64, .rank = 1, .dim = { n }, .data = (void *)(uintptr_t)v };
        found++;
    }
    snprintf(name, sizeof(name), "%s_floats", prefix);
    v = ox_attr_f32s(r, name, &n);
    if (n) {
        *t = (ox_tensor){ .dtype = OX_F32, .rank = 1, .dim = { n }, .data = (void *)(uintptr_t)v };
        found++;
    }
    snprintf(name, sizeof(name), "%s_strings", prefix);
    v = ox_attr_strs(r, name, &n);
    if (n) {
        *t = (ox_tensor){ .dtype = OX_STR, .rank = 1, .dim = { n }, .data = (void *)(uintptr_t)v };
        found++;
    }
    snprintf(name, sizeof(name), "%s_tensor", prefix);
    const ox_tensor *tensor = ox_attr_tensor(r, name);
    if (tensor) {
        *t = *tensor;
        found++;
    }
    return found == 1 ? OX_OK
                      : OX_FAIL(r->err, OX_E_VALUE, "%d of the lists %s_* are given, expected one", found,
                                prefix);
}

/* keys and values of the node; version 1 has one list of strings, whose index is the other side. */
static ox_code lists_of(const ox_run *r, ox_tensor *keys, ox_tensor *values)
{
    OX_TRY(one_list(r, "keys", keys));
    OX_TRY(one_list(r, "values", values));
    if (ox_count(keys) != ox_count(values))
        return OX_FAIL(r->err, OX_E_VALUE, "%lld keys and %lld values", (long long)ox_count(keys),
                       (long long)ox_count(values));
    return OX_OK;
}

static ox_code infer_label_encoder(ox_run *r)
{
    ox_tensor keys, values;
    OX_TRY(lists_of(r, &keys, &values));
    if (r->out[0])
        r->out[0]->dtype = values.dtype;
    return ox_infer_like(r);
}

static ox_code check_key_type(const ox_run *r, ox_dtype keys)
{
    ox_dtype x = r->in[0]->dtype;
    bool wide = r->f64 && ox_is_float(x) && ox_is_float(keys);
    if (x != keys && !wide)
        return OX_FAIL(r->err, OX_E_TYPE, "X is of type %s, the keys are %s", ox_dtype_name(x),
                       ox_dtype_name(keys));
    return OX_OK;
}

/* default_tensor, or the default that has the values' type. */
static ox_code read_default(ox_run *r, encoder *e)
{
    const ox_tensor *t = ox_attr_tensor(r, "default_tensor");
    if (t) {
        if (t->dtype != e->value || ox_count(t) != 1)
            return OX_FAIL(r->err, OX_E_VALUE, "default_tensor has %lld elements of type %s, expected one "
                           "of type %s", (long long)ox_count(t), ox_dtype_name(t->dtype),
                           ox_dtype_name(e->value));
        e->otherwise = t->data;
        return OX_OK;
    }
    const char *s = ox_attr_str(r, "default_string");
    e->s = (ox_str){ s ? s : "", s ? strlen(s) : 0 };
    e->i = ox_attr_i64(r, "default_int64");
    e->f = (float)ox_attr_f64(r, "default_float");
    if (e->value == OX_STR) {
        e->otherwise = &e->s;
    } else if (e->value == OX_I64) {
        e->otherwise = &e->i;
    } else if (e->value == OX_F32) {
        e->otherwise = &e->f;
    } else { /* values_tensor of another type: -1, or -0 */
        void *one = ox_state_alloc(r, 1, ox_dtype_size(e->value));
        if (!one)
            return OX_NO_MEMORY(r);
        if (ox_is_float(e->value))
            ox_from_f64(one, &(double){ (double)e->f }, e->value, 1);
        else
            ox_from_i64(one, &e->i, e->value, 1);
        e->otherwise = one;
    }
    return OX_OK;
}

static ox_code prepare_label_encoder(ox_run *r)
{
    encoder *e = r->state;
    ox_tensor keys, values;
    OX_TRY(lists_of(r, &keys, &values));
    OX_TRY(check_key_type(r, keys.dtype));
    e->value = values.dtype;
    e->values = values.data;
    e->by_bits = r->since < 4;
    OX_TRY(read_default(r, e));
    return index_keys(r, &e->lookup, &keys, e->by_bits);
}

OX_OP(LabelEncoder, 2) .domain = "ai.onnx.ml", .infer = infer_label_encoder,
    .prepare = prepare_label_encoder, .run_any = encode, .key = OX_KEY_NONE,
    .state_size = sizeof(encoder), .error = { ERR_EXACT, 0 } OX_END;

/* ---- strings <-> integers: LabelEncoder-1, CategoryMapper ---- */
static ox_code infer_swap(ox_run *r)
{
    if (r->out[0])
        r->out[0]->dtype = r->in[0]->dtype == OX_STR ? OX_I64 : OX_STR;
    return ox_infer_like(r);
}

static ox_code prepare_swap(ox_run *r, const int64_t *ints, const ox_str *strs, int64_t n)
{
    encoder *e = r->state;
    bool from_str = r->in[0]->dtype == OX_STR;
    ox_tensor keys = { .dtype = r->in[0]->dtype, .rank = 1, .dim = { n },
                       .data = from_str ? (void *)(uintptr_t)strs : (void *)(uintptr_t)ints };
    e->value = from_str ? OX_I64 : OX_STR;
    e->values = from_str ? (const void *)ints : (const void *)strs;
    OX_TRY(read_default(r, e));
    return index_keys(r, &e->lookup, &keys, true);
}

static ox_code prepare_label_encoder_1(ox_run *r)
{
    int n;
    const ox_str *strs = ox_attr_strs(r, "classes_strings", &n);
    int64_t *ints = ox_state_alloc(r, (size_t)n + 1, sizeof(*ints));
    if (!ints)
        return OX_NO_MEMORY(r);
    for (int i = 0; i < n; i++)
        ints[i] = i;
    return prepare_swap(r, ints, strs, n);
}

static ox_code prepare_mapper(ox_run *r)
{
    int n_int, n_str;
    const int64_t *ints = ox_attr_i64s(r, "cats_int64s", &n_int);
    const ox_str *strs = ox_attr_strs(r, "cats_strings", &n_str);
    if (n_int != n_str)
        return OX_FAIL(r->err, OX_E_VALUE, "cats_int64s has %d entries, cats_strings %d", n_int, n_str);
    return prepare_swap(r, ints, strs, n_int);
}

OX_OP(LabelEncoder, 1) .domain = "ai.onnx.ml", .infer = infer_swap, .prepare = prepare_label_encoder_1,
    .run_any = encode, .key = OX_KEY_NONE, .state_size = sizeof(encoder), .error = { ERR_EXACT, 0 } OX_END;
OX_OP(CategoryMapper, 1) .domain = "ai.onnx.ml", .infer = infer_swap, .prepare = prepare_mapper,
    .run_any = encode, .key = OX_KEY_NONE, .state_size = sizeof(encoder), .error = { ERR_EXACT, 0 } OX_END;

/* ---- OneHotEncoder ---- */
static ox_code categories_of(const ox_run *r, ox_tensor *cats)
{
    int n_int, n_str;
    const int64_t *ints = ox_attr_i64s(r, "cats_int64s", &n_int);
    const ox_str *strs = ox_attr_strs(r, "cats_strings", &n_str);
    bool text = r->in[0]->dtype == OX_STR;
    *cats = (ox_tensor){ 0 };
    if ((n_int == 0) == (n_str == 0))
        return OX_FAIL(r->err, OX_E_VALUE, "one of cats_int64s and cats_strings must be given");
    if (text != (n_str > 0))
        return OX_FAIL(r->err, OX_E_TYPE, "X is of type %s, the categories are %s",
                       ox_dtype_name(r->in[0]->dtype), n_str ? "strings" : "integers");
    *cats = (ox_tensor){ .dtype = text ? OX_STR : OX_I64, .rank = 1, .dim = { n_int + n_str },
                         .data = text ? (void *)(uintptr_t)strs : (void *)(uintptr_t)ints };
    return OX_OK;
}

static ox_code infer_one_hot(ox_run *r)
{
    ox_tensor cats;
    int64_t dim[OX_MAX_RANK];
    int rank = r->in[0]->rank;
    OX_TRY(categories_of(r, &cats));
    if (rank >= OX_MAX_RANK)
        return OX_FAIL(r->err, OX_E_LIMIT, "X has rank %d, the limit is %d", rank, OX_MAX_RANK - 1);
    for (int d = 0; d < rank; d++)
        dim[d] = r->in[0]->dim[d];
    dim[rank] = cats.dim[0];
    ox_out_shape(r, 0, rank + 1, dim);
    return OX_OK;
}

static ox_code prepare_one_hot(ox_run *r)
{
    encoder *e = r->state;
    ox_tensor cats;
    OX_TRY(categories_of(r, &cats));
    return index_keys(r, &e->lookup, &cats, true);
}

static ox_code run_one_hot(ox_run *r)
{
    const encoder *e = r->state;
    const ox_tensor *x = r->in[0];
    ox_tensor *y = r->out[0];
    int64_t n = ox_count(x), width = e->lookup.n;
    bool zeros = ox_attr_i64(r, "zeros") != 0;
    double one = 1;
    size_t size = ox_dtype_size(y->dtype);
    memset(y->data, 0, ox_bytes(y));
    for (int64_t i = 0; i < n; i++) {
        int64_t k = x->dtype == OX_STR ? ox_ml_find_str(&e->lookup, ((const ox_str *)x->data)[i])
                                       : ox_ml_find_bits(&e->lookup, (uint64_t)ox_get_i64(x, i));
        if (k >= 0)
            ox_from_f64((char *)y->data + (size_t)(i * width + k) * size, &one, y->dtype, 1);
        else if (!zeros)
            return OX_FAIL(r->err, OX_E_VALUE, "element %lld is of no category", (long long)i);
    }
    return OX_OK;
}

OX_OP(OneHotEncoder, 1) .domain = "ai.onnx.ml", .infer = infer_one_hot, .prepare = prepare_one_hot,
    .run_any = run_one_hot, .key = OX_KEY_NONE, .state_size = sizeof(encoder),
    .error = { ERR_EXACT, 0 } OX_END;
