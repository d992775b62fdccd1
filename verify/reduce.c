#include "verify/reduce.h"

#include "runtime/base/text.h"
#include "runtime/graph/names.h"
#include "runtime/io/out.h"
#include "runtime/load/load.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef struct reducing {
    const ox_model *m;
    const ox_graph *g;
    const ox_known *ref;
    size_t          n_ref;
    const ox_options *options;
    const ox_value *const *given;   /* the model's inputs */
    ox_arena   *arena;
    ox_names    value;              /* name -> number in g */
    bool       *held;               /* [g->n_value] the reference has it, in a shape that fits */
    bool       *overridden;         /* [g->n_value] an initializer that the run feeds */
    const ox_node *target;
    ox_value   *truth;              /* [target->n_out] OX_NONE where there is none */
    size_t     *node;  size_t n_node;         /* the cut */
    int        *in;    size_t n_in;
    int        *out;   size_t n_out;
    ox_value   *in_value;           /* [n_in], owned */
    ox_value   *own;                /* [n_out], owned: what our run gives */
    bool        suite;              /* a float output has no truth: the ONNX suite's own tolerance */
    double      allowed, ours, theirs; /* largest: error that rounding explains, ours, the reference's */
    ox_error   *err;
} reducing;

static ox_code no_memory(ox_error *err) { return OX_FAIL(err, OX_E_NOMEM, "out of memory"); }

static int number_of(const reducing *k, const char *name) { return ox_names_get(&k->value, name, -1); }

static const ox_value *known(const reducing *k, const char *name)
{
    for (size_t i = 0; i < k->n_ref; i++)
        if (strcmp(k->ref[i].name, name) == 0)
            return k->ref[i].v;
    return NULL;
}

/* ---- the node ---- */

static const ox_node *find_node(const reducing *k, const char *name)
{
    for (size_t i = 0; i < k->g->n_node; i++)
        if (strcmp(k->g->node[i].name, name) == 0)
            return &k->g->node[i];
    int v = number_of(k, name);
    return v >= 0 && k->g->value[v].producer >= 0 ? &k->g->node[k->g->value[v].producer] : NULL;
}

static ox_code find_target(reducing *k, ox_model *m, const char *name, ox_reduction *out)
{
    ox_trace t;
    if (name) {
        k->target = find_node(k, name);
        return k->target ? OX_OK : OX_FAIL(k->err, OX_E_USAGE, "the graph has no node \"%.100s\"", name);
    }
    ox_code code = ox_trace_run(m, k->options, k->given, k->ref, k->n_ref, 0, &t, k->err);
    if (code == OX_OK) {
        out->verdict = t.verdict;
        snprintf(out->reason, sizeof out->reason, "%s", t.reason);
        if (t.first >= 0 && t.node[t.first].inner) {
            code = OX_FAIL(k->err, OX_E_UNSUPPORTED, "node \"%.100s\" departs inside the body of a loop or "
                           "branch: --node NAME of the node around it reduces to that", t.node[t.first].node);
        } else if (t.first >= 0) {
            snprintf(out->value, sizeof out->value, "%s", t.node[t.first].value);
            k->target = find_node(k, t.node[t.first].value);
        }
    }
    ox_trace_release(&t);
    return code;
}

/* ---- what the walk sees: what the reference holds, and the truth of the target ---- */

static ox_code keep_truth(reducing *k, const ox_sighting *s)
{
    bool oracle = k->n_ref == 0;
    const double *truth = oracle ? s->fresh : s->truth;
    const ox_tensor *y = s->r->out[s->out];
    ox_value *to = &k->truth[s->out];
    if (!truth || !ox_is_float(y->dtype))
        return OX_OK;
    OX_TRY(ox_tensor_alloc(&to->t, y->dtype, y->rank, y->dim, k->err));
    to->kind = OX_TENSOR;
    ox_from_f64(to->t.data, truth, y->dtype, s->n);
    k->ours = fmax(k->ours, ox_max_error(s->ours, truth, s->n, NULL));
    if (s->ref)
        k->theirs = fmax(k->theirs, ox_max_error(s->ref, truth, s->n, NULL));
    ox_allowance a = oracle ? (ox_allowance){ 0 } : ox_allowance_of(s);
    for (size_t i = 0; i < s->n; i++) {
        double may = oracle ? s->fresh_bound[i] : ox_allowed(&a, i);
        k->allowed = isfinite(may) ? fmax(k->allowed, may) : k->allowed;
    }
    return OX_OK;
}

