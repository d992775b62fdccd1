#!/usr/bin/env python3
"""Test cases for element-wise operators, casts, quantisation and losses, in every version and type.

Writes folders for `onnxrun test`: usage make_elementwise.py OUT [NAME ...].  Expected values are numpy's:
in double, rounded once to the type, or in integers; strings and narrow types are numpy's and ml_dtypes',
quantisation is the reference evaluator's.  Each case demands the precision of its type.  Needs numpy,
ml_dtypes and onnx.
"""
import itertools
import json
import math
import os
import sys

import ml_dtypes
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

import make_move
from make_move import NUMPY, versions

NUMPY.update({"float6e2m3": ml_dtypes.float6_e2m3fn, "float6e3m2": ml_dtypes.float6_e3m2fn})
rng = np.random.default_rng(3)
FLOATS = ("float", "double", "float16", "bfloat16")
RTOL = {"float": 4e-7, "double": 4e-15, "float16": 2e-3, "bfloat16": 2e-2}
np.seterr(all="ignore")


def kind_of(a):
    return next(k for k, v in NUMPY.items() if np.dtype(v) == a.dtype)


def case(op, version, tag, inputs, outputs, rtol=0, atol=0, **attributes):
    make_move.case(op, version, tag, inputs, outputs, **attributes)
    key = f"{op}-{version}-{tag}"
    rtol = max([rtol] + [RTOL.get(kind_of(a), 0) for a in outputs if a is not None and a.dtype != object])
    with open(os.path.join(make_move.OUT, f"{key}-{make_move.COUNT[key]}", "data.json"), "w") as f:
        json.dump({"rtol": rtol, "atol": max(atol, 1e-45)}, f)


def wide(x):
    """To double, or to Python's integers."""
    return x.astype(np.float64) if kind_of(x) in FLOATS or "float" in kind_of(x) else x.astype(object)


def narrow(v, kind):
    """To the type: floats rounded, integers wrapped."""
    if kind in FLOATS:
        return np.asarray(v, dtype=np.float64).astype(NUMPY[kind])
    bits = np.dtype(NUMPY[kind]).itemsize * 8
    unsigned = np.vectorize(lambda i: int(i) % (1 << bits), otypes=[object])(v)
    return unsigned.astype(np.uint64).astype(f"u{bits // 8}").view(NUMPY[kind])


SPECIAL = [0.0, -0.0, math.inf, -math.inf, math.nan, 1.0, -1.0, 0.5, -2.5, 1e-4, 1e-40, -1e-40]


def values(kind, low=-4.0, high=4.0, special=True, n=75):
    if kind in FLOATS:
        x = rng.uniform(low, high, n)
        return np.concatenate([x, SPECIAL if special else []]).astype(NUMPY[kind]).reshape(1, -1)
    if kind == "bool":
        return (rng.integers(0, 2, (3, 5)) == 1)
    info = np.iinfo(NUMPY[kind])
    x = np.concatenate([rng.integers(max(-9, info.min), 9, 60), [info.min, info.max, 0, 1]])
    return x.astype(NUMPY[kind]).reshape(4, 16)


# ---- one tensor ----

erf = np.vectorize(math.erf, otypes=[np.float64])
erfc = np.vectorize(math.erfc, otypes=[np.float64])


def softplus(x):
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def sigmoid(x):
    return np.where(x < 0, np.exp(x) / (1 + np.exp(x)), 1 / (1 + np.exp(-x)))


def hard(x):
    return np.where(np.isnan(x), x, np.clip(x, 0, 1))


def f32(v):
    return float(np.float32(v))


UNARY = {
    "Acos": np.arccos, "Acosh": np.arccosh, "Asin": np.arcsin, "Asinh": np.arcsinh, "Atan": np.arctan,
    "Atanh": np.arctanh, "Ceil": np.ceil, "Cos": np.cos, "Cosh": np.cosh, "Exp": np.exp, "Floor": np.floor,
    "HardSwish": lambda x: x * hard(x / 6 + 0.5), "Log": np.log, "Mish": lambda x: x * np.tanh(softplus(x)),
    "Reciprocal": lambda x: 1 / x, "Round": np.rint, "Sigmoid": sigmoid, "Sin": np.sin, "Sinh": np.sinh,
    "Softplus": softplus, "Softsign": lambda x: np.where(np.isinf(x), np.nan, x / (1 + abs(x))), "Sqrt": np.sqrt,
    "Tan": np.tan, "Tanh": np.tanh,
}
INTEGER = {"Abs": abs, "Neg": lambda x: -x, "Sign": lambda x: np.where(x == x, (x > 0) * 1 - (x < 0) * 1, x),
           "Relu": lambda x: np.where(x < 0, 0, x)}
