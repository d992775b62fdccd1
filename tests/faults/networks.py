"""Small networks, one for each family of operators, as ONNX models with an input.

Each function below returns a model and its feeds, always the same ones.  Sizes are such that wrong
settings can be told apart: batches larger than one, maps that are not square, odd sizes under strides.
"""
import pathlib

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

NETWORKS = {}


def network(function):
    NETWORKS[function.__name__] = function
    return function


class Builder:
    """Adds one node after the other; `self.at` is the value that the next one reads."""

    def __init__(self, opset=17, seed=1):
        self.opset = opset
        self.rng = np.random.default_rng(seed)
        self.nodes, self.constants, self.inputs, self.feeds = [], [], [], {}
        self.at = None
        self.n = 0

    def feed(self, name, array):
        array = np.asarray(array)
        kind = helper.np_dtype_to_tensor_dtype(array.dtype)
        self.inputs.append(helper.make_tensor_value_info(name, kind, array.shape))
        self.feeds[name] = array
        self.at = name
        return name

    def constant(self, array, name=None):
        name = name or f"c{len(self.constants)}"
        array = np.asarray(array)
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def weight(self, *shape, scale=None, name=None):
        fan = int(np.prod(shape[1:])) if len(shape) > 1 else 1
        scale = 1.4 / np.sqrt(fan) if scale is None else scale
        return self.constant((self.rng.standard_normal(shape) * scale).astype(np.float32), name)

    def add(self, op, *inputs, outputs=1, **attributes):
        """inputs: names behind the current value; the first may be given as x=NAME."""
        x = attributes.pop("x", self.at)
        domain = attributes.pop("domain", "")
        self.n += 1
        names = [f"{op.lower()}{self.n}" + (f"_{k}" if k else "") for k in range(outputs)]
        inputs = ([] if x == "" else [x]) + list(inputs)
        self.nodes.append(helper.make_node(op, inputs, names, name=f"n_{names[0]}", domain=domain,
                                           **attributes))
        self.at = names[0]
        return names[0] if outputs == 1 else names

    def conv(self, c_in, c_out, k, bias=True, group=1, op="Conv", **attributes):
        k = k if isinstance(k, tuple) else (k, k)
        shape = (c_out, c_in // group) if op == "Conv" else (c_in, c_out // group)
        extra = [self.weight(*shape, *k)] + ([self.weight(c_out, scale=0.3)] if bias else [])
        return self.add(op, *extra, kernel_shape=k, group=group, **attributes)

    def norm(self, c, epsilon=1e-5):
        values = [self.rng.uniform(0.7, 1.3, c), self.rng.normal(0, 0.2, c), self.rng.normal(0, 0.3, c),
                  self.rng.uniform(0.01, 1.5, c)]
        names = [self.constant(v.astype(np.float32)) for v in values]
        return self.add("BatchNormalization", *names, epsilon=epsilon)

    def dense(self, n, m):
        self.add("MatMul", self.weight(n, m, scale=1.2 / np.sqrt(n)))
        return self.add("Add", self.weight(m, scale=0.3))

    def finish(self, *outputs):
        outputs = [onnx.ValueInfoProto(name=name) for name in outputs or (self.at,)]
        graph = helper.make_graph(self.nodes, "network", self.inputs, outputs, self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)],
                                  ir_version=10)
        return onnx.shape_inference.infer_shapes(model), self.feeds


def normal(b, *shape, scale=1.0, shift=0.0):
    return (b.rng.standard_normal(shape) * scale + shift).astype(np.float32)


