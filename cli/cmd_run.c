#include "cli/cli.h"

#include <stdlib.h>
#include <string.h>

static void print_text(const job *j)
{
    for (int i = 0; i < j->n_out; i++) {
        const char *name = clean(onnxrun_session_output(j->session, i)->name);
        char type[320];
        onnxrun_stats s;
        onnxrun_value_text(j->out[i], type, sizeof type);
        onnxrun_value_stats(j->out[i], &s);
        if (onnxrun_value_kind(j->out[i]) != ONNXRUN_TENSOR ||
            onnxrun_value_dtype(j->out[i]) == ONNXRUN_STR)
            printf("%s  %s\n", name, type);
        else
            printf("%s  %s  min %s  mean %s  max %s  nan %lld  inf %lld\n", name, type,
                   short_text(s.min), short_text((float)s.mean), short_text(s.max),
                   (long long)s.nan, (long long)s.inf);
    }
}

static void print_json(const job *j)
{
    json o = { .f = stdout };
    json_open(&o, NULL, '{');
    json_int(&o, "schema", 1);
    json_str(&o, "model", j->path);
    json_open(&o, "outputs", '[');
    for (int i = 0; i < j->n_out; i++) {
        const onnxrun_value *v = j->out[i];
        bool tensor = onnxrun_value_kind(v) == ONNXRUN_TENSOR;
        char type[320];
        onnxrun_stats s;
        onnxrun_value_stats(v, &s);
        json_open(&o, NULL, '{');
        json_str(&o, "name", onnxrun_session_output(j->session, i)->name);
        json_str(&o, "type", tensor ? onnxrun_dtype_name(onnxrun_value_dtype(v))
                                    : onnxrun_value_text(v, type, sizeof type));
        if (tensor)
            json_shape(&o, "shape", onnxrun_value_rank(v), onnxrun_value_dims(v));
        if (tensor && onnxrun_value_dtype(v) != ONNXRUN_STR) {
            json_num(&o, "min", s.min);
            json_num(&o, "mean", s.mean);
            json_num(&o, "max", s.max);
            json_int(&o, "nan", s.nan);
            json_int(&o, "inf", s.inf);
        }
        json_int(&o, "elements", s.elements);
        json_close(&o, '}');
    }
    json_close(&o, ']');
    json_close(&o, '}');
}

static int save(job *j, onnxrun_output *o)
{
    for (int i = 0; i < j->n_out; i++) {
        const onnxrun_info *info = onnxrun_session_output(j->session, i);
        if (onnxrun_output_add(o, info->name, j->out[i], info, &j->err))
            return complain("output \"%s\": %s", clean(info->name), j->err.text);
    }
    return 0;
}

/* Saved files appear last: whatever fails before leaves none. */
static int run(job *j, const args *a, onnxrun_output *o)
{
    list files = { a->positional.v + 1, a->positional.n - 1 };
    int  status = open_job(j, a, a->positional.v[0]);
    if (status == 0)
        status = feed_job(j, &files);
    if (status == 0)
        status = start_job(j, a->outputs.v, a->outputs.n);
    if (status == 0)
        status = run_job(j);
    if (status == 0 && o)
        status = save(j, o);
    if (status != 0)
        return status;
    if (a->json)
        print_json(j);
    else
        print_text(j);
    status = finish_stdout(STATUS_OK);
    if (status == 0 && o && onnxrun_output_commit(o, &j->err))
        status = complain("%s", j->err.text);
    return status;
}

int cmd_run(const args *a)
{
    onnxrun_output *o = NULL;
    onnxrun_error   err;
    onnxrun_format  format = a->format && strcmp(a->format, "test-case") == 0 ? ONNXRUN_TEST_CASE
                                                                               : ONNXRUN_BY_NAME;
    if (a->output && onnxrun_output_open(a->output, format, &o, &err))
        return complain("-o %s: %s", clean(a->output), err.text);
    job j;
    int status = run(&j, a, o);
    close_job(&j);
    onnxrun_output_destroy(o);
    return status;
}
