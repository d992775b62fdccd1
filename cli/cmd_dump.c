#include "cli/cli.h"

#include <string.h>

static int dump(job *j, const args *a, args *filled)
{
    list files = { a->positional.v + 1, a->positional.n - 1 };
    const char *stage = a->stage ? a->stage : "plan";
    bool plan = strcmp(stage, "plan") == 0;
    if (!plan && strcmp(stage, "load") != 0 && strcmp(stage, "infer") != 0 &&
        strcmp(stage, "opt") != 0)
        return complain("--stage %s: load, infer, opt or plan is wanted", clean(stage));
    int status = open_job(j, a, a->positional.v[0]);
    if (status == 0 && strcmp(stage, "load") == 0) {
        onnxrun_model_dump(j->model, stdout);
        return STATUS_OK;
    }
    filled->random = true; /* inputs without a file only lend their shapes */
    j->a = filled;
    if (status == 0 && (plan || files.n > 0))
        status = feed_job(j, &files);
    if (status == 0)
        status = start_job(j, NULL, 0);
    if (status == 0 && plan && onnxrun_session_plan(j->session, j->in, &j->err))
        status = complain_of(j->path, &j->err);
    if (status == 0 && onnxrun_session_dump(j->session, stage, stdout, &j->err))
        status = complain_of(j->path, &j->err);
    return status;
}

int cmd_dump(const args *a)
{
    job  j = { 0 };
    args filled = *a;
    int  status = dump(&j, a, &filled);
    close_job(&j);
    return status;
}
