#!/usr/bin/env python3
"""Does `onnxrun trace` find known conversion mistakes, and keep quiet where there is none?

  run.py PROGRAM [--quick] [--models FOLDER] [--only CLASS,...] [--networks NAME,...]
         [--keep FOLDER] [-v]

Faults (faults.py) are put into sound models (networks.py and FOLDER/*/model.onnx), honest pairs come
from honest.py.  A fault counts as detected if trace calls the pair different, as located if the first
node it names makes the value that went wrong, as explained if its first explanation is the fault's.
A fault that is not detected must be below rounding: at the value that it changes, the largest change
is under 1e-4 of the value's root mean square.
Needs numpy and onnx; with onnxruntime installed that computes the references, else we do.
"""
import argparse
import collections
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy as np
import onnx

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import faults
import honest
import networks

HERE = pathlib.Path(__file__).resolve().parent
BELOW = 1e-4
GOALS = {"detected": 1.0, "located": 0.95, "explained": 0.85}


class Program:
    def __init__(self, path):
        self.path = path
        self.runs = 0

    def __call__(self, *args):
        self.runs += 1
        return subprocess.run([self.path, *map(str, args)], capture_output=True, text=True, timeout=600)


class Pair:
    """A sound model in a folder of its own, with its feeds and all of its values."""

    def __init__(self, name, model, feeds, folder, program):
        self.name, self.model, self.feeds, self.folder = name, model, feeds, folder
        folder.mkdir(parents=True, exist_ok=True)
        self.path = save_model(model, folder / "model.onnx")
        self.args = save_feeds(feeds, folder)
        self.reference = folder / "reference.npz"
        start = time.monotonic()
        self.values = all_values(program, self.path, self.args, self.reference)
        self.own = dict(self.values)
        self.seconds = time.monotonic() - start
        by = honest.onnxruntime_values(model, feeds)
        if by:
            np.savez(self.reference, **by)
            self.values.update(by)


def save_model(model, path):
    onnx.save(model, path)
    return path


def save_feeds(feeds, folder):
    args = []
    for k, (name, array) in enumerate(feeds.items()):
        np.save(folder / f"feed_{k}.npy", array)
        args.append(f"{name}={folder / f'feed_{k}.npy'}")
    return args


def all_values(program, model, args, to):
    """Every value of a run as written, by name; None if the model does not run."""
    r = program("run", model, *args, "--optimize", 0, "--outputs", "all", "-t", 1, "-o", to)
    if r.returncode != 0:
        return None
    with np.load(to) as f:
        return {k: f[k] for k in f.files}


