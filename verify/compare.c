/* Both sides are widened to double block by block; a block that holds nothing special and nothing
 * out of tolerance costs one vectorised pass.  64-bit integers, which double does not hold, have
 * their own. */
#include "verify/compare.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { BLOCK = 2048 };

ox_tolerance ox_tolerance_default(ox_dtype t)
{
    switch (t) {
    case OX_F64:
    case OX_C128: return (ox_tolerance){ 1e-9, 1e-12 };
    case OX_F32:
    case OX_C64: return (ox_tolerance){ 1e-4, 1e-5 };
    case OX_F16: return (ox_tolerance){ 1e-2, 1e-3 };
    case OX_BF16: return (ox_tolerance){ 5e-2, 1e-2 };
    case OX_F8E4M3FN:
    case OX_F8E4M3FNUZ:
    case OX_F8E5M2:
    case OX_F8E5M2FNUZ:
    case OX_F4E2M1:
    case OX_F6E2M3:
    case OX_F6E3M2: return (ox_tolerance){ 2 * ox_dtype_roundoff(t), ox_dtype_tiny(t) };
    default: return (ox_tolerance){ 0, 0 };
    }
}

bool ox_compares_exactly(ox_dtype t)
{
    ox_class c = ox_dtype_class(t);
    return c != OX_CLASS_FLOAT && c != OX_CLASS_COMPLEX;
}

double ox_diff_rms(const ox_diff *d)
{
    return d->n_finite ? sqrt(d->sum_sq / (double)d->n_finite) : 0;
}

double ox_diff_cosine(const ox_diff *d)
{
    if (d->norm_a == 0 && d->norm_e == 0)
        return 1;
    double c =
        d->norm_a == d->norm_e ? d->dot / d->norm_a : d->dot / (sqrt(d->norm_a) * sqrt(d->norm_e));
    return c > 1 ? 1 : c < -1 ? -1 : c;
}

char *ox_value_text(char *buf, size_t n_buf, const ox_value *v)
{
    char shape[256];
    if (v->kind == OX_TENSOR)
        snprintf(buf, n_buf, "%s%s", ox_dtype_name(v->t.dtype),
                 ox_shape_text(shape, sizeof shape, &v->t));
    else if (v->kind == OX_SEQUENCE)
        snprintf(buf, n_buf, "seq(%zu)", ox_seq_size(v->seq));
    else if (v->kind == OX_MAP)
        snprintf(buf, n_buf, "map(%lld)", (long long)ox_count(ox_map_keys(v->map)));
    else
        snprintf(buf, n_buf, v->kind == OX_SPARSE ? "sparse" : "none");
    return buf;
}

/* ---- one pair of tensors ---- */

typedef struct state {
    ox_diff         *d;
    const ox_tensor *a, *e;
    const char      *where;
    double           rtol, atol;
} state;

static void fail(state *s, const char *format, ...) OX_PRINTF(2, 3);
static void fail(state *s, const char *format, ...)
{
    ox_diff *d = s->d;
    d->equal = false;
    if (d->text[0])
        return;
    int n = snprintf(d->text, sizeof d->text, "%s%s", s->where, *s->where ? ": " : "");
    va_list args;
    va_start(args, format);
    vsnprintf(d->text + n, sizeof d->text - (size_t)n, format, args);
    va_end(args);
}

static void place(ox_spot *p, const ox_tensor *t, int64_t flat, double actual, double expected)
{
    *p = (ox_spot){ true, t->rank, { 0 }, actual, expected };
    for (int i = t->rank - 1; i >= 0; i--) {
        p->index[i] = flat % t->dim[i];
        flat /= t->dim[i];
    }
}

/* NaN above infinity above every number. */
static bool worse(double x, double than)
{
    return isnan(x) ? !isnan(than) : x > than;
}

/* Not even an infinite tolerance (of an infinite or NaN expected value) lets an infinite error
 * pass. */
static bool within(const state *s, double diff, double size)
{
    return diff == 0 || (isfinite(diff) && diff <= s->atol + s->rtol * size);
}

