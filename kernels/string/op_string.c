/* StringConcat, StringSplit, StringNormalizer.  Parts of strings share the bytes of the whole. */
#include "kernels/string/utf8.h"
#include "runtime/op.h"

#include <string.h>

/* ---- StringConcat ---- */
static ox_code join(ox_run *r, ox_str a, ox_str b, ox_str *to)
{
    size_t n;
    *to = b.n == 0 ? a : b;
    if (a.n == 0 || b.n == 0)
        return OX_OK;
    char *s = ox_add_size(&n, a.n, b.n) ? ox_run_str(r, n) : NULL;
    if (!s)
        return OX_NO_MEMORY(r);
    memcpy(s, a.s, a.n);
    memcpy(s + a.n, b.s, b.n);
    *to = (ox_str){ s, n };
    return OX_OK;
}

/* Elements to skip in t when the output's dimension d advances. */
static void strides_of(const ox_tensor *t, const ox_tensor *y, int64_t *stride)
{
    int64_t step = 1;
    for (int d = y->rank - 1, k = t->rank - 1; d >= 0; d--, k--) {
        stride[d] = k < 0 || t->dim[k] == 1 ? 0 : step;
        step *= k < 0 ? 1 : t->dim[k];
    }
}

static ox_code run_concat(ox_run *r)
{
    const ox_tensor *y = r->out[0];
    int64_t sa[OX_MAX_RANK], sb[OX_MAX_RANK], at[OX_MAX_RANK] = { 0 }, ia = 0, ib = 0;
    const ox_str *a = r->in[0]->data, *b = r->in[1]->data;
    ox_str *to = y->data;
    strides_of(r->in[0], y, sa);
    strides_of(r->in[1], y, sb);
    for (int64_t i = 0, n = ox_count(y); i < n; i++) {
        OX_TRY(join(r, a[ia], b[ib], &to[i]));
        for (int d = y->rank - 1; d >= 0; d--) {
            ia += sa[d];
            ib += sb[d];
            if (++at[d] < y->dim[d])
                break;
            ia -= sa[d] * y->dim[d];
            ib -= sb[d] * y->dim[d];
            at[d] = 0;
        }
    }
    return OX_OK;
}

OX_OP(StringConcat, 20) .infer = ox_infer_broadcast, .run_any = run_concat, .key = OX_KEY_NONE,
    .error = { ERR_EXACT, 0 }, .flags = OX_SYMBOLIC OX_END;

/* ---- StringSplit ---- */
typedef struct splitter {
    ox_str  delimiter; /* empty: any run of blanks */
    int64_t most;      /* splits; -1: any number */
} splitter;

static ox_code infer_split(ox_run *r)
{
    ox_out_shape(r, 1, r->in[0]->rank, r->in[0]->dim);
    if (r->in[0]->rank >= OX_MAX_RANK)
        return OX_FAIL(r->err, OX_E_LIMIT, "X has rank %d, the limit is %d", r->in[0]->rank,
                       OX_MAX_RANK - 1);
    return OX_OK;
}

static ox_str part_of(ox_str s, size_t from, size_t to) { return (ox_str){ s.s + from, to - from }; }

/* Parts of s, written to `to` unless NULL; returns their number.  Blanks before the first part are
 * dropped, those behind the last unless the limit has left it whole. */
static int64_t split_blanks(const splitter *p, ox_str s, ox_str *to)
{
    int64_t n = 0;
    size_t at = 0, step;
    int32_t c;
    for (;;) {
        while (at < s.n && (step = ox_char_next(s, at, &c), ox_char_is_space(c)))
            at += step;
        if (at == s.n)
            return n;
        size_t from = at;
        if (n == p->most)
            at = s.n;
        while (at < s.n && (step = ox_char_next(s, at, &c), !ox_char_is_space(c)))
            at += step;
        if (to)
            to[n] = part_of(s, from, at);
        n++;
    }
}

static int64_t split_delimiter(const splitter *p, ox_str s, ox_str *to)
{
    int64_t n = 0;
    size_t from = 0, size = p->delimiter.n;
    while (n != p->most) {
        const char *hit = s.n - from < size
                              ? NULL : memmem(s.s + from, s.n - from, p->delimiter.s, size);
        if (!hit)
            break;
        if (to)
            to[n] = part_of(s, from, (size_t)(hit - s.s));
        n++;
        from = (size_t)(hit - s.s) + size;
    }
    if (to)
        to[n] = part_of(s, from, s.n);
    return n + 1;
}

static int64_t split(const splitter *p, ox_str s, ox_str *to)
{
    return p->delimiter.n ? split_delimiter(p, s, to) : split_blanks(p, s, to);
}