def spread(items, n):
    """n of them: the first, the last, and what lies evenly between."""
    if n >= len(items):
        return items
    return [items[i * (len(items) - 1) // max(n - 1, 1)] for i in range(n)]


def candidates(pair, f, limit):
    """Edits of the model that carry this fault, one after the other."""
    nodes = [i for i, n in enumerate(pair.model.graph.node)
             if n.op_type in f.ops and n.domain in ("", "ai.onnx") and n.output[0] in pair.values]
    found = []
    for variant in range(f.variants):
        for i in spread(nodes, 16):
            e = faults.Edit(pair.model, pair.values, pair.feeds)
            e.variant = variant
            try:
                value = f.function(e, e.graph.node[i])
            except (KeyError, StopIteration):  # an operand that no run shows
                value = None
            if value:
                found.append((e, value, pair.model.graph.node[i].op_type))
    return spread(found, limit)


Result = collections.namedtuple("Result", "status located explained text")


def judge(program, pair, f, e, value, folder):
    """One fault, put in and looked for.  status: loud, below, missed, found."""
    model, args = save_model(faults.prune(e.model), folder / "fault.onnx"), save_feeds(e.feeds, folder)
    values = all_values(program, model, args, folder / "fault.npz")
    if values is None:
        return Result("loud", False, False, "")
    if f.by_reference:
        r = program("trace", pair.path, *pair.args, "--against", folder / "fault.npz", "--json", "-t", 1)
    else:
        r = program("trace", model, *args, "--against", pair.reference, "--json", "-t", 1)
    if r.returncode == 2:
        return Result("missed", False, False, r.stderr.strip())
    t = json.loads(r.stdout)
    if t["first"] is None:
        change = effect(values.get(value), pair.own[value])
        return Result("below" if change < BELOW else "missed", False, False, f"change {change:.3g}")
    causes = [x["cause"] for x in t["explanations"]]
    text = f'{t["first"]["op"]} {t["first"]["value"]} {value}: ' + "; ".join(
        f'{x["cause"]} {x["residual"]:.2g} ({x["text"]})' for x in t["explanations"][:3])
    return Result("found", t["first"]["value"] == value, causes[:1] and causes[0] in f.accept, text)


def effect(a, b):
    """The largest change over the value's root mean square."""
    if a is None or a.shape != b.shape:
        return np.inf
    if a.dtype.kind not in "fiub":
        return 0 if np.array_equal(a, b) else np.inf
    with np.errstate(all="ignore"):
        d = np.abs(a.astype(np.float64) - b)
        d = np.where(a == b, 0, d)
        size = np.sqrt(np.mean(np.square(b.astype(np.float64))))
        return np.nan_to_num(np.max(d, initial=0) / max(size, 1e-300), nan=np.inf)


class Table:
    def __init__(self):
        self.rows = collections.defaultdict(collections.Counter)

    def add(self, name, r):
        row = self.rows[name]
        row["faults"] += r.status != "loud"
        row[r.status] += 1
        row["located"] += bool(r.located)
        row["explained"] += bool(r.explained)

    def total(self, key):
        return sum(row[key] for row in self.rows.values())

    def print(self):
        print(f'{"class":26} faults  below rounding  missed  detected  located  explained')
        for name in sorted(self.rows):
            self.line(name, lambda k, n=name: self.rows[n][k])
        self.line("all", self.total)

    @staticmethod
    def line(name, get):
        if get("faults") == 0:
            return
        found = max(get("found"), 1)
        print(f'{name:26} {get("faults"):6}  {get("below"):14}  {get("missed"):6}  {get("found"):8}  '
              f'{100 * get("located") / found:6.1f}%  {100 * get("explained") / found:8.1f}%')


def published(folder, largest):
    """(name, model, feeds) of FOLDER/NAME/{model.onnx,input_K.npy}."""
    for path in sorted(pathlib.Path(folder).glob("*/model.onnx")):
        inputs = [path.parent / f"input_{k}.npy" for k in range(64)]
        arrays = [np.load(p) for p in inputs if p.exists()]
        if sum(a.size for a in arrays) > largest or any(a.dtype.kind not in "fiub" for a in arrays):
            continue
        model = onnx.load(path)
        held = {t.name for t in model.graph.initializer}
        names = [i.name for i in model.graph.input if i.name not in held]
        yield path.parent.name, model, dict(zip(names, arrays))


def models(options):
    for name, make in networks.NETWORKS.items():
        yield name, *make()
    own = HERE.parent.parent / "models" / "super_resolution"
    x = np.load(own / "input.npy")[..., :48, :40]
    if not options.quick:
        for name in ("dynamo_opset18", "dynamo_opset23"):
            yield f"super_resolution_{name}", onnx.load(own / f"{name}.onnx"), {"input": np.ascontiguousarray(x)}
        if options.models:
            yield from published(options.models, 400_000)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program")
    parser.add_argument("--quick", action="store_true", help="one fault a class and network")
    parser.add_argument("--models", help="a folder of published models")
    parser.add_argument("--only", help="classes of faults")
    parser.add_argument("--networks", help="networks")
    parser.add_argument("--examples", action="store_true", help="print an example of each cause")
    parser.add_argument("--keep", help="a folder for the files of the last fault of each network")
    parser.add_argument("-v", "--verbose", action="store_true")
    options = parser.parse_args()
    program = Program(os.path.abspath(options.program))
    by_cause, tally = Table(), collections.Counter()
    with tempfile.TemporaryDirectory() as work:
        for name, model, feeds in models(options):
            if options.networks and name not in options.networks.split(","):
                continue
            pair = Pair(name, model, feeds, pathlib.Path(options.keep or work) / name, program)
            try_faults(program, pair, options, by_cause)
            if not options.only:
                honest.try_pairs(program, pair, options, tally)
    report(by_cause, tally, program, options)


shown = set()  # causes that have had their example


def example(program, pair, f, folder):
    """What a person sees of this fault, in the words of trace."""
    inputs = [f"{name}={folder / f'feed_{k}.npy'}" for k, name in enumerate(pair.feeds)]
    model, against = (pair.path, "fault.npz") if f.by_reference else (folder / "fault.onnx", "reference.npz")
    if f.by_reference:
        save_feeds(pair.feeds, folder)
    lines = program("trace", model, *inputs, "--against", folder / against, "-t", 1).stdout.splitlines()
    departs = next(x for x in lines if x.startswith("departs"))
    cause = next(x for x in lines if x.startswith(f.cause) or x.startswith(f.accept))
    print(f'{pair.name}: {f.name.replace("-", " ")}\n    {" ".join(departs.split())}\n    {cause}')


def try_faults(program, pair, options, table):
    for f in faults.FAULTS:
        if options.only and f.cause not in options.only.split(",") and f.name not in options.only.split(","):
            continue
        limit = 1 if options.quick or pair.seconds > 0.8 else 2 if pair.seconds > 0.2 else 3
        for k, (e, value, op) in enumerate(candidates(pair, f, limit)):
            r = judge(program, pair, f, e, value, pair.folder)
            table.add(f.cause, r)
            if options.examples and r.explained and f.cause not in shown:
                shown.add(f.cause)
                example(program, pair, f, folder=pair.folder)
            bad = r.status == "missed" or r.status == "found" and not (r.located and r.explained)
            if bad or options.verbose:
                print(f"{pair.name} {f.name} at {op}: {r.status}, located {r.located}, explained "
                      f"{r.explained}; {r.text}", flush=True)


def report(table, tally, program, options):
    table.print()
    found = max(table.total("found"), 1)
    rates = {"detected": 1 - table.total("missed") / max(table.total("faults"), 1),
             "located": table.total("located") / found, "explained": table.total("explained") / found}
    if table.total("found") == 0:
        rates["located"] = rates["explained"] = 1
    passed = failed = 0
    for what, goal in GOALS.items():
        ok = rates[what] >= goal
        passed, failed = passed + ok, failed + (not ok)
        print(f"{what}: {100 * rates[what]:.1f} % (at least {100 * goal:.0f} %)")
    print(f'honest pairs: {tally["pairs"]}, false alarms {tally["alarms"]}; low precision recognised '
          f'{tally["low"]} of {tally["halves"]}')
    print(f"{program.runs} runs")
    print(f'{passed + table.total("found") + tally["pairs"] - tally["alarms"]} passed, '
          f'{failed + table.total("missed") + tally["alarms"]} failed')
    sys.exit(failed + table.total("missed") + tally["alarms"] > 0)


if __name__ == "__main__":
    main()
