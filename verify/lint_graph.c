/* Checks of a graph: its constants, its inputs, what nobody uses, what the file declares. */
#include "verify/lint.h"

#include "runtime/graph/names.h"
#include "runtime/load/load.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- constants ---- */

/* Value v of this graph if it is a constant made here; NULL. */
static const ox_tensor *own_constant(const ox_graph *g, size_t v)
{
    const ox_info *info = &g->value[v];
    const ox_tensor *t = info->constant || info->producer >= 0 ? ox_lint_constant(g, (int)v) : NULL;
    return t && t->data && ox_count(t) > 0 ? t : NULL;
}

typedef struct survey {
    int64_t n_nan, n_large, n_vanish;
    double  largest, smallest;
} survey;

/* In blocks, so that a weight of any type is read once as doubles. */
static survey survey_of(const ox_tensor *t)
{
    enum { BLOCK = 256 };
    survey s = { .smallest = INFINITY };
    double v[BLOCK];
    size_t n = (size_t)ox_count(t), size = ox_dtype_size(t->dtype);
    for (size_t i = 0; i < n; i += BLOCK) {
        size_t m = OX_MIN(n - i, (size_t)BLOCK);
        ox_to_f64(v, (const char *)t->data + i * size, t->dtype, m);
        for (size_t j = 0; j < m; j++) {
            double a = fabs(v[j]);
            s.n_nan += isnan(a);
            if (a >= 65520 && isfinite(a)) { /* what rounds beyond 65504 */
                s.n_large++;
                s.largest = fmax(s.largest, a);
            } else if (a > 0 && a <= 0x1p-25) {
                s.n_vanish++;
                s.smallest = fmin(s.smallest, a);
            }
        }
    }
    return s;
}

static bool wider_than_f16(ox_dtype t) { return t == OX_F32 || t == OX_F64 || t == OX_BF16; }

bool ox_lint_nan_constant(ox_look *k)
{
    for (size_t v = 0; v < k->g->n_value; v++) {
        const ox_tensor *t = own_constant(k->g, v);
        int64_t n = t && ox_is_float(t->dtype) ? survey_of(t).n_nan : 0;
        if (n == 0)
            continue;
        ox_lint_detail(k, "%lld of %lld elements", (long long)n, (long long)ox_count(t));
        ox_lint_add(k, NULL, NULL, k->g->value[v].name);
    }
    return false;
}

bool ox_lint_float16_range(ox_look *k)
{
    for (size_t v = 0; v < k->g->n_value; v++) {
        const ox_tensor *t = own_constant(k->g, v);
        survey s = t && wider_than_f16(t->dtype) ? survey_of(t) : (survey){ 0 };
        if (s.n_large == 0)
            continue;
        ox_lint_detail(k, "%lld of %lld elements, the largest %g", (long long)s.n_large,
                       (long long)ox_count(t), s.largest);
        ox_lint_add(k, NULL, NULL, k->g->value[v].name);
    }
    return false;
}

/* Weights near 0 lose nothing that matters; what stands alone is an epsilon or a scale. */
bool ox_lint_float16_vanishes(ox_look *k)
{
    for (size_t v = 0; v < k->g->n_value; v++) {
        const ox_tensor *t = own_constant(k->g, v);
        bool small = t && ox_count(t) == 1 && wider_than_f16(t->dtype);
        survey s = small ? survey_of(t) : (survey){ 0 };
        if (s.n_vanish == 0)
            continue;
        ox_lint_detail(k, "%g", s.smallest);
        ox_lint_add(k, NULL, NULL, k->g->value[v].name);
    }
    return false;
}

/* "To the end" of a Slice is written as the largest integer, and everybody clamps it. */
static bool means_the_end(const ox_graph *g, const ox_info *info, int64_t x)
{
    bool end = x >= INT64_MAX - 1 || x <= INT64_MIN + 1;
    /* without a user in this graph it is for a subgraph, which is not followed */
    return end && (info->user < 0 || strcmp(g->node[info->user].op_type, "Slice") == 0);
}

