/* AttributeProto to ox_attr. */
#include "runtime/load/build.h"

#include <limits.h>
#include <string.h>

/* Which value fields an attribute has; bit k: kind k. */
static unsigned kinds_present(const OxPb__AttributeProto *p)
{
    bool has[] = {
        [OX_ATTR_FLOAT] = p->has_f,
        [OX_ATTR_INT] = p->has_i,
        [OX_ATTR_STRING] = p->has_s,
        [OX_ATTR_TENSOR] = p->t,
        [OX_ATTR_GRAPH] = p->g,
        [OX_ATTR_FLOATS] = p->n_floats,
        [OX_ATTR_INTS] = p->n_ints,
        [OX_ATTR_STRINGS] = p->n_strings,
        [OX_ATTR_TENSORS] = p->n_tensors,
        [OX_ATTR_GRAPHS] = p->n_graphs,
        [OX_ATTR_SPARSE_TENSOR] = p->sparse_tensor,
        [OX_ATTR_SPARSE_TENSORS] = p->n_sparse_tensors,
        [OX_ATTR_TYPE_PROTO] = p->tp,
        [OX_ATTR_TYPE_PROTOS] = p->n_type_protos,
    };
    unsigned mask = 0;
    for (size_t k = 1; k < OX_COUNT(has); k++)
        mask |= (unsigned)has[k] << k;
    return mask;
}

/* The kind that the file states, or the one whose field it fills (files of IR 1 and 2), or for an
 * empty list the one that the operator wants. */
static ox_code kind_of(ox_builder *b, const OxPb__AttributeProto *p, const char *name,
                       const ox_schema *schema, ox_attr_kind *out)
{
    unsigned present = kinds_present(p);
    int kind = p->has_type ? (int)p->type : OX_ATTR_UNDEFINED;
    if (kind != OX_ATTR_UNDEFINED) {
        if (kind < 0 || kind > OX_ATTR_TYPE_PROTOS)
            return OX_FAIL(b->err, OX_E_GRAPH, "attribute '%.100s' is of unknown kind %d", name,
                           kind);
        *out = (ox_attr_kind)kind;
        /* Writers that drop zeros leave the field out; another field is a contradiction. */
        if (present && !(present >> kind & 1))
            return OX_FAIL(b->err, OX_E_GRAPH,
                           "attribute '%.100s' says it is of kind %s and holds another", name,
                           ox_attr_kind_name(*out));
        return OX_OK;
    }
    const ox_schema_attr *known = schema ? ox_schema_attr_find(schema, name) : NULL;
    if (known && (present == 0 || present >> known->kind & 1)) {
        *out = known->kind;
        return OX_OK;
    }
    for (int k = OX_ATTR_FLOAT; k <= OX_ATTR_TYPE_PROTOS; k++)
        if (present == 1u << k) {
            *out = (ox_attr_kind)k;
            return OX_OK;
        }
    return OX_FAIL(b->err, OX_E_GRAPH, "attribute '%.100s' %s", name,
                   present ? "holds values of more than one kind" : "has no kind and no value");
}

static bool text_of(ox_builder *b, const ProtobufCBinaryData *from, ox_str *to)
{
    char copy[64];
    to->n = from->len;
    if (from->len >= sizeof copy || (from->len && memchr(from->data, 0, from->len))) {
        to->s = ox_arena_strndup(b->m->arena, (const char *)from->data, from->len);
    } else { /* lists of a tree ensemble repeat few words many times */
        if (from->len)
            memcpy(copy, from->data, from->len);
        copy[from->len] = 0;
        to->s = ox_build_text(b, copy);
    }
    return to->s != NULL;
}

static ox_code list(ox_builder *b, const OxPb__AttributeProto *p, ox_attr *a)
{
    size_t n = a->kind == OX_ATTR_INTS     ? p->n_ints
               : a->kind == OX_ATTR_FLOATS ? p->n_floats
                                           : p->n_strings;
    if (n > INT_MAX)
        return OX_FAIL(b->err, OX_E_LIMIT, "attribute '%.100s' has %zu items, the limit is %d",
                       a->name, n, INT_MAX);
    a->n = (int)n;
    if (a->kind == OX_ATTR_INTS) {
        a->ints = p->ints; /* in the model's arena already: ox_wire_read put them there */
    } else if (a->kind == OX_ATTR_FLOATS) {
        a->floats = p->floats;
    } else {
        a->strs = ox_arena_array(b->m->arena, n, sizeof *a->strs);
        if (!a->strs)
            return ox_build_no_memory(b);
        for (size_t i = 0; i < n; i++)
            if (!text_of(b, &p->strings[i], &a->strs[i]))
                return ox_build_no_memory(b);
    }
    return OX_OK;
}

static void release_value(void *value, size_t n_bytes)
{
    (void)n_bytes;
    ox_value_release(value);
}

