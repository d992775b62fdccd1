/* The option parser: --name VALUE, --name=VALUE, -xVALUE, -x VALUE, clustered flags; "--" ends
 * options. One table says what exists, where, and what --help prints. */
#include "cli/cli.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

typedef enum kind {
    FLAG,    /* bool */
    NATURAL, /* int64_t >= 0 */
    UNSIGNED, /* uint64_t */
    SIZE,    /* int64_t with K, M, G, T */
    REAL,    /* double >= 0 */
    WORD,    /* const char * */
    ITEMS,   /* list: comma-separated, may be repeated */
    EACH,    /* list: one a time, may be repeated */
    MANY,    /* list: all arguments up to the next option */
    SEED,    /* flag with an optional number */
} kind;

typedef struct option {
    const char *name;
    char        letter;
    kind        kind;
    unsigned    commands;
    size_t      at;
    const char *value, *help;
} option;

enum {
    ENGINE = RUN | CHECK | BENCH | TRACE | REDUCE,
    ALL = 0x7ff,
    FEEDS = RUN | CHECK | BENCH | INFO | DUMP | TRACE | REDUCE,
};
#define AT(member) offsetof(args, member)

static const option options[] = {
    { "output", 'o', WORD, RUN, AT(output), "PATH",
      "save the outputs: PATH/ or a folder (one .npy each), .npz (all), .npy or .pb (the only "
      "one)" },
    { "format", 0, WORD, RUN, AT(format), "test-case",
      "with -o DIR/: output_<j>.pb, as in ONNX test data" },
    { "outputs", 0, ITEMS, RUN | CHECK | BENCH, AT(outputs), "NAME,...",
      "compute these values, intermediate ones too; \"all\": every value" },
    { "expect", 0, MANY, CHECK, AT(expect), "REF ...",
      "reference outputs: files in the order of the outputs, NAME=FILE, an .npz or a folder" },
    { "rtol", 0, REAL, CHECK | DIFF, AT(rtol), "X", "relative tolerance (default: by type)" },
    { "atol", 0, REAL, CHECK | DIFF, AT(atol), "X", "absolute tolerance (default: by type)" },
    { "tolerance", 0, WORD, CHECK, AT(tolerance), "auto",
      "judge by the error bound of the float64 oracle instead of --rtol and --atol" },
    { "strict", 0, FLAG, CHECK, AT(strict), NULL, "exit 0 only if the outputs are equal" },
    { "strict", 0, FLAG, LINT, AT(strict), NULL, "exit 1 if there is an error or a warning" },
    { "rules", 0, FLAG, LINT, AT(rules), NULL, "list the rules" },
    { "case", 0, EACH, CHECK, AT(cases), "DIR",
      "a folder with input_<i> and output_<j> files; repeat it for several input sets" },
    { "output", 'o', WORD, REDUCE, AT(output), "DIR",
      "the folder of the case; it is made, and must not hold one already" },
    { "node", 0, WORD, REDUCE, AT(node), "NAME",
      "reduce to this node, or the one that makes this value, whether it departs or not" },
    { "against", 0, WORD, TRACE | REDUCE, AT(against), "REF",
      "what to compare with: an .npz or folder of values by name, another model, or \"oracle\"" },
    { "no-explain", 0, FLAG, TRACE, AT(no_explain), NULL, "do not look for the cause" },
    { "explain", 0, FLAG, TRACE, AT(explain), NULL, "look for the cause (the default)" },
    { "report", 0, WORD, TRACE, AT(report), "FILE.html",
      "write a page with the graph, the errors along it, histograms and pictures" },
    { "determinism", 0, FLAG, TRACE, AT(determinism), NULL,
      "compare runs with 1, 2, 3 and 8 threads bit by bit" },
    { "dtype", 0, WORD, DIFF, AT(dtype), "NAME",
      "element type of '|V1' arrays: f8e4m3fn, i4, u4, ..." },
    { "random", 0, SEED, FEEDS, AT(random), "[SEED]",
      "fill inputs without a file with random numbers (default seed 0)" },
    { "dim", 0, EACH, FEEDS, AT(dims), "NAME=N",
      "size of a symbolic dimension for generated inputs; INPUT:AXIS=N for one without a name" },
    { "cast", 0, FLAG, ENGINE, AT(cast), NULL, "convert inputs to the declared element type" },
    { "threads", 't', NATURAL, ENGINE | TEST | INFO | DUMP, AT(threads), "N",
      "threads (default: physical cores; test: 1)" },
    { "optimize", 0, NATURAL, ENGINE | TEST | INFO | DUMP, AT(optimize), "0|1|2",
      "0: exactly the graph as written, 1: rewrites that keep every bit, 2: all (default)" },
    { "isa", 0, WORD, ENGINE | TEST | INFO | DUMP, AT(isa), "NAME",
      "best kernels to use: scalar, sse2, avx2, avx512, neon, ..." },
    { "precision", 0, WORD, ENGINE | TEST | INFO | DUMP, AT(precision), "native|f64",
      "f64: every floating-point value computed and kept in double" },
    { "max-memory", 0, SIZE, ENGINE | TEST | INFO | DUMP | DIFF, AT(max_memory), "BYTES",
      "cap on the bytes of tensors; K, M, G, T are powers of 1024" },
    { "seed", 0, UNSIGNED, ENGINE | TEST, AT(seed), "N", "what random operators start from" },
    { "runs", 0, NATURAL, BENCH, AT(runs), "N",
      "measured runs (default: as many as --seconds allows)" },
    { "warmup", 0, NATURAL, BENCH, AT(warmup), "N", "runs before measuring (default 3)" },
    { "seconds", 0, REAL, BENCH, AT(seconds), "S", "time to measure (default 2)" },
    { "profile", 0, FLAG, BENCH, AT(profile), NULL, "tables of time by operator and by node" },
    { "trace", 0, WORD, BENCH, AT(trace), "FILE", "one run in Chrome's trace format" },
    { "json", 0, WORD, TEST, AT(json_file), "FILE", "write the result of every case" },
    { "bounds", 0, FLAG, TEST, AT(bounds), NULL,
      "hold every node to its error bound instead of comparing outputs" },
    { "timeout", 0, REAL, TEST, AT(timeout), "S", "seconds a case may take (default 60)" },
    { "jobs", 'j', NATURAL, TEST, AT(jobs), "N", "cases at a time (default: physical cores)" },
    { "check", 0, FLAG, OPS, AT(check), NULL,
      "list what ONNX allows and no kernel serves; exit status 1 if anything" },
    { "stage", 0, WORD, DUMP, AT(stage), "NAME", "load, infer, opt or plan (default plan)" },
    { "json", 0, FLAG, ENGINE | DIFF | INFO | OPS | LINT, AT(json), NULL,
      "machine-readable result on stdout" },
    { "verbose", 'v', FLAG, ALL, AT(verbose), NULL, "say what is done, on stderr" },
    { "help", 'h', FLAG, ALL, AT(help), NULL, "this text" },
};
enum { N_OPTIONS = sizeof options / sizeof *options };

