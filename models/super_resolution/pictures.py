"""The pictures: which ones, how they become luminance, and how a low-resolution one is made.

All of them lie inside the scikit-image wheel and are opened by their path.  `skimage.data.<name>()`
is avoided on purpose: it would fetch a missing picture from the network instead of failing.
"""

from pathlib import Path

import numpy as np
import skimage.data
from PIL import Image

from network import SCALE

HELD_OUT = "astronaut.png"
TRAINING = (
    "brick.png",
    "camera.png",
    "chelsea.png",
    "coffee.png",
    "coins.png",
    "grass.png",
    "gravel.png",
    "hubble_deep_field.jpg",
    "ihc.png",
    "retina.jpg",
    "rocket.jpg",
    "text.png",
)


def load(name):
    """A picture as a float32 array (3, H, W) of Y, Cb, Cr in [0, 1], cut to a multiple of 3."""
    rgb = np.asarray(Image.open(Path(skimage.data.__file__).parent / name).convert("RGB"))
    height, width = (n - n % SCALE for n in rgb.shape[:2])
    r, g, b = np.moveaxis(rgb[:height, :width].astype(np.float64) / 255, 2, 0)
    y = 0.299 * r + 0.587 * g + 0.114 * b
    return np.stack([y, (b - y) / 1.772 + 0.5, (r - y) / 1.402 + 0.5]).astype(np.float32)


def to_rgb(ycbcr):
    """The inverse of `load`: (3, H, W) in, an 8-bit picture (H, W, 3) out."""
    y, cb, cr = ycbcr[0], ycbcr[1] - 0.5, ycbcr[2] - 0.5
    r, b = y + 1.402 * cr, y + 1.772 * cb
    g = (y - 0.299 * r - 0.114 * b) / 0.587
    return np.rint(np.clip(np.stack([r, g, b], axis=2), 0, 1) * 255).astype(np.uint8)


def resize(channel, height, width):
    """Bicubic, and area-weighted when it shrinks (Pillow widens the kernel by the ratio)."""
    picture = Image.fromarray(np.ascontiguousarray(channel, np.float32))
    return np.asarray(picture.resize((width, height), Image.Resampling.BICUBIC))


def enlarge(channel):
    """The baseline: three times as large, bicubic."""
    return resize(channel, channel.shape[0] * SCALE, channel.shape[1] * SCALE)


def shrink(channel):
    """A third of the size, rounded to 8 bits as a stored picture would be."""
    small = resize(channel, channel.shape[0] // SCALE, channel.shape[1] // SCALE)
    return (np.rint(np.clip(small, 0, 1) * 255) / 255).astype(np.float32)


def psnr(truth, picture):
    """Peak signal-to-noise ratio in dB, peak 1; a border of 3 pixels does not count."""
    inner = np.s_[SCALE:-SCALE, SCALE:-SCALE]
    difference = truth[inner].astype(np.float64) - np.clip(picture[inner], 0, 1)
    return float(10 * np.log10(1 / np.mean(difference**2)))
