/* TreeEnsembleRegressor, TreeEnsembleClassifier and their successor TreeEnsemble.
 *
 * A missing value (NaN) follows nodes_missing_value_tracks_true whatever the comparison. */
#include "kernels/ml/forest.h"

#include <math.h>

enum { ROWS = 32 }; /* in a block */

typedef struct state {
    ox_ml_forest f;
    ox_ml_labels labels;
    int64_t      single;   /* classifier: the one class that has votes, of at most two; -1 */
    bool         positive; /* no weight is negative: scores are probabilities */
} state;

static ox_code check_width(const ox_run *r, const ox_ml_rows *m, const ox_ml_forest *f)
{
    if (m->width < f->width)
        return OX_FAIL(r->err, OX_E_SHAPE, "X has %lld features, the trees ask for feature %lld",
                       (long long)m->width, (long long)f->width - 1);
    return OX_OK;
}

/* ---- regression ---- */
static ox_code targets_of(ox_run *r, int64_t *n)
{
    *n = ox_attr_i64(r, "n_targets");
    if (*n < 1)
        return OX_FAIL(r->err, OX_E_VALUE, "n_targets is %lld", (long long)*n);
    return OX_OK;
}

static ox_code infer_regressor(ox_run *r)
{
    ox_ml_rows m;
    int64_t n_target;
    OX_TRY(ox_ml_shape(r, &m));
    OX_TRY(targets_of(r, &n_target));
    ox_out_shape(r, 0, 2, (int64_t[]){ m.n, n_target });
    return OX_OK;
}

static ox_code finish_prepare(ox_run *r, ox_ml_forest *f)
{
    ox_ml_rows m;
    OX_TRY(ox_ml_shape(r, &m));
    OX_TRY(ox_ml_forest_check(r, f));
    return check_width(r, &m, f);
}

static ox_code prepare_regressor(ox_run *r)
{
    static const char *const aggregates[] = { "AVERAGE", "SUM", "MIN", "MAX", NULL };
    state *s = r->state;
    int aggregate;
    OX_TRY(ox_attr_enum(r, "aggregate_function", aggregates, &aggregate));
    s->f.aggregate = (ox_ml_aggregate)aggregate;
    OX_TRY(targets_of(r, &s->f.n_target));
    OX_TRY(ox_ml_post_attr(r, &s->f.post));
    OX_TRY(ox_ml_forest_of_lists(r, &s->f, "target"));
    if (s->f.n_base && s->f.n_base != s->f.n_target)
        return OX_FAIL(r->err, OX_E_VALUE, "base_values has %lld entries for %lld targets",
                       (long long)s->f.n_base, (long long)s->f.n_target);
    return finish_prepare(r, &s->f);
}

typedef struct job {
    const ox_run *r;
    const state  *s;
    ox_ml_rows    m;
    double       *y;
    int64_t       n_y; /* scores a row */
    void        (*row)(const struct job *j, int64_t i, double *y);
} job;

static void regress(const job *j, int64_t i, double *y)
{
    const ox_ml_forest *f = &j->s->f;
    ox_ml_forest_row(f, j->m.x + i * j->m.width, y);
    for (int64_t t = 0; t < f->n_base; t++)
        y[t] += f->base[t];
    ox_ml_transform(f->post, y, f->n_target);
}

static void block(void *ctx, int64_t b, int worker)
{
    const job *j = ctx;
    (void)worker;
    for (int64_t i = b * ROWS; i < OX_MIN(j->m.n, (b + 1) * ROWS); i++)
        j->row(j, i, j->y + i * j->n_y);
}

