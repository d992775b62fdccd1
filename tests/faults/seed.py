"""Puts one fault into a sound model and looks whether trace finds it."""
import json
import subprocess
import time

import numpy as np
import onnx

import faults
import honest

BELOW = 1e-4
shown = set()  # causes that have had their example


class Program:
    def __init__(self, path):
        self.path = path
        self.runs = 0

    def __call__(self, *args):
        self.runs += 1
        try:
            return subprocess.run([self.path, *map(str, args)], capture_output=True, text=True, timeout=300)
        except subprocess.TimeoutExpired:
            return subprocess.CompletedProcess(args, 2, "", "no answer within 300 seconds")


class Pair:
    """A sound model in a folder of its own, with its feeds and all of its values."""

    def __init__(self, name, model, feeds, folder, program):
        self.name, self.model, self.feeds, self.folder = name, model, feeds, folder
        folder.mkdir(parents=True, exist_ok=True)
        self.path = save_model(model, folder / "model.onnx")
        self.args = save_feeds(feeds, folder)
        self.reference = folder / "reference.npz"
        self.values = all_values(program, self.path, self.args, self.reference)
        if self.values is None:
            raise ValueError(f"{name} does not run")
        self.own = dict(self.values)
        by = honest.onnxruntime_values(model, feeds)
        if by:
            np.savez(self.reference, **by)
            self.values.update(by)
        self.weight = sum(v.size for v in self.own.values()) + 1000 * len(model.graph.node)

    def before_rounding(self, value):
        """x / scale of a QuantizeLinear with one scale; None: not made by one."""
        for n in self.model.graph.node:
            if value in n.output and n.op_type == "QuantizeLinear":
                x, scale = (faults.Edit(self.model, self.own, self.feeds).value(i) for i in n.input[:2])
                return x.astype(np.float64) / scale.astype(np.float64) if scale.size == 1 else None
        return None

    def faults_of_a_kind(self, quick):
        """How many: fewer where each costs seconds.  By size, so that every machine tries the same."""
        return 1 if quick or self.weight > 4_000_000 else 2 if self.weight > 1_000_000 else 3


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


def scattered(items):
    """The first, the last, then what halves the gaps."""
    order, gaps = [0, len(items) - 1], [(0, len(items) - 1)]
    while gaps:
        a, b = gaps.pop(0)
        if b - a > 1:
            order.append((a + b) // 2)
            gaps += [(a, order[-1]), (order[-1], b)]
    return [items[i] for i in dict.fromkeys(order) if 0 <= i < len(items)]


def candidates(pair, f, limit):
    """Edits of the model that carry this fault, one after the other; each variant has its turn."""
    nodes = [i for i, n in enumerate(pair.model.graph.node)
             if n.op_type in f.ops and n.domain in ("", "ai.onnx") and n.output[0] in pair.values]
    nodes = scattered(spread(nodes, 16))
    turns = [(i, (k + turn) % f.variants) for turn in range(f.variants) for k, i in enumerate(nodes)]
    found = 0
    for i, variant in turns:
        if found == limit:
            return
        e = faults.Edit(pair.model, pair.values, pair.feeds)
        e.variant = variant
        try:
            value = f.function(e, e.graph.node[i])
        except (KeyError, StopIteration):  # an operand that no run shows
            value = None
        if value:
            found += 1
            yield e, value, pair.model.graph.node[i].op_type


def try_fault(program, pair, options, done, f):
    """A row for each place where the fault is put."""
    for k, (e, value, op) in enumerate(candidates(pair, f, pair.faults_of_a_kind(options.quick))):
        if f"{f.name}/{k}" in done:
            continue
        start = time.monotonic()
        row = judge(program, pair, f, e, value)
        row.update(key=f"{f.name}/{k}", kind="fault", cause=f.cause, fault=f.name, op=op,
                   seconds=round(time.monotonic() - start, 2))
        if options.examples and row["explained"] and f.cause not in shown:
            shown.add(f.cause)
            example(program, pair, f)
        yield row


def result(status, text, located=False, explained=False):
    return {"status": status, "located": located, "explained": explained, "text": text}


def judge(program, pair, f, e, value):
    """One fault, put in and looked for.  status: loud, below, missed, found."""
    folder = pair.folder
    model, args = save_model(faults.prune(e.model), folder / "fault.onnx"), save_feeds(e.feeds, folder)

    def values():
        return all_values(program, model, args, folder / "fault.npz")

    if f.by_reference:
        if values() is None:
            return result("loud", "")
        save_feeds(pair.feeds, folder)
        r = program("trace", pair.path, *pair.args, "--against", folder / "fault.npz", "--json", "-t", 1)
    else:
        r = program("trace", model, *args, "--against", pair.reference, "--json", "-t", 1)
    if r.returncode == 2:
        return result("loud" if not f.by_reference and values() is None else "missed", r.stderr.strip())
    t = json.loads(r.stdout)
    if t["first"] is None:
        change = effect((values() or {}).get(value), pair.own[value], pair.before_rounding(value))
        return result("below" if change < BELOW else "missed", f"change {change:.3g}")
    causes = [x["cause"] for x in t["explanations"]]
    text = f'{t["first"]["op"]} {t["first"]["value"]} {value}: ' + "; ".join(
        f'{x["cause"]} {x["residual"]:.2g} ({x["text"]})' for x in t["explanations"][:3])
    return result("found", text, t["first"]["value"] == value, bool(causes) and causes[0] in f.accept)


def effect(a, b, before=None):
    """The largest change over the value's root mean square.  Of a quantiser, whose input in steps is given: of
    what it rounds, if that lies so close to a tie that a step is all that has come of it."""
    if a is None or a.shape != b.shape:
        return np.inf
    if a.dtype.kind not in "fiub":
        return 0 if np.array_equal(a, b) else np.inf
    with np.errstate(all="ignore"):
        d = np.abs(a.astype(np.float64) - b)
        d = np.where(a == b, 0, d)
        size = np.sqrt(np.mean(np.square(b.astype(np.float64))))
        if before is not None and np.max(d, initial=0) == 1:
            d = np.where(d == 1, np.abs(before - np.floor(before) - 0.5), 0)
        return np.nan_to_num(np.max(d, initial=0) / max(size, 1e-300), nan=np.inf)


def example(program, pair, f):
    """What a person sees of this fault, in the words of trace."""
    inputs = [f"{name}={pair.folder / f'feed_{k}.npy'}" for k, name in enumerate(pair.feeds)]
    model, against = (pair.path, "fault.npz") if f.by_reference else (pair.folder / "fault.onnx", "reference.npz")
    lines = program("trace", model, *inputs, "--against", pair.folder / against, "-t", 1).stdout.splitlines()
    departs = next(x for x in lines if x.startswith("departs"))
    cause = next(x for x in lines if x.startswith(f.cause) or x.startswith(f.accept))
    print(f'{pair.name}: {f.name.replace("-", " ")}\n    {" ".join(departs.split())}\n    {cause}', flush=True)