static ox_code see(void *ctx, const ox_sighting *s, ox_error *err)
{
    reducing *k = ctx;
    int v = number_of(k, s->name);
    (void)err;
    if (v < 0 || s->inner)
        return OX_OK;
    k->held[v] = s->ref && !s->shape_differs;
    return k->g->value[v].producer >= 0 && &k->g->node[k->g->value[v].producer] == k->target
               ? keep_truth(k, s) : OX_OK;
}

static ox_code look(reducing *k, ox_model *m)
{
    ox_walk w = { .run = *k->options, .ref = k->ref, .n_ref = k->n_ref, .follow = true,
                  .fresh = k->n_ref == 0 };
    size_t n = (size_t)k->target->n_out;
    const char **names = ox_arena_array(k->arena, n + 1, sizeof(*names));
    k->truth = ox_arena_array(k->arena, n + 1, sizeof(*k->truth));
    if (!names || !k->truth)
        return no_memory(k->err);
    w.run.n_extra = 0; /* all outputs of the target, read or not */
    for (size_t i = 0; i < n; i++)
        if (k->target->out[i] >= 0)
            names[w.run.n_extra++] = k->g->value[k->target->out[i]].name;
    w.run.extra = names;
    w.run.optimize = 0;
    return ox_oracle_walk(m, &w, k->given, see, k, k->err);
}

/* ---- the cut ---- */

/* Values that the case is given: the node's inputs, or what those are made of. */
static bool is_given(const reducing *k, int v)
{
    const ox_info *info = &k->g->value[v];
    if (info->producer < 0)
        return !info->constant || k->overridden[v];
    if (strcmp(k->g->node[info->producer].op_type, "Constant") == 0)
        return false; /* it stays a constant */
    return k->n_ref == 0 || k->held[v];
}

/* Marks the target and the nodes behind it, newest first: nodes are in topological order. */
static ox_code cut(reducing *k)
{
    const ox_graph *g = k->g;
    bool *wanted = ox_arena_array(k->arena, g->n_value + 1, sizeof(*wanted));
    bool *input = ox_arena_array(k->arena, g->n_value + 1, sizeof(*input));
    k->node = ox_arena_array(k->arena, g->n_node + 1, sizeof(*k->node));
    k->in = ox_arena_array(k->arena, g->n_value + 1, sizeof(*k->in));
    k->out = ox_arena_array(k->arena, (size_t)k->target->n_out + 1, sizeof(*k->out));
    if (!wanted || !input || !k->node || !k->in || !k->out)
        return no_memory(k->err);
    for (size_t i = (size_t)(k->target - g->node) + 1; i-- > 0;) {
        const ox_node *n = &g->node[i];
        bool take = n == k->target;
        for (int j = 0; j < n->n_out; j++)
            take |= n->out[j] >= 0 && wanted[n->out[j]];
        if (!take)
            continue;
        k->node[k->n_node++] = i;
        for (int j = 0, v; (v = ox_node_read(n, j)) != OX_NO_MORE; j++)
            if (v >= 0)
                *(is_given(k, v) ? &input[v] : &wanted[v]) = true;
    }
    for (size_t i = 0; i < k->n_node / 2; i++) {
        size_t last = k->n_node - 1 - i, n = k->node[i];
        k->node[i] = k->node[last];
        k->node[last] = n;
    }
    for (size_t v = 0; v < g->n_value; v++)
        if (input[v])
            k->in[k->n_in++] = (int)v;
    for (int j = 0; j < k->target->n_out; j++)
        if (k->target->out[j] >= 0)
            k->out[k->n_out++] = k->target->out[j];
    return OX_OK;
}

/* ---- the values ---- */

/* The reference's tensor in the type and shape that the graph has. */
static ox_code as_ours(reducing *k, const ox_tensor *ref, const ox_value *own, ox_value *to)
{
    OX_TRY(ox_tensor_convert(&to->t, ref, own->t.dtype, k->err));
    to->kind = OX_TENSOR;
    to->t.rank = own->t.rank;
    memcpy(to->t.dim, own->t.dim, sizeof to->t.dim);
    return OX_OK;
}

