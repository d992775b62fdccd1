/* Latency of whole inferences, inputs in memory.  Nothing is printed while measuring. */
#include "cli/cli.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum { MAX_RUNS = 1000000, DEFAULT_WARMUP = 3, MIN_RUNS = 5 };
static const double default_seconds = 2;

typedef struct result {
    double  plan_ms, first_ms, *ms; /* [n], sorted */
    int     n;
    double  mean;
    int64_t flops;
    size_t  rss;
} result;

static double ms_since(int64_t start) { return (double)(onnxrun_clock_ns() - start) / 1e6; }

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Linear between neighbours; p in [0, 1]. */
static double percentile(const result *r, double p)
{
    double at = p * (r->n - 1);
    int    i = (int)at;
    return i + 1 < r->n ? r->ms[i] + (at - i) * (r->ms[i + 1] - r->ms[i]) : r->ms[r->n - 1];
}

static int timed_run(job *j, double *ms)
{
    int64_t start = onnxrun_clock_ns();
    int status = run_job(j);
    *ms = ms_since(start);
    return status;
}

static int plan(job *j, result *r)
{
    int64_t start = onnxrun_clock_ns();
    if (onnxrun_session_plan(j->session, j->in, &j->err))
        return complain_of(j->path, &j->err);
    r->plan_ms = ms_since(start);
    return 0;
}

/* The most memory this process held.  getrusage's figure starts with what its parent held before exec. */
static size_t peak_rss(void)
{
    struct rusage use;
    char line[256];
    unsigned long long kib = 0;
    FILE *f = fopen("/proc/self/status", "r");
    while (f && !kib && fgets(line, sizeof line, f))
        if (sscanf(line, "VmHWM: %llu", &kib) != 1)
            kib = 0;
    if (f)
        fclose(f);
    if (!kib && getrusage(RUSAGE_SELF, &use) == 0)
        kib = (unsigned long long)use.ru_maxrss;
    return (size_t)kib * 1024;
}

static int measure(job *j, result *r)
{
    const args *a = j->a;
    double  ms, seconds = a->seconds >= 0 ? a->seconds : default_seconds;
    int64_t most = a->runs >= 0 ? a->runs : MAX_RUNS,
            warmup = a->warmup >= 0 ? a->warmup : DEFAULT_WARMUP;
    int     status = plan(j, r);
    if (status == 0)
        status = timed_run(j, &r->first_ms);
    for (int64_t i = 0; i < warmup && status == 0; i++) {
        progress("warming up, run %lld of %lld", (long long)i + 1, (long long)warmup);
        status = timed_run(j, &ms);
    }
    most = most > MAX_RUNS ? MAX_RUNS : most < 1 ? 1 : most;
    if (status == 0 && !(r->ms = calloc((size_t)most, sizeof *r->ms)))
        status = complain("out of memory");
    onnxrun_session_profile(j->session, a->profile);
    int64_t start = onnxrun_clock_ns();
    while (status == 0 && r->n < most) {
        if (a->runs < 0 && r->n >= MIN_RUNS && ms_since(start) >= seconds * 1e3)
            break;
        status = timed_run(j, &r->ms[r->n++]);
        progress("run %d", r->n);
    }
    progress_done();
    if (status != 0)
        return status;
    for (int i = 0; i < r->n; i++)
        r->mean += r->ms[i] / r->n;
    qsort(r->ms, (size_t)r->n, sizeof *r->ms, ascending);
    r->rss = peak_rss();
    r->flops = onnxrun_session_memory(j->session).flops;
    return 0;
}

/* ---- profile ---- */

typedef struct row {
    const char *name, *kernel, *op;
    int64_t     ns, calls, flops, bytes;
} row;

typedef struct profile {
    row         *nodes, *ops; /* ops: the rows of nodes by operator */
    size_t       n_node, n_op;
    int          runs;
    int64_t      ns;          /* of all rows */
    double       accounted;   /* ... as a share of the time that the runs took */
    onnxrun_peak peak;
} profile;

static int by_time(const void *pa, const void *pb)
{
    const row *a = pa, *b = pb;
    return (b->ns > a->ns) - (b->ns < a->ns);
}

static double per_second(int64_t n, int64_t ns) { return ns > 0 ? (double)n / (double)ns : 0; }

/* The roofs: what a node reaches of the machine's arithmetic, or of its memory where that is more.  Above
 * 1: its data came from caches, or it needs fewer multiplications than its definition (Winograd). */
static double of_peak(const profile *p, const row *r, char *which)
{
    double compute = 1e9 * per_second(r->flops, r->ns) / p->peak.flops,
           memory = 1e9 * per_second(r->bytes, r->ns) / p->peak.bytes;
    *which = compute >= memory ? 'c' : 'm';
    return compute >= memory ? compute : memory;
}

