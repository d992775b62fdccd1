/* Attention as exporters write it, softmax(scale Q K' + mask) V, into one node that keeps no matrix of
 * scores.  It takes over
 *   factors of the scores, of Q or of K, whether multiplied or divided by
 *   a mask that is added, or that Where chooses by
 *   a Where that replaces probabilities that are NaN (of a query whose keys are all masked)
 *   the transposition of K, and transpositions between (batch, heads, rows, d) and (batch, rows, heads, d)
 * Nodes that others read too stay; only scores and probabilities must be read by nobody else. */
#include "runtime/opt/match.h"

typedef struct attention {
    int      q, k, v, mask;
    bool     k_rows;
    int64_t  swapped, mask_mode;
    double   scale, fill, instead;
    bool     guarded; /* probabilities that are NaN become `instead` */
    ox_node *last;
} attention;

enum { Q_SWAPPED = 1, K_SWAPPED = 2, V_SWAPPED = 4, Y_SWAPPED = 8 };

static const int swap_heads[] = { 0, 2, 1, 3 };

/* v without factors: *scale takes them. */
static int unscaled(ox_graph *g, int v, double *scale)
{
    for (int from; (from = ox_scaled(g, ox_producer(g, v), scale)) >= 0;)
        v = from;
    return v;
}

/* v before its dimensions 1 and 2 were exchanged, or v. */
static int unswapped(ox_graph *g, int v, int64_t bit, int64_t *swapped)
{
    const ox_node *n = ox_made_by(g, v, "Transpose");
    if (!n || !ox_permutes(n, 4, swap_heads))
        return v;
    *swapped |= bit;
    return n->in[0];
}

static bool same_size(const ox_graph *g, int a, int i, int b, int k)
{
    int64_t n = ox_size(g, a, i);
    return n != OX_DIM_UNKNOWN && n == ox_size(g, b, k);
}

/* v is k with its last two dimensions exchanged, by way of three dimensions. */
static int through_three(ox_graph *g, int v)
{
    const ox_node *to = ox_made_by(g, v, "Reshape"), *turn = to ? ox_made_by(g, to->in[0], "Transpose") : NULL;
    const ox_node *from = turn && ox_permutes(turn, 3, (int[]){ 0, 2, 1 }) ? ox_made_by(g, turn->in[0], "Reshape") : NULL;
    int k = from ? from->in[0] : -1, flat = from ? from->out[0] : -1, rank = ox_rank(g, k);
    if (k < 0 || rank < 2 || ox_rank(g, v) != rank || !same_size(g, k, -1, v, -2) || !same_size(g, k, -2, v, -1) ||
        !same_size(g, k, -1, flat, -1) || !same_size(g, k, -2, flat, -2))
        return -1;
    for (int d = 0; d < rank - 2; d++)
        if (!same_size(g, k, d, v, d))
            return -1;
    return k;
}

/* From K' as the product reads it to K. */
static void read_keys(ox_graph *g, int v, attention *a)
{
    int k;
    v = unscaled(g, v, &a->scale);
    const ox_node *n = ox_made_by(g, v, "Transpose");
    a->k_rows = true;
    if (n && (ox_permutes(n, 4, (int[]){ 0, 1, 3, 2 }) || ox_permutes(n, 3, (int[]){ 0, 2, 1 }))) {
        a->k = unswapped(g, unscaled(g, n->in[0], &a->scale), K_SWAPPED, &a->swapped);
    } else if (n && ox_permutes(n, 4, (int[]){ 0, 2, 3, 1 })) {
        a->swapped |= K_SWAPPED;
        a->k = n->in[0];
    } else if ((k = through_three(g, v)) >= 0) {
        a->k = unswapped(g, unscaled(g, k, &a->scale), K_SWAPPED, &a->swapped);
    } else {
        a->k_rows = false;
        a->k = v;
    }
}

/* The product of v = factor * product; *scale takes the factor. */
static ox_node *scores_of(ox_graph *g, int v, double *scale)
{
    double factor = 1;
    for (int hop = 0; hop < 3 && ox_only_user(g, v); hop++) {
        ox_node *n = ox_made_by(g, v, "MatMul");
        if (n && n->n_in == 2) {
            *scale *= factor;
            return n;
        }
        v = ox_scaled(g, ox_producer(g, v), &factor);
    }
    return NULL;
}