WITH = {  # operator: [(attributes, function)]
    "Celu": [({"alpha": a}, lambda x, a=f32(a): np.where(np.isnan(x), x, np.maximum(x, 0) + np.fmin(0, a * np.expm1(x / a))))
             for a in (1.0, 2.5, 0.3)],
    "Elu": [({"alpha": a}, lambda x, a=f32(a): np.where(x < 0, a * np.expm1(x), x)) for a in (1.0, 2.5)],
    "HardSigmoid": [({"alpha": a, "beta": b}, lambda x, a=f32(a), b=f32(b): hard(a * x + b))
                    for a, b in ((0.2, 0.5), (1.3, -0.1))],
    "LeakyRelu": [({"alpha": a}, lambda x, a=f32(a): np.where(x < 0, a * x, x)) for a in (0.01, 0.3, -1.5)],
    "Selu": [({"alpha": a, "gamma": g}, lambda x, a=f32(a), g=f32(g): np.where(x > 0, g * x, g * a * np.expm1(x)))
             for a, g in ((1.6732632, 1.050701), (2.0, 3.0))],
    "Swish": [({"alpha": a}, lambda x, a=f32(a): x / (1 + np.exp(-a * x))) for a in (1.0, 1.7, -0.5)],
    "ThresholdedRelu": [({"alpha": a}, lambda x, a=f32(a): np.where(x > a, x, 0)) for a in (1.0, 0.25)],
}
DROPPED = {  # version 1 alone, and no longer in the schemas
    "Affine": [({"alpha": 2.5, "beta": -0.75}, lambda x: 2.5 * x - 0.75)],
    "ParametricSoftplus": [({"alpha": 0.5, "beta": 2.0}, lambda x: 0.5 * softplus(2 * x))],
    "Scale": [({"scale": 2.5}, lambda x: 2.5 * x)],
    "ScaledTanh": [({"alpha": 0.5, "beta": 2.0}, lambda x: 0.5 * np.tanh(2 * x))],
    "ThresholdedRelu": [({"alpha": 0.25}, lambda x: np.where(x > 0.25, x, 0))],
}
DOMAIN = {"Acosh": (1, 9), "Log": (0, 9), "Sqrt": (0, 9), "Exp": (-20, 20), "Acos": (-1, 1), "Asin": (-1, 1), "Atanh": (-1, 1)}


def Unary():
    tables = [(op, [({}, f)]) for op, f in UNARY.items()]
    tables += [(op, [({}, erf)]) for op in ("Erf",)] + [(op, [({}, f)]) for op, f in INTEGER.items()]
    for op, variants in tables + list(WITH.items()):
        for version, kind in versions(op):
            for attributes, f in variants:
                x = values(kind, *DOMAIN.get(op, (-4, 4)))
                if kind not in FLOATS and op == "Erf":
                    case(op, version, kind, [x], [np.trunc(f(x.astype(np.float64))).astype(x.dtype)])
                    continue
                case(op, version, kind, [x], [narrow(f(wide(x)), kind)], **attributes)
        default = [v for v, _ in versions(op)][-1]
        case(op, default, "empty", [np.zeros((0, 3), np.float32)], [np.zeros((0, 3), np.float32)])
    for op, variants in DROPPED.items():
        for kind, (attributes, f) in itertools.product(("float", "double", "float16"), variants):
            x = values(kind)
            case(op, 1, kind, [x], [narrow(f(wide(x)), kind)], **attributes)
    for kind in ("float", "double", "float16"):
        x, bias = values(kind, special=False, n=48).reshape(2, 3, 2, 4), [0.5, -1.25, 2.0]
        y = wide(x) * 1.5 + np.array(bias).reshape(1, 3, 1, 1)
        case("ImageScaler", 1, kind, [x], [narrow(y, kind)], scale=1.5, bias=bias)
    large = rng.uniform(-3, 3, (7, 11, 1301)).astype(np.float32)
    for op in ("Relu", "Exp", "Tanh", "HardSwish", "Sigmoid", "Neg"):
        f = {**UNARY, **INTEGER}[op]
        case(op, 14, "large", [large], [narrow(f(wide(large)), "float")])


def Gelu():
    for version, kind in versions("Gelu"):
        for how in ("none", "tanh"):
            x = values(kind, -9, 9)
            x = x[:, ~np.isneginf(wide(x))[0]]
            if how == "none":
                y = 0.5 * wide(x) * erfc(-wide(x) / math.sqrt(2))
            else:
                u = math.sqrt(2 / math.pi) * (wide(x) + 0.044715 * wide(x) ** 3)
                y = wide(x) / (1 + np.exp(-2 * u))
            case("Gelu", version, f"{kind}-{how}", [x], [narrow(y, kind)], 1e-13, approximate=how)
    for version, kind in versions("SwiGLU"):
        a, b = values(kind), values(kind)
        for alpha in (1.0, 1.5):
            y = wide(a) / (1 + np.exp(-f32(alpha) * wide(a))) * wide(b)
            case("SwiGLU", version, kind, [a, b], [narrow(y, kind)], alpha=alpha)