static ox_code run_split(ox_run *r)
{
    const ox_tensor *x = r->in[0];
    const char *delimiter = ox_attr_str(r, "delimiter");
    splitter p = { { delimiter ? delimiter : "", delimiter ? strlen(delimiter) : 0 }, -1 };
    int64_t n = ox_count(x), most = 0, dim[OX_MAX_RANK + 1];
    if (ox_attr_given(r, "maxsplit"))
        p.most = OX_MAX(ox_attr_i64(r, "maxsplit"), -1);
    int64_t *count = ox_scratch_array(r, (size_t)n + 1, sizeof(*count));
    if (!count)
        return OX_NO_MEMORY(r);
    for (int64_t i = 0; i < n; i++) {
        count[i] = split(&p, ((const ox_str *)x->data)[i], NULL);
        most = OX_MAX(most, count[i]);
    }
    for (int d = 0; d < x->rank; d++)
        dim[d] = x->dim[d];
    dim[x->rank] = most;
    OX_TRY(ox_out_alloc(r, 0, x->rank + 1, dim));
    if (r->n_out > 1 && r->out[1] && n)
        memcpy(r->out[1]->data, count, (size_t)n * sizeof(*count));
    for (int64_t i = 0; i < n && r->out[0]; i++) {
        ox_str *to = (ox_str *)r->out[0]->data + i * most;
        split(&p, ((const ox_str *)x->data)[i], to);
        for (int64_t k = count[i]; k < most; k++)
            to[k] = (ox_str){ "", 0 };
    }
    return OX_OK;
}

OX_OP(StringSplit, 20) .infer = infer_split, .run_any = run_split, .key = OX_KEY_NONE,
    .error = { ERR_EXACT, 0 } OX_END;

/* ---- StringNormalizer ---- */
static ox_code to_case(ox_run *r, ox_str s, ox_case c, ox_str *to)
{
    size_t n;
    *to = s;
    if (c == OX_CASE_NONE || s.n == 0)
        return OX_OK;
    char *buf = ox_mul_size(&n, s.n, 2) ? ox_run_str(r, n) : NULL;
    if (!buf)
        return OX_NO_MEMORY(r);
    *to = (ox_str){ buf, ox_str_case(buf, s, c) };
    return OX_OK;
}

static bool is_one_of(ox_str s, const ox_str *list, int n)
{
    for (int i = 0; i < n; i++)
        if (list[i].n == s.n && (s.n == 0 || memcmp(list[i].s, s.s, s.n) == 0))
            return true;
    return false;
}

static ox_code check_row(ox_run *r)
{
    const ox_tensor *x = r->in[0];
    if (x->rank == 1 || (x->rank == 2 && x->dim[0] == 1))
        return OX_OK;
    char text[128];
    return OX_FAIL(r->err, OX_E_SHAPE, "X has shape %s, expected [C] or [1,C]",
                   ox_shape_text(text, sizeof(text), x));
}

static ox_code run_normalize(ox_run *r)
{
    static const char *const actions[] = { "NONE", "LOWER", "UPPER", NULL };
    const ox_tensor *x = r->in[0];
    const ox_str *from = x->data;
    int action, n_stop;
    OX_TRY(check_row(r));
    OX_TRY(ox_attr_enum(r, "case_change_action", actions, &action));
    const ox_str *given = ox_attr_strs(r, "stopwords", &n_stop);
    ox_case fold = ox_attr_i64(r, "is_case_sensitive") ? OX_CASE_NONE : OX_CASE_LOWER;
    int64_t n = ox_count(x), kept = 0;
    ox_str *stop = ox_scratch_array(r, (size_t)n_stop + 1, sizeof(*stop));
    ox_str *out = ox_scratch_array(r, (size_t)n + 1, sizeof(*out));
    if (!stop || !out)
        return OX_NO_MEMORY(r);
    for (int i = 0; i < n_stop; i++)
        OX_TRY(to_case(r, given[i], fold, &stop[i]));
    for (int64_t i = 0; i < n; i++) {
        ox_str word = from[i];
        if (n_stop)
            OX_TRY(to_case(r, from[i], fold, &word));
        if (!is_one_of(word, stop, n_stop))
            OX_TRY(to_case(r, from[i], (ox_case)action, &out[kept++]));
    }
    if (kept == 0)
        out[kept++] = (ox_str){ "", 0 };
    OX_TRY(ox_out_alloc(r, 0, x->rank, x->rank == 1 ? &kept : (int64_t[]){ 1, kept }));
    if (r->out[0])
        memcpy(r->out[0]->data, out, (size_t)kept * sizeof(*out));
    return OX_OK;
}

OX_OP(StringNormalizer, 10) .infer = ox_infer_none, .run_any = run_normalize, .key = OX_KEY_NONE,
    .error = { ERR_EXACT, 0 } OX_END;