@network
def cnn():
    b = Builder(17, 1)
    b.feed("image", normal(b, 4, 3, 24, 20, shift=0.4))
    b.conv(3, 16, 3, pads=[0, 1, 2, 1])
    b.norm(16)
    b.add("Relu")
    b.add("MaxPool", kernel_shape=[3, 3], strides=[2, 2], pads=[0, 0, 1, 1])
    b.conv(16, 16, 3, group=4, pads=[1, 1, 1, 1], bias=False)
    b.norm(16, 1e-3)
    b.add("LeakyRelu", alpha=0.1)
    b.add("AveragePool", kernel_shape=[3, 3], strides=[1, 1], pads=[1, 1, 1, 1])
    b.conv(16, 24, 3, dilations=[2, 2], pads=[2, 2, 2, 2])
    b.add("Sigmoid")
    b.conv(24, 24, 1)
    b.conv(24, 24, 1)
    b.add("Relu")
    b.add("GlobalAveragePool")
    b.add("Flatten")
    b.add("Gemm", b.weight(24, 24), b.weight(24, scale=0.3), transB=1)
    b.add("Softmax", axis=1)
    return b.finish()


@network
def mobile():
    """Depthwise separable blocks and a squeeze and excitation."""
    b = Builder(15, 2)
    b.feed("image", normal(b, 2, 3, 26, 26))
    b.conv(3, 16, 3, strides=[2, 2], auto_pad="SAME_UPPER")
    b.norm(16)
    b.add("Clip", b.constant(np.float32(0)), b.constant(np.float32(6)))
    b.conv(16, 32, 3, group=16, pads=[1, 1, 1, 1], bias=False)
    b.norm(32)
    x = b.add("HardSwish")
    b.add("GlobalAveragePool")
    b.conv(32, 8, 1)
    b.add("Relu")
    b.conv(8, 32, 1)
    s = b.add("HardSigmoid", alpha=1 / 6)
    b.add("Mul", s, x=x)
    b.conv(32, 16, 1, bias=False)
    b.norm(16)
    b.add("AveragePool", kernel_shape=[3, 2], strides=[2, 2], auto_pad="SAME_LOWER")
    b.add("ReduceMean", axes=[2, 3], keepdims=0)
    b.dense(16, 10)
    return b.finish()


@network
def picture_to_picture():
    b = Builder(18, 3)
    b.feed("image", normal(b, 2, 4, 12, 16))
    b.add("Sub", b.constant(np.full((1, 4, 1, 1), 0.4, np.float32)))
    b.add("Div", b.constant(np.float32([0.2, 0.3, 0.25, 0.22]).reshape(1, 4, 1, 1)))
    b.conv(4, 8, 3, pads=[1, 1, 1, 1])
    b.add("InstanceNormalization", b.constant(np.float32(b.rng.uniform(0.5, 1.5, 8))),
          b.weight(8, scale=0.2), epsilon=1e-3)
    b.add("PRelu", b.constant(np.full((8, 1, 1), 0.25, np.float32)))
    b.conv(8, 8, 4, op="ConvTranspose", group=2, strides=[2, 2], pads=[1, 1, 1, 1])
    b.add("Elu", alpha=0.7)
    b.conv(8, 12, 3, pads=[1, 1, 1, 1])
    b.add("DepthToSpace", blocksize=2, mode="CRD")
    b.add("Tanh")
    return b.finish()


@network
def shuffle():
    """Pixel shuffle and channel shuffle as exporters write them: Reshape, Transpose, Reshape."""
    b = Builder(13, 4)
    b.feed("image", normal(b, 2, 1, 10, 10))
    b.conv(1, 16, 5, pads=[2, 2, 2, 2])
    b.add("Relu")
    b.add("Reshape", b.constant(np.int64([2, 4, 4, 10, 10])))
    b.add("Transpose", perm=[0, 2, 1, 3, 4])
    b.add("Reshape", b.constant(np.int64([2, 16, 10, 10])))
    b.conv(16, 4, 3, pads=[1, 1, 1, 1])
    b.add("Reshape", b.constant(np.int64([2, 1, 2, 2, 10, 10])))
    b.add("Transpose", perm=[0, 1, 4, 2, 5, 3])
    b.add("Reshape", b.constant(np.int64([2, 1, 20, 20])))
    return b.finish()