/* ---- values ---- */

static int bad_value(const char *name, const char *text, const char *wanted)
{
    return complain("--%s %s: %s is wanted", name, text, wanted);
}

static bool natural(const char *s, uint64_t most, uint64_t *out)
{
    char *end;
    errno = 0;
    if (!isdigit((unsigned char)*s))
        return false;
    unsigned long long v = strtoull(s, &end, 10);
    *out = v;
    return errno == 0 && *end == 0 && v <= most;
}

static bool size(const char *s, int64_t *out)
{
    char *end;
    errno = 0;
    if (!isdigit((unsigned char)*s))
        return false;
    double v = strtod(s, &end);
    for (const char *unit = "KMGT"; *end && *unit; unit++) {
        v *= 1024;
        if (toupper((unsigned char)*end) != *unit)
            continue;
        end += end[1] == 'i' && end[2] == 'B' ? 3 : end[1] == 'B' ? 2 : 1;
        break;
    }
    *out = v < 9e18 ? (int64_t)v : 0;
    return errno == 0 && *end == 0 && v >= 0 && v < 9e18;
}

static int append(list *l, const char *s)
{
    const char **v = realloc(l->v, (size_t)(l->n + 1) * sizeof *v);
    if (!v)
        return complain("out of memory");
    l->v = v;
    l->v[l->n++] = s;
    return 0;
}

