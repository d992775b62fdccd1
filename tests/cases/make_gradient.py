#!/usr/bin/env python3
"""Test cases for Gradient (ai.onnx.preview.training): every rule against torch.autograd, in double.

Writes folders for `onnxrun test`: usage make_gradient.py OUT [NAME ...].  Each case weighs the outputs of
one operator by fixed random numbers, asks for the gradient of their sum, and, where the operator is smooth
enough, for a gradient of that gradient.  tests/cli/data/gradient holds a few of them.  Needs numpy, torch
and onnx.
"""
import json
import os
import sys

import numpy as np
import onnx
import torch
import torch.nn.functional as F
from onnx import TensorProto, helper, numpy_helper

OUT = sys.argv[1]
ONLY = sys.argv[2:]
DOMAIN = "ai.onnx.preview.training"
OPSET = 24
T = torch.tensor


def rng(name):
    return np.random.default_rng(sum(name.encode()))


def write(name, nodes, inputs, outputs, opset=OPSET, initializers=(), rtol=1e-9):
    """inputs: {name: array}; outputs: {name: array}."""
    if ONLY and name not in ONLY:
        return
    folder = os.path.join(OUT, name)
    os.makedirs(os.path.join(folder, "test_data_set_0"), exist_ok=True)
    info = lambda n, a: helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(a.dtype), a.shape)
    graph = helper.make_graph(nodes, name, [info(*i) for i in inputs.items()], [info(*o) for o in outputs.items()],
                              [numpy_helper.from_array(np.asarray(a), n) for n, a in initializers])
    model = helper.make_model(graph, ir_version=8 if opset < 19 else 10, opset_imports=[
        helper.make_opsetid("", opset), helper.make_opsetid(DOMAIN, 1)])
    onnx.save(model, os.path.join(folder, "model.onnx"))
    for stem, values in (("input", inputs), ("output", outputs)):
        for i, (n, a) in enumerate(values.items()):
            with open(os.path.join(folder, "test_data_set_0", f"{stem}_{i}.pb"), "wb") as f:
                f.write(numpy_helper.from_array(np.ascontiguousarray(a).reshape(a.shape), n).SerializeToString())
    with open(os.path.join(folder, "data.json"), "w") as f:
        json.dump({"rtol": rtol, "atol": rtol / 10}, f)


def gradient(inputs, outputs, xs, y, zs=()):
    return helper.make_node("Gradient", inputs, outputs, domain=DOMAIN, xs=xs, y=y, **({"zs": zs} if zs else {}))


def case(name, op, function, inputs, smooth=True, fixed=(), opset=OPSET, nodes=None, n_out=1, rtol=1e-9, **attributes):
    """function(*tensors) is what op computes, in torch.  inputs: arrays; those of a float type are
    differentiated, but for the indices in `fixed`.  nodes: instead of the one node, a list that makes y."""
    if ONLY and name not in ONLY:
        return
    r = rng(name)
    names = [f"x{i}" if a is not None else "" for i, a in enumerate(inputs)]
    arrays = {n: np.asarray(a) for n, a in zip(names, inputs) if n}
    outs = ["y"] + [f"y{i}" for i in range(1, n_out)]
    nodes = list(nodes) if nodes else [helper.make_node(op, names, outs, **attributes)]
    tensors = {n: torch.from_numpy(a.copy()) for n, a in arrays.items()}
    xs = [n for i, n in enumerate(names) if n and arrays[n].dtype == np.float64 and i not in fixed]
    zs = [n for n in arrays if n not in xs]
    for n in xs:
        tensors[n].requires_grad_()
    y = function(*(tensors[n] if n else None for n in names))
    y = y if isinstance(y, (tuple, list)) else (y,)
    weights, total = [], 0
    for o, v in zip(outs, y):
        w = r.uniform(0.5, 1.5, tuple(v.shape))
        weights.append((f"weight_{o}", w))
        nodes += [helper.make_node("Mul", [o, f"weight_{o}"], [f"p_{o}"]),
                  helper.make_node("ReduceSum", [f"p_{o}"], [f"s_{o}"], keepdims=0)]
        total = total + (v * T(w)).sum()
    nodes.append(helper.make_node("Sum", [f"s_{o}" for o in outs], ["loss"]))
    grads = torch.autograd.grad(total, [tensors[n] for n in xs], create_graph=True, allow_unused=True)
    nodes.append(gradient(xs + zs, [f"d{n}" for n in xs], xs, "loss", zs))
    outputs = {f"d{n}": d.numpy(force=True) for n, d in zip(xs, grads)}
    if smooth and any(d.requires_grad for d in grads):
        total = 0
        for n, d in zip(xs, grads):
            w = r.uniform(0.5, 1.5, tuple(d.shape))
            weights.append((f"weight_d{n}", w))
            nodes += [helper.make_node("Mul", [f"d{n}", f"weight_d{n}"], [f"q_{n}"]),
                      helper.make_node("ReduceSum", [f"q_{n}"], [f"t_{n}"], keepdims=0)]
            total = total + (d * T(w)).sum()
        nodes.append(helper.make_node("Sum", [f"t_{n}" for n in xs], ["again"]))
        second = torch.autograd.grad(total, [tensors[n] for n in xs], allow_unused=True)
        nodes.append(gradient(xs + zs, [f"d2{n}" for n in xs], xs, "again", zs))
        outputs |= {f"d2{n}": (torch.zeros_like(tensors[n]) if d is None else d).numpy(force=True) for n, d in zip(xs, second)}
    write(name, nodes, arrays, outputs, opset, weights, rtol)


