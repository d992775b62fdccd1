"""Recipes for quantisation: the definition in double, with the rounding of each target type by ml_dtypes."""
import numpy as np

from recipe import NUMBER, NUMPY, is_float, kind_of, recipe, wide

LIMITS = {"int8": (-128, 127), "uint8": (0, 255), "int16": (-2**15, 2**15 - 1), "uint16": (0, 2**16 - 1),
          "int4": (-8, 7), "uint4": (0, 15), "int2": (-2, 1), "uint2": (0, 3)}
TOP = {"float8e4m3fn": 448, "float8e4m3fnuz": 240, "float8e5m2": 57344, "float8e5m2fnuz": 57344, "float6e2m3": 7.5,
       "float6e3m2": 28, "float4e2m1": 6}


def number(v):
    return wide(v) if is_float(kind_of(v)) else v.astype(np.float64)


def quantised(v, zero, kind):
    """v / scale to the type: rounded half to even, saturated."""
    if kind in LIMITS:
        return np.clip(np.rint(v) + zero, *LIMITS[kind]).astype(NUMPY[kind])
    return np.clip(v, -TOP[kind], TOP[kind]).astype(NUMPY[kind])


def zero_of(c, var):
    """A zero point; floats have none but 0."""
    kind = c.kind(var)
    return np.array(0 if is_float(kind) or kind == "int32" else 1, NUMPY[kind])


def power(c, var, exponent):
    kind = c.kind(var)
    return np.array(2.0**exponent if is_float(kind) else max(2.0**exponent, 2), NUMPY[kind])


def quotient(c, x, scale):
    """Since version 23 the division is in the type of y_scale unless `precision` says otherwise."""
    kind = kind_of(scale)
    v = number(x)
    if c.version >= 23 and kind in ("float16", "bfloat16"):
        v = v.astype(NUMPY[kind]).astype(np.float64)
    return v


@recipe("QuantizeLinear")
def quantize(c):
    # Scales are powers of two, so that the quotient is exact in every type.
    target = c.out_kind(0)
    x = c.uniform("T1", 3, 4, low=-20, high=20)
    scale, zero = power(c, "T2" if c.version >= 23 else "T1" if c.version >= 19 else "float", 2), zero_of(c, "T3" if c.version >= 23 else "T2")
    c.emit([x, scale, zero], [quantised(quotient(c, x, scale) / number(scale), number(zero), target)], tol=0)
    if c.version >= 13:
        scales = np.array([2, 4, 2], scale.dtype)
        y = quantised(quotient(c, x, scales) / number(scales)[:, None], number(zero), target)
        c.emit([x, scales, np.full(3, zero)], [y], tol=0, axis=0)


@recipe("DequantizeLinear")
def dequantize(c):
    var = "T1" if c.version >= 19 else "T"
    target = c.kind("T3") if c.version >= 23 else c.kind("T2") if c.version >= 19 else "float"
    x, zero = c.array(var, 3, 4), zero_of(c, var)
    scale = power(c, "T2" if c.version >= 19 else "float", -2)
    more = dict(output_dtype=NUMBER[target]) if c.version >= 23 else {}
    c.emit([x, scale, zero], [(number(x) - number(zero)) * number(scale)], tol=2, **more)
    if c.version >= 13:
        scales = np.array([0.5, 2, 1], scale.dtype)
        c.emit([x, scales, np.full(3, zero)], [(number(x) - number(zero)) * number(scales)[:, None]], tol=2, axis=0, **more)


@recipe("QLinearMatMul")
def qlinear_matmul(c):
    a, b = c.array("T1", 3, 5), c.array("T2", 5, 4)
    za, zb, zy = zero_of(c, "T1"), zero_of(c, "T2"), zero_of(c, "T3")
    scale = lambda e: power(c, "TS" if c.version >= 21 else "float", e)
    sa, sb, sy = scale(-2), scale(-1), scale(4)
    y = (number(a) - number(za)) @ (number(b) - number(zb)) * float(sa) * float(sb) / float(sy)
    c.emit([a, sa, za, b, sb, zb, sy, zy], [quantised(y, number(zy), c.kind("T3"))], tol=0)


def conv_sums(x, w):
    """x (1, c, h, w) with w (o, c, 3, 2), both less their zero points: strides 2 and 1, pads 1 0 1 0."""
    x = np.pad(x, ((0, 0), (0, 0), (1, 1), (0, 0)))
    view = np.lib.stride_tricks.sliding_window_view(x, (3, 2), (2, 3))[:, :, ::2]
    return np.einsum("nchwij,ocij->nohw", view, w)


@recipe("ConvInteger", "QLinearConv")
def integer_conv(c):
    x, w = c.array("T1", 1, 2, 6, 5), c.array("T2", 3, 2, 3, 2)
    zx = zero_of(c, "T1")
    wide = lambda v, z: v.astype(np.int64) - int(z)
    given = dict(strides=[2, 1], pads=[1, 0, 1, 0])
    if c.op == "ConvInteger":
        zw = zero_of(c, "T2")
        c.emit([x, w, zx, zw], [conv_sums(wide(x, zx), wide(w, zw))], **given)
        c.emit([x, w], [conv_sums(wide(x, 0), wide(w, 0))], **given)
        return
    zw, zy = np.zeros(3, w.dtype), zero_of(c, "T3")
    sx, sw, sy = np.float32(0.25), np.array([0.5, 1, 0.25], np.float32), np.float32(64)
    bias = np.array([100, -200, 50], np.int32)
    v = (conv_sums(wide(x, zx), wide(w, 0)) + bias[:, None, None]) * float(sx) * sw[:, None, None] / float(sy)
    c.emit([x, np.asarray(sx), zx, w, sw, zw, np.asarray(sy), zy, bias], [quantised(v, int(zy), c.kind("T3"))], tol=0, **given)