static ox_code run_rows(ox_run *r, int out, int64_t n_y, void (*row)(const job *, int64_t, double *))
{
    job j = { .r = r, .s = r->state, .n_y = n_y, .row = row };
    OX_TRY(ox_ml_rows_of(r, &j.m));
    size_t n;
    if (!ox_mul_size(&n, (size_t)j.m.n, (size_t)n_y) ||
        !(j.y = ox_scratch_array(r, n, sizeof(double))))
        return OX_NO_MEMORY(r);
    ox_parallel(r, (j.m.n + ROWS - 1) / ROWS, block, &j);
    ox_ml_store(r, out, j.y, (int64_t)n);
    return OX_OK;
}

static ox_code run_regressor(ox_run *r)
{
    const state *s = r->state;
    return run_rows(r, 0, s->f.n_target, regress);
}

OX_OP(TreeEnsembleRegressor, 1) .domain = "ai.onnx.ml", .infer = infer_regressor,
    .prepare = prepare_regressor, .run_any = run_regressor, .key = OX_KEY_NONE,
    .state_size = sizeof(state), .error = { ERR_SUM, 8 } OX_END;

/* ---- classification ---- */
static ox_code classes_of(ox_run *r, ox_ml_labels *l)
{
    OX_TRY(ox_ml_labels_of(r, "classlabels_int64s", "classlabels_strings", l));
    if (l->n == 0)
        return OX_FAIL(r->err, OX_E_VALUE, "there are no class labels");
    return OX_OK;
}

static ox_code infer_classifier(ox_run *r)
{
    ox_ml_rows m;
    ox_ml_labels l;
    OX_TRY(ox_ml_shape(r, &m));
    OX_TRY(classes_of(r, &l));
    return ox_ml_infer_classes(r, &l, m.n, l.n);
}

static ox_code prepare_classifier(ox_run *r)
{
    state *s = r->state;
    ox_ml_forest *f = &s->f;
    OX_TRY(classes_of(r, &s->labels));
    OX_TRY(ox_ml_post_attr(r, &f->post));
    f->aggregate = OX_ML_SUM;
    f->n_target = s->labels.n;
    OX_TRY(ox_ml_forest_of_lists(r, f, "class"));
    OX_TRY(finish_prepare(r, f));
    if (f->n_base && f->n_base != f->n_target && !(f->n_base == 1 && f->n_target == 2))
        return OX_FAIL(r->err, OX_E_VALUE, "base_values has %lld entries for %lld classes",
                       (long long)f->n_base, (long long)f->n_target);
    s->single = f->n_vote && f->n_target <= 2 ? f->vote[0].target : -1;
    s->positive = true;
    for (int64_t i = 0; i < f->n_vote; i++) {
        if (f->vote[i].target != s->single)
            s->single = -1;
        s->positive &= f->vote[i].weight >= 0;
    }
    return OX_OK;
}

static void classify(const job *j, int64_t i, double *y)
{
    const state *s = j->s;
    const ox_ml_forest *f = &s->f;
    ox_ml_forest_row(f, j->m.x + i * j->m.width, y);
    if (s->single >= 0) {
        double score = y[s->single];
        score += f->n_base ? f->base[f->n_base == 1 ? 0 : s->single] : 0;
        bool probability = s->positive && (f->post == OX_ML_NONE || f->post == OX_ML_PROBIT);
        y[0] = f->n_target == 1 ? score : probability ? 1 - score : -score;
        if (f->n_target == 2)
            y[1] = score;
    } else {
        for (int64_t t = 0; t < f->n_base; t++)
            y[t] += f->base[t];
    }
    if (f->n_target == 1)
        ox_ml_set_sign(j->r, &s->labels, i, y[0] > 0);
    else
        ox_ml_set_label(j->r, &s->labels, i, ox_ml_argmax(y, f->n_target));
    ox_ml_transform(f->post, y, f->n_target);
}

static ox_code run_classifier(ox_run *r)
{
    const state *s = r->state;
    return run_rows(r, 1, s->f.n_target, classify);
}

OX_OP(TreeEnsembleClassifier, 1) .domain = "ai.onnx.ml", .infer = infer_classifier,
    .prepare = prepare_classifier, .run_any = run_classifier, .key = OX_KEY_NONE,
    .state_size = sizeof(state), .error = { ERR_SUM, 8 } OX_END;