bool ox_lint_int32_range(ox_look *k)
{
    for (size_t v = 0; v < k->g->n_value; v++) {
        const ox_tensor *t = own_constant(k->g, v);
        for (int64_t i = 0; t && t->dtype == OX_I64 && i < ox_count(t); i++) {
            int64_t x = ox_get_i64(t, i);
            if ((x >= INT32_MIN && x <= INT32_MAX) || means_the_end(k->g, &k->g->value[v], x))
                continue;
            ox_lint_detail(k, "%lld", (long long)x);
            ox_lint_add(k, NULL, NULL, k->g->value[v].name);
            break;
        }
    }
    return false;
}

bool ox_lint_double_weights(ox_look *k)
{
    for (size_t v = 0; v < k->g->n_value; v++) {
        const ox_tensor *t = own_constant(k->g, v);
        if (t && t->dtype == OX_F64)
            ox_lint_add(k, NULL, NULL, k->g->value[v].name);
    }
    return false;
}

/* ---- the same twice ---- */

static int by_contents(const void *a, const void *b)
{
    const ox_info *const *pa = a, *const *pb = b;
    const ox_tensor *x = (*pa)->constant, *y = (*pb)->constant;
    if (x->dtype != y->dtype)
        return x->dtype < y->dtype ? -1 : 1;
    if (x->rank != y->rank)
        return x->rank < y->rank ? -1 : 1;
    int shape = memcmp(x->dim, y->dim, (size_t)x->rank * sizeof(*x->dim));
    return shape ? shape : memcmp(x->data, y->data, ox_bytes(x));
}

/* Small ones are the same by chance. */
static bool worth_comparing(const ox_info *info)
{
    const ox_tensor *t = info->constant;
    return t && info->from_initializer && t->data && t->dtype != OX_STR && ox_bytes(t) >= 256;
}

bool ox_lint_duplicate_initializer(ox_look *k)
{
    const ox_graph *g = k->g;
    const ox_info **list = ox_arena_array(k->l->arena, g->n_value + 1, sizeof(*list));
    size_t n = 0;
    k->failed |= !list;
    for (size_t v = 0; list && v < g->n_value; v++)
        if (worth_comparing(&g->value[v]))
            list[n++] = &g->value[v];
    if (n > 1)
        qsort(list, n, sizeof(*list), by_contents);
    for (size_t i = 1; i < n; i++)
        if (by_contents(&list[i - 1], &list[i]) == 0) {
            ox_lint_detail(k, "as %.120s", list[i - 1]->name);
            ox_lint_add(k, NULL, NULL, list[i]->name);
        }
    return false;
}

bool ox_lint_duplicate_node_name(ox_look *k)
{
    ox_names seen;
    ox_names_init(&seen, k->l->arena);
    for (size_t i = 0; i < k->g->n_node && !k->failed; i++) {
        const ox_node *n = &k->g->node[i];
        int first = ox_names_get(&seen, n->name, -1);
        if (first >= 0)
            ox_lint_add(k, n->name, n->op_type, NULL);
        else
            k->failed |= !ox_names_put(&seen, n->name, (int)i);
    }
    return false;
}

/* ---- what nobody uses ---- */

bool ox_lint_unused_input(ox_look *k)
{
    for (int i = 0; i < k->g->n_in && !k->g->parent; i++)
        if (k->g->value[k->g->in[i]].n_uses == 0)
            ox_lint_add(k, NULL, NULL, k->g->value[k->g->in[i]].name);
    return false;
}

bool ox_lint_unused_initializer(ox_look *k)
{
    for (size_t v = 0; v < k->g->n_value; v++)
        if (k->g->value[v].from_initializer && k->g->value[v].n_uses == 0)
            ox_lint_add(k, NULL, NULL, k->g->value[v].name);
    return false;
}

static bool useless(const ox_node *n, const int *uses)
{
    for (int i = 0; i < n->n_out; i++)
        if (n->out[i] >= 0 && uses[n->out[i]] > 0)
            return false;
    return true;
}

