"""The super-resolution network: a luminance channel in, the same channel three times as large out.

Four convolutions work at the small size; only the last step, PixelShuffle, moves the nine values
it finds at each small pixel to a 3x3 block of large ones.  The architecture is ESPCN's (Shi et al.,
"Real-Time Single Image and Video Super-Resolution Using an Efficient Sub-Pixel Convolutional Neural
Network", 2016) with one layer more: 59,657 parameters.
"""

from pathlib import Path

import numpy as np
import torch
from torch import nn

SCALE = 3
WEIGHTS = Path(__file__).resolve().parent / "weights.npz"


class SuperResolutionNet(nn.Module):
    """(N, 1, H, W) with values in [0, 1] -> (N, 1, 3H, 3W); not clamped."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 64, 5, padding=2)
        self.conv2 = nn.Conv2d(64, 64, 3, padding=1)
        self.conv3 = nn.Conv2d(64, 32, 3, padding=1)
        self.conv4 = nn.Conv2d(32, SCALE * SCALE, 3, padding=1)
        self.relu = nn.ReLU()
        self.pixel_shuffle = nn.PixelShuffle(SCALE)
        self._start_as_linear_interpolation()

    def forward(self, x):
        x = self.relu(self.conv1(x))
        x = self.relu(self.conv2(x))
        x = self.relu(self.conv3(x))
        return self.pixel_shuffle(self.conv4(x))

    @torch.no_grad()
    def _start_as_linear_interpolation(self):
        """Make the untrained network a linear interpolation, so that training only adds detail.

        Channel 0 of each layer carries the picture through unchanged (ReLU does no harm to values
        in [0, 1]); the last layer reads nothing else and interpolates.  All other channels start
        as random features that nobody listens to yet.
        """
        hidden = (self.conv1, self.conv2, self.conv3)
        for conv in hidden:
            nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
            nn.init.zeros_(conv.bias)
            conv.weight[0] = 0
            middle = conv.kernel_size[0] // 2
            conv.weight[0, 0, middle, middle] = 1
        nn.init.zeros_(self.conv4.weight)
        nn.init.zeros_(self.conv4.bias)
        # Large pixel i of a block of three lies (i - 1) / 3 of a small pixel beside its centre.
        taps = torch.tensor([[1, 2, 0], [0, 3, 0], [0, 2, 1]]) / 3
        for row in range(SCALE):
            for column in range(SCALE):
                self.conv4.weight[row * SCALE + column, 0] = torch.outer(taps[row], taps[column])


def save_weights(net, path=WEIGHTS):
    """Write every parameter under its PyTorch name; np.savez stamps no time, so equal is equal."""
    np.savez(path, **{name: value.numpy() for name, value in net.state_dict().items()})


def load_weights(path=WEIGHTS):
    """The trained network, ready to run."""
    net = SuperResolutionNet()
    with np.load(path) as stored:
        net.load_state_dict({name: torch.from_numpy(stored[name]) for name in stored.files})
    return net.eval()