/* Distance in steps of the type: its patterns, ordered by sign and magnitude. */
static double ulps(const ox_tensor *ta, const ox_tensor *te, int64_t i)
{
    uint64_t bits[2] = { 0, 0 };
    int      width = ox_dtype_file_bits(ta->dtype);
    const ox_tensor *side[2] = { ta, te };
    for (int k = 0; k < 2; k++) {
        const char *p = (const char *)side[k]->data + (size_t)i * ox_dtype_size(ta->dtype);
        switch (ox_dtype_size(ta->dtype)) {
        case 1: bits[k] = *(const uint8_t *)p; break;
        case 2: bits[k] = *(const uint16_t *)(const void *)p; break;
        case 4: bits[k] = *(const uint32_t *)(const void *)p; break;
        default: bits[k] = *(const uint64_t *)(const void *)p; break;
        }
    }
    if (ta->dtype == OX_F8E8M0) /* no sign */
        return fabs((double)bits[0] - (double)bits[1]);
    uint64_t sign = (uint64_t)1 << (width - 1), a = bits[0] & (sign - 1), e = bits[1] & (sign - 1);
    if ((bits[0] ^ bits[1]) & sign)
        return (double)a + (double)e;
    return (double)(a > e ? a - e : e - a);
}

static double modulus(double re, double im) { return hypot(re, im); }

/* A pair that is not two finite numbers, or the pair that is worst so far: everything by the
 * element. */
static void judge(state *s, int64_t i, double a, double e)
{
    ox_diff *d = s->d;
    double   diff = fabs(a - e);
    if (isnan(a) && isnan(e))
        return;
    if (a == e)
        diff = 0; /* infinities of one sign */
    d->out_of_tolerance += !within(s, diff, fabs(e));
    if (worse(diff, d->max_abs) || !d->worst.known) {
        d->max_abs = diff;
        place(&d->worst, s->e, i, a, e);
    }
    double rel = isfinite(e) && e != 0 && isfinite(a) ? diff / fabs(e) : 0;
    if (rel > d->max_rel || (!d->worst_rel.known && isfinite(e) && e != 0)) {
        d->max_rel = rel;
        place(&d->worst_rel, s->e, i, a, e);
    }
}

/* The vectorisable part; returns false where the block holds something not finite. */
static bool sums(state *s, const double *a, const double *e, int n, double *max_abs,
                 double *max_rel, int64_t *out)
{
    double sq = 0, dot = 0, aa = 0, ee = 0, most = 0, rel = 0, finite = 0;
    double rtol = s->rtol, atol = s->atol;
    int64_t bad = 0;
    for (int i = 0; i < n; i++)
        finite += (a[i] - a[i]) + (e[i] - e[i]); /* 0, or NaN from anything not finite */
    if (finite != 0)
        return false;
    for (int i = 0; i < n; i++) {
        double diff = fabs(a[i] - e[i]), size = fabs(e[i]);
        double r = size > 0 ? diff / size : 0;
        most = diff > most ? diff : most;
        rel = r > rel ? r : rel;
        bad += diff > atol + rtol * size;
    }
    for (int i = 0; i < n; i++) {
        double diff = a[i] - e[i];
        sq += diff * diff;
        dot += a[i] * e[i];
        aa += a[i] * a[i];
        ee += e[i] * e[i];
    }
    s->d->sum_sq += sq;
    s->d->dot += dot;
    s->d->norm_a += aa;
    s->d->norm_e += ee;
    s->d->n_finite += n;
    *max_abs = most;
    *max_rel = rel;
    *out = bad;
    return true;
}

/* Finite f32: the patterns as one ordered line of integers. */
static double max_ulp_f32(const int32_t *a, const int32_t *e, int n)
{
    int64_t most = 0;
    for (int i = 0; i < n; i++) {
        int64_t x = a[i] < 0 ? (int64_t)INT32_MIN - a[i] : a[i];
        int64_t y = e[i] < 0 ? (int64_t)INT32_MIN - e[i] : e[i];
        int64_t d = x > y ? x - y : y - x;
        most = d > most ? d : most;
    }
    return (double)most;
}

static void block_max_ulp(state *s, int64_t from, const double *a, const double *e, int n,
                          bool finite)
{
    double u = 0;
    if (finite && s->a->dtype == OX_F32) {
        u = max_ulp_f32((const int32_t *)s->a->data + from, (const int32_t *)s->e->data + from, n);
        s->d->max_ulp = u > s->d->max_ulp ? u : s->d->max_ulp;
        return;
    }
    for (int i = 0; i < n; i++) {
        if (a[i] == e[i] || isnan(a[i]) || isnan(e[i]))
            continue;
        u = ulps(s->a, s->e, from + i);
        s->d->max_ulp = u > s->d->max_ulp ? u : s->d->max_ulp;
    }
}

