#include "kernels/ml/forest.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- evaluation ---- */
static bool is_member(const ox_ml_forest *f, const ox_ml_node *n, double x)
{
    const double *m = f->members + n->member;
    for (int64_t i = 0; i < n->n_member; i++)
        if (m[i] == x)
            return true;
    return false;
}

static bool decide(const ox_ml_forest *f, const ox_ml_node *n, double x)
{
    if (isnan(x))
        return n->missing_yes;
    switch (n->mode) {
    case OX_ML_LEQ: return x <= n->split;
    case OX_ML_LT:  return x < n->split;
    case OX_ML_GTE: return x >= n->split;
    case OX_ML_GT:  return x > n->split;
    case OX_ML_EQ:  return x == n->split;
    case OX_ML_NEQ: return x != n->split;
    default:        return is_member(f, n, x);
    }
}

void ox_ml_forest_row(const ox_ml_forest *f, const double *x, double *y)
{
    bool sum = f->aggregate == OX_ML_SUM || f->aggregate == OX_ML_AVERAGE;
    for (int64_t t = 0; t < f->n_target; t++)
        y[t] = sum ? 0 : NAN; /* NaN: no vote yet */
    for (int64_t k = 0; k < f->n_root; k++) {
        int64_t at = f->root[k];
        while (at >= 0) {
            const ox_ml_node *n = &f->node[at];
            at = decide(f, n, x[n->feature]) ? n->yes : n->no;
        }
        const ox_ml_leaf *leaf = &f->leaf[-1 - at];
        for (const ox_ml_vote *v = f->vote + leaf->first, *end = v + leaf->n; v < end; v++) {
            double *to = &y[v->target];
            *to = sum                           ? *to + v->weight
                  : f->aggregate == OX_ML_MIN ? fmin(*to, v->weight)
                                              : fmax(*to, v->weight);
        }
    }
    for (int64_t t = 0; t < f->n_target; t++) {
        if (f->aggregate == OX_ML_AVERAGE)
            y[t] /= (double)f->n_root;
        else if (!sum && isnan(y[t]))
            y[t] = 0;
    }
}

/* ---- checks ---- */
/* Walks all paths with a stack of its own; a node is open while the walk is below it. */
typedef struct walk {
    int64_t *stack; /* node * 2 + 1 once both its branches are on the stack */
    uint8_t *color; /* 0 new, 1 open, 2 done */
} walk;

static bool has_cycle(const ox_ml_forest *f, walk *w, int64_t root)
{
    int64_t top = 0;
    if (root < 0 || w->color[root])
        return false;
    w->stack[top++] = root * 2;
    while (top > 0) {
        int64_t n = w->stack[top - 1] / 2;
        if (w->stack[top - 1] & 1) {
            w->color[n] = 2;
            top--;
            continue;
        }
        if (w->color[n]) { /* reached twice before it was entered: two nodes share it */
            top--;
            continue;
        }
        w->color[n] = 1;
        w->stack[top - 1] = n * 2 + 1;
        int64_t next[2] = { f->node[n].yes, f->node[n].no };
        for (int i = 0; i < 2; i++) {
            if (next[i] < 0 || w->color[next[i]] == 2)
                continue;
            if (w->color[next[i]] == 1)
                return true;
            w->stack[top++] = next[i] * 2;
        }
    }
    return false;
}

ox_code ox_ml_forest_check(ox_run *r, ox_ml_forest *f)
{
    walk w;
    w.stack = ox_scratch_array(r, (size_t)f->n_node * 2 + 2, sizeof(*w.stack));
    w.color = ox_scratch_array(r, (size_t)f->n_node + 1, 1);
    if (!w.stack || !w.color)
        return OX_NO_MEMORY(r);
    memset(w.color, 0, (size_t)f->n_node + 1);
    for (int64_t i = 0; i < f->n_node; i++) {
        const ox_ml_node *n = &f->node[i];
        if (n->mode == OX_ML_LEAF)
            continue;
        if (n->feature < 0)
            return OX_FAIL(r->err, OX_E_VALUE, "node %lld has feature %lld", (long long)i,
                           (long long)n->feature);
        f->width = OX_MAX(f->width, n->feature + 1);
    }
    for (int64_t i = 0; i < f->n_vote; i++)
        if (f->vote[i].target < 0 || f->vote[i].target >= f->n_target)
            return OX_FAIL(r->err, OX_E_VALUE, "vote %lld is for %lld of %lld targets", (long long)i,
                           (long long)f->vote[i].target, (long long)f->n_target);
    for (int64_t i = 0; i < f->n_root; i++)
        if (has_cycle(f, &w, f->root[i]))
            return OX_FAIL(r->err, OX_E_VALUE, "tree %lld has a cycle", (long long)i);
    return OX_OK;
}

