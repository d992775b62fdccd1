/* Subgraphs: If, Loop, Scan and SequenceMap call them through op.h. */
#include "runtime/exec/internal.h"

#include <string.h>

static ox_graph *attr_graph(const ox_run *r, const char *name)
{
    const ox_attr *a = ox_node_attr(r->frame->node, name);
    return a && a->kind == OX_ATTR_GRAPH ? a->graph : NULL;
}

int ox_graph_n_in(const ox_run *r, const char *name)
{
    const ox_graph *g = attr_graph(r, name);
    return g ? g->n_in : -1;
}

int ox_graph_n_out(const ox_run *r, const char *name)
{
    const ox_graph *g = attr_graph(r, name);
    return g ? g->n_out : -1;
}

ox_code ox_graph_types(ox_run *r, const char *name, const ox_type *const *in, int n_in,
                       const ox_type **out, int n_out)
{
    const ox_graph *g = attr_graph(r, name);
    (void)in;
    (void)n_in;
    for (int i = 0; i < n_out; i++) {
        const ox_type *t = g && i < g->n_out ? &g->value[g->out[i]].type : NULL;
        out[i] = t && t->kind != OX_NONE ? t : NULL;
    }
    return OX_OK;
}

bool ox_graph_shapes(ox_run *r, const char *name, const ox_tensor **out, int n_out)
{
    ox_graph *g = attr_graph(r, name);
    ox_plan *outer = r->frame->plan, *sub;
    ox_type *signature;
    if (!outer->building || !g || g->n_in || g->n_out != n_out ||
        !(signature = ox_scratch_array(r, g->n_capture + 1, sizeof(*signature))))
        return false;
    for (size_t i = 0; i < g->n_capture; i++) {
        const ox_value *v = &outer->slot[g->capture[i].outer].v;
        if (v->kind != OX_TENSOR || !ox_shape_known(&v->t))
            return false;
        ox_type_of_value(&signature[i], v);
    }
    if (ox_plan_get(outer->session, g, outer, signature, (int)g->n_capture, &sub, NULL) != OX_OK)
        return false;
    for (int i = 0; i < n_out; i++) {
        const ox_value *v = &sub->slot[g->out[i]].v;
        bool plain = v->kind == OX_TENSOR && !sub->slot[g->out[i]].type.optional;
        if (!plain || !ox_shape_known(&v->t) || !v->t.dtype || v->t.dtype == OX_STR)
            return false;
        out[i] = &v->t;
    }
    return true;
}

void ox_type_of_value(ox_type *type, const ox_value *v)
{
    *type = (ox_type){ .kind = v ? v->kind : OX_NONE };
    if (type->kind != OX_TENSOR)
        return;
    type->dtype = v->t.dtype;
    type->rank = v->t.rank;
    memcpy(type->dim, v->t.dim, sizeof(type->dim));
}

/* Tensors are borrowed for the call; counted kinds take a reference. */
ox_code ox_slot_feed(ox_slot *s, const ox_value *v, ox_error *err)
{
    if (s->owned)
        ox_value_release(&s->v);
    s->owned = false;
    if (v->kind == OX_TENSOR) {
        s->v.kind = OX_TENSOR;
        s->v.t = v->t;
        s->v.t.buf = NULL;
        return OX_OK;
    }
    OX_TRY(ox_value_share(&s->v, v, err));
    s->owned = true;
    return OX_OK;
}

static ox_code feed(ox_plan *sub, const ox_plan *outer, const ox_value *in, ox_error *err)
{
    const ox_graph *g = sub->graph;
    for (int i = 0; i < g->n_in; i++)
        OX_TRY(ox_slot_feed(&sub->slot[g->in[i]], &in[i], err));
    for (size_t i = 0; i < g->n_capture; i++) {
        ox_slot *s = &sub->slot[g->capture[i].inner];
        if (s->place != OX_PLACE_CONST)
            OX_TRY(ox_slot_feed(s, &outer->slot[g->capture[i].outer].v, err));
    }
    return OX_OK;
}

ox_code ox_call_graph(ox_run *r, const char *name, ox_value *in, int n_in, ox_value *out, int n_out)
{
    ox_graph *g = attr_graph(r, name);
    if (!g)
        return OX_FAIL(r->err, OX_E_GRAPH, "attribute %s is no graph", name);
    if (n_in != g->n_in || n_out != g->n_out)
        return OX_FAIL(r->err, OX_E_GRAPH, "graph %s has %d inputs and %d outputs, expected %d and %d",
                       name, g->n_in, g->n_out, n_in, n_out);
    ox_plan *outer = r->frame->plan, *sub;
    ox_session *s = outer->session;
    int n = n_in + (int)g->n_capture;
    ox_type *signature = ox_scratch_array(r, (size_t)OX_MAX(n, 1), sizeof(*signature));
    if (!signature)
        return OX_NO_MEMORY(r);
    for (int i = 0; i < n_in; i++)
        ox_type_of_value(&signature[i], &in[i]);
    for (size_t i = 0; i < g->n_capture; i++)
        ox_type_of_value(&signature[n_in + (int)i], &outer->slot[g->capture[i].outer].v);
    OX_TRY(ox_plan_get(s, g, outer, signature, n, &sub, r->err));
    ox_plan_clear(sub);
    ox_code code = feed(sub, outer, in, r->err);
    if (code == OX_OK && s->enter)
        code = s->enter(s->observe_ctx, g, r, NULL);
    if (code == OX_OK)
        code = ox_plan_run(sub, r->err);
    memset(out, 0, (size_t)n_out * sizeof(*out));
    for (int i = 0; i < n_out && code == OX_OK; i++)
        code = ox_value_share(&out[i], &sub->slot[g->out[i]].v, r->err);
    if (code == OX_OK && s->enter)
        code = s->enter(s->observe_ctx, g, r, out);
    for (int i = 0; i < n_out && code != OX_OK; i++)
        ox_value_release(&out[i]);
    return code;
}