static void float_block(state *s, int64_t from, const double *a, const double *e, int n)
{
    ox_diff *d = s->d;
    double   max_abs, max_rel;
    int64_t  out;
    bool     finite = sums(s, a, e, n, &max_abs, &max_rel, &out);
    block_max_ulp(s, from, a, e, n, finite);
    if (!finite) {
        double one_abs, one_rel;
        int64_t none;
        for (int i = 0; i < n; i++) {
            judge(s, from + i, a[i], e[i]);
            if (isfinite(a[i]) && isfinite(e[i]))
                (void)sums(s, a + i, e + i, 1, &one_abs, &one_rel, &none);
        }
        return;
    }
    d->out_of_tolerance += out;
    int at_abs = -1, at_rel = -1;
    if (worse(max_abs, d->max_abs) || !d->worst.known)
        for (int i = 0; i < n && at_abs < 0; i++)
            at_abs = fabs(a[i] - e[i]) == max_abs ? i : -1;
    if (max_rel > d->max_rel || !d->worst_rel.known)
        for (int i = 0; i < n && at_rel < 0; i++)
            at_rel = e[i] != 0 && fabs(a[i] - e[i]) / fabs(e[i]) == max_rel ? i : -1;
    if (at_abs >= 0) {
        d->max_abs = max_abs;
        place(&d->worst, s->e, from + at_abs, a[at_abs], e[at_abs]);
    }
    if (at_rel >= 0) {
        d->max_rel = max_rel;
        place(&d->worst_rel, s->e, from + at_rel, a[at_rel], e[at_rel]);
    }
}

static const void *element(const ox_tensor *t, int64_t i)
{
    return (const char *)t->data + (size_t)i * ox_dtype_size(t->dtype);
}

static void compare_floats(state *s, int64_t count)
{
    double a[BLOCK], e[BLOCK];
    for (int64_t i = 0; i < count; i += BLOCK) {
        int n = (int)OX_MIN(count - i, (int64_t)BLOCK);
        ox_to_f64(a, element(s->a, i), s->a->dtype, (size_t)n);
        ox_to_f64(e, element(s->e, i), s->e->dtype, (size_t)n);
        float_block(s, i, a, e, n);
    }
}

/* The element's error is |a - e|; everything reported is in moduli, which can be equal although the
 * numbers differ. */
static void compare_complex(state *s, int64_t count)
{
    ox_diff *d = s->d;
    bool     wide = s->a->dtype == OX_C128;
    for (int64_t i = 0; i < count; i++) {
        const void *pa = element(s->a, i), *pe = element(s->e, i);
        double a[2], e[2];
        for (int k = 0; k < 2; k++) {
            a[k] = wide ? ((const double *)pa)[k] : (double)((const float *)pa)[k];
            e[k] = wide ? ((const double *)pe)[k] : (double)((const float *)pe)[k];
        }
        double ma = modulus(a[0], a[1]), me = modulus(e[0], e[1]);
        bool   nan_a = isnan(a[0]) || isnan(a[1]), nan_e = isnan(e[0]) || isnan(e[1]);
        double diff = nan_a && nan_e ? 0 : nan_a || nan_e ? NAN
                    : a[0] == e[0] && a[1] == e[1] ? 0 : modulus(a[0] - e[0], a[1] - e[1]);
        d->out_of_tolerance += !within(s, diff, me);
        if (worse(diff, d->max_abs) || !d->worst.known) {
            d->max_abs = diff;
            place(&d->worst, s->e, i, ma, me);
        }
        if (!isfinite(ma) || !isfinite(me))
            continue;
        if (me != 0 && (diff / me > d->max_rel || !d->worst_rel.known)) {
            d->max_rel = diff / me;
            place(&d->worst_rel, s->e, i, ma, me);
        }
        d->sum_sq += diff * diff;
        d->dot += a[0] * e[0] + a[1] * e[1];
        d->norm_a += ma * ma;
        d->norm_e += me * me;
        d->n_finite++;
    }
}

static void compare_ints(state *s, int64_t count)
{
    ox_diff *d = s->d;
    bool     u64 = s->a->dtype == OX_U64;
    int64_t  a[BLOCK], e[BLOCK];
    for (int64_t from = 0; from < count; from += BLOCK) {
        int n = (int)OX_MIN(count - from, (int64_t)BLOCK);
        ox_to_i64(a, element(s->a, from), s->a->dtype, (size_t)n);
        ox_to_i64(e, element(s->e, from), s->e->dtype, (size_t)n);
        for (int i = 0; i < n; i++) {
            bool   above = u64 ? (uint64_t)a[i] > (uint64_t)e[i] : a[i] > e[i];
            double diff =
                (double)(above ? (uint64_t)a[i] - (uint64_t)e[i] : (uint64_t)e[i] - (uint64_t)a[i]);
            double da = u64 ? (double)(uint64_t)a[i] : (double)a[i];
            double de = u64 ? (double)(uint64_t)e[i] : (double)e[i];
            d->out_of_tolerance += a[i] != e[i];
            if (diff > d->max_abs || !d->worst.known) {
                d->max_abs = d->max_ulp = diff;
                place(&d->worst, s->e, from + i, da, de);
            }
            if (de != 0 && (diff / fabs(de) > d->max_rel || !d->worst_rel.known)) {
                d->max_rel = diff / fabs(de);
                place(&d->worst_rel, s->e, from + i, da, de);
            }
            d->sum_sq += diff * diff;
            d->dot += da * de;
            d->norm_a += da * da;
            d->norm_e += de * de;
        }
        d->n_finite += n;
    }
}

