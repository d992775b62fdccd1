"""Recipes for operators that move, fill, cast and select."""
import ml_dtypes
import numpy as np
from onnx import helper

from recipe import NUMBER, NUMPY, is_float, kind_of, recipe, rounded, tensor, wide


@recipe("Constant")
def constant(c):
    kind = c.kind("T")
    x = c.array("T", 2, 3)
    c.emit([], [x], value=tensor(x))
    if c.version >= 11 and kind != "string":  # a sparse tensor is dense with zeros
        values, at = c.array("T", 3), np.array([[0, 1], [1, 0], [1, 2]])
        dense = np.zeros((2, 3), NUMPY[kind])
        dense[at[:, 0], at[:, 1]] = values
        c.emit([], [dense], sparse_value=helper.make_sparse_tensor(tensor(values, "v"), tensor(at, "i"), [2, 3]))
    if c.version >= 12:
        own = {"float": ("value_float", 1.5), "int64": ("value_int", -7), "string": ("value_string", "gr\u00fc\u00df")}
        if kind in own:
            name, v = own[kind]
            c.emit([], [np.array(v, NUMPY[kind])], **{name: v})
            c.emit([], [np.array([v, v], NUMPY[kind])], **{name + "s": [v, v]})


@recipe("Flatten")
def flatten(c):
    x = c.array("T", 2, 3, 4)
    for axis in (0, 1, 2):
        c.emit([x], [x.reshape(int(np.prod(x.shape[:axis])), -1)], axis=axis)


@recipe("Reshape")
def reshape(c):
    x = c.array("T", 2, 3, 4)
    if c.version < 5:
        c.emit([x], [x.reshape(6, 4)], shape=[-1, 4])
        return
    shape = np.array([3, -1, 2])
    c.emit([x, shape], [x.reshape(3, 4, 2)])
    c.emit([x, shape], [x.reshape(3, 4, 2)], constants=(1,))
    c.emit([x, np.array([0, 12])], [x.reshape(2, 12)])


@recipe("Squeeze", "Unsqueeze")
def squeeze(c):
    x, axes = c.array("T", 2, 3), [0, 2]
    long = x.reshape(1, 2, 1, 3)
    pair = ([long], [x]) if c.op == "Squeeze" else ([x], [long])
    if c.version < 13:
        c.emit(*pair, axes=axes)
    else:
        c.emit([*pair[0], np.array(axes)], pair[1])
        c.emit([*pair[0], np.array(axes)], pair[1], constants=(1,))


@recipe("Pad")
def pad(c):
    x = c.array("T", 2, 3)
    pads = [0, 1, 0, 2]
    if c.version < 11:
        c.emit([x], [np.pad(x, ((0, 0), (1, 2)), constant_values=1.5)], value=1.5,
               **{"paddings" if c.version == 1 else "pads": pads})
        return
    value = c.array("T", 1)
    y = np.full((2, 6), value[0], x.dtype)
    y[:, 1:4] = x
    c.emit([x, np.array(pads), value.reshape(())], [y])
    if c.version >= 18:
        c.emit([x, np.array([1, 2]), value.reshape(()), c.ints("Tind", 1)], [y])


@recipe("CenterCropPad")
def center_crop_pad(c):
    x = c.array("T", 4, 3)
    y = np.concatenate([np.zeros((2, 1), x.dtype) if x.dtype != object else np.full((2, 1), "", object), x[1:3]], 1)
    y = np.concatenate([y, y[:, :1]], 1)
    c.emit([x, c.ints("Tind", 2, 5)], [y])


@recipe("Scatter", "ScatterElements")
def scatter(c):
    x, u = c.array("T", 3, 4), c.array("T", 2, 4)
    at = np.array([[0, 1, 2, 0], [2, 0, 1, 1]])
    y = x.copy()
    np.put_along_axis(y, at, u, 0)
    c.emit([x, at.astype(NUMPY[c.kind("Tind")]), u], [y], axis=0)


@recipe("Tile")
def tile(c):
    # Tile-1: `tiles` copies along `axis`, both of the data's type.
    x = c.array("T", 2, 3)
    if c.version == 1:
        c.emit([x, np.array(3, x.dtype), np.array(1, x.dtype)], [np.tile(x, (1, 3))])
    else:
        c.emit([x, np.array([2, 3])], [np.tile(x, (2, 3))])


