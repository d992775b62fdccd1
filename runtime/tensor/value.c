/* Sequences, maps, values and the text of types.
 *
 * Sequences and maps are counted, but what lies in them may be borrowed (a slab, a run's arena).
 * ox_value_keep therefore shares one only after looking through it. */
#include "runtime/tensor/tensor.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct ox_seq {
    _Atomic size_t refs;
    size_t    n, capacity;
    ox_value *v;
};

struct ox_map {
    _Atomic size_t refs;
    ox_tensor keys;
    ox_value  values;
};

/* ---- sequences ---- */

/* Room for `capacity` values, counted like a buffer. */
static bool seq_reserve(ox_seq *s, size_t capacity)
{
    size_t n_bytes, old = s->capacity * sizeof(*s->v);
    if (capacity <= s->capacity)
        return true;
    if (!ox_mul_size(&n_bytes, capacity, sizeof(*s->v)) || !ox_buf_charge(n_bytes - old))
        return false;
    ox_value *v = realloc(s->v, n_bytes);
    if (!v) {
        ox_buf_uncharge(n_bytes - old);
        return false;
    }
    s->v = v;
    s->capacity = capacity;
    return true;
}

ox_seq *ox_seq_create(size_t capacity)
{
    ox_seq *s = calloc(1, sizeof(*s));
    if (!s)
        return NULL;
    atomic_init(&s->refs, 1);
    if (!seq_reserve(s, capacity)) {
        free(s);
        return NULL;
    }
    return s;
}

ox_seq *ox_seq_ref(ox_seq *s)
{
    if (s)
        atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    return s;
}

void ox_seq_unref(ox_seq *s)
{
    if (!s || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < s->n; i++)
        ox_value_release(&s->v[i]);
    ox_buf_uncharge(s->capacity * sizeof(*s->v));
    free(s->v);
    free(s);
}

size_t          ox_seq_size(const ox_seq *s) { return s->n; }
const ox_value *ox_seq_at(const ox_seq *s, size_t i) { return &s->v[i]; }

ox_code ox_seq_push(ox_seq *s, ox_value *take_v, ox_error *err)
{
    if (s->n == s->capacity) {
        size_t more = OX_MAX(s->capacity, (size_t)4);
        if (!ox_add_size(&more, more, s->capacity) || !seq_reserve(s, more)) {
            ox_value_release(take_v);
            return ox_buf_fail(OX_MAX(s->capacity, (size_t)4) * sizeof(*s->v), err);
        }
    }
    s->v[s->n++] = *take_v;
    *take_v = (ox_value){ 0 };
    return OX_OK;
}

/* ---- maps ---- */

ox_map *ox_map_create(ox_tensor *take_keys, ox_value *take_values)
{
    ox_map *m = calloc(1, sizeof(*m));
    if (!m) {
        ox_tensor_release(take_keys);
        ox_value_release(take_values);
        return NULL;
    }
    atomic_init(&m->refs, 1);
    m->keys = *take_keys;
    m->values = *take_values;
    *take_keys = (ox_tensor){ 0 };
    *take_values = (ox_value){ 0 };
    return m;
}

ox_map *ox_map_ref(ox_map *m)
{
    if (m)
        atomic_fetch_add_explicit(&m->refs, 1, memory_order_relaxed);
    return m;
}

void ox_map_unref(ox_map *m)
{
    if (!m || atomic_fetch_sub_explicit(&m->refs, 1, memory_order_acq_rel) != 1)
        return;
    ox_tensor_release(&m->keys);
    ox_value_release(&m->values);
    free(m);
}

const ox_tensor *ox_map_keys(const ox_map *m) { return &m->keys; }
const ox_value  *ox_map_values(const ox_map *m) { return &m->values; }

/* ---- values ---- */

void ox_value_release(ox_value *v)
{
    ox_tensor_release(&v->t);
    ox_seq_unref(v->seq);
    ox_map_unref(v->map);
    *v = (ox_value){ 0 };
}

enum depth { SHARE, KEEP, CLONE };

/* Whether t stays valid whatever happens to others' memory (SHARE: to others' but string bytes). */
static bool tensor_owned(const ox_tensor *t, enum depth depth)
{
    if (!t->data)
        return true;
    return t->buf && (depth == SHARE || t->dtype != OX_STR || ox_buf_owns_strings(t->buf));
}

static bool value_owned(const ox_value *v, enum depth depth)
{
    if (!tensor_owned(&v->t, depth))
        return false;
    if (v->map && !(tensor_owned(&v->map->keys, depth) && value_owned(&v->map->values, depth)))
        return false;
    for (size_t i = 0; v->seq && i < v->seq->n; i++)
        if (!value_owned(&v->seq->v[i], depth))
            return false;
    return true;
}

