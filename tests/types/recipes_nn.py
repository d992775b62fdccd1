"""Recipes for networks: products, convolutions, pooling, normalisation, recurrence, attention, signals."""
import io
import itertools

import numpy as np
from PIL import Image

from recipe import NUMBER, NUMPY, ROUNDOFF, is_float, recipe, wide


EPSILON = float(np.float32(1e-5))  # attributes are float


def integer(c, var="T"):
    return not is_float(c.kind(var))


# ---- products ----
@recipe("MatMul")
def matmul(c):
    a, b = c.uniform("T", 2, 3, 5, low=-4, high=4), c.uniform("T", 5, 4, low=-4, high=4)
    c.emit([a, b], [wide(a) @ wide(b)], tol=8)
    c.emit([a, b], [wide(a) @ wide(b)], tol=8, constants=(1,))


@recipe("Gemm")
def gemm(c):
    a, b, v = c.uniform("T", 5, 3), c.uniform("T", 4, 5), c.uniform("T", 3, 4)
    alpha, beta = (2.0, 3.0) if integer(c) else (0.5, 0.25)
    y = alpha * (wide(a).T @ wide(b).T) + beta * wide(v)
    c.emit([a, b, v], [y.astype(NUMPY[c.kind("T")])], tol=8, alpha=alpha, beta=beta, transA=1, transB=1)
    row = v[0]
    y = wide(a).T @ wide(b).T + wide(row)
    c.emit([a, b, row], [y.astype(NUMPY[c.kind("T")])], tol=8, transA=1, transB=1, broadcast=1 if c.version < 7 else None)
    if c.version >= 11:
        c.emit([a, b], [(wide(a).T @ wide(b).T).astype(NUMPY[c.kind("T")])], tol=8, transA=1, transB=1)


@recipe("Einsum")
def einsum(c):
    a, b = c.uniform("T", 2, 3, 4, low=-4, high=4), c.uniform("T", 2, 4, 3, low=-4, high=4)
    for equation in ("bij,bjk->bik", "bij,bji->b", "...ij,...jk->...", "bij,bjk"):
        c.emit([a, b], [np.asarray(np.einsum(equation, wide(a), wide(b)))], tol=8, scale=64, equation=equation)


@recipe("MatMulInteger")
def matmul_integer(c):
    a, b = c.array("T1", 3, 5), c.array("T2", 5, 4)
    za, zb = c.array("T1", 1).reshape(()), c.array("T2", 4)
    y = (a.astype(np.int32) - int(za)) @ (b.astype(np.int32) - zb.astype(np.int32))
    c.emit([a, b, za, zb], [y])
    c.emit([a, b], [a.astype(np.int32) @ b.astype(np.int32)])


@recipe("Det")
def det(c):
    x = c.uniform("T", 2, 4, 4)
    c.emit([x], [np.linalg.det(wide(x))], tol=16, scale=16)


# ---- convolution ----
@recipe("Conv")
def conv(c):
    x, w, b = c.uniform("T", 1, 4, 7, 6), c.uniform("T", 6, 2, 3, 2), c.uniform("T", 6)
    c.reference([x, w, b], tol=8, scale=24, group=2, pads=[1, 0, 1, 1], strides=[2, 1], dilations=[1, 2])
    c.reference([c.uniform("T", 2, 3, 9), c.uniform("T", 4, 3, 3)], tol=8, scale=24, auto_pad="SAME_UPPER")


@recipe("ConvTranspose")
def conv_transpose(c):
    x, w, b = c.uniform("T", 1, 4, 5, 4), c.uniform("T", 4, 3, 3, 2), c.uniform("T", 3)
    # Written from the definition: every input element adds its share of the kernel.
    y = np.zeros((1, 3, 2 * 4 + 3, 3 + 2))
    for i, j in itertools.product(range(5), range(4)):
        y[:, :, 2 * i:2 * i + 3, j:j + 2] += np.einsum("nc,cokl->nokl", wide(x)[:, :, i, j], wide(w))
    y = y[:, :, 1:-1] + wide(b)[None, :, None, None]
    c.emit([x, w, b], [y], tol=8, scale=24, strides=[2, 1], pads=[1, 0, 1, 0])


