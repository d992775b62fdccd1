/* Maps: ZipMap makes them, CastMap and DictVectorizer take them apart. */
#include "kernels/cast/text.h"
#include "kernels/ml/ml.h"

#include <stdlib.h>
#include <string.h>

/* Input 0 as a map of n entries whose values are a tensor [n]. */
typedef struct entries {
    const ox_tensor *keys, *values;
    int64_t          n;
} entries;

/* Values of strings may come as a sequence of one-element tensors: copied into one. */
static ox_code join_values(ox_run *r, const ox_value *v, ox_tensor *t)
{
    size_t n = ox_seq_size(v->seq);
    const ox_value *first = n ? ox_seq_at(v->seq, 0) : NULL;
    *t = (ox_tensor){ .dtype = first ? first->t.dtype : OX_STR, .rank = 1, .dim = { (int64_t)n } };
    size_t size = ox_dtype_size(t->dtype);
    if (!(t->data = ox_scratch_array(r, n + 1, OX_MAX(size, 1))))
        return OX_NO_MEMORY(r);
    for (size_t i = 0; i < n; i++) {
        const ox_value *e = ox_seq_at(v->seq, i);
        if (e->kind != OX_TENSOR || e->t.dtype != t->dtype || ox_count(&e->t) != 1)
            return OX_FAIL(r->err, OX_E_TYPE, "value %zu of the map is no scalar", i);
        memcpy((char *)t->data + i * size, e->t.data, size);
    }
    return OX_OK;
}

static ox_code entries_of(ox_run *r, entries *e)
{
    const ox_value *v = r->vin[0];
    if (!v || v->kind != OX_MAP)
        return OX_FAIL(r->err, OX_E_TYPE, "X is no map");
    e->keys = ox_map_keys(v->map);
    e->n = ox_count(e->keys);
    const ox_value *values = ox_map_values(v->map);
    if (values->kind == OX_TENSOR) {
        e->values = &values->t;
    } else if (values->kind == OX_SEQUENCE) {
        ox_tensor *t = ox_scratch(r, sizeof(*t));
        if (!t)
            return OX_NO_MEMORY(r);
        OX_TRY(join_values(r, values, t));
        e->values = t;
    } else {
        return OX_FAIL(r->err, OX_E_TYPE, "the map holds no scalars");
    }
    if (ox_count(e->values) != e->n)
        return OX_FAIL(r->err, OX_E_SHAPE, "the map has %lld keys and %lld values", (long long)e->n,
                       (long long)ox_count(e->values));
    return OX_OK;
}

/* One element into another type: between numbers, from numbers to text and back, as Cast does. */
static ox_code convert(ox_run *r, void *to, ox_dtype to_type, const void *from, ox_dtype from_type)
{
    if (to_type == from_type) {
        memcpy(to, from, ox_dtype_size(to_type));
    } else if (to_type == OX_STR) {
        char text[OX_CAST_TEXT];
        size_t n = ox_cast_to_text(text, from, from_type);
        char *s = ox_run_str(r, n);
        if (!s)
            return OX_NO_MEMORY(r);
        memcpy(s, text, n);
        *(ox_str *)to = (ox_str){ s, n };
    } else if (from_type == OX_STR) {
        ox_str s = *(const ox_str *)from;
        char *room = ox_scratch(r, s.n + OX_CAST_TEXT);
        if (!room)
            return OX_NO_MEMORY(r);
        if (!ox_cast_from_text(to, to_type, s, room))
            return OX_FAIL(r->err, OX_E_VALUE, "\"%.*s\" is no number", (int)OX_MIN(s.n, (size_t)40), s.s);
    } else {
        ox_convert(to, to_type, from, from_type, 1);
    }
    return OX_OK;
}

static void *element(const ox_tensor *t, int64_t i)
{
    return (char *)t->data + (size_t)i * ox_dtype_size(t->dtype);
}

static void fill_blank(ox_tensor *t)
{
    memset(t->data, 0, ox_bytes(t));
    for (int64_t i = 0; t->dtype == OX_STR && i < ox_count(t); i++)
        ((ox_str *)t->data)[i] = (ox_str){ "", 0 };
}

/* ---- CastMap ---- */
enum { DENSE, SPARSE };