/* ---- TreeEnsemble ---- */
static ox_code tensor_doubles(ox_run *r, const char *name, const double **v, int64_t *n)
{
    const ox_tensor *t = ox_attr_tensor(r, name);
    *n = t ? ox_count(t) : 0;
    if (t && !ox_is_float(t->dtype))
        return OX_FAIL(r->err, OX_E_TYPE, "%s is of type %s", name, ox_dtype_name(t->dtype));
    double *to = ox_state_alloc(r, (size_t)OX_MAX(*n, 1), sizeof(*to));
    if (!to)
        return OX_NO_MEMORY(r);
    if (*n)
        ox_to_f64(to, t->data, t->dtype, (size_t)*n);
    *v = to;
    return OX_OK;
}

static ox_code make_leaves(ox_run *r, ox_ml_forest *f)
{
    int n;
    int64_t n_weight;
    const double *weight;
    const int64_t *target = ox_attr_i64s(r, "leaf_targetids", &n);
    OX_TRY(tensor_doubles(r, "leaf_weights", &weight, &n_weight));
    if (n_weight != n)
        return OX_FAIL(r->err, OX_E_VALUE, "leaf_weights has %lld entries, leaf_targetids %d",
                       (long long)n_weight, n);
    f->n_leaf = f->n_vote = n;
    f->leaf = ox_state_alloc(r, (size_t)n + 1, sizeof(*f->leaf));
    f->vote = ox_state_alloc(r, (size_t)n + 1, sizeof(*f->vote));
    if (!f->leaf || !f->vote)
        return OX_NO_MEMORY(r);
    for (int i = 0; i < n; i++) {
        f->leaf[i] = (ox_ml_leaf){ i, 1 };
        f->vote[i] = (ox_ml_vote){ target[i], weight[i] };
    }
    return OX_OK;
}

static ox_code set_branch(ox_run *r, const ox_ml_forest *f, int64_t i, int64_t id, bool leaf, int64_t *to)
{
    int64_t n = leaf ? f->n_leaf : f->n_node;
    if (id < 0 || id >= n)
        return OX_FAIL(r->err, OX_E_VALUE, "node %lld leads to %s %lld of %lld", (long long)i,
                       leaf ? "leaf" : "node", (long long)id, (long long)n);
    *to = leaf ? -1 - id : id;
    return OX_OK;
}

static ox_code ints(ox_run *r, const char *name, int64_t n, const int64_t **v)
{
    int count;
    *v = ox_attr_i64s(r, name, &count);
    if (count != n)
        return OX_FAIL(r->err, OX_E_VALUE, "%s has %d entries, expected %lld", name, count, (long long)n);
    return OX_OK;
}