static void print_rows(const profile *p, const row *rows, size_t n, const char *title, bool kernels)
{
    printf("\n%-32s %8s %10s %7s %9s %8s %8s%s\n", title, "calls", "ms/run", "share", "GFLOP/s", "GB/s",
           "of peak", kernels ? "  kernel" : "");
    for (size_t i = 0; i < n; i++) {
        const row *r = &rows[i];
        char   which;
        double share = of_peak(p, r, &which);
        printf("%-32s %8lld %10.4f %6.1f%% %9.2f %8.2f %5.0f%% %c%s%s%s%s\n", clean(r->name),
               (long long)(r->calls / p->runs), (double)r->ns / 1e6 / p->runs,
               p->ns ? 100 * (double)r->ns / (double)p->ns : 0, per_second(r->flops, r->ns),
               per_second(r->bytes, r->ns), 100 * share, which, kernels ? "  " : "", kernels ? r->op : "",
               kernels && r->kernel ? " " : "", kernels && r->kernel ? r->kernel : "");
    }
}

static void json_rows(json *o, const char *key, const profile *p, const row *rows, size_t n, bool nodes)
{
    json_open(o, key, '[');
    for (size_t i = 0; i < n; i++) {
        char   which;
        double share = of_peak(p, &rows[i], &which);
        json_open(o, NULL, '{');
        json_str(o, nodes ? "node" : "op", rows[i].name);
        if (nodes) {
            json_str(o, "op", rows[i].op);
            json_str(o, "kernel", rows[i].kernel);
        }
        json_num(o, "calls", (double)rows[i].calls / p->runs);
        json_num(o, "ms", (double)rows[i].ns / 1e6 / p->runs);
        json_num(o, "gflops", per_second(rows[i].flops, rows[i].ns));
        json_num(o, "gb_per_s", per_second(rows[i].bytes, rows[i].ns));
        json_num(o, "of_peak", share);
        json_str(o, "bound", which == 'c' ? "compute" : "memory");
        json_close(o, '}');
    }
    json_close(o, ']');
}

/* Sums by node and by operator; those that took longest come first. */
static void collect(profile *p, const onnxrun_node_profile *from, const result *r)
{
    size_t k;
    for (size_t i = 0; i < p->n_node; i++) {
        const onnxrun_node_profile *f = &from[i];
        p->nodes[i] = (row){ f->node, f->kernel, f->op, f->ns, f->calls, f->flops, f->bytes };
        p->ns += f->ns;
        for (k = 0; k < p->n_op && strcmp(p->ops[k].name, f->op) != 0;)
            k++;
        if (k == p->n_op)
            p->ops[p->n_op++] = (row){ .name = f->op };
        p->ops[k].ns += f->ns;
        p->ops[k].calls += f->calls;
        p->ops[k].flops += f->flops;
        p->ops[k].bytes += f->bytes;
    }
    p->accounted = (double)p->ns / (1e6 * r->mean * r->n);
    qsort(p->nodes, p->n_node, sizeof *p->nodes, by_time);
    qsort(p->ops, p->n_op, sizeof *p->ops, by_time);
}

static int show_profile(job *j, const result *r, json *o)
{
    profile p = { .runs = r->n };
    const onnxrun_node_profile *from = onnxrun_session_profiles(j->session, &p.n_node);
    if (onnxrun_measure_peak(j->options.threads, &p.peak, &j->err))
        return complain_of(j->path, &j->err);
    if (!(p.nodes = calloc(2 * p.n_node + 1, sizeof *p.nodes)))
        return complain("out of memory");
    p.ops = p.nodes + p.n_node;
    collect(&p, from, r);
    if (o) {
        json_open(o, "profile", '{');
        json_num(o, "peak_gflops", p.peak.flops / 1e9);
        json_num(o, "peak_gb_per_s", p.peak.bytes / 1e9);
        json_num(o, "accounted", p.accounted);
        json_rows(o, "operators", &p, p.ops, p.n_op, false);
        json_rows(o, "nodes", &p, p.nodes, p.n_node, true);
        json_close(o, '}');
    } else {
        printf("machine     %10.2f GFLOP/s   %.2f GB/s, measured; \"of peak\": c of the first, m of the second\n",
               p.peak.flops / 1e9, p.peak.bytes / 1e9);
        printf("profile     %10.1f %% of the time\n", 100 * p.accounted);
        print_rows(&p, p.ops, p.n_op, "operator", false);
        print_rows(&p, p.nodes, p.n_node, "node", true);
    }
    free(p.nodes);
    return 0;
}

/* ---- Chrome trace: one more run, an event a node ---- */

typedef struct tracer {
    json    o;
    int64_t start, last;
} tracer;

static void on_node(void *ctx, const char *node, const char *op, const char *kernel, int64_t now)
{
    tracer *t = ctx;
    json_open(&t->o, NULL, '{');
    json_str(&t->o, "name", node);
    json_str(&t->o, "cat", op);
    json_str(&t->o, "ph", "X");
    json_num(&t->o, "ts", (double)(t->last - t->start) / 1e3);
    json_num(&t->o, "dur", (double)(now - t->last) / 1e3);
    json_int(&t->o, "pid", 1);
    json_int(&t->o, "tid", 1);
    json_open(&t->o, "args", '{');
    json_str(&t->o, "op", op);
    json_str(&t->o, "kernel", kernel);
    json_close(&t->o, '}');
    json_close(&t->o, '}');
    t->last = onnxrun_clock_ns(); /* writing the event is not the next node's time */
}

