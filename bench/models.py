#!/usr/bin/env python3
"""Write the benchmark models: well-known architectures with random weights, as ONNX files.

For each model OUT/<name>/ gets model.onnx, input_<k>.npy and output_<k>.npy, k in the order of the
graph's inputs and outputs.  Outputs are what PyTorch computes; for the quantised models, which
PyTorch never sees, what ONNX Runtime computes without optimisations.  Everything is then run by
ONNX Runtime with its optimisations on, and the largest difference is printed as a share of the
output's largest value.

Speed does not depend on what the weights are, as long as values stay in a normal range: BatchNorm
statistics are taken from a random input and then shifted a little, so that no layer is trivial.
Needs the packages of models/super_resolution/requirements.txt.
"""

import argparse
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from onnxruntime import quantization
from onnxruntime.quantization.shape_inference import quant_pre_process
from torch import nn

import networks

DEFAULT_OUT = Path(__file__).resolve().parent.parent / "build" / "bench-models"
SEED = 20
OPSET = 17  # of the TorchScript exporter
# Shares of an output's largest value.  In a quantised network a last-bit difference tips a few
# values over to the next 8-bit step, and those tip more in each later layer: changing the inputs of
# these by 1e-6 changes their outputs by about 0.1.  Only gross mistakes can be seen there.
LARGEST_ERROR = {"float": 1e-4, "int8": 0.25}
CALIBRATION_RUNS = 4


@dataclass
class Case:
    """A network and how to export it."""

    net: nn.Module
    inputs: dict  # name -> tensor, in the order of forward's parameters
    outputs: list  # names
    dynamic: dict | None = None  # name -> {dimension: symbol}
    dynamo_opset: int | None = None  # use the torch.export exporter, with this opset
    quantize: tuple | None = None  # quantise these operators


MODELS = {}  # name -> function that makes the Case; its docstring is the description


def model(function):
    MODELS[function.__name__] = function
    return function


# ---------------------------------------------------------------- weights