@recipe("DeformConv")
def deform_conv(c):
    x, w, b = c.uniform("T", 1, 2, 5, 5), c.uniform("T", 3, 2, 2, 2), c.uniform("T", 3)
    offset = (np.round(c.rng.uniform(-1, 1, (1, 8, 4, 4)) * 4) / 4).astype(x.dtype)
    mask = c.uniform("T", 1, 4, 4, 4, low=0, high=1)
    c.reference([x, w, offset, b, mask], tol=16, scale=32, pads=[0, 0, 0, 0])


@recipe("CausalConvWithState")
def causal_conv(c):
    x, w, b, past = c.uniform("T", 2, 3, 6), c.uniform("T", 3, 1, 3), c.uniform("T", 3), c.uniform("T", 2, 3, 2)
    padded = np.concatenate([wide(past), wide(x)], 2)
    y = sum(padded[:, :, k:k + 6] * wide(w)[:, 0, k, None] for k in range(3)) + wide(b)[None, :, None]
    c.emit([x, w, b, past], [y, padded[:, :, -2:]], tol=8, scale=12)


# ---- pooling ----
def windows(x, k, s, pad, fill):
    x = np.pad(x, [(0, 0)] * 2 + [(p, p) for p in pad], constant_values=fill)
    view = np.lib.stride_tricks.sliding_window_view(x, k, tuple(range(2, 2 + len(k))))
    return view[(slice(None), slice(None), *(slice(None, None, v) for v in s))]


def pooled(c, reduce, fill, var="X", **attributes):
    x = c.uniform("T", 1, 2, 7, 6, low=0 if c.kind("T")[0] == "u" else -9, high=9)
    y = reduce(windows(wide(x).astype(np.float64), (3, 2), (2, 1), (1, 1), fill))
    return x, y, dict(kernel_shape=[3, 2], strides=[2, 1], pads=[1, 1, 1, 1], **attributes)


@recipe("AveragePool")
def average_pool(c):
    x, total, attributes = pooled(c, lambda w: w.sum((-1, -2)), 0)
    n = windows(np.ones((1, 2, 7, 6)), (3, 2), (2, 1), (1, 1), 0).sum((-1, -2))
    c.emit([x], [total / n], **attributes)
    if c.version >= 7:
        c.emit([x], [total / 6], count_include_pad=1, **attributes)


@recipe("LpPool")
def lp_pool(c):
    x, y, attributes = pooled(c, lambda w: (np.abs(w)**3).sum((-1, -2))**(1 / 3), 0)
    c.emit([x], [y], tol=8, p=3.0 if c.version < 2 else 3, **attributes)


@recipe("MaxPool")
def max_pool(c):
    x, y, attributes = pooled(c, lambda w: w.max((-1, -2)), -np.inf)
    if c.version < 8:
        c.emit([x], [y], **attributes)
        return
    at = np.pad(np.arange(x.size).reshape(x.shape), ((0, 0), (0, 0), (1, 1), (1, 1)), constant_values=-1)
    values = windows(wide(x).astype(np.float64), (3, 2), (2, 1), (1, 1), -np.inf)
    values = values.reshape(*values.shape[:4], 6)
    where = np.lib.stride_tricks.sliding_window_view(at, (3, 2), (2, 3))[:, :, ::2].reshape(values.shape)
    indices = np.take_along_axis(where, values.argmax(-1)[..., None], -1)[..., 0]
    c.emit([x], [y, indices], **attributes)


