"""Known conversion mistakes, as edits of an ONNX model.

A fault is a function of an edit and a node; it changes the copy of the model in place and returns the
name of the value that goes wrong first, or None where it does not apply to that node.
"""
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FAULTS = []  # Fault, in the order of this file


class Fault:
    def __init__(self, function, cause, ops, accept, variants, by_reference):
        self.name = function.__name__.replace("_", "-")
        self.function, self.cause, self.ops, self.variants = function, cause, ops, variants
        self.accept = (cause,) + accept
        self.by_reference = by_reference  # the edited model makes the reference, the sound one is traced


def fault(cause, *ops, accept=(), variants=1, by_reference=False):
    def register(function):
        FAULTS.append(Fault(function, cause, ops, accept, variants, by_reference))
        return function
    return register


def tensor_of(node):
    return next(a.t for a in node.attribute if a.name == "value")


def prune(model):
    """Drops constants that no node reads: an exporter would not write them."""
    used = {i for n in all_nodes(model.graph) for i in n.input} | {o.name for o in model.graph.output}
    for n in [n for n in model.graph.node if n.op_type == "Constant" and n.output[0] not in used]:
        model.graph.node.remove(n)
    keep = [t for t in model.graph.initializer if t.name in used]
    inputs = [i for i in model.graph.input if i.name in used
              or i.name not in {t.name for t in model.graph.initializer}]
    del model.graph.initializer[:]
    model.graph.initializer.extend(keep)
    del model.graph.input[:]
    model.graph.input.extend(inputs)
    return model


def all_nodes(graph):
    for n in graph.node:
        yield n
        for a in n.attribute:
            if a.type == onnx.AttributeProto.GRAPH:
                yield from all_nodes(a.g)


class Edit:
    """A copy of a model that a fault may change.  `values`: what the sound model computes, by name."""

    def __init__(self, model, values, feeds):
        self.model = onnx.ModelProto()
        self.model.CopyFrom(model)
        self.graph, self.values, self.feeds = self.model.graph, values, dict(feeds)
        self.initializers = {t.name: t for t in self.graph.initializer}
        self.producers = {o: n for n in self.graph.node for o in n.output if o}
        self.opset = next((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), 1)
        self.fresh = 0
        self.variant = 0

    # ---- reading

    def attr(self, node, name, default=None):
        for a in node.attribute:
            if a.name == name:
                v = helper.get_attribute_value(a)
                return v.decode() if isinstance(v, bytes) else v
        return default

    def constant(self, name):
        """Array of an initializer or a Constant; None: not constant."""
        if name in self.initializers:
            return numpy_helper.to_array(self.initializers[name])
        node = self.producers.get(name)
        if node is not None and node.op_type == "Constant" and node.attribute[0].name == "value":
            return numpy_helper.to_array(tensor_of(node))
        return None

    def input(self, node, i):
        """Array of a constant input; None: absent or computed."""
        return self.constant(node.input[i]) if i < len(node.input) and node.input[i] else None

    def value(self, name):
        """What the sound model computes, or is fed, or holds, under this name."""
        if name in self.values:
            return self.values[name]
        return self.feeds[name] if name in self.feeds else self.constant(name)

    def users(self, name):
        return [n for n in self.graph.node if name in n.input]

    def is_input(self, name):
        return name in self.feeds

    # ---- writing

    def name(self):
        self.fresh += 1
        return f"fault_{self.fresh}"

    def set(self, node, **attributes):
        for name, v in attributes.items():
            keep = [a for a in node.attribute if a.name != name]
            del node.attribute[:]
            node.attribute.extend(keep)
            if v is not None:
                node.attribute.append(helper.make_attribute(name, v))

    def add_constant(self, array):
        name = self.name()
        self.graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def set_input(self, node, i, array):
        """Input i becomes a constant of its own."""
        was = self.constant(node.input[i])
        array = np.asarray(array, was.dtype if was is not None else None)
        node.input[i] = self.add_constant(array.reshape(np.shape(array)))

    def index(self, node):
        return next(i for i, n in enumerate(self.graph.node) if n is node or n == node)

    def insert(self, at, op, inputs, outputs, **attributes):
        self.graph.node.insert(at, helper.make_node(op, inputs, outputs, name=self.name(), **attributes))

    def append(self, node, op, *inputs, **attributes):
        """op(node's output, *inputs) takes the output's name."""
        y, raw = node.output[0], self.name()
        node.output[0] = raw
        self.insert(self.index(node) + 1, op, [raw, *inputs], [y], **attributes)
        return y

    def prepend(self, node, i, op, *inputs, **attributes):
        new = self.name()
        self.insert(self.index(node), op, [node.input[i], *inputs], [new], **attributes)
        node.input[i] = new

    def bypass(self, node):
        """The node is left out: what made its input makes its output.  The value that goes wrong."""
        producer, y = self.producers.get(node.input[0]), node.output[0]
        if producer is None or len(self.users(node.input[0])) != 1:
            return None
        at = list(producer.output).index(node.input[0])
        self.graph.node.remove(node)
        producer.output[at] = y
        return y


