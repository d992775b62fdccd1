/* Functions of one 8-bit number are tables of 256 bytes.
 *
 * Every value that elementwise operators compute from one dequantised 8-bit value and scalar
 * constants, through further pairs of QuantizeLinear and DequantizeLinear too, is a function of
 * that value alone.  Where it is quantised again, the function is computed for all 256 numbers with
 * the ordinary kernels: the result is bit by bit that of the graph as written. */
#include "runtime/opt/qdq.h"

#include <string.h>

static bool is_elementwise(const ox_node *n)
{
    static const char *const names[] = {
        "Abs",       "Add",        "Cast", "Ceil",  "Celu",  "Clip",        "Div",
        "Elu",       "Erf",        "Exp",  "Floor", "Gelu",  "HardSigmoid", "HardSwish",
        "LeakyRelu", "Log",        "Max",  "Min",   "Mish",  "Mul",         "Neg",
        "Pow",       "Reciprocal", "Relu", "Round", "Selu",  "Sigmoid",     "Sign",
        "Softplus",  "Softsign",   "Sqrt", "Sub",   "Swish", "Tanh",        "ThresholdedRelu",
    };
    for (size_t i = 0; i < OX_COUNT(names); i++)
        if (ox_is_op(n, names[i]))
            return n->n_out == 1 && (!n->schema || n->schema->since >= 6);
    return false;
}

typedef struct tables {
    ox_graph *g;
    int *source; /* of each value: the 8-bit value it is a function of; -1: none */
    bool *found; /* of each value: it is quantised here */
    size_t n;
} tables;

/* The one source of n's inputs, where all others are constants of one element; -1: there is none.
 */
static int common_source(const tables *t, const ox_node *n)
{
    int source = -1;
    for (int i = 0; i < n->n_in; i++) {
        int v = n->in[i];
        if (v < 0)
            continue;
        const ox_tensor *c = t->g->value[v].constant;
        if (c && ox_count(c) == 1 && (c->rank == 0 || c->rank <= ox_rank(t->g, n->out[0])))
            continue;
        if (c || t->source[v] < 0 || (source >= 0 && source != t->source[v]))
            return -1;
        source = t->source[v];
    }
    return source;
}

static void find(tables *t)
{
    ox_graph *g = t->g;
    for (size_t k = 0; k < g->n_node; k++) {
        const ox_node *n = &g->node[k];
        ox_quant q;
        if (!n->op_type || n->n_out < 1 || n->out[0] < 0)
            continue;
        int y = n->out[0];
        if (ox_is_op(n, "DequantizeLinear")) {
            if (ox_dequantised(g, y, &q) && !g->value[q.x].constant)
                t->source[y] = t->source[q.x] >= 0 ? t->source[q.x] : q.x;
        } else if (ox_quantises(g, n, &q)) {
            t->source[y] = t->source[n->in[0]];
            t->found[y] = t->source[y] >= 0;
            t->n += t->found[y];
        } else if (is_elementwise(n)) {
            t->source[y] = common_source(t, n);
        }
    }
}

/* All 256 numbers of the type that x has. */
static ox_code all_numbers(ox_arena *a, ox_graph *c, int x, ox_dtype dtype, ox_error *err)
{
    static const int64_t n = 256;
    ox_tensor *all = ox_arena_alloc(a, sizeof(*all));
    uint8_t *data = ox_arena_alloc(a, (size_t)n);
    if (!all || !data)
        return OX_FAIL(err, OX_E_NOMEM, "out of memory");
    for (int i = 0; i < n; i++)
        data[i] = (uint8_t)i;
    *all = (ox_tensor){ .dtype = dtype, .rank = 1, .dim = { n }, .data = data };
    c->value[x].constant = all;
    c->value[x].type = (ox_type){ .kind = OX_TENSOR, .dtype = dtype, .rank = 1, .dim = { n } };
    return OX_OK;
}

/* A copy of the graph that holds nothing but the functions, with all 256 numbers for their
 * arguments. */
