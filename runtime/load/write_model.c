/* Part of a graph to the bytes of a model.  Values keep their names; what a subgraph captures has the
 * name of the outer value, as ONNX's scoping wants it. */
#include "runtime/load/write.h"

#include <limits.h>
#include <string.h>

enum { LEAST_IR = 8, MOST_IR = 14 };

int ox_ir_of_opset(int opset)
{
    static const struct { int opset, ir; } since[] = {
        {28, 14}, {25, 13}, {24, 12}, {23, 11}, {21, 10}, {19, 9},
        {15, 8},  {12, 7},  {11, 6},  {10, 5},  {9, 4},   {1, 3},
    };
    for (size_t i = 0; i < OX_COUNT(since); i++)
        if (opset >= since[i].opset)
            return since[i].ir;
    return 0;
}

typedef struct model_writer {
    ox_writer     w;
    const ox_cut *c;
    ox_names      opset; /* domain -> version */
    OxPb__OperatorSetIdProto **import;
    size_t        n_import, cap_import;
} model_writer;

static void *fail(model_writer *m, ox_code code, const char *what, const char *name)
{
    m->w.code = OX_FAIL(m->w.err, code, "%s '%.200s' cannot be written to a model", what, name);
    return NULL;
}

/* protobuf-c's strings are not const, and never written to. */
static char *text(const char *s) { return (char *)(uintptr_t)s; }

/* ---- types ---- */

static OxPb__TensorShapeProto *make_shape(model_writer *m, const ox_type *t)
{
    OxPb__TensorShapeProto *p = ox_arena_alloc(m->w.a, sizeof *p);
    size_t n = (size_t)OX_MAX(t->rank, 0);
    if (!p || !(p->dim = ox_arena_array(m->w.a, n + 1, sizeof(*p->dim))))
        return ox_write_no_memory(&m->w);
    OxPb__TensorShapeProto__Dimension **dims = p->dim;
    ox_pb__tensor_shape_proto__init(p);
    p->dim = dims;
    p->n_dim = n;
    for (size_t i = 0; i < n; i++) {
        OxPb__TensorShapeProto__Dimension *d = dims[i] = ox_arena_alloc(m->w.a, sizeof *d);
        if (!d)
            return ox_write_no_memory(&m->w);
        ox_pb__tensor_shape_proto__dimension__init(d);
        d->has_dim_value = t->dim[i] >= 0;
        d->dim_value = OX_MAX(t->dim[i], (int64_t)0);
        if (t->dim[i] < OX_DIM_UNKNOWN)
            d->dim_param = text(ox_model_symbol_name(m->c->g->model, t->dim[i]));
    }
    return p;
}

static OxPb__TypeProto *make_type(model_writer *m, const ox_type *t);

static OxPb__TypeProto *make_optional_type(model_writer *m, const ox_type *t)
{
    OxPb__TypeProto *p = ox_arena_alloc(m->w.a, sizeof *p);
    OxPb__TypeProto__Optional *o = ox_arena_alloc(m->w.a, sizeof *o);
    ox_type of = *t;
    if (!p || !o)
        return ox_write_no_memory(&m->w);
    ox_pb__type_proto__init(p);
    ox_pb__type_proto__optional__init(o);
    of.optional = false;
    p->optional_type = o;
    o->elem_type = make_type(m, &of);
    return o->elem_type ? p : NULL;
}

static bool tensor_type(model_writer *m, const ox_type *t, OxPb__TypeProto *p)
{
    OxPb__TypeProto__Tensor *of = ox_arena_alloc(m->w.a, sizeof *of);
    if (!of)
        return ox_write_no_memory(&m->w);
    ox_pb__type_proto__tensor__init(of);
    of->has_elem_type = 1;
    of->elem_type = (int32_t)t->dtype;
    p->tensor_type = of;
    return t->rank < 0 || (of->shape = make_shape(m, t)) != NULL;
}

static bool sequence_type(model_writer *m, const ox_type *t, OxPb__TypeProto *p)
{
    OxPb__TypeProto__Sequence *of = ox_arena_alloc(m->w.a, sizeof *of);
    if (!of)
        return ox_write_no_memory(&m->w);
    ox_pb__type_proto__sequence__init(of);
    p->sequence_type = of;
    return t->elem && (of->elem_type = make_type(m, t->elem)) != NULL;
}