def normal(name, *shape):
    return rng(name).standard_normal(shape)


X = normal("x", 3, 5) * 2
POSITIVE = np.abs(X) + 0.5
SMALL = np.tanh(X) * 0.9
IMAGE = normal("image", 2, 4, 7, 6)


def elementwise():
    one = {
        "Abs": torch.abs, "Asinh": torch.asinh, "Atan": torch.atan, "Cos": torch.cos, "Cosh": torch.cosh,
        "Erf": torch.erf, "Exp": torch.exp, "Identity": lambda x: x * 1, "Neg": torch.neg, "Reciprocal": torch.reciprocal,
        "Relu": torch.relu, "Sigmoid": torch.sigmoid, "Sin": torch.sin, "Sinh": torch.sinh, "Softplus": F.softplus,
        "Softsign": F.softsign, "Tan": torch.tan, "Tanh": torch.tanh, "Mish": F.mish, "HardSwish": F.hardswish,
        "Swish": F.silu,
    }
    for op, f in one.items():
        case(op.lower(), op, f, [X])
    for op, f in {"Log": torch.log, "Sqrt": torch.sqrt}.items():
        case(op.lower(), op, f, [POSITIVE])
    for op, f in {"Acos": torch.acos, "Asin": torch.asin, "Atanh": torch.atanh}.items():
        case(op.lower(), op, f, [SMALL])
    case("acosh", "Acosh", torch.acosh, [POSITIVE + 1])
    case("celu", "Celu", lambda x: F.celu(x.float(), 0.75).double(), [X], rtol=1e-6, nodes=[
        helper.make_node("Cast", ["x0"], ["x32"], to=TensorProto.FLOAT),
        helper.make_node("Celu", ["x32"], ["y32"], alpha=0.75),
        helper.make_node("Cast", ["y32"], ["y"], to=TensorProto.DOUBLE)])
    case("elu", "Elu", lambda x: F.elu(x, 1.5), [X], alpha=1.5)
    single = lambda v: float(np.float32(v))
    case("selu", "Selu", lambda x: single(1.0507) * torch.where(x > 0, x, single(1.6733) * (torch.exp(x) - 1)), [X],
         alpha=1.6733, gamma=1.0507)
    case("leaky_relu", "LeakyRelu", lambda x: F.leaky_relu(x, 0.125), [X], alpha=0.125)
    case("thresholded_relu", "ThresholdedRelu", lambda x: F.threshold(x, 0.5, 0), [X], alpha=0.5)
    case("hard_sigmoid", "HardSigmoid", lambda x: torch.clamp(0.25 * x + 0.5, 0, 1), [X], alpha=0.25, beta=0.5)
    case("gelu", "Gelu", F.gelu, [X])
    case("gelu_tanh", "Gelu", lambda x: F.gelu(x, approximate="tanh"), [X], approximate="tanh")
    case("swish_alpha", "Swish", lambda x: x * torch.sigmoid(1.5 * x), [X], alpha=1.5)
    case("cast", "Cast", lambda x: x.double() * 1, [X], to=TensorProto.DOUBLE)
    case("clip", "Clip", lambda x: torch.clamp(x, -1, 1), [X, T(-1.0).double().numpy(), T(1.0).double().numpy()][:1],
         opset=9, min=-1.0, max=1.0)
    case("clip_inputs", "Clip", torch.clamp, [X, np.float64(-0.5), np.float64(0.75)])
    case("dropout", "Dropout", lambda x: x * 1, [X])
    case("floor", "Add", lambda x: x + torch.floor(x), [X], nodes=[
        helper.make_node("Floor", ["x0"], ["f"]), helper.make_node("Add", ["x0", "f"], ["y"])])
    row, column = normal("row", 5), normal("column", 2, 1, 1) + 3
    for op, f in {"Add": torch.add, "Sub": torch.sub, "Mul": torch.mul, "Div": torch.div}.items():
        case(op.lower(), op, f, [X, normal("b", 3, 5) + 4])
        case(f"{op.lower()}_broadcast", op, f, [X, column])
        case(f"{op.lower()}_row", op, f, [row, POSITIVE])
    case("mul_itself", "Mul", lambda x: x * x, [X], nodes=[helper.make_node("Mul", ["x0", "x0"], ["y"])])
    case("pow", "Pow", torch.pow, [POSITIVE, normal("b", 5)])
    case("pow_constant", "Pow", lambda x, e: x ** e, [X, np.float64(3)], fixed=[1])
    case("pow_zero", "Pow", lambda x, e: x ** e, [np.array([0.0, 1, -2]), np.array([0.0, 2, 2])], fixed=[1])
    case("pow_integer", "Pow", lambda x, e: x ** e.double(), [X, np.int64(2)])
    case("prelu", "PRelu", lambda x, s: torch.where(x < 0, x * s, x), [X, normal("s", 5)])
    case("where", "Where", torch.where, [X > 0, normal("a", 3, 5), normal("b", 5)])
    three = [X, normal("b", 5), normal("c", 3, 1)]
    case("sum", "Sum", lambda a, b, c: a + b + c, three)
    case("mean", "Mean", lambda a, b, c: (a + b + c) / 3, three)
    case("max", "Max", lambda a, b, c: torch.maximum(torch.maximum(a, b), c), three)
    case("min", "Min", lambda a, b, c: torch.minimum(torch.minimum(a, b), c), three)
    case("max_ties", "Max", torch.maximum, [np.array([1.0, 2, 3]), np.array([1.0, 5, 0])])


