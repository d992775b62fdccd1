/* Counted buffers and dense tensors. */
#include "runtime/tensor/tensor.h"

#include <assert.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- accounting: one for the process, like the memory it counts ---- */

static _Atomic size_t live, peak, limit;

void   ox_buf_cap(size_t n_bytes) { atomic_store(&limit, n_bytes); }
size_t ox_buf_live(void) { return atomic_load(&live); }
size_t ox_buf_peak(void) { return atomic_load(&peak); }
void   ox_buf_reset_peak(void) { atomic_store(&peak, atomic_load(&live)); }

size_t ox_buf_capacity_left(void)
{
    size_t most = atomic_load(&limit), now = atomic_load(&live);
    return !most ? SIZE_MAX : most > now ? most - now : 0;
}

bool ox_buf_charge(size_t n_bytes)
{
    size_t most = atomic_load(&limit), now = atomic_load(&live), next;
    do {
        if (!ox_add_size(&next, now, n_bytes) || (most && next > most))
            return false;
    } while (!atomic_compare_exchange_weak(&live, &now, next));
    size_t high = atomic_load(&peak);
    while (high < next && !atomic_compare_exchange_weak(&peak, &high, next))
        ;
    return true;
}

void ox_buf_uncharge(size_t n_bytes) { atomic_fetch_sub(&live, n_bytes); }

ox_code ox_buf_fail(size_t n_bytes, ox_error *err)
{
    size_t most = atomic_load(&limit), left = ox_buf_capacity_left();
    if (n_bytes > left)
        return OX_FAIL(err, OX_E_LIMIT, "%zu bytes wanted, %zu of the memory limit of %zu left",
                       n_bytes, left, most);
    return OX_FAIL(err, OX_E_NOMEM, "out of memory for %zu bytes", n_bytes);
}

/* ---- buffers ---- */

enum { LINE = 64 };

/* Lies in front of its data when it owns that, in one allocation. */
struct ox_buf {
    _Atomic size_t refs;
    void  *data;
    size_t n_bytes;
    void (*done)(void *ctx); /* NULL with `charged`: the data lies behind this header */
    void *ctx;
    bool  charged;
    bool  owns_strings;
};
_Static_assert(sizeof(ox_buf) <= LINE, "the header must not move the data off its line");

static ox_buf *create(size_t n_bytes, bool large)
{
    void *memory;
    if (n_bytes > SIZE_MAX / 2 || !ox_buf_charge(n_bytes))
        return NULL;
    large = large && n_bytes >= OX_LARGE_PAGE; /* and then as many whole ones as fit */
    if (posix_memalign(&memory, large ? (size_t)OX_LARGE_PAGE : LINE, n_bytes + LINE)) {
        ox_buf_uncharge(n_bytes);
        return NULL;
    }
    if (large)
        ox_large_pages(memory, n_bytes + LINE);
    ox_buf *b = memory;
    memset(b, 0, sizeof(*b));
    atomic_init(&b->refs, 1);
    b->data = (char *)memory + LINE;
    b->n_bytes = n_bytes;
    b->charged = true;
    return b;
}

ox_buf *ox_buf_create(size_t n_bytes) { return create(n_bytes, true); }
ox_buf *ox_buf_create_plain(size_t n_bytes) { return create(n_bytes, false); }

ox_buf *ox_buf_wrap(void *data, size_t n_bytes, void (*done)(void *ctx), void *ctx)
{
    ox_buf *b = calloc(1, sizeof(*b));
    if (!b)
        return NULL;
    atomic_init(&b->refs, 1);
    b->data = data;
    b->n_bytes = n_bytes;
    b->done = done;
    b->ctx = ctx;
    return b;
}

ox_buf *ox_buf_ref(ox_buf *b)
{
    if (b)
        atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
    return b;
}

void ox_buf_unref(ox_buf *b)
{
    if (!b || atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) != 1)
        return;
    if (b->charged)
        ox_buf_uncharge(b->n_bytes);
    if (b->done)
        b->done(b->ctx);
    free(b);
}