/* ---- trees as lists of (tree, node) ---- */
typedef struct lists {
    const int64_t *tree, *id, *feature, *yes, *no, *missing;
    const ox_str  *mode;
    const double  *value;
    ox_ml_lookup   lookup;
    uint64_t      *key;   /* of every node */
} lists;

/* One number for (tree, node). */
static ox_code pair_key(ox_run *r, int64_t tree, int64_t id, uint64_t *key)
{
    *key = 0;
    if (tree < 0 || tree > INT32_MAX || id < 0 || id > INT32_MAX)
        return OX_FAIL(r->err, OX_E_VALUE, "tree %lld, node %lld: ids are from 0 to 2147483647",
                       (long long)tree, (long long)id);
    *key = (uint64_t)tree << 32 | (uint64_t)id;
    return OX_OK;
}

static ox_code int_list(ox_run *r, const char *name, int64_t n, const int64_t **v)
{
    int count;
    *v = ox_attr_i64s(r, name, &count);
    if (n >= 0 && count != n)
        return OX_FAIL(r->err, OX_E_VALUE, "%s has %d entries, expected %lld", name, count,
                       (long long)n);
    return OX_OK;
}

static ox_code read_lists(ox_run *r, ox_ml_forest *f, lists *l)
{
    int n, n_mode, n_missing;
    int64_t n_value;
    l->id = ox_attr_i64s(r, "nodes_nodeids", &n);
    f->n_node = n;
    OX_TRY(int_list(r, "nodes_treeids", n, &l->tree));
    OX_TRY(int_list(r, "nodes_featureids", n, &l->feature));
    OX_TRY(int_list(r, "nodes_truenodeids", n, &l->yes));
    OX_TRY(int_list(r, "nodes_falsenodeids", n, &l->no));
    l->missing = ox_attr_i64s(r, "nodes_missing_value_tracks_true", &n_missing);
    if (n_missing && n_missing != n)
        return OX_FAIL(r->err, OX_E_VALUE, "nodes_missing_value_tracks_true has %d entries, expected %d",
                       n_missing, n);
    l->missing = n_missing ? l->missing : NULL;
    l->mode = ox_attr_strs(r, "nodes_modes", &n_mode);
    OX_TRY(ox_ml_doubles(r, "nodes_values", &l->value, &n_value));
    if (n_mode != n || n_value != n)
        return OX_FAIL(r->err, OX_E_VALUE, "nodes_modes and nodes_values have %d and %lld entries, "
                       "expected %d", n_mode, (long long)n_value, n);
    if (n == 0)
        return OX_FAIL(r->err, OX_E_VALUE, "there are no nodes");
    l->key = ox_scratch_array(r, (size_t)n, sizeof(*l->key));
    if (!l->key)
        return OX_NO_MEMORY(r);
    for (int i = 0; i < n; i++)
        OX_TRY(pair_key(r, l->tree[i], l->id[i], &l->key[i]));
    OX_TRY(ox_ml_lookup_init(r, &l->lookup, l->key, NULL, n, false));
    for (int i = 0; i < n; i++)
        if (ox_ml_find_bits(&l->lookup, l->key[i]) != i)
            return OX_FAIL(r->err, OX_E_VALUE, "tree %lld has node %lld twice", (long long)l->tree[i],
                           (long long)l->id[i]);
    return OX_OK;
}

static ox_code mode_of(ox_run *r, ox_str s, uint8_t *mode)
{
    static const struct { const char *word; ox_ml_mode mode; } words[] = {
        { "BRANCH_LEQ", OX_ML_LEQ }, { "BRANCH_LT", OX_ML_LT },  { "BRANCH_GTE", OX_ML_GTE },
        { "BRANCH_GT", OX_ML_GT },   { "BRANCH_EQ", OX_ML_EQ },  { "BRANCH_NEQ", OX_ML_NEQ },
        { "LEAF", OX_ML_LEAF },
    };
    for (size_t i = 0; i < OX_COUNT(words); i++)
        if (s.n == strlen(words[i].word) && memcmp(s.s, words[i].word, s.n) == 0) {
            *mode = (uint8_t)words[i].mode;
            return OX_OK;
        }
    return OX_FAIL(r->err, OX_E_VALUE, "nodes_modes has \"%.*s\"", (int)OX_MIN(s.n, (size_t)40), s.s);
}

