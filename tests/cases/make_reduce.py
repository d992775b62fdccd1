#!/usr/bin/env python3
"""Test cases for the operators that reduce, accumulate, sort and normalise, in every version and type.

Writes folders for `onnxrun test`: usage make_reduce.py OUT [NAME ...].  Expected values are numpy's in
double or in exact integers.  Needs numpy, ml_dtypes and onnx.
"""
import itertools
import sys

import numpy as np

import make_move
from make_move import NUMPY, array, case, i64, versions

rng = np.random.default_rng(5)
SHAPES = [((3, 4, 5), (1,)), ((3, 4, 5), (0, 2)), ((3, 4, 5), (2,)), ((3, 4, 5), (0,)), ((3, 4, 5), None), ((6,), (0,)), ((), None),
          ((2, 3, 4, 5), (1, 3)), ((2, 3, 4, 5), (0, 2)), ((2, 1, 3, 1, 4), (1, 4)), ((2, 3, 4, 5), (1, 2)), ((2, 3, 4), (-1, 0))]


def wide(x):
    return x.astype(np.float64) if not np.issubdtype(x.dtype, np.integer) else x.astype(object)


def narrow(v, kind):
    """To the type: floats rounded, integers wrapped."""
    dtype = np.dtype(NUMPY[kind])
    if "int" in kind:
        bits = dtype.itemsize * 8
        v = np.vectorize(lambda k: int(k) & (2**bits - 1), otypes=[object])(v)
        return np.asarray(v.astype(f"u{dtype.itemsize}") if np.ndim(v) else np.array(int(v), f"u{dtype.itemsize}")).view(dtype)
    return np.asarray(v, dtype=np.float64).astype(dtype)


def logsumexp(x, axis, keepdims):
    top = np.max(x, axis, keepdims=True, initial=-np.inf)
    top = np.where(np.isfinite(top), top, 0)
    with np.errstate(divide="ignore"):
        y = np.log(np.sum(np.exp(x - top), axis, keepdims=True)) + top
    return y if keepdims else y.reshape(np.sum(x, axis).shape)


def real(f):
    """A function on doubles whose result integers take cut towards zero."""
    def g(x, axis, keepdims):
        y = f(x.astype(np.float64), axis, keepdims)
        return np.trunc(y) if x.dtype == object else y
    return g


