/* What a reference holds: an .npz or a folder of values by name, or another model run on the same
 * inputs. */
#include "cli/cli.h"

#include <stdlib.h>
#include <string.h>

static bool ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), m = strlen(end);
    return n >= m && strcmp(s + n - m, end) == 0;
}

static int reserve(holdings *k, size_t n)
{
    k->name = calloc(n + 1, sizeof *k->name);
    k->value = calloc(n + 1, sizeof *k->value);
    return k->name && k->value ? 0 : complain("out of memory");
}

/* A session of the model as written that could give every value. */
static int open_all(job *j, const onnxrun_model *m, const char *path, onnxrun_session **out)
{
    static const char *const all[] = { "all" };
    onnxrun_options o = j->options;
    o.optimize = 0;
    o.outputs = all;
    o.n_outputs = 1;
    if (onnxrun_session_create(m, &o, out, &j->err))
        return complain_of(path, &j->err);
    return 0;
}

/* The value's name that a file of this name stands for; NULL: none. */
static const char *value_name(const onnxrun_session *s, const char *stem)
{
    for (int i = 0; i < onnxrun_session_n_output(s); i++) {
        const char *name = onnxrun_session_output(s, i)->name, *a = name, *b = stem;
        if (strcmp(name, stem) == 0)
            return name;
        for (; *a && *b; a++) {
            if (((unsigned char)*a & 0xc0) == 0x80)
                continue;
            bool plain = strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-", *a);
            if (*b++ != (plain ? *a : '_'))
                break;
        }
        if (!*a && !*b)
            return name;
    }
    return NULL;
}

static int hold_bundle(job *j, holdings *k, const char *path)
{
    if (onnxrun_bundle_load(path, NULL, 0, &k->bundle, &j->err))
        return complain_of(j->path, &j->err);
    size_t n = onnxrun_bundle_count(k->bundle);
    int status = reserve(k, n);
    if (status == 0)
        status = open_all(j, j->model, j->path, &k->names);
    for (size_t i = 0; i < n && status == 0; i++) {
        const char *name = value_name(k->names, onnxrun_bundle_name(k->bundle, i));
        if (name) {
            k->name[k->n] = name;
            k->value[k->n++] = onnxrun_bundle_value(k->bundle, i);
        } else if (j->a->verbose) {
            fprintf(stderr, "onnxrun: note: the graph has no value \"%s\"\n",
                    clean(onnxrun_bundle_name(k->bundle, i)));
        }
    }
    if (status == 0 && k->n == 0)
        status = complain("%s: none of the %zu values in %s is a value of the graph", j->path, n, path);
    return status;
}

/* Every value of another model run on the same inputs; its outputs stand for ours by position. */
static int hold_model(job *j, holdings *k, const char *path)
{
    if (onnxrun_model_load(path, &k->model, &j->err))
        return complain_of(path, &j->err);
    onnxrun_model_info info;
    onnxrun_model_describe(k->model, &info);
    int status = open_all(j, k->model, path, &k->session);
    if (status)
        return status;
    if (info.n_input != j->info.n_input)
        return complain("%s: it has %d inputs, %s has %d", path, info.n_input, j->path, j->info.n_input);
    int n = onnxrun_session_n_output(k->session);
    k->out = calloc((size_t)n + 1, sizeof *k->out);
    status = k->out ? reserve(k, (size_t)(n + info.n_output)) : complain("out of memory");
    if (status == 0 && onnxrun_session_run(k->session, j->in, k->out, &j->err))
        status = complain_of(path, &j->err);
    for (int i = 0; i < n && status == 0; i++) {
        k->name[k->n] = onnxrun_session_output(k->session, i)->name;
        k->value[k->n++] = k->out[i];
    }
    for (int i = 0; i < info.n_output && i < j->info.n_output && status == 0; i++)
        for (int o = 0; o < n; o++)
            if (strcmp(onnxrun_session_output(k->session, o)->name,
                       onnxrun_model_output(k->model, i)->name) == 0) {
                k->name[k->n] = onnxrun_model_output(j->model, i)->name;
                k->value[k->n++] = k->out[o];
            }
    return status;
}

void release_known(holdings *k)
{
    onnxrun_session_destroy(k->session);
    onnxrun_session_destroy(k->names);
    onnxrun_model_destroy(k->model);
    onnxrun_bundle_destroy(k->bundle);
    free(k->out);
    free(k->name);
    free(k->value);
}

int load_known(job *j, holdings *k)
{
    const char *against = j->a->against;
    if (strcmp(against, "oracle") == 0)
        return 0;
    return ends_with(against, ".onnx") ? hold_model(j, k, against) : hold_bundle(j, k, against);
}