/* "a,b,c": the commas in argv become ends of strings. */
static int append_items(list *l, char *s)
{
    while (s) {
        char *comma = strchr(s, ',');
        if (comma)
            *comma++ = 0;
        if (*s && append(l, s) != 0)
            return STATUS_BAD;
        s = comma;
    }
    return 0;
}

static int set(args *a, const option *o, char *value)
{
    void    *to = (char *)a + o->at;
    uint64_t n;
    switch (o->kind) {
    case NATURAL:
        if (!natural(value, INT32_MAX, &n))
            return bad_value(o->name, value, "a whole number");
        *(int64_t *)to = (int64_t)n;
        return 0;
    case UNSIGNED:
        if (!natural(value, UINT64_MAX, (uint64_t *)to))
            return bad_value(o->name, value, "a whole number");
        a->seeded = true;
        return 0;
    case SIZE: return size(value, to) ? 0 : bad_value(o->name, value, "a size such as 512M");
    case REAL: {
        char  *end;
        double x = strtod(value, &end);
        if (end == value || *end || !isfinite(x) || x < 0)
            return bad_value(o->name, value, "a number that is not negative");
        *(double *)to = x;
        return 0;
    }
    case WORD: *(const char **)to = value; return 0;
    case ITEMS: return append_items(to, value);
    case EACH:
    case MANY: return append(to, value);
    default: return 0;
    }
}

/* ---- parsing ---- */

static const option *find(const char *name, size_t n, unsigned bit)
{
    for (int i = 0; i < N_OPTIONS; i++)
        if ((options[i].commands & bit) && strlen(options[i].name) == n &&
            memcmp(options[i].name, name, n) == 0)
            return &options[i];
    return NULL;
}

static const option *find_letter(char letter, unsigned bit)
{
    for (int i = 0; i < N_OPTIONS; i++)
        if ((options[i].commands & bit) && options[i].letter == letter)
            return &options[i];
    return NULL;
}

typedef struct cursor {
    int    i, argc;
    char **argv;
} cursor;

static bool is_option(const char *s) { return s[0] == '-' && s[1] != 0; }

/* value: what was glued to the option, or NULL. */
static int take(args *a, const option *o, char *value, cursor *c)
{
    if (o->kind == FLAG) {
        if (value)
            return complain("--%s takes no value", o->name);
        *(bool *)((char *)a + o->at) = true;
        return 0;
    }
    if (o->kind == SEED) {
        uint64_t n;
        a->random = true;
        if (!value && c->i < c->argc && natural(c->argv[c->i], UINT64_MAX, &n))
            value = c->argv[c->i++];
        if (value && !natural(value, UINT64_MAX, &a->random_seed))
            return bad_value(o->name, value, "a whole number");
        return 0;
    }
    if (!value) {
        if (c->i >= c->argc)
            return complain("--%s: %s is missing", o->name, o->value);
        value = c->argv[c->i++];
    }
    int status = set(a, o, value);
    while (status == 0 && o->kind == MANY && c->i < c->argc && !is_option(c->argv[c->i]))
        status = set(a, o, c->argv[c->i++]);
    return status;
}

static int unknown(const args *a, const char *what)
{
    return complain("unknown option %s (onnxrun %s --help lists them)", what, a->command->name);
}

static int take_letters(args *a, char *s, cursor *c)
{
    for (s++; *s; s++) {
        const option *o = find_letter(*s, a->command->bit);
        char text[3] = { '-', *s, 0 };
        if (!o)
            return unknown(a, text);
        if (o->kind != FLAG)
            return take(a, o, s[1] ? s + 1 + (s[1] == '=') : NULL, c);
        if (take(a, o, NULL, c) != 0)
            return STATUS_BAD;
    }
    return 0;
}

