/* References are paired with outputs by name or by position, then judged one by one. */
#include "cli/cli.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef struct pair {
    char                *name;   /* of the value in the model */
    const onnxrun_value *expected;
} pair;

typedef struct references {
    pair            *pair;
    int              n;
    onnxrun_bundle **bundle;  /* own the values */
    int              n_bundle;
    bool             by_position;
} references;

static const onnxrun_info *find_output(const job *j, const char *name)
{
    for (int i = 0; i < j->info.n_output; i++)
        if (strcmp(onnxrun_model_output(j->model, i)->name, name) == 0)
            return onnxrun_model_output(j->model, i);
    return NULL;
}

static int add_pair(references *r, const char *name, const onnxrun_value *v)
{
    for (int i = 0; i < r->n; i++)
        if (strcmp(r->pair[i].name, name) == 0)
            return complain("output \"%s\" has two references", clean(name));
    pair *grown = realloc(r->pair, (size_t)(r->n + 1) * sizeof *grown);
    char *copy = strdup(name);
    if (grown)
        r->pair = grown;
    if (!grown || !copy) {
        free(copy);
        return complain("out of memory");
    }
    r->pair[r->n++] = (pair){ copy, v };
    return 0;
}

/* A file or folder of values; NULL after complaining. */
static onnxrun_bundle *load(job *j, references *r, const char *file, const onnxrun_info *only)
{
    size_t n = only ? 1 : (size_t)j->info.n_output;
    const onnxrun_info **infos = calloc(n + 1, sizeof *infos);
    onnxrun_bundle **grown = realloc(r->bundle, (size_t)(r->n_bundle + 1) * sizeof *grown),
                   *b = NULL;
    if (grown)
        r->bundle = grown;
    if (!infos || !grown) {
        free(infos);
        complain("out of memory");
        return NULL;
    }
    onnxrun_info any;
    for (size_t i = 0; i < n && !only; i++)
        infos[i] = onnxrun_model_output(j->model, (int)i);
    if (only) { /* whatever the file is called */
        any = *only;
        any.name = NULL;
        infos[0] = &any;
    }
    if (onnxrun_bundle_load(file, infos, n, &b, &j->err))
        complain_of(j->path, &j->err);
    else
        r->bundle[r->n_bundle++] = b;
    free(infos);
    return b;
}

/* The output that a file of a folder belongs to: its name, or the file name made of its name. */
static const char *name_in_model(const job *j, const char *stem)
{
    char file[256];
    if (find_output(j, stem))
        return stem;
    for (int i = 0; i < j->info.n_output; i++) {
        const char *name = onnxrun_model_output(j->model, i)->name;
        if (onnxrun_file_name(name, file, sizeof file) && strcmp(file, stem) == 0)
            return name;
    }
    return stem;
}

static int add_by_position(job *j, references *r, const char *file)
{
    if (r->n >= j->info.n_output)
        return complain("%s: it has %d output%s, %s is one reference too many", j->path,
                        j->info.n_output, j->info.n_output == 1 ? "" : "s", clean(file));
    const onnxrun_info *info = onnxrun_model_output(j->model, r->n);
    r->by_position = true;
    onnxrun_bundle *b = load(j, r, file, info);
    return b ? add_pair(r, info->name, onnxrun_bundle_value(b, 0)) : STATUS_BAD;
}

/* A test_data_set folder, or what --format test-case makes. */
static int add_case(job *j, references *r, const char *folder)
{
    char path[4096];
    int  status = 0;
    for (int i = 0; status == 0 && case_file(path, sizeof path, folder, "output", i); i++)
        status = add_by_position(j, r, path);
    return status;
}

static int add_reference(job *j, references *r, const char *text)
{
    char name[512];
    const char *file;
    char path[4096];
    onnxrun_bundle *b;
    if (case_file(path, sizeof path, text, "output", 0))
        return add_case(j, r, text);
    if (split_name(text, name, sizeof name, &file)) {
        if (!(b = load(j, r, file, find_output(j, name))))
            return STATUS_BAD;
        if (onnxrun_bundle_count(b) != 1)
            return complain("%s: %s holds %zu values, output \"%s\" is one", j->path, file,
                            onnxrun_bundle_count(b), clean(name));
        return add_pair(r, name, onnxrun_bundle_value(b, 0));
    }
    if (is_bundle(text)) {
        int status = 0;
        if (!(b = load(j, r, text, NULL)))
            return STATUS_BAD;
        for (size_t i = 0; i < onnxrun_bundle_count(b) && status == 0; i++)
            status = add_pair(r, name_in_model(j, onnxrun_bundle_name(b, i)),
                              onnxrun_bundle_value(b, i));
        return status;
    }
    return add_by_position(j, r, text);
}

/* input_<i> or output_<j> of an input set, .npy or as ONNX's test data. */
static bool set_file(char *buf, size_t n, const char *folder, const char *stem, int i)
{
    struct stat st;
    int w = snprintf(buf, n, "%s/%s_%d.npy", folder, stem, i);
    return (w > 0 && (size_t)w < n && stat(buf, &st) == 0) || case_file(buf, n, folder, stem, i);
}