@recipe("GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool")
def global_pool(c):
    x = c.uniform("T", 2, 3, 4, 5)
    w = wide(x)
    if c.op == "GlobalAveragePool":
        c.emit([x], [w.mean((2, 3), keepdims=True)], scale=2)
    elif c.op == "GlobalMaxPool":
        c.emit([x], [w.max((2, 3), keepdims=True)])
    else:
        c.emit([x], [(np.abs(w)**3).sum((2, 3), keepdims=True)**(1 / 3)], tol=8, p=3.0 if c.version < 2 else 3)


@recipe("MaxRoiPool")
def max_roi_pool(c):
    x = c.uniform("T", 1, 2, 6, 6)
    rois = c.ints("T", 0, 1, 1, 4, 4).reshape(1, 5)
    region = wide(x)[:, :, 1:5, 1:5].reshape(1, 2, 2, 2, 2, 2)
    c.emit([x, rois], [region.max((3, 5))], pooled_shape=[2, 2])


@recipe("MaxUnpool")
def max_unpool(c):
    x = c.uniform("T1", 1, 1, 2, 2, low=1, high=9)
    at = np.array([[[[5, 2], [8, 15]]]])
    y = np.zeros(16)
    y[at.ravel()] = wide(x).ravel()
    c.emit([x, at], [y.reshape(1, 1, 4, 4)], kernel_shape=[2, 2], strides=[2, 2])
    padded = np.zeros((1, 1, 5, 5))  # output_shape adds zeros behind; indices count in the shape without them
    padded[:, :, :4, :4] = y.reshape(1, 1, 4, 4)
    c.emit([x, at, np.array([1, 1, 5, 5])], [padded], kernel_shape=[2, 2], strides=[2, 2])


@recipe("RoiAlign")
def roi_align(c):
    x = c.uniform("T1", 2, 2, 6, 6)
    rois = c.ints("T1", 0.5, 0.5, 4, 4.5, 1, 0, 5, 3).reshape(2, 4)
    ins, size = [x, rois, np.array([0, 1])], dict(output_height=2, output_width=2, sampling_ratio=2)
    old = dict(coordinate_transformation_mode="output_half_pixel")  # what version 10 does, without the attribute
    y = c.evaluate(ins, version=16, **size, **old)
    c.emit(ins, y, tol=8, scale=4, **size, **(old if c.version >= 16 else {}))
    if c.version >= 16:
        c.reference(ins, tol=8, scale=4, **size)


# ---- normalisation ----
def at_axis(v, rank, axis=1):
    shape = [1] * rank
    shape[axis] = -1
    return np.asarray(wide(v)).reshape(shape)


@recipe("BatchNormalization")
def batch_norm(c):
    # The evaluator applies version 14's training rule to version 9: written out here from the text.
    kinds = {14: ("T", "T", "U"), 15: ("T", "T1", "T2")}.get(c.version, ("T", "T", "T"))
    x, scale, bias = c.uniform(kinds[0], 3, 4, 5), c.uniform(kinds[1], 4), c.uniform(kinds[1], 4)
    mean, var = c.uniform(kinds[2], 4), c.uniform(kinds[2], 4, low=0.5)
    s, b, m, v = (at_axis(a, 3) for a in (scale, bias, mean, var))
    ins = [x, scale, bias, mean, var]
    y = (wide(x) - m) / np.sqrt(v + EPSILON) * s + b
    more = dict(is_test=1) if c.version < 7 else {}
    if c.version == 1:
        more["consumed_inputs"] = [0, 0, 0, 1, 1]
    c.emit(ins, [y], tol=8, scale=8, **more)
    if c.version >= 14:
        m1, v1 = wide(x).mean((0, 2)), wide(x).var((0, 2))
        y = (wide(x) - at_axis(m1, 3)) / np.sqrt(at_axis(v1, 3) + EPSILON) * s + b
        running = [wide(mean) * 0.75 + m1 * 0.25, wide(var) * 0.75 + v1 * 0.25]
        c.emit(ins, [y, *running], tol=8, scale=8, training_mode=1, momentum=0.75)


