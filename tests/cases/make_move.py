#!/usr/bin/env python3
"""Test cases for the operators that move, select and fill, in every version and element type.

Writes folders for `onnxrun test`: usage make_move.py OUT [OPERATOR ...].  What moves is worked out on
positions by numpy and then applied to elements of each type, so one expectation serves all types.
Needs numpy, ml_dtypes and onnx.
"""
import itertools
import os
import sys

import ml_dtypes
import numpy as np
import onnx
from onnx import TensorProto, defs, helper, numpy_helper

OUT = None
COUNT = {}
rng = np.random.default_rng(11)

NUMPY = {
    "float": np.float32, "double": np.float64, "float16": np.float16, "bfloat16": ml_dtypes.bfloat16,
    "int8": np.int8, "int16": np.int16, "int32": np.int32, "int64": np.int64, "uint8": np.uint8,
    "uint16": np.uint16, "uint32": np.uint32, "uint64": np.uint64, "bool": np.bool_, "string": np.object_,
    "complex64": np.complex64, "complex128": np.complex128, "float8e4m3fn": ml_dtypes.float8_e4m3fn,
    "float8e4m3fnuz": ml_dtypes.float8_e4m3fnuz, "float8e5m2": ml_dtypes.float8_e5m2,
    "float8e5m2fnuz": ml_dtypes.float8_e5m2fnuz, "float8e8m0": ml_dtypes.float8_e8m0fnu,
    "float4e2m1": ml_dtypes.float4_e2m1fn, "int4": ml_dtypes.int4, "uint4": ml_dtypes.uint4,
    "int2": ml_dtypes.int2, "uint2": ml_dtypes.uint2,
}
FLOATS = ("float", "double", "float16", "bfloat16")


def array(kind, *shape):
    """Small values of a type, most of them different from their neighbours."""
    n = int(np.prod(shape))
    v = rng.integers(0, 100, n)
    if kind == "string":
        a = np.array([["", "a", "bc", "grüße", "x" * 40][k % 5] for k in v], dtype=object)
    elif kind == "bool":
        a = v % 2 == 1
    elif kind.startswith("complex"):
        a = (v % 7 - 3 + 1j * (v % 5 - 2)).astype(NUMPY[kind])
    elif kind == "float8e8m0":
        a = np.exp2((v % 9 - 4).astype(np.float32)).astype(NUMPY[kind])
    elif kind.startswith("float4"):
        a = np.array([0, 0.5, 1, 1.5, 2, 3, 4, 6, -1, -2, -6], dtype=np.float32)[v % 11].astype(NUMPY[kind])
    elif kind in ("int2", "uint2", "int4", "uint4"):
        low, high = {"int2": (-2, 2), "uint2": (0, 4), "int4": (-8, 8), "uint4": (0, 16)}[kind]
        a = (v % (high - low) + low).astype(np.int8).astype(NUMPY[kind])
    elif "float" in kind or kind == "double":
        a = ((v - 50) / 8).astype(np.float32).astype(NUMPY[kind])
    else:
        a = (v - (50 if kind[0] == "i" else 0)).astype(NUMPY[kind])
    return a.reshape(shape)


def take(x, index):
    """x's elements at flat positions `index`; position -1 gives the zero of its type."""
    zero = np.zeros(1, dtype=x.dtype)
    if x.dtype == object:
        zero = np.array([""], dtype=object)
    return np.concatenate([x.reshape(-1), zero])[index]


def positions(x):
    return np.arange(x.size, dtype=np.int64).reshape(x.shape)


def proto(a, name=""):
    t = numpy_helper.from_array(np.ascontiguousarray(a) if np.ndim(a) else np.asarray(a), name)
    return t