static int feed_case(job *j, const char *folder)
{
    char file[4096];
    int  n = j->info.n_input, status = 0;
    char **path = calloc((size_t)n + 1, sizeof *path);
    if (!path)
        return complain("out of memory");
    list files = { (const char **)path, 0 };
    for (int i = 0; i < n && set_file(file, sizeof file, folder, "input", i) && status == 0; i++)
        if (!(path[files.n++] = strdup(file)))
            status = complain("out of memory");
    if (status == 0)
        status = feed_job(j, &files);
    for (int i = 0; i < n; i++)
        free(path[i]);
    free(path);
    return status;
}

static int load_references(job *j, references *r, const char *data_set)
{
    char file[4096];
    int status = 0;
    if (data_set) {
        for (int i = 0; i < j->info.n_output && status == 0; i++)
            status = set_file(file, sizeof file, data_set, "output", i)
                         ? add_reference(j, r, file)
                         : complain("%s: there is no output_%d.npy or .pb", clean(data_set), i);
        return status;
    }
    if (j->a->expect.n == 0)
        return complain("check: --expect REF is missing");
    for (int i = 0; i < j->a->expect.n && status == 0; i++)
        status = add_reference(j, r, j->a->expect.v[i]);
    if (status == 0 && r->by_position && r->n < j->info.n_output)
        return complain("%s: output \"%s\" has no reference (NAME=FILE compares some outputs only)",
                        j->path, clean(onnxrun_model_output(j->model, r->n)->name));
    return status;
}

/* The float64 oracle speaks where the tolerance does not hold, or where it alone is to decide. */
static int ask_oracle(job *j, const references *r, verdict *v)
{
    size_t n = (size_t)r->n + 1;
    const char **names = calloc(n, sizeof *names);
    const onnxrun_value **expected = calloc(n, sizeof *expected);
    bool *equal = calloc(n, sizeof *equal);
    onnxrun_judgement *out = calloc(n, sizeof *out);
    int status = names && expected && equal && out ? 0 : complain("out of memory");
    for (int i = 0; i < r->n && status == 0; i++) {
        names[i] = r->pair[i].name;
        expected[i] = r->pair[i].expected;
        equal[i] = v[i].c.equal;
    }
    if (status == 0 && onnxrun_judge(j->model, &j->options, j->in, r->n, names, j->out, expected,
                                     equal, out, &j->err))
        status = complain_of(j->path, &j->err);
    for (int i = 0; i < r->n && status == 0; i++) {
        v[i].judged = true;
        v[i].j = out[i];
    }
    free(names);
    free(expected);
    free(equal);
    free(out);
    return status;
}

static int judge(job *j, const references *r, const char *data_set)
{
    const args *a = j->a;
    onnxrun_tolerance tolerance = { a->rtol, a->atol, j->options.f64 };
    verdict *v = calloc((size_t)r->n + 1, sizeof *v);
    bool all = true;
    int  status = v ? 0 : complain("out of memory");
    if (a->tolerance)
        tolerance.rtol = tolerance.atol = 0;
    for (int i = 0; i < r->n && status == 0; i++) {
        v[i].name = r->pair[i].name;
        onnxrun_value_text(j->out[i], v[i].type, sizeof v[i].type);
        if (onnxrun_compare(j->out[i], r->pair[i].expected, &tolerance, &v[i].c, &j->err))
            status = complain_of(j->path, &j->err);
        all &= v[i].c.equal;
    }
    if (status == 0 && (!all || a->tolerance) && !j->options.f64)
        status = ask_oracle(j, r, v);
    if (status == 0)
        status = print_verdicts(a, v, r->n, data_set);
    free(v);
    return status;
}

/* data_set: a folder of inputs and references, or NULL for those of the command line. */
static int check(job *j, const args *a, references *r, const char *data_set)
{
    list files = { a->positional.v + 1, a->positional.n - 1 };
    int  status = open_job(j, a, a->positional.v[0]);
    /* what is judged is the graph as written: near the middle of two steps integers may round the other way */
    j->options.float_qdq = a->optimize < 0;
    if (status == 0)
        status = data_set ? feed_case(j, data_set) : feed_job(j, &files);
    if (status == 0)
        status = load_references(j, r, data_set);
    if (status != 0)
        return status;
    const char **names = calloc((size_t)r->n + 1, sizeof *names);
    if (!names)
        return complain("out of memory");
    for (int i = 0; i < r->n; i++)
        names[i] = r->pair[i].name;
    status = start_job(j, names, r->n);
    free(names);
    if (status == 0)
        status = run_job(j);
    return status ? status : judge(j, r, data_set);
}

static int check_one(const args *a, const char *data_set)
{
    references r = { 0 };
    job j;
    int status = check(&j, a, &r, data_set);
    for (int i = 0; i < r.n; i++)
        free(r.pair[i].name);
    free(r.pair);
    for (int i = 0; i < r.n_bundle; i++)
        onnxrun_bundle_destroy(r.bundle[i]);
    free(r.bundle);
    close_job(&j);
    return status;
}

int cmd_check(const args *a)
{
    int worst = 0;
    if (a->cases.n == 0)
        return check_one(a, NULL);
    if (a->expect.n > 0 || a->positional.n > 1)
        return complain("check: --case brings inputs and references, no others are taken");
    for (int i = 0; i < a->cases.n; i++) {
        int status = check_one(a, a->cases.v[i]);
        worst = status > worst ? status : worst;
    }
    return worst;
}