static bool map_type(model_writer *m, const ox_type *t, OxPb__TypeProto *p)
{
    OxPb__TypeProto__Map *of = ox_arena_alloc(m->w.a, sizeof *of);
    ox_type scalar = {.kind = OX_TENSOR, .dtype = t->dtype};
    if (!of)
        return ox_write_no_memory(&m->w);
    ox_pb__type_proto__map__init(of);
    of->has_key_type = 1;
    of->key_type = (int32_t)t->key;
    p->map_type = of;
    return (of->value_type = make_type(m, t->elem ? t->elem : &scalar)) != NULL;
}

static OxPb__TypeProto *make_type(model_writer *m, const ox_type *t)
{
    OxPb__TypeProto *p = ox_arena_alloc(m->w.a, sizeof *p);
    if (!p)
        return ox_write_no_memory(&m->w);
    if (t->optional)
        return make_optional_type(m, t);
    ox_pb__type_proto__init(p);
    bool done = t->kind == OX_TENSOR ? tensor_type(m, t, p)
              : t->kind == OX_SEQUENCE ? sequence_type(m, t, p)
              : t->kind == OX_MAP ? map_type(m, t, p) : false;
    if (!done && m->w.code == OX_OK)
        return fail(m, OX_E_UNSUPPORTED, "a value of type", t->kind == OX_SPARSE ? "sparse" : "?");
    return done ? p : NULL;
}

static OxPb__ValueInfoProto *make_value(model_writer *m, const char *name, const ox_type *t)
{
    OxPb__ValueInfoProto *p = ox_arena_alloc(m->w.a, sizeof *p);
    if (!p)
        return ox_write_no_memory(&m->w);
    ox_pb__value_info_proto__init(p);
    p->name = text(name);
    bool known = t->kind == OX_TENSOR || t->kind == OX_SEQUENCE || t->kind == OX_MAP;
    if (known && !(p->type = make_type(m, t)))
        return NULL;
    return p; /* inside subgraphs types may be left to inference */
}

/* ---- nodes ---- */

/* Values of subgraphs that captures bring in have the outer value's name. */
static const char *name_of(const ox_graph *g, int v)
{
    for (size_t i = 0; i < g->n_capture; i++)
        if (g->capture[i].inner == v)
            return name_of(g->parent, g->capture[i].outer);
    return g->value[v].name;
}

static bool set_names(model_writer *m, const ox_graph *g, const int *v, int n, char ***out)
{
    *out = ox_arena_array(m->w.a, (size_t)n + 1, sizeof(**out));
    for (int i = 0; *out && i < n; i++)
        (*out)[i] = text(v[i] < 0 ? "" : name_of(g, v[i]));
    return *out || ox_write_no_memory(&m->w);
}

static OxPb__GraphProto *make_subgraph(model_writer *m, const ox_graph *g);

static bool set_lists(model_writer *m, const ox_attr *a, OxPb__AttributeProto *p)
{
    size_t n = (size_t)a->n;
    if (a->kind == OX_ATTR_FLOATS) {
        p->n_floats = n;
        p->floats = a->floats;
    } else if (a->kind == OX_ATTR_INTS) {
        p->n_ints = n;
        p->ints = a->ints;
    } else {
        p->n_strings = n;
        return (p->strings = ox_write_strings(&m->w, a->strs, n)) != NULL;
    }
    return true;
}