/* The first product, from Softmax's input up. */
static ox_node *read_scores(ox_graph *g, int v, attention *a)
{
    ox_node *n = ox_producer(g, v), *product;
    a->mask = -1;
    if (!ox_only_user(g, v))
        return NULL;
    if (ox_is_op(n, "Add") && n->n_in == 2 && (!n->schema || n->schema->since >= 7)) {
        for (int i = 0; i < 2; i++)
            if ((product = scores_of(g, n->in[i], &a->scale)) != NULL) {
                a->mask = n->in[!i];
                return product;
            }
        return NULL;
    }
    if (ox_is_op(n, "Where") && n->n_in == 3) {
        for (int i = 1; i < 3; i++)
            if (ox_scalar(g, n->in[3 - i], n->in[i], &a->fill) && (product = scores_of(g, n->in[i], &a->scale))) {
                a->mask = n->in[0];
                a->mask_mode = i;
                return product;
            }
        return NULL;
    }
    return scores_of(g, v, &a->scale);
}

static bool over_last(const ox_graph *g, const ox_node *softmax)
{
    bool late = softmax->schema && softmax->schema->since >= 13;
    int64_t axis = ox_int_attr(softmax, "axis", late ? -1 : 1);
    return axis == -1 || (ox_rank(g, softmax->in[0]) > 0 && axis == ox_rank(g, softmax->in[0]) - 1);
}

/* Where(IsNaN(v), instead, v), if nothing else reads v. */
static ox_node *guard_of(ox_graph *g, int v, double *instead)
{
    const ox_info *info = &g->value[v];
    ox_node *n = info->n_uses == 2 && !info->is_output && info->user >= 0 ? &g->node[info->user] : NULL;
    if (ox_is_op(n, "IsNaN"))
        n = ox_only_user(g, n->out[0]);
    const ox_node *test = ox_is_op(n, "Where") && n->n_in == 3 ? ox_made_by(g, n->in[0], "IsNaN") : NULL;
    bool fits = test && test->in[0] == v && ox_only_user(g, test->out[0]) == n && n->in[2] == v;
    return fits && ox_scalar(g, n->in[1], v, instead) ? n : NULL;
}

/* The product with V, behind the guard if there is one. */
static ox_node *second_product(ox_graph *g, int v, attention *a)
{
    const ox_node *guard = guard_of(g, v, &a->instead);
    a->guarded = guard != NULL;
    v = guard ? guard->out[0] : v;
    ox_node *n = ox_only_user(g, v);
    return ox_is_op(n, "MatMul") && n->n_in == 2 && n->in[0] == v ? n : NULL;
}

static bool match(ox_graph *g, const ox_node *softmax, attention *a)
{
    *a = (attention){ .scale = 1 };
    a->last = second_product(g, softmax->out[0], a);
    if (!over_last(g, softmax) || !a->last)
        return false;
    const ox_node *product = read_scores(g, softmax->in[0], a);
    if (!product)
        return false;
    a->q = unswapped(g, unscaled(g, product->in[0], &a->scale), Q_SWAPPED, &a->swapped);
    read_keys(g, product->in[1], a);
    a->v = unswapped(g, a->last->in[1], V_SWAPPED, &a->swapped);
    if (!ox_is_f32(g, a->q) && !ox_is_f32(g, a->v) && !ox_is_f32(g, product->out[0]))
        return false;
    ox_node *turn = ox_only_user(g, a->last->out[0]);
    if (turn && ox_permutes(turn, 4, swap_heads)) {
        a->swapped |= Y_SWAPPED;
        a->last = turn;
    }
    return a->q != softmax->out[0] && a->scale != 0;
}

ox_code ox_pass_fuse_attention(ox_session *s, ox_graph *g, ox_error *err)
{
    if (s->options.f64)
        return OX_OK;
    for (size_t i = 0; i < g->n_node; i++) {
        attention a;
        if (!ox_is_op(&g->node[i], "Softmax") || g->node[i].n_out != 1 || !match(g, &g->node[i], &a))
            continue;
        const int in[4] = { a.q, a.k, a.v, a.mask };
        ox_node *y = a.last;
        if (!ox_become(s, y, "onnxrun", "FusedAttention", 1, in, a.mask >= 0 ? 4 : 3))
            continue;
        if (!ox_set_attr_f32(s, y, "scale", (float)a.scale) || !ox_set_attr_f32(s, y, "fill", (float)a.fill) ||
            !ox_set_attr_i64(s, y, "swapped", a.swapped) || !ox_set_attr_i64(s, y, "k_rows", a.k_rows) ||
            !ox_set_attr_i64(s, y, "mask", a.mask_mode) ||
            (a.guarded && !ox_set_attr_f32(s, y, "if_nan", (float)a.instead)))
            return OX_FAIL(err, OX_E_NOMEM, "out of memory");
    }
    return OX_OK;
}
