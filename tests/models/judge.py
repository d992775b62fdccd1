#!/usr/bin/env python3
"""One published network against its reference outputs:  judge.py PROGRAM FOLDER

FOLDER holds model.onnx, input_<k>.npy and output_<k>.npy.  Allowed differences, relative to the output's scale
(its largest magnitude): 1e-4; for quantised networks 1e-3 at --optimize 0 and 5 % at default, where a rounding
that falls the other way is a whole step, with the same top-1.  Integers and strings must be equal.
"""
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx


def judge(actual, expected, allowed, top1):
    if actual.shape != expected.shape or actual.dtype != expected.dtype:
        return f"{actual.dtype}{list(actual.shape)}, expected {expected.dtype}{list(expected.shape)}"
    if expected.dtype.kind != "f":
        return None if np.array_equal(actual, expected) else "values differ"
    if not np.array_equal(np.isfinite(actual), np.isfinite(expected)):
        return "NaN or infinity in other places"
    scale = np.max(np.abs(expected), initial=0, where=np.isfinite(expected))
    error = np.max(np.abs(actual.astype(np.float64) - expected), initial=0, where=np.isfinite(expected))
    if error > allowed * scale:
        return f"max abs {error:.3g}, allowed {allowed:g} of the scale {scale:.3g}"
    if top1 and not np.array_equal(actual.argmax(-1), expected.argmax(-1)):
        return "another top-1"
    return None


def main():
    program, folder = sys.argv[1], Path(sys.argv[2])
    model = onnx.load(folder / "model.onnx", load_external_data=False)
    quantised = any(n.op_type == "QuantizeLinear" for n in model.graph.node)
    inputs = sorted(folder.glob("input_*.npy"), key=lambda p: int(p.stem[6:]))
    outputs = sorted(folder.glob("output_*.npy"), key=lambda p: int(p.stem[7:]))
    failed = 0
    for options, allowed in (([], 0.05 if quantised else 1e-4), (["--optimize", "0"], 1e-3 if quantised else 1e-4)):
        with tempfile.TemporaryDirectory() as work:
            out = Path(work) / "out.npz"
            subprocess.run([program, "run", folder / "model.onnx", *inputs, "-o", out, *options], stdout=subprocess.DEVNULL,
                           check=True)
            with np.load(out) as actual:
                results = [actual[o.name] for o in model.graph.output]
        for a, path in zip(results, outputs, strict=True):
            why = judge(a, np.load(path), allowed, quantised and not options)
            if why:
                failed = 1
                print(f"{folder.name} {' '.join(options) or 'default'}: {path.stem}: {why}")
    sys.exit(failed)


if __name__ == "__main__":
    main()
