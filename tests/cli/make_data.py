#!/usr/bin/env python3
"""Writes tests/cli/data: small models and arrays for the cases of this folder.  Needs onnx, numpy and
ml_dtypes; the results are committed, so the tests do not."""
import os

import ml_dtypes
import numpy as np
import onnx
from onnx import TensorProto as T, helper as h, numpy_helper as nh

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "data")
os.makedirs(HERE, exist_ok=True)
os.chdir(HERE)


def value(name, t, *dims):
    return h.make_tensor_value_info(name, t, dims)


def save(name, nodes, inputs, outputs, inits=(), opset=18, ir=10):
    g = h.make_graph(nodes, name, inputs, outputs, inits)
    m = h.make_model(g, opset_imports=[h.make_opsetid("", opset)], producer_name="make_data", producer_version="1")
    h.set_model_props(m, {"author": "nobody"})
    m.ir_version = ir
    onnx.save(m, name + ".onnx")


node = h.make_node
one = nh.from_array(np.array([1, 1], np.float32), "one")
f32 = T.FLOAT

save("add", [node("Add", ["a", "b"], ["sum"], name="adder")],
     [value("a", f32, "N", 2), value("b", f32, "N", 2)], [value("sum", f32, "N", 2)])
save("chain", [node("Add", ["x", "one"], ["mid"], name="first"), node("Add", ["mid", "one"], ["y"], name="second")],
     [value("x", f32, 2)], [value("y", f32, 2)], [one])
save("markup", [node("Add", ["x", "one"], ["</td><i>v"], name="<i>x&\"'")],
     [value("x", f32, 2)], [value("</td><i>v", f32, 2)], [one])
save("override", [node("Add", ["x", "one"], ["y"], name="adder")],
     [value("x", f32, 2), value("one", f32, 2)], [value("y", f32, 2)], [one])
save("names", [node("Identity", ["in/x:0"], ["a/b:0"]), node("Identity", ["in/x:0"], ["caf\u00e9"])],
     [value("in/x:0", f32, 2)], [value("a/b:0", f32, 2), value("caf\u00e9", f32, 2)])
save("clash", [node("Identity", ["x"], ["a:b"]), node("Identity", ["x"], ["a/b"])],
     [value("x", f32, 2)], [value("a:b", f32, 2), value("a/b", f32, 2)])
save("fixed", [node("Identity", ["x"], ["y"])], [value("x", f32, 3, 4)], [value("y", f32, 3, 4)])
save("dynamic", [node("Identity", ["image"], ["y"])], [value("image", f32, "batch", 3, "height", None)],
     [value("y", f32, "batch", 3, "height", None)])
save("bf16", [node("Identity", ["x"], ["y"])], [value("x", T.BFLOAT16, 3)], [value("y", T.BFLOAT16, 3)])
save("i4", [node("Identity", ["x"], ["y"])], [value("x", T.INT4, 3)], [value("y", T.INT4, 3)], opset=21)
save("text", [node("Identity", ["x"], ["y"])], [value("x", T.STRING, 2)], [value("y", T.STRING, 2)])
save("ids", [node("Identity", ["x"], ["y"])], [value("x", T.INT64, 3)], [value("y", T.INT64, 3)])
save("seq", [node("SequenceConstruct", ["x", "x"], ["s"])], [value("x", f32, 2)],
     [h.make_tensor_sequence_value_info("s", f32, None)])

