/* Each case runs in a child process: a crash or an endless loop costs that case.  Some run at a
 * time; results are printed in the order of the cases. */
#include "cli/cli.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_DEPTH = 32, MAX_JOBS = 64, N_TEXT = 512, N_ANSWER = 1 + (int)sizeof(onnxrun_margins) + N_TEXT };
static const double default_timeout = 60;

typedef struct test_case {
    char           *dir;
    bool            done;
    onnxrun_verdict verdict;
    char           *text;    /* NULL: passed */
    double          seconds;
} test_case;

typedef struct suite {
    test_case      *c;
    int             n, cap, printed, passed;
    onnxrun_options options;
    onnxrun_margins margins;  /* of all cases, under --bounds */
    bool            bounds;
    double          timeout;
} suite;

typedef struct child {
    pid_t   pid; /* 0: free */
    int     fd, i;
    int64_t start;
    size_t  got;
    char    answer[N_ANSWER + 1]; /* verdict as a digit, under --bounds the margins, then text */
} child;

/* ---- finding cases ---- */

static int add_case(suite *s, const char *dir)
{
    if (s->n == s->cap) {
        int cap = s->cap ? 2 * s->cap : 256;
        test_case *grown = realloc(s->c, (size_t)cap * sizeof *grown);
        if (!grown)
            return complain("out of memory");
        s->c = grown;
        s->cap = cap;
    }
    s->c[s->n] = (test_case){ .dir = strdup(dir) };
    return s->c[s->n++].dir ? 0 : complain("out of memory");
}

static bool is_folder(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* A folder with a model.onnx is a case; others are searched. */
static int search(suite *s, const char *dir, int depth)
{
    char path[4096];
    struct stat st;
    struct dirent **entry;
    int status = 0;
    if (snprintf(path, sizeof path, "%s/model.onnx", dir) >= (int)sizeof path || depth > MAX_DEPTH)
        return 0;
    if (stat(path, &st) == 0)
        return add_case(s, dir);
    int n = scandir(dir, &entry, NULL, alphasort);
    if (n < 0)
        return complain("%s: %s", dir, strerror(errno));
    for (int i = 0; i < n; i++) {
        const char *name = entry[i]->d_name;
        bool maybe =
            name[0] != '.' && (entry[i]->d_type == DT_DIR || entry[i]->d_type == DT_UNKNOWN ||
                               entry[i]->d_type == DT_LNK);
        if (status == 0 && maybe &&
            snprintf(path, sizeof path, "%s/%s", dir, name) < (int)sizeof path && is_folder(path))
            status = search(s, path, depth + 1);
        free(entry[i]);
    }
    free(entry);
    return status;
}

/* ---- running them ---- */

static void run_child(const suite *s, int i, int fd)
{
    char answer[N_ANSWER] = "", *text = answer + 1 + (s->bounds ? sizeof(onnxrun_margins) : 0);
    onnxrun_margins m;
    struct rlimit no_core = { 0, 0 };
    setrlimit(RLIMIT_CORE, &no_core);
    onnxrun_verdict v = s->bounds ? onnxrun_test_bounds(s->c[i].dir, &s->options, &m, text, N_TEXT)
                                  : onnxrun_test_case(s->c[i].dir, &s->options, text, N_TEXT);
    if (s->bounds)
        memcpy(answer + 1, &m, sizeof m);
    answer[0] = (char)('0' + v);
    size_t n = (size_t)(text - answer) + strlen(text);
    ssize_t put = write(fd, answer, n);
    _exit(put == (ssize_t)n ? 0 : 1);
}

static int start_child(const suite *s, int i, child *c)
{
    int fd[2];
    if (pipe(fd) != 0)
        return complain("cannot start a case: %s", strerror(errno));
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        /* they would remove the parent's files */
        static const int ours[] = { SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGBUS };
        for (size_t k = 0; k < sizeof ours / sizeof *ours; k++)
            signal(ours[k], SIG_DFL);
        close(fd[0]);
        run_child(s, i, fd[1]);
    }
    close(fd[1]);
    if (pid < 0) {
        close(fd[0]);
        return complain("cannot start a case: %s", strerror(errno));
    }
    *c = (child){ .pid = pid, .fd = fd[0], .i = i, .start = onnxrun_clock_ns() };
    return 0;
}