def products():
    vector = normal("v", 4)
    for name, a, b in (("plain", (3, 4), (4, 5)), ("batch", (2, 3, 4), (2, 4, 5)), ("spread", (2, 1, 3, 4), (3, 4, 5)),
                       ("left", (4,), (2, 4, 5)), ("right", (2, 3, 4), (4,)), ("dot", (4,), (4,)),
                       ("weights", (2, 6, 3, 4), (4, 5))):
        case(f"matmul_{name}", "MatMul", torch.matmul, [normal("a", *a), normal("b", *b)])
    for ta in (0, 1):
        for tb in (0, 1):
            a, b = normal("a", *((4, 3) if ta else (3, 4))), normal("b", *((5, 4) if tb else (4, 5)))
            f = lambda a, b, c: 0.5 * (a.T if ta else a) @ (b.T if tb else b) + 1.5 * c
            case(f"gemm_{ta}{tb}", "Gemm", f, [a, b, normal("c", 5)], transA=ta, transB=tb, alpha=0.5, beta=1.5)
    case("gemm_no_bias", "Gemm", lambda a, b: a @ b, [normal("a", 3, 4), normal("b", 4, 5)])
    for name, equation, *shapes in (("matrix", "ij,jk->ik", (3, 4), (4, 5)), ("sum", "ij->j", (3, 4)),
                                    ("attention", "bhqd,bhkd->bhqk", (2, 3, 4, 5), (2, 3, 6, 5)),
                                    ("three", "i,j,k->ijk", (2,), (3,), (4,)), ("all", "ij,ij->", (3, 4), (3, 4)),
                                    ("ellipsis", "...ij,...jk->...ik", (2, 3, 4), (1, 4, 5))):
        case(f"einsum_{name}", "Einsum", lambda *x: torch.einsum(equation, *x),
             [normal(str(s), *s) for s in shapes], equation=equation)


