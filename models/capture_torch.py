#!/usr/bin/env python3
"""Write what a PyTorch module computes on the way, under the value names of its ONNX export.

  capture_torch.py MODEL.onnx --module FILE.py:FUNCTION --input X.npy [--input Y.npy ...] -o VALUES.npz
  onnxrun trace MODEL.onnx X.npy --against VALUES.npz

FUNCTION returns the module, in evaluation mode and with its weights.  In a script of your own:

  from capture_torch import capture
  capture(module, (x, y), "model.onnx", "values.npz")

Two ways lead from PyTorch's values to names of the graph; both are tried, a name is taken once:

  operators  the module is exported again (torch.export) and its graph is run node by node; the nodes
             have the names that the torch.export exporter gives to ONNX values (conv2d_1, relu_2, ...)
  modules    hooks keep the output of every call of a submodule; the TorchScript exporter writes the
             module's path into the node names (/layer1/layer1.0/conv1/Conv), the torch.export exporter
             into their metadata, unless that has been removed

Beside VALUES.npz lies VALUES.tsv: value, node, operator, the PyTorch module or operator behind it.  What
no name could be found for is left out: trace judges a node from the nearest values that it has.
"""
import argparse
import ast
import collections
import importlib.util
import pathlib
import sys

import numpy as np
import onnx
import torch


class Call:
    """One call of a submodule: its scope as TorchScript would write it, its path, what goes in, what
    comes out."""

    def __init__(self, scope, path, kind, inputs, tensors):
        self.scope, self.path, self.kind = scope, path, kind
        self.inputs, self.tensors = inputs, tensors


def component(path):
    """The last part of a module's path that is no number, and the numbers behind it: layer1.0.conv1
    is conv1, features.0.0 is features.0.0."""
    parts = path.split(".")
    first = max((i for i, p in enumerate(parts) if not p.isdigit()), default=0)
    return ".".join(parts[first:])


def tensors_of(value):
    if isinstance(value, torch.Tensor):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (tuple, list)):
        return [t for v in value for t in tensors_of(v)]
    return []


def array(tensor):
    tensor = tensor.detach().cpu()
    if tensor.dtype == torch.bfloat16:  # numpy has none; every bfloat16 is a float32
        tensor = tensor.float()
    return np.array(tensor.numpy(), order="C")  # a copy


def call_all(module, args):
    """(outputs, calls of submodules in the order in which they end)"""
    calls, hooks, inputs, stack, seen = [], [], [], [("", "")], collections.Counter()

    def before(path):
        def hook(_, given):
            base = f"{stack[-1][0]}/{component(path)}"  # the k-th call has _k behind the last part alone
            stack.append((base, base + (f"_{seen[base]}" if seen[base] else "")))
            seen[base] += 1
            inputs.append([array(t) for t in tensors_of(given)])
        return hook

    def after(path, kind):
        def hook(_, given, output):
            _, scope = stack.pop()
            calls.append(Call(scope, path, kind, inputs.pop(), [array(t) for t in tensors_of(output)]))
        return hook

    for path, m in module.named_modules():
        if path:
            hooks.append(m.register_forward_pre_hook(before(path)))
            hooks.append(m.register_forward_hook(after(path, type(m).__name__)))
    try:
        with torch.no_grad():
            outputs = [array(t) for t in tensors_of(module(*args))]
    finally:
        for h in hooks:
            h.remove()
    return outputs, calls


class Graph:
    """The exported model: its values, and which of them leave a scope."""

    def __init__(self, path):
        model = onnx.load(path, load_external_data=False)
        self.graph = model.graph
        self.outputs = [o.name for o in self.graph.output]
        self.producer = {o: n for n in self.graph.node for o in n.output if o}
        self.users = collections.defaultdict(list)
        for n in self.graph.node:
            for i in n.input:
                self.users[i].append(n)
        self.types = {}  # name -> (element type, shape)
        inferred = onnx.shape_inference.infer_shapes(model).graph
        for v in [*inferred.value_info, *inferred.output]:
            t = v.type.tensor_type
            if t.HasField("shape"):
                self.types[v.name] = (t.elem_type, [d.dim_value if d.HasField("dim_value") else None
                                                    for d in t.shape.dim])

    def fits(self, name, a):
        """What the graph says about the value does not contradict the array."""
        kind, shape = self.types.get(name, (0, None))
        if kind and onnx.helper.tensor_dtype_to_np_dtype(kind).kind != a.dtype.kind:
            return False
        return shape is None or len(shape) == a.ndim and all(
            s is None or s == d for s, d in zip(shape, a.shape))

    def leaving(self, inside):
        """Outputs of the nodes for which inside(node) holds that others, or nobody else, read."""
        found = []
        for n in self.graph.node:
            if not inside(n) or n.op_type == "Constant":
                continue
            for o in n.output:
                if o and (o in self.outputs or any(not inside(u) for u in self.users[o])):
                    found.append(o)
        return found