static OxPb__AttributeProto *make_attr(model_writer *m, const ox_attr *a)
{
    OxPb__AttributeProto *p = ox_arena_alloc(m->w.a, sizeof *p);
    if (!p)
        return ox_write_no_memory(&m->w);
    ox_pb__attribute_proto__init(p);
    p->name = text(a->name);
    p->has_type = 1;
    p->type = (OxPb__AttributeProto__AttributeType)a->kind;
    switch (a->kind) {
    case OX_ATTR_FLOAT:
        p->has_f = 1;
        p->f = a->f;
        return p;
    case OX_ATTR_INT:
        p->has_i = 1;
        p->i = a->i;
        return p;
    case OX_ATTR_STRING:
        p->has_s = 1;
        p->s = (ProtobufCBinaryData){a->s.n, (uint8_t *)text(a->s.s)};
        return p;
    case OX_ATTR_TENSOR:
        return (p->t = ox_write_tensor(&m->w, a->tensor, NULL)) ? p : NULL;
    case OX_ATTR_SPARSE_TENSOR:
        return (p->sparse_tensor = ox_write_sparse(&m->w, a->sparse, NULL)) ? p : NULL;
    case OX_ATTR_TYPE_PROTO:
        return (p->tp = make_type(m, a->type)) ? p : NULL;
    case OX_ATTR_GRAPH:
        return (p->g = make_subgraph(m, a->graph)) ? p : NULL;
    case OX_ATTR_FLOATS:
    case OX_ATTR_INTS:
    case OX_ATTR_STRINGS:
        return set_lists(m, a, p) ? p : NULL;
    default:
        return fail(m, OX_E_UNSUPPORTED, "attribute", a->name);
    }
}

static bool import(model_writer *m, const ox_node *n)
{
    int version = ox_names_get(&m->opset, n->domain, -1);
    if (version == n->opset)
        return true;
    if (version >= 0)
        return fail(m, OX_E_UNSUPPORTED, "the mixture of opsets (functions bring their own) at node",
                    n->name);
    OxPb__OperatorSetIdProto *p = ox_arena_alloc(m->w.a, sizeof *p);
    if (!p || !ox_names_put(&m->opset, n->domain, n->opset) ||
        !ox_arena_grow(m->w.a, (void **)&m->import, m->n_import, &m->cap_import, sizeof(*m->import)))
        return ox_write_no_memory(&m->w);
    ox_pb__operator_set_id_proto__init(p);
    p->domain = text(n->domain);
    p->has_version = 1;
    p->version = n->opset;
    m->import[m->n_import++] = p;
    return true;
}

static OxPb__NodeProto *make_node(model_writer *m, const ox_graph *g, const ox_node *n)
{
    OxPb__NodeProto *p = ox_arena_alloc(m->w.a, sizeof *p);
    OxPb__AttributeProto **attr = ox_arena_array(m->w.a, (size_t)n->n_attr + 1, sizeof(*attr));
    if (!p || !attr)
        return ox_write_no_memory(&m->w);
    if (!import(m, n))
        return NULL;
    ox_pb__node_proto__init(p);
    p->name = text(n->name);
    p->op_type = text(n->op_type);
    p->domain = text(n->domain);
    p->n_input = (size_t)n->n_in;
    p->n_output = (size_t)n->n_out;
    p->attribute = attr;
    if (!set_names(m, g, n->in, n->n_in, &p->input) || !set_names(m, g, n->out, n->n_out, &p->output))
        return NULL;
    for (int i = 0; i < n->n_attr; i++)
        if (!(attr[p->n_attribute++] = make_attr(m, &n->attr[i])))
            return NULL;
    return p;
}

/* ---- graphs ---- */

static OxPb__GraphProto *new_graph(model_writer *m, const char *name, size_t n_node, size_t n_in,
                                   size_t n_out, size_t n_init)
{
    OxPb__GraphProto *p = ox_arena_alloc(m->w.a, sizeof *p);
    if (!p)
        return ox_write_no_memory(&m->w);
    ox_pb__graph_proto__init(p);
    p->name = text(*name ? name : "graph");
    p->node = ox_arena_array(m->w.a, n_node + 1, sizeof(*p->node));
    p->input = ox_arena_array(m->w.a, n_in + 1, sizeof(*p->input));
    p->output = ox_arena_array(m->w.a, n_out + 1, sizeof(*p->output));
    p->initializer = ox_arena_array(m->w.a, n_init + 1, sizeof(*p->initializer));
    if (!p->node || !p->input || !p->output || !p->initializer)
        return ox_write_no_memory(&m->w);
    return p;
}

static bool add_initializer(model_writer *m, OxPb__GraphProto *p, const ox_info *info)
{
    if (info->constant_value)
        return fail(m, OX_E_UNSUPPORTED, "the constant", info->name);
    return (p->initializer[p->n_initializer++] = ox_write_tensor(&m->w, info->constant, info->name));
}