def windows():
    w, b = normal("w", 6, 4, 3, 3), normal("b", 6)
    case("conv", "Conv", lambda x, w, b: F.conv2d(x, w, b), [IMAGE, w, b])
    case("conv_strided", "Conv", lambda x, w: F.conv2d(F.pad(x, (1, 2, 0, 1)), w, stride=(2, 3), dilation=(1, 2)),
         [IMAGE, w], strides=[2, 3], dilations=[1, 2], pads=[0, 1, 1, 2])
    case("conv_groups", "Conv", lambda x, w: F.conv2d(x, w, groups=2, padding=1), [IMAGE, normal("w", 6, 2, 3, 3)],
         group=2, pads=[1, 1, 1, 1])
    case("conv_depthwise", "Conv", lambda x, w: F.conv2d(x, w, groups=4, padding=1, stride=2),
         [IMAGE, normal("w", 4, 1, 3, 3)], group=4, pads=[1, 1, 1, 1], strides=[2, 2])
    case("conv_same", "Conv", lambda x, w: F.conv2d(F.pad(x, (0, 1, 1, 1)), w, stride=2), [IMAGE, w],
         auto_pad="SAME_UPPER", strides=[2, 2])
    case("conv_1d", "Conv", F.conv1d, [normal("x", 2, 3, 9), normal("w", 4, 3, 3), normal("b", 4)])
    case("conv_3d", "Conv", F.conv3d, [normal("x", 1, 2, 4, 5, 4), normal("w", 3, 2, 2, 3, 2)])
    case("conv_transpose", "ConvTranspose", lambda x, w, b: F.conv_transpose2d(x, w, b, stride=2, padding=1,
         output_padding=1), [IMAGE, normal("w", 4, 3, 3, 3), normal("b", 3)], strides=[2, 2], pads=[1, 1, 1, 1],
         output_padding=[1, 1])
    case("conv_transpose_groups", "ConvTranspose", lambda x, w: F.conv_transpose2d(x, w, groups=2),
         [IMAGE, normal("w", 4, 3, 2, 2)], group=2)
    case("average_pool", "AveragePool", lambda x: F.avg_pool2d(x, 3, 2, 1, count_include_pad=False), [IMAGE],
         kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    case("average_pool_padded", "AveragePool", lambda x: F.avg_pool2d(x, 3, 2, 1, ceil_mode=True), [IMAGE],
         kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1], count_include_pad=1, ceil_mode=1)
    case("max_pool", "MaxPool", lambda x: F.max_pool2d(x, 3, 2, 1), [IMAGE], kernel_shape=[3, 3], strides=[2, 2],
         pads=[1, 1, 1, 1])
    case("max_pool_dilated", "MaxPool", lambda x: F.max_pool2d(x, 2, 1, 0, 2), [IMAGE], kernel_shape=[2, 2],
         dilations=[2, 2])
    case("global_average_pool", "GlobalAveragePool", lambda x: x.mean((2, 3), keepdim=True), [IMAGE])
    case("global_max_pool", "GlobalMaxPool", lambda x: x.amax((2, 3), keepdim=True), [IMAGE])