def case(op, version, tag, inputs, outputs, constants=(), **attributes):
    """One node of opset `version`.  None: absent input, unwanted output.  constants: indices of inputs
    that are initializers."""
    key = f"{op}-{version}-{tag}"
    COUNT[key] = COUNT.get(key, 0) + 1
    folder = os.path.join(OUT, f"{key}-{COUNT[key]}")
    os.makedirs(os.path.join(folder, "test_data_set_0"), exist_ok=True)
    names = [f"x{i}" if a is not None else "" for i, a in enumerate(inputs)]
    wanted = [f"y{i}" if a is not None else "" for i, a in enumerate(outputs)]
    node = helper.make_node(op, names, wanted, **{k: v for k, v in attributes.items() if v is not None})
    fed = [(n, a) for i, (n, a) in enumerate(zip(names, inputs)) if n and i not in constants]
    made = [(n, a) for n, a in zip(wanted, outputs) if n]
    info = lambda n, a: helper.make_tensor_value_info(n, proto(a).data_type, np.shape(a))
    graph = helper.make_graph([node], "case", [info(*f) for f in fed], [info(*m) for m in made],
                              [proto(inputs[i], names[i]) for i in constants])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", version)])
    model.ir_version = 4 if version < 9 else 8 if version < 19 else 10 if version < 25 else 13
    onnx.save(model, os.path.join(folder, "model.onnx"))
    for stem, values in (("input", fed), ("output", made)):
        for i, (_, a) in enumerate(values):
            with open(os.path.join(folder, "test_data_set_0", f"{stem}_{i}.pb"), "wb") as f:
                f.write(proto(a).SerializeToString())


SCHEMAS = [s for s in defs.get_all_schemas_with_history() if s.domain == ""]


def versions(op, variable="T"):
    """(version, type) for every version of op and every tensor type of its type variable."""
    for s in sorted((s for s in SCHEMAS if s.name == op), key=lambda s: s.since_version):
        kinds = [t for c in s.type_constraints if c.type_param_str == variable for t in c.allowed_type_strs]
        for k in sorted(kinds):
            if k.startswith("tensor(") and k[7:-1] in NUMPY:
                yield s.since_version, k[7:-1]


def moved(op, variants, variable="T"):
    """variants(version, x) yields (index of each output, further inputs, attributes, constants)."""
    for version, kind in versions(op, variable):
        for shape, *rest in variants(version):
            x = array(kind, *shape)
            for index, more, attributes in rest[0](positions(x)):
                out = [take(x, i) for i in (index if isinstance(index, list) else [index])]
                case(op, version, kind, [x, *more], out, **attributes)
                if more:
                    constants = [i + 1 for i, m in enumerate(more) if m is not None]
                    case(op, version, kind + "-const", [x, *more], out, constants, **attributes)


def i64(*v):
    return np.array(v, dtype=np.int64)


def Transpose():
    def variants(version):
        yield (2, 3, 5), lambda p: ((p.transpose(q), (), dict(perm=q)) for q in itertools.permutations(range(3)))
        yield (4, 3, 2, 5), lambda p: [(p.T, (), {}), (p.transpose(0, 2, 3, 1), (), dict(perm=[0, 2, 3, 1]))]
        yield (), lambda p: [(p, (), {})]
        yield (0, 3), lambda p: [(p.T, (), {})]
    moved("Transpose", variants)
    big = rng.standard_normal((3, 67, 129, 5)).astype(np.float32)
    for q in itertools.permutations(range(4)):
        case("Transpose", 13, "large", [big], [big.transpose(q)], perm=q)
    for dtype, shape in itertools.product((np.int8, np.int16, np.float32, np.float64, np.complex128),
                                          ((257, 131), (1000, 3), (3, 1000), (2, 777), (777, 4), (64, 64), (31, 2, 33))):
        x = rng.integers(0, 100, shape).astype(dtype)
        case("Transpose", 13, "matrix", [x], [x.T])


def Concat():
    for version, kind in versions("Concat"):
        for shape, axis, sizes in (((2, 3, 4), 1, (3, 1, 2)), ((2, 3, 4), 0, (1, 2)), ((2, 3, 4), 2, (4,)),
                                   ((5,), 0, (5, 0, 2)), ((2, 3, 4), -1, (1, 1, 1, 1))):
            if axis < 0 and version < 11:
                continue
            x = [array(kind, *(s if d == axis % len(shape) else n for d, n in enumerate(shape))) for s in sizes]
            case("Concat", version, kind, x, [np.concatenate(x, axis)], axis=axis)
    x = [array("float", 2, 3, 4), array("float", 2, 1, 4)]
    case("Concat", 1, "default", x, [np.concatenate(x, 1)])