@torch.no_grad()
def settle(net, *inputs):
    """Random weights such that activations stay near 1; returns the network ready to run."""
    norms = []
    for module in net.modules():
        if isinstance(module, (nn.Conv1d, nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
            norms.append(module)
            module.momentum = 1.0  # the running statistics become those of this one run
            nn.init.uniform_(module.weight, 0.8, 1.2)
            nn.init.normal_(module.bias, 0, 0.1)
    net.train()(*inputs)
    for norm in norms:
        norm.running_mean += 0.1 * norm.running_var.sqrt() * torch.randn(norm.num_features)
        norm.running_var *= torch.empty(norm.num_features).uniform_(0.8, 1.25)
    return net.eval()


@torch.no_grad()
def settle_transformer(net):
    """The usual initialisation, with LayerNorm and biases moved off 1 and 0."""
    for module in net.modules():
        if isinstance(module, (nn.Linear, nn.Embedding)):
            nn.init.normal_(module.weight, 0, 0.02)
        if isinstance(module, nn.LayerNorm):
            nn.init.normal_(module.weight, 1, 0.1)
        if isinstance(module, (nn.Linear, nn.LayerNorm)) and module.bias is not None:
            nn.init.normal_(module.bias, 0, 0.02)
    return net.eval()


def image(side):
    return torch.randn(1, 3, side, side)


# ---------------------------------------------------------------- image classification


def classifier(net, **options):
    x = image(224)
    return Case(settle(net, x), {"input": x}, ["output"], **options)


@model
def mobilenet_v2():
    """MobileNetV2 1.0, 224x224"""
    return classifier(networks.mobilenet_v2())


@model
def mobilenet_v3_large():
    """MobileNetV3-Large 1.0, 224x224"""
    return classifier(networks.mobilenet_v3_large())


@model
def efficientnet_b0():
    """EfficientNet-B0, 224x224"""
    return classifier(networks.efficientnet_b0())


@model
def resnet50():
    """ResNet-50 (stride in the 3x3 convolution), 224x224"""
    return classifier(networks.resnet50())


@model
def resnet50_int8():
    """the same ResNet-50, quantised: static QDQ, uint8 activations, int8 weights per channel"""
    quantized = ("Conv", "MatMul", "Gemm", "Add", "MaxPool", "GlobalAveragePool")
    return classifier(networks.resnet50(), quantize=quantized)


# ---------------------------------------------------------------- detection, segmentation


@model
def yolo():
    """a detector laid out as YOLOv8n, 640x640; boxes decoded, no suppression"""
    x = image(640)
    return Case(settle(networks.Detector(640), x), {"images": x}, ["output"])


@model
def unet():
    """U-Net of 32 to 512 channels, 256x256; torch.export exporter"""
    x = image(256)
    return Case(settle(networks.UNet(), x), {"input": x}, ["output"], dynamo_opset=18)


# ---------------------------------------------------------------- transformers


@model
def vit_s16():
    """Vision Transformer S/16, 224x224; torch.export exporter, opset 20 (Gelu)"""
    net = settle_transformer(networks.VisionTransformer())
    return Case(net, {"input": image(224)}, ["output"], dynamo_opset=20)


def make_bert(**options):
    ids = torch.randint(30522, (1, 128))
    mask = (torch.arange(128) < 112).long()[None]  # the last 16 places are padding
    kinds = (torch.arange(128) >= 64).long()[None]
    return Case(settle_transformer(networks.Bert()),
                {"input_ids": ids, "attention_mask": mask, "token_type_ids": kinds},
                ["last_hidden_state", "pooler_output"], **options)


@model
def bert_base():
    """BERT-base, sequence of 128"""
    return make_bert()


@model
def bert_base_int8():
    """the same BERT-base, quantised: static QDQ of MatMul and Gemm, int8 weights per channel"""
    return make_bert(quantize=("MatMul", "Gemm"))


def make_gpt2(n_new, n_past):
    net = settle_transformer(networks.Gpt())
    inputs = {"input_ids": torch.randint(50257, (1, n_new))}
    dynamic = {"input_ids": {0: "batch", 1: "sequence"}, "logits": {0: "batch", 1: "sequence"}}
    slots = [f"{k}.{part}" for k in range(len(net.layers)) for part in ("key", "value")]
    if n_past:
        # The cache is a real one, of a text that came before.
        with torch.no_grad():
            _, *past = net(torch.randint(50257, (1, n_past)))
        inputs |= {f"past.{slot}": value for slot, value in zip(slots, past)}
    for slot in slots:
        dynamic[f"past.{slot}"] = {0: "batch", 2: "past"}
        dynamic[f"present.{slot}"] = {0: "batch", 2: "total"}
    dynamic = {name: free for name, free in dynamic.items() if n_past or "past" not in name}
    return Case(net, inputs, ["logits"] + [f"present.{slot}" for slot in slots], dynamic)


@model
def gpt2_prefill():
    """GPT-2 small reading 128 tokens; free batch and sequence, writes the key-value cache"""
    return make_gpt2(128, 0)


@model
def gpt2_decode():
    """GPT-2 small writing one token after a cache of 128; free batch, sequence and past"""
    return make_gpt2(1, 128)


# ---------------------------------------------------------------- sound and sequences


@model
def lstm():
    """two LSTM layers of 512, 128 steps of 512 features, states in and out"""
    net = networks.FlatLstm(512, 512, num_layers=2).eval()
    states = {name: 0.5 * torch.randn(2, 1, 512) for name in ("h0", "c0")}
    return Case(net, {"input": torch.randn(128, 1, 512), **states}, ["output", "h", "c"])


@model
def speech_conv1d():
    """QuartzNet 5x5: separable 1-D convolutions over 10 s of 64 mel bands, 29 letters"""
    x = torch.randn(1, 64, 1000)
    return Case(settle(networks.quartznet_5x5(), x), {"audio_signal": x}, ["logprobs"])


# ---------------------------------------------------------------- export, quantise, check


def export(case, path):
    args = tuple(case.inputs.values())
    names = {"input_names": list(case.inputs), "output_names": case.outputs}
    with warnings.catch_warnings():  # deprecation of this exporter, tracing of shapes
        warnings.simplefilter("ignore")
        if case.dynamo_opset:
            program = torch.onnx.export(case.net, args, opset_version=case.dynamo_opset,
                                        dynamo=True, verbose=False, **names)
            for node in program.model.graph.all_nodes():
                node.metadata_props.clear()  # stack traces: they name files of this machine
            program.save(path, external_data=False)
        else:
            torch.onnx.export(case.net, args, path, dynamo=False, opset_version=OPSET,
                              dynamic_axes=case.dynamic, **names)


class Calibration(quantization.CalibrationDataReader):
    """Hands out random inputs like the case's own, a few times, then None."""

    def __init__(self, inputs):
        self.runs = iter([{name: self.like(x).numpy() for name, x in inputs.items()}
                          for _ in range(CALIBRATION_RUNS)])

    @staticmethod
    def like(x):
        if x.is_floating_point():
            return torch.randn_like(x)
        # Ids of words are drawn anew; masks and kinds stay what they are.
        return torch.randint(int(x.max()), x.shape) if x.max() > 1 else x

    def get_next(self):
        return next(self.runs, None)


def quantize(case, source, path):
    """Static quantisation; ranges are those of the calibration runs."""
    with tempfile.TemporaryDirectory() as scratch:
        prepared = Path(scratch) / "prepared.onnx"
        quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
        quantization.quantize_static(
            str(prepared), str(path), Calibration(case.inputs), per_channel=True,
            quant_format=quantization.QuantFormat.QDQ, op_types_to_quantize=list(case.quantize),
            activation_type=quantization.QuantType.QUInt8, weight_type=quantization.QuantType.QInt8)


def run_onnxruntime(path, case, threads, optimize):
    """The outputs, in the graph's order; inputs must be in the order of forward's parameters."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    if not optimize:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    assert [i.name for i in session.get_inputs()] == list(case.inputs)
    assert [o.name for o in session.get_outputs()] == case.outputs
    return session.run(None, {name: x.numpy() for name, x in case.inputs.items()})


def largest_error(actual, expected):
    """Over all outputs: largest difference, as a share of that output's largest value."""
    return max(float(np.abs(a - e).max() / np.abs(e).max()) for a, e in zip(actual, expected))


def write(name, folder, threads):
    """Make one model; says whether ONNX Runtime agrees with the outputs written."""
    torch.manual_seed(SEED)
    case = MODELS[name]()
    folder.mkdir(parents=True, exist_ok=True)
    for old in [*folder.glob("input_*.npy"), *folder.glob("output_*.npy")]:
        old.unlink()
    path = folder / "model.onnx"
    with torch.no_grad():
        outputs = case.net(*case.inputs.values())
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    expected = [y.numpy() for y in outputs]
    note = ""
    if case.quantize:
        with tempfile.TemporaryDirectory() as scratch:
            source = Path(scratch) / "float.onnx"
            export(case, source)
            quantize(case, source, path)
        exact, expected = expected, run_onnxruntime(path, case, threads, optimize=False)
        note = f"; quantisation itself costs {largest_error(expected, exact):.1e}"
    else:
        export(case, path)
    for kind, arrays in (("input", [x.numpy() for x in case.inputs.values()]),
                         ("output", expected)):
        for k, array in enumerate(arrays):
            np.save(folder / f"{kind}_{k}.npy", array)
    error = largest_error(run_onnxruntime(path, case, threads, optimize=True), expected)
    n_weights = sum(p.numel() for p in case.net.parameters())
    print(f"{name:20} {n_weights / 1e6:7.2f} M weights {path.stat().st_size / 1e6:7.1f} MB, "
          f"ONNX Runtime differs by {error:.1e}{note}", flush=True)
    return error <= LARGEST_ERROR["int8" if case.quantize else "float"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("names", metavar="NAME", nargs="*", help="models to write (all)")
    add("--out", type=Path, default=DEFAULT_OUT, help="folder to write to (build/bench-models)")
    add("--threads", type=int, default=1, help="of PyTorch and ONNX Runtime (%(default)s)")
    add("--list", action="store_true", help="describe the models and exit")
    args = parser.parse_args()
    if args.list:
        for name, function in MODELS.items():
            print(f"{name:20} {function.__doc__}")
        return
    unknown = set(args.names) - set(MODELS)
    if unknown:
        parser.error(f"no such model: {' '.join(sorted(unknown))} (see --list)")
    torch.set_num_threads(args.threads)
    wrong = [name for name in args.names or MODELS
             if not write(name, args.out / name, args.threads)]
    if wrong:
        raise SystemExit(f"ONNX Runtime does not agree on: {' '.join(wrong)}")


if __name__ == "__main__":
    main()
