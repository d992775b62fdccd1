#!/usr/bin/env python3
"""Test cases for the operators of vision networks, where ONNX's own suite has none or few.

Writes folders for `onnxrun test`: usage make_nn.py OUT [NAME ...].  Expected values are PyTorch's or
plain numpy's in double, for pictures Pillow's, never ours.  Needs numpy, torch, onnx and pillow.
"""
import io
import itertools
import json
import os
import struct
import sys
import zlib

import numpy as np
import onnx
import torch
import torch.nn.functional as F
from onnx import helper, numpy_helper
from PIL import Image

rng = np.random.default_rng(7)
OUT = None
SEEN = set()


def rand(*shape, dtype=np.float32):
    return rng.standard_normal(shape).astype(dtype)


def case(op, name, inputs, outputs, opset, domain="", constants=(), magnitude=None, **attributes):
    """One node.  inputs: arrays or None (absent); constants: indices of inputs that are initializers;
    outputs: arrays or None (not wanted).  magnitude: largest sum of absolute terms behind an element;
    8 units of float rounding of it may be lost where terms cancel."""
    folder = os.path.join(OUT, f"{op}-{name}")
    assert folder not in SEEN, folder
    SEEN.add(folder)
    os.makedirs(os.path.join(folder, "test_data_set_0"), exist_ok=True)
    proto = lambda a: numpy_helper.from_array(np.ascontiguousarray(a) if np.ndim(a) else np.asarray(a))
    info = lambda n, a: helper.make_tensor_value_info(n, proto(a).data_type, np.shape(a))
    names = [f"x{i}" if a is not None else "" for i, a in enumerate(inputs)]
    wanted = [f"y{i}" if a is not None else "" for i, a in enumerate(outputs)]
    node = helper.make_node(op, names, wanted, domain=domain, **attributes)
    fed = [(n, a) for i, (n, a) in enumerate(zip(names, inputs)) if a is not None and i not in constants]
    held = [(names[i], inputs[i]) for i in constants]
    initializers = []
    for n, a in held:
        t = proto(a)
        t.name = n
        initializers.append(t)
    made = [(n, a) for n, a in zip(wanted, outputs) if a is not None]
    graph = helper.make_graph([node], "case", [info(n, a) for n, a in fed], [info(n, a) for n, a in made],
                              initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid(domain, opset)])
    model.ir_version = 8 if opset < 20 else 10
    onnx.save(model, os.path.join(folder, "model.onnx"))
    if magnitude:
        with open(os.path.join(folder, "data.json"), "w") as f:
            json.dump({"rtol": 1e-3, "atol": 8 * 2.0**-24 * float(magnitude)}, f)
    for stem, values in (("input", fed), ("output", made)):
        for i, (_, a) in enumerate(values):
            with open(os.path.join(folder, "test_data_set_0", f"{stem}_{i}.pb"), "wb") as f:
                f.write(proto(a).SerializeToString())


def double(*arrays):
    return [torch.from_numpy(np.asarray(a, dtype=np.float64)) for a in arrays]


def as_type(t, dtype=np.float32):
    return np.asarray(t.numpy() if isinstance(t, torch.Tensor) else t).astype(dtype)


