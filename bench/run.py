#!/usr/bin/env python3
"""Times onnxrun against ONNX Runtime, OpenVINO, ncnn and MNN, and writes bench/results.md and .svg.

    run.py PROGRAM [--quick] [--models FOLDER ...] [NAME ...]

Models: the project's super-resolution network, the light networks of the onnx package, what
bench/models.py wrote (build/bench-models), and ../shared/models where that exists.  A round measures each
runtime once, one after the other, each in a process of its own; there are several rounds (peers other than
ONNX Runtime take part in every second, at one thread), and a ratio is the median over rounds of the peer's time to ours.
What is timed: whole inferences, inputs in memory, median of as many as fit into a fraction of a second.
Errors are those against `onnxrun --precision f64`.
"""
import argparse
import datetime
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import onnx

import chart

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
OURS, BASE = "onnxrun", "ONNX Runtime"
PEERS = ["ONNX Runtime", "OpenVINO", "ncnn", "MNN"]
QUICK = ["super_resolution", "light_squeezenet", "mobilenet_v2", "cntk_mnist", "pt_mobilenetv2_qdq"]
TIMEOUT = 300


# ---------------------------------------------------------------- models


def light_networks():
    """The onnx package's networks in conformance-case layout, written once."""
    folder = ROOT / "build" / "bench-light"
    if not (folder / "ready").exists():
        sys.path.insert(0, str(ROOT / "tests" / "conformance"))
        import fetch
        from onnx.backend.test.loader import DATA_DIR

        fetch.light_cases(folder, Path(DATA_DIR), {i for i in fetch.wanted_ids() if i.startswith("light/")})
        (folder / "ready").touch()
    return sorted((folder / "light").glob("test_*"))


def find_models(folders):
    """name -> (model file, input files)"""
    found = {}
    case = ROOT / "models" / "super_resolution"
    found["super_resolution"] = (case / "torchscript_opset18.onnx", [case / "input.npy"])
    for folder in light_networks():
        name = "light_" + folder.name.removeprefix("test_")
        found[name] = (folder / "model.onnx", sorted(folder.glob("test_data_set_0/input_*.pb")))
    for folder in folders:
        for model in sorted(folder.glob("*/model.onnx")):
            found[model.parent.name] = (model, sorted(model.parent.glob("input_*.npy")))
    return found


def kind_of(model):
    """int8, or float32."""
    nodes = onnx.load(model, load_external_data=False).graph.node
    quantised = ("DequantizeLinear", "MatMulInteger", "ConvInteger")
    return "int8" if any(n.op_type in quantised or n.op_type.startswith("QLinear") for n in nodes) else "float32"


# ---------------------------------------------------------------- one measurement


def progress(text):
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def call(command, **options):
    try:
        return subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=TIMEOUT, **options)
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 1, "", f"more than {TIMEOUT} seconds")


def measure_ours(program, model, inputs, threads, seconds):
    done = call([program, "bench", model, *inputs, "-t", threads, "--seconds", seconds, "--json"])
    if done.returncode:
        return {"error": (done.stderr.strip() or "killed").splitlines()[-1][:200]}
    r = json.loads(done.stdout)
    return {"p50_ms": r["latency_ms"]["p50"], "load_ms": r["load_ms"] + r["plan_ms"], "first_ms": r["first_run_ms"],
            "memory": r["peak_rss_bytes"], "version": "", "isa": r["isa"]}


def measure_peer(runtime, model, inputs, threads, seconds, cache, outputs=None):
    job = {"runtime": runtime, "model": str(model), "inputs": [str(p) for p in inputs], "threads": threads,
           "seconds": seconds, "warmup": 3, "cache": str(cache), "outputs": outputs and str(outputs)}
    done = call([sys.executable, HERE / "peers.py", json.dumps(job)])
    try:
        return json.loads(done.stdout)
    except json.JSONDecodeError:
        return {"error": "the process died" if not done.stderr.startswith("more than") else done.stderr}


def our_outputs(program, model, inputs, folder, *options):
    """Float outputs in the order of the graph; None where it cannot be run."""
    folder.mkdir()
    done = call([program, model, *inputs, *options, "--format", "test-case", "-o", f"{folder}/"])
    if done.returncode:
        return None
    arrays = []
    for i in range(len(list(folder.glob("output_*.pb")))):
        proto = onnx.TensorProto.FromString((folder / f"output_{i}.pb").read_bytes())
        try:
            arrays.append(onnx.numpy_helper.to_array(proto))
        except Exception:  # a sequence or map: no error to speak of
            arrays.append(None)
    return arrays


