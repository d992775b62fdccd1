/* The public API: values, files, comparison. */
#include "runtime/api.h"
#include "runtime/io/bundle.h"
#include "runtime/io/match.h"
#include "runtime/io/random.h"
#include "runtime/io/save.h"
#include "verify/compare.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- making values ---- */

/* take_v on the heap; it is released on failure. */
static onnxrun_code wrap(ox_value *take_v, onnxrun_value **out, onnxrun_error *err, ox_error *e,
                         ox_code code)
{
    ox_value *v = code == OX_OK ? malloc(sizeof *v) : NULL;
    *out = NULL;
    if (code == OX_OK && !v)
        code = OX_FAIL(e, OX_E_NOMEM, "out of memory");
    if (code != OX_OK) {
        ox_value_release(take_v);
    } else {
        *v = *take_v;
        *out = (void *)v;
    }
    return ox_api_give(err, e, NULL, code);
}

onnxrun_code onnxrun_value_tensor(onnxrun_dtype t, int rank, const int64_t *dim, const void *data,
                                  onnxrun_value **out, onnxrun_error *err)
{
    ox_error e = { 0 };
    ox_value v = { .kind = OX_TENSOR };
    ox_code code = t == ONNXRUN_STR && data
                       ? OX_FAIL(&e, OX_E_USAGE, "strings come through onnxrun_value_strings")
                       : ox_tensor_alloc(&v.t, (ox_dtype)t, rank, dim, &e);
    size_t n = code == OX_OK ? ox_bytes(&v.t) : 0;
    if (n > 0 && data)
        memcpy(v.t.data, data, n);
    else if (n > 0)
        memset(v.t.data, 0, n);
    return wrap(&v, out, err, &e, code);
}

static ox_code shape_only(ox_tensor *t, onnxrun_dtype dtype, int rank, const int64_t *dim,
                          ox_error *e)
{
    int64_t n;
    if (ox_dtype_size((ox_dtype)dtype) == 0)
        return OX_FAIL(e, OX_E_TYPE, "element type %d is unknown", (int)dtype);
    OX_TRY(ox_shape_count(&n, (ox_dtype)dtype, rank, dim, e));
    *t = (ox_tensor){ .dtype = (ox_dtype)dtype, .rank = rank };
    memcpy(t->dim, dim, (size_t)rank * sizeof *dim);
    return OX_OK;
}

onnxrun_code onnxrun_value_borrow(onnxrun_dtype t, int rank, const int64_t *dim, const void *data,
                                  onnxrun_value **out, onnxrun_error *err)
{
    ox_error e = { 0 };
    ox_value v = { .kind = OX_TENSOR };
    ox_code code = t == ONNXRUN_STR
                       ? OX_FAIL(&e, OX_E_USAGE, "strings come through onnxrun_value_strings")
                       : shape_only(&v.t, t, rank, dim, &e);
    v.t.data = (void *)(uintptr_t)data; /* borrowed tensors are never written (buf is NULL) */
    return wrap(&v, out, err, &e, code);
}

onnxrun_code onnxrun_value_shape(onnxrun_dtype t, int rank, const int64_t *dim, onnxrun_value **out,
                                 onnxrun_error *err)
{
    ox_error e = { 0 };
    ox_value v = { .kind = OX_TENSOR };
    ox_code code = shape_only(&v.t, t, rank, dim, &e);
    return wrap(&v, out, err, &e, code);
}

onnxrun_code onnxrun_value_strings(int rank, const int64_t *dim, const char *const *strings,
                                   onnxrun_value **out, onnxrun_error *err)
{
    ox_error  e = { 0 };
    ox_tensor borrowed;
    ox_value  v = { .kind = OX_TENSOR };
    ox_code   code = ox_tensor_alloc(&borrowed, OX_STR, rank, dim, &e);
    int64_t   n = code == OX_OK ? ox_count(&borrowed) : 0;
    for (int64_t i = 0; i < n; i++)
        ((ox_str *)borrowed.data)[i] = (ox_str){ strings[i], strlen(strings[i]) };
    if (code == OX_OK) {
        code = ox_tensor_clone(&v.t, &borrowed, &e);
        ox_tensor_release(&borrowed);
    }
    return wrap(&v, out, err, &e, code);
}

onnxrun_code onnxrun_value_random(const onnxrun_info *like, const int64_t *dim, uint64_t seed,
                                  onnxrun_value **out, onnxrun_error *err)
{
    ox_error e = { 0 };
    ox_value v = { .kind = OX_NONE };
    ox_code  code = OX_OK;
    int64_t  size[OX_MAX_RANK];
    if (like->kind == ONNXRUN_SEQUENCE && !like->optional) {
        v.kind = OX_SEQUENCE;
        if (!(v.seq = ox_seq_create(0)))
            code = OX_FAIL(&e, OX_E_NOMEM, "out of memory");
    } else if (like->kind == ONNXRUN_TENSOR && !like->optional) {
        for (int i = 0; i < like->rank; i++)
            size[i] = like->dim[i] >= 0 ? like->dim[i] : dim && dim[i] >= 0 ? dim[i] : 1;
        v.kind = OX_TENSOR;
        code = ox_random_tensor(&v.t, (ox_dtype)like->dtype, like->rank < 0 ? 0 : like->rank, size,
                                seed, &e);
    } else if (!like->optional) {
        code = OX_FAIL(&e, OX_E_UNSUPPORTED, "input \"%.100s\": no random values for type %.100s",
                       like->name, like->type);
    }
    return wrap(&v, out, err, &e, code);
}