@network
def channels_last():
    """A TensorFlow-like classifier: channels last around each convolution, flattened in that order."""
    b = Builder(12, 5)
    b.feed("image", normal(b, 24, 8, 8, 3, shift=0.5))
    b.add("Transpose", perm=[0, 3, 1, 2])
    b.conv(3, 8, 3, auto_pad="SAME_LOWER", strides=[2, 2])
    b.add("Relu")
    b.add("Transpose", perm=[0, 2, 3, 1])
    b.add("Reshape", b.constant(np.int64([24, 128])))
    b.dense(128, 16)
    b.add("LogSoftmax", axis=1)
    return b.finish()


@network
def mlp():
    b = Builder(20, 6)
    b.feed("x", normal(b, 64, 24))
    b.add("LayerNormalization", b.constant(np.float32(b.rng.uniform(0.5, 1.5, 24))),
          b.weight(24, scale=0.1), epsilon=1e-5)
    b.dense(24, 32)
    b.add("Gelu")
    b.dense(32, 32)
    b.add("Gelu", approximate="tanh")
    b.dense(32, 32)
    b.add("Mul", b.constant(np.float32(3.0)))
    b.add("Softmax")
    return b.finish()


def gelu_by_erf(b):
    x = b.at
    b.add("Div", b.constant(np.float32(np.sqrt(2))))
    b.add("Erf")
    b.add("Add", b.constant(np.float32(1)))
    b.add("Mul", x=x, *[b.at])
    return b.add("Mul", b.constant(np.float32(0.5)))


def gelu_by_tanh(b):
    x = b.at
    b.add("Mul", x, x=x)
    b.add("Mul", x)
    b.add("Mul", b.constant(np.float32(0.044715)))
    b.add("Add", x)
    b.add("Mul", b.constant(np.float32(np.sqrt(2 / np.pi))))
    b.add("Tanh")
    t = b.add("Add", b.constant(np.float32(1)))
    b.add("Mul", t, x=x)
    return b.add("Mul", b.constant(np.float32(0.5)))


def heads(b, x, n, length, heads_n, size):
    b.at = x
    b.dense(heads_n * size, heads_n * size)
    b.add("Reshape", b.constant(np.int64([n, length, heads_n, size])))
    return b.add("Transpose", perm=[0, 2, 1, 3])


@network
def transformer():
    """One layer of an encoder, written out, as older exporters do; the mask is added."""
    b = Builder(13, 7)
    n, length, h, d = 4, 12, 4, 8
    mask = np.ones((n, 1, 1, length), np.float32)
    mask[1, ..., 5:] = 0
    x = b.feed("tokens", normal(b, n, length, h * d))
    b.feed("mask", mask)
    b.add("Sub", "mask", x=b.constant(np.float32(1)))
    mask = b.add("Mul", b.constant(np.float32(-10000)))
    q, k, v = (heads(b, x, n, length, h, d) for _ in range(3))
    kt = b.add("Transpose", x=k, perm=[0, 1, 3, 2])
    b.add("MatMul", kt, x=q)
    b.add("Div", b.constant(np.float32(np.sqrt(d))))
    b.add("Add", mask)
    b.add("Softmax", axis=-1)
    b.add("MatMul", v)
    b.add("Transpose", perm=[0, 2, 1, 3])
    b.add("Reshape", b.constant(np.int64([n, length, h * d])))
    b.dense(h * d, h * d)
    y = b.add("Add", x)
    mean = b.add("ReduceMean", axes=[-1])
    centred = b.add("Sub", mean, x=y)
    b.add("Pow", b.constant(np.float32(2)))
    b.add("ReduceMean", axes=[-1])
    b.add("Add", b.constant(np.float32(1e-5)))
    root = b.add("Sqrt")
    b.add("Div", root, x=centred)
    b.add("Mul", b.constant(np.float32(b.rng.uniform(0.5, 1.5, h * d))))
    b.add("Add", b.weight(h * d, scale=0.1))
    b.dense(h * d, 64)
    gelu_by_erf(b)
    b.dense(64, h * d)
    gelu_by_tanh(b)
    return b.finish()