void  *ox_buf_data(ox_buf *b) { return b->data; }
size_t ox_buf_size(const ox_buf *b) { return b->n_bytes; }
bool   ox_buf_unique(const ox_buf *b)
{
    return atomic_load_explicit(&b->refs, memory_order_acquire) == 1;
}
void ox_buf_set_owns_strings(ox_buf *b) { b->owns_strings = true; }
bool ox_buf_owns_strings(const ox_buf *b) { return b->owns_strings; }

/* ---- shapes ---- */

ox_code ox_shape_count(int64_t *n, ox_dtype dtype, int rank, const int64_t *dim, ox_error *err)
{
    if (rank < 0 || rank > OX_MAX_RANK)
        return OX_FAIL(err, OX_E_LIMIT, "rank %d outside [0, %d]", rank, OX_MAX_RANK);
    /* A zero counts as one here: partial products that leave it out must not overflow either. */
    size_t bytes = OX_MAX(ox_dtype_size(dtype), (size_t)1);
    bool empty = false, fits = true;
    for (int i = 0; i < rank; i++) {
        if (dim[i] < 0)
            return OX_FAIL(err, OX_E_SHAPE, "dimension %d is %" PRId64, i, dim[i]);
        empty |= dim[i] == 0;
        if ((uint64_t)dim[i] > SIZE_MAX / 2)
            fits = false;
        else if (dim[i] > 0)
            fits = fits && ox_mul_size(&bytes, bytes, (size_t)dim[i]) && bytes <= SIZE_MAX / 2;
    }
    if (!fits) {
        ox_tensor t = { .rank = rank };
        char text[256];
        memcpy(t.dim, dim, (size_t)rank * sizeof(*dim));
        return OX_FAIL(err, OX_E_LIMIT, "shape %s has too many elements",
                       ox_shape_text(text, sizeof(text), &t));
    }
    *n = empty ? 0 : (int64_t)(bytes / OX_MAX(ox_dtype_size(dtype), (size_t)1));
    return OX_OK;
}

bool ox_shape_same(const ox_tensor *a, const ox_tensor *b)
{
    if (a->rank != b->rank)
        return false;
    for (int i = 0; i < a->rank; i++)
        if (a->dim[i] != b->dim[i])
            return false;
    return true;
}

bool ox_shape_known(const ox_tensor *t)
{
    for (int i = 0; i < t->rank; i++)
        if (t->dim[i] < 0)
            return false;
    return t->rank >= 0;
}

char *ox_shape_text(char *buf, size_t n_buf, const ox_tensor *t)
{
    size_t at = 0;
    if (n_buf)
        buf[0] = 0;
    if (t->rank < 0) {
        snprintf(buf, n_buf, "?");
        return buf;
    }
    for (int i = 0; i <= t->rank && at < n_buf; i++) {
        int n;
        if (i == t->rank)
            n = snprintf(buf + at, n_buf - at, i ? "]" : "[]");
        else if (t->dim[i] < 0)
            n = snprintf(buf + at, n_buf - at, "%c?", i ? ',' : '[');
        else
            n = snprintf(buf + at, n_buf - at, "%c%" PRId64, i ? ',' : '[', t->dim[i]);
        at += n > 0 ? (size_t)n : 0;
    }
    return buf;
}

/* ---- tensors ---- */

ox_code ox_tensor_alloc(ox_tensor *t, ox_dtype dtype, int rank, const int64_t *dim, ox_error *err)
{
    int64_t n, own[OX_MAX_RANK]; /* dim may be t->dim */
    ox_code code = ox_shape_count(&n, dtype, rank, dim, err);
    if (code == OX_OK && ox_dtype_size(dtype) == 0)
        code = OX_FAIL(err, OX_E_TYPE, "element type %d is unknown", (int)dtype);
    if (code != OX_OK) {
        *t = (ox_tensor){ 0 };
        return code;
    }
    for (int i = 0; i < rank; i++)
        own[i] = dim[i];
    *t = (ox_tensor){ 0 };
    size_t n_bytes = (size_t)n * ox_dtype_size(dtype);
    ox_buf *buf = ox_buf_create(n_bytes);
    if (!buf)
        return ox_buf_fail(n_bytes, err);
    t->dtype = dtype;
    t->rank = rank;
    memcpy(t->dim, own, (size_t)rank * sizeof(*own));
    t->buf = buf;
    t->data = ox_buf_data(buf);
    if (dtype == OX_STR)
        memset(t->data, 0, n_bytes);
    return OX_OK;
}