static ox_code infer_cast_map(ox_run *r)
{
    static const char *const words[] = { "TO_FLOAT", "TO_STRING", "TO_INT64", NULL };
    static const ox_dtype types[] = { OX_F32, OX_STR, OX_I64 };
    static const char *const forms[] = { "DENSE", "SPARSE", NULL };
    int to, form;
    int64_t n = ox_attr_i64(r, "max_map");
    OX_TRY(ox_attr_enum(r, "cast_to", words, &to));
    OX_TRY(ox_attr_enum(r, "map_form", forms, &form));
    if (form == SPARSE && n < 1)
        return OX_FAIL(r->err, OX_E_VALUE, "max_map is %lld", (long long)n);
    if (r->tout[0])
        r->tout[0]->kind = OX_TENSOR;
    if (r->out[0])
        r->out[0]->dtype = types[to];
    if (form == SPARSE)
        ox_out_shape(r, 0, 2, (int64_t[]){ 1, n });
    return OX_OK;
}

typedef struct keyed { int64_t key, at; } keyed;

static int by_key(const void *a, const void *b)
{
    int64_t x = ((const keyed *)a)->key, y = ((const keyed *)b)->key;
    return (x > y) - (x < y);
}

static ox_code run_cast_map(ox_run *r)
{
    entries e;
    OX_TRY(entries_of(r, &e));
    if (e.keys->dtype != OX_I64)
        return OX_FAIL(r->err, OX_E_TYPE, "the keys are of type %s", ox_dtype_name(e.keys->dtype));
    bool sparse = r->out[0]->rank >= 0;
    if (!sparse)
        OX_TRY(ox_out_alloc(r, 0, 2, (int64_t[]){ 1, e.n }));
    ox_tensor *y = r->out[0];
    keyed *order = ox_scratch_array(r, (size_t)e.n + 1, sizeof(*order));
    if (!order)
        return OX_NO_MEMORY(r);
    for (int64_t i = 0; i < e.n; i++)
        order[i] = (keyed){ ((const int64_t *)e.keys->data)[i], i };
    qsort(order, (size_t)e.n, sizeof(*order), by_key);
    fill_blank(y);
    for (int64_t i = 0; i < e.n; i++) {
        int64_t to = sparse ? order[i].key : i;
        if (to < 0 || to >= y->dim[1])
            return OX_FAIL(r->err, OX_E_VALUE, "key %lld with max_map %lld", (long long)to,
                           (long long)y->dim[1]);
        OX_TRY(convert(r, element(y, to), y->dtype, element(e.values, order[i].at), e.values->dtype));
    }
    return OX_OK;
}

OX_OP(CastMap, 1) .domain = "ai.onnx.ml", .infer = infer_cast_map, .run_any = run_cast_map,
    .key = OX_KEY_NONE, .error = { ERR_EXACT, 0 } OX_END;

/* ---- DictVectorizer ---- */
static ox_code infer_vectorizer(ox_run *r)
{
    ox_ml_labels words;
    ox_dtype t = r->tin[0] ? r->tin[0]->dtype : OX_UNDEFINED;
    OX_TRY(ox_ml_labels_of(r, "int64_vocabulary", "string_vocabulary", &words));
    if (t == OX_UNDEFINED && r->tin[0] && r->tin[0]->elem)
        t = r->tin[0]->elem->dtype;
    if (r->vin[0] && r->vin[0]->kind == OX_MAP) {
        const ox_value *v = ox_map_values(r->vin[0]->map);
        if (v->kind == OX_TENSOR)
            t = v->t.dtype;
        else if (v->kind == OX_SEQUENCE)
            t = ox_seq_size(v->seq) ? ox_seq_at(v->seq, 0)->t.dtype : OX_STR;
    }
    if (r->tout[0])
        r->tout[0]->kind = OX_TENSOR;
    if (!r->out[0] || t == OX_UNDEFINED)
        return OX_OK;
    r->out[0]->dtype = t;
    ox_out_shape(r, 0, 2, (int64_t[]){ 1, words.n });
    return OX_OK;
}

