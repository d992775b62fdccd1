/* From the command line to a run: model, inputs, session. */
#include "cli/cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int apply_options(const args *a)
{
    onnxrun_error err;
    onnxrun_set_verbose(a->verbose);
    if (a->max_memory >= 0)
        onnxrun_set_max_memory((size_t)a->max_memory);
    if (a->isa && onnxrun_set_isa(a->isa, &err))
        return complain("--isa %s: %s", clean(a->isa), err.text);
    return 0;
}

int open_job(job *j, const args *a, const char *path)
{
    *j = (job){ .a = a, .path = path };
    int64_t start = onnxrun_clock_ns();
    onnxrun_options *o = &j->options;
    onnxrun_options_init(o);
    o->threads = a->threads > 0 ? (int)a->threads : 0;
    o->optimize = a->optimize >= 0 ? (int)a->optimize : o->optimize;
    o->f64 = a->precision && strcmp(a->precision, "f64") == 0;
    o->seeded = a->seeded;
    o->seed = a->seed;
    if (onnxrun_model_load(path, &j->model, &j->err))
        return complain_of(path, &j->err);
    onnxrun_model_describe(j->model, &j->info);
    j->n_in = j->info.n_input + j->info.n_override;
    j->given = calloc((size_t)j->n_in + 1, sizeof *j->given);
    j->in = calloc((size_t)j->n_in + 1, sizeof *j->in);
    j->override = calloc((size_t)j->n_in + 1, sizeof *j->override);
    if (!j->given || !j->in || !j->override)
        return complain("out of memory");
    j->load_ms = (double)(onnxrun_clock_ns() - start) / 1e6;
    return 0;
}

void close_job(job *j)
{
    for (int i = 0; i < j->n_in && j->given; i++)
        onnxrun_value_destroy(j->given[i]);
    onnxrun_session_destroy(j->session);
    onnxrun_model_destroy(j->model);
    free(j->given);
    free(j->in);
    free(j->out);
    free(j->override);
}

/* ---- inputs from files ---- */

static const onnxrun_info *input(const job *j, int i) { return onnxrun_model_input(j->model, i); }

static int find_input(const job *j, const char *name)
{
    for (int i = 0; i < j->n_in; i++)
        if (strcmp(input(j, i)->name, name) == 0)
            return i;
    return -1;
}

bool split_name(const char *text, char *name, size_t n_name, const char **file)
{
    struct stat st;
    const char *eq = strchr(text, '=');
    if (!eq || eq == text || (size_t)(eq - text) >= n_name || stat(text, &st) == 0)
        return false;
    memcpy(name, text, (size_t)(eq - text));
    name[eq - text] = 0;
    *file = eq + 1;
    return true;
}

/* Names the input and the declaration before what went wrong with its file. */
static int complain_input(const job *j, int i, const char *cause)
{
    return complain("%s: input \"%s\": %s", j->path, clean(input(j, i)->name), cause);
}

/* Type and shape as declared, or --cast, or an error. */
static int accept(job *j, int i, onnxrun_value *take_v)
{
    const onnxrun_info *info = input(j, i);
    onnxrun_value *v = take_v;
    if (j->given[i]) {
        onnxrun_value_destroy(v);
        return complain("%s: input \"%s\" is given twice", j->path, clean(info->name));
    }
    onnxrun_dtype t = onnxrun_value_dtype(v);
    bool tensor = onnxrun_value_kind(v) == ONNXRUN_TENSOR && info->kind == ONNXRUN_TENSOR;
    bool keep = j->options.f64 && t == ONNXRUN_F64; /* more than was asked for: not rounded */
    if (tensor && j->a->cast && t != info->dtype && info->dtype != ONNXRUN_UNDEFINED && !keep) {
        onnxrun_value *cast;
        onnxrun_code code = onnxrun_value_cast(v, info->dtype, &cast, &j->err);
        onnxrun_value_destroy(v);
        if (code)
            return complain_input(j, i, j->err.text);
        v = cast;
    }
    j->given[i] = v;
    if (!(j->a->cast && keep) && onnxrun_value_check(v, info, &j->err))
        return complain_of(j->path, &j->err);
    return 0;
}