static const ox_value *given_input(const reducing *k, int v)
{
    int n = k->g->n_in;
    for (int i = 0; i < n; i++)
        if (k->g->in[i] == v)
            return k->given[i];
    for (int i = 0; i < k->options->n_override; i++)
        if (number_of(k, k->options->override[i]) == v)
            return k->given[n + i];
    return NULL;
}

static ox_code take_values(reducing *k, ox_session *s, const ox_value **got, const char **names,
                           size_t n_names)
{
    size_t first = (size_t)ox_session_n_out(s) - n_names;
    OX_TRY(ox_session_run(s, k->given, got, k->err));
    for (size_t i = 0, j = 0; i < k->n_in + k->n_out; i++) {
        bool output = i >= k->n_in;
        int v = output ? k->out[i - k->n_in] : k->in[i];
        const ox_value *own = output ? NULL : given_input(k, v);
        if (!own && j < n_names && strcmp(names[j], k->g->value[v].name) == 0)
            own = got[first + j++];
        const ox_value *ref = !output && k->n_ref && k->held[v] ? known(k, k->g->value[v].name) : NULL;
        ox_value *to = output ? &k->own[i - k->n_in] : &k->in_value[i];
        if (!own)
            return OX_FAIL(k->err, OX_E_INTERNAL, "value '%.100s' is lost", k->g->value[v].name);
        if (ref && ref->kind == OX_TENSOR && own->kind == OX_TENSOR)
            OX_TRY(as_ours(k, &ref->t, own, to));
        else
            OX_TRY(ox_value_clone(to, own, k->err));
    }
    return OX_OK;
}

/* Runs once more for the exact values of what is not held, of any kind. */
static ox_code collect(reducing *k, ox_model *m)
{
    size_t n = k->n_in + k->n_out, n_names = 0;
    ox_options o = *k->options;
    ox_session *s;
    const char **names = ox_arena_array(k->arena, n + 1, sizeof(*names));
    k->in_value = ox_arena_array(k->arena, k->n_in + 1, sizeof(*k->in_value));
    k->own = ox_arena_array(k->arena, k->n_out + 1, sizeof(*k->own));
    if (!names || !k->in_value || !k->own)
        return no_memory(k->err);
    for (size_t i = 0; i < n; i++) {
        int v = i < k->n_in ? k->in[i] : k->out[i - k->n_in];
        if (i >= k->n_in || !given_input(k, v))
            names[n_names++] = k->g->value[v].name;
    }
    o.optimize = 0;
    o.f64 = false;
    o.extra = names;
    o.n_extra = (int)n_names;
    OX_TRY(ox_session_create(m, &o, &s, k->err));
    const ox_value **got =
        ox_arena_array(k->arena, (size_t)ox_session_n_out(s) + 1, sizeof(*got));
    ox_code code = got ? take_values(k, s, got, names, n_names) : no_memory(k->err);
    ox_session_destroy(s);
    return code;
}

/* ---- the files ---- */

/* The type of a value that is there, in the words of a model. */
static ox_code type_of(reducing *k, const ox_value *v, const ox_type *declared, ox_type *out)
{
    *out = *declared;
    if (v->kind == OX_TENSOR) {
        *out = (ox_type){ .kind = OX_TENSOR, .optional = declared->optional, .dtype = v->t.dtype,
                          .rank = v->t.rank };
        memcpy(out->dim, v->t.dim, sizeof out->dim);
        return OX_OK;
    }
    if (declared->kind != OX_NONE)
        return OX_OK;
    if (v->kind == OX_SEQUENCE && ox_seq_size(v->seq) > 0) {
        ox_type *elem = ox_arena_alloc(k->arena, sizeof *elem), unknown = { .kind = OX_NONE };
        if (!elem)
            return no_memory(k->err);
        OX_TRY(type_of(k, ox_seq_at(v->seq, 0), &unknown, elem));
        if (elem->kind == OX_TENSOR)
            elem->rank = -1; /* the others may have other shapes */
        *out = (ox_type){ .kind = OX_SEQUENCE, .elem = elem };
        return OX_OK;
    }
    return OX_FAIL(k->err, OX_E_UNSUPPORTED, "a value at node \"%.100s\" has a type that cannot be told "
                   "(an empty sequence, an absent optional or a map)", k->target->name);
}

