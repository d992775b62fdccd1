/* What stands behind a product with constant weights moves into it: MatMul (+ bias) (+ residual)
 * (+ activation), Gemm (+ activation).  The fused node takes the place of the last of them, where every
 * operand is there.  MatMul's inputs 2 and 3 are the bias and the residual (kernels/gemm/op_matmul.c). */
#include "runtime/opt/match.h"

#include <string.h>

typedef struct fused {
    ox_node    *last;
    int         bias, residual;
    const char *act;
    float       alpha, beta;
} fused;

/* Takes over the node behind f->last; false: it cannot. */
static bool take_next(ox_graph *g, bool gemm, int64_t columns, fused *f)
{
    int v = f->last->out[0];
    ox_node *n = ox_only_user(g, v);
    if (!n || f->act)
        return false;
    if (!ox_is_op(n, "Add")) {
        if (n->n_in < 1 || n->in[0] != v || !ox_epilogue_activation(g, n, &f->act, &f->alpha, &f->beta))
            return false;
        f->last = n;
        return true;
    }
    int other = ox_other(n, v);
    const ox_tensor *bias = ox_vector(g, other);
    if (gemm || other < 0 || f->residual >= 0 || (n->schema && n->schema->since < 7))
        return false;
    if (f->bias < 0 && bias && bias->dim[0] == columns)
        f->bias = other;
    else
        f->residual = other;
    f->last = n;
    return true;
}

static ox_code move(ox_session *s, ox_node *product, const fused *f, bool gemm, ox_error *err)
{
    ox_node node = *product;
    const ox_node *last = f->last;
    node.out = last->out;
    node.n_out = last->n_out;
    node.index = last->index;
    bool ok = (gemm || f->bias < 0 || ox_set_input(s, &node, 2, f->bias)) &&
              (f->residual < 0 || ox_set_input(s, &node, 3, f->residual)) &&
              (!f->act || (ox_set_attr_str(s, &node, "onnxrun_activation", f->act) &&
                           ox_set_attr_f32(s, &node, "onnxrun_alpha", f->alpha) &&
                           ox_set_attr_f32(s, &node, "onnxrun_beta", f->beta)));
    if (!ok)
        return OX_FAIL(err, OX_E_NOMEM, "out of memory");
    *f->last = node;
    ox_delete_node(product);
    return OX_OK;
}

ox_code ox_pass_fuse_matmul(ox_session *s, ox_graph *g, ox_error *err)
{
    if (s->options.f64)
        return OX_OK;
    for (size_t k = 0; k < g->n_node; k++) {
        ox_node *n = &g->node[k];
        bool gemm = ox_is_op(n, "Gemm");
        if ((!gemm && !ox_is_op(n, "MatMul")) || n->n_in < 2 || (!gemm && n->n_in > 2) || n->n_out != 1 ||
            ox_node_attr(n, "onnxrun_activation"))
            continue;
        const ox_tensor *w = n->in[1] >= 0 ? g->value[n->in[1]].constant : NULL;
        if (!w || w->dtype != OX_F32 || w->rank != 2)
            continue;
        fused f = { .last = n, .bias = -1, .residual = -1 };
        while (take_next(g, gemm, w->dim[1], &f))
            ;
        if (f.last != n)
            OX_TRY(move(s, n, &f, gemm, err));
    }
    return OX_OK;
}
