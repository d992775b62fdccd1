#!/usr/bin/env python3
"""Writes tests/cli/data/lint: for each rule of lint a model that it is about (RULE.fires.onnx) and one that
is nearly so (RULE.quiet.onnx).  Needs onnx and numpy; the results are committed, so the tests do not."""
import os

import numpy as np
import onnx
from onnx import TensorProto as T, helper as h, numpy_helper as nh

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "data", "lint")
os.makedirs(HERE, exist_ok=True)
f32, f16, i64, i32, u8, f64 = T.FLOAT, T.FLOAT16, T.INT64, T.INT32, T.UINT8, T.DOUBLE


def value(name, t=f32, *dims):
    return h.make_tensor_value_info(name, t, list(dims) if dims else None)


def const(name, data, dtype=np.float32):
    return nh.from_array(np.array(data, dtype), name)


def model(nodes, inputs=None, outputs=None, inits=(), opset=18, ir=10, imports=None, functions=()):
    if isinstance(nodes, onnx.NodeProto):
        nodes = [nodes]
    inputs = [value("x", f32, "N", 4, 6, 6)] if inputs is None else inputs
    outputs = [value("y")] if outputs is None else outputs
    if imports is None:
        imports = [h.make_opsetid("", opset)]
    m = h.make_model(h.make_graph(nodes, "g", inputs, outputs, inits), opset_imports=imports, functions=functions)
    m.ir_version = ir
    m.producer_name = ""
    return m


def rule(name, fires, quiet):
    onnx.save(fires, os.path.join(HERE, name + ".fires.onnx"))
    onnx.save(quiet, os.path.join(HERE, name + ".quiet.onnx"))


def one(op, opset=18, ins=("x",), outs=("y",), inits=(), inputs=None, **attrs):
    """A model of one node; opset also picks a fitting IR version."""
    ir = 3 if opset < 9 else 10
    if ir == 3:
        inputs = ([value("x", f32, "N", 4, 6, 6)] if inputs is None else inputs) + [
            value(t.name, t.data_type, *t.dims) for t in inits]
    return model(h.make_node(op, list(ins), list(outs), name="node", **attrs), inputs=inputs, inits=inits, opset=opset,
                 ir=ir)


bn = [const(n, [1, 1, 1, 1]) for n in ("s", "b", "m", "v")]
bn_in = ("x", "s", "b", "m", "v")
rule("training-batchnorm", one("BatchNormalization", ins=bn_in, inits=bn, epsilon=1e-5, training_mode=1, outs=("y", "a", "c")),
     one("BatchNormalization", ins=bn_in, inits=bn, epsilon=1e-5, training_mode=0))
ratio, yes, no = const("r", 0.5), const("t", True, bool), const("t", False, bool)
rule("training-dropout", one("Dropout", ins=("x", "r", "t"), inits=[ratio, yes]),
     one("Dropout", ins=("x", "r", "t"), inits=[ratio, no]))
rule("random-unseeded", one("RandomNormalLike"), one("RandomNormalLike", seed=1.0))
rule("default-changed", one("Softmax"), one("Softmax", inputs=[value("x", f32, "N", 4)]))
rule("softmax-flattens", one("Softmax", 12, axis=1), one("Softmax", 12, axis=3))
rule("batchnorm-spatial", one("BatchNormalization", 8, ins=bn_in, inits=bn, epsilon=1e-5, spatial=0),
     one("BatchNormalization", 8, ins=bn_in, inits=bn, epsilon=1e-5, spatial=1))
scales = const("s", [1, 1, 2, 2])
rule("deprecated-operator", one("Upsample", 10, ins=("x", "s"), inits=[scales]),
     one("Upsample", 9, ins=("x", "s"), inits=[scales]))
rule("unknown-operator", one("Frobnicate"),
     model(h.make_node("F", ["x"], ["y"], domain="own", name="node"), imports=[h.make_opsetid("", 18), h.make_opsetid("own", 1)],
           functions=[h.make_function("own", "F", ["a"], ["b"], [h.make_node("Relu", ["a"], ["b"])], [h.make_opsetid("", 18)])]))
rule("epsilon-default", one("InstanceNormalization", ins=("x", "s", "b"), inits=bn[:2]),
     one("InstanceNormalization", ins=("x", "s", "b"), inits=bn[:2], epsilon=1e-5))
rule("activation-default", one("HardSigmoid"), one("HardSigmoid", alpha=1 / 6))
rs = ("x", "", "s")
rule("resize-coordinates", one("Resize", ins=rs, inits=[scales], mode="linear", coordinate_transformation_mode="align_corners"),
     one("Resize", ins=rs, inits=[scales], mode="linear"))
