/* Everything but the numbers that need a plan works on models that cannot run. */
#include "cli/cli.h"

#include <string.h>

/* FLOPs and memory of one run with the declared shapes; not known where no plan could be made. */
typedef struct costs {
    bool           known;
    onnxrun_memory m;
    char           why[600];
} costs;

static bool supported(const job *j)
{
    for (size_t i = 0; i < j->info.n_op; i++)
        if (!onnxrun_model_op(j->model, i)->supported)
            return false;
    return true;
}

static int plan(job *j, args *quiet, costs *c)
{
    list none = { 0 };
    *c = (costs){ 0 };
    if (!supported(j)) {
        snprintf(c->why, sizeof c->why, "unsupported operators");
        return 0;
    }
    quiet->random = true; /* types and shapes are what matters */
    j->a = quiet;
    int status = feed_job(j, &none);
    if (status != 0)
        return status;
    if (onnxrun_session_create(j->model, &j->options, &j->session, &j->err) == 0) {
        for (int i = 0; i < j->info.n_input; i++)
            j->in[i] = j->given[i];
        if (onnxrun_session_plan(j->session, j->in, &j->err) == 0) {
            c->known = true;
            c->m = onnxrun_session_memory(j->session);
        }
    }
    snprintf(c->why, sizeof c->why, "%.599s", c->known ? "" : j->err.text);
    return 0;
}

static const char *shown_domain(const onnxrun_op_use *o)
{
    return strcmp(o->domain, "ai.onnx") ? o->domain : "";
}

/* ---- text ---- */

static void print_values(const job *j, const char *title, int from, int to, bool output)
{
    for (int i = from; i < to; i++) {
        const onnxrun_info *v =
            output ? onnxrun_model_output(j->model, i) : onnxrun_model_input(j->model, i);
        printf("%-12s %s  %s\n", i == from ? title : "", clean(v->name), clean(v->type));
    }
}

static void print_operators(const job *j)
{
    for (size_t i = 0; i < j->info.n_op; i++) {
        const onnxrun_op_use *o = onnxrun_model_op(j->model, i);
        char name[200], version[32];
        snprintf(name, sizeof name, "%s%s%.90s", clean(shown_domain(o)),
                 *shown_domain(o) ? "." : "", clean(o->name));
        snprintf(version, sizeof version, "-%d", o->since);
        printf("%-12s %6zu  %s%s%s\n", i ? "" : "operators", o->count, name,
               o->since ? version : "",
               o->supported ? "" : "  UNSUPPORTED");
    }
}

/* Notes are for those who look for a difference: lint shows them. */
static void print_warnings(const onnxrun_lint *l)
{
    for (size_t i = 0; i < l->n && i < 20; i++)
        if (l->finding[i].rule.severity > ONNXRUN_NOTE &&
            strcmp(l->finding[i].rule.id, "unknown-operator") != 0) /* said above */
            print_finding(&l->finding[i]);
    if (l->n > 0)
        printf("lint         errors %zu, warnings %zu, notes %zu (onnxrun lint shows them)\n",
               l->n_fault, l->n_warning, l->n_note);
}

static void print_text(const job *j, const costs *c, const onnxrun_lint *l)
{
    const onnxrun_model_info *m = &j->info;
    const char *value;
    int version;
    printf("model        %s\n", clean(m->path));
    if (*m->graph)
        printf("graph        %s\n", clean(m->graph));
    if (*m->producer)
        printf("producer     %s %s\n", clean(m->producer), clean(m->producer_version));
    printf("IR version   %lld\n", (long long)m->ir_version);
    for (int i = 0; i < m->n_opset; i++) {
        const char *domain = onnxrun_model_opset(j->model, i, &version);
        printf("%-12s %s %d\n", i ? "" : "opset", clean(domain), version);
    }
    for (int i = 0; i < m->n_meta; i++) {
        const char *key = onnxrun_model_meta(j->model, i, &value);
        printf("%-12s %s: %s\n", i ? "" : "metadata", clean(key), clean(value));
    }
    print_values(j, "inputs", 0, m->n_input, false);
    print_values(j, "with default", m->n_input, m->n_input + m->n_override, false);
    print_values(j, "outputs", 0, m->n_output, true);
    printf("nodes        %zu\n", m->n_node);
    print_operators(j);
    printf("parameters   %lld in %zu tensors, %s\n", (long long)m->n_parameter, m->n_initializer,
           size_text((double)m->parameter_bytes));
    if (c->known) {
        printf("FLOPs        %lld (%sFLOP)\n", (long long)c->m.flops,
               count_text((double)c->m.flops));
        printf("memory       %s activations (at least %s), %s weights, %s packed weights\n",
               size_text((double)c->m.planned), size_text((double)c->m.live_bound),
               size_text((double)c->m.weights), size_text((double)c->m.packed));
    } else {
        printf("FLOPs        unknown: %s\n", clean(c->why));
    }
    for (size_t i = 0; i < m->n_op; i++) {
        const onnxrun_op_use *o = onnxrun_model_op(j->model, i);
        if (!o->supported)
            printf("unsupported  %s %s, opset %d, first at node \"%s\"\n", clean(o->domain),
                   clean(o->name), o->opset, clean(o->first_node));
    }
    print_warnings(l);
}

