"""Pairs without a mistake: the same model computed by others, in other orders and precisions."""
import json

import numpy as np
import onnx
from onnx import TensorProto, helper

try:
    import onnxruntime
except ImportError:
    onnxruntime = None
else:
    onnxruntime.set_default_logger_severity(4)

HONEST = ("equal", "equal-within-rounding", "ill-conditioned", "reference-low-precision")


def session(model, optimise):
    o = onnxruntime.SessionOptions()
    o.intra_op_num_threads = 1
    level = onnxruntime.GraphOptimizationLevel
    o.graph_optimization_level = level.ORT_ENABLE_ALL if optimise else level.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(model.SerializeToString(), o, providers=["CPUExecutionProvider"])


def with_all_outputs(model):
    every = onnx.ModelProto()
    every.CopyFrom(model)
    have = {o.name for o in every.graph.output}
    for node in every.graph.node:
        for o in node.output:
            if o and o not in have:
                have.add(o)
                every.graph.output.append(onnx.ValueInfoProto(name=o))
    return every


def arrays(names, results):
    return {n: v for n, v in zip(names, results) if isinstance(v, np.ndarray) and v.dtype.kind in "fiub"}


def onnxruntime_values(model, feeds, optimise=False):
    """All values as ONNX Runtime computes them without rewriting; None where it cannot."""
    if onnxruntime is None:
        return None
    try:
        s = session(model if optimise else with_all_outputs(model), optimise)
        return arrays([o.name for o in s.get_outputs()], s.run(None, feeds))
    except Exception:  # an operator or type that it lacks
        return None


def evaluator_values(model, feeds):
    """The same by ONNX's own evaluator, which is slow."""
    from onnx.reference import ReferenceEvaluator
    if any(o.version < 13 for o in model.opset_import if o.domain in ("", "ai.onnx")):
        return None  # it knows the newest meaning of Softmax alone
    work = sum(int(np.prod(t.dims)) for t in model.graph.initializer)
    if work > 200_000 or sum(a.size for a in feeds.values()) > 20_000 or len(model.graph.node) > 200:
        return None
    try:
        every = with_all_outputs(model)
        names = [o.name for o in every.graph.output]
        return arrays(names, ReferenceEvaluator(every).run(names, feeds))
    except Exception:
        return None


def rounded_model(model, values, to):
    """Every float value that a node gives goes through a narrow type."""
    low = onnx.ModelProto()
    low.CopyFrom(model)
    nodes = list(low.graph.node)
    del low.graph.node[:]
    k = 0
    for n in nodes:
        renamed = []
        for i, o in enumerate(n.output):
            if o in values and values[o].dtype == np.float32 and n.op_type not in ("Constant", "DequantizeLinear"):
                raw = f"low_{k}"
                k += 1
                n.output[i] = raw
                renamed.append((raw, o))
        low.graph.node.append(n)
        for raw, o in renamed:
            low.graph.node.append(helper.make_node("Cast", [raw], [o + "_low"], to=to))
            low.graph.node.append(helper.make_node("Cast", [o + "_low"], [o], to=TensorProto.FLOAT))
    return low if k else None


def references(program, pair, options):
    """(what, values by name) of each honest reference."""
    run = ("run", pair.path, *pair.args, "--outputs", "all", "-o", pair.folder / "honest.npz", "-t")
    narrow = any(v.dtype == np.float16 for v in pair.values.values())
    for what, extra in (("scalar kernels", (1, "--isa", "scalar", "--optimize", 0)),
                        ("two threads, optimised", (2,)),
                        ("float64", (1, "--precision", "f64", "--optimize", 0))):
        if not (narrow and what == "float64") and program(*run, *extra).returncode == 0:
            with np.load(pair.folder / "honest.npz") as f:
                yield what, {k: f[k] for k in f.files}
    if options.quick:
        return
    yield "ONNX Runtime", onnxruntime_values(pair.model, pair.feeds)
    if not quantised(pair.model):  # it would compute in integers what the graph does in floats
        yield "ONNX Runtime, optimised", onnxruntime_values(pair.model, pair.feeds, True)
    yield "ONNX's evaluator", evaluator_values(pair.model, pair.feeds)


def quantised(model):
    """ONNX Runtime, optimised, computes it in integers: other biases, another Softmax."""
    return any(n.op_type == "QuantizeLinear" for n in model.graph.node)


def half_references(program, pair):
    largest = max((np.abs(v).max(initial=0) for v in pair.values.values() if v.dtype == np.float32),
                  default=0)
    if quantised(pair.model) or not largest < 6e4:
        return
    for what, to in (("float16", TensorProto.FLOAT16), ("bfloat16", TensorProto.BFLOAT16)):
        low = rounded_model(pair.model, pair.values, to)
        if low is None:
            continue
        path = pair.folder / "low.onnx"
        onnx.save(low, path)
        r = program("run", path, *pair.args, "--outputs", "all", "-o", pair.folder / "honest.npz",
                    "--optimize", 0)
        if r.returncode == 0:
            with np.load(pair.folder / "honest.npz") as f:
                yield what, {k: f[k] for k in f.files if k in pair.values}


def judge(program, pair, values):
    """(trace's verdict and reason, check's verdict)"""
    path = pair.folder / "honest.npz"
    np.savez(path, **values)
    r = program("trace", pair.path, *pair.args, "--against", path, "--json", "-t", 1, "--no-explain")
    trace = json.loads(r.stdout) if r.returncode < 2 else {"verdict": r.stderr.strip(), "reason": ""}
    outputs = [o.name for o in pair.model.graph.output]
    if not all(o in values for o in outputs):
        return trace["verdict"], trace["reason"], "equal"
    np.savez(path, **{o: values[o] for o in outputs})
    r = program("check", pair.path, *pair.args, "--expect", path, "--tolerance", "auto", "--json", "-t", 1)
    verdict = json.loads(r.stdout)["verdict"] if r.returncode < 2 else r.stderr.strip()
    return trace["verdict"], trace["reason"], verdict


def honest_pairs(program, pair, options):
    """(what, values, whether of low precision)"""
    for what, values in references(program, pair, options):
        if not values:
            continue
        if any(values[k].dtype != v.dtype for k, v in pair.values.items() if k in values):
            values = {k: v.astype(pair.values[k].dtype) for k, v in values.items() if k in pair.values}
        yield what, values, False
    if not options.quick:
        for what, values in half_references(program, pair):
            yield what, values, True


def try_pairs(program, pair, options, done):
    """A row for each honest pair."""
    for what, values, half in honest_pairs(program, pair, options):
        if f"honest/{what}" in done:
            continue
        trace, reason, check = judge(program, pair, values)
        ok = trace in HONEST and check in HONEST
        yield {"key": f"honest/{what}", "kind": "honest", "status": "quiet" if ok else "alarm", "half": half,
               "low": "reference-low-precision" in (trace, check), "text": f"trace {trace}, check {check}; {reason}"}