rule("resize-nearest", one("Resize", ins=rs, inits=[scales], mode="nearest"),
     one("Resize", ins=rs, inits=[scales], mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor"))
rule("resize-cubic", one("Resize", ins=rs, inits=[scales], mode="cubic"), one("Resize", ins=rs, inits=[scales], mode="linear"))
k2 = dict(kernel_shape=[2, 2])
rule("pool-ceil-mode", one("MaxPool", ceil_mode=1, **k2), one("MaxPool", ceil_mode=0, **k2))
rule("pool-padding", one("AveragePool", pads=[1, 1, 1, 1], kernel_shape=[3, 3]), one("AveragePool", pads=[0, 0, 0, 0], kernel_shape=[3, 3]))
rule("pool-empty-window", one("MaxPool", pads=[0, 2, 0, 0], **k2), one("MaxPool", pads=[0, 1, 0, 0], **k2))
rule("auto-pad", one("MaxPool", auto_pad="SAME_UPPER", **k2), one("MaxPool", auto_pad="VALID", **k2))
rule("pads-asymmetric", one("MaxPool", pads=[0, 0, 1, 1], **k2), one("MaxPool", pads=[1, 1, 1, 1], **k2))
w = const("w", np.ones((4, 1, 2, 2)))
rule("conv-transpose-shape", one("ConvTranspose", ins=("x", "w"), inits=[w], output_shape=[8, 8]),
     one("ConvTranspose", ins=("x", "w"), inits=[w], output_padding=[0, 0]))
seq = [value("x", f32, "S", 1, 2)]
gru = [const("w", np.ones((1, 6, 2))), const("r", np.ones((1, 6, 2)))]
rule("gru-linear-before-reset", one("GRU", ins=("x", "w", "r"), inits=gru, inputs=seq, hidden_size=2),
     one("GRU", ins=("x", "w", "r"), inits=gru, inputs=seq, hidden_size=2, linear_before_reset=1))
lstm = [const("w", np.ones((1, 8, 2))), const("r", np.ones((1, 8, 2)))]
rule("lstm-input-forget", one("LSTM", ins=("x", "w", "r"), inits=lstm, inputs=seq, hidden_size=2, input_forget=1),
     one("LSTM", ins=("x", "w", "r"), inits=lstm, inputs=seq, hidden_size=2))
rule("gelu-approximation", one("Gelu", 20, approximate="tanh"), one("Gelu", 20))
ln = dict(ins=("x", "s"), inits=[const("s", [1] * 6)], epsilon=1e-5)
rule("layernorm-stash", one("LayerNormalization", stash_type=int(f16), **ln), one("LayerNormalization", stash_type=1, **ln))
rule("lrn-even-size", one("LRN", size=4), one("LRN", size=5))
rule("depth-to-space-mode", one("DepthToSpace", blocksize=2), one("DepthToSpace", blocksize=2, mode="CRD"))
grid = dict(ins=("x", "g"), inputs=[value("x", f32, "N", 4, 6, 6), value("g", f32, "N", 3, 3, 2)])
rule("grid-sample-corners", one("GridSample", 20, align_corners=1, **grid), one("GridSample", 20, **grid))
roi = dict(ins=("x", "b", "i"), inits=[const("b", [[0, 0, 3, 3]]), const("i", [0], np.int64)])
rule("roi-align-offset", one("RoiAlign", 10, **roi), one("RoiAlign", 16, **roi))
two = [value("x", f32, "N"), value("z", f32, "N")]
ints = [value("x", i64, "N"), value("z", i64, "N")]
rule("mod-sign", one("Mod", ins=("x", "z"), inputs=two, fmod=1), one("Mod", ins=("x", "z"), inputs=ints))
soft = lambda *ops: model([h.make_node(op, [a], [b], **k) for op, a, b, k in ops])
rule("double-softmax", soft(("Softmax", "x", "t", dict(axis=-1)), ("Softmax", "t", "y", dict(axis=-1))),
     soft(("Softmax", "x", "t", dict(axis=-1)), ("Relu", "t", "y", {})))

vec = [value("x", f32, "N"), value("u", f32, 2)]
scatter = lambda idx, **k: one("ScatterND", ins=("x", "i", "u"), inputs=vec, inits=[const("i", idx, np.int64)], **k)
rule("undefined-scatter", scatter([[3], [3]]), scatter([[3], [3]], reduction="add"))
x64 = [value("x", i64, "N")]
rule("undefined-division", one("Div", ins=("x", "z"), inputs=x64, inits=[const("z", [0], np.int64)]),
     one("Div", ins=("x", "z"), inputs=[value("x", f32, "N")], inits=[const("z", [0])]))
cast = lambda v: model(h.make_node("Cast", ["c"], ["y"], to=int(u8)), inputs=[], inits=[const("c", [v])])
rule("undefined-cast", cast(256), cast(255.5))
shift = lambda n: one("BitShift", ins=("x", "s"), inputs=[value("x", u8, "N")], inits=[const("s", [n], np.uint8)], direction="LEFT")
rule("undefined-shift", shift(8), shift(7))
topk = dict(ins=("x", "k"), outs=("y", "i"), inits=[const("k", [2], np.int64)])
rule("topk-unsorted", one("TopK", sorted=0, **topk), one("TopK", sorted=1, **topk))
clip = lambda a, b: one("Clip", ins=("x", "a", "b"), inits=[const("a", a), const("b", b)])
rule("clip-empty", clip(1, 0), clip(1, 1))
quant = lambda s: one("QuantizeLinear", ins=("x", "s", "z"), inits=[const("s", s), const("z", 0, np.uint8)])
rule("quant-scale", quant(0), quant(1e-30))
var = lambda v: one("BatchNormalization", ins=bn_in, inits=bn[:3] + [const("v", v)], epsilon=1e-5)
rule("negative-variance", var([1, 1, -1, 1]), var([1, 1, 0, 1]))

add = lambda data, dtype=np.float32: model(h.make_node("Add", ["x", "c"], ["y"]), inputs=[value("x", h.np_dtype_to_tensor_dtype(np.dtype(dtype)), "N")],
                                           inits=[const("c", data, dtype)])
rule("nan-constant", add([1, np.nan]), add([1, np.inf]))
rule("float16-range", add([65520]), add([65504]))
rule("float16-vanishes", add([1e-12]), add([1e-7]))
rule("int32-range", add([2**31], np.int64), add([2**31 - 1], np.int64))
rule("double-weights", add([1], np.float64), add([1]))
twins = lambda a, b: model([h.make_node("Add", ["x", "c"], ["t"]), h.make_node("Add", ["t", "d"], ["y"])], inputs=[value("x", f32, 64)],
                           inits=[const("c", a), const("d", b)])
row = np.arange(64.0)
rule("duplicate-initializer", twins(row, row), twins(row, row + (row == 63)))
reshape = lambda shape: one("Reshape", ins=("x", "s"), inits=[const("s", shape, np.int64)])
rule("baked-batch-reshape", reshape([2, -1]), reshape([-1, 144]))
rule("baked-batch-input", one("Relu", inputs=[value("x", f32, 1, 4)]), one("Relu", inputs=[value("x", f32, "N", 1)]))
rule("unused-input", one("Relu", inputs=[value("x"), value("z")]), one("Add", ins=("x", "z"), inputs=[value("x"), value("z")]))
rule("unused-initializer", one("Relu", inits=[const("c", 1)]), add([1]))
chain = lambda *outs: model([h.make_node("Relu", ["x"], ["t"], name="a"), h.make_node("Abs", ["t"], ["u"], name="b"),
                             h.make_node("Neg", ["x"], ["y"], name="c")], outputs=[value(o) for o in outs])
rule("dead-node", chain("y"), chain("y", "u"))
ml = lambda *ids: model(h.make_node("Scaler", ["x"], ["y"], domain="ai.onnx.ml", scale=[1.0], offset=[0.0]), inputs=[value("x", f32, "N", 1)],
                        imports=[h.make_opsetid(*i) for i in ids])
rule("opset-missing", ml(("", 18)), ml(("", 18), ("ai.onnx.ml", 1)))
rule("opset-unused", model(h.make_node("Relu", ["x"], ["y"]), imports=[h.make_opsetid("", 18), h.make_opsetid("ai.onnx.ml", 1)]),
     model(h.make_node("Relu", ["x"], ["y"]), imports=[h.make_opsetid("", 18)]))
rule("ir-version", model(h.make_node("Relu", ["x"], ["y"]), ir=7), model(h.make_node("Relu", ["x"], ["y"]), ir=8))
old = lambda ir: model(h.make_node("Add", ["x", "c"], ["y"]), inputs=[value("x", f32, "N")], inits=[const("c", [1])], opset=8, ir=ir)
rule("ir-initializer", old(3), old(4))
named = lambda a, b: model([h.make_node("Relu", ["x"], ["t"], name=a), h.make_node("Relu", ["t"], ["y"], name=b)])
rule("duplicate-node-name", named("a", "a"), named("a", "b"))