def Split():
    for version, kind in versions("Split"):
        x = array(kind, 2, 6, 3)
        for axis, sizes in ((1, [2, 2, 2]), (1, [1, 0, 5]), (2, [1, 2]), (0, [1, 1])):
            out = np.split(x, np.cumsum(sizes)[:-1], axis)
            equal = len(set(sizes)) == 1
            if version == 1 and kind == "float":
                case("Split", 1, "input", [x, np.array(sizes, dtype=np.float32)], out, axis=axis)
            if version < 13:
                case("Split", version, kind, [x], out, axis=axis, split=sizes)
            else:
                case("Split", version, kind, [x, i64(*sizes)], out, axis=axis)
                case("Split", version, kind, [x, i64(*sizes)], out, [1], axis=axis)
            if equal:
                case("Split", version, kind, [x], out, axis=axis, num_outputs=len(sizes) if version >= 18 else None)
        case("Split", version, kind, [x] + ([i64(2, 4)] if version >= 13 else []),
             [None, x[:, 2:]], axis=1, split=[2, 4] if version < 13 else None)
    x = array("float", 7, 2)
    case("Split", 18, "uneven", [x], [x[:2], x[2:4], x[4:6], x[6:]], num_outputs=4)
    x = array("float", 5, 2)
    case("Split", 18, "uneven", [x], [x[:2], x[2:4], x[4:], x[:0]], num_outputs=4)


def Slice():
    far = 2**31 - 1
    rows = [([1, 0], [3, 2], [0, 1], None), ([0], [far], [2], None), ([-3, 1], [-1, 1000], [2, 0], None),
            ([3, -1], [0, -1000], [2, 1], [-2, -1]), ([0], [5], [2], [2]), ([4], [1], [0], None),
            ([-1000], [3], [1], [1]), ([1000], [-1000], [2], [-3]), ([0, 0], [2, 2], None, None)]

    def cut(p, starts, ends, axes, steps):
        s = [slice(None)] * p.ndim
        for i, axis in enumerate(axes or range(len(starts))):
            step = steps[i] if steps else 1
            end = ends[i] if not (step < 0 and ends[i] < -p.shape[axis]) else None
            s[axis] = slice(starts[i], end, step)
        return p[tuple(s)]

    for version, kind in versions("Slice"):
        x = array(kind, 4, 3, 6)
        for starts, ends, axes, steps in rows:
            index = cut(positions(x), starts, ends, axes, steps)
            if version == 1:
                if not steps:
                    case("Slice", 1, kind, [x], [take(x, index)], starts=starts, ends=ends, axes=axes)
                continue
            for dtype in (np.int32, np.int64):
                more = [None if v is None else np.array(v, dtype=dtype) for v in (starts, ends, axes, steps)]
                case("Slice", version, kind, [x, *more], [take(x, index)])
                case("Slice", version, kind + "-const", [x, *more], [take(x, index)],
                     [i + 1 for i, m in enumerate(more) if m is not None])
    for kind in ("float", "int64", "string"):
        x = array(kind, 4, 3, 6)
        for starts, ends, axes, _ in (r for r in rows if not r[3]):
            more = [None if v is None else i64(*v) for v in (starts, ends, axes)]
            case("DynamicSlice", 1, kind, [x, *more], [take(x, cut(positions(x), starts, ends, axes, None))])


def Crop():
    for kind in ("float", "double", "float16"):
        x = array(kind, 2, 3, 7, 9)
        case("Crop", 1, kind, [x], [x[:, :, 2:4, 1:6]], border=[1, 2, 3, 3])
        case("Crop", 1, kind, [x], [x[:, :, 2:6, 1:4]], border=[1, 2, 0, 0], scale=[4, 3])
        case("Crop", 1, kind, [x], [x[:, :, :6, :5]], border=[0, 0, 0, 0], scale=[6, 5])


def Gather():
    for version, kind in versions("Gather"):
        for shape, axis, index in (((5, 3), 0, [[0, 4], [2, 2]]), ((3, 5, 2), 1, [4, 0, -1]), ((3, 5), 1, 3),
                                   ((4, 3), -1, [[-3], [1]]), ((5,), 0, []), ((2, 3, 4, 5), 2, [1, 0])):
            x = array(kind, *shape)
            for dtype in (np.int32, np.int64):
                k = np.array(index, dtype=dtype)
                case("Gather", version, kind, [x, k], [np.take(x, k, axis)], axis=axis)
                case("Gather", version, kind + "-const", [x, k], [np.take(x, k, axis)], [1], axis=axis)
    x, k = array("float", 1000, 96), rng.integers(-1000, 1000, (30, 40))
    case("Gather", 13, "large", [x, k], [x[k]])
    x, k = array("float", 40, 300, 2), rng.integers(-300, 300, 500)
    case("Gather", 13, "large", [x, k], [x[:, k]], axis=1)