def Shrink():
    for version, kind in versions("Shrink"):
        for lambd, bias in ((0.5, 0.0), (1.5, 1.5), (2.0, 1.0)):
            x = values(kind) if kind in FLOATS else values(kind)[:, :12]
            if kind not in FLOATS and bias != int(bias):
                y = np.where(wide(x) < -lambd, x + bias, np.where(wide(x) > lambd, x - bias, 0)).astype(x.dtype)
                case("Shrink", version, kind, [x], [y], lambd=lambd, bias=bias)
                continue
            bias = bias if kind in FLOATS else int(bias)
            w = wide(x)
            y = np.where(w < -lambd, w + bias, np.where(w > lambd, w - bias, 0))
            case("Shrink", version, kind, [x], [narrow(y, kind)], lambd=lambd, bias=float(bias))


def Classify():
    for version, kind in versions("IsNaN", "T1"):
        if kind in FLOATS:
            x = values(kind)
        else:
            x = np.arange(256, dtype=np.uint8).view(NUMPY[kind])
        case("IsNaN", version, kind, [x], [np.isnan(x.astype(np.float32))])
    for version, kind in versions("IsInf", "T1"):
        x = values(kind) if kind in FLOATS else np.arange(256, dtype=np.uint8).view(NUMPY[kind])
        w = x.astype(np.float64)
        for negative, positive in itertools.product((0, 1), (0, 1)):
            y = (np.isneginf(w) & bool(negative)) | (np.isposinf(w) & bool(positive))
            case("IsInf", version, kind, [x], [y], detect_negative=negative, detect_positive=positive)
    x = values("bool")
    case("Not", 1, "bool", [x], [~x])
    for version, kind in versions("BitwiseNot"):
        x = values(kind)
        case("BitwiseNot", version, kind, [x], [~x])


def Clip():
    for version, kind in versions("Clip"):
        x = values(kind)
        for low, high in ((None, None), (-1, 2), (None, 1), (0, None), (3, 1)):
            if kind.startswith("u") and low is not None and low < 0:
                low = 1
            y = x
            if version < 6 or version >= 11:
                limits = [low, high]
            else:
                limits = [f32(-3.4028235e38) if low is None else low, f32(3.4028235e38) if high is None else high]
            w = wide(x)
            w = w if limits[0] is None else np.where(w < limits[0], limits[0], w)
            w = w if limits[1] is None else np.where(w > limits[1], limits[1], w)
            y = narrow(w, kind)
            if version < 11:
                case("Clip", version, kind, [x], [y], min=None if low is None else float(low),
                     max=None if high is None else float(high))
            else:
                scalars = [None if v is None else np.array(v, NUMPY[kind]) for v in (low, high)]
                case("Clip", version, kind, [x] + scalars, [y])


# ---- two tensors ----

SHAPES = [((2, 3, 4, 5), (2, 3, 4, 5)), ((2, 3, 4, 5), (5,)), ((4, 5), (2, 3, 4, 5)), ((1, 4, 5), (2, 3, 1, 1)),
          ((3, 4, 5), ()), ((), (3, 4)), ((2, 1, 4, 1), (3, 1, 5)), ((0, 3), (1, 3)), ((1,), (1, 1))]
OLD = [((2, 3, 4, 5), (2, 3, 4, 5), None), ((2, 3, 4, 5), (), None), ((2, 3, 4, 5), (5,), None), ((2, 3, 4, 5), (4, 5), None),
       ((2, 3, 4, 5), (3, 4), 1), ((2, 3, 4, 5), (2,), 0), ((2, 3, 4, 5), (3, 4), -3), ((2, 3, 4, 5), (1, 1), 0)]


def spread(kind, *shape):
    n = int(np.prod(shape))
    if kind == "bool":
        return rng.integers(0, 2, shape) == 1
    if kind == "string":
        return np.array(["a", "b", "", "long string number 17"], dtype=object)[rng.integers(0, 4, n)].reshape(shape)
    v = values(kind).reshape(-1)
    return np.resize(rng.permutation(v), n).reshape(shape)


def both(op, f, gives=None, variable="T", numpy_since=7):
    """Every version, type and broadcast of f on wide numbers."""
    for version, kind in versions(op, variable):
        shapes = [(a, b, {}) for a, b in SHAPES]
        if version < numpy_since:
            shapes = [(a, b, dict(broadcast=int(a != b), axis=axis)) for a, b, axis in OLD]
        for a, b, attributes in shapes:
            x, y = spread(kind, *a), spread(kind, *b)
            axis, yy = attributes.get("axis"), y
            if axis is not None:
                axis %= len(a)
                yy = y.reshape(b + (1,) * (len(a) - axis - len(b)))
            z = f(x, yy, kind)
            case(op, version, kind, [x, y], [np.asarray(z, dtype=gives or NUMPY[kind])], **attributes)


def arithmetic(f):
    return lambda x, y, kind: narrow(f(wide(x), wide(y)), kind)


def divided(x, y, kind):
    if kind in FLOATS:
        return narrow(wide(x) / wide(y), kind)
    cut = lambda a, b: 0 if b == 0 else abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)
    return narrow(np.vectorize(cut, otypes=[object])(wide(x), wide(y)) if x.size * y.size else wide(x + y), kind)