def reductions():
    ops = {"ReduceSum": lambda x, d, k: x.sum(d, k), "ReduceMean": lambda x, d, k: x.mean(d, k),
           "ReduceMax": lambda x, d, k: x.amax(d, k), "ReduceMin": lambda x, d, k: x.amin(d, k),
           "ReduceL1": lambda x, d, k: x.abs().sum(d, k), "ReduceL2": lambda x, d, k: torch.linalg.vector_norm(x, 2, d, k),
           "ReduceSumSquare": lambda x, d, k: (x * x).sum(d, k),
           "ReduceLogSumExp": lambda x, d, k: torch.logsumexp(x, d, k)}
    x = normal("reduced", 3, 4, 5)
    for op, f in ops.items():
        name = op.lower()
        case(f"{name}_keep", op, lambda x, a: f(x, (1,), True), [x, np.array([1])])
        case(f"{name}_drop", op, lambda x, a: f(x, (0, 2), False), [x, np.array([0, -1])], keepdims=0)
        case(f"{name}_all", op, lambda x: f(x, (0, 1, 2), False), [x], keepdims=0)
        case(f"{name}_old", op, lambda x: f(x, (0, 2), False), [x], opset=12, keepdims=0, axes=[0, 2])
    case("reducelogsum", "ReduceLogSum", lambda x, a: torch.log(x.sum(1)), [np.abs(x) + 0.1, np.array([1])], keepdims=0)
    case("reducemax_ties", "ReduceMax", lambda x: x.amax((0, 1)), [np.array([[1.0, 2], [2, 0]])], smooth=False, keepdims=0)
    case("cumsum", "CumSum", lambda x, a: x.cumsum(1), [x, np.array(1)])
    case("cumsum_reverse", "CumSum", lambda x, a: x.flip(1).cumsum(1).flip(1) - x, [x, np.array(1)], exclusive=1,
         reverse=1)
    case("softmax", "Softmax", lambda x: x.softmax(-1), [x])
    case("softmax_axis", "Softmax", lambda x: x.softmax(1), [x], axis=1)
    case("softmax_old", "Softmax", lambda x: x.reshape(3, 20).softmax(1).reshape(3, 4, 5), [x], opset=11)
    case("log_softmax", "LogSoftmax", lambda x: x.log_softmax(1), [x], axis=1)
    case("log_softmax_old", "LogSoftmax", lambda x: x.reshape(3, 20).log_softmax(1).reshape(3, 4, 5), [x], opset=11)


def normalisations():
    c = [normal("scale", 4), normal("bias", 4)]
    statistics = [normal("mean", 4), np.abs(normal("var", 4)) + 0.5]
    single = float(np.float32(1e-5))
    case("batch_normalization", "BatchNormalization", lambda x, s, b, m, v: F.batch_norm(x, m, v, s, b, eps=single),
         [IMAGE] + c + statistics, fixed=[3, 4])
    column = lambda v: v.reshape(-1, 1, 1)
    case("batch_normalization_statistics", "BatchNormalization",
         lambda x, s, b, m, v: (x - column(m)) / torch.sqrt(column(v) + single) * column(s) + column(b),
         [IMAGE] + c + statistics)
    case("instance_normalization", "InstanceNormalization", lambda x, s, b: F.instance_norm(x, None, None, s, b,
         eps=single), [IMAGE] + c)
    case("group_normalization", "GroupNormalization", lambda x, s, b: F.group_norm(x, 2, s, b, single), [IMAGE] + c,
         num_groups=2)
    x, last = normal("normed", 2, 3, 8), [normal("scale", 8), normal("bias", 8)]
    case("layer_normalization", "LayerNormalization", lambda x, s, b: F.layer_norm(x, (8,), s, b, single), [x] + last)
    case("layer_normalization_axis", "LayerNormalization", lambda x, s: F.layer_norm(x, (3, 8), s, None, single),
         [x, normal("scale", 3, 8)], axis=1)
    case("rms_normalization", "RMSNormalization", lambda x, s: F.rms_norm(x, (8,), s, single), [x, last[0]])