@network
def masked_attention():
    """Scores behind a Where with a causal mask, scaled by a product."""
    b = Builder(17, 8)
    n, length, h, d = 4, 12, 2, 16
    x = b.feed("tokens", normal(b, n, length, h * d))
    q, k, v = (heads(b, x, n, length, h, d) for _ in range(3))
    kt = b.add("Transpose", x=k, perm=[0, 1, 3, 2])
    b.add("MatMul", kt, x=q)
    scores = b.add("Mul", b.constant(np.float32(1 / np.sqrt(d))))
    causal = np.tril(np.ones((1, 1, length, length), bool))
    b.add("Where", scores, b.constant(np.float32(-1e9)), x=b.constant(causal))
    b.add("Softmax", axis=-1)
    b.add("MatMul", v)
    b.add("Transpose", perm=[0, 2, 1, 3])
    b.add("Reshape", b.constant(np.int64([n, length, h * d])))
    b.dense(h * d, h * d)
    b.add("LayerNormalization", b.constant(np.float32(b.rng.uniform(0.5, 1.5, h * d))),
          b.weight(h * d, scale=0.1), epsilon=1e-12)
    return b.finish()


@network
def attention_operator():
    b = Builder(23, 9)
    n, length, h, d = 4, 12, 2, 8
    x = b.feed("tokens", normal(b, n, length, h * d))
    mask = np.zeros((n, 1, length, length), np.float32)
    mask[1, :, :, 4:] = -10000
    b.feed("mask", mask)
    q, k, v = (b.add("Transpose", x=heads(b, x, n, length, h, d), perm=[0, 1, 2, 3])
               for _ in range(3))
    b.add("Attention", k, v, "mask", x=q)
    b.add("Transpose", perm=[0, 2, 1, 3])
    b.add("Reshape", b.constant(np.int64([n, length, h * d])))
    b.dense(h * d, h * d)
    b.add("RMSNormalization", b.constant(np.float32(b.rng.uniform(0.5, 1.5, h * d))), epsilon=1e-5)
    return b.finish()


def recurrent(op, gates, opset, seed, directions=1, **attributes):
    b = Builder(opset, seed)
    length, n, c, h = 6, 7, 5, 8
    b.feed("sequence", normal(b, length, n, c))
    parts = [b.weight(directions, gates * h, c, scale=0.5), b.weight(directions, gates * h, h, scale=0.4),
             b.weight(directions, 2 * gates * h, scale=0.3), "", b.weight(directions, n, h, scale=0.5)]
    if op == "LSTM":
        parts.append(b.weight(directions, n, h, scale=0.5))
    direction = "bidirectional" if directions == 2 else "forward"
    b.add(op, *parts, outputs=2, hidden_size=h, direction=direction, **attributes)
    b.add("Transpose", x=f"{op.lower()}1", perm=[2, 0, 1, 3])
    b.add("Reshape", b.constant(np.int64([n, length, directions * h])))
    b.dense(directions * h, 4)
    return b.finish()


@network
def gru():
    return recurrent("GRU", 3, 14, 10, linear_before_reset=1)


@network
def lstm():
    return recurrent("LSTM", 4, 14, 11)


@network
def bidirectional_lstm():
    return recurrent("LSTM", 4, 14, 12, directions=2)


@network
def rnn():
    return recurrent("RNN", 1, 14, 13)