static void compare_strings(state *s, int64_t count)
{
    const ox_str *a = s->a->data, *e = s->e->data;
    for (int64_t i = 0; i < count; i++) {
        if (a[i].n == e[i].n && (a[i].n == 0 || memcmp(a[i].s, e[i].s, a[i].n) == 0))
            continue;
        if (s->d->out_of_tolerance++ == 0)
            fail(s, "string %lld is \"%.*s\", expected \"%.*s\"", (long long)i,
                 (int)OX_MIN(a[i].n, (size_t)60), a[i].n ? a[i].s : "",
                 (int)OX_MIN(e[i].n, (size_t)60), e[i].n ? e[i].s : "");
    }
}

static bool same_type(state *s)
{
    char a[256], e[256];
    if (s->a->dtype != s->e->dtype) {
        fail(s, "type %s, expected %s", ox_dtype_name(s->a->dtype), ox_dtype_name(s->e->dtype));
        return false;
    }
    if (!ox_shape_same(s->a, s->e)) {
        fail(s, "shape %s, expected %s", ox_shape_text(a, sizeof a, s->a),
             ox_shape_text(e, sizeof e, s->e));
        return false;
    }
    return true;
}

/* The numbers of the worst element, for the sentence that says why. */
static void say_worst(state *s, int64_t bad, int64_t count)
{
    const ox_spot *w = &s->d->worst;
    char at[256] = "[";
    int  n = 1;
    for (int i = 0; i < w->rank && n < 200; i++)
        n += snprintf(at + n, sizeof at - (size_t)n, "%s%" PRId64, i ? "," : "", w->index[i]);
    fail(s, "%lld of %lld values differ, the most at %s]: %.9g, expected %.9g", (long long)bad,
         (long long)count, at, w->actual, w->expected);
}

static void compare_tensors(const ox_tensor *a, const ox_tensor *e, ox_tolerance tol,
                            const char *where, ox_diff *d)
{
    if (tol.wider && a->dtype == OX_F64 && ox_is_float(e->dtype) && e->dtype != OX_F64) {
        ox_tensor    wide = { 0 };
        ox_tolerance own = ox_tolerance_default(e->dtype);
        state        s = { .d = d, .where = where };
        tol.rtol = tol.rtol < 0 ? own.rtol : tol.rtol;
        tol.atol = tol.atol < 0 ? own.atol : tol.atol;
        if (tol.suite) { /* the reference's own rounding, which ours no longer has */
            tol.rtol = OX_MAX(tol.rtol, own.rtol);
            tol.atol = OX_MAX(tol.atol, own.atol);
        }
        tol.wider = false;
        if (ox_tensor_convert(&wide, e, OX_F64, NULL) != OX_OK) {
            fail(&s, "out of memory");
            return;
        }
        compare_tensors(a, &wide, tol, where, d);
        ox_tensor_release(&wide);
        return;
    }
    state s = { d, a, e, where, tol.rtol, tol.atol };
    if (!same_type(&s))
        return;
    ox_tolerance own = ox_tolerance_default(a->dtype);
    bool exact = ox_compares_exactly(a->dtype);
    if (exact || tol.rtol < 0)
        s.rtol = own.rtol;
    if (exact || tol.atol < 0)
        s.atol = own.atol;
    if (tol.suite && a->dtype == OX_BF16)
        s.rtol = OX_MAX(s.rtol, 0x1p-6);
    int64_t count = ox_count(a), before = d->out_of_tolerance;
    if (d->elements == 0) {
        d->rtol = s.rtol;
        d->atol = s.atol;
        d->exact = exact;
    }
    d->elements += count;
    ox_class c = ox_dtype_class(a->dtype);
    d->numeric |= c != OX_CLASS_STRING;
    if (count == 0)
        return;
    if (c == OX_CLASS_STRING)
        compare_strings(&s, count);
    else if (c == OX_CLASS_COMPLEX)
        compare_complex(&s, count);
    else if (c != OX_CLASS_FLOAT)
        compare_ints(&s, count);
    else
        compare_floats(&s, count);
    if (d->out_of_tolerance > before)
        say_worst(&s, d->out_of_tolerance - before, count);
}