def shapes():
    x = normal("shaped", 2, 3, 4)
    i64 = lambda *v: np.array(v, np.int64)
    case("reshape", "Reshape", lambda x, s: x.reshape(6, 4) ** 2, [x, i64(6, -1)], nodes=[
        helper.make_node("Reshape", ["x0", "x1"], ["r"]), helper.make_node("Mul", ["r", "r"], ["y"])])
    case("flatten", "Flatten", lambda x: x.reshape(6, 4), [x], axis=2)
    case("squeeze", "Squeeze", lambda x, a: x[0], [x[:1], i64(0)])
    case("unsqueeze", "Unsqueeze", lambda x, a: x[:, None], [x, i64(1)])
    case("expand", "Expand", lambda x, s: x.expand(2, 3, 4), [x[:, :1], i64(2, 3, 4)])
    case("transpose", "Transpose", lambda x: x.permute(2, 0, 1), [x], perm=[2, 0, 1])
    case("transpose_default", "Transpose", lambda x: x.permute(2, 1, 0), [x])
    case("concat", "Concat", lambda *x: torch.cat(x, 1), [x, x[:, :1], x[:, :2]], axis=1)
    case("concat_last", "Concat", lambda *x: torch.cat(x, -1), [x, x[:, :, :1]], axis=-1)
    case("split", "Split", lambda x, s: x.split([1, 3], 2), [x, i64(1, 3)], axis=2, n_out=2)
    case("split_square", "Split", lambda x: x[:, :, :2] ** 3, [x], nodes=[
        helper.make_node("Split", ["x0"], ["s", "rest"], axis=2, num_outputs=2),
        helper.make_node("Mul", ["s", "s"], ["s2"]), helper.make_node("Mul", ["s2", "s"], ["y"])])
    case("slice", "Slice", lambda x, *a: torch.flip(x, (2,))[:, 1:, 0:3:2],
         [x, i64(1, 3), i64(9, 0), i64(1, 2), i64(1, -2)])
    case("gather", "Gather", lambda x, i: x[:, i], [x, np.array([[0, 2], [2, 2]])], axis=1)
    case("gather_elements", "GatherElements", lambda x, i: torch.gather(x, 1, i), [x, np.ones((2, 2, 4), np.int64)], axis=1)
    case("gather_nd", "GatherND", lambda x, i: x[i[:, 0], i[:, 1]], [x, np.array([[0, 1], [1, 2], [0, 1]])])
    for reduction in ("none", "add"):
        i = np.array([[[0, 1, 2, 0]]]) if reduction == "none" else np.array([[[0, 0, 1, 0], [2, 0, 1, 0]]])
        f = lambda x, i, u: x.scatter(1, i, u) if reduction == "none" else x.scatter_add(1, i, u)
        case(f"scatter_elements_{reduction}", "ScatterElements", f, [x, i, normal("u", *i.shape)], axis=1,
             reduction=reduction)
        f = lambda x, i, u: x.index_put((i[:, 0],), u, accumulate=reduction == "add")
        case(f"scatter_nd_{reduction}", "ScatterND", f, [normal("s", 5, 2), np.array([[1], [3]]), normal("u", 2, 2)],
             reduction=reduction)
    case("pad", "Pad", lambda x, p: F.pad(x, (1, 2)), [x, i64(0, 0, 1, 0, 0, 2)])
    case("pad_value", "Pad", lambda x, p, v: F.pad(x, (1, 2), value=3), [x, i64(0, 0, 1, 0, 0, 2), np.float64(3)], fixed=[2])
    case("pad_reflect", "Pad", lambda x, p: F.pad(x, (1, 2), mode="reflect"), [x, i64(0, 0, 1, 0, 0, 2)], mode="reflect")
    case("pad_edge", "Pad", lambda x, p: F.pad(x, (1, 2), mode="replicate"), [x, i64(0, 0, 1, 0, 0, 2)], mode="edge")
    case("tile", "Tile", lambda x, r: x.tile(1, 2, 3), [x, i64(1, 2, 3)])
    case("trilu", "Trilu", torch.tril, [x], upper=0)
    case("compress", "Compress", lambda x, c: x[:, c], [x, np.array([True, False, True])], axis=1)
    case("depth_to_space", "DepthToSpace", lambda x: F.pixel_shuffle(x, 2), [IMAGE], blocksize=2, mode="CRD")
    case("space_to_depth", "SpaceToDepth", lambda x: x.reshape(1, 2, 2, 2, 3, 2).permute(0, 3, 5, 1, 2, 4)
         .reshape(1, 8, 2, 3), [normal("s", 1, 2, 4, 6)], blocksize=2)
    case("topk", "TopK", lambda x, k: x.topk(2, 2)[0], [x, i64(2)], axis=2,
         nodes=[helper.make_node("TopK", ["x0", "x1"], ["y", "indices"], axis=2)])
    case("resize_nearest", "Resize", lambda x, r, s: F.interpolate(x, scale_factor=2), [IMAGE, None,
         np.array([1, 1, 2, 2], np.float32)], mode="nearest", coordinate_transformation_mode="asymmetric",
         nearest_mode="floor")