/* From the end, so that what only dead nodes read is dead too. */
bool ox_lint_dead_node(ox_look *k)
{
    const ox_graph *g = k->g;
    int *uses = ox_arena_array(k->l->arena, g->n_value + 1, sizeof(*uses));
    k->failed |= !uses;
    for (size_t v = 0; uses && v < g->n_value; v++)
        uses[v] = g->value[v].n_uses;
    for (size_t i = g->n_node; uses && i-- > 0;) {
        const ox_node *n = &g->node[i];
        if (!useless(n, uses))
            continue;
        ox_lint_add(k, n->name, n->op_type, NULL);
        for (int j = 0, v; (v = ox_node_read(n, j)) != OX_NO_MORE; j++)
            if (v >= 0)
                uses[v]--;
    }
    return false;
}

/* ---- what the file declares ---- */

bool ox_lint_baked_batch_input(ox_look *k)
{
    for (int i = 0; i < k->g->n_in && !k->g->parent; i++) {
        const ox_info *info = &k->g->value[k->g->in[i]];
        if (info->type.kind == OX_TENSOR && info->type.rank >= 2 && info->type.dim[0] == 1)
            ox_lint_add(k, NULL, NULL, info->name);
    }
    return false;
}

static bool imports(const ox_model *m, const char *domain)
{
    for (int i = 0; i < m->n_opset; i++)
        if (strcmp(m->opset[i].domain, domain) == 0)
            return true;
    return false;
}

/* Bodies of functions have imports of their own, which are gone after loading. */
bool ox_lint_opset_missing(ox_look *k)
{
    const char *last = NULL;
    for (size_t i = 0; i < k->g->n_node && k->m->n_function == 0; i++) {
        const ox_node *n = &k->g->node[i];
        if (imports(k->m, n->domain) || (last && strcmp(last, n->domain) == 0))
            continue;
        last = n->domain;
        ox_lint_detail(k, "%.60s, version %d assumed", *last ? last : "ai.onnx", n->opset);
        ox_lint_add(k, n->name, n->op_type, NULL);
    }
    return false;
}

static bool uses_domain(const ox_graph *g, const char *domain)
{
    for (size_t i = 0; i < g->n_node; i++) {
        const ox_node *n = &g->node[i];
        if (strcmp(n->domain, domain) == 0)
            return true;
        for (int j = 0; j < n->n_attr; j++)
            if (n->attr[j].graph && uses_domain(n->attr[j].graph, domain))
                return true;
    }
    return false;
}

bool ox_lint_opset_unused(ox_look *k)
{
    for (int i = 0; i < k->m->n_opset && !k->g->parent && k->m->n_function == 0; i++) {
        const ox_opset *o = &k->m->opset[i];
        if (!*o->domain || uses_domain(k->g, o->domain))
            continue; /* every exporter imports ai.onnx */
        ox_lint_detail(k, "%.100s %d", o->domain, o->version);
        ox_lint_add(k, NULL, NULL, NULL);
    }
    return false;
}

bool ox_lint_ir_version(ox_look *k)
{
    for (int i = 0; i < k->m->n_opset && !k->g->parent; i++) {
        const ox_opset *o = &k->m->opset[i];
        int wanted = *o->domain ? 0 : ox_ir_of_opset(o->version);
        if (k->m->ir_version >= wanted)
            continue;
        ox_lint_detail(k, "IR version %d, opset %d came with %d", k->m->ir_version, o->version, wanted);
        ox_lint_add(k, NULL, NULL, NULL);
    }
    return false;
}

bool ox_lint_ir_initializer(ox_look *k)
{
    for (size_t v = 0; v < k->g->n_value && k->m->ir_version < 4 && !k->g->parent; v++) {
        const ox_info *info = &k->g->value[v];
        if (!info->from_initializer || info->is_input)
            continue;
        ox_lint_detail(k, "IR version %d", k->m->ir_version);
        ox_lint_add(k, NULL, NULL, info->name);
        break;
    }
    return false;
}