# ---- axes and shapes


@fault("reshape-for-transpose", "Transpose")
def reshape_instead(e, n):
    shape = e.value(n.output[0]).shape
    if len([d for d in shape if d > 1]) < 2 or e.constant(n.input[0]) is not None:
        return None
    n.op_type = "Reshape"
    n.input.append(e.add_constant(np.int64(shape)))
    e.set(n, perm=None)
    return n.output[0]


@fault("layout", "Transpose", accept=("reshape-for-transpose",), variants=2)
def other_permutation(e, n):
    y, perm = e.value(n.output[0]), list(e.attr(n, "perm", []))
    pairs = [(i, j) for i in range(len(perm)) for j in range(i)
             if y.shape[i] == y.shape[j] and y.shape[i] > 1]
    if e.variant >= len(pairs) or e.constant(n.input[0]) is not None:
        return None
    i, j = pairs[e.variant]
    perm[i], perm[j] = perm[j], perm[i]
    e.set(n, perm=perm)
    return n.output[0]


@fault("layout", "Conv", "MaxPool", "Relu", "Add")
def square_maps_transposed(e, n):
    y = e.value(n.output[0])
    if y.ndim != 4 or y.shape[2] != y.shape[3] or y.shape[2] < 3:
        return None
    return e.append(n, "Transpose", perm=[0, 1, 3, 2])


@fault("layout", "DepthToSpace")
def depth_to_space_in_other_order(e, n):
    e.set(n, mode="DCR" if e.attr(n, "mode", "DCR") == "CRD" else "CRD")
    return n.output[0]


@fault("reshape-for-transpose", "Reshape", "Flatten", accept=("layout",))
def flattened_in_other_order(e, n):
    """The framework flattens with its channels last, the model with its channels first, or the other
    way round."""
    x, y = e.value(n.input[0]), e.value(n.output[0])
    if x is None or x.ndim != 4 or y.ndim != 2 or min(x.shape[1], x.shape[2] * x.shape[3]) < 2:
        return None
    e.prepend(n, 0, "Transpose", perm=[0, 2, 3, 1] if x.shape[1] > x.shape[3] else [0, 3, 1, 2])
    return n.output[0]


@fault("channel-order", "Conv", "Sub", "Transpose")
def channels_reversed(e, n):
    name = n.input[0]
    if not e.is_input(name):
        return None
    x = e.feeds[name]
    if x.ndim != 4:
        return None
    axis = 1 if x.shape[1] in (3, 4) else 3 if x.shape[3] in (3, 4) else None
    if axis is None:
        return None
    e.feeds[name] = np.ascontiguousarray(np.flip(x, axis))
    return n.output[0]


@fault("input-normalisation", "Conv", "Sub", "Transpose", variants=3)
def input_not_normalised(e, n):
    name = n.input[0]
    if not e.is_input(name) or e.feeds[name].ndim != 4 or e.feeds[name].dtype != np.float32:
        return None
    x = e.feeds[name]
    c = 3 if x.shape[3] == 3 else 1
    shape = [1] * 4
    shape[c] = x.shape[c]
    mean = np.float32(np.linspace(0.4, 0.5, x.shape[c])).reshape(shape)
    std = np.float32(np.linspace(0.2, 0.25, x.shape[c])).reshape(shape)
    e.feeds[name] = np.float32((x * 255, x * std + mean, x * 0.5 + 0.5)[e.variant])
    return n.output[0]