def error_of(actual, exact):
    """The largest difference of a float output, as a share of that output's largest value; None: unknown."""
    worst = None
    for a, e in zip(actual or [], exact or []):
        if a is None or e is None or e.dtype.kind != "f" or e.size == 0 or a.dtype.kind != "f" or a.size != e.size:
            continue
        e = e.astype(np.float64)
        scale = np.abs(e[np.isfinite(e)]).max(initial=0)
        difference = np.abs(a.astype(np.float64).reshape(e.shape) - e)
        difference = difference[np.isfinite(difference)].max(initial=0)
        worst = max(worst or 0, float(difference / scale) if scale else float(difference))
    return worst


def errors(program, model, inputs, cache):
    """Of us and of ONNX Runtime against our float64."""
    with tempfile.TemporaryDirectory() as scratch:
        scratch = Path(scratch)
        exact = our_outputs(program, model, inputs, scratch / "f64", "--precision", "f64")
        result = {OURS: error_of(our_outputs(program, model, inputs, scratch / "f32"), exact)}
        file = scratch / "peer.npz"
        if "error" not in measure_peer(BASE, model, inputs, 1, 0, cache, file) and file.exists():
            with np.load(file, allow_pickle=True) as z:
                result[BASE] = error_of([z[k] for k in z.files], exact)
        return result


def measure_model(args, name, model, inputs, threads, peers):
    """runtime -> medians over rounds, with "ratio" to ours; peers that fail are dropped after one round."""
    cache = ROOT / "build" / "bench-cache" / name
    rounds, failed = [], {}
    for i in range(args.rounds):
        this = {}
        taking_part = [p for p in peers if p not in failed and (p == BASE or i % 2 == 0)]
        for runtime in [OURS] + taking_part:
            progress(f"{name}, {threads} thread{'s' * (threads > 1)}, round {i + 1} of {args.rounds}, {runtime}")
            measured = (measure_ours(args.program, model, inputs, threads, args.seconds) if runtime == OURS else
                        measure_peer(runtime, model, inputs, threads, args.seconds, cache))
            if "error" in measured:
                failed[runtime] = measured["error"]
            else:
                this[runtime] = measured
        rounds.append(this)
        if OURS in failed:
            break
    result = {}
    for runtime in [OURS] + peers:
        good = [r for r in rounds if runtime in r and OURS in r]
        if runtime in failed or not good:
            continue
        result[runtime] = {k: statistics.median(r[runtime][k] for r in good)
                           for k in ("p50_ms", "load_ms", "first_ms", "memory")}
        result[runtime]["ratio"] = statistics.median(r[runtime]["p50_ms"] / r[OURS]["p50_ms"] for r in good)
        result[runtime]["version"] = good[0][runtime]["version"]
    return result, failed


# ---------------------------------------------------------------- report


def machine():
    cpuinfo = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    name = re.search(r"model name\s*: (.*)", cpuinfo)
    memory = re.search(r"MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text()) if cpuinfo else None
    virtual = " (virtual machine)" if "hypervisor" in cpuinfo else ""
    return (f"{name[1] if name else platform.processor() or platform.machine()}{virtual}, {os.cpu_count()} processors, "
            f"{int(memory[1]) >> 20 if memory else '?'} GiB, {platform.system()} {platform.release()}")


def peak_of(program, model, inputs, threads):
    done = call([program, "bench", model, *inputs, "-t", threads, "--runs", 1, "--profile", "--json"])
    profile = json.loads(done.stdout)["profile"] if done.returncode == 0 else {}
    return f"{profile.get('peak_gflops', 0):.0f} GFLOP/s and {profile.get('peak_gb_per_s', 0):.1f} GB/s"


def geometric_mean(values):
    return float(np.exp(np.mean(np.log(values)))) if values else None


def number(v, form="{:.2f}"):
    return "–" if v is None else form.format(v)


def milliseconds(v):
    return "–" if v is None else f"{v:.3f}" if v < 1 else f"{v:.2f}" if v < 100 else f"{v:.0f}"


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "|".join([" --- "] + [" ---: "] * (len(head) - 1)) + "|"]
    return lines + ["| " + " | ".join(r) + " |" for r in rows] + [""]


def summary(results, threads):
    """(what, geometric mean, worst) of ratios to ONNX Runtime"""
    for kind in ("float32", "int8"):
        ratios = {n: r["by_threads"][threads][BASE]["ratio"] for n, r in results.items()
                  if r["kind"] == kind and BASE in r["by_threads"][threads]}
        if ratios:
            worst = min(ratios, key=ratios.get)
            yield kind, len(ratios), geometric_mean(list(ratios.values())), worst, ratios[worst]