/* ---- JSON ---- */

static void json_value(json *o, const onnxrun_info *v)
{
    json_open(o, NULL, '{');
    json_str(o, "name", v->name);
    json_str(o, "type", v->type);
    json_str(o, "dtype", v->dtype ? onnxrun_dtype_name(v->dtype) : NULL);
    if (v->rank < 0) {
        json_null(o, "shape");
    } else {
        json_open(o, "shape", '[');
        for (int i = 0; i < v->rank; i++) {
            if (v->dim[i] >= 0)
                json_int(o, NULL, v->dim[i]);
            else
                json_str(o, NULL, v->symbol[i]);
        }
        json_close(o, ']');
    }
    json_close(o, '}');
}

static void json_model(json *o, const job *j)
{
    const onnxrun_model_info *m = &j->info;
    const char *value;
    int version;
    json_str(o, "model", m->path);
    json_str(o, "graph", m->graph);
    json_str(o, "producer", m->producer);
    json_str(o, "producer_version", m->producer_version);
    json_int(o, "ir_version", m->ir_version);
    json_open(o, "opsets", '{');
    for (int i = 0; i < m->n_opset; i++) {
        const char *domain = onnxrun_model_opset(j->model, i, &version);
        json_int(o, domain, version);
    }
    json_close(o, '}');
    json_open(o, "metadata", '{');
    for (int i = 0; i < m->n_meta; i++) {
        const char *key = onnxrun_model_meta(j->model, i, &value);
        json_str(o, key, value);
    }
    json_close(o, '}');
    json_open(o, "inputs", '[');
    for (int i = 0; i < m->n_input; i++)
        json_value(o, onnxrun_model_input(j->model, i));
    json_close(o, ']');
    json_open(o, "inputs_with_default", '[');
    for (int i = m->n_input; i < m->n_input + m->n_override; i++)
        json_value(o, onnxrun_model_input(j->model, i));
    json_close(o, ']');
    json_open(o, "outputs", '[');
    for (int i = 0; i < m->n_output; i++)
        json_value(o, onnxrun_model_output(j->model, i));
    json_close(o, ']');
}

static void json_operators(json *o, const job *j, const char *key, bool unsupported)
{
    json_open(o, key, '[');
    for (size_t i = 0; i < j->info.n_op; i++) {
        const onnxrun_op_use *u = onnxrun_model_op(j->model, i);
        if (unsupported && u->supported)
            continue;
        json_open(o, NULL, '{');
        json_str(o, "domain", u->domain);
        json_str(o, "op", u->name);
        json_int(o, "opset", u->opset);
        if (u->since)
            json_int(o, "version", u->since);
        else
            json_null(o, "version");
        json_int(o, "count", (int64_t)u->count);
        json_bool(o, "supported", u->supported);
        json_str(o, "first_node", u->first_node);
        json_close(o, '}');
    }
    json_close(o, ']');
}

static void print_json(const job *j, const costs *c, const onnxrun_lint *l)
{
    json o = { .f = stdout };
    json_open(&o, NULL, '{');
    json_int(&o, "schema", 1);
    json_model(&o, j);
    json_int(&o, "nodes", (int64_t)j->info.n_node);
    json_int(&o, "functions", j->info.n_function);
    json_operators(&o, j, "operators", false);
    json_operators(&o, j, "unsupported", true);
    json_int(&o, "parameters", j->info.n_parameter);
    json_int(&o, "parameter_bytes", (int64_t)j->info.parameter_bytes);
    json_int(&o, "file_bytes", (int64_t)j->info.file_bytes);
    if (c->known) {
        json_int(&o, "flops", c->m.flops);
        json_int(&o, "activation_bytes", (int64_t)c->m.planned);
        json_int(&o, "activation_lower_bound", (int64_t)c->m.live_bound);
        json_int(&o, "peak_memory_bytes",
                 (int64_t)(c->m.planned + c->m.weights + c->m.packed + c->m.scratch));
    } else {
        json_null(&o, "flops");
        json_null(&o, "activation_bytes");
        json_null(&o, "activation_lower_bound");
        json_null(&o, "peak_memory_bytes");
    }
    json_findings(&o, l);
    json_close(&o, '}');
}

int cmd_info(const args *a)
{
    job   j;
    costs c;
    args  quiet = *a;
    onnxrun_lint *l = NULL;
    int   status = open_job(&j, a, a->positional.v[0]);
    if (status == 0)
        status = plan(&j, &quiet, &c);
    if (status == 0 && onnxrun_lint_run(j.model, &l, &j.err))
        status = complain_of(j.path, &j.err);
    if (status == 0 && a->json)
        print_json(&j, &c, l);
    else if (status == 0)
        print_text(&j, &c, l);
    onnxrun_lint_destroy(l);
    close_job(&j);
    return status;
}
