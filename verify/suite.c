/* The suite's rule: rtol 1e-3 and atol 1e-7 unless data.json says otherwise, bf16 at least 2^-6,
 * all else exact.  A case whose model draws random numbers is compared by type and shape. */
#include "verify/suite.h"
#include "runtime/io/bundle.h"
#include "runtime/load/load.h"
#include "verify/compare.h"
#include "verify/trace.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { MAX_PATH = 4096 };
static const double suite_rtol = 1e-3, suite_atol = 1e-7;

typedef struct job {
    const char  *dir;
    ox_model    *model;
    ox_session  *session;
    ox_tolerance tol;
    int          n_in, n_out;
    ox_value    *in;        /* [n_in] */
    ox_value    *expected;  /* [n_out] */
    const ox_value **pin, **pout;
    const ox_options *options;
    ox_margins  *margins;   /* NULL: outputs are compared, else nodes held to their bounds */
    ox_error     err;
} job;

/* ---- data.json: {"rtol": 0.002, "atol": 1e-07} ---- */

static double number_of(const char *text, const char *key, double otherwise)
{
    const char *p = strstr(text, key);
    char *end;
    if (!p)
        return otherwise;
    p += strlen(key);
    p += strspn(p, " \t\r\n");
    if (*p++ != ':')
        return otherwise;
    double v = strtod(p, &end);
    return end == p || !(v >= 0) ? otherwise : v;
}

static void read_tolerance(job *j)
{
    char path[MAX_PATH], text[4096];
    j->tol = (ox_tolerance){ suite_rtol, suite_atol, true, j->options && j->options->f64 };
    snprintf(path, sizeof path, "%s/data.json", j->dir);
    FILE *f = fopen(path, "r");
    if (!f)
        return;
    text[fread(text, 1, sizeof text - 1, f)] = 0;
    fclose(f);
    j->tol.rtol = number_of(text, "\"rtol\"", suite_rtol);
    j->tol.atol = number_of(text, "\"atol\"", suite_atol);
}

/* ---- randomness ---- */

/* Whether input k of n is known and not zero: a constant, or what the data set feeds. */
static bool is_set(const job *j, const ox_graph *g, const ox_node *n, int k, bool otherwise)
{
    if (k >= n->n_in || n->in[k] < 0)
        return otherwise;
    const ox_tensor *t = g->value[n->in[k]].constant;
    for (int i = 0; !t && g == j->model->graph && i < g->n_in; i++)
        if (g->in[i] == n->in[k] && j->in[i].kind == OX_TENSOR)
            t = &j->in[i].t;
    if (!t || !t->data || ox_count(t) < 1 || ox_dtype_class(t->dtype) == OX_CLASS_STRING)
        return otherwise;
    return ox_get_f64(t, 0) != 0;
}

static bool draws(const job *j, const ox_graph *g)
{
    for (size_t k = 0; k < g->n_node; k++) {
        const ox_node *n = &g->node[k];
        bool dropout = strcmp(n->op_type, "Dropout") == 0;
        if (!dropout && n->schema && (n->schema->flags & OX_SCHEMA_RANDOM))
            return true;
        if (dropout && n->schema && n->schema->since >= 12 && is_set(j, g, n, 2, false) &&
            is_set(j, g, n, 1, true))
            return true;
        for (int i = 0; i < n->n_attr; i++)
            if (n->attr[i].kind == OX_ATTR_GRAPH && draws(j, n->attr[i].graph))
                return true;
    }
    return false;
}

/* ---- one data set ---- */

/* stem_<k>.pb for k < n; how many there were in *found. */
static ox_code read_values(job *j, const char *set, const char *stem, const int *id, int n,
                           ox_value *out, int *found)
{
    const ox_graph *g = j->model->graph;
    char path[MAX_PATH];
    struct stat st;
    for (int k = 0;; k++) {
        *found = k;
        if (snprintf(path, sizeof path, "%s/%s_%d.pb", set, stem, k) >= (int)sizeof path)
            return OX_FAIL(&j->err, OX_E_IO, "the path %.80s... is too long", set);
        if (stat(path, &st) != 0)
            return OX_OK;
        if (k == n)
            return OX_FAIL(&j->err, OX_E_GRAPH, "%s: the model has %d %ss", path, n, stem);
        OX_TRY(ox_value_read(path, &g->value[id[k]].type, &out[k], &j->err));
    }
}

/* ---- bounds ---- */

double ox_margins_median(const ox_margins *m)
{
    int64_t n = 0, seen = 0;
    for (int i = 0; i < OX_MARGIN_BINS; i++)
        n += m->bin[i];
    for (int i = 0; i < OX_MARGIN_BINS && n; i++)
        if ((seen += m->bin[i]) * 2 >= n)
            return ldexp(1, i - OX_MARGIN_ONE);
    return 0;
}

static ox_code count_margins(job *j, const ox_trace *t)
{
    for (size_t i = 0; i < t->n_node; i++) {
        double margin = t->node[i].margin;
        if (!t->node[i].judged || !(margin > 0))
            continue;
        int e = OX_MARGIN_BINS;
        if (isfinite(margin))
            frexp(margin, &e);
        j->margins->bin[OX_MAX(0, OX_MIN(OX_MARGIN_BINS - 1, e - 1 + OX_MARGIN_ONE))]++;
        j->margins->worst = fmax(j->margins->worst, margin);
    }
    return t->first < 0 ? OX_OK : OX_FAIL(&j->err, OX_E_MISMATCH, "%.400s", t->reason);
}