static ox_code message(ox_builder *b, ox_scope *at, ox_graph_build *gb,
                       const OxPb__AttributeProto *p, ox_attr *a)
{
    ox_arena *arena = b->m->arena;
    const char *kind = a->kind == OX_ATTR_TENSOR ? "attribute tensor" : "attribute sparse tensor";
    if (!(kinds_present(p) >> a->kind & 1))
        return OX_FAIL(b->err, OX_E_GRAPH, "attribute '%.100s' of kind %s has no value", a->name,
                       ox_attr_kind_name(a->kind));
    switch (a->kind) {
    case OX_ATTR_TENSOR:
        a->tensor = ox_arena_alloc(arena, sizeof *a->tensor);
        return a->tensor ? ox_load_tensor(p->t, kind, &b->place, a->tensor, b->err)
                         : ox_build_no_memory(b);
    case OX_ATTR_SPARSE_TENSOR:
        a->sparse = ox_arena_alloc(arena, sizeof *a->sparse);
        if (!a->sparse || !ox_model_defer(b->m, release_value, a->sparse, 0))
            return ox_build_no_memory(b);
        return ox_load_sparse(p->sparse_tensor, kind, &b->place, a->sparse, b->err);
    case OX_ATTR_TYPE_PROTO:
        a->type = ox_arena_alloc(arena, sizeof *a->type);
        return a->type ? ox_load_type(p->tp, a->name, b->m, a->type, b->err)
                       : ox_build_no_memory(b);
    case OX_ATTR_GRAPH:
        return ox_build_graph(b, p->g, gb, at, &a->graph);
    default:
        return OX_FAIL(b->err, OX_E_UNSUPPORTED, "attribute '%.100s' of kind %s", a->name,
                       ox_attr_kind_name(a->kind));
    }
}

/* at: the scope that p was written in, which graphs see; gb: the graph that will hold the node. */
static ox_code convert(ox_builder *b, ox_scope *at, ox_graph_build *gb,
                       const OxPb__AttributeProto *p, const ox_schema *schema, ox_attr *a)
{
    OX_TRY(kind_of(b, p, a->name, schema, &a->kind));
    switch (a->kind) {
    case OX_ATTR_FLOAT:
        a->f = p->f;
        return OX_OK;
    case OX_ATTR_INT:
        a->i = p->i;
        return OX_OK;
    case OX_ATTR_STRING:
        return text_of(b, &p->s, &a->s) ? OX_OK : ox_build_no_memory(b);
    case OX_ATTR_FLOATS:
    case OX_ATTR_INTS:
    case OX_ATTR_STRINGS:
        return list(b, p, a);
    default:
        return message(b, at, gb, p, a);
    }
}

static const OxPb__AttributeProto *find(OxPb__AttributeProto *const *p, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (p[i]->name && strcmp(p[i]->name, name) == 0)
            return p[i];
    return NULL;
}

/* What p stands for: inside a function it may refer to an attribute of the call, which may itself
 * be inside a function and refer on.  NULL: the caller gave none and there is no default. */
static const OxPb__AttributeProto *refer(const OxPb__AttributeProto *p, ox_scope **at)
{
    while (p && p->ref_attr_name && *p->ref_attr_name) {
        const ox_call *call = (*at)->call;
        const char *name = p->ref_attr_name;
        if (!call)
            return NULL;
        p = find(call->node->attribute, OX_MIN(call->node->n_attribute, (size_t)OX_MAX_ATTRS),
                 name);
        if (!p)
            return find(call->function->attribute_proto,
                        OX_MIN(call->function->n_attribute_proto, (size_t)OX_MAX_ATTRS), name);
        *at = call->at;
    }
    return p;
}

/* Exporters of 2017 wrote Cast's `to` as a name ("FLOAT") even after opset 6 had made it a number.
 */
static void mend_cast(const ox_node *n, ox_attr *a)
{
    if (a->kind != OX_ATTR_STRING || !n->schema || n->schema->since < 6 || *n->domain ||
        strcmp(n->op_type, "Cast") != 0 || strcmp(a->name, "to") != 0)
        return;
    const ProtobufCEnumValue *type = protobuf_c_enum_descriptor_get_value_by_name(
        &ox_pb__tensor_proto__data_type__descriptor, a->s.s);
    if (type)
        *a = (ox_attr){.name = a->name, .kind = OX_ATTR_INT, .i = type->value};
}

ox_code ox_build_attrs(ox_builder *b, ox_scope *s, const OxPb__NodeProto *p, ox_node *n)
{
    n->attr = ox_arena_array(b->m->arena, p->n_attribute, sizeof *n->attr);
    if (!n->attr)
        return ox_build_no_memory(b);
    for (size_t i = 0; i < p->n_attribute; i++) {
        const OxPb__AttributeProto *written = p->attribute[i];
        ox_scope *at = s;
        if (!written->name || !*written->name)
            return OX_FAIL(b->err, OX_E_GRAPH, "attribute without a name");
        if (ox_node_attr(n, written->name))
            return OX_FAIL(b->err, OX_E_GRAPH, "attribute '%.100s' is given twice", written->name);
        if (written->ref_attr_name && *written->ref_attr_name && !s->call)
            return OX_FAIL(b->err, OX_E_GRAPH,
                           "attribute '%.100s' refers to '%.100s' outside a function",
                           written->name, written->ref_attr_name);
        const OxPb__AttributeProto *meant = refer(written, &at);
        if (!meant)
            continue;
        ox_attr a = {.name = ox_build_text(b, written->name)};
        if (!a.name)
            return ox_build_no_memory(b);
        OX_TRY(convert(b, at, s->gb, meant, n->schema, &a));
        mend_cast(n, &a);
        n->attr[n->n_attr++] = a;
    }
    return OX_OK;
}
