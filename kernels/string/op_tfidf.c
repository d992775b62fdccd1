/* TfIdfVectorizer: counts of known n-grams in a row, with up to max_skip_count items left out between
 * their parts.
 *
 * The n-grams of the pool make a tree: a node is a prefix, found by (parent, item) in one hash table.
 * weights[i] belongs to output column i, as in the reference evaluator and ONNX Runtime (the text
 * says to n-gram i, which is the same where ngram_indexes are in order). */
#include "runtime/op.h"

#include <string.h>

typedef union item {
    int64_t i;
    ox_str  s;
} item;

typedef struct node {
    item    key;
    int64_t parent;
    int64_t column; /* -1: the prefix is no n-gram itself */
} node;

typedef enum mode { TF, IDF, TFIDF } mode;

typedef struct tfidf {
    bool     text;
    node    *node;   /* 0 is the root */
    int64_t  n_node;
    int64_t *slot;   /* of the hash table: a node, 0: free */
    uint64_t mask;
    int64_t  min, max, skip, width;
    mode     mode;
    const float *weight;
} tfidf;

/* ---- the tree ---- */
static uint64_t hash(const tfidf *t, int64_t parent, item key)
{
    uint64_t h = (uint64_t)parent * 0x9e3779b97f4a7c15u;
    if (t->text)
        for (size_t i = 0; i < key.s.n; i++)
            h = (h ^ (unsigned char)key.s.s[i]) * 0x100000001b3u;
    else
        h ^= (uint64_t)key.i;
    h = (h ^ h >> 32) * 0xd6e8feb86659fd93u;
    return h ^ h >> 32;
}

static bool same(const tfidf *t, item a, item b)
{
    if (!t->text)
        return a.i == b.i;
    return a.s.n == b.s.n && (a.s.n == 0 || memcmp(a.s.s, b.s.s, a.s.n) == 0);
}

/* Where the child of `parent` by that item is in the table, or would be. */
static int64_t *slot_of(const tfidf *t, int64_t parent, item key)
{
    uint64_t at = hash(t, parent, key) & t->mask;
    for (int64_t n; (n = t->slot[at]) != 0; at = (at + 1) & t->mask)
        if (t->node[n].parent == parent && same(t, t->node[n].key, key))
            break;
    return &t->slot[at];
}

static item item_of(const tfidf *t, const int64_t *ints, const ox_str *strs, int64_t i)
{
    item v = { 0 };
    if (t->text)
        v.s = strs[i];
    else
        v.i = ints[i];
    return v;
}

/* ---- prepare ---- */
typedef struct pool {
    const int64_t *ints;
    const ox_str  *strs;
    int            n;
} pool;

static ox_code read_pool(const ox_run *r, tfidf *t, pool *p)
{
    int n_int, n_str;
    p->ints = ox_attr_i64s(r, "pool_int64s", &n_int);
    p->strs = ox_attr_strs(r, "pool_strings", &n_str);
    t->text = n_str > 0;
    p->n = n_int + n_str;
    if (n_int && n_str)
        return OX_FAIL(r->err, OX_E_VALUE, "both pool_int64s and pool_strings are given");
    if (p->n && t->text != (r->in[0]->dtype == OX_STR))
        return OX_FAIL(r->err, OX_E_TYPE, "X is of type %s, the pool is of %s",
                       ox_dtype_name(r->in[0]->dtype), t->text ? "strings" : "integers");
    return OX_OK;
}

static ox_code width_of(const ox_run *r, const int64_t **columns, int *n, int64_t *width)
{
    *columns = ox_attr_i64s(r, "ngram_indexes", n);
    *width = 0;
    for (int i = 0; i < *n; i++) {
        if ((*columns)[i] < 0 || (*columns)[i] >= INT32_MAX)
            return OX_FAIL(r->err, OX_E_VALUE, "ngram_indexes[%d] is %lld", i, (long long)(*columns)[i]);
        *width = OX_MAX(*width, (*columns)[i] + 1);
    }
    return OX_OK;
}

static void add_gram(tfidf *t, const pool *p, int64_t from, int64_t size, int64_t column)
{
    int64_t at = 0;
    for (int64_t i = 0; i < size; i++) {
        item key = item_of(t, p->ints, p->strs, from + i);
        int64_t *slot = slot_of(t, at, key);
        if (*slot == 0) {
            *slot = t->n_node;
            t->node[t->n_node++] = (node){ key, at, -1 };
        }
        at = *slot;
    }
    t->node[at].column = column;
}

static ox_code fill(ox_run *r, tfidf *t, const pool *p, const int64_t *columns, int n_column)
{
    int n_count;
    const int64_t *start = ox_attr_i64s(r, "ngram_counts", &n_count);
    int64_t gram = 0;
    for (int k = 0; k < n_count; k++) {
        int64_t from = start[k], end = k + 1 < n_count ? start[k + 1] : p->n, size = k + 1;
        if (from < 0 || end < from || end > p->n || (end - from) % size)
            return OX_FAIL(r->err, OX_E_VALUE, "ngram_counts: %d-grams from %lld to %lld of %d items",
                           k + 1, (long long)from, (long long)end, p->n);
        for (; from < end; from += size, gram++) {
            if (gram >= n_column)
                return OX_FAIL(r->err, OX_E_VALUE, "ngram_indexes has %d entries, the pool more n-grams",
                               n_column);
            if (size >= t->min && size <= t->max)
                add_gram(t, p, from, size, columns[gram]);
        }
    }
    return OX_OK;
}