static int trace(job *j, onnxrun_output *file)
{
    tracer t = { .o = { 0 } };
    if (onnxrun_output_stream(file, &t.o.f, &j->err))
        return complain("--trace %s: %s", clean(j->a->trace), j->err.text);
    json_open(&t.o, NULL, '{');
    json_str(&t.o, "displayTimeUnit", "ms");
    json_open(&t.o, "traceEvents", '[');
    t.start = t.last = onnxrun_clock_ns();
    onnxrun_session_on_node(j->session, on_node, &t);
    int status = run_job(j);
    onnxrun_session_on_node(j->session, NULL, NULL);
    json_close(&t.o, ']');
    json_close(&t.o, '}');
    if (status == 0 && onnxrun_output_commit(file, &j->err))
        status = complain("--trace %s: %s", clean(j->a->trace), j->err.text);
    return status;
}

/* ---- report ---- */

static int threads_of(const job *j)
{
    return j->options.threads > 0 ? j->options.threads : onnxrun_cores();
}

static double gflops(const result *r) { return (double)r->flops / (percentile(r, 0.5) * 1e6); }

static int print_json(job *j, const result *r)
{
    json o = { .f = stdout };
    int  status = 0;
    json_open(&o, NULL, '{');
    json_int(&o, "schema", 1);
    json_str(&o, "model", j->path);
    json_int(&o, "threads", threads_of(j));
    json_str(&o, "isa", onnxrun_isa());
    json_num(&o, "load_ms", j->load_ms);
    json_num(&o, "plan_ms", r->plan_ms);
    json_num(&o, "first_run_ms", r->first_ms);
    json_int(&o, "runs", r->n);
    json_open(&o, "latency_ms", '{');
    json_num(&o, "min", r->ms[0]);
    json_num(&o, "p50", percentile(r, 0.5));
    json_num(&o, "p90", percentile(r, 0.9));
    json_num(&o, "p99", percentile(r, 0.99));
    json_num(&o, "max", r->ms[r->n - 1]);
    json_num(&o, "mean", r->mean);
    json_close(&o, '}');
    json_num(&o, "throughput_per_s", 1e3 / r->mean);
    json_int(&o, "peak_rss_bytes", (int64_t)r->rss);
    json_int(&o, "flops", r->flops);
    json_num(&o, "gflops", gflops(r));
    if (j->a->profile)
        status = show_profile(j, r, &o);
    json_close(&o, '}');
    return status;
}

static int print_text(job *j, const result *r)
{
    printf("%s  %d thread%s, %s\n", clean(j->path), threads_of(j), threads_of(j) == 1 ? "" : "s",
           onnxrun_isa());
    printf("load        %10.3f ms\nplan        %10.3f ms\nfirst run   %10.3f ms\n", j->load_ms, r->plan_ms,
           r->first_ms);
    printf(
        "latency p50 %10.3f ms   min %.3f  p90 %.3f  p99 %.3f  max %.3f  mean %.3f   (%d runs)\n",
        percentile(r, 0.5), r->ms[0], percentile(r, 0.9), percentile(r, 0.99), r->ms[r->n - 1],
        r->mean, r->n);
    printf("throughput  %10.2f inferences/s\n", 1e3 / r->mean);
    printf("compute     %10.2f GFLOP/s   %sFLOP an inference\n", gflops(r),
           count_text((double)r->flops));
    printf("peak RSS    %10s\n", size_text((double)r->rss));
    return j->a->profile ? show_profile(j, r, NULL) : 0;
}

static int bench(job *j, const args *a, onnxrun_output *file, result *r)
{
    list files = { a->positional.v + 1, a->positional.n - 1 };
    int  status = open_job(j, a, a->positional.v[0]);
    if (status == 0)
        status = feed_job(j, &files);
    if (status == 0)
        status = start_job(j, a->outputs.v, a->outputs.n);
    if (status == 0)
        status = measure(j, r);
    if (status == 0)
        status = a->json ? print_json(j, r) : print_text(j, r);
    if (status == 0 && file)
        status = trace(j, file);
    return status;
}

int cmd_bench(const args *a)
{
    result r = { 0 };
    onnxrun_output *file = NULL;
    onnxrun_error err;
    job j;
    if (a->trace && onnxrun_output_open(a->trace, ONNXRUN_STREAM, &file, &err))
        return complain("--trace %s: %s", clean(a->trace), err.text);
    int status = bench(&j, a, file, &r);
    close_job(&j);
    onnxrun_output_destroy(file);
    free(r.ms);
    return status;
}