def Binary():
    both("Add", arithmetic(lambda a, b: a + b))
    both("Sub", arithmetic(lambda a, b: a - b))
    both("Mul", arithmetic(lambda a, b: a * b))
    both("Div", divided)
    for op, f in (("Equal", np.equal), ("Greater", np.greater), ("Less", np.less), ("GreaterOrEqual", np.greater_equal),
                  ("LessOrEqual", np.less_equal)):
        both(op, lambda x, y, kind, f=f: f(x, y), np.bool_)
    for op, f in (("And", np.logical_and), ("Or", np.logical_or), ("Xor", np.logical_xor)):
        both(op, lambda x, y, kind, f=f: f(x, y))
    for op, f in (("BitwiseAnd", np.bitwise_and), ("BitwiseOr", np.bitwise_or), ("BitwiseXor", np.bitwise_xor)):
        both(op, lambda x, y, kind, f=f: f(x, y))
    large = [rng.standard_normal(s).astype(np.float32) for s in ((33, 17, 129), (17, 1), (129,), (33, 1, 1))]
    for op, f in (("Add", np.add), ("Mul", np.multiply), ("Sub", np.subtract), ("Div", np.divide)):
        for i, j in itertools.permutations(range(4), 2):
            case(op, 14, "large", [large[i], large[j]], [f(large[i], large[j])])


def Mod():
    def remainder(x, y, kind, fmod):
        if kind in FLOATS:
            a, b = np.broadcast_arrays(wide(x), wide(y))
            m = np.fmod(a, b)
            if not fmod:
                m = np.where(m == 0, np.copysign(0, b), np.where((m < 0) != (b < 0), m + b, m))
            return narrow(m, kind)
        def one(a, b):
            if b == 0:
                return 0
            return a % b if not fmod else abs(a) % abs(b) * (-1 if a < 0 else 1)
        return narrow(np.vectorize(one, otypes=[object])(wide(x), wide(y)) if x.size * y.size else wide(x + y), kind)
    for version, kind in versions("Mod"):
        for fmod in (0, 1):
            for a, b in SHAPES:
                x, y = spread(kind, *a), spread(kind, *b)
                case("Mod", version, kind, [x, y], [remainder(x, y, kind, fmod)], fmod=fmod)


def BitShift():
    for version, kind in versions("BitShift"):
        bits = np.dtype(NUMPY[kind]).itemsize * 8
        for direction in ("LEFT", "RIGHT"):
            def shift(a, n):
                if n < 0 or n >= bits:
                    return -1 if direction == "RIGHT" and a < 0 else 0
                return a << n if direction == "LEFT" else a >> n
            for a, b in SHAPES:
                x = spread(kind, *a)
                n = rng.integers(0 if version < 28 or kind[0] == "u" else -3, bits + 3, b).astype(NUMPY[kind])
                n = np.asarray(n, NUMPY[kind])
                z = np.vectorize(shift, otypes=[object])(wide(x), wide(n)) if x.size * n.size else wide(x + n)
                case("BitShift", version, kind, [x, n], [narrow(z, kind)], direction=direction)


def Pow():
    for version, kind in versions("Pow"):
        exponents = [k for _, k in versions("Pow", "T1")] if version >= 12 else [kind]
        if version >= 12:
            exponents = [k for v, k in versions("Pow", "T1") if v == version]
        for other in exponents:
            small = kind not in FLOATS
            x = rng.integers(-5, 6, (3, 1, 4)).astype(NUMPY[kind]) if small else values(kind, 0.1, 4)[:, :60].reshape(3, 5, 4)
            y = rng.integers(0, 6, (5, 4)).astype(NUMPY[other])
            if other in FLOATS and not small:
                y = rng.uniform(-3, 3, (5, 4)).astype(NUMPY[other])
            attributes = {}
            if version < 7:
                attributes = dict(broadcast=1)
            if version < 7 and small:
                continue
            if small:
                z = narrow(np.vectorize(lambda a, b: a ** int(b), otypes=[object])(wide(x), wide(y)), kind)
            else:
                z = narrow(np.power(wide(x), y.astype(np.float64)), kind)
            case("Pow", version, f"{kind}-{other}", [x, y], [z], **attributes)
            for scalar in (2, 3, 0.5, 1, 0, -1, -0.5):
                if small and (scalar < 0 or scalar != int(scalar)) or other not in FLOATS and scalar != abs(int(scalar)):
                    continue
                s = np.array(scalar).astype(NUMPY[other])
                v = x if small else values(kind)
                z = np.power(wide(v), np.full(v.shape, float(scalar))) if not small else wide(v) ** int(scalar)
                case("Pow", version, f"{kind}-{other}-scalar", [v, s], [narrow(z, kind)], **attributes)


def PRelu():
    for version, kind in versions("PRelu"):
        x = spread(kind, 2, 3, 4, 5)
        slopes = [(2, 3, 4, 5), (1,)] + ([(3,)] if version < 7 else [(3, 1, 1), (5,), (1, 3, 1, 5), ()])
        for shape in slopes:
            s = spread(kind, *shape)
            t = s.reshape(3, 1, 1) if version < 7 and shape == (3,) else s
            z = np.where(wide(x) < 0, wide(x) * wide(t), wide(x))
            case("PRelu", version, kind, [x, s], [narrow(z, kind)])


