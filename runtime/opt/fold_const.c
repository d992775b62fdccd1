/* Constant folding: what depends on constants alone is computed once, with the ordinary kernels. */
#include "runtime/opt/opt.h"

#include <string.h>

enum { MAX_BYTES = 1 << 30 }; /* of one result: larger ones are made again at each run */

/* Moves one folded output from the plan into the graph. */
static ox_code adopt(ox_session *s, ox_graph *g, ox_slot *slot, int value, ox_error *err)
{
    ox_tensor *t = ox_arena_alloc(s->arena, sizeof(*t));
    if (!t || !ox_session_keep(s, slot->v.t.buf))
        return OX_FAIL(err, OX_E_NOMEM, "out of memory");
    *t = slot->v.t;
    slot->owned = false; /* the session owns the buffer now */
    g->value[value].constant = t;
    g->value[value].type = slot->type;
    return OX_OK;
}

/* What the inputs' declarations decide about types serves the passes to come. */
static void keep_types(ox_session *s, ox_graph *g)
{
    ox_plan *p;
    if (s->options.f64 || ox_plan_declared(s, g, &p, NULL) != OX_OK)
        return; /* the run will say what is wrong */
    for (size_t i = 0; i < g->n_value; i++)
        if (p->slot[i].type.kind == OX_TENSOR && p->slot[i].type.rank >= 0) {
            g->value[i].type = p->slot[i].type;
            g->value[i].inferred = true;
        }
    ox_plan_destroy(p);
}

static ox_code fold(ox_session *s, ox_graph *g, ox_error *err)
{
    if (g->parent)
        return OX_OK; /* a subgraph's captures are known only when its parent's plan is */
    ox_plan *p;
    OX_TRY(ox_plan_folded(s, g, MAX_BYTES, &p, err));
    ox_code code = OX_OK;
    keep_types(s, g);
    for (size_t k = 0; k < p->n_step && code == OX_OK; k++) {
        if (!p->step[k].done)
            continue;
        ox_node *n = &g->node[k];
        bool fixed = true; /* strings made by a kernel live in the run's arena only */
        for (int i = 0; i < n->n_out; i++)
            fixed = fixed && (n->out[i] < 0 || p->slot[n->out[i]].v.t.dtype != OX_STR);
        if (!fixed)
            continue;
        for (int i = 0; i < n->n_out && code == OX_OK; i++)
            if (n->out[i] >= 0)
                code = adopt(s, g, &p->slot[n->out[i]], n->out[i], err);
        ox_delete_node(n);
    }
    ox_plan_destroy(p);
    return code;
}

/* Integer operators are made of quantised weights that are not yet floats: those wait for qdq_rest. */
static ox_code fold_but_quantised(ox_session *s, ox_graph *g, ox_error *err)
{
    s->keep_quantised = s->options.optimize >= 2 && !s->options.f64 && !s->options.float_qdq;
    ox_code code = fold(s, g, err);
    s->keep_quantised = false;
    return code;
}

static bool is_quantised(const ox_graph *g)
{
    for (size_t k = 0; k < g->n_node; k++)
        if (ox_is_op(&g->node[k], "DequantizeLinear"))
            return true;
    return false;
}

ox_code ox_pass_fold_const(ox_session *s, ox_graph *g, ox_error *err) { return fold_but_quantised(s, g, err); }
ox_code ox_pass_qdq_fold(ox_session *s, ox_graph *g, ox_error *err)
{
    return is_quantised(g) ? fold_but_quantised(s, g, err) : OX_OK;
}
ox_code ox_pass_qdq_rest(ox_session *s, ox_graph *g, ox_error *err) { return is_quantised(g) ? fold(s, g, err) : OX_OK; }
