#!/usr/bin/env python3
"""Test cases for what ONNX's suite never has in a model: external data, sparse initializers, model-local
functions, captures, duplicate uses.

Writes folders for `onnxrun test`: usage make_graph.py OUT.  Expected values are numpy's.  Needs numpy and onnx.
"""
import os
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper as h, numpy_helper as nh

rng = np.random.default_rng(17)
OUT = sys.argv[1]
F = TensorProto.FLOAT
node = h.make_node


def f32(*shape):
    return rng.integers(-8, 9, shape).astype(np.float32) / 4


def info(name, a):
    return h.make_tensor_value_info(name, nh.from_array(a).data_type, a.shape)


def case(name, nodes, inputs, outputs, initializers=(), sparse=(), functions=(), imports=(), opset=18, external=False):
    folder = os.path.join(OUT, name)
    os.makedirs(os.path.join(folder, "test_data_set_0"))
    graph = h.make_graph(nodes, "case", [info(n, a) for n, a in inputs.items()], [info(n, a) for n, a in outputs.items()],
                         [nh.from_array(a, n) for n, a in dict(initializers).items()], sparse_initializer=list(sparse))
    model = h.make_model(graph, opset_imports=[h.make_opsetid("", opset), *imports], functions=list(functions), ir_version=9)
    more = dict(save_as_external_data=True, location="weights.bin", size_threshold=0) if external else {}
    onnx.save(model, os.path.join(folder, "model.onnx"), **more)
    for stem, values in (("input", inputs), ("output", outputs)):
        for i, a in enumerate(values.values()):
            with open(os.path.join(folder, "test_data_set_0", f"{stem}_{i}.pb"), "wb") as f:
                f.write(nh.from_array(a).SerializeToString())


def external_data():
    x, w, b = f32(3, 5), f32(5, 4), f32(4)
    case("external_data", [node("MatMul", ["x", "w"], ["p"]), node("Add", ["p", "b"], ["y"])], {"x": x}, {"y": x @ w + b},
         {"w": w, "b": b}, external=True)


def sparse_initializers():
    x, dense = f32(3, 4), np.zeros((4, 5), np.float32)
    at = np.array([[0, 1], [1, 4], [3, 0]])
    values = np.array([2, -1.5, 3], np.float32)
    dense[at[:, 0], at[:, 1]] = values
    for name, index in (("pairs", at), ("linear", at[:, 0] * 5 + at[:, 1])):
        sparse = h.make_sparse_tensor(nh.from_array(values, "w"), nh.from_array(index.astype(np.int64), "i"), [4, 5])
        case(f"sparse_{name}", [node("MatMul", ["x", "w"], ["y"])], {"x": x}, {"y": x @ dense}, sparse=[sparse])


def functions():
    # leaky(x; slope) = where(x < 0, slope x, x); twice(x; slope) calls it two times; the model calls both.
    slope = onnx.AttributeProto(name="value_float", ref_attr_name="slope", type=onnx.AttributeProto.FLOAT)
    constant = node("Constant", [], ["s"])
    constant.attribute.append(slope)
    ops = [h.make_opsetid("", 18), h.make_opsetid("own", 1)]
    leaky = h.make_function("own", "Leaky", ["x"], ["y"],
                            [constant, node("Mul", ["x", "s"], ["m"]), node("Constant", [], ["zero"], value_float=0.0),
                             node("Less", ["x", "zero"], ["neg"]), node("Where", ["neg", "m", "x"], ["y"])], ops, ["slope"])
    calls = [node("Leaky", ["x"], ["a"], domain="own"), node("Leaky", ["a"], ["y"], domain="own")]
    for n in calls:
        n.attribute.append(onnx.AttributeProto(name="slope", ref_attr_name="slope", type=onnx.AttributeProto.FLOAT))
    twice = h.make_function("own", "Twice", ["x"], ["y"], calls, ops, ["slope"])
    x = f32(3, 4)
    y = np.where(x < 0, x / 4, x)
    case("function_nested", [node("Twice", ["x"], ["t"], domain="own", slope=0.5), node("Leaky", ["t"], ["y"], domain="own", slope=2.0)],
         {"x": x}, {"y": np.where(y < 0, 2 * y, y).astype(np.float32)}, functions=[leaky, twice], imports=[h.make_opsetid("own", 1)])
    # the same name inside as outside, an input left out, an output nobody wants
    body = [node("Add", ["x", "x"], ["t"]), node("Neg", ["t"], ["u"])]
    pair = h.make_function("own", "Pair", ["x", "unused"], ["t", "u"], body, ops)
    case("function_names", [node("Neg", ["x"], ["t"]), node("Pair", ["t"], ["", "y"], domain="own")], {"x": x}, {"y": 2 * x},
         functions=[pair], imports=[h.make_opsetid("own", 1)])
    # a function whose body has control flow that captures the function's own values
    then = h.make_graph([node("Mul", ["x", "k"], ["r"])], "then", [], [h.make_tensor_value_info("r", F, None)])
    other = h.make_graph([node("Sub", ["x", "k"], ["r"])], "else", [], [h.make_tensor_value_info("r", F, None)])
    choose = h.make_function("own", "Choose", ["x", "c"], ["y"], [node("Constant", [], ["k"], value_float=3.0),
                             node("If", ["c"], ["y"], then_branch=then, else_branch=other)], ops)
    for c in (True, False):
        case(f"function_if_{c}", [node("Choose", ["x", "c"], ["y"], domain="own")], {"x": x, "c": np.array(c)},
             {"y": x * 3 if c else x - 3}, functions=[choose], imports=[h.make_opsetid("own", 1)])


