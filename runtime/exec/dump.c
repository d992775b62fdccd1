/* What each stage made of a model, as text. */
#include "runtime/exec/internal.h"

#include <string.h>

/* Declared types of the main graph, inferred as far as symbols allow. */
static ox_code infer_declared(ox_session *s, ox_error *err)
{
    ox_plan *p;
    OX_TRY(ox_plan_declared(s, s->graph, &p, err));
    for (size_t i = 0; i < s->graph->n_value; i++)
        if (p->slot[i].type.kind != OX_NONE)
            s->graph->value[i].type = p->slot[i].type;
    ox_plan_destroy(p);
    return OX_OK;
}

static const char *place_name(const ox_plan *p, const ox_slot *s)
{
    static const char *const names[] = { "run time", "constant", "input", "slab", "view" };
    (void)p;
    return names[s->place];
}

static void dump_step(const ox_plan *p, const ox_step *t, FILE *to)
{
    const ox_node *n = t->frame.node;
    char text[256];
    fprintf(to, "%-32s %-20s %-22s %s%s", n->name, n->op_type,
            t->run.kernel ? t->run.kernel : t->is_view ? "(view)" : t->done ? "(folded)" : "-",
            t->is_static ? "static" : t->done ? "done" : "dynamic", t->wide ? " widened" : "");
    for (int i = 0; i < n->n_out; i++) {
        if (n->out[i] < 0)
            continue;
        const ox_slot *s = &p->slot[n->out[i]];
        fprintf(to, "  %s %s %s", p->graph->value[n->out[i]].name,
                ox_type_text(text, sizeof(text), &s->type), place_name(p, s));
        if (s->place == OX_PLACE_SLAB)
            fprintf(to, "+%zu%s", ox_slot_offset(p, n->out[i]),
                    s->root == n->out[i] ? "" : s->bytes == p->slot[s->root].bytes ? " in place" : " in a part");
    }
    fputc('\n', to);
}

static void dump_plan(const ox_session *s, FILE *to)
{
    const ox_plan *p = s->current;
    fprintf(to, "slab %zu bytes, live set at least %zu, %lld flops\n", p->memory.slab, p->memory.live_bound,
            (long long)p->memory.flops);
    for (size_t k = 0; k < p->n_step; k++)
        dump_step(p, &p->step[k], to);
}

ox_code ox_session_dump(ox_session *s, const char *stage, FILE *to, ox_error *err)
{
    if (strcmp(stage, "load") == 0) {
        ox_graph_dump(s->model->graph, to);
    } else if (strcmp(stage, "infer") == 0) {
        OX_TRY(infer_declared(s, err));
        ox_graph_dump(s->graph, to);
    } else if (strcmp(stage, "opt") == 0) {
        ox_graph_dump(s->graph, to);
    } else if (strcmp(stage, "plan") == 0) {
        if (!s->current)
            return OX_FAIL(err, OX_E_USAGE, "the plan stage needs inputs or their shapes");
        dump_plan(s, to);
    } else {
        return OX_FAIL(err, OX_E_USAGE, "no stage '%s': load, infer, opt, plan", stage);
    }
    return OX_OK;
}