/* A branch of node i: the position of node `id` of the same tree, as a leaf where it is one. */
static ox_code branch(ox_run *r, const ox_ml_forest *f, const lists *l, int64_t i, int64_t id,
                      int64_t *to)
{
    uint64_t key;
    OX_TRY(pair_key(r, l->tree[i], id, &key));
    int64_t at = ox_ml_find_bits(&l->lookup, key);
    if (at < 0)
        return OX_FAIL(r->err, OX_E_VALUE, "tree %lld has no node %lld", (long long)l->tree[i],
                       (long long)id);
    *to = f->node[at].mode == OX_ML_LEAF ? -1 - at : at;
    return OX_OK;
}

static ox_code make_nodes(ox_run *r, ox_ml_forest *f, const lists *l)
{
    int64_t n = f->n_node;
    f->node = ox_state_alloc(r, (size_t)n, sizeof(*f->node));
    f->root = ox_state_alloc(r, (size_t)n, sizeof(*f->root));
    uint64_t *trees = ox_scratch_array(r, (size_t)n, sizeof(*trees));
    ox_ml_lookup seen;
    if (!f->node || !f->root || !trees)
        return OX_NO_MEMORY(r);
    for (int64_t i = 0; i < n; i++) {
        f->node[i] = (ox_ml_node){ .split = l->value[i], .feature = l->feature[i],
                                   .missing_yes = l->missing && l->missing[i] };
        OX_TRY(mode_of(r, l->mode[i], &f->node[i].mode));
        trees[n - 1 - i] = (uint64_t)l->tree[i]; /* backwards: the last of equals is the first node */
    }
    OX_TRY(ox_ml_lookup_init(r, &seen, trees, NULL, n, false));
    for (int64_t i = 0; i < n; i++) {
        bool leaf = f->node[i].mode == OX_ML_LEAF;
        if (!leaf) {
            OX_TRY(branch(r, f, l, i, l->yes[i], &f->node[i].yes));
            OX_TRY(branch(r, f, l, i, l->no[i], &f->node[i].no));
        }
        if (ox_ml_find_bits(&seen, (uint64_t)l->tree[i]) == n - 1 - i)
            f->root[f->n_root++] = leaf ? -1 - i : i;
    }
    return OX_OK;
}

/* Votes sorted by the node they are of: counted, then filled in. */
static ox_code make_votes(ox_run *r, ox_ml_forest *f, const lists *l, const char *votes)
{
    char name[4][48];
    static const char *const part[] = { "treeids", "nodeids", "ids", "weights" };
    const int64_t *tree, *id, *target;
    const double *weight;
    int n;
    int64_t n_weight;
    for (int i = 0; i < 4; i++)
        snprintf(name[i], sizeof(name[i]), "%s_%s", votes, part[i]);
    id = ox_attr_i64s(r, name[1], &n);
    OX_TRY(int_list(r, name[0], n, &tree));
    OX_TRY(int_list(r, name[2], n, &target));
    OX_TRY(ox_ml_doubles(r, name[3], &weight, &n_weight));
    if (n_weight != n)
        return OX_FAIL(r->err, OX_E_VALUE, "%s has %lld entries, expected %d", name[3],
                       (long long)n_weight, n);
    f->n_vote = n;
    f->n_leaf = f->n_node;
    f->vote = ox_state_alloc(r, (size_t)n + 1, sizeof(*f->vote));
    f->leaf = ox_state_alloc(r, (size_t)f->n_node, sizeof(*f->leaf));
    int64_t *at = ox_scratch_array(r, (size_t)n + 1, sizeof(*at)), first = 0;
    if (!f->vote || !f->leaf || !at)
        return OX_NO_MEMORY(r);
    for (int i = 0; i < n; i++) {
        uint64_t key;
        OX_TRY(pair_key(r, tree[i], id[i], &key));
        if ((at[i] = ox_ml_find_bits(&l->lookup, key)) < 0)
            return OX_FAIL(r->err, OX_E_VALUE, "vote %d is of node %lld, which tree %lld lacks", i,
                           (long long)id[i], (long long)tree[i]);
        f->leaf[at[i]].n++;
    }
    for (int64_t i = 0; i < f->n_node; i++) {
        f->leaf[i].first = first;
        first += f->leaf[i].n;
        f->leaf[i].n = 0;
    }
    for (int i = 0; i < n; i++) {
        ox_ml_leaf *leaf = &f->leaf[at[i]];
        f->vote[leaf->first + leaf->n++] = (ox_ml_vote){ target[i], weight[i] };
    }
    return OX_OK;
}

ox_code ox_ml_forest_of_lists(ox_run *r, ox_ml_forest *f, const char *votes)
{
    lists l;
    OX_TRY(read_lists(r, f, &l));
    OX_TRY(make_nodes(r, f, &l));
    OX_TRY(make_votes(r, f, &l, votes));
    OX_TRY(ox_ml_doubles(r, "base_values", &f->base, &f->n_base));
    return OX_OK;
}