def losses():
    scores, classes, weights = normal("scores", 4, 3, 2), np.array([[0, 2], [1, 1], [2, 0], [1, 2]]), np.array([1.0, 2, 0.5])
    for reduction in ("none", "sum", "mean"):
        for weighs in (False, True):
            for ignore in (None, 1):
                inputs = [scores, classes] + [weights] * weighs
                extra = {} if ignore is None else {"ignore_index": ignore}
                f = lambda g: lambda x, c, w=None: g(x, c, w, reduction=reduction, **extra)
                name = f"{reduction}{'_weights' * weighs}{'_ignore' * (ignore is not None)}"
                case(f"likelihood_{name}", "NegativeLogLikelihoodLoss", f(F.nll_loss), inputs, fixed=[2],
                     reduction=reduction, **extra)
                case(f"cross_entropy_{name}", "SoftmaxCrossEntropyLoss", f(F.cross_entropy), inputs, fixed=[2],
                     reduction=reduction, **extra)


def graphs():
    """What the specification draws: intermediate values, other values fed, outputs left out, second order."""
    node = lambda op, i, o, **a: helper.make_node(op, i, o, **a)
    x, w, z, h1, z1 = (normal(n, 3, 3) for n in ("X", "W", "Z", "H1", "Z1"))
    forward = [node("MatMul", ["X", "W"], ["H"]), node("Tanh", ["H"], ["A"]), node("Mul", ["A", "Z"], ["Y"])]
    given = {"X": x, "W": w, "Z": z}
    h = x @ w
    slope = lambda h: 1 - np.tanh(h) ** 2
    write("of_intermediate", forward + [gradient(["H", "Z"], ["dH", "dZ"], ["H", "Z"], "Y")], given,
          {"dH": z * slope(h), "dZ": np.tanh(h)})
    write("fed_other_values", forward + [gradient(["H1", "Z1"], ["dH", "dZ"], ["H", "Z"], "Y")],
          given | {"H1": h1, "Z1": z1}, {"dH": z1 * slope(h1), "dZ": np.tanh(h1), "Y": np.tanh(h) * z}, OPSET)
    write("fed_other_fixed_values", forward + [gradient(["W", "X1", "Z"], ["dW"], ["W"], "Y", ["X", "Z"])],
          given | {"X1": h1}, {"dW": h1.T @ (z * slope(h1 @ w))})
    write("output_left_out", forward + [gradient(["W", "Z", "X"], ["", "dZ"], ["W", "Z"], "Y", ["X"])], given,
          {"dZ": np.tanh(h)})
    write("of_itself", [node("Identity", ["X"], ["Y"]), gradient(["Y"], ["dY"], ["Y"], "Y")], {"X": x},
          {"dY": np.ones_like(x)})
    write("independent", [node("Exp", ["X"], ["Y"]), gradient(["X", "Z"], ["dX", "dZ"], ["X", "Z"], "Y")],
          {"X": x, "Z": z}, {"dX": np.exp(x), "dZ": np.zeros_like(z)})
    tw, tx = T(w, requires_grad=True), T(x, requires_grad=True)
    loss = ((tx @ tw - T(z)) ** 2).sum()
    dw, dx = torch.autograd.grad(loss, [tw, tx], create_graph=True)
    second = torch.autograd.grad(dw.sum(), [tx, tw])
    write("second_order", [
        node("Gemm", ["X", "W"], ["Y"]), node("Sub", ["Y", "L"], ["D"]), node("ReduceSumSquare", ["D"], ["O"], keepdims=0),
        gradient(["X", "W", "L"], ["dO_dX", "dO_dW"], ["X", "W"], "O", ["L"]),
        gradient(["X", "W", "L"], ["d_dX", "d_dW"], ["X", "W"], "dO_dW", ["L"])], {"X": x, "W": w, "L": z},
        {"dO_dX": dx.detach().numpy(), "dO_dW": dw.detach().numpy(), "d_dX": second[0].numpy(), "d_dW": second[1].numpy()})
    v = T(x, requires_grad=True)
    y, powers = v.sin(), [node("Sin", ["X"], ["G0"])]
    for i in range(1, 4):
        (y,) = torch.autograd.grad(y.sum(), v, create_graph=True)
        powers.append(gradient(["X"], [f"G{i}"], ["X"], f"G{i - 1}"))
    write("third_order", powers, {"X": x}, {"G3": y.detach().numpy()})


for family in (elementwise, products, windows, reductions, normalisations, shapes, losses, graphs):
    family()
