"""The benchmark's networks: well-known architectures, each as plainly as PyTorch can say it.

models.py gives them weights and inputs and exports them.
"""

import math

import torch
from torch import nn
from torch.nn import functional as F


# ---------------------------------------------------------------- image classification


def conv_bn(c_in, c_out, k=1, stride=1, groups=1, act=nn.ReLU):
    parts = [nn.Conv2d(c_in, c_out, k, stride, k // 2, groups=groups, bias=False),
             nn.BatchNorm2d(c_out)]
    return nn.Sequential(*parts, *([act()] if act else []))


def pooled(*classifier):
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), *classifier)


class SqueezeExcite(nn.Module):
    """Weigh each channel by what a small network makes of all channels' means."""

    def __init__(self, channels, squeezed, act, gate):
        super().__init__()
        self.weigh = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(channels, squeezed, 1), act(),
                                   nn.Conv2d(squeezed, channels, 1), gate())

    def forward(self, x):
        return x * self.weigh(x)


class InvertedResidual(nn.Module):
    """Expand, convolve each channel by itself, project; MobileNetV2, V3 and EfficientNet."""

    def __init__(self, c_in, hidden, c_out, k, stride, act, excite=None):
        super().__init__()
        parts = [] if hidden == c_in else [conv_bn(c_in, hidden, act=act)]
        parts += [conv_bn(hidden, hidden, k, stride, groups=hidden, act=act)]
        parts += [excite] if excite else []
        self.body = nn.Sequential(*parts, conv_bn(hidden, c_out, act=None))
        self.residual = stride == 1 and c_in == c_out

    def forward(self, x):
        return x + self.body(x) if self.residual else self.body(x)


class Bottleneck(nn.Module):
    def __init__(self, c_in, width, stride):
        super().__init__()
        c_out = 4 * width
        self.body = nn.Sequential(conv_bn(c_in, width), conv_bn(width, width, 3, stride),
                                  conv_bn(width, c_out, act=None))
        same = c_in == c_out and stride == 1
        self.shortcut = nn.Identity() if same else conv_bn(c_in, c_out, 1, stride, act=None)

    def forward(self, x):
        return F.relu(self.body(x) + self.shortcut(x))


