/* onnxrun: the command line.  Results go to stdout, everything else to stderr. */
#include "cli/cli.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

enum { ANY = 1 << 20 };

const command commands[] = {
    { "run", "MODEL [INPUT ...]",
      "Runs the model once and prints one line per output: name, type and shape, smallest, mean "
      "and\n"
      "largest value, how many NaN and infinities.",
      "  onnxrun model.onnx input.npy -o out.npy\n"
      "  onnxrun model.onnx image=x.npy ids=y.npy -o outputs/\n"
      "  onnxrun model.onnx --random 1 --dim batch=4 --outputs all -o values.npz",
      RUN, cmd_run, 1, ANY },
    { "check", "MODEL [INPUT ...] --expect REF ...",
      "Runs the model and compares its outputs with references: a verdict per output.  Where the\n"
      "tolerance does not hold, the float64 oracle tells who is wrong.\n"
      "Equal: |actual - expected| <= atol + rtol * |expected|, NaN equals NaN, infinities equal by "
      "sign,\n"
      "integers and strings exact, shape and type exact.",
      "  onnxrun check model.onnx input.npy --expect torch_out.npy\n"
      "  onnxrun check model.onnx inputs.npz --expect logits=ref.npy --rtol 1e-3 --atol 0\n"
      "  onnxrun check model.onnx input.npy --expect torch_out.npy --optimize 0 --json",
      CHECK, cmd_check, 1, ANY },
    { "trace", "MODEL [INPUT ...] --against REF",
      "Compares every value that a reference holds, node by node: the first node that does to the\n"
      "reference's own inputs something else than the reference, and which conversion mistake that\n"
      "looks like.  \"oracle\" judges our own run by the float64 truth of each node.",
      "  onnxrun trace model.onnx input.npy --against intermediates.npz\n"
      "  onnxrun trace model.onnx input.npy --against optimised.onnx\n"
      "  onnxrun trace model.onnx input.npy --against oracle --json",
      TRACE, cmd_trace, 1, ANY },
    { "reduce", "MODEL [INPUT ...] --against REF -o DIR",
      "Writes the first node that departs from the reference as an ONNX test case: a model of that node\n"
      "(and of those before it whose values the reference does not hold), the inputs it saw, and the\n"
      "float64 truth as the expected output.  Any runtime can replay it: onnxrun test DIR.",
      "  onnxrun reduce model.onnx input.npy --against intermediates.npz -o case/\n"
      "  onnxrun reduce model.onnx input.npy --against oracle --node conv1 -o case/",
      REDUCE, cmd_reduce, 1, ANY },
    { "diff", "ACTUAL EXPECTED",
      "Compares two tensors (.npy, .pb), two .npz files or two folders by the rule of check.",
      "  onnxrun diff out.npy torch_out.npy\n"
      "  onnxrun diff outputs/ reference/ --rtol 1e-3\n"
      "  onnxrun diff a.npz b.npz --json",
      DIFF, cmd_diff, 2, 2 },
    { "bench", "MODEL [INPUT ...]",
      "Measures load time, first run, latency of one inference (inputs in memory), memory and "
      "FLOP/s.",
      "  onnxrun bench model.onnx input.npy -t 1\n"
      "  onnxrun bench model.onnx --random --profile --seconds 5\n"
      "  onnxrun bench model.onnx --random --trace trace.json",
      BENCH, cmd_bench, 1, ANY },
    { "info", "MODEL",
      "Shows metadata, inputs, outputs, operators, parameters, FLOPs, planned memory, and what is\n"
      "unsupported.  FLOPs and memory are for the declared shapes, unknown dimensions being 1 or "
      "--dim.",
      "  onnxrun info model.onnx\n"
      "  onnxrun info model.onnx --dim batch=8 --json",
      INFO, cmd_info, 1, 1 },
    { "lint", "MODEL",
      "Says what can be said against a model before anything runs: training mode, results that ONNX\n"
      "leaves undefined, attributes that frameworks understand differently, numbers that float16 or\n"
      "int32 cannot hold, baked batch sizes, what nothing uses.",
      "  onnxrun lint model.onnx\n"
      "  onnxrun lint model.onnx --strict --json\n"
      "  onnxrun lint --rules",
      LINT, cmd_lint, 0, 1 },
    { "test", "DIR ...",
      "Runs ONNX backend test cases (model.onnx with test_data_set_<i>), searched recursively.  "
      "One "
      "line\n"
      "per case that does not pass: unsupported, wrong or error.  The last line is N passed, N "
      "failed.",
      "  onnxrun test onnx/backend/test/data/node\n"
      "  onnxrun test cases/ --json report.json --timeout 10",
      TEST, cmd_test, 1, ANY },
    { "ops", "[OPERATOR]",
      "Lists what is supported: domain, operator, versions and types, computed from ONNX's schemas "
      "and\n"
      "the kernels of this program.",
      "  onnxrun ops\n"
      "  onnxrun ops Conv\n"
      "  onnxrun ops --check",
      OPS, cmd_ops, 0, 1 },
    { "dump", "MODEL [INPUT ...]",
      "Prints the model as it is after a stage: load, infer, opt or plan.",
      "  onnxrun dump model.onnx --stage plan\n"
      "  onnxrun dump model.onnx --stage opt --optimize 1",
      DUMP, cmd_dump, 1, ANY },
};
const int n_commands = sizeof commands / sizeof *commands;