def GatherElements():
    for version, kind in versions("GatherElements"):
        for shape, axis, picked in (((3, 4), 0, (5, 4)), ((3, 4), 1, (3, 2)), ((2, 3, 4), -2, (2, 6, 3)), ((6,), 0, (9,)),
                                    ((2, 3, 4), 0, (4, 2, 1))):
            x = array(kind, *shape)
            n = shape[axis]
            k = rng.integers(-n, n, picked)
            part = x[tuple(slice(None) if d == axis % len(shape) else slice(0, s) for d, s in enumerate(picked))]
            for dtype in (np.int32, np.int64):
                case("GatherElements", version, kind, [x, k.astype(dtype)],
                     [np.take_along_axis(part, k % n, axis)], axis=axis)


def nd_positions(p, k, batch=0):
    if batch == 0:
        return np.array([p[tuple(t)] for t in k.reshape(-1, k.shape[-1])], dtype=np.int64).reshape(
            k.shape[:-1] + p.shape[k.shape[-1]:])
    return np.array([nd_positions(a, b, batch - 1) for a, b in zip(p, k)])


def GatherND():
    for version, kind in versions("GatherND"):
        for shape, kshape, batch in (((3, 4), (5, 2), 0), ((3, 4), (2, 2, 1), 0), ((2, 3, 4), (2, 5, 1), 1),
                                     ((2, 3, 4), (2, 3, 1), 2), ((4,), (1,), 0), ((2, 3, 4, 2), (2, 2, 2), 1)):
            if batch and version < 12:
                continue
            x = array(kind, *shape)
            k = np.stack([rng.integers(-shape[batch + d], shape[batch + d], kshape[:-1]) for d in range(kshape[-1])], -1)
            index = nd_positions(positions(x), k, batch)
            case("GatherND", version, kind, [x, k], [take(x, index)], batch_dims=batch if version >= 12 else None)


def reduce_to(a, b, how):
    """How one element takes an update, for elements of numpy types."""
    if how == "none":
        return b
    if a.dtype == np.bool_ and how in ("add", "mul"):
        return a | b if how == "add" else a & b
    return {"add": np.add, "mul": np.multiply, "max": np.maximum, "min": np.minimum}[how](a, b)


def scatter_cases(op, version, kind, make):
    hows = ["none"] if version < 16 or kind == "string" else ["none", "add", "mul"]
    if version >= 18 and kind != "string" and not kind.startswith("complex"):
        hows += ["max", "min"]
    wide = {"float16": np.float64, "bfloat16": np.float64, "float": np.float64}.get(kind)
    for how in hows:
        x, k, u, where = make(kind, how)
        y = x.astype(wide) if wide and how in ("add", "mul") else x.copy()
        flat = y.reshape(-1)
        for at, v in zip(where.reshape(-1), u.reshape(-1)):
            flat[at] = reduce_to(flat[at], v.astype(y.dtype) if hasattr(v, "astype") else v, how)
        yield x, k, u, y.astype(x.dtype), dict(reduction=how) if version >= 16 else {}


def Scatter():
    for op in ("Scatter", "ScatterElements"):
        for version, kind in versions(op):
            for shape, axis, picked in (((4, 5), 0, (2, 3)), ((4, 5), 1, (4, 3)), ((3, 4, 2), -2, (2, 4, 2)), ((6,), 0, (4,))):
                def make(kind, how):
                    x, u = array(kind, *shape), array(kind, *picked)
                    n = shape[axis]
                    if how == "none":  # no two updates in one place
                        k = np.argsort(rng.random(picked[:axis % len(shape)] + (n,) + picked[axis % len(shape) + 1:]), axis)
                        k = np.take(k, range(picked[axis]), axis)
                        k = np.where(rng.random(k.shape) < 0.5, k, k - n)
                    else:
                        k = rng.integers(-n, n, picked)
                    part = positions(x)[tuple(slice(None) if d == axis % len(shape) else slice(0, s)
                                              for d, s in enumerate(picked))]
                    return x, k, u, np.take_along_axis(part, k % n, axis)
                for x, k, u, y, attributes in scatter_cases(op, version, kind, make):
                    dtype = rng.choice([np.int32, np.int64])
                    case(op, version, kind, [x, k.astype(dtype), u], [y], axis=axis, **attributes)