np.save("a.npy", np.array([[1, 2], [3, 4]], np.float32))
np.save("b.npy", np.array([[10, 20], [30, 40]], np.float32))
np.save("sum.npy", np.array([[11, 22], [33, 44]], np.float32))
np.save("near.npy", np.array([[11, 22], [33.001, 44]], np.float32))
np.save("far.npy", np.array([[11, 22], [33.1, np.nan]], np.float32))
np.save("x2.npy", np.array([1, 2], np.float32))
np.save("x2_f64.npy", np.array([1, 2], np.float64))
np.save("x3.npy", np.array([1, 2, 3], np.float32))
np.save("fortran.npy", np.asfortranarray(np.arange(12, dtype=np.float32).reshape(3, 4)))
np.save("big_endian.npy", np.arange(12).reshape(3, 4).astype(">f4"))
np.save("plain.npy", np.arange(12, dtype=np.float32).reshape(3, 4))
np.save("bf16.npy", np.array([1, -2, 3], ml_dtypes.bfloat16))
np.save("i4.npy", np.array([1, -2, 3], ml_dtypes.int4))
np.save("text.npy", np.array(["one", "zw\u00f6lf"]))
np.save("ids.npy", np.array([1, 2, 3], np.int64))
np.savez("ab.npz", a=np.load("a.npy"), b=np.load("b.npy"))
np.savez_compressed("ab_deflated.npz", a=np.load("a.npy"), b=np.load("b.npy"))
np.savez("abc.npz", a=np.load("a.npy"), b=np.load("b.npy"), c=np.load("b.npy"))
np.save("object.npy", np.array([{}, None], dtype=object), allow_pickle=True)
np.save("structured.npy", np.zeros(2, dtype=[("x", "<f4"), ("y", "<i4")]))
np.save("dates.npy", np.array(["2020-01-01"], dtype="datetime64[D]"))
good = open("a.npy", "rb").read()
open("cut.npy", "wb").write(good[:-4])
open("long.npy", "wb").write(good + b"1234")
open("cut_header.npy", "wb").write(good[:40])
open("empty.npy", "wb").write(b"")
open("noise.npy", "wb").write(b"\x93NUMPY\x01\x00\x10\x00" + b"{'descr': '<f4',")
huge = b"{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 4), }".ljust(117) + b"\n"
open("huge.npy", "wb").write(b"\x93NUMPY\x01\x00\x76\x00" + huge)
npz = open("ab.npz", "rb").read()
open("cut.npz", "wb").write(npz[:-30])
open("flipped.npz", "wb").write(npz.replace(b"\x00\x00\x80\x3f", b"\x00\x00\x80\x40", 1))

for case, y in (("case_good", [2, 4]), ("case_wrong", [2, 5])):
    d = os.path.join("cases", case)
    os.makedirs(os.path.join(d, "test_data_set_0"), exist_ok=True)
    g = h.make_graph([node("Add", ["x", "x"], ["y"])], "g", [value("x", f32, 2)], [value("y", f32, 2)])
    m = h.make_model(g, opset_imports=[h.make_opsetid("", 18)])
    m.ir_version = 8
    onnx.save(m, os.path.join(d, "model.onnx"))
    for stem, v in (("input", [1, 2]), ("output", y)):
        with open(os.path.join(d, "test_data_set_0", stem + "_0.pb"), "wb") as f:
            f.write(nh.from_array(np.array(v, np.float32)).SerializeToString())
d = os.path.join("cases", "deeper", "case_unknown")
os.makedirs(d, exist_ok=True)
g = h.make_graph([node("Nonsense", ["x"], ["y"])], "g", [value("x", f32, 2)], [value("y", f32, 2)])
onnx.save(h.make_model(g, opset_imports=[h.make_opsetid("", 18)], ir_version=8), os.path.join(d, "model.onnx"))
np.save("sum_ulp.npy", np.nextafter(np.load("sum.npy"), np.float32(100)))
np.savez("chain_good.npz", mid=np.array([2, 3], np.float32), y=np.array([3, 4], np.float32))
np.savez("chain_bad.npz", mid=np.array([2, 3.5], np.float32), y=np.array([3, 4.5], np.float32))
np.savez("chain_end.npz", y=np.array([3, 4.5], np.float32))
np.savez("chain_act.npz", mid=np.tanh(np.array([2, 3], np.float32)))