def mobilenet_v2():
    """MobileNetV2 1.0"""
    rows = (  # expansion, out, repeats, stride
        (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2),
        (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
    layers, c = [conv_bn(3, 32, 3, 2, act=nn.ReLU6)], 32
    for expand, c_out, repeat, stride in rows:
        for k in range(repeat):
            layers += [InvertedResidual(c, c * expand, c_out, 3, 1 if k else stride, nn.ReLU6)]
            c = c_out
    layers += [conv_bn(c, 1280, act=nn.ReLU6), pooled(nn.Linear(1280, 1000))]
    return nn.Sequential(*layers)


def mobilenet_v3_large():
    """MobileNetV3-Large 1.0"""
    relu, hard = nn.ReLU, nn.Hardswish
    rows = (  # kernel, hidden, out, channels inside squeeze-excite, activation, stride
        (3, 16, 16, 0, relu, 1), (3, 64, 24, 0, relu, 2), (3, 72, 24, 0, relu, 1),
        (5, 72, 40, 24, relu, 2), (5, 120, 40, 32, relu, 1), (5, 120, 40, 32, relu, 1),
        (3, 240, 80, 0, hard, 2), (3, 200, 80, 0, hard, 1), (3, 184, 80, 0, hard, 1),
        (3, 184, 80, 0, hard, 1), (3, 480, 112, 120, hard, 1), (3, 672, 112, 168, hard, 1),
        (5, 672, 160, 168, hard, 2), (5, 960, 160, 240, hard, 1), (5, 960, 160, 240, hard, 1))
    layers, c = [conv_bn(3, 16, 3, 2, act=hard)], 16
    for k, hidden, c_out, squeezed, act, stride in rows:
        excite = SqueezeExcite(hidden, squeezed, nn.ReLU, nn.Hardsigmoid) if squeezed else None
        layers += [InvertedResidual(c, hidden, c_out, k, stride, act, excite)]
        c = c_out
    layers += [conv_bn(c, 960, act=hard),
               pooled(nn.Linear(960, 1280), nn.Hardswish(), nn.Linear(1280, 1000))]
    return nn.Sequential(*layers)


def efficientnet_b0():
    """EfficientNet-B0"""
    rows = (  # expansion, kernel, stride, out, repeats
        (1, 3, 1, 16, 1), (6, 3, 2, 24, 2), (6, 5, 2, 40, 2), (6, 3, 2, 80, 3),
        (6, 5, 1, 112, 3), (6, 5, 2, 192, 4), (6, 3, 1, 320, 1))
    layers, c, act = [conv_bn(3, 32, 3, 2, act=nn.SiLU)], 32, nn.SiLU
    for expand, k, stride, c_out, repeat in rows:
        for i in range(repeat):
            wide = c * expand
            excite = SqueezeExcite(wide, c // 4, act, nn.Sigmoid)
            layers += [InvertedResidual(c, wide, c_out, k, 1 if i else stride, act, excite)]
            c = c_out
    layers += [conv_bn(c, 1280, act=nn.SiLU), pooled(nn.Linear(1280, 1000))]
    return nn.Sequential(*layers)


def resnet50():
    """ResNet-50, version 1.5: the stride is in the 3x3 convolution"""
    layers, c = [conv_bn(3, 64, 7, 2), nn.MaxPool2d(3, 2, 1)], 64
    for width, repeat, stride in ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)):
        for k in range(repeat):
            layers += [Bottleneck(c, width, 1 if k else stride)]
            c = 4 * width
    return nn.Sequential(*layers, pooled(nn.Linear(2048, 1000)))


# ---------------------------------------------------------------- detection, segmentation


class C2f(nn.Module):
    """Split, a chain of small residual blocks, and all intermediate results concatenated."""

    def __init__(self, c_in, c_out, repeat, residual):
        super().__init__()
        self.half = c = c_out // 2
        self.enter = conv_bn(c_in, c_out, act=nn.SiLU)
        self.blocks = nn.ModuleList(
            nn.Sequential(conv_bn(c, c, 3, act=nn.SiLU), conv_bn(c, c, 3, act=nn.SiLU))
            for _ in range(repeat))
        self.leave = conv_bn((2 + repeat) * c, c_out, act=nn.SiLU)
        self.residual = residual

    def forward(self, x):
        parts = list(self.enter(x).split(self.half, 1))
        for block in self.blocks:
            y = block(parts[-1])
            parts.append(parts[-1] + y if self.residual else y)
        return self.leave(torch.cat(parts, 1))


class PyramidPool(nn.Module):
    """Three maximum pools in a row, concatenated with what they started from."""

    def __init__(self, c):
        super().__init__()
        self.enter = conv_bn(c, c // 2, act=nn.SiLU)
        self.pool = nn.MaxPool2d(5, 1, 2)
        self.leave = conv_bn(2 * c, c, act=nn.SiLU)

    def forward(self, x):
        parts = [self.enter(x)]
        for _ in range(3):
            parts.append(self.pool(parts[-1]))
        return self.leave(torch.cat(parts, 1))


class Detector(nn.Module):
    """Backbone, two-way pyramid and an anchor-free head: the layout and size of YOLOv8n."""

    CLASSES, BINS = 80, 16  # a box side is the mean of a distribution over 16 distances
    WIDTHS, STRIDES = (64, 128, 256), (8, 16, 32)

    def __init__(self, side):
        super().__init__()

        def down(c_in, c_out):
            return conv_bn(c_in, c_out, 3, 2, act=nn.SiLU)

        def head(c_in, c, c_out):
            return nn.Sequential(conv_bn(c_in, c, 3, act=nn.SiLU), conv_bn(c, c, 3, act=nn.SiLU),
                                 nn.Conv2d(c, c_out, 1))

        self.to8 = nn.Sequential(down(3, 16), down(16, 32), C2f(32, 32, 1, True),
                                 down(32, 64), C2f(64, 64, 2, True))
        self.to16 = nn.Sequential(down(64, 128), C2f(128, 128, 2, True))
        self.to32 = nn.Sequential(down(128, 256), C2f(256, 256, 1, True), PyramidPool(256))
        self.up = nn.Upsample(scale_factor=2, mode="nearest")
        self.up16 = C2f(256 + 128, 128, 1, False)
        self.up8 = C2f(128 + 64, 64, 1, False)
        self.down16, self.join16 = down(64, 64), C2f(64 + 128, 128, 1, False)
        self.down32, self.join32 = down(128, 128), C2f(128 + 256, 256, 1, False)
        self.boxes = nn.ModuleList(head(c, 64, 4 * self.BINS) for c in self.WIDTHS)
        self.classes = nn.ModuleList(head(c, 80, self.CLASSES) for c in self.WIDTHS)
        self.register_buffer("bins", torch.arange(self.BINS).float().view(1, -1, 1, 1))
        centres, strides = [], []
        for stride in self.STRIDES:
            at = torch.arange(side // stride) + 0.5
            y, x = torch.meshgrid(at, at, indexing="ij")
            centres.append(torch.stack([x.flatten(), y.flatten()]))
            strides.append(torch.full((1, at.numel() ** 2), float(stride)))
        self.register_buffer("centres", torch.cat(centres, 1)[None])
        self.register_buffer("strides", torch.cat(strides, 1))

    def forward(self, x):
        f8 = self.to8(x)
        f16 = self.to16(f8)
        f32 = self.to32(f16)
        p16 = self.up16(torch.cat([self.up(f32), f16], 1))
        p8 = self.up8(torch.cat([self.up(p16), f8], 1))
        p16 = self.join16(torch.cat([self.down16(p8), p16], 1))
        p32 = self.join32(torch.cat([self.down32(p16), f32], 1))
        levels = (p8, p16, p32)
        box = torch.cat([f(p).flatten(2) for f, p in zip(self.boxes, levels)], 2)
        score = torch.cat([f(p).flatten(2) for f, p in zip(self.classes, levels)], 2)
        share = box.view(1, 4, self.BINS, -1).transpose(1, 2).softmax(1)
        left_top, right_bottom = F.conv2d(share, self.bins).squeeze(1).split(2, 1)
        low, high = self.centres - left_top, self.centres + right_bottom
        box = torch.cat([(low + high) / 2, high - low], 1) * self.strides
        return torch.cat([box, score.sigmoid()], 1)


class UNet(nn.Module):
    """Five levels, 32 to 512 channels, transposed convolutions on the way up."""

    def __init__(self, width=32, levels=4):
        super().__init__()

        def twice(c_in, c_out):
            return nn.Sequential(conv_bn(c_in, c_out, 3), conv_bn(c_out, c_out, 3))

        widths = [width << k for k in range(levels + 1)]
        self.down = nn.ModuleList(twice(a, b) for a, b in zip([3] + widths, widths))
        self.up = nn.ModuleList(nn.ConvTranspose2d(2 * c, c, 2, 2) for c in widths[-2::-1])
        self.join = nn.ModuleList(twice(2 * c, c) for c in widths[-2::-1])
        self.last = nn.Conv2d(width, 1, 1)

    def forward(self, x):
        kept = []
        for k, level in enumerate(self.down):
            x = level(F.max_pool2d(x, 2) if k else x)
            kept.append(x)
        for up, join, skip in zip(self.up, self.join, kept[-2::-1]):
            x = join(torch.cat([up(x), skip], 1))
        return self.last(x).sigmoid()


# ---------------------------------------------------------------- transformers


class VitBlock(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = (nn.LayerNorm(width, eps=1e-6) for _ in range(2))
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        wide = 4 * width
        self.mlp = nn.Sequential(nn.Linear(width, wide), nn.GELU(), nn.Linear(wide, width))

    def forward(self, x):
        n, length, width = x.shape
        qkv = self.qkv(self.norm1(x)).view(n, length, 3, self.heads, width // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        y = F.scaled_dot_product_attention(q, k, v)
        x = x + self.out(y.transpose(1, 2).reshape(n, length, width))
        return x + self.mlp(self.norm2(x))


class VisionTransformer(nn.Module):
    def __init__(self, side=224, patch=16, width=384, depth=12, heads=6, classes=1000):
        super().__init__()
        self.patches = nn.Conv2d(3, width, patch, patch)
        self.first = nn.Parameter(0.02 * torch.randn(1, 1, width))
        self.position = nn.Parameter(0.02 * torch.randn(1, (side // patch) ** 2 + 1, width))
        self.blocks = nn.Sequential(*(VitBlock(width, heads) for _ in range(depth)))
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.head = nn.Linear(width, classes)

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.first.expand(x.shape[0], -1, -1), x], 1) + self.position
        return self.head(self.norm(self.blocks(x))[:, 0])


def split_heads(x, heads):
    return x.view(x.shape[0], x.shape[1], heads, -1).transpose(1, 2)


def join_heads(x):
    return x.transpose(1, 2).reshape(x.shape[0], x.shape[2], -1)


class BertLayer(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value, self.out = (nn.Linear(width, width) for _ in range(4))
        self.wide, self.narrow = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.norm1, self.norm2 = (nn.LayerNorm(width, eps=1e-12) for _ in range(2))

    def forward(self, x, mask):
        q, k, v = (split_heads(f(x), self.heads) for f in (self.query, self.key, self.value))
        scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1]) + mask
        x = self.norm1(x + self.out(join_heads(scores.softmax(-1) @ v)))
        return self.norm2(x + self.narrow(F.gelu(self.wide(x))))


class Bert(nn.Module):
    def __init__(self, words=30522, places=512, width=768, depth=12, heads=12):
        super().__init__()
        self.word, self.place = nn.Embedding(words, width), nn.Embedding(places, width)
        self.kind = nn.Embedding(2, width)
        self.norm = nn.LayerNorm(width, eps=1e-12)
        self.layers = nn.ModuleList(BertLayer(width, heads) for _ in range(depth))
        self.pool = nn.Linear(width, width)
        self.register_buffer("places", torch.arange(places)[None])

    def forward(self, ids, attention_mask, kinds):
        x = self.word(ids) + self.place(self.places[:, : ids.shape[1]]) + self.kind(kinds)
        mask = (1.0 - attention_mask[:, None, None, :].float()) * torch.finfo(torch.float32).min
        x = self.norm(x)
        for layer in self.layers:
            x = layer(x, mask)
        return x, self.pool(x[:, 0]).tanh()


class GptLayer(nn.Module):
    def __init__(self, width, heads, places):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = (nn.LayerNorm(width) for _ in range(2))
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.wide, self.narrow = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.register_buffer("causal", torch.ones(1, 1, places, places, dtype=torch.bool).tril())

    def forward(self, x, past):
        parts = self.qkv(self.norm1(x)).split(x.shape[-1], -1)
        q, k, v = (split_heads(part, self.heads) for part in parts)
        if past:
            k, v = torch.cat([past[0], k], 2), torch.cat([past[1], v], 2)
        total, new = k.shape[2], q.shape[2]
        scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
        seen = self.causal[:, :, total - new : total, :total]
        scores = torch.where(seen, scores, torch.finfo(torch.float32).min)
        x = x + self.out(join_heads(scores.softmax(-1) @ v))
        return x + self.narrow(F.gelu(self.wide(self.norm2(x)), approximate="tanh")), k, v


class Gpt(nn.Module):
    def __init__(self, words=50257, places=1024, width=768, depth=12, heads=12):
        super().__init__()
        self.word, self.place = nn.Embedding(words, width), nn.Embedding(places, width)
        self.layers = nn.ModuleList(GptLayer(width, heads, places) for _ in range(depth))
        self.norm = nn.LayerNorm(width)

    def forward(self, ids, *past):
        start = past[0].shape[2] if past else 0
        x = self.word(ids) + self.place(torch.arange(start, start + ids.shape[1])[None])
        present = []
        for k, layer in enumerate(self.layers):
            x, *pair = layer(x, past[2 * k : 2 * k + 2])
            present += pair
        return F.linear(self.norm(x), self.word.weight), *present


# ---------------------------------------------------------------- sound and sequences


class FlatLstm(nn.LSTM):
    """nn.LSTM with its states as plain parameters and results instead of pairs."""

    def forward(self, x, h, c):
        y, (h, c) = super().forward(x, (h, c))
        return y, h, c


def separable(c_in, c_out, k, stride=1, dilation=1, act=True):
    """1-D: one wide filter per channel, then a mix of channels."""
    pad = dilation * (k - 1) // 2
    parts = [nn.Conv1d(c_in, c_in, k, stride, pad, dilation, groups=c_in, bias=False),
             nn.Conv1d(c_in, c_out, 1, bias=False), nn.BatchNorm1d(c_out)]
    return nn.Sequential(*parts, *([nn.ReLU()] if act else []))


class SpeechBlock(nn.Module):
    def __init__(self, c_in, c_out, k, repeat=5):
        super().__init__()
        widths = [c_in] + [c_out] * repeat
        self.body = nn.Sequential(*(separable(a, b, k, act=i < repeat - 1)
                                    for i, (a, b) in enumerate(zip(widths, widths[1:]))))
        self.shortcut = nn.Sequential(nn.Conv1d(c_in, c_out, 1, bias=False), nn.BatchNorm1d(c_out))

    def forward(self, x):
        return F.relu(self.body(x) + self.shortcut(x))


def quartznet_5x5():
    """64 mel bands in, log probabilities of 29 letters out, one for every second frame"""
    layers, c = [separable(64, 256, 33, stride=2)], 256
    for c_out, k in ((256, 33), (256, 39), (512, 51), (512, 63), (512, 75)):
        layers += [SpeechBlock(c, c_out, k)]
        c = c_out
    layers += [separable(512, 512, 87, dilation=2), nn.Conv1d(512, 1024, 1, bias=False),
               nn.BatchNorm1d(1024), nn.ReLU(), nn.Conv1d(1024, 29, 1), nn.LogSoftmax(dim=1)]
    return nn.Sequential(*layers)
