/* The smallest reproducer of a difference, as an ONNX test case. */
#include "cli/cli.h"

#include <string.h>

static void print_text(const args *a, const onnxrun_reduction *r)
{
    if (*r->reason)
        printf("%s\n", clean(r->reason));
    if (!r->written) {
        puts("nothing departs: nothing to reduce");
        return;
    }
    printf("%s: node \"%s\" (%s): %zu node%s, %zu input%s, %zu constant%s, %zu output%s, %s\n",
           clean(a->output), clean(r->node), clean(r->op), r->n_node, r->n_node == 1 ? "" : "s",
           r->n_input, r->n_input == 1 ? "" : "s", r->n_weight, r->n_weight == 1 ? "" : "s",
           r->n_output, r->n_output == 1 ? "" : "s", size_text((double)r->n_bytes));
    if (r->no_truth)
        puts("an expected output is what onnxrun computes: the operator has no float64 truth");
    printf("replay it: onnxrun test %s (absolute tolerance %s)\n", clean(a->output),
           number_text(r->tolerance));
}

static void print_json(const args *a, const onnxrun_reduction *r)
{
    json o = { .f = stdout };
    json_open(&o, NULL, '{');
    json_int(&o, "schema", 1);
    json_str(&o, "reason", *r->reason ? r->reason : NULL);
    json_str(&o, "written", r->written ? a->output : NULL);
    json_str(&o, "node", r->written ? r->node : NULL);
    json_str(&o, "op", r->written ? r->op : NULL);
    json_str(&o, "value", *r->value ? r->value : NULL);
    json_bool(&o, "truth", r->written && !r->no_truth);
    json_int(&o, "nodes", (int64_t)r->n_node);
    json_int(&o, "inputs", (int64_t)r->n_input);
    json_int(&o, "constants", (int64_t)r->n_weight);
    json_int(&o, "outputs", (int64_t)r->n_output);
    json_int(&o, "bytes", (int64_t)r->n_bytes);
    json_num(&o, "atol", r->tolerance);
    json_close(&o, '}');
}

static int reduce(job *j, holdings *k)
{
    const args *a = j->a;
    onnxrun_reduction r;
    int status = load_known(j, k);
    if (status)
        return status;
    if (onnxrun_reduce(j->model, &j->options, j->in, k->n, k->name, k->value, a->node, a->output, &r,
                       &j->err))
        return complain_of(j->path, &j->err);
    if (a->json)
        print_json(a, &r);
    else
        print_text(a, &r);
    return r.written && !a->node ? STATUS_DIFFERENT : STATUS_OK;
}

int cmd_reduce(const args *a)
{
    holdings k = { 0 };
    job j;
    list files = { a->positional.v + 1, a->positional.n - 1 };
    if (!a->against)
        return complain("reduce: --against REF is missing");
    if (!a->output)
        return complain("reduce: -o DIR is missing");
    int status = open_job(&j, a, a->positional.v[0]);
    if (status == 0)
        status = feed_job(&j, &files);
    for (int i = 0, n = 0; i < j.n_in && status == 0; i++)
        if (i < j.info.n_input || j.given[i])
            j.in[n++] = j.given[i];
    if (status == 0)
        status = reduce(&j, &k);
    release_known(&k);
    close_job(&j);
    return status;
}
