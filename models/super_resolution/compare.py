#!/usr/bin/env python3
"""Draw super_resolution.png: two details in low resolution, bicubic, by the network and originally.

Luminance comes from the named method; the two colour channels are bicubic everywhere but in the
original.  The figures are PSNR of the luminance of the whole picture.
"""

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import numpy as np
import torch
from matplotlib import pyplot
from matplotlib.patches import Rectangle

import pictures
from network import SCALE, load_weights

HERE = Path(__file__).resolve().parent
DETAILS = ((171, 51), (117, 318))  # left, top in the large picture; multiples of 3
SIDE = 108


def four_pictures():
    """[(caption, RGB picture)]; the first one is a third of the size of the others."""
    truth = pictures.load(pictures.HELD_OUT)
    small = np.stack([pictures.shrink(channel) for channel in truth])
    bicubic = np.stack([pictures.enlarge(channel) for channel in small])
    network = bicubic.copy()
    with torch.no_grad():
        network[0] = load_weights()(torch.from_numpy(small[:1])[None])[0, 0].numpy()
    shown = [(f"low resolution, {small.shape[2]} x {small.shape[1]}", small)]
    for caption, picture in (("bicubic", bicubic), ("network", network)):
        shown.append((f"{caption}, {pictures.psnr(truth[0], picture[0]):.2f} dB", picture))
    shown.append((f"original, {truth.shape[2]} x {truth.shape[1]}", truth))
    return [(caption, pictures.to_rgb(picture)) for caption, picture in shown]


def draw(shown, path):
    """The whole original on the left, then a row for each detail."""
    height, width = shown[-1][1].shape[:2]
    # Every picture is laid over the same square, so small pixels appear as large squares.
    extent = (0, width, height, 0)
    figure = pyplot.figure(figsize=(14, 5.3), dpi=72, layout="constrained")
    whole, details = figure.subfigures(1, 2, width_ratios=(2, 5))
    axis = whole.subplots()
    axis.imshow(shown[-1][1], extent=extent)
    axis.set_title(shown[-1][0], fontsize=12)
    axis.set_axis_off()
    axes = details.subplots(len(DETAILS), len(shown))
    for row, (left, top) in zip(axes, DETAILS):
        axis.add_patch(Rectangle((left, top), SIDE, SIDE, fill=False, color="white", linewidth=1.5))
        for cell, (caption, picture) in zip(row, shown):
            cell.imshow(picture, extent=extent, interpolation="nearest")
            cell.set_xlim(left, left + SIDE)
            cell.set_ylim(top + SIDE, top)
            cell.set_axis_off()
            if row[0] is axes[0, 0]:
                cell.set_title(caption, fontsize=12)
    figure.savefig(path, metadata={"Software": None}, pil_kwargs={"optimize": True})


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=HERE / "super_resolution.png",
                        help="the picture to write (%(default)s)")
    args = parser.parse_args()
    torch.set_num_threads(1)
    draw(four_pictures(), args.out)


if __name__ == "__main__":
    main()