static ox_code prepare(ox_run *r)
{
    static const char *const modes[] = { "TF", "IDF", "TFIDF", NULL };
    tfidf *t = r->state;
    pool p;
    const int64_t *columns;
    int n_column, n_weight, m;
    OX_TRY(ox_attr_enum(r, "mode", modes, &m));
    t->mode = (mode)m;
    t->min = ox_attr_i64(r, "min_gram_length");
    t->max = ox_attr_i64(r, "max_gram_length");
    t->skip = ox_attr_i64(r, "max_skip_count");
    if (t->min < 1 || t->max < t->min || t->skip < 0)
        return OX_FAIL(r->err, OX_E_VALUE, "min_gram_length %lld, max_gram_length %lld, max_skip_count "
                       "%lld", (long long)t->min, (long long)t->max, (long long)t->skip);
    OX_TRY(read_pool(r, t, &p));
    OX_TRY(width_of(r, &columns, &n_column, &t->width));
    t->weight = ox_attr_f32s(r, "weights", &n_weight);
    t->weight = n_weight ? t->weight : NULL;
    if (n_weight && n_weight < t->width)
        return OX_FAIL(r->err, OX_E_VALUE, "weights has %d entries for %lld columns", n_weight,
                       (long long)t->width);
    size_t size = 8;
    while (size < (size_t)p.n * 2 + 2)
        size *= 2;
    t->mask = size - 1;
    t->slot = ox_state_alloc(r, size, sizeof(*t->slot));
    t->node = ox_state_alloc(r, (size_t)p.n + 1, sizeof(*t->node));
    if (!t->slot || !t->node)
        return OX_NO_MEMORY(r);
    t->node[0].column = -1;
    t->n_node = 1;
    return fill(r, t, &p, columns, n_column);
}

static ox_code infer(ox_run *r)
{
    const ox_tensor *x = r->in[0];
    const int64_t *columns;
    int64_t width;
    int n;
    OX_TRY(width_of(r, &columns, &n, &width));
    if (x->rank > 2)
        return OX_FAIL(r->err, OX_E_SHAPE, "X has rank %d, expected 1 or 2", x->rank);
    if (x->rank == 2)
        ox_out_shape(r, 0, 2, (int64_t[]){ x->dim[0], width });
    else
        ox_out_shape(r, 0, 1, &width);
    return OX_OK;
}

/* ---- run ---- */
/* Counts n-grams that begin at item `at` and whose parts are `step` items apart. */
static void count_from(const tfidf *t, const int64_t *ints, const ox_str *strs, int64_t n, int64_t at,
                       int64_t step, int64_t min, double *count)
{
    int64_t parent = 0;
    for (int64_t size = 1; size <= t->max; size++) {
        parent = *slot_of(t, parent, item_of(t, ints, strs, at));
        if (parent == 0)
            return;
        if (size >= min && t->node[parent].column >= 0)
            count[t->node[parent].column] += 1;
        if (step >= n - at)
            return;
        at += step;
    }
}

static void count_row(const tfidf *t, const int64_t *ints, const ox_str *strs, int64_t n, double *count)
{
    int64_t min = t->min;
    for (int64_t step = 1; step - 1 <= t->skip && step <= OX_MAX(n, 1); step++) {
        for (int64_t at = 0; at < n; at++)
            count_from(t, ints, strs, n, at, step, min, count);
        if (min == 1 && ++min > t->max) /* skipping changes nothing for single items */
            return;
    }
}

static void weigh(const tfidf *t, double *v)
{
    for (int64_t i = 0; i < t->width; i++) {
        double w = t->weight && t->mode != TF ? (double)t->weight[i] : 1;
        v[i] = t->mode == IDF ? (v[i] > 0 ? w : 0) : v[i] * w;
    }
}

static ox_code run(ox_run *r)
{
    const tfidf *t = r->state;
    const ox_tensor *x = r->in[0];
    ox_tensor *y = r->out[0];
    int64_t n, rows = x->rank == 2 ? x->dim[0] : 1, width = x->rank ? x->dim[x->rank - 1] : 1;
    const int64_t *ints = x->dtype == OX_STR ? NULL : ox_in_i64s(r, 0, &n);
    const ox_str *strs = x->dtype == OX_STR ? x->data : NULL;
    double *v = ox_scratch_array(r, (size_t)ox_count(y), sizeof(*v));
    if (!v || (!ints && !strs && ox_count(x) > 0))
        return OX_NO_MEMORY(r);
    memset(v, 0, (size_t)ox_count(y) * sizeof(*v));
    for (int64_t i = 0; i < rows; i++) {
        if (t->n_node > 1)
            count_row(t, ints ? ints + i * width : NULL, strs ? strs + i * width : NULL, width,
                      v + i * t->width);
        weigh(t, v + i * t->width);
    }
    ox_from_f64(y->data, v, y->dtype, (size_t)ox_count(y));
    return OX_OK;
}

OX_OP(TfIdfVectorizer, 9) .infer = infer, .prepare = prepare, .run_any = run, .key = OX_KEY_NONE,
    .state_size = sizeof(tfidf), .error = { ERR_ULP, 0.5 } OX_END;
