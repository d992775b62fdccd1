#!/usr/bin/env python3
"""Train the super-resolution network and write weights.npz.

One picture is held out; at the end it is enlarged by bicubic interpolation and by the network, and
both are compared with the original.  The run is deterministic: the same machine and the same
library versions give the same weights, bit for bit.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import torch

import pictures
from network import SCALE, WEIGHTS, SuperResolutionNet, save_weights

PATCH = 24  # side of a low-resolution patch
BATCH = 16
SEED = 3


def training_pairs():
    """All (small, large) luminance pairs, each also at reduced sizes: those are sharper."""
    pairs = []
    for name in pictures.TRAINING:
        full = pictures.load(name)[0]
        for share in (1.0, 0.75, 0.5):
            height, width = (int(n * share) // SCALE * SCALE for n in full.shape)
            large = full if share == 1 else np.clip(pictures.resize(full, height, width), 0, 1)
            if min(large.shape) > SCALE * PATCH:
                pairs.append((pictures.shrink(large), large))
    return pairs


def draw_batch(pairs, rng):
    """Random patches, each turned and mirrored at random."""
    share = np.array([small.size**0.5 for small, _ in pairs])
    smalls, larges = [], []
    for k in rng.choice(len(pairs), BATCH, p=share / share.sum()):
        small, large = pairs[k]
        y = rng.integers(small.shape[0] - PATCH + 1)
        x = rng.integers(small.shape[1] - PATCH + 1)
        patch = small[y : y + PATCH, x : x + PATCH]
        y, x, side = y * SCALE, x * SCALE, PATCH * SCALE
        target = large[y : y + side, x : x + side]
        turns, mirror = rng.integers(4), rng.integers(2)
        if mirror:
            patch, target = patch[:, ::-1], target[:, ::-1]
        smalls.append(np.rot90(patch, turns))
        larges.append(np.rot90(target, turns))
    return tuple(torch.from_numpy(np.stack(p)[:, None].copy()) for p in (smalls, larges))


@torch.no_grad()
def held_out_psnr(net):
    """(bicubic, network) in dB on the picture the network has not seen."""
    truth = pictures.load(pictures.HELD_OUT)[0]
    small = pictures.shrink(truth)
    guess = net(torch.from_numpy(small)[None, None])[0, 0].numpy()
    return pictures.psnr(truth, pictures.enlarge(small)), pictures.psnr(truth, guess)


def train(steps, rate):
    """Adam on the mean absolute error, learning rate from `rate` to 0 along a half cosine."""
    torch.manual_seed(SEED)
    rng = np.random.default_rng(SEED)
    pairs = training_pairs()
    net = SuperResolutionNet()
    optimizer = torch.optim.Adam(net.parameters(), lr=rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    began, total = time.monotonic(), 0.0
    print(f"{len(pairs)} training pictures, {steps} steps of {BATCH} patches")
    for step in range(1, steps + 1):
        small, large = draw_batch(pairs, rng)
        loss = torch.nn.functional.l1_loss(net(small), large)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        total += loss.item()
        if step % 250 == 0:
            print(f"step {step:5}  mean error {total / 250:.5f}  {time.monotonic() - began:4.0f} s",
                  flush=True)
            total = 0.0
    return net.eval()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--steps", type=int, default=6000, help="gradient steps (%(default)s)")
    add("--rate", type=float, default=2e-3, help="first learning rate (%(default)s)")
    add("--out", type=Path, default=WEIGHTS, help="where the weights go (%(default)s)")
    args = parser.parse_args()

    # More threads would split sums differently and so change the last bits of the weights.
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    net = train(args.steps, args.rate)
    save_weights(net, args.out)
    bicubic, network = held_out_psnr(net)
    print(f"{pictures.HELD_OUT}: bicubic {bicubic:.2f} dB, network {network:.2f} dB")


if __name__ == "__main__":
    main()