def captures():
    # a body two levels deep reads the main graph's input and the outer body's value
    x = f32(2, 3)
    inner = h.make_graph([node("Add", ["outer", "x"], ["r"])], "inner", [], [h.make_tensor_value_info("r", F, None)])
    same = h.make_graph([node("Identity", ["x"], ["q"])], "same", [], [h.make_tensor_value_info("q", F, None)])
    body = h.make_graph([node("Mul", ["s", "x"], ["outer"]), node("If", ["go"], ["next"], then_branch=inner, else_branch=same),
                         node("Identity", ["go"], ["on"])], "body",
                        [h.make_tensor_value_info("i", TensorProto.INT64, []), h.make_tensor_value_info("go", TensorProto.BOOL, []),
                         h.make_tensor_value_info("s", F, None)],
                        [h.make_tensor_value_info("on", TensorProto.BOOL, []), h.make_tensor_value_info("next", F, None),
                         h.make_tensor_value_info("outer", F, None)])
    s, seen = x.copy(), []
    for _ in range(3):
        seen.append(s * x)
        s = s * x + x
    case("captures", [node("Loop", ["n", "t", "x"], ["y", "all"], body=body)], {"x": x}, {"y": s, "all": np.stack(seen)},
         {"n": np.array(3), "t": np.array(True)})


def strings_through_loops():
    # Strings that a body makes must outlive it: accumulated by concatenation, split, stacked and chosen from.
    x = np.array(["a", "bc"], object)
    body = h.make_graph([node("StringConcat", ["s", "x"], ["next"]), node("StringSplit", ["next"], ["parts", "count"], delimiter="b"),
                         node("Identity", ["go"], ["on"]), node("Reshape", ["parts", "flat"], ["row"]),
                         node("Gather", ["row", "zero"], ["first"])], "body",
                        [h.make_tensor_value_info("i", TensorProto.INT64, []), h.make_tensor_value_info("go", TensorProto.BOOL, []),
                         h.make_tensor_value_info("s", TensorProto.STRING, None)],
                        [h.make_tensor_value_info("on", TensorProto.BOOL, []), h.make_tensor_value_info("next", TensorProto.STRING, None),
                         h.make_tensor_value_info("next2", TensorProto.STRING, None), h.make_tensor_value_info("first", TensorProto.STRING, None)])
    body.node.append(node("Identity", ["next"], ["next2"]))
    s, seen, first = x, [], []
    for _ in range(4):
        s = s + x
        seen.append(s)
        first.append(s[0].split("b")[0])
    case("strings_loop", [node("Loop", ["n", "t", "x"], ["y", "all", "first"], body=body), node("SequenceConstruct", ["y", "x"], ["seq"]),
                          node("ConcatFromSequence", ["seq"], ["joined"], axis=0), node("StringConcat", ["joined", "tail"], ["z"])],
         {"x": x}, {"y": s, "all": np.stack(seen), "first": np.array(first, object), "z": np.concatenate([s, x]) + "!"},
         {"n": np.array(4), "t": np.array(True), "flat": np.array([-1]), "zero": np.array(0), "tail": np.array(["!"], object)}, opset=20)


def used_twice():
    x = f32(0, 3)
    case("empty", [node("Relu", ["x"], ["r"]), node("Add", ["r", "r"], ["y"]), node("ReduceSum", ["y"], ["z"], keepdims=0)],
         {"x": x}, {"y": x, "z": np.array(0, np.float32)})
    x = f32(3)
    case("twice", [node("Relu", ["x"], ["r"]), node("Neg", ["r"], ["n"]), node("Mul", ["r", "n"], ["p"]), node("Sub", ["p", "r"], ["y"])],
         {"x": x}, {"r": np.maximum(x, 0), "y": -np.maximum(x, 0)**2 - np.maximum(x, 0)})


for make in (external_data, sparse_initializers, functions, captures, strings_through_loops, used_twice):
    make()