def Variadic():
    folds = {"Max": np.maximum, "Min": np.minimum, "Sum": np.add, "Mean": np.add}
    for op, f in folds.items():
        for version, kind in versions(op):
            for shapes in (((3, 4),), ((3, 4),) * 2, ((3, 4),) * 3, ((3, 4),) * 7, ((3, 1), (4,), (2, 1, 1)),
                           ((), (2, 3), (3,), (1, 3), (2, 1))):
                if version < 8 and len(set(shapes)) > 1:
                    continue
                x = [spread(kind, *s) for s in shapes]
                if op in ("Max", "Min"):
                    z = x[0]
                    for y in x[1:]:
                        z = f(z, y)
                else:
                    total = sum(wide(v) for v in x)
                    z = narrow(total / len(x) if op == "Mean" else total, kind)
                size = sum(abs(wide(v)) for v in x)
                if op in ("Sum", "Mean"):  # keep what does not cancel: the case's tolerance is relative
                    z = np.asarray(z)
                    if not np.all(~np.isfinite(wide(z)) | (abs(wide(z)) * len(x) > size)):
                        x = [np.abs(v) for v in x]
                        total = sum(wide(v) for v in x)
                        z = narrow(total / len(x) if op == "Mean" else total, kind)
                case(op, version, kind, x, [np.asarray(z, NUMPY[kind])])


# ---- casts ----

CASTABLE = [k for k in NUMPY if not k.startswith("complex")]
NAME = {k: getattr(TensorProto, {"float6e2m3": "FLOAT6E2M3", "float6e3m2": "FLOAT6E3M2"}.get(k, k.upper())) for k in NUMPY}
F8 = ("float8e4m3fn", "float8e4m3fnuz", "float8e5m2", "float8e5m2fnuz")
NARROW_INT = {"int4": (-8, 7), "uint4": (0, 15), "int2": (-2, 1), "uint2": (0, 3)}