@network
def resizing():
    b = Builder(18, 14)
    b.feed("image", normal(b, 1, 3, 9, 11))
    scales = b.constant(np.float32([1, 1, 2, 2]))
    b.add("Resize", "", scales, mode="linear", coordinate_transformation_mode="half_pixel")
    b.conv(3, 4, 3, pads=[1, 1, 1, 1])
    b.add("Resize", "", "", b.constant(np.int64([1, 4, 13, 29])), mode="nearest", nearest_mode="floor",
          coordinate_transformation_mode="asymmetric")
    b.add("Resize", "", b.constant(np.float32([1, 1, 2, 1])), mode="cubic", cubic_coeff_a=-0.75,
          coordinate_transformation_mode="align_corners")
    b.add("Resize", "", b.constant(np.float32([1, 1, 0.6, 0.5])), mode="nearest")
    return b.finish()


@network
def pooling():
    b = Builder(19, 15)
    b.feed("image", normal(b, 2, 3, 24, 19, shift=0.3))
    b.add("AveragePool", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1], count_include_pad=1)
    b.conv(3, 6, 3, strides=[1, 1], pads=[1, 1, 1, 1])
    b.add("MaxPool", kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1)
    b.add("AveragePool", kernel_shape=[3, 3], strides=[1, 1], pads=[1, 1, 1, 1])
    b.add("MaxPool", kernel_shape=[3, 3], strides=[2, 1], auto_pad="SAME_UPPER")
    b.add("LpPool", kernel_shape=[2, 2], strides=[1, 1], p=2)
    b.add("GlobalAveragePool")
    b.add("Flatten")
    return b.finish()


def quantised(b, scale, zero):
    """A value through eight bits and back."""
    s, z = b.constant(np.float32(scale)), b.constant(np.uint8(zero))
    b.add("QuantizeLinear", s, z)
    return b.add("DequantizeLinear", s, z)


@network
def quantisation():
    b = Builder(13, 16)
    b.feed("image", np.round(normal(b, 2, 3, 10, 10) * 64) / 64)  # of many, halves of a step
    quantised(b, 1 / 32, 120)
    x = b.at
    q = b.constant(b.rng.integers(-127, 127, (8, 3, 3, 3)).astype(np.int8))
    s = b.constant(b.rng.uniform(0.001, 0.006, 8).astype(np.float32))
    w = b.add("DequantizeLinear", s, b.constant(np.zeros(8, np.int8)), x=q, axis=0)
    b.add("Conv", w, b.weight(8, scale=0.2), x=x, pads=[1, 1, 1, 1])
    b.add("Relu")
    quantised(b, 0.012, 5)
    x = b.at
    q = b.constant(b.rng.integers(-127, 127, (8, 8, 1, 1)).astype(np.int8))
    s = b.constant(b.rng.uniform(0.002, 0.01, 8).astype(np.float32))
    w = b.add("DequantizeLinear", s, b.constant(np.zeros(8, np.int8)), x=q, axis=0)
    b.add("Conv", w, x=x)
    quantised(b, 0.03, 128)
    return b.finish()


@network
def integers():
    """Identifiers beyond 32 bits, and casts that leave the range of their type."""
    b = Builder(19, 17)
    ids = b.rng.integers(-2 ** 40, 2 ** 40, (4, 6))
    x = b.feed("ids", ids)
    b.add("Add", b.constant(np.int64(2 ** 40 + 7)))
    big = b.add("Mul", b.constant(np.int64(3)))
    b.add("Cast", to=TensorProto.FLOAT)
    values = b.feed("values", normal(b, 4, 6, scale=3e4))
    a = b.add("Cast", x=values, to=TensorProto.INT16)
    c = b.add("Cast", x=values, to=TensorProto.INT32)
    b.add("Mul", b.constant(np.float32(2)), x=values)
    d = b.add("Cast", to=TensorProto.FLOAT16)
    e = b.add("Cast", to=TensorProto.FLOAT)
    return b.finish(big, a, c, d, e, "cast3")


