#include "cli/cli.h"

#include <stdlib.h>
#include <string.h>

static const onnxrun_value *find(const onnxrun_bundle *b, const char *name)
{
    for (size_t i = 0; i < onnxrun_bundle_count(b); i++)
        if (strcmp(onnxrun_bundle_name(b, i), name) == 0)
            return onnxrun_bundle_value(b, i);
    return NULL;
}

static void one_sided(verdict *v, const char *name, const char *path)
{
    v->name = name;
    snprintf(v->type, sizeof v->type, "-");
    snprintf(v->c.text, sizeof v->c.text, "not in %.400s", path);
}

/* All names of EXPECTED, then those that only ACTUAL has. */
static int compare(const args *a, const onnxrun_bundle *actual, const onnxrun_bundle *expected,
                   bool pair)
{
    onnxrun_tolerance tolerance = { a->rtol, a->atol };
    onnxrun_error err;
    size_t n_e = onnxrun_bundle_count(expected), n_a = onnxrun_bundle_count(actual);
    verdict *v = calloc(n_e + n_a + 1, sizeof *v);
    int n = 0, status = v ? 0 : complain("out of memory");
    for (size_t i = 0; i < n_e && status == 0; i++, n++) {
        const char *name = onnxrun_bundle_name(expected, i);
        const onnxrun_value *x = pair ? onnxrun_bundle_value(actual, 0) : find(actual, name);
        if (!x) {
            one_sided(&v[n], name, a->positional.v[0]);
            continue;
        }
        v[n].name = name;
        onnxrun_value_text(x, v[n].type, sizeof v[n].type);
        if (onnxrun_compare(x, onnxrun_bundle_value(expected, i), &tolerance, &v[n].c, &err))
            status = complain_of(NULL, &err);
    }
    for (size_t i = 0; i < n_a && status == 0 && !pair; i++)
        if (!find(expected, onnxrun_bundle_name(actual, i)))
            one_sided(&v[n++], onnxrun_bundle_name(actual, i), a->positional.v[1]);
    if (status == 0)
        status = print_verdicts(a, v, n, NULL);
    free(v);
    return status;
}

int cmd_diff(const args *a)
{
    const char *path[2] = { a->positional.v[0], a->positional.v[1] };
    onnxrun_bundle *b[2] = { NULL, NULL };
    onnxrun_error err;
    onnxrun_info info = { .name = NULL, .kind = ONNXRUN_TENSOR };
    const onnxrun_info *declared = &info;
    int status = 0;
    if (a->dtype && (info.dtype = onnxrun_dtype_from_name(a->dtype)) == ONNXRUN_UNDEFINED)
        return complain("--dtype %s: no such element type", clean(a->dtype));
    if (is_bundle(path[0]) != is_bundle(path[1]))
        return complain("%s is one value and %s is not: two of a kind are wanted",
                        path[is_bundle(path[0])], path[!is_bundle(path[0])]);
    for (int i = 0; i < 2 && status == 0; i++)
        if (onnxrun_bundle_load(path[i], &declared, a->dtype ? 1 : 0, &b[i], &err))
            status = complain_of(NULL, &err);
    if (status == 0)
        status = compare(a, b[0], b[1], !is_bundle(path[0]));
    onnxrun_bundle_destroy(b[0]);
    onnxrun_bundle_destroy(b[1]);
    return status;
}