def sample(kind):
    """Values of a type, in float32 where it is a float: what every other type can be asked to hold."""
    if kind == "bool":
        return np.array([True, False, True])
    if kind == "string":
        return np.array(["0", "1", "-3", "2.5", "1e1", "+4", " 7 ", "0.0625"], dtype=object)
    if kind in NARROW_INT:
        low, high = NARROW_INT[kind]
        return np.arange(low, high + 1).astype(np.int8).astype(NUMPY[kind])
    if kind == "float8e8m0":
        return np.exp2(np.arange(-20, 20)).astype(np.float32).astype(NUMPY[kind])
    if "float" in kind or kind == "double":
        v = np.array([0, -0.0, 1, -1, 0.5, 2.5, -3.75, 1.1, 100, 7.25, 0.01, -0.3, 28, 448, 6, 5, 1.75, 65504], np.float64)
        return v.astype(np.float32).astype(NUMPY[kind]) if kind != "double" else v
    info = np.iinfo(NUMPY[kind])
    return np.array([0, 1, 3, 100, info.max, info.min, 77 % info.max, info.max // 3], dtype=np.int64 if info.max < 2**62 else NUMPY[kind]).astype(NUMPY[kind])


def converted(x, to, saturate=True, mode="up"):
    kind = "string" if x.dtype == object else kind_of(x)
    if kind == to:
        return x
    if kind == "string":
        numbers = np.array([float(s) for s in x])
        return converted(numbers, to, saturate, mode)
    if to == "string":
        if kind in ("double", "float", "float16", "bool") or kind.startswith(("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")):
            return x.astype(np.str_).astype(object)
        return None
    if to == "float8e8m0":
        if (np.asarray(x.astype(np.float64)) <= 0).any():
            return None
        return numpy_helper.to_float8e8m0(x.astype(np.float32), saturate, mode)
    if to in F8:
        w = x.astype(np.float64).astype(np.float32)
        return numpy_helper.saturate_cast(w, NUMPY[to]) if saturate else w.astype(NUMPY[to])
    if to == "bool":
        return np.asarray(x.astype(np.float64) != 0)
    if to in FLOATS or to.startswith(("float4", "float6")):
        if kind in ("int64", "uint64", "double") and to != "double":
            return np.asarray(x.astype(np.float64) if to != "float" or kind == "double" else x, np.float64 if to != "float" or kind == "double" else x.dtype).astype(np.float32 if to not in ("float16",) else NUMPY[to]).astype(NUMPY[to])
        return (x.astype(np.float32) if kind not in ("double", "float") and to != "double" else x).astype(NUMPY[to])
    if kind in FLOATS or "float" in kind:
        w = np.trunc(x.astype(np.float64))
        bits, low = (int(to[-1]), "uint" not in to) if to in NARROW_INT else (np.iinfo(NUMPY[to]).bits, to[0] == "i")
        least, most = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if low else (0, 2 ** bits - 1)
        w = np.where((w < least) | (w > most), 0, w)
        x = np.array([int(v) for v in w.reshape(-1)], dtype=object).reshape(w.shape)
    integers = np.array([int(v) for v in x.reshape(-1)], dtype=object)
    bits = int(to[-1]) if to in NARROW_INT else np.iinfo(NUMPY[to]).bits
    wrapped = np.array([int(v) % (1 << bits) for v in integers], dtype=object)
    if to[0] == "i":
        wrapped = np.array([v - (1 << bits) if v >> (bits - 1) else v for v in wrapped], dtype=object)
    plain = np.int8 if to in NARROW_INT else NUMPY[to]
    return wrapped.astype(plain).reshape(x.shape).astype(NUMPY[to])


def in_range(x, to):
    """Without what ONNX leaves undefined (floats that do not fit an integer type), and without what the
    reference evaluator gets wrong: infinity and integers beyond float's precision as float8e8m0."""
    if x.dtype == object:
        v = np.array([float(s) for s in x])
        keep = (v == np.trunc(v)) & (v >= 0) & (v < 2) if to not in FLOATS and "float" not in to else np.full(v.shape, True)
        return x[keep] if to != "float8e8m0" else x[v > 0]
    kind = kind_of(x)
    if to == "float8e8m0":
        w = np.asarray(x.astype(np.float64))
        return x[(w > 0) & np.isfinite(w) & ((w < 2**24) | ("float" in kind))]
    if ("float" in kind or kind == "double") and not ("float" in to or to in ("double", "bool", "string")):
        bits, low = (int(to[-1]), to[0] == "i") if to in NARROW_INT else (np.iinfo(NUMPY[to]).bits, to[0] == "i")
        w = np.trunc(x.astype(np.float64))
        least, most = (-(2.0 ** (bits - 1)), 2.0 ** (bits - 1) - 1) if low else (0.0, 2.0 ** bits - 1)
        return x[(w >= least) & (w <= most)]
    if to == "string" and kind in ("float", "float16"):
        return x[np.abs(np.asarray(x.astype(np.float64))) < 999]
    return x


def Cast():
    by_version = {}
    for version, kind in versions("Cast", "T1"):
        by_version.setdefault(version, []).append(kind)
    for version, kinds in by_version.items():
        for a, b in itertools.product(kinds, kinds):
            x = in_range(sample(a), b)
            y = converted(x, b)
            if y is None:
                continue
            rtol = RTOL.get(b, 0)
            to = NAME[b] if version >= 6 else b.upper()
            case("Cast", version, f"{a}-{b}", [x], [y], rtol, to=to)
            like = make_move.array(b, 2) if b in make_move.NUMPY and not b.startswith("float6") else None
            if version >= 19 and version < 28 and like is not None:
                case("CastLike", max(version, 19), f"{a}-{b}", [x, like], [y], rtol)
            for saturate, mode in ((0, None), (0, "nearest"), (1, "down"), (1, "nearest"), (0, "down")):
                if version < 19 or (mode and version < 24) or not (b in F8 and not mode or b == "float8e8m0" and mode):
                    continue
                y = converted(x, b, bool(saturate), mode or "up")
                case("Cast", version, f"{a}-{b}-{saturate}{mode}", [x], [y], to=to, saturate=saturate, round_mode=mode)
    strings = ["NaN", "nan", "INF", "+inf", "-Infinity", "1e400", "-1e-400", "00012.500", ".5", "5.", "1E+3",
               "123456789012345678901234567890", "0.1", "16777217", "3.4028236e38"]
    x = np.array(strings, dtype=object)
    for kind in ("float", "double", "float16"):
        case("Cast", 21, f"text-{kind}", [x], [x.astype(np.float64).astype(NUMPY[kind])], to=NAME[kind])
    x = np.array(["9223372036854775807", "-9223372036854775808", "300", "-1", " 12\n", "2.9", "-2.9", "1e3"], dtype=object)
    case("Cast", 21, "text-int64", [x], [np.array([2**63 - 1, -2**63, 300, -1, 12, 2, -2, 1000])], to=TensorProto.INT64)
    case("Cast", 21, "text-uint8", [x[2:]], [np.array([44, 255, 12, 2, 254, 232], np.uint8)], to=TensorProto.UINT8)
    x = np.array(["True", "false", "0", "1", "0.0", "TRUE"], dtype=object)
    case("Cast", 21, "text-bool", [x], [np.array([True, False, False, True, False, True])], to=TensorProto.BOOL)
    big = np.array([2**53 + 1, 2**63 + 1024, 2**64 - 1, 2**24 + 1, 2**62 + 1], np.uint64)
    case("Cast", 21, "large-float", [big], [np.array([float(np.float32(int(v))) for v in big], np.float32)], to=TensorProto.FLOAT)
    case("Cast", 21, "large-double", [big], [np.array([float(int(v)) for v in big])], to=TensorProto.DOUBLE)
    case("Cast", 21, "large-bf16", [big], [np.array([float(int(v)) for v in big]).astype(ml_dtypes.bfloat16)], to=TensorProto.BFLOAT16)
    long = rng.uniform(-1000, 1000, (40, 1000)).astype(np.float32)
    for kind in ("int64", "int32", "float16", "double", "bfloat16", "uint8", "int8"):
        source = long if kind[0] != "u" and kind != "int8" else np.abs(long) / 8
        case("Cast", 21, f"long-{kind}", [source], [source.astype(NUMPY[kind])], to=NAME[kind])


def BitCast():
    widths = {k: 64 if k == "complex64" else np.dtype(v).itemsize * 8 for k, v in NUMPY.items() if k not in ("string",)}
    widths.update({"int4": 4, "uint4": 4, "float4e2m1": 4, "int2": 2, "uint2": 2, "float6e2m3": 6, "float6e3m2": 6})
    kinds = [k for _, k in versions("BitCast", "T1")]
    for a, b in itertools.product(kinds, kinds):
        if widths[a] != widths[b]:
            continue
        bits = widths[a]
        if bits < 8:
            codes = np.arange(1 << bits, dtype=np.int64)
            def of(kind):
                signed = np.where((codes >> (bits - 1)) & 1 & (kind[0] == "i"), codes - (1 << bits), codes)
                return signed.astype(np.int8).astype(NUMPY[kind]) if "int" in kind else codes.astype(np.uint8).view(NUMPY[kind])
            case("BitCast", 26, f"{a}-{b}", [of(a)], [of(b)], to=NAME[b])
            continue
        raw = rng.integers(0, 2 if "bool" in (a, b) else 256, 16 * bits // 8).astype(np.uint8)
        if bits == 16 or "float" in a + b or "complex" in a + b or "double" in a + b:
            raw &= 0x3f  # no NaN
        case("BitCast", 26, f"{a}-{b}", [raw.view(NUMPY[a])], [raw.view(NUMPY[b])], to=NAME[b])


# ---- quantisation ----

def referenced(op, version, tag, inputs, attributes):
    """The case whose outputs are the reference evaluator's; nothing where it refuses."""
    names = [f"x{i}" if a is not None else "" for i, a in enumerate(inputs)]
    node = helper.make_node(op, names, ["y"], **attributes)
    fed = [(n, a) for n, a in zip(names, inputs) if n]
    info = [helper.make_tensor_value_info(n, make_move.proto(a).data_type, a.shape) for n, a in fed]
    graph = helper.make_graph([node], "g", info, [helper.make_empty_tensor_value_info("y")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", version)])
    try:
        y = ReferenceEvaluator(model).run(None, dict(fed))[0]
    except (ValueError, TypeError, IndexError, AssertionError, RuntimeError):
        return
    case(op, version, tag, inputs, [np.asarray(y)], **attributes)


LAYOUTS = [((), {}), ((4,), dict(axis=1)), ((5,), dict(axis=-1)), ((3,), dict(axis=0)),
           ((3, 2, 5), dict(axis=1, block_size=2)), ((3, 2, 5), dict(axis=1, block_size=3)),
           ((3, 4, 3), dict(axis=2, block_size=2)), ((2, 4, 5), dict(axis=0, block_size=2))]


def Quantize():
    for op, x_kind, z_kind in (("QuantizeLinear", "T1", None), ("DequantizeLinear", None, "T1")):
        for version in sorted({v for v, _ in versions(op, "T1")} | {v for v, _ in versions(op, "T")}):
            var = lambda name: sorted({k for v, k in versions(op, name) if v == version})
            wide_types = [k for k in (var("T1") if op[0] == "Q" else var("T2") or ["float"]) if k != "float8e8m0"]
            stored = (var("T3") or var("T2")) if op[0] == "Q" else (var("T1") or var("T"))
            for kind, low in itertools.product(wide_types, stored):
                for shape, attributes in LAYOUTS if version == 28 and kind == "float" else LAYOUTS[0:7:3]:
                    if "block_size" in attributes and version < 21 or shape and version < 13:
                        continue
                    scale_kind = kind if kind != "int32" or version in (19, 21) else "float"
                    least, most = (1, 9) if scale_kind == "int32" else (0.1, 0.9)
                    scale = rng.uniform(least, most, shape).astype(NUMPY[scale_kind])
                    scale = np.asarray(scale, NUMPY[scale_kind])
                    z = np.zeros(shape, np.int8)
                    if "int" in low and low != "int32":
                        z = rng.integers(0, {"2": 2, "4": 6}.get(low[-1], 9), shape)
                    z = np.asarray(z, np.int8).astype(NUMPY[low])
                    if op[0] == "Q":
                        x = rng.uniform(-40, 40, (3, 4, 5)) if kind != "int32" else rng.integers(-400, 400, (3, 4, 5))
                        x = x.astype(NUMPY[kind])
                    else:
                        x = make_move.array(low, 3, 4, 5) if low in make_move.NUMPY else np.arange(60).reshape(3, 4, 5).astype(np.uint8).view(NUMPY[low])
                    referenced(op, version, f"{kind}-{low}", [x, scale, z], attributes)
                    if version >= 21 and op[0] == "Q":
                        referenced(op, version, f"{kind}-{low}-dtype", [x, scale], dict(attributes, output_dtype=NAME[low]))
                        if low in F8:
                            referenced(op, version, f"{kind}-{low}-free", [x * 40, scale, z], dict(attributes, saturate=0))
                    if version >= 23 and op[0] == "Q" and kind in FLOATS:
                        for p in ("float", "float16", "bfloat16"):
                            referenced(op, version, f"{kind}-{low}-precise", [x, scale, z], dict(attributes, precision=NAME[p]))
                    if version >= 23 and op[0] == "D":
                        for p in ("float", "float16", "bfloat16"):
                            referenced(op, version, f"{kind}-{low}-to", [x, scale, z], dict(attributes, output_dtype=NAME[p]))
                if version >= 24:
                    scale = np.asarray(np.exp2(rng.integers(-3, 2, (3, 2, 5))), np.float32).astype(ml_dtypes.float8_e8m0fnu)
                    attributes = dict(axis=1, block_size=2, output_dtype=NAME["float" if op[0] == "D" else low])
                    referenced(op, version, f"{kind}-{low}-mx", [x, scale], attributes)
    x = rng.standard_normal((30, 1000)).astype(np.float32) * 3
    for scale, axis in ((np.float32(0.05), 1), (rng.uniform(0.01, 0.1, 1000).astype(np.float32), 1),
                        (rng.uniform(0.01, 0.1, 30).astype(np.float32), 0)):
        for low in ("uint8", "int8", "int16"):
            z = np.full(np.shape(scale), 3, NUMPY[low])
            referenced("QuantizeLinear", 21, "long-" + low, [x, np.asarray(scale), z], dict(axis=axis))
            q = rng.integers(0, 100, x.shape).astype(NUMPY[low])
            referenced("DequantizeLinear", 21, "long-" + low, [q, np.asarray(scale), z], dict(axis=axis))
    for x in (np.array([0, 2, -3, -2.5, 1.34, 0.5], np.float32), np.array([-1, -2.1, -1.3], np.float32),
              rng.standard_normal((300, 100)).astype(np.float32), np.array([[1, 2.1], [1.3, 2.5]], np.float32)):
        least, most = min(0, x.min()), max(0, x.max())
        scale = np.float32((most - least) / np.float32(255))
        zero = np.clip(np.rint(np.float32(0) - least / scale), 0, 255)
        y = np.clip(np.rint(x / scale) + zero, 0, 255).astype(np.uint8)
        case("DynamicQuantizeLinear", 11, "float", [x], [y, np.asarray(scale), np.asarray(zero, np.uint8)])


# ---- losses ----

def Loss():
    for op in ("NegativeLogLikelihoodLoss", "SoftmaxCrossEntropyLoss"):
        for version, kind in versions(op):
            for inner, reduction, weighted, ignore in itertools.product(((), (7,), (2, 65)), ("none", "sum", "mean"),
                                                                        (False, True), (None, 2, -1)):
                x = rng.uniform(-3, 3, (3, 5) + inner).astype(NUMPY[kind])
                labels = rng.integers(0, 5, (3,) + inner).astype(np.int64 if weighted else np.int32)
                if ignore is not None:
                    labels.reshape(-1)[::3] = ignore
                w = rng.uniform(0.5, 2, 5).astype(NUMPY[kind]) if weighted else None
                log = wide(x)
                if op[0] == "S":
                    log = log - log.max(1, keepdims=True)
                    log = log - np.log(np.exp(log).sum(1, keepdims=True))
                weight = np.ones(5) if w is None else wide(w)
                counts = labels != (-100 if ignore is None else ignore)
                of = np.where(counts, labels, 0).astype(np.int64)
                weight = weight[of] * counts
                y = -np.take_along_axis(log, of[:, None], 1)[:, 0] * weight
                size = np.abs(y).max(initial=0)  # sums cancel: the error is relative to their terms
                if reduction != "none":
                    y = y.sum() / (weight.sum() if reduction == "mean" else 1)
                    size = size * (weight.size if reduction == "sum" else 1)
                out = [np.asarray(y).astype(NUMPY[kind])]
                if op[0] == "S" and reduction != "sum":
                    out.append(log.astype(NUMPY[kind]))
                unit = 2e-6 if kind == "float" else 2e-14
                case(op, version, f"{kind}-{reduction}", [x, labels] + ([w] if weighted else []), out, unit,
                     atol=0 if reduction == "none" else max(unit, RTOL[kind]) * size, reduction=reduction, ignore_index=ignore)


def main():
    make_move.OUT = sys.argv[1]
    families = [Unary, Gelu, Shrink, Classify, Clip, Binary, Mod, BitShift, Pow, PRelu, Variadic, Cast, BitCast, Quantize, Loss]
    wanted = sys.argv[2:]
    for family in families:
        if not wanted or family.__name__ in wanted:
            family()
    print(sum(make_move.COUNT.values()), "cases")


if __name__ == "__main__":
    main()
