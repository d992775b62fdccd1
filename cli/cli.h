/* What the subcommands share. */
#ifndef ONNXRUN_CLI_H
#define ONNXRUN_CLI_H

#include "onnxrun.h"

#include <stdarg.h>

enum { STATUS_OK = 0, STATUS_DIFFERENT = 1, STATUS_BAD = 2 };

typedef struct list {
    const char **v; /* into argv */
    int          n;
} list;

/* The command line, parsed.  Numbers not given are -1 where 0 means something else. */
typedef struct args {
    const struct command *command;
    list        positional;
    bool        json, verbose, random, cast, profile, check, help;
    uint64_t    random_seed, seed;
    bool        seeded;
    int64_t     threads, optimize, runs, warmup, jobs;
    int64_t     max_memory;
    double      seconds, timeout, rtol, atol;
    const char *isa, *precision, *output, *format, *stage, *trace, *json_file, *dtype;
    const char *tolerance, *against, *node, *report;
    bool        strict, bounds, explain, no_explain, determinism, rules;
    list        dims, outputs, expect, cases;
} args;

typedef struct command {
    const char *name, *usage, *summary, *examples;
    unsigned    bit;
    int       (*run)(const args *a);
    int         min_positional, max_positional;
} command;

extern const command commands[];
extern const int     n_commands;

int cmd_run(const args *a);
int cmd_check(const args *a);
int cmd_diff(const args *a);
int cmd_trace(const args *a);
int cmd_bench(const args *a);
int cmd_info(const args *a);
int cmd_test(const args *a);
int cmd_ops(const args *a);
int cmd_dump(const args *a);
int cmd_lint(const args *a);
int cmd_reduce(const args *a);

/* ---- options.c ---- */
enum {
    RUN = 1, CHECK = 2, DIFF = 4, BENCH = 8, INFO = 16, TEST = 32, OPS = 64, DUMP = 128, TRACE = 256,
    LINT = 512, REDUCE = 1024,
};
/* 0, or STATUS_BAD after complaining. */
int  parse_args(args *a, const command *c, int argc, char **argv);
void free_args(args *a);
void print_help(const command *c); /* NULL: of the program */
void print_all_options(void);      /* one name a line, for the tests */

/* ---- say.c: what people read ---- */
/* Complain in one line and return STATUS_BAD.  model may be NULL. */
int complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
int complain_of(const char *model, const onnxrun_error *err);
/* Flushes stdout: STATUS_BAD with a complaint if something could not be written, else status. */
int finish_stdout(int status);
/* name with control characters and invalid bytes replaced; a ring of some buffers. */
const char *clean(const char *name);
const char *shape_text(int rank, const int64_t *dim);
const char *size_text(double n_bytes); /* "12.3 MiB" */
const char *count_text(double n);      /* "1.23 G", "12 ": a unit follows */
/* A number as short as it reads back, "nan", "inf". */
const char *number_text(double x);
const char *short_text(double x); /* the same, as a float where x is one */
/* On a terminal, and not before a second has passed since the first call; NULL ends it. */
void progress(const char *format, ...) __attribute__((format(printf, 1, 2)));
void progress_done(void);

/* ---- json.c ---- */
typedef struct json {
    FILE *f;
    int   depth;
    bool  comma;
} json;
void json_open(json *j, const char *key, char bracket); /* key NULL: in an array, or the whole */
void json_close(json *j, char bracket);
void json_str(json *j, const char *key, const char *s);   /* NULL: null */
void json_int(json *j, const char *key, int64_t v);
void json_num(json *j, const char *key, double v);        /* not finite: "nan", "inf", "-inf" */
void json_bool(json *j, const char *key, bool v);
void json_null(json *j, const char *key);
void json_shape(json *j, const char *key, int rank, const int64_t *dim);

/* ---- model.c: models, inputs and runs for the commands that have them ---- */
typedef struct job {
    const args            *a;
    const char            *path;
    onnxrun_model         *model;
    onnxrun_session       *session;
    onnxrun_options        options;
    onnxrun_model_info     info;
    int                    n_in, n_out; /* n_in: all inputs, those with an initializer last */
    onnxrun_value        **given;       /* [n_in], NULL: no value */
    const onnxrun_value  **in;          /* those the session wants */
    const onnxrun_value  **out;         /* [n_out], after run_job */
    const char           **override;
    double                 load_ms;  /* model and session */
    onnxrun_error          err;
} job;

/* Process-wide options (isa, memory, verbosity).  0, or STATUS_BAD after complaining. */
int apply_options(const args *a);
/* Loads the model; then the inputs; then creates the session.  names: outputs wanted. */
int  open_job(job *j, const args *a, const char *path);
int  feed_job(job *j, const list *files);
int  start_job(job *j, const char *const *names, int n_names);
int  run_job(job *j);
void close_job(job *j); /* after any failure too */
bool is_bundle(const char *file); /* an .npz or a folder */
/* path becomes FOLDER/STEM_<j>.pb of an ONNX test case; whether that exists. */
bool case_file(char *path, size_t n, const char *folder, const char *stem, int j);
/* NAME=FILE in two; false also where a file of just that spelling exists. */
bool split_name(const char *text, char *name, size_t n_name, const char **file);

/* ---- known.c: the reference of trace and reduce ---- */
typedef struct holdings { /* what the reference holds */
    const char          **name;
    const onnxrun_value **value;
    size_t                n;
    onnxrun_bundle       *bundle;  /* owners of the above */
    onnxrun_model        *model;
    onnxrun_session      *session, *names;
    const onnxrun_value **out;
} holdings;
/* From --against; nothing for "oracle".  Release it in any case. */
int  load_known(job *j, holdings *k);
void release_known(holdings *k);

/* ---- cmd_lint.c: what info shows of it too ---- */
void print_finding(const onnxrun_lint_finding *f);
void json_findings(json *o, const onnxrun_lint *l);

/* ---- verdict.c: check and diff ---- */
typedef struct verdict {
    const char        *name;
    onnxrun_comparison c;
    char               type[320];
    bool               judged;  /* j is filled */
    onnxrun_judgement  j;
} verdict;
/* Prints the verdicts as text or JSON; STATUS_OK or STATUS_DIFFERENT.  data_set: the folder that a case
 * of several came from, or NULL. */
int print_verdicts(const args *a, const verdict *v, int n, const char *data_set);
onnxrun_finding finding_of(const verdict *v);

#endif