/* The text of a child's answer; its margins are added to all. */
static const char *take_answer(suite *s, const child *c)
{
    onnxrun_margins m;
    if (!s->bounds)
        return c->answer + 1;
    if (c->got < 1 + sizeof m)
        return "";
    memcpy(&m, c->answer + 1, sizeof m);
    for (int i = 0; i < ONNXRUN_MARGIN_BINS; i++)
        s->margins.bin[i] += m.bin[i];
    s->margins.worst = m.worst > s->margins.worst ? m.worst : s->margins.worst;
    return c->answer + 1 + sizeof m;
}

static void set_result(test_case *t, onnxrun_verdict v, const char *text)
{
    t->verdict = v;
    t->text = *text ? strdup(text) : NULL;
}

/* The child has closed its end, or has run too long. */
static void finish_child(suite *s, child *c, bool timed_out)
{
    test_case *t = &s->c[c->i];
    char text[N_TEXT];
    int  status = 0;
    if (timed_out)
        kill(c->pid, SIGKILL);
    while (waitpid(c->pid, &status, 0) < 0 && errno == EINTR)
        ;
    close(c->fd);
    c->answer[c->got] = 0;
    t->seconds = (double)(onnxrun_clock_ns() - c->start) / 1e9;
    t->done = true;
    if (timed_out) {
        snprintf(text, sizeof text, "more than %g seconds", s->timeout);
        set_result(t, ONNXRUN_FAILED, text);
    } else if (WIFSIGNALED(status)) {
        snprintf(text, sizeof text, "crash: %s", strsignal(WTERMSIG(status)));
        set_result(t, ONNXRUN_FAILED, text);
    } else if (c->got == 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        set_result(t, ONNXRUN_FAILED, "the process of this case ended without an answer");
    } else {
        set_result(t, (onnxrun_verdict)(c->answer[0] - '0'), take_answer(s, c));
    }
    c->pid = 0;
}

static const char *verdict_text(onnxrun_verdict v)
{
    static const char *const text[] = { "passed", "wrong", "unsupported", "error" };
    return text[v];
}

static void print_ready(suite *s)
{
    for (; s->printed < s->n && s->c[s->printed].done; s->printed++) {
        const test_case *t = &s->c[s->printed];
        s->passed += t->verdict == ONNXRUN_PASSED;
        if (t->verdict == ONNXRUN_PASSED)
            continue;
        progress_done();
        printf("%s: %s: %s\n", clean(t->dir), verdict_text(t->verdict),
               clean(t->text ? t->text : ""));
    }
}

/* Reads what has arrived; ends children that are done or late. */
static void collect(suite *s, child *c, int n_jobs)
{
    struct pollfd p[MAX_JOBS];
    for (int k = 0; k < n_jobs; k++)
        p[k] = (struct pollfd){ .fd = c[k].pid ? c[k].fd : -1, .events = POLLIN };
    if (poll(p, (nfds_t)n_jobs, 100) < 0)
        return;
    for (int k = 0; k < n_jobs; k++) {
        if (!c[k].pid)
            continue;
        if (p[k].revents) {
            ssize_t n = read(c[k].fd, c[k].answer + c[k].got, N_ANSWER - c[k].got);
            if (n > 0)
                c[k].got += (size_t)n;
            else if (n == 0 || errno != EINTR)
                finish_child(s, &c[k], false);
        } else if ((double)(onnxrun_clock_ns() - c[k].start) / 1e9 > s->timeout) {
            finish_child(s, &c[k], true);
        }
    }
}

