/* The operator tables and their parser.  The tables are our own data and a unit test parses every
 * row, so a malformed row is an assertion, not an error; nothing a user supplies is parsed here. */
#include "proto/schema.h"

#include <assert.h>
#include <limits.h>
#include <pthread.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <string.h>

/* ---- tables ---- */

struct row {
    const char *domain, *name;
    int since;
    const char *in, *out, *attr, *var, *flags;
};

#define SCHEMA(domain, name, since, in, out, attr, var, flags)                                     \
    {domain, #name, since, in, out, attr, var, flags},
static const struct row current[] = {
#include "proto/schema.def"
};
static const struct row removed[] = {
#include "proto/removed.def"
};
#undef SCHEMA

#define TYPESET(name, words) {#name, words},
static const struct {
    const char *name, *words;
} set_rows[] = {
#include "proto/typesets.def"
};
#undef TYPESET

#define DTYPE(name, onnx, number) {#name, number},
static const struct {
    const char *name;
    int number;
} dtypes[] = {
#include "proto/dtypes.def"
};
#undef DTYPE

enum {
    N_CURRENT = sizeof current / sizeof *current,
    N_REMOVED = sizeof removed / sizeof *removed,
    N_ROWS = N_CURRENT + N_REMOVED,
    N_SETS = sizeof set_rows / sizeof *set_rows,
    N_DTYPES = sizeof dtypes / sizeof *dtypes
};

static const char *const kind_names[] = {
    "undefined", "float",  "int",           "string",         "tensor",     "graph",
    "floats",    "ints",   "strings",       "tensors",        "graphs",     "sparse_tensor",
    "sparse_tensors",      "type_proto",    "type_protos",
};
enum { N_KINDS = sizeof kind_names / sizeof *kind_names };

/* ---- what has been parsed: all of it guarded by `lock`, but for reading `parsed` ---- */

/* All rows together take about 220 kB where pointers have 8 bytes; the unit test parses them all,
 * so it notices a newer ONNX that needs more.  Pages that are not touched cost nothing. */
enum { POOL_SIZE = 512 * 1024 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static _Atomic(const ox_schema *) parsed[N_ROWS];
static ox_typeset sets[N_SETS];
static bool set_ready[N_SETS];
static alignas(max_align_t) unsigned char pool[POOL_SIZE];
static size_t pool_used;

static void *take(size_t n, size_t size, size_t align)
{
    size_t at = (pool_used + align - 1) / align * align;
    assert(n * size <= sizeof pool - at); /* raise POOL_SIZE */
    pool_used = at + n * size;
    return pool + at;
}
#define TAKE(n, type) ((type *)take((n), sizeof(type), alignof(type)))

/* ---- text ---- */

struct span {
    const char *p;
    size_t n;
};

/* A quote that is doubled inside a string closes and opens it again: the same words come out. */
static struct span next_word(const char **p)
{
    bool quoted = false;
    struct span w = {.p = *p + strspn(*p, " ")};
    for (; w.p[w.n] && (quoted || w.p[w.n] != ' '); w.n++)
        quoted ^= w.p[w.n] == '\'';
    *p = w.p + w.n;
    return w;
}

static int count_words(const char *p)
{
    int n = 0;
    while (next_word(&p).n)
        n++;
    return n;
}

/* Cuts what stands before the first `c` off the front of w; c itself is dropped. */
static struct span cut(struct span *w, char c)
{
    const char *at = memchr(w->p, c, w->n);
    assert(at);
    struct span head = {w->p, (size_t)(at - w->p)};
    w->p += head.n + 1;
    w->n -= head.n + 1;
    return head;
}

static bool is(struct span w, const char *text)
{
    return w.n == strlen(text) && !memcmp(w.p, text, w.n);
}

/* "seq(x)": if w is form(x), leaves x in w. */
static bool unwrap(struct span *w, const char *form)
{
    size_t n = strlen(form);
    if (w->n < n + 2 || memcmp(w->p, form, n) || w->p[n] != '(')
        return false;
    *w = (struct span){w->p + n + 1, w->n - n - 2};
    return true;
}

static const char *keep(struct span w)
{
    char *s = TAKE(w.n + 1, char);
    memcpy(s, w.p, w.n);
    s[w.n] = '\0';
    return s;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Digits at the front of w; unsigned, so that INT64_MIN is read without overflow. */
static uint64_t read_digits(struct span *w, uint64_t value, int *n)
{
    for (*n = 0; w->n && is_digit(*w->p); w->p++, w->n--, ++*n)
        value = value * 10 + (uint64_t)(*w->p - '0');
    return value;
}

static bool skip(struct span *w, char c)
{
    bool found = w->n && *w->p == c;
    w->p += found;
    w->n -= found;
    return found;
}

static int64_t read_int(struct span *w)
{
    int n;
    bool minus = skip(w, '-');
    uint64_t u = read_digits(w, 0, &n);
    assert(n);
    return minus ? -(int64_t)(u - 1) - 1 : (int64_t)u;
}

/* Not strtof, whose decimal point follows the locale.  regen.py verified that each default
 * comes out exactly this way: digits times or over a power of ten, in double, rounded to float. */
static float read_float(struct span *w)
{
    int n, n_fraction = 0;
    bool minus = skip(w, '-');
    uint64_t digits = read_digits(w, 0, &n);
    if (skip(w, '.'))
        digits = read_digits(w, digits, &n_fraction);
    int scale = (skip(w, 'e') ? (int)read_int(w) : 0) - n_fraction;
    double power = 1;
    for (int k = scale < 0 ? -scale : scale; k > 0; k--)
        power *= 10;
    double v = scale > 0 ? (double)digits * power : (double)digits / power;
    return (float)(minus ? -v : v);
}

static const char *read_string(struct span *w, size_t *n)
{
    char *s = TAKE(w->n, char); /* the quotes leave room for the terminator */
    bool open = skip(w, '\'');
    assert(open);
    *n = 0;
    while (open) {
        assert(w->n);
        if (skip(w, '\'')) {
            open = skip(w, '\'');
            if (open)
                s[(*n)++] = '\'';
        } else {
            s[(*n)++] = *w->p;
            skip(w, *w->p);
        }
    }
    s[*n] = '\0';
    return s;
}

/* ---- type sets ---- */

static const ox_typeset *find_set(struct span name);

/* A dtype, or a set of which all tensor types are meant. */
static uint64_t read_tensors(struct span w)
{
    for (int i = 0; i < N_DTYPES; i++)
        if (is(w, dtypes[i].name))
            return UINT64_C(1) << dtypes[i].number;
    const ox_typeset *set = find_set(w);
    assert(set && set->tensor);
    return set->tensor;
}

static void read_map(struct span w, uint64_t *by_i64, uint64_t *by_str)
{
    struct span key = cut(&w, ',');
    *(is(key, "i64") ? by_i64 : by_str) |= read_tensors(w);
}

static void read_type(struct span w, ox_typeset *set)
{
    if (unwrap(&w, "map"))
        read_map(w, &set->map_i64, &set->map_str);
    else if (unwrap(&w, "seq")) {
        if (unwrap(&w, "map"))
            read_map(w, &set->seq_map_i64, &set->seq_map_str);
        else
            set->seq |= read_tensors(w);
    } else if (unwrap(&w, "opt")) {
        if (unwrap(&w, "seq"))
            set->opt_seq |= read_tensors(w);
        else
            set->opt |= read_tensors(w);
    } else
        set->tensor |= read_tensors(w);
}

static const ox_typeset *find_set(struct span name)
{
    int lo = 0, hi = N_SETS;
    while (lo < hi) {
        int mid = lo + (hi - lo) / 2;
        int order = strncmp(set_rows[mid].name, name.p, name.n);
        if (order == 0 && set_rows[mid].name[name.n])
            order = 1; /* the row's name is longer */
        if (order < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    if (lo == N_SETS || !is(name, set_rows[lo].name))
        return NULL;
    if (!set_ready[lo]) {
        const char *p = set_rows[lo].words;
        sets[lo].name = set_rows[lo].name;
        for (struct span w; (w = next_word(&p)).n;)
            read_type(w, &sets[lo]);
        set_ready[lo] = true;
    }
    return &sets[lo];
}

/* ---- rows ---- */

static void parse_vars(ox_schema *s, const char *text)
{
    s->n_var = count_words(text);
    ox_schema_var *v = TAKE((size_t)s->n_var, ox_schema_var);
    s->var = v;
    for (struct span w; (w = next_word(&text)).n; v++) {
        struct span name = cut(&w, '=');
        *v = (ox_schema_var){.name = keep(name), .types = find_set(w)};
        assert(v->types);
    }
}

static void parse_param(const ox_schema *s, struct span w, ox_schema_param *p)
{
    *p = (ox_schema_param){.name = keep(cut(&w, ':')), .var = -1, .min_arity = 1};
    struct span type = {w.p, 0};
    while (type.n < w.n && !strchr("?*~", w.p[type.n]))
        type.n++;
    w.p += type.n;
    w.n -= type.n;
    for (int v = 0; v < s->n_var && p->var < 0; v++)
        if (is(type, s->var[v].name))
            p->var = v;
    p->types = p->var >= 0 ? s->var[p->var].types : find_set(type);
    assert(p->types);
    p->optional = skip(&w, '?');
    p->homogeneous = skip(&w, '*');
    p->variadic = p->homogeneous || skip(&w, '~');
    if (p->variadic)
        p->min_arity = (int)read_int(&w);
    assert(!w.n);
}

static const ox_schema_param *parse_params(const ox_schema *s, const char *text, int *n, int *min,
                                           int *max)
{
    *n = count_words(text);
    ox_schema_param *p = TAKE((size_t)*n, ox_schema_param);
    *min = 0;
    for (int i = 0; i < *n; i++) {
        parse_param(s, next_word(&text), &p[i]);
        assert(!p[i].variadic || i == *n - 1);
        if (!p[i].optional)
            *min = i + p[i].min_arity; /* an optional one before it is listed, as "" */
    }
    *max = *n && p[*n - 1].variadic ? INT_MAX : *n;
    return p;
}

/* Items of a list: commas outside quotes, plus one. */
static size_t count_items(struct span w)
{
    bool quoted = false;
    size_t n = w.n && *w.p != ']';
    for (size_t i = 0; i < w.n; i++) {
        quoted ^= w.p[i] == '\'';
        n += !quoted && w.p[i] == ',';
    }
    return n;
}

static void parse_list(struct span w, ox_schema_attr *a)
{
    bool open = skip(&w, '[');
    assert(open);
    (void)open;
    a->n = count_items(w);
    int64_t *ints = a->kind == OX_ATTR_INTS ? TAKE(a->n, int64_t) : NULL;
    float *floats = a->kind == OX_ATTR_FLOATS ? TAKE(a->n, float) : NULL;
    const char **strings = a->kind == OX_ATTR_STRINGS ? TAKE(a->n, const char *) : NULL;
    for (size_t i = 0, n_bytes; i < a->n; i++) {
        if (ints)
            ints[i] = read_int(&w);
        else if (floats)
            floats[i] = read_float(&w);
        else
            strings[i] = read_string(&w, &n_bytes);
        skip(&w, ',');
    }
    if (ints)
        a->ints = ints;
    else if (floats)
        a->floats = floats;
    else
        a->strings = strings;
    assert(is(w, "]"));
}

static void parse_default(struct span w, ox_schema_attr *a)
{
    a->has_default = true;
    a->n = 1;
    switch (a->kind) {
    case OX_ATTR_INT:
        a->i = read_int(&w);
        break;
    case OX_ATTR_FLOAT:
        a->f = read_float(&w);
        break;
    case OX_ATTR_STRING:
        a->s = read_string(&w, &a->n);
        break;
    default:
        parse_list(w, a);
        return;
    }
    assert(!w.n);
}

static void parse_attr(struct span w, ox_schema_attr *a)
{
    *a = (ox_schema_attr){.name = keep(cut(&w, ':'))};
    struct span kind = {w.p, 0};
    while (kind.n < w.n && !strchr("!=", w.p[kind.n]))
        kind.n++;
    int k = 0;
    while (k < N_KINDS && !is(kind, kind_names[k]))
        k++;
    assert(k < N_KINDS);
    a->kind = (ox_attr_kind)k;
    w.p += kind.n;
    w.n -= kind.n;
    a->required = skip(&w, '!');
    if (skip(&w, '='))
        parse_default(w, a);
    else
        assert(!w.n);
}

static void parse_attrs(ox_schema *s, const char *text)
{
    s->n_attr = count_words(text);
    ox_schema_attr *a = TAKE((size_t)s->n_attr, ox_schema_attr);
    s->attr = a;
    for (struct span w; (w = next_word(&text)).n; a++)
        parse_attr(w, a);
}

static unsigned parse_flags(const char *text)
{
    static const char *const names[] = {"deprecated", "experimental", "function", "random",
                                        "removed"};
    unsigned flags = 0;
    for (struct span w; (w = next_word(&text)).n;) {
        unsigned k = 0;
        while (k < sizeof names / sizeof *names && !is(w, names[k]))
            k++;
        assert(k < sizeof names / sizeof *names);
        flags |= 1u << k;
    }
    return flags;
}

static const struct row *row_at(int i)
{
    return i < N_CURRENT ? &current[i] : &removed[i - N_CURRENT];
}

static int next_since(const struct row *r);

/* Row i, parsed.  The pointer is published after the row is whole, so readers need no lock. */
static const ox_schema *get(int i)
{
    if (i < 0)
        return NULL;
    const ox_schema *done = atomic_load_explicit(&parsed[i], memory_order_acquire);
    if (done)
        return done;
    pthread_mutex_lock(&lock);
    done = atomic_load_explicit(&parsed[i], memory_order_relaxed);
    if (!done) {
        const struct row *r = row_at(i);
        ox_schema *s = TAKE(1, ox_schema);
        int next = next_since(r);
        *s = (ox_schema){.domain = r->domain,
                         .name = r->name,
                         .since = r->since,
                         .until = next ? next - 1 : INT_MAX,
                         .flags = parse_flags(r->flags)};
        parse_vars(s, r->var);
        s->in = parse_params(s, r->in, &s->n_in, &s->min_in, &s->max_in);
        s->out = parse_params(s, r->out, &s->n_out, &s->min_out, &s->max_out);
        parse_attrs(s, r->attr);
        atomic_store_explicit(&parsed[i], s, memory_order_release);
        done = s;
    }
    pthread_mutex_unlock(&lock);
    return done;
}

/* ---- lookup ---- */

static const char *plain_domain(const char *domain)
{
    return domain && *domain ? domain : "ai.onnx";
}

static bool same_op(const struct row *r, const char *domain, const char *name)
{
    return !strcmp(r->domain, domain) && !strcmp(r->name, name);
}

/* The first of rows[0..n) that sorts after (domain, name, opset); n if none does. */
static int upper_bound(const struct row *rows, int n, const char *domain, const char *name,
                       int opset)
{
    int lo = 0;
    while (lo < n) {
        int mid = lo + (n - lo) / 2;
        int order = strcmp(rows[mid].domain, domain);
        if (!order)
            order = strcmp(rows[mid].name, name);
        if (!order)
            order = rows[mid].since > opset ? 1 : -1;
        if (order < 0)
            lo = mid + 1;
        else
            n = mid;
    }
    return lo;
}

/* Of the operator's rows in both tables, the index of the one just before (or after) the opset; -1
 * if there is none. */
static int neighbour(const char *domain, const char *name, int opset, bool after)
{
    int best = -1;
    for (int table = 0; table < 2; table++) {
        const struct row *rows = table ? removed : current;
        int n = table ? N_REMOVED : N_CURRENT;
        int at = upper_bound(rows, n, domain, name, opset) - !after;
        if (at < 0 || at >= n || !same_op(&rows[at], domain, name))
            continue;
        int i = table ? at + N_CURRENT : at;
        if (best < 0 || (row_at(i)->since < row_at(best)->since) == after)
            best = i;
    }
    return best;
}

static int next_since(const struct row *r)
{
    int i = neighbour(r->domain, r->name, r->since, true);
    return i < 0 ? 0 : row_at(i)->since;
}

const ox_schema *ox_schema_find(const char *domain, const char *name, int opset)
{
    return get(neighbour(plain_domain(domain), name, opset, false));
}

const ox_schema *ox_schema_first(const char *domain, const char *name)
{
    return get(neighbour(plain_domain(domain), name, INT_MIN, true));
}

size_t ox_schema_count(void)
{
    return N_ROWS;
}

const ox_schema *ox_schema_at(size_t i)
{
    return i < N_ROWS ? get((int)i) : NULL;
}

int ox_schema_newest_opset(const char *domain)
{
    int newest = 0;
    for (int i = 0; i < N_CURRENT; i++)
        if (current[i].since > newest && !strcmp(current[i].domain, plain_domain(domain)))
            newest = current[i].since;
    return newest;
}

const ox_schema_attr *ox_schema_attr_find(const ox_schema *s, const char *name)
{
    for (int i = 0; i < s->n_attr; i++)
        if (!strcmp(s->attr[i].name, name))
            return &s->attr[i];
    return NULL;
}

static const ox_schema_param *param_at(const ox_schema_param *p, int n, int k)
{
    if (k < 0)
        return NULL;
    if (k < n)
        return &p[k];
    return n && p[n - 1].variadic ? &p[n - 1] : NULL;
}

const ox_schema_param *ox_schema_in(const ox_schema *s, int k)
{
    return param_at(s->in, s->n_in, k);
}

const ox_schema_param *ox_schema_out(const ox_schema *s, int k)
{
    return param_at(s->out, s->n_out, k);
}

const char *ox_attr_kind_name(ox_attr_kind kind)
{
    return (unsigned)kind < N_KINDS ? kind_names[kind] : "unknown";
}
