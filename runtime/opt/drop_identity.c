/* Nodes that hand their input on: Identity, Dropout at inference, Cast to the type it has. */
#include "runtime/opt/opt.h"

#include <stdlib.h>

static bool is_identity(const ox_graph *g, const ox_node *n)
{
    if (n->n_in < 1 || n->in[0] < 0 || n->n_out < 1 || n->out[0] < 0)
        return false;
    const ox_info *x = &g->value[n->in[0]];
    if (ox_is_op(n, "Identity"))
        return true;
    if (ox_is_op(n, "Dropout")) {
        bool mask_used = n->n_out > 1 && n->out[1] >= 0 && g->value[n->out[1]].n_uses > 0;
        const ox_attr *is_test = ox_node_attr(n, "is_test");
        bool training = n->schema && (n->schema->since < 7 ? !is_test || !is_test->i
                                                           : n->n_in > 2 && n->in[2] >= 0);
        return !mask_used && !training;
    }
    const ox_attr *to = ox_is_op(n, "Cast") ? ox_node_attr(n, "to") : NULL;
    return to && to->kind == OX_ATTR_INT && x->constant && (int64_t)x->constant->dtype == to->i;
}

ox_code ox_pass_drop_identity(ox_session *s, ox_graph *g, ox_error *err)
{
    int *to = malloc((g->n_value + 1) * sizeof(*to));
    (void)s;
    if (!to)
        return OX_FAIL(err, OX_E_NOMEM, "out of memory");
    for (size_t i = 0; i < g->n_value; i++)
        to[i] = (int)i;
    for (size_t k = 0; k < g->n_node; k++) { /* in topological order: to[] of the input is final */
        ox_node *n = &g->node[k];
        if (!n->op_type || !is_identity(g, n) || g->value[n->out[0]].is_output)
            continue;
        to[n->out[0]] = to[n->in[0]];
        ox_delete_node(n);
    }
    ox_replace_values(g, to);
    free(to);
    return OX_OK;
}