/* ---- values ---- */

typedef struct walk {
    ox_tolerance tol;
    bool         types_only;
    ox_diff     *d;
} walk;

static void compare_values(walk *w, const ox_value *a, const ox_value *e, const char *where);

static void compare_seqs(walk *w, const ox_seq *a, const ox_seq *e, const char *where)
{
    state  s = { .d = w->d, .where = where };
    size_t n = ox_seq_size(e);
    if (ox_seq_size(a) != n) {
        fail(&s, "%zu elements, expected %zu", ox_seq_size(a), n);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        char inner[128];
        snprintf(inner, sizeof inner, "%.90s[%zu]", where, i);
        compare_values(w, ox_seq_at(a, i), ox_seq_at(e, i), inner);
    }
}

static bool same_key(const ox_tensor *a, int64_t i, const ox_tensor *b, int64_t k)
{
    if (a->dtype != OX_STR)
        return ox_get_i64(a, i) == ox_get_i64(b, k);
    const ox_str *x = (const ox_str *)a->data + i, *y = (const ox_str *)b->data + k;
    return x->n == y->n && (x->n == 0 || memcmp(x->s, y->s, x->n) == 0);
}

/* Value k of a map as a value of its own: a scalar view, or what the sequence holds. */
static ox_value map_value(const ox_map *m, int64_t k)
{
    const ox_value *v = ox_map_values(m);
    if (v->kind == OX_SEQUENCE)
        return *ox_seq_at(v->seq, (size_t)k);
    ox_value one = { .kind = OX_TENSOR, .t = { .dtype = v->t.dtype } };
    one.t.data = (char *)v->t.data + (size_t)k * ox_dtype_size(v->t.dtype);
    return one;
}

/* Keys in any order. */
static void compare_maps(walk *w, const ox_map *a, const ox_map *e, const char *where)
{
    const ox_tensor *ka = ox_map_keys(a), *ke = ox_map_keys(e);
    state   s = { .d = w->d, .where = where };
    int64_t n = ox_count(ke);
    if (ka->dtype != ke->dtype || ox_count(ka) != n) {
        fail(&s, "%lld %s keys, expected %lld %s keys", (long long)ox_count(ka),
             ox_dtype_name(ka->dtype), (long long)n, ox_dtype_name(ke->dtype));
        return;
    }
    for (int64_t k = 0; k < n; k++) {
        int64_t i = k;
        char    inner[128];
        if (!same_key(ka, i, ke, k))
            for (i = 0; i < n && !same_key(ka, i, ke, k);)
                i++;
        if (i == n) {
            fail(&s, "key %lld of the expected ones is missing", (long long)k);
            return;
        }
        snprintf(inner, sizeof inner, "%.90s[key %lld]", where, (long long)k);
        ox_value va = map_value(a, i), ve = map_value(e, k);
        compare_values(w, &va, &ve, inner);
    }
}

static void compare_values(walk *w, const ox_value *a, const ox_value *e, const char *where)
{
    char  ta[300], te[300];
    state s = { .d = w->d, .a = &a->t, .e = &e->t, .where = where };
    if (a->kind != e->kind) {
        fail(&s, "%s, expected %s", ox_value_text(ta, sizeof ta, a),
             ox_value_text(te, sizeof te, e));
        return;
    }
    switch (e->kind) {
    case OX_NONE: return;
    case OX_SEQUENCE: compare_seqs(w, a->seq, e->seq, where); return;
    case OX_MAP: compare_maps(w, a->map, e->map, where); return;
    case OX_SPARSE: compare_seqs(w, a->seq, e->seq, where); break; /* indices and dense shape */
    case OX_TENSOR: break;
    }
    if (w->types_only)
        (void)same_type(&s);
    else
        compare_tensors(&a->t, &e->t, w->tol, where, w->d);
}

void ox_compare(const ox_value *actual, const ox_value *expected, ox_tolerance tolerance,
                ox_diff *out)
{
    *out = (ox_diff){ .equal = true };
    walk w = { tolerance, false, out };
    compare_values(&w, actual, expected, "");
}

void ox_compare_types(const ox_value *actual, const ox_value *expected, ox_diff *out)
{
    *out = (ox_diff){ .equal = true };
    walk w = { .types_only = true, .d = out };
    compare_values(&w, actual, expected, "");
}