def speed_table(results, threads, peers):
    rows = []
    for name, r in results.items():
        by = r["by_threads"][threads]
        if OURS not in by:
            continue
        row = [name, r["kind"], milliseconds(by[OURS]["p50_ms"])]
        row += [milliseconds(by[BASE]["p50_ms"]) if BASE in by else "–"]
        row += [number(by[p]["ratio"] if p in by else None) for p in peers]
        rows.append(row + [number(r["errors"].get(p), "{:.0e}") for p in (OURS, BASE)])
    return table(["model", "kind", "onnxrun ms", "ONNX Runtime ms"] + [f"× {p}" for p in peers] +
                 ["error", "error of ONNX Runtime"], rows)


def start_table(results, threads):
    rows = []
    for name, r in results.items():
        by = r["by_threads"][threads]
        if OURS not in by or BASE not in by:
            continue
        ours, base = by[OURS], by[BASE]
        mib = lambda b: f"{b / 2**20:.0f}"
        rows.append([name, milliseconds(ours["load_ms"]), milliseconds(base["load_ms"]),
                     number(base["load_ms"] / ours["load_ms"]), number(ours["first_ms"] / ours["p50_ms"]),
                     number(base["first_ms"] / base["p50_ms"]), mib(ours["memory"]), mib(base["memory"])])
    return table(["model", "load and plan ms", "session creation ms of ONNX Runtime", "×", "first / steady",
                  "of ONNX Runtime", "peak MiB", "of ONNX Runtime"], rows)


def start_summary(results, threads):
    pairs = [(n, r["by_threads"][threads]) for n, r in results.items() if {OURS, BASE} <= r["by_threads"][threads].keys()]
    if not pairs:
        return []
    names = lambda bad: ", ".join(bad) or "none"
    load = geometric_mean([b[BASE]["load_ms"] / b[OURS]["load_ms"] for _, b in pairs])
    memory = geometric_mean([b[OURS]["memory"] / b[BASE]["memory"] for _, b in pairs if b[BASE]["memory"] > 0])
    return [f"- Load and plan: geometric mean **{load:.2f}** × as fast as the session creation of {BASE}; less than twice as fast: "
            + names([n for n, b in pairs if b[BASE]["load_ms"] < 2 * b[OURS]["load_ms"]]) + ".",
            "- First inference more than 1.5 times a steady one: "
            + names([n for n, b in pairs if b[OURS]["first_ms"] > 1.5 * b[OURS]["p50_ms"]]) + ".",
            f"- Peak memory: geometric mean {number(memory)} of {BASE}'s; more than it: "
            + names([n for n, b in pairs if b[OURS]["memory"] > b[BASE]["memory"]]) + ".", ""]


def write_report(args, results, versions, failures, load):
    thread_counts = sorted(next(iter(results.values()))["by_threads"])
    peers = [p for p in PEERS if p in versions]
    lines = ["# Benchmark", "",
             f"Made by `make bench`{' (the quick subset)' if args.quick else ''} on {datetime.date.today()}: onnxrun against "
             + ", ".join(f"{p} {versions[p]}" for p in peers) + ".", "",
             f"- Machine: {machine()}; kernels for {args.isa}; one thread reaches {args.peak}.",
             f"- Load of the machine by others while this was measured: {load[0]} to {load[1]} running threads besides ours "
             f"(our priority: nice {os.nice(0)})." + (" **The machine was shared**: absolute times are inflated; ratios are of neighbouring"
                                    " measurements, and still noisy." if load[1] > 0.5 else ""),
             f"- {args.rounds} rounds; in each, every runtime once (peers other than {BASE} in every second, at one thread), in a process of"
             f" its own, {args.seconds} s of inferences after three to warm up. A ratio is the median over rounds of the"
             " peer's median time to ours: above 1 we are faster.",
             "- Error: largest difference of a float output from `onnxrun --precision f64`, as a share of that output's largest"
             " value. Quantised networks round to 8 bits: there it only shows gross mistakes.",
             "- Memory: the most that our whole process held, program and inputs included; of ONNX Runtime, the most by which its process"
             " grew after Python, the library and the inputs were loaded.", ""]
    for threads in thread_counts:
        lines += [f"## {threads} thread{'s' * (threads > 1)}", ""]
        for kind, n, mean, worst, ratio in summary(results, threads):
            lines.append(f"- {n} {kind} models: geometric mean **{mean:.2f}** × ONNX Runtime; the slowest is {worst} "
                         f"with {ratio:.2f}.")
        here = [p for p in peers if any(p in r["by_threads"][threads] for r in results.values())]
        lines += [""] + speed_table(results, threads, here)
    if len(thread_counts) > 1:
        one, two = thread_counts[:2]
        gains = {n: r["by_threads"][one][OURS]["p50_ms"] / r["by_threads"][two][OURS]["p50_ms"] for n, r in results.items()
                 if OURS in r["by_threads"][one] and OURS in r["by_threads"][two]}
        lines += [f"{two} threads are {geometric_mean(list(gains.values())):.2f} times as fast as {one} in the geometric"
                  " mean.", ""]
    lines += [f"## Start and memory, {thread_counts[0]} thread", ""]
    lines += start_summary(results, thread_counts[0]) + start_table(results, thread_counts[0])
    lines += ["## What was not measured", ""]
    failures = [f"{p}: left out of this run" for p in PEERS if args.peer and p not in args.peer] + failures
    lines += [f"- {what}" for what in failures] or ["- Nothing: all runtimes ran all models."]
    args.out.with_suffix(".md").write_text("\n".join(lines) + "\n")
    threads = thread_counts[0]
    ratios = {n: r["by_threads"][threads][BASE]["ratio"] for n, r in results.items() if BASE in r["by_threads"][threads]}
    kinds = {n: r["kind"] for n, r in results.items()}
    title, note = f"onnxrun × ONNX Runtime {versions.get(BASE, '')}", f"{threads} thread, {machine().split(',')[0]}"
    if ratios:
        args.out.with_suffix(".svg").write_text(chart.bars(ratios, kinds, title, note))


