#!/usr/bin/env python3
"""Write the trained network as ONNX files, with an input and the output PyTorch computes for it.

Four files hold the same network as two exporters write it:

  torchscript_opset13.onnx  TorchScript exporter, every dimension fixed
  torchscript_opset18.onnx  the same, opset 18
  dynamo_opset18.onnx       torch.export exporter; batch, height and width are free; the weights
                            lie beside it in dynamo_opset18.onnx.data
  dynamo_opset23.onnx       the same, opset 23, weights inside

input.npy is the low-resolution luminance of the held-out picture, torch_out.npy what PyTorch makes
of it.  Each file is then run by ONNX Runtime and compared with torch_out.npy.
"""

import argparse
import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch

import pictures
from network import load_weights

HERE = Path(__file__).resolve().parent
LARGEST_ERROR = 1e-5  # of values in [0, 1]: sums of 576 products in float32 differ by about 1e-6
NAMES = {"input_names": ["input"], "output_names": ["output"]}


def export_torchscript(net, example, opset, path):
    with warnings.catch_warnings():  # that this exporter is deprecated is why it is asked for
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(net, (example,), path, opset_version=opset, dynamo=False, **NAMES)


def export_dynamo(net, example, opset, path, external):
    free = {k: torch.export.Dim(n) for k, n in ((0, "batch"), (2, "height"), (3, "width"))}
    # A batch of one would be taken for a constant.
    example = example.expand(2, -1, -1, -1)
    program = torch.onnx.export(net, (example,), opset_version=opset, dynamo=True, verbose=False,
                                dynamic_shapes=(free,), **NAMES)
    program.save(path, external_data=external)


def clear_notes(path):
    """Remove stack traces and other notes the exporters leave: they name files of this machine."""
    model = onnx.load(path, load_external_data=False)
    clear_message(model)
    path.write_bytes(model.SerializeToString(deterministic=True))


def clear_message(message):
    """Empty `doc_string` and `metadata_props` of a protobuf message and of all below it."""
    for field, value in message.ListFields():
        if field.name in ("doc_string", "metadata_props"):
            message.ClearField(field.name)
        elif field.type == field.TYPE_MESSAGE:
            for part in value if field.is_repeated else (value,):
                clear_message(part)


def check(path, x, expected):
    """Run one file with ONNX Runtime; the largest difference from PyTorch."""
    onnx.checker.check_model(path, full_check=True)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    (y,) = session.run(None, {"input": x})
    error = float(np.abs(y - expected).max())
    print(f"{path.name:26} {path.stat().st_size:7} bytes, ONNX Runtime differs by {error:.1e}")
    if error > LARGEST_ERROR:
        raise SystemExit(f"{path}: {error:.1e} is more than {LARGEST_ERROR:.0e}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=HERE, help="folder to write to (%(default)s)")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)

    torch.set_num_threads(1)
    net = load_weights()
    x = torch.from_numpy(pictures.shrink(pictures.load(pictures.HELD_OUT)[0]))[None, None]
    with torch.no_grad():
        y = net(x)
    np.save(args.out / "input.npy", x.numpy())
    np.save(args.out / "torch_out.npy", y.numpy())

    files = {name: args.out / f"{name}.onnx" for name in
             ("torchscript_opset13", "torchscript_opset18", "dynamo_opset18", "dynamo_opset23")}
    export_torchscript(net, x, 13, files["torchscript_opset13"])
    export_torchscript(net, x, 18, files["torchscript_opset18"])
    export_dynamo(net, x, 18, files["dynamo_opset18"], external=True)
    export_dynamo(net, x, 23, files["dynamo_opset23"], external=False)
    for path in files.values():
        clear_notes(path)
        check(path, x.numpy(), y.numpy())


if __name__ == "__main__":
    main()
