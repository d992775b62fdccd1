#!/usr/bin/env python3
"""models/capture_torch.py: honest exports do not depart, a changed layer is the one that trace names.

  capture.py PROGRAM       needs torch and onnxscript; without them it says so and skips.
"""
import json
import pathlib
import subprocess
import sys
import tempfile
import warnings

warnings.simplefilter("ignore")
ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "models"), str(ROOT / "models" / "super_resolution")]
try:
    import numpy as np
    import onnxscript  # the torch.export exporter wants it
    import torch
    from torch import nn
except ImportError as e:
    print(f"skipped: {e.name} is not installed")
    print("1 skipped\n0 passed, 0 failed")
    sys.exit(0)
import network
from capture_torch import capture

results = {"passed": 0, "failed": 0}


class Block(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.conv = nn.Sequential(nn.Conv2d(n, n, 3, padding=1, bias=False), nn.BatchNorm2d(n))
        self.act = nn.ReLU(inplace=True)

    def forward(self, x):
        return self.act(self.conv(x) + x)


class Net(nn.Module):
    """What names have to survive: lists, sequences in sequences, one module called twice, tuples."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(3)
        self.first = nn.Conv2d(3, 8, 3, padding=1)
        self.blocks = nn.ModuleList([Block(8), Block(8)])
        self.shared = Block(8)
        self.rnn = nn.GRU(8, 6, batch_first=True)
        self.head = nn.Sequential(nn.Linear(6, 12), nn.GELU(), nn.Sequential(nn.LayerNorm(12)))
        for m in self.modules():
            if isinstance(m, nn.BatchNorm2d):
                nn.init.normal_(m.running_mean, 0, 0.2)
                nn.init.uniform_(m.running_var, 0.5, 1.5)
        self.eval()

    def forward(self, x):
        x = self.first(x)
        for b in self.blocks:
            x = b(x)
        x = self.shared(self.shared(x))
        y, _ = self.rnn(x.mean(3).transpose(1, 2))
        return self.head(y).softmax(-1)


def check(what, ok, why=""):
    results["passed" if ok else "failed"] += 1
    if not ok:
        print(f"{what}: {why}")


def trace(program, model, x, values):
    r = subprocess.run([program, "trace", str(model), str(x), "--against", str(values), "--json"],
                       capture_output=True, text=True)
    return json.loads(r.stdout) if r.returncode < 2 else {"first": r.stderr, "nodes": []}


def export(net, x, path, dynamo):
    if dynamo:
        torch.onnx.export(net, (x,), path, dynamo=True, verbose=False, external_data=False)
    else:
        torch.onnx.export(net, (x,), path, opset_version=17, dynamo=False)


def super_resolution(program, work):
    folder = ROOT / "models" / "super_resolution"
    x = torch.from_numpy(np.load(folder / "input.npy"))
    for path in sorted(folder.glob("*.onnx")):
        n = capture(network.load_weights(), (x,), path, work / "v.npz", quiet=True)
        t = trace(program, path, folder / "input.npy", work / "v.npz")
        check(path.name, n == 8 and t["first"] is None, f"{n} values, first {t['first']}")
        other = network.load_weights()
        with torch.no_grad():
            other.conv3.weight += 0.02 * torch.randn(other.conv3.weight.shape,
                                                     generator=torch.Generator().manual_seed(1))
        capture(other, (x,), path, work / "v.npz", quiet=True)
        t = trace(program, path, folder / "input.npy", work / "v.npz")
        first = t["first"] and t["first"]["value"]
        check(f"{path.name}, conv3 changed", first in ("/conv3/Conv_output_0", "conv2d_2")
              and t["explanations"][0]["cause"] == "stale-weights", f"{first}, {t.get('explanations')}")


def nested(program, work, dynamo):
    net, x, path = Net(), torch.randn(2, 3, 10, 12, generator=torch.Generator().manual_seed(2)), work / "m.onnx"
    what = "torch.export exporter" if dynamo else "TorchScript exporter"
    export(net, x, path, dynamo)
    np.save(work / "x.npy", x.numpy())
    n = capture(net, (x,), path, work / "v.npz", quiet=True)
    t = trace(program, path, work / "x.npy", work / "v.npz")
    check(what, n >= 12 and t["first"] is None, f"{n} values, first {t['first']}")
    net.blocks[1].conv[1].eps = 0.1
    capture(net, (x,), path, work / "v.npz", quiet=True)
    t = trace(program, path, work / "x.npy", work / "v.npz")
    labels = dict(line.split("\t")[::3] for line in (work / "v.tsv").read_text().splitlines())
    label = labels.get(t["first"]["value"], "") if t["first"] else ""
    check(f"{what}, another epsilon", label.startswith("blocks.1.conv"), f"{t['first']}: {label}")


def main():
    program = sys.argv[1]
    with tempfile.TemporaryDirectory() as work:
        work = pathlib.Path(work)
        super_resolution(program, work)
        for dynamo in (False, True):
            nested(program, work, dynamo)
    print(f'{results["passed"]} passed, {results["failed"]} failed')
    sys.exit(results["failed"] > 0)


if __name__ == "__main__":
    main()