/* Elements first, then the bytes of all strings, in one buffer. */
static ox_code clone_strings(ox_tensor *to, const ox_tensor *from, ox_error *err)
{
    size_t n = (size_t)ox_count(from), total = n * sizeof(ox_str);
    const ox_str *x = from->data;
    for (size_t i = 0; i < n; i++)
        if (!ox_add_size(&total, total, x[i].n))
            return OX_FAIL(err, OX_E_LIMIT, "strings are too long together");
    ox_buf *buf = ox_buf_create(total);
    if (!buf)
        return ox_buf_fail(total, err);
    ox_str *y = ox_buf_data(buf);
    char *bytes = (char *)(y + n);
    for (size_t i = 0; i < n; i++) {
        y[i] = (ox_str){ bytes, x[i].n };
        if (x[i].n)
            memcpy(bytes, x[i].s, x[i].n);
        bytes += x[i].n;
    }
    ox_buf_set_owns_strings(buf);
    *to = *from;
    to->buf = buf;
    to->data = y;
    return OX_OK;
}

ox_code ox_tensor_clone(ox_tensor *to, const ox_tensor *from, ox_error *err)
{
    ox_tensor src = *from;
    *to = (ox_tensor){ 0 };
    if (!src.data) { /* a type and a shape only */
        src.buf = NULL;
        *to = src;
        return OX_OK;
    }
    if (src.dtype == OX_STR)
        return clone_strings(to, &src, err);
    OX_TRY(ox_tensor_alloc(to, src.dtype, src.rank, src.dim, err));
    size_t n_bytes = ox_bytes(&src);
    if (n_bytes)
        memcpy(to->data, src.data, n_bytes);
    return OX_OK;
}

ox_code ox_tensor_keep(ox_tensor *to, const ox_tensor *from, ox_error *err)
{
    if (!from->buf || (from->dtype == OX_STR && !ox_buf_owns_strings(from->buf)))
        return ox_tensor_clone(to, from, err);
    ox_buf_ref(from->buf);
    *to = *from;
    return OX_OK;
}

ox_code ox_tensor_share(ox_tensor *to, const ox_tensor *from, ox_error *err)
{
    if (from->buf) {
        ox_buf_ref(from->buf);
        *to = *from;
        return OX_OK;
    }
    if (from->dtype != OX_STR || !from->data)
        return ox_tensor_clone(to, from, err);
    OX_TRY(ox_tensor_alloc(to, OX_STR, from->rank, from->dim, err));
    memcpy(to->data, from->data, ox_bytes(from));
    return OX_OK;
}

ox_code ox_tensor_convert(ox_tensor *to, const ox_tensor *from, ox_dtype dtype, ox_error *err)
{
    ox_tensor src = *from;
    *to = (ox_tensor){ 0 };
    if (src.dtype == dtype)
        return ox_tensor_clone(to, &src, err);
    if (!ox_dtype_converts(src.dtype) || !ox_dtype_converts(dtype))
        return OX_FAIL(err, OX_E_TYPE, "no conversion from %s to %s", ox_dtype_name(src.dtype),
                       ox_dtype_name(dtype));
    OX_TRY(ox_tensor_alloc(to, dtype, src.rank, src.dim, err));
    size_t n = (size_t)ox_count(&src);
    if (n)
        ox_convert(to->data, dtype, src.data, src.dtype, n);
    return OX_OK;
}

void ox_tensor_release(ox_tensor *t)
{
    ox_buf_unref(t->buf);
    *t = (ox_tensor){ 0 };
}

static const void *element(const ox_tensor *t, int64_t i)
{
    return (const char *)t->data + (size_t)i * ox_dtype_size(t->dtype);
}

int64_t ox_get_i64(const ox_tensor *t, int64_t i)
{
    int64_t v = 0;
    ox_to_i64(&v, element(t, i), t->dtype, 1);
    return v;
}

double ox_get_f64(const ox_tensor *t, int64_t i)
{
    double v = 0;
    ox_to_f64(&v, element(t, i), t->dtype, 1);
    return v;
}