static int load_one(job *j, int i, const char *file)
{
    onnxrun_value *v;
    if (i < 0)
        return complain("%s: there is no input \"%s\"", j->path, clean(file));
    if (onnxrun_value_load(file, input(j, i), &v, &j->err))
        return complain_input(j, i, j->err.text);
    return accept(j, i, v);
}

bool case_file(char *path, size_t n, const char *folder, const char *stem, int j)
{
    struct stat st;
    return snprintf(path, n, "%s/%s_%d.pb", folder, stem, j) < (int)n && stat(path, &st) == 0;
}

/* A test_data_set folder: its outputs are none of our business here. */
static int load_case(job *j, const char *folder)
{
    char path[4096];
    int  status = 0;
    for (int i = 0; status == 0 && case_file(path, sizeof path, folder, "input", i); i++)
        status = i < j->info.n_input
                     ? load_one(j, i, path)
                     : complain("%s: it takes %d inputs, %s is one too many", j->path,
                                j->info.n_input, clean(path));
    return status;
}

/* All arrays of an .npz, or all files of a folder, by name. */
static int load_bundle(job *j, const char *file)
{
    const onnxrun_info **infos = calloc((size_t)j->n_in + 1, sizeof *infos);
    onnxrun_bundle *b = NULL;
    char path[4096];
    int status = 0;
    if (case_file(path, sizeof path, file, "input", 0) ||
        case_file(path, sizeof path, file, "output", 0)) {
        free(infos);
        return load_case(j, file);
    }
    if (!infos)
        return complain("out of memory");
    for (int i = 0; i < j->n_in; i++)
        infos[i] = input(j, i);
    if (onnxrun_bundle_load(file, infos, (size_t)j->n_in, &b, &j->err))
        status = complain_of(j->path, &j->err);
    for (size_t k = 0; status == 0 && k < onnxrun_bundle_count(b); k++) {
        const char *name = onnxrun_bundle_name(b, k);
        int i = find_input(j, name);
        onnxrun_value *v;
        if (i < 0)
            status = complain("%s: %s: there is no input \"%s\"", j->path, file, clean(name));
        else if (onnxrun_value_copy(onnxrun_bundle_value(b, k), &v, &j->err))
            status = complain_of(j->path, &j->err);
        else
            status = accept(j, i, v);
    }
    onnxrun_bundle_destroy(b);
    free(infos);
    return status;
}

bool is_bundle(const char *file)
{
    struct stat st;
    size_t n = strlen(file);
    return (n > 4 && strcmp(file + n - 4, ".npz") == 0) ||
           (stat(file, &st) == 0 && S_ISDIR(st.st_mode));
}

static int load_by_position(job *j, const char *file)
{
    int i = 0;
    while (i < j->info.n_input && j->given[i])
        i++;
    if (i == j->info.n_input)
        return complain("%s: it takes %d input%s, %s is one too many", j->path, j->info.n_input,
                        j->info.n_input == 1 ? "" : "s", clean(file));
    return load_one(j, i, file);
}

static int load_files(job *j, const list *files)
{
    char name[512];
    const char *file;
    for (int pass = 0; pass < 2; pass++) /* named ones first: the others fill what is left */
        for (int k = 0; k < files->n; k++) {
            bool named = split_name(files->v[k], name, sizeof name, &file);
            int  status = 0;
            if (named && pass == 0 && find_input(j, name) < 0)
                status = complain("%s: there is no input \"%s\"", j->path, clean(name));
            else if (named && pass == 0)
                status = load_one(j, find_input(j, name), file);
            else if (!named && is_bundle(files->v[k]))
                status = pass == 0 ? load_bundle(j, files->v[k]) : 0;
            else if (!named && pass == 1)
                status = load_by_position(j, files->v[k]);
            if (status)
                return status;
        }
    return 0;
}

/* ---- generated inputs ---- */

/* Sizes of symbols: from --dim, then from the inputs that files gave; else -1. */
static int64_t symbol_size(const job *j, const char *symbol)
{
    size_t n = strlen(symbol);
    for (int k = 0; k < j->a->dims.n; k++) {
        const char *s = j->a->dims.v[k];
        if (strncmp(s, symbol, n) == 0 && s[n] == '=')
            return strtoll(s + n + 1, NULL, 10);
    }
    for (int i = 0; i < j->n_in; i++) {
        const onnxrun_info *info = input(j, i);
        if (!j->given[i] || onnxrun_value_kind(j->given[i]) != ONNXRUN_TENSOR)
            continue;
        for (int d = 0; d < info->rank && d < onnxrun_value_rank(j->given[i]); d++)
            if (info->symbol[d] && strcmp(info->symbol[d], symbol) == 0)
                return onnxrun_value_dims(j->given[i])[d];
    }
    return -1;
}