# ---------------------------------------------------------------- pooling
def pools():
    for d, (k, s, p, dil, ceil) in itertools.product((1, 2, 3), (
            (2, 2, 0, 1, 0), (3, 2, 1, 1, 0), (3, 1, 1, 1, 0), (3, 2, 1, 2, 1), (5, 3, 2, 1, 1), (2, 3, 1, 1, 0))):
        size = {1: (61,), 2: (37, 53), 3: (11, 13, 17)}[d]
        x = rand(2, 5, *size)
        pool = getattr(F, f"max_pool{d}d")
        y, i = pool(double(x)[0], k, s, p, dil, bool(ceil), True)
        plane = int(np.prod(size))
        index = i.numpy() + plane * np.arange(10).reshape((2, 5) + (1,) * d)
        at = dict(kernel_shape=[k] * d, strides=[s] * d, pads=[p] * 2 * d, dilations=[dil] * d, ceil_mode=ceil)
        name = f"{d}d_k{k}s{s}p{p}d{dil}c{ceil}"
        case("MaxPool", name, [x], [as_type(y)], 12, **at)
        case("MaxPool", name + "_index", [x], [as_type(y), index], 12, **at)
        case("MaxPool", name + "_only_index", [x], [None, index], 11, **at)
        if dil == 1:
            for include in (0, 1):
                y = getattr(F, f"avg_pool{d}d")(double(x)[0], k, s, p, bool(ceil), bool(include))
                at = dict(kernel_shape=[k] * d, strides=[s] * d, pads=[p] * 2 * d, ceil_mode=ceil, count_include_pad=include)
                case("AveragePool", f"{name}_pad{include}", [x], [as_type(y)], 11, **at)
    # columns first, and integers
    x = rng.integers(-128, 128, (1, 2, 9, 11)).astype(np.int8)
    y, i = F.max_pool2d(double(x)[0], 3, 2, 1, return_indices=True)
    i = i.numpy()
    columns = i // 11 + i % 11 * 9 + np.arange(2).reshape(1, 2, 1, 1) * 99
    at = dict(kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
    case("MaxPool", "columns_int8", [x], [as_type(y, np.int8), columns], 12, storage_order=1, **at)
    case("MaxPool", "uint8", [(x.astype(int) + 128).astype(np.uint8)], [as_type(y + 128, np.uint8)], 12, **at)
    # NaN and infinities
    x = rand(1, 1, 6, 6)
    x[0, 0, 2, 2], x[0, 0, 5, 5], x[0, 0, :2, :2] = np.nan, np.inf, -np.inf
    case("MaxPool", "special", [x], [as_type(F.max_pool2d(torch.from_numpy(x), 2))], 12, kernel_shape=[2, 2], strides=[2, 2])


def lp_pools():
    for opset, p in ((1, 2.0), (1, 1.5), (2, 3), (11, 1), (18, 2)):
        x = rand(2, 3, 12, 9)
        padded = np.pad(np.abs(x.astype(np.float64)) ** p, ((0, 0), (0, 0), (1, 1), (1, 1)))
        view = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (2, 3))[:, :, ::2, ::2]
        y = view.sum((-1, -2)) ** (1 / p)
        case("LpPool", f"{opset}_p{p}", [x], [as_type(y)], opset, p=p, kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
    for opset, p, dtype in ((1, 2.0, np.float32), (1, 0.5, np.float32), (2, 1, np.float64), (2, 3, np.float32), (22, 2, np.float32), (22, 2, np.float16)):
        x = rand(2, 3, 7, 5, 4, dtype=dtype)
        y = (np.abs(x.astype(np.float64)) ** p).sum((2, 3, 4), keepdims=True) ** (1 / p)
        case("GlobalLpPool", f"{opset}_p{p}_{np.dtype(dtype).name}", [x], [as_type(y, dtype)], opset, p=p)
    x = rand(3, 4, 33, 41)
    case("GlobalAveragePool", "large", [x], [as_type(x.astype(np.float64).mean((2, 3), keepdims=True))], 1)
    case("GlobalMaxPool", "large", [x], [x.max((2, 3), keepdims=True)], 1)


# ---------------------------------------------------------------- normalisation
def stats(x, axes):
    x = x.astype(np.float64)
    return x.mean(axes, keepdims=True), x.var(axes, keepdims=True)


def batch_norms():
    x = rand(3, 4, 5, 6) * 3 + 1
    scale, bias, mean = rand(4), rand(4), rand(4)
    var = rng.uniform(0.5, 2, 4).astype(np.float32)
    c = lambda v: v.astype(np.float64).reshape(1, 4, 1, 1)
    test = (x - c(mean)) / np.sqrt(c(var) + 1e-5) * c(scale) + c(bias)
    m, v = stats(x, (0, 2, 3))
    train = (x - m) / np.sqrt(v + 1e-5) * c(scale) + c(bias)
    m, v = m.reshape(-1), v.reshape(-1)
    running = [mean * 0.8 + m * 0.2, var * 0.8 + v * 0.2]
    ins = [x, scale, bias, mean, var]
    case("BatchNormalization", "1_test", ins, [as_type(test)], 1, is_test=1, consumed_inputs=[0, 0, 0, 1, 1])
    case("BatchNormalization", "6_test", ins, [as_type(test)], 6, is_test=1)
    for opset, more in ((1, dict(consumed_inputs=[0, 0, 0, 1, 1])), (6, {}), (7, {}), (9, {})):
        case("BatchNormalization", f"{opset}_train", ins, [as_type(a) for a in [train] + running + [m, v]], opset, momentum=0.8, **more)
    case("BatchNormalization", "9_test", ins, [as_type(test)], 9)
    case("BatchNormalization", "14_train", ins, [as_type(a) for a in [train] + running], 14, momentum=0.8, training_mode=1)
    half = [a.astype(np.float16) for a in (x, scale, bias)]
    y = (half[0] - c(mean)) / np.sqrt(c(var) + 1e-5) * c(half[1]) + c(half[2])
    case("BatchNormalization", "15_half", half + [mean, var], [as_type(y, np.float16)], 15)
    per = [rand(4, 5, 6) for _ in range(3)] + [rng.uniform(0.5, 2, (4, 5, 6)).astype(np.float32)]
    y = (x.astype(np.float64) - per[2]) / np.sqrt(per[3] + 1e-5) * per[0] + per[1]
    case("BatchNormalization", "7_not_spatial", [x] + per, [as_type(y)], 7, spatial=0)
    flat = rand(9, 4)
    y = (flat.astype(np.float64) - mean) / np.sqrt(var.astype(np.float64) + 1e-5) * scale + bias
    case("BatchNormalization", "9_rows", [flat] + ins[1:], [as_type(y)], 9)
    vector = rand(50) + 5
    one = [a[:1] for a in ins[1:]]
    y = (vector.astype(np.float64) - one[2]) / np.sqrt(one[3].astype(np.float64) + 1e-5) * one[0] + one[1]
    case("BatchNormalization", "9_vector", [vector] + one, [as_type(y)], 9)


def norms():
    for shape in ((2, 3, 17), (2, 6, 9, 31), (1, 4, 5, 6, 7)):
        x = rand(*shape) * 2 + 100  # a mean far from 0 shows lost digits
        scale, bias = rand(shape[1]), rand(shape[1])
        y = F.instance_norm(double(x)[0], weight=double(scale)[0], bias=double(bias)[0], eps=1e-3)
        for opset in (1, 6, 22):
            case("InstanceNormalization", f"{opset}_{len(shape)}d", [x, scale, bias], [as_type(y)], opset, epsilon=1e-3)
    for groups in (1, 2, 6):
        x, scale, bias = rand(2, 6, 7, 8), rand(6), rand(6)
        y = F.group_norm(double(x)[0], groups, double(scale)[0], double(bias)[0], 1e-5)
        case("GroupNormalization", f"21_{groups}", [x, scale, bias], [as_type(y)], 21, num_groups=groups)
        scale, bias = rand(groups), rand(groups)
        full = [np.repeat(a, 6 // groups) for a in (scale, bias)]
        y = F.group_norm(double(x)[0], groups, double(full[0])[0], double(full[1])[0], 1e-5)
        case("GroupNormalization", f"18_{groups}", [x, scale, bias], [as_type(y)], 18, num_groups=groups)
    for shape, axis, scale_shape in (((5, 768), -1, (768,)), ((2, 3, 4, 5), 1, (3, 4, 5)), ((2, 3, 4, 5), 2, (5,)),
                                     ((2, 3, 4, 5), 2, ()), ((2, 3, 4, 5), 2, (3, 1, 5)), ((2, 3, 4), 2, (2, 3, 4)), ((7,), 0, (7,))):
        x, scale, bias = rand(*shape) * 3 + 50, rand(*scale_shape), rand(*scale_shape)
        axes = tuple(range(axis % len(shape), len(shape)))
        m, v = stats(x, axes)
        name = f"{'x'.join(map(str, shape))}_{axis}_{'x'.join(map(str, scale_shape))}"
        y = (x - m) / np.sqrt(v + 1e-5) * scale + bias
        case("LayerNormalization", name, [x, scale, bias], [as_type(a) for a in (y, m, 1 / np.sqrt(v + 1e-5))], 17, axis=axis)
        case("LayerNormalization", name + "_plain", [x, scale], [as_type(y - bias)], 17, axis=axis)
        rms = np.sqrt((x.astype(np.float64) ** 2).mean(axes, keepdims=True) + 1e-5)
        case("RMSNormalization", name, [x, scale], [as_type(x / rms * scale)], 23, axis=axis)
    x, scale = rand(4, 32), rand(32)
    rms = np.sqrt((x.astype(np.float64) ** 2).mean(-1, keepdims=True) + 1e-5)
    case("RMSNormalization", "half_scale", [x, scale.astype(np.float16)], [as_type(x / rms * scale.astype(np.float16), np.float16)], 23)
    case("RMSNormalization", "half_x", [x.astype(np.float16), scale], [as_type(x.astype(np.float16) / rms * scale)], 23)
    for p, axis, opset, dtype in ((1, 0, 1, np.float32), (2, 1, 1, np.float64), (2, -1, 22, np.float16)):
        x = rand(3, 300, 5, dtype=dtype)
        x[1, :, 2] = 0
        n = np.linalg.norm(x.astype(np.float64), p, axis, keepdims=True)
        y = np.divide(x, n, out=np.zeros(x.shape), where=n != 0)
        case("LpNormalization", f"{opset}_p{p}_{axis}", [x], [as_type(y, dtype)], opset, p=p, axis=axis)
    for size, beta in ((1, 0.75), (2, 0.5), (4, 0.6), (5, 0.75), (30, 1.0)):
        x = rand(2, 9, 40, 33)
        square = np.pad(x.astype(np.float64) ** 2, ((0, 0), ((size - 1) // 2, size - 1 - (size - 1) // 2), (0, 0), (0, 0)))
        total = np.lib.stride_tricks.sliding_window_view(square, size, 1).sum(-1)
        y = x / (1.5 + 0.01 / size * total) ** beta
        case("LRN", f"{size}_{beta}", [x], [as_type(y)], 13, size=size, alpha=0.01, beta=beta, bias=1.5)


# ---------------------------------------------------------------- convolution
def transposes():
    for n, (d, k, s, p, dil, extra, group) in enumerate((
            (1, 16, 8, 4, 1, 0, 1), (2, 2, 2, 0, 1, 0, 1), (2, 4, 2, 1, 1, 0, 1), (2, 3, 1, 1, 1, 0, 2), (2, 3, 2, 1, 1, 1, 4),
            (2, 3, 3, 0, 2, 2, 1), (2, 5, 2, 2, 2, 1, 1), (3, 2, 2, 0, 1, 0, 1), (3, 3, 2, 1, 1, 1, 2), (2, 7, 1, 3, 1, 0, 1),
            (2, 1, 2, 0, 1, 1, 1), (1, 3, 5, 1, 1, 0, 1))):
        size = {1: (50,), 2: (19, 23), 3: (5, 6, 7)}[d]
        x, w, b = rand(2, 16, *size), rand(16, 12 // group, *[k] * d), rand(12)
        conv = getattr(F, f"conv_transpose{d}d")
        y = conv(*double(x, w, b), stride=s, padding=p, output_padding=extra, groups=group, dilation=dil)
        at = dict(strides=[s] * d, pads=[p] * 2 * d, dilations=[dil] * d, output_padding=[extra] * d, group=group)
        mag = conv(*double(abs(x), abs(w), abs(b)), stride=s, padding=p, output_padding=extra, groups=group, dilation=dil).max()
        case("ConvTranspose", f"{n}", [x, w, b], [as_type(y)], 11, constants=(1, 2), magnitude=mag, kernel_shape=[k] * d, **at)
        case("ConvTranspose", f"{n}_no_bias", [x.astype(np.float64), w.astype(np.float64)],
             [as_type(y - torch.from_numpy(b.astype(np.float64)).reshape(-1, *[1] * d), np.float64)], 1, **at)
    # small images of many channels, and larger ones; phases that no kernel position meets
    for name, size, c, m, k, s, p, dil, extra, group in (
            ("small", (5, 7), 32, 24, 4, 2, 1, 1, 0, 1), ("small_groups", (3, 4), 64, 32, 3, 2, 1, 1, 1, 2),
            ("small_gaps", (4, 4), 20, 16, 2, 3, 0, 1, 1, 1), ("point", (1, 1), 40, 17, 4, 1, 0, 1, 0, 1),
            ("wide", (20, 18), 24, 20, 4, 2, 1, 1, 0, 1), ("wide_groups", (17, 16), 32, 32, 5, 2, 2, 1, 1, 2),
            ("wide_dilated", (18, 17), 16, 12, 3, 2, 1, 3, 0, 1), ("wide_gaps", (17, 17), 16, 9, 2, 4, 0, 1, 0, 1),
            ("depthwise", (20, 21), 24, 24, 4, 2, 1, 1, 0, 24), ("upsample8", (9, 7), 21, 21, 16, 8, 4, 1, 0, 1),
            ("wide_3d", (7, 8, 9), 12, 10, 3, 2, 1, 1, 1, 1), ("few", (20, 20), 32, 3, 4, 2, 1, 1, 0, 1)):
        d = len(size)
        x, w, b = rand(2, c, *size), rand(c, m // group, *[k] * d), rand(m)
        conv = getattr(F, f"conv_transpose{d}d")
        how = dict(stride=s, padding=p, output_padding=extra, groups=group, dilation=dil)
        y, mag = conv(*double(x, w, b), **how), conv(*double(abs(x), abs(w), abs(b)), **how).max()
        at = dict(strides=[s] * d, pads=[p] * 2 * d, dilations=[dil] * d, output_padding=[extra] * d, group=group)
        case("ConvTranspose", name, [x, w, b], [as_type(y)], 11, constants=(1, 2), magnitude=mag, **at)
        case("ConvTranspose", f"{name}_variable", [x, w], [as_type(y - torch.from_numpy(b).double().reshape(-1, *[1] * d))], 11,
             magnitude=mag, **at)
    # wide enough for several blocks of channels
    x, w = rand(1, 8, 96, 96), rand(8, 40, 4, 4)
    y = F.conv_transpose2d(*double(x, w), stride=2, padding=1)
    mag = F.conv_transpose2d(*double(abs(x), abs(w)), stride=2, padding=1).max()
    case("ConvTranspose", "large", [x, w], [as_type(y)], 11, magnitude=mag, strides=[2, 2], pads=[1] * 4)
    # sizes: the odd element of padding, and outputs that nothing reaches
    x, w = rand(1, 4, 6, 6), rand(4, 5, 4, 4)
    full = F.conv_transpose2d(*double(x, w), stride=2).numpy()  # 14 x 14
    case("ConvTranspose", "same_upper", [x, w], [as_type(full[:, :, 1:13, 1:13])], 11, strides=[2, 2], auto_pad="SAME_UPPER")
    w3 = rand(4, 5, 3, 3)
    full = F.conv_transpose2d(*double(x, w3), stride=2).numpy()  # 13 x 13
    case("ConvTranspose", "same_upper_odd", [x, w3], [as_type(full[:, :, :12, :12])], 11, strides=[2, 2], auto_pad="SAME_UPPER")
    case("ConvTranspose", "same_lower_odd", [x, w3], [as_type(full[:, :, 1:, 1:])], 11, strides=[2, 2], auto_pad="SAME_LOWER")
    case("ConvTranspose", "shape_odd", [x, w3], [as_type(full[:, :, 2:12, 1:13])], 11, strides=[2, 2], output_shape=[10, 12])
    case("ConvTranspose", "shape_more", [x, w3], [as_type(np.pad(full, ((0, 0), (0, 0), (0, 1), (0, 2))))], 11, strides=[2, 2], output_shape=[14, 15])


# ---------------------------------------------------------------- resampling
def resizes():
    opset = 19
    for d, scale, mode, coord in itertools.product((1, 2, 3), (2.0, 1.6, 0.55), ("linear", "cubic"), ("half_pixel", "align_corners")):
        if mode == "cubic" and d != 2:
            continue
        size = {1: (20,), 2: (15, 18), 3: (6, 7, 8)}[d]
        x = rand(2, 3, *size)
        out = tuple(int(n * scale) for n in size)
        name = {1: "linear", 2: "bilinear", 3: "trilinear"}[d] if mode == "linear" else "bicubic"
        y = F.interpolate(double(x)[0], size=out, mode=name, align_corners=coord == "align_corners")
        sizes = np.array((2, 3) + out, dtype=np.int64)
        case("Resize", f"{mode}_{d}d_{scale}_{coord}", [x, None, None, sizes], [as_type(y)], opset, constants=(3,), mode=mode,
             coordinate_transformation_mode=coord)
        case("Resize", f"{mode}_{d}d_{scale}_{coord}_fed", [x, None, None, sizes[2:]], [as_type(y)], opset, mode=mode,
             coordinate_transformation_mode=coord, axes=list(range(2, 2 + d)))
        if coord == "half_pixel" and d == 2:  # channels last, and a last axis that stays
            last = np.ascontiguousarray(x.transpose(0, 2, 3, 1))
            case("Resize", f"{mode}_last_{scale}", [last, None, None, np.array(out, dtype=np.int64)],
                 [as_type(y.numpy().transpose(0, 2, 3, 1))], opset, mode=mode, axes=[1, 2])
            rows = F.interpolate(double(x)[0], size=(out[0], size[1]), mode=name)
            case("Resize", f"{mode}_rows_{scale}", [x, None, None, np.array(out[:1], dtype=np.int64)], [as_type(rows)], opset,
                 mode=mode, axes=[2])
    for scale, mode in itertools.product((0.3, 0.7), ("linear", "cubic")):
        x = rand(2, 3, 40, 30)
        out = (int(40 * scale), int(30 * scale))
        y = F.interpolate(double(x)[0], size=out, mode="bi" + mode, antialias=True)
        case("Resize", f"antialias_{mode}_{scale}", [x, None, None, np.array((2, 3) + out, dtype=np.int64)], [as_type(y)], opset,
             mode=mode, antialias=1, exclude_outside=1, cubic_coeff_a=-0.5)
    for dtype in (np.float32, np.uint8, np.float16, np.int64, np.complex128, np.bool_):
        x = (rng.standard_normal((2, 3, 7, 9)) * 50).astype(dtype)
        up = x.repeat(2, 2).repeat(2, 3)
        case("Resize", f"nearest_2x_{np.dtype(dtype).name}", [x, None, np.array([1, 1, 2, 2], dtype=np.float32)], [up], 13,
             mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor")
        up = x.repeat(3, 3)
        case("Upsample", f"9_{np.dtype(dtype).name}", [x, np.array([1, 1, 1, 3], dtype=np.float32)], [up], 9, mode="nearest")
    text = np.array([["a", "bc", "", "déf"]], dtype=object)
    case("Resize", "nearest_text", [text, None, np.array([3, 2], dtype=np.float32)], [text.repeat(3, 0).repeat(2, 1)], 13)
    x = rng.integers(0, 256, (1, 2, 8, 9)).astype(np.uint8)
    y = F.interpolate(double(x)[0], size=(13, 5), mode="bicubic")
    case("Resize", "cubic_uint8", [x, None, None, np.array((1, 2, 13, 5), dtype=np.int64)],
         [np.clip(np.rint(y.numpy()), 0, 255).astype(np.uint8)], opset, mode="cubic")
    x = (rand(1, 2, 8, 9) + 1j * rand(1, 2, 8, 9)).astype(np.complex64)
    parts = [F.interpolate(double(p)[0], size=(13, 20), mode="bilinear").numpy() for p in (x.real, x.imag)]
    case("Resize", "linear_complex64", [x, None, None, np.array((1, 2, 13, 20), dtype=np.int64)],
         [(parts[0] + 1j * parts[1]).astype(np.complex64)], opset, mode="linear")
    x = rand(1, 2, 5, 6)
    case("Upsample", "7_linear", [x], [as_type(asymmetric(x, (1, 1, 2, 3)))], 7, scales=[1.0, 1.0, 2.0, 3.0], mode="linear")
    case("Upsample", "1_bilinear", [x], [as_type(asymmetric(x, (1, 1, 2, 1.5)))], 1, height_scale=2.0, width_scale=1.5, mode="bilinear")
    case("Resize", "10_linear", [x, np.array([1, 1, 2, 0.5], dtype=np.float32)], [as_type(asymmetric(x, (1, 1, 2, 0.5)))], 10, mode="linear")
    x[0, 0, 2, 2] = np.inf  # an infinity stays with its neighbours
    y = F.interpolate(torch.from_numpy(x), size=(10, 12), mode="bilinear", align_corners=False)
    case("Resize", "linear_inf", [x, None, np.array([1, 1, 2, 2], dtype=np.float32)], [y.numpy()], 13, mode="linear")


def asymmetric(x, scales):
    y = x.astype(np.float64)
    for axis, s in enumerate(scales):
        n = y.shape[axis]
        at = np.arange(int(n * s)) / s
        lo = np.minimum(np.floor(at).astype(int), n - 1)
        hi = np.minimum(lo + 1, n - 1)
        f = (at - np.floor(at)).reshape([-1 if a == axis else 1 for a in range(x.ndim)])
        y = y.take(lo, axis) * (1 - f) + y.take(hi, axis) * f
    return y


# ---------------------------------------------------------------- integer and deformed convolution
def integer_convs():
    for n, (d, k, s, p, dil, group, xt, wt) in enumerate((
            (2, 3, 1, 1, 1, 1, np.uint8, np.uint8), (2, 3, 2, 1, 1, 2, np.uint8, np.int8), (2, 1, 1, 0, 1, 1, np.int8, np.int8),
            (1, 5, 2, 2, 2, 1, np.int8, np.uint8), (3, 2, 1, 0, 1, 3, np.uint8, np.int8), (2, 3, 1, 1, 1, 12, np.uint8, np.int8))):
        size = {1: (40,), 2: (13, 17), 3: (5, 6, 7)}[d]
        draw = lambda t, *shape: rng.integers(np.iinfo(t).min, np.iinfo(t).max + 1, shape).astype(t)
        x, w = draw(xt, 2, 12, *size), draw(wt, 24, 12 // group, *[k] * d)
        xz, wz, wzs = draw(xt), draw(wt), draw(wt, 24)
        conv = lambda z: getattr(F, f"conv{d}d")(torch.from_numpy(x.astype(np.float64) - float(xz)),
                                                 torch.from_numpy(w.astype(np.float64) - z), None, s, p, dil, group)
        at = dict(strides=[s] * d, pads=[p] * 2 * d, dilations=[dil] * d, group=group)
        each = wzs.astype(np.float64).reshape(-1, *[1] * (d + 1))
        case("ConvInteger", f"{n}", [x, w, xz, wz], [as_type(conv(float(wz)), np.int32)], 10, constants=(1,), **at)
        case("ConvInteger", f"{n}_each", [x, w, xz, wzs], [as_type(conv(each), np.int32)], 10, **at)
        scale, bias = rng.uniform(0.5, 1, 24).astype(np.float32), rng.integers(-9999, 9999, 24).astype(np.int32)
        total = conv(each).numpy()
        y_scale = np.float32(abs(total).max() / 100)
        for yt in (np.uint8, np.int8):
            ratio = (np.float32(0.5) * scale / y_scale).reshape(1, -1, *[1] * d)
            b = bias.reshape(1, -1, *[1] * d)
            y = np.clip(np.rint((total + b) * ratio.astype(np.float64)) + 3, np.iinfo(yt).min, np.iinfo(yt).max)
            case("QLinearConv", f"{n}_{yt.__name__}", [x, np.float32(0.5), xz, w, scale, wzs, y_scale, yt(3), bias], [y.astype(yt)],
                 10, constants=(3,), **at)


def lerp(x, at):
    """x [..., spatial] at a position, zero outside."""
    n = len(at)
    total = 0
    for corner in itertools.product((0, 1), repeat=n):
        i = [int(np.floor(a)) + c for a, c in zip(at, corner)]
        if all(0 <= q < m for q, m in zip(i, x.shape[-n:])):
            total = total + x[(..., *i)] * np.prod([1 - abs(a - q) for a, q in zip(at, i)])
    return total


def deformed():
    for n, (d, k, s, p, dil, group, og, masked) in enumerate((
            (2, 3, 1, 1, 1, 1, 1, True), (2, 3, 2, 0, 1, 2, 1, False), (2, 2, 1, 1, 2, 2, 4, True), (1, 3, 1, 1, 1, 1, 2, False),
            (3, 2, 1, 0, 1, 1, 1, True))):
        size = {1: (11,), 2: (7, 8), 3: (4, 5, 6)}[d]
        out = tuple((m + 2 * p - (k - 1) * dil - 1) // s + 1 for m in size)
        kernel = [k] * d
        x, w, b = rand(2, 8, *size), rand(6, 8 // group, *kernel), rand(6)
        offset = rand(2, og * k**d * d, *out) * 2
        mask = rng.uniform(0, 1, (2, og * k**d, *out)).astype(np.float32) if masked else None
        y = np.zeros((2, 6, *out)) + b.reshape(1, -1, *[1] * d)
        o, m = offset.reshape(2, og, k**d, d, *out), mask.reshape(2, og, k**d, *out) if masked else None
        for image, pos in itertools.product(range(2), np.ndindex(*out)):
            for g, (i, tap) in itertools.product(range(og), enumerate(np.ndindex(*kernel))):
                at = [pos[q] * s - p + tap[q] * dil + float(o[(image, g, i, q, *pos)]) for q in range(d)]
                part = slice(g * 8 // og, (g + 1) * 8 // og)
                v = np.zeros(8) + 0.0
                v[part] = lerp(x[image, part].astype(np.float64), at)
                v = v * (float(m[(image, g, i, *pos)]) if masked else 1)
                for q in range(6):
                    first = q // (6 // group) * (8 // group)
                    y[(image, q, *pos)] += v[first:first + 8 // group] @ w[(q, slice(None), *tap)].astype(np.float64)
        case("DeformConv", f"{n}", [x, w, offset, b, mask] if masked else [x, w, offset, b], [as_type(y)], 19, magnitude=abs(y).max() * 4,
             strides=[s] * d, pads=[p] * 2 * d, dilations=[dil] * d, group=group, offset_group=og, kernel_shape=kernel)


def causal():
    for k, length, past, activation in ((4, 9, True, "silu"), (4, 2, True, "none"), (3, 1, False, "swish"), (1, 5, False, "none"), (40, 300, True, "none")):
        x, w, b, before = rand(2, 6, length), rand(6, 1, k), rand(6), rand(2, 6, k - 1)
        full = np.concatenate([before if past else np.zeros_like(before), x], 2)
        y = F.conv1d(*double(full, w, b), groups=6)
        y = F.silu(y) if activation != "none" else y
        case("CausalConvWithState", f"{k}_{length}_{activation}", [x, w, b, before if past else None][:4 if past else 3],
             [as_type(y), full[:, :, full.shape[2] - (k - 1):]], 27, magnitude=20, activation=activation)


# ---------------------------------------------------------------- grids and regions
def grids():
    for d, mode, padding, corners in itertools.product((2, 3), ("linear", "nearest", "cubic"), ("zeros", "border", "reflection"), (0, 1)):
        if d == 3 and mode == "cubic":
            continue
        x = rand(2, 3, *((9, 7) if d == 2 else (4, 5, 6)))
        grid = rng.uniform(-1.6, 1.6, (2, *((11, 70) if d == 2 else (3, 4, 5)), d)).astype(np.float32)
        at = grid.astype(np.float64)
        if (mode, padding) == ("cubic", "border"):  # ONNX moves the position itself to the border, PyTorch only the taps
            size = np.array(x.shape[:1:-1])
            pos = (at + 1) / 2 * (size - 1) if corners else ((at + 1) * size - 1) / 2
            edge = 0 if corners else 0.5
            pos = np.where((pos < -edge) | (pos > size - 1 + edge), np.clip(pos, 0, size - 1), pos)
            at = pos / (size - 1) * 2 - 1 if corners else (2 * pos + 1) / size - 1
        y = F.grid_sample(torch.from_numpy(x.astype(np.float64)), torch.from_numpy(at),
                          {"linear": "bilinear", "cubic": "bicubic"}.get(mode, mode), padding, bool(corners))
        at = dict(padding_mode=padding, align_corners=corners)
        case("GridSample", f"20_{d}d_{mode}_{padding}_{corners}", [x, grid], [as_type(y)], 20, magnitude=30, mode=mode, **at)
        if d == 2:
            name = {"linear": "bilinear", "cubic": "bicubic"}.get(mode, mode)
            case("GridSample", f"16_{mode}_{padding}_{corners}", [x, grid], [as_type(y)], 16, magnitude=30, mode=name, **at)
    x, grid = rng.integers(0, 99, (1, 2, 6, 5)).astype(np.int32), rng.uniform(-1, 1, (1, 4, 4, 2)).astype(np.float32)
    y = F.grid_sample(torch.from_numpy(x.astype(np.float64)), torch.from_numpy(grid.astype(np.float64)), align_corners=False)
    case("GridSample", "int32", [x, grid], [np.trunc(y.numpy()).astype(np.int32)], 20)
    text = np.array([[[["a", "b"], ["c", "d"]]]], dtype=object)
    grid = np.array([[[[-0.5, -0.5], [0.5, -0.5]], [[-0.5, 0.5], [3, 3]]]], dtype=np.float32)
    case("GridSample", "text", [text, grid], [np.array([[[["a", "b"], ["c", ""]]]], dtype=object)], 20, mode="nearest")
    for d, corners, dtype in itertools.product((2, 3), (0, 1), (np.float32, np.float64)):
        theta = rand(3, d, d + 1, dtype=dtype)
        size = (3, 2, 5, 6) if d == 2 else (3, 2, 4, 3, 6)
        y = F.affine_grid(torch.from_numpy(theta.astype(np.float64)), size, bool(corners))
        case("AffineGrid", f"{d}d_{corners}_{np.dtype(dtype).name}", [theta, np.array(size, dtype=np.int64)], [as_type(y, dtype)], 20,
             constants=(1,) if corners else (), magnitude=6, align_corners=corners)


def regions():
    x = rand(2, 20, 30, 40)
    rois = np.array([[3, 4, 20, 17], [0, 0, 79, 59], [10.5, 2.25, 11, 40], [-8, -9, 5, 6], [70, 50, 99, 99]], dtype=np.float32)
    images = np.array([0, 1, 1, 0, 1], dtype=np.int64)
    for opset, half, mode, samples in itertools.product((10, 16, 22), (False, True), ("avg", "max"), (0, 2)):
        if opset == 10 and half:
            continue
        f = np.float32
        y = np.zeros((5, 20, 3, 4))
        for n, (x1, y1, x2, y2) in enumerate(rois * f(0.5) - f(0.5 if half else 0)):
            w, h = (x2 - x1, y2 - y1) if half else (max(x2 - x1, f(1)), max(y2 - y1, f(1)))
            bw, bh = w / f(4), h / f(3)
            gx, gy = (samples, samples) if samples else (int(np.ceil(bw)), int(np.ceil(bh)))
            for p, q in itertools.product(range(3), range(4)):
                got = []
                for i, j in itertools.product(range(gy), range(gx)):
                    v, u = y1 + (p + (i + 0.5) / gy) * bh, x1 + (q + (j + 0.5) / gx) * bw
                    if v < -1 or v > 30 or u < -1 or u > 40:
                        got.append(np.zeros((4, 20)))
                        continue
                    v, u = min(max(v, 0), 29), min(max(u, 0), 39)
                    a, b = int(v), int(u)
                    c, d = min(a + 1, 29), min(b + 1, 39)
                    plane = x[images[n]].astype(np.float64)
                    got.append(np.stack([plane[:, a, b] * (1 - v + a) * (1 - u + b), plane[:, a, d] * (1 - v + a) * (u - b),
                                         plane[:, c, b] * (v - a) * (1 - u + b), plane[:, c, d] * (v - a) * (u - b)]))
                y[n, :, p, q] = np.max(got, (0, 1)) if mode == "max" else np.sum(got, 1).mean(0)
        at = dict(mode=mode, sampling_ratio=samples, spatial_scale=0.5, output_height=3, output_width=4)
        if opset >= 16:
            at["coordinate_transformation_mode"] = "half_pixel" if half else "output_half_pixel"
        case("RoiAlign", f"{opset}_{int(half)}_{mode}_{samples}", [x, rois, images], [as_type(y)], opset, magnitude=abs(x).max(), **at)
    boxes = np.concatenate([images[:, None], rois], 1).astype(np.float32)
    for opset, scale in ((1, 1.0), (1, 0.5), (22, 0.25)):
        y = np.zeros((5, 20, 3, 4), dtype=np.float32)
        for n, box in enumerate(boxes):
            x1, y1, x2, y2 = (int(np.floor(abs(v) * scale + 0.5) * np.sign(v)) for v in box[1:])
            h, w = max(y2 - y1 + 1, 1), max(x2 - x1 + 1, 1)
            for p, q in itertools.product(range(3), range(4)):
                rows = slice(*np.clip((y1 + p * h // 3, y1 - (-(p + 1) * h // 3)), 0, 30))
                columns = slice(*np.clip((x1 + q * w // 4, x1 - (-(q + 1) * w // 4)), 0, 40))
                part = x[int(box[0]), :, rows, columns]
                y[n, :, p, q] = part.max((1, 2)) if part.size else 0
        case("MaxRoiPool", f"{opset}_{scale}", [x, boxes], [y], opset, pooled_shape=[3, 4], spatial_scale=scale)
    case("MaxRoiPool", "half", [x.astype(np.float16), boxes.astype(np.float16)], [y.astype(np.float16)], 22, pooled_shape=[3, 4], spatial_scale=0.25)


def unpools():
    for d in (1, 2, 3):
        x = rand(2, 3, *(12, 10, 8)[:d])
        y, i = getattr(F, f"max_pool{d}d")(torch.from_numpy(x), 2, 2, return_indices=True)
        back = getattr(F, f"max_unpool{d}d")(y, i, 2, 2)
        plane = int(np.prod(x.shape[2:]))
        index = i.numpy() + plane * np.arange(6).reshape((2, 3) + (1,) * d)
        case("MaxUnpool", f"{d}d", [y.numpy(), index], [back.numpy()], 11, kernel_shape=[2] * d, strides=[2] * d)
        more = np.pad(back.numpy(), [(0, 0), (0, 0)] + [(0, 1)] * d)
        case("MaxUnpool", f"{d}d_shape", [y.numpy(), index, np.array(more.shape, dtype=np.int64)], [more], 9, constants=(2,),
             kernel_shape=[2] * d, strides=[2] * d)


# ---------------------------------------------------------------- image files
def encoded(image, format, **options):
    f = io.BytesIO()
    image.save(f, format, **options)
    return f.getvalue()


def image_case(name, data, rgb):
    stream = np.frombuffer(data, dtype=np.uint8)
    gray = np.asarray(Image.fromarray(rgb).convert("L"))[:, :, None] if rgb.size else np.zeros((0, 0, 1), np.uint8)
    case("ImageDecoder", f"{name}_rgb", [stream], [rgb], 20)
    case("ImageDecoder", f"{name}_bgr", [stream], [rgb[:, :, ::-1]], 20, pixel_format="BGR")
    case("ImageDecoder", f"{name}_gray", [stream], [gray], 20, pixel_format="Grayscale")


def bmp(bits, rows, palette=b"", compression=0, width=None, extra=b"", top_down=False, size=None):
    height = size or len(rows)
    body = b"".join(rows)
    head = struct.pack("<IiiHHIIiiII", 40, width, -height if top_down else height, 1, bits, compression, len(body), 0, 0, len(palette) // 4, 0)
    start = 14 + len(head) + len(extra) + len(palette)
    return b"BM" + struct.pack("<IHHI", start + len(body), 0, 0, start) + head + extra + palette + body


def images():
    smooth = np.stack(np.meshgrid(np.arange(57) * 4, np.arange(43) * 5), -1)
    picture = np.concatenate([smooth, rng.integers(0, 256, (43, 57, 1))], -1).astype(np.uint8)
    picture[10:20, 10:30] = (255, 0, 0)
    full = Image.fromarray(picture)
    alpha = full.copy()
    alpha.putalpha(Image.fromarray(rng.integers(0, 256, (43, 57)).astype(np.uint8)))
    modes = {"RGB": full, "L": full.convert("L"), "1": full.convert("1"), "P": full.convert("P"), "RGBA": alpha, "LA": alpha.convert("LA")}
    for format, kinds in (("PNG", ("RGB", "L", "1", "P", "RGBA", "LA")), ("BMP", ("RGB", "L", "1", "P", "RGBA")), ("PPM", ("RGB", "L", "1")),
                          ("TIFF", ("RGB", "L", "1", "P", "RGBA")), ("WEBP", ("RGB", "RGBA")), ("JPEG2000", ("RGB", "L", "RGBA"))):
        for kind in kinds:
            data = encoded(modes[kind], format, **({"lossless": True} if format == "WEBP" else {}))
            back = Image.open(io.BytesIO(data))
            image_case(f"{format}_{kind}", data, np.asarray(back.convert("RGB")))
    for name, options in (("444", dict(subsampling=0)), ("422", dict(subsampling=1)), ("420", dict(subsampling=2)), ("q10", dict(quality=10)),
                          ("progressive", dict(progressive=True)), ("optimize", dict(optimize=True, quality=95)), ("restart", dict(restart_marker_rows=1))):
        data = encoded(full, "JPEG", **options)
        image_case(f"JPEG_{name}", data, np.asarray(Image.open(io.BytesIO(data)).convert("RGB")))
    for kind in ("L", "CMYK"):
        data = encoded(full.convert(kind), "JPEG")
        image_case(f"JPEG_{kind}", data, np.asarray(Image.open(io.BytesIO(data)).convert("RGB")))
    for name, options in (("lossy", dict(quality=60)), ("best", dict(quality=100, method=6))):
        data = encoded(full, "WEBP", **options)
        image_case(f"WEBP_{name}", data, np.asarray(Image.open(io.BytesIO(data)).convert("RGB")))
    for compression in ("tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"):
        data = encoded(full, "TIFF", compression=compression)
        image_case(f"TIFF_{compression}", data, np.asarray(Image.open(io.BytesIO(data)).convert("RGB")))
    for name, options in (("lossy", dict(quality_mode="rates", quality_layers=[8])), ("stream", dict(no_jp2=True))):
        data = encoded(full, "JPEG2000", **options)
        image_case(f"JPEG2000_{name}", data, np.asarray(Image.open(io.BytesIO(data)).convert("RGB")))
    deep = rng.integers(0, 65536, (9, 7, 3)).astype(np.uint16)
    rows = b"".join(b"\0" + r.astype(">u2").tobytes() for r in deep)
    chunk = lambda kind, body: struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 7, 9, 16, 2, 0, 0, 0)) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    image_case("PNG_16", data, (deep >> 8).astype(np.uint8))
    # text bitmaps, comments, other maxima
    image_case("PNM_P1", b"P1 # bits\n3 2\n1 0 1\n011", np.repeat(np.array([[0, 255, 0], [255, 0, 0]], np.uint8)[:, :, None], 3, 2))
    image_case("PNM_P2", b"P2\n2 2 15\n0 15\n7 8\n", np.repeat(np.array([[0, 255], [119, 136]], np.uint8)[:, :, None], 3, 2))
    image_case("PNM_P3", b"P3\n1 2\n255\n1 2 3\n4\n5 #c\n6", np.array([[[1, 2, 3]], [[4, 5, 6]]], np.uint8))
    wide = rng.integers(0, 1024, (3, 5, 3))
    image_case("PNM_P6_10bit", b"P6 5 3 1023\n" + wide.astype(">u2").tobytes(), np.rint(wide * 255 / 1023).astype(np.uint8))
    # bitmaps that Pillow does not write
    fives = rng.integers(0, 32, (2, 3, 3))
    words = lambda r: b"".join(struct.pack("<H", int(p[0]) << 10 | int(p[1]) << 5 | int(p[2])) for p in r) + b"\0\0"
    image_case("BMP_15", bmp(16, [words(r) for r in fives[::-1]], width=3), (fives * 255 // 31).astype(np.uint8))
    image_case("BMP_top", bmp(16, [words(r) for r in fives], width=3, top_down=True), (fives * 255 // 31).astype(np.uint8))
    words = lambda r: b"".join(struct.pack("<H", int(p[0]) << 11 | int(p[1]) << 6 | int(p[2])) for p in r) + b"\0\0"
    rgb = (fives * 255 // 31).astype(np.uint8)
    rgb[:, :, 1] = (fives[:, :, 1] * 2) * 255 // 63
    image_case("BMP_565", bmp(16, [words(r) for r in fives[::-1]], width=3, compression=3, extra=struct.pack("<III", 0xf800, 0x7e0, 0x1f)), rgb)
    palette = rng.integers(0, 256, (16, 3)).astype(np.uint8)
    table = b"".join(bytes(p[::-1]) + b"\0" for p in palette)
    index = np.array([[1, 2, 3, 4, 5], [6, 6, 6, 7, 7], [0, 0, 9, 9, 9]])
    rows = [b"\x00\x99\x90\0", b"\x66\x67\x70\0", b"\x12\x34\x50\0"]
    image_case("BMP_4", bmp(4, rows, table, width=5), palette[index])
    codes = b"\x02\x00\x03\x99\x00\x00" + b"\x03\x66\x02\x77\x00\x00" + b"\x00\x05\x12\x34\x50\x00\x00\x00" + b"\x00\x01"
    image_case("BMP_rle4", bmp(4, [codes], table, compression=2, width=5, size=3), palette[index])
    codes = b"\x00\x02\x02\x00\x03\x09\x00\x00" + b"\x03\x06\x02\x07\x00\x00" + b"\x00\x05\x01\x02\x03\x04\x05\x00\x00\x01"
    image_case("BMP_rle8", bmp(8, [codes], table, compression=1, width=5, size=3), palette[index])
    # what cannot be decoded has no pixels
    nothing = np.zeros((0, 0, 3), np.uint8)
    jpeg, png = encoded(full, "JPEG"), encoded(full, "PNG")
    image_case("bad_magic", b"what is this?", nothing)
    image_case("bad_jpeg_cut", jpeg[:len(jpeg) // 2], nothing)
    image_case("bad_png_cut", png[:len(png) // 2], nothing)
    image_case("bad_png_crc", png[:60] + bytes([png[60] ^ 1]) + png[61:], nothing)
    for format in ("BMP", "PPM", "TIFF", "WEBP", "JPEG2000"):
        data = encoded(full, format)
        image_case(f"bad_{format}_cut", data[:len(data) * 2 // 3], nothing)


GROUPS = [pools, lp_pools, batch_norms, norms, transposes, resizes, integer_convs, deformed, causal, grids, regions, unpools, images]

if __name__ == "__main__":
    OUT = sys.argv[1]
    for group in GROUPS:
        if len(sys.argv) < 3 or group.__name__ in sys.argv[2:]:
            group()
    print(f"{len(SEEN)} cases in {OUT}")