/* No half-written file survives us. */
static void on_signal(int number)
{
    onnxrun_abandon_outputs();
    signal(number, SIG_DFL);
    raise(number);
}

/* Models and arrays are mapped: reading beyond the end of a file that somebody else cuts short meanwhile is a
 * signal, and the only place where that can be said is here. */
static void on_lost_file(int number)
{
    static const char text[] = "onnxrun: a mapped file became shorter, or its disk failed, while it was read\n";
    (void)number;
    onnxrun_abandon_outputs();
    if (write(STDERR_FILENO, text, sizeof text - 1) < 0)
        _exit(STATUS_BAD);
    _exit(STATUS_BAD);
}

static void catch_signals(void)
{
    static const int fatal[] = { SIGINT, SIGTERM, SIGHUP, SIGPIPE };
    struct sigaction act = { .sa_handler = on_signal }, old;
    for (size_t i = 0; i < sizeof fatal / sizeof *fatal; i++)
        if (sigaction(fatal[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
            sigaction(fatal[i], &act, NULL);
    signal(SIGBUS, on_lost_file);
    signal(SIGXFSZ, SIG_IGN); /* a file size limit is a write error */
}

/* A closed stdout must not become the number of a file that we open: what is printed would go there.
 * Read-only: printing still fails, as it should. */
static void occupy_standard_files(void)
{
    int fd;
    do
        fd = open("/dev/null", O_RDONLY);
    while (fd >= 0 && fd <= 2);
    if (fd > 2)
        close(fd);
}

static const command *find_command(const char *name)
{
    for (int i = 0; i < n_commands; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

int main(int argc, char **argv)
{
    occupy_standard_files();
    catch_signals();
    if (argc < 2)
        return complain("what to run is missing: onnxrun MODEL [INPUT ...], or onnxrun --help");
    if (strcmp(argv[1], "--version") == 0) {
        printf("onnxrun %s\n", onnxrun_version());
        return finish_stdout(STATUS_OK);
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0) {
        const command *c = argc > 2 ? find_command(argv[2]) : NULL;
        print_help(c);
        return finish_stdout(STATUS_OK);
    }
    if (strcmp(argv[1], "--list-options") == 0) {
        print_all_options();
        return finish_stdout(STATUS_OK);
    }
    const command *c = find_command(argv[1]);
    int skip = c ? 2 : 1;
    args a;
    if (!c)
        c = &commands[0];
    int status = parse_args(&a, c, argc - skip, argv + skip);
    if (status == 0 && a.help)
        print_help(c);
    else if (status == 0 && (status = apply_options(&a)) == 0)
        status = c->run(&a);
    free_args(&a);
    return finish_stdout(status);
}