static ox_code put(ox_out *o, const char *name, const void *bytes, size_t n, ox_reduction *r,
                   ox_error *err)
{
    FILE *f;
    OX_TRY(ox_out_open(o, name, &f, err));
    if (n && fwrite(bytes, 1, n, f) != n)
        return OX_FAIL(err, OX_E_IO, "cannot write %s: %s", name, strerror(errno));
    r->n_bytes += n;
    return ox_out_close(o, err);
}

static ox_code put_value(reducing *k, ox_out *o, const char *stem, size_t i, int value,
                         const ox_value *v, const ox_type *type, ox_reduction *r)
{
    char name[100];
    ox_buf *b;
    snprintf(name, sizeof name, "test_data_set_0/%s_%zu.pb", stem, i);
    OX_TRY(ox_pb_write_value(v, type, k->g->value[value].name, &b, k->err));
    ox_code code = put(o, name, ox_buf_data(b), ox_buf_size(b), r, k->err);
    ox_buf_unref(b);
    return code;
}

/* What the target's output j of the cut should be. */
static const ox_value *expected(const reducing *k, size_t j, bool *truth)
{
    for (int i = 0; i < k->target->n_out; i++)
        if (k->target->out[i] == k->out[j] && k->truth[i].kind == OX_TENSOR) {
            *truth = true;
            return &k->truth[i];
        }
    *truth = false;
    return &k->own[j];
}

static ox_code put_data(reducing *k, ox_out *o, const ox_cut *c, ox_reduction *r)
{
    bool truth;
    for (size_t i = 0; i < k->n_in; i++)
        OX_TRY(put_value(k, o, "input", i, k->in[i], &k->in_value[i], &c->in_type[i], r));
    for (size_t j = 0; j < k->n_out; j++) {
        const ox_value *ref = known(k, k->g->value[k->out[j]].name), *v = expected(k, j, &truth);
        r->no_truth |= !truth;
        k->suite |= !truth && c->out_type[j].kind == OX_TENSOR && ox_is_float(c->out_type[j].dtype);
        OX_TRY(put_value(k, o, "output", j, k->out[j], v, &c->out_type[j], r));
        if (ref)
            OX_TRY(put_value(k, o, "reference", j, k->out[j], ref, NULL, r));
    }
    return OX_OK;
}

/* Half of what the reference is off tells right from wrong, unless rounding alone is as large. */
static double tolerance(const reducing *k)
{
    double half = k->theirs > 0 ? 0.5 * k->theirs : INFINITY;
    return fmax(fmin(k->allowed, half), 2 * k->ours);
}

static ox_code put_all(reducing *k, ox_out *o, const ox_cut *c, ox_reduction *r)
{
    char json[100], number[OX_NUMBER_TEXT];
    ox_buf *b;
    OX_TRY(ox_pb_write_model(c, &b, k->err));
    ox_code code = put(o, "model.onnx", ox_buf_data(b), ox_buf_size(b), r, k->err);
    ox_buf_unref(b);
    OX_TRY(code);
    OX_TRY(put_data(k, o, c, r));
    r->tolerance = k->suite ? 1e-7 : tolerance(k);
    snprintf(json, sizeof json, "{\"rtol\": %s, \"atol\": %s}\n", k->suite ? "0.001" : "0",
             ox_format_f64(number, r->tolerance));
    OX_TRY(put(o, "data.json", json, strlen(json), r, k->err));
    return ox_out_commit(o, k->err);
}

static ox_code write_case(reducing *k, const char *folder, const char *doc, ox_reduction *r)
{
    ox_type *in = ox_arena_array(k->arena, k->n_in + 1, sizeof(*in)),
            *out = ox_arena_array(k->arena, k->n_out + 1, sizeof(*out));
    bool truth;
    ox_out *o;
    if (!in || !out)
        return no_memory(k->err);
    for (size_t i = 0; i < k->n_in; i++)
        OX_TRY(type_of(k, &k->in_value[i], &k->g->value[k->in[i]].type, &in[i]));
    for (size_t j = 0; j < k->n_out; j++)
        OX_TRY(type_of(k, expected(k, j, &truth), &k->g->value[k->out[j]].type, &out[j]));
    ox_cut c = { .g = k->g, .node = k->node, .n_node = k->n_node, .in = k->in, .in_type = in,
                 .n_in = k->n_in, .out = k->out, .out_type = out, .n_out = k->n_out, .doc = doc };
    OX_TRY(ox_out_create(folder, true, &o, k->err));
    ox_code code = put_all(k, o, &c, r);
    ox_out_destroy(o);
    return code;
}