def ScatterND():
    for version, kind in versions("ScatterND"):
        for shape, n, width in (((4, 5), 3, 2), ((4, 5), 2, 1), ((2, 3, 4), 2, 1), ((7,), 4, 1), ((3, 3, 2), 3, 2)):
            def make(kind, how):
                x, u = array(kind, *shape), array(kind, n, *shape[width:])
                every = np.array(list(np.ndindex(*shape[:width])))
                rows = rng.permutation(len(every))[:n] if how == "none" else rng.integers(0, len(every), n)
                k = every[rows]
                return x, k - np.where(rng.random(k.shape) < 0.5, shape[:width], 0), u, nd_positions(positions(x), k)
            for x, k, u, y, attributes in scatter_cases("ScatterND", version, kind, make):
                case("ScatterND", version, kind, [x, k, u], [y], **attributes)


def TensorScatter():
    for version, kind in versions("TensorScatter"):
        for shape, n, axis, mode in (((2, 3, 5, 4), 2, -2, "linear"), ((2, 6, 3), 4, 1, "circular"), ((3, 2, 4), 4, -1, "circular"),
                                     ((2, 5, 2), 1, 1, "linear")):
            update = tuple(n if d == axis % len(shape) else s for d, s in enumerate(shape))
            x, u = array(kind, *shape), array(kind, *update)
            size = shape[axis]
            at = rng.integers(0, size - n + 1 if mode == "linear" else size, shape[0])
            for given in (True, False):
                y = x.copy()
                for b in range(shape[0]):
                    for i in range(n):
                        to = (int(at[b]) if given else 0) + i
                        np.moveaxis(y, axis, 1)[b, to % size] = np.moveaxis(u, axis, 1)[b, i]
                case("TensorScatter", version, kind, [x, u, at if given else None], [y], axis=axis, mode=mode)


def Pad():
    rows = [((3, 4), [1, 2, 0, 1], None), ((3, 4), [0, -1, 2, 0], None), ((2, 3, 4), [1, -1, 2, 0], [2, 0]),
            ((5,), [3, 4], None), ((2, 2, 3, 4), [0, 0, 1, 2, 0, 0, 2, 1], None), ((4, 3), [-1, -2, -2, 0], None),
            ((2, 3), [5, 9, 7, 4], None), ((3, 4), [1, 2], [-1]), ((1, 2), [3, 1, 2, 1], None)]
    for version, kind in versions("Pad"):
        for (shape, pads, axes), mode in itertools.product(rows, ("constant", "reflect", "edge", "wrap")):
            if (mode == "wrap" and version < 19) or (axes and version < 18) or (version < 2 and min(pads) < 0):
                continue
            x = array(kind, *shape)
            p = positions(x)
            n = len(pads) // 2
            width = [(0, 0)] * len(shape)
            for i, axis in enumerate(axes or range(n)):
                width[axis] = (pads[i], pads[n + i])
            cut = p[tuple(slice(-min(a, 0), s + min(b, 0)) for (a, b), s in zip(width, shape))]
            width = [(max(a, 0), max(b, 0)) for a, b in width]
            if cut.size == 0:
                continue
            index = np.pad(cut, width, mode, **(dict(constant_values=-1) if mode == "constant" else {}))
            if version < 11:
                name = "paddings" if version == 1 else "pads"
                case("Pad", version, kind, [x], [take(x, index)], mode=mode, **{name: pads})
                if mode == "constant":
                    y = np.where(index < 0, np.array(1.5).astype(x.dtype), take(x, index))
                    case("Pad", version, kind, [x], [y], value=1.5, **{name: pads})
                continue
            more = [i64(*pads), None, np.array(axes, dtype=rng.choice([np.int32, np.int64])) if axes else None]
            case("Pad", version, kind, [x, *more], [take(x, index)], mode=mode)
            case("Pad", version, kind + "-const", [x, *more], [take(x, index)], [i + 1 for i in (0, 2) if more[i] is not None],
                 mode=mode)
            if mode == "constant":
                value = array(kind)
                y = np.where(index < 0, value, take(x, index)).astype(x.dtype)
                case("Pad", version, kind, [x, more[0], value, more[2]], [y])