static int take_word(args *a, char *s, cursor *c)
{
    size_t n = strcspn(s + 2, "=");
    char  *value = s[2 + n] ? s + 3 + n : NULL;
    const option *o = find(s + 2, n, a->command->bit);
    if (!o)
        return unknown(a, s);
    return take(a, o, value, c);
}

static bool one_of(const char *word, const char *a, const char *b)
{
    return !word || strcmp(word, a) == 0 || strcmp(word, b) == 0;
}

static int validate(const args *a)
{
    const command *c = a->command;
    if (a->help)
        return 0;
    if (!one_of(a->precision, "native", "f64"))
        return bad_value("precision", a->precision, "native or f64");
    if (!one_of(a->tolerance, "auto", "auto"))
        return bad_value("tolerance", a->tolerance, "auto");
    if (a->optimize > 2)
        return complain("--optimize: 0, 1 or 2 is wanted");
    if (!one_of(a->format, "test-case", "by-name"))
        return bad_value("format", a->format, "test-case");
    if (a->format && !a->output)
        return complain("--format needs -o DIR/");
    if (a->positional.n < c->min_positional)
        return complain("something is missing: onnxrun %s %s", c->name, c->usage);
    if (a->positional.n > c->max_positional)
        return complain("too many arguments: onnxrun %s %s", c->name, c->usage);
    return 0;
}

int parse_args(args *a, const command *wanted, int argc, char **argv)
{
    *a = (args){ .command = wanted,
                 .threads = -1,
                 .optimize = -1,
                 .runs = -1,
                 .warmup = -1,
                 .jobs = -1,
                 .max_memory = -1,
                 .seconds = -1,
                 .timeout = -1,
                 .rtol = -1,
                 .atol = -1 };
    cursor c = { 0, argc, argv };
    bool   options_end = false;
    while (c.i < argc) {
        char *s = argv[c.i++];
        int   status;
        if (options_end || !is_option(s))
            status = append(&a->positional, s);
        else if (strcmp(s, "--") == 0)
            status = 0, options_end = true;
        else if (s[1] == '-')
            status = take_word(a, s, &c);
        else
            status = take_letters(a, s, &c);
        if (status != 0)
            return status;
    }
    return validate(a);
}

void free_args(args *a)
{
    free(a->positional.v);
    free(a->dims.v);
    free(a->outputs.v);
    free(a->expect.v);
    free(a->cases.v);
}

/* ---- help ---- */

static void print_option(const option *o)
{
    char left[64];
    snprintf(left, sizeof left, "%s%c%s--%s%s%s", o->letter ? "-" : "", o->letter ? o->letter : ' ',
             o->letter ? ", " : "   ", o->name, o->value ? " " : "", o->value ? o->value : "");
    printf("  %-27s %s%s\n", left, strlen(left) > 27 ? "\n                              " : "",
           o->help);
}

void print_help(const command *c)
{
    if (c) {
        printf("usage: onnxrun %s %s\n\n%s\n\noptions:\n", c->name, c->usage, c->summary);
        for (int i = 0; i < N_OPTIONS; i++)
            if (options[i].commands & c->bit)
                print_option(&options[i]);
        printf("\nexamples:\n%s\n", c->examples);
    } else {
        puts("onnxrun runs ONNX models and judges whether outputs are right.\n\n"
             "usage: onnxrun MODEL [INPUT ...] [options]      the same as onnxrun run");
        for (int i = 0; i < n_commands; i++)
            printf("       onnxrun %-5s %s\n", commands[i].name, commands[i].usage);
        puts(
            "       onnxrun --version | --help | COMMAND --help\n\n"
            "INPUT is FILE, in the order of the graph's inputs, or NAME=FILE: .npy, .npz or .pb\n\n"
            "examples:\n"
            "  onnxrun model.onnx input.npy -o out.npy\n"
            "  onnxrun check model.onnx input.npy --expect torch_out.npy\n"
            "  onnxrun diff out.npy torch_out.npy");
    }
    puts("\nexit status: 0 done or equal, 1 the outputs differ, 2 bad usage, bad input, "
         "unsupported, or a limit");
}

void print_all_options(void)
{
    for (int i = 0; i < N_OPTIONS; i++)
        printf("--%s\n", options[i].name);
}