onnxrun_code onnxrun_value_copy(const onnxrun_value *v, onnxrun_value **out, onnxrun_error *err)
{
    ox_error e = { 0 };
    ox_value copy = { 0 };
    ox_code code = ox_value_keep(&copy, ox_api_value(v), &e);
    return wrap(&copy, out, err, &e, code);
}

onnxrun_code onnxrun_value_cast(const onnxrun_value *v, onnxrun_dtype t, onnxrun_value **out,
                                onnxrun_error *err)
{
    ox_error e = { 0 };
    ox_value to = { .kind = OX_TENSOR };
    ox_code code = onnxrun_value_kind(v) == ONNXRUN_TENSOR
                 ? ox_tensor_convert(&to.t, &ox_api_value(v)->t, (ox_dtype)t, &e)
                 : OX_FAIL(&e, OX_E_TYPE, "only tensors can be converted");
    return wrap(&to, out, err, &e, code);
}

void onnxrun_value_destroy(onnxrun_value *v)
{
    if (v)
        ox_value_release((void *)v);
    free(v);
}

/* ---- looking at values ---- */

static const ox_tensor *tensor(const onnxrun_value *v)
{
    static const ox_tensor none;
    return onnxrun_value_kind(v) == ONNXRUN_TENSOR ? &ox_api_value(v)->t : &none;
}

onnxrun_kind onnxrun_value_kind(const onnxrun_value *v)
{
    return (onnxrun_kind)ox_api_value(v)->kind;
}
onnxrun_dtype onnxrun_value_dtype(const onnxrun_value *v)
{
    return (onnxrun_dtype)tensor(v)->dtype;
}
int onnxrun_value_rank(const onnxrun_value *v) { return tensor(v)->rank; }
const int64_t *onnxrun_value_dims(const onnxrun_value *v) { return tensor(v)->dim; }
const void *onnxrun_value_data(const onnxrun_value *v)
{
    return tensor(v)->dtype == OX_STR ? NULL : tensor(v)->data;
}
size_t onnxrun_value_bytes(const onnxrun_value *v)
{
    return onnxrun_value_kind(v) == ONNXRUN_TENSOR && tensor(v)->dtype != OX_STR
               ? ox_bytes(tensor(v))
               : 0;
}

int64_t onnxrun_value_count(const onnxrun_value *v)
{
    const ox_value *x = ox_api_value(v);
    switch (x->kind) {
    case OX_TENSOR:
    case OX_SPARSE: return ox_count(&x->t);
    case OX_SEQUENCE: return (int64_t)ox_seq_size(x->seq);
    case OX_MAP: return ox_count(ox_map_keys(x->map));
    default: return 0;
    }
}

const char *onnxrun_value_string(const onnxrun_value *v, int64_t i, size_t *n_bytes)
{
    const ox_str *s = (const ox_str *)tensor(v)->data + i;
    *n_bytes = s->n;
    return s->s;
}

const onnxrun_value *onnxrun_value_at(const onnxrun_value *v, size_t i)
{
    return ox_api_lend(ox_seq_at(ox_api_value(v)->seq, i));
}

char *onnxrun_value_text(const onnxrun_value *v, char *buf, size_t n_buf)
{
    return ox_value_text(buf, n_buf, ox_api_value(v));
}

void onnxrun_value_stats(const onnxrun_value *v, onnxrun_stats *out)
{
    ox_stats s;
    ox_tensor_stats(tensor(v), &s);
    *out = (onnxrun_stats){ onnxrun_value_count(v), s.nan, s.inf, s.min, s.max, s.mean };
}

/* ---- files ---- */

onnxrun_code onnxrun_value_load(const char *path, const onnxrun_info *declared, onnxrun_value **out,
                                onnxrun_error *err)
{
    ox_error e = { 0 };
    ox_type  tmp;
    ox_value v = { 0 };
    ox_code  code = ox_value_read(path, ox_api_type(declared, &tmp), &v, &e);
    return wrap(&v, out, err, &e, code);
}

onnxrun_code onnxrun_value_check(const onnxrun_value *v, const onnxrun_info *declared,
                                 onnxrun_error *err)
{
    ox_error e = { 0 };
    ox_type  tmp;
    ox_code code =
        ox_match(ox_api_value(v), ox_api_type(declared, &tmp), declared->name, declared->type, &e);
    return ox_api_give(err, &e, NULL, code);
}

struct onnxrun_bundle {
    ox_bundle b;
};

typedef struct declared_types {
    const onnxrun_info *const *info;
    size_t  n;
    ox_type tmp;
} declared_types;

