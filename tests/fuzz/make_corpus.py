#!/usr/bin/env python3
"""Writes corpus/load: small valid files, one for each thing that the loader can read.  Needs onnx."""
import os
import numpy as np
import onnx
from onnx import TensorProto as T, helper as h, numpy_helper as nh

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "corpus", "load")


def save(name, message):
    os.makedirs(OUT, exist_ok=True)
    with open(os.path.join(OUT, name), "wb") as f:
        f.write(message.SerializeToString())


def f32(name, *dims):
    return h.make_tensor_value_info(name, T.FLOAT, dims)


def model(name, nodes, inputs, outputs, inits=(), opset=18, imports=(), **more):
    graph = h.make_graph(nodes, "g", inputs, outputs, inits, **more.pop("graph", {}))
    m = h.make_model(graph, opset_imports=[h.make_opsetid("", opset), *imports], **more)
    m.ir_version = 8
    save(name, m)


x, y = f32("x", 2, "N"), f32("y", 2, "N")
w = nh.from_array(np.float32([1, 2]).reshape(2, 1), "w")
model("conv", [h.make_node("Conv", ["x", "w"], ["y"], kernel_shape=[1, 1], pads=[0, 0, 0, 0])],
      [f32("x", 1, 2, "H", "W")], [f32("y", 1, 1, None, None)],
      [nh.from_array(np.ones((1, 2, 1, 1), np.float32), "w")])
model("unsorted", [h.make_node("Relu", ["t"], ["y"]), h.make_node("Add", ["x", "w"], ["t"])], [x, f32("w", 2, 1)],
      [y], [w])

then = h.make_graph([h.make_node("Add", ["x", "x"], ["r"])], "then", [], [f32("r", 2, None)])
other = h.make_graph([h.make_node("Relu", ["x"], ["q"])], "else", [], [f32("q", 2, None)])
model("if", [h.make_node("If", ["c"], ["y"], then_branch=then, else_branch=other)],
      [x, h.make_tensor_value_info("c", T.BOOL, [])], [y])

body = h.make_node("LeakyRelu", ["a"], ["b"])
body.attribute.append(onnx.AttributeProto(name="alpha", ref_attr_name="slope", type=onnx.AttributeProto.FLOAT))
f = h.make_function("local", "F", ["a"], ["b"], [body], [h.make_opsetid("", 18)], ["slope"])
model("function", [h.make_node("F", ["x"], ["y"], domain="local", name="call", slope=0.25)], [x], [y],
      imports=[h.make_opsetid("local", 1)], functions=[f])

values = nh.from_array(np.float32([3, 4]), "s")
indices = nh.from_array(np.int64([0, 3]), "i")
model("sparse", [h.make_node("Add", ["x", "s"], ["y"])], [f32("x", 2, 2)], [f32("y", 2, 2)],
      graph={"sparse_initializer": [h.make_sparse_tensor(values, indices, [2, 2])]})
types = [h.make_node("Constant", [], [f"c{t}"], value=h.make_tensor(f"t{t}", t, [4], [1, 0, 1, 1]))
         for t in (T.FLOAT, T.UINT8, T.INT64, T.BOOL, T.FLOAT16, T.DOUBLE, T.UINT64, T.COMPLEX64, T.BFLOAT16,
                   T.FLOAT8E4M3FN, T.INT4, T.UINT2)]
types.append(h.make_node("Constant", [], ["cs"], value_strings=["a", "bc"]))
model("types", types + [h.make_node("Relu", ["x"], ["y"])], [x], [y], opset=25)
seq = h.make_sequence_type_proto(h.make_tensor_type_proto(T.FLOAT, None))
opt = h.make_optional_type_proto(seq)
model("kinds", [h.make_node("Optional", [], ["y"], type=seq)], [h.make_value_info("x", opt)],
      [h.make_value_info("y", opt)])

a = np.float32([[1, 2, 3]])
save("tensor.pb", nh.from_array(a, "x"))
save("strings.pb", nh.from_array(np.array(["a", "", "bcd"], object), "x"))
save("typed.pb", h.make_tensor("x", T.INT32, [3], [1, -2, 300]))
save("sequence.pb", nh.from_list([a, a]))
save("optional.pb", nh.from_optional(a))
save("map.pb", nh.from_dict({1: a, 7: a}))
save("sparse.pb", h.make_sparse_tensor(values, indices, [2, 2]))