static OxPb__GraphProto *make_subgraph(model_writer *m, const ox_graph *g)
{
    OxPb__GraphProto *p = new_graph(m, g->name, g->n_node, (size_t)g->n_in, (size_t)g->n_out,
                                    g->n_value);
    for (size_t i = 0; p && i < g->n_node; i++)
        if (!(p->node[p->n_node++] = make_node(m, g, &g->node[i])))
            return NULL;
    for (int i = 0; p && i < g->n_in; i++)
        if (!(p->input[p->n_input++] =
                  make_value(m, g->value[g->in[i]].name, &g->value[g->in[i]].type)))
            return NULL;
    for (int i = 0; p && i < g->n_out; i++)
        if (!(p->output[p->n_output++] =
                  make_value(m, name_of(g, g->out[i]), &g->value[g->out[i]].type)))
            return NULL;
    for (size_t v = 0; p && v < g->n_value; v++)
        if ((g->value[v].constant || g->value[v].constant_value) && g->value[v].producer < 0 &&
            !add_initializer(m, p, &g->value[v]))
            return NULL;
    return p;
}

/* Constants that the nodes read, each once. */
static bool add_constants(model_writer *m, OxPb__GraphProto *p)
{
    const ox_cut *c = m->c;
    bool *done = ox_arena_array(m->w.a, c->g->n_value + 1, sizeof(*done));
    if (!done)
        return ox_write_no_memory(&m->w);
    for (size_t i = 0; i < c->n_in; i++)
        done[c->in[i]] = true;
    for (size_t i = 0; i < c->n_node; i++)
        for (int k = 0, v; (v = ox_node_read(&c->g->node[c->node[i]], k)) != OX_NO_MORE; k++) {
            const ox_info *info = v < 0 ? NULL : &c->g->value[v];
            if (!info || done[v] || info->producer >= 0 || !(info->constant || info->constant_value))
                continue;
            done[v] = true;
            if (!add_initializer(m, p, info))
                return false;
        }
    return true;
}

static OxPb__GraphProto *make_main(model_writer *m)
{
    const ox_cut *c = m->c;
    OxPb__GraphProto *p = new_graph(m, c->g->name, c->n_node, c->n_in, c->n_out, c->g->n_value);
    for (size_t i = 0; p && i < c->n_node; i++)
        if (!(p->node[p->n_node++] = make_node(m, c->g, &c->g->node[c->node[i]])))
            return NULL;
    for (size_t i = 0; p && i < c->n_in; i++)
        if (!(p->input[p->n_input++] = make_value(m, c->g->value[c->in[i]].name, &c->in_type[i])))
            return NULL;
    for (size_t i = 0; p && i < c->n_out; i++)
        if (!(p->output[p->n_output++] = make_value(m, c->g->value[c->out[i]].name, &c->out_type[i])))
            return NULL;
    return p && add_constants(m, p) ? p : NULL;
}

static OxPb__ModelProto *make_model(model_writer *m)
{
    OxPb__ModelProto *p = ox_arena_alloc(m->w.a, sizeof *p);
    if (!p)
        return ox_write_no_memory(&m->w);
    ox_pb__model_proto__init(p);
    p->producer_name = text("onnxrun");
    p->doc_string = text(m->c->doc);
    if (!(p->graph = make_main(m)))
        return NULL;
    p->has_ir_version = 1;
    p->ir_version = OX_MIN(OX_MAX(m->c->g->model->ir_version, LEAST_IR), MOST_IR);
    p->ir_version = OX_MAX(p->ir_version, ox_ir_of_opset(ox_names_get(&m->opset, "", 0)));
    p->n_opset_import = m->n_import;
    p->opset_import = m->import;
    return p;
}

ox_code ox_pb_write_model(const ox_cut *c, ox_buf **bytes, ox_error *err)
{
    model_writer m = {.w = {.a = ox_arena_create(0), .err = err}, .c = c};
    *bytes = NULL;
    if (!m.w.a)
        return OX_FAIL(err, OX_E_NOMEM, "out of memory");
    ox_names_init(&m.opset, m.w.a);
    const OxPb__ModelProto *p = make_model(&m);
    ox_code code = ox_write_pack(&m.w, (const ProtobufCMessage *)p, bytes);
    ox_arena_destroy(m.w.a);
    return code;
}
