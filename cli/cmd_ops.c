#include "cli/cli.h"

#include <string.h>
#include <strings.h>

static const char *types_text(uint64_t types)
{
    static char text[512];
    size_t n = 0;
    text[0] = 0;
    for (int t = 1; t < ONNXRUN_N_DTYPES; t++)
        if (types >> t & 1)
            n += (size_t)snprintf(text + n, sizeof text - n, "%s%s", n ? " " : "",
                                  onnxrun_dtype_name((onnxrun_dtype)t));
    return text;
}

static void versions_text(const onnxrun_op_row *r, char *to, size_t n)
{
    if (r->until == INT32_MAX)
        snprintf(to, n, "%d-", r->since);
    else if (r->until == r->since)
        snprintf(to, n, "%d", r->since);
    else
        snprintf(to, n, "%d-%d", r->since, r->until);
}

static bool wanted(const onnxrun_op_row *r, const char *name)
{
    return !name || strcasecmp(r->name, name) == 0;
}

/* ---- ops --check ---- */

static void say_missing(json *o, const args *a, const onnxrun_op_row *r, const char *variable, const char *type)
{
    if (!a->json) {
        printf("%s %s-%d %s=%s%s\n", r->domain, r->name, r->since, variable, type,
               r->supported ? "" : " (no kernel of this version)");
        return;
    }
    json_open(o, NULL, '{');
    json_str(o, "domain", r->domain);
    json_str(o, "op", r->name);
    json_int(o, "version", r->since);
    json_str(o, "variable", variable);
    json_str(o, "type", type);
    json_close(o, '}');
}

/* How many types a variable has; *n_served of them run, the others are said. */
static int64_t check_types(json *o, const args *a, const onnxrun_op_row *r, const onnxrun_op_types *v,
                           int64_t *n_served)
{
    int64_t n = 0;
    *n_served = 0;
    for (int t = 0; t < ONNXRUN_N_DTYPES; t++) { /* 0 stands for what is no tensor */
        bool allowed = t ? v->types >> t & 1 : v->other, served = t ? v->served >> t & 1 : v->other_served;
        n += allowed;
        *n_served += allowed && served;
        if (allowed && !served)
            say_missing(o, a, r, v->name, t ? onnxrun_dtype_name((onnxrun_dtype)t) : "other");
    }
    return n;
}

static int check(const args *a, const char *name)
{
    onnxrun_op_row r;
    int64_t missing = 0, all = 0;
    json o = { .f = stdout };
    if (a->json) {
        json_open(&o, NULL, '{');
        json_int(&o, "schema", 1);
        json_open(&o, "missing", '[');
    }
    for (size_t i = 0; onnxrun_op_at(i, &r); i++) {
        int64_t combinations = 1, served = r.supported;
        if (!wanted(&r, name) || (r.removed && !r.supported))
            continue;
        if (r.n_var == 0 && !r.supported)
            say_missing(&o, a, &r, "", "");
        for (int v = 0; v < r.n_var; v++) {
            int64_t n_served;
            combinations *= check_types(&o, a, &r, &r.var[v], &n_served);
            served *= n_served;
        }
        all += combinations;
        missing += combinations - served;
    }
    if (a->json) {
        json_close(&o, ']');
        json_int(&o, "served", all - missing);
        json_int(&o, "combinations_missing", missing);
        json_close(&o, '}');
    } else {
        printf("%lld served, %lld missing\n", (long long)(all - missing), (long long)missing);
    }
    return missing ? STATUS_DIFFERENT : STATUS_OK;
}

/* ---- the list ---- */

static void json_types(json *o, const char *key, uint64_t types)
{
    json_open(o, key, '[');
    for (int t = 1; t < ONNXRUN_N_DTYPES; t++)
        if (types >> t & 1)
            json_str(o, NULL, onnxrun_dtype_name((onnxrun_dtype)t));
    json_close(o, ']');
}

static int list_json(const char *name)
{
    onnxrun_op_row r;
    json o = { .f = stdout };
    json_open(&o, NULL, '{');
    json_int(&o, "schema", 1);
    json_open(&o, "operators", '[');
    for (size_t i = 0; onnxrun_op_at(i, &r); i++) {
        if (!wanted(&r, name))
            continue;
        json_open(&o, NULL, '{');
        json_str(&o, "domain", r.domain);
        json_str(&o, "op", r.name);
        json_int(&o, "since", r.since);
        if (r.until == INT32_MAX)
            json_null(&o, "until");
        else
            json_int(&o, "until", r.until);
        json_bool(&o, "supported", r.supported);
        json_bool(&o, "deprecated", r.deprecated);
        json_bool(&o, "removed", r.removed);
        json_types(&o, "types", r.var[0].served);
        json_types(&o, "missing_types", r.var[0].types & ~r.var[0].served);
        json_open(&o, "variables", '{');
        for (int v = 0; v < r.n_var; v++)
            json_types(&o, r.var[v].name, r.var[v].served);
        json_close(&o, '}');
        json_close(&o, '}');
    }
    json_close(&o, ']');
    json_close(&o, '}');
    return STATUS_OK;
}

static int list_text(const char *name)
{
    onnxrun_op_row r;
    int rows = 0, supported = 0;
    for (size_t i = 0; onnxrun_op_at(i, &r); i++) {
        char versions[32], types[560] = "";
        if (!wanted(&r, name))
            continue;
        versions_text(&r, versions, sizeof versions);
        rows++;
        supported += r.supported;
        if (r.var[0].served)
            snprintf(types, sizeof types, "%s", types_text(r.var[0].served));
        else if (r.var[0].other_served)
            snprintf(types, sizeof types, "all");
        printf("%-28s %-28s %-8s %s%s%s\n", r.domain, r.name, versions,
               r.supported ? types : "unsupported", r.deprecated ? "  (deprecated)" : "",
               r.removed ? "  (removed from ONNX)" : "");
        for (int v = 0; name && r.supported && v < r.n_var; v++) {
            const onnxrun_op_types *t = &r.var[v];
            if (v > 0)
                printf("%66s%s: %s%s\n", "", t->name, types_text(t->served), t->other_served && t->other ? " other" : "");
            if (t->types & ~t->served)
                printf("%66smissing: %s\n", "", types_text(t->types & ~t->served));
        }
    }
    if (!name)
        printf("%d of %d operator versions, newest opset %d\n", supported, rows,
               onnxrun_newest_opset("ai.onnx"));
    return rows ? STATUS_OK : complain("ONNX has no operator %s", clean(name));
}

int cmd_ops(const args *a)
{
    const char *name = a->positional.n ? a->positional.v[0] : NULL;
    if (a->check)
        return check(a, name);
    return a->json ? list_json(name) : list_text(name);
}
