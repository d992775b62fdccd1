/* Decision trees as an array of nodes, whichever operator they come from. */
#ifndef OX_ML_FOREST_H
#define OX_ML_FOREST_H

#include "kernels/ml/ml.h"

typedef enum ox_ml_mode {
    OX_ML_LEQ,
    OX_ML_LT,
    OX_ML_GTE,
    OX_ML_GT,
    OX_ML_EQ,
    OX_ML_NEQ,
    OX_ML_MEMBER,
    OX_ML_N_MODE,
    OX_ML_LEAF
} ox_ml_mode;

typedef enum ox_ml_aggregate { OX_ML_AVERAGE, OX_ML_SUM, OX_ML_MIN, OX_ML_MAX } ox_ml_aggregate;

/* yes, no: a node's index, or -1 - the index of a leaf. */
typedef struct ox_ml_node {
    double   split;
    int64_t  feature, yes, no;
    int64_t  member, n_member; /* OX_ML_MEMBER: its range of forest.members */
    uint8_t  mode;
    bool     missing_yes;
} ox_ml_node;

typedef struct ox_ml_leaf { int64_t first, n; } ox_ml_leaf; /* range of votes */
typedef struct ox_ml_vote { int64_t target; double weight; } ox_ml_vote;

typedef struct ox_ml_forest {
    ox_ml_node    *node;   int64_t n_node;
    ox_ml_leaf    *leaf;   int64_t n_leaf;
    ox_ml_vote    *vote;   int64_t n_vote;
    int64_t       *root;   int64_t n_root; /* like yes and no */
    const double  *members;
    const double  *base;   int64_t n_base;
    int64_t        n_target, width; /* width: greatest feature number + 1 */
    ox_ml_aggregate aggregate;
    ox_ml_post      post;
} ox_ml_forest;

/* The attributes nodes_*, and votes named <votes>_treeids, _nodeids, _ids, _weights. */
ox_code ox_ml_forest_of_lists(ox_run *r, ox_ml_forest *f, const char *votes) OX_MUST_CHECK;
/* Fails on a path that comes back to its start; sets width. */
ox_code ox_ml_forest_check(ox_run *r, ox_ml_forest *f) OX_MUST_CHECK;
/* Votes of all trees for one row, aggregated into y[n_target]; base values are not added. */
void ox_ml_forest_row(const ox_ml_forest *f, const double *x, double *y);

#endif