def grouped(failures):
    """{(runtime, reason): [models]} as lines"""
    return [f"{runtime}: {reason} ({', '.join(models)})" for (runtime, reason), models in sorted(failures.items())]


def others_running():
    """Processes that run besides this one, now."""
    return max(int(Path("/proc/loadavg").read_text().split()[3].split("/")[0]) - 1, 0)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("program", type=Path)
    add("names", metavar="NAME", nargs="*", help="models (all)")
    add("--quick", action="store_true", help="a few models, fewer rounds")
    add("--models", type=Path, action="append", metavar="FOLDER", help="folders of NAME/model.onnx and input_K.npy")
    add("--rounds", type=int)
    add("--seconds", type=float, default=0.4, help="of each measurement")
    add("--threads", type=int, action="append", help="thread counts (1 and 2)")
    add("--peer", action="append", choices=PEERS, help="peers (all that are installed)")
    add("--out", type=Path, default=HERE / "results", help="report without suffix (bench/results)")
    args = parser.parse_args()
    args.rounds = args.rounds or (3 if args.quick else 5)
    args.program = args.program.resolve()
    folders = args.models or [ROOT / "build" / "bench-models", ROOT.parent / "shared" / "models"]
    models = find_models(f.resolve() for f in folders)
    wanted = args.names or (QUICK if args.quick else list(models))
    failures = {}
    for folder in folders:
        if not folder.exists():
            failures["models", f"{folder.name} is not there (make bench-models)" if "bench-models" in str(folder)
                     else f"no folder {folder.name}"] = ["its networks"]
    for name in [n for n in args.names if n not in models]:
        parser.error(f"no model {name}: {' '.join(models)}")
    wanted = [n for n in wanted if n in models]
    case = models["super_resolution"]
    args.peak = peak_of(args.program, *case, 1)
    args.isa = measure_ours(args.program, *case, 1, 0).get("isa", "?")
    results, versions, others, begun = {}, {}, [], time.time()
    for k, name in enumerate(wanted):
        model, inputs = models[name]
        peers = list(args.peer or PEERS)
        by_threads = {}
        for threads in args.threads or [1, 2]:
            by_threads[threads], failed = measure_model(args, name, model, inputs, threads, peers)
            others.append(others_running())
            peers = [p for p in peers if p == BASE and p not in failed]
            versions |= {p: v["version"] for p, v in by_threads[threads].items() if p != OURS}
            for runtime, reason in failed.items():
                failures.setdefault((runtime, reason.replace(str(model), "MODEL")), []).append(name)
        if not any(OURS in b for b in by_threads.values()):
            continue
        found = errors(args.program, model, inputs, ROOT / "build" / "bench-cache" / name)
        results[name] = {"kind": kind_of(model), "by_threads": by_threads, "errors": found}
        write_report(args, results, versions, grouped(failures), (min(others), max(others)))
        first = by_threads[min(by_threads)]
        if sys.stderr.isatty():
            left = (time.time() - begun) / (k + 1) * (len(wanted) - k - 1)
            progress("")
            print(f"{name:28} {milliseconds(first[OURS]['p50_ms']):>9} ms, "
                  f"{number(first.get(BASE, {}).get('ratio'))} × {BASE}; {left / 60:.0f} min to go", file=sys.stderr)
    if not results:
        sys.exit("bench: nothing could be measured")
    print(f"{len(results)} models measured: {args.out.with_suffix('.md')}")


if __name__ == "__main__":
    main()
