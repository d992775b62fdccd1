#!/usr/bin/env python3
"""Writes the malformed and hostile models of this folder, and expected.tsv: for each the arguments to run
it with and a part of the message that it must end in (exit status 2).  Needs onnx; the results are
committed, so the tests do not."""
import os
import random
import numpy as np
import onnx
from onnx import TensorProto as T, helper as h, numpy_helper as nh

HERE = os.path.dirname(os.path.abspath(__file__))
ROWS = []


def f32(name, *dims):
    return h.make_tensor_value_info(name, T.FLOAT, dims)


def model(nodes, inits=(), opset=18, inputs=None, outputs=None, imports=(), functions=()):
    graph = h.make_graph(nodes, "g", inputs or [f32("x", 2, 2)], outputs or [f32("y", 2, 2)], inits)
    m = h.make_model(graph, opset_imports=[h.make_opsetid("", opset), *imports], functions=functions)
    m.ir_version = 8
    return m


def save(name, content, message, args=""):
    data = content if isinstance(content, bytes) else content.SerializeToString()
    with open(os.path.join(HERE, name + ".onnx"), "wb") as f:
        f.write(data)
    ROWS.append((name + ".onnx", args, message))


node = h.make_node
relu = node("Relu", ["x"], ["y"], name="relu")
w = nh.from_array(np.ones((2, 2), np.float32), "w")
good = model([node("Add", ["x", "w"], ["y"], name="add")], [w]).SerializeToString()