def metadata_path(node):
    """The path of the innermost module that a node belongs to; None: it does not say."""
    for p in node.metadata_props:
        if p.key == "pkg.torch.onnx.name_scopes":
            scopes = ast.literal_eval(p.value)
            return scopes[-2] if len(scopes) > 1 else ""
    return None


def match(graph, names, tensors, take):
    """Gives the tensors to the names, in order; where the numbers differ, by shape and alone."""
    names = [n for n in names if any(graph.fits(n, t) for t in tensors)]
    known = all(n in graph.types for n in names)
    if len(names) == len(tensors) and (known or len(names) == 1):
        for n, t in zip(names, tensors):
            if graph.fits(n, t):
                take(n, t)
    elif len(tensors) == 1 and names:
        take(names[-1], tensors[0])


def fold_normalisations(graph, calls):
    """Exporters fold a BatchNormalization into the convolution before it.  The scope of the one is then
    empty, and the other's value is what the normalisation gives."""
    scopes = [n.name for n in graph.graph.node]
    for norm in calls:
        if "BatchNorm" not in norm.kind or any(s.startswith(norm.scope + "/") for s in scopes):
            continue
        for c in calls:
            if c is not norm and len(c.tensors) == 1 and np.array_equal(c.tensors[0], norm.inputs[0]):
                c.tensors = norm.tensors
                c.kind += f", with {norm.path} in it"
                break


def by_modules(graph, calls, take):
    if any(n.name.startswith("/") for n in graph.graph.node):
        fold_normalisations(graph, calls)
    paths = {id(n): metadata_path(n) for n in graph.graph.node}
    together = collections.defaultdict(list)
    for c in calls:
        together[c.path].append(c)
    for c in calls:
        label = f"{c.path} ({c.kind})"
        if len(together[c.path]) > 1 and any(p.startswith(c.path + ".") for p in together):
            continue  # its parts have names of their own, and those of all calls are mixed
        names = graph.leaving(lambda n, s=c.scope: n.name.startswith(s + "/"))
        match(graph, names, c.tensors, lambda n, t, w=label: take(n, t, w))
    for path, several in together.items():
        label = f"{path} ({several[0].kind})"
        names = graph.leaving(lambda n, p=path: paths[id(n)] is not None and
                              (paths[id(n)] == p or paths[id(n)].startswith(p + ".")))
        if len(names) == sum(len(c.tensors) for c in several):
            match(graph, names, [t for c in several for t in c.tensors],
                  lambda n, t, w=label: take(n, t, w))


class Recorder(torch.fx.Interpreter):
    def __init__(self, module):
        super().__init__(module)
        self.seen = []

    def run_node(self, node):
        value = super().run_node(node)
        if node.op == "call_function" and isinstance(value, torch.Tensor):
            self.seen.append((node, array(value)))  # now: the next operator may work in place
        return value


def by_operators(module, args, graph, take):
    """False where torch.export does not take the module."""
    try:
        program = torch.export.export(module, args)
        programs = [program, program.run_decompositions()]
    except Exception as e:
        print(f"torch.export: {type(e).__name__}; modules alone", file=sys.stderr)
        return False
    for p in programs:
        recorder = Recorder(p.module())
        with torch.no_grad():
            recorder.run(*args)
        for node, value in recorder.seen:
            path = list(node.meta.get("nn_module_stack", {}).values())
            label = f"{path[-1][0] if path else ''} ({node.target})"
            take(node.name, value, label)
    return True


def capture(module, args, model, out, quiet=False):
    """Writes OUT.npz and OUT.tsv; the number of values."""
    graph = Graph(model)
    held, labels = {}, {}

    def take(name, a, label):
        if name in graph.producer and name not in held and graph.fits(name, a):
            held[name], labels[name] = a, label

    outputs, calls = call_all(module, tuple(args))
    for name, a in zip(graph.outputs, outputs):
        take(name, a, "output")
    by_modules(graph, calls, take)
    if any(not n.name.startswith("/") for n in graph.graph.node):  # not from TorchScript
        by_operators(module, tuple(args), graph, take)
    out = pathlib.Path(out)
    np.savez(out, **held)
    with open(out.with_suffix(".tsv"), "w") as f:
        for n in graph.graph.node:
            for o in n.output:
                if o in held:
                    print(o, n.name, n.op_type, labels[o], sep="\t", file=f)
    if not quiet:
        print(f"{len(held)} of {len(graph.producer)} values; {len(calls)} calls of modules")
    return len(held)


def load_module(text):
    path, _, function = text.rpartition(":")
    path = pathlib.Path(path).resolve()
    sys.path.insert(0, str(path.parent))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    source = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(source)
    return getattr(source, function)()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", help="the exported .onnx file")
    parser.add_argument("--module", required=True, help="FILE.py:FUNCTION, which returns the module")
    parser.add_argument("--input", action="append", default=[], help=".npy, in the order of forward")
    parser.add_argument("-o", "--output", required=True, help="the .npz to write")
    options = parser.parse_args()
    args = [torch.from_numpy(np.load(p)) for p in options.input]
    capture(load_module(options.module), args, options.model, options.output)


if __name__ == "__main__":
    main()