@recipe("InstanceNormalization")
def instance_norm(c):
    x, scale, bias = c.uniform("T", 2, 3, 4, 5), c.uniform("T", 3), c.uniform("T", 3)
    w = wide(x)
    y = (w - w.mean((2, 3), keepdims=True)) / np.sqrt(w.var((2, 3), keepdims=True) + EPSILON) * at_axis(scale, 4) + at_axis(bias, 4)
    c.emit([x, scale, bias], [y], tol=8, scale=8)


@recipe("GroupNormalization")
def group_norm(c):
    # Version 18 has one scale a group, version 21 one a channel.
    x, n = c.uniform("T", 2, 4, 3, 3), 2 if c.version < 21 else 4
    scale, bias = c.uniform("T", n), c.uniform("T", n)
    w = wide(x).reshape(2, 2, -1)
    y = ((w - w.mean(2, keepdims=True)) / np.sqrt(w.var(2, keepdims=True) + EPSILON)).reshape(x.shape)
    y = y * at_axis(np.repeat(wide(scale), 4 // n), 4) + at_axis(np.repeat(wide(bias), 4 // n), 4)
    if c.version >= 21:  # stage one is in stash_type, float
        c.emit([x, scale, bias], [y], tol=8, scale=8, num_groups=2, unit="float" if c.kind("T") == "double" else None)
    else:
        c.emit([x, scale, bias], [y], tol=8, scale=8, num_groups=2)


@recipe("LayerNormalization")
def layer_norm(c):
    # Stage one is in the type of U (stash_type).
    x, scale, bias = c.uniform("T", 2, 3, 8), c.uniform("T", 8), c.uniform("T", 8)
    w, u = wide(x), c.kind("U")
    mean, inv = w.mean(-1, keepdims=True), 1 / np.sqrt(w.var(-1, keepdims=True) + EPSILON)
    coarser = max(c.kind("T"), u, key=lambda k: ROUNDOFF[k])
    c.emit([x, scale, bias], [(w - mean) * inv * wide(scale) + wide(bias), mean, inv], tol=8, scale=8, unit=coarser,
           stash_type=NUMBER[u])


@recipe("RMSNormalization")
def rms_norm(c):
    x, scale = c.uniform("T", 2, 3, 8), c.uniform("V", 8)
    w = wide(x)
    y = w / np.sqrt((w**2).mean(-1, keepdims=True) + EPSILON) * wide(scale)
    # Stage one is in float, its result is cast to V before the scale.
    coarser = max(c.kind("T"), "float", c.kind("V"), key=lambda k: ROUNDOFF[k])
    c.emit([x, scale], [y], tol=8, scale=8, unit=coarser)


@recipe("LRN")
def lrn(c):
    x = c.uniform("T", 2, 5, 3, 3)
    w = np.pad(wide(x)**2, ((0, 0), (1, 1), (0, 0), (0, 0)))
    total = w[:, :-2] + w[:, 1:-1] + w[:, 2:]
    c.emit([x], [wide(x) / (1 + 0.5 / 3 * total)**0.75], tol=8, size=3, alpha=0.5)


@recipe("LpNormalization")
def lp_norm(c):
    x = c.uniform("T", 3, 4)
    c.emit([x], [wide(x) / np.sqrt((wide(x)**2).sum(0, keepdims=True))], axis=0)
    c.emit([x], [wide(x) / np.abs(wide(x)).sum(-1, keepdims=True)], p=1)


@recipe("MeanVarianceNormalization")
def mvn(c):
    x = c.uniform("T", 2, 3, 4, 4)
    w = wide(x)
    c.emit([x], [(w - w.mean((0, 2, 3), keepdims=True)) / (w.std((0, 2, 3), keepdims=True) + 1e-9)], tol=8, scale=4)


# ---- recurrence ----
def sigmoid(v):
    return 1 / (1 + np.exp(-v))


@recipe("RNN", "GRU", "LSTM")
def recurrent(c):
    # Two directions, written from the equations; sequence_lens is full, since triples name its type only.
    gates = {"RNN": 1, "GRU": 3, "LSTM": 4}[c.op]
    n, batch, size, hidden = 3, 2, 4, 3
    x = c.uniform("T", n, batch, size, low=-1, high=1)
    w, r = c.uniform("T", 2, gates * hidden, size, low=-1, high=1), c.uniform("T", 2, gates * hidden, hidden, low=-1, high=1)
    b, h0 = c.uniform("T", 2, 2 * gates * hidden, low=-1, high=1), c.uniform("T", 2, batch, hidden, low=-1, high=1)
    ins = [x, w, r, b, np.full(batch, n, np.int32), h0]
    if c.op == "LSTM":
        ins += [c.uniform("T", 2, batch, hidden, low=-1, high=1), c.uniform("T", 2, 3 * hidden, low=-1, high=1)]
    y = np.zeros((n, 2, batch, hidden))
    last_h, last_c = np.zeros((2, batch, hidden)), np.zeros((2, batch, hidden))
    for d in range(2):
        h = wide(h0)[d]
        cell = wide(ins[6])[d] if c.op == "LSTM" else None
        wb, rb = np.split(wide(b)[d], 2)
        for t in range(n) if d == 0 else range(n - 1, -1, -1):
            gx, gh = wide(x)[t] @ wide(w)[d].T + wb, h @ wide(r)[d].T + rb
            if c.op == "RNN":
                h = np.tanh(gx + gh)
            elif c.op == "GRU":
                zx, rx, hx = np.split(gx, 3, 1)
                zh, rh, _ = np.split(gh, 3, 1)
                z, reset = sigmoid(zx + zh), sigmoid(rx + rh)
                rw, rbh = wide(r)[d][2 * hidden:], rb[2 * hidden:]
                h = (1 - z) * np.tanh(hx + (reset * h) @ rw.T + rbh) + z * h
            else:
                i, o, f, g = np.split(gx + gh, 4, 1)
                pi, po, pf = np.split(wide(ins[7])[d], 3)
                i, f = sigmoid(i + pi * cell), sigmoid(f + pf * cell)
                cell = f * cell + i * np.tanh(g)
                h = sigmoid(o + po * cell) * np.tanh(cell)
            y[t, d] = h
        last_h[d] = h
        if c.op == "LSTM":
            last_c[d] = cell
    # Before version 7 the whole sequence is put out only if output_sequence is set.
    more = dict(output_sequence=1) if c.version < 7 else {}
    c.emit(ins, [y, last_h] + ([last_c] if c.op == "LSTM" else []), tol=16, hidden_size=hidden, direction="bidirectional", **more)


# ---- attention ----
def attend(q, k, v, bias):
    score = np.einsum("bhqd,bhkd->bhqk", wide(q), wide(k)) / np.sqrt(q.shape[-1]) + bias
    p = np.exp(score - score.max(-1, keepdims=True))
    return np.einsum("bhqk,bhkd->bhqd", p / p.sum(-1, keepdims=True), wide(v))


@recipe("Attention")
def attention(c):
    q, k, v = c.uniform("T1", 1, 2, 3, 8), c.uniform("T1", 1, 2, 4, 8), c.uniform("T2", 1, 2, 4, 8)
    kind = c.kind("U")
    mask = c.rng.integers(0, 2, (3, 4)).astype(bool) if kind == "bool" else c.uniform("U", 3, 4)
    if kind == "bool":
        mask[:, 0] = True
    bias = np.where(mask, 0, -np.inf) if kind == "bool" else wide(mask)
    # Products and softmax are each rounded to Q's type, then the weights to V's.
    coarser = max(c.kind("T1"), c.kind("T2"), key=lambda k: ROUNDOFF[k])
    c.emit([q, k, v, mask], [attend(q, k, v, bias)], tol=16, scale=2, unit=coarser)
    past_k, past_v = c.uniform("T1", 1, 2, 2, 8), c.uniform("T2", 1, 2, 2, 8)
    all_k, all_v = np.concatenate([past_k, k[:, :, :2]], 2), np.concatenate([past_v, v[:, :, :2]], 2)
    c.emit([q, k[:, :, :2], v[:, :, :2], mask, past_k, past_v], [attend(q, all_k, all_v, bias), all_k, all_v], tol=16,
           scale=2, unit=coarser)


@recipe("FlexAttention")
def flex_attention(c):
    q, k, v = c.uniform("T1", 1, 2, 3, 8), c.uniform("T1", 1, 2, 4, 8), c.uniform("T1", 1, 2, 4, 8)
    c.emit([q, k, v], [attend(q, k, v, 0)], tol=16, scale=2)


@recipe("RotaryEmbedding")
def rotary(c):
    x, angle = c.uniform("T", 2, 3, 4, 8), c.rng.uniform(-3, 3, (6, 4))
    cos, sin = np.cos(angle).astype(x.dtype), np.sin(angle).astype(x.dtype)
    ids = np.array([[0, 1, 2, 3], [2, 3, 4, 5]])
    a, b = wide(x)[..., :4], wide(x)[..., 4:]
    co, si = wide(cos)[ids][:, None], wide(sin)[ids][:, None]
    c.emit([x, cos, sin, ids], [np.concatenate([a * co - b * si, b * co + a * si], -1)], scale=4)


@recipe("LinearAttention")
def linear_attention(c):
    # linear: S += k v, y = scale S q
    q, k, v = (c.uniform("T", 1, 3, 8, low=-1, high=1) for _ in range(3))
    past = c.uniform("S", 1, 2, 4, 4, low=-1, high=1)
    s, y = wide(past).copy(), np.zeros((1, 3, 8))
    for t in range(3):
        for h in range(2):
            at = slice(4 * h, 4 * h + 4)
            s[0, h] += np.outer(wide(k)[0, t, at], wide(v)[0, t, at])
            y[0, t, at] = wide(q)[0, t, at] @ s[0, h] * 0.5
    coarser = max(c.kind("T"), c.kind("S"), key=lambda kind: ROUNDOFF[kind])
    c.emit([q, k, v, past], [y, s], tol=16, scale=8, unit=coarser, kv_num_heads=2, q_num_heads=2, update_rule="linear")


# ---- pictures ----
@recipe("AffineGrid")
def affine_grid(c):
    theta = c.uniform("T1", 2, 2, 3)
    for corners in (0, 1):
        axis = lambda n: np.linspace(-1, 1, n) if corners else (np.arange(n) + 0.5) * 2 / n - 1
        ys, xs = np.meshgrid(axis(4), axis(5), indexing="ij")
        points = np.stack([xs, ys, np.ones_like(xs)], -1)
        c.emit([theta, np.array([2, 3, 4, 5])], [np.einsum("nij,hwj->nhwi", wide(theta), points)], scale=4, align_corners=corners)


def number_like(c, var):
    """Types on which interpolation computes; the others only move."""
    return is_float(c.kind(var))


@recipe("GridSample")
def grid_sample(c):
    x = c.array("T1", 1, 2, 4, 5)
    at = c.rng.integers(0, 20, (3, 3))
    i, j = at // 5, at % 5
    grid = np.stack([(j + 0.5) * 2 / 5 - 1, (i + 0.5) * 2 / 4 - 1], -1)[None].astype(NUMPY[c.kind("T2")])
    c.emit([x, grid], [x[:, :, i, j]], mode="nearest")
    if number_like(c, "T1"):
        u, v = c.rng.integers(0, 12, (3, 3)) / 4, c.rng.integers(0, 16, (3, 3)) / 4  # exact in every type
        grid = np.stack([v / 2 - 1, u * 2 / 3 - 1], -1)[None].astype(NUMPY[c.kind("T2")])
        g = wide(grid)[0]
        gy, gx = (g[..., 1] + 1) * 1.5, (g[..., 0] + 1) * 2
        i, j = np.minimum(np.floor(gy).astype(int), 2), np.minimum(np.floor(gx).astype(int), 3)
        i, j = np.maximum(i, 0), np.maximum(j, 0)
        di, dj = gy - i, gx - j
        w = wide(x)
        y = ((w[:, :, i, j] * (1 - dj) + w[:, :, i, j + 1] * dj) * (1 - di)
             + (w[:, :, i + 1, j] * (1 - dj) + w[:, :, i + 1, j + 1] * dj) * di)
        # Coordinates are in the grid's precision.
        coarser = max(c.kind("T1"), c.kind("T2"), key=lambda k: ROUNDOFF[k])
        c.emit([x, grid], [y], tol=16, scale=4, unit=coarser, align_corners=1, padding_mode="border",
               mode="bilinear" if c.version < 20 else "linear")


@recipe("Resize", "Upsample")
def resize(c):
    x = c.array("T1" if "T1" in c.t else "T", 1, 2, 3, 2)
    big = x.repeat(2, 2).repeat(3, 3)
    scales = [1.0, 1.0, 2.0, 3.0]
    if c.op == "Upsample" and c.version < 9:
        c.emit([x], [big], **(dict(height_scale=2.0, width_scale=3.0) if c.version == 1 else dict(scales=scales)))
        return
    if c.version < 11:
        c.emit([x, np.array(scales, np.float32)], [big])
        return
    roi = np.zeros(8, NUMPY[c.kind("T2")])
    at = dict(coordinate_transformation_mode="asymmetric", nearest_mode="floor")
    c.emit([x, roi, np.array(scales, np.float32)], [big], **at)
    c.emit([x, roi, np.array([], np.float32) if c.version < 13 else None, np.array([1, 2, 6, 6])], [big], **at)
    if number_like(c, "T1"):
        # tf_crop_and_resize reads roi: rows 0..1 of 3 and the whole width
        roi = c.ints("T2", 0, 0, 0, 0, 1, 1, 0.5, 1)
        y = wide(x)[:, :, :2]
        c.emit([x, roi, None if c.version >= 13 else np.array([], np.float32), np.array([1, 2, 2, 2])], [y], tol=8, scale=4,
               mode="linear", coordinate_transformation_mode="tf_crop_and_resize")


@recipe("ImageDecoder")
def image_decoder(c):
    picture = c.rng.integers(0, 256, (5, 7, 3)).astype(np.uint8)
    for name in ("PNG", "BMP"):  # lossless, and in every build
        file = io.BytesIO()
        Image.fromarray(picture).save(file, name)
        stream = np.frombuffer(file.getvalue(), np.uint8)
        c.emit([stream], [picture], pixel_format="RGB")
        c.emit([stream], [picture[..., ::-1]], pixel_format="BGR")


# ---- signals ----
@recipe("BlackmanWindow", "HannWindow", "HammingWindow")
def window(c):
    n = 10
    for periodic in (1, 0):
        t = 2 * np.pi * np.arange(n) / (n if periodic else n - 1)
        y = {"HannWindow": 0.5 - 0.5 * np.cos(t), "HammingWindow": 25 / 46 - 21 / 46 * np.cos(t),
             "BlackmanWindow": 0.42 - 0.5 * np.cos(t) + 0.08 * np.cos(2 * t)}[c.op]
        kind = c.kind("T2")
        if not is_float(kind):
            y = np.trunc(y + 1e-12)  # the top of a window is exactly 1
        # The function's body computes in float.
        c.emit([np.array(n, NUMPY[c.kind("T1")])], [y], tol=8, scale=1, unit="float" if kind == "double" else None,
               output_datatype=NUMBER[kind], periodic=periodic)


@recipe("MelWeightMatrix")
def mel(c):
    kind = c.kind("T3")
    ins = [np.array(v, NUMPY[c.kind("T1")]) for v in (4, 16, 8192)] + [np.array(v, NUMPY[c.kind("T2")]) for v in (0, 4096)]
    y = c.evaluate(ins, output_datatype=NUMBER["double"])[0]
    if not is_float(kind):
        y = np.trunc(y)
    c.emit(ins, [y], tol=8, unit="float" if kind == "double" else None, output_datatype=NUMBER[kind])


@recipe("DFT")
def dft(c):
    x = c.uniform("T1", 2, 8, 1)
    y = np.fft.fft(wide(x)[..., 0], 6, 1)
    y = np.stack([y.real, y.imag], -1)
    length = np.array(6, NUMPY[c.kind("T2")])
    c.emit([x, length] + ([np.array(1)] if c.version >= 20 else []), [y], tol=16, scale=16, **(dict(axis=1) if c.version < 20 else {}))
    z = c.uniform("T1", 2, 6, 2)
    y = np.fft.ifft(wide(z)[..., 0] + 1j * wide(z)[..., 1], 6, 1)
    y = np.stack([y.real, y.imag], -1)
    c.emit([z, length] + ([np.array(1)] if c.version >= 20 else []), [y], tol=16, scale=4, inverse=1, **(dict(axis=1) if c.version < 20 else {}))


@recipe("STFT")
def stft(c):
    x, w = c.uniform("T1", 2, 16, 1), c.uniform("T1", 8, low=0)
    frames = np.stack([wide(x)[:, s:s + 8, 0] * wide(w) for s in (0, 4, 8)], 1)
    y = np.fft.rfft(frames, axis=2)
    number = lambda v: np.array(v, NUMPY[c.kind("T2")])
    c.emit([x, number(4), w, number(8)], [np.stack([y.real, y.imag], -1)], tol=16, scale=32)


# ---- optimisers ----
@recipe("Adagrad", "Adam", "Momentum")
def optimiser(c):
    r, t = np.array(0.1, NUMPY[c.kind("T1")]), np.array(2)
    x, g = c.uniform("T3", 3, 2), c.uniform("T3", 3, 2)
    state = [c.uniform("T3", 3, 2, low=0) for _ in range(2 if c.op == "Adam" else 1)]
    given = {"Adagrad": dict(decay_factor=0.1, norm_coefficient=0.01, epsilon=1e-5),
             "Adam": dict(alpha=0.9, beta=0.99, norm_coefficient=0.01, epsilon=1e-5, norm_coefficient_post=0.001),
             "Momentum": dict(alpha=0.9, beta=0.5, norm_coefficient=0.01, mode="nesterov")}[c.op]
    f = {n: float(np.float32(v)) if isinstance(v, float) else v for n, v in given.items()}
    X, G, R = wide(x), wide(g), float(r)
    G = G + f["norm_coefficient"] * X
    if c.op == "Adagrad":
        h = wide(state[0]) + G * G
        outs = [X - R / (1 + 2 * f["decay_factor"]) * G / (np.sqrt(h) + f["epsilon"]), h]
    elif c.op == "Adam":
        v, h = f["alpha"] * wide(state[0]) + (1 - f["alpha"]) * G, f["beta"] * wide(state[1]) + (1 - f["beta"]) * G * G
        rate = R * np.sqrt(1 - f["beta"]**2) / (1 - f["alpha"]**2)
        new = X - rate * v / (np.sqrt(h) + f["epsilon"])
        outs = [(1 - f["norm_coefficient_post"]) * new, v, h]
    else:
        v = f["alpha"] * wide(state[0]) + f["beta"] * G
        outs = [X - R * (G + f["alpha"] * v), v]
    c.emit([r, t, x, g, *state], outs, tol=16, unit="float" if "float" in (c.kind("T1"), c.kind("T3")) else None, **given)