static ox_code tensor_copy(ox_tensor *to, const ox_tensor *from, enum depth depth, ox_error *err)
{
    return depth == CLONE  ? ox_tensor_clone(to, from, err)
           : depth == KEEP ? ox_tensor_keep(to, from, err)
                           : ox_tensor_share(to, from, err);
}

static ox_code value_copy(ox_value *to, const ox_value *from, enum depth depth, ox_error *err);

static ox_code seq_copy(ox_seq **to, const ox_seq *from, enum depth depth, ox_error *err)
{
    ox_seq *s = ox_seq_create(from->n);
    if (!s)
        return ox_buf_fail(from->n * sizeof(*from->v), err);
    for (size_t i = 0; i < from->n; i++) {
        ox_value v;
        ox_code code = value_copy(&v, &from->v[i], depth, err);
        if (code == OX_OK)
            code = ox_seq_push(s, &v, err);
        if (code != OX_OK) {
            ox_seq_unref(s);
            return code;
        }
    }
    *to = s;
    return OX_OK;
}

static ox_code map_copy(ox_map **to, const ox_map *from, enum depth depth, ox_error *err)
{
    ox_tensor keys;
    ox_value values;
    OX_TRY(tensor_copy(&keys, &from->keys, depth, err));
    ox_code code = value_copy(&values, &from->values, depth, err);
    if (code != OX_OK) {
        ox_tensor_release(&keys);
        return code;
    }
    *to = ox_map_create(&keys, &values);
    return *to ? OX_OK : OX_FAIL(err, OX_E_NOMEM, "out of memory");
}

/* CLONE: nothing is shared; else counted memory is. */
static ox_code value_copy(ox_value *to, const ox_value *from, enum depth depth, ox_error *err)
{
    ox_value v = { .kind = from->kind };
    ox_code code = tensor_copy(&v.t, &from->t, depth, err);
    if (code == OX_OK && from->seq) {
        ox_value only_seq = { .seq = from->seq };
        if (depth != CLONE && value_owned(&only_seq, depth))
            v.seq = ox_seq_ref(from->seq);
        else
            code = seq_copy(&v.seq, from->seq, depth, err);
    }
    if (code == OX_OK && from->map) {
        ox_value only_map = { .map = from->map };
        if (depth != CLONE && value_owned(&only_map, depth))
            v.map = ox_map_ref(from->map);
        else
            code = map_copy(&v.map, from->map, depth, err);
    }
    if (code != OX_OK)
        ox_value_release(&v);
    *to = v;
    return code;
}

ox_code ox_value_share(ox_value *to, const ox_value *from, ox_error *err)
{
    return value_copy(to, from, SHARE, err);
}
ox_code ox_value_keep(ox_value *to, const ox_value *from, ox_error *err)
{
    return value_copy(to, from, KEEP, err);
}
ox_code ox_value_clone(ox_value *to, const ox_value *from, ox_error *err)
{
    return value_copy(to, from, CLONE, err);
}

/* ---- the text of types ---- */

struct text {
    char  *buf;
    size_t n, at;
};

static void put(struct text *o, const char *format, ...) OX_PRINTF(2, 3);
static void put(struct text *o, const char *format, ...)
{
    if (o->at >= o->n)
        return;
    va_list args;
    va_start(args, format);
    int n = vsnprintf(o->buf + o->at, o->n - o->at, format, args);
    va_end(args);
    o->at += n > 0 ? (size_t)n : 0;
}

static void put_shape(struct text *o, const ox_type *t)
{
    for (int i = 0; i < t->rank; i++)
        if (t->dim[i] < 0)
            put(o, "%c?", i ? ',' : '[');
        else
            put(o, "%c%" PRId64, i ? ',' : '[', t->dim[i]);
    if (t->rank >= 0)
        put(o, t->rank ? "]" : "[]");
}

static void put_type(struct text *o, const ox_type *t)
{
    if (!t) {
        put(o, "?");
        return;
    }
    if (t->optional)
        put(o, "optional(");
    switch (t->kind) {
    case OX_TENSOR:
    case OX_SPARSE:
        put(o, "%s(%s)", t->kind == OX_TENSOR ? "tensor" : "sparse", ox_dtype_name(t->dtype));
        put_shape(o, t);
        break;
    case OX_SEQUENCE:
        put(o, "seq(");
        put_type(o, t->elem);
        put(o, ")");
        break;
    case OX_MAP:
        put(o, "map(%s,", ox_dtype_name(t->key));
        if (t->elem)
            put_type(o, t->elem);
        else
            put(o, "%s", ox_dtype_name(t->dtype));
        put(o, ")");
        break;
    case OX_NONE:
        put(o, "?");
        break;
    }
    if (t->optional)
        put(o, ")");
}

char *ox_type_text(char *buf, size_t n_buf, const ox_type *t)
{
    if (n_buf)
        buf[0] = 0;
    put_type(&(struct text){ buf, n_buf, 0 }, t);
    return buf;
}