static ox_code check_folder(const char *folder, ox_error *err)
{
    static const char *const parts[] = { "model.onnx", "test_data_set_0" };
    char path[4096];
    struct stat st;
    for (size_t i = 0; i < OX_COUNT(parts); i++) {
        int n = snprintf(path, sizeof path, "%s/%s", folder, parts[i]);
        if (n < 0 || (size_t)n >= sizeof path)
            return OX_FAIL(err, OX_E_IO, "the output path is too long");
        if (stat(path, &st) == 0)
            return OX_FAIL(err, OX_E_IO, "%.200s is there already", path);
    }
    return OX_OK;
}

/* ---- all of it ---- */

static ox_code prepare(reducing *k)
{
    size_t n = k->g->n_value + 1;
    ox_names_init(&k->value, k->arena);
    k->held = ox_arena_array(k->arena, n, sizeof(*k->held));
    k->overridden = ox_arena_array(k->arena, n, sizeof(*k->overridden));
    if (!k->held || !k->overridden)
        return no_memory(k->err);
    for (size_t v = 0; v < k->g->n_value; v++)
        if (!ox_names_put(&k->value, k->g->value[v].name, (int)v))
            return no_memory(k->err);
    for (int i = 0; i < k->options->n_override; i++)
        if (number_of(k, k->options->override[i]) >= 0)
            k->overridden[number_of(k, k->options->override[i])] = true;
    return OX_OK;
}

static void count_weights(const reducing *k, ox_reduction *r)
{
    for (size_t i = 0; i < k->n_node; i++)
        for (int j = 0, v; (v = ox_node_read(&k->g->node[k->node[i]], j)) != OX_NO_MORE; j++)
            r->n_weight += v >= 0 && k->g->value[v].constant && !k->overridden[v];
    r->n_node = k->n_node;
    r->n_input = k->n_in;
    r->n_output = k->n_out;
}

static ox_code reduce(reducing *k, ox_model *m, const char *node, const char *folder, ox_reduction *r)
{
    char doc[1100];
    OX_TRY(check_folder(folder, k->err));
    OX_TRY(prepare(k));
    OX_TRY(find_target(k, m, node, r));
    if (!k->target)
        return OX_OK;
    snprintf(r->node, sizeof r->node, "%s", k->target->name);
    snprintf(r->op, sizeof r->op, "%s", k->target->op_type);
    OX_TRY(look(k, m));
    OX_TRY(cut(k));
    OX_TRY(collect(k, m));
    count_weights(k, r);
    const char *slash = strrchr(m->path, '/');
    snprintf(doc, sizeof doc, "Node \"%.150s\" (%.60s) of %.150s. %.690s", r->node, r->op,
             slash ? slash + 1 : m->path, r->reason);
    OX_TRY(write_case(k, folder, doc, r));
    r->written = true;
    return OX_OK;
}

ox_code ox_reduce(ox_model *m, const ox_options *options, const ox_value *const *in,
                  const ox_known *ref, size_t n_ref, const char *node, const char *folder,
                  ox_reduction *out, ox_error *err)
{
    reducing k = { .m = m, .g = m->graph, .ref = ref, .n_ref = n_ref, .options = options,
                   .given = in, .arena = ox_arena_create(0), .err = err };
    *out = (ox_reduction){ 0 };
    ox_code code = k.arena ? reduce(&k, m, node, folder, out) : no_memory(err);
    for (int i = 0; k.truth && i < k.target->n_out; i++)
        ox_value_release(&k.truth[i]);
    for (size_t i = 0; k.in_value && i < k.n_in; i++)
        ox_value_release(&k.in_value[i]);
    for (size_t i = 0; k.own && i < k.n_out; i++)
        ox_value_release(&k.own[i]);
    ox_arena_destroy(k.arena);
    return code;
}