def CenterCropPad():
    for version, kind in versions("CenterCropPad"):
        for shape, size, axes in (((5, 4), (3, 7), None), ((5, 4, 3), (6, 2), [0, 2]), ((5, 4, 3), (2, 5), [-1, 1]), ((7,), (7,), None)):
            x = array(kind, *shape)
            index = positions(x)
            for axis, n in zip(axes or range(len(shape)), size):
                more = n - shape[axis]
                if more < 0:  # the window starts at the half, rounded down
                    index = np.take(index, range(-more // 2, -more // 2 + n), axis)
                else:
                    width = [(0, 0)] * len(shape)
                    width[axis] = (more // 2, more - more // 2)
                    index = np.pad(index, width, constant_values=-1)
            case("CenterCropPad", version, kind, [x, np.array(size, dtype=rng.choice([np.int32, np.int64]))],
                 [take(x, index)], axes=axes)


def Tile():
    for version, kind in versions("Tile"):
        for shape, repeats in (((2, 3), (2, 3)), ((2, 3), (1, 4)), ((4, 1, 2), (2, 3, 1)), ((5,), (0,)), ((1,), (9,))):
            x = array(kind, *shape)
            if version == 1:
                for axis, n in enumerate(repeats):
                    each = [n if d == axis else 1 for d in range(len(shape))]
                    dtype = NUMPY[kind]
                    case("Tile", 1, kind, [x, np.array([n], dtype), np.array([axis], dtype)], [np.tile(x, each)])
            else:
                case("Tile", version, kind, [x, i64(*repeats)], [np.tile(x, repeats)])
                case("Tile", version, kind + "-const", [x, i64(*repeats)], [np.tile(x, repeats)], [1])


def Expand():
    for version, kind in versions("Expand"):
        for shape, to in (((3, 1), (2, 3, 4)), ((1, 3, 1), (2, 1, 5)), ((), (2, 2)), ((2, 3), (1,)), ((1,), (0,)), ((4, 1, 3), (4, 2, 3))):
            x = array(kind, *shape)
            y = np.broadcast_to(x, np.broadcast_shapes(shape, to))
            case("Expand", version, kind, [x, i64(*to)], [y])
            case("Expand", version, kind + "-const", [x, i64(*to)], [y], [1])


def Shape():
    for version, kind in versions("Shape"):
        x = array(kind, 2, 3, 4)
        case("Shape", version, kind, [x], [i64(2, 3, 4)])
        for start, end in ((1, None), (-1, None), (0, -1), (1, 2), (-100, 2), (2, 1), (0, 99)) if version >= 15 else ():
            case("Shape", version, kind, [x], [np.array((2, 3, 4)[start:end], dtype=np.int64)], start=start, end=end)
    for version, kind in versions("Size"):
        case("Size", version, kind, [array(kind, 2, 3, 4)], [np.array(24)])
        case("Size", version, kind, [array(kind)], [np.array(1)])
        case("Size", version, kind, [array(kind, 0, 3)], [np.array(0)])


def ConstantOfShape():
    for version, kind in versions("ConstantOfShape", "T2"):
        value = array(kind, 1)
        for shape in ((2, 3), (), (0, 4), (7,)):
            case("ConstantOfShape", version, kind, [i64(*shape)], [np.broadcast_to(value[0], shape).astype(value.dtype)],
                 value=proto(value))
    case("ConstantOfShape", 9, "default", [i64(2, 2)], [np.zeros((2, 2), np.float32)])


def fills():
    for number, dtype in ((1, np.float32), (6, np.int32), (7, np.int64), (9, np.bool_)):
        full = lambda *shape: np.full(shape, 3, dtype)
        case("ConstantFill", 1, "shape", [], [full(2, 3)], dtype=number, shape=[2, 3], value=3.0)
        case("ConstantFill", 1, "like", [array("float", 4, 2)], [full(4, 2)], dtype=number, value=3.0)
        case("ConstantFill", 1, "extra", [array("float", 4, 2)], [full(4, 2, 5, 1)], dtype=number, value=3.0, extra_shape=[5, 1])
        case("ConstantFill", 1, "input", [i64(2, 5)], [full(2, 5, 3)], dtype=number, value=3.0, input_as_shape=1, extra_shape=[3])
        case("ConstantFill", 1, "zero", [i64(2, 5)], [np.zeros((2, 5), dtype)], dtype=number, input_as_shape=1)
    v = array("float", 6)
    case("GivenTensorFill", 1, "shape", [], [v.reshape(2, 3)], shape=[2, 3], values=v)
    for kind in ("float", "double", "float16"):
        case("GivenTensorFill", 1, "like", [array(kind, 3, 2)], [v.reshape(3, 2).astype(NUMPY[kind])], values=v)
        case("GivenTensorFill", 1, "input", [np.array([3, 1], NUMPY[kind])], [v.reshape(3, 1, 2).astype(NUMPY[kind])],
             values=v, input_as_shape=1, extra_shape=[2])


def Range():
    for version, kind in versions("Range"):
        for a, b, d in ((0, 10, 1), (5, -4, -2), (3, 3, 1), (0, 1, -1), (-7, 8, 4), (0.5, 3, 0.25), (1, 2, 0.1)):
            if "int" in kind and (a != int(a) or d != int(d)):
                continue
            v = [np.array(k).astype(NUMPY[kind]) for k in (a, b, d)]
            f = [float(k) for k in v]
            n = max(int(np.ceil((f[1] - f[0]) / f[2])), 0)
            y = (f[0] + np.arange(n) * f[2]).astype(NUMPY[kind])
            case("Range", version, kind, v, [y])
            case("Range", version, kind, [k.reshape(1) for k in v], [y], [0, 1, 2])
    top = 2**63 - 1
    case("Range", 11, "far", [i64(top - 3)[0], i64(top)[0], i64(2)[0]], [i64(top - 3, top - 1)])
    case("Range", 11, "far", [i64(-top)[0], i64(top)[0], i64(top)[0]], [i64(-top, 0)])


def EyeLike():
    for version, kind in versions("EyeLike", "T1"):
        for shape, k in (((3, 4), 0), ((4, 3), -1), ((3, 5), 3), ((2, 2), 7), ((2, 2), -9)):
            x = array(kind, *shape)
            case("EyeLike", version, kind, [x], [np.eye(*shape, k=k).astype(x.dtype)], k=k)
    for version, kind in versions("EyeLike", "T2"):
        number = helper.np_dtype_to_tensor_dtype(np.dtype(NUMPY[kind]))
        case("EyeLike", version, kind, [array("int32", 3, 3)], [np.eye(3).astype(NUMPY[kind])], dtype=number)


def OneHot():
    def hot(k, depth, axis, values, negative):
        k = np.where((k < 0) & negative, k + depth, k)
        on = np.expand_dims(k, axis) == np.arange(depth).reshape([depth if d == axis % (k.ndim + 1) else 1 for d in range(k.ndim + 1)])
        return np.where(on, values[1], values[0]).astype(values.dtype)
    for version, kind in versions("OneHot", "T3"):
        values = array(kind, 2)
        for axis in (-1, 0, 1):
            k = rng.integers(-7, 9, (2, 3))
            case("OneHot", version, kind, [k, np.array(5), values], [hot(k, 5, axis, values, version >= 11)], axis=axis)
            case("OneHot", version, kind, [k, np.array([5]), values], [hot(k, 5, axis, values, version >= 11)], [1], axis=axis)
    for variable in ("T1", "T2"):
        for version, kind in versions("OneHot", variable):
            k = np.array([0, 3, 1, 7, 4])
            one, two = (k.astype(NUMPY[kind]), np.array(5)) if variable == "T1" else (k, np.array(5).astype(NUMPY[kind]))
            values = np.array([-1.5, 2], np.float32)
            case("OneHot", version, variable + kind, [one, two, values], [hot(k, 5, -1, values, version >= 11)])


def NonZero():
    for version, kind in versions("NonZero"):
        for shape in ((3, 4), (7,), (2, 1, 3), (0, 2)):
            x = array(kind, *shape)
            x = x.copy()
            if x.size:
                x.reshape(-1)[::3] = "" if kind == "string" else np.zeros(1, x.dtype)[0]
            truth = np.array([bool(v != "") if kind == "string" else bool(v) for v in x.reshape(-1)]).reshape(shape)
            case("NonZero", version, kind, [x], [np.array(np.nonzero(truth), dtype=np.int64).reshape(len(shape), -1)])
    x = np.array([0.0, -0.0, np.nan, np.inf, 1e-45], np.float32)
    case("NonZero", 13, "special", [x], [i64(2, 3, 4).reshape(1, 3)])
    case("NonZero", 13, "scalar", [np.array(3.0)], [np.zeros((0, 1), np.int64)])


def Compress():
    for version, kind in versions("Compress"):
        for shape, axis, keep in (((3, 4), 0, [1, 0, 1]), ((3, 4), 1, [0, 1, 1, 0]), ((3, 4), None, [1, 0, 0, 1, 1]), ((2, 3, 4), 1, [0, 1]),
                                  ((3,), None, [0, 0, 0]), ((2, 3, 2), -1, [0, 1])):
            if axis is not None and axis < 0 and version < 11:
                continue
            x = array(kind, *shape)
            index = np.compress(keep, positions(x), axis)
            case("Compress", version, kind, [x, np.array(keep, bool)], [take(x, index)], axis=axis)
            case("Compress", version, kind, [x, np.array(keep, bool)], [take(x, index)], [1], axis=axis)


def Trilu():
    for version, kind in versions("Trilu"):
        for shape, k, upper in itertools.product(((3, 4), (4, 3), (2, 3, 3), (2, 0, 3)), (None, 0, 1, -2, 9, -9), (0, 1, None)):
            x = array(kind, *shape)
            keep = (np.tril if upper == 0 else np.triu)(np.ones(shape, bool), k or 0)
            case("Trilu", version, kind, [x, None if k is None else np.array(k)], [take(x, np.where(keep, positions(x), -1))], upper=upper)


def blocks():
    for version, kind in versions("DepthToSpace"):
        for mode in (None, "DCR", "CRD") if version >= 11 else (None,):
            for b, (n, c, h, w) in ((2, (2, 8, 3, 2)), (3, (1, 9, 2, 4)), (1, (1, 2, 2, 2))):
                x = array(kind, n, c, h, w)
                p = positions(x)
                if mode == "CRD":
                    p = p.reshape(n, c // b**2, b, b, h, w).transpose(0, 1, 4, 2, 5, 3)
                else:
                    p = p.reshape(n, b, b, c // b**2, h, w).transpose(0, 3, 4, 1, 5, 2)
                case("DepthToSpace", version, kind, [x], [take(x, p.reshape(n, c // b**2, h * b, w * b))], blocksize=b, mode=mode)
    for version, kind in versions("SpaceToDepth"):
        for mode in (None, "DCR", "CRD") if version >= 28 else (None,):
            for b, (n, c, h, w) in ((2, (2, 3, 4, 6)), (3, (1, 2, 3, 6)), (1, (1, 2, 2, 2))):
                x = array(kind, n, c, h * 1, w)
                p = positions(x).reshape(n, c, h // b, b, w // b, b)
                p = p.transpose(0, 1, 3, 5, 2, 4) if mode == "CRD" else p.transpose(0, 3, 5, 1, 2, 4)
                case("SpaceToDepth", version, kind, [x], [take(x, p.reshape(n, c * b * b, h // b, w // b))], blocksize=b, mode=mode)


def ReverseSequence():
    for version, kind in versions("ReverseSequence"):
        for shape, time in (((4, 3), 0), ((3, 4), 1), ((5, 2, 3), 0), ((2, 5, 2, 2), 1)):
            x = array(kind, *shape)
            lens = rng.integers(0, shape[time] + 1, shape[1 - time])
            index = positions(x)
            part = np.moveaxis(index, (1 - time, time), (0, 1))
            for b, n in enumerate(lens):
                part[b, :n] = part[b, :n][::-1].copy()
            case("ReverseSequence", version, kind, [x, lens], [take(x, index)], time_axis=time, batch_axis=1 - time)


def Where():
    for version, kind in versions("Where"):
        for c, a, b in (((2, 3), (2, 3), (2, 3)), ((3,), (2, 3), (2, 1)), ((2, 1), (), (3,)), ((), (2, 2), (2,)), ((4, 1, 3), (2, 1), (1,)), ((2, 0), (1,), (2, 1))):
            c, a, b = array("bool", *c), array(kind, *a), array(kind, *b)
            case("Where", version, kind, [c, a, b], [np.where(c, a, b).astype(a.dtype)])
    c, a, b = array("bool", 300, 1, 70), array("float", 300, 5, 70), array("float", 5, 1)
    case("Where", 16, "large", [c, a, b], [np.where(c, a, b)])


ALL = [Transpose, Concat, Split, Slice, Crop, Gather, GatherElements, GatherND, Scatter, ScatterND, TensorScatter, Pad,
       CenterCropPad, Tile, Expand, Shape, ConstantOfShape, fills, Range, EyeLike, OneHot, NonZero, Compress, Trilu,
       blocks, ReverseSequence, Where]

if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    OUT = sys.argv[1]
    for make in ALL:
        if len(sys.argv) == 2 or make.__name__ in sys.argv[2:]:
            make()