@fault("operator-order", "Sub", "Div", "Pow")
def operands_exchanged(e, n):
    a, b, y = e.value(n.input[0]), e.value(n.input[1]), e.value(n.output[0])
    if a is None or b is None or a.dtype != b.dtype or y.size < 2 or y.dtype != np.float32:
        return None
    with np.errstate(all="ignore"):
        other = b - a if n.op_type == "Sub" else b / a if n.op_type == "Div" else b ** a
    if not np.isfinite(other).all():
        return None
    n.input[0], n.input[1] = n.input[1], n.input[0]
    return n.output[0]


# ---- windows

WINDOWS = ("Conv", "MaxPool", "AveragePool", "LpPool")


def pads_of(e, n):
    pads = e.attr(n, "pads")
    x = e.value(n.input[0])
    if e.attr(n, "auto_pad", "NOTSET") != "NOTSET" or x is None:
        return None
    return list(pads) if pads else [0] * (2 * (x.ndim - 2))


@fault("padding-side", *WINDOWS)
def pads_at_one_side(e, n):
    pads = pads_of(e, n)
    if not pads or not any(pads) or e.value(n.output[0])[0, 0].size < 4:
        return None
    half = len(pads) // 2
    total = [pads[i] + pads[i + half] for i in range(half)]
    kernel = e.attr(n, "kernel_shape")
    if n.op_type != "Conv" and kernel and any(t >= k for t, k in zip(total, kernel)):
        return None
    if pads[:half] != pads[half:]:
        e.set(n, pads=pads[half:] + pads[:half])
    else:
        e.set(n, pads=[0] * half + total)
    return n.output[0]


@fault("auto-pad", *WINDOWS, accept=("padding-side",))
def same_upper_for_lower(e, n):
    word = e.attr(n, "auto_pad", "NOTSET")
    x, y = e.value(n.input[0]), e.value(n.output[0])
    kernel = e.attr(n, "kernel_shape") or (e.input(n, 1).shape[2:] if e.input(n, 1) is not None else None)
    if not word.startswith("SAME") or kernel is None or y[0, 0].size < 4:
        return None
    strides = e.attr(n, "strides") or [1] * len(kernel)
    dilations = e.attr(n, "dilations") or [1] * len(kernel)
    total = [(o - 1) * s + (k - 1) * d + 1 - i for o, s, k, d, i in
             zip(y.shape[2:], strides, kernel, dilations, x.shape[2:])]
    if not any(t > 0 and t % 2 for t in total):
        return None
    e.set(n, auto_pad="SAME_LOWER" if word == "SAME_UPPER" else "SAME_UPPER")
    return n.output[0]


@fault("ceil-mode", "MaxPool", "AveragePool", "LpPool")
def ceil_for_floor(e, n):
    if pads_of(e, n) is None or e.opset < 10:
        return None
    e.set(n, ceil_mode=1 - e.attr(n, "ceil_mode", 0))
    return n.output[0]


@fault("count-include-pad", "AveragePool")
def count_pads(e, n):
    pads = pads_of(e, n)
    if not pads or not any(pads):
        return None
    e.set(n, count_include_pad=1 - e.attr(n, "count_include_pad", 0))
    return n.output[0]


