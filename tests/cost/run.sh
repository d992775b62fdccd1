#!/bin/sh
# What a verdict on the super-resolution network costs, in plain runs: whole command against whole command, in turn.
# The smallest of many counts, since other programs only ever add.  Fails from ten plain runs of processor time on.
#   run.sh PROGRAM [THREADS ...]
cd "$(dirname "$0")/../.." || exit 2
program=$1
shift
[ $# -gt 0 ] || set -- 1 2
folder=models/super_resolution
PYTHON=${PYTHON:-python3}
command -v "$PYTHON" > /dev/null || { echo "skipped: no python3"; exit 0; }
exec "$PYTHON" - "$program" "$folder" "$@" <<'EOF'
import resource, subprocess, sys, time

program, folder, threads = sys.argv[1], sys.argv[2], sys.argv[3:]
model = [folder + "/torchscript_opset18.onnx", folder + "/input.npy"]
verdict = ["check", *model, "--expect", folder + "/torch_out.npy", "--tolerance", "auto"]


def cost(arguments):
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([program, *arguments], stdout=subprocess.DEVNULL, check=True)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


failed = 0
for t in threads:
    plain, judged = [], []
    for _ in range(10):
        plain += [cost([*model, "-t", t]) for _ in range(3)]
        judged.append(cost([*verdict, "-t", t]))
    wall, cpu = (min(c[i] for c in judged) / min(c[i] for c in plain) for i in (0, 1))
    print(f"{t} thread{'s' if t != '1' else ''}: a verdict costs {cpu:.1f} plain runs of processor time, {wall:.1f} of time")
    failed |= cpu >= 10
sys.exit(failed)
EOF