static int64_t axis_size(const job *j, const onnxrun_info *info, int axis)
{
    char key[600];
    snprintf(key, sizeof key, "%s:%d", info->name, axis);
    return symbol_size(j, key);
}

/* Every --dim must mean something in this model. */
static int check_dims(const job *j)
{
    for (int k = 0; k < j->a->dims.n; k++) {
        const char *s = j->a->dims.v[k], *eq = strrchr(s, '=');
        char  *end = NULL;
        bool   known = false;
        errno = 0;
        if (!eq || eq == s || strtoll(eq + 1, &end, 10) < 0 || end == eq + 1 || *end || errno)
            return complain("--dim %s: NAME=N is wanted", clean(s));
        for (int i = 0; i < j->n_in; i++)
            for (int d = 0; d < input(j, i)->rank; d++) {
                const char *symbol = input(j, i)->symbol[d];
                char axis[600];
                snprintf(axis, sizeof axis, "%s:%d", input(j, i)->name, d);
                size_t n = (size_t)(eq - s);
                known |= symbol && strlen(symbol) == n && strncmp(symbol, s, n) == 0;
                known |= strlen(axis) == n && strncmp(axis, s, n) == 0;
            }
        if (!known)
            return complain("%s: --dim %s: no input has such a dimension", j->path, clean(s));
    }
    return 0;
}

static int generate(job *j, int i)
{
    const onnxrun_info *info = input(j, i);
    int64_t dim[ONNXRUN_MAX_RANK];
    for (int d = 0; d < info->rank; d++) {
        dim[d] = info->dim[d];
        if (dim[d] < 0)
            dim[d] = axis_size(j, info, d);
        if (dim[d] < 0 && info->symbol[d])
            dim[d] = symbol_size(j, info->symbol[d]);
        if (dim[d] >= 0)
            continue;
        dim[d] = 1;
        if (j->a->verbose && info->symbol[d])
            fprintf(
                stderr,
                "onnxrun: note: dimension \"%s\" of input \"%s\" is not given: 1 (--dim %s=N)\n",
                clean(info->symbol[d]), clean(info->name), clean(info->symbol[d]));
    }
    /* every input has numbers of its own */
    uint64_t seed = j->a->random_seed * 1000003u + (uint64_t)i;
    if (onnxrun_value_random(info, dim, seed, &j->given[i], &j->err))
        return complain_of(j->path, &j->err);
    return 0;
}

int feed_job(job *j, const list *files)
{
    int status = check_dims(j);
    if (status == 0)
        status = load_files(j, files);
    for (int i = 0; i < j->n_in && status == 0; i++) {
        const onnxrun_info *info = input(j, i);
        if (j->given[i] && i >= j->info.n_input)
            j->override[j->options.n_override++] = info->name;
        if (j->given[i] || i >= j->info.n_input)
            continue;
        if (j->a->random || info->optional)
            status = generate(j, i);
        else
            status = complain("%s: input \"%s\" (%s) is missing: give a file, or --random", j->path,
                              clean(info->name), clean(info->type));
    }
    j->options.override = j->override;
    return status;
}

/* ---- running ---- */

int start_job(job *j, const char *const *names, int n_names)
{
    int64_t start = onnxrun_clock_ns();
    j->options.outputs = names;
    j->options.n_outputs = n_names;
    if (onnxrun_session_create(j->model, &j->options, &j->session, &j->err))
        return complain_of(j->path, &j->err);
    j->load_ms += (double)(onnxrun_clock_ns() - start) / 1e6;
    for (int i = 0, k = 0; i < j->n_in; i++)
        if (i < j->info.n_input || j->given[i])
            j->in[k++] = j->given[i];
    j->n_out = onnxrun_session_n_output(j->session);
    j->out = calloc((size_t)j->n_out + 1, sizeof *j->out);
    return j->out ? 0 : complain("out of memory");
}

int run_job(job *j)
{
    if (onnxrun_session_run(j->session, j->in, j->out, &j->err))
        return complain_of(j->path, &j->err);
    return 0;
}