static ox_code bound_set(job *j)
{
    ox_trace t;
    ox_code code = ox_trace_run(j->model, j->options, j->pin, NULL, 0, false, &t, &j->err);
    if (code == OX_OK)
        code = count_margins(j, &t);
    ox_trace_release(&t);
    return code;
}

static ox_code run_set(job *j, const char *set)
{
    const ox_graph *g = j->model->graph;
    int found;
    OX_TRY(read_values(j, set, "input", g->in, j->n_in, j->in, &found));
    if (j->margins) {
        for (int i = 0; i < j->n_in; i++)
            j->pin[i] = &j->in[i];
        return bound_set(j);
    }
    OX_TRY(read_values(j, set, "output", g->out, j->n_out, j->expected, &found));
    if (found != j->n_out)
        return OX_FAIL(&j->err, OX_E_MISMATCH, "%d outputs, expected %d", j->n_out, found);
    for (int i = 0; i < j->n_in; i++)
        j->pin[i] = &j->in[i];
    OX_TRY(ox_session_run(j->session, j->pin, j->pout, &j->err));
    bool random = draws(j, g);
    for (int i = 0; i < j->n_out; i++) {
        ox_diff d;
        if (random)
            ox_compare_types(j->pout[i], &j->expected[i], &d);
        else
            ox_compare(j->pout[i], &j->expected[i], j->tol, &d);
        if (!d.equal)
            return OX_FAIL(&j->err, OX_E_MISMATCH, "output %d: %s", i, d.text);
    }
    return OX_OK;
}

static void forget_set(job *j)
{
    for (int i = 0; i < j->n_in; i++)
        ox_value_release(&j->in[i]);
    for (int i = 0; i < j->n_out; i++)
        ox_value_release(&j->expected[i]);
}

/* ---- one case ---- */

static int is_set_folder(const struct dirent *e)
{
    return strncmp(e->d_name, "test_data_set_", 14) == 0;
}

static int by_number(const struct dirent **a, const struct dirent **b)
{
    long x = strtol((*a)->d_name + 14, NULL, 10), y = strtol((*b)->d_name + 14, NULL, 10);
    return (x > y) - (x < y);
}

static ox_code run_sets(job *j)
{
    struct dirent **entry;
    int     n = scandir(j->dir, &entry, is_set_folder, by_number);
    ox_code code = OX_OK;
    if (n < 0)
        return OX_FAIL(&j->err, OX_E_IO, "cannot read %s: %s", j->dir, strerror(errno));
    for (int i = 0; i < n; i++) {
        char set[MAX_PATH];
        snprintf(set, sizeof set, "%s/%s", j->dir, entry[i]->d_name);
        if (code == OX_OK) {
            code = run_set(j, set);
            forget_set(j);
        }
        free(entry[i]);
    }
    free(entry);
    if (n == 0)
        return OX_FAIL(&j->err, OX_E_IO, "no test_data_set_<i> in %s", j->dir);
    return code;
}

static ox_code run_case(job *j, const ox_options *options)
{
    char path[MAX_PATH];
    if (snprintf(path, sizeof path, "%s/model.onnx", j->dir) >= (int)sizeof path)
        return OX_FAIL(&j->err, OX_E_IO, "the path %.80s... is too long", j->dir);
    read_tolerance(j);
    OX_TRY(ox_load_file(path, NULL, &j->model, &j->err));
    OX_TRY(ox_session_create(j->model, options, &j->session, &j->err));
    j->n_in = j->model->graph->n_in;
    j->n_out = j->model->graph->n_out;
    j->in = calloc((size_t)j->n_in + 1, sizeof *j->in);
    j->expected = calloc((size_t)j->n_out + 1, sizeof *j->expected);
    j->pin = calloc((size_t)j->n_in + 1, sizeof *j->pin);
    j->pout = calloc((size_t)j->n_out + 1, sizeof *j->pout);
    if (!j->in || !j->expected || !j->pin || !j->pout)
        return OX_FAIL(&j->err, OX_E_NOMEM, "out of memory");
    return run_sets(j);
}

static ox_outcome one_case(const char *dir, const ox_options *options, ox_margins *m, char *text,
                           size_t n_text)
{
    job     j = { .dir = dir, .options = options, .margins = m };
    ox_code code = run_case(&j, options);
    if (n_text)
        text[0] = 0;
    if (code != OX_OK)
        snprintf(text, n_text, "%s%s%s%s%s%s%s", *j.err.node ? "node \"" : "", j.err.node,
                 *j.err.node ? "\" (" : "", j.err.op, *j.err.node ? "): " : "",
                 *j.err.node || !*j.err.op ? "" : ": ", j.err.message);
    ox_session_destroy(j.session);
    if (j.model)
        ox_model_destroy(j.model);
    free(j.in);
    free(j.expected);
    free(j.pin);
    free(j.pout);
    switch (code) {
    case OX_OK: return OX_PASSED;
    case OX_E_MISMATCH: return OX_WRONG;
    case OX_E_UNSUPPORTED: return OX_NO_KERNEL;
    default: return OX_REFUSED;
    }
}

ox_outcome ox_suite_case(const char *dir, const ox_options *options, char *text, size_t n_text)
{
    return one_case(dir, options, NULL, text, n_text);
}

ox_outcome ox_suite_bounds(const char *dir, const ox_options *options, ox_margins *m, char *text,
                           size_t n_text)
{
    *m = (ox_margins){ 0 };
    return one_case(dir, options, m, text, n_text);
}