@network
def opset_nine():
    """Softmax and BatchNormalization before their meaning changed; rank three."""
    b = Builder(9, 18)
    b.feed("x", normal(b, 3, 4, 5))
    b.add("Softmax", axis=1)
    b.add("Pow", b.constant(np.float32(0.5)))
    b.norm(4)
    b.add("Selu")
    b.add("Sub", x=b.constant(np.float32(1)), *[b.at])
    b.add("LogSoftmax", axis=2)
    return b.finish()


@network
def groups():
    b = Builder(21, 19)
    b.feed("x", normal(b, 2, 8, 6, 5))
    b.conv(8, 8, 3, group=2, pads=[1, 1, 1, 1])
    b.add("GroupNormalization", b.constant(np.float32(b.rng.uniform(0.5, 1.5, 8))),
          b.weight(8, scale=0.2), num_groups=4, epsilon=1e-5)
    b.add("Mish")
    b.conv(8, 12, 3, group=4, pads=[1, 1, 1, 1])
    b.add("Softplus")
    b.conv(12, 8, 3, op="ConvTranspose", group=4, pads=[1, 1, 1, 1], bias=False)
    b.add("Tanh")
    return b.finish()


# ---- networks from files

OWN = pathlib.Path(__file__).resolve().parent.parent.parent / "models" / "super_resolution"
FILES = {f"super_resolution_{n}": OWN / f"{n}.onnx" for n in ("dynamo_opset18", "dynamo_opset23")}

# Inputs that are cut, by axis: the network takes any size, and the faults show as well in a smaller one.
# Names that are not here are fed as they lie there.
SMALLER = {
    "super_resolution_dynamo_opset18": {2: 48, 3: 40}, "super_resolution_dynamo_opset23": {2: 48, 3: 40},
    "coreml_fns_candy": {2: 96, 3: 80},
}
# Of bench/models.py those that a fault a class does not keep busy for hours.
BENCH = ("efficientnet_b0", "lstm", "mobilenet_v2", "mobilenet_v3_large", "resnet50_int8", "speech_conv1d")


def published(folders):
    """NAME -> FOLDER/NAME/model.onnx, where the inputs beside it are tensors of numbers."""
    found = {}
    for folder in folders:
        bench = pathlib.Path(folder).name == "bench-models"
        for path in sorted(pathlib.Path(folder).glob("*/model.onnx")):
            if (path.parent.name in BENCH or not bench) and all(a.dtype.kind in "fiub" for a in arrays(path)):
                found[("bench_" if bench else "") + path.parent.name] = path
    return found


def arrays(path):
    inputs = [path.parent / f"input_{k}.npy" for k in range(64)]
    return [np.load(p) for p in inputs if p.exists()]


def names(folders, quick):
    return list(NETWORKS) + ([] if quick else [*FILES, *published(folders)])


def last_first(name):
    """A key that puts what takes longest in front."""
    return name in NETWORKS, not name.startswith("bench_"), name


def shrink(model, feeds, cut):
    """The first input cut, and every shape that the file declares forgotten."""
    name, array = next(iter(feeds.items()))
    sides = tuple(slice(0, cut.get(k)) for k in range(array.ndim))
    del model.graph.value_info[:]
    for v in (*model.graph.input, *model.graph.output):
        for k, d in enumerate(v.type.tensor_type.shape.dim):
            if k in cut:
                d.dim_param = f"side_{k}"
    return model, {**feeds, name: np.ascontiguousarray(array[sides])}


def load(name, folders):
    """(model, feeds)"""
    if name in NETWORKS:
        return NETWORKS[name]()
    if name in FILES:
        model, feeds = onnx.load(FILES[name]), {"input": np.load(OWN / "input.npy")}
    else:
        path = published(folders)[name]
        model = onnx.load(path)
        held = {t.name for t in model.graph.initializer}
        feeds = dict(zip([i.name for i in model.graph.input if i.name not in held], arrays(path)))
    return shrink(model, feeds, SMALLER[name]) if name in SMALLER else (model, feeds)