static int run_all(suite *s, int n_jobs)
{
    child c[MAX_JOBS] = { 0 };
    int   next = 0, running = 0, status = 0;
    while (status == 0 && (next < s->n || running > 0)) {
        for (int k = 0; k < n_jobs && next < s->n && status == 0; k++)
            if (!c[k].pid)
                status = start_child(s, next++, &c[k]);
        collect(s, c, n_jobs);
        running = 0;
        for (int k = 0; k < n_jobs; k++)
            running += c[k].pid != 0;
        print_ready(s);
        progress("%d of %d", s->printed, s->n);
    }
    progress_done();
    for (int k = 0; k < n_jobs; k++)
        if (c[k].pid)
            finish_child(s, &c[k], true);
    return status;
}

/* ---- report ---- */

static void write_json(const suite *s, FILE *f)
{
    json o = { .f = f };
    json_open(&o, NULL, '{');
    json_int(&o, "schema", 1);
    json_int(&o, "passed", s->passed);
    json_int(&o, "failed", s->n - s->passed);
    json_open(&o, "cases", '[');
    for (int i = 0; i < s->n; i++) {
        json_open(&o, NULL, '{');
        json_str(&o, "case", s->c[i].dir);
        json_str(&o, "result", verdict_text(s->c[i].verdict));
        json_str(&o, "reason", s->c[i].text);
        json_num(&o, "seconds", s->c[i].seconds);
        json_close(&o, '}');
    }
    json_close(&o, ']');
    json_close(&o, '}');
}

static void print_margins(const suite *s)
{
    int64_t n = 0, seen = 0;
    int median = 0;
    for (int i = 0; i < ONNXRUN_MARGIN_BINS; i++)
        n += s->margins.bin[i];
    for (int i = 0; i < ONNXRUN_MARGIN_BINS && seen * 2 < n; i++) {
        seen += s->margins.bin[i];
        median = i;
    }
    printf("%lld inexact values, median margin %.3g, largest %.3g\n", (long long)n,
           n ? ldexp(1, median - ONNXRUN_MARGIN_ONE) : 0, s->margins.worst);
}

static int run(suite *s, const args *a, onnxrun_output *report)
{
    onnxrun_error err;
    int status = 0;
    int64_t jobs = a->jobs > 0 ? a->jobs : onnxrun_cores();
    onnxrun_options_init(&s->options);
    s->options.threads = a->threads > 0 ? (int)a->threads : 1;
    s->options.optimize = a->optimize >= 0 ? (int)a->optimize : s->options.optimize;
    s->options.float_qdq = a->optimize < 0; /* as check */
    s->options.f64 = a->precision && strcmp(a->precision, "f64") == 0;
    s->options.seeded = a->seeded;
    s->options.seed = a->seed;
    s->bounds = a->bounds;
    s->timeout = a->timeout > 0 ? a->timeout : default_timeout;
    for (int i = 0; i < a->positional.n && status == 0; i++) {
        if (!is_folder(a->positional.v[i]))
            return complain("%s is not a folder", clean(a->positional.v[i]));
        status = search(s, a->positional.v[i], 0);
    }
    if (status == 0 && s->n == 0)
        return complain("there is no model.onnx below the given folders");
    if (status == 0)
        status = run_all(s, (int)(jobs > MAX_JOBS ? MAX_JOBS : jobs));
    if (status != 0)
        return status;
    FILE *f;
    if (report && (onnxrun_output_stream(report, &f, &err) == 0)) {
        write_json(s, f);
        if (onnxrun_output_commit(report, &err))
            return complain("--json %s: %s", clean(a->json_file), err.text);
    }
    if (s->bounds)
        print_margins(s);
    printf("%d passed, %d failed\n", s->passed, s->n - s->passed);
    return s->passed == s->n ? STATUS_OK : STATUS_DIFFERENT;
}

int cmd_test(const args *a)
{
    suite s = { 0 };
    onnxrun_output *report = NULL;
    onnxrun_error   err;
    if (a->json_file && onnxrun_output_open(a->json_file, ONNXRUN_STREAM, &report, &err))
        return complain("--json %s: %s", clean(a->json_file), err.text);
    int status = run(&s, a, report);
    onnxrun_output_destroy(report);
    for (int i = 0; i < s.n; i++) {
        free(s.c[i].dir);
        free(s.c[i].text);
    }
    free(s.c);
    return status;
}