@fault("dilation", "Conv", variants=2)
def dilated(e, n):
    w, pads = e.input(n, 1), pads_of(e, n)
    if w is None or pads is None or any(k % 2 == 0 for k in w.shape[2:]) or max(w.shape[2:]) < 3:
        return None
    d = list(e.attr(n, "dilations") or [1] * (w.ndim - 2))
    new = [1 if k == 1 else 2 + e.variant if v == 1 else 1 for v, k in zip(d, w.shape[2:])]
    more = [(b - a) * (k - 1) // 2 for a, b, k in zip(d, new, w.shape[2:])]
    pads = [p + m for p, m in zip(pads, more + more)]
    if min(pads) < 0 or e.value(n.output[0])[0, 0].size < 4:
        return None
    e.set(n, dilations=new, pads=pads)
    return n.output[0]


@fault("stride", *WINDOWS, variants=2)
def other_stride(e, n):
    x, y = e.value(n.input[0]), e.value(n.output[0])
    if x is None or y.ndim != 4 or min(y.shape[2:]) < 3:
        return None
    s = list(e.attr(n, "strides") or [1, 1])
    new = [[3 - s[0], s[1]], [3 - s[0], 3 - s[1]]][e.variant]
    if min(new) < 1:
        return None
    e.set(n, strides=new)
    return n.output[0]


@fault("group", "Conv")
def groups_interleaved(e, n):
    """Channel c belongs to group c mod g, not to group c / (C / g)."""
    g, w = e.attr(n, "group", 1), e.input(n, 1)
    if w is None or g == 1 or w.shape[1] < 2:
        return None
    m = w.shape[1]
    e.prepend(n, 0, "Gather", e.add_constant(np.arange(g * m).reshape(g, m).T.ravel()), axis=1)
    return n.output[0]


@fault("group", "ConvTranspose")
def other_number_of_groups(e, n):
    w, g = e.input(n, 1), e.attr(n, "group", 1)
    if w is None or g == 1:
        return None
    if len(n.input) > 2:
        b = e.input(n, 2)
        e.set_input(n, 2, np.resize(b, w.shape[1] * g // 2))
    e.set(n, group=g // 2)
    return n.output[0]


# ---- weights

LINEAR = ("Conv", "ConvTranspose", "Gemm", "MatMul")


def weight_of(e, n):
    """Number of the constant operand of a linear node, and its array."""
    for i in (1, 0):
        w = e.input(n, i)
        if w is not None and w.ndim >= 2 and w.dtype == np.float32:
            return i, w
    return None, None


@fault("missing-bias", "Conv", "ConvTranspose", "Gemm")
def bias_dropped(e, n):
    b = e.input(n, 2)
    if b is None or not np.abs(b).max() > 0:
        return None
    if n.op_type == "Gemm" and e.opset < 11:
        e.set_input(n, 2, np.zeros_like(b))
    else:
        del n.input[2:]
    return n.output[0]


@fault("missing-bias", "Add")
def bias_node_dropped(e, n):
    b, producer = e.input(n, 1), e.producers.get(n.input[0])
    if b is None or b.ndim != 1 or producer is None or producer.op_type != "MatMul":
        return None
    return e.bypass(n)


@fault("transposed-weight", "MatMul", "Gemm")
def weight_transposed(e, n):
    i, w = weight_of(e, n)
    if i != 1 or w.ndim != 2 or w.shape[0] != w.shape[1] or w.shape[0] < 2:
        return None
    e.set_input(n, 1, w.T)
    return n.output[0]


@fault("swapped-weights", *LINEAR)
def weights_of_two_layers_swapped(e, n):
    i, w = weight_of(e, n)
    if w is None:
        return None
    later = list(e.graph.node)[e.index(n) + 1:]
    for other in later:
        j, v = weight_of(e, other) if other.op_type == n.op_type else (None, None)
        if j == i and v.shape == w.shape and not np.array_equal(v, w):
            n.input[i], other.input[j] = other.input[j], n.input[i]
            return n.output[0]
    return None


@fault("stale-weights", *LINEAR, variants=2)
def weights_of_an_earlier_epoch(e, n):
    i, w = weight_of(e, n)
    if w is None:
        return None
    rng = np.random.default_rng(5)
    if e.variant == 0:
        new = w + rng.standard_normal(w.shape) * 0.1 * w.std()
    else:
        new = rng.standard_normal(w.shape) * w.std()
    e.set_input(n, i, np.float32(new))
    return n.output[0]


@fault("low-precision-weights", *LINEAR, variants=2)
def weights_in_half_precision(e, n):
    i, w = weight_of(e, n)
    if w is None:
        return None
    low = np.float32(np.float16(w)) if e.variant == 0 else to_bfloat16(w)
    if np.array_equal(low, w):
        return None
    e.set_input(n, i, low)
    return n.output[0]


@fault("low-precision-weights", *LINEAR, variants=2, by_reference=True)
def reference_with_weights_in_half_precision(e, n):
    return weights_in_half_precision(e, n)


def to_bfloat16(w):
    bits = np.ascontiguousarray(w, np.float32).view(np.uint32).astype(np.uint64)
    bits = (bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000
    return bits.astype(np.uint32).view(np.float32).reshape(w.shape)


@fault("int-clamp", "Add", "Sub", "Mul")
def constant_clamped(e, n):
    c = e.input(n, 1)
    if c is None or c.dtype != np.int64 or not np.abs(c).max() > 2 ** 31:
        return None
    e.set_input(n, 1, np.clip(c, -2 ** 31, 2 ** 31 - 1))
    return n.output[0]


@fault("low-precision-activations", "Conv", "Relu", "MatMul", "Add", "Mul", variants=2, by_reference=True)
def reference_with_one_layer_in_half_precision(e, n):
    y = e.value(n.output[0])
    if y.dtype != np.float32 or y.size < 16 or (e.variant and e.opset < 13):
        return None
    if np.abs(y).max() > 6e4 or e.constant(n.output[0]) is not None:
        return None
    to = (TensorProto.FLOAT16, TensorProto.BFLOAT16)[e.variant]
    y, half = n.output[0], e.name()
    raw = e.name()
    n.output[0] = raw
    at = e.index(n) + 1
    e.insert(at, "Cast", [raw], [half], to=to)
    e.insert(at + 1, "Cast", [half], [y], to=TensorProto.FLOAT)
    return y


# ---- normalisation


@fault("bn-epsilon", "BatchNormalization", variants=2)
def epsilon_of_another_framework(e, n):
    was = e.attr(n, "epsilon", 1e-5)
    e.set(n, epsilon=(1e-2, 1e-3)[e.variant] if was < 5e-4 else (1e-5, 1e-2)[e.variant])
    return n.output[0]


@fault("bn-training", "BatchNormalization")
def training_mode(e, n):
    x = e.value(n.input[0])
    if e.opset < 14 or x.size // x.shape[1] < 8:
        return None
    e.set(n, training_mode=1)
    return n.output[0]


@fault("bn-training", "BatchNormalization", by_reference=True)
def reference_in_training_mode(e, n):
    return training_mode(e, n)


@fault("bn-statistics", "BatchNormalization", accept=("stale-weights",), variants=2)
def statistics_of_another_model(e, n):
    mean, var = e.input(n, 3), e.input(n, 4)
    if mean is None or var is None:
        return None
    rng = np.random.default_rng(9)
    if e.variant == 0:
        e.set_input(n, 3, np.zeros_like(mean))
        e.set_input(n, 4, np.ones_like(var))
    else:
        e.set_input(n, 3, mean + np.float32(rng.normal(0, 0.3, mean.shape)) * np.sqrt(var))
        e.set_input(n, 4, var * np.float32(rng.uniform(0.5, 2, var.shape)))
    return n.output[0]


@fault("ln-epsilon", "LayerNormalization", "GroupNormalization", "InstanceNormalization", "RMSNormalization")
def epsilon_of_a_normalisation(e, n):
    e.set(n, epsilon=1e-2 if e.attr(n, "epsilon", 1e-5) < 1e-3 else 1e-5)
    return n.output[0]


@fault("ln-epsilon", "Add")
def epsilon_written_out(e, n):
    c = e.input(n, 1) if e.input(n, 1) is not None else e.input(n, 0)
    users = e.users(n.output[0])
    if c is None or c.size != 1 or not 0 < abs(c.item()) < 1e-2 or users[0].op_type != "Sqrt":
        return None
    e.set_input(n, 1 if e.input(n, 1) is not None else 0, c * 0 + 0.02)
    return n.output[0]


@fault("ln-axis", "LayerNormalization", "RMSNormalization")
def normalised_over_other_axes(e, n):
    x = e.value(n.input[0])
    if x.ndim < 3:
        return None
    e.set(n, axis=1)
    scale = e.input(n, 1)
    e.set_input(n, 1, np.broadcast_to(scale, x.shape[1:]))
    if len(n.input) > 2 and n.input[2]:
        e.set_input(n, 2, np.broadcast_to(e.input(n, 2), x.shape[1:]))
    return n.output[0]


# ---- functions


@fault("gelu-approximation", "Gelu")
def gelu_of_another_form(e, n):
    e.set(n, approximate="none" if e.attr(n, "approximate", "none") == "tanh" else "tanh")
    return n.output[0]


@fault("gelu-approximation", "Erf")
def gelu_by_erf_as_tanh(e, n):
    """Erf(x / sqrt 2) becomes tanh of the polynomial, as in the other form of GELU."""
    x = e.add_constant(np.float32(np.sqrt(2)))
    at, x1, x2, x3, c, s = e.index(n), *(e.name() for _ in range(5))
    # z = x / sqrt 2: sqrt(2 / pi) (x + 0.044715 x^3) = 2 / sqrt(pi) (z + 0.08943 z^3)
    k = e.add_constant(np.float32(0.08943))
    f = e.add_constant(np.float32(2 / np.sqrt(np.pi)))
    e.insert(at, "Mul", [n.input[0], n.input[0]], [x1])
    e.insert(at + 1, "Mul", [x1, n.input[0]], [x2])
    e.insert(at + 2, "Mul", [x2, k], [x3])
    e.insert(at + 3, "Add", [x3, n.input[0]], [c])
    e.insert(at + 4, "Mul", [c, f], [s])
    n.op_type, n.input[0] = "Tanh", s
    return n.output[0]


@fault("softmax-axis", "Softmax", "LogSoftmax")
def softmax_over_another_axis(e, n):
    x = e.value(n.input[0])
    axis = e.attr(n, "axis", -1 if e.opset >= 13 else 1) % x.ndim
    others = [i for i in range(1, x.ndim) if i != axis and x.shape[i] > 1]
    if not others:
        others = [0] if axis and x.shape[0] > 1 else []
    if not others:
        return None
    e.set(n, axis=others[-1])
    return n.output[0]


@fault("activation", "Relu", "Sigmoid", "HardSwish", "LeakyRelu", "Tanh", "Clip", "Softplus")
def activation_replaced(e, n):
    if n.op_type == "Clip":
        del n.input[1:]
        e.set(n, min=None, max=None)
    other = {"Relu": "Sigmoid", "Sigmoid": "HardSigmoid", "LeakyRelu": "Relu", "Tanh": "Sigmoid",
             "Clip": "Relu", "HardSwish": "Relu", "Softplus": "Relu"}
    n.op_type = other[n.op_type]
    e.set(n, alpha=None, beta=None)
    return n.output[0]


@fault("activation", "Relu", "LeakyRelu", "Sigmoid", "Tanh")
def activation_dropped(e, n):
    return e.bypass(n)


@fault("activation", "Conv", "Gemm", "Add")
def activation_added(e, n):
    y = e.value(n.output[0])
    if y.dtype != np.float32 or y.size < 8 or y.min() >= 0 or y.ndim < 2 or e.constant(n.output[0]) is not None:
        return None
    return e.append(n, "LeakyRelu", alpha=0.01) if y.min() < 0 else None


@fault("activation-parameter", "LeakyRelu", "Elu", "HardSigmoid", "PRelu")
def parameter_of_an_activation(e, n):
    if n.op_type == "PRelu":
        slope = e.input(n, 1)
        if slope is None:
            return None
        e.set_input(n, 1, slope * 0 + np.float32(0.1))
        return n.output[0]
    default = {"LeakyRelu": 0.01, "Elu": 1.0, "HardSigmoid": 0.2}[n.op_type]
    e.set(n, alpha=e.attr(n, "alpha", default) * 1.5)
    return n.output[0]


# ---- Resize


@fault("resize-coordinates", "Resize", variants=3)
def coordinates(e, n):
    now = e.attr(n, "coordinate_transformation_mode", "half_pixel")
    words = [w for w in ("align_corners", "asymmetric", "half_pixel", "pytorch_half_pixel") if w != now]
    if e.opset < 11:
        return None
    e.set(n, coordinate_transformation_mode=words[e.variant])
    return n.output[0]


@fault("resize-rounding", "Resize", variants=3)
def rounding_of_coordinates(e, n):
    now = e.attr(n, "nearest_mode", "round_prefer_floor")
    if e.attr(n, "mode", "nearest") != "nearest" or e.opset < 11:
        return None
    words = [w for w in ("floor", "ceil", "round_prefer_ceil", "round_prefer_floor") if w != now]
    e.set(n, nearest_mode=words[e.variant])
    return n.output[0]


@fault("resize-cubic", "Resize", variants=2)
def cubic(e, n):
    if e.attr(n, "mode", "nearest") != "cubic":
        return None
    if e.variant == 0:
        e.set(n, cubic_coeff_a=-0.5)
    else:
        e.set(n, exclude_outside=1)
    return n.output[0]


# ---- recurrent

RNN = ("GRU", "LSTM", "RNN")


@fault("gru-linear-before-reset", "GRU")
def linear_before_reset(e, n):
    e.set(n, linear_before_reset=1 - e.attr(n, "linear_before_reset", 0))
    return n.output[0] or n.output[1]


@fault("gate-order", "GRU", "LSTM")
def gates_of_another_framework(e, n):
    g, order = (3, [1, 0, 2]) if n.op_type == "GRU" else (4, [0, 2, 3, 1])
    if any(e.input(n, i) is None for i in (1, 2)):
        return None
    for i in (1, 2):
        w = e.input(n, i)
        e.set_input(n, i, w.reshape(w.shape[0], g, -1, w.shape[2])[:, order].reshape(w.shape))
    b = e.input(n, 3)
    if b is not None:
        e.set_input(n, 3, b.reshape(b.shape[0], 2, g, -1)[:, :, order].reshape(b.shape))
    return n.output[0] or n.output[1]


@fault("rnn-direction", *RNN)
def direction(e, n):
    now = e.attr(n, "direction", "forward")
    x = e.value(n.input[0])
    if now == "bidirectional" or x is None or x.shape[0] < 2:
        return None
    e.set(n, direction="reverse" if now == "forward" else "forward")
    return n.output[0] or n.output[1]


@fault("rnn-direction", *RNN)
def directions_exchanged(e, n):
    if e.attr(n, "direction", "forward") != "bidirectional":
        return None
    for i in range(1, len(n.input)):
        if e.input(n, i) is not None and e.input(n, i).shape[0] == 2:
            e.set_input(n, i, e.input(n, i)[::-1])
    return n.output[0] or n.output[1]


@fault("rnn-initial-state", *RNN, by_reference=True)
def reference_without_initial_state(e, n):
    return no_initial_state(e, n)


@fault("rnn-initial-state", *RNN)
def no_initial_state(e, n):
    h = e.value(n.input[5]) if len(n.input) > 5 and n.input[5] else None
    if h is None or not np.abs(h).max() > 0:
        return None
    e.set_input(n, 5, np.zeros_like(h))
    if len(n.input) > 6 and n.input[6]:
        e.set_input(n, 6, np.zeros_like(h))
    return n.output[0] or n.output[1]


# ---- attention


def softmax_follows(e, name, steps=3):
    """Whether a Softmax reads what this value becomes within a few nodes."""
    for n in e.users(name):
        if n.op_type == "Softmax":
            return True
        if steps and n.op_type in ("Add", "Where", "Mul", "Div") and softmax_follows(e, n.output[0], steps - 1):
            return True
    return False


@fault("attention-scale", "Mul", "Div", variants=2)
def scale_of_scores(e, n):
    c = e.input(n, 1)
    if c is None or c.size != 1 or e.value(n.output[0]).ndim < 3 or not softmax_follows(e, n.output[0]):
        return None
    e.set_input(n, 1, c * c if e.variant == 0 else c * 0 + 1)
    return n.output[0]


@fault("attention-scale", "Attention", variants=2)
def scale_of_attention(e, n):
    d = e.value(n.input[0]).shape[-1]
    e.set(n, scale=(1.0, 1.0 / d)[e.variant])
    return n.output[0]


@fault("mask-polarity", "Where")
def condition_negated(e, n):
    if e.value(n.output[0]).dtype != np.float32 or e.value(n.output[0]).size < 2:
        return None
    n.input[1], n.input[2] = n.input[2], n.input[1]
    return n.output[0]


@fault("mask-polarity", "Attention", "Add")
def mask_inverted(e, n):
    """0 where the mask has its large negative number, and the number where it has 0."""
    i = 3 if n.op_type == "Attention" else 1
    m = e.value(n.input[i]) if len(n.input) > i else None
    if m is None or m.dtype != np.float32 or not m.min() <= -1e3 or m.max() != 0 or m.size < 2:
        return None
    if n.op_type == "Add" and e.value(n.input[0]).shape[-1] != m.shape[-1]:
        return None
    e.prepend(n, i, "Sub", e.add_constant(np.float32(m.min())))
    node = e.graph.node[e.index(n) - 1]
    node.input[0], node.input[1] = node.input[1], node.input[0]
    return n.output[0]


@fault("mask-polarity", "Sub")
def mask_not_inverted(e, n):
    """1 - mask is left out where the mask goes into the scores."""
    a, y = e.input(n, 0), e.value(n.output[0])
    if a is None or a.size != 1 or a.item() != 1 or not np.isin(y, (0, 1)).all() or y.min() == y.max():
        return None
    n.op_type, n.input[0] = "Identity", n.input[1]
    del n.input[1:]
    return n.output[0]


# ---- integers and casts


@fault("int-clamp", "Add", "Mul", variants=2)
def integers_of_32_bits(e, n):
    """An int64 value is kept in 32 bits: clamped, or the low half of it."""
    y = e.value(n.output[0])
    if y.dtype != np.int64 or not np.abs(y).max() > 2 ** 31:
        return None
    if e.variant == 0:
        low, high = (e.add_constant(np.int64(v)) for v in (-2 ** 31, 2 ** 31 - 1))
        return e.append(n, "Clip", low, high)
    y, raw, half = n.output[0], e.name(), e.name()
    n.output[0] = raw
    at = e.index(n) + 1
    e.insert(at, "Cast", [raw], [half], to=TensorProto.INT32)
    e.insert(at + 1, "Cast", [half], [y], to=TensorProto.INT64)
    return y


@fault("cast-overflow", "Cast", variants=2, by_reference=True)
def cast_saturates(e, n):
    """Out of range: the nearest number, or the low bits."""
    x, y = e.value(n.input[0]), e.value(n.output[0])
    if y.dtype.kind == "f" and x.dtype == np.float32 and y.dtype == np.float16:
        if not np.abs(x).max() > 65504 or e.variant:
            return None
        e.prepend(n, 0, "Clip", *(e.add_constant(np.float32(v)) for v in (-65504, 65504)))
        return n.output[0]
    if y.dtype.kind not in "iu" or x.dtype != np.float32:
        return None
    info = np.iinfo(y.dtype)
    if not (x.max() > info.max or x.min() < info.min):
        return None
    if e.variant == 0:
        e.prepend(n, 0, "Clip", *(e.add_constant(np.float32(v)) for v in (info.min, info.max)))
        return n.output[0]
    wide, to = e.name(), e.attr(n, "to")
    e.insert(e.index(n), "Cast", [n.input[0]], [wide], to=TensorProto.INT64)
    n.input[0] = wide
    return n.output[0]


# ---- quantisation


def scale_and_zero(e, n):
    return e.input(n, 1), e.input(n, 2)


@fault("quant-scale", "QuantizeLinear", "DequantizeLinear", accept=("quant-axis",))
def other_scale(e, n):
    s, _ = scale_and_zero(e, n)
    if s is None or e.value(n.output[0]).size < 8:
        return None
    e.set_input(n, 1, s * np.float32(1.25))
    return n.output[0]


@fault("quant-zero-point", "QuantizeLinear", "DequantizeLinear", variants=2)
def other_zero_point(e, n):
    _, z = scale_and_zero(e, n)
    if z is None or z.dtype not in (np.uint8, np.int8) or e.value(n.output[0]).size < 8:
        return None
    info = np.iinfo(z.dtype)
    new = z.astype(np.int64) + (3 if z.max() < info.max - 3 else -3)
    if e.variant == 1:
        new = new * 0 + (0 if z.any() else 5)
    e.set_input(n, 2, new.astype(z.dtype))
    return n.output[0]


@fault("quant-axis", "DequantizeLinear", "QuantizeLinear")
def other_axis(e, n):
    s, z = scale_and_zero(e, n)
    x = e.value(n.input[0])
    axis = e.attr(n, "axis", 1)
    if s is None or s.ndim != 1 or s.size < 2 or x is None or e.opset < 13:
        return None
    others = [i for i in range(x.ndim) if i != axis % x.ndim and x.shape[i] == s.size]
    if not others:
        return None
    e.set(n, axis=others[0])
    return n.output[0]


@fault("quant-rounding", "QuantizeLinear", variants=2, by_reference=True)
def rounding_mode(e, n):
    """Half away from zero, or towards minus infinity, instead of half to even."""
    s, z = scale_and_zero(e, n)
    if s is None or z is None or s.size != 1:
        return None
    q, r, low, y = (e.name() for _ in range(4))
    at = e.index(n)
    e.insert(at, "Div", [n.input[0], n.input[1]], [q])
    e.insert(at + 1, "Floor", [q], [r])
    if e.variant == 0:
        half = e.add_constant(np.float32(0.5))
        e.graph.node[at + 1].input[0] = low
        e.insert(at + 1, "Add", [q, half], [low])
    e.insert(e.index(n), "Mul", [r, n.input[1]], [y])
    n.input[0] = y
    return n.output[0]