static ox_code reduce(const tables *t, ox_arena *a, ox_graph **out, ox_error *err)
{
    ox_graph *c = ox_graph_clone(a, t->g, NULL);
    int *outs = ox_arena_array(a, t->n + 1, sizeof(*outs));
    if (!c || !outs)
        return OX_FAIL(err, OX_E_NOMEM, "out of memory");
    c->n_in = c->n_overridable = c->n_out = 0;
    c->n_capture = 0;
    c->out = outs;
    for (size_t v = 0; v < c->n_value; v++) {
        c->value[v].is_output = c->value[v].is_input = false;
        c->value[v].inferred = false;
    }
    for (size_t k = 0; k < c->n_node; k++) {
        ox_node *n = &c->node[k];
        ox_quant q;
        int y = n->op_type && n->n_out > 0 ? n->out[0] : -1;
        if (y < 0 || t->source[y] < 0) {
            ox_delete_node(n);
            continue;
        }
        if (ox_is_op(n, "DequantizeLinear") && ox_dequantised(t->g, y, &q) && t->source[q.x] < 0)
            OX_TRY(all_numbers(a, c, q.x, q.dtype, err));
        if (t->found[y]) {
            outs[c->n_out++] = y;
            c->value[y].is_output = true;
        }
    }
    ox_graph_link(c);
    ox_graph_prune(c);
    ox_graph_link(c);
    *out = c;
    return OX_OK;
}

/* y becomes table[x]. */
static ox_code look_up(ox_session *s, ox_graph *g, int y, int x, const ox_tensor *values,
                       ox_error *err)
{
    ox_tensor table;
    ox_node *n = ox_producer(g, y);
    OX_TRY(ox_tensor_clone(&table, values, err));
    int v = ox_add_constant(s, g, ox_arena_printf(s->arena, "%s/table", g->value[y].name), &table);
    if (v < 0 || !ox_become(s, n, "onnxrun", "QTable", 1, (int[]){ x, v }, 2))
        return OX_FAIL(err, OX_E_NOMEM, "out of memory");
    return OX_OK;
}

static bool is_identity(const ox_tensor *table)
{
    for (int i = 0; i < 256; i++)
        if (((const uint8_t *)table->data)[i] != i)
            return false;
    return true;
}

static ox_code use(ox_session *s, const tables *t, const ox_graph *c, const ox_plan *p,
                   ox_error *err)
{
    ox_graph *g = t->g;
    int *to = ox_arena_array(s->arena, g->n_value + t->n + 1, sizeof(*to));
    size_t n_value = g->n_value;
    if (!to)
        return OX_FAIL(err, OX_E_NOMEM, "out of memory");
    for (size_t i = 0; i < n_value + t->n; i++)
        to[i] = (int)i;
    for (int i = 0; i < c->n_out; i++) {
        int y = c->out[i], x = t->source[y];
        const ox_tensor *values = &p->slot[y].v.t;
        ox_dtype dtype = c->value[x].type.dtype;
        if (!values->data || ox_count(values) != 256 || ox_dtype_size(values->dtype) != 1)
            continue;
        if (values->dtype == dtype && is_identity(values) && !g->value[y].is_output)
            to[y] = x;
        else
            OX_TRY(look_up(s, g, y, x, values, err));
    }
    ox_replace_values(g, to);
    return OX_OK;
}

ox_code ox_pass_qdq_table(ox_session *s, ox_graph *g, ox_error *err)
{
    if (s->options.f64 || s->options.float_qdq || g->parent)
        return OX_OK;
    ox_arena *a = ox_arena_create(0);
    tables t = { .g = g,
                 .source = a ? ox_arena_array(a, g->n_value + 1, sizeof(int)) : NULL,
                 .found = a ? ox_arena_array(a, g->n_value + 1, sizeof(bool)) : NULL };
    ox_graph *c = NULL;
    ox_plan *p = NULL;
    ox_code code = t.source && t.found ? OX_OK : OX_FAIL(err, OX_E_NOMEM, "out of memory");
    if (code == OX_OK) {
        for (size_t i = 0; i < g->n_value; i++) {
            t.source[i] = -1;
            t.found[i] = false;
        }
        find(&t);
        if (t.n)
            code = reduce(&t, a, &c, err);
    }
    /* what cannot be computed now stays as it is */
    if (code == OX_OK && c && ox_plan_folded(s, c, 1 << 20, &p, NULL) == OX_OK)
        code = use(s, &t, c, p, err);
    ox_plan_destroy(p);
    ox_arena_destroy(a);
    return code;
}