# ---- not a model
save("truncated", good[:-20], "goes past the end")
save("random", random.Random(0).randbytes(500), "not an ONNX model")
save("text", b"This is a text file.\nIt has two lines.\n", "not an ONNX model: this is text")
save("empty", b"", "the file is empty")
save("git_lfs", b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n", "Git LFS")
save("no_graph", onnx.ModelProto(ir_version=8), "no graph")

# ---- graphs
save("unknown_operators", model([
    node("Nonsense", ["x"], ["a"], name="first"),
    node("Rubbish", ["a"], ["b"], name="second", domain="com.example"),
    node("Nonsense", ["b"], ["y"], name="third")], imports=[h.make_opsetid("com.example", 3)]),
    '2 unsupported operators at 3 nodes: ai.onnx Nonsense-18 (nodes "first", "third", not an ONNX operator); '
    'com.example Rubbish-3 (node "second"')
save("operator_too_new", model([node("Gelu", ["x"], ["y"], name="gelu")]), "Gelu-18 (node \"gelu\", not in that opset)")
training = [h.make_opsetid("ai.onnx.preview.training", 1)]
save("gradient_no_rule", model([
    node("Relu", ["x"], ["a"]), node("Det", ["a"], ["b"], name="det"),
    node("Gradient", ["x"], ["y"], name="gradient", domain="ai.onnx.preview.training", xs=["x"], y="b")],
    imports=training), 'node "gradient" (Gradient-1): no gradient goes through node "det" (Det-18): no rule for this operator',
    "--random")
save("gradient_of_nothing", model([
    node("Gradient", ["x"], ["y"], name="gradient", domain="ai.onnx.preview.training", xs=["x"], y="b")],
    imports=training), "'b' is no value of the graph", "--random")
save("cycle", model([node("Add", ["x", "b"], ["a"], name="one"), node("Relu", ["a"], ["b"], name="two"),
                     node("Relu", ["b"], ["y"], name="three")]), 'cycle of 2 nodes: "one" (Add) <- "two" (Relu)')
save("missing_value", model([node("Add", ["x", "nowhere"], ["y"], name="add")]),
     "'nowhere' is no input, initializer or output of any node")
save("missing_output", model([node("Relu", ["x"], ["z"], name="relu")]), "output 'y' is no input")
save("duplicate_output", model([relu, relu]), "node output 'y': that name is defined already")
save("duplicate_initializer", model([relu], [w, w]), "initializer 'w': that name is defined already")
save("too_many_inputs", model([node("Relu", ["x", "x"], ["y"], name="relu")]), "2 inputs, Relu-14 takes at most 1")
save("too_few_inputs", model([node("Add", ["x"], ["y"], name="add")]), "1 inputs, Add-14 needs at least 2")
save("attribute_kind", model([node("LeakyRelu", ["x"], ["y"], name="leaky", alpha=1)]),
     "attribute 'alpha' is of kind int, LeakyRelu-16 wants float")
save("attribute_unknown", model([node("Relu", ["x"], ["y"], name="relu", slope=1)]),
     "attribute 'slope' is unknown to Relu-14")
save("attribute_missing", model([node("Cast", ["x"], ["y"], name="cast")]), "attribute 'to' is missing")
inner = h.make_graph([node("Relu", ["gone"], ["r"], name="deep")], "then", [], [f32("r", 2, 2)])
outer = h.make_graph([node("Relu", ["x"], ["q"])], "else", [], [f32("q", 2, 2)])
save("subgraph_missing_value", model([node("If", ["c"], ["y"], name="if", then_branch=inner, else_branch=outer)],
                                     inputs=[f32("x", 2, 2), h.make_tensor_value_info("c", T.BOOL, [])]),
     "'gone' is no input")
save("opset_zero", model([relu], opset=0), "opset import of 'ai.onnx': version 0")

# ---- functions
local = [h.make_opsetid("local", 1)]


def function(name, nodes):
    return h.make_function("local", name, ["x"], ["y"], nodes, [h.make_opsetid("", 18), *local])


def call(name, x="x", y="y"):
    return node(name, [x], [y], domain="local")


save("function_recursion", model([call("F")], imports=local, functions=[function("F", [call("G")]),
                                                                        function("G", [call("F")])]),
     "function 'F' calls itself")
names = ["x", *[f"t{i}" for i in range(9)], "y"]
save("function_explosion", model([call("F0")], imports=local, functions=[
    function(f"F{i}", [call(f"F{i + 1}", a, b) if i < 19 else node("Relu", [a], [b])
                       for a, b in zip(names, names[1:])]) for i in range(20)]), "may be used")

# ---- tensors
def tensor(**fields):
    t = onnx.TensorProto(name="w", data_type=T.FLOAT)
    for k, v in fields.items():
        t.dims.extend(v) if k == "dims" else setattr(t, k, v)
    return model([node("Add", ["x", "w"], ["y"], name="add")], [t])


save("initializer_size", tensor(dims=[5, 5], raw_data=bytes(99)),
     "initializer 'w': 99 bytes of raw_data, f32[5,5] needs 100")
save("initializer_empty", tensor(dims=[5, 5]), "initializer 'w': no elements, f32[5,5] needs 25")
save("dims_overflow", tensor(dims=[1 << 31, 1 << 31, 1 << 31], raw_data=bytes(8)), "has too many elements")
save("dims_negative", tensor(dims=[-1], raw_data=bytes(4)), "dimension 0 is -1")
save("dtype_unknown", tensor(data_type=99, dims=[1], raw_data=bytes(4)), "element type 99 is not supported")
save("rank_17", tensor(dims=[1] * 17, raw_data=bytes(4)), "rank 17, the limit is 16")


def external(location, offset=0, length=16):
    t = onnx.TensorProto(name="w", data_type=T.FLOAT, data_location=T.EXTERNAL, dims=[2, 2])
    for k, v in (("location", location), ("offset", offset), ("length", length)):
        t.external_data.add(key=k, value=str(v))
    return model([node("Add", ["x", "w"], ["y"], name="add")], [t])


with open(os.path.join(HERE, "weights.bin"), "wb") as f:
    f.write(bytes(16))
link = os.path.join(HERE, "link.bin")
if not os.path.islink(link):
    os.symlink("weights.bin", link)
save("external_absolute", external("/etc/hostname"), "location '/etc/hostname' is an absolute path")
save("external_dotdot", external("../bad/weights.bin"), "leaves the model's folder")
save("external_symlink", external("link.bin"), "location 'link.bin' goes through a symbolic link")
save("external_past_end", external("weights.bin", 8), "16 bytes at offset 8, the file has 16")
save("external_missing", external("gone.bin"), "cannot open 'gone.bin'")
save("external_length", external("weights.bin", 0, 12), "12 bytes of external data, f32[2,2] needs 16")
save("external_offset", external("weights.bin", "0x0"), "not numbers")

# ---- limits
nested = b""
for i in range(10000, 0, -1):  # a graph in an attribute of a node of a graph ...
    n, tag = len(nested), (b"\x0a", b"\x2a", b"\x32")[(i - 1) % 3]
    size = b""
    while n >= 128:
        size, n = size + bytes([n & 127 | 128]), n >> 7
    nested = tag + size + bytes([n]) + nested
size, n = b"", len(nested)
while n >= 128:
    size, n = size + bytes([n & 127 | 128]), n >> 7
save("nested_10000", b"\x08\x08\x3a" + size + bytes([n]) + nested, "nested more than 100 deep")
shape = nh.from_array(np.int64([1 << 38]), "shape")
save("terabyte", model([node("ConstantOfShape", ["shape"], ["y"], name="huge")], [shape],
                       inputs=[f32("x", 1)], outputs=[f32("y", None)]), "more than --max-memory", "--max-memory 1000000000")

with open(os.path.join(HERE, "expected.tsv"), "w") as f:
    f.write("#model\targuments\tpart of the message\n")
    for row in ROWS:
        f.write("\t".join(row) + "\n")