/* By the name or by the file name made of it. */
static const ox_type *type_of(void *ctx, const char *name)
{
    declared_types *d = ctx;
    char file[256];
    for (size_t i = 0; i < d->n; i++) {
        const onnxrun_info *info = d->info[i];
        if (!info->name || strcmp(info->name, name) == 0 ||
            (ox_out_sanitise(file, sizeof file, info->name, "") && strcmp(file, name) == 0))
            return ox_api_type(info, &d->tmp);
    }
    return NULL;
}

onnxrun_code onnxrun_bundle_load(const char *path, const onnxrun_info *const *declared,
                                 size_t n_declared, onnxrun_bundle **out, onnxrun_error *err)
{
    ox_error e = { 0 };
    declared_types d = { declared, n_declared, { 0 } };
    onnxrun_bundle *b = calloc(1, sizeof *b);
    ox_code code =
        b ? ox_bundle_read(&b->b, path, type_of, &d, &e) : OX_FAIL(&e, OX_E_NOMEM, "out of memory");
    if (code != OX_OK) {
        free(b);
        b = NULL;
    }
    *out = b;
    return ox_api_give(err, &e, NULL, code);
}

size_t onnxrun_bundle_count(const onnxrun_bundle *b) { return b->b.n; }
const char *onnxrun_bundle_name(const onnxrun_bundle *b, size_t i) { return b->b.item[i].name; }
const onnxrun_value *onnxrun_bundle_value(const onnxrun_bundle *b, size_t i)
{
    return ox_api_lend(&b->b.item[i].v);
}

void onnxrun_bundle_destroy(onnxrun_bundle *b)
{
    if (b)
        ox_bundle_release(&b->b);
    free(b);
}

bool onnxrun_file_name(const char *name, char *to, size_t n_to)
{
    return ox_out_sanitise(to, n_to, name, "");
}

onnxrun_code onnxrun_output_open(const char *path, onnxrun_format format, onnxrun_output **out,
                                 onnxrun_error *err)
{
    static const ox_save_format formats[] = { OX_SAVE_BY_NAME, OX_SAVE_TEST_CASE, OX_SAVE_STREAM };
    ox_error e = { 0 };
    ox_save *s = NULL;
    ox_code  code = ox_save_open(path, formats[format], &s, &e);
    *out = (void *)s;
    return ox_api_give(err, &e, NULL, code);
}

onnxrun_code onnxrun_output_add(onnxrun_output *o, const char *name, const onnxrun_value *v,
                                const onnxrun_info *declared, onnxrun_error *err)
{
    ox_error e = { 0 };
    ox_type  tmp;
    ox_code code =
        ox_save_add((ox_save *)(void *)o, name, ox_api_value(v), ox_api_type(declared, &tmp), &e);
    return ox_api_give(err, &e, NULL, code);
}

onnxrun_code onnxrun_output_stream(onnxrun_output *o, FILE **f, onnxrun_error *err)
{
    ox_error e = { 0 };
    ox_code  code = ox_save_stream((ox_save *)(void *)o, f, &e);
    return ox_api_give(err, &e, NULL, code);
}

onnxrun_code onnxrun_output_commit(onnxrun_output *o, onnxrun_error *err)
{
    ox_error e = { 0 };
    ox_code  code = ox_save_commit((ox_save *)(void *)o, &e);
    return ox_api_give(err, &e, NULL, code);
}

void onnxrun_output_destroy(onnxrun_output *o) { ox_save_destroy((ox_save *)(void *)o); }

/* ---- comparing ---- */

static void give_spot(onnxrun_worst *to, const ox_spot *s)
{
    *to = (onnxrun_worst){
        .known = s->known, .rank = s->rank, .actual = s->actual, .expected = s->expected};
    memcpy(to->index, s->index, sizeof s->index);
}

onnxrun_code onnxrun_compare(const onnxrun_value *actual, const onnxrun_value *expected,
                             const onnxrun_tolerance *tolerance, onnxrun_comparison *out,
                             onnxrun_error *err)
{
    ox_error     e = { 0 };
    ox_diff      d;
    ox_tolerance t = { tolerance ? tolerance->rtol : -1, tolerance ? tolerance->atol : -1, false,
                       tolerance && tolerance->wider };
    ox_compare(ox_api_value(actual), ox_api_value(expected), t, &d);
    *out = (onnxrun_comparison){ .equal = d.equal, .rtol = d.rtol, .atol = d.atol, .exact = d.exact,
                                 .numeric = d.numeric, .elements = d.elements,
                                 .out_of_tolerance = d.out_of_tolerance, .max_abs = d.max_abs,
                                 .max_rel = d.max_rel, .max_ulp = d.max_ulp, .rms = ox_diff_rms(&d),
                                 .cosine = ox_diff_cosine(&d) };
    snprintf(out->text, sizeof out->text, "%s", d.text);
    give_spot(&out->worst, &d.worst);
    give_spot(&out->worst_rel, &d.worst_rel);
    return ox_api_give(err, &e, NULL, OX_OK);
}