static ox_code make_nodes(ox_run *r, ox_ml_forest *f)
{
    const ox_tensor *mode = ox_attr_tensor(r, "nodes_modes");
    const int64_t *feature, *yes, *no, *yes_leaf, *no_leaf, *missing = NULL;
    const double *split;
    int64_t n = mode ? ox_count(mode) : 0, n_split;
    if (mode && mode->dtype != OX_U8)
        return OX_FAIL(r->err, OX_E_TYPE, "nodes_modes is of type %s", ox_dtype_name(mode->dtype));
    OX_TRY(ints(r, "nodes_featureids", n, &feature));
    OX_TRY(ints(r, "nodes_truenodeids", n, &yes));
    OX_TRY(ints(r, "nodes_falsenodeids", n, &no));
    OX_TRY(ints(r, "nodes_trueleafs", n, &yes_leaf));
    OX_TRY(ints(r, "nodes_falseleafs", n, &no_leaf));
    if (ox_attr_given(r, "nodes_missing_value_tracks_true"))
        OX_TRY(ints(r, "nodes_missing_value_tracks_true", n, &missing));
    OX_TRY(tensor_doubles(r, "nodes_splits", &split, &n_split));
    if (n_split != n)
        return OX_FAIL(r->err, OX_E_VALUE, "nodes_splits has %lld entries, expected %lld",
                       (long long)n_split, (long long)n);
    f->n_node = n;
    if (!(f->node = ox_state_alloc(r, (size_t)n + 1, sizeof(*f->node))))
        return OX_NO_MEMORY(r);
    for (int64_t i = 0; i < n; i++) {
        uint8_t m = ((const uint8_t *)mode->data)[i];
        if (m >= OX_ML_N_MODE)
            return OX_FAIL(r->err, OX_E_VALUE, "nodes_modes[%lld] is %d", (long long)i, m);
        f->node[i] = (ox_ml_node){ .split = split[i], .feature = feature[i], .mode = m,
                                   .missing_yes = missing && missing[i] };
        OX_TRY(set_branch(r, f, i, yes[i], yes_leaf[i] != 0, &f->node[i].yes));
        OX_TRY(set_branch(r, f, i, no[i], no_leaf[i] != 0, &f->node[i].no));
    }
    return OX_OK;
}

/* Sets are listed in the order of their nodes, each closed by a NaN. */
static ox_code make_members(ox_run *r, ox_ml_forest *f)
{
    int64_t n, at = 0;
    OX_TRY(tensor_doubles(r, "membership_values", &f->members, &n));
    for (int64_t i = 0; i < f->n_node; i++) {
        ox_ml_node *node = &f->node[i];
        if (node->mode != OX_ML_MEMBER)
            continue;
        int64_t end = at;
        while (end < n && !isnan(f->members[end]))
            end++;
        if (end == n)
            return OX_FAIL(r->err, OX_E_VALUE, "membership_values has no set for node %lld", (long long)i);
        node->member = at;
        node->n_member = end - at;
        at = end + 1;
    }
    if (at != n)
        return OX_FAIL(r->err, OX_E_VALUE, "membership_values has more sets than nodes use");
    return OX_OK;
}

static ox_code prepare_trees(ox_run *r)
{
    state *s = r->state;
    ox_ml_forest *f = &s->f;
    int n_root;
    int64_t aggregate = ox_attr_i64(r, "aggregate_function"), post = ox_attr_i64(r, "post_transform");
    const int64_t *root = ox_attr_i64s(r, "tree_roots", &n_root);
    if (aggregate < OX_ML_AVERAGE || aggregate > OX_ML_MAX || post < 0 || post >= OX_ML_N_POST)
        return OX_FAIL(r->err, OX_E_VALUE, "aggregate_function is %lld, post_transform %lld",
                       (long long)aggregate, (long long)post);
    f->aggregate = (ox_ml_aggregate)aggregate;
    f->post = (ox_ml_post)post;
    OX_TRY(targets_of(r, &f->n_target));
    OX_TRY(make_leaves(r, f));
    OX_TRY(make_nodes(r, f));
    OX_TRY(make_members(r, f));
    f->n_root = n_root;
    if (!(f->root = ox_state_alloc(r, (size_t)n_root + 1, sizeof(*f->root))))
        return OX_NO_MEMORY(r);
    for (int i = 0; i < n_root; i++) {
        if (root[i] < 0 || root[i] >= f->n_node)
            return OX_FAIL(r->err, OX_E_VALUE, "tree_roots[%d] is %lld of %lld nodes", i,
                           (long long)root[i], (long long)f->n_node);
        f->root[i] = root[i];
    }
    return finish_prepare(r, f);
}

OX_OP(TreeEnsemble, 5) .domain = "ai.onnx.ml", .infer = infer_regressor, .prepare = prepare_trees,
    .run_any = run_regressor, .key = OX_KEY_NONE, .state_size = sizeof(state),
    .error = { ERR_SUM, 8 } OX_END;