static ox_code run_vectorizer(ox_run *r)
{
    entries e;
    ox_ml_labels words;
    ox_ml_lookup lookup;
    ox_tensor *y = r->out[0];
    OX_TRY(entries_of(r, &e));
    OX_TRY(ox_ml_labels_of(r, "int64_vocabulary", "string_vocabulary", &words));
    if ((e.keys->dtype == OX_STR) != (words.strs != NULL))
        return OX_FAIL(r->err, OX_E_TYPE, "the keys are of type %s, the vocabulary is not",
                       ox_dtype_name(e.keys->dtype));
    OX_TRY(ox_ml_lookup_init(r, &lookup, (const uint64_t *)words.ints, words.strs, words.n, false));
    fill_blank(y);
    for (int64_t i = 0; i < e.n; i++) {
        int64_t k = words.strs ? ox_ml_find_str(&lookup, ((const ox_str *)e.keys->data)[i])
                               : ox_ml_find_bits(&lookup, ((const uint64_t *)e.keys->data)[i]);
        if (k >= 0)
            OX_TRY(convert(r, element(y, k), y->dtype, element(e.values, i), e.values->dtype));
    }
    return OX_OK;
}

OX_OP(DictVectorizer, 1) .domain = "ai.onnx.ml", .infer = infer_vectorizer, .run_any = run_vectorizer,
    .key = OX_KEY_NONE, .error = { ERR_EXACT, 0 } OX_END;

/* ---- ZipMap ---- */
static ox_code infer_zip(ox_run *r)
{
    if (r->tout[0])
        r->tout[0]->kind = OX_SEQUENCE;
    return OX_OK;
}

/* Keys of all the maps: they share one tensor. */
static ox_code make_keys(ox_run *r, const ox_ml_labels *l, ox_tensor *keys)
{
    int64_t n = l->n;
    ox_tensor borrowed = { .dtype = l->strs ? OX_STR : OX_I64, .rank = 1, .dim = { n },
                           .data = l->strs ? (void *)(uintptr_t)l->strs : (void *)(uintptr_t)l->ints };
    return ox_tensor_clone(keys, &borrowed, r->err);
}

static ox_code push_row(ox_run *r, ox_seq *s, const ox_tensor *keys, const char *row, ox_dtype t)
{
    ox_tensor own_keys;
    ox_value values = { .kind = OX_TENSOR }, v = { .kind = OX_MAP };
    OX_TRY(ox_tensor_keep(&own_keys, keys, r->err));
    ox_code code = ox_tensor_alloc(&values.t, t, 1, keys->dim, r->err);
    if (code != OX_OK) {
        ox_tensor_release(&own_keys);
        return code;
    }
    memcpy(values.t.data, row, ox_bytes(&values.t));
    if (!(v.map = ox_map_create(&own_keys, &values)))
        return OX_NO_MEMORY(r);
    return ox_seq_push(s, &v, r->err);
}

static ox_code run_zip(ox_run *r)
{
    ox_ml_rows m;
    ox_ml_labels l;
    ox_tensor keys;
    const ox_tensor *x = r->in[0];
    OX_TRY(ox_ml_shape(r, &m));
    OX_TRY(ox_ml_labels_of(r, "classlabels_int64s", "classlabels_strings", &l));
    if (l.n == 0 || l.n != m.width)
        return OX_FAIL(r->err, OX_E_SHAPE, "X has %lld columns for %d keys", (long long)m.width, l.n);
    OX_TRY(make_keys(r, &l, &keys));
    ox_seq *s = ox_seq_create((size_t)m.n);
    ox_code code = s ? OX_OK : OX_NO_MEMORY(r);
    size_t row = (size_t)m.width * ox_dtype_size(x->dtype);
    for (int64_t i = 0; i < m.n && code == OX_OK; i++)
        code = push_row(r, s, &keys, (const char *)x->data + (size_t)i * row, x->dtype);
    ox_tensor_release(&keys);
    if (code != OX_OK) {
        ox_seq_unref(s);
        return code;
    }
    ox_value v = { .kind = OX_SEQUENCE, .seq = s };
    ox_out_move(r, 0, &v);
    return OX_OK;
}

OX_OP(ZipMap, 1) .domain = "ai.onnx.ml", .infer = infer_zip, .run_any = run_zip, .key = OX_KEY_NONE,
    .error = { ERR_EXACT, 0 } OX_END;