def mean(x, axis, keepdims):
    total = np.sum(x, axis, keepdims=keepdims)
    n = x.size // max(np.asarray(total).size, 1)
    if x.dtype != object:
        return total / n
    return np.vectorize(lambda t: abs(t) // n * (1 if t >= 0 else -1), otypes=[object])(total)


REDUCTIONS = {
    "ReduceSum": lambda x, a, k: np.sum(x, a, keepdims=k), "ReduceMean": mean,
    "ReduceMax": lambda x, a, k: np.max(x, a, keepdims=k), "ReduceMin": lambda x, a, k: np.min(x, a, keepdims=k),
    "ReduceProd": lambda x, a, k: np.prod(x, a, keepdims=k), "ReduceL1": lambda x, a, k: np.sum(np.abs(x), a, keepdims=k),
    "ReduceL2": real(lambda x, a, k: np.sqrt(np.sum(x * x, a, keepdims=k))),
    "ReduceLogSum": real(lambda x, a, k: np.log(np.sum(x, a, keepdims=k))),
    "ReduceLogSumExp": real(logsumexp), "ReduceSumSquare": lambda x, a, k: np.sum(x * x, a, keepdims=k),
}


def reductions():
    for op, f in REDUCTIONS.items():
        for version, kind in versions(op):
            for (shape, axes), keep in itertools.product(SHAPES, (0, 1)):
                if axes and min(axes) < 0 and version < 11:
                    continue
                x = array(kind, *shape)
                if op in ("ReduceLogSum", "ReduceProd", "ReduceLogSumExp"):
                    x = np.asarray(np.abs(x.astype(np.float64)) / 4 + 1).astype(x.dtype)
                if kind == "bool":
                    y = (np.max if op == "ReduceMax" else np.min)(x, axes, keepdims=bool(keep))
                else:
                    y = narrow(f(wide(x), axes, bool(keep)), kind)
                given = None if axes is None else i64(*axes)
                if version < (13 if op == "ReduceSum" else 18):
                    case(op, version, kind, [x], [y], axes=axes, keepdims=keep)
                else:
                    case(op, version, kind, [x, given], [y], keepdims=keep)
                    case(op, version, kind, [x, i64() if given is None else given], [y], [1], keepdims=keep)
            if version >= (13 if op == "ReduceSum" else 18) and kind != "bool":
                x = np.asarray(np.abs(array(kind, 3, 4).astype(np.float64)) + 1).astype(NUMPY[kind])
                each = f(wide(x)[..., None], (2,), False)
                case(op, version, kind, [x], [narrow(each, kind)], noop_with_empty_axes=1)
                case(op, version, kind, [x, i64()], [narrow(each, kind)], noop_with_empty_axes=1)
    # long ones, in runs and in rows, and in parts
    for op, shape, axes in itertools.product(("ReduceSum", "ReduceMean", "ReduceMax", "ReduceL2", "ReduceLogSumExp"),
                                             ((1000003,), (7, 131, 517), (517, 300), (3, 70000, 2), (40, 5, 33, 41)),
                                             ((0,), (-1,), (0, -1), None)):
        if axes and len(axes) > len(shape):
            continue
        for dtype in (np.float32, np.float64):
            x = (rng.standard_normal(shape) + 0.5).astype(dtype)
            y = np.asarray(REDUCTIONS[op](x.astype(np.float64), axes, True)).astype(dtype)
            case(op, 18, "long", [x, None if axes is None else i64(*axes)], [y])
    for op, special in itertools.product(("ReduceMax", "ReduceMin", "ReduceSum", "ReduceLogSumExp"),
                                         ([1, np.nan, 2], [-np.inf, -np.inf], [np.inf, 1], [np.inf, -np.inf], [-0.0, -0.0])):
        for n in (1, 40):
            x = np.array(special * n, np.float32)
            for shape, axes in ((x.shape, (0,)), ((len(x), 1, 1), (0,)), ((len(x), 3), (0,))):
                y = np.broadcast_to(x.reshape((-1,) + (1,) * (len(shape) - 1)), shape)
                with np.errstate(all="ignore"):
                    if op == "ReduceLogSumExp":
                        want = np.logaddexp.reduce(y.astype(np.float64), axes, keepdims=True)
                    else:
                        want = REDUCTIONS[op](y.astype(np.float64), axes, True)
                case(op, 18, "special", [np.ascontiguousarray(y), i64(*axes)], [want.astype(np.float32)])


def arguments():
    for op, find in (("ArgMax", np.argmax), ("ArgMin", np.argmin)):
        for version, kind in versions(op):
            for shape, axis in (((3, 4, 5), 1), ((3, 4, 5), 0), ((3, 4, 5), 2), ((7,), 0), ((3, 4, 5), -2), ((2, 40), 1)):
                if axis < 0 and version < 11:
                    continue
                for last, keep in itertools.product((0, 1) if version >= 12 else (0,), (0, 1)):
                    x = array(kind, *shape) if kind != "float" else rng.integers(0, 4, shape).astype(np.float32)
                    y = find(np.flip(x, axis), axis) if last else find(x, axis)
                    y = np.expand_dims(shape[axis] - 1 - y if last else y, axis)
                    y = y if keep else y.squeeze(axis)
                    case(op, version, kind, [x], [np.asarray(y, np.int64)], axis=axis, keepdims=keep,
                         select_last_index=last if version >= 12 else None)
        for shape, axis in (((100003,), 0), ((33, 1000), 1), ((1000, 333), 0), ((3, 500, 7), 1)):
            x = rng.integers(0, 1000, shape).astype(np.float32)
            case(op, 13, "long", [x], [np.expand_dims(find(x, axis), axis)], axis=axis)
            x.reshape(-1)[rng.integers(0, x.size, 40)] = np.nan
            case(op, 13, "nan", [x], [np.expand_dims(find(x, axis), axis)], axis=axis)


def running():
    for op, f in (("CumSum", np.cumsum), ("CumProd", np.cumprod)):
        for version, kind in versions(op):
            for shape, axis in (((3, 4, 5), 1), ((3, 4, 5), -1), ((3, 4, 5), 0), ((7,), 0), ((2, 3, 300), 1)):
                for exclusive, reverse in itertools.product((0, 1), (0, 1)):
                    x = array(kind, *shape)
                    if op == "CumProd":
                        x = np.asarray(x.astype(np.float64) % 3 - 1).astype(x.dtype) if kind[0] != "u" else x % 3
                    v = np.flip(wide(x), axis) if reverse else wide(x)
                    y = f(v, axis)
                    if exclusive:
                        first = np.full_like(np.take(y, [0], axis), op == "CumProd")
                        y = np.concatenate([first, np.take(y, range(shape[axis] - 1), axis)], axis)
                    y = narrow(np.flip(y, axis) if reverse else y, kind)
                    at = np.array(axis, dtype=rng.choice([np.int32, np.int64]))
                    case(op, version, kind, [x, at], [y], exclusive=exclusive, reverse=reverse)
    for dtype in (np.float32, np.float64):
        x = rng.standard_normal((5, 100003)).astype(dtype)
        case("CumSum", 14, "long", [x, np.array(1)], [np.cumsum(x.astype(np.float64), 1).astype(dtype)])


def tops():
    for version, kind in versions("TopK"):
        for shape, axis, k in (((3, 4, 5), 1, 2), ((3, 4, 5), -1, 5), ((40,), 0, 7), ((3, 4, 5), 0, 1), ((2, 3), 1, 0)):
            if axis < 0 and version < 11:
                axis += len(shape)
            for largest in (1, 0) if version >= 11 else (1,):
                x = array(kind, *shape)
                key = wide(x)
                order = np.argsort(-key if largest else key, axis, kind="stable")
                order = np.take(order, range(k), axis)
                out = [np.take_along_axis(x, order, axis), order]
                if version == 1:
                    case("TopK", 1, kind, [x], out, axis=axis, k=k)
                else:
                    case("TopK", version, kind, [x, i64(k)], out, axis=axis, largest=largest if version >= 11 else None)
                    case("TopK", version, kind, [x, i64(k)], [None, order], [1], axis=axis, largest=largest if version >= 11 else None)


def uniques():
    for version, kind in versions("Unique"):
        for shape, axis, is_sorted in itertools.product(((12,), (3, 4), (2, 3, 2)), (None, 0, -1), (0, 1)):
            x = array(kind, *shape)
            if kind == "string":
                codes = {s: i for i, s in enumerate(sorted(set(x.reshape(-1)), key=lambda s: s.encode()))}
                keys = np.array([codes[s] for s in x.reshape(-1)]).reshape(shape)
            else:
                x = np.asarray(x) if kind == "bool" else (x % 3 if kind[0] in "iu" else x)
                keys = x if "complex" in kind else x.astype(np.float64)
            rows = keys.reshape(-1, 1) if axis is None else np.moveaxis(keys, axis, 0).reshape(shape[axis], -1)
            as_tuple = [tuple((v.real, v.imag) for v in r) for r in rows]
            order = sorted(set(as_tuple)) if is_sorted else list(dict.fromkeys(as_tuple))
            first = i64(*(as_tuple.index(r) for r in order))
            inverse = i64(*(order.index(r) for r in as_tuple))
            counts = i64(*(as_tuple.count(r) for r in order))
            y = x.reshape(-1)[first] if axis is None else np.take(x, first, axis)
            case("Unique", version, kind, [x], [y, first, inverse, counts], axis=axis, sorted=is_sorted)
    x = np.array([np.nan, 1, np.nan, -0.0, 0.0, -np.inf], np.float32)
    case("Unique", 11, "nan", [x], [x[[5, 3, 1, 0]], i64(5, 3, 1, 0), i64(3, 2, 3, 1, 1, 0), i64(1, 2, 1, 2)])


def softmaxes():
    for op in ("Softmax", "LogSoftmax", "Hardmax"):
        for version, kind in versions(op):
            for shape, axis in (((3, 4, 5), 1), ((3, 4, 5), 0), ((3, 4, 5), 2), ((6,), 0), ((2, 300), 1), ((300, 2), 0), ((2, 3, 4, 5), -1), ((3, 30011), 1)):
                if axis < 0 and version < 11:
                    continue
                x = rng.standard_normal(shape).astype(NUMPY[kind])
                v = x.astype(np.float64)
                flat = v if version >= 13 else v.reshape(int(np.prod(shape[:axis])), -1)
                along = axis if version >= 13 else 1
                e = np.exp(flat - flat.max(along, keepdims=True))
                if op == "Hardmax":
                    y = np.zeros_like(flat)
                    np.put_along_axis(y, np.expand_dims(flat.argmax(along), along), 1, along)
                elif op == "Softmax" and version >= 13 and kind == "float16":
                    # ONNX's function body, whose every step rounds to float16
                    half = lambda a: a.astype(np.float16).astype(np.float64)
                    e = half(np.exp(half(flat - flat.max(along, keepdims=True))))
                    y = e / half(e.sum(along, keepdims=True))
                else:
                    y = e / e.sum(along, keepdims=True)
                    y = np.log(y) if op == "LogSoftmax" else y
                case(op, version, kind, [x], [y.reshape(shape).astype(NUMPY[kind])], axis=axis)


def columns():
    for version, kind in versions("Col2Im"):
        if kind == "string":
            x = array(kind, 1, 4, 4)
            y = x.reshape(2, 2, 2, 2).transpose(2, 0, 3, 1).reshape(1, 1, 4, 4)
            case("Col2Im", 18, kind, [x, i64(4, 4), i64(2, 2)], [y], strides=[2, 2])
            continue
        for image, block, strides, dilations, pads in (((5, 6), (2, 3), (1, 1), (1, 1), (0, 0, 0, 0)), ((5, 6), (2, 2), (2, 1), (1, 2), (1, 0, 1, 2)),
                                                      ((4, 5, 3), (2, 2, 2), (1, 2, 1), (1, 1, 1), (0, 1, 0, 0, 0, 1)), ((9,), (3,), (2,), (2,), (1, 1))):
            d = len(image)
            cols = [(image[i] + pads[i] + pads[i + d] - dilations[i] * (block[i] - 1) - 1) // strides[i] + 1 for i in range(d)]
            n, c = 2, 3
            x = array(kind, n, c * int(np.prod(block)), int(np.prod(cols)))
            v = x.reshape(n, c, *block, *cols)
            v = v.astype(object) if "int" in kind else v.astype(np.complex128 if "complex" in kind else np.float64)
            y = np.zeros((n, c, *image), v.dtype)
            for b in np.ndindex(*block):
                for k in np.ndindex(*cols):
                    at = tuple(k[i] * strides[i] + b[i] * dilations[i] - pads[i] for i in range(d))
                    if all(0 <= a < s for a, s in zip(at, image)):
                        y[(slice(None), slice(None), *at)] += v[(slice(None), slice(None), *b, *k)]
            y = y.astype(NUMPY[kind]) if "complex" in kind or kind == "bool" else narrow(y, kind)
            case("Col2Im", 18, kind, [x, i64(*image), i64(*block)], [y], strides=strides, dilations=dilations, pads=pads)


def dropouts():
    for version, kind in versions("Dropout"):
        x = array(kind, 3, 4)
        mask = np.ones((3, 4), bool)
        if version < 10:
            mask = mask.astype(x.dtype)
        test = dict(is_test=1) if version < 7 else {}
        case("Dropout", version, kind, [x], [x], **test)
        case("Dropout", version, kind, [x], [x, mask], **test)
        case("Dropout", version, kind, [x], [None, mask], **test)
        if version >= 12:
            off, on = np.array(False), np.array(True)
            case("Dropout", version, kind, [x, None, off], [x, mask])
            for t in ("float", "double", "float16"):
                case("Dropout", version, kind, [x, np.array(0).astype(NUMPY[t]), on], [x, mask])
            # half of it: doubled or gone, as numpy draws it
            drawn = np.random.RandomState(3).uniform(0, 1, x.shape) >= 0.5
            y = np.where(drawn, x.astype(np.float64) * 2, 0).astype(np.float32).astype(x.dtype)
            case("Dropout", version, kind, [x, None, on], [y, drawn], seed=3)


def centred():
    for version, axes in ((9, None), (9, [0]), (13, [1, 2]), (13, None), (1, None), (1, "across")):
        for dtype in (np.float32, np.float64, np.float16):
            x = (rng.standard_normal((2, 3, 4, 5)) * 3 + 7).astype(dtype)
            over = (0, 1, 2, 3) if axes == "across" else tuple(axes or (0, 2, 3))
            v = x.astype(np.float64)
            v = v - v.mean(over, keepdims=True)
            y = v / (np.sqrt((v * v).mean(over, keepdims=True)) + 1e-9)
            name = np.dtype(dtype).name
            if version == 1:
                across = int(axes == "across")
                case("MeanVarianceNormalization", 1, name, [x], [y.astype(dtype)], across_channels=across)
                case("MeanVarianceNormalization", 1, name, [x], [v.astype(dtype)], across_channels=across, normalize_variance=0)
            else:
                case("MeanVarianceNormalization", version, name, [x], [y.astype(dtype)], axes=axes)


def boxes():
    def overlap(a, b):
        lo, hi = np.maximum(a[:2], b[:2]), np.minimum(a[2:], b[2:])
        both = np.prod(np.maximum(hi - lo, 0))
        return both / (np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - both)
    for version, center, limit in itertools.product((10, 11), (0, 1), (3, 100)):
        at = rng.random((2, 40, 2))
        size = rng.random((2, 40, 2)) * 0.3 + 0.05
        corner = np.concatenate([at - size / 2, at + size / 2], 2).astype(np.float32)
        given = np.concatenate([at, size], 2).astype(np.float32) if center else corner
        if not center:  # any diagonal will do
            flip = rng.random((2, 40, 1)) < 0.5
            given = np.where(flip, corner[:, :, [2, 1, 0, 3]], corner)
        scores = rng.random((2, 3, 40)).astype(np.float32)
        out = []
        for b, c in np.ndindex(2, 3):
            taken = []
            for i in np.argsort(-scores[b, c], kind="stable"):
                if scores[b, c, i] > 0.2 and len(taken) < limit and all(overlap(corner[b, i].astype(np.float64), corner[b, k].astype(np.float64)) <= 0.3 for k in taken):
                    taken.append(i)
            out += [(b, c, i) for i in taken]
        case("NonMaxSuppression", version, "random", [given, scores, i64(limit), np.array([0.3], np.float32), np.array([0.2], np.float32)],
             [np.array(out, np.int64)], center_point_box=center)
    case("NonMaxSuppression", 11, "none", [given, scores], [np.zeros((0, 3), np.int64)])


ALL = [reductions, arguments, running, tops, uniques, softmaxes, columns, dropouts, centred, boxes]

if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    make_move.OUT = sys.argv[1]
    for make in ALL:
        if len(sys.argv) == 2 or make.__name__ in sys.argv[2:]:
            make()