@recipe("EyeLike")
def eye_like(c):
    x = c.array("T1", 3, 4)
    c.emit([x], [np.eye(3, 4, 1)], k=1, dtype=NUMBER[c.kind("T2")])
    if c.kind("T1") == c.kind("T2"):
        c.emit([x], [np.eye(3, 4)])


@recipe("OneHot")
def one_hot(c):
    # Indices outside [-depth, depth-1] are all off; those of a float are cut to int64 as numpy does.
    at = c.ints("T1", 0, 2, 1, 4)
    on_off = c.array("T3", 2)
    if on_off[0] == on_off[1] and c.kind("T3") != "string":
        on_off = np.array([0, 1]).astype(on_off.dtype)
    y = np.where(np.arange(3) == at.astype(np.int64)[:, None], on_off[1], on_off[0])
    c.emit([at, np.array(3, NUMPY[c.kind("T2")]), on_off], [y.astype(on_off.dtype)])


def text(v, kind):
    """The shortest decimal text that reads back as the same number of its type, as numpy prints floats."""
    if kind in ("float", "double", "float16"):
        return str(NUMPY[kind](v))
    for digits in range(1, 10):
        short = float(f"{float(v):.{digits}g}")
        if saturated(np.array(short), kind) == v:
            return repr(short)
    raise ValueError(v)


def casts(c, source, target, emit):
    """All types but strings are elementwise's generator's; here are those it leaves."""
    x = c.array(source, 8)
    if target == "string" and source != "string":
        y = np.array([str(bool(v)) if source == "bool" else text(v, source) if is_float(source) else str(int(v)) for v in x], object)
        emit(x, y)
    elif source == "string":
        number = c.array("int8" if target[0] in "if" or target == "double" else target, 8)
        if target == "string":
            emit(x, x)
            return
        if target == "bool":
            emit(np.array(["1", "0", "2", "-1"], object), np.array([True, False, True, True]))
            return
        if is_float(target):
            number = wide(c.array(target, 8))
        low, high = {"int2": (-2, 2), "uint2": (0, 4), "int4": (-8, 8), "uint4": (0, 16)}.get(target, (None, None))
        if low is not None:
            number = np.array([low, 0, 1, high - 1])
        x = np.array([str(v) for v in number.tolist()], object)
        emit(x, np.array(number).astype(NUMPY[target]))
    else:
        emit(x, convert(x, source, target))


def convert(x, source, target):
    """Small numbers, so that only bool and the narrow integers and floats are special."""
    if target == "bool":
        return wide(x) != 0 if is_float(source) else x.astype(np.int64) != 0
    w = wide(x) if is_float(source) else x.astype(np.int64)
    if is_float(target):
        return saturated(np.asarray(w, np.float64), target)
    w = np.trunc(w).astype(np.int64)
    narrow = {"int2": 2, "uint2": 2, "int4": 4, "uint4": 4}.get(target)
    if narrow:  # out of range: the low bits (ONNX 1.19)
        w = w & (2**narrow - 1)
        if target[0] == "i":
            w = np.where(w >= 2**(narrow - 1), w - 2**narrow, w)
    return w.astype(NUMPY[target])


def saturated(w, kind):
    if kind in ("float4e2m1", "float6e2m3", "float6e3m2") or kind.startswith("float8e4") or kind.startswith("float8e5"):
        top = float(ml_dtypes.finfo(NUMPY[kind]).max)
        w = np.clip(w, -top, top)
    if kind == "float8e8m0":  # no sign, no zero; round_mode "up"
        with np.errstate(all="ignore"):
            w = np.where(w > 0, np.exp2(np.ceil(np.log2(np.abs(w)))), np.where(w == 0, 2.0**-127, np.abs(w)))
    return w.astype(NUMPY[kind])


@recipe("Cast")
def cast(c):
    source, target = c.kind("T1"), c.kind("T2")
    to = NUMBER[target] if c.version >= 6 else target.upper()
    casts(c, source, target, lambda x, y: c.emit([x], [y], tol=1, to=to))


@recipe("CastLike")
def cast_like(c):
    like = c.array("T2", 1)
    casts(c, c.kind("T1"), c.kind("T2"), lambda x, y: c.emit([x, like], [y], tol=1))
